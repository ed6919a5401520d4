/* judge.c - see judge.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/swarm/judge.h"

#include <string.h>

/* Where each report speaks of each piece: [report * n_pieces + piece], NULL if it does not. */
typedef struct
{
  const ExoWireDigest **said;
  const ExoJudgeReport *reports;
  gsize n_reports;
  guint32 n_pieces;
} Bench;

static const ExoWireDigest *
said_of (const Bench *bench, gsize report, guint32 piece)
{
  return bench->said[report * bench->n_pieces + piece];
}

static gboolean
same (const guint8 *a, const guint8 *b)
{
  return memcmp (a, b, 32) == 0;
}

static void
bench_init (Bench *bench, const ExoJudgeReport *reports, gsize n_reports, guint32 n_pieces)
{
  bench->said = g_new0 (const ExoWireDigest *, n_reports *n_pieces + 1);
  bench->reports = reports;
  bench->n_reports = n_reports;
  bench->n_pieces = n_pieces;
  for (gsize r = 0; r < n_reports; r++)
    for (guint i = 0; i < reports[r].digests->len; i++)
      {
        const ExoWireDigest *digest = &g_array_index (reports[r].digests, ExoWireDigest, i);
        if (digest->piece < n_pieces)
          bench->said[r * n_pieces + digest->piece] = digest;
      }
}

/* How many nodes with the verified whole say the same as @digest. */
static guint
votes_for (const Bench *bench, guint32 piece, const guint8 *digest)
{
  guint votes = 0;

  for (gsize r = 0; r < bench->n_reports; r++)
    if (bench->reports[r].verified && said_of (bench, r, piece) != NULL &&
        same (said_of (bench, r, piece)->sha256, digest))
      votes++;
  return votes;
}

static const guint8 *
verified_truth (const Bench *bench, guint32 piece)
{
  const guint8 *best = NULL;
  guint best_votes = 0;
  gboolean tie = FALSE;

  for (gsize r = 0; r < bench->n_reports; r++)
    {
      const ExoWireDigest *said = said_of (bench, r, piece);
      guint votes;

      if (!bench->reports[r].verified || said == NULL ||
          (best != NULL && same (said->sha256, best)))
        continue;
      votes = votes_for (bench, piece, said->sha256);
      if (votes > best_votes)
        {
          best = said->sha256;
          tie = FALSE;
        }
      else if (votes == best_votes)
        tie = TRUE;
      best_votes = MAX (votes, best_votes);
    }
  return tie ? NULL : best;
}

static const guint8 *
first_hand_truth (const Bench *bench, guint32 piece)
{
  const guint8 *truth = NULL;

  for (gsize r = 0; r < bench->n_reports; r++)
    {
      const ExoWireDigest *said = said_of (bench, r, piece);

      if (said == NULL || strcmp (said->source, "hub") != 0)
        continue;
      if (truth != NULL && !same (truth, said->sha256))
        return NULL;
      truth = said->sha256;
    }
  return truth;
}

static const guint8 *
truth_of (const Bench *bench, const ExoJudgePiece *mine, guint32 piece)
{
  const guint8 *truth = verified_truth (bench, piece);

  if (truth != NULL)
    return truth;
  if (mine->source != NULL && strcmp (mine->source, "hub") == 0)
    return mine->sha256;
  return first_hand_truth (bench, piece);
}

static gssize
report_of (const Bench *bench, const char *id)
{
  for (gsize r = 0; id != NULL && r < bench->n_reports; r++)
    if (strcmp (bench->reports[r].id, id) == 0)
      return (gssize) r;
  return -1;
}

static void
add_once (GPtrArray *liars, const char *id)
{
  if (!g_ptr_array_find_with_equal_func (liars, id, g_str_equal, NULL))
    g_ptr_array_add (liars, (gpointer) id);
}

static gboolean
is_shunned (const Bench *bench, const char *id)
{
  gssize report = report_of (bench, id);

  return report >= 0 && bench->reports[report].shunned;
}

static gboolean
is_proof (const ExoJudgeReport *giver, const ExoWireDigest *says)
{
  if (giver->mended)
    return FALSE;
  return giver->fetched ? strcmp (says->source, "hub") == 0 : giver->verified;
}

static void
judge_piece (const Bench *bench,
             const ExoJudgePiece *mine,
             guint32 piece,
             GArray *verdicts,
             GPtrArray *liars)
{
  const guint8 *truth = truth_of (bench, mine, piece);
  gssize giver = report_of (bench, mine->source);
  const ExoWireDigest *giver_says = giver >= 0 ? said_of (bench, (gsize) giver, piece) : NULL;
  gboolean giver_differs = giver_says != NULL && !same (giver_says->sha256, mine->sha256);
  gboolean suspect = is_shunned (bench, mine->source) ||
                     (giver_says != NULL && is_shunned (bench, giver_says->source));
  ExoVerdict verdict = { .piece = piece, .source = mine->source };

  if (truth != NULL ? same (truth, mine->sha256) : !giver_differs && !suspect)
    return;
  if (truth != NULL)
    {
      verdict.has_truth = TRUE;
      memcpy (verdict.truth, truth, sizeof verdict.truth);
    }
  g_array_append_val (verdicts, verdict);
  if (giver_differs && is_proof (&bench->reports[giver], giver_says))
    add_once (liars, bench->reports[giver].id);
}

GArray *
exo_judge (const ExoJudgePiece *mine,
           guint32 n_pieces,
           const ExoJudgeReport *reports,
           gsize n_reports,
           GPtrArray **out_liars)
{
  GArray *verdicts = g_array_new (FALSE, FALSE, sizeof (ExoVerdict));
  GPtrArray *liars = g_ptr_array_new ();
  Bench bench;

  bench_init (&bench, reports, n_reports, n_pieces);
  for (guint32 piece = 0; piece < n_pieces; piece++)
    if (mine[piece].held)
      judge_piece (&bench, &mine[piece], piece, verdicts, liars);
  g_free (bench.said);
  *out_liars = liars;
  return verdicts;
}
