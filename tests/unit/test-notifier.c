/* test-notifier.c - what a notification server is told by exo-tray, and what its buttons do
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <signal.h>
#include <stdio.h>

#include "tests/unit/suite.h"
#include "tests/unit/tray-lab.h"
#include "tray/notifier.h"

#define READY  "org/model is ready|All of it was on this machine already|"
#define FOLDER "default=Open folder 0=Open folder "
#define STOPS  "default=Pause 0=Pause 1=Cancel "

static const char server_xml[] =
    "<node><interface name='org.freedesktop.Notifications'>"
    "<method name='Notify'><arg type='s' direction='in'/><arg type='u' direction='in'/>"
    "<arg type='s' direction='in'/><arg type='s' direction='in'/><arg type='s' direction='in'/>"
    "<arg type='as' direction='in'/><arg type='a{sv}' direction='in'/>"
    "<arg type='i' direction='in'/><arg type='u' direction='out'/></method>"
    "<method name='CloseNotification'><arg type='u' direction='in'/></method>"
    "<method name='GetCapabilities'><arg type='as' direction='out'/></method>"
    "<method name='GetServerInformation'><arg type='s' direction='out'/>"
    "<arg type='s' direction='out'/><arg type='s' direction='out'/>"
    "<arg type='s' direction='out'/></method>"
    "</interface></node>";

/* A server that writes down what it is told to show. */
typedef struct
{
  TrayLab *lab;
  const char *name;
  const char *capabilities[3];
  gboolean mute;                /* it does not say who it is, the first time it is asked */
  GDBusMethodInvocation *asked; /* (nullable): then */
  GPtrArray *calls;             /* utf8: see on_notify(), or "close ID" */
  guint last_id, name_id, object_id;
} Desk;

static void
on_notify (Desk *desk, GVariant *parameters, GDBusMethodInvocation *invocation)
{
  g_autoptr (GVariant) hints = NULL;
  g_autofree const char **actions = NULL;
  const char *app, *icon, *title, *body, *category = "";
  GString *text = g_string_new (NULL);
  guint replaces;
  guint8 urgency = 255;
  gint32 value = -1;

  g_variant_get (parameters, "(&su&s&s&s^a&s@a{sv}i)", &app, &replaces, &icon, &title, &body,
                 &actions, &hints, NULL);
  CU_ASSERT_STRING_EQUAL (app, "exo");
  CU_ASSERT_STRING_EQUAL (icon, "exo-tray");
  g_variant_lookup (hints, "value", "i", &value);
  g_variant_lookup (hints, "urgency", "y", &urgency);
  g_variant_lookup (hints, "category", "&s", &category);
  g_string_append_printf (text, "%u|%s|%s|", replaces, title, body);
  for (guint i = 0; actions[i] != NULL && actions[i + 1] != NULL; i += 2)
    g_string_append_printf (text, "%s=%s ", actions[i], actions[i + 1]);
  g_string_append_printf (text, "|%d|%s|%u", value, category, urgency);
  g_ptr_array_add (desk->calls, g_string_free (text, FALSE));
  if (replaces == 0)
    replaces = ++desk->last_id;
  g_dbus_method_invocation_return_value (invocation, g_variant_new ("(u)", replaces));
}

static void
introduce (Desk *desk, GDBusMethodInvocation *invocation)
{
  g_dbus_method_invocation_return_value (invocation,
                                         g_variant_new ("(ssss)", desk->name, "", "1", "1.2"));
}

static void
on_call (GDBusConnection *connection,
         const char *sender,
         const char *path,
         const char *interface,
         const char *method,
         GVariant *parameters,
         GDBusMethodInvocation *invocation,
         gpointer user_data)
{
  Desk *desk = user_data;
  guint id;

  if (g_str_equal (method, "Notify"))
    on_notify (desk, parameters, invocation);
  else if (g_str_equal (method, "GetCapabilities"))
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(^as)", desk->capabilities));
  else if (g_str_equal (method, "GetServerInformation") && desk->mute)
    {
      desk->asked = invocation;
      desk->mute = FALSE;
    }
  else if (g_str_equal (method, "GetServerInformation"))
    introduce (desk, invocation);
  else
    {
      g_variant_get (parameters, "(u)", &id);
      g_ptr_array_add (desk->calls, g_strdup_printf ("close %u", id));
      g_dbus_method_invocation_return_value (invocation, NULL);
    }
}

static void
start_server (Desk *desk)
{
  desk->name_id =
      g_bus_own_name_on_connection (desk->lab->panel, EXO_NOTIFICATIONS_NAME,
                                    G_BUS_NAME_OWNER_FLAGS_NONE, NULL, NULL, NULL, NULL);
}

static void
stop_server (Desk *desk)
{
  g_bus_unown_name (desk->name_id);
  desk->name_id = 0;
}

