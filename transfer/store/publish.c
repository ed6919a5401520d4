/* publish.c - a snapshot appears: symlinks, listing, ref, in that order
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The order is that of hub-protocol.md 3.4: `hf cache ls` calls the whole repo corrupt if a symlink
 * dangles or a ref names a commit without a snapshot. Files on their way to a rename wait in
 * blobs/, where no tool minds them.
 */

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <inttypes.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "transfer/store/hash.h"
#include "transfer/store/store-private.h"

#define TREE_FORMAT_VERSION 1

typedef struct
{
  ExoManifest *manifest;
  char *revision; /* NULL: no ref */
  gboolean whole;
} Publish;

static void
publish_free (Publish *publish)
{
  exo_manifest_unref (publish->manifest);
  g_free (publish->revision);
  g_free (publish);
}

static char *
blob_path (ExoStore *store, ExoManifest *manifest, const char *oid, const char *suffix)
{
  g_autofree char *relative =
      exo_layout_blob (exo_manifest_type (manifest), exo_manifest_id (manifest), oid, suffix);

  return exo_store_path (store, relative);
}

/* Blobs --------------------------------------------------------------------------------------- */

static gboolean
make_empty_blob (ExoStore *store,
                 ExoManifest *manifest,
                 const ExoManifestFile *file,
                 const char *path,
                 GError **error)
{
  g_autofree char *oid = exo_hash_bytes (exo_oid_kind (file->oid), "", 0);
  g_autofree char *temp = g_strconcat (path, EXO_LAYOUT_TEMP, NULL);
  struct stat st;

  if (strcmp (oid, file->oid) != 0)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_MISMATCH,
                   _ ("%s is listed as empty, but %s is not the hash of nothing"), file->path,
                   file->oid);
      return FALSE;
    }
  if (stat (path, &st) != 0 || !S_ISREG (st.st_mode) || st.st_size != 0)
    if (!exo_store_replace_file (store, temp, path, "", 0, error))
      return FALSE;
  if (stat (path, &st) == 0)
    exo_store_remember (store, exo_manifest_type (manifest), exo_manifest_id (manifest), file->oid,
                        path, &st);
  return TRUE;
}

static gboolean
check_blob (ExoStore *store, ExoManifest *manifest, const ExoManifestFile *file, GError **error)
{
  g_autofree char *path = blob_path (store, manifest, file->oid, "");
  struct stat st;

  if (file->size == 0)
    return make_empty_blob (store, manifest, file, path, error);
  if (stat (path, &st) != 0 || !S_ISREG (st.st_mode))
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NOT_FOUND,
                   _ ("%s: its blob %s is not in the cache"), file->path, file->oid);
      return FALSE;
    }
  if ((guint64) st.st_size == file->size)
    return TRUE;
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_MISMATCH,
               _ ("%s: its blob has %" PRIu64 " bytes instead of %" PRIu64), file->path,
               (guint64) st.st_size, file->size);
  return FALSE;
}

/* Links --------------------------------------------------------------------------------------- */

/* The folder that @path lies in, below @folder_fd, made where missing; symlinks are not followed,
 * so that nothing appears outside the snapshot. -1 with @error */
