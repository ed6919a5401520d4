/* amount.h - amounts of bytes as people write them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Of the key file and of exoctl. Pure.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* "500GB", "1.5 TiB"; a rate: "20MB/s", "100 Mbit/s"; "off" is 0. Prefixes are decimal, or binary with an i; the unit is not
 * left out, and "Mb", which may mean either, is none. FALSE: it is none of these, or too much for the type. */
gboolean exo_amount_parse (const char *text, gboolean is_rate, guint64 *out_bytes);

G_END_DECLS
