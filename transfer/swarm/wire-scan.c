/* wire-scan.c - see wire-private.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "transfer/error.h"
#include "transfer/json-text.h"
#include "transfer/swarm/wire-private.h"

static gboolean
refuse (GError **error, const char *what, gsize offset)
{
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
               "not JSON as agreed: %s at byte %" G_GSIZE_FORMAT, what, offset);
  return FALSE;
}

/* The length of the escape at @text, which starts with a backslash; 0 if there is no such escape */
static gsize
escape_length (const char *text, gsize length)
{
  if (length < 2)
    return 0;
  if (text[1] != 'u')
    return text[1] != '\0' && strchr ("\"\\/bfnrt", text[1]) != NULL ? 2 : 0;
  if (length < 6)
    return 0;
  for (gsize i = 2; i < 6; i++)
    if (!g_ascii_isxdigit (text[i]))
      return 0;
  return strncmp (text + 2, "0000", 4) != 0 ? 6 : 0;
}

/* @at: of the opening quote. Returns: of the closing one; 0 with @error set */
static gsize
scan_string (const char *text, gsize length, gsize at, GError **error)
{
  gsize i = at + 1;

  while (i < length && text[i] != '"')
    {
      gsize n = 1;

      if ((guchar) text[i] < 0x20)
        return refuse (error, "control character in a string", i);
      if (text[i] == '\\' && (n = escape_length (text + i, length - i)) == 0)
        return refuse (error, "bad escape", i);
      i += n;
    }
  if (i >= length)
    return refuse (error, "unfinished string", at);
  return i;
}

/* @at: of the first digit. Returns: of the last one; 0 with @error set, as no number starts a line */
static gsize
scan_digits (const char *text, gsize length, gsize at, GError **error)
{
  gsize n = 1;

  while (at + n < length && g_ascii_isdigit (text[at + n]))
    n++;
  if (n > EXO_WIRE_DIGITS_MAX)
    return refuse (error, "number too long", at);
  if (n > 1 && text[at] == '0' && (at == 0 || text[at - 1] != '.'))
    return refuse (error, "number with a leading zero", at);
  return at + n - 1;
}

static gboolean
scan_structure (const char *text, gsize length, GError **error)
{
  guint depth = 0;
  gboolean begun = FALSE;

  for (gsize i = 0; i < length; i++)
    {
      char c = text[i];

      if (depth == 0 && begun && !g_ascii_isspace (c))
        return refuse (error, "text after the end", i);
      begun = begun || c == '{' || c == '[';
      if (c == '"')
        {
          if ((i = scan_string (text, length, i, error)) == 0)
            return FALSE;
        }
      else if (g_ascii_isdigit (c))
        {
          if (i == 0)
            return refuse (error, "number where an object is due", i);
          if ((i = scan_digits (text, length, i, error)) == 0)
            return FALSE;
        }
      else if ((c == '{' || c == '[') && ++depth > EXO_WIRE_DEPTH_MAX)
        return refuse (error, "nested too deep", i);
      else if ((c == '}' || c == ']') && depth-- == 0)
        return refuse (error, "unmatched bracket", i);
    }
  return depth == 0 || refuse (error, "unclosed bracket", length);
}

JsonNode *
exo_wire_json (const char *text, gsize length, gsize max_length, GError **error)
{
  g_autoptr (JsonNode) root = NULL;

  if (length <= max_length &&
      !scan_structure (text, length, error)) /* else exo_json_parse() says so */
    return NULL;
  root = exo_json_parse (text, (gssize) length, max_length, error);
  if (root == NULL)
    return NULL;
  if (!JSON_NODE_HOLDS_OBJECT (root))
    {
      g_set_error_literal (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                           "not a JSON object");
      return NULL;
    }
  return g_steal_pointer (&root);
}
