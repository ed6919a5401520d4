/* tray.c - see tray.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tray/tray.h"

#include "tray/actions.h"
#include "tray/item.h"
#include "tray/menu-server.h"
#include "tray/watch.h"

struct ExoTray
{
  ExoWatch *watch;
  ExoItem *item;
  ExoMenuIds *ids;
  ExoMenuServer *menu;
  ExoActions *actions;
  void (*quit) (gpointer user_data);
  gpointer user_data;
};

static void
on_changed (const ExoView *view, gpointer user_data)
{
  ExoTray *tray = user_data;
  g_autoptr (ExoMenuRow) menu = exo_menu_build (view, tray->ids);

  exo_item_update (tray->item, view);
  exo_menu_server_show (tray->menu, menu);
}

/* What went wrong is shown as the agent's warnings are: in the icon, the menu and by a notice. */
static void
on_failed (const char *message, gpointer user_data)
{
  ExoTray *tray = user_data;

  exo_watch_warn (tray->watch, "tray", message);
}

static void
on_clicked (const ExoMenuRow *row, gpointer user_data)
{
  ExoTray *tray = user_data;

  if (row->action == EXO_MENU_QUIT)
    tray->quit (tray->user_data);
  else if (row->action == EXO_MENU_DISMISS)
    exo_watch_dismiss (tray->watch, row->target);
  else
    exo_actions_run (tray->actions, row->action, row->target, exo_watch_peek_view (tray->watch));
}

static void
on_activated (gpointer user_data)
{
  ExoTray *tray = user_data;

  exo_actions_run (tray->actions, EXO_MENU_OPEN_FOLDER, NULL, exo_watch_peek_view (tray->watch));
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
  exo_actions_run (tray->actions, action, NULL, view);
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
  const ExoItemCallbacks callbacks = { on_activated, on_second_activated, on_host_gone };
  g_autoptr (ExoTray) tray = g_new0 (ExoTray, 1);
  g_autoptr (ExoMenuRow) menu = NULL;

  tray->quit = quit;
  tray->user_data = user_data;
  tray->ids = exo_menu_ids_new ();
  tray->actions = exo_actions_new (bus, on_failed, tray);
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
  exo_watch_free (tray->watch);
  exo_item_free (tray->item);
  exo_menu_server_free (tray->menu);
  exo_actions_free (tray->actions);
  exo_menu_ids_free (tray->ids);
  g_free (tray);
}
