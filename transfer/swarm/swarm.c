/* swarm.c - start and stop, the plan's pump, whom to hear before the Hub is asked; see swarm.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>

#include "transfer/swarm/swarm-private.h"

/* Slots bound what one disk and link serve at once; about half a lab of 23 (swarm-notes rule 3). */
#define UPLOAD_SLOTS 12

/* Jobs that start together are asked about together. */
#define SUBSCRIBE_DELAY_MS 10

/* A neighbour that does not say within this time what it has is not waited for. Beyond it, bytes that it holds may be fetched from the Hub;
 * within it nothing is. */
#define INFORMED_DEADLINE_MS 3000

/* Between hearing the neighbours and asking the Hub: several times the announcements' delay, a fraction of a Hub round trip. */
#define PAUSE_MS 40

/* After a network was away: mDNS finds a neighbour anew in one to two seconds. */
#define GATHER_MS 3000

#define ASK_HUB_FIRST_S 1u
#define ASK_HUB_MAX_S   60u

/* --- the pump ------------------------------------------------------------------------------ */

static gboolean on_wake (gpointer user_data);

static void
schedule_wake (ExoSwarm *swarm, gint64 now_us)
{
  gint64 at = exo_plan_wake_at (swarm->plan);

  g_clear_handle_id (&swarm->wake_source, g_source_remove);
  if (at != G_MAXINT64)
    swarm->wake_source =
        g_timeout_add ((guint) CLAMP ((at - now_us) / 1000 + 1, 1, 60 * 1000), on_wake, swarm);
}

static gboolean
pump (gpointer user_data)
{
  ExoSwarm *swarm = user_data;
  gint64 now_us = g_get_monotonic_time ();
  ExoPlanAction action;

  swarm->pump_source = 0;
  while (exo_plan_next (swarm->plan, now_us, &action))
    if (action.kind == EXO_PLAN_CANCEL)
      exo_flight_cancel (swarm, action.fetch);
    else
      exo_flight_start (swarm, &action);
  schedule_wake (swarm, now_us);
  return G_SOURCE_REMOVE;
}

static gboolean
on_wake (gpointer user_data)
{
  ExoSwarm *swarm = user_data;

  swarm->wake_source = 0;
  exo_swarm_pump_soon (swarm);
  return G_SOURCE_REMOVE;
}

void
exo_swarm_pump_soon (ExoSwarm *swarm)
{
  if (swarm->pump_source == 0 && !swarm->stopping)
    swarm->pump_source = g_idle_add_full (G_PRIORITY_DEFAULT, pump, swarm, NULL);
}

void
exo_swarm_hub_state (ExoSwarm *swarm, ExoHubState *out_state)
{
  exo_hub_get_state (swarm->hub, out_state);
  out_state->reachable = out_state->reachable && !swarm->hub_denied;
}

static void ask_hub_later (ExoSwarm *swarm);

/* While the Hub is out of reach the plan begins no fetch from it, and without one nothing is heard of it: who still wants
 * something asks. */
static gboolean
ask_hub (gpointer user_data)
{
  ExoSwarm *swarm = user_data;
  ExoHubState state;

  exo_hub_get_state (swarm->hub, &state);
  swarm->ask_hub_source = 0;
  if (state.n_fetches == 0)
    exo_hub_probe (swarm->hub);
  swarm->ask_hub_s = MIN (swarm->ask_hub_s * 2, ASK_HUB_MAX_S);
  ask_hub_later (swarm);
  return G_SOURCE_REMOVE;
}

static void
ask_hub_later (ExoSwarm *swarm)
{
  ExoHubState state;

  exo_hub_get_state (swarm->hub, &state);
  if (swarm->ask_hub_source == 0 && !state.reachable && g_hash_table_size (swarm->jobs) > 0)
    swarm->ask_hub_source = g_timeout_add_seconds (swarm->ask_hub_s, ask_hub, swarm);
}

