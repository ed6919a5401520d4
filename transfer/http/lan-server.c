/* lan-server.c - see lan-server.h and lan-private.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The listening sockets are ours, one per LAN address, watched by the main loop; libmicrohttpd gets
 * accepted connections only (MHD_add_connection()). So the server listens on LAN addresses and on no
 * other, follows their changes, and counts connections before they cost anything.
 */

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transfer/error.h"
#include "transfer/http/acceptor.h"
#include "transfer/http/lan-private.h"
#include "transfer/http/reply.h"

#define THREADS           2u
#define STACK_BYTES       (128u * 1024u)
#define CONNECTION_MEMORY (32u * 1024u) /* headers, and the buffer of a stream */
#define USER_TIMEOUT_MS   5000          /* unacknowledged data for this long: the peer is dead */
#define PORT_TRIES        16

typedef struct
{
  GInetAddress *address; /* owned */
  ExoAcceptor *acceptor; /* owned */
  guint16 port;
} LanListener;

/* Shares ---------------------------------------------------------------------------------- */

static void
share_free (gpointer data)
{
  LanShare *share = data;

  close (share->fd);
  exo_piece_map_free (share->map);
  g_free (share);
}

/* @fd: (transfer full) */
LanShare *
exo_lan_share_new (int fd, guint64 size, const ExoPieceMap *map)
{
  LanShare *share = g_new0 (LanShare, 1);

  share->fd = fd;
  share->size = size;
  share->map = map != NULL ? exo_piece_map_copy (map) : NULL;
  share->used_us = g_get_monotonic_time ();
  return share;
}

static void
share_remove_locked (ExoLanServer *server, const char *oid)
{
  const LanShare *share = g_hash_table_lookup (server->shares, oid);

  if (share == NULL)
    return;
  server->n_lookups -= share->looked_up ? 1 : 0;
  g_hash_table_remove (server->shares, oid);
}

/* Drops the shares found by lookup that nobody asked for since @before_us. Returns: the oldest use of those left */
static gint64
expire_lookups_locked (ExoLanServer *server, gint64 before_us)
{
  gint64 oldest = G_MAXINT64;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, server->shares);
  while (server->n_lookups > 0 && g_hash_table_iter_next (&iter, NULL, &value))
    {
      const LanShare *share = value;

      if (!share->looked_up)
        continue;
      if (share->used_us > before_us)
        {
          oldest = MIN (oldest, share->used_us);
          continue;
        }
      server->n_lookups--;
      g_hash_table_iter_remove (&iter);
    }
  return oldest;
}

void
exo_lan_share_put_locked (ExoLanServer *server, const char *oid, LanShare *share)
{
  share_remove_locked (server, oid);
  if (share->looked_up)
    {
      if (server->n_lookups >= EXO_LAN_LOOKUPS_MAX)
        expire_lookups_locked (server, expire_lookups_locked (server, 0)); /* the oldest */
      server->n_lookups++;
      exo_lan_tick_locked (server);
    }
  g_hash_table_insert (server->shares, g_strdup (oid), share);
}

void
exo_lan_server_share (ExoLanServer *server,
                      const char *oid,
                      int fd,
                      guint64 size,
                      const ExoPieceMap *map)
{
  int copy = fcntl (fd, F_DUPFD_CLOEXEC, 0);

  g_return_if_fail (map == NULL || exo_piece_map_blob_size (map) == size);
  g_mutex_lock (&server->lock);
  if (copy < 0) /* no file left to open: what cannot be served is not shown */
    share_remove_locked (server, oid);
  else
    exo_lan_share_put_locked (server, oid, exo_lan_share_new (copy, size, map));
  g_mutex_unlock (&server->lock);
}

void
exo_lan_server_share_add (ExoLanServer *server, const char *oid, guint32 piece)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&server->lock);
  LanShare *share = g_hash_table_lookup (server->shares, oid);

  if (share != NULL && share->map != NULL)
    exo_piece_map_add (share->map, piece);
}

void
exo_lan_server_share_drop (ExoLanServer *server, const char *oid, guint32 piece)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&server->lock);
  LanShare *share = g_hash_table_lookup (server->shares, oid);

  if (share == NULL)
    return;
  if (share->map == NULL)
    {
      share->map = exo_piece_map_new (share->size);
      exo_piece_map_fill (share->map);
    }
  exo_piece_map_drop (share->map, piece);
}

