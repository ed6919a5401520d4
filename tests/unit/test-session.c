/* test-session.c - the event stream from one neighbour, from the asking side
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <unistd.h>

#include "tests/unit/script-server.h"
#include "tests/unit/suite.h"
#include "transfer/error.h"
#include "transfer/swarm/session-private.h"

#define WATCHDOG_S 120
#define SELF       "00000000000000000000000000000001"
#define PEER       "00000000000000000000000000000002"
#define OTHER      "00000000000000000000000000000003"
#define OID_A      "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
#define OID_B      "b3d0a1f7938cd4d8413a4dcffd4313e2e8ac0cb61cb1090eb140ea8e9154befb"
#define SIZE       ((guint64) 4 << 20) /* 16 pieces */
#define NEVER_MS   3600000u

#define HELLO_OF(version, id)                                                                      \
  "{\"v\":" version ",\"id\":\"" id                                                                \
  "\",\"name\":\"peer\",\"hub\":true,\"hub_rate\":7,\"link\":[1,2]}\n"
#define HELLO HELLO_OF ("1", PEER)

typedef struct
{
  const char *text;
  ScriptEnd end;
} Answer;

typedef enum
{
  AT_NOTHING,
  AT_UP,
  AT_LINE,
  AT_DOWN,
} Moment;

typedef struct
{
  ExoFetcher *fetcher;
  ScriptServer *server;
  ScriptServer *other; /* (nullable): the same neighbour at another address */
  guint other_refuses; /* so many requests, at first */
  ExoSession *session;
  const Answer *answers; /* by number of the request; the last one again and again */
  gsize n_answers;
  guint status;   /* of all answers; 0: 200 */
  char *body;     /* of the last request */
  GString *heard; /* what the callbacks were told, a word each */
  guint n_up, n_line, n_down;
  Moment free_at;
  gboolean current_at_up;
  ExoSessionMove move; /* at the last up */
  GError *error;       /* of the last down */
} Fixture;

/* The neighbour ------------------------------------------------------------------------------------- */

