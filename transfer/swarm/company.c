/* company.c - whom of many neighbours to keep sessions with: carries out circle.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * With few neighbours all are chosen as soon as they are known, and nothing here matters.
 */

#include "transfer/swarm/plan-private.h"
#include "transfer/swarm/swarm-private.h"

/* News that come together lead to one choice. */
#define CHOOSE_DELAY_MS 10

static gboolean
has_many (ExoSwarm *swarm)
{
  return g_hash_table_size (swarm->neighbours) > swarm->circle.all;
}

static ExoCircleNode
describe (const ExoNeighbour *neighbour)
{
  return (ExoCircleNode){
    .hash = exo_plan_hash_text (neighbour->id),
    .kin = neighbour->kin,
    .hub = neighbour->hub,
    .barred = neighbour->shunned || exo_session_n_failures (neighbour->session) >
                                        (neighbour->kin == EXO_CIRCLE_UNKNOWN ? 0 : 1),
    .up = neighbour->peer != 0,
    .hears_us = neighbour->hears_us,
  };
}

/* Who does not answer is tried again by its session, as ever, but not counted on. */
static void
take_note (ExoNeighbour *neighbour, const ExoCircleNode *node)
{
  neighbour->core = node->core;
  neighbour->chosen = node->chosen || (neighbour->chosen && node->barred);
  if (neighbour->peer != 0)
    exo_plan_peer_aside (neighbour->swarm->plan, neighbour->peer, !node->core);
}

static void
choose_all (ExoSwarm *swarm, const ExoWireHello *hello)
{
  g_autoptr (GPtrArray) neighbours = exo_swarm_neighbours (swarm);
  g_autofree ExoCircleNode *nodes = g_new (ExoCircleNode, neighbours->len + 1);
  ExoCircleSelf self;

  for (guint i = 0; i < neighbours->len; i++)
    nodes[i] = describe (g_ptr_array_index (neighbours, i));
  self = exo_circle_choose (&swarm->circle, exo_plan_hash_text (swarm->node_id),
                            swarm->hub_reachable, nodes, neighbours->len);
  swarm->asking = self.asking && hello->blobs->len > 0;
  exo_plan_set_aside (swarm->plan, !self.core);
  for (guint i = 0; i < neighbours->len; i++)
    take_note (g_ptr_array_index (neighbours, i), &nodes[i]);
}

void
exo_company_subscribe (ExoSwarm *swarm, const ExoWireHello *hello, gboolean anew)
{
  g_autoptr (ExoWireHello) nothing = exo_swarm_subscription (swarm);
  g_autoptr (GPtrArray) neighbours = exo_swarm_neighbours (swarm);

  g_array_set_size (nothing->blobs, 0);
  choose_all (swarm, hello);
  for (guint i = 0; i < neighbours->len; i++)
    {
      ExoNeighbour *neighbour = g_ptr_array_index (neighbours, i);

      if (!neighbour->shunned &&
          (anew || neighbour->chosen != exo_session_is_asking (neighbour->session)))
        exo_session_subscribe (neighbour->session, neighbour->chosen ? hello : nothing);
    }
  exo_swarm_check_informed (swarm);
}

static gboolean
choose (gpointer user_data)
{
  ExoSwarm *swarm = user_data;
  g_autoptr (ExoWireHello) hello = exo_swarm_subscription (swarm);

  swarm->choose_source = 0;
  if (hello->blobs->len == 0)
    return G_SOURCE_REMOVE;
  exo_company_subscribe (swarm, hello, FALSE);
  exo_swarm_pump_soon (swarm);
  return G_SOURCE_REMOVE;
}

/* Nothing is asked while nothing is wanted, and whom to ask anew is chosen when the neighbours are subscribed to anew. */
void
exo_company_choose_soon (ExoSwarm *swarm)
{
  if (swarm->choose_source == 0 && !swarm->stopping && g_hash_table_size (swarm->jobs) > 0)
    swarm->choose_source = g_timeout_add (CHOOSE_DELAY_MS, choose, swarm);
}

void
exo_company_changed (ExoSwarm *swarm)
{
  if (has_many (swarm))
    exo_company_choose_soon (swarm);
}

void
exo_company_forget (ExoSwarm *swarm)
{
  GHashTableIter iter;
  ExoNeighbour *neighbour;

  g_hash_table_iter_init (&iter, swarm->neighbours);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &neighbour))
    if (neighbour->kin == EXO_CIRCLE_STRANGER)
      neighbour->kin = EXO_CIRCLE_UNKNOWN;
}

static void
set_kin (ExoNeighbour *neighbour, ExoCircleKin kin)
{
  if (neighbour->kin == kin)
    return;
  neighbour->kin = kin;
  exo_company_changed (neighbour->swarm);
}

void
exo_company_heard (ExoNeighbour *neighbour, const ExoWireLine *line)
{
  if (g_hash_table_size (neighbour->wants) > 0)
    set_kin (neighbour, EXO_CIRCLE_FELLOW);
  else if (line->states->len > 0 || line->have->len > 0)
    set_kin (neighbour, EXO_CIRCLE_HOLDER);
  else if (neighbour->kin == EXO_CIRCLE_UNKNOWN && line->hello == NULL)
    set_kin (neighbour, EXO_CIRCLE_STRANGER);
}

void
exo_company_asked (ExoNeighbour *neighbour, const ExoWireHello *hello)
{
  neighbour->hears_us = TRUE;
  for (guint i = 0; i < hello->blobs->len; i++)
    if (g_hash_table_contains (neighbour->swarm->jobs,
                               g_array_index (hello->blobs, ExoWireBlob, i).oid))
      {
        set_kin (neighbour, EXO_CIRCLE_FELLOW);
        return;
      }
}
