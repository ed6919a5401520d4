/* test-listing.c - where the list of files of a transfer comes from, and who confirms it
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/engine-lab.h"
#include "tests/unit/suite.h"
#include "transfer/engine-private.h"

#define NO_REVISION                                                                                \
  "[{\"match\":\"*\",\"class\":\"api\",\"fault\":{\"kind\":\"status\",\"status\":404,"             \
  "\"headers\":{\"X-Error-Code\":\"RevisionNotFound\"}}}]"

/* --- from a neighbour -------------------------------------------------------------------------- */

static gboolean
is_public (LabNode *node, ExoTransfer *transfer)
{
  ExoManifest *noted = exo_store_peek_manifest (node->engine->store, transfer->type,
                                                transfer->model, transfer->commit);

  CU_ASSERT_PTR_NOT_NULL_FATAL (noted);
  return exo_manifest_is_open (noted);
}

static void
expect_unverified (LabNode *node, ExoTransfer *transfer)
{
  ExoTransferInfo info;

  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (node));
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_TRUE (info.unverified_upstream); /* nobody but the neighbour said what is in it */
  CU_ASSERT_EQUAL (info.bytes_from_lan, engine_lab.unique);
  CU_ASSERT_NOT_EQUAL (transfer->confirm_source, 0);
  CU_ASSERT_FALSE (is_public (node, transfer)); /* nor does its word make anything public here */
}

