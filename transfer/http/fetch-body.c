/* fetch-body.c - what becomes of the bytes of an answer (I/O thread)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The headers are judged when the last of them has come, so that an answer for other bytes than
 * those asked for costs no body. What comes is gathered (curl hands over at most 16 KiB at a time; the piece client receives
 * right there) and written while it is in the processor's cache; no write crosses a multiple of EXO_FETCH_GATHER of the file,
 * which is also where pieces end: the last byte of a piece never waits for bytes of the next. The next fetch that has bytes
 * takes the same buffer: a fresh one costs a page fault for every page of it.
 */

#include <errno.h>
#include <glib/gi18n.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "transfer/error.h"
#include "transfer/http/brake.h"
#include "transfer/http/content-range.h"
#include "transfer/http/etag.h"

/* The first reason counts; what curl says of an aborted transfer is only its echo. */
G_GNUC_PRINTF (3, 4)
static gboolean
fail (ExoFetch *fetch, ExoTransferError code, const char *format, ...)
{
  va_list args;

  if (fetch->error == NULL)
    {
      va_start (args, format);
      fetch->error = g_error_new_valist (EXO_TRANSFER_ERROR, (int) code, format, args);
      va_end (args);
    }
  return FALSE;
}

static const char *
header (ExoFetch *fetch, const char *name)
{
  return g_hash_table_lookup (fetch->result.headers, name);
}

/* Headers ------------------------------------------------------------------------------------------ */

static gboolean
content_length (ExoFetch *fetch, guint64 *out_length)
{
  const char *value = header (fetch, "content-length"), *end;

  return value != NULL && exo_decimal_parse (value, &end, out_length) && *end == '\0';
}

static gboolean
check_identity (ExoFetch *fetch)
{
  const char *etag = header (fetch, "x-linked-etag");
  g_autofree char *oid = exo_etag_to_oid (etag != NULL ? etag : header (fetch, "etag"));

  if (fetch->oid == NULL || oid == NULL || strcmp (oid, fetch->oid) == 0)
    return TRUE;
  return fail (fetch, EXO_TRANSFER_ERROR_CHANGED, _ ("the answer is another file (%s)"), oid);
}

