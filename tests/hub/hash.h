/* hash.h - the names that a Hub gives to bytes
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Git blob SHA-1 for small files, SHA-256 for LFS files, SHA-1 of the pointer text that git holds
 * in place of an LFS file (hub-protocol.md 4). All results are lower-case hex.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * hub_hash_file:
 * @lfs: %TRUE for SHA-256 of the bytes, %FALSE for the git blob SHA-1
 * @size: what stat said; a file that changes meanwhile is an error
 *
 * Returns: (transfer full) (nullable): hex, or %NULL with @error set
 */
char *hub_hash_file (const char *path, guint64 size, gboolean lfs, GError **error);

/* Returns: (transfer full): the pointer text of an LFS file */
char *hub_pointer_text (const char *sha256, guint64 size);

/* Returns: (transfer full): git blob SHA-1 of a text */
char *hub_git_blob_sha1 (const char *text);

/* Returns: (transfer full): 64 digits that are not the SHA-256, in place of the Xet hash, which
 * no downloader can check (hub-protocol.md 6.6) */
char *hub_xet_hash (const char *sha256);

G_END_DECLS
