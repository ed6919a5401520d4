/* exo-sim.c - the swarm, simulated
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * With options runs that one case; without, a table of cases, and fails when one misses its limits.
 */

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/swarm.h"

#define NODES_MAX 2000

/* Limits are what is reached (NOTES.md) and a little more. T/bound depends on the number of pieces:
 * 512 MiB are 1024. The straggler with a line of its own needs 2 to 4.7 times the bound, as chance has it; without a detour 6.8. */
static const struct
{
  const char *name;
  gint nodes, seeders, size_mib, files, stragglers, churn, spread_ms;
  double wan, max_hub, max_time, own_line;
  gboolean blind;
} table[] = {
  { "cold W=L/2", 4, 0, 512, 1, 0, 0, 0, 0.5, 1.005, 1.02, 0, FALSE },
  { "cold W=L/2", 8, 0, 512, 1, 0, 0, 0, 0.5, 1.005, 1.02, 0, FALSE },
  { "cold W=L/2", 23, 0, 512, 1, 0, 0, 0, 0.5, 1.005, 1.045, 0, FALSE },
  { "cold W=L", 4, 0, 512, 1, 0, 0, 0, 1, 1.005, 1.05, 0, FALSE },
  { "cold W=L", 8, 0, 512, 1, 0, 0, 0, 1, 1.005, 1.04, 0, FALSE },
  { "cold W=L", 23, 0, 512, 1, 0, 0, 0, 1, 1.005, 1.09, 0, FALSE },
  { "cold W=L/10", 8, 0, 512, 1, 0, 0, 0, 0.1, 1.005, 1.01, 0, FALSE },
  { "seed", 4, 1, 512, 1, 0, 0, 0, 0, 0, 1.04, 0, FALSE },
  { "seed", 8, 1, 512, 1, 0, 0, 0, 0, 0, 1.03, 0, FALSE },
  { "seed", 23, 1, 512, 1, 0, 0, 0, 0, 0, 1.055, 0, FALSE },
  { "spread cold W=L/2", 8, 0, 512, 1, 0, 0, 300, 0.5, 1.005, 1.02, 0, FALSE },
  { "spread cold W=L", 23, 0, 512, 1, 0, 0, 300, 1, 1.005, 1.015, 0, FALSE },
  { "spread seed", 23, 1, 512, 1, 0, 0, 300, 0, 0, 1.015, 0, FALSE },
  { "straggler cold W=L/2", 8, 0, 512, 1, 1, 0, 0, 0.5, 1.005, 1.02, 0, FALSE },
  { "straggler seed", 8, 1, 512, 1, 1, 0, 0, 0, 0, 1.05, 0, FALSE },
  { "churn cold W=L/2", 8, 0, 512, 1, 0, 2, 0, 0.5, 1.005, 1.03, 0, FALSE },
  { "churn seed", 8, 1, 512, 1, 0, 2, 0, 0, 0, 1.04, 0, FALSE },
  { "200 files cold W=L/2", 8, 0, 512, 200, 0, 0, 0, 0.5, 1.005, 1.06, 0, FALSE },
  { "slow WAN, 4 MiB pieces", 23, 0, 4200, 1, 0, 0, 0, 0.03, 1.005, 1.02, 0, FALSE },
  { "alone W=L", 1, 0, 512, 1, 0, 0, 0, 1, 1, 1.07, 0, FALSE },
  { "unknown straggler W=L/2", 8, 0, 512, 1, 1, 0, 0, 0.5, 1.005, 1.02, 0, TRUE },
  { "straggler, own line L", 8, 0, 4096, 1, 1, 0, 0, 0.5, 1.8, 4.7, 1, TRUE },
  { "straggler, own line L/10", 8, 0, 4096, 1, 1, 0, 0, 0.5, 1.005, 2.1, 0.1, TRUE },
  { "straggler, own line L/20", 8, 0, 4096, 1, 1, 0, 0, 0.5, 1.005, 1.6, 0.05, TRUE },
  { "seed, the Hub at hand", 23, 1, 2048, 1, 0, 0, 0, 1, 0, 1.06, 0, TRUE },
};

