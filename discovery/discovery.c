/* discovery.c - who is out there, through avahi-daemon
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One AvahiClient with one entry group, one browser for all interfaces and families, and a lookup (a resolver
 * and what became of it) for every sighting the browser reports. The client is made with AVAHI_CLIENT_NO_FAIL:
 * without a daemon libavahi watches the bus for one. When the daemon goes, libavahi's objects are dead: all are freed
 * and a new client waits. Without a system bus there is nothing to watch; then a new client is tried after 1 s, 2 s, 4 s ...
 * 60 s, and every 60 s from then on.
 *
 * A resolver that is kept asks for SRV, TXT and address again after 1 s, 2 s, 4 s ... 1 h, and all machines of a lab hear
 * each question and what is known already: with 23 nodes that started together that is five seconds of processor time,
 * all at once. So resolvers go REST_MS after they have answered: collisions of names are over by then. One watcher stays for each
 * name on an interface, a resolver that leaves out TXT; if it tells of another address or port, or fails since the records have
 * expired, all that is known of that name there is looked up anew.
 *
 * avahi-daemon allows a client 1024 objects: at most RESOLVERS_MAX exist, the other lookups wait, and above RESOLVERS_KEPT they
 * go once they have answered, and nothing watches.
 *
 * The address asked for is of the sighting's own family; else libavahi takes the first that answers, and the
 * other is never seen.
 *
 * libavahi calls back from the midst of itself, even from avahi_client_new(): what is told to the owner is
 * told from an idle source, and the client is freed and made from one.
 */

#include "discovery/discovery.h"

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-client/publish.h>
#include <avahi-common/alternative.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-glib/glib-watch.h>
#include <glib/gi18n.h>
#include <string.h>

#include "discovery/peer-table.h"
#include "discovery/txt.h"

#define LOOKUPS_MAX       4096u
#define RESOLVERS_MAX     900u
#define RESOLVERS_KEPT    512u
#define ALTERNATIVES_MAX  100u /* names tried in one go */
#define REST_MS           2000
#define RETRY_FIRST_S     1u
#define RETRY_MAX_S       60u
#define NAME_OF_LAST_HOPE "exo-agent"

typedef struct
{
  ExoDiscovery *discovery; /* borrowed */
  AvahiIfIndex interface;
  AvahiProtocol protocol;
  char *name;
  gboolean local;
  AvahiServiceResolver *resolver; /* (nullable) */
  gboolean waiting;               /* in ->waiting */
  gboolean pending;               /* has neither answered nor failed */
  gboolean watching;              /* ->resolver is a watcher */
  gint64 answered_us;   /* monotonic; when ->resolver did; 0: not yet, or it failed since */
  AvahiAddress address; /* of the last answer, as the port */
  guint16 port;
  char owner[EXO_NODE_ID_LENGTH +
             1]; /* id of the node that had the name at the last answer; "" none */
} Lookup;

struct ExoDiscovery
{
  char *id;
  char *name; /* wanted, or the alternative in use */
  guint16 port;
  ExoDiscoveryCallbacks callbacks;
  gpointer user_data;

  AvahiGLibPoll *poll;
  AvahiClient *client;          /* (nullable) */
  AvahiEntryGroup *group;       /* (nullable) */
  AvahiServiceBrowser *browser; /* (nullable) */
  gboolean published;
  gboolean browsed; /* the browser has said all it knows for now */

  GHashTable *lookups; /* (element-type utf8 Lookup), both owned */
  GQueue waiting;      /* (element-type Lookup), borrowed: without a resolver yet */
  guint n_resolvers;
  ExoPeerTable *table;

  ExoDiscoveryState state, told_state;
  char *detail; /* what is to be said of the state */
  char *told_detail;
  gboolean settled;
  guint retry_s;

  guint start_source, tell_source, doubt_source, rest_source;
};

static void schedule_start (ExoDiscovery *self, guint delay_s);
static void pump_lookups (ExoDiscovery *self);
static void rest_later (ExoDiscovery *self);

/* Telling the owner ---------------------------------------------------------------------------- */

static gboolean
has_pending_lookups (ExoDiscovery *self)
{
  GHashTableIter iter;
  Lookup *lookup;

  g_hash_table_iter_init (&iter, self->lookups);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &lookup))
    if (lookup->pending && !exo_peer_table_has_name (self->table, lookup->name))
      return TRUE;
  return FALSE;
}

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
  if (!self->browsed || has_pending_lookups (self))
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

static void
schedule_tell (ExoDiscovery *self)
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
  schedule_tell (self);
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
  schedule_tell (self);
}

