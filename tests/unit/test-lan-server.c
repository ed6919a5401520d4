/* test-lan-server.c - what this node shows its neighbours
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The server's main context runs in a thread of its own, so that the tests can be blocking clients.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/raw-client.h"
#include "tests/unit/suite.h"
#include "transfer/http/lan-server.h"

#define OID_A "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
#define OID_B "b3d0a1f7938cd4d8413a4dcffd4313e2e8ac0cb61cb1090eb140ea8e9154befb"
#define PIECE EXO_PIECE_SIZE_MIN
#define SIZE  (PIECE * 40u + 1000u) /* 41 pieces, the last one short */

typedef struct
{
  MainThread *main;
  ExoLanServer *server;
  guint slots;
  guint16 port;
  int fd; /* of a file of SIZE bytes */
  char *path;
  GAsyncQueue *opened, *closed; /* ExoLanStream */
  guint n_lookups;
  ExoLanRequest *held; /* a digest request not answered yet */
  GAsyncQueue *asked;
} Fixture;

/* The main thread of the server ------------------------------------------------------------- */

static void
on_main (Fixture *fixture, void (*function) (Fixture *fixture, gpointer data), gpointer data)
{
  main_thread_call (fixture->main, (MainFunction) (void (*) (void)) function, fixture, data);
}

static void
on_stream_opened (ExoLanServer *server,
                  ExoLanStream *stream,
                  const char *body,
                  gsize length,
                  gpointer user_data)
{
  Fixture *fixture = user_data;

  exo_lan_stream_set_data (stream, g_strndup (body, length));
  exo_lan_stream_send (stream, "{\"v\":1}", 7);
  g_async_queue_push (fixture->opened, stream);
}

static void
on_stream_closed (ExoLanServer *server, ExoLanStream *stream, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_free (exo_lan_stream_get_data (stream));
  g_async_queue_push (fixture->closed, stream);
}

static void
on_digests_wanted (ExoLanServer *server,
                   ExoLanRequest *request,
                   const char *oid,
                   gpointer user_data)
{
  Fixture *fixture = user_data;
  g_autofree char *text = g_strdup_printf ("{\"digests\":\"%s\"}", oid);
  g_autoptr (GBytes) json = g_bytes_new (text, strlen (text));

  if (strcmp (oid, OID_B) == 0)
    {
      fixture->held = request;
      g_async_queue_push (fixture->asked, request);
      return;
    }
  exo_lan_request_respond (request, 200, json);
}

static void
on_manifest_wanted (ExoLanServer *server,
                    ExoLanRequest *request,
                    const char *type,
                    const char *id,
                    const char *revision,
                    gpointer user_data)
{
  g_autofree char *text = g_strjoin (" ", type, id, revision, NULL);
  g_autoptr (GBytes) json = g_bytes_new (text, strlen (text));

  exo_lan_request_respond (request, strcmp (id, "gpt2") == 0 ? 404 : 200, json);
}

static int
on_lookup (const char *oid, guint64 *out_size, gpointer user_data)
{
  Fixture *fixture = user_data;

  fixture->n_lookups++;
  if (strcmp (oid, OID_B) != 0)
    return -1;
  *out_size = SIZE;
  return dup (fixture->fd);
}

static void
on_card_wanted (ExoLanRequest *request, gpointer user_data)
{
  g_autoptr (GBytes) card = g_bytes_new_static ("{\"card\":1}", 10);

  exo_lan_request_respond (request, 200, card);
}

static const ExoLanCallbacks callbacks = { on_stream_opened, on_stream_closed, on_digests_wanted,
                                           on_manifest_wanted };

static void
start_server (Fixture *fixture, gpointer data)
{
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = NULL;

  g_ptr_array_add (addresses, g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4));
  fixture->server = exo_lan_server_new (fixture->slots, &callbacks, fixture, &error);
  g_assert_no_error (error);
  exo_lan_server_listen (fixture->server, addresses, 0, TRUE, &error);
  g_assert_no_error (error);
  exo_lan_server_set_card (fixture->server, on_card_wanted, fixture);
  exo_lan_server_set_lookup (fixture->server, on_lookup, fixture);
  fixture->port = exo_lan_server_port (fixture->server);
}

static guint8
byte_at (gsize offset)
{
  return (guint8) (offset * 31 + offset / 251);
}

static Fixture *
setup (guint slots)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  g_autofree guint8 *bytes = g_malloc (SIZE);

  for (gsize i = 0; i < SIZE; i++)
    bytes[i] = byte_at (i);
  fixture->slots = slots;
  fixture->fd = g_file_open_tmp ("exo-lan-XXXXXX", &fixture->path, NULL);
  g_assert_cmpint (write (fixture->fd, bytes, SIZE), ==, SIZE);
  fixture->opened = g_async_queue_new ();
  fixture->closed = g_async_queue_new ();
  fixture->asked = g_async_queue_new ();
  fixture->main = main_thread_new ();
  on_main (fixture, start_server, NULL);
  return fixture;
}

