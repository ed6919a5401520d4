/* local-server.h - HTTP for the programs of this machine: 127.0.0.1 alone
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The plumbing of the loopback endpoint (design 7): libmicrohttpd's threads read requests and send answers; what the
 * answer is the main thread decides. Nothing is said here about models or the Hub. All functions are main thread only.
 *
 * Refused before anyone is asked, each with a short JSON {"error": ...}:
 *   403  Host is not 127.0.0.1, localhost or [::1] with the port listened on (DNS rebinding);
 *        Origin is there and is not this server's own, or Sec-Fetch-Site says that a page of another origin asks;
 *        the client belongs to another user of the machine than the agent and root
 *   413, 414, 400, 501  what is too large or malformed: EXO_LOCAL_* below. What does not come as far as a request line and
 *        headers (431, also 400 and 413) libmicrohttpd refuses itself, with a line of HTML
 *   503  connections past EXO_LOCAL_CONNECTIONS_MAX are closed at once
 *
 * Much of what is answered was written by strangers and shares its origin with pages of the owner's, so every answer has
 * "X-Content-Type-Options: nosniff" and, unless its headers say otherwise, "Content-Security-Policy: default-src 'none';
 * sandbox": a browser that is led here runs and loads nothing.
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define EXO_LOCAL_PORT            52419
#define EXO_LOCAL_CONNECTIONS_MAX 256u
#define EXO_LOCAL_BODY_MAX        (1u << 20) /* bytes of a POST */
#define EXO_LOCAL_IDLE_TIMEOUT_S  60u        /* of a kept connection without a request */

typedef struct ExoLocalServer ExoLocalServer;
typedef struct ExoLocalRequest ExoLocalRequest;
typedef struct ExoLocalStream ExoLocalStream;

/* A request was read whole and is well formed; answer it once, now or later, with one of the functions below.
 * Should the client go before that, answering is still due and does nothing. */
typedef void (*ExoLocalHandler) (ExoLocalServer *server,
                                 ExoLocalRequest *request,
                                 gpointer user_data);

/* Listens on 127.0.0.1. @port: 0 any; if it is taken one of the fifteen after it is. @error: FAILED */
ExoLocalServer *
exo_local_server_new (guint16 port, ExoLocalHandler handler, gpointer user_data, GError **error);
/* Open requests and streams end; their functions must not be called afterwards. No stream calls back any more. */
void exo_local_server_free (ExoLocalServer *server); /* NULL is fine */
guint16 exo_local_server_port (ExoLocalServer *server);

/* What was asked. Borrowed, until it is answered. */
gboolean exo_local_request_is_head (ExoLocalRequest *request);
gboolean exo_local_request_is_post (ExoLocalRequest *request); /* neither: GET */
/* As sent, not decoded, without the query; begins with "/". At most 8 KiB with the query */
const char *exo_local_request_path (ExoLocalRequest *request);
const char *exo_local_request_query (ExoLocalRequest *request); /* "" if none; not decoded */
const char *exo_local_request_header (ExoLocalRequest *request, const char *name); /* (nullable) */
GBytes *exo_local_request_body (ExoLocalRequest *request); /* (nullable) (transfer none) */

/* Answers. @headers: (nullable) (element-type utf8): name, value, name, value ..., NULL; Content-Type among them.
 * Values with control characters are a caller's bug. For HEAD the headers go out with the length of the body. */
void exo_local_respond (ExoLocalRequest *request,
                        guint status,
                        const char *const *headers,
                        GBytes *body /* (nullable): empty */);
/* To HEAD, as GET would be answered with @length bytes; also to GET when there are none. */
void exo_local_respond_head (ExoLocalRequest *request,
                             guint status,
                             const char *const *headers,
                             guint64 length);
/* @fd: (transfer full): bytes [first, first + length), by sendfile */
void exo_local_respond_file (ExoLocalRequest *request,
                             guint status,
                             const char *const *headers,
                             int fd,
                             guint64 first,
                             guint64 length);

typedef struct
{
  /* The client has taken all there was and waits for the byte at @offset of the file. Not called again until more was given. */
  void (*waiting) (ExoLocalStream *stream, guint64 offset, gpointer user_data);
  /* All was sent (@complete), or the client went. @stream is gone afterwards. Called once, unless
   * exo_local_stream_fail() or exo_local_server_free() came first. */
  void (*ended) (ExoLocalStream *stream, gboolean complete, gpointer user_data);
} ExoLocalStreamCallbacks;

/* Bytes [first, first + length) of a file that is still growing. The headers go out at once. Not for HEAD. */
ExoLocalStream *exo_local_respond_stream (ExoLocalRequest *request,
                                          guint status,
                                          const char *const *headers,
                                          guint64 first,
                                          guint64 length,
                                          const ExoLocalStreamCallbacks *callbacks,
                                          gpointer user_data);
/* Everything before @end (an offset in the file; what is less than the last time says nothing new) may be read from @fd, which is
 * duplicated when it is first given; the same file every time. */
void exo_local_stream_give (ExoLocalStream *stream, int fd, guint64 end);
/* The connection is closed before the body is complete, which clients take for what it is. @stream is gone afterwards. */
void exo_local_stream_fail (ExoLocalStream *stream);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoLocalServer, exo_local_server_free)

G_END_DECLS
