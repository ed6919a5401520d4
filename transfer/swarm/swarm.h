/* swarm.h - carries out the plan: blobs wanted, neighbours, fetches under way
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The shell around plan.h: tells it what happens, does what it says. Owns the neighbours and their streams, and one job per
 * blob that is being fetched, however many transfers want it. Main thread only.
 */

#pragma once

#include "transfer/http/lan-server.h"
#include "transfer/hub/hub.h"
#include "transfer/store/store.h"

G_BEGIN_DECLS

typedef struct ExoSwarm ExoSwarm;
typedef struct ExoWant ExoWant;
typedef struct ExoNeighbour ExoNeighbour;

typedef struct
{
  /* An ExoNeighbour appeared, changed (at most once a main loop turn) or is about to go. */
  void (*neighbour_added) (ExoSwarm *swarm, ExoNeighbour *neighbour, gpointer user_data);
  void (*neighbour_changed) (ExoSwarm *swarm, ExoNeighbour *neighbour, gpointer user_data);
  void (*neighbour_removed) (ExoSwarm *swarm, ExoNeighbour *neighbour, gpointer user_data);
  /* It does not answer any more: discovery should look again. */
  void (*neighbour_failed) (ExoSwarm *swarm, const char *id, gpointer user_data);
  void (*hub_changed) (ExoSwarm *swarm, gpointer user_data); /* exo_hub_get_state() says how */
  void (*warning) (ExoSwarm *swarm, const char *kind, const char *message, gpointer user_data);
} ExoSwarmCallbacks;

typedef struct
{
  const char *node_id, *node_name;
  guint upload_slots; /* 0: default */
} ExoSwarmConfig;

/* All of @fetcher, @hub, @store are borrowed and outlive it. @error: FAILED (the LAN server) */
ExoSwarm *exo_swarm_new (const ExoSwarmConfig *config,
                         ExoFetcher *fetcher,
                         ExoHub *hub,
                         ExoStore *store,
                         const ExoSwarmCallbacks *callbacks,
                         gpointer user_data,
                         GError **error);
/* Fetches nothing more, and turns the main loop until what was under way has landed: it counts for its wants. The neighbours
 * are gone afterwards, without callbacks. */
void exo_swarm_stop (ExoSwarm *swarm);
/* Stops first, unless it has stopped. Every want must be released before. Waits for the I/O threads, closes partials: journals
 * are flushed. */
void exo_swarm_free (ExoSwarm *swarm);

ExoLanServer *exo_swarm_server (ExoSwarm *swarm);

/* Neighbours. @addresses: GInetSocketAddress, best first */
void exo_swarm_peer_seen (ExoSwarm *swarm, const char *id, const char *name, GPtrArray *addresses);
void exo_swarm_peer_gone (ExoSwarm *swarm, const char *id);
/* The neighbours present at the start were told: until then nothing is fetched from the Hub that one of them may have. */
void exo_swarm_settled (ExoSwarm *swarm);
void exo_swarm_network_changed (ExoSwarm *swarm); /* tries again at once whom it could not reach */

/* (element-type ExoLanCard): this machine's network cards, as exo_lan_cards() says now; none at first. Neighbours are told where this
 * node listens, so this comes after exo_lan_server_listen(). */
void exo_swarm_set_cards (ExoSwarm *swarm, GArray *cards);
/* TRUE: bytes from the Hub cost money, see exo_plan_set_metered(). FALSE at first. */
void exo_swarm_set_metered (ExoSwarm *swarm, gboolean metered);

/* What this node's user allows: @allowed: FALSE: nothing is fetched from the Hub any more, what is under way from there ends,
 * and neighbours are told that they cannot count on this node. @rate: bytes/s of all fetches from there, as the fetcher
 * keeps it; @most: such fetches at once; 0 each: any. TRUE, 0, 0 at first. */
void exo_swarm_limit_hub (ExoSwarm *swarm, gboolean allowed, guint64 rate, guint most);

