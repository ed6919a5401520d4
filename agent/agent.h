/* agent.h - the daemon: engine, discovery and bus, wired together
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Main thread only; needs a running main loop on the default context.
 */

#pragma once

#include "agent/config.h"

G_BEGIN_DECLS

typedef struct ExoAgent ExoAgent;

/* @stopped: called once, when the bus or its name is lost; the owner then quits. @why: for the log.
 * @error: what stands in the way of starting, and what to do about it */
ExoAgent *exo_agent_new (const ExoConfig *config,
                         void (*stopped) (const char *why, gpointer user_data),
                         gpointer user_data,
                         GError **error);
/* Says goodbye to the neighbours, flushes the journals; transfers go on at the next start. */
void exo_agent_free (ExoAgent *agent);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoAgent, exo_agent_free)

G_END_DECLS
