/* test-tray-menu.c - what the menu of the tray says, and what changes in it
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/suite.h"
#include "tests/unit/tray-view.h"
#include "tray/menu.h"
#include "tray/text.h"

/* A row a line, indented by depth: "label", "--" for a separator, "(label)" for one that cannot be clicked. */
static void
print_row (GString *text, const ExoMenuRow *row, guint depth)
{
  if (row->id != 0 && row->visible)
    {
      for (guint i = 1; i < depth; i++)
        g_string_append (text, "  ");
      g_string_append_printf (text, row->enabled || row->label == NULL ? "%s\n" : "(%s)\n",
                              row->label != NULL ? row->label : "--");
    }
  for (guint i = 0; row->rows != NULL && i < row->rows->len; i++)
    print_row (text, row->rows->pdata[i], depth + 1);
}

static void
assert_menu (const ExoMenuRow *menu, const char *expected)
{
  GString *text = g_string_new (NULL);

  print_row (text, menu, 0);
  CU_ASSERT_STRING_EQUAL (text->str, expected);
  if (!g_str_equal (text->str, expected))
    fprintf (stderr, "\n--- got\n%s--- expected\n%s", text->str, expected);
  g_string_free (text, TRUE);
}

static const ExoMenuRow *
find_label (const ExoMenuRow *row, const char *label)
{
  const ExoMenuRow *found = g_strcmp0 (row->label, label) == 0 ? row : NULL;

  for (guint i = 0; row->rows != NULL && i < row->rows->len && found == NULL; i++)
    found = find_label (row->rows->pdata[i], label);
  return found;
}

/* One that must be there. */
static const ExoMenuRow *
row_of (const ExoMenuRow *menu, const char *label)
{
  const ExoMenuRow *row = find_label (menu, label);

  g_assert (row != NULL);
  return row;
}

static gint32
id_of (const ExoMenuRow *menu, const char *label)
{
  return row_of (menu, label)->id;
}

static ExoView *
view_with_slow (void)
{
  ExoView *view = exo_view_new ();
  ExoViewTransfer *slow;

  view->connected = TRUE;
  slow = tray_view_add (view, "org/slow", EXO_VIEW_TRANSFERRING, 40, 100);
  slow->rate = 100000000;
  slow->eta = 72;
  return view;
}

/* What it says ------------------------------------------------------------------------------------ */

static void
without_an_agent_it_can_be_started (void)
{
  g_autoptr (ExoMenuIds) ids = exo_menu_ids_new ();
  g_autoptr (ExoView) view = exo_view_new ();
  g_autoptr (ExoMenuRow) menu = exo_menu_build (view, ids);

  assert_menu (
      menu, "(The agent is not running)\nStart the agent\n--\nOpen the models folder\n--\nQuit\n");
}

static void
fill_everything (ExoView *view)
{
  ExoViewTransfer *transfer;

  tray_view_add (view, "org/rests", EXO_VIEW_PAUSED, 7, 100);
  transfer = tray_view_add (view, "org/broken", EXO_VIEW_FAILED, 0, 0);
  tray_view_set (&transfer->error_message, "No room on the disk");
  tray_view_add (view, "org/old", EXO_VIEW_COMPLETE, 9, 9)->finished = 100;
  transfer = tray_view_add (view, "org/new", EXO_VIEW_COMPLETE, 9, 9);
  transfer->finished = 200;
  tray_view_set (&transfer->revision, "v1");
  g_strfreev (transfer->include);
  transfer->include = g_strsplit ("*Q4* *.json", " ", 0);
  tray_view_add (view, "org/by-a-program", EXO_VIEW_COMPLETE, 9, 9)->on_demand = TRUE;
  tray_view_add_node (view, "anna", "connected")->self = TRUE;
  tray_view_add_node (view, "berta", "connected")->rate_in = 5000;
  tray_view_add_node (view, "carla", "unreachable");
  tray_view_warn (view, "peer", "dora served wrong bytes");
}

