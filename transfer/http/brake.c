/* brake.c - see brake.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/http/brake.h"

gboolean
exo_brake_holds (ExoFetch *fetch, gsize length)
{
  if (fetch->brake == NULL ||
      exo_bucket_take (&fetch->brake->bucket, length, g_get_monotonic_time ()))
    return FALSE;
  if (!fetch->held)
    g_queue_push_tail (&fetch->brake->held, fetch);
  fetch->held = TRUE;
  return TRUE;
}

ExoFetch *
exo_brake_release_next (ExoBrake *brake)
{
  ExoFetch *fetch;

  if (g_queue_is_empty (&brake->held) ||
      !exo_bucket_is_open (&brake->bucket, g_get_monotonic_time ()))
    return NULL;
  fetch = g_queue_pop_head (&brake->held);
  fetch->held = FALSE;
  return fetch;
}

void
exo_brake_forget (ExoFetch *fetch)
{
  if (fetch->held)
    g_queue_remove (&fetch->brake->held, fetch);
  fetch->held = FALSE;
}

gint64
exo_brake_open_at_us (ExoBrake *brake)
{
  gint64 now_us = g_get_monotonic_time ();

  if (g_queue_is_empty (&brake->held))
    return G_MAXINT64;
  return now_us + exo_bucket_wait_us (&brake->bucket, now_us);
}
