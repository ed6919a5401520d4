/* plan-peers.c - what peers are and say: the calls of plan.h that tell it
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/swarm/plan-private.h"

ExoPlanPeer
exo_plan_add_peer (ExoPlan *plan, const char *id, guint64 link_speed)
{
  Peer *peer = g_new0 (Peer, 1);

  peer->handle = ++plan->last_peer;
  peer->hash = exo_plan_hash_text (id);
  peer->link.speed = link_speed;
  peer->counted = TRUE;
  peer->takes = g_array_new (FALSE, FALSE, sizeof (Take));
  while (peer->slot < plan->peers->len && g_ptr_array_index (plan->peers, peer->slot) != NULL)
    peer->slot++;
  if (peer->slot == plan->peers->len)
    g_ptr_array_add (plan->peers, NULL);
  g_ptr_array_index (plan->peers, peer->slot) = peer;
  g_hash_table_insert (plan->peers_by_handle, GUINT_TO_POINTER (peer->handle), peer);
  return peer->handle;
}

static void
forget_all (ExoPlan *plan, Peer *peer)
{
  for (guint i = 0; i < plan->fetches->len; i++)
    {
      Fetch *fetch = g_ptr_array_index (plan->fetches, i);

      if (fetch->peer == peer)
        exo_plan_cancel (plan, fetch);
    }
  exo_plan_drop_takes_of (plan, peer, NULL);
  exo_plan_set_counted (plan, peer, FALSE);
  plan->n_uncounted--; /* it never counts again */
  for (Blob *blob = plan->first; blob != NULL; blob = blob->next)
    if (peer->slot < blob->marks->len)
      g_clear_pointer (&g_ptr_array_index (blob->marks, peer->slot), exo_marks_free);
  plan->members_epoch++;
}

void
exo_plan_remove_peer (ExoPlan *plan, ExoPlanPeer handle)
{
  Peer *peer = exo_plan_find_peer (plan, handle);

  g_return_if_fail (peer != NULL);

  if (!peer->shunned)
    forget_all (plan, peer);
  for (guint i = 0; i < plan->fetches->len; i++)
    {
      Fetch *fetch = g_ptr_array_index (plan->fetches, i);

      if (fetch->peer == peer)
        fetch->peer = NULL;
    }
  g_ptr_array_index (plan->peers, peer->slot) = NULL;
  g_hash_table_remove (plan->peers_by_handle, GUINT_TO_POINTER (handle));
}

void
exo_plan_shun_peer (ExoPlan *plan, ExoPlanPeer handle)
{
  Peer *peer = exo_plan_find_peer (plan, handle);

  g_return_if_fail (peer != NULL);

  if (peer->shunned)
    return;
  forget_all (plan, peer);
  peer->shunned = TRUE;
}

void
exo_plan_peer_hub (ExoPlan *plan, ExoPlanPeer handle, gboolean hub_reachable, guint64 hub_rate)
{
  Peer *peer = exo_plan_find_peer (plan, handle);

  g_return_if_fail (peer != NULL);

  if (peer->hub != hub_reachable || peer->hub_rate != hub_rate)
    plan->members_epoch++;
  peer->hub = hub_reachable;
  peer->hub_rate = hub_rate;
}

void
exo_plan_peer_aside (ExoPlan *plan, ExoPlanPeer handle, gboolean aside)
{
  Peer *peer = exo_plan_find_peer (plan, handle);

  g_return_if_fail (peer != NULL);

  if (peer->aside != aside)
    plan->members_epoch++;
  peer->aside = aside;
}

void
exo_plan_peer_link (ExoPlan *plan, ExoPlanPeer handle, guint64 speed, guint64 rate)
{
  Peer *peer = exo_plan_find_peer (plan, handle);

  g_return_if_fail (peer != NULL);

  exo_plan_note_link (plan, &peer->link, speed, rate);
}

void
exo_plan_peer_rate (ExoPlan *plan, ExoPlanPeer handle, guint64 rate)
{
  Peer *peer = exo_plan_find_peer (plan, handle);

  g_return_if_fail (peer != NULL);

  peer->rate = rate;
}

void
exo_plan_peer_load (ExoPlan *plan, ExoPlanPeer handle, guint uploads, guint queued)
{
  Peer *peer = exo_plan_find_peer (plan, handle);

  g_return_if_fail (peer != NULL);

  peer->uploads = MIN (uploads, G_MAXINT);
  peer->queued = MIN (queued, G_MAXINT);
}

