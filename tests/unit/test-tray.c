/* test-tray.c - exo-tray as a whole: what a panel and an agent see of it
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gstdio.h>
#include <string.h>

#include "tests/unit/suite.h"
#include "tests/unit/tray-lab.h"
#include "transfer/store/store.h"

#define REST_OF_MENU "--\n(Pause all)\n(Resume all)\n(Pull again)\n--\n(No neighbours)\n" FOOT
#define FOOT         "Open the models folder\n--\nQuit\n"

static TrayLab *
lab_with_all (void)
{
  TrayLab *lab = tray_lab_new (NULL);

  tray_lab_start_agent (lab);
  tray_lab_start_panel (lab);
  tray_lab_start_tray (lab);
  TRAY_LAB_WAIT (lab, lab->registered->len == 1);
  tray_lab_wait_tip (lab, "No transfers");
  return lab;
}

static void
assert_menu (TrayLab *lab, const char *expected)
{
  g_autofree char *menu = tray_lab_menu (lab);

  CU_ASSERT_STRING_EQUAL (menu, expected);
  if (!g_str_equal (menu, expected))
    fprintf (stderr, "\n--- got\n%s--- expected\n%s", menu, expected);
}

static void
assert_property (TrayLab *lab, const char *name, const char *expected)
{
  g_autofree char *value = tray_lab_property (lab, name);

  CU_ASSERT_STRING_EQUAL (value, expected);
  if (!g_str_equal (value, expected))
    fprintf (stderr, "\n%s is %s\n", name, value);
}

static ExoTransferState
state_of (ExoTransfer *transfer)
{
  ExoTransferInfo info;

  exo_transfer_get_info (transfer, &info);
  return info.state;
}

/* The item ---------------------------------------------------------------------------------------- */

static void
the_item_registers_with_every_panel_that_comes (void)
{
  g_autoptr (TrayLab) lab = tray_lab_new (NULL);

  tray_lab_start_tray (lab);
  tray_lab_start_panel (lab);
  TRAY_LAB_WAIT (lab, lab->registered->len == 1);
  tray_lab_stop_panel (lab);
  tray_lab_start_panel (lab);
  TRAY_LAB_WAIT (lab, lab->registered->len == 2);
  CU_ASSERT_STRING_EQUAL (lab->registered->pdata[0], "('/StatusNotifierItem',)");
  CU_ASSERT_STRING_EQUAL (lab->registered->pdata[1], "('/StatusNotifierItem',)");
}

static void
the_item_says_what_it_is (void)
{
  static const char *const rows[][2] = {
    { "Id", "'exo-tray'" },
    { "Category", "'ApplicationStatus'" },
    { "Title", "'Models of the lab'" },
    { "Status", "'Active'" },
    { "IconName", "''" },
    { "AttentionIconName", "''" },
    { "AttentionIconPixmap", "[]" },
    { "OverlayIconPixmap", "[]" },
    { "ItemIsMenu", "true" },
    { "Menu", "'/StatusNotifierItem/menu'" },
    { "WindowId", "0" },
  };
  g_autoptr (TrayLab) lab = lab_with_all ();
  g_autofree char *pixmap = tray_lab_property (lab, "IconPixmap");

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    assert_property (lab, rows[i][0], rows[i][1]);
  CU_ASSERT_TRUE (g_str_has_prefix (pixmap, "[(22, 22, ["));
}

