/* fetch-io.c - the I/O thread: one epoll for curl's sockets, the piece client's, and the commands
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is ready is all that a turn looks at: with some fifty streams and fetches open, asking each of them (as
 * curl_multi_perform() does) costs more than what they bring. While no fetch is active the thread wakes for commands only,
 * and for a neighbour that closes a connection.
 */

#include <glib/gi18n.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "transfer/error.h"
#include "transfer/http/brake.h"
#include "transfer/http/fetcher-private.h"
#include "transfer/http/piece-client.h"

#define FILE_BUFFER     (512l << 10) /* bytes per recv(): twice the speed of curl's 16 KiB */
#define LAN_IDLE_S      25l          /* neighbours close after 30 s without a request */
#define CONNECTIONS_MAX 128l         /* curl keeps for reuse: some 50 neighbours, and the CDN */
#define EVENTS          64

typedef struct
{
  CURLM *multi;
  ExoPieceClient *pieces;
  int epoll_fd;
  ExoFetchIoArgs *args;
  GPtrArray *active;  /* (element-type ExoFetch), references */
  GPtrArray *buffers; /* spare ones, while any fetch is active */
  ExoBrake brake;     /* of limited fetches */
  gint64 curl_at_us;  /* curl wants to be called then; G_MAXINT64: no */
  gint64 stall_at_us; /* nothing stalls before; likewise */
  gboolean quit;
} Io;

static void
finish (Io *io, ExoFetch *fetch)
{
  if (fetch->easy != NULL)
    curl_multi_remove_handle (io->multi, fetch->easy);
  exo_piece_client_drop (io->pieces, fetch);
  exo_brake_forget (fetch);
  g_clear_pointer (&fetch->easy, curl_easy_cleanup);
  g_clear_pointer (&fetch->header_list, curl_slist_free_all);
  exo_fetch_body_finish (fetch);
  fetch->io = NULL;
  exo_fetch_tell_finished (fetch);
  g_ptr_array_remove_fast (io->active, fetch);
  if (io->active->len == 0)
    g_ptr_array_set_size (io->buffers, 0);
}

