/* repo-json.c - see repo-json.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/endpoint/repo-json.h"

#include <math.h>
#include <string.h>

#include "transfer/endpoint/form.h"
#include "transfer/endpoint/json-append.h"
#include "transfer/json-text.h"
#include "transfer/oid.h"
#include "transfer/store/hash.h"

/* As for manifests: 100,000 entries of some 300 bytes are 30 MB. */
#define JSON_MAX (32u << 20) /* bytes */

/* The Hub's trees have one for each folder; a manifest does not know it, and no client looks at it. */
#define FOLDER_OID "0000000000000000000000000000000000000000"

/* Clients parse the times, and show them at most. */
#define UNKNOWN_TIME "2020-01-01T00:00:00.000Z"

#define OBJECT_ID_CHARS 24 /* of "_id", a MongoDB ObjectId at the Hub */

static GBytes *
to_bytes (GString *json)
{
  return g_string_free_to_bytes (json);
}

/* Entries ----------------------------------------------------------------------------------------- */

char *
exo_repo_json_pointer (const ExoManifestFile *file)
{
  if (exo_oid_kind (file->oid) != EXO_OID_SHA256)
    return NULL;
  return g_strdup_printf ("version https://git-lfs.github.com/spec/v1\n"
                          "oid sha256:%s\n"
                          "size %" G_GUINT64_FORMAT "\n",
                          file->oid, file->size);
}

/* The members that tell what is in @file, under the names that the API at hand has for the git blob and the SHA-256 */
static void
append_content (GString *json, const ExoManifestFile *file, const char *blob, const char *sha256)
{
  g_autofree char *pointer = exo_repo_json_pointer (file);
  g_autofree char *oid =
      pointer != NULL ? exo_hash_bytes (EXO_OID_SHA1, pointer, strlen (pointer)) : NULL;

  exo_json_append_text (json, blob, oid != NULL ? oid : file->oid);
  exo_json_append_size (json, "size", file->size);
  if (pointer == NULL)
    return;
  g_string_append (json, "\"lfs\":{");
  exo_json_append_text (json, sha256, file->oid);
  exo_json_append_size (json, "size", file->size);
  exo_json_append_size (json, "pointerSize", strlen (pointer));
  exo_json_append_end (json, '}');
  g_string_append_c (json, ',');
}

static void
append_file (GString *json, const ExoManifestFile *file)
{
  g_string_append (json, "{\"type\":\"file\",");
  append_content (json, file, "oid", "oid");
  exo_json_append_text (json, "path", file->path);
  exo_json_append_end (json, '}');
  g_string_append_c (json, ',');
}

/* @path: its first @n bytes */
static void
append_folder (GString *json, const char *path, gsize n)
{
  g_autofree char *folder = g_strndup (path, n);

  g_string_append (json, "{\"type\":\"directory\",\"oid\":\"" FOLDER_OID "\",\"size\":0,");
  exo_json_append_text (json, "path", folder);
  exo_json_append_end (json, '}');
  g_string_append_c (json, ',');
}

/* Folders ----------------------------------------------------------------------------------------- */

/* Files are sorted as strings, so those with a common beginning follow each other. The first at or after @path */
static guint
first_at (ExoManifest *manifest, const char *path)
{
  guint low = 0, high = exo_manifest_n_files (manifest);

  while (low < high)
    {
      guint middle = low + (high - low) / 2;

      if (strcmp (exo_manifest_file (manifest, middle)->path, path) < 0)
        low = middle + 1;
      else
        high = middle;
    }
  return low;
}

/* (nullable): the file at @index if its path begins with @prefix */
static const ExoManifestFile *
file_below (ExoManifest *manifest, guint index, const char *prefix)
{
  const ExoManifestFile *file =
      index < exo_manifest_n_files (manifest) ? exo_manifest_file (manifest, index) : NULL;

  return file != NULL && g_str_has_prefix (file->path, prefix) ? file : NULL;
}

/* Folders that @path is the first to lie in, given the file before it; from byte @start on.
 * @before: (nullable) */
static void
append_new_folders (GString *json, const char *path, const char *before, gsize start, gboolean all)
{
  for (const char *slash = strchr (path + start, '/'); slash != NULL;
       slash = all ? strchr (slash + 1, '/') : NULL)
    {
      gsize n = (gsize) (slash - path);

      if (before == NULL || strncmp (before, path, n + 1) != 0)
        append_folder (json, path, n);
    }
}