/* An agent, a server and a tray that has met both. */
static Desk *
desk_new (void)
{
  static const GDBusInterfaceVTable calls = { on_call, NULL, NULL, { 0 } };
  g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (server_xml, NULL);
  Desk *desk = g_new0 (Desk, 1);

  desk->name = "recorder";
  desk->capabilities[0] = "actions";
  desk->capabilities[1] = "body-markup";
  desk->calls = g_ptr_array_new_with_free_func (g_free);
  desk->lab = tray_lab_new (NULL);
  desk->object_id = g_dbus_connection_register_object (
      desk->lab->panel, EXO_NOTIFICATIONS_PATH, node->interfaces[0], &calls, desk, NULL, NULL);
  start_server (desk);
  tray_lab_start_agent (desk->lab);
  tray_lab_start_tray (desk->lab);
  tray_lab_wait_tip (desk->lab, "No transfers");
  return desk;
}

static void
desk_free (Desk *desk)
{
  if (desk->asked != NULL)
    introduce (desk, desk->asked);
  if (desk->name_id != 0)
    stop_server (desk);
  g_dbus_connection_unregister_object (desk->lab->panel, desk->object_id);
  tray_lab_free (desk->lab);
  g_ptr_array_unref (desk->calls);
  g_free (desk);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Desk, desk_free)

static gboolean
got (Desk *desk, const char *call)
{
  return g_ptr_array_find_with_equal_func (desk->calls, call, g_str_equal, NULL);
}

static void
wait_for (Desk *desk, const char *call)
{
  TRAY_LAB_WAIT (desk->lab, got (desk, call));
  if (got (desk, call))
    return;
  fprintf (stderr, "\nexpected %s\n", call);
  for (guint i = 0; i < desk->calls->len; i++)
    fprintf (stderr, "     got %s\n", (char *) desk->calls->pdata[i]);
}

static void
tell_tray (Desk *desk, const char *signal, GVariant *parameters)
{
  g_dbus_connection_emit_signal (desk->lab->panel, NULL, EXO_NOTIFICATIONS_PATH,
                                 EXO_NOTIFICATIONS_NAME, signal, parameters, NULL);
}

/* A transfer whose progress is on the screen, as the server's notification 1. */
static ExoTransfer *
show_progress (Desk *desk, const char *expected)
{
  ExoTransfer *transfer = tray_lab_pull (desk->lab, "org/model");

  tray_lab_set (transfer, EXO_TRANSFER_TRANSFERRING, 30);
  wait_for (desk, expected);
  return transfer;
}

static void
fail (ExoTransfer *transfer, const char *code, const char *message)
{
  fake_transfer_info (transfer)->error_code = code;
  fake_transfer_info (transfer)->error_message = message;
  tray_lab_set (transfer, EXO_TRANSFER_FAILED, 40);
}

/* What is shown ----------------------------------------------------------------------------------- */

static void
one_transfer_is_one_notification (void)
{
  g_autoptr (Desk) desk = desk_new ();
  ExoTransfer *transfer =
      show_progress (desk, "0|Downloading org/model|30 %|" STOPS "|30|transfer|0");

  tray_lab_set (transfer, EXO_TRANSFER_TRANSFERRING, 60);
  wait_for (desk, "1|Downloading org/model|60 %|" STOPS "|60|transfer|0");
  tray_lab_set (transfer, EXO_TRANSFER_COMPLETE, 100);
  wait_for (desk, "1|" READY FOLDER "|-1|transfer.complete|1");
  CU_ASSERT_EQUAL (desk->calls->len, 3);
}

static void
text_is_escaped_for_servers_that_read_markup (void)
{
  g_autoptr (Desk) desk = desk_new ();

  fail (tray_lab_pull (desk->lab, "org/model"), "NoSpace", "a < b & c");
  wait_for (desk, "0|Download of org/model failed|a &lt; b &amp; c|" FOLDER
                  "1=Retry |-1|transfer.error|2");
}

static void
a_server_of_text_alone_gets_text_alone (void)
{
  g_autoptr (Desk) desk = desk_new ();

  desk->capabilities[0] = NULL;
  fail (tray_lab_pull (desk->lab, "org/model"), "NoSpace", "a < b & c");
  wait_for (desk, "0|Download of org/model failed|a < b & c||-1|transfer.error|2");
}

/* It would hide the text behind the bar, and show the first button twice. */
static void
xfce_gets_no_bar (void)
{
  g_autoptr (Desk) desk = desk_new ();

  desk->name = "Xfce Notify Daemon";
  show_progress (desk, "0|Downloading org/model|30 %|default=Pause 1=Cancel |-1|transfer|0");
}

static void
warnings_of_the_agent_are_told (void)
{
  g_autoptr (Desk) desk = desk_new ();

  fake_engine_warn (desk->lab->engine, "peer", "berta served wrong bytes");
  wait_for (desk, "0|A neighbour served wrong bytes|berta served wrong bytes|"
                  "default=Dismiss 0=Dismiss |-1|device.error|1");
  tell_tray (desk, "ActionInvoked", g_variant_new ("(us)", 1, "0"));
  tray_lab_wait_tip (desk->lab, "No transfers");
}

