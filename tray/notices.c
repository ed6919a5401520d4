/* notices.c - see notices.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/ctl/format.h"
#include "tray/notices-private.h"
#include "tray/text.h"

#define AGENT_GONE_US   (10 * G_USEC_PER_SEC) /* a restart, of an upgrade for example, takes less */
#define WARNED_AGAIN_S  600
#define GROUP_NAMES_MAX 1000u

/* What was told of one transfer. */
typedef struct
{
  char *model; /* an agent installed anew counts its transfers from 1 */
  ExoViewState state;
  gint64 began_us;     /* it was first seen running */
  gboolean told_start; /* or it ran before there was anyone to tell */
  guint id;            /* of its notice; 0: none on the screen */
  guint percent;       /* in that notice */
  gint64 shown_us;
  gboolean stale;       /* that notice is, for want of time since */
  char *failure;        /* (nullable): told last */
  guint64 failure_done; /* bytes there were then */
  guint round;          /* of updates: the last one it was seen in */
} Track;

/* Those of one kind that came close together. */
typedef struct
{
  guint id;
  GPtrArray *names; /* (element-type utf8), owned */
  gint64 last_us;
} Group;

struct ExoNotices
{
  GHashTable *tracks; /* D-Bus path → Track, both owned */
  GHashTable *warned; /* message → gint64 *, when the one told came, in s; both owned */
  GQueue ready;       /* (element-type ExoNotice), owned */
  Group complete, failed, warnings;
  gboolean met;   /* the agent was seen */
  gint64 lost_us; /* it went while transfers ran; 0: it is there, or nothing ran */
  guint lost_id;
  guint last_id, round;
  gint64 now_us;
};

static void
track_free (gpointer data)
{
  Track *track = data;

  g_free (track->model);
  g_free (track->failure);
  g_free (track);
}

static void
group_init (Group *group)
{
  group->names = g_ptr_array_new_with_free_func (g_free);
}

ExoNotices *
exo_notices_new (void)
{
  ExoNotices *notices = g_new0 (ExoNotices, 1);

  notices->tracks = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, track_free);
  notices->warned = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_queue_init (&notices->ready);
  group_init (&notices->complete);
  group_init (&notices->failed);
  group_init (&notices->warnings);
  return notices;
}

void
exo_notices_free (ExoNotices *notices)
{
  if (notices == NULL)
    return;
  g_hash_table_unref (notices->tracks);
  g_hash_table_unref (notices->warned);
  g_queue_clear_full (&notices->ready, (GDestroyNotify) exo_notice_free);
  g_ptr_array_unref (notices->complete.names);
  g_ptr_array_unref (notices->failed.names);
  g_ptr_array_unref (notices->warnings.names);
  g_free (notices);
}

/* What is to be shown ------------------------------------------------------------------------------ */

static void
forget_ready (ExoNotices *notices, guint id)
{
  for (GList *link = notices->ready.head, *next; link != NULL; link = next)
    {
      ExoNotice *notice = link->data;

      next = link->next;
      if (notice->id == id)
        {
          exo_notice_free (notice);
          g_queue_delete_link (&notices->ready, link);
        }
    }
}

/* @id: of the notice whose place it takes; 0: none. Returns the id it has. */
static guint
show (ExoNotices *notices, ExoNotice *notice, guint id)
{
  if (id == 0)
    id = ++notices->last_id;
  forget_ready (notices, id);
  notice->id = id;
  g_queue_push_tail (&notices->ready, notice);
  return id;
}

static void
take_off (ExoNotices *notices, guint id)
{
  ExoNotice *nothing;

  if (id == 0)
    return;
  nothing = g_new0 (ExoNotice, 1);
  nothing->buttons = g_ptr_array_new ();
  show (notices, nothing, id);
}

