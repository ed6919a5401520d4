/* menu.c - what the menu says; see menu.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tray/menu.h"

#include <glib/gi18n.h>
#include <string.h>

#include "tray/text.h"

struct ExoMenuIds
{
  GHashTable *ids;  /* (element-type utf8 gint32): of the last tree; keys owned */
  GHashTable *next; /* likewise: of the one being built */
  gint32 last;
};

ExoMenuIds *
exo_menu_ids_new (void)
{
  ExoMenuIds *ids = g_new0 (ExoMenuIds, 1);

  ids->ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return ids;
}

void
exo_menu_ids_free (ExoMenuIds *ids)
{
  if (ids == NULL)
    return;
  g_hash_table_unref (ids->ids);
  g_free (ids);
}

static gint32
id_of (ExoMenuIds *ids, const char *key)
{
  gint32 id = GPOINTER_TO_INT (g_hash_table_lookup (ids->ids, key));

  if (id == 0)
    id = ++ids->last;
  g_hash_table_insert (ids->next, g_strdup (key), GINT_TO_POINTER (id));
  return id;
}

/* Rows -------------------------------------------------------------------------------------------- */

typedef struct
{
  const ExoView *view;
  ExoMenuIds *ids;
} Build;

/* @label: (transfer full) (nullable): a separator. The row, which is @parent's. */
static ExoMenuRow *
add_row (Build *build, ExoMenuRow *parent, const char *key, char *label)
{
  ExoMenuRow *row = g_rc_box_new0 (ExoMenuRow);

  if (parent->rows == NULL)
    parent->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_menu_unref);
  row->key = parent->id == 0 ? g_strdup (key) : g_strconcat (parent->key, "\n", key, NULL);
  row->id = id_of (build->ids, row->key);
  row->label = label;
  row->visible = TRUE;
  g_ptr_array_add (parent->rows, row);
  return row;
}

/* A row that can be clicked. */
static void
add_action (Build *build,
            ExoMenuRow *parent,
            const char *key,
            const char *label,
            gboolean enabled,
            ExoMenuAction action,
            const char *target)
{
  ExoMenuRow *row = add_row (build, parent, key, g_strdup (label));

  row->enabled = enabled;
  row->action = action;
  row->target = g_strdup (target);
}

static void
add_more (Build *build, ExoMenuRow *parent, guint n, guint max)
{
  if (n > max)
    add_row (build, parent, "more",
             g_strdup_printf (ngettext ("and %u more", "and %u more", n - max), n - max));
}

/* Transfers --------------------------------------------------------------------------------------- */

/* What the state does not allow stays in its place, disabled: nothing moves, and no click hits its opposite. */
static void
add_transfer (Build *build, ExoMenuRow *menu, const ExoViewTransfer *transfer)
{
  g_autofree char *model = exo_text_model (transfer);
  g_autofree char *progress = exo_text_progress (transfer);
  gboolean failed = transfer->state == EXO_VIEW_FAILED;
  /* TRANSLATORS: model, what its transfer does */
  ExoMenuRow *row =
      add_row (build, menu, transfer->path, g_strdup_printf (_ ("%s: %s"), model, progress));
  ExoMenuRow *why;

  row->enabled = TRUE;
  why = add_row (build, row, "why",
                 exo_text_short (transfer->error_message, EXO_TEXT_MESSAGE_COLUMNS));
  why->visible = *transfer->error_message != '\0';
  add_action (build, row, "pause", _ ("Pause"), exo_view_is_running (transfer), EXO_MENU_PAUSE,
              transfer->path);
  add_action (build, row, "resume", failed ? _ ("Try again") : _ ("Resume"),
              failed || transfer->state == EXO_VIEW_PAUSED, EXO_MENU_RESUME, transfer->path);
  add_action (build, row, "cancel", failed ? _ ("Remove from this list") : _ ("Cancel"), TRUE,
              EXO_MENU_CANCEL, transfer->path);
}

static void
add_transfers (Build *build, ExoMenuRow *menu)
{
  GPtrArray *transfers = build->view->transfers;
  guint n = 0;

  for (guint i = 0; i < transfers->len; i++)
    {
      const ExoViewTransfer *transfer = transfers->pdata[i];

      if (transfer->state != EXO_VIEW_COMPLETE && n++ < EXO_MENU_TRANSFERS_MAX)
        add_transfer (build, menu, transfer);
    }
  if (n == 0)
    add_row (build, menu, "none", g_strdup (_ ("No transfers")));
  add_more (build, menu, n, EXO_MENU_TRANSFERS_MAX);
}

static gboolean
any (const ExoView *view, gboolean (*is_so) (const ExoViewTransfer *))
{
  for (guint i = 0; i < view->transfers->len; i++)
    if (is_so (view->transfers->pdata[i]))
      return TRUE;
  return FALSE;
}

/* Pull again -------------------------------------------------------------------------------------- */

static int
compare_finished (gconstpointer a, gconstpointer b)
{
  const ExoViewTransfer *left = *(ExoViewTransfer *const *) a;
  const ExoViewTransfer *right = *(ExoViewTransfer *const *) b;

  if (left->finished != right->finished)
    return left->finished > right->finished ? -1 : 1;
  return (left->id < right->id) - (left->id > right->id);
}

