/* plan-state.c - bits, counters and fetches of a plan
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "transfer/swarm/plan-private.h"

guint32
exo_bits_next (const guint64 *bits, guint32 from, guint32 end)
{
  guint32 word = from / 64;
  guint64 value;

  if (bits == NULL || from >= end)
    return end;
  value = bits[word] & (G_MAXUINT64 << (from % 64));
  while (value == 0)
    {
      if (++word * 64 >= end)
        return end;
      value = bits[word];
    }
  return MIN (end, word * 64 + (guint32) __builtin_ctzll (value));
}

guint64
exo_plan_hash_text (const char *text)
{
  guint64 hash = G_GUINT64_CONSTANT (0xcbf29ce484222325); /* FNV-1a */

  for (; *text != '\0'; text++)
    hash = (hash ^ (guint8) *text) * G_GUINT64_CONSTANT (0x100000001b3);
  return exo_mix (hash);
}

Marks *
exo_plan_marks (Blob *blob, Peer *peer)
{
  if (blob->marks->len <= peer->slot)
    g_ptr_array_set_size (blob->marks, (gint) peer->slot + 1);
  if (g_ptr_array_index (blob->marks, peer->slot) == NULL)
    g_ptr_array_index (blob->marks, peer->slot) = g_new0 (Marks, 1);
  return g_ptr_array_index (blob->marks, peer->slot);
}

void
exo_marks_free (Marks *marks)
{
  if (marks == NULL)
    return;
  g_free (marks->has);
  g_free (marks->fetching);
  g_free (marks->claims);
  g_free (marks->avoid);
  g_free (marks);
}

static void
refresh_hub_free (ExoPlan *plan, Blob *blob, guint32 piece, gboolean missing)
{
  gboolean is_free = missing && blob->holders[piece] == 0 && blob->fetchers[piece] == 0 &&
                     blob->claimers[piece] == 0;

  if (is_free && exo_bit_set (blob->hub_free, piece))
    {
      blob->n_hub_free++;
      if (!blob->use_hub)
        return;
      plan->hub_free_bytes += blob->piece_size;
      if (plan->hub_front == NULL || blob->handle < plan->hub_front->handle)
        plan->hub_front = blob;
    }
  else if (!is_free && exo_bit_clear (blob->hub_free, piece))
    {
      blob->n_hub_free--;
      if (blob->use_hub)
        plan->hub_free_bytes -= blob->piece_size;
    }
}

static void
refresh_spare (Blob *blob, guint32 piece, gboolean missing)
{
  if (missing && blob->holders[piece] > 0 && blob->fetchers[piece] == 0 &&
      blob->claimers[piece] == 0)
    blob->n_spare += (guint32) exo_bit_set (blob->spare, piece);
  else
    blob->n_spare -= (guint32) exo_bit_clear (blob->spare, piece);
}

gboolean
exo_plan_refresh (ExoPlan *plan, Blob *blob, guint32 piece)
{
  gboolean missing = !exo_bit_get (blob->mine, piece) && !exo_piece_map_has (blob->have, piece);

  refresh_hub_free (plan, blob, piece, missing);
  refresh_spare (blob, piece, missing);
  if (missing && blob->holders[piece] == 1 && blob->fetchers[piece] == 0)
    blob->n_sole += (guint32) exo_bit_set (blob->sole, piece);
  else
    blob->n_sole -= (guint32) exo_bit_clear (blob->sole, piece);
  if (missing && blob->holders[piece] > 0)
    {
      if (!exo_bit_set (blob->offer, piece))
        return FALSE;
      blob->n_offer++;
      return TRUE;
    }
  if (exo_bit_clear (blob->offer, piece))
    blob->n_offer--;
  return FALSE;
}

void
exo_plan_freed (ExoPlan *plan, Blob *blob, guint32 piece)
{
  if (!exo_plan_refresh (plan, blob, piece))
    return;
  plan->offer_epoch++;
  plan->barren_until_us = 0;
}

void
exo_plan_look_at (ExoPlan *plan, Peer *peer)
{
  peer->barren_epoch = 0;
  if (peer->fetch == 0)
    plan->barren_until_us = 0;
}

void
exo_plan_advance_fronts (ExoPlan *plan)
{
  while (plan->front != NULL && exo_piece_map_is_full (plan->front->have))
    plan->front = plan->front->next;
  while (plan->hub_front != NULL && (plan->hub_front->n_hub_free == 0 || !plan->hub_front->use_hub))
    plan->hub_front = plan->hub_front->next;
}

