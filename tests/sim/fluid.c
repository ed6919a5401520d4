/* fluid.c - see fluid.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/sim/fluid.h"

#include <math.h>

typedef struct
{
  double share; /* of a flow of the link, when it was put into the heap; it can only have grown */
  guint link;
} Tight;

struct Fluid
{
  guint n_links;
  double step_s, now_s, share_at_s;
  double *rates;
  double *spare; /* not given to any flow */
  guint *users;  /* flows; while shares are worked out, those without a rate */
  guint *first;  /* scratch: of a link, in @at */
  Flow **at;     /* scratch: flows by link */
  gsize at_size;
  Tight *heap; /* scratch */
  guint n_heap;
  GPtrArray *flows; /* owned */
  GPtrArray *soon;  /* Flow that end before rates change again, the first last */
  gboolean stale;   /* rates must be worked out again */
};

Fluid *
fluid_new (guint n_links, double step_s)
{
  Fluid *fluid = g_new0 (Fluid, 1);

  fluid->n_links = n_links;
  fluid->step_s = step_s;
  fluid->rates = g_new0 (double, n_links);
  fluid->spare = g_new0 (double, n_links);
  fluid->users = g_new0 (guint, n_links);
  fluid->first = g_new0 (guint, n_links + 1);
  fluid->heap = g_new0 (Tight, n_links);
  fluid->flows = g_ptr_array_new_with_free_func (g_free);
  fluid->soon = g_ptr_array_new ();
  return fluid;
}

void
fluid_free (Fluid *fluid)
{
  g_free (fluid->rates);
  g_free (fluid->spare);
  g_free (fluid->users);
  g_free (fluid->first);
  g_free (fluid->at);
  g_free (fluid->heap);
  g_ptr_array_unref (fluid->soon);
  g_ptr_array_unref (fluid->flows);
  g_free (fluid);
}

void
fluid_set_link (Fluid *fluid, guint link, double rate)
{
  fluid->rates[link] = fluid->spare[link] = rate;
  fluid->stale = TRUE;
}

/* Flows that end soon. -------------------------------------------------------------------- */

static void
put_soon (Fluid *fluid, Flow *flow)
{
  guint i = fluid->soon->len;

  while (i > 0 && ((Flow *) g_ptr_array_index (fluid->soon, i - 1))->end_s < flow->end_s)
    i--;
  g_ptr_array_insert (fluid->soon, (gint) i, flow);
  flow->soon = TRUE;
}

static int
compare_end (gconstpointer a, gconstpointer b)
{
  const Flow *x = *(Flow *const *) a, *y = *(Flow *const *) b;

  if (x->end_s < y->end_s || x->end_s > y->end_s)
    return x->end_s < y->end_s ? 1 : -1;
  return x->index < y->index ? 1 : -1;
}

static double
horizon (const Fluid *fluid)
{
  double first = INFINITY;

  if (fluid->step_s > 0)
    return fluid->now_s + fluid->step_s;
  for (guint i = 0; i < fluid->flows->len; i++)
    first = MIN (first, ((Flow *) g_ptr_array_index (fluid->flows, i))->end_s);
  return first;
}

static void
collect_soon (Fluid *fluid)
{
  double until = horizon (fluid);

  g_ptr_array_set_size (fluid->soon, 0);
  for (guint i = 0; i < fluid->flows->len; i++)
    {
      Flow *flow = g_ptr_array_index (fluid->flows, i);

      flow->soon = flow->end_s <= until;
      if (flow->soon)
        g_ptr_array_add (fluid->soon, flow);
    }
  g_ptr_array_sort (fluid->soon, compare_end);
}

/* Shares. --------------------------------------------------------------------------------- */

static void
sift_down (Fluid *fluid, guint i)
{
  for (;;)
    {
      guint least = i;
      Tight swap;

      for (guint child = 2 * i + 1; child <= 2 * i + 2 && child < fluid->n_heap; child++)
        if (fluid->heap[child].share < fluid->heap[least].share)
          least = child;
      if (least == i)
        return;
      swap = fluid->heap[i];
      fluid->heap[i] = fluid->heap[least];
      fluid->heap[least] = swap;
      i = least;
    }
}

/* Sorts the flows by link, and the links into a heap by what each of their flows could get. */
static void
begin_share_out (Fluid *fluid)
{
  guint n = 0;

  if (fluid->at_size < 2 * (gsize) fluid->flows->len)
    {
      fluid->at_size = 4 * (gsize) fluid->flows->len;
      fluid->at = g_renew (Flow *, fluid->at, fluid->at_size);
    }
  fluid->n_heap = 0;
  for (guint l = 0; l < fluid->n_links; l++)
    {
      n += fluid->users[l];
      fluid->first[l + 1] = n;
      fluid->spare[l] = fluid->rates[l];
      if (fluid->users[l] > 0)
        fluid->heap[fluid->n_heap++] = (Tight){ fluid->rates[l] / fluid->users[l], l };
    }
  for (guint i = fluid->n_heap; i-- > 0;)
    sift_down (fluid, i);
  for (guint i = 0; i < fluid->flows->len; i++)
    {
      Flow *flow = g_ptr_array_index (fluid->flows, i);

      flow->left -= flow->rate * (fluid->now_s - flow->since_s);
      flow->since_s = fluid->now_s;
      flow->fixed = FALSE;
      for (guint k = 0; k < 2; k++)
        fluid->at[--fluid->first[flow->links[k] + 1]] = flow;
    }
}

