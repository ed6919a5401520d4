/* text.h - the words of the tray: what a transfer or a node does, in one line; the tooltip
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What comes from the agent, or through it from the network, is made harmless here: no control characters, no invisible ones that
 * reorder a line, and no line longer than told. Translated.
 *
 * Pure; strings returned are the caller's.
 */

#pragma once

#include "tray/view.h"

G_BEGIN_DECLS

#define EXO_TEXT_NAME_COLUMNS    48u /* of a model or a node */
#define EXO_TEXT_MESSAGE_COLUMNS 100u

/* Clean, and at most @columns wide: cut on the right, with an ellipsis there. */
char *exo_text_short (const char *text, guint columns);

char *exo_text_model (const ExoViewTransfer *transfer); /* "org/name", short */
/* "45 %, 112 MB/s, 4 min 12 s left", "paused at 45 %", "failed" ... */
char *exo_text_progress (const ExoViewTransfer *transfer);
char *exo_text_node (const ExoViewNode *node); /* "anna: connected, 112 MB/s" */

/* Plain text. */
char *exo_text_tip_title (const ExoView *view);
/* Lines, with the little markup that StatusNotifierItem allows escaped. */
char *exo_text_tip_body (const ExoView *view);

G_END_DECLS
