/* fetcher.c - the main thread's side of the fetcher
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "transfer/error.h"
#include "transfer/http/fetcher-private.h"

#define CONNECT_TIMEOUT_MS 10000u
#define STALL_TIMEOUT_MS   30000u

struct ExoFetcher
{
  guint ref_count; /* main thread: the owner, and a dispatch under way */
  GMainContext *context;
  char *user_agent;
  gboolean stopped;

  guint64 rate; /* of limited fetches; 0: any */

  /* From the first fetch on */
  GThread *thread;
  ExoFetchIoArgs io;

  GQueue
      delivering; /* main thread: ExoFetch, references; taken from news by the dispatch under way */

  GMutex lock;
  GQueue news;     /* ExoFetch, references */
  GSource *wakeup; /* (nullable): attached and not dispatched yet */
};

/* Fetches --------------------------------------------------------------------------------------- */

ExoFetch *
exo_fetch_ref (ExoFetch *fetch)
{
  g_atomic_ref_count_inc (&fetch->ref_count);
  return fetch;
}

static void
close_fd (ExoFetch *fetch)
{
  if (fetch->fd >= 0)
    close (fetch->fd);
  fetch->fd = -1;
}

void
exo_fetch_unref (ExoFetch *fetch)
{
  if (!g_atomic_ref_count_dec (&fetch->ref_count))
    return;
  close_fd (fetch);
  g_free (fetch->method);
  g_free (fetch->url);
  g_free (fetch->oid);
  g_strfreev (fetch->headers);
  g_clear_pointer (&fetch->body, g_bytes_unref);
  g_clear_pointer (&fetch->buffer, g_byte_array_unref);
  g_clear_pointer (&fetch->lines, g_byte_array_unref);
  g_clear_pointer (&fetch->result.headers, g_hash_table_unref);
  g_clear_pointer (&fetch->result.body, g_bytes_unref);
  g_clear_error (&fetch->error);
  g_free (fetch->gather);
  g_free (fetch);
}

static ExoFetch *
fetch_new (const ExoFetchRequest *request, const ExoFetchCallbacks *callbacks, gpointer user_data)
{
  ExoFetch *fetch = g_new0 (ExoFetch, 1);

  g_atomic_ref_count_init (&fetch->ref_count);
  fetch->callbacks = *callbacks;
  fetch->user_data = user_data;
  fetch->mode = request->mode;
  fetch->method = g_strdup (request->method);
  fetch->url = g_strdup (request->url);
  fetch->headers = g_strdupv ((char **) request->headers);
  fetch->body = request->body != NULL ? g_bytes_ref (request->body) : NULL;
  fetch->lan = request->lan;
  fetch->limited = request->limited;
  fetch->fresh = request->fresh;
  fetch->connect_timeout_ms =
      request->connect_timeout_ms != 0 ? request->connect_timeout_ms : CONNECT_TIMEOUT_MS;
  fetch->stall_timeout_ms =
      request->stall_timeout_ms != 0 ? request->stall_timeout_ms : STALL_TIMEOUT_MS;
  fetch->max_body = request->max_body;
  fetch->fd = -1;
  if (request->mode == EXO_FETCH_TO_FILE)
    {
      fetch->first = request->first;
      fetch->length = request->length;
      fetch->total = request->total;
      fetch->step = request->step;
      fetch->oid = g_strdup (request->oid);
      fetch->fd = fcntl (request->fd, F_DUPFD_CLOEXEC, 0);
    }
  fetch->started_us = g_get_monotonic_time ();
  fetch->result.headers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return fetch;
}

/* Reports: I/O thread to main thread -------------------------------------------------------------- */

static gboolean on_wakeup (gpointer user_data);

/* With the lock held. */
static void
queue_news (ExoFetcher *fetcher, ExoFetch *fetch)
{
  if (fetch->queued)
    return;
  fetch->queued = TRUE;
  g_queue_push_tail (&fetcher->news, exo_fetch_ref (fetch));
  if (fetcher->wakeup != NULL)
    return;
  fetcher->wakeup = g_idle_source_new ();
  g_source_set_priority (fetcher->wakeup, G_PRIORITY_DEFAULT);
  g_source_set_callback (fetcher->wakeup, on_wakeup, fetcher, NULL);
  g_source_attach (fetcher->wakeup, fetcher->context);
}

