/* cmd-watch.c - exoctl watch: everything that happens, until Ctrl-C
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <unistd.h>

#include "agent/ctl/bars.h"
#include "agent/ctl/ctl.h"
#include "agent/ctl/follow.h"
#include "agent/ctl/format.h"
#include "agent/ctl/words.h"

#define REDRAW_MS 250u

typedef struct
{
  const ExoCtl *ctl;
  GMainLoop *loop;
  GDBusObjectManager *objects;
  GHashTable *follows; /* object path to ExoFollow, both owned */
  ExoBars *bars;       /* NULL unless live */
  GPtrArray *above;    /* utf8: lines that wait for the next frame */
  int code;
} Watch;

static void
follow_free (ExoFollow *follow)
{
  exo_follow_clear (follow);
  g_free (follow);
}

/* A line of its own, above the block if there is one. @line: (transfer full), clean */
static void
say (Watch *watch, char *line)
{
  if (watch->bars != NULL)
    g_ptr_array_add (watch->above, line);
  else
    {
      exo_print ("%s\n", line);
      g_free (line);
    }
}

static void
on_transfer (Watch *watch, ExoAgent1Transfer *transfer, const char *path)
{
  ExoFollow *follow = g_hash_table_lookup (watch->follows, path);

  if (follow == NULL)
    {
      follow = g_new0 (ExoFollow, 1);
      g_hash_table_insert (watch->follows, g_strdup (path), follow);
    }
  if (watch->bars == NULL)
    exo_follow_update (watch->ctl, follow, transfer);
  else if (g_strcmp0 (follow->state, exo_agent1_transfer_get_state (transfer)) != 0)
    {
      g_autofree char *model = exo_format_clean (exo_agent1_transfer_get_model (transfer));
      g_autofree char *state =
          exo_format_clean (exo_word (exo_agent1_transfer_get_state (transfer)));

      g_free (follow->state);
      follow->state = g_strdup (exo_agent1_transfer_get_state (transfer));
      if (exo_follow_is_over (transfer))
        say (watch, g_strdup_printf ("%s: %s", model, state));
    }
}

static void
print_node (Watch *watch, ExoAgent1Node *node, const char *event)
{
  g_autofree char *name = exo_format_clean (exo_agent1_node_get_name (node));
  g_autofree char *state = exo_format_clean (exo_word (exo_agent1_node_get_state (node)));
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (!watch->ctl->json)
    {
      say (watch,
           g_strdup_printf ("%s: %s", name, g_str_equal (event, "node-gone") ? _ ("gone") : state));
      return;
    }
  json_builder_begin_object (builder);
  exo_json_string (builder, "event", event);
  exo_json_node (builder, node);
  json_builder_end_object (builder);
  exo_print_json (builder);
}

static void
on_properties (GDBusObjectManagerClient *objects,
               GDBusObjectProxy *object,
               GDBusProxy *interface,
               GVariant *changed,
               const char *const *gone,
               Watch *watch)
{
  if (EXO_IS_AGENT1_TRANSFER (interface))
    on_transfer (watch, EXO_AGENT1_TRANSFER (interface), g_dbus_proxy_get_object_path (interface));
  else if (EXO_IS_AGENT1_NODE (interface) &&
           (watch->ctl->json || g_variant_lookup (changed, "State", "&s", NULL)))
    print_node (watch, EXO_AGENT1_NODE (interface), "node");
}

static void
on_added (GDBusObjectManager *objects, GDBusObject *object, Watch *watch)
{
  ExoAgent1Transfer *transfer = exo_object_peek_agent1_transfer (EXO_OBJECT (object));
  ExoAgent1Node *node = exo_object_peek_agent1_node (EXO_OBJECT (object));

  if (transfer != NULL)
    on_transfer (watch, transfer, g_dbus_object_get_object_path (object));
  else if (node != NULL)
    print_node (watch, node, "node");
}

