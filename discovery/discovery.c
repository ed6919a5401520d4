/* discovery.c - who is out there, through avahi-daemon
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One AvahiClient with one entry group, one browser for all interfaces and families, and a lookup
 * (discovery/lookups.c) for every sighting the browser reports. The client is made with AVAHI_CLIENT_NO_FAIL:
 * without a daemon libavahi watches the bus for one. When the daemon goes, libavahi's objects are dead: all are freed
 * and a new client waits. Without a system bus there is nothing to watch; then a new client is tried after 1 s, 2 s, 4 s ...
 * 60 s, and every 60 s from then on.
 *
 * libavahi calls back from the midst of itself, even from avahi_client_new(): what is told to the owner is
 * told from an idle source, and the client is freed and made from one.
 */

#include <avahi-common/alternative.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <glib/gi18n.h>
#include <string.h>

#include "discovery/discovery-private.h"
#include "discovery/txt.h"

#define ALTERNATIVES_MAX  100u /* names tried in one go */
#define RETRY_FIRST_S     1u
#define RETRY_MAX_S       60u
#define NAME_OF_LAST_HOPE "exo-agent"

static void schedule_start (ExoDiscovery *self, guint delay_s);

/* Telling the owner ---------------------------------------------------------------------------- */

static gboolean on_doubt_over (gpointer user_data);

static void
arm_doubt_timer (ExoDiscovery *self)
{
  gint64 deadline = exo_peer_table_deadline (self->table);
  gint64 wait_us = deadline - g_get_monotonic_time ();

  g_clear_handle_id (&self->doubt_source, g_source_remove);
  if (deadline < 0)
    return;
  self->doubt_source = g_timeout_add ((guint) (MAX (wait_us, 0) / 1000 + 1), on_doubt_over, self);
}

static void
tell_state (ExoDiscovery *self)
{
  if (self->state == self->told_state && g_strcmp0 (self->detail, self->told_detail) == 0)
    return;
  self->told_state = self->state;
  g_free (self->told_detail);
  self->told_detail = g_strdup (self->detail);
  self->callbacks.state_changed (self, self->told_state, self->told_detail, self->user_data);
}

static void
tell_peers (ExoDiscovery *self)
{
  const ExoPeer *peer;
  const char *id;

  while (exo_peer_table_next_change (self->table, &id, &peer))
    if (peer != NULL)
      self->callbacks.peer_seen (self, peer, self->user_data);
    else
      self->callbacks.peer_gone (self, id, self->user_data);
}

static void
tell_settled (ExoDiscovery *self)
{
  if (!self->browsed || exo_lookups_are_pending (self))
    return;
  exo_peer_table_purge_stale (self->table); /* all that is there has been seen again */
  tell_peers (self);
  if (self->settled)
    return;
  self->settled = TRUE;
  if (self->callbacks.settled != NULL)
    self->callbacks.settled (self, self->user_data);
}

static gboolean
on_tell (gpointer user_data)
{
  ExoDiscovery *self = user_data;

  self->tell_source = 0;
  tell_state (self);
  tell_peers (self);
  tell_settled (self);
  arm_doubt_timer (self);
  return G_SOURCE_REMOVE;
}

void
exo_discovery_schedule_tell (ExoDiscovery *self)
{
  if (self->tell_source == 0)
    self->tell_source = g_idle_add_full (G_PRIORITY_DEFAULT, on_tell, self, NULL);
}

static gboolean
on_doubt_over (gpointer user_data)
{
  ExoDiscovery *self = user_data;

  self->doubt_source = 0;
  exo_peer_table_tick (self->table, g_get_monotonic_time ());
  exo_discovery_schedule_tell (self);
  return G_SOURCE_REMOVE;
}

G_GNUC_PRINTF (3, 4)
static void
set_state (ExoDiscovery *self, ExoDiscoveryState state, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_free (self->detail);
  self->detail = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  self->state = state;
  exo_discovery_schedule_tell (self);
}

