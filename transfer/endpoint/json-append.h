/* json-append.h - JSON written straight into a text
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The tree of a large repo has 100,000 entries: json-glib's objects for them cost a second, text does not.
 *
 * Pure.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* With its quotes. What is not UTF-8 becomes U+FFFD; @text: (nullable): as "" */
void exo_json_append_string (GString *json, const char *text);

/* Members of an object, "name":value, each followed by a comma; @name is a plain word of ours. */
void exo_json_append_text (GString *json, const char *name, const char *text);
void exo_json_append_size (GString *json, const char *name, guint64 value);
void exo_json_append_boolean (GString *json, const char *name, gboolean value);

/* @bracket takes the place of the comma after the last member, or follows what opened the object or array. */
void exo_json_append_end (GString *json, char bracket);

G_END_DECLS
