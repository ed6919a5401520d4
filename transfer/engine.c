/* engine.c - start and stop, neighbours, totals, the quarter-second tick
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "transfer/engine-private.h"
#include "transfer/http/lan-card.h"

#define TICK_MS    250                      /* while something moves */
#define NODES_US   (G_USEC_PER_SEC - 10000) /* between rates of neighbours: each fourth tick */
#define SETTLE_MS  2500 /* pulls wait at most so long for the neighbours to be known */
#define SAVE_US    (2 * G_USEC_PER_SEC)
#define RESTORE_US (2 * G_USEC_PER_SEC)

enum
{
  NODE_ADDED,
  NODE_REMOVED,
  RESTORED,
  IDLE,
  CHANGED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (ExoEngine, exo_engine, G_TYPE_OBJECT)

/* --- totals -------------------------------------------------------------------------------------- */

static guint64
bytes_served (ExoEngine *engine)
{
  ExoLanLoad load;

  exo_lan_server_get_load (exo_swarm_server (engine->swarm), &load);
  return load.bytes;
}

static void
save_totals (ExoEngine *engine)
{
  exo_store_set_counter (engine->store, "from-hub",
                         engine->base_from_hub + exo_swarm_bytes_from_hub (engine->swarm));
  exo_store_set_counter (engine->store, "from-lan",
                         engine->base_from_lan + exo_swarm_bytes_from_lan (engine->swarm));
  exo_store_set_counter (engine->store, "served", engine->base_served + bytes_served (engine));
  exo_limiter_save (engine->limiter);
}

void
exo_engine_get_totals (ExoEngine *engine, ExoEngineTotals *out_totals)
{
  ExoHubState hub;
  gint64 wait_us;

  exo_hub_get_state (engine->hub, &hub);
  wait_us = hub.blocked_until_us - g_get_monotonic_time ();
  *out_totals = (ExoEngineTotals){
    .bytes_from_hub = engine->base_from_hub + exo_swarm_bytes_from_hub (engine->swarm),
    .bytes_from_lan = engine->base_from_lan + exo_swarm_bytes_from_lan (engine->swarm),
    .bytes_served = engine->base_served + bytes_served (engine),
    .cache_bytes = exo_store_cache_bytes (engine->store),
    .free_bytes = exo_store_free_bytes (engine->store),
    .hub_reachable = hub.reachable,
    .has_token = hub.has_token,
    .hub_blocked_s = wait_us > 0 ? wait_us / G_USEC_PER_SEC + 1 : 0,
    .peers = g_hash_table_size (engine->nodes),
    .endpoint = exo_hub_endpoint (engine->hub),
    .hub_cache = exo_store_hub_cache (engine->store),
    .local_endpoint = engine->endpoint != NULL ? exo_endpoint_url (engine->endpoint) : "",
  };
}

static gboolean
on_changed (gpointer user_data)
{
  ExoEngine *engine = user_data;

  engine->changed_source = 0;
  g_signal_emit (engine, signals[CHANGED], 0);
  return G_SOURCE_REMOVE;
}

void
exo_engine_changed_soon (ExoEngine *engine)
{
  if (engine->changed_source == 0 && !engine->stopping)
    engine->changed_source = g_timeout_add (TICK_MS, on_changed, engine);
}

void
exo_engine_warn (ExoEngine *engine, const char *kind, const char *format, ...)
{
  g_autofree char *plain = NULL, *message = NULL;
  va_list args;

  va_start (args, format);
  plain = g_strdup_vprintf (format, args);
  va_end (args);
  va_start (args, format);
  message = g_strdup_vprintf (_ (format), args);
  va_end (args);
  g_warning ("%s", plain);
  exo_engine_notice (engine, "warning", kind, message);
}

/* --- the tick ------------------------------------------------------------------------------------- */

static gboolean
is_busy (ExoEngine *engine)
{
  ExoLanLoad load;

  for (guint i = 0; i < engine->transfers->len; i++)
    if (exo_transfer_is_active (g_ptr_array_index (engine->transfers, i)))
      return TRUE;
  exo_lan_server_get_load (exo_swarm_server (engine->swarm), &load);
  return load.uploads > 0;
}

static void
save_progress (ExoEngine *engine, gint64 now_us)
{
  if (now_us - engine->last_saved_us < SAVE_US)
    return;
  engine->last_saved_us = now_us;
  save_totals (engine);
  for (guint i = 0; i < engine->transfers->len; i++)
    if (exo_transfer_is_active (g_ptr_array_index (engine->transfers, i)))
      exo_transfer_save (g_ptr_array_index (engine->transfers, i));
}

/* Progress is not shown before it is known: a client would take it for lost. */
static void
check_restored (ExoEngine *engine, gint64 now_us)
{
  if (engine->restored)
    return;
  for (guint i = 0; now_us - engine->started_us < RESTORE_US && i < engine->transfers->len; i++)
    if (exo_transfer_is_opening (g_ptr_array_index (engine->transfers, i)))
      return;
  engine->restored = TRUE;
  g_signal_emit (engine, signals[RESTORED], 0);
  exo_limiter_look (engine->limiter); /* now somebody hears a warning */
}

static gboolean
on_started (gpointer user_data)
{
  ((ExoEngine *) user_data)->restore_source = 0;
  check_restored (user_data, g_get_monotonic_time ());
  return G_SOURCE_REMOVE;
}

/* Less often than transfers: there are many of them, and each change is a signal on D-Bus. */
static void
tick_nodes (ExoEngine *engine, gint64 now_us)
{
  GHashTableIter iter;
  ExoNode *node;

  if (now_us - engine->nodes_told_us < NODES_US)
    return;
  engine->nodes_told_us = now_us;
  g_hash_table_iter_init (&iter, engine->nodes);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &node))
    exo_node_tick (node, now_us);
  exo_node_tick (engine->self, now_us);
}

