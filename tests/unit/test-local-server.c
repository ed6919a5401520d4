/* test-local-server.c - what the programs of this machine see of the agent
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/raw-client.h"
#include "tests/unit/suite.h"
#include "transfer/error.h"
#include "transfer/http/local-server.h"

#define SIZE     (4u * 1024u * 1024u + 1000u)
#define ROUNDS   20000
#define STRANGER 65534 /* a user that is not root */

typedef struct
{
  MainThread *main;
  ExoLocalServer *server;
  guint16 port;
  int fd; /* of a file of SIZE bytes */
  char *path;
  gint n_asked;          /* atomic */
  ExoLocalRequest *held; /* of /later */
  ExoLocalStream *stream;
  guint64 step;         /* given whenever a stream waits; 0: the test gives */
  GAsyncQueue *asked;   /* of /later and /stream: one a request */
  GAsyncQueue *waiting; /* offsets, plus one */
  GAsyncQueue *ended;   /* 1: cut, 2: complete */
  int client;           /* looked at when a stream waits; -1 */
  gboolean heads_first; /* something was there to read by then */
} Fixture;

static const char *const text_headers[] = { "Content-Type", "text/plain", "X-Mine", "yes", NULL };

/* The handler ------------------------------------------------------------------------------- */

static void
echo (ExoLocalRequest *request)
{
  GBytes *sent = exo_local_request_body (request);
  const char *header = exo_local_request_header (request, "x-test");
  g_autoptr (GString) text = g_string_new (exo_local_request_is_post (request) ? "P " : "G ");
  g_autoptr (GBytes) body = NULL;

  g_string_append_printf (text, "%s|%s|%s|", exo_local_request_path (request),
                          exo_local_request_query (request), header != NULL ? header : "-");
  if (sent != NULL)
    g_string_append_len (text, g_bytes_get_data (sent, NULL), (gssize) g_bytes_get_size (sent));
  body = g_bytes_new (text->str, text->len);
  exo_local_respond (request, 200, text_headers, body);
}

static void
on_waiting (ExoLocalStream *stream, guint64 offset, gpointer user_data)
{
  Fixture *fixture = user_data;
  char c;

  if (fixture->client >= 0)
    fixture->heads_first = recv (fixture->client, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
  if (fixture->step > 0)
    exo_local_stream_give (stream, fixture->fd, offset + fixture->step);
  else
    g_async_queue_push (fixture->waiting, GSIZE_TO_POINTER (offset + 1));
}

static void
on_ended (ExoLocalStream *stream, gboolean complete, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_async_queue_push (fixture->ended, GINT_TO_POINTER (complete ? 2 : 1));
}

static const ExoLocalStreamCallbacks callbacks = { on_waiting, on_ended };

/* The query is FIRST,LENGTH. */
static void
on_request (ExoLocalServer *server, ExoLocalRequest *request, gpointer user_data)
{
  Fixture *fixture = user_data;
  const char *path = exo_local_request_path (request);
  char *comma = NULL;
  guint64 first = g_ascii_strtoull (exo_local_request_query (request), &comma, 10);
  guint64 length = *comma == ',' ? g_ascii_strtoull (comma + 1, NULL, 10) : 0;

  g_atomic_int_inc (&fixture->n_asked);
  if (strcmp (path, "/file") == 0)
    exo_local_respond_file (request, 206, text_headers, fcntl (fixture->fd, F_DUPFD_CLOEXEC, 0),
                            first, length);
  else if (strcmp (path, "/page") == 0)
    exo_local_respond (request, 200,
                       (const char *const[]){ "Content-Security-Policy", "own", NULL }, NULL);
  else if (strcmp (path, "/length") == 0)
    exo_local_respond_head (request, 200, text_headers, length);
  else if (strcmp (path, "/stream") == 0)
    {
      fixture->stream =
          exo_local_respond_stream (request, 200, text_headers, first, length, &callbacks, fixture);
      g_async_queue_push (fixture->asked, fixture->stream);
    }
  else if (strcmp (path, "/later") == 0)
    {
      fixture->held = request;
      g_async_queue_push (fixture->asked, request);
    }
  else
    echo (request);
}

/* Fixture ----------------------------------------------------------------------------------- */

static void
on_main (Fixture *fixture, void (*function) (Fixture *fixture, gpointer data), gpointer data)
{
  main_thread_call (fixture->main, (MainFunction) (void (*) (void)) function, fixture, data);
}

static void
start_server (Fixture *fixture, gpointer data)
{
  g_autoptr (GError) error = NULL;

  fixture->server = exo_local_server_new (0, on_request, fixture, &error);
  g_assert_no_error (error);
  fixture->port = exo_local_server_port (fixture->server);
}

static void
stop_server (Fixture *fixture, gpointer data)
{
  g_clear_pointer (&fixture->server, exo_local_server_free);
}

static guint8
byte_of (gsize offset)
{
  return (guint8) (offset * 37 + offset / 253);
}

static Fixture *
setup (void)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  g_autofree guint8 *bytes = g_malloc (SIZE);

  for (gsize i = 0; i < SIZE; i++)
    bytes[i] = byte_of (i);
  fixture->fd = g_file_open_tmp ("exo-local-XXXXXX", &fixture->path, NULL);
  g_assert_cmpint (write (fixture->fd, bytes, SIZE), ==, SIZE);
  fixture->client = -1;
  fixture->asked = g_async_queue_new ();
  fixture->waiting = g_async_queue_new ();
  fixture->ended = g_async_queue_new ();
  fixture->main = main_thread_new ();
  on_main (fixture, start_server, NULL);
  return fixture;
}

