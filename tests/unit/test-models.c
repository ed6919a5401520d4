/* test-models.c - the cache through the engine: listed, removed, verified; and what is wrong, if anything
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/engine-lab.h"
#include "tests/unit/suite.h"
#include "transfer/store/store.h"

typedef struct
{
  gboolean is_over;
  guint64 number; /* of bytes freed, or files checked */
  GPtrArray *rows;
  GError *error;
} Call;

static void
call_clear (Call *call)
{
  g_clear_pointer (&call->rows, g_ptr_array_unref);
  g_clear_error (&call->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Call, call_clear)

static gboolean
is_over (gconstpointer data)
{
  return ((const Call *) data)->is_over;
}

static void
on_removed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;

  call->is_over = TRUE;
  exo_engine_remove_finish (EXO_ENGINE (source), result, &call->number, &call->error);
}

static Call
remove_model (LabNode *node)
{
  Call call = { 0 };

  exo_engine_remove_async (node->engine, EXO_REPO_MODEL, LAB_MODEL, NULL, on_removed, &call);
  lab_wait (is_over, &call);
  return call;
}

static void
on_verified (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;
  guint n = 0;

  call->is_over = TRUE;
  call->rows = exo_engine_verify_finish (EXO_ENGINE (source), result, &n, &call->error);
  call->number = n;
}

static Call
verify (LabNode *node, const char *model, const char *revision)
{
  Call call = { 0 };

  exo_engine_verify_async (node->engine, EXO_REPO_MODEL, model, revision, on_verified, &call);
  lab_wait (is_over, &call);
  return call;
}

static void
on_listed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;

  call->is_over = TRUE;
  call->rows = exo_engine_models_finish (EXO_ENGINE (source), result, &call->error);
}

static Call
list (LabNode *node)
{
  Call call = { 0 };

  exo_engine_models_async (node->engine, on_listed, &call);
  lab_wait (is_over, &call);
  return call;
}

static void
on_diagnosed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;

  call->is_over = TRUE;
  call->rows = exo_engine_diagnose_finish (EXO_ENGINE (source), result, &call->error);
}

static Call
diagnose (LabNode *node)
{
  Call call = { 0 };

  exo_engine_diagnose_async (node->engine, on_diagnosed, &call);
  lab_wait (is_over, &call);
  return call;
}

/* --- the cache ---------------------------------------------------------------------------------- */

static void
what_is_under_way_is_not_removed (void)
{
  LabNode node;
  ExoTransfer *transfer;
  Call removal;

  lab_node_open (&node, "one", NULL);
  transfer = lab_pull_half (&node);
  removal = remove_model (&node);
  CU_ASSERT_TRUE (g_error_matches (removal.error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_BUSY));
  CU_ASSERT_PTR_NOT_NULL (strstr (removal.error->message, "exoctl cancel 1"));
  g_clear_error (&removal.error);

  /* What has stalled would stay so. */
  CU_ASSERT_TRUE (exo_transfer_pause (transfer, NULL));
  stand_in_faults (engine_lab.hub, NULL);
  CU_ASSERT_TRUE (exo_transfer_resume (transfer, NULL));
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  removal = remove_model (&node);
  CU_ASSERT_PTR_NULL (removal.error);
  CU_ASSERT_TRUE (removal.number >= engine_lab.unique);
  CU_ASSERT_FALSE (lab_node_is_whole (&node));
  CU_ASSERT_PTR_EQUAL (lab_node_pull (&node, LAB_MODEL), transfer);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  lab_node_close (&node);
}

