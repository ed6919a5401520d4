/* reading.c - one file on its way to a program
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   in the cache, verified        sent as it is
 *   a small part of a file that   asked of the Hub as it is: those who look at a header do not want the file, and what
 *     is not there                neighbours say cannot be verified before all of it is there
 *   anything else                 the headers at once (clients wait ten seconds), then the bytes as the swarm brings them,
 *                                 the last piece when the whole is verified
 *
 * A client checks sizes, not hashes. When the whole turns out to be wrong those who read it are cut off, and may not go on
 * from where they were for a day: what they have already may be wrong, even when the file is right by then.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "transfer/endpoint/endpoint-private.h"
#include "transfer/http/etag.h"
#include "transfer/http/range.h"
#include "transfer/store/layout.h"

#define PEEK_BYTES_MAX (4u << 20)       /* a part up to this is not a download */
#define TAINTED_S      ((gint64) 86400) /* by then nobody goes on with what was cut off */
#define LULL_S         60 /* after its last reader went a transfer on demand is abandoned */
#define RECHECK_S      3 /* a client that writes to the same cache has renamed its own file by then */

struct ExoReading
{
  ExoEndpoint *endpoint;
  ExoLocalRequest *request; /* until it is answered */
  ExoLocalStream *stream;   /* then */
  ExoManifest *manifest;    /* counted */
  const ExoManifestFile *file;
  gboolean unverified;
  char *revision;
  ExoRangeKind kind;
  guint64 first, length;
  guint64 end;           /* given so far */
  ExoTransfer *transfer; /* (nullable): counted */
  gulong changed_handler;
  ExoWant *want; /* (nullable) */
  gboolean verifying;
  guint n_pending; /* callbacks still to come */
  gboolean over;
};

static void
reading_unref (ExoReading *reading)
{
  if (--reading->n_pending > 0)
    return;
  exo_manifest_unref (reading->manifest);
  g_free (reading->revision);
  g_free (reading);
}

static void
let_go (ExoReading *reading)
{
  if (reading->transfer != NULL)
    g_signal_handler_disconnect (reading->transfer, reading->changed_handler);
  g_clear_object (&reading->transfer);
  if (reading->want != NULL)
    exo_want_release (g_steal_pointer (&reading->want), TRUE);
}

/* --- transfers nobody reads any more ------------------------------------------------------------ */

static gboolean
is_read (ExoEndpoint *endpoint, ExoTransfer *transfer)
{
  for (guint i = 0; i < endpoint->readings->len; i++)
    if (((const ExoReading *) g_ptr_array_index (endpoint->readings, i))->transfer == transfer)
      return TRUE;
  return FALSE;
}

/* Whoever interrupts a download means the network, too. */
static gboolean
on_lull (gpointer data)
{
  ExoEndpoint *endpoint = data;
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (endpoint->engine);

  endpoint->lull_source = 0;
  for (guint i = 0; i < transfers->len; i++)
    {
      ExoTransfer *transfer = g_ptr_array_index (transfers, i);
      if (transfer->asked != NULL && exo_transfer_is_active (transfer) &&
          !is_read (endpoint, transfer))
        exo_transfer_abandon (transfer);
    }
  return G_SOURCE_REMOVE;
}

/* --- files that a client put in the place of ours ------------------------------------------------- */

typedef struct
{
  ExoEndpoint *endpoint;
  ExoManifest *manifest; /* counted */
  const ExoManifestFile *file;
  guint source;
} Recheck;

static void
recheck_free (gpointer data)
{
  Recheck *recheck = data;

  exo_manifest_unref (recheck->manifest);
  g_free (recheck);
}

static void
on_readopted (GObject *source, GAsyncResult *result, gpointer user_data)
{
  /* Hashed and known again, or gone: nothing is to be done either way. */
}

/* A client of the same cache ends by renaming its own copy over ours, which the index then does not know: it is hashed
 * again, or the neighbours could not have it. */
static gboolean
on_recheck (gpointer data)
{
  Recheck *recheck = data;
  ExoEndpoint *endpoint = recheck->endpoint;
  g_auto (ExoStoredBlob) blob = { 0 };

  if (!exo_store_find (endpoint->engine->store, recheck->file->oid, &blob))
    exo_store_adopt_async (endpoint->engine->store, exo_manifest_type (recheck->manifest),
                           exo_manifest_id (recheck->manifest), recheck->file->oid,
                           recheck->file->size, recheck->file->path, endpoint->cancellable,
                           on_readopted, NULL);
  g_hash_table_remove (endpoint->rechecks, GUINT_TO_POINTER (recheck->source));
  return G_SOURCE_REMOVE;
}

