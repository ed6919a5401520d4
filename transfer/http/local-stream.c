/* local-stream.c - answers that grow; see local-server.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <unistd.h>

#include "transfer/http/local-private.h"

#define BLOCK_BYTES (256u * 1024u)

static void
stream_clear (gpointer data)
{
  ExoLocalStream *stream = data;

  if (stream->fd >= 0)
    close (stream->fd);
}

void
exo_local_stream_unref (ExoLocalStream *stream)
{
  g_atomic_rc_box_release_full (stream, stream_clear);
}

static void
on_response_gone (void *cls)
{
  exo_local_stream_unref (cls);
}

/* Waiting --------------------------------------------------------------------------------- */

static gboolean
tell_waiting (gpointer data)
{
  ExoLocalStream *stream = data;
  gboolean waits = FALSE;
  guint64 offset = 0;

  if (stream->open)
    {
      g_mutex_lock (&stream->server->lock);
      stream->posted = FALSE;
      waits = stream->suspended && stream->connection != NULL && !stream->failed;
      offset = stream->offset;
      g_mutex_unlock (&stream->server->lock);
    }
  if (waits)
    stream->callbacks.waiting (stream, offset, stream->user_data);
  exo_local_stream_unref (stream);
  return G_SOURCE_REMOVE;
}

static void
suspend_locked (ExoLocalStream *stream)
{
  stream->suspended = TRUE;
  MHD_suspend_connection (stream->connection);
  if (stream->posted)
    return;
  stream->posted = TRUE;
  exo_inbox_post (stream->server->inbox, tell_waiting, g_atomic_rc_box_acquire (stream));
}

void
exo_local_stream_wake_locked (ExoLocalStream *stream)
{
  if (!stream->suspended)
    return;
  stream->suspended = FALSE;
  MHD_resume_connection (stream->connection);
}

/* Cuts the connection. Its thread notices when it writes. */
static void
cut_locked (ExoLocalStream *stream)
{
  if (stream->connection == NULL)
    return;
  stream->failed = TRUE;
  shutdown (stream->socket, SHUT_RDWR);
  exo_local_stream_wake_locked (stream);
}

/* Reading --------------------------------------------------------------------------------- */

/* Not MHD_CONTENT_READER_END_WITH_ERROR nor _END_OF_STREAM: after them libmicrohttpd 0.9.75 leaves a connection that was resumed lying
 * until it times out. Writing to a socket that was shut down fails, and that it notices; nobody gets this byte. */
static ssize_t
one_byte_for_nobody (char *out_bytes)
{
  out_bytes[0] = 0;
  return 1;
}

/* Returns: bytes that may be read now, 0 if it was suspended, -1 if the connection was cut */
static gint64
claim (ExoLocalStream *stream, gsize max, guint64 *out_offset)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&stream->server->lock);

  if (stream->server->closing)
    cut_locked (stream);
  if (stream->failed)
    return -1;
  *out_offset = stream->offset;
  if (stream->end > stream->offset)
    return (gint64) MIN (max, stream->end - stream->offset);
  suspend_locked (stream);
  return 0;
}

static gssize
read_some (int fd, char *out_bytes, gsize n, guint64 offset)
{
  ssize_t got;

  do
    got = pread (fd, out_bytes, n, (off_t) offset);
  while (got < 0 && errno == EINTR);
  return got;
}

static ssize_t
on_read (void *cls, uint64_t position, char *out_bytes, size_t max)
{
  ExoLocalStream *stream = cls;
  guint64 offset = 0;
  gint64 n = claim (stream, max, &offset);
  gssize got;

  if (n == 0)
    return 0;
  got = n > 0 ? read_some (stream->fd, out_bytes, (gsize) n, offset) : -1;
  g_mutex_lock (&stream->server->lock);
  if (got <= 0) /* the disk fails, or the file is shorter than was said */
    cut_locked (stream);
  else
    stream->offset += (guint64) got;
  g_mutex_unlock (&stream->server->lock);
  return got > 0 ? got : one_byte_for_nobody (out_bytes);
}

/* Ends ------------------------------------------------------------------------------------ */

