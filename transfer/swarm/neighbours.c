/* neighbours.c - who is there, what their streams say and when they end
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>
#include <string.h>

#include "transfer/error.h"
#include "transfer/swarm/swarm-private.h"

/* A neighbour that only made itself known by subscribing is forgotten after so many failed attempts to reach it. */
#define HEARD_FAILURES_MAX 6

/* And one that mDNS announced is doubted, and looked for anew, after so many: a short cut of a cable is over by then. */
#define FAILURES_TO_REPORT 4

/* --- what neighbours say ---------------------------------------------------------------------- */

/* What comes from now on comes over another line. */
static void
note_move (ExoNeighbour *neighbour)
{
  guint64 speed;
  const char *link = exo_neighbour_link (neighbour, &speed);

  if (exo_session_move (neighbour->session) == EXO_SESSION_STAYED)
    return;
  if (exo_session_move (neighbour->session) == EXO_SESSION_FLED)
    exo_flights_abandon (neighbour);
  exo_pace_forget (&neighbour->pace, g_get_monotonic_time ());
  g_message ("%s is reached at %s now, by %s", neighbour->name, exo_neighbour_base_url (neighbour),
             *link != '\0' ? link : "an unknown interface");
}

static void
on_session_up (ExoSession *session, const ExoWireHello *hello, gpointer user_data)
{
  ExoNeighbour *neighbour = user_data;
  ExoSwarm *swarm = neighbour->swarm;

  if (neighbour->peer == 0)
    {
      neighbour->peer = exo_plan_add_peer (swarm->plan, neighbour->id, hello->link.speed);
      g_hash_table_insert (swarm->by_peer, GUINT_TO_POINTER (neighbour->peer), neighbour);
      g_debug ("%s (%s) is connected", neighbour->name, exo_session_base_url (session));
    }
  else
    neighbour->says_anew = TRUE;
  note_move (neighbour);
  if (neighbour->shunned) /* also over a new stream */
    exo_plan_shun_peer (swarm->plan, neighbour->peer);
  neighbour->hub = hello->hub;
  swarm->isolated = FALSE;
  exo_plan_peer_hub (swarm->plan, neighbour->peer, hello->hub, hello->hub_rate);
  exo_plan_peer_link (swarm->plan, neighbour->peer, hello->link.speed, hello->link.rate);
  exo_plan_peer_aside (swarm->plan, neighbour->peer, !neighbour->core);
  exo_swarm_neighbour_changed (neighbour);
  exo_swarm_pump_soon (swarm);
}

static void
on_session_line (ExoSession *session, const ExoWireLine *line, gpointer user_data)
{
  ExoNeighbour *neighbour = user_data;
  ExoSwarm *swarm = neighbour->swarm;

  if (neighbour->says_anew) /* not sooner: meanwhile all that it has would be free for the Hub */
    exo_facts_forget (neighbour);
  neighbour->says_anew = FALSE;
  exo_facts_apply (neighbour, session, line);
  exo_company_heard (neighbour, line);
  if (line->has_load)
    exo_plan_peer_load (swarm->plan, neighbour->peer, line->uploads, line->queued);
  if (line->has_link)
    exo_plan_peer_link (swarm->plan, neighbour->peer, line->link.speed, line->link.rate);
  if (line->has_hub)
    {
      neighbour->hub = line->hub;
      exo_company_changed (swarm);
      exo_plan_peer_hub (swarm->plan, neighbour->peer, line->hub, line->hub_rate);
      exo_swarm_neighbour_changed (neighbour);
    }
  exo_swarm_check_informed (swarm);
  exo_swarm_pump_soon (swarm);
}

static void
leave_plan (ExoNeighbour *neighbour)
{
  if (neighbour->peer == 0)
    return;
  exo_plan_remove_peer (neighbour->swarm->plan, neighbour->peer);
  g_hash_table_remove (neighbour->swarm->by_peer, GUINT_TO_POINTER (neighbour->peer));
  neighbour->peer = 0;
  neighbour->says_anew = FALSE;
  g_hash_table_remove_all (neighbour->wants);
  exo_swarm_pump_soon (neighbour->swarm);
}

