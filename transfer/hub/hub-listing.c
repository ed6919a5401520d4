/* hub-listing.c - a revision's commit and files
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>
#include <string.h>

#include "transfer/error.h"
#include "transfer/hub/hub-private.h"
#include "transfer/hub/hub-url.h"
#include "transfer/json-text.h"
#include "transfer/oid.h"

/* The Hub's pages have 1000 entries of some 400 bytes. Repo info of a model with 10,000 files: 600 kB. */
#define INFO_MAX    (16u << 20) /* bytes */
#define PAGE_MAX    (16u << 20) /* bytes */
#define LISTING_MAX (96u << 20) /* bytes of all pages */
#define PAGES_MAX   1000u

typedef struct
{
  ExoHub *hub; /* a reference */
  ExoRepoType type;
  char *id;
  char *revision; /* (nullable) */
  char *commit;
  gboolean has_token;
  gboolean open;
  GPtrArray *files; /* (element-type ExoManifestFile) */
  guint pages;
  gsize bytes;
  ExoHubCall *call; /* (nullable): under way */
  gulong cancel_handler;
} Listing;

static void
listing_free (Listing *listing)
{
  exo_hub_unref (listing->hub);
  g_free (listing->id);
  g_free (listing->revision);
  g_free (listing->commit);
  g_clear_pointer (&listing->files, g_ptr_array_unref);
  g_free (listing);
}

static void
on_cancelled (GCancellable *cancellable, GTask *task)
{
  Listing *listing = g_task_get_task_data (task);

  if (listing->call != NULL)
    exo_hub_call_cancel (listing->call);
}

/* @task: (transfer full). Exactly one of these two ends it. */
static void
fail (GTask *task, GError *error)
{
  Listing *listing = g_task_get_task_data (task);

  g_cancellable_disconnect (g_task_get_cancellable (task), listing->cancel_handler);
  g_task_return_error (task, error);
  g_object_unref (task);
}

static void
invalid (GTask *task, const char *what)
{
  Listing *listing = g_task_get_task_data (task);

  fail (task, g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                           _ ("the Hub's listing of %s is not one: %s"), listing->id, what));
}

static GTask *
listing_task (ExoHub *hub,
              ExoRepoType type,
              const char *id,
              const char *revision,
              gpointer tag,
              GCancellable *cancellable,
              GAsyncReadyCallback callback,
              gpointer user_data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);
  Listing *listing = g_new0 (Listing, 1);

  g_task_set_source_tag (task, tag);
  g_task_set_check_cancellable (task,
                                FALSE); /* the call's end says it, and no one listens before */
  listing->hub = exo_hub_ref (hub);
  listing->type = type;
  listing->id = g_strdup (id);
  listing->revision = g_strdup (revision);
  listing->has_token = hub->token != NULL;
  listing->files = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_manifest_file_free);
  g_task_set_task_data (task, listing, (GDestroyNotify) listing_free);
  return task;
}

static void
call (GTask *task, const char *url, gboolean with_token, gsize max_body, ExoHubAnswered answered)
{
  Listing *listing = g_task_get_task_data (task);
  GCancellable *cancellable = g_task_get_cancellable (task);

  listing->call = exo_hub_call_start (listing->hub, url, with_token, max_body, answered, task);
  if (cancellable == NULL)
    return;
  if (listing->cancel_handler == 0)
    listing->cancel_handler =
        g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), task, NULL);
  else if (g_cancellable_is_cancelled (cancellable))
    exo_hub_call_cancel (listing->call);
}

/* The JSON of a 200; or NULL, and @task has ended */
static JsonNode *
answer_json (GTask *task, const ExoFetchResult *result, const GError *error, gsize max_body)
{
  Listing *listing = g_task_get_task_data (task);
  ExoHubSubject subject = { listing->hub->endpoint, listing->type, listing->id,
                            listing->revision,      NULL,          listing->has_token };
  g_autoptr (GError) json_error = NULL;
  const char *type;
  JsonNode *node;
  gsize length;
  gconstpointer text;

  listing->call = NULL;
  if (error != NULL || result->status != 200)
    {
      fail (task, error != NULL ? g_error_copy (error) : exo_hub_error (result, &subject));
      return NULL;
    }
  type = g_hash_table_lookup (result->headers, "content-type");
  if (type != NULL && g_ascii_strncasecmp (type, "text/html", 9) == 0)
    {
      fail (task, g_error_new_literal (
                      EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                      _ ("a web page came instead of the Hub's answer: does this network "
                         "want a login first?")));
      return NULL;
    }
  text = result->body != NULL ? g_bytes_get_data (result->body, &length) : NULL;
  node = exo_json_parse (text != NULL ? text : "", text != NULL ? (gssize) length : 0, max_body,
                         &json_error);
  if (node == NULL)
    invalid (task, json_error->message);
  return node;
}

