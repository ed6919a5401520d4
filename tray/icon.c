/* icon.c - see icon.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tray/icon.h"

#include <math.h>

#include "tray/icon-private.h"

#define FULL        255u
#define TRACK_ALPHA 90u /* of what is still to do */
#define TURN        ((float) (2 * G_PI))
#define OFF_ALPHA   128u /* of everything, without an agent */

const guint exo_icon_sizes[EXO_ICON_N_SIZES] = { 22, 24, 32, 44, 48, 64, 96 };

/* What to show ------------------------------------------------------------------------------------ */

typedef struct
{
  guint n;
  double done, total; /* bytes */
} Sum;

static void
add (Sum *sum, const ExoViewTransfer *transfer)
{
  sum->n++;
  sum->done += (double) transfer->done;
  sum->total += (double) transfer->total;
}

static guint
step_of (const Sum *sum)
{
  return sum->total > 0 ? (guint) (sum->done / sum->total * EXO_ICON_STEPS) : 0;
}

ExoIcon
exo_icon_of_view (const ExoView *view)
{
  Sum running = { 0 }, paused = { 0 };
  ExoIcon icon = { view->connected ? EXO_ICON_IDLE : EXO_ICON_OFF, FALSE, 0 };
  gboolean failed = view->warnings->len > 0;

  for (guint i = 0; i < view->transfers->len; i++)
    {
      const ExoViewTransfer *transfer = view->transfers->pdata[i];

      if (exo_view_is_running (transfer))
        add (&running, transfer);
      else if (transfer->state == EXO_VIEW_PAUSED && !transfer->on_demand)
        add (&paused, transfer);
      failed |= transfer->state == EXO_VIEW_FAILED;
    }
  if (running.n > 0)
    icon = (ExoIcon){ EXO_ICON_ACTIVE, TRUE, step_of (&running) };
  else if (paused.n > 0 && !failed)
    icon = (ExoIcon){ EXO_ICON_PAUSED, TRUE, step_of (&paused) };
  if (failed)
    icon.state = EXO_ICON_WARNING;
  return icon;
}

gboolean
exo_icon_equal (const ExoIcon *a, const ExoIcon *b)
{
  return a->state == b->state && a->moving == b->moving && a->step == b->step;
}

/* Drawing ----------------------------------------------------------------------------------------- */

typedef struct
{
  guint8 *pixels; /* A, R, G, B */
  guint which;    /* of exo_icon_sizes */
  guint size;
} Canvas;

/* @strength of @colour over what is there. */
static void
blend (guint8 *pixel, guint32 colour, guint strength)
{
  guint below = pixel[0] * (FULL - strength) / FULL;
  guint sum = strength + below;

  if (sum == 0)
    return;
  pixel[0] = (guint8) sum;
  for (guint i = 0; i < 3; i++)
    {
      guint part = colour >> (16 - 8 * i) & 0xff;

      pixel[1 + i] = (guint8) ((part * strength + pixel[1 + i] * below + sum / 2) / sum);
    }
}

static void
paint (Canvas *canvas, const ExoIconLayer *layer, guint32 colour, guint alpha)
{
  const guint8 *mask = layer->masks[canvas->which];

  for (guint i = 0; i < canvas->size * canvas->size; i++)
    if (mask[i] != 0)
      blend (canvas->pixels + 4 * i, colour, mask[i] * alpha / FULL);
}

/* How much of pixel (@x, @y) lies in the part of the ring that is done: 0 to 1, in between where the end of the part
 * crosses it. */
static float
coverage (guint size, guint x, guint y, guint step)
{
  float dx = (float) x + 0.5f - (float) size / 2, dy = (float) y + 0.5f - (float) size / 2;
  float angle = atan2f (dx, -dy);
  float end = TURN * (float) step / EXO_ICON_STEPS;

  if (step == 0 || step >= EXO_ICON_STEPS)
    return step == 0 ? 0 : 1;
  if (angle < 0)
    angle += TURN;
  return CLAMP ((end - angle) * hypotf (dx, dy) + 0.5f, 0, 1);
}

static void
paint_progress (Canvas *canvas, guint32 colour, guint step)
{
  const guint8 *mask = exo_icon_ring.masks[canvas->which];

  for (guint i = 0; i < canvas->size * canvas->size; i++)
    if (mask[i] != 0)
      blend (canvas->pixels + 4 * i, colour,
             (guint) (mask[i] * coverage (canvas->size, i % canvas->size, i / canvas->size, step)));
}

static void
paint_icon (Canvas *canvas, const ExoIcon *icon)
{
  guint32 neutral = exo_icon_track.colour;
  guint alpha = icon->state == EXO_ICON_OFF ? OFF_ALPHA : FULL;

  if (icon->state == EXO_ICON_WARNING && !icon->moving)
    {
      paint (canvas, &exo_icon_warning, exo_icon_warning.colour, FULL);
      return;
    }
  paint (canvas, &exo_icon_track, neutral, icon->moving ? TRACK_ALPHA : alpha);
  if (icon->moving)
    paint_progress (canvas, icon->state == EXO_ICON_PAUSED ? neutral : exo_icon_ring.colour,
                    icon->step);
  if (icon->state == EXO_ICON_WARNING)
    paint (canvas, &exo_icon_bang, exo_icon_bang.colour, FULL);
  else if (icon->state == EXO_ICON_PAUSED)
    paint (canvas, &exo_icon_pause, neutral, FULL);
  else
    paint (canvas, &exo_icon_arrow, icon->moving ? exo_icon_arrow.colour : neutral, alpha);
}

GVariant *
exo_icon_draw (const ExoIcon *icon)
{
  GVariantBuilder pixmaps;

  g_variant_builder_init (&pixmaps, G_VARIANT_TYPE ("a(iiay)"));
  for (guint i = 0; i < EXO_ICON_N_SIZES; i++)
    {
      guint size = exo_icon_sizes[i];
      gsize n_bytes = 4 * (gsize) size * size;
      Canvas canvas = { g_malloc0 (n_bytes), i, size };

      paint_icon (&canvas, icon);
      g_variant_builder_add (&pixmaps, "(ii@ay)", (gint32) size, (gint32) size,
                             g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, canvas.pixels,
                                                      n_bytes, TRUE, g_free, canvas.pixels));
    }
  return g_variant_builder_end (&pixmaps);
}