static void
the_item_follows_the_agent (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();
  ExoTransfer *transfer = tray_lab_pull (lab, "org/model");

  tray_lab_set (transfer, EXO_TRANSFER_TRANSFERRING, 40);
  tray_lab_wait_tip (lab, "org/model\n40 %");
  CU_ASSERT_TRUE (tray_lab_got (lab, "NewIcon ()"));
  CU_ASSERT_TRUE (tray_lab_got (lab, "NewToolTip ()"));
  CU_ASSERT_FALSE (tray_lab_got (lab, "NewStatus"));

  g_ptr_array_set_size (lab->signals, 0);
  fake_transfer_info (transfer)->error_code = "NoSpace";
  fake_transfer_info (transfer)->error_message = "No room";
  tray_lab_set (transfer, EXO_TRANSFER_FAILED, 40);
  tray_lab_wait_tip (lab, "org/model\nfailed\nNo room");
  TRAY_LAB_WAIT (lab, tray_lab_got (lab, "NewStatus ('NeedsAttention',)"));
  CU_ASSERT_TRUE (tray_lab_got (lab, "NewAttentionIcon ()"));
  assert_property (lab, "Status", "'NeedsAttention'");
}

/* Hosts re-read what they are told of; the pictures are not sent to everyone with each change. */
static void
properties_are_not_broadcast (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();

  tray_lab_set (tray_lab_pull (lab, "org/model"), EXO_TRANSFER_TRANSFERRING, 40);
  tray_lab_wait_tip (lab, "org/model\n40 %");
  CU_ASSERT_TRUE (tray_lab_got (lab, "NewIcon"));
  CU_ASSERT_FALSE (tray_lab_got (lab, "PropertiesChanged"));
}

static void
a_step_too_small_to_see_draws_nothing (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();
  ExoTransfer *transfer = tray_lab_pull (lab, "org/model");

  tray_lab_set (transfer, EXO_TRANSFER_TRANSFERRING, 39);
  tray_lab_wait_tip (lab, "org/model\n39 %");
  g_ptr_array_set_size (lab->signals, 0);
  tray_lab_set (transfer, EXO_TRANSFER_TRANSFERRING, 40); /* 23.4 and 24 of 60 */
  tray_lab_wait_tip (lab, "org/model\n40 %");
  CU_ASSERT_TRUE (tray_lab_got (lab, "NewIcon"));
  g_ptr_array_set_size (lab->signals, 0);
  tray_lab_set (transfer, EXO_TRANSFER_TRANSFERRING, 41); /* 24.6 */
  tray_lab_wait_tip (lab, "org/model\n41 %");
  CU_ASSERT_FALSE (tray_lab_got (lab, "NewIcon"));
}

/* The agent --------------------------------------------------------------------------------------- */

static void
the_agent_comes_and_goes (void)
{
  g_autoptr (TrayLab) lab = tray_lab_new (NULL);

  tray_lab_pull (lab, "org/model");
  tray_lab_start_tray (lab);
  tray_lab_wait_tip (lab, "The agent is not running");
  assert_menu (lab, "(The agent is not running)\nStart the agent\n--\n" FOOT);
  for (guint i = 0; i < 2; i++)
    {
      tray_lab_start_agent (lab);
      tray_lab_wait_tip (lab, "org/model\nwaiting");
      tray_lab_stop_agent (lab);
      tray_lab_wait_tip (lab, "The agent is not running");
    }
}

static void
its_objects_come_and_go (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();
  ExoTransfer *transfer;
  ExoNode *node;

  assert_menu (lab, "(No transfers)\n" REST_OF_MENU);
  transfer = tray_lab_pull (lab, "org/a_model");
  node = fake_engine_add_node (lab->engine, "ffeeddccbbaa99887766554433221100", "berta", FALSE);
  tray_lab_wait_tip (lab, "org/a_model\nwaiting");
  assert_menu (lab, "org/a__model: waiting\n  Pause\n  (Resume)\n  Cancel\n"
                    "--\nPause all\n(Resume all)\n(Pull again)\n--\n"
                    "1 neighbour\n  (berta: seen)\n" FOOT);
  fake_engine_remove_node (lab->engine, node);
  exo_transfer_cancel (transfer, NULL);
  tray_lab_wait_tip (lab, "No transfers");
  assert_menu (lab, "(No transfers)\n" REST_OF_MENU);
}

