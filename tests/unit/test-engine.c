/* test-engine.c - whole engines against a Hub that counts
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <sys/mount.h>

#include "tests/unit/engine-lab.h"
#include "tests/unit/suite.h"
#include "transfer/engine-private.h"

static char *
in_repo (LabNode *node, const char *a, const char *b)
{
  return g_build_filename (node->cache, "models--org--name", a, b, NULL);
}

/* --- to the end ------------------------------------------------------------------------------- */

static void
a_pull_fills_the_cache (void)
{
  LabNode node;
  ExoTransfer *transfer;
  ExoTransferInfo info;
  ExoEngineTotals totals;
  g_autofree char *trees = NULL, *name = NULL;

  lab_node_open (&node, "one", NULL);
  transfer = lab_node_pull (&node, LAB_MODEL);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));

  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_EQUAL (info.id, 1);
  CU_ASSERT_STRING_EQUAL (info.revision, "main");
  CU_ASSERT_EQUAL (strlen (info.commit), 40);
  CU_ASSERT_EQUAL (info.bytes_total, engine_lab.bytes);
  CU_ASSERT_EQUAL (info.bytes_done, engine_lab.bytes);
  CU_ASSERT_EQUAL (info.bytes_from_hub, engine_lab.unique);
  CU_ASSERT_EQUAL (info.bytes_from_lan, 0);
  CU_ASSERT_EQUAL (info.files_total, engine_lab.n_files);
  CU_ASSERT_EQUAL (info.files_done, engine_lab.n_files);
  CU_ASSERT_TRUE (info.finished_s >= info.started_s && info.started_s > 0);
  CU_ASSERT_STRING_EQUAL (info.error_message, "");
  CU_ASSERT_FALSE (info.unverified_upstream);
  CU_ASSERT_EQUAL (stand_in_bytes (engine_lab.hub), engine_lab.unique);

  exo_engine_get_totals (node.engine, &totals);
  CU_ASSERT_EQUAL (totals.bytes_from_hub, engine_lab.unique);
  CU_ASSERT_TRUE (totals.hub_reachable);
  name = g_strconcat (info.commit, ".json", NULL);
  trees = in_repo (&node, "trees", name);
  CU_ASSERT_TRUE (g_file_test (trees, G_FILE_TEST_IS_REGULAR));
  CU_ASSERT_STRING_EQUAL (node.warnings->str, "");
  lab_node_close (&node);
}

static void
globs_choose_files (void)
{
  const char *const includes[] = { "*.txt", "config*", NULL }, *const excludes[] = { "sub*", NULL };
  LabNode node;
  ExoTransfer *transfer;
  ExoTransferInfo info;

  lab_node_open (&node, "one", NULL);
  transfer =
      exo_engine_pull (node.engine, EXO_REPO_MODEL, LAB_MODEL, "main", includes, excludes, NULL);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_EQUAL (info.files_total, 1);
  CU_ASSERT_EQUAL (info.bytes_total, 1234);
  CU_ASSERT_TRUE (g_strv_equal (info.includes, includes));
  CU_ASSERT_TRUE (g_strv_equal (info.excludes, excludes));
  CU_ASSERT_FALSE (info.on_demand);
  CU_ASSERT_EQUAL (stand_in_bytes (engine_lab.hub), 1234);
  lab_node_close (&node);
}

static gboolean
is_idle (gconstpointer data)
{
  return ((const LabNode *) data)->n_idle > 0;
}

