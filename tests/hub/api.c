/* api.c - what /api/ answers about repos
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <json-glib/json-glib.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hub/hash.h"
#include "tests/hub/reply.h"

#define PAGE_ENTRIES        1000 /* of a tree listing */
#define PAGE_ENTRIES_EXPAND 50
#define MASK                "****************************************************************"

/* One line of a tree listing */
typedef struct
{
  char *path;
  const HubFile *file; /* (nullable): a directory */
} Entry;

static void
entry_free (gpointer data)
{
  Entry *entry = data;

  g_free (entry->path);
  g_free (entry);
}

static int
by_path (gconstpointer a, gconstpointer b)
{
  const Entry *const *left = a, *const *right = b;

  return strcmp ((*left)->path, (*right)->path);
}

static HubReply *
json_reply (JsonNode *root)
{
  g_autofree char *text = json_to_string (root, FALSE);
  HubReply *reply = hub_reply_new (200, "application/json; charset=utf-8", text);

  reply->may_gzip = TRUE;
  return reply;
}

static HubReply *
array_reply (JsonArray *array)
{
  g_autoptr (JsonNode) root = json_node_alloc ();

  json_node_init_array (root, array);
  return json_reply (root);
}

static void
set_lfs (JsonObject *json, const HubFile *file, const char *hash_name, gboolean masked)
{
  JsonObject *lfs = json_object_new ();
  g_autofree char *pointer = hub_pointer_text (file->sha256, file->size);

  json_object_set_string_member (lfs, hash_name, masked ? MASK : file->sha256);
  json_object_set_int_member (lfs, "size", (gint64) file->size);
  json_object_set_int_member (lfs, "pointerSize", (gint64) strlen (pointer));
  json_object_set_object_member (json, "lfs", lfs);
}

static void
set_expanded (JsonObject *json, const HubManifest *manifest)
{
  JsonObject *commit = json_object_new ();
  JsonObject *security = json_object_new ();

  json_object_set_string_member (commit, "id", manifest->commit);
  json_object_set_string_member (commit, "title", "Upload files");
  json_object_set_string_member (commit, "date", "2026-01-02T03:04:05.000Z");
  json_object_set_object_member (json, "lastCommit", commit);
  json_object_set_string_member (security, "status", "safe");
  json_object_set_object_member (json, "securityFileStatus", security);
}

static JsonObject *
entry_json (const Entry *entry, const HubManifest *manifest, gboolean masked, gboolean expand)
{
  JsonObject *json = json_object_new ();

  json_object_set_string_member (json, "type", entry->file != NULL ? "file" : "directory");
  if (entry->file != NULL)
    json_object_set_string_member (json, "oid", entry->file->git_oid);
  else
    {
      g_autofree char *name = g_strconcat ("tree ", manifest->commit, " ", entry->path, NULL);
      g_autofree char *oid = g_compute_checksum_for_string (G_CHECKSUM_SHA1, name, -1);
      json_object_set_string_member (json, "oid", oid);
    }
  json_object_set_int_member (json, "size", entry->file != NULL ? (gint64) entry->file->size : 0);
  json_object_set_string_member (json, "path", entry->path);
  if (entry->file != NULL && entry->file->lfs)
    {
      set_lfs (json, entry->file, "oid", masked);
      json_object_set_string_member (json, "xetHash", masked ? MASK : entry->file->xet);
    }
  if (expand)
    set_expanded (json, manifest);
  return json;
}

static void
add_entry (GPtrArray *entries, const char *path, gsize length, const HubFile *file)
{
  Entry *entry = g_new0 (Entry, 1);

  entry->path = g_strndup (path, length);
  entry->file = file;
  g_ptr_array_add (entries, entry);
}

/* The folders between @skip and the name of @path that were not listed yet */
static void
add_folders (GPtrArray *entries,
             GHashTable *listed,
             const char *path,
             gsize skip,
             gboolean recursive)
{
  for (const char *slash = strchr (path + skip, '/'); slash != NULL;
       slash = strchr (slash + 1, '/'))
    {
      gsize length = (gsize) (slash - path);

      if (g_hash_table_add (listed, g_strndup (path, length)))
        add_entry (entries, path, length, NULL);
      if (!recursive)
        return;
    }
}

