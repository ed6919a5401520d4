/* agent.c - see agent.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/agent.h"

#include <glib/gi18n.h>

#include "agent/dbus.h"
#include "agent/exo-link.h"
#include "agent/identity.h"
#include "agent/trim.h"
#include "discovery/discovery.h"
#include "transfer/engine.h"

/* After the last thing that happened, or after the start. */
#define TRIM_DELAY_S 2

/* An interface that comes up brings several changes at once. */
#define NETWORK_DELAY_MS 500

struct ExoAgent
{
  ExoIdentity *identity;
  ExoEngine *engine;
  ExoLink *link; /* NULL unless asked for */
  GDBusConnection *connection;
  ExoDbus *dbus;           /* NULL until the engine knows what is on disk */
  ExoDiscovery *discovery; /* NULL while switched off, or before there is a port to announce */
  char *name;
  gboolean mdns;
  guint16 announced_port;
  ExoDiscoveryState discovery_state;
  GNetworkMonitor *monitor;
  gulong monitor_handler, metered_handler;
  ExoMetered metered;
  guint network_source, trim_source;
  void (*stopped) (const char *why, gpointer user_data);
  gpointer user_data;
};

/* --- discovery -> engine -------------------------------------------------------------------- */

static void
on_peer_seen (ExoDiscovery *discovery, const ExoPeer *peer, gpointer user_data)
{
  exo_engine_peer_seen (((ExoAgent *) user_data)->engine, peer->id, peer->name, peer->addresses);
}

static void
on_peer_gone (ExoDiscovery *discovery, const char *id, gpointer user_data)
{
  exo_engine_peer_gone (((ExoAgent *) user_data)->engine, id);
}

static void
on_settled (ExoDiscovery *discovery, gpointer user_data)
{
  exo_engine_peers_settled (((ExoAgent *) user_data)->engine);
}

static const char *
state_name (ExoDiscoveryState state)
{
  static const char *const names[] = {
    [EXO_DISCOVERY_OFF] = "off",
    [EXO_DISCOVERY_NO_DAEMON] = "no-daemon",
    [EXO_DISCOVERY_STARTING] = "starting",
    [EXO_DISCOVERY_RUNNING] = "running",
  };

  return names[state];
}

static void
on_discovery_state (ExoDiscovery *discovery,
                    ExoDiscoveryState state,
                    const char *detail,
                    gpointer user_data)
{
  ExoAgent *agent = user_data;

  agent->discovery_state = state;
  if (agent->dbus != NULL)
    exo_dbus_set_discovery_state (agent->dbus, state_name (state));
  if (state == EXO_DISCOVERY_NO_DAEMON)
    {
      g_message ("neighbours are not looked for: %s", detail);
      exo_engine_peers_settled (agent->engine);
    }
}

static void
on_node_failed (ExoEngine *engine, const char *id, gpointer user_data)
{
  ExoAgent *agent = user_data;

  if (agent->discovery != NULL)
    exo_discovery_peer_failed (agent->discovery, id);
}

/* Announced is the port that is listened on; without one nothing is. */
static void
announce (ExoAgent *agent)
{
  static const ExoDiscoveryCallbacks callbacks = { on_peer_seen, on_peer_gone, on_discovery_state,
                                                   on_settled };
  guint16 port = exo_engine_port (agent->engine);

  if (!agent->mdns || port == agent->announced_port)
    return;
  g_clear_pointer (&agent->discovery, exo_discovery_free);
  agent->announced_port = port;
  if (port != 0)
    agent->discovery =
        exo_discovery_new (exo_identity_id (agent->identity), agent->name, port, &callbacks, agent);
}

/* --- network -> engine ------------------------------------------------------------------------- */

static gboolean
network_changed (gpointer user_data)
{
  ExoAgent *agent = user_data;

  agent->network_source = 0;
  exo_engine_network_changed (agent->engine);
  announce (agent);
  return G_SOURCE_REMOVE;
}

static void
on_network_changed (GNetworkMonitor *monitor, gboolean available, gpointer user_data)
{
  ExoAgent *agent = user_data;

  if (agent->network_source == 0)
    agent->network_source = g_timeout_add (NETWORK_DELAY_MS, network_changed, agent);
}

static void
apply_metered (ExoAgent *agent)
{
  gboolean metered = agent->metered == EXO_METERED_AUTO
                         ? g_network_monitor_get_network_metered (agent->monitor)
                         : agent->metered == EXO_METERED_YES;

  exo_engine_set_metered (agent->engine, metered);
}

