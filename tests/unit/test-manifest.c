/* test-manifest.c - names, listings and patterns
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/suite.h"
#include "transfer/error.h"
#include "transfer/hub/glob.h"
#include "transfer/hub/manifest.h"
#include "transfer/json-text.h"

#define SHA1   "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
#define SHA256 "b3d0a1f7938cd4d8413a4dcffd4313e2e8ac0cb61cb1090eb140ea8e9154befb"
#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static gboolean
is (const GError *error, ExoTransferError code)
{
  return g_error_matches (error, EXO_TRANSFER_ERROR, (int) code);
}

static void
repo_ids_follow_the_hub (void)
{
  g_autofree char *longest = g_strnfill (96, 'a');
  g_autofree char *too_long = g_strnfill (97, 'a');
  g_autofree char *with_org = g_strconcat (longest, "/", longest, NULL);
  const char *good[] = { "gpt2", "org/name", "Qwen/Qwen2.5-0.5B_x", "_a/b_", longest, with_org };
  const char *bad[] = { "",      "/",          "org/", "/name",  "a/b/c", "-a/b",
                        "a/b-",  ".a/b",       "a/b.", "a--b",   "a..b",  "o/a.git",
                        "o/a b", "o/\xc3\xa9", "o/a%", "../etc", "o/a\n", too_long };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    CU_ASSERT_TRUE (exo_repo_id_check (good[i], NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      CU_ASSERT_FALSE (exo_repo_id_check (bad[i], &error));
      CU_ASSERT_TRUE (is (error, EXO_TRANSFER_ERROR_INVALID));
    }
  CU_ASSERT_FALSE (exo_repo_id_check (NULL, NULL));
}

static void
revisions_are_bounded_names (void)
{
  g_autofree char *longest = g_strnfill (255, 'a');
  g_autofree char *too_long = g_strnfill (256, 'a');
  const char *good[] = { "main", "v1.0", "refs/pr/1", "refs/convert/parquet", COMMIT, longest };
  const char *bad[] = { "",     "/main", "main/", "a//b",  "..",       "a..b",  "a/./b",
                        "a\nb", "a\x7f", "a\\b",  "a\xff", "\xc2\x85", too_long };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    CU_ASSERT_TRUE (exo_revision_check (good[i], NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    CU_ASSERT_FALSE (exo_revision_check (bad[i], NULL));
}

static char *
repeat (const char *text, guint n)
{
  g_autoptr (GString) out = g_string_new (NULL);

  while (n-- > 0)
    g_string_append (out, text);
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static void
paths_stay_below_the_snapshot (void)
{
  g_autofree char *component = g_strnfill (255, 'a');
  g_autofree char *long_component = g_strnfill (256, 'a');
  g_autofree char *longest = repeat ("abcdefg/", 127); /* 1016 bytes */
  g_autofree char *at_limit = g_strconcat (longest, "abcdefgh", NULL);
  g_autofree char *past_limit = g_strconcat (longest, "abcdefghi", NULL);
  const char *good[] = { "config.json", ".gitattributes", "a b#c%d+?.bin", "\xc3\xa9/\xe6\xa8\xa1",
                         "...",         "a/..b/c..",      component,       at_limit };
  const char *bad[] = { "",      "/etc/passwd", "..",       "../x",         "a/../b",  "a/..",
                        "./a",   "a/.",         "a//b",     "a/",           "a\\b",    "a\tb",
                        "a\x7f", "a\xff",       "\xc2\x9f", long_component, past_limit };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    CU_ASSERT_TRUE (exo_path_check (good[i], NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    CU_ASSERT_FALSE (exo_path_check (bad[i], NULL));
}

static void
messages_never_repeat_control_characters (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *long_name = g_strnfill (5000, 'x');
  g_autoptr (GError) long_error = NULL;

  CU_ASSERT_FALSE (exo_path_check ("a\033[2Jb\xff", &error));
  CU_ASSERT_PTR_NULL (strchr (error->message, '\033'));
  CU_ASSERT_TRUE (g_utf8_validate (error->message, -1, NULL));
  CU_ASSERT_FALSE (exo_path_check (long_name, &long_error));
  CU_ASSERT_TRUE (strlen (long_error->message) < 400);
}

/* Each row was checked against fnmatch.fnmatchcase of Python 3.11. */
static void
globs_match_as_in_python (void)
{
  const struct
  {
    const char *glob, *path;
    gboolean matches;
  } rows[] = {
    { "*", "a/b/c", TRUE },
    { "*.json", "onnx/config.json", TRUE },
    { "*.json", "config.jsonl", FALSE },
    { "onnx/*", "onnx/a/b", TRUE },
    { "onnx/*", "onnx", FALSE },
    { "a?c", "a/c", TRUE },
    { "a?c",
      "a\xc3\xa9"
      "c",
      TRUE },
    { "a?c", "ac", FALSE },
    { "[abc]x", "bx", TRUE },
    { "[abc]x", "dx", FALSE },
    { "[a-c]x", "bx", TRUE },
    { "[c-a]x", "bx", FALSE },
    { "[!a-c]x", "dx", TRUE },
    { "[!a-c]x", "ax", FALSE },
    { "[]a]x", "]x", TRUE },
    { "[!]a]x", "]x", FALSE },
    { "[!]a]x", "bx", TRUE },
    { "[a-]x", "-x", TRUE },
    { "[-a]x", "-x", TRUE },
    { "[ax", "[ax", TRUE },
    { "[ax", "ax", FALSE },
    { "[!", "[!", TRUE },
    { "[\xc3\xa0-\xc3\xaa]", "\xc3\xa9", TRUE },
    { "[\\]x", "\\x", TRUE },
    { "\\*", "\\abc", TRUE },
    { "[*]", "*", TRUE },
    { "[*]", "a", FALSE },
    { "a*b*c", "a-b-b-c", TRUE },
    { "a*b*c", "a-b-b-d", FALSE },
    { "**", "", TRUE },
    { "", "", TRUE },
    { "", "a", FALSE },
    { "*a", "", FALSE },
    { "README.md", "readme.md", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    if (exo_glob_match (rows[i].glob, rows[i].path) != rows[i].matches)
      {
        fprintf (stderr, "row %" G_GSIZE_FORMAT ": %s %s\n", i, rows[i].glob, rows[i].path);
        CU_FAIL ("glob");
      }
}

static void
a_hostile_glob_takes_bounded_time (void)
{
  g_autofree char *stars = repeat ("*a", 127);
  g_autofree char *path = g_strnfill (1024, 'a');
  gint64 start = g_get_monotonic_time ();

  path[1023] = 'b';
  for (guint i = 0; i < 100; i++)
    CU_ASSERT_FALSE (exo_glob_match (stars, path));
  CU_ASSERT_TRUE (g_get_monotonic_time () - start < 5 * G_USEC_PER_SEC);
}

/* Rows of path, size, oid; ends with NULL */
static ExoManifest *
build (GError **error, const char *path, ...)
{
  GPtrArray *files = g_ptr_array_new ();
  va_list args;

  va_start (args, path);
  for (; path != NULL; path = va_arg (args, const char *))
    {
      int size = va_arg (args, int);
      g_ptr_array_add (files,
                       exo_manifest_file_new (path, (guint64) size, va_arg (args, const char *)));
    }
  va_end (args);
  return exo_manifest_new (EXO_REPO_MODEL, "org/name", COMMIT, TRUE, files, error);
}

static void
files_are_sorted_and_counted (void)
{
  g_autoptr (ExoManifest) manifest =
      build (NULL, "b", 3, SHA1, "a/z", 4, SHA256, "a-b", 3, SHA1, NULL);

  CU_ASSERT_PTR_NOT_NULL_FATAL (manifest);
  CU_ASSERT_EQUAL (exo_manifest_n_files (manifest), 3);
  CU_ASSERT_STRING_EQUAL (exo_manifest_file (manifest, 0)->path, "a-b");
  CU_ASSERT_STRING_EQUAL (exo_manifest_file (manifest, 1)->path, "a/z");
  CU_ASSERT_STRING_EQUAL (exo_manifest_file (manifest, 2)->path, "b");
  CU_ASSERT_EQUAL (exo_manifest_bytes (manifest), 10);
  CU_ASSERT_TRUE (exo_manifest_is_open (manifest));
  CU_ASSERT_STRING_EQUAL (exo_manifest_id (manifest), "org/name");
  CU_ASSERT_STRING_EQUAL (exo_manifest_commit (manifest), COMMIT);
}

static void
listings_that_cannot_be_true_are_refused (void)
{
  g_autoptr (GError) twice = NULL, folder = NULL, masked = NULL, sizes = NULL, path = NULL;
  g_autofree char *stars = g_strnfill (64, '*');

  CU_ASSERT_PTR_NULL (build (&twice, "a", 1, SHA1, "b", 1, SHA1, "a", 1, SHA1, NULL));
  CU_ASSERT_TRUE (is (twice, EXO_TRANSFER_ERROR_INVALID));
  /* "a-b" sorts between "a" and "a/b" */
  CU_ASSERT_PTR_NULL (build (&folder, "a", 1, SHA1, "a-b", 1, SHA1, "a/b/c", 1, SHA1, NULL));
  CU_ASSERT_TRUE (is (folder, EXO_TRANSFER_ERROR_INVALID));
  CU_ASSERT_PTR_NULL (build (&masked, "a", 1, stars, NULL));
  CU_ASSERT_TRUE (is (masked, EXO_TRANSFER_ERROR_INVALID));
  CU_ASSERT_PTR_NULL (build (&sizes, "a", 1, SHA1, "b", 2, SHA1, NULL));
  CU_ASSERT_TRUE (is (sizes, EXO_TRANSFER_ERROR_INVALID));
  CU_ASSERT_PTR_NULL (build (&path, "ok", 1, SHA1, "../evil", 1, SHA1, NULL));
  CU_ASSERT_TRUE (is (path, EXO_TRANSFER_ERROR_INVALID));
  CU_ASSERT_PTR_NOT_NULL (strstr (path->message, "../evil"));
}

static void
sizes_do_not_overflow (void)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *files = g_ptr_array_new ();
  g_autoptr (ExoManifest) huge = NULL;

  g_ptr_array_add (files, exo_manifest_file_new ("a", G_MAXINT64, SHA1));
  huge = exo_manifest_new (EXO_REPO_MODEL, "n", COMMIT, TRUE, files, NULL);
  CU_ASSERT_PTR_NOT_NULL (huge);
  files = g_ptr_array_new ();
  g_ptr_array_add (files, exo_manifest_file_new ("a", G_MAXINT64, SHA1));
  g_ptr_array_add (files, exo_manifest_file_new ("b", 1, SHA256));
  CU_ASSERT_PTR_NULL (exo_manifest_new (EXO_REPO_MODEL, "n", COMMIT, TRUE, files, &error));
  CU_ASSERT_TRUE (is (error, EXO_TRANSFER_ERROR_TOO_LARGE));
}

static GPtrArray *
many_files (guint n)
{
  GPtrArray *files = g_ptr_array_new ();

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *path = g_strdup_printf ("f%u", i);
      g_ptr_array_add (files, exo_manifest_file_new (path, 0, SHA1));
    }
  return files;
}

static void
one_file_too_many_is_refused (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoManifest) most = exo_manifest_new (EXO_REPO_MODEL, "n", COMMIT, TRUE,
                                                   many_files (EXO_MANIFEST_FILES_MAX), NULL);

  CU_ASSERT_PTR_NOT_NULL (most);
  CU_ASSERT_PTR_NULL (exo_manifest_new (EXO_REPO_MODEL, "n", COMMIT, TRUE,
                                        many_files (EXO_MANIFEST_FILES_MAX + 1), &error));
  CU_ASSERT_TRUE (is (error, EXO_TRANSFER_ERROR_TOO_LARGE));
}

