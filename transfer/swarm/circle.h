/* circle.h - which neighbours a node keeps sessions with, when there are too many for all
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Few neighbours: with all. Beyond that the nodes that want the same have a core, the
 * few of them that stand first in an order that all compute alike from the ids. The core hears each
 * other, so it shares out the Hub, and nodes that hold everything if they are few, as a small swarm does. The others
 * leave these to the core, hear a few of the core and some more nodes, by an order of their own: a random graph in
 * which pieces are handed on. NOTES.md has the figures.
 *
 * Who wants the same is not known until asked: some sessions are there to ask. Strangers make room for the next.
 * The core is asked for from the top of its order, so who has found it need not ask all.
 *
 * Pure: facts in, a choice out, the same for the same facts.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  guint all;    /* neighbours with whom there is no need to choose */
  guint core;   /* nodes in the core */
  guint listen; /* nodes of the core that one outside it hears */
  guint others; /* further nodes that each hears */
  guint asks;   /* at a time, of nodes of which nothing is known */
  guint most;   /* with those that are heard already, or hear this node */
} ExoCircleSizes;

#define EXO_CIRCLE_SIZES_DEFAULT                                                                   \
  {                                                                                                \
    48, 32, 2, 16, 16, 96                                                                          \
  }

typedef enum
{
  EXO_CIRCLE_UNKNOWN,  /* not asked yet */
  EXO_CIRCLE_STRANGER, /* neither wants nor holds what this node wants */
  EXO_CIRCLE_HOLDER,
  EXO_CIRCLE_FELLOW, /* wants it, too */
} ExoCircleKin;

typedef struct
{
  guint64 hash; /* of its id, as in plan-private.h */
  ExoCircleKin kin;
  gboolean hub;      /* it reaches the Hub, as far as is known */
  gboolean barred;   /* shunned, or does not answer */
  gboolean up;       /* this node hears it */
  gboolean hears_us; /* it hears this node */

  gboolean chosen; /* out: keep, or begin, a session with it */
  gboolean core;   /* out: of the core, or there is no need of one */
} ExoCircleNode;

typedef struct
{
  gboolean core;   /* likewise */
  gboolean asking; /* not all that matter are known yet */
} ExoCircleSelf;

/* @self_hub: this node reaches the Hub */
ExoCircleSelf exo_circle_choose (const ExoCircleSizes *sizes,
                                 guint64 self_hash,
                                 gboolean self_hub,
                                 ExoCircleNode *nodes,
                                 guint n_nodes);

G_END_DECLS