static void
stop_server (Fixture *fixture, gpointer data)
{
  g_clear_pointer (&fixture->server, exo_lan_server_free);
}

static void
teardown (Fixture *fixture)
{
  on_main (fixture, stop_server, NULL);
  main_thread_free (fixture->main);
  g_async_queue_unref (fixture->opened);
  g_async_queue_unref (fixture->closed);
  g_async_queue_unref (fixture->asked);
  g_unlink (fixture->path);
  g_free (fixture->path);
  close (fixture->fd);
  g_free (fixture);
}

static void
share_whole (Fixture *fixture, gpointer data)
{
  exo_lan_server_share (fixture->server, data, fixture->fd, SIZE, NULL);
}

static void
share_nothing_yet (Fixture *fixture, gpointer data)
{
  g_autoptr (ExoPieceMap) map = exo_piece_map_new (SIZE);

  exo_lan_server_share (fixture->server, data, fixture->fd, SIZE, map);
}

static void
add_piece (Fixture *fixture, gpointer data)
{
  exo_lan_server_share_add (fixture->server, OID_A, GPOINTER_TO_UINT (data));
}

/* A client ---------------------------------------------------------------------------------- */

static int
client (Fixture *fixture)
{
  return client_from (fixture->port, "127.0.0.1", 0);
}

static gboolean
ask (int fd, const char *method, const char *path, const char *headers)
{
  g_autofree char *text =
      g_strdup_printf ("%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, path, headers);

  return say (fd, text, strlen (text));
}

static guint
once (Fixture *fixture, const char *method, const char *path, const char *headers, Answer *answer)
{
  int fd = client (fixture);

  ask (fd, method, path, headers);
  hear (fd, strcmp (method, "HEAD") == 0, answer);
  close (fd);
  return answer->status;
}

static gboolean
is_slice (const Answer *answer, gsize first, gsize n)
{
  if (answer->body->len != n)
    return FALSE;
  for (gsize i = 0; i < n; i++)
    if (answer->body->data[i] != byte_at (first + i))
      return FALSE;
  return TRUE;
}

/* The load once it is as @wanted says; polled, since nothing tells of it */
static gboolean
load_becomes (Fixture *fixture, guint uploads, guint queued, guint connections)
{
  ExoLanLoad load;

  for (guint i = 0; i < 4000; i++)
    {
      exo_lan_server_get_load (fixture->server, &load);
      if (load.uploads == uploads && load.queued == queued && load.connections == connections)
        return TRUE;
      g_usleep (5000);
    }
  printf ("\n    load %u %u %u", load.uploads, load.queued, load.connections);
  return FALSE;
}

/* Tests ------------------------------------------------------------------------------------- */

static void
ranges_of_a_whole_blob_are_served_on_one_connection (void)
{
  Fixture *fixture = setup (4);
  int fd = client (fixture);
  g_auto (Answer) answer = { 0 };

  on_main (fixture, share_whole, (gpointer) OID_A);
  ask (fd, "GET", "/v1/blobs/" OID_A, "Range: bytes=262140-262150\r\n");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && answer.status == 206);
  CU_ASSERT_TRUE (is_slice (&answer, 262140, 11));
  CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, "Content-Range: bytes 262140-262150/10486760\r\n"));
  CU_ASSERT_PTR_NOT_NULL (strcasestr (answer.head, "ETag: \"" OID_A "\"\r\n"));
  CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, "Accept-Ranges: bytes\r\n"));
  CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, "Content-Type: application/octet-stream\r\n"));
  ask (fd, "GET", "/v1/blobs/" OID_A, "Range: bytes=-500\r\n");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && is_slice (&answer, SIZE - 500, 500));
  ask (fd, "GET", "/v1/blobs/" OID_A, "Range: bytes=1048576-5242879\r\n");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && is_slice (&answer, 1048576, 4194304));
  ask (fd, "GET", "/v1/blobs/" OID_A, "");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && answer.status == 200);
  CU_ASSERT_TRUE (is_slice (&answer, 0, SIZE));
  ask (fd, "HEAD", "/v1/blobs/" OID_A, "");
  CU_ASSERT_TRUE (hear (fd, TRUE, &answer) && answer.status == 200);
  CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, "Content-Length: 10486760\r\n"));
  ask (fd, "GET", "/v1/blobs/" OID_A, "Range: bytes=10486760-\r\n");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && answer.status == 416);
  CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, "Content-Range: bytes */10486760\r\n"));
  ask (fd, "GET", "/v1/blobs/" OID_A, "Range: bytes=0-1,3-4\r\n");
  CU_ASSERT_TRUE (hear (fd, FALSE, &answer) && answer.status == 416);
  close (fd);
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, 0));
  teardown (fixture);
}

