/* announcer.h - what this node tells its neighbours while blobs move
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The answering side of POST /v1/swarm (transfer/PROTOCOL.md): keeps the subscribers, sends each a snapshot of the oids it
 * asked for and then every event on them, gathered for 5 to 100 ms into one line per subscriber. While a stream is
 * open and silent it says "{}" once a second; with no subscriber no timer runs. Main thread only.
 */

#pragma once

#include "transfer/http/lan-server.h"
#include "transfer/swarm/wire.h"

G_BEGIN_DECLS

typedef struct ExoAnnouncer ExoAnnouncer;

typedef struct
{
  /* What is known of @oid goes into @builder as the state (and claims and fetches) of blob @b; nothing if nothing is known, or if
   * it may not be told. @size is what the subscriber believes; another size is another blob: nothing. */
  void (*describe) (const char *oid,
                    guint64 size,
                    guint32 b,
                    ExoWireBuilder *builder,
                    gpointer user_data);
  /* A neighbour subscribed from @address (of the socket): it exists, whatever mDNS says. */
  void (*subscriber_seen) (const ExoWireHello *hello, const char *address, gpointer user_data);
  /* Its stream ended (one of them, if it has several for a moment). */
  void (*subscriber_gone) (const char *id, gpointer user_data);
} ExoAnnouncerCallbacks;

ExoAnnouncer *exo_announcer_new (const char *self_id,
                                 const char *self_name,
                                 const ExoAnnouncerCallbacks *callbacks,
                                 gpointer user_data);
void exo_announcer_free (ExoAnnouncer *announcer); /* its streams must be closed by then */
/* Where the load comes from; set once, before the first stream. */
void exo_announcer_set_server (ExoAnnouncer *announcer, ExoLanServer *server);

/* Forwarded from ExoLanCallbacks. A body that is not a subscription gets one line {"error": ...} and the end. */
void exo_announcer_stream_opened (ExoAnnouncer *announcer,
                                  ExoLanStream *stream,
                                  const char *body,
                                  gsize length);
void exo_announcer_stream_closed (ExoAnnouncer *announcer, ExoLanStream *stream);

void exo_announcer_event (ExoAnnouncer *announcer,
                          const char *oid,
                          ExoWireEvent event,
                          guint32 first,
                          guint32 n);
/* From here on the last pieces are talked of: what is said is not gathered for long. */
void exo_announcer_hurry (ExoAnnouncer *announcer, gboolean hurry);
void exo_announcer_wants (ExoAnnouncer *announcer, const char *oid, gboolean wants);
/* The blob is known of now, or all of it changed: its whole state is sent to those who asked for it. */
void exo_announcer_state (ExoAnnouncer *announcer, const char *oid);
/* As often as anything is known anew: neighbours are told of a rate that became known, or is another one altogether. */
void exo_announcer_hub (ExoAnnouncer *announcer, gboolean reachable, guint64 rate);
void exo_announcer_link (ExoAnnouncer *announcer, const ExoWireLink *link);
/* (element-type ExoWireAddress): go out with the next hello */
void exo_announcer_addresses (ExoAnnouncer *announcer, GArray *addresses);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoAnnouncer, exo_announcer_free)

G_END_DECLS
