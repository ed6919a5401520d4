/* notice-text.c - the words of each notice, and the buttons that mend what it tells
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>

#include "agent/ctl/format.h"
#include "tray/notices-private.h"
#include "tray/text.h"

#define LINE_COLUMNS 200u /* of a reason: some lines on the screen */
#define NAMES_MAX    3u
#define WARNINGS_MAX 3u

static void
button_free (gpointer data)
{
  ExoNoticeButton *button = data;

  g_free (button->target);
  g_free (button->label);
  g_free (button);
}

void
exo_notice_free (ExoNotice *notice)
{
  if (notice == NULL)
    return;
  g_free (notice->title);
  g_free (notice->body);
  g_ptr_array_unref (notice->buttons);
  g_free (notice);
}

static ExoNotice *
notice_new (char *title, char *body, const char *category)
{
  ExoNotice *notice = g_new0 (ExoNotice, 1);

  notice->title = title;
  notice->body = body;
  notice->percent = -1;
  notice->urgency = EXO_URGENCY_NORMAL;
  notice->category = category;
  notice->buttons = g_ptr_array_new_with_free_func (button_free);
  return notice;
}

static void
add_button (ExoNotice *notice, ExoMenuAction action, const char *target, const char *label)
{
  ExoNoticeButton *button = g_new0 (ExoNoticeButton, 1);

  button->action = action;
  button->target = g_strdup (target);
  button->label = g_strdup (label);
  g_ptr_array_add (notice->buttons, button);
}

/* Transfers --------------------------------------------------------------------------------------- */

ExoNotice *
exo_notice_progress (const ExoViewTransfer *transfer)
{
  gboolean paused = transfer->state == EXO_VIEW_PAUSED;
  g_autofree char *model = exo_text_model (transfer);
  ExoNotice *notice =
      /* TRANSLATORS: title of a notification; %s is a model */
      notice_new (g_strdup_printf (paused ? _ ("%s is paused") : _ ("Downloading %s"), model),
                  exo_text_progress (transfer), "transfer");

  notice->urgency = EXO_URGENCY_LOW;
  if (!paused)
    notice->percent = (int) exo_format_percent (transfer->done, transfer->total);
  if (paused)
    add_button (notice, EXO_MENU_RESUME, transfer->path, _ ("Resume"));
  else
    add_button (notice, EXO_MENU_PAUSE, transfer->path, _ ("Pause"));
  add_button (notice, EXO_MENU_CANCEL, transfer->path, _ ("Cancel"));
  return notice;
}

static void
add_saved (GString *body, guint64 saved)
{
  g_autofree char *bytes = exo_format_bytes (saved);

  if (saved == 0)
    return;
  if (body->len > 0)
    g_string_append_c (body, '\n');
  /* TRANSLATORS: %s is a size; neighbours gave what would have crossed the internet line otherwise */
  g_string_append_printf (body, _ ("%s of internet traffic saved this month"), bytes);
}

/* "in 4 min 12 s, 96 % from your neighbours" */
static char *
how_it_came (const ExoViewTransfer *transfer)
{
  guint64 fetched = transfer->from_hub + transfer->from_lan;
  guint share = exo_format_percent (transfer->from_lan, fetched);
  gint64 seconds = MAX (transfer->finished - transfer->started, 1);
  g_autofree char *duration = exo_format_duration (seconds);

  if (fetched == 0)
    return g_strdup (_ ("All of it was on this machine already"));
  if (transfer->started == 0 || transfer->finished == 0)
    return g_strdup_printf (_ ("%u %% from your neighbours"), share);
  if (share == 0)
    /* TRANSLATORS: %s is a duration: the download was over in that time */
    return g_strdup_printf (_ ("in %s"), duration);
  /* TRANSLATORS: first a duration, then a share */
  return g_strdup_printf (_ ("in %s, %u %% from your neighbours"), duration, share);
}

ExoNotice *
exo_notice_complete (const ExoViewTransfer *transfer, guint64 saved)
{
  g_autofree char *model = exo_text_model (transfer);
  g_autofree char *how = how_it_came (transfer);
  GString *body = g_string_new (how);
  ExoNotice *notice;

  if (transfer->from_lan > 0)
    add_saved (body, saved);
  /* TRANSLATORS: title of a notification; %s is a model, now on this machine */
  notice = notice_new (g_strdup_printf (_ ("%s is ready"), model), g_string_free (body, FALSE),
                       "transfer.complete");
  add_button (notice, EXO_MENU_OPEN_FOLDER, NULL, _ ("Open folder"));
  return notice;
}

typedef enum
{
  MEND_RETRY = 1 << 0,
  MEND_FOLDER = 1 << 1, /* where room can be made, or rights be mended */
  MEND_FORGET = 1 << 2,
} Mends;

/* NAME of org.exo.Agent1.Error; what is not named here can be tried again. */
static const struct
{
  const char *name;
  Mends mends;
  ExoUrgency urgency;
} failures[] = {
  { "Invalid", MEND_FORGET, EXO_URGENCY_NORMAL },
  { "NotFound", MEND_RETRY | MEND_FORGET, EXO_URGENCY_NORMAL },
  { "Denied", MEND_RETRY | MEND_FORGET, EXO_URGENCY_NORMAL },
  { "RateLimited", MEND_RETRY, EXO_URGENCY_NORMAL },
  { "Unreachable", MEND_RETRY, EXO_URGENCY_NORMAL },
  { "NoSpace", MEND_FOLDER | MEND_RETRY, EXO_URGENCY_CRITICAL },
  { "Disk", MEND_FOLDER | MEND_RETRY, EXO_URGENCY_CRITICAL },
  { "Mismatch", MEND_RETRY, EXO_URGENCY_CRITICAL },
};

