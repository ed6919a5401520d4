/* wire-values.c - single values of a neighbour's text, checked; see wire-private.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/error.h"
#include "transfer/swarm/wire-private.h"

gboolean
exo_wire_invalid (GError **error, const char *what, const char *why)
{
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID, "\"%s\" %s", what, why);
  return FALSE;
}

gboolean
exo_wire_node_u64 (JsonNode *node,
                   const char *what,
                   guint64 max,
                   guint64 *out_value,
                   GError **error)
{
  gint64 value;

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node) ||
      json_node_get_value_type (node) != G_TYPE_INT64)
    return exo_wire_invalid (error, what, "is no integer");
  value = json_node_get_int (node);
  if (value < 0 || (guint64) value > max)
    return exo_wire_invalid (error, what, "is out of range");
  *out_value = (guint64) value;
  return TRUE;
}

gboolean
exo_wire_node_bool (JsonNode *node, const char *what, gboolean *out_value, GError **error)
{
  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node) ||
      json_node_get_value_type (node) != G_TYPE_BOOLEAN)
    return exo_wire_invalid (error, what, "is neither true nor false");
  *out_value = json_node_get_boolean (node);
  return TRUE;
}

const char *
exo_wire_node_string (JsonNode *node, const char *what, GError **error)
{
  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node) ||
      json_node_get_value_type (node) != G_TYPE_STRING)
    {
      exo_wire_invalid (error, what, "is no string");
      return NULL;
    }
  return json_node_get_string (node);
}

/* Members that may be absent: *out_value stays as it is then. */

gboolean
exo_wire_member_u64 (JsonObject *object,
                     const char *name,
                     guint64 max,
                     guint64 *out_value,
                     GError **error)
{
  JsonNode *node = json_object_get_member (object, name);

  return node == NULL || exo_wire_node_u64 (node, name, max, out_value, error);
}

gboolean
exo_wire_member_bool (JsonObject *object, const char *name, gboolean *out_value, GError **error)
{
  JsonNode *node = json_object_get_member (object, name);

  return node == NULL || exo_wire_node_bool (node, name, out_value, error);
}

/* *out_array: borrowed, NULL if absent */
gboolean
exo_wire_member_array (JsonObject *object,
                       const char *name,
                       guint max,
                       JsonArray **out_array,
                       GError **error)
{
  JsonNode *node = json_object_get_member (object, name);

  *out_array = NULL;
  if (node == NULL)
    return TRUE;
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return exo_wire_invalid (error, name, "is no list");
  if (json_array_get_length (json_node_get_array (node)) > max)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_TOO_LARGE,
                   "\"%s\" has more than %u entries", name, max);
      return FALSE;
    }
  *out_array = json_node_get_array (node);
  return TRUE;
}

/* Two numbers; they stay as they are if the member is absent. */
gboolean
exo_wire_member_pair (JsonObject *object,
                      const char *name,
                      guint64 max,
                      guint64 *out_one,
                      guint64 *out_other,
                      GError **error)
{
  JsonArray *list;

  if (!exo_wire_member_array (object, name, EXO_WIRE_RANGES_MAX, &list, error))
    return FALSE;
  if (list == NULL)
    return TRUE;
  if (json_array_get_length (list) != 2)
    return exo_wire_invalid (error, name, "is not a pair of numbers");
  return exo_wire_node_u64 (json_array_get_element (list, 0), name, max, out_one, error) &&
         exo_wire_node_u64 (json_array_get_element (list, 1), name, max, out_other, error);
}

/* Entry @i of @list as an array of @n; NULL with @error set if it is none */
JsonArray *
exo_wire_entry (JsonArray *list, guint i, guint n, const char *name, GError **error)
{
  JsonNode *node = json_array_get_element (list, i);

  if (JSON_NODE_HOLDS_ARRAY (node) && json_array_get_length (json_node_get_array (node)) == n)
    return json_node_get_array (node);
  exo_wire_invalid (error, name, "has a malformed entry");
  return NULL;
}

gboolean
exo_wire_check_version (JsonObject *object, GError **error)
{
  guint64 version = 0;

  if (!exo_wire_node_u64 (json_object_get_member (object, "v"), "v", G_MAXUINT32, &version, error))
    return FALSE;
  if (version == EXO_WIRE_VERSION)
    return TRUE;
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
               "the neighbour speaks version %" G_GUINT64_FORMAT
               " of the protocol, this node version %d: update the older one",
               version, EXO_WIRE_VERSION);
  return FALSE;
}
