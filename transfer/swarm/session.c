/* session.c - see session.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/swarm/session.h"

#include <string.h>

#include "transfer/error.h"
#include "transfer/swarm/session-private.h"

#define CONNECT_TIMEOUT_MS 2000
/* When the address in use has fallen silent: the next one gets its chance before the peer counts as gone. */
#define RESCUE_TIMEOUT_MS 1000

/* A stream counts as a good one a little before silence can end it, so that a pulled cable is never held against a node. */
const ExoSessionTimes exo_session_usual_times = {
  .retry_first_ms = 500,
  .retry_max_ms = 8000,
  .silence_ms = EXO_WIRE_SILENCE_S * 1000,
  .lasted_us = (EXO_WIRE_SILENCE_S - 1) * G_USEC_PER_SEC,
  .quiet_ms = 2300, /* lines are some 2 s apart at the most */
  .aside_ms = 1000,
};

/* The way comes first, so that a list of these is one of ways. */
typedef struct
{
  ExoWay way;
  char *base_url;
} Address;

/* One POST and what it asked about: the indices of its lines stay valid as long as it lives. */
typedef struct
{
  ExoSession *session;
  ExoFetch *fetch;
  char *base_url;  /* the address it goes to */
  guint interface; /* by which that was reached then */
  gint64 heard_us; /* the last line, or its beginning */
  gboolean lost;   /* nothing comes any more: another address is looked for */
  gboolean rescue; /* on its way because the live one is lost */
  GPtrArray *oids; /* owned strings, by b */
  GArray *sizes;   /* guint64, by b */
  guint lines;   /* seen so far: 1 is the hello, 2 ends the snapshot of a peer that knows little */
  GError *fault; /* why it was cancelled from this side */
} Stream;

struct ExoSession
{
  ExoFetcher *fetcher;
  char *peer_id;
  ExoSessionCallbacks callbacks;
  gpointer user_data;
  GPtrArray *addresses; /* Address, owned */
  char *last_url;       /* that answered last */
  ExoSessionMove move;
  gint64 moved_us; /* to a better address; 0: never */
  Stream *live;    /* has said hello */
  Stream *next;    /* on its way, takes over when it says hello */
  char *body;      /* the latest subscription; NULL: nothing to ask */
  GPtrArray *oids; /* of body */
  GArray *sizes;
  ExoSessionTimes times;
  gint64 up_since_us; /* monotonic; while live */
  guint n_short;      /* streams in a row that said hello and did not last */
  guint n_failures;
  guint retry_source, look_source;
};

static void open_best (ExoSession *session);
static void look (ExoSession *session);

static void
address_free (gpointer data)
{
  g_free (((Address *) data)->base_url);
  g_free (data);
}

static guint
index_of (const ExoSession *session, const char *base_url)
{
  guint i = 0;

  while (i < session->addresses->len &&
         strcmp (((Address *) g_ptr_array_index (session->addresses, i))->base_url, base_url) != 0)
    i++;
  return i;
}

static Address *
find_address (const ExoSession *session, const char *base_url)
{
  guint i = index_of (session, base_url);

  return i < session->addresses->len ? g_ptr_array_index (session->addresses, i) : NULL;
}

static ExoWay *
find_way (const ExoSession *session, const char *base_url)
{
  Address *address = find_address (session, base_url);

  return address != NULL ? &address->way : NULL;
}

static const ExoWay *const *
all_ways (const ExoSession *session)
{
  return (const ExoWay *const *) session->addresses->pdata;
}

static void
stream_free (Stream *stream)
{
  g_ptr_array_unref (stream->oids);
  g_array_unref (stream->sizes);
  g_clear_error (&stream->fault);
  g_free (stream->base_url);
  g_free (stream);
}

/* The stream is no longer the session's; its done callback frees it. */
static void
stream_abandon (Stream *stream)
{
  if (stream == NULL)
    return;
  stream->session = NULL;
  exo_fetch_cancel (stream->fetch);
}

