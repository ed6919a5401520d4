/* peer-table.c - merges what is seen on each link into peers
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "discovery/peer-table.h"

#include <string.h>

typedef struct
{
  int interface, protocol;
  char *name;
  GInetSocketAddress *address;
  gboolean stale;
} Sighting;

typedef struct
{
  char *id;
  GPtrArray *sightings; /* (element-type Sighting), owned, oldest first */
  ExoPeer *told;        /* what the owner knows; NULL: nothing */
  gint64 doubted_until; /* 0: not doubted */
  gint64 failed_at;     /* the last time; 0 never */
  gint64 doubt;         /* us, as long as it lasted the last time */
  gboolean changed;     /* is in ->changes */
} Peer;

struct ExoPeerTable
{
  char *own_id;
  GHashTable *peers;  /* (element-type utf8 Peer), key inside the value, owned */
  GHashTable *by_key; /* (element-type utf8 Peer), key owned: which peer a sighting belongs to */
  GQueue changes;     /* (element-type Peer), borrowed */
  guint n_told;
  char *last_id;
};

static void
sighting_free (Sighting *sighting)
{
  g_free (sighting->name);
  g_clear_object (&sighting->address);
  g_free (sighting);
}

static void
exo_peer_free (ExoPeer *peer)
{
  if (peer == NULL)
    return;
  g_free (peer->id);
  g_free (peer->name);
  g_clear_pointer (&peer->addresses, g_ptr_array_unref);
  g_free (peer);
}

static void
peer_free (Peer *peer)
{
  g_free (peer->id);
  g_ptr_array_unref (peer->sightings);
  exo_peer_free (peer->told);
  g_free (peer);
}

ExoPeerTable *
exo_peer_table_new (const char *own_id)
{
  ExoPeerTable *table = g_new0 (ExoPeerTable, 1);

  table->own_id = g_strdup (own_id);
  table->peers = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) peer_free);
  table->by_key = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_queue_init (&table->changes);
  return table;
}

void
exo_peer_table_free (ExoPeerTable *table)
{
  if (table == NULL)
    return;
  g_queue_clear (&table->changes);
  g_hash_table_unref (table->by_key);
  g_hash_table_unref (table->peers);
  g_free (table->last_id);
  g_free (table->own_id);
  g_free (table);
}

gboolean
exo_service_name_is_valid (const char *name)
{
  gsize length = name != NULL ? strlen (name) : 0;

  if (length == 0 || length > EXO_SERVICE_NAME_MAX || !g_utf8_validate (name, -1, NULL))
    return FALSE;
  for (const char *at = name; *at != '\0'; at = g_utf8_next_char (at))
    if (g_unichar_iscntrl (g_utf8_get_char (at)))
      return FALSE;
  return TRUE;
}

static char *
key_string (const ExoSightingKey *key)
{
  return g_strdup_printf ("%d/%d/%s", key->interface, key->protocol, key->name);
}

static void
touch (ExoPeerTable *table, Peer *peer)
{
  if (peer->changed)
    return;
  peer->changed = TRUE;
  g_queue_push_tail (&table->changes, peer);
}

/* Addresses ------------------------------------------------------------------------------------ */

static int
address_rank (GInetSocketAddress *address)
{
  GInetAddress *ip = g_inet_socket_address_get_address (address);
  gboolean v4 = g_inet_address_get_family (ip) == G_SOCKET_FAMILY_IPV4;

  if (g_inet_address_get_is_loopback (ip))
    return 6;
  if (v4)
    return g_inet_address_get_is_site_local (ip)   ? 0
           : g_inet_address_get_is_link_local (ip) ? 1
                                                   : 4;
  if ((g_inet_address_to_bytes (ip)[0] & 0xfe) == 0xfc) /* RFC 4193 */
    return 2;
  return g_inet_address_get_is_link_local (ip) ? 3 : 5;
}

/* GLib has one of IPv6 addresses only, and complains when asked for another. */
static guint32
scope_of (GInetSocketAddress *address)
{
  return g_socket_address_get_family (G_SOCKET_ADDRESS (address)) == G_SOCKET_FAMILY_IPV6
             ? g_inet_socket_address_get_scope_id (address)
             : 0;
}