static void
warnings_are_shown_until_dismissed (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();

  fake_engine_warn (lab->engine, "peer", "berta served wrong bytes");
  fake_engine_warn (lab->engine, "disk", "No room");
  fake_engine_warn (lab->engine, "peer", "berta served wrong bytes");
  tray_lab_wait_tip (lab, "No transfers\nberta served wrong bytes");
  assert_property (lab, "Status", "'NeedsAttention'");
  tray_lab_click (lab, "2 warnings > berta");
  tray_lab_wait_tip (lab, "No transfers\nNo room");
  for (guint i = 0; i < 7; i++)
    {
      g_autofree char *message = g_strdup_printf ("Warning %u", i);

      fake_engine_warn (lab->engine, "disk", message);
    }
  tray_lab_wait_tip (lab, "No transfers\nWarning 6");
  tray_lab_click (lab, "5 warnings > Dismiss all");
  tray_lab_wait_tip (lab, "No transfers");
  assert_property (lab, "Status", "'Active'");
}

/* Clicks ------------------------------------------------------------------------------------------ */

static void
a_transfer_is_paused_resumed_and_cancelled (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();
  ExoTransfer *transfer = tray_lab_pull (lab, "org/model");
  g_autoptr (GPtrArray) left = NULL;

  tray_lab_wait_tip (lab, "org/model\nwaiting");
  tray_lab_click (lab, "org/model > Pause");
  TRAY_LAB_WAIT (lab, state_of (transfer) == EXO_TRANSFER_PAUSED);
  tray_lab_wait_tip (lab, "org/model\npaused at 0 %");
  tray_lab_click (lab, "org/model > Pause"); /* disabled by now */
  tray_lab_click (lab, "org/model > Resume");
  TRAY_LAB_WAIT (lab, state_of (transfer) == EXO_TRANSFER_QUEUED);
  tray_lab_set (transfer, EXO_TRANSFER_FAILED, 0);
  tray_lab_wait_tip (lab, "org/model\nfailed");
  tray_lab_click (lab, "org/model > Try again");
  TRAY_LAB_WAIT (lab, state_of (transfer) == EXO_TRANSFER_QUEUED);
  tray_lab_wait_tip (lab, "org/model\nwaiting");
  tray_lab_click (lab, "org/model > Cancel");
  tray_lab_wait_tip (lab, "No transfers");
  left = exo_engine_transfers (lab->engine);
  CU_ASSERT_EQUAL (left->len, 0);
}

static void
all_are_paused_and_resumed (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();
  ExoTransfer *one = tray_lab_pull (lab, "org/one"), *two = tray_lab_pull (lab, "org/two");
  ExoTransfer *unread = tray_lab_pull (lab, "org/unread");

  fake_transfer_info (unread)->on_demand = TRUE;
  tray_lab_set (unread, EXO_TRANSFER_PAUSED, 10);
  tray_lab_wait_tip (lab,
                     "3 transfers\norg/one: waiting\norg/two: waiting\norg/unread: paused at 10 %");
  tray_lab_click (lab, "Pause all");
  TRAY_LAB_WAIT (lab,
                 state_of (one) == EXO_TRANSFER_PAUSED && state_of (two) == EXO_TRANSFER_PAUSED);
  tray_lab_wait_tip (lab, "3 transfers\norg/one: paused at 0 %\norg/two: paused at 0 %\n"
                          "org/unread: paused at 10 %");
  tray_lab_click (lab, "Resume all");
  TRAY_LAB_WAIT (lab,
                 state_of (one) == EXO_TRANSFER_QUEUED && state_of (two) == EXO_TRANSFER_QUEUED);
  tray_lab_wait_tip (lab,
                     "3 transfers\norg/one: waiting\norg/two: waiting\norg/unread: paused at 10 %");
  CU_ASSERT_EQUAL (state_of (unread), EXO_TRANSFER_PAUSED);
}

