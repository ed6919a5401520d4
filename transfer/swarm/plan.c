/* plan.c - see plan.h; the rules are in NOTES.md, the parts of this module in plan-private.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/swarm/plan.h"

#include "transfer/swarm/plan-private.h"

static void
blob_free (gpointer data)
{
  Blob *blob = data;

  exo_piece_map_free (blob->have);
  g_free (blob->holders);
  g_free (blob->fetchers);
  g_free (blob->claimers);
  g_free (blob->mine);
  g_free (blob->offer);
  g_free (blob->sole);
  g_free (blob->hub_free);
  g_free (blob->spare);
  for (guint s = 0; s < blob->marks->len; s++)
    exo_marks_free (g_ptr_array_index (blob->marks, s));
  g_ptr_array_unref (blob->marks);
  g_array_unref (blob->members);
  g_array_unref (blob->wanters);
  g_free (blob);
}

static void
peer_free (gpointer data)
{
  Peer *peer = data;

  g_array_unref (peer->takes);
  g_free (peer);
}

ExoPlan *
exo_plan_new (const char *self_id, guint64 seed, const ExoPlanConfig *config)
{
  static const ExoPlanConfig defaults = EXO_PLAN_CONFIG_DEFAULT;
  ExoPlan *plan = g_new0 (ExoPlan, 1);

  plan->config = config != NULL ? *config : defaults;
  plan->config.window_pieces = MAX (1, plan->config.window_pieces);
  plan->hash = exo_plan_hash_text (self_id);
  plan->seed = exo_mix (seed);
  plan->blobs = g_hash_table_new_full (NULL, NULL, NULL, blob_free);
  plan->peers_by_handle = g_hash_table_new_full (NULL, NULL, NULL, peer_free);
  plan->peers = g_ptr_array_new ();
  plan->urgent = g_ptr_array_new ();
  plan->fetches = g_ptr_array_new_with_free_func (g_free);
  plan->cancels = g_queue_new ();
  plan->idle = g_ptr_array_new ();
  plan->offer_epoch = plan->members_epoch = 1;
  plan->stall_at_us = plan->detour_from_us = G_MAXINT64;
  return plan;
}

void
exo_plan_free (ExoPlan *plan)
{
  if (plan == NULL)
    return;
  g_hash_table_unref (plan->blobs);
  g_hash_table_unref (plan->peers_by_handle);
  g_ptr_array_unref (plan->peers);
  g_ptr_array_unref (plan->urgent);
  g_ptr_array_unref (plan->fetches);
  g_queue_free (plan->cancels);
  g_ptr_array_unref (plan->idle);
  g_free (plan);
}

Blob *
exo_plan_find_blob (const ExoPlan *plan, ExoPlanBlob handle)
{
  return g_hash_table_lookup (plan->blobs, GUINT_TO_POINTER (handle));
}

Peer *
exo_plan_find_peer (const ExoPlan *plan, ExoPlanPeer handle)
{
  return g_hash_table_lookup (plan->peers_by_handle, GUINT_TO_POINTER (handle));
}

void
exo_plan_see_time (ExoPlan *plan, gint64 now_us)
{
  plan->now_us = MAX (plan->now_us, now_us);
}

/* What this node wants. ------------------------------------------------------------------- */

/* A power of two, so that units nest, from the size alone, so that all nodes rank the same. */
static guint32
unit_pieces_for (const ExoPlan *plan, guint64 size, guint32 piece_size)
{
  guint32 pieces = 1;

  while ((guint64) pieces * 2 * piece_size <= EXO_PLAN_RUNS_PER_UNIT * plan->config.run_bytes_max &&
         (guint64) pieces * 2 * piece_size * EXO_PLAN_UNITS_PER_BLOB <= size)
    pieces *= 2;
  return pieces;
}

