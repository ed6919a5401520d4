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

#include <stdlib.h>
#include <string.h>

#include "transfer/engine-private.h"
#include "transfer/oid.h"

#define WANTS_MAX       256u /* blobs under way at once: each holds a file and a lock */
#define LOOKING_MAX     16u  /* files looked for on disk at once */
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

static void look_for_files (ExoTransfer *transfer);
static void want_files (ExoTransfer *transfer);
static void begin_listing (ExoTransfer *transfer);

void
exo_transfer_changed (ExoTransfer *transfer)
{
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

void
exo_transfer_save (ExoTransfer *transfer)
{
  g_autofree char *json = exo_transfer_to_json (transfer);

  exo_store_save_transfer (transfer->engine->store, transfer->id, json);
}

static void
set_state (ExoTransfer *transfer, ExoTransferState state)
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

static guint64
bytes_missing (ExoTransfer *transfer)
{
  ExoTransferInfo info;

  exo_transfer_get_info (transfer, &info);
  return info.bytes_total - info.bytes_done;
}

static gboolean
on_room_check (gpointer user_data)
{
  ExoTransfer *transfer = user_data;

  if (exo_store_free_bytes (transfer->engine->store) < bytes_missing (transfer))
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

static void
fail (ExoTransfer *transfer, const GError *error)
{
  GError *kept = g_error_copy (error);

  exo_transfer_stop (transfer, TRUE);
  g_clear_error (&transfer->error);
  transfer->error = kept;
  retry_when_mended (transfer);
  set_state (transfer, EXO_TRANSFER_FAILED);
  if (g_error_matches (kept, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_SPACE) ||
      g_error_matches (kept, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DISK))
    exo_engine_warn (transfer->engine, "disk", "%s: %s", transfer->model, kept->message);
  else
    g_warning ("%s@%s failed: %s", transfer->model, transfer->revision, kept->message);
}

/* --- publishing ------------------------------------------------------------------------------------ */

static gboolean
confirm (gpointer user_data)
{
  ExoTransfer *transfer = user_data;

  transfer->confirm_source = 0;
  exo_transfer_hub_changed (transfer, TRUE);
  return G_SOURCE_REMOVE;
}

static void
confirm_later (ExoTransfer *transfer)
{
  guint delay = MIN (CONFIRM_FIRST_S << MIN (transfer->n_retries, 5u), CONFIRM_MAX_S);

  transfer->n_retries++;
  if (transfer->confirm_source == 0)
    transfer->confirm_source = g_timeout_add_seconds (delay, confirm, transfer);
}

static void
on_published (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (ExoTransfer) transfer = user_data;
  g_autoptr (GError) error = NULL;

  /* An attempt that is over, maybe with its engine: the next one publishes again. */
  if (g_cancellable_is_cancelled (g_task_get_cancellable (G_TASK (result))))
    return;
  if (exo_store_publish_finish (transfer->engine->store, result, &error))
    {
      g_clear_error (&transfer->error);
      transfer->finished_s = g_get_real_time () / G_USEC_PER_SEC;
      set_state (transfer, EXO_TRANSFER_COMPLETE);
      if (transfer->unverified)
        confirm_later (transfer);
    }
  else
    fail (transfer, error);
}

static void
publish_if_done (ExoTransfer *transfer)
{
  gboolean whole =
      exo_manifest_n_files (transfer->manifest) == exo_manifest_n_files (transfer->whole);

  if (!exo_transfer_is_active (transfer) || transfer->n_done < transfer->files->len)
    return;
  set_state (transfer, EXO_TRANSFER_VERIFYING);
  exo_store_publish_async (transfer->engine->store, transfer->manifest,
                           exo_is_commit (transfer->revision) ? NULL : transfer->revision, whole,
                           transfer->cancellable, on_published, g_object_ref (transfer));
}

/* --- files ------------------------------------------------------------------------------------------ */

ExoTransferFile *
exo_transfer_file (ExoTransfer *transfer, guint index)
{
  return &g_array_index (transfer->files, ExoTransferFile, index);
}

static void adopt (ExoTransferFile *file, ExoFileState state);

/* Those that waited for the blob another file of this transfer fetched. */
static void
finish_twins (ExoTransfer *transfer, const ExoTransferFile *done)
{
  for (guint i = 0; i < transfer->files->len; i++)
    {
      ExoTransferFile *file = exo_transfer_file (transfer, i);
      if (file->state == EXO_FILE_TWIN && strcmp (file->entry->oid, done->entry->oid) == 0)
        {
          file->state = EXO_FILE_DONE;
          transfer->n_done++;
        }
    }
}

static void
file_done (ExoTransferFile *file)
{
  ExoTransfer *transfer = file->transfer;

  file->state = EXO_FILE_DONE;
  transfer->n_done++;
  finish_twins (transfer, file);
}

static void
release_want (ExoTransferFile *file, gboolean park)
{
  ExoTransfer *transfer = file->transfer;

  transfer->from_hub += exo_want_bytes_from_hub (file->want);
  transfer->from_lan += exo_want_bytes_from_lan (file->want);
  transfer->n_wanted--;
  exo_want_release (g_steal_pointer (&file->want), park);
}

static gboolean
all_opened (ExoTransfer *transfer)
{
  for (guint i = 0; i < transfer->files->len; i++)
    {
      const ExoTransferFile *file = exo_transfer_file (transfer, i);
      if (file->want != NULL && exo_want_state (file->want) == EXO_WANT_OPENING)
        return FALSE;
    }
  return TRUE;
}

/* Said before the disk is full rather than when it is; what partial files hold already is not counted twice. */
static gboolean
fail_without_room (ExoTransfer *transfer)
{
  guint64 missing = bytes_missing (transfer),
          free_bytes = exo_store_free_bytes (transfer->engine->store);
  g_autofree char *need = NULL, *have = NULL;
  g_autoptr (GError) error = NULL;

  if (missing <= free_bytes)
    return FALSE;
  need = g_format_size (missing);
  have = g_format_size (free_bytes);
  g_set_error (&error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_SPACE,
               "%s needs %s more, but only %s are free in %s. Free some space (exoctl models rm), "
               "and it goes on by itself.",
               transfer->model, need, have, exo_store_hub_cache (transfer->engine->store));
  fail (transfer, error);
  return TRUE;
}

/* Once, when every partial file is open and says what it holds. */
static void
check_room (ExoTransfer *transfer)
{
  if (transfer->space_checked || !all_opened (transfer))
    return;
  transfer->space_checked = TRUE;
  fail_without_room (transfer);
}

static void
on_want_changed (ExoWant *want, gpointer user_data)
{
  ExoTransferFile *file = user_data;
  ExoTransfer *transfer = file->transfer;

  switch (exo_want_state (want))
    {
    case EXO_WANT_DONE:
      release_want (file, FALSE);
      /* The blob may lie in another repo's folder: then it is linked into this one's. */
      adopt (file, EXO_FILE_ADOPTING);
      break;
    case EXO_WANT_FAILED:
      {
        g_autoptr (GError) error = g_error_copy (exo_want_error (want));

        /* Of the whole model it says more than of the first file that did not fit. */
        if (!g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_SPACE) ||
            !fail_without_room (transfer))
          fail (transfer, error);
        break;
      }
    case EXO_WANT_FETCHING:
      check_room (transfer);
      break;
    case EXO_WANT_OPENING:
    case EXO_WANT_LOCKED:
    case EXO_WANT_VERIFYING:
      break;
    }
}

static void
want_file (ExoTransferFile *file)
{
  ExoTransfer *transfer = file->transfer;
  ExoWantSpec spec = {
    .type = transfer->type,
    .id = transfer->model,
    .commit = exo_manifest_commit (transfer->manifest),
    .path = file->entry->path,
    .oid = file->entry->oid,
    .size = file->entry->size,
    .open = exo_manifest_is_open (transfer->manifest) || transfer->unverified,
  };

  file->state = EXO_FILE_WANTED;
  transfer->n_wanted++;
  file->want = exo_swarm_want (transfer->engine->swarm, &spec, on_want_changed, file);
}

/* In the order of the manifest, which is the same on every node. */
static void
want_files (ExoTransfer *transfer)
{
  while (transfer->next_file < transfer->files->len && transfer->n_wanted < WANTS_MAX &&
         exo_transfer_is_active (transfer))
    {
      ExoTransferFile *file = exo_transfer_file (transfer, transfer->next_file++);
      if (file->state == EXO_FILE_MISSING)
        want_file (file);
    }
}

static void
go_on (ExoTransfer *transfer)
{
  if (!exo_transfer_is_active (transfer))
    return;
  if (transfer->n_looking == 0 && transfer->state == EXO_TRANSFER_RESOLVING)
    {
      transfer->next_file = 0;
      set_state (transfer, EXO_TRANSFER_TRANSFERRING);
    }
  if (transfer->state == EXO_TRANSFER_TRANSFERRING)
    {
      want_files (transfer);
      check_room (transfer); /* all may have joined jobs of other transfers */
      publish_if_done (transfer);
    }
}

typedef struct
{
  ExoTransfer *transfer; /* reference */
  GCancellable *cancellable;
  guint index;
  gboolean was_fetched;
} Adoption;

static void
on_adopted (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Adoption *adoption = user_data;
  g_autoptr (ExoTransfer) transfer = adoption->transfer;
  g_autoptr (GCancellable) cancellable = adoption->cancellable;
  g_autoptr (GError) error = NULL;
  gboolean held;
  ExoTransferFile *file;

  if (g_cancellable_is_cancelled (cancellable)) /* an attempt that is over, maybe with its engine */
    return;
  held = exo_store_adopt_finish (transfer->engine->store, result, &error);
  file = exo_transfer_file (transfer, adoption->index);
  if (!adoption->was_fetched)
    transfer->n_looking--;
  if (error != NULL)
    {
      fail (transfer, error);
      return;
    }
  if (held)
    file_done (file);
  else if (file->state != EXO_FILE_TWIN)
    {
      /* Fetched and gone again within a moment: fetch it again. */
      file->state = EXO_FILE_MISSING;
      if (adoption->was_fetched)
        want_file (file);
    }
  look_for_files (transfer);
  go_on (transfer);
}

static void
adopt (ExoTransferFile *file, ExoFileState state)
{
  ExoTransfer *transfer = file->transfer;
  Adoption *adoption = g_new0 (Adoption, 1);

  file->state = state;
  adoption->transfer = g_object_ref (transfer);
  adoption->cancellable = g_object_ref (transfer->cancellable);
  adoption->index = (guint) (file - exo_transfer_file (transfer, 0));
  adoption->was_fetched = state == EXO_FILE_ADOPTING;
  exo_store_adopt_async (transfer->engine->store, transfer->type, transfer->model, file->entry->oid,
                         file->entry->size, file->entry->path, transfer->cancellable, on_adopted,
                         adoption);
}

/* Empty files are made when the snapshot is published; a twin follows its elder. */
static void
look_for_files (ExoTransfer *transfer)
{
  while (transfer->state == EXO_TRANSFER_RESOLVING && transfer->next_file < transfer->files->len &&
         transfer->n_looking < LOOKING_MAX)
    {
      ExoTransferFile *file = exo_transfer_file (transfer, transfer->next_file++);

      if (file->state != EXO_FILE_UNKNOWN)
        continue;
      if (file->entry->size == 0)
        file_done (file);
      else
        {
          transfer->n_looking++;
          adopt (file, EXO_FILE_LOOKING);
        }
    }
}

static void
make_files (ExoTransfer *transfer)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  guint n = exo_manifest_n_files (transfer->manifest);

  transfer->files = g_array_sized_new (FALSE, TRUE, sizeof (ExoTransferFile), n);
  g_array_set_size (transfer->files, n);
  for (guint i = 0; i < n; i++)
    {
      ExoTransferFile *file = exo_transfer_file (transfer, i);

      file->transfer = transfer;
      file->entry = exo_manifest_file (transfer->manifest, i);
      if (file->entry->size > 0 && !g_hash_table_add (seen, file->entry->oid))
        file->state = EXO_FILE_TWIN;
    }
}

