/* adopt.c - a blob that is held somewhere appears where it is wanted
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "transfer/store/hash.h"
#include "transfer/store/store-private.h"

#define COPY_BLOCK (1u << 20)

typedef struct
{
  ExoRepoType type;
  char *id;
  char *oid;
  guint64 size;
  char *name; /* (nullable): in the repo */
  char *path; /* absolute, of the blob wanted */
} Adopt;

static void
adopt_free (Adopt *adopt)
{
  g_free (adopt->id);
  g_free (adopt->oid);
  g_free (adopt->name);
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

  /* Said before the disk is full rather than when it is */
  if (exo_store_free_bytes (store) < adopt->size)
    return exo_store_errno (error, ENOSPC, _ ("cannot copy %s"), adopt->oid);
  while ((n = pread (from, block, COPY_BLOCK, (off_t) done)) > 0)
    {
      exo_hash_update (hash, block, (gsize) n);
      if (!exo_store_write_all (to, block, (gsize) n, (goffset) done, error) ||
          exo_store_is_cancelled (store, cancellable, error))
        return FALSE;
      done += (guint64) n;
    }
  found = exo_hash_finish (hash);
  /* What cannot be read to its end is no source, but somebody else may have it */
  *out_good = n == 0 && done == adopt->size && strcmp (found, adopt->oid) == 0;
  return TRUE;
}

/* The clone is hashed, not what it was made of: that may change at any time. */
static gboolean
hash_clone (ExoStore *store,
            int to,
            Adopt *adopt,
            GCancellable *cancellable,
            gboolean *out_good,
            GError **error)
{
  g_autofree char *found = NULL;
  struct stat st;

  *out_good = FALSE;
  if (fstat (to, &st) != 0 || (guint64) st.st_size != adopt->size)
    return TRUE;
  found = exo_hash_fd (exo_oid_kind (adopt->oid), to, adopt->size, &store->stopping, cancellable,
                       error);
  *out_good = g_strcmp0 (found, adopt->oid) == 0;
  return found != NULL;
}

/* The hash is taken again: what was true last week may not be now. @out_done: FALSE: it was not */
static gboolean
copy_blob (ExoStore *store,
           Adopt *adopt,
           int from,
           GCancellable *cancellable,
           gboolean *out_done,
           GError **error)
{
  g_autofree char *temp = g_strconcat (adopt->path, EXO_LAYOUT_TEMP, NULL);
  gboolean good = FALSE, fine;
  int to;

  unlink (temp);
  to = open (temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, store->file_mode);
  if (to < 0)
    return exo_store_errno (error, errno, _ ("cannot make %s"), temp);
  /* Where the file system can share blocks, a model is there twice and costs its room once */
  fine = ioctl (to, FICLONE, from) == 0
             ? hash_clone (store, to, adopt, cancellable, &good, error)
             : copy_and_hash (store, from, to, adopt, cancellable, &good, error);
  if (fine && good && fsync (to) != 0)
    fine = exo_store_errno (error, errno, _ ("cannot sync %s"), temp);
  close (to);
  if (fine && good && rename (temp, adopt->path) != 0)
    fine = exo_store_errno (error, errno, _ ("cannot make %s"), adopt->path);
  if (!fine || !good)
    unlink (temp);
  *out_done = fine && good;
  return fine;
}

static gboolean
remember_copy (ExoStore *store, Adopt *adopt, GError **error)
{
  struct stat st;

  if (stat (adopt->path, &st) == 0)
    exo_store_remember (store, adopt->type, adopt->id, adopt->oid, adopt->path, &st);
  return exo_store_sync_parent (adopt->path, error);
}

/* A hard link costs nothing; a copy if that cannot be. @out_done: FALSE: this source was no good */
static gboolean
take_blob (ExoStore *store,
           Adopt *adopt,
           const char *source,
           GCancellable *cancellable,
           gboolean *out_done,
           GError **error)
{
  struct stat st;
  gboolean good = FALSE, fine;
  int from;

  *out_done = FALSE;
  if (stat (source, &st) != 0 || (guint64) st.st_size != adopt->size ||
      !exo_index_knows (store->index, adopt->oid, source, &st, &good) || !good)
    return TRUE;
  if (!exo_store_make_parents (adopt->path, error))
    return FALSE;
  if (linkat (AT_FDCWD, source, AT_FDCWD, adopt->path, AT_SYMLINK_FOLLOW) == 0)
    *out_done = TRUE;
  else
    {
      from = open (source, O_RDONLY | O_CLOEXEC);
      if (from < 0)
        return TRUE;
      fine = copy_blob (store, adopt, from, cancellable, out_done, error);
      close (from);
      if (!fine)
        return FALSE;
    }
  return *out_done ? remember_copy (store, adopt, error) : TRUE;
}