ExoPlanBlob
exo_plan_add_blob (ExoPlan *plan,
                   const char *oid,
                   guint64 size,
                   const ExoPieceMap *have,
                   gboolean use_hub,
                   gboolean use_peers)
{
  Blob *blob;

  g_return_val_if_fail (size <= EXO_BLOB_SIZE_MAX, 0);
  g_return_val_if_fail (have == NULL || exo_piece_map_blob_size (have) == size, 0);

  blob = g_new0 (Blob, 1);
  blob->handle = ++plan->last_blob;
  blob->hash = exo_plan_hash_text (oid);
  blob->size = size;
  blob->piece_size = exo_piece_size_for (size);
  blob->n_pieces = exo_pieces_in (size);
  blob->unit_pieces = unit_pieces_for (plan, size, blob->piece_size);
  blob->use_hub = use_hub;
  blob->use_peers = use_peers;
  blob->urgent = EXO_PLAN_NOBODY_WAITS;
  blob->have = have != NULL ? exo_piece_map_copy (have) : exo_piece_map_new (size);
  blob->holders = g_new0 (guint16, blob->n_pieces);
  blob->fetchers = g_new0 (guint16, blob->n_pieces);
  blob->claimers = g_new0 (guint16, blob->n_pieces);
  blob->mine = g_new0 (guint64, exo_bits_words (blob->n_pieces));
  blob->offer = g_new0 (guint64, exo_bits_words (blob->n_pieces));
  blob->sole = g_new0 (guint64, exo_bits_words (blob->n_pieces));
  blob->hub_free = g_new0 (guint64, exo_bits_words (blob->n_pieces));
  blob->spare = g_new0 (guint64, exo_bits_words (blob->n_pieces));
  blob->marks = g_ptr_array_new ();
  blob->members = g_array_new (FALSE, FALSE, sizeof (guint64));
  blob->wanters = g_array_new (FALSE, FALSE, sizeof (guint64));
  blob->prev = plan->last;
  if (plan->last != NULL)
    plan->last->next = blob;
  else
    plan->first = blob;
  plan->last = blob;
  if (plan->front == NULL)
    plan->front = blob;
  plan->n_missing += blob->n_pieces - exo_piece_map_n_held (blob->have);
  g_hash_table_insert (plan->blobs, GUINT_TO_POINTER (blob->handle), blob);
  for (guint32 i = 0; i < blob->n_pieces; i++)
    exo_plan_refresh (plan, blob, i);
  return blob->handle;
}

void
exo_plan_remove_blob (ExoPlan *plan, ExoPlanBlob handle)
{
  Blob *blob = exo_plan_find_blob (plan, handle);

  g_return_if_fail (blob != NULL);

  for (guint i = 0; i < plan->fetches->len; i++)
    {
      Fetch *fetch = g_ptr_array_index (plan->fetches, i);

      if (fetch->blob != blob)
        continue;
      exo_plan_cancel (plan, fetch);
      fetch->blob = NULL;
    }
  for (guint s = 0; s < plan->peers->len; s++)
    if (g_ptr_array_index (plan->peers, s) != NULL)
      exo_plan_drop_takes_of (plan, g_ptr_array_index (plan->peers, s), blob);
  plan->n_missing -= blob->n_pieces - exo_piece_map_n_held (blob->have);
  if (blob->use_hub)
    plan->hub_free_bytes -= (guint64) blob->n_hub_free * blob->piece_size;
  if (plan->front == blob)
    plan->front = blob->next;
  if (plan->hub_front == blob)
    plan->hub_front = blob->next;
  g_ptr_array_remove (plan->urgent, blob);
  *(blob->prev != NULL ? &blob->prev->next : &plan->first) = blob->next;
  *(blob->next != NULL ? &blob->next->prev : &plan->last) = blob->prev;
  g_hash_table_remove (plan->blobs, GUINT_TO_POINTER (handle));
}

