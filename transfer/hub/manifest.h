/* manifest.h - what a model revision consists of
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * type/org/name@commit and its files: path, size, oid. Immutable once built, reference-counted,
 * and valid by construction: every path, oid, size and name was checked, so that a manifest from a
 * neighbour can name no file outside the snapshot. Pure, but for the atomic reference count.
 */

#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

#define EXO_MANIFEST_FILES_MAX 100000u /* files in one revision */
#define EXO_PATH_MAX           1024u   /* bytes in a file's path; 255 in each component */
#define EXO_REVISION_MAX       255u    /* bytes */

typedef enum
{
  EXO_REPO_MODEL,
  EXO_REPO_DATASET,
  EXO_REPO_SPACE,
} ExoRepoType;

/* "model", "dataset", "space" */
const char *exo_repo_type_name (ExoRepoType type);
gboolean exo_repo_type_parse (const char *name, ExoRepoType *out_type);

/* hub-protocol.md 1.1: one or two segments, 96 characters of [A-Za-z0-9._-], no "--", no ".." ... */
gboolean exo_repo_id_check (const char *id, GError **error);
/* A branch, tag, commit or refs/...: 1 to 255 bytes, no "..", control characters, leading or trailing "/" */
gboolean exo_revision_check (const char *revision, GError **error);
/* Relative; no empty, "." or ".." component, backslash, control character or invalid UTF-8; bounded */
gboolean exo_path_check (const char *path, GError **error);

typedef struct
{
  char *path; /* checked */
  guint64 size;
  char *oid; /* checked */
} ExoManifestFile;

typedef struct ExoManifest ExoManifest;

/* @files: (transfer full) (element-type ExoManifestFile): made with exo_manifest_file_new(); sorted by
 * path here. @open: the repo is neither gated nor private, so its content may be shared on the LAN.
 * @error: EXO_TRANSFER_ERROR_INVALID or _TOO_LARGE; also for a path twice, or one that is another's folder */
ExoManifest *exo_manifest_new (ExoRepoType type,
                               const char *id,
                               const char *commit,
                               gboolean open,
                               GPtrArray *files,
                               GError **error);
ExoManifest *exo_manifest_ref (ExoManifest *manifest);
void exo_manifest_unref (ExoManifest *manifest);

ExoManifestFile *exo_manifest_file_new (const char *path, guint64 size, const char *oid);
void exo_manifest_file_free (ExoManifestFile *file);

ExoRepoType exo_manifest_type (const ExoManifest *manifest);
const char *exo_manifest_id (const ExoManifest *manifest);
const char *exo_manifest_commit (const ExoManifest *manifest);
gboolean exo_manifest_is_open (const ExoManifest *manifest);
guint exo_manifest_n_files (const ExoManifest *manifest);
const ExoManifestFile *exo_manifest_file (const ExoManifest *manifest, guint index);
/* FALSE: there is no such file */
gboolean exo_manifest_find (const ExoManifest *manifest, const char *path, guint *out_index);
guint64 exo_manifest_bytes (const ExoManifest *manifest); /* sum over files */

/* fnmatch globs against the whole path, "*" also matching "/", as the Python client does; a pattern that ends in
 * "/" means everything below. A file stays if some include matches (or there is none) and no exclude does.
 * @error: EXO_TRANSFER_ERROR_INVALID for a bad glob (empty, over-long), _NOT_FOUND if nothing stays */
ExoManifest *exo_manifest_filter (ExoManifest *manifest,
                                  const char *const *includes,
                                  const char *const *excludes,
                                  GError **error);
gboolean exo_glob_check (const char *glob, GError **error);

/* The wire and index form: {"v":1,"type":"model","id":"..","commit":"..","open":true,
 * "files":[["path",size,"oid"],..]} */
char *exo_manifest_to_json (const ExoManifest *manifest);
ExoManifest *exo_manifest_from_json (const char *text, gssize length, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoManifest, exo_manifest_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoManifestFile, exo_manifest_file_free)

G_END_DECLS
