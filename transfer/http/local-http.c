/* local-http.c - libmicrohttpd's callbacks of the local server; all of it on its thread
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "transfer/http/local-private.h"

static ExoLocalRequest *
request_new (ExoLocalServer *server, struct MHD_Connection *connection, const char *uri)
{
  ExoLocalRequest *request = g_atomic_rc_box_new0 (ExoLocalRequest);
  char *mark;

  request->server = exo_local_server_ref (server);
  request->connection = connection;
  request->stream.fd = -1;
  request->uri = g_strndup (uri, EXO_LOCAL_URI_MAX + 1);
  mark = strchr (request->uri, '?');
  request->query = g_strdup (mark != NULL ? mark + 1 : "");
  request->refused = strlen (request->uri) > EXO_LOCAL_URI_MAX;
  if (mark != NULL)
    *mark = '\0';
  g_mutex_lock (&server->lock);
  g_hash_table_add (server->requests, request);
  g_mutex_unlock (&server->lock);
  return request;
}

void *
exo_local_on_uri (void *cls, const char *uri, struct MHD_Connection *connection)
{
  return request_new (cls, connection, uri);
}

static enum MHD_Result
refuse (ExoLocalRequest *request, guint status, const char *message)
{
  g_autofree char *text = g_strdup_printf ("{\"error\":\"%s\"}", message);
  struct MHD_Response *response =
      MHD_create_response_from_buffer (strlen (text), text, MHD_RESPMEM_MUST_COPY);
  enum MHD_Result result;

  if (response == NULL)
    return MHD_NO;
  MHD_add_response_header (response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
  result = MHD_queue_response (request->connection, status, response);
  MHD_destroy_response (response);
  return result;
}

/* The header was read. Refusals go out before a body is waited for. */
static enum MHD_Result
begin (ExoLocalRequest *request, const char *method)
{
  const char *length = MHD_lookup_connection_value (request->connection, MHD_HEADER_KIND,
                                                    MHD_HTTP_HEADER_CONTENT_LENGTH);
  const char *why = exo_local_refuse_client (request->connection, request->server->port);

  request->head = strcmp (method, MHD_HTTP_METHOD_HEAD) == 0;
  request->post = strcmp (method, MHD_HTTP_METHOD_POST) == 0;
  if (why != NULL)
    return refuse (request, MHD_HTTP_FORBIDDEN, why);
  if (request->refused || request->uri[0] != '/')
    return refuse (request, request->refused ? MHD_HTTP_URI_TOO_LONG : MHD_HTTP_BAD_REQUEST,
                   "the address is too long, or none");
  if (!request->head && !request->post && strcmp (method, MHD_HTTP_METHOD_GET) != 0)
    return refuse (request, MHD_HTTP_NOT_IMPLEMENTED, "GET, HEAD and POST are understood");
  if (length != NULL &&
      (!g_ascii_string_to_unsigned (length, 10, 0, G_MAXINT64, &request->expected, NULL) ||
       request->expected > EXO_LOCAL_BODY_MAX))
    return refuse (request, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
  request->received = g_byte_array_new ();
  return MHD_YES;
}

static enum MHD_Result
take_body (ExoLocalRequest *request, const char *data, gsize n)
{
  if (request->received == NULL || n > EXO_LOCAL_BODY_MAX - request->received->len)
    return MHD_NO;
  g_byte_array_append (request->received, (const guint8 *) data, (guint) n);
  return MHD_YES;
}

static enum MHD_Result
ask (ExoLocalRequest *request)
{
  ExoLocalServer *server = request->server;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&server->lock);

  if (server->closing)
    return MHD_NO;
  request->asked = TRUE;
  request->body = g_byte_array_free_to_bytes (g_steal_pointer (&request->received));
  request->suspended = TRUE;
  MHD_suspend_connection (request->connection);
  exo_local_post (request, exo_local_ask);
  return MHD_YES;
}

static enum MHD_Result
answer (ExoLocalRequest *request)
{
  struct MHD_Response *response;
  enum MHD_Result result;

  g_mutex_lock (&request->server->lock);
  response = g_steal_pointer (&request->response);
  g_mutex_unlock (&request->server->lock);
  if (response == NULL) /* the server closes */
    return MHD_NO;
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
  ExoLocalRequest *request = *req_cls;

  if (request->received == NULL && !request->asked)
    return begin (request, method);
  if (*upload_data_size > 0)
    {
      gsize n = *upload_data_size;

      *upload_data_size = 0;
      return take_body (request, upload_data, n);
    }
  return request->asked ? answer (request) : ask (request);
}

void
exo_local_on_completed (void *cls,
                        struct MHD_Connection *connection,
                        void **req_cls,
                        enum MHD_RequestTerminationCode code)
{
  ExoLocalRequest *request = *req_cls;
  ExoLocalServer *server = cls;

  if (request == NULL)
    return;
  *req_cls = NULL;
  g_mutex_lock (&server->lock);
  request->gone = TRUE;
  request->suspended = FALSE;
  g_hash_table_remove (server->requests, request);
  g_clear_pointer (&request->response, MHD_destroy_response);
  if (request->asked)
    exo_local_post (request, exo_local_is_over);
  g_mutex_unlock (&server->lock);
  exo_local_request_unref (request);
}

ssize_t
exo_local_read (void *cls, uint64_t position, char *buffer, size_t max)
{
  ExoLocalRequest *request = cls;
  ExoLocalStream *stream = &request->stream;
  guint64 offset = stream->first + position, end;
  gssize n;

  g_mutex_lock (&request->server->lock);
  end = stream->end;
  if (!stream->failed && end <= offset && !request->server->closing)
    {
      request->suspended = TRUE;
      MHD_suspend_connection (request->connection);
      exo_local_post (request, exo_local_waits);
    }
  n = stream->failed || request->server->closing ? MHD_CONTENT_READER_END_WITH_ERROR : 0;
  g_mutex_unlock (&request->server->lock);
  if (n != 0 || end <= offset)
    return n;
  do
    n = pread (stream->fd, buffer, (gsize) MIN ((guint64) max, end - offset), (off_t) offset);
  while (n < 0 && errno == EINTR);
  if (n <= 0)
    return MHD_CONTENT_READER_END_WITH_ERROR;
  g_mutex_lock (&request->server->lock);
  stream->taken = position + (guint64) n;
  g_mutex_unlock (&request->server->lock);
  return n;
}
