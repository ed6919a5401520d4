/* files.c - the files of a transfer: looked for on disk, wanted from the swarm, published
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A pull has all files that its globs choose. A transfer on demand has those that programs have asked for so far: it
 * lists the whole commit, and the others are UNASKED.
 */

#include <glib/gi18n.h>
#include <string.h>

#include "transfer/engine-private.h"
#include "transfer/oid.h"

#define WANTS_MAX   256u /* blobs under way at once: each holds a file and a lock */
#define LOOKING_MAX 16u  /* files looked for on disk at once */

static void look_for_files (ExoTransfer *transfer);
static void want_files (ExoTransfer *transfer);
static void go_on (ExoTransfer *transfer);
static void adopt (ExoTransferFile *file, ExoFileState state);

/* --- publishing ------------------------------------------------------------------------------------ */

static void
on_published (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (ExoTransfer) transfer = user_data;
  g_autoptr (GError) error = NULL;

  /* An attempt that is over, maybe with its engine: the next one publishes again. */
  if (g_cancellable_is_cancelled (g_task_get_cancellable (G_TASK (result))))
    return;
  if (!exo_store_publish_finish (transfer->engine->store, result, &error))
    exo_transfer_fail (transfer, error);
  else if (transfer->n_publishing < transfer->n_asked) /* one was asked for meanwhile */
    {
      exo_transfer_set_state (transfer, EXO_TRANSFER_TRANSFERRING);
      go_on (transfer);
    }
  else
    {
      g_clear_error (&transfer->error);
      transfer->finished_s = g_get_real_time () / G_USEC_PER_SEC;
      exo_transfer_set_state (transfer, EXO_TRANSFER_COMPLETE);
      if (transfer->unverified)
        exo_transfer_confirm_later (transfer);
    }
}

/* Those asked for, of a transfer on demand. */
static ExoManifest *
asked_files (ExoTransfer *transfer)
{
  GPtrArray *files = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_manifest_file_free);

  for (guint i = 0; i < transfer->files->len; i++)
    {
      const ExoTransferFile *file = exo_transfer_file (transfer, i);
      if (file->state != EXO_FILE_UNASKED)
        g_ptr_array_add (
            files, exo_manifest_file_new (file->entry->path, file->entry->size, file->entry->oid));
    }
  return exo_manifest_new (transfer->type, transfer->model, transfer->commit,
                           exo_manifest_is_open (transfer->whole), files, NULL);
}

static void
publish_if_done (ExoTransfer *transfer)
{
  gboolean whole = transfer->n_asked == exo_manifest_n_files (transfer->whole);
  g_autoptr (ExoManifest) manifest = NULL;

  if (!exo_transfer_is_active (transfer) || transfer->n_done < transfer->n_asked)
    return;
  manifest = transfer->n_asked < transfer->files->len ? asked_files (transfer)
                                                      : exo_manifest_ref (transfer->manifest);
  transfer->n_publishing = transfer->n_asked;
  exo_transfer_set_state (transfer, EXO_TRANSFER_VERIFYING);
  exo_store_publish_async (transfer->engine->store, manifest,
                           exo_is_commit (transfer->revision) ? NULL : transfer->revision, whole,
                           transfer->cancellable, on_published, g_object_ref (transfer));
}

/* --- one file ------------------------------------------------------------------------------------------ */

ExoTransferFile *
exo_transfer_file (ExoTransfer *transfer, guint index)
{
  return &g_array_index (transfer->files, ExoTransferFile, index);
}

static void
make_twin (ExoTransferFile *file)
{
  file->state = EXO_FILE_TWIN;
  file->transfer->n_twins++;
}