static void
a_growing_blob_serves_only_what_is_there (void)
{
  Fixture *fixture = setup (4);
  g_auto (Answer) answer = { 0 };

  CU_ASSERT_EQUAL (once (fixture, "GET", "/v1/blobs/" OID_A, "", &answer), 404);
  on_main (fixture, share_nothing_yet, (gpointer) OID_A);
  on_main (fixture, add_piece, GUINT_TO_POINTER (1));
  on_main (fixture, add_piece, GUINT_TO_POINTER (40));
#define RANGE(r) once (fixture, "GET", "/v1/blobs/" OID_A, "Range: bytes=" r "\r\n", &answer)
  CU_ASSERT_EQUAL (RANGE ("0-10"), 404);
  CU_ASSERT_TRUE (body_is (&answer, "{\"error\":\"not all of these bytes are here yet\"}"));
  CU_ASSERT_EQUAL (RANGE ("262144-524287"), 206);
  CU_ASSERT_TRUE (is_slice (&answer, PIECE, PIECE));
  CU_ASSERT_EQUAL (RANGE ("262143-262144"), 404);
  CU_ASSERT_EQUAL (RANGE ("524287-524288"), 404);
  CU_ASSERT_EQUAL (RANGE ("-1000"), 206);
  CU_ASSERT_EQUAL (RANGE ("-1001"), 404);
  CU_ASSERT_EQUAL (once (fixture, "GET", "/v1/blobs/" OID_A, "", &answer), 404);
  on_main (fixture, add_piece, GUINT_TO_POINTER (2));
  CU_ASSERT_EQUAL (RANGE ("262144-786431"), 206);
#undef RANGE
  teardown (fixture);
}

static void
what_is_not_shared_is_looked_up_once (void)
{
  Fixture *fixture = setup (4);
  g_auto (Answer) answer = { 0 };

  for (guint i = 0; i < 3; i++)
    CU_ASSERT_EQUAL (once (fixture, "GET", "/v1/blobs/" OID_B, "Range: bytes=5-8\r\n", &answer),
                     206);
  CU_ASSERT_TRUE (is_slice (&answer, 5, 4));
  CU_ASSERT_EQUAL (fixture->n_lookups, 1);
  CU_ASSERT_EQUAL (once (fixture, "GET", "/v1/blobs/" OID_A, "", &answer), 404);
  CU_ASSERT_EQUAL (fixture->n_lookups, 2);
  teardown (fixture);
}

static void
questions_reach_the_owner_decoded (void)
{
  Fixture *fixture = setup (4);
  g_auto (Answer) answer = { 0 };

  CU_ASSERT_EQUAL (once (fixture, "GET", "/v1/node", "", &answer), 200);
  CU_ASSERT_TRUE (body_is (&answer, "{\"card\":1}"));
  CU_ASSERT_EQUAL (once (fixture, "GET", "/v1/blobs/" OID_A "/pieces", "", &answer), 200);
  CU_ASSERT_TRUE (body_is (&answer, "{\"digests\":\"" OID_A "\"}"));
  CU_ASSERT_EQUAL (
      once (fixture, "GET", "/v1/manifests/model/org/na%6De/refs%2Fpr%2F1", "", &answer), 200);
  CU_ASSERT_TRUE (body_is (&answer, "model org/name refs/pr/1"));
  CU_ASSERT_EQUAL (once (fixture, "GET", "/v1/manifests/model/gpt2/main", "", &answer), 404);
  CU_ASSERT_TRUE (body_is (&answer, "model gpt2 main"));
  teardown (fixture);
}