GBytes *
exo_repo_json_tree (ExoManifest *manifest,
                    const char *folder,
                    gboolean recursive,
                    gboolean hide_empty)
{
  g_autofree char *prefix = folder != NULL ? g_strconcat (folder, "/", NULL) : g_strdup ("");
  gsize start = strlen (prefix);
  guint i = first_at (manifest, prefix);
  const ExoManifestFile *file = file_below (manifest, i, prefix), *before = NULL;
  GString *json;

  if (folder != NULL && file == NULL)
    return NULL;
  json = g_string_new ("[");
  for (; file != NULL; before = file, file = file_below (manifest, ++i, prefix))
    {
      append_new_folders (json, file->path, before != NULL ? before->path : NULL, start, recursive);
      if ((recursive || strchr (file->path + start, '/') == NULL) &&
          (file->size > 0 || !hide_empty))
        append_file (json, file);
    }
  exo_json_append_end (json, ']');
  return to_bytes (json);
}

GBytes *
exo_repo_json_paths (ExoManifest *manifest, const char *const *paths)
{
  GString *json = g_string_new ("[");

  for (; *paths != NULL; paths++)
    {
      g_autofree char *prefix = g_strconcat (*paths, "/", NULL);
      const ExoManifestFile *file = file_below (manifest, first_at (manifest, *paths), *paths);

      if (file != NULL && strcmp (file->path, *paths) == 0)
        append_file (json, file);
      else if (file_below (manifest, first_at (manifest, prefix), prefix) != NULL)
        append_folder (json, *paths, strlen (*paths));
    }
  exo_json_append_end (json, ']');
  return to_bytes (json);
}

/* Asking for paths -------------------------------------------------------------------------------- */

static void
take_path (const char *name, const char *value, gpointer user_data)
{
  if (strcmp (name, "paths") == 0)
    g_strv_builder_add (user_data, value);
}

static gboolean
paths_of_json (GStrvBuilder *paths, const char *text)
{
  g_autoptr (JsonNode) root = exo_json_parse (text, -1, JSON_MAX, NULL);
  JsonObject *object =
      root != NULL && JSON_NODE_HOLDS_OBJECT (root) ? json_node_get_object (root) : NULL;
  const char *one = object != NULL ? exo_json_string (object, "paths") : NULL;
  JsonArray *several = object != NULL ? exo_json_array (object, "paths") : NULL;
  guint n = several != NULL ? json_array_get_length (several) : 0;

  if (one != NULL)
    g_strv_builder_add (paths, one);
  for (guint i = 0; i < n; i++)
    {
      const char *path = exo_json_node_string (json_array_get_element (several, i));

      if (path == NULL)
        return FALSE;
      g_strv_builder_add (paths, path);
    }
  return one != NULL || several != NULL;
}

GStrv
exo_repo_json_parse_paths (const char *content_type, GBytes *body)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) paths = NULL;
  gsize n, n_type = content_type != NULL ? strcspn (content_type, "; \t") : 0;
  const char *data = g_bytes_get_data (body, &n);
  g_autofree char *text = g_strndup (data != NULL ? data : "", n);
  g_autofree char *type = g_ascii_strdown (content_type != NULL ? content_type : "", n_type);
  gboolean understood = FALSE;

  if (strlen (text) != n)
    return NULL;
  if (strcmp (type, "application/json") == 0)
    understood = paths_of_json (builder, text);
  else if (strcmp (type, "application/x-www-form-urlencoded") == 0)
    understood = exo_form_foreach (text, take_path, builder);
  if (!understood)
    return NULL;
  paths = g_strv_builder_end (builder);
  return g_strv_length (paths) <= EXO_MANIFEST_FILES_MAX ? g_steal_pointer (&paths) : NULL;
}

/* The repo ---------------------------------------------------------------------------------------- */

static void
append_siblings (GString *json, ExoManifest *manifest, gboolean blobs)
{
  g_string_append (json, "\"siblings\":[");
  for (guint i = 0; i < exo_manifest_n_files (manifest); i++)
    {
      const ExoManifestFile *file = exo_manifest_file (manifest, i);

      g_string_append_c (json, '{');
      exo_json_append_text (json, "rfilename", file->path);
      if (blobs)
        append_content (json, file, "blobId", "sha256");
      exo_json_append_end (json, '}');
      g_string_append_c (json, ',');
    }
  exo_json_append_end (json, ']');
}