void
exo_plan_set_use_hub (ExoPlan *plan, ExoPlanBlob handle, gboolean use_hub)
{
  Blob *blob = exo_plan_find_blob (plan, handle);
  guint64 bytes;

  g_return_if_fail (blob != NULL);

  if (blob->use_hub == use_hub)
    return;
  blob->use_hub = use_hub;
  bytes = (guint64) blob->n_hub_free * blob->piece_size;
  plan->hub_free_bytes += use_hub ? bytes : -bytes;
  if (use_hub && (plan->hub_front == NULL || handle < plan->hub_front->handle))
    plan->hub_front = blob;
  if (use_hub)
    return;
  for (guint i = 0; i < plan->fetches->len; i++)
    {
      Fetch *fetch = g_ptr_array_index (plan->fetches, i);

      if (fetch->blob == blob && fetch->peer_handle == 0)
        exo_plan_cancel (plan, fetch);
    }
}

void
exo_plan_set_first_hand (ExoPlan *plan, ExoPlanBlob handle)
{
  Blob *blob = exo_plan_find_blob (plan, handle);

  g_return_if_fail (blob != NULL);

  blob->first_hand = TRUE;
}

void
exo_plan_set_urgent (ExoPlan *plan, ExoPlanBlob handle, guint32 piece)
{
  Blob *blob = exo_plan_find_blob (plan, handle);

  g_return_if_fail (blob != NULL);
  g_return_if_fail (piece < blob->n_pieces || piece == EXO_PLAN_NOBODY_WAITS);

  if (piece == EXO_PLAN_NOBODY_WAITS)
    g_ptr_array_remove (plan->urgent, blob);
  else if (blob->urgent == EXO_PLAN_NOBODY_WAITS)
    g_ptr_array_add (plan->urgent, blob);
  if (blob->urgent != piece)
    blob->urgent_since_us = plan->now_us;
  blob->urgent = piece;
}

void
exo_plan_forget_has (ExoPlan *plan, Peer *peer, Blob *blob, guint32 piece)
{
  Marks *marks = exo_plan_peek_marks (blob, peer);

  if (marks == NULL || !exo_bit_clear (marks->has, piece))
    return;
  if (peer->counted)
    blob->holders[piece]--;
  exo_plan_refresh (plan, blob, piece);
}

void
exo_plan_piece_lost (ExoPlan *plan, ExoPlanBlob handle, guint32 piece, ExoPlanPeer avoid)
{
  Blob *blob = exo_plan_find_blob (plan, handle);
  Peer *peer = exo_plan_find_peer (plan, avoid);
  Fetch *fetch;

  g_return_if_fail (blob != NULL && piece < blob->n_pieces);

  if (peer != NULL && !peer->shunned && blob->use_peers)
    {
      Marks *marks = exo_plan_marks (blob, peer);

      exo_plan_forget_has (plan, peer, blob, piece);
      if (marks->avoid == NULL)
        marks->avoid = g_new0 (guint64, exo_bits_words (blob->n_pieces));
      exo_bit_set (marks->avoid, piece);
    }
  if (!exo_piece_map_drop (blob->have, piece))
    return;
  /* What brought it may still be under way; the next fetch of the piece is not to be taken for that one. */
  fetch = exo_plan_fetch_covering (plan, blob, piece);
  if (fetch != NULL)
    exo_plan_cancel (plan, fetch);
  plan->n_missing++;
  if (plan->front == NULL || blob->handle < plan->front->handle)
    plan->front = blob;
  exo_plan_freed (plan, blob, piece);
}

void
exo_plan_set_hub (ExoPlan *plan,
                  gboolean reachable,
                  gint64 blocked_until_us,
                  guint64 rate,
                  gint64 rtt_us)
{
  plan->hub = reachable;
  plan->hub_blocked_us = blocked_until_us;
  plan->hub_rtt_us = rtt_us;
  if (plan->hub_rate != rate)
    plan->members_epoch++;
  plan->hub_rate = rate;
}