static void
malformed_requests_get_an_error_and_cost_only_themselves (void)
{
  static const struct
  {
    const char *method, *path, *headers;
    guint status;
  } rows[] = {
    { "GET", "/", "", 404 },
    { "GET", "/v1", "", 404 },
    { "GET", "/v1/", "", 404 },
    { "GET", "/v2/node", "", 404 },
    { "GET", "/v1/nodes", "", 404 },
    { "GET", "/v1/pulls", "", 404 },
    { "POST", "/v1/pulls", "Content-Length: 0\r\n", 405 },
    { "DELETE", "/v1/blobs/" OID_A, "", 405 },
    { "PUT", "/v1/node", "Content-Length: 0\r\n", 405 },
    { "GET", "/v1/swarm", "", 405 },
    { "GET", "/v1/blobs/", "", 404 },
    { "GET", "/v1/blobs/../../etc/passwd", "", 404 },
    { "GET", "/v1/blobs/%2e%2e%2fetc%2fpasswd", "", 404 },
    { "GET", "/v1/blobs/" OID_A "/", "", 404 },
    { "GET", "/v1/blobs/" OID_A "/pieces/1", "", 404 },
    { "GET", "/v1/manifests/model/x", "", 404 },
    { "GET", "/v1/manifests/model/a/b/c/d", "", 404 },
    { "GET", "/v1/manifests/model/a%2Fb/c/d", "", 404 },
    { "GET", "/v1/manifests/model//b/c", "", 404 },
    { "GET", "/v1/manifests/model/a/b/%00", "", 404 },
    { "GET", "/v1/manifests/model/a/b/%0a", "", 404 },
    { "GET", "/v1/manifests/model/a/b/%ff", "", 404 },
    { "GET", "/v1/manifests/model/a/b/%zz", "", 404 },
    { "GET", "/v1/node", "Origin: http://evil.example\r\n", 403 },
    { "POST", "/v1/swarm", "Content-Length: 4194305\r\n", 413 },
    { "POST", "/v1/swarm", "Content-Length: 2\r\n\r\n\xff\xff", 400 },
  };
  Fixture *fixture = setup (4);
  g_auto (Answer) answer = { 0 };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      guint status = once (fixture, rows[i].method, rows[i].path, rows[i].headers, &answer);

      if (status != rows[i].status)
        printf ("\n    %s %s: %u\n", rows[i].method, rows[i].path, status);
      CU_ASSERT_EQUAL (status, rows[i].status);
      CU_ASSERT_TRUE (answer.body->len > 10 &&
                      memcmp (answer.body->data, "{\"error\":\"", 10) == 0);
    }
  CU_ASSERT_EQUAL (once (fixture, "DELETE", "/v1/node", "", &answer), 405);
  CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, "Allow: GET, HEAD\r\n"));
  CU_ASSERT_EQUAL (once (fixture, "GET", "/v9/node", "", &answer), 404);
  CU_ASSERT_PTR_NOT_NULL (g_strstr_len ((char *) answer.body->data, answer.body->len, "version 1"));
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, 0));
  teardown (fixture);
}

static void
oversized_headers_and_bodies_end_the_connection (void)
{
  Fixture *fixture = setup (4);
  g_autofree char *junk = g_strnfill (64 * 1024, 'a');
  g_autofree char *header = g_strdup_printf ("X-Junk: %s\r\n", junk);
  g_autofree char *path = g_strdup_printf ("/v1/%s", junk);
  g_auto (Answer) answer = { 0 };
  guint status;
  int fd;

  status = once (fixture, "GET", "/v1/node", header, &answer);
  CU_ASSERT_TRUE (status == 431 || status == 0);
  status = once (fixture, "GET", path, "", &answer);
  CU_ASSERT_TRUE (status == 414 || status == 431 || status == 0);
  fd = client (fixture);
  ask (fd, "POST", "/v1/swarm", "Transfer-Encoding: chunked\r\n");
  for (guint i = 0; i < 80; i++)
    if (!say (fd, "10000\r\n", 7) || !say (fd, junk, 65536) || !say (fd, "\r\n", 2))
      break;
  CU_ASSERT_FALSE (hear (fd, FALSE, &answer));
  close (fd);
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, 0));
  CU_ASSERT_EQUAL (once (fixture, "GET", "/v1/node", "", &answer), 200);
  teardown (fixture);
}

/* Asks for all of OID_A and reads nothing, so that the upload goes on. */
static int
hold_upload (Fixture *fixture, const char *from)
{
  int fd = client_from (fixture->port, from, 4096);

  ask (fd, "GET", "/v1/blobs/" OID_A, "");
  return fd;
}

static guint
finish (int fd)
{
  g_auto (Answer) answer = { 0 };
  gboolean ok = hear (fd, FALSE, &answer) && is_slice (&answer, 0, SIZE);

  return ok ? answer.status : 0;
}

static void
uploads_wait_for_a_slot_in_order (void)
{
  Fixture *fixture = setup (1);
  int first, second, third;

  on_main (fixture, share_whole, (gpointer) OID_A);
  first = hold_upload (fixture, "127.0.0.2");
  CU_ASSERT_TRUE (load_becomes (fixture, 1, 0, 1));
  second = hold_upload (fixture, "127.0.0.3");
  CU_ASSERT_TRUE (load_becomes (fixture, 1, 1, 2));
  third = hold_upload (fixture, "127.0.0.4");
  CU_ASSERT_TRUE (load_becomes (fixture, 1, 2, 3));
  CU_ASSERT_EQUAL (finish (first), 200);
  CU_ASSERT_TRUE (load_becomes (fixture, 1, 1, 3)); /* the second has it now */
  CU_ASSERT_EQUAL (finish (second), 200);
  CU_ASSERT_EQUAL (finish (third), 200);
  close (first);
  close (second);
  close (third);
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, 0));
  teardown (fixture);
}