static void
on_piece_finished (ExoFetch *fetch, gpointer user_data)
{
  finish (user_data, fetch);
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
  curl_easy_setopt (easy, CURLOPT_FRESH_CONNECT, fetch->fresh ? 1l : 0l);
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

/* When it is to be looked at though nothing happened; G_MAXINT64: never. Of its connecting curl takes care itself. */
static gint64
deadline_of (const ExoFetch *fetch)
{
  if (fetch->paused || fetch->held || (!fetch->connected && fetch->easy != NULL))
    return G_MAXINT64;
  return fetch->activity_us +
         1000 * (gint64) (fetch->connected ? fetch->stall_timeout_ms : fetch->connect_timeout_ms);
}

static void
start_with_curl (Io *io, ExoFetch *fetch)
{
  fetch->easy = curl_easy_init ();
  curl_easy_setopt (fetch->easy, CURLOPT_URL, fetch->url);
  curl_easy_setopt (fetch->easy, CURLOPT_USERAGENT, io->args->user_agent);
  set_transport (fetch);
  set_callbacks (fetch);
  set_method (fetch);
  set_headers (fetch);
  curl_multi_add_handle (io->multi, fetch->easy);
}

static void
start (Io *io, ExoFetch *fetch)
{
  fetch->io = io;
  fetch->brake = fetch->limited ? &io->brake : NULL;
  fetch->buffers = io->buffers;
  fetch->buffer = g_byte_array_new ();
  fetch->activity_us = g_get_monotonic_time ();
  g_ptr_array_add (io->active, exo_fetch_ref (fetch));
  /* At the latest, whichever of the two clocks runs. */
  io->stall_at_us =
      MIN (io->stall_at_us, fetch->activity_us + 1000 * (gint64) MIN (fetch->stall_timeout_ms,
                                                                      fetch->connect_timeout_ms));
  if (fetch->mode == EXO_FETCH_TO_FILE && fetch->fd < 0)
    {
      fetch->error = g_error_new_literal (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DISK,
                                          _ ("cannot write: no such file descriptor"));
      finish (io, fetch);
    }
  else if (exo_piece_client_takes (fetch))
    exo_piece_client_start (io->pieces, fetch);
  else
    start_with_curl (io, fetch);
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
resume (Io *io, ExoFetch *fetch)
{
  fetch->paused = FALSE;
  fetch->activity_us = g_get_monotonic_time ();
  io->stall_at_us = MIN (io->stall_at_us, deadline_of (fetch));
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
        resume (io, fetch);
      break;
    case EXO_FETCH_COMMAND_RATE:
      exo_bucket_set_rate (&io->brake.bucket, command->rate, g_get_monotonic_time ());
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

/* curl speaks English, of descriptors and milliseconds. What people can do something about is said in words of ours;
 * curl's own follow where they tell more, and for the rest stand alone. */
static char *
words_for (CURLcode code, const char *host, const char *own)
{
  switch ((int) code)
    {
    case CURLE_COULDNT_RESOLVE_PROXY:
      return g_strdup (_ ("the name of the proxy is not known: see https_proxy"));
    case CURLE_COULDNT_RESOLVE_HOST:
      /* TRANSLATORS: here and below, %s is the name or address of a machine */
      return g_strdup_printf (_ ("the name %s is not known: is there a way to the internet?"),
                              host);
    case CURLE_COULDNT_CONNECT:
      return g_strdup_printf (_ ("no connection to %s"), host);
    case CURLE_OPERATION_TIMEDOUT:
      return g_strdup_printf (_ ("%s takes too long to answer"), host);
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      return g_strdup_printf (_ ("%s broke off the connection"), host);
    case CURLE_PEER_FAILED_VERIFICATION:
      return g_strdup_printf (_ ("the certificate of %s is not to be trusted: %s"), host, own);
    case CURLE_SSL_CONNECT_ERROR:
      return g_strdup_printf (_ ("no secure connection to %s: %s"), host, own);
    default:
      return g_strdup (own);
    }
}

static char *
reason_of (const ExoFetch *fetch, CURLcode code)
{
  const char *own = fetch->curl_error[0] != '\0' ? fetch->curl_error : curl_easy_strerror (code);
  g_autofree char *valid = g_utf8_make_valid (own, -1);
  g_autofree char *host = NULL;

  g_uri_split_network (fetch->url, G_URI_FLAGS_NONE, NULL, &host, NULL, NULL);
  g_debug ("%s: curl says %d, %s", host, (int) code, valid);
  return words_for (code, host != NULL ? host : "?", valid);
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
          g_autofree char *reason = reason_of (fetch, code);

          fetch->error = g_error_new_literal (EXO_TRANSFER_ERROR, (int) error_code (code), reason);
        }
      finish (io, fetch);
    }
}

static void
fail_stalled (Io *io, ExoFetch *fetch)
{
  if (fetch->error == NULL && fetch->connected)
    fetch->error =
        g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                     /* TRANSLATORS: here and below, seconds */
                     _ ("nothing was received for %.3g s"), fetch->stall_timeout_ms / 1000.0);
  else if (fetch->error == NULL)
    fetch->error =
        g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                     _ ("not connected within %.3g s"), fetch->connect_timeout_ms / 1000.0);
  finish (io, fetch);
}

/* Ends what stalled, and finds out when the next one might. */
static void
check_stalls (Io *io, gint64 now)
{
  gint64 next = G_MAXINT64;

  for (guint i = io->active->len; i-- > 0;)
    {
      g_autoptr (ExoFetch) fetch = exo_fetch_ref (g_ptr_array_index (io->active, i));

      if (deadline_of (fetch) <= now && !exo_piece_client_poke (io->pieces, fetch))
        fail_stalled (io, fetch);
      else if (fetch->io != NULL)
        next = MIN (next, deadline_of (fetch));
    }
  io->stall_at_us = next;
}

/* curl's sockets ------------------------------------------------------------------------------------ */

/* In epoll_data a socket of curl's is an odd number; the rest are pointers, NULL for the commands. */
static gpointer
curl_tag (curl_socket_t fd)
{
  return GSIZE_TO_POINTER (((gsize) fd << 1) | 1);
}