static void
all_that_is_so_is_there (void)
{
  g_autoptr (ExoMenuIds) ids = exo_menu_ids_new ();
  g_autoptr (ExoView) view = view_with_slow ();
  g_autoptr (ExoMenuRow) menu = NULL;

  fill_everything (view);
  menu = exo_menu_build (view, ids);
  assert_menu (menu, "org/slow: 40 %, 100 MB/s, 1 min 12 s left\n"
                     "  Pause\n  (Resume)\n  Cancel\n"
                     "org/rests: paused at 7 %\n"
                     "  (Pause)\n  Resume\n  Cancel\n"
                     "org/broken: failed\n"
                     "  (No room on the disk)\n  (Pause)\n  Try again\n  Remove from this list\n"
                     "1 warning\n"
                     "  dora served wrong bytes\n  --\n  Dismiss all\n"
                     "--\n"
                     "Pause all\nResume all\n"
                     "Pull again\n"
                     "  org/new@v1 *Q4* *.json\n  org/old\n"
                     "--\n"
                     "2 neighbours\n"
                     "  (berta: connected, 5.00 kB/s)\n  (carla: does not answer)\n"
                     "Open the models folder\n--\nQuit\n");
}

static void
nothing_to_do_is_said_and_what_makes_no_sense_is_disabled (void)
{
  g_autoptr (ExoMenuIds) ids = exo_menu_ids_new ();
  g_autoptr (ExoView) view = exo_view_new ();
  g_autoptr (ExoMenuRow) menu = NULL;

  view->connected = TRUE;
  menu = exo_menu_build (view, ids);
  assert_menu (menu, "(No transfers)\n--\n(Pause all)\n(Resume all)\n(Pull again)\n--\n"
                     "(No neighbours)\nOpen the models folder\n--\nQuit\n");
}

