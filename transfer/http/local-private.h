/* local-private.h - what the files of the loopback server share; see local-server.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   local-server.c  life, connections, answers; main thread, but for the comings and goings of connections
 *   local-http.c    libmicrohttpd's callbacks: what is refused, bodies; on its threads
 *   local-stream.c  answers that grow
 *   local-client.c  whose program the client is
 *
 * One lock, ExoLocalServer.lock, guards what is said to be under it; it is taken before libmicrohttpd's own locks, never
 * after. A connection is suspended and the flag that says so is set under it, and the flag is read and the connection
 * resumed under it, so no wake-up is lost. Once closing is set nothing is suspended any more, so that the daemon can stop.
 *
 * A request belongs to libmicrohttpd's connection. The main thread holds it only while that is suspended, and a
 * suspended connection does not go away: neither needs a count.
 */

#pragma once

#include <microhttpd.h>
#include <netinet/in.h>

#include "transfer/http/acceptor.h"
#include "transfer/http/inbox.h"
#include "transfer/http/local-server.h"

#define EXO_LOCAL_URI_MAX (8u * 1024u) /* bytes, path and query */

typedef struct
{
  int fd; /* libmicrohttpd's; valid as long as this is in ExoLocalServer.conns */
  struct sockaddr_in peer;
  ExoLocalRequest *request; /* (nullable): borrowed, the one being answered; under the lock */
  gboolean judged, foreign; /* on its thread: whether the client is another user's */
} LocalConn;

typedef enum
{
  LOCAL_REQUEST_READING,
  LOCAL_REQUEST_ASKED, /* suspended: the main thread has it */
  LOCAL_REQUEST_ANSWERED,
} LocalRequestState;

struct ExoLocalRequest
{
  ExoLocalServer *server;
  struct MHD_Connection *connection;
  LocalConn *conn;         /* (nullable): borrowed; NULL until its headers were read */
  LocalRequestState state; /* under the lock */

  char *path;  /* (nullable): as sent; NULL if there was none */
  char *query; /* (nullable): within path's memory */
  gsize uri_length;
  gboolean head, post;
  GByteArray *incoming; /* (nullable): of a POST */
  gboolean too_large;   /* its body */
  GBytes *body;         /* (nullable) */

  struct MHD_Response *response; /* (nullable): the answer */
  guint status;
  ExoLocalStream *stream; /* (nullable): counted */
};

/* Counted with g_atomic_rc_box: by the request, by the response, by messages, and by the main thread while it is open. */
struct ExoLocalStream
{
  ExoLocalServer *server; /* valid while open, or connection is not NULL */
  guint64 first, length;  /* set once */
  int fd;                 /* owned; -1, then set once */

  /* Under the lock */
  struct MHD_Connection *connection; /* NULL once it is gone */
  int socket;                        /* valid until then */
  guint64 end;                       /* what was given */
  guint64 offset;                    /* the next byte to read */
  gboolean suspended;
  gboolean failed; /* its socket was shut down */
  gboolean posted; /* the main thread will look whether it waits */

  /* Main thread */
  gboolean open; /* the owner has it */
  ExoLocalStreamCallbacks callbacks;
  gpointer user_data;
  GSource *watch; /* (nullable): of the socket, for a client that goes while it is suspended */
};

struct ExoLocalServer
{
  GMutex lock;
  struct MHD_Daemon *daemon; /* set once */
  GMainContext *context;     /* set once */
  guint16 port;              /* set once */
  ExoInbox *inbox;           /* set once */

  /* Under the lock */
  gboolean closing;  /* written by the main thread, which may read it without */
  GHashTable *conns; /* (element-type LocalConn) set, owned */
  guint n_conns;     /* those on their way to libmicrohttpd among them */

  /* Main thread */
  ExoAcceptor *acceptor;
  ExoLocalHandler handler;
  gpointer user_data;
  GHashTable *streams; /* (element-type ExoLocalStream) set of those open, counted */
};

/* local-http.c: for MHD_start_daemon(); @cls is the server in all */
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

/* local-server.c */
gboolean exo_local_deliver (gpointer request); /* a message */
/* Adds what every answer has (local-server.h). */
void exo_local_protect (struct MHD_Response *response);
/* Queues the answer. Consumes @response */
void exo_local_finish (ExoLocalRequest *request,
                       guint status,
                       const char *const *headers,
                       struct MHD_Response *response);

/* local-stream.c */
void exo_local_stream_detach_locked (ExoLocalStream *stream, gboolean sent);
void exo_local_stream_wake_locked (ExoLocalStream *stream);
void exo_local_stream_close (ExoLocalStream *stream); /* nothing is told any more */
void exo_local_stream_unref (ExoLocalStream *stream);

/* local-client.c: whether the client of a connection to 127.0.0.1:@port is a program of another user than this one and root.
 * Any thread. */
gboolean exo_local_client_is_foreign (const struct sockaddr_in *client, guint16 port);
