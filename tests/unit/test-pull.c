/* test-pull.c - what Pull does, by what there is of the model already
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/engine-lab.h"
#include "tests/unit/suite.h"

#define MOVING "org/moving" /* its main is moved on by a test */

/* --- again and again ---------------------------------------------------------------------------- */

static void
a_second_pull_is_the_same_transfer (void)
{
  const char *const one[] = { "a*", "b*", NULL }, *const other[] = { "b*", "a*", NULL };
  LabNode node;
  ExoTransfer *first, *chosen, *rest;

  lab_node_open (&node, "one", NULL);
  stand_in_faults (engine_lab.hub, LAB_SILENT_API);
  first = lab_node_pull (&node, LAB_MODEL);
  CU_ASSERT_PTR_EQUAL (lab_node_pull (&node, LAB_MODEL), first);
  CU_ASSERT_PTR_EQUAL (
      exo_engine_pull (node.engine, EXO_REPO_MODEL, LAB_MODEL, "main", NULL, NULL, NULL), first);
  CU_ASSERT_PTR_NOT_EQUAL (
      exo_engine_pull (node.engine, EXO_REPO_MODEL, LAB_MODEL, "v1", NULL, NULL, NULL), first);
  CU_ASSERT_PTR_NOT_EQUAL (
      exo_engine_pull (node.engine, EXO_REPO_DATASET, LAB_MODEL, NULL, NULL, NULL, NULL), first);
  chosen = exo_engine_pull (node.engine, EXO_REPO_MODEL, LAB_MODEL, NULL, one, NULL, NULL);
  CU_ASSERT_PTR_NOT_EQUAL (chosen, first);
  CU_ASSERT_PTR_EQUAL (
      exo_engine_pull (node.engine, EXO_REPO_MODEL, LAB_MODEL, NULL, other, NULL, NULL), chosen);
  rest = exo_engine_pull (node.engine, EXO_REPO_MODEL, LAB_MODEL, NULL, NULL, other, NULL);
  CU_ASSERT_PTR_NOT_EQUAL (rest, chosen);
  CU_ASSERT_TRUE (exo_transfer_cancel (rest, NULL)); /* or it publishes the same commit, too */

  /* One that rests is set going again. */
  CU_ASSERT_TRUE (exo_transfer_pause (first, NULL));
  stand_in_faults (engine_lab.hub, NULL);
  CU_ASSERT_PTR_EQUAL (lab_node_pull (&node, LAB_MODEL), first);
  lab_wait_state (first, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));

  /* And one that is complete looks whether it still is, for nothing. */
  stand_in_reset (engine_lab.hub);
  CU_ASSERT_PTR_EQUAL (lab_node_pull (&node, LAB_MODEL), first);
  CU_ASSERT_EQUAL (lab_state (first), EXO_TRANSFER_RESOLVING);
  lab_wait_state (first, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_EQUAL (stand_in_bytes (engine_lab.hub), 0);
  lab_node_close (&node);
}

static void
names_and_globs_are_checked (void)
{
  const char *const bad_globs[] = { "ok", "", NULL }, *const good[] = { "ok", NULL };
  const struct
  {
    const char *id, *revision;
    const char *const *includes, *const *excludes;
  } rows[] = {
    { "", NULL, NULL, NULL },
    { "a/b/c", NULL, NULL, NULL },
    { "../b", NULL, NULL, NULL },
    { "a/../b", NULL, NULL, NULL },
    { "a b/c", NULL, NULL, NULL },
    { "/b", NULL, NULL, NULL },
    { "a/", NULL, NULL, NULL },
    { LAB_MODEL, "", NULL, NULL },
    { LAB_MODEL, "../x", NULL, NULL },
    { LAB_MODEL, "a\nb", NULL, NULL },
    { LAB_MODEL, "/etc", NULL, NULL },
    { LAB_MODEL, NULL, bad_globs, NULL },
    { LAB_MODEL, NULL, good, bad_globs },
  };
  LabNode node;
  g_autoptr (GPtrArray) transfers = NULL;

  lab_node_open (&node, "one", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      CU_ASSERT_PTR_NULL (exo_engine_pull (node.engine, EXO_REPO_MODEL, rows[i].id,
                                           rows[i].revision, rows[i].includes, rows[i].excludes,
                                           &error));
      CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID));
    }
  transfers = exo_engine_transfers (node.engine);
  CU_ASSERT_EQUAL (transfers->len, 0);
  lab_node_close (&node);
}

