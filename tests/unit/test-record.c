/* test-record.c - a transfer as the text that survives a restart
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The text lies in a file that a crash, a full disk or another version of the agent may have left.
 */

#include <string.h>

#include "tests/unit/suite.h"
#include "transfer/engine-private.h"

#define COMMIT   "0123456789abcdef0123456789abcdef01234567"
#define PREVIOUS "76543210fedcba9876543210fedcba9876543210"

/* What every version has written. */
#define IDENTITY                                                                                   \
  "\"id\":7,\"type\":\"dataset\",\"model\":\"org/name\",\"revision\":\"v1\","                      \
  "\"include\":[\"*.txt\"],\"exclude\":[]"

/* Neither started nor stopped: all that a transfer asks of it while it is written down. */
static ExoEngine engine;

static ExoTransfer *
new_transfer (void)
{
  const char *const includes[] = { "b*", "a\"\\\n/**", NULL }, *const excludes[] = { "\303\244",
                                                                                     NULL };

  return exo_transfer_new (&engine, 41, EXO_REPO_DATASET, "org/name.x", "refs/pr/1", includes,
                           excludes);
}

static ExoTransfer *
again (ExoTransfer *transfer)
{
  g_autofree char *json = exo_transfer_to_json (transfer);
  ExoTransfer *copy = exo_transfer_restore (&engine, json);

  CU_ASSERT_PTR_NOT_NULL_FATAL (copy);
  return copy;
}

static void
fill_in (ExoTransfer *transfer)
{
  transfer->commit = g_strdup (COMMIT);
  transfer->previous = g_strdup (PREVIOUS);
  transfer->last_total = G_GUINT64_CONSTANT (1) << 42;
  transfer->last_done = (G_GUINT64_CONSTANT (1) << 41) + 3;
  transfer->from_hub = G_GUINT64_CONSTANT (5) << 33;
  transfer->from_lan = G_GUINT64_CONSTANT (7) << 34;
  transfer->started_s = G_GINT64_CONSTANT (4102444800);
  transfer->finished_s = G_GINT64_CONSTANT (4102444999);
  transfer->unverified = TRUE;
  transfer->error = g_error_new_literal (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_SPACE,
                                         "no \"room\" in /\303\266\n");
  transfer->state = EXO_TRANSFER_FAILED;
}

static void
every_field_comes_back (void)
{
  g_autoptr (ExoTransfer) transfer = new_transfer (), copy = NULL;

  fill_in (transfer);
  copy = again (transfer);
  CU_ASSERT_EQUAL (copy->id, 41);
  CU_ASSERT_EQUAL (copy->type, EXO_REPO_DATASET);
  CU_ASSERT_STRING_EQUAL (copy->model, "org/name.x");
  CU_ASSERT_STRING_EQUAL (copy->revision, "refs/pr/1");
  CU_ASSERT_STRING_EQUAL (copy->commit, COMMIT);
  CU_ASSERT_STRING_EQUAL (copy->previous, PREVIOUS);
  CU_ASSERT_PTR_NULL (copy->asked);
  CU_ASSERT_TRUE (g_strv_equal ((const char *const *) copy->includes,
                                (const char *const *) transfer->includes));
  CU_ASSERT_TRUE (g_strv_equal ((const char *const *) copy->excludes,
                                (const char *const *) transfer->excludes));
  CU_ASSERT_EQUAL (copy->state, EXO_TRANSFER_FAILED);
  CU_ASSERT_EQUAL (copy->last_total, transfer->last_total);
  CU_ASSERT_EQUAL (copy->last_done, transfer->last_done);
  CU_ASSERT_EQUAL (copy->from_hub, transfer->from_hub);
  CU_ASSERT_EQUAL (copy->from_lan, transfer->from_lan);
  CU_ASSERT_EQUAL (copy->started_s, transfer->started_s);
  CU_ASSERT_EQUAL (copy->finished_s, transfer->finished_s);
  CU_ASSERT_TRUE (copy->unverified);
  CU_ASSERT_TRUE (g_error_matches (copy->error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_SPACE));
  CU_ASSERT_STRING_EQUAL (copy->error->message, transfer->error->message);
}

