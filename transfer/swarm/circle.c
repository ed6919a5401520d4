/* circle.c - see circle.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/swarm/circle.h"

#include "transfer/swarm/plan-private.h"

typedef struct
{
  guint64 score;
  guint index;
} Place;

typedef struct
{
  const ExoCircleSizes *sizes;
  guint64 self;
  ExoCircleNode *nodes;
  guint n;
  guint asks;       /* that may still be made */
  gboolean any_hub; /* somebody reaches the Hub */
  gboolean rare;    /* so few hold it that the core alone hears them */
  Place *places;
  ExoCircleSelf result;
} Circle;

/* The same on every node. */
static guint64
standing (guint64 hash)
{
  return exo_mix (hash + G_GUINT64_CONSTANT (0x9e3779b97f4a7c15));
}

/* Another one on every node. */
static guint64
liking (guint64 self, guint64 hash)
{
  return exo_mix (standing (self) ^ hash);
}

static int
compare_places (gconstpointer a, gconstpointer b)
{
  const Place *x = a, *y = b;

  if (x->score != y->score)
    return x->score < y->score ? 1 : -1;
  return x->index < y->index ? -1 : 1;
}

static void
sort_places (Circle *circle)
{
  qsort (circle->places, circle->n, sizeof (Place), compare_places);
}

static gboolean
matters (const ExoCircleNode *node)
{
  return !node->barred && (node->kin == EXO_CIRCLE_FELLOW || node->kin == EXO_CIRCLE_HOLDER);
}

static void
ask (Circle *circle, ExoCircleNode *node)
{
  circle->result.asking = TRUE;
  if (circle->asks == 0 || node->chosen)
    return;
  circle->asks--;
  node->chosen = TRUE;
}

static void
look_around (Circle *circle, gboolean self_hub)
{
  guint n_holders = 0;

  circle->any_hub = self_hub;
  for (guint i = 0; i < circle->n; i++)
    {
      const ExoCircleNode *node = &circle->nodes[i];

      if (node->barred)
        continue;
      n_holders += node->kin == EXO_CIRCLE_HOLDER;
      circle->any_hub = circle->any_hub || (node->kin == EXO_CIRCLE_FELLOW && node->hub);
    }
  circle->rare = n_holders <= circle->sizes->core;
}

/* From the top of the order, asking who is not known, until the core is complete. */
static void
find_core (Circle *circle, gboolean self_hub)
{
  guint n_core = 0;

  for (guint i = 0; i < circle->n; i++)
    circle->places[i] = (Place){ standing (circle->nodes[i].hash), i };
  sort_places (circle);
  for (guint i = 0; i <= circle->n && n_core < circle->sizes->core; i++)
    {
      ExoCircleNode *node;

      if (!circle->result.core && (self_hub || !circle->any_hub) &&
          (i == circle->n || circle->places[i].score < standing (circle->self)))
        {
          circle->result.core = TRUE;
          n_core++;
        }
      if (i == circle->n || n_core == circle->sizes->core)
        break;
      node = &circle->nodes[circle->places[i].index];
      if (node->barred)
        continue;
      node->core = node->kin == EXO_CIRCLE_FELLOW && (node->hub || !circle->any_hub);
      n_core += (guint) node->core;
      if (node->kin == EXO_CIRCLE_UNKNOWN)
        ask (circle, node);
    }
}

/* Asked by all, it would send the same to many who do not see what the others ask for. */
static gboolean
is_for_core (const Circle *circle, const ExoCircleNode *node)
{
  return circle->rare && node->kin == EXO_CIRCLE_HOLDER;
}

/* In the order of liking: some of the core, or all if this node is of it, and others. */
static void
choose_sources (Circle *circle)
{
  guint n_core = 0, n_others = 0;

  for (guint i = 0; i < circle->n; i++)
    circle->places[i] = (Place){ liking (circle->self, circle->nodes[i].hash), i };
  sort_places (circle);
  for (guint i = 0; i < circle->n; i++)
    {
      ExoCircleNode *node = &circle->nodes[circle->places[i].index];

      if (node->core && (circle->result.core || n_core < circle->sizes->listen))
        {
          node->chosen = TRUE;
          n_core++;
        }
      else if (is_for_core (circle, node))
        node->chosen = circle->result.core && !node->barred;
      else if (n_others < circle->sizes->others && matters (node))
        {
          node->chosen = TRUE;
          n_others++;
        }
      else if (n_others < circle->sizes->others && !node->barred && node->kin == EXO_CIRCLE_UNKNOWN)
        {
          ask (circle, node);
          n_others++;
        }
    }
}

/* What is up is of use, and who hears this node is heard in turn: both have pieces to trade. */
static void
keep_some (Circle *circle)
{
  guint n_chosen = 0;

  for (guint i = 0; i < circle->n; i++)
    n_chosen += (guint) circle->nodes[i].chosen;
  for (guint i = 0; i < circle->n && n_chosen < circle->sizes->most; i++)
    {
      ExoCircleNode *node = &circle->nodes[circle->places[i].index];

      if (node->chosen || !matters (node) || (!node->up && !node->hears_us) ||
          is_for_core (circle, node))
        continue;
      node->chosen = TRUE;
      n_chosen++;
    }
}

ExoCircleSelf
exo_circle_choose (const ExoCircleSizes *sizes,
                   guint64 self_hash,
                   gboolean self_hub,
                   ExoCircleNode *nodes,
                   guint n_nodes)
{
  g_autofree Place *places = g_new (Place, n_nodes + 1);
  Circle circle = { .sizes = sizes,
                    .self = self_hash,
                    .nodes = nodes,
                    .n = n_nodes,
                    .asks = sizes->asks,
                    .places = places };

  for (guint i = 0; i < n_nodes; i++)
    nodes[i].chosen = nodes[i].core = n_nodes <= sizes->all;
  if (n_nodes <= sizes->all)
    return (ExoCircleSelf){ .core = TRUE };
  look_around (&circle, self_hub);
  find_core (&circle, self_hub);
  choose_sources (&circle);
  keep_some (&circle);
  return circle.result;
}
