/* partial.c - a blob on its way: its bytes, its journal, its hash
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who may touch what:
 *   main     the map, the sources, the hashing front's state, the timer
 *   writer   appends records (under the mutex)
 *   syncer   syncs the data without the mutex, then appends a checkpoint under it: so appends never
 *            wait for the disk; renames, and gives up the lock
 *   hashers  at most one job at a time: it owns the hash while it runs
 *
 * One checkpoint follows EXO_STORE_CHECKPOINT_MS after the first record that none covers; with
 * nothing new no timer runs.
 */

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "transfer/store/journal.h"
#include "transfer/store/partial-private.h"

#define WRITE_BACK_BYTES (1u << 20) /* less is not worth a call */

ExoPartial *
exo_partial_ref (ExoPartial *partial)
{
  g_atomic_int_inc (&partial->refs);
  return partial;
}

static void
close_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

/* The lock file stays: a client with an older filelock may be waiting on its inode (3.5) */
void
exo_partial_unlock (ExoPartial *partial)
{
  close_fd (&partial->lock_fd);
  close_fd (&partial->guard_fd);
}

void
exo_partial_unref (ExoPartial *partial)
{
  if (partial == NULL || !g_atomic_int_dec_and_test (&partial->refs))
    return;
  close_fd (&partial->fd);
  close_fd (&partial->journal_fd);
  exo_partial_unlock (partial);
  exo_hash_free (partial->hash);
  exo_journal_state_clear (&partial->state);
  g_clear_error (&partial->hash_error);
  g_mutex_clear (&partial->mutex);
  g_free (partial->id);
  g_free (partial->oid);
  g_free (partial->part_path);
  g_free (partial->journal_path);
  g_free (partial->blob_path);
  exo_store_unref (partial->store);
  g_free (partial);
}

/* The journal --------------------------------------------------------------------------------- */

typedef struct
{
  ExoPartial *partial; /* owned */
  char type;           /* as in journal.h */
  guint32 piece;
  guint16 source;
  char *name; /* owned; of a source */
} Record;

/* With the mutex held. An append that fails is taken back whole: the journal stays good, the piece
 * is fetched again after a restart. */
static gboolean
append (ExoPartial *partial, GByteArray *bytes, ExoJournalEnd end)
{
  g_autoptr (GError) error = NULL;

  if (exo_store_write_all (partial->journal_fd, bytes->data, bytes->len,
                           (goffset) partial->end.n_bytes, &error))
    {
      partial->end = end;
      return TRUE;
    }
  if (ftruncate (partial->journal_fd, (off_t) partial->end.n_bytes) != 0)
    g_debug ("%s: cannot be cut: %s", partial->journal_path, g_strerror (errno));
  if (!partial->warned)
    g_warning ("%s: %s: what arrives now would be fetched again after a restart",
               partial->journal_path, error->message);
  partial->warned = TRUE;
  return FALSE;
}

static void
write_record (gpointer data)
{
  g_autofree Record *record = data;
  ExoPartial *partial = record->partial;
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  ExoJournalEnd end;

  g_mutex_lock (&partial->mutex);
  end = partial->end;
  if (record->type == 'S')
    exo_journal_put_source (&end, bytes, record->source, record->name);
  else if (record->type == 'A')
    exo_journal_put_add (&end, bytes, record->piece, record->source);
  else
    exo_journal_put_drop (&end, bytes, record->piece);
  if (append (partial, bytes, end) && record->type == 'A')
    partial->n_adds++;
  g_mutex_unlock (&partial->mutex);
  /* Before the piece is written anew: it must not come back half old, half new */
  if (record->type == 'D')
    fdatasync (partial->journal_fd);
  g_free (record->name);
  exo_partial_unref (partial);
}

static void
queue_record (ExoPartial *partial, char type, guint32 piece, guint16 source, const char *name)
{
  Record *record;

  if (partial->store->writer == NULL)
    return;
  record = g_new (Record, 1);
  *record = (Record){ exo_partial_ref (partial), type, piece, source, g_strdup (name) };
  exo_store_run (partial->store->writer, write_record, record);
}