/* @folder: (nullable): NULL is the root; Returns: (nullable): NULL if there is no such folder */
static GPtrArray *
list_entries (const HubManifest *manifest, const char *folder, gboolean recursive)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func (entry_free);
  g_autoptr (GHashTable) listed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *prefix = folder != NULL ? g_strconcat (folder, "/", NULL) : g_strdup ("");
  gsize skip = strlen (prefix);

  for (guint i = 0; i < manifest->files->len; i++)
    {
      const HubFile *file = g_ptr_array_index (manifest->files, i);

      if (!g_str_has_prefix (file->path, prefix))
        continue;
      add_folders (entries, listed, file->path, skip, recursive);
      if (recursive || strchr (file->path + skip, '/') == NULL)
        add_entry (entries, file->path, strlen (file->path), file);
    }
  if (entries->len == 0 && folder != NULL)
    return NULL;
  g_ptr_array_sort (entries, by_path);
  return g_steal_pointer (&entries);
}

/* A cursor is "offset-mac": any other is answered with an empty page */
static char *
make_cursor (const HubAsk *ask, const HubManifest *manifest, guint64 offset)
{
  g_autofree char *text =
      g_strdup_printf ("%s %s %" G_GUINT64_FORMAT, manifest->commit,
                       ask->route->path != NULL ? ask->route->path : "", offset);
  g_autofree char *mac = g_compute_hmac_for_string (G_CHECKSUM_SHA1, (const guchar *) ask->secret,
                                                    strlen (ask->secret), text, -1);

  return g_strdup_printf ("%" G_GUINT64_FORMAT "-%s", offset, mac);
}

static guint64
read_cursor (const HubAsk *ask, const HubManifest *manifest, guint64 n_entries)
{
  const char *cursor = g_hash_table_lookup (ask->route->query, "cursor");
  g_autofree char *right = NULL;
  guint64 offset;

  if (cursor == NULL)
    return 0;
  offset = g_ascii_strtoull (cursor, NULL, 10);
  right = make_cursor (ask, manifest, offset);
  return g_str_equal (right, cursor) ? MIN (offset, n_entries) : n_entries;
}

static guint64
page_size (const HubRoute *route)
{
  guint64 most = hub_route_flag (route, "expand") ? PAGE_ENTRIES_EXPAND : PAGE_ENTRIES;
  const char *limit = g_hash_table_lookup (route->query, "limit");
  guint64 wanted = limit != NULL ? g_ascii_strtoull (limit, NULL, 10) : most;

  return CLAMP (wanted, 1, most);
}

static void
set_next_page (HubReply *reply, const HubAsk *ask, const HubManifest *manifest, guint64 offset)
{
  const HubRoute *route = ask->route;
  g_autofree char *cursor = make_cursor (ask, manifest, offset);
  g_autofree char *link = g_strdup_printf (
      "<%s%s?recursive=%s&expand=%s&limit=%" G_GUINT64_FORMAT "&cursor=%s>; rel=\"next\"",
      ask->hub_base, route->raw_path, hub_route_flag (route, "recursive") ? "true" : "false",
      hub_route_flag (route, "expand") ? "true" : "false", page_size (route), cursor);

  hub_reply_set (reply, "Link", link);
}

static gboolean
is_masked (const HubAsk *ask, const HubRepo *repo)
{
  return repo->gated != NULL && !hub_repo_grants (repo, ask->token);
}

static HubReply *
answer_tree (const HubAsk *ask, const HubRepo *repo, const HubManifest *manifest)
{
  const HubRoute *route = ask->route;
  g_autoptr (GPtrArray) entries =
      list_entries (manifest, route->path, hub_route_flag (route, "recursive"));
  g_autoptr (JsonArray) page = json_array_new ();
  guint64 from, to;
  HubReply *reply;

  if (entries == NULL)
    return hub_entry_not_found (manifest);
  from = read_cursor (ask, manifest, entries->len);
  to = MIN (from + page_size (route), entries->len);
  for (guint64 i = from; i < to; i++)
    json_array_add_object_element (page, entry_json (g_ptr_array_index (entries, i), manifest,
                                                     is_masked (ask, repo),
                                                     hub_route_flag (route, "expand")));
  reply = array_reply (page);
  if (to < entries->len && to > from)
    set_next_page (reply, ask, manifest, to);
  return reply;
}

static JsonArray *
siblings_json (const HubManifest *manifest, gboolean blobs, gboolean masked)
{
  JsonArray *siblings = json_array_new ();

  for (guint i = 0; i < manifest->files->len; i++)
    {
      const HubFile *file = g_ptr_array_index (manifest->files, i);
      JsonObject *json = json_object_new ();

      json_object_set_string_member (json, "rfilename", file->path);
      if (blobs)
        {
          json_object_set_int_member (json, "size", (gint64) file->size);
          json_object_set_string_member (json, "blobId", file->git_oid);
          if (file->lfs)
            set_lfs (json, file, "sha256", masked);
        }
      json_array_add_object_element (siblings, json);
    }
  return siblings;
}

