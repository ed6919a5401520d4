/* test-pace.c - how fast bytes come while they come
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/suite.h"
#include "transfer/swarm/pace.h"

#define MS  1000
#define S   G_USEC_PER_SEC
#define MIB 1048576u

/* A piece every 100 ms, from @from_us on; when the last one came */
static gint64
pieces (ExoPace *pace, gint64 from_us, guint n, guint64 bytes)
{
  for (guint i = 1; i <= n; i++)
    exo_pace_add (pace, bytes, from_us + i * 100 * MS);
  return from_us + n * 100 * MS;
}

/* Measured for three seconds or more. */
static void
expect (const ExoPace *pace, gint64 now_us, guint64 rate, guint64 best)
{
  CU_ASSERT_EQUAL (exo_pace_rate (pace, 3 * S, now_us), rate);
  CU_ASSERT_EQUAL (exo_pace_best (pace, 3 * S, now_us), best);
}

static void
nothing_is_known_before_it_was_measured_for_long_enough (void)
{
  ExoPace pace = { 0 };
  gint64 now_us;

  CU_ASSERT_EQUAL (exo_pace_rate (&pace, 0, 5 * S), 0);
  exo_pace_begin (&pace, 5 * S);
  now_us = pieces (&pace, 5 * S, 29, MIB);
  expect (&pace, now_us, 0, 0);
  now_us = pieces (&pace, now_us, 1, MIB);
  expect (&pace, now_us, 10 * MIB, 10 * MIB);
}

static void
time_without_a_fetch_does_not_count (void)
{
  ExoPace pace = { 0 };
  gint64 now_us = 0;

  for (guint i = 0; i < 40; i++)
    {
      exo_pace_begin (&pace, now_us);
      now_us = pieces (&pace, now_us, 1, MIB);
      exo_pace_end (&pace, now_us);
      now_us += 10 * S;
    }
  CU_ASSERT_EQUAL (exo_pace_rate (&pace, 3 * S, now_us), 10 * MIB);
}

static void
fetches_side_by_side_count_together (void)
{
  ExoPace pace = { 0 };
  gint64 now_us = 0;

  for (guint i = 0; i < 4; i++)
    exo_pace_begin (&pace, 0);
  for (guint i = 0; i < 40; i++)
    {
      now_us += 100 * MS;
      for (guint k = 0; k < 4; k++)
        exo_pace_add (&pace, MIB, now_us);
    }
  CU_ASSERT_EQUAL (exo_pace_rate (&pace, 3 * S, now_us), 40 * MIB);
}

static void
only_the_last_seconds_count (void)
{
  ExoPace pace = { 0 };
  gint64 now_us;

  exo_pace_begin (&pace, 0);
  now_us = pieces (&pace, 0, 100, 10 * MIB);
  now_us = pieces (&pace, now_us, 20, MIB);
  expect (&pace, now_us, 55 * MIB, 100 * MIB);
  now_us = pieces (&pace, now_us, 20, MIB);
  expect (&pace, now_us, 10 * MIB, 10 * MIB);
}

static void
a_source_that_falls_silent_becomes_slow (void)
{
  ExoPace pace = { 0 };
  gint64 now_us;

  exo_pace_begin (&pace, 0);
  now_us = pieces (&pace, 0, 40, MIB);
  CU_ASSERT_EQUAL (exo_pace_rate (&pace, 3 * S, now_us + 4 * S), 5 * MIB);
  exo_pace_end (&pace, now_us + 4 * S);
  CU_ASSERT_EQUAL (exo_pace_rate (&pace, 3 * S, now_us + 400 * S), 35 * MIB * 10 / 75);
}

static void
no_byte_at_all_is_known_to_be_next_to_nothing (void)
{
  ExoPace pace = { 0 };

  exo_pace_begin (&pace, 0);
  CU_ASSERT_EQUAL (exo_pace_rate (&pace, 3 * S, 3 * S), 1);
}

static void
what_is_forgotten_is_measured_anew (void)
{
  ExoPace pace = { 0 };
  gint64 now_us;

  exo_pace_begin (&pace, 0);
  now_us = pieces (&pace, 0, 40, 10 * MIB);
  exo_pace_forget (&pace, now_us);
  CU_ASSERT_EQUAL (exo_pace_rate (&pace, 3 * S, now_us), 0);
  now_us = pieces (&pace, now_us, 30, MIB); /* the fetch goes on */
  CU_ASSERT_EQUAL (exo_pace_rate (&pace, 3 * S, now_us), 10 * MIB);
  exo_pace_end (&pace, now_us);
}

/* At the Hub nothing is that does not make it another rate altogether. */
static void
small_changes_are_no_news (void)
{
  static const struct
  {
    guint64 told, rate;
    gboolean news, hub_news;
  } rows[] = {
    { 0, 0, FALSE, FALSE },     { 0, 1, TRUE, TRUE },      { 1, 0, TRUE, TRUE },
    { 100, 125, FALSE, FALSE }, { 100, 126, TRUE, FALSE }, { 125, 100, FALSE, FALSE },
    { 126, 100, TRUE, FALSE },  { 100, 403, TRUE, FALSE }, { 100, 404, TRUE, TRUE },
    { 403, 100, TRUE, FALSE },  { 404, 100, TRUE, TRUE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      CU_ASSERT_EQUAL (exo_pace_is_news (rows[i].told, rows[i].rate), rows[i].news);
      CU_ASSERT_EQUAL (exo_pace_is_hub_news (rows[i].told, rows[i].rate), rows[i].hub_news);
    }
}

EXO_SUITE ("pace",
           TEST (nothing_is_known_before_it_was_measured_for_long_enough),
           TEST (time_without_a_fetch_does_not_count),
           TEST (fetches_side_by_side_count_together),
           TEST (only_the_last_seconds_count),
           TEST (a_source_that_falls_silent_becomes_slow),
           TEST (no_byte_at_all_is_known_to_be_next_to_nothing),
           TEST (what_is_forgotten_is_measured_anew),
           TEST (small_changes_are_no_news))
