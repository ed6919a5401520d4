/* notices.h - what is worth a notification, and when
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Views in, notices out. One notice follows a transfer from its start to its end, in place:
 *
 *   it runs for EXO_NOTICES_QUIET_US      it has started, with its progress while the notice is on the screen
 *   it is complete                        how long it took, what came from neighbours, what that saved this month
 *   it failed                             why, with what mends it; the same failure again, without progress between, is not news
 *
 * What was over when the agent was first seen is not told, nor what a program asked for unless it took some time. What ends or
 * warns within EXO_NOTICES_GROUP_US of the last of its kind joins that one's notice: 23 nodes done in ten seconds, or 40 models
 * pulled by a script, are one notice. What the user or the server has closed stays closed until there is something else to say.
 *
 * Text is plain, clean and translated: the server's markup is the notifier's business.
 *
 * Pure: time is an argument. Main thread only, as everything of the tray.
 */

#pragma once

#include "tray/menu.h"

G_BEGIN_DECLS

#define EXO_NOTICES_QUIET_US     (3 * G_USEC_PER_SEC)
#define EXO_NOTICES_GROUP_US     (10 * G_USEC_PER_SEC)
#define EXO_NOTICES_PERIOD_US    (G_USEC_PER_SEC / 2) /* between two updates of one notice */
#define EXO_NOTICES_PROGRESS_MAX 3u /* on the screen at once; others are told when they end */

typedef enum
{
  EXO_URGENCY_LOW, /* as in the Desktop Notifications Specification, also in number */
  EXO_URGENCY_NORMAL,
  EXO_URGENCY_CRITICAL,
} ExoUrgency;

typedef struct
{
  ExoMenuAction action; /* for exo_actions_run() */
  char *target;         /* (nullable) */
  char *label;
} ExoNoticeButton;

typedef struct
{
  guint id;    /* not 0; a notice with the id of one that is shown takes its place */
  char *title; /* %NULL: the notice goes from the screen */
  char *body;
  int percent; /* -1: nothing that moves. Also said in @body */
  ExoUrgency urgency;
  const char *category; /* of the specification */
  GPtrArray *
      buttons; /* (element-type ExoNoticeButton): the first is what a click on the notice itself does */
} ExoNotice;

void exo_notice_free (ExoNotice *notice);

typedef struct ExoNotices ExoNotices;

ExoNotices *exo_notices_new (void);
void exo_notices_free (ExoNotices *notices); /* %NULL is fine */

/**
 * exo_notices_update:
 * @saved: bytes that came from neighbours this month, see savings.h
 * @now_us: monotonic
 *
 * The view has changed, or the time exo_notices_due() named has come.
 */
void exo_notices_update (ExoNotices *notices, const ExoView *view, guint64 saved, gint64 now_us);

/* (transfer full) (nullable): the next notice to put on the screen, or to take from it; %NULL: none */
ExoNotice *exo_notices_next (ExoNotices *notices);

/* When to update without a change of the view, monotonic; -1: never */
gint64 exo_notices_due (const ExoNotices *notices);

/* The user pressed a button, so that the same failure again is news: the answer to it. @target: (nullable) */
void exo_notices_pressed (ExoNotices *notices, ExoMenuAction action, const char *target);

/* The notice is not on the screen any more: closed, expired, or its server has gone. Unknown ids are fine. */
void exo_notices_gone (ExoNotices *notices, guint id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoNotice, exo_notice_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoNotices, exo_notices_free)

G_END_DECLS
