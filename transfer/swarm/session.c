/* session.c - see session.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/swarm/session.h"

#include <string.h>

#include "transfer/error.h"
#include "transfer/swarm/session-private.h"

#define CONNECT_TIMEOUT_MS 2000

/* A stream counts as a good one a little before silence can end it, so that a pulled cable is never held against a node. */
const ExoSessionTimes exo_session_usual_times = {
  .retry_first_ms = 500,
  .retry_max_ms = 8000,
  .silence_ms = EXO_WIRE_SILENCE_S * 1000,
  .lasted_us = (EXO_WIRE_SILENCE_S - 1) * G_USEC_PER_SEC,
};

/* One POST and what it asked about: the indices of its lines stay valid as long as it lives. */
typedef struct
{
  ExoSession *session;
  ExoFetch *fetch;
  char *base_url;  /* the address it goes to */
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
  GStrv base_urls;
  guint url;       /* which of them is in use */
  Stream *live;    /* has said hello */
  Stream *next;    /* on its way, takes over when it says hello */
  char *body;      /* the latest subscription; NULL: nothing to ask */
  GPtrArray *oids; /* of body */
  GArray *sizes;
  ExoSessionTimes times;
  gint64 up_since_us; /* monotonic; while live */
  guint n_short;      /* streams in a row that said hello and did not last */
  guint n_failures;
  guint retry_source;
};

static void open_stream (ExoSession *session);

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
  open_stream (session);
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
    {
      if (session->live == NULL)
        session->up_since_us = g_get_monotonic_time ();
      stream_abandon (session->live);
      session->live = stream;
      session->next = NULL;
      session->n_failures = breaks_off (session) ? session->n_short : 0;
    }
  session->callbacks.up (session, hello, session->user_data);
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
  if (line->hello != NULL)
    on_hello (stream, line->hello);
  else
    session->callbacks.line (session, line, session->user_data);
}

static void
count_failure (Stream *stream)
{
  ExoSession *session = stream->session;

  if (stream == session->live)
    {
      session->n_short = has_lasted (session) ? 0 : session->n_short + 1;
      session->live = NULL;
      session->n_failures = MAX (session->n_short, 1);
    }
  else
    {
      session->next = NULL;
      session->url++; /* this address did not answer: the next one, next time */
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
  if (session->next == NULL)
    retry_later (session);
  if (session->live == NULL)
    session->callbacks.down (session, ended, session->user_data);
}

static void
open_stream (ExoSession *session)
{
  static const ExoFetchCallbacks callbacks = { .line = on_line, .done = on_done };
  static const char *const headers[] = { "Content-Type: application/json", NULL };
  g_autofree char *url = NULL;
  g_autoptr (GBytes) body = NULL;
  guint n = session->base_urls != NULL ? g_strv_length (session->base_urls) : 0;
  const char *base = n > 0 ? session->base_urls[session->url % n] : NULL;
  Stream *stream;

  g_clear_handle_id (&session->retry_source, g_source_remove);
  stream_abandon (g_steal_pointer (&session->next));
  if (base == NULL || session->body == NULL)
    return;
  url = g_strconcat (base, "/v1/swarm", NULL);
  body = g_bytes_new (session->body, strlen (session->body));
  stream = g_new0 (Stream, 1);
  stream->session = session;
  stream->base_url = g_strdup (base);
  stream->oids = g_ptr_array_ref (session->oids);
  stream->sizes = g_array_ref (session->sizes);
  session->next = stream;
  stream->fetch = exo_fetcher_start (session->fetcher,
                                     &(ExoFetchRequest){
                                         .mode = EXO_FETCH_LINES,
                                         .method = "POST",
                                         .url = url,
                                         .headers = headers,
                                         .body = body,
                                         .lan = TRUE,
                                         .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                         .stall_timeout_ms = session->times.silence_ms,
                                         .max_body = EXO_WIRE_LINE_MAX,
                                     },
                                     &callbacks, stream);
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
  g_strfreev (session->base_urls);
  g_free (session->body);
  g_free (session->peer_id);
  g_free (session);
}

void
exo_session_set_addresses (ExoSession *session, const char *const *base_urls)
{
  if (session->base_urls != NULL &&
      g_strv_equal ((const char *const *) session->base_urls, base_urls))
    return;
  g_strfreev (session->base_urls);
  session->base_urls = g_strdupv ((char **) base_urls);
  session->url = 0;
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
    open_stream (session);
}

void
exo_session_retry_now (ExoSession *session)
{
  if (session->live != NULL || session->next != NULL || session->body == NULL ||
      breaks_off (session))
    return;
  open_stream (session);
}

void
exo_session_start_over (ExoSession *session)
{
  if (session->live != NULL || session->body == NULL || breaks_off (session))
    return;
  session->n_failures = 0;
  open_stream (session);
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
  return session->live != NULL && session->next == NULL && session->live->lines >= 2 &&
         session->live->oids == session->oids;
}

const char *
exo_session_base_url (ExoSession *session)
{
  return session->live != NULL ? session->live->base_url : NULL;
}

const char *
exo_session_oid (ExoSession *session, guint32 b)
{
  if (session->live == NULL || b >= session->live->oids->len)
    return NULL;
  return g_ptr_array_index (session->live->oids, b);
}
