/* endpoint.c - one request after the other to the right place
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "transfer/endpoint/endpoint-private.h"
#include "transfer/endpoint/repo-json.h"

#define NOT_FOUND_BODY "Entry not found"

typedef struct
{
  ExoLocalRequest *request; /* until it is answered */
  ExoRoute route;
} Errand;

static void
errand_free (Errand *errand)
{
  exo_route_clear (&errand->route);
  g_free (errand);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Errand, errand_free)

/* --- answers ---------------------------------------------------------------------------------------- */

static void
respond_json (ExoLocalRequest *request, guint status, GBytes *json)
{
  const char *const headers[] = { "Content-Type", "application/json; charset=utf-8", NULL };

  exo_local_respond (request, status, headers, json);
}

/* As the Hub says it (hub-protocol.md 2.5): with an ETag and a body, or exo tries for a long time. */
void
exo_endpoint_refuse (ExoLocalRequest *request,
                     guint status,
                     const char *code,
                     const char *message,
                     const char *commit)
{
  g_autofree char *text = g_utf8_make_valid (message, -1);
  gboolean no_entry = g_strcmp0 (code, "EntryNotFound") == 0;
  g_autoptr (GBytes) body = no_entry ? g_bytes_new_static (NOT_FOUND_BODY, strlen (NOT_FOUND_BODY))
                                     : exo_repo_json_error (text);
  const char *headers[12] = { "Content-Type",
                              no_entry ? "text/plain" : "application/json",
                              "X-Error-Message",
                              g_strdelimit (text, "\r\n\t", ' '),
                              "ETag",
                              "W/\"f-error\"" };
  guint n = 6;

  if (code != NULL)
    {
      headers[n++] = "X-Error-Code";
      headers[n++] = code;
    }
  if (commit != NULL)
    {
      headers[n++] = "X-Repo-Commit";
      headers[n++] = commit;
    }
  exo_local_respond (request, status, headers, body);
}

void
exo_endpoint_refuse_error (ExoLocalRequest *request, const GError *error)
{
  int code = error->domain == EXO_TRANSFER_ERROR ? error->code : EXO_TRANSFER_ERROR_FAILED;

  /* Trouble on the way is never 401 or 404: clients take those for final. */
  if (code == EXO_TRANSFER_ERROR_NOT_FOUND)
    exo_endpoint_refuse (request, 404, "RepoNotFound", error->message, NULL);
  else if (code == EXO_TRANSFER_ERROR_NO_REVISION)
    exo_endpoint_refuse (request, 404, "RevisionNotFound", error->message, NULL);
  else if (code == EXO_TRANSFER_ERROR_DENIED)
    exo_endpoint_refuse (request, 403, "GatedRepo", error->message, NULL);
  else if (code == EXO_TRANSFER_ERROR_INVALID)
    exo_endpoint_refuse (request, 400, NULL, error->message, NULL);
  else if (code == EXO_TRANSFER_ERROR_RATE_LIMITED || code == EXO_TRANSFER_ERROR_BUSY)
    exo_endpoint_refuse (request, 503, NULL, error->message, NULL);
  else
    exo_endpoint_refuse (request, 502, NULL, error->message, NULL);
}

/* --- what needs the list of files --------------------------------------------------------------------- */

static void
answer_tree (Errand *errand, ExoManifest *manifest)
{
  const char *agent = exo_local_request_header (errand->request, "User-Agent");
  g_autoptr (GBytes) json = NULL;

  if (errand->route.paged) /* a page after the only one */
    json = g_bytes_new_static ("[]", 2);
  else
    json = exo_repo_json_tree (manifest, errand->route.path, errand->route.recursive,
                               agent != NULL && strstr (agent, "aiohttp") != NULL);
  if (json != NULL)
    respond_json (errand->request, 200, json);
  else
    exo_endpoint_refuse (errand->request, 404, "EntryNotFound", "no such folder",
                         exo_manifest_commit (manifest));
}

static void
answer_paths (Errand *errand, ExoManifest *manifest)
{
  g_auto (GStrv) paths =
      exo_repo_json_parse_paths (exo_local_request_header (errand->request, "Content-Type"),
                                 exo_local_request_body (errand->request));
  g_autoptr (GBytes) json =
      paths != NULL ? exo_repo_json_paths (manifest, (const char *const *) paths) : NULL;

  if (json != NULL)
    respond_json (errand->request, 200, json);
  else
    exo_endpoint_refuse (errand->request, 400, NULL, "the body names no paths", NULL);
}

static void
answer_refs (Errand *errand, ExoManifest *manifest)
{
  g_autoptr (GBytes) json = exo_repo_json_refs ("main", exo_manifest_commit (manifest));

  respond_json (errand->request, 200, json);
}