static gint
compare_addresses (gconstpointer a, gconstpointer b)
{
  GInetSocketAddress *left = *(GInetSocketAddress *const *) a;
  GInetSocketAddress *right = *(GInetSocketAddress *const *) b;
  GInetAddress *left_ip = g_inet_socket_address_get_address (left);
  GInetAddress *right_ip = g_inet_socket_address_get_address (right);
  guint32 left_scope = scope_of (left);
  guint32 right_scope = scope_of (right);
  gsize left_size = g_inet_address_get_native_size (left_ip);
  int order = address_rank (left) - address_rank (right);

  if (order == 0) /* loopback has both families */
    order = (int) left_size - (int) g_inet_address_get_native_size (right_ip);
  if (order == 0)
    order =
        memcmp (g_inet_address_to_bytes (left_ip), g_inet_address_to_bytes (right_ip), left_size);
  if (order == 0)
    order = (left_scope > right_scope) - (left_scope < right_scope);
  if (order == 0)
    order = g_inet_socket_address_get_port (left) - g_inet_socket_address_get_port (right);
  return order;
}

static gboolean
address_is_usable (GInetSocketAddress *address, gboolean local)
{
  GInetAddress *ip = g_inet_socket_address_get_address (address);

  return g_inet_socket_address_get_port (address) != 0 && !g_inet_address_get_is_any (ip) &&
         !g_inet_address_get_is_multicast (ip) && (local || !g_inet_address_get_is_loopback (ip));
}

static gboolean
same_address (GInetSocketAddress *a, GInetSocketAddress *b)
{
  return compare_addresses (&a, &b) == 0;
}

/* What the owner should know of @peer now: NULL if it is gone or in doubt. */
static ExoPeer *
describe (const Peer *peer)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new ();
  const Sighting *newest;
  ExoPeer *told;

  if (peer->sightings->len == 0 || peer->doubted_until != 0)
    return NULL;
  for (guint i = 0; i < peer->sightings->len; i++)
    g_ptr_array_add (all, ((Sighting *) g_ptr_array_index (peer->sightings, i))->address);
  g_ptr_array_sort (all, compare_addresses);

  newest = g_ptr_array_index (peer->sightings, peer->sightings->len - 1);
  told = g_new0 (ExoPeer, 1);
  told->id = g_strdup (peer->id);
  told->name = g_strdup (newest->name);
  told->addresses = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < all->len && told->addresses->len < EXO_DISCOVERY_ADDRESSES_MAX; i++)
    if (i == 0 || !same_address (g_ptr_array_index (all, i - 1), g_ptr_array_index (all, i)))
      g_ptr_array_add (told->addresses, g_object_ref (g_ptr_array_index (all, i)));
  return told;
}

static gboolean
same_peer (const ExoPeer *a, const ExoPeer *b)
{
  if (a == NULL || b == NULL)
    return a == b;
  if (strcmp (a->name, b->name) != 0 || a->addresses->len != b->addresses->len)
    return FALSE;
  for (guint i = 0; i < a->addresses->len; i++)
    if (!same_address (g_ptr_array_index (a->addresses, i), g_ptr_array_index (b->addresses, i)))
      return FALSE;
  return TRUE;
}

/* Sightings ------------------------------------------------------------------------------------ */

static gint
find_sighting (const Peer *peer, const ExoSightingKey *key)
{
  for (guint i = 0; i < peer->sightings->len; i++)
    {
      const Sighting *sighting = g_ptr_array_index (peer->sightings, i);

      if (sighting->interface == key->interface && sighting->protocol == key->protocol &&
          strcmp (sighting->name, key->name) == 0)
        return (gint) i;
    }
  return -1;
}