void
exo_lan_server_unshare (ExoLanServer *server, const char *oid)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&server->lock);

  share_remove_locked (server, oid);
}

void
exo_lan_server_set_lookup (ExoLanServer *server,
                           int (*lookup) (const char *oid, guint64 *out_size, gpointer user_data),
                           gpointer user_data)
{
  server->lookup = lookup;
  server->lookup_data = user_data;
}

void
exo_lan_server_set_card (ExoLanServer *server,
                         void (*wanted) (ExoLanRequest *request, gpointer user_data),
                         gpointer user_data)
{
  server->card_wanted = wanted;
  server->card_data = user_data;
}

void
exo_lan_server_get_load (ExoLanServer *server, ExoLanLoad *out_load)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&server->lock);

  out_load->uploads = g_hash_table_size (server->uploads);
  out_load->queued = g_queue_get_length (&server->queue);
  out_load->connections = server->n_conns;
  out_load->bytes = server->bytes_served;
}

/* Connections ----------------------------------------------------------------------------- */

static char *
address_text (const struct sockaddr *sa)
{
  socklen_t n =
      sa->sa_family == AF_INET ? sizeof (struct sockaddr_in) : sizeof (struct sockaddr_in6);
  g_autoptr (GSocketAddress) address = g_socket_address_new_from_native ((gpointer) sa, n);

  return g_inet_address_to_string (
      g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address)));
}

static guint
count_from (ExoLanServer *server, const char *address)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (server->per_address, address));
}

/* One more connection from @address, unless that were too many. */
static gboolean
admit (ExoLanServer *server, const char *address)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&server->lock);
  guint n = count_from (server, address);

  if (server->n_conns >= EXO_LAN_CONNECTIONS_MAX || n >= EXO_LAN_PER_ADDRESS_MAX)
    return FALSE;
  server->n_conns++;
  g_hash_table_insert (server->per_address, g_strdup (address), GUINT_TO_POINTER (n + 1));
  exo_lan_tick_locked (server);
  return TRUE;
}

static void
dismiss_locked (ExoLanServer *server, const char *address)
{
  guint n = count_from (server, address);

  server->n_conns--;
  if (n > 1)
    g_hash_table_insert (server->per_address, g_strdup (address), GUINT_TO_POINTER (n - 1));
  else
    g_hash_table_remove (server->per_address, address);
}

LanConn *
exo_lan_conn_started_locked (ExoLanServer *server, struct MHD_Connection *connection)
{
  LanConn *conn = g_new0 (LanConn, 1);

  conn->address = address_text (
      MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
  conn->fd = MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
  conn->reading = TRUE;
  conn->since_us = g_get_monotonic_time ();
  g_hash_table_add (server->conns, conn);
  exo_lan_tick_locked (server);
  return conn;
}

static void
conn_free (gpointer data)
{
  LanConn *conn = data;

  g_free (conn->address);
  g_free (conn);
}

void
exo_lan_conn_closed_locked (ExoLanServer *server, LanConn *conn)
{
  dismiss_locked (server, conn->address);
  g_hash_table_remove (server->conns, conn);
}

/* libmicrohttpd's own timeout starts anew with every byte; this one does not, so nobody can hold a connection by sending one header a
 * second. Returns: whether some connection is still waiting for its request */
static gboolean
close_slow_locked (ExoLanServer *server, gint64 now_us)
{
  gboolean some = FALSE;
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, server->conns);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      LanConn *conn = key;

      if (!conn->reading)
        continue;
      some = TRUE;
      if (now_us - conn->since_us > EXO_LAN_IDLE_TIMEOUT_S * G_USEC_PER_SEC)
        shutdown (conn->fd, SHUT_RDWR);
    }
  return some;
}

static gboolean
on_tick (gpointer data)
{
  ExoLanServer *server = data;
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&server->lock);
  gint64 now_us = g_get_monotonic_time ();
  gboolean reading = close_slow_locked (server, now_us);

  g_clear_pointer (&server->tick, g_source_unref);
  if (server->n_lookups > 0)
    expire_lookups_locked (server, now_us - EXO_LAN_LOOKUP_IDLE_S * G_USEC_PER_SEC);
  if (server->queue.length > 0)
    exo_lan_slots_watch_locked (server, now_us);
  if (reading || server->n_lookups > 0 || server->queue.length > 0)
    exo_lan_tick_locked (server);
  return G_SOURCE_REMOVE;
}

