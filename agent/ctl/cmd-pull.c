/* cmd-pull.c - exoctl pull: asks the agent for a model and shows how it comes
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * On a terminal a block of bars: the files under way, then the total. The agent does the work, so
 * Ctrl-C only ends the watching.
 */

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "agent/ctl/bars.h"
#include "agent/ctl/ctl.h"
#include "agent/ctl/follow.h"
#include "agent/ctl/format.h"
#include "agent/ctl/words.h"

#define REDRAW_MS  250u
#define ROWS_OTHER 4u /* of the block: total, sources, "and N more", and one free */

static struct
{
  char **includes, **excludes;
  char *type;
  gboolean detach;
} options;

typedef struct
{
  const ExoCtl *ctl;
  GMainLoop *loop;
  ExoAgent1Transfer *transfer;
  ExoFollow follow;
  ExoBars *bars;        /* NULL unless live */
  GHashTable *told;     /* (element-type utf8): files whose line was drawn */
  GVariant *files;      /* (nullable): a(stts), the latest */
  GCancellable *cancel; /* of ListFiles */
  gboolean asking;      /* a ListFiles is under way */
  gint64 began_us;
  int code;
  GError *error;
} Pull;

static void
finish (Pull *pull, int code, GError *error)
{
  if (pull->error == NULL)
    pull->error = error;
  else
    g_clear_error (&error);
  pull->code = code;
  g_main_loop_quit (pull->loop);
}

/* The block -------------------------------------------------------------------------------------- */

static void
add_file_line (Pull *pull, GPtrArray *lines, GVariant *row, guint columns)
{
  const char *path, *state;
  guint64 size, done;
  g_autofree char *clean = NULL, *amount = NULL, *tail = NULL, *label = NULL;

  g_variant_get (row, "(&stt&s)", &path, &size, &done, &state);
  clean = exo_format_clean (path);
  label = g_strconcat ("  ", clean, NULL);
  amount = exo_format_bytes (size);
  tail = g_strdup_printf (g_str_equal (state, "verifying")
                              /* TRANSLATORS: after a per cent; %s is a size */
                              ? _ ("of %s, verifying")
                              : _ ("of %s"),
                          amount);
  g_ptr_array_add (lines, exo_format_progress (label, done, size, tail, columns, pull->ctl->utf8));
}

/* Files that were complete when we came are not news. */
static void
add_done_line (Pull *pull, GPtrArray *above, GVariant *row, guint columns)
{
  const char *path;
  guint64 size;
  g_autofree char *clean = NULL, *amount = NULL, *line = NULL;

  g_variant_get (row, "(&stt&s)", &path, &size, NULL, NULL);
  if (!g_hash_table_add (pull->told, g_strdup (path)) || above == NULL)
    return;
  clean = exo_format_clean (path);
  amount = exo_format_bytes (size);
  line = g_strdup_printf (/* TRANSLATORS: file, size */ _ ("  %s  %s, done"), clean, amount);
  g_ptr_array_add (above, exo_format_cut (line, columns));
}

static void
add_files (Pull *pull, GPtrArray *above, GPtrArray *lines, guint columns, guint rows)
{
  gsize n = pull->files != NULL ? g_variant_n_children (pull->files) : 0;
  guint room = rows > ROWS_OTHER ? rows - ROWS_OTHER : 0, more = 0;

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (pull->files, i);
      const char *state;

      g_variant_get_child (row, 3, "&s", &state);
      if (g_str_equal (state, "complete"))
        add_done_line (pull, above, row, columns);
      else if (!g_str_equal (state, "transferring") && !g_str_equal (state, "verifying"))
        continue;
      else if (lines->len < room)
        add_file_line (pull, lines, row, columns);
      else
        more++;
    }
  if (more > 0)
    g_ptr_array_add (lines,
                     g_strdup_printf (ngettext ("  and %u more", "  and %u more", more), more));
}

