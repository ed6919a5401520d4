/* endpoint-private.h - what the files of the loopback endpoint share
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The Hub, as programs of this machine see it with HF_ENDPOINT=http://127.0.0.1:52419 (hub-protocol.md, sections 0 to 5):
 * answered from the cache, or pulled through the swarm while it is streamed.
 *
 *   route.c      what is asked for (pure)
 *   repo-json.c  a list of files as the texts of the Hub's API (pure)
 *   status.c     the dashboard, its figures, metrics
 *   lookup.c     which commit and which files a revision has
 *   reading.c    one file on its way to a program
 *   endpoint.c   one request after the other to the right place
 *
 * Main thread only.
 */

#pragma once

#include "transfer/endpoint/route.h"
#include "transfer/engine-private.h"
#include "transfer/http/local-server.h"

G_BEGIN_DECLS

typedef struct ExoReading ExoReading;

struct ExoEndpoint
{
  ExoEngine *engine; /* borrowed */
  ExoLocalServer *server;
  char *url;
  GHashTable *lookups; /* "type id revision" -> Lookup, owned */
  GPtrArray *readings; /* ExoReading, under way, borrowed */
  GHashTable
      *tainted; /* oid -> until when (gint64 *, monotonic us): readers have got wrong bytes of it */
  GHashTable *rechecks; /* ids of timeouts */
  guint lull_source;    /* transfers without a reader are about to be abandoned */
  GCancellable *cancellable;
};

/* lookup.c */
/* @error: as exo_hub_manifest_async(). @unverified: a neighbour said so. Exactly once, maybe at once; within 9 s. */
typedef void (*ExoLookupDone) (ExoEndpoint *endpoint,
                               ExoManifest *manifest /* (nullable) (transfer none) */,
                               gboolean unverified,
                               const GError *error,
                               gpointer user_data);
/* @revision: (nullable): the default branch */
void exo_lookup (ExoEndpoint *endpoint,
                 ExoRepoType type,
                 const char *id,
                 const char *revision,
                 ExoLookupDone done,
                 gpointer user_data);
void exo_lookup_free (gpointer lookup); /* callers that wait are told CANCELLED */

/* reading.c */
/* Answers @request (GET or HEAD) with the file. */
void exo_reading_start (ExoEndpoint *endpoint,
                        ExoLocalRequest *request,
                        ExoManifest *manifest,
                        gboolean unverified,
                        const char *revision,
                        const ExoManifestFile *file);
void exo_reading_free (ExoReading *reading); /* the server is gone */

/* status.c */
GBytes *
exo_status_page (char **out_policy); /* (transfer full) both: HTML, Content-Security-Policy */
GBytes *exo_status_json (ExoEngine *engine);
GBytes *exo_status_metrics (ExoEngine *engine);

/* endpoint.c */
/* @code: (nullable): X-Error-Code; @commit: (nullable) */
void exo_endpoint_refuse (ExoLocalRequest *request,
                          guint status,
                          const char *code,
                          const char *message,
                          const char *commit);
void exo_endpoint_refuse_error (ExoLocalRequest *request, const GError *error);

G_END_DECLS
