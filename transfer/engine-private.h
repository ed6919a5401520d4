/* engine-private.h - what the engine, its transfers and its nodes share
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   engine.c    start and stop, neighbours, totals, the quarter-second tick
 *   pulls.c     the list of transfers: pulled, asked for by programs, restored, forgotten
 *   rate.c      bytes per second, measured
 *   tell.c      what happened, told from the main loop
 *   transfer.c  one model revision: its states, its list of files
 *   files.c     the files of a transfer: looked for, wanted, published
 *   progress.c  a transfer as others see it
 *   listing.c   where a transfer's list of files comes from, and its later confirmation
 *   record.c    a transfer as the JSON text that survives a restart
 *   node.c      a machine of the lab, as shown to users
 *   limiter.c   what the user allows: kept, counted, carried out
 *   scan.c      what other tools downloaded: found, and asked about
 *   card.c      what this node says of itself
 *   look.c      what exo is at, here and on the neighbours
 *   watch.c     warns of trouble with the Hub and the network
 *   statics.c   neighbours named in the configuration
 *   models.c    what is in the cache: listed, removed, verified
 *   diagnose.c  what is wrong, and how to mend it
 */

#pragma once

#include "transfer/engine.h"
#include "transfer/swarm/swarm.h"
#include "transfer/trouble.h"

G_BEGIN_DECLS

typedef struct ExoStatics ExoStatics;
typedef struct ExoLook ExoLook;
typedef struct ExoLimiter ExoLimiter;
typedef struct ExoListing ExoListing;
typedef struct ExoEndpoint ExoEndpoint;

struct _ExoEngine
{
  GObject parent;
  char *node_id, *node_name;
  ExoFetcher *fetcher;
  ExoHub *hub;
  ExoStore *store;
  ExoSwarm *swarm;
  ExoStatics *statics;
  ExoLimiter *limiter;   /* NULL before the engine started, and once it stopped */
  ExoLook *look;         /* NULL only in an engine that could not start */
  ExoEndpoint *endpoint; /* (nullable): switched off, or no port is free */
  GPtrArray *transfers;  /* ExoTransfer, owned, by id */
  GHashTable *nodes;     /* neighbour id -> ExoNode, owned */
  ExoNode *self;
  guint16 listen_port;
  gboolean listen_loopback;
  guint next_id;
  gboolean settled;    /* the neighbours present are known */
  gboolean discovered; /* discovery is done with its first look around */
  gboolean restored;   /* "restored" was signalled */
  gboolean stopping;   /* or stopped: nothing is signalled any more */
  gint64 started_us;
  guint settle_source, restore_source, tick_source, changed_source, scan_source, tell_source;
  GPtrArray *forgotten; /* ExoTransfer, owned: not in the list any more; until the next tell() */
  GPtrArray *notices;   /* of tell.c, owned: to be told */
  guint64 base_from_hub, base_from_lan, base_served; /* totals of earlier runs */
  ExoTrouble hub_trouble, network_trouble;
  gboolean hub_reachable; /* as last shown on the node card */
  gint64 scanned_us;      /* when the last scan began; 0: none yet */
  gint64 last_saved_us;   /* totals written to the store */
  gint64 nodes_told_us;   /* monotonic */
};

/* rate.c: sampled each tick: bytes per second over the last five seconds. */
#define EXO_RATE_SAMPLES 20
typedef struct
{
  gint64 at_us[EXO_RATE_SAMPLES];
  guint64 bytes[EXO_RATE_SAMPLES];
  guint n, next;
} ExoRateMeter;

void exo_rate_meter_reset (ExoRateMeter *meter);
void exo_rate_meter_add (ExoRateMeter *meter, gint64 now_us, guint64 bytes);
guint64 exo_rate_meter_rate (const ExoRateMeter *meter); /* bytes/s */

/* One file of a transfer. */
typedef enum
{
  EXO_FILE_UNASKED, /* of a transfer on demand: nobody asked for it yet */
  EXO_FILE_UNKNOWN, /* not looked for on disk yet */
  EXO_FILE_LOOKING,
  EXO_FILE_MISSING,  /* waits for its turn */
  EXO_FILE_WANTED,   /* has a want */
  EXO_FILE_TWIN,     /* same oid as an earlier file: waits for it */
  EXO_FILE_ADOPTING, /* another transfer fetched it, maybe into another repo's blobs/ */
  EXO_FILE_DONE,
} ExoFileState;

typedef struct
{
  ExoTransfer *transfer;
  const ExoManifestFile *entry; /* borrowed from the manifest */
  ExoFileState state;
  ExoWant *want;
} ExoTransferFile;

