/* tray-lab.h - exo-tray, the program, on a private bus with an agent and a panel, both in this process
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The agent is the real D-Bus service over fake-engine.h. The panel only writes down who registers. All waits end, with a failed
 * assertion, when the lab's time is over.
 */

#pragma once

#include <gio/gio.h>

#include "agent/dbus.h"
#include "tests/unit/bus-lab.h"
#include "tests/unit/fake-engine.h"

G_BEGIN_DECLS

#define TRAY_NAME  "org.exo.Tray1"
#define ITEM_PATH  "/StatusNotifierItem"
#define MENU_PATH  "/StatusNotifierItem/menu"
#define ITEM_IFACE "org.kde.StatusNotifierItem"
#define MENU_IFACE "com.canonical.dbusmenu"

typedef struct
{
  GTestDBus *bus;
  GDBusConnection *server, *panel, *client;
  ExoEngine *engine;
  ExoDbus *agent;    /* (nullable) */
  GSubprocess *tray; /* (nullable) */
  gboolean agent_is_there, tray_is_there, tray_exited, timed_out;
  GPtrArray *registered; /* utf8: what panels were told */
  GPtrArray *shown;      /* utf8: what the file manager was told */
  GPtrArray *signals;    /* utf8: "Member (parameters)" of item and menu */
  guint n_signals;       /* that ever came */
  guint panel_id, panel_object_id, files_id, files_object_id, watch_id, signals_id, timeout_id;
} TrayLab;

/* @services: (nullable): folder of service files. A bus and an agent; no panel, no tray. */
TrayLab *tray_lab_new (const char *services);
void tray_lab_free (TrayLab *lab);

void tray_lab_start_agent (TrayLab *lab);
void tray_lab_stop_agent (TrayLab *lab);
void tray_lab_start_panel (TrayLab *lab);
void tray_lab_stop_panel (TrayLab *lab);
/* And waits until it is there. */
void tray_lab_start_tray (TrayLab *lab);
/* And waits until it has ended; none: nothing. */
void tray_lab_stop_tray (TrayLab *lab);

ExoTransfer *tray_lab_pull (TrayLab *lab, const char *model);
/* A transfer under way, @percent of it done. */
void tray_lab_set (ExoTransfer *transfer, ExoTransferState state, guint percent);

/* One turn of the main loop; FALSE once the time is over. */
gboolean tray_lab_turn (TrayLab *lab);

#define TRAY_LAB_WAIT(lab, condition)                                                              \
  do                                                                                               \
    {                                                                                              \
      while (!(condition) && tray_lab_turn (lab))                                                  \
        ;                                                                                          \
      CU_ASSERT_TRUE (condition);                                                                  \
    }                                                                                              \
  while (0)

/* The property printed. */
char *tray_lab_property (TrayLab *lab, const char *name);
/* Waits until title and body of the tooltip, a line each, are @expected. */
void tray_lab_wait_tip (TrayLab *lab, const char *expected);
gboolean tray_lab_got (TrayLab *lab, const char *start_of_signal);

/* The menu as a panel draws it: a row a line, indented by depth: "label", "--", "(label)" if it cannot be clicked. */
char *tray_lab_menu (TrayLab *lab);
/* @labels: separated by " > ": that of a row of the menu, that of a row in its submenu ...; each the start of one is enough */
gint32 tray_lab_id (TrayLab *lab, const char *labels);
void tray_lab_event (TrayLab *lab, gint32 id, const char *event);
void tray_lab_click (TrayLab *lab, const char *labels);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TrayLab, tray_lab_free)

G_END_DECLS
