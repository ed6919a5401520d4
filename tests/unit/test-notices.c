/* test-notices.c - what is told by a notification, and what is not
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gstdio.h>

#include "tests/unit/suite.h"
#include "tests/unit/tray-view.h"
#include "tray/notices.h"
#include "tray/savings.h"

#define MB 1000000u

typedef struct
{
  ExoNotices *notices;
  ExoView *view;
  gint64 now_us;
  guint64 saved;
} Desk;

static Desk
desk_new (void)
{
  Desk desk = { exo_notices_new (), exo_view_new (), 1000 * G_USEC_PER_SEC, 0 };

  desk.view->connected = TRUE;
  exo_notices_update (desk.notices, desk.view, 0, desk.now_us);
  return desk;
}

static void
desk_clear (Desk *desk)
{
  exo_notices_free (desk->notices);
  exo_view_free (desk->view);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Desk, desk_clear)

/* "ID title|body|percent|urgency" a line, or "ID gone", of all that came by @seconds later. */
static char *
after (Desk *desk, double seconds)
{
  GString *text = g_string_new (NULL);

  desk->now_us += (gint64) (seconds * G_USEC_PER_SEC);
  exo_notices_update (desk->notices, desk->view, desk->saved, desk->now_us);
  while (TRUE)
    {
      g_autoptr (ExoNotice) notice = exo_notices_next (desk->notices);
      if (notice == NULL)
        break;
      if (notice->title == NULL)
        g_string_append_printf (text, "%u gone\n", notice->id);
      else
        g_string_append_printf (text, "%u %s|%s|%d|%d\n", notice->id, notice->title, notice->body,
                                notice->percent, (int) notice->urgency);
    }
  return g_string_free (text, FALSE);
}

static void
assert_after (Desk *desk, double seconds, const char *expected)
{
  g_autofree char *text = after (desk, seconds);

  CU_ASSERT_STRING_EQUAL (text, expected);
  if (!g_str_equal (text, expected))
    fprintf (stderr, "\n--- got\n%s--- expected\n%s", text, expected);
}

static guint
n_after (Desk *desk, double seconds)
{
  g_autofree char *text = after (desk, seconds);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  guint n = 0;

  for (guint i = 0; lines[i] != NULL; i++)
    n += strstr (lines[i], "|") != NULL;
  return n;
}

static ExoViewTransfer *
pull (Desk *desk, const char *model)
{
  return tray_view_add (desk->view, model, EXO_VIEW_TRANSFERRING, 0, 1000 * MB);
}

static void
complete (ExoViewTransfer *transfer)
{
  transfer->state = EXO_VIEW_COMPLETE;
  transfer->done = transfer->total;
}

static void
fail (ExoViewTransfer *transfer, const char *error, const char *message)
{
  transfer->state = EXO_VIEW_FAILED;
  tray_view_set (&transfer->error, error);
  tray_view_set (&transfer->error_message, message);
}

/* --- one transfer ---------------------------------------------------------------------------------- */

static void
course_of_a_transfer (void)
{
  g_auto (Desk) desk = desk_new ();
  ExoViewTransfer *transfer = pull (&desk, "a/one");

  assert_after (&desk, 0, "");
  CU_ASSERT_EQUAL (exo_notices_due (desk.notices), desk.now_us + EXO_NOTICES_QUIET_US);
  assert_after (&desk, 2.9, "");
  assert_after (&desk, 0.1, "1 Downloading a/one|0 %|0|0\n");
  CU_ASSERT_EQUAL (exo_notices_due (desk.notices), -1);
  transfer->done = 100 * MB;
  transfer->rate = 50 * MB;
  transfer->eta = 18;
  assert_after (&desk, 0.5, "1 Downloading a/one|10 %, 50.0 MB/s, 18 s left|10|0\n");
  complete (transfer);
  transfer->from_hub = 40 * MB;
  transfer->from_lan = 960 * MB;
  transfer->started = 10000;
  transfer->finished = 10252;
  desk.saved = G_GUINT64_CONSTANT (412000000000);
  assert_after (&desk, 10,
                "1 a/one is ready|in 4 min 12 s, 96 % from your neighbours\n"
                "412 GB of internet traffic saved this month|-1|1\n");
  assert_after (&desk, 100, "");
}