static void
what_is_there_is_listed (void)
{
  LabNode node;
  g_auto (Call) none = { 0 }, one = { 0 };
  const ExoStoredModel *model;

  lab_node_open (&node, "one", NULL);
  none = list (&node);
  CU_ASSERT_PTR_NOT_NULL_FATAL (none.rows);
  CU_ASSERT_EQUAL (none.rows->len, 0);
  lab_wait_state (lab_node_pull (&node, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  one = list (&node);
  CU_ASSERT_PTR_NOT_NULL_FATAL (one.rows);
  CU_ASSERT_EQUAL_FATAL (one.rows->len, 1);
  model = g_ptr_array_index (one.rows, 0);
  CU_ASSERT_STRING_EQUAL (model->id, LAB_MODEL);
  CU_ASSERT_STRING_EQUAL (model->refs, "main");
  CU_ASSERT_EQUAL (model->n_files, engine_lab.n_files);
  CU_ASSERT_FALSE (model->partial);
  lab_node_close (&node);
}

/* Past its symlink, as a program would that writes to it. */
static void
damage (LabNode *node, const char *path)
{
  g_autofree char *repo = g_build_filename (node->cache, "models--org--name", NULL),
                  *ref = g_build_filename (repo, "refs", "main", NULL), *commit = NULL,
                  *file = NULL;
  FILE *blob;

  CU_ASSERT_TRUE_FATAL (g_file_get_contents (ref, &commit, NULL, NULL));
  file = g_build_filename (repo, "snapshots", commit, path, NULL);
  blob = fopen (file, "r+");
  CU_ASSERT_PTR_NOT_NULL_FATAL (blob);
  CU_ASSERT_TRUE (fputs ("damaged", blob) >= 0);
  CU_ASSERT_EQUAL (fclose (blob), 0);
}

static void
what_is_damaged_is_found_and_fetched_again (void)
{
  LabNode node;
  ExoTransfer *transfer;
  g_auto (Call) good = { 0 }, bad = { 0 };

  lab_node_open (&node, "one", NULL);
  transfer = lab_node_pull (&node, LAB_MODEL);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  good = verify (&node, LAB_MODEL, NULL); /* main */
  CU_ASSERT_PTR_NOT_NULL_FATAL (good.rows);
  CU_ASSERT_EQUAL (good.rows->len, 0);
  CU_ASSERT_EQUAL (good.number, engine_lab.n_files);
  damage (&node, "config.json");
  bad = verify (&node, LAB_MODEL, "main");
  CU_ASSERT_PTR_NOT_NULL_FATAL (bad.rows);
  CU_ASSERT_EQUAL_FATAL (bad.rows->len, 1);
  CU_ASSERT_STRING_EQUAL (g_ptr_array_index (bad.rows, 0), "config.json");
  (void) lab_node_pull (&node, LAB_MODEL);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  lab_node_close (&node);
}

static void
what_is_not_there_cannot_be_verified (void)
{
  static const struct
  {
    const char *model, *revision;
    int code;
  } rows[] = {
    { LAB_MODEL, NULL, EXO_TRANSFER_ERROR_NOT_FOUND },
    { LAB_MODEL, "v1", EXO_TRANSFER_ERROR_NOT_FOUND },
    { LAB_MODEL, "../v1", EXO_TRANSFER_ERROR_INVALID },
    { "../name", "main", EXO_TRANSFER_ERROR_INVALID },
  };
  LabNode node;

  lab_node_open (&node, "one", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (Call) call = verify (&node, rows[i].model, rows[i].revision);

      CU_ASSERT_PTR_NULL (call.rows);
      CU_ASSERT_TRUE (g_error_matches (call.error, EXO_TRANSFER_ERROR, rows[i].code));
    }
  lab_node_close (&node);
}

/* --- what is wrong ------------------------------------------------------------------------------ */

static const char *
status_of (const Call *call, const char *id)
{
  for (guint i = 0; call->rows != NULL && i < call->rows->len; i++)
    {
      const ExoFinding *finding = g_ptr_array_index (call->rows, i);
      if (strcmp (finding->id, id) == 0)
        return finding->status;
    }
  return "(missing)";
}

static void
a_lone_node_is_told_so (void)
{
  LabNode node;
  g_auto (Call) call = { 0 };

  lab_node_open (&node, "one", NULL);
  call = diagnose (&node);
  CU_ASSERT_STRING_EQUAL (status_of (&call, "hub"), "ok");
  CU_ASSERT_STRING_EQUAL (status_of (&call, "token"), "ok");
  CU_ASSERT_STRING_EQUAL (status_of (&call, "server"), "ok");
  CU_ASSERT_STRING_EQUAL (status_of (&call, "cache"), "ok");
  CU_ASSERT_STRING_EQUAL (status_of (&call, "peers"), "warn");
  lab_node_close (&node);
}

static void
who_does_not_answer_is_named (void)
{
  LabNode first, second;
  g_auto (Call) good = { 0 }, bad = { 0 };

  lab_node_open (&first, "one", NULL);
  lab_node_open (&second, "two", &first);
  lab_wait (lab_has_neighbour, &second);
  good = diagnose (&second);
  CU_ASSERT_STRING_EQUAL (status_of (&good, "peers"), "ok");
  lab_node_stop (&first);
  stand_in_down (engine_lab.hub);
  bad = diagnose (&second);
  CU_ASSERT_STRING_EQUAL (status_of (&bad, "peers"), "warn");
  CU_ASSERT_STRING_EQUAL (status_of (&bad, "hub"), "fail");
  lab_node_close (&second);
  lab_node_close (&first);
}

static void
stopping_ends_a_diagnosis (void)
{
  LabNode node;
  g_auto (Call) call = { 0 };

  lab_node_open (&node, "one", NULL);
  stand_in_faults (engine_lab.hub, LAB_SILENT_API);
  exo_engine_diagnose_async (node.engine, on_diagnosed, &call);
  lab_turn (20);
  lab_node_stop (&node);
  lab_wait (is_over, &call);
  CU_ASSERT_TRUE (g_error_matches (call.error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED));
  lab_node_close (&node);
}

int
main (void)
{
  CU_TestInfo tests[] = { TEST (what_is_under_way_is_not_removed),
                          TEST (what_is_there_is_listed),
                          TEST (what_is_damaged_is_found_and_fetched_again),
                          TEST (what_is_not_there_cannot_be_verified),
                          TEST (a_lone_node_is_told_so),
                          TEST (who_does_not_answer_is_named),
                          TEST (stopping_ends_a_diagnosis),
                          CU_TEST_INFO_NULL };
  int result;

  engine_lab_open ();
  result = exo_suite_run ("models", tests);
  engine_lab_close ();
  return result;
}
