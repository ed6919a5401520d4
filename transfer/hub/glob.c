/* glob.c - see glob.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/hub/glob.h"

#include <string.h>

/* The "]" that closes the set which opens at @set, or NULL. "]" and "!]" at its start are members. */
static const char *
set_end (const char *set)
{
  const char *p = set + 1;

  if (*p == '!')
    p++;
  if (*p == ']')
    p++;
  return strchr (p, ']');
}

static gboolean
set_has (const char *set, const char *end, gunichar c)
{
  const char *p = set + 1;
  gboolean negated = *p == '!';
  gboolean found = FALSE;

  if (negated)
    p++;
  while (p < end)
    {
      gunichar low = g_utf8_get_char (p), high = low;

      p = g_utf8_next_char (p);
      if (*p == '-' && p + 1 < end)
        {
          high = g_utf8_get_char (p + 1);
          p = g_utf8_next_char (p + 1);
        }
      if (c >= low && c <= high)
        found = TRUE;
    }
  return found != negated;
}

/* Matches one character of the pattern; returns the rest of the pattern, or NULL. */
static const char *
match_one (const char *glob, gunichar c)
{
  const char *end;

  if (*glob == '\0')
    return NULL;
  if (*glob == '?')
    return glob + 1;
  if (*glob == '[' && (end = set_end (glob)) != NULL)
    return set_has (glob, end, c) ? end + 1 : NULL;
  return g_utf8_get_char (glob) == c ? g_utf8_next_char (glob) : NULL;
}

gboolean
exo_glob_match (const char *glob, const char *path)
{
  const char *retry_glob = NULL; /* behind the last "*" seen */
  const char *retry_path = NULL; /* what that "*" has not eaten yet */

  while (*path != '\0')
    {
      const char *next;

      if (*glob == '*')
        {
          retry_glob = ++glob;
          retry_path = path;
          continue;
        }
      next = match_one (glob, g_utf8_get_char (path));
      if (next != NULL)
        {
          glob = next;
          path = g_utf8_next_char (path);
        }
      else if (retry_glob != NULL)
        {
          retry_path = g_utf8_next_char (retry_path);
          path = retry_path;
          glob = retry_glob;
        }
      else
        return FALSE;
    }
  while (*glob == '*')
    glob++;
  return *glob == '\0';
}
