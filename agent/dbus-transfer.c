/* dbus-transfer.c - org.exo.Agent1.Transfer
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/dbus-private.h"

char *
exo_dbus_transfer_path (ExoTransfer *transfer)
{
  ExoTransferInfo info;

  exo_transfer_get_info (transfer, &info);
  return g_strdup_printf (EXO_DBUS_PATH "/transfer/%u", info.id);
}

/* The skeleton compares: only what differs goes into PropertiesChanged, one signal a main loop turn. */
static void
on_changed (ExoTransfer *transfer, ExoAgent1Transfer *iface)
{
  static const char *const none[] = { NULL };
  ExoTransferInfo info;
  g_autofree char *message = NULL;

  exo_transfer_get_info (transfer, &info);
  message = exo_dbus_text (info.error_message);
  exo_agent1_transfer_set_id (iface, info.id);
  exo_agent1_transfer_set_model (iface, info.model);
  exo_agent1_transfer_set_type_ (iface, exo_repo_type_name (info.type));
  exo_agent1_transfer_set_revision (iface, info.revision);
  exo_agent1_transfer_set_include (iface, info.includes != NULL ? info.includes : none);
  exo_agent1_transfer_set_exclude (iface, info.excludes != NULL ? info.excludes : none);
  exo_agent1_transfer_set_on_demand (iface, info.on_demand);
  exo_agent1_transfer_set_commit (iface, info.commit);
  exo_agent1_transfer_set_state (iface, exo_transfer_state_name (info.state));
  exo_agent1_transfer_set_bytes_total (iface, info.bytes_total);
  exo_agent1_transfer_set_bytes_done (iface, MIN (info.bytes_done, info.bytes_total));
  exo_agent1_transfer_set_bytes_from_hub (iface, info.bytes_from_hub);
  exo_agent1_transfer_set_bytes_from_lan (iface, info.bytes_from_lan);
  exo_agent1_transfer_set_files_total (iface, info.files_total);
  exo_agent1_transfer_set_files_done (iface, info.files_done);
  exo_agent1_transfer_set_rate (iface, info.rate);
  exo_agent1_transfer_set_eta (iface, info.eta_s);
  exo_agent1_transfer_set_started (iface, info.started_s);
  exo_agent1_transfer_set_finished (iface, info.finished_s);
  exo_agent1_transfer_set_unverified (iface, info.unverified_upstream);
  exo_agent1_transfer_set_error (iface, info.error_code);
  exo_agent1_transfer_set_error_message (iface, message);
  exo_agent1_transfer_set_peers (iface, info.peers);
}

/* The engine says FAILED when the state forbids a call; on the bus that has a name of its own. */
static void
return_state_error (GDBusMethodInvocation *invocation, GError *error)
{
  if (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED))
    exo_dbus_return_named (invocation, "BadState", error);
  else
    exo_dbus_return_error (invocation, error);
}

/* Who called must not see the old state after the answer: the signal that tells the new one goes first. */
static void
tell_first (ExoAgent1Transfer *iface, ExoTransfer *transfer)
{
  exo_transfer_tell (transfer);
  g_dbus_interface_skeleton_flush (G_DBUS_INTERFACE_SKELETON (iface));
}

static gboolean
on_handle_pause (ExoAgent1Transfer *iface, GDBusMethodInvocation *invocation, ExoTransfer *transfer)
{
  GError *error = NULL;

  if (exo_transfer_pause (transfer, &error))
    {
      tell_first (iface, transfer);
      exo_agent1_transfer_complete_pause (iface, invocation);
    }
  else
    return_state_error (invocation, error);
  return TRUE;
}

static gboolean
on_handle_resume (ExoAgent1Transfer *iface,
                  GDBusMethodInvocation *invocation,
                  ExoTransfer *transfer)
{
  GError *error = NULL;

  if (exo_transfer_resume (transfer, &error))
    {
      tell_first (iface, transfer);
      exo_agent1_transfer_complete_resume (iface, invocation);
    }
  else
    return_state_error (invocation, error);
  return TRUE;
}

static gboolean
on_handle_cancel (ExoAgent1Transfer *iface,
                  GDBusMethodInvocation *invocation,
                  ExoTransfer *transfer)
{
  GError *error = NULL;

  if (exo_transfer_cancel (transfer, &error))
    exo_agent1_transfer_complete_cancel (iface, invocation);
  else
    return_state_error (invocation, error);
  return TRUE;
}

static void
add_file (const char *path, guint64 size, guint64 done, const char *state, gpointer user_data)
{
  GVariantBuilder *files = user_data;

  g_variant_builder_add (files, "(stts)", path, size, done, state);
}

static gboolean
on_handle_list_files (ExoAgent1Transfer *iface,
                      GDBusMethodInvocation *invocation,
                      ExoTransfer *transfer)
{
  GVariantBuilder files;

  g_variant_builder_init (&files, G_VARIANT_TYPE ("a(stts)"));
  exo_transfer_foreach_file (transfer, add_file, &files);
  exo_agent1_transfer_complete_list_files (iface, invocation, g_variant_builder_end (&files));
  return TRUE;
}

ExoObjectSkeleton *
exo_dbus_transfer_object_new (ExoTransfer *transfer)
{
  g_autofree char *path = exo_dbus_transfer_path (transfer);
  g_autoptr (ExoAgent1Transfer) iface = exo_agent1_transfer_skeleton_new ();
  ExoObjectSkeleton *object = exo_object_skeleton_new (path);

  /* The object keeps its transfer: a call may come in until it is taken off the bus. */
  g_object_set_data_full (G_OBJECT (iface), "exo-transfer", g_object_ref (transfer),
                          g_object_unref);
  g_signal_connect_object (iface, "handle-pause", G_CALLBACK (on_handle_pause), transfer, 0);
  g_signal_connect_object (iface, "handle-resume", G_CALLBACK (on_handle_resume), transfer, 0);
  g_signal_connect_object (iface, "handle-cancel", G_CALLBACK (on_handle_cancel), transfer, 0);
  g_signal_connect_object (iface, "handle-list-files", G_CALLBACK (on_handle_list_files), transfer,
                           0);
  g_signal_connect_object (transfer, "changed", G_CALLBACK (on_changed), iface, 0);
  on_changed (transfer, iface);
  exo_object_skeleton_set_agent1_transfer (object, iface);
  return object;
}
