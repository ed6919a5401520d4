/* test-roots.c - folders of other tools as sources: hashed once, copied, never trusted by name
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whether a file was read again shows without a counter: its bytes are changed and its times set
 * back, so that only who reads it finds out.
 */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/suite.h"
#include "transfer/error.h"
#include "transfer/store/hash.h"
#include "transfer/store/store-private.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define ID     "org/name"
#define TEXT   "the bytes of a model"
#define OTHER  "the bytes of another" /* as long */

typedef struct
{
  char *folder, *hub, *state, *root;
  ExoStore *store;
  GAsyncResult *result;
  guint n_found;
} Lab;

static char *
oid_of (ExoOidKind kind, const char *text)
{
  return exo_hash_bytes (kind, text, strlen (text));
}

static void
open_store (Lab *lab)
{
  const char *roots[] = { lab->root, NULL };

  lab->store = exo_store_new (lab->hub, lab->state, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (lab->store);
  exo_store_set_roots (lab->store, roots);
}

static void
lab_open (Lab *lab)
{
  *lab = (Lab){ .folder = g_dir_make_tmp ("exo-roots-XXXXXX", NULL) };
  lab->hub = g_build_filename (lab->folder, "hub", NULL);
  lab->state = g_build_filename (lab->folder, "state", NULL);
  lab->root = g_build_filename (lab->folder, "models", NULL);
  CU_ASSERT_EQUAL_FATAL (g_mkdir (lab->root, 0777), 0);
  open_store (lab);
}

static void
remove_all (const char *path)
{
  g_autoptr (GPtrArray) names = exo_store_list (path);

  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *below = g_build_filename (path, names->pdata[i], NULL);

      if (g_file_test (below, G_FILE_TEST_IS_DIR) && !g_file_test (below, G_FILE_TEST_IS_SYMLINK))
        remove_all (below);
      else
        g_unlink (below);
    }
  g_rmdir (path);
}

static void
lab_close (Lab *lab)
{
  exo_store_free (lab->store);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  remove_all (lab->folder);
  g_free (lab->folder);
  g_free (lab->hub);
  g_free (lab->state);
  g_free (lab->root);
}

/* (transfer full) */
static char *
put (Lab *lab, const char *relative, const char *text)
{
  char *path = g_build_filename (lab->root, relative, NULL);
  g_autofree char *folder = g_path_get_dirname (path);

  CU_ASSERT_EQUAL_FATAL (g_mkdir_with_parents (folder, 0777), 0);
  CU_ASSERT_TRUE_FATAL (g_file_set_contents (path, text, -1, NULL));
  return path;
}

/* Other bytes of the same number in the same file. @with_time: which shows */
static void
overwrite (const char *path, const char *text, gboolean with_time)
{
  struct stat st;
  int fd = open (path, O_WRONLY);

  CU_ASSERT_EQUAL_FATAL (fstat (fd, &st), 0);
  CU_ASSERT_EQUAL_FATAL ((gsize) st.st_size, strlen (text));
  CU_ASSERT_EQUAL (pwrite (fd, text, strlen (text), 0), (gssize) strlen (text));
  st.st_mtim.tv_sec -= with_time ? 10 : 0;
  CU_ASSERT_EQUAL (futimens (fd, (struct timespec[]){ st.st_atim, st.st_mtim }), 0);
  close (fd);
}

static void
on_found (ExoStore *store, const char *oid, gpointer user_data)
{
  ((Lab *) user_data)->n_found++;
}

