/* server-private.h - what the server's files share
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#pragma once

#include <microhttpd.h>

#include "tests/hub/reply.h"
#include "tests/hub/server.h"

G_BEGIN_DECLS

/* Silences the connection and resumes it later, or at once when the server stops (any thread) */
void hub_server_pause (HubServer *self, struct MHD_Connection *connection, double seconds);
gboolean hub_server_is_stopping (HubServer *self);

/* What a request's body is sent for, and where it is counted */
typedef struct
{
  HubServer *server;
  struct MHD_Connection *connection;
  HubFault *fault;     /* (nullable): borrowed, taken a reference to */
  HubPathStats *stats; /* (nullable): NULL if it is not a file's bytes */
  guint64 *n_sent;     /* (nullable): for the log; outlives the response */
} HubBodyUse;

/* @reply: consumed; @gzip: the client accepts it; Returns: (transfer full) */
struct MHD_Response *hub_body_response (HubReply *reply, const HubBodyUse *use, gboolean gzip);

/* Sends an RST now */
void hub_body_reset (struct MHD_Connection *connection);

int hub_connection_fd (struct MHD_Connection *connection);

G_END_DECLS
