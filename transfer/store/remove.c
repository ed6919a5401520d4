/* remove.c - a model goes, or is looked at again byte by byte
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Removing takes what `hf cache rm` takes, and our partials: snapshots, refs, then the blobs that
 * only the removed snapshots used; the whole folder if no revision is left. Symlinks are removed,
 * never followed.
 */

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "transfer/store/store-private.h"

typedef struct
{
  ExoRepoType type;
  char *id;
  char *commit; /* NULL: all */
  char *repo;   /* absolute */
  guint64 freed;
  guint n_checked;
  GError *error; /* the first */
} Work;

static void
work_free (Work *work)
{
  g_free (work->id);
  g_free (work->commit);
  g_free (work->repo);
  g_clear_error (&work->error);
  g_free (work);
}

/* NULL, and the task has its error, if these cannot name a snapshot */
static Work *
work_new (ExoStore *store, GTask *task, ExoRepoType type, const char *id, const char *commit)
{
  g_autofree char *folder = exo_layout_repo (type, id);
  Work *work;

  if (folder == NULL || (commit != NULL && !exo_is_commit (commit)))
    {
      g_task_return_new_error (task, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                               _ ("not the name of a model and a commit"));
      return NULL;
    }
  work = g_new0 (Work, 1);
  work->type = type;
  work->id = g_strdup (id);
  work->commit = g_strdup (commit);
  work->repo = exo_store_path (store, folder);
  g_task_set_task_data (task, work, (GDestroyNotify) work_free);
  return work;
}

/* A folder itself, not a link to one elsewhere. */
static gboolean
is_folder (const char *path)
{
  struct stat st;

  return lstat (path, &st) == 0 && S_ISDIR (st.st_mode);
}

/* Removing ------------------------------------------------------------------------------------ */

static gboolean
remove_file (const char *path, const char *absolute, const struct stat *st, gpointer user_data)
{
  Work *work = user_data;

  if (unlink (absolute) != 0)
    {
      if (errno != ENOENT && work->error == NULL)
        exo_store_errno (&work->error, errno, _ ("cannot remove %s"), absolute);
      return TRUE;
    }
  /* A partial file is mostly holes; a blob that is linked from elsewhere frees nothing */
  if (S_ISREG (st->st_mode) && st->st_nlink == 1)
    work->freed += g_str_has_suffix (path, EXO_LAYOUT_PART) ? (guint64) st->st_blocks * 512
                                                            : (guint64) st->st_size;
  return TRUE;
}

static void
remove_one (Work *work, const char *absolute)
{
  struct stat st;

  if (lstat (absolute, &st) == 0 && !S_ISDIR (st.st_mode))
    remove_file (absolute, absolute, &st, work);
}

/* Folders only, from the deepest; what still holds something stays. */
static void
remove_folders (const char *folder, guint depth)
{
  g_autoptr (GPtrArray) names = exo_store_list (folder);

  for (guint i = 0; depth > 0 && i < names->len; i++)
    {
      g_autofree char *path = g_build_filename (folder, names->pdata[i], NULL);

      if (is_folder (path))
        remove_folders (path, depth - 1);
    }
  rmdir (folder);
}

static void
remove_tree (Work *work, const char *folder)
{
  if (!is_folder (folder))
    return;
  exo_store_walk (folder, remove_file, work);
  remove_folders (folder, EXO_STORE_WALK_DEPTH_MAX);
}

static gboolean
collect_oid (const char *path, const char *absolute, const struct stat *st, gpointer user_data)
{
  char *oid = exo_store_linked_oid (absolute, st);

  if (oid != NULL)
    g_hash_table_add (user_data, oid);
  return TRUE;
}

static GHashTable *
oids_of (Work *work, const char *commit)
{
  GHashTable *oids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *folder = g_build_filename (work->repo, "snapshots", commit, NULL);

  exo_store_walk (folder, collect_oid, oids);
  return oids;
}

static gboolean
remove_ref (const char *path, const char *absolute, const struct stat *st, gpointer user_data)
{
  Work *work = user_data;
  g_autofree char *text = NULL;

  if (S_ISREG (st->st_mode) && st->st_size <= 64 &&
      g_file_get_contents (absolute, &text, NULL, NULL) &&
      strcmp (g_strstrip (text), work->commit) == 0)
    return remove_file (path, absolute, st, user_data);
  return TRUE;
}

static void
remove_named (Work *work, const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (work->repo, folder, name, NULL);

  remove_one (work, path);
}

static void
remove_revision (ExoStore *store, Work *work)
{
  g_autofree char *snapshots = g_build_filename (work->repo, "snapshots", NULL);
  g_autofree char *snapshot = g_build_filename (snapshots, work->commit, NULL);
  g_autofree char *refs = g_build_filename (work->repo, "refs", NULL);
  g_autofree char *absent = g_build_filename (work->repo, ".no_exist", work->commit, NULL);
  g_autofree char *tree = g_strconcat (work->commit, ".json", NULL);
  g_autoptr (GHashTable) mine = oids_of (work, work->commit);
  g_autoptr (GPtrArray) commits = NULL;
  GHashTableIter iter;
  gpointer oid;

  /* Refs first: none may name a snapshot that is gone */
  exo_store_walk (refs, remove_ref, work);
  remove_tree (work, snapshot);
  remove_tree (work, absent);
  remove_named (work, "trees", tree);
  commits = exo_store_list (snapshots);
  for (guint i = 0; i < commits->len; i++)
    {
      g_autoptr (GHashTable) others = oids_of (work, commits->pdata[i]);

      g_hash_table_iter_init (&iter, others);
      while (g_hash_table_iter_next (&iter, &oid, NULL))
        g_hash_table_remove (mine, oid);
    }
  g_hash_table_iter_init (&iter, mine);
  while (g_hash_table_iter_next (&iter, &oid, NULL))
    {
      g_autofree char *path = g_build_filename (work->repo, "blobs", oid, NULL);

      remove_named (work, "blobs", oid);
      exo_store_forget (store, path);
    }
  exo_index_forget_manifest (store->index, work->type, work->id, work->commit);
}