struct _ExoTransfer
{
  GObject parent;
  ExoEngine *engine; /* borrowed */
  guint id;
  ExoRepoType type;
  char *model, *revision, *commit;
  char *previous; /* (nullable): its commit so far, while the Hub is asked what it is now */
  GStrv includes, excludes;
  GHashTable *asked; /* (nullable): on demand: the paths programs asked for, owned */
  GArray *
      recorded; /* (nullable): of guint: the same as a record has it, until the manifest is known */
  gboolean abandoned; /* on demand, and paused because nobody reads it any more */
  ExoTransferState state;
  GError *error;         /* of FAILED; or why it waits */
  gboolean unverified;   /* the listing came from a neighbour */
  ExoManifest *whole;    /* all files of the commit */
  ExoManifest *manifest; /* those its globs choose; on demand: all */
  GArray *files;         /* ExoTransferFile, one per file of manifest; never moves */
  guint n_asked;         /* of files: all, unless on demand */
  guint n_looking, n_wanted, n_twins, n_done, next_file;
  guint n_publishing; /* of the files asked for, those of the snapshot under way */
  gboolean space_checked;
  guint64 last_total, last_done; /* as of the last stop or run: shown until it is known anew */
  guint64 last_needed; /* room that was not there at the last attempt; 0: it was, or is not known */
  guint64 from_hub, from_lan; /* of wants that are over, over restarts */
  gint64 started_s, finished_s;
  ExoRateMeter meter;
  ExoListing *listing;      /* being asked for */
  ExoListing *confirmation; /* an unverified listing being checked */
  guint retry_source, confirm_source;
  guint n_retries;
  GCancellable *cancellable; /* of the store's operations for the current attempt */
  char *shown;               /* facts last signalled, to signal only changes */
  gboolean changed;          /* which is not signalled yet */
  gboolean forgotten;        /* cancelled: not the engine's any more */
};

/* scan.c */
void exo_engine_scan_later (ExoEngine *engine); /* some time after the start */
void exo_engine_scan_again (ExoEngine *engine); /* now, unless there was a scan a minute ago */

/* transfer.c */
ExoTransfer *exo_transfer_new (ExoEngine *engine,
                               guint id,
                               ExoRepoType type,
                               const char *model,
                               const char *revision,
                               const char *const *includes,
                               const char *const *excludes);
/* Files are added by exo_transfer_ask(). The manifest must have been noted in the store. */
ExoTransfer *exo_transfer_new_on_demand (ExoEngine *engine,
                                         guint id,
                                         ExoManifest *manifest,
                                         const char *revision);
void exo_transfer_abandon (ExoTransfer *transfer); /* paused until the next exo_transfer_ask() */
ExoTransfer *exo_transfer_restore (ExoEngine *engine,
                                   const char *json); /* (nullable): the text is damaged */
void exo_transfer_wake (ExoTransfer *transfer); /* after a restart: goes on with what it was at */
gboolean exo_transfer_is (ExoTransfer *transfer,
                          ExoRepoType type,
                          const char *model,
                          const char *revision,
                          const char *const *includes,
                          const char *const *excludes);
gboolean exo_transfer_is_of (ExoTransfer *transfer, ExoRepoType type, const char *model);
gboolean exo_transfer_is_active (ExoTransfer *transfer);
gboolean
exo_transfer_is_opening (ExoTransfer *transfer); /* what it has on disk is not fully known yet */
void exo_transfer_start (ExoTransfer *transfer); /* from any state but an active one */
void exo_transfer_stop (ExoTransfer *transfer,
                        gboolean park); /* releases what it holds, keeps its state */
void exo_transfer_tick (ExoTransfer *transfer, gint64 now_us);
void exo_transfer_save (ExoTransfer *transfer);
void exo_transfer_network_changed (ExoTransfer *transfer);
void exo_transfer_hub_changed (ExoTransfer *transfer, gboolean reachable);
gboolean exo_transfer_wanted_by (ExoTransfer *transfer, ExoNeighbour *neighbour);

void exo_transfer_changed (ExoTransfer *transfer); /* to be signalled */
void exo_transfer_set_state (ExoTransfer *transfer, ExoTransferState state);
void exo_transfer_fail (ExoTransfer *transfer, const GError *error);
void exo_transfer_confirm_later (ExoTransfer *transfer); /* a neighbour's list of files */

/* files.c */
void exo_transfer_begin_files (ExoTransfer *transfer); /* its manifest is known */
void exo_transfer_release_files (ExoTransfer *transfer, gboolean park);
/* Some program wants this file of a transfer on demand. */
void exo_transfer_ask (ExoTransfer *transfer, const char *path);
/* valid until exo_transfer_stop() */
ExoTransferFile *exo_transfer_file (ExoTransfer *transfer, guint index);

/* record.c */
char *exo_transfer_to_json (ExoTransfer *transfer);
gboolean exo_transfer_from_json (ExoTransfer *transfer, const char *json);
void exo_transfer_recall_asked (ExoTransfer *transfer); /* its manifest is known */