/* STARTING or RUNNING, whichever is so. */
static void
update_state (ExoDiscovery *self)
{
  if (self->published && self->browser != NULL)
    {
      self->retry_s = 0;
      self->host_name_taken = FALSE;
      set_state (self, EXO_DISCOVERY_RUNNING, "published as \"%s\"", self->name);
    }
  else if (self->host_name_taken)
    set_state (self, EXO_DISCOVERY_STARTING,
               _ ("another machine has the host name of this one, and avahi-daemon tries others"));
  else
    set_state (self, EXO_DISCOVERY_STARTING, _ ("publishing as \"%s\""), self->name);
}

const char *
exo_discovery_client_error (ExoDiscovery *self)
{
  return avahi_strerror (avahi_client_errno (self->client));
}

/* Something that should work did not: start over, later and later. */
static void
start_over (ExoDiscovery *self, const char *what, const char *why)
{
  self->retry_s = CLAMP (2 * self->retry_s, RETRY_FIRST_S, RETRY_MAX_S);
  set_state (self, EXO_DISCOVERY_STARTING, _ ("%s: %s; trying again"), what, why);
  schedule_start (self, self->retry_s);
}

/* Browsing ------------------------------------------------------------------------------------- */

static void
on_browsed (AvahiServiceBrowser *browser,
            AvahiIfIndex interface,
            AvahiProtocol protocol,
            AvahiBrowserEvent event,
            const char *name,
            const char *type,
            const char *domain,
            AvahiLookupResultFlags flags,
            void *user_data)
{
  ExoDiscovery *self = user_data;

  switch (event)
    {
    case AVAHI_BROWSER_NEW:
      /* AVAHI_LOOKUP_RESULT_OUR_OWN goes by the name, which may yet prove to be another's: ids tell better. */
      exo_lookups_add (self, interface, protocol, name, (flags & AVAHI_LOOKUP_RESULT_LOCAL) != 0);
      break;
    case AVAHI_BROWSER_REMOVE:
      exo_lookups_remove (self, interface, protocol, name);
      break;
    case AVAHI_BROWSER_ALL_FOR_NOW:
      self->browsed = TRUE;
      break;
    case AVAHI_BROWSER_FAILURE:
      start_over (self, _ ("browsing failed"), exo_discovery_client_error (self));
      break;
    case AVAHI_BROWSER_CACHE_EXHAUSTED:
      break;
    }
  exo_discovery_schedule_tell (self);
}

/* Publishing ----------------------------------------------------------------------------------- */

static void
use_alternative_name (ExoDiscovery *self)
{
  char *alternative = avahi_alternative_service_name (self->name);

  g_free (self->name);
  self->name = g_strdup (alternative);
  avahi_free (alternative);
}

/* Fills the empty group. Returns an Avahi error code. */
static int
fill_group (ExoDiscovery *self)
{
  g_auto (GStrv) strings = exo_txt_make (self->id);
  AvahiStringList *list = avahi_string_list_new_from_array ((const char **) strings, -1);
  int code = AVAHI_ERR_COLLISION;

  for (guint i = 0; i < ALTERNATIVES_MAX && code == AVAHI_ERR_COLLISION; i++)
    {
      if (i > 0) /* another service of this very host has the name */
        use_alternative_name (self);
      code = avahi_entry_group_add_service_strlst (self->group, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC,
                                                   0, self->name, EXO_DISCOVERY_SERVICE, NULL, NULL,
                                                   self->port, list);
    }
  avahi_string_list_free (list);
  return code == AVAHI_OK ? avahi_entry_group_commit (self->group) : code;
}

static void
publish (ExoDiscovery *self)
{
  int code = fill_group (self);

  if (code == AVAHI_ERR_NOT_PERMITTED) /* by its configuration, which it reads when it starts */
    set_state (self, EXO_DISCOVERY_STARTING,
               _ ("avahi-daemon is configured not to publish; neighbours cannot find this node"));
  else if (code != AVAHI_OK)
    start_over (self, _ ("avahi-daemon does not publish"), avahi_strerror (code));
  else
    update_state (self);
}