GPtrArray *exo_swarm_neighbours (ExoSwarm *swarm); /* (transfer container) */
const char *exo_neighbour_id (ExoNeighbour *neighbour);
const char *exo_neighbour_name (ExoNeighbour *neighbour);
const char *const *exo_neighbour_base_urls (ExoNeighbour *neighbour); /* "http://address:port" */
gboolean exo_neighbour_is_connected (ExoNeighbour *neighbour);        /* its stream is up */
const char *exo_neighbour_base_url (ExoNeighbour *neighbour); /* in use, or else the first */
/* The link in use: the interface of this machine, "" if none is; bytes/s that both its ends can do, 0 unknown. Borrowed. */
const char *exo_neighbour_link (ExoNeighbour *neighbour, guint64 *out_speed);
const char *exo_neighbour_state (ExoNeighbour *neighbour); /* as in org.exo.Agent1.Node State */
gboolean exo_neighbour_reaches_hub (ExoNeighbour *neighbour);
guint64 exo_neighbour_bytes (ExoNeighbour *neighbour); /* received from it since the start */
gboolean exo_neighbour_wants (ExoNeighbour *neighbour, const char *oid);

/* Blobs. ----------------------------------------------------------------------------------- */

typedef struct
{
  ExoRepoType type;
  const char *id, *commit, *path; /* where the Hub has it */
  const char *oid;
  guint64 size;   /* not 0 */
  gboolean open;  /* may be shared on the LAN */
  gboolean reads; /* a program of this machine reads it while it comes: see below */
} ExoWantSpec;

typedef enum
{
  EXO_WANT_OPENING, /* locks, journal */
  EXO_WANT_LOCKED,  /* another program is downloading this blob: asked again every second */
  EXO_WANT_FETCHING,
  EXO_WANT_VERIFYING,
  EXO_WANT_DONE,   /* in blobs/ of the repo it was wanted for first, and in the index */
  EXO_WANT_FAILED, /* exo_want_error() */
} ExoWantState;

/* @changed: the state changed; further progress is asked for with the functions below. */
typedef void (*ExoWantChanged) (ExoWant *want, gpointer user_data);

/* A second want of the same oid joins the job there is. */
ExoWant *exo_swarm_want (ExoSwarm *swarm,
                         const ExoWantSpec *spec,
                         ExoWantChanged changed,
                         gpointer user_data);
/* No callback any more. With the last want of a blob its job ends: the partial file stays. @park: its pieces are served on. */
void exo_want_release (ExoWant *want, gboolean park);

ExoWantState exo_want_state (ExoWant *want);
const GError *exo_want_error (ExoWant *want); /* NULL unless FAILED */
const char *exo_want_oid (ExoWant *want);
guint64 exo_want_bytes_done (ExoWant *want); /* on disk */
guint64 exo_want_bytes_from_hub (ExoWant *want);
guint64 exo_want_bytes_from_lan (ExoWant *want);

/* For a want that reads: @changed is also called when bytes came or went. */
/* The end of what is on disk from @offset on without a gap, at least @offset. The last piece counts only when the whole
 * is verified, so that no reader ever has all of a file that turns out to be wrong; nothing counts while it is known to be wrong
 * somewhere, but not yet where. */
guint64 exo_want_readable (ExoWant *want, guint64 offset);
/* TRUE: of what exo_want_readable() told of something was found wrong since, or is not trusted any more. To be asked before bytes
 * are passed on: the file may well be right by now, what was read of it is not. */
gboolean exo_want_is_spoiled (ExoWant *want);
/* Of the growing or complete file, borrowed; -1 while it is being opened. */
int exo_want_fd (ExoWant *want);
/* A reader waits for the byte at @offset: what is there comes first. Until it comes, or the want is released. */
void exo_want_wait_at (ExoWant *want, guint64 offset);

/* Sum over all jobs since the start; file bytes that reached the disk. */
guint64 exo_swarm_bytes_from_hub (ExoSwarm *swarm);
guint64 exo_swarm_bytes_from_lan (ExoSwarm *swarm);
guint exo_swarm_n_sources (ExoSwarm *swarm); /* neighbours it fetches from now */

/* The blob may have come to the disk, or may be given to neighbours from now on: those that wait for it are told what there is. */
void exo_swarm_found (ExoSwarm *swarm, const char *oid);
/* The blob is gone from the disk: neither parked nor served from here on. */
void exo_swarm_forget (ExoSwarm *swarm, const char *oid);

/* TRUE when each neighbour said what it has of the blobs wanted now, or does not answer. */
gboolean exo_swarm_is_informed (ExoSwarm *swarm);

G_END_DECLS
