/* journal.c - see journal.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/store/journal.h"

#include <string.h>

#define HEAD       6u /* bytes before the payload */
#define RECORD_MAX (HEAD + 255u)
#define MAGIC      "exo-jrn1"

G_STATIC_ASSERT (8 + 8 + EXO_JOURNAL_SALT + EXO_JOURNAL_BOOT_MAX <= 255);
G_STATIC_ASSERT (2 + EXO_JOURNAL_NAME_MAX <= 255);

/* CRC-32 as in IEEE 802.3, four bits a step: some 20 records a second need no bigger table. */
static guint32
crc_continue (guint32 crc, const guint8 *data, gsize n)
{
  static const guint32 table[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
  };

  crc = ~crc;
  for (gsize i = 0; i < n; i++)
    {
      crc = table[(crc ^ data[i]) & 15] ^ (crc >> 4);
      crc = table[(crc ^ (data[i] >> 4)) & 15] ^ (crc >> 4);
    }
  return ~crc;
}

static void
put_le (guint8 *to, guint64 value, guint n)
{
  for (guint i = 0; i < n; i++)
    to[i] = (guint8) (value >> (8 * i));
}

static guint64
get_le (const guint8 *from, guint n)
{
  guint64 value = 0;

  for (guint i = 0; i < n; i++)
    value |= (guint64) from[i] << (8 * i);
  return value;
}

static guint32
record_crc (guint32 chain, const guint8 *record)
{
  return crc_continue (crc_continue (chain, record, 2), record + HEAD, record[1]);
}

static void
put_record (ExoJournalEnd *end, GByteArray *out, char type, const guint8 *payload, gsize n)
{
  guint8 record[RECORD_MAX];

  g_assert (n <= 255);
  record[0] = (guint8) type;
  record[1] = (guint8) n;
  memcpy (record + HEAD, payload, n);
  end->chain = record_crc (end->chain, record);
  put_le (record + 2, end->chain, 4);
  g_byte_array_append (out, record, (guint) (HEAD + n));
  end->n_records++;
  end->n_bytes += HEAD + n;
}

static guint32
seed_for (const char *oid)
{
  return crc_continue (0, (const guint8 *) oid, strlen (oid));
}

void
exo_journal_begin (ExoJournalEnd *end,
                   GByteArray *out,
                   const char *oid,
                   guint64 size,
                   const char *boot_id,
                   const guint8 *salt)
{
  guint8 payload[255];
  gsize n_boot = MIN (strlen (boot_id), EXO_JOURNAL_BOOT_MAX);

  *end = (ExoJournalEnd){ .chain = seed_for (oid) };
  memcpy (payload, MAGIC, 8);
  put_le (payload + 8, size, 8);
  memcpy (payload + 16, salt, EXO_JOURNAL_SALT);
  memcpy (payload + 16 + EXO_JOURNAL_SALT, boot_id, n_boot);
  put_record (end, out, 'H', payload, 16 + EXO_JOURNAL_SALT + n_boot);
}

void
exo_journal_put_source (ExoJournalEnd *end, GByteArray *out, guint16 index, const char *name)
{
  guint8 payload[2 + EXO_JOURNAL_NAME_MAX];
  gsize n = MIN (strlen (name), EXO_JOURNAL_NAME_MAX);

  put_le (payload, index, 2);
  memcpy (payload + 2, name, n);
  put_record (end, out, 'S', payload, 2 + n);
}

void
exo_journal_put_add (ExoJournalEnd *end, GByteArray *out, guint32 piece, guint16 source)
{
  guint8 payload[6];

  put_le (payload, piece, 4);
  put_le (payload + 4, source, 2);
  put_record (end, out, 'A', payload, sizeof payload);
}

void
exo_journal_put_drop (ExoJournalEnd *end, GByteArray *out, guint32 piece)
{
  guint8 payload[4];

  put_le (payload, piece, 4);
  put_record (end, out, 'D', payload, sizeof payload);
}

void
exo_journal_put_checkpoint (ExoJournalEnd *end, GByteArray *out, guint64 n_records)
{
  guint8 payload[8];

  put_le (payload, n_records, 8);
  put_record (end, out, 'C', payload, sizeof payload);
}