static gboolean
tick (gpointer user_data)
{
  ExoEngine *engine = user_data;
  gint64 now_us = g_get_monotonic_time ();
  GHashTableIter iter;
  ExoNode *node;

  for (guint i = 0; i < engine->transfers->len; i++)
    exo_transfer_tick (g_ptr_array_index (engine->transfers, i), now_us);
  tick_nodes (engine, now_us);
  save_progress (engine, now_us);
  check_restored (engine, now_us);
  exo_engine_watch (engine, now_us);
  g_signal_emit (engine, signals[CHANGED], 0);
  if (is_busy (engine))
    return G_SOURCE_CONTINUE;
  engine->tick_source = 0;
  g_hash_table_iter_init (&iter, engine->nodes);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &node))
    exo_node_rest (node);
  exo_node_rest (engine->self);
  save_totals (engine);
  g_signal_emit (engine, signals[IDLE], 0);
  return G_SOURCE_REMOVE;
}

void
exo_engine_transfer_started (ExoEngine *engine)
{
  if (engine->stopping) /* it turns the main loop, and a retry was due */
    return;
  if (engine->tick_source == 0)
    engine->tick_source = g_timeout_add (TICK_MS, tick, engine);
  exo_statics_probe (engine->statics);
  exo_engine_scan_again (engine);
}

/* --- neighbours ------------------------------------------------------------------------------------- */

static void
on_neighbour_added (ExoSwarm *swarm, ExoNeighbour *neighbour, gpointer user_data)
{
  ExoEngine *engine = user_data;
  ExoNode *node = exo_node_new (engine, neighbour);

  g_hash_table_insert (engine->nodes, g_strdup (exo_neighbour_id (neighbour)), node);
  g_message ("%s is here (%s)", exo_neighbour_name (neighbour), exo_neighbour_base_url (neighbour));
  g_signal_emit (engine, signals[NODE_ADDED], 0, node);
  exo_engine_changed_soon (engine);
}

static void
on_neighbour_changed (ExoSwarm *swarm, ExoNeighbour *neighbour, gpointer user_data)
{
  ExoNode *node =
      g_hash_table_lookup (((ExoEngine *) user_data)->nodes, exo_neighbour_id (neighbour));

  if (node != NULL)
    exo_node_changed (node);
}

