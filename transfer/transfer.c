/* transfer.c - one model revision on its way to this machine
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   QUEUED        about to start
 *   RESOLVING     the list of files is asked for (listing.c), then each file looked for on disk
 *   TRANSFERRING  missing files are wanted from the swarm, in the order of the manifest, some at a time
 *   VERIFYING     all bytes are here: last hashes, then the snapshot is published
 *   COMPLETE, FAILED, PAUSED
 *
 * A failure for want of room or of a network goes on by itself when there is room or a network again.
 */

#include <glib/gi18n.h>
#include <stdlib.h>
#include <string.h>

#include "transfer/engine-private.h"
#include "transfer/oid.h"

#define RETRY_SPACE_S   10u
#define RETRY_NETWORK_S 60u
#define CONFIRM_FIRST_S 5u
#define CONFIRM_MAX_S   60u

enum
{
  CHANGED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (ExoTransfer, exo_transfer, G_TYPE_OBJECT)

static void begin_listing (ExoTransfer *transfer);

void
exo_transfer_changed (ExoTransfer *transfer)
{
  transfer->changed = TRUE;
  exo_engine_tell_soon (transfer->engine);
}

void
exo_transfer_tell (ExoTransfer *transfer)
{
  if (!transfer->changed)
    return;
  transfer->changed = FALSE;
  g_signal_emit (transfer, signals[CHANGED], 0);
}

gboolean
exo_transfer_is_active (ExoTransfer *transfer)
{
  return transfer->state <= EXO_TRANSFER_VERIFYING;
}

gboolean
exo_transfer_is_opening (ExoTransfer *transfer)
{
  return transfer->state == EXO_TRANSFER_RESOLVING ||
         (transfer->state == EXO_TRANSFER_TRANSFERRING && !transfer->space_checked);
}

/* One on demand is kept once it is complete, so that it is remembered. Before, a restart ends it: the program that reads will
 * ask again, and finds what is on disk. */
void
exo_transfer_save (ExoTransfer *transfer)
{
  g_autofree char *json = NULL;

  if (transfer->asked != NULL && transfer->state != EXO_TRANSFER_COMPLETE)
    return;
  json = exo_transfer_to_json (transfer);
  exo_store_save_transfer (transfer->engine->store, transfer->id, json);
}

void
exo_transfer_set_state (ExoTransfer *transfer, ExoTransferState state)
{
  if (transfer->state == state)
    return;
  g_message ("%s@%s: %s", transfer->model, transfer->revision, exo_transfer_state_name (state));
  transfer->state = state;
  exo_transfer_save (transfer);
  g_clear_pointer (&transfer->shown, g_free);
  exo_transfer_changed (transfer);
}

/* --- failing and trying again -------------------------------------------------------------------- */

static gboolean
on_retry (gpointer user_data)
{
  ExoTransfer *transfer = user_data;

  transfer->retry_source = 0;
  exo_transfer_start (transfer);
  return G_SOURCE_REMOVE;
}

static gboolean
on_room_check (gpointer user_data)
{
  ExoTransfer *transfer = user_data;
  guint64 needed = transfer->last_needed;

  if (needed == 0) /* not of this run */
    needed = transfer->last_total - MIN (transfer->last_done, transfer->last_total);
  if (exo_store_free_bytes (transfer->engine->store) < needed)
    return G_SOURCE_CONTINUE;
  return on_retry (transfer);
}

static void
retry_when_mended (ExoTransfer *transfer)
{
  if (g_error_matches (transfer->error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_SPACE))
    transfer->retry_source = g_timeout_add_seconds (RETRY_SPACE_S, on_room_check, transfer);
  else if (g_error_matches (transfer->error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE) ||
           g_error_matches (transfer->error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_RATE_LIMITED))
    transfer->retry_source = g_timeout_add_seconds (RETRY_NETWORK_S, on_retry, transfer);
}

void
exo_transfer_fail (ExoTransfer *transfer, const GError *error)
{
  GError *kept = g_error_copy (error);

  exo_transfer_stop (transfer, TRUE);
  g_clear_error (&transfer->error);
  transfer->error = kept;
  retry_when_mended (transfer);
  exo_transfer_set_state (transfer, EXO_TRANSFER_FAILED);
  if (g_error_matches (kept, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_SPACE) ||
      g_error_matches (kept, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DISK))
    exo_engine_warn (transfer->engine, "disk", "%s: %s", transfer->model, kept->message);
  else
    g_warning ("%s@%s failed: %s", transfer->model, transfer->revision, kept->message);
}

/* --- confirming later ------------------------------------------------------------------------------------ */

static gboolean
confirm (gpointer user_data)
{
  ExoTransfer *transfer = user_data;

  transfer->confirm_source = 0;
  exo_transfer_hub_changed (transfer, TRUE);
  return G_SOURCE_REMOVE;
}

void
exo_transfer_confirm_later (ExoTransfer *transfer)
{
  guint delay = MIN (CONFIRM_FIRST_S << MIN (transfer->n_retries, 5u), CONFIRM_MAX_S);

  transfer->n_retries++;
  if (transfer->confirm_source == 0)
    transfer->confirm_source = g_timeout_add_seconds (delay, confirm, transfer);
}

/* --- the list of files ------------------------------------------------------------------------------- */

/* @error: NOT_FOUND: its globs leave nothing of @whole */
static gboolean
set_manifest (ExoTransfer *transfer, ExoManifest *whole, GError **error)
{
  g_autoptr (ExoManifest) manifest =
      transfer->asked != NULL
          ? exo_manifest_ref (whole)
          : exo_manifest_filter (whole, (const char *const *) transfer->includes,
                                 (const char *const *) transfer->excludes, error);

  if (manifest == NULL)
    return FALSE;
  exo_manifest_ref (whole); /* it may be the one it has */
  g_clear_pointer (&transfer->whole, exo_manifest_unref);
  g_clear_pointer (&transfer->manifest, exo_manifest_unref);
  transfer->whole = whole;
  transfer->manifest = g_steal_pointer (&manifest);
  g_free (transfer->commit);
  transfer->commit = g_strdup (exo_manifest_commit (whole));
  return TRUE;
}

static void
begin_files (ExoTransfer *transfer, ExoManifest *whole)
{
  g_autoptr (GError) error = NULL;

  if (!set_manifest (transfer, whole, &error))
    {
      exo_transfer_fail (transfer, error);
      return;
    }
  g_clear_pointer (&transfer->previous, g_free);
  exo_transfer_begin_files (transfer);
}

/* (nullable) */
static ExoManifest *
peek_manifest (ExoTransfer *transfer, const char *commit)
{
  return commit != NULL ? exo_store_peek_manifest (transfer->engine->store, transfer->type,
                                                   transfer->model, commit)
                        : NULL;
}

/* One that is over, or paused, shows its files also after a restart. */
static void
recall_manifest (ExoTransfer *transfer)
{
  ExoManifest *known = peek_manifest (transfer, transfer->commit);

  if (known != NULL && set_manifest (transfer, known, NULL) && transfer->asked != NULL)
    exo_transfer_recall_asked (transfer);
}

/* What was complete stays so while the Hub cannot be asked whether there is something newer. */
static gboolean
keep_previous (ExoTransfer *transfer, const GError *error)
{
  ExoManifest *known = peek_manifest (transfer, transfer->previous);

  if (known == NULL ||
      !(g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE) ||
        g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_RATE_LIMITED)))
    return FALSE;
  g_message ("%s@%s: the Hub cannot say what it is now: %s", transfer->model, transfer->revision,
             error->message);
  begin_files (transfer, known);
  return TRUE;
}

