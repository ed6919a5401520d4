/* scan.c - one folder of the root read as a repo
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "tests/hub/catalog-private.h"
#include "tests/hub/hash.h"

#define LFS_THRESHOLD (512 * 1024) /* bytes, unless repo.json says otherwise */
#define EMPTY_OID     "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"

static const char *const LFS_GLOBS[] = { "*.safetensors", "*.gguf", "*.bin", NULL };

struct HubScan
{
  char *root;
  JsonObject *before; /* (nullable): hash_key() to oid */
  JsonObject *after;
};

/* What repo.json says about telling LFS files from small ones */
typedef struct
{
  guint64 threshold;
  const char *const *globs;
} LfsRules;

HubScan *
hub_scan_new (const char *root)
{
  HubScan *self = g_new0 (HubScan, 1);
  g_autofree char *path = g_build_filename (root, ".hashes.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();

  self->root = g_strdup (root);
  self->after = json_object_new ();
  if (json_parser_load_from_file (parser, path, NULL) &&
      JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)))
    self->before = json_object_ref (json_node_get_object (json_parser_get_root (parser)));
  return self;
}

void
hub_scan_save (HubScan *self)
{
  g_autofree char *path = g_build_filename (self->root, ".hashes.json", NULL);
  g_autoptr (JsonNode) node = json_node_alloc ();
  g_autofree char *text = NULL;

  json_node_init_object (node, self->after);
  text = json_to_string (node, TRUE);
  g_file_set_contents (path, text, -1, NULL); /* only saves time: a read-only root is fine */
}

void
hub_scan_free (HubScan *self)
{
  if (self == NULL)
    return;
  g_free (self->root);
  g_clear_pointer (&self->before, json_object_unref);
  json_object_unref (self->after);
  g_free (self);
}

static void
file_free (gpointer data)
{
  HubFile *file = data;

  g_free (file->path);
  g_free (file->disk);
  g_free (file->git_oid);
  g_free (file->sha256);
  g_free (file->xet);
  g_free (file);
}

static void
manifest_clear (gpointer data)
{
  HubManifest *manifest = data;

  g_free (manifest->commit);
  g_hash_table_unref (manifest->by_path);
  g_ptr_array_unref (manifest->files);
}

HubManifest *
hub_manifest_ref (HubManifest *manifest)
{
  return g_atomic_rc_box_acquire (manifest);
}

static void
manifest_unref (gpointer manifest)
{
  g_atomic_rc_box_release_full (manifest, manifest_clear);
}

void
hub_repo_free (HubRepo *repo)
{
  if (repo == NULL)
    return;
  g_free (repo->type);
  g_free (repo->id);
  g_free (repo->gated);
  g_strfreev (repo->tokens);
  g_strfreev (repo->aliases);
  g_hash_table_unref (repo->branches);
  g_hash_table_unref (repo->tags);
  g_hash_table_unref (repo->commits);
  g_free (repo);
}

static char *
known_or_hashed (HubScan *self,
                 const char *disk,
                 const GStatBuf *info,
                 gboolean lfs,
                 GError **error)
{
  g_autofree char *key = g_strdup_printf ("%s|%" G_GINT64_FORMAT "|%" G_GINT64_FORMAT ".%09ld|%c",
                                          disk + strlen (self->root), (gint64) info->st_size,
                                          (gint64) info->st_mtim.tv_sec,
                                          (long) info->st_mtim.tv_nsec, lfs ? 'l' : 'g');
  const char *known = NULL;
  g_autofree char *oid = NULL;

  if (self->before != NULL)
    known = json_object_get_string_member_with_default (self->before, key, NULL);
  oid =
      known != NULL ? g_strdup (known) : hub_hash_file (disk, (guint64) info->st_size, lfs, error);
  if (oid != NULL)
    json_object_set_string_member (self->after, key, oid);
  return g_steal_pointer (&oid);
}

