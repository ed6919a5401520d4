/* store.c - the store itself: its threads, index and small questions
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "transfer/store/store-private.h"

/* Threads ------------------------------------------------------------------------------------- */

typedef struct
{
  void (*func) (gpointer data);
  gpointer data;
} Call;

static void
run_call (gpointer data, gpointer user_data)
{
  g_autofree Call *call = data;

  call->func (call->data);
}

void
exo_store_run (GThreadPool *pool, void (*func) (gpointer data), gpointer data)
{
  Call *call = g_new (Call, 1);

  *call = (Call){ func, data };
  g_thread_pool_push (pool, call, NULL);
}

void
exo_store_tell (ExoStore *store, GSourceFunc func, gpointer data)
{
  /* Not g_main_context_invoke(), which runs it here if nobody iterates the context just now */
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, func, data, NULL);
  g_source_attach (source, store->context);
}

typedef struct
{
  ExoStore *store;
  GTask *task; /* owned */
  ExoStoreWork work;
} Job;

static void
run_job (gpointer data)
{
  g_autofree Job *job = data;
  g_autoptr (GTask) task = job->task;
  g_autoptr (GError) error = NULL;

  if (exo_store_is_cancelled (job->store, g_task_get_cancellable (task), &error))
    g_task_return_error (task, g_steal_pointer (&error));
  else
    job->work (job->store, task, g_task_get_task_data (task));
}

void
exo_store_start (ExoStore *store, GThreadPool *pool, GTask *task, ExoStoreWork work)
{
  Job *job = g_new (Job, 1);

  *job = (Job){ store, task, work };
  exo_store_run (pool, run_job, job);
}

GTask *
exo_store_task_new (GCancellable *cancellable,
                    GAsyncReadyCallback callback,
                    gpointer user_data,
                    gpointer tag)
{
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);

  g_task_set_source_tag (task, tag);
  /* Ours is EXO_TRANSFER_ERROR_CANCELLED; and what was done in spite of it counts */
  g_task_set_check_cancellable (task, FALSE);
  return task;
}

gboolean
exo_store_is_cancelled (ExoStore *store, GCancellable *cancellable, GError **error)
{
  if (!g_cancellable_is_cancelled (cancellable) && !g_atomic_int_get (&store->stopping))
    return FALSE;
  g_set_error_literal (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED, "cancelled");
  return TRUE;
}

/* The store ----------------------------------------------------------------------------------- */

/* As umask() tells, without setting it for a moment, which other threads would see. */
static guint
file_mode (void)
{
  g_autofree char *status = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/self/status", &status, NULL, NULL) ||
      (line = strstr (status, "\nUmask:")) == NULL)
    return 0644;
  return 0666u & ~(guint) g_ascii_strtoull (line + strlen ("\nUmask:"), NULL, 8);
}

static char *
boot_id (void)
{
  char *id = NULL;

  if (!g_file_get_contents ("/proc/sys/kernel/random/boot_id", &id, NULL, NULL))
    return g_strdup ("");
  return g_strstrip (id);
}

/* Both folders, and the tag that keeps the cache out of backups if the folder is new. */
static gboolean
make_folders (const char *hub, const char *state_dir, GError **error)
{
  g_autofree char *tag = g_build_filename (hub, "CACHEDIR.TAG", NULL);
  gboolean is_new = !g_file_test (hub, G_FILE_TEST_EXISTS);

  if (g_mkdir_with_parents (hub, 0777) != 0)
    return exo_store_errno (error, errno, _ ("cannot make %s"), hub);
  if (g_mkdir_with_parents (state_dir, 0700) != 0)
    return exo_store_errno (error, errno, _ ("cannot make %s"), state_dir);
  /* A cache without it works as well */
  if (is_new)
    g_file_set_contents_full (tag, EXO_LAYOUT_CACHEDIR_TAG, -1, G_FILE_SET_CONTENTS_NONE, 0644,
                              NULL);
  return TRUE;
}

static GThreadPool *
pool_new (int n_threads)
{
  return g_thread_pool_new (run_call, NULL, n_threads, FALSE, NULL);
}

ExoStore *
exo_store_new (const char *hub_cache, const char *state_dir, GError **error)
{
  ExoStore *store;
  ExoIndex *index;

  if (!make_folders (hub_cache, state_dir, error))
    return NULL;
  index = exo_index_open (state_dir, error);
  if (index == NULL)
    return NULL;
  store = g_new0 (ExoStore, 1);
  store->refs = 1;
  store->context = g_main_context_ref_thread_default ();
  store->hub = g_canonicalize_filename (hub_cache, NULL);
  store->boot_id = boot_id ();
  store->file_mode = file_mode ();
  store->index = index;
  store->cache_bytes = -1;
  store->writer = pool_new (1);
  store->syncer = pool_new (1);
  store->hashers = pool_new (2);
  store->jobs = pool_new (2);
  store->copiers = pool_new (2);
  store->scanner = pool_new (1);
  g_mutex_init (&store->adopt_mutex);
  g_cond_init (&store->adopted);
  store->adopting = g_hash_table_new (g_str_hash, g_str_equal);
  store->roots_said = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return store;
}

