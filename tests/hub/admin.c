/* admin.c - the port through which tests steer the stand-in Hub
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/hub/admin.h"

#include <arpa/inet.h>
#include <gio/gio.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/hub/reply.h"

static const char NOT_FOUND[] = "{\"error\":\"no such action\"}";

struct HubAdmin
{
  HubServer *server;
  struct MHD_Daemon *daemon;
};

/* What one request does; Returns: (transfer full) (nullable): JSON, or %NULL with @error set */
typedef char *(*Action) (HubServer *server, const char *body, GError **error);

static char *
get_stats (HubServer *server, const char *body, GError **error)
{
  return hub_stats_to_json (hub_server_stats (server));
}

static char *
post_reset (HubServer *server, const char *body, GError **error)
{
  hub_stats_reset (hub_server_stats (server));
  return g_strdup ("{}");
}

static char *
get_faults (HubServer *server, const char *body, GError **error)
{
  return hub_faults_to_json (hub_server_faults (server));
}

static char *
post_faults (HubServer *server, const char *body, GError **error)
{
  return hub_faults_set (hub_server_faults (server), body, error) ? g_strdup ("{}") : NULL;
}

static char *
delete_faults (HubServer *server, const char *body, GError **error)
{
  return hub_faults_set (hub_server_faults (server), NULL, error) ? g_strdup ("{}") : NULL;
}

static char *
post_down (HubServer *server, const char *body, GError **error)
{
  hub_server_set_down (server, TRUE);
  return g_strdup ("{}");
}

static char *
post_up (HubServer *server, const char *body, GError **error)
{
  hub_server_set_down (server, FALSE);
  return g_strdup ("{}");
}

static char *
post_reload (HubServer *server, const char *body, GError **error)
{
  return hub_server_reload (server, error) ? g_strdup ("{}") : NULL;
}

static const struct
{
  const char *method, *path;
  Action action;
} ACTIONS[] = {
  { "GET", "/stats", get_stats },
  { "POST", "/reset", post_reset },
  { "GET", "/faults", get_faults },
  { "POST", "/faults", post_faults },
  { "DELETE", "/faults", delete_faults },
  { "POST", "/down", post_down },
  { "POST", "/up", post_up },
  { "POST", "/reload", post_reload },
};

static enum MHD_Result
send_json (struct MHD_Connection *connection, guint status, const char *text, gsize length)
{
  struct MHD_Response *response =
      MHD_create_response_from_buffer (length, (void *) text, MHD_RESPMEM_MUST_COPY);
  enum MHD_Result result;

  MHD_add_response_header (response, "Content-Type", "application/json");
  result = MHD_queue_response (connection, status, response);
  MHD_destroy_response (response);
  return result;
}

static enum MHD_Result
act (HubAdmin *self,
     struct MHD_Connection *connection,
     const char *method,
     const char *url,
     const char *body)
{
  for (gsize i = 0; i < G_N_ELEMENTS (ACTIONS); i++)
    if (g_str_equal (ACTIONS[i].method, method) && g_str_equal (ACTIONS[i].path, url))
      {
        g_autoptr (GError) error = NULL;
        g_autofree char *text = ACTIONS[i].action (self->server, body, &error);

        if (text != NULL)
          return send_json (connection, 200, text, strlen (text));
        {
          g_autoptr (HubReply) reply = hub_reply_new_error (400, NULL, error->message);
          return send_json (connection, 400, g_bytes_get_data (reply->bytes, NULL), reply->length);
        }
      }
  return send_json (connection, 404, NOT_FOUND, strlen (NOT_FOUND));
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
  GString *posted = *con_cls;

  if (posted == NULL)
    {
      *con_cls = g_string_new (NULL);
      return MHD_YES;
    }
  if (*upload_size > 0)
    {
      if (posted->len + *upload_size > HUB_POST_MAX_BYTES)
        return MHD_NO;
      g_string_append_len (posted, upload_data, (gssize) *upload_size);
      *upload_size = 0;
      return MHD_YES;
    }
  return act (user_data, connection, method, url, posted->str);
}

static void
on_completed (void *user_data,
              struct MHD_Connection *connection,
              void **con_cls,
              enum MHD_RequestTerminationCode code)
{
  GString *posted = *con_cls;

  if (posted != NULL)
    g_string_free (posted, TRUE);
  *con_cls = NULL;
}

HubAdmin *
hub_admin_new (HubServer *server, const char *listen, gint port, GError **error)
{
  HubAdmin *self = g_new0 (HubAdmin, 1);
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((guint16) port) };

  self->server = server;
  if (inet_pton (AF_INET, listen, &address.sin_addr) == 1)
    self->daemon = MHD_start_daemon (
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, self, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *) &address, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, self, MHD_OPTION_END);
  if (self->daemon != NULL)
    return self;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot listen on %s:%d", listen, port);
  hub_admin_free (self);
  return NULL;
}

void
hub_admin_free (HubAdmin *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->daemon, MHD_stop_daemon);
  g_free (self);
}

guint16
hub_admin_port (HubAdmin *self)
{
  return MHD_get_daemon_info (self->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}