static void
what_the_hub_does_not_have_fails_for_good (void)
{
  LabNode node;
  ExoTransfer *transfer;
  ExoTransferInfo info;

  lab_node_open (&node, "one", NULL);
  transfer = lab_node_pull (&node, "org/other");
  lab_wait_state (transfer, EXO_TRANSFER_FAILED);
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_STRING_EQUAL (info.error_code, "NotFound");
  CU_ASSERT_EQUAL (info.bytes_total, 0);
  lab_node_close (&node);
}

/* --- by state ------------------------------------------------------------------------------------ */

static char *
commit_of (ExoTransfer *transfer)
{
  ExoTransferInfo info;

  exo_transfer_get_info (transfer, &info);
  return g_strdup (info.commit);
}

/* What a program finds that opens the file of main. */
static char *
read_main (LabNode *node, const char *path)
{
  g_autofree char *repo = g_build_filename (node->cache, "models--org--moving", NULL),
                  *ref = g_build_filename (repo, "refs", "main", NULL), *commit = NULL,
                  *file = NULL;
  char *text = NULL;

  if (g_file_get_contents (ref, &commit, NULL, NULL))
    file = g_build_filename (repo, "snapshots", commit, path, NULL);
  if (file == NULL || !g_file_get_contents (file, &text, NULL, NULL))
    return g_strdup ("");
  return text;
}

static void
a_failed_one_is_tried_again (void)
{
  LabNode node;
  ExoTransfer *transfer;
  ExoTransferInfo info;

  lab_node_open (&node, "one", NULL);
  stand_in_down (engine_lab.hub);
  transfer = lab_node_pull (&node, LAB_MODEL);
  lab_wait_state (transfer, EXO_TRANSFER_FAILED);
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_STRING_EQUAL (info.error_code, "Unreachable");
  stand_in_reset (engine_lab.hub);
  CU_ASSERT_PTR_EQUAL (lab_node_pull (&node, LAB_MODEL), transfer);
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_EQUAL (info.state, EXO_TRANSFER_RESOLVING);
  CU_ASSERT_STRING_EQUAL (info.error_code, "");
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  lab_node_close (&node);
}

static void
a_paused_one_goes_on (void)
{
  LabNode node;
  ExoTransfer *transfer;

  lab_node_open (&node, "one", NULL);
  transfer = lab_pull_half (&node);
  CU_ASSERT_TRUE (exo_transfer_pause (transfer, NULL));
  stand_in_faults (engine_lab.hub, NULL);
  CU_ASSERT_PTR_EQUAL (lab_node_pull (&node, LAB_MODEL), transfer);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  CU_ASSERT_TRUE (stand_in_bytes (engine_lab.hub) <= engine_lab.unique + engine_lab.unique / 50);
  lab_node_close (&node);
}

static void
a_cancelled_one_begins_anew_from_what_is_on_disk (void)
{
  LabNode node;
  ExoTransfer *transfer;
  ExoTransferInfo info;
  guint64 before;

  lab_node_open (&node, "one", NULL);
  transfer = lab_pull_half (&node);
  before = stand_in_bytes (engine_lab.hub);
  CU_ASSERT_TRUE (exo_transfer_cancel (transfer, NULL));
  stand_in_faults (engine_lab.hub, NULL);
  transfer = lab_node_pull (&node, LAB_MODEL);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_EQUAL (info.id, 2);
  CU_ASSERT_TRUE (before > 0);
  CU_ASSERT_TRUE (info.bytes_from_hub <= engine_lab.unique - before);
  lab_node_close (&node);
}

