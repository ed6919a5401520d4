/* exo-link.c - see exo-link.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/exo-link.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define TEMP_SUFFIX ".exo-tmp"

struct ExoLink
{
  ExoEngine *engine; /* borrowed */
  char *folder;
  GHashTable *done; /* org/name -> commit linked last, owned */
};

/* What a thread does: no state of the main thread. */
typedef struct
{
  char *folder, *cache;
  char *name;   /* of the link */
  char *target; /* a snapshot in the cache */
} Work;

static void
work_free (gpointer data)
{
  Work *work = data;

  g_free (work->folder);
  g_free (work->cache);
  g_free (work->name);
  g_free (work->target);
  g_free (work);
}

static gboolean
points_into (const char *path, const char *cache)
{
  g_autofree char *target = g_file_read_link (path, NULL);

  return target != NULL && g_str_has_prefix (target, cache) && target[strlen (cache)] == '/';
}

static void
remove_dangling (const Work *work)
{
  g_autoptr (GDir) dir = g_dir_open (work->folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (work->folder, name, NULL);

      if (points_into (path, work->cache) && !g_file_test (path, G_FILE_TEST_EXISTS))
        g_unlink (path);
    }
}

static void
make_link (const Work *work)
{
  g_autofree char *path = g_build_filename (work->folder, work->name, NULL);
  g_autofree char *temp = g_strconcat (path, TEMP_SUFFIX, NULL);
  GStatBuf there;

  if (g_lstat (path, &there) == 0 && !points_into (path, work->cache))
    {
      g_message ("%s is not a link into the cache: left as it is", path);
      return;
    }
  g_unlink (temp);
  if (g_mkdir_with_parents (work->folder, 0755) != 0 || symlink (work->target, temp) != 0 ||
      g_rename (temp, path) != 0)
    g_warning ("cannot link %s for exo: %s", path, g_strerror (errno));
  else
    g_message ("exo finds the model as %s", path);
}

static void
run (GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
  const Work *work = task_data;

  make_link (work);
  remove_dangling (work);
  g_task_return_boolean (task, TRUE);
}

static void
link_model (ExoLink *link, const ExoTransferInfo *info)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, NULL, NULL);
  g_auto (GStrv) parts = g_strsplit (info->model, "/", -1);
  Work *work = g_new0 (Work, 1);
  g_autofree char *repo = NULL;
  ExoEngineTotals totals;

  exo_engine_get_totals (link->engine, &totals);
  work->folder = g_strdup (link->folder);
  work->cache = g_strdup (totals.hub_cache);
  work->name = g_strjoinv ("--", parts);
  repo = g_strconcat ("models--", work->name, NULL);
  work->target = g_build_filename (work->cache, repo, "snapshots", info->commit, NULL);
  g_task_set_source_tag (task, link_model);
  g_task_set_task_data (task, work, work_free);
  g_task_run_in_thread (task, run);
}

static void
on_changed (ExoTransfer *transfer, ExoLink *link)
{
  ExoTransferInfo info;

  exo_transfer_get_info (transfer, &info);
  if (info.state != EXO_TRANSFER_COMPLETE || !info.whole || info.type != EXO_REPO_MODEL ||
      g_strcmp0 (g_hash_table_lookup (link->done, info.model), info.commit) == 0)
    return;
  g_hash_table_replace (link->done, g_strdup (info.model), g_strdup (info.commit));
  link_model (link, &info);
}

static void
on_added (ExoEngine *engine, ExoTransfer *transfer, ExoLink *link)
{
  g_signal_connect (transfer, "changed", G_CALLBACK (on_changed), link);
  on_changed (transfer, link);
}

static void
on_removed (ExoEngine *engine, ExoTransfer *transfer, ExoLink *link)
{
  g_signal_handlers_disconnect_by_data (transfer, link);
}

ExoLink *
exo_link_new (ExoEngine *engine, const char *folder)
{
  ExoLink *link = g_new0 (ExoLink, 1);
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (engine);

  link->engine = engine;
  link->folder = g_strdup (folder);
  link->done = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_signal_connect (engine, "transfer-added", G_CALLBACK (on_added), link);
  g_signal_connect (engine, "transfer-removed", G_CALLBACK (on_removed), link);
  for (guint i = 0; i < transfers->len; i++)
    on_added (engine, g_ptr_array_index (transfers, i), link);
  return link;
}

void
exo_link_free (ExoLink *link)
{
  g_autoptr (GPtrArray) transfers = NULL;

  if (link == NULL)
    return;
  transfers = exo_engine_transfers (link->engine);
  for (guint i = 0; i < transfers->len; i++)
    on_removed (link->engine, g_ptr_array_index (transfers, i), link);
  g_signal_handlers_disconnect_by_data (link->engine, link);
  g_hash_table_unref (link->done);
  g_free (link->folder);
  g_free (link);
}
