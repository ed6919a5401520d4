/* swarm.c - see swarm.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/sim/swarm.h"

#include <math.h>
#include <stdio.h>

#include "tests/sim/fluid.h"
#include "tests/sim/timeline.h"
#include "transfer/swarm/pace.h"
#include "transfer/swarm/plan.h"

#define MIB      1048576.0
#define OVERHEAD 400.0 /* bytes of HTTP and TCP around a request */
#define TIME_MAX 100000.0
#define DETECT_S 2.0 /* from death to removal */

typedef enum
{
  SAY_RELEASE, /* in the order in which a line is applied */
  SAY_HAVE,
  SAY_FETCH,
  SAY_CLAIM,
  N_SAYS
} SayKind;

typedef struct
{
  guint blob; /* index */
  guint32 first, n;
} Say;

struct Message
{
  gint refs;
  guint from;
  GArray *says[N_SAYS];
  guint uploads, queued;
  guint64 rate; /* of the sender's link, as measured */
};

typedef struct
{
  guint node;  /* who asked */
  gint source; /* a node, or -1 for the Hub */
  ExoPlanFetch fetch;
  guint blob;
  guint32 piece, end; /* being sent */
  Flow *flow;         /* while bytes flow */
  gboolean queued;
} Request;

typedef struct
{
  guint index;
  ExoPlan *plan;
  char id[33];
  double link; /* bytes/s */
  gboolean started, dead, slow;
  double start_s, done_s; /* done_s < 0: not yet */
  ExoPlanBlob *blobs;
  ExoPieceMap **have;
  guint64 missing; /* pieces */
  ExoPlanPeer *peers;
  GHashTable *requests; /* of this node: fetch -> Request, owned */
  GQueue *queue;        /* Request, waiting for a slot here */
  guint uploads;
  Message *message; /* being collected, or NULL */
  ExoPace hub, lan; /* what it gets */
  guint64 told_rate;
  guint64 n_messages, n_cancels;
  gint64 wake_us;
} Node;

typedef struct
{
  const Case *setup;
  double now_s;
  Fluid *fluid;
  Node *nodes;
  guint n_nodes, n_blobs;
  guint64 blob_size;
  Timeline *timeline;
  guint64 n_decisions;
  gint64 decision_us;
  double hub_bytes;
  GRand *chance;
} Sim;

/* Links of the fluid: the WAN, then two of each node, then the last node's own way to the Hub. */
static guint
up_link (guint node)
{
  return 1 + 2 * node;
}

static guint
down_link (guint node)
{
  return 2 + 2 * node;
}

static guint
own_line (const Sim *sim)
{
  return 1 + 2 * sim->n_nodes;
}

static gboolean
has_own_line (const Sim *sim, guint node)
{
  return sim->setup->own_line > 0 && node == sim->n_nodes - 1;
}

static void
plan_event (Sim *sim, double delay_s, Event event)
{
  event.at_s = sim->now_s + delay_s;
  timeline_push (sim->timeline, event);
}

static gint64
now_us (const Sim *sim)
{
  return llround (sim->now_s * G_USEC_PER_SEC);
}

/* Announcements. -------------------------------------------------------------------------- */

static void
message_unref (Message *message)
{
  if (--message->refs > 0)
    return;
  for (guint k = 0; k < N_SAYS; k++)
    g_array_unref (message->says[k]);
  g_free (message);
}

static Message *
open_message (Sim *sim, Node *node)
{
  if (node->message == NULL)
    {
      node->message = g_new0 (Message, 1);
      node->message->refs = 1;
      node->message->from = node->index;
      for (guint k = 0; k < N_SAYS; k++)
        node->message->says[k] = g_array_new (FALSE, FALSE, sizeof (Say));
      plan_event (sim, sim->setup->coalesce_ms / 1000,
                  (Event){ .kind = EVENT_FLUSH, .node = node->index });
    }
  return node->message;
}

static gboolean
is_there (const Node *node)
{
  return node->started && !node->dead;
}