static void
a_complete_one_takes_up_a_new_commit (void)
{
  LabNode node;
  ExoTransfer *transfer;
  ExoTransferInfo info;
  g_autofree char *first = NULL, *second = NULL, *text = NULL;

  engine_lab_put (MOVING, "same.txt", "as it was");
  engine_lab_put (MOVING, "config.json", "{\"v\":1}");
  lab_node_open (&node, "one", NULL);
  transfer = lab_node_pull (&node, MOVING);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  first = commit_of (transfer);

  engine_lab_put (MOVING, "config.json", "{\"v\":22}");
  stand_in_reset (engine_lab.hub);
  CU_ASSERT_PTR_EQUAL (lab_node_pull (&node, MOVING), transfer);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  second = commit_of (transfer);
  text = read_main (&node, "config.json");
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_STRING_NOT_EQUAL (second, first);
  CU_ASSERT_STRING_EQUAL (text, "{\"v\":22}");
  CU_ASSERT_EQUAL (info.bytes_from_hub, strlen ("{\"v\":22}")); /* of this pull */
  CU_ASSERT_EQUAL (stand_in_bytes (engine_lab.hub), info.bytes_from_hub);
  lab_node_close (&node);
}

static void
a_complete_one_stays_so_while_the_hub_is_away (void)
{
  LabNode node;
  ExoTransfer *transfer;
  ExoTransferInfo info;
  g_autofree char *first = NULL;

  lab_node_open (&node, "one", NULL);
  transfer = lab_node_pull (&node, LAB_MODEL);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  first = commit_of (transfer);
  stand_in_down (engine_lab.hub);
  CU_ASSERT_PTR_EQUAL (lab_node_pull (&node, LAB_MODEL), transfer);
  CU_ASSERT_EQUAL (lab_state (transfer), EXO_TRANSFER_RESOLVING);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_STRING_EQUAL (info.commit, first);
  CU_ASSERT_FALSE (info.unverified_upstream);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  lab_node_close (&node);
}

static void
a_neighbour_does_not_take_a_complete_one_back (void)
{
  LabNode old, node;
  ExoTransfer *transfer;
  g_autofree char *text = NULL;

  engine_lab_put (MOVING, "config.json", "older");
  lab_node_open (&old, "old", NULL);
  lab_wait_state (lab_node_pull (&old, MOVING), EXO_TRANSFER_COMPLETE);
  engine_lab_put (MOVING, "config.json", "newer");
  lab_node_open (&node, "one", &old);
  transfer = lab_node_pull (&node, MOVING);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  lab_wait (lab_has_neighbour, &node);
  stand_in_down (engine_lab.hub);
  (void) lab_node_pull (&node, MOVING);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  text = read_main (&node, "config.json");
  CU_ASSERT_STRING_EQUAL (text, "newer");
  lab_node_close (&node);
  lab_node_close (&old);
}

int
main (void)
{
  CU_TestInfo tests[] = { TEST (a_second_pull_is_the_same_transfer),
                          TEST (names_and_globs_are_checked),
                          TEST (what_the_hub_does_not_have_fails_for_good),
                          TEST (a_failed_one_is_tried_again),
                          TEST (a_paused_one_goes_on),
                          TEST (a_cancelled_one_begins_anew_from_what_is_on_disk),
                          TEST (a_complete_one_takes_up_a_new_commit),
                          TEST (a_complete_one_stays_so_while_the_hub_is_away),
                          TEST (a_neighbour_does_not_take_a_complete_one_back),
                          CU_TEST_INFO_NULL };
  int result;

  engine_lab_open ();
  result = exo_suite_run ("pull", tests);
  engine_lab_close ();
  return result;
}
