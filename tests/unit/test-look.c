/* test-look.c - what exo is at, here and on the neighbours
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/engine-lab.h"
#include "tests/unit/script-server.h"
#include "tests/unit/suite.h"
#include "transfer/engine-private.h"

#define SECRET "org/nobodys-business"

/* exo, as told. Its thread reads what the main one writes: both under the lock. */
typedef struct
{
  GMutex lock;
  const char *status; /* of its runner */
  const char *state;  /* (nullable): instead of all that */
  ScriptEnd end;
} Exo;

static Exo exo;

static void
answer (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&exo.lock);
  g_autofree char *body = NULL;

  if (strcmp (request->path, "/node_id") == 0)
    body = g_strdup ("\"me\"");
  else if (exo.state != NULL)
    body = g_strdup (exo.state);
  else
    body = g_strdup_printf ("{\"instances\":{\"i\":{\"MlxRingInstance\":{\"shardAssignments\":{"
                            "\"modelId\":\"" SECRET "\",\"nodeToRunner\":{\"me\":\"r\"}}}}},"
                            "\"runners\":{\"r\":{\"%s\":{}}}}",
                            exo.status);
  if (exo.end != SCRIPT_STALL)
    script_reply_printf (reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen (body),
                         body);
  reply->end = exo.end;
}

static ScriptServer *
start_exo (void)
{
  ScriptServer *server = script_server_new (answer, NULL);

  exo.status = "RunnerLoading";
  exo.state = NULL;
  exo.end = SCRIPT_CLOSE;
  engine_lab.exo_port = (guint16) script_server_port (server);
  return server;
}

static void
set_exo (const char *status, const char *state, ScriptEnd end)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&exo.lock);

  exo.status = status;
  exo.state = state;
  exo.end = end;
}

static void
on_looked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  exo_engine_look_finish (EXO_ENGINE (source), result);
  ++*(guint *) user_data;
}

static gboolean
is_two (gconstpointer n)
{
  return *(const guint *) n == 2;
}

/* Twice at once: both are answered. */
static void
look (LabNode *node)
{
  guint n = 0;

  exo_engine_look_async (node->engine, on_looked, &n);
  exo_engine_look_async (node->engine, on_looked, &n);
  lab_wait (is_two, &n);
}

/* The last of them: a neighbour, if there is one. */
static ExoNodeInfo
last_node (LabNode *node)
{
  g_autoptr (GPtrArray) nodes = exo_engine_nodes (node->engine);
  ExoNodeInfo info;

  exo_node_get_info (g_ptr_array_index (nodes, nodes->len - 1), &info);
  return info;
}

static void
exo_of_this_machine_is_asked (void)
{
  ScriptServer *server = start_exo ();
  LabNode node;

  lab_node_open (&node, "one", NULL);
  CU_ASSERT_STRING_EQUAL (last_node (&node).exo_state, "");
  CU_ASSERT_EQUAL (script_server_n_requests (server), 0);
  look (&node);
  CU_ASSERT_STRING_EQUAL (last_node (&node).exo_state, "loading");
  CU_ASSERT_STRING_EQUAL (last_node (&node).exo_models[0], SECRET);
  CU_ASSERT_EQUAL (script_server_n_requests (server), 2);
  lab_node_close (&node);
  script_server_free (server);
}

static void
what_was_asked_just_now_is_not_asked_again (void)
{
  ScriptServer *server = start_exo ();
  LabNode node;

  lab_node_open (&node, "one", NULL);
  exo_look_set_fresh (node.engine->look, G_TIME_SPAN_DAY);
  look (&node);
  set_exo ("RunnerReady", NULL, SCRIPT_CLOSE);
  look (&node);
  CU_ASSERT_STRING_EQUAL (last_node (&node).exo_state, "loading");
  CU_ASSERT_EQUAL (script_server_n_requests (server), 2);
  exo_look_set_fresh (node.engine->look, 0);
  look (&node);
  CU_ASSERT_STRING_EQUAL (last_node (&node).exo_state, "ready");
  lab_node_close (&node);
  script_server_free (server);
}

static void
what_cannot_be_understood_is_unknown (void)
{
  g_autoptr (GString) deep = g_string_new ("{\"instances\":{},\"x\":");
  ScriptServer *server = start_exo ();
  LabNode node;

  for (guint i = 0; i < 100000; i++)
    g_string_append_c (deep, '[');
  lab_node_open (&node, "one", NULL);
  exo_look_set_fresh (node.engine->look, 0);
  set_exo (NULL, "<html>another program</html>", SCRIPT_CLOSE);
  look (&node);
  CU_ASSERT_STRING_EQUAL (last_node (&node).exo_state, "unknown");
  set_exo ("RunnerRunning", NULL, SCRIPT_CLOSE);
  look (&node);
  CU_ASSERT_STRING_EQUAL (last_node (&node).exo_state, "running");
  set_exo (NULL, deep->str, SCRIPT_CLOSE);
  look (&node);
  CU_ASSERT_STRING_EQUAL (last_node (&node).exo_state, "unknown");
  CU_ASSERT_PTR_NULL (last_node (&node).exo_models[0]);
  lab_node_close (&node);
  script_server_free (server);
}

