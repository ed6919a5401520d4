/* server.c - the two ports of the stand-in Hub
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <arpa/inet.h>
#include <gio/gio.h>
#include <gnutls/crypto.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/hub/server-private.h"

#define N_THREADS        4
#define MAX_CONNECTIONS  2048
#define UNSENT_MAX_BYTES (16 * 1024) /* so that what is counted has nearly left */
#define SHOWN_QUOTA      3000        /* anonymous, as seen on the Hub */

typedef enum
{
  BUCKET_API,
  BUCKET_RESOLVERS,
  N_BUCKETS,
} Bucket;

static const char *const BUCKET_NAMES[N_BUCKETS] = { "api", "resolvers" };

typedef struct
{
  HubServer *server;
  struct MHD_Daemon *daemon;
  guint16 number;
  gboolean is_cdn;
} Port;

struct HubServer
{
  const HubConfig *config;
  Port hub, cdn;
  HubStats *stats;
  HubFaults *faults;
  char *secret;
  FILE *log; /* (nullable) */

  GMutex lock; /* of all below */
  HubCatalog *catalog;
  GHashTable *sockets; /* (element-type int): of the open connections */
  GHashTable *paused;  /* (element-type MHD_Connection guint): the source that resumes it */
  gint64 window_start[N_BUCKETS]; /* monotonic, us */
  gint64 n_used[N_BUCKETS];       /* requests in the window */

  gint is_down, is_stopping; /* atomic */
};

/* One request; MHD's con_cls */
typedef struct
{
  char *uri;
  HubRoute *route;
  HubFault *fault;
  HubPathStats *stats;
  GByteArray *posted;
  gboolean is_too_large;
  gboolean is_paused; /* was silenced before the headers */
  guint status;
  guint64 n_sent;
} Request;

static gboolean
on_pause_over (gpointer user_data)
{
  gpointer *pair = user_data;
  HubServer *self = pair[0];
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (g_hash_table_remove (self->paused, pair[1]))
    MHD_resume_connection (pair[1]);
  return G_SOURCE_REMOVE;
}

void
hub_server_pause (HubServer *self, struct MHD_Connection *connection, double seconds)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  gpointer *pair;
  guint source;

  if (hub_server_is_stopping (self)) /* nobody would resume it */
    return;
  pair = g_new (gpointer, 2);
  pair[0] = self;
  pair[1] = connection;
  MHD_suspend_connection (connection);
  source = g_timeout_add_full (G_PRIORITY_DEFAULT, (guint) (CLAMP (seconds, 0.0, 86400.0) * 1000),
                               on_pause_over, pair, g_free);
  g_hash_table_insert (self->paused, connection, GUINT_TO_POINTER (source));
}

gboolean
hub_server_is_stopping (HubServer *self)
{
  return g_atomic_int_get (&self->is_stopping);
}

static void
resume_all (HubServer *self)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  GHashTableIter iter;
  gpointer connection, source;

  g_hash_table_iter_init (&iter, self->paused);
  while (g_hash_table_iter_next (&iter, &connection, &source))
    {
      g_source_remove (GPOINTER_TO_UINT (source));
      MHD_resume_connection (connection);
      g_hash_table_iter_remove (&iter);
    }
}

/* The bucket's headers; %FALSE if the request is one too many */
static gboolean
count_quota (HubServer *self, Bucket bucket, char **out_limit, char **out_policy)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  const HubConfig *config = self->config;
  gint64 quota = config->quota > 0 ? config->quota : SHOWN_QUOTA;
  gint64 now = g_get_monotonic_time ();
  gint64 window = config->window * G_USEC_PER_SEC;
  gint64 left, wait;

  if (self->window_start[bucket] == 0 || now - self->window_start[bucket] >= window)
    {
      self->window_start[bucket] = now;
      self->n_used[bucket] = 0;
    }
  self->n_used[bucket]++;
  left = config->quota > 0 ? MAX (quota - self->n_used[bucket], 0) : quota - 1;
  wait = (window - (now - self->window_start[bucket]) + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC;
  *out_limit = g_strdup_printf ("\"%s\";r=%" G_GINT64_FORMAT ";t=%" G_GINT64_FORMAT,
                                BUCKET_NAMES[bucket], left, wait);
  *out_policy =
      g_strdup_printf ("\"fixed window\";\"%s\";q=%" G_GINT64_FORMAT ";w=%" G_GINT64_FORMAT,
                       BUCKET_NAMES[bucket], quota, config->window);
  return config->quota == 0 || self->n_used[bucket] <= quota;
}