static void
flush_message (Sim *sim, Node *node)
{
  Message *message = g_steal_pointer (&node->message);

  if (message == NULL)
    return;
  message->rate = node->told_rate;
  message->uploads = node->uploads;
  message->queued = node->queue->length;
  for (guint i = 0; i < sim->n_nodes; i++)
    {
      if (i == node->index || !is_there (&sim->nodes[i]) || !is_there (node))
        continue;
      message->refs++;
      node->n_messages++;
      plan_event (sim, sim->setup->lan_rtt_ms / 2000,
                  (Event){ .kind = EVENT_HEARD, .node = i, .message = message });
    }
  message_unref (message);
}

static void
say (Sim *sim, Node *node, SayKind kind, guint blob, guint32 first, guint32 n)
{
  Say words = { blob, first, n };

  /* a line is applied in the order of kinds: a release must not overtake what it ends */
  if (kind == SAY_RELEASE && node->message != NULL &&
      (node->message->says[SAY_CLAIM]->len > 0 || node->message->says[SAY_FETCH]->len > 0))
    flush_message (sim, node);
  g_array_append_val (open_message (sim, node)->says[kind], words);
}

static guint64
card_speed (const Sim *sim, const Node *node)
{
  return sim->setup->blind ? 0 : (guint64) node->link;
}

/* What the daemon looks at twice a second. */
static void
measure (Sim *sim, Node *node)
{
  guint64 best = exo_pace_best (&node->lan, EXO_PACE_LAN_US, now_us (sim));

  exo_plan_set_hub (node->plan, TRUE, 0, exo_pace_rate (&node->hub, EXO_PACE_HUB_US, now_us (sim)),
                    llround (sim->setup->hub_rtt_ms * 1000));
  exo_plan_set_lan_rate (node->plan, exo_pace_rate (&node->lan, EXO_PACE_LAN_US, now_us (sim)));
  if (!exo_pace_is_news (node->told_rate, best))
    return;
  node->told_rate = best;
  exo_plan_set_link (node->plan, card_speed (sim, node), best);
  open_message (sim, node);
}

static void
hear (Sim *sim, Node *node, const Message *message)
{
  ExoPlanPeer peer = node->peers[message->from];

  if (peer == 0)
    return;
  for (guint k = 0; k < N_SAYS; k++)
    for (guint i = 0; i < message->says[k]->len; i++)
      {
        Say s = g_array_index (message->says[k], Say, i);
        ExoPlanBlob blob = node->blobs[s.blob];

        if (k == SAY_RELEASE)
          exo_plan_peer_released (node->plan, peer, blob, s.first, s.n);
        else if (k == SAY_HAVE)
          exo_plan_peer_has (node->plan, peer, blob, s.first, s.n);
        else if (k == SAY_FETCH)
          exo_plan_peer_fetching (node->plan, peer, blob, s.first, s.n);
        else
          exo_plan_peer_claims (node->plan, peer, blob, s.first, s.n, now_us (sim));
      }
  exo_plan_peer_load (node->plan, peer, message->uploads, message->queued);
  exo_plan_peer_link (node->plan, peer, card_speed (sim, &sim->nodes[message->from]),
                      message->rate);
}

/* Bytes. ---------------------------------------------------------------------------------- */

static void
start_flow (Sim *sim, Request *request)
{
  double bytes = OVERHEAD + exo_piece_length (sim->blob_size, request->piece);
  guint from = request->source < 0 ? 0 : up_link ((guint) request->source);
  guint to = down_link (request->node);

  if (request->source < 0 && has_own_line (sim, request->node))
    {
      from = own_line (sim);
      to = own_line (sim) + 1;
    }
  request->flow = fluid_add (sim->fluid, from, to, bytes, request);
}

static void
fill_slots (Sim *sim, Node *node)
{
  guint half = MAX (8, (sim->n_nodes + 1) / 2);
  guint slots = sim->setup->slots > 0 ? (guint) sim->setup->slots : half;

  while (node->uploads < slots && !g_queue_is_empty (node->queue))
    {
      Request *request = g_queue_pop_head (node->queue);

      request->queued = FALSE;
      node->uploads++;
      start_flow (sim, request);
    }
  open_message (sim, node);
}

static void
stop_request (Sim *sim, Request *request)
{
  Node *source = request->source >= 0 ? &sim->nodes[request->source] : NULL;

  if (request->queued)
    g_queue_remove (source->queue, request);
  request->queued = FALSE;
  if (request->flow == NULL)
    return;
  fluid_remove (sim->fluid, g_steal_pointer (&request->flow));
  if (source == NULL)
    return;
  source->uploads--;
  if (is_there (source))
    fill_slots (sim, source);
}