static void
scan (Lab *lab)
{
  lab->n_found = 0;
  exo_store_scan (lab->store, on_found, lab);
  while (g_atomic_int_get (&lab->store->scanning))
    g_thread_yield ();
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static void
restart (Lab *lab)
{
  exo_store_free (lab->store);
  open_store (lab);
}

static gboolean
is_held (Lab *lab, ExoOidKind kind, const char *text, gboolean *out_open)
{
  g_autofree char *oid = oid_of (kind, text);
  g_auto (ExoStoredBlob) blob = { 0 };

  if (!exo_store_find (lab->store, oid, &blob))
    return FALSE;
  CU_ASSERT_EQUAL (blob.size, strlen (text));
  if (out_open != NULL)
    *out_open = blob.open;
  return TRUE;
}

static gboolean
holds (Lab *lab, const char *text)
{
  return is_held (lab, EXO_OID_SHA256, text, NULL);
}

static guint
n_remembered (Lab *lab)
{
  g_autoptr (GPtrArray) paths = exo_index_all_root_paths (lab->store->index);

  return paths->len;
}

static void
note (Lab *lab, const char *id, gboolean open, const char *text)
{
  g_autofree char *oid = oid_of (EXO_OID_SHA256, text);
  GPtrArray *files = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_manifest_file_free);
  g_autoptr (ExoManifest) manifest = NULL;

  g_ptr_array_add (files, exo_manifest_file_new ("model.safetensors", strlen (text), oid));
  manifest = exo_manifest_new (EXO_REPO_MODEL, id, COMMIT, open, files, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (manifest);
  exo_store_note_manifest (lab->store, manifest);
}

static void
on_result (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ((Lab *) user_data)->result = g_object_ref (result);
}

static gboolean
adopt (Lab *lab, const char *text, const char *path)
{
  g_autofree char *oid = oid_of (EXO_OID_SHA256, text);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  gboolean done;

  exo_store_adopt_async (lab->store, EXO_REPO_MODEL, ID, oid, strlen (text), path, NULL, on_result,
                         lab);
  while (lab->result == NULL)
    g_main_context_iteration (NULL, TRUE);
  result = g_steal_pointer (&lab->result);
  done = exo_store_adopt_finish (lab->store, result, &error);
  CU_ASSERT_PTR_NULL (error);
  return done;
}

/* (transfer full) */
static char *
blob_path (Lab *lab, const char *text)
{
  g_autofree char *oid = oid_of (EXO_OID_SHA256, text);
  g_autofree char *relative = exo_layout_blob (EXO_REPO_MODEL, ID, oid, "");

  return exo_store_path (lab->store, relative);
}

static GLogWriterOutput
count_warnings (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
  if ((level & G_LOG_LEVEL_MASK) == G_LOG_LEVEL_WARNING)
    (*(guint *) user_data)++;
  return G_LOG_WRITER_HANDLED;
}

static guint n_warnings;

static void
on_one_of_two (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_ptr_array_add (user_data, g_object_ref (result));
}

/* The tests --------------------------------------------------------------------------------------- */

static void
a_small_file_has_both_names_that_the_hub_may_give_it (void)
{
  Lab lab;
  g_autofree char *path = NULL;

  lab_open (&lab);
  path = put (&lab, "org--name/config.json", TEXT);
  scan (&lab);
  CU_ASSERT_EQUAL (lab.n_found, 2);
  CU_ASSERT_TRUE (is_held (&lab, EXO_OID_SHA256, TEXT, NULL));
  CU_ASSERT_TRUE (is_held (&lab, EXO_OID_SHA1, TEXT, NULL));
  /* The cache does not grow by what is elsewhere */
  CU_ASSERT_EQUAL (exo_store_cache_bytes (lab.store), 0);
  lab_close (&lab);
}

/* Two transfers of one model, say two revisions that share a file, find it in a root at the same time. */
static void
two_copies_at_once_are_not_in_each_others_way (void)
{
  Lab lab;
  g_autofree char *text = g_strnfill (8u << 20, 'x'), *oid = oid_of (EXO_OID_SHA256, text),
                  *in_root = NULL, *path = NULL, *copied = NULL;
  g_autoptr (GPtrArray) results = g_ptr_array_new_with_free_func (g_object_unref);
  gsize n = 0;

  lab_open (&lab);
  in_root = put (&lab, "org--name/model.safetensors", text);
  path = blob_path (&lab, text);
  scan (&lab);
  for (guint i = 0; i < 2; i++)
    exo_store_adopt_async (lab.store, EXO_REPO_MODEL, ID, oid, strlen (text), "model.safetensors",
                           NULL, on_one_of_two, results);
  while (results->len < 2)
    g_main_context_iteration (NULL, TRUE);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;

      CU_ASSERT_TRUE (exo_store_adopt_finish (lab.store, results->pdata[i], &error));
      CU_ASSERT_PTR_NULL (error);
    }
  CU_ASSERT_TRUE (g_file_get_contents (path, &copied, &n, NULL));
  CU_ASSERT_EQUAL (g_strcmp0 (copied, text), 0);
  lab_close (&lab);
}

