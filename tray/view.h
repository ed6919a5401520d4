/* view.h - what the tray knows of the agent: a copy of its transfers, nodes, totals and warnings
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Plain values, copied from D-Bus, so that what is shown (icon, menu, notices) can be decided and tested without a bus.
 * Sizes are bytes, rates bytes per second, times seconds since 1970 unless a field says otherwise. Strings come from the agent and
 * are shown to people: whoever shows them escapes what its medium needs escaped.
 *
 * Main thread only.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  EXO_VIEW_QUEUED,
  EXO_VIEW_RESOLVING,
  EXO_VIEW_TRANSFERRING,
  EXO_VIEW_VERIFYING,
  EXO_VIEW_PAUSED,
  EXO_VIEW_COMPLETE,
  EXO_VIEW_FAILED,
} ExoViewState;

typedef struct
{
  char *path; /* D-Bus object, what identifies it */
  guint id;   /* for people */
  char *model, *type;
  char *revision;            /* as asked for */
  char **include, **exclude; /* globs it was asked for with; empty: none */
  gboolean on_demand;        /* programs ask for its files; no Pull is the same again */
  ExoViewState state;
  guint64 total, done;        /* total is 0 until resolved; done <= total */
  guint64 from_hub, from_lan; /* fetched for it */
  guint64 rate;               /* bytes/s; 0 unless transferring */
  gint64 eta;                 /* seconds left; -1: unknown */
  gint64 started, finished;   /* 0: not yet */
  /* NAME of org.exo.Agent1.Error and what happened; "" if nothing did. Also set while it waits and will go on by itself */
  char *error, *error_message;
} ExoViewTransfer;

typedef struct
{
  char *id, *name;
  gboolean self;
  char *state;   /* as in org.exo.Agent1.Node */
  char **models; /* what it is transferring, as far as known here */
  guint64 rate_in;
} ExoViewNode;

typedef struct
{
  char *kind, *message;
  gint64 at; /* when it came */
} ExoViewWarning;

typedef struct
{
  gboolean connected;   /* there is an agent on the bus; without one all lists are empty */
  GPtrArray *transfers; /* (element-type ExoViewTransfer), by id */
  GPtrArray *nodes;     /* (element-type ExoViewNode), this machine first, then by name */
  GPtrArray *warnings;  /* (element-type ExoViewWarning), newest last, the last few only */
  char *cache_path;
  guint64 from_hub, from_lan; /* since installation */
} ExoView;

ExoView *exo_view_new (void);
void exo_view_free (ExoView *view);
void exo_view_transfer_free (ExoViewTransfer *transfer);
void exo_view_node_free (ExoViewNode *node);
void exo_view_warning_free (ExoViewWarning *warning);

/* (nullable): the view's own */
ExoViewTransfer *exo_view_find_transfer (const ExoView *view, const char *path);
/* Neither paused nor over. */
gboolean exo_view_is_running (const ExoViewTransfer *transfer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoView, exo_view_free)

G_END_DECLS
