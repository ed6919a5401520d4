/* tray.h - all of exo-tray on one connection: agent in; icon, menu and notifications out; clicks back
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Main thread only; needs a running main loop.
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct ExoTray ExoTray;

/* @quit: the user chose it; free the tray later, not from within. @error: something else is exported at the same paths */
ExoTray *exo_tray_new (GDBusConnection *bus,
                       void (*quit) (gpointer user_data),
                       gpointer user_data,
                       GError **error);
void exo_tray_free (ExoTray *tray); /* %NULL is fine */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoTray, exo_tray_free)

G_END_DECLS
