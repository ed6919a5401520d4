/* format.c - see format.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/ctl/format.h"

#include <glib/gi18n.h>
#include <langinfo.h>
#include <string.h>

#define LABEL_COLUMNS_MAX 44u
#define BAR_COLUMNS_MAX   30u
#define BAR_COLUMNS_MIN   6u

/* Numbers ------------------------------------------------------------------------------------------ */

char *
exo_format_bytes (guint64 bytes)
{
  static const char *const units[] = { N_ ("B"),  N_ ("kB"), N_ ("MB"), N_ ("GB"),
                                       N_ ("TB"), N_ ("PB"), N_ ("EB") };
  guint64 unit = 1;
  const char *point = nl_langinfo (RADIXCHAR);
  guint i = 0;

  while (bytes / unit >= 1000 && i + 1 < G_N_ELEMENTS (units))
    {
      unit *= 1000;
      i++;
    }
  if (i == 0)
    return g_strdup_printf ("%u %s", (guint) bytes, _ (units[0]));

  /* Integer arithmetic and rounded down: what is not complete never looks complete. */
  guint64 whole = bytes / unit;
  guint hundredths = (guint) (bytes % unit / (unit / 1000) / 10);

  if (whole >= 100)
    return g_strdup_printf ("%u %s", (guint) whole, _ (units[i]));
  if (whole >= 10)
    return g_strdup_printf ("%u%s%u %s", (guint) whole, point, hundredths / 10, _ (units[i]));
  return g_strdup_printf ("%u%s%02u %s", (guint) whole, point, hundredths, _ (units[i]));
}

char *
exo_format_rate (guint64 bytes_per_s)
{
  g_autofree char *bytes = exo_format_bytes (bytes_per_s);

  /* TRANSLATORS: a size per second */
  return g_strdup_printf (_ ("%s/s"), bytes);
}

char *
exo_format_duration (gint64 seconds)
{
  if (seconds < 0)
    return g_strdup (_ ("unknown"));
  if (seconds < 60)
    return g_strdup_printf (_ ("%d s"), (int) seconds);
  if (seconds < 60 * 60)
    return g_strdup_printf (_ ("%d min %02d s"), (int) (seconds / 60), (int) (seconds % 60));
  if (seconds < 24 * 60 * 60)
    return g_strdup_printf (_ ("%d h %02d min"), (int) (seconds / 3600), (int) (seconds / 60 % 60));
  return g_strdup_printf (_ ("%d d %02d h"), (int) MIN (seconds / 86400, G_MAXINT),
                          (int) (seconds / 3600 % 24));
}

guint
exo_format_percent (guint64 done, guint64 total)
{
  if (total == 0)
    return 0;
  if (done >= total)
    return 100;
  return (guint) ((double) done / (double) total * 100.0);
}

char *
exo_format_date (gint64 unix_s)
{
  g_autoptr (GDateTime) date = unix_s != 0 ? g_date_time_new_from_unix_local (unix_s) : NULL;

  return date != NULL ? g_date_time_format (date, "%Y-%m-%d %H:%M") : g_strdup ("");
}

/* Text --------------------------------------------------------------------------------------------- */

