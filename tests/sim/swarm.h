/* swarm.h - one case: many real plans on a simulated network
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Drives one ExoPlan per node over the fluid network of fluid.h: a shared WAN, an uplink and a
 * downlink per node, round trips, upload slots with a queue, announcements that are collected for
 * some ms and then travel half a round trip, in order. Same case: same figures, but for the time a
 * decision takes.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  const char *name;
  gint nodes, seeders, files, stragglers, churn, spread_ms;
  gint size_mib;   /* of all files together */
  double wan, lan; /* wan: as a part of lan; lan: MB/s */
  double own_line; /* of the last node to the Hub, as a part of lan; 0: it shares the WAN */
  gboolean blind; /* the speeds of network cards are not known: what is measured says who is slow */
  double hub_rtt_ms, lan_rtt_ms, coalesce_ms;
  gint slots; /* 0: half the swarm, at least 8 */
  gint hub_runs, fetches, window, seed;
  double max_hub, max_time; /* limits of bytes from the Hub / size and of T / bound */
} Case;

#define CASE_DEFAULT                                                                               \
  {                                                                                                \
    .name = "case", .nodes = 8, .files = 1, .size_mib = 512, .wan = 0.5, .lan = 125,               \
    .hub_rtt_ms = 30, .lan_rtt_ms = 0.3, .coalesce_ms = 5, .seed = 1, .max_hub = 1e9,              \
    .max_time = 1e9                                                                                \
  }

/* Prints a line. Returns TRUE if the case ended within its limits. */
gboolean run_case (const Case *setup);

G_END_DECLS
