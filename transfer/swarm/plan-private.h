/* plan-private.h - the state behind a plan, shared by its files only
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   plan.c          the calls of plan.h: what this node wants, what became of actions, decisions
 *   plan-peers.c    the calls of plan.h: what peers are and say
 *   plan-state.c    bits, counters and fetches, kept up one piece at a time
 *   plan-hub.c      what to claim from the Hub, collisions, stalled claims
 *   plan-receive.c  which piece to ask which peer for
 *   plan-check.c    exo_plan_check()
 *
 * Nothing here scans all pieces for all peers to decide: each piece has counters, and four sets of
 * bits follow from them, kept up by exo_plan_refresh():
 *   offer     not held, not in flight, some peer holds it: can be asked for
 *   sole      on offer, and one peer holds it while none fetches it
 *   hub_free  not held, not in flight, no peer holds, fetches or claims it: can be claimed
 *   spare     on offer, and no peer fetches or claims it: can be claimed where the LAN is far too slow
 */

#pragma once

#include "transfer/swarm/plan.h"

G_BEGIN_DECLS

#define EXO_PLAN_TAKES_MAX      256u                 /* ranges of one peer followed at a time */
#define EXO_PLAN_TINY_BYTES     (64u * 1024u)        /* below: a quarter of a Hub run */
#define EXO_PLAN_RUN_COST       4u                   /* what a run counts; a tiny one counts 1 */
#define EXO_PLAN_WINDOW_RUNS    2u                   /* for each Hub node */
#define EXO_PLAN_WINDOW_MIN     8u                   /* runs */
#define EXO_PLAN_RUNS_PER_UNIT  4u                   /* at most */
#define EXO_PLAN_UNITS_PER_BLOB 64u                  /* at least, if pieces are small enough */
#define EXO_PLAN_URGENT_RUNS    1u                   /* more in flight, for a reader that waits */
#define EXO_PLAN_URGENT_WAIT_US (G_USEC_PER_SEC / 5) /* then a reader takes others' units, too */
#define EXO_PLAN_BACKOFF_MIN_US (G_USEC_PER_SEC / 2)
#define EXO_PLAN_BACKOFF_MAX_US (8 * G_USEC_PER_SEC)
#define EXO_PLAN_FAILURES_MAX   3u                    /* then its pieces count as nobody's */
#define EXO_PLAN_DONE_GRACE_US  (G_USEC_PER_SEC / 10) /* from last piece to end of fetch */
/* For each node that goes before, for so many at most: time for a claim of the same that is on its way to be heard before a byte
 * comes twice. Chosen, not derived: NOTES.md, rule 3. */
#define EXO_PLAN_BORROW_WAIT_MS 25u
#define EXO_PLAN_BORROW_NODES   8u
#define EXO_PLAN_SLOW_LULL_US   (5 * G_USEC_PER_SEC) /* a slow node claims after this */
#define EXO_PLAN_RATE_MIN       65536u /* bytes/s a range is taken to come at, if no rate is known */
#define EXO_PLAN_STALL_PIECES   8u /* times the time of a piece at the known rate: 4 runs share it */
#define EXO_PLAN_SLOW_LINK      4u                   /* times slower than the fastest link */
#define EXO_PLAN_FAST_LINK      100000000u           /* bytes/s; slow compared with nothing */
#define EXO_PLAN_RATE_MAX       (1ull << 40)         /* bytes/s; more counts as that */
#define EXO_PLAN_SLOW_HUB       8u                   /* times slower than the others at the Hub */
#define EXO_PLAN_DETOUR_BEGIN   4u                   /* times faster than the LAN must the Hub be */
#define EXO_PLAN_DETOUR_END     2u                   /* and stay */
#define EXO_PLAN_DETOUR_US      (2 * G_USEC_PER_SEC) /* so long before it counts */

typedef struct Blob Blob;
typedef struct Peer Peer;

/* A node's own words on its link, bytes/s, 0 unknown. */
typedef struct
{
  guint64 speed, rate; /* of its network cards; reached */
} Link;

/* What one peer said of one blob. Each (nullable) set of bits is owned and made when needed. */
typedef struct
{
  gboolean wants;
  guint64 *has;
  guint64 *fetching; /* from other peers */
  guint64 *claims;   /* from the Hub */
  guint64 *avoid;    /* turned out wrong: what it says of these is ignored */
} Marks;

/* A range a peer is working at. The bits say which of its pieces are still open. */
typedef struct
{
  Blob *blob;
  guint32 first, n;
  gboolean hub;       /* a claim; else it fetches from another peer */
  gint64 progress_us; /* when it began or last finished a piece of it */
  gint64 stall_us;    /* without a piece for so long, it is void; set by exo_plan_add_take() */
} Take;

