/* engine.h - all transfers of this node: what agent/ wires to D-Bus and discovery
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Main thread only. Owns the fetcher, the Hub, the store, the LAN server and the swarm, and the
 * list of transfers, which survives a restart. Knows nothing of D-Bus or mDNS: peers are told to it.
 */

#pragma once

#include <gio/gio.h>

#include "transfer/error.h"
#include "transfer/hub/manifest.h"
#include "transfer/limit.h"

G_BEGIN_DECLS

#define EXO_TYPE_ENGINE (exo_engine_get_type ())
G_DECLARE_FINAL_TYPE (ExoEngine, exo_engine, EXO, ENGINE, GObject)
#define EXO_TYPE_TRANSFER (exo_transfer_get_type ())
G_DECLARE_FINAL_TYPE (ExoTransfer, exo_transfer, EXO, TRANSFER, GObject)
#define EXO_TYPE_NODE (exo_node_get_type ())
G_DECLARE_FINAL_TYPE (ExoNode, exo_node, EXO, NODE, GObject)

/* The engine ------------------------------------------------------------------------------- */

typedef struct
{
  const char *node_id; /* 32 hex digits */
  const char *node_name;
  const char *hub_cache;
  const char *const *roots; /* (nullable): absolute folders of other tools, read only */
  const char *state_dir;
  const char *endpoint;   /* (nullable) */
  const char *token;      /* (nullable) */
  const char *token_path; /* (nullable) */
  gboolean offline;
  guint16 listen_port;      /* 0 any */
  gboolean listen_loopback; /* several agents on one machine, tests */
  const char *const
      *peers; /* (nullable): static neighbours, "host:port", for networks without multicast */
  guint upload_slots;      /* 0: default */
  gboolean serve_programs; /* the Hub-compatible endpoint on 127.0.0.1 */
  guint16 endpoint_port;   /* of it; 0 any */
  guint16 exo_port;        /* of the API of exo on 127.0.0.1; 0: exo is not asked what it does */
  ExoLimits limits; /* unless others were set by exo_engine_set_limits(), maybe in an earlier run */
} ExoEngineConfig;

/* Signals of ExoEngine:
 *   "transfer-added" (ExoTransfer), "transfer-removed" (ExoTransfer)
 *   "node-added" (ExoNode), "node-removed" (ExoNode)
 *   "restored": what the transfers of an earlier run have on disk is known; once, soon after the start
 *   "idle": nothing moves any more
 *   "node-failed" (const char *id): it does not answer; discovery should look again
 *   "warning" (const char *kind, const char *message): kind is one of "disk", "peer", "hub", "upstream", "network",
 *     "limit"
 *   "changed": some total below changed; at most four times a second
 * All are emitted from the main loop or as the last thing a call does: a handler may call anything but exo_engine_stop().
 * @error: DISK, FAILED */
ExoEngine *exo_engine_new (const ExoEngineConfig *config, GError **error);
/* Journals flushed, streams closed; transfers go on at the next start. Call before the last unref. Turns the main loop until
 * what is under way has landed, and signals nothing any more. A second call does nothing. */
void exo_engine_stop (ExoEngine *engine);
guint16 exo_engine_port (ExoEngine *engine); /* of the LAN server; 0: it listens nowhere */

/* From discovery. @addresses: GInetSocketAddress, best first */
void
exo_engine_peer_seen (ExoEngine *engine, const char *id, const char *name, GPtrArray *addresses);
void exo_engine_peer_gone (ExoEngine *engine, const char *id);
/* The neighbours present are known: what none of them has may be fetched from the Hub. */
void exo_engine_peers_settled (ExoEngine *engine);
void exo_engine_network_changed (ExoEngine *engine);
/* TRUE: bytes from the Hub cost money or are capped, so nothing that a neighbour has is fetched there, however slow
 * the neighbour is. FALSE at first. */
void exo_engine_set_metered (ExoEngine *engine, gboolean metered);

/* What the user allows. Set here a limit goes before that of the configuration, at once and in later runs, until it is reset. */
typedef struct
{
  ExoLimits limits;    /* in force */
  guint set;           /* bits 1 << ExoLimit: set here */
  guint64 month_bytes; /* of files, from the Hub, in this calendar month */
  ExoHubWait wait;     /* why the Hub is not asked for files now */
  gint64 until_s;      /* Unix time: it may be again; 0 if it may */
} ExoLimitsState;

