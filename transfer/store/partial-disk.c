/* partial-disk.c - opening and committing a partial blob: all that blocks
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "transfer/store/partial-private.h"

#define LOCK_TRIES 8 /* each means that another client removed the lock file in between */

/* The lock ------------------------------------------------------------------------------------ */

static gboolean
is_same_file (int fd, const char *path)
{
  struct stat open_st, path_st;

  return fstat (fd, &open_st) == 0 && stat (path, &path_st) == 0 && open_st.st_nlink > 0 &&
         open_st.st_dev == path_st.st_dev && open_st.st_ino == path_st.st_ino;
}

static int
take_lock (const char *path, const char *oid, GError **error)
{
  if (!exo_store_make_parents (path, error))
    return -1;
  for (int i = 0; i < LOCK_TRIES; i++)
    {
      int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0664);

      if (fd < 0)
        {
          exo_store_errno (error, errno, _ ("cannot open %s"), path);
          return -1;
        }
      if (flock (fd, LOCK_EX | LOCK_NB) != 0)
        {
          int code = errno;

          close (fd);
          if (code == EINTR)
            continue;
          if (code == EWOULDBLOCK)
            break;
          exo_store_errno (error, code, _ ("cannot lock %s"), path);
          return -1;
        }
      if (is_same_file (fd, path))
        {
          /* As newer clients do, whatever the umask. Not ours to change: then others see to it */
          if (fchmod (fd, 0664) != 0)
            g_debug ("%s: %s", path, g_strerror (errno));
          return fd;
        }
      close (fd);
    }
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_BUSY,
               _ ("another process is downloading %s"), oid);
  return -1;
}

/* The files ----------------------------------------------------------------------------------- */

static gboolean
check_space (ExoPartial *partial, const struct stat *st, GError **error)
{
  guint64 allocated = (guint64) st->st_blocks * 512;
  guint64 needed = partial->size > allocated ? partial->size - allocated : 0;
  g_autofree char *needed_size = NULL;
  g_autofree char *free_size = NULL;
  struct statvfs vfs;
  guint64 available;

  if (fstatvfs (partial->fd, &vfs) != 0)
    return exo_store_errno (error, errno, _ ("cannot ask for the room on %s"), partial->part_path);
  available = (guint64) vfs.f_bavail * vfs.f_frsize;
  if (needed <= available)
    return TRUE;
  needed_size = g_format_size (needed);
  free_size = g_format_size (available);
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_SPACE,
               /* TRANSLATORS: hash of a file, size, size */
               _ ("%s needs %s more, %s are free"), partial->oid, needed_size, free_size);
  return FALSE;
}

/* NULL if there is none that could count */
static GByteArray *
read_journal (const char *path)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  int fd = open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat st;
  gssize n = -1;

  if (fd < 0)
    return NULL;
  if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode) && st.st_size <= EXO_JOURNAL_BYTES_MAX)
    {
      g_byte_array_set_size (bytes, (guint) st.st_size);
      n = st.st_size == 0 ? 0 : pread (fd, bytes->data, bytes->len, 0);
    }
  close (fd);
  if (n < 0)
    return NULL;
  g_byte_array_set_size (bytes, (guint) n);
  return g_steal_pointer (&bytes);
}

/* What the journal of an earlier session says, if the data file is the one it speaks of. */
static gboolean
recover (ExoPartial *partial, const struct stat *st)
{
  g_autoptr (GByteArray) bytes = NULL;

  if ((guint64) st->st_size != partial->size)
    return FALSE;
  bytes = read_journal (partial->journal_path);
  return bytes != NULL && exo_journal_recover (bytes->data, bytes->len, partial->oid, partial->size,
                                               partial->store->boot_id, &partial->state);
}

static void
start_afresh (ExoPartial *partial)
{
  partial->state = (ExoJournalState){ .map = exo_piece_map_new (partial->size),
                                      .sources = g_new0 (guint16, exo_pieces_in (partial->size)),
                                      .names = g_ptr_array_new_with_free_func (g_free) };
}

