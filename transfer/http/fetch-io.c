/* fetch-io.c - the I/O thread: one curl_multi
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * While no fetch is active the thread sleeps in its command queue and wakes for nothing else.
 */

#include <limits.h>
#include <string.h>

#include "transfer/error.h"
#include "transfer/http/fetcher-private.h"

#define FILE_BUFFER (512l << 10) /* bytes per recv(): twice the speed of curl's 16 KiB */
#define LAN_IDLE_S  25l          /* neighbours close after 30 s without a request */

typedef struct
{
  CURLM *multi;
  GAsyncQueue *commands;
  const char *user_agent;
  GPtrArray *active; /* (element-type ExoFetch), references */
  gboolean quit;
} Io;

static void
finish (Io *io, ExoFetch *fetch)
{
  curl_multi_remove_handle (io->multi, fetch->easy);
  g_clear_pointer (&fetch->easy, curl_easy_cleanup);
  g_clear_pointer (&fetch->header_list, curl_slist_free_all);
  exo_fetch_body_finish (fetch);
  fetch->io = NULL;
  exo_fetch_tell_finished (fetch);
  g_ptr_array_remove_fast (io->active, fetch);
}

static int
on_request (void *user_data, char *remote, char *local, int remote_port, int local_port)
{
  ExoFetch *fetch = user_data;

  fetch->connected = TRUE;
  fetch->activity_us = g_get_monotonic_time ();
  return CURL_PREREQFUNC_OK;
}

static gboolean
has_content_type (ExoFetch *fetch)
{
  for (char **h = fetch->headers; h != NULL && *h != NULL; h++)
    if (g_ascii_strncasecmp (*h, "content-type:", 13) == 0)
      return TRUE;
  return FALSE;
}

static void
set_headers (ExoFetch *fetch)
{
  struct curl_slist *list = NULL;

  for (char **h = fetch->headers; h != NULL && *h != NULL; h++)
    list = curl_slist_append (list, *h);
  list = curl_slist_append (list, "Accept-Encoding: identity");
  if (fetch->body != NULL)
    {
      list = curl_slist_append (list, "Expect:"); /* no waiting for 100 Continue */
      if (!has_content_type (fetch))
        list = curl_slist_append (list, "Content-Type: application/json");
    }
  if (fetch->mode == EXO_FETCH_TO_FILE)
    {
      g_autofree char *range =
          g_strdup_printf ("Range: bytes=%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT, fetch->first,
                           fetch->first + fetch->length - 1);
      list = curl_slist_append (list, range);
    }
  fetch->header_list = list;
  curl_easy_setopt (fetch->easy, CURLOPT_HTTPHEADER, list);
}

static void
set_method (ExoFetch *fetch)
{
  if (strcmp (fetch->method, "HEAD") == 0)
    curl_easy_setopt (fetch->easy, CURLOPT_NOBODY, 1l);
  else if (fetch->body != NULL)
    {
      gsize n;
      gconstpointer bytes = g_bytes_get_data (fetch->body, &n);

      curl_easy_setopt (fetch->easy, CURLOPT_POST, 1l);
      curl_easy_setopt (fetch->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) n);
      curl_easy_setopt (fetch->easy, CURLOPT_POSTFIELDS, bytes != NULL ? bytes : "");
      curl_easy_setopt (fetch->easy, CURLOPT_CUSTOMREQUEST, fetch->method);
    }
  else if (strcmp (fetch->method, "GET") != 0)
    curl_easy_setopt (fetch->easy, CURLOPT_CUSTOMREQUEST, fetch->method);
}

