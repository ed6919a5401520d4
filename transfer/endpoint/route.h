/* route.h - what a client of the Hub asks for: the URL grammar of hub-protocol.md 1
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure. Everything it lets through was decoded segment by segment and checked (exo_repo_id_check(),
 * exo_revision_check(), exo_path_check()); nothing with empty, "." or ".." segments, NULs, backslashes passes.
 */

#pragma once

#include "transfer/hub/manifest.h"

G_BEGIN_DECLS

typedef enum
{
  EXO_ROUTE_PAGE,        /* "/": the dashboard */
  EXO_ROUTE_STATE,       /* "/state.json": what it shows */
  EXO_ROUTE_METRICS,     /* "/metrics" */
  EXO_ROUTE_INFO,        /* /api/{type}s/{id}[/revision/{rev}] */
  EXO_ROUTE_TREE,        /* /api/{type}s/{id}/tree/{rev}[/{path}] */
  EXO_ROUTE_PATHS_INFO,  /* POST /api/{type}s/{id}/paths-info/{rev} */
  EXO_ROUTE_REFS,        /* /api/{type}s/{id}/refs */
  EXO_ROUTE_RESOLVE,     /* [/{type}s]/{id}/resolve/{rev}/{path} */
  EXO_ROUTE_RAW,         /* [/{type}s]/{id}/raw/{rev}/{path} */
  EXO_ROUTE_PASS,        /* any other GET below /api/: asked of the Hub as it is */
  EXO_ROUTE_UPLOAD,      /* LFS batch, xet-write-token, any other POST below /api/: not done here */
  EXO_ROUTE_BAD_REQUEST, /* of the shapes above, with a name that must not be: ExoRoute.error */
  EXO_ROUTE_NONE,        /* nothing of ours, nothing of the Hub's */
} ExoRouteKind;

typedef struct
{
  ExoRouteKind kind;
  ExoRepoType type;
  char *id;       /* (nullable) as are the others */
  char *revision; /* NULL: the default branch; "HEAD" is given as NULL, too */
  char *path; /* of a file or, for TREE, a folder; NULL: the root. PASS: as sent, after one "/" */
  gboolean recursive, expand, blobs; /* of the query; "true", "1", "True" */
  gboolean paged;                    /* a cursor is in the query: we never gave one */
  GError *error;                     /* of BAD_REQUEST: INVALID */
} ExoRoute;

/* @path: as in the request line, begins with "/"; several slashes at its beginning count as one. @query: may be "".
 * Revisions are accepted percent-encoded in one segment, and "refs/pr/N", "refs/convert/X" literally. */
void exo_route_parse (ExoRoute *out_route, gboolean post, const char *path, const char *query);
void exo_route_clear (ExoRoute *route);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ExoRoute, exo_route_clear)

G_END_DECLS