static gboolean
on_retry (gpointer user_data)
{
  ExoSession *session = user_data;

  session->retry_source = 0;
  open_best (session);
  return G_SOURCE_REMOVE;
}

guint
exo_session_retry_ms (const ExoSessionTimes *times, guint n_failures)
{
  guint64 wait = (guint64) times->retry_first_ms << MIN (n_failures - 1, 16u);

  return (guint) MIN (wait, times->retry_max_ms);
}

static void
retry_later (ExoSession *session)
{
  if (session->retry_source == 0 && session->body != NULL)
    session->retry_source = g_timeout_add (
        exo_session_retry_ms (&session->times, session->n_failures), on_retry, session);
}

/* It answers and breaks off, time after time: that it is there is no news. Once may be an agent that was started anew. */
static gboolean
breaks_off (const ExoSession *session)
{
  return session->n_short > 1;
}

static gboolean
has_lasted (const ExoSession *session)
{
  return session->live != NULL &&
         g_get_monotonic_time () - session->up_since_us >= session->times.lasted_us;
}

/* "http://[fe80::1%25eth0]:52418" is what the neighbour calls "[fe80::1]:52418" */
static gboolean
is_called (const char *base_url, const char *text)
{
  const char *host = base_url + strlen ("http://"), *scope = strchr (host, '%');
  gsize n = scope != NULL ? (gsize) (scope - host) : strlen (host);

  return strncmp (host, text, n) == 0 &&
         strcmp (text + n, scope != NULL ? scope + strcspn (scope, "]") : "") == 0;
}

static guint64
said_of (const ExoWireHello *hello, const char *base_url)
{
  for (guint i = 0; hello->addresses != NULL && i < hello->addresses->len; i++)
    {
      const ExoWireAddress *said = &g_array_index (hello->addresses, ExoWireAddress, i);

      if (is_called (base_url, said->text))
        return said->speed;
    }
  return EXO_WAY_UNSAID;
}

static void
note_hello (ExoSession *session, const ExoWireHello *hello)
{
  ExoWay *way = find_way (session, session->live->base_url);

  if (way != NULL)
    exo_way_works (way, g_get_monotonic_time ());
  for (guint i = 0; i < session->addresses->len; i++)
    {
      Address *address = g_ptr_array_index (session->addresses, i);
      address->way.there = said_of (hello, address->base_url);
    }
}

/* @former: (nullable): the stream before it */
static ExoSessionMove
how_moved (const ExoSession *session, const Stream *former, const Stream *stream)
{
  gboolean elsewhere =
      session->last_url != NULL && strcmp (session->last_url, stream->base_url) != 0;

  if (former != NULL && former->lost)
    return EXO_SESSION_FLED;
  if (!elsewhere)
    return EXO_SESSION_STAYED;
  return former != NULL ? EXO_SESSION_MOVED : EXO_SESSION_FLED;
}

static void
take_over (ExoSession *session, Stream *stream)
{
  gint64 now_us = g_get_monotonic_time ();

  if (session->live == NULL)
    session->up_since_us = now_us;
  session->move = how_moved (session, session->live, stream);
  if (session->move == EXO_SESSION_MOVED)
    session->moved_us = now_us;
  stream_abandon (session->live);
  session->live = stream;
  session->next = NULL;
  stream->rescue = FALSE;
  session->n_failures = breaks_off (session) ? session->n_short : 0;
  g_free (session->last_url);
  session->last_url = g_strdup (stream->base_url);
}

static void
on_hello (Stream *stream, const ExoWireHello *hello)
{
  ExoSession *session = stream->session;

  if (strcmp (hello->id, session->peer_id) != 0)
    {
      stream->fault = g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                                   "another node (%s) answers at %s", hello->id, stream->base_url);
      exo_fetch_cancel (stream->fetch);
      return;
    }
  if (stream == session->next)
    take_over (session, stream);
  note_hello (session, hello);
  look (session);
  session->callbacks.up (session, hello, session->user_data);
}

