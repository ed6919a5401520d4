/* mend.c - a blob whose hash does not match, and the answers to neighbours that have one
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing good is thrown away: the digests of the pieces are compared with those of the neighbours (judge.h), bad pieces are
 * dropped and fetched again, liars are shunned. What is true of a dropped piece is often known by then, so that
 * what comes next is checked on arrival: a neighbour that has not mended its own file yet cannot hand the bad piece back.
 * Where comparing finds nothing, what came from neighbours is fetched from the Hub, shared out among all that are in this
 * plight, then, if it still does not match, by this node alone; where all came from the Hub, all of it, once.
 */

#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "transfer/error.h"
#include "transfer/swarm/judge.h"
#include "transfer/swarm/swarm-private.h"

#define MENDS_MAX          6u    /* comparisons of one blob before the Hub alone is asked */
#define DIGEST_JSON_BYTES  160u  /* of one piece, generously */
#define ANSWER_TIMEOUT_MS  60000 /* a neighbour may have to hash the whole blob first */
#define DIGESTS_CACHED_MAX 16u   /* answers kept for complete blobs */

struct ExoMend
{
  ExoJob *job;     /* NULL once cancelled */
  GBytes *mine;    /* 32 bytes per piece, once computed */
  guint32 *pieces; /* indices held when it began */
  guint n_pieces;
  GPtrArray *reports; /* Report */
  guint n_pending;    /* answers and own digests still to come */
  GPtrArray *fetches; /* ExoFetch, borrowed */
};

typedef struct
{
  ExoMend *mend;
  char *id;
  gboolean verified;
  GArray *digests; /* ExoWireDigest; NULL unless it answered */
} Report;

static void
report_free (Report *report)
{
  g_clear_pointer (&report->digests, g_array_unref);
  g_free (report->id);
  g_free (report);
}

static void
mend_free (ExoMend *mend)
{
  g_clear_pointer (&mend->mine, g_bytes_unref);
  g_ptr_array_unref (mend->reports);
  g_ptr_array_unref (mend->fetches);
  g_free (mend->pieces);
  g_free (mend);
}

static guint32 *
held_pieces (const ExoPieceMap *map, guint *out_n)
{
  guint32 n = exo_piece_map_n_pieces (map);
  guint32 *pieces = g_new (guint32, n + 1);
  guint held = 0;

  for (guint32 i = 0; i < n; i++)
    if (exo_piece_map_has (map, i))
      pieces[held++] = i;
  *out_n = held;
  return pieces;
}

/* --- acting on the verdict --------------------------------------------------------------------- */

static void
shun_liars (ExoJob *job, GPtrArray *liars)
{
  for (guint i = 0; i < liars->len; i++)
    {
      ExoNeighbour *neighbour = exo_swarm_neighbour (job->swarm, g_ptr_array_index (liars, i));
      g_autofree char *why =
          g_strdup_printf ("pieces of %s of %s differ from what it holds", job->path, job->id);

      if (neighbour != NULL)
        exo_swarm_shun (job->swarm, neighbour, why);
    }
}

static void
drop_bad (ExoJob *job, GArray *verdicts)
{
  if (job->expected == NULL)
    job->expected = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  for (guint i = 0; i < verdicts->len; i++)
    {
      const ExoVerdict *verdict = &g_array_index (verdicts, ExoVerdict, i);
      ExoNeighbour *giver =
          verdict->source != NULL ? exo_swarm_neighbour (job->swarm, verdict->source) : NULL;

      if (verdict->has_truth)
        g_hash_table_insert (job->expected, GUINT_TO_POINTER (verdict->piece),
                             g_memdup2 (verdict->truth, sizeof verdict->truth));
      exo_job_drop_piece (job, verdict->piece, giver != NULL ? giver->peer : 0);
    }
}

/* Comparing found nothing: fetch from the Hub what came from neighbours or, if nothing did, everything. */
static void
turn_to_hub (ExoJob *job)
{
  guint32 n = exo_pieces_in (job->size);
  gboolean all = TRUE, together;
  g_autoptr (GError) error = NULL;

  for (guint32 i = 0; i < n; i++)
    if (g_strcmp0 (exo_partial_source (job->partial, i), "hub") != 0)
      all = FALSE;
  if (job->hub_only >= (all ? 1u : 2u))
    {
      g_set_error (&error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_MISMATCH,
                   _ ("the bytes of %s that the Hub sends do not match the hash it names for them. "
                      "Nothing was put into the cache. Try again later, or tell the owner of %s."),
                   job->path, job->id);
      for (guint32 i = 0; i < n; i++)
        exo_job_drop_piece (job, i, 0);
      exo_job_fail (job, error);
      return;
    }
  together = job->open && !all && job->hub_only == 0;
  job->hub_only++;
  g_clear_pointer (&job->expected, g_hash_table_unref);
  exo_job_leave_plan (job);
  for (guint32 i = 0; i < n; i++)
    if (all || g_strcmp0 (exo_partial_source (job->partial, i), "hub") != 0)
      exo_job_drop_piece (job, i, 0);
  g_message ("%s of %s: fetching from the Hub what cannot be told right from wrong", job->path,
             job->id);
  /* At first together with others that have come to the same end: they share out the pieces as always, and each believes what it sees
   * the others fetch from the Hub. If that was a mistake, or the Hub itself is in doubt, alone. */
  exo_job_enter_plan (job, together);
  if (together)
    exo_plan_set_first_hand (job->swarm->plan, job->blob);
}