static void
carry_out (Sim *sim, Node *node, const ExoPlanAction *action)
{
  Request *request;
  gint source = -1;

  for (guint i = 0; action->peer != 0 && i < sim->n_nodes; i++)
    if (node->peers[i] == action->peer)
      source = (gint) i;
  request = g_new0 (Request, 1);
  request->node = node->index;
  request->source = source;
  request->fetch = action->fetch;
  while (node->blobs[request->blob] != action->blob)
    request->blob++;
  request->piece = action->first;
  request->end = action->first + action->n;
  g_hash_table_insert (node->requests, GUINT_TO_POINTER (action->fetch), request);
  exo_pace_begin (source < 0 ? &node->hub : &node->lan, now_us (sim));
  say (sim, node, source < 0 ? SAY_CLAIM : SAY_FETCH, request->blob, action->first, action->n);
  plan_event (sim, source < 0 ? sim->setup->hub_rtt_ms / 1000 : sim->setup->lan_rtt_ms / 2000,
              (Event){ .kind = EVENT_ASKED, .node = node->index, .fetch = action->fetch });
}

static void
end_request (Sim *sim, Node *node, Request *request, ExoPlanEnding ending)
{
  stop_request (sim, request);
  if (ending != EXO_PLAN_ENDED_DONE)
    say (sim, node, SAY_RELEASE, request->blob, request->piece, request->end - request->piece);
  exo_pace_end (request->source < 0 ? &node->hub : &node->lan, now_us (sim));
  exo_plan_fetch_ended (node->plan, request->fetch, ending, now_us (sim));
  g_hash_table_remove (node->requests, GUINT_TO_POINTER (request->fetch));
}

static void
pump (Sim *sim, Node *node)
{
  gint64 begin = g_get_monotonic_time (), wake;
  ExoPlanAction action;

  while (exo_plan_next (node->plan, now_us (sim), &action))
    {
      Request *request;

      sim->n_decisions++;
      if (action.kind != EXO_PLAN_CANCEL)
        {
          carry_out (sim, node, &action);
          continue;
        }
      node->n_cancels++;
      request = g_hash_table_lookup (node->requests, GUINT_TO_POINTER (action.fetch));
      if (request != NULL)
        end_request (sim, node, request, EXO_PLAN_ENDED_CANCELLED);
    }
  sim->n_decisions++;
  sim->decision_us += g_get_monotonic_time () - begin;
  wake = exo_plan_wake_at (node->plan);
  if (wake != G_MAXINT64 && wake != node->wake_us)
    plan_event (sim, MAX (0, (double) wake / G_USEC_PER_SEC - sim->now_s),
                (Event){ .kind = EVENT_WAKE, .node = node->index });
  node->wake_us = wake;
}

static void
got_piece (Sim *sim, Node *node, guint blob, guint32 piece)
{
  if (!exo_piece_map_add (node->have[blob], piece))
    return;
  if (--node->missing == 0)
    node->done_s = sim->now_s;
  say (sim, node, SAY_HAVE, blob, piece, 1);
  exo_plan_piece_done (node->plan, node->blobs[blob], piece, now_us (sim));
}

static void
hub_piece_sent (Sim *sim, Node *node, Request *request)
{
  double bytes = exo_piece_length (sim->blob_size, request->piece);

  sim->hub_bytes += bytes;
  exo_pace_add (&node->hub, (guint64) bytes, now_us (sim));
  measure (sim, node);
  got_piece (sim, node, request->blob, request->piece++);
  if (request->piece < request->end)
    request->flow->left += exo_piece_length (sim->blob_size, request->piece);
  else
    end_request (sim, node, request, EXO_PLAN_ENDED_DONE);
  pump (sim, node);
}

static void
piece_sent (Sim *sim, Flow *flow)
{
  Request *request = flow->owner;

  if (request->source < 0)
    {
      hub_piece_sent (sim, &sim->nodes[request->node], request);
      return;
    }
  plan_event (sim, sim->setup->lan_rtt_ms / 2000,
              (Event){ .kind = EVENT_DELIVERED,
                       .node = request->node,
                       .fetch = request->fetch,
                       .piece = request->piece });
  stop_request (sim, request);
}

