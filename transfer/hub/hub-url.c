/* hub-url.c - see hub-url.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/hub/hub-url.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#include "transfer/error.h"
#include "transfer/http/content-range.h"

#define URI_FLAGS (G_URI_FLAGS_ENCODED | G_URI_FLAGS_SCHEME_NORMALIZE)

/* Building ----------------------------------------------------------------------------------------- */

static const char *
api_segment (ExoRepoType type)
{
  return type == EXO_REPO_DATASET ? "datasets" : type == EXO_REPO_SPACE ? "spaces" : "models";
}

char *
exo_hub_url_info (const char *endpoint, ExoRepoType type, const char *id, const char *revision)
{
  /* "refs/pr/1" has to be one segment: the Hub does not know it otherwise. */
  g_autofree char *escaped = revision != NULL ? g_uri_escape_string (revision, NULL, FALSE) : NULL;

  return escaped != NULL ? g_strdup_printf ("%s/api/%s/%s/revision/%s", endpoint,
                                            api_segment (type), id, escaped)
                         : g_strdup_printf ("%s/api/%s/%s", endpoint, api_segment (type), id);
}

char *
exo_hub_url_tree (const char *endpoint, ExoRepoType type, const char *id, const char *commit)
{
  return g_strdup_printf ("%s/api/%s/%s/tree/%s?recursive=true&expand=false", endpoint,
                          api_segment (type), id, commit);
}

char *
exo_hub_url_resolve (const char *endpoint,
                     ExoRepoType type,
                     const char *id,
                     const char *commit,
                     const char *path)
{
  g_autofree char *escaped = g_uri_escape_string (path, "/", FALSE);
  const char *prefix = type == EXO_REPO_MODEL ? "" : api_segment (type);

  return g_strdup_printf ("%s/%s%s%s/resolve/%s/%s", endpoint, prefix, *prefix != '\0' ? "/" : "",
                          id, commit, escaped);
}

/* Taking apart --------------------------------------------------------------------------------------- */

static gboolean
refuse (GError **error, const char *why)
{
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID, _ ("an address refused: %s"),
               why);
  return FALSE;
}

/* (nullable): an absolute http or https address of a host, and nothing odd in it */
static GUri *
parse (const char *url, GError **error)
{
  g_autoptr (GUri) uri = NULL;
  const char *scheme;

  if (url == NULL || strlen (url) > EXO_URL_MAX)
    return refuse (error, _ ("none, or too long")), NULL;
  for (const char *p = url; *p != '\0'; p++)
    if (!g_ascii_isgraph (*p))
      return refuse (error, _ ("a character that may not be in one")), NULL;
  uri = g_uri_parse (url, URI_FLAGS, NULL);
  scheme = uri != NULL ? g_uri_get_scheme (uri) : NULL;
  if (scheme == NULL || (strcmp (scheme, "http") != 0 && strcmp (scheme, "https") != 0))
    return refuse (error, _ ("neither http nor https")), NULL;
  if (g_uri_get_host (uri) == NULL || *g_uri_get_host (uri) == '\0')
    return refuse (error, _ ("without a host")), NULL;
  if (g_uri_get_userinfo (uri) != NULL)
    return refuse (error, _ ("with a user name")), NULL;
  return g_steal_pointer (&uri);
}

char *
exo_hub_url_endpoint (const char *endpoint, GError **error)
{
  g_autofree char *trimmed = g_strdup (endpoint);
  g_autoptr (GUri) uri = NULL;

  for (gsize n = strlen (trimmed); n > 0 && trimmed[n - 1] == '/'; n--)
    trimmed[n - 1] = '\0';
  uri = parse (trimmed, error);
  if (uri == NULL)
    return NULL;
  if (g_uri_get_query (uri) != NULL || g_uri_get_fragment (uri) != NULL)
    return refuse (error, _ ("an endpoint has no query")), NULL;
  return g_steal_pointer (&trimmed);
}

gboolean
exo_url_same_origin (const char *a, const char *b)
{
  g_autoptr (GUri) x = parse (a, NULL);
  g_autoptr (GUri) y = parse (b, NULL);

  /* SCHEME_NORMALIZE makes a default port and none the same. */
  return x != NULL && y != NULL && strcmp (g_uri_get_scheme (x), g_uri_get_scheme (y)) == 0 &&
         g_ascii_strcasecmp (g_uri_get_host (x), g_uri_get_host (y)) == 0 &&
         g_uri_get_port (x) == g_uri_get_port (y);
}

char *
exo_url_host (const char *url)
{
  g_autoptr (GUri) uri = parse (url, NULL);

  return g_strdup (uri != NULL ? g_uri_get_host (uri) : "?");
}

static gboolean
is_loopback (GUri *uri)
{
  const char *host = g_uri_get_host (uri);
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (host);

  if (address != NULL)
    return g_inet_address_get_is_loopback (address);
  return g_ascii_strcasecmp (host, "localhost") == 0 || g_str_has_suffix (host, ".localhost");
}

