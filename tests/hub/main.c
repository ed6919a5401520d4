/* main.c - exo-test-hub: folders served as the Hugging Face Hub would serve them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * For tests: what is asked of it is counted, and what goes wrong is ordered (admin.h, faults.h).
 */

#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/hub/admin.h"

typedef struct
{
  HubConfig hub;
  char *admin_listen;
  gint admin_port;
} Options;

static gboolean
parse_options (int *argc, char ***argv, Options *options, GError **error)
{
  HubConfig *hub = &options->hub;
  const GOptionEntry entries[] = {
    { "root", 0, 0, G_OPTION_ARG_FILENAME, &hub->root, "Folder of repos", "DIR" },
    { "listen", 0, 0, G_OPTION_ARG_STRING, &hub->listen, "Address of both ports (127.0.0.1)",
      "ADDR" },
    { "port", 0, 0, G_OPTION_ARG_INT, &hub->port, "Port of the Hub (any)", "P" },
    { "cdn-port", 0, 0, G_OPTION_ARG_INT, &hub->cdn_port, "Port of the CDN (any)", "P" },
    { "public-base", 0, 0, G_OPTION_ARG_STRING, &hub->hub_base, "How clients reach the Hub",
      "URL" },
    { "cdn-base", 0, 0, G_OPTION_ARG_STRING, &hub->cdn_base, "How clients reach the CDN", "URL" },
    { "admin-listen", 0, 0, G_OPTION_ARG_STRING, &options->admin_listen, "(127.0.0.1)", "ADDR" },
    { "admin-port", 0, 0, G_OPTION_ARG_INT, &options->admin_port, "Port to steer it (any)", "P" },
    { "log", 0, 0, G_OPTION_ARG_FILENAME, &hub->log, "A line a request", "FILE" },
    { "sign-ttl", 0, 0, G_OPTION_ARG_INT64, &hub->sign_ttl, "Life of a CDN address (3600)",
      "SECONDS" },
    { "quota", 0, 0, G_OPTION_ARG_INT64, &hub->quota, "Requests in a window (any number)", "N" },
    { "window", 0, 0, G_OPTION_ARG_INT64, &hub->window, "Length of the window (300)", "SECONDS" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context =
      g_option_context_new ("- a stand-in for the Hugging Face Hub");

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (hub->root == NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--root is missing");
      return FALSE;
    }
  if (hub->listen == NULL)
    hub->listen = g_strdup ("127.0.0.1");
  if (options->admin_listen == NULL)
    options->admin_listen = g_strdup ("127.0.0.1");
  return TRUE;
}

static void
clear_options (Options *options)
{
  g_free (options->hub.root);
  g_free (options->hub.listen);
  g_free (options->hub.hub_base);
  g_free (options->hub.cdn_base);
  g_free (options->hub.log);
  g_free (options->admin_listen);
}

static gboolean
on_signal (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_CONTINUE;
}

static gboolean
run (const Options *options, GError **error)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (HubServer) server = hub_server_new (&options->hub, error);
  g_autoptr (HubAdmin) admin = NULL; /* goes before the server: declared after it */

  if (server == NULL)
    return FALSE;
  admin = hub_admin_new (server, options->admin_listen, options->admin_port, error);
  if (admin == NULL)
    return FALSE;
  g_unix_signal_add (SIGTERM, on_signal, loop);
  g_unix_signal_add (SIGINT, on_signal, loop);
  g_print ("ready hub=http://%s:%u cdn=http://%s:%u admin=http://%s:%u\n", options->hub.listen,
           hub_server_port (server), options->hub.listen, hub_server_cdn_port (server),
           options->admin_listen, hub_admin_port (admin));
  fflush (stdout);
  g_main_loop_run (loop);
  return TRUE;
}

int
main (int argc, char **argv)
{
  Options options = { .hub = { .sign_ttl = 3600, .window = 300 } };
  g_autoptr (GError) error = NULL;
  gboolean ok = parse_options (&argc, &argv, &options, &error) && run (&options, &error);

  if (!ok)
    g_printerr ("exo-test-hub: %s\n", error->message);
  clear_options (&options);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
