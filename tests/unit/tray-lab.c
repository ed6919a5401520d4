/* tray-lab.c - see tray-lab.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/tray-lab.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_S 20
#define NODE_ID   "00112233445566778899aabbccddeeff"
#define SIZE      1000u

static const char panel_xml[] =
    "<node><interface name='org.kde.StatusNotifierWatcher'>"
    "<method name='RegisterStatusNotifierItem'><arg type='s' direction='in'/></method>"
    "</interface></node>";
static const char files_xml[] =
    "<node><interface name='org.freedesktop.FileManager1'>"
    "<method name='ShowFolders'><arg type='as' direction='in'/><arg type='s' direction='in'/></method>"
    "</interface></node>";

/* The main loop ----------------------------------------------------------------------------------- */

static gboolean
on_timeout (gpointer user_data)
{
  TrayLab *lab = user_data;

  lab->timed_out = TRUE;
  lab->timeout_id = 0;
  return G_SOURCE_REMOVE;
}

gboolean
tray_lab_turn (TrayLab *lab)
{
  if (!lab->timed_out)
    g_main_context_iteration (NULL, TRUE);
  return !lab->timed_out;
}

/* Others on the bus ------------------------------------------------------------------------------- */

static void
on_acquired (ExoDbus *dbus, gpointer user_data)
{
  ((TrayLab *) user_data)->agent_is_there = TRUE;
}

static void
on_lost (ExoDbus *dbus, const char *why, gpointer user_data)
{
}

void
tray_lab_start_agent (TrayLab *lab)
{
  ExoDbusConfig config = { "1.2.3", NODE_ID, "anna", G_BUS_NAME_OWNER_FLAGS_NONE };
  ExoDbusCallbacks callbacks = { on_acquired, on_lost, NULL };

  lab->agent = exo_dbus_new (lab->server, lab->engine, &config, &callbacks, lab, NULL);
  TRAY_LAB_WAIT (lab, lab->agent_is_there);
}

void
tray_lab_stop_agent (TrayLab *lab)
{
  g_clear_pointer (&lab->agent, exo_dbus_free);
  lab->agent_is_there = FALSE;
}

/* Whatever it is: written down with its sender. */
static void
on_recorded (GDBusConnection *connection,
             const char *sender,
             const char *path,
             const char *interface,
             const char *method,
             GVariant *parameters,
             GDBusMethodInvocation *invocation,
             gpointer user_data)
{
  g_ptr_array_add (user_data, g_variant_print (parameters, FALSE));
  g_dbus_method_invocation_return_value (invocation, NULL);
}

static guint
export_recorder (GDBusConnection *connection, const char *xml, const char *path, GPtrArray *record)
{
  static const GDBusInterfaceVTable calls = { on_recorded, NULL, NULL, { 0 } };
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (xml, NULL);

  return g_dbus_connection_register_object (connection, path, node->interfaces[0], &calls, record,
                                            NULL, NULL);
}

void
tray_lab_start_panel (TrayLab *lab)
{
  lab->panel_id =
      g_bus_own_name_on_connection (lab->panel, "org.kde.StatusNotifierWatcher",
                                    G_BUS_NAME_OWNER_FLAGS_NONE, NULL, NULL, NULL, NULL);
}

void
tray_lab_stop_panel (TrayLab *lab)
{
  g_bus_unown_name (lab->panel_id);
  lab->panel_id = 0;
}

/* The tray ---------------------------------------------------------------------------------------- */

static void
on_tray_appeared (GDBusConnection *bus, const char *name, const char *owner, gpointer user_data)
{
  ((TrayLab *) user_data)->tray_is_there = TRUE;
}

static void
on_tray_vanished (GDBusConnection *bus, const char *name, gpointer user_data)
{
  ((TrayLab *) user_data)->tray_is_there = FALSE;
}

static void
on_signal (GDBusConnection *connection,
           const char *sender,
           const char *path,
           const char *interface,
           const char *member,
           GVariant *parameters,
           gpointer user_data)
{
  TrayLab *lab = user_data;
  g_autofree char *text = g_variant_print (parameters, FALSE);

  lab->n_signals++;
  if (g_str_has_prefix (path, ITEM_PATH))
    g_ptr_array_add (lab->signals, g_strconcat (member, " ", text, NULL));
}

static void
on_tray_exited (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ((TrayLab *) user_data)->tray_exited = TRUE;
  g_subprocess_wait_finish (G_SUBPROCESS (source), result, NULL);
}

void
tray_lab_stop_tray (TrayLab *lab)
{
  if (lab->tray == NULL)
    return;
  g_subprocess_send_signal (lab->tray, SIGTERM);
  TRAY_LAB_WAIT (lab, lab->tray_exited);
  if (lab->tray_exited)
    CU_ASSERT_TRUE (g_subprocess_get_successful (lab->tray));
  g_clear_object (&lab->tray);
}

/* ------------------------------------------------------------------------------------------------- */

