/* token.c - see token.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/hub/token.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#include "transfer/error.h"

/* A file of any size may lie there; (nullable) */
static char *
read_bounded (const char *path)
{
  g_autofree char *text = g_malloc0 (EXO_TOKEN_MAX + 64);
  FILE *file = fopen (path, "re");
  gsize n;

  if (file == NULL)
    return NULL;
  n = fread (text, 1, EXO_TOKEN_MAX + 63, file);
  fclose (file);
  return n > 0 ? g_steal_pointer (&text) : NULL;
}

gboolean
exo_token_read (const char *token, const char *path, char **out_token, GError **error)
{
  const char *where = token != NULL ? "HF_TOKEN" : path;
  g_autofree char *text = NULL;

  if (token != NULL)
    text = g_strdup (token);
  else if (path != NULL)
    text = read_bounded (path);
  if (text != NULL)
    g_strstrip (text);
  if (text == NULL || *text == '\0')
    {
      *out_token = NULL;
      return TRUE;
    }
  for (const char *p = text; *p != '\0'; p++)
    if (!g_ascii_isgraph (*p))
      {
        g_set_error (
            error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DENIED,
            _ ("the Hub token in %s holds blanks, control or other characters that no token "
               "has: copy it again from the Hub's settings"),
            where);
        return FALSE;
      }
  if (strlen (text) > EXO_TOKEN_MAX)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DENIED,
                   _ ("the Hub token in %s is too long to be one"), where);
      return FALSE;
    }
  *out_token = g_steal_pointer (&text);
  return TRUE;
}
