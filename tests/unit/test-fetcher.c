/* test-fetcher.c - one HTTP request at a time, and what can go wrong with it
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/script-server.h"
#include "tests/unit/suite.h"
#include "transfer/error.h"
#include "transfer/http/fetcher.h"

#define ENTITY (3u * 1024 * 1024 + 77)

typedef struct
{
  ScriptServer *server;
  ExoFetcher *fetcher;
  guchar *entity; /* ENTITY bytes */
  int fd;
  ScriptAnswer answer;
  guint stall_timeout_ms; /* 0: as always, since a slow machine is no stall */

  /* What the callbacks said */
  gboolean done;
  guint status;
  guint64 n_received, n_written, progress;
  gboolean progress_went_back, told_after_done;
  GPtrArray *lines;
  GError *error;
  char *body, *header_x;
  gint64 first_byte_us;
  guint cancel_after_lines;
} Fixture;

static void
answer (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  ((Fixture *) user_data)->answer (request, reply, user_data);
}

static void
setup (Fixture *f, ScriptAnswer how)
{
  char name[] = "/tmp/exo-test-XXXXXX";

  memset (f, 0, sizeof *f);
  f->answer = how;
  f->entity = g_malloc (ENTITY);
  for (guint i = 0; i < ENTITY; i++)
    f->entity[i] = (guchar) (i * 2654435761u >> 13);
  f->fd = mkstemp (name);
  unlink (name);
  f->lines = g_ptr_array_new_with_free_func (g_free);
  f->server = script_server_new (answer, f);
  f->fetcher = exo_fetcher_new (NULL, "exo-test/1");
}

static void
teardown (Fixture *f)
{
  exo_fetcher_free (f->fetcher);
  script_server_free (f->server);
  close (f->fd);
  g_free (f->entity);
  g_ptr_array_unref (f->lines);
  g_clear_error (&f->error);
  g_free (f->body);
  g_free (f->header_x);
}

static void
on_progress (ExoFetch *fetch, guint64 n_written, gpointer user_data)
{
  Fixture *f = user_data;

  f->progress_went_back |= n_written < f->progress;
  f->told_after_done |= f->done;
  f->progress = n_written;
}

static void
on_line (ExoFetch *fetch, const char *line, gsize length, gpointer user_data)
{
  Fixture *f = user_data;

  CU_ASSERT_EQUAL (strlen (line), length);
  f->told_after_done |= f->done;
  g_ptr_array_add (f->lines, g_strdup (line));
  if (f->cancel_after_lines > 0 && f->lines->len == f->cancel_after_lines)
    exo_fetch_cancel (fetch);
}

static void
on_done (ExoFetch *fetch, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  Fixture *f = user_data;

  f->told_after_done |= f->done;
  f->done = TRUE;
  f->status = result->status;
  f->n_received = result->n_received;
  f->n_written = result->n_written;
  f->first_byte_us = result->first_byte_us;
  f->error = error != NULL ? g_error_copy (error) : NULL;
  f->header_x = g_strdup (g_hash_table_lookup (result->headers, "x-test"));
  if (result->body != NULL)
    {
      gsize n;
      const char *bytes = g_bytes_get_data (result->body, &n);
      f->body = g_strndup (bytes != NULL ? bytes : "", n);
    }
}

static const ExoFetchCallbacks callbacks = { on_progress, on_line, on_done };

static void
wait_done (Fixture *f)
{
  while (!f->done)
    g_main_context_iteration (NULL, TRUE);
}

static void
fetch_range (Fixture *f, guint64 first, guint64 length)
{
  g_autofree char *url = script_server_url (f->server, "/blob");
  ExoFetchRequest request = { .mode = EXO_FETCH_TO_FILE,
                              .method = "GET",
                              .url = url,
                              .lan = TRUE,
                              .stall_timeout_ms = f->stall_timeout_ms,
                              .first = first,
                              .length = length,
                              .total = ENTITY,
                              .fd = f->fd };

  exo_fetcher_start (f->fetcher, &request, &callbacks, f);
  wait_done (f);
}

static void
fetch_other (Fixture *f, ExoFetchMode mode, const char *method, gsize max_body)
{
  g_autofree char *url = script_server_url (f->server, "/x?a=b");
  const char *const headers[] = { "X-Asked: yes", NULL };
  g_autoptr (GBytes) body =
      strcmp (method, "POST") == 0 ? g_bytes_new_static ("{\"a\":1}", 7) : NULL;
  ExoFetchRequest request = { .mode = mode,
                              .method = method,
                              .url = url,
                              .headers = headers,
                              .body = body,
                              .lan = TRUE,
                              .stall_timeout_ms = f->stall_timeout_ms,
                              .max_body = max_body };

  exo_fetcher_start (f->fetcher, &request, &callbacks, f);
  wait_done (f);
}

