/* fluid.c - see fluid.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/sim/fluid.h"

#include <math.h>

#define NOTHING 0.5 /* bytes: less than this is rounding */

struct Fluid
{
  guint n_links;
  double *rates;
  double *spare; /* scratch: rate not yet given away */
  guint *users;  /* scratch: flows without a rate */
  GPtrArray *flows;
  gboolean stale; /* rates must be worked out again */
};

Fluid *
fluid_new (guint n_links)
{
  Fluid *fluid = g_new0 (Fluid, 1);

  fluid->n_links = n_links;
  fluid->rates = g_new0 (double, n_links);
  fluid->spare = g_new0 (double, n_links);
  fluid->users = g_new0 (guint, n_links);
  fluid->flows = g_ptr_array_new_with_free_func (g_free);
  return fluid;
}

void
fluid_free (Fluid *fluid)
{
  g_free (fluid->rates);
  g_free (fluid->spare);
  g_free (fluid->users);
  g_ptr_array_unref (fluid->flows);
  g_free (fluid);
}

void
fluid_set_link (Fluid *fluid, guint link, double rate)
{
  fluid->rates[link] = rate;
  fluid->stale = TRUE;
}

Flow *
fluid_add (Fluid *fluid, guint link_a, guint link_b, double bytes, gpointer owner)
{
  Flow *flow = g_new0 (Flow, 1);

  flow->links[0] = link_a;
  flow->links[1] = link_b;
  flow->left = bytes;
  flow->owner = owner;
  g_ptr_array_add (fluid->flows, flow);
  fluid->stale = TRUE;
  return flow;
}

void
fluid_remove (Fluid *fluid, Flow *flow)
{
  g_ptr_array_remove_fast (fluid->flows, flow);
  fluid->stale = TRUE;
}

/* The least rate a flow gets on any link that still has flows without one. */
static double
least_share (const Fluid *fluid)
{
  double least = INFINITY;

  for (guint l = 0; l < fluid->n_links; l++)
    if (fluid->users[l] > 0)
      least = MIN (least, fluid->spare[l] / fluid->users[l]);
  return least;
}

static gboolean
is_tight (const Fluid *fluid, guint link, double share)
{
  return fluid->spare[link] / fluid->users[link] <= share * (1 + 1e-9);
}

/* Progressive filling: the flows of the tightest link get their share of it, and so on. */
static void
share_out (Fluid *fluid)
{
  guint n_open = fluid->flows->len;

  for (guint l = 0; l < fluid->n_links; l++)
    {
      fluid->spare[l] = fluid->rates[l];
      fluid->users[l] = 0;
    }
  for (guint i = 0; i < fluid->flows->len; i++)
    {
      Flow *flow = g_ptr_array_index (fluid->flows, i);

      flow->fixed = FALSE;
      fluid->users[flow->links[0]]++;
      fluid->users[flow->links[1]]++;
    }
  while (n_open > 0)
    {
      double share = least_share (fluid);

      for (guint i = 0; i < fluid->flows->len; i++)
        {
          Flow *flow = g_ptr_array_index (fluid->flows, i);

          if (flow->fixed || (!is_tight (fluid, flow->links[0], share) &&
                              !is_tight (fluid, flow->links[1], share)))
            continue;
          flow->fixed = TRUE;
          flow->rate = share;
          n_open--;
          for (guint k = 0; k < 2; k++)
            {
              fluid->users[flow->links[k]]--;
              fluid->spare[flow->links[k]] = MAX (0, fluid->spare[flow->links[k]] - share);
            }
        }
    }
  fluid->stale = FALSE;
}

double
fluid_until_next (Fluid *fluid)
{
  double next = INFINITY;

  if (fluid->stale)
    share_out (fluid);
  for (guint i = 0; i < fluid->flows->len; i++)
    {
      const Flow *flow = g_ptr_array_index (fluid->flows, i);

      next = MIN (next, MAX (0, flow->left) / flow->rate);
    }
  return next;
}

void
fluid_advance (Fluid *fluid, double seconds)
{
  if (fluid->stale)
    share_out (fluid);
  for (guint i = 0; i < fluid->flows->len; i++)
    {
      Flow *flow = g_ptr_array_index (fluid->flows, i);

      flow->left -= flow->rate * seconds;
    }
}

Flow *
fluid_peek_finished (Fluid *fluid)
{
  for (guint i = 0; i < fluid->flows->len; i++)
    {
      Flow *flow = g_ptr_array_index (fluid->flows, i);

      if (flow->left < NOTHING)
        return flow;
    }
  return NULL;
}
