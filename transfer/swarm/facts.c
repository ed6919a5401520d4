/* facts.c - what a neighbour says of its pieces, told to the plan
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/swarm/swarm-private.h"

static ExoJob *
job_of (ExoSession *session, ExoSwarm *swarm, guint32 b)
{
  const char *oid = exo_session_oid (session, b);
  ExoJob *job = oid != NULL ? g_hash_table_lookup (swarm->jobs, oid) : NULL;

  return job != NULL && job->blob != 0 ? job : NULL;
}

/* A new stream's snapshot is about to be applied: what was known before is not to be added to it. */
void
exo_facts_forget (ExoNeighbour *neighbour)
{
  ExoSwarm *swarm = neighbour->swarm;
  GHashTableIter iter;
  ExoJob *job;

  g_hash_table_remove_all (neighbour->wants);
  g_hash_table_iter_init (&iter, swarm->jobs);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &job))
    if (job->blob != 0)
      {
        guint32 n = exo_pieces_in (job->size);
        exo_plan_peer_released (swarm->plan, neighbour->peer, job->blob, 0, n);
        exo_plan_peer_dropped (swarm->plan, neighbour->peer, job->blob, 0, n);
        exo_plan_peer_wants (swarm->plan, neighbour->peer, job->blob, FALSE);
      }
}

static void
set_wants (ExoNeighbour *neighbour, ExoJob *job, gboolean wants)
{
  exo_plan_peer_wants (neighbour->swarm->plan, neighbour->peer, job->blob, wants);
  if (wants)
    {
      g_hash_table_add (neighbour->wants, g_strdup (job->oid));
      g_hash_table_add (neighbour->fetched, g_strdup (job->oid));
    }
  else
    g_hash_table_remove (neighbour->wants, job->oid);
  exo_swarm_neighbour_changed (neighbour);
}

static void
apply_state (ExoNeighbour *neighbour, ExoSession *session, const ExoWireState *state)
{
  ExoJob *job = job_of (session, neighbour->swarm, state->b);
  ExoPlan *plan = neighbour->swarm->plan;
  guint32 n = exo_piece_map_n_pieces (state->have), first = 0;

  if (job == NULL)
    return;
  exo_plan_peer_released (plan, neighbour->peer, job->blob, 0, n);
  exo_plan_peer_dropped (plan, neighbour->peer, job->blob, 0, n);
  while (first < n)
    {
      guint32 end = first;

      while (end < n && exo_piece_map_has (state->have, end))
        end++;
      if (end > first)
        exo_plan_peer_has (plan, neighbour->peer, job->blob, first, end - first);
      first = end + 1;
    }
  set_wants (neighbour, job, state->wants);
}

typedef void (
    *RangeFact) (ExoPlan *plan, ExoPlanPeer peer, ExoPlanBlob blob, guint32 first, guint32 n);

static void
apply_ranges (ExoNeighbour *neighbour, ExoSession *session, GArray *ranges, RangeFact fact)
{
  for (guint i = 0; i < ranges->len; i++)
    {
      const ExoWireRange *range = &g_array_index (ranges, ExoWireRange, i);
      ExoJob *job = job_of (session, neighbour->swarm, range->b);

      if (job != NULL)
        fact (neighbour->swarm->plan, neighbour->peer, job->blob, range->first, range->n);
    }
}

static void
note_mended (ExoNeighbour *neighbour, ExoSession *session, GArray *dropped)
{
  for (guint i = 0; i < dropped->len; i++)
    {
      const char *oid = exo_session_oid (session, g_array_index (dropped, ExoWireRange, i).b);

      if (oid != NULL)
        g_hash_table_add (neighbour->mended, g_strdup (oid));
    }
}

static void
apply_claims (ExoNeighbour *neighbour, ExoSession *session, GArray *claims)
{
  gint64 now_us = g_get_monotonic_time ();

  for (guint i = 0; i < claims->len; i++)
    {
      const ExoWireRange *range = &g_array_index (claims, ExoWireRange, i);
      ExoJob *job = job_of (session, neighbour->swarm, range->b);

      if (job != NULL)
        exo_plan_peer_claims (neighbour->swarm->plan, neighbour->peer, job->blob, range->first,
                              range->n, now_us);
    }
}

static void
apply_wants (ExoNeighbour *neighbour, ExoSession *session, GArray *blobs, gboolean wants)
{
  for (guint i = 0; i < blobs->len; i++)
    {
      ExoJob *job = job_of (session, neighbour->swarm, g_array_index (blobs, guint32, i));

      if (job != NULL)
        set_wants (neighbour, job, wants);
    }
}

/* In the order transfer/PROTOCOL.md prescribes for the kinds of one line. */
void
exo_facts_apply (ExoNeighbour *neighbour, ExoSession *session, const ExoWireLine *line)
{
  for (guint i = 0; i < line->states->len; i++)
    apply_state (neighbour, session, &g_array_index (line->states, ExoWireState, i));
  apply_ranges (neighbour, session, line->release, exo_plan_peer_released);
  note_mended (neighbour, session, line->drop);
  apply_ranges (neighbour, session, line->drop, exo_plan_peer_dropped);
  apply_ranges (neighbour, session, line->have, exo_plan_peer_has);
  apply_ranges (neighbour, session, line->fetch, exo_plan_peer_fetching);
  apply_claims (neighbour, session, line->claim);
  apply_wants (neighbour, session, line->wants_on, TRUE);
  apply_wants (neighbour, session, line->wants_off, FALSE);
}