/* The record at @data, or NULL if it is not one that follows @end; moves @end past it. */
static const guint8 *
next_record (const guint8 *data, gsize n, ExoJournalEnd *end)
{
  const guint8 *record = data + end->n_bytes;
  gsize left = n - (gsize) end->n_bytes;
  guint32 crc;

  if (left < HEAD || left < HEAD + (gsize) record[1])
    return NULL;
  crc = record_crc (end->chain, record);
  if (crc != (guint32) get_le (record + 2, 4))
    return NULL;
  end->chain = crc;
  end->n_records++;
  end->n_bytes += HEAD + (gsize) record[1];
  return record;
}

static gboolean
read_header (const guint8 *record, guint64 size, const char *boot_id, gboolean *out_same_boot)
{
  const guint8 *payload = record + HEAD;
  gsize n_boot;

  if (record[0] != 'H' || record[1] < 16 + EXO_JOURNAL_SALT || memcmp (payload, MAGIC, 8) != 0 ||
      get_le (payload + 8, 8) != size)
    return FALSE;
  n_boot = record[1] - 16 - EXO_JOURNAL_SALT;
  /* A boot that has no name is never the same one */
  *out_same_boot = n_boot > 0 && n_boot == MIN (strlen (boot_id), EXO_JOURNAL_BOOT_MAX) &&
                   memcmp (payload + 16 + EXO_JOURNAL_SALT, boot_id, n_boot) == 0;
  return TRUE;
}

/* A good CRC says that we wrote it, not that it makes sense: checked all the same. */
static gboolean
record_is_sound (const guint8 *record,
                 guint64 index,
                 guint32 n_pieces,
                 guint *n_sources,
                 guint64 *n_synced)
{
  const guint8 *payload = record + HEAD;

  switch (record[0])
    {
    case 'S':
      if (record[1] <= 2 || record[1] > 2 + EXO_JOURNAL_NAME_MAX ||
          get_le (payload, 2) != *n_sources + 1)
        return FALSE;
      (*n_sources)++;
      return TRUE;
    case 'A':
      return record[1] == 6 && get_le (payload, 4) < n_pieces &&
             get_le (payload + 4, 2) <= *n_sources;
    case 'D':
      return record[1] == 4 && get_le (payload, 4) < n_pieces;
    case 'C':
      if (record[1] != 8 || get_le (payload, 8) > index)
        return FALSE;
      *n_synced = MAX (*n_synced, get_le (payload, 8));
      return TRUE;
    default:
      return FALSE;
    }
}

static void
apply_record (ExoJournalState *state, const guint8 *record, gboolean count_add)
{
  const guint8 *payload = record + HEAD;
  guint32 piece;

  if (record[0] == 'S')
    g_ptr_array_add (state->names, g_strndup ((const char *) payload + 2, record[1] - 2u));
  else if (record[0] == 'A' && count_add)
    {
      piece = (guint32) get_le (payload, 4);
      exo_piece_map_add (state->map, piece);
      state->sources[piece] = (guint16) get_le (payload + 4, 2);
    }
  else if (record[0] == 'D')
    {
      piece = (guint32) get_le (payload, 4);
      exo_piece_map_drop (state->map, piece);
      state->sources[piece] = 0;
    }
}

void
exo_journal_state_clear (ExoJournalState *state)
{
  g_clear_pointer (&state->map, exo_piece_map_free);
  g_clear_pointer (&state->sources, g_free);
  g_clear_pointer (&state->names, g_ptr_array_unref);
}

gboolean
exo_journal_recover (const guint8 *data,
                     gsize n,
                     const char *oid,
                     guint64 size,
                     const char *boot_id,
                     ExoJournalState *out_state)
{
  const ExoJournalEnd start = { .chain = seed_for (oid) };
  ExoJournalEnd end = start;
  guint32 n_pieces = exo_pieces_in (size);
  guint64 n_valid = 1, n_synced = 0;
  guint n_sources = 0;
  gboolean same_boot;
  const guint8 *record = next_record (data, n, &end);

  if (record == NULL || !read_header (record, size, boot_id, &same_boot))
    return FALSE;
  while ((record = next_record (data, n, &end)) != NULL &&
         record_is_sound (record, n_valid, n_pieces, &n_sources, &n_synced))
    n_valid++;

  *out_state = (ExoJournalState){ .map = exo_piece_map_new (size),
                                  .sources = g_new0 (guint16, n_pieces),
                                  .names = g_ptr_array_new_with_free_func (g_free),
                                  .same_boot = same_boot };
  end = start;
  next_record (data, n, &end);
  for (guint64 i = 1; i < n_valid; i++)
    apply_record (out_state, next_record (data, n, &end), same_boot || i < n_synced);
  return TRUE;
}
