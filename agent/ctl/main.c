/* main.c - exoctl: finds the command, parses its options, reports what went wrong
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/ctl/ctl.h"
#include "agent/ctl/format.h"
#include "agent/i18n.h"

static const ExoCommand *const commands[] = {
  &exo_command_pull,   &exo_command_status, &exo_command_watch, &exo_command_pause,
  &exo_command_resume, &exo_command_cancel, &exo_command_nodes, &exo_command_models,
  &exo_command_cache,  &exo_command_limits, &exo_command_env,   &exo_command_doctor,
};

static const ExoCommand *
find_command (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    if (g_str_equal (commands[i]->name, name))
      return commands[i];
  return NULL;
}

static const ExoTopic *
find_topic (const char *name)
{
  for (gsize i = 0; i < exo_n_topics; i++)
    if (g_str_equal (exo_topics[i].name, name))
      return &exo_topics[i];
  return NULL;
}

static void
print_overview (void)
{
  exo_print (_ ("Usage: exoctl COMMAND [OPTION...]\n\n"
                "Downloads models once for the whole lab, and shows what the agents do.\n\n"
                "Commands:\n"));
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    exo_print ("  %-8s %s\n", commands[i]->name, _ (commands[i]->summary));
  exo_print ("  %-8s %s\n\n", "help", _ ("Show this, or the help of a command or topic"));
  exo_print ("%s\n", _ ("Topics:"));
  for (gsize i = 0; i < exo_n_topics; i++)
    exo_print ("  %-8s %s\n", exo_topics[i].name, _ (exo_topics[i].summary));
  exo_print (_ (
      "\nexoctl help COMMAND or TOPIC says more about each; exoctl --version prints the version.\n"
      "Sizes are decimal, as on the Hub: 1 MB = 1,000,000 bytes.\n\n"
      "Exit codes:\n"));
  for (gsize i = 0; i < exo_n_exits; i++)
    exo_print ("  %3d  %-12s %s\n", (int) exo_exits[i].code, exo_exits[i].name,
               _ (exo_exits[i].meaning));
}

static GOptionContext *
new_context (const ExoCommand *command, gboolean *out_json, gboolean *out_help)
{
  GOptionContext *context = g_option_context_new (command->arguments);
  const GOptionEntry help[] = {
    { "help", 'h', 0, G_OPTION_ARG_NONE, out_help, N_ ("Show this help"), NULL },
    { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
  };
  const GOptionEntry json[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, out_json,
      N_ ("Print one JSON object a line, sizes in bytes"), NULL },
    { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
  };

  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_set_summary (context, _ (command->summary));
  g_option_context_set_description (context, _ (command->description));
  if (command->options != NULL)
    g_option_context_add_main_entries (context, command->options, GETTEXT_PACKAGE);
  if (command->has_json)
    g_option_context_add_main_entries (context, json, GETTEXT_PACKAGE);
  g_option_context_add_main_entries (context, help, GETTEXT_PACKAGE);
  return context;
}

/* The program name of a help text is "exoctl COMMAND". */
static void
print_help (const ExoCommand *command, GOptionContext *context)
{
  g_autofree char *name = g_strconcat ("exoctl ", command->name, NULL);
  g_autofree char *text = NULL;

  g_set_prgname (name);
  text = g_option_context_get_help (context, TRUE, NULL);
  exo_print ("%s", text);
}

static int
report (const ExoCtl *ctl, const GError *error)
{
  int code = error->domain == EXO_CTL_ERROR ? error->code : EXO_EXIT_FAILED;
  g_autofree char *message = exo_format_clean (error->message);

  fprintf (stderr, "exoctl: %s\n", message);
  if (ctl->json)
    {
      g_autoptr (JsonBuilder) builder = json_builder_new ();
      g_autofree char *valid = g_utf8_make_valid (error->message, -1);

      json_builder_begin_object (builder);
      exo_json_string (builder, "event", "result");
      exo_json_int (builder, "exit", (guint64) code);
      exo_json_string (builder, "result", exo_exit_name (code));
      exo_json_string (builder, "message", valid);
      json_builder_end_object (builder);
      exo_print_json (builder);
    }
  return code;
}

