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
meet (LabNode *node, ScriptServer *server)
{
  static const ExoSessionTimes times = { 1, 1, 4000, 3 * G_USEC_PER_SEC };
  ExoSwarm *swarm = node->engine->swarm;
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (g_object_unref);

  g_ptr_array_add (
      addresses, g_inet_socket_address_new_from_string ("127.0.0.1", script_server_port (server)));
  exo_swarm_peer_seen (swarm, NONSENSE_ID, "nonsense", addresses);
  exo_session_set_times (exo_swarm_neighbour (swarm, NONSENSE_ID)->session, &times);
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

int
main (void)
{
  CU_TestInfo tests[] = { TEST (who_talks_nonsense_is_named_once_and_not_waited_for),
                          TEST (who_breaks_off_time_after_time_is_not_waited_for),
                          CU_TEST_INFO_NULL };
  int result;

  engine_lab_open ();
  result = exo_suite_run ("swarm", tests);
  engine_lab_close ();
  return result;
}
