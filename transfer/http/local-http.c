/* local-http.c - libmicrohttpd's callbacks: what is refused, and bodies; see local-private.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything here runs on libmicrohttpd's threads.
 */

#include <string.h>

#include "transfer/http/local-private.h"
#include "transfer/http/reply.h"

/* Requests -------------------------------------------------------------------------------- */

/* The first that is heard of a request; what is returned is req_cls. Here alone is the query as it was sent. */
void *
exo_local_on_uri (void *cls, const char *uri, struct MHD_Connection *connection)
{
  ExoLocalRequest *request = g_new0 (ExoLocalRequest, 1);
  char *mark;

  request->server = cls;
  request->connection = connection;
  if (uri == NULL)
    return request;
  request->path = g_strdup (uri);
  request->uri_length = strlen (uri);
  mark = strchr (request->path, '?');
  if (mark != NULL)
    {
      *mark = '\0';
      request->query = mark + 1;
    }
  return request;
}

static void
request_free (ExoLocalRequest *request)
{
  g_clear_pointer (&request->incoming, g_byte_array_unref);
  g_clear_pointer (&request->body, g_bytes_unref);
  g_clear_pointer (&request->response, MHD_destroy_response);
  g_clear_pointer (&request->stream, exo_local_stream_unref);
  g_free (request->path);
  g_free (request);
}

/* What is refused --------------------------------------------------------------------------- */

static const char *
header_of (const ExoLocalRequest *request, const char *name)
{
  return MHD_lookup_connection_value (request->connection, MHD_HEADER_KIND, name);
}

static gboolean
is_our_host (const ExoLocalServer *server, const char *host)
{
  static const char *const names[] = { "127.0.0.1", "localhost", "[::1]" };

  for (gsize i = 0; host != NULL && i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *ours = g_strdup_printf ("%s:%u", names[i], server->port);

      if (g_ascii_strcasecmp (host, ours) == 0)
        return TRUE;
    }
  return FALSE;
}

static gboolean
is_our_origin (const ExoLocalServer *server, const char *origin)
{
  return g_str_has_prefix (origin, "http://") && is_our_host (server, origin + strlen ("http://"));
}

static gboolean
is_foreign (ExoLocalRequest *request)
{
  LocalConn *conn = request->conn;

  if (!conn->judged)
    conn->foreign = exo_local_client_is_foreign (&conn->peer, request->server->port);
  conn->judged = TRUE;
  return conn->foreign;
}

/* Returns: (nullable): why this client is not answered */
static const char *
forbids (ExoLocalRequest *request)
{
  const char *origin = header_of (request, "Origin"), *site = header_of (request, "Sec-Fetch-Site");

  if (!is_our_host (request->server, header_of (request, MHD_HTTP_HEADER_HOST)))
    return "this is the agent on 127.0.0.1: the Host of the request is another";
  if ((origin != NULL && !is_our_origin (request->server, origin)) ||
      (site != NULL && strcmp (site, "same-origin") != 0 && strcmp (site, "none") != 0))
    return "not for pages of other sites";
  if (is_foreign (request))
    return "this agent belongs to another user of the machine";
  return NULL;
}

static gboolean
is_well_formed (const ExoLocalRequest *request)
{
  if (request->path == NULL || request->path[0] != '/')
    return FALSE;
  for (const char *p = request->path; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p) || *p == ' ')
      return FALSE;
  for (const char *p = request->query; p != NULL && *p != '\0'; p++)
    if (g_ascii_iscntrl (*p) || *p == ' ')
      return FALSE;
  return TRUE;
}

static gboolean
announces_too_much (const ExoLocalRequest *request)
{
  const char *length = header_of (request, MHD_HTTP_HEADER_CONTENT_LENGTH);
  guint64 n;

  return length != NULL && (!g_ascii_string_to_unsigned (length, 10, 0, G_MAXUINT64, &n, NULL) ||
                            n > EXO_LOCAL_BODY_MAX);
}

/* @why: plain words of ours, without quotes */
static enum MHD_Result
refuse (ExoLocalRequest *request, guint status, const char *why)
{
  g_autofree char *text = g_strdup_printf ("{\"error\":\"%s\"}", why);
  struct MHD_Response *response =
      MHD_create_response_from_buffer (strlen (text), text, MHD_RESPMEM_MUST_COPY);

  if (response != NULL)
    exo_local_protect (response);
  return exo_reply (request->connection, status, response, "application/json", NULL, NULL);
}