static gboolean
failed_with (Fixture *f, ExoTransferError code)
{
  return g_error_matches (f->error, EXO_TRANSFER_ERROR, (int) code);
}

/* Are exactly these bytes of the file those of the entity, and is nothing after them? */
static gboolean
file_holds (Fixture *f, guint64 first, guint64 length)
{
  g_autofree guchar *bytes = g_malloc (length + 1);
  ssize_t n = pread (f->fd, bytes, length + 1, (off_t) first);

  return n == (ssize_t) length && memcmp (bytes, f->entity + first, length) == 0;
}

static guint64
file_size (Fixture *f)
{
  return (guint64) lseek (f->fd, 0, SEEK_END);
}

/* Ranges into files ------------------------------------------------------------------------------- */

static void
good (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  Fixture *f = user_data;

  script_reply_entity (reply, request, f->entity, ENTITY, "X-Test: first\r\nx-test: last\r\n");
}

static void
a_range_lands_at_its_offset (void)
{
  Fixture f;

  setup (&f, good);
  fetch_range (&f, 100001, 2000003);
  CU_ASSERT_PTR_NULL (f.error);
  CU_ASSERT_EQUAL (f.status, 206);
  CU_ASSERT_EQUAL (f.n_written, 2000003);
  CU_ASSERT_EQUAL (f.n_received, 2000003);
  CU_ASSERT_TRUE (f.progress < 2000003); /* how it ended is in the result */
  CU_ASSERT_FALSE (f.progress_went_back);
  CU_ASSERT_TRUE (f.first_byte_us > 0);
  CU_ASSERT_STRING_EQUAL (f.header_x, "last");
  CU_ASSERT_TRUE (file_holds (&f, 100001, 2000003));
  teardown (&f);
}

static void
plain (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  Fixture *f = user_data;

  script_reply_printf (reply, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", ENTITY);
  script_reply_bytes (reply, f->entity, ENTITY);
}

static void
a_200_is_taken_for_the_whole_and_nothing_less (void)
{
  Fixture f;

  setup (&f, plain);
  fetch_range (&f, 0, ENTITY);
  CU_ASSERT_PTR_NULL (f.error);
  CU_ASSERT_TRUE (file_holds (&f, 0, ENTITY));
  teardown (&f);

  setup (&f, plain);
  fetch_range (&f, 0, ENTITY - 1);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_CHANGED));
  CU_ASSERT_EQUAL (f.status, 200);
  CU_ASSERT_EQUAL (file_size (&f), 0);
  teardown (&f);
}

/* Each row answers a request for 10-19/ENTITY; nothing may be written. */
static const char *const wrong_answers[] = {
  "206 OK\r\nContent-Range: bytes 10-18/3145805\r\nContent-Length: 9\r\n\r\n123456789",
  "206 OK\r\nContent-Range: bytes 11-20/3145805\r\nContent-Length: 10\r\n\r\n1234567890",
  "206 OK\r\nContent-Range: bytes 10-20/3145805\r\nContent-Length: 11\r\n\r\n12345678901",
  "206 OK\r\nContent-Range: bytes 10-19/3145806\r\nContent-Length: 10\r\n\r\n1234567890",
  "206 OK\r\nContent-Range: bytes 10-19/*\r\nContent-Length: 10\r\n\r\n1234567890",
  "206 OK\r\nContent-Range: bytes 10-19/3145805\r\nContent-Length: 11\r\n\r\n12345678901",
  "206 OK\r\nContent-Length: 10\r\n\r\n1234567890",
  ("206 OK\r\nContent-Range: bytes 10-19/3145805\r\nContent-Encoding: gzip\r\n"
   "Content-Length: 10\r\n\r\n1234567890"),
  "204 No Content\r\n\r\n",
};

static void
wrong (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  script_reply_printf (reply, "HTTP/1.1 %s", wrong_answers[request->n]);
}