struct Peer
{
  ExoPlanPeer handle;
  guint slot; /* in plan->peers and blob->marks */
  guint64 hash;
  Link link;
  guint64 hub_rate, rate; /* bytes/s, 0 unknown: from the Hub as it says, to here as measured */
  gboolean hub, aside, shunned;
  gboolean counted; /* its has bits are in the counters of holders */
  guint uploads, queued;
  guint failures; /* in a row */
  gint64 backoff_until_us;
  ExoPlanFetch fetch;   /* in flight from it and not ending, or 0 */
  guint64 barren_epoch; /* plan->offer_epoch when it had nothing for us; 0: look */
  GArray *takes;        /* Take */
};

struct Blob
{
  ExoPlanBlob handle; /* ascending in the order of blobs */
  Blob *prev, *next;
  guint64 hash, size;
  guint32 n_pieces, piece_size;
  guint32 unit_pieces; /* pieces ranked as one; a run never crosses a unit */
  gboolean use_hub, use_peers;
  gboolean first_hand; /* what peers hold counts only if they claimed it before */
  guint32 urgent;      /* a reader waits here, or EXO_PLAN_NOBODY_WAITS */
  gint64 urgent_since_us;
  ExoPieceMap *have;
  guint16 *holders, *fetchers, *claimers; /* peers, per piece */
  guint64 *mine, *offer, *sole, *hub_free, *spare;
  guint32 n_offer, n_sole, n_hub_free, n_spare;
  GPtrArray *marks; /* (nullable Marks), by slot of the peer */
  GArray *members;  /* hashes of the other nodes that claim, as of members_epoch */
  GArray *wanters;  /* hashes of the other nodes that want it, likewise */
  gboolean self_in; /* this node claims, too */
  gboolean led;     /* this node is aside, and some other is not */
  guint64 members_epoch;
};

typedef struct
{
  ExoPlanFetch id;
  ExoPlanBlob blob_handle;
  ExoPlanPeer peer_handle; /* 0: Hub */
  Blob *blob;              /* NULL when the blob went */
  Peer *peer;              /* NULL: Hub, or the peer went */
  guint32 first, n, n_left;
  guint cost;      /* of a Hub fetch, in EXO_PLAN_RUN_COST */
  gboolean detour; /* from the Hub, though peers hold it */
  gboolean cancelled;
  gboolean ending; /* its peer may be asked for the next one */
  gint64 done_us;  /* last piece done, fetch not ended; 0 */
} Fetch;

struct ExoPlan
{
  ExoPlanConfig config;
  guint64 hash, seed;
  gint64 now_us; /* latest seen */
  GHashTable *blobs, *peers_by_handle;
  GPtrArray *peers;   /* (nullable Peer), by slot */
  Blob *first, *last; /* in order */
  Blob *front;        /* no incomplete blob before it; NULL: none at all */
  Blob *hub_front;    /* no blob with n_hub_free before it; NULL: none at all */
  GPtrArray *urgent;  /* Blob with a reader that waits, in the order they began to */
  GPtrArray *fetches; /* Fetch, in flight */
  GQueue *cancels;    /* ids of fetches to cancel */
  guint last_blob, last_peer, last_fetch;
  guint n_peer_fetches, hub_cost;
  guint n_done;                       /* fetches of which all pieces came, but not the end */
  guint64 offer_epoch, members_epoch; /* from 1 */
  guint64 hub_free_bytes;             /* of blobs with use_hub, last pieces counted as whole */
  guint64 n_missing;                  /* pieces not held */
  guint n_claims;                     /* claims of peers followed */
  gint64 stall_at_us;                 /* no claim stalls before */
  gint64 backoff_until_us;            /* no peer is left alone after that */
  gint64 barren_until_us;             /* no peer that is not busy has anything for us; 0: look */
  guint n_uncounted;                  /* peers whose pieces count as nobody's */
  gint64 lull_since_us;               /* no claim of a peer since */
  gboolean hub, aside, metered;
  Link link;
  guint64 lan_rate;
  guint64 lan_before; /* the LAN at the last detour's begin: it may suffer from the detour itself */
  gint64 detour_from_us; /* the Hub is far faster since; or G_MAXINT64 */
  gboolean detour;
  gint64 hub_blocked_us, hub_backoff_us, hub_rtt_us;
  guint hub_failures; /* in a row */
  guint hub_most;     /* fetches from there at once; 0: any */
  guint64 hub_rate;
  GPtrArray *idle; /* scratch: Peer */
};

static inline guint32
exo_bits_words (guint32 n)
{
  return n / 64 + (n % 64 != 0);
}

static inline gboolean
exo_bit_get (const guint64 *bits, guint32 i)
{
  return bits != NULL && (bits[i / 64] >> (i % 64) & 1) != 0;
}

/* Each returns TRUE if it changed the bit. */
static inline gboolean
exo_bit_set (guint64 *bits, guint32 i)
{
  guint64 mask = G_GUINT64_CONSTANT (1) << (i % 64);

  if ((bits[i / 64] & mask) != 0)
    return FALSE;
  bits[i / 64] |= mask;
  return TRUE;
}

