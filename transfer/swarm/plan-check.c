/* plan-check.c - the invariants of a plan, recomputed from scratch
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/swarm/plan-private.h"

static void
check_piece (const ExoPlan *plan, const Blob *blob, guint32 piece)
{
  guint holders = 0, fetchers = 0, claimers = 0, mine = 0;
  gboolean missing;

  for (guint s = 0; s < blob->marks->len; s++)
    {
      const Marks *marks = g_ptr_array_index (blob->marks, s);
      const Peer *peer = g_ptr_array_index (plan->peers, s);

      if (marks == NULL)
        continue;
      g_assert (peer != NULL && !peer->shunned && blob->use_peers);
      g_assert (!exo_bit_get (marks->has, piece) || !exo_bit_get (marks->avoid, piece));
      g_assert (!exo_bit_get (marks->has, piece) ||
                (!exo_bit_get (marks->claims, piece) && !exo_bit_get (marks->fetching, piece)));
      holders += peer->counted && exo_bit_get (marks->has, piece);
      fetchers += exo_bit_get (marks->fetching, piece);
      claimers += exo_bit_get (marks->claims, piece);
    }
  for (guint i = 0; i < plan->fetches->len; i++)
    {
      const Fetch *fetch = g_ptr_array_index (plan->fetches, i);

      if (fetch->blob == blob && !fetch->cancelled && piece >= fetch->first &&
          piece < fetch->first + fetch->n && !exo_piece_map_has (blob->have, piece))
        mine++;
    }
  g_assert (mine <= 1);
  g_assert (holders == blob->holders[piece]);
  g_assert (fetchers == blob->fetchers[piece]);
  g_assert (claimers == blob->claimers[piece]);
  g_assert (exo_bit_get (blob->mine, piece) == (mine == 1));
  missing = mine == 0 && !exo_piece_map_has (blob->have, piece);
  g_assert (exo_bit_get (blob->offer, piece) == (missing && holders > 0));
  g_assert (exo_bit_get (blob->sole, piece) == (missing && holders == 1 && fetchers == 0));
  g_assert (exo_bit_get (blob->hub_free, piece) ==
            (missing && holders == 0 && fetchers == 0 && claimers == 0));
  g_assert (exo_bit_get (blob->spare, piece) ==
            (missing && holders > 0 && fetchers == 0 && claimers == 0));
}

static void
check_blob (const ExoPlan *plan, const Blob *blob)
{
  guint32 n_offer = 0, n_sole = 0, n_hub_free = 0, n_spare = 0;

  g_assert (blob->prev == NULL ? plan->first == blob : blob->prev->next == blob);
  g_assert (blob->next == NULL ? plan->last == blob : blob->handle < blob->next->handle);
  exo_piece_map_check (blob->have);
  for (guint32 i = 0; i < blob->n_pieces; i++)
    {
      check_piece (plan, blob, i);
      n_offer += exo_bit_get (blob->offer, i);
      n_sole += exo_bit_get (blob->sole, i);
      n_hub_free += exo_bit_get (blob->hub_free, i);
      n_spare += exo_bit_get (blob->spare, i);
    }
  g_assert (n_offer == blob->n_offer);
  g_assert (n_sole == blob->n_sole);
  g_assert (n_hub_free == blob->n_hub_free);
  g_assert (n_spare == blob->n_spare);
  if (plan->front == NULL || blob->handle < plan->front->handle)
    g_assert (exo_piece_map_is_full (blob->have));
  if (plan->hub_front == NULL || blob->handle < plan->hub_front->handle)
    g_assert (n_hub_free == 0 || !blob->use_hub);
}

static void
check_peers (const ExoPlan *plan)
{
  guint n_claims = 0, n_uncounted = 0;

  for (guint s = 0; s < plan->peers->len; s++)
    {
      const Peer *peer = g_ptr_array_index (plan->peers, s);

      if (peer == NULL)
        continue;
      g_assert (peer->slot == s && peer->takes->len <= EXO_PLAN_TAKES_MAX);
      g_assert (plan->backoff_until_us >= peer->backoff_until_us);
      n_uncounted += !peer->counted && !peer->shunned;
      for (guint t = 0; t < peer->takes->len; t++)
        {
          const Take *take = &g_array_index (peer->takes, Take, t);

          g_assert (exo_plan_take_is_open (take, exo_plan_peek_marks (take->blob, peer)));
          g_assert (plan->stall_at_us <= take->progress_us + take->stall_us);
          n_claims += take->hub;
        }
    }
  g_assert (n_claims == plan->n_claims);
  g_assert (n_uncounted == plan->n_uncounted);
}

/* While there is said to be nothing to ask peers for, that is so. */
static void
check_barren (const ExoPlan *plan)
{
  for (guint s = 0; s < plan->peers->len; s++)
    {
      const Peer *peer = g_ptr_array_index (plan->peers, s);

      if (peer == NULL || peer->fetch != 0 || !peer->counted ||
          !exo_plan_usable (peer, plan->now_us))
        continue;
      for (const Blob *blob = plan->first; blob != NULL; blob = blob->next)
        {
          const Marks *marks = exo_plan_peek_marks (blob, peer);

          for (guint32 i = 0; marks != NULL && i < blob->n_pieces; i++)
            g_assert (!exo_bit_get (blob->offer, i) || !exo_bit_get (marks->has, i));
        }
    }
}

static void
check_fetches (const ExoPlan *plan)
{
  guint n_peer_fetches = 0, hub_cost = 0, n_done = 0;

  for (guint i = 0; i < plan->fetches->len; i++)
    {
      const Fetch *fetch = g_ptr_array_index (plan->fetches, i);

      n_peer_fetches += fetch->peer_handle != 0 && !fetch->ending;
      hub_cost += fetch->cost;
      n_done += exo_plan_is_done (fetch);
      g_assert (fetch->blob != NULL || fetch->cancelled);
      g_assert (!fetch->detour || fetch->peer_handle == 0);
      g_assert (fetch->peer == NULL || fetch->ending || fetch->peer->fetch == fetch->id);
    }
  g_assert (n_peer_fetches == plan->n_peer_fetches);
  g_assert (n_peer_fetches <= plan->config.fetches_max);
  g_assert (hub_cost == plan->hub_cost);
  g_assert (n_done == plan->n_done);
}

static void
check_urgent (const ExoPlan *plan)
{
  guint n_urgent = 0;

  for (const Blob *blob = plan->first; blob != NULL; blob = blob->next)
    if (blob->urgent != EXO_PLAN_NOBODY_WAITS)
      {
        g_assert (g_ptr_array_find (plan->urgent, blob, NULL));
        n_urgent++;
      }
  g_assert (n_urgent == plan->urgent->len);
}

void
exo_plan_check (const ExoPlan *plan)
{
  guint64 n_missing = 0, hub_free_bytes = 0;

  for (const Blob *blob = plan->first; blob != NULL; blob = blob->next)
    {
      check_blob (plan, blob);
      n_missing += blob->n_pieces - exo_piece_map_n_held (blob->have);
      hub_free_bytes += blob->use_hub ? (guint64) blob->n_hub_free * blob->piece_size : 0;
    }
  g_assert (n_missing == plan->n_missing);
  g_assert (hub_free_bytes == plan->hub_free_bytes);
  check_peers (plan);
  if (plan->barren_until_us > plan->now_us)
    check_barren (plan);
  check_fetches (plan);
  check_urgent (plan);
}