static void
answers_for_other_bytes_write_nothing (void)
{
  Fixture f;

  setup (&f, wrong);
  for (guint i = 0; i < G_N_ELEMENTS (wrong_answers); i++)
    {
      f.done = FALSE;
      fetch_range (&f, 10, 10);
      CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_CHANGED));
      CU_ASSERT_EQUAL (f.n_written, 0);
      CU_ASSERT_EQUAL (file_size (&f), 0);
      g_clear_error (&f.error);
      g_clear_pointer (&f.body, g_free);
    }
  teardown (&f);
}

static void
excess (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  Fixture *f = user_data;

  /* no length: the body ends with the connection */
  script_reply_printf (reply,
                       "HTTP/1.1 206 OK\r\nContent-Range: bytes 10-19/%u\r\n"
                       "Connection: close\r\n\r\n",
                       ENTITY);
  script_reply_bytes (reply, f->entity + 10, 100000);
  reply->end = SCRIPT_CLOSE;
}

static void
extra_bytes_are_never_written (void)
{
  Fixture f;

  setup (&f, excess);
  fetch_range (&f, 10, 10);
  CU_ASSERT_TRUE (file_size (&f) <= 20);
  CU_ASSERT_TRUE (f.error == NULL || failed_with (&f, EXO_TRANSFER_ERROR_CHANGED));
  teardown (&f);
}

static void
half (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  Fixture *f = user_data;

  script_reply_entity (reply, request, f->entity, ENTITY, NULL);
  g_byte_array_set_size (reply->bytes, 1000000);
  reply->end = SCRIPT_CLOSE;
}

static void
half_and_stall (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  half (request, reply, user_data);
  reply->end = SCRIPT_STALL;
}

static void
what_came_before_an_early_close_is_kept (void)
{
  Fixture f;

  setup (&f, half);
  fetch_range (&f, 5, 2000000);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_UNREACHABLE));
  CU_ASSERT_TRUE (f.n_written > 990000 && f.n_written < 1000000);
  CU_ASSERT_EQUAL (f.n_written, f.progress);
  CU_ASSERT_EQUAL (f.n_written, f.n_received);
  CU_ASSERT_TRUE (file_holds (&f, 5, f.n_written));
  teardown (&f);
}

static void
a_stall_ends_the_fetch_and_keeps_what_came (void)
{
  Fixture f;

  setup (&f, half_and_stall);
  f.stall_timeout_ms = 1000;
  fetch_range (&f, 5, 2000000);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_UNREACHABLE));
  CU_ASSERT_TRUE (f.n_written > 990000);
  CU_ASSERT_TRUE (file_holds (&f, 5, f.n_written));
  teardown (&f);
}

static void
reset_at_once (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  script_reply_printf (reply, "HTTP/1.1 206 Part");
  reply->end = SCRIPT_RESET;
}

static void
a_reset_is_unreachable (void)
{
  Fixture f;

  setup (&f, reset_at_once);
  fetch_range (&f, 5, 2000000);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_UNREACHABLE));
  CU_ASSERT_EQUAL (f.n_written, 0);
  teardown (&f);
}

static void
silent (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  reply->end = SCRIPT_STALL;
}

static void
no_answer_at_all_is_a_stall (void)
{
  Fixture f;

  setup (&f, silent);
  f.stall_timeout_ms = 1000;
  fetch_range (&f, 0, 10);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_UNREACHABLE));
  CU_ASSERT_EQUAL (f.status, 0);
  CU_ASSERT_EQUAL (f.first_byte_us, 0);
  teardown (&f);
}

static void
refused (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  g_autofree char *long_text = g_strnfill (5000, 'e');

  script_reply_printf (reply, "HTTP/1.1 404 Not Found\r\nContent-Length: 5000\r\n\r\n%s",
                       long_text);
}

static void
another_status_is_failed_and_explained (void)
{
  Fixture f;

  setup (&f, refused);
  fetch_range (&f, 0, 10);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_FAILED));
  CU_ASSERT_EQUAL (f.status, 404);
  CU_ASSERT_EQUAL (strlen (f.body), 4096);
  CU_ASSERT_EQUAL (file_size (&f), 0);
  teardown (&f);
}

static void
a_full_disk_is_no_space (void)
{
  Fixture f;

  setup (&f, good);
  close (f.fd);
  f.fd = open ("/dev/full", O_WRONLY);
  fetch_range (&f, 0, 1000000);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_NO_SPACE));
  CU_ASSERT_EQUAL (f.n_written, 0);
  teardown (&f);
}