void
exo_plan_set_counted (ExoPlan *plan, Peer *peer, gboolean counted)
{
  if (peer->counted == counted)
    return;
  peer->counted = counted;
  plan->n_uncounted += counted ? -1u : 1u;
  exo_plan_look_at (plan, peer);
  for (Blob *blob = plan->first; blob != NULL; blob = blob->next)
    {
      Marks *marks = exo_plan_peek_marks (blob, peer);

      if (marks == NULL || marks->has == NULL)
        continue;
      for (guint32 i = exo_bits_next (marks->has, 0, blob->n_pieces); i < blob->n_pieces;
           i = exo_bits_next (marks->has, i + 1, blob->n_pieces))
        {
          blob->holders[i] = (guint16) (blob->holders[i] + (counted ? 1 : -1));
          exo_plan_refresh (plan, blob, i);
        }
    }
}

/* What peers are working at. -------------------------------------------------------------- */

static void
remove_take (ExoPlan *plan, Peer *peer, guint index)
{
  if (g_array_index (peer->takes, Take, index).hub && --plan->n_claims == 0)
    plan->lull_since_us = plan->now_us;
  g_array_remove_index_fast (peer->takes, index);
}

/* A line to the Hub that is slow for all is no reason to fetch again what a peer is fetching. */
static gint64
stall_us_of (const ExoPlan *plan, const Peer *peer, const Take *take)
{
  guint64 rate = peer->hub_rate > 0 ? peer->hub_rate : plan->hub_rate;
  double pieces = take->hub && rate > 0 ? EXO_PLAN_STALL_PIECES : 1;
  double slowest = take->hub && rate > 0 ? (double) rate : EXO_PLAN_RATE_MIN;
  double piece_us = (double) take->blob->piece_size / MAX (slowest, 1024) * G_USEC_PER_SEC;

  return MAX (plan->config.hub_stall_us, (gint64) (pieces * piece_us));
}

void
exo_plan_add_take (ExoPlan *plan, Peer *peer, const Take *take)
{
  Blob *blob = take->blob;
  Marks *marks = exo_plan_marks (blob, peer);
  guint64 **bits = take->hub ? &marks->claims : &marks->fetching;
  guint16 *counts = take->hub ? blob->claimers : blob->fetchers;
  Take added = *take;
  gboolean open = FALSE;

  if (peer->takes->len >= EXO_PLAN_TAKES_MAX)
    return;
  if (*bits == NULL)
    *bits = g_new0 (guint64, exo_bits_words (blob->n_pieces));
  for (guint32 i = take->first; i < take->first + take->n; i++)
    {
      if (exo_bit_get (marks->has, i) || !exo_bit_set (*bits, i))
        continue;
      counts[i]++;
      exo_plan_refresh (plan, blob, i);
      open = TRUE;
    }
  if (!open)
    return;
  added.stall_us = stall_us_of (plan, peer, take);
  g_array_append_val (peer->takes, added);
  plan->stall_at_us = MIN (plan->stall_at_us, added.progress_us + added.stall_us);
  plan->n_claims += take->hub;
}

gboolean
exo_plan_take_is_open (const Take *take, const Marks *marks)
{
  const guint64 *bits = marks == NULL ? NULL : take->hub ? marks->claims : marks->fetching;
  guint32 end = take->first + take->n;

  return exo_bits_next (bits, take->first, end) < end;
}

void
exo_plan_release (ExoPlan *plan, Peer *peer, Blob *blob, guint32 first, guint32 n)
{
  Marks *marks = exo_plan_peek_marks (blob, peer);
  gboolean changed = FALSE;

  if (marks == NULL || (marks->claims == NULL && marks->fetching == NULL))
    return;
  for (guint32 i = first; i < first + n; i++)
    {
      gboolean claim = exo_bit_clear (marks->claims, i);
      gboolean fetch = exo_bit_clear (marks->fetching, i);

      if (!claim && !fetch)
        continue;
      blob->claimers[i] = (guint16) (blob->claimers[i] - claim);
      blob->fetchers[i] = (guint16) (blob->fetchers[i] - fetch);
      exo_plan_refresh (plan, blob, i);
      changed = TRUE;
    }
  if (!changed)
    return;
  for (guint t = peer->takes->len; t-- > 0;)
    {
      Take *take = &g_array_index (peer->takes, Take, t);

      if (take->blob != blob || first >= take->first + take->n || take->first >= first + n)
        continue;
      take->progress_us = plan->now_us;
      if (!exo_plan_take_is_open (take, marks))
        remove_take (plan, peer, t);
    }
}