static void
a_fresh_transfer_comes_back_empty (void)
{
  g_autoptr (ExoTransfer) transfer =
      exo_transfer_new (&engine, 1, EXO_REPO_MODEL, "gpt2", "main", NULL, NULL),
                          copy = NULL;

  copy = again (transfer);
  CU_ASSERT_EQUAL (copy->id, 1);
  CU_ASSERT_EQUAL (copy->type, EXO_REPO_MODEL);
  CU_ASSERT_PTR_NULL (copy->commit);
  CU_ASSERT_PTR_NULL (copy->previous);
  CU_ASSERT_PTR_NULL (copy->error);
  CU_ASSERT_FALSE (copy->unverified);
  CU_ASSERT_EQUAL (copy->state, EXO_TRANSFER_QUEUED);
  CU_ASSERT_TRUE (exo_transfer_is (copy, EXO_REPO_MODEL, "gpt2", "main", NULL, NULL));
}

static void
every_state_and_error_comes_back (void)
{
  for (int state = EXO_TRANSFER_QUEUED; state <= EXO_TRANSFER_FAILED; state++)
    {
      g_autoptr (ExoTransfer) transfer = new_transfer (), copy = NULL;

      transfer->state = (ExoTransferState) state;
      copy = again (transfer);
      CU_ASSERT_EQUAL (copy->state, (ExoTransferState) state);
    }
  for (int code = 0; code <= EXO_TRANSFER_ERROR_NO_REVISION; code++)
    {
      g_autoptr (ExoTransfer) transfer = new_transfer (), copy = NULL;

      transfer->error = g_error_new_literal (EXO_TRANSFER_ERROR, code, "");
      copy = again (transfer);
      CU_ASSERT_TRUE (g_error_matches (copy->error, EXO_TRANSFER_ERROR, code));
    }
}

static ExoManifest *
new_manifest (guint n_files)
{
  GPtrArray *files = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_manifest_file_free);

  for (guint i = 0; i < n_files; i++)
    {
      g_autofree char *path = g_strdup_printf ("file %03u", i); /* in the order of the manifest */
      g_ptr_array_add (files, exo_manifest_file_new (path, 1, COMMIT));
    }
  return exo_manifest_new (EXO_REPO_MODEL, "org/name", COMMIT, TRUE, files, NULL);
}

static void
know_manifest (ExoTransfer *transfer, ExoManifest *manifest)
{
  transfer->whole = exo_manifest_ref (manifest);
  transfer->manifest = exo_manifest_ref (manifest);
}

/* '#' for each file that was asked for */
static char *
drawn (ExoTransfer *transfer)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < exo_manifest_n_files (transfer->manifest); i++)
    g_string_append_c (text, g_hash_table_contains (transfer->asked,
                                                    exo_manifest_file (transfer->manifest, i)->path)
                                 ? '#'
                                 : '.');
  return g_string_free (text, FALSE);
}

static void
files_asked_for_come_back (void)
{
  static const char *const rows[] = { ".", "#", "##", "#.", ".#", "#.#.#", "..##..###.", "####" };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (ExoManifest) manifest = new_manifest ((guint) strlen (rows[i]));
      g_autoptr (ExoTransfer) transfer = exo_transfer_new_on_demand (&engine, 1, manifest, "main"),
                              copy = NULL;
      g_autofree char *got = NULL;

      know_manifest (transfer, manifest);
      for (guint f = 0; rows[i][f] != '\0'; f++)
        if (rows[i][f] == '#')
          g_hash_table_add (transfer->asked, g_strdup (exo_manifest_file (manifest, f)->path));
      copy = again (transfer);
      CU_ASSERT_PTR_NOT_NULL_FATAL (copy->asked);
      know_manifest (copy, manifest);
      exo_transfer_recall_asked (copy);
      got = drawn (copy);
      CU_ASSERT_STRING_EQUAL (got, rows[i]);
    }
}

