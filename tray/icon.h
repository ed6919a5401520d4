/* icon.h - the picture in the panel: what it shows, and its pixels
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Drawn from the masks that tray/icons/render.py makes of the SVG files there: a ring, which fills clockwise from twelve o'clock,
 * and in it an arrow, a pause sign or an exclamation mark; a warning while nothing moves is a triangle instead.
 * Each colour has a contrast of 3:1 at least with a white and with a dark (#2b2b2b) panel, so that one picture fits both.
 *
 * Pure.
 */

#pragma once

#include "tray/view.h"

G_BEGIN_DECLS

#define EXO_ICON_N_SIZES 7u
#define EXO_ICON_STEPS                                                                             \
  60u /* of the ring, like minutes: at 22 pixels a step is one pixel of the rim */

typedef enum
{
  EXO_ICON_OFF, /* no agent: as idle, faint */
  EXO_ICON_IDLE,
  EXO_ICON_ACTIVE,
  EXO_ICON_PAUSED,
  EXO_ICON_WARNING,
} ExoIconState;

/* Equal values are equal pictures, so one is drawn only when this changes. */
typedef struct
{
  ExoIconState state;
  gboolean moving; /* a transfer is under way; with PAUSED: one is paused: the ring shows step */
  guint step;      /* 0 to EXO_ICON_STEPS, rounded down: full means done; 0 unless moving */
} ExoIcon;

extern const guint exo_icon_sizes[EXO_ICON_N_SIZES]; /* pixels, width and height: 22 and so on */

/* A failed transfer and a warning not yet dismissed make WARNING; else anything under way makes ACTIVE; else something paused
 * makes PAUSED. What programs asked for and stopped reading is paused by itself, and does not count. Progress is that of all
 * transfers counted, together. */
ExoIcon exo_icon_of_view (const ExoView *view);

gboolean exo_icon_equal (const ExoIcon *a, const ExoIcon *b);

/* (transfer floating): a(iiay) of StatusNotifierItem, all sizes: width, height, four bytes a pixel: A, R, G, B, not
 * premultiplied */
GVariant *exo_icon_draw (const ExoIcon *icon);

G_END_DECLS
