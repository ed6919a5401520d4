/* test-journal.c - what a journal is worth after a kill, a power loss, garbage
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/suite.h"
#include "transfer/store/journal.h"

#define OID      "b3d0a1f7938cd4d8413a4dcffd4313e2e8ac0cb61cb1090eb140ea8e9154befb"
#define OTHER    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
#define N_PIECES 12u
#define SIZE     ((guint64) N_PIECES * EXO_PIECE_SIZE_MIN - 5)
#define BOOT     "1f0c7b1e-0000-4000-8000-000000000001"
#define REBOOT   "1f0c7b1e-0000-4000-8000-000000000002"

static const guint8 salt[EXO_JOURNAL_SALT] = { 1, 2, 3 };

static void
begin (ExoJournalEnd *end, GByteArray *bytes)
{
  exo_journal_begin (end, bytes, OID, SIZE, BOOT, salt);
}

/* The held pieces, one character each; "none" if the journal does not count at all */
static char *
recovered (const guint8 *data, gsize n, const char *boot)
{
  g_auto (ExoJournalState) state = { 0 };
  char *text;

  if (!exo_journal_recover (data, n, OID, SIZE, boot, &state))
    return g_strdup ("none");
  exo_piece_map_check (state.map);
  text = g_strnfill (N_PIECES, '.');
  for (guint32 i = 0; i < N_PIECES; i++)
    if (exo_piece_map_has (state.map, i))
      text[i] = '#';
  return text;
}

static void
expect (GByteArray *bytes, const char *boot, const char *expected)
{
  g_autofree char *text = recovered (bytes->data, bytes->len, boot);

  CU_ASSERT_STRING_EQUAL (text, expected);
}

static void
the_same_boot_counts_all_another_the_checkpointed (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  ExoJournalEnd end;

  begin (&end, bytes);
  exo_journal_put_add (&end, bytes, 1, 0);
  exo_journal_put_add (&end, bytes, 2, 0);
  exo_journal_put_checkpoint (&end, bytes, end.n_records);
  exo_journal_put_add (&end, bytes, 3, 0);
  expect (bytes, BOOT, ".###........");
  expect (bytes, REBOOT, ".##.........");
  expect (bytes, "", ".##.........");
}

static void
a_checkpoint_does_not_cover_what_came_while_it_was_made (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  ExoJournalEnd end;
  guint64 before;

  begin (&end, bytes);
  exo_journal_put_add (&end, bytes, 1, 0);
  before = end.n_records;
  exo_journal_put_add (&end, bytes, 2, 0);
  exo_journal_put_checkpoint (&end, bytes, before);
  expect (bytes, REBOOT, ".#..........");
}

static void
a_drop_counts_even_without_a_checkpoint (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  ExoJournalEnd end;

  begin (&end, bytes);
  exo_journal_put_add (&end, bytes, 1, 0);
  exo_journal_put_checkpoint (&end, bytes, end.n_records);
  exo_journal_put_drop (&end, bytes, 1);
  exo_journal_put_add (&end, bytes, 1, 0);
  expect (bytes, REBOOT, "............");
  expect (bytes, BOOT, ".#..........");
}

static void
sources_are_kept_by_name (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_auto (ExoJournalState) state = { 0 };
  ExoJournalEnd end;

  begin (&end, bytes);
  exo_journal_put_source (&end, bytes, 1, "hub");
  exo_journal_put_source (&end, bytes, 2, "peer");
  exo_journal_put_add (&end, bytes, 5, 2);
  exo_journal_put_add (&end, bytes, 6, 0);
  CU_ASSERT_TRUE_FATAL (exo_journal_recover (bytes->data, bytes->len, OID, SIZE, BOOT, &state));
  CU_ASSERT_EQUAL (state.sources[5], 2);
  CU_ASSERT_EQUAL (state.sources[6], 0);
  CU_ASSERT_STRING_EQUAL (state.names->pdata[1], "peer");
}

static void
another_blobs_journal_does_not_count (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_auto (ExoJournalState) state = { 0 };
  ExoJournalEnd end;

  begin (&end, bytes);
  CU_ASSERT_FALSE (exo_journal_recover (bytes->data, bytes->len, OTHER, SIZE, BOOT, &state));
  CU_ASSERT_FALSE (exo_journal_recover (bytes->data, bytes->len, OID, SIZE + 1, BOOT, &state));
  CU_ASSERT_FALSE (exo_journal_recover (bytes->data, 0, OID, SIZE, BOOT, &state));
}