void
exo_fetch_tell_written (ExoFetch *fetch)
{
  ExoFetcher *fetcher = fetch->fetcher;

  g_mutex_lock (&fetcher->lock);
  fetch->told_written = fetch->result.n_written;
  queue_news (fetcher, fetch);
  g_mutex_unlock (&fetcher->lock);
}

gsize
exo_fetch_tell_line (ExoFetch *fetch, const char *line, gsize length)
{
  ExoFetcher *fetcher = fetch->fetcher;
  gsize waiting;

  g_mutex_lock (&fetcher->lock);
  if (fetch->lines == NULL)
    fetch->lines = g_byte_array_new ();
  g_byte_array_append (fetch->lines, (const guint8 *) line, (guint) length);
  g_byte_array_append (fetch->lines, (const guint8 *) "", 1);
  waiting = fetch->lines->len;
  queue_news (fetcher, fetch);
  g_mutex_unlock (&fetcher->lock);
  return waiting;
}

void
exo_fetch_tell_finished (ExoFetch *fetch)
{
  ExoFetcher *fetcher = fetch->fetcher;

  close_fd (fetch);
  g_mutex_lock (&fetcher->lock);
  fetch->finished = TRUE;
  queue_news (fetcher, fetch);
  g_mutex_unlock (&fetcher->lock);
}

/* Commands: main thread to I/O thread ------------------------------------------------------------- */

static void
send_command (ExoFetcher *fetcher, ExoFetchCommandKind kind, ExoFetch *fetch)
{
  ExoFetchCommand *command = g_new (ExoFetchCommand, 1);

  command->kind = kind;
  command->fetch = fetch != NULL ? exo_fetch_ref (fetch) : NULL;
  command->rate = fetcher->rate;
  g_async_queue_push (fetcher->io.commands, command);
  if (!g_atomic_int_exchange (&fetcher->io.woken, TRUE))
    eventfd_write (fetcher->io.wake_fd, 1);
}

/* Delivery ---------------------------------------------------------------------------------------- */

static void
deliver_lines (ExoFetch *fetch, GByteArray *lines)
{
  const char *line = (const char *) lines->data, *end = line + lines->len;

  while (line < end && !fetch->cancelled)
    {
      gsize length = strlen (line);

      if (fetch->callbacks.line != NULL)
        fetch->callbacks.line (fetch, line, length, fetch->user_data);
      line += length + 1;
    }
  if (lines->len > EXO_FETCH_LINES_PENDING)
    send_command (fetch->fetcher, EXO_FETCH_COMMAND_RESUME, fetch);
}

static void
deliver_done (ExoFetch *fetch)
{
  g_autoptr (GError) cancelled = NULL;
  const GError *error = fetch->error;

  if (fetch->cancelled &&
      !g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED))
    {
      cancelled = g_error_new_literal (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED,
                                       "the fetch was cancelled");
      error = cancelled;
    }
  fetch->callbacks.done (fetch, &fetch->result, error, fetch->user_data);
  exo_fetch_unref (fetch); /* the one that exo_fetcher_start() made */
}

static void
deliver (ExoFetcher *fetcher, ExoFetch *fetch)
{
  g_autoptr (GByteArray) lines = NULL;
  guint64 n_written;
  gboolean finished;

  g_mutex_lock (&fetcher->lock);
  fetch->queued = FALSE;
  lines = g_steal_pointer (&fetch->lines);
  n_written = fetch->told_written;
  fetch->told_written = 0;
  finished = fetch->finished;
  g_mutex_unlock (&fetcher->lock);

  if (lines != NULL)
    deliver_lines (fetch, lines);
  if (n_written > 0 && fetch->callbacks.progress != NULL && !fetch->cancelled)
    fetch->callbacks.progress (fetch, n_written, fetch->user_data);
  if (finished)
    deliver_done (fetch);
}

static void
fetcher_unref (ExoFetcher *fetcher)
{
  if (--fetcher->ref_count > 0)
    return;
  g_main_context_unref (fetcher->context);
  g_mutex_clear (&fetcher->lock);
  g_free (fetcher->user_agent);
  g_free (fetcher);
}

/* What was news when this began: a flood must not keep the main loop from turning. */
static void
deliver_all (ExoFetcher *fetcher)
{
  ExoFetch *fetch;

  g_mutex_lock (&fetcher->lock);
  while ((fetch = g_queue_pop_head (&fetcher->news)) != NULL)
    g_queue_push_tail (&fetcher->delivering, fetch);
  g_mutex_unlock (&fetcher->lock);

  while ((fetch = g_queue_pop_head (&fetcher->delivering)) != NULL)
    {
      deliver (fetcher, fetch);
      exo_fetch_unref (fetch);
    }
}

