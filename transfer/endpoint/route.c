/* route.c - see route.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/endpoint/route.h"

#include <string.h>

#include "transfer/endpoint/form.h"
#include "transfer/error.h"

static gboolean
refuse (GError **error, const char *why)
{
  g_set_error_literal (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID, why);
  return FALSE;
}

/* Names ------------------------------------------------------------------------------------------- */

/* @n segments from @segments, decoded each by itself and joined with "/" again. A name with "%2F" in it is thus the
 * same as with "/"; what must not be in names is refused by the checks of manifest.h.
 * @error: INVALID: an escape is cut short or stands for NUL */
static char *
decode (char **segments, guint n, GError **error)
{
  g_autoptr (GString) name = g_string_new (NULL);

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *segment = g_uri_unescape_string (segments[i], NULL);

      if (segment == NULL)
        return refuse (error, "a name in the address is not percent-encoded as it should be"), NULL;
      if (i > 0)
        g_string_append_c (name, '/');
      g_string_append (name, segment);
    }
  return g_string_free (g_steal_pointer (&name), FALSE);
}

static gboolean
take_id (ExoRoute *route, char **segments, guint n)
{
  route->id = decode (segments, n, &route->error);
  return route->id != NULL && exo_repo_id_check (route->id, &route->error);
}

static gboolean
is_number (const char *text)
{
  return *text != '\0' && strspn (text, "0123456789") == strlen (text);
}

/* Segments that the revision at @segments takes up: clients should send "refs%2Fpr%2F1", and some send "refs/pr/1". */
static guint
revision_length (char **segments)
{
  if (g_strv_length (segments) < 3 || strcmp (segments[0], "refs") != 0)
    return 1;
  if (strcmp (segments[1], "pr") == 0)
    return is_number (segments[2]) ? 3 : 1;
  return strcmp (segments[1], "convert") == 0 ? 3 : 1;
}

static gboolean
take_revision (ExoRoute *route, char **segments, guint n)
{
  route->revision = decode (segments, n, &route->error);
  if (route->revision == NULL || !exo_revision_check (route->revision, &route->error))
    return FALSE;
  if (strcmp (route->revision, "HEAD") == 0)
    g_clear_pointer (&route->revision, g_free);
  return TRUE;
}

static gboolean
take_path (ExoRoute *route, char **segments)
{
  route->path = decode (segments, g_strv_length (segments), &route->error);
  return route->path != NULL && exo_path_check (route->path, &route->error);
}

/* Shapes ------------------------------------------------------------------------------------------ */

/* What follows a repo's id in an address */
typedef struct
{
  const char *word;
  ExoRouteKind kind;
  gboolean api, post;
  enum
  {
    NOTHING,
    REVISION,
    REVISION_AND_FOLDER, /* which may be missing */
    REVISION_AND_FILE,
  } then;
} Verb;

static const Verb verbs[] = {
  { "revision", EXO_ROUTE_INFO, TRUE, FALSE, REVISION },
  { "tree", EXO_ROUTE_TREE, TRUE, FALSE, REVISION_AND_FOLDER },
  { "paths-info", EXO_ROUTE_PATHS_INFO, TRUE, TRUE, REVISION },
  { "refs", EXO_ROUTE_REFS, TRUE, FALSE, NOTHING },
  { "xet-write-token", EXO_ROUTE_UPLOAD, TRUE, FALSE, REVISION },
  { "resolve", EXO_ROUTE_RESOLVE, FALSE, FALSE, REVISION_AND_FILE },
  { "raw", EXO_ROUTE_RAW, FALSE, FALSE, REVISION_AND_FILE },
};

/* (nullable): the verb that @segments begin with, if enough of them follow */
static const Verb *
find_verb (gboolean api, gboolean post, char **segments)
{
  guint n = g_strv_length (segments);

  for (gsize i = 0; n > 0 && i < G_N_ELEMENTS (verbs); i++)
    {
      const Verb *verb = &verbs[i];
      guint n_least = verb->then == NOTHING ? 1 : verb->then == REVISION_AND_FILE ? 3 : 2;

      if (verb->api == api && verb->post == post && strcmp (segments[0], verb->word) == 0 &&
          (verb->then == NOTHING ? n == 1 : n >= n_least))
        return verb;
    }
  return NULL;
}

/* @segments: after the verb */
static gboolean
take_object (ExoRoute *route, const Verb *verb, char **segments)
{
  guint n;

  if (verb->then == NOTHING)
    return TRUE;
  n = revision_length (segments);
  if (!take_revision (route, segments, n))
    return FALSE;
  if (verb->then == REVISION_AND_FILE || (verb->then == REVISION_AND_FOLDER && segments[n] != NULL))
    return take_path (route, segments + n);
  if (segments[n] != NULL)
    return refuse (&route->error, "something follows the revision, whose \"/\" are to be sent as "
                                  "%2F");
  return TRUE;
}

