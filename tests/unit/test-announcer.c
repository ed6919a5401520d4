/* test-announcer.c - what this node tells its neighbours, over a real server on loopback
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/suite.h"
#include "transfer/error.h"
#include "transfer/swarm/announcer.h"
#include "transfer/swarm/session-private.h"

#define WATCHDOG_S  120
#define SELF        "00000000000000000000000000000001"
#define ONE         "00000000000000000000000000000002"
#define TWO         "00000000000000000000000000000003"
#define OID_A       "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
#define OID_B       "b3d0a1f7938cd4d8413a4dcffd4313e2e8ac0cb61cb1090eb140ea8e9154befb"
#define SIZE        ((guint64) 4 << 20)  /* 16 pieces */
#define HUGE_PIECES (EXO_PIECES_MAX / 2) /* a state of some 90,000 bytes */
#define HUGE        (EXO_BLOB_SIZE_MAX / 2)

typedef struct
{
  ExoFetcher *fetcher;
  ExoLanServer *server;
  ExoAnnouncer *announcer;
  const char *known; /* oid of the one blob it has */
  GPtrArray *open;   /* ExoLanStream */
  guint n_seen, n_gone, n_closed;
  gboolean close_when_seen;
} Fixture;

/* A neighbour; its lines as they came. */
typedef struct
{
  ExoFetch *fetch; /* NULL once it is over */
  GPtrArray *lines;
} Client;

/* This node ------------------------------------------------------------------------------------------ */

static void
describe (const char *oid, guint64 size, guint32 b, ExoWireBuilder *builder, gpointer user_data)
{
  Fixture *f = user_data;
  g_autoptr (ExoPieceMap) map = exo_piece_map_new (size);

  if (g_strcmp0 (oid, f->known) != 0)
    return;
  exo_piece_map_add (map, 1);
  exo_wire_builder_state (builder, b, TRUE, map);
}

static void
on_seen (const ExoWireHello *hello, const char *address, gpointer user_data)
{
  Fixture *f = user_data;

  f->n_seen++;
  CU_ASSERT_STRING_EQUAL (address, "127.0.0.1");
  if (f->close_when_seen)
    exo_lan_stream_close (g_ptr_array_index (f->open, f->open->len - 1));
}

static void
on_gone (const char *id, gpointer user_data)
{
  ((Fixture *) user_data)->n_gone++;
}

static void
on_opened (ExoLanServer *server,
           ExoLanStream *stream,
           const char *body,
           gsize length,
           gpointer user_data)
{
  Fixture *f = user_data;

  g_ptr_array_add (f->open, stream);
  exo_announcer_stream_opened (f->announcer, stream, body, length);
}

static void
on_closed (ExoLanServer *server, ExoLanStream *stream, gpointer user_data)
{
  Fixture *f = user_data;

  g_ptr_array_remove (f->open, stream);
  exo_announcer_stream_closed (f->announcer, stream);
  f->n_closed++;
}

static void
setup (Fixture *f)
{
  static const ExoLanCallbacks lan = { .stream_opened = on_opened, .stream_closed = on_closed };
  static const ExoAnnouncerCallbacks callbacks = { describe, on_seen, on_gone };
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = NULL;

  alarm (WATCHDOG_S);
  *f = (Fixture){ .known = OID_A, .open = g_ptr_array_new () };
  g_ptr_array_add (addresses, g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4));
  f->fetcher = exo_fetcher_new (NULL, "test");
  f->announcer = exo_announcer_new (SELF, "self", &callbacks, f);
  f->server = exo_lan_server_new (4, &lan, f, &error);
  g_assert_no_error (error);
  exo_announcer_set_server (f->announcer, f->server);
  exo_lan_server_listen (f->server, addresses, 0, TRUE, &error);
  g_assert_no_error (error);
}

static void
teardown (Fixture *f)
{
  exo_fetcher_free (f->fetcher);
  exo_lan_server_free (f->server);
  exo_announcer_free (f->announcer);
  g_ptr_array_unref (f->open);
}

/* Neighbours ----------------------------------------------------------------------------------------- */

static void
on_line (ExoFetch *fetch, const char *line, gsize length, gpointer user_data)
{
  g_ptr_array_add (((Client *) user_data)->lines, g_strdup (line));
}

