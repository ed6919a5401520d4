/* menu.h - what the menu of the tray holds, as a tree of rows; what changes from one tree to the next
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A row has the same id as long as it stands for the same thing (its key), and an id is never given again, so that a click on a
 * menu that is a moment old hits what was read there or nothing. Labels are plain text: exo_menu_row_properties() doubles the
 * underscores, which menus take for marks of shortcut keys.
 *
 * A menu that is open must not move under the pointer: exo_menu_freeze() keeps its rows in place, shows in them what is new, and
 * disables those whose thing has gone.
 *
 * Trees are immutable once built, and counted. Pure.
 */

#pragma once

#include "tray/view.h"

G_BEGIN_DECLS

#define EXO_MENU_TRANSFERS_MAX 12u
#define EXO_MENU_RECENT_MAX    8u
#define EXO_MENU_NODES_MAX     30u

typedef enum
{
  EXO_MENU_NOTHING,   /* a separator, a heading, something to read */
  EXO_MENU_PAUSE,     /* target: D-Bus path of the transfer, here and down to PULL */
  EXO_MENU_RESUME,    /* or try again */
  EXO_MENU_CANCEL,    /* or forget */
  EXO_MENU_PULL,      /* again */
  EXO_MENU_PAUSE_ALL, /* no target, here and down to START */
  EXO_MENU_RESUME_ALL,
  EXO_MENU_OPEN_FOLDER,
  EXO_MENU_START,   /* the agent */
  EXO_MENU_DISMISS, /* target: message of the warning; %NULL: all */
  EXO_MENU_QUIT,
} ExoMenuAction;

typedef struct
{
  gint32 id;   /* 0: the menu itself */
  char *key;   /* what it stands for */
  char *label; /* (nullable): a separator */
  gboolean enabled, visible;
  ExoMenuAction action;
  char *target;    /* (nullable) */
  GPtrArray *rows; /* (nullable): no submenu. (element-type ExoMenuRow), owned */
} ExoMenuRow;

typedef struct ExoMenuIds ExoMenuIds; /* which id each key of the last tree has */

ExoMenuIds *exo_menu_ids_new (void);
void exo_menu_ids_free (ExoMenuIds *ids);

ExoMenuRow *exo_menu_build (const ExoView *view, ExoMenuIds *ids);
ExoMenuRow *exo_menu_ref (ExoMenuRow *menu);
void exo_menu_unref (ExoMenuRow *menu); /* %NULL is fine */

/* (nullable): the row, of @menu's own */
const ExoMenuRow *exo_menu_find (const ExoMenuRow *menu, gint32 id);

/* The rows of @shown, with the labels of @wanted. */
ExoMenuRow *exo_menu_freeze (const ExoMenuRow *shown, const ExoMenuRow *wanted);

/* Id of the smallest submenu that holds all rows that came, went or moved; -1: none did. */
gint32 exo_menu_changed_parent (const ExoMenuRow *old, const ExoMenuRow *now);

/* (transfer floating): a{sv}, as com.canonical.dbusmenu names them. @names: (nullable): those asked for; none: all */
GVariant *exo_menu_row_properties (const ExoMenuRow *row, const char *const *names);
/* (transfer floating) (nullable): a(ia{sv}) of the rows that are in both and look different; %NULL if none does */
GVariant *exo_menu_changes (const ExoMenuRow *old, const ExoMenuRow *now);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoMenuRow, exo_menu_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoMenuIds, exo_menu_ids_free)

G_END_DECLS