static void
add_total (Pull *pull, GPtrArray *lines, guint columns)
{
  ExoAgent1Transfer *transfer = pull->transfer;
  g_autofree char *model = exo_format_clean (exo_agent1_transfer_get_model (transfer));
  g_autofree char *state = exo_format_clean (exo_word (exo_agent1_transfer_get_state (transfer)));
  g_autofree char *message = exo_format_clean (exo_agent1_transfer_get_error_message (transfer));
  g_autofree char *amount = exo_follow_amount (transfer);
  g_autofree char *speed = exo_follow_speed (transfer);
  g_autofree char *sources = exo_follow_sources (transfer);
  g_autofree char *tail = NULL, *second = NULL;
  guint n_files = exo_agent1_transfer_get_files_total (transfer);

  if (exo_agent1_transfer_get_bytes_total (transfer) == 0)
    {
      g_autofree char *line = g_strdup_printf ("%s  %s", model, state);

      g_ptr_array_add (lines, exo_format_cut (line, columns));
    }
  else
    {
      tail = g_strdup_printf ("%s, %s", amount, exo_follow_is_moving (transfer) ? speed : state);
      g_ptr_array_add (lines,
                       exo_format_progress (model, exo_agent1_transfer_get_bytes_done (transfer),
                                            exo_agent1_transfer_get_bytes_total (transfer), tail,
                                            columns, pull->ctl->utf8));
    }
  second = *message != '\0'
               ? g_strdup_printf ("  %s", message)
               : g_strdup_printf (ngettext ("  %s, %u of %u file", "  %s, %u of %u files", n_files),
                                  sources, exo_agent1_transfer_get_files_done (transfer), n_files);
  g_ptr_array_add (lines, exo_format_cut (second, columns));
}

static void
draw (Pull *pull)
{
  g_autoptr (GPtrArray) above = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  guint columns, rows;

  exo_bars_get_size (pull->bars, &columns, &rows);
  columns = MAX (columns, 2u) - 1;
  add_files (pull, above, lines, columns, rows);
  add_total (pull, lines, columns);
  exo_bars_show (pull->bars, above, lines);
}

/* @files: (transfer full) */
static void
take_files (Pull *pull, GVariant *files)
{
  gboolean first = pull->files == NULL;

  g_clear_pointer (&pull->files, g_variant_unref);
  pull->files = files;
  for (gsize i = 0; first && i < g_variant_n_children (files); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (files, i);
      const char *state;

      g_variant_get_child (row, 3, "&s", &state);
      if (g_str_equal (state, "complete"))
        add_done_line (pull, NULL, row, 0);
    }
}

static void
on_files (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GVariant *files = NULL;
  g_autoptr (GError) error = NULL;
  Pull *pull = user_data;

  if (exo_agent1_transfer_call_list_files_finish (EXO_AGENT1_TRANSFER (source), &files, result,
                                                  &error))
    {
      pull->asking = FALSE;
      take_files (pull, files);
    }
  else if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    pull->asking = FALSE; /* the transfer is gone: its removal is on its way. Cancelled: @pull is */
}

/* Those that were complete after the last frame get their line, too. */
static void
draw_last (Pull *pull)
{
  GVariant *files = NULL;

  if (pull->files != NULL &&
      exo_agent1_transfer_call_list_files_sync (pull->transfer, &files, NULL, NULL))
    {
      take_files (pull, files);
      draw (pull);
    }
  exo_bars_clear (pull->bars);
}

static gboolean
on_redraw (gpointer user_data)
{
  Pull *pull = user_data;

  if (!pull->asking && exo_follow_is_moving (pull->transfer))
    {
      pull->asking = TRUE;
      exo_agent1_transfer_call_list_files (pull->transfer, pull->cancel, on_files, pull);
    }
  draw (pull);
  return G_SOURCE_CONTINUE;
}

/* Events ----------------------------------------------------------------------------------------- */

