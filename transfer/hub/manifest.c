/* manifest.c - see manifest.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/hub/manifest.h"

#include <glib/gi18n.h>
#include <string.h>

#include "transfer/error.h"
#include "transfer/hub/glob.h"
#include "transfer/json-text.h"
#include "transfer/oid.h"

#define MANIFEST_VERSION 1

/* 100,000 files of a usual 60-byte path, 64-byte oid and 30 bytes around them are 15 MB. */
#define JSON_MAX (32u << 20) /* bytes */

struct ExoManifest
{
  gatomicrefcount ref_count;
  ExoRepoType type;
  char *id;
  char *commit;
  gboolean open;
  GPtrArray *files; /* (element-type ExoManifestFile), sorted by path */
  guint64 bytes;    /* sum over files */
};

ExoManifestFile *
exo_manifest_file_new (const char *path, guint64 size, const char *oid)
{
  ExoManifestFile *file = g_new (ExoManifestFile, 1);

  file->path = g_strdup (path);
  file->size = size;
  file->oid = g_strdup (oid);
  return file;
}

void
exo_manifest_file_free (ExoManifestFile *file)
{
  if (file == NULL)
    return;
  g_free (file->path);
  g_free (file->oid);
  g_free (file);
}

static gboolean
check_files (GPtrArray *files, guint64 *out_bytes, GError **error)
{
  guint64 bytes = 0;

  if (files->len > EXO_MANIFEST_FILES_MAX)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_TOO_LARGE,
                   _ ("more than %u files"), EXO_MANIFEST_FILES_MAX);
      return FALSE;
    }
  for (guint i = 0; i < files->len; i++)
    {
      const ExoManifestFile *file = g_ptr_array_index (files, i);

      if (!exo_path_check (file->path, error))
        return FALSE;
      if (exo_oid_kind (file->oid) == EXO_OID_NONE)
        {
          g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                       _ ("%s: its oid is not a hash"), file->path);
          return FALSE;
        }
      if (file->size > (guint64) G_MAXINT64 - bytes)
        {
          g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_TOO_LARGE,
                       _ ("%s: the sizes add up to more than 2^63 bytes"), file->path);
          return FALSE;
        }
      bytes += file->size;
    }
  *out_bytes = bytes;
  return TRUE;
}

static gint
by_path (gconstpointer a, gconstpointer b)
{
  const ExoManifestFile *const *x = a, *const *y = b;

  return strcmp ((*x)->path, (*y)->path);
}

/* "/" before every other character (paths hold no control characters), so that a folder's content
 * follows right after its name. */
static gint
by_tree (gconstpointer a, gconstpointer b)
{
  const ExoManifestFile *const *x = a, *const *y = b;
  const char *p = (*x)->path, *q = (*y)->path;

  while (*p != '\0' && *p == *q)
    p++, q++;
  return (*p == '/' ? 1 : (guchar) *p) - (*q == '/' ? 1 : (guchar) *q);
}

static gint
by_oid (gconstpointer a, gconstpointer b)
{
  const ExoManifestFile *const *x = a, *const *y = b;

  return strcmp ((*x)->oid, (*y)->oid);
}

static GPtrArray *
sorted_view (GPtrArray *files, GCompareFunc order)
{
  GPtrArray *view = g_ptr_array_sized_new (files->len);

  for (guint i = 0; i < files->len; i++)
    g_ptr_array_add (view, g_ptr_array_index (files, i));
  g_ptr_array_sort (view, order);
  return view;
}

/* Sorting instead of hashing: whoever wrote the listing may also have chosen names that collide. */
static gboolean
check_paths_apart (GPtrArray *files, GError **error)
{
  g_autoptr (GPtrArray) view = sorted_view (files, by_tree);

  for (guint i = 1; i < view->len; i++)
    {
      const char *before = ((ExoManifestFile *) g_ptr_array_index (view, i - 1))->path;
      const char *path = ((ExoManifestFile *) g_ptr_array_index (view, i))->path;
      gsize n = strlen (before);

      if (strncmp (before, path, n) != 0 || (path[n] != '\0' && path[n] != '/'))
        continue;
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                   path[n] == '\0' ? _ ("%s: listed twice") : _ ("%s: both a file and a folder"),
                   before);
      return FALSE;
    }
  return TRUE;
}

static gboolean
check_sizes_agree (GPtrArray *files, GError **error)
{
  g_autoptr (GPtrArray) view = sorted_view (files, by_oid);

  for (guint i = 1; i < view->len; i++)
    {
      const ExoManifestFile *a = g_ptr_array_index (view, i - 1);
      const ExoManifestFile *b = g_ptr_array_index (view, i);

      if (strcmp (a->oid, b->oid) != 0 || a->size == b->size)
        continue;
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                   _ ("%s and %s: the same content with two sizes"), a->path, b->path);
      return FALSE;
    }
  return TRUE;
}

