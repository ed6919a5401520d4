/* test-hub.c - the Hub client against a Hub and a CDN that misbehave
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <unistd.h>

#include "tests/unit/script-server.h"
#include "tests/unit/suite.h"
#include "transfer/error.h"
#include "transfer/hub/hub-private.h"

#define COMMIT  "0123456789abcdef0123456789abcdef01234567"
#define SHA1    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
#define SHA256  "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707"
#define POINTER "44b36d6e32d13c8fb28b0feab0ac8bfefa7efeda"
#define ENTITY  3000000u
#define FILES   4u /* fetches at once, at most */

/* A machine that is busy with other tests is no Hub that has stopped. */
static const ExoHubTimes quick = { 10000, 2000, 2000, 5 * (gint64) G_USEC_PER_SEC };

typedef struct
{
  guint n_done;
  GError *error;
  guint64 progress;
} Outcome;

typedef struct
{
  ScriptServer *hub_server, *cdn_server;
  ExoFetcher *fetcher;
  ExoHub *hub;
  guchar *entity;
  int fd;
  ScriptAnswer on_hub, on_cdn;

  guint n_resolves, n_cdn, n_with_token_at_cdn, n_without_token_at_hub;
  guint n_changed;
  Outcome outcomes[FILES];
  ExoHubFetch *fetches[FILES];
  guint n_fetches;

  gboolean listed;
  ExoManifest *manifest;
  GError *error;
  gboolean open;
  const char *page; /* what the tree answers */
} Fixture;

static void
hub_answer (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  Fixture *f = user_data;
  g_autofree char *authorization = script_request_header (request, "Authorization");

  f->n_without_token_at_hub += g_strcmp0 (authorization, "Bearer hf_secret") != 0;
  f->n_resolves += strstr (request->path, "/resolve/") != NULL;
  f->on_hub (request, reply, f);
}

static void
cdn_answer (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  Fixture *f = user_data;
  g_autofree char *authorization = script_request_header (request, "Authorization");

  f->n_cdn++;
  f->n_with_token_at_cdn += authorization != NULL;
  f->on_cdn (request, reply, f);
}

static void
on_changed (ExoHub *hub, gpointer user_data)
{
  ((Fixture *) user_data)->n_changed++;
}

static void
setup (Fixture *f, ScriptAnswer on_hub, ScriptAnswer on_cdn)
{
  char name[] = "/tmp/exo-test-XXXXXX";
  g_autofree char *endpoint = NULL;
  ExoHubConfig config = { .token = " hf_secret\r\n" };

  memset (f, 0, sizeof *f);
  f->on_hub = on_hub;
  f->on_cdn = on_cdn;
  f->entity = g_malloc (ENTITY);
  for (guint i = 0; i < ENTITY; i++)
    f->entity[i] = (guchar) (i * 2654435761u >> 13);
  f->fd = mkstemp (name);
  unlink (name);
  f->hub_server = script_server_new (hub_answer, f);
  f->cdn_server = script_server_new (cdn_answer, f);
  f->fetcher = exo_fetcher_new (NULL, "exo-test/1");
  endpoint = script_server_url (f->hub_server, "/");
  config.endpoint = endpoint;
  f->hub = exo_hub_new (f->fetcher, &config);
  exo_hub_set_times (f->hub, &quick);
  exo_hub_set_watch (f->hub, on_changed, f);
}

static void
teardown (Fixture *f)
{
  exo_hub_free (f->hub);
  exo_fetcher_free (f->fetcher);
  script_server_free (f->hub_server);
  script_server_free (f->cdn_server);
  close (f->fd);
  g_free (f->entity);
  for (guint i = 0; i < FILES; i++)
    g_clear_error (&f->outcomes[i].error);
  g_clear_error (&f->error);
  g_clear_pointer (&f->manifest, exo_manifest_unref);
  CU_ASSERT_EQUAL (f->n_with_token_at_cdn, 0);
}