static void
on_done (ExoFetch *fetch, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  ((Client *) user_data)->fetch = NULL;
}

/* Asks for @oid and (nullable) @other, both of @size. */
static char *
body_of (const char *id, guint64 size, const char *oid, const char *other)
{
  g_autofree char *more = other != NULL
                              ? g_strdup_printf (",[\"%s\",%" G_GUINT64_FORMAT "]", other, size)
                              : g_strdup ("");

  return g_strdup_printf ("{\"v\":1,\"id\":\"%s\",\"oids\":[[\"%s\",%" G_GUINT64_FORMAT "]%s]}", id,
                          oid, size, more);
}

static void
client_post (Client *client, Fixture *f, const char *body)
{
  static const ExoFetchCallbacks callbacks = { .line = on_line, .done = on_done };
  g_autofree char *url =
      g_strdup_printf ("http://127.0.0.1:%u/v1/swarm", exo_lan_server_port (f->server));
  g_autoptr (GBytes) bytes = g_bytes_new (body, strlen (body));

  client->lines = g_ptr_array_new_with_free_func (g_free);
  client->fetch = exo_fetcher_start (f->fetcher,
                                     &(ExoFetchRequest){
                                         .mode = EXO_FETCH_LINES,
                                         .method = "POST",
                                         .url = url,
                                         .body = bytes,
                                         .lan = TRUE,
                                         .max_body = EXO_WIRE_LINE_MAX,
                                     },
                                     &callbacks, client);
}

static void
client_open (Client *client, Fixture *f, const char *id, const char *oid, const char *other)
{
  g_autofree char *body = body_of (id, SIZE, oid, other);

  client_post (client, f, body);
}

static void
wait_until (const guint *count, guint n)
{
  while (*count < n)
    g_main_context_iteration (NULL, TRUE);
}

static const char *
wait_line (Client *client, guint i)
{
  wait_until (&client->lines->len, i + 1);
  return g_ptr_array_index (client->lines, i);
}

static void
wait_end (Client *client)
{
  while (client->fetch != NULL)
    g_main_context_iteration (NULL, TRUE);
}

static void
client_close (Client *client)
{
  if (client->fetch != NULL)
    exo_fetch_cancel (client->fetch);
  wait_end (client);
  g_ptr_array_unref (client->lines);
}

