/* want.c - what can be asked of a want, and readers of blobs that are still coming
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/swarm/swarm-private.h"

ExoWantState
exo_want_state (ExoWant *want)
{
  return want->job->state;
}

const GError *
exo_want_error (ExoWant *want)
{
  return want->job->error;
}

const char *
exo_want_oid (ExoWant *want)
{
  return want->job->oid;
}

guint64
exo_want_bytes_done (ExoWant *want)
{
  return want->job->partial != NULL
             ? exo_piece_map_bytes_held (exo_partial_map (want->job->partial))
             : 0;
}

guint64
exo_want_bytes_from_hub (ExoWant *want)
{
  return want->job->from_hub - want->base_from_hub;
}

guint64
exo_want_bytes_from_lan (ExoWant *want)
{
  return want->job->from_lan - want->base_from_lan;
}

/* Readers ------------------------------------------------------------------------------------------ */

/* Where the reader that is furthest behind waits. The plan knows of one place in a blob. */
void
exo_job_update_urgent (ExoJob *job)
{
  guint64 at = G_MAXUINT64;

  if (job->blob == 0)
    return;
  for (guint i = 0; i < job->wants->len; i++)
    at = MIN (at, ((const ExoWant *) g_ptr_array_index (job->wants, i))->waits_at);
  exo_plan_set_urgent (job->swarm->plan, job->blob,
                       at < job->size ? (guint32) (at / exo_piece_size_for (job->size))
                                      : EXO_PLAN_NOBODY_WAITS);
  exo_swarm_pump_soon (job->swarm);
}

void
exo_job_tell_readers (ExoJob *job)
{
  g_autoptr (GPtrArray) wants = NULL;

  if (!job->for_client)
    return;
  wants =
      g_ptr_array_copy (job->wants, NULL, NULL); /* one may be released from within a callback */
  for (guint i = 0; i < wants->len; i++)
    {
      ExoWant *want = g_ptr_array_index (wants, i);
      if (g_ptr_array_find (job->wants, want, NULL) && want->reads)
        want->changed (want, want->user_data);
    }
}

static guint64
end_of_run (const ExoJob *job, guint64 offset)
{
  guint64 piece_size = exo_piece_size_for (job->size), end;
  const ExoPieceMap *map = exo_partial_map (job->partial);
  guint32 piece, n = exo_pieces_in (job->size);

  for (piece = (guint32) (offset / piece_size); piece + 1 < n; piece++)
    if (!exo_piece_map_has (map, piece))
      break;
  end = piece * piece_size;
  return MAX (end, offset);
}

guint64
exo_want_readable (ExoWant *want, guint64 offset)
{
  const ExoJob *job = want->job;
  guint64 end;

  if (job->state == EXO_WANT_DONE)
    return job->size;
  if (job->partial == NULL || job->mend != NULL)
    return offset;
  end = end_of_run (job, offset);
  if (end > offset)
    {
      want->told_from = want->told_to > 0 ? MIN (want->told_from, offset) : offset;
      want->told_to = MAX (want->told_to, end);
    }
  return end;
}

gboolean
exo_want_is_spoiled (ExoWant *want)
{
  return want->spoiled;
}

/* They are not told here: who drops pieces has more to do with the job than one that its last reader leaves could bear. No reader
 * gets the end of the file without a change of state. */
void
exo_job_spoil_readers (ExoJob *job, guint32 piece)
{
  guint64 first = (guint64) piece * exo_piece_size_for (job->size);
  guint64 end = first + exo_piece_length (job->size, piece);

  for (guint i = 0; i < job->wants->len; i++)
    {
      ExoWant *want = g_ptr_array_index (job->wants, i);

      want->spoiled |= first < want->told_to && end > want->told_from;
    }
}

int
exo_want_fd (ExoWant *want)
{
  return want->job->partial != NULL ? exo_partial_fd (want->job->partial) : -1;
}

void
exo_want_wait_at (ExoWant *want, guint64 offset)
{
  want->waits_at = offset;
  exo_job_update_urgent (want->job);
}