/* Fetching ----------------------------------------------------------------------------------------- */

static void
on_progress (ExoHubFetch *fetch, guint64 n_written, gpointer user_data)
{
  Outcome *outcome = user_data;

  CU_ASSERT_TRUE (n_written > outcome->progress);
  CU_ASSERT_EQUAL (outcome->n_done, 0);
  outcome->progress = n_written;
}

static void
on_done (ExoHubFetch *fetch, const GError *error, gpointer user_data)
{
  Outcome *outcome = user_data;

  outcome->n_done++;
  outcome->error = error != NULL ? g_error_copy (error) : NULL;
}

static void
start (Fixture *f, guint64 first, guint64 length)
{
  static const ExoHubFetchCallbacks callbacks = { on_progress, on_done };
  guint i = f->n_fetches++;

  f->fetches[i] = exo_hub_fetch (f->hub, EXO_REPO_MODEL, "org/name", COMMIT, "sub/a b#c%.bin",
                                 SHA256, ENTITY, f->fd, first, length, &callbacks, &f->outcomes[i]);
}

static void
wait_all (Fixture *f)
{
  for (guint i = 0; i < f->n_fetches; i++)
    while (f->outcomes[i].n_done == 0)
      g_main_context_iteration (NULL, TRUE);
}

static gboolean
holds (Fixture *f, guint64 first, guint64 length)
{
  g_autofree guchar *bytes = g_malloc (length);

  return pread (f->fd, bytes, length, (off_t) first) == (ssize_t) length &&
         memcmp (bytes, f->entity + first, length) == 0;
}

/* The whole of the entity, in one fetch that has to succeed */
static void
expect_whole (Fixture *f)
{
  start (f, 0, ENTITY);
  wait_all (f);
  CU_ASSERT_PTR_NULL (f->outcomes[0].error);
  if (f->outcomes[0].error != NULL)
    fprintf (stderr, "%s\n", f->outcomes[0].error->message);
  CU_ASSERT_EQUAL (f->outcomes[0].progress, ENTITY);
  CU_ASSERT_TRUE (holds (f, 0, ENTITY));
}

static void
expect_failure (Fixture *f, ExoTransferError code)
{
  start (f, 0, ENTITY);
  wait_all (f);
  CU_ASSERT_TRUE (g_error_matches (f->outcomes[0].error, EXO_TRANSFER_ERROR, (int) code));
  if (f->outcomes[0].error != NULL && f->outcomes[0].error->code != (int) code)
    fprintf (stderr, "%s\n", f->outcomes[0].error->message);
}

#define TO_CDN(etag)                                                                               \
  "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/x?Expires=100000&Signature=s\r\n"           \
  "X-Linked-Size: 3000000\r\nX-Linked-Etag: \"" etag "\"\r\nContent-Length: 5\r\n\r\nFound"

static void
to_cdn (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  Fixture *f = user_data;

  CU_ASSERT_STRING_EQUAL (request->path, "/org/name/resolve/" COMMIT "/sub/a%20b%23c%25.bin");
  script_reply_printf (reply, TO_CDN (SHA256), script_server_port (f->cdn_server));
}

static void
cdn_good (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  Fixture *f = user_data;

  script_reply_entity (
      reply, request, f->entity, ENTITY,
      "ETag: \"b3d0a1f7938cd4d8413a4dcffd4313e2e8ac0cb61cb1090eb140ea8e9154befb\"\r\n");
}