/* A client in one blocking piece, for what must not need this thread's main loop. */
static int
blocking_client (Fixture *f, guint64 size, int receive_buffer)
{
  struct sockaddr_in to = { .sin_family = AF_INET,
                            .sin_port = htons (exo_lan_server_port (f->server)),
                            .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  struct timeval patience = { 20, 0 };
  g_autofree char *body = body_of (TWO, size, OID_A, NULL),
                  *request = g_strdup_printf ("POST /v1/swarm HTTP/1.1\r\nHost: x\r\n"
                                              "Content-Length: %zu\r\n\r\n%s",
                                              strlen (body), body);
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (receive_buffer > 0)
    setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  g_assert_cmpint (connect (fd, (struct sockaddr *) &to, sizeof to), ==, 0);
  g_assert_cmpint (send (fd, request, strlen (request), 0), ==, (gssize) strlen (request));
  return fd;
}

/* FALSE if it does not come */
static gboolean
blocking_read_until (int fd, const char *text)
{
  g_autoptr (GString) in = g_string_new (NULL);
  char buffer[4096];
  gssize n;

  while (strstr (in->str, text) == NULL)
    {
      n = recv (fd, buffer, sizeof buffer, 0);
      if (n <= 0)
        return FALSE;
      g_string_append_len (in, buffer, n);
    }
  return TRUE;
}

/* Tests ---------------------------------------------------------------------------------------------- */

static void
a_subscriber_hears_who_it_is_then_what_it_has (void)
{
  static const ExoWireLink link = { 125000000, 99 };
  Client client;
  Fixture f;

  setup (&f);
  exo_announcer_hub (f.announcer, FALSE, 0);
  exo_announcer_link (f.announcer, &link);
  client_open (&client, &f, ONE, OID_B, OID_A);
  CU_ASSERT_STRING_EQUAL (wait_line (&client, 0),
                          "{\"v\":1,\"id\":\"" SELF "\",\"name\":\"self\",\"hub\":false,"
                          "\"hub_rate\":0,\"link\":[125000000,99]}");
  CU_ASSERT_STRING_EQUAL (wait_line (&client, 1),
                          "{\"state\":[{\"b\":1,\"wants\":true,\"have\":\"QAA=\"}]}");
  CU_ASSERT_EQUAL (f.n_seen, 1);
  client_close (&client);
  teardown (&f);
}

/* Not with the next heartbeat: who waits for the states before it asks the Hub would wait a second for nothing. */
static void
who_asks_for_what_is_not_known_hears_so_at_once (void)
{
  Fixture f;
  int fd;

  setup (&f);
  f.known = OID_B;
  fd = blocking_client (&f, SIZE, 0);
  wait_until (&f.n_seen, 1);
  CU_ASSERT_TRUE (blocking_read_until (fd, "\n{}\n"));
  close (fd);
  teardown (&f);
}

static void
what_happens_together_is_one_line (void)
{
  Client client;
  Fixture f;

  setup (&f);
  client_open (&client, &f, ONE, OID_A, NULL);
  wait_line (&client, 1);
  exo_announcer_event (f.announcer, OID_A, EXO_WIRE_FETCH, 4, 1);
  exo_announcer_event (f.announcer, OID_A, EXO_WIRE_HAVE, 2, 1);
  exo_announcer_event (f.announcer, OID_A, EXO_WIRE_HAVE, 3, 1);
  exo_announcer_wants (f.announcer, OID_A, FALSE);
  exo_announcer_hub (f.announcer, FALSE, 7);
  CU_ASSERT_STRING_EQUAL (
      wait_line (&client, 2),
      "{\"hub\":false,\"hub_rate\":7,\"have\":[[0,2,2]],\"fetch\":[[0,4,1]],\"wants\":[[0,false]]}");
  client_close (&client);
  teardown (&f);
}

static void
what_came_before_a_state_goes_before_it (void)
{
  Client client;
  Fixture f;

  setup (&f);
  client_open (&client, &f, ONE, OID_A, NULL);
  wait_line (&client, 1);
  exo_announcer_event (f.announcer, OID_A, EXO_WIRE_HAVE, 9, 1);
  exo_announcer_state (f.announcer, OID_A);
  exo_announcer_event (f.announcer, OID_A, EXO_WIRE_HAVE, 5, 1);
  CU_ASSERT_STRING_EQUAL (wait_line (&client, 2), "{\"have\":[[0,9,1]]}");
  CU_ASSERT_STRING_EQUAL (
      wait_line (&client, 3),
      "{\"state\":[{\"b\":0,\"wants\":true,\"have\":\"QAA=\"}],\"have\":[[0,5,1]]}");
  client_close (&client);
  teardown (&f);
}

/* More than one line holds: nothing is lost, all comes in order. */
static void
many_events_are_several_lines (void)
{
  const guint64 sizes[] = { EXO_BLOB_SIZE_MAX };
  Client client;
  Fixture f;
  guint due = 0, n_lines = 0;
  g_autofree char *body = body_of (ONE, sizes[0], OID_B, NULL);

  setup (&f);
  client_post (&client, &f, body);
  wait_line (&client, 1);
  for (guint32 i = 0; i < 3 * EXO_WIRE_RANGES_MAX; i++) /* never adjacent */
    exo_announcer_event (f.announcer, OID_B, EXO_WIRE_HAVE, 2 * i, 1);
  while (due < 3 * EXO_WIRE_RANGES_MAX)
    {
      const char *text = wait_line (&client, 2 + n_lines++);
      g_autoptr (ExoWireLine) line = exo_wire_line_parse (text, strlen (text), sizes, 1, NULL);

      CU_ASSERT_PTR_NOT_NULL_FATAL (line);
      for (guint i = 0; i < line->have->len; i++, due++)
        if (g_array_index (line->have, ExoWireRange, i).first != 2 * due)
          CU_FAIL ("out of order");
    }
  CU_ASSERT_EQUAL (due, 3 * EXO_WIRE_RANGES_MAX);
  CU_ASSERT_EQUAL (n_lines, 3);
  client_close (&client);
  teardown (&f);
}

static void
a_claim_waits_for_no_company (void)
{
  Fixture f;
  int fd;

  setup (&f);
  fd = blocking_client (&f, SIZE, 0);
  wait_until (&f.n_seen, 1);
  CU_ASSERT_TRUE (blocking_read_until (fd, "\"state\""));
  exo_announcer_event (f.announcer, OID_A, EXO_WIRE_HAVE, 0, 1);
  exo_announcer_event (f.announcer, OID_A, EXO_WIRE_CLAIM, 7, 2);
  while (g_main_context_iteration (NULL, FALSE)) /* without waiting for anything */
    continue;
  CU_ASSERT_TRUE (blocking_read_until (fd, "\"claim\":[[0,7,2]]"));
  close (fd);
  teardown (&f);
}

/* µs from a piece that came to the line that says so. */
static gint64
news_takes (Fixture *f, Client *client)
{
  gint64 begun = g_get_monotonic_time ();
  guint n = client->lines->len;

  exo_announcer_event (f->announcer, OID_A, EXO_WIRE_HAVE, 0, 1);
  wait_line (client, n);
  return g_get_monotonic_time () - begun;
}

static void
on_a_slow_link_news_is_gathered_but_for_the_last_pieces (void)
{
  const ExoWireLink slow = { .rate = 1000 };
  gint64 hurried = G_MAXINT64;
  Client client;
  Fixture f;

  setup (&f);
  client_open (&client, &f, ONE, OID_A, NULL);
  exo_announcer_link (f.announcer, &slow);
  wait_line (&client, 2); /* the state, and the rate */
  CU_ASSERT_TRUE (news_takes (&f, &client) >= 95000);
  exo_announcer_hurry (f.announcer, TRUE);
  for (guint i = 0; i < 20; i++) /* the machine may be busy */
    hurried = MIN (hurried, news_takes (&f, &client));
  CU_ASSERT_TRUE (hurried < 95000);
  exo_announcer_hurry (f.announcer, FALSE);
  CU_ASSERT_TRUE (news_takes (&f, &client) >= 95000);
  client_close (&client);
  teardown (&f);
}

static void
each_subscriber_hears_what_it_asked_for_by_its_own_numbers (void)
{
  Client one, two;
  Fixture f;

  setup (&f);
  client_open (&one, &f, ONE, OID_A, NULL);
  client_open (&two, &f, TWO, OID_B, OID_A);
  wait_line (&one, 1);
  wait_line (&two, 1);
  exo_announcer_event (f.announcer, OID_A, EXO_WIRE_HAVE, 3, 1);
  exo_announcer_event (f.announcer, OID_B, EXO_WIRE_DROP, 4, 1);
  CU_ASSERT_STRING_EQUAL (wait_line (&one, 2), "{\"have\":[[0,3,1]]}");
  CU_ASSERT_STRING_EQUAL (wait_line (&two, 2), "{\"drop\":[[0,4,1]],\"have\":[[1,3,1]]}");
  client_close (&one);
  client_close (&two);
  teardown (&f);
}

static void
silence_is_broken_once_a_second (void)
{
  Client client;
  Fixture f;

  setup (&f);
  client_open (&client, &f, ONE, OID_A, NULL);
  CU_ASSERT_STRING_EQUAL (wait_line (&client, 2), "{}");
  CU_ASSERT_STRING_EQUAL (wait_line (&client, 3), "{}");
  client_close (&client);
  teardown (&f);
}

static void
a_rate_is_news_when_it_is_another_one_altogether (void)
{
  Client client, later;
  Fixture f;

  setup (&f);
  client_open (&client, &f, ONE, OID_A, NULL);
  wait_line (&client, 1);
  exo_announcer_hub (f.announcer, TRUE, 5);
  CU_ASSERT_STRING_EQUAL (wait_line (&client, 2), "{\"hub\":true,\"hub_rate\":5}");
  exo_announcer_hub (f.announcer, TRUE, 20);
  exo_announcer_event (f.announcer, OID_A, EXO_WIRE_HAVE, 3, 1);
  CU_ASSERT_STRING_EQUAL (wait_line (&client, 3), "{\"have\":[[0,3,1]]}");
  client_open (&later, &f, TWO, OID_A, NULL);
  CU_ASSERT_PTR_NOT_NULL (strstr (wait_line (&later, 0), "\"hub\":true,\"hub_rate\":20"));
  exo_announcer_hub (f.announcer, TRUE, 24);
  CU_ASSERT_STRING_EQUAL (wait_line (&client, 4), "{\"hub\":true,\"hub_rate\":24}");
  client_close (&later);
  client_close (&client);
  teardown (&f);
}

static void
what_is_no_subscription_is_refused_in_one_line (void)
{
  static const struct
  {
    const char *body, *why;
  } rows[] = {
    { "nonsense", "" },
    { "{\"v\":2,\"id\":\"" ONE "\",\"oids\":[]}", "version 2" },
    { "{\"v\":1,\"id\":\"" ONE "\"}", "oids" },
    { "{\"v\":1,\"id\":\"" SELF "\",\"oids\":[]}", "own node" },
    { "{\"v\":1,\"id\":\"" ONE "\",\"oids\":[[\"" OID_A "\",1],[\"" OID_A "\",1]]}", "twice" },
  };
  Fixture f;

  setup (&f);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      Client client;

      client_post (&client, &f, rows[i].body);
      wait_end (&client);
      CU_ASSERT_EQUAL_FATAL (client.lines->len, 1);
      CU_ASSERT_TRUE (g_str_has_prefix (g_ptr_array_index (client.lines, 0), "{\"error\":\""));
      CU_ASSERT_PTR_NOT_NULL (strstr (g_ptr_array_index (client.lines, 0), rows[i].why));
      client_close (&client);
      wait_until (&f.n_closed, (guint) i + 1);
    }
  CU_ASSERT_EQUAL (f.n_seen, 0);
  CU_ASSERT_EQUAL (f.n_gone, 0);
  teardown (&f);
}

