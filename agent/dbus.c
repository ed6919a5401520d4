/* dbus.c - see dbus.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/dbus-private.h"

struct ExoDbus
{
  ExoEngine *engine;
  GDBusConnection *connection;
  ExoAgent1 *iface;
  GDBusObjectManagerServer *manager;
  guint name_owner_id; /* of g_bus_own_name_on_connection(); 0: never asked */
  ExoDbusCallbacks callbacks;
  gpointer user_data;
};

/* Errors ---------------------------------------------------------------------------------------- */

/* Not g_dbus_error_register_error_domain(): that wants one wire name for each code, and here several
 * codes that a user acts on in the same way share one. */
void
exo_dbus_return_named (GDBusMethodInvocation *invocation, const char *name, GError *error)
{
  g_autofree char *wire_name = g_strconcat (EXO_DBUS_ERROR_PREFIX, name, NULL);
  g_autofree char *message = exo_dbus_text (error->message);

  g_dbus_method_invocation_return_dbus_error (invocation, wire_name, message);
  g_error_free (error);
}

void
exo_dbus_return_error (GDBusMethodInvocation *invocation, GError *error)
{
  int code = error->domain == EXO_TRANSFER_ERROR ? error->code : EXO_TRANSFER_ERROR_FAILED;

  exo_dbus_return_named (invocation, exo_transfer_error_name (code), error);
}

char *
exo_dbus_text (const char *text)
{
  return g_utf8_make_valid (text != NULL ? text : "", -1);
}

ExoFinding *
exo_dbus_mdns_finding (ExoDbus *dbus)
{
  return dbus->callbacks.mdns_finding != NULL ? dbus->callbacks.mdns_finding (dbus, dbus->user_data)
                                              : NULL;
}

ExoEngine *
exo_dbus_engine (ExoDbus *dbus)
{
  return dbus->engine;
}

/* Objects and properties ------------------------------------------------------------------------ */

static void
add_transfer (ExoDbus *dbus, ExoTransfer *transfer)
{
  g_autoptr (ExoObjectSkeleton) object = exo_dbus_transfer_object_new (transfer);

  g_dbus_object_manager_server_export (dbus->manager, G_DBUS_OBJECT_SKELETON (object));
}

static void
add_node (ExoDbus *dbus, ExoNode *node)
{
  g_autoptr (ExoObjectSkeleton) object = exo_dbus_node_object_new (node);

  g_dbus_object_manager_server_export (dbus->manager, G_DBUS_OBJECT_SKELETON (object));
}

static void
on_transfer_added (ExoEngine *engine, ExoTransfer *transfer, ExoDbus *dbus)
{
  add_transfer (dbus, transfer);
}

static void
on_transfer_removed (ExoEngine *engine, ExoTransfer *transfer, ExoDbus *dbus)
{
  g_autofree char *path = exo_dbus_transfer_path (transfer);

  g_dbus_object_manager_server_unexport (dbus->manager, path);
}

static void
on_node_added (ExoEngine *engine, ExoNode *node, ExoDbus *dbus)
{
  add_node (dbus, node);
}

static void
on_node_removed (ExoEngine *engine, ExoNode *node, ExoDbus *dbus)
{
  g_autofree char *path = exo_dbus_node_path (node);

  g_dbus_object_manager_server_unexport (dbus->manager, path);
}

static void
on_warning (ExoEngine *engine, const char *kind, const char *message, ExoDbus *dbus)
{
  g_autofree char *text = exo_dbus_text (message);

  exo_agent1_emit_warning (dbus->iface, kind, text, g_variant_new ("a{sv}", NULL));
}

static void
on_changed (ExoEngine *engine, ExoDbus *dbus)
{
  ExoEngineTotals totals;
  g_autofree char *hub_cache = NULL, *endpoint = NULL;

  exo_engine_get_totals (engine, &totals);
  hub_cache = exo_dbus_text (totals.hub_cache);
  endpoint = exo_dbus_text (totals.endpoint);
  exo_agent1_set_port (dbus->iface, exo_engine_port (engine));
  exo_agent1_set_endpoint (dbus->iface, endpoint);
  exo_agent1_set_local_endpoint (dbus->iface, totals.local_endpoint);
  exo_agent1_set_hub_reachable (dbus->iface, totals.hub_reachable);
  exo_agent1_set_cache_path (dbus->iface, hub_cache);
  exo_agent1_set_cache_bytes (dbus->iface, totals.cache_bytes);
  exo_agent1_set_free_bytes (dbus->iface, totals.free_bytes);
  exo_agent1_set_bytes_from_hub (dbus->iface, totals.bytes_from_hub);
  exo_agent1_set_bytes_from_lan (dbus->iface, totals.bytes_from_lan);
  exo_agent1_set_bytes_served (dbus->iface, totals.bytes_served);
  exo_dbus_show_limits (engine, dbus->iface);
}