/* The model, and what tells this pull of it from another. */
static char *
text_of_recent (const ExoViewTransfer *transfer)
{
  g_autofree char *globs = g_strjoinv (" ", transfer->include);
  g_autofree char *not_globs = g_strjoinv (" -", transfer->exclude);
  g_autofree char *name = g_strconcat (
      transfer->model, g_str_equal (transfer->revision, "main") ? "" : "@",
      g_str_equal (transfer->revision, "main") ? "" : transfer->revision, *globs != '\0' ? " " : "",
      globs, *not_globs != '\0' ? " -" : "", not_globs, NULL);

  return exo_text_short (name, EXO_TEXT_NAME_COLUMNS);
}

static void
add_recent (Build *build, ExoMenuRow *menu)
{
  GPtrArray *transfers = build->view->transfers;
  g_autoptr (GPtrArray) recent = g_ptr_array_new ();
  ExoMenuRow *again = add_row (build, menu, "again", g_strdup (_ ("Pull again")));

  for (guint i = 0; i < transfers->len; i++)
    {
      ExoViewTransfer *transfer = transfers->pdata[i];

      if (transfer->state == EXO_VIEW_COMPLETE && !transfer->on_demand)
        g_ptr_array_add (recent, transfer);
    }
  g_ptr_array_sort (recent, compare_finished);
  again->enabled = recent->len > 0;
  for (guint i = 0; i < MIN (recent->len, EXO_MENU_RECENT_MAX); i++)
    {
      const ExoViewTransfer *transfer = recent->pdata[i];
      g_autofree char *label = text_of_recent (transfer);

      add_action (build, again, transfer->path, label, TRUE, EXO_MENU_PULL, transfer->path);
    }
}

/* Neighbours and warnings ------------------------------------------------------------------------- */

static void
add_nodes (Build *build, ExoMenuRow *menu)
{
  GPtrArray *nodes = build->view->nodes;
  ExoMenuRow *list = add_row (build, menu, "nodes", NULL);
  guint n = 0;

  for (guint i = 0; i < nodes->len; i++)
    {
      const ExoViewNode *node = nodes->pdata[i];

      if (!node->self && n++ < EXO_MENU_NODES_MAX)
        add_row (build, list, node->id, exo_text_node (node));
    }
  list->enabled = n > 0;
  list->label = n == 0 ? g_strdup (_ ("No neighbours"))
                       : g_strdup_printf (ngettext ("%u neighbour", "%u neighbours", n), n);
  add_more (build, list, n, EXO_MENU_NODES_MAX);
}

static void
add_warnings (Build *build, ExoMenuRow *menu)
{
  GPtrArray *warnings = build->view->warnings;
  ExoMenuRow *list;

  if (warnings->len == 0)
    return;
  list = add_row (
      build, menu, "warnings",
      g_strdup_printf (ngettext ("%u warning", "%u warnings", warnings->len), warnings->len));
  list->enabled = TRUE;
  for (guint i = warnings->len; i > 0; i--)
    {
      const ExoViewWarning *warning = warnings->pdata[i - 1];
      g_autofree char *label = exo_text_short (warning->message, EXO_TEXT_MESSAGE_COLUMNS);
      g_autofree char *key = g_strconcat (warning->kind, "\t", warning->message, NULL);

      add_action (build, list, key, label, TRUE, EXO_MENU_DISMISS, warning->message);
    }
  add_row (build, list, "-", NULL);
  add_action (build, list, "dismiss", _ ("Dismiss all"), TRUE, EXO_MENU_DISMISS, NULL);
}

/* All --------------------------------------------------------------------------------------------- */

static gboolean
is_paused (const ExoViewTransfer *transfer)
{
  return transfer->state == EXO_VIEW_PAUSED && !transfer->on_demand;
}

static void
add_connected (Build *build, ExoMenuRow *menu)
{
  add_transfers (build, menu);
  add_warnings (build, menu);
  add_row (build, menu, "-1", NULL);
  add_action (build, menu, "pause-all", _ ("Pause all"), any (build->view, exo_view_is_running),
              EXO_MENU_PAUSE_ALL, NULL);
  add_action (build, menu, "resume-all", _ ("Resume all"), any (build->view, is_paused),
              EXO_MENU_RESUME_ALL, NULL);
  add_recent (build, menu);
  add_row (build, menu, "-2", NULL);
  add_nodes (build, menu);
}

ExoMenuRow *
exo_menu_build (const ExoView *view, ExoMenuIds *ids)
{
  Build build = { view, ids };
  ExoMenuRow *menu = g_rc_box_new0 (ExoMenuRow);

  ids->next = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  menu->key = g_strdup ("");
  menu->enabled = menu->visible = TRUE;
  if (view->connected)
    add_connected (&build, menu);
  else
    {
      add_row (&build, menu, "off", g_strdup (_ ("The agent is not running")));
      add_action (&build, menu, "start", _ ("Start the agent"), TRUE, EXO_MENU_START, NULL);
      add_warnings (&build, menu);
      add_row (&build, menu, "-2", NULL);
    }
  add_action (&build, menu, "folder", _ ("Open the models folder"), TRUE, EXO_MENU_OPEN_FOLDER,
              NULL);
  add_row (&build, menu, "-3", NULL);
  add_action (&build, menu, "quit", _ ("Quit"), TRUE, EXO_MENU_QUIT, NULL);
  g_hash_table_unref (ids->ids);
  ids->ids = g_steal_pointer (&ids->next);
  return menu;
}
