/* plan-hub.c - what this node claims from the Hub
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * All nodes that want a blob and reach the Hub rank each of its units by a hash of (oid, unit,
 * node), so they agree without a word. A node takes, in a window by position, the first unit it
 * ranks first for; with none left it borrows the one it ranks best for. When two claim the same,
 * the one that ranks lower for the unit yields: both compute that from the two ids alone.
 */

#include "transfer/swarm/plan-private.h"

/* TRUE if @a goes before @b for this unit. Hashes of two nodes differ, or the two are one. */
static gboolean
ranks_before (const Blob *blob, guint32 unit, guint64 a, guint64 b)
{
  guint64 score_a = exo_plan_score (blob, unit, a), score_b = exo_plan_score (blob, unit, b);

  return score_a != score_b ? score_a > score_b : a > b;
}

static gboolean
is_wanter (const Blob *blob, const Peer *peer)
{
  const Marks *marks;

  if (peer == NULL || peer->shunned)
    return FALSE;
  marks = exo_plan_peek_marks (blob, peer);
  return marks != NULL && marks->wants;
}

static gboolean
competes (const Blob *blob, const Peer *peer)
{
  return is_wanter (blob, peer) && peer->hub;
}

static gboolean
is_slower (guint64 rate, guint64 fastest, guint times)
{
  return rate > 0 && rate < fastest / times;
}

/* Rates reached are compared with rates reached, speeds of network cards with their like: a card of 1 Gbit/s that
 * reached a tenth of it is no slower than one that was never measured. */
static gboolean
has_slow_link (const Link *link, const Link *best)
{
  if (link->rate > 0)
    return link->rate < EXO_PLAN_FAST_LINK &&
           is_slower (link->rate, best->rate, EXO_PLAN_SLOW_LINK);
  return link->speed < EXO_PLAN_FAST_LINK &&
         is_slower (link->speed, best->speed, EXO_PLAN_SLOW_LINK);
}

/* What nodes get from the Hub, of those that know it. */
typedef struct
{
  guint64 total;
  guint n;
} HubRates;

static void
count_hub_rate (HubRates *rates, guint64 rate)
{
  if (rate == 0)
    return;
  rates->total += MIN (rate, EXO_PLAN_RATE_MAX);
  rates->n++;
}

/* Compared with what the others get on average: the fastest may have a line of its own, and a LAN so slow that nobody is to wait
 * for what it fetches. @rates: @rate is one of them */
static gboolean
is_slow_at_hub (const HubRates *rates, guint64 rate)
{
  guint64 own = MIN (rate, EXO_PLAN_RATE_MAX);

  return rates->n > 1 && is_slower (own, (rates->total - own) / (rates->n - 1), EXO_PLAN_SLOW_HUB);
}

static void
keep_best (Link *best, const Link *link)
{
  best->speed = MAX (best->speed, link->speed);
  best->rate = MAX (best->rate, link->rate);
}

/* A straggler would be the sole holder of what it claimed, and its uplink then sets the pace of all
 * (NOTES.md), so it takes no part while a faster node can. Nor does who is aside while somebody who is not can. */
void
exo_plan_update_members (const ExoPlan *plan, Blob *blob)
{
  Link best_link = plan->link;
  HubRates hub_rates = { 0 };
  gboolean led = FALSE;

  if (blob->members_epoch == plan->members_epoch)
    return;
  blob->members_epoch = plan->members_epoch;
  g_array_set_size (blob->members, 0);
  g_array_set_size (blob->wanters, 0);
  count_hub_rate (&hub_rates, plan->hub_rate);
  for (guint s = 0; s < plan->peers->len; s++)
    {
      const Peer *peer = g_ptr_array_index (plan->peers, s);

      if (is_wanter (blob, peer))
        g_array_append_val (blob->wanters, peer->hash);
      if (!competes (blob, peer))
        continue;
      keep_best (&best_link, &peer->link);
      count_hub_rate (&hub_rates, peer->hub_rate);
      led = led || !peer->aside;
    }
  blob->led = led && plan->aside;
  led = led || !plan->aside;
  for (guint s = 0; s < plan->peers->len; s++)
    {
      const Peer *peer = g_ptr_array_index (plan->peers, s);

      if (competes (blob, peer) && !(led && peer->aside) &&
          !has_slow_link (&peer->link, &best_link) && !is_slow_at_hub (&hub_rates, peer->hub_rate))
        g_array_append_val (blob->members, peer->hash);
    }
  blob->self_in =
      !plan->aside && (blob->members->len == 0 || (!has_slow_link (&plan->link, &best_link) &&
                                                   !is_slow_at_hub (&hub_rates, plan->hub_rate)));
}

