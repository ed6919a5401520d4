/* hash.h - the hash that names a blob, taken piece by piece
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 of the bytes, or the git blob SHA-1, which hashes "blob ", the decimal size and a NUL
 * first (hub-protocol.md 4). GnuTLS does the work: GChecksum is six times slower. Reads go past the
 * main thread: call the functions on files from the store's own threads only.
 */

#pragma once

#include <gio/gio.h>

#include "transfer/oid.h"

G_BEGIN_DECLS

#define EXO_HASH_BLOCK        (512u * 1024u) /* bytes in one read */
#define EXO_HASH_SHA256_BYTES 32u

typedef struct ExoHash ExoHash;

/* @kind: not NONE. @size: bytes that will come, which git hashes before them */
ExoHash *exo_hash_new (ExoOidKind kind, guint64 size);
void exo_hash_free (ExoHash *hash); /* NULL is fine */
void exo_hash_update (ExoHash *hash, const void *data, gsize n);
/* Lower-case hex; the hash is only good for freeing afterwards. (transfer full) */
char *exo_hash_finish (ExoHash *hash);

/* The oid of @n bytes in memory. (transfer full) */
char *exo_hash_bytes (ExoOidKind kind, const void *data, gsize n);

/* Feeds bytes [first, first + n) of @fd. @stop: (nullable): set to end early, with CANCELLED.
 * @error: DISK, also when the file ends before that; CANCELLED */
gboolean exo_hash_range (ExoHash *hash,
                         int fd,
                         guint64 first,
                         guint64 n,
                         const gint *stop,
                         GCancellable *cancellable,
                         GError **error);

/* The oid of @size bytes of @fd; errors as above. (transfer full) (nullable) */
char *exo_hash_fd (ExoOidKind kind,
                   int fd,
                   guint64 size,
                   const gint *stop,
                   GCancellable *cancellable,
                   GError **error);

/* SHA-256 of bytes [first, first + n), EXO_HASH_SHA256_BYTES long; errors as above. */
gboolean exo_hash_digest (int fd,
                          guint64 first,
                          guint64 n,
                          const gint *stop,
                          guint8 *out_digest,
                          GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoHash, exo_hash_free)

G_END_DECLS