static void
teardown (Fixture *fixture)
{
  on_main (fixture, stop_server, NULL);
  main_thread_free (fixture->main);
  g_async_queue_unref (fixture->asked);
  g_async_queue_unref (fixture->waiting);
  g_async_queue_unref (fixture->ended);
  g_unlink (fixture->path);
  g_free (fixture->path);
  close (fixture->fd);
  g_free (fixture);
}

static void
give_to (Fixture *fixture, gpointer end)
{
  exo_local_stream_give (fixture->stream, fixture->fd, GPOINTER_TO_SIZE (end));
}

static void
fail_stream (Fixture *fixture, gpointer data)
{
  exo_local_stream_fail (fixture->stream);
}

static void
answer_held (Fixture *fixture, gpointer data)
{
  echo (fixture->held);
}

static guint64
next_wait (Fixture *fixture)
{
  return GPOINTER_TO_SIZE (g_async_queue_pop (fixture->waiting)) - 1;
}

/* The client -------------------------------------------------------------------------------- */

static int
client (Fixture *fixture)
{
  return client_from (fixture->port, "127.0.0.1", 0);
}

/* @headers: after Host; @body: after the headers */
static gboolean
ask (Fixture *fixture, int fd, const char *line, const char *headers, const char *body)
{
  g_autofree char *text = g_strdup_printf ("%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s\r\n%s", line,
                                           fixture->port, headers, body);

  return say (fd, text, strlen (text));
}

/* The status of a request on a connection of its own, all headers given; %PORT stands for the port. */
static guint
status_of (Fixture *fixture, const char *request)
{
  g_autofree char *port = g_strdup_printf ("%u", fixture->port);
  g_auto (GStrv) parts = g_strsplit (request, "%PORT", -1);
  g_autofree char *text = g_strjoinv (port, parts);
  g_auto (Answer) answer = { 0 };
  int fd = client (fixture);

  say (fd, text, strlen (text));
  hear (fd, g_str_has_prefix (request, "HEAD"), &answer);
  close (fd);
  if (answer.status == 403)
    CU_ASSERT_TRUE (answer.body->len == 0 || answer.body->data[0] == '{');
  return answer.status;
}

static gboolean
is_slice (const guint8 *bytes, gsize first, gsize n)
{
  for (gsize i = 0; i < n; i++)
    if (bytes[i] != byte_of (first + i))
      return FALSE;
  return TRUE;
}

static gboolean
reads_slice (int fd, gsize first, gsize n)
{
  g_autofree guint8 *bytes = g_malloc (n);

  return read_exactly (fd, bytes, n) && is_slice (bytes, first, n);
}

static gboolean
is_closed (int fd)
{
  char c;

  return recv (fd, &c, 1, 0) <= 0;
}

/* Tests ------------------------------------------------------------------------------------- */

static void
a_request_arrives_as_it_was_sent (void)
{
  Fixture *fixture = setup ();
  int fd = client (fixture);
  g_auto (Answer) answer = { 0 };

  ask (fixture, fd, "GET /a%2Fb%20c%00?x=%26&y=1+2?", "X-Test: some\r\n", "");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && answer.status == 200);
  CU_ASSERT_TRUE (body_is (&answer, "G /a%2Fb%20c%00|x=%26&y=1+2?|some|"));
  CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, "Content-Type: text/plain\r\n"));
  CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, "X-Mine: yes\r\n"));
  ask (fixture, fd, "POST //x", "Content-Length: 5\r\n", "a\nb=c");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && body_is (&answer, "P //x||-|a\nb=c"));
  ask (fixture, fd, "POST /", "Content-Length: 0\r\n", "");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && body_is (&answer, "P /||-|"));
  ask (fixture, fd, "POST /", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && body_is (&answer, "P /||-|abcde"));
  ask (fixture, fd, "HEAD /x?y", "", "");
  CU_ASSERT_TRUE (hear (fd, TRUE, &answer) && answer.status == 200);
  CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, "Content-Length: 9\r\n"));
  ask (fixture, fd, "GET /?", "", "");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && body_is (&answer, "G /||-|"));
  close (fd);
  teardown (fixture);
}

