/* piece-client.h - byte ranges from neighbours: HTTP/1.1 for this and nothing else (I/O thread)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What most bytes of a transfer come through. Where curl hands over 16 KiB at a time out of a buffer that it allocates for
 * each request, here a connection is kept, bytes are received where they are written from, and the kernel is asked to wake us
 * for much at a time (SO_RCVLOWAT). Figures in transfer/swarm/NOTES.md.
 *
 * One request at a time on a connection, no redirects, no TLS, no chunks, no names to resolve: what a neighbour is not expected
 * to send ends the fetch with an error. The answer's headers and body are judged in fetch-body.c, as those of the Hub are.
 */

#pragma once

#include "transfer/http/fetcher-private.h"

G_BEGIN_DECLS

typedef struct ExoPieceClient ExoPieceClient;
typedef struct ExoPieceConn ExoPieceConn;

/* @finished: @fetch has all it will get, or has its error set; called from within start() and event() at times */
ExoPieceClient *exo_piece_client_new (int epoll_fd,
                                      const char *user_agent,
                                      void (*finished) (ExoFetch *fetch, gpointer user_data),
                                      gpointer user_data);
/* No request may be under way. */
void exo_piece_client_free (ExoPieceClient *client);

/* Whether it is for this client: to a file, from a neighbour, no TLS */
gboolean exo_piece_client_takes (const ExoFetch *fetch);
void exo_piece_client_start (ExoPieceClient *client, ExoFetch *fetch);
/* The request under way for @fetch is given up with its connection; finished() is not called. */
void exo_piece_client_drop (ExoPieceClient *client, ExoFetch *fetch);

/* @conn: of epoll_event.data.ptr */
void exo_piece_client_event (ExoPieceClient *client, ExoPieceConn *conn, guint32 events);
/* Takes in what the kernel holds back for the moment. TRUE: there was some, so the neighbour is not stalled. finished() may have been called. */
gboolean exo_piece_client_poke (ExoPieceClient *client, ExoFetch *fetch);
/* After a batch of events: connections that ended in it are forgotten. */
void exo_piece_client_sweep (ExoPieceClient *client);

G_END_DECLS
