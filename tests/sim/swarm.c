/* swarm.c - see swarm.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/sim/swarm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/sim/fluid.h"
#include "tests/sim/timeline.h"
#include "transfer/swarm/circle.h"
#include "transfer/swarm/pace.h"
#include "transfer/swarm/plan-private.h"
#include "transfer/swarm/wire.h"

#define MIB          1048576.0
#define OVERHEAD     400.0 /* bytes of HTTP and TCP around a request */
#define TIME_MAX     100000.0
#define DETECT_S     2.0 /* from death to removal */
#define LATE_S       0.2
#define FRAME        73 /* bytes around a line: a chunk of HTTP (7), TCP with time stamps, IP, Ethernet */
#define SAMPLE       31     /* of so many times that a plan is asked the clock is read once */
#define SAMPLE_MAX_S 200e-6 /* no question takes as long */

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
  GArray *listeners; /* nodes it reaches in time */
  guint uploads, queued;
  guint64 rate;     /* of the sender's link, as measured */
  guint64 hub_rate; /* what it gets from the Hub */
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
  gboolean started, gathered, dead, slow;
  gboolean core;
  double start_s, done_s; /* done_s < 0: not yet */
  ExoPlanBlob *blobs;
  ExoPieceMap **have;
  guint64 missing;      /* pieces */
  ExoPlanPeer *peers;   /* by node: whom it hears */
  GArray *by_peer;      /* nodes, by ExoPlanPeer */
  GArray *listeners;    /* nodes that hear it */
  double *clear_at_s;   /* by listener: what is said later comes later */
  GHashTable *requests; /* of this node: fetch -> Request, owned */
  GQueue *queue;        /* Request, waiting for a slot here */
  guint uploads;
  Message *message;        /* being collected, or NULL */
  ExoWireBuilder *builder; /* the same, as it goes over the wire */
  ExoPace hub, lan;        /* what it gets */
  guint64 told_rate, hub_rate, told_hub_rate;
  guint64 n_messages, n_cancels;
  double talk; /* bytes of announcements sent */
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
  guint n_waiting; /* nodes that count and are not done */
  gboolean gathering;
  guint64 n_pumps, n_decisions, n_sampled;
  double sampled_s;
  double hub_bytes, seed_bytes; /* from the Hub, from nodes that had it all at first */
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
  g_array_unref (message->listeners);
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
      node->message->listeners = g_array_sized_new (FALSE, FALSE, sizeof (guint), 32);
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

/* Bytes of the message to one listener. */
static double
line_length (Node *node, const Message *message)
{
  g_autofree char *line = NULL;

  exo_wire_builder_load (node->builder, message->uploads, message->queued);
  line = exo_wire_builder_take (node->builder);
  return (double) strlen (line) + 1 + FRAME;
}

static void
send_message (Sim *sim, Node *node, Message *message, double length)
{
  double delay_s = sim->setup->lan_rtt_ms / 2000;

  for (guint i = 0; i < node->listeners->len; i++)
    {
      guint listener = g_array_index (node->listeners, guint, i);
      double *clear_at_s = &node->clear_at_s[listener];

      node->n_messages++;
      node->talk += length;
      if (sim->setup->late > 0 && g_rand_double (sim->chance) * 100 < sim->setup->late)
        *clear_at_s = MAX (*clear_at_s, sim->now_s + LATE_S);
      if (*clear_at_s <= sim->now_s)
        {
          g_array_append_val (message->listeners, listener);
          continue;
        }
      message->refs++;
      plan_event (sim, *clear_at_s - sim->now_s + delay_s,
                  (Event){ .kind = EVENT_HEARD_LATE, .node = listener, .message = message });
    }
  plan_event (sim, delay_s,
              (Event){ .kind = EVENT_HEARD, .node = node->index, .message = message });
}

static void
flush_message (Sim *sim, Node *node)
{
  Message *message = g_steal_pointer (&node->message);

  if (message == NULL)
    return;
  message->rate = node->told_rate;
  message->hub_rate = node->told_hub_rate;
  message->uploads = node->uploads;
  message->queued = node->queue->length;
  if (is_there (node))
    send_message (sim, node, message, line_length (node, message));
  else
    message_unref (message);
}

