/* fetcher-private.h - what the two threads of the fetcher share
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   main thread (fetcher.c)                    I/O thread (fetch-io.c)
 *     start, cancel, resume, quit  --queue-->    one curl_multi, one piece client, one epoll
 *     callbacks                    <--reports--  n_written, lines, the end
 *
 * A report is not a message but a state of the fetch, under the fetcher's lock: a fetch with news is
 * queued once, however much news it has, and the first one queued wakes the main context once.
 */

#pragma once

#include <curl/curl.h>

#include "transfer/http/fetcher.h"

G_BEGIN_DECLS

#define EXO_FETCH_HEADERS_MAX      128u        /* header lines in one answer */
#define EXO_FETCH_HEADER_BYTES_MAX (64u << 10) /* of all header lines of one answer */
#define EXO_FETCH_ERROR_BODY_MAX   (4u << 10)  /* bytes kept of a body that nobody asked for */
#define EXO_FETCH_GATHER           (256u << 10) /* bytes per pwrite at most; divides every piece size */
#define EXO_FETCH_WRITE_MIN        (64u << 10) /* and at least, unless one of its multiples is reached */
#define EXO_FETCH_LINES_PENDING                                                                    \
  (4u << 20) /* bytes of lines not handed over; past it we stop reading */

typedef struct ExoBrake ExoBrake;

typedef enum
{
  EXO_FETCH_COMMAND_START,
  EXO_FETCH_COMMAND_CANCEL,
  EXO_FETCH_COMMAND_RESUME, /* the main thread took the lines that were too many */
  EXO_FETCH_COMMAND_RATE,
  EXO_FETCH_COMMAND_QUIT,
} ExoFetchCommandKind;

typedef struct
{
  ExoFetchCommandKind kind;
  ExoFetch *fetch; /* (nullable): a reference */
  guint64 rate;    /* of RATE */
} ExoFetchCommand;

struct ExoFetch
{
  gatomicrefcount ref_count; /* the main thread, the I/O thread while active, each command */

  /* Main thread only */
  ExoFetcher *fetcher;
  ExoFetchCallbacks callbacks;
  gpointer user_data;
  gboolean cancelled;

  /* The request; constant */
  ExoFetchMode mode;
  char *method;
  char *url;
  char **headers; /* (nullable) */
  GBytes *body;   /* (nullable) */
  gboolean lan, limited, fresh;
  guint connect_timeout_ms, stall_timeout_ms;
  gsize max_body;
  guint64 first, length, total;
  guint64 step;      /* progress is told at its multiples; 0: at each write */
  char *oid;         /* (nullable) */
  int fd;            /* ours; -1 if none */
  gint64 started_us; /* monotonic */

  /* I/O thread only, until finished */
  gpointer io;                     /* the thread's own state, while active */
  GPtrArray *buffers;              /* borrowed: spare ones of EXO_FETCH_GATHER bytes */
  struct ExoPieceConn *piece_conn; /* (nullable): borrowed, of the piece client */
  guint64 body_length;             /* what the piece client is to receive */
  CURL *easy;                      /* (nullable): curl's */
  struct curl_slist *header_list;
  char curl_error[CURL_ERROR_SIZE];
  guint n_headers;
  gsize header_bytes;
  gboolean usable;    /* the headers are those of the body we asked for */
  gboolean connected; /* the stall clock runs only then */
  gboolean paused;    /* nor while the main thread is behind with the lines */
  ExoBrake *brake;    /* (nullable): the thread's */
  gboolean held;      /* by the brake: nor then */
  gint64 activity_us; /* monotonic: something was received */
  GByteArray *buffer; /* body in memory, or the line so far */
  guchar *gather;     /* TO_FILE: bytes not written yet */
  gsize n_gathered;
  guint64 n_accepted; /* TO_FILE: bytes taken, written or gathered */
  ExoFetchResult result;
  GError *error;

  /* Under the fetcher's lock */
  guint64 told_written;
  GByteArray *lines; /* (nullable): NUL-terminated, one after the other */
  gboolean queued;   /* it has news and is in the queue */
  gboolean finished; /* result and error are the main thread's from now on */
};

ExoFetch *exo_fetch_ref (ExoFetch *fetch);
void exo_fetch_unref (ExoFetch *fetch);

/* I/O thread: tells the main thread. */
void exo_fetch_tell_written (ExoFetch *fetch);
/* Returns how many bytes of lines wait now. */
gsize exo_fetch_tell_line (ExoFetch *fetch, const char *line, gsize length);
void exo_fetch_tell_finished (ExoFetch *fetch);

/* The body of the I/O thread. */
typedef struct
{
  int wake_fd;           /* eventfd: there are commands; made and closed by the main thread */
  gint woken;            /* atomic: it was written to, and the commands were not taken yet */
  GAsyncQueue *commands; /* (element-type ExoFetchCommand) */
  const char *user_agent;
} ExoFetchIoArgs;

gpointer exo_fetch_io_run (gpointer args);

/* What to do with the bytes of an answer: receive callbacks (fetch-body.c). */
size_t exo_fetch_on_header (char *data, size_t size, size_t n, void *user_data);
size_t exo_fetch_on_body (char *data, size_t size, size_t n, void *user_data);
/* TO_FILE, once usable: where the next bytes of the body belong, and how many find room there. For who receives without a copy. */
guchar *exo_fetch_body_room (ExoFetch *fetch, gsize *out_room);
/* So many were put there. FALSE: they cannot be written, error is set. */
gboolean exo_fetch_body_came (ExoFetch *fetch, gsize n);
/* The transfer is over: writes what was gathered, and judges what was received. */
void exo_fetch_body_finish (ExoFetch *fetch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoFetch, exo_fetch_unref)

G_END_DECLS
