/* plan.h - who fetches which bytes: the negotiation, without I/O
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One plan per node. Facts go in as calls (what this node wants and holds, what its peers want,
 * hold, fetch and claim, what finished or failed); decisions come out of exo_plan_next() as plain
 * values. No sockets, no clock, no log, no globals: time is an argument in monotonic us, chance
 * comes from the seed, ties are broken by rules written in plan.c. The daemon, the unit tests and
 * the simulator (tests/sim) drive this same object. The rules and the figures behind them are in
 * transfer/swarm/NOTES.md.
 *
 * Blobs are ordered: exo_plan_add_blob() appends. The Hub window and the receive window advance
 * through that order by position.
 *
 * One owner; not thread-safe.
 */

#pragma once

#include "transfer/swarm/piece-map.h"

G_BEGIN_DECLS

typedef struct ExoPlan ExoPlan;

typedef struct
{
  guint hub_runs;    /* Hub runs in flight; 0: ceil (4 / Hub nodes), at least 1, 2 up to 8 nodes */
  guint fetches_max; /* fetches from peers in flight, one per peer at most */
  guint window_pieces;   /* soft receive window */
  guint64 run_bytes_max; /* a Hub run at first */
  gint64 hub_stall_us;   /* a peer's claim without a finished piece for this long is void; longer
                            on a slow line (NOTES.md) */
} ExoPlanConfig;

#define EXO_PLAN_CONFIG_DEFAULT                                                                    \
  {                                                                                                \
    0, 16, 96, 4u << 20, 15 * G_USEC_PER_SEC                                                       \
  }

typedef guint ExoPlanBlob;  /* from exo_plan_add_blob; never 0, never reused */
typedef guint ExoPlanPeer;  /* from exo_plan_add_peer; never 0, never reused */
typedef guint ExoPlanFetch; /* in an action; never 0, never reused */

typedef enum
{
  EXO_PLAN_FETCH_HUB,  /* announce the claim, then fetch [first, first + n) of blob from the Hub */
  EXO_PLAN_FETCH_PEER, /* announce "fetching", then fetch the range from peer */
  EXO_PLAN_CANCEL,     /* stop fetch and report exo_plan_fetch_ended() when it has stopped */
} ExoPlanActionKind;

typedef struct
{
  ExoPlanActionKind kind;
  ExoPlanFetch fetch;
  ExoPlanBlob blob;
  ExoPlanPeer peer; /* 0 for the Hub */
  guint32 first, n; /* pieces */
  guint wait_ms;    /* of the Hub: ask only then, unless another's claim comes first */
} ExoPlanAction;

typedef enum
{
  EXO_PLAN_ENDED_DONE,      /* every piece reported with exo_plan_piece_done() */
  EXO_PLAN_ENDED_CANCELLED, /* as the plan asked, or because the blob went */
  EXO_PLAN_ENDED_FAILED,    /* the source failed: try it again later */
  EXO_PLAN_ENDED_MISSING,   /* the peer does not hold it after all (404) */
} ExoPlanEnding;

/* @self_id: 32 hex digits, this node's id. @config: (nullable): defaults */
ExoPlan *exo_plan_new (const char *self_id, guint64 seed, const ExoPlanConfig *config);
void exo_plan_free (ExoPlan *plan);

/* What this node wants. ------------------------------------------------------------------- */

/* @oid ranks the runs, the same on every node. @have: (nullable): what is on disk already.
 * @use_peers: FALSE for content that must not be asked for on the LAN (gated, private).
 * @use_hub: FALSE while the Hub cannot serve this blob (unknown source, changed upstream). */
ExoPlanBlob exo_plan_add_blob (ExoPlan *plan,
                               const char *oid,
                               guint64 size,
                               const ExoPieceMap *have,
                               gboolean use_hub,
                               gboolean use_peers);
/* Its fetches in flight are cancelled: CANCEL actions follow from exo_plan_next(). */
void exo_plan_remove_blob (ExoPlan *plan, ExoPlanBlob blob);
void exo_plan_set_use_hub (ExoPlan *plan, ExoPlanBlob blob, gboolean use_hub);
/* What peers hold of it may be wrong, whoever they are: from here on only what a peer was seen to fetch from the Hub is taken to
 * be held by it. Before any fact on the blob is told. */
void exo_plan_set_first_hand (ExoPlan *plan, ExoPlanBlob blob);
/* Somebody reads the blob while it comes and waits for @piece: from there on it goes first, the next few runs from the
 * Hub by position, and @piece itself from whoever holds it. EXO_PLAN_NOBODY_WAITS: no more. */
#define EXO_PLAN_NOBODY_WAITS G_MAXUINT32
void exo_plan_set_urgent (ExoPlan *plan, ExoPlanBlob blob, guint32 piece);
/* A piece that turned out wrong: it is wanted again, not from @avoid (0: from anyone). */
void exo_plan_piece_lost (ExoPlan *plan, ExoPlanBlob blob, guint32 piece, ExoPlanPeer avoid);

/* The Hub as this node sees it. ----------------------------------------------------------- */

/* @blocked_until_us: no new Hub run before then (back-off, rate limit); 0: none.
 * @rate: bytes/s this node lately got from the Hub, 0 unknown. @rtt_us: to the first byte, 0 unknown */