static void
nobody_waits_for_one_that_does_not_answer (void)
{
  ScriptServer *server = start_exo ();
  LabNode node;

  lab_node_open (&node, "one", NULL);
  set_exo (NULL, "", SCRIPT_STALL);
  look (&node);
  CU_ASSERT_STRING_EQUAL (last_node (&node).exo_state, "unknown");
  lab_node_close (&node);
  script_server_free (server);
}

static void
exo_may_be_absent_or_not_wanted (void)
{
  ScriptServer *server = start_exo ();
  LabNode node;

  script_server_free (server); /* its port is nobody's now */
  lab_node_open (&node, "one", NULL);
  look (&node);
  CU_ASSERT_STRING_EQUAL (last_node (&node).exo_state, "absent");
  lab_node_close (&node);

  engine_lab.exo_port = 0;
  lab_node_open (&node, "one", NULL);
  look (&node);
  CU_ASSERT_STRING_EQUAL (last_node (&node).exo_state, "");
  lab_node_close (&node);
}

static gboolean
has_neighbour (gconstpointer data)
{
  g_autoptr (GPtrArray) nodes = exo_engine_nodes (((const LabNode *) data)->engine);

  return nodes->len == 2;
}

static void
on_card (ExoFetch *fetch, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  *(GBytes **) user_data = result->body != NULL ? g_bytes_ref (result->body) : g_bytes_new ("", 0);
}

static gboolean
is_set (gconstpointer data)
{
  return *(GBytes *const *) data != NULL;
}

/* (transfer full) */
static char *
card_of (LabNode *node)
{
  static const ExoFetchCallbacks callbacks = { .done = on_card };
  g_autofree char *url =
      g_strdup_printf ("http://127.0.0.1:%u/v1/node", exo_engine_port (node->engine));
  g_autoptr (GBytes) body = NULL;

  exo_fetcher_start (node->engine->fetcher,
                     &(ExoFetchRequest){ .mode = EXO_FETCH_TO_MEMORY,
                                         .method = "GET",
                                         .url = url,
                                         .lan = TRUE,
                                         .max_body = 65536 },
                     &callbacks, &body);
  lab_wait (is_set, &body);
  return g_strndup (g_bytes_get_data (body, NULL), g_bytes_get_size (body));
}

static void
neighbours_learn_the_word_and_no_names (void)
{
  ScriptServer *server = start_exo ();
  LabNode with, without;
  g_autofree char *card = NULL, *other = NULL;

  lab_node_open (&with, "one", NULL);
  exo_look_set_fresh (with.engine->look, 0);
  engine_lab.exo_port = 0;
  lab_node_open (&without, "two", &with);
  exo_look_set_fresh (without.engine->look, 0);
  lab_wait (has_neighbour, &without);

  look (&without);
  CU_ASSERT_STRING_EQUAL (last_node (&without).exo_state, "loading");
  CU_ASSERT_PTR_NULL (last_node (&without).exo_models[0]);
  set_exo ("RunnerReady", NULL, SCRIPT_CLOSE);
  look (&without);
  CU_ASSERT_STRING_EQUAL (last_node (&without).exo_state, "ready");
  card = card_of (&with);
  CU_ASSERT_PTR_NOT_NULL (strstr (card, "\"exo\":\"ready\""));
  CU_ASSERT_PTR_NULL (strstr (card, SECRET));
  other = card_of (&without);
  CU_ASSERT_PTR_NOT_NULL (strstr (other, "\"id\""));
  CU_ASSERT_PTR_NULL (strstr (other, "\"exo\""));

  lab_node_close (&without);
  lab_node_close (&with);
  script_server_free (server);
}

static void
stopping_in_the_midst_leaves_nobody_waiting (void)
{
  ScriptServer *server = start_exo ();
  LabNode node;
  guint n = 0;

  lab_node_open (&node, "one", NULL);
  set_exo (NULL, "", SCRIPT_STALL);
  exo_engine_look_async (node.engine, on_looked, &n);
  exo_engine_look_async (node.engine, on_looked, &n);
  lab_node_stop (&node);
  lab_wait (is_two, &n);
  lab_node_close (&node);
  script_server_free (server);
}

int
main (void)
{
  CU_TestInfo tests[] = { TEST (exo_of_this_machine_is_asked),
                          TEST (what_was_asked_just_now_is_not_asked_again),
                          TEST (what_cannot_be_understood_is_unknown),
                          TEST (nobody_waits_for_one_that_does_not_answer),
                          TEST (exo_may_be_absent_or_not_wanted),
                          TEST (neighbours_learn_the_word_and_no_names),
                          TEST (stopping_in_the_midst_leaves_nobody_waiting),
                          CU_TEST_INFO_NULL };
  int result;

  engine_lab_open ();
  result = exo_suite_run ("look", tests);
  engine_lab_close ();
  return result;
}
