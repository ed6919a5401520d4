/* form.c - see form.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/endpoint/form.h"

#include <string.h>

/* (nullable) */
static char *
decode (const char *text, gsize n)
{
  g_autofree char *blanks = g_strndup (text, n);
  g_autofree char *decoded = NULL;

  for (char *p = blanks; *p != '\0'; p++)
    if (*p == '+')
      *p = ' ';
  decoded = g_uri_unescape_string (blanks, NULL);
  return decoded != NULL && g_utf8_validate (decoded, -1, NULL) ? g_steal_pointer (&decoded) : NULL;
}

gboolean
exo_form_foreach (const char *form,
                  void (*each) (const char *name, const char *value, gpointer user_data),
                  gpointer user_data)
{
  while (*form != '\0')
    {
      gsize n = strcspn (form, "&");
      gsize n_name = MIN (strcspn (form, "="), n);
      g_autofree char *name = decode (form, n_name);
      g_autofree char *value =
          n_name < n ? decode (form + n_name + 1, n - n_name - 1) : g_strdup ("");

      if (name == NULL || value == NULL)
        return FALSE;
      if (n > 0)
        each (name, value, user_data);
      form += n + (form[n] == '&' ? 1 : 0);
    }
  return TRUE;
}