static void
pipelined_requests_are_answered_in_order (void)
{
  Fixture *fixture = setup ();
  int fd = client (fixture);
  g_auto (Answer) answer = { 0 };

  ask (fixture, fd, "GET /later?1", "", "");
  ask (fixture, fd, "POST /2", "Content-Length: 3\r\n", "two");
  ask (fixture, fd, "HEAD /3", "", "");
  ask (fixture, fd, "GET /file?10,20", "", "");
  ask (fixture, fd, "GET /5", "", "");
  g_async_queue_pop (fixture->asked);
  on_main (fixture, answer_held, NULL);
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && body_is (&answer, "G /later|1|-|"));
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && body_is (&answer, "P /2||-|two"));
  CU_ASSERT_TRUE (hear (fd, TRUE, &answer) && answer.status == 200);
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && answer.body->len == 20);
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && body_is (&answer, "G /5||-|"));
  close (fd);
  teardown (fixture);
}

static void
files_are_served_in_the_range_given (void)
{
  static const gsize rows[][2] = { { 0, SIZE }, { 0, 1 }, { SIZE - 1, 1 }, { 1000, 3000000 } };
  Fixture *fixture = setup ();
  int fd = client (fixture);
  g_auto (Answer) answer = { 0 };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *line =
          g_strdup_printf ("/file?%" G_GSIZE_FORMAT ",%" G_GSIZE_FORMAT, rows[i][0], rows[i][1]);
      g_autofree char *get = g_strconcat ("GET ", line, NULL);
      g_autofree char *head = g_strconcat ("HEAD ", line, NULL);
      g_autofree char *length =
          g_strdup_printf ("Content-Length: %" G_GSIZE_FORMAT "\r\n", rows[i][1]);

      ask (fixture, fd, get, "", "");
      CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && answer.status == 206);
      CU_ASSERT_TRUE (answer.body->len == rows[i][1] &&
                      is_slice (answer.body->data, rows[i][0], rows[i][1]));
      ask (fixture, fd, head, "", "");
      CU_ASSERT_TRUE (hear (fd, TRUE, &answer) && strstr (answer.head, length) != NULL);
    }
  ask (fixture, fd, "HEAD /length?0,9000000000", "", "");
  CU_ASSERT_TRUE (hear (fd, TRUE, &answer) && answer.status == 200);
  CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, "Content-Length: 9000000000\r\n"));
  ask (fixture, fd, "HEAD /length?0,0", "", "");
  CU_ASSERT_TRUE (hear (fd, TRUE, &answer) && strstr (answer.head, "Content-Length: 0\r\n"));
  ask (fixture, fd, "GET /length?0,0", "", "");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && strstr (answer.head, "Content-Length: 0\r\n"));
  ask (fixture, fd, "GET /file?0,0", "", "");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && answer.status == 206 && answer.body->len == 0);
  CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, "Content-Length: 0\r\n"));
  close (fd);
  teardown (fixture);
}

static void
other_hosts_and_pages_of_other_sites_are_refused (void)
{
  static const struct
  {
    guint status;
    const char *headers;
  } rows[] = {
    { 200, "Host: 127.0.0.1:%PORT\r\n" },
    { 200, "Host: LocalHost:%PORT\r\n" },
    { 200, "Host: [::1]:%PORT\r\n" },
    { 403, "Host: 127.0.0.1\r\n" },
    { 403, "Host: 127.0.0.1:1\r\n" },
    { 403, "Host: 127.0.0.1:%PORT0\r\n" },
    { 403, "Host: 127.0.0.2:%PORT\r\n" },
    { 403, "Host: localhost.evil.example:%PORT\r\n" },
    { 403, "Host: evil.example:%PORT\r\n" },
    { 403, "Host: \r\n" },
    { 200, "Host: localhost:%PORT\r\nOrigin: http://127.0.0.1:%PORT\r\n" },
    { 403, "Host: localhost:%PORT\r\nOrigin: https://localhost:%PORT\r\n" },
    { 403, "Host: localhost:%PORT\r\nOrigin: http://localhost:1\r\n" },
    { 403, "Host: localhost:%PORT\r\nOrigin: http://evil.example\r\n" },
    { 403, "Host: localhost:%PORT\r\nOrigin: null\r\n" },
    { 403, "Host: localhost:%PORT\r\nSec-Fetch-Site: cross-site\r\n" },
    { 403, "Host: localhost:%PORT\r\nSec-Fetch-Site: same-site\r\n" },
    { 200, "Host: localhost:%PORT\r\nSec-Fetch-Site: same-origin\r\n" },
    { 200, "Host: localhost:%PORT\r\nSec-Fetch-Site: none\r\n" },
  };
  static const char *const methods[] = { "GET", "HEAD", "POST" };
  Fixture *fixture = setup ();
  gint welcome = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (rows) * G_N_ELEMENTS (methods); i++)
    {
      gsize row = i / G_N_ELEMENTS (methods);
      g_autofree char *text = g_strdup_printf (
          "%s / HTTP/1.1\r\n%s\r\n", methods[i % G_N_ELEMENTS (methods)], rows[row].headers);

      CU_ASSERT_EQUAL (status_of (fixture, text), rows[row].status);
      welcome += rows[row].status == 200;
    }
  CU_ASSERT_EQUAL (status_of (fixture, "GET / HTTP/1.1\r\n\r\n"), 403);
  CU_ASSERT_EQUAL (status_of (fixture, "GET / HTTP/1.0\r\n\r\n"), 403);
  CU_ASSERT_EQUAL (g_atomic_int_get (&fixture->n_asked), welcome);
  teardown (fixture);
}

