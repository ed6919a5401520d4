/* json-append.c - see json-append.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/endpoint/json-append.h"

void
exo_json_append_string (GString *json, const char *text)
{
  g_autofree char *made_valid = NULL;

  if (text != NULL && !g_utf8_validate (text, -1, NULL))
    text = made_valid = g_utf8_make_valid (text, -1);
  g_string_append_c (json, '"');
  for (; text != NULL && *text != '\0'; text++)
    if (*text == '"' || *text == '\\')
      {
        g_string_append_c (json, '\\');
        g_string_append_c (json, *text);
      }
    else if ((guchar) *text < 0x20)
      g_string_append_printf (json, "\\u%04x", (guint) *text);
    else
      g_string_append_c (json, *text);
  g_string_append_c (json, '"');
}

static void
append_name (GString *json, const char *name)
{
  g_string_append_c (json, '"');
  g_string_append (json, name);
  g_string_append (json, "\":");
}

void
exo_json_append_text (GString *json, const char *name, const char *text)
{
  append_name (json, name);
  exo_json_append_string (json, text);
  g_string_append_c (json, ',');
}

void
exo_json_append_size (GString *json, const char *name, guint64 value)
{
  append_name (json, name);
  g_string_append_printf (json, "%" G_GUINT64_FORMAT ",", value);
}

void
exo_json_append_boolean (GString *json, const char *name, gboolean value)
{
  append_name (json, name);
  g_string_append (json, value ? "true," : "false,");
}

void
exo_json_append_end (GString *json, char bracket)
{
  if (json->len > 0 && json->str[json->len - 1] == ',')
    g_string_truncate (json, json->len - 1);
  g_string_append_c (json, bracket);
}