static gboolean
check_range (ExoFetch *fetch)
{
  gboolean whole = fetch->first == 0 && fetch->length == fetch->total;
  const char *encoding = header (fetch, "content-encoding");
  ExoContentRange range;
  guint64 length;
  gboolean has_length = content_length (fetch, &length);

  if (encoding != NULL && g_ascii_strcasecmp (encoding, "identity") != 0)
    return fail (fetch, EXO_TRANSFER_ERROR_CHANGED, _ ("the answer is encoded (%.32s)"), encoding);
  if (fetch->result.status == 200 && whole && has_length && length == fetch->total)
    return TRUE;
  if (fetch->result.status != 206)
    return fail (fetch, EXO_TRANSFER_ERROR_CHANGED,
                 _ ("asked for a range, answered with status %u for something else"),
                 fetch->result.status);
  if (!exo_content_range_parse (header (fetch, "content-range"), &range) ||
      range.first != fetch->first || range.last - range.first + 1 != fetch->length ||
      range.total != fetch->total || (has_length && length != fetch->length))
    return fail (fetch, EXO_TRANSFER_ERROR_CHANGED,
                 _ ("asked for bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 ", answered with others"),
                 fetch->first, fetch->first + fetch->length - 1, fetch->total);
  return TRUE;
}

/* All headers of one answer are there. FALSE: the transfer is to end here. */
static gboolean
judge_headers (ExoFetch *fetch)
{
  guint status = fetch->result.status;
  guint64 length;

  if (status < 200)
    return TRUE; /* 100 Continue and the like: the answer is still to come */
  if (fetch->mode == EXO_FETCH_TO_MEMORY)
    {
      if (strcmp (fetch->method, "HEAD") != 0 && content_length (fetch, &length) &&
          length > fetch->max_body)
        return fail (fetch, EXO_TRANSFER_ERROR_TOO_LARGE,
                     _ ("an answer of %" PRIu64 " bytes, at most %zu are read"), length,
                     fetch->max_body);
      return fetch->usable = TRUE;
    }
  if (status >= 300)
    return TRUE; /* a little of the body explains why */
  if (fetch->mode == EXO_FETCH_TO_FILE && (!check_identity (fetch) || !check_range (fetch)))
    return FALSE;
  return fetch->usable = TRUE;
}

static void
begin_answer (ExoFetch *fetch, const char *line, gsize length)
{
  const char *space = memchr (line, ' ', length);
  guint status = 0;

  for (const char *p = space != NULL ? space + 1 : NULL;
       p != NULL && p < line + length && g_ascii_isdigit (*p) && status < 1000; p++)
    status = status * 10 + (guint) g_ascii_digit_value (*p);
  fetch->result.status = status;
  fetch->n_headers = 0;
  fetch->header_bytes = 0;
  g_hash_table_remove_all (fetch->result.headers);
}

static void
add_header (ExoFetch *fetch, const char *line, gsize length)
{
  const char *colon = memchr (line, ':', length);
  g_autofree char *name = NULL;
  g_autofree char *value = NULL;

  if (colon == NULL)
    return;
  name = g_ascii_strdown (line, colon - line);
  value = g_strndup (colon + 1, (gsize) (line + length - colon - 1));
  g_strstrip (value);
  if (g_utf8_validate (name, -1, NULL) && g_utf8_validate (value, -1, NULL))
    g_hash_table_replace (fetch->result.headers, g_steal_pointer (&name), g_steal_pointer (&value));
}

size_t
exo_fetch_on_header (char *data, size_t size, size_t n, void *user_data)
{
  ExoFetch *fetch = user_data;
  gsize length = size * n;

  fetch->activity_us = g_get_monotonic_time ();
  if (fetch->result.first_byte_us == 0)
    fetch->result.first_byte_us = MAX (fetch->activity_us - fetch->started_us, 1);
  if (length >= 5 && memcmp (data, "HTTP/", 5) == 0)
    begin_answer (fetch, data, length);
  fetch->header_bytes += length;
  if (++fetch->n_headers > EXO_FETCH_HEADERS_MAX ||
      fetch->header_bytes > EXO_FETCH_HEADER_BYTES_MAX)
    return fail (fetch, EXO_TRANSFER_ERROR_TOO_LARGE, _ ("too many headers in the answer")), 0;
  if (length > 0 && (data[0] == '\r' || data[0] == '\n'))
    return judge_headers (fetch) ? length : 0;
  add_header (fetch, data, length);
  return length;
}

/* Files -------------------------------------------------------------------------------------------- */

/* What ends the fetch is told by its end. */
static gboolean
is_worth_telling (ExoFetch *fetch, guint64 before)
{
  guint64 now = fetch->result.n_written;

  return now < fetch->length && (fetch->step == 0 || (fetch->first + now) / fetch->step >
                                                         (fetch->first + before) / fetch->step);
}

static gboolean
flush (ExoFetch *fetch)
{
  guint64 before = fetch->result.n_written;
  gsize done = 0;

  while (done < fetch->n_gathered)
    {
      guint64 offset = fetch->first + fetch->result.n_written;
      ssize_t n =
          pwrite (fetch->fd, fetch->gather + done, fetch->n_gathered - done, (off_t) offset);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        {
          int saved = n == 0 ? EIO : errno;
          fetch->n_gathered = 0; /* not tried again */
          return fail (fetch,
                       saved == ENOSPC || saved == EDQUOT ? EXO_TRANSFER_ERROR_NO_SPACE
                                                          : EXO_TRANSFER_ERROR_DISK,
                       _ ("cannot write: %s"), g_strerror (saved));
        }
      done += (gsize) n;
      fetch->result.n_written += (guint64) n;
    }
  fetch->n_gathered = 0;
  if (done > 0 && is_worth_telling (fetch, before))
    exo_fetch_tell_written (fetch);
  return TRUE;
}

guchar *
exo_fetch_body_room (ExoFetch *fetch, gsize *out_room)
{
  guint64 offset = fetch->first + fetch->n_accepted;
  gsize to_boundary = (gsize) (EXO_FETCH_GATHER - offset % EXO_FETCH_GATHER);

  if (fetch->gather == NULL && fetch->buffers->len > 0)
    fetch->gather = g_ptr_array_steal_index_fast (fetch->buffers, fetch->buffers->len - 1);
  else if (fetch->gather == NULL)
    fetch->gather = g_malloc (EXO_FETCH_GATHER);
  *out_room = (gsize) MIN (fetch->length - fetch->n_accepted, to_boundary);
  return fetch->gather + fetch->n_gathered;
}

static gboolean
gathered (ExoFetch *fetch, gsize n)
{
  gboolean ended;

  fetch->n_gathered += n;
  fetch->n_accepted += n;
  ended = fetch->n_accepted == fetch->length ||
          (fetch->first + fetch->n_accepted) % EXO_FETCH_GATHER == 0;
  if (!ended && fetch->n_gathered < EXO_FETCH_WRITE_MIN)
    return TRUE;
  if (!flush (fetch))
    return FALSE;
  g_ptr_array_add (fetch->buffers, g_steal_pointer (&fetch->gather));
  return TRUE;
}

gboolean
exo_fetch_body_came (ExoFetch *fetch, gsize n)
{
  fetch->activity_us = g_get_monotonic_time ();
  fetch->result.n_received += n;
  return gathered (fetch, n);
}

static gboolean
take_for_file (ExoFetch *fetch, const char *data, gsize length)
{
  guint64 left = fetch->length - fetch->n_accepted;
  gboolean excess = length > left;

  for (gsize rest = excess ? (gsize) left : length; rest > 0;)
    {
      gsize room;
      guchar *at = exo_fetch_body_room (fetch, &room);
      gsize n = MIN (rest, room);

      memcpy (at, data, n);
      data += n;
      rest -= n;
      if (!gathered (fetch, n))
        return FALSE;
    }
  return !excess || fail (fetch, EXO_TRANSFER_ERROR_CHANGED, _ ("more bytes than asked for"));
}

/* Lines -------------------------------------------------------------------------------------------- */

static gboolean
end_line (ExoFetch *fetch, gsize *waiting)
{
  const char *line = (const char *) fetch->buffer->data;

  if (!g_utf8_validate_len (line, fetch->buffer->len, NULL))
    return fail (fetch, EXO_TRANSFER_ERROR_INVALID, _ ("a line that is not UTF-8"));
  *waiting = exo_fetch_tell_line (fetch, line, fetch->buffer->len);
  g_byte_array_set_size (fetch->buffer, 0);
  return TRUE;
}

static gboolean
take_lines (ExoFetch *fetch, const char *data, gsize length)
{
  gsize waiting = 0;

  while (length > 0)
    {
      const char *newline = memchr (data, '\n', length);
      gsize n = newline != NULL ? (gsize) (newline - data) : length;

      if (n > fetch->max_body - fetch->buffer->len)
        return fail (fetch, EXO_TRANSFER_ERROR_TOO_LARGE, _ ("a line of more than %zu bytes"),
                     fetch->max_body);
      g_byte_array_append (fetch->buffer, (const guint8 *) data, (guint) n);
      if (newline != NULL && !end_line (fetch, &waiting))
        return FALSE;
      n += newline != NULL ? 1 : 0;
      data += n;
      length -= n;
    }
  fetch->paused = waiting > EXO_FETCH_LINES_PENDING;
  return TRUE;
}

/* Any body ----------------------------------------------------------------------------------------- */

static gboolean
take_in_memory (ExoFetch *fetch, const char *data, gsize length)
{
  gsize room = fetch->max_body - fetch->buffer->len;

  g_byte_array_append (fetch->buffer, (const guint8 *) data, (guint) MIN (length, room));
  return length <= room || fail (fetch, EXO_TRANSFER_ERROR_TOO_LARGE,
                                 _ ("an answer of more than %zu bytes"), fetch->max_body);
}

/* FALSE: enough. Not an error of its own; what the status means is said at the end. */
static gboolean
take_explanation (ExoFetch *fetch, const char *data, gsize length)
{
  gsize room = EXO_FETCH_ERROR_BODY_MAX - fetch->buffer->len;

  g_byte_array_append (fetch->buffer, (const guint8 *) data, (guint) MIN (length, room));
  return length <= room;
}

size_t
exo_fetch_on_body (char *data, size_t size, size_t n, void *user_data)
{
  ExoFetch *fetch = user_data;
  gsize length = size * n;
  gboolean go_on;

  /* curl keeps these bytes and hands them over again. */
  if (fetch->paused || exo_brake_holds (fetch, length))
    return CURL_WRITEFUNC_PAUSE;
  fetch->activity_us = g_get_monotonic_time ();
  fetch->result.n_received += length;
  if (!fetch->usable)
    go_on = take_explanation (fetch, data, length);
  else if (fetch->mode == EXO_FETCH_TO_FILE)
    go_on = take_for_file (fetch, data, length);
  else if (fetch->mode == EXO_FETCH_LINES)
    go_on = take_lines (fetch, data, length);
  else
    go_on = take_in_memory (fetch, data, length);
  return go_on ? length : 0;
}

static gboolean
is_complete (ExoFetch *fetch)
{
  return fetch->usable && fetch->mode == EXO_FETCH_TO_FILE &&
         fetch->result.n_written == fetch->length;
}

static void
judge_end (ExoFetch *fetch)
{
  if (fetch->mode == EXO_FETCH_TO_MEMORY || fetch->result.status == 0)
    return;
  if (fetch->result.status < 200 || fetch->result.status >= 300)
    {
      g_clear_error (&fetch->error); /* the status says more than how its body ended */
      fail (fetch, EXO_TRANSFER_ERROR_FAILED, _ ("status %u"), fetch->result.status);
    }
  else if (fetch->mode == EXO_FETCH_TO_FILE && !is_complete (fetch))
    fail (fetch, EXO_TRANSFER_ERROR_UNREACHABLE, _ ("the answer ended early"));
}

void
exo_fetch_body_finish (ExoFetch *fetch)
{
  gboolean cancelled =
      g_error_matches (fetch->error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED);

  if (fetch->n_gathered > 0)
    flush (fetch);
  if (is_complete (fetch))
    g_clear_error (&fetch->error);
  else if (!cancelled)
    judge_end (fetch);
  if (fetch->gather != NULL)
    g_ptr_array_add (fetch->buffers, g_steal_pointer (&fetch->gather));
  if (fetch->mode == EXO_FETCH_TO_MEMORY || !fetch->usable)
    fetch->result.body = g_byte_array_free_to_bytes (g_steal_pointer (&fetch->buffer));
}
