/* test-swarm.c - a whole engine and neighbours that are none
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

#define NONSENSE_ID "000000000000000000000000000000ff"

static void
nonsense (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  script_reply_printf (reply, "HTTP/1.1 200 OK\r\n\r\n{\"v\":1,\"id\":\"" NONSENSE_ID "\"}\n%s",
                       (const char *) user_data);
  reply->end = SCRIPT_CLOSE;
}

static void
meet_as (LabNode *node, ScriptServer *server, const char *id)
{
  static const ExoSessionTimes times = { 1, 1, 4000, 3 * G_USEC_PER_SEC, 4000, 1 };
  ExoSwarm *swarm = node->engine->swarm;
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (g_object_unref);

  g_ptr_array_add (
      addresses, g_inet_socket_address_new_from_string ("127.0.0.1", script_server_port (server)));
  exo_swarm_peer_seen (swarm, id, "nonsense", addresses);
  exo_session_set_times (exo_swarm_neighbour (swarm, id)->session, &times);
}

static void
meet (LabNode *node, ScriptServer *server)
{
  meet_as (node, server, NONSENSE_ID);
}

static gboolean
was_asked_often (gconstpointer server)
{
  return script_server_n_requests ((ScriptServer *) server) >= 5;
}

/* Held up until the neighbour was asked time and again: it does not make this node wait for it, and is complained about once. */
static void
who_talks_nonsense_is_named_once_and_not_waited_for (void)
{
  LabNode node;
  ScriptServer *server = script_server_new (nonsense, (gpointer) "nonsense\n");
  ExoTransfer *transfer;
  const char *named;

  lab_node_open (&node, "one", NULL);
  meet (&node, server);
  transfer = lab_pull_half (&node);
  lab_wait (was_asked_often, server);
  CU_ASSERT_TRUE (exo_transfer_pause (transfer, NULL));
  stand_in_faults (engine_lab.hub, NULL);
  CU_ASSERT_TRUE (exo_transfer_resume (transfer, NULL));
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  named = strstr (node.warnings->str, "peer: nonsense (http://127.0.0.1:");
  CU_ASSERT_PTR_NOT_NULL_FATAL (named);
  CU_ASSERT_PTR_NULL (strstr (named + 1, "peer: "));
  lab_node_close (&node);
  script_server_free (server);
}

/* It says nothing wrong, but again and again it is gone. */
static void
who_breaks_off_time_after_time_is_not_waited_for (void)
{
  LabNode node;
  ScriptServer *server = script_server_new (nonsense, (gpointer) "{}\n");
  ExoTransfer *transfer;

  lab_node_open (&node, "one", NULL);
  meet (&node, server);
  transfer = lab_node_pull (&node, LAB_MODEL);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  CU_ASSERT_STRING_EQUAL (node.warnings->str, "");
  lab_node_close (&node);
  script_server_free (server);
}

/* Until all have spoken that can be expected to, the Hub is left alone. */
static void
the_hub_is_not_asked_before_the_neighbours_were_heard (void)
{
  LabNode node;
  ExoSwarm *swarm;

  lab_node_open (&node, "one", NULL);
  swarm = node.engine->swarm;
  while (!swarm->settled)
    g_main_context_iteration (NULL, TRUE);
  CU_ASSERT_TRUE (exo_swarm_is_informed (swarm));
  swarm->settled = FALSE;
  CU_ASSERT_FALSE (exo_swarm_is_informed (swarm));
  swarm->settled = TRUE;
  swarm->isolated = TRUE;
  CU_ASSERT_FALSE (exo_swarm_is_informed (swarm));
  swarm->isolated = FALSE;
  swarm->asking = TRUE;
  CU_ASSERT_FALSE (exo_swarm_is_informed (swarm));
  swarm->asking = FALSE;
  exo_swarm_subscribe_soon (swarm); /* who has it was not even asked */
  CU_ASSERT_FALSE (exo_swarm_is_informed (swarm));
  while (swarm->subscribe_source != 0)
    g_main_context_iteration (NULL, TRUE);
  CU_ASSERT_TRUE (exo_swarm_is_informed (swarm));
  lab_node_close (&node);
}

static gboolean
hub_is_away (gconstpointer node)
{
  return !((const LabNode *) node)->engine->swarm->hub_reachable;
}

static gboolean
hub_is_there (gconstpointer node)
{
  return ((const LabNode *) node)->engine->swarm->hub_reachable;
}