/* STARTING or RUNNING, whichever is so. */
static void
update_state (ExoDiscovery *self)
{
  if (self->published && self->browser != NULL)
    {
      self->retry_s = 0;
      set_state (self, EXO_DISCOVERY_RUNNING, "published as \"%s\"", self->name);
    }
  else
    set_state (self, EXO_DISCOVERY_STARTING, "publishing as \"%s\"", self->name);
}

static const char *
client_error (ExoDiscovery *self)
{
  return avahi_strerror (avahi_client_errno (self->client));
}

/* Something that should work did not: start over, later and later. */
static void
start_over (ExoDiscovery *self, const char *what, const char *why)
{
  self->retry_s = CLAMP (2 * self->retry_s, RETRY_FIRST_S, RETRY_MAX_S);
  set_state (self, EXO_DISCOVERY_STARTING, "%s: %s; trying again", what, why);
  schedule_start (self, self->retry_s);
}

/* Lookups -------------------------------------------------------------------------------------- */

static void
lookup_stop (Lookup *lookup)
{
  ExoDiscovery *self = lookup->discovery;

  if (lookup->waiting)
    g_queue_remove (&self->waiting, lookup);
  lookup->waiting = lookup->watching = FALSE;
  lookup->answered_us = 0;
  if (lookup->resolver == NULL)
    return;
  g_clear_pointer (&lookup->resolver, avahi_service_resolver_free);
  self->n_resolvers--;
}

static void
lookup_free (Lookup *lookup)
{
  lookup_stop (lookup);
  g_free (lookup->name);
  g_free (lookup);
}

static ExoSightingKey
lookup_key (const Lookup *lookup)
{
  return (ExoSightingKey){ lookup->interface, lookup->protocol, lookup->name };
}

static char *
lookup_string (AvahiIfIndex interface, AvahiProtocol protocol, const char *name)
{
  return g_strdup_printf ("%d/%d/%s", interface, protocol, name);
}

static void
lookup_start (Lookup *lookup)
{
  lookup_stop (lookup);
  lookup->waiting = lookup->pending = TRUE;
  g_queue_push_tail (&lookup->discovery->waiting, lookup);
}

static GInetSocketAddress *
socket_address (const AvahiAddress *address, AvahiIfIndex interface, guint16 port)
{
  gboolean v4 = address->proto == AVAHI_PROTO_INET;
  g_autoptr (GInetAddress) ip = g_inet_address_new_from_bytes (
      v4 ? (const guint8 *) &address->data.ipv4.address : address->data.ipv6.address,
      v4 ? G_SOCKET_FAMILY_IPV4 : G_SOCKET_FAMILY_IPV6);
  gboolean scoped = !v4 && g_inet_address_get_is_link_local (ip);

  return g_object_new (G_TYPE_INET_SOCKET_ADDRESS, "address", ip, "port", (guint) port, "scope-id",
                       scoped ? (guint) interface : 0u, NULL);
}

static gboolean
parse_txt (AvahiStringList *list, ExoTxt *out_txt, GError **error)
{
  gsize size = avahi_string_list_serialize (list, NULL, 0);
  g_autofree guint8 *data = g_malloc (MAX (size, 1));

  avahi_string_list_serialize (list, data, size);
  return exo_txt_parse (data, size, out_txt, error);
}

/* Two nodes wanted one name, and now the other has it. Avahi's resolver may go on with the addresses of the first: only a
 * new one is sure to ask anew. */
static gboolean
changed_hands (Lookup *lookup, const char *id)
{
  gboolean changed = lookup->owner[0] != '\0' && strcmp (lookup->owner, id) != 0;

  g_strlcpy (lookup->owner, id, sizeof lookup->owner);
  return changed;
}

static gboolean
take_answer (Lookup *lookup,
             const AvahiAddress *address,
             guint16 port,
             AvahiStringList *list,
             AvahiLookupResultFlags flags,
             GError **error)
{
  g_autoptr (GInetSocketAddress) socket = socket_address (address, lookup->interface, port);
  ExoSightingKey key = lookup_key (lookup);
  ExoSighting sighting = { NULL, socket, lookup->local, (flags & AVAHI_LOOKUP_RESULT_CACHED) == 0 };
  ExoTxt txt;

  if (!parse_txt (list, &txt, error))
    {
      exo_peer_table_unset (lookup->discovery->table, &key);
      return FALSE;
    }
  if (changed_hands (lookup, txt.id))
    {
      exo_peer_table_unset (lookup->discovery->table, &key);
      lookup_start (lookup);
      return TRUE;
    }
  sighting.id = txt.id;
  return exo_peer_table_set (lookup->discovery->table, &key, &sighting, error);
}

