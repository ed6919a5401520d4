/* menu-row.c - trees of rows, whatever they say; see menu.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tray/menu.h"

ExoMenuRow *
exo_menu_ref (ExoMenuRow *menu)
{
  return g_rc_box_acquire (menu);
}

static void
clear_row (gpointer data)
{
  ExoMenuRow *row = data;

  g_free (row->key);
  g_free (row->label);
  g_free (row->target);
  g_clear_pointer (&row->rows, g_ptr_array_unref);
}

void
exo_menu_unref (ExoMenuRow *menu)
{
  if (menu != NULL)
    g_rc_box_release_full (menu, clear_row);
}

static guint
n_rows (const ExoMenuRow *row)
{
  return row->rows != NULL ? row->rows->len : 0;
}

const ExoMenuRow *
exo_menu_find (const ExoMenuRow *menu, gint32 id)
{
  const ExoMenuRow *found = menu->id == id ? menu : NULL;

  for (guint i = 0; i < n_rows (menu) && found == NULL; i++)
    found = exo_menu_find (menu->rows->pdata[i], id);
  return found;
}

ExoMenuRow *
exo_menu_freeze (const ExoMenuRow *shown, const ExoMenuRow *wanted)
{
  const ExoMenuRow *fresh = exo_menu_find (wanted, shown->id);
  ExoMenuRow *row = g_rc_box_new0 (ExoMenuRow);

  row->id = shown->id;
  row->key = g_strdup (shown->key);
  row->label = g_strdup (fresh != NULL ? fresh->label : shown->label);
  row->enabled = fresh != NULL && fresh->enabled;
  row->visible = shown->visible;
  row->action = shown->action;
  row->target = g_strdup (shown->target);
  if (shown->rows == NULL)
    return row;
  row->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_menu_unref);
  for (guint i = 0; i < shown->rows->len; i++)
    g_ptr_array_add (row->rows, exo_menu_freeze (shown->rows->pdata[i], wanted));
  return row;
}

static gboolean
same_rows (const ExoMenuRow *old, const ExoMenuRow *now)
{
  if (n_rows (old) != n_rows (now))
    return FALSE;
  for (guint i = 0; i < n_rows (now); i++)
    {
      const ExoMenuRow *a = old->rows->pdata[i], *b = now->rows->pdata[i];

      if (a->id != b->id || (a->rows == NULL) != (b->rows == NULL))
        return FALSE;
    }
  return TRUE;
}

gint32
exo_menu_changed_parent (const ExoMenuRow *old, const ExoMenuRow *now)
{
  gint32 changed = -1;

  if (!same_rows (old, now))
    return now->id;
  for (guint i = 0; i < n_rows (now); i++)
    {
      gint32 inside = exo_menu_changed_parent (old->rows->pdata[i], now->rows->pdata[i]);

      if (inside == -1)
        continue;
      if (changed != -1)
        return now->id;
      changed = inside;
    }
  return changed;
}

/* Properties -------------------------------------------------------------------------------------- */

static void
add_property (GVariantBuilder *properties,
              const char *const *names,
              const char *name,
              GVariant *value)
{
  g_autoptr (GVariant) kept = g_variant_ref_sink (value);

  if (names == NULL || names[0] == NULL || g_strv_contains (names, name))
    g_variant_builder_add (properties, "{sv}", name, kept);
}

static char *
double_underscores (const char *label)
{
  GString *text = g_string_new (label);

  g_string_replace (text, "_", "__", 0);
  return g_string_free (text, FALSE);
}

GVariant *
exo_menu_row_properties (const ExoMenuRow *row, const char *const *names)
{
  GVariantBuilder properties;

  g_variant_builder_init (&properties, G_VARIANT_TYPE_VARDICT);
  if (row->rows != NULL)
    add_property (&properties, names, "children-display", g_variant_new_string ("submenu"));
  if (row->id == 0)
    return g_variant_builder_end (&properties);
  if (row->label == NULL)
    add_property (&properties, names, "type", g_variant_new_string ("separator"));
  else
    add_property (&properties, names, "label",
                  g_variant_new_take_string (double_underscores (row->label)));
  add_property (&properties, names, "enabled", g_variant_new_boolean (row->enabled));
  add_property (&properties, names, "visible", g_variant_new_boolean (row->visible));
  return g_variant_builder_end (&properties);
}

static gboolean
looks_the_same (const ExoMenuRow *a, const ExoMenuRow *b)
{
  return g_strcmp0 (a->label, b->label) == 0 && a->enabled == b->enabled &&
         a->visible == b->visible;
}

static guint
add_changes (GVariantBuilder *changes, const ExoMenuRow *old, const ExoMenuRow *row)
{
  const ExoMenuRow *before = exo_menu_find (old, row->id);
  guint n = 0;

  if (before != NULL && !looks_the_same (before, row))
    {
      g_variant_builder_add (changes, "(i@a{sv})", row->id, exo_menu_row_properties (row, NULL));
      n++;
    }
  for (guint i = 0; i < n_rows (row); i++)
    n += add_changes (changes, old, row->rows->pdata[i]);
  return n;
}

GVariant *
exo_menu_changes (const ExoMenuRow *old, const ExoMenuRow *now)
{
  GVariantBuilder changes;

  g_variant_builder_init (&changes, G_VARIANT_TYPE ("a(ia{sv})"));
  if (add_changes (&changes, old, now) > 0)
    return g_variant_builder_end (&changes);
  g_variant_builder_clear (&changes);
  return NULL;
}