/* Adds to what came a moment ago, or begins anew. TRUE: it is not alone. */
static gboolean
join (ExoNotices *notices, Group *group, const char *name)
{
  if (group->last_us == 0 || notices->now_us - group->last_us >= EXO_NOTICES_GROUP_US)
    {
      g_ptr_array_set_size (group->names, 0);
      group->id = 0;
    }
  group->last_us = notices->now_us;
  if (group->names->len < GROUP_NAMES_MAX)
    g_ptr_array_add (group->names, g_strdup (name));
  return group->names->len > 1;
}

/* Transfers --------------------------------------------------------------------------------------- */

static guint
n_on_screen (ExoNotices *notices)
{
  GHashTableIter iter;
  gpointer track;
  guint n = 0;

  g_hash_table_iter_init (&iter, notices->tracks);
  while (g_hash_table_iter_next (&iter, NULL, &track))
    n += ((Track *) track)->id != 0;
  return n;
}

static void
show_progress (ExoNotices *notices, Track *track, const ExoViewTransfer *transfer)
{
  track->id = show (notices, exo_notice_progress (transfer), track->id);
  track->percent = exo_format_percent (transfer->done, transfer->total);
  track->shown_us = notices->now_us;
  track->stale = FALSE;
}

/* What failed and is tried again has started when it gets further than it was. */
static gboolean
is_worth_a_start (ExoNotices *notices, const Track *track, const ExoViewTransfer *transfer)
{
  return notices->now_us - track->began_us >= EXO_NOTICES_QUIET_US &&
         (track->failure == NULL || transfer->done > track->failure_done) &&
         (transfer->state == EXO_VIEW_TRANSFERRING || transfer->state == EXO_VIEW_VERIFYING);
}

static void
follow_running (ExoNotices *notices, Track *track, const ExoViewTransfer *transfer)
{
  if (track->state == EXO_VIEW_COMPLETE || track->state == EXO_VIEW_FAILED)
    {
      track->began_us = notices->now_us;
      track->told_start = FALSE;
    }
  if (!track->told_start && is_worth_a_start (notices, track, transfer))
    {
      track->told_start = TRUE;
      if (n_on_screen (notices) < EXO_NOTICES_PROGRESS_MAX)
        show_progress (notices, track, transfer);
    }
  else if (track->id != 0)
    {
      if (track->percent != exo_format_percent (transfer->done, transfer->total) ||
          track->state == EXO_VIEW_PAUSED)
        track->stale = TRUE;
      if (track->stale && notices->now_us - track->shown_us >= EXO_NOTICES_PERIOD_US)
        show_progress (notices, track, transfer);
    }
}

/* A program that reads no more has paused nothing. */
static void
follow_paused (ExoNotices *notices, Track *track, const ExoViewTransfer *transfer)
{
  if (track->id == 0 || track->state == EXO_VIEW_PAUSED)
    return;
  if (!transfer->on_demand)
    show_progress (notices, track, transfer);
  else
    {
      take_off (notices, track->id);
      track->id = 0;
    }
}

/* The first of a group takes the place of its own progress; the others' progress goes. */
static void
tell_end (ExoNotices *notices, Group *group, Track *track, gboolean joined, ExoNotice *notice)
{
  if (!joined)
    group->id = track->id;
  else if (track->id != group->id)
    take_off (notices, track->id);
  group->id = show (notices, notice, group->id);
  track->id = 0;
}

static void
follow_complete (ExoNotices *notices, Track *track, const ExoViewTransfer *transfer, guint64 saved)
{
  g_autofree char *model = exo_text_model (transfer);
  gboolean joined;

  g_clear_pointer (&track->failure, g_free);
  if (track->state == EXO_VIEW_COMPLETE || (transfer->on_demand && !track->told_start))
    return;
  joined = join (notices, &notices->complete, model);
  tell_end (notices, &notices->complete, track, joined,
            joined ? exo_notice_completes (notices->complete.names, saved)
                   : exo_notice_complete (transfer, saved));
}