static void
answer_file (ExoEndpoint *endpoint, Errand *errand, ExoManifest *manifest, gboolean unverified)
{
  const char *commit = exo_manifest_commit (manifest);
  const ExoManifestFile *file;
  g_autofree char *pointer = NULL;
  guint index;

  if (errand->route.path == NULL || !exo_manifest_find (manifest, errand->route.path, &index))
    {
      exo_endpoint_refuse (errand->request, 404, "EntryNotFound", "Entry not found", commit);
      return;
    }
  file = exo_manifest_file (manifest, index);
  if (errand->route.kind == EXO_ROUTE_RAW)
    pointer = exo_repo_json_pointer (file);
  if (pointer != NULL)
    {
      const char *const headers[] = { "Content-Type", "text/plain", "X-Repo-Commit", commit, NULL };
      g_autoptr (GBytes) body = g_bytes_new (pointer, strlen (pointer));
      exo_local_respond (errand->request, 200, headers, body);
    }
  else
    exo_reading_start (endpoint, errand->request, manifest, unverified, errand->route.revision,
                       file);
}

/* What is not public is for those alone who have the token that fetched it. */
static gboolean
may_have (ExoEndpoint *endpoint, ExoLocalRequest *request, ExoManifest *manifest)
{
  ExoHubState hub;

  if (exo_manifest_is_open (manifest))
    return TRUE;
  exo_hub_get_state (endpoint->engine->hub, &hub);
  return !hub.has_token ||
         exo_hub_is_own_token (endpoint->engine->hub,
                               exo_local_request_header (request, "Authorization"));
}

static void
on_looked_up (ExoEndpoint *endpoint,
              ExoManifest *manifest,
              gboolean unverified,
              const GError *error,
              gpointer user_data)
{
  g_autoptr (Errand) errand = user_data;
  gboolean file = errand->route.kind == EXO_ROUTE_RESOLVE || errand->route.kind == EXO_ROUTE_RAW;

  if (manifest == NULL)
    exo_endpoint_refuse_error (errand->request, error);
  else if (!may_have (endpoint, errand->request, manifest))
    exo_endpoint_refuse (errand->request, 401, "GatedRepo",
                         "this repository is gated or private: the agent gives it to programs that "
                         "send the agent's own Hub token",
                         NULL);
  else if (file)
    answer_file (endpoint, errand, manifest, unverified);
  else if (errand->route.kind == EXO_ROUTE_TREE)
    answer_tree (errand, manifest);
  else if (errand->route.kind == EXO_ROUTE_PATHS_INFO)
    answer_paths (errand, manifest);
  else if (errand->route.kind == EXO_ROUTE_REFS)
    answer_refs (errand, manifest);
  else
    {
      g_autoptr (GBytes) json = exo_repo_json_info (manifest, errand->route.blobs);
      respond_json (errand->request, 200, json);
    }
}

static void
look_up (ExoEndpoint *endpoint, Errand *errand)
{
  exo_lookup (endpoint, errand->route.type, errand->route.id, errand->route.revision, on_looked_up,
              errand);
}

/* --- what the Hub itself is asked ------------------------------------------------------------------------ */

typedef struct
{
  ExoEndpoint *endpoint;
  GCancellable *cancellable; /* counted: cancelled when the endpoint goes */
  Errand *errand;
} Passing;

static void
pass_answer (ExoLocalRequest *request, const ExoHubAnswer *answer)
{
  g_autoptr (GBytes) body = exo_repo_json_without_xet (answer->body);

  if (answer->status >= 400)
    exo_endpoint_refuse (
        request, answer->status, answer->error_code,
        answer->error_message != NULL ? answer->error_message : "the Hub refuses this", NULL);
  else if (body != NULL)
    respond_json (request, answer->status, body);
  else
    exo_endpoint_refuse (request, 502, NULL, "the Hub's answer is no JSON", NULL);
}

static void
on_passed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Passing *passing = user_data;
  g_autoptr (GCancellable) cancellable = passing->cancellable;
  g_autoptr (Errand) errand = passing->errand;
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoHubAnswer) answer = exo_hub_get_finish (NULL, result, &error);

  if (g_cancellable_is_cancelled (cancellable)) /* the request is gone with the server */
    return;
  if (answer != NULL)
    pass_answer (errand->request, answer);
  else if (errand->route.id != NULL) /* what the cache or a neighbour knows will do */
    look_up (passing->endpoint, g_steal_pointer (&errand));
  else
    exo_endpoint_refuse_error (errand->request, error);
}

static void
pass_on (ExoEndpoint *endpoint, Errand *errand)
{
  const char *path = exo_local_request_path (errand->request),
             *query = exo_local_request_query (errand->request);
  g_autofree char *target = NULL;
  Passing *passing = g_new (Passing, 1);

  while (path[0] == '/' && path[1] == '/')
    path++;
  target = g_strconcat (path, *query != '\0' ? "?" : "", query, NULL);
  *passing = (Passing){ endpoint, g_object_ref (endpoint->cancellable), errand };
  exo_hub_get_async (
      endpoint->engine->hub, target,
      exo_hub_is_own_token (endpoint->engine->hub,
                            exo_local_request_header (errand->request, "Authorization")),
      on_passed, passing);
}

/* --- what this machine knows itself ----------------------------------------------------------------------- */