static void
two_updates_a_second_at_most (void)
{
  g_auto (Desk) desk = desk_new ();
  ExoViewTransfer *transfer = pull (&desk, "a/one");
  guint n = 0;

  n_after (&desk, 0);
  n_after (&desk, 3);
  for (guint i = 1; i <= 100; i++) /* ten seconds of 100 views, each with a new percentage */
    {
      transfer->done = transfer->total / 1000 * i * 10;
      n += n_after (&desk, 0.1);
    }
  CU_ASSERT (n >= 15);
  CU_ASSERT (n <= 20);
  CU_ASSERT_EQUAL (n_after (&desk, 10), 0); /* the same percentage is no news */
}

/* What comes too soon after the last update is shown when its time has come, also when nothing moves any more. */
static void
the_last_step_before_a_stall_is_shown (void)
{
  g_auto (Desk) desk = desk_new ();
  ExoViewTransfer *transfer = pull (&desk, "a/one");

  n_after (&desk, 0);
  CU_ASSERT_EQUAL (n_after (&desk, 3), 1);
  transfer->done = 100 * MB;
  assert_after (&desk, 0.1, "");
  CU_ASSERT_EQUAL (exo_notices_due (desk.notices), desk.now_us + EXO_NOTICES_PERIOD_US * 4 / 5);
  assert_after (&desk, 0.4, "1 Downloading a/one|10 %|10|0\n");
  CU_ASSERT_EQUAL (exo_notices_due (desk.notices), -1);

  transfer->state = EXO_VIEW_PAUSED;
  n_after (&desk, 0.1);
  transfer->state = EXO_VIEW_TRANSFERRING;
  assert_after (&desk, 0.1, "");
  assert_after (&desk, 0.4, "1 Downloading a/one|10 %|10|0\n");
}

static void
a_short_one_is_told_when_it_is_ready (void)
{
  g_auto (Desk) desk = desk_new ();
  ExoViewTransfer *transfer = pull (&desk, "a/small");

  assert_after (&desk, 0, "");
  complete (transfer);
  assert_after (&desk, 2, "1 a/small is ready|All of it was on this machine already|-1|1\n");
}

static void
a_slow_list_of_files_is_no_start (void)
{
  g_auto (Desk) desk = desk_new ();
  ExoViewTransfer *transfer = pull (&desk, "a/one");

  transfer->state = EXO_VIEW_RESOLVING;
  assert_after (&desk, 0, "");
  assert_after (&desk, 10, "");
  transfer->state = EXO_VIEW_TRANSFERRING;
  assert_after (&desk, 1, "1 Downloading a/one|0 %|0|0\n");
}

static void
what_the_user_closed_stays_closed (void)
{
  g_auto (Desk) desk = desk_new ();
  ExoViewTransfer *transfer = pull (&desk, "a/one");

  n_after (&desk, 0);
  CU_ASSERT_EQUAL (n_after (&desk, 3), 1);
  exo_notices_gone (desk.notices, 1);
  for (guint i = 1; i < 10; i++)
    {
      transfer->done = i * 100 * MB;
      CU_ASSERT_EQUAL (n_after (&desk, 1), 0);
    }
  complete (transfer);
  transfer->from_hub = transfer->total;
  assert_after (&desk, 1, "2 a/one is ready|0 % from your neighbours|-1|1\n");
}

static void
pause_and_resume_in_place (void)
{
  g_auto (Desk) desk = desk_new ();
  ExoViewTransfer *transfer = pull (&desk, "a/one");

  n_after (&desk, 0);
  n_after (&desk, 3);
  transfer->state = EXO_VIEW_PAUSED;
  assert_after (&desk, 1, "1 a/one is paused|paused at 0 %|-1|0\n");
  assert_after (&desk, 1, "");
  transfer->state = EXO_VIEW_TRANSFERRING;
  assert_after (&desk, 1, "1 Downloading a/one|0 %|0|0\n");
}

static void
a_cancelled_one_goes (void)
{
  g_auto (Desk) desk = desk_new ();

  pull (&desk, "a/one");
  n_after (&desk, 0);
  n_after (&desk, 3);
  g_ptr_array_set_size (desk.view->transfers, 0);
  assert_after (&desk, 1, "1 gone\n");
  assert_after (&desk, 1, "");
}

