/* fake-engine.c - see fake-engine.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/fake-engine.h"

#include "transfer/store/store.h"

struct _ExoTransfer
{
  GObject parent_instance;

  ExoEngine *engine; /* borrowed */
  ExoTransferInfo info;
  char *model, *revision, *globs;
  GPtrArray *files; /* (element-type FakeFile) */
  gboolean untold;  /* paused or resumed: told when asked to */
};

struct _ExoNode
{
  GObject parent_instance;

  ExoNodeInfo info;
  char *id, *name;
};

struct _ExoEngine
{
  GObject parent_instance;

  ExoEngineTotals totals;
  ExoLimitsState limits;
  GPtrArray *transfers, *nodes, *models, *findings, *wrong;
  GError *next_error;
  char *last_call;
  guint n_pulls;
};

typedef struct
{
  char *path, *state;
  guint64 size, done;
} FakeFile;

G_DEFINE_FINAL_TYPE (ExoTransfer, exo_transfer, G_TYPE_OBJECT)
G_DEFINE_FINAL_TYPE (ExoNode, exo_node, G_TYPE_OBJECT)
G_DEFINE_FINAL_TYPE (ExoEngine, exo_engine, G_TYPE_OBJECT)

static void
new_signal (gpointer class, const char *name, guint n_params, GType first, GType second)
{
  g_signal_new (name, G_TYPE_FROM_CLASS (class), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, n_params, first, second);
}

/* As exo_stored_model_free() of the store, which is not linked for it. */
static void
stored_model_free (ExoStoredModel *model)
{
  g_free (model->id);
  g_free (model->commit);
  g_free (model->refs);
  g_free (model);
}

/* Transfers --------------------------------------------------------------------------------------- */

static void
fake_file_free (FakeFile *file)
{
  g_free (file->path);
  g_free (file->state);
  g_free (file);
}

static void
exo_transfer_finalize (GObject *object)
{
  ExoTransfer *self = EXO_TRANSFER (object);

  g_free (self->model);
  g_free (self->revision);
  g_free (self->globs);
  g_ptr_array_unref (self->files);
  G_OBJECT_CLASS (exo_transfer_parent_class)->finalize (object);
}

static void
exo_transfer_class_init (ExoTransferClass *class)
{
  G_OBJECT_CLASS (class)->finalize = exo_transfer_finalize;
  new_signal (class, "changed", 0, G_TYPE_NONE, G_TYPE_NONE);
}

static void
exo_transfer_init (ExoTransfer *self)
{
  self->files = g_ptr_array_new_with_free_func ((GDestroyNotify) fake_file_free);
  self->info.commit = "";
  self->info.error_code = "";
  self->info.error_message = "";
  self->info.eta_s = -1;
}

const char *
exo_transfer_state_name (ExoTransferState state)
{
  static const char *const names[] = {
    "queued", "resolving", "transferring", "verifying", "paused", "complete", "failed",
  };

  return names[state];
}

void
exo_transfer_get_info (ExoTransfer *transfer, ExoTransferInfo *out_info)
{
  *out_info = transfer->info;
}

void
exo_transfer_foreach_file (ExoTransfer *transfer,
                           void (*each) (const char *path,
                                         guint64 size,
                                         guint64 done,
                                         const char *state,
                                         gpointer user_data),
                           gpointer user_data)
{
  for (guint i = 0; i < transfer->files->len; i++)
    {
      const FakeFile *file = transfer->files->pdata[i];

      each (file->path, file->size, file->done, file->state, user_data);
    }
}

static gboolean
take_next_error (ExoEngine *engine, GError **error)
{
  if (engine->next_error == NULL)
    return FALSE;
  g_propagate_error (error, g_steal_pointer (&engine->next_error));
  return TRUE;
}

static gboolean
set_state (ExoTransfer *transfer, ExoTransferState state, GError **error)
{
  if (take_next_error (transfer->engine, error))
    return FALSE;
  if (transfer->info.state == EXO_TRANSFER_COMPLETE)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED, "%s is %s",
                   transfer->info.model, exo_transfer_state_name (transfer->info.state));
      return FALSE;
    }
  transfer->info.state = state;
  transfer->info.error_code = "";
  transfer->info.error_message = "";
  transfer->untold = TRUE;
  return TRUE;
}

gboolean
exo_transfer_pause (ExoTransfer *transfer, GError **error)
{
  return set_state (transfer, EXO_TRANSFER_PAUSED, error);
}