/* Everything but the files was checked. */
static ExoManifest *
manifest_alloc (ExoRepoType type, const char *id, const char *commit, gboolean open)
{
  ExoManifest *manifest = g_new0 (ExoManifest, 1);

  g_atomic_ref_count_init (&manifest->ref_count);
  manifest->type = type;
  manifest->id = g_strdup (id);
  manifest->commit = g_strdup (commit);
  manifest->open = open;
  return manifest;
}

ExoManifest *
exo_manifest_new (ExoRepoType type,
                  const char *id,
                  const char *commit,
                  gboolean open,
                  GPtrArray *files,
                  GError **error)
{
  g_autoptr (GPtrArray) owned = files;
  ExoManifest *manifest;
  guint64 bytes;

  g_ptr_array_set_free_func (owned, (GDestroyNotify) exo_manifest_file_free);
  if (!exo_repo_id_check (id, error))
    return NULL;
  if (!exo_is_commit (commit))
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                   _ ("%s: its commit is not 40 hex digits"), id);
      return NULL;
    }
  if (!check_files (owned, &bytes, error) || !check_paths_apart (owned, error) ||
      !check_sizes_agree (owned, error))
    {
      g_prefix_error (error, "%s: ", id);
      return NULL;
    }
  manifest = manifest_alloc (type, id, commit, open);
  manifest->bytes = bytes;
  g_ptr_array_sort (owned, by_path);
  manifest->files = g_steal_pointer (&owned);
  return manifest;
}

ExoManifest *
exo_manifest_ref (ExoManifest *manifest)
{
  g_atomic_ref_count_inc (&manifest->ref_count);
  return manifest;
}

void
exo_manifest_unref (ExoManifest *manifest)
{
  if (manifest == NULL || !g_atomic_ref_count_dec (&manifest->ref_count))
    return;
  g_free (manifest->id);
  g_free (manifest->commit);
  g_clear_pointer (&manifest->files, g_ptr_array_unref);
  g_free (manifest);
}

ExoRepoType
exo_manifest_type (const ExoManifest *manifest)
{
  return manifest->type;
}

const char *
exo_manifest_id (const ExoManifest *manifest)
{
  return manifest->id;
}

const char *
exo_manifest_commit (const ExoManifest *manifest)
{
  return manifest->commit;
}

gboolean
exo_manifest_is_open (const ExoManifest *manifest)
{
  return manifest->open;
}

guint
exo_manifest_n_files (const ExoManifest *manifest)
{
  return manifest->files->len;
}

const ExoManifestFile *
exo_manifest_file (const ExoManifest *manifest, guint index)
{
  g_return_val_if_fail (index < manifest->files->len, NULL);
  return g_ptr_array_index (manifest->files, index);
}

gboolean
exo_manifest_find (const ExoManifest *manifest, const char *path, guint *out_index)
{
  guint low = 0, high = manifest->files->len;

  while (low < high)
    {
      guint middle = low + (high - low) / 2;
      int order = strcmp (exo_manifest_file (manifest, middle)->path, path);

      if (order == 0)
        {
          *out_index = middle;
          return TRUE;
        }
      if (order < 0)
        low = middle + 1;
      else
        high = middle;
    }
  return FALSE;
}

guint64
exo_manifest_bytes (const ExoManifest *manifest)
{
  return manifest->bytes;
}

/* Filtering ----------------------------------------------------------------------------------- */

/* @globs: (nullable). A trailing "/" becomes "/" and a star. */
static GPtrArray *
compile_globs (const char *const *globs, GError **error)
{
  g_autoptr (GPtrArray) compiled = g_ptr_array_new_with_free_func (g_free);

  for (; globs != NULL && *globs != NULL; globs++)
    {
      if (!exo_glob_check (*globs, error))
        return NULL;
      g_ptr_array_add (compiled, g_str_has_suffix (*globs, "/") ? g_strconcat (*globs, "*", NULL)
                                                                : g_strdup (*globs));
    }
  return g_steal_pointer (&compiled);
}

static gboolean
any_matches (GPtrArray *globs, const char *path)
{
  for (guint i = 0; i < globs->len; i++)
    if (exo_glob_match (g_ptr_array_index (globs, i), path))
      return TRUE;
  return FALSE;
}

