/* piece-map.c - see piece-map.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The bits are kept as they travel (piece 0 in the top bit of byte 0), so that to_bytes() and
 * from_bytes() are copies.
 */

#include "transfer/swarm/piece-map.h"

#include <string.h>

#include "transfer/error.h"

struct ExoPieceMap
{
  guint64 blob_size; /* bytes */
  guint32 n_pieces;
  guint32 n_held;
  guint32 front;
  guint8 *bits; /* owned, n_bytes() long */
};

guint32
exo_piece_size_for (guint64 blob_size)
{
  guint32 size = EXO_PIECE_SIZE_MIN;

  while (size < EXO_PIECE_SIZE_MAX && (guint64) size * 2 <= blob_size / 1024)
    size *= 2;
  return size;
}

guint32
exo_pieces_in (guint64 blob_size)
{
  guint64 piece_size = exo_piece_size_for (blob_size);
  guint64 n = blob_size / piece_size + (blob_size % piece_size != 0);

  return (guint32) MIN (n, G_MAXUINT32);
}

guint32
exo_piece_length (guint64 blob_size, guint32 index)
{
  guint64 piece_size = exo_piece_size_for (blob_size);
  guint64 start = index * piece_size;

  return start < blob_size ? (guint32) MIN (piece_size, blob_size - start) : 0;
}

static gsize
n_bytes (const ExoPieceMap *map)
{
  return ((gsize) map->n_pieces + 7) / 8;
}

static guint8
mask_of (guint32 index)
{
  return (guint8) (0x80u >> (index % 8));
}

/* The bits of the last byte that stand for no piece. */
static guint8
spare_mask (guint32 n_pieces)
{
  return (guint8) (n_pieces % 8 == 0 ? 0u : 0xffu >> (n_pieces % 8));
}

static void
advance_front (ExoPieceMap *map)
{
  while (map->front < map->n_pieces)
    {
      if (map->front % 8 == 0 && map->bits[map->front / 8] == 0xff)
        map->front += 8;
      else if ((map->bits[map->front / 8] & mask_of (map->front)) != 0)
        map->front++;
      else
        return;
    }
}

ExoPieceMap *
exo_piece_map_new (guint64 blob_size)
{
  ExoPieceMap *map;

  g_return_val_if_fail (blob_size <= EXO_BLOB_SIZE_MAX, NULL);

  map = g_new0 (ExoPieceMap, 1);
  map->blob_size = blob_size;
  map->n_pieces = exo_pieces_in (blob_size);
  map->bits = g_malloc0 (n_bytes (map));
  return map;
}

ExoPieceMap *
exo_piece_map_copy (const ExoPieceMap *map)
{
  ExoPieceMap *copy = g_new (ExoPieceMap, 1);

  *copy = *map;
  copy->bits = g_memdup2 (map->bits, n_bytes (map));
  return copy;
}

void
exo_piece_map_free (ExoPieceMap *map)
{
  if (map == NULL)
    return;
  g_free (map->bits);
  g_free (map);
}

guint64
exo_piece_map_blob_size (const ExoPieceMap *map)
{
  return map->blob_size;
}

guint32
exo_piece_map_n_pieces (const ExoPieceMap *map)
{
  return map->n_pieces;
}

guint32
exo_piece_map_n_held (const ExoPieceMap *map)
{
  return map->n_held;
}

guint64
exo_piece_map_bytes_held (const ExoPieceMap *map)
{
  guint64 piece_size = exo_piece_size_for (map->blob_size);
  guint32 last = map->n_pieces - 1;

  if (map->n_held == 0)
    return 0;
  if (!exo_piece_map_has (map, last))
    return map->n_held * piece_size;
  return (map->n_held - 1) * piece_size + exo_piece_length (map->blob_size, last);
}

guint32
exo_piece_map_front (const ExoPieceMap *map)
{
  return map->front;
}

gboolean
exo_piece_map_is_full (const ExoPieceMap *map)
{
  return map->n_held == map->n_pieces;
}

gboolean
exo_piece_map_add (ExoPieceMap *map, guint32 index)
{
  g_return_val_if_fail (index < map->n_pieces, FALSE);

  if (exo_piece_map_has (map, index))
    return FALSE;
  map->bits[index / 8] |= mask_of (index);
  map->n_held++;
  if (index == map->front)
    advance_front (map);
  return TRUE;
}

gboolean
exo_piece_map_drop (ExoPieceMap *map, guint32 index)
{
  g_return_val_if_fail (index < map->n_pieces, FALSE);

  if (!exo_piece_map_has (map, index))
    return FALSE;
  map->bits[index / 8] &= (guint8) ~mask_of (index);
  map->n_held--;
  map->front = MIN (map->front, index);
  return TRUE;
}

gboolean
exo_piece_map_has (const ExoPieceMap *map, guint32 index)
{
  g_return_val_if_fail (index < map->n_pieces, FALSE);

  return (map->bits[index / 8] & mask_of (index)) != 0;
}

void
exo_piece_map_fill (ExoPieceMap *map)
{
  if (map->n_pieces == 0)
    return;
  memset (map->bits, 0xff, n_bytes (map));
  map->bits[n_bytes (map) - 1] &= (guint8) ~spare_mask (map->n_pieces);
  map->n_held = map->n_pieces;
  map->front = map->n_pieces;
}

GBytes *
exo_piece_map_to_bytes (const ExoPieceMap *map)
{
  return g_bytes_new (map->bits, n_bytes (map));
}

ExoPieceMap *
exo_piece_map_from_bytes (guint64 blob_size, const guint8 *data, gsize n, GError **error)
{
  g_autoptr (ExoPieceMap) map = NULL;

  if (blob_size > EXO_BLOB_SIZE_MAX)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                   "piece map of a blob of %" G_GUINT64_FORMAT " bytes, which is too large",
                   blob_size);
      return NULL;
    }
  map = exo_piece_map_new (blob_size);
  if (n != n_bytes (map))
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                   "piece map of %" G_GSIZE_FORMAT " bytes where %" G_GSIZE_FORMAT " are due", n,
                   n_bytes (map));
      return NULL;
    }
  if (n == 0)
    return g_steal_pointer (&map);
  if ((data[n - 1] & spare_mask (map->n_pieces)) != 0)
    {
      g_set_error_literal (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                           "piece map with bits past the last piece");
      return NULL;
    }
  memcpy (map->bits, data, n);
  for (gsize i = 0; i < n; i++)
    map->n_held += (guint32) __builtin_popcount (data[i]);
  advance_front (map);
  return g_steal_pointer (&map);
}

void
exo_piece_map_check (const ExoPieceMap *map)
{
  guint32 n_held = 0, front = 0;

  g_assert (map->blob_size <= EXO_BLOB_SIZE_MAX);
  g_assert (map->n_pieces == exo_pieces_in (map->blob_size));
  for (gsize i = 0; i < n_bytes (map); i++)
    n_held += (guint32) __builtin_popcount (map->bits[i]);
  g_assert (map->n_held == n_held);
  while (front < map->n_pieces && exo_piece_map_has (map, front))
    front++;
  g_assert (map->front == front);
  if (map->n_pieces > 0)
    g_assert ((map->bits[n_bytes (map) - 1] & spare_mask (map->n_pieces)) == 0);
}
