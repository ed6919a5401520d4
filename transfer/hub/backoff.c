/* backoff.c - see backoff.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/hub/backoff.h"

#include <string.h>

#include "transfer/http/content-range.h"

gboolean
exo_backoff_is_transient (guint status)
{
  return status == 0 || status == 408 || status == 429 || (status >= 500 && status != 501);
}

gint64
exo_backoff_us (guint attempt, gint64 first_us, guint32 seed)
{
  gint64 wait = first_us;

  for (guint i = 1; i < attempt && wait < EXO_BACKOFF_MAX_US; i++)
    wait *= 2;
  wait = MIN (wait, EXO_BACKOFF_MAX_US);
  return wait / 2 + (gint64) (seed % (guint64) (wait / 2 + 1));
}

/* ;name=<number> in a structured field */
static gboolean
parameter (const char *field, const char *name, guint64 *out_value)
{
  g_auto (GStrv) parts = g_strsplit (field, ";", 8);
  gsize n = strlen (name);

  for (char **part = parts; *part != NULL; part++)
    {
      const char *text = g_strstrip (*part), *end;

      if (strncmp (text, name, n) == 0 && text[n] == '=')
        return exo_decimal_parse (text + n + 1, &end, out_value) && (*end == '\0' || *end == ',');
    }
  return FALSE;
}

static gint64
seconds (guint64 s)
{
  return s >= (guint64) (EXO_BACKOFF_LIMIT_US / G_USEC_PER_SEC) ? EXO_BACKOFF_LIMIT_US
                                                                : (gint64) s * G_USEC_PER_SEC;
}

gint64
exo_backoff_hint_us (const char *rate_limit, const char *retry_after)
{
  guint64 left, reset, after;
  const char *end;

  if (rate_limit != NULL && parameter (rate_limit, "r", &left) && left == 0 &&
      parameter (rate_limit, "t", &reset))
    return seconds (MIN (reset, G_MAXUINT32) + 1);
  if (retry_after != NULL && exo_decimal_parse (retry_after, &end, &after) && *end == '\0')
    return seconds (after);
  return -1;
}