void exo_plan_set_hub (ExoPlan *plan,
                       gboolean reachable,
                       gint64 blocked_until_us,
                       guint64 rate,
                       gint64 rtt_us);

/* At most so many fetches from the Hub in flight, however short; 0: as the rules say (NOTES.md), as at first. Those in flight go on. */
void exo_plan_set_hub_fetches (ExoPlan *plan, guint most);

/* TRUE: what comes from the Hub is dear (paid by volume, capped), so what peers have is never fetched
 * there, however slow they are. FALSE at first. */
void exo_plan_set_metered (ExoPlan *plan, gboolean metered);

/* TRUE: it leaves the Hub to peers that are not aside (exo_plan_peer_aside()), as long as one that wants the blob and
 * reaches the Hub is in the plan. FALSE at first. */
void exo_plan_set_aside (ExoPlan *plan, gboolean aside);

/* The LAN as this node sees it, in bytes/s, 0 unknown. ------------------------------------------- */

/* Of this node: @speed of its network cards, @rate it lately reached; told to its peers as well, so that
 * all agree on who is much slower than the others and leaves the Hub to them while one of them can. */
void exo_plan_set_link (ExoPlan *plan, guint64 speed, guint64 rate);
/* What it gets from all peers together while it fetches from any, of late. 0: not known (any more), as at first. */
void exo_plan_set_lan_rate (ExoPlan *plan, guint64 rate);

/* Peers. A peer is in the plan from the snapshot of its event stream until the stream ends. --- */

/* @id: 32 hex digits. @link_speed: of its network cards, as it says; bytes/s, 0 unknown */
ExoPlanPeer exo_plan_add_peer (ExoPlan *plan, const char *id, guint64 link_speed);
/* As it says of itself, see exo_plan_set_link() */
void exo_plan_peer_link (ExoPlan *plan, ExoPlanPeer peer, guint64 speed, guint64 rate);
/* What this node gets from it while it fetches from it: of several sources it takes the faster one. 0 unknown */
void exo_plan_peer_rate (ExoPlan *plan, ExoPlanPeer peer, guint64 rate);
void exo_plan_remove_peer (ExoPlan *plan, ExoPlanPeer peer); /* all that is known of it goes, too */
void exo_plan_peer_hub (ExoPlan *plan, ExoPlanPeer peer, gboolean hub_reachable, guint64 hub_rate);
/* @aside: it leaves the Hub to others, see exo_plan_set_aside(). FALSE at first. */
void exo_plan_peer_aside (ExoPlan *plan, ExoPlanPeer peer, gboolean aside);
/* @wants: it is fetching this blob, so that it takes part in the ranking */
void exo_plan_peer_wants (ExoPlan *plan, ExoPlanPeer peer, ExoPlanBlob blob, gboolean wants);
void
exo_plan_peer_has (ExoPlan *plan, ExoPlanPeer peer, ExoPlanBlob blob, guint32 first, guint32 n);
void
exo_plan_peer_dropped (ExoPlan *plan, ExoPlanPeer peer, ExoPlanBlob blob, guint32 first, guint32 n);
void exo_plan_peer_fetching (ExoPlan *plan,
                             ExoPlanPeer peer,
                             ExoPlanBlob blob,
                             guint32 first,
                             guint32 n); /* from a peer */
void exo_plan_peer_claims (ExoPlan *plan,
                           ExoPlanPeer peer,
                           ExoPlanBlob blob,
                           guint32 first,
                           guint32 n,
                           gint64 now_us); /* from the Hub */
/* It neither fetches nor claims these any more. */
void exo_plan_peer_released (ExoPlan *plan,
                             ExoPlanPeer peer,
                             ExoPlanBlob blob,
                             guint32 first,
                             guint32 n);
void exo_plan_peer_load (ExoPlan *plan, ExoPlanPeer peer, guint uploads, guint queued);
/* Never fetch from it again; what it has and claims no longer counts. */
void exo_plan_shun_peer (ExoPlan *plan, ExoPlanPeer peer);

/* What became of an action. Pieces at or past the last of the blob in these are refused silently
 * for peers' facts (a peer's mistake), a caller's bug for our own. ------------------------- */

void exo_plan_piece_done (ExoPlan *plan, ExoPlanBlob blob, guint32 piece, gint64 now_us);
/* Of a fetch from a peer so much is there that the next request should be on its way: the peer may be asked again. */
void exo_plan_fetch_ending (ExoPlan *plan, ExoPlanFetch fetch);
void exo_plan_fetch_ended (ExoPlan *plan, ExoPlanFetch fetch, ExoPlanEnding ending, gint64 now_us);

/* Decisions. Call until it returns FALSE, after every batch of events. --------------------- */

gboolean exo_plan_next (ExoPlan *plan, gint64 now_us, ExoPlanAction *out_action);
guint64 exo_plan_n_missing (const ExoPlan *plan); /* pieces of all blobs that are not held */
/* TRUE while the Hub is so much faster than the LAN that it is asked for what peers have. */
gboolean exo_plan_is_on_detour (const ExoPlan *plan);
/* When to call exo_plan_next() again though nothing happened; G_MAXINT64: only on events. */
gint64 exo_plan_wake_at (const ExoPlan *plan);

void exo_plan_check (const ExoPlan *plan); /* aborts when an invariant is broken; slow */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoPlan, exo_plan_free)

G_END_DECLS
