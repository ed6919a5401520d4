/* swarm-private.h - what the files of the swarm share
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   swarm.c       start and stop, the plan's pump, whom to hear before the Hub is asked
 *   neighbours.c  who is there, what their streams say and when they end
 *   company.c     whom of many neighbours to keep sessions with
 *   facts.c       what a neighbour says of its pieces, told to the plan
 *   answer.c      what neighbours are told when they ask
 *   flight.c      one fetch under way, from the Hub or from a neighbour
 *   rates.c       how fast the Hub and the neighbours are, measured and told
 *   job.c         one blob, from the first lock to the verified file
 *   want.c        what can be asked of a want; readers of blobs that are still coming
 *   mend.c        a blob whose hash does not match: who was wrong, what to fetch again
 */

#pragma once

#include "transfer/http/lan-card.h"
#include "transfer/swarm/announcer.h"
#include "transfer/swarm/circle.h"
#include "transfer/swarm/pace.h"
#include "transfer/swarm/plan.h"
#include "transfer/swarm/session.h"
#include "transfer/swarm/swarm.h"

typedef struct ExoJob ExoJob;
typedef struct ExoFlight ExoFlight;
typedef struct ExoMend ExoMend;

struct ExoNeighbour
{
  ExoSwarm *swarm;
  char *id, *name;
  GPtrArray *addresses; /* GInetSocketAddress */
  GStrv base_urls;      /* the same, as text */
  ExoSession *session;
  ExoPlanPeer peer;   /* 0 while its stream is not up */
  gboolean says_anew; /* a new stream is up, whose snapshot replaces what is known */
  gboolean shunned;
  gboolean warned;     /* about what it says */
  gboolean hub;        /* it reaches the Hub, as it says */
  gboolean announced;  /* by discovery; otherwise it made itself known by a subscription */
  ExoCircleKin kin;    /* as it was last heard */
  gboolean hears_us;   /* it is subscribed to this node */
  gboolean chosen;     /* to keep a session with, while anything is wanted */
  gboolean core;       /* it leaves the Hub to nobody */
  guint64 bytes;       /* received from it */
  ExoPace pace;        /* of what it sends */
  GHashTable *wants;   /* oids it is fetching, owned strings */
  GHashTable *fetched; /* oids it was ever seen fetching, owned strings */
  GHashTable *mended;  /* oids of which it has dropped pieces, owned strings */
};

struct ExoSwarm
{
  char *node_id, *node_name;
  ExoFetcher *fetcher; /* borrowed, like hub and store */
  ExoHub *hub;
  ExoStore *store;
  ExoLanServer *server;
  ExoAnnouncer *announcer;
  ExoPlan *plan;
  ExoSwarmCallbacks callbacks;
  gpointer user_data;

  GHashTable *neighbours;    /* id -> ExoNeighbour, owned */
  GHashTable *by_peer;       /* ExoPlanPeer -> ExoNeighbour */
  GHashTable *jobs;          /* oid -> ExoJob, owned */
  GHashTable *by_blob;       /* ExoPlanBlob -> ExoJob */
  GHashTable *parked;        /* oid -> ExoPieceMap: served, not wanted; owned */
  GHashTable *flights;       /* ExoPlanFetch -> ExoFlight */
  GHashTable *digests;       /* oid -> the answer to GET .../pieces for a complete blob, owned */
  GHashTable *answers;       /* oid -> requests that wait for digests under way, both borrowed */
  GCancellable *cancellable; /* of the computation of answers */

  guint64 bytes_from_hub, bytes_from_lan;
  ExoPace hub_pace, lan_pace; /* of all that comes from there */
  ExoWireLink link;           /* of this node, as told */
  GArray *cards;              /* ExoLanCard: the network cards of this machine */
  gboolean detour;            /* as last reported */
  guint next_order;           /* for ExoJob.order */
  ExoCircleSizes circle;
  gboolean asking; /* some neighbours were not asked yet that have to be */
  guint pump_source, wake_source, subscribe_source, informed_source, rates_source, choose_source;
  gboolean settled;  /* the neighbours present at the start are known */
  gboolean isolated; /* all neighbours fell silent: they may be back any moment */
  gboolean hub_reachable;
  guint ask_hub_source, ask_hub_s; /* while it is not; the delay, doubled each time */
  gboolean hub_denied; /* by the user, for now */
  guint64 hub_limit;   /* bytes/s, as the user wants it; 0: none */
  gboolean pausing;    /* informed_source is the pause before the Hub is asked */
  gboolean stopping;
};

