/* wire-private.h - what the files of wire.h share; see wire.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#pragma once

#include <json-glib/json-glib.h>

#include "transfer/swarm/wire.h"

/* Printable characters only, at most EXO_WIRE_NAME_MAX bytes; the start of @id if nothing stays.
 * @name: (nullable). Returns: (transfer full) */
char *exo_wire_clean_name (const char *name, const char *id);

/* What a neighbour's text must be, beyond what transfer/json-text.h asks, before json-glib sees it: json-glib lets integers
 * wrap around silently, reads 017 as octal, lets escapes pass that are none and ignores what follows the first value.
 *   - brackets nested at most EXO_WIRE_DEPTH_MAX deep, nothing after the outermost one
 *   - numbers without leading zeros and with at most EXO_WIRE_DIGITS_MAX digits in a row, so that every integer is exact
 *   - in strings no control characters and only the escapes of RFC 8259, no escaped NUL
 * Returns: (transfer full): an object, or NULL. @error: INVALID, TOO_LARGE */
#define EXO_WIRE_DEPTH_MAX  8u
#define EXO_WIRE_DIGITS_MAX 18u /* 10^18 - 1 < 2^63 */

JsonNode *exo_wire_json (const char *text, gsize length, gsize max_length, GError **error);

/* Values. What is not as it should be is said as "name" and why: INVALID, TOO_LARGE. */
gboolean exo_wire_invalid (GError **error, const char *what, const char *why); /* FALSE, always */
gboolean exo_wire_node_u64 (JsonNode *node,
                            const char *what,
                            guint64 max,
                            guint64 *out_value,
                            GError **error);
gboolean exo_wire_node_bool (JsonNode *node, const char *what, gboolean *out_value, GError **error);
const char *exo_wire_node_string (JsonNode *node, const char *what, GError **error); /* borrowed */
/* Members that may be absent: what is out stays as it is then. */
gboolean exo_wire_member_u64 (JsonObject *object,
                              const char *name,
                              guint64 max,
                              guint64 *out_value,
                              GError **error);
gboolean
exo_wire_member_bool (JsonObject *object, const char *name, gboolean *out_value, GError **error);
gboolean exo_wire_member_array (JsonObject *object,
                                const char *name,
                                guint max,
                                JsonArray **out_array,
                                GError **error); /* borrowed, NULL if absent */
gboolean exo_wire_member_pair (JsonObject *object,
                               const char *name,
                               guint64 max,
                               guint64 *out_one,
                               guint64 *out_other,
                               GError **error);
/* Entry @i of @list as an array of @n; NULL with @error set if it is none. Borrowed. */
JsonArray *exo_wire_entry (JsonArray *list, guint i, guint n, const char *name, GError **error);
/* Its "v" is ours. */
gboolean exo_wire_check_version (JsonObject *object, GError **error);

/* A line of events just as wire-build.c writes them, "have" to "release", "load" and "link" only. FALSE: it is not of that form, right
 * or wrong, and @line is to be thrown away. */
gboolean exo_wire_events_read (const char *text,
                               gsize length,
                               const guint64 *sizes,
                               gsize n_sizes,
                               ExoWireLine *line);
/* By way of json-glib, whatever the form; exo_wire_line_parse() falls back on it. */
ExoWireLine *exo_wire_line_parse_any (const char *text,
                                      gsize length,
                                      const guint64 *sizes,
                                      gsize n_sizes,
                                      GError **error);