/* A fact of a peer about pieces counts if it can be true and may be used. */
static gboolean
find_fact (const ExoPlan *plan,
           ExoPlanPeer peer_handle,
           ExoPlanBlob blob_handle,
           guint32 first,
           guint32 n,
           Peer **out_peer,
           Blob **out_blob)
{
  Peer *peer = exo_plan_find_peer (plan, peer_handle);
  Blob *blob = exo_plan_find_blob (plan, blob_handle);

  if (peer == NULL || blob == NULL || peer->shunned || !blob->use_peers || first > blob->n_pieces ||
      n > blob->n_pieces - first)
    return FALSE;
  *out_peer = peer;
  *out_blob = blob;
  return TRUE;
}

void
exo_plan_peer_wants (ExoPlan *plan, ExoPlanPeer peer_handle, ExoPlanBlob handle, gboolean wants)
{
  Peer *peer;
  Blob *blob;

  if (!find_fact (plan, peer_handle, handle, 0, 0, &peer, &blob))
    return;
  exo_plan_marks (blob, peer)->wants = wants;
  plan->members_epoch++;
}

void
exo_plan_peer_has (ExoPlan *plan,
                   ExoPlanPeer peer_handle,
                   ExoPlanBlob handle,
                   guint32 first,
                   guint32 n)
{
  Peer *peer;
  Blob *blob;
  Marks *marks;

  if (!find_fact (plan, peer_handle, handle, first, n, &peer, &blob) || n == 0)
    return;
  marks = exo_plan_marks (blob, peer);
  if (marks->has == NULL)
    marks->has = g_new0 (guint64, exo_bits_words (blob->n_pieces));
  for (guint32 i = first; i < first + n; i++)
    {
      gboolean counts = !blob->first_hand || exo_bit_get (marks->claims, i);

      exo_plan_release (plan, peer, blob, i, 1);
      if (!counts || exo_bit_get (marks->avoid, i) || !exo_bit_set (marks->has, i))
        continue;
      if (peer->counted)
        blob->holders[i]++;
      exo_plan_refresh (plan, blob, i);
      if (exo_bit_get (blob->offer, i))
        exo_plan_look_at (plan, peer);
    }
  exo_plan_save_hub (plan, blob, first, n);
}

void
exo_plan_peer_dropped (ExoPlan *plan,
                       ExoPlanPeer peer_handle,
                       ExoPlanBlob handle,
                       guint32 first,
                       guint32 n)
{
  Peer *peer;
  Blob *blob;

  if (!find_fact (plan, peer_handle, handle, first, n, &peer, &blob))
    return;
  for (guint32 i = first; i < first + n; i++)
    exo_plan_forget_has (plan, peer, blob, i);
}

void
exo_plan_peer_fetching (ExoPlan *plan,
                        ExoPlanPeer peer_handle,
                        ExoPlanBlob handle,
                        guint32 first,
                        guint32 n)
{
  Take take = { NULL, first, n, FALSE, plan->now_us, 0 };
  Peer *peer;

  if (find_fact (plan, peer_handle, handle, first, n, &peer, &take.blob))
    exo_plan_add_take (plan, peer, &take);
}

void
exo_plan_peer_claims (ExoPlan *plan,
                      ExoPlanPeer peer_handle,
                      ExoPlanBlob handle,
                      guint32 first,
                      guint32 n,
                      gint64 now_us)
{
  Take take = { NULL, first, n, TRUE, now_us, 0 };
  Peer *peer;

  exo_plan_see_time (plan, now_us);
  if (!find_fact (plan, peer_handle, handle, first, n, &peer, &take.blob))
    return;
  exo_plan_add_take (plan, peer, &take);
  exo_plan_collide (plan, peer, take.blob, first, n);
}

void
exo_plan_peer_released (ExoPlan *plan,
                        ExoPlanPeer peer_handle,
                        ExoPlanBlob handle,
                        guint32 first,
                        guint32 n)
{
  Peer *peer;
  Blob *blob;

  if (find_fact (plan, peer_handle, handle, first, n, &peer, &blob))
    exo_plan_release (plan, peer, blob, first, n);
}
