/* json-text.c - see json-text.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/json-text.h"

#include <glib/gi18n.h>
#include <string.h>

#include "transfer/error.h"

/* What RFC 8259 allows outside strings. json-glib reads more (comments, which could hide a quote
 * from the count below). */
static gboolean
is_structure (char c)
{
  return c != '\0' && strchr ("{}[],: \t\r\n0123456789+-.eEtrufalsn", c) != NULL;
}

/* Brackets inside strings do not nest. */
static gboolean
is_safe_to_parse (const char *text, gsize length)
{
  gboolean in_string = FALSE;
  guint depth = 0;

  for (gsize i = 0; i < length; i++)
    {
      char c = text[i];

      if (c == '"')
        in_string = !in_string;
      else if (in_string)
        i += c == '\\' ? 1 : 0;
      else if (!is_structure (c))
        return FALSE;
      else if ((c == '[' || c == '{') && ++depth > EXO_JSON_DEPTH_MAX)
        return FALSE;
      else if ((c == ']' || c == '}') && depth > 0)
        depth--;
    }
  return !in_string && depth == 0;
}

JsonNode *
exo_json_parse (const char *text, gssize length, gsize max_bytes, GError **error)
{
  g_autoptr (JsonParser) parser = NULL;
  gsize n = length < 0 ? strlen (text) : (gsize) length;
  JsonNode *root;

  if (n > max_bytes)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_TOO_LARGE,
                   _ ("%zu bytes of JSON, at most %zu are read"), n, max_bytes);
      return NULL;
    }
  if (n == 0 || !g_utf8_validate_len (text, n, NULL) || !is_safe_to_parse (text, n))
    {
      g_set_error_literal (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID, _ ("not JSON"));
      return NULL;
    }
  parser = json_parser_new_immutable ();
  if (!json_parser_load_from_data (parser, text, (gssize) n, NULL))
    {
      g_set_error_literal (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID, _ ("not JSON"));
      return NULL;
    }
  root = json_parser_get_root (parser);
  if (root == NULL || (!JSON_NODE_HOLDS_OBJECT (root) && !JSON_NODE_HOLDS_ARRAY (root)))
    {
      g_set_error_literal (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                           _ ("neither a JSON object nor array"));
      return NULL;
    }
  return json_parser_steal_root (parser);
}

static gboolean
holds (JsonNode *node, GType type)
{
  return node != NULL && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == type;
}

const char *
exo_json_node_string (JsonNode *node)
{
  const char *text;

  if (!holds (node, G_TYPE_STRING))
    return NULL;
  text = json_node_get_string (node);
  /* An escaped lone surrogate comes out of json-glib as invalid UTF-8. */
  return text != NULL && g_utf8_validate (text, -1, NULL) ? text : NULL;
}

gboolean
exo_json_node_size (JsonNode *node, guint64 *out_value)
{
  gint64 value;

  if (!holds (node, G_TYPE_INT64))
    return FALSE;
  value = json_node_get_int (node);
  if (value < 0)
    return FALSE;
  *out_value = (guint64) value;
  return TRUE;
}

const char *
exo_json_string (JsonObject *object, const char *name)
{
  return exo_json_node_string (json_object_get_member (object, name));
}

gboolean
exo_json_boolean (JsonObject *object, const char *name, gboolean *out_value)
{
  JsonNode *node = json_object_get_member (object, name);

  if (!holds (node, G_TYPE_BOOLEAN))
    return FALSE;
  *out_value = json_node_get_boolean (node);
  return TRUE;
}

gboolean
exo_json_size (JsonObject *object, const char *name, guint64 *out_value)
{
  return exo_json_node_size (json_object_get_member (object, name), out_value);
}

JsonObject *
exo_json_object (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

JsonArray *
exo_json_array (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  return node != NULL && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}