static const char *
header (struct MHD_Connection *connection, const char *name)
{
  return MHD_lookup_connection_value (connection, MHD_HEADER_KIND, name);
}

/* "http://host:port" as the client named us; the address we listen on if it did not */
static char *
base_of (HubServer *self, struct MHD_Connection *connection, gboolean cdn)
{
  const char *fixed = cdn ? self->config->cdn_base : self->config->hub_base;
  const char *host = header (connection, "Host");
  g_autofree char *name = g_strdup (host != NULL && *host != '\0' ? host : self->config->listen);
  char *colon = strrchr (name, ':');

  if (fixed != NULL)
    return g_strdup (fixed);
  if (colon != NULL && strchr (colon, ']') == NULL)
    *colon = '\0';
  if (cdn && !g_str_equal (self->config->listen, "0.0.0.0"))
    return g_strdup_printf ("http://%s:%u", self->config->listen, hub_server_cdn_port (self));
  return g_strdup_printf ("http://%s:%u", name,
                          cdn ? hub_server_cdn_port (self) : hub_server_port (self));
}

static HubReply *
answer (HubServer *self, const Port *port, const HubAsk *ask)
{
  g_autofree char *limit = NULL;
  g_autofree char *policy = NULL;
  gboolean within_quota;
  HubReply *reply;

  if (port->is_cdn)
    return hub_answer_cdn (ask);
  within_quota = count_quota (
      self, ask->route->klass == HUB_CLASS_API ? BUCKET_API : BUCKET_RESOLVERS, &limit, &policy);
  if (!within_quota)
    reply = hub_reply_new_error (429, NULL, "Too many requests");
  else if (ask->route->kind == HUB_ROUTE_BAD)
    reply = hub_reply_new_error (400, NULL, "Bad path");
  else if (ask->route->klass == HUB_CLASS_API || ask->route->kind == HUB_ROUTE_UNKNOWN)
    reply = hub_answer_api (ask);
  else
    reply = hub_answer_file (ask);
  hub_reply_set (reply, "RateLimit", limit);
  hub_reply_set (reply, "RateLimit-Policy", policy);
  return reply;
}

static HubReply *
make_reply (Port *port, Request *request, struct MHD_Connection *connection, const char *method)
{
  HubServer *self = port->server;
  g_autoptr (HubCatalog) catalog = NULL;
  g_autofree char *hub_base = base_of (self, connection, FALSE);
  g_autofree char *cdn_base = base_of (self, connection, TRUE);
  const char *auth = header (connection, "Authorization");
  HubAsk ask = {
    .route = request->route,
    .fault = request->fault,
    .method = method,
    .token = auth != NULL && g_str_has_prefix (auth, "Bearer ") ? auth + strlen ("Bearer ") : NULL,
    .has_auth = auth != NULL,
    .range = header (connection, "Range"),
    .none_match = header (connection, "If-None-Match"),
    .body = request->posted->len > 0 ? (const char *) request->posted->data : NULL,
    .body_type = header (connection, "Content-Type"),
    .hub_base = hub_base,
    .cdn_base = cdn_base,
    .secret = self->secret,
    .now = g_get_real_time () / G_USEC_PER_SEC,
    .sign_ttl = self->config->sign_ttl,
  };

  if (request->is_too_large)
    return hub_reply_new_error (413, NULL, "Request entity too large");
  g_mutex_lock (&self->lock);
  catalog = hub_catalog_ref (self->catalog);
  g_mutex_unlock (&self->lock);
  ask.catalog = catalog;
  return answer (self, port, &ask);
}

static enum MHD_Result
send_reply (Port *port, Request *request, struct MHD_Connection *connection, const char *method)
{
  HubReply *reply = make_reply (port, request, connection, method);
  const char *encodings = header (connection, "Accept-Encoding");
  gboolean gzip = encodings != NULL && strstr (encodings, "gzip") != NULL;
  HubBodyUse use = { port->server, connection, request->fault, NULL, &request->n_sent };
  struct MHD_Response *response;
  enum MHD_Result result;

  if (request->fault != NULL)
    hub_reply_spoil (reply, request->fault);
  if (reply->fd >= 0)
    use.stats = request->stats;
  request->status = reply->status;
  response = hub_body_response (reply, &use, gzip);
  result = MHD_queue_response (connection, request->status, response);
  MHD_destroy_response (response);
  return result;
}

static gboolean
strikes_before_headers (const HubFault *fault)
{
  return fault->after < 0 && (fault->kind == HUB_FAULT_RESET || fault->kind == HUB_FAULT_CLOSE);
}