static void
what_was_over_before_is_not_told (void)
{
  g_auto (Desk) desk = { exo_notices_new (), exo_view_new (), G_USEC_PER_SEC, 0 };
  ExoViewTransfer *running = pull (&desk, "a/running"), *failed = pull (&desk, "a/failed");

  desk.view->connected = TRUE;
  complete (pull (&desk, "a/complete"));
  fail (failed, "NoSpace", "no room");
  assert_after (&desk, 0, "");
  assert_after (&desk, 10, ""); /* it began before there was anyone to tell */
  complete (running);
  CU_ASSERT_EQUAL (n_after (&desk, 1), 1);
  failed->state = EXO_VIEW_RESOLVING; /* tried again, to the same end */
  CU_ASSERT_EQUAL (n_after (&desk, 1), 0);
  failed->state = EXO_VIEW_FAILED;
  CU_ASSERT_EQUAL (n_after (&desk, 20), 0);
}

static void
programs_that_glance_at_files (void)
{
  g_auto (Desk) desk = desk_new ();
  ExoViewTransfer *glance = pull (&desk, "a/glance"), *load;

  glance->on_demand = TRUE;
  CU_ASSERT_EQUAL (n_after (&desk, 0), 0);
  complete (glance);
  CU_ASSERT_EQUAL (n_after (&desk, 1), 0);
  load = pull (&desk, "a/load");
  load->on_demand = TRUE;
  CU_ASSERT_EQUAL (n_after (&desk, 0), 0);
  CU_ASSERT_EQUAL (n_after (&desk, 3), 1);
  load->state = EXO_VIEW_PAUSED; /* the program was stopped */
  assert_after (&desk, 1, "1 gone\n");
}

static void
the_path_of_another_model (void)
{
  g_auto (Desk) desk = desk_new ();
  ExoViewTransfer *transfer = pull (&desk, "a/one");

  complete (transfer);
  CU_ASSERT_EQUAL (n_after (&desk, 1), 1);
  tray_view_set (&transfer->model, "b/two");
  CU_ASSERT_EQUAL (n_after (&desk, 20), 1);
}

/* --- failures -------------------------------------------------------------------------------------- */

static void
the_same_failure_is_told_once (void)
{
  g_auto (Desk) desk = desk_new ();
  ExoViewTransfer *transfer = pull (&desk, "a/one");

  n_after (&desk, 0);
  n_after (&desk, 3);
  fail (transfer, "Unreachable", "The Hub cannot be reached.");
  assert_after (&desk, 1, "1 Download of a/one failed|The Hub cannot be reached.|-1|1\n");
  for (guint i = 0; i < 5; i++) /* tried again by itself, in vain */
    {
      transfer->state = EXO_VIEW_TRANSFERRING;
      assert_after (&desk, 30, "");
      transfer->state = EXO_VIEW_FAILED;
      assert_after (&desk, 30, "");
    }
  transfer->state = EXO_VIEW_TRANSFERRING;
  assert_after (&desk, 1, "");
  exo_notices_pressed (desk.notices, EXO_MENU_RESUME, transfer->path);
  transfer->state = EXO_VIEW_FAILED; /* the user wants to know */
  assert_after (&desk, 1, "2 Download of a/one failed|The Hub cannot be reached.|-1|1\n");
  transfer->state = EXO_VIEW_TRANSFERRING;
  transfer->done = 200 * MB;
  assert_after (&desk, 30, "");
  assert_after (&desk, 5, "3 Downloading a/one|20 %|20|0\n");
  transfer->state = EXO_VIEW_FAILED; /* it had got further */
  assert_after (&desk, 30, "3 Download of a/one failed|The Hub cannot be reached.|-1|1\n");
}

static char *
buttons_for (const char *error)
{
  g_auto (Desk) desk = desk_new ();
  GString *text = g_string_new (NULL);
  g_autoptr (ExoNotice) notice = NULL;

  fail (pull (&desk, "a/one"), error, "why");
  exo_notices_update (desk.notices, desk.view, 0, desk.now_us);
  notice = exo_notices_next (desk.notices);
  CU_ASSERT_PTR_NOT_NULL_FATAL (notice);
  for (guint i = 0; i < notice->buttons->len; i++)
    {
      const ExoNoticeButton *button = notice->buttons->pdata[i];
      g_string_append_printf (text, "%s;", button->label);
      if (button->action == EXO_MENU_RESUME || button->action == EXO_MENU_CANCEL)
        CU_ASSERT_STRING_EQUAL (button->target, "/org/exo/Agent1/transfer/1");
    }
  return g_string_free (text, FALSE);
}

