/* inbox.h - what other threads have to tell the main thread
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Messages run in the order in which they were posted, on the context the inbox was made for. They are
 * gathered: thousands posted between two turns of the main loop are one wake-up. Nothing runs while it is empty.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct ExoInbox ExoInbox;

/* Main thread, as are all but exo_inbox_post(). */
ExoInbox *exo_inbox_new (GMainContext *context);
/* Runs @function (@data) once on the context, never at once; any thread. What it returns does not matter. */
void exo_inbox_post (ExoInbox *inbox, GSourceFunc function, gpointer data);
/* Runs now what was posted until now, and what comes while it does. */
void exo_inbox_flush (ExoInbox *inbox);
/* Runs what is left, so that it can let go of what it holds, then frees; a message may do this. Nobody may post any more. */
void exo_inbox_free (ExoInbox *inbox); /* NULL is fine */

G_END_DECLS
