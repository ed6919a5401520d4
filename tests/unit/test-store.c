/* test-store.c - partial files, snapshots, the index: in a folder of the test's own
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/suite.h"
#include "transfer/error.h"
#include "transfer/oid.h"
#include "transfer/store/hash.h"
#include "transfer/store/store-private.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define OTHER  "fedcba9876543210fedcba9876543210fedcba98"
#define ID     "org/name"
#define SIZE   (3u * EXO_PIECE_SIZE_MIN + 1000u) /* four pieces, the last one short */

typedef struct
{
  char *folder, *hub, *state;
  ExoStore *store;
  GAsyncResult *result;
  guint8 *bytes; /* SIZE of them */
  char *oid;
} Lab;

static void
open_store (Lab *lab)
{
  g_autoptr (GError) error = NULL;

  lab->store = exo_store_new (lab->hub, lab->state, &error);
  CU_ASSERT_PTR_NOT_NULL_FATAL (lab->store);
}

static void
lab_open (Lab *lab)
{
  *lab = (Lab){ .folder = g_dir_make_tmp ("exo-store-XXXXXX", NULL) };
  lab->hub = g_build_filename (lab->folder, "hub", NULL);
  lab->state = g_build_filename (lab->folder, "state", NULL);
  lab->bytes = g_malloc (SIZE);
  for (gsize i = 0; i < SIZE; i++)
    lab->bytes[i] = (guint8) (i * 7 + (i >> 9));
  lab->oid = exo_hash_bytes (EXO_OID_SHA256, lab->bytes, SIZE);
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
  g_free (lab->bytes);
  g_free (lab->oid);
}

static void
on_result (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ((Lab *) user_data)->result = g_object_ref (result);
}

/* The result of the call just made. (transfer full) */
static GAsyncResult *
wait_for (Lab *lab)
{
  while (lab->result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return g_steal_pointer (&lab->result);
}

static ExoPartial *
open_partial_for (Lab *lab, gboolean client, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  exo_store_open_partial_async (lab->store, EXO_REPO_MODEL, ID, lab->oid, SIZE, client, NULL,
                                on_result, lab);
  result = wait_for (lab);
  return exo_store_open_partial_finish (lab->store, result, error);
}

static ExoPartial *
open_partial (Lab *lab, GError **error)
{
  return open_partial_for (lab, FALSE, error);
}

static void
add_piece (Lab *lab, ExoPartial *partial, guint32 piece, const char *source)
{
  gsize first = (gsize) piece * EXO_PIECE_SIZE_MIN;
  gsize n = exo_piece_length (SIZE, piece);

  CU_ASSERT_EQUAL (pwrite (exo_partial_fd (partial), lab->bytes + first, n, (off_t) first),
                   (gssize) n);
  exo_partial_add (partial, piece, source);
}

static gboolean
finish (Lab *lab, ExoPartial *partial, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  exo_partial_finish_async (partial, NULL, on_result, lab);
  result = wait_for (lab);
  return exo_partial_finish_finish (partial, result, error);
}

static void
fetch_blob (Lab *lab)
{
  ExoPartial *partial = open_partial (lab, NULL);

  CU_ASSERT_PTR_NOT_NULL_FATAL (partial);
  for (guint32 i = 0; i < 4; i++)
    add_piece (lab, partial, 3 - i, "hub");
  CU_ASSERT_TRUE (finish (lab, partial, NULL));
  exo_partial_close (partial);
}

static ExoManifest *
manifest_of (Lab *lab, const char *commit, gboolean open, const char *extra_oid)
{
  GPtrArray *files = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_manifest_file_free);
  g_autoptr (GError) error = NULL;
  ExoManifest *manifest;

  g_ptr_array_add (files, exo_manifest_file_new ("sub/dir/model.safetensors", SIZE, lab->oid));
  g_ptr_array_add (files, exo_manifest_file_new ("model.bin", SIZE, lab->oid));
  if (extra_oid != NULL)
    g_ptr_array_add (files, exo_manifest_file_new ("empty", 0, extra_oid));
  manifest = exo_manifest_new (EXO_REPO_MODEL, ID, commit, open, files, &error);
  CU_ASSERT_PTR_NOT_NULL_FATAL (manifest);
  return manifest;
}

static gboolean
publish (Lab *lab, ExoManifest *manifest, const char *revision, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  exo_store_publish_async (lab->store, manifest, revision, TRUE, NULL, on_result, lab);
  result = wait_for (lab);
  return exo_store_publish_finish (lab->store, result, error);
}

