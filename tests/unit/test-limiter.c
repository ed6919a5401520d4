/* test-limiter.c - what the user allows, kept and carried out by an engine
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <time.h>

#include "tests/unit/engine-lab.h"
#include "tests/unit/suite.h"
#include "transfer/engine-private.h"
#include "transfer/swarm/swarm-private.h"

#define CAP  4000000u
#define OVER (2u << 20) /* what may be on its way when the cap is reached */

/* From here on it is this time of day, by a zone of our own. */
static void
set_local_time (int hour, int minute, int second)
{
  int wanted = (hour * 60 + minute) * 60 + second;
  int west = (int) (g_get_real_time () / G_USEC_PER_SEC % 86400) - wanted;
  g_autofree char *zone =
      g_strdup_printf ("LAB%s%02d:%02d:%02d", west < 0 ? "-" : "", ABS (west) / 3600,
                       ABS (west) / 60 % 60, ABS (west) % 60);

  g_setenv ("TZ", zone, TRUE);
  tzset ();
}

static ExoLimitsState
state_of (const LabNode *node)
{
  ExoLimitsState state;

  exo_engine_get_limits (node->engine, &state);
  return state;
}

static void
set_amount (LabNode *node, ExoLimit limit, guint64 amount)
{
  ExoLimits limits = { 0 };

  limits.amounts[limit] = amount;
  CU_ASSERT_TRUE (exo_engine_set_limits (node->engine, &limits, 1u << limit, NULL));
}

static void
set_hours (LabNode *node, const char *text)
{
  ExoLimits limits = { 0 };

  CU_ASSERT_TRUE (exo_hours_parse (text, &limits.hours, NULL));
  CU_ASSERT_TRUE (exo_engine_set_limits (node->engine, &limits, 1u << EXO_LIMIT_HUB_HOURS, NULL));
}

static gboolean
waits_for_cap (gconstpointer data)
{
  return state_of (data).wait == EXO_HUB_WAIT_CAP;
}

static gboolean
flies_nothing (gconstpointer data)
{
  return g_hash_table_size (((const LabNode *) data)->engine->swarm->flights) == 0;
}

/* The neighbours were heard: nothing but the limits keeps it from the Hub. */
static gboolean
may_ask_the_hub (gconstpointer data)
{
  const ExoSwarm *swarm = ((const LabNode *) data)->engine->swarm;
  GHashTableIter iter;
  ExoJob *job;
  guint n = 0;

  g_hash_table_iter_init (&iter, swarm->jobs);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &job))
    n += job->blob != 0 && job->hub_allowed;
  return n > 0;
}

static gboolean
is_open (gconstpointer data)
{
  return state_of (data).wait == EXO_HUB_WAIT_NONE;
}

/* Nobody is warned before. */
static gboolean
is_restored (gconstpointer data)
{
  return ((const LabNode *) data)->n_restored > 0;
}

static char *
card_of (LabNode *node)
{
  g_autoptr (GBytes) card = exo_engine_card (node->engine);

  return g_strndup (g_bytes_get_data (card, NULL), g_bytes_get_size (card));
}

static void
a_cap_stops_what_comes_and_raised_it_goes_on (void)
{
  LabNode node;
  ExoTransfer *transfer;
  ExoLimitsState state;

  lab_node_open (&node, "one", NULL);
  lab_wait (is_restored, &node);
  set_amount (&node, EXO_LIMIT_MONTHLY_CAP, CAP);
  transfer = lab_node_pull (&node, LAB_MODEL);
  lab_wait (waits_for_cap, &node);
  lab_wait (flies_nothing, &node);
  lab_turn (100);
  state = state_of (&node);
  CU_ASSERT_TRUE (state.month_bytes >= CAP && state.month_bytes < CAP + OVER);
  CU_ASSERT_TRUE (stand_in_bytes (engine_lab.hub) < CAP + OVER);
  CU_ASSERT_TRUE (state.until_s > time (NULL));
  CU_ASSERT_EQUAL (lab_state (transfer), EXO_TRANSFER_TRANSFERRING);
  CU_ASSERT_PTR_NOT_NULL (strstr (exo_limiter_why (node.engine->limiter), "limit of 4.0"));
  CU_ASSERT_PTR_NOT_NULL (strstr (node.warnings->str, "limit: This month's limit of 4.0"));

  /* Below 80 % again: it will be told anew. */
  g_string_truncate (node.warnings, 0);
  set_amount (&node, EXO_LIMIT_MONTHLY_CAP, 10 * CAP);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_EQUAL (node.warnings->len, 0);
  CU_ASSERT_TRUE (state_of (&node).month_bytes >= engine_lab.unique);
  CU_ASSERT_TRUE (state_of (&node).month_bytes < engine_lab.unique + OVER);
  set_amount (&node, EXO_LIMIT_MONTHLY_CAP, engine_lab.unique + OVER);
  lab_turn (100);
  CU_ASSERT_PTR_NOT_NULL (strstr (node.warnings->str, "more than 80 %"));
  lab_node_close (&node);
}