/* How many members go before this node; stops counting at @limit. */
static guint
own_rank (const ExoPlan *plan, const Blob *blob, guint32 unit, guint limit)
{
  guint rank = 0;

  for (guint m = 0; m < blob->members->len && rank < limit; m++)
    if (ranks_before (blob, unit, g_array_index (blob->members, guint64, m), plan->hash))
      rank++;
  return rank;
}

static guint
runs_in_flight (const ExoPlan *plan, guint n_nodes)
{
  guint usual = n_nodes <= 1 ? 4 : n_nodes <= 8 ? 2 : 1;
  guint runs = plan->config.hub_runs > 0 ? plan->config.hub_runs : usual;

  return plan->hub_most > 0 ? MIN (runs, plan->hub_most) : runs;
}

/* Guided self-scheduling: half of what is free, shared out, so that all links finish together. Below
 * rate x round trip a run would cost more waiting than fetching, so that is the least but at the end.
 * The first of several runs are shorter: begun together they would end together, time after time, and
 * the link would idle for a round trip. */
static guint64
run_bytes (const ExoPlan *plan, const Blob *blob, guint n_nodes)
{
  guint64 share = plan->hub_free_bytes / n_nodes;
  guint64 unit = (guint64) blob->unit_pieces * blob->piece_size;
  guint64 usual = MAX (plan->config.run_bytes_max, 2 * (guint64) blob->piece_size);
  guint64 most = n_nodes == 1 ? MAX (unit, usual) : usual;
  guint64 least =
      plan->hub_rtt_us > 0
          ? (guint64) ((double) plan->hub_rate * (double) plan->hub_rtt_us / G_USEC_PER_SEC)
          : 0;
  guint runs = runs_in_flight (plan, n_nodes);
  guint begun = MIN (plan->hub_cost / EXO_PLAN_RUN_COST + 1, runs);

  return MIN (MAX (share / 2, MIN (least, share)), most * begun / runs);
}

typedef struct
{
  Blob *blob;
  guint32 first, end; /* from the first free piece to the end of its unit */
  guint rank;
} Choice;

/* Slow nodes hold back, but not for ever: when nobody has claimed for a while, somebody must. Who is led sees but some of
 * the claims, and waits until the last of those it leaves the Hub to is gone, has the blob or lost the Hub. */
static gboolean
may_claim (const ExoPlan *plan, const Blob *blob, gint64 now_us)
{
  return blob->self_in || (!blob->led && plan->n_claims == 0 &&
                           now_us - plan->lull_since_us >= EXO_PLAN_SLOW_LULL_US);
}

/* Improves @best by the units of @blob that have their first of @bits in [start, end). */
static void
choose_in_blob (const ExoPlan *plan,
                Blob *blob,
                const guint64 *bits,
                guint32 start,
                guint32 end,
                guint *units,
                Choice *best)
{
  guint32 i = start;

  while (i<end && * units> 0)
    {
      guint32 unit = i / blob->unit_pieces;
      guint32 unit_end = MIN ((unit + 1) * blob->unit_pieces, blob->n_pieces);
      guint rank = own_rank (plan, blob, unit, best->rank);

      if (rank < best->rank)
        *best = (Choice){ blob, i, unit_end, rank };
      if (rank == 0)
        return;
      i = exo_bits_next (bits, unit_end, MAX (unit_end, end));
      --*units;
    }
}

/* The best unit in the window: the first of rank 0, else the lowest rank, by position. The window is
 * bounded by position, not by free pieces, or it would slide past pieces nobody ranks first for. */