static void
what_git_would_not_keep_is_hashed_once_only (void)
{
  Lab lab;
  g_autofree char *at = NULL, *past = NULL;

  lab_open (&lab);
  at = put (&lab, "at", "");
  past = put (&lab, "past", "");
  CU_ASSERT_EQUAL_FATAL (truncate (at, EXO_STORE_GIT_BYTES_MAX), 0);
  CU_ASSERT_EQUAL_FATAL (truncate (past, EXO_STORE_GIT_BYTES_MAX + 1), 0);
  scan (&lab);
  CU_ASSERT_EQUAL (lab.n_found, 2 + 1);
  lab_close (&lab);
}

static void
a_restart_reads_nothing_again (void)
{
  Lab lab;
  g_autofree char *path = NULL;

  lab_open (&lab);
  path = put (&lab, "org--name/model.safetensors", TEXT);
  scan (&lab);
  CU_ASSERT_TRUE (holds (&lab, TEXT));
  overwrite (path, OTHER, FALSE);
  restart (&lab);
  scan (&lab);
  CU_ASSERT_EQUAL (lab.n_found, 0);
  CU_ASSERT_TRUE (holds (&lab, TEXT));
  CU_ASSERT_FALSE (holds (&lab, OTHER));
  lab_close (&lab);
}

static void
a_moved_folder_is_not_read_again (void)
{
  Lab lab;
  g_autofree char *path = NULL, *from = NULL, *to = NULL;

  lab_open (&lab);
  path = put (&lab, "before/model.safetensors", TEXT);
  scan (&lab);
  overwrite (path, OTHER, FALSE);
  from = g_build_filename (lab.root, "before", NULL);
  to = g_build_filename (lab.root, "after", NULL);
  CU_ASSERT_EQUAL_FATAL (g_rename (from, to), 0);
  CU_ASSERT_FALSE (holds (&lab, TEXT));
  scan (&lab);
  CU_ASSERT_EQUAL (lab.n_found, 0);
  CU_ASSERT_TRUE (holds (&lab, TEXT));
  CU_ASSERT_EQUAL (n_remembered (&lab), 1);
  lab_close (&lab);
}

static void
a_changed_file_is_hashed_again (void)
{
  Lab lab;
  g_autofree char *path = NULL;

  lab_open (&lab);
  path = put (&lab, "model.safetensors", TEXT);
  scan (&lab);
  overwrite (path, OTHER, TRUE);
  CU_ASSERT_FALSE (holds (&lab, TEXT));
  scan (&lab);
  CU_ASSERT_EQUAL (lab.n_found, 2);
  CU_ASSERT_TRUE (holds (&lab, OTHER));
  CU_ASSERT_FALSE (holds (&lab, TEXT));
  lab_close (&lab);
}