static void
on_hub_changed (ExoHub *hub, gpointer user_data)
{
  ExoSwarm *swarm = user_data;
  ExoHubState state;

  exo_swarm_hub_state (swarm, &state);
  exo_rates_tell (swarm);
  exo_swarm_pump_soon (swarm);
  swarm->ask_hub_s = ASK_HUB_FIRST_S;
  g_clear_handle_id (&swarm->ask_hub_source, g_source_remove);
  ask_hub_later (swarm);
  /* Where the Hub was out of reach the neighbours probably were, too: they are heard first. */
  if (state.reachable && !swarm->hub_reachable && swarm->isolated)
    exo_swarm_gather (swarm);
  swarm->hub_reachable = state.reachable;
  exo_company_changed (swarm);
  swarm->callbacks.hub_changed (swarm, swarm->user_data);
}

static void
leave_hub (ExoSwarm *swarm)
{
  GHashTableIter iter;
  ExoJob *job;

  g_hash_table_iter_init (&iter, swarm->jobs);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &job))
    exo_flights_leave_hub (job);
}

void
exo_swarm_limit_hub (ExoSwarm *swarm, gboolean allowed, guint64 rate, guint most)
{
  swarm->hub_denied = !allowed;
  swarm->hub_limit = rate;
  exo_plan_set_hub_fetches (swarm->plan, most);
  on_hub_changed (swarm->hub, swarm);
  if (!allowed)
    leave_hub (swarm);
}

void
exo_swarm_warn (ExoSwarm *swarm, const char *kind, const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (_ (format), args);
  va_end (args);
  swarm->callbacks.warning (swarm, kind, message, swarm->user_data);
}

/* --- asking neighbours ----------------------------------------------------------------------- */

static int
compare_order (gconstpointer a, gconstpointer b)
{
  const ExoJob *x = *(ExoJob *const *) a, *y = *(ExoJob *const *) b;

  return (x->order > y->order) - (x->order < y->order);
}

/* Jobs whose bytes neighbours may be asked for, in the order they were wanted. */
static GPtrArray *
jobs_to_ask_about (ExoSwarm *swarm)
{
  GPtrArray *jobs = g_ptr_array_new ();
  GHashTableIter iter;
  ExoJob *job;

  g_hash_table_iter_init (&iter, swarm->jobs);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &job))
    if (job->open && job->blob != 0)
      g_ptr_array_add (jobs, job);
  g_ptr_array_sort (jobs, compare_order);
  g_ptr_array_set_size (jobs, (int) MIN (jobs->len, EXO_WIRE_OIDS_MAX));
  return jobs;
}

ExoWireHello *
exo_swarm_subscription (ExoSwarm *swarm)
{
  g_autoptr (GPtrArray) jobs = jobs_to_ask_about (swarm);
  ExoWireHello *hello = g_new0 (ExoWireHello, 1);
  ExoHubState state;

  exo_swarm_hub_state (swarm, &state);
  g_strlcpy (hello->id, swarm->node_id, sizeof hello->id);
  hello->name = g_strdup (swarm->node_name);
  hello->port = exo_lan_server_port (swarm->server);
  hello->hub = state.reachable;
  hello->hub_rate = exo_rates_of_hub (swarm);
  hello->link = swarm->link;
  hello->blobs = exo_wire_blobs_new ();
  for (guint i = 0; i < jobs->len; i++)
    {
      const ExoJob *job = g_ptr_array_index (jobs, i);
      ExoWireBlob blob = { g_strdup (job->oid), job->size };
      g_array_append_val (hello->blobs, blob);
    }
  return hello;
}

static void
allow_hub (ExoSwarm *swarm)
{
  GHashTableIter iter;
  ExoJob *job;

  g_clear_handle_id (&swarm->informed_source, g_source_remove);
  swarm->pausing = FALSE;
  if (!swarm->settled)
    return;
  g_hash_table_iter_init (&iter, swarm->jobs);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &job))
    if (job->blob != 0 && !job->hub_allowed)
      {
        job->hub_allowed = TRUE;
        exo_plan_set_use_hub (swarm->plan, job->blob, TRUE);
      }
  exo_swarm_pump_soon (swarm);
}

/* It is this node that is not reached, not they that are gone. */
static gboolean
is_cut_off (ExoSwarm *swarm)
{
  ExoHubState state;

  exo_hub_get_state (swarm->hub, &state);
  return swarm->isolated && !state.reachable && g_hash_table_size (swarm->jobs) > 0;
}

