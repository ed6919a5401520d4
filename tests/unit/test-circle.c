/* test-circle.c - whom to keep sessions with
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/suite.h"
#include "transfer/swarm/circle.h"
#include "transfer/swarm/plan-private.h"

#define N 1000u

static const ExoCircleSizes sizes = EXO_CIRCLE_SIZES_DEFAULT;

static guint64
id_hash (guint i)
{
  return exo_mix (i + 1);
}

/* Nodes 0 to n - 1 without @self, in an order of its own. */
static ExoCircleNode *
nodes_of (guint self, guint n, ExoCircleKin kin)
{
  ExoCircleNode *nodes = g_new0 (ExoCircleNode, n - 1);

  for (guint k = 1; k < n; k++)
    nodes[k - 1] = (ExoCircleNode){ .hash = id_hash ((self + k) % n), .kin = kin, .hub = TRUE };
  return nodes;
}

/* Node @i in what nodes_of() made. */
static ExoCircleNode *
find (ExoCircleNode *nodes, guint self, guint n, guint i)
{
  return &nodes[(i + n - self) % n - 1];
}

static guint
count_chosen (const ExoCircleNode *nodes, guint n)
{
  guint n_chosen = 0;

  for (guint k = 0; k < n; k++)
    n_chosen += (guint) nodes[k].chosen;
  return n_chosen;
}

static void
few_neighbours_are_all_heard (void)
{
  g_autofree ExoCircleNode *nodes = nodes_of (0, 49, EXO_CIRCLE_UNKNOWN);
  g_autofree ExoCircleNode *more = nodes_of (0, 50, EXO_CIRCLE_FELLOW);
  ExoCircleSelf self;

  nodes[3].barred = TRUE;
  self = exo_circle_choose (&sizes, id_hash (0), FALSE, nodes, 48);
  CU_ASSERT_TRUE (self.core && !self.asking);
  CU_ASSERT_EQUAL (count_chosen (nodes, 48), 48);
  for (guint k = 0; k < 48; k++)
    CU_ASSERT_TRUE (nodes[k].core);
  self = exo_circle_choose (&sizes, id_hash (0), TRUE, more, 49);
  CU_ASSERT_TRUE (count_chosen (more, 49) < 49);
}

/* All compute the same core; those in it hear each other, those outside some of it, and nobody hears many. */
static void
all_agree_on_a_core (void)
{
  g_autofree gboolean *core = g_new0 (gboolean, N);
  guint n_core = 0;

  for (guint i = 0; i < N; i++)
    {
      g_autofree ExoCircleNode *nodes = nodes_of (i, N, EXO_CIRCLE_FELLOW);
      ExoCircleSelf self = exo_circle_choose (&sizes, id_hash (i), TRUE, nodes, N - 1);
      guint n_heard = 0, n_others = 0;

      CU_ASSERT_FALSE (self.asking);
      core[i] = self.core;
      n_core += (guint) self.core;
      for (guint k = 0; k < N - 1; k++)
        {
          n_heard += (guint) (nodes[k].chosen && nodes[k].core);
          n_others += (guint) (nodes[k].chosen && !nodes[k].core);
        }
      CU_ASSERT_EQUAL (n_heard + n_others,
                       (self.core ? sizes.core - 1 : sizes.listen) + sizes.others);
      CU_ASSERT_TRUE (n_heard >= (self.core ? sizes.core - 1 : sizes.listen));
    }
  CU_ASSERT_EQUAL (n_core, sizes.core);
  for (guint i = 0; i < N; i += 100)
    {
      g_autofree ExoCircleNode *nodes = nodes_of (i, N, EXO_CIRCLE_FELLOW);

      exo_circle_choose (&sizes, id_hash (i), TRUE, nodes, N - 1);
      for (guint j = 0; j < N; j++)
        CU_ASSERT_TRUE (i == j || find (nodes, i, N, j)->core == core[j]);
    }
}