static int
on_curl_socket (CURL *easy, curl_socket_t fd, int what, void *user_data, void *known)
{
  Io *io = user_data;
  struct epoll_event event = { .data.ptr = curl_tag (fd) };

  if (what == CURL_POLL_REMOVE)
    {
      epoll_ctl (io->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
      return 0;
    }
  event.events =
      ((what & CURL_POLL_IN) != 0 ? EPOLLIN : 0) | ((what & CURL_POLL_OUT) != 0 ? EPOLLOUT : 0);
  epoll_ctl (io->epoll_fd, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
  curl_multi_assign (io->multi, fd, io); /* known from now on */
  return 0;
}

static int
on_curl_timer (CURLM *multi, long timeout_ms, void *user_data)
{
  Io *io = user_data;

  io->curl_at_us =
      timeout_ms < 0 ? G_MAXINT64 : g_get_monotonic_time () + 1000 * (gint64) timeout_ms;
  return 0;
}

static void
call_curl (Io *io, curl_socket_t fd, guint32 events)
{
  int running;

  curl_multi_socket_action (io->multi, fd,
                            ((events & (EPOLLIN | EPOLLHUP)) != 0 ? CURL_CSELECT_IN : 0) |
                                ((events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
                                ((events & EPOLLERR) != 0 ? CURL_CSELECT_ERR : 0),
                            &running);
}

/* The loop ------------------------------------------------------------------------------------------ */

static void
take_commands (Io *io)
{
  ExoFetchCommand *command;
  eventfd_t value;

  (void) eventfd_read (io->args->wake_fd, &value);
  /* First: what is queued from here on wakes us again. */
  g_atomic_int_set (&io->args->woken, FALSE);
  while (!io->quit && (command = g_async_queue_try_pop (io->args->commands)) != NULL)
    carry_out (io, command);
}

static void
take_event (Io *io, const struct epoll_event *event)
{
  if (event->data.ptr == NULL)
    take_commands (io);
  else if ((GPOINTER_TO_SIZE (event->data.ptr) & 1) != 0)
    call_curl (io, (curl_socket_t) (GPOINTER_TO_SIZE (event->data.ptr) >> 1), event->events);
  else
    exo_piece_client_event (io->pieces, event->data.ptr, event->events);
}

static void
release_held (Io *io)
{
  ExoFetch *fetch;

  while ((fetch = exo_brake_release_next (&io->brake)) != NULL)
    {
      resume (io, fetch);
      if (fetch->error != NULL) /* what it had was handed over at once, and no good */
        finish (io, fetch);
    }
}

static int
timeout_ms (Io *io)
{
  gint64 at = MIN (MIN (io->curl_at_us, io->stall_at_us), exo_brake_open_at_us (&io->brake));

  if (at == G_MAXINT64)
    return -1;
  return (int) CLAMP ((at - g_get_monotonic_time () + 999) / 1000, 0, INT_MAX);
}

static void
turn (Io *io)
{
  struct epoll_event events[EVENTS];
  int n = epoll_wait (io->epoll_fd, events, EVENTS, timeout_ms (io));
  gint64 now = g_get_monotonic_time ();

  for (int i = 0; i < n && !io->quit; i++)
    take_event (io, &events[i]);
  release_held (io);
  if (io->curl_at_us <= now)
    {
      io->curl_at_us = G_MAXINT64;
      call_curl (io, CURL_SOCKET_TIMEOUT, 0);
    }
  collect_finished (io);
  if (io->stall_at_us <= now)
    check_stalls (io, now);
  exo_piece_client_sweep (io->pieces);
}

static void
set_up (Io *io)
{
  struct epoll_event commands = { .events = EPOLLIN, .data.ptr = NULL };

  io->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  if (io->epoll_fd < 0 ||
      epoll_ctl (io->epoll_fd, EPOLL_CTL_ADD, io->args->wake_fd, &commands) != 0)
    g_error ("no file left to open for the thread that downloads");
  io->pieces = exo_piece_client_new (io->epoll_fd, io->args->user_agent, on_piece_finished, io);
  io->multi = curl_multi_init ();
  curl_multi_setopt (io->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
  /* One transfer per connection: ranges side by side are to have a congestion window each. */
  curl_multi_setopt (io->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
  curl_multi_setopt (io->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
  curl_multi_setopt (io->multi, CURLMOPT_SOCKETDATA, io);
  curl_multi_setopt (io->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
  curl_multi_setopt (io->multi, CURLMOPT_TIMERDATA, io);
}

gpointer
exo_fetch_io_run (gpointer user_data)
{
  Io io = { .args = user_data,
            .active = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_fetch_unref),
            .buffers = g_ptr_array_new_with_free_func (g_free),
            .curl_at_us = G_MAXINT64,
            .stall_at_us = G_MAXINT64 };

  set_up (&io);
  while (!io.quit)
    turn (&io);
  while (io.active->len > 0)
    cancel (&io, g_ptr_array_index (io.active, 0));
  curl_multi_cleanup (io.multi);
  exo_piece_client_free (io.pieces);
  close (io.epoll_fd);
  g_ptr_array_unref (io.active);
  g_ptr_array_unref (io.buffers);
  return NULL;
}
