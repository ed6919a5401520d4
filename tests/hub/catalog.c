/* catalog.c - folders on disk, seen as the repos of a Hub
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/hub/catalog-private.h"

#define MIN_ABBREVIATION 7 /* digits of a commit */

static const char *const TYPES[] = { "models", "datasets", "spaces" };

struct HubCatalog
{
  GHashTable *repos;   /* (element-type utf8 HubRepo): "type/id" */
  GHashTable *aliases; /* (element-type utf8 utf8): case-folded "type/alias" to id */
  GHashTable *tokens;  /* (element-type utf8): set */
};

static char *
fold (const char *type, const char *id)
{
  g_autofree char *key = g_strconcat (type, "/", id, NULL);

  return g_utf8_casefold (key, -1);
}

static void
keep_commits (HubRepo *repo, HubCatalog *earlier)
{
  const HubRepo *before = earlier != NULL ? hub_catalog_find (earlier, repo->type, repo->id) : NULL;
  GHashTableIter iter;
  gpointer commit, manifest;

  if (before == NULL)
    return;
  g_hash_table_iter_init (&iter, before->commits);
  while (g_hash_table_iter_next (&iter, &commit, &manifest))
    if (!g_hash_table_contains (repo->commits, commit))
      g_hash_table_insert (repo->commits, g_strdup (commit), hub_manifest_ref (manifest));
}

static void
add_repo (HubCatalog *self, HubRepo *repo)
{
  for (gsize i = 0; repo->aliases[i] != NULL; i++)
    g_hash_table_insert (self->aliases, fold (repo->type, repo->aliases[i]), g_strdup (repo->id));
  g_hash_table_insert (self->aliases, fold (repo->type, repo->id), g_strdup (repo->id));
  for (gsize i = 0; repo->tokens[i] != NULL; i++)
    g_hash_table_add (self->tokens, g_strdup (repo->tokens[i]));
  g_hash_table_insert (self->repos, g_strconcat (repo->type, "/", repo->id, NULL), repo);
}

static gboolean
load_organisation (HubCatalog *self,
                   HubScan *scan,
                   HubCatalog *earlier,
                   const char *folder,
                   const char *type,
                   const char *organisation,
                   GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, error);
  const char *name;

  if (dir == NULL)
    return FALSE;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *repo_folder = g_build_filename (folder, name, NULL);
      g_autofree char *id = g_strconcat (organisation, "/", name, NULL);
      HubRepo *repo;

      if (!g_file_test (repo_folder, G_FILE_TEST_IS_DIR))
        continue;
      repo = hub_scan_repo (scan, repo_folder, type, id, error);
      if (repo == NULL)
        return FALSE;
      keep_commits (repo, earlier);
      add_repo (self, repo);
    }
  return TRUE;
}

static gboolean
load_type (HubCatalog *self,
           HubScan *scan,
           HubCatalog *earlier,
           const char *root,
           const char *type,
           GError **error)
{
  g_autofree char *folder = g_build_filename (root, type, NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *below = g_build_filename (folder, name, NULL);

      if (g_file_test (below, G_FILE_TEST_IS_DIR) &&
          !load_organisation (self, scan, earlier, below, type, name, error))
        return FALSE;
    }
  return TRUE;
}

static void
repo_free (gpointer repo)
{
  hub_repo_free (repo);
}

HubCatalog *
hub_catalog_load (const char *root, HubCatalog *earlier, GError **error)
{
  g_autoptr (HubCatalog) self = g_atomic_rc_box_new0 (HubCatalog);
  g_autoptr (HubScan) scan = NULL;

  self->repos = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, repo_free);
  self->aliases = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->tokens = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (!g_file_test (root, G_FILE_TEST_IS_DIR))
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOTDIR, "%s: not a folder", root);
      return NULL;
    }
  scan = hub_scan_new (root);
  for (gsize i = 0; i < G_N_ELEMENTS (TYPES); i++)
    if (!load_type (self, scan, earlier, root, TYPES[i], error))
      return NULL;
  hub_scan_save (scan);
  return g_steal_pointer (&self);
}

HubCatalog *
hub_catalog_ref (HubCatalog *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
catalog_clear (gpointer data)
{
  HubCatalog *self = data;

  g_hash_table_unref (self->repos);
  g_hash_table_unref (self->aliases);
  g_hash_table_unref (self->tokens);
}

void
hub_catalog_unref (HubCatalog *self)
{
  if (self != NULL)
    g_atomic_rc_box_release_full (self, catalog_clear);
}

const HubRepo *
hub_catalog_find (HubCatalog *self, const char *type, const char *id)
{
  g_autofree char *key = g_strconcat (type, "/", id, NULL);

  return g_hash_table_lookup (self->repos, key);
}

const char *
hub_catalog_canonical (HubCatalog *self, const char *type, const char *id)
{
  g_autofree char *key = fold (type, id);
  const char *canonical = g_hash_table_lookup (self->aliases, key);

  return g_strcmp0 (canonical, id) == 0 ? NULL : canonical;
}

gboolean
hub_catalog_knows_token (HubCatalog *self, const char *token)
{
  return g_hash_table_contains (self->tokens, token);
}

gboolean
hub_repo_grants (const HubRepo *repo, const char *token)
{
  return token != NULL && g_strv_contains ((const char *const *) repo->tokens, token);
}

static const HubManifest *
default_branch (const HubRepo *repo)
{
  const HubManifest *main_branch = g_hash_table_lookup (repo->branches, "main");
  GHashTableIter iter;
  gpointer first = NULL;

  if (main_branch != NULL)
    return main_branch;
  g_hash_table_iter_init (&iter, repo->branches);
  return g_hash_table_iter_next (&iter, NULL, &first) ? first : NULL;
}

/* NULL unless exactly one commit begins so */
static const HubManifest *
find_abbreviated (const HubRepo *repo, const char *revision)
{
  const HubManifest *found = NULL;
  GHashTableIter iter;
  gpointer commit, manifest;

  if (strlen (revision) < MIN_ABBREVIATION)
    return NULL;
  g_hash_table_iter_init (&iter, repo->commits);
  while (g_hash_table_iter_next (&iter, &commit, &manifest))
    if (g_str_has_prefix (commit, revision))
      {
        if (found != NULL)
          return NULL;
        found = manifest;
      }
  return found;
}

const HubManifest *
hub_repo_find (const HubRepo *repo, const char *revision)
{
  const char *branch;
  const HubManifest *manifest;

  if (revision == NULL || g_str_equal (revision, "HEAD"))
    return default_branch (repo);
  branch = g_hash_table_lookup (repo->tags, revision);
  manifest = g_hash_table_lookup (repo->branches, branch != NULL ? branch : revision);
  if (manifest == NULL)
    manifest = g_hash_table_lookup (repo->commits, revision);
  return manifest != NULL ? manifest : find_abbreviated (repo, revision);
}

const HubFile *
hub_manifest_find (const HubManifest *manifest, const char *path)
{
  return g_hash_table_lookup (manifest->by_path, path);
}