static void
a_model_is_pulled_again_as_it_was (void)
{
  static const char *const includes[] = { "*.json", "*Q4*", NULL };
  static const char *const excludes[] = { "*.bin", NULL };
  g_autoptr (TrayLab) lab = lab_with_all ();
  ExoTransfer *transfer =
      exo_engine_pull (lab->engine, EXO_REPO_DATASET, "org/data", "v1", includes, excludes, NULL);

  fake_transfer_info (transfer)->includes = includes;
  fake_transfer_info (transfer)->excludes = excludes;
  tray_lab_wait_tip (lab, "org/data\nwaiting");
  tray_lab_set (transfer, EXO_TRANSFER_COMPLETE, 100);
  tray_lab_wait_tip (lab, "No transfers");
  tray_lab_pull (lab, "org/other");
  tray_lab_click (lab, "Pull again > org/data@v1");
  TRAY_LAB_WAIT (lab, strcmp (fake_engine_last_call (lab->engine),
                              "dataset org/data v1 +*.json,*Q4* -*.bin") == 0);
}

static void
the_models_folder_is_opened (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();
  g_autofree char *folder = g_dir_make_tmp ("exo-tray-XXXXXX", NULL);
  g_autofree char *expected = g_strdup_printf ("(['file://%s'], '')", folder);

  fake_engine_totals (lab->engine)->hub_cache = folder;
  fake_engine_changed (lab->engine);
  /* The agent tells its totals in the order of its signals: when the transfer is seen, so is the folder. */
  tray_lab_pull (lab, "org/model");
  tray_lab_wait_tip (lab, "org/model\nwaiting");
  tray_lab_click (lab, "Open the models folder");
  TRAY_LAB_WAIT (lab, lab->shown->len == 1);
  CU_ASSERT_STRING_EQUAL (lab->shown->pdata[0], expected);

  g_rmdir (folder);
  tray_lab_click (lab, "Open the models folder");
  TRAY_LAB_WAIT (lab, tray_lab_got (lab, "NewStatus ('NeedsAttention',)"));
  CU_ASSERT_EQUAL (lab->shown->len, 1);
  tray_lab_event (lab, tray_lab_id (lab, "1 warning > There is no models folder yet"), "clicked");
}

static void
what_the_agent_refuses_becomes_a_warning (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();

  tray_lab_pull (lab, "org/model");
  tray_lab_wait_tip (lab, "org/model\nwaiting");
  fake_engine_fail_next (lab->engine, EXO_TRANSFER_ERROR_DISK, "The disk is read-only");
  tray_lab_click (lab, "org/model > Pause");
  tray_lab_wait_tip (lab, "org/model\nwaiting\nThe disk is read-only");
}

static void
quit_quits (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();

  tray_lab_click (lab, "Quit");
  TRAY_LAB_WAIT (lab, lab->tray_exited);
  CU_ASSERT_EQUAL (g_subprocess_get_exit_status (lab->tray), 0);
}

static void
panels_without_menus_have_two_clicks (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();
  g_autofree char *folder = g_dir_make_tmp ("exo-tray-XXXXXX", NULL);
  ExoTransfer *transfer = tray_lab_pull (lab, "org/model");
  const char *const methods[] = { "SecondaryActivate", "SecondaryActivate", "Activate",
                                  "ContextMenu" };

  fake_engine_totals (lab->engine)->hub_cache = folder;
  fake_engine_changed (lab->engine);
  tray_lab_wait_tip (lab, "org/model\nwaiting");
  for (gsize i = 0; i < G_N_ELEMENTS (methods); i++)
    {
      g_autofree char *reply = bus_lab_call_text (lab->client, TRAY_NAME, ITEM_PATH, ITEM_IFACE,
                                                  methods[i], g_variant_new ("(ii)", 1, 2));

      CU_ASSERT_STRING_EQUAL (reply, "()");
      tray_lab_wait_tip (lab, i == 0 ? "org/model\npaused at 0 %" : "org/model\nwaiting");
      CU_ASSERT_EQUAL (state_of (transfer), i == 0 ? EXO_TRANSFER_PAUSED : EXO_TRANSFER_QUEUED);
    }
  TRAY_LAB_WAIT (lab, lab->shown->len == 1);
  g_rmdir (folder);
}

