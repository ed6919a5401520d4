/* tray-view.h - views of an agent, made by hand
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#pragma once

#include "tray/view.h"

G_BEGIN_DECLS

/* Its path ends in its place, from 1; the view's, writable. */
ExoViewTransfer *
tray_view_add (ExoView *view, const char *model, ExoViewState state, guint64 done, guint64 total);
ExoViewNode *tray_view_add_node (ExoView *view, const char *name, const char *state);
void tray_view_warn (ExoView *view, const char *kind, const char *message);
/* Writes into a string of a view. */
void tray_view_set (char **field, const char *value);

G_END_DECLS