static void
fail_listing (ExoTransfer *transfer, const GError *error)
{
  g_autoptr (GError) told = g_error_copy (error);

  if (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE))
    {
      g_clear_error (&told);
      g_set_error (&told, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                   _ ("The Hub at %s cannot be reached to look up %s, and no neighbour has it: %s. "
                      "It is tried again by itself; exoctl doctor says more."),
                   exo_hub_endpoint (transfer->engine->hub), transfer->model, error->message);
    }
  exo_transfer_fail (transfer, told);
}

static void
on_listed (ExoManifest *manifest, gboolean from_neighbour, const GError *error, gpointer user_data)
{
  ExoTransfer *transfer = user_data;

  transfer->listing = NULL;
  if (manifest == NULL)
    {
      if (!keep_previous (transfer, error))
        fail_listing (transfer, error);
      return;
    }
  transfer->unverified = from_neighbour;
  exo_listing_note (transfer->engine, manifest, from_neighbour);
  if (from_neighbour)
    g_message ("%s@%s: the Hub cannot be reached; going by a neighbour's list of files",
               transfer->model, transfer->revision);
  begin_files (transfer, manifest);
}

static void
begin_listing (ExoTransfer *transfer)
{
  /* After a restart it goes on with the commit it had begun, without asking anyone. */
  ExoManifest *known = peek_manifest (transfer, transfer->commit);

  exo_transfer_set_state (transfer, EXO_TRANSFER_RESOLVING);
  /* What is newer than a commit it has, the Hub alone can say: a neighbour may have an older one. */
  if (known != NULL)
    begin_files (transfer, known);
  else
    transfer->listing =
        exo_listing_new (transfer->engine, transfer->type, transfer->model,
                         transfer->commit != NULL ? transfer->commit : transfer->revision,
                         transfer->previous == NULL, on_listed, transfer);
}

