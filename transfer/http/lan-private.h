/* lan-private.h - what the files of the LAN server share; see lan-server.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   lan-server.c   life, sockets, the shares, the tick
 *   lan-http.c     libmicrohttpd's callbacks: routes and bodies; on its threads
 *   lan-slots.c    who may upload now
 *   lan-pace.c     how fast, all together
 *   lan-stream.c   endless answers, and questions to the main thread
 *   lan-address.c  which addresses are local
 *
 * One lock, ExoLanServer.lock, guards everything below that is not said to be otherwise. It is taken
 * before libmicrohttpd's own locks (MHD_suspend_connection(), MHD_resume_connection()), never after:
 * libmicrohttpd calls us with none of its daemon locks held. A connection is suspended and the flag
 * that says so is set under this lock, and the flag is read and the connection resumed under it, so no
 * wake-up is lost. After closing is set nothing is suspended any more, so that the daemon can stop.
 */

#pragma once

#include <microhttpd.h>

#include "transfer/http/inbox.h"
#include "transfer/http/lan-server.h"

#define EXO_LAN_FREE_BYTES    (64u * 1024u) /* shorter uploads need no slot */
#define EXO_LAN_BODIES_MAX    (64u << 20)   /* bytes of POST bodies being read, all together */
#define EXO_LAN_LOOKUPS_MAX   256u          /* shares found by lookup, each an open file */
#define EXO_LAN_LOOKUP_IDLE_S 60
#define EXO_LAN_STALL_S       5 /* an upload without progress while others wait ends */
#define EXO_LAN_SLOW_S        10
#define EXO_LAN_SLOW_RATE     (64u * 1024u) /* bytes/s over EXO_LAN_SLOW_S */

typedef struct
{
  char *address; /* owned; without port */
  int fd;        /* libmicrohttpd's; valid as long as this is in ExoLanServer.conns */
  gboolean reading;
  gboolean paced;  /* it has an upload, or the rest of one in its buffer, and there is a rate */
  gint64 since_us; /* monotonic: when it began to wait for this request */
  ExoLanRequest *request; /* (nullable): borrowed, the one being answered */
} LanConn;

typedef struct
{
  int fd; /* owned */
  guint64 size;
  ExoPieceMap *map;   /* owned; NULL: all */
  gboolean looked_up; /* from the lookup, not published */
  gint64 used_us;     /* monotonic */
} LanShare;

typedef enum
{
  LAN_REQUEST_NEW,    /* its answer was not looked for yet */
  LAN_REQUEST_ASKED,  /* the main thread was asked */
  LAN_REQUEST_QUEUED, /* an upload, waiting for a slot */
  LAN_REQUEST_READY,  /* the main thread answered, or the slot was given */
  LAN_REQUEST_GONE,   /* the server closes, or the client has gone: close the connection */
} LanRequestState;

typedef enum
{
  LAN_ASK_LOOKUP,   /* args: oid */
  LAN_ASK_DIGESTS,  /* args: oid */
  LAN_ASK_MANIFEST, /* args: type, id, revision */
  LAN_ASK_CARD,
} LanAsk;

/* Counted with g_atomic_rc_box: one count is the connection's, one the main thread's while it is asked. */
struct ExoLanRequest
{
  ExoLanServer *server; /* counted */
  struct MHD_Connection *connection;
  LanConn *conn; /* borrowed */
  LanRequestState state;
  gboolean suspended;

  GByteArray *body;     /* (nullable) of a POST; only the connection's thread touches it */
  gsize body_counted;   /* of ExoLanServer.bodies */
  ExoLanStream *stream; /* (nullable): counted */

  LanAsk ask;
  char *args[3];
  guint status;
  GBytes *json;

  gboolean has_slot;
  gboolean looked_up; /* the main thread was asked for this oid already */
  guint64 length;     /* bytes of the blob that this answers with */
  guint64 acked;      /* bytes the client had acknowledged at progress_us */
  gint64 progress_us;
  guint64 slow_acked; /* the same at slow_us, to tell the rate */
  gint64 slow_us;
};

/* Counted likewise: one count is the request's, one the main thread's until closed() was told. */
struct ExoLanStream
{
  ExoLanServer *server;              /* counted */
  struct MHD_Connection *connection; /* NULL once it is gone */
  LanConn *conn;                     /* borrowed; NULL likewise */
  char *address;
  GByteArray *buffer;
  gsize taken; /* of buffer, from its start */
  gboolean suspended;
  gboolean ending; /* what is in the buffer goes out, then it ends */
  gboolean failed; /* it ends at once */