static void
on_neighbour_removed (ExoSwarm *swarm, ExoNeighbour *neighbour, gpointer user_data)
{
  ExoEngine *engine = user_data;
  g_autoptr (ExoNode) node = g_hash_table_lookup (engine->nodes, exo_neighbour_id (neighbour));

  if (node == NULL)
    return;
  g_object_ref (node);
  g_message ("%s is gone", exo_neighbour_name (neighbour));
  g_hash_table_remove (engine->nodes, exo_neighbour_id (neighbour));
  g_signal_emit (engine, signals[NODE_REMOVED], 0, node);
  exo_node_lost (node);
  exo_engine_changed_soon (engine);
}

static void
on_neighbour_failed (ExoSwarm *swarm, const char *id, gpointer user_data)
{
  exo_engine_notice (user_data, "node-failed", id, NULL);
}

static void
on_hub_changed (ExoSwarm *swarm, gpointer user_data)
{
  ExoEngine *engine = user_data;
  ExoHubState hub;

  exo_hub_get_state (engine->hub, &hub);
  exo_engine_changed_soon (engine);
  if (hub.reachable == engine->hub_reachable)
    return;
  engine->hub_reachable = hub.reachable;
  g_message ("the Hub at %s %s", exo_hub_endpoint (engine->hub),
             hub.reachable ? "answers again" : "cannot be reached");
  exo_node_changed (engine->self);
  for (guint i = 0; i < engine->transfers->len; i++)
    exo_transfer_hub_changed (g_ptr_array_index (engine->transfers, i), hub.reachable);
}

static void
on_swarm_warning (ExoSwarm *swarm, const char *kind, const char *message, gpointer user_data)
{
  exo_engine_warn (user_data, kind, "%s", message);
}

void
exo_engine_peer_seen (ExoEngine *engine, const char *id, const char *name, GPtrArray *addresses)
{
  exo_swarm_peer_seen (engine->swarm, id, name, addresses);
}

void
exo_engine_peer_gone (ExoEngine *engine, const char *id)
{
  exo_swarm_peer_gone (engine->swarm, id);
}

static void
settle (ExoEngine *engine)
{
  g_clear_handle_id (&engine->settle_source, g_source_remove);
  exo_swarm_settled (engine->swarm);
}

static gboolean
on_settle_deadline (gpointer user_data)
{
  ExoEngine *engine = user_data;

  engine->settle_source = 0;
  settle (engine);
  return G_SOURCE_REMOVE;
}

void
exo_engine_statics_probed (ExoEngine *engine)
{
  if (engine->discovered && engine->settle_source != 0 && exo_statics_are_probed (engine->statics))
    settle (engine);
}

void
exo_engine_peers_settled (ExoEngine *engine)
{
  engine->discovered = TRUE;
  exo_engine_statics_probed (engine);
}

static void
listen_now (ExoEngine *engine)
{
  g_autoptr (GPtrArray) addresses = exo_lan_addresses ();
  g_autoptr (GArray) cards = exo_lan_cards ();
  g_autoptr (GError) error = NULL;

  if (engine->listen_loopback)
    g_ptr_array_add (addresses, g_inet_address_new_loopback (G_SOCKET_FAMILY_IPV4));
  if (!exo_lan_server_listen (exo_swarm_server (engine->swarm), addresses, engine->listen_port,
                              engine->listen_loopback, &error))
    g_message ("not serving the LAN: %s", error->message);
  exo_swarm_set_cards (engine->swarm, cards);
}

void
exo_engine_set_metered (ExoEngine *engine, gboolean metered)
{
  exo_swarm_set_metered (engine->swarm, metered);
}

void
exo_engine_network_changed (ExoEngine *engine)
{
  listen_now (engine);
  exo_statics_probe (engine->statics);
  exo_hub_probe (engine->hub);
  exo_swarm_network_changed (engine->swarm);
  for (guint i = 0; i < engine->transfers->len; i++)
    exo_transfer_network_changed (g_ptr_array_index (engine->transfers, i));
  exo_engine_changed_soon (engine);
}

