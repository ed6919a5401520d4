/* discover.c - what discovery tells, one JSON object a line
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   discover ID NAME PORT
 *
 * Lines on stdin are ids of peers that have failed; at its end the program says goodbye.
 */

#include <gio/gunixinputstream.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "discovery/discovery.h"

static void
on_seen (ExoDiscovery *discovery, const ExoPeer *peer, gpointer user_data)
{
  printf ("{\"event\": \"seen\", \"id\": \"%s\", \"name\": \"%s\", \"addresses\": [", peer->id,
          peer->name);
  for (guint i = 0; i < peer->addresses->len; i++)
    {
      g_autofree char *text =
          g_socket_connectable_to_string (g_ptr_array_index (peer->addresses, i));

      printf ("%s\"%s\"", i > 0 ? ", " : "", text);
    }
  printf ("]}\n");
}

static void
on_gone (ExoDiscovery *discovery, const char *id, gpointer user_data)
{
  printf ("{\"event\": \"gone\", \"id\": \"%s\"}\n", id);
}

static void
on_state (ExoDiscovery *discovery, ExoDiscoveryState state, const char *detail, gpointer user_data)
{
  const char *names[] = { "off", "no-daemon", "starting", "running" };
  const char *published = exo_discovery_service_name (discovery);
  g_autofree char *escaped = g_strescape (detail, NULL);

  printf ("{\"event\": \"state\", \"state\": \"%s\", \"name\": \"%s\", \"detail\": \"%s\"}\n",
          names[state], published != NULL ? published : "", escaped);
}

static void
on_settled (ExoDiscovery *discovery, gpointer user_data)
{
  printf ("{\"event\": \"settled\", \"peers\": %u}\n", exo_discovery_n_peers (discovery));
}

static ExoDiscovery *discovery;
static GMainLoop *loop;

static void
on_line (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GDataInputStream *input = G_DATA_INPUT_STREAM (source);
  g_autofree char *line = g_data_input_stream_read_line_finish (input, result, NULL, NULL);

  if (line == NULL)
    {
      g_main_loop_quit (loop);
      return;
    }
  exo_discovery_peer_failed (discovery, line);
  g_data_input_stream_read_line_async (input, G_PRIORITY_DEFAULT, NULL, on_line, NULL);
}

int
main (int argc, char **argv)
{
  const ExoDiscoveryCallbacks callbacks = { on_seen, on_gone, on_state, on_settled };
  g_autoptr (GInputStream) input = g_unix_input_stream_new (STDIN_FILENO, FALSE);
  g_autoptr (GDataInputStream) lines = g_data_input_stream_new (input);

  if (argc != 4)
    return EXIT_FAILURE;
  setvbuf (stdout, NULL, _IOLBF, 0);
  loop = g_main_loop_new (NULL, FALSE);
  discovery = exo_discovery_new (argv[1], argv[2], (guint16) atoi (argv[3]), &callbacks, NULL);
  g_data_input_stream_read_line_async (lines, G_PRIORITY_DEFAULT, NULL, on_line, NULL);
  g_main_loop_run (loop);
  exo_discovery_free (discovery);
  g_main_loop_unref (loop);
  return EXIT_SUCCESS;
}
