/* test-exo-work.c - what exo on a machine is at
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/suite.h"
#include "transfer/error.h"
#include "transfer/exo-work.h"

/* Shapes of 2026: tagged, camel case. Machine "me" has runner r1, "you" r2. */
#define INSTANCE(model, nodes)                                                                     \
  "{\"MlxRingInstance\":{\"instanceId\":\"i\",\"shardAssignments\":{\"modelId\":\"" model          \
  "\",\"runnerToShard\":{},\"nodeToRunner\":{" nodes "}},\"hostsByNode\":{}}}"
#define BOTH          "\"me\":\"r1\",\"you\":\"r2\""
#define STATE(i, r)   "{\"instances\":{" i "},\"runners\":{" r "},\"lastEventAppliedIdx\":7}"
#define MINE(status)  STATE ("\"i1\":" INSTANCE ("org/a", BOTH), "\"r1\":" status)
#define DOWN(node, s) "{\"instances\":{},\"runners\":{},\"downloads\":{\"" node "\":[" s "]}}"

/* And of 2025. */
#define OLD(status)                                                                                \
  "{\"instances\":{\"i1\":{\"instance_id\":\"i1\",\"shard_assignments\":{\"model_id\":\"org/"      \
  "a\",\"node_to_runner\":{" BOTH "}}}},\"runners\":{\"r1\":{\"runner_status\":\"" status "\"}}}"

static void
a_state_is_one_word (void)
{
  const struct
  {
    const char *text, *own_id, *state, *models;
  } rows[] = {
    { STATE ("", ""), "me", "idle", "" },
    { "{\"instances\":{}}", "me", "idle", "" },
    { "{\"runners\":{}}", "me", "idle", "" },
    { MINE ("{\"RunnerIdle\":{}}"), "me", "loading", "org/a" },
    { MINE ("{\"RunnerConnecting\":{}}"), "me", "loading", "org/a" },
    { MINE ("{\"RunnerLoading\":{\"layersLoaded\":3,\"totalLayers\":16}}"), "me", "loading",
      "org/a" },
    { MINE ("{\"RunnerLoaded\":{}}"), "me", "loading", "org/a" },
    { MINE ("{\"RunnerWarmingUp\":{}}"), "me", "loading", "org/a" },
    { MINE ("{\"RunnerReady\":{\"prefillServerPort\":null}}"), "me", "ready", "org/a" },
    { MINE ("{\"RunnerRunning\":{}}"), "me", "running", "org/a" },
    { MINE ("{\"RunnerFailed\":{\"errorMessage\":\"x\"}}"), "me", "failed", "org/a" },
    { MINE ("{\"RunnerShutdown\":{}}"), "me", "idle", "org/a" },
    { MINE ("{\"RunnerOfTheFuture\":{}}"), "me", "idle", "org/a" },
    { MINE ("{\"RunnerReady\":{},\"more\":1}"), "me", "idle", "org/a" },
    { MINE ("7"), "me", "idle", "org/a" },
    { OLD ("Downloading"), "me", "downloading", "org/a" },
    { OLD ("Inactive"), "me", "idle", "org/a" },
    { OLD ("Starting"), "me", "loading", "org/a" },
    { OLD ("Loaded"), "me", "ready", "org/a" },
    { OLD ("Running"), "me", "running", "org/a" },
    { OLD ("Failed"), "me", "failed", "org/a" },
    { DOWN ("me", "{\"DownloadCompleted\":{}},{\"DownloadOngoing\":{}}"), "me", "downloading", "" },
    { DOWN ("you", "{\"DownloadOngoing\":{}}"), "me", "idle", "" },
    { DOWN ("you", "{\"DownloadOngoing\":{}}"), NULL, "downloading", "" },
    { DOWN ("me", "3,{\"DownloadPending\":{}}"), "me", "idle", "" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (ExoWork) work =
          exo_work_parse (rows[i].text, strlen (rows[i].text), rows[i].own_id, &error);
      g_autofree char *models = NULL;

      CU_ASSERT_PTR_NOT_NULL_FATAL (work);
      CU_ASSERT_PTR_NULL (error);
      models = g_strjoinv (" ", work->models);
      if (strcmp (work->state, rows[i].state) != 0)
        g_printerr ("row %" G_GSIZE_FORMAT ": %s\n", i, work->state);
      CU_ASSERT_STRING_EQUAL (work->state, rows[i].state);
      CU_ASSERT_STRING_EQUAL (models, rows[i].models);
    }
}

#define TWO                                                                                        \
  STATE (                                                                                          \
      "\"i1\":" INSTANCE ("org/a", "\"me\":\"r1\"") ",\"i2\":" INSTANCE (                          \
          "org/b", "\"you\":\"r2\"") ",\"i3\":" INSTANCE ("org/a", "\"me\":\"r3\""),               \
      "\"r1\":{\"RunnerReady\":{}},\"r2\":{\"RunnerLoading\":{}},\"r3\":{\"RunnerRunning\":{}}")

static void
only_what_is_on_this_machine_counts (void)
{
  g_autoptr (ExoWork) mine = exo_work_parse (TWO, strlen (TWO), "me", NULL);
  g_autoptr (ExoWork) of_all = exo_work_parse (TWO, strlen (TWO), NULL, NULL);
  g_autoptr (ExoWork) nobodys = exo_work_parse (TWO, strlen (TWO), "they", NULL);

  CU_ASSERT_STRING_EQUAL (mine->state, "running");
  CU_ASSERT_EQUAL (g_strv_length (mine->models), 1);
  CU_ASSERT_STRING_EQUAL (mine->models[0], "org/a");
  CU_ASSERT_STRING_EQUAL (of_all->state, "loading");
  CU_ASSERT_EQUAL (g_strv_length (of_all->models), 2);
  CU_ASSERT_STRING_EQUAL (nobodys->state, "idle");
  CU_ASSERT_EQUAL (g_strv_length (nobodys->models), 0);
}

static int
code_of (const char *text, gsize length)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoWork) work = exo_work_parse (text, length, "me", &error);

  CU_ASSERT_PTR_NULL (work);
  return error != NULL && error->domain == EXO_TRANSFER_ERROR ? error->code : -1;
}