/* @segments: from the id on. FALSE if this is no shape of ours; otherwise @route has its kind or error. */
static gboolean
parse_repo (ExoRoute *route, gboolean api, gboolean post, char **segments)
{
  guint n = g_strv_length (segments);

  /* Names have two segments, but for a few old ones. A name may be a verb, too: "org/tree". */
  for (guint n_id = 2; n_id >= 1; n_id--)
    {
      const Verb *verb = n > n_id ? find_verb (api, post, segments + n_id) : NULL;

      if (verb == NULL)
        continue;
      route->kind = verb->kind;
      if (take_id (route, segments, n_id))
        take_object (route, verb, segments + n_id + 1);
      return TRUE;
    }
  if (!api || post || n < 1 || n > 2)
    return FALSE;
  route->kind = EXO_ROUTE_INFO;
  take_id (route, segments, n);
  return TRUE;
}

static gboolean
parse_type (const char *segment, ExoRepoType *out_type)
{
  g_autofree char *name = NULL;

  if (!g_str_has_suffix (segment, "s"))
    return FALSE;
  name = g_strndup (segment, strlen (segment) - 1);
  return exo_repo_type_parse (name, out_type);
}

/* What we do not know, the Hub may, unless it could lead it astray. @path: as sent */
static void
parse_pass (ExoRoute *route, char **segments, const char *path)
{
  g_autofree char *name = decode (segments, g_strv_length (segments), &route->error);

  route->kind = EXO_ROUTE_PASS;
  if (name != NULL && exo_path_check (name, &route->error))
    route->path = g_strdup (path);
}

/* @segments: with "api" and what follows; @path: as sent */
static void
parse_api (ExoRoute *route, gboolean post, char **segments, const char *path)
{
  if (parse_type (segments[1], &route->type) && parse_repo (route, TRUE, post, segments + 2))
    return;
  if (post)
    route->kind = EXO_ROUTE_UPLOAD;
  else
    parse_pass (route, segments, path);
}

/* POST [{type}s/]{id}.git/info/lfs/objects/batch */
static gboolean
is_lfs_batch (gboolean post, const char *path)
{
  return post && g_str_has_suffix (path, ".git/info/lfs/objects/batch");
}

static void
parse_path (ExoRoute *route, gboolean post, const char *path)
{
  static const char *const own[] = {
    [EXO_ROUTE_PAGE] = "/", [EXO_ROUTE_STATE] = "/state.json", [EXO_ROUTE_METRICS] = "/metrics"
  };
  g_auto (GStrv) segments = g_strsplit (path + 1, "/", -1);
  char **repo = segments;

  for (guint i = 0; !post && i < G_N_ELEMENTS (own); i++)
    if (strcmp (path, own[i]) == 0)
      {
        route->kind = (ExoRouteKind) i;
        return;
      }
  if (g_str_has_prefix (path, "/api/"))
    {
      parse_api (route, post, segments, path);
      return;
    }
  /* No such prefix for models: "models" is as good an organisation as any. */
  if (segments[0] != NULL && parse_type (segments[0], &route->type) &&
      route->type != EXO_REPO_MODEL)
    repo++;
  if (is_lfs_batch (post, path))
    route->kind = EXO_ROUTE_UPLOAD;
  else
    parse_repo (route, FALSE, post, repo);
}

/* Query ------------------------------------------------------------------------------------------- */

static void
take_field (const char *name, const char *value, gpointer user_data)
{
  ExoRoute *route = user_data;
  gboolean yes =
      strcmp (value, "true") == 0 || strcmp (value, "True") == 0 || strcmp (value, "1") == 0;

  if (strcmp (name, "recursive") == 0)
    route->recursive = yes;
  else if (strcmp (name, "expand") == 0)
    route->expand = yes;
  else if (strcmp (name, "blobs") == 0)
    route->blobs = yes;
  else if (strcmp (name, "cursor") == 0)
    route->paged = *value != '\0';
}

void
exo_route_parse (ExoRoute *out_route, gboolean post, const char *path, const char *query)
{
  ExoRoute route = { .kind = EXO_ROUTE_NONE };

  /* exo and llama.cpp put a "/" more between the endpoint and the path. */
  while (path[0] == '/' && path[1] == '/')
    path++;
  if (path[0] == '/')
    parse_path (&route, post, path);
  if (route.error == NULL && !exo_form_foreach (query, take_field, &route))
    refuse (&route.error, "the query is not percent-encoded as it should be");
  if (route.error != NULL)
    {
      *out_route = (ExoRoute){ .kind = EXO_ROUTE_BAD_REQUEST };
      out_route->error = g_steal_pointer (&route.error);
      exo_route_clear (&route);
      return;
    }
  *out_route = route;
}

void
exo_route_clear (ExoRoute *route)
{
  g_clear_pointer (&route->id, g_free);
  g_clear_pointer (&route->revision, g_free);
  g_clear_pointer (&route->path, g_free);
  g_clear_error (&route->error);
}
