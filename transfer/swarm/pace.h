/* pace.h - how fast bytes come while they come
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Counts bytes against the time in which at least one fetch is under way: a source that has nothing to give makes
 * nothing look slow. All fetches of a source, or of a kind of source, share one pace, so that many slow streams
 * side by side count as the fast line they are.
 *
 * Time is cut into spans of half a second or more of such time. The rate is that of all spans kept, the best that of the
 * fastest one: the first says what is to be expected, the second what the line can do.
 *
 * Pure; a zeroed struct is a new one, nothing is to be freed. Times are monotonic us.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define EXO_PACE_SPAN_US (G_USEC_PER_SEC / 2)
#define EXO_PACE_SPANS   8u /* kept: four seconds or more */

/* How long a rate is measured before it counts: of the LAN, which would be blamed for the first pieces' waiting;
 * of the Hub, which is compared with a wide margin. */
#define EXO_PACE_LAN_US (3 * G_USEC_PER_SEC)
#define EXO_PACE_HUB_US G_USEC_PER_SEC

typedef struct
{
  guint64 bytes;
  gint64 us;
} ExoPaceSpan;

typedef struct
{
  guint n_fetches; /* under way */
  gint64 seen_us;  /* time is counted up to here */
  ExoPaceSpan open, spans[EXO_PACE_SPANS];
  guint n_spans, next;
} ExoPace;

void exo_pace_begin (ExoPace *pace, gint64 now_us);
void exo_pace_add (ExoPace *pace, guint64 bytes, gint64 now_us); /* while a fetch is under way */
void exo_pace_end (ExoPace *pace, gint64 now_us);                /* of a fetch that was begun */
/* What was measured is for another time or line; fetches under way go on. */
void exo_pace_forget (ExoPace *pace, gint64 now_us);

/* bytes/s, at least 1; 0 until it was measured for @least_us of time with fetches under way */
guint64 exo_pace_rate (const ExoPace *pace, gint64 least_us, gint64 now_us);
guint64 exo_pace_best (const ExoPace *pace, gint64 least_us, gint64 now_us);

/* TRUE if a rate that was said to be @told is to be said again: it became known or unknown, or changed by a quarter. */
gboolean exo_pace_is_news (guint64 told, guint64 rate);
/* The same of a rate at the Hub: it changed by a factor of four. Who is much slower than others leaves the Hub to them
 * (NOTES.md, rule 11), by a factor of eight, so that nothing less is worth a word. */
gboolean exo_pace_is_hub_news (guint64 told, guint64 rate);

G_END_DECLS
