/* peer-table.h - merges what is seen on each link into peers
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * mDNS reports a service once per interface and address family: a sighting. The sightings that carry the same
 * id are one peer, with the addresses of all of them, best first and each once:
 *
 *   0 private IPv4 (10/8, 172.16/12, 192.168/16), 1 link-local IPv4, 2 unique-local IPv6, 3 link-local IPv6 (with
 *   its scope), 4 other IPv4, 5 other IPv6, 6 loopback (only from the loopback interface or this very host)
 *
 * and within a rank in the order of their bytes, then scope, then port, so that a peer has one order whatever the order
 * of arrival. Its name is that of its newest sighting.
 *
 * Doubt. The resolver answers from a cache in which a peer that died lives on for some two minutes. A peer
 * that failed is therefore gone at once and what is known of it is not believed again before 2 s, 4 s, 8 s ... 64 s have passed
 * (once more each time it fails again within ten minutes), unless something about it is news: an answer
 * that does not come from the cache, another address or port, or its name going and coming back.
 *
 * Pure: time is an argument, changes are a queue. One owner; not thread-safe.
 */

#pragma once

#include "discovery/discovery.h"
#include "discovery/txt.h"

G_BEGIN_DECLS

#define EXO_SIGHTINGS_OF_PEER_MAX (2u * EXO_DISCOVERY_ADDRESSES_MAX)
#define EXO_SERVICE_NAME_MAX      63u /* bytes; one DNS label */
#define EXO_DOUBT_FIRST_US        (2 * G_USEC_PER_SEC)
#define EXO_DOUBT_MAX_US          (64 * G_USEC_PER_SEC)
#define EXO_DOUBT_FORGET_US       (600 * G_USEC_PER_SEC)

typedef struct ExoPeerTable ExoPeerTable;

/* What tells sightings apart. */
typedef struct
{
  int interface; /* index */
  int protocol;  /* of the mDNS packets, not of the address */
  const char *name;
} ExoSightingKey;

typedef struct
{
  const char *id;
  GInetSocketAddress *address;
  gboolean local; /* of this machine: may have a loopback address */
  gboolean fresh; /* came over the network just now, not from a cache */
} ExoSighting;

/* @own_id never appears. */
ExoPeerTable *exo_peer_table_new (const char *own_id);
void exo_peer_table_free (ExoPeerTable *table); /* NULL is fine */

/* @name is UTF-8 of 1 to 63 bytes without control characters. */
gboolean exo_service_name_is_valid (const char *name);

/* A sighting was resolved, for the first time or anew. @error (G_IO_ERROR_INVALID_DATA, G_IO_ERROR_NO_SPACE): it is not
 * one to use, and what the key held before is forgotten. This node itself is no error, and no peer. */
gboolean exo_peer_table_set (ExoPeerTable *table,
                             const ExoSightingKey *key,
                             const ExoSighting *sighting,
                             GError **error);
void exo_peer_table_unset (ExoPeerTable *table, const ExoSightingKey *key);

/* The resolver was lost and will start over: what it said stays, until purge() forgets what has not been set since.
 * A peer that fails meanwhile is forgotten. */
void exo_peer_table_mark_stale (ExoPeerTable *table);
void exo_peer_table_purge_stale (ExoPeerTable *table);

/* It did not answer. */
void exo_peer_table_fail (ExoPeerTable *table, const char *id, gint64 now_us);
/* When exo_peer_table_tick() has something to do; -1: never. */
gint64 exo_peer_table_deadline (ExoPeerTable *table);
void exo_peer_table_tick (ExoPeerTable *table, gint64 now_us);

gboolean exo_peer_table_has_name (ExoPeerTable *table, const char *name); /* some sighting has */
/* @id's sightings; keys borrowed until the next change. (transfer full) (element-type ExoSightingKey) */
GArray *exo_peer_table_sightings (ExoPeerTable *table, const char *id);
guint exo_peer_table_n_peers (ExoPeerTable *table); /* as told by next_change() */

/* The next peer that differs from what was told of it. *@out_peer is NULL if it is gone, else borrowed until the
 * next call; *@out_id likewise. */
gboolean
exo_peer_table_next_change (ExoPeerTable *table, const char **out_id, const ExoPeer **out_peer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoPeerTable, exo_peer_table_free)

G_END_DECLS
