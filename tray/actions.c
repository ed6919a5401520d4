/* actions.c - see actions.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tray/actions.h"

#include <glib/gi18n.h>

#include "tray/watch.h"

#define TRANSFER_INTERFACE EXO_AGENT_NAME ".Transfer"
#define FILES_NAME         "org.freedesktop.FileManager1"
#define FILES_PATH         "/org/freedesktop/FileManager1"

struct ExoActions
{
  GDBusConnection *bus;
  ExoActionsFailed failed;
  gpointer user_data;
  GCancellable *cancellable;
  char *folder; /* (nullable): being opened */
};

static void
report (ExoActions *actions, GError *error)
{
  g_autofree char *message = NULL;

  if (g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN))
    message = g_strdup (_ ("The agent is not installed for this user, and cannot be started"));
  else
    {
      g_dbus_error_strip_remote_error (error);
      message = g_strdup (error->message);
    }
  actions->failed (message, actions->user_data);
}

/* (nullable): the reply, or NULL with the error reported, unless the actions are gone. */
static GVariant *
finish (ExoActions *actions, GObject *source, GAsyncResult *result)
{
  g_autoptr (GError) error = NULL;
  GVariant *reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  if (reply == NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    report (actions, error);
  return reply;
}

static void
on_done (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GVariant *reply = finish (user_data, source, result);

  g_clear_pointer (&reply, g_variant_unref);
}

static void
call (ExoActions *actions,
      const char *name,
      const char *path,
      const char *interface,
      const char *method,
      GVariant *arguments,
      GAsyncReadyCallback done)
{
  g_dbus_connection_call (actions->bus, name, path, interface, method, arguments, NULL,
                          G_DBUS_CALL_FLAGS_NONE, -1, actions->cancellable, done, actions);
}

/* Transfers --------------------------------------------------------------------------------------- */

static void
call_transfer (ExoActions *actions, const ExoViewTransfer *transfer, const char *method)
{
  call (actions, EXO_AGENT_NAME, transfer->path, TRANSFER_INTERFACE, method, NULL, on_done);
}

/* What programs asked for and stopped reading was not paused by anyone: see ExoIcon. */
static void
call_all (ExoActions *actions, const ExoView *view, gboolean pause)
{
  for (guint i = 0; i < view->transfers->len; i++)
    {
      const ExoViewTransfer *transfer = view->transfers->pdata[i];

      if (pause && exo_view_is_running (transfer))
        call_transfer (actions, transfer, "Pause");
      if (!pause && transfer->state == EXO_VIEW_PAUSED && !transfer->on_demand)
        call_transfer (actions, transfer, "Resume");
    }
}

static void
pull_again (ExoActions *actions, const ExoViewTransfer *transfer)
{
  GVariantDict options;

  g_variant_dict_init (&options, NULL);
  g_variant_dict_insert (&options, "type", "s", transfer->type);
  if (transfer->include[0] != NULL)
    g_variant_dict_insert (&options, "include", "^as", transfer->include);
  if (transfer->exclude[0] != NULL)
    g_variant_dict_insert (&options, "exclude", "^as", transfer->exclude);
  call (actions, EXO_AGENT_NAME, EXO_AGENT_PATH, EXO_AGENT_NAME, "Pull",
        g_variant_new ("(ss@a{sv})", transfer->model, transfer->revision,
                       g_variant_dict_end (&options)),
        on_done);
}

/* The folder -------------------------------------------------------------------------------------- */

/* For desktops whose file manager is not on the bus. */
static void
run_opener (ExoActions *actions)
{
  char *argv[] = { (char *) "xdg-open", actions->folder, NULL };
  g_autofree char *message = NULL;

  if (g_spawn_async (NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL))
    return;
  message =
      g_strdup_printf (_ ("There is no program to open the folder with: %s"), actions->folder);
  actions->failed (message, actions->user_data);
}

static void
on_folder_shown (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  if (reply != NULL || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  g_debug ("no file manager on the bus: %s", error->message);
  run_opener (user_data);
}

static void
open_folder (ExoActions *actions, const char *path)
{
  g_autofree char *uri = NULL;
  g_autofree char *message = NULL;
  const char *uris[2] = { NULL };

  if (!g_path_is_absolute (path) || !g_file_test (path, G_FILE_TEST_IS_DIR))
    {
      message = g_strdup_printf (_ ("There is no models folder yet: %s"), path);
      actions->failed (message, actions->user_data);
      return;
    }
  g_free (actions->folder);
  actions->folder = g_strdup (path);
  uri = g_filename_to_uri (path, NULL, NULL);
  uris[0] = uri;
  call (actions, FILES_NAME, FILES_PATH, FILES_NAME, "ShowFolders",
        g_variant_new ("(^ass)", uris, ""), on_folder_shown);
}

static void
on_cache_path (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GVariant) reply = finish (user_data, source, result);
  g_autoptr (GVariant) value = NULL;

  if (reply == NULL)
    return;
  g_variant_get (reply, "(v)", &value);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    open_folder (user_data, g_variant_get_string (value, NULL));
}

static void
ask_for_folder (ExoActions *actions)
{
  call (actions, EXO_AGENT_NAME, EXO_AGENT_PATH, "org.freedesktop.DBus.Properties", "Get",
        g_variant_new ("(ss)", EXO_AGENT_NAME, "CachePath"), on_cache_path);
}

/* ------------------------------------------------------------------------------------------------- */

static void
run_on_transfer (ExoActions *actions, ExoMenuAction action, const ExoViewTransfer *transfer)
{
  if (action == EXO_MENU_PAUSE)
    call_transfer (actions, transfer, "Pause");
  else if (action == EXO_MENU_RESUME)
    call_transfer (actions, transfer, "Resume");
  else if (action == EXO_MENU_CANCEL)
    call_transfer (actions, transfer, "Cancel");
  else if (action == EXO_MENU_PULL)
    pull_again (actions, transfer);
}

void
exo_actions_run (ExoActions *actions, ExoMenuAction action, const char *target, const ExoView *view)
{
  const ExoViewTransfer *transfer = target != NULL ? exo_view_find_transfer (view, target) : NULL;

  if (transfer != NULL)
    run_on_transfer (actions, action, transfer);
  else if (action == EXO_MENU_PAUSE_ALL || action == EXO_MENU_RESUME_ALL)
    call_all (actions, view, action == EXO_MENU_PAUSE_ALL);
  else if (action == EXO_MENU_START)
    call (actions, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
          "StartServiceByName", g_variant_new ("(su)", EXO_AGENT_NAME, 0), on_done);
  else if (action == EXO_MENU_OPEN_FOLDER && *view->cache_path != '\0')
    open_folder (actions, view->cache_path);
  else if (action == EXO_MENU_OPEN_FOLDER)
    ask_for_folder (actions);
}

ExoActions *
exo_actions_new (GDBusConnection *bus, ExoActionsFailed failed, gpointer user_data)
{
  ExoActions *actions = g_new0 (ExoActions, 1);

  actions->bus = g_object_ref (bus);
  actions->failed = failed;
  actions->user_data = user_data;
  actions->cancellable = g_cancellable_new ();
  return actions;
}

void
exo_actions_free (ExoActions *actions)
{
  if (actions == NULL)
    return;
  g_cancellable_cancel (actions->cancellable);
  g_object_unref (actions->cancellable);
  g_object_unref (actions->bus);
  g_free (actions->folder);
  g_free (actions);
}