static void
a_signed_address_is_asked_for_once (void)
{
  Fixture f;
  ExoHubState state;

  setup (&f, to_cdn, cdn_good);
  start (&f, 0, 1000000);
  start (&f, 1000000, 1000000);
  start (&f, 2000000, 1000000);
  wait_all (&f);
  start (&f, 5, 10);
  wait_all (&f);
  for (guint i = 0; i < 4; i++)
    CU_ASSERT_PTR_NULL (f.outcomes[i].error);
  CU_ASSERT_TRUE (holds (&f, 0, ENTITY));
  CU_ASSERT_EQUAL (f.n_resolves, 1);
  CU_ASSERT_EQUAL (f.n_cdn, 4);
  CU_ASSERT_EQUAL (f.n_without_token_at_hub, 0);
  exo_hub_get_state (f.hub, &state);
  CU_ASSERT_EQUAL (state.requests, 5);
  CU_ASSERT_EQUAL (state.bytes, ENTITY + 10);
  CU_ASSERT_TRUE (state.reachable && state.has_token && state.first_byte_us > 0);
  teardown (&f);
}

static void
another_identity_is_changed (void)
{
  Fixture f;

  setup (&f, to_cdn, cdn_good);
  f.n_fetches = 1;
  f.fetches[0] =
      exo_hub_fetch (f.hub, EXO_REPO_MODEL, "org/name", COMMIT, "sub/a b#c%.bin", SHA1, ENTITY,
                     f.fd, 0, 10, &(ExoHubFetchCallbacks){ on_progress, on_done }, &f.outcomes[0]);
  wait_all (&f);
  CU_ASSERT_TRUE (
      g_error_matches (f.outcomes[0].error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CHANGED));
  CU_ASSERT_EQUAL (f.n_cdn, 0);
  teardown (&f);
}

/* A mirror that answers itself; and a 307 to a path */
static void
direct (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  Fixture *f = user_data;

  script_reply_entity (reply, request, f->entity, ENTITY, "ETag: \"" SHA256 "\"\r\n");
}

static void
path_only (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  if (g_str_has_prefix (request->path, "/api/resolve-cache/"))
    direct (request, reply, user_data);
  else
    script_reply_printf (reply,
                         "HTTP/1.1 307 Temporary Redirect\r\nLocation: /api/resolve-cache/m?x=1\r\n"
                         "X-Linked-Etag: \"" SHA256 "\"\r\nContent-Length: 0\r\n\r\n");
}

static void
bytes_of_the_hub_itself_are_fine (void)
{
  Fixture f;

  setup (&f, direct, cdn_good);
  expect_whole (&f);
  CU_ASSERT_EQUAL (f.n_resolves, 1);
  teardown (&f);

  setup (&f, path_only, cdn_good);
  expect_whole (&f);
  CU_ASSERT_EQUAL (f.n_without_token_at_hub, 0);
  start (&f, 7, 9);
  wait_all (&f);
  CU_ASSERT_EQUAL (f.n_resolves, 1);
  CU_ASSERT_EQUAL (script_server_n_requests (f.hub_server), 3);
  teardown (&f);
}

static void
other_etag (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  Fixture *f = user_data;

  script_reply_entity (reply, request, f->entity, ENTITY, "ETag: \"" SHA1 "\"\r\n");
}

static void
bytes_of_another_file_are_not_written (void)
{
  Fixture f;

  setup (&f, other_etag, cdn_good);
  expect_failure (&f, EXO_TRANSFER_ERROR_CHANGED);
  CU_ASSERT_EQUAL (lseek (f.fd, 0, SEEK_END), 0);
  teardown (&f);
}

/* Each first answer goes wrong in its own way; then all is well. */
static guint fault;

