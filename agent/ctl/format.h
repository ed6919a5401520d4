/* format.h - numbers, names and tables as people read them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Sizes are decimal, as on the Hub: 1 kB = 1,000 bytes, 1 MB = 1,000,000 bytes. Text that comes from
 * the bus, a file name for example, passes exo_format_clean() before it reaches a terminal.
 *
 * Units, words and decimal point are those of the locale; percent signs and dates are the same everywhere.
 *
 * Pure otherwise; strings returned are the caller's.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

char *exo_format_bytes (guint64 bytes); /* "999 B", "1.50 kB", "12.3 MB", "123 GB" */
char *exo_format_rate (guint64 bytes_per_s);
/* Two units at most: "5 s", "1 min 05 s", "2 h 03 min", "3 d 04 h"; negative: "unknown" */
char *exo_format_duration (gint64 seconds);
/* 0 to 100, rounded down, so that 100 means all; 0 of 0 is 0 */
guint exo_format_percent (guint64 done, guint64 total);
char *exo_format_date (gint64 unix_s); /* "2026-01-31 14:05", local time; "" for 0 */

/* Control characters, invalid UTF-8 and characters that reorder or break a line become \xNN or \u{NNNN}. */
char *exo_format_clean (const char *text);
/* Columns on a terminal: 2 for wide characters, 0 for combining ones. */
guint exo_format_columns (const char *text);
/* At least @columns wide: padded on the right. */
char *exo_format_pad (const char *text, guint columns);
/* Exactly @columns wide: padded on the right, or cut on the left with an ellipsis there, because the
 * end of a path tells files apart. @text is clean. */
char *exo_format_fit (const char *text, guint columns, gboolean utf8);
/* At most @columns wide: cut on the right. */
char *exo_format_cut (const char *text, guint columns);
/* @columns wide */
char *exo_format_bar (guint64 done, guint64 total, guint columns, gboolean utf8);
/* "label  [bar]  45 %  tail", at most @columns wide; the bar goes first when there is no room. @label and @tail: clean */
char *exo_format_progress (const char *label,
                           guint64 done,
                           guint64 total,
                           const char *tail,
                           guint columns,
                           gboolean utf8);

/* Rows of cells in columns as wide as their widest cell, two blanks between. Cells are cleaned. */
typedef struct ExoTable ExoTable;

/* @right: for each column TRUE if its cells are numbers */
ExoTable *exo_table_new (guint n_columns, const gboolean *right);
void exo_table_free (ExoTable *table);
/* @cells: n_columns of them; (transfer full) each */
void exo_table_add (ExoTable *table, char **cells);
char *exo_table_to_string (ExoTable *table); /* each row with its newline, no blanks at its end */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoTable, exo_table_free)

G_END_DECLS