gboolean
exo_transfer_resume (ExoTransfer *transfer, GError **error)
{
  return set_state (transfer, EXO_TRANSFER_QUEUED, error);
}

gboolean
exo_transfer_cancel (ExoTransfer *transfer, GError **error)
{
  g_autoptr (ExoTransfer) kept = g_object_ref (transfer);

  if (take_next_error (transfer->engine, error))
    return FALSE;
  g_ptr_array_remove (transfer->engine->transfers, transfer);
  g_signal_emit_by_name (transfer->engine, "transfer-removed", kept);
  return TRUE;
}

void
exo_transfer_tell (ExoTransfer *transfer)
{
  if (transfer->untold)
    fake_transfer_changed (transfer);
  transfer->untold = FALSE;
}

ExoTransferInfo *
fake_transfer_info (ExoTransfer *transfer)
{
  return &transfer->info;
}

void
fake_transfer_changed (ExoTransfer *transfer)
{
  g_signal_emit_by_name (transfer, "changed");
}

void
fake_transfer_set_file (ExoTransfer *transfer,
                        const char *path,
                        guint64 size,
                        guint64 done,
                        const char *state)
{
  FakeFile *file = NULL;

  for (guint i = 0; i < transfer->files->len && file == NULL; i++)
    if (g_str_equal (((FakeFile *) transfer->files->pdata[i])->path, path))
      file = transfer->files->pdata[i];
  if (file == NULL)
    {
      file = g_new0 (FakeFile, 1);
      file->path = g_strdup (path);
      g_ptr_array_add (transfer->files, file);
    }
  file->size = size;
  file->done = done;
  g_free (file->state);
  file->state = g_strdup (state);
}

/* Nodes --------------------------------------------------------------------------------------------- */

static void
exo_node_finalize (GObject *object)
{
  ExoNode *self = EXO_NODE (object);

  g_free (self->id);
  g_free (self->name);
  G_OBJECT_CLASS (exo_node_parent_class)->finalize (object);
}

static void
exo_node_class_init (ExoNodeClass *class)
{
  G_OBJECT_CLASS (class)->finalize = exo_node_finalize;
  new_signal (class, "changed", 0, G_TYPE_NONE, G_TYPE_NONE);
}

static void
exo_node_init (ExoNode *self)
{
}

void
exo_node_get_info (ExoNode *node, ExoNodeInfo *out_info)
{
  *out_info = node->info;
}

ExoNodeInfo *
fake_node_info (ExoNode *node)
{
  return &node->info;
}

void
fake_node_changed (ExoNode *node)
{
  g_signal_emit_by_name (node, "changed");
}

ExoNode *
fake_engine_add_node (ExoEngine *engine, const char *id, const char *name, gboolean self)
{
  ExoNode *node = g_object_new (EXO_TYPE_NODE, NULL);

  node->id = g_strdup (id);
  node->name = g_strdup (name);
  node->info.id = node->id;
  node->info.name = node->name;
  node->info.self = self;
  node->info.state = "present";
  g_ptr_array_add (engine->nodes, node);
  g_signal_emit_by_name (engine, "node-added", node);
  return node;
}

void
fake_engine_remove_node (ExoEngine *engine, ExoNode *node)
{
  g_autoptr (ExoNode) kept = g_object_ref (node);

  g_ptr_array_remove (engine->nodes, node);
  g_signal_emit_by_name (engine, "node-removed", kept);
}

/* The engine ---------------------------------------------------------------------------------------- */

static void
exo_engine_finalize (GObject *object)
{
  ExoEngine *self = EXO_ENGINE (object);

  g_ptr_array_unref (self->transfers);
  g_ptr_array_unref (self->nodes);
  g_ptr_array_unref (self->models);
  g_ptr_array_unref (self->findings);
  g_ptr_array_unref (self->wrong);
  g_clear_error (&self->next_error);
  g_free (self->last_call);
  G_OBJECT_CLASS (exo_engine_parent_class)->finalize (object);
}

static void
exo_engine_class_init (ExoEngineClass *class)
{
  G_OBJECT_CLASS (class)->finalize = exo_engine_finalize;
  new_signal (class, "transfer-added", 1, EXO_TYPE_TRANSFER, G_TYPE_NONE);
  new_signal (class, "transfer-removed", 1, EXO_TYPE_TRANSFER, G_TYPE_NONE);
  new_signal (class, "node-added", 1, EXO_TYPE_NODE, G_TYPE_NONE);
  new_signal (class, "node-removed", 1, EXO_TYPE_NODE, G_TYPE_NONE);
  new_signal (class, "warning", 2, G_TYPE_STRING, G_TYPE_STRING);
  new_signal (class, "changed", 0, G_TYPE_NONE, G_TYPE_NONE);
}