/* Is some process, ours included, fetching this blob? The lock is free again on return. */
static gboolean
is_locked (ExoStore *store, Work *work, const char *oid)
{
  g_autofree char *relative = exo_layout_lock (work->type, work->id, oid);
  g_autofree char *path = exo_store_path (store, relative);
  int fd = path == NULL ? -1 : open (path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  gboolean locked;

  if (fd < 0)
    return FALSE;
  locked = flock (fd, LOCK_EX | LOCK_NB) != 0;
  close (fd);
  return locked;
}

/* Our partial files: is one of them in use? */
static gboolean
partials_in_use (ExoStore *store, Work *work)
{
  g_autofree char *blobs = g_build_filename (work->repo, "blobs", NULL);
  g_autoptr (GPtrArray) names = exo_store_list (blobs);

  for (guint i = 0; i < names->len; i++)
    {
      char *suffix = g_strrstr (names->pdata[i], EXO_LAYOUT_PART);

      if (suffix == NULL)
        continue;
      *suffix = '\0';
      if (is_locked (store, work, names->pdata[i]))
        return TRUE;
    }
  return FALSE;
}

static gboolean
remove_ours (const char *path, const char *absolute, const struct stat *st, gpointer user_data)
{
  if (strstr (path, ".exo-") == NULL)
    return TRUE;
  return remove_file (path, absolute, st, user_data);
}

static void
forget_folder (ExoStore *store, Work *work)
{
  g_autofree char *blobs = g_build_filename (work->repo, "blobs", NULL);
  g_autofree char *snapshots = g_build_filename (work->repo, "snapshots", NULL);
  g_autoptr (GPtrArray) names = exo_store_list (blobs);
  g_autoptr (GPtrArray) commits = exo_store_list (snapshots);

  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *path = g_build_filename (blobs, names->pdata[i], NULL);

      exo_store_forget (store, path);
    }
  for (guint i = 0; i < commits->len; i++)
    exo_index_forget_manifest (store->index, work->type, work->id, commits->pdata[i]);
}

static gboolean
is_last_revision (Work *work)
{
  g_autofree char *snapshots = g_build_filename (work->repo, "snapshots", NULL);
  g_autoptr (GPtrArray) commits = exo_store_list (snapshots);

  return work->commit == NULL ||
         (commits->len == 1 && strcmp (commits->pdata[0], work->commit) == 0);
}

static gboolean
check_removable (ExoStore *store, Work *work, GError **error)
{
  g_autofree char *snapshot = work->commit == NULL
                                  ? g_strdup (work->repo)
                                  : g_build_filename (work->repo, "snapshots", work->commit, NULL);

  if (!is_folder (work->repo) || !is_folder (snapshot))
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NOT_FOUND,
                   _ ("%s%s%s is not in the cache"), work->id, work->commit == NULL ? "" : "@",
                   work->commit == NULL ? "" : work->commit);
      return FALSE;
    }
  if (!partials_in_use (store, work))
    return TRUE;
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_BUSY,
               _ ("%s is being downloaded: cancel that first"), work->id);
  return FALSE;
}

static void
remove_work (ExoStore *store, GTask *task, gpointer task_data)
{
  Work *work = task_data;
  g_autofree char *blobs = g_build_filename (work->repo, "blobs", NULL);
  GError *error = NULL;

  if (!check_removable (store, work, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  if (is_last_revision (work))
    {
      forget_folder (store, work);
      remove_tree (work, work->repo);
    }
  else
    {
      remove_revision (store, work);
      exo_store_walk (blobs, remove_ours, work);
    }
  if (work->error != NULL)
    g_task_return_error (task, g_steal_pointer (&work->error));
  else
    g_task_return_boolean (task, TRUE);
}

void
exo_store_remove_async (ExoStore *store,
                        ExoRepoType type,
                        const char *id,
                        const char *commit,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  g_autoptr (GTask) task =
      exo_store_task_new (cancellable, callback, user_data, exo_store_remove_async);

  if (work_new (store, task, type, id, commit) == NULL)
    return;
  exo_store_start (store, store->jobs, g_steal_pointer (&task), remove_work);
}

gboolean
exo_store_remove_finish (ExoStore *store, GAsyncResult *result, guint64 *out_freed, GError **error)
{
  if (!g_task_propagate_boolean (G_TASK (result), error))
    return FALSE;
  if (out_freed != NULL)
    *out_freed = ((Work *) g_task_get_task_data (G_TASK (result)))->freed;
  return TRUE;
}
