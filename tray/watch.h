/* watch.h - the agent as the tray sees it: org.exo.Agent1 on the bus, copied into an ExoView
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Watching never starts the agent. It may come, go and come back at any time: without one the view is not connected
 * and empty, but for what the tray itself warned of.
 *
 * Not a GDBusObjectManagerClient: that one asks for the objects with a call that blocks the main loop each time the
 * agent appears, and keeps a proxy for each object. Here all signals of the agent come through one subscription, made
 * before the questions, so that the answers, which come after them on the wire, are never older than the signals.
 *
 * What comes from the bus is bounded: EXO_WATCH_OBJECTS_MAX objects; text is valid UTF-8 by GDBus.
 *
 * Main thread only; nothing blocks.
 */

#pragma once

#include <gio/gio.h>

#include "tray/view.h"

G_BEGIN_DECLS

#define EXO_AGENT_NAME "org.exo.Agent1"
#define EXO_AGENT_PATH "/org/exo/Agent1"

#define EXO_WATCH_OBJECTS_MAX  1000u /* transfers and nodes; a lab has dozens */
#define EXO_WATCH_WARNINGS_MAX 5u
#define EXO_WATCH_PERIOD_MS    500u

typedef struct ExoWatch ExoWatch;

/* Something of @view is new; it is the watch's, and valid until the main loop turns. Called once soon after the start, then at
 * most once in EXO_WATCH_PERIOD_MS, however many signals come. */
typedef void (*ExoWatchChanged) (const ExoView *view, gpointer user_data);

ExoWatch *exo_watch_new (GDBusConnection *bus, ExoWatchChanged changed, gpointer user_data);
void exo_watch_free (ExoWatch *watch); /* %NULL is fine */

const ExoView *exo_watch_peek_view (const ExoWatch *watch);

/* A warning of the tray's own, shown as the agent's are. The same kind and message again only becomes newer. */
void exo_watch_warn (ExoWatch *watch, const char *kind, const char *message);
/* @message: (nullable): all of them */
void exo_watch_dismiss (ExoWatch *watch, const char *message);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoWatch, exo_watch_free)

G_END_DECLS