/* The menu ---------------------------------------------------------------------------------------- */

static void
live_rows_change_in_place (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();
  ExoTransfer *transfer = tray_lab_pull (lab, "org/model");

  tray_lab_wait_tip (lab, "org/model\nwaiting");
  CU_ASSERT_TRUE (tray_lab_got (lab, "LayoutUpdated"));
  g_ptr_array_set_size (lab->signals, 0);
  tray_lab_set (transfer, EXO_TRANSFER_TRANSFERRING, 40);
  tray_lab_wait_tip (lab, "org/model\n40 %");
  TRAY_LAB_WAIT (lab, tray_lab_got (lab, "ItemsPropertiesUpdated"));
  CU_ASSERT_FALSE (tray_lab_got (lab, "LayoutUpdated"));
}

static void
an_open_menu_does_not_move (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();
  ExoTransfer *first = tray_lab_pull (lab, "org/first");
  g_autofree char *before = NULL, *open = NULL;

  tray_lab_wait_tip (lab, "org/first\nwaiting");
  before = tray_lab_menu (lab);
  tray_lab_event (lab, 0, "opened");
  g_ptr_array_set_size (lab->signals, 0);
  tray_lab_pull (lab, "org/second");
  tray_lab_wait_tip (lab, "2 transfers\norg/first: waiting\norg/second: waiting");
  open = tray_lab_menu (lab);
  CU_ASSERT_STRING_EQUAL (open, before);

  exo_transfer_cancel (first, NULL);
  tray_lab_wait_tip (lab, "org/second\nwaiting");
  TRAY_LAB_WAIT (lab, tray_lab_got (lab, "ItemsPropertiesUpdated"));
  assert_menu (lab, "(org/first: waiting)\n  (Pause)\n  (Resume)\n  (Cancel)\n"
                    "--\nPause all\n(Resume all)\n(Pull again)\n--\n(No neighbours)\n" FOOT);
  CU_ASSERT_FALSE (tray_lab_got (lab, "LayoutUpdated"));

  tray_lab_event (lab, 0, "closed");
  TRAY_LAB_WAIT (lab, tray_lab_got (lab, "LayoutUpdated ("));
  assert_menu (lab, "org/second: waiting\n  Pause\n  (Resume)\n  Cancel\n"
                    "--\nPause all\n(Resume all)\n(Pull again)\n--\n(No neighbours)\n" FOOT);
}

/* The layout is new when the next panel asks, or the same one opens the menu again. */
static void
a_menu_left_open_recovers (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();
  g_autofree char *about = NULL, *again = NULL;

  tray_lab_event (lab, 0, "opened");
  tray_lab_pull (lab, "org/first");
  tray_lab_wait_tip (lab, "org/first\nwaiting");
  assert_menu (
      lab, "(No transfers)\n--\nPause all\n(Resume all)\n(Pull again)\n--\n(No neighbours)\n" FOOT);
  about = bus_lab_call_text (lab->client, TRAY_NAME, MENU_PATH, MENU_IFACE, "AboutToShow",
                             g_variant_new ("(i)", 0));
  CU_ASSERT_STRING_EQUAL (about, "(true,)");
  tray_lab_id (lab, "org/first");
  again = bus_lab_call_text (lab->client, TRAY_NAME, MENU_PATH, MENU_IFACE, "AboutToShow",
                             g_variant_new ("(i)", 0));
  CU_ASSERT_STRING_EQUAL (again, "(false,)");

  tray_lab_event (lab, 0, "opened");
  tray_lab_pull (lab, "org/second");
  tray_lab_wait_tip (lab, "2 transfers\norg/first: waiting\norg/second: waiting");
  g_ptr_array_set_size (lab->signals, 0);
  tray_lab_stop_panel (lab);
  TRAY_LAB_WAIT (lab, tray_lab_got (lab, "LayoutUpdated"));
  tray_lab_id (lab, "org/second");
}

