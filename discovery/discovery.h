/* discovery.h - who is out there
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Publishes this node as _exo-agent._tcp and browses for others, through the system's avahi-daemon, on every
 * interface and both address families. Main thread only. Survives restarts of avahi-daemon and name collisions; where there is no
 * daemon it waits, without polling, until one appears on the bus. Knows nothing of transfers.
 *
 * TXT record (discovery/txt.h): v=1, id=<32 hex>; nothing about the models held.
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define EXO_DISCOVERY_SERVICE       "_exo-agent._tcp"
#define EXO_DISCOVERY_PEERS_MAX     1024u
#define EXO_DISCOVERY_ADDRESSES_MAX 16u /* of one peer */

typedef struct ExoDiscovery ExoDiscovery;

typedef struct
{
  char *id;   /* 32 lower-case hex digits */
  char *name; /* host name as announced, UTF-8, no control characters, at most 63 bytes */
  GPtrArray *
      addresses; /* GInetSocketAddress, not empty; IPv4 before IPv6 link-local (with its scope), private before others */
} ExoPeer;

typedef enum
{
  EXO_DISCOVERY_OFF,       /* switched off by configuration */
  EXO_DISCOVERY_NO_DAEMON, /* avahi-daemon does not answer on the system bus */
  EXO_DISCOVERY_STARTING,
  EXO_DISCOVERY_RUNNING, /* published and browsing */
} ExoDiscoveryState;

typedef struct
{
  /* New, or its name or addresses changed. @peer is borrowed. Never this node itself. */
  void (*peer_seen) (ExoDiscovery *discovery, const ExoPeer *peer, gpointer user_data);
  /* Goodbye, or expired on every interface. */
  void (*peer_gone) (ExoDiscovery *discovery, const char *id, gpointer user_data);
  void (*state_changed) (ExoDiscovery *discovery,
                         ExoDiscoveryState state,
                         const char *detail,
                         gpointer user_data);
  /* (nullable): exo_discovery_is_settled() has become TRUE; once, after the peers were told. */
  void (*settled) (ExoDiscovery *discovery, gpointer user_data);
} ExoDiscoveryCallbacks;

/* The callbacks must not free the discovery. The functions that ask take NULL for a discovery that is switched off.
 *
 * @id: this node's; @name: the service name to ask for (host name); callbacks come from the main context. Starts at once. */
ExoDiscovery *exo_discovery_new (const char *id,
                                 const char *name,
                                 guint16 port,
                                 const ExoDiscoveryCallbacks *callbacks,
                                 gpointer user_data);
void exo_discovery_free (ExoDiscovery *discovery); /* says goodbye */

ExoDiscoveryState exo_discovery_state (ExoDiscovery *discovery);
/* What is to be said of the state, in the user's language; @discovery is not NULL. */
const char *exo_discovery_detail (ExoDiscovery *discovery);
const char *exo_discovery_service_name (
    ExoDiscovery *discovery); /* as published, maybe "host #2"; (nullable) */
guint exo_discovery_n_peers (ExoDiscovery *discovery);
/* TRUE once the first browse is exhausted and what it found is resolved: all neighbours present now are known. */
gboolean exo_discovery_is_settled (ExoDiscovery *discovery);
/* A peer that died silently: forget it, and ask mDNS again at once, so that it is back as soon as it answers. What
 * avahi-daemon only remembers of it is believed after 2 s, later 4 s, 8 s ... 64 s (discovery/peer-table.h). */
void exo_discovery_peer_failed (ExoDiscovery *discovery, const char *id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoDiscovery, exo_discovery_free)

G_END_DECLS
