/* cmd-status.c - exoctl status, pause, resume, cancel: the transfers
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>

#include "agent/ctl/ctl.h"
#include "agent/ctl/follow.h"
#include "agent/ctl/format.h"
#include "agent/ctl/words.h"

static gboolean
parse_id (const char *text, guint *out_id, GError **error)
{
  guint64 id;

  if (!g_ascii_string_to_unsigned (text, 10, 1, G_MAXUINT32, &id, NULL))
    {
      g_set_error (error, EXO_CTL_ERROR, EXO_EXIT_USAGE,
                   _ ("\"%s\" is not the number of a transfer. See: exoctl status"), text);
      return FALSE;
    }
  *out_id = (guint) id;
  return TRUE;
}

static ExoAgent1Transfer *
find_transfer (GPtrArray *transfers, const char *text, GError **error)
{
  guint id;

  if (!parse_id (text, &id, error))
    return NULL;
  for (guint i = 0; i < transfers->len; i++)
    if (exo_agent1_transfer_get_id (transfers->pdata[i]) == id)
      return transfers->pdata[i];
  g_set_error (error, EXO_CTL_ERROR, EXO_EXIT_NOT_FOUND,
               _ ("There is no transfer %u. See: exoctl status"), id);
  return NULL;
}

/* status ------------------------------------------------------------------------------------------- */

static void
print_all_json (GPtrArray *transfers)
{
  for (guint i = 0; i < transfers->len; i++)
    {
      g_autoptr (JsonBuilder) builder = json_builder_new ();

      json_builder_begin_object (builder);
      exo_json_transfer (builder, transfers->pdata[i]);
      json_builder_end_object (builder);
      exo_print_json (builder);
    }
}

static void
add_row (ExoTable *table, ExoAgent1Transfer *transfer)
{
  guint64 hub = exo_agent1_transfer_get_bytes_from_hub (transfer);
  guint64 lan = exo_agent1_transfer_get_bytes_from_lan (transfer);
  gboolean moving = exo_follow_is_moving (transfer);
  char *cells[] = {
    g_strdup_printf ("%u", exo_agent1_transfer_get_id (transfer)),
    g_strdup (exo_agent1_transfer_get_model (transfer)),
    g_strdup (exo_agent1_transfer_get_revision (transfer)),
    g_strdup (exo_word (exo_agent1_transfer_get_state (transfer))),
    g_strdup_printf (_ ("%u %%"),
                     exo_format_percent (exo_agent1_transfer_get_bytes_done (transfer),
                                         exo_agent1_transfer_get_bytes_total (transfer))),
    exo_format_bytes (exo_agent1_transfer_get_bytes_total (transfer)),
    moving ? exo_format_rate (exo_agent1_transfer_get_rate (transfer)) : g_strdup (""),
    moving ? exo_format_duration (exo_agent1_transfer_get_eta (transfer)) : g_strdup (""),
    g_strdup_printf (_ ("%u %%"), exo_format_percent (lan, hub + lan)),
  };

  exo_table_add (table, cells);
}

static void
print_all (GPtrArray *transfers)
{
  static const gboolean right[] = { TRUE, FALSE, FALSE, FALSE, TRUE, TRUE, TRUE, TRUE, TRUE };
  g_autoptr (ExoTable) table = exo_table_new (G_N_ELEMENTS (right), right);
  g_autofree char *text = NULL;
  char *head[] = {
    g_strdup (_ ("ID")),    g_strdup (_ ("MODEL")), g_strdup (_ ("REVISION")),
    g_strdup (_ ("STATE")), g_strdup (_ ("DONE")),  g_strdup (_ ("SIZE")),
    g_strdup (_ ("RATE")),  g_strdup (_ ("LEFT")),  g_strdup (_ ("LAN")),
  };

  exo_table_add (table, head);
  for (guint i = 0; i < transfers->len; i++)
    add_row (table, transfers->pdata[i]);
  text = exo_table_to_string (table);
  exo_print ("%s", text);
  if (transfers->len == 0)
    exo_print (_ ("No transfers. Start one with: exoctl pull ORG/NAME\n"));
}

static void
print_one_json (ExoAgent1Transfer *transfer, GVariant *files)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  exo_json_transfer (builder, transfer);
  json_builder_set_member_name (builder, "files");
  json_builder_begin_array (builder);
  for (gsize i = 0; i < g_variant_n_children (files); i++)
    {
      const char *path, *state;
      guint64 size, done;

      g_variant_get_child (files, i, "(&stt&s)", &path, &size, &done, &state);
      json_builder_begin_object (builder);
      exo_json_string (builder, "path", path);
      exo_json_int (builder, "bytes_total", size);
      exo_json_int (builder, "bytes_done", done);
      exo_json_string (builder, "state", state);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  exo_print_json (builder);
}

