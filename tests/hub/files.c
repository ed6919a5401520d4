/* files.c - what /resolve/, /raw/ and the CDN serve
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A small file is a 307 to /api/resolve-cache/ on the same host; an LFS file is a 302 to a signed
 * address on another port, which says in its Policy, as base64url, what it is for:
 * "models|org/name|commit|path" (hub-protocol.md 2.1).
 */

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hub/hash.h"
#include "tests/hub/reply.h"

#define GZIP_MAX_BYTES (1024 * 1024) /* larger texts are sent as they are */

typedef enum
{
  RANGE_NONE, /* absent, several or malformed: the whole file (RFC 9110 14.2) */
  RANGE_OK,
  RANGE_UNSATISFIABLE,
} RangeResult;

static gboolean
parse_number (const char **at, guint64 *out_value)
{
  char *end;

  if (!g_ascii_isdigit (**at))
    return FALSE;
  *out_value = g_ascii_strtoull (*at, &end, 10);
  *at = end;
  return TRUE;
}

/* @out_from, @out_to: half open */
static RangeResult
parse_range (const char *text, guint64 size, guint64 *out_from, guint64 *out_to)
{
  guint64 first = 0, last = G_MAXUINT64 - 1;
  gboolean has_first, has_last;

  if (text == NULL || !g_str_has_prefix (text, "bytes="))
    return RANGE_NONE;
  text += strlen ("bytes=");
  has_first = parse_number (&text, &first);
  if (*text++ != '-')
    return RANGE_NONE;
  has_last = parse_number (&text, &last);
  if (*text != '\0' || !(has_first || has_last) || (has_first && last < first))
    return RANGE_NONE;
  if (has_first ? first >= size : last == 0 || size == 0)
    return RANGE_UNSATISFIABLE;
  *out_from = has_first ? first : size - MIN (last, size);
  *out_to = has_first ? MIN (last, size - 1) + 1 : size;
  return RANGE_OK;
}

static void
set_quoted (HubReply *reply, const char *name, const char *value)
{
  g_autofree char *quoted = g_strdup_printf ("\"%s\"", value);

  hub_reply_set (reply, name, quoted);
}

static gboolean
is_text (const char *path)
{
  return g_str_has_suffix (path, ".json") || g_str_has_suffix (path, ".txt") ||
         g_str_has_suffix (path, ".md") || g_str_has_suffix (path, ".jinja");
}

static HubReply *
unsatisfiable (guint64 size)
{
  HubReply *reply = hub_reply_new (416, "text/plain", "Range Not Satisfiable");
  g_autofree char *content_range = g_strdup_printf ("bytes */%" G_GUINT64_FORMAT, size);

  hub_reply_set (reply, "Content-Range", content_range);
  return reply;
}

/* The bytes now on disk, whatever the manifest says; NULL if there are none */
static HubReply *
serve (const HubAsk *ask, const HubFile *file)
{
  int fd = file->disk != NULL ? g_open (file->disk, O_RDONLY | O_CLOEXEC) : -1;
  off_t end = fd >= 0 ? lseek (fd, 0, SEEK_END) : -1;
  guint64 size = (guint64) MAX (end, 0), from = 0, to = size;
  gboolean whole = ask->fault != NULL && ask->fault->kind == HUB_FAULT_FULL200;
  RangeResult result = whole ? RANGE_NONE : parse_range (ask->range, size, &from, &to);
  g_autofree char *content_range = NULL;
  HubReply *reply;

  if (fd < 0)
    return NULL;
  if (result == RANGE_UNSATISFIABLE && size > 0)
    {
      close (fd);
      return unsatisfiable (size);
    }
  reply = hub_reply_new (
      result == RANGE_OK ? 206 : 200,
      is_text (file->path) ? "text/plain; charset=utf-8" : "application/octet-stream", "");
  g_clear_pointer (&reply->bytes, g_bytes_unref);
  reply->fd = fd;
  reply->offset = from;
  reply->length = to - from;
  reply->may_gzip =
      is_text (file->path) && ask->range == NULL && size > 0 && size <= GZIP_MAX_BYTES;
  hub_reply_set (reply, "Accept-Ranges", "bytes");
  if (result == RANGE_OK)
    content_range = g_strdup_printf (
        "bytes %" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT, from, to - 1, size);
  else if (result ==
           RANGE_UNSATISFIABLE) /* of an empty file: 416 would stop clients that probe it */
    content_range = g_strdup ("bytes */0");
  if (content_range != NULL)
    hub_reply_set (reply, "Content-Range", content_range);
  return reply;
}