void
exo_partial_checkpoint (ExoPartial *partial)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  ExoJournalEnd end;
  guint64 n_records, n_adds;

  g_mutex_lock (&partial->mutex);
  n_records = partial->end.n_records;
  n_adds = partial->n_adds;
  g_mutex_unlock (&partial->mutex);
  if (n_adds == partial->n_adds_synced || partial->sync_failed)
    return;
  if (fdatasync (partial->fd) != 0)
    {
      /* The kernel may have thrown the pages away and would call the next sync a success */
      g_warning ("%s: cannot be synced: %s", partial->part_path, g_strerror (errno));
      partial->sync_failed = TRUE;
      return;
    }
  g_mutex_lock (&partial->mutex);
  end = partial->end;
  exo_journal_put_checkpoint (&end, bytes, n_records);
  if (append (partial, bytes, end))
    partial->n_adds_synced = n_adds;
  g_mutex_unlock (&partial->mutex);
  fdatasync (partial->journal_fd);
}

/* To the syncer by way of the writer: what was queued before is appended by then. */
typedef struct
{
  ExoPartial *partial; /* owned */
  void (*func) (ExoPartial *partial);
} Step;

static void
run_step (gpointer data)
{
  g_autofree Step *step = data;

  step->func (step->partial);
  exo_partial_unref (step->partial);
}

static void
hand_to_syncer (gpointer data)
{
  Step *step = data;

  exo_store_run (step->partial->store->syncer, run_step, step);
}

static void
queue_step (ExoPartial *partial, void (*func) (ExoPartial *partial))
{
  Step *step;

  /* The store went first: nothing can be written any more */
  if (partial->store->writer == NULL)
    return;
  step = g_new (Step, 1);
  *step = (Step){ exo_partial_ref (partial), func };
  exo_store_run (partial->store->writer, hand_to_syncer, step);
}

static gboolean
on_checkpoint_due (gpointer data)
{
  ExoPartial *partial = data;

  g_clear_pointer (&partial->timer, g_source_unref);
  queue_step (partial, exo_partial_checkpoint);
  return G_SOURCE_REMOVE;
}

static void
arm_timer (ExoPartial *partial)
{
  if (partial->timer != NULL)
    return;
  partial->timer = g_timeout_source_new (EXO_STORE_CHECKPOINT_MS);
  g_source_set_callback (partial->timer, on_checkpoint_due, partial, NULL);
  g_source_attach (partial->timer, partial->store->context);
}

static void
disarm_timer (ExoPartial *partial)
{
  if (partial->timer == NULL)
    return;
  g_source_destroy (partial->timer);
  g_clear_pointer (&partial->timer, g_source_unref);
}

/* The hashing front --------------------------------------------------------------------------- */

static void advance (ExoPartial *partial);

static void
reset_hash (ExoPartial *partial)
{
  exo_hash_free (partial->hash);
  partial->hash = exo_hash_new (exo_oid_kind (partial->oid), partial->size);
  partial->hashed = 0;
}

static gboolean
on_hashed (gpointer data)
{
  ExoPartial *partial = data;

  partial->hashing = FALSE;
  if (partial->hash_stale || partial->hash_error != NULL)
    reset_hash (partial);
  else
    partial->hashed = partial->hashing_to;
  partial->hash_stale = FALSE;
  if (!partial->closed)
    advance (partial);
  exo_partial_unref (partial);
  return G_SOURCE_REMOVE;
}

static void
hash_bite (gpointer data)
{
  ExoPartial *partial = data;

  exo_hash_range (partial->hash, partial->fd, partial->hashed,
                  partial->hashing_to - partial->hashed, &partial->stop, NULL,
                  &partial->hash_error);
  exo_store_tell (partial->store, on_hashed, partial);
}

typedef struct
{
  ExoPartial *partial; /* owned */
  guint64 first, n;
} Span;