static JsonObject *
info_json (const HubAsk *ask, const HubRepo *repo, const HubManifest *manifest)
{
  JsonObject *json = json_object_new ();
  g_autofree char *hash = g_compute_checksum_for_string (G_CHECKSUM_SHA1, repo->id, -1);
  g_autofree char *author = g_path_get_dirname (repo->id);

  hash[24] = '\0';
  json_object_set_string_member (json, "_id", hash);
  json_object_set_string_member (json, "id", repo->id);
  json_object_set_string_member (json, "modelId", repo->id);
  json_object_set_string_member (json, "author", author);
  json_object_set_string_member (json, "sha", manifest->commit);
  json_object_set_boolean_member (json, "private", repo->is_private);
  if (repo->gated != NULL)
    json_object_set_string_member (json, "gated", repo->gated);
  else
    json_object_set_boolean_member (json, "gated", FALSE);
  json_object_set_boolean_member (json, "disabled", repo->disabled);
  json_object_set_string_member (json, "lastModified", "2026-01-02T03:04:05.000Z");
  json_object_set_string_member (json, "createdAt", "2026-01-01T00:00:00.000Z");
  json_object_set_array_member (json, "tags", json_array_new ());
  json_object_set_int_member (json, "downloads", 0);
  json_object_set_int_member (json, "likes", 0);
  json_object_set_array_member (
      json, "siblings",
      siblings_json (manifest, hub_route_flag (ask->route, "blobs"), is_masked (ask, repo)));
  return json;
}

/* With expand=..., only the fields asked for and the ids are left */
static void
keep_expanded (JsonObject *json, const char *uri_query)
{
  g_auto (GStrv) wanted = hub_form_values (uri_query, "expand");
  g_auto (GStrv) bracketed = hub_form_values (uri_query, "expand[]");
  g_autoptr (GList) names = json_object_get_members (json);

  if (wanted[0] == NULL && bracketed[0] == NULL)
    return;
  for (GList *at = names; at != NULL; at = at->next)
    {
      g_autofree char *name = g_strdup (at->data);

      if (!g_str_equal (name, "_id") && !g_str_equal (name, "id") &&
          !g_strv_contains ((const char *const *) wanted, name) &&
          !g_strv_contains ((const char *const *) bracketed, name))
        json_object_remove_member (json, name);
    }
}

static HubReply *
answer_info (const HubAsk *ask, const HubRepo *repo, const HubManifest *manifest)
{
  g_autoptr (JsonObject) json = info_json (ask, repo, manifest);
  g_autoptr (JsonNode) root = json_node_alloc ();
  const char *query = strchr (ask->route->after_id, '?');

  keep_expanded (json, query != NULL ? query + 1 : "");
  json_node_init_object (root, json);
  return json_reply (root);
}

static void
add_ref (JsonArray *list, const char *name, const char *ref, const char *commit)
{
  JsonObject *json = json_object_new ();

  json_object_set_string_member (json, "name", name);
  json_object_set_string_member (json, "ref", ref);
  json_object_set_string_member (json, "targetCommit", commit);
  json_array_add_object_element (list, json);
}

static void
add_branches (const HubRepo *repo, JsonArray *branches, JsonArray *converts, JsonArray *pulls)
{
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, repo->branches);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      const char *name = key;
      const HubManifest *manifest = value;
      g_autofree char *ref = g_strconcat ("refs/heads/", name, NULL);

      if (g_str_has_prefix (name, "refs/convert/"))
        add_ref (converts, name + strlen ("refs/convert/"), name, manifest->commit);
      else if (g_str_has_prefix (name, "refs/pr/"))
        add_ref (pulls, name + strlen ("refs/pr/"), name, manifest->commit);
      else
        add_ref (branches, name, ref, manifest->commit);
    }
}