  gpointer data;   /* the owner's; main thread only */
  gboolean opened; /* the owner was told; main thread only */
};

struct ExoLanServer
{
  GMutex lock;
  struct MHD_Daemon *daemon; /* set once */
  GMainContext *context;     /* set once */
  ExoLanCallbacks callbacks; /* set once */
  gpointer user_data;
  guint slots;
  guint64 rate; /* bytes/s of all uploads; 0: any */
  gboolean closing;

  GHashTable *conns;       /* (element-type LanConn) set, owned */
  GHashTable *per_address; /* address -> connections from there */
  guint n_conns;
  gsize bodies; /* bytes */

  void (*card_wanted) (ExoLanRequest *request, gpointer user_data); /* (nullable) */
  gpointer card_data;

  GHashTable *shares; /* oid -> LanShare */
  guint n_lookups;

  GQueue queue;        /* ExoLanRequest, waiting */
  GHashTable *uploads; /* address -> ExoLanRequest that has a slot, borrowed */
  guint64 bytes_served;
  GSource *tick; /* (nullable): runs while there is something to watch */
  gint64 tick_at_us;

  ExoInbox *inbox; /* set once */

  /* Main thread only */
  GPtrArray *listeners; /* LanListener */
  guint16 port;
  gboolean allow_loopback;
  GHashTable *streams; /* ExoLanStream the owner was told of, borrowed */
  int (*lookup) (const char *oid, guint64 *out_size, gpointer user_data);
  gpointer lookup_data;
};

ExoLanServer *exo_lan_server_ref (ExoLanServer *server);
void exo_lan_server_unref (ExoLanServer *server);
void exo_lan_tick_locked (ExoLanServer *server); /* there may be something to watch */

/* lan-http.c: for MHD_start_daemon(); @cls is the server in all */
enum MHD_Result exo_lan_on_request (void *cls,
                                    struct MHD_Connection *connection,
                                    const char *url,
                                    const char *method,
                                    const char *version,
                                    const char *upload_data,
                                    size_t *upload_data_size,
                                    void **req_cls);
void exo_lan_on_completed (void *cls,
                           struct MHD_Connection *connection,
                           void **req_cls,
                           enum MHD_RequestTerminationCode code);
void exo_lan_on_connection (void *cls,
                            struct MHD_Connection *connection,
                            void **socket_context,
                            enum MHD_ConnectionNotificationCode code);
ExoLanRequest *exo_lan_request_ref (ExoLanRequest *request);
void exo_lan_request_unref (ExoLanRequest *request);
void exo_lan_suspend_locked (ExoLanRequest *request, LanRequestState state);
void exo_lan_resume_locked (ExoLanRequest *request, LanRequestState state);

/* lan-slots.c */
typedef enum
{
  LAN_SLOT_GIVEN,
  LAN_SLOT_QUEUED, /* suspended; the request comes again */
  LAN_SLOT_REFUSED,
} LanSlot;
LanSlot exo_lan_slot_take_locked (ExoLanRequest *request);
void exo_lan_slot_release_locked (ExoLanRequest *request);
void exo_lan_slots_watch_locked (ExoLanServer *server, gint64 now_us);

/* lan-pace.c */
void exo_lan_pace_begun_locked (ExoLanRequest *request); /* it got a slot */
void exo_lan_pace_ended_locked (ExoLanServer *server);   /* some request gave its slot back */
/* bytes/s below which an upload is slow by itself, and not because it has to be */
guint64 exo_lan_pace_least_locked (ExoLanServer *server, guint64 usual);

/* lan-stream.c */
enum MHD_Result exo_lan_stream_open (ExoLanRequest *request);
void exo_lan_stream_detach_locked (ExoLanStream *stream);
void exo_lan_stream_unref (ExoLanStream *stream);
void exo_lan_stream_end_locked (ExoLanStream *stream);
/* FALSE if the server closes */
gboolean
exo_lan_ask (ExoLanRequest *request, LanAsk ask, const char *a, const char *b, const char *c);

/* lan-server.c */
LanConn *exo_lan_conn_started_locked (ExoLanServer *server, struct MHD_Connection *connection);
void exo_lan_conn_closed_locked (ExoLanServer *server, LanConn *conn);
LanShare *exo_lan_share_new (int fd, guint64 size, const ExoPieceMap *map);
void exo_lan_share_put_locked (ExoLanServer *server, const char *oid, LanShare *share);
