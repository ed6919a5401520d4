/* i18n.h - texts in the language of the person
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What people read is marked with _(), N_() or ngettext() of <glib/gi18n.h> and translated in po/. What programs read
 * is not: JSON, D-Bus names and states, the log.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Takes locale and translations; first thing in main(). Texts are UTF-8 whatever the locale says. Translations come
 * from the folder EXO_LOCALE_DIR, where that is set: for tests, before anything is installed. */
void exo_i18n_init (void);

G_END_DECLS