static void
the_engine_comes_to_rest (void)
{
  LabNode node;

  lab_node_open (&node, "one", NULL);
  lab_wait_state (lab_node_pull (&node, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  lab_wait (is_idle, &node);
  CU_ASSERT_EQUAL (node.n_restored, 1);
  lab_node_close (&node);
}

/* --- on demand -------------------------------------------------------------------------------- */

static gboolean
is_published (LabNode *node, ExoTransfer *transfer, const char *path)
{
  g_autofree char *snapshot = in_repo (node, "snapshots", transfer->commit),
                  *file = g_build_filename (snapshot, path, NULL);

  return g_file_test (file, G_FILE_TEST_IS_REGULAR);
}

static gboolean
is_verifying (gconstpointer transfer)
{
  return lab_state ((ExoTransfer *) transfer) == EXO_TRANSFER_VERIFYING;
}

static void
what_is_asked_for_while_it_is_published_is_published_too (void)
{
  LabNode node;
  ExoTransfer *transfer;

  lab_node_open (&node, "one", NULL);
  transfer = lab_node_demand (&node, "config.json");
  lab_wait (is_verifying, transfer);
  CU_ASSERT_PTR_EQUAL (
      exo_engine_demand (node.engine, transfer->whole, FALSE, "main", "empty", NULL), transfer);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (is_published (&node, transfer, "config.json"));
  CU_ASSERT_TRUE (is_published (&node, transfer, "empty"));
  lab_node_close (&node);
}

/* --- neighbours -------------------------------------------------------------------------------------- */

static void
what_a_neighbour_has_costs_the_hub_nothing (void)
{
  LabNode first, second;
  ExoTransfer *transfer;
  ExoTransferInfo info;
  ExoEngineTotals totals;
  g_autoptr (GPtrArray) nodes = NULL;

  lab_node_open (&first, "one", NULL);
  lab_wait_state (lab_node_pull (&first, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  lab_node_open (&second, "two", &first);
  transfer = lab_node_pull (&second, LAB_MODEL);
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&second));
  CU_ASSERT_EQUAL (stand_in_bytes (engine_lab.hub), 0);
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_EQUAL (info.bytes_from_hub, 0);
  CU_ASSERT_EQUAL (info.bytes_from_lan, engine_lab.unique);
  exo_engine_get_totals (first.engine, &totals);
  CU_ASSERT_EQUAL (totals.bytes_served, engine_lab.unique);
  nodes = exo_engine_nodes (second.engine);
  CU_ASSERT_EQUAL (nodes->len, 2);
  lab_node_close (&second);
  lab_node_close (&first);
}

/* --- room -------------------------------------------------------------------------------------------------- */

/* FALSE: that is for root only. @size: as tmpfs wants it */
static gboolean
mount_small_disk (const char *folder, const char *size)
{
  g_autofree char *options = g_strdup_printf ("size=%s", size);

  if (!engine_lab.may_mount)
    {
      printf ("skipped: only root may mount a small disk ...");
      return FALSE;
    }
  g_mkdir_with_parents (folder, 0700);
  CU_ASSERT_EQUAL_FATAL (mount ("tmpfs", folder, "tmpfs", 0, options), 0);
  return TRUE;
}

static gboolean
is_warned (gconstpointer data)
{
  return ((const LabNode *) data)->warnings->len > 0;
}

static void
without_room_it_says_so_and_goes_on_later (void)
{
  LabNode node;
  ExoTransfer *transfer;
  ExoTransferInfo info;
  g_autofree char *folder = g_build_filename (engine_lab.folder, "small", NULL);

  if (!mount_small_disk (folder, "8m"))
    return;
  lab_node_open (&node, "small", NULL);
  transfer = lab_node_pull (&node, LAB_MODEL);
  lab_wait_state (transfer, EXO_TRANSFER_FAILED);
  exo_transfer_get_info (transfer, &info);
  CU_ASSERT_STRING_EQUAL (info.error_code, "NoSpace");
  CU_ASSERT_PTR_NOT_NULL (strstr (info.error_message, "Free some space"));
  lab_wait (is_warned, &node);
  CU_ASSERT_TRUE (g_str_has_prefix (node.warnings->str, "disk: " LAB_MODEL));
  CU_ASSERT_PTR_NULL (strstr (node.warnings->str, "\ndisk")); /* once */

  CU_ASSERT_EQUAL_FATAL (mount ("tmpfs", folder, "tmpfs", MS_REMOUNT, "size=64m"), 0);
  CU_ASSERT_TRUE (exo_transfer_resume (transfer, NULL));
  lab_wait_state (transfer, EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  lab_node_close (&node);
  umount2 (folder, MNT_DETACH);
}

/* Two files are the same blob: it needs room once. */
static void
room_is_needed_once_for_the_same_bytes (void)
{
  LabNode node;
  g_autofree char *folder = g_build_filename (engine_lab.folder, "narrow", "hub", NULL);
  g_autofree char *size =
      g_strdup_printf ("%" G_GUINT64_FORMAT, (engine_lab.unique + engine_lab.bytes) / 2);

  if (!mount_small_disk (folder, size))
    return;
  lab_node_open (&node, "narrow", NULL);
  lab_wait_state (lab_node_pull (&node, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&node));
  lab_node_close (&node);
  umount2 (folder, MNT_DETACH);
}

int
main (void)
{
  CU_TestInfo tests[] = { TEST (a_pull_fills_the_cache),
                          TEST (globs_choose_files),
                          TEST (the_engine_comes_to_rest),
                          TEST (what_is_asked_for_while_it_is_published_is_published_too),
                          TEST (what_a_neighbour_has_costs_the_hub_nothing),
                          TEST (without_room_it_says_so_and_goes_on_later),
                          TEST (room_is_needed_once_for_the_same_bytes),
                          CU_TEST_INFO_NULL };
  int result;

  engine_lab_open ();
  result = exo_suite_run ("engine", tests);
  engine_lab_close ();
  return result;
}
