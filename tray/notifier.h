/* notifier.h - notices on the screen, through the desktop's notification server
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * libnotify's calls block until the server answers. So a server is asked, without blocking, what it can do before each
 * batch of notices, and one that does not answer is shown nothing: it may be gone, hang or never have been there. Asking starts
 * the server where the bus knows how. What a server forgot when it was restarted is shown anew by its next update.
 *
 * Servers differ (see the Desktop Notifications Specification): bodies are escaped for those that read markup, buttons left out where
 * they would not be shown, and the bar of progress where it would hide the text.
 *
 * Main thread only; one at a time, as libnotify keeps its connection to the session bus in the process.
 */

#pragma once

#include <gio/gio.h>

#include "tray/notices.h"

G_BEGIN_DECLS

#define EXO_NOTIFICATIONS_NAME "org.freedesktop.Notifications"
#define EXO_NOTIFICATIONS_PATH "/org/freedesktop/Notifications"

typedef struct
{
  /* A button, or the notice itself, was clicked. @target: (nullable) */
  void (*pressed) (ExoMenuAction action, const char *target, gpointer user_data);
  /* The user or the server has closed the notice of this id. */
  void (*gone) (guint id, gpointer user_data);
} ExoNotifierCallbacks;

typedef struct ExoNotifier ExoNotifier;

/* @bus: the session bus. @callbacks: copied; never called from within a function of the notifier */
ExoNotifier *
exo_notifier_new (GDBusConnection *bus, const ExoNotifierCallbacks *callbacks, gpointer user_data);
/* %NULL is fine. Progress is taken from the screen, what has ended stays there. */
void exo_notifier_free (ExoNotifier *notifier);

/* Shows the notice, updates the one of the same id in place, or takes it away when it has no title. */
void exo_notifier_show (ExoNotifier *notifier, ExoNotice *notice /* (transfer full) */);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoNotifier, exo_notifier_free)

G_END_DECLS