/* xfce4-panel tells neither; mate-panel that it has opened it before it asks. */
static void
a_menu_is_open_from_the_question_to_the_click (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();
  g_autofree char *about = NULL;

  tray_lab_event (lab, 0, "opened");
  about = bus_lab_call_text (lab->client, TRAY_NAME, MENU_PATH, MENU_IFACE, "AboutToShow",
                             g_variant_new ("(i)", 0));
  g_ptr_array_set_size (lab->signals, 0);
  tray_lab_pull (lab, "org/first");
  tray_lab_wait_tip (lab, "org/first\nwaiting");
  assert_menu (
      lab, "(No transfers)\n--\nPause all\n(Resume all)\n(Pull again)\n--\n(No neighbours)\n" FOOT);
  CU_ASSERT_FALSE (tray_lab_got (lab, "LayoutUpdated"));

  tray_lab_event (lab, tray_lab_id (lab, "Pause all"), "clicked");
  TRAY_LAB_WAIT (lab, tray_lab_got (lab, "LayoutUpdated"));
  tray_lab_id (lab, "org/first");
}

static char *
menu_call (TrayLab *lab, const char *method, GVariant *parameters)
{
  return bus_lab_call_text (lab->client, TRAY_NAME, MENU_PATH, MENU_IFACE, method, parameters);
}

static void
panels_may_ask_and_click_in_groups (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();
  ExoTransfer *transfer = tray_lab_pull (lab, "org/model");
  g_autofree char *clicked = NULL, *about = NULL, *one = NULL, *group = NULL, *none = NULL;
  g_autofree char *expected = NULL, *row = NULL, *version = NULL;
  gint32 pause, quit;

  tray_lab_wait_tip (lab, "org/model\nwaiting");
  pause = tray_lab_id (lab, "org/model > Pause");
  quit = tray_lab_id (lab, "Quit");
  clicked = menu_call (lab, "EventGroup",
                       g_variant_new_parsed ("([(%i, 'clicked', <''>, %u), (9999, 'clicked', <''>, "
                                             "0)],)",
                                             pause, 0));
  CU_ASSERT_STRING_EQUAL (clicked, "([9999],)");
  TRAY_LAB_WAIT (lab, state_of (transfer) == EXO_TRANSFER_PAUSED);
  about = menu_call (lab, "AboutToShowGroup", g_variant_new_parsed ("([0, 9999],)"));
  CU_ASSERT_STRING_EQUAL (about, "([], [9999])");
  one = menu_call (lab, "GetProperty", g_variant_new ("(is)", quit, "label"));
  CU_ASSERT_STRING_EQUAL (one, "(<'Quit'>,)");
  group = menu_call (lab, "GetGroupProperties",
                     g_variant_new_parsed ("([%i, 9999], ['label', 'enabled'])", quit));
  expected = g_strdup_printf ("([(%d, {'label': <'Quit'>, 'enabled': <true>})],)", quit);
  CU_ASSERT_STRING_EQUAL (group, expected);
  none = menu_call (lab, "GetProperty", g_variant_new ("(is)", 9999, "label"));
  CU_ASSERT_STRING_EQUAL (none, "org.freedesktop.DBus.Error.InvalidArgs: The menu has no row 9999");
  row = menu_call (lab, "GetLayout", g_variant_new_parsed ("(0, 0, ['label'])"));
  CU_ASSERT_TRUE (g_str_has_suffix (row, ", (0, {}, []))"));
  version = bus_lab_call_text (lab->client, TRAY_NAME, MENU_PATH, "org.freedesktop.DBus.Properties",
                               "Get", g_variant_new ("(ss)", MENU_IFACE, "Version"));
  CU_ASSERT_STRING_EQUAL (version, "(<uint32 3>,)");
}