static void
exo_engine_init (ExoEngine *self)
{
  self->transfers = g_ptr_array_new_with_free_func (g_object_unref);
  self->nodes = g_ptr_array_new_with_free_func (g_object_unref);
  self->models = g_ptr_array_new_with_free_func ((GDestroyNotify) stored_model_free);
  self->findings = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_finding_free);
  self->wrong = g_ptr_array_new_with_free_func (g_free);
  self->totals.endpoint = "https://huggingface.co";
  self->totals.local_endpoint = "";
  self->totals.hub_cache = "/nowhere/hub";
}

ExoEngine *
fake_engine_new (void)
{
  return g_object_new (EXO_TYPE_ENGINE, NULL);
}

void
fake_engine_fail_next (ExoEngine *engine, int code, const char *message)
{
  g_clear_error (&engine->next_error);
  engine->next_error = g_error_new_literal (EXO_TRANSFER_ERROR, code, message);
}

ExoEngineTotals *
fake_engine_totals (ExoEngine *engine)
{
  return &engine->totals;
}

void
fake_engine_changed (ExoEngine *engine)
{
  g_signal_emit_by_name (engine, "changed");
}

void
fake_engine_warn (ExoEngine *engine, const char *kind, const char *message)
{
  g_signal_emit_by_name (engine, "warning", kind, message);
}

GPtrArray *
fake_engine_models (ExoEngine *engine)
{
  return engine->models;
}

GPtrArray *
fake_engine_findings (ExoEngine *engine)
{
  return engine->findings;
}

GPtrArray *
fake_engine_wrong (ExoEngine *engine)
{
  return engine->wrong;
}

const char *
fake_engine_last_call (ExoEngine *engine)
{
  return engine->last_call;
}

guint16
exo_engine_port (ExoEngine *engine)
{
  return 52418;
}

void
exo_engine_get_totals (ExoEngine *engine, ExoEngineTotals *out_totals)
{
  *out_totals = engine->totals;
}

static GPtrArray *
copy_objects (GPtrArray *from)
{
  return g_ptr_array_copy (from, (GCopyFunc) (void *) g_object_ref, NULL);
}

GPtrArray *
exo_engine_transfers (ExoEngine *engine)
{
  return copy_objects (engine->transfers);
}

GPtrArray *
exo_engine_nodes (ExoEngine *engine)
{
  return copy_objects (engine->nodes);
}

static void
note_call (ExoEngine *engine, ExoRepoType type, const char *id, const char *revision)
{
  g_free (engine->last_call);
  engine->last_call = g_strdup_printf ("%s %s %s", exo_repo_type_name (type), id,
                                       revision != NULL ? revision : "(default)");
}

static char *
join_globs (const char *const *includes, const char *const *excludes)
{
  g_autofree char *in = includes != NULL ? g_strjoinv (",", (GStrv) includes) : g_strdup ("");
  g_autofree char *out = excludes != NULL ? g_strjoinv (",", (GStrv) excludes) : g_strdup ("");

  return g_strdup_printf ("+%s -%s", in, out);
}

static ExoTransfer *
find_transfer (ExoEngine *engine,
               ExoRepoType type,
               const char *id,
               const char *revision,
               const char *globs)
{
  for (guint i = 0; i < engine->transfers->len; i++)
    {
      ExoTransfer *transfer = engine->transfers->pdata[i];

      if (transfer->info.type == type && g_str_equal (transfer->model, id) &&
          g_str_equal (transfer->revision, revision) && g_str_equal (transfer->globs, globs))
        return transfer;
    }
  return NULL;
}