static void
asked (Sim *sim, Node *node, Request *request)
{
  Node *source;

  if (request->source < 0)
    {
      start_flow (sim, request);
      return;
    }
  source = &sim->nodes[request->source];
  if (!is_there (source))
    return; /* nobody answers */
  if (!exo_piece_map_has (source->have[request->blob], request->piece))
    {
      end_request (sim, node, request, EXO_PLAN_ENDED_MISSING);
      pump (sim, node);
      return;
    }
  request->queued = TRUE;
  g_queue_push_tail (source->queue, request);
  fill_slots (sim, source);
}

/* Nodes. ---------------------------------------------------------------------------------- */

/* What @node gets to know of @other when they meet. */
static void
meet (Sim *sim, Node *node, const Node *other)
{
  ExoPlanPeer peer = exo_plan_add_peer (node->plan, other->id, 0);
  GHashTableIter iter;
  gpointer value;

  node->peers[other->index] = peer;
  exo_plan_peer_link (node->plan, peer, card_speed (sim, other), other->told_rate);
  exo_plan_peer_hub (node->plan, peer, other->index >= (guint) sim->setup->seeders, 0);
  for (guint b = 0; b < sim->n_blobs; b++)
    {
      exo_plan_peer_wants (node->plan, peer, node->blobs[b],
                           !exo_piece_map_is_full (other->have[b]));
      for (guint32 i = 0; i < exo_piece_map_n_pieces (other->have[b]); i++)
        if (exo_piece_map_has (other->have[b], i))
          exo_plan_peer_has (node->plan, peer, node->blobs[b], i, 1);
    }
  g_hash_table_iter_init (&iter, other->requests);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const Request *r = value;
      ExoPlanBlob blob = node->blobs[r->blob];

      if (r->source < 0)
        exo_plan_peer_claims (node->plan, peer, blob, r->piece, r->end - r->piece, now_us (sim));
      else
        exo_plan_peer_fetching (node->plan, peer, blob, r->piece, r->end - r->piece);
    }
}

static void
start_node (Sim *sim, Node *node)
{
  node->started = TRUE;
  for (guint i = 0; i < sim->n_nodes; i++)
    {
      Node *other = &sim->nodes[i];

      if (other == node || !is_there (other))
        continue;
      flush_message (sim, other); /* or the newcomer would miss what is being collected */
      meet (sim, other, node);
      meet (sim, node, other);
      pump (sim, other);
    }
  exo_plan_set_hub (node->plan, node->index >= (guint) sim->setup->seeders && sim->setup->wan > 0,
                    0, 0, llround (sim->setup->hub_rtt_ms * 1000));
  pump (sim, node);
}

static void
kill_node (Sim *sim, Node *node)
{
  GHashTableIter iter;
  gpointer value;

  node->dead = TRUE;
  g_hash_table_iter_init (&iter, node->requests);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    stop_request (sim, value);
  g_hash_table_remove_all (node->requests);
  for (guint i = 0; i < sim->n_nodes; i++)
    {
      g_hash_table_iter_init (&iter, sim->nodes[i].requests);
      while (g_hash_table_iter_next (&iter, NULL, &value))
        if (((Request *) value)->source == (gint) node->index)
          stop_request (sim, value);
    }
  plan_event (sim, DETECT_S, (Event){ .kind = EVENT_NOTICE_DEATH, .node = node->index });
}

static void
notice_death (Sim *sim, guint dead)
{
  for (guint i = 0; i < sim->n_nodes; i++)
    {
      Node *node = &sim->nodes[i];

      if (!is_there (node) || node->peers[dead] == 0)
        continue;
      exo_plan_remove_peer (node->plan, node->peers[dead]);
      node->peers[dead] = 0;
      pump (sim, node);
    }
}

