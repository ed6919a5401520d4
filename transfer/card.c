/* card.c - what this node says of itself: GET /v1/node
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "transfer/engine-private.h"

/* [["10.77.0.1:52418",125000000],..]: where this node is reached, and how fast that link is */
static void
add_addresses (ExoEngine *engine, JsonBuilder *builder)
{
  g_autoptr (GPtrArray) addresses = exo_lan_addresses ();

  json_builder_set_member_name (builder, "addresses");
  json_builder_begin_array (builder);
  for (guint i = 0; exo_engine_port (engine) != 0 && i < addresses->len; i++)
    {
      GInetAddress *address = g_ptr_array_index (addresses, i);
      g_autofree char *text = exo_address_text (address, exo_engine_port (engine));

      json_builder_begin_array (builder);
      json_builder_add_string_value (builder, text);
      json_builder_add_int_value (builder, (gint64) exo_lan_address_speed (address));
      json_builder_end_array (builder);
    }
  json_builder_end_array (builder);
}

static void
add_text (JsonBuilder *builder, const char *name, const char *text)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, text);
}

GBytes *
exo_engine_card (ExoEngine *engine)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  ExoNodeInfo self;
  char *text;

  exo_node_get_info (engine->self, &self);
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "v");
  json_builder_add_int_value (builder, 1);
  add_text (builder, "id", engine->node_id);
  add_text (builder, "name", engine->node_name);
  add_text (builder, "version", EXO_VERSION);
  json_builder_set_member_name (builder, "hub");
  json_builder_add_boolean_value (builder, self.hub_reachable);
  /* The word alone: what model it is may be nobody's business (a private or gated one). */
  if (*self.exo_state != '\0')
    add_text (builder, "exo", self.exo_state);
  add_addresses (engine, builder);
  json_builder_set_member_name (builder, "free");
  json_builder_add_int_value (builder, (gint64) exo_store_free_bytes (engine->store));
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  text = json_to_string (root, FALSE);
  return g_bytes_new_take (text, strlen (text));
}