#define NOSNIFF "X-Content-Type-Options: nosniff\r\n"
#define SANDBOX "Content-Security-Policy: default-src 'none'; sandbox\r\n"

static void
browsers_are_told_to_run_nothing (void)
{
  static const struct
  {
    guint status;
    const char *line, *headers, *policy;
  } rows[] = {
    { 200, "GET /", "", SANDBOX },
    { 200, "HEAD /", "", SANDBOX },
    { 206, "GET /file?0,3", "", SANDBOX },
    { 200, "HEAD /length?0,3", "", SANDBOX },
    { 200, "GET /stream?0,3", "", SANDBOX },
    { 403, "GET /", "Origin: http://evil.example\r\n", SANDBOX },
    { 413, "POST /", "Content-Length: 99999999\r\n", SANDBOX },
    { 200, "GET /page", "", "Content-Security-Policy: own\r\n" },
  };
  Fixture *fixture = setup ();

  fixture->step = SIZE;
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (Answer) answer = { 0 };
      int fd = client (fixture);
      const char *policy;

      ask (fixture, fd, rows[i].line, rows[i].headers, "");
      CU_ASSERT_TRUE_FATAL (read_head (fd, &answer));
      CU_ASSERT_EQUAL (answer.status, rows[i].status);
      CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, NOSNIFF));
      policy = strstr (answer.head, rows[i].policy);
      CU_ASSERT_PTR_NOT_NULL_FATAL (policy);
      CU_ASSERT_PTR_NULL (strstr (policy + 1, "Content-Security-Policy"));
      close (fd);
    }
  teardown (fixture);
}

#define HOST " HTTP/1.1\r\nHost: localhost:%PORT\r\n"

static void
what_is_malformed_or_too_large_is_refused (void)
{
  Fixture *fixture = setup ();
  g_autofree char *path = g_strnfill (8191, 'p');
  g_autofree char *longest = g_strconcat ("GET /", path, HOST "\r\n", NULL);
  g_autofree char *too_long = g_strconcat ("GET /?", path, HOST "\r\n", NULL);
  g_autofree char *huge = g_strnfill (40000, 'h');
  g_autofree char *header = g_strconcat ("GET /" HOST "X-Huge: ", huge, "\r\n\r\n", NULL);

  CU_ASSERT_EQUAL (status_of (fixture, longest), 200);
  CU_ASSERT_EQUAL (status_of (fixture, too_long), 414);
  CU_ASSERT_EQUAL (status_of (fixture, header), 431);
  CU_ASSERT_EQUAL (status_of (fixture, "PUT /" HOST "Content-Length: 1\r\n\r\na"), 501);
  CU_ASSERT_EQUAL (status_of (fixture, "OPTIONS /" HOST "\r\n"), 501);
  CU_ASSERT_EQUAL (status_of (fixture, "BREW /" HOST "\r\n"), 501);
  CU_ASSERT_EQUAL (status_of (fixture, "GET *" HOST "\r\n"), 400);
  CU_ASSERT_EQUAL (status_of (fixture, "GET http://localhost:%PORT/" HOST "\r\n"), 400);
  CU_ASSERT_EQUAL (status_of (fixture, "GET /a\x01" HOST "\r\n"), 400);
  CU_ASSERT_EQUAL (status_of (fixture, "GET /a?\x7f" HOST "\r\n"), 400);
  CU_ASSERT_EQUAL (status_of (fixture, "POST /" HOST "Transfer-Encoding: gzip\r\n\r\nx"), 501);
  CU_ASSERT_EQUAL (status_of (fixture, "POST /" HOST "Content-Length: -1\r\n\r\n"), 400);
  CU_ASSERT_EQUAL (
      status_of (fixture, "POST /" HOST "Content-Length: 99999999999999999999\r\n\r\n"), 413);
  CU_ASSERT_EQUAL (g_atomic_int_get (&fixture->n_asked), 1);
  teardown (fixture);
}

