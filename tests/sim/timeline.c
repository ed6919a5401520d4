/* timeline.c - see timeline.h: a binary heap
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/sim/timeline.h"

#include <math.h>

struct Timeline
{
  GArray *events; /* Event, a heap */
  guint64 n_pushed;
};

Timeline *
timeline_new (void)
{
  Timeline *timeline = g_new0 (Timeline, 1);

  timeline->events = g_array_new (FALSE, FALSE, sizeof (Event));
  return timeline;
}

void
timeline_free (Timeline *timeline)
{
  g_array_unref (timeline->events);
  g_free (timeline);
}

double
timeline_next_at (const Timeline *timeline)
{
  return timeline->events->len > 0 ? g_array_index (timeline->events, Event, 0).at_s : INFINITY;
}

static gboolean
sooner (const Event *a, const Event *b)
{
  return a->at_s < b->at_s || (a->at_s <= b->at_s && a->order < b->order);
}

static void
swap_events (Timeline *timeline, guint i, guint j)
{
  Event *events = (Event *) (gpointer) timeline->events->data;
  Event event = events[i];

  events[i] = events[j];
  events[j] = event;
}

void
timeline_push (Timeline *timeline, Event event)
{
  guint i = timeline->events->len;

  event.order = ++timeline->n_pushed;
  g_array_append_val (timeline->events, event);
  for (; i > 0 && sooner (&g_array_index (timeline->events, Event, i),
                          &g_array_index (timeline->events, Event, (i - 1) / 2));
       i = (i - 1) / 2)
    swap_events (timeline, i, (i - 1) / 2);
}

Event
timeline_pop (Timeline *timeline)
{
  Event event = g_array_index (timeline->events, Event, 0);
  guint i = 0;

  swap_events (timeline, 0, timeline->events->len - 1);
  g_array_set_size (timeline->events, timeline->events->len - 1);
  for (;;)
    {
      guint least = i;

      for (guint child = 2 * i + 1; child <= 2 * i + 2 && child < timeline->events->len; child++)
        if (sooner (&g_array_index (timeline->events, Event, child),
                    &g_array_index (timeline->events, Event, least)))
          least = child;
      if (least == i)
        return event;
      swap_events (timeline, i, least);
      i = least;
    }
}