static void
recheck_later (ExoReading *reading)
{
  Recheck *recheck = g_new0 (Recheck, 1);

  recheck->endpoint = reading->endpoint;
  recheck->manifest = exo_manifest_ref (reading->manifest);
  recheck->file = reading->file;
  recheck->source =
      g_timeout_add_seconds_full (G_PRIORITY_DEFAULT, RECHECK_S, on_recheck, recheck, recheck_free);
  g_hash_table_add (reading->endpoint->rechecks, GUINT_TO_POINTER (recheck->source));
}

/* --- the end ------------------------------------------------------------------------------------- */

static void
finish (ExoReading *reading)
{
  ExoEndpoint *endpoint = reading->endpoint;

  reading->over = TRUE;
  let_go (reading);
  g_ptr_array_remove_fast (endpoint->readings, reading);
  if (endpoint->lull_source == 0)
    endpoint->lull_source = g_timeout_add_seconds (LULL_S, on_lull, endpoint);
  reading_unref (reading);
}

static void
fail (ExoReading *reading)
{
  exo_local_stream_fail (g_steal_pointer (&reading->stream));
  finish (reading);
}

void
exo_reading_free (ExoReading *reading)
{
  reading->over = TRUE;
  let_go (reading);
  reading_unref (reading);
}

static void
on_ended (ExoLocalStream *stream, gboolean complete, gpointer user_data)
{
  ExoReading *reading = user_data;

  if (complete && reading->want == NULL && reading->transfer != NULL)
    recheck_later (reading);
  finish (reading);
}

static void
taint (ExoReading *reading)
{
  gint64 *until_us = g_new (gint64, 1);

  *until_us = g_get_monotonic_time () + TAINTED_S * G_USEC_PER_SEC;
  g_hash_table_replace (reading->endpoint->tainted, g_strdup (reading->file->oid), until_us);
}

static gboolean
is_tainted (ExoReading *reading)
{
  const gint64 *until_us = g_hash_table_lookup (reading->endpoint->tainted, reading->file->oid);

  return until_us != NULL && *until_us > g_get_monotonic_time ();
}

/* --- bytes as they come -------------------------------------------------------------------------- */

static void
give (ExoReading *reading)
{
  int fd = exo_want_fd (reading->want);
  guint64 end = exo_want_readable (reading->want, reading->end);

  if (fd >= 0 && end > reading->end)
    {
      reading->end = end;
      exo_local_stream_give (reading->stream, fd, MIN (end, reading->first + reading->length));
    }
}

static void
on_want_changed (ExoWant *want, gpointer user_data)
{
  ExoReading *reading = user_data;
  ExoWantState state = exo_want_state (want);

  if (reading->want == NULL) /* from within exo_swarm_want() */
    return;
  if (exo_want_is_spoiled (want) || (state == EXO_WANT_FETCHING && reading->verifying))
    {
      g_message ("%s of %s was wrong: the program that reads it is cut off", reading->file->path,
                 exo_manifest_id (reading->manifest));
      taint (reading);
      fail (reading);
      return;
    }
  reading->verifying = state == EXO_WANT_VERIFYING;
  if (state == EXO_WANT_FAILED)
    {
      fail (reading);
      return;
    }
  give (reading);
  if (state == EXO_WANT_DONE)
    exo_want_release (g_steal_pointer (&reading->want), TRUE);
}

static void
on_transfer_changed (ExoTransfer *transfer, gpointer user_data)
{
  ExoReading *reading = user_data;

  if (reading->want != NULL &&
      (transfer->state == EXO_TRANSFER_PAUSED || transfer->state == EXO_TRANSFER_FAILED))
    fail (reading);
}

static void
fetch (ExoReading *reading)
{
  ExoEndpoint *endpoint = reading->endpoint;
  ExoWantSpec spec = {
    .type = exo_manifest_type (reading->manifest),
    .id = exo_manifest_id (reading->manifest),
    .commit = exo_manifest_commit (reading->manifest),
    .path = reading->file->path,
    .oid = reading->file->oid,
    .size = reading->file->size,
    .open = exo_manifest_is_open (reading->manifest) || reading->unverified,
    .reads = TRUE,
  };
  ExoTransfer *transfer;

  /* Before the transfer, which must not wait for the lock of a client that waits for us. */
  reading->end = reading->first;
  reading->want = exo_swarm_want (endpoint->engine->swarm, &spec, on_want_changed, reading);
  transfer = exo_engine_demand (endpoint->engine, reading->manifest, reading->unverified,
                                reading->revision, reading->file->path, NULL);
  if (transfer == NULL)
    {
      fail (reading);
      return;
    }
  reading->transfer = g_object_ref (transfer);
  reading->changed_handler =
      g_signal_connect (transfer, "changed", G_CALLBACK (on_transfer_changed), reading);
  exo_want_wait_at (reading->want, reading->first);
  on_want_changed (reading->want, reading);
}