/* listing.c */
/* @from_neighbour: nobody but a neighbour says what is in this commit */
typedef void (*ExoListingDone) (ExoManifest *manifest /* (nullable) (transfer none) */,
                                gboolean from_neighbour,
                                const GError *error,
                                gpointer user_data);
/* @done is called once, never from within this call, and the listing is gone afterwards. */
ExoListing *exo_listing_new (ExoEngine *engine,
                             ExoRepoType type,
                             const char *id,
                             const char *revision,
                             gboolean ask_neighbours,
                             ExoListingDone done,
                             gpointer user_data);
void exo_listing_cancel (ExoListing *listing); /* no callback */
/* Told to the store. */
void exo_listing_note (ExoEngine *engine, ExoManifest *manifest, gboolean from_neighbour);

/* node.c */
ExoNode *exo_node_new (ExoEngine *engine, ExoNeighbour *neighbour /* (nullable): this machine */);
void exo_node_tick (ExoNode *node, gint64 now_us);
void exo_node_rest (ExoNode *node);
void exo_node_changed (ExoNode *node); /* to be signalled */
void exo_node_tell (ExoNode *node);
void exo_node_lost (ExoNode *node); /* its neighbour is about to go */

/* Nothing is done to a node that is lost. @state: as in ExoNodeInfo; @models: (nullable) */
void exo_node_set_exo (ExoNode *node, const char *state, const char *const *models);
const char *exo_node_base_url (ExoNode *node); /* (nullable): of a neighbour; borrowed */

/* card.c */
GBytes *exo_engine_card (ExoEngine *engine); /* (transfer full): of GET /v1/node */

/* look.c */
/* @port: of exo's API on 127.0.0.1; 0: exo of this machine is not asked */
ExoLook *exo_look_new (ExoEngine *engine, guint16 port);
/* What is younger is not asked again; 3 s unless set. */
void exo_look_set_fresh (ExoLook *look, gint64 fresh_us);
void exo_look_card_wanted (ExoLanRequest *request, gpointer look);
void
exo_look_stop (ExoLook *look); /* who waits is answered; before the LAN server and the nodes go */
void exo_look_free (ExoLook *look); /* after the fetcher; NULL is fine */

/* limiter.c */
ExoLimiter *exo_limiter_new (ExoEngine *engine, const char *state_dir, const ExoLimits *configured);
void exo_limiter_free (ExoLimiter *limiter); /* before the Hub; NULL is fine */
void exo_limiter_save (ExoLimiter *limiter); /* the bytes of the month */
void exo_limiter_look (ExoLimiter *limiter); /* what may be done now */
/* "", or a sentence: why the Hub is not asked for files, and until when. Borrowed until the next main loop turn */
const char *exo_limiter_why (ExoLimiter *limiter);
gboolean exo_limiter_allows_hub (ExoLimiter *limiter);
/* One more fetch from the Hub that the plan does not know of may begin. */
gboolean exo_limiter_has_room (ExoLimiter *limiter);

/* watch.c */
void exo_engine_watch (ExoEngine *engine, gint64 now_us); /* as long as something is transferred */

/* statics.c */
ExoStatics *exo_statics_new (ExoEngine *engine, const char *const *peers);
void exo_statics_free (ExoStatics *statics);
void exo_statics_probe (ExoStatics *statics);
gboolean exo_statics_are_probed (ExoStatics *statics); /* each answered, or did not */

/* endpoint/endpoint.c: the Hub for programs of this machine. @error: FAILED: no port */
ExoEndpoint *exo_endpoint_new (ExoEngine *engine, guint16 port, GError **error);
void exo_endpoint_free (ExoEndpoint *endpoint);       /* NULL is fine */
const char *exo_endpoint_url (ExoEndpoint *endpoint); /* "http://127.0.0.1:52419" */

/* pulls.c */
/* The transfer that brings @path of this commit: one that runs, or the one on demand, made where there is none. NULL: that one
 * was paused by the user. @error: BUSY */
ExoTransfer *exo_engine_demand (ExoEngine *engine,
                                ExoManifest *manifest,
                                gboolean unverified,
                                const char *revision,
                                const char *path,
                                GError **error);
void exo_engine_restore_transfers (ExoEngine *engine); /* of the run before */
void exo_engine_forget_transfer (ExoEngine *engine, ExoTransfer *transfer);

/* tell.c */
void exo_engine_tell_soon (ExoEngine *engine);
/* @signal: static; "warning" (@about: the kind) or "node-failed" (@about: its id; @message: NULL) */
void
exo_engine_notice (ExoEngine *engine, const char *signal, const char *about, const char *message);
void exo_notice_free (gpointer notice);

/* engine.c */
void exo_engine_warn (ExoEngine *engine, const char *kind, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
void exo_engine_changed_soon (ExoEngine *engine);   /* some total */
void exo_engine_statics_probed (ExoEngine *engine); /* one more of them */
void exo_engine_transfer_started (ExoEngine *engine);

G_END_DECLS
