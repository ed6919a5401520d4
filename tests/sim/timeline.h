/* timeline.h - what is going to happen, soonest first
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Events at the same time happen in the order in which they were pushed.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct Message Message;

typedef enum
{
  EVENT_START,
  EVENT_DIE,
  EVENT_NOTICE_DEATH,
  EVENT_GATHER,    /* who is there chooses whom to hear */
  EVENT_ASKED,     /* a request reached its source */
  EVENT_DELIVERED, /* the last byte of a piece reached its receiver */
  EVENT_FLUSH,
  EVENT_HEARD,      /* by all it was sent to */
  EVENT_HEARD_LATE, /* by one of them */
  EVENT_WAKE,
} EventKind;

typedef struct
{
  double at_s;
  guint64 order; /* set by timeline_push() */
  EventKind kind;
  guint node;
  guint fetch;
  guint32 piece;
  Message *message; /* (nullable): a reference */
} Event;

typedef struct Timeline Timeline;

Timeline *timeline_new (void);
void timeline_free (Timeline *timeline);
void timeline_push (Timeline *timeline, Event event);
double timeline_next_at (const Timeline *timeline); /* INFINITY: nothing is to come */
Event timeline_pop (Timeline *timeline);            /* not when nothing is to come */

G_END_DECLS