static void
a_read_only_file_is_disk (void)
{
  Fixture f;

  setup (&f, good);
  close (f.fd);
  f.fd = open ("/dev/null", O_RDONLY);
  fetch_range (&f, 0, 1000000);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_DISK));
  teardown (&f);
}

static void
no_listener_is_unreachable (void)
{
  Fixture f;
  g_autofree char *url = NULL;
  ExoFetchRequest request = { .mode = EXO_FETCH_TO_MEMORY, .method = "GET", .max_body = 10 };

  setup (&f, good);
  url = script_server_url (f.server, "/");
  script_server_free (f.server);
  request.url = url;
  exo_fetcher_start (f.fetcher, &request, &callbacks, &f);
  wait_done (&f);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_UNREACHABLE));
  f.server = script_server_new (answer, &f);
  teardown (&f);
}

static void
other_schemes_are_refused (void)
{
  Fixture f;
  const char *urls[] = { "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "http://",
                         "" };

  setup (&f, good);
  for (guint i = 0; i < G_N_ELEMENTS (urls); i++)
    {
      ExoFetchRequest request = {
        .mode = EXO_FETCH_TO_MEMORY, .method = "GET", .max_body = 1000, .url = urls[i]
      };
      f.done = FALSE;
      exo_fetcher_start (f.fetcher, &request, &callbacks, &f);
      wait_done (&f);
      CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_INVALID));
      g_clear_error (&f.error);
      g_clear_pointer (&f.body, g_free);
    }
  CU_ASSERT_EQUAL (script_server_n_requests (f.server), 0);
  teardown (&f);
}

/* Into memory -------------------------------------------------------------------------------------- */

static void
echo (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  g_autofree char *encoding = script_request_header (request, "Accept-Encoding");
  g_autofree char *agent = script_request_header (request, "User-Agent");
  g_autofree char *asked = script_request_header (request, "X-Asked");
  g_autofree char *type = script_request_header (request, "Content-Type");
  g_autofree char *text =
      g_strdup_printf ("%s %s %s %s %s %s %s", request->method, request->path, encoding, agent,
                       asked, type != NULL ? type : "-", request->body);

  script_reply_printf (reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen (text));
  if (strcmp (request->method, "HEAD") != 0)
    script_reply_printf (reply, "%s", text);
}

static void
requests_say_what_they_should (void)
{
  Fixture f;

  setup (&f, echo);
  fetch_other (&f, EXO_FETCH_TO_MEMORY, "GET", 1000);
  CU_ASSERT_PTR_NULL (f.error);
  CU_ASSERT_STRING_EQUAL (f.body, "GET /x?a=b identity exo-test/1 yes - ");
  teardown (&f);

  setup (&f, echo);
  fetch_other (&f, EXO_FETCH_TO_MEMORY, "POST", 1000);
  CU_ASSERT_STRING_EQUAL (f.body, "POST /x?a=b identity exo-test/1 yes application/json {\"a\":1}");
  teardown (&f);

  setup (&f, echo);
  fetch_other (&f, EXO_FETCH_TO_MEMORY, "HEAD", 0);
  CU_ASSERT_PTR_NULL (f.error);
  CU_ASSERT_EQUAL (f.status, 200);
  teardown (&f);
}

static void
redirect (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  script_reply_printf (reply,
                       "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\nhi");
}

static void
redirects_are_answers_like_others (void)
{
  Fixture f;

  setup (&f, redirect);
  fetch_other (&f, EXO_FETCH_TO_MEMORY, "GET", 1000);
  CU_ASSERT_PTR_NULL (f.error);
  CU_ASSERT_EQUAL (f.status, 302);
  CU_ASSERT_EQUAL (script_server_n_requests (f.server), 1);
  teardown (&f);
}

static void
ten_bytes (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  if (request->n == 0)
    script_reply_printf (reply, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789");
  else
    script_reply_printf (reply, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n0123456789");
  reply->end = SCRIPT_CLOSE;
}

static void
one_byte_past_the_limit_is_too_large (void)
{
  Fixture f;

  setup (&f, ten_bytes);
  fetch_other (&f, EXO_FETCH_TO_MEMORY, "GET", 10);
  CU_ASSERT_PTR_NULL (f.error);
  f.done = FALSE;
  g_clear_pointer (&f.body, g_free);
  fetch_other (&f, EXO_FETCH_TO_MEMORY, "GET", 9); /* known at its end only */
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_TOO_LARGE));
  teardown (&f);

  setup (&f, ten_bytes);
  fetch_other (&f, EXO_FETCH_TO_MEMORY, "GET", 9); /* known from Content-Length */
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_TOO_LARGE));
  CU_ASSERT_EQUAL (f.n_received, 0);
  teardown (&f);
}

