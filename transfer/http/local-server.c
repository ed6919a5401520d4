/* local-server.c - see local-server.h and local-private.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "transfer/error.h"
#include "transfer/http/local-private.h"
#include "transfer/http/reply.h"

#define THREADS           2u
#define STACK_BYTES       (128u * 1024u)
#define CONNECTION_MEMORY (32u * 1024u) /* the headers of a request, and those of its answer */
#define PORT_TRIES        16u
#define POLICY            "Content-Security-Policy"

/* Connections ----------------------------------------------------------------------------- */

/* One more, unless that were too many. */
static gboolean
admit (ExoLocalServer *server)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&server->lock);

  if (server->n_conns >= EXO_LOCAL_CONNECTIONS_MAX)
    return FALSE;
  server->n_conns++;
  return TRUE;
}

/* What the request says is not waited for, so its client may see a reset instead of this. */
static void
turn_away (int fd)
{
  static const char answer[] =
      "HTTP/1.1 503 Service Unavailable\r\n"
      "Content-Type: application/json\r\nContent-Length: 33\r\n"
      "X-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; sandbox\r\n"
      "Retry-After: 1\r\nConnection: close\r\n\r\n"
      "{\"error\":\"too many connections\"}\n";

  if (send (fd, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0)
    g_debug ("turned a client away without a word: %s", g_strerror (errno));
  close (fd);
}

static void
on_accepted (int fd, const struct sockaddr_storage *peer, socklen_t peer_size, gpointer data)
{
  ExoLocalServer *server = data;

  if (!admit (server))
    {
      turn_away (fd);
      return;
    }
  if (MHD_add_connection (server->daemon, fd, (const struct sockaddr *) peer, peer_size) == MHD_YES)
    return; /* also when it fails the socket is libmicrohttpd's, and closed */
  g_mutex_lock (&server->lock);
  server->n_conns--;
  g_mutex_unlock (&server->lock);
}

static LocalConn *
conn_new (struct MHD_Connection *connection)
{
  LocalConn *conn = g_new0 (LocalConn, 1);

  conn->fd = MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
  memcpy (&conn->peer,
          MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr,
          sizeof conn->peer);
  return conn;
}

/* On libmicrohttpd's threads */
static void
on_connection (void *cls,
               struct MHD_Connection *connection,
               void **socket_context,
               enum MHD_ConnectionNotificationCode code)
{
  ExoLocalServer *server = cls;
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&server->lock);

  if (code == MHD_CONNECTION_NOTIFY_STARTED)
    {
      *socket_context = conn_new (connection);
      g_hash_table_add (server->conns, *socket_context);
      return;
    }
  server->n_conns--;
  g_hash_table_remove (server->conns, *socket_context);
}

/* Requests -------------------------------------------------------------------------------- */

gboolean
exo_local_deliver (gpointer data)
{
  ExoLocalRequest *request = data;
  ExoLocalServer *server = request->server;

  if (!server->closing)
    server->handler (server, request, server->user_data);
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
  return request->path;
}

const char *
exo_local_request_query (ExoLocalRequest *request)
{
  return request->query != NULL ? request->query : "";
}

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

/* Answers --------------------------------------------------------------------------------- */

void
exo_local_protect (struct MHD_Response *response)
{
  MHD_add_response_header (response, "X-Content-Type-Options", "nosniff");
  if (MHD_get_response_header (response, POLICY) == NULL)
    MHD_add_response_header (response, POLICY, "default-src 'none'; sandbox");
}

void
exo_local_finish (ExoLocalRequest *request,
                  guint status,
                  const char *const *headers,
                  struct MHD_Response *response)
{
  ExoLocalServer *server = request->server;

  for (const char *const *i = headers; i != NULL && i[0] != NULL; i += 2)
    if (MHD_add_response_header (response, i[0], i[1]) != MHD_YES)
      g_critical ("not a header of an answer: %s", i[0]);
  exo_local_protect (response);
  g_mutex_lock (&server->lock);
  request->status = status;
  request->response = response;
  request->state = LOCAL_REQUEST_ANSWERED;
  MHD_resume_connection (request->connection);
  g_mutex_unlock (&server->lock);
}

void
exo_local_respond (ExoLocalRequest *request, guint status, const char *const *headers, GBytes *body)
{
  gsize n = 0;
  const void *bytes = body != NULL ? g_bytes_get_data (body, &n) : NULL;

  exo_local_finish (request, status, headers,
                    MHD_create_response_from_buffer (n, (void *) bytes, MHD_RESPMEM_MUST_COPY));
}

/* Nothing is read for HEAD. */
static ssize_t
read_nothing (void *cls, uint64_t position, char *out_bytes, size_t max)
{
  return MHD_CONTENT_READER_END_WITH_ERROR;
}

