/* bucket.h - so many bytes a second, however many fetches bring them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A bucket fills at the rate and is emptied by what is taken. What comes may be more than is in it: then it is in debt, and
 * nothing more is taken until that is paid. So the rate holds for any size of what is taken. It holds a tenth of a second: that
 * much is caught up after a pause.
 *
 * Pure; a zeroed struct is a new one without a limit. Times are monotonic us.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  guint64 rate;   /* bytes/s; 0: no limit */
  double level;   /* bytes; below 0: debt */
  gint64 seen_us; /* filled up to here */
} ExoBucket;

void exo_bucket_set_rate (ExoBucket *bucket, guint64 rate, gint64 now_us);
/* FALSE: not now, and nothing is taken */
gboolean exo_bucket_take (ExoBucket *bucket, gsize bytes, gint64 now_us);
/* Something may be taken now. */
gboolean exo_bucket_is_open (ExoBucket *bucket, gint64 now_us);
/* Until there is enough in it to be worth waking up for; 0: now */
gint64 exo_bucket_wait_us (ExoBucket *bucket, gint64 now_us);

G_END_DECLS