/* A hint: what goes wrong here, the sync before the commit says. */
static void
write_back (gpointer data)
{
  g_autofree Span *span = data;

  sync_file_range (span->partial->fd, (off64_t) span->first, (off64_t) span->n,
                   SYNC_FILE_RANGE_WRITE);
  exo_partial_unref (span->partial);
}

/* The disk writes beside the hashing: otherwise all of it would wait for the sync before the commit. */
static void
queue_write_back (ExoPartial *partial, guint64 first, guint64 n)
{
  Span *span;

  if (n < WRITE_BACK_BYTES)
    return;
  span = g_new (Span, 1);
  *span = (Span){ exo_partial_ref (partial), first, n };
  exo_store_run (partial->store->syncer, write_back, span);
}

static void
start_bite (ExoPartial *partial, guint64 to)
{
  partial->hashing = TRUE;
  partial->hashing_to = MIN (to, partial->hashed + EXO_STORE_BITE);
  queue_write_back (partial, partial->hashed, partial->hashing_to - partial->hashed);
  exo_store_run (partial->store->hashers, hash_bite, exo_partial_ref (partial));
}

static guint64
front_bytes (ExoPartial *partial)
{
  guint64 front = exo_piece_map_front (partial->state.map);

  return MIN (front * exo_piece_size_for (partial->size), partial->size);
}

static void
fail_finish (ExoPartial *partial, GError *error)
{
  g_autoptr (GTask) task = g_steal_pointer (&partial->finishing);

  g_task_return_error (task, error);
}

static gboolean
on_committed (gpointer data)
{
  ExoPartial *partial = data;
  g_autoptr (GTask) task = g_steal_pointer (&partial->finishing);
  g_autoptr (GError) error = g_steal_pointer (&partial->commit_error);

  if (error != NULL)
    {
      partial->done = FALSE;
      partial->hash_hold = TRUE;
      g_task_return_error (task, g_steal_pointer (&error));
    }
  else
    g_task_return_boolean (task, TRUE);
  exo_partial_unref (partial);
  return G_SOURCE_REMOVE;
}

static void
commit_step (ExoPartial *partial)
{
  exo_partial_commit (partial, &partial->commit_error);
  exo_store_tell (partial->store, on_committed, exo_partial_ref (partial));
}

/* Everything is hashed: is it what its name says? */
static void
judge (ExoPartial *partial)
{
  g_autofree char *oid = exo_hash_finish (partial->hash);
  GError *error = NULL;

  reset_hash (partial);
  if (strcmp (oid, partial->oid) == 0)
    {
      partial->done = TRUE;
      disarm_timer (partial);
      queue_step (partial, commit_step);
      return;
    }
  partial->hash_hold = TRUE;
  g_set_error (&error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_MISMATCH,
               _ ("the bytes received for %s have the hash %s"), partial->oid, oid);
  fail_finish (partial, error);
}

/* Starts whatever the front allows now; called after every change. */
static void
advance (ExoPartial *partial)
{
  if (partial->hashing || partial->done || partial->store->hashers == NULL)
    return;
  if (partial->finishing != NULL &&
      g_cancellable_is_cancelled (g_task_get_cancellable (partial->finishing)))
    {
      fail_finish (partial, g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED,
                                         "the hashing of %s was stopped", partial->oid));
      return;
    }
  if (partial->finishing != NULL && partial->hash_error != NULL)
    {
      partial->hash_hold = TRUE;
      fail_finish (partial, g_steal_pointer (&partial->hash_error));
      return;
    }
  if (partial->finishing != NULL && !exo_piece_map_is_full (partial->state.map))
    {
      fail_finish (partial, g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_MISMATCH,
                                         _ ("%s lacks pieces"), partial->oid));
      return;
    }
  if (partial->finishing != NULL && partial->hashed == partial->size)
    {
      judge (partial);
      return;
    }
  /* After a mismatch or a read error nothing is gained by hashing the same bytes again unasked */
  if (partial->finishing == NULL && (partial->hash_hold || partial->hash_error != NULL))
    return;
  if (front_bytes (partial) > partial->hashed)
    start_bite (partial, front_bytes (partial));
}

/* From outside -------------------------------------------------------------------------------- */