ExoStore *
exo_store_ref (ExoStore *store)
{
  g_atomic_int_inc (&store->refs);
  return store;
}

void
exo_store_unref (ExoStore *store)
{
  if (!g_atomic_int_dec_and_test (&store->refs))
    return;
  g_main_context_unref (store->context);
  g_free (store->hub);
  g_free (store->boot_id);
  g_strfreev (store->roots);
  g_hash_table_unref (store->roots_said);
  g_hash_table_unref (store->adopting);
  g_cond_clear (&store->adopted);
  g_mutex_clear (&store->adopt_mutex);
  g_free (store);
}

void
exo_store_free (ExoStore *store)
{
  if (store == NULL)
    return;
  g_atomic_int_set (&store->stopping, 1);
  g_thread_pool_free (store->scanner, FALSE, TRUE);
  g_thread_pool_free (store->jobs, FALSE, TRUE);
  g_thread_pool_free (store->copiers, FALSE, TRUE);
  g_thread_pool_free (store->hashers, FALSE, TRUE);
  /* The writer hands on to the syncer: in this order */
  g_thread_pool_free (store->writer, FALSE, TRUE);
  g_thread_pool_free (store->syncer, FALSE, TRUE);
  store->scanner = store->jobs = store->copiers = store->hashers = store->writer = store->syncer =
      NULL;
  exo_index_sync (store->index);
  g_clear_pointer (&store->index, exo_index_close);
  g_queue_clear_full (&store->manifests, (GDestroyNotify) exo_manifest_unref);
  exo_store_unref (store);
}

void
exo_store_set_boot_id (ExoStore *store, const char *id)
{
  g_free (store->boot_id);
  store->boot_id = g_strdup (id);
}

const char *
exo_store_hub_cache (ExoStore *store)
{
  return store->hub;
}

guint64
exo_store_free_bytes (ExoStore *store)
{
  struct statvfs vfs;

  if (statvfs (store->hub, &vfs) != 0)
    return 0;
  return (guint64) vfs.f_bavail * vfs.f_frsize;
}

guint64
exo_store_cache_bytes (ExoStore *store)
{
  if (g_atomic_int_compare_and_exchange (&store->cache_bytes_changed, 1, 0) ||
      store->cache_bytes < 0)
    store->cache_bytes = (gint64) exo_index_bytes (store->index);
  return (guint64) store->cache_bytes;
}

char *
exo_store_path (ExoStore *store, const char *relative)
{
  return relative == NULL ? NULL : g_build_filename (store->hub, relative, NULL);
}

/* Blobs --------------------------------------------------------------------------------------- */

void
exo_store_remember (ExoStore *store,
                    ExoRepoType type,
                    const char *id,
                    const char *oid,
                    const char *path,
                    const struct stat *st)
{
  exo_index_add_blob (store->index, oid, path, st, TRUE);
  exo_index_add_member (store->index, type, id, oid);
  g_atomic_int_set (&store->cache_bytes_changed, 1);
}

void
exo_store_forget (ExoStore *store, const char *path)
{
  exo_index_forget_path (store->index, path);
  g_atomic_int_set (&store->cache_bytes_changed, 1);
}

void
exo_stored_blob_clear (ExoStoredBlob *blob)
{
  g_clear_pointer (&blob->path, g_free);
}

gboolean
exo_store_find (ExoStore *store, const char *oid, ExoStoredBlob *out_blob)
{
  g_autoptr (GPtrArray) paths = NULL;

  if (exo_oid_kind (oid) == EXO_OID_NONE)
    return FALSE;
  paths = exo_index_paths (store->index, oid);
  for (guint i = 0; i < paths->len; i++)
    {
      const char *path = paths->pdata[i];
      struct stat st;
      gboolean good = FALSE;

      if (stat (path, &st) == 0 && S_ISREG (st.st_mode) &&
          exo_index_knows (store->index, oid, path, &st, &good) && good)
        {
          out_blob->path = g_strdup (path);
          out_blob->size = (guint64) st.st_size;
          out_blob->open = exo_index_blob_is_open (store->index, oid);
          return TRUE;
        }
      exo_store_forget (store, path);
    }
  return exo_store_find_in_roots (store, oid, out_blob);
}