/* Nothing is under way at the Hub, so nothing that is fetched tells that it is back. */
static void
a_hub_that_was_away_is_asked_until_it_answers (void)
{
  LabNode node;
  ExoTransfer *transfer;

  lab_node_open (&node, "one", NULL);
  transfer = lab_pull_half (&node);
  CU_ASSERT_TRUE (exo_transfer_pause (transfer, NULL));
  stand_in_down (engine_lab.hub);
  exo_engine_network_changed (node.engine);
  lab_wait (hub_is_away, &node);
  stand_in_reset (engine_lab.hub);
  CU_ASSERT_TRUE (exo_transfer_resume (transfer, NULL));
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  lab_node_close (&node);
}

static gboolean
may_use_the_hub (ExoSwarm *swarm)
{
  gboolean may = FALSE;
  GHashTableIter iter;
  ExoJob *job;

  g_hash_table_iter_init (&iter, swarm->jobs);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &job))
    may = may || job->hub_allowed;
  return may;
}

static gboolean
is_about_to_ask (gconstpointer swarm)
{
  return ((const ExoSwarm *) swarm)->subscribe_source != 0;
}

/* All neighbours are known in the moment in which what is pulled enters the plan. */
static void
who_is_just_known_is_asked_before_the_hub (void)
{
  LabNode node;
  ExoTransfer *transfer;
  ExoSwarm *swarm;

  lab_node_open (&node, "one", NULL);
  swarm = node.engine->swarm;
  while (!swarm->settled)
    g_main_context_iteration (NULL, TRUE);
  swarm->settled = FALSE;
  transfer = lab_node_pull (&node, LAB_MODEL);
  lab_wait (is_about_to_ask, swarm);
  exo_swarm_settled (swarm);
  CU_ASSERT_FALSE (may_use_the_hub (swarm));
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  lab_node_close (&node);
}

/* The neighbours have had the time that they get. */
static void
reach_deadline (ExoSwarm *swarm)
{
  guint was = swarm->informed_source;

  CU_ASSERT_NOT_EQUAL_FATAL (was, 0);
  g_source_set_ready_time (g_main_context_find_source_by_id (NULL, was), 0);
  while (swarm->informed_source == was)
    g_main_context_iteration (NULL, TRUE);
}

static void
who_is_cut_off_begins_nothing_at_the_hub (void)
{
  LabNode node;
  ExoTransfer *transfer;
  ExoSwarm *swarm;

  lab_node_open (&node, "one", NULL);
  swarm = node.engine->swarm;
  transfer = lab_pull_half (&node);
  CU_ASSERT_TRUE (may_use_the_hub (swarm));
  stand_in_down (engine_lab.hub);
  swarm->isolated = TRUE; /* as when the last neighbour falls silent */
  exo_swarm_gather (swarm);
  lab_wait (hub_is_away, &node);
  reach_deadline (swarm);
  CU_ASSERT_FALSE (may_use_the_hub (swarm));
  stand_in_reset (engine_lab.hub);
  lab_wait (hub_is_there, &node);
  CU_ASSERT_FALSE (may_use_the_hub (swarm)); /* the neighbours are back in a moment */
  reach_deadline (swarm);
  CU_ASSERT_TRUE (may_use_the_hub (swarm)); /* or not */
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  lab_node_close (&node);
}

static void
say_nothing (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  reply->end = SCRIPT_STALL;
}

/* And nothing more is about to be asked of it. */
static gboolean
has_failed (gconstpointer data)
{
  const ExoNeighbour *neighbour = data;

  return exo_session_n_failures (neighbour->session) > 0 && neighbour->swarm->subscribe_source == 0;
}

static gboolean
was_asked (gconstpointer server)
{
  return script_server_n_requests ((ScriptServer *) server) > 0;
}

static void
who_has_not_spoken_yet_is_waited_for_and_who_cannot_be_reached_is_not (void)
{
  LabNode node;
  ScriptServer *server = script_server_new (say_nothing, NULL);
  ExoTransfer *transfer;

  lab_node_open (&node, "one", NULL);
  meet (&node, server);
  transfer = lab_node_pull (&node, LAB_MODEL);
  lab_wait (was_asked, server);
  lab_turn (100);
  CU_ASSERT_FALSE (exo_swarm_is_informed (node.engine->swarm));
  CU_ASSERT_EQUAL (lab_bytes_done (transfer), 0);
  script_server_free (server);
  lab_wait (has_failed, exo_swarm_neighbour (node.engine->swarm, NONSENSE_ID));
  CU_ASSERT_TRUE (exo_swarm_is_informed (node.engine->swarm));
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  lab_node_close (&node);
}