static gboolean
choose_unit (ExoPlan *plan, gint64 now_us, Choice *out_choice)
{
  guint n_nodes = plan->hub_front->members->len + 1;
  guint runs = MAX (n_nodes * EXO_PLAN_WINDOW_RUNS, EXO_PLAN_WINDOW_MIN);
  guint64 unit = (guint64) plan->hub_front->unit_pieces * plan->hub_front->piece_size;
  guint64 window = runs * MAX (unit, plan->config.run_bytes_max);
  guint units = runs;
  Choice best = { NULL, 0, 0, G_MAXUINT };

  for (Blob *blob = plan->hub_front; blob != NULL && window > 0 && units > 0; blob = blob->next)
    {
      guint32 start, end;

      if (!blob->use_hub || blob->n_hub_free == 0)
        continue;
      exo_plan_update_members (plan, blob);
      if (!may_claim (plan, blob, now_us))
        continue;
      start = exo_bits_next (blob->hub_free, exo_piece_map_front (blob->have), blob->n_pieces);
      end = (guint32) MIN (blob->n_pieces, start + window / blob->piece_size + 1);
      choose_in_blob (plan, blob, blob->hub_free, start, end, &units, &best);
      if (best.rank == 0)
        break;
      window -= MIN (window, (guint64) (end - start) * blob->piece_size);
    }
  *out_choice = best;
  return best.blob != NULL;
}

/* What a reader waits for: two units for itself and one for each other node from there on. Readers of several nodes often wait
 * for the same bytes, and would collide at each unit if they did not share them out by rank, too. Only when its owner has not
 * taken one for a while, having other things to do, somebody else does. On a detour (@spare) that owner may have none to
 * make: then the very first unit goes first. */
static gboolean
choose_urgent (ExoPlan *plan, gboolean spare, gint64 now_us, Choice *out_choice)
{
  for (guint i = 0; i < plan->urgent->len; i++)
    {
      Blob *blob = g_ptr_array_index (plan->urgent, i);
      const guint64 *bits = spare ? blob->spare : blob->hub_free;
      gboolean patient = now_us - blob->urgent_since_us < EXO_PLAN_URGENT_WAIT_US;
      Choice best = { NULL, 0, 0, patient ? 1 : G_MAXUINT };
      guint units;
      guint32 first, end;

      if (!blob->use_hub || (spare ? blob->n_spare : blob->n_hub_free) == 0)
        continue;
      exo_plan_update_members (plan, blob);
      if (!spare && !may_claim (plan, blob, now_us))
        continue;
      units = blob->members->len + 2;
      first = MAX (blob->urgent, exo_piece_map_front (blob->have));
      end = (guint32) MIN (blob->n_pieces, first + (guint64) units * blob->unit_pieces);
      first = exo_bits_next (bits, first, end);
      if (spare && !patient)
        units = 1;
      if (first < end)
        choose_in_blob (plan, blob, bits, first, end, &units, &best);
      *out_choice = best;
      if (best.blob != NULL)
        return TRUE;
    }
  return FALSE;
}

/* What to fetch next, and how much may then be in flight. */
static gboolean
choose (ExoPlan *plan, gint64 now_us, guint most, Choice *out_choice, guint *out_most)
{
  *out_most = most + EXO_PLAN_URGENT_RUNS * EXO_PLAN_RUN_COST;
  if (plan->hub_cost < *out_most && choose_urgent (plan, FALSE, now_us, out_choice))
    return TRUE;
  *out_most = most;
  return plan->hub_cost < most && choose_unit (plan, now_us, out_choice);
}

/* Begins the run of @bits from the first piece of the choice on, of at most @bytes, if that leaves at most @room in flight. */
static gboolean
begin_run (ExoPlan *plan,
           const Choice *choice,
           const guint64 *bits,
           guint64 bytes,
           guint room,
           ExoPlanAction *out_action)
{
  Blob *blob = choice->blob;
  guint32 max = (guint32) MIN (MAX (1, bytes / blob->piece_size), choice->end - choice->first);
  guint32 n = 0;
  guint cost;

  while (n < max && exo_bit_get (bits, choice->first + n))
    n++;
  cost = MIN ((guint64) n * blob->piece_size, blob->size) < EXO_PLAN_TINY_BYTES ? 1
                                                                                : EXO_PLAN_RUN_COST;
  if (plan->hub_cost + cost > room)
    return FALSE;
  exo_plan_begin (plan, blob, NULL, choice->first, n, cost, out_action);
  return TRUE;
}

