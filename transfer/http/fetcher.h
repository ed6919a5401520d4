/* fetcher.h - the HTTP client: one I/O thread around one curl_multi, and a client of its own for pieces from neighbours
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every call and every callback happens on the thread that owns the main context given to
 * exo_fetcher_new(); the I/O thread only receives, writes and reports. Reports are coalesced: at
 * most one wake-up of the main context is under way at a time. Nothing runs while no fetch is.
 *
 * A fetch does not follow redirects, does not retry and knows nothing of tokens: policy belongs to
 * the caller (transfer/hub). It always sends Accept-Encoding: identity.
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct ExoFetcher ExoFetcher;
typedef struct ExoFetch ExoFetch;

typedef enum
{
  EXO_FETCH_TO_MEMORY, /* the body, up to max_body bytes, in the result */
  EXO_FETCH_TO_FILE,   /* a byte range into a file, checked before the first write */
  EXO_FETCH_LINES,     /* an endless body of lines, each handed over as it comes */
} ExoFetchMode;

typedef struct
{
  ExoFetchMode mode;
  const char *method;         /* "GET", "HEAD", "POST" */
  const char *url;            /* http or https */
  const char *const *headers; /* (nullable): "Name: value" */
  GBytes *body;               /* (nullable): of a POST */
  gboolean lan;               /* to a neighbour: never through a proxy */
  gboolean limited;           /* see exo_fetcher_set_rate() */
  gboolean fresh;             /* over a new connection: an open one may only seem to be */
  guint connect_timeout_ms;   /* 0: 10 s */
  guint stall_timeout_ms;     /* nothing received for this long: UNREACHABLE; 0: 30 s */
  gsize max_body;             /* TO_MEMORY: bytes; LINES: bytes in one line. Past it: TOO_LARGE */

  /* TO_FILE: bytes [first, first + length) of an entity of total bytes go to the same offsets of
   * the file. Accepted are 206 whose Content-Range says just that, and 200 with Content-Length
   * total when the range is the whole. Anything else writes nothing. length is not 0. */
  guint64 first, length, total;
  guint64
      step; /* of the file, in bytes: progress is told when a multiple of it was passed; 0: now and then */
  int fd; /* duplicated; opened for writing */
  /* TO_FILE: (nullable): if the answer's X-Linked-Etag, or else its ETag, looks like an oid, it must be
   * this one. Otherwise CHANGED, and nothing is written. */
  const char *oid;
} ExoFetchRequest;

typedef struct
{
  guint status; /* HTTP status, 0 if none came */
  GBytes *
      body; /* TO_MEMORY; also of an unexpected status in the other modes, up to 4 KiB; may be NULL */
  guint64 n_received;   /* body bytes that came over the network */
  guint64 n_written;    /* TO_FILE: contiguous bytes on disk from first on */
  GHashTable *headers;  /* lower-case name -> last value, both utf8 */
  gint64 first_byte_us; /* from start to the first header byte, 0 if none came */
} ExoFetchResult;

typedef struct
{
  /* TO_FILE: n_written grew; how far at the end is in the result. (nullable) */
  void (*progress) (ExoFetch *fetch, guint64 n_written, gpointer user_data);
  /* LINES: one line without its newline; NUL-terminated; valid UTF-8. (nullable) */
  void (*line) (ExoFetch *fetch, const char *line, gsize length, gpointer user_data);
  /* Exactly once, last, also after exo_fetch_cancel(); @fetch is gone afterwards. When it comes no
   * thread touches fd any more. @error: (nullable): EXO_TRANSFER_ERROR_UNREACHABLE, _NO_SPACE, _DISK,
   * _TOO_LARGE, _CHANGED (206 for another range or total, wrong length), _CANCELLED; an HTTP
   * status, whatever it is, is no error, save in TO_FILE and LINES one that is not 2xx: _FAILED.
   * @result is never NULL. */
  void (*done) (ExoFetch *fetch,
                const ExoFetchResult *result,
                const GError *error,
                gpointer user_data);
} ExoFetchCallbacks;

/* @context: (nullable): the default one. @user_agent: sent with every request */
ExoFetcher *exo_fetcher_new (GMainContext *context, const char *user_agent);
/* Cancels what runs (its done callbacks are called from here), joins the thread. */
void exo_fetcher_free (ExoFetcher *fetcher);

/* @rate: bytes/s that the bodies of all limited fetches together may bring; 0: any, as at first. For those under way, too. */
void exo_fetcher_set_rate (ExoFetcher *fetcher, guint64 rate);

/* Nothing in @request is kept by reference. Never fails at once: trouble comes through done. */
ExoFetch *exo_fetcher_start (ExoFetcher *fetcher,
                             const ExoFetchRequest *request,
                             const ExoFetchCallbacks *callbacks,
                             gpointer user_data);
void exo_fetch_cancel (ExoFetch *fetch); /* done follows, with CANCELLED; twice is fine */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoFetcher, exo_fetcher_free)

G_END_DECLS