static void
many_headers (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  /* the status line and the empty one count, too */
  script_reply_printf (reply, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
  for (guint i = 0; i < 125 + request->n; i++)
    script_reply_printf (reply, "X-%u: y\r\n", i);
  script_reply_printf (reply, "\r\n");
}

static void
big_header (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  g_autofree char *value = g_strnfill (70000, 'v');

  script_reply_printf (reply, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: %s\r\n\r\n", value);
}

static void
headers_are_bounded (void)
{
  Fixture f;

  setup (&f, many_headers);
  fetch_other (&f, EXO_FETCH_TO_MEMORY, "GET", 10);
  CU_ASSERT_PTR_NULL (f.error);
  f.done = FALSE;
  g_clear_pointer (&f.body, g_free);
  fetch_other (&f, EXO_FETCH_TO_MEMORY, "GET", 10);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_TOO_LARGE));
  teardown (&f);

  setup (&f, big_header);
  fetch_other (&f, EXO_FETCH_TO_MEMORY, "GET", 10);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_TOO_LARGE));
  teardown (&f);
}

static void
connections_are_used_again (void)
{
  Fixture f;

  setup (&f, good);
  for (guint i = 0; i < 5; i++)
    {
      f.done = FALSE;
      f.progress = 0;
      g_clear_pointer (&f.header_x, g_free);
      fetch_range (&f, i * 1000, 1000);
      CU_ASSERT_PTR_NULL (f.error);
    }
  CU_ASSERT_EQUAL (script_server_n_requests (f.server), 5);
  CU_ASSERT_EQUAL (script_server_n_connections (f.server), 1);
  teardown (&f);
}

static void
nothing (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  script_reply_printf (reply, "HTTP/1.1 204 No Content\r\n\r\n");
}

static void
what_is_to_prove_that_the_way_is_open_goes_over_a_new_connection (void)
{
  Fixture f;
  g_autofree char *url = NULL;

  setup (&f, nothing);
  url = script_server_url (f.server, "/");
  for (guint i = 0; i < 4; i++)
    {
      f.done = FALSE;
      g_clear_pointer (&f.body, g_free);
      exo_fetcher_start (
          f.fetcher,
          &(ExoFetchRequest){
              .mode = EXO_FETCH_TO_MEMORY, .method = "HEAD", .url = url, .fresh = i >= 2 },
          &callbacks, &f);
      wait_done (&f);
      CU_ASSERT_EQUAL (f.status, 204);
      CU_ASSERT_EQUAL (script_server_n_connections (f.server), MAX (1, i));
    }
  teardown (&f);
}

/* Lines -------------------------------------------------------------------------------------------- */

static void
three_lines (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  script_reply_printf (reply, "HTTP/1.1 200 OK\r\n\r\n{\"a\":1}\n\n\xc3\xa9\nrest");
  reply->end = SCRIPT_CLOSE;
}

/* Two fetches, the second begun when the first has part of its bytes. ------------------------------------- */

typedef struct
{
  Fixture *f;
  struct Half
  {
    ExoFetch *fetch;
    guint64 first;
    gboolean begun, done, cancelled, failed;
  } halves[2];
  int cancel; /* which, once the second has begun; -1: none */
} Pair;

#define HALF (1u << 20)

static void begin_half (Pair *pair, guint i);

static void
on_half_progress (ExoFetch *fetch, guint64 n_written, gpointer user_data)
{
  Pair *pair = user_data;

  if (!pair->halves[1].begun)
    begin_half (pair, 1);
}

static void
on_half_done (ExoFetch *fetch,
              const ExoFetchResult *result,
              const GError *error,
              gpointer user_data)
{
  Pair *pair = user_data;
  struct Half *half = &pair->halves[pair->halves[1].fetch == fetch];

  half->done = TRUE;
  half->cancelled = g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED);
  half->failed = error != NULL && !half->cancelled;
}