static void
what_is_no_state_is_refused (void)
{
  const char *const rows[] = {
    "",
    "hello",
    "<html></html>",
    "[]",
    "[{\"instances\":{}}]",
    "{}",
    "{\"instances\":[]}",
    "{\"instances\":{}",
    "{\"runners\":7}",
    "{\"detail\":\"Not Found\"}",
    "{\"instances\":\"\xff\"}",
  };
  g_autoptr (GString) deep = g_string_new ("{\"instances\":{},\"x\":");
  g_autofree char *huge = g_malloc (EXO_WORK_BYTES_MAX + 1);
  g_autoptr (ExoWork) small = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    CU_ASSERT_EQUAL (code_of (rows[i], strlen (rows[i])), EXO_TRANSFER_ERROR_INVALID);

  for (guint i = 0; i < 1000000; i++)
    g_string_append_c (deep, '[');
  for (guint i = 0; i < 1000000; i++)
    g_string_append_c (deep, ']');
  g_string_append_c (deep, '}');
  CU_ASSERT_EQUAL (code_of (deep->str, deep->len), EXO_TRANSFER_ERROR_INVALID);

  memset (huge, ' ', EXO_WORK_BYTES_MAX + 1);
  memcpy (huge, "{\"runners\":{}}", 14);
  small = exo_work_parse (huge, 14, "me", NULL);
  CU_ASSERT_PTR_NOT_NULL (small);
  CU_ASSERT_EQUAL (code_of (huge, EXO_WORK_BYTES_MAX + 1), EXO_TRANSFER_ERROR_TOO_LARGE);
}

static void
names_of_models_are_bounded (void)
{
  g_autoptr (GString) text = g_string_new ("{\"instances\":{");
  g_autofree char *longest = g_strnfill (EXO_WORK_NAME_MAX, 'n');
  g_autoptr (ExoWork) work = NULL;

  g_string_append_printf (text, "\"a\":" INSTANCE ("%s", BOTH) ",", longest);
  g_string_append_printf (text, "\"b\":" INSTANCE ("%sx", BOTH), longest);
  for (guint i = 0; i < EXO_WORK_MODELS_MAX; i++)
    g_string_append_printf (text, ",\"%u\":" INSTANCE ("org/%u", BOTH), i, i);
  g_string_append (text, "}}");
  work = exo_work_parse (text->str, text->len, "me", NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (work);
  CU_ASSERT_EQUAL (g_strv_length (work->models), EXO_WORK_MODELS_MAX);
  CU_ASSERT_STRING_EQUAL (work->models[0], longest);
  CU_ASSERT_STRING_EQUAL (work->models[1], "org/0");
}

static void
an_id_is_a_string (void)
{
  const struct
  {
    const char *body, *id;
  } rows[] = {
    { "\"12D3Koo\"", "12D3Koo" },
    { " \"a\"\n", "a" },
    { "\"\"", NULL },
    { "", NULL },
    { "7", NULL },
    { "null", NULL },
    { "\"a\",\"b\"", NULL },
    { "\"a", NULL },
    { "{}", NULL },
    { "[\"a\"]", NULL },
    { "\"a\"],[\"b\"", NULL },
  };
  g_autofree char *longest = g_strnfill (254, 'i'), *full = g_strdup_printf ("\"%s\"", longest),
                  *over = g_strdup_printf ("\"%sx\"", longest), *id = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *found = exo_work_parse_id (rows[i].body, strlen (rows[i].body));

      CU_ASSERT_EQUAL (g_strcmp0 (found, rows[i].id), 0);
    }
  id = exo_work_parse_id (full, strlen (full));
  CU_ASSERT_STRING_EQUAL (id, longest);
  CU_ASSERT_PTR_NULL (exo_work_parse_id (over, strlen (over)));
  CU_ASSERT_PTR_NULL (exo_work_parse_id ("\"a\0b\"", 5));
}

static void
words_of_neighbours_are_plain (void)
{
  CU_ASSERT_TRUE (exo_work_is_state ("loading"));
  CU_ASSERT_TRUE (exo_work_is_state ("out-of-memory"));
  CU_ASSERT_FALSE (exo_work_is_state (""));
  CU_ASSERT_FALSE (exo_work_is_state ("\x1b[0m"));
  CU_ASSERT_FALSE (exo_work_is_state ("Ready"));
  CU_ASSERT_TRUE (exo_work_is_state ("aaaaaaaaaaaaaaaa"));
  CU_ASSERT_FALSE (exo_work_is_state ("aaaaaaaaaaaaaaaaa"));
}

EXO_SUITE ("exo-work",
           TEST (a_state_is_one_word),
           TEST (only_what_is_on_this_machine_counts),
           TEST (what_is_no_state_is_refused),
           TEST (names_of_models_are_bounded),
           TEST (an_id_is_a_string),
           TEST (words_of_neighbours_are_plain))