/* --- the list of files ------------------------------------------------------------------------------- */

static void
begin_files (ExoTransfer *transfer, ExoManifest *whole)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoManifest) manifest =
      exo_manifest_filter (whole, (const char *const *) transfer->includes,
                           (const char *const *) transfer->excludes, &error);

  if (manifest == NULL)
    {
      fail (transfer, error);
      return;
    }
  g_clear_pointer (&transfer->whole, exo_manifest_unref);
  g_clear_pointer (&transfer->manifest, exo_manifest_unref);
  transfer->whole = exo_manifest_ref (whole);
  transfer->manifest = g_steal_pointer (&manifest);
  g_free (transfer->commit);
  transfer->commit = g_strdup (exo_manifest_commit (whole));
  make_files (transfer);
  exo_transfer_save (transfer);
  look_for_files (transfer);
  go_on (transfer);
}

/* What a neighbour says about a repo must not make content of ours public: noted as closed until the Hub confirms it. */
static ExoManifest *
closed_copy (ExoManifest *manifest)
{
  GPtrArray *files = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_manifest_file_free);

  for (guint i = 0; i < exo_manifest_n_files (manifest); i++)
    {
      const ExoManifestFile *file = exo_manifest_file (manifest, i);
      g_ptr_array_add (files, exo_manifest_file_new (file->path, file->size, file->oid));
    }
  return exo_manifest_new (exo_manifest_type (manifest), exo_manifest_id (manifest),
                           exo_manifest_commit (manifest), FALSE, files, NULL);
}

