/* models.c - what is in the cache, whoever put it there
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>

#include "transfer/store/store-private.h"

void
exo_stored_model_free (ExoStoredModel *model)
{
  if (model == NULL)
    return;
  g_free (model->id);
  g_free (model->commit);
  g_free (model->refs);
  g_free (model);
}

/* Refs ---------------------------------------------------------------------------------------- */

static void
add_name (GHashTable *refs, const char *commit, const char *name)
{
  const char *others = g_hash_table_lookup (refs, commit);

  g_hash_table_insert (refs, g_strdup (commit),
                       others == NULL ? g_strdup (name) : g_strconcat (others, ",", name, NULL));
}

static gboolean
read_ref (const char *path, const char *absolute, const struct stat *st, gpointer user_data)
{
  g_autofree char *text = NULL;

  /* Some tools end it with a newline; nothing longer is a ref */
  if (S_ISREG (st->st_mode) && st->st_size <= 64 &&
      g_file_get_contents (absolute, &text, NULL, NULL) && exo_is_commit (g_strstrip (text)))
    add_name (user_data, text, path);
  return TRUE;
}

/* (element-type utf8 utf8): commit to names */
static GHashTable *
read_refs (const char *repo)
{
  GHashTable *refs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autofree char *folder = g_build_filename (repo, "refs", NULL);

  exo_store_walk (folder, read_ref, refs);
  return refs;
}

/* Snapshots ----------------------------------------------------------------------------------- */

static gboolean
count_file (const char *path, const char *absolute, const struct stat *link_st, gpointer user_data)
{
  ExoStoredModel *model = user_data;
  struct stat st;

  /* Through the link; one that dangles is no file */
  if (stat (absolute, &st) != 0 || !S_ISREG (st.st_mode))
    return TRUE;
  model->bytes += (guint64) st.st_size;
  model->n_files++;
  model->modified_s = MAX (model->modified_s, (gint64) st.st_mtim.tv_sec);
  return TRUE;
}

static gboolean
lacks_files (ExoStore *store, const ExoStoredModel *model, const char *snapshot)
{
  g_autofree char *json = exo_index_manifest (store->index, model->type, model->id, model->commit);
  g_autoptr (ExoManifest) manifest = json == NULL ? NULL : exo_manifest_from_json (json, -1, NULL);

  for (guint i = 0; manifest != NULL && i < exo_manifest_n_files (manifest); i++)
    {
      g_autofree char *path =
          g_build_filename (snapshot, exo_manifest_file (manifest, i)->path, NULL);

      if (!g_file_test (path, G_FILE_TEST_IS_REGULAR))
        return TRUE;
    }
  return FALSE;
}

static void
list_repo (ExoStore *store, const ExoRepoFolder *folder, GPtrArray *models)
{
  g_autofree char *snapshots = g_build_filename (folder->path, "snapshots", NULL);
  g_autoptr (GPtrArray) commits = exo_store_list (snapshots);
  g_autoptr (GHashTable) refs = read_refs (folder->path);

  for (guint i = 0; i < commits->len; i++)
    {
      const char *commit = commits->pdata[i];
      g_autofree char *snapshot = g_build_filename (snapshots, commit, NULL);
      const char *names = g_hash_table_lookup (refs, commit);
      ExoStoredModel *model;

      if (!exo_is_commit (commit) || !g_file_test (snapshot, G_FILE_TEST_IS_DIR))
        continue;
      model = g_new0 (ExoStoredModel, 1);
      model->type = folder->type;
      model->id = g_strdup (folder->id);
      model->commit = g_strdup (commit);
      model->refs = g_strdup (names == NULL ? "" : names);
      exo_store_walk (snapshot, count_file, model);
      model->partial = lacks_files (store, model, snapshot);
      g_ptr_array_add (models, model);
    }
}

static void
models_work (ExoStore *store, GTask *task, gpointer task_data)
{
  g_autoptr (GPtrArray) folders = exo_store_repo_folders (store);
  g_autoptr (GPtrArray) models =
      g_ptr_array_new_with_free_func ((GDestroyNotify) exo_stored_model_free);
  GError *error = NULL;

  for (guint i = 0; i < folders->len; i++)
    {
      if (exo_store_is_cancelled (store, g_task_get_cancellable (task), &error))
        {
          g_task_return_error (task, error);
          return;
        }
      list_repo (store, folders->pdata[i], models);
    }
  g_task_return_pointer (task, g_steal_pointer (&models), (GDestroyNotify) g_ptr_array_unref);
}

void
exo_store_models_async (ExoStore *store,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  exo_store_start (store, store->jobs,
                   exo_store_task_new (cancellable, callback, user_data, exo_store_models_async),
                   models_work);
}

GPtrArray *
exo_store_models_finish (ExoStore *store, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
