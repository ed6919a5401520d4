/* script-server.c - see script-server.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/script-server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct ScriptServer
{
  ScriptAnswer answer;
  gpointer user_data;
  int listener;
  int stop; /* eventfd: readable once the server is to end */
  guint port;
  GThread *thread;
  GMutex lock;
  GPtrArray *connections; /* (element-type GThread) */
  guint n_requests, n_connections;
};

typedef struct
{
  ScriptServer *server;
  int fd;
} Connection;

/* FALSE: the server ends, or the peer is gone */
static gboolean
wait_for (ScriptServer *server, int fd)
{
  struct pollfd fds[] = { { fd, POLLIN, 0 }, { server->stop, POLLIN, 0 } };

  return poll (fds, 2, -1) > 0 && fds[1].revents == 0;
}

void
script_reply_bytes (ScriptReply *reply, gconstpointer bytes, gsize length)
{
  g_byte_array_append (reply->bytes, bytes, (guint) length);
}

void
script_reply_printf (ScriptReply *reply, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  script_reply_bytes (reply, text, strlen (text));
}

void
script_reply_entity (ScriptReply *reply,
                     const ScriptRequest *request,
                     const guchar *entity,
                     gsize size,
                     const char *more_headers)
{
  guint64 first = request->has_range ? request->first : 0;
  guint64 last = request->has_range ? MIN (request->last, size - 1) : size - 1;

  if (request->has_range)
    script_reply_printf (reply,
                         "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %" G_GUINT64_FORMAT
                         "-%" G_GUINT64_FORMAT "/%" G_GSIZE_FORMAT "\r\n",
                         first, last, size);
  else
    script_reply_printf (reply, "HTTP/1.1 200 OK\r\n");
  script_reply_printf (reply, "Content-Length: %" G_GUINT64_FORMAT "\r\n%s\r\n", last - first + 1,
                       more_headers != NULL ? more_headers : "");
  script_reply_bytes (reply, entity + first, (gsize) (last - first + 1));
}

char *
script_request_header (const ScriptRequest *request, const char *name)
{
  g_auto (GStrv) lines = g_strsplit (request->head, "\r\n", -1);
  gsize n = strlen (name);

  for (char **line = lines; *line != NULL; line++)
    if (g_ascii_strncasecmp (*line, name, n) == 0 && (*line)[n] == ':')
      return g_strstrip (g_strdup (*line + n + 1));
  return NULL;
}

static gboolean
read_request (ScriptServer *server, int fd, GString *in)
{
  for (;;)
    {
      char buffer[4096];
      const char *end = strstr (in->str, "\r\n\r\n");
      const char *length = strstr (in->str, "Content-Length: ");
      ssize_t n;

      if (end != NULL)
        {
          gsize body = length != NULL && length < end ? strtoul (length + 16, NULL, 10) : 0;
          if (in->len >= (gsize) (end + 4 - in->str) + body)
            return TRUE;
        }
      if (!wait_for (server, fd) || (n = recv (fd, buffer, sizeof buffer, 0)) <= 0)
        return FALSE;
      g_string_append_len (in, buffer, n);
    }
}

static void
parse_request (const GString *in, ScriptRequest *request)
{
  const char *end = strstr (in->str, "\r\n\r\n");
  g_autofree char *range = NULL;
  g_auto (GStrv) words = NULL;

  request->head = g_strndup (in->str, (gsize) (end + 2 - in->str));
  request->body = g_strdup (end + 4);
  words = g_strsplit (request->head, " ", 3);
  request->method = g_strdup (words[0]);
  request->path = g_strdup (words[1] != NULL ? words[1] : "");
  range = script_request_header (request, "Range");
  if (range != NULL && g_str_has_prefix (range, "bytes="))
    {
      char *dash;
      request->has_range = TRUE;
      request->first = g_ascii_strtoull (range + 6, &dash, 10);
      request->last = g_ascii_strtoull (dash + 1, NULL, 10);
    }
}

static gboolean
send_reply (ScriptServer *server, int fd, const ScriptReply *reply)
{
  gsize done = 0;

  while (done < reply->bytes->len)
    {
      struct pollfd fds[] = { { fd, POLLOUT, 0 }, { server->stop, POLLIN, 0 } };
      ssize_t n;

      if (poll (fds, 2, -1) <= 0 || fds[1].revents != 0)
        return FALSE;
      n = send (fd, reply->bytes->data + done,
                (done < reply->pause_at ? reply->pause_at : reply->bytes->len) - done,
                MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0)
        return FALSE;
      done += (gsize) n;
      if (done == reply->pause_at)
        g_usleep (G_USEC_PER_SEC / 5);
    }
  return TRUE;
}

