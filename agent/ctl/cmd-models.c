/* cmd-models.c - exoctl models: what is in the cache
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>

#include "agent/ctl/ctl.h"
#include "agent/ctl/format.h"
#include "agent/ctl/words.h"

#define COMMIT_COLUMNS 8

static struct
{
  char *type;
} options;

/* One revision, as ListModels says it; strings are borrowed from the variant. */
typedef struct
{
  const char *type, *model, *commit, *refs;
  guint64 bytes;
  guint32 files;
  gint64 modified;
  gboolean partial;
} Row;

static Row
read_row (GVariant *fields)
{
  Row row = { "", "", "", "", 0, 0, 0, FALSE };

  g_variant_lookup (fields, "Type", "&s", &row.type);
  g_variant_lookup (fields, "Model", "&s", &row.model);
  g_variant_lookup (fields, "Commit", "&s", &row.commit);
  g_variant_lookup (fields, "Refs", "&s", &row.refs);
  g_variant_lookup (fields, "Bytes", "t", &row.bytes);
  g_variant_lookup (fields, "Files", "u", &row.files);
  g_variant_lookup (fields, "Modified", "x", &row.modified);
  g_variant_lookup (fields, "Partial", "b", &row.partial);
  return row;
}

static void
print_row_json (const Row *row)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_auto (GStrv) refs = g_strsplit (row->refs, ",", -1);

  json_builder_begin_object (builder);
  exo_json_string (builder, "type", row->type);
  exo_json_string (builder, "model", row->model);
  exo_json_string (builder, "commit", row->commit);
  exo_json_strings (builder, "refs", (const char *const *) refs);
  exo_json_int (builder, "bytes", row->bytes);
  exo_json_int (builder, "files", row->files);
  exo_json_int (builder, "modified", (guint64) row->modified);
  exo_json_bool (builder, "partial", row->partial);
  json_builder_end_object (builder);
  exo_print_json (builder);
}

static void
add_row (ExoTable *table, const Row *row)
{
  char *cells[] = {
    g_strdup (row->model),
    g_strdup (exo_word (row->type)),
    g_strndup (row->commit, COMMIT_COLUMNS),
    g_strdup (row->refs),
    exo_format_bytes (row->bytes),
    g_strdup_printf ("%u", row->files),
    exo_format_date (row->modified),
    g_strdup (row->partial ? _ ("files are missing") : ""),
  };

  exo_table_add (table, cells);
}

static void
print_table (GVariant *models)
{
  static const gboolean right[] = { FALSE, FALSE, FALSE, FALSE, TRUE, TRUE, FALSE, FALSE };
  g_autoptr (ExoTable) table = exo_table_new (G_N_ELEMENTS (right), right);
  g_autofree char *text = NULL;
  char *head[] = {
    g_strdup (_ ("MODEL")),    g_strdup (_ ("TYPE")), g_strdup (_ ("COMMIT")),
    g_strdup (_ ("REFS")),     g_strdup (_ ("SIZE")), g_strdup (_ ("FILES")),
    g_strdup (_ ("MODIFIED")), g_strdup (""),
  };

  exo_table_add (table, head);
  for (gsize i = 0; i < g_variant_n_children (models); i++)
    {
      g_autoptr (GVariant) fields = g_variant_get_child_value (models, i);
      Row row = read_row (fields);

      add_row (table, &row);
    }
  text = exo_table_to_string (table);
  exo_print ("%s", text);
  if (g_variant_n_children (models) == 0)
    exo_print (_ ("The cache is empty. Fill it with: exoctl pull ORG/NAME\n"));
}

static int
list (const ExoCtl *ctl, ExoAgent1 *agent, GError **error)
{
  g_autoptr (GVariant) models = NULL;

  if (!exo_agent1_call_list_models_sync (agent, exo_client_options (NULL), &models, NULL, error))
    {
      exo_client_translate (error);
      return EXO_EXIT_FAILED;
    }
  if (!ctl->json)
    print_table (models);
  else
    for (gsize i = 0; i < g_variant_n_children (models); i++)
      {
        g_autoptr (GVariant) fields = g_variant_get_child_value (models, i);
        Row row = read_row (fields);

        print_row_json (&row);
      }
  return EXO_EXIT_OK;
}

static int
rm (const ExoCtl *ctl, ExoAgent1 *agent, const char *model, const char *revision, GError **error)
{
  g_autofree char *clean = exo_format_clean (model);
  g_autofree char *amount = NULL;
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  guint64 freed;

  if (!exo_agent1_call_remove_sync (agent, model, revision, exo_client_options (options.type),
                                    &freed, NULL, error))
    {
      exo_client_translate (error);
      return EXO_EXIT_FAILED;
    }
  amount = exo_format_bytes (freed);
  if (!ctl->json)
    {
      exo_print (/* TRANSLATORS: model, size */ _ ("%s: removed, %s freed\n"), clean, amount);
      return EXO_EXIT_OK;
    }
  json_builder_begin_object (builder);
  exo_json_string (builder, "event", "removed");
  exo_json_string (builder, "model", model);
  exo_json_int (builder, "bytes_freed", freed);
  json_builder_end_object (builder);
  exo_print_json (builder);
  return EXO_EXIT_OK;
}

