/* test-format.c - numbers, names, bars and tables of exoctl
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/ctl/format.h"
#include "tests/unit/suite.h"

#define ASSERT_TEXT(expression, expected)                                                          \
  do                                                                                               \
    {                                                                                              \
      g_autofree char *text_ = (expression);                                                       \
      CU_ASSERT_STRING_EQUAL (text_, expected);                                                    \
      if (!g_str_equal (text_, expected))                                                          \
        fprintf (stderr, "\n  got      \"%s\"\n  expected \"%s\"\n", text_, expected);             \
    }                                                                                              \
  while (0)

static void
sizes_are_decimal_and_rounded_down (void)
{
  const struct
  {
    guint64 bytes;
    const char *text;
  } rows[] = {
    { 0, "0 B" },
    { 999, "999 B" },
    { 1000, "1.00 kB" },
    { 1999, "1.99 kB" },
    { 9999, "9.99 kB" },
    { 12345, "12.3 kB" },
    { 999999, "999 kB" },
    { 1000000, "1.00 MB" },
    { 123456789, "123 MB" },
    { G_GUINT64_CONSTANT (5000000000), "5.00 GB" },
    { G_GUINT64_CONSTANT (1500000000000), "1.50 TB" },
    { G_MAXUINT64, "18.4 EB" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    ASSERT_TEXT (exo_format_bytes (rows[i].bytes), rows[i].text);
  ASSERT_TEXT (exo_format_rate (98000000), "98.0 MB/s");
}

static void
padding_counts_columns_and_cuts_nothing (void)
{
  ASSERT_TEXT (exo_format_pad ("ab", 4), "ab  ");
  ASSERT_TEXT (exo_format_pad ("\u6a21\u578b", 5), "\u6a21\u578b ");
  ASSERT_TEXT (exo_format_pad ("abc", 2), "abc");
}

static void
durations_have_two_units (void)
{
  ASSERT_TEXT (exo_format_duration (-1), "unknown");
  ASSERT_TEXT (exo_format_duration (0), "0 s");
  ASSERT_TEXT (exo_format_duration (59), "59 s");
  ASSERT_TEXT (exo_format_duration (65), "1 min 05 s");
  ASSERT_TEXT (exo_format_duration (2 * 3600 + 3 * 60 + 59), "2 h 03 min");
  ASSERT_TEXT (exo_format_duration (3 * 86400 + 4 * 3600), "3 d 04 h");
}

static void
only_all_is_100_percent (void)
{
  CU_ASSERT_EQUAL (exo_format_percent (0, 0), 0);
  CU_ASSERT_EQUAL (exo_format_percent (999, 1000), 99);
  CU_ASSERT_EQUAL (exo_format_percent (1000, 1000), 100);
  CU_ASSERT_EQUAL (exo_format_percent (2000, 1000), 100);
  CU_ASSERT_EQUAL (exo_format_percent (G_MAXUINT64 / 2, G_MAXUINT64), 50);
}

static void
what_a_terminal_obeys_is_escaped (void)
{
  ASSERT_TEXT (exo_format_clean ("plain, ünïcödé, 模型 🤗"),
               "plain, ünïcödé, 模型 🤗");
  ASSERT_TEXT (exo_format_clean ("a\x1b[2Jb\r\n\t\x7f"), "a\\x1b[2Jb\\x0d\\x0a\\x09\\x7f");
  ASSERT_TEXT (exo_format_clean ("\302\233"
                                 "31m"),
               "\\x9b31m"); /* C1: CSI in one character */
  ASSERT_TEXT (exo_format_clean ("a\xff\xc3"), "a\\xff\\xc3");
  ASSERT_TEXT (exo_format_clean ("gnp.\342\200\256txt"), "gnp.\\u{202e}txt");
  ASSERT_TEXT (exo_format_clean ("a\342\200\250b"), "a\\u{2028}b");
  ASSERT_TEXT (exo_format_clean (NULL), "");
}