static void
what_was_asked_for_is_within_the_manifest (void)
{
  static const struct
  {
    const char *asked, *drawn;
  } rows[] = {
    { "[1,2]", ".##." },
    { "[0,100000]", "####" },
    { "[4,1]", "...." },
    { "[100000,1]", "...." },
    { "[2]", "...." },
    { "[0,1,-1,3]", "#..." },
    { "[0,1,9e9,3]", "#..." },
    { "[0,1,4294967296,2]", "#..." },
    { "[0,1,\"2\",1]", "#..." },
    { "[]", "...." },
    { "{}", "...." },
    { "7", "...." },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *text =
          g_strdup_printf ("{" IDENTITY ",\"on-demand\":1,\"asked\":%s}", rows[i].asked);
      g_autoptr (ExoTransfer) transfer = exo_transfer_restore (&engine, text);
      g_autoptr (ExoManifest) manifest = new_manifest (4);
      g_autofree char *got = NULL;

      CU_ASSERT_PTR_NOT_NULL_FATAL (transfer);
      know_manifest (transfer, manifest);
      exo_transfer_recall_asked (transfer);
      got = drawn (transfer);
      CU_ASSERT_STRING_EQUAL (got, rows[i].drawn);
      exo_transfer_recall_asked (transfer); /* nothing more */
    }
}

static void
a_foreign_error_is_a_plain_failure (void)
{
  g_autoptr (ExoTransfer) transfer = new_transfer (), copy = NULL;

  /* In a folder whose name is not UTF-8. */
  transfer->error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "open /\377/x");
  copy = again (transfer);
  CU_ASSERT_TRUE (g_error_matches (copy->error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED));
  CU_ASSERT_STRING_EQUAL (copy->error->message, "open /\357\277\275/x");
}

static void
an_error_of_a_newer_version_is_a_plain_failure (void)
{
  g_autofree char *text = g_strdup_printf ("{" IDENTITY ",\"error\":%d,\"message\":\"new\"}",
                                           EXO_TRANSFER_ERROR_NO_REVISION + 1);
  g_autoptr (ExoTransfer) transfer = exo_transfer_restore (&engine, text);

  CU_ASSERT_PTR_NOT_NULL_FATAL (transfer);
  CU_ASSERT_TRUE (g_error_matches (transfer->error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED));
  CU_ASSERT_STRING_EQUAL (transfer->error->message, "new");
}

static void
an_old_record_is_read (void)
{
  g_autoptr (ExoTransfer) transfer = exo_transfer_restore (&engine, "{" IDENTITY "}");
  const char *const includes[] = { "*.txt", NULL };

  CU_ASSERT_PTR_NOT_NULL_FATAL (transfer);
  CU_ASSERT_EQUAL (transfer->id, 7);
  CU_ASSERT_TRUE (exo_transfer_is (transfer, EXO_REPO_DATASET, "org/name", "v1", includes, NULL));
  CU_ASSERT_EQUAL (transfer->state, EXO_TRANSFER_QUEUED);
  CU_ASSERT_PTR_NULL (transfer->commit);
  CU_ASSERT_PTR_NULL (transfer->error);
  CU_ASSERT_FALSE (transfer->unverified);
  CU_ASSERT_EQUAL (transfer->last_total, 0);
  CU_ASSERT_EQUAL (transfer->started_s, 0);
}

/* What is wrong beside the identity costs that figure, not the transfer. */
static void
figures_that_cannot_be_read_are_none (void)
{
  static const char text[] =
      "{" IDENTITY ",\"commit\":\"../../x\",\"state\":\"exploded\",\"total\":-1,\"done\":\"9\","
      "\"hub\":1.5,\"lan\":null,\"started\":[1],\"finished\":{},\"unverified\":true,"
      "\"error\":99999999999,\"message\":3,\"newer\":{\"than\":[\"we\"]}}";
  g_autoptr (ExoTransfer) transfer = exo_transfer_restore (&engine, text), copy = NULL;

  CU_ASSERT_PTR_NOT_NULL_FATAL (transfer);
  CU_ASSERT_PTR_NULL (transfer->commit);
  CU_ASSERT_EQUAL (transfer->state, EXO_TRANSFER_QUEUED);
  CU_ASSERT_EQUAL (transfer->last_total, 0);
  CU_ASSERT_EQUAL (transfer->last_done, 0);
  CU_ASSERT_EQUAL (transfer->from_hub, 0);
  CU_ASSERT_EQUAL (transfer->from_lan, 0);
  CU_ASSERT_EQUAL (transfer->started_s, 0);
  CU_ASSERT_EQUAL (transfer->finished_s, 0);
  CU_ASSERT_TRUE (g_error_matches (transfer->error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED));
  CU_ASSERT_STRING_EQUAL (transfer->error->message, "");
  copy = again (transfer);
}

