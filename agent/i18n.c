/* i18n.c - see i18n.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/i18n.h"

#include <glib/gi18n.h>
#include <locale.h>

void
exo_i18n_init (void)
{
  const char *folder = g_getenv ("EXO_LOCALE_DIR");

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, folder != NULL ? folder : LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
}