static void
records_past_a_limit_end_it (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  ExoJournalEnd end;

  begin (&end, bytes);
  exo_journal_put_add (&end, bytes, N_PIECES - 1, 0);
  exo_journal_put_add (&end, bytes, N_PIECES, 0); /* no such piece */
  exo_journal_put_add (&end, bytes, 1, 0);
  expect (bytes, BOOT, "...........#");
  g_byte_array_set_size (bytes, 0);
  begin (&end, bytes);
  exo_journal_put_add (&end, bytes, 1, 0);
  exo_journal_put_add (&end, bytes, 2, 1); /* no such source */
  expect (bytes, BOOT, ".#..........");
  g_byte_array_set_size (bytes, 0);
  begin (&end, bytes);
  exo_journal_put_add (&end, bytes, 1, 0);
  exo_journal_put_checkpoint (&end, bytes, 3); /* itself and more */
  expect (bytes, REBOOT, "............");
}

static void
stale_and_swapped_records_end_it (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GByteArray) old = g_byte_array_new ();
  const guint8 other_salt[EXO_JOURNAL_SALT] = { 9 };
  ExoJournalEnd end, old_end;
  guint8 swap[12];
  guint n_header;

  begin (&end, bytes);
  n_header = bytes->len;
  exo_journal_put_add (&end, bytes, 1, 0);
  exo_journal_put_add (&end, bytes, 2, 0);
  /* The tail of an older journal of the same blob, just where the next record would be */
  exo_journal_begin (&old_end, old, OID, SIZE, BOOT, other_salt);
  exo_journal_put_add (&old_end, old, 1, 0);
  exo_journal_put_add (&old_end, old, 2, 0);
  exo_journal_put_add (&old_end, old, 3, 0);
  g_byte_array_append (bytes, old->data + bytes->len, old->len - bytes->len);
  expect (bytes, BOOT, ".##.........");
  memcpy (swap, bytes->data + n_header, 12);
  memmove (bytes->data + n_header, bytes->data + n_header + 12, 12);
  memcpy (bytes->data + n_header + 12, swap, 12);
  expect (bytes, BOOT, "............");
}

/* Power loss ---------------------------------------------------------------------------------- */

/* The piece's bytes on the platter: a number per write, 0 the hole. What a record speaks of is the
 * write before it. */
typedef struct
{
  gboolean sync; /* fdatasync() of the data has returned */
  guint32 piece; /* else: written, as number @write */
  guint write;
} Event;

typedef struct
{
  GByteArray *journal;
  ExoJournalEnd end;
  GArray *journal_after; /* guint: bytes of journal after event i */
  GArray *events;        /* Event */
} Run;

static void
note (Run *run, Event event)
{
  g_array_append_val (run->events, event);
  g_array_append_val (run->journal_after, run->journal->len);
}

/* What partial.c does, in its order, at random: write, add; drop; sync, checkpoint, with adds
 * between the two. */
static void
random_run (Run *run, GRand *rand)
{
  gboolean held[N_PIECES] = { FALSE };
  guint64 covered = 0;
  gboolean syncing = FALSE;
  guint n_writes = 0;

  begin (&run->end, run->journal);
  for (guint i = 0; i < 60; i++)
    {
      guint32 piece = (guint32) g_rand_int_range (rand, 0, N_PIECES);
      int what = g_rand_int_range (rand, 0, 10);

      if (what < 5 && !held[piece])
        {
          note (run, (Event){ FALSE, piece, ++n_writes });
          exo_journal_put_add (&run->end, run->journal, piece, 0);
          held[piece] = TRUE;
        }
      else if (what < 6 && held[piece])
        {
          exo_journal_put_drop (&run->end, run->journal, piece);
          held[piece] = FALSE;
        }
      else if (what < 8 && !syncing)
        {
          covered = run->end.n_records;
          note (run, (Event){ .sync = TRUE });
          syncing = TRUE;
        }
      else if (syncing)
        {
          exo_journal_put_checkpoint (&run->end, run->journal, covered);
          syncing = FALSE;
        }
    }
}

