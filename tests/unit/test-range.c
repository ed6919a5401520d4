/* test-range.c - the Range header
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/suite.h"
#include "transfer/http/range.h"

#define BIG (G_GUINT64_CONSTANT (5) << 30)

typedef struct
{
  const char *header;
  guint64 size;
  ExoRangeKind kind;
  guint64 first, length;
} Row;

static void
check_rows (const Row *rows, gsize n)
{
  for (gsize i = 0; i < n; i++)
    {
      guint64 first = 77, length = 77;
      ExoRangeKind kind = exo_range_parse (rows[i].header, rows[i].size, &first, &length);
      gboolean ok =
          kind == rows[i].kind &&
          (kind == EXO_RANGE_UNSATISFIABLE ? first == 77 && length == 77
                                           : first == rows[i].first && length == rows[i].length);

      if (!ok)
        printf ("\n    %s of %" G_GUINT64_FORMAT ": %d %" G_GUINT64_FORMAT "+%" G_GUINT64_FORMAT,
                rows[i].header, rows[i].size, kind, first, length);
      CU_ASSERT_TRUE (ok);
    }
}

static void
one_range_is_taken_and_clamped (void)
{
  static const Row rows[] = {
    /* RFC 9110 14.1.2 */
    { "bytes=0-499", 10000, EXO_RANGE_PART, 0, 500 },
    { "bytes=500-999", 10000, EXO_RANGE_PART, 500, 500 },
    { "bytes=-500", 10000, EXO_RANGE_PART, 9500, 500 },
    { "bytes=9500-", 10000, EXO_RANGE_PART, 9500, 500 },
    { "bytes=0-0", 10000, EXO_RANGE_PART, 0, 1 },
    { "bytes=-1", 10000, EXO_RANGE_PART, 9999, 1 },
    { "bytes=-20000", 10000, EXO_RANGE_PART, 0, 10000 },
    { "bytes=9999-10000", 10000, EXO_RANGE_PART, 9999, 1 },
    { "bytes=0-99999999999999999999999", 10000, EXO_RANGE_PART, 0, 10000 },
    { "bytes=-99999999999999999999999", 10000, EXO_RANGE_PART, 0, 10000 },
    { "BYTES=1-2", 10000, EXO_RANGE_PART, 1, 2 },
    { "bytes= 1-2 ", 10000, EXO_RANGE_PART, 1, 2 },
    { "bytes=4294967296-4294967299", BIG, EXO_RANGE_PART, G_GUINT64_CONSTANT (4294967296), 4 },
    { "bytes=0-", G_MAXUINT64, EXO_RANGE_PART, 0, G_MAXUINT64 },
  };

  check_rows (rows, G_N_ELEMENTS (rows));
}

static void
no_range_or_an_unknown_unit_is_the_whole (void)
{
  static const Row rows[] = {
    { NULL, 10, EXO_RANGE_WHOLE, 0, 10 },         { "", 10, EXO_RANGE_WHOLE, 0, 10 },
    { "lines=1-2", 10, EXO_RANGE_WHOLE, 0, 10 },  { "bytes", 10, EXO_RANGE_WHOLE, 0, 10 },
    { "bytes =0-1", 10, EXO_RANGE_WHOLE, 0, 10 }, { "bytes=-5", 0, EXO_RANGE_WHOLE, 0, 0 },
  };

  check_rows (rows, G_N_ELEMENTS (rows));
}

static void
what_cannot_be_satisfied_is_refused (void)
{
  static const Row rows[] = {
    { "bytes=", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=-", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=-0", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=10-", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=10-11", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=5-4", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=0-0", 0, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=0-1,4-5", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=0-1,", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=-1,-2", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=a-b", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=1", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=1-2x", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=1- 2", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=--1", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=+1-2", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=0x1-2", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=18446744073709551616-", 10, EXO_RANGE_UNSATISFIABLE, 0, 0 },
    { "bytes=18446744073709551616-18446744073709551617", BIG, EXO_RANGE_UNSATISFIABLE, 0, 0 },
  };

  check_rows (rows, G_N_ELEMENTS (rows));
}

EXO_SUITE ("range",
           TEST (one_range_is_taken_and_clamped),
           TEST (no_range_or_an_unknown_unit_is_the_whole),
           TEST (what_cannot_be_satisfied_is_refused))