/* Those who wait for a slot are looked after every second. For kept connections and opened files, which lie there for a while after the
 * last transfer, a look now and then is enough: an idle machine is not woken for them every second. */
void
exo_lan_tick_locked (ExoLanServer *server)
{
  guint delay_s = server->queue.length > 0 ? 1 : EXO_LAN_IDLE_TIMEOUT_S / 2;
  gint64 at_us = g_get_monotonic_time () + delay_s * G_USEC_PER_SEC;

  if (server->closing || (server->tick != NULL && server->tick_at_us <= at_us))
    return;
  if (server->tick != NULL)
    g_source_destroy (server->tick);
  g_clear_pointer (&server->tick, g_source_unref);
  server->tick_at_us = at_us;
  server->tick = g_timeout_source_new_seconds (delay_s);
  g_source_set_callback (server->tick, on_tick, server, NULL);
  g_source_attach (server->tick, server->context);
}

/* Listening ------------------------------------------------------------------------------- */

static gboolean
is_welcome (ExoLanServer *server, const struct sockaddr_storage *peer, socklen_t n)
{
  g_autoptr (GSocketAddress) address = g_socket_address_new_from_native ((gpointer) peer, n);
  GInetAddress *inet;

  if (!G_IS_INET_SOCKET_ADDRESS (address))
    return FALSE;
  inet = g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (address));
  return exo_lan_address_is_local (inet) ||
         (server->allow_loopback && g_inet_address_get_is_loopback (inet));
}

