/* card.c - what this node says of itself: GET /v1/node
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "transfer/engine-private.h"
#include "transfer/http/lan-card.h"

/* [["10.77.0.1:52418",125000000],..]: where this node is reached, and how fast that link is */
static void
add_addresses (ExoEngine *engine, JsonBuilder *builder)
{
  g_autoptr (GArray) cards = exo_lan_cards ();

  json_builder_set_member_name (builder, "addresses");
  json_builder_begin_array (builder);
  for (guint i = 0; exo_engine_port (engine) != 0 && i < cards->len; i++)
    {
      const ExoLanCard *card = &g_array_index (cards, ExoLanCard, i);
      g_autofree char *text = exo_lan_address_text (card->address, exo_engine_port (engine));

      if (!exo_lan_address_is_local (card->address))
        continue;
      json_builder_begin_array (builder);
      json_builder_add_string_value (builder, text);
      json_builder_add_int_value (builder, (gint64) card->speed);
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
