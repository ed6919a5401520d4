/* flight.c - one fetch under way, from the Hub or from a neighbour
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/error.h"
#include "transfer/swarm/swarm-private.h"

#define PEER_CONNECT_TIMEOUT_MS 2000
/* A request may wait for an upload slot; longer than this another holder is the better choice. */
#define PEER_STALL_TIMEOUT_MS 10000

struct ExoFlight
{
  ExoSwarm *swarm;
  ExoJob *job;
  ExoPlanFetch fetch;
  char *peer_id;    /* NULL: the Hub; the neighbour itself may go while the flight lasts */
  guint32 first, n; /* pieces */
  guint32 n_done;   /* of them, from first on */
  guint64 n_bytes;  /* on disk, from the first piece on */
  ExoFetch *from_peer;
  ExoHubFetch *from_hub;
  guint hesitation; /* source: claimed, and not asked for yet */
};

static guint64
offset_of (ExoJob *job, guint32 piece)
{
  return (guint64) piece * exo_piece_size_for (job->size);
}

static guint64
length_of (ExoJob *job, guint32 first, guint32 n)
{
  return MIN (offset_of (job, first + n), job->size) - offset_of (job, first);
}

/* @n_written: contiguous bytes on disk from the first piece on */
static void
advance (ExoFlight *flight, guint64 n_written)
{
  if (n_written > flight->n_bytes)
    exo_rates_add (flight->swarm, flight->peer_id, n_written - flight->n_bytes);
  flight->n_bytes = MAX (flight->n_bytes, n_written);
  while (flight->n_done < flight->n &&
         length_of (flight->job, flight->first, flight->n_done + 1) <= n_written)
    exo_job_piece_written (flight->job, flight->first + flight->n_done++, flight->peer_id);
}

static ExoPlanEnding
ending_of (ExoFlight *flight, guint status, const GError *error)
{
  if (error == NULL)
    return flight->n_done == flight->n ? EXO_PLAN_ENDED_DONE : EXO_PLAN_ENDED_FAILED;
  if (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED))
    return EXO_PLAN_ENDED_CANCELLED;
  return status == 404 ? EXO_PLAN_ENDED_MISSING : EXO_PLAN_ENDED_FAILED;
}

static gboolean
is_local_trouble (const GError *error)
{
  return g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_SPACE) ||
         g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DISK);
}

/* Of the Hub: it will not give this blob, however often it is asked. */
static gboolean
is_final (const GError *error)
{
  return g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DENIED) ||
         g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NOT_FOUND) ||
         g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_REVISION) ||
         g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CHANGED);
}

static void
land (ExoFlight *flight, guint status, const GError *error)
{
  ExoSwarm *swarm = flight->swarm;
  ExoJob *job = flight->job;
  ExoPlanEnding ending = ending_of (flight, status, error);

  if (flight->peer_id == NULL && ending != EXO_PLAN_ENDED_DONE)
    g_debug ("pieces %u to %u of %s: given up at the Hub after %" G_GUINT64_FORMAT " bytes",
             flight->first, flight->first + flight->n - 1, job->oid, flight->n_bytes);
  g_hash_table_remove (swarm->flights, GUINT_TO_POINTER (flight->fetch));
  exo_rates_end (swarm, flight->peer_id);
  if (job->open && flight->n_done < flight->n)
    exo_announcer_event (swarm->announcer, job->oid, EXO_WIRE_RELEASE,
                         flight->first + flight->n_done, flight->n - flight->n_done);
  exo_plan_fetch_ended (swarm->plan, flight->fetch, ending, g_get_monotonic_time ());
  if (error != NULL && (is_local_trouble (error) || (flight->peer_id == NULL && is_final (error))))
    exo_job_fail (job, error);
  g_free (flight->peer_id);
  g_free (flight);
  exo_job_flight_ended (job);
  exo_swarm_pump_soon (swarm);
}