static void
remove_neighbour (ExoNeighbour *neighbour)
{
  ExoSwarm *swarm = neighbour->swarm;

  leave_plan (neighbour);
  swarm->callbacks.neighbour_removed (swarm, neighbour, swarm->user_data);
  g_hash_table_remove (swarm->neighbours, neighbour->id);
  if (g_hash_table_size (swarm->neighbours) >= swarm->circle.all)
    exo_company_choose_soon (swarm);
  exo_swarm_check_informed (swarm);
}

static gboolean
talks_nonsense (const GError *error)
{
  return g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID) ||
         g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_TOO_LARGE);
}

static const char *
where_is (ExoNeighbour *neighbour)
{
  const char *url = exo_neighbour_base_url (neighbour);

  return url != NULL ? url : neighbour->id;
}

/* Why its stream ended; a neighbour that talks nonsense does so again and again, and is named once. */
static void
report_down (ExoNeighbour *neighbour, const GError *error)
{
  if (talks_nonsense (error) && !neighbour->warned)
    {
      neighbour->warned = TRUE;
      exo_swarm_warn (
          neighbour->swarm, "peer",
          N_ ("%s (%s) says what this node does not understand: %s. It is asked again, but "
              "ever more rarely."),
          neighbour->name, where_is (neighbour), error->message);
    }
  else if (neighbour->peer != 0 && exo_session_n_failures (neighbour->session) == 1)
    g_message ("%s no longer answers: %s", neighbour->name, error->message);
  else
    g_debug ("stream from %s: %s", neighbour->name, error->message);
}

static void
on_session_down (ExoSession *session, const GError *error, gpointer user_data)
{
  ExoNeighbour *neighbour = user_data;
  ExoSwarm *swarm = neighbour->swarm;
  guint failures = exo_session_n_failures (session);
  gboolean was_connected = neighbour->peer != 0;

  report_down (neighbour, error);
  leave_plan (neighbour);
  /* One that breaks off time after time has not fallen silent: waiting for it each time would keep this node from the Hub. */
  if (was_connected && g_hash_table_size (swarm->by_peer) == 0 && failures == 1)
    {
      swarm->isolated = TRUE;
      exo_swarm_gather (swarm);
    }
  exo_swarm_neighbour_changed (neighbour);
  exo_company_changed (swarm);
  if (failures == FAILURES_TO_REPORT && neighbour->announced)
    swarm->callbacks.neighbour_failed (swarm, neighbour->id, swarm->user_data);
  if (!neighbour->announced && (failures == 0 || failures >= HEARD_FAILURES_MAX))
    remove_neighbour (neighbour);
  else
    exo_swarm_check_informed (swarm);
}

/* --- neighbours ------------------------------------------------------------------------------- */

void
exo_neighbour_free (ExoNeighbour *neighbour)
{
  exo_session_free (neighbour->session);
  g_hash_table_unref (neighbour->wants);
  g_hash_table_unref (neighbour->fetched);
  g_hash_table_unref (neighbour->mended);
  g_strfreev (neighbour->base_urls);
  g_ptr_array_unref (neighbour->addresses);
  g_free (neighbour->name);
  g_free (neighbour->id);
  g_free (neighbour);
}

ExoNeighbour *
exo_swarm_neighbour (ExoSwarm *swarm, const char *id)
{
  return g_hash_table_lookup (swarm->neighbours, id);
}

void
exo_swarm_neighbour_changed (ExoNeighbour *neighbour)
{
  neighbour->swarm->callbacks.neighbour_changed (neighbour->swarm, neighbour,
                                                 neighbour->swarm->user_data);
}

static ExoNeighbour *
add_neighbour (ExoSwarm *swarm, const char *id, const char *name)
{
  static const ExoSessionCallbacks callbacks = { on_session_up, on_session_line, on_session_down };
  ExoNeighbour *neighbour = g_new0 (ExoNeighbour, 1);

  neighbour->swarm = swarm;
  neighbour->id = g_strdup (id);
  neighbour->name = g_strdup (name);
  neighbour->hub = TRUE;
  neighbour->addresses = g_ptr_array_new_with_free_func (g_object_unref);
  neighbour->core = neighbour->chosen = TRUE;
  neighbour->wants = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  neighbour->fetched = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  neighbour->mended = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  neighbour->session = exo_session_new (swarm->fetcher, id, &callbacks, neighbour);
  g_hash_table_insert (swarm->neighbours, neighbour->id, neighbour);
  return neighbour;
}