/* The flows of the tightest link get their share of it. */
static void
fix_flows (Fluid *fluid, guint link, double share)
{
  guint begin = fluid->first[link + 1];

  for (guint i = begin; fluid->users[link] > 0; i++)
    {
      Flow *flow = fluid->at[i];

      if (flow->fixed)
        continue;
      flow->fixed = TRUE;
      flow->rate = share;
      flow->end_s = fluid->now_s + MAX (0, flow->left) / share;
      for (guint k = 0; k < 2; k++)
        {
          fluid->users[flow->links[k]]--;
          fluid->spare[flow->links[k]] = MAX (0, fluid->spare[flow->links[k]] - share);
        }
    }
}

/* Progressive filling. */
static void
share_out (Fluid *fluid)
{
  begin_share_out (fluid);
  while (fluid->n_heap > 0)
    {
      Tight tight = fluid->heap[0];
      double share = fluid->users[tight.link] > 0
                         ? fluid->spare[tight.link] / fluid->users[tight.link]
                         : INFINITY;

      if (share > tight.share && fluid->users[tight.link] > 0)
        fluid->heap[0].share = share;
      else
        {
          if (fluid->users[tight.link] > 0)
            fix_flows (fluid, tight.link, share);
          fluid->heap[0] = fluid->heap[--fluid->n_heap];
        }
      sift_down (fluid, 0);
    }
  for (guint i = 0; i < fluid->flows->len; i++)
    {
      const Flow *flow = g_ptr_array_index (fluid->flows, i);

      fluid->users[flow->links[0]]++;
      fluid->users[flow->links[1]]++;
    }
  collect_soon (fluid);
  fluid->share_at_s = fluid->now_s + fluid->step_s;
  fluid->stale = FALSE;
}

/* Flows come and go. ---------------------------------------------------------------------- */

Flow *
fluid_add (Fluid *fluid, guint link_a, guint link_b, double bytes, gpointer owner)
{
  Flow *flow = g_new0 (Flow, 1);

  flow->links[0] = link_a;
  flow->links[1] = link_b;
  flow->left = bytes;
  flow->since_s = fluid->now_s;
  flow->owner = owner;
  flow->index = fluid->flows->len;
  flow->rate = INFINITY;
  for (guint k = 0; k < 2; k++)
    {
      guint link = flow->links[k];

      fluid->users[link]++;
      flow->rate =
          MIN (flow->rate, MIN (fluid->spare[link], fluid->rates[link] / fluid->users[link]));
    }
  fluid->spare[link_a] -= flow->rate;
  fluid->spare[link_b] -= flow->rate;
  flow->end_s = flow->rate > 0 ? fluid->now_s + bytes / flow->rate : INFINITY;
  g_ptr_array_add (fluid->flows, flow);
  if (flow->end_s < fluid->share_at_s)
    put_soon (fluid, flow);
  fluid->stale = TRUE;
  return flow;
}

void
fluid_more (Fluid *fluid, Flow *flow, double bytes)
{
  flow->left = bytes;
  flow->since_s = fluid->now_s;
  flow->end_s = fluid->now_s + bytes / flow->rate;
  if (fluid->step_s <= 0)
    fluid->stale = TRUE; /* only the next end was looked for */
  else if (flow->end_s < fluid->share_at_s)
    put_soon (fluid, flow);
}

void
fluid_remove (Fluid *fluid, Flow *flow)
{
  Flow *last = g_ptr_array_index (fluid->flows, fluid->flows->len - 1);

  for (guint k = 0; k < 2; k++)
    {
      fluid->users[flow->links[k]]--;
      fluid->spare[flow->links[k]] += flow->rate;
    }
  if (flow->soon)
    g_ptr_array_remove (fluid->soon, flow);
  last->index = flow->index;
  g_ptr_array_remove_index_fast (fluid->flows, flow->index);
  fluid->stale = TRUE;
}

/* Time. ----------------------------------------------------------------------------------- */

double
fluid_next_at (Fluid *fluid)
{
  double next = INFINITY;

  if (fluid->stale && fluid->now_s >= fluid->share_at_s)
    share_out (fluid);
  if (fluid->flows->len > 0)
    next = fluid->step_s > 0 ? fluid->share_at_s : INFINITY;
  if (fluid->soon->len > 0)
    next = MIN (next, ((Flow *) g_ptr_array_index (fluid->soon, fluid->soon->len - 1))->end_s);
  return next;
}

void
fluid_advance (Fluid *fluid, double now_s)
{
  fluid->now_s = now_s;
  if (fluid->step_s > 0 && now_s >= fluid->share_at_s && fluid->flows->len > 0)
    share_out (fluid);
}

Flow *
fluid_pop_ended (Fluid *fluid)
{
  Flow *flow;

  if (fluid->soon->len == 0)
    return NULL;
  flow = g_ptr_array_index (fluid->soon, fluid->soon->len - 1);
  if (flow->end_s > fluid->now_s)
    return NULL;
  g_ptr_array_set_size (fluid->soon, (gint) fluid->soon->len - 1);
  flow->soon = FALSE;
  flow->left = 0;
  flow->since_s = fluid->now_s;
  return flow;
}