static void
begin_half (Pair *pair, guint i)
{
  static const ExoFetchCallbacks half_callbacks = { .progress = on_half_progress,
                                                    .done = on_half_done };
  g_autofree char *url = script_server_url (pair->f->server, "/blob");

  pair->halves[i].begun = TRUE;
  pair->halves[i].fetch = exo_fetcher_start (pair->f->fetcher,
                                             &(ExoFetchRequest){
                                                 .mode = EXO_FETCH_TO_FILE,
                                                 .method = "GET",
                                                 .url = url,
                                                 .lan = TRUE,
                                                 .first = i * HALF,
                                                 .length = HALF,
                                                 .total = ENTITY,
                                                 .fd = pair->f->fd,
                                             },
                                             &half_callbacks, pair);
  if (i == 1 && pair->cancel >= 0)
    exo_fetch_cancel (pair->halves[pair->cancel].fetch);
}

static void
fetch_halves (Pair *pair, Fixture *f, ScriptAnswer how, int cancel)
{
  setup (f, how);
  memset (pair, 0, sizeof *pair);
  pair->f = f;
  pair->cancel = cancel;
  begin_half (pair, 0);
  while (!pair->halves[0].done || !pair->halves[1].done)
    g_main_context_iteration (NULL, TRUE);
  CU_ASSERT_FALSE (pair->halves[0].failed);
  CU_ASSERT_FALSE (pair->halves[1].failed);
}

/* Slowly enough that the second request is made while the first answer is coming. */
static void
half_by_half (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  good (request, reply, user_data);
  reply->pause_at = request->n == 0 ? HALF * 3 / 4 : 0;
}

static void
good_but_closing (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  half_by_half (request, reply, user_data);
  if (request->n == 0)
    reply->end = SCRIPT_CLOSE;
}

static void
a_second_request_goes_behind_the_first (void)
{
  Fixture f;
  Pair pair;

  fetch_halves (&pair, &f, half_by_half, -1);
  CU_ASSERT_TRUE (file_holds (&f, 0, 2 * HALF));
  CU_ASSERT_EQUAL (script_server_n_connections (f.server), 1);
  CU_ASSERT_EQUAL (script_server_n_requests (f.server), 2);
  teardown (&f);
}

static void
what_waits_behind_a_connection_that_ends_is_asked_for_anew (void)
{
  Fixture f;
  Pair pair;

  fetch_halves (&pair, &f, good_but_closing, -1);
  CU_ASSERT_TRUE (file_holds (&f, 0, 2 * HALF));
  CU_ASSERT_EQUAL (script_server_n_connections (f.server), 2);
  teardown (&f);

  fetch_halves (&pair, &f, half_by_half,
                0); /* the first is cancelled, and its connection with it */
  CU_ASSERT_FALSE (pair.halves[1].cancelled);
  CU_ASSERT_TRUE (file_holds (&f, HALF, HALF));
  teardown (&f);
}

static void
cancelling_what_waits_leaves_the_first_alone (void)
{
  Fixture f;
  Pair pair;

  fetch_halves (&pair, &f, half_by_half, 1);
  CU_ASSERT_FALSE (pair.halves[0].cancelled);
  CU_ASSERT_TRUE (pair.halves[1].cancelled);
  CU_ASSERT_TRUE (file_holds (&f, 0, HALF));
  /* The answer that nobody waits for any more is not taken for that of the next request. */
  fetch_range (&f, 2 * HALF, HALF);
  CU_ASSERT_PTR_NULL (f.error);
  CU_ASSERT_TRUE (file_holds (&f, 2 * HALF, HALF));
  teardown (&f);
}

static void
lines_come_whole_and_in_order (void)
{
  Fixture f;

  setup (&f, three_lines);
  fetch_other (&f, EXO_FETCH_LINES, "POST", 100);
  CU_ASSERT_PTR_NULL (f.error);
  CU_ASSERT_EQUAL_FATAL (f.lines->len, 3);
  CU_ASSERT_STRING_EQUAL (g_ptr_array_index (f.lines, 0), "{\"a\":1}");
  CU_ASSERT_STRING_EQUAL (g_ptr_array_index (f.lines, 1), "");
  CU_ASSERT_STRING_EQUAL (g_ptr_array_index (f.lines, 2), "\xc3\xa9");
  teardown (&f);
}

static void
bad_lines (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  const char *rows[] = { "0123456789\n", "01234567890\n", "ok\n\xff\n", "01234567890123" };

  script_reply_printf (reply, "HTTP/1.1 200 OK\r\n\r\n%s", rows[request->n]);
  reply->end = SCRIPT_CLOSE;
}

