/* test-ways.c - by which of its addresses a neighbour is best reached
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/suite.h"
#include "transfer/swarm/ways.h"

#define GIGABIT G_GUINT64_CONSTANT (125000000)
#define S       G_USEC_PER_SEC

static const ExoWay ethernet = { .here = { 2, TRUE, FALSE, GIGABIT }, .there = GIGABIT };
static const ExoWay thunderbolt = { .here = { 3, TRUE, FALSE, 20 * GIGABIT },
                                    .there = 20 * GIGABIT };
static const ExoWay wifi = { .here = { 4, TRUE, TRUE, 0 } };

static void
assert_better (ExoWay better, ExoWay worse)
{
  CU_ASSERT_TRUE (exo_way_compare (&better, &worse) < 0);
  CU_ASSERT_TRUE (exo_way_compare (&worse, &better) > 0);
}

static void
assert_equal (ExoWay one, ExoWay other)
{
  CU_ASSERT_EQUAL (exo_way_compare (&one, &other), 0);
  CU_ASSERT_EQUAL (exo_way_compare (&other, &one), 0);
}

static ExoWay
with_there (ExoWay way, guint64 there)
{
  way.there = there;
  return way;
}

static ExoWay
with_rate (ExoWay way, guint64 rate)
{
  way.rate = rate;
  return way;
}

static void
the_slower_card_counts (void)
{
  CU_ASSERT_EQUAL (exo_way_speed (&thunderbolt), 20 * GIGABIT);
  assert_better (thunderbolt, ethernet);
  assert_better (ethernet, with_there (thunderbolt, GIGABIT / 10));
  assert_equal (ethernet, with_there (thunderbolt, GIGABIT));
}

static void
what_a_neighbour_does_not_say_does_not_count (void)
{
  const ExoWay unsaid = with_there (thunderbolt, EXO_WAY_UNSAID);

  CU_ASSERT_EQUAL (exo_way_speed (&unsaid), 20 * GIGABIT);
  assert_better (unsaid, ethernet);
}

static void
what_is_not_known_comes_after_what_is (void)
{
  ExoWay bridge = wifi;

  assert_better (ethernet, wifi);
  assert_better (ethernet, with_there (thunderbolt, 0)); /* Wi-Fi at the other end */
  bridge.here.wireless = FALSE;
  assert_better (bridge, wifi);
  assert_equal (wifi, with_there (wifi, EXO_WAY_UNSAID));
}

static void
what_leads_nowhere_comes_last (void)
{
  ExoWay unplugged = thunderbolt, away = thunderbolt;

  unplugged.here.running = FALSE;
  away.here = (ExoWayHere){ 0 };
  assert_better (wifi, unplugged);
  assert_better (wifi, away);
}

static void
measured_counts_where_both_were (void)
{
  assert_better (with_rate (wifi, 60000000), with_rate (ethernet, 11000000));
  assert_better (with_rate (ethernet, 60000000), with_rate (wifi, 90000000)); /* not by far */
  assert_better (ethernet, with_rate (wifi, 60000000));
  assert_better (with_rate (ethernet, 11000000), wifi);
}

static guint
pick (const ExoWay *a, const ExoWay *b, const ExoWay *c, gint64 now_us)
{
  const ExoWay *const ways[] = { a, b, c };

  return exo_ways_pick (ways, 3, now_us);
}

static void
each_is_tried_once_before_one_is_tried_again (void)
{
  ExoWay a = ethernet, b = thunderbolt, c = wifi;

  CU_ASSERT_EQUAL (pick (&a, &b, &c, 0), 1);
  exo_way_failed (&b, S, 0);
  CU_ASSERT_EQUAL (pick (&a, &b, &c, 0), 0);
  exo_way_failed (&a, S, 1);
  CU_ASSERT_EQUAL (pick (&a, &b, &c, 2), 2);
  CU_ASSERT_EQUAL (pick (&a, &b, &c, 9 * S),
                   2); /* also when they were left alone for long enough */
  exo_way_failed (&c, S, 2);
  CU_ASSERT_EQUAL (pick (&a, &b, &c, 3), 1); /* all wait: the first one whose time comes */
  CU_ASSERT_EQUAL (pick (&a, &b, &c, 9 * S), 1);
}

static void
of_equal_ones_the_first_is_taken_and_none_is_left_for_the_other (void)
{
  ExoWay a = ethernet, b = ethernet, c = ethernet;
  const ExoWay *const ways[] = { &a, &b, &c };
  gint64 at_us;

  CU_ASSERT_EQUAL (pick (&a, &b, &c, 0), 0);
  CU_ASSERT_EQUAL (exo_ways_better (ways, 3, 2, 0, &at_us), 3);
  CU_ASSERT_EQUAL (at_us, G_MAXINT64);
}

static void
a_better_one_is_gone_back_to_when_its_time_has_come (void)
{
  ExoWay a = ethernet, b = thunderbolt, c = wifi;
  const ExoWay *const ways[] = { &a, &b, &c };
  gint64 at_us;

  exo_way_failed (&b, S, 0);
  exo_way_failed (&a, S, S / 2);
  CU_ASSERT_EQUAL (exo_ways_better (ways, 3, 2, S / 2, &at_us), 3);
  CU_ASSERT_EQUAL (at_us, S);
  CU_ASSERT_EQUAL (exo_ways_better (ways, 3, 2, S, &at_us), 1);
  CU_ASSERT_EQUAL (exo_ways_better (ways, 3, 2, 2 * S, &at_us), 1); /* the best of both */
  CU_ASSERT_EQUAL (exo_ways_better (ways, 3, 0, 2 * S, &at_us), 1);
  CU_ASSERT_EQUAL (exo_ways_better (ways, 3, 1, 2 * S, &at_us), 3);
}

static void
waits_double_up_to_eight_times (void)
{
  static const gint64 waits[] = { S, 2 * S, 4 * S, 8 * S, 8 * S };
  ExoWay way = ethernet;

  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    {
      exo_way_failed (&way, S, 100 * S);
      CU_ASSERT_EQUAL (way.retry_at_us, 100 * S + waits[i]);
    }
}

static void
a_loose_contact_is_not_forgiven_at_once (void)
{
  ExoWay way = ethernet;

  exo_way_failed (&way, S, 0);
  exo_way_works (&way, 10 * S);
  CU_ASSERT_EQUAL (way.retry_at_us, 0);
  exo_way_failed (&way, S, 10 * S + EXO_WAY_STEADY_US - 1);
  CU_ASSERT_EQUAL (way.n_failures, 2);
  exo_way_works (&way, 40 * S);
  exo_way_failed (&way, S, 40 * S + EXO_WAY_STEADY_US);
  CU_ASSERT_EQUAL (way.n_failures, 1);
}

EXO_SUITE ("ways",
           TEST (the_slower_card_counts),
           TEST (what_a_neighbour_does_not_say_does_not_count),
           TEST (what_is_not_known_comes_after_what_is),
           TEST (what_leads_nowhere_comes_last),
           TEST (measured_counts_where_both_were),
           TEST (each_is_tried_once_before_one_is_tried_again),
           TEST (of_equal_ones_the_first_is_taken_and_none_is_left_for_the_other),
           TEST (a_better_one_is_gone_back_to_when_its_time_has_come),
           TEST (waits_double_up_to_eight_times),
           TEST (a_loose_contact_is_not_forgiven_at_once))
