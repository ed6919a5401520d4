/* layout.h - names of files in the Hub cache
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * From type, id, oid, revision, commit and path to names relative to the cache folder, exactly as
 * hub-protocol.md 3.2 lays them out. What is not a legal id, oid, revision, commit or path gives
 * NULL, so that no name from outside can leave the folder it belongs to.
 *
 * Pure.
 */

#pragma once

#include "transfer/hub/manifest.h"

G_BEGIN_DECLS

#define EXO_LAYOUT_PART    ".exo-part"
#define EXO_LAYOUT_JOURNAL ".exo-journal"
#define EXO_LAYOUT_DAMAGED ".exo-damaged"
#define EXO_LAYOUT_TEMP    ".exo-tmp" /* anything of ours on its way to a rename */

/* CACHEDIR.TAG, whose first line is fixed */
#define EXO_LAYOUT_CACHEDIR_TAG                                                                    \
  "Signature: 8a477f597d28d172789f06886806bc55\n"                                                  \
  "# This file is a cache directory tag created by exo-agent.\n"                                   \
  "# For information about cache directory tags, see:\n"                                           \
  "#\thttps://bford.info/cachedir/\n"

/* "models--org--name". (transfer full) (nullable) */
char *exo_layout_repo (ExoRepoType type, const char *id);
/* The way back, for folders found on disk. FALSE: not a repo folder */
gboolean exo_layout_parse_repo (const char *folder, ExoRepoType *out_type, char **out_id);

/* "models--org--name/blobs/<oid><suffix>"; @suffix: "" or one of ours. (transfer full) (nullable) */
char *exo_layout_blob (ExoRepoType type, const char *id, const char *oid, const char *suffix);
/* ".locks/models--org--name/<oid>.lock". (transfer full) (nullable) */
char *exo_layout_lock (ExoRepoType type, const char *id, const char *oid);
/* "models--org--name/refs/<revision>". (transfer full) (nullable) */
char *exo_layout_ref (ExoRepoType type, const char *id, const char *revision);
/* "models--org--name/snapshots/<commit>". (transfer full) (nullable) */
char *exo_layout_snapshot (ExoRepoType type, const char *id, const char *commit);
/* "models--org--name/trees/<commit>.json". (transfer full) (nullable) */
char *exo_layout_tree (ExoRepoType type, const char *id, const char *commit);

/* What the symlink snapshots/<commit>/<path> holds: "../../blobs/<oid>", with one more ".." for each
 * folder in @path. (transfer full) (nullable) */
char *exo_layout_link_target (const char *path, const char *oid);

/* The text git keeps for a file in LFS; its git blob SHA-1 is the file's blob_id. (transfer full) */
char *exo_layout_lfs_pointer (const char *sha256, guint64 size);

G_END_DECLS