/* Its memory is bounded, and it costs the others nothing. */
static void
who_does_not_read_is_cut_off (void)
{
  const gsize line_bytes = HUGE_PIECES / 8 * 4 / 3;
  g_autofree char *body = body_of (ONE, HUGE, OID_A, NULL);
  Client client;
  Fixture f;
  guint n_lines = 2;
  int fd;

  setup (&f);
  client_post (&client, &f, body);
  wait_line (&client, 1);
  fd = blocking_client (&f, HUGE, 4096);
  wait_until (&f.n_seen, 2);
  while (f.n_gone == 0 && n_lines * line_bytes < 4 * (gsize) EXO_LAN_STREAM_BUFFER)
    {
      exo_announcer_state (f.announcer, OID_A);
      wait_line (&client, n_lines++);
    }
  CU_ASSERT_TRUE (n_lines * line_bytes > EXO_LAN_STREAM_BUFFER);
  CU_ASSERT_EQUAL (f.n_gone, 1);
  CU_ASSERT_EQUAL (f.open->len, 1);
  exo_announcer_event (f.announcer, OID_A, EXO_WIRE_HAVE, 5, 1);
  CU_ASSERT_STRING_EQUAL (wait_line (&client, n_lines), "{\"have\":[[0,5,1]]}");
  close (fd);
  client_close (&client);
  teardown (&f);
}