static GArray *
judge (ExoMend *mend, GPtrArray **out_liars)
{
  ExoJob *job = mend->job;
  guint32 n = exo_pieces_in (job->size);
  g_autofree ExoJudgePiece *mine = g_new0 (ExoJudgePiece, n + 1);
  g_autoptr (GArray) reports = g_array_new (FALSE, FALSE, sizeof (ExoJudgeReport));
  const guint8 *digests = g_bytes_get_data (mend->mine, NULL);

  for (guint i = 0; i < mend->n_pieces; i++)
    {
      ExoJudgePiece *piece = &mine[mend->pieces[i]];

      piece->held = TRUE;
      piece->source = exo_partial_source (job->partial, mend->pieces[i]);
      memcpy (piece->sha256, digests + 32 * (gsize) i, 32);
    }
  for (guint i = 0; i < mend->reports->len; i++)
    {
      const Report *report = g_ptr_array_index (mend->reports, i);
      ExoNeighbour *neighbour = exo_swarm_neighbour (job->swarm, report->id);
      ExoJudgeReport judged = {
        .id = report->id,
        .verified = report->verified,
        .shunned = neighbour != NULL && neighbour->shunned,
        .fetched = neighbour == NULL || g_hash_table_contains (neighbour->fetched, job->oid),
        .mended = neighbour == NULL || g_hash_table_contains (neighbour->mended, job->oid),
        .digests = report->digests,
      };

      if (report->digests != NULL)
        g_array_append_val (reports, judged);
    }
  return exo_judge (mine, n, (const ExoJudgeReport *) (gpointer) reports->data, reports->len,
                    out_liars);
}

static void
conclude (ExoMend *mend)
{
  ExoJob *job = mend->job;
  g_autoptr (GPtrArray) liars = NULL;
  g_autoptr (GArray) verdicts = NULL;

  if (mend->n_pending > 0)
    return;
  if (job == NULL)
    {
      mend_free (mend);
      return;
    }
  job->mend = NULL;
  if (mend->mine != NULL && job->n_mends <= MENDS_MAX && job->hub_only < 2)
    verdicts = judge (mend, &liars);
  if (verdicts != NULL && verdicts->len > 0)
    {
      g_message ("%s of %s: %u of %u pieces are wrong and are fetched again", job->path, job->id,
                 verdicts->len, exo_pieces_in (job->size));
      shun_liars (job, liars);
      drop_bad (job, verdicts);
    }
  else
    turn_to_hub (job);
  mend_free (mend);
  exo_job_flight_ended (job);
}

/* --- gathering ---------------------------------------------------------------------------------- */

static void
on_own_digests (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ExoMend *mend = user_data;
  g_autoptr (GError) error = NULL;

  mend->mine = exo_store_digests_finish (NULL, result, &error);
  if (mend->mine == NULL)
    g_debug ("digests: %s", error->message);
  mend->n_pending--;
  conclude (mend);
}

static void
on_report (ExoFetch *fetch, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  Report *report = user_data;
  ExoMend *mend = report->mend;
  g_autoptr (GError) bad = NULL;

  g_ptr_array_remove_fast (mend->fetches, fetch);
  if (mend->job != NULL && error == NULL && result->status == 200 && result->body != NULL)
    report->digests = exo_wire_digests_parse (g_bytes_get_data (result->body, NULL),
                                              g_bytes_get_size (result->body), mend->job->size,
                                              &report->verified, &bad);
  if (bad != NULL)
    g_debug ("digests from %s: %s", report->id, bad->message);
  mend->n_pending--;
  conclude (mend);
}

