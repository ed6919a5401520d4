/* dbus-node.c - org.exo.Agent1.Node
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/dbus-private.h"

char *
exo_dbus_node_path (ExoNode *node)
{
  ExoNodeInfo info;

  exo_node_get_info (node, &info);
  return g_strdup_printf (EXO_DBUS_PATH "/node/%s", info.id);
}

static void
on_changed (ExoNode *node, ExoAgent1Node *iface)
{
  static const char *const none[] = { NULL };
  ExoNodeInfo info;
  g_autofree char *name = NULL;

  exo_node_get_info (node, &info);
  name = exo_dbus_text (info.name);
  exo_agent1_node_set_id (iface, info.id);
  exo_agent1_node_set_name (iface, name);
  exo_agent1_node_set_self (iface, info.self);
  exo_agent1_node_set_addresses (iface, info.addresses != NULL ? info.addresses : none);
  exo_agent1_node_set_address (iface, info.address != NULL ? info.address : "");
  exo_agent1_node_set_link (iface, info.link != NULL ? info.link : "");
  exo_agent1_node_set_link_speed (iface, info.link_speed);
  exo_agent1_node_set_state (iface, info.state);
  exo_agent1_node_set_hub_reachable (iface, info.hub_reachable);
  exo_agent1_node_set_models (iface, info.models != NULL ? info.models : none);
  exo_agent1_node_set_exo_state (iface, info.exo_state != NULL ? info.exo_state : "");
  exo_agent1_node_set_exo_models (iface, info.exo_models != NULL ? info.exo_models : none);
  exo_agent1_node_set_rate_in (iface, info.rate_in);
  exo_agent1_node_set_rate_out (iface, info.rate_out);
}

ExoObjectSkeleton *
exo_dbus_node_object_new (ExoNode *node)
{
  g_autofree char *path = exo_dbus_node_path (node);
  g_autoptr (ExoAgent1Node) iface = exo_agent1_node_skeleton_new ();
  ExoObjectSkeleton *object = exo_object_skeleton_new (path);

  g_signal_connect_object (node, "changed", G_CALLBACK (on_changed), iface, 0);
  on_changed (node, iface);
  exo_object_skeleton_set_agent1_node (object, iface);
  return object;
}