static enum MHD_Result
handle (Port *port, Request *request, struct MHD_Connection *connection, const char *method)
{
  HubFault *fault = request->fault;

  if (g_atomic_int_get (&port->server->is_down) || hub_server_is_stopping (port->server))
    return MHD_NO;
  if (fault != NULL && fault->kind == HUB_FAULT_SLOW && !request->is_paused)
    {
      request->is_paused = TRUE;
      hub_server_pause (port->server, connection, fault->seconds);
      return MHD_YES;
    }
  if (fault != NULL && strikes_before_headers (fault))
    {
      if (fault->kind == HUB_FAULT_RESET)
        hub_body_reset (connection);
      return MHD_NO;
    }
  return send_reply (port, request, connection, method);
}

static void
start_request (Port *port, Request *request, const char *method)
{
  HubServer *self = port->server;
  HubClass klass;
  g_autofree char *cdn_path = NULL;

  request->route = hub_route_parse (request->uri);
  klass = port->is_cdn ? HUB_CLASS_CDN : request->route->klass;
  if (port->is_cdn && (cdn_path = hub_cdn_stats_path (request->route)) != NULL)
    {
      g_free (request->route->stats_path);
      request->route->stats_path = g_steal_pointer (&cdn_path);
    }
  request->stats = hub_stats_count_request (self->stats, klass, request->route->stats_path);
  request->fault = hub_faults_pick (self->faults, klass, method, request->route->stats_path);
  request->posted = g_byte_array_new ();
}

static void
take_posted (Request *request, const char *data, gsize length)
{
  if (request->posted->len + length > HUB_POST_MAX_BYTES)
    request->is_too_large = TRUE;
  else
    g_byte_array_append (request->posted, (const guint8 *) data, (guint) length);
}

static enum MHD_Result
on_request (void *user_data,
            struct MHD_Connection *connection,
            const char *url,
            const char *method,
            const char *version,
            const char *upload_data,
            size_t *upload_size,
            void **con_cls)
{
  Port *port = user_data;
  Request *request = *con_cls;

  if (request->route == NULL)
    {
      start_request (port, request, method);
      return MHD_YES;
    }
  if (*upload_size > 0)
    {
      take_posted (request, upload_data, *upload_size);
      *upload_size = 0;
      return MHD_YES;
    }
  if (request->posted->len > 0)
    g_byte_array_append (request->posted, (const guint8 *) "", 1); /* it is read as a string */
  return handle (port, request, connection, method);
}

static void *
on_uri (void *user_data, const char *uri, struct MHD_Connection *connection)
{
  Request *request = g_new0 (Request, 1);

  request->uri = g_strdup (uri);
  return request;
}

/* Paths are decoded segment by segment, by hub_route_parse() */
static size_t
on_unescape (void *user_data, struct MHD_Connection *connection, char *text)
{
  return strlen (text);
}

static void
on_completed (void *user_data,
              struct MHD_Connection *connection,
              void **con_cls,
              enum MHD_RequestTerminationCode code)
{
  Port *port = user_data;
  Request *request = *con_cls;

  if (request == NULL)
    return;
  if (port->server->log != NULL && request->route != NULL)
    {
      fprintf (port->server->log, "%.3f %s %u %" G_GUINT64_FORMAT " %s%s\n",
               (double) g_get_real_time () / G_USEC_PER_SEC, port->is_cdn ? "cdn" : "hub",
               request->status, request->n_sent, request->uri,
               code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : " (aborted)");
      fflush (port->server->log);
    }
  g_free (request->uri);
  hub_route_free (request->route);
  hub_fault_unref (request->fault);
  g_clear_pointer (&request->posted, g_byte_array_unref);
  g_free (request);
  *con_cls = NULL;
}

