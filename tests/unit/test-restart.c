/* test-restart.c - what an engine knows of the run before, and what it leaves behind when it stops
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/engine-lab.h"
#include "tests/unit/suite.h"
#include "transfer/engine-private.h"

static ExoTransfer *
only_transfer (LabNode *node)
{
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (node->engine);

  CU_ASSERT_EQUAL_FATAL (transfers->len, 1);
  return g_ptr_array_index (transfers, 0);
}

typedef struct
{
  const char *state;
  guint n;
  guint64 size, done;
} Rows;

static void
add_row (const char *path, guint64 size, guint64 done, const char *state, gpointer user_data)
{
  Rows *rows = user_data;

  CU_ASSERT_STRING_EQUAL (state, rows->state);
  rows->n++;
  rows->size += size;
  rows->done += done;
}

static void
expect_files (ExoTransfer *transfer, const char *state, guint n, guint64 size, guint64 done)
{
  Rows rows = { .state = state };

  exo_transfer_foreach_file (transfer, add_row, &rows);
  CU_ASSERT_EQUAL (rows.n, n);
  CU_ASSERT_EQUAL (rows.size, size);
  CU_ASSERT_EQUAL (rows.done, done);
}

static void
stopped_in_the_middle_it_goes_on_from_the_disk (void)
{
  LabNode node;
  ExoTransfer *transfer;
  ExoTransferInfo info;
  guint64 done, hub;

  lab_node_open (&node, "one", NULL);
  transfer = lab_pull_half (&node);
  done = lab_bytes_done (transfer);
  lab_node_stop (&node);
  stand_in_faults (engine_lab.hub, NULL);

  lab_node_start (&node, NULL);
  transfer = only_transfer (&node);
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_EQUAL (info.id, 1);
  CU_ASSERT_EQUAL (info.bytes_done, done); /* at once: progress never falls */
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  hub = stand_in_bytes (engine_lab.hub);
  CU_ASSERT_TRUE (hub <= engine_lab.unique + engine_lab.unique / 50);
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_EQUAL (info.bytes_from_hub, engine_lab.unique); /* of both runs */
  lab_node_close (&node);
}

static gboolean
is_opened (gconstpointer transfer)
{
  return ((const ExoTransfer *) transfer)->space_checked;
}

static gboolean
has_begun (gconstpointer transfer)
{
  return lab_bytes_done ((ExoTransfer *) transfer) > engine_lab.bytes / 4;
}

/* The Hub has sent more by then than the main loop has heard of. */
static void
what_lands_while_stopping_counts (void)
{
  LabNode node;
  ExoTransfer *transfer;
  ExoTransferInfo info;
  ExoEngineTotals totals;
  guint64 sent;

  lab_node_open (&node, "one", NULL);
  transfer = lab_node_pull (&node, LAB_MODEL);
  lab_wait (has_begun, transfer);
  do
    sent = stand_in_bytes (engine_lab.hub);
  while (sent != stand_in_bytes (engine_lab.hub)); /* until it has no more to send without us */
  lab_node_stop (&node);

  stand_in_faults (engine_lab.hub, LAB_SILENT_CDN);
  lab_node_start (&node, NULL);
  transfer = only_transfer (&node);
  lab_wait (is_opened, transfer);
  exo_transfer_get_info (transfer, &info);
  exo_engine_get_totals (node.engine, &totals);
  CU_ASSERT_TRUE (info.bytes_from_hub + engine_lab.bytes - engine_lab.unique >= info.bytes_done);
  CU_ASSERT_EQUAL (totals.bytes_from_hub, info.bytes_from_hub);
  lab_node_close (&node);
}

static void
a_paused_transfer_stays_paused (void)
{
  LabNode node;
  ExoTransfer *transfer;
  guint64 done;

  lab_node_open (&node, "one", NULL);
  transfer = lab_pull_half (&node);
  CU_ASSERT_TRUE (exo_transfer_pause (transfer, NULL));
  done = lab_bytes_done (transfer);
  lab_node_stop (&node);

  lab_node_start (&node, NULL);
  lab_turn (100);
  transfer = only_transfer (&node);
  CU_ASSERT_EQUAL (lab_state (transfer), EXO_TRANSFER_PAUSED);
  CU_ASSERT_EQUAL (lab_bytes_done (transfer), done);
  expect_files (transfer, "waiting", engine_lab.n_files, engine_lab.bytes, 0);
  stand_in_faults (engine_lab.hub, NULL);
  CU_ASSERT_TRUE (exo_transfer_resume (transfer, NULL));
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  lab_node_close (&node);
}