/* It has said what it wants. */
static gboolean
has_subscriber (gconstpointer data)
{
  g_autoptr (GPtrArray) nodes = exo_engine_nodes (((const LabNode *) data)->engine);

  return nodes->len == 2;
}

static gboolean
has_asked_for_all (gconstpointer data)
{
  const LabNode *node = data;
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (node->engine);
  const ExoTransfer *transfer = g_ptr_array_index (transfers, 0);

  return transfer->state == EXO_TRANSFER_TRANSFERRING && transfer->n_looking == 0 &&
         exo_swarm_is_informed (node->engine->swarm);
}

/* As exo would leave it there. */
static void
put_into_root (const char *root)
{
  g_autofree char *from = g_build_filename (engine_lab.folder, "hub-root", "models", LAB_MODEL,
                                            "main", NULL),
                  *to = g_build_filename (root, "org--name", NULL);

  const char *const words[] = { "cp", "-r", from, to, NULL };

  CU_ASSERT_EQUAL_FATAL (g_mkdir_with_parents (root, 0700), 0);
  CU_ASSERT_TRUE_FATAL (g_spawn_sync (NULL, (char **) words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
                                      NULL, NULL, NULL, NULL));
}

/* The Hub sends no bytes, and the neighbour had none when it was asked. */
static void
what_is_found_later_is_told_to_who_waits_for_it (void)
{
  g_autofree char *root = g_build_filename (engine_lab.folder, "models", NULL);
  const char *const roots[] = { root, NULL };
  LabNode one, two;
  ExoTransfer *transfer;

  engine_lab.roots = roots;
  lab_node_open (&one, "one", NULL);
  engine_lab.roots = NULL;
  lab_node_open (&two, "two", &one);
  stand_in_faults (engine_lab.hub, LAB_SILENT_CDN);
  transfer = lab_node_pull (&two, LAB_MODEL);
  lab_wait (has_subscriber, &one);
  lab_wait (has_asked_for_all, &two);
  put_into_root (root);
  one.engine->scanned_us = 1; /* long ago */
  exo_engine_scan_again (one.engine);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&two));
  lab_node_close (&two);
  lab_node_close (&one);
}

static void
know_nothing (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  script_reply_printf (reply, "HTTP/1.1 200 OK\r\n\r\n{\"v\":1,\"id\":\"%s\"}\n{}\n",
                       (const char *) user_data);
  reply->end = SCRIPT_STALL;
}

static gboolean
is_informed (gconstpointer swarm)
{
  return exo_swarm_is_informed ((ExoSwarm *) swarm);
}

/* Two more than are all heard: none of them has it, so each is asked, two at a time, and then left. */
static void
of_many_neighbours_strangers_are_asked_and_left (void)
{
  static const ExoCircleSizes sizes = { 2, 2, 1, 1, 2, 3 };
  static const char *const stranger_ids[] = { "000000000000000000000000000000e1",
                                              "000000000000000000000000000000e2",
                                              "000000000000000000000000000000e3",
                                              "000000000000000000000000000000e4" };
  ScriptServer *servers[G_N_ELEMENTS (stranger_ids)];
  LabNode node;
  ExoTransfer *transfer;

  lab_node_open (&node, "one", NULL);
  node.engine->swarm->circle = sizes;
  for (gsize i = 0; i < G_N_ELEMENTS (servers); i++)
    {
      servers[i] = script_server_new (know_nothing, (gpointer) stranger_ids[i]);
      meet_as (&node, servers[i], stranger_ids[i]);
    }
  transfer = lab_pull_half (&node);
  lab_wait (is_informed, node.engine->swarm);
  for (gsize i = 0; i < G_N_ELEMENTS (servers); i++)
    {
      const ExoNeighbour *stranger = exo_swarm_neighbour (node.engine->swarm, stranger_ids[i]);

      CU_ASSERT_TRUE (was_asked (servers[i])); /* anew when more is wanted */
      CU_ASSERT_EQUAL (stranger->kin, EXO_CIRCLE_STRANGER);
      CU_ASSERT_FALSE (exo_session_is_asking (stranger->session));
    }
  CU_ASSERT_TRUE (exo_transfer_pause (transfer, NULL));
  stand_in_faults (engine_lab.hub, NULL);
  CU_ASSERT_TRUE (exo_transfer_resume (transfer, NULL));
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  lab_node_close (&node);
  for (gsize i = 0; i < G_N_ELEMENTS (servers); i++)
    script_server_free (servers[i]);
}