static void
on_metered_changed (GNetworkMonitor *monitor, GParamSpec *property, gpointer user_data)
{
  apply_metered (user_data);
}

/* --- rest --- */

static gboolean
trim (gpointer user_data)
{
  ExoAgent *agent = user_data;

  agent->trim_source = 0;
  exo_trim_memory ();
  return G_SOURCE_REMOVE;
}

static void
on_idle (ExoEngine *engine, gpointer user_data)
{
  ExoAgent *agent = user_data;

  g_clear_handle_id (&agent->trim_source, g_source_remove);
  agent->trim_source = g_timeout_add_seconds (TRIM_DELAY_S, trim, agent);
}

/* --- bus ------------------------------------------------------------------------------------------ */

static void
on_name_acquired (ExoDbus *dbus, gpointer user_data)
{
  ExoAgent *agent = user_data;

  g_message ("ready: node %s (%s), port %u", agent->name, exo_identity_id (agent->identity),
             exo_engine_port (agent->engine));
}

static void
on_name_lost (ExoDbus *dbus, const char *why, gpointer user_data)
{
  ExoAgent *agent = user_data;

  agent->stopped (why, agent->user_data);
}

static ExoFinding *
finding_new (const char *status, char *summary, const char *advice)
{
  ExoFinding *finding = g_new0 (ExoFinding, 1);

  finding->id = g_strdup ("mdns");
  finding->status = g_strdup (status);
  finding->summary = summary;
  finding->advice = g_strdup (advice);
  return finding;
}

static ExoFinding *
on_mdns_finding (ExoDbus *dbus, gpointer user_data)
{
  ExoAgent *agent = user_data;
  ExoDiscoveryState state =
      agent->discovery != NULL ? exo_discovery_state (agent->discovery) : EXO_DISCOVERY_OFF;

  if (!agent->mdns)
    return finding_new ("ok", g_strdup (_ ("mDNS is switched off in the key file.")), "");
  if (agent->discovery == NULL)
    return finding_new ("warn", g_strdup (_ ("Nothing is announced: the LAN server has no port.")),
                        _ ("See the next line."));
  switch (state)
    {
    case EXO_DISCOVERY_RUNNING:
      return finding_new ("ok",
                          g_strdup_printf (/* TRANSLATORS: name of this machine, number of others */
                                           ngettext ("Announced as \"%s\"; %u neighbour found.",
                                                     "Announced as \"%s\"; %u neighbours found.",
                                                     exo_discovery_n_peers (agent->discovery)),
                                           exo_discovery_service_name (agent->discovery),
                                           exo_discovery_n_peers (agent->discovery)),
                          "");
    case EXO_DISCOVERY_STARTING:
      return finding_new (
          "warn",
          g_strdup_printf (_ ("Not announced yet: %s."), exo_discovery_detail (agent->discovery)),
          _ ("Ask again in a moment. If it stays so: systemctl status avahi-daemon"));
    case EXO_DISCOVERY_NO_DAEMON:
    case EXO_DISCOVERY_OFF:
    default:
      return finding_new (
          "fail",
          g_strdup_printf (_ ("avahi-daemon does not answer: %s."),
                           exo_discovery_detail (agent->discovery)),
          _ ("Install and start it: sudo apt-get install avahi-daemon (or dnf install avahi), "
             "sudo systemctl enable --now avahi-daemon."));
    }
}

/* --- life ------------------------------------------------------------------------------------------ */

/* A folder that somebody named should be there; the default one of exo need not. */
static void
say_missing_roots (const ExoConfig *config)
{
  for (char **root = config->roots; *root != NULL; root++)
    if (g_strcmp0 (*root, config->exo_models) != 0 && !g_file_test (*root, G_FILE_TEST_IS_DIR))
      g_warning ("%s is not a folder now; files that come to lie there will be found", *root);
}

