/* ways.h - by which of its addresses a neighbour is best reached
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A way is an address of a neighbour and the interface of this machine that leads there. Best is, in this order:
 *
 *   1. one that leads anywhere, and whose cable is in
 *   2. where both were measured: the one that brought more than twice as much
 *   3. the faster one: a way is as fast as the slower of its two cards; what is not known is slower than what is
 *   4. where neither is known: one that is not over this machine's Wi-Fi
 *
 * Ways that are equal so far stay in the order of the list, and no one leaves the one for the other.
 *
 * A way that failed is left alone for a while, twice as long each time, up to eight times. It has to work for as long as
 * EXO_WAY_STEADY_US before that is forgotten, so that a loose contact is not gone back to every second.
 *
 * Pure; times are monotonic us.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define EXO_WAY_UNSAID    G_MAXUINT64 /* a neighbour that does not tell the speeds of its cards */
#define EXO_WAY_STEADY_US (10 * G_USEC_PER_SEC)

/* This machine's end of it */
typedef struct
{
  guint interface; /* index; 0: nothing leads there now */
  gboolean running;
  gboolean wireless;
  guint64 speed; /* of the card, bytes/s; 0 unknown */
} ExoWayHere;

typedef struct
{
  ExoWayHere here;
  guint64 there; /* speed of the neighbour's card as it says, 0: not known to it; EXO_WAY_UNSAID */
  guint64 rate;  /* the best that was measured, bytes/s; 0: not yet */

  guint n_failures;      /* in a row */
  gint64 retry_at_us;    /* not before; 0: any time */
  gint64 works_since_us; /* 0: it does not, or nobody knows */
} ExoWay;

guint64 exo_way_speed (const ExoWay *way); /* bytes/s; 0 unknown */
/* Less than 0: @a is the better one; 0: neither is. */
int exo_way_compare (const ExoWay *a, const ExoWay *b);

void exo_way_works (ExoWay *way, gint64 now_us);
/* @first_us: how long it is left alone after a first failure */
void exo_way_failed (ExoWay *way, gint64 first_us, gint64 now_us);

/* Which one to try, of @n, at least one: the best of those that failed least and whose time has come; if all have to wait, the one that
 * has to wait for the shortest time. */
guint exo_ways_pick (const ExoWay *const *ways, guint n, gint64 now_us);
/* The best of those that are better than @current and whose time has come, or @n. *out_at_us: when the next one's time comes, if
 * there is none now; G_MAXINT64: never. */
guint exo_ways_better (const ExoWay *const *ways,
                       guint n,
                       guint current,
                       gint64 now_us,
                       gint64 *out_at_us);

G_END_DECLS