static void
cdn_faulty_once (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  static const char *const refusals[] = {
    "403 Forbidden",       "500 Oops", "502 Bad Gateway", "503 Busy", "504 Gateway Timeout",
    "408 Request Timeout",
  };

  if (request->n > 0 || fault == 0)
    cdn_good (request, reply, user_data);
  else if (fault <= 6)
    script_reply_printf (reply, "HTTP/1.1 %s\r\nContent-Length: 3\r\n\r\n<x>", refusals[fault - 1]);
  else if (fault == 7)
    reply->end = SCRIPT_RESET;
  else if (fault == 8)
    reply->end = SCRIPT_STALL;
  else if (fault == 9)
    script_reply_printf (reply, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<x/>");
  else if (fault == 10)
    script_reply_printf (reply, "HTTP/1.1 206 OK\r\nContent-Range: bytes 1-4/3000000\r\n"
                                "Content-Length: 4\r\n\r\nabcd");
  else
    {
      cdn_good (request, reply, user_data);
      g_byte_array_set_size (reply->bytes, 1500000);
      reply->end = fault == 11 ? SCRIPT_CLOSE : fault == 12 ? SCRIPT_STALL : SCRIPT_RESET;
    }
}

static void
every_fault_is_survived_once (void)
{
  for (fault = 0; fault <= 13; fault++)
    {
      Fixture f;

      setup (&f, to_cdn, cdn_faulty_once);
      expect_whole (&f);
      CU_ASSERT_EQUAL (f.n_cdn, fault == 0 ? 1 : 2);
      CU_ASSERT_EQUAL (f.n_resolves, fault == 1 || fault == 9 || fault == 10 ? 2 : 1);
      teardown (&f);
    }
}

static guint64 resumed_at;

static void
cdn_breaks_then_expires (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  if (request->n == 0)
    {
      cdn_good (request, reply, user_data);
      g_byte_array_set_size (reply->bytes, 1000000);
      reply->end = SCRIPT_CLOSE;
    }
  else if (request->n == 1)
    script_reply_printf (reply, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  else
    {
      resumed_at = request->first;
      cdn_good (request, reply, user_data);
    }
}

static void
a_renewed_address_goes_on_at_the_byte (void)
{
  Fixture f;
  ExoHubState state;

  setup (&f, to_cdn, cdn_breaks_then_expires);
  expect_whole (&f);
  CU_ASSERT_TRUE (resumed_at > 990000 && resumed_at < 1000000);
  CU_ASSERT_EQUAL (f.n_resolves, 2);
  exo_hub_get_state (f.hub, &state);
  CU_ASSERT_EQUAL (state.bytes, ENTITY); /* none twice */
  teardown (&f);
}

static void
forbidden (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  script_reply_printf (reply, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
}

static void
renewals_are_bounded (void)
{
  Fixture f;

  setup (&f, to_cdn, forbidden);
  expect_failure (&f, EXO_TRANSFER_ERROR_UNREACHABLE);
  CU_ASSERT_EQUAL (f.n_cdn, 5);
  teardown (&f);
}

static void
gated (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  script_reply_printf (
      reply, "HTTP/1.1 403 Forbidden\r\nX-Error-Code: GatedRepo\r\nContent-Length: 0\r\n\r\n");
}

static void
denial_is_told_to_all_and_not_asked_again (void)
{
  Fixture f;

  setup (&f, gated, cdn_good);
  start (&f, 0, 10);
  start (&f, 10, 10);
  start (&f, 20, 10);
  wait_all (&f);
  for (guint i = 0; i < 3; i++)
    CU_ASSERT_TRUE (
        g_error_matches (f.outcomes[i].error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DENIED));
  CU_ASSERT_PTR_NOT_NULL (strstr (f.outcomes[0].error->message, "/org/name"));
  CU_ASSERT_EQUAL (f.n_resolves, 1);
  teardown (&f);
}

static const char *limit_headers;

static void
limited (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  if (request->n > 0)
    {
      to_cdn (request, reply, user_data);
      return;
    }
  script_reply_printf (reply, "HTTP/1.1 429 Too Many\r\n%sContent-Length: 0\r\n\r\n",
                       limit_headers);
}

static void
a_long_rate_limit_is_the_callers_to_wait_for (void)
{
  const char *rows[] = { "RateLimit: \"resolvers\";r=0;t=172\r\n", "Retry-After: 172\r\n" };

  for (guint i = 0; i < 2; i++)
    {
      Fixture f;
      ExoHubState state;

      limit_headers = rows[i];
      setup (&f, limited, cdn_good);
      expect_failure (&f, EXO_TRANSFER_ERROR_RATE_LIMITED);
      exo_hub_get_state (f.hub, &state);
      CU_ASSERT_TRUE (state.blocked_until_us > g_get_monotonic_time () + 160 * G_USEC_PER_SEC);
      CU_ASSERT_TRUE (state.reachable);
      CU_ASSERT_EQUAL (f.n_changed, 1);
      start (&f, 0, 10); /* nobody asks before that */
      wait_all (&f);
      CU_ASSERT_TRUE (g_error_matches (f.outcomes[1].error, EXO_TRANSFER_ERROR,
                                       EXO_TRANSFER_ERROR_RATE_LIMITED));
      CU_ASSERT_EQUAL (script_server_n_requests (f.hub_server), 1);
      teardown (&f);
    }
}

static void
a_rate_limit_without_a_hint_is_waited_for (void)
{
  Fixture f;

  limit_headers = "";
  setup (&f, limited, cdn_good);
  expect_whole (&f);
  CU_ASSERT_EQUAL (f.n_resolves, 2);
  teardown (&f);
}

static void
circle (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  script_reply_printf (reply,
                       "HTTP/1.1 307 Again\r\nLocation: /api/again\r\nContent-Length: 0\r\n\r\n");
}

static void
elsewhere (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  script_reply_printf (
      reply, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
}

static void
redirects_are_bounded_and_checked (void)
{
  Fixture f;

  setup (&f, circle, cdn_good);
  expect_failure (&f, EXO_TRANSFER_ERROR_UNREACHABLE);
  CU_ASSERT_EQUAL (script_server_n_requests (f.hub_server), 11);
  teardown (&f);

  setup (&f, elsewhere, cdn_good);
  expect_failure (&f, EXO_TRANSFER_ERROR_INVALID);
  teardown (&f);
}

static void
dead (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  reply->end = SCRIPT_RESET;
}

static void
a_dead_hub_is_unreachable_after_some_tries (void)
{
  Fixture f;
  ExoHubState state;

  setup (&f, dead, cdn_good);
  expect_failure (&f, EXO_TRANSFER_ERROR_UNREACHABLE);
  exo_hub_get_state (f.hub, &state);
  CU_ASSERT_FALSE (state.reachable);
  CU_ASSERT_EQUAL (state.requests, 6);
  CU_ASSERT_EQUAL (f.n_changed, 1);
  teardown (&f);
}

static void
silent (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  reply->end = SCRIPT_STALL;
}

static void
cancelling_ends_each_once_and_others_go_on (void)
{
  Fixture f;

  setup (&f, to_cdn, cdn_good);
  start (&f, 0, 10); /* resolves */
  start (&f, 10, 10);
  start (&f, 20, 10);
  exo_hub_fetch_cancel (f.fetches[0]);
  exo_hub_fetch_cancel (f.fetches[1]);
  exo_hub_fetch_cancel (f.fetches[1]);
  wait_all (&f);
  CU_ASSERT_TRUE (
      g_error_matches (f.outcomes[0].error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED));
  CU_ASSERT_TRUE (
      g_error_matches (f.outcomes[1].error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED));
  CU_ASSERT_PTR_NULL (f.outcomes[2].error);
  CU_ASSERT_TRUE (holds (&f, 20, 10));
  teardown (&f);
}

static void
freeing_the_hub_ends_every_fetch (void)
{
  Fixture f;

  setup (&f, silent, cdn_good);
  start (&f, 0, 10);
  start (&f, 10, 10);
  exo_hub_free (g_steal_pointer (&f.hub));
  exo_fetcher_free (g_steal_pointer (&f.fetcher));
  for (guint i = 0; i < 2; i++)
    {
      CU_ASSERT_EQUAL (f.outcomes[i].n_done, 1);
      CU_ASSERT_TRUE (
          g_error_matches (f.outcomes[i].error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED));
    }
  teardown (&f);
}

/* Listings ------------------------------------------------------------------------------------------ */

static void
on_listed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Fixture *f = user_data;

  f->manifest = exo_hub_manifest_finish (f->hub, result, &f->error);
  f->listed = TRUE;
}

static void
list (Fixture *f, const char *revision)
{
  exo_hub_manifest_async (f->hub, EXO_REPO_MODEL, "org/name", revision, NULL, on_listed, f);
  while (!f->listed)
    g_main_context_iteration (NULL, TRUE);
}

static void
json (ScriptReply *reply, const char *headers, const char *text)
{
  script_reply_printf (reply,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%s"
                       "Content-Length: %zu\r\n\r\n%s",
                       headers, strlen (text), text);
}

#define INFO(open) "{\"sha\":\"" COMMIT "\",\"private\":false,\"gated\":" open "}"
#define SMALL      "{\"type\":\"file\",\"oid\":\"" SHA1 "\",\"size\":0,\"path\":\"sub/empty\"}"
#define LARGE(pointer)                                                                             \
  "{\"type\":\"file\",\"oid\":\"" pointer "\",\"size\":548105171,\"path\":\"model.safetensors\","  \
  "\"lfs\":{\"oid\":\"" SHA256 "\",\"size\":548105171,\"pointerSize\":134},\"xetHash\":\"00\"}"
#define FOLDER "{\"type\":\"directory\",\"oid\":\"" SHA1 "\",\"size\":0,\"path\":\"sub\"}"

static void
two_pages (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  Fixture *f = user_data;
  g_autofree char *link =
      g_strdup_printf ("Link: <http://127.0.0.1:%u/api/models/org/name/tree/x?cursor=2>; "
                       "rel=\"next\"\r\n",
                       script_server_port (f->hub_server));

  if (strcmp (request->path, "/api/models/org/name/revision/refs%2Fpr%2F1") == 0)
    script_reply_printf (reply,
                         "HTTP/1.1 307 Moved\r\nLocation: /api/models/new/name/revision/r\r\n"
                         "Content-Length: 0\r\n\r\n");
  else if (strstr (request->path, "/revision/") != NULL)
    json (reply, "", INFO ("false"));
  else if (strstr (request->path, "cursor") != NULL)
    json (reply, "", "[" LARGE (POINTER) "]");
  else
    json (reply, link, "[" FOLDER "," SMALL "]");
}

static void
all_pages_of_a_commit_are_read (void)
{
  Fixture f;

  setup (&f, two_pages, cdn_good);
  list (&f, "refs/pr/1");
  CU_ASSERT_PTR_NULL (f.error);
  CU_ASSERT_PTR_NOT_NULL_FATAL (f.manifest);
  CU_ASSERT_EQUAL (exo_manifest_n_files (f.manifest), 2);
  CU_ASSERT_STRING_EQUAL (exo_manifest_file (f.manifest, 0)->oid, SHA256);
  CU_ASSERT_STRING_EQUAL (exo_manifest_commit (f.manifest), COMMIT);
  CU_ASSERT_STRING_EQUAL (exo_manifest_id (f.manifest), "org/name");
  CU_ASSERT_TRUE (exo_manifest_is_open (f.manifest));
  CU_ASSERT_EQUAL (f.n_without_token_at_hub, 0);
  teardown (&f);
}

static void
scripted_page (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  Fixture *f = user_data;

  if (strstr (request->path, "/tree/") == NULL)
    json (reply, "", INFO ("\"auto\""));
  else
    script_reply_printf (reply, "HTTP/1.1 200 OK\r\n%s", f->page);
  reply->end = SCRIPT_CLOSE;
}

static void
a_listing_that_is_not_one_is_refused (void)
{
#define JSON "Connection: close\r\n\r\n"
  const struct
  {
    const char *page;
    ExoTransferError code;
  } rows[] = {
    { JSON "[" LARGE (SHA1) "]", EXO_TRANSFER_ERROR_INVALID },
    { JSON "[" SMALL, EXO_TRANSFER_ERROR_INVALID },
    { JSON "{}", EXO_TRANSFER_ERROR_INVALID },
    { JSON "[1]", EXO_TRANSFER_ERROR_INVALID },
    { JSON "[" SMALL "," SMALL "]", EXO_TRANSFER_ERROR_INVALID },
    { JSON "[{\"type\":\"file\",\"oid\":\"" SHA1 "\",\"size\":0,\"path\":\"../x\"}]",
      EXO_TRANSFER_ERROR_INVALID },
    { JSON "[{\"type\":\"file\",\"oid\":\"" SHA1 "\",\"size\":0,\"path\":\"x\",\"lfs\":{\"oid\":"
           "\"****************************************************************\",\"size\":0}}]",
      EXO_TRANSFER_ERROR_DENIED },
    { "Link: <http://127.0.0.2/x>; rel=\"next\"\r\n" JSON "[]", EXO_TRANSFER_ERROR_INVALID },
    { "Content-Type: text/html; charset=utf-8\r\n" JSON "<html>Log in</html>",
      EXO_TRANSFER_ERROR_UNREACHABLE },
    { "Content-Length: 1000\r\n\r\n[]", EXO_TRANSFER_ERROR_UNREACHABLE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      Fixture f;

      setup (&f, scripted_page, cdn_good);
      f.page = rows[i].page;
      list (&f, NULL);
      if (!g_error_matches (f.error, EXO_TRANSFER_ERROR, (int) rows[i].code))
        {
          fprintf (stderr, "row %zu: %s\n", i, f.error != NULL ? f.error->message : "accepted");
          CU_FAIL ("listing");
        }
      teardown (&f);
    }
}

static void
errors (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  Fixture *f = user_data;

  if (f->page[0] == '{')
    json (reply, "", f->page);
  else
    script_reply_printf (reply, "HTTP/1.1 %sContent-Length: 0\r\n\r\n", f->page);
}

static void
the_hubs_errors_are_told_apart (void)
{
  const struct
  {
    const char *answer;
    ExoTransferError code;
  } rows[] = {
    { "404 Not Found\r\nX-Error-Code: RepoNotFound\r\n", EXO_TRANSFER_ERROR_NOT_FOUND },
    { "404 Not Found\r\nX-Error-Code: RevisionNotFound\r\n", EXO_TRANSFER_ERROR_NO_REVISION },
    { "401 Unauthorized\r\nX-Error-Message: Invalid credentials\r\n", EXO_TRANSFER_ERROR_DENIED },
    { "401 Unauthorized\r\nX-Error-Code: GatedRepo\r\n", EXO_TRANSFER_ERROR_DENIED },
    { "403 Forbidden\r\nX-Error-Message: Access to this resource is disabled.\r\n",
      EXO_TRANSFER_ERROR_DENIED },
    { "503 Busy\r\n", EXO_TRANSFER_ERROR_UNREACHABLE },
    { "429 Slow\r\nRetry-After: 100\r\n", EXO_TRANSFER_ERROR_RATE_LIMITED },
    { "302 Found\r\nLocation: http://127.0.0.1:1/login\r\n", EXO_TRANSFER_ERROR_UNREACHABLE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      Fixture f;

      setup (&f, errors, cdn_good);
      f.page = rows[i].answer;
      list (&f, "main");
      if (!g_error_matches (f.error, EXO_TRANSFER_ERROR, (int) rows[i].code))
        {
          fprintf (stderr, "row %zu: %s\n", i, f.error != NULL ? f.error->message : "accepted");
          CU_FAIL ("error");
        }
      CU_ASSERT_TRUE (f.error == NULL || strstr (f.error->message, "hf_secret") == NULL);
      teardown (&f);
    }
}

static void
on_open (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Fixture *f = user_data;

  CU_ASSERT_TRUE (exo_hub_is_open_finish (f->hub, result, &f->open, &f->error));
  f->listed = TRUE;
}

static gboolean
is_open (const char *answer)
{
  Fixture f;
  gboolean open;

  setup (&f, errors, cdn_good);
  f.page = answer;
  f.open = TRUE;
  exo_hub_is_open_async (f.hub, EXO_REPO_MODEL, "org/name", NULL, on_open, &f);
  while (!f.listed)
    g_main_context_iteration (NULL, TRUE);
  CU_ASSERT_EQUAL (f.n_without_token_at_hub, 1);
  open = f.open;
  teardown (&f);
  return open;
}

/* A timer of whole milliseconds that ends before it does would use up all tries within the last of them. */
static void
a_rate_limit_is_waited_for_to_its_end (void)
{
  for (guint i = 0; i < 20; i++)
    {
      Fixture f;

      setup (&f, errors, cdn_good);
      f.page = INFO ("false");
      f.hub->state.blocked_until_us = g_get_monotonic_time () + 3500 + 37 * i;
      exo_hub_is_open_async (f.hub, EXO_REPO_MODEL, "org/name", NULL, on_open, &f);
      while (!f.listed)
        g_main_context_iteration (NULL, TRUE);
      CU_ASSERT_TRUE (f.open);
      CU_ASSERT_PTR_NULL (f.error);
      teardown (&f);
    }
}

static void
openness_is_asked_without_the_token (void)
{
  CU_ASSERT_TRUE (is_open (INFO ("false")));
  CU_ASSERT_FALSE (is_open (INFO ("\"auto\"")));
  CU_ASSERT_FALSE (is_open ("{\"private\":true,\"gated\":false}"));
  CU_ASSERT_FALSE (is_open ("{\"gated\":false}"));
  CU_ASSERT_FALSE (is_open ("401 Unauthorized\r\n"));
  CU_ASSERT_FALSE (is_open ("404 Not Found\r\n"));
}

static void
offline_asks_nobody (void)
{
  Fixture f;
  ExoHubConfig config = { .endpoint = "http://127.0.0.1:1", .offline = TRUE };

  setup (&f, direct, cdn_good);
  exo_hub_free (f.hub);
  f.hub = exo_hub_new (f.fetcher, &config);
  list (&f, NULL);
  CU_ASSERT_TRUE (g_error_matches (f.error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE));
  CU_ASSERT_STRING_EQUAL (f.error->message, "HF_HUB_OFFLINE is set");
  expect_failure (&f, EXO_TRANSFER_ERROR_UNREACHABLE);
  CU_ASSERT_EQUAL (script_server_n_requests (f.hub_server), 0);
  teardown (&f);
}

EXO_SUITE ("hub",
           TEST (a_signed_address_is_asked_for_once),
           TEST (another_identity_is_changed),
           TEST (bytes_of_the_hub_itself_are_fine),
           TEST (bytes_of_another_file_are_not_written),
           TEST (every_fault_is_survived_once),
           TEST (a_renewed_address_goes_on_at_the_byte),
           TEST (renewals_are_bounded),
           TEST (denial_is_told_to_all_and_not_asked_again),
           TEST (a_long_rate_limit_is_the_callers_to_wait_for),
           TEST (a_rate_limit_without_a_hint_is_waited_for),
           TEST (redirects_are_bounded_and_checked),
           TEST (a_dead_hub_is_unreachable_after_some_tries),
           TEST (cancelling_ends_each_once_and_others_go_on),
           TEST (freeing_the_hub_ends_every_fetch),
           TEST (all_pages_of_a_commit_are_read),
           TEST (a_listing_that_is_not_one_is_refused),
           TEST (the_hubs_errors_are_told_apart),
           TEST (a_rate_limit_is_waited_for_to_its_end),
           TEST (openness_is_asked_without_the_token),
           TEST (offline_asks_nobody))