/* Has all of whatever it is asked about, says so a moment after its greeting, and sends none of it. */
static void
have_all (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  g_autoptr (ExoWireHello) asked = NULL;
  g_autoptr (ExoWireBuilder) builder = exo_wire_builder_new ();
  g_autofree char *line = NULL;

  reply->end = SCRIPT_STALL;
  if (strcmp (request->method, "POST") != 0)
    return;
  asked = exo_wire_subscribe_parse (request->body, strlen (request->body), NULL);
  g_assert (asked != NULL);
  for (guint b = 0; b < asked->blobs->len; b++)
    {
      g_autoptr (ExoPieceMap) all =
          exo_piece_map_new (g_array_index (asked->blobs, ExoWireBlob, b).size);

      exo_piece_map_fill (all);
      exo_wire_builder_state (builder, b, FALSE, all);
    }
  line = exo_wire_builder_take (builder);
  script_reply_printf (reply, "HTTP/1.1 200 OK\r\n\r\n{\"v\":1,\"id\":\"" NONSENSE_ID "\"}\n");
  reply->pause_at = reply->bytes->len;
  script_reply_printf (reply, "%s\n", line);
}

static gboolean
may_ask_the_hub (gconstpointer data)
{
  const ExoSwarm *swarm = data;
  GHashTableIter iter;
  const ExoJob *job;

  g_hash_table_iter_init (&iter, swarm->jobs);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &job))
    if (!job->hub_allowed)
      return FALSE;
  return g_hash_table_size (swarm->jobs) > 0;
}

/* More is wanted, so it is asked anew: until it has answered, what it said before is true. */
static void
what_a_neighbour_has_is_not_forgotten_while_it_says_so_anew (void)
{
  LabNode node;
  ScriptServer *server = script_server_new (have_all, NULL);
  guint n;

  engine_lab_put ("org/other", "a.txt", "wanted, too\n");
  lab_node_open (&node, "one", NULL);
  meet (&node, server);
  stand_in_reset (engine_lab.hub);
  lab_node_pull (&node, LAB_MODEL);
  lab_wait (has_asked_for_all, &node);
  lab_wait (may_ask_the_hub, node.engine->swarm);
  n = g_hash_table_size (node.engine->swarm->jobs);
  lab_node_pull (&node, "org/other");
  while (g_hash_table_size (node.engine->swarm->jobs) == n)
    g_main_context_iteration (NULL, TRUE);
  lab_wait (may_ask_the_hub, node.engine->swarm);
  CU_ASSERT_EQUAL (stand_in_bytes (engine_lab.hub), 0);
  lab_node_close (&node);
  script_server_free (server);
}

static void
introduce (LabNode *node, const LabNode *other)
{
  const ExoSwarm *swarm = other->engine->swarm;
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (g_object_unref);

  g_ptr_array_add (addresses, g_inet_socket_address_new_from_string (
                                  "127.0.0.1", exo_lan_server_port (swarm->server)));
  exo_swarm_peer_seen (node->engine->swarm, swarm->node_id, swarm->node_name, addresses);
}

static guint
count_heard (const LabNode *node)
{
  g_autoptr (GPtrArray) neighbours = exo_swarm_neighbours (node->engine->swarm);
  guint n = 0;

  for (guint i = 0; i < neighbours->len; i++)
    n += (guint) ((const ExoNeighbour *) g_ptr_array_index (neighbours, i))->chosen;
  return n;
}

/* It wants all, and knows whom to hear. */
static gboolean
has_asked_around (gconstpointer data)
{
  const LabNode *node = data;
  const ExoSwarm *swarm = node->engine->swarm;
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (node->engine);
  const ExoTransfer *transfer = g_ptr_array_index (transfers, 0);

  return transfer->state == EXO_TRANSFER_TRANSFERRING && transfer->n_looking == 0 &&
         !swarm->asking && swarm->subscribe_source == 0 && swarm->choose_source == 0;
}

static int
compare_numbers (const void *a, const void *b)
{
  guint64 x = *(const guint64 *) a, y = *(const guint64 *) b;

  return (x > y) - (x < y);
}