static void
follow_failed (ExoNotices *notices, Track *track, const ExoViewTransfer *transfer)
{
  g_autofree char *model = exo_text_model (transfer);
  gboolean joined, known = g_strcmp0 (track->failure, transfer->error) == 0 &&
                           transfer->done <= track->failure_done;

  if (track->state == EXO_VIEW_FAILED)
    return;
  g_free (track->failure);
  track->failure = g_strdup (transfer->error);
  track->failure_done = transfer->done;
  if (known)
    {
      take_off (notices, track->id);
      track->id = 0;
      return;
    }
  joined = join (notices, &notices->failed, model);
  tell_end (notices, &notices->failed, track, joined,
            joined ? exo_notice_failures (notices->failed.names, transfer)
                   : exo_notice_failed (transfer));
}

static Track *
find_track (ExoNotices *notices, const ExoViewTransfer *transfer)
{
  Track *track = g_hash_table_lookup (notices->tracks, transfer->path);

  if (track != NULL && g_str_equal (track->model, transfer->model))
    return track;
  if (track != NULL)
    take_off (notices, track->id);
  track = g_new0 (Track, 1);
  track->model = g_strdup (transfer->model);
  track->began_us = notices->now_us;
  /* What the first look finds is not news, only what becomes of it. */
  track->state = notices->met ? EXO_VIEW_QUEUED : transfer->state;
  track->told_start = !notices->met;
  if (!notices->met && transfer->state == EXO_VIEW_FAILED)
    {
      track->failure = g_strdup (transfer->error);
      track->failure_done = transfer->done;
    }
  g_hash_table_replace (notices->tracks, g_strdup (transfer->path), track);
  return track;
}

static void
follow (ExoNotices *notices, const ExoViewTransfer *transfer, guint64 saved)
{
  Track *track = find_track (notices, transfer);

  if (exo_view_is_running (transfer))
    follow_running (notices, track, transfer);
  else if (transfer->state == EXO_VIEW_PAUSED)
    follow_paused (notices, track, transfer);
  else if (transfer->state == EXO_VIEW_COMPLETE)
    follow_complete (notices, track, transfer, saved);
  else
    follow_failed (notices, track, transfer);
  track->state = transfer->state;
  track->round = notices->round;
}

/* Cancelled, or forgotten by the agent. */
static void
drop_unseen (ExoNotices *notices)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, notices->tracks);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Track *track = value;
      if (track->round != notices->round)
        {
          take_off (notices, track->id);
          g_hash_table_iter_remove (&iter);
        }
    }
}

/* Warnings ---------------------------------------------------------------------------------------- */

/* The agent warns of a full disk, too, when a transfer fails for it: that is told already. */
static gboolean
is_of_a_failure (const ExoView *view, const ExoViewWarning *warning)
{
  for (guint i = 0; i < view->transfers->len; i++)
    {
      const ExoViewTransfer *transfer = view->transfers->pdata[i];
      if (transfer->state == EXO_VIEW_FAILED && *transfer->error_message != '\0' &&
          strstr (warning->message, transfer->error_message) != NULL)
        return TRUE;
    }
  return FALSE;
}

/* The same warning, given again, is news after a while. */
static gboolean
is_news (ExoNotices *notices, const ExoViewWarning *warning)
{
  const gint64 *told = g_hash_table_lookup (notices->warned, warning->message);
  gint64 *at;

  if (told != NULL && warning->at - *told < WARNED_AGAIN_S)
    return FALSE;
  at = g_new (gint64, 1);
  *at = warning->at;
  g_hash_table_replace (notices->warned, g_strdup (warning->message), at);
  return TRUE;
}

static gboolean
is_dismissed (gpointer key, gpointer value, gpointer user_data)
{
  const ExoView *view = user_data;

  for (guint i = 0; i < view->warnings->len; i++)
    if (g_str_equal (((const ExoViewWarning *) view->warnings->pdata[i])->message, key))
      return FALSE;
  return TRUE;
}

