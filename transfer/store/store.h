/* store.h - what is on disk: the Hub cache, partial files, the index of verified blobs
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Layout (hub-protocol.md 3), to the letter:
 *   <hub>/.locks/models--org--name/<oid>.lock           flock, as the Python client takes it
 *   <hub>/models--org--name/blobs/<oid>                 complete, verified, then renamed into place
 *   <hub>/models--org--name/blobs/<oid>.exo-part        ours: the partial file (sparse)
 *   <hub>/models--org--name/blobs/<oid>.exo-journal     ours: which of its pieces are on disk (journal.h)
 *   <hub>/models--org--name/snapshots/<commit>/<path>   relative symlink to the blob
 *   <hub>/models--org--name/refs/<revision>             40 bytes
 *   <hub>/models--org--name/trees/<commit>.json         the listing, without xet_hash
 *   <state>/index.sqlite                                blobs verified, manifests, transfers
 *
 * Roots are further folders, of exo or any other tool, which are read and never written. A file in
 * them is a blob like another once it was hashed; it is open once a noted open manifest lists it,
 * whatever its name claims: only the Hub says what is public.
 *
 * Main thread only; nothing here blocks it on bulk I/O: opening, hashing, syncing, journal writing
 * and renaming run on the store's own threads, in order per partial.
 */

#pragma once

#include <gio/gio.h>

#include "transfer/hub/manifest.h"
#include "transfer/swarm/piece-map.h"

G_BEGIN_DECLS

typedef struct ExoStore ExoStore;
typedef struct ExoPartial ExoPartial;

/* Both folders are made where missing (mode 0700 for @state_dir). @error: DISK; a damaged index is set aside
 * (index.sqlite.damaged) and rebuilt, with a warning in the log. */
ExoStore *exo_store_new (const char *hub_cache, const char *state_dir, GError **error);
void
exo_store_free (ExoStore *store); /* waits for what its threads still write; journals are flushed */

/* Absolute paths; a root that is a symlink is followed, symlinks in it are not. One that is not there may come later, one
 * that cannot be read is warned of once. Before anything else is asked. */
void exo_store_set_roots (ExoStore *store, const char *const *roots);

const char *exo_store_hub_cache (ExoStore *store);
guint64 exo_store_free_bytes (ExoStore *store); /* for this user, on the file system of the cache */
guint64 exo_store_cache_bytes (ExoStore *store); /* blobs in the index */

/* Complete blobs ----------------------------------------------------------------------------- */

typedef struct
{
  char *path;   /* absolute, of a file whose whole hash was verified and which has not changed since
                    * (device, inode, size, mtime) */
  guint64 size; /* bytes */
  gboolean open; /* some public, ungated repo contains it: may be served and listed on the LAN */
} ExoStoredBlob;

void exo_stored_blob_clear (ExoStoredBlob *blob);

/* Index and one fstat; FALSE if not held, or changed since it was verified (then it is forgotten). */
gboolean exo_store_find (ExoStore *store, const char *oid, ExoStoredBlob *out_blob);
/* A repo known to be open (or no longer) contains these: recorded for the files of @manifest that are held or come later. */
void exo_store_note_manifest (ExoStore *store, ExoManifest *manifest);
/* NULL if that commit was never noted. Borrowed, and good until the next call of this or of
 * exo_store_note_manifest(), as only the latest are kept parsed: take a reference to keep it. */
ExoManifest *
exo_store_peek_manifest (ExoStore *store, ExoRepoType type, const char *id, const char *commit);
/* The commit a ref file names, NULL if there is none: what an offline client would take. (transfer full) */
char *exo_store_read_ref (ExoStore *store, ExoRepoType type, const char *id, const char *revision);

/* Makes a held blob appear in @id's blobs/: nothing to do, a hard link, or (other file system, or a root) a copy,
 * whose hash is taken on the way.
 * @path: (nullable): of the file in the repo: the file that a root has there is hashed if it was not yet.
 * A file of that name which is already there but not in the index is hashed; if it is not what its name says it is moved to
 * <oid>.exo-damaged, with a warning. Result FALSE without error: not held anywhere. Runs on a store thread. */
void exo_store_adopt_async (ExoStore *store,
                            ExoRepoType type,
                            const char *id,
                            const char *oid,
                            guint64 size,
                            const char *path,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data);
gboolean exo_store_adopt_finish (ExoStore *store, GAsyncResult *result, GError **error);

/* SHA-256 of pieces of a file, in order, 32 bytes each. @size: of the blob. */
void exo_store_digests_async (ExoStore *store,
                              int fd,
                              guint64 size,
                              const guint32 *pieces,
                              gsize n_pieces,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data);
GBytes *exo_store_digests_finish (ExoStore *store, GAsyncResult *result, GError **error);

/* Snapshots and refs -------------------------------------------------------------------------- */

/* Symlink, refs and trees file, in the order hub-protocol.md 3.4 wants: every blob of @manifest must be in blobs/.
 * @revision: (nullable): no ref is written (a commit was asked for). @whole: @manifest lists all files of the
 * commit (not filtered): trees/<commit>.json is written, too. Empty files get their (empty) blob here. */