static void
export_all (ExoDbus *dbus)
{
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (dbus->engine);
  g_autoptr (GPtrArray) nodes = exo_engine_nodes (dbus->engine);

  for (guint i = 0; i < transfers->len; i++)
    add_transfer (dbus, transfers->pdata[i]);
  for (guint i = 0; i < nodes->len; i++)
    add_node (dbus, nodes->pdata[i]);
  g_dbus_object_manager_server_set_connection (dbus->manager, dbus->connection);

  g_signal_connect (dbus->engine, "transfer-added", G_CALLBACK (on_transfer_added), dbus);
  g_signal_connect (dbus->engine, "transfer-removed", G_CALLBACK (on_transfer_removed), dbus);
  g_signal_connect (dbus->engine, "node-added", G_CALLBACK (on_node_added), dbus);
  g_signal_connect (dbus->engine, "node-removed", G_CALLBACK (on_node_removed), dbus);
  g_signal_connect (dbus->engine, "warning", G_CALLBACK (on_warning), dbus);
  g_signal_connect (dbus->engine, "changed", G_CALLBACK (on_changed), dbus);
}

/* The name -------------------------------------------------------------------------------------- */

static void
on_name_acquired (GDBusConnection *connection, const char *name, gpointer user_data)
{
  ExoDbus *dbus = user_data;

  if (dbus->callbacks.name_acquired != NULL)
    dbus->callbacks.name_acquired (dbus, dbus->user_data);
}

static void
on_name_lost (GDBusConnection *connection, const char *name, gpointer user_data)
{
  ExoDbus *dbus = user_data;
  const char *why = connection == NULL || g_dbus_connection_is_closed (connection)
                        ? "The session bus closed the connection"
                        : "Another agent owns the bus name " EXO_DBUS_NAME;

  dbus->callbacks.name_lost (dbus, why, dbus->user_data);
}

/* Life ------------------------------------------------------------------------------------------ */

ExoDbus *
exo_dbus_new (GDBusConnection *connection,
              ExoEngine *engine,
              const ExoDbusConfig *config,
              const ExoDbusCallbacks *callbacks,
              gpointer user_data,
              GError **error)
{
  g_autoptr (ExoDbus) dbus = g_new0 (ExoDbus, 1);
  g_autofree char *node_name = exo_dbus_text (config->node_name);

  dbus->engine = g_object_ref (engine);
  dbus->connection = g_object_ref (connection);
  dbus->iface = exo_agent1_skeleton_new ();
  dbus->manager = g_dbus_object_manager_server_new (EXO_DBUS_PATH);
  dbus->callbacks = *callbacks;
  dbus->user_data = user_data;

  g_dbus_connection_set_exit_on_close (connection, FALSE);
  exo_agent1_set_version (dbus->iface, config->version);
  exo_agent1_set_node_id (dbus->iface, config->node_id);
  exo_agent1_set_node_name (dbus->iface, node_name);
  exo_agent1_set_discovery_state (dbus->iface, "starting");
  on_changed (engine, dbus);
  exo_dbus_connect_methods (dbus, engine, dbus->iface);
  exo_dbus_connect_limits (dbus, dbus->iface);

  if (!g_dbus_interface_skeleton_export (G_DBUS_INTERFACE_SKELETON (dbus->iface), connection,
                                         EXO_DBUS_PATH, error))
    return NULL;
  export_all (dbus);
  dbus->name_owner_id = g_bus_own_name_on_connection (connection, EXO_DBUS_NAME, config->name_flags,
                                                      on_name_acquired, on_name_lost, dbus, NULL);
  return g_steal_pointer (&dbus);
}

void
exo_dbus_free (ExoDbus *dbus)
{
  if (dbus == NULL)
    return;
  g_signal_handlers_disconnect_by_data (dbus->engine, dbus);
  if (dbus->name_owner_id != 0)
    g_bus_unown_name (dbus->name_owner_id);
  g_dbus_object_manager_server_set_connection (dbus->manager, NULL);
  g_signal_handlers_disconnect_by_data (dbus->iface, dbus);
  if (g_dbus_interface_skeleton_get_connection (G_DBUS_INTERFACE_SKELETON (dbus->iface)) != NULL)
    g_dbus_interface_skeleton_unexport (G_DBUS_INTERFACE_SKELETON (dbus->iface));
  g_object_unref (dbus->manager);
  g_object_unref (dbus->iface);
  g_object_unref (dbus->connection);
  g_object_unref (dbus->engine);
  g_free (dbus);
}

void
exo_dbus_set_discovery_state (ExoDbus *dbus, const char *state)
{
  exo_agent1_set_discovery_state (dbus->iface, state);
}
