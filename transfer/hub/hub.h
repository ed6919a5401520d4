/* hub.h - the Hugging Face Hub, or whatever HF_ENDPOINT names, as a source
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Main thread only. Owns the policy that fetcher.h leaves out: redirects (the token goes to the
 * endpoint's own origin alone), signed addresses (kept in memory until they expire, renewed on 403),
 * retries with back-off that honours RateLimit and Retry-After (hub-protocol.md 2.6), resume at the
 * byte, and messages a user can act on. It also knows whether the Hub answers at all.
 */

#pragma once

#include "transfer/http/fetcher.h"
#include "transfer/hub/manifest.h"

G_BEGIN_DECLS

typedef struct ExoHub ExoHub;
typedef struct ExoHubFetch ExoHubFetch;

typedef struct
{
  const char *endpoint;   /* (nullable): https://huggingface.co; a trailing "/" is dropped */
  const char *token;      /* (nullable): HF_TOKEN; wins over token_path */
  const char *token_path; /* (nullable): read again before each revision is resolved */
  gboolean offline; /* HF_HUB_OFFLINE: every call fails UNREACHABLE at once, with that reason */
} ExoHubConfig;

ExoHub *exo_hub_new (ExoFetcher *fetcher, const ExoHubConfig *config);
void exo_hub_free (ExoHub *hub); /* cancels what runs */

typedef struct
{
  guint64
      bytes; /* file bytes received from the Hub and its CDN since the start, those of failed attempts too */
  guint64 requests;   /* HTTP requests since the start */
  guint n_fetches;    /* exo_hub_fetch() under way */
  gboolean reachable; /* the last exchange got an HTTP answer below 500 (TRUE before the first) */
  gint64 blocked_until_us; /* monotonic: back-off or rate limit; 0 if none */
  gint64 first_byte_us;    /* smoothed time to the first byte; 0 unknown */
  gboolean has_token;
} ExoHubState;

void exo_hub_get_state (ExoHub *hub, ExoHubState *out_state);
const char *exo_hub_endpoint (ExoHub *hub);
/* Finds out whether it can be reached, with one HEAD over a new connection: whoever pulls while it is known to be away asks
 * neighbours at once, and does not wait for it first. */
void exo_hub_probe (ExoHub *hub);
/* Called whenever reachable or blocked_until_us changed. */
void exo_hub_set_watch (ExoHub *hub,
                        void (*changed) (ExoHub *hub, gpointer user_data),
                        gpointer user_data);

/* @rang is called once, when the bytes of the state are @bytes or more, from within a fetch's report: what is under way may be
 * cancelled there. Another alarm takes its place. */
void exo_hub_set_alarm (ExoHub *hub,
                        guint64 bytes,
                        void (*rang) (ExoHub *hub, gpointer user_data),
                        gpointer user_data);

/* The revision resolved to a commit, then the whole recursive listing at that commit, all pages.
 * @revision: (nullable): the default branch. Retries inside, up to some 30 s; then
 * @error: NOT_FOUND, DENIED, RATE_LIMITED, UNREACHABLE, INVALID (a listing that is not one) */
void exo_hub_manifest_async (ExoHub *hub,
                             ExoRepoType type,
                             const char *id,
                             const char *revision,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
ExoManifest *exo_hub_manifest_finish (ExoHub *hub, GAsyncResult *result, GError **error);

/* Is the repo neither private nor gated? One request without the token. */
void exo_hub_is_open_async (ExoHub *hub,
                            ExoRepoType type,
                            const char *id,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data);
gboolean
exo_hub_is_open_finish (ExoHub *hub, GAsyncResult *result, gboolean *out_open, GError **error);

/* Whatever the Hub's API answers to GET @path (which begins with "/api/" and may have a query), with its status; retried as
 * above. @with_token: with the user's token. @error: UNREACHABLE, RATE_LIMITED, TOO_LARGE */
void exo_hub_get_async (ExoHub *hub,
                        const char *path,
                        gboolean with_token,
                        GAsyncReadyCallback callback,
                        gpointer user_data);
typedef struct
{
  guint status;
  GBytes *body;        /* owned; never NULL */
  char *type;          /* owned (nullable): Content-Type */
  char *error_code;    /* owned (nullable): X-Error-Code */
  char *error_message; /* owned (nullable): X-Error-Message */
} ExoHubAnswer;

void exo_hub_answer_free (ExoHubAnswer *answer);
ExoHubAnswer *exo_hub_get_finish (ExoHub *hub, GAsyncResult *result, GError **error);

/* Does @authorization (nullable: "Bearer ...") carry the very token this agent uses? In constant time. */
gboolean exo_hub_is_own_token (ExoHub *hub, const char *authorization);

typedef struct
{
  /* bytes [first, first + n_written) are on disk; grows */
  void (*progress) (ExoHubFetch *fetch, guint64 n_written, gpointer user_data);
  /* Exactly once, last, also after cancel; no thread touches fd any more. NULL error: all bytes are there.
   * Otherwise as far as progress said; error: DENIED, NOT_FOUND, CHANGED, NO_SPACE, DISK, CANCELLED are
   * final for this blob, RATE_LIMITED and UNREACHABLE (after the retries inside) mean "later". */
  void (*done) (ExoHubFetch *fetch, const GError *error, gpointer user_data);
} ExoHubFetchCallbacks;

/* Bytes [first, first + length) of one file at one commit into @fd (duplicated) at the same offset.
 * The answer's identity (X-Linked-Etag, X-Linked-Size, or ETag) must be @oid and @size: otherwise CHANGED. */
ExoHubFetch *exo_hub_fetch (ExoHub *hub,
                            ExoRepoType type,
                            const char *id,
                            const char *commit,
                            const char *path,
                            const char *oid,
                            guint64 size,
                            int fd,
                            guint64 first,
                            guint64 length,
                            const ExoHubFetchCallbacks *callbacks,
                            gpointer user_data);
void exo_hub_fetch_cancel (ExoHubFetch *fetch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoHub, exo_hub_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoHubAnswer, exo_hub_answer_free)

G_END_DECLS