static void
hear (Stream *stream)
{
  ExoSession *session = stream->session;
  ExoWay *way;

  stream->heard_us = g_get_monotonic_time ();
  if (!stream->lost)
    return;
  stream->lost = FALSE;
  way = find_way (session, stream->base_url);
  if (way != NULL)
    {
      stream->interface = way->here.interface;
      exo_way_works (way, stream->heard_us);
    }
  if (session->next != NULL && session->next->rescue)
    stream_abandon (g_steal_pointer (&session->next));
  look (session);
}

static void
on_line (ExoFetch *fetch, const char *text, gsize length, gpointer user_data)
{
  Stream *stream = user_data;
  ExoSession *session = stream->session;
  g_autoptr (ExoWireLine) line = NULL;

  if (session == NULL || stream->fault != NULL)
    return;
  line = exo_wire_line_parse (text, length, (const guint64 *) (gpointer) stream->sizes->data,
                              stream->sizes->len, &stream->fault);
  if (line == NULL || (stream->lines == 0) != (line->hello != NULL))
    {
      if (stream->fault == NULL)
        g_set_error_literal (&stream->fault, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                             "its event stream does not begin with a single hello");
      exo_fetch_cancel (fetch);
      return;
    }
  stream->lines = MIN (stream->lines + 1, 2);
  hear (stream);
  if (line->hello != NULL)
    on_hello (stream, line->hello);
  else
    session->callbacks.line (session, line, session->user_data);
}

/* What is asked for is being answered. */
static gboolean
is_served (const ExoSession *session)
{
  return session->live != NULL && session->live->oids == session->oids;
}

static void
count_failure (Stream *stream)
{
  ExoSession *session = stream->session;
  ExoWay *way = find_way (session, stream->base_url);

  if (stream == session->live)
    {
      session->n_short = has_lasted (session) ? 0 : session->n_short + 1;
      session->live = NULL;
      session->n_failures = MAX (session->n_short, 1);
    }
  else
    {
      session->next = NULL;
      if (way != NULL) /* another one, next time */
        exo_way_failed (way, session->times.aside_ms * (gint64) 1000, g_get_monotonic_time ());
      if (!is_served (session)) /* otherwise it was but a try for a better address */
        session->n_failures++;
    }
}

static void
on_done (ExoFetch *fetch, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  Stream *stream = user_data;
  ExoSession *session = stream->session;
  g_autoptr (GError) ended = NULL;

  if (session == NULL)
    {
      stream_free (stream);
      return;
    }
  if (stream->fault != NULL)
    ended = g_error_copy (stream->fault);
  else if (error != NULL)
    ended = g_error_copy (error);
  else
    ended = g_error_new_literal (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                                 "it closed the event stream");

  count_failure (stream);
  stream_free (stream);
  if (session->next == NULL && !is_served (session))
    retry_later (session);
  look (session);
  if (session->live == NULL)
    session->callbacks.down (session, ended, session->user_data);
}

static void
open_stream (ExoSession *session, guint index)
{
  static const ExoFetchCallbacks callbacks = { .line = on_line, .done = on_done };
  static const char *const headers[] = { "Content-Type: application/json", NULL };
  g_autofree char *url = NULL;
  g_autoptr (GBytes) body = NULL;
  const Address *address = g_ptr_array_index (session->addresses, index);
  Stream *stream;

  g_clear_handle_id (&session->retry_source, g_source_remove);
  stream_abandon (g_steal_pointer (&session->next));
  url = g_strconcat (address->base_url, "/v1/swarm", NULL);
  body = g_bytes_new (session->body, strlen (session->body));
  stream = g_new0 (Stream, 1);
  stream->session = session;
  stream->base_url = g_strdup (address->base_url);
  stream->interface = address->way.here.interface;
  stream->heard_us = g_get_monotonic_time ();
  stream->rescue = session->live != NULL && session->live->lost;
  stream->oids = g_ptr_array_ref (session->oids);
  stream->sizes = g_array_ref (session->sizes);
  session->next = stream;
  stream->fetch = exo_fetcher_start (
      session->fetcher,
      &(ExoFetchRequest){
          .mode = EXO_FETCH_LINES,
          .method = "POST",
          .url = url,
          .headers = headers,
          .body = body,
          .lan = TRUE,
          .connect_timeout_ms = stream->rescue ? RESCUE_TIMEOUT_MS : CONNECT_TIMEOUT_MS,
          .stall_timeout_ms = session->times.silence_ms,
          .max_body = EXO_WIRE_LINE_MAX,
      },
      &callbacks, stream);
}