struct ExoJob
{
  ExoSwarm *swarm;
  ExoRepoType type;
  char *id, *commit, *path, *oid;
  guint64 size;
  gboolean open;
  guint order;          /* by which blobs enter the plan and the subscriptions */
  ExoPartial *partial;  /* NULL while opening */
  ExoPlanBlob blob;     /* 0 unless in the plan */
  gboolean hub_allowed; /* neighbours were heard first: the plan may use the Hub for it */
  ExoWantState state;
  GError *error;
  GPtrArray *wants; /* ExoWant, owned by their transfers */
  guint n_flights;
  gboolean closing;    /* the last want went; ends when the last flight has */
  gboolean parking;    /* closing, and its pieces stay shared */
  gboolean for_client; /* some program reads it: see exo_store_open_partial_async() */
  guint64 from_hub, from_lan;
  GCancellable *cancellable;
  guint retry_source; /* another program holds the lock */

  /* mend.c */
  ExoMend *mend;        /* digests are being gathered */
  guint n_mends;        /* mismatches so far */
  guint hub_only;       /* 0, or how many times the blob was fetched past the neighbours */
  GHashTable *expected; /* piece -> its SHA-256 as 32 bytes: known before it is fetched again */
};

struct ExoWant
{
  ExoJob *job;
  ExoWantChanged changed;
  gpointer user_data;
  guint64 base_from_hub, base_from_lan; /* of the job, before this want joined it */
  gboolean reads;
  guint64 waits_at;           /* G_MAXUINT64: for nothing */
  guint64 told_from, told_to; /* bytes that exo_want_readable() has told of */
  gboolean spoiled;           /* some of them were dropped since */
};