static void
what_is_gone_is_forgotten_but_not_a_disk_that_is_away (void)
{
  Lab lab;
  g_autofree char *path = NULL, *kept = NULL, *away = NULL;

  lab_open (&lab);
  path = put (&lab, "a/model.safetensors", TEXT);
  kept = put (&lab, "b/model.safetensors", OTHER);
  scan (&lab);
  CU_ASSERT_EQUAL (n_remembered (&lab), 2);
  g_unlink (path);
  scan (&lab);
  CU_ASSERT_EQUAL (n_remembered (&lab), 1);
  CU_ASSERT_TRUE (holds (&lab, OTHER));

  away = g_build_filename (lab.folder, "away", NULL);
  CU_ASSERT_EQUAL_FATAL (g_rename (lab.root, away), 0);
  scan (&lab);
  CU_ASSERT_FALSE (holds (&lab, OTHER));
  CU_ASSERT_EQUAL_FATAL (g_rename (away, lab.root), 0);
  scan (&lab);
  CU_ASSERT_EQUAL (lab.n_found, 0);
  CU_ASSERT_TRUE (holds (&lab, OTHER));
  lab_close (&lab);
}

static void
a_folder_that_cannot_be_read_is_said_once (void)
{
  Lab lab;

  lab_open (&lab);
  n_warnings = 0;
  g_rmdir (lab.root);
  scan (&lab);
  CU_ASSERT_EQUAL (n_warnings, 0);
  CU_ASSERT_TRUE_FATAL (g_file_set_contents (lab.root, TEXT, -1, NULL)); /* also for root */
  scan (&lab);
  CU_ASSERT_EQUAL (n_warnings, 1);
  scan (&lab);
  CU_ASSERT_EQUAL (n_warnings, 1);
  g_unlink (lab.root);
  lab_close (&lab);
}

static void
a_file_with_two_names_is_hashed_once (void)
{
  Lab lab;
  g_autofree char *path = NULL, *second = NULL;

  lab_open (&lab);
  path = put (&lab, "one", TEXT);
  second = g_build_filename (lab.root, "two", NULL);
  CU_ASSERT_EQUAL_FATAL (link (path, second), 0);
  scan (&lab);
  CU_ASSERT_EQUAL (lab.n_found, 2);
  scan (&lab);
  CU_ASSERT_EQUAL (lab.n_found, 0);
  CU_ASSERT_EQUAL (n_remembered (&lab), 1);
  lab_close (&lab);
}

static void
unfinished_files_are_left_alone (void)
{
  static const char *const names[] = {
    "m.safetensors.partial", "m.incomplete", "m.part",       "m.tmp",
    "m.downloadInProgress",  "m.exo-part",   "m.crdownload", ".cache/hf/m",
  };
  Lab lab;

  lab_open (&lab);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    g_free (put (&lab, names[i], TEXT));
  scan (&lab);
  CU_ASSERT_EQUAL (lab.n_found, 0);
  CU_ASSERT_EQUAL (n_remembered (&lab), 0);
  lab_close (&lab);
}

static void
links_lead_nowhere (void)
{
  Lab lab;
  g_autofree char *outside = NULL, *loop = NULL, *file = NULL, *path = NULL;

  lab_open (&lab);
  path = put (&lab, "org--name/real", OTHER);
  outside = g_build_filename (lab.folder, "outside", NULL);
  loop = g_build_filename (lab.root, "org--name", "loop", NULL);
  file = g_build_filename (lab.root, "org--name", "file", NULL);
  CU_ASSERT_TRUE_FATAL (g_file_set_contents (outside, TEXT, -1, NULL));
  CU_ASSERT_EQUAL_FATAL (symlink ("..", loop), 0);
  CU_ASSERT_EQUAL_FATAL (symlink (outside, file), 0);
  n_warnings = 0;
  scan (&lab);
  CU_ASSERT_EQUAL (n_warnings, 0);
  CU_ASSERT_EQUAL (lab.n_found, 2);
  CU_ASSERT_TRUE (holds (&lab, OTHER));
  CU_ASSERT_FALSE (holds (&lab, TEXT));
  lab_close (&lab);
}