static char *
sign (const HubAsk *ask, const char *resource, const char *expires, const char *policy)
{
  g_autofree char *text = g_strjoin ("\n", resource, expires, policy, NULL);

  return g_compute_hmac_for_string (G_CHECKSUM_SHA256, (const guchar *) ask->secret,
                                    strlen (ask->secret), text, -1);
}

static char *
signed_address (const HubAsk *ask, const HubManifest *manifest, const HubFile *file)
{
  const HubRoute *route = ask->route;
  g_autofree char *repo_hash = g_compute_checksum_for_string (G_CHECKSUM_SHA1, route->id, -1);
  g_autofree char *resource = g_strdup_printf ("/xet-bridge-us/%.24s/%s", repo_hash, file->xet);
  g_autofree char *expires = g_strdup_printf ("%" G_GINT64_FORMAT, ask->now + ask->sign_ttl);
  g_autofree char *meaning =
      g_strjoin ("|", route->type, route->id, manifest->commit, file->path, NULL);
  g_autofree char *policy = g_base64_encode ((const guchar *) meaning, strlen (meaning));
  g_autofree char *signature = NULL;
  g_autofree char *name = g_path_get_basename (file->path);
  g_autofree char *escaped = g_uri_escape_string (name, NULL, FALSE);

  g_strdelimit (policy, "+", '-');
  g_strdelimit (policy, "/", '_');
  g_strdelimit (policy, "=", '~');
  signature = sign (ask, resource, expires, policy);
  return g_strdup_printf (
      "%s%s?response-content-disposition=inline%%3B+filename*%%3DUTF-8%%27%%27%s"
      "&Expires=%s&Policy=%s&Signature=%s&Key-Pair-Id=K2L8F4GPSG1IFC",
      ask->cdn_base, resource, escaped, expires, policy, signature);
}

static HubReply *
redirect_large (const HubAsk *ask, const HubManifest *manifest, const HubFile *file)
{
  const HubRoute *route = ask->route;
  g_autofree char *to = signed_address (ask, manifest, file);
  g_autofree char *size = g_strdup_printf ("%" G_GUINT64_FORMAT, file->size);
  g_autofree char *link = g_strdup_printf (
      "<%s/api/%s/%s/xet-read-token/%s>; rel=\"xet-auth\", "
      "<%s/v1/reconstructions/%s>; rel=\"xet-reconstruction-info\"",
      ask->hub_base, route->type, route->id, manifest->commit, ask->cdn_base, file->xet);
  HubReply *reply = hub_reply_new_redirect (302, to);

  hub_reply_set (reply, "X-Linked-Size", size);
  set_quoted (reply, "X-Linked-Etag", file->sha256);
  hub_reply_set (reply, "X-Xet-Hash", file->xet);
  hub_reply_set (reply, "Link", link);
  hub_reply_set (reply, "Cache-Control", "no-store");
  return reply;
}

static HubReply *
redirect_small (const HubAsk *ask, const HubManifest *manifest, const HubFile *file)
{
  const HubRoute *route = ask->route;
  g_autofree char *path = g_uri_escape_string (file->path, "/", FALSE);
  g_autofree char *original = g_uri_escape_string (route->raw_path, NULL, FALSE);
  g_autofree char *to =
      g_strdup_printf ("/api/resolve-cache/%s/%s/%s/%s?%s=&etag=%%22%s%%22", route->type, route->id,
                       manifest->commit, path, original, file->git_oid);
  HubReply *reply = hub_reply_new_redirect (307, to);

  set_quoted (reply, "X-Linked-Etag", file->git_oid);
  return reply;
}

static gboolean
client_has_it (const HubAsk *ask, const char *oid)
{
  g_autofree char *quoted = g_strdup_printf ("\"%s\"", oid);

  return ask->none_match != NULL && ask->route->kind != HUB_ROUTE_RAW &&
         strstr (ask->none_match, quoted) != NULL;
}

