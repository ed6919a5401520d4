/* test-bucket.c - so many bytes a second
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/suite.h"
#include "transfer/http/bucket.h"

#define MB      1000000u
#define CHUNK   16384u
#define SECOND  ((gint64) G_USEC_PER_SEC)
#define STARTED SECOND

/* What @n fetches get that always have something, from @from_us to @to_us, waking up as they are told but @late_us later. */
static guint64
drain (ExoBucket *bucket, guint n, gint64 from_us, gint64 to_us, gint64 late_us)
{
  guint64 bytes = 0;

  for (gint64 now = from_us; now < to_us; now += exo_bucket_wait_us (bucket, now) + late_us)
    for (guint i = 0; i < n; i++)
      while (exo_bucket_take (bucket, CHUNK, now))
        bytes += CHUNK;
  return bytes;
}

static gboolean
is_near (guint64 bytes, guint64 expected)
{
  return bytes * 100 >= expected * 99 && bytes * 100 <= expected * 101 + 100 * CHUNK;
}

static void
the_rate_holds_over_ten_seconds (void)
{
  static const guint64 rates[] = { MB / 10, MB, 20 * MB, 1250 * MB };

  for (gsize i = 0; i < G_N_ELEMENTS (rates); i++)
    for (guint n = 1; n <= 64; n *= 4)
      {
        ExoBucket bucket = { 0 };

        exo_bucket_set_rate (&bucket, rates[i], STARTED);
        CU_ASSERT_TRUE (
            is_near (drain (&bucket, n, STARTED, STARTED + 10 * SECOND, 1000), 10 * rates[i]));
      }
}

static void
a_change_is_in_force_at_once (void)
{
  ExoBucket bucket = { 0 };

  exo_bucket_set_rate (&bucket, 20 * MB, STARTED);
  drain (&bucket, 4, STARTED, STARTED + SECOND, 0);
  exo_bucket_set_rate (&bucket, MB, STARTED + SECOND);
  CU_ASSERT_TRUE (
      is_near (drain (&bucket, 4, STARTED + SECOND, STARTED + 11 * SECOND, 0), 10 * MB));
}

static void
what_was_not_used_is_not_saved_up (void)
{
  ExoBucket bucket = { 0 };
  guint64 bytes = 0;

  exo_bucket_set_rate (&bucket, 20 * MB, STARTED);
  while (exo_bucket_take (&bucket, CHUNK, STARTED + 3600 * SECOND))
    bytes += CHUNK;
  CU_ASSERT_TRUE (bytes >= 2 * MB && bytes < 2 * MB + CHUNK);
}

static void
without_a_rate_everything_may_come (void)
{
  ExoBucket bucket = { 0 };

  for (guint i = 0; i < 1000; i++)
    CU_ASSERT_TRUE (exo_bucket_take (&bucket, G_MAXUINT32, 1));
  exo_bucket_set_rate (&bucket, MB, STARTED);
  while (exo_bucket_take (&bucket, CHUNK, STARTED + SECOND))
    ;
  exo_bucket_set_rate (&bucket, 0, STARTED + SECOND);
  CU_ASSERT_TRUE (exo_bucket_take (&bucket, CHUNK, STARTED + SECOND));
  CU_ASSERT_EQUAL (exo_bucket_wait_us (&bucket, STARTED + SECOND), 0);
}

EXO_SUITE ("bucket",
           TEST (the_rate_holds_over_ten_seconds),
           TEST (a_change_is_in_force_at_once),
           TEST (what_was_not_used_is_not_saved_up),
           TEST (without_a_rate_everything_may_come))