static void
publish_main (Lab *lab)
{
  g_autoptr (ExoManifest) manifest =
      manifest_of (lab, COMMIT, TRUE, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  g_autoptr (GError) error = NULL;

  exo_store_note_manifest (lab->store, manifest);
  fetch_blob (lab);
  CU_ASSERT_TRUE (publish (lab, manifest, "main", &error));
}

static char *
in_hub (Lab *lab, const char *relative)
{
  return g_build_filename (lab->hub, "models--org--name", relative, NULL);
}

static char *
blob_path (Lab *lab, const char *suffix)
{
  g_autofree char *relative = g_strconcat ("blobs/", lab->oid, suffix, NULL);

  return in_hub (lab, relative);
}

static gboolean
exists (Lab *lab, const char *relative)
{
  g_autofree char *path = in_hub (lab, relative);

  return g_file_test (path, G_FILE_TEST_EXISTS) || g_file_test (path, G_FILE_TEST_IS_SYMLINK);
}

static gboolean
list_one (const char *path, const char *absolute, const struct stat *st, gpointer user_data)
{
  g_autofree char *target = S_ISLNK (st->st_mode) ? g_file_read_link (absolute, NULL) : NULL;

  g_string_append_printf (user_data, "%s%s%s\n", path, target ? " -> " : "", target ? target : "");
  return TRUE;
}

/* Partial files ------------------------------------------------------------------------------- */

static void
a_dropped_partial_comes_back_with_its_pieces (void)
{
  Lab lab;
  ExoPartial *partial;
  g_autofree char *part = NULL, *journal = NULL, *saved = NULL;
  gsize n;
  struct stat st;

  lab_open (&lab);
  partial = open_partial (&lab, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (partial);
  CU_ASSERT_EQUAL (fstat (exo_partial_fd (partial), &st), 0);
  CU_ASSERT_EQUAL (st.st_size, SIZE);
  add_piece (&lab, partial, 2, "hub");
  add_piece (&lab, partial, 0, "peer");
  add_piece (&lab, partial, 1, NULL);
  exo_partial_drop (partial, 1);
  /* What a kill leaves: the records are in the file, and no checkpoint. Opening waits its turn
   * behind the appends, and finds the lock taken. */
  CU_ASSERT_PTR_NULL (open_partial (&lab, NULL));
  journal = blob_path (&lab, ".exo-journal");
  CU_ASSERT_TRUE (g_file_get_contents (journal, &saved, &n, NULL));
  exo_partial_close (partial);
  exo_store_free (lab.store);
  CU_ASSERT_TRUE (g_file_set_contents (journal, saved, (gssize) n, NULL));

  open_store (&lab);
  partial = open_partial (&lab, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (partial);
  CU_ASSERT_EQUAL (exo_piece_map_n_held (exo_partial_map (partial)), 2);
  CU_ASSERT_STRING_EQUAL (exo_partial_source (partial, 2), "hub");
  CU_ASSERT_STRING_EQUAL (exo_partial_source (partial, 0), "peer");
  CU_ASSERT_PTR_NULL (exo_partial_source (partial, 1));
  add_piece (&lab, partial, 1, "hub");
  add_piece (&lab, partial, 3, "hub");
  CU_ASSERT_TRUE (finish (&lab, partial, NULL));
  exo_partial_close (partial);
  part = blob_path (&lab, ".exo-part");
  CU_ASSERT_FALSE (g_file_test (part, G_FILE_TEST_EXISTS));
  CU_ASSERT_FALSE (g_file_test (journal, G_FILE_TEST_EXISTS));
  lab_close (&lab);
}

/* The machine went down with @n_added pieces in the journal and no checkpoint since the opening. */
static void
another_boot_counts_only_checkpointed_pieces (void)
{
  Lab lab;
  ExoPartial *partial;
  g_autofree char *journal = NULL, *saved = NULL;
  gsize n;

  lab_open (&lab);
  partial = open_partial (&lab, NULL);
  add_piece (&lab, partial, 0, "hub");
  exo_partial_close (partial); /* a checkpoint */
  partial = open_partial (&lab, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (partial);
  add_piece (&lab, partial, 1, "hub");
  CU_ASSERT_PTR_NULL (open_partial (&lab, NULL));
  journal = blob_path (&lab, ".exo-journal");
  CU_ASSERT_TRUE (g_file_get_contents (journal, &saved, &n, NULL));
  exo_partial_close (partial);
  exo_store_free (lab.store);
  CU_ASSERT_TRUE (g_file_set_contents (journal, saved, (gssize) n, NULL));

  open_store (&lab);
  exo_store_set_boot_id (lab.store, "another");
  partial = open_partial (&lab, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (partial);
  CU_ASSERT_TRUE (exo_piece_map_has (exo_partial_map (partial), 0));
  CU_ASSERT_FALSE (exo_piece_map_has (exo_partial_map (partial), 1));
  exo_partial_close (partial);
  lab_close (&lab);
}

static void
a_data_file_of_another_size_is_not_trusted (void)
{
  Lab lab;
  ExoPartial *partial;
  g_autofree char *part = NULL;

  lab_open (&lab);
  partial = open_partial (&lab, NULL);
  add_piece (&lab, partial, 0, "hub");
  exo_partial_close (partial);
  exo_store_free (lab.store);
  part = blob_path (&lab, ".exo-part");
  CU_ASSERT_EQUAL (truncate (part, SIZE - 1), 0);
  open_store (&lab);
  partial = open_partial (&lab, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (partial);
  CU_ASSERT_EQUAL (exo_piece_map_n_held (exo_partial_map (partial)), 0);
  exo_partial_close (partial);
  lab_close (&lab);
}

static void
a_mismatch_keeps_everything_and_heals (void)
{
  Lab lab;
  ExoPartial *partial;
  g_autoptr (GError) error = NULL;
  g_autofree char *blob = NULL;

  lab_open (&lab);
  blob = blob_path (&lab, "");
  partial = open_partial (&lab, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (partial);
  lab.bytes[0] ^= 1;
  for (guint32 i = 0; i < 4; i++)
    add_piece (&lab, partial, i, "liar");
  lab.bytes[0] ^= 1;
  CU_ASSERT_FALSE (finish (&lab, partial, &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_MISMATCH));
  CU_ASSERT_FALSE (g_file_test (blob, G_FILE_TEST_EXISTS));
  CU_ASSERT_TRUE (exo_piece_map_is_full (exo_partial_map (partial)));
  exo_partial_drop (partial, 0);
  CU_ASSERT_EQUAL (exo_partial_hashed (partial), 0);
  add_piece (&lab, partial, 0, "hub");
  CU_ASSERT_TRUE (finish (&lab, partial, NULL));
  exo_partial_close (partial);
  CU_ASSERT_TRUE (g_file_test (blob, G_FILE_TEST_EXISTS));
  lab_close (&lab);
}

static void
a_drop_behind_the_front_starts_it_again (void)
{
  Lab lab;
  ExoPartial *partial;

  lab_open (&lab);
  partial = open_partial (&lab, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (partial);
  lab.bytes[0] ^= 1;
  add_piece (&lab, partial, 0, "liar");
  add_piece (&lab, partial, 1, "hub");
  lab.bytes[0] ^= 1;
  while (exo_partial_hashed (partial) < 2 * EXO_PIECE_SIZE_MIN)
    g_main_context_iteration (NULL, TRUE);
  exo_partial_drop (partial, 0);
  CU_ASSERT_EQUAL (exo_partial_hashed (partial), 0);
  add_piece (&lab, partial, 0, "hub");
  /* While that job runs: what it reads is not to count, either */
  exo_partial_drop (partial, 0);
  add_piece (&lab, partial, 0, "hub");
  add_piece (&lab, partial, 2, "hub");
  add_piece (&lab, partial, 3, "hub");
  CU_ASSERT_TRUE (finish (&lab, partial, NULL));
  exo_partial_close (partial);
  lab_close (&lab);
}

/* A child that holds the lock as the Python client does; it lives until @fd is closed. */
static pid_t
lock_elsewhere (const char *path, int *out_fd)
{
  int to_child[2], to_parent[2];
  char byte = 0;
  pid_t child;

  CU_ASSERT_EQUAL_FATAL (pipe (to_child) | pipe (to_parent), 0);
  child = fork ();
  if (child == 0)
    {
      int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0664);

      close (to_child[1]);
      byte = flock (fd, LOCK_EX | LOCK_NB) == 0 ? 'y' : 'n';
      if (write (to_parent[1], &byte, 1) != 1 || read (to_child[0], &byte, 1) != 0)
        _exit (1);
      _exit (0);
    }
  close (to_child[0]);
  close (to_parent[1]);
  CU_ASSERT_EQUAL (read (to_parent[0], &byte, 1), 1);
  CU_ASSERT_EQUAL (byte, 'y');
  close (to_parent[0]);
  *out_fd = to_child[1];
  return child;
}

static void
two_processes_never_fetch_the_same_blob (void)
{
  Lab lab;
  ExoPartial *partial;
  g_autofree char *folder = NULL, *path = NULL;
  g_autoptr (GError) error = NULL;
  pid_t child;
  int fd, lock;

  lab_open (&lab);
  folder = g_build_filename (lab.hub, ".locks", "models--org--name", NULL);
  path = g_strdup_printf ("%s/%s.lock", folder, lab.oid);
  CU_ASSERT_EQUAL (g_mkdir_with_parents (folder, 0755), 0);
  child = lock_elsewhere (path, &fd);
  CU_ASSERT_PTR_NULL (open_partial (&lab, &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_BUSY));
  close (fd);
  CU_ASSERT_EQUAL (waitpid (child, NULL, 0), child);

  partial = open_partial (&lab, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (partial);
  lock = open (path, O_RDWR | O_CLOEXEC);
  CU_ASSERT_EQUAL (flock (lock, LOCK_EX | LOCK_NB), -1);
  exo_partial_close (partial);
  /* Closing queues before opening: no waiting, no BUSY */
  partial = open_partial (&lab, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (partial);
  exo_partial_close (partial);
  exo_store_free (lab.store);
  CU_ASSERT_EQUAL (flock (lock, LOCK_EX | LOCK_NB), 0);
  close (lock);
  open_store (&lab);
  lab_close (&lab);
}

/* The client that holds the lock waits for what we fetch. But another agent that feeds it, too, must keep out. */
static void
a_client_that_is_fed_may_keep_its_lock (void)
{
  Lab lab, other;
  ExoPartial *partial;
  g_autofree char *folder = NULL, *path = NULL;
  g_autoptr (GError) error = NULL;
  pid_t child;
  int fd;

  lab_open (&lab);
  folder = g_build_filename (lab.hub, ".locks", "models--org--name", NULL);
  path = g_strdup_printf ("%s/%s.lock", folder, lab.oid);
  CU_ASSERT_EQUAL (g_mkdir_with_parents (folder, 0755), 0);
  child = lock_elsewhere (path, &fd);
  partial = open_partial_for (&lab, TRUE, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (partial);
  other = lab;
  other.state = g_strconcat (lab.state, "-other", NULL);
  open_store (&other);
  CU_ASSERT_PTR_NULL (open_partial_for (&other, TRUE, &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_BUSY));
  exo_store_free (other.store);
  g_free (other.state);
  for (guint32 i = 0; i < exo_pieces_in (SIZE); i++)
    add_piece (&lab, partial, i, "hub");
  CU_ASSERT_TRUE (finish (&lab, partial, NULL));
  exo_partial_close (partial);
  close (fd);
  CU_ASSERT_EQUAL (waitpid (child, NULL, 0), child);
  lab_close (&lab);
}

static void
more_than_fits_is_refused (void)
{
  Lab lab;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  lab_open (&lab);
  exo_store_open_partial_async (lab.store, EXO_REPO_MODEL, ID, lab.oid, EXO_BLOB_SIZE_MAX, FALSE,
                                NULL, on_result, &lab);
  result = wait_for (&lab);
  CU_ASSERT_PTR_NULL (exo_store_open_partial_finish (lab.store, result, &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_SPACE));
  g_clear_object (&result);
  g_clear_error (&error);
  exo_store_open_partial_async (lab.store, EXO_REPO_MODEL, ID, lab.oid, EXO_BLOB_SIZE_MAX + 1,
                                FALSE, NULL, on_result, &lab);
  result = wait_for (&lab);
  CU_ASSERT_PTR_NULL (exo_store_open_partial_finish (lab.store, result, &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID));
  lab_close (&lab);
}

/* Snapshots ----------------------------------------------------------------------------------- */

static void
a_published_tree_is_that_of_the_python_client (void)
{
  Lab lab;
  g_autoptr (GString) tree = g_string_new (NULL);
  g_autofree char *expected = NULL, *repo = NULL, *ref = NULL, *text = NULL, *blob = NULL;
  g_autofree char *tag = NULL;
  struct stat st;
  gsize n;

  lab_open (&lab);
  publish_main (&lab);
  repo = in_hub (&lab, "");
  exo_store_walk (repo, list_one, tree);
  expected = g_strdup_printf (
      "blobs/%s\n"
      "blobs/e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\n"
      "refs/main\n"
      "snapshots/" COMMIT "/empty -> ../../blobs/e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\n"
      "snapshots/" COMMIT "/model.bin -> ../../blobs/%s\n"
      "snapshots/" COMMIT "/sub/dir/model.safetensors -> ../../../../blobs/%s\n"
      "trees/" COMMIT ".json\n",
      lab.oid, lab.oid, lab.oid);
  CU_ASSERT_STRING_EQUAL (strstr (tree->str, "refs/main"), strstr (expected, "refs/main"));
  CU_ASSERT_EQUAL (tree->len, strlen (expected));
  ref = in_hub (&lab, "refs/main");
  CU_ASSERT_TRUE (g_file_get_contents (ref, &text, &n, NULL));
  CU_ASSERT_EQUAL (n, 40);
  CU_ASSERT_STRING_EQUAL (text, COMMIT);
  blob = blob_path (&lab, "");
  CU_ASSERT_EQUAL (stat (blob, &st), 0);
  CU_ASSERT_EQUAL (st.st_mode & 07777, lab.store->file_mode);
  tag = g_build_filename (lab.hub, "CACHEDIR.TAG", NULL);
  CU_ASSERT_TRUE (g_file_test (tag, G_FILE_TEST_IS_REGULAR));
  g_free (text);
  text = exo_store_read_ref (lab.store, EXO_REPO_MODEL, ID, "main");
  CU_ASSERT_STRING_EQUAL (text, COMMIT);
  CU_ASSERT_PTR_NULL (exo_store_read_ref (lab.store, EXO_REPO_MODEL, ID, "../main"));
  CU_ASSERT_EQUAL (exo_store_cache_bytes (lab.store), SIZE);
  lab_close (&lab);
}

static void
a_listing_says_how_git_names_each_file (void)
{
  Lab lab;
  g_autofree char *path = NULL, *text = NULL, *pointer = NULL, *oid = NULL;

  lab_open (&lab);
  publish_main (&lab);
  path = in_hub (&lab, "trees/" COMMIT ".json");
  CU_ASSERT_TRUE_FATAL (g_file_get_contents (path, &text, NULL, NULL));
  pointer = exo_layout_lfs_pointer (lab.oid, SIZE);
  oid = exo_hash_bytes (EXO_OID_SHA1, pointer, strlen (pointer));
  CU_ASSERT_PTR_NOT_NULL (strstr (text, oid));
  CU_ASSERT_PTR_NOT_NULL (strstr (text, "\"format_version\":1"));
  CU_ASSERT_PTR_NULL (strstr (text, "xet"));
  lab_close (&lab);
}

typedef struct
{
  ExoStore *store;
  guint n_good, n_over;
} Publications;

static void
on_published (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Publications *publications = user_data;

  publications->n_over++;
  publications->n_good += exo_store_publish_finish (publications->store, result, NULL);
}

/* As two choices of files of one commit do that are complete in the same moment. */
static void
one_commit_may_be_published_twice_at_once (void)
{
  Lab lab;
  Publications publications = { 0 };
  g_autoptr (ExoManifest) manifest = NULL;

  lab_open (&lab);
  publish_main (&lab);
  publications.store = lab.store;
  manifest = manifest_of (&lab, COMMIT, TRUE, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  for (guint i = 0; i < 40; i++)
    exo_store_publish_async (lab.store, manifest, "main", TRUE, NULL, on_published, &publications);
  while (publications.n_over < 40)
    g_main_context_iteration (NULL, TRUE);
  CU_ASSERT_EQUAL (publications.n_good, 40);
  lab_close (&lab);
}

static void
nothing_appears_without_its_blob (void)
{
  Lab lab;
  g_autoptr (ExoManifest) manifest = NULL;
  g_autoptr (ExoManifest) lie = NULL;
  g_autoptr (GError) error = NULL;

  lab_open (&lab);
  manifest = manifest_of (&lab, COMMIT, TRUE, NULL);
  CU_ASSERT_FALSE (publish (&lab, manifest, "main", &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NOT_FOUND));
  g_clear_error (&error);
  fetch_blob (&lab);
  /* Listed as empty, under a name that is not the hash of nothing */
  lie = manifest_of (&lab, COMMIT, TRUE, "ce013625030ba8dba906f756967f9e9ca394464a");
  CU_ASSERT_FALSE (publish (&lab, lie, "main", &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_MISMATCH));
  CU_ASSERT_FALSE (exists (&lab, "snapshots/" COMMIT));
  CU_ASSERT_FALSE (exists (&lab, "refs/main"));
  lab_close (&lab);
}

static void
a_planted_link_leads_nothing_outside (void)
{
  Lab lab;
  g_autoptr (ExoManifest) manifest = NULL;
  g_autofree char *snapshot = NULL, *planted = NULL, *outside = NULL;
  g_autoptr (GError) error = NULL;

  lab_open (&lab);
  fetch_blob (&lab);
  manifest = manifest_of (&lab, COMMIT, TRUE, NULL);
  snapshot = in_hub (&lab, "snapshots/" COMMIT);
  planted = g_build_filename (snapshot, "sub", NULL);
  outside = g_build_filename (lab.state, "dir", NULL);
  CU_ASSERT_EQUAL (g_mkdir_with_parents (snapshot, 0755), 0);
  CU_ASSERT_EQUAL (symlink (lab.state, planted), 0);
  CU_ASSERT_FALSE (publish (&lab, manifest, NULL, &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DISK));
  CU_ASSERT_FALSE (g_file_test (outside, G_FILE_TEST_EXISTS));
  lab_close (&lab);
}

/* Complete blobs ------------------------------------------------------------------------------ */

static gboolean
adopt (Lab *lab, const char *id, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  exo_store_adopt_async (lab->store, EXO_REPO_MODEL, id, lab->oid, SIZE, NULL, NULL, on_result,
                         lab);
  result = wait_for (lab);
  return exo_store_adopt_finish (lab->store, result, error);
}

static gboolean
find (Lab *lab, gboolean *out_open)
{
  g_auto (ExoStoredBlob) blob = { 0 };

  if (!exo_store_find (lab->store, lab->oid, &blob))
    return FALSE;
  CU_ASSERT_EQUAL (blob.size, SIZE);
  *out_open = blob.open;
  return TRUE;
}

static void
a_held_blob_is_linked_not_fetched (void)
{
  Lab lab;
  g_autofree char *here = NULL, *there = NULL;
  g_autoptr (GError) error = NULL;
  struct stat st, other;

  lab_open (&lab);
  CU_ASSERT_FALSE (adopt (&lab, ID, &error));
  CU_ASSERT_PTR_NULL (error);
  fetch_blob (&lab);
  CU_ASSERT_TRUE (adopt (&lab, ID, NULL));
  CU_ASSERT_TRUE (adopt (&lab, "else/where", NULL));
  here = blob_path (&lab, "");
  there = g_strdup_printf ("%s/models--else--where/blobs/%s", lab.hub, lab.oid);
  CU_ASSERT_EQUAL (stat (here, &st) | stat (there, &other), 0);
  CU_ASSERT_EQUAL (st.st_ino, other.st_ino);
  CU_ASSERT_EQUAL (exo_store_cache_bytes (lab.store), SIZE);
  lab_close (&lab);
}

static void
a_damaged_blob_of_another_tool_is_set_aside (void)
{
  Lab lab;
  g_autofree char *path = NULL, *damaged = NULL;
  gboolean open;

  lab_open (&lab);
  path = blob_path (&lab, "");
  damaged = blob_path (&lab, ".exo-damaged");
  CU_ASSERT_TRUE (exo_store_make_parents (path, NULL));
  /* What another tool completed rightly is taken as it is */
  CU_ASSERT_TRUE (g_file_set_contents (path, (char *) lab.bytes, SIZE, NULL));
  CU_ASSERT_FALSE (find (&lab, &open));
  CU_ASSERT_TRUE (adopt (&lab, ID, NULL));
  CU_ASSERT_TRUE (find (&lab, &open));
  lab.bytes[SIZE - 1] ^= 1;
  CU_ASSERT_TRUE (g_file_set_contents (path, (char *) lab.bytes, SIZE, NULL));
  CU_ASSERT_FALSE (find (&lab, &open));
  CU_ASSERT_FALSE (adopt (&lab, ID, NULL));
  CU_ASSERT_TRUE (g_file_test (damaged, G_FILE_TEST_EXISTS));
  CU_ASSERT_FALSE (g_file_test (path, G_FILE_TEST_EXISTS));
  lab_close (&lab);
}

static void
only_open_repos_make_a_blob_open (void)
{
  Lab lab;
  g_autoptr (ExoManifest) closed = NULL;
  g_autoptr (GPtrArray) unknown = NULL;
  gboolean open = TRUE;

  lab_open (&lab);
  fetch_blob (&lab);
  CU_ASSERT_TRUE (find (&lab, &open));
  CU_ASSERT_FALSE (open);
  unknown = exo_store_unknown_repos (lab.store);
  CU_ASSERT_EQUAL_FATAL (unknown->len, 2);
  CU_ASSERT_STRING_EQUAL (unknown->pdata[0], "model");
  CU_ASSERT_STRING_EQUAL (unknown->pdata[1], ID);
  exo_store_set_repo_open (lab.store, EXO_REPO_MODEL, ID, TRUE);
  CU_ASSERT_TRUE (find (&lab, &open) && open);
  closed = manifest_of (&lab, COMMIT, FALSE, NULL);
  exo_store_note_manifest (lab.store, closed);
  CU_ASSERT_TRUE (find (&lab, &open) && !open);
  lab_close (&lab);
}

static void
digests_are_those_of_the_pieces (void)
{
  Lab lab;
  const guint32 pieces[] = { 3, 0, 4 };
  g_autofree char *path = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GBytes) digests = NULL;
  g_autoptr (GError) error = NULL;
  guint8 expected[EXO_HASH_SHA256_BYTES];
  int fd;

  lab_open (&lab);
  fetch_blob (&lab);
  path = blob_path (&lab, "");
  fd = open (path, O_RDONLY);
  exo_store_digests_async (lab.store, fd, SIZE, pieces, 2, NULL, on_result, &lab);
  result = wait_for (&lab);
  digests = exo_store_digests_finish (lab.store, result, NULL);
  CU_ASSERT_EQUAL_FATAL (g_bytes_get_size (digests), 64);
  exo_hash_digest (fd, 3 * EXO_PIECE_SIZE_MIN, 1000, NULL, expected, NULL);
  CU_ASSERT_EQUAL (memcmp (g_bytes_get_data (digests, NULL), expected, sizeof expected), 0);
  g_clear_object (&result);
  exo_store_digests_async (lab.store, fd, SIZE, pieces, 3, NULL, on_result, &lab);
  result = wait_for (&lab);
  CU_ASSERT_PTR_NULL (exo_store_digests_finish (lab.store, result, &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID));
  close (fd);
  lab_close (&lab);
}

static void
on_found (ExoStore *store, const char *oid, gpointer user_data)
{
  g_string_append (user_data, oid);
}

static void
a_scan_finds_what_others_downloaded (void)
{
  Lab lab;
  g_autoptr (GString) found = g_string_new (NULL);
  g_autofree char *path = NULL, *wrong = NULL;
  gboolean open;

  lab_open (&lab);
  path = blob_path (&lab, "");
  wrong = in_hub (&lab, "blobs/e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  CU_ASSERT_TRUE (exo_store_make_parents (path, NULL));
  CU_ASSERT_TRUE (g_file_set_contents (path, (char *) lab.bytes, SIZE, NULL));
  CU_ASSERT_TRUE (g_file_set_contents (wrong, "not empty", -1, NULL));
  exo_store_scan (lab.store, on_found, found);
  while (found->len == 0)
    g_main_context_iteration (NULL, TRUE);
  CU_ASSERT_STRING_EQUAL (found->str, lab.oid);
  CU_ASSERT_TRUE (find (&lab, &open));
  lab_close (&lab);
}

/* Listing, removing, verifying ---------------------------------------------------------------- */

static GPtrArray *
models (Lab *lab)
{
  g_autoptr (GAsyncResult) result = NULL;

  exo_store_models_async (lab->store, NULL, on_result, lab);
  result = wait_for (lab);
  return exo_store_models_finish (lab->store, result, NULL);
}

static void
caches_of_other_tools_are_listed (void)
{
  Lab lab;
  g_autoptr (GPtrArray) list = NULL;
  g_autofree char *plain = NULL, *dangling = NULL, *ref = NULL, *no_exist = NULL;
  ExoStoredModel *model;

  lab_open (&lab);
  publish_main (&lab);
  plain = in_hub (&lab, "snapshots/" OTHER "/config.json");
  dangling = in_hub (&lab, "snapshots/" OTHER "/gone");
  ref = in_hub (&lab, "refs/refs/pr/1");
  no_exist = in_hub (&lab, ".no_exist/" OTHER "/x");
  CU_ASSERT_TRUE (exo_store_make_parents (plain, NULL) && exo_store_make_parents (ref, NULL) &&
                  exo_store_make_parents (no_exist, NULL));
  CU_ASSERT_TRUE (g_file_set_contents (plain, "{}", 2, NULL));
  CU_ASSERT_EQUAL (symlink ("../../blobs/nothing", dangling), 0);
  CU_ASSERT_TRUE (g_file_set_contents (ref, OTHER "\n", -1, NULL));
  CU_ASSERT_TRUE (g_file_set_contents (no_exist, "", 0, NULL));
  list = models (&lab);
  CU_ASSERT_EQUAL_FATAL (list->len, 2);
  model = list->pdata[0];
  CU_ASSERT_STRING_EQUAL (model->commit, COMMIT);
  CU_ASSERT_STRING_EQUAL (model->refs, "main");
  CU_ASSERT_EQUAL (model->n_files, 3);
  CU_ASSERT_EQUAL (model->bytes, 2 * SIZE);
  CU_ASSERT_FALSE (model->partial);
  model = list->pdata[1];
  CU_ASSERT_STRING_EQUAL (model->refs, "refs/pr/1");
  CU_ASSERT_EQUAL (model->n_files, 1);
  CU_ASSERT_EQUAL (model->bytes, 2);
  g_clear_pointer (&list, g_ptr_array_unref);
  g_free (plain);
  plain = in_hub (&lab, "snapshots/" COMMIT "/model.bin");
  g_unlink (plain);
  list = models (&lab);
  CU_ASSERT_TRUE (((ExoStoredModel *) list->pdata[0])->partial);
  lab_close (&lab);
}

static gboolean
remove_model (Lab *lab, const char *commit, guint64 *out_freed, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  exo_store_remove_async (lab->store, EXO_REPO_MODEL, ID, commit, NULL, on_result, lab);
  result = wait_for (lab);
  return exo_store_remove_finish (lab->store, result, out_freed, error);
}

static void
removing_a_revision_keeps_what_another_uses (void)
{
  Lab lab;
  g_autoptr (ExoManifest) manifest = NULL;
  g_autofree char *outside = NULL, *link = NULL, *blob = NULL;
  g_autoptr (GError) error = NULL;
  guint64 freed = 1;
  gboolean open;

  lab_open (&lab);
  publish_main (&lab);
  manifest = manifest_of (&lab, OTHER, TRUE, NULL);
  CU_ASSERT_TRUE (publish (&lab, manifest, "dev", NULL));
  /* A link out of the cache: what it names stays */
  outside = g_build_filename (lab.state, "precious", NULL);
  link = in_hub (&lab, "snapshots/" COMMIT "/way-out");
  CU_ASSERT_TRUE (g_file_set_contents (outside, "x", 1, NULL));
  CU_ASSERT_EQUAL (symlink (lab.state, link), 0);
  blob = blob_path (&lab, "");
  CU_ASSERT_TRUE (remove_model (&lab, COMMIT, &freed, NULL));
  CU_ASSERT_TRUE (freed > 0 && freed < SIZE);
  CU_ASSERT_FALSE (exists (&lab, "snapshots/" COMMIT) || exists (&lab, "refs/main") ||
                   exists (&lab, "trees/" COMMIT ".json"));
  CU_ASSERT_FALSE (exists (&lab, "blobs/e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"));
  CU_ASSERT_TRUE (exists (&lab, "snapshots/" OTHER "/model.bin") && exists (&lab, "refs/dev"));
  CU_ASSERT_TRUE (g_file_test (blob, G_FILE_TEST_EXISTS));
  CU_ASSERT_FALSE (remove_model (&lab, COMMIT, NULL, &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NOT_FOUND));
  CU_ASSERT_TRUE (remove_model (&lab, NULL, &freed, NULL));
  CU_ASSERT_TRUE (freed >= SIZE);
  CU_ASSERT_FALSE (exists (&lab, ""));
  CU_ASSERT_FALSE (find (&lab, &open));
  CU_ASSERT_TRUE (g_file_test (outside, G_FILE_TEST_EXISTS));
  lab_close (&lab);
}

static void
what_is_being_fetched_is_not_removed (void)
{
  Lab lab;
  ExoPartial *partial;
  g_autoptr (GError) error = NULL;

  lab_open (&lab);
  partial = open_partial (&lab, NULL);
  CU_ASSERT_FALSE (remove_model (&lab, NULL, NULL, &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_BUSY));
  exo_partial_close (partial);
  lab_close (&lab);
}

static GPtrArray *
verify (Lab *lab, guint *out_n_checked)
{
  g_autoptr (GAsyncResult) result = NULL;

  exo_store_verify_async (lab->store, EXO_REPO_MODEL, ID, COMMIT, NULL, on_result, lab);
  result = wait_for (lab);
  return exo_store_verify_finish (lab->store, result, out_n_checked, NULL);
}

static void
verifying_finds_a_changed_byte (void)
{
  Lab lab;
  g_autoptr (GPtrArray) wrong = NULL;
  g_autofree char *blob = NULL, *damaged = NULL;
  guint n = 0;
  int fd;

  lab_open (&lab);
  publish_main (&lab);
  wrong = verify (&lab, &n);
  CU_ASSERT_PTR_NOT_NULL_FATAL (wrong);
  CU_ASSERT_EQUAL (wrong->len, 0);
  CU_ASSERT_EQUAL (n, 3);
  g_clear_pointer (&wrong, g_ptr_array_unref);
  blob = blob_path (&lab, "");
  damaged = blob_path (&lab, ".exo-damaged");
  fd = open (blob, O_WRONLY);
  CU_ASSERT_EQUAL (pwrite (fd, "!", 1, SIZE / 2), 1);
  close (fd);
  wrong = verify (&lab, &n);
  CU_ASSERT_PTR_NOT_NULL_FATAL (wrong);
  CU_ASSERT_EQUAL_FATAL (wrong->len, 2);
  CU_ASSERT_STRING_EQUAL (wrong->pdata[0], "model.bin");
  CU_ASSERT_FALSE (exists (&lab, "snapshots/" COMMIT "/model.bin"));
  CU_ASSERT_TRUE (exists (&lab, "snapshots/" COMMIT "/empty"));
  CU_ASSERT_TRUE (g_file_test (damaged, G_FILE_TEST_EXISTS));
  lab_close (&lab);
}

/* The index ----------------------------------------------------------------------------------- */

static void
what_must_survive_a_restart_does (void)
{
  Lab lab;
  g_autoptr (GPtrArray) transfers = NULL;
  ExoManifest *manifest;
  gboolean open;

  lab_open (&lab);
  publish_main (&lab);
  exo_store_save_transfer (lab.store, 2, "two");
  exo_store_save_transfer (lab.store, 1, "one");
  exo_store_save_transfer (lab.store, 3, "three");
  exo_store_forget_transfer (lab.store, 3);
  exo_store_set_counter (lab.store, "served", G_GUINT64_CONSTANT (1) << 40);
  exo_store_free (lab.store);
  open_store (&lab);
  transfers = exo_store_load_transfers (lab.store);
  CU_ASSERT_EQUAL_FATAL (transfers->len, 2);
  CU_ASSERT_STRING_EQUAL (transfers->pdata[0], "one");
  CU_ASSERT_EQUAL (exo_store_get_counter (lab.store, "served"), G_GUINT64_CONSTANT (1) << 40);
  CU_ASSERT_EQUAL (exo_store_get_counter (lab.store, "never"), 0);
  CU_ASSERT_TRUE (find (&lab, &open) && open);
  manifest = exo_store_peek_manifest (lab.store, EXO_REPO_MODEL, ID, COMMIT);
  CU_ASSERT_PTR_NOT_NULL_FATAL (manifest);
  CU_ASSERT_EQUAL (exo_manifest_n_files (manifest), 3);
  CU_ASSERT_PTR_NULL (exo_store_peek_manifest (lab.store, EXO_REPO_MODEL, ID, OTHER));
  lab_close (&lab);
}

static void
a_damaged_index_is_made_anew (void)
{
  Lab lab;
  g_autofree char *path = NULL, *damaged = NULL;

  lab_open (&lab);
  exo_store_set_counter (lab.store, "n", 1);
  exo_store_free (lab.store);
  path = g_build_filename (lab.state, "index.sqlite", NULL);
  damaged = g_strconcat (path, ".damaged", NULL);
  CU_ASSERT_TRUE (
      g_file_set_contents (path, "this is no data base, whatever it is called", -1, NULL));
  open_store (&lab);
  CU_ASSERT_EQUAL (exo_store_get_counter (lab.store, "n"), 0);
  CU_ASSERT_TRUE (g_file_test (damaged, G_FILE_TEST_EXISTS));
  lab_close (&lab);
}

static void
two_stores_never_share_an_index (void)
{
  Lab lab;
  g_autoptr (GError) error = NULL;

  lab_open (&lab);
  CU_ASSERT_PTR_NULL (exo_store_new (lab.hub, lab.state, &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DISK));
  lab_close (&lab);
}

EXO_SUITE ("store",
           TEST (a_dropped_partial_comes_back_with_its_pieces),
           TEST (another_boot_counts_only_checkpointed_pieces),
           TEST (a_data_file_of_another_size_is_not_trusted),
           TEST (a_mismatch_keeps_everything_and_heals),
           TEST (a_drop_behind_the_front_starts_it_again),
           TEST (two_processes_never_fetch_the_same_blob),
           TEST (a_client_that_is_fed_may_keep_its_lock),
           TEST (more_than_fits_is_refused),
           TEST (a_published_tree_is_that_of_the_python_client),
           TEST (a_listing_says_how_git_names_each_file),
           TEST (one_commit_may_be_published_twice_at_once),
           TEST (nothing_appears_without_its_blob),
           TEST (a_planted_link_leads_nothing_outside),
           TEST (a_held_blob_is_linked_not_fetched),
           TEST (a_damaged_blob_of_another_tool_is_set_aside),
           TEST (only_open_repos_make_a_blob_open),
           TEST (digests_are_those_of_the_pieces),
           TEST (a_scan_finds_what_others_downloaded),
           TEST (caches_of_other_tools_are_listed),
           TEST (removing_a_revision_keeps_what_another_uses),
           TEST (what_is_being_fetched_is_not_removed),
           TEST (verifying_finds_a_changed_byte),
           TEST (what_must_survive_a_restart_does),
           TEST (a_damaged_index_is_made_anew),
           TEST (two_stores_never_share_an_index))
