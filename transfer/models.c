/* models.c - what is in the cache: listed, removed, verified
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>

#include "transfer/engine-private.h"
#include "transfer/oid.h"

static void
on_models (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  ExoEngine *engine = g_task_get_source_object (task);
  GError *error = NULL;
  GPtrArray *models = exo_store_models_finish (engine->store, result, &error);

  if (models != NULL)
    g_task_return_pointer (task, models, (GDestroyNotify) g_ptr_array_unref);
  else
    g_task_return_error (task, error);
}

void
exo_engine_models_async (ExoEngine *engine, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (engine, NULL, callback, user_data);

  g_task_set_source_tag (task, exo_engine_models_async);
  exo_engine_scan_again (engine);
  exo_store_models_async (engine->store, NULL, on_models, g_steal_pointer (&task));
}

GPtrArray *
exo_engine_models_finish (ExoEngine *engine, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* A name becomes the commit its ref file holds; NULL stays NULL. */
static gboolean
commit_of (ExoEngine *engine,
           ExoRepoType type,
           const char *id,
           const char *revision,
           char **out_commit,
           GError **error)
{
  *out_commit = NULL;
  if (!exo_repo_id_check (id, error) || (revision != NULL && !exo_revision_check (revision, error)))
    return FALSE;
  if (revision == NULL || exo_is_commit (revision))
    {
      *out_commit = g_strdup (revision);
      return TRUE;
    }
  *out_commit = exo_store_read_ref (engine->store, type, id, revision);
  if (*out_commit != NULL)
    return TRUE;
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NOT_FOUND,
               _ ("%s has no revision %s in the cache; see exoctl models."), id, revision);
  return FALSE;
}

static gboolean
is_moving (ExoEngine *engine, ExoRepoType type, const char *id, GError **error)
{
  for (guint i = 0; i < engine->transfers->len; i++)
    {
      ExoTransfer *transfer = g_ptr_array_index (engine->transfers, i);

      if (!exo_transfer_is_of (transfer, type, id) || !exo_transfer_is_active (transfer))
        continue;
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_BUSY,
                   _ ("Transfer %u of %s is under way; cancel it first (exoctl cancel %u)."),
                   transfer->id, id, transfer->id);
      return TRUE;
    }
  return FALSE;
}

/* A task about a model that rests. NULL: it is over, as the model is not known or moves.
 * @revision: (nullable): then @out_commit is NULL, too */
static GTask *
begin (ExoEngine *engine,
       gpointer tag,
       ExoRepoType type,
       const char *id,
       const char *revision,
       char **out_commit,
       GAsyncReadyCallback callback,
       gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (engine, NULL, callback, user_data);
  GError *error = NULL;

  g_task_set_source_tag (task, tag);
  if (commit_of (engine, type, id, revision, out_commit, &error) &&
      !is_moving (engine, type, id, &error))
    return g_steal_pointer (&task);
  g_task_return_error (task, error);
  return NULL;
}

static void
on_removed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  ExoEngine *engine = g_task_get_source_object (task);
  GError *error = NULL;
  guint64 freed;

  if (!exo_store_remove_finish (engine->store, result, &freed, &error))
    g_task_return_error (task, error);
  else
    g_task_return_pointer (task, g_memdup2 (&freed, sizeof freed), g_free);
  exo_engine_changed_soon (engine);
}

/* What is removed is neither served nor parked any more. */
static void
forget_shares (ExoEngine *engine, ExoRepoType type, const char *id)
{
  for (guint i = 0; i < engine->transfers->len; i++)
    {
      ExoTransfer *transfer = g_ptr_array_index (engine->transfers, i);

      if (!exo_transfer_is_of (transfer, type, id) || transfer->manifest == NULL)
        continue;
      for (guint f = 0; f < exo_manifest_n_files (transfer->manifest); f++)
        exo_swarm_forget (engine->swarm, exo_manifest_file (transfer->manifest, f)->oid);
    }
}

void
exo_engine_remove_async (ExoEngine *engine,
                         ExoRepoType type,
                         const char *id,
                         const char *revision,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_autofree char *commit = NULL;
  GTask *task =
      begin (engine, exo_engine_remove_async, type, id, revision, &commit, callback, user_data);

  if (task == NULL)
    return;
  forget_shares (engine, type, id);
  exo_store_remove_async (engine->store, type, id, commit, NULL, on_removed, task);
}

gboolean
exo_engine_remove_finish (ExoEngine *engine,
                          GAsyncResult *result,
                          guint64 *out_freed,
                          GError **error)
{
  g_autofree guint64 *freed = g_task_propagate_pointer (G_TASK (result), error);

  if (freed == NULL)
    return FALSE;
  *out_freed = *freed;
  return TRUE;
}

typedef struct
{
  GPtrArray *wrong;
  guint n_checked;
} Verified;

static void
verified_free (Verified *verified)
{
  g_clear_pointer (&verified->wrong, g_ptr_array_unref);
  g_free (verified);
}

static void
on_verified (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  ExoEngine *engine = g_task_get_source_object (task);
  Verified *verified = g_new0 (Verified, 1);
  GError *error = NULL;

  verified->wrong = exo_store_verify_finish (engine->store, result, &verified->n_checked, &error);
  if (verified->wrong != NULL)
    {
      g_task_return_pointer (task, verified, (GDestroyNotify) verified_free);
      return;
    }
  verified_free (verified);
  g_task_return_error (task, error);
}

void
exo_engine_verify_async (ExoEngine *engine,
                         ExoRepoType type,
                         const char *id,
                         const char *revision,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_autofree char *commit = NULL;
  GTask *task = begin (engine, exo_engine_verify_async, type, id,
                       revision != NULL ? revision : "main", &commit, callback, user_data);

  if (task != NULL)
    exo_store_verify_async (engine->store, type, id, commit, NULL, on_verified, task);
}

GPtrArray *
exo_engine_verify_finish (ExoEngine *engine,
                          GAsyncResult *result,
                          guint *out_n_checked,
                          GError **error)
{
  Verified *verified = g_task_propagate_pointer (G_TASK (result), error);
  GPtrArray *wrong;

  if (verified == NULL)
    return NULL;
  wrong = g_steal_pointer (&verified->wrong);
  *out_n_checked = verified->n_checked;
  verified_free (verified);
  return wrong;
}