TrayLab *
tray_lab_new (const char *services)
{
  TrayLab *lab = g_new0 (TrayLab, 1);
  const char *address;

  lab->bus = g_test_dbus_new (G_TEST_DBUS_NONE);
  if (services != NULL)
    g_test_dbus_add_service_dir (lab->bus, services);
  g_test_dbus_up (lab->bus);
  address = g_test_dbus_get_bus_address (lab->bus);
  lab->server = bus_lab_connect (address);
  lab->panel = bus_lab_connect (address);
  lab->client = bus_lab_connect (address);
  lab->registered = g_ptr_array_new_with_free_func (g_free);
  lab->shown = g_ptr_array_new_with_free_func (g_free);
  lab->signals = g_ptr_array_new_with_free_func (g_free);
  lab->engine = fake_engine_new ();
  fake_engine_add_node (lab->engine, NODE_ID, "anna", TRUE);
  lab->panel_object_id =
      export_recorder (lab->panel, panel_xml, "/StatusNotifierWatcher", lab->registered);
  lab->files_object_id =
      export_recorder (lab->panel, files_xml, "/org/freedesktop/FileManager1", lab->shown);
  lab->files_id =
      g_bus_own_name_on_connection (lab->panel, "org.freedesktop.FileManager1",
                                    G_BUS_NAME_OWNER_FLAGS_NONE, NULL, NULL, NULL, NULL);
  lab->watch_id =
      g_bus_watch_name_on_connection (lab->client, TRAY_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                      on_tray_appeared, on_tray_vanished, lab, NULL);
  lab->signals_id =
      g_dbus_connection_signal_subscribe (lab->client, TRAY_NAME, NULL, NULL, NULL, NULL,
                                          G_DBUS_SIGNAL_FLAGS_NONE, on_signal, lab, NULL);
  lab->timeout_id = g_timeout_add_seconds (TIMEOUT_S, on_timeout, lab);
  return lab;
}

void
tray_lab_free (TrayLab *lab)
{
  GDBusConnection *connections[] = { lab->server, lab->panel, lab->client };

  tray_lab_stop_tray (lab);
  exo_dbus_free (lab->agent);
  if (lab->panel_id != 0)
    g_bus_unown_name (lab->panel_id);
  g_bus_unown_name (lab->files_id);
  g_bus_unwatch_name (lab->watch_id);
  g_dbus_connection_signal_unsubscribe (lab->client, lab->signals_id);
  g_dbus_connection_unregister_object (lab->panel, lab->panel_object_id);
  g_dbus_connection_unregister_object (lab->panel, lab->files_object_id);
  g_clear_handle_id (&lab->timeout_id, g_source_remove);
  for (gsize i = 0; i < G_N_ELEMENTS (connections); i++)
    g_dbus_connection_close_sync (connections[i], NULL, NULL);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  for (gsize i = 0; i < G_N_ELEMENTS (connections); i++)
    g_object_unref (connections[i]);
  g_object_unref (lab->engine);
  g_test_dbus_down (lab->bus);
  g_object_unref (lab->bus);
  g_ptr_array_unref (lab->registered);
  g_ptr_array_unref (lab->shown);
  g_ptr_array_unref (lab->signals);
  g_free (lab);
}

ExoTransfer *
tray_lab_pull (TrayLab *lab, const char *model)
{
  return exo_engine_pull (lab->engine, EXO_REPO_MODEL, model, NULL, NULL, NULL, NULL);
}

void
tray_lab_set (ExoTransfer *transfer, ExoTransferState state, guint percent)
{
  ExoTransferInfo *info = fake_transfer_info (transfer);

  info->state = state;
  info->bytes_total = SIZE;
  info->bytes_done = SIZE / 100 * percent;
  fake_transfer_changed (transfer);
}

/* Looking and clicking ---------------------------------------------------------------------------- */

/* (nullable): the name of the tray is there a moment before its objects. */
static GVariant *
get_property (TrayLab *lab, const char *name)
{
  g_autoptr (GVariant) reply =
      bus_lab_call (lab->client, TRAY_NAME, ITEM_PATH, "org.freedesktop.DBus.Properties", "Get",
                    g_variant_new ("(ss)", ITEM_IFACE, name), NULL);
  GVariant *value = NULL;

  if (reply != NULL)
    g_variant_get (reply, "(v)", &value);
  return value;
}

/* Each try is a round trip, which leaves the tray the time to export them. */
static gboolean
has_objects (TrayLab *lab)
{
  g_autoptr (GVariant) value = NULL;

  while (value == NULL && !lab->timed_out && lab->tray_is_there)
    value = get_property (lab, "Id");
  return value != NULL;
}

void
tray_lab_start_tray (TrayLab *lab)
{
  lab->tray_exited = FALSE;
  lab->tray = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, NULL, g_getenv ("EXO_TRAY"), NULL);
  g_subprocess_wait_async (lab->tray, NULL, on_tray_exited, lab);
  TRAY_LAB_WAIT (lab, lab->tray_is_there);
  TRAY_LAB_WAIT (lab, has_objects (lab));
}

char *
tray_lab_property (TrayLab *lab, const char *name)
{
  g_autoptr (GVariant) value = get_property (lab, name);

  return value != NULL ? g_variant_print (value, FALSE) : g_strdup ("(missing)");
}