/* Manifests and repos ------------------------------------------------------------------------- */

static gboolean
is_manifest (ExoManifest *manifest, ExoRepoType type, const char *id, const char *commit)
{
  return exo_manifest_type (manifest) == type && strcmp (exo_manifest_id (manifest), id) == 0 &&
         strcmp (exo_manifest_commit (manifest), commit) == 0;
}

static GList *
find_manifest (ExoStore *store, ExoRepoType type, const char *id, const char *commit)
{
  for (GList *l = store->manifests.head; l != NULL; l = l->next)
    if (is_manifest (l->data, type, id, commit))
      return l;
  return NULL;
}

/* Takes @manifest. */
static void
keep_manifest (ExoStore *store, ExoManifest *manifest)
{
  GList *old = find_manifest (store, exo_manifest_type (manifest), exo_manifest_id (manifest),
                              exo_manifest_commit (manifest));

  if (old != NULL)
    {
      exo_manifest_unref (old->data);
      g_queue_delete_link (&store->manifests, old);
    }
  g_queue_push_head (&store->manifests, manifest);
  if (store->manifests.length > EXO_STORE_MANIFESTS_MAX)
    exo_manifest_unref (g_queue_pop_tail (&store->manifests));
}

void
exo_store_note_manifest (ExoStore *store, ExoManifest *manifest)
{
  exo_index_note_manifest (store->index, manifest);
  keep_manifest (store, exo_manifest_ref (manifest));
}

ExoManifest *
exo_store_peek_manifest (ExoStore *store, ExoRepoType type, const char *id, const char *commit)
{
  GList *kept = find_manifest (store, type, id, commit);
  g_autofree char *json = NULL;
  ExoManifest *manifest;

  if (kept != NULL)
    return kept->data;
  json = exo_index_manifest (store->index, type, id, commit);
  manifest = json == NULL ? NULL : exo_manifest_from_json (json, -1, NULL);
  if (manifest != NULL)
    keep_manifest (store, manifest);
  return manifest;
}

char *
exo_store_read_ref (ExoStore *store, ExoRepoType type, const char *id, const char *revision)
{
  g_autofree char *relative = exo_layout_ref (type, id, revision);
  g_autofree char *path = exo_store_path (store, relative);
  char text[64] = "";
  FILE *file;
  gsize n;

  if (path == NULL || !g_file_test (path, G_FILE_TEST_IS_REGULAR) ||
      (file = g_fopen (path, "re")) == NULL)
    return NULL;
  n = fread (text, 1, sizeof text - 1, file);
  fclose (file);
  text[n] = '\0';
  g_strstrip (text);
  return exo_is_commit (text) ? g_strdup (text) : NULL;
}

GPtrArray *
exo_store_unknown_repos (ExoStore *store)
{
  GPtrArray *unknown = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) folders = exo_store_repo_folders (store);

  for (guint i = 0; i < folders->len; i++)
    {
      ExoRepoFolder *folder = folders->pdata[i];

      if (exo_index_repo_open (store->index, folder->type, folder->id) >= 0)
        continue;
      g_ptr_array_add (unknown, g_strdup (exo_repo_type_name (folder->type)));
      g_ptr_array_add (unknown, g_strdup (folder->id));
    }
  return unknown;
}

void
exo_store_set_repo_open (ExoStore *store, ExoRepoType type, const char *id, gboolean open)
{
  exo_index_set_repo_open (store->index, type, id, open);
}

/* Transfers and counters ---------------------------------------------------------------------- */

static void
sync_index (gpointer data)
{
  ExoStore *store = data;

  g_atomic_int_set (&store->index_sync_queued, 0);
  exo_index_sync (store->index);
}

/* What cannot be found out again goes to the disk soon, not on this thread. */
static void
sync_index_soon (ExoStore *store)
{
  if (g_atomic_int_compare_and_exchange (&store->index_sync_queued, 0, 1))
    exo_store_run (store->syncer, sync_index, store);
}

void
exo_store_save_transfer (ExoStore *store, guint id, const char *json)
{
  exo_index_save_transfer (store->index, id, json);
  sync_index_soon (store);
}

void
exo_store_forget_transfer (ExoStore *store, guint id)
{
  exo_index_forget_transfer (store->index, id);
  sync_index_soon (store);
}

GPtrArray *
exo_store_load_transfers (ExoStore *store)
{
  return exo_index_transfers (store->index);
}

guint64
exo_store_get_counter (ExoStore *store, const char *name)
{
  return exo_index_counter (store->index, name);
}

void
exo_store_set_counter (ExoStore *store, const char *name, guint64 value)
{
  exo_index_set_counter (store->index, name, value);
}
