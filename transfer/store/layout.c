/* layout.c - see layout.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/store/layout.h"

#include <string.h>

#include "transfer/oid.h"

static const struct
{
  ExoRepoType type;
  const char *prefix;
} prefixes[] = {
  { EXO_REPO_MODEL, "models--" },
  { EXO_REPO_DATASET, "datasets--" },
  { EXO_REPO_SPACE, "spaces--" },
};

static char *
replace_all (const char *text, const char *from, const char *to)
{
  g_auto (GStrv) parts = g_strsplit (text, from, -1);

  return g_strjoinv (to, parts);
}

char *
exo_layout_repo (ExoRepoType type, const char *id)
{
  if (id == NULL || !exo_repo_id_check (id, NULL))
    return NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (prefixes); i++)
    if (prefixes[i].type == type)
      {
        g_autofree char *flat = replace_all (id, "/", "--");

        return g_strconcat (prefixes[i].prefix, flat, NULL);
      }
  return NULL;
}

gboolean
exo_layout_parse_repo (const char *folder, ExoRepoType *out_type, char **out_id)
{
  for (gsize i = 0; i < G_N_ELEMENTS (prefixes); i++)
    if (g_str_has_prefix (folder, prefixes[i].prefix))
      {
        g_autofree char *id = replace_all (folder + strlen (prefixes[i].prefix), "--", "/");
        g_autofree char *again = exo_layout_repo (prefixes[i].type, id);

        /* What does not come back the same is another name: "models--a---b" */
        if (again == NULL || strcmp (again, folder) != 0)
          return FALSE;
        *out_type = prefixes[i].type;
        *out_id = g_steal_pointer (&id);
        return TRUE;
      }
  return FALSE;
}

char *
exo_layout_blob (ExoRepoType type, const char *id, const char *oid, const char *suffix)
{
  g_autofree char *repo = exo_layout_repo (type, id);

  if (repo == NULL || exo_oid_kind (oid) == EXO_OID_NONE)
    return NULL;
  return g_strconcat (repo, "/blobs/", oid, suffix, NULL);
}

char *
exo_layout_lock (ExoRepoType type, const char *id, const char *oid)
{
  g_autofree char *repo = exo_layout_repo (type, id);

  if (repo == NULL || exo_oid_kind (oid) == EXO_OID_NONE)
    return NULL;
  return g_strconcat (".locks/", repo, "/", oid, ".lock", NULL);
}

char *
exo_layout_ref (ExoRepoType type, const char *id, const char *revision)
{
  g_autofree char *repo = exo_layout_repo (type, id);

  /* A revision is also a path below refs/: both rules hold */
  if (repo == NULL || revision == NULL || !exo_revision_check (revision, NULL) ||
      !exo_path_check (revision, NULL))
    return NULL;
  return g_strconcat (repo, "/refs/", revision, NULL);
}

char *
exo_layout_snapshot (ExoRepoType type, const char *id, const char *commit)
{
  g_autofree char *repo = exo_layout_repo (type, id);

  if (repo == NULL || !exo_is_commit (commit))
    return NULL;
  return g_strconcat (repo, "/snapshots/", commit, NULL);
}

char *
exo_layout_tree (ExoRepoType type, const char *id, const char *commit)
{
  g_autofree char *repo = exo_layout_repo (type, id);

  if (repo == NULL || !exo_is_commit (commit))
    return NULL;
  return g_strconcat (repo, "/trees/", commit, ".json", NULL);
}

char *
exo_layout_link_target (const char *path, const char *oid)
{
  GString *target;

  if (path == NULL || !exo_path_check (path, NULL) || exo_oid_kind (oid) == EXO_OID_NONE)
    return NULL;
  target = g_string_new ("../../");
  for (const char *c = path; *c != '\0'; c++)
    if (*c == '/')
      g_string_append (target, "../");
  g_string_append (target, "blobs/");
  g_string_append (target, oid);
  return g_string_free (target, FALSE);
}

char *
exo_layout_lfs_pointer (const char *sha256, guint64 size)
{
  return g_strdup_printf ("version https://git-lfs.github.com/spec/v1\n"
                          "oid sha256:%s\n"
                          "size %" G_GUINT64_FORMAT "\n",
                          sha256, size);
}
