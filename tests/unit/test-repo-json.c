/* test-repo-json.c - a manifest as the texts of the Hub's API
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/suite.h"
#include "transfer/endpoint/repo-json.h"
#include "transfer/json-text.h"
#include "transfer/store/hash.h"

/* hub-protocol 4 */
#define EMPTY        "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
#define HELLO        "ce013625030ba8dba906f756967f9e9ca394464a"
#define GPT2         "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707"
#define GPT2_SIZE    548105171u
#define GPT2_POINTER "44b36d6e32d13c8fb28b0feab0ac8bfefa7efeda"
#define COMMIT       "607a30d783dfa663caf39e06633721c8d4cfcd7e"
#define FOLDER(path)                                                                               \
  "{\"type\":\"directory\",\"oid\":\"0000000000000000000000000000000000000000\",\"size\":0,"       \
  "\"path\":\"" path "\"}"
#define SMALL(path) "{\"type\":\"file\",\"oid\":\"" HELLO "\",\"size\":6,\"path\":\"" path "\"}"
#define NONE(path)  "{\"type\":\"file\",\"oid\":\"" EMPTY "\",\"size\":0,\"path\":\"" path "\"}"
#define LARGE(path)                                                                                \
  "{\"type\":\"file\",\"oid\":\"" GPT2_POINTER "\",\"size\":548105171,\"lfs\":{\"oid\":\"" GPT2    \
  "\",\"size\":548105171,\"pointerSize\":134},\"path\":\"" path "\"}"