/* More is asked where the stream is as a rule: better addresses are another matter. */
static void
open_best (ExoSession *session)
{
  gint64 now_us = g_get_monotonic_time ();
  const ExoWay *way = session->live != NULL ? find_way (session, session->live->base_url) : NULL;

  if (session->body == NULL || session->addresses->len == 0)
    return;
  if (way != NULL && !session->live->lost && way->retry_at_us <= now_us)
    open_stream (session, index_of (session, session->live->base_url));
  else
    open_stream (session, exo_ways_pick (all_ways (session), session->addresses->len, now_us));
}

/* --- another address ----------------------------------------------------------------------------- */

static gboolean
is_v6 (const Address *address)
{
  return strchr (address->base_url, '[') != NULL;
}

/* A network card as a rule has one address of each family: what is silent at the one is at the other. */
static gboolean
shares_cable (const Address *a, const Address *b)
{
  return a == b || (a->way.here.interface == b->way.here.interface && is_v6 (a) != is_v6 (b));
}

/* There is another cable to try. */
static gboolean
has_choice (const ExoSession *session, const Address *used)
{
  for (guint i = 0; used != NULL && i < session->addresses->len; i++)
    if (!shares_cable (used, g_ptr_array_index (session->addresses, i)))
      return TRUE;
  return FALSE;
}

static void
set_aside (ExoSession *session, const Address *used, gint64 now_us)
{
  for (guint i = 0; i < session->addresses->len; i++)
    {
      Address *address = g_ptr_array_index (session->addresses, i);

      if (shares_cable (used, address))
        exo_way_failed (&address->way, session->times.aside_ms * (gint64) 1000, now_us);
    }
}

/* Its interface went, or another one leads there now: then its connection leads nowhere. */
static gboolean
is_cut_off (const Stream *stream, const Address *address)
{
  return address != NULL && address->way.here.interface != stream->interface;
}

static gint64
quiet_at (const ExoSession *session)
{
  return session->live->heard_us + session->times.quiet_ms * (gint64) 1000;
}

static void
check_live (ExoSession *session, gint64 now_us)
{
  Stream *live = session->live;
  const Address *address = find_address (session, live->base_url);

  if (live->lost)
    return;
  if (is_cut_off (live, address))
    live->lost = TRUE;
  else if (has_choice (session, address) && now_us >= quiet_at (session))
    {
      live->lost = TRUE;
      set_aside (session, address, now_us);
    }
}

/* Returns: when to look again */
static gint64
rescue (ExoSession *session, gint64 now_us)
{
  guint i = exo_ways_pick (all_ways (session), session->addresses->len, now_us);

  if (session->next != NULL &&
      (session->next->rescue || strcmp (session->next->base_url, session->live->base_url) != 0))
    {
      session->next->rescue = TRUE;
      return G_MAXINT64; /* its end will be heard */
    }
  if (all_ways (session)[i]->retry_at_us > now_us)
    return all_ways (session)[i]->retry_at_us;
  open_stream (session, i);
  return G_MAXINT64;
}