static void
print_field (const char *name, const char *value)
{
  g_autofree char *clean = exo_format_clean (value);

  exo_print_field (name, clean, 12);
}

static void
print_files (GVariant *files)
{
  static const gboolean right[] = { FALSE, TRUE, TRUE, FALSE };
  g_autoptr (ExoTable) table = exo_table_new (G_N_ELEMENTS (right), right);
  g_autofree char *text = NULL;

  for (gsize i = 0; i < g_variant_n_children (files); i++)
    {
      const char *path, *state;
      guint64 size, done;

      g_variant_get_child (files, i, "(&stt&s)", &path, &size, &done, &state);
      char *cells[] = {
        g_strconcat ("  ", path, NULL),
        exo_format_bytes (size),
        g_strdup_printf (_ ("%u %%"), size == 0 ? 100u : exo_format_percent (done, size)),
        g_strdup (exo_word (state)),
      };
      exo_table_add (table, cells);
    }
  text = exo_table_to_string (table);
  exo_print ("%s", text);
}

static void
print_one (ExoAgent1Transfer *transfer, GVariant *files)
{
  g_autofree char *amount = exo_follow_amount (transfer);
  g_autofree char *speed = exo_follow_speed (transfer);
  g_autofree char *sources = exo_follow_sources (transfer);
  g_autofree char *started = exo_format_date (exo_agent1_transfer_get_started (transfer));
  g_autofree char *finished = exo_format_date (exo_agent1_transfer_get_finished (transfer));
  g_autofree char *type = g_strdup_printf ("%s (%s)", exo_agent1_transfer_get_model (transfer),
                                           exo_word (exo_agent1_transfer_get_type_ (transfer)));

  print_field (_ ("Model"), type);
  print_field (_ ("Revision"), exo_agent1_transfer_get_revision (transfer));
  print_field (_ ("Commit"), exo_agent1_transfer_get_commit (transfer));
  print_field (_ ("State"), exo_word (exo_agent1_transfer_get_state (transfer)));
  print_field (_ ("Message"), exo_agent1_transfer_get_error_message (transfer));
  print_field (_ ("Done"), amount);
  if (exo_follow_is_moving (transfer))
    print_field (_ ("Rate"), speed);
  print_field (_ ("Moved"), sources);
  if (exo_agent1_transfer_get_unverified (transfer))
    print_field (_ ("Unverified"),
                 _ ("the list of files came from a neighbour; the Hub has not confirmed it"));
  print_field (_ ("Started"), started);
  print_field (_ ("Finished"), finished);
  print_files (files);
}

static int
run_status (const ExoCtl *ctl, char **arguments, GError **error)
{
  g_autoptr (GDBusObjectManager) objects = exo_client_objects (error);
  g_autoptr (GPtrArray) transfers = NULL;
  g_autoptr (GVariant) files = NULL;
  ExoAgent1Transfer *transfer;

  if (objects == NULL)
    return EXO_EXIT_NO_AGENT;
  transfers = exo_client_transfers (objects);
  if (arguments[0] == NULL)
    {
      if (ctl->json)
        print_all_json (transfers);
      else
        print_all (transfers);
      return EXO_EXIT_OK;
    }
  transfer = find_transfer (transfers, arguments[0], error);
  if (transfer == NULL)
    return EXO_EXIT_NOT_FOUND;
  if (!exo_agent1_transfer_call_list_files_sync (transfer, &files, NULL, error))
    {
      exo_client_translate (error);
      return EXO_EXIT_FAILED;
    }
  if (ctl->json)
    print_one_json (transfer, files);
  else
    print_one (transfer, files);
  return EXO_EXIT_OK;
}

const ExoCommand exo_command_status = {
  .name = "status",
  .arguments = "[ID]",
  .summary = N_ ("List the transfers, or one with its files"),
  .description = N_ ("LAN is the share of the fetched bytes that came from neighbours."),
  .has_json = TRUE,
  .max_arguments = 1,
  .run = run_status,
};

/* pause, resume, cancel ------------------------------------------------------------------------------ */

typedef struct
{
  const char *event; /* of --json */
  char *(*tell) (const char *model, guint id);
  gboolean (*call) (ExoAgent1Transfer *transfer, GCancellable *cancellable, GError **error);
  /* Whether "all" means this one, too */
  gboolean (*wants) (ExoAgent1Transfer *transfer);
} Action;

static gboolean
is_running (ExoAgent1Transfer *transfer)
{
  return !exo_follow_is_over (transfer) &&
         g_strcmp0 (exo_agent1_transfer_get_state (transfer), "paused") != 0;
}