static gboolean
on_informed_deadline (gpointer user_data)
{
  ExoSwarm *swarm = user_data;
  gboolean pausing = swarm->pausing;

  swarm->informed_source = 0;
  swarm->pausing = FALSE;
  /* More was asked for during the pause, and who has it did not say yet. */
  if (pausing && !exo_swarm_is_informed (swarm))
    swarm->informed_source = g_timeout_add (INFORMED_DEADLINE_MS, on_informed_deadline, swarm);
  /* What is begun at the Hub now would come in the moment in which the neighbours are back as well. */
  else if (is_cut_off (swarm))
    swarm->informed_source = g_timeout_add (GATHER_MS, on_informed_deadline, swarm);
  else
    allow_hub (swarm);
  return G_SOURCE_REMOVE;
}

gboolean
exo_swarm_is_informed (ExoSwarm *swarm)
{
  GHashTableIter iter;
  ExoNeighbour *neighbour;

  if (swarm->subscribe_source != 0 || !swarm->settled || swarm->isolated || swarm->asking)
    return FALSE;
  g_hash_table_iter_init (&iter, swarm->neighbours);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &neighbour))
    if (!neighbour->shunned && !exo_session_is_current (neighbour->session) &&
        exo_session_n_failures (neighbour->session) == 0)
      return FALSE;
  return TRUE;
}

/* Everyone was heard. Who starts in the same moment was heard before it wanted anything: without a pause both would think themselves
 * alone and claim the same runs, and half a megabyte comes twice before one yields. */
void
exo_swarm_check_informed (ExoSwarm *swarm)
{
  if (swarm->informed_source == 0 || !exo_swarm_is_informed (swarm))
    return;
  if (g_hash_table_size (swarm->by_peer) == 0)
    allow_hub (swarm);
  else if (!swarm->pausing)
    {
      g_source_remove (swarm->informed_source);
      swarm->pausing = TRUE;
      swarm->informed_source = g_timeout_add (PAUSE_MS, on_informed_deadline, swarm);
    }
}

/* Whoever fell silent to this node alone has gone on without it: what it claimed was taken over, what it lacks they have. So the Hub
 * is left alone until the neighbours were heard, or had their time. Whether the Hub fell silent, too, is asked meanwhile. */
void
exo_swarm_gather (ExoSwarm *swarm)
{
  GHashTableIter iter;
  ExoJob *job;
  ExoNeighbour *neighbour;

  g_hash_table_iter_init (&iter, swarm->jobs);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &job))
    if (job->blob != 0 && job->open && job->hub_only == 0)
      {
        job->hub_allowed = FALSE;
        exo_plan_set_use_hub (swarm->plan, job->blob, FALSE);
        exo_flights_leave_hub (job);
      }
  g_hash_table_iter_init (&iter, swarm->neighbours);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &neighbour))
    if (!neighbour->shunned)
      exo_session_start_over (neighbour->session);
  g_clear_handle_id (&swarm->informed_source, g_source_remove);
  swarm->pausing = FALSE;
  swarm->informed_source = g_timeout_add (GATHER_MS, on_informed_deadline, swarm);
  exo_hub_probe (swarm->hub);
}

static gboolean
subscribe (gpointer user_data)
{
  ExoSwarm *swarm = user_data;
  g_autoptr (ExoWireHello) hello = exo_swarm_subscription (swarm);

  swarm->subscribe_source = 0;
  if (hello->blobs->len > 0 && swarm->informed_source == 0)
    swarm->informed_source = g_timeout_add (INFORMED_DEADLINE_MS, on_informed_deadline, swarm);
  exo_company_forget (swarm);
  exo_company_subscribe (swarm, hello, TRUE);
  ask_hub_later (swarm);
  return G_SOURCE_REMOVE;
}

void
exo_swarm_subscribe_soon (ExoSwarm *swarm)
{
  if (swarm->subscribe_source == 0 && !swarm->stopping)
    swarm->subscribe_source = g_timeout_add (SUBSCRIBE_DELAY_MS, subscribe, swarm);
}

void
exo_swarm_settled (ExoSwarm *swarm)
{
  swarm->settled = TRUE;
  if (swarm->informed_source == 0 && swarm->subscribe_source == 0) /* nobody is to be heard */
    allow_hub (swarm);
  else
    exo_swarm_check_informed (swarm);
}