ExoManifest *
exo_manifest_filter (ExoManifest *manifest,
                     const char *const *includes,
                     const char *const *excludes,
                     GError **error)
{
  g_autoptr (GPtrArray) in = compile_globs (includes, error);
  g_autoptr (GPtrArray) out = in != NULL ? compile_globs (excludes, error) : NULL;
  g_autoptr (ExoManifest) left = NULL;

  if (out == NULL)
    return NULL;
  left = manifest_alloc (manifest->type, manifest->id, manifest->commit, manifest->open);
  left->files = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_manifest_file_free);
  for (guint i = 0; i < manifest->files->len; i++)
    {
      const ExoManifestFile *file = g_ptr_array_index (manifest->files, i);

      if ((in->len > 0 && !any_matches (in, file->path)) || any_matches (out, file->path))
        continue;
      g_ptr_array_add (left->files, exo_manifest_file_new (file->path, file->size, file->oid));
      left->bytes += file->size;
    }
  if (left->files->len == 0)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NOT_FOUND,
                   ngettext ("%s: its %u file is not left by the patterns",
                             "%s: none of its %u files is left by the patterns",
                             manifest->files->len),
                   manifest->id, manifest->files->len);
      return NULL;
    }
  return g_steal_pointer (&left);
}

/* JSON ---------------------------------------------------------------------------------------- */

char *
exo_manifest_to_json (const ExoManifest *manifest)
{
  g_autoptr (JsonNode) root = json_node_new (JSON_NODE_OBJECT);
  g_autoptr (JsonObject) object = json_object_new ();
  JsonArray *files = json_array_sized_new (manifest->files->len);

  for (guint i = 0; i < manifest->files->len; i++)
    {
      const ExoManifestFile *file = g_ptr_array_index (manifest->files, i);
      JsonArray *row = json_array_sized_new (3);

      json_array_add_string_element (row, file->path);
      json_array_add_int_element (row, (gint64) file->size);
      json_array_add_string_element (row, file->oid);
      json_array_add_array_element (files, row);
    }
  json_object_set_int_member (object, "v", MANIFEST_VERSION);
  json_object_set_string_member (object, "type", exo_repo_type_name (manifest->type));
  json_object_set_string_member (object, "id", manifest->id);
  json_object_set_string_member (object, "commit", manifest->commit);
  json_object_set_boolean_member (object, "open", manifest->open);
  json_object_set_array_member (object, "files", files);
  json_node_set_object (root, object);
  return json_to_string (root, FALSE);
}

static gpointer
not_a_manifest (GError **error, const char *why)
{
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID, _ ("not a manifest: %s"),
               why);
  return NULL;
}

/* (element-type ExoManifestFile); what the values are is checked by exo_manifest_new() */
static GPtrArray *
files_from_json (JsonArray *rows, GError **error)
{
  g_autoptr (GPtrArray) files =
      g_ptr_array_new_with_free_func ((GDestroyNotify) exo_manifest_file_free);
  guint n = json_array_get_length (rows);

  for (guint i = 0; i < n; i++)
    {
      JsonNode *node = json_array_get_element (rows, i);
      JsonArray *row = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
      const char *path = NULL, *oid = NULL;
      guint64 size = 0;

      if (row != NULL && json_array_get_length (row) >= 3)
        {
          path = exo_json_node_string (json_array_get_element (row, 0));
          oid = exo_json_node_string (json_array_get_element (row, 2));
        }
      if (path == NULL || oid == NULL ||
          !exo_json_node_size (json_array_get_element (row, 1), &size))
        {
          return not_a_manifest (error, _ ("a file is not [path, size, oid]"));
        }
      g_ptr_array_add (files, exo_manifest_file_new (path, size, oid));
    }
  return g_steal_pointer (&files);
}

ExoManifest *
exo_manifest_from_json (const char *text, gssize length, GError **error)
{
  g_autoptr (JsonNode) root = exo_json_parse (text, length, JSON_MAX, error);
  g_autoptr (GPtrArray) files = NULL;
  JsonObject *object;
  JsonArray *rows;
  ExoRepoType type;
  gboolean open;
  guint64 version;

  if (root == NULL)
    return NULL;
  object = JSON_NODE_HOLDS_OBJECT (root) ? json_node_get_object (root) : NULL;
  if (object == NULL || !exo_json_size (object, "v", &version) || version != MANIFEST_VERSION)
    return not_a_manifest (error, _ ("its version is not 1"));
  rows = exo_json_array (object, "files");
  if (!exo_repo_type_parse (exo_json_string (object, "type"), &type) ||
      !exo_json_boolean (object, "open", &open) || rows == NULL)
    return not_a_manifest (error, _ ("\"type\", \"open\" or \"files\" is missing"));
  files = files_from_json (rows, error);
  if (files == NULL)
    return NULL;
  return exo_manifest_new (type, exo_json_string (object, "id"), exo_json_string (object, "commit"),
                           open, g_steal_pointer (&files), error);
}
