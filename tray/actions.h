/* actions.h - what a click on the menu does
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Calls of org.exo.Agent1, which start the agent where it is not running. Main thread only; nothing blocks.
 */

#pragma once

#include <gio/gio.h>

#include "tray/menu.h"

G_BEGIN_DECLS

typedef struct ExoActions ExoActions;

/* @message: what could not be done, and why; translated */
typedef void (*ExoActionsFailed) (const char *message, gpointer user_data);

ExoActions *exo_actions_new (GDBusConnection *bus, ExoActionsFailed failed, gpointer user_data);
void
exo_actions_free (ExoActions *actions); /* %NULL is fine; what is under way is no longer reported */

/* @action: one of those for the agent or the file manager: EXO_MENU_PAUSE to EXO_MENU_START; others do nothing.
 * @target: as of ExoMenuAction; one that @view does not hold any more does nothing */
void exo_actions_run (ExoActions *actions,
                      ExoMenuAction action,
                      const char *target,
                      const ExoView *view);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoActions, exo_actions_free)

G_END_DECLS