/* Of all connections that the server accepted: those with a pace, and the sum of theirs; G_MAXUINT64 is none. */
static guint64
sum_of_paces (Fixture *fixture, guint *out_n)
{
  guint64 sum = 0;

  *out_n = 0;
  for (int fd = 3; fd < 1024; fd++)
    {
      struct sockaddr_in local = { 0 }, remote;
      socklen_t n = sizeof local, n_remote = sizeof remote, n_pace = sizeof (guint64);
      guint64 pace = G_MAXUINT64;

      if (getsockname (fd, (struct sockaddr *) &local, &n) != 0 || local.sin_family != AF_INET ||
          local.sin_port != htons (fixture->port) ||
          getpeername (fd, (struct sockaddr *) &remote, &n_remote) != 0 ||
          getsockopt (fd, SOL_SOCKET, SO_MAX_PACING_RATE, &pace, &n_pace) != 0 ||
          pace == G_MAXUINT64)
        continue;
      sum += pace;
      ++*out_n;
    }
  return sum;
}

static void
set_rate (Fixture *fixture, gpointer data)
{
  exo_lan_server_set_rate (fixture->server, GPOINTER_TO_UINT (data));
}

static void
uploads_share_the_rate_that_is_set (void)
{
  const guint64 rate = 40000000;
  Fixture *fixture = setup (4);
  guint n;
  int first, second, third;

  on_main (fixture, share_whole, (gpointer) OID_A);
  first = hold_upload (fixture, "127.0.0.2");
  CU_ASSERT_TRUE (load_becomes (fixture, 1, 0, 1));
  CU_ASSERT_EQUAL (sum_of_paces (fixture, &n), 0);
  on_main (fixture, set_rate, GUINT_TO_POINTER ((guint) rate)); /* for what is under way, too */
  CU_ASSERT_TRUE (sum_of_paces (fixture, &n) == rate && n == 1);
  second = hold_upload (fixture, "127.0.0.3");
  CU_ASSERT_TRUE (load_becomes (fixture, 2, 0, 2));
  CU_ASSERT_TRUE (sum_of_paces (fixture, &n) == rate && n == 2);
  CU_ASSERT_EQUAL (finish (second), 200);
  CU_ASSERT_TRUE (load_becomes (fixture, 1, 0, 2));
  third = hold_upload (fixture, "127.0.0.4");
  CU_ASSERT_TRUE (load_becomes (fixture, 2, 0, 3));
  CU_ASSERT_TRUE (sum_of_paces (fixture, &n) == rate &&
                  n == 2); /* the second has all: it counts no more */
  on_main (fixture, set_rate, NULL);
  CU_ASSERT_EQUAL (sum_of_paces (fixture, &n), 0);
  CU_ASSERT_EQUAL (finish (first), 200);
  CU_ASSERT_EQUAL (finish (third), 200);
  close (first);
  close (second);
  close (third);
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, 0));
  teardown (fixture);
}

static void
an_address_gets_one_upload_and_holds_up_nobody_else (void)
{
  Fixture *fixture = setup (2);
  g_auto (Answer) answer = { 0 };
  int first, again, other, small;

  on_main (fixture, share_whole, (gpointer) OID_A);
  first = hold_upload (fixture, "127.0.0.2");
  CU_ASSERT_TRUE (load_becomes (fixture, 1, 0, 1));
  again = hold_upload (fixture, "127.0.0.2");
  CU_ASSERT_TRUE (load_becomes (fixture, 1, 1, 2));
  other = hold_upload (fixture, "127.0.0.3");
  CU_ASSERT_TRUE (load_becomes (fixture, 2, 1, 3));
  small = client_from (fixture->port, "127.0.0.2", 0);
  ask (small, "GET", "/v1/blobs/" OID_A, "Range: bytes=0-65534\r\n");
  CU_ASSERT_TRUE (hear (small, FALSE, &answer) && answer.status == 206);
  CU_ASSERT_EQUAL (finish (other), 200);
  CU_ASSERT_EQUAL (finish (first), 200);
  CU_ASSERT_EQUAL (finish (again), 200);
  close (first);
  close (again);
  close (other);
  close (small);
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, 0));
  teardown (fixture);
}

static void
who_left_the_queue_is_passed_over (void)
{
  Fixture *fixture = setup (1);
  int first, gone, last;

  on_main (fixture, share_whole, (gpointer) OID_A);
  first = hold_upload (fixture, "127.0.0.2");
  CU_ASSERT_TRUE (load_becomes (fixture, 1, 0, 1));
  gone = hold_upload (fixture, "127.0.0.3");
  CU_ASSERT_TRUE (load_becomes (fixture, 1, 1, 2));
  last = hold_upload (fixture, "127.0.0.4");
  CU_ASSERT_TRUE (load_becomes (fixture, 1, 2, 3));
  close (gone);
  CU_ASSERT_EQUAL (finish (first), 200);
  CU_ASSERT_EQUAL (finish (last), 200);
  close (first);
  close (last);
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, 0));
  teardown (fixture);
}