static gboolean
is_lfs (const LfsRules *rules, const char *path, guint64 size)
{
  if (size >= rules->threshold)
    return TRUE;
  for (gsize i = 0; rules->globs[i] != NULL; i++)
    if (g_pattern_match_simple (rules->globs[i], path))
      return TRUE;
  return FALSE;
}

static gboolean
add_file (HubScan *self,
          const LfsRules *rules,
          GPtrArray *files,
          const char *disk,
          const char *path,
          const GStatBuf *info,
          GError **error)
{
  gboolean lfs = is_lfs (rules, path, (guint64) info->st_size);
  g_autofree char *oid = known_or_hashed (self, disk, info, lfs, error);
  HubFile *file;

  if (oid == NULL)
    return FALSE;
  file = g_new0 (HubFile, 1);
  file->path = g_strdup (path);
  file->disk = g_strdup (disk);
  file->size = (guint64) info->st_size;
  file->lfs = lfs;
  if (lfs)
    {
      g_autofree char *pointer = hub_pointer_text (oid, file->size);

      file->git_oid = hub_git_blob_sha1 (pointer);
      file->xet = hub_xet_hash (oid);
      file->sha256 = g_steal_pointer (&oid);
    }
  else
    file->git_oid = g_steal_pointer (&oid);
  g_ptr_array_add (files, file);
  return TRUE;
}

/* @prefix: path in the repo, "" or ending in a slash */
static gboolean
add_folder (HubScan *self,
            const LfsRules *rules,
            GPtrArray *files,
            const char *folder,
            const char *prefix,
            GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, error);
  const char *name;

  if (dir == NULL)
    return FALSE;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *disk = g_build_filename (folder, name, NULL);
      g_autofree char *path = g_strconcat (prefix, name, NULL);
      gboolean ok = TRUE;
      GStatBuf info;

      if (!g_utf8_validate (name, -1, NULL) || g_stat (disk, &info) != 0)
        continue;
      if (S_ISDIR (info.st_mode))
        {
          g_autofree char *below = g_strconcat (path, "/", NULL);
          ok = add_folder (self, rules, files, disk, below, error);
        }
      else if (S_ISREG (info.st_mode))
        ok = add_file (self, rules, files, disk, path, &info, error);
      if (!ok)
        return FALSE;
    }
  return TRUE;
}

static int
by_path (gconstpointer a, gconstpointer b)
{
  const HubFile *const *left = a, *const *right = b;

  return strcmp ((*left)->path, (*right)->path);
}

static HubManifest *
manifest_new (GPtrArray *files)
{
  HubManifest *manifest = g_atomic_rc_box_new0 (HubManifest);
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA1);

  g_ptr_array_sort (files, by_path);
  manifest->files = g_ptr_array_ref (files);
  manifest->by_path = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < files->len; i++)
    {
      HubFile *file = g_ptr_array_index (files, i);
      g_autofree char *line =
          g_strdup_printf ("%s %" G_GUINT64_FORMAT " %s\n",
                           file->lfs ? file->sha256 : file->git_oid, file->size, file->path);

      g_checksum_update (sum, (const guchar *) line, -1);
      g_hash_table_insert (manifest->by_path, file->path, file);
    }
  manifest->commit = g_strdup (g_checksum_get_string (sum));
  return manifest;
}

static char **
strings_of (JsonObject *settings, const char *member)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new ();

  if (settings != NULL && json_object_has_member (settings, member))
    {
      JsonArray *array = json_object_get_array_member (settings, member);

      for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
        g_ptr_array_add (list, g_strdup (json_array_get_string_element (array, i)));
    }
  g_ptr_array_add (list, NULL);
  return (char **) g_ptr_array_steal (list, NULL);
}

static void
read_tags (HubRepo *repo, JsonObject *settings)
{
  JsonObject *tags = NULL;
  g_autoptr (GList) names = NULL;

  if (json_object_has_member (settings, "tags"))
    tags = json_object_get_object_member (settings, "tags");
  if (tags == NULL)
    return;
  names = json_object_get_members (tags);
  for (GList *at = names; at != NULL; at = at->next)
    g_hash_table_insert (
        repo->tags, g_strdup (at->data),
        g_strdup (json_object_get_string_member_with_default (tags, at->data, "")));
}

