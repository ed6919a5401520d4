/* output.c - how results reach stdout
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdarg.h>
#include <stdio.h>

#include "agent/ctl/ctl.h"
#include "agent/ctl/format.h"

void
exo_print (const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  vprintf (format, arguments);
  va_end (arguments);
  fflush (stdout);
}

void
exo_print_field (const char *name, const char *value, guint columns)
{
  g_autofree char *padded = exo_format_pad (name, columns);

  if (*value != '\0')
    exo_print ("%s %s\n", padded, value);
}

void
exo_print_json (JsonBuilder *builder)
{
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autofree char *line = json_to_string (root, FALSE);

  exo_print ("%s\n", line);
}

void
exo_json_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value != NULL ? value : "");
}

void
exo_json_int (JsonBuilder *builder, const char *name, guint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, (gint64) value);
}

void
exo_json_bool (JsonBuilder *builder, const char *name, gboolean value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_boolean_value (builder, value);
}

void
exo_json_strings (JsonBuilder *builder, const char *name, const char *const *values)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_array (builder);
  for (gsize i = 0; values != NULL && values[i] != NULL; i++)
    json_builder_add_string_value (builder, values[i]);
  json_builder_end_array (builder);
}

void
exo_json_transfer (JsonBuilder *builder, ExoAgent1Transfer *transfer)
{
  exo_json_int (builder, "id", exo_agent1_transfer_get_id (transfer));
  exo_json_string (builder, "model", exo_agent1_transfer_get_model (transfer));
  exo_json_string (builder, "type", exo_agent1_transfer_get_type_ (transfer));
  exo_json_string (builder, "revision", exo_agent1_transfer_get_revision (transfer));
  exo_json_string (builder, "commit", exo_agent1_transfer_get_commit (transfer));
  exo_json_string (builder, "state", exo_agent1_transfer_get_state (transfer));
  exo_json_int (builder, "bytes_total", exo_agent1_transfer_get_bytes_total (transfer));
  exo_json_int (builder, "bytes_done", exo_agent1_transfer_get_bytes_done (transfer));
  exo_json_int (builder, "bytes_from_hub", exo_agent1_transfer_get_bytes_from_hub (transfer));
  exo_json_int (builder, "bytes_from_lan", exo_agent1_transfer_get_bytes_from_lan (transfer));
  exo_json_int (builder, "files_total", exo_agent1_transfer_get_files_total (transfer));
  exo_json_int (builder, "files_done", exo_agent1_transfer_get_files_done (transfer));
  exo_json_int (builder, "rate", exo_agent1_transfer_get_rate (transfer));
  exo_json_int (builder, "eta", (guint64) exo_agent1_transfer_get_eta (transfer));
  exo_json_int (builder, "started", (guint64) exo_agent1_transfer_get_started (transfer));
  exo_json_int (builder, "finished", (guint64) exo_agent1_transfer_get_finished (transfer));
  exo_json_bool (builder, "unverified", exo_agent1_transfer_get_unverified (transfer));
  exo_json_string (builder, "error", exo_agent1_transfer_get_error (transfer));
  exo_json_string (builder, "error_message", exo_agent1_transfer_get_error_message (transfer));
  exo_json_int (builder, "peers", exo_agent1_transfer_get_peers (transfer));
}

void
exo_json_node (JsonBuilder *builder, ExoAgent1Node *node)
{
  exo_json_string (builder, "id", exo_agent1_node_get_id (node));
  exo_json_string (builder, "name", exo_agent1_node_get_name (node));
  exo_json_bool (builder, "self", exo_agent1_node_get_self (node));
  exo_json_strings (builder, "addresses", exo_agent1_node_get_addresses (node));
  exo_json_string (builder, "address", exo_agent1_node_get_address (node));
  exo_json_string (builder, "link", exo_agent1_node_get_link (node));
  exo_json_int (builder, "link_speed", exo_agent1_node_get_link_speed (node));
  exo_json_string (builder, "state", exo_agent1_node_get_state (node));
  exo_json_bool (builder, "hub_reachable", exo_agent1_node_get_hub_reachable (node));
  exo_json_strings (builder, "models", exo_agent1_node_get_models (node));
  exo_json_string (builder, "exo_state", exo_agent1_node_get_exo_state (node));
  exo_json_strings (builder, "exo_models", exo_agent1_node_get_exo_models (node));
  exo_json_int (builder, "rate_in", exo_agent1_node_get_rate_in (node));
  exo_json_int (builder, "rate_out", exo_agent1_node_get_rate_out (node));
}

char *
exo_colour (const ExoCtl *ctl, ExoColour colour, const char *text)
{
  static const char *const sequences[] = { "\x1b[32m", "\x1b[33m", "\x1b[31m" };

  if (!ctl->colour)
    return g_strdup (text);
  return g_strconcat (sequences[colour], text, "\x1b[0m", NULL);
}