static void
a_model_is_had_without_the_hub (void)
{
  LabNode first, second;

  lab_node_open (&first, "one", NULL);
  lab_wait_state (lab_node_pull (&first, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  lab_node_open (&second, "two", &first);
  lab_wait (lab_has_neighbour, &second);
  stand_in_down (engine_lab.hub);
  expect_unverified (&second, lab_node_pull (&second, LAB_MODEL));
  lab_node_close (&second);
  lab_node_close (&first);
}

static void
a_neighbour_that_comes_while_the_hub_is_asked_is_asked_then (void)
{
  LabNode first, second;
  ExoTransfer *transfer;

  lab_node_open (&first, "one", NULL);
  lab_wait_state (lab_node_pull (&first, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  lab_node_open (&second, "two", &first);
  stand_in_faults (engine_lab.hub, LAB_SILENT_API);
  transfer = lab_node_pull (&second, LAB_MODEL);
  CU_ASSERT_FALSE (lab_has_neighbour (&second));
  lab_wait (lab_has_neighbour, &second);
  stand_in_down (engine_lab.hub);
  expect_unverified (&second, transfer);
  lab_node_close (&second);
  lab_node_close (&first);
}

static gboolean
knows_that_the_hub_is_away (gconstpointer node)
{
  ExoHubState state;

  exo_hub_get_state (((const LabNode *) node)->engine->hub, &state);
  return !state.reachable;
}

/* It is asked when the agent starts and when the network changed; before a pull nobody waits for what did not answer then. */
static void
a_hub_that_is_known_to_be_away_is_not_waited_for (void)
{
  LabNode first, second;
  ExoHubState state;
  guint64 asked;

  lab_node_open (&first, "one", NULL);
  lab_wait_state (lab_node_pull (&first, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  lab_node_open (&second, "two", &first);
  lab_wait (lab_has_neighbour, &second);
  exo_engine_network_changed (second.engine); /* so that it is being asked when it goes */
  stand_in_down (engine_lab.hub);
  exo_engine_network_changed (second.engine);
  lab_wait (knows_that_the_hub_is_away, &second);
  stand_in_reset (engine_lab.hub);
  stand_in_faults (engine_lab.hub, LAB_SILENT_API);
  exo_hub_get_state (second.engine->hub, &state);
  asked = state.requests;
  expect_unverified (&second, lab_node_pull (&second, LAB_MODEL));
  exo_hub_get_state (second.engine->hub, &state);
  CU_ASSERT_EQUAL (state.requests, asked);
  lab_node_close (&second);
  lab_node_close (&first);
}

/* A node that has a model from the Hub looks it up anew, for other files, and only a neighbour answers. */
static void
what_the_hub_said_of_a_commit_stands (void)
{
  const char *const includes[] = { "*.json", NULL };
  LabNode first, second;
  ExoTransfer *transfer;

  lab_node_open (&first, "one", NULL);
  lab_wait_state (lab_node_pull (&first, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  lab_node_open (&second, "two", &first);
  lab_wait_state (lab_node_pull (&second, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  lab_wait (lab_has_neighbour, &second);
  stand_in_down (engine_lab.hub);
  transfer = exo_engine_pull (second.engine, EXO_REPO_MODEL, LAB_MODEL, NULL, includes, NULL, NULL);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_FALSE (transfer->unverified);
  CU_ASSERT_TRUE (is_public (&second, transfer)); /* and goes on being shared */
  lab_node_close (&second);
  lab_node_close (&first);
}

/* --- confirmed by the Hub ------------------------------------------------------------------------ */

/* @second has the model by the word of @first alone; the Hub is back. */
static ExoTransfer *
open_unverified (LabNode *first, LabNode *second)
{
  ExoTransfer *transfer;

  lab_node_open (first, "one", NULL);
  lab_wait_state (lab_node_pull (first, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  lab_node_open (second, "two", first);
  lab_wait (lab_has_neighbour, second);
  stand_in_down (engine_lab.hub);
  transfer = lab_node_pull (second, LAB_MODEL);
  expect_unverified (second, transfer);
  stand_in_reset (engine_lab.hub);
  return transfer;
}

static gboolean
is_confirmed (gconstpointer transfer)
{
  const ExoTransfer *one = transfer;

  return one->confirmation == NULL;
}

/* Now, instead of in some seconds. */
static void
ask_hub (ExoTransfer *transfer)
{
  exo_transfer_hub_changed (transfer, TRUE);
  lab_wait (is_confirmed, transfer);
}

static void
expect_refused (LabNode *node, ExoTransfer *transfer)
{
  ExoTransferInfo info;

  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_EQUAL (info.state, EXO_TRANSFER_FAILED);
  CU_ASSERT_STRING_EQUAL (info.error_code, "Mismatch");
  CU_ASSERT_STRING_EQUAL (info.commit, ""); /* the next pull asks anew */
  lab_turn (10);
  CU_ASSERT_TRUE (g_str_has_prefix (node->warnings->str, "upstream: "));
}

static void
the_hub_confirms_what_a_neighbour_said (void)
{
  LabNode first, second;
  ExoTransfer *transfer = open_unverified (&first, &second);

  ask_hub (transfer);
  CU_ASSERT_FALSE (transfer->unverified);
  CU_ASSERT_TRUE (is_public (&second, transfer));
  CU_ASSERT_EQUAL (lab_state (transfer), EXO_TRANSFER_COMPLETE);
  CU_ASSERT_STRING_EQUAL (second.warnings->str, "");
  lab_node_close (&second);
  lab_node_close (&first);
}

static void
a_hub_in_trouble_neither_confirms_nor_refuses (void)
{
  LabNode first, second;
  ExoTransfer *transfer = open_unverified (&first, &second);

  stand_in_down (engine_lab.hub);
  ask_hub (transfer);
  CU_ASSERT_TRUE (transfer->unverified);
  CU_ASSERT_EQUAL (lab_state (transfer), EXO_TRANSFER_COMPLETE);
  CU_ASSERT_NOT_EQUAL (transfer->confirm_source, 0); /* asked again later */
  lab_node_close (&second);
  lab_node_close (&first);
}

static void
what_is_not_confirmed_is_asked_about_after_a_restart (void)
{
  LabNode first, second;
  g_autoptr (GPtrArray) transfers = NULL;
  ExoTransfer *transfer;

  (void) open_unverified (&first, &second);
  lab_node_stop (&second);
  lab_node_start (&second, NULL);
  transfers = exo_engine_transfers (second.engine);
  CU_ASSERT_EQUAL_FATAL (transfers->len, 1);
  transfer = g_ptr_array_index (transfers, 0);
  CU_ASSERT_TRUE (transfer->unverified);
  CU_ASSERT_NOT_EQUAL (transfer->confirm_source, 0);
  ask_hub (transfer);
  CU_ASSERT_FALSE (transfer->unverified);
  lab_node_close (&second);
  lab_node_close (&first);
}

static void
a_commit_the_hub_does_not_have_is_refused (void)
{
  LabNode first, second;
  ExoTransfer *transfer = open_unverified (&first, &second);

  stand_in_faults (engine_lab.hub, NO_REVISION);
  ask_hub (transfer);
  expect_refused (&second, transfer);
  lab_node_close (&second);
  lab_node_close (&first);
}

/* A neighbour that had replaced a file would have said this. */
static ExoManifest *
with_another_oid (ExoManifest *manifest)
{
  GPtrArray *files = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_manifest_file_free);

  for (guint i = 0; i < exo_manifest_n_files (manifest); i++)
    {
      const ExoManifestFile *file = exo_manifest_file (manifest, i);
      g_autofree char *oid = g_strdup (file->oid);

      if (i == 0)
        oid[0] = oid[0] == '0' ? '1' : '0';
      g_ptr_array_add (files, exo_manifest_file_new (file->path, file->size, oid));
    }
  return exo_manifest_new (exo_manifest_type (manifest), exo_manifest_id (manifest),
                           exo_manifest_commit (manifest), TRUE, files, NULL);
}

static void
another_list_than_the_hubs_is_refused (void)
{
  LabNode first, second;
  ExoTransfer *transfer = open_unverified (&first, &second);
  ExoManifest *right = transfer->whole;

  transfer->whole = with_another_oid (right);
  exo_manifest_unref (right);
  CU_ASSERT_PTR_NOT_NULL_FATAL (transfer->whole);
  ask_hub (transfer);
  expect_refused (&second, transfer);
  lab_node_close (&second);
  lab_node_close (&first);
}

int
main (void)
{
  CU_TestInfo tests[] = { TEST (a_model_is_had_without_the_hub),
                          TEST (a_neighbour_that_comes_while_the_hub_is_asked_is_asked_then),
                          TEST (a_hub_that_is_known_to_be_away_is_not_waited_for),
                          TEST (what_the_hub_said_of_a_commit_stands),
                          TEST (the_hub_confirms_what_a_neighbour_said),
                          TEST (a_hub_in_trouble_neither_confirms_nor_refuses),
                          TEST (what_is_not_confirmed_is_asked_about_after_a_restart),
                          TEST (a_commit_the_hub_does_not_have_is_refused),
                          TEST (another_list_than_the_hubs_is_refused),
                          CU_TEST_INFO_NULL };
  int result;

  engine_lab_open ();
  result = exo_suite_run ("listing", tests);
  engine_lab_close ();
  return result;
}
