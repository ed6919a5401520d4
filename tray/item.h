/* item.h - the icon in the panel: org.kde.StatusNotifierItem at EXO_ITEM_PATH
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Registers, by path, with each org.kde.StatusNotifierWatcher that appears; without one it waits, and costs nothing.
 * Pictures are drawn when what they show changes, not with each change of the view.
 *
 * Never Passive, with which panels hide an item, its menu included: an idle agent, and one to be started, are asked for
 * something there.
 *
 * Main thread only; nothing blocks.
 */

#pragma once

#include <gio/gio.h>

#include "tray/view.h"

G_BEGIN_DECLS

#define EXO_ITEM_PATH    "/StatusNotifierItem"
#define EXO_WATCHER_NAME "org.kde.StatusNotifierWatcher"
#define EXO_WATCHER_PATH "/StatusNotifierWatcher"

typedef struct ExoItem ExoItem;

typedef struct
{
  void (*activated) (gpointer user_data); /* a click in panels that do not open the menu with it */
  void (*second_activated) (gpointer user_data); /* the middle button */
  void (*host_gone) (gpointer user_data);        /* the panel: no menu of ours is open any more */
} ExoItemCallbacks;

/**
 * exo_item_new:
 * @menu_path: object of com.canonical.dbusmenu on the same connection
 * @callbacks: copied
 *
 * Returns: (transfer full) (nullable): shows an agent that is not there; %NULL with @error set if the path is taken
 */
ExoItem *exo_item_new (GDBusConnection *bus,
                       const char *menu_path,
                       const ExoItemCallbacks *callbacks,
                       gpointer user_data,
                       GError **error);
void exo_item_free (ExoItem *item); /* %NULL is fine */

void exo_item_update (ExoItem *item, const ExoView *view);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoItem, exo_item_free)

G_END_DECLS