static int
open_folder_of (int folder_fd, const char *path, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (path, "/", -1);
  int fd = dup (folder_fd);

  for (guint i = 0; fd >= 0 && parts[i + 1] != NULL; i++)
    {
      int below = -1;

      if (mkdirat (fd, parts[i], 0777) == 0 || errno == EEXIST)
        below = openat (fd, parts[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (below < 0)
        exo_store_errno (error, errno, _ ("cannot make the folder of %s"), path);
      close (fd);
      fd = below;
    }
  return fd;
}

static gboolean
link_says (int folder_fd, const char *name, const char *target)
{
  char text[4096];
  gssize n = readlinkat (folder_fd, name, text, sizeof text);

  return n > 0 && (gsize) n == strlen (target) && memcmp (text, target, (gsize) n) == 0;
}

/* @temp: where a new link waits when it takes the place of something else */
static gboolean
place_link (int folder_fd, const char *path, const char *target, const char *temp, GError **error)
{
  const char *slash = strrchr (path, '/');
  const char *name = slash == NULL ? path : slash + 1;

  if (symlinkat (target, folder_fd, name) == 0)
    return TRUE;
  if (errno != EEXIST)
    return exo_store_errno (error, errno, _ ("cannot link %s"), path);
  if (link_says (folder_fd, name, target))
    return TRUE;
  unlink (temp);
  if (symlink (target, temp) != 0)
    return exo_store_errno (error, errno, _ ("cannot link %s"), path);
  if (renameat (AT_FDCWD, temp, folder_fd, name) == 0)
    return TRUE;
  exo_store_errno (error, errno, _ ("cannot link %s"), path);
  unlink (temp);
  return FALSE;
}

static gboolean
publish_file (ExoStore *store,
              ExoManifest *manifest,
              const ExoManifestFile *file,
              int snapshot_fd,
              GError **error)
{
  g_autofree char *target = exo_layout_link_target (file->path, file->oid);
  g_autofree char *temp = blob_path (store, manifest, file->oid, ".link" EXO_LAYOUT_TEMP);
  gboolean placed;
  int fd;

  if (!check_blob (store, manifest, file, error))
    return FALSE;
  fd = open_folder_of (snapshot_fd, file->path, error);
  if (fd < 0)
    return FALSE;
  placed = place_link (fd, file->path, target, temp, error);
  close (fd);
  return placed;
}

static gboolean
publish_files (ExoStore *store, GTask *task, ExoManifest *manifest, GError **error)
{
  g_autofree char *relative = exo_layout_snapshot (
      exo_manifest_type (manifest), exo_manifest_id (manifest), exo_manifest_commit (manifest));
  g_autofree char *snapshot = exo_store_path (store, relative);
  gboolean fine = TRUE;
  int fd;

  for (guint i = 0; i < exo_manifest_n_files (manifest); i++)
    if (!check_blob (store, manifest, exo_manifest_file (manifest, i), error))
      return FALSE;
  if (g_mkdir_with_parents (snapshot, 0777) != 0)
    return exo_store_errno (error, errno, _ ("cannot make %s"), snapshot);
  fd = open (snapshot, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return exo_store_errno (error, errno, _ ("cannot open %s"), snapshot);
  for (guint i = 0; fine && i < exo_manifest_n_files (manifest); i++)
    fine = !exo_store_is_cancelled (store, g_task_get_cancellable (task), error) &&
           publish_file (store, manifest, exo_manifest_file (manifest, i), fd, error);
  if (fine && fsync (fd) != 0 && errno != EINVAL)
    fine = exo_store_errno (error, errno, _ ("cannot sync %s"), snapshot);
  close (fd);
  return fine;
}

/* Listing and ref ----------------------------------------------------------------------------- */

static void
describe_file (JsonBuilder *builder, const ExoManifestFile *file)
{
  gboolean lfs = exo_oid_kind (file->oid) == EXO_OID_SHA256;

  json_builder_set_member_name (builder, file->path);
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "size");
  json_builder_add_int_value (builder, (gint64) file->size);
  json_builder_set_member_name (builder, "blob_id");
  if (lfs)
    {
      g_autofree char *pointer = exo_layout_lfs_pointer (file->oid, file->size);
      g_autofree char *pointer_oid = exo_hash_bytes (EXO_OID_SHA1, pointer, strlen (pointer));

      json_builder_add_string_value (builder, pointer_oid);
      json_builder_set_member_name (builder, "lfs_sha256");
      json_builder_add_string_value (builder, file->oid);
      json_builder_set_member_name (builder, "lfs_size");
      json_builder_add_int_value (builder, (gint64) file->size);
    }
  else
    json_builder_add_string_value (builder, file->oid);
  json_builder_end_object (builder);
}

static char *
describe_tree (ExoManifest *manifest)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "format_version");
  json_builder_add_int_value (builder, TREE_FORMAT_VERSION);
  json_builder_set_member_name (builder, "files");
  json_builder_begin_object (builder);
  for (guint i = 0; i < exo_manifest_n_files (manifest); i++)
    describe_file (builder, exo_manifest_file (manifest, i));
  json_builder_end_object (builder);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  return json_to_string (root, FALSE);
}

/* @path: (transfer none) (nullable) relative to the cache; NULL: a name that cannot be one */
static gboolean
write_small (ExoStore *store,
             ExoManifest *manifest,
             const char *relative,
             const char *kind,
             const char *text,
             GError **error)
{
  /* Named after the commit, which is as good an oid as any to wait under in blobs/ */
  g_autofree char *temp = blob_path (store, manifest, exo_manifest_commit (manifest), kind);
  g_autofree char *path = exo_store_path (store, relative);

  if (path == NULL)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                   _ ("not a revision that can be a file name"));
      return FALSE;
    }
  return exo_store_replace_file (store, temp, path, text, strlen (text), error);
}

static gboolean
write_tree (ExoStore *store, ExoManifest *manifest, GError **error)
{
  g_autofree char *relative = exo_layout_tree (
      exo_manifest_type (manifest), exo_manifest_id (manifest), exo_manifest_commit (manifest));
  g_autofree char *text = describe_tree (manifest);

  return write_small (store, manifest, relative, ".tree" EXO_LAYOUT_TEMP, text, error);
}

static gboolean
write_ref (ExoStore *store, ExoManifest *manifest, const char *revision, GError **error)
{
  g_autofree char *relative =
      exo_layout_ref (exo_manifest_type (manifest), exo_manifest_id (manifest), revision);

  return write_small (store, manifest, relative, ".ref" EXO_LAYOUT_TEMP,
                      exo_manifest_commit (manifest), error);
}

/* One at a time: two of one commit would take each other's files on their way to a rename. */
static void
publish_work (ExoStore *store, GTask *task, gpointer task_data)
{
  static GMutex publishing;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&publishing);
  Publish *publish = task_data;
  ExoManifest *manifest = publish->manifest;
  GError *error = NULL;

  if (!publish_files (store, task, manifest, &error) ||
      (publish->whole && !write_tree (store, manifest, &error)) ||
      (publish->revision != NULL && !write_ref (store, manifest, publish->revision, &error)))
    {
      g_prefix_error (&error, "%s: ", exo_manifest_id (manifest));
      g_task_return_error (task, error);
    }
  else
    g_task_return_boolean (task, TRUE);
}

void
exo_store_publish_async (ExoStore *store,
                         ExoManifest *manifest,
                         const char *revision,
                         gboolean whole,
                         GCancellable *cancellable,
                         GAsyncReadyCallback callback,
                         gpointer user_data)
{
  GTask *task = exo_store_task_new (cancellable, callback, user_data, exo_store_publish_async);
  Publish *publish = g_new0 (Publish, 1);

  publish->manifest = exo_manifest_ref (manifest);
  /* A commit is its own name: the Python client writes no ref for it, either */
  if (revision != NULL && strcmp (revision, exo_manifest_commit (manifest)) != 0)
    publish->revision = g_strdup (revision);
  publish->whole = whole;
  g_task_set_task_data (task, publish, (GDestroyNotify) publish_free);
  exo_store_start (store, store->jobs, task, publish_work);
}

gboolean
exo_store_publish_finish (ExoStore *store, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
