/* stats.h - what was asked for and how much of it left the machine
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bytes are bytes of file bodies, counted while they are handed to the socket, so an aborted
 * transfer counts for what it took. The sockets keep little unsent (server.c), so the count runs
 * at most some 64 KiB a connection ahead of the wire.
 *
 * first_bytes are those of them that were never sent before: bytes - first_bytes is waste.
 *
 * Thread-safe.
 */

#pragma once

#include "tests/hub/route.h"

G_BEGIN_DECLS

typedef struct HubStats HubStats;
typedef struct HubPathStats HubPathStats; /* one path's; lives as long as the HubStats */

HubStats *hub_stats_new (void);
void hub_stats_free (HubStats *self); /* %NULL is fine */

/* Returns: (transfer none): where the bytes of this request's body are to be counted */
HubPathStats *hub_stats_count_request (HubStats *self, HubClass klass, const char *path);

/* @from: offset in the file */
void hub_stats_count_bytes (HubStats *self, HubPathStats *path, guint64 from, guint64 n_bytes);

void hub_stats_reset (HubStats *self);

/* Returns: (transfer full): the JSON of GET /stats */
char *hub_stats_to_json (HubStats *self);

G_END_DECLS