/* More done than there is to do: shown within its bounds. */
static void
progress_stays_within_its_bounds (void)
{
  g_autoptr (ExoTransfer) transfer =
      exo_transfer_restore (&engine, "{" IDENTITY ",\"total\":10,\"done\":9223372036854775807}");
  ExoTransferInfo info;

  CU_ASSERT_PTR_NOT_NULL_FATAL (transfer);
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_EQUAL (info.bytes_total, 10);
  CU_ASSERT_EQUAL (info.bytes_done, 10);
}

static void
what_is_no_transfer_is_refused (void)
{
#define AS(id, type, model, revision, include, exclude)                                            \
  "{\"id\":" id ",\"type\":" type ",\"model\":" model ",\"revision\":" revision                    \
  ",\"include\":" include ",\"exclude\":" exclude "}"
  const char *const rows[] = {
    "",
    " ",
    "null",
    "7",
    "\"text\"",
    "[]",
    "[{" IDENTITY "}]",
    "{}",
    "{" IDENTITY,
    "{" IDENTITY "}}",
    "{" IDENTITY ",\"message\":\"\377\"}",
    "{/* \" */" IDENTITY "}",
    AS ("0", "\"model\"", "\"a/b\"", "\"main\"", "[]", "[]"),
    AS ("-1", "\"model\"", "\"a/b\"", "\"main\"", "[]", "[]"),
    AS ("4294967295", "\"model\"", "\"a/b\"", "\"main\"", "[]", "[]"), /* no id after it */
    AS ("1e3", "\"model\"", "\"a/b\"", "\"main\"", "[]", "[]"),
    AS ("\"1\"", "\"model\"", "\"a/b\"", "\"main\"", "[]", "[]"),
    AS ("99999999999999999999", "\"model\"", "\"a/b\"", "\"main\"", "[]", "[]"),
    AS ("1", "\"models\"", "\"a/b\"", "\"main\"", "[]", "[]"),
    AS ("1", "\"\"", "\"a/b\"", "\"main\"", "[]", "[]"),
    AS ("1", "null", "\"a/b\"", "\"main\"", "[]", "[]"),
    AS ("1", "\"model\"", "\"../b\"", "\"main\"", "[]", "[]"),
    AS ("1", "\"model\"", "\"a/b/c\"", "\"main\"", "[]", "[]"),
    AS ("1", "\"model\"", "\"\"", "\"main\"", "[]", "[]"),
    AS ("1", "\"model\"", "[]", "\"main\"", "[]", "[]"),
    AS ("1", "\"model\"", "\"\\ud800\"", "\"main\"", "[]", "[]"), /* half a character */
    AS ("1", "\"model\"", "\"a/b\"", "\"../main\"", "[]", "[]"),
    AS ("1", "\"model\"", "\"a/b\"", "\"\"", "[]", "[]"),
    AS ("1", "\"model\"", "\"a/b\"", "null", "[]", "[]"),
    AS ("1", "\"model\"", "\"a/b\"", "\"main\"", "null", "[]"),
    AS ("1", "\"model\"", "\"a/b\"", "\"main\"", "\"*\"", "[]"),
    AS ("1", "\"model\"", "\"a/b\"", "\"main\"", "{}", "[]"),
    AS ("1", "\"model\"", "\"a/b\"", "\"main\"", "[\"*\",1]", "[]"),
    AS ("1", "\"model\"", "\"a/b\"", "\"main\"", "[[\"*\"]]", "[]"),
    AS ("1", "\"model\"", "\"a/b\"", "\"main\"", "[]", "[null]"),
    AS ("1", "\"model\"", "\"a/b\"", "\"main\"", "[]", "3"),
    "{\"type\":\"model\",\"model\":\"a/b\",\"revision\":\"main\",\"include\":[],\"exclude\":[]}",
    "{\"id\":1,\"model\":\"a/b\",\"revision\":\"main\",\"include\":[],\"exclude\":[]}",
    "{\"id\":1,\"type\":\"model\",\"revision\":\"main\",\"include\":[],\"exclude\":[]}",
    "{\"id\":1,\"type\":\"model\",\"model\":\"a/b\",\"include\":[],\"exclude\":[]}",
    "{\"id\":1,\"type\":\"model\",\"model\":\"a/b\",\"revision\":\"main\",\"exclude\":[]}",
    "{\"id\":1,\"type\":\"model\",\"model\":\"a/b\",\"revision\":\"main\",\"include\":[]}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (ExoTransfer) transfer = exo_transfer_restore (&engine, rows[i]);

      if (transfer != NULL)
        fprintf (stderr, "accepted: %s\n", rows[i]);
      CU_ASSERT_PTR_NULL (transfer);
    }
}