guint16
exo_engine_port (ExoEngine *engine)
{
  return exo_lan_server_port (exo_swarm_server (engine->swarm));
}

GPtrArray *
exo_engine_nodes (ExoEngine *engine)
{
  GPtrArray *nodes = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer node;

  g_ptr_array_add (nodes, engine->self);
  g_hash_table_iter_init (&iter, engine->nodes);
  while (g_hash_table_iter_next (&iter, NULL, &node))
    g_ptr_array_add (nodes, node);
  return nodes;
}

/* --- life ----------------------------------------------------------------------------------------------------- */

static void
exo_engine_finalize (GObject *object)
{
  ExoEngine *engine = EXO_ENGINE (object);

  exo_engine_stop (engine);
  exo_look_free (engine->look);
  g_ptr_array_unref (engine->transfers);
  g_ptr_array_unref (engine->forgotten);
  g_ptr_array_unref (engine->notices);
  g_hash_table_unref (engine->nodes);
  g_free (engine->node_id);
  g_free (engine->node_name);
  G_OBJECT_CLASS (exo_engine_parent_class)->finalize (object);
}

static void
exo_engine_class_init (ExoEngineClass *class)
{
  G_OBJECT_CLASS (class)->finalize = exo_engine_finalize;
  g_signal_new ("transfer-added", EXO_TYPE_ENGINE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 1, EXO_TYPE_TRANSFER);
  g_signal_new ("transfer-removed", EXO_TYPE_ENGINE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 1, EXO_TYPE_TRANSFER);
  signals[NODE_ADDED] = g_signal_new ("node-added", EXO_TYPE_ENGINE, G_SIGNAL_RUN_LAST, 0, NULL,
                                      NULL, NULL, G_TYPE_NONE, 1, EXO_TYPE_NODE);
  signals[NODE_REMOVED] = g_signal_new ("node-removed", EXO_TYPE_ENGINE, G_SIGNAL_RUN_LAST, 0, NULL,
                                        NULL, NULL, G_TYPE_NONE, 1, EXO_TYPE_NODE);
  g_signal_new ("node-failed", EXO_TYPE_ENGINE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                1, G_TYPE_STRING);
  g_signal_new ("warning", EXO_TYPE_ENGINE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2,
                G_TYPE_STRING, G_TYPE_STRING);
  signals[IDLE] = g_signal_new ("idle", EXO_TYPE_ENGINE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                G_TYPE_NONE, 0);
  signals[RESTORED] = g_signal_new ("restored", EXO_TYPE_ENGINE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                    NULL, G_TYPE_NONE, 0);
  signals[CHANGED] = g_signal_new ("changed", EXO_TYPE_ENGINE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 0);
}

static void
exo_engine_init (ExoEngine *engine)
{
  engine->transfers = g_ptr_array_new_with_free_func (g_object_unref);
  engine->forgotten = g_ptr_array_new_with_free_func (g_object_unref);
  engine->notices = g_ptr_array_new_with_free_func (exo_notice_free);
  engine->nodes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_object_unref);
  engine->next_id = 1;
  engine->hub_reachable = TRUE;
}

static gboolean
start_parts (ExoEngine *engine, const ExoEngineConfig *config, GError **error)
{
  static const ExoSwarmCallbacks callbacks = { on_neighbour_added,   on_neighbour_changed,
                                               on_neighbour_removed, on_neighbour_failed,
                                               on_hub_changed,       on_swarm_warning };
  ExoHubConfig hub = { config->endpoint, config->token, config->token_path, config->offline };
  ExoSwarmConfig swarm = { config->node_id, config->node_name, config->upload_slots };

  engine->store = exo_store_new (config->hub_cache, config->state_dir, error);
  if (engine->store == NULL)
    return FALSE;
  exo_store_set_roots (engine->store, config->roots);
  engine->fetcher = exo_fetcher_new (NULL, "exo-agent/" EXO_VERSION);
  engine->hub = exo_hub_new (engine->fetcher, &hub);
  engine->swarm = exo_swarm_new (&swarm, engine->fetcher, engine->hub, engine->store, &callbacks,
                                 engine, error);
  return engine->swarm != NULL;
}