/* "http://10.0.0.1:52418", "http://[fe80::1%25eth0]:52418" (RFC 6874) */
static char *
base_url (GInetSocketAddress *address)
{
  GInetAddress *host = g_inet_socket_address_get_address (address);
  g_autofree char *text = g_inet_address_to_string (host);
  guint port = g_inet_socket_address_get_port (address);
  guint32 scope;

  if (g_inet_address_get_family (host) != G_SOCKET_FAMILY_IPV6)
    return g_strdup_printf ("http://%s:%u", text, port);
  scope = g_inet_socket_address_get_scope_id (address);
  if (scope == 0)
    return g_strdup_printf ("http://[%s]:%u", text, port);
  return g_strdup_printf ("http://[%s%%25%u]:%u", text, scope, port);
}

void
exo_neighbour_find_ways (ExoNeighbour *neighbour)
{
  GPtrArray *addresses = neighbour->addresses;
  g_autofree ExoWayHere *here = g_new0 (ExoWayHere, addresses->len + 1);

  for (guint i = 0; i < addresses->len; i++)
    {
      const ExoLanCard *card =
          exo_lan_card_towards (neighbour->swarm->cards, g_ptr_array_index (addresses, i));

      if (card != NULL)
        here[i] = (ExoWayHere){ card->interface, card->running, card->wireless, card->speed };
    }
  exo_session_set_addresses (neighbour->session, (const char *const *) neighbour->base_urls, here);
}

static void
set_addresses (ExoNeighbour *neighbour, GPtrArray *addresses)
{
  g_autoptr (GStrvBuilder) urls = g_strv_builder_new ();

  g_ptr_array_set_size (neighbour->addresses, 0);
  for (guint i = 0; i < addresses->len; i++)
    {
      GInetSocketAddress *address = g_ptr_array_index (addresses, i);
      g_autofree char *url = base_url (address);

      g_ptr_array_add (neighbour->addresses, g_object_ref (address));
      g_strv_builder_add (urls, url);
    }
  g_strfreev (neighbour->base_urls);
  neighbour->base_urls = g_strv_builder_end (urls);
  exo_neighbour_find_ways (neighbour);
}

void
exo_swarm_peer_seen (ExoSwarm *swarm, const char *id, const char *name, GPtrArray *addresses)
{
  ExoNeighbour *neighbour = exo_swarm_neighbour (swarm, id);
  gboolean is_new = neighbour == NULL;

  if (strcmp (id, swarm->node_id) == 0)
    return;
  if (is_new)
    neighbour = add_neighbour (swarm, id, name);
  neighbour->announced = TRUE;
  g_free (neighbour->name);
  neighbour->name = g_strdup (name);
  set_addresses (neighbour, addresses);
  if (is_new)
    swarm->callbacks.neighbour_added (swarm, neighbour, swarm->user_data);
  else
    exo_swarm_neighbour_changed (neighbour);
  if (is_new && g_hash_table_size (swarm->neighbours) > swarm->circle.all)
    exo_company_choose_soon (swarm);
  else if (is_new && g_hash_table_size (swarm->jobs) > 0)
    {
      g_autoptr (ExoWireHello) hello = exo_swarm_subscription (swarm);
      exo_session_subscribe (neighbour->session, hello);
    }
  else
    exo_session_retry_now (neighbour->session);
}

void
exo_swarm_peer_gone (ExoSwarm *swarm, const char *id)
{
  ExoNeighbour *neighbour = exo_swarm_neighbour (swarm, id);

  if (neighbour == NULL)
    return;
  /* A goodbye may be that of its avahi-daemon alone: as long as its stream lives it is here. */
  neighbour->announced = FALSE;
  if (!exo_session_is_up (neighbour->session))
    remove_neighbour (neighbour);
}

void
exo_swarm_shun (ExoSwarm *swarm, ExoNeighbour *neighbour, const char *why)
{
  GHashTableIter iter;
  ExoJob *job;

  if (neighbour->shunned)
    return;
  neighbour->shunned = TRUE;
  g_hash_table_iter_init (&iter, swarm->jobs);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &job))
    exo_job_distrust (job, neighbour->id);
  if (neighbour->peer != 0)
    exo_plan_shun_peer (swarm->plan, neighbour->peer);
  exo_swarm_warn (
      swarm, "peer",
      N_ ("%s (%s) served wrong bytes and is not asked any more: %s. Check its disk and memory."),
      neighbour->name, where_is (neighbour), why);
  exo_swarm_neighbour_changed (neighbour);
  exo_swarm_pump_soon (swarm);
}

