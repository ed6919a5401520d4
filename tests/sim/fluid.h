/* fluid.h - bytes on shared links, as a fluid with max-min fair shares
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each flow crosses two links. No TCP ramp, loss or queueing. With a step of 0 rates change at once when a flow
 * comes or goes. To work that out for a thousand nodes would take hours, so with a longer step rates are
 * shared out once a step, if anything changed: what a flow leaves behind is then idle until the next step,
 * unless a new one takes it, so the network is a little slower than it could be, never faster. Times are in
 * seconds, rates in bytes/s.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct Fluid Fluid;

typedef struct
{
  gpointer owner;
  /* for fluid.c */
  guint links[2], index;
  double left, since_s, rate; /* bytes, as of since_s */
  double end_s;
  gboolean fixed, soon;
} Flow;

Fluid *fluid_new (guint n_links, double step_s);
void fluid_free (Fluid *fluid);
void fluid_set_link (Fluid *fluid, guint link, double rate);

/* Returns: (transfer none): lives until fluid_remove() */
Flow *fluid_add (Fluid *fluid, guint link_a, guint link_b, double bytes, gpointer owner);
void fluid_more (Fluid *fluid, Flow *flow, double bytes); /* for one that has ended */
void fluid_remove (Fluid *fluid, Flow *flow);

/* When to call fluid_advance() next, if nothing else happens before; INFINITY: never. */
double fluid_next_at (Fluid *fluid);
void fluid_advance (Fluid *fluid, double now_s);
/* A flow with nothing left, once each time; or NULL. */
Flow *fluid_pop_ended (Fluid *fluid);

G_END_DECLS
