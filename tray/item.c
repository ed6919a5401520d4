/* item.c - see item.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tray/item.h"

#include <glib/gi18n.h>

#include "tray/exo-tray-dbus.h"
#include "tray/icon.h"
#include "tray/text.h"

struct ExoItem
{
  GDBusConnection *bus;
  TrayStatusNotifierItem *iface;
  ExoItemCallbacks callbacks;
  gpointer user_data;
  ExoIcon icon; /* as drawn */
  char *tip;    /* title and body, as told */
  guint watcher_id;
};

/* Registering ------------------------------------------------------------------------------------- */

static void
on_registered (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  if (reply == NULL)
    g_debug ("the panel does not take the icon: %s", error->message);
}

static void
on_watcher_appeared (GDBusConnection *bus, const char *name, const char *owner, gpointer user_data)
{
  g_dbus_connection_call (bus, owner, EXO_WATCHER_PATH, EXO_WATCHER_NAME,
                          "RegisterStatusNotifierItem", g_variant_new ("(s)", EXO_ITEM_PATH), NULL,
                          G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, on_registered, NULL);
}

static void
on_watcher_vanished (GDBusConnection *bus, const char *name, gpointer user_data)
{
  ExoItem *item = user_data;

  item->callbacks.host_gone (item->user_data);
}

/* Showing ----------------------------------------------------------------------------------------- */

static GVariant *
no_pixmaps (void)
{
  return g_variant_new_array (G_VARIANT_TYPE ("(iiay)"), NULL, 0);
}

/* Panels show the picture for attention as long as the status says so, and the other one else. */
static void
draw (ExoItem *item)
{
  const char *status = item->icon.state == EXO_ICON_WARNING ? "NeedsAttention" : "Active";
  gboolean is_new = g_strcmp0 (tray_status_notifier_item_get_status (item->iface), status) != 0;
  g_autoptr (GVariant) pixmaps = g_variant_ref_sink (exo_icon_draw (&item->icon));

  tray_status_notifier_item_set_icon_pixmap (item->iface, pixmaps);
  tray_status_notifier_item_emit_new_icon (item->iface);
  tray_status_notifier_item_set_attention_icon_pixmap (
      item->iface, item->icon.state == EXO_ICON_WARNING ? pixmaps : no_pixmaps ());
  if (item->icon.state == EXO_ICON_WARNING)
    tray_status_notifier_item_emit_new_attention_icon (item->iface);
  tray_status_notifier_item_set_status (item->iface, status);
  if (is_new)
    tray_status_notifier_item_emit_new_status (item->iface, status);
}

static void
tell_tip (ExoItem *item, const ExoView *view)
{
  g_autofree char *title = exo_text_tip_title (view);
  g_autofree char *body = exo_text_tip_body (view);
  g_autofree char *tip = g_strconcat (title, "\n", body, NULL);

  if (g_strcmp0 (tip, item->tip) == 0)
    return;
  g_free (item->tip);
  item->tip = g_steal_pointer (&tip);
  tray_status_notifier_item_set_tool_tip (
      item->iface, g_variant_new ("(s@a(iiay)ss)", "", no_pixmaps (), title, body));
  tray_status_notifier_item_emit_new_tool_tip (item->iface);
}

void
exo_item_update (ExoItem *item, const ExoView *view)
{
  ExoIcon icon = exo_icon_of_view (view);

  tell_tip (item, view);
  if (exo_icon_equal (&icon, &item->icon))
    return;
  item->icon = icon;
  draw (item);
}

/* Calls from the panel ---------------------------------------------------------------------------- */

static gboolean
on_activate (TrayStatusNotifierItem *iface,
             GDBusMethodInvocation *invocation,
             int x,
             int y,
             ExoItem *item)
{
  tray_status_notifier_item_complete_activate (iface, invocation);
  item->callbacks.activated (item->user_data);
  return TRUE;
}