static void
filter_keeps_what_is_included_and_not_excluded (void)
{
  g_autoptr (ExoManifest) all = build (NULL, "README.md", 1, SHA1, "model.safetensors", 5, SHA256,
                                       "onnx/a/model.onnx", 1, SHA1, NULL);
  const char *const folder[] = { "onnx/", NULL };
  const char *const readme[] = { "README*", NULL };
  const char *const nothing[] = { "*.gguf", NULL };
  const char *const empty[] = { "", NULL };
  g_autoptr (ExoManifest) onnx = exo_manifest_filter (all, folder, NULL, NULL);
  g_autoptr (ExoManifest) rest = exo_manifest_filter (all, NULL, readme, NULL);
  g_autoptr (GError) none_left = NULL, bad_glob = NULL;

  CU_ASSERT_EQUAL (exo_manifest_n_files (onnx), 1);
  CU_ASSERT_STRING_EQUAL (exo_manifest_file (onnx, 0)->path, "onnx/a/model.onnx");
  CU_ASSERT_EQUAL (exo_manifest_n_files (rest), 2);
  CU_ASSERT_EQUAL (exo_manifest_bytes (rest), 6);
  CU_ASSERT_PTR_NULL (exo_manifest_filter (all, nothing, NULL, &none_left));
  CU_ASSERT_TRUE (is (none_left, EXO_TRANSFER_ERROR_NOT_FOUND));
  CU_ASSERT_PTR_NULL (exo_manifest_filter (all, NULL, empty, &bad_glob));
  CU_ASSERT_TRUE (is (bad_glob, EXO_TRANSFER_ERROR_INVALID));
}

