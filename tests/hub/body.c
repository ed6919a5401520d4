/* body.c - bodies, counted as they leave and spoilt as ordered
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every body goes through one reader, 32 KiB at a time. sendfile would save some 0.1 s of CPU for
 * each GiB, but says nothing about how far an aborted transfer came, and the bytes that this
 * program reports are what others are judged by.
 */

#include <errno.h>
#include <gio/gio.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/hub/server-private.h"

#define BLOCK_BYTES   (32 * 1024)
#define DRAIN_SECONDS 0.02 /* between looks at what a reset would destroy */
#define DRAIN_LOOKS   50

typedef struct
{
  HubReply *reply;
  HubBodyUse use;
  gboolean stalled; /* the stall is over */
  guint n_drain_looks;
} Body;

int
hub_connection_fd (struct MHD_Connection *connection)
{
  return MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

void
hub_body_reset (struct MHD_Connection *connection)
{
  struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

  connect (hub_connection_fd (connection), &nowhere, sizeof nowhere); /* connect(2): dissolves it */
}

static gssize
stall (Body *body)
{
  body->stalled = TRUE;
  hub_server_pause (body->use.server, body->use.connection, body->use.fault->seconds);
  return 0;
}

/* A reset destroys what the socket still holds, so that goes out first, within a second */
static gssize
reset (Body *body)
{
  int unsent = 0;

  ioctl (hub_connection_fd (body->use.connection), SIOCOUTQ, &unsent);
  if (unsent > 0 && body->n_drain_looks++ < DRAIN_LOOKS)
    {
      hub_server_pause (body->use.server, body->use.connection, DRAIN_SECONDS);
      return 0;
    }
  hub_body_reset (body->use.connection);
  return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* %TRUE if the fault takes its turn at this position; else @max is cut so that it will */
static gboolean
is_fault_due (const Body *body, guint64 position, gsize *max)
{
  const HubFault *fault = body->use.fault;

  if (fault == NULL || fault->after < 0 || body->stalled ||
      (fault->kind != HUB_FAULT_STALL && fault->kind != HUB_FAULT_CLOSE &&
       fault->kind != HUB_FAULT_RESET))
    return FALSE;
  if (position >= (guint64) fault->after)
    return TRUE;
  *max = (gsize) MIN (*max, (guint64) fault->after - position);
  return FALSE;
}

static gssize
strike (Body *body)
{
  if (body->use.fault->kind == HUB_FAULT_STALL)
    return stall (body);
  if (body->use.fault->kind == HUB_FAULT_RESET)
    return reset (body);
  return MHD_CONTENT_READER_END_WITH_ERROR;
}

static void
flip (const Body *body, guint64 from, char *buffer, gsize n)
{
  const HubFault *fault = body->use.fault;

  if (fault != NULL && fault->kind == HUB_FAULT_FLIP && fault->offset >= (gint64) from &&
      fault->offset < (gint64) (from + n))
    buffer[(guint64) fault->offset - from] ^= 1;
}

static gssize
read_source (const Body *body, guint64 position, char *buffer, gsize max)
{
  const HubReply *reply = body->reply;
  gsize n = (gsize) MIN (max, reply->length - position);

  if (reply->fd >= 0)
    return pread (reply->fd, buffer, n, (off_t) (reply->offset + position));
  memcpy (buffer, (const char *) g_bytes_get_data (reply->bytes, NULL) + position, n);
  return (gssize) n;
}

static ssize_t
on_read (void *user_data, uint64_t position, char *buffer, size_t max)
{
  Body *body = user_data;
  guint64 from = body->reply->offset + position;
  gssize n;

  if (hub_server_is_stopping (body->use.server))
    return MHD_CONTENT_READER_END_WITH_ERROR;
  if (position >= body->reply->length)
    return MHD_CONTENT_READER_END_OF_STREAM;
  if (is_fault_due (body, position, &max))
    return strike (body);
  n = read_source (body, position, buffer, max);
  if (n <= 0) /* the file became shorter meanwhile */
    return MHD_CONTENT_READER_END_WITH_ERROR;
  flip (body, from, buffer, (gsize) n);
  if (body->use.stats != NULL)
    hub_stats_count_bytes (hub_server_stats (body->use.server), body->use.stats, from, (guint64) n);
  if (body->use.n_sent != NULL)
    *body->use.n_sent += (guint64) n;
  return n;
}

static void
on_free (void *user_data)
{
  Body *body = user_data;

  hub_reply_free (body->reply);
  hub_fault_unref (body->use.fault);
  g_free (body);
}

static GBytes *
compress (const char *text, gsize length)
{
  g_autoptr (GZlibCompressor) gzip = g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP, 6);
  g_autoptr (GInputStream) plain =
      g_memory_input_stream_new_from_data (text, (gssize) length, NULL);
  g_autoptr (GInputStream) packed = g_converter_input_stream_new (plain, G_CONVERTER (gzip));
  g_autoptr (GOutputStream) sink = g_memory_output_stream_new_resizable ();

  g_output_stream_splice (sink, packed,
                          G_OUTPUT_STREAM_SPLICE_CLOSE_SOURCE | G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET,
                          NULL, NULL);
  return g_memory_output_stream_steal_as_bytes (G_MEMORY_OUTPUT_STREAM (sink));
}

/* As the Hub does it: no length, and a weak ETag */
static void
gzip_reply (HubReply *reply)
{
  g_autofree char *text = g_malloc (reply->length);
  const char *etag = hub_reply_get (reply, "ETag");
  gssize n = (gssize) reply->length;

  if (reply->fd >= 0)
    n = pread (reply->fd, text, reply->length, (off_t) reply->offset);
  else
    memcpy (text, g_bytes_get_data (reply->bytes, NULL), reply->length);
  if (n != (gssize) reply->length)
    return;
  g_clear_pointer (&reply->bytes, g_bytes_unref);
  if (reply->fd >= 0)
    close (reply->fd);
  reply->fd = -1;
  reply->offset = 0;
  reply->bytes = compress (text, (gsize) n);
  reply->length = g_bytes_get_size (reply->bytes);
  if (etag != NULL && !g_str_has_prefix (etag, "W/"))
    {
      g_autofree char *weak = g_strconcat ("W/", etag, NULL);
      hub_reply_set (reply, "ETag", weak);
    }
  hub_reply_set (reply, "Content-Encoding", "gzip");
  hub_reply_set (reply, "Vary", "Accept-Encoding");
}

struct MHD_Response *
hub_body_response (HubReply *reply, const HubBodyUse *use, gboolean gzip)
{
  Body *body = g_new0 (Body, 1);
  gboolean pack = gzip && reply->may_gzip && reply->length > 0;
  struct MHD_Response *response;

  if (pack)
    gzip_reply (reply);
  body->reply = reply;
  body->use = *use;
  if (use->fault != NULL)
    hub_fault_ref (body->use.fault);
  response = MHD_create_response_from_callback (pack ? MHD_SIZE_UNKNOWN : reply->length,
                                                BLOCK_BYTES, on_read, body, on_free);
  for (guint i = 0; i < reply->headers->len; i += 2)
    MHD_add_response_header (response, g_ptr_array_index (reply->headers, i),
                             g_ptr_array_index (reply->headers, i + 1));
  return response;
}