static void
answer (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  Fixture *f = user_data;
  const Answer *due = &f->answers[MIN (request->n, f->n_answers - 1)];

  if (strcmp (request->path, "/ping") == 0)
    {
      script_reply_printf (reply, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
      return;
    }
  CU_ASSERT_STRING_EQUAL (request->method, "POST");
  CU_ASSERT_STRING_EQUAL (request->path, "/v1/swarm");
  g_free (f->body);
  f->body = g_strdup (request->body);
  script_reply_printf (reply, "HTTP/1.1 %u X\r\nContent-Type: application/x-ndjson\r\n\r\n",
                       f->status != 0 ? f->status : 200);
  script_reply_bytes (reply, due->text, strlen (due->text));
  reply->end = due->end;
}

static void
answer_elsewhere (const ScriptRequest *request, ScriptReply *reply, gpointer user_data)
{
  const Fixture *f = user_data;

  script_reply_printf (reply, "HTTP/1.1 %u X\r\nContent-Type: application/x-ndjson\r\n\r\n" HELLO,
                       request->n < f->other_refuses ? 503 : 200);
  reply->end = request->n < f->other_refuses ? SCRIPT_CLOSE : SCRIPT_STALL;
}

/* This node ----------------------------------------------------------------------------------------- */

static void
happened (Fixture *f, Moment moment)
{
  if (f->free_at == moment)
    g_clear_pointer (&f->session, exo_session_free);
}

static void
on_up (ExoSession *session, const ExoWireHello *hello, gpointer user_data)
{
  Fixture *f = user_data;

  f->n_up++;
  f->current_at_up = exo_session_is_current (session);
  g_string_append_printf (f->heard, "up:%s:%" G_GUINT64_FORMAT " ", hello->name, hello->hub_rate);
  f->move = exo_session_move (session);
  happened (f, AT_UP);
}

static void
on_line (ExoSession *session, const ExoWireLine *line, gpointer user_data)
{
  Fixture *f = user_data;

  f->n_line++;
  for (guint i = 0; i < line->states->len; i++)
    g_string_append_printf (f->heard, "state:%u ", g_array_index (line->states, ExoWireState, i).b);
  for (guint i = 0; i < line->have->len; i++)
    g_string_append_printf (f->heard, "have:%u ",
                            g_array_index (line->have, ExoWireRange, i).first);
  happened (f, AT_LINE);
}

static void
on_down (ExoSession *session, const GError *error, gpointer user_data)
{
  Fixture *f = user_data;

  f->n_down++;
  g_string_append (f->heard, "down ");
  g_clear_error (&f->error);
  f->error = g_error_copy (error);
  happened (f, AT_DOWN);
}

static ExoWireHello *
subscription (const char *const *oids)
{
  ExoWireHello *hello = g_new0 (ExoWireHello, 1);

  g_strlcpy (hello->id, SELF, sizeof hello->id);
  hello->name = g_strdup ("self");
  hello->blobs = exo_wire_blobs_new ();
  for (; *oids != NULL; oids++)
    {
      ExoWireBlob blob = { g_strdup (*oids), SIZE };
      g_array_append_val (hello->blobs, blob);
    }
  return hello;
}

static void
subscribe (Fixture *f, const char *one, const char *other)
{
  const char *const oids[] = { one, other, NULL };
  g_autoptr (ExoWireHello) hello = subscription (oids);

  exo_session_subscribe (f->session, hello);
}

static void
set_times (Fixture *f, guint retry_ms, guint silence_ms, gint64 lasted_us)
{
  ExoSessionTimes times = { retry_ms, retry_ms, silence_ms, lasted_us, NEVER_MS, NEVER_MS };

  exo_session_set_times (f->session, &times);
}

/* Nothing is tried again, and no stream is a good one, unless a test says so. */
static void
setup (Fixture *f, const Answer *answers, gsize n_answers)
{
  static const ExoSessionCallbacks callbacks = { on_up, on_line, on_down };
  g_autofree char *url = NULL;
  const char *urls[] = { NULL, NULL };

  alarm (WATCHDOG_S);
  *f = (Fixture){ .answers = answers, .n_answers = n_answers };
  f->heard = g_string_new (NULL);
  f->fetcher = exo_fetcher_new (NULL, "test");
  f->server = script_server_new (answer, f);
  f->session = exo_session_new (f->fetcher, PEER, &callbacks, f);
  set_times (f, NEVER_MS, NEVER_MS, G_MAXINT64);
  urls[0] = url = script_server_url (f->server, "");
  exo_session_set_addresses (f->session, urls, NULL);
}

static void
teardown (Fixture *f)
{
  g_clear_pointer (&f->session, exo_session_free);
  exo_fetcher_free (f->fetcher);
  script_server_free (f->server);
  g_clear_pointer (&f->other, script_server_free);
  g_string_free (f->heard, TRUE);
  g_clear_error (&f->error);
  g_free (f->body);
}

static void
wait_until (const guint *count, guint n)
{
  while (*count < n)
    g_main_context_iteration (NULL, TRUE);
}

static void
on_pong (ExoFetch *fetch, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  ++*(guint *) user_data;
}

/* The server answers something else: what was under way has come, too. Returns how many requests it saw but this. */
static guint
settle (Fixture *f)
{
  static const ExoFetchCallbacks callbacks = { .done = on_pong };
  g_autofree char *url = script_server_url (f->server, "/ping");
  guint n_pongs = 0, n_before = 3;

  for (guint i = 0; i < n_before; i++)
    {
      exo_fetcher_start (f->fetcher, &(ExoFetchRequest){ .method = "GET", .url = url, .lan = TRUE },
                         &callbacks, &n_pongs);
      wait_until (&n_pongs, i + 1);
    }
  return script_server_n_requests (f->server) - n_before;
}

/* Tests --------------------------------------------------------------------------------------------- */

static void
lines_come_in_order_after_the_hello (void)
{
  static const Answer answers[] = { { HELLO "{\"state\":[{\"b\":1,\"have\":\"all\"}]}\n"
                                            "{\"have\":[[0,3,1]]}\n{}\n{\"have\":[[0,2,1]]}\n",
                                      SCRIPT_STALL } };
  const char *const oids[] = { OID_A, OID_B, NULL };
  g_autoptr (ExoWireHello) hello = subscription (oids);
  g_autofree char *json = exo_wire_subscribe_to_json (hello), *url = NULL;
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  url = script_server_url (f.server, "");
  CU_ASSERT_TRUE (exo_session_is_current (f.session)); /* nothing was asked */
  exo_session_subscribe (f.session, hello);
  CU_ASSERT_FALSE (exo_session_is_current (f.session));
  CU_ASSERT_PTR_NULL (exo_session_base_url (f.session));
  wait_until (&f.n_line, 4);
  CU_ASSERT_STRING_EQUAL (f.heard->str, "up:peer:7 state:1 have:3 have:2 ");
  CU_ASSERT_STRING_EQUAL (f.body, json);
  CU_ASSERT_FALSE (f.current_at_up); /* the states were still to come */
  CU_ASSERT_TRUE (exo_session_is_current (f.session));
  CU_ASSERT_TRUE (exo_session_is_up (f.session));
  CU_ASSERT_STRING_EQUAL (exo_session_base_url (f.session), url);
  CU_ASSERT_STRING_EQUAL (exo_session_oid (f.session, 0), OID_A);
  CU_ASSERT_STRING_EQUAL (exo_session_oid (f.session, 1), OID_B);
  CU_ASSERT_PTR_NULL (exo_session_oid (f.session, 2));
  teardown (&f);
}

/* A line of so many bytes. */
static char *
long_line (gsize length)
{
  g_autofree char *spaces = g_strnfill (length - 2, ' ');

  return g_strconcat (HELLO "{", spaces, "}\n", NULL);
}

static void
what_must_not_be_said_ends_the_stream (void)
{
  g_autofree char *longest = long_line (EXO_WIRE_LINE_MAX),
                  *too_long = long_line (EXO_WIRE_LINE_MAX + 1);
  const struct
  {
    const char *text;
    int code;
    const char *why;
    guint n_up, n_line;
  } rows[] = {
    { "nonsense\n", EXO_TRANSFER_ERROR_INVALID, "", 0, 0 },
    { "{}\n", EXO_TRANSFER_ERROR_INVALID, "hello", 0, 0 },
    { "{\"error\":\"go away\"}\n", EXO_TRANSFER_ERROR_INVALID, "hello", 0, 0 },
    { HELLO_OF ("2", PEER), EXO_TRANSFER_ERROR_INVALID, "version 2", 0, 0 },
    { HELLO_OF ("1", OTHER) "{}\n", EXO_TRANSFER_ERROR_UNREACHABLE, "another node", 0, 0 },
    { HELLO HELLO, EXO_TRANSFER_ERROR_INVALID, "hello", 1, 0 },
    { HELLO "{\"have\":[[2,0,1]]}\n{}\n", EXO_TRANSFER_ERROR_INVALID, "have", 1, 0 },
    { HELLO "{\"have\":[[1,15,2]]}\n{}\n", EXO_TRANSFER_ERROR_INVALID, "have", 1, 0 },
    { HELLO "{}\n{\"have\":7}\n{}\n", EXO_TRANSFER_ERROR_INVALID, "have", 1, 1 },
    { HELLO "\xff\n{}\n", EXO_TRANSFER_ERROR_INVALID, "UTF-8", 1, 0 },
    { longest, EXO_TRANSFER_ERROR_UNREACHABLE, "closed", 1, 1 },
    { too_long, EXO_TRANSFER_ERROR_TOO_LARGE, "", 1, 0 },
    { HELLO "{}\n", EXO_TRANSFER_ERROR_UNREACHABLE, "closed", 1, 1 },
    { "", EXO_TRANSFER_ERROR_UNREACHABLE, "closed", 0, 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const Answer row = { rows[i].text, SCRIPT_CLOSE };
      Fixture f;

      setup (&f, &row, 1);
      subscribe (&f, OID_A, OID_B);
      wait_until (&f.n_down, 1);
      CU_ASSERT_TRUE (g_error_matches (f.error, EXO_TRANSFER_ERROR, rows[i].code));
      CU_ASSERT_PTR_NOT_NULL (strstr (f.error->message, rows[i].why));
      CU_ASSERT_EQUAL (settle (&f), 1);
      CU_ASSERT_EQUAL (f.n_up, rows[i].n_up);
      CU_ASSERT_EQUAL (f.n_line, rows[i].n_line);
      CU_ASSERT_EQUAL (f.n_down, 1);
      CU_ASSERT_FALSE (exo_session_is_up (f.session));
      CU_ASSERT_FALSE (exo_session_is_current (f.session));
      teardown (&f);
    }
}

static void
an_answer_that_is_no_success_is_no_stream (void)
{
  static const Answer answers[] = { { HELLO, SCRIPT_CLOSE } };
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  f.status = 404;
  subscribe (&f, OID_A, NULL);
  wait_until (&f.n_down, 1);
  CU_ASSERT_TRUE (g_error_matches (f.error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED));
  CU_ASSERT_EQUAL (f.n_up, 0);
  teardown (&f);
}

static void
a_silent_neighbour_is_given_up_and_asked_again (void)
{
  static const Answer answers[] = { { HELLO "{}\n", SCRIPT_STALL } };
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  set_times (&f, 1, 50, 0);
  subscribe (&f, OID_A, NULL);
  wait_until (&f.n_down, 1);
  CU_ASSERT_TRUE (g_error_matches (f.error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE));
  CU_ASSERT_EQUAL (exo_session_n_failures (f.session), 1);
  wait_until (&f.n_up, 2);
  CU_ASSERT_EQUAL (exo_session_n_failures (f.session), 0);
  wait_until (&f.n_line, 2);
  CU_ASSERT_TRUE (exo_session_is_current (f.session));
  teardown (&f);
}

static void
waits_double_up_to_a_limit (void)
{
  static const struct
  {
    guint n_failures, wait_ms;
  } rows[] = { { 1, 500 },  { 2, 1000 },  { 3, 2000 },        { 4, 4000 },
               { 5, 8000 }, { 40, 8000 }, { G_MAXUINT, 8000 } };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    CU_ASSERT_EQUAL (exo_session_retry_ms (&exo_session_usual_times, rows[i].n_failures),
                     rows[i].wait_ms);
}

static void
who_breaks_off_time_after_time_is_asked_ever_more_rarely (void)
{
  static const Answer answers[] = { { HELLO "nonsense\n", SCRIPT_STALL } };
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  set_times (&f, 1, NEVER_MS, G_MAXINT64);
  subscribe (&f, OID_A, NULL);
  for (guint i = 1; i <= 5; i++)
    {
      wait_until (&f.n_down, i);
      CU_ASSERT_EQUAL (exo_session_n_failures (f.session), i);
    }
  set_times (&f, 1, NEVER_MS, 0); /* now it has lasted */
  wait_until (&f.n_down, 6);
  CU_ASSERT_EQUAL (exo_session_n_failures (f.session), 1);
  teardown (&f);
}

/* Whatever makes this node want to ask at once: that the neighbour is there is known. */
static void
who_breaks_off_time_after_time_is_not_asked_at_once (void)
{
  static const Answer answers[] = { { HELLO, SCRIPT_CLOSE } };
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  subscribe (&f, OID_A, NULL);
  wait_until (&f.n_down, 1);
  CU_ASSERT_EQUAL (settle (&f), 1); /* it waits */
  exo_session_retry_now (f.session);
  wait_until (&f.n_down, 2);
  exo_session_retry_now (f.session);
  exo_session_start_over (f.session);
  subscribe (&f, OID_A, OID_B);
  CU_ASSERT_EQUAL (settle (&f), 5); /* two, and three of settle() before */
  CU_ASSERT_EQUAL (exo_session_n_failures (f.session), 2);
  teardown (&f);
}

static void
one_stream_that_broke_off_is_no_habit (void)
{
  static const Answer answers[] = { { HELLO, SCRIPT_CLOSE }, { HELLO "{}\n", SCRIPT_STALL } };
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  subscribe (&f, OID_A, NULL);
  wait_until (&f.n_down, 1);
  exo_session_start_over (f.session);
  wait_until (&f.n_line, 1);
  CU_ASSERT_EQUAL (exo_session_n_failures (f.session), 0);
  teardown (&f);
}

static void
what_was_good_for_long_enough_counts_when_more_is_asked (void)
{
  static const Answer answers[] = { { HELLO, SCRIPT_CLOSE },
                                    { HELLO, SCRIPT_CLOSE },
                                    { HELLO "{}\n", SCRIPT_STALL } };
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  set_times (&f, 1, NEVER_MS, G_MAXINT64);
  subscribe (&f, OID_A, NULL);
  wait_until (&f.n_line, 1);
  CU_ASSERT_EQUAL (exo_session_n_failures (f.session), 2);
  set_times (&f, 1, NEVER_MS, 0);
  subscribe (&f, OID_A, OID_B);
  CU_ASSERT_EQUAL (exo_session_n_failures (f.session), 0);
  teardown (&f);
}

static void
an_address_that_does_not_answer_is_followed_by_the_next (void)
{
  static const Answer answers[] = { { HELLO "{}\n", SCRIPT_STALL } };
  g_autofree char *url = NULL;
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  set_times (&f, 1, NEVER_MS, G_MAXINT64);
  url = script_server_url (f.server, "");
  {
    const char *const urls[] = { "http://127.0.0.1:1", url, NULL };
    exo_session_set_addresses (f.session, urls, NULL);
  }
  subscribe (&f, OID_A, NULL);
  wait_until (&f.n_up, 1);
  CU_ASSERT_EQUAL (f.n_down, 1);
  CU_ASSERT_STRING_EQUAL (exo_session_base_url (f.session), url);
  teardown (&f);
}

/* Two addresses over two cards; the one at @others_place is that of the other server. */
static void
set_two_ways (Fixture *f, guint others_place, guint64 first_speed, guint64 second_speed)
{
  const ExoWayHere here[] = { { 1, TRUE, FALSE, first_speed }, { 2, TRUE, FALSE, second_speed } };
  g_autofree char *url = script_server_url (f->server, ""), *other_url = NULL;
  const char *urls[] = { NULL, NULL, NULL };

  f->other = script_server_new (answer_elsewhere, f);
  other_url = script_server_url (f->other, "");
  urls[others_place] = other_url;
  urls[1 - others_place] = url;
  exo_session_set_addresses (f->session, urls, here);
}

static void
assert_is_at (Fixture *f, ScriptServer *server)
{
  g_autofree char *url = script_server_url (server, "");

  CU_ASSERT_STRING_EQUAL (exo_session_base_url (f->session), url);
}

static void
the_fastest_address_is_asked_wherever_it_stands (void)
{
  static const Answer answers[] = { { HELLO "{}\n", SCRIPT_STALL } };

  for (guint place = 0; place < 2; place++)
    {
      Fixture f;

      setup (&f, answers, G_N_ELEMENTS (answers));
      set_two_ways (&f, place, place == 0 ? 1000 : 10, place == 0 ? 10 : 1000);
      subscribe (&f, OID_A, NULL);
      wait_until (&f.n_up, 1);
      assert_is_at (&f, f.other);
      CU_ASSERT_EQUAL (f.move, EXO_SESSION_STAYED);
      CU_ASSERT_EQUAL (exo_session_way (f.session)->here.interface, place + 1);
      CU_ASSERT_EQUAL (settle (&f), 0);
      teardown (&f);
    }
}

static void
what_the_neighbour_says_of_its_cards_counts (void)
{
  g_autofree char *hello = NULL;
  Answer answers[] = { { NULL, SCRIPT_STALL } };
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  set_two_ways (&f, 1, 1000, 1000);
  answers[0].text = hello =
      g_strdup_printf ("{\"v\":1,\"id\":\"" PEER "\",\"addresses\":[[\"127.0.0.1:%u\",10],"
                       "[\"127.0.0.1:%u\",1000]]}\n{}\n",
                       script_server_port (f.server), script_server_port (f.other));
  subscribe (&f, OID_A, NULL);
  wait_until (&f.n_up, 2);
  assert_is_at (&f, f.other);
  CU_ASSERT_EQUAL (f.move, EXO_SESSION_MOVED);
  CU_ASSERT_EQUAL (f.n_down, 0);
  teardown (&f);
}

static void
an_address_that_falls_silent_is_left_for_another (void)
{
  static const Answer answers[] = { { HELLO "{}\n", SCRIPT_STALL } };
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  set_times (&f, NEVER_MS, NEVER_MS, G_MAXINT64);
  set_two_ways (&f, 1, 1000, 10);
  subscribe (&f, OID_A, NULL);
  wait_until (&f.n_line, 1);
  assert_is_at (&f, f.server);
  exo_session_set_times (
      f.session, &(ExoSessionTimes){ NEVER_MS, NEVER_MS, NEVER_MS, G_MAXINT64, 1, NEVER_MS });
  exo_session_retry_now (f.session); /* looks */
  wait_until (&f.n_up, 2);
  assert_is_at (&f, f.other);
  CU_ASSERT_EQUAL (f.move, EXO_SESSION_FLED);
  CU_ASSERT_EQUAL (f.n_down, 0);
  CU_ASSERT_EQUAL (exo_session_n_failures (f.session), 0);
  teardown (&f);
}

/* Both are the same server, but they look like the two addresses of one card. */
static void
the_other_family_on_the_same_card_is_no_other_way (void)
{
  static const Answer answers[] = { { HELLO "{}\n", SCRIPT_STALL } };
  const ExoWayHere here[] = { { 1, TRUE, FALSE, 10 }, { 1, TRUE, FALSE, 10 } };
  g_autofree char *v4 = NULL, *v6 = NULL;
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  v4 = script_server_url (f.server, "");
  v6 = g_strdup_printf ("http://[::ffff:127.0.0.1]:%u", script_server_port (f.server));
  exo_session_set_times (f.session,
                         &(ExoSessionTimes){ NEVER_MS, NEVER_MS, 100, G_MAXINT64, 1, NEVER_MS });
  exo_session_set_addresses (f.session, (const char *const[]){ v4, v6, NULL }, here);
  subscribe (&f, OID_A, NULL);
  wait_until (&f.n_down, 1);
  CU_ASSERT_EQUAL (settle (&f), 1);
  teardown (&f);
}

static void
a_better_address_is_gone_back_to (void)
{
  static const Answer answers[] = { { HELLO "{}\n", SCRIPT_STALL } };
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  exo_session_set_times (f.session, &(ExoSessionTimes){ 1, 1, NEVER_MS, G_MAXINT64, NEVER_MS, 1 });
  f.other_refuses = 3;
  set_two_ways (&f, 1, 10, 1000);
  subscribe (&f, OID_A, NULL);
  wait_until (&f.n_up, 2);
  CU_ASSERT_EQUAL (f.n_down, 1); /* the first attempt was at the better one */
  assert_is_at (&f, f.other);
  CU_ASSERT_EQUAL (f.move, EXO_SESSION_MOVED);
  CU_ASSERT_EQUAL (script_server_n_requests (f.other), 4);
  CU_ASSERT_EQUAL (exo_session_n_failures (f.session), 0);
  teardown (&f);
}

/* The cable was pulled and Wi-Fi leads to the same address: the connection over the cable leads nowhere. */
static void
another_interface_to_the_same_address_is_another_way (void)
{
  static const Answer answers[] = { { HELLO "{}\n", SCRIPT_STALL } };
  const ExoWayHere cable = { 1, TRUE, FALSE, 1000 }, wifi = { 2, TRUE, TRUE, 0 };
  g_autofree char *url = NULL;
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  url = script_server_url (f.server, "");
  exo_session_set_addresses (f.session, (const char *const[]){ url, NULL }, &cable);
  subscribe (&f, OID_A, NULL);
  wait_until (&f.n_line, 1);
  exo_session_set_addresses (f.session, (const char *const[]){ url, NULL }, &cable);
  CU_ASSERT_EQUAL (settle (&f), 1); /* nothing is new */
  exo_session_set_addresses (f.session, (const char *const[]){ url, NULL }, &wifi);
  wait_until (&f.n_up, 2);
  CU_ASSERT_EQUAL (f.move, EXO_SESSION_FLED);
  CU_ASSERT_EQUAL (f.n_down, 0);
  teardown (&f);
}

static void
another_subscription_takes_over_when_its_stream_speaks (void)
{
  static const Answer answers[] = { { HELLO "{}\n", SCRIPT_STALL },
                                    { HELLO "{}\n", SCRIPT_STALL } };
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  subscribe (&f, OID_A, NULL);
  wait_until (&f.n_line, 1);
  subscribe (&f, OID_B, NULL);
  CU_ASSERT_TRUE (exo_session_is_up (f.session));
  CU_ASSERT_FALSE (exo_session_is_current (f.session));
  CU_ASSERT_STRING_EQUAL (exo_session_oid (f.session, 0), OID_A);
  wait_until (&f.n_line, 2);
  CU_ASSERT_EQUAL (f.n_up, 2);
  CU_ASSERT_EQUAL (f.n_down, 0);
  CU_ASSERT_STRING_EQUAL (exo_session_oid (f.session, 0), OID_B);
  CU_ASSERT_TRUE (exo_session_is_current (f.session));
  teardown (&f);
}

static void
another_subscription_that_fails_leaves_the_stream_alone (void)
{
  static const Answer answers[] = { { HELLO "{}\n", SCRIPT_STALL },
                                    { "nonsense\n", SCRIPT_CLOSE },
                                    { HELLO "{}\n", SCRIPT_STALL } };
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  set_times (&f, 1, NEVER_MS, G_MAXINT64);
  subscribe (&f, OID_A, NULL);
  wait_until (&f.n_line, 1);
  subscribe (&f, OID_B, NULL);
  wait_until (&f.n_line, 2);
  CU_ASSERT_EQUAL (script_server_n_requests (f.server), 3);
  CU_ASSERT_EQUAL (f.n_down, 0);
  CU_ASSERT_STRING_EQUAL (exo_session_oid (f.session, 0), OID_B);
  teardown (&f);
}

static void
with_nothing_to_ask_there_is_no_stream (void)
{
  static const Answer answers[] = { { HELLO "{}\n", SCRIPT_STALL } };
  Fixture f;

  setup (&f, answers, G_N_ELEMENTS (answers));
  subscribe (&f, OID_A, NULL);
  wait_until (&f.n_line, 1);
  subscribe (&f, NULL, NULL);
  CU_ASSERT_EQUAL (f.n_down, 1);
  CU_ASSERT_TRUE (g_error_matches (f.error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED));
  CU_ASSERT_EQUAL (exo_session_n_failures (f.session), 0);
  CU_ASSERT_FALSE (exo_session_is_up (f.session));
  CU_ASSERT_TRUE (exo_session_is_current (f.session));
  exo_session_retry_now (f.session);
  exo_session_start_over (f.session);
  CU_ASSERT_EQUAL (settle (&f), 1);
  CU_ASSERT_EQUAL (f.n_down, 1);
  teardown (&f);
}

static void
it_may_go_from_within_any_callback (void)
{
  static const Answer answers[] = { { HELLO "{}\n{}\n{\"have\":[[0,0,1]]}\n", SCRIPT_CLOSE } };
  static const struct
  {
    Moment moment;
    guint n_up, n_line, n_down;
  } rows[] = { { AT_UP, 1, 0, 0 }, { AT_LINE, 1, 1, 0 }, { AT_DOWN, 1, 3, 1 } };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      Fixture f;

      setup (&f, answers, G_N_ELEMENTS (answers));
      set_times (&f, 1, NEVER_MS, G_MAXINT64);
      f.free_at = rows[i].moment;
      subscribe (&f, OID_A, NULL);
      while (f.session != NULL)
        g_main_context_iteration (NULL, TRUE);
      CU_ASSERT_EQUAL (settle (&f), 1);
      CU_ASSERT_EQUAL (f.n_up, rows[i].n_up);
      CU_ASSERT_EQUAL (f.n_line, rows[i].n_line);
      CU_ASSERT_EQUAL (f.n_down, rows[i].n_down);
      teardown (&f);
    }
}

EXO_SUITE ("session",
           TEST (lines_come_in_order_after_the_hello),
           TEST (what_must_not_be_said_ends_the_stream),
           TEST (an_answer_that_is_no_success_is_no_stream),
           TEST (a_silent_neighbour_is_given_up_and_asked_again),
           TEST (waits_double_up_to_a_limit),
           TEST (who_breaks_off_time_after_time_is_asked_ever_more_rarely),
           TEST (who_breaks_off_time_after_time_is_not_asked_at_once),
           TEST (one_stream_that_broke_off_is_no_habit),
           TEST (what_was_good_for_long_enough_counts_when_more_is_asked),
           TEST (an_address_that_does_not_answer_is_followed_by_the_next),
           TEST (the_fastest_address_is_asked_wherever_it_stands),
           TEST (what_the_neighbour_says_of_its_cards_counts),
           TEST (an_address_that_falls_silent_is_left_for_another),
           TEST (the_other_family_on_the_same_card_is_no_other_way),
           TEST (a_better_address_is_gone_back_to),
           TEST (another_interface_to_the_same_address_is_another_way),
           TEST (another_subscription_takes_over_when_its_stream_speaks),
           TEST (another_subscription_that_fails_leaves_the_stream_alone),
           TEST (with_nothing_to_ask_there_is_no_stream),
           TEST (it_may_go_from_within_any_callback))