static void
watch_peer (int fd)
{
  const int on = 1, idle_s = 5, interval_s = 2, probes = 3, timeout_ms = USER_TIMEOUT_MS;

  setsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  setsockopt (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

static void
hand_over (int fd, const struct sockaddr_storage *peer, socklen_t n, gpointer data)
{
  ExoLanServer *server = data;
  g_autofree char *address = NULL;

  if (!is_welcome (server, peer, n))
    {
      close (fd);
      return;
    }
  address = address_text ((const struct sockaddr *) peer);
  if (!admit (server, address))
    {
      close (fd);
      return;
    }
  watch_peer (fd);
  if (MHD_add_connection (server->daemon, fd, (const struct sockaddr *) peer, n) == MHD_YES)
    return; /* also when it fails the socket is libmicrohttpd's, and closed */
  g_mutex_lock (&server->lock);
  dismiss_locked (server, address);
  g_mutex_unlock (&server->lock);
}

static void
listener_free (gpointer data)
{
  LanListener *listener = data;

  exo_acceptor_free (listener->acceptor);
  g_object_unref (listener->address);
  g_free (listener);
}

/* An IPv6 link-local address says nothing without its interface. */
static guint32
scope_of (GInetAddress *address)
{
  struct ifaddrs *all = NULL;
  guint32 scope = 0;

  if (g_inet_address_get_family (address) != G_SOCKET_FAMILY_IPV6 ||
      !g_inet_address_get_is_link_local (address) || getifaddrs (&all) != 0)
    return 0;
  for (struct ifaddrs *i = all; i != NULL && scope == 0; i = i->ifa_next)
    {
      const struct sockaddr_in6 *sa = (const struct sockaddr_in6 *) (const void *) i->ifa_addr;

      if (sa != NULL && sa->sin6_family == AF_INET6 &&
          memcmp (&sa->sin6_addr, g_inet_address_to_bytes (address), sizeof sa->sin6_addr) == 0)
        scope = sa->sin6_scope_id;
    }
  freeifaddrs (all);
  return scope;
}

/* Returns: a listening socket, -1 with errno set */
static int
open_listener (GInetAddress *address, guint16 port)
{
  g_autoptr (GSocketAddress) where =
      g_object_new (G_TYPE_INET_SOCKET_ADDRESS, "address", address, "port", (guint) port,
                    "scope-id", scope_of (address), NULL);
  gssize n = g_socket_address_get_native_size (where);
  struct sockaddr_storage native;

  if (n < 0 || (gsize) n > sizeof native ||
      !g_socket_address_to_native (where, &native, sizeof native, NULL))
    {
      errno = EAFNOSUPPORT;
      return -1;
    }
  return exo_listen_on (&native, (socklen_t) n);
}

static LanListener *
find_listener (GPtrArray *listeners, GInetAddress *address)
{
  for (guint i = 0; i < listeners->len; i++)
    {
      LanListener *listener = g_ptr_array_index (listeners, i);

      if (g_inet_address_equal (listener->address, address))
        return listener;
    }
  return NULL;
}

static void
add_listener (ExoLanServer *server, GPtrArray *listeners, GInetAddress *address, int fd)
{
  LanListener *listener = g_new0 (LanListener, 1);

  listener->address = g_object_ref (address);
  listener->port = exo_bound_port (fd);
  listener->acceptor = exo_acceptor_new (fd, server->context, hand_over, server);
  g_ptr_array_add (listeners, listener);
}

/* Binds those that are not bound yet, all to one port; 0: the first one chooses. Stops at an address where the port is taken if
 * @all_or_none. Returns: FALSE then */
static gboolean
bind_all (ExoLanServer *server,
          GPtrArray *addresses,
          guint16 port,
          gboolean all_or_none,
          GPtrArray *listeners)
{
  for (guint i = 0; i < addresses->len; i++)
    {
      GInetAddress *address = g_ptr_array_index (addresses, i);
      g_autofree char *text = g_inet_address_to_string (address);
      int fd;

      if (find_listener (listeners, address) != NULL)
        continue;
      fd = open_listener (address, port);
      if (fd < 0 && errno == EADDRINUSE && all_or_none)
        return FALSE;
      if (fd < 0)
        {
          g_warning ("cannot listen on %s port %u: %s", text, port, g_strerror (errno));
          continue;
        }
      port = exo_bound_port (fd);
      add_listener (server, listeners, address, fd);
    }
  return TRUE;
}

static GPtrArray *
allowed_addresses (GPtrArray *addresses, gboolean allow_loopback)
{
  GPtrArray *allowed = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < addresses->len; i++)
    {
      GInetAddress *address = g_ptr_array_index (addresses, i);

      if (exo_lan_address_is_local (address) ||
          (allow_loopback && g_inet_address_get_is_loopback (address)))
        g_ptr_array_add (allowed, g_object_ref (address));
    }
  return allowed;
}

static void
drop_listeners_not_in (GPtrArray *listeners, GPtrArray *addresses)
{
  for (guint i = listeners->len; i > 0; i--)
    {
      LanListener *listener = g_ptr_array_index (listeners, i - 1);

      if (!g_ptr_array_find_with_equal_func (addresses, listener->address,
                                             (GEqualFunc) g_inet_address_equal, NULL))
        g_ptr_array_remove_index (listeners, i - 1);
    }
}

/* The first time: one port that is free on all of them. */
static void
choose_port (ExoLanServer *server, GPtrArray *addresses, guint16 port)
{
  for (guint i = 0; i < PORT_TRIES; i++)
    {
      if (bind_all (server, addresses, i == 0 ? port : 0, i + 1 < PORT_TRIES, server->listeners))
        return;
      g_ptr_array_set_size (server->listeners, 0);
    }
}

gboolean
exo_lan_server_listen (ExoLanServer *server,
                       GPtrArray *addresses,
                       guint16 port,
                       gboolean allow_loopback,
                       GError **error)
{
  g_autoptr (GPtrArray) allowed = allowed_addresses (addresses, allow_loopback);
  const LanListener *first;

  server->allow_loopback = allow_loopback;
  drop_listeners_not_in (server->listeners, allowed);
  if (server->listeners->len > 0) /* the port is known to neighbours: keep it */
    bind_all (server, allowed, server->port, FALSE, server->listeners);
  else
    choose_port (server, allowed, server->port != 0 ? server->port : port);
  if (server->listeners->len == 0)
    {
      g_set_error_literal (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED,
                           allowed->len == 0 ? "this machine has no LAN address to listen on"
                                             : "cannot listen on any LAN address");
      return FALSE;
    }
  first = g_ptr_array_index (server->listeners, 0);
  server->port = first->port;
  return TRUE;
}

guint16
exo_lan_server_port (ExoLanServer *server)
{
  return server->port;
}

/* Life ------------------------------------------------------------------------------------ */

ExoLanServer *
exo_lan_server_ref (ExoLanServer *server)
{
  return g_atomic_rc_box_acquire (server);
}

static void
server_clear (gpointer data)
{
  ExoLanServer *server = data;

  g_hash_table_unref (server->conns);
  g_hash_table_unref (server->per_address);
  g_hash_table_unref (server->shares);
  g_hash_table_unref (server->uploads);
  g_hash_table_unref (server->streams);
  g_ptr_array_unref (server->listeners);
  g_main_context_unref (server->context);
  g_mutex_clear (&server->lock);
}

void
exo_lan_server_unref (ExoLanServer *server)
{
  g_atomic_rc_box_release_full (server, server_clear);
}

ExoLanServer *
exo_lan_server_new (guint slots,
                    const ExoLanCallbacks *callbacks,
                    gpointer user_data,
                    GError **error)
{
  ExoLanServer *server = g_atomic_rc_box_new0 (ExoLanServer);

  server->context = g_main_context_ref_thread_default ();
  server->callbacks = *callbacks;
  server->user_data = user_data;
  server->slots = MAX (slots, 1);
  g_mutex_init (&server->lock);
  g_queue_init (&server->queue);
  server->inbox = exo_inbox_new (server->context);
  server->conns = g_hash_table_new_full (NULL, NULL, conn_free, NULL);
  server->per_address = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  server->shares = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, share_free);
  server->uploads = g_hash_table_new (g_str_hash, g_str_equal);
  server->streams = g_hash_table_new (NULL, NULL);
  server->listeners = g_ptr_array_new_with_free_func (listener_free);
  server->daemon = MHD_start_daemon (
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET, 0, NULL,
      NULL, exo_lan_on_request, server, MHD_OPTION_THREAD_POOL_SIZE, THREADS,
      MHD_OPTION_THREAD_STACK_SIZE, (size_t) STACK_BYTES, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      (size_t) CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, EXO_LAN_IDLE_TIMEOUT_S,
      MHD_OPTION_CONNECTION_LIMIT, 2 * EXO_LAN_CONNECTIONS_MAX, MHD_OPTION_NOTIFY_COMPLETED,
      exo_lan_on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, exo_lan_on_connection, server,
      MHD_OPTION_UNESCAPE_CALLBACK, exo_leave_escaped, NULL, MHD_OPTION_END);
  if (server->daemon != NULL)
    return server;
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED,
               "cannot start the LAN server: %s", g_strerror (errno));
  g_clear_pointer (&server->inbox, exo_inbox_free);
  exo_lan_server_unref (server);
  return NULL;
}