/* Likewise. Not one better address after the other: measuring might send it round in circles. */
static gint64
improve (ExoSession *session, gint64 now_us)
{
  guint n = session->addresses->len, current = index_of (session, session->live->base_url), i;
  gint64 at_us, not_before_us = session->moved_us + EXO_WAY_STEADY_US;

  if (session->next != NULL || n < 2)
    return G_MAXINT64;
  if (session->moved_us != 0 && now_us < not_before_us)
    return not_before_us;
  i = current < n ? exo_ways_better (all_ways (session), n, current, now_us, &at_us)
                  : exo_ways_pick (all_ways (session), n, now_us);
  if (i == n)
    return at_us;
  open_stream (session, i);
  return G_MAXINT64;
}

static gboolean
on_look (gpointer user_data)
{
  ExoSession *session = user_data;

  session->look_source = 0;
  look (session);
  return G_SOURCE_REMOVE;
}

/* Whether the address in use still answers, and whether a better one may. */
static void
look (ExoSession *session)
{
  gint64 now_us = g_get_monotonic_time (), at_us;

  g_clear_handle_id (&session->look_source, g_source_remove);
  if (session->live == NULL || session->body == NULL || session->addresses->len == 0)
    return;
  check_live (session, now_us);
  if (session->live->lost)
    at_us = rescue (session, now_us);
  else
    {
      at_us = improve (session, now_us);
      if (has_choice (session, find_address (session, session->live->base_url)))
        at_us = MIN (at_us, quiet_at (session));
    }
  if (at_us != G_MAXINT64)
    session->look_source =
        g_timeout_add ((guint) CLAMP ((at_us - now_us) / 1000 + 1, 1, G_MAXINT), on_look, session);
}

ExoSession *
exo_session_new (ExoFetcher *fetcher,
                 const char *peer_id,
                 const ExoSessionCallbacks *callbacks,
                 gpointer user_data)
{
  ExoSession *session = g_new0 (ExoSession, 1);

  session->fetcher = fetcher;
  session->peer_id = g_strdup (peer_id);
  session->callbacks = *callbacks;
  session->user_data = user_data;
  session->times = exo_session_usual_times;
  session->addresses = g_ptr_array_new_with_free_func (address_free);
  session->oids = g_ptr_array_new_with_free_func (g_free);
  session->sizes = g_array_new (FALSE, FALSE, sizeof (guint64));
  return session;
}

void
exo_session_set_times (ExoSession *session, const ExoSessionTimes *times)
{
  session->times = *times;
}

static void
close_streams (ExoSession *session)
{
  g_clear_handle_id (&session->retry_source, g_source_remove);
  g_clear_handle_id (&session->look_source, g_source_remove);
  stream_abandon (g_steal_pointer (&session->next));
  stream_abandon (g_steal_pointer (&session->live));
}

void
exo_session_free (ExoSession *session)
{
  if (session == NULL)
    return;
  close_streams (session);
  g_ptr_array_unref (session->oids);
  g_array_unref (session->sizes);
  g_ptr_array_unref (session->addresses);
  g_free (session->last_url);
  g_free (session->body);
  g_free (session->peer_id);
  g_free (session);
}

static gboolean
is_same_here (const ExoWayHere *a, const ExoWayHere *b)
{
  return a->interface == b->interface && a->running == b->running && a->wireless == b->wireless &&
         a->speed == b->speed;
}

void
exo_session_set_addresses (ExoSession *session,
                           const char *const *base_urls,
                           const ExoWayHere *here)
{
  g_autoptr (GPtrArray) addresses = g_ptr_array_new_with_free_func (address_free);

  for (guint i = 0; base_urls[i] != NULL; i++)
    {
      Address *address = g_new0 (Address, 1);
      const ExoWay *before = find_way (session, base_urls[i]);

      address->base_url = g_strdup (base_urls[i]);
      if (here != NULL)
        address->way.here = here[i];
      address->way.there = before != NULL ? before->there : EXO_WAY_UNSAID;
      if (before != NULL && is_same_here (&before->here, &address->way.here))
        address->way = *before;
      g_ptr_array_add (addresses, address);
    }
  g_ptr_array_unref (session->addresses);
  session->addresses = g_steal_pointer (&addresses);
  look (session);
}