static void
happen (Sim *sim, Event event)
{
  Node *node = &sim->nodes[event.node];
  Request *request = g_hash_table_lookup (node->requests, GUINT_TO_POINTER (event.fetch));

  switch (event.kind)
    {
    case EVENT_START:
      start_node (sim, node);
      return;
    case EVENT_DIE:
      kill_node (sim, node);
      return;
    case EVENT_NOTICE_DEATH:
      notice_death (sim, event.node);
      return;
    case EVENT_ASKED:
      if (request != NULL)
        asked (sim, node, request);
      return;
    case EVENT_DELIVERED:
      if (request == NULL)
        return;
      exo_pace_add (&node->lan, exo_piece_length (sim->blob_size, event.piece), now_us (sim));
      measure (sim, node);
      got_piece (sim, node, request->blob, event.piece);
      end_request (sim, node, request, EXO_PLAN_ENDED_DONE);
      break;
    case EVENT_FLUSH:
      flush_message (sim, node);
      return;
    case EVENT_HEARD:
      if (is_there (node))
        hear (sim, node, event.message);
      message_unref (event.message);
      break;
    case EVENT_WAKE:
      break;
    default:
      g_assert_not_reached ();
    }
  if (is_there (node))
    pump (sim, node);
}

/* A case. --------------------------------------------------------------------------------- */

static void
init_node (Sim *sim, guint index)
{
  const Case *setup = sim->setup;
  ExoPlanConfig config = EXO_PLAN_CONFIG_DEFAULT;
  Node *node = &sim->nodes[index];
  gboolean seeder = index < (guint) setup->seeders;

  config.hub_runs = (guint) setup->hub_runs;
  if (setup->fetches > 0)
    config.fetches_max = (guint) setup->fetches;
  if (setup->window > 0)
    config.window_pieces = (guint) setup->window;
  node->index = index;
  node->slow = index >= sim->n_nodes - (guint) setup->stragglers;
  node->link = setup->lan * 1e6 / (node->slow ? 10 : 1);
  g_snprintf (node->id, sizeof node->id, "%016x%016x", g_rand_int (sim->chance), index);
  node->plan = exo_plan_new (node->id, g_rand_int (sim->chance), &config);
  exo_plan_set_link (node->plan, card_speed (sim, node), 0);
  node->blobs = g_new0 (ExoPlanBlob, sim->n_blobs);
  node->have = g_new0 (ExoPieceMap *, sim->n_blobs);
  for (guint b = 0; b < sim->n_blobs; b++)
    {
      g_autofree char *oid = g_strdup_printf ("%d %u", setup->seed, b);

      node->have[b] = exo_piece_map_new (sim->blob_size);
      if (seeder)
        exo_piece_map_fill (node->have[b]);
      node->missing +=
          exo_piece_map_n_pieces (node->have[b]) - exo_piece_map_n_held (node->have[b]);
      node->blobs[b] =
          exo_plan_add_blob (node->plan, oid, sim->blob_size, node->have[b], setup->wan > 0, TRUE);
    }
  node->peers = g_new0 (ExoPlanPeer, sim->n_nodes);
  node->requests = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  node->queue = g_queue_new ();
  node->done_s = seeder ? 0 : -1;
  node->start_s = seeder || setup->spread_ms == 0
                      ? 0
                      : g_rand_double_range (sim->chance, 0, setup->spread_ms / 1000.0);
  fluid_set_link (sim->fluid, up_link (index), node->link);
  fluid_set_link (sim->fluid, down_link (index), node->link);
  plan_event (sim, node->start_s, (Event){ .kind = EVENT_START, .node = index });
}

static void
clear_node (Sim *sim, Node *node)
{
  exo_plan_free (node->plan);
  for (guint b = 0; b < sim->n_blobs; b++)
    exo_piece_map_free (node->have[b]);
  g_free (node->have);
  g_free (node->blobs);
  g_free (node->peers);
  g_hash_table_unref (node->requests);
  g_queue_free (node->queue);
  if (node->message != NULL)
    message_unref (node->message);
}

/* Stragglers are given the time they need: what counts is how they slow down the others. But with a line of its own
 * one can do better than that. */
static gboolean
counts (const Sim *sim, const Node *node)
{
  return !node->dead && (!node->slow || has_own_line (sim, node->index));
}

static gboolean
is_over (const Sim *sim)
{
  for (guint i = 0; i < sim->n_nodes; i++)
    if (counts (sim, &sim->nodes[i]) && sim->nodes[i].done_s < 0)
      return FALSE;
  return TRUE;
}