static void
a_stream_may_be_closed_from_within_a_callback (void)
{
  Client client;
  Fixture f;

  setup (&f);
  f.close_when_seen = TRUE;
  client_open (&client, &f, ONE, OID_A, NULL);
  wait_until (&f.n_seen, 1);
  exo_announcer_event (f.announcer, OID_A, EXO_WIRE_HAVE, 3, 1);
  wait_end (&client);
  wait_until (&f.n_gone, 1);
  CU_ASSERT_EQUAL (client.lines->len, 2);
  client_close (&client);
  teardown (&f);
}

/* Both sides ----------------------------------------------------------------------------------------- */

typedef struct
{
  guint n_up, n_line, n_down;
} Heard;

static void
on_session_up (ExoSession *session, const ExoWireHello *hello, gpointer user_data)
{
  ((Heard *) user_data)->n_up++;
}

static void
on_session_line (ExoSession *session, const ExoWireLine *line, gpointer user_data)
{
  ((Heard *) user_data)->n_line++;
}

static void
on_session_down (ExoSession *session, const GError *error, gpointer user_data)
{
  ((Heard *) user_data)->n_down++;
}

static void
session_ask (ExoSession *session, const char *oid /* NULL: nothing */)
{
  g_autoptr (ExoWireHello) hello = g_new0 (ExoWireHello, 1);
  ExoWireBlob blob = { g_strdup (oid), SIZE };

  g_strlcpy (hello->id, ONE, sizeof hello->id);
  hello->name = g_strdup ("one");
  hello->blobs = exo_wire_blobs_new ();
  if (oid != NULL)
    g_array_append_val (hello->blobs, blob);
  exo_session_subscribe (session, hello);
}