static gboolean
next_free_run (ExoPlan *plan, gint64 now_us, ExoPlanAction *out_action)
{
  Choice choice;
  guint n_nodes, room;

  if (plan->hub_front == NULL)
    return FALSE;
  exo_plan_update_members (plan, plan->hub_front);
  n_nodes = plan->hub_front->members->len + 1;
  if (!choose (plan, now_us, runs_in_flight (plan, n_nodes) * EXO_PLAN_RUN_COST, &choice, &room))
    return FALSE;
  if (!begin_run (plan, &choice, choice.blob->hub_free, run_bytes (plan, choice.blob, n_nodes),
                  room, out_action))
    return FALSE;
  out_action->wait_ms = EXO_PLAN_BORROW_WAIT_MS * MIN (choice.rank, EXO_PLAN_BORROW_NODES);
  return TRUE;
}

/* Nodes that all find the LAN too slow share out what it has as they share out what is free. */
static gboolean
choose_spare (ExoPlan *plan, Choice *out_choice)
{
  Choice best = { NULL, 0, 0, G_MAXUINT };
  guint units = EXO_PLAN_WINDOW_MIN;

  for (Blob *blob = plan->front; blob != NULL && units > 0 && best.rank > 0; blob = blob->next)
    {
      if (!blob->use_hub || blob->n_spare == 0)
        continue;
      exo_plan_update_members (plan, blob);
      choose_in_blob (plan, blob, blob->spare, exo_bits_next (blob->spare, 0, blob->n_pieces),
                      blob->n_pieces, &units, &best);
    }
  *out_choice = best;
  return best.blob != NULL;
}

/* Each node has its line to the Hub to itself, as far as it knows. */
static gboolean
next_detour (ExoPlan *plan, gint64 now_us, ExoPlanAction *out_action)
{
  guint room = runs_in_flight (plan, 1) * EXO_PLAN_RUN_COST;
  Choice choice;
  guint64 unit;

  if (!plan->detour || plan->hub_cost >= room ||
      (!choose_urgent (plan, TRUE, now_us, &choice) && !choose_spare (plan, &choice)))
    return FALSE;
  unit = (guint64) choice.blob->unit_pieces * choice.blob->piece_size;
  if (!begin_run (plan, &choice, choice.blob->spare, MAX (unit, plan->config.run_bytes_max), room,
                  out_action))
    return FALSE;
  ((Fetch *) g_ptr_array_index (plan->fetches, plan->fetches->len - 1))->detour = TRUE;
  return TRUE;
}

gboolean
exo_plan_next_hub (ExoPlan *plan, gint64 now_us, ExoPlanAction *out_action)
{
  guint in_flight = plan->fetches->len - plan->n_peer_fetches;

  if (!plan->hub || (plan->hub_front == NULL && !plan->detour) || now_us < plan->hub_blocked_us ||
      now_us < plan->hub_backoff_us || (plan->hub_most > 0 && in_flight >= plan->hub_most))
    return FALSE;
  exo_plan_advance_fronts (plan);
  return next_free_run (plan, now_us, out_action) || next_detour (plan, now_us, out_action);
}

/* Both rates are this node's whole: of a LAN that many share each fetch is slow, all together are not. While it
 * lasts a detour may itself slow down the LAN, so the LAN counts as it was before; and where both share
 * one bottleneck the Hub soon brings less than that, which is the end of it. */
void
exo_plan_update_detour (ExoPlan *plan, gint64 now_us)
{
  guint64 lan = MAX (plan->lan_rate, plan->lan_before);
  guint margin = plan->detour ? EXO_PLAN_DETOUR_END : EXO_PLAN_DETOUR_BEGIN;
  gboolean wide =
      plan->hub && !plan->metered && plan->lan_rate > 0 && plan->hub_rate / margin > lan;

  if (!wide)
    {
      plan->detour = FALSE;
      plan->detour_from_us = G_MAXINT64;
      return;
    }
  plan->detour_from_us = MIN (plan->detour_from_us, now_us);
  if (plan->detour || now_us - plan->detour_from_us < EXO_PLAN_DETOUR_US)
    return;
  plan->detour = TRUE;
  plan->lan_before = lan;
}