static void
every_failure_can_be_mended (void)
{
  static const struct
  {
    const char *error, *buttons;
  } cases[] = {
    { "Failed", "Retry;" },
    { "Invalid", "Remove from the list;" },
    { "NotFound", "Retry;Remove from the list;" },
    { "Denied", "Retry;Remove from the list;" },
    { "RateLimited", "Retry;" },
    { "Unreachable", "Retry;" },
    { "NoSpace", "Open folder;Retry;" },
    { "Disk", "Open folder;Retry;" },
    { "Mismatch", "Retry;" },
    { "Busy", "Retry;" },
    { "BadState", "Retry;" },
    { "ThatOfALaterVersion", "Retry;" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *buttons = buttons_for (cases[i].error);
      CU_ASSERT_STRING_EQUAL (buttons, cases[i].buttons);
    }
}

static void
hostile_text (void)
{
  g_auto (Desk) desk = desk_new ();
  g_autofree char *longest = g_strnfill (100000, 'x'), *text = NULL;

  fail (pull (&desk, "a/\x1b[2J\xe2\x80\xae<b>"), "Failed", longest);
  text = after (&desk, 0);
  CU_ASSERT_PTR_NULL (strchr (text, 0x1b));
  CU_ASSERT_PTR_NULL (strstr (text, "\xe2\x80\xae"));
  CU_ASSERT (strlen (text) < 400);
}

/* --- many at once ---------------------------------------------------------------------------------- */

/* What a lab of 23 looks like from one of its machines: the pull ends everywhere within ten seconds. */
static void
one_notice_when_23_nodes_finish (void)
{
  g_auto (Desk) desk = desk_new ();
  ExoViewTransfer *transfer = pull (&desk, "a/one");
  guint n = 0;

  for (guint i = 0; i < 23; i++)
    {
      g_autofree char *name = g_strdup_printf ("node%u", i);
      ExoViewNode *node = tray_view_add_node (desk.view, name, "connected");
      g_strfreev (node->models);
      node->models = g_strsplit ("a/one", ",", -1);
    }
  n_after (&desk, 0);
  CU_ASSERT_EQUAL (n_after (&desk, 60), 1);
  for (guint i = 0; i < 23; i++)
    {
      ExoViewNode *node = desk.view->nodes->pdata[i];
      if (i == 11)
        complete (transfer);
      g_clear_pointer (&node->models[0], g_free);
      n += n_after (&desk, 10.0 / 23);
    }
  CU_ASSERT_EQUAL (n, 1);
}

static void
many_complete_one_notice (void)
{
  g_auto (Desk) desk = desk_new ();
  ExoViewTransfer *transfers[5];

  for (guint i = 0; i < 5; i++)
    {
      g_autofree char *model = g_strdup_printf ("a/m%u", i);
      transfers[i] = pull (&desk, model);
    }
  n_after (&desk, 0);
  CU_ASSERT_EQUAL (n_after (&desk, 3), EXO_NOTICES_PROGRESS_MAX);
  complete (transfers[0]);
  CU_ASSERT_EQUAL (n_after (&desk, 1), 1);
  complete (transfers[1]);
  complete (transfers[2]);
  complete (transfers[3]);
  assert_after (&desk, 5,
                "2 gone\n3 gone\n1 4 models are ready|a/m0, a/m1, a/m2 and 1 more|-1|1\n");
  complete (transfers[4]); /* later: a notice of its own */
  assert_after (&desk, 11, "4 a/m4 is ready|All of it was on this machine already|-1|1\n");
}

static void
many_fail_one_notice (void)
{
  g_auto (Desk) desk = desk_new ();
  g_autofree char *text = NULL;

  for (guint i = 0; i < 40; i++)
    {
      g_autofree char *model = g_strdup_printf ("a/m%u", i);
      fail (pull (&desk, model), "Unreachable", "no Hub");
    }
  text = after (&desk, 0);
  CU_ASSERT_STRING_EQUAL (text,
                          "1 40 downloads failed|a/m0, a/m1, a/m2 and 37 more\nno Hub|-1|1\n");
}

/* --- warnings and the agent ------------------------------------------------------------------------- */

static void
warnings (void)
{
  g_auto (Desk) desk = desk_new ();
  ExoViewWarning *first;

  tray_view_warn (desk.view, "peer", "anna served wrong bytes");
  assert_after (&desk, 0, "1 A neighbour served wrong bytes|anna served wrong bytes|-1|1\n");
  assert_after (&desk, 1, "");
  tray_view_warn (desk.view, "hub", "no Hub");
  assert_after (&desk, 1, "1 2 warnings|anna served wrong bytes\nno Hub|-1|1\n");
  first = desk.view->warnings->pdata[0];
  first->at += 300; /* again, too soon */
  assert_after (&desk, 300, "");
  first->at += 300;
  assert_after (&desk, 300, "2 A neighbour served wrong bytes|anna served wrong bytes|-1|1\n");
  assert_after (&desk, 3000, "");
}

static void
a_failure_and_its_warning_one_notice (void)
{
  g_auto (Desk) desk = desk_new ();

  fail (pull (&desk, "a/one"), "NoSpace", "needs 1 GB more");
  tray_view_warn (desk.view, "disk", "a/one: needs 1 GB more");
  assert_after (&desk, 0, "1 Download of a/one failed|needs 1 GB more|-1|2\n");
  assert_after (&desk, 60, "");
}

static void
the_agent_stops (void)
{
  g_auto (Desk) desk = desk_new ();
  ExoView *running = desk.view, *nothing = exo_view_new ();

  pull (&desk, "a/one");
  n_after (&desk, 0);
  CU_ASSERT_EQUAL (n_after (&desk, 3), 1);
  desk.view = nothing; /* restarted: not worth a word */
  assert_after (&desk, 1, "");
  desk.view = running;
  assert_after (&desk, 5, "");
  desk.view = nothing;
  assert_after (&desk, 1, "");
  CU_ASSERT_EQUAL (exo_notices_due (desk.notices), desk.now_us + 10 * G_USEC_PER_SEC);
  assert_after (&desk, 10,
                "1 gone\n2 The agent has stopped|1 transfer waits until it runs again|-1|1\n");
  CU_ASSERT_EQUAL (exo_notices_due (desk.notices), -1);
  assert_after (&desk, 100, "");
  desk.view = running;
  assert_after (&desk, 1, "2 gone\n");
  complete (desk.view->transfers->pdata[0]);
  CU_ASSERT_EQUAL (n_after (&desk, 1), 1);
  desk.view = nothing; /* nothing waits */
  assert_after (&desk, 60, "");
  desk.view = running;
  exo_view_free (nothing);
}

/* --- what was saved ---------------------------------------------------------------------------------- */

static void
saved_this_month (void)
{
  g_autofree char *folder = g_dir_make_tmp ("exo-notices-XXXXXX", NULL),
                  *inner = g_build_filename (folder, "new", NULL),
                  *path = g_build_filename (inner, "saved", NULL);
  g_autoptr (ExoSavings) savings = exo_savings_new (path);

  CU_ASSERT_EQUAL (exo_savings_update (savings, 1000, "2026-01"), 0);
  CU_ASSERT_EQUAL (exo_savings_update (savings, 1500, "2026-01"), 500);
  g_clear_pointer (&savings, exo_savings_free);
  savings = exo_savings_new (path); /* a restart */
  CU_ASSERT_EQUAL (exo_savings_update (savings, 1700, "2026-01"), 700);
  CU_ASSERT_EQUAL (exo_savings_update (savings, 1800, "2026-02"), 0);
  CU_ASSERT_EQUAL (exo_savings_update (savings, 1900, "2026-02"), 100);
  CU_ASSERT_EQUAL (exo_savings_update (savings, 50, "2026-02"), 50); /* another installation */
  g_clear_pointer (&savings, exo_savings_free);
  CU_ASSERT (g_file_set_contents (path, "[saved]\nmonth=2026-02\nbase=never\n", -1, NULL));
  savings = exo_savings_new (path);
  CU_ASSERT_EQUAL (exo_savings_update (savings, 60, "2026-02"), 0);
  g_unlink (path);
  g_rmdir (inner);
  g_rmdir (folder);
}

EXO_SUITE ("notices",
           TEST (course_of_a_transfer),
           TEST (two_updates_a_second_at_most),
           TEST (the_last_step_before_a_stall_is_shown),
           TEST (a_short_one_is_told_when_it_is_ready),
           TEST (a_slow_list_of_files_is_no_start),
           TEST (what_the_user_closed_stays_closed),
           TEST (pause_and_resume_in_place),
           TEST (a_cancelled_one_goes),
           TEST (what_was_over_before_is_not_told),
           TEST (programs_that_glance_at_files),
           TEST (the_path_of_another_model),
           TEST (the_same_failure_is_told_once),
           TEST (every_failure_can_be_mended),
           TEST (hostile_text),
           TEST (one_notice_when_23_nodes_finish),
           TEST (many_complete_one_notice),
           TEST (many_fail_one_notice),
           TEST (warnings),
           TEST (a_failure_and_its_warning_one_notice),
           TEST (the_agent_stops),
           TEST (saved_this_month))