/* Which write of @piece must the disk hold, at the least, when the journal got as far as @n bytes?
 * A checkpoint is appended after the sync: so every sync that began before the journal's last
 * checkpoint has returned. The last write before it is on disk; later ones may be or not. */
static guint
least_write (Run *run, guint32 piece, guint n_events)
{
  guint synced = 0, latest = 0;

  for (guint i = 0; i < n_events; i++)
    {
      Event *event = &g_array_index (run->events, Event, i);

      if (event->sync)
        synced = latest;
      else if (event->piece == piece)
        latest = event->write;
    }
  return synced;
}

/* A claimed piece must have been written and synced, and not written again since it was. */
static void
check_claims (Run *run, gsize n, const char *claims)
{
  guint n_events = 0;

  while (n_events < run->events->len && g_array_index (run->journal_after, guint, n_events) < n)
    n_events++;
  for (guint32 piece = 0; claims[0] != 'n' && piece < N_PIECES; piece++)
    {
      guint synced = least_write (run, piece, n_events);
      gboolean rewritten = FALSE;

      if (claims[piece] != '#')
        continue;
      for (guint i = 0; i < n_events; i++)
        {
          Event *event = &g_array_index (run->events, Event, i);

          rewritten |= !event->sync && event->piece == piece && event->write > synced;
        }
      CU_ASSERT_NOT_EQUAL (synced, 0);
      CU_ASSERT_FALSE (rewritten);
    }
}

static void
a_power_loss_at_any_byte_claims_only_what_is_on_disk (void)
{
  for (guint32 seed = 0; seed < 100; seed++)
    {
      g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
      Run run = { g_byte_array_new (),
                  { 0 },
                  g_array_new (FALSE, FALSE, sizeof (guint)),
                  g_array_new (FALSE, FALSE, sizeof (Event)) };

      random_run (&run, rand);
      for (gsize n = 0; n <= run.journal->len; n++)
        {
          g_autofree char *claims = recovered (run.journal->data, n, REBOOT);

          check_claims (&run, n, claims);
        }
      g_byte_array_unref (run.journal);
      g_array_unref (run.journal_after);
      g_array_unref (run.events);
    }
}

static void
a_flipped_bit_only_loses_what_follows (void)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  ExoJournalEnd end;

  begin (&end, bytes);
  for (guint32 i = 0; i < N_PIECES; i++)
    exo_journal_put_add (&end, bytes, i, 0);
  for (gsize bit = 0; bit < (gsize) bytes->len * 8; bit++)
    {
      g_autofree char *text = NULL;

      bytes->data[bit / 8] ^= (guint8) (1 << bit % 8);
      text = recovered (bytes->data, bytes->len, BOOT);
      /* A prefix of the pieces, never all */
      CU_ASSERT_TRUE (strcmp (text, "none") == 0 || strstr (text, ".#") == NULL);
      CU_ASSERT_STRING_NOT_EQUAL (text, "############");
      bytes->data[bit / 8] ^= (guint8) (1 << bit % 8);
    }
  expect (bytes, BOOT, "############");
}

static void
garbage_is_no_journal (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (7);

  for (guint i = 0; i < 2000; i++)
    {
      guint8 data[128];
      g_autofree char *text = NULL;

      for (gsize k = 0; k < sizeof data; k++)
        data[k] = (guint8) g_rand_int (rand);
      data[0] = 'H';
      text = recovered (data, sizeof data, BOOT);
      CU_ASSERT_STRING_EQUAL (text, "none");
    }
}

EXO_SUITE ("journal",
           TEST (the_same_boot_counts_all_another_the_checkpointed),
           TEST (a_checkpoint_does_not_cover_what_came_while_it_was_made),
           TEST (a_drop_counts_even_without_a_checkpoint),
           TEST (sources_are_kept_by_name),
           TEST (another_blobs_journal_does_not_count),
           TEST (records_past_a_limit_end_it),
           TEST (stale_and_swapped_records_end_it),
           TEST (a_power_loss_at_any_byte_claims_only_what_is_on_disk),
           TEST (a_flipped_bit_only_loses_what_follows),
           TEST (garbage_is_no_journal))
