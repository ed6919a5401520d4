/* stand-in.c - see stand-in.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/stand-in.h"

#include <json-glib/json-glib.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

struct StandIn
{
  GSubprocess *process;
  char *url;
  char *admin; /* host and port */
};

static void
end_with_parent (gpointer data)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

/* "ready hub=http://127.0.0.1:1 cdn=http://127.0.0.1:2 admin=http://127.0.0.1:3" */
static void
read_ports (StandIn *hub)
{
  g_autoptr (GDataInputStream) out =
      g_data_input_stream_new (g_subprocess_get_stdout_pipe (hub->process));
  g_autofree char *line = g_data_input_stream_read_line (out, NULL, NULL, NULL);
  g_auto (GStrv) words = g_strsplit (line != NULL ? line : "", " ", -1);

  if (g_strv_length (words) != 4)
    g_error ("the stand-in Hub does not start: %s", line != NULL ? line : "no output");
  hub->url = g_strdup (words[1] + strlen ("hub="));
  hub->admin = g_strdup (words[3] + strlen ("admin=http://"));
}

StandIn *
stand_in_new (const char *root)
{
  const char *program = g_getenv ("EXO_TEST_HUB");
  g_autoptr (GSubprocessLauncher) launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE);
  g_autoptr (GError) error = NULL;
  StandIn *hub = g_new0 (StandIn, 1);

  if (program == NULL)
    g_error ("EXO_TEST_HUB does not say where exo-test-hub is");
  g_subprocess_launcher_set_child_setup (launcher, end_with_parent, NULL, NULL);
  hub->process = g_subprocess_launcher_spawn (launcher, &error, program, "--root", root, NULL);
  if (hub->process == NULL)
    g_error ("%s: %s", program, error->message);
  read_ports (hub);
  return hub;
}

void
stand_in_free (StandIn *hub)
{
  g_subprocess_force_exit (hub->process);
  g_subprocess_wait (hub->process, NULL, NULL);
  g_object_unref (hub->process);
  g_free (hub->url);
  g_free (hub->admin);
  g_free (hub);
}

const char *
stand_in_url (StandIn *hub)
{
  return hub->url;
}

static char *
read_all (GInputStream *in)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[4096];
  gssize n;

  while ((n = g_input_stream_read (in, buffer, sizeof buffer, NULL, NULL)) > 0)
    g_string_append_len (text, buffer, n);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

char *
stand_in_ask (StandIn *hub, const char *method, const char *path, const char *body)
{
  g_autoptr (GSocketClient) client =
      g_object_new (G_TYPE_SOCKET_CLIENT, "enable-proxy", FALSE, NULL);
  g_autoptr (GSocketConnection) connection =
      g_socket_client_connect_to_host (client, hub->admin, 80, NULL, NULL);
  g_autofree char *request = g_strdup_printf ("%s %s HTTP/1.0\r\nContent-Length: %zu\r\n\r\n%s",
                                              method, path, strlen (body), body);
  g_autofree char *answer = NULL;
  const char *end;

  if (connection == NULL ||
      !g_output_stream_write_all (g_io_stream_get_output_stream (G_IO_STREAM (connection)), request,
                                  strlen (request), NULL, NULL, NULL))
    g_error ("the stand-in Hub is gone");
  answer = read_all (g_io_stream_get_input_stream (G_IO_STREAM (connection)));
  end = strstr (answer, "\r\n\r\n");
  if (end == NULL || strstr (answer, " 200 ") == NULL)
    g_error ("the stand-in Hub to %s %s: %s", method, path, answer);
  return g_strdup (end + 4);
}

void
stand_in_faults (StandIn *hub, const char *rules)
{
  g_autofree char *answer G_GNUC_UNUSED = rules != NULL
                                              ? stand_in_ask (hub, "POST", "/faults", rules)
                                              : stand_in_ask (hub, "DELETE", "/faults", "");
}

static void
post (StandIn *hub, const char *path)
{
  g_autofree char *answer G_GNUC_UNUSED = stand_in_ask (hub, "POST", path, "");
}

void
stand_in_reset (StandIn *hub)
{
  post (hub, "/up");
  post (hub, "/reset");
  stand_in_faults (hub, NULL);
}

void
stand_in_down (StandIn *hub)
{
  post (hub, "/down");
}

void
stand_in_reload (StandIn *hub)
{
  post (hub, "/reload");
}

guint
stand_in_hits (StandIn *hub)
{
  g_autofree char *answer = stand_in_ask (hub, "GET", "/faults", "");
  g_autoptr (JsonNode) root = json_from_string (answer, NULL);
  JsonArray *rules = json_node_get_array (root);

  return (guint) json_object_get_int_member (json_array_get_object_element (rules, 0), "hits");
}

guint64
stand_in_bytes (StandIn *hub)
{
  g_autofree char *answer = stand_in_ask (hub, "GET", "/stats", "");
  g_autoptr (JsonNode) root = json_from_string (answer, NULL);

  return (guint64) json_object_get_int_member (json_node_get_object (root), "bytes");
}
