/* lan-slots.c - who may upload now; see lan-server.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A slot belongs to an address: one upload each, so that nobody gets a second share of the uplink by
 * opening a second connection. Whoever must wait is suspended in a queue and gets its turn in order, but
 * one whose address is being served does not hold up those behind it.
 */

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#include "transfer/http/lan-private.h"

/* Bytes the other end has acknowledged on this connection, ever. sendfile() gives no other sight of progress. */
static guint64
acked_bytes (int fd)
{
  struct tcp_info info = { 0 };
  socklen_t n = sizeof info;

  if (getsockopt (fd, IPPROTO_TCP, TCP_INFO, &info, &n) != 0 ||
      n < offsetof (struct tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked)
    return 0;
  return info.tcpi_bytes_acked;
}

static gboolean
client_has_gone (int fd)
{
  char byte;
  ssize_t n = recv (fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

  return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static void
give (ExoLanRequest *request)
{
  request->has_slot = TRUE;
  request->progress_us = request->slow_us = g_get_monotonic_time ();
  request->acked = request->slow_acked = acked_bytes (request->conn->fd);
  g_hash_table_insert (request->server->uploads, request->conn->address, request);
  exo_lan_pace_begun_locked (request);
}

static gboolean
may_upload (ExoLanServer *server, ExoLanRequest *request)
{
  return g_hash_table_size (server->uploads) < server->slots &&
         !g_hash_table_contains (server->uploads, request->conn->address);
}

LanSlot
exo_lan_slot_take_locked (ExoLanRequest *request)
{
  ExoLanServer *server = request->server;

  if (may_upload (server, request))
    {
      give (request);
      return LAN_SLOT_GIVEN;
    }
  if (server->closing || g_queue_get_length (&server->queue) >= EXO_LAN_QUEUE_MAX)
    return LAN_SLOT_REFUSED;
  g_queue_push_tail (&server->queue, request);
  exo_lan_suspend_locked (request, LAN_REQUEST_QUEUED);
  exo_lan_tick_locked (server);
  return LAN_SLOT_QUEUED;
}

void
exo_lan_slot_release_locked (ExoLanRequest *request)
{
  ExoLanServer *server = request->server;
  GList *link, *next;

  if (!request->has_slot)
    return;
  request->has_slot = FALSE;
  g_hash_table_remove (server->uploads, request->conn->address);
  exo_lan_pace_ended_locked (server);
  for (link = server->queue.head; link != NULL; link = next)
    {
      ExoLanRequest *waiting = link->data;

      next = link->next;
      if (g_hash_table_size (server->uploads) >= server->slots)
        return;
      if (!may_upload (server, waiting))
        continue;
      g_queue_delete_link (&server->queue, link);
      if (client_has_gone (waiting->conn->fd))
        {
          exo_lan_resume_locked (waiting, LAN_REQUEST_GONE);
          continue;
        }
      give (waiting);
      exo_lan_resume_locked (waiting, LAN_REQUEST_READY);
    }
}

/* Ends an upload that holds its slot without using it. Its connection is shut down, and the slot comes back when libmicrohttpd notices. */
static void
watch_one (ExoLanRequest *request, gint64 now_us)
{
  guint64 acked = acked_bytes (request->conn->fd);
  guint64 least = exo_lan_pace_least_locked (request->server, EXO_LAN_SLOW_RATE);

  if (acked > request->acked)
    {
      request->acked = acked;
      request->progress_us = now_us;
    }
  if (now_us - request->slow_us >= EXO_LAN_SLOW_S * G_USEC_PER_SEC)
    {
      if (acked - request->slow_acked < least * EXO_LAN_SLOW_S)
        shutdown (request->conn->fd, SHUT_RDWR);
      request->slow_us = now_us;
      request->slow_acked = acked;
    }
  if (now_us - request->progress_us >= EXO_LAN_STALL_S * G_USEC_PER_SEC)
    shutdown (request->conn->fd, SHUT_RDWR);
}

/* Once a second, only while somebody waits. */
void
exo_lan_slots_watch_locked (ExoLanServer *server, gint64 now_us)
{
  GHashTableIter iter;
  gpointer request;

  g_hash_table_iter_init (&iter, server->uploads);
  while (g_hash_table_iter_next (&iter, NULL, &request))
    watch_one (request, now_us);
}
