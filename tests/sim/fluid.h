/* fluid.h - bytes on shared links, as a fluid with max-min fair shares
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each flow crosses two links. No TCP ramp, loss or queueing: rates change at once when a flow comes
 * or goes. Time is in seconds, rates in bytes/s.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct Fluid Fluid;

typedef struct
{
  guint links[2];
  double left; /* bytes; the owner may add to it */
  double rate;
  gpointer owner;
  gboolean fixed; /* while shares are worked out */
} Flow;

Fluid *fluid_new (guint n_links);
void fluid_free (Fluid *fluid);
void fluid_set_link (Fluid *fluid, guint link, double rate);

/* Returns: (transfer none): lives until fluid_remove() */
Flow *fluid_add (Fluid *fluid, guint link_a, guint link_b, double bytes, gpointer owner);
void fluid_remove (Fluid *fluid, Flow *flow);

/* Seconds until the next flow has nothing left; INFINITY without flows. */
double fluid_until_next (Fluid *fluid);
void fluid_advance (Fluid *fluid, double seconds);
/* A flow with nothing left, or NULL. */
Flow *fluid_peek_finished (Fluid *fluid);

G_END_DECLS
