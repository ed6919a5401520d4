/* verify.c - the files of a snapshot hashed again
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "transfer/store/store-private.h"

typedef struct
{
  ExoStore *store;
  GTask *task;
  ExoRepoType type;
  char *id;
  char *commit;
  char *repo;            /* absolute */
  ExoManifest *manifest; /* (nullable): as noted */
  GHashTable *states;    /* (element-type utf8 ExoBlobState): of oids linked, each hashed once */
  GPtrArray *wrong;      /* (element-type utf8) */
  guint n_checked;
  GError *error;
} Verify;

static void
verify_free (Verify *verify)
{
  g_free (verify->id);
  g_free (verify->commit);
  g_free (verify->repo);
  g_clear_pointer (&verify->manifest, exo_manifest_unref);
  g_clear_pointer (&verify->states, g_hash_table_unref);
  g_clear_pointer (&verify->wrong, g_ptr_array_unref);
  g_clear_error (&verify->error);
  g_free (verify);
}

/* What a file that is no link must hash to; NULL: nobody says. Borrowed */
static const char *
listed_oid (Verify *verify, const char *path)
{
  for (guint i = 0; verify->manifest != NULL && i < exo_manifest_n_files (verify->manifest); i++)
    if (strcmp (exo_manifest_file (verify->manifest, i)->path, path) == 0)
      return exo_manifest_file (verify->manifest, i)->oid;
  return NULL;
}

static ExoBlobState
check_linked (Verify *verify, const char *oid)
{
  g_autofree char *blob = g_build_filename (verify->repo, "blobs", oid, NULL);
  gpointer known;
  ExoBlobState state;

  if (g_hash_table_lookup_extended (verify->states, oid, NULL, &known))
    return GPOINTER_TO_INT (known);
  state = exo_store_check_file (verify->store, verify->type, verify->id, oid, blob, TRUE,
                                g_task_get_cancellable (verify->task), &verify->error);
  g_hash_table_insert (verify->states, g_strdup (oid), GINT_TO_POINTER (state));
  return state;
}

static gboolean
verify_file (const char *path, const char *absolute, const struct stat *st, gpointer user_data)
{
  Verify *verify = user_data;
  g_autofree char *linked = exo_store_linked_oid (absolute, st);
  const char *oid = linked != NULL ? linked : listed_oid (verify, path);
  ExoBlobState state;

  if (oid == NULL)
    return TRUE;
  state = linked != NULL
              ? check_linked (verify, oid)
              : exo_store_check_file (verify->store, verify->type, verify->id, oid, absolute, TRUE,
                                      g_task_get_cancellable (verify->task), &verify->error);
  if (state == EXO_BLOB_UNKNOWN)
    return FALSE;
  verify->n_checked++;
  if (state == EXO_BLOB_GOOD)
    return TRUE;
  g_ptr_array_add (verify->wrong, g_strdup (path));
  /* A wrong blob is moved after the walk: other links to it are still to be named */
  if (linked == NULL)
    exo_store_set_aside (verify->store, verify->type, verify->id, oid, absolute, &verify->error);
  return verify->error == NULL;
}

/* In every snapshot of the repo: a link that dangles makes all of it look corrupt. */
static gboolean
drop_link (const char *path, const char *absolute, const struct stat *st, gpointer user_data)
{
  g_autofree char *oid = exo_store_linked_oid (absolute, st);

  if (oid != NULL && strcmp (oid, user_data) == 0)
    unlink (absolute);
  return TRUE;
}

static void
drop_wrong_blobs (Verify *verify)
{
  g_autofree char *snapshots = g_build_filename (verify->repo, "snapshots", NULL);
  GHashTableIter iter;
  gpointer oid, state;

  g_hash_table_iter_init (&iter, verify->states);
  while (g_hash_table_iter_next (&iter, &oid, &state))
    {
      g_autofree char *blob = g_build_filename (verify->repo, "blobs", oid, NULL);

      if (GPOINTER_TO_INT (state) != EXO_BLOB_WRONG && GPOINTER_TO_INT (state) != EXO_BLOB_MISSING)
        continue;
      exo_store_walk (snapshots, drop_link, oid);
      if (GPOINTER_TO_INT (state) == EXO_BLOB_WRONG)
        exo_store_set_aside (verify->store, verify->type, verify->id, oid, blob,
                             verify->error == NULL ? &verify->error : NULL);
    }
}

static void
verify_work (ExoStore *store, GTask *task, gpointer task_data)
{
  Verify *verify = task_data;
  g_autofree char *snapshot = g_build_filename (verify->repo, "snapshots", verify->commit, NULL);
  g_autofree char *json =
      exo_index_manifest (store->index, verify->type, verify->id, verify->commit);

  if (!g_file_test (snapshot, G_FILE_TEST_IS_DIR))
    {
      g_task_return_new_error (task, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NOT_FOUND,
                               _ ("%s@%s is not in the cache"), verify->id, verify->commit);
      return;
    }
  verify->task = task;
  verify->manifest = json == NULL ? NULL : exo_manifest_from_json (json, -1, NULL);
  verify->states = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  verify->wrong = g_ptr_array_new_with_free_func (g_free);
  exo_store_walk (snapshot, verify_file, verify);
  drop_wrong_blobs (verify);
  if (verify->error != NULL)
    g_task_return_error (task, g_steal_pointer (&verify->error));
  else
    g_task_return_pointer (task, g_steal_pointer (&verify->wrong),
                           (GDestroyNotify) g_ptr_array_unref);
}

void
exo_store_verify_async (ExoStore *store,
                        ExoRepoType type,
                        const char *id,
                        const char *commit,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  g_autoptr (GTask) task =
      exo_store_task_new (cancellable, callback, user_data, exo_store_verify_async);
  g_autofree char *folder = exo_layout_repo (type, id);
  Verify *verify;

  if (folder == NULL || !exo_is_commit (commit))
    {
      g_task_return_new_error (task, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                               _ ("not the name of a model and a commit"));
      return;
    }
  verify = g_new0 (Verify, 1);
  verify->store = store;
  verify->type = type;
  verify->id = g_strdup (id);
  verify->commit = g_strdup (commit);
  verify->repo = exo_store_path (store, folder);
  g_task_set_task_data (task, verify, (GDestroyNotify) verify_free);
  exo_store_start (store, store->jobs, g_steal_pointer (&task), verify_work);
}

GPtrArray *
exo_store_verify_finish (ExoStore *store,
                         GAsyncResult *result,
                         guint *out_n_checked,
                         GError **error)
{
  GPtrArray *wrong = g_task_propagate_pointer (G_TASK (result), error);

  if (wrong != NULL && out_n_checked != NULL)
    *out_n_checked = ((Verify *) g_task_get_task_data (G_TASK (result)))->n_checked;
  return wrong;
}
