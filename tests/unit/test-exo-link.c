/* test-exo-link.c - complete models where exo looks for them
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gstdio.h>
#include <unistd.h>

#include "agent/exo-link.h"
#include "tests/unit/engine-lab.h"
#include "tests/unit/suite.h"

static gboolean
is_there (gconstpointer path)
{
  return g_file_test (path, G_FILE_TEST_IS_SYMLINK);
}

static gboolean
is_gone (gconstpointer path)
{
  return !is_there (path);
}

static void
a_complete_model_is_linked (void)
{
  LabNode node;
  g_autofree char *folder = NULL, *path = NULL, *file = NULL, *target = NULL, *stale = NULL,
                  *foreign = NULL, *gone = NULL;
  ExoLink *link;

  lab_node_open (&node, "one", NULL);
  folder = g_build_filename (node.folder, "for-exo", NULL);
  path = g_build_filename (folder, "org--name", NULL);
  stale = g_build_filename (folder, "org--gone", NULL);
  foreign = g_build_filename (folder, "elsewhere", NULL);
  gone = g_build_filename (node.cache, "models--org--gone", "snapshots", "x", NULL);
  g_mkdir_with_parents (folder, 0755);
  CU_ASSERT_EQUAL (symlink (gone, stale), 0);
  CU_ASSERT_EQUAL (symlink ("/nonexistent", foreign), 0);

  link = exo_link_new (node.engine, folder);
  lab_wait_state (lab_node_pull (&node, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  lab_wait (is_there, path);
  lab_wait (is_gone, stale);
  CU_ASSERT_TRUE (is_there (foreign));
  target = g_file_read_link (path, NULL);
  CU_ASSERT_TRUE (g_str_has_prefix (target, node.cache));
  file = g_build_filename (path, "sub dir", "notes.txt", NULL);
  CU_ASSERT_TRUE (g_file_test (file, G_FILE_TEST_IS_REGULAR));
  exo_link_free (link);
  lab_node_close (&node);
}

static void
a_part_of_a_model_is_not_linked (void)
{
  const char *const includes[] = { "*.json", NULL };
  LabNode node;
  g_autofree char *folder = NULL;
  ExoLink *link;

  lab_node_open (&node, "one", NULL);
  folder = g_build_filename (node.folder, "for-exo", NULL);
  link = exo_link_new (node.engine, folder);
  lab_wait_state (
      exo_engine_pull (node.engine, EXO_REPO_MODEL, LAB_MODEL, NULL, includes, NULL, NULL),
      EXO_TRANSFER_COMPLETE);
  exo_link_free (link);
  /* Folder and link would be made by a thread; nothing is, so there is nothing to wait for. */
  lab_turn (100);
  CU_ASSERT_FALSE (g_file_test (folder, G_FILE_TEST_EXISTS));
  lab_node_close (&node);
}

static void
what_is_no_link_of_ours_is_left_alone (void)
{
  LabNode node;
  g_autofree char *folder = NULL, *path = NULL, *stale = NULL, *gone = NULL;
  ExoLink *link;

  lab_node_open (&node, "one", NULL);
  folder = g_build_filename (node.folder, "for-exo", NULL);
  path = g_build_filename (folder, "org--name", NULL);
  stale = g_build_filename (folder, "org--gone", NULL);
  gone = g_build_filename (node.cache, "models--org--gone", "snapshots", "x", NULL);
  g_mkdir_with_parents (path, 0755);
  CU_ASSERT_EQUAL (symlink (gone, stale), 0);
  link = exo_link_new (node.engine, folder);
  lab_wait_state (lab_node_pull (&node, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  lab_wait (is_gone, stale); /* the last thing it does */
  CU_ASSERT_TRUE (g_file_test (path, G_FILE_TEST_IS_DIR));
  CU_ASSERT_FALSE (is_there (path));
  exo_link_free (link);
  lab_node_close (&node);
}

int
main (void)
{
  CU_TestInfo tests[] = { TEST (a_complete_model_is_linked), TEST (a_part_of_a_model_is_not_linked),
                          TEST (what_is_no_link_of_ours_is_left_alone), CU_TEST_INFO_NULL };
  int result;

  engine_lab_open ();
  result = exo_suite_run ("exo-link", tests);
  engine_lab_close ();
  return result;
}
