/* test-tray-icon.c - what the icon of the tray shows, and its pixels
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <math.h>

#include "tests/unit/suite.h"
#include "tests/unit/tray-view.h"
#include "tray/icon.h"

#define LEAST_CONTRAST 3.0 /* WCAG 2.2, 1.4.11: graphics */

static const guint32 panels[] = { 0xffffff, 0xf6f5f4, 0x2b2b2b, 0x383838, 0x000000 };

/* One character a transfer: r running, p paused, a paused for want of a reader, c complete, f failed. */
static ExoView *
draw_view (const char *drawing)
{
  ExoView *view = exo_view_new ();

  view->connected = TRUE;
  for (const char *c = drawing; *c != '\0'; c++)
    {
      ExoViewState state = *c == 'r'   ? EXO_VIEW_TRANSFERRING
                           : *c == 'c' ? EXO_VIEW_COMPLETE
                           : *c == 'f' ? EXO_VIEW_FAILED
                                       : EXO_VIEW_PAUSED;

      tray_view_add (view, "org/model", state, 50, 100)->on_demand = *c == 'a';
    }
  return view;
}

static void
what_needs_a_look_wins_over_what_moves_over_what_rests (void)
{
  static const struct
  {
    const char *drawing;
    ExoIconState state;
    gboolean moving;
  } rows[] = {
    { "", EXO_ICON_IDLE, FALSE },      { "c", EXO_ICON_IDLE, FALSE },
    { "r", EXO_ICON_ACTIVE, TRUE },    { "cpr", EXO_ICON_ACTIVE, TRUE },
    { "cp", EXO_ICON_PAUSED, TRUE },   { "a", EXO_ICON_IDLE, FALSE },
    { "cf", EXO_ICON_WARNING, FALSE }, { "fp", EXO_ICON_WARNING, FALSE },
    { "fr", EXO_ICON_WARNING, TRUE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (ExoView) view = draw_view (rows[i].drawing);
      ExoIcon icon = exo_icon_of_view (view);

      CU_ASSERT_EQUAL (icon.state, rows[i].state);
      CU_ASSERT_EQUAL (icon.moving, rows[i].moving);
      CU_ASSERT_EQUAL (icon.step, rows[i].moving ? EXO_ICON_STEPS / 2 : 0);
    }
}

static void
a_warning_needs_a_look_and_no_agent_is_off (void)
{
  g_autoptr (ExoView) view = draw_view ("");

  tray_view_warn (view, "disk", "No room");
  CU_ASSERT_EQUAL (exo_icon_of_view (view).state, EXO_ICON_WARNING);
  g_ptr_array_set_size (view->warnings, 0);
  view->connected = FALSE;
  CU_ASSERT_EQUAL (exo_icon_of_view (view).state, EXO_ICON_OFF);
}

static void
progress_is_of_all_bytes_and_full_means_done (void)
{
  static const struct
  {
    guint64 done, total;
    guint step;
  } rows[] = {
    { 0, 0, 0 },
    { 0, 300, 0 },
    { 4, 300, 0 },
    { 5, 300, 1 },
    { 200, 300, 40 },
    { 299, 300, 59 },
    { 300, 300, EXO_ICON_STEPS },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (ExoView) view = exo_view_new ();

      view->connected = TRUE;
      tray_view_add (view, "org/a", EXO_VIEW_TRANSFERRING, rows[i].done / 2, rows[i].total / 3);
      tray_view_add (view, "org/b", EXO_VIEW_VERIFYING, rows[i].done - rows[i].done / 2,
                     rows[i].total - rows[i].total / 3);
      CU_ASSERT_EQUAL (exo_icon_of_view (view).step, rows[i].step);
    }
}

/* Pixels ------------------------------------------------------------------------------------------ */

/* @out_size: pixels. The bytes of picture @which, valid as long as @pixmaps. */
static const guint8 *
pixels_of (GVariant *pixmaps, guint which, guint *out_size)
{
  g_autoptr (GVariant) pixmap = g_variant_get_child_value (pixmaps, which);
  g_autoptr (GVariant) bytes = g_variant_get_child_value (pixmap, 2);
  gint32 width, height;
  gsize n;
  const guint8 *pixels = g_variant_get_fixed_array (bytes, &n, 1);

  g_variant_get (pixmap, "(ii@ay)", &width, &height, NULL);
  CU_ASSERT_EQUAL (width, height);
  CU_ASSERT_EQUAL_FATAL (n, 4 * (gsize) width * (gsize) height);
  *out_size = (guint) width;
  return pixels;
}

static void
there_is_a_picture_of_each_size (void)
{
  const ExoIcon icon = { EXO_ICON_IDLE, FALSE, 0 };
  g_autoptr (GVariant) pixmaps = g_variant_ref_sink (exo_icon_draw (&icon));
  guint size;

  CU_ASSERT_STRING_EQUAL (g_variant_get_type_string (pixmaps), "a(iiay)");
  CU_ASSERT_EQUAL_FATAL (g_variant_n_children (pixmaps), EXO_ICON_N_SIZES);
  for (guint i = 0; i < EXO_ICON_N_SIZES; i++)
    {
      pixels_of (pixmaps, i, &size);
      CU_ASSERT_EQUAL (size, exo_icon_sizes[i]);
    }
  CU_ASSERT_EQUAL (exo_icon_sizes[0], 22);
}

static double
channel (guint value)
{
  double share = value / 255.0;

  return share <= 0.04045 ? share / 12.92 : pow ((share + 0.055) / 1.055, 2.4);
}

/* WCAG 2.2, relative luminance */
static double
luminance (guint red, guint green, guint blue)
{
  return 0.2126 * channel (red) + 0.7152 * channel (green) + 0.0722 * channel (blue);
}

static double
contrast (double a, double b)
{
  return (MAX (a, b) + 0.05) / (MIN (a, b) + 0.05);
}

static void
assert_contrast (const guint8 *pixel)
{
  for (gsize i = 0; i < G_N_ELEMENTS (panels); i++)
    {
      double panel = luminance (panels[i] >> 16, panels[i] >> 8 & 0xff, panels[i] & 0xff);

      CU_ASSERT_TRUE (contrast (luminance (pixel[1], pixel[2], pixel[3]), panel) >= LEAST_CONTRAST);
    }
}

static void
every_solid_pixel_stands_out_on_light_and_dark (void)
{
  static const ExoIcon icons[] = {
    { EXO_ICON_IDLE, FALSE, 0 },    { EXO_ICON_ACTIVE, TRUE, 30 },  { EXO_ICON_PAUSED, TRUE, 30 },
    { EXO_ICON_WARNING, FALSE, 0 }, { EXO_ICON_WARNING, TRUE, 30 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (icons); i++)
    {
      g_autoptr (GVariant) pixmaps = g_variant_ref_sink (exo_icon_draw (&icons[i]));

      for (guint which = 0; which < EXO_ICON_N_SIZES; which++)
        {
          guint size, n_solid = 0;
          const guint8 *pixels = pixels_of (pixmaps, which, &size);

          for (guint at = 0; at < size * size; at++)
            if (pixels[4 * at] == 255)
              {
                assert_contrast (pixels + 4 * at);
                n_solid++;
              }
          CU_ASSERT_TRUE (n_solid > size * size / 20);
        }
    }
}

/* Strength of the ring in the middle of its rim, at @minute of 60. */
static guint
rim (const ExoIcon *icon, guint which, double minute)
{
  g_autoptr (GVariant) pixmaps = g_variant_ref_sink (exo_icon_draw (icon));
  double angle = minute / 60 * 2 * G_PI;
  guint size, x, y;
  const guint8 *pixels = pixels_of (pixmaps, which, &size);

  x = (guint) (size / 2.0 + sin (angle) * size * 9 / 22);
  y = (guint) (size / 2.0 - cos (angle) * size * 9 / 22);
  return pixels[4 * (y * size + x)];
}

static void
the_ring_fills_clockwise_from_the_top (void)
{
  static const struct
  {
    guint step;
    const char *drawing; /* at the minutes 2.5, 17.5, 32.5, 47.5: # full, . not yet */
  } rows[] = { { 0, "...." }, { 15, "#..." }, { 30, "##.." }, { 45, "###." }, { 60, "####" } };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    for (guint which = 0; which < EXO_ICON_N_SIZES; which++)
      {
        const ExoIcon icon = { EXO_ICON_ACTIVE, TRUE, rows[i].step };

        for (guint quarter = 0; quarter < 4; quarter++)
          CU_ASSERT_EQUAL (rim (&icon, which, 2.5 + 15 * quarter) > 200,
                           rows[i].drawing[quarter] == '#');
      }
}

static void
states_look_different (void)
{
  static const ExoIcon icons[] = {
    { EXO_ICON_OFF, FALSE, 0 },     { EXO_ICON_IDLE, FALSE, 0 },    { EXO_ICON_ACTIVE, TRUE, 0 },
    { EXO_ICON_PAUSED, TRUE, 0 },   { EXO_ICON_WARNING, FALSE, 0 }, { EXO_ICON_WARNING, TRUE, 0 },
    { EXO_ICON_WARNING, TRUE, 20 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (icons); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (icons); j++)
      {
        g_autoptr (GVariant) a = g_variant_ref_sink (exo_icon_draw (&icons[i]));
        g_autoptr (GVariant) b = g_variant_ref_sink (exo_icon_draw (&icons[j]));

        CU_ASSERT_EQUAL (g_variant_equal (a, b), i == j);
        CU_ASSERT_EQUAL (exo_icon_equal (&icons[i], &icons[j]), i == j);
      }
}

EXO_SUITE ("tray-icon",
           TEST (what_needs_a_look_wins_over_what_moves_over_what_rests),
           TEST (a_warning_needs_a_look_and_no_agent_is_off),
           TEST (progress_is_of_all_bytes_and_full_means_done),
           TEST (there_is_a_picture_of_each_size),
           TEST (every_solid_pixel_stands_out_on_light_and_dark),
           TEST (the_ring_fills_clockwise_from_the_top),
           TEST (states_look_different))