static void
print_verified (const ExoCtl *ctl, const char *model, guint checked, char **wrong)
{
  g_autofree char *clean = exo_format_clean (model);
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (ctl->json)
    {
      json_builder_begin_object (builder);
      exo_json_string (builder, "event", "verified");
      exo_json_string (builder, "model", model);
      exo_json_int (builder, "files", checked);
      exo_json_strings (builder, "wrong", (const char *const *) wrong);
      json_builder_end_object (builder);
      exo_print_json (builder);
      return;
    }
  for (gsize i = 0; wrong[i] != NULL; i++)
    {
      g_autofree char *path = exo_format_clean (wrong[i]);
      g_autofree char *bad = exo_colour (ctl, EXO_COLOUR_BAD, _ ("wrong"));

      exo_print ("%s: %s: %s\n", clean, path, bad);
    }
  if (wrong[0] == NULL)
    exo_print (ngettext ("%s: %u file verified, it is what the Hub has\n",
                         "%s: %u files verified, all are what the Hub has\n", checked),
               clean, checked);
}

static int
verify (const ExoCtl *ctl,
        ExoAgent1 *agent,
        const char *model,
        const char *revision,
        GError **error)
{
  g_auto (GStrv) wrong = NULL;
  guint checked;

  /* Reads the whole model from disk. */
  g_dbus_proxy_set_default_timeout (G_DBUS_PROXY (agent), G_MAXINT);
  if (!exo_agent1_call_verify_sync (agent, model, revision, exo_client_options (options.type),
                                    &checked, &wrong, NULL, error))
    {
      exo_client_translate (error);
      return EXO_EXIT_FAILED;
    }
  print_verified (ctl, model, checked, wrong);
  if (wrong[0] == NULL)
    return EXO_EXIT_OK;
  g_set_error (
      error, EXO_CTL_ERROR, EXO_EXIT_MISMATCH,
      /* TRANSLATORS: model, wrong files, checked files, model */
      ngettext (
          "%s: %u of %u file differs from what the Hub has and was set aside. Fetch it again "
          "with: exoctl pull %s",
          "%s: %u of %u files differ from what the Hub has and were set aside. Fetch them again "
          "with: exoctl pull %s",
          checked),
      model, g_strv_length (wrong), checked, model);
  return EXO_EXIT_MISMATCH;
}

static int
run (const ExoCtl *ctl, char **arguments, GError **error)
{
  const char *what = arguments[0] != NULL ? arguments[0] : "list";
  gboolean is_list = g_str_equal (what, "list");
  gboolean is_rm = g_str_equal (what, "rm");
  g_autofree char *model = NULL, *revision = NULL;
  g_autoptr (ExoAgent1) agent = NULL;

  if ((!is_list && !is_rm && !g_str_equal (what, "verify")) ||
      is_list != (arguments[0] == NULL || arguments[1] == NULL))
    {
      g_set_error_literal (
          error, EXO_CTL_ERROR, EXO_EXIT_USAGE,
          _ ("Usage: exoctl models [list], exoctl models rm ORG/NAME[@REV] or exoctl "
             "models verify ORG/NAME[@REV]"));
      return EXO_EXIT_USAGE;
    }
  if (!is_list && !exo_client_parse_model (arguments[1], &model, &revision, error))
    return EXO_EXIT_USAGE;
  agent = exo_client_connect (error);
  if (agent == NULL)
    return EXO_EXIT_NO_AGENT;
  if (is_list)
    return list (ctl, agent, error);
  return is_rm ? rm (ctl, agent, model, revision, error)
               : verify (ctl, agent, model, revision, error);
}

static const GOptionEntry entries[] = {
  { "type", 0, 0, G_OPTION_ARG_STRING, &options.type,
    N_ ("For rm and verify: model (the default), dataset or space"), "TYPE" },
  { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
};

const ExoCommand exo_command_models = {
  .name = "models",
  .arguments = "[list | rm ORG/NAME[@REV] | verify ORG/NAME[@REV]]",
  .summary = N_ ("List, remove or verify what is in the cache"),
  .description =
      N_ ("list    every revision in the Hugging Face cache, whoever put it there\n"
          "rm      removes one revision, or without @REV all of them, without asking;\n"
          "        files that another revision uses stay\n"
          "verify  reads every file again and compares it with the Hub's hash; wrong ones are set\n"
          "        aside, so that the next pull fetches them (exit code 8)"),
  .options = entries,
  .has_json = TRUE,
  .max_arguments = 2,
  .run = run,
};
