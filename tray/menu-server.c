/* menu-server.c - see menu-server.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tray/menu-server.h"

#include "tray/exo-tray-dbus.h"

#define DBUSMENU_VERSION 3u

struct ExoMenuServer
{
  TrayDbusmenu *iface;
  ExoMenuClicked clicked;
  gpointer user_data;
  ExoMenuRow *shown;  /* what the panel knows */
  ExoMenuRow *wanted; /* what it is to know: the same unless the menu is open */
  GHashTable *open;   /* (element-type gint32): ids of the parts that are open */
  guint revision;     /* of the layout */
};

/* Showing ----------------------------------------------------------------------------------------- */

/* TRUE if the layout is another one. */
static gboolean
show (ExoMenuServer *server, ExoMenuRow *menu)
{
  g_autoptr (ExoMenuRow) old = server->shown;
  GVariant *changes = exo_menu_changes (old, menu);
  gint32 parent = exo_menu_changed_parent (old, menu);

  server->shown = exo_menu_ref (menu);
  if (changes != NULL)
    tray_dbusmenu_emit_items_properties_updated (
        server->iface, changes, g_variant_new_array (G_VARIANT_TYPE ("(ias)"), NULL, 0));
  if (parent != -1)
    tray_dbusmenu_emit_layout_updated (server->iface, ++server->revision, parent);
  return parent != -1;
}

void
exo_menu_server_show (ExoMenuServer *server, ExoMenuRow *menu)
{
  g_autoptr (ExoMenuRow) frozen = NULL;

  exo_menu_ref (menu);
  exo_menu_unref (server->wanted);
  server->wanted = menu;
  if (g_hash_table_size (server->open) > 0)
    frozen = exo_menu_freeze (server->shown, menu);
  show (server, frozen != NULL ? frozen : menu);
}

/* TRUE if that changed the layout. */
static gboolean
close_all (ExoMenuServer *server)
{
  if (g_hash_table_size (server->open) == 0)
    return FALSE;
  g_hash_table_remove_all (server->open);
  return show (server, server->wanted);
}

void
exo_menu_server_close (ExoMenuServer *server)
{
  close_all (server);
}

static void
close_part (ExoMenuServer *server, gint32 id)
{
  if (id == 0)
    close_all (server);
  else if (g_hash_table_remove (server->open, GINT_TO_POINTER (id)) &&
           g_hash_table_size (server->open) == 0)
    show (server, server->wanted);
}

/* Reading ----------------------------------------------------------------------------------------- */

static GVariant *
layout_of (const ExoMenuRow *row, int depth, const char *const *names)
{
  GVariantBuilder children;

  g_variant_builder_init (&children, G_VARIANT_TYPE ("av"));
  for (guint i = 0; depth != 0 && row->rows != NULL && i < row->rows->len; i++)
    g_variant_builder_add (&children, "v",
                           layout_of (row->rows->pdata[i], MAX (depth - 1, -1), names));
  return g_variant_new ("(i@a{sv}av)", row->id, exo_menu_row_properties (row, names), &children);
}

static void
return_no_row (GDBusMethodInvocation *invocation, gint32 id)
{
  g_dbus_method_invocation_return_error (invocation, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                                         "The menu has no row %d", id);
}

static gboolean
on_get_layout (TrayDbusmenu *iface,
               GDBusMethodInvocation *invocation,
               int id,
               int depth,
               const char *const *names,
               ExoMenuServer *server)
{
  const ExoMenuRow *row = exo_menu_find (server->shown, id);

  if (row == NULL)
    return_no_row (invocation, id);
  else
    tray_dbusmenu_complete_get_layout (iface, invocation, server->revision,
                                       layout_of (row, MAX (depth, -1), names));
  return TRUE;
}

static void
add_properties (GVariantBuilder *list, const ExoMenuRow *row, const char *const *names)
{
  g_variant_builder_add (list, "(i@a{sv})", row->id, exo_menu_row_properties (row, names));
}