void
exo_peer_table_unset (ExoPeerTable *table, const ExoSightingKey *key)
{
  g_autofree char *string = key_string (key);
  Peer *peer = g_hash_table_lookup (table->by_key, string);

  if (peer == NULL)
    return;
  g_hash_table_remove (table->by_key, string);
  g_ptr_array_remove_index (peer->sightings, (guint) find_sighting (peer, key));
  touch (table, peer);
}

static Peer *
ensure_peer (ExoPeerTable *table, const char *id, GError **error)
{
  Peer *peer = g_hash_table_lookup (table->peers, id);

  if (peer != NULL)
    return peer;
  if (g_hash_table_size (table->peers) >= EXO_DISCOVERY_PEERS_MAX)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "more than %u peers",
                   EXO_DISCOVERY_PEERS_MAX);
      return NULL;
    }
  peer = g_new0 (Peer, 1);
  peer->id = g_strdup (id);
  peer->sightings = g_ptr_array_new_with_free_func ((GDestroyNotify) sighting_free);
  g_hash_table_insert (table->peers, peer->id, peer);
  return peer;
}

static gboolean
add_sighting (ExoPeerTable *table,
              const ExoSightingKey *key,
              const ExoSighting *sighting,
              GError **error)
{
  Peer *peer = ensure_peer (table, sighting->id, error);
  Sighting *added;

  if (peer == NULL)
    return FALSE;
  if (peer->sightings->len >= EXO_SIGHTINGS_OF_PEER_MAX)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "peer %s is seen in more than %u ways",
                   peer->id, EXO_SIGHTINGS_OF_PEER_MAX);
      return FALSE;
    }
  if (peer->sightings->len == 0) /* it was gone, whatever it did before */
    peer->doubted_until = 0;
  added = g_new0 (Sighting, 1);
  added->interface = key->interface;
  added->protocol = key->protocol;
  added->name = g_strdup (key->name);
  added->address = g_object_ref (sighting->address);
  g_ptr_array_add (peer->sightings, added);
  g_hash_table_insert (table->by_key, key_string (key), peer);
  touch (table, peer);
  return TRUE;
}

static void
update_sighting (ExoPeerTable *table, Peer *peer, gint index, const ExoSighting *sighting)
{
  Sighting *known = g_ptr_array_index (peer->sightings, index);
  gboolean moved = !same_address (known->address, sighting->address);

  if (moved)
    g_set_object (&known->address, sighting->address);
  if (moved || sighting->fresh)
    peer->doubted_until = 0;
  known->stale = FALSE;
  touch (table, peer);
}

gboolean
exo_peer_table_set (ExoPeerTable *table,
                    const ExoSightingKey *key,
                    const ExoSighting *sighting,
                    GError **error)
{
  g_autofree char *string = key_string (key);
  Peer *before = g_hash_table_lookup (table->by_key, string);

  if (!exo_node_id_is_valid (sighting->id) || !exo_service_name_is_valid (key->name) ||
      !address_is_usable (sighting->address, sighting->local))
    {
      exo_peer_table_unset (table, key);
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "its id, name, address or port is not one to use");
      return FALSE;
    }
  if (before != NULL && strcmp (before->id, sighting->id) == 0)
    {
      update_sighting (table, before, find_sighting (before, key), sighting);
      return TRUE;
    }
  exo_peer_table_unset (table, key);
  if (strcmp (sighting->id, table->own_id) == 0)
    return TRUE;
  return add_sighting (table, key, sighting, error);
}

static void
drop_stale (ExoPeerTable *table, Peer *peer)
{
  for (guint i = peer->sightings->len; i-- > 0;)
    {
      const Sighting *sighting = g_ptr_array_index (peer->sightings, i);
      ExoSightingKey key = { sighting->interface, sighting->protocol, sighting->name };

      if (sighting->stale)
        exo_peer_table_unset (table, &key);
    }
}

void
exo_peer_table_mark_stale (ExoPeerTable *table)
{
  GHashTableIter iter;
  Peer *peer;

  g_hash_table_iter_init (&iter, table->peers);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &peer))
    for (guint i = 0; i < peer->sightings->len; i++)
      ((Sighting *) g_ptr_array_index (peer->sightings, i))->stale = TRUE;
}