static gboolean
on_wakeup (gpointer user_data)
{
  ExoFetcher *fetcher = user_data;

  fetcher->ref_count++; /* a callback may free it */
  g_mutex_lock (&fetcher->lock);
  g_clear_pointer (&fetcher->wakeup, g_source_unref);
  g_mutex_unlock (&fetcher->lock);
  deliver_all (fetcher);
  fetcher_unref (fetcher);
  return G_SOURCE_REMOVE;
}

/* The fetcher --------------------------------------------------------------------------------------- */

ExoFetcher *
exo_fetcher_new (GMainContext *context, const char *user_agent)
{
  ExoFetcher *fetcher = g_new0 (ExoFetcher, 1);

  fetcher->ref_count = 1;
  fetcher->context = g_main_context_ref (context != NULL ? context : g_main_context_default ());
  fetcher->user_agent = g_strdup (user_agent);
  g_mutex_init (&fetcher->lock);
  g_queue_init (&fetcher->news);
  g_queue_init (&fetcher->delivering);
  return fetcher;
}

/* Not before it is needed: libcurl and its TLS library take some megabytes, a thread some more. */
static void
start_thread (ExoFetcher *fetcher)
{
  static gsize initialized = 0;

  if (g_once_init_enter (&initialized))
    {
      curl_global_init (CURL_GLOBAL_DEFAULT);
      g_once_init_leave (&initialized, 1);
    }
  fetcher->io.wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fetcher->io.wake_fd < 0)
    g_error ("no file left to open for the thread that downloads");
  fetcher->io.commands = g_async_queue_new ();
  fetcher->io.user_agent = fetcher->user_agent;
  fetcher->thread = g_thread_new ("exo-fetch", exo_fetch_io_run, &fetcher->io);
  send_command (fetcher, EXO_FETCH_COMMAND_RATE, NULL);
}

static void
stop_thread (ExoFetcher *fetcher)
{
  if (fetcher->thread == NULL)
    return;
  send_command (fetcher, EXO_FETCH_COMMAND_QUIT, NULL);
  g_thread_join (g_steal_pointer (&fetcher->thread));
  close (fetcher->io.wake_fd);
  g_async_queue_unref (fetcher->io.commands);
}

void
exo_fetcher_free (ExoFetcher *fetcher)
{
  if (fetcher == NULL)
    return;
  fetcher->stopped = TRUE;
  stop_thread (fetcher);
  while (!g_queue_is_empty (&fetcher->delivering) || !g_queue_is_empty (&fetcher->news))
    deliver_all (fetcher);
  if (fetcher->wakeup != NULL)
    {
      g_source_destroy (fetcher->wakeup);
      g_clear_pointer (&fetcher->wakeup, g_source_unref);
    }
  fetcher_unref (fetcher);
}

void
exo_fetcher_set_rate (ExoFetcher *fetcher, guint64 rate)
{
  if (fetcher->rate == rate)
    return;
  fetcher->rate = rate;
  if (fetcher->thread != NULL)
    send_command (fetcher, EXO_FETCH_COMMAND_RATE, NULL);
}

ExoFetch *
exo_fetcher_start (ExoFetcher *fetcher,
                   const ExoFetchRequest *request,
                   const ExoFetchCallbacks *callbacks,
                   gpointer user_data)
{
  ExoFetch *fetch;

  g_return_val_if_fail (callbacks->done != NULL, NULL);
  g_return_val_if_fail (request->mode != EXO_FETCH_TO_FILE ||
                            (request->length > 0 && request->first < request->total &&
                             request->length <= request->total - request->first),
                        NULL);
  fetch = fetch_new (request, callbacks, user_data);
  fetch->fetcher = fetcher;
  if (fetcher->stopped)
    {
      fetch->cancelled = TRUE;
      exo_fetch_tell_finished (fetch);
      return fetch;
    }
  if (fetcher->thread == NULL)
    start_thread (fetcher);
  send_command (fetcher, EXO_FETCH_COMMAND_START, fetch);
  return fetch;
}

void
exo_fetch_cancel (ExoFetch *fetch)
{
  if (fetch->cancelled)
    return;
  fetch->cancelled = TRUE;
  if (!fetch->fetcher->stopped)
    send_command (fetch->fetcher, EXO_FETCH_COMMAND_CANCEL, fetch);
}