void
exo_plan_set_hub_fetches (ExoPlan *plan, guint most)
{
  plan->hub_most = most;
}

void
exo_plan_set_aside (ExoPlan *plan, gboolean aside)
{
  if (plan->aside != aside)
    plan->members_epoch++;
  plan->aside = aside;
}

/* What is under way though peers have it ends at once: from here on it costs money. */
void
exo_plan_set_metered (ExoPlan *plan, gboolean metered)
{
  plan->metered = metered;
  for (guint i = 0; metered && i < plan->fetches->len; i++)
    {
      Fetch *fetch = g_ptr_array_index (plan->fetches, i);

      if (fetch->detour)
        exo_plan_cancel (plan, fetch);
    }
}

void
exo_plan_note_link (ExoPlan *plan, Link *link, guint64 speed, guint64 rate)
{
  if (link->speed != speed || link->rate != rate)
    plan->members_epoch++;
  *link = (Link){ speed, rate };
}

void
exo_plan_set_link (ExoPlan *plan, guint64 speed, guint64 rate)
{
  exo_plan_note_link (plan, &plan->link, speed, rate);
}

void
exo_plan_set_lan_rate (ExoPlan *plan, guint64 rate)
{
  plan->lan_rate = rate;
  if (rate == 0)
    plan->lan_before = 0;
}

/* What became of an action. --------------------------------------------------------------- */

void
exo_plan_piece_done (ExoPlan *plan, ExoPlanBlob handle, guint32 piece, gint64 now_us)
{
  Blob *blob = exo_plan_find_blob (plan, handle);
  Fetch *fetch;

  g_return_if_fail (blob == NULL || piece < blob->n_pieces);

  exo_plan_see_time (plan, now_us);
  if (blob == NULL || !exo_piece_map_add (blob->have, piece))
    return;
  plan->n_missing--;
  if (exo_bit_clear (blob->mine, piece))
    {
      fetch = exo_plan_fetch_covering (plan, blob, piece);
      if (--fetch->n_left == 0)
        {
          fetch->done_us = plan->now_us;
          plan->n_done++;
        }
      if (fetch->peer != NULL)
        fetch->peer->failures = 0;
      else if (fetch->peer_handle == 0)
        plan->hub_failures = 0;
    }
  exo_plan_refresh (plan, blob, piece);
}

static gint64
backoff_us (guint failures)
{
  return MIN ((gint64) EXO_PLAN_BACKOFF_MIN_US << MIN (failures - 1, 10), EXO_PLAN_BACKOFF_MAX_US);
}

static void
peer_failed (ExoPlan *plan, Peer *peer)
{
  peer->failures++;
  peer->backoff_until_us = plan->now_us + backoff_us (peer->failures);
  plan->backoff_until_us = MAX (plan->backoff_until_us, peer->backoff_until_us);
  if (peer->failures >= EXO_PLAN_FAILURES_MAX)
    exo_plan_set_counted (plan, peer, FALSE);
}

void
exo_plan_fetch_ending (ExoPlan *plan, ExoPlanFetch id)
{
  Fetch *fetch = exo_plan_find_fetch (plan, id);

  if (fetch == NULL || fetch->ending || fetch->peer_handle == 0)
    return;
  fetch->ending = TRUE;
  exo_plan_leave_peer (plan, fetch);
}

void
exo_plan_fetch_ended (ExoPlan *plan, ExoPlanFetch id, ExoPlanEnding ending, gint64 now_us)
{
  Fetch *fetch = exo_plan_find_fetch (plan, id);
  gboolean failed = ending == EXO_PLAN_ENDED_FAILED || ending == EXO_PLAN_ENDED_MISSING;

  exo_plan_see_time (plan, now_us);
  if (fetch == NULL)
    return;
  if (failed && !fetch->cancelled && fetch->peer_handle == 0)
    plan->hub_backoff_us = plan->now_us + backoff_us (++plan->hub_failures);
  else if (failed && !fetch->cancelled && fetch->peer != NULL && !fetch->peer->shunned)
    {
      if (ending == EXO_PLAN_ENDED_MISSING)
        for (guint32 i = fetch->first; i < fetch->first + fetch->n; i++)
          exo_plan_forget_has (plan, fetch->peer, fetch->blob, i);
      else
        peer_failed (plan, fetch->peer);
    }
  exo_plan_end_fetch (plan, fetch);
}