static gboolean
on_second_activate (TrayStatusNotifierItem *iface,
                    GDBusMethodInvocation *invocation,
                    int x,
                    int y,
                    ExoItem *item)
{
  tray_status_notifier_item_complete_secondary_activate (iface, invocation);
  item->callbacks.second_activated (item->user_data);
  return TRUE;
}

/* The panel shows the menu itself; who cannot is told nothing worse. */
static gboolean
on_context_menu (TrayStatusNotifierItem *iface,
                 GDBusMethodInvocation *invocation,
                 int x,
                 int y,
                 ExoItem *item)
{
  tray_status_notifier_item_complete_context_menu (iface, invocation);
  return TRUE;
}

static gboolean
on_scroll (TrayStatusNotifierItem *iface,
           GDBusMethodInvocation *invocation,
           int delta,
           const char *orientation,
           ExoItem *item)
{
  tray_status_notifier_item_complete_scroll (iface, invocation);
  return TRUE;
}

static void
fill (ExoItem *item, const char *menu_path)
{
  g_autoptr (ExoView) nothing = exo_view_new ();
  TrayStatusNotifierItem *iface = item->iface;

  tray_status_notifier_item_set_category (iface, "ApplicationStatus");
  tray_status_notifier_item_set_id (iface, "exo-tray");
  tray_status_notifier_item_set_title (iface, _ ("Models of the lab"));
  tray_status_notifier_item_set_icon_name (iface, ""); /* a name would win over the picture */
  tray_status_notifier_item_set_overlay_icon_name (iface, "");
  tray_status_notifier_item_set_overlay_icon_pixmap (iface, no_pixmaps ());
  tray_status_notifier_item_set_attention_icon_name (iface, "");
  tray_status_notifier_item_set_attention_movie_name (iface, "");
  tray_status_notifier_item_set_icon_theme_path (iface, "");
  tray_status_notifier_item_set_menu (iface, menu_path);
  tray_status_notifier_item_set_item_is_menu (iface, TRUE);
  item->icon = exo_icon_of_view (nothing);
  draw (item);
  tell_tip (item, nothing);
}

ExoItem *
exo_item_new (GDBusConnection *bus,
              const char *menu_path,
              const ExoItemCallbacks *callbacks,
              gpointer user_data,
              GError **error)
{
  g_autoptr (ExoItem) item = g_new0 (ExoItem, 1);

  item->bus = g_object_ref (bus);
  item->callbacks = *callbacks;
  item->user_data = user_data;
  item->iface = tray_status_notifier_item_skeleton_new ();
  g_signal_connect (item->iface, "handle-activate", G_CALLBACK (on_activate), item);
  g_signal_connect (item->iface, "handle-secondary-activate", G_CALLBACK (on_second_activate),
                    item);
  g_signal_connect (item->iface, "handle-context-menu", G_CALLBACK (on_context_menu), item);
  g_signal_connect (item->iface, "handle-scroll", G_CALLBACK (on_scroll), item);
  fill (item, menu_path);
  if (!g_dbus_interface_skeleton_export (G_DBUS_INTERFACE_SKELETON (item->iface), bus,
                                         EXO_ITEM_PATH, error))
    return NULL;
  item->watcher_id =
      g_bus_watch_name_on_connection (bus, EXO_WATCHER_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                      on_watcher_appeared, on_watcher_vanished, item, NULL);
  return g_steal_pointer (&item);
}

void
exo_item_free (ExoItem *item)
{
  if (item == NULL)
    return;
  if (item->watcher_id != 0)
    g_bus_unwatch_name (item->watcher_id);
  g_dbus_interface_skeleton_unexport (G_DBUS_INTERFACE_SKELETON (item->iface));
  g_signal_handlers_disconnect_by_data (item->iface, item);
  g_object_unref (item->iface);
  g_object_unref (item->bus);
  g_free (item->tip);
  g_free (item);
}