static void
read_settings (HubRepo *repo, JsonObject *settings)
{
  JsonNode *gated = json_object_get_member (settings, "gated");

  repo->is_private = json_object_get_boolean_member_with_default (settings, "private", FALSE);
  repo->disabled = json_object_get_boolean_member_with_default (settings, "disabled", FALSE);
  if (gated != NULL && json_node_get_value_type (gated) == G_TYPE_STRING)
    repo->gated = json_node_dup_string (gated);
  read_tags (repo, settings);
}

static void
add_extra_paths (GPtrArray *files, char **paths)
{
  for (gsize i = 0; paths[i] != NULL; i++)
    {
      HubFile *file = g_new0 (HubFile, 1);

      file->path = g_strdup (paths[i]);
      file->git_oid = g_strdup (EMPTY_OID);
      g_ptr_array_add (files, file);
    }
}

static gboolean
add_branch (HubScan *self,
            HubRepo *repo,
            const LfsRules *rules,
            char **extra,
            const char *folder,
            const char *name,
            GError **error)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (file_free);
  g_autofree char *branch = g_uri_unescape_string (name, NULL);
  HubManifest *manifest;

  if (branch == NULL)
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: no name of a revision", folder);
      return FALSE;
    }
  if (!add_folder (self, rules, files, folder, "", error))
    return FALSE;
  add_extra_paths (files, extra);
  manifest = manifest_new (files);
  g_hash_table_insert (repo->commits, g_strdup (manifest->commit), hub_manifest_ref (manifest));
  g_hash_table_insert (repo->branches, g_steal_pointer (&branch), manifest);
  return TRUE;
}

static HubRepo *
repo_new (const char *type, const char *id)
{
  HubRepo *repo = g_new0 (HubRepo, 1);

  repo->type = g_strdup (type);
  repo->id = g_strdup (id);
  repo->branches = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, manifest_unref);
  repo->tags = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  repo->commits = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, manifest_unref);
  return repo;
}

HubRepo *
hub_scan_repo (HubScan *self, const char *folder, const char *type, const char *id, GError **error)
{
  g_autoptr (HubRepo) repo = repo_new (type, id);
  g_autofree char *settings_path = g_build_filename (folder, "repo.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_auto (GStrv) globs = NULL;
  g_auto (GStrv) extra = NULL;
  g_autoptr (GDir) dir = NULL;
  JsonObject *settings = NULL;
  LfsRules rules = { LFS_THRESHOLD, LFS_GLOBS };
  const char *name;

  if (g_file_test (settings_path, G_FILE_TEST_EXISTS))
    {
      if (!json_parser_load_from_file (parser, settings_path, error))
        return NULL;
      if (JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)))
        settings = json_node_get_object (json_parser_get_root (parser));
    }
  repo->tokens = strings_of (settings, "tokens");
  repo->aliases = strings_of (settings, "aliases");
  extra = strings_of (settings, "extra_paths");
  globs = strings_of (settings, "lfs");
  if (settings != NULL)
    {
      gint64 bytes =
          json_object_get_int_member_with_default (settings, "lfs_threshold", LFS_THRESHOLD);

      read_settings (repo, settings);
      rules.threshold = (guint64) MAX (bytes, 0);
      if (json_object_has_member (settings, "lfs"))
        rules.globs = (const char *const *) globs;
    }
  dir = g_dir_open (folder, 0, error);
  if (dir == NULL)
    return NULL;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *branch = g_build_filename (folder, name, NULL);

      if (g_file_test (branch, G_FILE_TEST_IS_DIR) &&
          !add_branch (self, repo, &rules, extra, branch, name, error))
        return NULL;
    }
  return g_steal_pointer (&repo);
}