static void
answer_page (ExoLocalRequest *request)
{
  g_autofree char *policy = NULL;
  g_autoptr (GBytes) page = exo_status_page (&policy);
  const char *const headers[] = { "Content-Type",
                                  "text/html; charset=utf-8",
                                  "Content-Security-Policy",
                                  policy,
                                  "Referrer-Policy",
                                  "no-referrer",
                                  NULL };

  exo_local_respond (request, 200, headers, page);
}

static void
answer_metrics (ExoEndpoint *endpoint, ExoLocalRequest *request)
{
  const char *const headers[] = { "Content-Type", "text/plain; version=0.0.4; charset=utf-8",
                                  NULL };
  g_autoptr (GBytes) text = exo_status_metrics (endpoint->engine);

  exo_local_respond (request, 200, headers, text);
}

static void
answer_state (ExoEndpoint *endpoint, ExoLocalRequest *request)
{
  g_autoptr (GBytes) json = exo_status_json (endpoint->engine);

  respond_json (request, 200, json);
}

/* HF_ENDPOINT of the agent names the agent, by whatever way. */
static gboolean
is_loop (ExoLocalRequest *request)
{
  const char *agent = exo_local_request_header (request, "User-Agent");

  return agent != NULL && g_str_has_prefix (agent, "exo-agent/");
}

static void
on_request (ExoLocalServer *server, ExoLocalRequest *request, gpointer user_data)
{
  ExoEndpoint *endpoint = user_data;
  g_autoptr (Errand) errand = g_new0 (Errand, 1);

  errand->request = request;
  exo_route_parse (&errand->route, exo_local_request_is_post (request),
                   exo_local_request_path (request), exo_local_request_query (request));
  if (is_loop (request))
    {
      exo_endpoint_refuse (request, 508, NULL,
                           "the agent is asked to download from itself: set [hub] endpoint= in its "
                           "key file",
                           NULL);
      return;
    }
  switch (errand->route.kind)
    {
    case EXO_ROUTE_PAGE:
      answer_page (request);
      break;
    case EXO_ROUTE_STATE:
      answer_state (endpoint, request);
      break;
    case EXO_ROUTE_METRICS:
      answer_metrics (endpoint, request);
      break;
    case EXO_ROUTE_TREE:
    case EXO_ROUTE_PATHS_INFO:
    case EXO_ROUTE_RESOLVE:
    case EXO_ROUTE_RAW:
      look_up (endpoint, g_steal_pointer (&errand));
      break;
    case EXO_ROUTE_INFO:
    case EXO_ROUTE_REFS:
    case EXO_ROUTE_PASS:
      pass_on (endpoint, g_steal_pointer (&errand));
      break;
    case EXO_ROUTE_UPLOAD:
      exo_endpoint_refuse (request, 501, NULL,
                           "the agent only downloads: unset HF_ENDPOINT to upload", NULL);
      break;
    case EXO_ROUTE_BAD_REQUEST:
      exo_endpoint_refuse_error (request, errand->route.error);
      break;
    case EXO_ROUTE_NONE:
    default:
      exo_endpoint_refuse (request, 404, NULL, "no such page", NULL);
      break;
    }
}

/* --- life ------------------------------------------------------------------------------------------------- */

ExoEndpoint *
exo_endpoint_new (ExoEngine *engine, guint16 port, GError **error)
{
  ExoEndpoint *endpoint = g_new0 (ExoEndpoint, 1);

  endpoint->engine = engine;
  endpoint->server = exo_local_server_new (port, on_request, endpoint, error);
  if (endpoint->server == NULL)
    {
      g_free (endpoint);
      return NULL;
    }
  endpoint->url = g_strdup_printf ("http://127.0.0.1:%u", exo_local_server_port (endpoint->server));
  endpoint->lookups = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, exo_lookup_free);
  endpoint->readings = g_ptr_array_new ();
  endpoint->tainted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  endpoint->rechecks = g_hash_table_new (NULL, NULL);
  endpoint->cancellable = g_cancellable_new ();
  return endpoint;
}

void
exo_endpoint_free (ExoEndpoint *endpoint)
{
  GHashTableIter iter;
  gpointer id;

  if (endpoint == NULL)
    return;
  g_cancellable_cancel (endpoint->cancellable);
  g_hash_table_unref (
      endpoint->lookups); /* whose callers answer their requests, while these are there */
  g_clear_pointer (&endpoint->server, exo_local_server_free);
  g_clear_handle_id (&endpoint->lull_source, g_source_remove);
  g_hash_table_iter_init (&iter, endpoint->rechecks);
  while (g_hash_table_iter_next (&iter, &id, NULL))
    g_source_remove (GPOINTER_TO_UINT (id));
  for (guint i = 0; i < endpoint->readings->len; i++)
    exo_reading_free (g_ptr_array_index (endpoint->readings, i));
  g_ptr_array_unref (endpoint->readings);
  g_hash_table_unref (endpoint->tainted);
  g_hash_table_unref (endpoint->rechecks);
  g_object_unref (endpoint->cancellable);
  g_free (endpoint->url);
  g_free (endpoint);
}

const char *
exo_endpoint_url (ExoEndpoint *endpoint)
{
  return endpoint->url;
}
