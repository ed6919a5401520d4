/* local-server.c - see local-server.h and local-private.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transfer/error.h"
#include "transfer/http/local-private.h"

#define PORT_TRIES        16
#define BACKLOG           64
#define CONNECTION_MEMORY (32u * 1024u)
#define STREAM_BLOCK      (256u * 1024u)

/* Counting ---------------------------------------------------------------------------------------- */

ExoLocalServer *
exo_local_server_ref (ExoLocalServer *server)
{
  return g_atomic_rc_box_acquire (server);
}

static void
clear_server (gpointer data)
{
  ExoLocalServer *server = data;

  g_hash_table_unref (server->requests);
  g_main_context_unref (server->context);
  g_mutex_clear (&server->lock);
}

ExoLocalRequest *
exo_local_request_ref (ExoLocalRequest *request)
{
  return g_atomic_rc_box_acquire (request);
}

static void
clear_request (gpointer data)
{
  ExoLocalRequest *request = data;

  if (request->stream.fd >= 0)
    close (request->stream.fd);
  g_clear_pointer (&request->received, g_byte_array_unref);
  g_clear_pointer (&request->body, g_bytes_unref);
  g_free (request->uri);
  g_free (request->query);
  g_atomic_rc_box_release_full (request->server, clear_server);
}

void
exo_local_request_unref (ExoLocalRequest *request)
{
  g_atomic_rc_box_release_full (request, clear_request);
}

void
exo_local_post (ExoLocalRequest *request, GSourceFunc function)
{
  GSource *source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, function, exo_local_request_ref (request),
                         (GDestroyNotify) exo_local_request_unref);
  g_source_attach (source, request->server->context);
  g_source_unref (source);
}

/* Asking and answering ------------------------------------------------------------------------------ */

static void
resume_locked (ExoLocalRequest *request)
{
  if (!request->suspended)
    return;
  request->suspended = FALSE;
  MHD_resume_connection (request->connection);
}

gboolean
exo_local_ask (gpointer data)
{
  ExoLocalRequest *request = data;

  if (!request->server->closing)
    request->server->handler (request->server, exo_local_request_ref (request),
                              request->server->user_data);
  return G_SOURCE_REMOVE;
}

gboolean
exo_local_request_is_head (ExoLocalRequest *request)
{
  return request->head;
}

gboolean
exo_local_request_is_post (ExoLocalRequest *request)
{
  return request->post;
}

const char *
exo_local_request_path (ExoLocalRequest *request)
{
  return request->uri;
}

const char *
exo_local_request_query (ExoLocalRequest *request)
{
  return request->query;
}

/* The connection is suspended, and so its headers stand still. */
const char *
exo_local_request_header (ExoLocalRequest *request, const char *name)
{
  return MHD_lookup_connection_value (request->connection, MHD_HEADER_KIND, name);
}

GBytes *
exo_local_request_body (ExoLocalRequest *request)
{
  return request->body;
}

static void
set_answer (ExoLocalRequest *request,
            guint status,
            const char *const *headers,
            struct MHD_Response *response)
{
  for (guint i = 0; response != NULL && headers != NULL && headers[i] != NULL; i += 2)
    MHD_add_response_header (response, headers[i], headers[i + 1]);
  g_mutex_lock (&request->server->lock);
  request->status = status;
  if (!request->gone)
    request->response = response;
  else if (response != NULL)
    MHD_destroy_response (response);
  resume_locked (request);
  g_mutex_unlock (&request->server->lock);
}

void
exo_local_respond (ExoLocalRequest *request, guint status, const char *const *headers, GBytes *body)
{
  gsize n = 0;
  const void *data = body != NULL ? g_bytes_get_data (body, &n) : NULL;

  set_answer (request, status, headers,
              MHD_create_response_from_buffer (
                  n, (void *) data, n > 0 ? MHD_RESPMEM_MUST_COPY : MHD_RESPMEM_PERSISTENT));
  exo_local_request_unref (request);
}

