/* server.h - the two ports of the stand-in Hub
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * libmicrohttpd's threads answer from an immutable catalog; the main context owns the clock that
 * ends a stall. All calls here are for the main thread, the start and the stop among them; the
 * admin port, which has a thread of its own, may call what is marked (any thread).
 */

#pragma once

#include "tests/hub/catalog.h"
#include "tests/hub/faults.h"
#include "tests/hub/stats.h"

G_BEGIN_DECLS

#define HUB_POST_MAX_BYTES (1024 * 1024) /* of a posted body; more is 413 */

typedef struct
{
  char *root;
  char *listen;    /* IPv4 address */
  gint port;       /* 0: any free one */
  gint cdn_port;   /* 0: any free one */
  char *hub_base;  /* (nullable): how clients reach the Hub, if not as they say in Host */
  char *cdn_base;  /* (nullable) */
  char *log;       /* (nullable): path */
  gint64 sign_ttl; /* seconds that a CDN address lives */
  gint64 quota;    /* requests in a window; 0: any number */
  gint64 window;   /* seconds */
} HubConfig;

typedef struct HubServer HubServer;

/* @config: borrowed, outlives the server */
HubServer *hub_server_new (const HubConfig *config, GError **error);
void hub_server_free (HubServer *self); /* %NULL is fine; ends every connection */

guint16 hub_server_port (HubServer *self);
guint16 hub_server_cdn_port (HubServer *self);

HubStats *hub_server_stats (HubServer *self);   /* borrowed (any thread) */
HubFaults *hub_server_faults (HubServer *self); /* borrowed (any thread) */

gboolean hub_server_reload (HubServer *self, GError **error); /* (any thread) */

/* Down: every connection, present or new, is closed without an answer (any thread) */
void hub_server_set_down (HubServer *self, gboolean down);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HubServer, hub_server_free)

G_END_DECLS