static void
on_resolved (AvahiServiceResolver *resolver,
             AvahiIfIndex interface,
             AvahiProtocol protocol,
             AvahiResolverEvent event,
             const char *name,
             const char *type,
             const char *domain,
             const char *host_name,
             const AvahiAddress *address,
             guint16 port,
             AvahiStringList *txt,
             AvahiLookupResultFlags flags,
             void *user_data)
{
  Lookup *lookup = user_data;
  ExoDiscovery *self = lookup->discovery;
  ExoSightingKey key = lookup_key (lookup);
  g_autoptr (GError) error = NULL;

  lookup->pending = FALSE;
  lookup->answered_us = 0;
  if (event == AVAHI_RESOLVER_FAILURE)
    {
      g_debug ("%s on interface %d does not resolve: %s", lookup->name, lookup->interface,
               client_error (self));
      exo_peer_table_unset (self->table, &key);
    }
  else
    {
      lookup->answered_us = g_get_monotonic_time ();
      lookup->address = *address;
      lookup->port = port;
      if (!take_answer (lookup, address, port, txt, flags, &error))
        g_debug ("%s on interface %d is ignored: %s", lookup->name, lookup->interface,
                 error->message);
    }

  if (self->n_resolvers > RESOLVERS_KEPT && !lookup->waiting)
    lookup_stop (lookup);
  rest_later (self);
  pump_lookups (self);
  schedule_tell (self);
}

static void
pump_lookups (ExoDiscovery *self)
{
  while (self->n_resolvers < RESOLVERS_MAX && !g_queue_is_empty (&self->waiting))
    {
      Lookup *lookup = g_queue_pop_head (&self->waiting);

      lookup->waiting = FALSE;
      lookup->resolver = avahi_service_resolver_new (
          self->client, lookup->interface, lookup->protocol, lookup->name, EXO_DISCOVERY_SERVICE,
          NULL, lookup->protocol, 0, on_resolved, lookup);
      if (lookup->resolver != NULL)
        {
          self->n_resolvers++;
          continue;
        }
      g_debug ("cannot resolve %s: %s", lookup->name, client_error (self));
      lookup->pending = FALSE;
    }
}

/* Watching ------------------------------------------------------------------------------------- */

/* All that is known of @name on that interface. */
static void
look_anew (ExoDiscovery *self, AvahiIfIndex interface, const char *name)
{
  GHashTableIter iter;
  Lookup *lookup;

  g_hash_table_iter_init (&iter, self->lookups);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &lookup))
    if (lookup->interface == interface && strcmp (lookup->name, name) == 0)
      lookup_start (lookup);
  pump_lookups (self);
}

static gboolean
is_watched (ExoDiscovery *self, const Lookup *sibling)
{
  GHashTableIter iter;
  const Lookup *lookup;

  g_hash_table_iter_init (&iter, self->lookups);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &lookup))
    if (lookup->watching && lookup->interface == sibling->interface &&
        strcmp (lookup->name, sibling->name) == 0)
      return TRUE;
  return FALSE;
}

static void
on_watched (AvahiServiceResolver *resolver,
            AvahiIfIndex interface,
            AvahiProtocol protocol,
            AvahiResolverEvent event,
            const char *name,
            const char *type,
            const char *domain,
            const char *host_name,
            const AvahiAddress *address,
            guint16 port,
            AvahiStringList *txt,
            AvahiLookupResultFlags flags,
            void *user_data)
{
  Lookup *lookup = user_data;

  if (event == AVAHI_RESOLVER_FOUND && port == lookup->port &&
      avahi_address_cmp (address, &lookup->address) == 0)
    return;
  look_anew (lookup->discovery, lookup->interface, lookup->name);
}

static void
lookup_watch (Lookup *lookup)
{
  ExoDiscovery *self = lookup->discovery;

  lookup->resolver = avahi_service_resolver_new (
      self->client, lookup->interface, lookup->protocol, lookup->name, EXO_DISCOVERY_SERVICE, NULL,
      lookup->protocol, AVAHI_LOOKUP_NO_TXT, on_watched, lookup);
  if (lookup->resolver == NULL)
    {
      g_debug ("cannot watch %s: %s", lookup->name, client_error (self));
      return;
    }
  lookup->watching = TRUE;
  self->n_resolvers++;
}

