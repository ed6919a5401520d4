/* discovery-private.h - what the files that know Avahi share
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#pragma once

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-client/publish.h>
#include <avahi-glib/glib-watch.h>

#include "discovery/discovery.h"
#include "discovery/peer-table.h"

G_BEGIN_DECLS

struct ExoDiscovery
{
  char *id;
  char *name; /* wanted, or the alternative in use */
  guint16 port;
  ExoDiscoveryCallbacks callbacks;
  gpointer user_data;

  AvahiGLibPoll *poll;
  AvahiClient *client;          /* (nullable) */
  AvahiEntryGroup *group;       /* (nullable) */
  AvahiServiceBrowser *browser; /* (nullable) */
  gboolean published;
  gboolean host_name_taken; /* by another machine; not published since */
  gboolean browsed;         /* the browser has said all it knows for now */

  GHashTable *lookups; /* (element-type utf8 Lookup), both owned; they are of lookups.c */
  GQueue waiting;      /* (element-type Lookup), borrowed: without a resolver yet */
  guint n_resolvers;
  ExoPeerTable *table;

  ExoDiscoveryState state, told_state;
  char *detail; /* what is to be said of the state */
  char *told_detail;
  gboolean settled;
  guint retry_s;

  guint start_source, tell_source, doubt_source, rest_source;
};

/* What has changed is told to the owner soon, from an idle source. */
void exo_discovery_schedule_tell (ExoDiscovery *self);
/* Why the client's last call failed. */
const char *exo_discovery_client_error (ExoDiscovery *self);

/* Lookups (lookups.c) -------------------------------------------------------------------------- */

void exo_lookups_init (ExoDiscovery *self);
void exo_lookups_clear (ExoDiscovery *self);

/* The browser reports a sighting, or that it is gone. */
void exo_lookups_add (ExoDiscovery *self,
                      AvahiIfIndex interface,
                      AvahiProtocol protocol,
                      const char *name,
                      gboolean local);
void exo_lookups_remove (ExoDiscovery *self,
                         AvahiIfIndex interface,
                         AvahiProtocol protocol,
                         const char *name);

/* Looks these up again. @keys: (element-type ExoSightingKey); those that have no lookup are left out */
void exo_lookups_renew (ExoDiscovery *self, const GArray *keys);
/* TRUE as long as a name that the table lacks may yet get there. */
gboolean exo_lookups_are_pending (ExoDiscovery *self);

G_END_DECLS