static void
check_state (Pull *pull)
{
  ExoAgent1Transfer *transfer = pull->transfer;
  const char *state = exo_agent1_transfer_get_state (transfer);

  if (g_strcmp0 (state, "complete") == 0)
    finish (pull, EXO_EXIT_OK, NULL);
  else if (g_strcmp0 (state, "failed") == 0)
    {
      int code = exo_client_exit_for (exo_agent1_transfer_get_error (transfer));

      finish (pull, code,
              g_error_new (EXO_CTL_ERROR, code, "%s: %s", exo_agent1_transfer_get_model (transfer),
                           exo_agent1_transfer_get_error_message (transfer)));
    }
}

static void
on_properties (ExoAgent1Transfer *transfer, GVariant *changed, GStrv gone, Pull *pull)
{
  if (pull->bars == NULL)
    exo_follow_update (pull->ctl, &pull->follow, transfer);
  check_state (pull);
}

static void
on_object_removed (GDBusObjectManager *objects, GDBusObject *object, Pull *pull)
{
  const char *path = g_dbus_proxy_get_object_path (G_DBUS_PROXY (pull->transfer));

  if (!g_str_equal (g_dbus_object_get_object_path (object), path))
    return;
  finish (pull, EXO_EXIT_FAILED,
          g_error_new (EXO_CTL_ERROR, EXO_EXIT_FAILED,
                       _ ("%s: the transfer was cancelled. What is on disk stays for a later pull"),
                       exo_agent1_transfer_get_model (pull->transfer)));
}

static void
on_name_owner (GDBusObjectManager *objects, GParamSpec *property, Pull *pull)
{
  g_autofree char *owner =
      g_dbus_object_manager_client_get_name_owner (G_DBUS_OBJECT_MANAGER_CLIENT (objects));

  if (owner == NULL)
    finish (
        pull, EXO_EXIT_NO_AGENT,
        g_error_new (EXO_CTL_ERROR, EXO_EXIT_NO_AGENT,
                     _ ("The agent stopped; %s goes on from what is on disk once it runs again"),
                     exo_agent1_transfer_get_model (pull->transfer)));
}

static gboolean
on_interrupted (gpointer user_data)
{
  Pull *pull = user_data;
  guint id = exo_agent1_transfer_get_id (pull->transfer);

  finish (
      pull, EXO_EXIT_INTERRUPTED,
      g_error_new (EXO_CTL_ERROR, EXO_EXIT_INTERRUPTED,
                   _ ("The agent goes on with %s. Follow it with: exoctl status %u; stop it with: "
                      "exoctl cancel %u"),
                   exo_agent1_transfer_get_model (pull->transfer), id, id));
  return G_SOURCE_CONTINUE;
}

/* The result --------------------------------------------------------------------------------------- */

static void
print_result_json (Pull *pull)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  exo_json_string (builder, "event", "result");
  exo_json_int (builder, "exit", (guint64) pull->code);
  exo_json_string (builder, "result", exo_exit_name (pull->code));
  exo_json_int (builder, "duration_ms",
                (guint64) (g_get_monotonic_time () - pull->began_us) / 1000);
  json_builder_set_member_name (builder, "transfer");
  json_builder_begin_object (builder);
  exo_json_transfer (builder, pull->transfer);
  json_builder_end_object (builder);
  json_builder_end_object (builder);
  exo_print_json (builder);
}

static void
print_summary (Pull *pull)
{
  ExoAgent1Transfer *transfer = pull->transfer;
  guint64 moved = exo_agent1_transfer_get_bytes_from_hub (transfer) +
                  exo_agent1_transfer_get_bytes_from_lan (transfer);
  g_autofree char *model = exo_format_clean (exo_agent1_transfer_get_model (transfer));
  g_autofree char *total = exo_format_bytes (exo_agent1_transfer_get_bytes_total (transfer));
  g_autofree char *time =
      exo_format_duration ((g_get_monotonic_time () - pull->began_us) / G_USEC_PER_SEC);
  g_autofree char *sources = exo_follow_sources (transfer);
  g_autofree char *good = exo_colour (pull->ctl, EXO_COLOUR_GOOD, _ ("complete"));

  if (moved == 0)
    exo_print (
        /* TRANSLATORS: model, "complete", size */ _ ("%s: %s, %s, all of it was here already\n"),
        model, good, total);
  else
    exo_print (/* TRANSLATORS: model, "complete", size, duration, where from */ _ (
                   "%s: %s, %s in %s, %s\n"),
               model, good, total, time, sources);
  if (exo_agent1_transfer_get_unverified (transfer))
    exo_print (
        _ ("%s: the Hub could not be asked, so the list of files came from a neighbour; it is "
           "checked when the Hub is back\n"),
        model);
}