static void
long_and_broken_lines_are_refused (void)
{
  Fixture f;

  setup (&f, bad_lines);
  fetch_other (&f, EXO_FETCH_LINES, "GET", 10);
  CU_ASSERT_PTR_NULL (f.error);
  CU_ASSERT_EQUAL (f.lines->len, 1);
  f.done = FALSE;
  fetch_other (&f, EXO_FETCH_LINES, "GET", 10);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_TOO_LARGE));
  g_clear_error (&f.error);
  f.done = FALSE;
  fetch_other (&f, EXO_FETCH_LINES, "GET", 10);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_INVALID));
  CU_ASSERT_EQUAL (f.lines->len, 2);
  g_clear_error (&f.error);
  f.done = FALSE;
  fetch_other (&f, EXO_FETCH_LINES, "GET", 10); /* without a newline */
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_TOO_LARGE));
  teardown (&f);
}

#define FLOOD 300000u

static void
flood (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  script_reply_printf (reply, "HTTP/1.1 200 OK\r\n\r\n");
  for (guint i = 0; i < FLOOD; i++)
    script_reply_printf (reply, "line number %u of a great many\n", i);
  reply->end = SCRIPT_CLOSE;
}

/* More than may wait: the fetch pauses and goes on, without loss. */
static void
a_flood_of_lines_is_held_back_and_complete (void)
{
  Fixture f;
  guint wrong_lines = 0;

  setup (&f, flood);
  fetch_other (&f, EXO_FETCH_LINES, "GET", 100);
  CU_ASSERT_PTR_NULL (f.error);
  CU_ASSERT_EQUAL_FATAL (f.lines->len, FLOOD);
  for (guint i = 0; i < FLOOD; i++)
    {
      char expected[64];
      g_snprintf (expected, sizeof expected, "line number %u of a great many", i);
      wrong_lines += strcmp (g_ptr_array_index (f.lines, i), expected) != 0;
    }
  CU_ASSERT_EQUAL (wrong_lines, 0);
  teardown (&f);
}

static void
endless (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  script_reply_printf (reply, "HTTP/1.1 200 OK\r\n\r\n1\n2\n3\n");
  reply->end = SCRIPT_STALL;
}

/* Cancelling ---------------------------------------------------------------------------------------- */

static void
nothing_is_told_after_a_cancel_but_done (void)
{
  Fixture f;

  setup (&f, endless);
  f.cancel_after_lines = 2;
  fetch_other (&f, EXO_FETCH_LINES, "GET", 100);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_CANCELLED));
  CU_ASSERT_EQUAL (f.lines->len, 2);
  CU_ASSERT_FALSE (f.told_after_done);
  teardown (&f);
}

static void
cancelling_twice_before_the_start_is_fine (void)
{
  Fixture f;
  g_autofree char *url = NULL;
  ExoFetchRequest request = { .mode = EXO_FETCH_TO_MEMORY, .method = "GET", .max_body = 10 };
  ExoFetch *fetch;

  setup (&f, good);
  url = script_server_url (f.server, "/");
  request.url = url;
  fetch = exo_fetcher_start (f.fetcher, &request, &callbacks, &f);
  exo_fetch_cancel (fetch);
  exo_fetch_cancel (fetch);
  wait_done (&f);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_CANCELLED));
  teardown (&f);
}

static void
freeing_the_fetcher_ends_every_fetch (void)
{
  Fixture f;
  g_autofree char *url = NULL;
  ExoFetchRequest request = { .mode = EXO_FETCH_LINES, .method = "GET", .max_body = 10 };

  setup (&f, endless);
  url = script_server_url (f.server, "/");
  request.url = url;
  exo_fetcher_start (f.fetcher, &request, &callbacks, &f);
  while (f.lines->len < 3)
    g_main_context_iteration (NULL, TRUE);
  exo_fetcher_free (g_steal_pointer (&f.fetcher));
  CU_ASSERT_TRUE (f.done);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_CANCELLED));
  teardown (&f);
}

static void
an_unused_fetcher_has_no_thread (void)
{
  g_autoptr (GDir) before = g_dir_open ("/proc/self/task", 0, NULL);
  g_autoptr (GDir) after = NULL;
  guint n_before = 0, n_after = 0;
  ExoFetcher *fetcher;

  while (g_dir_read_name (before) != NULL)
    n_before++;
  fetcher = exo_fetcher_new (NULL, "x");
  after = g_dir_open ("/proc/self/task", 0, NULL);
  while (g_dir_read_name (after) != NULL)
    n_after++;
  CU_ASSERT_EQUAL (n_before, n_after);
  exo_fetcher_free (fetcher);
}

