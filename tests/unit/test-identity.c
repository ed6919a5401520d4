/* test-identity.c - who this node is
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/identity.h"
#include "tests/unit/suite.h"

typedef struct
{
  char *root, *state, *file, *lock;
} Folder;

static Folder
make_folder (void)
{
  Folder folder = { g_dir_make_tmp ("exo-identity-XXXXXX", NULL), NULL, NULL, NULL };

  folder.state = g_build_filename (folder.root, "state", NULL);
  folder.file = g_build_filename (folder.state, "node-id", NULL);
  folder.lock = g_build_filename (folder.state, "lock", NULL);
  return folder;
}

static void
remove_folder (Folder *folder)
{
  g_unlink (folder->file);
  g_unlink (folder->lock);
  g_rmdir (folder->state);
  g_rmdir (folder->root);
  g_free (folder->root);
  g_free (folder->state);
  g_free (folder->file);
  g_free (folder->lock);
}

/* The id, or NULL after a failure. */
static char *
open_once (const char *state)
{
  g_autoptr (ExoIdentity) identity = exo_identity_open (state, NULL);

  return identity != NULL ? g_strdup (exo_identity_id (identity)) : NULL;
}

static void
the_id_is_kept_over_restarts (void)
{
  Folder folder = make_folder ();
  g_autofree char *first = open_once (folder.state);
  g_autofree char *second = open_once (folder.state);
  struct stat info = { 0 };

  CU_ASSERT_PTR_NOT_NULL_FATAL (first);
  CU_ASSERT_EQUAL (strlen (first), EXO_IDENTITY_ID_LENGTH);
  CU_ASSERT_EQUAL (strspn (first, "0123456789abcdef"), EXO_IDENTITY_ID_LENGTH);
  CU_ASSERT_EQUAL (g_strcmp0 (first, second), 0);
  CU_ASSERT_EQUAL (stat (folder.file, &info), 0);
  CU_ASSERT_EQUAL (info.st_mode & 0777, 0600);
  remove_folder (&folder);
}

static void
two_nodes_have_two_ids (void)
{
  Folder a = make_folder (), b = make_folder ();
  g_autofree char *first = open_once (a.state);
  g_autofree char *second = open_once (b.state);

  CU_ASSERT_NOT_EQUAL (g_strcmp0 (first, second), 0);
  remove_folder (&a);
  remove_folder (&b);
}

static GLogWriterOutput
count_warnings (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
  *(guint *) user_data += (level & G_LOG_LEVEL_WARNING) != 0;
  return G_LOG_WRITER_HANDLED;
}

static guint warnings;

static void
a_damaged_id_is_replaced_with_a_warning (void)
{
  const char *damaged[] = { "", "0123", "0123456789abcdef0123456789abcdeX",
                            "0123456789ABCDEF0123456789ABCDEF",
                            "0123456789abcdef0123456789abcdef0" };

  for (gsize i = 0; i < G_N_ELEMENTS (damaged); i++)
    {
      Folder folder = make_folder ();
      g_autofree char *first = open_once (folder.state);
      g_autofree char *second = NULL;
      g_autofree char *third = NULL;

      CU_ASSERT_TRUE (g_file_set_contents (folder.file, damaged[i], -1, NULL));
      warnings = 0;
      second = open_once (folder.state);
      CU_ASSERT_EQUAL (warnings, 1);
      third = open_once (folder.state);
      CU_ASSERT_EQUAL (warnings, 1);
      CU_ASSERT_PTR_NOT_NULL (second);
      CU_ASSERT_NOT_EQUAL (g_strcmp0 (first, second), 0);
      CU_ASSERT_EQUAL (g_strcmp0 (second, third), 0);
      remove_folder (&folder);
    }
}

static void
a_second_agent_is_told_of_the_first (void)
{
  Folder folder = make_folder ();
  g_autoptr (ExoIdentity) first = exo_identity_open (folder.state, NULL);
  g_autoptr (ExoIdentity) second = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *expected =
      g_strdup_printf ("another exo-agent (pid %d) uses this folder: %s", getpid (), folder.state);

  CU_ASSERT_PTR_NULL (exo_identity_open (folder.state, &error));
  CU_ASSERT_TRUE_FATAL (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_BUSY));
  CU_ASSERT_STRING_EQUAL (error->message, expected);
  g_clear_pointer (&first, exo_identity_free);
  second = exo_identity_open (folder.state, NULL);
  CU_ASSERT_PTR_NOT_NULL (second);
  remove_folder (&folder);
}

static void
a_folder_that_cannot_be_made_is_an_error (void)
{
  g_autoptr (GError) error = NULL;

  CU_ASSERT_PTR_NULL (exo_identity_open ("/dev/null/state", &error));
  CU_ASSERT_PTR_NOT_NULL_FATAL (error);
  CU_ASSERT_PTR_NOT_NULL (strstr (error->message, "/dev/null/state"));
}

static CU_TestInfo tests[] = { TEST (the_id_is_kept_over_restarts),
                               TEST (two_nodes_have_two_ids),
                               TEST (a_damaged_id_is_replaced_with_a_warning),
                               TEST (a_second_agent_is_told_of_the_first),
                               TEST (a_folder_that_cannot_be_made_is_an_error),
                               CU_TEST_INFO_NULL };

int
main (void)
{
  g_log_set_writer_func (count_warnings, &warnings, NULL);
  return exo_suite_run ("identity", tests);
}