/* The address up to where its path begins */
static gsize
origin_length (const char *url)
{
  const char *host = strstr (url, "://") + 3;

  return (gsize) (host - url) + strcspn (host, "/?#");
}

char *
exo_url_follow (const char *base, const char *location, GError **error)
{
  g_autofree char *target = NULL;
  g_autoptr (GUri) from = parse (base, error);
  g_autoptr (GUri) to = NULL;

  if (from == NULL)
    return NULL;
  if (location != NULL && location[0] == '/' && location[1] != '/' && location[1] != '\\')
    {
      g_autofree char *origin = g_strndup (base, origin_length (base));
      target = g_strconcat (origin, location, NULL);
    }
  else
    target = g_strdup (location);
  to = parse (target, error);
  if (to == NULL)
    return NULL;
  if (strcmp (g_uri_get_scheme (from), "https") == 0 &&
      strcmp (g_uri_get_scheme (to), "https") != 0)
    return refuse (error, _ ("from https to http")), NULL;
  if (is_loopback (to) && !is_loopback (from))
    return refuse (error, _ ("to this machine")), NULL;
  return g_steal_pointer (&target);
}

char *
exo_url_link_next (const char *link)
{
  while (link != NULL && (link = strchr (link, '<')) != NULL)
    {
      const char *end = strchr (link, '>');
      const char *next = end != NULL ? strchr (end, '<') : NULL;
      g_autofree char *attributes = NULL;

      if (end == NULL)
        return NULL;
      attributes = next != NULL ? g_strndup (end, (gsize) (next - end)) : g_strdup (end);
      if (strstr (attributes, "rel=\"next\"") != NULL || strstr (attributes, "rel=next") != NULL)
        return g_strndup (link + 1, (gsize) (end - link - 1));
      link = next;
    }
  return NULL;
}

/* Expiry --------------------------------------------------------------------------------------------- */

/* "Sun, 06 Nov 1994 08:49:37 GMT", the one form that RFC 9110 5.6.7 lets servers send */
static gboolean
parse_date (const char *date, gint64 *out_unix)
{
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  g_autoptr (GDateTime) when = NULL;
  char month[4];
  const char *found;
  int day, year, hour, minute, second;

  if (date == NULL || sscanf (date, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &day, month, &year, &hour,
                              &minute, &second) != 6)
    return FALSE;
  found = strlen (month) == 3 ? strstr (months, month) : NULL;
  if (found == NULL || (found - months) % 3 != 0)
    return FALSE;
  when = g_date_time_new_utc (year, (int) (found - months) / 3 + 1, day, hour, minute, second);
  if (when == NULL)
    return FALSE;
  *out_unix = g_date_time_to_unix (when);
  return TRUE;
}

static gboolean
query_number (const char *query, const char *name, guint64 *out_value)
{
  gsize n = strlen (name);

  for (const char *p = query; p != NULL; p = strchr (p, '&') != NULL ? strchr (p, '&') + 1 : NULL)
    if (strncmp (p, name, n) == 0 && p[n] == '=')
      {
        const char *end;
        return exo_decimal_parse (p + n + 1, &end, out_value) && (*end == '\0' || *end == '&');
      }
  return FALSE;
}

/* X-Amz-Date=20260102T030405Z */
static gboolean
query_amz_date (const char *query, gint64 *out_unix)
{
  const char *p = strstr (query, "X-Amz-Date=");
  g_autoptr (GDateTime) when = NULL;
  int year, month, day, hour, minute, second;

  if (p == NULL ||
      sscanf (p + 11, "%4d%2d%2dT%2d%2d%2dZ", &year, &month, &day, &hour, &minute, &second) != 6)
    return FALSE;
  when = g_date_time_new_utc (year, month, day, hour, minute, second);
  if (when == NULL)
    return FALSE;
  *out_unix = g_date_time_to_unix (when);
  return TRUE;
}

gint64
exo_url_life_s (const char *url, const char *date)
{
  const char *query = strchr (url, '?');
  gint64 now, signed_at, life;
  guint64 number;

  if (query == NULL || !parse_date (date, &now))
    return EXO_SIGNED_URL_DEFAULT_S;
  query++;
  if (query_number (query, "Expires", &number))
    life = number > (guint64) G_MAXINT64 / 2 ? EXO_SIGNED_URL_MAX_S : (gint64) number - now;
  else if (query_amz_date (query, &signed_at) && query_number (query, "X-Amz-Expires", &number))
    life = signed_at - now + (gint64) MIN (number, EXO_SIGNED_URL_MAX_S);
  else
    life = EXO_SIGNED_URL_DEFAULT_S;
  return CLAMP (life, 0, EXO_SIGNED_URL_MAX_S);
}
