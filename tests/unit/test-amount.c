/* test-amount.c - amounts of bytes as people write them
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/amount.h"
#include "tests/unit/suite.h"

static void
amounts_have_a_number_and_a_unit (void)
{
  static const struct
  {
    const char *text;
    gboolean is_rate;
    guint64 bytes;
  } rows[] = {
    { "off", FALSE, 0 },
    { "off", TRUE, 0 },
    { "1B", FALSE, 1 },
    { "500GB", FALSE, G_GUINT64_CONSTANT (500000000000) },
    { " 1.5 TiB ", FALSE, G_GUINT64_CONSTANT (1649267441664) },
    { "20MB/s", TRUE, 20000000 },
    { "20 MB/s", TRUE, 20000000 },
    { "100Mbit/s", TRUE, 12500000 },
    { "1Gbit/s", TRUE, 125000000 },
    { "512KiB/s", TRUE, 524288 },
    { "100kB/s", TRUE, 100000 },
    { "100KB/s", TRUE, 100000 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      guint64 bytes = 77;

      CU_ASSERT_TRUE (exo_amount_parse (rows[i].text, rows[i].is_rate, &bytes));
      CU_ASSERT_EQUAL (bytes, rows[i].bytes);
    }
}

static void
what_could_mean_several_things_is_refused (void)
{
  static const struct
  {
    const char *text;
    gboolean is_rate;
  } rows[] = {
    { "", FALSE },          { "20", FALSE },
    { "20", TRUE },         { "20MB", TRUE },
    { "20MB/s", FALSE },    { "20Mb/s", TRUE },
    { "20mb/s", TRUE },     { "1Mbit", FALSE },
    { "-1GB", FALSE },      { "+1GB", FALSE },
    { "1e3GB", FALSE },     { "0x10GB", FALSE },
    { "infGB", FALSE },     { "1.2.3GB", FALSE },
    { "0GB", FALSE },       { "0.4B", FALSE },
    { "1,5GB", FALSE },     { "GB", FALSE },
    { "1GB/min", TRUE },    { "/s", TRUE },
    { "1000001TB", FALSE }, { "Off", FALSE },
    { "1 G B", FALSE },     { ".5GB", FALSE },
    { "1PB", FALSE },       { "9999999999999999999999999B", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      guint64 bytes = 77;

      if (exo_amount_parse (rows[i].text, rows[i].is_rate, &bytes))
        CU_FAIL (rows[i].text);
      CU_ASSERT_EQUAL (bytes, 77);
    }
}

EXO_SUITE ("amount",
           TEST (amounts_have_a_number_and_a_unit),
           TEST (what_could_mean_several_things_is_refused))
