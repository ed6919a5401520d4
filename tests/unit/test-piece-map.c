/* test-piece-map.c - which pieces of one blob a node holds
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/suite.h"
#include "transfer/error.h"
#include "transfer/swarm/piece-map.h"

#define KIB ((guint64) 1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

static void
piece_size_is_the_power_of_two_not_above_a_1024th (void)
{
  static const struct
  {
    guint64 blob_size;
    guint32 piece_size, n_pieces;
  } rows[] = {
    { 0, 256 * KIB, 0 },
    { 1, 256 * KIB, 1 },
    { 256 * KIB, 256 * KIB, 1 },
    { 256 * KIB + 1, 256 * KIB, 2 },
    { 512 * MIB - 1, 256 * KIB, 2048 },
    { 512 * MIB, 512 * KIB, 1024 },
    { GIB, MIB, 1024 },
    { 4 * GIB - 1, 2 * MIB, 2048 },
    { 4 * GIB, 4 * MIB, 1024 },
    { 5 * GIB + 1, 4 * MIB, 1281 },
    { EXO_BLOB_SIZE_MAX, 4 * MIB, EXO_PIECES_MAX },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      CU_ASSERT_EQUAL (exo_piece_size_for (rows[i].blob_size), rows[i].piece_size);
      CU_ASSERT_EQUAL (exo_pieces_in (rows[i].blob_size), rows[i].n_pieces);
    }
}

static void
a_size_past_the_limit_has_too_many_pieces (void)
{
  CU_ASSERT_EQUAL (exo_pieces_in (EXO_BLOB_SIZE_MAX + 1), EXO_PIECES_MAX + 1);
  CU_ASSERT_EQUAL (exo_pieces_in (G_MAXUINT64), G_MAXUINT32);
}

static void
last_piece_is_the_remainder (void)
{
  CU_ASSERT_EQUAL (exo_piece_length (1, 0), 1);
  CU_ASSERT_EQUAL (exo_piece_length (256 * KIB, 0), 256 * KIB);
  CU_ASSERT_EQUAL (exo_piece_length (256 * KIB + 3, 0), 256 * KIB);
  CU_ASSERT_EQUAL (exo_piece_length (256 * KIB + 3, 1), 3);
  CU_ASSERT_EQUAL (exo_piece_length (5 * GIB + 7, 1279), 4 * MIB);
  CU_ASSERT_EQUAL (exo_piece_length (5 * GIB + 7, 1280), 7);
  CU_ASSERT_EQUAL (exo_piece_length (5 * GIB + 7, 1281), 0);
  CU_ASSERT_EQUAL (exo_piece_length (0, 0), 0);
}

static void
an_empty_blob_has_no_pieces_and_is_full (void)
{
  g_autoptr (ExoPieceMap) map = exo_piece_map_new (0);
  g_autoptr (ExoPieceMap) parsed = NULL;
  g_autoptr (GBytes) bytes = exo_piece_map_to_bytes (map);

  exo_piece_map_check (map);
  CU_ASSERT_TRUE (exo_piece_map_is_full (map));
  CU_ASSERT_EQUAL (exo_piece_map_front (map), 0);
  CU_ASSERT_EQUAL (exo_piece_map_bytes_held (map), 0);
  CU_ASSERT_EQUAL (g_bytes_get_size (bytes), 0);
  exo_piece_map_fill (map);
  exo_piece_map_check (map);
  parsed = exo_piece_map_from_bytes (0, NULL, 0, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (parsed);
  exo_piece_map_check (parsed);
}

static void
adding_and_dropping_say_whether_it_was_news (void)
{
  g_autoptr (ExoPieceMap) map = exo_piece_map_new (9 * 256 * KIB);

  CU_ASSERT_TRUE (exo_piece_map_add (map, 8));
  CU_ASSERT_FALSE (exo_piece_map_add (map, 8));
  CU_ASSERT_TRUE (exo_piece_map_has (map, 8));
  CU_ASSERT_FALSE (exo_piece_map_has (map, 7));
  CU_ASSERT_EQUAL (exo_piece_map_n_held (map), 1);
  exo_piece_map_check (map);
  CU_ASSERT_TRUE (exo_piece_map_drop (map, 8));
  CU_ASSERT_FALSE (exo_piece_map_drop (map, 8));
  CU_ASSERT_EQUAL (exo_piece_map_n_held (map), 0);
  exo_piece_map_check (map);
}

static void
front_follows_the_first_gap (void)
{
  g_autoptr (ExoPieceMap) map = exo_piece_map_new (20 * 256 * KIB);

  for (guint32 i = 1; i < 20; i++)
    {
      exo_piece_map_add (map, i);
      exo_piece_map_check (map);
      CU_ASSERT_EQUAL (exo_piece_map_front (map), 0);
    }
  exo_piece_map_add (map, 0);
  exo_piece_map_check (map);
  CU_ASSERT_EQUAL (exo_piece_map_front (map), 20);
  CU_ASSERT_TRUE (exo_piece_map_is_full (map));
  exo_piece_map_drop (map, 11);
  exo_piece_map_drop (map, 17);
  exo_piece_map_check (map);
  CU_ASSERT_EQUAL (exo_piece_map_front (map), 11);
  exo_piece_map_add (map, 11);
  CU_ASSERT_EQUAL (exo_piece_map_front (map), 17);
}

static void
bytes_held_count_the_short_last_piece (void)
{
  g_autoptr (ExoPieceMap) map = exo_piece_map_new (2 * 256 * KIB + 5);

  exo_piece_map_add (map, 2);
  CU_ASSERT_EQUAL (exo_piece_map_bytes_held (map), 5);
  exo_piece_map_add (map, 0);
  CU_ASSERT_EQUAL (exo_piece_map_bytes_held (map), 256 * KIB + 5);
  exo_piece_map_drop (map, 2);
  CU_ASSERT_EQUAL (exo_piece_map_bytes_held (map), 256 * KIB);
  exo_piece_map_fill (map);
  CU_ASSERT_EQUAL (exo_piece_map_bytes_held (map), 2 * 256 * KIB + 5);
  exo_piece_map_check (map);
}

static void
bytes_held_of_a_blob_past_4_gib_are_exact (void)
{
  g_autoptr (ExoPieceMap) map = exo_piece_map_new (EXO_BLOB_SIZE_MAX - 1);

  exo_piece_map_fill (map);
  exo_piece_map_check (map);
  CU_ASSERT_EQUAL (exo_piece_map_bytes_held (map), EXO_BLOB_SIZE_MAX - 1);
  CU_ASSERT_EQUAL (exo_piece_map_blob_size (map), EXO_BLOB_SIZE_MAX - 1);
  CU_ASSERT_EQUAL (exo_piece_map_n_pieces (map), EXO_PIECES_MAX);
}

static void
piece_0_travels_in_the_top_bit_of_byte_0 (void)
{
  g_autoptr (ExoPieceMap) map = exo_piece_map_new (11 * 256 * KIB);
  g_autoptr (GBytes) bytes = NULL;
  const guint8 expected[] = { 0x81, 0x60 };

  exo_piece_map_add (map, 0);
  exo_piece_map_add (map, 7);
  exo_piece_map_add (map, 9);
  exo_piece_map_add (map, 10);
  bytes = exo_piece_map_to_bytes (map);
  CU_ASSERT_EQUAL_FATAL (g_bytes_get_size (bytes), sizeof expected);
  CU_ASSERT_EQUAL (memcmp (g_bytes_get_data (bytes, NULL), expected, sizeof expected), 0);
}

static void
full_maps_carry_no_spare_bits (void)
{
  for (guint32 n = 1; n <= 17; n++)
    {
      g_autoptr (ExoPieceMap) map = exo_piece_map_new (n * 256 * KIB);
      g_autoptr (ExoPieceMap) parsed = NULL;
      g_autoptr (GBytes) bytes = NULL;

      exo_piece_map_fill (map);
      exo_piece_map_check (map);
      bytes = exo_piece_map_to_bytes (map);
      parsed = exo_piece_map_from_bytes (n * 256 * KIB, g_bytes_get_data (bytes, NULL),
                                         g_bytes_get_size (bytes), NULL);
      CU_ASSERT_PTR_NOT_NULL_FATAL (parsed);
      exo_piece_map_check (parsed);
      CU_ASSERT_TRUE (exo_piece_map_is_full (parsed));
    }
}

static void
parsed_maps_hold_what_was_sent (void)
{
  const guint8 data[] = { 0xff, 0xc0, 0x40 };
  g_autoptr (ExoPieceMap) map = exo_piece_map_from_bytes (18 * 256 * KIB, data, 3, NULL);

  CU_ASSERT_PTR_NOT_NULL_FATAL (map);
  exo_piece_map_check (map);
  CU_ASSERT_EQUAL (exo_piece_map_n_held (map), 11);
  CU_ASSERT_EQUAL (exo_piece_map_front (map), 10);
  CU_ASSERT_TRUE (exo_piece_map_has (map, 17));
}

static void
refuses (guint64 size, const guint8 *data, gsize n)
{
  g_autoptr (GError) error = NULL;

  CU_ASSERT_PTR_NULL (exo_piece_map_from_bytes (size, data, n, &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID));
}

static void
maps_that_do_not_fit_the_blob_are_refused (void)
{
  const guint8 data[] = { 0xff, 0xe0, 0x00 };
  const guint8 spare[] = { 0xff, 0xf0 };

  refuses (11 * 256 * KIB, data, 1);
  refuses (11 * 256 * KIB, data, 3);
  refuses (11 * 256 * KIB, data, 0);
  refuses (0, data, 1);
  refuses (11 * 256 * KIB, spare, 2);
  refuses (EXO_BLOB_SIZE_MAX + 1, data, 3);
  refuses (G_MAXUINT64, data, 3);
}

static void
a_copy_lives_on_its_own (void)
{
  g_autoptr (ExoPieceMap) map = exo_piece_map_new (10 * 256 * KIB);
  g_autoptr (ExoPieceMap) copy = NULL;

  exo_piece_map_add (map, 0);
  copy = exo_piece_map_copy (map);
  exo_piece_map_add (map, 1);
  CU_ASSERT_EQUAL (exo_piece_map_n_held (copy), 1);
  CU_ASSERT_EQUAL (exo_piece_map_front (copy), 1);
  exo_piece_map_check (copy);
  exo_piece_map_free (NULL);
}

EXO_SUITE ("piece-map",
           TEST (piece_size_is_the_power_of_two_not_above_a_1024th),
           TEST (a_size_past_the_limit_has_too_many_pieces),
           TEST (last_piece_is_the_remainder),
           TEST (an_empty_blob_has_no_pieces_and_is_full),
           TEST (adding_and_dropping_say_whether_it_was_news),
           TEST (front_follows_the_first_gap),
           TEST (bytes_held_count_the_short_last_piece),
           TEST (bytes_held_of_a_blob_past_4_gib_are_exact),
           TEST (piece_0_travels_in_the_top_bit_of_byte_0),
           TEST (full_maps_carry_no_spare_bits),
           TEST (parsed_maps_hold_what_was_sent),
           TEST (maps_that_do_not_fit_the_blob_are_refused),
           TEST (a_copy_lives_on_its_own))