static void
depth_is_bounded (void)
{
  Lab lab;
  GString *path = g_string_new (NULL);
  g_autofree char *fits = NULL, *deep = NULL, *within = NULL, *past = NULL;

  lab_open (&lab);
  for (guint i = 0; i < EXO_STORE_ROOT_DEPTH_MAX; i++)
    g_string_append (path, "d/");
  within = g_strconcat (path->str, "file", NULL);
  past = g_strconcat (path->str, "d/file", NULL);
  fits = put (&lab, within, TEXT);
  deep = put (&lab, past, OTHER);
  scan (&lab);
  CU_ASSERT_TRUE (holds (&lab, TEXT));
  CU_ASSERT_FALSE (holds (&lab, OTHER));
  g_string_free (path, TRUE);
  lab_close (&lab);
}

static void
our_own_cache_in_a_root_is_not_walked (void)
{
  Lab lab;
  g_autofree char *path = NULL;
  const char *roots[2] = { NULL };

  lab_open (&lab);
  path = g_build_filename (lab.hub, "file", NULL);
  CU_ASSERT_TRUE_FATAL (g_file_set_contents (path, TEXT, -1, NULL));
  roots[0] = lab.folder; /* has the cache in it */
  exo_store_set_roots (lab.store, roots);
  scan (&lab);
  CU_ASSERT_FALSE (holds (&lab, TEXT));
  roots[0] = lab.hub;
  exo_store_set_roots (lab.store, roots);
  scan (&lab);
  CU_ASSERT_FALSE (holds (&lab, TEXT));
  lab_close (&lab);
}

static void
a_folder_name_makes_nothing_public (void)
{
  Lab lab;
  g_autofree char *path = NULL;
  gboolean open = TRUE;

  lab_open (&lab);
  path = put (&lab, "org--name/model.safetensors", TEXT);
  scan (&lab);
  exo_store_set_repo_open (lab.store, EXO_REPO_MODEL, ID, TRUE);
  CU_ASSERT_TRUE (is_held (&lab, EXO_OID_SHA256, TEXT, &open) && !open);
  note (&lab, ID, TRUE, OTHER);
  CU_ASSERT_TRUE (is_held (&lab, EXO_OID_SHA256, TEXT, &open) && !open);
  note (&lab, "org/closed", FALSE, TEXT);
  CU_ASSERT_TRUE (is_held (&lab, EXO_OID_SHA256, TEXT, &open) && !open);
  note (&lab, "org/other", TRUE, TEXT);
  CU_ASSERT_TRUE (is_held (&lab, EXO_OID_SHA256, TEXT, &open) && open);
  lab_close (&lab);
}

static void
repos_without_a_list_of_files_are_named (void)
{
  static const char *const folders[] = { "org--name", "org--closed", "org--listed",
                                         "caches",    "a--b--c",     "org--.." };
  Lab lab;
  g_autoptr (GPtrArray) repos = NULL;

  lab_open (&lab);
  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      g_autofree char *path = g_build_filename (lab.root, folders[i], NULL);

      CU_ASSERT_EQUAL_FATAL (g_mkdir (path, 0777), 0);
    }
  exo_store_set_repo_open (lab.store, EXO_REPO_MODEL, "org/closed", FALSE);
  exo_store_set_repo_open (lab.store, EXO_REPO_MODEL, ID, TRUE);
  note (&lab, "org/listed", TRUE, TEXT);
  repos = exo_store_unlisted_repos (lab.store);
  CU_ASSERT_EQUAL_FATAL (repos->len, 1);
  CU_ASSERT_STRING_EQUAL (repos->pdata[0], ID);
  lab_close (&lab);
}