static void
add_mends (ExoNotice *notice, const ExoViewTransfer *transfer)
{
  Mends mends = MEND_RETRY;

  for (gsize i = 0; i < G_N_ELEMENTS (failures); i++)
    if (g_str_equal (failures[i].name, transfer->error))
      {
        mends = failures[i].mends;
        notice->urgency = failures[i].urgency;
      }
  if (mends & MEND_FOLDER)
    add_button (notice, EXO_MENU_OPEN_FOLDER, NULL, _ ("Open folder"));
  if (mends & MEND_RETRY)
    add_button (notice, EXO_MENU_RESUME, transfer->path, _ ("Retry"));
  if (mends & MEND_FORGET)
    add_button (notice, EXO_MENU_CANCEL, transfer->path, _ ("Remove from the list"));
}

ExoNotice *
exo_notice_failed (const ExoViewTransfer *transfer)
{
  g_autofree char *model = exo_text_model (transfer);
  /* TRANSLATORS: title of a notification; %s is a model */
  ExoNotice *notice =
      notice_new (g_strdup_printf (_ ("Download of %s failed"), model),
                  exo_text_short (transfer->error_message, LINE_COLUMNS), "transfer.error");

  add_mends (notice, transfer);
  return notice;
}

/* The agent --------------------------------------------------------------------------------------- */

static char *
warning_title (const char *kind)
{
  if (g_str_equal (kind, "disk"))
    return g_strdup (_ ("Trouble with the disk"));
  if (g_str_equal (kind, "peer"))
    return g_strdup (_ ("A neighbour served wrong bytes"));
  if (g_str_equal (kind, "upstream"))
    return g_strdup (_ ("A neighbour's list of files was wrong"));
  if (g_str_equal (kind, "hub"))
    return g_strdup (_ ("The Hub cannot be used"));
  if (g_str_equal (kind, "limit"))
    return g_strdup (_ ("This month's limit of bytes from the Hub"));
  if (g_str_equal (kind, "network"))
    return g_strdup (_ ("Trouble with the network"));
  if (g_str_equal (kind, "tray"))
    return g_strdup (_ ("That could not be done"));
  return g_strdup (_ ("The agent warns"));
}

ExoNotice *
exo_notice_warning (const ExoViewWarning *warning)
{
  ExoNotice *notice = notice_new (warning_title (warning->kind),
                                  exo_text_short (warning->message, LINE_COLUMNS), "device.error");

  if (g_str_equal (warning->kind, "disk"))
    add_button (notice, EXO_MENU_OPEN_FOLDER, NULL, _ ("Open folder"));
  add_button (notice, EXO_MENU_DISMISS, warning->message, _ ("Dismiss"));
  return notice;
}

ExoNotice *
exo_notice_agent_gone (guint n_waiting)
{
  ExoNotice *notice =
      notice_new (g_strdup (_ ("The agent has stopped")),
                  g_strdup_printf (ngettext ("%u transfer waits until it runs again",
                                             "%u transfers wait until it runs again", n_waiting),
                                   n_waiting),
                  "transfer.error");

  add_button (notice, EXO_MENU_START, NULL, _ ("Start the agent"));
  return notice;
}

/* Several at once --------------------------------------------------------------------------------- */

/* "a, b, c and 4 more" */
static char *
list (const GPtrArray *names)
{
  GString *line = g_string_new (NULL);
  guint shown = MIN (names->len, NAMES_MAX), more = names->len - shown;

  for (guint i = 0; i < shown; i++)
    g_string_append_printf (line, "%s%s", i > 0 ? ", " : "", (const char *) names->pdata[i]);
  if (more == 0)
    return g_string_free (line, FALSE);
  {
    g_autofree char *listed = g_string_free (line, FALSE);
    /* TRANSLATORS: first some names, then how many there are besides */
    return g_strdup_printf (ngettext ("%s and %u more", "%s and %u more", more), listed, more);
  }
}

ExoNotice *
exo_notice_completes (const GPtrArray *names, guint64 saved)
{
  g_autofree char *listed = list (names);
  GString *body = g_string_new (listed);
  ExoNotice *notice;

  add_saved (body, saved);
  notice = notice_new (
      g_strdup_printf (ngettext ("%u model is ready", "%u models are ready", names->len),
                       names->len),
      g_string_free (body, FALSE), "transfer.complete");
  add_button (notice, EXO_MENU_OPEN_FOLDER, NULL, _ ("Open folder"));
  return notice;
}

ExoNotice *
exo_notice_failures (const GPtrArray *names, const ExoViewTransfer *newest)
{
  g_autofree char *listed = list (names);
  g_autofree char *why = exo_text_short (newest->error_message, LINE_COLUMNS);

  return notice_new (
      g_strdup_printf (ngettext ("%u download failed", "%u downloads failed", names->len),
                       names->len),
      g_strdup_printf ("%s\n%s", listed, why), "transfer.error");
}

ExoNotice *
exo_notice_warnings (const GPtrArray *messages)
{
  GString *body = g_string_new (NULL);
  guint first = messages->len - MIN (messages->len, WARNINGS_MAX);
  ExoNotice *notice;

  for (guint i = first; i < messages->len; i++)
    {
      g_autofree char *line = exo_text_short (messages->pdata[i], EXO_TEXT_MESSAGE_COLUMNS);
      g_string_append_printf (body, "%s%s", i > first ? "\n" : "", line);
    }
  notice = notice_new (
      g_strdup_printf (ngettext ("%u warning", "%u warnings", messages->len), messages->len),
      g_string_free (body, FALSE), "device.error");
  add_button (notice, EXO_MENU_DISMISS, NULL, _ ("Dismiss"));
  return notice;
}