static void
fail_listing (ExoTransfer *transfer, const GError *error)
{
  g_autoptr (GError) told = g_error_copy (error);

  if (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE))
    {
      g_clear_error (&told);
      g_set_error (&told, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                   "The Hub at %s cannot be reached to look up %s, and no neighbour has it: %s. "
                   "It is tried again by itself; exoctl doctor says more.",
                   exo_hub_endpoint (transfer->engine->hub), transfer->model, error->message);
    }
  fail (transfer, told);
}

static void
on_listed (ExoManifest *manifest, gboolean from_neighbour, const GError *error, gpointer user_data)
{
  ExoTransfer *transfer = user_data;

  transfer->listing = NULL;
  if (manifest == NULL)
    {
      fail_listing (transfer, error);
      return;
    }
  transfer->unverified = from_neighbour;
  if (from_neighbour)
    {
      g_autoptr (ExoManifest) closed = closed_copy (manifest);
      exo_store_note_manifest (transfer->engine->store, closed);
      g_message ("%s@%s: the Hub cannot be reached; going by a neighbour's list of files",
                 transfer->model, transfer->revision);
    }
  else
    exo_store_note_manifest (transfer->engine->store, manifest);
  begin_files (transfer, manifest);
}

static void
begin_listing (ExoTransfer *transfer)
{
  ExoManifest *known = NULL;

  set_state (transfer, EXO_TRANSFER_RESOLVING);
  /* After a restart it goes on with the commit it had begun, without asking anyone. */
  if (transfer->commit != NULL)
    known = exo_store_peek_manifest (transfer->engine->store, transfer->type, transfer->model,
                                     transfer->commit);
  if (known != NULL)
    begin_files (transfer, known);
  else
    transfer->listing =
        exo_listing_new (transfer->engine, transfer->type, transfer->model,
                         transfer->commit != NULL ? transfer->commit : transfer->revision, TRUE,
                         on_listed, transfer);
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
      "the list of files of %s that a neighbour gave while the Hub was out of reach is not the Hub's. "
      "Do not use what was downloaded: remove it (exoctl models rm %s) and pull it again.",
      transfer->model, transfer->model);
  exo_engine_warn (transfer->engine, "upstream", "%s", error->message);
  g_clear_pointer (&transfer->commit, g_free);
  transfer->unverified = FALSE;
  fail (transfer, error);
}