static ExoManifest *
new_manifest (ExoRepoType type, const char *id, const char *const *paths)
{
  GPtrArray *files = g_ptr_array_new ();
  ExoManifest *manifest;

  for (; *paths != NULL; paths++)
    {
      gboolean large = strstr (*paths, "large") != NULL, none = strstr (*paths, "none") != NULL;

      g_ptr_array_add (files, exo_manifest_file_new (*paths,
                                                     large  ? GPT2_SIZE
                                                     : none ? 0
                                                            : 6,
                                                     large  ? GPT2
                                                     : none ? EMPTY
                                                            : HELLO));
    }
  manifest = exo_manifest_new (type, id, COMMIT, TRUE, files, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (manifest);
  return manifest;
}

/* Also that it is JSON. @bytes: (transfer full) */
static void
check_text (GBytes *bytes, const char *expected)
{
  gsize n;
  char *data = g_bytes_unref_to_data (bytes, &n);
  g_autofree char *text = g_strndup (data, n);
  g_autoptr (JsonNode) root = exo_json_parse (text, -1, G_MAXINT, NULL);

  CU_ASSERT_PTR_NOT_NULL (root);
  if (strcmp (text, expected) != 0)
    fprintf (stderr, "got  %s\nwant %s\n", text, expected);
  CU_ASSERT_STRING_EQUAL (text, expected);
  g_free (data);
}

/* An array of these */
static void
check_entries (GBytes *bytes, const char *const *entries)
{
  g_autofree char *joined = g_strjoinv (",", (char **) entries);
  g_autofree char *expected = g_strconcat ("[", joined, "]", NULL);

  check_text (bytes, expected);
}

static const char *const files[] = {
  "a b+%\"\xc3\xa9", "large.bin",          "none", "sub-x/y", "sub.d", "sub/deep/z", "sub/deep/zz",
  "sub/large",       "sub/only/none/none", NULL
};

static void
pointers_are_those_of_git_lfs (void)
{
  g_autoptr (ExoManifestFile) large = exo_manifest_file_new ("x", GPT2_SIZE, GPT2);
  g_autoptr (ExoManifestFile) small = exo_manifest_file_new ("x", 6, HELLO);
  g_autofree char *pointer = exo_repo_json_pointer (large);
  g_autofree char *oid = exo_hash_bytes (EXO_OID_SHA1, pointer, strlen (pointer));

  CU_ASSERT_STRING_EQUAL (pointer, "version https://git-lfs.github.com/spec/v1\n"
                                   "oid sha256:" GPT2 "\n"
                                   "size 548105171\n");
  CU_ASSERT_EQUAL (strlen (pointer), 134);
  CU_ASSERT_STRING_EQUAL (oid, GPT2_POINTER);
  CU_ASSERT_PTR_NULL (exo_repo_json_pointer (small));
}

static void
the_whole_tree_lists_each_folder_once (void)
{
  g_autoptr (ExoManifest) manifest = new_manifest (EXO_REPO_MODEL, "o/n", files);
  const char *const all[] = { SMALL ("a b+%\\\"\xc3\xa9"),
                              LARGE ("large.bin"),
                              NONE ("none"),
                              FOLDER ("sub-x"),
                              SMALL ("sub-x/y"),
                              SMALL ("sub.d"),
                              FOLDER ("sub"),
                              FOLDER ("sub/deep"),
                              SMALL ("sub/deep/z"),
                              SMALL ("sub/deep/zz"),
                              LARGE ("sub/large"),
                              FOLDER ("sub/only"),
                              FOLDER ("sub/only/none"),
                              NONE ("sub/only/none/none"),
                              NULL };

  check_entries (exo_repo_json_tree (manifest, NULL, TRUE, FALSE), all);
  check_entries (exo_repo_json_tree (manifest, "sub", TRUE, FALSE), all + 7);
}

static void
one_level_of_the_tree_is_that_level (void)
{
  g_autoptr (ExoManifest) manifest = new_manifest (EXO_REPO_MODEL, "o/n", files);
  const char *const root[] = { SMALL ("a b+%\\\"\xc3\xa9"),
                               LARGE ("large.bin"),
                               NONE ("none"),
                               FOLDER ("sub-x"),
                               SMALL ("sub.d"),
                               FOLDER ("sub"),
                               NULL };
  const char *const sub[] = { FOLDER ("sub/deep"), LARGE ("sub/large"), FOLDER ("sub/only"), NULL };
  const char *const deep[] = { SMALL ("sub/deep/z"), SMALL ("sub/deep/zz"), NULL };

  check_entries (exo_repo_json_tree (manifest, NULL, FALSE, FALSE), root);
  check_entries (exo_repo_json_tree (manifest, "sub", FALSE, FALSE), sub);
  check_entries (exo_repo_json_tree (manifest, "sub/deep", FALSE, FALSE), deep);
}

static void
a_folder_that_is_none_has_no_tree (void)
{
  g_autoptr (ExoManifest) manifest = new_manifest (EXO_REPO_MODEL, "o/n", files);
  const char *bad[] = { "su",         "sub.d",        "none",
                        "sub/deep/z", "sub/deep/zzz", "additional_chat_templates" };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    CU_ASSERT_PTR_NULL (exo_repo_json_tree (manifest, bad[i], FALSE, FALSE));
}

static void
empty_files_can_be_hidden (void)
{
  const char *const some[] = { "none", "sub/large", "sub/none", "x", NULL };
  const char *const left[] = { FOLDER ("sub"), LARGE ("sub/large"), SMALL ("x"), NULL };
  g_autoptr (ExoManifest) manifest = new_manifest (EXO_REPO_MODEL, "o/n", some);

  check_entries (exo_repo_json_tree (manifest, NULL, TRUE, TRUE), left);
}

static void
a_repo_without_files_has_an_empty_tree (void)
{
  const char *const none[] = { NULL };
  g_autoptr (ExoManifest) manifest = new_manifest (EXO_REPO_MODEL, "o/n", none);

  check_text (exo_repo_json_tree (manifest, NULL, TRUE, FALSE), "[]");
  CU_ASSERT_PTR_NULL (exo_repo_json_tree (manifest, "a", TRUE, FALSE));
}

static void
paths_come_in_the_order_asked_for (void)
{
  g_autoptr (ExoManifest) manifest = new_manifest (EXO_REPO_MODEL, "o/n", files);
  const char *const asked[] = {
    "sub/large", "missing", "none", "su", "sub", "", "/", "sub/", NULL
  };
  const char *const found[] = { LARGE ("sub/large"), NONE ("none"), FOLDER ("sub"), NULL };
  const char *const nothing[] = { NULL };

  check_entries (exo_repo_json_paths (manifest, asked), found);
  check_entries (exo_repo_json_paths (manifest, nothing), nothing);
}

static void
bodies_that_ask_for_paths_are_understood (void)
{
  const struct
  {
    const char *type, *body;
    const char *paths; /* joined with "|"; NULL: not understood */
  } rows[] = {
    { "application/x-www-form-urlencoded", "paths=a&paths=b%2Fc+d&expand=false", "a|b/c d" },
    { "Application/X-WWW-Form-URLEncoded; charset=utf-8", "paths=a", "a" },
    { "application/x-www-form-urlencoded", "expand=false", "" },
    { "application/x-www-form-urlencoded", "", "" },
    { "application/x-www-form-urlencoded", "paths=%00", NULL },
    { "application/x-www-form-urlencoded", "paths=%ff", NULL },
    { "application/json", "{\"paths\":[\"a\",\"b c\"],\"expand\":true}", "a|b c" },
    { "application/json;charset=utf-8", "{\"paths\":\"a\"}", "a" },
    { "application/json", "{\"paths\":[]}", "" },
    { "application/json", "{\"paths\":[1]}", NULL },
    { "application/json", "{\"paths\":{}}", NULL },
    { "application/json", "{}", NULL },
    { "application/json", "[\"a\"]", NULL },
    { "application/json", "", NULL },
    { "application/json", "paths=a", NULL },
    { "text/plain", "paths=a", NULL },
    { NULL, "paths=a", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GBytes) body = g_bytes_new (rows[i].body, strlen (rows[i].body));
      g_auto (GStrv) paths = exo_repo_json_parse_paths (rows[i].type, body);
      g_autofree char *joined = paths != NULL ? g_strjoinv ("|", paths) : NULL;

      CU_ASSERT_TRUE (g_strcmp0 (joined, rows[i].paths) == 0);
    }
}

static void
as_many_paths_as_a_model_has_files_can_be_asked_for (void)
{
  g_autoptr (GString) form = g_string_new (NULL);

  for (guint i = 0; i < EXO_MANIFEST_FILES_MAX; i++)
    g_string_append (form, "paths=a&");
  for (guint more = 0; more < 2; more++)
    {
      g_autoptr (GBytes) body = g_bytes_new (form->str, form->len);
      g_auto (GStrv) paths = exo_repo_json_parse_paths ("application/x-www-form-urlencoded", body);

      CU_ASSERT_EQUAL (paths == NULL, more == 1);
      g_string_append (form, "paths=a");
    }
}

static void
a_body_with_a_zero_byte_is_refused (void)
{
  g_autoptr (GBytes) form = g_bytes_new_static ("paths=a\0b", 9);

  CU_ASSERT_PTR_NULL (exo_repo_json_parse_paths ("application/x-www-form-urlencoded", form));
}

#define INFO_OF(author)                                                                            \
  author                                                                                           \
      "\"sha\":\"" COMMIT "\",\"private\":false,\"gated\":false,\"disabled\":false,"               \
      "\"lastModified\":\"2020-01-01T00:00:00.000Z\",\"createdAt\":\"2020-01-01T00:00:00.000Z\","  \
      "\"tags\":[],\"downloads\":0,\"likes\":0,\"siblings\":["
#define ID "{\"_id\":\"607a30d783dfa663caf39e06\","

static void
info_has_what_clients_look_for (void)
{
  const char *const some[] = { "config.json", "large", NULL };
  g_autoptr (ExoManifest) model = new_manifest (EXO_REPO_MODEL, "o/n", some);
  g_autoptr (ExoManifest) old = new_manifest (EXO_REPO_MODEL, "gpt2", some);
  g_autoptr (ExoManifest) data = new_manifest (EXO_REPO_DATASET, "o/n", some + 2);

  check_text (
      exo_repo_json_info (model, FALSE),
      ID "\"id\":\"o/n\",\"modelId\":\"o/n\"," INFO_OF (
          "\"author\":\"o\",") "{\"rfilename\":\"config.json\"},{\"rfilename\":\"large\"}]}");
  check_text (exo_repo_json_info (old, TRUE),
              ID "\"id\":\"gpt2\",\"modelId\":\"gpt2\"," INFO_OF (
                  "") "{\"rfilename\":\"config.json\",\"blobId\":\"" HELLO "\",\"size\":6},"
                      "{\"rfilename\":\"large\",\"blobId\":\"" GPT2_POINTER
                      "\",\"size\":548105171,\"lfs\":{\"sha256\":\"" GPT2
                      "\",\"size\":548105171,\"pointerSize\":134}}]}");
  check_text (exo_repo_json_info (data, TRUE),
              ID "\"id\":\"o/n\"," INFO_OF ("\"author\":\"o\",") "]}");
}

static void
refs_are_the_one_branch (void)
{
  check_text (
      exo_repo_json_refs ("main", COMMIT),
      "{\"branches\":[{\"name\":\"main\",\"ref\":\"refs/heads/main\",\"targetCommit\":\"" COMMIT
      "\"}],\"tags\":[],\"converts\":[],\"pullRequests\":[]}");
}

static void
errors_are_escaped (void)
{
  check_text (exo_repo_json_error ("a \"b\" \\ \n\x01\xff\xc3\xa9"),
              "{\"error\":\"a \\\"b\\\" \\\\ \\u000a\\u0001\xef\xbf\xbd\xc3\xa9\"}");
}

static void
xet_is_taken_out_at_any_depth (void)
{
  const struct
  {
    const char *from, *to;
  } rows[] = {
    { "[]", "[]" },
    { "{\"xetHash\":\"a\"}", "{}" },
    { "[{\"path\":\"a\",\"xetHash\":\"b\",\"size\":7},{\"xetHash\":{\"x\":[1]}}]",
      "[{\"path\":\"a\",\"size\":7},{}]" },
    { "{\"a\":{\"b\":[[{\"x\\u0065tHash\":null,\"c\":true}]]}}",
      "{\"a\":{\"b\":[[{\"c\":true}]]}}" },
    { "{\"path\":\"xetHash\",\"n\":-1,\"f\":0.5,\"big\":9007199254740993,\"no\":false,\"z\":null}",
      "{\"path\":\"xetHash\",\"n\":-1,\"f\":0.5,\"big\":9007199254740993,\"no\":false,\"z\":null}" },
    { " { \"s\" : \"\\\"\\\\\\/\\n\\u00e9\\u2028\" } ",
      "{\"s\":\"\\\"\\\\/\\u000a\xc3\xa9\xe2\x80\xa8\"}" },
    { "{\"f\":1e999}", "{\"f\":null}" },
  };
  const char *bad[] = { "", "xetHash", "{", "<html>", "\"xetHash\"" };
  g_autofree char *deep = g_strnfill (2 * (EXO_JSON_DEPTH_MAX + 1), '[');
  g_autoptr (GBytes) too_deep = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GBytes) from = g_bytes_new (rows[i].from, strlen (rows[i].from));
      check_text (exo_repo_json_without_xet (from), rows[i].to);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GBytes) from = g_bytes_new (bad[i], strlen (bad[i]));
      CU_ASSERT_PTR_NULL (exo_repo_json_without_xet (from));
    }
  memset (deep + EXO_JSON_DEPTH_MAX + 1, ']', EXO_JSON_DEPTH_MAX + 1);
  too_deep = g_bytes_new (deep, strlen (deep));
  CU_ASSERT_PTR_NULL (exo_repo_json_without_xet (too_deep));
}

