/* plan-receive.c - which piece this node asks which peer for
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Inside a window by position, the piece with the fewest copies (held, being fetched, claimed) plus
 * the load of its best source; ties go by a hash of (node, blob, piece), so that receivers of one
 * seeder ask for different pieces. With nothing on offer in the window it looks beyond.
 *
 * Where nobody else wants the blob there is nobody to trade with: then it goes by position, in runs.
 */

#include "transfer/swarm/plan-private.h"

typedef struct
{
  Blob *blob;
  Peer *peer;
  guint32 piece;
  guint64 weight, rank;
} Pick;

static guint
load_of (const Peer *peer)
{
  return peer->uploads + peer->queued;
}

static guint64
speed_of (const Peer *peer)
{
  if (peer->rate > 0)
    return peer->rate;
  return peer->link.rate > 0 ? peer->link.rate : peer->link.speed;
}

/* TRUE if it is known to be so much slower that it is no matter of chance and other fetches. */
static gboolean
is_much_slower (const Peer *a, const Peer *b)
{
  return speed_of (a) > 0 && speed_of (a) < speed_of (b) / EXO_PLAN_SLOW_LINK;
}

/* TRUE if @a is the better source of two: less load, a much faster link, then by chance. */
static gboolean
serves_better (const ExoPlan *plan, const Peer *a, const Peer *b, guint32 piece)
{
  if (load_of (a) != load_of (b))
    return load_of (a) < load_of (b);
  if (is_much_slower (a, b) || is_much_slower (b, a))
    return is_much_slower (b, a);
  return exo_mix (plan->seed ^ a->hash ^ piece) < exo_mix (plan->seed ^ b->hash ^ piece);
}

static Peer *
best_source (const ExoPlan *plan, const Blob *blob, guint32 piece)
{
  Peer *best = NULL;

  for (guint i = 0; i < plan->idle->len; i++)
    {
      Peer *peer = g_ptr_array_index (plan->idle, i);
      const Marks *marks = exo_plan_peek_marks (blob, peer);

      if (marks != NULL && exo_bit_get (marks->has, piece) &&
          (best == NULL || serves_better (plan, peer, best, piece)))
        best = peer;
    }
  return best;
}

/* Nodes that want the blob share out its pieces by hash, so that receivers of one seeder ask for
 * different ones though they decide at the same time. When the Hub has nothing left to do, a node asks
 * for its own pieces in order: one that chance passes over again and again would hold up the hashing
 * of all. What is left is asked for in a new order each time: in a fixed order all would run for the
 * few pieces that just came into the window. */
static guint64
rank_of (const ExoPlan *plan, const Blob *blob, guint32 piece)
{
  guint64 own = exo_plan_score (blob, piece, plan->hash), chance;
  gboolean is_own = TRUE;

  for (guint i = 0; is_own && i < blob->wanters->len; i++)
    is_own = exo_plan_score (blob, piece, g_array_index (blob->wanters, guint64, i)) <= own;
  if (is_own && (blob->wanters->len == 0 || blob->n_hub_free == 0))
    return G_MAXUINT64 - ((guint64) blob->handle << 31) - piece;
  chance = exo_mix (own ^ exo_mix (plan->seed + plan->last_fetch)) >> 1;
  return is_own ? G_MAXUINT64 - chance : chance;
}

static void
weigh (const ExoPlan *plan, Blob *blob, guint32 piece, Pick *best)
{
  guint64 weight = (guint64) blob->holders[piece] + blob->fetchers[piece] + blob->claimers[piece];
  guint64 rank;
  Peer *peer;

  if (best->peer != NULL && weight > best->weight)
    return; /* whatever the load of its sources */
  peer = best_source (plan, blob, piece);
  if (peer == NULL)
    return;
  weight += load_of (peer);
  if (best->peer != NULL && weight > best->weight)
    return;
  exo_plan_update_members (plan, blob);
  rank = rank_of (plan, blob, piece);
  if (best->peer == NULL || weight < best->weight || rank > best->rank)
    *best = (Pick){ blob, peer, piece, weight, rank };
}

/* Those of @bits, of one word of @blob, that an idle peer holds. */
static guint64
held_by_idle (const ExoPlan *plan, const Blob *blob, guint32 word, guint64 bits)
{
  guint64 held = 0;

  if (bits == 0)
    return 0;
  for (guint i = 0; i < plan->idle->len; i++)
    {
      const Marks *marks = exo_plan_peek_marks (blob, g_ptr_array_index (plan->idle, i));

      if (marks != NULL && marks->has != NULL)
        held |= marks->has[word];
    }
  return bits & held;
}

/* Weighs what is on offer from @from on. @window counts down positions, @beyond what is weighed past
 * it. Returns TRUE when there is no need to look further. */
