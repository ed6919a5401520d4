/* adopt.c - a blob that is held somewhere appears where it is wanted
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
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