static void
print_transfer_gone (Watch *watch, ExoAgent1Transfer *transfer)
{
  g_autofree char *model = exo_format_clean (exo_agent1_transfer_get_model (transfer));
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (!watch->ctl->json)
    {
      say (watch, g_strdup_printf (_ ("%s: cancelled or forgotten"), model));
      return;
    }
  json_builder_begin_object (builder);
  exo_json_string (builder, "event", "transfer-gone");
  exo_json_transfer (builder, transfer);
  json_builder_end_object (builder);
  exo_print_json (builder);
}

static void
on_removed (GDBusObjectManager *objects, GDBusObject *object, Watch *watch)
{
  ExoAgent1Transfer *transfer = exo_object_peek_agent1_transfer (EXO_OBJECT (object));
  ExoAgent1Node *node = exo_object_peek_agent1_node (EXO_OBJECT (object));

  g_hash_table_remove (watch->follows, g_dbus_object_get_object_path (object));
  if (transfer != NULL)
    print_transfer_gone (watch, transfer);
  else if (node != NULL)
    print_node (watch, node, "node-gone");
}

static void
on_warning (ExoAgent1 *agent,
            const char *kind,
            const char *message,
            GVariant *details,
            Watch *watch)
{
  g_autofree char *clean = exo_format_clean (message);
  g_autofree char *mark = exo_colour (watch->ctl, EXO_COLOUR_WARN, _ ("warning"));
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (!watch->ctl->json)
    {
      say (watch, g_strdup_printf ("%s: %s", mark, clean));
      return;
    }
  json_builder_begin_object (builder);
  exo_json_string (builder, "event", "warning");
  exo_json_string (builder, "kind", kind);
  exo_json_string (builder, "message", message);
  json_builder_end_object (builder);
  exo_print_json (builder);
}

static void
on_name_owner (GDBusObjectManager *objects, GParamSpec *property, Watch *watch)
{
  g_autofree char *owner =
      g_dbus_object_manager_client_get_name_owner (G_DBUS_OBJECT_MANAGER_CLIENT (objects));

  if (owner != NULL)
    return;
  watch->code = EXO_EXIT_NO_AGENT;
  g_main_loop_quit (watch->loop);
}

static gboolean
on_interrupted (gpointer user_data)
{
  Watch *watch = user_data;

  watch->code = EXO_EXIT_INTERRUPTED;
  g_main_loop_quit (watch->loop);
  return G_SOURCE_CONTINUE;
}

static void
add_bar (Watch *watch, GPtrArray *lines, ExoAgent1Transfer *transfer, guint columns)
{
  g_autofree char *model = exo_format_clean (exo_agent1_transfer_get_model (transfer));
  g_autofree char *state = exo_format_clean (exo_word (exo_agent1_transfer_get_state (transfer)));
  g_autofree char *amount = exo_follow_amount (transfer);
  g_autofree char *speed = exo_follow_speed (transfer);
  g_autofree char *tail =
      g_strdup_printf ("%s, %s", amount, exo_follow_is_moving (transfer) ? speed : state);

  g_ptr_array_add (lines, exo_format_progress (model, exo_agent1_transfer_get_bytes_done (transfer),
                                               exo_agent1_transfer_get_bytes_total (transfer), tail,
                                               columns, watch->ctl->utf8));
}

static char *
text_of_counts (guint n_transfers, guint n_neighbours)
{
  g_autofree char *transfers =
      g_strdup_printf (ngettext ("%u under way", "%u under way", n_transfers), n_transfers);
  g_autofree char *neighbours =
      g_strdup_printf (ngettext ("%u neighbour", "%u neighbours", n_neighbours), n_neighbours);

  /* TRANSLATORS: transfers under way, neighbours */
  return g_strdup_printf (_ ("%s, %s"), transfers, neighbours);
}