static gboolean
has_stopped (ExoAgent1Transfer *transfer)
{
  return !is_running (transfer) &&
         g_strcmp0 (exo_agent1_transfer_get_state (transfer), "complete") != 0;
}

static gboolean
is_not_complete (ExoAgent1Transfer *transfer)
{
  return g_strcmp0 (exo_agent1_transfer_get_state (transfer), "complete") != 0;
}

static char *
tell_paused (const char *model, guint id)
{
  return g_strdup_printf (_ ("%s: transfer %u paused"), model, id);
}

static char *
tell_resumed (const char *model, guint id)
{
  return g_strdup_printf (_ ("%s: transfer %u resumed"), model, id);
}

static char *
tell_cancelled (const char *model, guint id)
{
  return g_strdup_printf (_ ("%s: transfer %u cancelled"), model, id);
}

static const Action pause_action = { "paused", tell_paused, exo_agent1_transfer_call_pause_sync,
                                     is_running };
static const Action resume_action = { "resumed", tell_resumed, exo_agent1_transfer_call_resume_sync,
                                      has_stopped };
static const Action cancel_action = { "cancelled", tell_cancelled,
                                      exo_agent1_transfer_call_cancel_sync, is_not_complete };

static gboolean
act (const ExoCtl *ctl, const Action *action, ExoAgent1Transfer *transfer, GError **error)
{
  g_autofree char *model = exo_format_clean (exo_agent1_transfer_get_model (transfer));
  guint id = exo_agent1_transfer_get_id (transfer);
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (!action->call (transfer, NULL, error))
    {
      exo_client_translate (error);
      g_prefix_error (error, _ ("transfer %u: "), id);
      return FALSE;
    }
  if (!ctl->json)
    {
      g_autofree char *line = action->tell (model, id);

      exo_print ("%s\n", line);
      return TRUE;
    }
  json_builder_begin_object (builder);
  exo_json_string (builder, "event", action->event);
  exo_json_int (builder, "id", id);
  exo_json_string (builder, "model", exo_agent1_transfer_get_model (transfer));
  json_builder_end_object (builder);
  exo_print_json (builder);
  return TRUE;
}

static int
run_action (const ExoCtl *ctl, const Action *action, char **arguments, GError **error)
{
  g_autoptr (GDBusObjectManager) objects = exo_client_objects (error);
  g_autoptr (GPtrArray) transfers = NULL;
  ExoAgent1Transfer *transfer;

  if (objects == NULL)
    return EXO_EXIT_NO_AGENT;
  transfers = exo_client_transfers (objects);
  if (!g_str_equal (arguments[0], "all"))
    {
      transfer = find_transfer (transfers, arguments[0], error);
      if (transfer != NULL)
        act (ctl, action, transfer, error);
      return EXO_EXIT_OK;
    }
  for (guint i = 0; i < transfers->len; i++)
    if (action->wants (transfers->pdata[i]) && !act (ctl, action, transfers->pdata[i], error))
      return EXO_EXIT_FAILED;
  return EXO_EXIT_OK;
}

static int
run_pause (const ExoCtl *ctl, char **arguments, GError **error)
{
  return run_action (ctl, &pause_action, arguments, error);
}

static int
run_resume (const ExoCtl *ctl, char **arguments, GError **error)
{
  return run_action (ctl, &resume_action, arguments, error);
}

static int
run_cancel (const ExoCtl *ctl, char **arguments, GError **error)
{
  return run_action (ctl, &cancel_action, arguments, error);
}

const ExoCommand exo_command_pause = {
  .name = "pause",
  .arguments = "ID|all",
  .summary = N_ ("Stop fetching for now"),
  .description =
      N_ ("What is on disk stays, and is served to neighbours. \"all\" means every transfer "
          "that is running."),
  .has_json = TRUE,
  .min_arguments = 1,
  .max_arguments = 1,
  .run = run_pause,
};

const ExoCommand exo_command_resume = {
  .name = "resume",
  .arguments = "ID|all",
  .summary = N_ ("Go on after a pause, or try again after a failure"),
  .description = N_ ("\"all\" means every transfer that is paused or has failed."),
  .has_json = TRUE,
  .min_arguments = 1,
  .max_arguments = 1,
  .run = run_resume,
};

const ExoCommand exo_command_cancel = {
  .name = "cancel",
  .arguments = "ID|all",
  .summary = N_ ("Stop a transfer and forget it"),
  .description =
      N_ ("Partial files stay on disk for a later pull. \"all\" means every transfer that is "
          "not complete."),
  .has_json = TRUE,
  .min_arguments = 1,
  .max_arguments = 1,
  .run = run_cancel,
};