static void
ask (ExoMend *mend, ExoNeighbour *neighbour)
{
  static const ExoFetchCallbacks callbacks = { .done = on_report };
  ExoJob *job = mend->job;
  Report *report = g_new0 (Report, 1);
  g_autofree char *url = g_strdup_printf ("%s/v1/blobs/%s/pieces",
                                          exo_session_base_url (neighbour->session), job->oid);

  report->mend = mend;
  report->id = g_strdup (neighbour->id);
  g_ptr_array_add (mend->reports, report);
  if (neighbour->shunned)
    {
      /* Nothing it says counts; that it was shunned does. */
      report->digests = g_array_new (FALSE, FALSE, sizeof (ExoWireDigest));
      return;
    }
  mend->n_pending++;
  g_ptr_array_add (mend->fetches,
                   exo_fetcher_start (
                       job->swarm->fetcher,
                       &(ExoFetchRequest){
                           .mode = EXO_FETCH_TO_MEMORY,
                           .method = "GET",
                           .url = url,
                           .lan = TRUE,
                           .stall_timeout_ms = ANSWER_TIMEOUT_MS,
                           .max_body = 1024 + (gsize) exo_pieces_in (job->size) * DIGEST_JSON_BYTES,
                       },
                       &callbacks, report));
}

/* The hash of the whole, complete file did not match. */
void
exo_mend_start (ExoJob *job)
{
  ExoMend *mend = g_new0 (ExoMend, 1);
  GHashTableIter iter;
  ExoNeighbour *neighbour;

  job->n_mends++;
  job->n_flights++; /* the file is read meanwhile */
  job->mend = mend;
  mend->job = job;
  mend->reports = g_ptr_array_new_with_free_func ((GDestroyNotify) report_free);
  mend->fetches = g_ptr_array_new ();
  mend->pieces = held_pieces (exo_partial_map (job->partial), &mend->n_pieces);
  mend->n_pending = 1;
  exo_store_digests_async (job->swarm->store, exo_partial_fd (job->partial), job->size,
                           mend->pieces, mend->n_pieces, job->cancellable, on_own_digests, mend);
  g_hash_table_iter_init (&iter, job->swarm->neighbours);
  while (job->open && g_hash_table_iter_next (&iter, NULL, (gpointer *) &neighbour))
    if (neighbour->peer != 0 || neighbour->shunned)
      ask (mend, neighbour);
}

void
exo_mend_cancel (ExoJob *job)
{
  ExoMend *mend = g_steal_pointer (&job->mend);

  if (mend == NULL)
    return;
  mend->job = NULL;
  job->n_flights--; /* never the last holder of a closing job's file: its digests are read from a duplicate */
  for (guint i = 0; i < mend->fetches->len; i++)
    exo_fetch_cancel (g_ptr_array_index (mend->fetches, i));
}

/* --- pieces that come again ---------------------------------------------------------------------- */

typedef struct
{
  ExoJob *job;
  guint32 piece;
  char *source_id; /* NULL: the Hub */
} Check;

static void
on_checked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Check *check = user_data;
  ExoJob *job = check->job;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) digest = exo_store_digests_finish (job->swarm->store, result, &error);
  const guint8 *expected =
      job->expected != NULL ? g_hash_table_lookup (job->expected, GUINT_TO_POINTER (check->piece))
                            : NULL;
  ExoNeighbour *giver =
      check->source_id != NULL ? exo_swarm_neighbour (job->swarm, check->source_id) : NULL;

  /* What the Hub itself sends is believed over what a neighbour said of it; the whole hash has the last word. */
  if (digest != NULL && (expected == NULL || check->source_id == NULL ||
                         memcmp (g_bytes_get_data (digest, NULL), expected, 32) == 0))
    exo_job_piece_accepted (job, check->piece, check->source_id);
  else if (job->blob != 0)
    exo_plan_piece_lost (job->swarm->plan, job->blob, check->piece,
                         giver != NULL ? giver->peer : 0);
  g_free (check->source_id);
  g_free (check);
  exo_job_flight_ended (job);
  exo_swarm_pump_soon (job->swarm);
}

void
exo_mend_check_piece (ExoJob *job, guint32 piece, const char *source_id)
{
  Check *check = g_new0 (Check, 1);

  check->job = job;
  check->piece = piece;
  check->source_id = g_strdup (source_id);
  job->n_flights++;
  exo_store_digests_async (job->swarm->store, exo_partial_fd (job->partial), job->size, &piece, 1,
                           NULL, on_checked, check);
}

/* --- answering ------------------------------------------------------------------------------------ */

/* One computation per oid at a time; who asks meanwhile gets the same answer. */
typedef struct
{
  ExoSwarm *swarm;
  char *oid;
  guint64 size;
  gboolean verified;
  guint32 *pieces;
  guint n_pieces;
  char (*sources)[33]; /* by position in pieces */
  GPtrArray *requests; /* ExoLanRequest, borrowed */
} Answer;

