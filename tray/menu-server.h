/* menu-server.h - the menu on the bus: com.canonical.dbusmenu at EXO_MENU_PATH
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Tells what changes as changed properties of rows, and as a new layout only where rows come, go or move: panels then rebuild
 * that part. While the menu is open, from the event "opened" to "closed" of any of its parts, no layout changes
 * (exo_menu_freeze()); the newest follows when it closes. A panel that died with the menu open, or never says "closed", is
 * found out when it is about to show the menu the next time.
 *
 * Main thread only; nothing blocks.
 */

#pragma once

#include <gio/gio.h>

#include "tray/menu.h"

G_BEGIN_DECLS

#define EXO_MENU_PATH "/StatusNotifierItem/menu"

typedef struct ExoMenuServer ExoMenuServer;

/* A row was clicked that can be; @row is valid for the call. */
typedef void (*ExoMenuClicked) (const ExoMenuRow *row, gpointer user_data);

/* @menu: shown first; a reference is kept. @error: the path is taken */
ExoMenuServer *exo_menu_server_new (GDBusConnection *bus,
                                    ExoMenuRow *menu,
                                    ExoMenuClicked clicked,
                                    gpointer user_data,
                                    GError **error);
void exo_menu_server_free (ExoMenuServer *server); /* %NULL is fine */

/* A reference is kept. Ids as of one ExoMenuIds in all trees. */
void exo_menu_server_show (ExoMenuServer *server, ExoMenuRow *menu);
/* The panel is gone, and an open menu with it. */
void exo_menu_server_close (ExoMenuServer *server);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoMenuServer, exo_menu_server_free)

G_END_DECLS