/* The agent does its work without it, too. */
static void
start_endpoint (ExoEngine *engine, const ExoEngineConfig *config)
{
  g_autoptr (GError) error = NULL;

  if (!config->serve_programs)
    return;
  engine->endpoint = exo_endpoint_new (engine, config->endpoint_port, &error);
  if (engine->endpoint == NULL)
    g_warning ("programs cannot download through this agent: %s", error->message);
}

ExoEngine *
exo_engine_new (const ExoEngineConfig *config, GError **error)
{
  g_autoptr (ExoEngine) engine = g_object_new (EXO_TYPE_ENGINE, NULL);

  engine->node_id = g_strdup (config->node_id);
  engine->node_name = g_strdup (config->node_name);
  engine->listen_port = config->listen_port;
  engine->listen_loopback = config->listen_loopback;
  if (!start_parts (engine, config, error))
    return NULL;
  engine->base_from_hub = exo_store_get_counter (engine->store, "from-hub");
  engine->base_from_lan = exo_store_get_counter (engine->store, "from-lan");
  engine->base_served = exo_store_get_counter (engine->store, "served");
  engine->self = exo_node_new (engine, NULL);
  engine->limiter = exo_limiter_new (engine, config->state_dir, &config->limits);
  engine->statics = exo_statics_new (engine, config->peers);
  engine->look = exo_look_new (engine, config->exo_port);
  exo_lan_server_set_card (exo_swarm_server (engine->swarm), exo_look_card_wanted, engine->look);
  listen_now (engine);
  exo_statics_probe (engine->statics);
  exo_hub_probe (engine->hub);
  exo_engine_restore_transfers (engine);
  start_endpoint (engine, config);
  engine->started_us = g_get_monotonic_time ();
  engine->settle_source = g_timeout_add (SETTLE_MS, on_settle_deadline, engine);
  engine->restore_source = g_idle_add (on_started, engine);
  exo_engine_scan_later (engine);
  return g_steal_pointer (&engine);
}

/* Whoever still holds one finds it empty, not dangling. */
static void
lose_nodes (ExoEngine *engine)
{
  GHashTableIter iter;
  ExoNode *node;

  g_hash_table_iter_init (&iter, engine->nodes);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &node))
    exo_node_lost (node);
  g_hash_table_remove_all (engine->nodes);
  if (engine->self != NULL)
    exo_node_lost (engine->self);
  g_clear_object (&engine->self);
}

/* What lands last counts, too. */
static void
stop_transfers (ExoEngine *engine)
{
  exo_swarm_stop (engine->swarm);
  for (guint i = 0; i < engine->transfers->len; i++)
    {
      exo_transfer_save (g_ptr_array_index (engine->transfers, i));
      exo_transfer_stop (g_ptr_array_index (engine->transfers, i), FALSE);
    }
  save_totals (engine);
}

void
exo_engine_stop (ExoEngine *engine)
{
  engine->stopping = TRUE;
  g_clear_handle_id (&engine->settle_source, g_source_remove);
  g_clear_handle_id (&engine->restore_source, g_source_remove);
  g_clear_handle_id (&engine->tick_source, g_source_remove);
  g_clear_handle_id (&engine->changed_source, g_source_remove);
  g_clear_handle_id (&engine->scan_source, g_source_remove);
  g_clear_handle_id (&engine->tell_source, g_source_remove);
  g_clear_pointer (&engine->endpoint, exo_endpoint_free);
  g_clear_pointer (&engine->statics, exo_statics_free);
  exo_look_stop (engine->look);
  lose_nodes (engine);
  if (engine->limiter != NULL)
    stop_transfers (engine);
  g_clear_pointer (&engine->limiter, exo_limiter_free);
  /* It turns the main loop until all is landed: callbacks that come meanwhile still find it. */
  exo_swarm_free (engine->swarm);
  engine->swarm = NULL;
  g_clear_pointer (&engine->hub, exo_hub_free);
  g_clear_pointer (&engine->fetcher, exo_fetcher_free);
  g_clear_pointer (&engine->store, exo_store_free);
}