static void
a_reader_that_stalls_loses_its_slot_to_those_who_wait (void)
{
  Fixture *fixture = setup (1);
  int stalled, waiting;

  on_main (fixture, share_whole, (gpointer) OID_A);
  stalled = hold_upload (fixture, "127.0.0.2");
  CU_ASSERT_TRUE (load_becomes (fixture, 1, 0, 1));
  waiting = hold_upload (fixture, "127.0.0.3");
  CU_ASSERT_EQUAL (finish (waiting), 200);
  CU_ASSERT_EQUAL (finish (stalled), 0);
  close (stalled);
  close (waiting);
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, 0));
  teardown (fixture);
}

static void
a_queue_past_its_limit_is_refused (void)
{
  Fixture *fixture = setup (1);
  g_auto (Answer) answer = { 0 };
  int fds[EXO_LAN_QUEUE_MAX + 1];
  int over;

  on_main (fixture, share_whole, (gpointer) OID_A);
  for (guint i = 0; i <= EXO_LAN_QUEUE_MAX; i++)
    {
      g_autofree char *from = g_strdup_printf ("127.0.1.%u", i / 50 + 1);

      fds[i] = hold_upload (fixture, from);
      if (i == 0)
        CU_ASSERT_TRUE (load_becomes (fixture, 1, 0, 1));
    }
  CU_ASSERT_TRUE (load_becomes (fixture, 1, EXO_LAN_QUEUE_MAX, EXO_LAN_QUEUE_MAX + 1));
  over = client_from (fixture->port, "127.0.0.9", 0);
  ask (over, "GET", "/v1/blobs/" OID_A, "");
  CU_ASSERT_TRUE (hear (over, FALSE, &answer) && answer.status == 503);
  CU_ASSERT_PTR_NOT_NULL (strstr (answer.head, "Retry-After: 1\r\n"));
  close (over);
  for (guint i = 0; i <= EXO_LAN_QUEUE_MAX; i++)
    close (fds[i]);
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, 0));
  teardown (fixture);
}

/* Streams */

static int
open_stream (Fixture *fixture, ExoLanStream **out_stream, int receive_buffer)
{
  static const char body[] = "{\"v\":1,\"oids\":[]}";
  g_autofree char *headers = g_strdup_printf ("Content-Length: %zu\r\n", strlen (body));
  g_auto (Answer) answer = { 0 };
  int fd = client_from (fixture->port, "127.0.0.1", receive_buffer);

  ask (fd, "POST", "/v1/swarm", headers);
  say (fd, body, strlen (body));
  CU_ASSERT_TRUE (read_head (fd, &answer) && answer.status == 200);
  *out_stream = g_async_queue_pop (fixture->opened);
  CU_ASSERT_STRING_EQUAL (exo_lan_stream_get_data (*out_stream), body);
  CU_ASSERT_STRING_EQUAL (exo_lan_stream_address (*out_stream), "127.0.0.1");
  return fd;
}

static void
send_lines (Fixture *fixture, gpointer data)
{
  ExoLanStream *stream = data;

  for (guint i = 0; i < 20000; i++)
    {
      g_autofree char *line = g_strdup_printf ("{\"n\":%u}", i);

      exo_lan_stream_send (stream, line, strlen (line));
    }
}

static void
close_stream (Fixture *fixture, gpointer data)
{
  exo_lan_stream_close (data);
}

/* The body of the answer on @fd, without the frames of its chunks; NULL if the last one is missing */
static char *
read_chunks (int fd)
{
  g_autoptr (GString) all = g_string_new (NULL);
  GString *text = g_string_new (NULL);
  char some[4096], *end;
  guint64 size;
  ssize_t n;

  while (!g_str_has_suffix (all->str, "\r\n0\r\n\r\n"))
    {
      n = recv (fd, some, sizeof some, 0);
      if (n <= 0)
        {
          g_string_free (text, TRUE);
          return NULL;
        }
      g_string_append_len (all, some, n);
    }
  for (const char *p = all->str; (size = g_ascii_strtoull (p, &end, 16)) > 0; p = end + size + 4)
    g_string_append_len (text, end + 2, (gssize) size);
  return g_string_free (text, FALSE);
}