/* Returns: the status to refuse it with, 0 if it is welcome */
static guint
judge (ExoLocalRequest *request, const char *method, const char **out_why)
{
  const char *coding = header_of (request, MHD_HTTP_HEADER_TRANSFER_ENCODING);

  *out_why = forbids (request);
  if (*out_why != NULL)
    return MHD_HTTP_FORBIDDEN;
  *out_why = "GET, HEAD and POST are answered here";
  if (!request->head && !request->post && strcmp (method, MHD_HTTP_METHOD_GET) != 0)
    return MHD_HTTP_NOT_IMPLEMENTED;
  *out_why = "the path and the query are too long";
  if (request->uri_length > EXO_LOCAL_URI_MAX)
    return MHD_HTTP_URI_TOO_LONG;
  *out_why = "malformed request line";
  if (!is_well_formed (request))
    return MHD_HTTP_BAD_REQUEST;
  *out_why = "this transfer coding is not known here";
  if (coding != NULL && g_ascii_strcasecmp (coding, "chunked") != 0)
    return MHD_HTTP_NOT_IMPLEMENTED;
  *out_why = "the body is too large";
  return announces_too_much (request) ? MHD_HTTP_CONTENT_TOO_LARGE : 0;
}

/* libmicrohttpd's callbacks ------------------------------------------------------------------ */

static enum MHD_Result
begin (ExoLocalRequest *request, const char *method)
{
  const char *why;
  guint refused;

  request->head = strcmp (method, MHD_HTTP_METHOD_HEAD) == 0;
  request->post = strcmp (method, MHD_HTTP_METHOD_POST) == 0;
  request->conn = MHD_get_connection_info (request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
                      ->socket_context;
  g_mutex_lock (&request->server->lock);
  request->conn->request = request;
  g_mutex_unlock (&request->server->lock);
  refused = judge (request, method, &why);
  if (refused != 0)
    return refuse (request, refused, why);
  if (request->post)
    request->incoming = g_byte_array_new ();
  return MHD_YES;
}

/* libmicrohttpd takes no answer in the middle of a body: one in chunks that grows too large is read to its end, and not kept. */
static void
take_body (ExoLocalRequest *request, const char *data, gsize n)
{
  if (request->incoming == NULL)
    return; /* of a request that has none */
  if (n > EXO_LOCAL_BODY_MAX - request->incoming->len)
    request->too_large = TRUE;
  if (!request->too_large)
    g_byte_array_append (request->incoming, (const guint8 *) data, (guint) n);
}

/* Suspends the request until the main thread has answered. */
static enum MHD_Result
ask_locked (ExoLocalRequest *request)
{
  if (request->incoming != NULL)
    request->body = g_byte_array_free_to_bytes (g_steal_pointer (&request->incoming));
  request->state = LOCAL_REQUEST_ASKED;
  MHD_suspend_connection (request->connection);
  exo_inbox_post (request->server->inbox, exo_local_deliver, request);
  return MHD_YES;
}

/* The answer takes as long as its client needs to read it, a body that grows may take hours. */
static enum MHD_Result
send_answer (ExoLocalRequest *request)
{
  struct MHD_Response *response = g_steal_pointer (&request->response);
  enum MHD_Result result;

  MHD_set_connection_option (request->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
  result = MHD_queue_response (request->connection, request->status, response);
  MHD_destroy_response (response);
  return result;
}

enum MHD_Result
exo_local_on_request (void *cls,
                      struct MHD_Connection *connection,
                      const char *url,
                      const char *method,
                      const char *version,
                      const char *upload_data,
                      size_t *upload_data_size,
                      void **req_cls)
{
  ExoLocalServer *server = cls;
  ExoLocalRequest *request = *req_cls;
  enum MHD_Result result = MHD_NO;
  gboolean answered;

  if (request->conn == NULL)
    return begin (request, method);
  if (*upload_data_size > 0)
    {
      take_body (request, upload_data, *upload_data_size);
      *upload_data_size = 0;
      return MHD_YES;
    }
  if (request->too_large)
    return refuse (request, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
  g_mutex_lock (&server->lock);
  answered = !server->closing && request->state == LOCAL_REQUEST_ANSWERED;
  if (!server->closing && request->state == LOCAL_REQUEST_READING)
    result = ask_locked (request);
  g_mutex_unlock (&server->lock);
  return answered ? send_answer (request) : result;
}

void
exo_local_on_completed (void *cls,
                        struct MHD_Connection *connection,
                        void **req_cls,
                        enum MHD_RequestTerminationCode code)
{
  ExoLocalServer *server = cls;
  ExoLocalRequest *request = *req_cls;
  gboolean sent = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;

  if (request == NULL)
    return;
  *req_cls = NULL;
  g_mutex_lock (&server->lock);
  if (request->conn != NULL)
    request->conn->request = NULL;
  if (request->stream != NULL)
    exo_local_stream_detach_locked (request->stream, sent);
  g_mutex_unlock (&server->lock);
  if (sent && request->status != 0)
    MHD_set_connection_option (connection, MHD_CONNECTION_OPTION_TIMEOUT, EXO_LOCAL_IDLE_TIMEOUT_S);
  request_free (request);
}