/* Bidirectional controls, line and paragraph separators: they make a name look like another one. */
static gboolean
is_deceptive (gunichar c)
{
  return (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xfeff || c == 0x061c;
}

char *
exo_format_clean (const char *text)
{
  GString *clean = g_string_new (NULL);

  while (text != NULL && *text != '\0')
    {
      gunichar c = g_utf8_get_char_validated (text, -1);

      if (c == (gunichar) -1 || c == (gunichar) -2)
        {
          g_string_append_printf (clean, "\\x%02x", (guchar) *text);
          text++;
          continue;
        }
      if (c < 0x20 || (c >= 0x7f && c < 0xa0))
        g_string_append_printf (clean, "\\x%02x", c);
      else if (is_deceptive (c))
        g_string_append_printf (clean, "\\u{%04x}", c);
      else
        g_string_append_unichar (clean, c);
      text = g_utf8_next_char (text);
    }
  return g_string_free (clean, FALSE);
}

static guint
char_columns (gunichar c)
{
  if (g_unichar_iszerowidth (c))
    return 0;
  return g_unichar_iswide (c) ? 2 : 1;
}

guint
exo_format_columns (const char *text)
{
  guint columns = 0;

  for (; *text != '\0'; text = g_utf8_next_char (text))
    columns += char_columns (g_utf8_get_char (text));
  return columns;
}

char *
exo_format_cut (const char *text, guint columns)
{
  const char *end = text;

  for (guint used = 0; *end != '\0'; end = g_utf8_next_char (end))
    {
      used += char_columns (g_utf8_get_char (end));
      if (used > columns)
        break;
    }
  return g_strndup (text, (gsize) (end - text));
}

static void
append_blanks (GString *line, guint n)
{
  for (guint i = 0; i < n; i++)
    g_string_append_c (line, ' ');
}

char *
exo_format_pad (const char *text, guint columns)
{
  guint wide = exo_format_columns (text);
  GString *line = g_string_new (text);

  append_blanks (line, columns > wide ? columns - wide : 0);
  return g_string_free (line, FALSE);
}

char *
exo_format_fit (const char *text, guint columns, gboolean utf8)
{
  const char *mark = utf8 ? "…" : "~";
  guint wide = exo_format_columns (text);
  GString *line = g_string_new (NULL);

  if (wide > columns && columns > 0)
    {
      while (wide > columns - 1)
        {
          wide -= char_columns (g_utf8_get_char (text));
          text = g_utf8_next_char (text);
        }
      g_string_append (line, mark);
      wide++;
    }
  else if (columns == 0)
    return g_string_free (line, FALSE);
  g_string_append (line, text);
  append_blanks (line, columns - wide);
  return g_string_free (line, FALSE);
}

char *
exo_format_bar (guint64 done, guint64 total, guint columns, gboolean utf8)
{
  guint full = total == 0      ? 0
               : done >= total ? columns
                               : (guint) ((double) done / (double) total * (double) columns);
  GString *bar = g_string_new (NULL);

  for (guint i = 0; i < columns; i++)
    g_string_append (bar, i < full ? (utf8 ? "█" : "#") : (utf8 ? "░" : "."));
  return g_string_free (bar, FALSE);
}

char *
exo_format_progress (const char *label,
                     guint64 done,
                     guint64 total,
                     const char *tail,
                     guint columns,
                     gboolean utf8)
{
  g_autofree char *numbers =
      g_strdup_printf ("  %3u %%  %s", exo_format_percent (done, total), tail);
  guint taken = exo_format_columns (numbers);
  guint room = columns > taken ? columns - taken : 0;
  guint label_columns = MIN (room, LABEL_COLUMNS_MAX);
  guint bar_columns = 0;
  g_autofree char *name = NULL, *bar = NULL, *line = NULL;

  /* The name gets half of what is left at least, the bar the rest. */
  if (room >= 2 * (BAR_COLUMNS_MIN + 2))
    {
      label_columns =
          MIN (MAX (room / 2, room - MIN (room, BAR_COLUMNS_MAX + 2)), LABEL_COLUMNS_MAX);
      bar_columns = MIN (room - label_columns - 2, BAR_COLUMNS_MAX);
    }
  name = exo_format_fit (label, label_columns, utf8);
  bar = exo_format_bar (done, total, bar_columns, utf8);
  line = g_strconcat (name, bar_columns > 0 ? "  " : "", bar, numbers, NULL);
  return exo_format_cut (line, columns);
}

/* Tables ------------------------------------------------------------------------------------------- */

struct ExoTable
{
  guint n_columns;
  gboolean *right;
  guint *widths;
  GPtrArray *cells; /* utf8, row by row */
};

ExoTable *
exo_table_new (guint n_columns, const gboolean *right)
{
  ExoTable *table = g_new0 (ExoTable, 1);

  table->n_columns = n_columns;
  table->right = g_memdup2 (right, n_columns * sizeof *right);
  table->widths = g_new0 (guint, n_columns);
  table->cells = g_ptr_array_new_with_free_func (g_free);
  return table;
}

void
exo_table_free (ExoTable *table)
{
  if (table == NULL)
    return;
  g_free (table->right);
  g_free (table->widths);
  g_ptr_array_unref (table->cells);
  g_free (table);
}

void
exo_table_add (ExoTable *table, char **cells)
{
  for (guint i = 0; i < table->n_columns; i++)
    {
      char *clean = exo_format_clean (cells[i]);

      table->widths[i] = MAX (table->widths[i], exo_format_columns (clean));
      g_ptr_array_add (table->cells, clean);
      g_free (cells[i]);
    }
}

char *
exo_table_to_string (ExoTable *table)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < table->cells->len; i++)
    {
      guint column = i % table->n_columns;
      const char *cell = table->cells->pdata[i];
      guint blanks = table->widths[column] - exo_format_columns (cell);

      if (table->right[column])
        append_blanks (text, blanks);
      g_string_append (text, cell);
      if (!table->right[column])
        append_blanks (text, blanks);
      if (column + 1 < table->n_columns)
        {
          g_string_append (text, "  ");
          continue;
        }
      while (text->len > 0 && text->str[text->len - 1] == ' ')
        g_string_truncate (text, text->len - 1);
      g_string_append_c (text, '\n');
    }
  return g_string_free (text, FALSE);
}