static void
a_body_past_the_limit_is_refused (void)
{
  Fixture *fixture = setup ();
  g_autofree char *full = g_strnfill (EXO_LOCAL_BODY_MAX, 'b');
  g_autofree char *length = g_strdup_printf ("Content-Length: %u\r\n", EXO_LOCAL_BODY_MAX);
  g_autofree char *over = g_strdup_printf ("Content-Length: %u\r\n", EXO_LOCAL_BODY_MAX + 1);
  g_autofree char *chunk = g_strdup_printf ("%x\r\n%s\r\n0\r\n\r\n", EXO_LOCAL_BODY_MAX, full);
  g_autofree char *chunks =
      g_strdup_printf ("%x\r\n%s\r\n1\r\nb\r\n0\r\n\r\n", EXO_LOCAL_BODY_MAX, full);
  g_auto (Answer) answer = { 0 };
  int fd = client (fixture);

  ask (fixture, fd, "POST /", length, full);
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && answer.body->len == 7 + EXO_LOCAL_BODY_MAX);
  ask (fixture, fd, "POST /", "Transfer-Encoding: chunked\r\n", chunk);
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && answer.body->len == 7 + EXO_LOCAL_BODY_MAX);
  ask (fixture, fd, "POST /", "Transfer-Encoding: chunked\r\n", chunks);
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && answer.status == 413);
  CU_ASSERT_TRUE (body_is (&answer, "{\"error\":\"the body is too large\"}"));
  ask (fixture, fd, "POST /", over, "");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && answer.status == 413);
  CU_ASSERT_TRUE (body_is (&answer, "{\"error\":\"the body is too large\"}"));
  CU_ASSERT_TRUE (is_closed (fd)); /* its body is not waited for */
  close (fd);
  CU_ASSERT_EQUAL (g_atomic_int_get (&fixture->n_asked), 2);
  teardown (fixture);
}

/* In a process of its own, where only what is safe after fork() of a threaded program is called. Returns: the first digit of the status */
static int
asked_by (uid_t user, const struct sockaddr *to, socklen_t n, const char *request)
{
  char head[10] = "";
  int status = 0;
  pid_t pid = fork ();

  if (pid == 0)
    {
      int fd;

      if (setuid (user) != 0 || (fd = socket (to->sa_family, SOCK_STREAM, 0)) < 0 ||
          connect (fd, to, n) != 0 || send (fd, request, strlen (request), 0) < 0 ||
          recv (fd, head, sizeof head, MSG_WAITALL) != sizeof head)
        _exit (1);
      _exit (head[9]);
    }
  waitpid (pid, &status, 0);
  return WEXITSTATUS (status);
}

static void
programs_of_other_users_are_refused (void)
{
  Fixture *fixture = setup ();
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons (fixture->port) };
  struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = to.sin_port };
  g_autofree char *text =
      g_strdup_printf ("GET / HTTP/1.1\r\nHost: localhost:%u\r\n\r\n", fixture->port);

  inet_pton (AF_INET, "127.0.0.1", &to.sin_addr);
  inet_pton (AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
  if (getuid () != 0) /* who is not root cannot be another */
    printf ("(skip programs_of_other_users_are_refused: not root) ");
  else
    {
      CU_ASSERT_EQUAL (asked_by (STRANGER, (struct sockaddr *) &to, sizeof to, text), '4');
      CU_ASSERT_EQUAL (asked_by (STRANGER, (struct sockaddr *) &mapped, sizeof mapped, text), '4');
      CU_ASSERT_EQUAL (g_atomic_int_get (&fixture->n_asked), 0);
    }
  CU_ASSERT_EQUAL (asked_by (getuid (), (struct sockaddr *) &to, sizeof to, text), '2');
  CU_ASSERT_EQUAL (asked_by (getuid (), (struct sockaddr *) &mapped, sizeof mapped, text), '2');
  teardown (fixture);
}

static void
headers_of_a_stream_do_not_wait_for_its_bytes (void)
{
  Fixture *fixture = setup ();
  g_auto (Answer) answer = { 0 };

  fixture->client = client (fixture);
  ask (fixture, fixture->client, "GET /", "",
       ""); /* the first answer of a connection is another case */
  CU_ASSERT_TRUE (hear (fixture->client, FALSE, &answer));
  answer_clear (&answer);
  ask (fixture, fixture->client, "GET /stream?100,1000", "", "");
  CU_ASSERT_EQUAL (next_wait (fixture), 100);
  CU_ASSERT_TRUE (fixture->heads_first);
  CU_ASSERT_TRUE (read_head (fixture->client, &answer) && answer.status == 200);
  CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, "Content-Length: 1000\r\n"));
  CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, "X-Mine: yes\r\n"));
  close (fixture->client);
  teardown (fixture);
}