/* Never read: for HEAD. */
static ssize_t
read_nothing (void *cls, uint64_t position, char *buffer, size_t max)
{
  return MHD_CONTENT_READER_END_WITH_ERROR;
}

void
exo_local_respond_head (ExoLocalRequest *request,
                        guint status,
                        const char *const *headers,
                        guint64 length)
{
  struct MHD_Response *response =
      length > 0 ? MHD_create_response_from_callback (length, 1, read_nothing, NULL, NULL)
                 : MHD_create_response_from_buffer (0, NULL, MHD_RESPMEM_PERSISTENT);

  set_answer (request, status, headers, response);
  exo_local_request_unref (request);
}

void
exo_local_respond_file (ExoLocalRequest *request,
                        guint status,
                        const char *const *headers,
                        int fd,
                        guint64 first,
                        guint64 length)
{
  struct MHD_Response *response = NULL;

  if (length > 0)
    response = MHD_create_response_from_fd_at_offset64 (length, fd, first);
  if (response == NULL)
    close (fd);
  if (length == 0)
    response = MHD_create_response_from_buffer (0, NULL, MHD_RESPMEM_PERSISTENT);
  set_answer (request, status, headers, response);
  exo_local_request_unref (request);
}

/* Streams ------------------------------------------------------------------------------------------- */

static ExoLocalRequest *
request_of (ExoLocalStream *stream)
{
  return (ExoLocalRequest *) ((char *) stream - G_STRUCT_OFFSET (ExoLocalRequest, stream));
}

static void
stop_watching (ExoLocalStream *stream)
{
  if (stream->watch == NULL)
    return;
  g_source_destroy (stream->watch);
  g_clear_pointer (&stream->watch, g_source_unref);
}

ExoLocalStream *
exo_local_respond_stream (ExoLocalRequest *request,
                          guint status,
                          const char *const *headers,
                          guint64 first,
                          guint64 length,
                          const ExoLocalStreamCallbacks *callbacks,
                          gpointer user_data)
{
  ExoLocalStream *stream = &request->stream;

  g_return_val_if_fail (length > 0, NULL);
  stream->callbacks = callbacks;
  stream->user_data = user_data;
  stream->first = stream->end = first;
  set_answer (
      request, status, headers,
      MHD_create_response_from_callback (length, STREAM_BLOCK, exo_local_read, request, NULL));
  return stream;
}

void
exo_local_stream_give (ExoLocalStream *stream, int fd, guint64 end)
{
  ExoLocalRequest *request = request_of (stream);

  if (end <= stream->end)
    return;
  stop_watching (stream);
  g_mutex_lock (&request->server->lock);
  if (stream->fd < 0)
    stream->fd = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  stream->end = end;
  resume_locked (request);
  g_mutex_unlock (&request->server->lock);
}

void
exo_local_stream_fail (ExoLocalStream *stream)
{
  ExoLocalRequest *request = request_of (stream);

  stop_watching (stream);
  stream->callbacks = NULL;
  g_mutex_lock (&request->server->lock);
  stream->failed = TRUE;
  resume_locked (request);
  g_mutex_unlock (&request->server->lock);
  exo_local_request_unref (request);
}