void
exo_peer_table_purge_stale (ExoPeerTable *table)
{
  GHashTableIter iter;
  Peer *peer;

  g_hash_table_iter_init (&iter, table->peers);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &peer))
    drop_stale (table, peer);
}

gboolean
exo_peer_table_has_name (ExoPeerTable *table, const char *name)
{
  GHashTableIter iter;
  Peer *peer;

  g_hash_table_iter_init (&iter, table->peers);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &peer))
    for (guint i = 0; i < peer->sightings->len; i++)
      if (strcmp (((Sighting *) g_ptr_array_index (peer->sightings, i))->name, name) == 0)
        return TRUE;
  return FALSE;
}

GArray *
exo_peer_table_sightings (ExoPeerTable *table, const char *id)
{
  GArray *keys = g_array_new (FALSE, FALSE, sizeof (ExoSightingKey));
  Peer *peer = g_hash_table_lookup (table->peers, id);

  for (guint i = 0; peer != NULL && i < peer->sightings->len; i++)
    {
      const Sighting *sighting = g_ptr_array_index (peer->sightings, i);
      ExoSightingKey key = { sighting->interface, sighting->protocol, sighting->name };

      g_array_append_val (keys, key);
    }
  return keys;
}

/* Doubt ---------------------------------------------------------------------------------------- */

void
exo_peer_table_fail (ExoPeerTable *table, const char *id, gint64 now_us)
{
  Peer *peer = g_hash_table_lookup (table->peers, id);

  if (peer == NULL)
    return;
  if (peer->failed_at == 0 || now_us - peer->failed_at > EXO_DOUBT_FORGET_US)
    peer->doubt = EXO_DOUBT_FIRST_US;
  else if (peer->doubted_until == 0)
    peer->doubt = MIN (2 * peer->doubt, EXO_DOUBT_MAX_US);
  peer->failed_at = now_us;
  peer->doubted_until = now_us + peer->doubt;
  drop_stale (table, peer);
  touch (table, peer);
}

gint64
exo_peer_table_deadline (ExoPeerTable *table)
{
  gint64 deadline = -1;
  GHashTableIter iter;
  Peer *peer;

  g_hash_table_iter_init (&iter, table->peers);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &peer))
    if (peer->doubted_until != 0 && (deadline < 0 || peer->doubted_until < deadline))
      deadline = peer->doubted_until;
  return deadline;
}

void
exo_peer_table_tick (ExoPeerTable *table, gint64 now_us)
{
  GHashTableIter iter;
  Peer *peer;

  g_hash_table_iter_init (&iter, table->peers);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &peer))
    if (peer->doubted_until != 0 && peer->doubted_until <= now_us)
      {
        peer->doubted_until = 0;
        touch (table, peer);
      }
}

/* Changes -------------------------------------------------------------------------------------- */

guint
exo_peer_table_n_peers (ExoPeerTable *table)
{
  return table->n_told;
}

/* Replaces what the owner knows; TRUE if that is news. */
static gboolean
tell (ExoPeerTable *table, Peer *peer)
{
  ExoPeer *now = describe (peer);

  if (same_peer (peer->told, now))
    {
      exo_peer_free (now);
      return FALSE;
    }
  table->n_told += (now != NULL) - (peer->told != NULL);
  g_clear_pointer (&peer->told, exo_peer_free);
  peer->told = now;
  return TRUE;
}

gboolean
exo_peer_table_next_change (ExoPeerTable *table, const char **out_id, const ExoPeer **out_peer)
{
  Peer *peer;

  while ((peer = g_queue_pop_head (&table->changes)) != NULL)
    {
      gboolean news = tell (table, peer);

      peer->changed = FALSE;
      if (news)
        {
          g_free (table->last_id);
          table->last_id = g_strdup (peer->id);
        }
      *out_peer = peer->told;
      if (peer->sightings->len == 0)
        g_hash_table_remove (table->peers, peer->id);
      if (news)
        {
          *out_id = table->last_id;
          return TRUE;
        }
    }
  return FALSE;
}