guint64
exo_plan_n_missing (const ExoPlan *plan)
{
  return plan->n_missing;
}

/* Decisions. ------------------------------------------------------------------------------ */

/* A peer that kept failing gets another chance when its back-off is over. */
static void
give_another_chance (ExoPlan *plan, gint64 now_us)
{
  if (plan->n_uncounted == 0)
    return;
  for (guint s = 0; s < plan->peers->len; s++)
    {
      Peer *peer = g_ptr_array_index (plan->peers, s);

      if (peer != NULL && !peer->counted && exo_plan_usable (peer, now_us))
        exo_plan_set_counted (plan, peer, TRUE);
    }
}

/* All its pieces came, by this fetch or otherwise, and yet it goes on. */
static void
cancel_overdue (ExoPlan *plan, gint64 now_us)
{
  for (guint i = 0; plan->n_done > 0 && i < plan->fetches->len; i++)
    {
      Fetch *fetch = g_ptr_array_index (plan->fetches, i);

      if (exo_plan_is_done (fetch) && now_us - fetch->done_us >= EXO_PLAN_DONE_GRACE_US)
        exo_plan_cancel (plan, fetch);
    }
}

static gboolean
next_cancel (ExoPlan *plan, ExoPlanAction *out_action)
{
  while (!g_queue_is_empty (plan->cancels))
    {
      guint id = GPOINTER_TO_UINT (g_queue_pop_head (plan->cancels));
      const Fetch *fetch = exo_plan_find_fetch (plan, id);

      if (fetch == NULL)
        continue;
      *out_action = (ExoPlanAction){
        .kind = EXO_PLAN_CANCEL,
        .fetch = id,
        .blob = fetch->blob_handle,
        .peer = fetch->peer_handle,
        .first = fetch->first,
        .n = fetch->n,
      };
      return TRUE;
    }
  return FALSE;
}

gboolean
exo_plan_next (ExoPlan *plan, gint64 now_us, ExoPlanAction *out_action)
{
  exo_plan_see_time (plan, now_us);
  exo_plan_void_stalled (plan, plan->now_us);
  give_another_chance (plan, plan->now_us);
  cancel_overdue (plan, plan->now_us);
  exo_plan_update_detour (plan, plan->now_us);
  return next_cancel (plan, out_action) || exo_plan_next_hub (plan, plan->now_us, out_action) ||
         exo_plan_next_receive (plan, plan->now_us, out_action);
}

gint64
exo_plan_wake_at (const ExoPlan *plan)
{
  gint64 wake = plan->n_missing > 0 ? exo_plan_hub_wake_at (plan) : G_MAXINT64;

  for (guint s = 0; plan->backoff_until_us > plan->now_us && s < plan->peers->len; s++)
    {
      const Peer *peer = g_ptr_array_index (plan->peers, s);

      if (plan->n_missing > 0 && peer != NULL && !peer->shunned &&
          peer->backoff_until_us > plan->now_us)
        wake = MIN (wake, peer->backoff_until_us);
    }
  for (guint i = 0; plan->n_done > 0 && i < plan->fetches->len; i++)
    {
      const Fetch *fetch = g_ptr_array_index (plan->fetches, i);

      if (exo_plan_is_done (fetch))
        wake = MIN (wake, fetch->done_us + EXO_PLAN_DONE_GRACE_US);
    }
  return wake;
}