static void
on_waiting (ExoLocalStream *stream, guint64 offset, gpointer user_data)
{
  ExoReading *reading = user_data;

  if (reading->want != NULL)
    exo_want_wait_at (reading->want, offset);
}

/* FALSE: it is not there (any more). */
static gboolean
open_held (ExoReading *reading, int *out_fd)
{
  g_auto (ExoStoredBlob) blob = { 0 };

  if (!exo_store_find (reading->endpoint->engine->store, reading->file->oid, &blob))
    return FALSE;
  *out_fd = open (blob.path, O_RDONLY | O_CLOEXEC);
  return *out_fd >= 0;
}

/* It may lie in the cache unhashed: then it is hashed first. */
static void
on_adopted (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ExoReading *reading = user_data;
  gboolean held;
  int fd;

  if (!reading->over)
    {
      held = exo_store_adopt_finish (reading->endpoint->engine->store, result, NULL);
      if (held && open_held (reading, &fd))
        {
          exo_local_stream_give (reading->stream, fd, reading->first + reading->length);
          close (fd);
        }
      else
        fetch (reading);
    }
  reading_unref (reading);
}

/* --- the answer ------------------------------------------------------------------------------------ */

typedef struct
{
  char *etag, *range, *size;
  const char *values[20];
} Headers;

static void
headers_clear (Headers *headers)
{
  g_free (headers->etag);
  g_free (headers->range);
  g_free (headers->size);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Headers, headers_clear)

static void
make_headers (const ExoReading *reading, Headers *headers)
{
  guint n = 0;

  headers->etag = g_strdup_printf ("\"%s\"", reading->file->oid);
  headers->size = g_strdup_printf ("%" G_GUINT64_FORMAT, reading->file->size);
  headers->values[n++] = "Content-Type";
  headers->values[n++] = "application/octet-stream";
  headers->values[n++] = "ETag";
  headers->values[n++] = headers->etag;
  headers->values[n++] = "X-Linked-Etag";
  headers->values[n++] = headers->etag;
  headers->values[n++] = "X-Linked-Size";
  headers->values[n++] = headers->size;
  headers->values[n++] = "X-Repo-Commit";
  headers->values[n++] = exo_manifest_commit (reading->manifest);
  headers->values[n++] = "Accept-Ranges";
  headers->values[n++] = "bytes";
  if (reading->kind == EXO_RANGE_PART)
    headers->range =
        g_strdup_printf ("bytes %" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT,
                         reading->first, reading->first + reading->length - 1, reading->file->size);
  else if (reading->kind == EXO_RANGE_UNSATISFIABLE || reading->file->size == 0)
    headers->range = g_strdup_printf ("bytes */%" G_GUINT64_FORMAT, reading->file->size);
  if (headers->range != NULL)
    {
      headers->values[n++] = "Content-Range";
      headers->values[n++] = headers->range;
    }
}

static void
stream (ExoReading *reading)
{
  static const ExoLocalStreamCallbacks callbacks = { on_waiting, on_ended };
  ExoEndpoint *endpoint = reading->endpoint;
  g_auto (Headers) headers = { 0 };

  make_headers (reading, &headers);
  reading->stream = exo_local_respond_stream (
      g_steal_pointer (&reading->request), reading->kind == EXO_RANGE_PART ? 206 : 200,
      headers.values, reading->first, reading->length, &callbacks, reading);
  g_ptr_array_add (endpoint->readings, reading);
  reading->n_pending++;
  exo_store_adopt_async (endpoint->engine->store, exo_manifest_type (reading->manifest),
                         exo_manifest_id (reading->manifest), reading->file->oid,
                         reading->file->size, reading->file->path, endpoint->cancellable,
                         on_adopted, reading);
}

typedef struct
{
  ExoReading *reading;       /* counted */
  GCancellable *cancellable; /* counted; cancelled when the endpoint goes */
  int fd;
} Peek;

static void
on_peeked (ExoHubFetch *hub_fetch, const GError *error, gpointer user_data)
{
  g_autofree Peek *peek = user_data;
  ExoReading *reading = peek->reading;
  g_autoptr (GCancellable) cancellable = peek->cancellable;
  gboolean late = g_cancellable_is_cancelled (cancellable);
  g_auto (Headers) headers = { 0 };

  if (late || error != NULL)
    close (peek->fd);
  if (late) /* the request is gone with the server */
    reading->request = NULL;
  else if (error == NULL)
    {
      make_headers (reading, &headers);
      exo_local_respond_file (g_steal_pointer (&reading->request), 206, headers.values, peek->fd,
                              reading->first, reading->length);
    }
  else if (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE) ||
           g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_RATE_LIMITED))
    {
      reading->n_pending++;
      stream (reading); /* the neighbours may have it */
    }
  else
    exo_endpoint_refuse_error (g_steal_pointer (&reading->request), error);
  reading_unref (reading);
}

