/* scan.c - what other tools downloaded: found, and asked about
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Files in the cache and in the roots are hashed after the start, then looked at again when something
 * happens that makes it worth while: nothing wakes the machine for it.
 *
 * What the Hub says of a repo in the cache counts for all files there, since Hub clients put them
 * there under their hashes. A folder in a root proves nothing: there the list of files is asked for,
 * and counts for the files in it.
 */

#include "transfer/engine-private.h"

#define SCAN_DELAY_S 20 /* after the start */
#define SCAN_AGAIN_S 60

typedef struct
{
  ExoEngine *engine; /* a reference */
  ExoRepoType type;
  char *id;
  gboolean in_root;
} Question;

static void
question_free (Question *question)
{
  g_object_unref (question->engine);
  g_free (question->id);
  g_free (question);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Question, question_free)

static void
on_manifest (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Question) question = user_data;
  ExoEngine *engine = question->engine;
  g_autoptr (ExoManifest) manifest =
      engine->hub != NULL ? exo_hub_manifest_finish (engine->hub, result, NULL) : NULL;

  if (manifest == NULL)
    return;
  exo_store_note_manifest (engine->store, manifest);
  for (guint i = 0; !engine->stopping && i < exo_manifest_n_files (manifest); i++)
    exo_swarm_found (engine->swarm, exo_manifest_file (manifest, i)->oid);
}

static void
on_repo_open (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (Question) question = user_data;
  ExoEngine *engine = question->engine;
  gboolean is_open;

  if (engine->hub == NULL || !exo_hub_is_open_finish (engine->hub, result, &is_open, NULL))
    return;
  exo_store_set_repo_open (engine->store, question->type, question->id, is_open);
  if (!question->in_root || !is_open)
    return;
  exo_hub_manifest_async (engine->hub, question->type, question->id, NULL, NULL, on_manifest,
                          question);
  g_steal_pointer (&question);
}

static void
ask (ExoEngine *engine, ExoRepoType type, const char *id, gboolean in_root)
{
  Question *question = g_new (Question, 1);

  *question = (Question){ g_object_ref (engine), type, g_strdup (id), in_root };
  exo_hub_is_open_async (engine->hub, type, id, NULL, on_repo_open, question);
}

/* Neighbours that wait for it asked when it was not known here. */
static void
on_found (ExoStore *store, const char *oid, gpointer user_data)
{
  ExoEngine *engine = user_data;

  if (!engine->stopping)
    exo_swarm_found (engine->swarm, oid);
}

static void
scan (ExoEngine *engine)
{
  g_autoptr (GPtrArray) repos = exo_store_unknown_repos (engine->store);
  g_autoptr (GPtrArray) models = exo_store_unlisted_repos (engine->store);

  engine->scanned_us = g_get_monotonic_time ();
  exo_store_scan (engine->store, on_found, engine);
  for (guint i = 0; i + 1 < repos->len; i += 2)
    {
      ExoRepoType type;

      if (exo_repo_type_parse (g_ptr_array_index (repos, i), &type))
        ask (engine, type, g_ptr_array_index (repos, i + 1), FALSE);
    }
  for (guint i = 0; i < models->len; i++)
    ask (engine, EXO_REPO_MODEL, g_ptr_array_index (models, i), TRUE);
}

static gboolean
on_scan (gpointer user_data)
{
  ExoEngine *engine = user_data;

  engine->scan_source = 0;
  scan (engine);
  return G_SOURCE_REMOVE;
}

void
exo_engine_scan_later (ExoEngine *engine)
{
  engine->scan_source = g_timeout_add_seconds (SCAN_DELAY_S, on_scan, engine);
}

void
exo_engine_scan_again (ExoEngine *engine)
{
  if (engine->scanned_us != 0 &&
      g_get_monotonic_time () - engine->scanned_us >= SCAN_AGAIN_S * G_USEC_PER_SEC)
    scan (engine);
}
