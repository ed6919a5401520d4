/* savings.h - what neighbours spared the internet line this month
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The agent counts since its installation; here the count at the beginning of the month, or when the tray first saw the agent,
 * is kept: a key file of two values below XDG_STATE_HOME. A file that cannot be read is begun anew, one that cannot be written
 * costs the figure after a restart and nothing else.
 *
 * Main thread only; reads a file when made, writes it once a month.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct ExoSavings ExoSavings;

/* @path: of the file; its folder is made when needed */
ExoSavings *exo_savings_new (const char *path);
void exo_savings_free (ExoSavings *savings); /* %NULL is fine */
char *exo_savings_default_path (void);

/**
 * exo_savings_update:
 * @from_lan: bytes from neighbours since the agent's installation
 * @month: "2026-01", local time
 *
 * Returns: bytes this month. A count below the kept one is that of another installation: all of it is this month's.
 */
guint64 exo_savings_update (ExoSavings *savings, guint64 from_lan, const char *month);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoSavings, exo_savings_free)

G_END_DECLS