static void
json_survives_a_round_trip (void)
{
  g_autoptr (ExoManifest) manifest =
      build (NULL, "a \"b\"\xc3\xa9/c#", 7, SHA256, "z", 0, SHA1, NULL);
  g_autofree char *text = exo_manifest_to_json (manifest);
  g_autoptr (ExoManifest) again = exo_manifest_from_json (text, -1, NULL);
  g_autofree char *same = again != NULL ? exo_manifest_to_json (again) : NULL;

  CU_ASSERT_PTR_NOT_NULL_FATAL (again);
  CU_ASSERT_STRING_EQUAL (text, same);
  CU_ASSERT_EQUAL (exo_manifest_bytes (again), 7);
}

#define HEAD "{\"v\":1,\"type\":\"model\",\"id\":\"o/n\",\"commit\":\"" COMMIT "\",\"open\":true,"

static void
hostile_json_is_refused (void)
{
  g_autofree char *deep = g_strnfill (1000000, '[');
  g_autofree char *hidden = g_strconcat ("[1 # \"\n", deep, NULL);
  const char *rows[] = {
    "",
    "x",
    "[]",
    "{}",
    "null",
    "1",
    "\"x\"",
    "{\"v\":1}",
    deep,
    hidden,
    "{\"v\":2,\"type\":\"model\",\"id\":\"o/n\",\"commit\":\"" COMMIT
    "\",\"open\":true,\"files\":[]}",
    "{\"v\":\"1\",\"type\":\"model\",\"id\":\"o/n\",\"commit\":\"" COMMIT
    "\",\"open\":true,\"files\":[]}",
    "{\"v\":1,\"type\":\"kernel\",\"id\":\"o/n\",\"commit\":\"" COMMIT
    "\",\"open\":true,\"files\":[]}",
    "{\"v\":1,\"type\":\"model\",\"id\":7,\"commit\":\"" COMMIT "\",\"open\":true,\"files\":[]}",
    "{\"v\":1,\"type\":\"model\",\"id\":\"o/n\",\"commit\":\"main\",\"open\":true,\"files\":[]}",
    "{\"v\":1,\"type\":\"model\",\"id\":\"o/n\",\"commit\":\"" COMMIT "\",\"open\":1,\"files\":[]}",
    HEAD "\"files\":{}}",
    HEAD "\"files\":[1]}",
    HEAD "\"files\":[[]]}",
    HEAD "\"files\":[null]}",
    HEAD "\"files\":[[\"a\",1]]}",
    HEAD "\"files\":[[\"a\",\"1\",\"" SHA1 "\"]]}",
    HEAD "\"files\":[[\"a\",-1,\"" SHA1 "\"]]}",
    HEAD "\"files\":[[\"a\",1.5,\"" SHA1 "\"]]}",
    HEAD "\"files\":[[\"a\",99999999999999999999,\"" SHA1 "\"]]}",
    HEAD "\"files\":[[\"../a\",1,\"" SHA1 "\"]]}",
    HEAD "\"files\":[[\"a\\ud800\",1,\"" SHA1 "\"]]}",
    HEAD "\"files\":[[\"a\",1,\"" SHA1 "\"]",
    HEAD "\"files\":[]} x",
    HEAD "\"files\":[[\"a\xff\",1,\"" SHA1 "\"]]}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (ExoManifest) manifest = exo_manifest_from_json (rows[i], -1, &error);

      if (manifest != NULL || !is (error, EXO_TRANSFER_ERROR_INVALID))
        {
          fprintf (stderr, "row %" G_GSIZE_FORMAT "\n", i);
          CU_FAIL ("accepted");
        }
    }
}

