/* range.h - the Range header of a request (RFC 9110 14.1.2, 14.2)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One range of bytes, positions of 64 bits. Several ranges are refused, not answered in parts: no
 * peer of ours asks so, and they are the classic way to make a server work hard.
 *
 * Pure.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  EXO_RANGE_WHOLE,         /* no range, or in a unit other than bytes, which must be ignored: 200 */
  EXO_RANGE_PART,          /* 206 */
  EXO_RANGE_UNSATISFIABLE, /* outside the content, malformed, or several: 416 */
} ExoRangeKind;

/* @header: (nullable): the value of the field; @size: of the content. For EXO_RANGE_PART @out_length is at least 1 and
 * *out_first + *out_length at most @size; for EXO_RANGE_WHOLE they are 0 and @size; else they are left alone. */
ExoRangeKind
exo_range_parse (const char *header, guint64 size, guint64 *out_first, guint64 *out_length);

G_END_DECLS