static void
a_stream_sends_what_it_is_given_and_says_what_it_lacks (void)
{
  Fixture *fixture = setup ();
  int fd = client (fixture);
  g_auto (Answer) answer = { 0 };

  ask (fixture, fd, "GET /stream?100,700000", "", "");
  CU_ASSERT_EQUAL (next_wait (fixture), 100);
  CU_ASSERT_TRUE (read_head (fd, &answer));
  on_main (fixture, give_to, GSIZE_TO_POINTER (50)); /* nothing of it */
  on_main (fixture, give_to, GSIZE_TO_POINTER (100));
  on_main (fixture, give_to, GSIZE_TO_POINTER (101));
  CU_ASSERT_EQUAL (next_wait (fixture), 101);
  CU_ASSERT_TRUE (reads_slice (fd, 100, 1));
  on_main (fixture, give_to, GSIZE_TO_POINTER (101));
  on_main (fixture, give_to, GSIZE_TO_POINTER (600000));
  CU_ASSERT_TRUE (reads_slice (fd, 101, 599899));
  CU_ASSERT_EQUAL (next_wait (fixture), 600000);
  CU_ASSERT_EQUAL (g_async_queue_length (fixture->waiting), 0);
  on_main (fixture, give_to, GSIZE_TO_POINTER (SIZE)); /* more than was asked for */
  CU_ASSERT_TRUE (reads_slice (fd, 600000, 100100));
  CU_ASSERT_EQUAL (GPOINTER_TO_INT (g_async_queue_pop (fixture->ended)), 2);
  CU_ASSERT_EQUAL (g_async_queue_length (fixture->waiting), 0);
  ask (fixture, fd, "GET /stream?0,0", "", "");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && answer.status == 200);
  CU_ASSERT_EQUAL (GPOINTER_TO_INT (g_async_queue_pop (fixture->ended)), 2);
  ask (fixture, fd, "GET /after", "", ""); /* the connection was kept */
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && body_is (&answer, "G /after||-|"));
  close (fd);
  teardown (fixture);
}

/* On the main thread, which hears of the two waits only when this returns. */
static void
give_two_bytes (Fixture *fixture, gpointer data)
{
  for (gsize end = 1; end <= 2; end++)
    {
      exo_local_stream_give (fixture->stream, fixture->fd, end);
      CU_ASSERT_TRUE (reads_slice (fixture->client, end - 1, 1));
    }
}

static void
a_wait_is_told_once_however_often_it_came (void)
{
  Fixture *fixture = setup ();
  g_auto (Answer) answer = { 0 };

  fixture->client = client (fixture);
  ask (fixture, fixture->client, "GET /stream?0,3", "", "");
  CU_ASSERT_EQUAL (next_wait (fixture), 0);
  CU_ASSERT_TRUE (read_head (fixture->client, &answer));
  on_main (fixture, give_two_bytes, NULL);
  CU_ASSERT_EQUAL (next_wait (fixture), 2);
  on_main (fixture, give_to, GSIZE_TO_POINTER (3));
  CU_ASSERT_EQUAL (GPOINTER_TO_INT (g_async_queue_pop (fixture->ended)), 2);
  CU_ASSERT_EQUAL (g_async_queue_length (fixture->waiting), 0);
  close (fixture->client);
  teardown (fixture);
}

static void
a_slow_client_gets_every_byte (void)
{
  Fixture *fixture = setup ();
  int fd = client_from (fixture->port, "127.0.0.1", 4096);
  g_auto (Answer) answer = { 0 };

  fixture->step = SIZE;
  ask (fixture, fd, "GET /stream?0,4195304", "", "");
  CU_ASSERT_TRUE (read_head (fd, &answer));
  for (gsize i = 0; i < SIZE; i += 1004)
    CU_ASSERT_TRUE_FATAL (reads_slice (fd, i, MIN (1004, SIZE - i)));
  CU_ASSERT_EQUAL (GPOINTER_TO_INT (g_async_queue_pop (fixture->ended)), 2);
  close (fd);
  teardown (fixture);
}