static gboolean
pick_in_blob (const ExoPlan *plan,
              Blob *blob,
              guint32 from,
              guint32 *window,
              guint32 *beyond,
              Pick *best)
{
  guint32 window_end = MIN (blob->n_pieces, from + MIN (*window, blob->n_pieces - from));

  *window -= window_end - from;
  for (guint32 word = from / 64; word < exo_bits_words (blob->n_pieces); word++)
    {
      guint64 bits;

      if (word * 64 >= window_end && best->peer != NULL && *beyond == plan->config.window_pieces)
        return TRUE;
      for (bits = held_by_idle (plan, blob, word, blob->offer[word]); bits != 0; bits &= bits - 1)
        {
          guint32 piece = word * 64 + (guint32) __builtin_ctzll (bits);

          if (piece >= window_end && best->peer != NULL && *beyond == plan->config.window_pieces)
            return TRUE;
          weigh (plan, blob, piece, best);
          if (piece >= window_end && --*beyond == 0)
            return TRUE;
        }
    }
  return *window == 0 && best->peer != NULL && *beyond == plan->config.window_pieces;
}

/* Weighs the first pieces that only one idle peer holds and nobody fetches. Whoever holds such pieces
 * is asked for nothing else, or a seeder sends some twice before it has sent all once. */
static void
pick_sole (const ExoPlan *plan, Pick *best)
{
  guint32 left = plan->config.window_pieces;

  for (Blob *blob = plan->front; blob != NULL && left > 0; blob = blob->next)
    {
      if (blob->n_sole == 0)
        continue;
      for (guint32 word = exo_piece_map_front (blob->have) / 64;
           word < exo_bits_words (blob->n_pieces) && left > 0; word++)
        for (guint64 bits = held_by_idle (plan, blob, word, blob->sole[word]);
             bits != 0 && left > 0; bits &= bits - 1, left--)
          weigh (plan, blob, word * 64 + (guint32) __builtin_ctzll (bits), best);
    }
}

/* The very piece a reader waits for. No more of it by position: nodes that read the same model from one holder would all
 * ask it for the same pieces and have nothing to trade. */
static void
pick_urgent (const ExoPlan *plan, Pick *best)
{
  for (guint i = 0; i < plan->urgent->len && best->peer == NULL; i++)
    {
      Blob *blob = g_ptr_array_index (plan->urgent, i);
      guint32 piece = blob->urgent;

      while (piece < blob->n_pieces && exo_piece_map_has (blob->have, piece))
        piece++;
      if (piece < blob->n_pieces && exo_bit_get (blob->offer, piece))
        weigh (plan, blob, piece, best);
    }
}

/* Returns when the next of those that failed may be asked again. */
static gint64
collect_idle (ExoPlan *plan, gint64 now_us)
{
  gint64 again_us = G_MAXINT64;

  g_ptr_array_set_size (plan->idle, 0);
  for (guint s = 0; s < plan->peers->len; s++)
    {
      Peer *peer = g_ptr_array_index (plan->peers, s);

      if (peer == NULL || peer->fetch != 0 || !peer->counted ||
          peer->barren_epoch == plan->offer_epoch)
        continue;
      if (exo_plan_usable (peer, now_us))
        g_ptr_array_add (plan->idle, peer);
      else if (!peer->shunned)
        again_us = MIN (again_us, peer->backoff_until_us);
    }
  return again_us;
}

static void
pick (ExoPlan *plan, Pick *best)
{
  guint32 window = plan->config.window_pieces, beyond = window;

  exo_plan_advance_fronts (plan);
  pick_urgent (plan, best);
  if (best->peer == NULL)
    pick_sole (plan, best);
  for (Blob *blob = best->peer == NULL ? plan->front : NULL; blob != NULL; blob = blob->next)
    {
      if (exo_piece_map_is_full (blob->have))
        continue;
      if (pick_in_blob (plan, blob, exo_piece_map_front (blob->have), &window, &beyond, best))
        break;
    }
}

/* How many pieces from @pick on one request asks for: a request costs a round trip, in which that peer sends nothing. */
static guint32
run_of (const ExoPlan *plan, const Pick *pick)
{
  const Blob *blob = pick->blob;
  const Marks *marks = exo_plan_peek_marks (blob, pick->peer);
  guint64 most = plan->config.run_bytes_max / blob->piece_size;
  guint32 n = 1;

  if (marks == NULL || blob->wanters->len > 0)
    return 1;
  /* Towards the end all its holders are to end together. */
  most = MIN (most, plan->n_missing / (2 * blob->holders[pick->piece]));
  while (n < most && pick->piece + n < blob->n_pieces &&
         exo_bit_get (blob->offer, pick->piece + n) && exo_bit_get (marks->has, pick->piece + n))
    n++;
  return n;
}

gboolean
exo_plan_next_receive (ExoPlan *plan, gint64 now_us, ExoPlanAction *out_action)
{
  Pick best = { NULL, NULL, 0, 0, 0 };
  gint64 again_us;

  if (plan->n_missing == 0 || plan->n_peer_fetches >= plan->config.fetches_max ||
      now_us < plan->barren_until_us)
    return FALSE;
  again_us = collect_idle (plan, now_us);
  if (plan->idle->len > 0)
    pick (plan, &best);
  if (best.peer == NULL)
    {
      plan->barren_until_us = again_us;
      for (guint i = 0; i < plan->idle->len; i++)
        ((Peer *) g_ptr_array_index (plan->idle, i))->barren_epoch = plan->offer_epoch;
      return FALSE;
    }
  exo_plan_begin (plan, best.blob, best.peer, best.piece, run_of (plan, &best), 0, out_action);
  return TRUE;
}
