/* amount.c - see amount.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/amount.h"

#include <string.h>

static const struct
{
  const char *name;
  guint64 bytes;
  gboolean is_bits; /* eighths of @bytes, and only of rates */
} units[] = {
  { "B", 1, FALSE },
  { "kB", 1000, FALSE },
  { "KB", 1000, FALSE },
  { "MB", 1000000, FALSE },
  { "GB", 1000000000, FALSE },
  { "TB", G_GUINT64_CONSTANT (1000000000000), FALSE },
  { "KiB", 1u << 10, FALSE },
  { "MiB", 1u << 20, FALSE },
  { "GiB", 1u << 30, FALSE },
  { "TiB", G_GUINT64_CONSTANT (1) << 40, FALSE },
  { "kbit", 1000, TRUE },
  { "Mbit", 1000000, TRUE },
  { "Gbit", 1000000000, TRUE },
};

gboolean
exo_amount_parse (const char *text, gboolean is_rate, guint64 *out_bytes)
{
  g_autofree char *clean = g_strstrip (g_strdup (text));
  char *unit;
  double number;

  if (strcmp (clean, "off") == 0)
    {
      *out_bytes = 0;
      return TRUE;
    }
  /* g_ascii_strtod() takes signs, exponents, hexadecimal numbers and "inf", too. */
  unit = clean + strspn (clean, "0123456789.");
  number = g_ascii_isdigit (*clean) ? g_ascii_strtod (clean, NULL) : 0;
  if (number <= 0 || memchr (clean, '.', (gsize) (unit - clean)) != strrchr (clean, '.'))
    return FALSE;
  unit = g_strchug (unit);
  if (is_rate && !g_str_has_suffix (unit, "/s"))
    return FALSE;
  if (is_rate)
    unit[strlen (unit) - 2] = '\0';
  for (gsize i = 0; i < G_N_ELEMENTS (units); i++)
    if (strcmp (units[i].name, unit) == 0 && (is_rate || !units[i].is_bits))
      {
        number = number * (double) units[i].bytes / (units[i].is_bits ? 8 : 1);
        if (number < 1 || number > 1e18)
          return FALSE;
        *out_bytes = (guint64) (number + 0.5);
        return TRUE;
      }
  return FALSE;
}