/* --- confirming a neighbour's listing ------------------------------------------------------------------ */

static gboolean
same_files (ExoManifest *a, ExoManifest *b)
{
  if (exo_manifest_n_files (a) != exo_manifest_n_files (b))
    return FALSE;
  for (guint i = 0; i < exo_manifest_n_files (a); i++)
    {
      const ExoManifestFile *x = exo_manifest_file (a, i), *y = exo_manifest_file (b, i);
      if (strcmp (x->path, y->path) != 0 || x->size != y->size || strcmp (x->oid, y->oid) != 0)
        return FALSE;
    }
  return TRUE;
}

static void
refuse_listing (ExoTransfer *transfer)
{
  g_autoptr (GError) error = NULL;

  g_set_error (
      &error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_MISMATCH,
      _ ("the list of files of %s that a neighbour gave while the Hub was out of reach is not the Hub's. "
         "Do not use what was downloaded: remove it (exoctl models rm %s) and pull it again."),
      transfer->model, transfer->model);
  exo_engine_warn (transfer->engine, "upstream", "%s", error->message);
  g_clear_pointer (&transfer->commit, g_free);
  transfer->unverified = FALSE;
  exo_transfer_fail (transfer, error);
}

static void
on_confirmed (ExoManifest *manifest,
              gboolean from_neighbour,
              const GError *error,
              gpointer user_data)
{
  ExoTransfer *transfer = user_data;

  transfer->confirmation = NULL;
  if (manifest == NULL &&
      (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NOT_FOUND) ||
       g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_REVISION)))
    refuse_listing (transfer);
  else if (manifest == NULL)
    exo_transfer_confirm_later (transfer);
  else if (transfer->whole == NULL || !same_files (manifest, transfer->whole))
    refuse_listing (transfer);
  else
    {
      exo_store_note_manifest (transfer->engine->store, manifest);
      transfer->unverified = FALSE;
      transfer->n_retries = 0;
      exo_transfer_save (transfer);
      g_message ("%s@%s: the Hub confirms the list of files", transfer->model, transfer->revision);
      exo_transfer_changed (transfer);
    }
}

void
exo_transfer_hub_changed (ExoTransfer *transfer, gboolean reachable)
{
  ExoManifest *known;

  if (!reachable || !transfer->unverified || transfer->confirmation != NULL ||
      transfer->commit == NULL)
    return;
  known = peek_manifest (transfer, transfer->commit);
  if (transfer->whole == NULL && known != NULL)
    transfer->whole = exo_manifest_ref (known);
  g_clear_handle_id (&transfer->confirm_source, g_source_remove);
  transfer->confirmation = exo_listing_new (transfer->engine, transfer->type, transfer->model,
                                            transfer->commit, FALSE, on_confirmed, transfer);
}