static void
the_month_and_what_was_set_survive_a_restart (void)
{
  LabNode node;
  ExoLimitsState state;
  guint64 bytes;

  lab_node_open (&node, "one", NULL);
  lab_wait (is_restored, &node);
  set_amount (&node, EXO_LIMIT_MONTHLY_CAP, engine_lab.unique);
  set_amount (&node, EXO_LIMIT_HUB_CONNECTIONS, 3);
  set_hours (&node, "00:00-12:00,12:00-24:00");
  lab_wait_state (lab_node_pull (&node, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  bytes = state_of (&node).month_bytes;
  lab_turn (100);
  CU_ASSERT_PTR_NOT_NULL (strstr (node.warnings->str, "is reached"));
  CU_ASSERT_TRUE (bytes >= engine_lab.unique);
  lab_node_stop (&node);
  g_string_truncate (node.warnings, 0);
  node.n_restored = 0;
  lab_node_start (&node, NULL);
  lab_wait (is_restored, &node);
  lab_turn (100);
  state = state_of (&node);
  CU_ASSERT_EQUAL (state.month_bytes, bytes);
  CU_ASSERT_EQUAL (state.wait, EXO_HUB_WAIT_CAP);
  CU_ASSERT_STRING_EQUAL (node.warnings->str, ""); /* that was told */
  CU_ASSERT_EQUAL (state.limits.amounts[EXO_LIMIT_HUB_CONNECTIONS], 3);
  CU_ASSERT_EQUAL (state.limits.hours.n, 2);
  CU_ASSERT_EQUAL (state.set, 1u << EXO_LIMIT_MONTHLY_CAP | 1u << EXO_LIMIT_HUB_CONNECTIONS |
                                  1u << EXO_LIMIT_HUB_HOURS);
  CU_ASSERT_TRUE (exo_engine_reset_limits (node.engine, 1u << EXO_LIMIT_MONTHLY_CAP, NULL));
  CU_ASSERT_EQUAL (state_of (&node).wait, EXO_HUB_WAIT_NONE);
  CU_ASSERT_EQUAL (state_of (&node).set,
                   1u << EXO_LIMIT_HUB_CONNECTIONS | 1u << EXO_LIMIT_HUB_HOURS);
  CU_ASSERT_TRUE (exo_engine_reset_limits (node.engine, EXO_LIMIT_ALL, NULL));
  CU_ASSERT_EQUAL (state_of (&node).limits.hours.n, 0);
  lab_node_close (&node);
}

static void
other_months_do_not_count (void)
{
  LabNode node;

  lab_node_open (&node, "one", NULL);
  exo_store_set_counter (node.engine->store, "from-hub 2020-01", 7 * CAP);
  set_amount (&node, EXO_LIMIT_MONTHLY_CAP, CAP);
  lab_node_stop (&node);
  lab_node_start (&node, NULL);
  CU_ASSERT_EQUAL (state_of (&node).month_bytes, 0);
  CU_ASSERT_EQUAL (state_of (&node).wait, EXO_HUB_WAIT_NONE);
  lab_node_close (&node);
}

static void
outside_its_hours_the_hub_gives_nothing_but_neighbours_do (void)
{
  LabNode one, two;
  ExoTransfer *transfer;
  g_autofree char *closed = NULL, *open = NULL;

  set_local_time (12, 0, 0);
  lab_node_open (&two, "two", NULL);
  lab_wait_state (lab_node_pull (&two, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  stand_in_reset (engine_lab.hub);

  lab_node_open (&one, "one", NULL);
  open = card_of (&one);
  set_hours (&one, "22:00-07:00");
  closed = card_of (&one);
  CU_ASSERT_PTR_NOT_NULL (strstr (open, "\"hub\":true"));
  CU_ASSERT_PTR_NOT_NULL (strstr (closed, "\"hub\":false"));
  transfer = lab_node_pull (&one, LAB_MODEL);
  lab_wait (may_ask_the_hub, &one);
  lab_turn (100);
  CU_ASSERT_TRUE (flies_nothing (&one));
  CU_ASSERT_EQUAL (lab_state (transfer), EXO_TRANSFER_TRANSFERRING);
  CU_ASSERT_PTR_NOT_NULL (strstr (exo_limiter_why (one.engine->limiter), "22:00"));

  lab_node_stop (&one);
  lab_node_start (&one, &two);
  transfer = lab_node_pull (&one, LAB_MODEL);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&one));
  CU_ASSERT_EQUAL (stand_in_bytes (engine_lab.hub), 0);
  lab_node_close (&one);
  lab_node_close (&two);
}

static void
when_the_hour_comes_it_goes_on_by_itself (void)
{
  LabNode node;
  ExoTransfer *transfer;

  lab_node_open (&node, "one", NULL);
  set_local_time (21, 59, 59);
  set_hours (&node, "22:00-07:00");
  transfer = lab_node_pull (&node, LAB_MODEL);
  lab_wait (is_open, &node);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  lab_node_close (&node);
}

/* What is over is what is under way, too. */
static void
when_the_hour_ends_what_comes_from_the_hub_ends (void)
{
  LabNode node;
  ExoTransfer *transfer;

  set_local_time (12, 0, 0);
  lab_node_open (&node, "one", NULL);
  set_amount (&node, EXO_LIMIT_HUB_RATE, 1000000);
  transfer = lab_node_pull (&node, LAB_MODEL);
  lab_wait (may_ask_the_hub, &node);
  while (flies_nothing (&node))
    lab_turn (1);
  set_hours (&node, "22:00-07:00");
  lab_wait (flies_nothing, &node);
  set_amount (&node, EXO_LIMIT_HUB_RATE, 0);
  set_hours (&node, "07:00-22:00");
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  lab_node_close (&node);
}

static void
a_damaged_file_of_limits_is_no_limit (void)
{
  static const char *const texts[] = {
    "",
    "nonsense",
    "[]",
    "{\"hub-hours\":5}",
    "{\"monthly-cap\":\"1\"}",
    "{\"monthly-cap\":-1}",
    "{\"hub-connections\":65}",
    "{\"hub-hours\":\"24:00-25:00\"}",
  };
  LabNode node;
  g_autofree char *path = NULL;

  lab_node_open (&node, "one", NULL);
  path = g_build_filename (node.state, "limits.json", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      lab_node_stop (&node);
      CU_ASSERT_TRUE (g_file_set_contents (path, texts[i], -1, NULL));
      lab_node_start (&node, NULL);
      CU_ASSERT_EQUAL (state_of (&node).set, 0);
    }
  lab_node_close (&node);
}

static CU_TestInfo tests[] = {
  TEST (a_cap_stops_what_comes_and_raised_it_goes_on),
  TEST (the_month_and_what_was_set_survive_a_restart),
  TEST (other_months_do_not_count),
  TEST (outside_its_hours_the_hub_gives_nothing_but_neighbours_do),
  TEST (when_the_hour_comes_it_goes_on_by_itself),
  TEST (when_the_hour_ends_what_comes_from_the_hub_ends),
  TEST (a_damaged_file_of_limits_is_no_limit),
  CU_TEST_INFO_NULL,
};

int
main (void)
{
  int result;

  engine_lab_open ();
  result = exo_suite_run ("limiter", tests);
  engine_lab_close ();
  return result;
}
