/* admin.h - the port through which tests steer the stand-in Hub
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   GET /stats    POST /reset
 *   GET /faults   POST /faults (replaces the rules)   DELETE /faults
 *   POST /down    POST /up    POST /reload
 *
 * 200 with JSON or nothing; 400 or 500 with {"error":...}; 404.
 */

#pragma once

#include "tests/hub/server.h"

G_BEGIN_DECLS

typedef struct HubAdmin HubAdmin;

/* @server: borrowed, outlives it */
HubAdmin *hub_admin_new (HubServer *server, const char *listen, gint port, GError **error);
void hub_admin_free (HubAdmin *self); /* %NULL is fine */
guint16 hub_admin_port (HubAdmin *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HubAdmin, hub_admin_free)

G_END_DECLS
