/* test-judge.c - who was wrong, told from what the neighbours say of their pieces
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A piece's digest is drawn as one letter: 'g' the good one, 'x' and 'y' bad ones, '.' not held.
 */

#include <string.h>

#include "tests/unit/suite.h"
#include "transfer/swarm/judge.h"

#define PIECES 4
#define A      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B      "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C      "cccccccccccccccccccccccccccccccc"

typedef struct
{
  const char *id;
  gboolean verified;
  const char *digests;         /* one letter per piece */
  const char *sources[PIECES]; /* "hub", an id, "" */
  gboolean shunned, fetched, mended;
} Witness;

typedef struct
{
  GArray *verdicts;
  GPtrArray *liars;
} Outcome;

static Outcome
hold_court (const char *mine, const char *const *sources, const Witness *witnesses, guint n)
{
  ExoJudgePiece pieces[PIECES];
  ExoJudgeReport reports[4];
  Outcome outcome;

  memset (pieces, 0, sizeof pieces);
  for (guint i = 0; i < PIECES; i++)
    {
      pieces[i].held = mine[i] != '.';
      pieces[i].source = sources[i];
      memset (pieces[i].sha256, mine[i], 32);
    }
  for (guint w = 0; w < n; w++)
    {
      reports[w] = (ExoJudgeReport){
        .id = witnesses[w].id,
        .verified = witnesses[w].verified,
        .shunned = witnesses[w].shunned,
        .fetched = witnesses[w].fetched,
        .mended = witnesses[w].mended,
        .digests = g_array_new (FALSE, TRUE, sizeof (ExoWireDigest)),
      };
      for (guint i = 0; i < PIECES; i++)
        {
          ExoWireDigest digest = { .piece = i };

          if (witnesses[w].digests[i] == '.')
            continue;
          memset (digest.sha256, witnesses[w].digests[i], 32);
          g_strlcpy (digest.source, witnesses[w].sources[i] != NULL ? witnesses[w].sources[i] : "",
                     sizeof digest.source);
          g_array_append_val (reports[w].digests, digest);
        }
    }
  outcome.verdicts = exo_judge (pieces, PIECES, reports, n, &outcome.liars);
  for (guint w = 0; w < n; w++)
    g_array_unref (reports[w].digests);
  return outcome;
}

static gboolean
dropped (const Outcome *outcome, const char *pieces)
{
  char drawn[PIECES + 1] = "....";

  for (guint i = 0; i < outcome->verdicts->len; i++)
    drawn[g_array_index (outcome->verdicts, ExoVerdict, i).piece] = '#';
  return strcmp (drawn, pieces) == 0;
}

static gboolean
is_liar (const Outcome *outcome, const char *id)
{
  return g_ptr_array_find_with_equal_func (outcome->liars, id, g_str_equal, NULL);
}

static void
outcome_clear (Outcome *outcome)
{
  g_array_unref (outcome->verdicts);
  g_ptr_array_unref (outcome->liars);
}

static void
who_serves_other_bytes_than_it_holds_is_a_liar (void)
{
  const char *const sources[] = { A, A, B, "hub" };
  const Witness witnesses[] = {
    { .id = A,
      .verified = FALSE,
      .digests = "gggg",
      .sources = { "hub", "hub", B, "" },
      .fetched = TRUE },
    { .id = B,
      .verified = FALSE,
      .digests = "gggg",
      .sources = { A, A, "hub", "" },
      .fetched = TRUE },
  };
  Outcome outcome = hold_court ("xggg", sources, witnesses, 2);

  CU_ASSERT_TRUE (dropped (&outcome, "#..."));
  CU_ASSERT_TRUE (is_liar (&outcome, A));
  CU_ASSERT_FALSE (is_liar (&outcome, B));
  outcome_clear (&outcome);
}

static void
who_hands_on_in_good_faith_is_not (void)
{
  /* C gave A bad bytes, A gave them to us; C itself had good ones from the Hub. */
  const char *const sources[] = { A, "hub", "hub", "hub" };
  const Witness witnesses[] = {
    { .id = A,
      .verified = FALSE,
      .digests = "xggg",
      .sources = { C, "", "", "" },
      .fetched = TRUE },
    { .id = C,
      .verified = FALSE,
      .digests = "gggg",
      .sources = { "hub", "", "", "" },
      .fetched = TRUE },
  };
  Outcome outcome = hold_court ("xggg", sources, witnesses, 2);

  CU_ASSERT_TRUE (dropped (&outcome, "#..."));
  CU_ASSERT_EQUAL (outcome.liars->len, 0);
  CU_ASSERT_TRUE (g_array_index (outcome.verdicts, ExoVerdict, 0).has_truth);
  CU_ASSERT_EQUAL (g_array_index (outcome.verdicts, ExoVerdict, 0).truth[0], 'g');
  outcome_clear (&outcome);
}

static void
who_had_bad_bytes_from_the_hub_itself_is_not (void)
{
  const char *const sources[] = { A, "hub", "hub", "hub" };
  const Witness witnesses[] = {
    { .id = A,
      .verified = FALSE,
      .digests = "xggg",
      .sources = { "hub", "", "", "" },
      .fetched = TRUE },
    { .id = B,
      .verified = TRUE,
      .digests = "gggg",
      .sources = { "", "", "", "" },
      .fetched = FALSE },
  };
  Outcome outcome = hold_court ("xggg", sources, witnesses, 2);

  CU_ASSERT_TRUE (dropped (&outcome, "#..."));
  CU_ASSERT_EQUAL (outcome.liars->len, 0);
  outcome_clear (&outcome);
}