static ExoSession *
session_open (Fixture *f, Heard *heard)
{
  static const ExoSessionCallbacks callbacks = { on_session_up, on_session_line, on_session_down };
  static const ExoSessionTimes times = { 1, 1, 4000, 0, 4000, 1 };
  g_autofree char *url = g_strdup_printf ("http://127.0.0.1:%u", exo_lan_server_port (f->server));
  const char *const urls[] = { url, NULL };
  ExoSession *session = exo_session_new (f->fetcher, SELF, &callbacks, heard);

  exo_session_set_times (session, &times);
  exo_session_set_addresses (session, urls, NULL);
  return session;
}

static void
a_session_whose_stream_ends_hears_all_anew (void)
{
  Heard heard = { 0 };
  g_autoptr (ExoSession) session = NULL;
  Fixture f;

  setup (&f);
  session = session_open (&f, &heard);
  session_ask (session, OID_A);
  wait_until (&heard.n_line, 1);
  for (guint i = 1; i < 4; i++)
    {
      exo_lan_stream_close (g_ptr_array_index (f.open, 0));
      wait_until (&heard.n_line, i + 1);
      CU_ASSERT_EQUAL (heard.n_up, i + 1);
      CU_ASSERT_EQUAL (heard.n_down, i);
      wait_until (&f.n_gone, i);
    }
  CU_ASSERT_EQUAL (f.open->len, 1);
  g_clear_pointer (&session, exo_session_free);
  teardown (&f);
}

static void
a_session_has_one_lasting_stream (void)
{
  Heard heard = { 0 };
  g_autoptr (ExoSession) session = NULL;
  Fixture f;

  setup (&f);
  session = session_open (&f, &heard);
  session_ask (session, OID_A);
  wait_until (&heard.n_line, 1);
  session_ask (session, OID_B);
  wait_until (&f.n_gone, 1);
  CU_ASSERT_EQUAL (f.n_seen, 2);
  CU_ASSERT_EQUAL (heard.n_down, 0);
  session_ask (session, NULL);
  wait_until (&f.n_gone, 2);
  CU_ASSERT_EQUAL (f.open->len, 0);
  exo_announcer_event (f.announcer, OID_A, EXO_WIRE_HAVE, 0, 1); /* nobody is there to hear it */
  CU_ASSERT_EQUAL (f.n_seen, 2);
  CU_ASSERT_EQUAL (heard.n_down, 1);
  g_clear_pointer (&session, exo_session_free);
  teardown (&f);
}

EXO_SUITE ("announcer",
           TEST (a_subscriber_hears_who_it_is_then_what_it_has),
           TEST (who_asks_for_what_is_not_known_hears_so_at_once),
           TEST (what_happens_together_is_one_line),
           TEST (what_came_before_a_state_goes_before_it),
           TEST (many_events_are_several_lines),
           TEST (a_claim_waits_for_no_company),
           TEST (on_a_slow_link_news_is_gathered_but_for_the_last_pieces),
           TEST (each_subscriber_hears_what_it_asked_for_by_its_own_numbers),
           TEST (silence_is_broken_once_a_second),
           TEST (a_rate_is_news_when_it_is_another_one_altogether),
           TEST (what_is_no_subscription_is_refused_in_one_line),
           TEST (who_does_not_read_is_cut_off),
           TEST (a_stream_may_be_closed_from_within_a_callback),
           TEST (a_session_whose_stream_ends_hears_all_anew),
           TEST (a_session_has_one_lasting_stream))