/* Files -------------------------------------------------------------------------------------------- */

/* The git blob of the LFS pointer is what the commit holds: its hash ties the SHA-256 to the commit.
 * Only the usual text can be rebuilt; a pointer of another length was written by another program. */
static gboolean
pointer_fits (const char *blob, const char *sha256, guint64 size, JsonObject *lfs)
{
  g_autofree char *text = g_strdup_printf ("version https://git-lfs.github.com/spec/v1\n"
                                           "oid sha256:%s\nsize %" G_GUINT64_FORMAT "\n",
                                           sha256, size);
  g_autofree char *header = g_strdup_printf ("blob %zu", strlen (text));
  g_autoptr (GChecksum) sha1 = g_checksum_new (G_CHECKSUM_SHA1);
  guint64 pointer_size;

  if (exo_json_size (lfs, "pointerSize", &pointer_size) && pointer_size != strlen (text))
    return TRUE;
  g_checksum_update (sha1, (const guchar *) header, (gssize) strlen (header) + 1);
  g_checksum_update (sha1, (const guchar *) text, (gssize) strlen (text));
  return strcmp (g_checksum_get_string (sha1), blob) == 0;
}

/* Why the entry cannot be taken, or NULL. @out_file stays NULL for what is no file. */
static const char *
read_entry (JsonObject *entry, ExoManifestFile **out_file, gboolean *masked)
{
  const char *type = exo_json_string (entry, "type");
  const char *path = exo_json_string (entry, "path");
  const char *blob = exo_json_string (entry, "oid");
  JsonObject *lfs = exo_json_object (entry, "lfs");
  const char *oid = lfs != NULL ? exo_json_string (lfs, "oid") : blob;
  guint64 size, lfs_size;

  if (g_strcmp0 (type, "file") != 0)
    return type == NULL ? "an entry without a type" : NULL;
  if (path == NULL || oid == NULL || blob == NULL || !exo_json_size (entry, "size", &size))
    return "an entry without path, oid or size";
  *masked = strchr (oid, '*') != NULL;
  if (*masked || exo_oid_kind (blob) != EXO_OID_SHA1)
    return "a file without a hash";
  if (lfs != NULL && (exo_oid_kind (oid) != EXO_OID_SHA256 ||
                      !exo_json_size (lfs, "size", &lfs_size) || lfs_size != size))
    return "a large file without its SHA-256 or with two sizes";
  if (lfs != NULL && !pointer_fits (blob, oid, size, lfs))
    return "a large file whose SHA-256 is not that of the commit";
  *out_file = exo_manifest_file_new (path, size, oid);
  return NULL;
}

/* FALSE: @task has ended */
static gboolean
read_page (GTask *task, JsonArray *entries)
{
  Listing *listing = g_task_get_task_data (task);
  guint n = json_array_get_length (entries);

  for (guint i = 0; i < n; i++)
    {
      JsonNode *node = json_array_get_element (entries, i);
      ExoManifestFile *file = NULL;
      gboolean masked = FALSE;
      const char *fault = JSON_NODE_HOLDS_OBJECT (node)
                              ? read_entry (json_node_get_object (node), &file, &masked)
                              : "an entry that is no object";

      if (masked)
        {
          ExoHubSubject subject = { listing->hub->endpoint, listing->type, listing->id,
                                    listing->revision,      NULL,          listing->has_token };
          fail (task, exo_hub_error_gated (&subject));
          return FALSE;
        }
      if (fault != NULL)
        {
          const char *path = JSON_NODE_HOLDS_OBJECT (node)
                                 ? exo_json_string (json_node_get_object (node), "path")
                                 : NULL;
          g_autofree char *what = g_strdup_printf ("%s (%.100s)", fault, path != NULL ? path : "?");
          g_autofree char *valid = g_utf8_make_valid (what, -1);
          invalid (task, valid);
          return FALSE;
        }
      if (file != NULL)
        g_ptr_array_add (listing->files, file);
    }
  return TRUE;
}

static void
complete (GTask *task)
{
  Listing *listing = g_task_get_task_data (task);
  GError *error = NULL;
  ExoManifest *manifest =
      exo_manifest_new (listing->type, listing->id, listing->commit, listing->open,
                        g_steal_pointer (&listing->files), &error);

  if (manifest == NULL)
    {
      fail (task, error);
      return;
    }
  g_cancellable_disconnect (g_task_get_cancellable (task), listing->cancel_handler);
  g_task_return_pointer (task, manifest, (GDestroyNotify) exo_manifest_unref);
  g_object_unref (task);
}