static void
a_stream_keeps_order_and_ends_after_its_last_line (void)
{
  Fixture *fixture = setup (4);
  ExoLanStream *stream = NULL;
  GString *expected = g_string_new ("{\"v\":1}\n");
  int fd = open_stream (fixture, &stream, 0);
  g_autofree char *text = NULL;

  for (guint i = 0; i < 5; i++)
    on_main (fixture, send_lines, stream);
  on_main (fixture, close_stream, stream);
  text = read_chunks (fd);
  for (guint i = 0; i < 5 * 20000; i++)
    g_string_append_printf (expected, "{\"n\":%u}\n", i % 20000);
  CU_ASSERT_TRUE (text != NULL && strcmp (text, expected->str) == 0);
  close (fd);
  CU_ASSERT_PTR_EQUAL (g_async_queue_pop (fixture->closed), stream);
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, 0));
  g_string_free (expected, TRUE);
  teardown (fixture);
}

static void
a_reader_that_leaves_closes_its_stream (void)
{
  Fixture *fixture = setup (4);
  ExoLanStream *stream = NULL;
  int fd = open_stream (fixture, &stream, 0);

  close (fd);
  on_main (fixture, send_lines, stream);
  CU_ASSERT_PTR_EQUAL (g_async_queue_pop (fixture->closed), stream);
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, 0));
  teardown (fixture);
}

static void
send_too_much (Fixture *fixture, gpointer data)
{
  g_autofree char *line = g_strnfill (1 << 20, ' ');

  for (guint i = 0; i < 40; i++)
    exo_lan_stream_send (data, line, 1 << 20);
}

static void
a_reader_too_slow_for_the_buffer_is_cut (void)
{
  Fixture *fixture = setup (4);
  ExoLanStream *stream = NULL;
  int fd = open_stream (fixture, &stream, 4096);

  on_main (fixture, send_too_much, stream);
  CU_ASSERT_PTR_EQUAL (g_async_queue_pop (fixture->closed), stream);
  close (fd);
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, 0));
  teardown (fixture);
}

static void
answer_held (Fixture *fixture, gpointer data)
{
  g_autoptr (GBytes) json = g_bytes_new_static ("{}", 2);

  exo_lan_request_respond (fixture->held, 200, json);
}

static void
a_server_is_freed_with_everything_open (void)
{
  Fixture *fixture = setup (1);
  ExoLanStream *stream = NULL;
  int fds[5];

  on_main (fixture, share_whole, (gpointer) OID_A);
  fds[0] = open_stream (fixture, &stream, 0);
  fds[1] = hold_upload (fixture, "127.0.0.2");
  CU_ASSERT_TRUE (load_becomes (fixture, 1, 0, 2));
  fds[2] = hold_upload (fixture, "127.0.0.3");
  fds[3] = client (fixture);
  ask (fds[3], "GET", "/v1/blobs/" OID_B "/pieces", "");
  g_async_queue_pop (fixture->asked);
  fds[4] = client (fixture);
  say (fds[4], "GET /v1/no", 10);
  CU_ASSERT_TRUE (load_becomes (fixture, 1, 1, 5));
  on_main (fixture, stop_server, NULL);
  CU_ASSERT_PTR_EQUAL (g_async_queue_try_pop (fixture->closed), stream);
  on_main (fixture, answer_held, NULL); /* late, and harmless */
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    close (fds[i]);
  teardown (fixture);
}

static void
nothing (Fixture *fixture, gpointer data)
{
}

/* Sources of the main thread run by priority: this one when no connection is left to be accepted. */
static void
wait_for_accept (Fixture *fixture)
{
  on_main (fixture, nothing, NULL);
}

/* Raises the limit of open files. Returns: up to @wanted, fewer if there are not so many besides those of the server */
static guint
files_for (guint wanted)
{
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
  return (guint) MIN (wanted, limit.rlim_cur - 700);
}

static void
connections_past_the_limits_are_closed_and_it_serves_on (void)
{
  /* No more at once than may wait to be accepted: past those the kernel has clients try again, seconds later. */
  const guint at_once = 100, flood = files_for (2000);
  Fixture *fixture = setup (4);
  g_autofree int *fds = g_new (int, flood);
  guint n = 0, peak = 0;
  g_auto (Answer) answer = { 0 };
  ExoLanLoad load;

  for (guint i = 0; i < flood; i++)
    {
      g_autofree char *from = g_strdup_printf ("127.0.2.%u", i % 200 + 1);

      fds[n] = client_from (fixture->port, from, 0);
      n += fds[n] >= 0 ? 1 : 0;
      if (i % at_once == at_once - 1)
        wait_for_accept (fixture);
      exo_lan_server_get_load (fixture->server, &load);
      peak = MAX (peak, load.connections);
    }
  CU_ASSERT_EQUAL (n, flood);
  CU_ASSERT_EQUAL (peak, EXO_LAN_CONNECTIONS_MAX);
  /* The first ones are those that it took. It is given time to see them go, because libmicrohttpd's threads sleep for up to 30 s
   * after an epoll_wait() that filled the 128 events of its table to the last. */
  for (guint i = 0; i < n; i++)
    {
      close (fds[i]);
      if (i < EXO_LAN_CONNECTIONS_MAX && i % at_once == at_once - 1)
        CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, EXO_LAN_CONNECTIONS_MAX - i - 1));
    }
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, 0));
  for (n = 0; n < EXO_LAN_PER_ADDRESS_MAX + 10; n++)
    fds[n] = client (fixture);
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, EXO_LAN_PER_ADDRESS_MAX));
  for (guint i = 0; i < n; i++)
    close (fds[i]);
  CU_ASSERT_TRUE (load_becomes (fixture, 0, 0, 0));
  CU_ASSERT_EQUAL (once (fixture, "GET", "/v1/node", "", &answer), 200);
  teardown (fixture);
}