void
exo_swarm_network_changed (ExoSwarm *swarm)
{
  GHashTableIter iter;
  ExoNeighbour *neighbour;

  exo_rates_forget_all (swarm);
  g_hash_table_iter_init (&iter, swarm->neighbours);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &neighbour))
    exo_session_retry_now (neighbour->session);
}

static void
tell_addresses (ExoSwarm *swarm, GArray *cards)
{
  g_autoptr (GArray) addresses = exo_wire_addresses_new ();
  guint16 port = exo_lan_server_port (swarm->server);

  for (guint i = 0; port != 0 && i < cards->len; i++)
    {
      const ExoLanCard *card = &g_array_index (cards, ExoLanCard, i);
      ExoWireAddress address = { NULL, card->speed };

      if (!exo_lan_address_is_local (card->address))
        continue;
      address.text = exo_lan_address_text (card->address, port);
      g_array_append_val (addresses, address);
    }
  exo_announcer_addresses (swarm->announcer, addresses);
}

void
exo_swarm_set_cards (ExoSwarm *swarm, GArray *cards)
{
  GHashTableIter iter;
  ExoNeighbour *neighbour;
  guint64 speed = 0;

  for (guint i = 0; i < cards->len; i++)
    {
      const ExoLanCard *card = &g_array_index (cards, ExoLanCard, i);

      if (exo_lan_address_is_local (card->address))
        speed = MAX (speed, card->speed);
    }
  g_array_ref (cards);
  g_array_unref (swarm->cards);
  swarm->cards = cards;
  exo_rates_set_speed (swarm, speed);
  tell_addresses (swarm, cards);
  g_hash_table_iter_init (&iter, swarm->neighbours);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &neighbour))
    exo_neighbour_find_ways (neighbour);
}

/* --- life --------------------------------------------------------------------------------------- */

static void
on_stream_opened (ExoLanServer *server,
                  ExoLanStream *stream,
                  const char *body,
                  gsize length,
                  gpointer user_data)
{
  exo_announcer_stream_opened (((ExoSwarm *) user_data)->announcer, stream, body, length);
}

static void
on_stream_closed (ExoLanServer *server, ExoLanStream *stream, gpointer user_data)
{
  exo_announcer_stream_closed (((ExoSwarm *) user_data)->announcer, stream);
}

ExoSwarm *
exo_swarm_new (const ExoSwarmConfig *config,
               ExoFetcher *fetcher,
               ExoHub *hub,
               ExoStore *store,
               const ExoSwarmCallbacks *callbacks,
               gpointer user_data,
               GError **error)
{
  static const ExoLanCallbacks lan = { on_stream_opened, on_stream_closed, exo_mend_digests_wanted,
                                       exo_answer_manifest };
  static const ExoAnnouncerCallbacks asked = { exo_answer_describe, exo_neighbour_subscribed,
                                               exo_neighbour_unsubscribed };
  static const ExoCircleSizes circle = EXO_CIRCLE_SIZES_DEFAULT;
  ExoSwarm *swarm = g_new0 (ExoSwarm, 1);
  guint64 seed = g_str_hash (config->node_id);

  swarm->server = exo_lan_server_new (
      config->upload_slots != 0 ? config->upload_slots : UPLOAD_SLOTS, &lan, swarm, error);
  if (swarm->server == NULL)
    {
      g_free (swarm);
      return NULL;
    }
  swarm->node_id = g_strdup (config->node_id);
  swarm->node_name = g_strdup (config->node_name);
  swarm->fetcher = fetcher;
  swarm->hub = hub;
  swarm->store = store;
  swarm->callbacks = *callbacks;
  swarm->user_data = user_data;
  swarm->circle = circle;
  swarm->plan = exo_plan_new (config->node_id, seed, NULL);
  swarm->announcer = exo_announcer_new (config->node_id, config->node_name, &asked, swarm);
  exo_announcer_set_server (swarm->announcer, swarm->server);
  exo_lan_server_set_lookup (swarm->server, exo_answer_lookup, swarm);
  swarm->neighbours =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) exo_neighbour_free);
  swarm->by_peer = g_hash_table_new (NULL, NULL);
  swarm->cards = g_array_new (FALSE, FALSE, sizeof (ExoLanCard));
  swarm->jobs =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) exo_job_free);
  swarm->by_blob = g_hash_table_new (NULL, NULL);
  swarm->parked =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) exo_piece_map_free);
  swarm->flights = g_hash_table_new (NULL, NULL);
  swarm->digests =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_bytes_unref);
  swarm->answers = g_hash_table_new (g_str_hash, g_str_equal);
  swarm->cancellable = g_cancellable_new ();
  exo_plan_set_hub (swarm->plan, TRUE, 0, 0, 0);
  swarm->hub_reachable = TRUE;
  swarm->ask_hub_s = ASK_HUB_FIRST_S;
  exo_hub_set_watch (hub, on_hub_changed, swarm);
  return swarm;
}

