/* bars.h - a block of lines at the bottom of a terminal that is drawn again and again
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each frame is one write() that overwrites the last one in place: no flicker. The cursor is hidden
 * within a frame only, so whatever ends the program leaves a sane terminal.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct ExoBars ExoBars;

/* @fd: a terminal; borrowed */
ExoBars *exo_bars_new (int fd);
void exo_bars_free (ExoBars *bars); /* the block stays where it is; %NULL is fine */

/* As it is now; 80 x 24 if the terminal does not say. Lines should be one column shorter. */
void exo_bars_get_size (ExoBars *bars, guint *out_columns, guint *out_rows);
/* @above: lines that scroll up and stay; @lines: the new block, may be empty. (element-type utf8), clean */
void exo_bars_show (ExoBars *bars, GPtrArray *above, GPtrArray *lines);
void exo_bars_clear (ExoBars *bars);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoBars, exo_bars_free)

G_END_DECLS