static void
add_all (GVariantBuilder *list, const ExoMenuRow *row, const char *const *names)
{
  add_properties (list, row, names);
  for (guint i = 0; row->rows != NULL && i < row->rows->len; i++)
    add_all (list, row->rows->pdata[i], names);
}

static gboolean
on_get_group_properties (TrayDbusmenu *iface,
                         GDBusMethodInvocation *invocation,
                         GVariant *ids,
                         const char *const *names,
                         ExoMenuServer *server)
{
  GVariantBuilder list;
  GVariantIter each;
  gint32 id;

  g_variant_builder_init (&list, G_VARIANT_TYPE ("a(ia{sv})"));
  if (g_variant_iter_init (&each, ids) == 0)
    add_all (&list, server->shown, names);
  while (g_variant_iter_next (&each, "i", &id))
    {
      const ExoMenuRow *row = exo_menu_find (server->shown, id);

      if (row != NULL)
        add_properties (&list, row, names);
    }
  tray_dbusmenu_complete_get_group_properties (iface, invocation, g_variant_builder_end (&list));
  return TRUE;
}

static gboolean
on_get_property (TrayDbusmenu *iface,
                 GDBusMethodInvocation *invocation,
                 int id,
                 const char *name,
                 ExoMenuServer *server)
{
  const ExoMenuRow *row = exo_menu_find (server->shown, id);
  const char *const names[] = { name, NULL };
  g_autoptr (GVariant) properties = NULL;
  g_autoptr (GVariant) value = NULL;

  if (row == NULL)
    {
      return_no_row (invocation, id);
      return TRUE;
    }
  properties = g_variant_ref_sink (exo_menu_row_properties (row, names));
  value = g_variant_lookup_value (properties, name, NULL);
  if (value == NULL)
    g_dbus_method_invocation_return_error (invocation, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                                           "Row %d has no property of that name", id);
  else
    tray_dbusmenu_complete_get_property (iface, invocation, g_variant_new_variant (value));
  return TRUE;
}

/* Events ------------------------------------------------------------------------------------------ */

/* FALSE if there is no such row. */
static gboolean
take_event (ExoMenuServer *server, gint32 id, const char *event)
{
  g_autoptr (ExoMenuRow) menu = exo_menu_ref (server->shown); /* a click may change it */
  const ExoMenuRow *row = exo_menu_find (menu, id);

  if (g_str_equal (event, "closed"))
    close_part (server, id);
  if (row == NULL)
    return FALSE;
  if (g_str_equal (event, "opened"))
    g_hash_table_add (server->open, GINT_TO_POINTER (id));
  else if (g_str_equal (event, "clicked") && row->enabled && row->visible &&
           row->action != EXO_MENU_NOTHING)
    {
      close_all (server); /* a menu goes when a row of it is chosen */
      server->clicked (row, server->user_data);
    }
  return TRUE;
}

static gboolean
on_event (TrayDbusmenu *iface,
          GDBusMethodInvocation *invocation,
          int id,
          const char *event,
          GVariant *data,
          guint timestamp,
          ExoMenuServer *server)
{
  if (exo_menu_find (server->shown, id) == NULL)
    {
      return_no_row (invocation, id);
      return TRUE;
    }
  tray_dbusmenu_complete_event (iface, invocation);
  take_event (server, id, event);
  return TRUE;
}

static gboolean
on_event_group (TrayDbusmenu *iface,
                GDBusMethodInvocation *invocation,
                GVariant *events,
                ExoMenuServer *server)
{
  GVariantBuilder unknown;
  GVariantIter each;
  const char *event;
  gint32 id;

  g_variant_builder_init (&unknown, G_VARIANT_TYPE ("ai"));
  g_variant_iter_init (&each, events);
  while (g_variant_iter_loop (&each, "(i&svu)", &id, &event, NULL, NULL))
    if (!take_event (server, id, event))
      g_variant_builder_add (&unknown, "i", id);
  tray_dbusmenu_complete_event_group (iface, invocation, g_variant_builder_end (&unknown));
  return TRUE;
}

/* Whoever is about to show the whole menu does not have it open yet, and has from now on: mate-panel says "opened" before
 * this, and xfce4-panel never. Nor does that say "closed": what has come since is told with the next click, or here. */
