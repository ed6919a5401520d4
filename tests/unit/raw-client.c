/* raw-client.c - see raw-client.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/raw-client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The client ------------------------------------------------------------------------------ */

int
client_from (guint16 port, const char *from, int receive_buffer)
{
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons (port) };
  struct sockaddr_in self = { .sin_family = AF_INET };
  struct timeval patience = { 20, 0 };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  inet_pton (AF_INET, "127.0.0.1", &to.sin_addr);
  inet_pton (AF_INET, from, &self.sin_addr);
  if (receive_buffer > 0)
    setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (fd < 0 || bind (fd, (struct sockaddr *) &self, sizeof self) != 0 ||
      connect (fd, (struct sockaddr *) &to, sizeof to) != 0)
    {
      if (fd >= 0)
        close (fd);
      return -1;
    }
  return fd;
}

gboolean
say (int fd, const char *text, gsize n)
{
  while (n > 0)
    {
      ssize_t sent = send (fd, text, n, MSG_NOSIGNAL);

      if (sent <= 0)
        return FALSE;
      text += sent;
      n -= (gsize) sent;
    }
  return TRUE;
}

void
answer_clear (Answer *answer)
{
  g_clear_pointer (&answer->head, g_free);
  g_clear_pointer (&answer->body, g_byte_array_unref);
  answer->status = 0;
}

gboolean
read_head (int fd, Answer *answer)
{
  GString *head = g_string_new (NULL);
  char c;

  while (!g_str_has_suffix (head->str, "\r\n\r\n") && recv (fd, &c, 1, 0) == 1)
    g_string_append_c (head, c);
  answer->head = g_string_free (head, FALSE);
  answer->status = g_str_has_prefix (answer->head, "HTTP/1.1 ")
                       ? (guint) g_ascii_strtoull (answer->head + 9, NULL, 10)
                       : 0;
  return answer->status != 0;
}

gboolean
read_exactly (int fd, guint8 *bytes, gsize n)
{
  while (n > 0)
    {
      ssize_t got = recv (fd, bytes, n, 0);

      if (got <= 0)
        return FALSE;
      bytes += got;
      n -= (gsize) got;
    }
  return TRUE;
}

gboolean
hear (int fd, gboolean head_only, Answer *answer)
{
  const char *length;
  guint n;

  answer_clear (answer);
  answer->body = g_byte_array_new ();
  if (!read_head (fd, answer))
    return FALSE;
  length = strstr (answer->head, "Content-Length: ");
  n = length != NULL && !head_only ? (guint) g_ascii_strtoull (length + 16, NULL, 10) : 0;
  g_byte_array_set_size (answer->body, n);
  return read_exactly (fd, answer->body->data, n);
}

gboolean
body_is (const Answer *answer, const char *text)
{
  return answer->body->len == strlen (text) &&
         memcmp (answer->body->data, text, answer->body->len) == 0;
}

/* The main thread ------------------------------------------------------------------------- */

struct MainThread
{
  GMainContext *context;
  GMainLoop *loop;
  GThread *thread;
};

typedef struct
{
  MainFunction function;
  gpointer fixture, data;
  GAsyncQueue *done;
} Call;

static gboolean
run_call (gpointer data)
{
  Call *call = data;

  call->function (call->fixture, call->data);
  g_async_queue_push (call->done, call);
  return G_SOURCE_REMOVE;
}

void
main_thread_call (MainThread *thread, MainFunction function, gpointer fixture, gpointer data)
{
  g_autoptr (GAsyncQueue) done = g_async_queue_new ();
  Call call = { function, fixture, data, done };
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_callback (source, run_call, &call, NULL);
  g_source_attach (source, thread->context);
  g_async_queue_pop (done);
}

static gpointer
run_main (gpointer data)
{
  MainThread *thread = data;

  g_main_context_push_thread_default (thread->context);
  g_main_loop_run (thread->loop);
  g_main_context_pop_thread_default (thread->context);
  return NULL;
}

MainThread *
main_thread_new (void)
{
  MainThread *thread = g_new0 (MainThread, 1);

  thread->context = g_main_context_new ();
  thread->loop = g_main_loop_new (thread->context, FALSE);
  thread->thread = g_thread_new ("main", run_main, thread);
  return thread;
}

void
main_thread_free (MainThread *thread)
{
  g_main_loop_quit (thread->loop);
  g_thread_join (thread->thread);
  g_main_loop_unref (thread->loop);
  g_main_context_unref (thread->context);
  g_free (thread);
}
