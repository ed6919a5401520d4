/* piece-map.h - which pieces of one blob a node holds
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A piece is a fixed-size slice of the blob; only the last may be shorter. The piece size is a
 * protocol constant of the blob size, so that all nodes agree without a word: the largest power
 * of two not above size / 1024, between 256 KiB and 4 MiB. An empty blob has no pieces.
 *
 * A set bit means "on disk", never "asked for": requests in flight belong to the plan.
 *
 * Pure: no I/O, clock or log. One owner; not thread-safe.
 *
 * Always true between calls, and asserted by exo_piece_map_check():
 *   - n_pieces is size / piece size rounded up
 *   - bits past n_pieces are 0, so equal maps are equal bytes on the wire
 *   - n_held is the number of set bits, front the index of the first clear one
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define EXO_PIECE_SIZE_MIN (256u * 1024u)
#define EXO_PIECE_SIZE_MAX (4u * 1024u * 1024u)
#define EXO_PIECES_MAX     (1u << 20) /* 4 TiB in pieces of 4 MiB; 128 KiB of bits on the wire */
#define EXO_BLOB_SIZE_MAX  ((guint64) EXO_PIECES_MAX * EXO_PIECE_SIZE_MAX)

guint32 exo_piece_size_for (guint64 blob_size); /* bytes */
guint32 exo_pieces_in (guint64 blob_size);      /* at most EXO_PIECES_MAX for a legal size */
/* Bytes in piece @index of a blob of @blob_size bytes; the last one may be short. */
guint32 exo_piece_length (guint64 blob_size, guint32 index);

typedef struct ExoPieceMap ExoPieceMap;

/* @blob_size: at most EXO_BLOB_SIZE_MAX. Returns: (transfer full): a map that holds nothing */
ExoPieceMap *exo_piece_map_new (guint64 blob_size);
ExoPieceMap *exo_piece_map_copy (const ExoPieceMap *map);
void exo_piece_map_free (ExoPieceMap *map); /* NULL is fine */

guint64 exo_piece_map_blob_size (const ExoPieceMap *map); /* bytes */
guint32 exo_piece_map_n_pieces (const ExoPieceMap *map);
guint32 exo_piece_map_n_held (const ExoPieceMap *map);
guint64 exo_piece_map_bytes_held (const ExoPieceMap *map);
guint32
exo_piece_map_front (const ExoPieceMap *map); /* first piece not held; n_pieces if all are */
gboolean exo_piece_map_is_full (const ExoPieceMap *map);

/* @index at or past n_pieces is a caller's bug in these. Returns TRUE if it changed anything. */
gboolean exo_piece_map_add (ExoPieceMap *map, guint32 index);
gboolean exo_piece_map_drop (ExoPieceMap *map, guint32 index);
gboolean exo_piece_map_has (const ExoPieceMap *map, guint32 index);
void exo_piece_map_fill (ExoPieceMap *map);

/* The bits as bytes, piece 0 in the most significant bit of byte 0, (n_pieces + 7) / 8 bytes. */
GBytes *exo_piece_map_to_bytes (const ExoPieceMap *map);
/* @error: EXO_TRANSFER_ERROR_INVALID if the length is not that of @blob_size or spare bits are set */
ExoPieceMap *
exo_piece_map_from_bytes (guint64 blob_size, const guint8 *data, gsize n, GError **error);

void exo_piece_map_check (const ExoPieceMap *map); /* aborts when an invariant is broken */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoPieceMap, exo_piece_map_free)

G_END_DECLS