void
exo_local_stream_close (ExoLocalStream *stream)
{
  stream->open = FALSE;
  if (stream->watch != NULL)
    g_source_destroy (stream->watch);
  g_clear_pointer (&stream->watch, g_source_unref);
}

typedef struct
{
  ExoLocalStream *stream; /* counted */
  gboolean complete;
} Ending;

static gboolean
tell_ended (gpointer data)
{
  g_autofree Ending *ending = data;
  ExoLocalStream *stream = ending->stream;

  if (stream->open)
    {
      exo_local_stream_close (stream);
      g_hash_table_remove (stream->server->streams, stream);
      stream->callbacks.ended (stream, ending->complete, stream->user_data);
    }
  exo_local_stream_unref (stream);
  return G_SOURCE_REMOVE;
}

/* The request is over. @sent: whole; what was cut ended with a write that failed */
void
exo_local_stream_detach_locked (ExoLocalStream *stream, gboolean sent)
{
  Ending *ending = g_new (Ending, 1);

  stream->connection = NULL;
  ending->stream = g_atomic_rc_box_acquire (stream);
  ending->complete = sent;
  exo_inbox_post (stream->server->inbox, tell_ended, ending);
}

/* libmicrohttpd does not look at a connection that is suspended. A client that has only shut down its side for sending is taken for gone,
 * too: none of HTTP's do that before they have the answer. */
static gboolean
on_hangup (int fd, GIOCondition condition, gpointer data)
{
  ExoLocalStream *stream = data;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&stream->server->lock);

  cut_locked (stream); /* unless it is over, and the descriptor another's by now */
  g_clear_pointer (&stream->watch, g_source_unref);
  return G_SOURCE_REMOVE;
}

static void
watch_client (ExoLocalStream *stream)
{
  stream->watch =
      g_unix_fd_source_new (stream->socket, (GIOCondition) (G_IO_HUP | G_IO_ERR | POLLRDHUP));
  g_source_set_callback (stream->watch, G_SOURCE_FUNC (on_hangup), stream, NULL);
  g_source_attach (stream->watch, stream->server->context);
}

/* For the owner --------------------------------------------------------------------------- */

ExoLocalStream *
exo_local_respond_stream (ExoLocalRequest *request,
                          guint status,
                          const char *const *headers,
                          guint64 first,
                          guint64 length,
                          const ExoLocalStreamCallbacks *callbacks,
                          gpointer user_data)
{
  ExoLocalStream *stream;

  g_return_val_if_fail (!request->head, NULL);
  g_return_val_if_fail (length <= G_MAXINT64 && first <= G_MAXINT64 - length, NULL);
  stream = g_atomic_rc_box_new0 (ExoLocalStream); /* this count is the request's */
  stream->server = request->server;
  stream->first = stream->offset = first;
  stream->length = length;
  stream->fd = -1;
  stream->connection = request->connection;
  stream->socket = request->conn->fd;
  stream->callbacks = *callbacks;
  stream->user_data = user_data;
  stream->open = TRUE;
  request->stream = stream;
  g_hash_table_add (request->server->streams, g_atomic_rc_box_acquire (stream));
  watch_client (stream);
  exo_local_finish (request, status, headers,
                    MHD_create_response_from_callback (length, BLOCK_BYTES, on_read,
                                                       g_atomic_rc_box_acquire (stream),
                                                       on_response_gone));
  return stream;
}

void
exo_local_stream_give (ExoLocalStream *stream, int fd, guint64 end)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&stream->server->lock);

  if (stream->connection == NULL || stream->failed || end <= stream->end)
    return; /* ended() is on its way, or nothing is new */
  if (stream->fd < 0)
    stream->fd = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  if (stream->fd < 0)
    {
      cut_locked (stream); /* no file left to open */
      return;
    }
  stream->end = end;
  if (end > stream->offset)
    exo_local_stream_wake_locked (stream);
}

void
exo_local_stream_fail (ExoLocalStream *stream)
{
  ExoLocalServer *server = stream->server;

  exo_local_stream_close (stream);
  g_mutex_lock (&server->lock);
  cut_locked (stream);
  g_mutex_unlock (&server->lock);
  g_hash_table_remove (server->streams, stream);
}