static void
on_confirmed (ExoManifest *manifest,
              gboolean from_neighbour,
              const GError *error,
              gpointer user_data)
{
  ExoTransfer *transfer = user_data;

  transfer->confirmation = NULL;
  if (manifest == NULL && g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NOT_FOUND))
    refuse_listing (transfer);
  else if (manifest == NULL)
    confirm_later (transfer);
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
  known = exo_store_peek_manifest (transfer->engine->store, transfer->type, transfer->model,
                                   transfer->commit);
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
  if (transfer->state == EXO_TRANSFER_COMPLETE)
    {
      /* A new pull asks what the revision is now, and counts what it fetches itself. */
      g_clear_pointer (&transfer->commit, g_free);
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
  for (guint i = 0; transfer->files != NULL && i < transfer->files->len; i++)
    {
      ExoTransferFile *file = exo_transfer_file (transfer, i);
      if (file->want != NULL)
        release_want (file, park);
    }
  g_clear_pointer (&transfer->files, g_array_unref);
  transfer->n_looking = transfer->n_wanted = transfer->n_done = transfer->next_file = 0;
  transfer->space_checked = FALSE;
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
    }
  else if (transfer->state == EXO_TRANSFER_FAILED)
    retry_when_mended (transfer);
  else if (transfer->unverified)
    confirm_later (transfer);
}

