/* catalog.h - folders on disk, seen as the repos of a Hub
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   ROOT/models/ORG/NAME/REVISION/file...      also ROOT/datasets, ROOT/spaces
 *   ROOT/models/ORG/NAME/repo.json             optional:
 *     {"private":bool, "gated":false|"auto"|"manual", "disabled":bool, "tokens":["hf_..."],
 *      "tags":{"v1":"branch"}, "aliases":["old-name","Org/oldName"],
 *      "lfs_threshold":bytes, "lfs":["glob"], "extra_paths":["../listed-but-not-there"]}
 *
 * A revision folder is a branch; its name may be URL-encoded (refs%2Fpr%2F1). The commit of a
 * branch is computed from the paths, sizes and oids of its files: it changes when they do, and
 * only then. Commits stay known over a reload; what is served for one is the file now on disk.
 *
 * Files that reach the threshold or match a glob are LFS, the others are in git.
 *
 * A catalog never changes once made, so any thread may read one it holds a reference to.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  char *path;   /* in the repo */
  char *disk;   /* (nullable): where the bytes are; NULL for an extra path, which is empty */
  guint64 size; /* bytes, when it was hashed */
  gboolean lfs;
  char *git_oid; /* blob SHA-1; of the pointer for an LFS file */
  char *sha256;  /* (nullable): of an LFS file */
  char *xet;     /* (nullable): of an LFS file */
} HubFile;

typedef struct
{
  char *commit;        /* 40 hex */
  GPtrArray *files;    /* (element-type HubFile), owned, sorted by path */
  GHashTable *by_path; /* (element-type utf8 HubFile), both borrowed from @files */
} HubManifest;

typedef struct
{
  char *type; /* "models", "datasets" or "spaces" */
  char *id;   /* "org/name" */
  gboolean is_private;
  gboolean disabled;
  char *gated; /* (nullable): "auto" or "manual" */
  char **tokens;
  char **aliases;
  GHashTable *branches; /* (element-type utf8 HubManifest), both owned */
  GHashTable *tags;     /* (element-type utf8 utf8): branch names */
  GHashTable *commits;  /* (element-type utf8 HubManifest): these and all earlier ones */
} HubRepo;

typedef struct HubCatalog HubCatalog;

/**
 * hub_catalog_load:
 * @earlier: (nullable): the catalog before a reload, whose commits are kept
 *
 * Hashes what ROOT/.hashes.json does not know yet. A root that cannot be written to is fine.
 *
 * Returns: (transfer full) (nullable): %NULL with @error set
 */
HubCatalog *hub_catalog_load (const char *root, HubCatalog *earlier, GError **error);
HubCatalog *hub_catalog_ref (HubCatalog *self);
void hub_catalog_unref (HubCatalog *self); /* %NULL is fine */

/* @id is compared exactly; Returns: (nullable): borrowed */
const HubRepo *hub_catalog_find (HubCatalog *self, const char *type, const char *id);

/* Returns: (nullable): the id that an alias or a wrongly cased id stands for, unless it is itself */
const char *hub_catalog_canonical (HubCatalog *self, const char *type, const char *id);

/* TRUE if any repo lists @token: it belongs to somebody */
gboolean hub_catalog_knows_token (HubCatalog *self, const char *token);

/* @token: (nullable) */
gboolean hub_repo_grants (const HubRepo *repo, const char *token);

/* @revision: (nullable): branch, tag, commit, abbreviated commit (7 digits or more) or HEAD; NULL is HEAD */
const HubManifest *hub_repo_find (const HubRepo *repo, const char *revision);

const HubFile *hub_manifest_find (const HubManifest *manifest, const char *path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HubCatalog, hub_catalog_unref)

G_END_DECLS