static void
unknown_members_are_ignored (void)
{
  g_autoptr (ExoManifest) manifest = exo_manifest_from_json (
      HEAD "\"later\":{\"x\":[1]},\"files\":[[\"a\",1,\"" SHA1 "\",\"more\"]]}", -1, NULL);

  CU_ASSERT_PTR_NOT_NULL (manifest);
}

static void
json_is_bounded (void)
{
  g_autoptr (GError) depth = NULL, size = NULL;
  g_autofree char *open_at = g_strnfill (EXO_JSON_DEPTH_MAX, '[');
  g_autofree char *close_at = g_strnfill (EXO_JSON_DEPTH_MAX, ']');
  g_autofree char *at = g_strconcat (open_at, close_at, NULL);
  g_autofree char *past = g_strconcat ("[", at, "]", NULL);
  g_autoptr (JsonNode) node = exo_json_parse (at, -1, 1000, NULL);

  CU_ASSERT_PTR_NOT_NULL (node);
  CU_ASSERT_PTR_NULL (exo_json_parse (past, -1, 1000, &depth));
  CU_ASSERT_TRUE (is (depth, EXO_TRANSFER_ERROR_INVALID));
  CU_ASSERT_PTR_NULL (exo_json_parse ("[1, 2]", -1, 5, &size));
  CU_ASSERT_TRUE (is (size, EXO_TRANSFER_ERROR_TOO_LARGE));
}

EXO_SUITE ("manifest",
           TEST (repo_ids_follow_the_hub),
           TEST (revisions_are_bounded_names),
           TEST (paths_stay_below_the_snapshot),
           TEST (messages_never_repeat_control_characters),
           TEST (globs_match_as_in_python),
           TEST (a_hostile_glob_takes_bounded_time),
           TEST (files_are_sorted_and_counted),
           TEST (listings_that_cannot_be_true_are_refused),
           TEST (sizes_do_not_overflow),
           TEST (one_file_too_many_is_refused),
           TEST (filter_keeps_what_is_included_and_not_excluded),
           TEST (json_survives_a_round_trip),
           TEST (hostile_json_is_refused),
           TEST (unknown_members_are_ignored),
           TEST (json_is_bounded))
