/* repo-json.h - a manifest as the JSON texts of the Hub's API (hub-protocol.md 1.2 to 1.4)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure. Never a word of Xet in any of them, or clients would go past us (hub-protocol.md, rule 4). All return (transfer full).
 */

#pragma once

#include "transfer/hub/manifest.h"

G_BEGIN_DECLS

/* Entries below @folder (NULL: the root), one page. @hide_empty: without empty files, which exo cannot download.
 * NULL: there is no such folder, or it is a file. */
GBytes *exo_repo_json_tree (ExoManifest *manifest,
                            const char *folder,
                            gboolean recursive,
                            gboolean hide_empty);
/* Entries of those of @paths that exist, in their order. */
GBytes *exo_repo_json_paths (ExoManifest *manifest, const char *const *paths);
/* The paths of a POST body: JSON {"paths": [...]} or {"paths": ".."}, or a form paths=a&paths=b. NULL: neither, or more than
 * EXO_MANIFEST_FILES_MAX. (transfer full) */
GStrv exo_repo_json_parse_paths (const char *content_type, GBytes *body);
/* Repo info without the Hub: what the manifest knows. @blobs: sizes and hashes in the siblings */
GBytes *exo_repo_json_info (ExoManifest *manifest, gboolean blobs);
/* {"branches": [..], "tags": [], "converts": []} with the one branch; with "pullRequests": [] too */
GBytes *exo_repo_json_refs (const char *branch, const char *commit);
/* The text that git holds instead of an LFS file. NULL for a file that git holds itself. */
char *exo_repo_json_pointer (const ExoManifestFile *file);
/* The Hub's own JSON without members named xetHash at any depth. NULL: not JSON, or nested past bounds. */
GBytes *exo_repo_json_without_xet (GBytes *json);
/* {"error": message} */
GBytes *exo_repo_json_error (const char *message);

G_END_DECLS