static HubReply *
answer_refs (const HubAsk *ask, const HubRepo *repo)
{
  g_autoptr (JsonObject) json = json_object_new ();
  g_autoptr (JsonNode) root = json_node_alloc ();
  g_autoptr (JsonArray) pulls = json_array_new ();
  JsonArray *branches = json_array_new ();
  JsonArray *converts = json_array_new ();
  JsonArray *tags = json_array_new ();
  GHashTableIter iter;
  gpointer tag, branch;

  add_branches (repo, branches, converts, pulls);
  g_hash_table_iter_init (&iter, repo->tags);
  while (g_hash_table_iter_next (&iter, &tag, &branch))
    {
      const HubManifest *manifest = g_hash_table_lookup (repo->branches, branch);
      g_autofree char *ref = g_strconcat ("refs/tags/", tag, NULL);

      if (manifest != NULL)
        add_ref (tags, tag, ref, manifest->commit);
    }
  json_object_set_array_member (json, "branches", branches);
  json_object_set_array_member (json, "converts", converts);
  json_object_set_array_member (json, "tags", tags);
  if (hub_route_flag (ask->route, "include_prs"))
    json_object_set_array_member (json, "pullRequests", json_array_ref (pulls));
  json_node_init_object (root, json);
  return json_reply (root);
}

/* @out_expand is set if the body says so; Returns: (nullable): NULL if it is not understood */
static char **
read_paths (const HubAsk *ask, gboolean *out_expand)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GPtrArray) paths = g_ptr_array_new ();
  JsonObject *json;
  JsonNode *list;

  if (ask->body_type == NULL || !g_str_has_prefix (ask->body_type, "application/json"))
    {
      g_auto (GStrv) expand = hub_form_values (ask->body, "expand");

      *out_expand = expand[0] != NULL && g_ascii_strcasecmp (expand[0], "true") == 0;
      return hub_form_values (ask->body, "paths");
    }
  if (!json_parser_load_from_data (parser, ask->body, -1, NULL) ||
      !JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)))
    return NULL;
  json = json_node_get_object (json_parser_get_root (parser));
  list = json_object_get_member (json, "paths");
  *out_expand = json_object_get_boolean_member_with_default (json, "expand", FALSE);
  if (list == NULL || !JSON_NODE_HOLDS_ARRAY (list))
    return NULL;
  for (guint i = 0; i < json_array_get_length (json_node_get_array (list)); i++)
    {
      const char *path = json_array_get_string_element (json_node_get_array (list), i);
      g_ptr_array_add (paths, g_strdup (path != NULL ? path : ""));
    }
  g_ptr_array_add (paths, NULL);
  return (char **) g_ptr_array_steal (paths, NULL);
}

static HubReply *
answer_paths_info (const HubAsk *ask, const HubRepo *repo, const HubManifest *manifest)
{
  gboolean expand = FALSE;
  g_auto (GStrv) paths = ask->body != NULL ? read_paths (ask, &expand) : NULL;
  g_autoptr (JsonArray) list = json_array_new ();

  if (paths == NULL)
    return hub_reply_new_error (400, NULL, "paths-info wants a list of paths");
  for (gsize i = 0; paths[i] != NULL; i++)
    {
      Entry entry = { paths[i], hub_manifest_find (manifest, paths[i]) };
      g_autoptr (GPtrArray) below = NULL;

      if (entry.file == NULL && *paths[i] != '\0')
        below = list_entries (manifest, paths[i], FALSE);
      if (entry.file != NULL || below != NULL)
        json_array_add_object_element (
            list, entry_json (&entry, manifest, is_masked (ask, repo), expand));
    }
  return array_reply (list);
}

static HubReply *
answer_whoami (const HubAsk *ask)
{
  if (ask->token != NULL && hub_catalog_knows_token (ask->catalog, ask->token))
    return hub_reply_new (200, "application/json; charset=utf-8",
                          "{\"type\":\"user\",\"name\":\"tester\",\"orgs\":[]}");
  return hub_reply_new_error (401, NULL, "Invalid username or password.");
}

HubReply *
hub_answer_api (const HubAsk *ask)
{
  HubRouteKind kind = ask->route->kind;
  const HubRepo *repo;
  const HubManifest *manifest;
  HubReply *refusal;

  if (kind == HUB_ROUTE_WHOAMI)
    return answer_whoami (ask);
  if (kind == HUB_ROUTE_UPLOAD)
    return hub_reply_new_error (501, NULL, "This Hub only serves downloads");
  if (kind == HUB_ROUTE_UNKNOWN || kind == HUB_ROUTE_XET_TOKEN)
    return hub_reply_new_error (404, NULL, "Sorry, we can't find the page you are looking for.");
  refusal = hub_refuse (ask, FALSE, &repo, &manifest);
  if (refusal != NULL)
    return refusal;
  if (kind == HUB_ROUTE_TREE)
    return answer_tree (ask, repo, manifest);
  if (kind == HUB_ROUTE_REFS)
    return answer_refs (ask, repo);
  if (kind == HUB_ROUTE_PATHS_INFO)
    return answer_paths_info (ask, repo, manifest);
  return answer_info (ask, repo, manifest);
}
