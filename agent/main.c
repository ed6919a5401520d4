/* main.c - exo-agent, the program
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/i18n.h"
#include "agent/log.h"

/* Buffers of a transfer go back to the system when it ends; without this the limit grows with the first of them that is freed. */
#define MALLOC_MMAP_BYTES (64 * 1024)

/* Two heaps are enough for a handful of threads; each more costs resident memory that never comes back. */
#define MALLOC_ARENAS 2

typedef struct
{
  GMainLoop *loop;
  int status;
  gboolean again;
} Run;

static gboolean
on_signal (gpointer user_data)
{
  Run *run = user_data;

  g_message ("asked to stop");
  g_main_loop_quit (run->loop);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_again (gpointer user_data)
{
  Run *run = user_data;

  g_message ("asked to start again");
  run->again = TRUE;
  g_main_loop_quit (run->loop);
  return G_SOURCE_CONTINUE;
}

static void
on_stopped (const char *why, gpointer user_data)
{
  Run *run = user_data;

  g_warning ("stopping: %s", why);
  run->status = EXIT_FAILURE;
  g_main_loop_quit (run->loop);
}

/* Each blob under way holds a file, a lock and a journal; each neighbour some connections. */
static void
raise_file_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
    return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit (RLIMIT_NOFILE, &limit) != 0)
    g_debug ("the limit of open files stays as it is: %s", g_strerror (errno));
}

/* Sets @out_again if the agent was asked to start again. */
static int
run_agent (const ExoConfig *config, gboolean *out_again)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoAgent) agent = NULL;
  Run run = { loop, EXIT_SUCCESS, FALSE };
  guint on_term = g_unix_signal_add (SIGTERM, on_signal, &run);
  guint on_int = g_unix_signal_add (SIGINT, on_signal, &run);
  guint on_usr1 = g_unix_signal_add (SIGUSR1, on_again, &run);

  agent = exo_agent_new (config, on_stopped, &run, &error);
  if (agent == NULL)
    {
      g_critical ("cannot start: %s", error->message);
      return EXIT_FAILURE;
    }
  g_main_loop_run (loop);
  g_clear_pointer (&agent, exo_agent_free);
  g_source_remove (on_term);
  g_source_remove (on_int);
  g_source_remove (on_usr1);
  g_message ("stopped");
  *out_again = run.again;
  return run.status;
}

/* Becomes the program that is installed by now: an upgrade asks for it where no systemd restarts the agent. */
static int
start_again (const char *program, char **argv)
{
  close_range (3, ~0U, 0);
  execv (program, argv);
  g_critical ("cannot start again: %s: %s", program, g_strerror (errno));
  return EXIT_FAILURE;
}

int
main (int argc, char **argv)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL); /* while it has its name */
  g_auto (GStrv) arguments = g_strdupv (argv);
  g_autofree char *config_path = NULL;
  gboolean verbose = FALSE, version = FALSE, again = FALSE;
  int status;
  const GOptionEntry entries[] = {
    { "config", 'c', 0, G_OPTION_ARG_FILENAME, &config_path,
      N_ ("Key file (default: ~/.config/exo-agent/agent.conf)"), "FILE" },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, N_ ("Log what is done in detail"), NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &version, N_ ("Print the version and exit"), NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoConfig) config = NULL;
  g_auto (GStrv) environment = g_get_environ ();

  mallopt (M_ARENA_MAX, MALLOC_ARENAS);
  mallopt (M_MMAP_THRESHOLD, MALLOC_MMAP_BYTES);
  exo_i18n_init ();
  signal (SIGPIPE, SIG_IGN);
  context = g_option_context_new (_ ("- brings models to every machine of a lab, once"));
  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc > 1)
    {
      g_printerr ("exo-agent: %s\n",
                  error != NULL ? error->message : _ ("unexpected argument; see exo-agent --help"));
      return 2;
    }
  if (version)
    {
      g_print ("exo-agent " EXO_VERSION "\n");
      return EXIT_SUCCESS;
    }
  exo_log_init (verbose);
  config = exo_config_load (config_path, environment, &error);
  if (config == NULL)
    {
      g_critical ("cannot start: %s", error->message);
      return 2;
    }
  raise_file_limit ();
  status = run_agent (config, &again);
  return again && program != NULL ? start_again (program, arguments) : status;
}