static void
a_client_that_goes_ends_its_stream (void)
{
  Fixture *fixture = setup ();
  g_auto (Answer) answer = { 0 };
  int fd = client (fixture);

  ask (fixture, fd, "GET /stream?0,4000000", "", "");
  CU_ASSERT_EQUAL (next_wait (fixture), 0);
  close (fd); /* with the head unread, while it waits: a reset */
  CU_ASSERT_EQUAL (GPOINTER_TO_INT (g_async_queue_pop (fixture->ended)), 1);

  fd = client (fixture);
  ask (fixture, fd, "GET /stream?0,4000000", "", "");
  CU_ASSERT_TRUE (read_head (fd, &answer));
  CU_ASSERT_EQUAL (next_wait (fixture), 0);
  close (fd); /* in order, while it waits */
  CU_ASSERT_EQUAL (GPOINTER_TO_INT (g_async_queue_pop (fixture->ended)), 1);

  fd = client_from (fixture->port, "127.0.0.1", 4096);
  fixture->step = SIZE;
  ask (fixture, fd, "GET /stream?0,4000000", "", "");
  answer_clear (&answer);
  CU_ASSERT_TRUE (read_head (fd, &answer) && reads_slice (fd, 0, 1));
  close (fd); /* in the middle of the bytes */
  CU_ASSERT_EQUAL (GPOINTER_TO_INT (g_async_queue_pop (fixture->ended)), 1);
  teardown (fixture);
}

static void
a_stream_that_fails_is_closed_early (void)
{
  Fixture *fixture = setup ();
  g_auto (Answer) answer = { 0 };
  int fd = client (fixture);

  ask (fixture, fd, "GET /stream?0,1000", "", "");
  next_wait (fixture);
  on_main (fixture, give_to, GSIZE_TO_POINTER (10));
  next_wait (fixture);
  on_main (fixture, fail_stream, NULL);
  CU_ASSERT_TRUE (read_head (fd, &answer) && reads_slice (fd, 0, 10) && is_closed (fd));
  close (fd);

  fd = client (fixture); /* the file is shorter than was said */
  ask (fixture, fd, "GET /stream?4195300,1000", "", "");
  next_wait (fixture);
  on_main (fixture, give_to, GSIZE_TO_POINTER (SIZE + 1000));
  answer_clear (&answer);
  CU_ASSERT_TRUE (read_head (fd, &answer) && reads_slice (fd, 4195300, 4) && is_closed (fd));
  CU_ASSERT_EQUAL (GPOINTER_TO_INT (g_async_queue_pop (fixture->ended)), 1);
  close (fd);
  CU_ASSERT_EQUAL (g_async_queue_length (fixture->ended), 0);
  teardown (fixture);
}

static void
thousands_of_waits_lose_nothing (void)
{
  Fixture *fixture = setup ();
  int fd = client (fixture);
  g_auto (Answer) answer = { 0 };

  fixture->step = 1;
  ask (fixture, fd, "GET /stream?0," G_STRINGIFY (ROUNDS), "", "");
  CU_ASSERT_TRUE (read_head (fd, &answer));
  CU_ASSERT_TRUE (reads_slice (fd, 0, ROUNDS));
  CU_ASSERT_EQUAL (GPOINTER_TO_INT (g_async_queue_pop (fixture->ended)), 2);
  close (fd);
  teardown (fixture);
}

static void
a_server_is_freed_with_everything_open (void)
{
  Fixture *fixture = setup ();
  int fds[6];

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    fds[i] = client (fixture);
  ask (fixture, fds[0], "GET /later", "", "");
  ask (fixture, fds[1], "GET /stream?0,1000", "", "");
  ask (fixture, fds[2], "GET /stream?0,4000000", "", "");
  ask (fixture, fds[3], "GET /file?0,4000000", "", "");
  ask (fixture, fds[4], "POST /", "Content-Length: 10\r\n", "half");
  for (guint i = 0; i < 3; i++)
    g_async_queue_pop (fixture->asked);
  on_main (fixture, give_to, GSIZE_TO_POINTER (900));
  on_main (fixture, stop_server, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      while (!is_closed (fds[i]))
        ;
      close (fds[i]);
    }
  CU_ASSERT_EQUAL (g_async_queue_length (fixture->ended), 0);
  teardown (fixture);
}

#define ASKERS 40

/* Requests come while the main thread is here, so nobody is told of them. */
static void
stop_while_asked (Fixture *fixture, gpointer data)
{
  const int *fds = data;

  for (guint i = 0; i < ASKERS; i++)
    ask (fixture, fds[i], "GET /", "", "");
  stop_server (fixture, NULL);
}