/* More nodes than all hear each other: 100 of them, 2000 pieces of 512 KiB. What the first and last pieces cost does not
 * shrink with their number: with five times as many T / bound is far lower. */
static const struct
{
  const char *name;
  gint seeders, churn, joiners;
  double wan, late, max_hub, max_time;
  gboolean mixed;
} many[] = {
  { "many cold W=L/2", 0, 0, 0, 0.5, 0, 1.005, 1.05, FALSE },
  { "many seed", 1, 0, 0, 0, 0, 0, 1.25, FALSE },
  { "many mixed W=L/2", 0, 0, 0, 0.5, 0, 1.005, 1.1, TRUE },
  { "many churn, join W=L/2", 0, 10, 10, 0.5, 0, 1.01, 1.15, FALSE },
  { "many late W=L/2", 0, 0, 0, 0.5, 5, 1.05, 1.1, FALSE },
};

static gboolean
run_many (void)
{
  gboolean good = TRUE;

  for (gsize i = 0; i < G_N_ELEMENTS (many); i++)
    {
      Case setup = CASE_DEFAULT;

      setup.name = many[i].name;
      setup.nodes = 100;
      setup.size_mib = 1000;
      setup.step_ms = 5;
      setup.seeders = many[i].seeders;
      setup.churn = many[i].churn;
      setup.joiners = many[i].joiners;
      setup.wan = many[i].wan;
      setup.late = many[i].late;
      setup.mixed = many[i].mixed;
      setup.max_hub = many[i].max_hub;
      setup.max_time = many[i].max_time;
      setup.max_talk = 1;
      good = run_case (&setup) && good;
    }
  return good;
}

static gboolean
run_table (void)
{
  gboolean good = TRUE;

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      Case setup = CASE_DEFAULT;

      setup.name = table[i].name;
      setup.nodes = table[i].nodes;
      setup.seeders = table[i].seeders;
      setup.size_mib = table[i].size_mib;
      setup.files = table[i].files;
      setup.stragglers = table[i].stragglers;
      setup.churn = table[i].churn;
      setup.spread_ms = table[i].spread_ms;
      setup.wan = table[i].wan;
      setup.max_hub = table[i].max_hub;
      setup.max_time = table[i].max_time;
      setup.own_line = table[i].own_line;
      setup.blind = table[i].blind;
      good = run_case (&setup) && good;
    }
  return good;
}

static gboolean
is_sane (const Case *setup)
{
  return setup->nodes >= 1 && setup->nodes <= NODES_MAX && setup->seeders >= 0 &&
         setup->seeders + setup->churn + setup->stragglers + setup->joiners < setup->nodes &&
         setup->joiners >= 0 && setup->churn >= 0 && setup->stragglers >= 0 && setup->files >= 1 &&
         setup->size_mib >= 1 && setup->size_mib <= 1 << 20 && setup->lan > 0 && setup->wan >= 0 &&
         setup->own_line >= 0 && (setup->wan > 0 || setup->seeders > 0) &&
         setup->coalesce_ms >= 0 && setup->hub_rtt_ms >= 0 && setup->late >= 0 &&
         setup->late < 100 && setup->step_ms >= 0 && setup->lan_rtt_ms >= 0 &&
         setup->spread_ms >= 0 && setup->hub_runs >= 0 && setup->fetches >= 0 &&
         setup->window >= 0 && setup->slots >= 0 && setup->circle.core >= 1;
}