static void
only_local_addresses_are_local (void)
{
  static const struct
  {
    const char *text;
    gboolean local;
  } rows[] = {
    { "10.0.0.1", TRUE },     { "172.16.0.1", TRUE },      { "172.31.255.255", TRUE },
    { "192.168.1.1", TRUE },  { "169.254.3.4", TRUE },     { "fe80::1", TRUE },
    { "fd00::1", TRUE },      { "fc00::1", TRUE },         { "8.8.8.8", FALSE },
    { "172.32.0.1", FALSE },  { "127.0.0.1", FALSE },      { "::1", FALSE },
    { "2001:db8::1", FALSE }, { "fec0::1", FALSE },        { "0.0.0.0", FALSE },
    { "100.64.0.1", FALSE },  { "::ffff:8.8.8.8", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GInetAddress) address = g_inet_address_new_from_string (rows[i].text);

      CU_ASSERT_EQUAL (exo_lan_address_is_local (address), rows[i].local);
    }
}

static void
listen_on_nothing_allowed (Fixture *fixture, gpointer data)
{
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = NULL;

  g_ptr_array_add (addresses, g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4));
  g_ptr_array_add (addresses, g_inet_address_new_from_string ("8.8.8.8"));
  CU_ASSERT_FALSE (exo_lan_server_listen (fixture->server, addresses, 0, FALSE, &error));
  CU_ASSERT_PTR_NOT_NULL (error);
}

static void
listen_on_two (Fixture *fixture, gpointer data)
{
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (g_object_unref);

  g_ptr_array_add (addresses, g_inet_address_new_from_string ("127.0.0.1"));
  g_ptr_array_add (addresses, g_inet_address_new_from_string ("127.0.0.2"));
  CU_ASSERT_TRUE (exo_lan_server_listen (fixture->server, addresses, 0, TRUE, NULL));
}

static void
listening_follows_the_addresses_and_keeps_its_port (void)
{
  Fixture *fixture = setup (4);
  g_auto (Answer) answer = { 0 };
  guint16 port = fixture->port;
  int fd;

  on_main (fixture, listen_on_two, NULL);
  CU_ASSERT_EQUAL (exo_lan_server_port (fixture->server), port);
  CU_ASSERT_EQUAL (once (fixture, "GET", "/v1/node", "", &answer), 200);
  on_main (fixture, listen_on_nothing_allowed, NULL);
  fd = client (fixture);
  CU_ASSERT_EQUAL (fd, -1);
  on_main (fixture, listen_on_two, NULL);
  CU_ASSERT_EQUAL (exo_lan_server_port (fixture->server), port);
  CU_ASSERT_EQUAL (once (fixture, "GET", "/v1/node", "", &answer), 200);
  teardown (fixture);
}

EXO_SUITE ("lan-server",
           TEST (only_local_addresses_are_local),
           TEST (listening_follows_the_addresses_and_keeps_its_port),
           TEST (ranges_of_a_whole_blob_are_served_on_one_connection),
           TEST (a_growing_blob_serves_only_what_is_there),
           TEST (what_is_not_shared_is_looked_up_once),
           TEST (questions_reach_the_owner_decoded),
           TEST (malformed_requests_get_an_error_and_cost_only_themselves),
           TEST (oversized_headers_and_bodies_end_the_connection),
           TEST (uploads_wait_for_a_slot_in_order),
           TEST (uploads_share_the_rate_that_is_set),
           TEST (an_address_gets_one_upload_and_holds_up_nobody_else),
           TEST (who_left_the_queue_is_passed_over),
           TEST (a_reader_that_stalls_loses_its_slot_to_those_who_wait),
           TEST (a_queue_past_its_limit_is_refused),
           TEST (a_stream_keeps_order_and_ends_after_its_last_line),
           TEST (a_reader_that_leaves_closes_its_stream),
           TEST (a_reader_too_slow_for_the_buffer_is_cut),
           TEST (a_server_is_freed_with_everything_open),
           TEST (connections_past_the_limits_are_closed_and_it_serves_on))