static gboolean
on_redraw (gpointer user_data)
{
  Watch *watch = user_data;
  g_autoptr (GPtrArray) transfers = exo_client_transfers (watch->objects);
  g_autoptr (GPtrArray) nodes = exo_client_nodes (watch->objects);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  guint columns, rows;

  exo_bars_get_size (watch->bars, &columns, &rows);
  columns = MAX (columns, 2u) - 1;
  for (guint i = 0; i < transfers->len && lines->len + 2 < rows; i++)
    if (!exo_follow_is_over (transfers->pdata[i]))
      add_bar (watch, lines, transfers->pdata[i], columns);
  g_autofree char *last = text_of_counts (lines->len, nodes->len > 0 ? nodes->len - 1 : 0);
  g_ptr_array_add (lines, exo_format_cut (last, columns));
  exo_bars_show (watch->bars, watch->above, lines);
  g_ptr_array_set_size (watch->above, 0);
  return G_SOURCE_CONTINUE;
}

static void
watch_clear (Watch *watch)
{
  g_clear_pointer (&watch->loop, g_main_loop_unref);
  g_clear_object (&watch->objects);
  g_clear_pointer (&watch->follows, g_hash_table_unref);
  g_clear_pointer (&watch->bars, exo_bars_free);
  g_clear_pointer (&watch->above, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Watch, watch_clear)

static void
say_what_is_there (Watch *watch)
{
  g_autoptr (GPtrArray) nodes = exo_client_nodes (watch->objects);
  g_autoptr (GPtrArray) transfers = exo_client_transfers (watch->objects);

  for (guint i = 0; i < nodes->len; i++)
    print_node (watch, nodes->pdata[i], "node");
  for (guint i = 0; i < transfers->len; i++)
    on_transfer (watch, transfers->pdata[i], g_dbus_proxy_get_object_path (transfers->pdata[i]));
}

static void
watch_until_interrupted (Watch *watch, ExoAgent1 *agent)
{
  guint sources[] = {
    g_unix_signal_add (SIGINT, on_interrupted, watch),
    g_unix_signal_add (SIGTERM, on_interrupted, watch),
    watch->bars != NULL ? g_timeout_add (REDRAW_MS, on_redraw, watch) : 0,
  };

  g_signal_connect (watch->objects, "interface-proxy-properties-changed",
                    G_CALLBACK (on_properties), watch);
  g_signal_connect (watch->objects, "object-added", G_CALLBACK (on_added), watch);
  g_signal_connect (watch->objects, "object-removed", G_CALLBACK (on_removed), watch);
  g_signal_connect (watch->objects, "notify::name-owner", G_CALLBACK (on_name_owner), watch);
  g_signal_connect (agent, "warning", G_CALLBACK (on_warning), watch);
  g_main_loop_run (watch->loop);
  if (watch->bars != NULL)
    exo_bars_clear (watch->bars);
  g_signal_handlers_disconnect_by_data (watch->objects, watch);
  g_signal_handlers_disconnect_by_data (agent, watch);
  for (gsize i = 0; i < G_N_ELEMENTS (sources); i++)
    if (sources[i] != 0)
      g_source_remove (sources[i]);
}

static int
run (const ExoCtl *ctl, char **arguments, GError **error)
{
  g_auto (Watch) watch = { .ctl = ctl };
  g_autoptr (ExoAgent1) agent = exo_client_connect (error);

  if (agent == NULL)
    return EXO_EXIT_NO_AGENT;
  watch.objects = exo_client_objects (error);
  if (watch.objects == NULL)
    return EXO_EXIT_NO_AGENT;
  watch.loop = g_main_loop_new (NULL, FALSE);
  watch.follows =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) follow_free);
  watch.above = g_ptr_array_new_with_free_func (g_free);
  watch.bars = ctl->live ? exo_bars_new (STDOUT_FILENO) : NULL;
  say_what_is_there (&watch);
  watch_until_interrupted (&watch, agent);
  if (watch.code == EXO_EXIT_NO_AGENT)
    g_set_error_literal (error, EXO_CTL_ERROR, EXO_EXIT_NO_AGENT, _ ("The agent stopped"));
  return watch.code;
}

const ExoCommand exo_command_watch = {
  .name = "watch",
  .arguments = "",
  .summary = N_ ("Show what happens, until Ctrl-C"),
  .description = N_ (
      "On a terminal a bar for each transfer under way; otherwise, and with --json, a line for\n"
      "each change of a transfer or node and each warning of the agent."),
  .has_json = TRUE,
  .run = run,
};
