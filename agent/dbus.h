/* dbus.h - the engine on the session bus, as agent/org.exo.Agent1.xml says
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Exports org.exo.Agent1 and the object manager at /org/exo/Agent1, one object for each transfer and
 * node of the engine below it, and owns the bus name. Holds no state of its own: methods become calls
 * of the engine, properties follow its "changed" signals, which are limited to four a second there.
 *
 * Main thread only; needs a running main loop.
 */

#pragma once

#include <gio/gio.h>

#include "transfer/engine.h"

G_BEGIN_DECLS

#define EXO_DBUS_NAME      "org.exo.Agent1"
#define EXO_DBUS_PATH      "/org/exo/Agent1"
#define EXO_DBUS_GLOBS_MAX 1024u /* include and exclude globs of one Pull, each */

typedef struct ExoDbus ExoDbus;

typedef struct
{
  const char *version;
  const char *node_id; /* 32 hex digits */
  const char *node_name;
  GBusNameOwnerFlags name_flags;
} ExoDbusConfig;

typedef struct
{
  /* (nullable): the name is ours and all is exported: tell systemd, log it */
  void (*name_acquired) (ExoDbus *dbus, gpointer user_data);
  /* The name went to another agent, was never to be had, or the bus is gone: the agent has to stop.
   * @why: a sentence for the log. Free the ExoDbus later, not from within. */
  void (*name_lost) (ExoDbus *dbus, const char *why, gpointer user_data);
  /* (nullable): the "mdns" finding, which Diagnose puts in front of the engine's. (transfer full) */
  ExoFinding *(*mdns_finding) (ExoDbus *dbus, gpointer user_data);
} ExoDbusCallbacks;

/**
 * exo_dbus_new:
 * @connection: kept; no longer exits the process when it closes
 * @engine: kept
 * @config: copied
 * @callbacks: copied; never called from within this function
 * @error: of the export; the name comes later, by callback
 *
 * Returns: (transfer full) (nullable): everything exported, the name asked for
 */
ExoDbus *exo_dbus_new (GDBusConnection *connection,
                       ExoEngine *engine,
                       const ExoDbusConfig *config,
                       const ExoDbusCallbacks *callbacks,
                       gpointer user_data,
                       GError **error);
/* Gives the name up and takes the objects away; %NULL is fine. Calls under way still get their answer. */
void exo_dbus_free (ExoDbus *dbus);

/* @state: "off", "no-daemon", "starting" or "running" (property DiscoveryState; "starting" at first) */
void exo_dbus_set_discovery_state (ExoDbus *dbus, const char *state);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoDbus, exo_dbus_free)

G_END_DECLS