static void
pull_clear (Pull *pull)
{
  g_cancellable_cancel (pull->cancel);
  g_clear_object (&pull->cancel);
  g_clear_object (&pull->transfer);
  g_clear_pointer (&pull->bars, exo_bars_free);
  g_clear_pointer (&pull->told, g_hash_table_unref);
  g_clear_pointer (&pull->files, g_variant_unref);
  g_clear_pointer (&pull->loop, g_main_loop_unref);
  exo_follow_clear (&pull->follow);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pull, pull_clear)

static void
watch_until_over (Pull *pull, GDBusObjectManager *objects)
{
  guint sources[] = {
    g_unix_signal_add (SIGINT, on_interrupted, pull),
    g_unix_signal_add (SIGTERM, on_interrupted, pull),
    pull->bars != NULL ? g_timeout_add (REDRAW_MS, on_redraw, pull) : 0,
  };

  g_signal_connect (pull->transfer, "g-properties-changed", G_CALLBACK (on_properties), pull);
  g_signal_connect (objects, "object-removed", G_CALLBACK (on_object_removed), pull);
  g_signal_connect (objects, "notify::name-owner", G_CALLBACK (on_name_owner), pull);
  if (pull->bars != NULL)
    on_redraw (pull);
  on_properties (pull->transfer, NULL, NULL, pull);
  if (!exo_follow_is_over (pull->transfer))
    g_main_loop_run (pull->loop);
  if (pull->bars != NULL && pull->error == NULL)
    draw_last (pull);
  else if (pull->bars != NULL)
    exo_bars_clear (pull->bars);

  g_signal_handlers_disconnect_by_data (objects, pull);
  g_signal_handlers_disconnect_by_data (pull->transfer, pull);
  for (gsize i = 0; i < G_N_ELEMENTS (sources); i++)
    if (sources[i] != 0)
      g_source_remove (sources[i]);
}

static int
follow_transfer (const ExoCtl *ctl, const char *path, gint64 began_us, GError **error)
{
  g_autoptr (GDBusObjectManager) objects = exo_client_objects (error);
  g_autoptr (GDBusObject) object = NULL;
  g_auto (Pull) pull = { .ctl = ctl, .began_us = began_us };

  if (objects == NULL)
    return EXO_EXIT_NO_AGENT;
  object = g_dbus_object_manager_get_object (objects, path);
  if (object != NULL)
    pull.transfer = exo_object_get_agent1_transfer (EXO_OBJECT (object));
  if (pull.transfer == NULL)
    {
      g_set_error_literal (error, EXO_CTL_ERROR, EXO_EXIT_FAILED,
                           _ ("The transfer was cancelled at once, by someone else"));
      return EXO_EXIT_FAILED;
    }
  pull.loop = g_main_loop_new (NULL, FALSE);
  pull.cancel = g_cancellable_new ();
  pull.told = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  pull.bars = ctl->live ? exo_bars_new (STDOUT_FILENO) : NULL;
  watch_until_over (&pull, objects);
  if (ctl->json && pull.error == NULL)
    print_result_json (&pull);
  else if (pull.error == NULL)
    print_summary (&pull);
  else
    g_propagate_error (error, pull.error);
  return pull.code;
}