static gboolean
start_engine (ExoAgent *agent, const ExoConfig *config, GError **error)
{
  ExoEngineConfig engine = {
    .node_id = exo_identity_id (agent->identity),
    .node_name = config->name,
    .hub_cache = config->cache,
    .roots = (const char *const *) config->roots,
    .state_dir = config->state_dir,
    .endpoint = config->endpoint,
    .token = config->token,
    .token_path = config->token_path,
    .offline = config->offline,
    .listen_port = config->port,
    .listen_loopback = config->loopback,
    .peers = (const char *const *) config->peers,
    .upload_slots = config->upload_slots,
    .serve_programs = config->serve_programs,
    .endpoint_port = config->endpoint_port,
    .exo_port = config->exo_port,
    .limits = config->limits,
  };

  say_missing_roots (config);
  agent->engine = exo_engine_new (&engine, error);
  return agent->engine != NULL;
}

static void
on_restored (ExoEngine *engine, gpointer user_data)
{
  static const ExoDbusCallbacks callbacks = { on_name_acquired, on_name_lost, on_mdns_finding };
  ExoAgent *agent = user_data;
  g_autoptr (GError) error = NULL;
  ExoDbusConfig config = {
    .version = EXO_VERSION,
    .node_id = exo_identity_id (agent->identity),
    .node_name = agent->name,
    .name_flags = G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE,
  };

  agent->dbus = exo_dbus_new (agent->connection, agent->engine, &config, &callbacks, agent, &error);
  if (agent->dbus == NULL)
    {
      agent->stopped (error->message, agent->user_data);
      return;
    }
  exo_dbus_set_discovery_state (agent->dbus, state_name (agent->discovery_state));
  on_idle (engine, agent);
}

static gboolean
connect_bus (ExoAgent *agent, GError **error)
{
  agent->connection = g_bus_get_sync (G_BUS_TYPE_SESSION, NULL, error);
  if (agent->connection == NULL)
    g_prefix_error (
        error, _ ("No session bus (start it from a login session, or under dbus-run-session): "));
  return agent->connection != NULL;
}

ExoAgent *
exo_agent_new (const ExoConfig *config,
               void (*stopped) (const char *why, gpointer user_data),
               gpointer user_data,
               GError **error)
{
  g_autoptr (ExoAgent) agent = g_new0 (ExoAgent, 1);

  agent->stopped = stopped;
  agent->user_data = user_data;
  agent->name = g_strdup (config->name);
  agent->mdns = config->mdns;
  agent->metered = config->metered;
  agent->identity = exo_identity_open (config->state_dir, error);
  if (agent->identity == NULL || !start_engine (agent, config, error) ||
      !connect_bus (agent, error))
    return NULL;
  if (config->exo_link != NULL)
    agent->link = exo_link_new (agent->engine, config->exo_link);
  g_signal_connect (agent->engine, "node-failed", G_CALLBACK (on_node_failed), agent);
  g_signal_connect (agent->engine, "idle", G_CALLBACK (on_idle), agent);
  g_signal_connect (agent->engine, "restored", G_CALLBACK (on_restored), agent);
  agent->discovery_state = agent->mdns ? EXO_DISCOVERY_STARTING : EXO_DISCOVERY_OFF;
  announce (agent);
  if (!agent->mdns)
    exo_engine_peers_settled (agent->engine);
  agent->monitor = g_object_ref (g_network_monitor_get_default ());
  agent->monitor_handler =
      g_signal_connect (agent->monitor, "network-changed", G_CALLBACK (on_network_changed), agent);
  agent->metered_handler = g_signal_connect (agent->monitor, "notify::network-metered",
                                             G_CALLBACK (on_metered_changed), agent);
  apply_metered (agent);
  return g_steal_pointer (&agent);
}

void
exo_agent_free (ExoAgent *agent)
{
  if (agent == NULL)
    return;
  g_clear_handle_id (&agent->network_source, g_source_remove);
  g_clear_handle_id (&agent->trim_source, g_source_remove);
  if (agent->monitor != NULL)
    {
      g_signal_handler_disconnect (agent->monitor, agent->monitor_handler);
      g_signal_handler_disconnect (agent->monitor, agent->metered_handler);
    }
  g_clear_object (&agent->monitor);
  g_clear_pointer (&agent->discovery, exo_discovery_free);
  g_clear_pointer (&agent->dbus, exo_dbus_free);
  g_clear_pointer (&agent->link, exo_link_free);
  if (agent->engine != NULL)
    {
      g_signal_handlers_disconnect_by_data (agent->engine, agent);
      exo_engine_stop (agent->engine);
    }
  g_clear_object (&agent->engine);
  g_clear_object (&agent->connection);
  g_clear_pointer (&agent->identity, exo_identity_free);
  g_free (agent->name);
  g_free (agent);
}
