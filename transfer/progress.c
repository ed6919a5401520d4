/* progress.c - a transfer as others see it
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/engine-private.h"

const char *
exo_transfer_state_name (ExoTransferState state)
{
  static const char *const names[] = { "queued", "resolving", "transferring", "verifying",
                                       "paused", "complete",  "failed" };

  return names[state];
}

static const char *
error_code_name (const GError *error)
{
  if (error == NULL)
    return "";
  return exo_transfer_error_name (error->domain == EXO_TRANSFER_ERROR
                                      ? (ExoTransferError) error->code
                                      : EXO_TRANSFER_ERROR_FAILED);
}

static guint64
file_bytes_done (const ExoTransferFile *file)
{
  if (file->state == EXO_FILE_DONE || file->state == EXO_FILE_ADOPTING)
    return file->entry->size;
  return file->want != NULL ? exo_want_bytes_done (file->want) : 0;
}

/* Why it stands still though nothing failed. */
static const char *
waiting_for (ExoTransfer *transfer)
{
  ExoHubState hub;

  if (transfer->engine->limiter == NULL) /* it was stopped */
    return "";
  for (guint i = 0; transfer->files != NULL && i < transfer->files->len; i++)
    {
      const ExoTransferFile *file = exo_transfer_file (transfer, i);
      if (file->want != NULL && exo_want_state (file->want) == EXO_WANT_LOCKED)
        return "Another program is downloading a file of this model: waiting for it.";
    }
  if (transfer->state != EXO_TRANSFER_TRANSFERRING || exo_rate_meter_rate (&transfer->meter) > 0)
    return "";
  if (!exo_limiter_allows_hub (transfer->engine->limiter))
    return exo_limiter_why (transfer->engine->limiter);
  exo_hub_get_state (transfer->engine->hub, &hub);
  if (hub.blocked_until_us > g_get_monotonic_time ())
    return "The Hub asked to wait: going on in a while.";
  if (!hub.reachable)
    return "The Hub cannot be reached and no neighbour has what is missing: waiting for either.";
  return "";
}

static void
fill_totals (ExoTransfer *transfer, ExoTransferInfo *info)
{
  info->bytes_total = transfer->last_total;
  if (transfer->manifest != NULL && transfer->asked == NULL)
    {
      info->bytes_total = exo_manifest_bytes (transfer->manifest);
      info->files_total = exo_manifest_n_files (transfer->manifest);
    }
  else if (transfer->files != NULL)
    {
      info->bytes_total = 0;
      info->files_total = transfer->n_asked;
      for (guint i = 0; i < transfer->files->len; i++)
        {
          const ExoTransferFile *file = exo_transfer_file (transfer, i);
          info->bytes_total += file->state != EXO_FILE_UNASKED ? file->entry->size : 0;
        }
    }
  else if (transfer->asked != NULL)
    info->files_total = g_hash_table_size (transfer->asked);
  info->files_done =
      transfer->state == EXO_TRANSFER_COMPLETE ? info->files_total : transfer->n_done;
}

static void
fill_progress (ExoTransfer *transfer, ExoTransferInfo *info)
{
  info->bytes_from_hub = transfer->from_hub;
  info->bytes_from_lan = transfer->from_lan;
  fill_totals (transfer, info);
  for (guint i = 0; transfer->files != NULL && i < transfer->files->len; i++)
    {
      const ExoTransferFile *file = exo_transfer_file (transfer, i);

      info->bytes_done += file_bytes_done (file);
      if (file->want == NULL)
        continue;
      info->bytes_from_hub += exo_want_bytes_from_hub (file->want);
      info->bytes_from_lan += exo_want_bytes_from_lan (file->want);
    }
  /* Until every partial file is open again what is on disk is known from the last time. */
  if (transfer->files == NULL || !transfer->space_checked)
    info->bytes_done = MAX (info->bytes_done, transfer->last_done);
  info->bytes_done = MIN (info->bytes_done, info->bytes_total);
}

/* It has, or will have, all files of the commit. */
static gboolean
is_whole (ExoTransfer *transfer)
{
  guint n;

  if (transfer->manifest == NULL)
    return FALSE;
  n = transfer->asked != NULL ? g_hash_table_size (transfer->asked)
                              : exo_manifest_n_files (transfer->manifest);
  return n == exo_manifest_n_files (transfer->whole);
}

