/* reply.h - an answer before it becomes bytes
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The answering code (api.c, files.c) makes a reply out of a request; server.c spoils it if a
 * fault says so and sends it.
 */

#pragma once

#include "tests/hub/catalog.h"
#include "tests/hub/faults.h"

G_BEGIN_DECLS

typedef struct
{
  guint status;
  GPtrArray *headers; /* (element-type utf8): name, value, name, value, ... */
  GBytes *bytes;      /* (nullable): the body, unless it comes from @fd */
  int fd;             /* -1: none; owned */
  guint64 offset;     /* of the body in the file */
  guint64 length;     /* of the body */
  gboolean may_gzip;  /* a text, whole */
} HubReply;

/* All a reply depends on. Borrowed; lives as long as the request. */
typedef struct
{
  HubCatalog *catalog;
  const HubRoute *route;
  const HubFault *fault;  /* (nullable) */
  const char *method;     /* HEAD is answered like GET; the body is left out later */
  const char *token;      /* (nullable): from Authorization: Bearer */
  gboolean has_auth;      /* an Authorization header of any kind */
  const char *range;      /* (nullable): header value */
  const char *none_match; /* (nullable): header value */
  const char *body;       /* (nullable): what was posted */
  const char *body_type;  /* (nullable): its Content-Type */
  const char *hub_base;   /* "http://host:port" of this Hub, as the client sees it */
  const char *cdn_base;
  const char *secret; /* signs CDN addresses and cursors */
  gint64 now;         /* seconds since 1970 */
  gint64 sign_ttl;    /* seconds */
} HubAsk;

HubReply *hub_reply_new (guint status, const char *content_type, const char *text);
HubReply *
hub_reply_new_error (guint status, const char *code, const char *message); /* @code: (nullable) */
HubReply *hub_reply_new_redirect (guint status, const char *to);
void hub_reply_free (HubReply *reply); /* %NULL is fine */

/* Adds the header, or replaces it */
void hub_reply_set (HubReply *reply, const char *name, const char *value);
const char *hub_reply_get (const HubReply *reply, const char *name); /* (nullable) */

/* The 401, 403, 404 or 307 that a request for this repo earns, or NULL with the repo and revision it is for.
 * @bytes: the contents are asked for, not only their description */
HubReply *hub_refuse (const HubAsk *ask,
                      gboolean bytes,
                      const HubRepo **out_repo,
                      const HubManifest **out_manifest);

HubReply *hub_entry_not_found (const HubManifest *manifest);

/* api.c */
HubReply *hub_answer_api (const HubAsk *ask);

/* files.c: what /resolve/, /raw/ and the CDN serve */
HubReply *hub_answer_file (const HubAsk *ask);
HubReply *hub_answer_cdn (const HubAsk *ask);

/* Returns: (transfer full) (nullable): under which a CDN address is counted */
char *hub_cdn_stats_path (const HubRoute *route);

/* Makes @reply what @fault makes of it */
void hub_reply_spoil (HubReply *reply, const HubFault *fault);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HubReply, hub_reply_free)

G_END_DECLS
