/* content-range.h - which bytes a 206 says it brings
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * RFC 9110 14.4, the one form a client that asked for one range can use: "bytes 0-99/548105171".
 * "bytes *" (416), an unknown total and other units are refused, as are numbers past 2^63 - 1.
 *
 * Pure.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  guint64 first, last; /* inclusive; first <= last < total */
  guint64 total;       /* bytes in the whole entity */
} ExoContentRange;

/* @value: (nullable): of the header. @out_range is written on success only. */
gboolean exo_content_range_parse (const char *value, ExoContentRange *out_range);

/* A decimal number of at most 2^63 - 1, digits only; @out_end is behind it. Content-Length, too. */
gboolean exo_decimal_parse (const char *text, const char **out_end, guint64 *out_value);

G_END_DECLS
