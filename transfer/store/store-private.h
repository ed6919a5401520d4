/* store-private.h - what the files of the store share
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Threads, each a pool that lets idle threads go:
 *   writer   one; appends to journals, in order; never waits for the disk
 *   syncer   one; opens, syncs, commits and closes partials, in order. What is about a partial gets
 *            there through the writer, so that its appends are done before
 *   hashers  two; the hashing fronts and piece digests, in bites of EXO_STORE_BITE
 *   jobs     two; publish, list, remove, verify: may take minutes
 *   copiers  two; adopt, which may copy a model from a root: apart, so that nobody waits for that
 *   scanner  one, at idle I/O priority
 */

#pragma once

#include "transfer/error.h"
#include "transfer/oid.h"
#include "transfer/store/index.h"
#include "transfer/store/layout.h"
#include "transfer/store/store.h"

G_BEGIN_DECLS

#define EXO_STORE_BITE           (64u << 20) /* bytes hashed before others have a turn */
#define EXO_STORE_MANIFESTS_MAX  32u         /* parsed ones kept for exo_store_peek_manifest() */
#define EXO_STORE_CHECKPOINT_MS  2000u       /* from a new record to its checkpoint */
#define EXO_STORE_WALK_DEPTH_MAX 64u         /* folders within folders, when walking the cache */
#define EXO_STORE_ROOT_DEPTH_MAX 16u         /* the same in a root */
#define EXO_STORE_ROOT_FILES_MAX 100000u     /* in all roots; no more of them are looked at */
#define EXO_STORE_ROOT_REPOS_MAX 64u         /* the Hub is asked about at a time */
#define EXO_STORE_GIT_BYTES_MAX  (10u << 20) /* past it the Hub keeps no file in git itself */

struct ExoStore
{
  gint refs;             /* atomic: the owner's, and one per message under way to the main thread */
  GMainContext *context; /* that of the main thread */
  char *hub;             /* absolute */
  char *boot_id;         /* "" if the kernel has none */
  guint file_mode;       /* 0666 & ~umask */
  ExoIndex *index;
  gint stopping; /* atomic */
  GThreadPool *writer, *syncer, *hashers, *jobs, *copiers, *scanner;
  GMutex adopt_mutex;       /* of the next two */
  GCond adopted;            /* one path less in: */
  GHashTable *adopting;     /* (element-type utf8) set: blobs being put in place, borrowed */
  GStrv roots;              /* (nullable); not changed once threads run */
  GHashTable *roots_said;   /* scanner; (element-type utf8): roots with trouble that was told */
  gint scanning;            /* atomic: a scan runs, or waits to */
  gint index_sync_queued;   /* atomic */
  GQueue manifests;         /* main; (element-type ExoManifest), latest first */
  gint64 cache_bytes;       /* main; -1: ask the index */
  gint cache_bytes_changed; /* atomic */
};

ExoStore *exo_store_ref (ExoStore *store);
void exo_store_unref (ExoStore *store);

/* For tests of what a power loss leaves: the boot the store believes to be in. */
void exo_store_set_boot_id (ExoStore *store, const char *boot_id);

/* Runs @func with @data on @pool. */
void exo_store_run (GThreadPool *pool, void (*func) (gpointer data), gpointer data);
/* Runs @func with @data in the main loop. */
void exo_store_tell (ExoStore *store, GSourceFunc func, gpointer data);

/* A task whose work runs on @pool: it must return the task's value or error. Takes @task. */
typedef void (*ExoStoreWork) (ExoStore *store, GTask *task, gpointer task_data);
void exo_store_start (ExoStore *store, GThreadPool *pool, GTask *task, ExoStoreWork work);
GTask *exo_store_task_new (GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data,
                           gpointer tag);
/* TRUE, with CANCELLED set, if the task was cancelled or the store is closing */
gboolean exo_store_is_cancelled (ExoStore *store, GCancellable *cancellable, GError **error);

/* Absolute name of something below the cache folder. @relative: (nullable): then NULL. */
char *exo_store_path (ExoStore *store, const char *relative);

