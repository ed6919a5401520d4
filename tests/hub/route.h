/* route.h - what a request line asks for
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The path is split first and each segment decoded after, so that an encoded slash stays in its
 * segment (hub-protocol.md 1.1). Pure.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  HUB_ROUTE_UNKNOWN = 0, /* nothing lives there */
  HUB_ROUTE_BAD,         /* not a path that any file could have */
  HUB_ROUTE_INFO,
  HUB_ROUTE_TREE,
  HUB_ROUTE_REFS,
  HUB_ROUTE_PATHS_INFO,
  HUB_ROUTE_XET_TOKEN,
  HUB_ROUTE_UPLOAD,
  HUB_ROUTE_WHOAMI,
  HUB_ROUTE_RESOLVE,
  HUB_ROUTE_RAW,
  HUB_ROUTE_RESOLVE_CACHE,
} HubRouteKind;

typedef enum
{
  HUB_CLASS_API = 0,
  HUB_CLASS_RESOLVE, /* also /raw/ and what the 307 of small files leads to */
  HUB_CLASS_CDN,
  HUB_N_CLASSES,
} HubClass;

typedef struct
{
  HubRouteKind kind;
  HubClass klass;
  const char *type;  /* "models", "datasets", "spaces"; static */
  char *id;          /* (nullable): "org/name" or "name" */
  char *revision;    /* (nullable) */
  char *path;        /* (nullable): in the repo; "" is never used */
  char *before_id;   /* (nullable): the raw request line up to the id ... */
  char *after_id;    /* (nullable): ... and from there on, query included, for redirects */
  char *stats_path;  /* under which it is counted, such as "models/org/name/resolve/a.bin" */
  char *raw_path;    /* as requested, without the query */
  GHashTable *query; /* (element-type utf8 utf8): decoded; the last of equal names */
} HubRoute;

/* @uri: the request target as it came; Returns: (transfer full) */
HubRoute *hub_route_parse (const char *uri);
void hub_route_free (HubRoute *route); /* %NULL is fine */

/* Every value of @name in an application/x-www-form-urlencoded text; Returns: (transfer full) */
char **hub_form_values (const char *text, const char *name);

/* %TRUE for "true" and "1" */
gboolean hub_route_flag (const HubRoute *route, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HubRoute, hub_route_free)

G_END_DECLS