void
exo_transfer_network_changed (ExoTransfer *transfer)
{
  if (transfer->state == EXO_TRANSFER_FAILED && transfer->retry_source != 0 &&
      !g_error_matches (transfer->error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_SPACE))
    exo_transfer_start (transfer);
}

/* --- starting and stopping ------------------------------------------------------------------------------ */

void
exo_transfer_start (ExoTransfer *transfer)
{
  exo_transfer_stop (transfer, TRUE);
  g_clear_error (&transfer->error);
  g_object_unref (transfer->cancellable);
  transfer->cancellable = g_cancellable_new ();
  transfer->abandoned = FALSE;
  if (transfer->state == EXO_TRANSFER_COMPLETE && transfer->asked == NULL)
    {
      /* A new pull asks what the revision is now, and counts what it fetches itself. */
      g_free (transfer->previous);
      transfer->previous = g_steal_pointer (&transfer->commit);
      transfer->from_hub = transfer->from_lan = transfer->last_done = 0;
    }
  if (transfer->started_s == 0 || transfer->finished_s != 0)
    transfer->started_s = g_get_real_time () / G_USEC_PER_SEC;
  transfer->finished_s = 0;
  exo_rate_meter_reset (&transfer->meter);
  exo_engine_transfer_started (transfer->engine);
  begin_listing (transfer);
}

static void
release_all (ExoTransfer *transfer, gboolean park)
{
  g_cancellable_cancel (transfer->cancellable);
  g_clear_handle_id (&transfer->retry_source, g_source_remove);
  g_clear_handle_id (&transfer->confirm_source, g_source_remove);
  g_clear_pointer (&transfer->listing, exo_listing_cancel);
  g_clear_pointer (&transfer->confirmation, exo_listing_cancel);
  exo_transfer_release_files (transfer, park);
}

void
exo_transfer_stop (ExoTransfer *transfer, gboolean park)
{
  ExoTransferInfo info;

  exo_transfer_get_info (transfer, &info);
  transfer->last_total = info.bytes_total;
  transfer->last_done = info.bytes_done;
  release_all (transfer, park);
}

void
exo_transfer_wake (ExoTransfer *transfer)
{
  if (exo_transfer_is_active (transfer))
    {
      transfer->state = EXO_TRANSFER_QUEUED;
      exo_transfer_start (transfer);
      return;
    }
  recall_manifest (transfer);
  if (transfer->state == EXO_TRANSFER_FAILED)
    retry_when_mended (transfer);
  else if (transfer->unverified)
    exo_transfer_confirm_later (transfer);
}

/* What is over stays as it is. */
static gboolean
refuse_if_over (ExoTransfer *transfer, GError **error)
{
  if (transfer->forgotten)
    g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED,
                 _ ("Transfer %u of %s has been cancelled."), transfer->id, transfer->model);
  else if (transfer->state == EXO_TRANSFER_COMPLETE)
    g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED,
                 _ ("Transfer %u of %s is complete: there is nothing to pause or resume."),
                 transfer->id, transfer->model);
  return transfer->forgotten || transfer->state == EXO_TRANSFER_COMPLETE;
}

gboolean
exo_transfer_pause (ExoTransfer *transfer, GError **error)
{
  if (refuse_if_over (transfer, error))
    return FALSE;
  if (transfer->state == EXO_TRANSFER_PAUSED)
    return TRUE;
  exo_transfer_stop (transfer, TRUE);
  exo_transfer_set_state (transfer, EXO_TRANSFER_PAUSED);
  return TRUE;
}

gboolean
exo_transfer_resume (ExoTransfer *transfer, GError **error)
{
  if (refuse_if_over (transfer, error))
    return FALSE;
  if (!exo_transfer_is_active (transfer))
    exo_transfer_start (transfer);
  return TRUE;
}

gboolean
exo_transfer_cancel (ExoTransfer *transfer, GError **error)
{
  if (transfer->forgotten)
    return !refuse_if_over (transfer, error);
  exo_transfer_stop (transfer, FALSE);
  exo_engine_forget_transfer (transfer->engine, transfer);
  return TRUE;
}

/* --- life --------------------------------------------------------------------------------------------------- */

