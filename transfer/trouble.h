/* trouble.h - what goes wrong for so long that its user should hear of it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A Hub that asks to wait now and then, or a neighbour that restarts, is daily business. What goes on is told, once; and again
 * only after all was well for a while: trouble that comes and goes is one trouble.
 *
 * Pure: no clock, no log.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define EXO_TROUBLE_LONG_US (60 * G_USEC_PER_SEC)
#define EXO_TROUBLE_WELL_US (30 * G_USEC_PER_SEC)

/* All 0: none. */
typedef struct
{
  gint64 since_us, last_us; /* monotonic; 0: none */
  gboolean told;
} ExoTrouble;

/* @is_so: there is trouble at @now_us, which is not 0. Returns: %TRUE when it is to be told */
gboolean exo_trouble_note (ExoTrouble *trouble, gboolean is_so, gint64 now_us);

G_END_DECLS
