/* job.c - one blob, from the lock on its file to the verified file in the cache
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   OPENING -> FETCHING -> VERIFYING -> DONE         the usual way
 *   OPENING <-> LOCKED                               another program downloads the same blob
 *   VERIFYING -> FETCHING                            wrong hash: mend.c says which pieces to fetch again
 *   any -> FAILED                                    disk trouble, the Hub's refusal, a hash that cannot be mended
 *
 * The partial file belongs to the job. It is closed only when no fetch can write to it any more.
 */

#include <glib/gi18n.h>

#include "transfer/error.h"
#include "transfer/swarm/swarm-private.h"

#define LOCKED_RETRY_S 1
#define LAST_PIECES    64u /* everybody waits for some of these */

static void open_partial (ExoJob *job);

/* --- states ---------------------------------------------------------------------------------- */

void
exo_job_set_state (ExoJob *job, ExoWantState state)
{
  g_autoptr (GPtrArray) wants = g_ptr_array_copy (job->wants, NULL, NULL);

  if (job->state == state)
    return;
  job->state = state;
  /* A want may be released, or the job joined by another, from within a callback. */
  for (guint i = 0; i < wants->len; i++)
    {
      ExoWant *want = g_ptr_array_index (wants, i);
      if (g_ptr_array_find (job->wants, want, NULL))
        want->changed (want, want->user_data);
    }
}

void
exo_job_enter_plan (ExoJob *job, gboolean use_peers)
{
  ExoSwarm *swarm = job->swarm;

  if (g_hash_table_size (swarm->by_blob) == 0)
    exo_rates_forget_lan (swarm);
  job->hub_allowed = !use_peers;
  job->blob = exo_plan_add_blob (swarm->plan, job->oid, job->size, exo_partial_map (job->partial),
                                 job->hub_allowed, use_peers);
  g_hash_table_insert (swarm->by_blob, GUINT_TO_POINTER (job->blob), job);
  if (use_peers)
    exo_swarm_subscribe_soon (swarm);
  exo_job_update_urgent (job);
  exo_swarm_pump_soon (swarm);
}

void
exo_job_leave_plan (ExoJob *job)
{
  ExoSwarm *swarm = job->swarm;

  if (job->blob == 0)
    return;
  exo_plan_remove_blob (swarm->plan, job->blob);
  g_hash_table_remove (swarm->by_blob, GUINT_TO_POINTER (job->blob));
  job->blob = 0;
  /* The streams go when nothing is left to ask; that they tell of one blob too many until then costs less than opening them anew. */
  if (g_hash_table_size (swarm->by_blob) == 0)
    exo_swarm_subscribe_soon (swarm);
  exo_swarm_pump_soon (swarm);
}

/* --- the end ---------------------------------------------------------------------------------- */

void
exo_job_free (ExoJob *job)
{
  g_assert (job->n_flights == 0);
  exo_mend_cancel (job);
  g_cancellable_cancel (job->cancellable);
  g_object_unref (job->cancellable);
  g_clear_handle_id (&job->retry_source, g_source_remove);
  g_clear_pointer (&job->partial, exo_partial_close);
  g_clear_pointer (&job->expected, g_hash_table_unref);
  g_clear_error (&job->error);
  g_ptr_array_unref (job->wants);
  g_free (job->id);
  g_free (job->commit);
  g_free (job->path);
  g_free (job->oid);
  g_free (job);
}

static void
park_or_unshare (ExoJob *job)
{
  ExoSwarm *swarm = job->swarm;

  if (job->partial == NULL || !job->open)
    return;
  if (job->parking && job->state != EXO_WANT_DONE)
    g_hash_table_insert (swarm->parked, g_strdup (job->oid),
                         exo_piece_map_copy (exo_partial_map (job->partial)));
  else
    exo_lan_server_unshare (swarm->server,
                            job->oid); /* complete ones are opened anew when asked for */
}

/* Nothing of it is under way any more. */
static void
end (ExoJob *job)
{
  ExoSwarm *swarm = job->swarm;

  park_or_unshare (job);
  g_hash_table_remove (swarm->jobs, job->oid);
}

static void
reopen_if_wanted (ExoJob *job)
{
  job->closing = FALSE;
  job->parking = FALSE;
  if (job->state == EXO_WANT_DONE) /* it was too late to stop it */
    return;
  g_clear_pointer (&job->partial, exo_partial_close);
  g_clear_error (&job->error);
  g_clear_pointer (&job->expected, g_hash_table_unref);
  job->n_mends = job->hub_only = 0;
  g_object_unref (job->cancellable);
  job->cancellable = g_cancellable_new ();
  open_partial (job);
}

