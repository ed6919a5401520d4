/* lan-stream.c - endless answers, and questions to the main thread; see lan-server.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <sys/socket.h>

#include "transfer/http/lan-private.h"

#define BLOCK_BYTES (16u * 1024u)
#define COMPACT_AT  (256u * 1024u) /* bytes taken before the rest is moved to the front */

/* Streams --------------------------------------------------------------------------------- */

static void
stream_clear (gpointer data)
{
  ExoLanStream *stream = data;

  g_free (stream->address);
  g_byte_array_unref (stream->buffer);
  exo_lan_server_unref (stream->server);
}

void
exo_lan_stream_unref (ExoLanStream *stream)
{
  g_atomic_rc_box_release_full (stream, stream_clear);
}

static gsize
pending (const ExoLanStream *stream)
{
  return stream->buffer->len - stream->taken;
}

static gsize
take (ExoLanStream *stream, char *out_bytes, gsize max)
{
  gsize n = MIN (max, pending (stream));

  memcpy (out_bytes, stream->buffer->data + stream->taken, n);
  stream->taken += n;
  if (stream->taken == stream->buffer->len || stream->taken >= COMPACT_AT)
    {
      g_byte_array_remove_range (stream->buffer, 0, (guint) stream->taken);
      stream->taken = 0;
    }
  return n;
}

static ssize_t
on_read (void *cls, uint64_t position, char *out_bytes, size_t max)
{
  ExoLanStream *stream = cls;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&stream->server->lock);

  /* Not END_WITH_ERROR: libmicrohttpd 0.9.75 then leaves the connection lying until it times out. Writing the end to a
   * socket that was shut down fails, and that it notices. */
  if (stream->failed)
    return MHD_CONTENT_READER_END_OF_STREAM;
  if (pending (stream) > 0)
    return (ssize_t) take (stream, out_bytes, max);
  if (stream->ending || stream->server->closing)
    return MHD_CONTENT_READER_END_OF_STREAM;
  stream->suspended = TRUE;
  MHD_suspend_connection (stream->connection);
  return 0;
}

static void
wake_locked (ExoLanStream *stream)
{
  if (!stream->suspended)
    return;
  stream->suspended = FALSE;
  MHD_resume_connection (stream->connection);
}

void
exo_lan_stream_end_locked (ExoLanStream *stream)
{
  stream->ending = TRUE;
  wake_locked (stream);
}

/* The connection goes. */
void
exo_lan_stream_detach_locked (ExoLanStream *stream)
{
  stream->connection = NULL;
  stream->conn = NULL;
}

typedef struct
{
  ExoLanStream *stream; /* counted */
  GByteArray *body;     /* owned */
} Opening;

static gboolean
tell_opened (gpointer data)
{
  g_autofree Opening *opening = data;
  g_autoptr (GByteArray) body = opening->body;
  ExoLanStream *stream = opening->stream;
  ExoLanServer *server = stream->server;

  if (!server->closing)
    {
      stream->opened = TRUE;
      g_hash_table_add (server->streams, stream);
      server->callbacks.stream_opened (server, stream, (const char *) body->data, body->len - 1,
                                       server->user_data);
    }
  return G_SOURCE_REMOVE; /* the count stays until tell_closed() */
}

static gboolean
tell_closed (gpointer data)
{
  ExoLanStream *stream = data;
  ExoLanServer *server = stream->server;

  if (g_hash_table_remove (server->streams, stream))
    server->callbacks.stream_closed (server, stream, server->user_data);
  exo_lan_stream_unref (stream);
  return G_SOURCE_REMOVE;
}

/* Called when libmicrohttpd is done with the answer, after the connection was detached. */
static void
on_response_gone (void *cls)
{
  ExoLanStream *stream = cls;

  exo_inbox_post (stream->server->inbox, tell_closed, stream);
}

static ExoLanStream *
stream_new (ExoLanRequest *request)
{
  ExoLanStream *stream = g_atomic_rc_box_new0 (ExoLanStream);

  stream->server = exo_lan_server_ref (request->server);
  stream->connection = request->connection;
  stream->conn = request->conn;
  stream->address = g_strdup (request->conn->address);
  stream->buffer = g_byte_array_new ();
  return stream;
}

