/* test-route.c - what clients of the Hub ask for
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/suite.h"
#include "transfer/endpoint/form.h"
#include "transfer/endpoint/route.h"
#include "transfer/error.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

typedef struct
{
  const char *path;
  const char *expected; /* "kind type id @revision path", as far as they are set */
} Row;

static const char *const kinds[] = {
  [EXO_ROUTE_PAGE] = "page",       [EXO_ROUTE_STATE] = "state",
  [EXO_ROUTE_METRICS] = "metrics", [EXO_ROUTE_INFO] = "info",
  [EXO_ROUTE_TREE] = "tree",       [EXO_ROUTE_PATHS_INFO] = "paths-info",
  [EXO_ROUTE_REFS] = "refs",       [EXO_ROUTE_RESOLVE] = "resolve",
  [EXO_ROUTE_RAW] = "raw",         [EXO_ROUTE_PASS] = "pass",
  [EXO_ROUTE_UPLOAD] = "upload",   [EXO_ROUTE_BAD_REQUEST] = "bad request",
  [EXO_ROUTE_NONE] = "none",
};

static char *
to_string (const ExoRoute *route)
{
  g_autoptr (GString) out = g_string_new (kinds[route->kind]);

  if (route->id != NULL)
    g_string_append_printf (out, " %s %s", exo_repo_type_name (route->type), route->id);
  if (route->revision != NULL)
    g_string_append_printf (out, " @%s", route->revision);
  if (route->path != NULL)
    g_string_append_printf (out, " %s", route->path);
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static void
check_row (const char *path, const char *expected, gboolean post)
{
  g_auto (ExoRoute) route;
  g_autofree char *got = NULL;

  exo_route_parse (&route, post, path, "");
  got = to_string (&route);
  if (strcmp (got, expected) != 0)
    fprintf (stderr, "%s: %s, not %s\n", path, got, expected);
  CU_ASSERT_STRING_EQUAL (got, expected);
  CU_ASSERT_EQUAL (g_error_matches (route.error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID),
                   route.kind == EXO_ROUTE_BAD_REQUEST);
}

static void
check_rows (const Row *rows, gsize n_rows, gboolean post)
{
  for (gsize i = 0; i < n_rows; i++)
    check_row (rows[i].path, rows[i].expected, post);
}

static void
the_api_is_understood (void)
{
  /* hub-protocol 1.2 to 1.4 */
  const Row rows[] = {
    { "/api/models/o/n", "info model o/n" },
    { "/api/models/gpt2", "info model gpt2" },
    { "//api/models/o/n", "info model o/n" },
    { "////api/models/o/n", "info model o/n" },
    { "/api/datasets/o/n", "info dataset o/n" },
    { "/api/spaces/o/n", "info space o/n" },
    { "/api/models/o%2Fn", "info model o/n" },
    { "/api/models/o/n/revision/main", "info model o/n @main" },
    { "/api/models/o/n/revision/HEAD", "info model o/n" },
    { "/api/models/o/n/revision/" COMMIT, "info model o/n @" COMMIT },
    { "/api/models/o/n/revision/refs%2Fpr%2F1", "info model o/n @refs/pr/1" },
    { "/api/models/o/n/revision/refs/pr/1", "info model o/n @refs/pr/1" },
    { "/api/models/gpt2/revision/main", "info model gpt2 @main" },
    { "/api/models/o/n/tree/main", "tree model o/n @main" },
    { "/api/models/gpt2/tree/main", "tree model gpt2 @main" },
    { "/api/models/o/n/tree/main/sub", "tree model o/n @main sub" },
    { "/api/models/o/n/tree/main/a/b", "tree model o/n @main a/b" },
    { "/api/models/o/n/tree/main/a%2Fb", "tree model o/n @main a/b" },
    { "/api/models/o/n/tree/refs/pr/12/a", "tree model o/n @refs/pr/12 a" },
    { "/api/models/o/n/tree/refs/convert/parquet", "tree model o/n @refs/convert/parquet" },
    { "/api/models/o/n/tree/refs/pr/x", "tree model o/n @refs pr/x" },
    { "/api/models/o/n/tree/refs/pr", "tree model o/n @refs pr" },
    { "/api/models/o/tree/tree/main", "tree model o/tree @main" },
    { "/api/models/o/tree", "info model o/tree" },
    { "/api/models/o/n/refs", "refs model o/n" },
    { "/api/models/gpt2/refs", "refs model gpt2" },
    { "/api/datasets/o/n/refs", "refs dataset o/n" },
  };

  check_rows (rows, G_N_ELEMENTS (rows), FALSE);
}

static void
files_are_understood (void)
{
  const Row rows[] = {
    { "/o/n/resolve/main/config.json", "resolve model o/n @main config.json" },
    { "//o/n/resolve/main/config.json", "resolve model o/n @main config.json" },
    { "/gpt2/resolve/main/config.json", "resolve model gpt2 @main config.json" },
    { "/datasets/o/n/resolve/main/a/b", "resolve dataset o/n @main a/b" },
    { "/datasets/squad/resolve/main/a", "resolve dataset squad @main a" },
    { "/spaces/o/n/raw/main/app.py", "raw space o/n @main app.py" },
    { "/models/n/resolve/main/a", "resolve model models/n @main a" },
    { "/o/n/raw/HEAD/a", "raw model o/n a" },
    { "/o/n/resolve/refs%2Fpr%2F1/a", "resolve model o/n @refs/pr/1 a" },
    { "/o/n/resolve/refs/pr/1/a/b", "resolve model o/n @refs/pr/1 a/b" },
    { "/o/n/resolve/refs/convert/x/a", "resolve model o/n @refs/convert/x a" },
    { "/o/n/resolve/main/a%20b%23c", "resolve model o/n @main a b#c" },
    { "/o/n/resolve/main/a b", "resolve model o/n @main a b" },
    { "/o/n/resolve/main/1+1", "resolve model o/n @main 1+1" },
    { "/o/n/resolve/main/1%2B1", "resolve model o/n @main 1+1" },
    { "/o/n/resolve/main/100%25", "resolve model o/n @main 100%" },
    { "/o/n/resolve/main/%2520", "resolve model o/n @main %20" },
    { "/o/n/resolve/main/%C3%A9", "resolve model o/n @main \xc3\xa9" },
    { "/o/n/resolve/main/\xc3\xa9", "resolve model o/n @main \xc3\xa9" },
    { "/o/resolve/resolve/main/a", "resolve model o/resolve @main a" },
    { "/o/n/resolve/main/..a/...", "resolve model o/n @main ..a/..." },
  };

  check_rows (rows, G_N_ELEMENTS (rows), FALSE);
}

static void
names_that_must_not_be_are_refused (void)
{
  const char *paths[] = {
    "/o/n/resolve/main/../x",
    "/o/n/resolve/main/a/%2e%2e/x",
    "/o/n/resolve/main/a%2F..%2Fx",
    "/o/n/resolve/main/./x",
    "/o/n/resolve/main/%2Fetc%2Fpasswd",
    "/o/n/resolve/main//x",
    "/o/n/resolve/main/x/",
    "/o/n/resolve/main/",
    "/o/n/resolve/main/a%00",
    "/o/n/resolve/main/a%5Cb",
    "/o/n/resolve/main/a\\b",
    "/o/n/resolve/main/a%0D%0Ab",
    "/o/n/resolve/main/%FF",
    "/o/n/resolve/main/\xff",
    "/o/n/resolve/main/100%",
    "/o/n/resolve/main/%zz",
    "/o/n/resolve/../x",
    "/o/n/resolve/..%2F..%2Fx/y",
    "/o/n/resolve/a..b/x",
    "/o/n/resolve/%00/x",
    "/o/n/resolve//x",
    "/../n/resolve/main/x",
    "/%2e%2e/n/resolve/main/x",
    "/o/n%2Fm/resolve/main/x",
    "/o/n--m/resolve/main/x",
    "/-o/n/resolve/main/x",
    "/o/n.git/resolve/main/x",
    "/api/models/o/n%00",
    "/api/models/..%2Fn",
    "/api/models/",
    "/api/models/o/n/tree/main/",
    "/api/models/o/n/tree/main/..",
    "/api/models/o/n/revision/a/b",
    "/api/models/o/n/revision/",
    "/api/models/o/n/commits/..%2F..%2Fx",
    "/api/../settings",
    "/api//whoami-v2",
    "/api/%2e%2e/x",
    "/api/",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    check_row (paths[i], "bad request", FALSE);
}

/* A path of @n bytes, in components that are short enough */
static char *
resolve_of_length (gsize n)
{
  g_autofree char *name = g_strnfill (n, 'a');

  for (gsize i = 200; i < n; i += 200)
    name[i] = '/';
  return g_strconcat ("/o/n/resolve/main/", name, NULL);
}

static void
names_are_bounded (void)
{
  g_autofree char *longest = resolve_of_length (EXO_PATH_MAX);
  g_autofree char *expected =
      g_strconcat ("resolve model o/n @main ", longest + strlen ("/o/n/resolve/main/"), NULL);
  g_autofree char *longer = resolve_of_length (EXO_PATH_MAX + 1);
  g_autofree char *id = g_strnfill (97, 'a');
  g_autofree char *with_id = g_strconcat ("/api/models/o/", id, NULL);
  g_autofree char *revision = g_strnfill (EXO_REVISION_MAX + 1, 'a');
  g_autofree char *with_revision = g_strconcat ("/api/models/o/n/tree/", revision, NULL);
  const Row rows[] = {
    { longest, expected },
    { longer, "bad request" },
    { with_id, "bad request" },
    { with_revision, "bad request" },
  };

  check_rows (rows, G_N_ELEMENTS (rows), FALSE);
}

static void
posts_ask_for_paths_or_upload (void)
{
  const Row rows[] = {
    { "/api/models/o/n/paths-info/main", "paths-info model o/n @main" },
    { "/api/models/gpt2/paths-info/main", "paths-info model gpt2 @main" },
    { "/api/datasets/o/n/paths-info/refs%2Fpr%2F1", "paths-info dataset o/n @refs/pr/1" },
    { "/api/models/o/n/paths-info/a/b", "bad request" },
    { "/api/models/o/n/preupload/main", "upload" },
    { "/api/models/o/n/commit/main", "upload" },
    { "/api/repos/create", "upload" },
    { "/api/models/o/n", "upload" },
    { "/o/n.git/info/lfs/objects/batch", "upload" },
    { "/gpt2.git/info/lfs/objects/batch", "upload" },
    { "/datasets/o/n.git/info/lfs/objects/batch", "upload" },
    { "/o/n/resolve/main/a", "none" },
    { "/", "none" },
    { "/state.json", "none" },
  };
  const Row got[] = {
    { "/api/models/o/n/xet-write-token/main", "upload model o/n @main" },
    { "/o/n.git/info/lfs/objects/batch", "none" },
  };

  check_rows (rows, G_N_ELEMENTS (rows), TRUE);
  check_rows (got, G_N_ELEMENTS (got), FALSE);
}

static void
the_rest_of_the_api_is_passed_on_as_sent (void)
{
  const char *paths[] = {
    "/api/models",
    "/api/whoami-v2",
    "/api/agent-harnesses",
    "/api/models/o/n/commits/refs%2Fpr%2F1",
    "/api/models/o/n/commits/main",
    "/api/models/o/n/xet-read-token/main",
    "/api/models/o/n/discussions/1",
    "/api/models/o/n/refs/heads",
    "/api/models/o/n/paths-info/main",
    "/api/kernels/o/n",
    "/api/telemetry/a%20b",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_autofree char *doubled = g_strconcat ("/", paths[i], NULL);
      g_auto (ExoRoute) route, again;

      exo_route_parse (&route, FALSE, paths[i], "search=a%20b&limit=20");
      CU_ASSERT_EQUAL (route.kind, EXO_ROUTE_PASS);
      CU_ASSERT_TRUE (g_strcmp0 (route.path, paths[i]) == 0);
      exo_route_parse (&again, FALSE, doubled, "");
      CU_ASSERT_TRUE (g_strcmp0 (again.path, paths[i]) == 0);
    }
}

static void
pages_are_ours_and_what_else_there_is_is_nobodys (void)
{
  const Row rows[] = {
    { "/", "page" },
    { "//", "page" },
    { "/state.json", "state" },
    { "/metrics", "metrics" },
    { "/metrics/", "none" },
    { "/favicon.ico", "none" },
    { "/o/n", "none" },
    { "/o/n/blob/main/a", "none" },
    { "/o/n/resolve/main", "none" },
    { "/kernels/o/n/resolve/main/a", "none" },
    { "/a/b/c/d/resolve/main/x", "none" },
    { "/apis/models/o/n", "none" },
    { "/api", "none" },
    { "", "none" },
    { "*", "none" },
    { "o/n/resolve/main/a", "none" },
  };

  check_rows (rows, G_N_ELEMENTS (rows), FALSE);
}

static void
the_query_is_read (void)
{
  const struct
  {
    const char *query;
    gboolean recursive, expand, blobs, paged;
  } rows[] = {
    { "", FALSE, FALSE, FALSE, FALSE },
    { "recursive=true&expand=false", TRUE, FALSE, FALSE, FALSE },
    { "recursive=True&expand=True", TRUE, TRUE, FALSE, FALSE },
    { "recursive=1", TRUE, FALSE, FALSE, FALSE },
    { "recursive=0", FALSE, FALSE, FALSE, FALSE },
    { "recursive", FALSE, FALSE, FALSE, FALSE },
    { "recursiv%65=tru%65", TRUE, FALSE, FALSE, FALSE },
    { "blobs=true&securityStatus=true", FALSE, FALSE, TRUE, FALSE },
    { "expand=safetensors&expand=sha", FALSE, FALSE, FALSE, FALSE },
    { "recursive=true&limit=50&cursor=WlhsS2JXRjA%3D", TRUE, FALSE, FALSE, TRUE },
    { "cursor=", FALSE, FALSE, FALSE, FALSE },
    { "&&=&recursive=true&", TRUE, FALSE, FALSE, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (ExoRoute) route;

      exo_route_parse (&route, FALSE, "/api/models/o/n/tree/main", rows[i].query);
      CU_ASSERT_EQUAL (route.kind, EXO_ROUTE_TREE);
      CU_ASSERT_EQUAL (route.recursive, rows[i].recursive);
      CU_ASSERT_EQUAL (route.expand, rows[i].expand);
      CU_ASSERT_EQUAL (route.blobs, rows[i].blobs);
      CU_ASSERT_EQUAL (route.paged, rows[i].paged);
    }
}

static void
a_query_that_cannot_be_decoded_is_refused (void)
{
  const char *queries[] = { "recursive=%", "a=%00", "%ff=1", "a&b=%4" };

  for (gsize i = 0; i < G_N_ELEMENTS (queries); i++)
    {
      g_auto (ExoRoute) route;

      exo_route_parse (&route, FALSE, "/api/models/o/n", queries[i]);
      CU_ASSERT_EQUAL (route.kind, EXO_ROUTE_BAD_REQUEST);
      CU_ASSERT_PTR_NULL (route.id);
    }
}

static void
append_field (const char *name, const char *value, gpointer user_data)
{
  g_string_append_printf (user_data, "[%s|%s]", name, value);
}

static void
forms_are_decoded_in_their_order (void)
{
  g_autoptr (GString) seen = g_string_new (NULL);

  CU_ASSERT_TRUE (exo_form_foreach ("a=1+2%2B3&&b&a=%3D=&=x", append_field, seen));
  CU_ASSERT_STRING_EQUAL (seen->str, "[a|1 2+3][b|][a|==][|x]");
}

EXO_SUITE ("route",
           TEST (the_api_is_understood),
           TEST (files_are_understood),
           TEST (names_that_must_not_be_are_refused),
           TEST (names_are_bounded),
           TEST (posts_ask_for_paths_or_upload),
           TEST (the_rest_of_the_api_is_passed_on_as_sent),
           TEST (pages_are_ours_and_what_else_there_is_is_nobodys),
           TEST (the_query_is_read),
           TEST (a_query_that_cannot_be_decoded_is_refused),
           TEST (forms_are_decoded_in_their_order))