ExoPartial *
exo_store_open_partial_finish (ExoStore *store, GAsyncResult *result, GError **error)
{
  ExoPartial *partial = g_task_propagate_pointer (G_TASK (result), error);

  if (partial != NULL)
    advance (partial);
  return partial;
}

static void
close_step (ExoPartial *partial)
{
  if (!partial->done)
    exo_partial_checkpoint (partial);
  exo_partial_unlock (partial);
}

void
exo_partial_close (ExoPartial *partial)
{
  if (partial == NULL)
    return;
  partial->closed = TRUE;
  g_atomic_int_set (&partial->stop, 1);
  disarm_timer (partial);
  if (partial->finishing != NULL && !partial->done)
    fail_finish (partial, g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED,
                                       "%s was closed", partial->oid));
  queue_step (partial, close_step);
  exo_partial_unref (partial);
}

const char *
exo_partial_oid (ExoPartial *partial)
{
  return partial->oid;
}

guint64
exo_partial_size (ExoPartial *partial)
{
  return partial->size;
}

int
exo_partial_fd (ExoPartial *partial)
{
  return partial->fd;
}

const ExoPieceMap *
exo_partial_map (ExoPartial *partial)
{
  return partial->state.map;
}

guint64
exo_partial_hashed (ExoPartial *partial)
{
  return partial->hashed;
}

const char *
exo_partial_source (ExoPartial *partial, guint32 index)
{
  guint16 source;

  g_return_val_if_fail (index < exo_pieces_in (partial->size), NULL);
  source = partial->state.sources[index];
  return source == 0 ? NULL : partial->state.names->pdata[source - 1];
}

/* 0, unknown, for a name too long to keep or one too many */
static guint16
intern_source (ExoPartial *partial, const char *name)
{
  GPtrArray *names = partial->state.names;

  if (name == NULL || *name == '\0' || strlen (name) > EXO_JOURNAL_NAME_MAX)
    return 0;
  for (guint i = 0; i < names->len; i++)
    if (strcmp (names->pdata[i], name) == 0)
      return (guint16) (i + 1);
  if (names->len == EXO_JOURNAL_SOURCES_MAX)
    return 0;
  g_ptr_array_add (names, g_strdup (name));
  queue_record (partial, 'S', 0, (guint16) names->len, name);
  return (guint16) names->len;
}

void
exo_partial_add (ExoPartial *partial, guint32 index, const char *source)
{
  guint16 number;

  g_return_if_fail (index < exo_pieces_in (partial->size));
  if (partial->done || !exo_piece_map_add (partial->state.map, index))
    return;
  number = intern_source (partial, source);
  partial->state.sources[index] = number;
  queue_record (partial, 'A', index, number, NULL);
  arm_timer (partial);
  advance (partial);
}

void
exo_partial_drop (ExoPartial *partial, guint32 index)
{
  guint64 first = (guint64) index * exo_piece_size_for (partial->size);

  g_return_if_fail (index < exo_pieces_in (partial->size));
  if (partial->done || !exo_piece_map_drop (partial->state.map, index))
    return;
  partial->state.sources[index] = 0;
  queue_record (partial, 'D', index, 0, NULL);
  partial->hash_hold = FALSE;
  if (partial->hashing && first < partial->hashing_to)
    partial->hash_stale = TRUE;
  else if (!partial->hashing && first < partial->hashed)
    reset_hash (partial);
  advance (partial);
}

void
exo_partial_finish_async (ExoPartial *partial,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  g_autoptr (GTask) task =
      exo_store_task_new (cancellable, callback, user_data, exo_partial_finish_async);

  if (partial->finishing != NULL || partial->done)
    {
      g_task_return_new_error (task, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_BUSY,
                               _ ("%s is being finished already"), partial->oid);
      return;
    }
  partial->finishing = g_steal_pointer (&task);
  /* A read error of the past gets another chance, once */
  if (!partial->hashing)
    g_clear_error (&partial->hash_error);
  advance (partial);
}

gboolean
exo_partial_finish_finish (ExoPartial *partial, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
