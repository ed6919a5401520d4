/* notifier.c - see notifier.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tray/notifier.h"

#include <libnotify/notify.h>

#define ANSWER_MS 5000

typedef struct
{
  gboolean has_actions, has_markup;
  /* xfce4-notifyd hides text and buttons behind a bar, and shows the default action as a button like others. */
  gboolean is_xfce;
} Server;

typedef struct
{
  ExoNotifier *notifier;
  guint id;
  NotifyNotification *notification;
  gboolean moves; /* it shows progress */
} Shown;

typedef struct
{
  ExoNotifier *notifier;
  ExoMenuAction action;
  char *target;
} Press;

struct ExoNotifier
{
  GDBusConnection *bus;
  ExoNotifierCallbacks callbacks;
  gpointer user_data;
  GCancellable *cancellable;
  guint watch_id;
  GQueue pending;    /* (element-type ExoNotice), owned: while the server is asked */
  GHashTable *shown; /* GUINT_TO_POINTER (id) → Shown, owned */
  Server server;
  gboolean asking;
};

static void
press_free (gpointer data)
{
  Press *press = data;

  g_free (press->target);
  g_free (press);
}

static void
shown_free (gpointer data)
{
  Shown *shown = data;

  g_signal_handlers_disconnect_by_data (shown->notification, shown);
  g_object_unref (shown->notification);
  g_free (shown);
}

/* From the screen -------------------------------------------------------------------------------- */

static void
on_pressed (NotifyNotification *notification, char *name, gpointer user_data)
{
  const Press *press = user_data;

  press->notifier->callbacks.pressed (press->action, press->target, press->notifier->user_data);
}

static void
on_closed (NotifyNotification *notification, gpointer user_data)
{
  Shown *shown = user_data;
  ExoNotifier *notifier = shown->notifier;
  guint id = shown->id;

  g_hash_table_remove (notifier->shown, GUINT_TO_POINTER (id));
  notifier->callbacks.gone (id, notifier->user_data);
}

/* Its notices went with it. They are not reported as gone: nobody closed them. */
static void
on_server_gone (GDBusConnection *bus, const char *name, gpointer user_data)
{
  g_hash_table_remove_all (((ExoNotifier *) user_data)->shown);
}

/* To the screen ---------------------------------------------------------------------------------- */

static void
add_action (ExoNotifier *notifier,
            NotifyNotification *notification,
            const char *name,
            const ExoNoticeButton *button)
{
  Press *press = g_new (Press, 1);

  *press = (Press){ notifier, button->action, g_strdup (button->target) };
  notify_notification_add_action (notification, name, button->label, on_pressed, press, press_free);
}

static void
add_actions (ExoNotifier *notifier, NotifyNotification *notification, const GPtrArray *buttons)
{
  notify_notification_clear_actions (notification);
  if (!notifier->server.has_actions || buttons->len == 0)
    return;
  add_action (notifier, notification, "default", buttons->pdata[0]);
  for (guint i = notifier->server.is_xfce ? 1 : 0; i < buttons->len; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u", i);

      add_action (notifier, notification, name, buttons->pdata[i]);
    }
}

static Shown *
find_or_add (ExoNotifier *notifier, guint id)
{
  Shown *shown = g_hash_table_lookup (notifier->shown, GUINT_TO_POINTER (id));

  if (shown != NULL)
    return shown;
  shown = g_new0 (Shown, 1);
  shown->notifier = notifier;
  shown->id = id;
  shown->notification = notify_notification_new ("", NULL, NULL);
  g_signal_connect (shown->notification, "closed", G_CALLBACK (on_closed), shown);
  g_hash_table_insert (notifier->shown, GUINT_TO_POINTER (id), shown);
  return shown;
}

static void
take_off (ExoNotifier *notifier, guint id)
{
  Shown *shown = g_hash_table_lookup (notifier->shown, GUINT_TO_POINTER (id));
  g_autoptr (GError) error = NULL;

  if (shown == NULL)
    return;
  if (!notify_notification_close (shown->notification, &error))
    g_info ("a notification does not close: %s", error->message);
  g_hash_table_remove (notifier->shown, GUINT_TO_POINTER (id));
}

static void
set_hints (ExoNotifier *notifier, NotifyNotification *notification, const ExoNotice *notice)
{
  notify_notification_set_category (notification, notice->category);
  notify_notification_set_urgency (notification, (NotifyUrgency) notice->urgency);
  notify_notification_set_hint (notification, "desktop-entry", g_variant_new_string ("exo-tray"));
  notify_notification_set_hint (notification, "value",
                                notice->percent >= 0 && !notifier->server.is_xfce
                                    ? g_variant_new_int32 (notice->percent)
                                    : NULL);
}

static void
put_on (ExoNotifier *notifier, const ExoNotice *notice)
{
  Shown *shown = find_or_add (notifier, notice->id);
  g_autofree char *escaped = g_markup_escape_text (notice->body, -1);
  g_autoptr (GError) error = NULL;

  notify_notification_update (shown->notification, notice->title,
                              notifier->server.has_markup ? escaped : notice->body, "exo-tray");
  set_hints (notifier, shown->notification, notice);
  add_actions (notifier, shown->notification, notice->buttons);
  shown->moves = notice->percent >= 0;
  if (notify_notification_show (shown->notification, &error))
    return;
  g_info ("a notification is not shown: %s", error->message);
  g_hash_table_remove (notifier->shown, GUINT_TO_POINTER (notice->id));
}