/* Ids of one digit each: by transfer/PROTOCOL.md, computed elsewhere. */
static void
the_order_is_the_one_of_the_protocol (void)
{
  static const ExoCircleSizes one = { 2, 1, 1, 1, 1, 4 };
  ExoCircleNode nodes[15];
  char id[33] = { 0 };
  guint64 self = 0;

  for (guint i = 0, n = 0; i < 16; i++)
    {
      memset (id, "0123456789abcdef"[i], 32);
      if (i == 0)
        self = exo_plan_hash_text (id);
      else
        nodes[n++] = (ExoCircleNode){ .hash = exo_plan_hash_text (id),
                                      .kin = EXO_CIRCLE_FELLOW,
                                      .hub = TRUE };
    }
  CU_ASSERT_FALSE (exo_circle_choose (&one, self, TRUE, nodes, 15).core);
  for (guint i = 1; i < 16; i++)
    CU_ASSERT_EQUAL (nodes[i - 1].core, i == 0xe);
}

/* Who cannot ask the Hub, only holds it or does not answer is no use there. */
static void
the_core_wants_and_reaches_the_hub (void)
{
  g_autofree ExoCircleNode *nodes = nodes_of (0, 100, EXO_CIRCLE_FELLOW);
  guint n_core = 0;
  ExoCircleSelf self;

  for (guint k = 0; k < 99; k++)
    {
      nodes[k].hub = k % 4 != 0;
      nodes[k].kin = k % 4 == 1 ? EXO_CIRCLE_HOLDER : EXO_CIRCLE_FELLOW;
      nodes[k].barred = k % 4 == 2;
    }
  self = exo_circle_choose (&sizes, id_hash (0), FALSE, nodes, 99);
  CU_ASSERT_FALSE (self.core);
  for (guint k = 0; k < 99; k++)
    {
      n_core += (guint) nodes[k].core;
      CU_ASSERT_TRUE (!nodes[k].core || k % 4 == 3);
      CU_ASSERT_FALSE (nodes[k].chosen && nodes[k].barred);
    }
  CU_ASSERT_EQUAL (n_core, 24);
  self = exo_circle_choose (&sizes, id_hash (0), TRUE, nodes, 99);
  CU_ASSERT_TRUE (self.core); /* there is room */
}

static void
few_holders_are_heard_by_the_core_alone (void)
{
  for (guint n_holders = 1; n_holders <= sizes.core + 1; n_holders += sizes.core)
    for (guint i = 100; i < N; i++)
      {
        g_autofree ExoCircleNode *nodes = nodes_of (i, N, EXO_CIRCLE_FELLOW);
        ExoCircleSelf self;

        for (guint j = 0; j < n_holders; j++)
          *find (nodes, i, N, j) =
              (ExoCircleNode){ .hash = id_hash (j), .kin = EXO_CIRCLE_HOLDER, .up = TRUE };
        self = exo_circle_choose (&sizes, id_hash (i), FALSE, nodes, N - 1);
        CU_ASSERT_EQUAL (find (nodes, i, N, 0)->chosen, self.core || n_holders > sizes.core);
      }
}

static void
without_a_hub_there_is_a_core_all_the_same (void)
{
  guint n_core = 0;

  for (guint i = 0; i < 100; i++)
    {
      g_autofree ExoCircleNode *nodes = nodes_of (i, 100, EXO_CIRCLE_FELLOW);

      for (guint k = 0; k < 99; k++)
        nodes[k].hub = FALSE;
      n_core += (guint) exo_circle_choose (&sizes, id_hash (i), FALSE, nodes, 99).core;
    }
  CU_ASSERT_EQUAL (n_core, sizes.core);
}

/* Asks until it knows; @wants: every so many-th node wants the same. Returns how many were asked. */
static guint
ask_around (guint self_index, guint every, ExoCircleNode *nodes, ExoCircleSelf *out_self)
{
  guint n_asked = 0;

  for (;;)
    {
      guint n_new = 0;

      *out_self = exo_circle_choose (&sizes, id_hash (self_index), TRUE, nodes, N - 1);
      if (!out_self->asking)
        return n_asked;
      for (guint j = 0; j < N; j++)
        {
          ExoCircleNode *node = j == self_index ? NULL : find (nodes, self_index, N, j);

          if (node == NULL || !node->chosen || node->kin != EXO_CIRCLE_UNKNOWN)
            continue;
          node->kin = j % every == 0 ? EXO_CIRCLE_FELLOW : EXO_CIRCLE_STRANGER;
          node->up = node->kin == EXO_CIRCLE_FELLOW;
          n_new++;
        }
      CU_ASSERT_TRUE_FATAL (n_new > 0 && n_new <= sizes.asks);
      n_asked += n_new;
    }
}

