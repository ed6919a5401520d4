/* ways.c - see ways.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/swarm/ways.h"

#define RATE_MARGIN   2u
#define DOUBLINGS_MAX 3u

guint64
exo_way_speed (const ExoWay *way)
{
  return MIN (way->here.speed, way->there);
}

static gboolean
leads_there (const ExoWay *way)
{
  return way->here.interface != 0 && way->here.running;
}

int
exo_way_compare (const ExoWay *a, const ExoWay *b)
{
  guint64 speed_a = exo_way_speed (a), speed_b = exo_way_speed (b);

  if (leads_there (a) != leads_there (b))
    return leads_there (a) ? -1 : 1;
  if (a->rate > 0 && b->rate > 0 && a->rate / RATE_MARGIN > b->rate)
    return -1;
  if (a->rate > 0 && b->rate > 0 && b->rate / RATE_MARGIN > a->rate)
    return 1;
  if (speed_a != speed_b)
    return speed_a > speed_b ? -1 : 1;
  return speed_a == 0 ? (int) a->here.wireless - (int) b->here.wireless : 0;
}

void
exo_way_works (ExoWay *way, gint64 now_us)
{
  way->works_since_us = now_us;
  way->retry_at_us = 0;
}

void
exo_way_failed (ExoWay *way, gint64 first_us, gint64 now_us)
{
  if (way->works_since_us != 0 && now_us - way->works_since_us >= EXO_WAY_STEADY_US)
    way->n_failures = 0;
  way->works_since_us = 0;
  way->retry_at_us = now_us + (first_us << MIN (way->n_failures, DOUBLINGS_MAX));
  way->n_failures++;
}

static gboolean
is_rather_tried (const ExoWay *a, const ExoWay *b, gint64 now_us)
{
  gboolean a_waits = a->retry_at_us > now_us, b_waits = b->retry_at_us > now_us;

  if (a_waits != b_waits)
    return b_waits;
  if (a_waits)
    return a->retry_at_us < b->retry_at_us;
  if (a->n_failures != b->n_failures)
    return a->n_failures < b->n_failures;
  return exo_way_compare (a, b) < 0;
}

guint
exo_ways_pick (const ExoWay *const *ways, guint n, gint64 now_us)
{
  guint best = 0;

  for (guint i = 1; i < n; i++)
    if (is_rather_tried (ways[i], ways[best], now_us))
      best = i;
  return best;
}

guint
exo_ways_better (const ExoWay *const *ways,
                 guint n,
                 guint current,
                 gint64 now_us,
                 gint64 *out_at_us)
{
  guint best = n;

  *out_at_us = G_MAXINT64;
  for (guint i = 0; i < n; i++)
    {
      if (exo_way_compare (ways[i], ways[current]) >= 0)
        continue;
      if (ways[i]->retry_at_us > now_us)
        *out_at_us = MIN (*out_at_us, ways[i]->retry_at_us);
      else if (best == n || exo_way_compare (ways[i], ways[best]) < 0)
        best = i;
    }
  return best;
}
