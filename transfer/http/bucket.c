/* bucket.c - see bucket.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/http/bucket.h"

#define HOLDS_S   0.1
#define QUANTUM_S 0.02

static void
fill (ExoBucket *bucket, gint64 now_us)
{
  double came = (double) bucket->rate * (double) MAX (0, now_us - bucket->seen_us) / G_USEC_PER_SEC;

  bucket->level = MIN (bucket->level + came, (double) bucket->rate * HOLDS_S);
  bucket->seen_us = now_us;
}

/* It starts empty. */
void
exo_bucket_set_rate (ExoBucket *bucket, guint64 rate, gint64 now_us)
{
  if (bucket->rate != 0 && rate != 0)
    fill (bucket, now_us);
  else
    *bucket = (ExoBucket){ .seen_us = now_us };
  bucket->rate = rate;
}

gboolean
exo_bucket_is_open (ExoBucket *bucket, gint64 now_us)
{
  if (bucket->rate == 0)
    return TRUE;
  fill (bucket, now_us);
  return bucket->level > 0;
}

gboolean
exo_bucket_take (ExoBucket *bucket, gsize bytes, gint64 now_us)
{
  if (!exo_bucket_is_open (bucket, now_us))
    return FALSE;
  bucket->level -= (double) bytes;
  return TRUE;
}

gint64
exo_bucket_wait_us (ExoBucket *bucket, gint64 now_us)
{
  double missing;

  if (bucket->rate == 0)
    return 0;
  fill (bucket, now_us);
  missing = (double) bucket->rate * QUANTUM_S - bucket->level;
  return missing > 0 ? (gint64) (missing * G_USEC_PER_SEC / (double) bucket->rate) + 1 : 0;
}