/* Every fetch reports once more after it was cancelled, and what it says then is on disk as well. */
static void
land_all (ExoSwarm *swarm)
{
  g_autoptr (GList) fetches = g_hash_table_get_keys (swarm->flights);

  for (GList *l = fetches; l != NULL; l = l->next)
    exo_flight_cancel (swarm, GPOINTER_TO_UINT (l->data));
  while (g_hash_table_size (swarm->flights) > 0)
    g_main_context_iteration (NULL, TRUE);
}

void
exo_swarm_stop (ExoSwarm *swarm)
{
  if (swarm->stopping)
    return;
  swarm->stopping = TRUE;
  g_clear_handle_id (&swarm->pump_source, g_source_remove);
  g_clear_handle_id (&swarm->wake_source, g_source_remove);
  g_clear_handle_id (&swarm->subscribe_source, g_source_remove);
  g_clear_handle_id (&swarm->informed_source, g_source_remove);
  g_clear_handle_id (&swarm->rates_source, g_source_remove);
  g_clear_handle_id (&swarm->choose_source, g_source_remove);
  g_clear_handle_id (&swarm->ask_hub_source, g_source_remove);
  /* What lands is not to set anything going again. */
  exo_hub_set_watch (swarm->hub, NULL, NULL);
  g_hash_table_remove_all (swarm->by_peer);
  g_hash_table_remove_all (swarm->neighbours);
  land_all (swarm);
}

void
exo_swarm_free (ExoSwarm *swarm)
{
  if (swarm == NULL)
    return;
  exo_swarm_stop (swarm);
  g_cancellable_cancel (swarm->cancellable);
  /* The store still works for them. */
  while (g_hash_table_size (swarm->jobs) > 0 || g_hash_table_size (swarm->answers) > 0)
    g_main_context_iteration (NULL, TRUE);
  exo_lan_server_free (swarm->server);
  exo_announcer_free (swarm->announcer);
  g_hash_table_unref (swarm->jobs);
  g_hash_table_unref (swarm->neighbours);
  g_hash_table_unref (swarm->by_peer);
  g_hash_table_unref (swarm->by_blob);
  g_hash_table_unref (swarm->parked);
  g_hash_table_unref (swarm->flights);
  g_hash_table_unref (swarm->digests);
  g_hash_table_unref (swarm->answers);
  g_object_unref (swarm->cancellable);
  g_array_unref (swarm->cards);
  exo_plan_free (swarm->plan);
  g_free (swarm->node_id);
  g_free (swarm->node_name);
  g_free (swarm);
}

ExoLanServer *
exo_swarm_server (ExoSwarm *swarm)
{
  return swarm->server;
}

guint64
exo_swarm_bytes_from_hub (ExoSwarm *swarm)
{
  return swarm->bytes_from_hub;
}

guint64
exo_swarm_bytes_from_lan (ExoSwarm *swarm)
{
  return swarm->bytes_from_lan;
}

void
exo_swarm_found (ExoSwarm *swarm, const char *oid)
{
  exo_announcer_state (swarm->announcer, oid);
}

void
exo_swarm_forget (ExoSwarm *swarm, const char *oid)
{
  g_hash_table_remove (swarm->parked, oid);
  g_hash_table_remove (swarm->digests, oid);
  exo_lan_server_unshare (swarm->server, oid);
}