static char *
with_message (gsize length)
{
  g_autofree char *filler = g_strnfill (length, 'x');

  return g_strdup_printf ("{" IDENTITY ",\"error\":0,\"message\":\"%s\"}", filler);
}

static void
size_and_depth_are_bounded (void)
{
  g_autoptr (GString) deep = g_string_new ("{" IDENTITY ",\"newer\":");
  g_autofree char *empty = with_message (0), *most = with_message ((1u << 20) - strlen (empty)),
                  *more = with_message ((1u << 20) - strlen (empty) + 1);
  g_autoptr (ExoTransfer) kept = exo_transfer_restore (&engine, most);

  CU_ASSERT_PTR_NOT_NULL (kept);
  CU_ASSERT_PTR_NULL (exo_transfer_restore (&engine, more));
  for (guint i = 0; i < 100000; i++)
    g_string_append_c (deep, '[');
  for (guint i = 0; i < 100000; i++)
    g_string_append_c (deep, ']');
  g_string_append_c (deep, '}');
  CU_ASSERT_PTR_NULL (exo_transfer_restore (&engine, deep->str));
}

static void
a_record_cut_short_is_refused (void)
{
  g_autoptr (ExoTransfer) transfer = new_transfer ();
  g_autofree char *json = NULL;

  fill_in (transfer);
  json = exo_transfer_to_json (transfer);
  for (gsize n = strlen (json); n-- > 0;)
    {
      json[n] = '\0';
      CU_ASSERT_PTR_NULL (exo_transfer_restore (&engine, json));
    }
}

/* Whatever still is a transfer can be written down and read again. */
static void
a_damaged_byte_never_hurts (void)
{
  static const char bytes[] = "\"\\{}[]:,0-9.e \t/*x\001\377\200";
  g_autoptr (ExoTransfer) transfer = new_transfer ();
  g_autofree char *json = NULL;
  guint n_kept = 0, n_refused = 0;

  fill_in (transfer);
  json = exo_transfer_to_json (transfer);
  for (gsize i = 0; json[i] != '\0'; i++)
    for (gsize j = 0; j < sizeof bytes - 1; j++)
      {
        g_autoptr (ExoTransfer) kept = NULL;
        char right = json[i];

        json[i] = bytes[j];
        kept = exo_transfer_restore (&engine, json);
        json[i] = right;
        n_refused += kept == NULL;
        if (kept != NULL)
          {
            g_autoptr (ExoTransfer) copy = again (kept);
            n_kept++;
            CU_ASSERT_STRING_EQUAL (copy->model, kept->model);
          }
      }
  CU_ASSERT_TRUE (n_kept > 0);
  CU_ASSERT_TRUE (n_refused > 0);
}

EXO_SUITE ("record",
           TEST (every_field_comes_back),
           TEST (a_fresh_transfer_comes_back_empty),
           TEST (every_state_and_error_comes_back),
           TEST (files_asked_for_come_back),
           TEST (what_was_asked_for_is_within_the_manifest),
           TEST (a_foreign_error_is_a_plain_failure),
           TEST (an_error_of_a_newer_version_is_a_plain_failure),
           TEST (an_old_record_is_read),
           TEST (figures_that_cannot_be_read_are_none),
           TEST (progress_stays_within_its_bounds),
           TEST (what_is_no_transfer_is_refused),
           TEST (size_and_depth_are_bounded),
           TEST (a_record_cut_short_is_refused),
           TEST (a_damaged_byte_never_hurts))