static void
each_state_has_its_words (void)
{
  static const struct
  {
    ExoViewState state;
    guint64 rate;
    gint64 eta;
    const char *text;
  } rows[] = {
    { EXO_VIEW_QUEUED, 0, -1, "waiting" },
    { EXO_VIEW_RESOLVING, 0, -1, "asking for the list of files" },
    { EXO_VIEW_TRANSFERRING, 0, -1, "33 %" },
    { EXO_VIEW_TRANSFERRING, 1500, -1, "33 %, 1.50 kB/s" },
    { EXO_VIEW_TRANSFERRING, 1500, 5, "33 %, 1.50 kB/s, 5 s left" },
    { EXO_VIEW_VERIFYING, 0, -1, "checking" },
    { EXO_VIEW_PAUSED, 0, -1, "paused at 33 %" },
    { EXO_VIEW_COMPLETE, 0, -1, "complete" },
    { EXO_VIEW_FAILED, 0, -1, "failed" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (ExoView) view = exo_view_new ();
      ExoViewTransfer *transfer = tray_view_add (view, "org/model", rows[i].state, 100, 300);
      g_autofree char *text = NULL;

      transfer->rate = rows[i].rate;
      transfer->eta = rows[i].eta;
      text = exo_text_progress (transfer);
      CU_ASSERT_STRING_EQUAL (text, rows[i].text);
    }
}

static void
long_lists_end_in_how_many_more (void)
{
  g_autoptr (ExoMenuIds) ids = exo_menu_ids_new ();
  g_autoptr (ExoView) view = exo_view_new ();
  g_autoptr (ExoMenuRow) menu = NULL;

  view->connected = TRUE;
  for (guint i = 0; i < EXO_MENU_TRANSFERS_MAX + 3; i++)
    tray_view_add (view, "org/model", EXO_VIEW_QUEUED, 0, 0);
  for (guint i = 0; i < EXO_MENU_NODES_MAX + 4; i++)
    tray_view_add_node (view, "berta", "present");
  for (guint i = 0; i < EXO_MENU_RECENT_MAX + 5; i++)
    tray_view_add (view, "org/model", EXO_VIEW_COMPLETE, 1, 1);
  menu = exo_menu_build (view, ids);
  CU_ASSERT_STRING_EQUAL (((ExoMenuRow *) menu->rows->pdata[EXO_MENU_TRANSFERS_MAX])->label,
                          "and 3 more");
  CU_ASSERT_EQUAL (row_of (menu, "Pull again")->rows->len, EXO_MENU_RECENT_MAX);
  CU_ASSERT_EQUAL (row_of (menu, "34 neighbours")->rows->len, EXO_MENU_NODES_MAX + 1);
  CU_ASSERT_PTR_NOT_NULL (find_label (menu, "and 4 more"));
}

/* Hostile text ------------------------------------------------------------------------------------ */

static void
text_of_the_network_is_made_harmless (void)
{
  g_autofree char *long_name = g_strnfill (200, 'x');
  g_autofree char *wide_name = NULL;
  GString *wide = g_string_new (NULL);
  const struct
  {
    const char *text, *shown;
  } rows[] = {
    { "berta", "berta" },
    { "ber\x1b[0mta\n", "ber\\x1b[0mta\\x0a" },
    { "a\xe2\x80\xae"
      "b",
      "a\\u{202e}b" },
    { "模型", "模型" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *shown = exo_text_short (rows[i].text, EXO_TEXT_NAME_COLUMNS);

      CU_ASSERT_STRING_EQUAL (shown, rows[i].shown);
    }
  for (guint i = 0; i < 100; i++)
    g_string_append (wide, "模");
  wide_name = g_string_free (wide, FALSE);
  for (guint columns = 10; columns < 13; columns++)
    {
      g_autofree char *cut = exo_text_short (long_name, columns);
      g_autofree char *wide_cut = exo_text_short (wide_name, columns);

      CU_ASSERT_EQUAL (g_utf8_strlen (cut, -1), columns);
      CU_ASSERT_TRUE (g_str_has_suffix (cut, "x…"));
      CU_ASSERT_TRUE (g_str_has_suffix (wide_cut, "模…"));
      CU_ASSERT_EQUAL (g_utf8_strlen (wide_cut, -1), (columns - 1) / 2 + 1);
    }
}

static void
underscores_are_no_shortcut_keys (void)
{
  g_autoptr (ExoMenuIds) ids = exo_menu_ids_new ();
  g_autoptr (ExoView) view = exo_view_new ();
  g_autoptr (ExoMenuRow) menu = NULL;
  g_autoptr (GVariant) properties = NULL;
  const char *label;

  view->connected = TRUE;
  tray_view_add (view, "org/a_b__c", EXO_VIEW_QUEUED, 0, 0);
  menu = exo_menu_build (view, ids);
  properties = g_variant_ref_sink (exo_menu_row_properties (menu->rows->pdata[0], NULL));
  CU_ASSERT_TRUE (g_variant_lookup (properties, "label", "&s", &label));
  CU_ASSERT_STRING_EQUAL (label, "org/a__b____c: waiting");
}

static void
the_tooltip_sums_up_without_markup (void)
{
  g_autoptr (ExoView) view = view_with_slow ();
  ExoViewTransfer *slow = view->transfers->pdata[0];
  g_autofree char *title = exo_text_tip_title (view), *titles = NULL;
  g_autofree char *body = NULL, *bodies = NULL;

  slow->from_lan = 96;
  slow->from_hub = 4;
  body = exo_text_tip_body (view);
  CU_ASSERT_STRING_EQUAL (title, "org/slow");
  CU_ASSERT_STRING_EQUAL (body, "40 %, 100 MB/s, 1 min 12 s left\n96 % from your neighbours");

  tray_view_set (&tray_view_add (view, "org/b", EXO_VIEW_FAILED, 0, 0)->error_message, "<b> & 'c'");
  tray_view_warn (view, "disk", "Old");
  tray_view_warn (view, "disk", "New");
  for (guint i = 0; i < 5; i++)
    tray_view_add (view, "org/more", EXO_VIEW_QUEUED, 0, 0);
  titles = exo_text_tip_title (view);
  bodies = exo_text_tip_body (view);
  CU_ASSERT_STRING_EQUAL (titles, "7 transfers");
  CU_ASSERT_STRING_EQUAL (bodies, "org/slow: 40 %, 100 MB/s, 1 min 12 s left\n"
                                  "org/b: failed\n&lt;b> &amp; 'c'\n"
                                  "org/more: waiting\norg/more: waiting\norg/more: waiting\n"
                                  "and 2 more\n96 % from your neighbours\nNew");
}

/* What changes ------------------------------------------------------------------------------------ */

static void
a_row_keeps_its_id_and_no_other_gets_it (void)
{
  g_autoptr (ExoMenuIds) ids = exo_menu_ids_new ();
  g_autoptr (ExoView) view = view_with_slow ();
  g_autoptr (ExoMenuRow) first = exo_menu_build (view, ids), second = NULL, third = NULL;
  g_autoptr (ExoMenuRow) fourth = NULL;
  gint32 slow = ((ExoMenuRow *) first->rows->pdata[0])->id;
  gint32 quit = id_of (first, "Quit");

  tray_view_add (view, "org/other", EXO_VIEW_QUEUED, 0, 0);
  second = exo_menu_build (view, ids);
  CU_ASSERT_EQUAL (((ExoMenuRow *) second->rows->pdata[0])->id, slow);
  CU_ASSERT_EQUAL (id_of (second, "Quit"), quit);

  g_ptr_array_remove_index (view->transfers, 0);
  third = exo_menu_build (view, ids);
  CU_ASSERT_PTR_NULL (exo_menu_find (third, slow));
  CU_ASSERT_EQUAL (id_of (third, "Quit"), quit);
  CU_ASSERT_EQUAL (((ExoMenuRow *) third->rows->pdata[0])->id,
                   ((ExoMenuRow *) second->rows->pdata[1])->id);

  tray_view_set (&tray_view_add (view, "org/late", EXO_VIEW_QUEUED, 0, 0)->path, "/late");
  fourth = exo_menu_build (view, ids);
  CU_ASSERT_PTR_NULL (exo_menu_find (second, id_of (fourth, "org/late: waiting")));
}

static void
progress_changes_one_label_and_no_layout (void)
{
  g_autoptr (ExoMenuIds) ids = exo_menu_ids_new ();
  g_autoptr (ExoView) view = view_with_slow ();
  g_autoptr (ExoMenuRow) before = exo_menu_build (view, ids), after = NULL, same = NULL;
  g_autoptr (GVariant) changes = NULL;
  g_autofree char *text = NULL, *expected = NULL;

  ((ExoViewTransfer *) view->transfers->pdata[0])->done = 41;
  after = exo_menu_build (view, ids);
  same = exo_menu_build (view, ids);
  changes = g_variant_ref_sink (exo_menu_changes (before, after));
  text = g_variant_print (changes, FALSE);
  expected = g_strdup_printf (
      "[(%d, {'children-display': <'submenu'>, "
      "'label': <'org/slow: 41 %%, 100 MB/s, 1 min 12 s left'>, 'enabled': <true>, "
      "'visible': <true>})]",
      ((ExoMenuRow *) after->rows->pdata[0])->id);
  CU_ASSERT_STRING_EQUAL (text, expected);
  CU_ASSERT_EQUAL (exo_menu_changed_parent (before, after), -1);
  CU_ASSERT_PTR_NULL (exo_menu_changes (after, same));
}

static void
a_new_row_changes_the_layout_of_its_part_alone (void)
{
  g_autoptr (ExoMenuIds) ids = exo_menu_ids_new ();
  g_autoptr (ExoView) view = view_with_slow ();
  g_autoptr (ExoMenuRow) first = NULL, second = NULL, third = NULL, fourth = NULL;

  tray_view_add_node (view, "berta", "present");
  tray_view_add (view, "org/old", EXO_VIEW_COMPLETE, 1, 1);
  first = exo_menu_build (view, ids);
  tray_view_add_node (view, "carla", "present");
  second = exo_menu_build (view, ids);
  CU_ASSERT_EQUAL (exo_menu_changed_parent (first, second), id_of (second, "2 neighbours"));
  tray_view_add (view, "org/other", EXO_VIEW_QUEUED, 0, 0);
  third = exo_menu_build (view, ids);
  CU_ASSERT_EQUAL (exo_menu_changed_parent (second, third), 0);
  /* Two parts: all. */
  tray_view_add_node (view, "dora", "present");
  tray_view_add (view, "org/done", EXO_VIEW_COMPLETE, 1, 1);
  fourth = exo_menu_build (view, ids);
  CU_ASSERT_EQUAL (exo_menu_changed_parent (third, fourth), 0);
}

static void
a_frozen_menu_keeps_its_rows_and_disables_what_has_gone (void)
{
  g_autoptr (ExoMenuIds) ids = exo_menu_ids_new ();
  g_autoptr (ExoView) view = view_with_slow ();
  g_autoptr (ExoMenuRow) shown = NULL, wanted = NULL, frozen = NULL;

  tray_view_add (view, "org/rests", EXO_VIEW_PAUSED, 7, 100);
  shown = exo_menu_build (view, ids);
  tray_view_set (&((ExoViewTransfer *) view->transfers->pdata[1])->error_message, "Why");
  ((ExoViewTransfer *) view->transfers->pdata[1])->state = EXO_VIEW_QUEUED;
  g_ptr_array_remove_index (view->transfers, 0);
  tray_view_add (view, "org/new", EXO_VIEW_QUEUED, 0, 0);
  wanted = exo_menu_build (view, ids);
  frozen = exo_menu_freeze (shown, wanted);
  assert_menu (frozen, "(org/slow: 40 %, 100 MB/s, 1 min 12 s left)\n"
                       "  (Pause)\n  (Resume)\n  (Cancel)\n"
                       "org/rests: waiting\n"
                       "  Pause\n  (Resume)\n  Cancel\n"
                       "--\nPause all\n(Resume all)\n(Pull again)\n--\n(No neighbours)\n"
                       "Open the models folder\n--\nQuit\n");
  CU_ASSERT_EQUAL (exo_menu_changed_parent (shown, frozen), -1);
}

static void
only_the_properties_asked_for_are_told (void)
{
  const char *const names[] = { "label", "icon-name", NULL };
  g_autoptr (ExoMenuIds) ids = exo_menu_ids_new ();
  g_autoptr (ExoView) view = exo_view_new ();
  g_autoptr (ExoMenuRow) menu = exo_menu_build (view, ids);
  g_autoptr (GVariant) properties =
      g_variant_ref_sink (exo_menu_row_properties (find_label (menu, "Quit"), names));
  g_autofree char *text = g_variant_print (properties, FALSE);

  CU_ASSERT_STRING_EQUAL (text, "{'label': <'Quit'>}");
}

EXO_SUITE ("tray-menu",
           TEST (without_an_agent_it_can_be_started),
           TEST (all_that_is_so_is_there),
           TEST (nothing_to_do_is_said_and_what_makes_no_sense_is_disabled),
           TEST (each_state_has_its_words),
           TEST (long_lists_end_in_how_many_more),
           TEST (text_of_the_network_is_made_harmless),
           TEST (underscores_are_no_shortcut_keys),
           TEST (the_tooltip_sums_up_without_markup),
           TEST (a_row_keeps_its_id_and_no_other_gets_it),
           TEST (progress_changes_one_label_and_no_layout),
           TEST (a_new_row_changes_the_layout_of_its_part_alone),
           TEST (a_frozen_menu_keeps_its_rows_and_disables_what_has_gone),
           TEST (only_the_properties_asked_for_are_told))