static gboolean
about_to_show (ExoMenuServer *server, gint32 id)
{
  gboolean is_new = id == 0 && close_all (server);

  if (id == 0)
    g_hash_table_add (server->open, GINT_TO_POINTER (id));
  return is_new;
}

static gboolean
on_about_to_show (TrayDbusmenu *iface,
                  GDBusMethodInvocation *invocation,
                  int id,
                  ExoMenuServer *server)
{
  if (exo_menu_find (server->shown, id) == NULL)
    return_no_row (invocation, id);
  else
    tray_dbusmenu_complete_about_to_show (iface, invocation, about_to_show (server, id));
  return TRUE;
}

static gboolean
on_about_to_show_group (TrayDbusmenu *iface,
                        GDBusMethodInvocation *invocation,
                        GVariant *ids,
                        ExoMenuServer *server)
{
  GVariantBuilder updates, unknown;
  GVariantIter each;
  gint32 id;

  g_variant_builder_init (&updates, G_VARIANT_TYPE ("ai"));
  g_variant_builder_init (&unknown, G_VARIANT_TYPE ("ai"));
  g_variant_iter_init (&each, ids);
  while (g_variant_iter_next (&each, "i", &id))
    {
      if (exo_menu_find (server->shown, id) == NULL)
        g_variant_builder_add (&unknown, "i", id);
      else if (about_to_show (server, id))
        g_variant_builder_add (&updates, "i", id);
    }
  tray_dbusmenu_complete_about_to_show_group (iface, invocation, g_variant_builder_end (&updates),
                                              g_variant_builder_end (&unknown));
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------- */

ExoMenuServer *
exo_menu_server_new (GDBusConnection *bus,
                     ExoMenuRow *menu,
                     ExoMenuClicked clicked,
                     gpointer user_data,
                     GError **error)
{
  static const char *const no_paths[] = { NULL };
  g_autoptr (ExoMenuServer) server = g_new0 (ExoMenuServer, 1);
  TrayDbusmenu *iface = tray_dbusmenu_skeleton_new ();

  server->iface = iface;
  server->clicked = clicked;
  server->user_data = user_data;
  server->shown = exo_menu_ref (menu);
  server->wanted = exo_menu_ref (menu);
  server->open = g_hash_table_new (NULL, NULL);
  server->revision = 1;
  tray_dbusmenu_set_version (iface, DBUSMENU_VERSION);
  tray_dbusmenu_set_text_direction (iface, "ltr");
  tray_dbusmenu_set_status (iface, "normal");
  tray_dbusmenu_set_icon_theme_path (iface, no_paths);
  g_signal_connect (iface, "handle-get-layout", G_CALLBACK (on_get_layout), server);
  g_signal_connect (iface, "handle-get-group-properties", G_CALLBACK (on_get_group_properties),
                    server);
  g_signal_connect (iface, "handle-get-property", G_CALLBACK (on_get_property), server);
  g_signal_connect (iface, "handle-event", G_CALLBACK (on_event), server);
  g_signal_connect (iface, "handle-event-group", G_CALLBACK (on_event_group), server);
  g_signal_connect (iface, "handle-about-to-show", G_CALLBACK (on_about_to_show), server);
  g_signal_connect (iface, "handle-about-to-show-group", G_CALLBACK (on_about_to_show_group),
                    server);
  if (!g_dbus_interface_skeleton_export (G_DBUS_INTERFACE_SKELETON (iface), bus, EXO_MENU_PATH,
                                         error))
    return NULL;
  return g_steal_pointer (&server);
}

void
exo_menu_server_free (ExoMenuServer *server)
{
  if (server == NULL)
    return;
  g_dbus_interface_skeleton_unexport (G_DBUS_INTERFACE_SKELETON (server->iface));
  g_signal_handlers_disconnect_by_data (server->iface, server);
  g_object_unref (server->iface);
  exo_menu_unref (server->shown);
  exo_menu_unref (server->wanted);
  g_hash_table_unref (server->open);
  g_free (server);
}
