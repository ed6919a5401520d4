/* test-content-range.c - which bytes a 206 says it brings
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/suite.h"
#include "transfer/http/content-range.h"

static void
one_known_range_is_read (void)
{
  ExoContentRange range;

  CU_ASSERT_TRUE (exo_content_range_parse ("bytes 0-99/548105171", &range));
  CU_ASSERT_EQUAL (range.first, 0);
  CU_ASSERT_EQUAL (range.last, 99);
  CU_ASSERT_EQUAL (range.total, 548105171);
  CU_ASSERT_TRUE (exo_content_range_parse ("Bytes 5000000000-5000000000/5000000001", &range));
  CU_ASSERT_EQUAL (range.first, G_GUINT64_CONSTANT (5000000000));
  CU_ASSERT_TRUE (exo_content_range_parse (
      "bytes 9223372036854775805-9223372036854775806/9223372036854775807", &range));
}

static void
everything_else_is_refused (void)
{
  const char *rows[] = {
    NULL,
    "",
    "bytes",
    "bytes ",
    "bytes */100",
    "bytes 0-9/*",
    "0-9/100",
    "bytes 9-8/9",
    "bytes 0-9/9",
    "bytes 0-99",
    "bytes -1-5/9",
    "bytes 0--1/9",
    "bytes 0-9/ ",
    "bytes 0x1-9",
    "items 0-9/9",
    "bytes 0-5/9x",
    "bytes=0-5/9",
    "bytes 0-5/9 ",
    "bytes +1-5/9",
    "bytes 1 -5/9",
    "bytes 0-5,7-8/9",
    "bytes 0-9223372036854775807/9223372036854775808",
    "bytes 0-18446744073709551616/18446744073709551617",
  };
  ExoContentRange range = { 1, 2, 3 };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    CU_ASSERT_FALSE (exo_content_range_parse (rows[i], &range));
  CU_ASSERT_EQUAL (range.total, 3); /* untouched */
}

EXO_SUITE ("content-range", TEST (one_known_range_is_read), TEST (everything_else_is_refused))