void
exo_job_fail (ExoJob *job, const GError *error)
{
  if (job->state == EXO_WANT_FAILED || job->closing)
    return;
  g_clear_error (&job->error);
  job->error = g_error_copy (error);
  exo_mend_cancel (job);
  exo_job_leave_plan (job);
  if (job->open)
    exo_announcer_wants (job->swarm->announcer, job->oid, FALSE);
  exo_job_set_state (job, EXO_WANT_FAILED);
}

/* --- verification ------------------------------------------------------------------------------ */

static void
on_finished (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ExoJob *job = user_data;
  ExoPartial *partial = job->partial;
  g_autoptr (GError) error = NULL;

  if (exo_partial_finish_finish (partial, result, &error))
    {
      if (job->open)
        exo_announcer_wants (job->swarm->announcer, job->oid, FALSE);
      exo_job_leave_plan (job);
      exo_job_set_state (job, EXO_WANT_DONE);
    }
  else if (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_MISMATCH) &&
           !job->closing)
    {
      g_message ("%s of %s: %s", job->path, job->id, error->message);
      exo_job_set_state (job, EXO_WANT_FETCHING);
      if (!job->closing) /* in a callback */
        exo_mend_start (job);
    }
  else if (!g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED))
    exo_job_fail (job, error);
  exo_job_flight_ended (job);
}

static void
verify_if_full (ExoJob *job)
{
  if (job->state != EXO_WANT_FETCHING || job->n_flights > 0 || job->closing || job->mend != NULL ||
      !exo_piece_map_is_full (exo_partial_map (job->partial)))
    return;
  job->n_flights++; /* the verification holds the file like a fetch does */
  exo_job_set_state (job, EXO_WANT_VERIFYING);
  exo_partial_finish_async (job->partial, job->cancellable, on_finished, job);
}

/* A fetch, an opening or a verification that held the job is over. */
void
exo_job_flight_ended (ExoJob *job)
{
  g_assert (job->n_flights > 0);
  job->n_flights--;
  if (job->n_flights > 0)
    return;
  if (job->closing && job->wants->len > 0)
    reopen_if_wanted (job);
  else if (job->closing)
    end (job);
  else
    verify_if_full (job);
}

/* --- pieces ------------------------------------------------------------------------------------- */

void
exo_job_piece_accepted (ExoJob *job, guint32 piece, const char *source_id)
{
  ExoSwarm *swarm = job->swarm;
  guint64 length = exo_piece_length (job->size, piece);

  if (source_id != NULL)
    {
      job->from_lan += length;
      swarm->bytes_from_lan += length;
    }
  else
    {
      job->from_hub += length;
      swarm->bytes_from_hub += length;
    }
  exo_partial_add (job->partial, piece, source_id != NULL ? source_id : "hub");
  if (job->open)
    {
      exo_lan_server_share_add (swarm->server, job->oid, piece);
      exo_announcer_hurry (swarm->announcer, exo_plan_n_missing (swarm->plan) < LAST_PIECES);
      exo_announcer_event (swarm->announcer, job->oid, EXO_WIRE_HAVE, piece, 1);
    }
  exo_job_tell_readers (job);
}

void
exo_job_piece_written (ExoJob *job, guint32 piece, const char *source_id)
{
  if (job->partial == NULL || exo_piece_map_has (exo_partial_map (job->partial), piece))
    return;
  if (job->blob != 0)
    exo_plan_piece_done (job->swarm->plan, job->blob, piece, g_get_monotonic_time ());
  if (job->expected != NULL && g_hash_table_contains (job->expected, GUINT_TO_POINTER (piece)))
    exo_mend_check_piece (job, piece, source_id);
  else
    exo_job_piece_accepted (job, piece, source_id);
  exo_swarm_pump_soon (job->swarm);
}

void
exo_job_drop_piece (ExoJob *job, guint32 piece, ExoPlanPeer avoid)
{
  ExoSwarm *swarm = job->swarm;

  exo_partial_drop (job->partial, piece);
  exo_job_spoil_readers (job, piece);
  if (job->blob != 0)
    exo_plan_piece_lost (swarm->plan, job->blob, piece, avoid);
  if (job->open)
    {
      exo_lan_server_share_drop (swarm->server, job->oid, piece);
      exo_announcer_event (swarm->announcer, job->oid, EXO_WIRE_DROP, piece, 1);
    }
  exo_swarm_pump_soon (swarm);
}

/* While the whole is being hashed or compared, that will find out. */
void
exo_job_distrust (ExoJob *job, const char *id)
{
  guint32 n = exo_pieces_in (job->size);

  if (job->state != EXO_WANT_FETCHING || job->mend != NULL || job->partial == NULL || job->closing)
    return;
  for (guint32 i = 0; i < n; i++)
    if (g_strcmp0 (exo_partial_source (job->partial, i), id) == 0)
      exo_job_drop_piece (job, i, 0);
}

