/* manifest-names.c - which names of repos, revisions, files and patterns are acceptable
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>
#include <string.h>

#include "transfer/error.h"
#include "transfer/hub/glob.h"
#include "transfer/hub/manifest.h"

#define REPO_NAME_MAX 96u  /* each of the one or two segments (hub-protocol.md 1.1) */
#define COMPONENT_MAX 255u /* NAME_MAX of every file system we may meet */

/* Names in messages: bounded and printable, whatever they are. */
static char *
quote (const char *name)
{
  g_autofree char *valid = g_utf8_make_valid (name, (gssize) strnlen (name, 128));
  g_autoptr (GString) out = g_string_new ("\"");

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);
      g_string_append_unichar (out, g_unichar_isprint (c) ? c : 0xfffd);
    }
  g_string_append (out, strlen (name) > 128 ? "...\"" : "\"");
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static gboolean
refuse (GError **error, const char *what, const char *name, const char *why)
{
  g_autofree char *quoted = name != NULL ? quote (name) : g_strdup ("(none)");

  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID, "%s %s: %s", what, quoted,
               why);
  return FALSE;
}

static const char *const type_names[] = {
  /* TRANSLATORS: kinds of repositories of the Hub, inside a sentence */
  [EXO_REPO_MODEL] = N_ ("model"),
  [EXO_REPO_DATASET] = N_ ("dataset"),
  [EXO_REPO_SPACE] = N_ ("space"),
};

const char *
exo_repo_type_name (ExoRepoType type)
{
  g_return_val_if_fail ((guint) type < G_N_ELEMENTS (type_names), NULL);
  return type_names[type];
}

gboolean
exo_repo_type_parse (const char *name, ExoRepoType *out_type)
{
  for (guint i = 0; name != NULL && i < G_N_ELEMENTS (type_names); i++)
    if (strcmp (name, type_names[i]) == 0)
      {
        *out_type = (ExoRepoType) i;
        return TRUE;
      }
  return FALSE;
}

static gboolean
is_repo_char (char c)
{
  return g_ascii_isalnum (c) || c == '.' || c == '_' || c == '-';
}

static const char *
repo_segment_fault (const char *segment, gsize length)
{
  if (length == 0)
    return _ ("an empty name");
  if (length > REPO_NAME_MAX)
    return _ ("a name of more than 96 characters");
  for (gsize i = 0; i < length; i++)
    if (!is_repo_char (segment[i]))
      return _ ("only letters, digits, \".\", \"_\" and \"-\" are allowed");
  if (strchr ("-.", segment[0]) != NULL || strchr ("-.", segment[length - 1]) != NULL)
    return _ ("a name may not start or end with \"-\" or \".\"");
  return NULL;
}

gboolean
exo_repo_id_check (const char *id, GError **error)
{
  const char *slash, *fault;

  if (id == NULL || *id == '\0')
    return refuse (error, _ ("repository"), id, _ ("a name is missing"));
  slash = strchr (id, '/');
  if (slash != NULL && (fault = repo_segment_fault (id, (gsize) (slash - id))) != NULL)
    return refuse (error, _ ("repository"), id, fault);
  if (slash != NULL && strchr (slash + 1, '/') != NULL)
    return refuse (error, _ ("repository"), id, _ ("it should be ORG/NAME"));
  slash = slash != NULL ? slash + 1 : id;
  if ((fault = repo_segment_fault (slash, strlen (slash))) != NULL)
    return refuse (error, _ ("repository"), id, fault);
  if (strstr (id, "--") != NULL || strstr (id, "..") != NULL)
    return refuse (error, _ ("repository"), id, _ ("\"--\" and \"..\" are not allowed"));
  if (g_str_has_suffix (id, ".git"))
    return refuse (error, _ ("repository"), id, _ ("it may not end with \".git\""));
  return TRUE;
}

/* What revisions and paths have in common: both become names of files. */
static const char *
relative_name_fault (const char *name, gsize max_bytes)
{
  const char *component = name;

  if (!g_utf8_validate (name, -1, NULL))
    return _ ("not UTF-8");
  if (strlen (name) > max_bytes)
    return _ ("too long");
  for (const char *p = name; *p != '\0'; p = g_utf8_next_char (p))
    if (*p == '\\' || g_unichar_iscntrl (g_utf8_get_char (p)))
      return _ ("a backslash or a control character");
  for (;;)
    {
      gsize n = strcspn (component, "/");

      if (n == 0)
        return _ ("absolute, or with an empty component");
      if (n > COMPONENT_MAX)
        return _ ("a component of more than 255 bytes");
      if (component[0] == '.' && (n == 1 || (n == 2 && component[1] == '.')))
        return _ ("a component \".\" or \"..\"");
      if (component[n] == '\0')
        return NULL;
      component += n + 1;
    }
}

gboolean
exo_revision_check (const char *revision, GError **error)
{
  const char *fault;

  if (revision == NULL || *revision == '\0')
    return refuse (error, _ ("revision"), revision, _ ("it is empty"));
  if ((fault = relative_name_fault (revision, EXO_REVISION_MAX)) != NULL)
    return refuse (error, _ ("revision"), revision, fault);
  if (strstr (revision, "..") != NULL)
    return refuse (error, _ ("revision"), revision, _ ("\"..\" is not allowed"));
  return TRUE;
}

gboolean
exo_path_check (const char *path, GError **error)
{
  const char *fault;

  if (path == NULL || *path == '\0')
    return refuse (error, _ ("path"), path, _ ("it is empty"));
  if ((fault = relative_name_fault (path, EXO_PATH_MAX)) != NULL)
    return refuse (error, _ ("path"), path, fault);
  return TRUE;
}

gboolean
exo_glob_check (const char *glob, GError **error)
{
  if (glob == NULL || *glob == '\0')
    return refuse (error, _ ("pattern"), glob, _ ("it is empty"));
  if (strlen (glob) > EXO_GLOB_MAX)
    return refuse (error, _ ("pattern"), glob, _ ("longer than 255 bytes"));
  if (!g_utf8_validate (glob, -1, NULL))
    return refuse (error, _ ("pattern"), glob, _ ("not UTF-8"));
  if (glob[0] == '/')
    return refuse (error, _ ("pattern"), glob, _ ("paths in a repo are relative"));
  if (g_str_has_prefix (glob, "../") || strstr (glob, "/../") != NULL ||
      g_str_has_suffix (glob, "/..") || strcmp (glob, "..") == 0)
    return refuse (error, _ ("pattern"), glob, _ ("no path in a repo has \"..\""));
  for (const char *c = glob; *c != '\0'; c++)
    if (g_ascii_iscntrl (*c))
      return refuse (error, _ ("pattern"), glob, _ ("a control character"));
  return TRUE;
}
