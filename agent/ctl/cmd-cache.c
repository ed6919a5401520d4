/* cmd-cache.c - exoctl cache and env: where the files are, and how tools find them
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>

#include "agent/ctl/ctl.h"
#include "agent/ctl/format.h"

static void
print_json (ExoAgent1 *agent)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  exo_json_string (builder, "path", exo_agent1_get_cache_path (agent));
  exo_json_int (builder, "bytes", exo_agent1_get_cache_bytes (agent));
  exo_json_int (builder, "free", exo_agent1_get_free_bytes (agent));
  exo_json_int (builder, "bytes_from_hub", exo_agent1_get_bytes_from_hub (agent));
  exo_json_int (builder, "bytes_from_lan", exo_agent1_get_bytes_from_lan (agent));
  exo_json_int (builder, "bytes_served", exo_agent1_get_bytes_served (agent));
  json_builder_end_object (builder);
  exo_print_json (builder);
}

#define NAME_COLUMNS 16

static void
print_size (const char *name, guint64 bytes)
{
  g_autofree char *text = exo_format_bytes (bytes);

  exo_print_field (name, text, NAME_COLUMNS);
}

static int
run_cache (const ExoCtl *ctl, char **arguments, GError **error)
{
  g_autoptr (ExoAgent1) agent = exo_client_connect (error);
  g_autofree char *path = NULL;

  if (agent == NULL)
    return EXO_EXIT_NO_AGENT;
  if (ctl->json)
    {
      print_json (agent);
      return EXO_EXIT_OK;
    }
  path = exo_format_clean (exo_agent1_get_cache_path (agent));
  exo_print_field (_ ("Path"), path, NAME_COLUMNS);
  print_size (_ ("Verified files"), exo_agent1_get_cache_bytes (agent));
  print_size (_ ("Free"), exo_agent1_get_free_bytes (agent));
  print_size (_ ("From the Hub"), exo_agent1_get_bytes_from_hub (agent));
  print_size (_ ("From neighbours"), exo_agent1_get_bytes_from_lan (agent));
  print_size (_ ("To neighbours"), exo_agent1_get_bytes_served (agent));
  return EXO_EXIT_OK;
}

const ExoCommand exo_command_cache = {
  .name = "cache",
  .arguments = "",
  .summary = N_ ("Show where the cache is, its size, and what was moved"),
  .description =
      N_ ("What was moved counts since the agent was installed; from neighbours is what was "
          "saved."),
  .has_json = TRUE,
  .run = run_cache,
};

static const char *
get_set (const char *name)
{
  const char *value = g_getenv (name);

  return value != NULL && *value != '\0' ? value : NULL;
}

/* Where the Hugging Face libraries look when started from this shell, by their own rules. */
static char *
shell_cache (void)
{
  const char *hub = get_set ("HF_HUB_CACHE");
  const char *home = get_set ("HF_HOME");

  if (hub == NULL)
    hub = get_set ("HUGGINGFACE_HUB_CACHE");
  if (hub != NULL)
    return g_canonicalize_filename (hub, NULL);
  if (home != NULL)
    return g_build_filename (home, "hub", NULL);
  return g_build_filename (g_get_user_cache_dir (), "huggingface", "hub", NULL);
}

static void
print_endpoint (ExoAgent1 *agent)
{
  const char *endpoint = exo_agent1_get_local_endpoint (agent);
  g_autofree char *quoted = NULL;

  if (endpoint == NULL || *endpoint == '\0')
    return;
  quoted = g_shell_quote (endpoint);
  exo_print ("export HF_ENDPOINT=%s\n", quoted);
}

static int
run_env (const ExoCtl *ctl, char **arguments, GError **error)
{
  g_autoptr (ExoAgent1) agent = exo_client_connect (error);
  g_autofree char *ours = shell_cache (), *quoted = NULL, *clean = NULL;
  const char *path;

  if (agent == NULL)
    return EXO_EXIT_NO_AGENT;
  path = exo_agent1_get_cache_path (agent);
  clean = exo_format_clean (path);
  if (path == NULL || !g_str_equal (clean, path))
    {
      g_set_error (error, EXO_CTL_ERROR, EXO_EXIT_FAILED,
                   _ ("The path of the cache, %s, cannot be put into a shell command safely"),
                   clean);
      return EXO_EXIT_FAILED;
    }
  print_endpoint (agent);
  if (g_str_equal (ours, path))
    {
      exo_print (_ ("# Tools started from this shell use the agent's cache already: %s\n"), path);
      return EXO_EXIT_OK;
    }
  quoted = g_shell_quote (path);
  exo_print ("export HF_HUB_CACHE=%s\n", quoted);
  return EXO_EXIT_OK;
}

const ExoCommand exo_command_env = {
  .name = "env",
  .arguments = "",
  .summary = N_ ("Print what to export so that tools find the models"),
  .description =
      N_ ("For a shell:  eval \"$(exoctl env)\"\n"
          "Tools then find what the agent has, and download through it what it has not."),
  .run = run_env,
};