/* A rate -------------------------------------------------------------------------------------------- */

static void
start_limited (Fixture *f)
{
  g_autofree char *url = script_server_url (f->server, "/blob");
  ExoFetchRequest request = { .mode = EXO_FETCH_TO_FILE,
                              .method = "GET",
                              .url = url,
                              .limited = TRUE,
                              .stall_timeout_ms = 700, /* a slow machine is no stall */
                              .length = ENTITY,
                              .total = ENTITY,
                              .fd = f->fd };

  exo_fetcher_start (f->fetcher, &request, &callbacks, f);
}

static gboolean
on_elapsed (gpointer user_data)
{
  *(gboolean *) user_data = TRUE;
  return G_SOURCE_REMOVE;
}

/* Longer than the stall timeout above. */
static void
let_time_pass (void)
{
  gboolean elapsed = FALSE;

  g_timeout_add (1000, on_elapsed, &elapsed);
  while (!elapsed)
    g_main_context_iteration (NULL, TRUE);
}

/* At a byte a second the first chunk is all that comes. */
static void
only_limited_fetches_are_held_and_go_on_when_the_rate_allows (void)
{
  Fixture f, other;
  ExoFetcher *own;

  setup (&f, good);
  setup (&other, good);
  exo_fetcher_set_rate (f.fetcher, 1);
  start_limited (&f);
  let_time_pass ();
  CU_ASSERT_FALSE (f.done); /* not stalled either */
  CU_ASSERT_EQUAL (f.progress, 0);

  own = other.fetcher;
  other.fetcher = f.fetcher;
  fetch_range (&other, 0, ENTITY);
  other.fetcher = own;
  CU_ASSERT_PTR_NULL (other.error);
  CU_ASSERT_FALSE (f.done);

  exo_fetcher_set_rate (f.fetcher, 0);
  wait_done (&f);
  CU_ASSERT_PTR_NULL (f.error);
  CU_ASSERT_EQUAL (f.n_written, ENTITY);
  CU_ASSERT_TRUE (file_holds (&f, 0, ENTITY));
  teardown (&other);
  teardown (&f);
}

static void
a_held_fetch_can_be_cancelled (void)
{
  Fixture f;

  setup (&f, good);
  exo_fetcher_set_rate (f.fetcher, 1);
  start_limited (&f);
  let_time_pass ();
  exo_fetcher_free (f.fetcher);
  CU_ASSERT_TRUE (f.done);
  CU_ASSERT_TRUE (failed_with (&f, EXO_TRANSFER_ERROR_CANCELLED));
  f.fetcher = NULL;
  teardown (&f);
}

EXO_SUITE ("fetcher",
           TEST (an_unused_fetcher_has_no_thread),
           TEST (a_range_lands_at_its_offset),
           TEST (a_200_is_taken_for_the_whole_and_nothing_less),
           TEST (answers_for_other_bytes_write_nothing),
           TEST (extra_bytes_are_never_written),
           TEST (what_came_before_an_early_close_is_kept),
           TEST (a_stall_ends_the_fetch_and_keeps_what_came),
           TEST (a_reset_is_unreachable),
           TEST (no_answer_at_all_is_a_stall),
           TEST (another_status_is_failed_and_explained),
           TEST (a_full_disk_is_no_space),
           TEST (a_read_only_file_is_disk),
           TEST (no_listener_is_unreachable),
           TEST (other_schemes_are_refused),
           TEST (requests_say_what_they_should),
           TEST (redirects_are_answers_like_others),
           TEST (one_byte_past_the_limit_is_too_large),
           TEST (headers_are_bounded),
           TEST (connections_are_used_again),
           TEST (what_is_to_prove_that_the_way_is_open_goes_over_a_new_connection),
           TEST (a_second_request_goes_behind_the_first),
           TEST (what_waits_behind_a_connection_that_ends_is_asked_for_anew),
           TEST (cancelling_what_waits_leaves_the_first_alone),
           TEST (lines_come_whole_and_in_order),
           TEST (long_and_broken_lines_are_refused),
           TEST (a_flood_of_lines_is_held_back_and_complete),
           TEST (nothing_is_told_after_a_cancel_but_done),
           TEST (cancelling_twice_before_the_start_is_fine),
           TEST (freeing_the_fetcher_ends_every_fetch),
           TEST (only_limited_fetches_are_held_and_go_on_when_the_rate_allows),
           TEST (a_held_fetch_can_be_cancelled))