static void
tell_warnings (ExoNotices *notices, const ExoView *view)
{
  for (guint i = 0; i < view->warnings->len; i++)
    {
      const ExoViewWarning *warning = view->warnings->pdata[i];
      Group *group = &notices->warnings;
      gboolean joined;

      if (!is_news (notices, warning) || is_of_a_failure (view, warning))
        continue;
      joined = join (notices, group, warning->message);
      group->id =
          show (notices, joined ? exo_notice_warnings (group->names) : exo_notice_warning (warning),
                group->id);
    }
}

/* The agent --------------------------------------------------------------------------------------- */

static guint
n_running (ExoNotices *notices)
{
  GHashTableIter iter;
  gpointer track;
  guint n = 0;

  g_hash_table_iter_init (&iter, notices->tracks);
  while (g_hash_table_iter_next (&iter, NULL, &track))
    n += ((Track *) track)->state < EXO_VIEW_PAUSED;
  return n;
}

/* Progress that does not move any more misleads. */
static void
take_progress_off (ExoNotices *notices)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, notices->tracks);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Track *track = value;
      take_off (notices, track->id);
      track->id = 0;
    }
}

static void
miss_agent (ExoNotices *notices)
{
  guint n = n_running (notices);

  if (notices->lost_us == 0 && n > 0)
    notices->lost_us = notices->now_us;
  if (notices->lost_us == 0 || notices->lost_id != 0 ||
      notices->now_us - notices->lost_us < AGENT_GONE_US)
    return;
  take_progress_off (notices);
  notices->lost_id = show (notices, exo_notice_agent_gone (n), 0);
}

static void
welcome_agent (ExoNotices *notices)
{
  take_off (notices, notices->lost_id);
  notices->lost_us = 0;
  notices->lost_id = 0;
}

/* ------------------------------------------------------------------------------------------------- */

void
exo_notices_update (ExoNotices *notices, const ExoView *view, guint64 saved, gint64 now_us)
{
  notices->now_us = now_us;
  notices->round++;
  if (view->connected)
    {
      welcome_agent (notices);
      for (guint i = 0; i < view->transfers->len; i++)
        follow (notices, view->transfers->pdata[i], saved);
      drop_unseen (notices);
      notices->met = TRUE;
    }
  else
    miss_agent (notices);
  tell_warnings (notices, view);
  g_hash_table_foreach_remove (notices->warned, is_dismissed, (gpointer) view);
}

ExoNotice *
exo_notices_next (ExoNotices *notices)
{
  return g_queue_pop_head (&notices->ready);
}

/* The start of a quiet transfer, and the agent's absence; progress comes with changes of the view, which are as rare. */
gint64
exo_notices_due (const ExoNotices *notices)
{
  gint64 due_us = G_MAXINT64;
  GHashTableIter iter;
  gpointer value;

  if (notices->lost_us != 0)
    return notices->lost_id == 0 ? notices->lost_us + AGENT_GONE_US : -1;
  g_hash_table_iter_init (&iter, notices->tracks);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const Track *track = value;
      gint64 start_us = track->began_us + EXO_NOTICES_QUIET_US;
      if (track->state < EXO_VIEW_PAUSED && !track->told_start && start_us > notices->now_us)
        due_us = MIN (due_us, start_us);
      if (track->id != 0 && track->stale)
        due_us = MIN (due_us, track->shown_us + EXO_NOTICES_PERIOD_US);
    }
  return due_us == G_MAXINT64 ? -1 : due_us;
}

void
exo_notices_pressed (ExoNotices *notices, ExoMenuAction action, const char *target)
{
  Track *track = action == EXO_MENU_RESUME ? g_hash_table_lookup (notices->tracks, target) : NULL;

  if (track != NULL)
    g_clear_pointer (&track->failure, g_free);
}

void
exo_notices_gone (ExoNotices *notices, guint id)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, notices->tracks);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((Track *) value)->id == id)
      ((Track *) value)->id = 0;
  forget_ready (notices, id);
}
