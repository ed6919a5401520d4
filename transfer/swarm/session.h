/* session.h - the event stream from one neighbour
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The asking side of POST /v1/swarm (transfer/PROTOCOL.md): keeps a stream open to one peer for as long as there is something to
 * ask it about, over the best of its addresses that works (ways.h), and opens it again, with back-off, when it ends. A change of
 * what is asked for opens a second stream and drops the first only when the second one speaks, so that nothing stops meanwhile. Main
 * thread only.
 *
 * The same is done to change the address: when a better one may work again, and when a stream falls silent, long before that
 * ends it. Where the streams go the pieces are fetched, too.
 *
 * What a neighbour says is refused as a whole at the first line that is wrong. One that keeps answering and breaking off, for that or
 * another reason, is left alone for longer each time, like one that cannot be reached.
 */

#pragma once

#include "transfer/http/fetcher.h"
#include "transfer/swarm/ways.h"
#include "transfer/swarm/wire.h"

G_BEGIN_DECLS

typedef struct ExoSession ExoSession;

typedef enum
{
  EXO_SESSION_STAYED, /* the address is the same, or the first */
  EXO_SESSION_MOVED,  /* to a better one: what is under way at the former will come */
  EXO_SESSION_FLED,   /* the former does not answer any more: nothing will come from there */
} ExoSessionMove;

typedef struct
{
  /* A stream begins: what was known of this peer no longer counts, its snapshot follows. */
  void (*up) (ExoSession *session, const ExoWireHello *hello, gpointer user_data);
  /* Indices in @line are those of exo_session_oid(). */
  void (*line) (ExoSession *session, const ExoWireLine *line, gpointer user_data);
  /* The stream ended and no other is up. It will try again by itself. @error: INVALID, TOO_LARGE: the neighbour says what it must not;
   * CANCELLED: nothing more is asked; UNREACHABLE, FAILED: all else. */
  void (*down) (ExoSession *session, const GError *error, gpointer user_data);
} ExoSessionCallbacks;

/* @peer_id: who must answer; another id is an error (an address that has changed hands) */
ExoSession *exo_session_new (ExoFetcher *fetcher,
                             const char *peer_id,
                             const ExoSessionCallbacks *callbacks,
                             gpointer user_data);
void exo_session_free (ExoSession *session); /* no callback any more */

/* @base_urls: "http://192.168.1.5:52418", of equally good ones the first is taken. @here: (nullable): what leads to each of them;
 * what was found out about those that stay as they were is kept. */
void exo_session_set_addresses (ExoSession *session,
                                const char *const *base_urls,
                                const ExoWayHere *here);
/* What the address that answers brought, bytes/s. */
void exo_session_measured (ExoSession *session, guint64 rate);
/* @subscription: (transfer none): who we are and what we ask about; an empty list of blobs closes the stream. */
void exo_session_subscribe (ExoSession *session, const ExoWireHello *subscription);
/* The network changed, or the peer was heard: no waiting for the back-off, unless it answers and breaks off, time after time. */
void exo_session_retry_now (ExoSession *session);
/* The same, unless it is up, and what failed before no longer counts. */
void exo_session_start_over (ExoSession *session);

gboolean exo_session_is_asking (ExoSession *session); /* it was subscribed for something */
gboolean exo_session_is_up (ExoSession *session);
/* Attempts since it was last up, or, where two streams or more broke off soon after their hellos, the number of those. */
guint exo_session_n_failures (ExoSession *session);
/* Every blob of the latest subscription was asked about, and the snapshot is here (or there is none to expect). */
gboolean exo_session_is_current (ExoSession *session);
/* The address that answers; NULL unless it is up. Borrowed. */
const char *exo_session_base_url (ExoSession *session);
/* And the way there; NULL, too, if that address is no longer one of its addresses. Borrowed. */
const ExoWay *exo_session_way (ExoSession *session);
/* For up(): what the address before this one has under way. */
ExoSessionMove exo_session_move (ExoSession *session);
/* The oid that index @b of a line stands for; NULL past the end. Borrowed. */
const char *exo_session_oid (ExoSession *session, guint32 b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoSession, exo_session_free)

G_END_DECLS
