/* local-private.h - what the files of the local server share; see local-server.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   local-server.c  life, answers, streams: what the main thread does
 *   local-http.c    libmicrohttpd's callbacks: what its one thread does
 *   local-client.c  may this client ask at all?
 *
 * A request is suspended while the main thread thinks about it, a stream while its reader waits. The lock guards what both
 * threads touch. It is taken before libmicrohttpd's own: a connection is suspended and marked so under it, and resumed under it.
 */

#pragma once

#include <microhttpd.h>

#include "transfer/http/local-server.h"

G_BEGIN_DECLS

#define EXO_LOCAL_URI_MAX 8192u /* bytes of path and query */

struct ExoLocalStream
{
  const ExoLocalStreamCallbacks *callbacks; /* NULL: it is none, or it is over; main thread only */
  gpointer user_data;
  guint64 first;
  guint64 taken; /* bytes given to libmicrohttpd */
  guint64 end;   /* offset up to which may be read */
  int fd;        /* -1 until something was given */
  gboolean failed;
  GSource *watch; /* of a waiting reader's socket; main thread only */
};

/* Counted atomically: one count is the connection's, one the main thread's from the question to the answer, or to the end of
 * the stream. */
struct ExoLocalRequest
{
  ExoLocalServer *server; /* counted */
  struct MHD_Connection *connection;
  char *uri,
      *query; /* the URI is cut at the query; all of this is set before the main thread sees it */
  gboolean head, post;
  gboolean refused; /* the rest of a body is read, not kept */
  guint64 expected; /* bytes of the body, as announced */
  GByteArray *received;
  GBytes *body;
  struct MHD_Response *response; /* the answer, owned until it is queued */
  guint status;
  gboolean asked;     /* the main thread was */
  gboolean suspended; /* guarded, as are the next */
  gboolean gone;      /* the connection is closed */
  ExoLocalStream stream;
};

struct ExoLocalServer
{
  GMutex lock;
  struct MHD_Daemon *daemon;
  GMainContext *context;
  ExoLocalHandler handler;
  gpointer user_data;
  guint16 port;
  gboolean closing;
  GHashTable *requests; /* ExoLocalRequest, borrowed: live connections' */
};

/* local-server.c */
ExoLocalServer *exo_local_server_ref (ExoLocalServer *server);
ExoLocalRequest *exo_local_request_ref (ExoLocalRequest *request);
void exo_local_request_unref (ExoLocalRequest *request);
/* Runs @function with a count of @request on the main thread, in the order of the calls. */
void exo_local_post (ExoLocalRequest *request, GSourceFunc function);
gboolean exo_local_ask (gpointer request);     /* for exo_local_post(): hands it to the handler */
gboolean exo_local_waits (gpointer request);   /* the reader has caught up */
gboolean exo_local_is_over (gpointer request); /* the stream's connection has ended */

/* local-http.c */
void *exo_local_on_uri (void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result exo_local_on_request (void *cls,
                                      struct MHD_Connection *connection,
                                      const char *url,
                                      const char *method,
                                      const char *version,
                                      const char *upload_data,
                                      size_t *upload_data_size,
                                      void **req_cls);
void exo_local_on_completed (void *cls,
                             struct MHD_Connection *connection,
                             void **req_cls,
                             enum MHD_RequestTerminationCode code);
ssize_t exo_local_read (void *cls, uint64_t position, char *buffer, size_t max);

/* local-client.c; any thread. NULL: it may; else why not, a plain sentence */
const char *exo_local_refuse_client (struct MHD_Connection *connection, guint16 port);

G_END_DECLS
