/* icon-private.h - the masks that tray/icons/render.py makes, one for each SVG file
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#pragma once

#include "tray/icon.h"

typedef struct
{
  guint32 colour;                        /* 0xRRGGBB */
  const guint8 *masks[EXO_ICON_N_SIZES]; /* strength, row by row, in the order of exo_icon_sizes */
} ExoIconLayer;

extern const ExoIconLayer exo_icon_arrow, exo_icon_bang, exo_icon_pause, exo_icon_ring,
    exo_icon_track, exo_icon_warning;