/* Starts and ends --------------------------------------------------------------------------------- */

/* A folder with a service file for the agent; fake-agent is what it runs. */
static char *
new_services (void)
{
  char *folder = g_dir_make_tmp ("exo-tray-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (folder, "org.exo.Agent1.service", NULL);
  g_autofree char *text = g_strdup_printf ("[D-BUS Service]\nName=org.exo.Agent1\nExec=%s\n",
                                           g_getenv ("EXO_FAKE_AGENT"));

  CU_ASSERT_TRUE (g_file_set_contents (file, text, -1, NULL));
  return folder;
}

static void
the_agent_is_started_when_asked_for_and_not_before (void)
{
  g_autofree char *services = new_services ();
  g_autofree char *file = g_build_filename (services, "org.exo.Agent1.service", NULL);
  g_autofree char *owned = NULL;
  TrayLab *lab = tray_lab_new (services);

  tray_lab_start_tray (lab);
  tray_lab_wait_tip (lab, "The agent is not running");
  owned = bus_lab_call_text (lab->client, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                             "org.freedesktop.DBus", "NameHasOwner",
                             g_variant_new ("(s)", "org.exo.Agent1"));
  CU_ASSERT_STRING_EQUAL (owned, "(false,)");
  tray_lab_click (lab, "Start the agent");
  tray_lab_wait_tip (lab, "No transfers");
  tray_lab_free (lab); /* and the agent with the bus */
  g_unlink (file);
  g_rmdir (services);
}

static void
an_agent_that_cannot_be_started_is_a_warning (void)
{
  g_autoptr (TrayLab) lab = tray_lab_new (NULL);

  tray_lab_start_tray (lab);
  tray_lab_wait_tip (lab, "The agent is not running");
  tray_lab_click (lab, "Start the agent");
  tray_lab_wait_tip (lab, "The agent is not running\n"
                          "The agent is not installed for this user, and cannot be started");
}

static int
run_to_the_end (TrayLab *lab, const char *argument)
{
  g_autoptr (GSubprocess) second = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE, NULL,
                                                     g_getenv ("EXO_TRAY"), argument, NULL);

  g_subprocess_wait (second, NULL, NULL);
  return g_subprocess_get_if_exited (second) ? g_subprocess_get_exit_status (second) : -1;
}

static void
a_second_tray_exits_at_once (void)
{
  g_autoptr (TrayLab) lab = lab_with_all ();

  CU_ASSERT_EQUAL (run_to_the_end (lab, NULL), 0);
  tray_lab_wait_tip (lab, "No transfers");
  CU_ASSERT_FALSE (lab->tray_exited);
  CU_ASSERT_EQUAL (lab->registered->len, 1);
}

static void
without_a_bus_it_exits_well (void)
{
  g_setenv ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent", TRUE);
  CU_ASSERT_EQUAL (run_to_the_end (NULL, NULL), 0);
  CU_ASSERT_EQUAL (run_to_the_end (NULL, "--version"), 0);
  CU_ASSERT_EQUAL (run_to_the_end (NULL, "--help"), 0);
  g_unsetenv ("DBUS_SESSION_BUS_ADDRESS");
}

/* The bus ----------------------------------------------------------------------------------------- */

typedef struct
{
  gboolean is_there;
} Seen;

static void
on_there (GDBusConnection *bus, const char *name, const char *owner, gpointer user_data)
{
  ((Seen *) user_data)->is_there = TRUE;
}

static gboolean
says_its_id (GDBusConnection *client)
{
  g_autofree char *reply =
      bus_lab_call_text (client, TRAY_NAME, ITEM_PATH, "org.freedesktop.DBus.Properties", "Get",
                         g_variant_new ("(ss)", ITEM_IFACE, "Id"));

  return g_str_equal (reply, "(<'exo-tray'>,)");
}

