/* route.c - what a request line asks for
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/hub/route.h"

#include <string.h>

typedef struct
{
  const char *name; /* the segment after the id */
  HubRouteKind kind;
} Verb;

static const Verb API_VERBS[] = {
  { "tree", HUB_ROUTE_TREE },
  { "refs", HUB_ROUTE_REFS },
  { "revision", HUB_ROUTE_INFO },
  { "paths-info", HUB_ROUTE_PATHS_INFO },
  { "xet-read-token", HUB_ROUTE_XET_TOKEN },
  { "commits", HUB_ROUTE_UPLOAD },
  { "commit", HUB_ROUTE_UPLOAD },
  { "preupload", HUB_ROUTE_UPLOAD },
  { "xet-write-token", HUB_ROUTE_UPLOAD },
};

static const char *const TYPES[] = { "models", "datasets", "spaces" };

static char *
decode_form_text (const char *text, gsize length)
{
  g_autofree char *copy = g_strndup (text, length);

  g_strdelimit (copy, "+", ' ');
  return g_uri_unescape_string (copy, NULL);
}

char **
hub_form_values (const char *text, const char *name)
{
  g_auto (GStrv) pairs = g_strsplit (text, "&", -1);
  g_autoptr (GPtrArray) values = g_ptr_array_new ();

  for (gsize i = 0; pairs[i] != NULL; i++)
    {
      const char *equals = strchr (pairs[i], '=');
      gsize length = equals != NULL ? (gsize) (equals - pairs[i]) : strlen (pairs[i]);
      g_autofree char *key = decode_form_text (pairs[i], length);
      char *value;

      if (g_strcmp0 (key, name) != 0 || equals == NULL)
        continue;
      value = decode_form_text (equals + 1, strlen (equals + 1));
      if (value != NULL)
        g_ptr_array_add (values, value);
    }
  g_ptr_array_add (values, NULL);
  return (char **) g_ptr_array_steal (values, NULL);
}

static GHashTable *
parse_query (const char *text)
{
  GHashTable *query = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_auto (GStrv) pairs = g_strsplit (text, "&", -1);

  for (gsize i = 0; pairs[i] != NULL; i++)
    {
      const char *equals = strchr (pairs[i], '=');
      gsize length = equals != NULL ? (gsize) (equals - pairs[i]) : strlen (pairs[i]);
      char *key = decode_form_text (pairs[i], length);

      if (key == NULL)
        continue;
      g_hash_table_replace (query, key,
                            equals != NULL ? decode_form_text (equals + 1, strlen (equals + 1))
                                           : g_strdup (""));
    }
  return query;
}

gboolean
hub_route_flag (const HubRoute *route, const char *name)
{
  const char *value = g_hash_table_lookup (route->query, name);

  return g_strcmp0 (value, "true") == 0 || g_strcmp0 (value, "1") == 0;
}

/* Also refuses what only decoding reveals: "%2e%2e", "a%2F..%2Fb", "%5C" */
static gboolean
is_safe_path (const char *path)
{
  g_auto (GStrv) parts = g_strsplit (path, "/", -1);

  if (strchr (path, '\\') != NULL)
    return FALSE;
  for (gsize i = 0; parts[i] != NULL; i++)
    if (*parts[i] == '\0' || g_str_equal (parts[i], ".") || g_str_equal (parts[i], ".."))
      return FALSE;
  return TRUE;
}

/* @raw, the undecoded segments; %FALSE if one cannot be decoded. A NUL cannot be, either. */
static gboolean
decode_all (char **raw, char **decoded)
{
  gsize n = g_strv_length (raw);

  for (gsize i = 0; i < n; i++)
    {
      decoded[i] = g_uri_unescape_string (raw[i], NULL);
      if (decoded[i] == NULL || !g_utf8_validate (decoded[i], -1, NULL))
        return FALSE;
    }
  return TRUE;
}

static const char *
find_type (const char *segment)
{
  for (gsize i = 0; i < G_N_ELEMENTS (TYPES); i++)
    if (g_str_equal (segment, TYPES[i]))
      return TYPES[i];
  return NULL;
}

static const Verb *
find_verb (const char *segment)
{
  for (gsize i = 0; i < G_N_ELEMENTS (API_VERBS); i++)
    if (g_str_equal (segment, API_VERBS[i].name))
      return &API_VERBS[i];
  return NULL;
}

/* The id is segments[first .. first + n_id - 1]; keeps what a redirect to another id needs */
static void
set_id (HubRoute *route, char **raw, char **segments, gsize first, gsize n_id, const char *query)
{
  g_autofree char *tail = g_strjoinv ("/", raw + first + n_id);
  g_autofree char *head = NULL;
  char *cut = raw[first];

  route->id = n_id == 2 ? g_strconcat (segments[first], "/", segments[first + 1], NULL)
                        : g_strdup (segments[first]);
  raw[first] = NULL;
  head = g_strjoinv ("/", raw);
  raw[first] = cut;
  route->before_id = g_strconcat ("/", head, *head != '\0' ? "/" : "", NULL);
  route->after_id = g_strconcat (*tail != '\0' ? "/" : "", tail, query != NULL ? query : "", NULL);
}