void
exo_plan_collide (ExoPlan *plan, Peer *peer, Blob *blob, guint32 first, guint32 n)
{
  for (guint i = 0; i < plan->fetches->len; i++)
    {
      Fetch *fetch = g_ptr_array_index (plan->fetches, i);
      guint32 start, end;

      if (fetch->blob != blob || fetch->peer_handle != 0 || fetch->cancelled)
        continue;
      start = MAX (first, fetch->first);
      end = MIN (first + n, fetch->first + fetch->n);
      if (start < end && exo_bits_next (blob->mine, start, end) < end &&
          ranks_before (blob, fetch->first / blob->unit_pieces, peer->hash, plan->hash))
        exo_plan_cancel (plan, fetch);
    }
}

void
exo_plan_save_hub (ExoPlan *plan, Blob *blob, guint32 first, guint32 n)
{
  for (guint i = 0; plan->hub_cost > 0 && i < plan->fetches->len; i++)
    {
      Fetch *fetch = g_ptr_array_index (plan->fetches, i);
      guint32 end = fetch->first + fetch->n, piece = fetch->first;

      if (fetch->blob != blob || fetch->peer_handle != 0 || fetch->cancelled || fetch->detour ||
          fetch->n_left == 0 || first >= end || fetch->first >= first + n)
        continue;
      while (piece < end && (!exo_bit_get (blob->mine, piece) || blob->holders[piece] > 0))
        piece++;
      if (piece == end)
        exo_plan_cancel (plan, fetch);
    }
}

void
exo_plan_void_stalled (ExoPlan *plan, gint64 now_us)
{
  gint64 next = G_MAXINT64;

  if (now_us < plan->stall_at_us)
    return;
  for (guint s = 0; s < plan->peers->len; s++)
    {
      Peer *peer = g_ptr_array_index (plan->peers, s);

      if (peer == NULL)
        continue;
      for (guint t = peer->takes->len; t-- > 0;)
        {
          Take take = g_array_index (peer->takes, Take, t);

          if (now_us - take.progress_us < take.stall_us)
            next = MIN (next, take.progress_us + take.stall_us);
          else
            exo_plan_release (plan, peer, take.blob, take.first, take.n);
          t = MIN (t, peer->takes->len);
        }
    }
  plan->stall_at_us = next;
}

gboolean
exo_plan_is_on_detour (const ExoPlan *plan)
{
  return plan->detour;
}

gint64
exo_plan_hub_wake_at (const ExoPlan *plan)
{
  gint64 wake = G_MAXINT64, blocked = MAX (plan->hub_blocked_us, plan->hub_backoff_us);

  if (plan->hub && plan->hub_free_bytes > 0)
    {
      if (blocked > plan->now_us)
        wake = blocked;
      if (plan->hub_front != NULL && !plan->hub_front->self_in && !plan->hub_front->led &&
          plan->n_claims == 0 && plan->lull_since_us + EXO_PLAN_SLOW_LULL_US > plan->now_us)
        wake = MIN (wake, plan->lull_since_us + EXO_PLAN_SLOW_LULL_US);
    }
  for (guint i = 0;
       plan->hub && (plan->hub_free_bytes > 0 || plan->detour) && i < plan->urgent->len; i++)
    {
      const Blob *blob = g_ptr_array_index (plan->urgent, i);

      if (blob->urgent_since_us + EXO_PLAN_URGENT_WAIT_US > plan->now_us)
        wake = MIN (wake, blob->urgent_since_us + EXO_PLAN_URGENT_WAIT_US);
    }
  if (plan->detour_from_us != G_MAXINT64 && !plan->detour)
    wake = MIN (wake, plan->detour_from_us + EXO_PLAN_DETOUR_US);
  return MIN (wake, plan->stall_at_us);
}
