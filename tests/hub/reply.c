/* reply.c - an answer before it becomes bytes
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/hub/reply.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char PORTAL[] =
    "<!doctype html><html><title>Welcome to the guest network</title><p>Please log in.</html>\n";

HubReply *
hub_reply_new (guint status, const char *content_type, const char *text)
{
  HubReply *reply = g_new0 (HubReply, 1);

  reply->status = status;
  reply->fd = -1;
  reply->headers = g_ptr_array_new_with_free_func (g_free);
  reply->length = strlen (text);
  reply->bytes = g_bytes_new (text, reply->length);
  hub_reply_set (reply, "Content-Type", content_type);
  return reply;
}

HubReply *
hub_reply_new_error (guint status, const char *code, const char *message)
{
  g_autoptr (JsonObject) object = json_object_new ();
  g_autoptr (JsonNode) node = json_node_alloc ();
  g_autofree char *text = NULL;
  HubReply *reply;

  json_object_set_string_member (object, "error", message);
  json_node_init_object (node, object);
  text = json_to_string (node, FALSE);
  reply = hub_reply_new (status, "application/json; charset=utf-8", text);
  if (code != NULL)
    hub_reply_set (reply, "X-Error-Code", code);
  hub_reply_set (reply, "X-Error-Message", message);
  return reply;
}

HubReply *
hub_reply_new_redirect (guint status, const char *to)
{
  g_autofree char *text = g_strdup_printf ("Redirecting to %s", to);
  HubReply *reply = hub_reply_new (status, "text/plain; charset=utf-8", text);

  hub_reply_set (reply, "Location", to);
  return reply;
}

void
hub_reply_free (HubReply *reply)
{
  if (reply == NULL)
    return;
  if (reply->fd >= 0)
    close (reply->fd);
  g_clear_pointer (&reply->bytes, g_bytes_unref);
  g_ptr_array_unref (reply->headers);
  g_free (reply);
}

void
hub_reply_set (HubReply *reply, const char *name, const char *value)
{
  for (guint i = 0; i < reply->headers->len; i += 2)
    if (g_ascii_strcasecmp (g_ptr_array_index (reply->headers, i), name) == 0)
      {
        g_free (g_ptr_array_index (reply->headers, i + 1));
        g_ptr_array_index (reply->headers, i + 1) = g_strdup (value);
        return;
      }
  g_ptr_array_add (reply->headers, g_strdup (name));
  g_ptr_array_add (reply->headers, g_strdup (value));
}

const char *
hub_reply_get (const HubReply *reply, const char *name)
{
  for (guint i = 0; i < reply->headers->len; i += 2)
    if (g_ascii_strcasecmp (g_ptr_array_index (reply->headers, i), name) == 0)
      return g_ptr_array_index (reply->headers, i + 1);
  return NULL;
}

HubReply *
hub_entry_not_found (const HubManifest *manifest)
{
  HubReply *reply = hub_reply_new (404, "text/plain; charset=utf-8", "Entry not found");

  hub_reply_set (reply, "X-Error-Code", "EntryNotFound");
  hub_reply_set (reply, "X-Error-Message", "Entry not found");
  hub_reply_set (reply, "X-Repo-Commit", manifest->commit);
  hub_reply_set (reply, "ETag", "W/\"f-mY2VvLxuxB7KhsoOdQTlMTccuAQ\"");
  return reply;
}

static HubReply *
refuse_anonymous (void)
{
  HubReply *reply = hub_reply_new_error (401, NULL, "Invalid username or password.");

  hub_reply_set (reply, "WWW-Authenticate",
                 "Bearer realm=\"Authentication required\", charset=\"UTF-8\"");
  return reply;
}

static HubReply *
refuse_repo (const HubAsk *ask, gboolean bytes, const HubRepo *repo)
{
  gboolean granted = repo != NULL && hub_repo_grants (repo, ask->token);
  gboolean stranger = ask->token != NULL && !hub_catalog_knows_token (ask->catalog, ask->token);

  if (repo != NULL && repo->gated != NULL && bytes && !granted)
    return hub_reply_new_error (
        ask->token != NULL && !stranger ? 403 : 401, "GatedRepo",
        "Access to this model is restricted. Please log in and be granted access.");
  if (stranger)
    return hub_reply_new_error (401, NULL, "Invalid credentials in Authorization header");
  if (repo == NULL || (repo->is_private && !granted))
    return ask->token != NULL ? hub_reply_new_error (404, "RepoNotFound", "Repository not found")
                              : refuse_anonymous ();
  if (repo->disabled)
    return hub_reply_new_error (403, NULL, "Access to this resource is disabled.");
  return NULL;
}

HubReply *
hub_refuse (const HubAsk *ask,
            gboolean bytes,
            const HubRepo **out_repo,
            const HubManifest **out_manifest)
{
  const HubRoute *route = ask->route;
  const HubRepo *repo = hub_catalog_find (ask->catalog, route->type, route->id);
  const char *canonical = hub_catalog_canonical (ask->catalog, route->type, route->id);
  const HubManifest *manifest;
  HubReply *refusal;

  if (repo == NULL && canonical != NULL && route->before_id != NULL)
    {
      g_autofree char *to = g_strconcat (route->before_id, canonical, route->after_id, NULL);
      return hub_reply_new_redirect (307, to);
    }
  refusal = refuse_repo (ask, bytes, repo);
  if (refusal != NULL)
    return refusal;
  manifest = hub_repo_find (repo, route->revision);
  if (manifest == NULL)
    {
      g_autofree char *message = g_strdup_printf (
          "Invalid rev id: %s", route->revision != NULL ? route->revision : "main");
      g_strdelimit (message, "\r\n", ' ');
      return hub_reply_new_error (404, "RevisionNotFound", message);
    }
  *out_repo = repo;
  *out_manifest = manifest;
  return NULL;
}

static void
replace_with (HubReply *reply, HubReply *other)
{
  HubReply old = *reply;

  *reply = *other;
  *other = old;
  hub_reply_free (other);
}

static void
spoil_range (HubReply *reply)
{
  const char *value = hub_reply_get (reply, "Content-Range");
  g_autofree char *wrong = NULL;
  guint64 from, to;
  const char *slash = value != NULL ? strchr (value, '/') : NULL;

  if (slash == NULL ||
      sscanf (value, "bytes %" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT, &from, &to) != 2)
    return;
  wrong = g_strdup_printf ("bytes %" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT "%s", from + 1, to + 1,
                           slash);
  hub_reply_set (reply, "Content-Range", wrong);
}

static void
spoil_etag (HubReply *reply, const char *value)
{
  g_autofree char *quoted = g_strdup_printf ("\"%s\"", value);

  if (hub_reply_get (reply, "X-Linked-Etag") != NULL)
    hub_reply_set (reply, "X-Linked-Etag", quoted);
  if (hub_reply_get (reply, "ETag") != NULL)
    hub_reply_set (reply, "ETag", quoted);
}

static void
spoil_status (HubReply *reply, const HubFault *fault)
{
  g_autofree char *message = g_strdup_printf ("status %u, as ordered", fault->status);

  replace_with (reply, hub_reply_new_error (fault->status, NULL, message));
  for (gsize i = 0; fault->headers[i] != NULL; i += 2)
    hub_reply_set (reply, fault->headers[i], fault->headers[i + 1]);
}

void
hub_reply_spoil (HubReply *reply, const HubFault *fault)
{
  if (fault->kind == HUB_FAULT_STATUS)
    spoil_status (reply, fault);
  else if (fault->kind == HUB_FAULT_HTML)
    replace_with (reply, hub_reply_new (200, "text/html", PORTAL));
  else if (fault->kind == HUB_FAULT_REDIRECT && fault->text != NULL)
    replace_with (reply, hub_reply_new_redirect (302, fault->text));
  else if (fault->kind == HUB_FAULT_TRUNCATE_JSON && reply->bytes != NULL)
    reply->length /= 2;
  else if (fault->kind == HUB_FAULT_WRONG_RANGE)
    spoil_range (reply);
  else if (fault->kind == HUB_FAULT_ETAG && fault->text != NULL)
    spoil_etag (reply, fault->text);
}
