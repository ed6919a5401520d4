/* json-text.h - JSON from outside, parsed without trusting it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * json-glib recurses once per bracket and dies of a million of them; asked for a member that is
 * missing or of another type it makes something up or logs a critical. Everything that a peer, the
 * Hub or a file says in JSON is therefore parsed and read through here.
 *
 * Pure.
 */

#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

#define EXO_JSON_DEPTH_MAX 32u /* brackets open at once; the deepest message we know has 6 */

/**
 * exo_json_parse:
 * @length: bytes; -1 if @text ends with a NUL
 * @max_bytes: the limit that belongs to the kind of message
 * @error: %EXO_TRANSFER_ERROR_TOO_LARGE past @max_bytes, otherwise _INVALID
 *
 * Returns: (transfer full) (nullable): the root, an object or an array
 */
JsonNode *exo_json_parse (const char *text, gssize length, gsize max_bytes, GError **error);

/* Of an object: %NULL or %FALSE if the member is missing or of another type. Strings are borrowed
 * and valid UTF-8. A size is an integer from 0 to G_MAXINT64. */
const char *exo_json_string (JsonObject *object, const char *name);
gboolean exo_json_boolean (JsonObject *object, const char *name, gboolean *out_value);
gboolean exo_json_size (JsonObject *object, const char *name, guint64 *out_value);
JsonObject *exo_json_object (JsonObject *object, const char *name);
JsonArray *exo_json_array (JsonObject *object, const char *name);

/* The same for the elements of an array, through json_array_get_element(); @node: (nullable) */
const char *exo_json_node_string (JsonNode *node);
gboolean exo_json_node_size (JsonNode *node, guint64 *out_value);

G_END_DECLS
