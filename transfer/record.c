/* record.c - a transfer as the JSON text that survives a restart
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/engine-private.h"
#include "transfer/json-text.h"
#include "transfer/oid.h"

#define RECORD_BYTES_MAX (1u << 20) /* globs may be many */

static void
add_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value != NULL ? value : "");
}

static void
add_int (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

static void
add_strv (JsonBuilder *builder, const char *name, const char *const *values)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_array (builder);
  for (guint i = 0; values != NULL && values[i] != NULL; i++)
    json_builder_add_string_value (builder, values[i]);
  json_builder_end_array (builder);
}

/* The first of each run of files that were asked for, by their place in the manifest, and how many it has: paths may be
 * many and long. */
static void
add_asked (JsonBuilder *builder, ExoTransfer *transfer)
{
  guint n = transfer->manifest != NULL && transfer->asked != NULL
                ? exo_manifest_n_files (transfer->manifest)
                : 0;
  guint length = 0;

  json_builder_set_member_name (builder, "asked");
  json_builder_begin_array (builder);
  for (guint i = 0; i <= n; i++)
    {
      if (i < n &&
          g_hash_table_contains (transfer->asked, exo_manifest_file (transfer->manifest, i)->path))
        {
          length++;
          continue;
        }
      if (length > 0)
        {
          json_builder_add_int_value (builder, i - length);
          json_builder_add_int_value (builder, length);
        }
      length = 0;
    }
  json_builder_end_array (builder);
}

static void
add_error (JsonBuilder *builder, const GError *error)
{
  /* It may name a file in a folder whose name is no UTF-8. */
  g_autofree char *message = error != NULL ? g_utf8_make_valid (error->message, -1) : g_strdup ("");
  int code = -1;

  if (error != NULL)
    code = error->domain == EXO_TRANSFER_ERROR ? error->code : EXO_TRANSFER_ERROR_FAILED;
  add_int (builder, "error", code);
  add_string (builder, "message", message);
}

char *
exo_transfer_to_json (ExoTransfer *transfer)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  ExoTransferInfo info;

  exo_transfer_get_info (transfer, &info);
  json_builder_begin_object (builder);
  add_int (builder, "id", transfer->id);
  add_string (builder, "type", exo_repo_type_name (transfer->type));
  add_string (builder, "model", transfer->model);
  add_string (builder, "revision", transfer->revision);
  add_string (builder, "commit", transfer->commit);
  add_string (builder, "previous", transfer->previous);
  add_strv (builder, "include", (const char *const *) transfer->includes);
  add_strv (builder, "exclude", (const char *const *) transfer->excludes);
  add_string (builder, "state", exo_transfer_state_name (transfer->state));
  add_int (builder, "total", (gint64) info.bytes_total);
  add_int (builder, "done", (gint64) info.bytes_done);
  add_int (builder, "hub", (gint64) info.bytes_from_hub);
  add_int (builder, "lan", (gint64) info.bytes_from_lan);
  add_int (builder, "started", transfer->started_s);
  add_int (builder, "finished", transfer->finished_s);
  add_int (builder, "unverified", transfer->unverified);
  add_int (builder, "on-demand", transfer->asked != NULL);
  add_asked (builder, transfer);
  add_error (builder, transfer->error);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  return json_to_string (root, FALSE);
}

/* NULL if a member is missing or not a list of texts */
static GStrv
get_strv (JsonObject *object, const char *name)
{
  g_autoptr (GStrvBuilder) values = g_strv_builder_new ();
  JsonArray *array = exo_json_array (object, name);

  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    {
      const char *value = exo_json_node_string (json_array_get_element (array, i));

      if (value == NULL)
        return NULL;
      g_strv_builder_add (values, value);
    }
  return array != NULL ? g_strv_builder_end (values) : NULL;
}

static guint64
get_size (JsonObject *object, const char *name)
{
  guint64 value;

  return exo_json_size (object, name, &value) ? value : 0;
}

static ExoTransferState
state_from_name (const char *name)
{
  for (int state = EXO_TRANSFER_QUEUED; state <= EXO_TRANSFER_FAILED; state++)
    if (g_strcmp0 (name, exo_transfer_state_name ((ExoTransferState) state)) == 0)
      return (ExoTransferState) state;
  return EXO_TRANSFER_QUEUED;
}

