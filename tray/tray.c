/* tray.c - see tray.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tray/tray.h"

#include "tray/actions.h"
#include "tray/item.h"
#include "tray/menu-server.h"
#include "tray/notifier.h"
#include "tray/savings.h"
#include "tray/watch.h"

struct ExoTray
{
  ExoWatch *watch;
  ExoItem *item;
  ExoMenuIds *ids;
  ExoMenuServer *menu;
  ExoActions *actions;
  ExoNotices *notices;
  ExoNotifier *notifier;
  ExoSavings *savings;
  guint64 saved; /* this month, as far as known */
  guint due_id;
  void (*quit) (gpointer user_data);
  gpointer user_data;
};

/* Notifications ----------------------------------------------------------------------------------- */

static void tell (ExoTray *tray, const ExoView *view);

static gboolean
on_due (gpointer user_data)
{
  ExoTray *tray = user_data;

  tray->due_id = 0;
  tell (tray, exo_watch_peek_view (tray->watch));
  return G_SOURCE_REMOVE;
}

static void
tell_later (ExoTray *tray, gint64 due_us, gint64 now_us)
{
  g_clear_handle_id (&tray->due_id, g_source_remove);
  if (due_us != -1)
    tray->due_id =
        g_timeout_add ((guint) CLAMP ((due_us - now_us + 999) / 1000, 0, G_MAXINT32), on_due, tray);
}

static void
tell (ExoTray *tray, const ExoView *view)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *month = g_date_time_format (now, "%Y-%m");
  gint64 now_us = g_get_monotonic_time ();
  ExoNotice *notice;

  if (view->connected)
    tray->saved = exo_savings_update (tray->savings, view->from_lan, month);
  exo_notices_update (tray->notices, view, tray->saved, now_us);
  while ((notice = exo_notices_next (tray->notices)) != NULL)
    exo_notifier_show (tray->notifier, notice);
  tell_later (tray, exo_notices_due (tray->notices), now_us);
}

static void
on_gone (guint id, gpointer user_data)
{
  exo_notices_gone (((ExoTray *) user_data)->notices, id);
}

/* ------------------------------------------------------------------------------------------------- */

static void
on_changed (const ExoView *view, gpointer user_data)
{
  ExoTray *tray = user_data;
  g_autoptr (ExoMenuRow) menu = exo_menu_build (view, tray->ids);

  exo_item_update (tray->item, view);
  exo_menu_server_show (tray->menu, menu);
  tell (tray, view);
}

/* What went wrong is shown as the agent's warnings are: in the icon, the menu and by a notice. */
static void
on_failed (const char *message, gpointer user_data)
{
  ExoTray *tray = user_data;

  exo_watch_warn (tray->watch, "tray", message);
}

static void
act (ExoMenuAction action, const char *target, gpointer user_data)
{
  ExoTray *tray = user_data;

  exo_notices_pressed (tray->notices, action, target);
  if (action == EXO_MENU_QUIT)
    tray->quit (tray->user_data);
  else if (action == EXO_MENU_DISMISS)
    exo_watch_dismiss (tray->watch, target);
  else
    exo_actions_run (tray->actions, action, target, exo_watch_peek_view (tray->watch));
}

static void
on_clicked (const ExoMenuRow *row, gpointer user_data)
{
  act (row->action, row->target, user_data);
}

static void
on_activated (gpointer user_data)
{
  ExoTray *tray = user_data;

  act (EXO_MENU_OPEN_FOLDER, NULL, tray);
}

/* As in players of music: pause, or go on where nothing moves. */
static void
on_second_activated (gpointer user_data)
{
  ExoTray *tray = user_data;
  const ExoView *view = exo_watch_peek_view (tray->watch);
  ExoMenuAction action = EXO_MENU_RESUME_ALL;

  for (guint i = 0; i < view->transfers->len; i++)
    if (exo_view_is_running (view->transfers->pdata[i]))
      action = EXO_MENU_PAUSE_ALL;
  act (action, NULL, tray);
}

static void
on_host_gone (gpointer user_data)
{
  exo_menu_server_close (((ExoTray *) user_data)->menu);
}

ExoTray *
exo_tray_new (GDBusConnection *bus,
              void (*quit) (gpointer user_data),
              gpointer user_data,
              GError **error)
{
  const ExoNotifierCallbacks noticed = { act, on_gone };
  g_autofree char *savings = exo_savings_default_path ();
  const ExoItemCallbacks callbacks = { on_activated, on_second_activated, on_host_gone };
  g_autoptr (ExoTray) tray = g_new0 (ExoTray, 1);
  g_autoptr (ExoMenuRow) menu = NULL;

  tray->quit = quit;
  tray->user_data = user_data;
  tray->ids = exo_menu_ids_new ();
  tray->actions = exo_actions_new (bus, on_failed, tray);
  tray->notices = exo_notices_new ();
  tray->savings = exo_savings_new (savings);
  tray->notifier = exo_notifier_new (bus, &noticed, tray);
  tray->watch = exo_watch_new (bus, on_changed, tray);
  menu = exo_menu_build (exo_watch_peek_view (tray->watch), tray->ids);
  tray->menu = exo_menu_server_new (bus, menu, on_clicked, tray, error);
  if (tray->menu == NULL)
    return NULL;
  tray->item = exo_item_new (bus, EXO_MENU_PATH, &callbacks, tray, error);
  return tray->item != NULL ? g_steal_pointer (&tray) : NULL;
}

void
exo_tray_free (ExoTray *tray)
{
  if (tray == NULL)
    return;
  g_clear_handle_id (&tray->due_id, g_source_remove);
  exo_watch_free (tray->watch);
  exo_notifier_free (tray->notifier);
  exo_notices_free (tray->notices);
  exo_savings_free (tray->savings);
  exo_item_free (tray->item);
  exo_menu_server_free (tray->menu);
  exo_actions_free (tray->actions);
  exo_menu_ids_free (tray->ids);
  g_free (tray);
}