/* Those that waited for the blob another file of this transfer fetched. */
static void
finish_twins (ExoTransfer *transfer, const ExoTransferFile *done)
{
  for (guint i = 0; transfer->n_twins > 0 && i < transfer->files->len; i++)
    {
      ExoTransferFile *file = exo_transfer_file (transfer, i);
      if (file->state == EXO_FILE_TWIN && strcmp (file->entry->oid, done->entry->oid) == 0)
        {
          file->state = EXO_FILE_DONE;
          transfer->n_twins--;
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

/* On disk, for what is still to come: the same bytes under two names once. */
static guint64
room_needed (ExoTransfer *transfer)
{
  guint64 bytes = 0;

  for (guint i = 0; i < transfer->files->len; i++)
    {
      const ExoTransferFile *file = exo_transfer_file (transfer, i);

      if (file->want != NULL)
        bytes += file->entry->size - exo_want_bytes_done (file->want);
      else if (file->state == EXO_FILE_MISSING)
        bytes += file->entry->size;
    }
  return bytes;
}

/* Said before the disk is full rather than when it is; what partial files hold already is not counted twice. */
static gboolean
fail_without_room (ExoTransfer *transfer)
{
  guint64 missing = room_needed (transfer),
          free_bytes = exo_store_free_bytes (transfer->engine->store);
  g_autofree char *need = NULL, *have = NULL;
  g_autoptr (GError) error = NULL;

  transfer->last_needed = missing > free_bytes ? missing : 0;
  if (missing <= free_bytes)
    return FALSE;
  need = g_format_size (missing);
  have = g_format_size (free_bytes);
  g_set_error (
      &error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_SPACE,
      _ ("%s needs %s more, but only %s are free in %s. Free some space (exoctl models rm), "
         "and it goes on by itself."),
      transfer->model, need, have, exo_store_hub_cache (transfer->engine->store));
  exo_transfer_fail (transfer, error);
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
          exo_transfer_fail (transfer, error);
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
      exo_transfer_set_state (transfer, EXO_TRANSFER_TRANSFERRING);
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
      exo_transfer_fail (transfer, error);
      return;
    }
  if (held)
    file_done (file);
  else
    {
      file->state = EXO_FILE_MISSING;
      transfer->next_file = MIN (transfer->next_file, adoption->index);
      /* Fetched and gone again within a moment: fetch it again. */
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

static gboolean
is_asked (ExoTransfer *transfer, const ExoManifestFile *entry)
{
  return transfer->asked == NULL || g_hash_table_contains (transfer->asked, entry->path);
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
      if (!is_asked (transfer, file->entry))
        continue;
      transfer->n_asked++;
      if (file->entry->size > 0 && !g_hash_table_add (seen, file->entry->oid))
        make_twin (file);
      else
        file->state = EXO_FILE_UNKNOWN;
    }
}

void
exo_transfer_begin_files (ExoTransfer *transfer)
{
  make_files (transfer);
  exo_transfer_save (transfer);
  look_for_files (transfer);
  go_on (transfer);
}

void
exo_transfer_release_files (ExoTransfer *transfer, gboolean park)
{
  for (guint i = 0; transfer->files != NULL && i < transfer->files->len; i++)
    {
      ExoTransferFile *file = exo_transfer_file (transfer, i);
      if (file->want != NULL)
        release_want (file, park);
    }
  g_clear_pointer (&transfer->files, g_array_unref);
  transfer->n_asked = transfer->n_looking = transfer->n_wanted = transfer->n_twins =
      transfer->n_done = transfer->next_file = 0;
  transfer->space_checked = FALSE;
}

/* --- on demand -------------------------------------------------------------------------------------- */

/* The file that has the same content and was asked for before, if it is not done yet. */
static gboolean
has_elder (ExoTransfer *transfer, const ExoTransferFile *file)
{
  for (guint i = 0; i < transfer->files->len; i++)
    {
      const ExoTransferFile *other = exo_transfer_file (transfer, i);
      if (other != file && other->state != EXO_FILE_UNASKED && other->state != EXO_FILE_DONE &&
          strcmp (other->entry->oid, file->entry->oid) == 0)
        return TRUE;
    }
  return FALSE;
}

static void
ask_now (ExoTransfer *transfer, ExoTransferFile *file)
{
  transfer->n_asked++;
  transfer->next_file = 0;
  transfer->space_checked = FALSE;
  if (file->entry->size > 0 && has_elder (transfer, file))
    make_twin (file);
  else if (file->entry->size == 0)
    file_done (file);
  else
    {
      transfer->n_looking++;
      adopt (file, EXO_FILE_LOOKING);
    }
  go_on (transfer);
}

/* One more file of a complete transfer: what it has need not be looked for again. */
static void
reopen (ExoTransfer *transfer)
{
  transfer->finished_s = 0;
  exo_rate_meter_reset (&transfer->meter);
  exo_engine_transfer_started (transfer->engine);
  exo_transfer_set_state (transfer, EXO_TRANSFER_TRANSFERRING);
}

void
exo_transfer_ask (ExoTransfer *transfer, const char *path)
{
  gboolean complete = transfer->state == EXO_TRANSFER_COMPLETE;
  gboolean is_new = g_hash_table_add (transfer->asked, g_strdup (path));
  guint index;

  if (transfer->state == EXO_TRANSFER_QUEUED ||
      (!exo_transfer_is_active (transfer) && !(complete && is_new && transfer->files != NULL)))
    {
      exo_transfer_start (transfer);
      return;
    }
  if (transfer->files == NULL || !exo_manifest_find (transfer->manifest, path, &index) ||
      exo_transfer_file (transfer, index)->state != EXO_FILE_UNASKED)
    return;
  if (complete)
    reopen (transfer);
  ask_now (transfer, exo_transfer_file (transfer, index));
}
