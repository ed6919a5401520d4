/* dbus-private.h - what the files of the D-Bus service share
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#pragma once

#include "agent/dbus.h"
#include "agent/exo-agent-dbus.h"

G_BEGIN_DECLS

#define EXO_DBUS_ERROR_PREFIX "org.exo.Agent1.Error."

/* Answers with org.exo.Agent1.Error.NAME for @error (transfer full); anything outside EXO_TRANSFER_ERROR is Failed. */
void exo_dbus_return_error (GDBusMethodInvocation *invocation, GError *error);
/* The same with @name instead of the name that belongs to the code. */
void exo_dbus_return_named (GDBusMethodInvocation *invocation, const char *name, GError *error);

/* D-Bus strings are UTF-8 and the bus drops who breaks that; paths and messages need not be. (transfer full) */
char *exo_dbus_text (const char *text);

/* The object of one transfer or node; follows its "changed" signal as long as it lives. (transfer full) */
ExoObjectSkeleton *exo_dbus_transfer_object_new (ExoTransfer *transfer);
ExoObjectSkeleton *exo_dbus_node_object_new (ExoNode *node);
char *exo_dbus_transfer_path (ExoTransfer *transfer);
char *exo_dbus_node_path (ExoNode *node);

/* The methods of org.exo.Agent1, handled on @iface as long as both live. @dbus outlives @iface. */
void exo_dbus_connect_methods (ExoDbus *dbus, ExoEngine *engine, ExoAgent1 *iface);
/* SetLimits and ResetLimits, likewise. */
void exo_dbus_connect_limits (ExoDbus *dbus, ExoAgent1 *iface);
void exo_dbus_show_limits (ExoEngine *engine, ExoAgent1 *iface); /* as properties */
ExoEngine *exo_dbus_engine (ExoDbus *dbus);
/* (transfer full) (nullable) */
ExoFinding *exo_dbus_mdns_finding (ExoDbus *dbus);

G_END_DECLS