static void
on_peer_progress (ExoFetch *fetch, guint64 n_written, gpointer user_data)
{
  ExoFlight *flight = user_data;
  guint64 left = length_of (flight->job, flight->first, flight->n) - n_written;

  advance (flight, n_written);
  if (left > exo_piece_size_for (flight->job->size) / 2)
    return;
  /* What is left is on its way here already. Without the next request behind it the neighbour would idle for a round trip, which
   * on a busy link is as long as a piece takes. */
  exo_plan_fetch_ending (flight->swarm->plan, flight->fetch);
  exo_swarm_pump_soon (flight->swarm);
}

static void
on_peer_done (ExoFetch *fetch,
              const ExoFetchResult *result,
              const GError *error,
              gpointer user_data)
{
  ExoFlight *flight = user_data;
  ExoNeighbour *source = exo_swarm_neighbour (flight->swarm, flight->peer_id);

  if (source != NULL)
    source->bytes += result->n_received;
  if (error != NULL && !g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED))
    g_debug ("piece %u of %s from %s: %s", flight->first, flight->job->oid, flight->peer_id,
             error->message);
  advance (flight, result->n_written);
  land (flight, result->status, error);
}

static void
on_hub_progress (ExoHubFetch *fetch, guint64 n_written, gpointer user_data)
{
  advance (user_data, n_written);
}

static void
on_hub_done (ExoHubFetch *fetch, const GError *error, gpointer user_data)
{
  ExoFlight *flight = user_data;

  if (error == NULL)
    advance (flight, length_of (flight->job, flight->first, flight->n));
  else if (!g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED))
    g_message ("%s of %s/%s: %s", flight->job->path, exo_repo_type_name (flight->job->type),
               flight->job->id, error->message);
  land (flight, 0, error);
}

static void
start_from_peer (ExoFlight *flight, ExoNeighbour *neighbour)
{
  static const ExoFetchCallbacks callbacks = { .progress = on_peer_progress, .done = on_peer_done };
  ExoJob *job = flight->job;
  g_autofree char *url =
      g_strdup_printf ("%s/v1/blobs/%s", exo_session_base_url (neighbour->session), job->oid);

  flight->from_peer = exo_fetcher_start (flight->swarm->fetcher,
                                         &(ExoFetchRequest){
                                             .mode = EXO_FETCH_TO_FILE,
                                             .method = "GET",
                                             .url = url,
                                             .lan = TRUE,
                                             .connect_timeout_ms = PEER_CONNECT_TIMEOUT_MS,
                                             .stall_timeout_ms = PEER_STALL_TIMEOUT_MS,
                                             .first = offset_of (job, flight->first),
                                             .length = length_of (job, flight->first, flight->n),
                                             .total = job->size,
                                             .step = exo_piece_size_for (job->size) / 2,
                                             .fd = exo_partial_fd (job->partial),
                                         },
                                         &callbacks, flight);
}

static void
start_from_hub (ExoFlight *flight)
{
  static const ExoHubFetchCallbacks callbacks = { on_hub_progress, on_hub_done };
  ExoJob *job = flight->job;

  flight->from_hub =
      exo_hub_fetch (flight->swarm->hub, job->type, job->id, job->commit, job->path, job->oid,
                     job->size, exo_partial_fd (job->partial), offset_of (job, flight->first),
                     length_of (job, flight->first, flight->n), &callbacks, flight);
}

static gboolean
on_hesitated (gpointer user_data)
{
  ExoFlight *flight = user_data;

  flight->hesitation = 0;
  start_from_hub (flight);
  return G_SOURCE_REMOVE;
}

static gboolean
on_thought_better (gpointer user_data)
{
  ExoFlight *flight = user_data;
  g_autoptr (GError) cancelled = g_error_new_literal (
      EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED, "another node fetches it");

  flight->hesitation = 0;
  land (flight, 0, cancelled);
  return G_SOURCE_REMOVE;
}

