/* index.h - what the store remembers: one SQLite file
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Verified blobs by (oid, path) with the file's device, inode, size and time of change; repos and
 * whether they are open; which blobs a repo contains; manifests; files of the roots; transfers;
 * counters.
 *
 * Losing it costs hashing, not data, but for the transfers: so it is a write-ahead log that is not
 * synced with each commit (no waiting for the disk on the main thread), exo_index_sync() does that
 * behind. One process at a time holds the file.
 *
 * Any thread: each call takes the index's own mutex, for well under a millisecond save
 * exo_index_note_manifest(), which takes some 2 us per file of a manifest not noted before.
 */

#pragma once

#include <gio/gio.h>
#include <sys/stat.h>

#include "transfer/hub/manifest.h"

G_BEGIN_DECLS

typedef struct ExoIndex ExoIndex;

/* @error: DISK; a damaged file is moved to index.sqlite.damaged and made anew, with a warning */
ExoIndex *exo_index_open (const char *state_dir, GError **error);
void exo_index_close (ExoIndex *index); /* NULL is fine */
/* What was committed is on the disk when this returns; blocks, for the store's threads. */
void exo_index_sync (ExoIndex *index);

/* Blobs. The path is part of the key: the same blob may lie in several repos. */
void exo_index_add_blob (ExoIndex *index,
                         const char *oid,
                         const char *path,
                         const struct stat *st,
                         gboolean good); /* FALSE: hashed, and not what its name says */
void exo_index_forget_path (ExoIndex *index, const char *path);
/* Is @path remembered as it is now? @out_good: as in exo_index_add_blob() */
gboolean exo_index_knows (ExoIndex *index,
                          const char *oid,
                          const char *path,
                          const struct stat *st,
                          gboolean *out_good);
/* Good files of @oid, unchecked. (transfer full) (element-type utf8) */
GPtrArray *exo_index_paths (ExoIndex *index, const char *oid);
guint64 exo_index_bytes (ExoIndex *index); /* of good blobs, hard links counted once */

/* Repos. @open: -1 unknown */
void exo_index_set_repo_open (ExoIndex *index, ExoRepoType type, const char *id, gboolean open);
int exo_index_repo_open (ExoIndex *index, ExoRepoType type, const char *id);
void exo_index_add_member (ExoIndex *index, ExoRepoType type, const char *id, const char *oid);
gboolean exo_index_blob_is_open (ExoIndex *index, const char *oid);

/* Manifests */
void exo_index_note_manifest (ExoIndex *index, ExoManifest *manifest);
/* (transfer full) (nullable): its JSON */
char *exo_index_manifest (ExoIndex *index, ExoRepoType type, const char *id, const char *commit);
void
exo_index_forget_manifest (ExoIndex *index, ExoRepoType type, const char *id, const char *commit);

/* Is any commit of the repo noted? */
gboolean exo_index_has_manifest (ExoIndex *index, ExoRepoType type, const char *id);

/* Files of the roots, by device and inode: a folder that was moved need not be hashed again. Apart
 * from the blobs, as their names tell nothing, they count for nothing in the size of the cache, and
 * one file has up to two oids. @sha1: (nullable): too large for git */
void exo_index_add_root_file (ExoIndex *index,
                              const char *path,
                              const struct stat *st,
                              const char *sha256,
                              const char *sha1);
/* Where a file that has not changed since was last seen; NULL: not known. (transfer full) */
char *exo_index_root_path (ExoIndex *index, const struct stat *st);
void exo_index_move_root_file (ExoIndex *index, const char *path, const struct stat *st);
gboolean exo_index_root_knows (ExoIndex *index, const char *oid, const struct stat *st);
/* Unchecked. (transfer full) (element-type utf8) */
GPtrArray *exo_index_root_paths (ExoIndex *index, const char *oid);
GPtrArray *exo_index_all_root_paths (ExoIndex *index);
void exo_index_forget_root_path (ExoIndex *index, const char *path);

/* Transfers and counters */
void exo_index_save_transfer (ExoIndex *index, guint id, const char *json);
void exo_index_forget_transfer (ExoIndex *index, guint id);
GPtrArray *exo_index_transfers (ExoIndex *index); /* (element-type utf8), by id */
guint64 exo_index_counter (ExoIndex *index, const char *name);
void exo_index_set_counter (ExoIndex *index, const char *name, guint64 value);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoIndex, exo_index_close)

G_END_DECLS
