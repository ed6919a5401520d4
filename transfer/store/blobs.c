/* blobs.c - complete blobs: told true from false, adopted, found in others' leavings
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "transfer/store/hash.h"
#include "transfer/store/store-private.h"

#define COPY_BLOCK (1u << 20)

/* linux/ioprio.h; glibc has no wrapper */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE        (3 << 13)
#define IOPRIO_NONE        0

/* Checking ------------------------------------------------------------------------------------ */

static gboolean
hash_open_file (ExoStore *store,
                int fd,
                const char *oid,
                const char *path,
                const struct stat *st,
                gboolean from_disk,
                GCancellable *cancellable,
                gboolean *out_good,
                GError **error)
{
  g_autofree char *found = NULL;

  if (from_disk)
    posix_fadvise (fd, 0, 0, POSIX_FADV_DONTNEED);
  posix_fadvise (fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  found = exo_hash_fd (exo_oid_kind (oid), fd, (guint64) st->st_size, &store->stopping, cancellable,
                       error);
  if (found == NULL)
    {
      g_prefix_error (error, "%s: ", path);
      return FALSE;
    }
  *out_good = strcmp (found, oid) == 0;
  return TRUE;
}

ExoBlobState
exo_store_check_file (ExoStore *store,
                      ExoRepoType type,
                      const char *id,
                      const char *oid,
                      const char *path,
                      gboolean again,
                      GCancellable *cancellable,
                      GError **error)
{
  gboolean good = FALSE, told = TRUE;
  struct stat st;
  int fd = open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

  if (fd < 0 || fstat (fd, &st) != 0 || !S_ISREG (st.st_mode))
    {
      if (fd >= 0)
        close (fd);
      return EXO_BLOB_MISSING;
    }
  if (again || !exo_index_knows (store->index, oid, path, &st, &good))
    {
      told = hash_open_file (store, fd, oid, path, &st, again, cancellable, &good, error);
      /* As it was before it was read: a change meanwhile shows in the next comparison */
      if (told && !good)
        {
          exo_index_add_blob (store->index, oid, path, &st, FALSE);
          g_atomic_int_set (&store->cache_bytes_changed, 1);
        }
    }
  close (fd);
  if (!told)
    return EXO_BLOB_UNKNOWN;
  if (good)
    exo_store_remember (store, type, id, oid, path, &st);
  return good ? EXO_BLOB_GOOD : EXO_BLOB_WRONG;
}

gboolean
exo_store_set_aside (ExoStore *store,
                     ExoRepoType type,
                     const char *id,
                     const char *oid,
                     const char *path,
                     GError **error)
{
  g_autofree char *relative = exo_layout_blob (type, id, oid, EXO_LAYOUT_DAMAGED);
  g_autofree char *aside = exo_store_path (store, relative);

  if (!exo_store_make_parents (aside, error))
    return FALSE;
  if (rename (path, aside) != 0)
    return exo_store_errno (error, errno, "set aside", path);
  exo_store_forget (store, path);
  g_warning ("%s is damaged: it has another hash than its name says. It is kept as %s", path,
             aside);
  return TRUE;
}

/* Adopting ------------------------------------------------------------------------------------ */

typedef struct
{
  ExoRepoType type;
  char *id;
  char *oid;
  guint64 size;
  char *path; /* absolute, of the blob wanted */
} Adopt;

static void
adopt_free (Adopt *adopt)
{
  g_free (adopt->id);
  g_free (adopt->oid);
  g_free (adopt->path);
  g_free (adopt);
}

/* Is the blob where it should be? What is there and wrong is moved away. FALSE with @error: cannot tell */
static gboolean
look_in_place (ExoStore *store,
               Adopt *adopt,
               GCancellable *cancellable,
               gboolean *out_there,
               GError **error)
{
  struct stat st;
  ExoBlobState state = EXO_BLOB_WRONG;

  *out_there = FALSE;
  if (stat (adopt->path, &st) != 0 || !S_ISREG (st.st_mode))
    return TRUE;
  /* The size settles most of it without reading */
  if ((guint64) st.st_size == adopt->size)
    state = exo_store_check_file (store, adopt->type, adopt->id, adopt->oid, adopt->path, FALSE,
                                  cancellable, error);
  if (state == EXO_BLOB_UNKNOWN)
    return FALSE;
  *out_there = state == EXO_BLOB_GOOD;
  if (state != EXO_BLOB_WRONG)
    return TRUE;
  return exo_store_set_aside (store, adopt->type, adopt->id, adopt->oid, adopt->path, error);
}

static gboolean
copy_and_hash (ExoStore *store,
               int from,
               int to,
               Adopt *adopt,
               GCancellable *cancellable,
               gboolean *out_good,
               GError **error)
{
  g_autoptr (ExoHash) hash = exo_hash_new (exo_oid_kind (adopt->oid), adopt->size);
  g_autofree guint8 *block = g_malloc (COPY_BLOCK);
  g_autofree char *found = NULL;
  guint64 done = 0;
  gssize n;

  while ((n = pread (from, block, COPY_BLOCK, (off_t) done)) > 0)
    {
      exo_hash_update (hash, block, (gsize) n);
      if (!exo_store_write_all (to, block, (gsize) n, (goffset) done, error) ||
          exo_store_is_cancelled (store, cancellable, error))
        return FALSE;
      done += (guint64) n;
    }
  if (n < 0 || fsync (to) != 0)
    return exo_store_errno (error, errno, "copy", adopt->oid);
  found = exo_hash_finish (hash);
  *out_good = done == adopt->size && strcmp (found, adopt->oid) == 0;
  return TRUE;
}

/* For another file system. The hash is taken on the way: what was true last week may not be now. */
static gboolean
copy_blob (ExoStore *store,
           Adopt *adopt,
           const char *source,
           GCancellable *cancellable,
           gboolean *out_done,
           GError **error)
{
  g_autofree char *temp = g_strconcat (adopt->path, EXO_LAYOUT_TEMP, NULL);
  int from = open (source, O_RDONLY | O_CLOEXEC), to;
  gboolean good = FALSE, fine;

  if (from < 0)
    return TRUE;
  unlink (temp);
  to = open (temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, store->file_mode);
  if (to < 0)
    {
      fine = exo_store_errno (error, errno, "make", temp);
      close (from);
      return fine;
    }
  fine = copy_and_hash (store, from, to, adopt, cancellable, &good, error);
  close (from);
  close (to);
  if (fine && good && rename (temp, adopt->path) != 0)
    fine = exo_store_errno (error, errno, "make", adopt->path);
  if (!fine || !good)
    unlink (temp);
  *out_done = fine && good;
  return fine;
}

/* A hard link costs nothing; a copy if that cannot be. @out_done: FALSE: this source was no good */
static gboolean
take_from (ExoStore *store,
           Adopt *adopt,
           const char *source,
           GCancellable *cancellable,
           gboolean *out_done,
           GError **error)
{
  struct stat st;
  gboolean good = FALSE;

  *out_done = FALSE;
  if (stat (source, &st) != 0 || (guint64) st.st_size != adopt->size ||
      !exo_index_knows (store->index, adopt->oid, source, &st, &good) || !good)
    return TRUE;
  if (!exo_store_make_parents (adopt->path, error))
    return FALSE;
  if (linkat (AT_FDCWD, source, AT_FDCWD, adopt->path, AT_SYMLINK_FOLLOW) == 0)
    *out_done = TRUE;
  else if (!copy_blob (store, adopt, source, cancellable, out_done, error))
    return FALSE;
  if (!*out_done)
    return TRUE;
  if (stat (adopt->path, &st) == 0)
    exo_store_remember (store, adopt->type, adopt->id, adopt->oid, adopt->path, &st);
  return exo_store_sync_parent (adopt->path, error);
}

static void
adopt_work (ExoStore *store, GTask *task, gpointer task_data)
{
  Adopt *adopt = task_data;
  GCancellable *cancellable = g_task_get_cancellable (task);
  g_autoptr (GPtrArray) sources = NULL;
  GError *error = NULL;
  gboolean done = FALSE;

  if (!look_in_place (store, adopt, cancellable, &done, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  sources = exo_index_paths (store->index, adopt->oid);
  for (guint i = 0; !done && i < sources->len; i++)
    if (!take_from (store, adopt, sources->pdata[i], cancellable, &done, &error))
      {
        g_task_return_error (task, error);
        return;
      }
  g_task_return_boolean (task, done);
}

void
exo_store_adopt_async (ExoStore *store,
                       ExoRepoType type,
                       const char *id,
                       const char *oid,
                       guint64 size,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_autoptr (GTask) task =
      exo_store_task_new (cancellable, callback, user_data, exo_store_adopt_async);
  g_autofree char *relative = exo_layout_blob (type, id, oid, "");
  Adopt *adopt;

  if (relative == NULL)
    {
      g_task_return_new_error (task, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                               "not the name of a blob");
      return;
    }
  adopt = g_new0 (Adopt, 1);
  *adopt = (Adopt){ type, g_strdup (id), g_strdup (oid), size, exo_store_path (store, relative) };
  g_task_set_task_data (task, adopt, (GDestroyNotify) adopt_free);
  exo_store_start (store, store->jobs, g_steal_pointer (&task), adopt_work);
}

gboolean
exo_store_adopt_finish (ExoStore *store, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* Digests ------------------------------------------------------------------------------------- */

typedef struct
{
  int fd; /* our own */
  guint64 size;
  guint32 *pieces;
  gsize n_pieces;
} Digests;

static void
digests_free (Digests *digests)
{
  if (digests->fd >= 0)
    close (digests->fd);
  g_free (digests->pieces);
  g_free (digests);
}

static void
digests_work (ExoStore *store, GTask *task, gpointer task_data)
{
  Digests *digests = task_data;
  g_autoptr (GByteArray) all = g_byte_array_new ();
  guint32 piece_size = exo_piece_size_for (digests->size);
  GError *error = NULL;

  for (gsize i = 0; i < digests->n_pieces; i++)
    {
      guint8 digest[EXO_HASH_SHA256_BYTES];
      guint32 piece = digests->pieces[i];

      if (exo_store_is_cancelled (store, g_task_get_cancellable (task), &error) ||
          !exo_hash_digest (digests->fd, (guint64) piece * piece_size,
                            exo_piece_length (digests->size, piece), &store->stopping, digest,
                            &error))
        {
          g_task_return_error (task, error);
          return;
        }
      g_byte_array_append (all, digest, sizeof digest);
    }
  g_task_return_pointer (task, g_byte_array_free_to_bytes (g_steal_pointer (&all)),
                         (GDestroyNotify) g_bytes_unref);
}

static gboolean
are_pieces_of (guint64 size, const guint32 *pieces, gsize n_pieces)
{
  if (size > EXO_BLOB_SIZE_MAX || n_pieces > EXO_PIECES_MAX)
    return FALSE;
  for (gsize i = 0; i < n_pieces; i++)
    if (pieces[i] >= exo_pieces_in (size))
      return FALSE;
  return TRUE;
}

void
exo_store_digests_async (ExoStore *store,
                         int fd,
                         guint64 size,
                         const guint32 *pieces,
                         gsize n_pieces,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_autoptr (GTask) task =
      exo_store_task_new (cancellable, callback, user_data, exo_store_digests_async);
  Digests *digests;

  /* Peers ask for these: a piece past the end is their mistake, not ours */
  if (!are_pieces_of (size, pieces, n_pieces))
    {
      g_task_return_new_error (task, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                               "no such pieces");
      return;
    }
  digests = g_new0 (Digests, 1);
  *digests = (Digests){ fcntl (fd, F_DUPFD_CLOEXEC, 0), size,
                        g_memdup2 (pieces, n_pieces * sizeof *pieces), n_pieces };
  g_task_set_task_data (task, digests, (GDestroyNotify) digests_free);
  exo_store_start (store, store->hashers, g_steal_pointer (&task), digests_work);
}

GBytes *
exo_store_digests_finish (ExoStore *store, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* Scanning ------------------------------------------------------------------------------------ */

typedef struct
{
  ExoStore *store; /* a reference */
  void (*found) (ExoStore *store, const char *oid, gpointer user_data);
  gpointer user_data;
  char *oid; /* of a message: what was found */
} Scan;

static Scan *
scan_new (ExoStore *store,
          void (*found) (ExoStore *store, const char *oid, gpointer user_data),
          gpointer user_data,
          const char *oid)
{
  Scan *scan = g_new (Scan, 1);

  *scan = (Scan){ exo_store_ref (store), found, user_data, g_strdup (oid) };
  return scan;
}

static void
scan_free (Scan *scan)
{
  exo_store_unref (scan->store);
  g_free (scan->oid);
  g_free (scan);
}

static gboolean
on_found (gpointer data)
{
  Scan *scan = data;

  /* Not to someone who freed the store meanwhile */
  if (!g_atomic_int_get (&scan->store->stopping) && scan->found != NULL)
    scan->found (scan->store, scan->oid, scan->user_data);
  scan_free (scan);
  return G_SOURCE_REMOVE;
}

static void
scan_repo (Scan *scan, const ExoRepoFolder *folder)
{
  ExoStore *store = scan->store;
  g_autofree char *blobs = g_build_filename (folder->path, "blobs", NULL);
  g_autoptr (GPtrArray) names = exo_store_list (blobs);

  for (guint i = 0; i < names->len && !g_atomic_int_get (&store->stopping); i++)
    {
      const char *oid = names->pdata[i];
      g_autofree char *path = g_build_filename (blobs, oid, NULL);
      gboolean good;
      struct stat st;

      if (exo_oid_kind (oid) == EXO_OID_NONE || stat (path, &st) != 0 ||
          exo_index_knows (store->index, oid, path, &st, &good))
        continue;
      if (exo_store_check_file (store, folder->type, folder->id, oid, path, FALSE, NULL, NULL) ==
          EXO_BLOB_GOOD)
        exo_store_tell (store, on_found, scan_new (store, scan->found, scan->user_data, oid));
    }
}

static void
run_scan (gpointer data)
{
  Scan *scan = data;
  g_autoptr (GPtrArray) folders = exo_store_repo_folders (scan->store);

  /* The thread belongs to others afterwards. Where it cannot be had, the scan is merely not idle */
  syscall (SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
  for (guint i = 0; i < folders->len; i++)
    scan_repo (scan, folders->pdata[i]);
  syscall (SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_NONE);
  scan_free (scan);
}

void
exo_store_scan (ExoStore *store,
                void (*found) (ExoStore *store, const char *oid, gpointer user_data),
                gpointer user_data)
{
  exo_store_run (store->scanner, run_scan, scan_new (store, found, user_data, NULL));
}