static void
end_stalled (ScriptServer *server, int fd)
{
  char c;

  while (wait_for (server, fd) && recv (fd, &c, 1, 0) > 0)
    continue;
}

/* What the client has read stays read: a reset discards what it has not, so wait for its ACKs. */
static void
reset (int fd)
{
  struct linger hard = { 1, 0 };

  setsockopt (fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

static gboolean
serve_one (ScriptServer *server, int fd)
{
  g_autoptr (GString) in = g_string_new (NULL);
  ScriptRequest request = { 0 };
  ScriptReply reply = { .bytes = g_byte_array_new (), .end = SCRIPT_KEEP };
  gboolean go_on = read_request (server, fd, in);

  if (go_on)
    {
      parse_request (in, &request);
      g_mutex_lock (&server->lock);
      request.n = server->n_requests++;
      server->answer (&request, &reply, server->user_data);
      g_mutex_unlock (&server->lock);
      go_on = send_reply (server, fd, &reply) && reply.end == SCRIPT_KEEP;
      if (reply.end == SCRIPT_STALL)
        end_stalled (server, fd);
      if (reply.end == SCRIPT_RESET)
        reset (fd);
    }
  g_free (request.method);
  g_free (request.path);
  g_free (request.head);
  g_free (request.body);
  g_byte_array_unref (reply.bytes);
  return go_on;
}

static gpointer
connection_run (gpointer user_data)
{
  Connection *connection = user_data;

  while (serve_one (connection->server, connection->fd))
    continue;
  close (connection->fd);
  g_free (connection);
  return NULL;
}

static gpointer
accept_run (gpointer user_data)
{
  ScriptServer *server = user_data;

  while (wait_for (server, server->listener))
    {
      Connection *connection = g_new (Connection, 1);

      connection->server = server;
      connection->fd = accept (server->listener, NULL, NULL);
      g_mutex_lock (&server->lock);
      server->n_connections++;
      g_ptr_array_add (server->connections,
                       g_thread_new ("connection", connection_run, connection));
      g_mutex_unlock (&server->lock);
    }
  return NULL;
}

ScriptServer *
script_server_new (ScriptAnswer answer, gpointer user_data)
{
  ScriptServer *server = g_new0 (ScriptServer, 1);
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t length = sizeof address;

  server->answer = answer;
  server->user_data = user_data;
  g_mutex_init (&server->lock);
  server->connections = g_ptr_array_new ();
  server->stop = eventfd (0, EFD_CLOEXEC);
  server->listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind (server->listener, (struct sockaddr *) &address, sizeof address) != 0 ||
      listen (server->listener, 64) != 0 ||
      getsockname (server->listener, (struct sockaddr *) &address, &length) != 0)
    g_error ("no loopback socket");
  server->port = ntohs (address.sin_port);
  server->thread = g_thread_new ("accept", accept_run, server);
  return server;
}

void
script_server_free (ScriptServer *server)
{
  guint64 one = 1;

  if (write (server->stop, &one, sizeof one) != sizeof one)
    g_error ("eventfd");
  g_thread_join (server->thread);
  for (guint i = 0; i < server->connections->len; i++)
    g_thread_join (g_ptr_array_index (server->connections, i));
  g_ptr_array_unref (server->connections);
  close (server->listener);
  close (server->stop);
  g_mutex_clear (&server->lock);
  g_free (server);
}

guint
script_server_port (ScriptServer *server)
{
  return server->port;
}

guint
script_server_n_requests (ScriptServer *server)
{
  guint n;

  g_mutex_lock (&server->lock);
  n = server->n_requests;
  g_mutex_unlock (&server->lock);
  return n;
}

guint
script_server_n_connections (ScriptServer *server)
{
  guint n;

  g_mutex_lock (&server->lock);
  n = server->n_connections;
  g_mutex_unlock (&server->lock);
  return n;
}

char *
script_server_url (ScriptServer *server, const char *path)
{
  return g_strdup_printf ("http://127.0.0.1:%u%s", server->port, path);
}
