/* wire-private.h - what wire-parse.c and wire-build.c share; see wire.h
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