enum MHD_Result
exo_lan_stream_open (ExoLanRequest *request)
{
  ExoLanStream *stream = stream_new (request);
  Opening *opening = g_new (Opening, 1);
  struct MHD_Response *response;
  enum MHD_Result result;

  /* The count of stream_new() is the request's; this one is the main thread's, given back by tell_closed(). */
  g_mutex_lock (&request->server->lock);
  request->stream = stream;
  g_mutex_unlock (&request->server->lock);
  opening->stream = g_atomic_rc_box_acquire (stream);
  opening->body = g_steal_pointer (&request->body);
  response = MHD_create_response_from_callback (MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, stream,
                                                on_response_gone);
  MHD_add_response_header (response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/x-ndjson");
  exo_inbox_post (request->server->inbox, tell_opened, opening);
  result = MHD_queue_response (request->connection, MHD_HTTP_OK, response);
  MHD_destroy_response (response);
  return result;
}

void
exo_lan_stream_send (ExoLanStream *stream, const char *line, gsize length)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&stream->server->lock);

  if (stream->failed || stream->ending || stream->connection == NULL)
    return;
  if (length + 1 > EXO_LAN_STREAM_BUFFER - pending (stream))
    {
      /* A reader this slow has lost touch. The socket is full, so the thread would not come to ask for more: cut it. */
      stream->failed = TRUE;
      shutdown (stream->conn->fd, SHUT_RDWR);
      wake_locked (stream);
      return;
    }
  g_byte_array_append (stream->buffer, (const guint8 *) line, (guint) length);
  g_byte_array_append (stream->buffer, (const guint8 *) "\n", 1);
  wake_locked (stream);
}

void
exo_lan_stream_close (ExoLanStream *stream)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&stream->server->lock);

  if (stream->connection != NULL)
    exo_lan_stream_end_locked (stream);
}

const char *
exo_lan_stream_address (ExoLanStream *stream)
{
  return stream->address;
}

void
exo_lan_stream_set_data (ExoLanStream *stream, gpointer data)
{
  stream->data = data;
}

gpointer
exo_lan_stream_get_data (ExoLanStream *stream)
{
  return stream->data;
}

/* Questions ------------------------------------------------------------------------------- */

static void
answer_lookup (ExoLanRequest *request)
{
  ExoLanServer *server = request->server;
  guint64 size = 0;
  gboolean known;
  int fd;

  g_mutex_lock (&server->lock);
  known = g_hash_table_contains (server->shares, request->args[0]);
  g_mutex_unlock (&server->lock);
  fd = known || server->lookup == NULL
           ? -1
           : server->lookup (request->args[0], &size, server->lookup_data);

  g_mutex_lock (&server->lock);
  if (fd >= 0)
    {
      LanShare *share = exo_lan_share_new (fd, size, NULL);

      share->looked_up = TRUE;
      exo_lan_share_put_locked (server, request->args[0], share);
    }
  exo_lan_resume_locked (request, LAN_REQUEST_READY);
  g_mutex_unlock (&server->lock);
  exo_lan_request_unref (request);
}

static void
answer_card (ExoLanRequest *request)
{
  static const char not_now[] = "{\"error\":\"not now\"}";
  ExoLanServer *server = request->server;
  g_autoptr (GBytes) text = NULL;

  if (server->card_wanted != NULL)
    {
      server->card_wanted (request, server->card_data);
      return;
    }
  text = g_bytes_new_static (not_now, sizeof not_now - 1);
  exo_lan_request_respond (request, MHD_HTTP_SERVICE_UNAVAILABLE, text);
}

static gboolean
answer (gpointer data)
{
  ExoLanRequest *request = data;
  ExoLanServer *server = request->server;

  if (server->closing)
    exo_lan_request_unref (request);
  else if (request->ask == LAN_ASK_LOOKUP)
    answer_lookup (request);
  else if (request->ask == LAN_ASK_CARD)
    answer_card (request);
  else if (request->ask == LAN_ASK_DIGESTS)
    server->callbacks.digests_wanted (server, request, request->args[0], server->user_data);
  else
    server->callbacks.manifest_wanted (server, request, request->args[0], request->args[1],
                                       request->args[2], server->user_data);
  return G_SOURCE_REMOVE;
}

/* Suspends the request until the main thread has answered. */
gboolean
exo_lan_ask (ExoLanRequest *request, LanAsk ask, const char *a, const char *b, const char *c)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&request->server->lock);

  request->ask = ask;
  request->args[0] = g_strdup (a);
  request->args[1] = g_strdup (b);
  request->args[2] = g_strdup (c);
  if (request->server->closing)
    return FALSE;
  exo_lan_suspend_locked (request, LAN_REQUEST_ASKED);
  exo_inbox_post (request->server->inbox, answer, exo_lan_request_ref (request));
  return TRUE;
}

void
exo_lan_request_respond (ExoLanRequest *request, guint status, GBytes *json)
{
  ExoLanServer *server = request->server;

  g_mutex_lock (&server->lock);
  request->status = status;
  request->json = g_bytes_ref (json);
  exo_lan_resume_locked (request, LAN_REQUEST_READY);
  g_mutex_unlock (&server->lock);
  exo_lan_request_unref (request);
}