static void
a_tree_of_the_largest_repo_is_whole (void)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (ExoManifest) manifest = NULL;
  g_autoptr (GBytes) tree = NULL;
  g_autoptr (JsonNode) root = NULL;

  for (guint i = 0; i < EXO_MANIFEST_FILES_MAX; i++)
    g_ptr_array_add (names, g_strdup_printf ("part-%u/large-%05u.safetensors", i / 100, i));
  g_ptr_array_add (names, NULL);
  manifest = new_manifest (EXO_REPO_MODEL, "o/n", (const char *const *) names->pdata);
  tree = exo_repo_json_tree (manifest, NULL, TRUE, FALSE);
  root = exo_json_parse (g_bytes_get_data (tree, NULL), (gssize) g_bytes_get_size (tree), G_MAXINT,
                         NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (root);
  CU_ASSERT_EQUAL (json_array_get_length (json_node_get_array (root)),
                   EXO_MANIFEST_FILES_MAX + 1000);
}

EXO_SUITE ("repo-json",
           TEST (pointers_are_those_of_git_lfs),
           TEST (the_whole_tree_lists_each_folder_once),
           TEST (one_level_of_the_tree_is_that_level),
           TEST (a_folder_that_is_none_has_no_tree),
           TEST (empty_files_can_be_hidden),
           TEST (a_repo_without_files_has_an_empty_tree),
           TEST (paths_come_in_the_order_asked_for),
           TEST (bodies_that_ask_for_paths_are_understood),
           TEST (as_many_paths_as_a_model_has_files_can_be_asked_for),
           TEST (a_body_with_a_zero_byte_is_refused),
           TEST (info_has_what_clients_look_for),
           TEST (refs_are_the_one_branch),
           TEST (errors_are_escaped),
           TEST (xet_is_taken_out_at_any_depth),
           TEST (a_tree_of_the_largest_repo_is_whole))
