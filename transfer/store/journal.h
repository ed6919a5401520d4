/* journal.h - which pieces of a partial file are on disk
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A file beside the partial one, of records in the order things happened:
 *
 *   byte 0      type: 'H' header, 'S' source, 'A' add, 'D' drop, 'C' checkpoint
 *   byte 1      bytes of payload, 0 to 255
 *   bytes 2-5   CRC-32 of bytes 0, 1 and the payload, continued from the record before it
 *   from 6      payload, little-endian
 *
 *   'H'  magic "exo-jrn1", u64 blob size, 16 bytes salt, boot id (text)   first, and only there
 *   'S'  u16 index (from 1, in order), name (text)      what the u16 of 'A' means from now on
 *   'A'  u32 piece, u16 source (0: unknown)             the piece was written
 *   'D'  u32 piece                                      the piece is not to be trusted
 *   'C'  u64 n                                          pieces of the first n records are synced
 *
 * The CRC of the header continues that of the oid, every other that of its predecessor, so a record
 * is good only in its place in this journal: garbage, a torn write and the blocks of an older file
 * all end the valid part. What follows the first bad record does not count.
 *
 * Which adds count:
 *   - the machine has not been down since (same boot id): all. The kernel keeps what a killed
 *     process wrote, and each add was appended after the bytes of the piece.
 *   - otherwise: those that the last checkpoint covers. It is written after fdatasync() of the data,
 *     and names the number of records that were there before that began.
 *   Drops count always: a piece too few costs a fetch, one too many a wrong file.
 *
 * Pure.
 */

#pragma once

#include <glib.h>

#include "transfer/swarm/piece-map.h"

G_BEGIN_DECLS

/* A piece per add and as much again in drops and adds of EXO_PIECES_MAX pieces at 12 and 10 bytes:
 * (12 + 10 + 12) << 20 = 34 MiB */
#define EXO_JOURNAL_BYTES_MAX   (64u << 20)
#define EXO_JOURNAL_NAME_MAX    200u /* bytes in a source's name */
#define EXO_JOURNAL_SOURCES_MAX 65535u
#define EXO_JOURNAL_BOOT_MAX    64u /* bytes in a boot id */
#define EXO_JOURNAL_SALT        16u

/* Where the next record goes. A plain value: keep a copy to take an append back. */
typedef struct
{
  guint32 chain;     /* CRC of the last record */
  guint64 n_records; /* so far */
  guint64 n_bytes;   /* so far */
} ExoJournalEnd;

/* Each appends one record to @out. @salt: EXO_JOURNAL_SALT random bytes */
void exo_journal_begin (ExoJournalEnd *end,
                        GByteArray *out,
                        const char *oid,
                        guint64 size,
                        const char *boot_id,
                        const guint8 *salt);
void exo_journal_put_source (ExoJournalEnd *end, GByteArray *out, guint16 index, const char *name);
void exo_journal_put_add (ExoJournalEnd *end, GByteArray *out, guint32 piece, guint16 source);
void exo_journal_put_drop (ExoJournalEnd *end, GByteArray *out, guint32 piece);
void exo_journal_put_checkpoint (ExoJournalEnd *end, GByteArray *out, guint64 n_records);

typedef struct
{
  ExoPieceMap *map;   /* what is on disk */
  guint16 *sources;   /* a source's index per piece; 0 unknown or not held */
  GPtrArray *names;   /* (element-type utf8): of source i at i - 1 */
  gboolean same_boot; /* the journal's boot id is @boot_id */
} ExoJournalState;

void exo_journal_state_clear (ExoJournalState *state);

/* FALSE: not the journal of this blob, nothing of it counts. */
gboolean exo_journal_recover (const guint8 *data,
                              gsize n,
                              const char *oid,
                              guint64 size,
                              const char *boot_id,
                              ExoJournalState *out_state);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ExoJournalState, exo_journal_state_clear)

G_END_DECLS
