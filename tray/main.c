/* main.c - exo-tray, the program
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One for each session bus: the second exits at once, with 0. So does one that finds no bus: there is nobody to show anything to.
 *
 * When the bus goes, mostly the session has ended, and desktop programs end with it. But a bus can also be restarted, and then
 * everything is to come back. So exo-tray waits for it some two minutes, less and less often, and runs itself anew: libraries,
 * libnotify for one, cannot leave a connection that is closed. Without a bus by then it exits, with 0.
 */

#include <gio/gio.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/i18n.h"
#include "tray/tray.h"

#define OWN_NAME "org.exo.Tray1"

static const guint retry_s[] = { 1, 1, 2, 4, 8, 15, 30, 30, 30 };

typedef struct
{
  GMainLoop *loop;
  GDBusConnection *bus;
  char *address; /* of the bus */
  ExoTray *tray; /* (nullable): until the name is ours, and without a bus */
  guint name_id, retry_id;
  gsize n_retries;
  gboolean bus_is_back;
  int status;
} Program;

static void
on_quit (gpointer user_data)
{
  g_main_loop_quit (((Program *) user_data)->loop);
}

static gboolean
on_signal (gpointer user_data)
{
  on_quit (user_data);
  return G_SOURCE_CONTINUE;
}

/* The bus goes and comes back --------------------------------------------------------------------- */

static void retry_later (Program *program);

static void
on_connected (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GDBusConnection) bus = g_dbus_connection_new_for_address_finish (result, NULL);
  Program *program = user_data;

  if (bus == NULL)
    {
      retry_later (program);
      return;
    }
  program->bus_is_back = TRUE;
  g_main_loop_quit (program->loop);
}

static gboolean
on_retry (gpointer user_data)
{
  Program *program = user_data;

  program->retry_id = 0;
  g_dbus_connection_new_for_address (program->address,
                                     G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                         G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                     NULL, NULL, on_connected, program);
  return G_SOURCE_REMOVE;
}

static void
retry_later (Program *program)
{
  if (program->n_retries == G_N_ELEMENTS (retry_s))
    g_main_loop_quit (program->loop);
  else
    program->retry_id = g_timeout_add_seconds (retry_s[program->n_retries++], on_retry, program);
}

static void
on_closed (GDBusConnection *bus, gboolean by_remote, GError *error, gpointer user_data)
{
  Program *program = user_data;

  g_clear_pointer (&program->tray, exo_tray_free);
  retry_later (program);
}

/* Being the only one ------------------------------------------------------------------------------ */

static void
on_name_acquired (GDBusConnection *bus, const char *name, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  Program *program = user_data;

  if (g_dbus_connection_is_closed (bus))
    return; /* on_closed() follows */
  if (program->tray == NULL)
    program->tray = exo_tray_new (bus, on_quit, program, &error);
  if (program->tray != NULL)
    return;
  g_critical ("cannot start: %s", error->message);
  program->status = EXIT_FAILURE;
  g_main_loop_quit (program->loop);
}

static void
on_name_lost (GDBusConnection *bus, const char *name, gpointer user_data)
{
  Program *program = user_data;

  if (bus != NULL && !g_dbus_connection_is_closed (bus)) /* else on_closed() */
    g_main_loop_quit (program->loop);
}

static void
run (Program *program)
{
  guint on_term = g_unix_signal_add (SIGTERM, on_signal, program);
  guint on_int = g_unix_signal_add (SIGINT, on_signal, program);

  program->loop = g_main_loop_new (NULL, FALSE);
  g_dbus_connection_set_exit_on_close (program->bus, FALSE);
  g_signal_connect (program->bus, "closed", G_CALLBACK (on_closed), program);
  program->name_id =
      g_bus_own_name_on_connection (program->bus, OWN_NAME, G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE,
                                    on_name_acquired, on_name_lost, program, NULL);
  g_main_loop_run (program->loop);
  g_clear_pointer (&program->tray, exo_tray_free);
  if (!g_dbus_connection_is_closed (program->bus))
    g_bus_unown_name (program->name_id);
  g_clear_handle_id (&program->retry_id, g_source_remove);
  g_signal_handlers_disconnect_by_data (program->bus, program);
  g_dbus_connection_flush_sync (program->bus, NULL, NULL);
  g_source_remove (on_term);
  g_source_remove (on_int);
  g_main_loop_unref (program->loop);
}

/* Start ------------------------------------------------------------------------------------------- */

/* -1: go on; else what to exit with. */
static int
parse (int argc, char **argv)
{
  gboolean version = FALSE;
  const GOptionEntry entries[] = {
    { "version", 0, 0, G_OPTION_ARG_NONE, &version, N_ ("Print the version and exit"), NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context =
      g_option_context_new (_ ("- shows what exo-agent does: an icon, a menu, notifications"));
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc > 1)
    {
      g_printerr ("exo-tray: %s\n",
                  error != NULL ? error->message : _ ("unexpected argument; see exo-tray --help"));
      return 2;
    }
  if (!version)
    return -1;
  g_print ("exo-tray " EXO_VERSION "\n");
  return EXIT_SUCCESS;
}

int
main (int argc, char **argv)
{
  g_auto (GStrv) arguments = g_strdupv (argv);
  g_autoptr (GError) error = NULL;
  Program program = { .status = EXIT_SUCCESS };
  int status;

  exo_i18n_init ();
  status = parse (argc, argv);
  if (status != -1)
    return status;
  program.address = g_dbus_address_get_for_bus_sync (G_BUS_TYPE_SESSION, NULL, NULL);
  program.bus = g_bus_get_sync (G_BUS_TYPE_SESSION, NULL, &error);
  if (program.bus == NULL)
    {
      g_info ("no session bus, nothing to show: %s", error->message);
      g_free (program.address);
      return EXIT_SUCCESS;
    }
  run (&program);
  g_object_unref (program.bus);
  g_free (program.address);
  if (!program.bus_is_back)
    return program.status;
  execv ("/proc/self/exe", arguments);
  g_critical ("cannot start anew: %s", g_strerror (errno));
  return EXIT_FAILURE;
}