GBytes *
exo_repo_json_info (ExoManifest *manifest, gboolean blobs)
{
  const char *id = exo_manifest_id (manifest), *slash = strchr (id, '/');
  const char *commit = exo_manifest_commit (manifest);
  g_autofree char *object_id = g_strndup (commit, OBJECT_ID_CHARS);
  GString *json = g_string_new ("{");

  exo_json_append_text (json, "_id", object_id);
  exo_json_append_text (json, "id", id);
  if (exo_manifest_type (manifest) == EXO_REPO_MODEL)
    exo_json_append_text (json, "modelId", id);
  if (slash != NULL)
    {
      g_autofree char *author = g_strndup (id, (gsize) (slash - id));
      exo_json_append_text (json, "author", author);
    }
  exo_json_append_text (json, "sha", commit);
  exo_json_append_boolean (json, "private", FALSE);
  exo_json_append_boolean (json, "gated", FALSE);
  exo_json_append_boolean (json, "disabled", FALSE);
  exo_json_append_text (json, "lastModified", UNKNOWN_TIME);
  exo_json_append_text (json, "createdAt", UNKNOWN_TIME);
  g_string_append (json, "\"tags\":[],");
  exo_json_append_size (json, "downloads", 0);
  exo_json_append_size (json, "likes", 0);
  append_siblings (json, manifest, blobs);
  exo_json_append_end (json, '}');
  return to_bytes (json);
}

GBytes *
exo_repo_json_refs (const char *branch, const char *commit)
{
  g_autofree char *ref = g_strconcat ("refs/heads/", branch, NULL);
  GString *json = g_string_new ("{\"branches\":[{");

  exo_json_append_text (json, "name", branch);
  exo_json_append_text (json, "ref", ref);
  exo_json_append_text (json, "targetCommit", commit);
  exo_json_append_end (json, '}');
  g_string_append (json, "],\"tags\":[],\"converts\":[],\"pullRequests\":[]}");
  return to_bytes (json);
}

GBytes *
exo_repo_json_error (const char *message)
{
  GString *json = g_string_new ("{");

  exo_json_append_text (json, "error", message);
  exo_json_append_end (json, '}');
  return to_bytes (json);
}

/* The Hub's own ----------------------------------------------------------------------------------- */

static void append_without_xet (GString *json, JsonNode *node);

static void
append_object (GString *json, JsonObject *object)
{
  g_autoptr (GList) names = json_object_get_members (object);

  g_string_append_c (json, '{');
  for (GList *l = names; l != NULL; l = l->next)
    {
      if (strcmp (l->data, "xetHash") == 0)
        continue;
      exo_json_append_string (json, l->data);
      g_string_append_c (json, ':');
      append_without_xet (json, json_object_get_member (object, l->data));
      g_string_append_c (json, ',');
    }
  exo_json_append_end (json, '}');
}

static void
append_array (GString *json, JsonArray *array)
{
  guint n = json_array_get_length (array);

  g_string_append_c (json, '[');
  for (guint i = 0; i < n; i++)
    {
      append_without_xet (json, json_array_get_element (array, i));
      g_string_append_c (json, ',');
    }
  exo_json_append_end (json, ']');
}

static void
append_value (GString *json, JsonNode *node)
{
  GType type = json_node_get_value_type (node);
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  if (type == G_TYPE_STRING)
    exo_json_append_string (json, json_node_get_string (node));
  else if (type == G_TYPE_BOOLEAN)
    g_string_append (json, json_node_get_boolean (node) ? "true" : "false");
  else if (type == G_TYPE_INT64)
    g_string_append_printf (json, "%" G_GINT64_FORMAT, json_node_get_int (node));
  else if (isfinite (json_node_get_double (node)))
    g_string_append (json, g_ascii_dtostr (number, sizeof number, json_node_get_double (node)));
  else
    g_string_append (json, "null"); /* 1e999 */
}

/* Recurses at most EXO_JSON_DEPTH_MAX deep: exo_json_parse() has seen to it. */
static void
append_without_xet (GString *json, JsonNode *node)
{
  if (JSON_NODE_HOLDS_OBJECT (node))
    append_object (json, json_node_get_object (node));
  else if (JSON_NODE_HOLDS_ARRAY (node))
    append_array (json, json_node_get_array (node));
  else if (JSON_NODE_HOLDS_VALUE (node))
    append_value (json, node);
  else
    g_string_append (json, "null");
}

GBytes *
exo_repo_json_without_xet (GBytes *json)
{
  gsize n;
  const char *text = g_bytes_get_data (json, &n);
  g_autoptr (JsonNode) root = exo_json_parse (text != NULL ? text : "", (gssize) n, JSON_MAX, NULL);
  GString *out;

  if (root == NULL)
    return NULL;
  out = g_string_sized_new (n);
  append_without_xet (out, root);
  return to_bytes (out);
}
