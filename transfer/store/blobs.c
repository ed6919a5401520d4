/* blobs.c - complete blobs: told true from false, found in others' leavings
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "transfer/store/hash.h"
#include "transfer/store/store-private.h"

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
    return exo_store_errno (error, errno, _ ("cannot set aside %s"), path);
  exo_store_forget (store, path);
  g_warning ("%s is damaged: it has another hash than its name says. It is kept as %s", path,
             aside);
  return TRUE;
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
                               _ ("no such pieces"));
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
tell_found (const char *oid, gpointer user_data)
{
  Scan *scan = user_data;

  exo_store_tell (scan->store, on_found, scan_new (scan->store, scan->found, scan->user_data, oid));
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
        tell_found (oid, scan);
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
  exo_store_scan_roots (scan->store, tell_found, scan);
  syscall (SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_NONE);
  g_atomic_int_set (&scan->store->scanning, 0);
  scan_free (scan);
}

void
exo_store_scan (ExoStore *store,
                void (*found) (ExoStore *store, const char *oid, gpointer user_data),
                gpointer user_data)
{
  if (g_atomic_int_compare_and_exchange (&store->scanning, 0, 1))
    exo_store_run (store->scanner, run_scan, scan_new (store, found, user_data, NULL));
}
