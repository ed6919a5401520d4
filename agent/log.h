/* log.h - where messages go, and what never goes there
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Structured to the journal if stderr is connected to it; otherwise one line on stderr:
 *
 *   2026-11-23 21:22:52.123 warning exo-discovery: message
 *
 * Debug messages only when asked for, by @verbose or G_MESSAGES_DEBUG. Every text field passes exo_log_redact().
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Once, before other threads are started. */
void exo_log_init (gboolean verbose);

/* @text without secrets: what follows "hf_" in a token, the rest of the line after Authorization and a colon or
 * equals sign, the word after Bearer or Basic, user and password of URLs, and the query of anything that looks like a URL.
 * Any bytes will do. Pure. (transfer full) */
char *exo_log_redact (const char *text);

/* One line, without its end; control characters and bytes that are not UTF-8 are made harmless. @time (transfer none). Pure.
 * (transfer full) */
char *
exo_log_format (GDateTime *time, GLogLevelFlags level, const char *domain, const char *message);

G_END_DECLS