static gboolean
on_rest (gpointer user_data)
{
  ExoDiscovery *self = user_data;
  gint64 before_us = g_get_monotonic_time () - REST_MS * 1000;
  gboolean again = FALSE;
  GHashTableIter iter;
  Lookup *lookup;

  self->rest_source = 0;
  g_hash_table_iter_init (&iter, self->lookups);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &lookup))
    if (lookup->answered_us > before_us)
      again = TRUE;
    else if (lookup->answered_us != 0)
      {
        lookup_stop (lookup);
        if (!is_watched (self, lookup))
          lookup_watch (lookup);
      }
  pump_lookups (self);
  if (again)
    rest_later (self);
  return G_SOURCE_REMOVE;
}

static void
rest_later (ExoDiscovery *self)
{
  if (self->rest_source == 0)
    self->rest_source = g_timeout_add (REST_MS, on_rest, self);
}

/* Sightings ------------------------------------------------------------------------------------ */

static void
add_lookup (ExoDiscovery *self,
            AvahiIfIndex interface,
            AvahiProtocol protocol,
            const char *name,
            gboolean local)
{
  Lookup *lookup;

  if (!exo_service_name_is_valid (name))
    {
      g_debug ("a service on interface %d has no proper name", interface);
      return;
    }
  if (g_hash_table_size (self->lookups) >= LOOKUPS_MAX)
    {
      g_debug ("%s is ignored: more than %u services", name, LOOKUPS_MAX);
      return;
    }
  lookup = g_new0 (Lookup, 1);
  lookup->discovery = self;
  lookup->interface = interface;
  lookup->protocol = protocol;
  lookup->name = g_strdup (name);
  lookup->local = local;
  g_hash_table_replace (self->lookups, lookup_string (interface, protocol, name), lookup);
  lookup_start (lookup);
  pump_lookups (self);
}

static void
remove_lookup (ExoDiscovery *self, AvahiIfIndex interface, AvahiProtocol protocol, const char *name)
{
  g_autofree char *string = lookup_string (interface, protocol, name);
  ExoSightingKey key = { interface, protocol, name };
  const Lookup *lookup = g_hash_table_lookup (self->lookups, string);
  gboolean watching = lookup != NULL && lookup->watching;

  exo_peer_table_unset (self->table, &key);
  g_hash_table_remove (self->lookups, string);
  if (watching) /* the other family goes, too, or gets a watcher of its own */
    look_anew (self, interface, name);
  pump_lookups (self);
}

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
      add_lookup (self, interface, protocol, name, (flags & AVAHI_LOOKUP_RESULT_LOCAL) != 0);
      break;
    case AVAHI_BROWSER_REMOVE:
      remove_lookup (self, interface, protocol, name);
      break;
    case AVAHI_BROWSER_ALL_FOR_NOW:
      self->browsed = TRUE;
      break;
    case AVAHI_BROWSER_FAILURE:
      start_over (self, "browsing failed", client_error (self));
      break;
    case AVAHI_BROWSER_CACHE_EXHAUSTED:
      break;
    }
  schedule_tell (self);
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
               "avahi-daemon is configured not to publish; neighbours cannot find this node");
  else if (code != AVAHI_OK)
    start_over (self, "avahi-daemon does not publish", avahi_strerror (code));
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
      start_over (self, "avahi-daemon does not publish", client_error (self));
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
    start_over (self, "avahi-daemon does not publish", client_error (self));
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
    start_over (self, "avahi-daemon does not browse", client_error (self));
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
    case AVAHI_CLIENT_S_REGISTERING:
    case AVAHI_CLIENT_S_COLLISION:
      ensure_browser (self);
      withdraw (self);
      break;
    case AVAHI_CLIENT_CONNECTING:
      set_state (self, EXO_DISCOVERY_NO_DAEMON, _ ("avahi-daemon is not running"));
      break;
    case AVAHI_CLIENT_FAILURE:
      if (avahi_client_errno (client) != AVAHI_ERR_DISCONNECTED)
        {
          start_over (self, "avahi-daemon", client_error (self));
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
  self->lookups =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) lookup_free);
  g_queue_init (&self->waiting);
  self->table = exo_peer_table_new (id);
  self->told_state = EXO_DISCOVERY_OFF;
  set_state (self, EXO_DISCOVERY_STARTING, "looking for avahi-daemon");
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
  g_clear_handle_id (&self->rest_source, g_source_remove);
  g_hash_table_unref (self->lookups);
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
  for (guint i = 0; i < keys->len; i++)
    {
      const ExoSightingKey *key = &g_array_index (keys, ExoSightingKey, i);
      g_autofree char *string = lookup_string (key->interface, key->protocol, key->name);
      Lookup *lookup = g_hash_table_lookup (self->lookups, string);

      if (lookup != NULL)
        lookup_start (lookup);
    }
  pump_lookups (self);
  schedule_tell (self);
}