/* The journal without its history. */
static GByteArray *
compact_journal (ExoPartial *partial)
{
  GByteArray *bytes = g_byte_array_new ();
  const ExoJournalState *state = &partial->state;
  guint8 salt[EXO_JOURNAL_SALT];

  if (getrandom (salt, sizeof salt, 0) != (gssize) sizeof salt)
    for (gsize i = 0; i < sizeof salt; i++)
      salt[i] = (guint8) g_random_int ();
  exo_journal_begin (&partial->end, bytes, partial->oid, partial->size, partial->store->boot_id,
                     salt);
  for (guint i = 0; i < state->names->len; i++)
    exo_journal_put_source (&partial->end, bytes, (guint16) (i + 1), state->names->pdata[i]);
  for (guint32 i = 0; i < exo_piece_map_n_pieces (state->map); i++)
    if (exo_piece_map_has (state->map, i))
      exo_journal_put_add (&partial->end, bytes, i, state->sources[i]);
  exo_journal_put_checkpoint (&partial->end, bytes, partial->end.n_records);
  return bytes;
}

/* Replaces the journal by a compact one of this boot. The data is synced before it says so. */
static gboolean
begin_session (ExoPartial *partial, GError **error)
{
  g_autofree char *temp = g_strconcat (partial->journal_path, EXO_LAYOUT_TEMP, NULL);
  g_autoptr (GByteArray) bytes = compact_journal (partial);

  if (fdatasync (partial->fd) != 0)
    return exo_store_errno (error, errno, _ ("cannot sync %s"), partial->part_path);
  if (!exo_store_replace_file (partial->store, temp, partial->journal_path, bytes->data, bytes->len,
                               error) ||
      !exo_store_sync_parent (partial->journal_path, error))
    return FALSE;
  partial->journal_fd = open (partial->journal_path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
  if (partial->journal_fd < 0)
    return exo_store_errno (error, errno, _ ("cannot open %s"), partial->journal_path);
  return TRUE;
}

/* Through a description of its own: duplicates of partial->fd live on in shares after the partial is closed. */
static int
take_guard (const char *path, const char *oid, GError **error)
{
  int fd;

  if (!exo_store_make_parents (path, error))
    return -1;
  fd = open (path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    {
      exo_store_errno (error, errno, _ ("cannot open %s"), path);
      return -1;
    }
  if (flock (fd, LOCK_EX | LOCK_NB) == 0 && is_same_file (fd, path))
    return fd;
  close (fd);
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_BUSY,
               _ ("another agent is downloading %s"), oid);
  return -1;
}

static gboolean
open_files (ExoPartial *partial, GError **error)
{
  struct stat st;

  partial->fd = open (partial->part_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (partial->fd < 0 || fstat (partial->fd, &st) != 0)
    return exo_store_errno (error, errno, _ ("cannot open %s"), partial->part_path);
  if (!S_ISREG (st.st_mode))
    return exo_store_errno (error, EINVAL, _ ("cannot use %s"), partial->part_path);
  if (!recover (partial, &st))
    {
      /* The old journal goes first: with the new file's size it could be taken for true */
      if (unlink (partial->journal_path) != 0 && errno != ENOENT)
        return exo_store_errno (error, errno, _ ("cannot remove %s"), partial->journal_path);
      start_afresh (partial);
      if (ftruncate (partial->fd, 0) != 0 || fstat (partial->fd, &st) != 0)
        return exo_store_errno (error, errno, _ ("cannot empty %s"), partial->part_path);
      if (!check_space (partial, &st, error))
        {
          unlink (partial->part_path);
          return FALSE;
        }
      if (ftruncate (partial->fd, (off_t) partial->size) != 0)
        return exo_store_errno (error, errno, _ ("cannot make room in %s"), partial->part_path);
    }
  else if (!check_space (partial, &st, error))
    return FALSE;
  return begin_session (partial, error);
}

/* Opening ------------------------------------------------------------------------------------- */

static gboolean
take_locks (ExoPartial *partial, const char *lock_path, GError **error)
{
  g_autoptr (GError) busy = NULL;

  partial->lock_fd = take_lock (lock_path, partial->oid, &busy);
  if (partial->lock_fd < 0 &&
      !(partial->for_client && g_error_matches (busy, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_BUSY)))
    {
      g_propagate_error (error, g_steal_pointer (&busy));
      return FALSE;
    }
  partial->guard_fd = take_guard (partial->part_path, partial->oid, error);
  return partial->guard_fd >= 0;
}

static void
open_work (ExoStore *store, GTask *task, gpointer task_data)
{
  ExoPartial *partial = task_data;
  g_autofree char *lock = exo_layout_lock (partial->type, partial->id, partial->oid);
  g_autofree char *lock_path = exo_store_path (store, lock);
  GError *error = NULL;

  if (!take_locks (partial, lock_path, &error) || !open_files (partial, &error))
    {
      /* At once, not when the task goes: the next to ask must get them */
      exo_partial_unlock (partial);
      g_task_return_error (task, error);
      return;
    }
  exo_index_add_member (store->index, partial->type, partial->id, partial->oid);
  g_task_return_pointer (task, exo_partial_ref (partial), (GDestroyNotify) exo_partial_close);
}

/* By way of the writer, as everything about partials: a close queued before has given up the lock. */
typedef struct
{
  ExoStore *store;
  GTask *task;
} Opening;

static void
pass_on (gpointer data)
{
  g_autofree Opening *opening = data;

  exo_store_start (opening->store, opening->store->syncer, opening->task, open_work);
}

void
exo_store_open_partial_async (ExoStore *store,
                              ExoRepoType type,
                              const char *id,
                              const char *oid,
                              guint64 size,
                              gboolean for_client,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  g_autoptr (GTask) task =
      exo_store_task_new (cancellable, callback, user_data, exo_store_open_partial_async);
  g_autofree char *blob = exo_layout_blob (type, id, oid, "");
  ExoPartial *partial;
  Opening *opening;

  if (blob == NULL || size == 0 || size > EXO_BLOB_SIZE_MAX)
    {
      g_task_return_new_error (task, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                               _ ("not a blob that can be fetched"));
      return;
    }
  partial = g_new0 (ExoPartial, 1);
  *partial = (ExoPartial){
    .refs = 1, .fd = -1, .journal_fd = -1, .lock_fd = -1, .guard_fd = -1, .size = size
  };
  partial->for_client = for_client;
  partial->store = exo_store_ref (store);
  partial->type = type;
  partial->id = g_strdup (id);
  partial->oid = g_strdup (oid);
  partial->blob_path = exo_store_path (store, blob);
  partial->part_path = g_strconcat (partial->blob_path, EXO_LAYOUT_PART, NULL);
  partial->journal_path = g_strconcat (partial->blob_path, EXO_LAYOUT_JOURNAL, NULL);
  partial->hash = exo_hash_new (exo_oid_kind (oid), size);
  g_mutex_init (&partial->mutex);
  g_task_set_task_data (task, partial, (GDestroyNotify) exo_partial_unref);
  opening = g_new (Opening, 1);
  *opening = (Opening){ store, g_steal_pointer (&task) };
  exo_store_run (store->writer, pass_on, opening);
}

/* Committing ---------------------------------------------------------------------------------- */

gboolean
exo_partial_commit (ExoPartial *partial, GError **error)
{
  struct stat st;

  if (fstat (partial->fd, &st) != 0)
    return exo_store_errno (error, errno, _ ("cannot ask about %s"), partial->part_path);
  if ((guint64) st.st_size != partial->size)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DISK,
                   _ ("%s was cut or extended by someone else"), partial->part_path);
      return FALSE;
    }
  if (fchmod (partial->fd, partial->store->file_mode) != 0 || fsync (partial->fd) != 0)
    return exo_store_errno (error, errno, _ ("cannot sync %s"), partial->part_path);
  if (rename (partial->part_path, partial->blob_path) != 0)
    return exo_store_errno (error, errno, _ ("cannot make %s"), partial->blob_path);
  if (!exo_store_sync_parent (partial->blob_path, error))
    return FALSE;
  unlink (partial->journal_path);
  if (stat (partial->blob_path, &st) == 0)
    exo_store_remember (partial->store, partial->type, partial->id, partial->oid,
                        partial->blob_path, &st);
  return TRUE;
}