static void
on_group_changed (AvahiEntryGroup *group, AvahiEntryGroupState state, void *user_data)
{
  ExoDiscovery *self = user_data;

  self->group = group; /* the first call comes before avahi_entry_group_new() returns */
  self->published = state == AVAHI_ENTRY_GROUP_ESTABLISHED;
  switch (state)
    {
    case AVAHI_ENTRY_GROUP_ESTABLISHED:
      update_state (self);
      break;
    case AVAHI_ENTRY_GROUP_COLLISION: /* another host has the name */
      use_alternative_name (self);
      publish (self);
      break;
    case AVAHI_ENTRY_GROUP_FAILURE:
      start_over (self, _ ("avahi-daemon does not publish"), exo_discovery_client_error (self));
      break;
    case AVAHI_ENTRY_GROUP_UNCOMMITED:
    case AVAHI_ENTRY_GROUP_REGISTERING:
      break;
    }
}

static void
ensure_published (ExoDiscovery *self)
{
  if (self->group == NULL)
    self->group = avahi_entry_group_new (self->client, on_group_changed, self);
  if (self->group == NULL)
    start_over (self, _ ("avahi-daemon does not publish"), exo_discovery_client_error (self));
  else if (avahi_entry_group_is_empty (self->group))
    publish (self);
}

/* The host name is being changed: the records have to be made anew when that is done. */
static void
withdraw (ExoDiscovery *self)
{
  self->published = FALSE;
  if (self->group != NULL)
    avahi_entry_group_reset (self->group);
  update_state (self);
}

/* The client ----------------------------------------------------------------------------------- */

static void
ensure_browser (ExoDiscovery *self)
{
  if (self->browser != NULL)
    return;
  self->browser = avahi_service_browser_new (self->client, AVAHI_IF_UNSPEC, AVAHI_PROTO_UNSPEC,
                                             EXO_DISCOVERY_SERVICE, NULL, 0, on_browsed, self);
  if (self->browser == NULL)
    start_over (self, _ ("avahi-daemon does not browse"), exo_discovery_client_error (self));
}

/* Frees everything of libavahi. The peers stay, since their machines have not gone: until another browse is
 * complete without them, or they fail. */
static void
disconnect_client (ExoDiscovery *self)
{
  g_hash_table_remove_all (self->lookups);
  g_clear_pointer (&self->browser, avahi_service_browser_free);
  g_clear_pointer (&self->group, avahi_entry_group_free);
  g_clear_pointer (&self->client, avahi_client_free);
  self->published = FALSE;
  self->host_name_taken = FALSE; /* the next daemon may have another */
  self->browsed = FALSE;
  exo_peer_table_mark_stale (self->table);
}

static void
on_client_changed (AvahiClient *client, AvahiClientState state, void *user_data)
{
  ExoDiscovery *self = user_data;

  self->client = client; /* the first call comes before avahi_client_new() returns */
  switch (state)
    {
    case AVAHI_CLIENT_S_RUNNING:
      ensure_browser (self);
      ensure_published (self);
      break;
    case AVAHI_CLIENT_S_COLLISION:
      self->host_name_taken = TRUE;
      G_GNUC_FALLTHROUGH;
    case AVAHI_CLIENT_S_REGISTERING:
      ensure_browser (self);
      withdraw (self);
      break;
    case AVAHI_CLIENT_CONNECTING:
      set_state (self, EXO_DISCOVERY_NO_DAEMON, _ ("avahi-daemon is not running"));
      break;
    case AVAHI_CLIENT_FAILURE:
      if (avahi_client_errno (client) != AVAHI_ERR_DISCONNECTED)
        {
          start_over (self, "avahi-daemon", exo_discovery_client_error (self));
          break;
        }
      set_state (self, EXO_DISCOVERY_NO_DAEMON, _ ("avahi-daemon has gone"));
      schedule_start (self, 0);
      break;
    }
}