/* A bus at @address, until the tray is there. */
static void
run_bus (const char *address, GSubprocess **tray)
{
  g_autofree char *argument = g_strconcat ("--address=", address, NULL);
  g_autoptr (GSubprocess) daemon =
      g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, NULL,
                        "dbus-daemon", "--session", "--nofork", "--print-address", argument, NULL);
  g_autoptr (GDBusConnection) client = NULL;
  Seen seen = { FALSE };
  guint watch;
  char first;

  /* It prints its address when it can be reached. */
  CU_ASSERT_EQUAL (
      g_input_stream_read (g_subprocess_get_stdout_pipe (daemon), &first, 1, NULL, NULL), 1);
  client = bus_lab_connect (address);
  CU_ASSERT_PTR_NOT_NULL_FATAL (client);
  watch = g_bus_watch_name_on_connection (client, TRAY_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                          on_there, NULL, &seen, NULL);
  if (*tray == NULL)
    *tray = g_subprocess_new (G_SUBPROCESS_FLAGS_NONE, NULL, g_getenv ("EXO_TRAY"), NULL);
  while (!seen.is_there)
    g_main_context_iteration (NULL, TRUE);
  while (!says_its_id (client)) /* it has said all it has to say to the bus by then */
    ;
  g_bus_unwatch_name (watch);
  g_dbus_connection_close_sync (client, NULL, NULL);
  g_subprocess_force_exit (daemon);
  g_subprocess_wait (daemon, NULL, NULL);
}

static void
a_bus_that_is_restarted_has_its_tray_again (void)
{
  g_autofree char *folder = g_dir_make_tmp ("exo-tray-XXXXXX", NULL);
  g_autofree char *socket = g_build_filename (folder, "bus", NULL);
  g_autofree char *address = g_strconcat ("unix:path=", socket, NULL);
  g_autoptr (GSubprocess) tray = NULL;

  g_setenv ("DBUS_SESSION_BUS_ADDRESS", address, TRUE);
  run_bus (address, &tray);
  g_unlink (socket);
  run_bus (address, &tray);
  g_subprocess_send_signal (tray, SIGTERM); /* while it waits for the third */
  g_subprocess_wait (tray, NULL, NULL);
  CU_ASSERT_TRUE (g_subprocess_get_if_exited (tray));
  CU_ASSERT_EQUAL (g_subprocess_get_exit_status (tray), 0);
  g_unsetenv ("DBUS_SESSION_BUS_ADDRESS");
  g_unlink (socket);
  g_rmdir (folder);
}

EXO_SUITE ("tray",
           TEST (the_item_registers_with_every_panel_that_comes),
           TEST (the_item_says_what_it_is),
           TEST (the_item_follows_the_agent),
           TEST (properties_are_not_broadcast),
           TEST (a_step_too_small_to_see_draws_nothing),
           TEST (the_agent_comes_and_goes),
           TEST (its_objects_come_and_go),
           TEST (warnings_are_shown_until_dismissed),
           TEST (a_transfer_is_paused_resumed_and_cancelled),
           TEST (all_are_paused_and_resumed),
           TEST (a_model_is_pulled_again_as_it_was),
           TEST (the_models_folder_is_opened),
           TEST (what_the_agent_refuses_becomes_a_warning),
           TEST (quit_quits),
           TEST (panels_without_menus_have_two_clicks),
           TEST (live_rows_change_in_place),
           TEST (an_open_menu_does_not_move),
           TEST (a_menu_is_open_from_the_question_to_the_click),
           TEST (a_menu_left_open_recovers),
           TEST (panels_may_ask_and_click_in_groups),
           TEST (the_agent_is_started_when_asked_for_and_not_before),
           TEST (an_agent_that_cannot_be_started_is_a_warning),
           TEST (a_second_tray_exits_at_once),
           TEST (without_a_bus_it_exits_well),
           TEST (a_bus_that_is_restarted_has_its_tray_again))
