/* range.c - see range.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/http/range.h"

#include <string.h>

static const char *
skip_space (const char *p)
{
  while (*p == ' ' || *p == '\t')
    p++;
  return p;
}

/* 1*DIGIT; more than 64 bits hold is G_MAXUINT64, which lies past the end of anything. Returns: past the last digit, NULL if there is none */
static const char *
read_number (const char *p, guint64 *out_value)
{
  guint64 value = 0;

  if (!g_ascii_isdigit (*p))
    return NULL;
  for (; g_ascii_isdigit (*p); p++)
    if (!g_uint64_checked_mul (&value, value, 10) ||
        !g_uint64_checked_add (&value, value, (guint64) (*p - '0')))
      value = G_MAXUINT64;
  *out_value = value;
  return p;
}

/* "-" 1*DIGIT: the last so many bytes, all if there are fewer */
static ExoRangeKind
parse_suffix (const char *p, guint64 size, guint64 *out_first, guint64 *out_length)
{
  guint64 n;

  p = read_number (p, &n);
  if (p == NULL || *skip_space (p) != '\0' || n == 0)
    return EXO_RANGE_UNSATISFIABLE;
  n = MIN (n, size);
  *out_first = size - n;
  *out_length = n;
  return n > 0 ? EXO_RANGE_PART : EXO_RANGE_WHOLE; /* no Content-Range describes nothing */
}

ExoRangeKind
exo_range_parse (const char *header, guint64 size, guint64 *out_first, guint64 *out_length)
{
  guint64 first, last = G_MAXUINT64;
  const char *p;

  if (header == NULL || g_ascii_strncasecmp (header, "bytes=", strlen ("bytes=")) != 0)
    {
      *out_first = 0;
      *out_length = size;
      return EXO_RANGE_WHOLE;
    }
  p = skip_space (header + strlen ("bytes="));
  if (*p == '-')
    return parse_suffix (p + 1, size, out_first, out_length);
  p = read_number (p, &first);
  if (p == NULL || *p++ != '-')
    return EXO_RANGE_UNSATISFIABLE;
  if (g_ascii_isdigit (*p))
    p = read_number (p, &last);
  if (*skip_space (p) != '\0' || last < first || first >= size)
    return EXO_RANGE_UNSATISFIABLE;
  *out_first = first;
  *out_length = MIN (last, size - 1) - first + 1;
  return EXO_RANGE_PART;
}