static void
exo_transfer_finalize (GObject *object)
{
  ExoTransfer *transfer = EXO_TRANSFER (object);

  release_all (transfer, FALSE); /* without a look at the engine, which may be stopped or gone */
  g_clear_pointer (&transfer->whole, exo_manifest_unref);
  g_clear_pointer (&transfer->manifest, exo_manifest_unref);
  g_clear_error (&transfer->error);
  g_clear_object (&transfer->cancellable);
  g_clear_pointer (&transfer->asked, g_hash_table_unref);
  g_clear_pointer (&transfer->recorded, g_array_unref);
  g_strfreev (transfer->includes);
  g_strfreev (transfer->excludes);
  g_free (transfer->model);
  g_free (transfer->revision);
  g_free (transfer->commit);
  g_free (transfer->previous);
  g_free (transfer->shown);
  G_OBJECT_CLASS (exo_transfer_parent_class)->finalize (object);
}

static void
exo_transfer_class_init (ExoTransferClass *class)
{
  G_OBJECT_CLASS (class)->finalize = exo_transfer_finalize;
  signals[CHANGED] = g_signal_new ("changed", EXO_TYPE_TRANSFER, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 0);
}

static void
exo_transfer_init (ExoTransfer *transfer)
{
  transfer->cancellable = g_cancellable_new ();
}

static int
compare_globs (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Sorted, so that the same choice in another order is the same transfer. */
static GStrv
sorted_copy (const char *const *globs)
{
  GStrv copy = g_strdupv ((char **) globs);

  if (copy == NULL)
    copy = g_new0 (char *, 1);
  qsort (copy, g_strv_length (copy), sizeof *copy, compare_globs);
  return copy;
}

ExoTransfer *
exo_transfer_new (ExoEngine *engine,
                  guint id,
                  ExoRepoType type,
                  const char *model,
                  const char *revision,
                  const char *const *includes,
                  const char *const *excludes)
{
  ExoTransfer *transfer = g_object_new (EXO_TYPE_TRANSFER, NULL);

  transfer->engine = engine;
  transfer->id = id;
  transfer->type = type;
  transfer->model = g_strdup (model);
  transfer->revision = g_strdup (revision);
  transfer->includes = sorted_copy (includes);
  transfer->excludes = sorted_copy (excludes);
  return transfer;
}

ExoTransfer *
exo_transfer_new_on_demand (ExoEngine *engine,
                            guint id,
                            ExoManifest *manifest,
                            const char *revision)
{
  ExoTransfer *transfer = exo_transfer_new (engine, id, exo_manifest_type (manifest),
                                            exo_manifest_id (manifest), revision, NULL, NULL);

  transfer->commit = g_strdup (exo_manifest_commit (manifest));
  transfer->asked = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return transfer;
}

void
exo_transfer_abandon (ExoTransfer *transfer)
{
  if (!exo_transfer_is_active (transfer))
    return;
  exo_transfer_pause (transfer, NULL);
  transfer->abandoned = TRUE;
}

ExoTransfer *
exo_transfer_restore (ExoEngine *engine, const char *json)
{
  g_autoptr (ExoTransfer) transfer = g_object_new (EXO_TYPE_TRANSFER, NULL);

  transfer->engine = engine;
  return exo_transfer_from_json (transfer, json) ? g_steal_pointer (&transfer) : NULL;
}

gboolean
exo_transfer_is_of (ExoTransfer *transfer, ExoRepoType type, const char *model)
{
  return transfer->type == type && strcmp (transfer->model, model) == 0;
}

gboolean
exo_transfer_is (ExoTransfer *transfer,
                 ExoRepoType type,
                 const char *model,
                 const char *revision,
                 const char *const *includes,
                 const char *const *excludes)
{
  g_auto (GStrv) in = sorted_copy (includes), ex = sorted_copy (excludes);

  return transfer->asked == NULL && exo_transfer_is_of (transfer, type, model) &&
         strcmp (transfer->revision, revision) == 0 &&
         g_strv_equal ((const char *const *) transfer->includes, (const char *const *) in) &&
         g_strv_equal ((const char *const *) transfer->excludes, (const char *const *) ex);
}