/* Files --------------------------------------------------------------------------------------- */

/* NO_SPACE or DISK from errno, always FALSE. @format: what cannot be done, translated */
gboolean exo_store_errno (GError **error, int code, const char *format, ...) G_GNUC_PRINTF (3, 4);
gboolean exo_store_make_parents (const char *path, GError **error);
gboolean exo_store_write_all (int fd, const void *data, gsize n, goffset offset, GError **error);
gboolean exo_store_sync_parent (const char *path, GError **error);
/* Writes @n bytes under the name @temp, syncs, renames to @path. */
gboolean exo_store_replace_file (ExoStore *store,
                                 const char *temp,
                                 const char *path,
                                 const void *data,
                                 gsize n,
                                 GError **error);

/* Blobs --------------------------------------------------------------------------------------- */

/* A file of the right hash: into the index, and a member of that repo. */
void exo_store_remember (ExoStore *store,
                         ExoRepoType type,
                         const char *id,
                         const char *oid,
                         const char *path,
                         const struct stat *st);
void exo_store_forget (ExoStore *store, const char *path);

typedef enum
{
  EXO_BLOB_GOOD,    /* in the index since, if it was not */
  EXO_BLOB_WRONG,   /* it has another hash */
  EXO_BLOB_MISSING, /* no such regular file, or not readable as one */
  EXO_BLOB_UNKNOWN, /* @error says why it could not be told */
} ExoBlobState;

/* Hashes @path unless the index knows it as it is. @again: also then, and from the disk. */
ExoBlobState exo_store_check_file (ExoStore *store,
                                   ExoRepoType type,
                                   const char *id,
                                   const char *oid,
                                   const char *path,
                                   gboolean again,
                                   GCancellable *cancellable,
                                   GError **error);
/* Moves @path to blobs/<oid>.exo-damaged, with a warning. */
gboolean exo_store_set_aside (ExoStore *store,
                              ExoRepoType type,
                              const char *id,
                              const char *oid,
                              const char *path,
                              GError **error);

/* Roots --------------------------------------------------------------------------------------- */

typedef void (*ExoRootsFound) (const char *oid, gpointer user_data);

/* On the scanner: hashes what is new or changed, forgets what is gone. @found: for each new oid, there */
void exo_store_scan_roots (ExoStore *store, ExoRootsFound found, gpointer user_data);
/* Not to wait for a scan: hashes <root>/org--name/<path>, where exo has it, if it has that size and is not known. */
void exo_store_hash_in_roots (ExoStore *store,
                              const char *id,
                              const char *path,
                              guint64 size,
                              GCancellable *cancellable);
gboolean exo_store_find_in_roots (ExoStore *store, const char *oid, ExoStoredBlob *out_blob);

/* Listing ------------------------------------------------------------------------------------- */

/* One folder's entries without "." and "..", sorted; empty if it cannot be read. (transfer full) */
GPtrArray *exo_store_list (const char *folder);

typedef struct
{
  ExoRepoType type;
  char *id;
  char *path; /* absolute */
} ExoRepoFolder;

void exo_repo_folder_free (ExoRepoFolder *folder);
/* The repo folders in the cache, ours and others'. (element-type ExoRepoFolder) */
GPtrArray *exo_store_repo_folders (ExoStore *store);

/* Calls @each for everything below @folder but folders; symlinks are not followed.
 * @path: relative to @folder. FALSE from @each ends the walk. */
typedef gboolean (*ExoStoreEach) (const char *path,
                                  const char *absolute,
                                  const struct stat *st,
                                  gpointer user_data);
gboolean exo_store_walk (const char *folder, ExoStoreEach each, gpointer user_data);
/* The blob that a snapshot's link names; NULL if it is no such link. Only the name counts, so that no
 * link can make us touch anything outside blobs/. (transfer full) */
char *exo_store_linked_oid (const char *absolute, const struct stat *st);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoRepoFolder, exo_repo_folder_free)

G_END_DECLS