static gboolean
on_start (gpointer user_data)
{
  ExoDiscovery *self = user_data;
  AvahiClient *client;
  int code = AVAHI_OK;

  self->start_source = 0;
  disconnect_client (self);
  client = avahi_client_new (avahi_glib_poll_get (self->poll), AVAHI_CLIENT_NO_FAIL,
                             on_client_changed, self, &code);
  self->client = client; /* NULL after a failure, whatever the callback was given */
  if (client != NULL)
    return G_SOURCE_REMOVE;

  self->browser = NULL; /* libavahi freed them with the client */
  self->group = NULL;
  self->retry_s = CLAMP (2 * self->retry_s, RETRY_FIRST_S, RETRY_MAX_S);
  set_state (self, EXO_DISCOVERY_NO_DAEMON, _ ("no system bus: %s"), avahi_strerror (code));
  schedule_start (self, self->retry_s);
  return G_SOURCE_REMOVE;
}

static void
schedule_start (ExoDiscovery *self, guint delay_s)
{
  g_clear_handle_id (&self->start_source, g_source_remove);
  self->start_source = delay_s == 0 ? g_idle_add_full (G_PRIORITY_DEFAULT, on_start, self, NULL)
                                    : g_timeout_add_seconds (delay_s, on_start, self);
}

/* ---------------------------------------------------------------------------------------------- */

/* As much of @name as DNS-SD takes. */
static char *
service_name (const char *name)
{
  g_autofree char *valid = g_utf8_make_valid (name, -1);
  gsize size = strlen (valid);

  while (size > EXO_SERVICE_NAME_MAX)
    size = (gsize) (g_utf8_find_prev_char (valid, valid + size) - valid);
  valid[size] = '\0';
  return g_strdup (exo_service_name_is_valid (valid) ? valid : NAME_OF_LAST_HOPE);
}

ExoDiscovery *
exo_discovery_new (const char *id,
                   const char *name,
                   guint16 port,
                   const ExoDiscoveryCallbacks *callbacks,
                   gpointer user_data)
{
  ExoDiscovery *self;

  g_return_val_if_fail (exo_node_id_is_valid (id) && name != NULL && port != 0, NULL);

  self = g_new0 (ExoDiscovery, 1);
  self->id = g_strdup (id);
  self->name = service_name (name);
  self->port = port;
  self->callbacks = *callbacks;
  self->user_data = user_data;
  self->poll = avahi_glib_poll_new (NULL, G_PRIORITY_DEFAULT);
  exo_lookups_init (self);
  self->table = exo_peer_table_new (id);
  self->told_state = EXO_DISCOVERY_OFF;
  set_state (self, EXO_DISCOVERY_STARTING, _ ("looking for avahi-daemon"));
  schedule_start (self, 0);
  return self;
}

void
exo_discovery_free (ExoDiscovery *self)
{
  if (self == NULL)
    return;
  disconnect_client (self);
  g_clear_handle_id (&self->start_source, g_source_remove);
  g_clear_handle_id (&self->tell_source, g_source_remove);
  g_clear_handle_id (&self->doubt_source, g_source_remove);
  exo_lookups_clear (self);
  exo_peer_table_free (self->table);
  avahi_glib_poll_free (self->poll);
  g_free (self->detail);
  g_free (self->told_detail);
  g_free (self->name);
  g_free (self->id);
  g_free (self);
}

ExoDiscoveryState
exo_discovery_state (ExoDiscovery *self)
{
  return self != NULL ? self->state : EXO_DISCOVERY_OFF;
}

const char *
exo_discovery_detail (ExoDiscovery *self)
{
  return self->detail;
}

const char *
exo_discovery_service_name (ExoDiscovery *self)
{
  return self != NULL && self->published ? self->name : NULL;
}

guint
exo_discovery_n_peers (ExoDiscovery *self)
{
  return self != NULL ? exo_peer_table_n_peers (self->table) : 0;
}

gboolean
exo_discovery_is_settled (ExoDiscovery *self)
{
  return self == NULL || self->settled;
}

void
exo_discovery_peer_failed (ExoDiscovery *self, const char *id)
{
  g_autoptr (GArray) keys = NULL;

  if (self == NULL)
    return;
  exo_peer_table_fail (self->table, id, g_get_monotonic_time ());
  keys = exo_peer_table_sightings (self->table, id);
  exo_lookups_renew (self, keys);
  exo_discovery_schedule_tell (self);
}
