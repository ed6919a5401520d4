/* trim.h - memory that is not needed until the next transfer
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * An agent is idle nearly always. What a transfer or the start left in the heap goes back to the system, and code that they ran
 * is unmapped page by page: it stays in the system's file cache, where any process finds it, and comes back with the first call.
 * Measured after a transfer: 17.5 MB resident before, see tests/lab an_idle_agent_sleeps for what is left.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Any thread; some milliseconds. */
void exo_trim_memory (void);

G_END_DECLS