static gboolean
add_globs (GVariantDict *dict, const char *name, char **globs, GError **error)
{
  for (gsize i = 0; globs != NULL && globs[i] != NULL; i++)
    if (!g_utf8_validate (globs[i], -1, NULL))
      {
        g_set_error (error, EXO_CTL_ERROR, EXO_EXIT_USAGE, _ ("--%s \"%s\" is not UTF-8"), name,
                     globs[i]);
        return FALSE;
      }
  if (globs != NULL)
    g_variant_dict_insert (dict, name, "^as", globs);
  return TRUE;
}

static void
print_detached (const ExoCtl *ctl, const char *path, const char *model)
{
  const char *id = strrchr (path, '/') + 1;
  g_autofree char *clean = exo_format_clean (model);
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (!ctl->json)
    {
      exo_print (/* TRANSLATORS: model, number, number */ _ (
                     "%s: transfer %s. Follow it with: exoctl status %s\n"),
                 clean, id, id);
      return;
    }
  json_builder_begin_object (builder);
  exo_json_string (builder, "event", "started");
  exo_json_int (builder, "id", g_ascii_strtoull (id, NULL, 10));
  exo_json_string (builder, "model", model);
  json_builder_end_object (builder);
  exo_print_json (builder);
}

static int
run (const ExoCtl *ctl, char **arguments, GError **error)
{
  gint64 began_us = g_get_monotonic_time ();
  g_autoptr (ExoAgent1) agent = NULL;
  g_autoptr (GVariant) type_only = NULL;
  g_autofree char *model = NULL, *revision = NULL, *path = NULL;
  g_auto (GVariantDict) dict = G_VARIANT_DICT_INIT (NULL);

  if (!exo_client_parse_model (arguments[0], &model, &revision, error))
    return EXO_EXIT_USAGE;
  type_only = g_variant_ref_sink (exo_client_options (options.type));
  g_variant_dict_init (&dict, type_only);
  if (!add_globs (&dict, "include", options.includes, error) ||
      !add_globs (&dict, "exclude", options.excludes, error))
    return EXO_EXIT_USAGE;
  agent = exo_client_connect (error);
  if (agent == NULL)
    return EXO_EXIT_NO_AGENT;
  if (!exo_agent1_call_pull_sync (agent, model, revision, g_variant_dict_end (&dict), &path, NULL,
                                  error))
    {
      exo_client_translate (error);
      return EXO_EXIT_FAILED;
    }
  if (!options.detach)
    return follow_transfer (ctl, path, began_us, error);
  print_detached (ctl, path, model);
  return EXO_EXIT_OK;
}

static const GOptionEntry entries[] = {
  { "include", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.includes,
    N_ ("Only files whose path matches; may be repeated"), "GLOB" },
  { "exclude", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.excludes,
    N_ ("No files whose path matches; may be repeated"), "GLOB" },
  { "type", 0, 0, G_OPTION_ARG_STRING, &options.type, N_ ("model (the default), dataset or space"),
    "TYPE" },
  { "detach", 0, 0, G_OPTION_ARG_NONE, &options.detach, N_ ("Return at once; the agent goes on"),
    NULL },
  { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
};

const ExoCommand exo_command_pull = {
  .name = "pull",
  .arguments = "ORG/NAME[@REV]",
  .summary = N_ ("Bring a model into this machine's Hugging Face cache"),
  .description = N_ (
      "Waits until the model is complete and shows how it comes: from the Hub, or from neighbours\n"
      "that have it or are fetching it. The agent does the work: Ctrl-C only ends the watching\n"
      "(exit code 130), a second pull joins the first, and what is on disk is not fetched again.\n\n"
      "Globs match the whole path, * also matches /; FOLDER/ means everything below it.\n\n"
      "Examples:\n"
      "  exoctl pull org/model\n"
      "  exoctl pull org/model@v1.0 --include '*.safetensors' --include '*.json'\n"
      "  exoctl pull org/data --type dataset --detach"),
  .options = entries,
  .has_json = TRUE,
  .min_arguments = 1,
  .max_arguments = 1,
  .run = run,
};