/* Asking the server ------------------------------------------------------------------------------- */

static void
forget_pending (ExoNotifier *notifier)
{
  g_queue_clear_full (&notifier->pending, (GDestroyNotify) exo_notice_free);
}

static void
show_pending (ExoNotifier *notifier)
{
  ExoNotice *notice;

  while ((notice = g_queue_pop_head (&notifier->pending)) != NULL)
    {
      if (notice->title != NULL)
        put_on (notifier, notice);
      else
        take_off (notifier, notice->id);
      exo_notice_free (notice);
    }
}

/* (nullable): the reply. Without one, what was to be shown is forgotten, unless the notifier itself is. */
static GVariant *
finish (ExoNotifier *notifier, GObject *source, GAsyncResult *result)
{
  g_autoptr (GError) error = NULL;
  GVariant *reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  if (reply != NULL || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return reply;
  g_debug ("no notifications: %s", error->message);
  notifier->asking = FALSE;
  forget_pending (notifier);
  return NULL;
}

static void
call (ExoNotifier *notifier, const char *method, const char *type, GAsyncReadyCallback done)
{
  g_dbus_connection_call (notifier->bus, EXO_NOTIFICATIONS_NAME, EXO_NOTIFICATIONS_PATH,
                          EXO_NOTIFICATIONS_NAME, method, NULL, G_VARIANT_TYPE (type),
                          G_DBUS_CALL_FLAGS_NONE, ANSWER_MS, notifier->cancellable, done, notifier);
}

static void
on_capabilities (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ExoNotifier *notifier = user_data;
  g_autoptr (GVariant) reply = finish (notifier, source, result);
  g_autofree const char **capabilities = NULL;

  if (reply == NULL)
    return;
  g_variant_get (reply, "(^a&s)", &capabilities);
  notifier->server.has_actions = g_strv_contains (capabilities, "actions");
  notifier->server.has_markup = g_strv_contains (capabilities, "body-markup");
  notifier->asking = FALSE;
  show_pending (notifier);
}

static void
on_information (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ExoNotifier *notifier = user_data;
  g_autoptr (GVariant) reply = finish (notifier, source, result);
  const char *name;

  if (reply == NULL)
    return;
  g_variant_get (reply, "(&s&s&s&s)", &name, NULL, NULL, NULL);
  notifier->server.is_xfce = g_str_equal (name, "Xfce Notify Daemon");
  call (notifier, "GetCapabilities", "(as)", on_capabilities);
}

static void
forget_older (ExoNotifier *notifier, guint id)
{
  for (GList *link = notifier->pending.head, *next; link != NULL; link = next)
    {
      next = link->next;
      if (((ExoNotice *) link->data)->id != id)
        continue;
      exo_notice_free (link->data);
      g_queue_delete_link (&notifier->pending, link);
    }
}

void
exo_notifier_show (ExoNotifier *notifier, ExoNotice *notice)
{
  forget_older (notifier, notice->id);
  g_queue_push_tail (&notifier->pending, notice);
  if (notifier->asking)
    return;
  notifier->asking = TRUE;
  call (notifier, "GetServerInformation", "(ssss)", on_information);
}

/* ------------------------------------------------------------------------------------------------- */

ExoNotifier *
exo_notifier_new (GDBusConnection *bus, const ExoNotifierCallbacks *callbacks, gpointer user_data)
{
  ExoNotifier *notifier = g_new0 (ExoNotifier, 1);

  notify_init ("exo");
  notifier->bus = g_object_ref (bus);
  notifier->callbacks = *callbacks;
  notifier->user_data = user_data;
  notifier->cancellable = g_cancellable_new ();
  notifier->shown = g_hash_table_new_full (NULL, NULL, NULL, shown_free);
  g_queue_init (&notifier->pending);
  notifier->watch_id =
      g_bus_watch_name_on_connection (bus, EXO_NOTIFICATIONS_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                      NULL, on_server_gone, notifier, NULL);
  return notifier;
}

static void
take_off_what_moves (ExoNotifier *notifier)
{
  g_autoptr (GList) all = g_hash_table_get_values (notifier->shown);

  for (GList *link = all; link != NULL; link = link->next)
    if (((Shown *) link->data)->moves)
      take_off (notifier, ((Shown *) link->data)->id);
}

void
exo_notifier_free (ExoNotifier *notifier)
{
  if (notifier == NULL)
    return;
  g_cancellable_cancel (notifier->cancellable);
  g_bus_unwatch_name (notifier->watch_id);
  if (!g_dbus_connection_is_closed (notifier->bus))
    take_off_what_moves (notifier);
  forget_pending (notifier);
  g_hash_table_unref (notifier->shown);
  g_object_unref (notifier->cancellable);
  g_object_unref (notifier->bus);
  notify_uninit ();
  g_free (notifier);
}