int
main (int argc, char **argv)
{
  Case setup = CASE_DEFAULT;
  const GOptionEntry entries[] = {
    { "nodes", 0, 0, G_OPTION_ARG_INT, &setup.nodes, "nodes, seeders included", "N" },
    { "size", 0, 0, G_OPTION_ARG_INT, &setup.size_mib, "of all files together", "MIB" },
    { "files", 0, 0, G_OPTION_ARG_INT, &setup.files, "files of equal size", "N" },
    { "wan", 0, 0, G_OPTION_ARG_DOUBLE, &setup.wan, "Hub link, as a part of a LAN link", "X" },
    { "lan", 0, 0, G_OPTION_ARG_DOUBLE, &setup.lan, "LAN link, each direction", "MB/S" },
    { "seed-nodes", 0, 0, G_OPTION_ARG_INT, &setup.seeders, "nodes that have it all", "N" },
    { "spread", 0, 0, G_OPTION_ARG_INT, &setup.spread_ms, "nodes start within", "MS" },
    { "own-line", 0, 0, G_OPTION_ARG_DOUBLE, &setup.own_line,
      "of the last node to the Hub, as a part of a LAN link", "X" },
    { "blind", 0, 0, G_OPTION_ARG_NONE, &setup.blind, "speeds of network cards are not known",
      NULL },
    { "straggler", 0, 0, G_OPTION_ARG_INT, &setup.stragglers, "nodes at a tenth of LAN", "N" },
    { "joiners", 0, 0, G_OPTION_ARG_INT, &setup.joiners, "nodes that join at half time", "N" },
    { "mixed", 0, 0, G_OPTION_ARG_NONE, &setup.mixed, "links of 0.4, 1, 1 and 2.5 times LAN",
      NULL },
    { "late", 0, 0, G_OPTION_ARG_DOUBLE, &setup.late, "announcements 200 ms late", "%" },
    { "step", 0, 0, G_OPTION_ARG_DOUBLE, &setup.step_ms, "between changes of rates; 0: none",
      "MS" },
    { "churn", 0, 0, G_OPTION_ARG_INT, &setup.churn, "nodes that die at half time", "N" },
    { "slots", 0, 0, G_OPTION_ARG_INT, &setup.slots, "uploads at a time", "N" },
    { "hub-rtt", 0, 0, G_OPTION_ARG_DOUBLE, &setup.hub_rtt_ms, "to the Hub", "MS" },
    { "lan-rtt", 0, 0, G_OPTION_ARG_DOUBLE, &setup.lan_rtt_ms, "between nodes", "MS" },
    { "coalesce", 0, 0, G_OPTION_ARG_DOUBLE, &setup.coalesce_ms, "announcements", "MS" },
    { "hub-runs", 0, 0, G_OPTION_ARG_INT, &setup.hub_runs, "Hub runs in flight", "N" },
    { "fetches", 0, 0, G_OPTION_ARG_INT, &setup.fetches, "peer fetches in flight", "N" },
    { "window", 0, 0, G_OPTION_ARG_INT, &setup.window, "receive window", "PIECES" },
    { "core", 0, 0, G_OPTION_ARG_INT, &setup.circle.core, "nodes that ask the Hub", "N" },
    { "listen", 0, 0, G_OPTION_ARG_INT, &setup.circle.listen, "nodes of the core that others hear",
      "N" },
    { "others", 0, 0, G_OPTION_ARG_INT, &setup.circle.others, "further nodes that each hears",
      "N" },
    { "seed", 0, 0, G_OPTION_ARG_INT, &setup.seed, "of chance", "N" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- simulate a swarm");
  g_autoptr (GError) error = NULL;

  if (argc < 2)
    {
      gboolean good = run_table ();

      return run_many () && good ? EXIT_SUCCESS : EXIT_FAILURE;
    }
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      fprintf (stderr, "exo-sim: %s\n", error->message);
      return EXIT_FAILURE;
    }
  if (!is_sane (&setup))
    {
      fprintf (stderr, "exo-sim: these options make no swarm that could finish\n");
      return EXIT_FAILURE;
    }
  return run_case (&setup) ? EXIT_SUCCESS : EXIT_FAILURE;
}