static gboolean
check_count (const ExoCommand *command, guint n, GError **error)
{
  if (n >= command->min_arguments && n <= command->max_arguments)
    return TRUE;
  g_set_error (error, EXO_CTL_ERROR, EXO_EXIT_USAGE,
               /* TRANSLATORS: a command, its arguments, the command */
               n < command->min_arguments
                   ? _ ("Too few arguments. Usage: exoctl %s %s (see exoctl help %s)")
                   : _ ("Too many arguments. Usage: exoctl %s %s (see exoctl help %s)"),
               command->name, command->arguments, command->name);
  return FALSE;
}

/* @argv: the command's name first */
static int
run_command (const ExoCommand *command, char **argv)
{
  g_auto (GStrv) arguments = g_strdupv (argv); /* the parser takes from it what it knows */
  ExoCtl ctl = { 0 };
  gboolean help = FALSE;
  g_autoptr (GOptionContext) context = new_context (command, &ctl.json, &help);
  g_autoptr (GError) error = NULL;
  const char *term = g_getenv ("TERM");
  const char *no_colour = g_getenv ("NO_COLOR");
  int code;

  if (!g_option_context_parse_strv (context, &arguments, &error))
    {
      g_prefix_error (&error, "exoctl %s: ", command->name);
      error->domain = EXO_CTL_ERROR;
      error->code = EXO_EXIT_USAGE;
      return report (&ctl, error);
    }
  if (help)
    {
      print_help (command, context);
      return EXO_EXIT_OK;
    }
  if (!check_count (command, g_strv_length (arguments) - 1, &error))
    return report (&ctl, error);

  ctl.live = !ctl.json && isatty (STDOUT_FILENO) && term != NULL && !g_str_equal (term, "dumb");
  ctl.colour = ctl.live && (no_colour == NULL || *no_colour == '\0');
  ctl.utf8 = g_get_charset (NULL);
  code = command->run (&ctl, arguments + 1, &error);
  return error != NULL ? report (&ctl, error) : code;
}

static int
unknown_command (const char *name)
{
  g_autofree char *clean = exo_format_clean (name);

  fprintf (stderr, _ ("exoctl: there is no command \"%s\". See: exoctl help\n"), clean);
  return EXO_EXIT_USAGE;
}

static int
run_help (char **arguments)
{
  const ExoCommand *command;
  const ExoTopic *topic;
  gboolean unused;
  g_autoptr (GOptionContext) context = NULL;

  if (arguments[0] == NULL || g_str_equal (arguments[0], "help"))
    {
      print_overview ();
      return EXO_EXIT_OK;
    }
  topic = find_topic (arguments[0]);
  if (topic != NULL)
    {
      exo_print ("%s", _ (topic->text));
      return EXO_EXIT_OK;
    }
  command = find_command (arguments[0]);
  if (command == NULL)
    return unknown_command (arguments[0]);
  context = new_context (command, &unused, &unused);
  print_help (command, context);
  return EXO_EXIT_OK;
}

int
main (int argc, char **argv)
{
  const ExoCommand *command;

  exo_i18n_init ();
  g_set_prgname ("exoctl");
  if (argc < 2)
    {
      print_overview ();
      return EXO_EXIT_USAGE;
    }
  if (g_str_equal (argv[1], "--version"))
    {
      exo_print ("exoctl %s\n", EXO_VERSION);
      return EXO_EXIT_OK;
    }
  if (g_str_equal (argv[1], "help") || g_str_equal (argv[1], "--help") ||
      g_str_equal (argv[1], "-h"))
    return run_help (argv + 2);
  command = find_command (argv[1]);
  return command != NULL ? run_command (command, argv + 1) : unknown_command (argv[1]);
}
