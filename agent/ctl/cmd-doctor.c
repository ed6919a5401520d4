/* cmd-doctor.c - exoctl doctor: what works, what does not, and what to do
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>

#include "agent/ctl/ctl.h"
#include "agent/ctl/format.h"
#include "agent/ctl/words.h"

#define DIAGNOSE_TIMEOUT_MS 60000 /* the agent takes up to some 10 s */
#define STATUS_COLUMNS      4
#define BUS                 "org.freedesktop.DBus"
#define BUS_PATH            "/org/freedesktop/DBus"

static void
print_finding (const ExoCtl *ctl,
               const char *id,
               const char *status,
               const char *summary,
               const char *advice)
{
  ExoColour colour = g_str_equal (status, "ok")     ? EXO_COLOUR_GOOD
                     : g_str_equal (status, "warn") ? EXO_COLOUR_WARN
                                                    : EXO_COLOUR_BAD;
  g_autofree char *padded = exo_format_pad (exo_word (status), STATUS_COLUMNS);
  g_autofree char *clean_status = exo_format_clean (padded);
  g_autofree char *mark = exo_colour (ctl, colour, clean_status);
  g_autofree char *clean_id = exo_format_clean (id);
  g_autofree char *clean_summary = exo_format_clean (summary);
  g_autofree char *clean_advice = exo_format_clean (advice);
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (!ctl->json)
    {
      exo_print ("[%s] %-7s  %s\n", mark, clean_id, clean_summary);
      if (*clean_advice != '\0')
        exo_print ("                 %s\n", clean_advice);
      return;
    }
  json_builder_begin_object (builder);
  exo_json_string (builder, "id", id);
  exo_json_string (builder, "status", status);
  exo_json_string (builder, "summary", summary);
  exo_json_string (builder, "advice", advice);
  json_builder_end_object (builder);
  exo_print_json (builder);
}

/* Without the agent: why it may not be there --------------------------------------------------------- */

static gboolean
list_contains (GDBusConnection *bus, const char *method, const char *name)
{
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_sync (bus, BUS, BUS_PATH, BUS, method, NULL, G_VARIANT_TYPE ("(as)"),
                                   G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);
  g_autofree const char **names = NULL;

  if (reply == NULL)
    return FALSE;
  g_variant_get (reply, "(^a&s)", &names);
  return g_strv_contains (names, name);
}

static void
check_session (const ExoCtl *ctl)
{
  g_autoptr (GDBusConnection) bus = g_bus_get_sync (G_BUS_TYPE_SESSION, NULL, NULL);
  g_autofree char *program = g_find_program_in_path ("exo-agent");

  if (bus == NULL)
    print_finding (ctl, "bus", "fail", _ ("There is no session bus"),
                   _ ("Log in with a desktop or a systemd user session"));
  else
    print_finding (ctl, "bus", "ok", _ ("The session bus answers"), "");
  if (program != NULL)
    print_finding (ctl, "program", "ok", _ ("exo-agent is installed"), "");
  else
    print_finding (ctl, "program", "fail", _ ("exo-agent is not in PATH"), _ ("Install the agent"));
  if (bus == NULL)
    return;
  if (list_contains (bus, "ListActivatableNames", "org.exo.Agent1"))
    print_finding (ctl, "service", "ok", _ ("The bus knows how to start the agent"), "");
  else
    print_finding (ctl, "service", "warn", _ ("The bus does not know how to start the agent"),
                   _ ("Start it with: systemctl --user start exo-agent (or run exo-agent)"));
}

static void
check_avahi (const ExoCtl *ctl)
{
  g_autoptr (GDBusConnection) bus = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, NULL);

  if (bus == NULL)
    print_finding (ctl, "mdns", "warn", _ ("There is no system bus, so neighbours cannot be found"),
                   _ ("Start dbus and avahi-daemon, or name neighbours in the configuration"));
  else if (list_contains (bus, "ListNames", "org.freedesktop.Avahi"))
    print_finding (ctl, "mdns", "ok", _ ("avahi-daemon runs"), "");
  else
    print_finding (ctl, "mdns", "warn",
                   _ ("avahi-daemon does not run, so neighbours cannot be found"),
                   _ ("Start it with: sudo systemctl enable --now avahi-daemon"));
}

/* With it -------------------------------------------------------------------------------------------- */

static void
print_agent (const ExoCtl *ctl, ExoAgent1 *agent)
{
  g_autofree char *summary =
      g_strdup_printf (/* TRANSLATORS: version, name of the machine */ _ ("Agent %s runs as %s"),
                       exo_agent1_get_version (agent), exo_agent1_get_node_name (agent));

  print_finding (ctl, "agent", "ok", summary, "");
}

static int
print_findings (const ExoCtl *ctl, GVariant *findings)
{
  int code = EXO_EXIT_OK;

  for (gsize i = 0; i < g_variant_n_children (findings); i++)
    {
      g_autoptr (GVariant) fields = g_variant_get_child_value (findings, i);
      const char *id = "", *status = "", *summary = "", *advice = "";

      g_variant_lookup (fields, "Id", "&s", &id);
      g_variant_lookup (fields, "Status", "&s", &status);
      g_variant_lookup (fields, "Summary", "&s", &summary);
      g_variant_lookup (fields, "Advice", "&s", &advice);
      print_finding (ctl, id, status, summary, advice);
      if (g_str_equal (status, "fail"))
        code = EXO_EXIT_FAILED;
    }
  return code;
}

static int
run (const ExoCtl *ctl, char **arguments, GError **error)
{
  g_autoptr (ExoAgent1) agent = exo_client_connect (error);
  g_autoptr (GVariant) findings = NULL;

  if (agent == NULL)
    {
      check_session (ctl);
      check_avahi (ctl);
      return EXO_EXIT_NO_AGENT;
    }
  g_dbus_proxy_set_default_timeout (G_DBUS_PROXY (agent), DIAGNOSE_TIMEOUT_MS);
  if (!exo_agent1_call_diagnose_sync (agent, &findings, NULL, error))
    {
      exo_client_translate (error);
      return EXO_EXIT_FAILED;
    }
  print_agent (ctl, agent);
  return print_findings (ctl, findings);
}

const ExoCommand exo_command_doctor = {
  .name = "doctor",
  .arguments = "",
  .summary = N_ ("Find out what is wrong, and what to do"),
  .description =
      N_ ("Asks the agent, which asks avahi-daemon, the Hub and every neighbour. Exit code 1 if\n"
          "something fails, 3 if the agent does not run."),
  .has_json = TRUE,
  .run = run,
};
