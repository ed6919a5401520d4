/* lookups.c - where what is sighted can be reached: resolvers, and who watches after them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A lookup is a resolver and what became of it; there is one for every sighting the browser reports.
 *
 * A resolver that is kept asks for SRV, TXT and address again after 1 s, 2 s, 4 s ... 1 h, and all machines of a lab hear
 * each question and what is known already: with 23 nodes that started together that is five seconds of processor time,
 * all at once. So resolvers go REST_MS after they have answered: collisions of names are over by then. A watcher takes the place
 * of each, a resolver that leaves out TXT; if it tells of another address or port, or fails since the records have expired, the
 * service is looked up anew.
 *
 * avahi-daemon allows a client 1024 objects: at most RESOLVERS_MAX exist, the other lookups wait, and above RESOLVERS_KEPT they
 * go once they have answered, and nothing watches.
 *
 * The address asked for is of the sighting's own family; else libavahi takes the first that answers, and the
 * other is never seen.
 */

#include <avahi-client/lookup.h>
#include <string.h>

#include "discovery/discovery-private.h"
#include "discovery/txt.h"

#define LOOKUPS_MAX    4096u
#define RESOLVERS_MAX  900u
#define RESOLVERS_KEPT 512u
#define REST_MS        2000

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
  gint64 answered_us;   /* monotonic; when ->resolver did; 0: not yet, or it failed since */
  AvahiAddress address; /* of the last answer, as the port */
  guint16 port;
  char owner[EXO_NODE_ID_LENGTH +
             1]; /* id of the node that had the name at the last answer; "" none */
} Lookup;

static void pump_lookups (ExoDiscovery *self);
static void rest_later (ExoDiscovery *self);

/* Lookups -------------------------------------------------------------------------------------- */

static void
lookup_stop (Lookup *lookup)
{
  ExoDiscovery *self = lookup->discovery;

  if (lookup->waiting)
    g_queue_remove (&self->waiting, lookup);
  lookup->waiting = FALSE;
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
               exo_discovery_client_error (self));
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
  exo_discovery_schedule_tell (self);
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
      g_debug ("cannot resolve %s: %s", lookup->name, exo_discovery_client_error (self));
      lookup->pending = FALSE;
    }
}

/* Watching ------------------------------------------------------------------------------------- */

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
  lookup_start (lookup);
  pump_lookups (lookup->discovery);
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
      g_debug ("cannot watch %s: %s", lookup->name, exo_discovery_client_error (self));
      return;
    }
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

void
exo_lookups_add (ExoDiscovery *self,
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

void
exo_lookups_remove (ExoDiscovery *self,
                    AvahiIfIndex interface,
                    AvahiProtocol protocol,
                    const char *name)
{
  g_autofree char *string = lookup_string (interface, protocol, name);
  ExoSightingKey key = { interface, protocol, name };

  exo_peer_table_unset (self->table, &key);
  g_hash_table_remove (self->lookups, string);
  pump_lookups (self);
}

void
exo_lookups_renew (ExoDiscovery *self, const GArray *keys)
{
  for (guint i = 0; i < keys->len; i++)
    {
      const ExoSightingKey *key = &g_array_index (keys, ExoSightingKey, i);
      g_autofree char *string = lookup_string (key->interface, key->protocol, key->name);
      Lookup *lookup = g_hash_table_lookup (self->lookups, string);

      if (lookup != NULL)
        lookup_start (lookup);
    }
  pump_lookups (self);
}

gboolean
exo_lookups_are_pending (ExoDiscovery *self)
{
  GHashTableIter iter;
  Lookup *lookup;

  g_hash_table_iter_init (&iter, self->lookups);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &lookup))
    if (lookup->pending && !exo_peer_table_has_name (self->table, lookup->name))
      return TRUE;
  return FALSE;
}

/* ---------------------------------------------------------------------------------------------- */

void
exo_lookups_init (ExoDiscovery *self)
{
  self->lookups =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) lookup_free);
  g_queue_init (&self->waiting);
}

void
exo_lookups_clear (ExoDiscovery *self)
{
  g_clear_handle_id (&self->rest_source, g_source_remove);
  g_hash_table_unref (self->lookups);
}
