/* pulls.c - the list of transfers: what is pulled, asked for by programs, restored, forgotten
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>

#include "transfer/engine-private.h"

#define TRANSFERS_KEPT 100u /* that are over */

GPtrArray *
exo_engine_transfers (ExoEngine *engine)
{
  GPtrArray *transfers = g_ptr_array_new (); /* a copy would inherit the unref of its elements */

  for (guint i = 0; i < engine->transfers->len; i++)
    g_ptr_array_add (transfers, g_ptr_array_index (engine->transfers, i));
  return transfers;
}

void
exo_engine_forget_transfer (ExoEngine *engine, ExoTransfer *transfer)
{
  transfer->forgotten = TRUE;
  transfer->changed = FALSE;
  /* Whoever is at work with it up the stack may go on so until the main loop turns. */
  g_ptr_array_add (engine->forgotten, g_object_ref (transfer));
  exo_engine_tell_soon (engine);
  exo_store_forget_transfer (engine->store, transfer->id);
  g_ptr_array_remove (engine->transfers, transfer);
  g_signal_emit_by_name (engine, "transfer-removed", transfer);
}

static ExoTransfer *
find_too_old (ExoEngine *engine)
{
  guint over = 0;

  for (guint i = engine->transfers->len; i-- > 0;)
    {
      ExoTransfer *transfer = g_ptr_array_index (engine->transfers, i);
      gboolean ended =
          transfer->state == EXO_TRANSFER_COMPLETE || transfer->state == EXO_TRANSFER_FAILED;

      if (ended && ++over > TRANSFERS_KEPT)
        return transfer;
    }
  return NULL;
}

static void
added (ExoEngine *engine, ExoTransfer *transfer)
{
  ExoTransfer *old;

  /* Handlers of either signal may change the list. */
  g_signal_emit_by_name (engine, "transfer-added", transfer);
  while ((old = find_too_old (engine)) != NULL)
    exo_transfer_cancel (old, NULL);
}

static gboolean
check_globs (const char *const *globs, GError **error)
{
  for (guint i = 0; globs != NULL && globs[i] != NULL; i++)
    if (!exo_glob_check (globs[i], error))
      return FALSE;
  return TRUE;
}

ExoTransfer *
exo_engine_pull (ExoEngine *engine,
                 ExoRepoType type,
                 const char *id,
                 const char *revision,
                 const char *const *includes,
                 const char *const *excludes,
                 GError **error)
{
  ExoTransfer *transfer;

  if (revision == NULL)
    revision = "main";
  if (!exo_repo_id_check (id, error) || !exo_revision_check (revision, error) ||
      !check_globs (includes, error) || !check_globs (excludes, error))
    return NULL;
  for (guint i = 0; i < engine->transfers->len; i++)
    {
      transfer = g_ptr_array_index (engine->transfers, i);
      if (!exo_transfer_is (transfer, type, id, revision, includes, excludes))
        continue;
      if (!exo_transfer_is_active (transfer))
        exo_transfer_start (transfer);
      return transfer;
    }
  transfer = exo_transfer_new (engine, engine->next_id++, type, id, revision, includes, excludes);
  g_ptr_array_add (engine->transfers, transfer);
  g_message ("pull of %s@%s: transfer %u", id, revision, transfer->id);
  exo_transfer_start (transfer);
  added (engine, transfer);
  return transfer;
}

static gboolean
is_of_commit (ExoTransfer *transfer, ExoManifest *manifest)
{
  return exo_transfer_is_of (transfer, exo_manifest_type (manifest), exo_manifest_id (manifest)) &&
         g_strcmp0 (transfer->commit, exo_manifest_commit (manifest)) == 0;
}

static ExoTransfer *
find_on_demand (ExoEngine *engine, ExoManifest *manifest)
{
  for (guint i = 0; i < engine->transfers->len; i++)
    {
      ExoTransfer *transfer = g_ptr_array_index (engine->transfers, i);
      if (transfer->asked != NULL && is_of_commit (transfer, manifest))
        return transfer;
    }
  return NULL;
}

/* A pull that runs and has the file anyway. */
static ExoTransfer *
find_pull_with (ExoEngine *engine, ExoManifest *manifest, const char *path)
{
  for (guint i = 0; i < engine->transfers->len; i++)
    {
      ExoTransfer *transfer = g_ptr_array_index (engine->transfers, i);
      guint index;
      if (transfer->asked == NULL && exo_transfer_is_active (transfer) &&
          transfer->manifest != NULL && is_of_commit (transfer, manifest) &&
          exo_manifest_find (transfer->manifest, path, &index))
        return transfer;
    }
  return NULL;
}

ExoTransfer *
exo_engine_demand (ExoEngine *engine,
                   ExoManifest *manifest,
                   gboolean unverified,
                   const char *revision,
                   const char *path,
                   GError **error)
{
  ExoTransfer *transfer = find_pull_with (engine, manifest, path);
  gboolean is_new;

  if (transfer != NULL)
    return transfer;
  transfer = find_on_demand (engine, manifest);
  is_new = transfer == NULL;
  if (!is_new && transfer->state == EXO_TRANSFER_PAUSED && !transfer->abandoned)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_BUSY,
                   _ ("%s is paused on this machine: exoctl resume %u"), transfer->model,
                   transfer->id);
      return NULL;
    }
  if (is_new)
    {
      transfer = exo_transfer_new_on_demand (engine, engine->next_id++, manifest, revision);
      transfer->unverified = unverified;
      g_ptr_array_add (engine->transfers, transfer);
      g_message ("a program asks for %s@%s: transfer %u", transfer->model, revision, transfer->id);
    }
  exo_transfer_ask (transfer, path);
  if (is_new)
    added (engine, transfer);
  return transfer;
}

void
exo_engine_restore_transfers (ExoEngine *engine)
{
  g_autoptr (GPtrArray) texts = exo_store_load_transfers (engine->store);

  for (guint i = 0; i < texts->len; i++)
    {
      ExoTransfer *transfer = exo_transfer_restore (engine, g_ptr_array_index (texts, i));

      if (transfer == NULL)
        {
          g_warning ("a transfer in the index cannot be read and is left out: %s",
                     (const char *) g_ptr_array_index (texts, i));
          continue;
        }
      engine->next_id = MAX (engine->next_id, transfer->id + 1);
      g_ptr_array_add (engine->transfers, transfer);
      exo_transfer_wake (transfer);
    }
}