static GBytes *
answer_json (Answer *answer, GBytes *digests)
{
  g_autofree ExoWireDigest *rows = g_new0 (ExoWireDigest, answer->n_pieces + 1);
  const guint8 *bytes = g_bytes_get_data (digests, NULL);
  char *text;

  for (guint i = 0; i < answer->n_pieces; i++)
    {
      rows[i].piece = answer->pieces[i];
      memcpy (rows[i].sha256, bytes + 32 * (gsize) i, 32);
      g_strlcpy (rows[i].source, answer->sources[i], sizeof rows[i].source);
    }
  text = exo_wire_digests_to_json (answer->size, answer->verified, rows, answer->n_pieces);
  return g_bytes_new_take (text, strlen (text));
}

static void
answer_free (Answer *answer)
{
  g_ptr_array_unref (answer->requests);
  g_free (answer->sources);
  g_free (answer->pieces);
  g_free (answer->oid);
  g_free (answer);
}

static void
on_answer (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Answer *answer = user_data;
  ExoSwarm *swarm = answer->swarm;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) digests = exo_store_digests_finish (swarm->store, result, &error);
  g_autoptr (GBytes) json = digests != NULL ? answer_json (answer, digests) : NULL;

  g_hash_table_remove (swarm->answers, answer->oid);
  for (guint i = 0; i < answer->requests->len; i++)
    if (json != NULL)
      exo_lan_request_respond (g_ptr_array_index (answer->requests, i), 200, json);
    else
      exo_answer_error (g_ptr_array_index (answer->requests, i), 500, "the blob cannot be read");
  if (json != NULL && answer->verified)
    {
      if (g_hash_table_size (swarm->digests) >= DIGESTS_CACHED_MAX)
        g_hash_table_remove_all (swarm->digests);
      g_hash_table_insert (swarm->digests, g_strdup (answer->oid), g_bytes_ref (json));
    }
  answer_free (answer);
}

static void
compute (ExoSwarm *swarm,
         ExoLanRequest *request,
         const char *oid,
         int fd,
         guint64 size,
         const ExoPieceMap *map,
         ExoJob *job)
{
  Answer *answer = g_new0 (Answer, 1);

  answer->swarm = swarm;
  answer->oid = g_strdup (oid);
  answer->size = size;
  answer->verified = job == NULL;
  answer->pieces = held_pieces (map, &answer->n_pieces);
  answer->sources = g_malloc0_n (answer->n_pieces + 1, sizeof *answer->sources);
  for (guint i = 0; i < answer->n_pieces && job != NULL; i++)
    {
      const char *source = exo_partial_source (job->partial, answer->pieces[i]);
      g_strlcpy (answer->sources[i], source != NULL ? source : "", sizeof answer->sources[i]);
    }
  answer->requests = g_ptr_array_new ();
  g_ptr_array_add (answer->requests, request);
  g_hash_table_insert (swarm->answers, answer->oid, answer->requests);
  exo_store_digests_async (swarm->store, fd, size, answer->pieces, answer->n_pieces,
                           swarm->cancellable, on_answer, answer);
}

void
exo_mend_digests_wanted (ExoLanServer *server,
                         ExoLanRequest *request,
                         const char *oid,
                         gpointer user_data)
{
  ExoSwarm *swarm = user_data;
  ExoJob *job = g_hash_table_lookup (swarm->jobs, oid);
  GPtrArray *waiting = g_hash_table_lookup (swarm->answers, oid);
  GBytes *cached = g_hash_table_lookup (swarm->digests, oid);
  g_auto (ExoStoredBlob) stored = { 0 };

  if (swarm->stopping)
    exo_answer_error (request, 503, "this node is stopping");
  else if (waiting != NULL)
    g_ptr_array_add (waiting, request);
  else if (job != NULL && job->open && job->partial != NULL && job->state != EXO_WANT_DONE)
    compute (swarm, request, oid, exo_partial_fd (job->partial), job->size,
             exo_partial_map (job->partial), job);
  else if (!exo_store_find (swarm->store, oid, &stored) || !stored.open)
    exo_answer_error (request, 404, "this node does not have that blob");
  else if (cached != NULL)
    exo_lan_request_respond (request, 200, cached);
  else
    {
      g_autoptr (ExoPieceMap) all = exo_piece_map_new (stored.size);
      int fd = g_open (stored.path, O_RDONLY | O_CLOEXEC, 0);

      exo_piece_map_fill (all);
      if (fd >= 0)
        compute (swarm, request, oid, fd, stored.size, all, NULL);
      else
        exo_answer_error (request, 500, "the blob cannot be read");
      if (fd >= 0)
        close (fd); /* the store duplicated it */
    }
}
