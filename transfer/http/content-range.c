/* content-range.c - see content-range.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/http/content-range.h"

gboolean
exo_decimal_parse (const char *text, const char **out_end, guint64 *out_value)
{
  guint64 value = 0;

  if (!g_ascii_isdigit (*text))
    return FALSE;
  for (; g_ascii_isdigit (*text); text++)
    {
      guint64 digit = (guint64) g_ascii_digit_value (*text);

      if (value > ((guint64) G_MAXINT64 - digit) / 10)
        return FALSE;
      value = value * 10 + digit;
    }
  *out_end = text;
  *out_value = value;
  return TRUE;
}

gboolean
exo_content_range_parse (const char *value, ExoContentRange *out_range)
{
  ExoContentRange range;

  if (value == NULL || g_ascii_strncasecmp (value, "bytes ", 6) != 0)
    return FALSE;
  for (value += 6; *value == ' ';)
    value++;
  if (!exo_decimal_parse (value, &value, &range.first) || *value++ != '-' ||
      !exo_decimal_parse (value, &value, &range.last) || *value++ != '/' ||
      !exo_decimal_parse (value, &value, &range.total) || *value != '\0')
    return FALSE;
  if (range.first > range.last || range.last >= range.total)
    return FALSE;
  *out_range = range;
  return TRUE;
}