void
exo_local_respond_head (ExoLocalRequest *request,
                        guint status,
                        const char *const *headers,
                        guint64 length)
{
  g_return_if_fail (request->head || length == 0);
  exo_local_finish (request, status, headers,
                    MHD_create_response_from_callback (length, 1, read_nothing, NULL, NULL));
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
  else
    close (fd);
  if (response == NULL)
    response = MHD_create_response_from_buffer (0, NULL, MHD_RESPMEM_PERSISTENT);
  exo_local_finish (request, status, headers, response);
}

/* Life ------------------------------------------------------------------------------------ */

static void
server_destroy (ExoLocalServer *server)
{
  g_clear_pointer (&server->inbox, exo_inbox_free);
  g_hash_table_unref (server->streams);
  g_hash_table_unref (server->conns);
  g_main_context_unref (server->context);
  g_mutex_clear (&server->lock);
  g_free (server);
}

static int
listen_near (guint16 port)
{
  int fd = -1;

  errno = EADDRINUSE;
  for (guint i = 0; i < PORT_TRIES && port + i <= G_MAXUINT16 && errno == EADDRINUSE && fd < 0; i++)
    {
      struct sockaddr_storage address = { 0 };
      struct sockaddr_in *in = (struct sockaddr_in *) (void *) &address;

      in->sin_family = AF_INET;
      in->sin_addr.s_addr = htonl (INADDR_LOOPBACK);
      in->sin_port = htons ((guint16) (port + i));
      fd = exo_listen_on (&address, sizeof *in);
    }
  return fd;
}

static struct MHD_Daemon *
start_daemon (ExoLocalServer *server)
{
  return MHD_start_daemon (
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET, 0, NULL,
      NULL, exo_local_on_request, server, MHD_OPTION_THREAD_POOL_SIZE, THREADS,
      MHD_OPTION_THREAD_STACK_SIZE, (size_t) STACK_BYTES, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      (size_t) CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, EXO_LOCAL_IDLE_TIMEOUT_S,
      MHD_OPTION_CONNECTION_LIMIT, THREADS * EXO_LOCAL_CONNECTIONS_MAX, MHD_OPTION_NOTIFY_COMPLETED,
      exo_local_on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
      MHD_OPTION_URI_LOG_CALLBACK, exo_local_on_uri, server, MHD_OPTION_UNESCAPE_CALLBACK,
      exo_leave_escaped, NULL, MHD_OPTION_END);
}

ExoLocalServer *
exo_local_server_new (guint16 port, ExoLocalHandler handler, gpointer user_data, GError **error)
{
  int fd = listen_near (port);
  ExoLocalServer *server;

  if (fd < 0)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED,
                   "cannot listen on 127.0.0.1 port %u: %s", port, g_strerror (errno));
      return NULL;
    }
  server = g_new0 (ExoLocalServer, 1);
  g_mutex_init (&server->lock);
  server->context = g_main_context_ref_thread_default ();
  server->inbox = exo_inbox_new (server->context);
  server->conns = g_hash_table_new_full (NULL, NULL, g_free, NULL);
  server->streams =
      g_hash_table_new_full (NULL, NULL, (GDestroyNotify) exo_local_stream_unref, NULL);
  server->handler = handler;
  server->user_data = user_data;
  server->port = exo_bound_port (fd);
  server->daemon = start_daemon (server);
  if (server->daemon != NULL)
    {
      server->acceptor = exo_acceptor_new (fd, server->context, on_accepted, server);
      return server;
    }
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED,
               "cannot start the loopback server: %s", g_strerror (errno));
  close (fd);
  server_destroy (server);
  return NULL;
}

guint16
exo_local_server_port (ExoLocalServer *server)
{
  return server->port;
}

/* libmicrohttpd cannot stop while a connection is suspended. */
static void
resume_all_locked (ExoLocalServer *server)
{
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, server->conns);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      ExoLocalRequest *request = ((LocalConn *) key)->request;

      if (request != NULL && request->state == LOCAL_REQUEST_ASKED)
        MHD_resume_connection (request->connection);
      else if (request != NULL && request->stream != NULL)
        exo_local_stream_wake_locked (request->stream);
    }
}

static void
close_streams (ExoLocalServer *server)
{
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, server->streams);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    exo_local_stream_close (key);
}

void
exo_local_server_free (ExoLocalServer *server)
{
  if (server == NULL)
    return;
  exo_acceptor_free (server->acceptor);
  close_streams (server);
  g_mutex_lock (&server->lock);
  server->closing = TRUE;
  g_mutex_unlock (&server->lock);
  exo_inbox_flush (server->inbox); /* requests nobody was told of, while they are there */
  g_mutex_lock (&server->lock);
  resume_all_locked (server);
  g_mutex_unlock (&server->lock);
  MHD_stop_daemon (server->daemon);
  server_destroy (server);
}