ExoTransfer *
exo_engine_pull (ExoEngine *engine,
                 ExoRepoType type,
                 const char *id,
                 const char *revision,
                 const char *const *includes,
                 const char *const *excludes,
                 GError **error)
{
  g_autofree char *globs = join_globs (includes, excludes);
  g_autofree char *call = NULL;
  ExoTransfer *transfer;

  if (take_next_error (engine, error))
    return NULL;
  note_call (engine, type, id, revision);
  call = g_steal_pointer (&engine->last_call);
  engine->last_call = g_strdup_printf ("%s %s", call, globs);

  if (revision == NULL)
    revision = "main";
  transfer = find_transfer (engine, type, id, revision, globs);
  if (transfer != NULL)
    return transfer;
  transfer = g_object_new (EXO_TYPE_TRANSFER, NULL);
  transfer->engine = engine;
  transfer->model = g_strdup (id);
  transfer->revision = g_strdup (revision);
  transfer->globs = g_steal_pointer (&globs);
  transfer->info.id = ++engine->n_pulls;
  transfer->info.type = type;
  transfer->info.model = transfer->model;
  transfer->info.revision = transfer->revision;
  g_ptr_array_add (engine->transfers, transfer);
  g_signal_emit_by_name (engine, "transfer-added", transfer);
  return transfer;
}

/* A task that ends in the next main loop turn: with the error that is due, or well. */
static void
start_task (ExoEngine *engine, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (engine, NULL, callback, user_data);
  GError *error = NULL;

  if (take_next_error (engine, &error))
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);
}

static GPtrArray *
finish_task (GAsyncResult *result, GPtrArray *array, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error) ? g_ptr_array_ref (array) : NULL;
}

void
exo_engine_models_async (ExoEngine *engine, GAsyncReadyCallback callback, gpointer user_data)
{
  start_task (engine, callback, user_data);
}

GPtrArray *
exo_engine_models_finish (ExoEngine *engine, GAsyncResult *result, GError **error)
{
  return finish_task (result, engine->models, error);
}

void
exo_engine_remove_async (ExoEngine *engine,
                         ExoRepoType type,
                         const char *id,
                         const char *revision,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  note_call (engine, type, id, revision);
  start_task (engine, callback, user_data);
}

gboolean
exo_engine_remove_finish (ExoEngine *engine,
                          GAsyncResult *result,
                          guint64 *out_freed,
                          GError **error)
{
  *out_freed = G_GUINT64_CONSTANT (5000000000);
  return g_task_propagate_boolean (G_TASK (result), error);
}

void
exo_engine_verify_async (ExoEngine *engine,
                         ExoRepoType type,
                         const char *id,
                         const char *revision,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  note_call (engine, type, id, revision);
  start_task (engine, callback, user_data);
}

GPtrArray *
exo_engine_verify_finish (ExoEngine *engine,
                          GAsyncResult *result,
                          guint *out_n_checked,
                          GError **error)
{
  *out_n_checked = 12;
  return finish_task (result, engine->wrong, error);
}

void
exo_engine_diagnose_async (ExoEngine *engine, GAsyncReadyCallback callback, gpointer user_data)
{
  start_task (engine, callback, user_data);
}

GPtrArray *
exo_engine_diagnose_finish (ExoEngine *engine, GAsyncResult *result, GError **error)
{
  return finish_task (result, engine->findings, error);
}

void
exo_engine_look_async (ExoEngine *engine, GAsyncReadyCallback callback, gpointer user_data)
{
  for (guint i = 0; i < engine->nodes->len; i++)
    {
      ExoNode *node = engine->nodes->pdata[i];

      if (node->info.exo_state == NULL)
        node->info.exo_state = "idle";
      fake_node_changed (node);
    }
  start_task (engine, callback, user_data);
}

void
exo_engine_look_finish (ExoEngine *engine, GAsyncResult *result)
{
  g_task_propagate_boolean (G_TASK (result), NULL);
}

void
exo_finding_free (ExoFinding *finding)
{
  g_free (finding->id);
  g_free (finding->status);
  g_free (finding->summary);
  g_free (finding->advice);
  g_free (finding);
}

/* Limits -------------------------------------------------------------------------------------------- */

ExoLimitsState *
fake_engine_limits (ExoEngine *engine)
{
  return &engine->limits;
}

void
exo_engine_get_limits (ExoEngine *engine, ExoLimitsState *out_state)
{
  *out_state = engine->limits;
}

gboolean
exo_engine_set_limits (ExoEngine *engine, const ExoLimits *limits, guint which, GError **error)
{
  if (take_next_error (engine, error))
    return FALSE;
  exo_limits_copy (&engine->limits.limits, limits, which);
  engine->limits.set |= which;
  return TRUE;
}

gboolean
exo_engine_reset_limits (ExoEngine *engine, guint which, GError **error)
{
  static const ExoLimits none = { 0 };

  if (take_next_error (engine, error))
    return FALSE;
  exo_limits_copy (&engine->limits.limits, &none, which & engine->limits.set);
  engine->limits.set &= ~which;
  return TRUE;
}