/* What buttons do --------------------------------------------------------------------------------- */

static ExoTransferState
state_of (ExoTransfer *transfer)
{
  return fake_transfer_info (transfer)->state;
}

static void
buttons_do_what_they_say (void)
{
  g_autoptr (Desk) desk = desk_new ();
  ExoTransfer *transfer =
      show_progress (desk, "0|Downloading org/model|30 %|" STOPS "|30|transfer|0");

  tell_tray (desk, "ActionInvoked", g_variant_new ("(us)", 1, "0"));
  TRAY_LAB_WAIT (desk->lab, state_of (transfer) == EXO_TRANSFER_PAUSED);
  wait_for (desk,
            "1|org/model is paused|paused at 30 %|default=Resume 0=Resume 1=Cancel |-1|transfer|0");
  tell_tray (desk, "ActionInvoked", g_variant_new ("(us)", 1, "default"));
  TRAY_LAB_WAIT (desk->lab, state_of (transfer) == EXO_TRANSFER_QUEUED);
}

static void
a_failure_is_retried (void)
{
  g_autoptr (Desk) desk = desk_new ();
  ExoTransfer *transfer = tray_lab_pull (desk->lab, "org/model");

  fail (transfer, "Unreachable", "no answer");
  wait_for (desk, "0|Download of org/model failed|no answer|default=Retry 0=Retry "
                  "|-1|transfer.error|1");
  tell_tray (desk, "ActionInvoked", g_variant_new ("(us)", 1, "0"));
  TRAY_LAB_WAIT (desk->lab, state_of (transfer) == EXO_TRANSFER_QUEUED);
}

static void
what_was_closed_is_not_updated (void)
{
  g_autoptr (Desk) desk = desk_new ();
  ExoTransfer *transfer =
      show_progress (desk, "0|Downloading org/model|30 %|" STOPS "|30|transfer|0");

  tell_tray (desk, "NotificationClosed", g_variant_new ("(uu)", 1, 2));
  tray_lab_set (transfer, EXO_TRANSFER_TRANSFERRING, 60);
  tray_lab_set (transfer, EXO_TRANSFER_COMPLETE, 100);
  wait_for (desk, "0|" READY FOLDER "|-1|transfer.complete|1");
  CU_ASSERT_EQUAL (desk->calls->len, 2);
}

/* Trouble ----------------------------------------------------------------------------------------- */

static void
a_server_that_comes_back_is_told_anew (void)
{
  g_autoptr (Desk) desk = desk_new ();
  ExoTransfer *transfer =
      show_progress (desk, "0|Downloading org/model|30 %|" STOPS "|30|transfer|0");

  stop_server (desk);
  tray_lab_set (transfer, EXO_TRANSFER_TRANSFERRING, 40);
  tray_lab_wait_tip (desk->lab, "org/model\n40 %");
  start_server (desk);
  tray_lab_set (transfer, EXO_TRANSFER_TRANSFERRING, 60);
  wait_for (desk, "0|Downloading org/model|60 %|" STOPS "|60|transfer|0");
}

static void
a_server_that_hangs_holds_nothing_up (void)
{
  g_autoptr (Desk) desk = desk_new ();

  desk->mute = TRUE;
  tray_lab_set (tray_lab_pull (desk->lab, "org/model"), EXO_TRANSFER_COMPLETE, 100);
  TRAY_LAB_WAIT (desk->lab, desk->asked != NULL);
  tray_lab_set (tray_lab_pull (desk->lab, "org/two"), EXO_TRANSFER_TRANSFERRING, 40);
  tray_lab_wait_tip (desk->lab, "org/two\n40 %");
  CU_ASSERT_EQUAL (desk->calls->len, 0);

  introduce (desk, g_steal_pointer (&desk->asked));
  wait_for (desk, "0|" READY FOLDER "|-1|transfer.complete|1");
}

static void
progress_goes_with_the_tray (void)
{
  g_autoptr (Desk) desk = desk_new ();

  show_progress (desk, "0|Downloading org/model|30 %|" STOPS "|30|transfer|0");
  tray_lab_stop_tray (desk->lab);
  wait_for (desk, "close 1");
}

EXO_SUITE ("notifier",
           TEST (one_transfer_is_one_notification),
           TEST (text_is_escaped_for_servers_that_read_markup),
           TEST (a_server_of_text_alone_gets_text_alone),
           TEST (xfce_gets_no_bar),
           TEST (warnings_of_the_agent_are_told),
           TEST (buttons_do_what_they_say),
           TEST (a_failure_is_retried),
           TEST (what_was_closed_is_not_updated),
           TEST (a_server_that_comes_back_is_told_anew),
           TEST (a_server_that_hangs_holds_nothing_up),
           TEST (progress_goes_with_the_tray))
