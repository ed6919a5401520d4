/* bus-lab.h - a private bus, for tests of what is on it
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* A connection of its own, so that service and client can live in one process. */
GDBusConnection *bus_lab_connect (const char *address);

/* @parameters: floating, (nullable). The reply, or %NULL with @error set; the main loop runs meanwhile. */
GVariant *bus_lab_call (GDBusConnection *client,
                        const char *name,
                        const char *path,
                        const char *interface,
                        const char *method,
                        GVariant *parameters,
                        GError **error);
/* The same: the reply printed, or "NAME: message" of the error. */
char *bus_lab_call_text (GDBusConnection *client,
                         const char *name,
                         const char *path,
                         const char *interface,
                         const char *method,
                         GVariant *parameters);

G_END_DECLS