static void
a_finished_transfer_is_remembered (void)
{
  LabNode node;
  ExoTransfer *transfer;
  ExoTransferInfo before, after;
  g_autofree char *commit = NULL;

  lab_node_open (&node, "one", NULL);
  transfer = lab_node_pull (&node, LAB_MODEL);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  exo_transfer_get_info (transfer, &before);
  commit = g_strdup (before.commit);
  lab_node_stop (&node);
  stand_in_reset (engine_lab.hub);

  lab_node_start (&node, NULL);
  transfer = only_transfer (&node);
  lab_turn (100);
  exo_transfer_get_info (transfer, &after);
  CU_ASSERT_EQUAL (after.state, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_STRING_EQUAL (after.commit, commit);
  CU_ASSERT_EQUAL (after.bytes_total, engine_lab.bytes);
  CU_ASSERT_EQUAL (after.bytes_done, engine_lab.bytes);
  CU_ASSERT_EQUAL (after.bytes_from_hub, engine_lab.unique);
  CU_ASSERT_EQUAL (after.finished_s, before.finished_s);
  CU_ASSERT_EQUAL (after.files_total, engine_lab.n_files);
  CU_ASSERT_EQUAL (after.files_done, engine_lab.n_files);
  CU_ASSERT_TRUE (after.whole);
  expect_files (transfer, "complete", engine_lab.n_files, engine_lab.bytes, engine_lab.bytes);
  CU_ASSERT_PTR_EQUAL (lab_node_pull (&node, LAB_MODEL), transfer);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_EQUAL (stand_in_bytes (engine_lab.hub), 0);
  lab_node_close (&node);
}

static void
ids_are_not_given_twice (void)
{
  LabNode node;
  ExoTransferInfo info;

  lab_node_open (&node, "one", NULL);
  lab_wait_state (lab_node_pull (&node, "org/other"), EXO_TRANSFER_FAILED);
  lab_node_stop (&node);
  lab_node_start (&node, NULL);
  exo_transfer_get_info (lab_node_pull (&node, LAB_MODEL), &info);
  CU_ASSERT_EQUAL (info.id, 2);
  lab_node_close (&node);
}

static gboolean
is_still (gconstpointer data)
{
  const LabNode *node = data;
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (node->engine);

  for (guint i = 0; i < transfers->len; i++)
    if (exo_transfer_is_active (g_ptr_array_index (transfers, i)))
      return FALSE;
  return TRUE;
}

static void
expect_kept (LabNode *node, guint n, guint first_id)
{
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (node->engine);

  CU_ASSERT_EQUAL_FATAL (transfers->len, n);
  CU_ASSERT_EQUAL (((const ExoTransfer *) g_ptr_array_index (transfers, 0))->id, first_id);
}

static void
the_oldest_that_are_over_are_forgotten (void)
{
  LabNode node;

  lab_node_open (&node, "one", NULL);
  for (guint i = 0; i < 103; i++)
    {
      g_autofree char *model = g_strdup_printf ("org/none-%u", i);

      (void) lab_node_pull (&node, model);
      lab_wait (is_still, &node);
    }
  expect_kept (&node, 101, 3); /* looked at when the last one was new, and not over */
  lab_node_stop (&node);
  lab_node_start (&node, NULL);
  expect_kept (&node, 101, 3);
  lab_node_close (&node);
}

static void
stopping_waits_for_nobody (void)
{
  LabNode node;

  lab_node_open (&node, "one", NULL);
  stand_in_faults (engine_lab.hub, LAB_SILENT_API);
  (void) lab_node_pull (&node, LAB_MODEL);
  lab_turn (20);
  lab_node_stop (&node); /* the Hub would keep silent for an hour */
  lab_node_start (&node, NULL);
  CU_ASSERT_EQUAL (lab_state (only_transfer (&node)), EXO_TRANSFER_RESOLVING);
  lab_node_close (&node);
}

static void
the_files_asked_for_are_remembered (void)
{
  LabNode node;
  ExoTransfer *transfer;
  ExoTransferInfo info;

  lab_node_open (&node, "one", NULL);
  transfer = lab_node_demand (&node, "config.json");
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  (void) exo_engine_demand (node.engine, transfer->whole, FALSE, "main", "sub dir/notes.txt", NULL);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  lab_node_stop (&node);

  lab_node_start (&node, NULL);
  transfer = only_transfer (&node);
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_EQUAL (info.state, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_EQUAL (info.files_total, 2);
  CU_ASSERT_EQUAL (info.bytes_total, 1234 + 70000);
  CU_ASSERT_FALSE (info.whole);
  expect_files (transfer, "complete", 2, 1234 + 70000, 1234 + 70000);

  /* And the rest of them. */
  for (guint i = 0; i < exo_manifest_n_files (transfer->whole); i++)
    (void) exo_engine_demand (node.engine, transfer->whole, FALSE, "main",
                              exo_manifest_file (transfer->whole, i)->path, NULL);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_EQUAL (info.files_total, engine_lab.n_files);
  CU_ASSERT_TRUE (info.whole);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  lab_node_close (&node);
}

int
main (void)
{
  CU_TestInfo tests[] = { TEST (stopped_in_the_middle_it_goes_on_from_the_disk),
                          TEST (what_lands_while_stopping_counts),
                          TEST (a_paused_transfer_stays_paused),
                          TEST (a_finished_transfer_is_remembered),
                          TEST (ids_are_not_given_twice),
                          TEST (the_oldest_that_are_over_are_forgotten),
                          TEST (stopping_waits_for_nobody),
                          TEST (the_files_asked_for_are_remembered),
                          CU_TEST_INFO_NULL };
  int result;

  engine_lab_open ();
  result = exo_suite_run ("restart", tests);
  engine_lab_close ();
  return result;
}