/* What comes next may be another time of day on the same cable. */
static void
forget_rates (ExoSession *session)
{
  for (guint i = 0; i < session->addresses->len; i++)
    ((Address *) g_ptr_array_index (session->addresses, i))->way.rate = 0;
}

void
exo_session_measured (ExoSession *session, guint64 rate)
{
  ExoWay *way = session->live != NULL ? find_way (session, session->live->base_url) : NULL;

  if (way != NULL)
    way->rate = MAX (way->rate, rate);
}

void
exo_session_subscribe (ExoSession *session, const ExoWireHello *subscription)
{
  g_ptr_array_unref (session->oids);
  g_array_unref (session->sizes);
  session->oids = g_ptr_array_new_with_free_func (g_free);
  session->sizes = g_array_new (FALSE, FALSE, sizeof (guint64));
  g_clear_pointer (&session->body, g_free);
  for (guint i = 0; i < subscription->blobs->len; i++)
    {
      const ExoWireBlob *blob = &g_array_index (subscription->blobs, ExoWireBlob, i);
      g_ptr_array_add (session->oids, g_strdup (blob->oid));
      g_array_append_val (session->sizes, blob->size);
    }
  if (subscription->blobs->len == 0)
    {
      gboolean was_up = session->live != NULL;
      g_autoptr (GError) done = g_error_new_literal (
          EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED, "nothing more to ask");

      close_streams (session);
      forget_rates (session);
      session->n_failures = 0;
      if (was_up)
        session->callbacks.down (session, done, session->user_data);
      return;
    }
  session->body = exo_wire_subscribe_to_json (subscription);
  if (has_lasted (session) && session->n_short > 0)
    session->n_short = session->n_failures = 0;
  /* Otherwise it is what the next attempt asks. */
  if (session->retry_source == 0 || !breaks_off (session))
    open_best (session);
}

/* No address is left alone any longer. */
static void
forget_failures (ExoSession *session)
{
  for (guint i = 0; i < session->addresses->len; i++)
    {
      Address *address = g_ptr_array_index (session->addresses, i);
      address->way.retry_at_us = 0;
      address->way.n_failures = 0;
    }
}

void
exo_session_retry_now (ExoSession *session)
{
  forget_failures (session);
  if (session->live != NULL)
    look (session);
  else if (session->next == NULL && !breaks_off (session))
    open_best (session);
}

void
exo_session_start_over (ExoSession *session)
{
  if (session->live != NULL || session->body == NULL || breaks_off (session))
    return;
  session->n_failures = 0;
  forget_failures (session);
  open_best (session);
}

gboolean
exo_session_is_asking (ExoSession *session)
{
  return session->body != NULL;
}

gboolean
exo_session_is_up (ExoSession *session)
{
  return session->live != NULL;
}

guint
exo_session_n_failures (ExoSession *session)
{
  return session->n_failures;
}

gboolean
exo_session_is_current (ExoSession *session)
{
  if (session->body == NULL)
    return TRUE;
  return is_served (session) && session->live->lines >= 2;
}

const char *
exo_session_base_url (ExoSession *session)
{
  return session->live != NULL ? session->live->base_url : NULL;
}

const ExoWay *
exo_session_way (ExoSession *session)
{
  return session->live != NULL ? find_way (session, session->live->base_url) : NULL;
}

ExoSessionMove
exo_session_move (ExoSession *session)
{
  return session->move;
}

const char *
exo_session_oid (ExoSession *session, guint32 b)
{
  if (session->live == NULL || b >= session->live->oids->len)
    return NULL;
  return g_ptr_array_index (session->live->oids, b);
}