/* No schedule can be faster: every byte must cross the WAN once, and each node's own link. */
static double
bound_s (const Sim *sim)
{
  double bytes = (double) sim->blob_size * sim->n_blobs, bound = 0, first = INFINITY;
  double own_rate = sim->setup->own_line * sim->setup->lan * 1e6;

  for (guint i = 0; i < sim->n_nodes; i++)
    {
      const Node *node = &sim->nodes[i];

      if (!counts (sim, node) || i < (guint) sim->setup->seeders)
        continue;
      bound = MAX (bound,
                   node->start_s + bytes / (node->link + (has_own_line (sim, i) ? own_rate : 0)));
      first = MIN (first, node->start_s);
    }
  if (sim->setup->seeders == 0)
    bound = MAX (bound, first + bytes / (sim->setup->wan * sim->setup->lan * 1e6 + own_rate));
  return bound;
}

static void
run (Sim *sim)
{
  while (!is_over (sim) && sim->now_s < TIME_MAX)
    {
      double until_flow = fluid_until_next (sim->fluid);
      double until_event = MAX (0, timeline_next_at (sim->timeline) - sim->now_s);
      double step = MIN (until_flow, until_event);
      Flow *flow;

      if (isinf (step))
        return; /* nothing will ever happen again */
      fluid_advance (sim->fluid, step);
      sim->now_s += step;
      if (until_event <= until_flow)
        happen (sim, timeline_pop (sim->timeline));
      while ((flow = fluid_peek_finished (sim->fluid)) != NULL)
        piece_sent (sim, flow);
    }
}

static gboolean
report (const Sim *sim)
{
  const Case *setup = sim->setup;
  double bytes = (double) sim->blob_size * sim->n_blobs, last = 0;
  double hub = sim->hub_bytes / bytes, ratio;
  guint64 messages = 0, cancels = 0;
  gboolean over = is_over (sim), good;

  for (guint i = 0; i < sim->n_nodes; i++)
    {
      messages += sim->nodes[i].n_messages;
      cancels += sim->nodes[i].n_cancels;
      if (counts (sim, &sim->nodes[i]))
        last = MAX (last, sim->nodes[i].done_s);
    }
  ratio = last / bound_s (sim);
  good = over && hub <= setup->max_hub && ratio <= setup->max_time;
  printf (
      "%-26s N=%-4u hub/F %.4f  T/bound %.4f  T %7.3f s  messages/node %6.0f  cancels %4" G_GUINT64_FORMAT
      "  %.2f us/decision%s\n",
      setup->name, sim->n_nodes, hub, ratio, last, (double) messages / sim->n_nodes, cancels,
      (double) sim->decision_us / (double) sim->n_decisions,
      good   ? ""
      : over ? "  PAST ITS LIMITS"
             : "  NOT FINISHED");
  fflush (stdout);
  return good;
}

gboolean
run_case (const Case *setup)
{
  Sim sim = { .setup = setup };
  gboolean good;

  sim.n_nodes = (guint) setup->nodes;
  sim.n_blobs = (guint) setup->files;
  sim.blob_size = (guint64) (setup->size_mib * MIB / setup->files);
  sim.chance = g_rand_new_with_seed ((guint32) setup->seed);
  sim.timeline = timeline_new ();
  sim.fluid = fluid_new (3 + 2 * sim.n_nodes);
  fluid_set_link (sim.fluid, 0, setup->wan * setup->lan * 1e6);
  fluid_set_link (sim.fluid, own_line (&sim), setup->own_line * setup->lan * 1e6);
  fluid_set_link (sim.fluid, own_line (&sim) + 1, INFINITY); /* past the line nothing is slow */
  sim.nodes = g_new0 (Node, sim.n_nodes);
  for (guint i = 0; i < sim.n_nodes; i++)
    init_node (&sim, i);
  for (guint i = 0; i < (guint) setup->churn; i++)
    plan_event (&sim, bound_s (&sim) / 2,
                (Event){ .kind = EVENT_DIE, .node = (guint) (setup->seeders + 1) + i });
  run (&sim);
  good = report (&sim);
  while (!isinf (timeline_next_at (sim.timeline)))
    {
      Event event = timeline_pop (sim.timeline);

      if (event.message != NULL)
        message_unref (event.message);
    }
  for (guint i = 0; i < sim.n_nodes; i++)
    clear_node (&sim, &sim.nodes[i]);
  g_free (sim.nodes);
  fluid_free (sim.fluid);
  timeline_free (sim.timeline);
  g_rand_free (sim.chance);
  return good;
}