GPtrArray *
exo_swarm_neighbours (ExoSwarm *swarm)
{
  GPtrArray *neighbours = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer neighbour;

  g_hash_table_iter_init (&iter, swarm->neighbours);
  while (g_hash_table_iter_next (&iter, NULL, &neighbour))
    g_ptr_array_add (neighbours, neighbour);
  return neighbours;
}

const char *
exo_neighbour_id (ExoNeighbour *neighbour)
{
  return neighbour->id;
}

const char *
exo_neighbour_name (ExoNeighbour *neighbour)
{
  return neighbour->name;
}

const char *const *
exo_neighbour_base_urls (ExoNeighbour *neighbour)
{
  return (const char *const *) neighbour->base_urls;
}

gboolean
exo_neighbour_is_connected (ExoNeighbour *neighbour)
{
  return exo_session_is_up (neighbour->session);
}

const char *
exo_neighbour_base_url (ExoNeighbour *neighbour)
{
  const char *url = exo_session_base_url (neighbour->session);

  return url != NULL || neighbour->base_urls == NULL ? url : neighbour->base_urls[0];
}

const char *
exo_neighbour_link (ExoNeighbour *neighbour, guint64 *out_speed)
{
  const ExoWay *way = exo_session_way (neighbour->session);
  GArray *cards = neighbour->swarm->cards;

  *out_speed = way != NULL ? exo_way_speed (way) : 0;
  for (guint i = 0; way != NULL && i < cards->len; i++)
    if (g_array_index (cards, ExoLanCard, i).interface == way->here.interface)
      return g_array_index (cards, ExoLanCard, i).name;
  return "";
}

const char *
exo_neighbour_state (ExoNeighbour *neighbour)
{
  if (neighbour->shunned)
    return "shunned";
  if (exo_session_is_up (neighbour->session))
    return "connected";
  return exo_session_n_failures (neighbour->session) > 1 ? "unreachable" : "present";
}

gboolean
exo_neighbour_reaches_hub (ExoNeighbour *neighbour)
{
  return neighbour->hub;
}

guint64
exo_neighbour_bytes (ExoNeighbour *neighbour)
{
  return neighbour->bytes;
}

gboolean
exo_neighbour_wants (ExoNeighbour *neighbour, const char *oid)
{
  return g_hash_table_contains (neighbour->wants, oid);
}

/* --- what neighbours ask ---------------------------------------------------------------------- */

void
exo_neighbour_subscribed (const ExoWireHello *hello, const char *address, gpointer user_data)
{
  ExoSwarm *swarm = user_data;
  ExoNeighbour *neighbour = exo_swarm_neighbour (swarm, hello->id);
  g_autoptr (GSocketAddress) heard = NULL;
  g_autoptr (GPtrArray) addresses = g_ptr_array_new ();

  if (swarm->stopping)
    return;
  if (neighbour != NULL)
    {
      exo_company_asked (neighbour, hello);
      exo_session_retry_now (neighbour->session);
      return;
    }
  heard = hello->port != 0 ? g_inet_socket_address_new_from_string (address, hello->port) : NULL;
  if (heard == NULL || g_hash_table_size (swarm->neighbours) >= EXO_LAN_CONNECTIONS_MAX)
    return;
  g_ptr_array_add (addresses, heard);
  exo_swarm_peer_seen (swarm, hello->id, hello->name, addresses);
  neighbour = exo_swarm_neighbour (swarm, hello->id);
  neighbour->announced = FALSE;
  exo_company_asked (neighbour, hello);
}

void
exo_neighbour_unsubscribed (const char *id, gpointer user_data)
{
  ExoSwarm *swarm = user_data;
  ExoNeighbour *neighbour = exo_swarm_neighbour (swarm, id);

  if (neighbour != NULL)
    neighbour->hears_us = FALSE;
  if (neighbour != NULL && !neighbour->announced && !exo_session_is_up (neighbour->session) &&
      !swarm->stopping)
    remove_neighbour (neighbour);
}