/* swarm.c */
/* The Hub as this node may use it: what the user denies is not reachable, and no faster than allowed. */
void exo_swarm_hub_state (ExoSwarm *swarm, ExoHubState *out_state);
void exo_swarm_pump_soon (ExoSwarm *swarm);
void exo_swarm_subscribe_soon (ExoSwarm *swarm);
void exo_swarm_warn (ExoSwarm *swarm, const char *kind, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
ExoWireHello *
exo_swarm_subscription (ExoSwarm *swarm); /* (transfer full): what is to be asked now */
/* A neighbour spoke, or went: once all have spoken the Hub may be asked. */
void exo_swarm_check_informed (ExoSwarm *swarm);
void exo_swarm_gather (ExoSwarm *swarm); /* all fell silent at once: the Hub has to wait for them */

/* neighbours.c */
ExoNeighbour *exo_swarm_neighbour (ExoSwarm *swarm, const char *id); /* (nullable) */
void exo_swarm_neighbour_changed (ExoNeighbour *neighbour);
void exo_neighbour_find_ways (ExoNeighbour *neighbour); /* its addresses or the cards changed */
void exo_swarm_shun (ExoSwarm *swarm, ExoNeighbour *neighbour, const char *why);
void exo_neighbour_free (ExoNeighbour *neighbour); /* without a word to the plan or the owner */
/* Callbacks of the announcer; user_data is the swarm. */
void exo_neighbour_subscribed (const ExoWireHello *hello, const char *address, gpointer user_data);
void exo_neighbour_unsubscribed (const char *id, gpointer user_data);

/* company.c */
/* Chooses, and subscribes accordingly. @hello: what is asked. @anew: it is something else than before */
void exo_company_subscribe (ExoSwarm *swarm, const ExoWireHello *hello, gboolean anew);
void exo_company_choose_soon (ExoSwarm *swarm); /* and subscribe accordingly */
void exo_company_changed (ExoSwarm *swarm);     /* the same, if there are many neighbours */
void exo_company_forget (ExoSwarm *swarm); /* other blobs are wanted: strangers may have them */
void exo_company_heard (ExoNeighbour *neighbour, const ExoWireLine *line);
void exo_company_asked (ExoNeighbour *neighbour, const ExoWireHello *hello);

/* facts.c */
void exo_facts_apply (ExoNeighbour *neighbour, ExoSession *session, const ExoWireLine *line);
void exo_facts_forget (ExoNeighbour *neighbour); /* a snapshot is about to be applied */

/* answer.c: callbacks of the announcer and the LAN server; user_data is the swarm */
void exo_answer_describe (const char *oid,
                          guint64 size,
                          guint32 b,
                          ExoWireBuilder *builder,
                          gpointer user_data);
void exo_answer_manifest (ExoLanServer *server,
                          ExoLanRequest *request,
                          const char *type_name,
                          const char *id,
                          const char *revision,
                          gpointer user_data);
int exo_answer_lookup (const char *oid, guint64 *out_size, gpointer user_data);
void exo_answer_error (ExoLanRequest *request, guint status, const char *message);

/* flight.c */
void exo_flight_start (ExoSwarm *swarm, const ExoPlanAction *action);
void exo_flight_cancel (ExoSwarm *swarm, ExoPlanFetch fetch);
/* Its fetches from the Hub. */
void exo_flights_leave_hub (ExoJob *job);
void exo_flights_abandon (ExoNeighbour *neighbour); /* those from it */
void exo_flights_describe (ExoJob *job, guint32 b, ExoWireBuilder *builder);

/* rates.c: @source_id: a node id, NULL: the Hub */
void exo_rates_begin (ExoSwarm *swarm, const char *source_id); /* a fetch */
void exo_rates_add (ExoSwarm *swarm, const char *source_id, guint64 bytes);
void exo_rates_end (ExoSwarm *swarm, const char *source_id);
void exo_rates_tell (ExoSwarm *swarm);                     /* what is known now */
guint64 exo_rates_of_hub (ExoSwarm *swarm);                /* bytes/s, 0 unknown */
void exo_rates_set_speed (ExoSwarm *swarm, guint64 speed); /* of this node's fastest card */
/* What comes next may go over other neighbours, or over another network altogether. */
void exo_rates_forget_lan (ExoSwarm *swarm);
void exo_rates_forget_all (ExoSwarm *swarm);

/* job.c */
/* @source_id: a node id, NULL: the Hub */
void exo_job_piece_written (ExoJob *job, guint32 piece, const char *source_id);
void exo_job_piece_accepted (ExoJob *job, guint32 piece, const char *source_id);
void exo_job_drop_piece (ExoJob *job, guint32 piece, ExoPlanPeer avoid);
/* Pieces that came from this node, which turned out to be a liar. */
void exo_job_distrust (ExoJob *job, const char *id);
void exo_job_flight_ended (ExoJob *job);
void exo_job_fail (ExoJob *job, const GError *error);
void exo_job_set_state (ExoJob *job, ExoWantState state);
void exo_job_enter_plan (ExoJob *job, gboolean use_peers);
void exo_job_leave_plan (ExoJob *job);
void exo_job_describe (ExoJob *job, guint32 b, ExoWireBuilder *builder);
void exo_job_free (ExoJob *job);

/* want.c */
void exo_job_update_urgent (ExoJob *job); /* what its readers wait for, told to the plan */
void exo_job_tell_readers (ExoJob *job);  /* pieces came or went */
void exo_job_spoil_readers (ExoJob *job, guint32 piece); /* it was dropped */

/* mend.c */
void exo_mend_start (ExoJob *job);
void exo_mend_cancel (ExoJob *job);
/* The piece has an expected digest: compares, then accepts or drops it. */
void exo_mend_check_piece (ExoJob *job, guint32 piece, const char *source_id);
void exo_mend_digests_wanted (ExoLanServer *server,
                              ExoLanRequest *request,
                              const char *oid,
                              gpointer user_data);