static void
few_that_want_the_same_find_each_other_among_many (void)
{
  for (guint i = 0; i < N; i += 500)
    {
      g_autofree ExoCircleNode *nodes = nodes_of (i, N, EXO_CIRCLE_UNKNOWN);
      ExoCircleSelf self;

      CU_ASSERT_EQUAL (ask_around (i, 50, nodes, &self), N - 1); /* 20 of them */
      CU_ASSERT_TRUE (self.core);
      CU_ASSERT_EQUAL (count_chosen (nodes, N - 1), 19);
      for (guint j = 0; j < N; j++)
        CU_ASSERT_TRUE (i == j || find (nodes, i, N, j)->chosen == (j % 50 == 0));
    }
}

static void
where_all_want_the_same_few_are_asked (void)
{
  g_autofree ExoCircleNode *known = nodes_of (7, N, EXO_CIRCLE_FELLOW);
  g_autofree ExoCircleNode *nodes = nodes_of (7, N, EXO_CIRCLE_UNKNOWN);
  ExoCircleSelf self, knowing = exo_circle_choose (&sizes, id_hash (7), TRUE, known, N - 1);

  CU_ASSERT_TRUE (ask_around (7, 1, nodes, &self) <= sizes.core + sizes.others);
  CU_ASSERT_EQUAL (self.core, knowing.core);
  for (guint k = 0; k < N - 1; k++)
    CU_ASSERT_EQUAL (nodes[k].core, known[k].core);
}

/* A node that goes leaves a gap in the core, which the next one fills; nobody else is parted. */
static void
a_death_changes_little (void)
{
  g_autofree ExoCircleNode *before = nodes_of (0, N, EXO_CIRCLE_FELLOW);
  g_autofree ExoCircleNode *after = nodes_of (0, N, EXO_CIRCLE_FELLOW);
  guint dead = 0, n_risen = 0;

  exo_circle_choose (&sizes, id_hash (0), TRUE, before, N - 1);
  while (!before[dead].core)
    dead++;
  for (guint k = 0; k < N - 1; k++)
    after[k].up = before[k].chosen;
  after[dead].barred = TRUE;
  exo_circle_choose (&sizes, id_hash (0), TRUE, after, N - 1);
  for (guint k = 0; k < N - 1; k++)
    {
      n_risen += (guint) (after[k].core && !before[k].core);
      CU_ASSERT_TRUE (k == dead || after[k].core || !before[k].core);
      CU_ASSERT_TRUE (k == dead || after[k].chosen || !before[k].chosen);
    }
  CU_ASSERT_EQUAL (n_risen, 1);
}

static void
who_hears_this_node_is_heard_up_to_a_bound (void)
{
  g_autofree ExoCircleNode *nodes = nodes_of (0, N, EXO_CIRCLE_FELLOW);

  for (guint k = 0; k < N - 1; k++)
    nodes[k].hears_us = k < 30;
  exo_circle_choose (&sizes, id_hash (0), TRUE, nodes, N - 1);
  for (guint k = 0; k < 30; k++)
    CU_ASSERT_TRUE (nodes[k].chosen);
  for (guint k = 0; k < N - 1; k++)
    nodes[k].hears_us = TRUE;
  exo_circle_choose (&sizes, id_hash (0), TRUE, nodes, N - 1);
  CU_ASSERT_EQUAL (count_chosen (nodes, N - 1), sizes.most);
}

EXO_SUITE ("circle",
           TEST (few_neighbours_are_all_heard),
           TEST (all_agree_on_a_core),
           TEST (the_order_is_the_one_of_the_protocol),
           TEST (the_core_wants_and_reaches_the_hub),
           TEST (few_holders_are_heard_by_the_core_alone),
           TEST (without_a_hub_there_is_a_core_all_the_same),
           TEST (few_that_want_the_same_find_each_other_among_many),
           TEST (where_all_want_the_same_few_are_asked),
           TEST (a_death_changes_little),
           TEST (who_hears_this_node_is_heard_up_to_a_bound))
