/* lan-server.h - what this node shows its neighbours (transfer/PROTOCOL.md)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * libmicrohttpd's threads answer from one thing they may read without asking: the shares, published here
 * by the main thread. Everything else (streams, digests, manifests, the node card) suspends the
 * connection, asks the main thread and resumes. All functions are main thread only unless they say otherwise.
 *
 * Limits, each with a test one past it: EXO_LAN_* below. A request past a limit gets 4xx or 503 and costs only itself.
 */

#pragma once

#include <gio/gio.h>
#include <sys/socket.h>

#include "transfer/swarm/piece-map.h"

G_BEGIN_DECLS

#define EXO_LAN_PORT            52418
#define EXO_LAN_CONNECTIONS_MAX 512u       /* at once; more are closed at accept */
#define EXO_LAN_PER_ADDRESS_MAX 64u        /* from one address */
#define EXO_LAN_BODY_MAX        (4u << 20) /* bytes of a POST */
#define EXO_LAN_IDLE_TIMEOUT_S  30u
#define EXO_LAN_QUEUE_MAX       256u /* uploads waiting for a slot */
#define EXO_LAN_STREAM_BUFFER                                                                      \
  (8u << 20) /* bytes not yet taken by a slow reader; past it the stream ends */
#define EXO_LAN_STREAM_OIDS_MAX        EXO_MANIFEST_FILES_MAX_ON_WIRE
#define EXO_MANIFEST_FILES_MAX_ON_WIRE 50000u

typedef struct ExoLanServer ExoLanServer;
typedef struct ExoLanStream ExoLanStream;
typedef struct ExoLanRequest ExoLanRequest;

typedef struct
{
  /* POST /v1/swarm was read and is well formed. The owner keeps @stream until closed() and answers with exo_lan_stream_send().
   * @body: the JSON text, checked for size and UTF-8 only (wire.h parses it). */
  void (*stream_opened) (ExoLanServer *server,
                         ExoLanStream *stream,
                         const char *body,
                         gsize length,
                         gpointer user_data);
  /* The peer went, or exo_lan_stream_close(). @stream is gone afterwards. */
  void (*stream_closed) (ExoLanServer *server, ExoLanStream *stream, gpointer user_data);
  /* GET /v1/blobs/{oid}/pieces, GET /v1/manifests/...: answer once, now or later, with exo_lan_request_respond(). */
  void (*digests_wanted) (ExoLanServer *server,
                          ExoLanRequest *request,
                          const char *oid,
                          gpointer user_data);
  void (*manifest_wanted) (ExoLanServer *server,
                           ExoLanRequest *request,
                           const char *type,
                           const char *id,
                           const char *revision,
                           gpointer user_data);
} ExoLanCallbacks;

/* Listens on nothing yet. @slots: uploads at once, one per requester. @error: FAILED */
ExoLanServer *exo_lan_server_new (guint slots,
                                  const ExoLanCallbacks *callbacks,
                                  gpointer user_data,
                                  GError **error);
void exo_lan_server_free (ExoLanServer *server); /* stream_closed() is called for what is open */

/* Listens on each of these (and on no other): private and link-local ones, plus loopback only if @allow_loopback. Called again when the
 * machine's addresses change; sockets that stay are kept. @port: 0 any. Addresses that cannot be bound are warned about, not fatal.
 * The port is the same for all: if @port is taken on one of them any free one is chosen. @error: FAILED if none could be bound. */
gboolean exo_lan_server_listen (ExoLanServer *server,
                                GPtrArray *addresses /* GInetAddress */,
                                guint16 port,
                                gboolean allow_loopback,
                                GError **error);
guint16 exo_lan_server_port (ExoLanServer *server); /* 0 before exo_lan_server_listen() */
/* The machine's own LAN addresses, now: private (RFC 1918, ULA) and link-local; (element-type GInetAddress), any thread */
GPtrArray *exo_lan_addresses (void);
gboolean exo_lan_address_is_local (GInetAddress *address); /* private or link-local; any thread */
char *exo_lan_address_text (GInetAddress *address,
                            guint port); /* "10.0.0.1:52418", "[fe80::1]:52418" */
GInetAddress *
exo_lan_address_from_native (const struct sockaddr *native); /* (nullable); any thread */

/* @rate: bytes/s that all uploads together may have, those that need no slot (64 KiB) left out; 0: any, as at first. For those
 * under way, too. */
void exo_lan_server_set_rate (ExoLanServer *server, guint64 rate);

/* GET /v1/node: @wanted answers once, now or later, with exo_lan_request_respond(). 503 while there is none (%NULL). */
void exo_lan_server_set_card (ExoLanServer *server,
                              void (*wanted) (ExoLanRequest *request, gpointer user_data),
                              gpointer user_data);

/* Shares: blobs that may be read. A share of a growing blob has its own bits; they are set by the main thread and read by the server's.
 * Publishing the same oid again replaces it; readers of the old one finish on its (duplicated) fd. */
void exo_lan_server_share (ExoLanServer *server,
                           const char *oid,
                           int fd,
                           guint64 size,
                           const ExoPieceMap *map /* NULL: all */);
void exo_lan_server_share_add (ExoLanServer *server, const char *oid, guint32 piece);
void exo_lan_server_share_drop (ExoLanServer *server, const char *oid, guint32 piece);
void exo_lan_server_unshare (ExoLanServer *server, const char *oid);
/* Complete blobs need no share each: asked for an oid that is not shared, a server thread asks this on the main thread, once, and keeps the
 * answer as a share until it has been idle for a minute. Returns an fd (transfer full) or -1. */
void
exo_lan_server_set_lookup (ExoLanServer *server,
                           int (*lookup) (const char *oid, guint64 *out_size, gpointer user_data),
                           gpointer user_data);

typedef struct
{
  guint uploads; /* running now */
  guint queued;  /* waiting for a slot */
  guint connections;
  guint64 bytes; /* served since the start, bodies of blobs only */
} ExoLanLoad;

void exo_lan_server_get_load (ExoLanServer *server, ExoLanLoad *out_load); /* any thread */

/* Streams: lines of NDJSON, a newline is added. Order is kept. Never blocks. */
void exo_lan_stream_send (ExoLanStream *stream, const char *line, gsize length);
void exo_lan_stream_close (ExoLanStream *stream);
const char *exo_lan_stream_address (ExoLanStream *stream); /* of the peer, for logs; borrowed */
void exo_lan_stream_set_data (ExoLanStream *stream, gpointer data);
gpointer exo_lan_stream_get_data (ExoLanStream *stream);

/* @status: 200 with @json, or an error with its {"error": ...} */
void exo_lan_request_respond (ExoLanRequest *request, guint status, GBytes *json);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoLanServer, exo_lan_server_free)

G_END_DECLS