/* Two of the six ask the Hub, the others hear one of them and one more: still all have all, and it came from the Hub once. */
static void
of_many_neighbours_some_are_enough (void)
{
  static const ExoCircleSizes sizes = { 2, 2, 1, 1, 2, 4 };
  LabNode nodes[6];
  ExoTransfer *transfers[G_N_ELEMENTS (nodes)];
  guint64 from_hub[G_N_ELEMENTS (nodes)], all = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (nodes); i++)
    {
      g_autofree char *name = g_strdup_printf ("many%zu", i);

      lab_node_open (&nodes[i], name, NULL);
      nodes[i].engine->swarm->circle = sizes;
      while (!nodes[i].engine->swarm->settled)
        g_main_context_iteration (NULL, TRUE);
      nodes[i].engine->swarm->settled = FALSE; /* nobody asks the Hub before all are there */
    }
  for (gsize i = 0; i < G_N_ELEMENTS (nodes); i++)
    for (gsize k = 0; k < G_N_ELEMENTS (nodes); k++)
      if (i != k)
        introduce (&nodes[i], &nodes[k]);
  for (gsize i = 0; i < G_N_ELEMENTS (nodes); i++)
    transfers[i] = lab_node_pull (&nodes[i], LAB_MODEL);
  for (gsize i = 0; i < G_N_ELEMENTS (nodes); i++)
    lab_wait (has_asked_around, &nodes[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (nodes); i++)
    exo_swarm_settled (nodes[i].engine->swarm);
  for (gsize i = 0; i < G_N_ELEMENTS (nodes); i++)
    lab_wait_state (transfers[i], EXO_TRANSFER_COMPLETE);
  for (gsize i = 0; i < G_N_ELEMENTS (nodes); i++)
    {
      CU_ASSERT_TRUE (lab_node_is_whole (&nodes[i]));
      CU_ASSERT_TRUE (count_heard (&nodes[i]) <= 4);
      from_hub[i] = exo_swarm_bytes_from_hub (nodes[i].engine->swarm);
      all += from_hub[i];
    }
  CU_ASSERT_TRUE (all < engine_lab.unique * 3 / 2);
  /* What others take is left over when the two are ready, or gone: little. */
  qsort (from_hub, G_N_ELEMENTS (nodes), sizeof from_hub[0], compare_numbers);
  CU_ASSERT_TRUE (all - from_hub[G_N_ELEMENTS (nodes) - 1] - from_hub[G_N_ELEMENTS (nodes) - 2] <=
                  engine_lab.unique / 4);
  for (gsize i = 0; i < G_N_ELEMENTS (nodes); i++)
    lab_node_close (&nodes[i]);
}

/* Of two that thought more of each other than of themselves neither would ask the Hub. */
static void
what_is_told_of_the_hub_is_what_this_node_goes_by (void)
{
  LabNode node;
  ExoSwarm *swarm;
  g_autoptr (ExoWireHello) at_first = NULL;
  g_autoptr (ExoWireHello) later = NULL;
  gint64 now_us;

  lab_node_open (&node, "one", NULL);
  swarm = node.engine->swarm;
  lab_wait_state (lab_node_pull (&node, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  at_first = exo_swarm_subscription (swarm);
  CU_ASSERT_EQUAL (at_first->hub_rate, exo_rates_of_hub (swarm));
  now_us = g_get_monotonic_time ();
  exo_pace_forget (&swarm->hub_pace, now_us);
  exo_pace_begin (&swarm->hub_pace, now_us);
  exo_pace_add (&swarm->hub_pace, 6000000, now_us + 2 * G_USEC_PER_SEC);
  exo_pace_end (&swarm->hub_pace, now_us + 2 * G_USEC_PER_SEC);
  later = exo_swarm_subscription (swarm);
  CU_ASSERT_EQUAL (later->hub_rate, 3000000);
  CU_ASSERT_EQUAL (exo_rates_of_hub (swarm), 3000000);
  lab_node_close (&node);
}

int
main (void)
{
  CU_TestInfo tests[] = {
    TEST (who_talks_nonsense_is_named_once_and_not_waited_for),
    TEST (who_breaks_off_time_after_time_is_not_waited_for),
    TEST (the_hub_is_not_asked_before_the_neighbours_were_heard),
    TEST (who_is_just_known_is_asked_before_the_hub),
    TEST (a_hub_that_was_away_is_asked_until_it_answers),
    TEST (who_is_cut_off_begins_nothing_at_the_hub),
    TEST (who_has_not_spoken_yet_is_waited_for_and_who_cannot_be_reached_is_not),
    TEST (what_is_found_later_is_told_to_who_waits_for_it),
    TEST (what_a_neighbour_has_is_not_forgotten_while_it_says_so_anew),
    TEST (of_many_neighbours_strangers_are_asked_and_left),
    TEST (of_many_neighbours_some_are_enough),
    TEST (what_is_told_of_the_hub_is_what_this_node_goes_by),
    CU_TEST_INFO_NULL
  };
  int result;

  engine_lab_open ();
  result = exo_suite_run ("swarm", tests);
  engine_lab_close ();
  return result;
}
