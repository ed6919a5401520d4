/* record.c - a transfer as the JSON text that survives a restart
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <json-glib/json-glib.h>

#include "transfer/engine-private.h"
#include "transfer/oid.h"

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
  add_int (builder, "error", transfer->error != NULL ? transfer->error->code : -1);
  add_string (builder, "message", transfer->error != NULL ? transfer->error->message : NULL);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  return json_to_string (root, FALSE);
}

static GStrv
get_strv (JsonObject *object, const char *name)
{
  g_autoptr (GStrvBuilder) values = g_strv_builder_new ();
  JsonArray *array =
      json_object_has_member (object, name) ? json_object_get_array_member (object, name) : NULL;

  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    g_strv_builder_add (values, json_array_get_string_element (array, i));
  return g_strv_builder_end (values);
}

static ExoTransferState
state_from_name (const char *name)
{
  for (int state = EXO_TRANSFER_QUEUED; state <= EXO_TRANSFER_FAILED; state++)
    if (g_str_equal (name, exo_transfer_state_name ((ExoTransferState) state)))
      return (ExoTransferState) state;
  return EXO_TRANSFER_QUEUED;
}

static void
fill (ExoTransfer *transfer, JsonObject *object)
{
  const char *commit = json_object_get_string_member_with_default (object, "commit", "");
  int code = (int) json_object_get_int_member_with_default (object, "error", -1);

  transfer->id = (guint) json_object_get_int_member (object, "id");
  transfer->model = g_strdup (json_object_get_string_member (object, "model"));
  transfer->revision = g_strdup (json_object_get_string_member (object, "revision"));
  transfer->commit = exo_is_commit (commit) ? g_strdup (commit) : NULL;
  transfer->includes = get_strv (object, "include");
  transfer->excludes = get_strv (object, "exclude");
  transfer->state =
      state_from_name (json_object_get_string_member_with_default (object, "state", "queued"));
  transfer->last_total = (guint64) json_object_get_int_member_with_default (object, "total", 0);
  transfer->last_done = (guint64) json_object_get_int_member_with_default (object, "done", 0);
  transfer->from_hub = (guint64) json_object_get_int_member_with_default (object, "hub", 0);
  transfer->from_lan = (guint64) json_object_get_int_member_with_default (object, "lan", 0);
  transfer->started_s = json_object_get_int_member_with_default (object, "started", 0);
  transfer->finished_s = json_object_get_int_member_with_default (object, "finished", 0);
  transfer->unverified = json_object_get_int_member_with_default (object, "unverified", 0) != 0;
  if (code >= 0)
    transfer->error =
        g_error_new_literal (EXO_TRANSFER_ERROR, code,
                             json_object_get_string_member_with_default (object, "message", ""));
}

gboolean
exo_transfer_from_json (ExoTransfer *transfer, const char *json)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonNode *root;
  JsonObject *object;

  if (!json_parser_load_from_data (parser, json, -1, NULL))
    return FALSE;
  root = json_parser_get_root (parser);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    return FALSE;
  object = json_node_get_object (root);
  if (!json_object_has_member (object, "id") || !json_object_has_member (object, "model") ||
      !json_object_has_member (object, "revision") ||
      !exo_repo_type_parse (json_object_get_string_member_with_default (object, "type", ""),
                            &transfer->type) ||
      !exo_repo_id_check (json_object_get_string_member (object, "model"), NULL) ||
      !exo_revision_check (json_object_get_string_member (object, "revision"), NULL))
    return FALSE;
  fill (transfer, object);
  return TRUE;
}