/* FALSE: there is no memory for it, or the user's limits are against it; then it is a download like any other. */
static gboolean
peek (ExoReading *reading)
{
  static const ExoHubFetchCallbacks callbacks = { NULL, on_peeked };
  Peek *peeked;
  int fd;

  if (!exo_limiter_has_room (reading->endpoint->engine->limiter))
    return FALSE;
  fd = memfd_create ("exo-peek", MFD_CLOEXEC);
  if (fd < 0)
    return FALSE;
  peeked = g_new (Peek, 1);
  *peeked = (Peek){ reading, g_object_ref (reading->endpoint->cancellable), fd };
  exo_hub_fetch (reading->endpoint->engine->hub, exo_manifest_type (reading->manifest),
                 exo_manifest_id (reading->manifest), exo_manifest_commit (reading->manifest),
                 reading->file->path, reading->file->oid, reading->file->size, fd, reading->first,
                 reading->length, &callbacks, peeked);
  return TRUE;
}

static gboolean
is_peek (const ExoReading *reading, const char *range)
{
  return reading->kind == EXO_RANGE_PART && reading->length <= PEEK_BYTES_MAX &&
         reading->length < reading->file->size && !g_str_has_suffix (range, "-");
}

static gboolean
is_published (const ExoReading *reading)
{
  g_autofree char *snapshot = exo_layout_snapshot (exo_manifest_type (reading->manifest),
                                                   exo_manifest_id (reading->manifest),
                                                   exo_manifest_commit (reading->manifest));
  g_autofree char *path = g_build_filename (exo_store_hub_cache (reading->endpoint->engine->store),
                                            snapshot, reading->file->path, NULL);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* What is there, though of another repo or revision, and what is empty belongs to this snapshot, too. */
static void
publish (ExoReading *reading)
{
  if (!is_published (reading))
    exo_engine_demand (reading->endpoint->engine, reading->manifest, reading->unverified,
                       reading->revision, reading->file->path, NULL);
}

/* TRUE: answered without a byte of the file. */
static gboolean
answer_without_body (ExoReading *reading)
{
  ExoLocalRequest *request = reading->request;
  const char *known = exo_local_request_header (request, "If-None-Match");
  g_autofree char *oid = exo_etag_to_oid (known);
  g_auto (Headers) headers = { 0 };
  guint status = 0;

  if (g_strcmp0 (oid, reading->file->oid) == 0)
    status = 304;
  else if (reading->kind == EXO_RANGE_UNSATISFIABLE && reading->file->size > 0)
    status = 416;
  make_headers (reading, &headers);
  if (status == 0 && reading->file->size == 0 && !exo_local_request_is_head (request))
    publish (reading);
  if (status != 0)
    exo_local_respond (request, status, headers.values, NULL);
  else if (exo_local_request_is_head (request) || reading->length == 0)
    exo_local_respond_head (request, reading->kind == EXO_RANGE_PART ? 206 : 200, headers.values,
                            reading->length);
  else
    return FALSE;
  return TRUE;
}

void
exo_reading_start (ExoEndpoint *endpoint,
                   ExoLocalRequest *request,
                   ExoManifest *manifest,
                   gboolean unverified,
                   const char *revision,
                   const ExoManifestFile *file)
{
  ExoReading *reading = g_new0 (ExoReading, 1);
  const char *range = exo_local_request_header (request, "Range");
  int fd;

  reading->endpoint = endpoint;
  reading->request = request;
  reading->manifest = exo_manifest_ref (manifest);
  reading->file = file;
  reading->unverified = unverified;
  reading->revision = g_strdup (revision != NULL ? revision : "main");
  reading->n_pending = 1;
  reading->kind = exo_range_parse (range, file->size, &reading->first, &reading->length);
  if (answer_without_body (reading))
    reading_unref (reading);
  else if (reading->first > 0 && !is_peek (reading, range) && is_tainted (reading))
    {
      exo_endpoint_refuse (request, 503, NULL,
                           "what was sent of this file before was wrong: download it from its "
                           "beginning",
                           exo_manifest_commit (manifest));
      reading_unref (reading);
    }
  else if (open_held (reading, &fd))
    {
      g_auto (Headers) headers = { 0 };
      make_headers (reading, &headers);
      if (!is_peek (reading, range))
        publish (reading);
      exo_local_respond_file (request, reading->kind == EXO_RANGE_PART ? 206 : 200, headers.values,
                              fd, reading->first, reading->length);
      reading_unref (reading);
    }
  else if (!is_peek (reading, range) || !peek (reading))
    stream (reading);
}