void
exo_transfer_get_info (ExoTransfer *transfer, ExoTransferInfo *out_info)
{
  *out_info = (ExoTransferInfo){
    .id = transfer->id,
    .type = transfer->type,
    .model = transfer->model,
    .revision = transfer->revision,
    .includes = (const char *const *) transfer->includes,
    .excludes = (const char *const *) transfer->excludes,
    .on_demand = transfer->asked != NULL,
    .commit = transfer->commit != NULL ? transfer->commit : "",
    .state = transfer->state,
    .started_s = transfer->started_s,
    .finished_s = transfer->finished_s,
    .unverified_upstream = transfer->unverified,
    .whole = is_whole (transfer),
    .error_code = error_code_name (transfer->error),
    .error_message = transfer->error != NULL ? transfer->error->message : waiting_for (transfer),
    .eta_s = -1,
  };
  fill_progress (transfer, out_info);
  if (transfer->state == EXO_TRANSFER_TRANSFERRING && transfer->engine->swarm != NULL)
    {
      out_info->rate = exo_rate_meter_rate (&transfer->meter);
      out_info->peers = exo_swarm_n_sources (transfer->engine->swarm);
      if (out_info->rate > 0)
        out_info->eta_s =
            (gint64) ((out_info->bytes_total - out_info->bytes_done) / out_info->rate);
    }
}

static const char *
file_state_name (ExoTransfer *transfer, const ExoTransferFile *file)
{
  if (file->state == EXO_FILE_DONE)
    return "complete";
  if (file->state == EXO_FILE_ADOPTING)
    return "verifying";
  if (file->want == NULL)
    return transfer->state == EXO_TRANSFER_FAILED ? "failed" : "waiting";
  switch (exo_want_state (file->want))
    {
    case EXO_WANT_VERIFYING:
      return "verifying";
    case EXO_WANT_FAILED:
      return "failed";
    case EXO_WANT_FETCHING:
      return "transferring";
    case EXO_WANT_DONE:
      return "complete";
    case EXO_WANT_OPENING:
    case EXO_WANT_LOCKED:
    default:
      return "waiting";
    }
}

void
exo_transfer_foreach_file (ExoTransfer *transfer,
                           void (*each) (const char *, guint64, guint64, const char *, gpointer),
                           gpointer user_data)
{
  guint n = transfer->manifest != NULL ? exo_manifest_n_files (transfer->manifest) : 0;
  gboolean complete = transfer->state == EXO_TRANSFER_COMPLETE;

  for (guint i = 0; i < n; i++)
    {
      const ExoManifestFile *entry = exo_manifest_file (transfer->manifest, i);

      if (transfer->asked != NULL && !g_hash_table_contains (transfer->asked, entry->path))
        continue;
      if (transfer->files != NULL)
        each (entry->path, entry->size, file_bytes_done (exo_transfer_file (transfer, i)),
              file_state_name (transfer, exo_transfer_file (transfer, i)), user_data);
      else
        each (entry->path, entry->size, complete ? entry->size : 0,
              complete ? "complete" : "waiting", user_data);
    }
}

gboolean
exo_transfer_wanted_by (ExoTransfer *transfer, ExoNeighbour *neighbour)
{
  for (guint i = 0; transfer->files != NULL && i < transfer->files->len; i++)
    if (exo_neighbour_wants (neighbour, exo_transfer_file (transfer, i)->entry->oid))
      return TRUE;
  return FALSE;
}

void
exo_transfer_tick (ExoTransfer *transfer, gint64 now_us)
{
  ExoTransferInfo info;
  g_autofree char *shown = NULL;

  exo_transfer_get_info (transfer, &info);
  if (transfer->state == EXO_TRANSFER_TRANSFERRING)
    exo_rate_meter_add (&transfer->meter, now_us, info.bytes_done);
  shown = g_strdup_printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
                           " %" G_GINT64_FORMAT " %u %u %s",
                           info.bytes_done, info.bytes_total, info.rate, info.eta_s,
                           info.files_done, info.peers, info.error_message);
  if (g_strcmp0 (shown, transfer->shown) == 0)
    return;
  g_free (transfer->shown);
  transfer->shown = g_steal_pointer (&shown);
  exo_transfer_changed (transfer);
}