/* Nobody else looks at the socket of a suspended connection. */
static gboolean
on_socket (gint fd, GIOCondition condition, gpointer data)
{
  ExoLocalRequest *request = data;
  char byte;
  gssize n = recv (fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return G_SOURCE_CONTINUE;
  stop_watching (&request->stream);
  if (n <= 0) /* not a next request sent early */
    {
      g_mutex_lock (&request->server->lock);
      request->stream.failed = TRUE;
      resume_locked (request);
      g_mutex_unlock (&request->server->lock);
    }
  return G_SOURCE_REMOVE;
}

gboolean
exo_local_waits (gpointer data)
{
  ExoLocalRequest *request = data;
  ExoLocalStream *stream = &request->stream;
  gboolean waits;
  guint64 offset;
  int fd;

  g_mutex_lock (&request->server->lock);
  waits = request->suspended && !request->gone;
  offset = stream->first + stream->taken;
  fd = waits ? MHD_get_connection_info (request->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                   ->connect_fd
             : -1;
  g_mutex_unlock (&request->server->lock);
  if (!waits || stream->callbacks == NULL || request->server->closing)
    return G_SOURCE_REMOVE;
  stop_watching (stream);
  stream->watch = g_unix_fd_source_new (fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
  g_source_set_callback (stream->watch, G_SOURCE_FUNC (on_socket), request, NULL);
  g_source_attach (stream->watch, request->server->context);
  stream->callbacks->waiting (stream, offset, stream->user_data);
  return G_SOURCE_REMOVE;
}

gboolean
exo_local_is_over (gpointer data)
{
  ExoLocalRequest *request = data;
  ExoLocalStream *stream = &request->stream;
  const ExoLocalStreamCallbacks *callbacks = g_steal_pointer (&stream->callbacks);

  stop_watching (stream);
  if (callbacks == NULL)
    return G_SOURCE_REMOVE;
  if (!request->server->closing)
    callbacks->ended (stream, !stream->failed && stream->first + stream->taken >= stream->end,
                      stream->user_data);
  exo_local_request_unref (request);
  return G_SOURCE_REMOVE;
}

/* Life ---------------------------------------------------------------------------------------------- */

static int
listen_on (guint16 port, guint16 *out_port)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = htons (port),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t length = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

  if (fd < 0)
    return -1;
  if (setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      bind (fd, (struct sockaddr *) &address, sizeof address) == 0 && listen (fd, BACKLOG) == 0 &&
      getsockname (fd, (struct sockaddr *) &address, &length) == 0)
    {
      *out_port = ntohs (address.sin_port);
      return fd;
    }
  close (fd);
  return -1;
}

static gboolean
start_daemon (ExoLocalServer *server, int fd)
{
  server->daemon = MHD_start_daemon (
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, exo_local_on_request,
      server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, exo_local_on_uri, server,
      MHD_OPTION_NOTIFY_COMPLETED, exo_local_on_completed, server, MHD_OPTION_CONNECTION_LIMIT,
      EXO_LOCAL_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, EXO_LOCAL_IDLE_TIMEOUT_S,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) CONNECTION_MEMORY, MHD_OPTION_END);
  return server->daemon != NULL;
}

ExoLocalServer *
exo_local_server_new (guint16 port, ExoLocalHandler handler, gpointer user_data, GError **error)
{
  ExoLocalServer *server;
  guint16 bound = 0;
  int fd = -1;

  for (guint i = 0; fd < 0 && i < PORT_TRIES && port + i <= G_MAXUINT16; i++)
    fd = listen_on ((guint16) (port + i), &bound);
  if (fd < 0)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED,
                   "no port from %u on is free on 127.0.0.1: %s", port, g_strerror (errno));
      return NULL;
    }
  server = g_atomic_rc_box_new0 (ExoLocalServer);
  g_mutex_init (&server->lock);
  server->context = g_main_context_ref (g_main_context_default ());
  server->handler = handler;
  server->user_data = user_data;
  server->port = bound;
  server->requests = g_hash_table_new (NULL, NULL);
  if (start_daemon (server, fd))
    return server;
  close (fd);
  g_set_error_literal (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED,
                       "the HTTP server for this machine's programs cannot be started");
  g_atomic_rc_box_release_full (server, clear_server);
  return NULL;
}

void
exo_local_server_free (ExoLocalServer *server)
{
  GHashTableIter iter;
  ExoLocalRequest *request;

  if (server == NULL)
    return;
  g_mutex_lock (&server->lock);
  server->closing = TRUE;
  g_hash_table_iter_init (&iter, server->requests);
  while (g_hash_table_iter_next (&iter, (gpointer *) &request, NULL))
    {
      stop_watching (&request->stream);
      resume_locked (request);
    }
  g_mutex_unlock (&server->lock);
  MHD_stop_daemon (server->daemon);
  g_atomic_rc_box_release_full (server, clear_server);
}

guint16
exo_local_server_port (ExoLocalServer *server)
{
  return server->port;
}