static void
requests_that_nobody_was_told_of_end_with_the_server (void)
{
  Fixture *fixture = setup ();
  g_auto (Answer) answer = { 0 };
  int fds[ASKERS];

  for (guint i = 0; i < ASKERS; i++)
    {
      fds[i] = client (fixture);
      ask (fixture, fds[i], "GET /", "", "");
      CU_ASSERT_TRUE (hear (fds[i], FALSE, &answer));
    }
  on_main (fixture, stop_while_asked, fds);
  for (guint i = 0; i < ASKERS; i++)
    {
      CU_ASSERT_TRUE (is_closed (fds[i]));
      close (fds[i]);
    }
  CU_ASSERT_EQUAL (g_atomic_int_get (&fixture->n_asked), ASKERS);
  teardown (fixture);
}

/* As long as a connection was closed but is not yet counted off, the next one may be refused. */
static guint
status_when_free (Fixture *fixture)
{
  guint status = 503;

  for (guint i = 0; i < 4000 && (status == 503 || status == 0); i++)
    {
      status = status_of (fixture, "GET /" HOST "Connection: close\r\n\r\n");
      if (status != 200)
        g_usleep (5000);
    }
  return status;
}

static void
streams_that_failed_leave_no_connection_behind (void)
{
  Fixture *fixture = setup ();

  for (guint i = 0; i < EXO_LOCAL_CONNECTIONS_MAX; i++)
    {
      int fd = client (fixture);

      ask (fixture, fd, "GET /stream?0,10", "", "");
      next_wait (fixture);
      on_main (fixture, fail_stream, NULL);
      close (fd);
    }
  CU_ASSERT_EQUAL (status_when_free (fixture), 200);
  teardown (fixture);
}

static void
connections_past_the_limit_are_turned_away (void)
{
  Fixture *fixture = setup ();
  int fds[EXO_LOCAL_CONNECTIONS_MAX];
  g_auto (Answer) answer = { 0 };
  int over;

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    {
      fds[i] = client (fixture);
      ask (fixture, fds[i], "GET /", "", "");
    }
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    CU_ASSERT_TRUE (hear (fds[i], FALSE, &answer) && answer.status == 200);
  over = client (fixture);
  CU_ASSERT_TRUE (hear (over, FALSE, &answer) && answer.status == 503);
  CU_ASSERT_TRUE (body_is (&answer, "{\"error\":\"too many connections\"}\n") && is_closed (over));
  CU_ASSERT_TRUE (strstr (answer.head, NOSNIFF) != NULL && strstr (answer.head, SANDBOX) != NULL);
  close (over);
  ask (fixture, fds[0], "GET /", "", "");
  CU_ASSERT_TRUE (hear (fds[0], FALSE, &answer) && answer.status == 200);
  close (fds[1]);
  CU_ASSERT_EQUAL (status_when_free (fixture), 200);
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    if (i != 1)
      close (fds[i]);
  teardown (fixture);
}

/* Each stands in the way of those after it, until all sixteen ports are taken: by us or by somebody else. */
static void
a_port_that_is_taken_is_passed_over (void)
{
  Fixture *fixture = setup ();
  g_autoptr (GPtrArray) servers =
      g_ptr_array_new_with_free_func ((GDestroyNotify) exo_local_server_free);
  g_autoptr (GError) error = NULL;
  guint16 first = MIN (fixture->port, G_MAXUINT16 - 15), last = 0;
  ExoLocalServer *server;

  while ((server = exo_local_server_new (first, on_request, fixture, &error)) != NULL)
    {
      g_ptr_array_add (servers, server);
      CU_ASSERT_TRUE_FATAL (exo_local_server_port (server) > last);
      last = exo_local_server_port (server);
    }
  CU_ASSERT_TRUE (servers->len > 0 && last >= first && last <= first + 15);
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED));
  teardown (fixture);
}

EXO_SUITE ("local-server",
           TEST (a_request_arrives_as_it_was_sent),
           TEST (pipelined_requests_are_answered_in_order),
           TEST (files_are_served_in_the_range_given),
           TEST (other_hosts_and_pages_of_other_sites_are_refused),
           TEST (browsers_are_told_to_run_nothing),
           TEST (what_is_malformed_or_too_large_is_refused),
           TEST (a_body_past_the_limit_is_refused),
           TEST (programs_of_other_users_are_refused),
           TEST (headers_of_a_stream_do_not_wait_for_its_bytes),
           TEST (a_stream_sends_what_it_is_given_and_says_what_it_lacks),
           TEST (a_wait_is_told_once_however_often_it_came),
           TEST (a_slow_client_gets_every_byte),
           TEST (a_client_that_goes_ends_its_stream),
           TEST (a_stream_that_fails_is_closed_early),
           TEST (thousands_of_waits_lose_nothing),
           TEST (a_server_is_freed_with_everything_open),
           TEST (requests_that_nobody_was_told_of_end_with_the_server),
           TEST (streams_that_failed_leave_no_connection_behind),
           TEST (connections_past_the_limit_are_turned_away),
           TEST (a_port_that_is_taken_is_passed_over))
