/* swarm.h - one case: many real plans on a simulated network
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Drives one ExoPlan per node over the fluid network of fluid.h: a shared WAN, an uplink and a
 * downlink per node, round trips, upload slots with a queue, announcements that are collected for
 * some ms and then travel half a round trip, in order; some may come late. Whom a node hears is the choice of
 * transfer/swarm/circle.h: up to 49 nodes hear each other all. Same case: same figures, but for the time a
 * decision takes.
 */

#pragma once

#include "transfer/swarm/circle.h"

G_BEGIN_DECLS

typedef struct
{
  const char *name;
  gint nodes, seeders, files, stragglers, churn, joiners, spread_ms; /* joiners: at half time */
  gint size_mib;                                                     /* of all files together */
  double wan, lan; /* wan: as a part of lan; lan: MB/s */
  double own_line; /* of the last node to the Hub, as a part of lan; 0: it shares the WAN */
  gboolean blind; /* the speeds of network cards are not known: what is measured says who is slow */
  gboolean
      mixed; /* links of two nodes in four as lan says, one 2.5 times faster, one as much slower */
  double hub_rtt_ms, lan_rtt_ms, coalesce_ms;
  double late;    /* % of announcements that come 200 ms late, and hold up what follows them */
  double step_ms; /* of the network, see fluid.h */
  gint slots;     /* 0: half the swarm, at least 8, at most 12 */
  gint hub_runs, fetches, window, seed;
  ExoCircleSizes circle;
  double max_hub, max_time; /* limits of bytes from the Hub / size and of T / bound */
  double max_talk;          /* of bytes of announcements / size, in % */
} Case;

#define CASE_DEFAULT                                                                               \
  {                                                                                                \
    .name = "case", .nodes = 8, .files = 1, .size_mib = 512, .wan = 0.5, .lan = 125,               \
    .hub_rtt_ms = 30, .lan_rtt_ms = 0.3, .coalesce_ms = 5, .seed = 1,                              \
    .circle = EXO_CIRCLE_SIZES_DEFAULT, .max_hub = 1e9, .max_time = 1e9, .max_talk = 1e9           \
  }

/* Prints a line. Returns TRUE if the case ended within its limits. */
gboolean run_case (const Case *setup);

G_END_DECLS
