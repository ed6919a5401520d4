/* pace.c - see pace.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/swarm/pace.h"

#define HUB_NEWS 4 /* times another rate than was told */

static guint64
rate_of (const ExoPaceSpan *span)
{
  return MAX (1, (guint64) ((double) span->bytes * G_USEC_PER_SEC / (double) span->us));
}

static void
see (ExoPace *pace, gint64 now_us)
{
  if (pace->n_fetches > 0)
    pace->open.us += MAX (0, now_us - pace->seen_us);
  pace->seen_us = now_us;
}

static void
close_span (ExoPace *pace)
{
  if (pace->open.us < EXO_PACE_SPAN_US)
    return;
  pace->spans[pace->next] = pace->open;
  pace->next = (pace->next + 1) % EXO_PACE_SPANS;
  pace->n_spans = MIN (pace->n_spans + 1, EXO_PACE_SPANS);
  pace->open = (ExoPaceSpan){ 0 };
}

void
exo_pace_begin (ExoPace *pace, gint64 now_us)
{
  see (pace, now_us);
  pace->n_fetches++;
}

void
exo_pace_add (ExoPace *pace, guint64 bytes, gint64 now_us)
{
  see (pace, now_us);
  pace->open.bytes += bytes;
  close_span (pace);
}

void
exo_pace_end (ExoPace *pace, gint64 now_us)
{
  g_return_if_fail (pace->n_fetches > 0);

  see (pace, now_us);
  pace->n_fetches--;
  close_span (pace);
}

void
exo_pace_forget (ExoPace *pace, gint64 now_us)
{
  *pace = (ExoPace){ .n_fetches = pace->n_fetches, .seen_us = now_us };
}

/* All that was measured, and what is being measured up to now: a source that fell silent closes no span. */
static ExoPaceSpan
sum (const ExoPace *pace, gint64 now_us)
{
  ExoPaceSpan all = pace->open;

  if (pace->n_fetches > 0)
    all.us += MAX (0, now_us - pace->seen_us);
  for (guint i = 0; i < pace->n_spans; i++)
    {
      all.bytes += pace->spans[i].bytes;
      all.us += pace->spans[i].us;
    }
  return all;
}

guint64
exo_pace_rate (const ExoPace *pace, gint64 least_us, gint64 now_us)
{
  ExoPaceSpan all = sum (pace, now_us);

  return all.us > 0 && all.us >= least_us ? rate_of (&all) : 0;
}

guint64
exo_pace_best (const ExoPace *pace, gint64 least_us, gint64 now_us)
{
  guint64 best = exo_pace_rate (pace, least_us, now_us);

  for (guint i = 0; best > 0 && i < pace->n_spans; i++)
    best = MAX (best, rate_of (&pace->spans[i]));
  return best;
}

gboolean
exo_pace_is_news (guint64 told, guint64 rate)
{
  if ((told == 0) != (rate == 0))
    return TRUE;
  return MAX (told, rate) - MIN (told, rate) > MIN (told, rate) / 4;
}

gboolean
exo_pace_is_hub_news (guint64 told, guint64 rate)
{
  return (told == 0) != (rate == 0) || MAX (told, rate) / HUB_NEWS > MIN (told, rate);
}