void exo_engine_get_limits (ExoEngine *engine, ExoLimitsState *out_state);
/* @which: bits 1 << ExoLimit. @limits: as exo_limit_check() allows. All of it or nothing. @error: DISK */
gboolean
exo_engine_set_limits (ExoEngine *engine, const ExoLimits *limits, guint which, GError **error);
gboolean exo_engine_reset_limits (ExoEngine *engine, guint which, GError **error);

/* A second pull of the same model, revision and globs returns the transfer there is. One that was paused or had failed goes on
 * with its commit; a complete one asks the Hub what the revision is now, and stays as it is if the Hub cannot be reached.
 * @revision: (nullable): the default branch. @error: INVALID (names, globs), nothing else: the rest is the transfer's state.
 * Returns: (transfer none): the engine's until it is cancelled, and valid until the next main loop turn in any case */
ExoTransfer *exo_engine_pull (ExoEngine *engine,
                              ExoRepoType type,
                              const char *id,
                              const char *revision,
                              const char *const *includes,
                              const char *const *excludes,
                              GError **error);
GPtrArray *exo_engine_transfers (
    ExoEngine *engine); /* (transfer container) (element-type ExoTransfer), by id */
GPtrArray *exo_engine_nodes (
    ExoEngine *engine); /* (transfer container) (element-type ExoNode); this node first */

typedef struct
{
  guint64 bytes_from_hub, bytes_from_lan, bytes_served; /* since installation; file bytes */
  guint64 cache_bytes, free_bytes;
  gboolean hub_reachable;
  gboolean has_token;
  gint64 hub_blocked_s; /* seconds until the Hub may be asked again, 0: now */
  guint peers;          /* present */
  const char *endpoint;
  const char *
      local_endpoint; /* "http://127.0.0.1:52419" for HF_ENDPOINT of programs; "" if there is none */
  const char *hub_cache;
} ExoEngineTotals;

void exo_engine_get_totals (ExoEngine *engine, ExoEngineTotals *out_totals);

/* The store's models, removal and verification. The last two are refused while a transfer of the model runs (BUSY); other
 * errors are INVALID (names), NOT_FOUND and DISK. @callback comes in a later main loop turn, also after exo_engine_stop().
 * @revision: (nullable): all that are there to remove; "main" to verify. @out_freed: bytes. @out_n_checked: files.
 * The lists are (transfer full) (nullable): NULL with @error set. */