static void
adopting_makes_a_file_of_its_own (void)
{
  Lab lab;
  g_autofree char *path = NULL, *blob = NULL, *bytes = NULL;
  struct stat a, b;

  lab_open (&lab);
  path = put (&lab, "anything", TEXT);
  scan (&lab);
  CU_ASSERT_TRUE (adopt (&lab, TEXT, "model.safetensors"));
  blob = blob_path (&lab, TEXT);
  CU_ASSERT_EQUAL_FATAL (stat (path, &a), 0);
  CU_ASSERT_EQUAL_FATAL (stat (blob, &b), 0);
  CU_ASSERT_NOT_EQUAL (a.st_ino, b.st_ino);
  CU_ASSERT_EQUAL (a.st_nlink, 1);
  overwrite (path, OTHER, FALSE);
  CU_ASSERT_TRUE_FATAL (g_file_get_contents (blob, &bytes, NULL, NULL));
  CU_ASSERT_STRING_EQUAL (bytes, TEXT);
  CU_ASSERT_EQUAL (exo_store_cache_bytes (lab.store), strlen (TEXT));
  g_unlink (path);
  CU_ASSERT_TRUE (holds (&lab, TEXT));
  lab_close (&lab);
}

static void
a_file_in_its_place_need_not_wait_for_a_scan (void)
{
  Lab lab;
  g_autofree char *path = NULL, *elsewhere = NULL, *longer = NULL;

  lab_open (&lab);
  path = put (&lab, "org--name/sub/model.safetensors", TEXT);
  longer = put (&lab, "org--name/longer", TEXT "s");
  elsewhere = put (&lab, "org--else/model.safetensors", OTHER);
  CU_ASSERT_FALSE (adopt (&lab, OTHER, "model.safetensors"));
  CU_ASSERT_FALSE (adopt (&lab, OTHER, "longer"));
  CU_ASSERT_EQUAL (n_remembered (&lab), 0);
  CU_ASSERT_TRUE (adopt (&lab, TEXT, "sub/model.safetensors"));
  CU_ASSERT_TRUE (holds (&lab, TEXT));
  lab_close (&lab);
}

static void
bytes_changed_since_they_were_hashed_are_not_taken (void)
{
  Lab lab;
  g_autofree char *path = NULL, *blob = NULL, *folder = NULL;
  g_autoptr (GPtrArray) names = NULL;

  lab_open (&lab);
  path = put (&lab, "org--name/model.safetensors", TEXT);
  scan (&lab);
  overwrite (path, OTHER, FALSE);
  CU_ASSERT_TRUE (holds (&lab, TEXT));
  n_warnings = 0;
  CU_ASSERT_FALSE (adopt (&lab, TEXT, "model.safetensors"));
  CU_ASSERT_EQUAL (n_warnings, 1);
  CU_ASSERT_FALSE (holds (&lab, TEXT));
  blob = blob_path (&lab, TEXT);
  folder = g_path_get_dirname (blob);
  names = exo_store_list (folder);
  CU_ASSERT_EQUAL (names->len, 0);
  scan (&lab);
  CU_ASSERT_TRUE (holds (&lab, OTHER));
  lab_close (&lab);
}

int
main (void)
{
  CU_TestInfo tests[] = {
    TEST (a_small_file_has_both_names_that_the_hub_may_give_it),
    TEST (two_copies_at_once_are_not_in_each_others_way),
    TEST (what_git_would_not_keep_is_hashed_once_only),
    TEST (a_restart_reads_nothing_again),
    TEST (a_moved_folder_is_not_read_again),
    TEST (a_changed_file_is_hashed_again),
    TEST (what_is_gone_is_forgotten_but_not_a_disk_that_is_away),
    TEST (a_folder_that_cannot_be_read_is_said_once),
    TEST (a_file_with_two_names_is_hashed_once),
    TEST (unfinished_files_are_left_alone),
    TEST (links_lead_nowhere),
    TEST (depth_is_bounded),
    TEST (our_own_cache_in_a_root_is_not_walked),
    TEST (a_folder_name_makes_nothing_public),
    TEST (repos_without_a_list_of_files_are_named),
    TEST (adopting_makes_a_file_of_its_own),
    TEST (a_file_in_its_place_need_not_wait_for_a_scan),
    TEST (bytes_changed_since_they_were_hashed_are_not_taken),
    CU_TEST_INFO_NULL,
  };

  g_log_set_writer_func (count_warnings, &n_warnings, NULL);
  return exo_suite_run ("roots", tests);
}