static void
say (Sim *sim, Node *node, SayKind kind, guint blob, guint32 first, guint32 n)
{
  static const ExoWireEvent events[N_SAYS] = { EXO_WIRE_RELEASE, EXO_WIRE_HAVE, EXO_WIRE_FETCH,
                                               EXO_WIRE_CLAIM };
  Say words = { blob, first, n };

  /* a line is applied in the order of kinds: a release must not overtake what it ends */
  if (kind == SAY_RELEASE && node->message != NULL &&
      (node->message->says[SAY_CLAIM]->len > 0 || node->message->says[SAY_FETCH]->len > 0))
    flush_message (sim, node);
  g_array_append_val (open_message (sim, node)->says[kind], words);
  (void) exo_wire_builder_add (node->builder, events[kind], blob, first, n);
  if (kind == SAY_CLAIM) /* it does not wait for company */
    plan_event (sim, 0, (Event){ .kind = EVENT_FLUSH, .node = node->index });
}

static guint64
card_speed (const Sim *sim, const Node *node)
{
  return sim->setup->blind ? 0 : (guint64) node->link;
}

static gboolean
reaches_hub (const Sim *sim, guint node)
{
  return node >= (guint) sim->setup->seeders;
}

/* What the daemon looks at twice a second. */
static void
measure (Sim *sim, Node *node)
{
  guint64 best = exo_pace_best (&node->lan, EXO_PACE_LAN_US, now_us (sim));

  node->hub_rate = exo_pace_rate (&node->hub, EXO_PACE_HUB_US, now_us (sim));
  exo_plan_set_hub (node->plan, TRUE, 0, node->hub_rate, llround (sim->setup->hub_rtt_ms * 1000));
  exo_plan_set_lan_rate (node->plan, exo_pace_rate (&node->lan, EXO_PACE_LAN_US, now_us (sim)));
  if (exo_pace_is_hub_news (node->told_hub_rate, node->hub_rate))
    {
      node->told_hub_rate = node->hub_rate;
      open_message (sim, node);
    }
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
  exo_plan_peer_hub (node->plan, peer, reaches_hub (sim, message->from), message->hub_rate);
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
  guint half = CLAMP ((sim->n_nodes + 1) / 2, 8, 12);
  guint slots = sim->setup->slots > 0 ? (guint) sim->setup->slots : half;

  while (node->uploads < slots && !g_queue_is_empty (node->queue))
    {
      Request *request = g_queue_pop_head (node->queue);

      request->queued = FALSE;
      node->uploads++;
      start_flow (sim, request);
    }
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
  gint source = action->peer != 0 ? (gint) g_array_index (node->by_peer, guint, action->peer) : -1;

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

static double
clock_s (void)
{
  struct timespec spec;

  clock_gettime (CLOCK_MONOTONIC, &spec);
  return (double) spec.tv_sec + (double) spec.tv_nsec / 1e9;
}

/* Not the clock of CPU time, which is a system call: what follows one finds cold caches, and a question of 20 ns took 500. So
 * others may have had the processor meanwhile; such a sample is dropped. */
static gboolean
decide_timed (Sim *sim, Node *node, ExoPlanAction *action)
{
  double before_s = clock_s (), begin_s = clock_s (), end_s;
  gboolean found = exo_plan_next (node->plan, now_us (sim), action);

  end_s = clock_s ();
  if (end_s - before_s > SAMPLE_MAX_S)
    return found;
  sim->sampled_s += end_s - begin_s - (begin_s - before_s); /* less what reading the clock takes */
  sim->n_sampled++;
  return found;
}

/* Asks the plan. What it says to do is done only when the clock has stopped. */
static gboolean
decide (Sim *sim, Node *node, ExoPlanAction *action)
{
  gboolean found = sim->n_pumps++ % SAMPLE == 0 ? decide_timed (sim, node, action)
                                                : exo_plan_next (node->plan, now_us (sim), action);

  sim->n_decisions += found;
  return found;
}

static void
pump (Sim *sim, Node *node)
{
  ExoPlanAction action;
  gint64 wake;

  while (decide (sim, node, &action))
    {
      Request *request;

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
  wake = exo_plan_wake_at (node->plan);
  if (wake != G_MAXINT64 && wake != node->wake_us)
    plan_event (sim, MAX (0, (double) wake / G_USEC_PER_SEC - sim->now_s),
                (Event){ .kind = EVENT_WAKE, .node = node->index });
  node->wake_us = wake;
}

/* Stragglers are given the time they need: what counts is how they slow down the others. But with a line of its own
 * one can do better than that. */
static gboolean
counts (const Sim *sim, const Node *node)
{
  return !node->dead && (!node->slow || has_own_line (sim, node->index));
}

static void
got_piece (Sim *sim, Node *node, guint blob, guint32 piece)
{
  if (!exo_piece_map_add (node->have[blob], piece))
    return;
  if (--node->missing == 0)
    {
      node->done_s = sim->now_s;
      sim->n_waiting -= counts (sim, node);
    }
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
    fluid_more (sim->fluid, request->flow, exo_piece_length (sim->blob_size, request->piece));
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
  if (request->source < sim->setup->seeders)
    sim->seed_bytes += exo_piece_length (sim->blob_size, request->piece);
  plan_event (sim, sim->setup->lan_rtt_ms / 2000,
              (Event){ .kind = EVENT_DELIVERED,
                       .node = request->node,
                       .fetch = request->fetch,
                       .piece = request->piece });
  if (request->piece + 1 < request->end)
    fluid_more (sim->fluid, flow, exo_piece_length (sim->blob_size, ++request->piece));
  else
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

/* What @node gets to know of @other when it begins to hear it. */
static void
meet (Sim *sim, Node *node, Node *other)
{
  ExoPlanPeer peer = exo_plan_add_peer (node->plan, other->id, 0);
  GHashTableIter iter;
  gpointer value;

  node->peers[other->index] = peer;
  g_array_set_size (node->by_peer, peer + 1);
  g_array_index (node->by_peer, guint, peer) = other->index;
  g_array_append_val (other->listeners, node->index);
  exo_plan_peer_link (node->plan, peer, card_speed (sim, other), other->told_rate);
  exo_plan_peer_hub (node->plan, peer, reaches_hub (sim, other->index), other->hub_rate);
  exo_plan_peer_aside (node->plan, peer, !other->core);
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
part (Node *node, Node *other)
{
  exo_plan_remove_peer (node->plan, node->peers[other->index]);
  node->peers[other->index] = 0;
  for (guint i = 0; i < other->listeners->len; i++)
    if (g_array_index (other->listeners, guint, i) == node->index)
      {
        g_array_remove_index_fast (other->listeners, i);
        return;
      }
}

/* As the agent would choose once it has asked around: here everybody wants the same. */
static void
choose_circle (Sim *sim, Node *node, ExoCircleNode *nodes, guint *indices)
{
  guint n = 0;
  ExoCircleSelf self;

  for (guint i = 0; i < sim->n_nodes; i++)
    {
      const Node *other = &sim->nodes[i];

      if (other == node || !is_there (other))
        continue;
      indices[n] = i;
      nodes[n++] = (ExoCircleNode){
        .hash = exo_plan_hash_text (other->id),
        .kin = i < (guint) sim->setup->seeders ? EXO_CIRCLE_HOLDER : EXO_CIRCLE_FELLOW,
        .hub = sim->setup->wan > 0,
        .up = node->peers[i] != 0,
        .hears_us = other->peers[node->index] != 0,
      };
    }
  self = exo_circle_choose (&sim->setup->circle, exo_plan_hash_text (node->id), sim->setup->wan > 0,
                            nodes, n);
  node->core = self.core;
  exo_plan_set_aside (node->plan, !self.core);
  for (guint k = 0; k < n; k++)
    {
      Node *other = &sim->nodes[indices[k]];

      if (nodes[k].chosen && node->peers[other->index] == 0)
        meet (sim, node, other);
      else if (!nodes[k].chosen && node->peers[other->index] != 0)
        part (node, other);
      if (node->peers[other->index] != 0)
        exo_plan_peer_aside (node->plan, node->peers[other->index], !nodes[k].core);
    }
}

/* Twice, for who is heard may want to hear in turn. */
static void
gather (Sim *sim)
{
  g_autofree ExoCircleNode *nodes = g_new (ExoCircleNode, sim->n_nodes);
  g_autofree guint *indices = g_new (guint, sim->n_nodes);

  sim->gathering = FALSE;
  for (guint i = 0; i < sim->n_nodes; i++)
    flush_message (sim, &sim->nodes[i]); /* or a newcomer would miss what is being collected */
  for (guint round = 0; round < 2; round++)
    for (guint i = 0; i < sim->n_nodes; i++)
      if (is_there (&sim->nodes[i]) && i >= (guint) sim->setup->seeders)
        choose_circle (sim, &sim->nodes[i], nodes, indices);
  for (guint i = 0; i < sim->n_nodes; i++)
    {
      Node *node = &sim->nodes[i];

      if (!is_there (node))
        continue;
      if (!node->gathered)
        exo_plan_set_hub (node->plan, i >= (guint) sim->setup->seeders && sim->setup->wan > 0, 0, 0,
                          llround (sim->setup->hub_rtt_ms * 1000));
      node->gathered = TRUE;
      pump (sim, node);
    }
}

static void
gather_soon (Sim *sim, guint node)
{
  if (!sim->gathering)
    plan_event (sim, 0, (Event){ .kind = EVENT_GATHER, .node = node });
  sim->gathering = TRUE;
}

static void
start_node (Sim *sim, Node *node)
{
  node->started = TRUE;
  gather_soon (sim, node->index);
}

static void
kill_node (Sim *sim, Node *node)
{
  GHashTableIter iter;
  gpointer value;

  if (node->done_s < 0)
    sim->n_waiting -= counts (sim, node);
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
notice_death (Sim *sim, Node *dead)
{
  for (guint i = 0; i < sim->n_nodes; i++)
    {
      Node *node = &sim->nodes[i];

      if (dead->peers[i] != 0)
        part (dead, node);
      if (!is_there (node) || node->peers[dead->index] == 0)
        continue;
      part (node, dead);
      pump (sim, node);
    }
  gather_soon (sim, dead->index);
}

static void
heard (Sim *sim, Message *message)
{
  for (guint i = 0; i < message->listeners->len; i++)
    {
      Node *node = &sim->nodes[g_array_index (message->listeners, guint, i)];

      if (!is_there (node))
        continue;
      hear (sim, node, message);
      pump (sim, node);
    }
  message_unref (message);
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
      notice_death (sim, node);
      return;
    case EVENT_GATHER:
      gather (sim);
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
      if (event.piece + 1 == request->end)
        end_request (sim, node, request, EXO_PLAN_ENDED_DONE);
      break;
    case EVENT_FLUSH:
      flush_message (sim, node);
      return;
    case EVENT_HEARD:
      heard (sim, event.message);
      return;
    case EVENT_HEARD_LATE:
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

static double
link_of (const Sim *sim, const Node *node)
{
  static const double mixed[] = { 1, 2.5, 1, 0.4 };

  return sim->setup->lan * 1e6 * (node->slow ? 0.1 : 1) *
         (sim->setup->mixed ? mixed[node->index % G_N_ELEMENTS (mixed)] : 1);
}

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
  node->link = link_of (sim, node);
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
  node->by_peer = g_array_new (FALSE, FALSE, sizeof (guint));
  node->listeners = g_array_new (FALSE, FALSE, sizeof (guint));
  node->clear_at_s = g_new0 (double, sim->n_nodes);
  node->builder = exo_wire_builder_new ();
  node->core = TRUE;
  node->requests = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  node->queue = g_queue_new ();
  node->done_s = seeder ? 0 : -1;
  node->start_s = seeder || setup->spread_ms == 0
                      ? 0
                      : g_rand_double_range (sim->chance, 0, setup->spread_ms / 1000.0);
  fluid_set_link (sim->fluid, up_link (index), node->link);
  fluid_set_link (sim->fluid, down_link (index), node->link);
  sim->n_waiting += node->done_s < 0 && counts (sim, node);
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
  g_array_unref (node->by_peer);
  g_array_unref (node->listeners);
  g_free (node->clear_at_s);
  exo_wire_builder_free (node->builder);
  g_hash_table_unref (node->requests);
  g_queue_free (node->queue);
  if (node->message != NULL)
    message_unref (node->message);
}

/* No schedule can be faster: every byte must cross the WAN once, and each node's own link. */
static double
bound_of (const Sim *sim, const Node *node)
{
  double bytes = (double) sim->blob_size * sim->n_blobs, first = INFINITY;
  double own_rate = sim->setup->own_line * sim->setup->lan * 1e6;
  double bound =
      node->start_s + bytes / (node->link + (has_own_line (sim, node->index) ? own_rate : 0));

  if (sim->setup->seeders > 0)
    return bound;
  for (guint i = 0; i < sim->n_nodes; i++)
    if (counts (sim, &sim->nodes[i]))
      first = MIN (first, sim->nodes[i].start_s);
  return MAX (bound, first + bytes / (sim->setup->wan * sim->setup->lan * 1e6 + own_rate));
}

static double
bound_s (const Sim *sim)
{
  double bound = 0;

  for (guint i = (guint) sim->setup->seeders; i < sim->n_nodes; i++)
    if (counts (sim, &sim->nodes[i]))
      bound = MAX (bound, bound_of (sim, &sim->nodes[i]));
  return bound;
}

static void
run (Sim *sim)
{
  while (sim->n_waiting > 0 && sim->now_s < TIME_MAX)
    {
      double flow_at = fluid_next_at (sim->fluid), event_at = timeline_next_at (sim->timeline);
      Flow *flow;

      if (isinf (MIN (flow_at, event_at)))
        return; /* nothing will ever happen again */
      sim->now_s = MAX (sim->now_s, MIN (flow_at, event_at));
      fluid_advance (sim->fluid, sim->now_s);
      if (event_at <= flow_at)
        happen (sim, timeline_pop (sim->timeline));
      while ((flow = fluid_pop_ended (sim->fluid)) != NULL)
        piece_sent (sim, flow);
    }
}

typedef struct
{
  double last_s;
  double worst; /* of the nodes, each by its own bound */
  double messages, talk, most_talk;
  guint64 cancels;
} Sums;

static Sums
sum_up (const Sim *sim)
{
  Sums sums = { 0 };

  for (guint i = 0; i < sim->n_nodes; i++)
    {
      const Node *node = &sim->nodes[i];

      sums.messages += (double) node->n_messages / sim->n_nodes;
      sums.talk += node->talk / sim->n_nodes;
      sums.most_talk = MAX (sums.most_talk, node->talk);
      sums.cancels += node->n_cancels;
      if (!counts (sim, node) || i < (guint) sim->setup->seeders)
        continue;
      sums.last_s = MAX (sums.last_s, node->done_s);
      sums.worst = MAX (sums.worst, node->done_s / bound_of (sim, node));
    }
  return sums;
}

static gboolean
report (const Sim *sim)
{
  const Case *setup = sim->setup;
  double bytes = (double) sim->blob_size * sim->n_blobs, hub = sim->hub_bytes / bytes;
  double question_us = 1e6 * sim->sampled_s / (double) sim->n_sampled;
  gboolean over = sim->n_waiting == 0, good;
  Sums sums = sum_up (sim);
  double ratio = sums.last_s / bound_s (sim), talk = 100 * sums.talk / bytes;

  good = over && hub <= setup->max_hub && ratio <= setup->max_time && talk <= setup->max_talk;
  printf (
      "%-26s N=%-4u hub/F %.4f  seed/F %.3f  T/bound %.4f (worst %.3f)  T %7.3f s  messages/node %6.0f, %.3f %% of F (most "
      "%.3f %%)  cancels %4" G_GUINT64_FORMAT "  %.2f us/decision, %.2f us/question%s\n",
      setup->name, sim->n_nodes, hub, sim->seed_bytes / bytes, ratio, sums.worst, sums.last_s,
      sums.messages, talk, 100 * sums.most_talk / bytes, sums.cancels,
      question_us * (double) sim->n_pumps / (double) sim->n_decisions, question_us,
      good   ? ""
      : over ? "  PAST ITS LIMITS"
             : "  NOT FINISHED");
  fflush (stdout);
  return good;
}

/* When what happens at half time is due: a joiner starts then, and counts from then on. */
static void
plan_starts (Sim *sim)
{
  double half_s = bound_s (sim) / 2;
  const Case *setup = sim->setup;

  for (guint i = sim->n_nodes - (guint) setup->joiners; i < sim->n_nodes; i++)
    sim->nodes[i].start_s = half_s;
  for (guint i = 0; i < sim->n_nodes; i++)
    plan_event (sim, sim->nodes[i].start_s, (Event){ .kind = EVENT_START, .node = i });
  for (guint i = 0; i < (guint) setup->churn; i++)
    plan_event (sim, half_s,
                (Event){ .kind = EVENT_DIE, .node = (guint) (setup->seeders + 1) + i });
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
  sim.fluid = fluid_new (3 + 2 * sim.n_nodes, setup->step_ms / 1000);
  fluid_set_link (sim.fluid, 0, setup->wan * setup->lan * 1e6);
  fluid_set_link (sim.fluid, own_line (&sim), setup->own_line * setup->lan * 1e6);
  fluid_set_link (sim.fluid, own_line (&sim) + 1, INFINITY); /* past the line nothing is slow */
  sim.nodes = g_new0 (Node, sim.n_nodes);
  for (guint i = 0; i < sim.n_nodes; i++)
    init_node (&sim, i);
  plan_starts (&sim);
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