static void
fill_error (ExoTransfer *transfer, JsonObject *object)
{
  const char *message = exo_json_string (object, "message");
  guint64 code;

  if (!exo_json_size (object, "error", &code)) /* -1: none */
    return;
  if (code > EXO_TRANSFER_ERROR_NO_REVISION)
    code = EXO_TRANSFER_ERROR_FAILED;
  transfer->error =
      g_error_new_literal (EXO_TRANSFER_ERROR, (int) code, message != NULL ? message : "");
}

/* NULL if there is none */
static char *
get_commit (JsonObject *object, const char *name)
{
  const char *commit = exo_json_string (object, name);

  return commit != NULL && exo_is_commit (commit) ? g_strdup (commit) : NULL;
}

static void
fill_asked (ExoTransfer *transfer, JsonObject *object)
{
  JsonArray *array = exo_json_array (object, "asked");

  transfer->asked = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  transfer->recorded = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    {
      guint64 value;
      guint number;

      if (!exo_json_node_size (json_array_get_element (array, i), &value) ||
          value > EXO_MANIFEST_FILES_MAX)
        return;
      number = (guint) value;
      g_array_append_val (transfer->recorded, number);
    }
}

void
exo_transfer_recall_asked (ExoTransfer *transfer)
{
  g_autoptr (GArray) recorded = g_steal_pointer (&transfer->recorded);
  guint n = exo_manifest_n_files (transfer->manifest);

  for (guint i = 0; recorded != NULL && i + 1 < recorded->len; i += 2)
    {
      guint first = g_array_index (recorded, guint, i),
            length = g_array_index (recorded, guint, i + 1);

      for (guint f = first; f < n && f - first < length; f++)
        g_hash_table_add (transfer->asked,
                          g_strdup (exo_manifest_file (transfer->manifest, f)->path));
    }
}

/* Figures that cannot be read are 0: they are known anew soon. */
static void
fill (ExoTransfer *transfer, JsonObject *object)
{
  transfer->model = g_strdup (exo_json_string (object, "model"));
  transfer->revision = g_strdup (exo_json_string (object, "revision"));
  transfer->commit = get_commit (object, "commit");
  transfer->previous = get_commit (object, "previous");
  transfer->state = state_from_name (exo_json_string (object, "state"));
  transfer->last_total = get_size (object, "total");
  transfer->last_done = get_size (object, "done");
  transfer->from_hub = get_size (object, "hub");
  transfer->from_lan = get_size (object, "lan");
  transfer->started_s = (gint64) get_size (object, "started");
  transfer->finished_s = (gint64) get_size (object, "finished");
  transfer->unverified = get_size (object, "unverified") != 0;
  if (get_size (object, "on-demand") != 0)
    fill_asked (transfer, object);
  fill_error (transfer, object);
}

/* Who the transfer is: without all of this it is none. */
static gboolean
fill_identity (ExoTransfer *transfer, JsonObject *object)
{
  const char *model = exo_json_string (object, "model"),
             *revision = exo_json_string (object, "revision");
  guint64 id;

  if (!exo_json_size (object, "id", &id) || id == 0 || id >= G_MAXUINT || model == NULL ||
      revision == NULL || !exo_repo_type_parse (exo_json_string (object, "type"), &transfer->type))
    return FALSE;
  transfer->id = (guint) id;
  transfer->includes = get_strv (object, "include");
  transfer->excludes = get_strv (object, "exclude");
  return transfer->includes != NULL && transfer->excludes != NULL &&
         exo_repo_id_check (model, NULL) && exo_revision_check (revision, NULL);
}

gboolean
exo_transfer_from_json (ExoTransfer *transfer, const char *json)
{
  g_autoptr (JsonNode) root = exo_json_parse (json, -1, RECORD_BYTES_MAX, NULL);

  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root) ||
      !fill_identity (transfer, json_node_get_object (root)))
    return FALSE;
  fill (transfer, json_node_get_object (root));
  return TRUE;
}
