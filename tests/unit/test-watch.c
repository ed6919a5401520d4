/* test-watch.c - warnings of trouble with the Hub and the network
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/engine-lab.h"
#include "tests/unit/script-server.h"
#include "tests/unit/suite.h"
#include "transfer/engine-private.h"
#include "transfer/swarm/session-private.h"
#include "transfer/swarm/swarm-private.h"

#define PEER_ID "000000000000000000000000000000ff"

/* As the tick sees it over some minutes. */
static void
watch_for_minutes (LabNode *node)
{
  gint64 now_us = g_get_monotonic_time ();

  for (guint i = 0; i < 10; i++)
    exo_engine_watch (node->engine, now_us + i * EXO_TROUBLE_WELL_US / 2);
  lab_turn (100);
}

static guint
n_warnings (LabNode *node, const char *start)
{
  guint n = 0;

  for (const char *at = node->warnings->str; (at = strstr (at, start)) != NULL; at++)
    n++;
  return n;
}

static gboolean
hub_is_missed (gconstpointer data)
{
  ExoEngineTotals totals;

  exo_engine_get_totals (((const LabNode *) data)->engine, &totals);
  return !totals.hub_reachable;
}

static gboolean
was_warned (gconstpointer data)
{
  return ((const LabNode *) data)->warnings->len > 0;
}

static void
a_hub_out_of_reach_is_told_once (void)
{
  LabNode node;

  lab_node_open (&node, "one", NULL);
  watch_for_minutes (&node);
  CU_ASSERT_STRING_EQUAL (node.warnings->str, "");
  stand_in_down (engine_lab.hub);
  lab_node_pull (&node, LAB_MODEL);
  lab_wait (hub_is_missed, &node);
  /* Since long ago, as the engine itself notices. */
  node.engine->hub_trouble.last_us = g_get_monotonic_time ();
  node.engine->hub_trouble.since_us = node.engine->hub_trouble.last_us - EXO_TROUBLE_LONG_US;
  lab_wait (was_warned, &node);
  watch_for_minutes (&node);
  CU_ASSERT_EQUAL (n_warnings (&node, "hub: The Hub at "), 1);
  CU_ASSERT_EQUAL (n_warnings (&node, "cannot be reached"), 1);
  lab_node_close (&node);
}

static gboolean
is_unreachable (gconstpointer data)
{
  ExoNeighbour *neighbour = exo_swarm_neighbour (((const LabNode *) data)->engine->swarm, PEER_ID);

  return strcmp (exo_neighbour_state (neighbour), "unreachable") == 0;
}

static void
hang_up (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  reply->end = SCRIPT_RESET;
}

static void
a_neighbour_that_does_not_answer_is_named_once (void)
{
  static const ExoSessionTimes times = { 1, 1, 4000, 3 * G_USEC_PER_SEC, 4000, 1 };
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (g_object_unref);
  ScriptServer *server = script_server_new (hang_up, NULL);
  LabNode node;

  lab_node_open (&node, "one", NULL);
  stand_in_faults (engine_lab.hub, LAB_SILENT_CDN);
  g_ptr_array_add (
      addresses, g_inet_socket_address_new_from_string ("127.0.0.1", script_server_port (server)));
  exo_engine_peer_seen (node.engine, PEER_ID, "behind-a-wall", addresses);
  exo_session_set_times (exo_swarm_neighbour (node.engine->swarm, PEER_ID)->session, &times);
  lab_node_pull (&node, LAB_MODEL);
  lab_wait (is_unreachable, &node);
  watch_for_minutes (&node);
  CU_ASSERT_EQUAL (
      n_warnings (&node, "network: These neighbours are there and do not answer: behind-a-wall."),
      1);
  lab_node_close (&node);
  script_server_free (server);
}

int
main (void)
{
  CU_TestInfo tests[] = { TEST (a_hub_out_of_reach_is_told_once),
                          TEST (a_neighbour_that_does_not_answer_is_named_once),
                          CU_TEST_INFO_NULL };
  int result;

  engine_lab_open ();
  result = exo_suite_run ("watch", tests);
  engine_lab_close ();
  return result;
}