/* Never a hard link: it would be one file under two tools. Who then writes to the one in place, as
 * rsync --inplace or an editor does, breaks the other, which we would go on calling verified; and a
 * mode or owner set there is set here. Room is cheaper than that, and a clone costs none. */
static gboolean
copy_root_file (ExoStore *store,
                Adopt *adopt,
                const char *source,
                GCancellable *cancellable,
                gboolean *out_done,
                GError **error)
{
  struct stat st;
  gboolean fine;
  int from = open (source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

  *out_done = FALSE;
  if (from < 0)
    return TRUE;
  if (fstat (from, &st) != 0 || !S_ISREG (st.st_mode) || (guint64) st.st_size != adopt->size ||
      !exo_index_root_knows (store->index, adopt->oid, &st))
    {
      close (from);
      return TRUE;
    }
  fine = exo_store_make_parents (adopt->path, error) &&
         copy_blob (store, adopt, from, cancellable, out_done, error);
  close (from);
  if (!fine)
    return FALSE;
  if (*out_done)
    return remember_copy (store, adopt, error);
  exo_index_forget_root_path (store->index, source);
  g_warning ("%s has other bytes than when it was hashed; it is not used", source);
  return TRUE;
}

typedef gboolean (*TakeFrom) (ExoStore *store,
                              Adopt *adopt,
                              const char *source,
                              GCancellable *cancellable,
                              gboolean *out_done,
                              GError **error);

static gboolean
take_from_any (ExoStore *store,
               Adopt *adopt,
               GPtrArray *sources,
               TakeFrom take_from,
               GCancellable *cancellable,
               gboolean *out_done,
               GError **error)
{
  for (guint i = 0; !*out_done && i < sources->len; i++)
    if (!take_from (store, adopt, sources->pdata[i], cancellable, out_done, error))
      return FALSE;
  return TRUE;
}

static gboolean
take_from_cache (ExoStore *store,
                 Adopt *adopt,
                 GCancellable *cancellable,
                 gboolean *out_done,
                 GError **error)
{
  g_autoptr (GPtrArray) sources = exo_index_paths (store->index, adopt->oid);

  return take_from_any (store, adopt, sources, take_blob, cancellable, out_done, error);
}

static gboolean
take_from_roots (ExoStore *store,
                 Adopt *adopt,
                 GCancellable *cancellable,
                 gboolean *out_done,
                 GError **error)
{
  g_autoptr (GPtrArray) sources = NULL;

  if (adopt->type == EXO_REPO_MODEL && adopt->name != NULL)
    exo_store_hash_in_roots (store, adopt->id, adopt->name, adopt->size, cancellable);
  sources = exo_index_root_paths (store->index, adopt->oid);
  return take_from_any (store, adopt, sources, copy_root_file, cancellable, out_done, error);
}

/* One at a time for each blob: two would write to one temporary file. Who comes second waits, and finds it there. */
static void
begin (ExoStore *store, const Adopt *adopt)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&store->adopt_mutex);

  while (g_hash_table_contains (store->adopting, adopt->path))
    g_cond_wait (&store->adopted, &store->adopt_mutex);
  g_hash_table_add (store->adopting, adopt->path);
}

static void
end (ExoStore *store, const Adopt *adopt)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&store->adopt_mutex);

  g_hash_table_remove (store->adopting, adopt->path);
  g_cond_broadcast (&store->adopted);
}

static void
adopt_work (ExoStore *store, GTask *task, gpointer task_data)
{
  Adopt *adopt = task_data;
  GCancellable *cancellable = g_task_get_cancellable (task);
  GError *error = NULL;
  gboolean done = FALSE, fine;

  begin (store, adopt);
  fine = look_in_place (store, adopt, cancellable, &done, &error) &&
         (done || take_from_cache (store, adopt, cancellable, &done, &error)) &&
         (done || take_from_roots (store, adopt, cancellable, &done, &error));
  end (store, adopt);
  if (!fine)
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, done);
}

void
exo_store_adopt_async (ExoStore *store,
                       ExoRepoType type,
                       const char *id,
                       const char *oid,
                       guint64 size,
                       const char *path,
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
                               _ ("not the name of a blob"));
      return;
    }
  adopt = g_new0 (Adopt, 1);
  *adopt = (Adopt){ type, g_strdup (id),   g_strdup (oid),
                    size, g_strdup (path), exo_store_path (store, relative) };
  g_task_set_task_data (task, adopt, (GDestroyNotify) adopt_free);
  exo_store_start (store, store->copiers, g_steal_pointer (&task), adopt_work);
}

gboolean
exo_store_adopt_finish (ExoStore *store, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
