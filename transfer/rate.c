/* rate.c - bytes per second over the last five seconds
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: who samples gives the time.
 */

#include "transfer/engine-private.h"

void
exo_rate_meter_reset (ExoRateMeter *meter)
{
  *meter = (ExoRateMeter){ 0 };
}

void
exo_rate_meter_add (ExoRateMeter *meter, gint64 now_us, guint64 bytes)
{
  meter->at_us[meter->next] = now_us;
  meter->bytes[meter->next] = bytes;
  meter->next = (meter->next + 1) % EXO_RATE_SAMPLES;
  meter->n = MIN (meter->n + 1, EXO_RATE_SAMPLES);
}

guint64
exo_rate_meter_rate (const ExoRateMeter *meter)
{
  guint newest = (meter->next + EXO_RATE_SAMPLES - 1) % EXO_RATE_SAMPLES;
  guint oldest = meter->n < EXO_RATE_SAMPLES ? 0 : meter->next;
  gint64 span_us = meter->at_us[newest] - meter->at_us[oldest];

  /* Dropped pieces make it run backwards: no negative rates. */
  if (meter->n < 2 || span_us <= 0 || meter->bytes[newest] <= meter->bytes[oldest])
    return 0;
  return (guint64) ((double) (meter->bytes[newest] - meter->bytes[oldest]) * G_USEC_PER_SEC /
                    (double) span_us);
}