static gboolean
tip_is (TrayLab *lab, const char *expected)
{
  g_autoptr (GVariant) value = get_property (lab, "ToolTip");
  g_autofree char *text = NULL;
  const char *title, *body;

  if (value == NULL)
    return FALSE;
  g_variant_get (value, "(&sa(iiay)&s&s)", NULL, NULL, &title, &body);
  text = g_strconcat (title, *body != '\0' ? "\n" : "", body, NULL);
  if (lab->timed_out)
    fprintf (stderr, "\ntooltip is\n%s\nand not\n%s\n", text, expected);
  return g_str_equal (text, expected);
}

/* A signal that came while the tooltip was asked for has to be counted, or the wait would be for the next one. */
void
tray_lab_wait_tip (TrayLab *lab, const char *expected)
{
  guint seen;

  do
    {
      seen = lab->n_signals;
      if (tip_is (lab, expected))
        return;
      while (lab->n_signals == seen && tray_lab_turn (lab))
        ;
    }
  while (!lab->timed_out);
  CU_ASSERT_TRUE (tip_is (lab, expected));
}

gboolean
tray_lab_got (TrayLab *lab, const char *start_of_signal)
{
  for (guint i = 0; i < lab->signals->len; i++)
    if (g_str_has_prefix (lab->signals->pdata[i], start_of_signal))
      return TRUE;
  return FALSE;
}

/* The rows below the root: (ia{sv}av) */
static GVariant *
get_layout (TrayLab *lab)
{
  g_autoptr (GVariant) reply =
      bus_lab_call (lab->client, TRAY_NAME, MENU_PATH, MENU_IFACE, "GetLayout",
                    g_variant_new ("(iias)", 0, -1, NULL), NULL);
  GVariant *layout = NULL;

  CU_ASSERT_PTR_NOT_NULL_FATAL (reply);
  g_variant_get (reply, "(u@(ia{sv}av))", NULL, &layout);
  return layout;
}

static void
print_row (GString *text, GVariant *row, int depth)
{
  g_autoptr (GVariant) properties = g_variant_get_child_value (row, 1);
  g_autoptr (GVariant) children = g_variant_get_child_value (row, 2);
  gboolean enabled = TRUE, visible = TRUE;
  const char *label = NULL;

  g_variant_lookup (properties, "enabled", "b", &enabled);
  g_variant_lookup (properties, "visible", "b", &visible);
  g_variant_lookup (properties, "label", "&s", &label);
  if (depth >= 0 && visible)
    g_string_append_printf (text,
                            label == NULL ? "%*s--%s\n"
                            : enabled     ? "%*s%s\n"
                                          : "%*s(%s)\n",
                            2 * depth, "", label != NULL ? label : "");
  for (gsize i = 0; i < g_variant_n_children (children); i++)
    {
      g_autoptr (GVariant) boxed = g_variant_get_child_value (children, i);
      g_autoptr (GVariant) child = g_variant_get_variant (boxed);

      print_row (text, child, depth + 1);
    }
}

char *
tray_lab_menu (TrayLab *lab)
{
  g_autoptr (GVariant) layout = get_layout (lab);
  GString *text = g_string_new (NULL);

  print_row (text, layout, -1);
  return g_string_free (text, FALSE);
}

static GVariant *
find_child (GVariant *row, const char *start)
{
  g_autoptr (GVariant) children = g_variant_get_child_value (row, 2);

  for (gsize i = 0; i < g_variant_n_children (children); i++)
    {
      g_autoptr (GVariant) boxed = g_variant_get_child_value (children, i);
      g_autoptr (GVariant) child = g_variant_get_variant (boxed);
      g_autoptr (GVariant) properties = g_variant_get_child_value (child, 1);
      const char *label = "";

      g_variant_lookup (properties, "label", "&s", &label);
      if (g_str_has_prefix (label, start))
        return g_steal_pointer (&child);
    }
  return NULL;
}

gint32
tray_lab_id (TrayLab *lab, const char *labels)
{
  g_autoptr (GVariant) row = get_layout (lab);
  g_auto (GStrv) parts = g_strsplit (labels, " > ", 0);
  gint32 id;

  for (guint i = 0; parts[i] != NULL; i++)
    {
      GVariant *child = find_child (row, parts[i]);

      if (child == NULL)
        fprintf (stderr, "\nthe menu has no row %s\n", labels);
      CU_ASSERT_PTR_NOT_NULL_FATAL (child);
      g_variant_unref (row);
      row = child;
    }
  g_variant_get_child (row, 0, "i", &id);
  return id;
}

void
tray_lab_event (TrayLab *lab, gint32 id, const char *event)
{
  g_autofree char *reply =
      bus_lab_call_text (lab->client, TRAY_NAME, MENU_PATH, MENU_IFACE, "Event",
                         g_variant_new ("(isvu)", id, event, g_variant_new_string (""), 0));

  CU_ASSERT_STRING_EQUAL (reply, "()");
}

void
tray_lab_click (TrayLab *lab, const char *labels)
{
  tray_lab_event (lab, tray_lab_id (lab, labels), "clicked");
}