static gboolean
refuse_state (ExoTransfer *transfer, const char *verb, GError **error)
{
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED,
               "Transfer %u of %s is %s and cannot be %s.", transfer->id, transfer->model,
               exo_transfer_state_name (transfer->state), verb);
  return FALSE;
}

gboolean
exo_transfer_pause (ExoTransfer *transfer, GError **error)
{
  if (transfer->state == EXO_TRANSFER_PAUSED)
    return TRUE;
  if (transfer->state == EXO_TRANSFER_COMPLETE)
    return refuse_state (transfer, "paused", error);
  exo_transfer_stop (transfer, TRUE);
  set_state (transfer, EXO_TRANSFER_PAUSED);
  return TRUE;
}

gboolean
exo_transfer_resume (ExoTransfer *transfer, GError **error)
{
  if (transfer->state == EXO_TRANSFER_COMPLETE)
    return refuse_state (transfer, "resumed", error);
  if (!exo_transfer_is_active (transfer))
    exo_transfer_start (transfer);
  return TRUE;
}

gboolean
exo_transfer_cancel (ExoTransfer *transfer, GError **error)
{
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
  g_strfreev (transfer->includes);
  g_strfreev (transfer->excludes);
  g_free (transfer->model);
  g_free (transfer->revision);
  g_free (transfer->commit);
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
exo_transfer_restore (ExoEngine *engine, const char *json)
{
  g_autoptr (ExoTransfer) transfer = g_object_new (EXO_TYPE_TRANSFER, NULL);

  transfer->engine = engine;
  return exo_transfer_from_json (transfer, json) ? g_steal_pointer (&transfer) : NULL;
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

  return transfer->type == type && strcmp (transfer->model, model) == 0 &&
         strcmp (transfer->revision, revision) == 0 &&
         g_strv_equal ((const char *const *) transfer->includes, (const char *const *) in) &&
         g_strv_equal ((const char *const *) transfer->excludes, (const char *const *) ex);
}