void
exo_plan_drop_takes_of (ExoPlan *plan, Peer *peer, const Blob *blob)
{
  for (guint t = peer->takes->len; t-- > 0;)
    {
      Take take = g_array_index (peer->takes, Take, t);

      if (blob != NULL && take.blob != blob)
        continue;
      remove_take (plan, peer, t);
      exo_plan_release (plan, peer, take.blob, take.first, take.n);
      t = MIN (t, peer->takes->len);
    }
}

/* Fetches of this node. ------------------------------------------------------------------- */

Fetch *
exo_plan_find_fetch (ExoPlan *plan, ExoPlanFetch id)
{
  for (guint i = 0; i < plan->fetches->len; i++)
    {
      Fetch *fetch = g_ptr_array_index (plan->fetches, i);

      if (fetch->id == id)
        return fetch;
    }
  return NULL;
}

Fetch *
exo_plan_fetch_covering (ExoPlan *plan, const Blob *blob, guint32 piece)
{
  for (guint i = 0; i < plan->fetches->len; i++)
    {
      Fetch *fetch = g_ptr_array_index (plan->fetches, i);

      if (fetch->blob == blob && !fetch->cancelled && piece >= fetch->first &&
          piece < fetch->first + fetch->n)
        return fetch;
    }
  return NULL;
}

void
exo_plan_begin (ExoPlan *plan,
                Blob *blob,
                Peer *peer,
                guint32 first,
                guint32 n,
                guint cost,
                ExoPlanAction *out_action)
{
  Fetch *fetch = g_new0 (Fetch, 1);

  fetch->id = ++plan->last_fetch;
  fetch->blob = blob;
  fetch->blob_handle = blob->handle;
  fetch->peer = peer;
  fetch->peer_handle = peer != NULL ? peer->handle : 0;
  fetch->first = first;
  fetch->n = fetch->n_left = n;
  fetch->cost = cost;
  g_ptr_array_add (plan->fetches, fetch);
  if (peer != NULL)
    {
      peer->fetch = fetch->id;
      plan->n_peer_fetches++;
    }
  else
    plan->hub_cost += cost;
  for (guint32 i = first; i < first + n; i++)
    {
      exo_bit_set (blob->mine, i);
      exo_plan_refresh (plan, blob, i);
    }
  *out_action = (ExoPlanAction){
    .kind = peer != NULL ? EXO_PLAN_FETCH_PEER : EXO_PLAN_FETCH_HUB,
    .fetch = fetch->id,
    .blob = blob->handle,
    .peer = fetch->peer_handle,
    .first = first,
    .n = n,
  };
}

/* Its open pieces are nobody's again; only the end of the transfer itself is still awaited. */
static void
detach (ExoPlan *plan, Fetch *fetch)
{
  Blob *blob = fetch->blob;

  if (blob == NULL || fetch->cancelled)
    return;
  for (guint32 i = fetch->first; i < fetch->first + fetch->n; i++)
    if (exo_bit_clear (blob->mine, i))
      exo_plan_freed (plan, blob, i);
}

void
exo_plan_cancel (ExoPlan *plan, Fetch *fetch)
{
  if (fetch->cancelled)
    return;
  detach (plan, fetch);
  plan->n_done -= exo_plan_is_done (fetch);
  fetch->cancelled = TRUE;
  g_queue_push_tail (plan->cancels, GUINT_TO_POINTER (fetch->id));
}

/* It no longer counts among what is asked of its peer, nor of all. */
void
exo_plan_leave_peer (ExoPlan *plan, Fetch *fetch)
{
  if (fetch->peer != NULL)
    fetch->peer->fetch = 0;
  plan->n_peer_fetches--;
  plan->barren_until_us = 0;
}

void
exo_plan_end_fetch (ExoPlan *plan, Fetch *fetch)
{
  detach (plan, fetch);
  plan->n_done -= exo_plan_is_done (fetch);
  if (fetch->peer_handle == 0)
    plan->hub_cost -= fetch->cost;
  else if (!fetch->ending)
    exo_plan_leave_peer (plan, fetch);
  g_ptr_array_remove (plan->fetches, fetch); /* frees it */
}