static void
wide_characters_take_two_columns (void)
{
  CU_ASSERT_EQUAL (exo_format_columns (""), 0);
  CU_ASSERT_EQUAL (exo_format_columns ("abc"), 3);
  CU_ASSERT_EQUAL (exo_format_columns ("模型"), 4);
  CU_ASSERT_EQUAL (exo_format_columns ("e\xcc\x81"), 1); /* combining acute accent */
}

static void
fitted_text_is_exactly_as_wide_as_asked (void)
{
  ASSERT_TEXT (exo_format_fit ("abc", 5, TRUE), "abc  ");
  ASSERT_TEXT (exo_format_fit ("abcdef", 6, TRUE), "abcdef");
  ASSERT_TEXT (exo_format_fit ("abcdef", 4, TRUE), "…def");
  ASSERT_TEXT (exo_format_fit ("abcdef", 4, FALSE), "~def");
  ASSERT_TEXT (exo_format_fit ("模型模型", 4, TRUE), "…型 ");
  ASSERT_TEXT (exo_format_fit ("abc", 1, TRUE), "…");
  ASSERT_TEXT (exo_format_fit ("abc", 0, TRUE), "");
  ASSERT_TEXT (exo_format_cut ("模型", 3), "模");
  ASSERT_TEXT (exo_format_cut ("abc", 9), "abc");
}

static void
bars_are_full_only_at_the_end (void)
{
  ASSERT_TEXT (exo_format_bar (0, 0, 4, FALSE), "....");
  ASSERT_TEXT (exo_format_bar (2, 4, 4, FALSE), "##..");
  ASSERT_TEXT (exo_format_bar (G_MAXUINT64 - 1, G_MAXUINT64, 4, FALSE), "####");
  ASSERT_TEXT (exo_format_bar (399, 400, 4, FALSE), "###.");
  ASSERT_TEXT (exo_format_bar (4, 4, 4, TRUE), "████");
  ASSERT_TEXT (exo_format_bar (9, 4, 4, FALSE), "####");
}

static void
progress_fits_every_terminal (void)
{
  const char *name = "some/folder/模型-00001-of-00042.safetensors";

  for (guint columns = 1; columns < 200; columns++)
    {
      g_autofree char *line =
          exo_format_progress (name, 1, 3, "1.66 GB of 5.00 GB, 98.0 MB/s", columns, TRUE);

      CU_ASSERT_TRUE (exo_format_columns (line) <= columns);
      CU_ASSERT_TRUE (g_utf8_validate (line, -1, NULL));
    }
  ASSERT_TEXT (exo_format_progress ("a", 1, 2, "x", 40, FALSE),
               "a                ######.......   50 %  x");
}

static void
table_columns_are_as_wide_as_their_widest_cell (void)
{
  static const gboolean right[] = { FALSE, TRUE, FALSE };
  g_autoptr (ExoTable) table = exo_table_new (3, right);
  char *rows[][3] = {
    { g_strdup ("NAME"), g_strdup ("SIZE"), g_strdup ("STATE") },
    { g_strdup ("模型"), g_strdup ("5"), g_strdup ("") },
    { g_strdup ("a\x1b"), g_strdup ("12345"), g_strdup ("ok") },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    exo_table_add (table, rows[i]);
  ASSERT_TEXT (exo_table_to_string (table), "NAME    SIZE  STATE\n"
                                            "模型       5\n"
                                            "a\\x1b  12345  ok\n");
}

EXO_SUITE ("format",
           TEST (sizes_are_decimal_and_rounded_down),
           TEST (padding_counts_columns_and_cuts_nothing),
           TEST (durations_have_two_units),
           TEST (only_all_is_100_percent),
           TEST (what_a_terminal_obeys_is_escaped),
           TEST (wide_characters_take_two_columns),
           TEST (fitted_text_is_exactly_as_wide_as_asked),
           TEST (bars_are_full_only_at_the_end),
           TEST (progress_fits_every_terminal),
           TEST (table_columns_are_as_wide_as_their_widest_cell))