static void
who_has_mended_its_own_copy_is_not (void)
{
  const char *const sources[] = { A, "hub", "hub", "hub" };
  const Witness witnesses[] = { { .id = A,
                                  .digests = "gggg",
                                  .sources = { "hub", "", "", "" },
                                  .fetched = TRUE,
                                  .mended = TRUE } };
  Outcome outcome = hold_court ("xggg", sources, witnesses, 1);

  CU_ASSERT_TRUE (dropped (&outcome, "#..."));
  CU_ASSERT_EQUAL (outcome.liars->len, 0);
  outcome_clear (&outcome);
}

static void
what_came_from_a_shunned_node_is_suspect_at_second_hand_too (void)
{
  const char *const sources[] = { A, B, B, B };
  const Witness witnesses[] = {
    { .id = A, .digests = "....", .shunned = TRUE },
    { .id = B, .digests = "xxxx", .sources = { "", A, C, "" } },
  };
  Outcome outcome = hold_court ("xxxx", sources, witnesses, 2);

  CU_ASSERT_TRUE (dropped (&outcome, "##.."));
  CU_ASSERT_EQUAL (outcome.liars->len, 0);
  outcome_clear (&outcome);
}

static void
what_came_from_the_hub_outweighs_unverified_neighbours (void)
{
  const char *const sources[] = { "hub", "hub", "hub", "hub" };
  const Witness witnesses[] = {
    { .id = A,
      .verified = FALSE,
      .digests = "xxxx",
      .sources = { "hub", "hub", "hub", "hub" },
      .fetched = TRUE },
    { .id = B,
      .verified = FALSE,
      .digests = "xxxx",
      .sources = { "hub", "hub", "hub", "hub" },
      .fetched = TRUE },
  };
  Outcome outcome = hold_court ("gggg", sources, witnesses, 2);

  CU_ASSERT_TRUE (dropped (&outcome, "...."));
  outcome_clear (&outcome);
}

static void
a_verified_whole_outweighs_what_came_from_the_hub (void)
{
  const char *const sources[] = { "hub", "hub", "hub", "hub" };
  const Witness witnesses[] = { { .id = A,
                                  .verified = TRUE,
                                  .digests = "gggg",
                                  .sources = { "", "", "", "" },
                                  .fetched = FALSE } };
  Outcome outcome = hold_court ("gxgg", sources, witnesses, 1);

  CU_ASSERT_TRUE (dropped (&outcome, ".#.."));
  CU_ASSERT_EQUAL (outcome.liars->len, 0);
  outcome_clear (&outcome);
}

static void
verified_wholes_that_contradict_each_other_decide_nothing (void)
{
  const char *const sources[] = { C, C, C, C };
  const Witness witnesses[] = {
    { .id = A,
      .verified = TRUE,
      .digests = "gggg",
      .sources = { "", "", "", "" },
      .fetched = FALSE },
    { .id = B,
      .verified = TRUE,
      .digests = "xxxx",
      .sources = { "", "", "", "" },
      .fetched = FALSE },
  };
  Outcome outcome = hold_court ("gggg", sources, witnesses, 2);

  CU_ASSERT_TRUE (dropped (&outcome, "...."));
  outcome_clear (&outcome);
}

static void
most_of_the_verified_wholes_decide (void)
{
  const char *const sources[] = { C, C, C, C };
  const Witness witnesses[] = {
    { .id = A,
      .verified = TRUE,
      .digests = "gggg",
      .sources = { "", "", "", "" },
      .fetched = FALSE },
    { .id = B,
      .verified = TRUE,
      .digests = "xxxx",
      .sources = { "", "", "", "" },
      .fetched = FALSE },
    { .id = C,
      .verified = TRUE,
      .digests = "gggg",
      .sources = { "", "", "", "" },
      .fetched = FALSE },
  };
  Outcome outcome = hold_court ("gyyg", sources, witnesses, 3);

  CU_ASSERT_TRUE (dropped (&outcome, ".##."));
  CU_ASSERT_TRUE (is_liar (&outcome, C));
  outcome_clear (&outcome);
}

static void
nothing_is_dropped_where_nobody_knows_better (void)
{
  const char *const sources[] = { A, B, NULL, "hub" };
  const Witness witnesses[] = {
    { .id = A, .verified = FALSE, .digests = "x...", .sources = { B, "", "", "" }, .fetched = TRUE }
  };
  Outcome outcome = hold_court ("xyx.", sources, witnesses, 1);

  CU_ASSERT_TRUE (dropped (&outcome, "...."));
  CU_ASSERT_EQUAL (outcome.liars->len, 0);
  outcome_clear (&outcome);
}

EXO_SUITE ("judge",
           TEST (who_serves_other_bytes_than_it_holds_is_a_liar),
           TEST (who_hands_on_in_good_faith_is_not),
           TEST (who_had_bad_bytes_from_the_hub_itself_is_not),
           TEST (who_has_mended_its_own_copy_is_not),
           TEST (what_came_from_a_shunned_node_is_suspect_at_second_hand_too),
           TEST (what_came_from_the_hub_outweighs_unverified_neighbours),
           TEST (a_verified_whole_outweighs_what_came_from_the_hub),
           TEST (verified_wholes_that_contradict_each_other_decide_nothing),
           TEST (most_of_the_verified_wholes_decide),
           TEST (nothing_is_dropped_where_nobody_knows_better))