/* libmicrohttpd cannot stop while a connection is suspended. */
static void
resume_all_locked (ExoLanServer *server)
{
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, server->conns);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      LanConn *conn = key;

      if (conn->request != NULL)
        exo_lan_resume_locked (conn->request, LAN_REQUEST_GONE);
      if (conn->request != NULL && conn->request->stream != NULL)
        exo_lan_stream_end_locked (conn->request->stream);
    }
  g_queue_clear (&server->queue);
}

static void
tell_streams_closed (ExoLanServer *server)
{
  g_autoptr (GList) streams = g_hash_table_get_keys (server->streams);

  for (GList *i = streams; i != NULL; i = i->next)
    if (g_hash_table_remove (server->streams, i->data))
      server->callbacks.stream_closed (server, i->data, server->user_data);
}

void
exo_lan_server_free (ExoLanServer *server)
{
  if (server == NULL)
    return;
  g_ptr_array_set_size (server->listeners, 0);
  tell_streams_closed (server);
  g_mutex_lock (&server->lock);
  server->closing = TRUE;
  resume_all_locked (server);
  if (server->tick != NULL)
    g_source_destroy (server->tick);
  g_clear_pointer (&server->tick, g_source_unref);
  g_mutex_unlock (&server->lock);
  MHD_stop_daemon (server->daemon);
  g_clear_pointer (&server->inbox, exo_inbox_free); /* nothing is told any more */
  exo_lan_server_unref (server);
}
