/* lan-pace.c - how fast uploads may go, all together; see lan-server.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The kernel keeps the pace of each connection (SO_MAX_PACING_RATE, which TCP does by itself since Linux 4.13, whatever the
 * queueing discipline): sendfile() stays what it is, and without a limit nothing happens here. The rate is shared out evenly
 * among the connections with an upload; what one does not use is not given to others before an upload begins or ends.
 *
 * An upload is over for libmicrohttpd when its last byte is in the socket's buffer. Its connection counts until that is empty,
 * and TCP_NOTSENT_LOWAT keeps the buffer small: otherwise of pieces of 256 KiB half as much again would go out.
 */

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "transfer/http/lan-private.h"

#define BUFFERED_BYTES (64 * 1024)

/* @rate: 0: any */
static void
set_pace (int fd, guint64 rate)
{
  const guint64 pace = rate > 0 ? rate : G_MAXUINT64;
  const int buffered = rate > 0 ? BUFFERED_BYTES : 0;

  setsockopt (fd, SOL_SOCKET, SO_MAX_PACING_RATE, &pace, sizeof pace);
  setsockopt (fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &buffered, sizeof buffered);
}

static gboolean
is_sending (const LanConn *conn)
{
  int n = 0;

  return (conn->request != NULL && conn->request->has_slot) ||
         (ioctl (conn->fd, SIOCOUTQ, &n) == 0 && n > 0);
}

/* (transfer container) (element-type LanConn): those that count; others are let go. */
static GPtrArray *
paced_locked (ExoLanServer *server)
{
  GPtrArray *paced = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, server->conns);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      LanConn *conn = key;

      if (!conn->paced)
        continue;
      conn->paced = server->rate > 0 && is_sending (conn);
      if (conn->paced)
        g_ptr_array_add (paced, conn);
      else
        set_pace (conn->fd, 0);
    }
  return paced;
}

static void
share_out_locked (ExoLanServer *server)
{
  g_autoptr (GPtrArray) paced = paced_locked (server);

  for (guint i = 0; i < paced->len; i++)
    set_pace (((LanConn *) g_ptr_array_index (paced, i))->fd, MAX (server->rate / paced->len, 1));
}

void
exo_lan_pace_begun_locked (ExoLanRequest *request)
{
  if (request->server->rate == 0)
    return;
  request->conn->paced = TRUE;
  share_out_locked (request->server);
}

void
exo_lan_pace_ended_locked (ExoLanServer *server)
{
  if (server->rate > 0)
    share_out_locked (server);
}

guint64
exo_lan_pace_least_locked (ExoLanServer *server, guint64 usual)
{
  return server->rate > 0 ? MIN (usual, server->rate / server->slots / 2) : usual;
}

void
exo_lan_server_set_rate (ExoLanServer *server, guint64 rate)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&server->lock);
  GHashTableIter iter;
  gpointer value;

  server->rate = rate;
  g_hash_table_iter_init (&iter, server->uploads);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    ((ExoLanRequest *) value)->conn->paced = TRUE;
  share_out_locked (server);
}
