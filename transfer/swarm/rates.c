/* rates.c - what was measured, told to the plan and to the neighbours
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Looked at twice a second while something is being fetched; nothing runs while nothing is.
 */

#include "transfer/swarm/swarm-private.h"

#define LOOK_MS 500

static void
tell_link (ExoSwarm *swarm)
{
  exo_plan_set_link (swarm->plan, swarm->link.speed, swarm->link.rate);
  exo_announcer_link (swarm->announcer, &swarm->link);
}

static void
tell_neighbours_rates (ExoSwarm *swarm, gint64 now_us)
{
  GHashTableIter iter;
  ExoNeighbour *neighbour;

  g_hash_table_iter_init (&iter, swarm->by_peer);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &neighbour))
    {
      exo_plan_peer_rate (swarm->plan, neighbour->peer,
                          exo_pace_rate (&neighbour->pace, EXO_PACE_LAN_US, now_us));
      exo_session_measured (neighbour->session,
                            exo_pace_best (&neighbour->pace, EXO_PACE_LAN_US, now_us));
    }
}

static void
report_detour (ExoSwarm *swarm)
{
  gboolean detour = exo_plan_is_on_detour (swarm->plan);

  if (detour == swarm->detour)
    return;
  swarm->detour = detour;
  g_message (detour
                 ? "the Hub is far faster than the neighbours: what they have is fetched there, too"
                 : "what neighbours have is fetched from them alone again");
}

/* A rate that is set is known before anything was measured. What is told is what the plan goes by: nodes that said more of
 * themselves than they count on would all leave the Hub to one another. */
guint64
exo_rates_of_hub (ExoSwarm *swarm)
{
  guint64 rate = exo_pace_rate (&swarm->hub_pace, EXO_PACE_HUB_US, g_get_monotonic_time ());

  if (swarm->hub_limit == 0)
    return rate;
  return rate > 0 ? MIN (rate, swarm->hub_limit) : swarm->hub_limit;
}

void
exo_rates_tell (ExoSwarm *swarm)
{
  gint64 now_us = g_get_monotonic_time ();
  guint64 best = exo_pace_best (&swarm->lan_pace, EXO_PACE_LAN_US, now_us);
  guint64 hub_rate = exo_rates_of_hub (swarm);
  ExoHubState hub;

  exo_swarm_hub_state (swarm, &hub);
  exo_announcer_hub (swarm->announcer, hub.reachable, hub_rate);
  exo_plan_set_hub (swarm->plan, hub.reachable, hub.blocked_until_us, hub_rate, hub.first_byte_us);
  exo_plan_set_lan_rate (swarm->plan, exo_pace_rate (&swarm->lan_pace, EXO_PACE_LAN_US, now_us));
  tell_neighbours_rates (swarm, now_us);
  if (!exo_pace_is_news (swarm->link.rate, best))
    return;
  swarm->link.rate = best;
  tell_link (swarm);
}

static gboolean
look (gpointer user_data)
{
  ExoSwarm *swarm = user_data;

  exo_rates_tell (swarm);
  report_detour (swarm);
  exo_swarm_pump_soon (swarm);
  if (g_hash_table_size (swarm->flights) > 0)
    return G_SOURCE_CONTINUE;
  swarm->rates_source = 0;
  return G_SOURCE_REMOVE;
}

/* Of a neighbour that went and came back meanwhile the end is heard without a beginning. */
static void
end_of (ExoNeighbour *neighbour, gint64 now_us)
{
  if (neighbour != NULL && neighbour->pace.n_fetches > 0)
    exo_pace_end (&neighbour->pace, now_us);
}

void
exo_rates_begin (ExoSwarm *swarm, const char *source_id)
{
  ExoNeighbour *neighbour = source_id != NULL ? exo_swarm_neighbour (swarm, source_id) : NULL;
  gint64 now_us = g_get_monotonic_time ();

  exo_pace_begin (source_id != NULL ? &swarm->lan_pace : &swarm->hub_pace, now_us);
  if (neighbour != NULL)
    exo_pace_begin (&neighbour->pace, now_us);
  if (swarm->rates_source == 0)
    swarm->rates_source = g_timeout_add (LOOK_MS, look, swarm);
}

void
exo_rates_add (ExoSwarm *swarm, const char *source_id, guint64 bytes)
{
  ExoNeighbour *neighbour = source_id != NULL ? exo_swarm_neighbour (swarm, source_id) : NULL;
  gint64 now_us = g_get_monotonic_time ();

  exo_pace_add (source_id != NULL ? &swarm->lan_pace : &swarm->hub_pace, bytes, now_us);
  if (neighbour != NULL)
    exo_pace_add (&neighbour->pace, bytes, now_us);
}

void
exo_rates_end (ExoSwarm *swarm, const char *source_id)
{
  gint64 now_us = g_get_monotonic_time ();

  exo_pace_end (source_id != NULL ? &swarm->lan_pace : &swarm->hub_pace, now_us);
  if (source_id != NULL)
    end_of (exo_swarm_neighbour (swarm, source_id), now_us);
}

void
exo_rates_forget_lan (ExoSwarm *swarm)
{
  exo_pace_forget (&swarm->lan_pace, g_get_monotonic_time ());
  exo_rates_tell (swarm);
}

void
exo_rates_forget_all (ExoSwarm *swarm)
{
  gint64 now_us = g_get_monotonic_time ();
  GHashTableIter iter;
  ExoNeighbour *neighbour;

  exo_pace_forget (&swarm->hub_pace, now_us);
  g_hash_table_iter_init (&iter, swarm->neighbours);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &neighbour))
    exo_pace_forget (&neighbour->pace, now_us);
  exo_rates_forget_lan (swarm);
}

void
exo_rates_set_speed (ExoSwarm *swarm, guint64 speed)
{
  if (swarm->link.speed == speed)
    return;
  swarm->link.speed = speed;
  tell_link (swarm);
}

void
exo_swarm_set_metered (ExoSwarm *swarm, gboolean metered)
{
  exo_plan_set_metered (swarm->plan, metered);
  exo_swarm_pump_soon (swarm);
}