static inline gboolean
exo_bit_clear (guint64 *bits, guint32 i)
{
  guint64 mask = G_GUINT64_CONSTANT (1) << (i % 64);

  if (bits == NULL || (bits[i / 64] & mask) == 0)
    return FALSE;
  bits[i / 64] &= ~mask;
  return TRUE;
}

/* The first set bit in [from, end), or end. @bits: (nullable): none set */
guint32 exo_bits_next (const guint64 *bits, guint32 from, guint32 end);

static inline guint64
exo_mix (guint64 x)
{
  x ^= x >> 30;
  x *= G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  x ^= x >> 27;
  x *= G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return x ^ x >> 31;
}

guint64 exo_plan_hash_text (const char *text);

/* Rendezvous: who of the nodes has the highest value goes first. */
static inline guint64
exo_plan_score (const Blob *blob, guint32 unit, guint64 node)
{
  return exo_mix (exo_mix (blob->hash + (guint64) unit * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)) ^
                  node);
}

static inline Marks *
exo_plan_peek_marks (const Blob *blob, const Peer *peer)
{
  return peer->slot < blob->marks->len ? g_ptr_array_index (blob->marks, peer->slot) : NULL;
}

static inline gboolean
exo_plan_usable (const Peer *peer, gint64 now_us)
{
  return !peer->shunned && peer->backoff_until_us <= now_us;
}

/* (nullable) */
Blob *exo_plan_find_blob (const ExoPlan *plan, ExoPlanBlob handle);
Peer *exo_plan_find_peer (const ExoPlan *plan, ExoPlanPeer handle);
void exo_plan_see_time (ExoPlan *plan, gint64 now_us);
void exo_plan_note_link (ExoPlan *plan, Link *link, guint64 speed, guint64 rate);
/* From @peer's counters; what it says of the piece later is news again unless avoided. */
void exo_plan_forget_has (ExoPlan *plan, Peer *peer, Blob *blob, guint32 piece);

Marks *exo_plan_marks (Blob *blob, Peer *peer);
void exo_marks_free (Marks *marks);

/* Brings offer and hub_free of a piece up to date. Returns TRUE if it is newly on offer. */
gboolean exo_plan_refresh (ExoPlan *plan, Blob *blob, guint32 piece);
/* The same, for changes that may give something to fetch from any peer. */
void exo_plan_freed (ExoPlan *plan, Blob *blob, guint32 piece);
/* @peer may have something to fetch. */
void exo_plan_look_at (ExoPlan *plan, Peer *peer);
void exo_plan_advance_fronts (ExoPlan *plan);
void exo_plan_set_counted (ExoPlan *plan, Peer *peer, gboolean counted);

void exo_plan_add_take (ExoPlan *plan, Peer *peer, const Take *take);
gboolean exo_plan_take_is_open (const Take *take, const Marks *marks);
/* Clears the open pieces of [first, first + n) in what @peer claims and fetches. */
void exo_plan_release (ExoPlan *plan, Peer *peer, Blob *blob, guint32 first, guint32 n);
void exo_plan_drop_takes_of (ExoPlan *plan, Peer *peer, const Blob *blob); /* NULL: of all */

/* All its pieces came; only its end is awaited. */
static inline gboolean
exo_plan_is_done (const Fetch *fetch)
{
  return !fetch->cancelled && fetch->n_left == 0;
}

Fetch *exo_plan_find_fetch (ExoPlan *plan, ExoPlanFetch id);
/* The fetch that is to bring this piece, or NULL. */
Fetch *exo_plan_fetch_covering (ExoPlan *plan, const Blob *blob, guint32 piece);
void exo_plan_begin (ExoPlan *plan,
                     Blob *blob,
                     Peer *peer,
                     guint32 first,
                     guint32 n,
                     guint cost,
                     ExoPlanAction *out_action);
void exo_plan_cancel (ExoPlan *plan, Fetch *fetch);
void exo_plan_leave_peer (ExoPlan *plan, Fetch *fetch);
void exo_plan_end_fetch (ExoPlan *plan, Fetch *fetch); /* frees it */

/* Works out members, wanters, self_in and led again if peers have changed. */
void exo_plan_update_members (const ExoPlan *plan, Blob *blob);
void exo_plan_collide (ExoPlan *plan, Peer *peer, Blob *blob, guint32 first, guint32 n);
/* Cancels Hub fetches of @blob of which peers hold all that is left. */
void exo_plan_save_hub (ExoPlan *plan, Blob *blob, guint32 first, guint32 n);
/* Is the Hub so much faster than the LAN that what peers have is fetched there? */
void exo_plan_update_detour (ExoPlan *plan, gint64 now_us);
void exo_plan_void_stalled (ExoPlan *plan, gint64 now_us);
gboolean exo_plan_next_hub (ExoPlan *plan, gint64 now_us, ExoPlanAction *out_action);
gint64 exo_plan_hub_wake_at (const ExoPlan *plan);

gboolean exo_plan_next_receive (ExoPlan *plan, gint64 now_us, ExoPlanAction *out_action);

G_END_DECLS
