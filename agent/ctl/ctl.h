/* ctl.h - what the commands of exoctl share
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * exoctl knows nothing of the agent but its D-Bus interface (agent/org.exo.Agent1.xml). A command
 * prints its results to stdout and returns its exit code; what went wrong it hands back as a GError of
 * EXO_CTL_ERROR, whose code is the exit code, and main.c reports it.
 */

#pragma once

#include <json-glib/json-glib.h>

#include "agent/exo-agent-dbus.h"

G_BEGIN_DECLS

/* Stable: scripts depend on them. Names and meanings: exo_exits[] in client.c, shown by "exoctl help". */
typedef enum
{
  EXO_EXIT_OK = 0,
  EXO_EXIT_FAILED = 1,
  EXO_EXIT_USAGE = 2,
  EXO_EXIT_NO_AGENT = 3,
  EXO_EXIT_NOT_FOUND = 4,
  EXO_EXIT_DENIED = 5,
  EXO_EXIT_NETWORK = 6,
  EXO_EXIT_DISK = 7,
  EXO_EXIT_MISMATCH = 8,
  EXO_EXIT_BUSY = 9,
  EXO_EXIT_INTERRUPTED = 130, /* 128 + SIGINT, as a shell says it */
} ExoExit;

typedef struct
{
  ExoExit code;
  const char *name;    /* as in --json */
  const char *meaning; /* to be translated */
} ExoExitInfo;

extern const ExoExitInfo exo_exits[];
extern const gsize exo_n_exits;
const char *exo_exit_name (int code);

#define EXO_CTL_ERROR (exo_ctl_error_quark ())
GQuark exo_ctl_error_quark (void);

typedef struct
{
  gboolean json;
  gboolean colour; /* stdout is a terminal, and NO_COLOR is not set */
  gboolean live;   /* stdout is a terminal that can move its cursor */
  gboolean utf8;   /* it shows UTF-8 */
} ExoCtl;

typedef struct
{
  const char *name;
  const char *arguments; /* for the usage line; may be "" */
  const char *summary;   /* one line, for the list of commands; to be translated, as is the next */
  const char *description;     /* the rest of the help */
  const GOptionEntry *options; /* (nullable); --json and --help come by themselves */
  gboolean has_json;
  guint min_arguments, max_arguments;
  /* Returns the exit code, or anything with @error set. */
  int (*run) (const ExoCtl *ctl, char **arguments, GError **error);
} ExoCommand;

extern const ExoCommand exo_command_pull, exo_command_status, exo_command_nodes, exo_command_models,
    exo_command_watch, exo_command_pause, exo_command_resume, exo_command_cancel, exo_command_cache,
    exo_command_doctor, exo_command_env, exo_command_limits;

/* What help says beside the commands; summary and text are to be translated. */
typedef struct
{
  const char *name, *summary, *text;
} ExoTopic;

extern const ExoTopic exo_topics[];
extern const gsize exo_n_topics;

/* The agent -------------------------------------------------------------------------------------- */

/* Starts it by D-Bus activation where that is installed. @error: NO_AGENT, with what to do */
ExoAgent1 *exo_client_connect (GError **error);
/* Everything below the agent, kept up to date while the main loop runs. */
GDBusObjectManager *exo_client_objects (GError **error);
/* (element-type ExoAgent1Transfer), by id; (element-type ExoAgent1Node), this machine first, then by name */
GPtrArray *exo_client_transfers (GDBusObjectManager *objects);
GPtrArray *exo_client_nodes (GDBusObjectManager *objects);
/* An error of a call becomes one of EXO_CTL_ERROR. Returns FALSE, for the caller to return. */
gboolean exo_client_translate (GError **error);
/* Exit code for the NAME of org.exo.Agent1.Error.NAME */
int exo_client_exit_for (const char *error_name);
/* "ORG/NAME[@REV]" into two; @error: USAGE for what cannot be sent at all */
gboolean
exo_client_parse_model (const char *text, char **out_model, char **out_revision, GError **error);
/* a{sv} with type if it is not NULL. Floating. */
GVariant *exo_client_options (const char *type);

/* Output ----------------------------------------------------------------------------------------- */

/* Name and value, aligned: names are at most @columns wide. @value: clean, nothing is printed if it is "" */
void exo_print_field (const char *name, const char *value, guint columns);
/* To stdout, UTF-8, flushed: a reader of the pipe sees each line at once. @text is clean. */
void exo_print (const char *format, ...) G_GNUC_PRINTF (1, 2);
/* One object, one line; @builder is at its end. */
void exo_print_json (JsonBuilder *builder);
void exo_json_string (JsonBuilder *builder, const char *name, const char *value);
void exo_json_int (JsonBuilder *builder, const char *name, guint64 value);
void exo_json_bool (JsonBuilder *builder, const char *name, gboolean value);
void exo_json_transfer (JsonBuilder *builder, ExoAgent1Transfer *transfer); /* members only */
void exo_json_node (JsonBuilder *builder, ExoAgent1Node *node);
void exo_json_strings (JsonBuilder *builder, const char *name, const char *const *values);

typedef enum
{
  EXO_COLOUR_GOOD,
  EXO_COLOUR_WARN,
  EXO_COLOUR_BAD,
} ExoColour;

/* @text between the escape sequences, or as it is */
char *exo_colour (const ExoCtl *ctl, ExoColour colour, const char *text);

G_END_DECLS