void exo_store_publish_async (ExoStore *store,
                              ExoManifest *manifest,
                              const char *revision,
                              gboolean whole,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean exo_store_publish_finish (ExoStore *store, GAsyncResult *result, GError **error);

typedef struct
{
  ExoRepoType type;
  char *id;
  char *commit;
  char *refs;    /* comma-separated names of refs to it, may be "" */
  guint64 bytes; /* of files present, through the symlinks */
  guint n_files;
  gint64 modified_s; /* Unix time of the newest file */
  gboolean partial;  /* the noted manifest lists files that are not here */
} ExoStoredModel;

void exo_stored_model_free (ExoStoredModel *model);

/* Every snapshot in the cache, ours and other tools'. Returns (element-type ExoStoredModel) */
void exo_store_models_async (ExoStore *store,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
GPtrArray *exo_store_models_finish (ExoStore *store, GAsyncResult *result, GError **error);

/* Removes snapshots, refs, then blobs that no other snapshot of the repo uses, and our partials, as `hf cache rm` does.
 * @commit: (nullable): all revisions. Returns bytes freed; @error: NOT_FOUND, BUSY (some partial of the repo is open), DISK */
void exo_store_remove_async (ExoStore *store,
                             ExoRepoType type,
                             const char *id,
                             const char *commit,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
gboolean
exo_store_remove_finish (ExoStore *store, GAsyncResult *result, guint64 *out_freed, GError **error);

/* Hashes every file of the snapshot again. A wrong one is moved to <oid>.exo-damaged and its symlinks go, so that the next
 * pull fetches it. Returns (element-type utf8): paths found wrong; empty: all is well. */
void exo_store_verify_async (ExoStore *store,
                             ExoRepoType type,
                             const char *id,
                             const char *commit,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
GPtrArray *exo_store_verify_finish (ExoStore *store,
                                    GAsyncResult *result,
                                    guint *out_n_checked,
                                    GError **error);

/* Files in the cache and the roots that no tool of ours verified yet, hashed one after the other at idle I/O priority;
 * calls @found for each blob that came into the index. Returns at once; runs once over what is there now, and costs one
 * stat() a file where nothing is new. Nothing happens if the scan before has not ended. */
void exo_store_scan (ExoStore *store,
                     void (*found) (ExoStore *store, const char *oid, gpointer user_data),
                     gpointer user_data);
/* Repos in the cache of which it is not known whether they are open: "model", "org/name" pairs, (element-type utf8), flat */
GPtrArray *exo_store_unknown_repos (ExoStore *store);
/* Models that, by the names of folders ("org--name"), may be in a root, not known to be closed, and without a noted manifest
 * to tell their files by. "org/name", (element-type utf8) */
GPtrArray *exo_store_unlisted_repos (ExoStore *store);
void exo_store_set_repo_open (ExoStore *store, ExoRepoType type, const char *id, gboolean open);

/* Partial blobs ------------------------------------------------------------------------------- */

/* Takes the Python client's lock, opens or makes the partial file and its journal. @size is not 0.
 * @for_client: a program reads the blob through this agent while it comes. If it writes to the same cache it holds the lock
 * itself and waits for our bytes: then the agent goes on without it. Two agents never write one partial file in any case.
 * @error: BUSY (another process is downloading it: ask again in a second), NO_SPACE, DISK */
void exo_store_open_partial_async (ExoStore *store,
                                   ExoRepoType type,
                                   const char *id,
                                   const char *oid,
                                   guint64 size,
                                   gboolean for_client,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data);
ExoPartial *exo_store_open_partial_finish (ExoStore *store, GAsyncResult *result, GError **error);
/* Journal flushed, lock released, file kept unless it was finished. */
void exo_partial_close (ExoPartial *partial);

const char *exo_partial_oid (ExoPartial *partial);
guint64 exo_partial_size (ExoPartial *partial);
int exo_partial_fd (ExoPartial *partial);                 /* borrowed; read and write */
const ExoPieceMap *exo_partial_map (ExoPartial *partial); /* what is on disk; borrowed, live */
/* Who gave piece @index: "hub", a peer's id, or NULL if unknown or not held. Borrowed; interned. */
const char *exo_partial_source (ExoPartial *partial, guint32 index);
/* The piece is wholly written: journalled, and hashed when the front reaches it. @source: as above, interned here */
void exo_partial_add (ExoPartial *partial, guint32 index, const char *source);
/* The piece is wrong: out of the journal and the map; the hashing front falls back to 0 if it was past it. */
void exo_partial_drop (ExoPartial *partial, guint32 index);
guint64 exo_partial_hashed (ExoPartial *partial); /* bytes of the front already hashed */

/* All pieces are here: the rest is hashed, compared with the oid, synced, renamed to blobs/<oid>, put into the index; then the partial is
 * only good for closing. @error: MISMATCH (nothing was renamed; drop pieces and go on), NO_SPACE, DISK */
void exo_partial_finish_async (ExoPartial *partial,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
gboolean exo_partial_finish_finish (ExoPartial *partial, GAsyncResult *result, GError **error);

/* Transfers that survive a restart ------------------------------------------------------------- */

/* An opaque JSON text per transfer id; the engine's, kept in the index. */
void exo_store_save_transfer (ExoStore *store, guint id, const char *json);
void exo_store_forget_transfer (ExoStore *store, guint id);
/* (element-type utf8): the texts, by id */
GPtrArray *exo_store_load_transfers (ExoStore *store);
/* Small named counters that survive a restart (totals). */
guint64 exo_store_get_counter (ExoStore *store, const char *name);
void exo_store_set_counter (ExoStore *store, const char *name, guint64 value);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoStore, exo_store_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoStoredModel, exo_stored_model_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ExoStoredBlob, exo_stored_blob_clear)

G_END_DECLS