void
exo_job_describe (ExoJob *job, guint32 b, ExoWireBuilder *builder)
{
  exo_wire_builder_state (builder, b,
                          job->blob != 0 && !exo_piece_map_is_full (exo_partial_map (job->partial)),
                          exo_partial_map (job->partial));
  exo_flights_describe (job, b, builder);
}

/* --- the beginning ------------------------------------------------------------------------------ */

static gboolean
on_locked_retry (gpointer user_data)
{
  ExoJob *job = user_data;

  job->retry_source = 0;
  open_partial (job);
  return G_SOURCE_REMOVE;
}

static void
begin_fetching (ExoJob *job)
{
  ExoSwarm *swarm = job->swarm;

  if (job->open)
    {
      g_hash_table_remove (swarm->parked, job->oid);
      exo_lan_server_share (swarm->server, job->oid, exo_partial_fd (job->partial), job->size,
                            exo_partial_map (job->partial));
    }
  exo_job_set_state (job, EXO_WANT_FETCHING);
  if (job->closing) /* in a callback: there may be no room for it */
    return;
  exo_job_enter_plan (job, job->open);
  if (job->open)
    exo_announcer_state (swarm->announcer, job->oid);
}

static void
on_opened (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ExoJob *job = user_data;
  g_autoptr (GError) error = NULL;

  job->partial = exo_store_open_partial_finish (job->swarm->store, result, &error);
  if (job->closing)
    ; /* exo_job_flight_ended() sees to it */
  else if (job->partial != NULL)
    begin_fetching (job);
  else if (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_BUSY))
    {
      job->retry_source = g_timeout_add_seconds (LOCKED_RETRY_S, on_locked_retry, job);
      exo_job_set_state (job, EXO_WANT_LOCKED);
    }
  else
    {
      g_prefix_error (&error, /* TRANSLATORS: a file, its repository */ _ ("%s of %s: "), job->path,
                      job->id);
      exo_job_fail (job, error);
    }
  if (job->partial == NULL && !job->closing)
    job->n_flights--; /* nothing to verify */
  else
    exo_job_flight_ended (job);
}

static void
open_partial (ExoJob *job)
{
  job->n_flights++;
  exo_job_set_state (job, EXO_WANT_OPENING);
  exo_store_open_partial_async (job->swarm->store, job->type, job->id, job->oid, job->size,
                                job->for_client, job->cancellable, on_opened, job);
}

static void
retry_now (ExoJob *job)
{
  g_clear_handle_id (&job->retry_source, g_source_remove);
  job->retry_source = g_idle_add (on_locked_retry, job);
}

static ExoJob *
job_new (ExoSwarm *swarm, const ExoWantSpec *spec)
{
  ExoJob *job = g_new0 (ExoJob, 1);

  job->swarm = swarm;
  job->type = spec->type;
  job->id = g_strdup (spec->id);
  job->commit = g_strdup (spec->commit);
  job->path = g_strdup (spec->path);
  job->oid = g_strdup (spec->oid);
  job->size = spec->size;
  job->open = spec->open;
  job->order = swarm->next_order++;
  job->wants = g_ptr_array_new ();
  job->cancellable = g_cancellable_new ();
  g_hash_table_insert (swarm->jobs, job->oid, job);
  return job;
}

/* --- wants ---------------------------------------------------------------------------------------- */

ExoWant *
exo_swarm_want (ExoSwarm *swarm,
                const ExoWantSpec *spec,
                ExoWantChanged changed,
                gpointer user_data)
{
  ExoJob *job = g_hash_table_lookup (swarm->jobs, spec->oid);
  ExoWant *want = g_new0 (ExoWant, 1);
  gboolean is_new = job == NULL;

  if (is_new)
    job = job_new (swarm, spec);
  job->for_client = job->for_client || spec->reads;
  want->job = job;
  want->changed = changed;
  want->user_data = user_data;
  want->reads = spec->reads;
  want->waits_at = G_MAXUINT64;
  want->base_from_hub = job->from_hub;
  want->base_from_lan = job->from_lan;
  g_ptr_array_add (job->wants, want);
  if (is_new)
    open_partial (job);
  else if (spec->reads && job->state == EXO_WANT_LOCKED)
    retry_now (job); /* who holds the lock may be this reader */
  return want;
}

void
exo_want_release (ExoWant *want, gboolean park)
{
  ExoJob *job = want->job;

  g_ptr_array_remove_fast (job->wants, want);
  g_free (want);
  exo_job_update_urgent (job);
  if (job->wants->len > 0)
    return;
  job->closing = TRUE;
  job->parking = park;
  g_cancellable_cancel (job->cancellable);
  g_clear_handle_id (&job->retry_source, g_source_remove);
  exo_mend_cancel (job);
  if (job->open && job->blob != 0)
    exo_announcer_wants (job->swarm->announcer, job->oid, FALSE);
  exo_job_leave_plan (job);
  if (job->n_flights == 0)
    end (job);
}