/* Its end comes later, as that of a fetch under way does. */
static void
leave_hub (ExoFlight *flight)
{
  if (flight->hesitation == 0)
    {
      exo_hub_fetch_cancel (flight->from_hub);
      return;
    }
  g_source_remove (flight->hesitation);
  flight->hesitation = g_idle_add_full (G_PRIORITY_DEFAULT, on_thought_better, flight, NULL);
}

void
exo_flight_start (ExoSwarm *swarm, const ExoPlanAction *action)
{
  ExoJob *job = g_hash_table_lookup (swarm->by_blob, GUINT_TO_POINTER (action->blob));
  ExoNeighbour *neighbour =
      action->peer != 0 ? g_hash_table_lookup (swarm->by_peer, GUINT_TO_POINTER (action->peer))
                        : NULL;
  ExoFlight *flight = g_new0 (ExoFlight, 1);

  g_assert (job != NULL && (action->peer == 0) == (neighbour == NULL));
  flight->swarm = swarm;
  flight->job = job;
  flight->fetch = action->fetch;
  flight->peer_id = neighbour != NULL ? g_strdup (neighbour->id) : NULL;
  flight->first = action->first;
  flight->n = action->n;
  job->n_flights++;
  g_hash_table_insert (swarm->flights, GUINT_TO_POINTER (action->fetch), flight);
  exo_rates_begin (swarm, flight->peer_id);
  if (job->open)
    exo_announcer_event (swarm->announcer, job->oid,
                         neighbour != NULL ? EXO_WIRE_FETCH : EXO_WIRE_CLAIM, action->first,
                         action->n);
  if (neighbour != NULL)
    start_from_peer (flight, neighbour);
  else if (action->wait_ms > 0)
    flight->hesitation = g_timeout_add (action->wait_ms, on_hesitated, flight);
  else
    start_from_hub (flight);
}

void
exo_flight_cancel (ExoSwarm *swarm, ExoPlanFetch fetch)
{
  ExoFlight *flight = g_hash_table_lookup (swarm->flights, GUINT_TO_POINTER (fetch));

  if (flight == NULL)
    return;
  if (flight->from_peer != NULL)
    exo_fetch_cancel (flight->from_peer);
  else
    leave_hub (flight);
}

void
exo_flights_leave_hub (ExoJob *job)
{
  GHashTableIter iter;
  ExoFlight *flight;

  g_hash_table_iter_init (&iter, job->swarm->flights);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &flight))
    if (flight->job == job && flight->peer_id == NULL)
      leave_hub (flight);
}

/* They are on a connection over which nothing comes any more. */
void
exo_flights_abandon (ExoNeighbour *neighbour)
{
  GHashTableIter iter;
  ExoFlight *flight;

  g_hash_table_iter_init (&iter, neighbour->swarm->flights);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &flight))
    if (g_strcmp0 (flight->peer_id, neighbour->id) == 0)
      exo_fetch_cancel (flight->from_peer);
}

/* The fetches under way, as part of a job's state for a new subscriber. */
void
exo_flights_describe (ExoJob *job, guint32 b, ExoWireBuilder *builder)
{
  GHashTableIter iter;
  ExoFlight *flight;

  g_hash_table_iter_init (&iter, job->swarm->flights);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &flight))
    if (flight->job == job && flight->n_done < flight->n)
      (void) exo_wire_builder_add (builder,
                                   flight->peer_id != NULL ? EXO_WIRE_FETCH : EXO_WIRE_CLAIM, b,
                                   flight->first + flight->n_done, flight->n - flight->n_done);
}

guint
exo_swarm_n_sources (ExoSwarm *swarm)
{
  g_autoptr (GHashTable) sources = g_hash_table_new (g_str_hash, g_str_equal);
  GHashTableIter iter;
  ExoFlight *flight;

  g_hash_table_iter_init (&iter, swarm->flights);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &flight))
    if (flight->peer_id != NULL)
      g_hash_table_add (sources, flight->peer_id);
  return g_hash_table_size (sources);
}