static void
on_page (ExoHub *hub, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  GTask *task = user_data;
  Listing *listing = g_task_get_task_data (task);
  g_autoptr (JsonNode) root = answer_json (task, result, error, PAGE_MAX);
  g_autofree char *next = NULL;

  if (root == NULL)
    return;
  if (!JSON_NODE_HOLDS_ARRAY (root))
    {
      invalid (task, _ ("no array of files"));
      return;
    }
  listing->bytes += g_bytes_get_size (result->body);
  if (++listing->pages > PAGES_MAX || listing->bytes > LISTING_MAX)
    {
      invalid (task, _ ("it does not end"));
      return;
    }
  if (!read_page (task, json_node_get_array (root)))
    return;
  next = exo_url_link_next (g_hash_table_lookup (result->headers, "link"));
  if (next == NULL)
    complete (task);
  else if (listing->files->len > EXO_MANIFEST_FILES_MAX)
    complete (task); /* which says so */
  else if (!exo_url_same_origin (next, hub->endpoint))
    invalid (task, _ ("its next page is on another host"));
  else
    call (task, next, TRUE, PAGE_MAX, on_page);
}

/* The revision ------------------------------------------------------------------------------------- */

/* Anything but a plain "false" twice is not known to be open. */
static gboolean
is_open (JsonObject *info)
{
  gboolean private, gated;

  return exo_json_boolean (info, "private", &private) && !private &&
         exo_json_boolean (info, "gated", &gated) && !gated;
}

static void
on_info (ExoHub *hub, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  GTask *task = user_data;
  Listing *listing = g_task_get_task_data (task);
  g_autoptr (JsonNode) root = answer_json (task, result, error, INFO_MAX);
  g_autofree char *url = NULL;
  JsonObject *info;
  const char *sha;

  if (root == NULL)
    return;
  info = JSON_NODE_HOLDS_OBJECT (root) ? json_node_get_object (root) : NULL;
  sha = info != NULL ? exo_json_string (info, "sha") : NULL;
  if (!exo_is_commit (sha))
    {
      invalid (task, _ ("it has no commit"));
      return;
    }
  listing->commit = g_strdup (sha);
  listing->open = is_open (info);
  url = exo_hub_url_tree (hub->endpoint, listing->type, listing->id, sha);
  call (task, url, TRUE, PAGE_MAX, on_page);
}

void
exo_hub_manifest_async (ExoHub *hub,
                        ExoRepoType type,
                        const char *id,
                        const char *revision,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  GError *error = NULL;
  gboolean readable = exo_hub_read_token (hub, &error);
  GTask *task = listing_task (hub, type, id, revision, exo_hub_manifest_async, cancellable,
                              callback, user_data);
  g_autofree char *url = NULL;

  if (!readable || !exo_repo_id_check (id, &error) ||
      (revision != NULL && !exo_revision_check (revision, &error)))
    {
      fail (task, error);
      return;
    }
  url = exo_hub_url_info (hub->endpoint, type, id, revision);
  call (task, url, TRUE, INFO_MAX, on_info);
}

ExoManifest *
exo_hub_manifest_finish (ExoHub *hub, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* Open? -------------------------------------------------------------------------------------------- */

static void
on_open_info (ExoHub *hub, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  GTask *task = user_data;
  Listing *listing = g_task_get_task_data (task);
  g_autoptr (JsonNode) root = NULL;
  gboolean hidden =
      error == NULL && (result->status == 401 || result->status == 403 || result->status == 404);

  if (!hidden)
    {
      root = answer_json (task, result, error, INFO_MAX);
      if (root == NULL)
        return;
    }
  g_cancellable_disconnect (g_task_get_cancellable (task), listing->cancel_handler);
  g_task_return_boolean (task, root != NULL && JSON_NODE_HOLDS_OBJECT (root) &&
                                   is_open (json_node_get_object (root)));
  g_object_unref (task);
}

void
exo_hub_is_open_async (ExoHub *hub,
                       ExoRepoType type,
                       const char *id,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  GError *error = NULL;
  GTask *task =
      listing_task (hub, type, id, NULL, exo_hub_is_open_async, cancellable, callback, user_data);
  g_autofree char *url = NULL;

  if (!exo_repo_id_check (id, &error))
    {
      fail (task, error);
      return;
    }
  url = exo_hub_url_info (hub->endpoint, type, id, NULL);
  call (task, url, FALSE, INFO_MAX, on_open_info);
}

gboolean
exo_hub_is_open_finish (ExoHub *hub, GAsyncResult *result, gboolean *out_open, GError **error)
{
  g_autoptr (GError) failed = NULL;
  gboolean open = g_task_propagate_boolean (G_TASK (result), &failed);

  if (failed != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failed));
      return FALSE;
    }
  *out_open = open;
  return TRUE;
}