void exo_engine_models_async (ExoEngine *engine, GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *exo_engine_models_finish (ExoEngine *engine,
                                     GAsyncResult *result,
                                     GError **error); /* ExoStoredModel */
void exo_engine_remove_async (ExoEngine *engine,
                              ExoRepoType type,
                              const char *id,
                              const char *revision,
                              GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean exo_engine_remove_finish (ExoEngine *engine,
                                   GAsyncResult *result,
                                   guint64 *out_freed,
                                   GError **error);
void exo_engine_verify_async (ExoEngine *engine,
                              ExoRepoType type,
                              const char *id,
                              const char *revision,
                              GAsyncReadyCallback callback,
                              gpointer user_data);
GPtrArray *exo_engine_verify_finish (ExoEngine *engine,
                                     GAsyncResult *result,
                                     guint *out_n_checked,
                                     GError **error); /* utf8 paths */

typedef struct
{
  char *id;      /* "hub", "token", "disk", "server", "peers", "cache" */
  char *status;  /* "ok", "warn", "fail" */
  char *summary; /* what is so */
  char *advice;  /* what to do; "" if ok */
} ExoFinding;

void exo_finding_free (ExoFinding *finding);
/* Asks the Hub and each neighbour now: some seconds. (transfer full) (element-type ExoFinding) (nullable); @error: CANCELLED by
 * exo_engine_stop() */
void
exo_engine_diagnose_async (ExoEngine *engine, GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *exo_engine_diagnose_finish (ExoEngine *engine, GAsyncResult *result, GError **error);

/* Asks exo of this machine and every neighbour what it is at, unless that was done just now; it takes some 2.5 s at most.
 * Nodes that changed have told it when @callback is called. */
void exo_engine_look_async (ExoEngine *engine, GAsyncReadyCallback callback, gpointer user_data);
void exo_engine_look_finish (ExoEngine *engine, GAsyncResult *result);

/* One transfer -------------------------------------------------------------------------------- */

typedef enum
{
  EXO_TRANSFER_QUEUED,
  EXO_TRANSFER_RESOLVING,
  EXO_TRANSFER_TRANSFERRING,
  EXO_TRANSFER_VERIFYING,
  EXO_TRANSFER_PAUSED,
  EXO_TRANSFER_COMPLETE,
  EXO_TRANSFER_FAILED,
} ExoTransferState;

const char *exo_transfer_state_name (ExoTransferState state); /* "queued" ... "failed" */

/* A snapshot of its facts. Strings are borrowed until the next main loop turn. */
typedef struct
{
  guint id; /* from 1, kept over restarts */
  ExoRepoType type;
  const char *model;    /* org/name */
  const char *revision; /* as asked for; "main" if nothing was */
  const char *commit;   /* "" until resolved */
  /* Globs, sorted; (nullable): none */
  const char *const *includes;
  const char *const *excludes;
  gboolean on_demand; /* programs ask for its files, one by one */
  ExoTransferState state;
  guint64 bytes_total;                    /* 0 until resolved */
  guint64 bytes_done;                     /* on disk, <= bytes_total */
  guint64 bytes_from_hub, bytes_from_lan; /* fetched by this transfer, over restarts */
  guint files_total, files_done;
  guint64 rate;                 /* bytes/s, over some 5 s */
  gint64 eta_s;                 /* seconds; -1 unknown */
  gint64 started_s, finished_s; /* Unix time; 0 not yet */
  gboolean
      unverified_upstream; /* the listing came from a neighbour, the Hub has not confirmed it yet */
  gboolean whole;          /* it has, or will have, all files of the commit */
  const char
      *error_code; /* "" or last part of a D-Bus error name: "NotFound", "Denied", "NoSpace" ... */
  const char *
      error_message; /* "" or what happened and what to do; also while it waits and goes on by itself */
  guint peers;       /* it fetches from now */
} ExoTransferInfo;

/* Signal "changed": at most four times a second, and in the next main loop turn after a change of state. */
/* Emits it now if it is due: for who must have shown what is so before it answers. Not from within "changed". */
void exo_transfer_tell (ExoTransfer *transfer);
void exo_transfer_get_info (ExoTransfer *transfer, ExoTransferInfo *out_info);
/* Each row: path, size, bytes done, state ("waiting", "transferring", "verifying", "complete", "failed") */
void exo_transfer_foreach_file (ExoTransfer *transfer,
                                void (*each) (const char *path,
                                              guint64 size,
                                              guint64 done,
                                              const char *state,
                                              gpointer user_data),
                                gpointer user_data);
/* @error: FAILED if the state does not allow it (a complete transfer cannot be paused, one that was cancelled nothing) */
gboolean exo_transfer_pause (ExoTransfer *transfer, GError **error);
gboolean exo_transfer_resume (ExoTransfer *transfer, GError **error);
/* Stops and forgets it; partial files stay for a later pull. */
gboolean exo_transfer_cancel (ExoTransfer *transfer, GError **error);

/* One node ------------------------------------------------------------------------------------ */

typedef struct
{
  const char *id; /* 32 hex digits */
  const char *name;
  gboolean self;
  const char *const *addresses; /* "192.168.1.5:52418" */
  const char *address;          /* of a neighbour: the one in use, "" while none is */
  const char *link;             /* this machine's interface that leads there: "eth0"; "" likewise */
  guint64 link_speed;           /* bytes/s, of the slower card at its two ends; 0: not known */
  const char *state;      /* "present", "connected" (streams are open), "unreachable", "shunned" */
  guint64 rate_in;        /* bytes/s this node gets from it */
  guint64 rate_out;       /* bytes/s this node sends, for itself; 0 for others */
  gboolean hub_reachable; /* as it says */
  const char *const *models; /* it is transferring the same as we: "org/name" */
  /* What exo there is at, when exo_engine_look_async() or a neighbour asked last: "absent", "idle", "failed", "downloading",
   * "ready", "running", "loading", "unknown" (no answer that is understood); "": never asked, or it does not say. A neighbour
   * of a version to come may say something else. */
  const char *exo_state;
  const char *const
      *exo_models; /* of this node: names of the models exo has on it; never told to others */
} ExoNodeInfo;

/* Signal "changed", as for transfers. */
void exo_node_get_info (ExoNode *node, ExoNodeInfo *out_info);

G_END_DECLS