static void
set_path (HubRoute *route, char **segments)
{
  if (segments[0] == NULL)
    return;
  route->path = g_strjoinv ("/", segments);
  if (!is_safe_path (route->path))
    route->kind = HUB_ROUTE_BAD;
}

static void
parse_api (HubRoute *route, char **raw, char **segments, const char *query)
{
  gsize n = g_strv_length (segments);
  gsize n_id;
  const Verb *verb = NULL;

  if (n >= 2 && g_str_equal (segments[1], "whoami-v2"))
    route->kind = HUB_ROUTE_WHOAMI;
  if (n < 3 || (route->type = find_type (segments[1])) == NULL)
    return;
  n_id = n > 3 && find_verb (segments[3]) == NULL ? 2 : 1;
  set_id (route, raw, segments, 2, n_id, query);
  if (n > 2 + n_id)
    verb = find_verb (segments[2 + n_id]);
  if (n > 2 + n_id && verb == NULL)
    return;
  route->kind = verb != NULL ? verb->kind : HUB_ROUTE_INFO;
  route->stats_path =
      g_strconcat (route->type, "/", route->id, "/", verb != NULL ? verb->name : "info", NULL);
  if (n > 3 + n_id)
    route->revision = g_strdup (segments[3 + n_id]);
  if (n > 4 + n_id)
    set_path (route, segments + 4 + n_id);
}

static void
count_as (HubRoute *route, const char *verb)
{
  if (route->path != NULL)
    route->stats_path =
        g_strconcat (route->type, "/", route->id, "/", verb, "/", route->path, NULL);
}

/* /api/resolve-cache/models/ORG/NAME/COMMIT/path */
static void
parse_resolve_cache (HubRoute *route, char **segments)
{
  route->klass = HUB_CLASS_RESOLVE;
  if (g_strv_length (segments) < 7 || (route->type = find_type (segments[2])) == NULL)
    return;
  route->kind = HUB_ROUTE_RESOLVE_CACHE;
  route->id = g_strconcat (segments[3], "/", segments[4], NULL);
  route->revision = g_strdup (segments[5]);
  set_path (route, segments + 6);
  count_as (route, "resolve");
}

static gboolean
is_split_ref (char **segments)
{
  return segments[0] != NULL && g_str_equal (segments[0], "refs") && segments[1] != NULL &&
         segments[2] != NULL &&
         (g_str_equal (segments[1], "pr") || g_str_equal (segments[1], "convert"));
}

/* [datasets/ | spaces/] ORG/NAME/resolve/REVISION/path */
static void
parse_file (HubRoute *route, char **raw, char **segments, const char *query)
{
  const char *type = segments[0] != NULL ? find_type (segments[0]) : NULL;
  gsize first = type != NULL && !g_str_equal (type, "models") ? 1 : 0;
  gsize n = g_strv_length (segments);
  gsize verb = first;

  while (verb < n && !g_str_equal (segments[verb], "resolve") &&
         !g_str_equal (segments[verb], "raw"))
    verb++;
  if (verb - first < 1 || verb - first > 2 || verb + 2 >= n)
    return;
  route->type = first == 1 ? type : TYPES[0];
  route->klass = HUB_CLASS_RESOLVE;
  route->kind = g_str_equal (segments[verb], "raw") ? HUB_ROUTE_RAW : HUB_ROUTE_RESOLVE;
  set_id (route, raw, segments, first, verb - first, query);
  if (is_split_ref (segments + verb + 1) && verb + 4 < n)
    {
      route->revision = g_strdup_printf ("refs/%s/%s", segments[verb + 2], segments[verb + 3]);
      set_path (route, segments + verb + 4);
    }
  else
    {
      route->revision = g_strdup (segments[verb + 1]);
      set_path (route, segments + verb + 2);
    }
  count_as (route, segments[verb]);
}

static void
parse_path (HubRoute *route, const char *query)
{
  const char *start = route->raw_path + strspn (route->raw_path, "/");
  g_auto (GStrv) raw = g_strsplit (start, "/", -1);
  g_auto (GStrv) segments = g_new0 (char *, g_strv_length (raw) + 1);

  if (!decode_all (raw, segments))
    route->kind = HUB_ROUTE_BAD;
  else if (segments[0] != NULL && g_str_equal (segments[0], "api"))
    {
      if (segments[1] != NULL && g_str_equal (segments[1], "resolve-cache"))
        parse_resolve_cache (route, segments);
      else
        parse_api (route, raw, segments, query);
    }
  else
    parse_file (route, raw, segments, query);
}

HubRoute *
hub_route_parse (const char *uri)
{
  HubRoute *route = g_new0 (HubRoute, 1);
  const char *query = strchr (uri, '?');

  route->raw_path = query != NULL ? g_strndup (uri, (gsize) (query - uri)) : g_strdup (uri);
  route->query = parse_query (query != NULL ? query + 1 : "");
  parse_path (route, query);
  if (route->stats_path == NULL)
    route->stats_path = g_strdup (route->raw_path + strspn (route->raw_path, "/"));
  return route;
}

void
hub_route_free (HubRoute *route)
{
  if (route == NULL)
    return;
  g_free (route->id);
  g_free (route->revision);
  g_free (route->path);
  g_free (route->before_id);
  g_free (route->after_id);
  g_free (route->stats_path);
  g_free (route->raw_path);
  g_hash_table_unref (route->query);
  g_free (route);
}
