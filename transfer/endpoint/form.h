/* form.h - "a=b&c=d" of queries and forms
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Calls @each for the fields in their order, decoded ("+" is a blank) and valid UTF-8; @value is "" for a field
 * without "=". FALSE at the first one that cannot be decoded or holds a NUL: those after it are not looked at. */
gboolean exo_form_foreach (const char *form,
                           void (*each) (const char *name, const char *value, gpointer user_data),
                           gpointer user_data);

G_END_DECLS