static void
set_transport (ExoFetch *fetch)
{
  CURL *easy = fetch->easy;

  curl_easy_setopt (easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt (easy, CURLOPT_FOLLOWLOCATION, 0l);
  curl_easy_setopt (easy, CURLOPT_NOSIGNAL, 1l);
  /* Otherwise removing a transfer waits for its name lookup, and all others wait with it. */
  curl_easy_setopt (easy, CURLOPT_QUICK_EXIT, 1l);
  curl_easy_setopt (easy, CURLOPT_CONNECTTIMEOUT_MS, (long) fetch->connect_timeout_ms);
  curl_easy_setopt (easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1l);
  curl_easy_setopt (easy, CURLOPT_PIPEWAIT, 0l);
  if (fetch->mode == EXO_FETCH_TO_FILE)
    curl_easy_setopt (easy, CURLOPT_BUFFERSIZE, FILE_BUFFER);
  if (fetch->lan || fetch->mode == EXO_FETCH_TO_FILE)
    curl_easy_setopt (easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
  if (fetch->lan)
    {
      curl_easy_setopt (easy, CURLOPT_PROXY, "");
      curl_easy_setopt (easy, CURLOPT_TCP_NODELAY, 1l);
      curl_easy_setopt (easy, CURLOPT_MAXAGE_CONN, LAN_IDLE_S);
    }
}

static void
set_callbacks (ExoFetch *fetch)
{
  CURL *easy = fetch->easy;

  curl_easy_setopt (easy, CURLOPT_PRIVATE, fetch);
  curl_easy_setopt (easy, CURLOPT_ERRORBUFFER, fetch->curl_error);
  curl_easy_setopt (easy, CURLOPT_HEADERFUNCTION, exo_fetch_on_header);
  curl_easy_setopt (easy, CURLOPT_HEADERDATA, fetch);
  curl_easy_setopt (easy, CURLOPT_WRITEFUNCTION, exo_fetch_on_body);
  curl_easy_setopt (easy, CURLOPT_WRITEDATA, fetch);
  curl_easy_setopt (easy, CURLOPT_PREREQFUNCTION, on_request);
  curl_easy_setopt (easy, CURLOPT_PREREQDATA, fetch);
}

static void
start (Io *io, ExoFetch *fetch)
{
  fetch->io = io;
  fetch->buffer = g_byte_array_new ();
  fetch->activity_us = g_get_monotonic_time ();
  fetch->easy = curl_easy_init ();
  curl_easy_setopt (fetch->easy, CURLOPT_URL, fetch->url);
  curl_easy_setopt (fetch->easy, CURLOPT_USERAGENT, io->user_agent);
  set_transport (fetch);
  set_callbacks (fetch);
  set_method (fetch);
  set_headers (fetch);
  g_ptr_array_add (io->active, exo_fetch_ref (fetch));
  if (fetch->mode == EXO_FETCH_TO_FILE && fetch->fd < 0)
    {
      fetch->error = g_error_new_literal (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DISK,
                                          "cannot write: no such file descriptor");
      finish (io, fetch);
      return;
    }
  curl_multi_add_handle (io->multi, fetch->easy);
}

static void
cancel (Io *io, ExoFetch *fetch)
{
  g_clear_error (&fetch->error);
  fetch->error = g_error_new_literal (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED,
                                      "the fetch was cancelled");
  finish (io, fetch);
}

static void
resume (ExoFetch *fetch)
{
  fetch->paused = FALSE;
  fetch->activity_us = g_get_monotonic_time ();
  curl_easy_pause (fetch->easy, CURLPAUSE_CONT);
}

static void
carry_out (Io *io, ExoFetchCommand *command)
{
  ExoFetch *fetch = command->fetch;

  switch (command->kind)
    {
    case EXO_FETCH_COMMAND_START:
      start (io, fetch);
      break;
    case EXO_FETCH_COMMAND_CANCEL:
      if (fetch->io != NULL)
        cancel (io, fetch);
      break;
    case EXO_FETCH_COMMAND_RESUME:
      if (fetch->io != NULL)
        resume (fetch);
      break;
    case EXO_FETCH_COMMAND_QUIT:
      io->quit = TRUE;
      break;
    }
  g_clear_pointer (&command->fetch, exo_fetch_unref);
  g_free (command);
}

static ExoTransferError
error_code (CURLcode code)
{
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
    return EXO_TRANSFER_ERROR_INVALID;
  return code == CURLE_OUT_OF_MEMORY || code == CURLE_FAILED_INIT ? EXO_TRANSFER_ERROR_FAILED
                                                                  : EXO_TRANSFER_ERROR_UNREACHABLE;
}

static void
collect_finished (Io *io)
{
  CURLMsg *message;
  int left;

  while ((message = curl_multi_info_read (io->multi, &left)) != NULL)
    {
      CURLcode code = message->data.result;
      ExoFetch *fetch = NULL;

      if (message->msg != CURLMSG_DONE)
        continue;
      curl_easy_getinfo (message->easy_handle, CURLINFO_PRIVATE, &fetch);
      if (code != CURLE_OK && fetch->error == NULL)
        {
          const char *reason =
              fetch->curl_error[0] != '\0' ? fetch->curl_error : curl_easy_strerror (code);
          g_autofree char *valid = g_utf8_make_valid (reason, -1);

          fetch->error = g_error_new_literal (EXO_TRANSFER_ERROR, (int) error_code (code), valid);
        }
      finish (io, fetch);
    }
}

/* Ends what stalled; returns the time until the next one might. */
static int
check_stalls (Io *io)
{
  gint64 now = g_get_monotonic_time (), next = now + (gint64) INT_MAX * 1000;

  for (guint i = io->active->len; i-- > 0;)
    {
      ExoFetch *fetch = g_ptr_array_index (io->active, i);
      gint64 deadline = fetch->activity_us + (gint64) fetch->stall_timeout_ms * 1000;

      if (!fetch->connected || fetch->paused)
        continue;
      if (deadline > now)
        {
          next = MIN (next, deadline);
          continue;
        }
      if (fetch->error == NULL)
        fetch->error = g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                                    "nothing received for %u ms", fetch->stall_timeout_ms);
      finish (io, fetch);
    }
  return (int) ((next - now) / 1000) + (next - now < (gint64) INT_MAX * 1000 ? 1 : 0);
}

static void
turn (Io *io)
{
  int running, timeout_ms;

  curl_multi_perform (io->multi, &running);
  collect_finished (io);
  timeout_ms = check_stalls (io);
  if (io->active->len > 0)
    curl_multi_poll (io->multi, NULL, 0, timeout_ms, NULL);
}

gpointer
exo_fetch_io_run (gpointer user_data)
{
  const ExoFetchIoArgs *args = user_data;
  Io io = { args->multi, args->commands, args->user_agent,
            g_ptr_array_new_with_free_func ((GDestroyNotify) exo_fetch_unref), FALSE };

  while (!io.quit)
    {
      ExoFetchCommand *command = io.active->len == 0 ? g_async_queue_pop (io.commands) : NULL;

      if (command != NULL)
        carry_out (&io, command);
      while (!io.quit && (command = g_async_queue_try_pop (io.commands)) != NULL)
        carry_out (&io, command);
      if (!io.quit && io.active->len > 0)
        turn (&io);
    }
  while (io.active->len > 0)
    cancel (&io, g_ptr_array_index (io.active, 0));
  g_ptr_array_unref (io.active);
  return NULL;
}