static HubReply *
answer_found (const HubAsk *ask, const HubManifest *manifest, const HubFile *file)
{
  const char *oid = file->lfs ? file->sha256 : file->git_oid;
  gboolean redirects = ask->route->kind == HUB_ROUTE_RESOLVE && !client_has_it (ask, oid);
  HubReply *reply;

  if (client_has_it (ask, oid))
    reply = hub_reply_new (304, "text/plain", "");
  else if (redirects)
    reply = file->lfs ? redirect_large (ask, manifest, file) : redirect_small (ask, manifest, file);
  else if (ask->route->kind == HUB_ROUTE_RAW && file->lfs)
    {
      g_autofree char *pointer = hub_pointer_text (file->sha256, file->size);
      reply = hub_reply_new (200, "text/plain; charset=utf-8", pointer);
      oid = file->git_oid;
    }
  else
    reply = serve (ask, file);
  if (reply == NULL)
    return hub_entry_not_found (manifest);
  hub_reply_set (reply, "X-Repo-Commit", manifest->commit);
  hub_reply_set (reply, "Accept-Ranges", "bytes");
  if (!redirects)
    set_quoted (reply, "ETag", oid);
  return reply;
}

HubReply *
hub_answer_file (const HubAsk *ask)
{
  const HubRepo *repo;
  const HubManifest *manifest;
  const HubFile *file;
  HubReply *refusal = hub_refuse (ask, TRUE, &repo, &manifest);

  if (refusal != NULL)
    return refusal;
  file = ask->route->path != NULL ? hub_manifest_find (manifest, ask->route->path) : NULL;
  return file != NULL && file->disk != NULL ? answer_found (ask, manifest, file)
                                            : hub_entry_not_found (manifest);
}

/* type, id, commit, path; NULL if it is not ours */
static char **
read_policy (const HubRoute *route)
{
  const char *policy = g_hash_table_lookup (route->query, "Policy");
  g_autofree char *base64 = g_strdup (policy != NULL ? policy : "");
  g_autofree char *meaning = NULL;
  g_auto (GStrv) parts = NULL;
  gsize length;

  g_strdelimit (base64, "-", '+');
  g_strdelimit (base64, "_", '/');
  g_strdelimit (base64, "~", '=');
  {
    g_autofree guchar *bytes = g_base64_decode (base64, &length);
    meaning = g_strndup ((const char *) bytes, length);
  }
  parts = g_strsplit (meaning, "|", 4);
  return g_strv_length (parts) == 4 ? g_steal_pointer (&parts) : NULL;
}

char *
hub_cdn_stats_path (const HubRoute *route)
{
  g_auto (GStrv) parts = read_policy (route);

  return parts != NULL ? g_strjoin ("/", parts[0], parts[1], "resolve", parts[3], NULL) : NULL;
}

static HubReply *
access_denied (const char *message)
{
  g_autofree char *xml =
      g_strdup_printf ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                       "<Error><Code>AccessDenied</Code><Message>%s</Message></Error>",
                       message);

  return hub_reply_new (403, "application/xml", xml);
}

static HubReply *
refuse_address (const HubAsk *ask)
{
  const HubRoute *route = ask->route;
  const char *expires = g_hash_table_lookup (route->query, "Expires");
  const char *policy = g_hash_table_lookup (route->query, "Policy");
  const char *signature = g_hash_table_lookup (route->query, "Signature");
  g_autofree char *right = NULL;

  if (ask->has_auth)
    return access_denied ("Only one auth mechanism allowed");
  if (expires == NULL || policy == NULL || signature == NULL)
    return access_denied ("Missing Key-Pair-Id query parameter or cookie value");
  right = sign (ask, route->raw_path, expires, policy);
  if (!g_str_equal (right, signature))
    return access_denied ("Access denied");
  if (g_ascii_strtoll (expires, NULL, 10) <= ask->now ||
      (ask->fault != NULL && ask->fault->kind == HUB_FAULT_EXPIRE))
    return access_denied ("Request has expired");
  return NULL;
}

HubReply *
hub_answer_cdn (const HubAsk *ask)
{
  HubReply *reply = refuse_address (ask);
  g_auto (GStrv) parts = reply == NULL ? read_policy (ask->route) : NULL;
  const HubRepo *repo = parts != NULL ? hub_catalog_find (ask->catalog, parts[0], parts[1]) : NULL;
  const HubManifest *manifest = repo != NULL ? hub_repo_find (repo, parts[2]) : NULL;
  const HubFile *file = manifest != NULL ? hub_manifest_find (manifest, parts[3]) : NULL;

  if (reply != NULL)
    return reply;
  reply = file != NULL ? serve (ask, file) : NULL;
  if (reply == NULL)
    return hub_reply_new (404, "application/xml", "<Error><Code>NoSuchKey</Code></Error>");
  if (file->xet != NULL)
    set_quoted (reply, "ETag", file->xet);
  reply->may_gzip = FALSE;
  hub_reply_set (reply, "Cache-Control", "public, max-age=31536000");
  return reply;
}