static void
on_connection (void *user_data,
               struct MHD_Connection *connection,
               void **socket_context,
               enum MHD_ConnectionNotificationCode code)
{
  Port *port = user_data;
  HubServer *self = port->server;
  int fd = hub_connection_fd (connection), unsent = UNSENT_MAX_BYTES;
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (code == MHD_CONNECTION_NOTIFY_CLOSED)
    {
      g_hash_table_remove (self->sockets, GINT_TO_POINTER (fd));
      return;
    }
  setsockopt (fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
  g_hash_table_add (self->sockets, GINT_TO_POINTER (fd));
}

static enum MHD_Result
on_accept (void *user_data, const struct sockaddr *address, socklen_t length)
{
  Port *port = user_data;

  return g_atomic_int_get (&port->server->is_down) ? MHD_NO : MHD_YES;
}

static gboolean
start_port (HubServer *self, Port *port, gint number, gboolean is_cdn, GError **error)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((guint16) number) };

  port->server = self;
  port->is_cdn = is_cdn;
  if (inet_pton (AF_INET, self->config->listen, &address.sin_addr) == 1)
    port->daemon = MHD_start_daemon (
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, on_accept, port, on_request,
        port, MHD_OPTION_SOCK_ADDR, (struct sockaddr *) &address, MHD_OPTION_THREAD_POOL_SIZE,
        (unsigned int) N_THREADS, MHD_OPTION_CONNECTION_LIMIT, (unsigned int) MAX_CONNECTIONS,
        MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_URI_LOG_CALLBACK, on_uri, port,
        MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, port, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        port, MHD_OPTION_NOTIFY_CONNECTION, on_connection, port, MHD_OPTION_END);
  if (port->daemon != NULL)
    port->number = MHD_get_daemon_info (port->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot listen on %s:%d",
                 self->config->listen, number);
  return port->daemon != NULL;
}

static char *
make_secret (void)
{
  guint8 bytes[16];
  GString *hex = g_string_new (NULL);

  gnutls_rnd (GNUTLS_RND_KEY, bytes, sizeof bytes);
  for (gsize i = 0; i < sizeof bytes; i++)
    g_string_append_printf (hex, "%02x", bytes[i]);
  return g_string_free (hex, FALSE);
}

HubServer *
hub_server_new (const HubConfig *config, GError **error)
{
  g_autoptr (HubServer) self = g_new0 (HubServer, 1);

  g_mutex_init (&self->lock);
  self->config = config;
  self->is_down = 1; /* until both ports are known: answers on one name the other */
  self->stats = hub_stats_new ();
  self->faults = hub_faults_new ();
  self->secret = make_secret ();
  self->sockets = g_hash_table_new (NULL, NULL);
  self->paused = g_hash_table_new (NULL, NULL);
  self->catalog = hub_catalog_load (config->root, NULL, error);
  if (self->catalog == NULL)
    return NULL;
  if (config->log != NULL && (self->log = fopen (config->log, "ae")) == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: cannot be written to", config->log);
      return NULL;
    }
  if (!start_port (self, &self->hub, config->port, FALSE, error) ||
      !start_port (self, &self->cdn, config->cdn_port, TRUE, error))
    return NULL;
  hub_server_set_down (self, FALSE);
  return g_steal_pointer (&self);
}

void
hub_server_free (HubServer *self)
{
  if (self == NULL)
    return;
  g_atomic_int_set (&self->is_stopping, 1);
  hub_server_set_down (self, TRUE);
  resume_all (self);
  g_clear_pointer (&self->hub.daemon, MHD_stop_daemon);
  g_clear_pointer (&self->cdn.daemon, MHD_stop_daemon);
  g_clear_pointer (&self->log, fclose);
  hub_catalog_unref (self->catalog);
  hub_stats_free (self->stats);
  hub_faults_free (self->faults);
  g_hash_table_unref (self->sockets);
  g_hash_table_unref (self->paused);
  g_free (self->secret);
  g_mutex_clear (&self->lock);
  g_free (self);
}

guint16
hub_server_port (HubServer *self)
{
  return self->hub.number;
}

guint16
hub_server_cdn_port (HubServer *self)
{
  return self->cdn.number;
}

HubStats *
hub_server_stats (HubServer *self)
{
  return self->stats;
}

HubFaults *
hub_server_faults (HubServer *self)
{
  return self->faults;
}

gboolean
hub_server_reload (HubServer *self, GError **error)
{
  g_autoptr (HubCatalog) earlier = NULL;
  HubCatalog *catalog;

  g_mutex_lock (&self->lock);
  earlier = hub_catalog_ref (self->catalog);
  g_mutex_unlock (&self->lock);
  catalog = hub_catalog_load (self->config->root, earlier, error);
  if (catalog == NULL)
    return FALSE;
  g_mutex_lock (&self->lock);
  hub_catalog_unref (self->catalog);
  self->catalog = catalog;
  g_mutex_unlock (&self->lock);
  return TRUE;
}

void
hub_server_set_down (HubServer *self, gboolean down)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  GHashTableIter iter;
  gpointer fd;

  g_atomic_int_set (&self->is_down, down);
  g_hash_table_iter_init (&iter, self->sockets);
  while (down && g_hash_table_iter_next (&iter, &fd, NULL))
    shutdown (GPOINTER_TO_INT (fd), SHUT_RDWR);
}
