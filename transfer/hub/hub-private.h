/* hub-private.h - what the files of the Hub client share
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   hub.c          state, rate, back-off of the whole Hub
 *   hub-call.c     one small request, with redirects and retries
 *   hub-listing.c  revision and file list, out of such calls
 *   hub-fetch.c    a range of a file: signed addresses, resume, retries
 */

#pragma once

#include "transfer/hub/hub-error.h"
#include "transfer/hub/hub.h"

G_BEGIN_DECLS

#define EXO_HUB_REDIRECTS_MAX 10u
/* A rate limit that ends sooner is waited for inside; a longer one is the caller's to wait for. */
#define EXO_HUB_SHORT_WAIT_US (10 * (gint64) G_USEC_PER_SEC)

/* Read by tests: intervals are shortened there. */
typedef struct
{
  guint connect_timeout_ms;
  guint stall_timeout_ms;
  gint64 first_backoff_us;
  gint64 patience_us; /* how long one small call is tried again */
} ExoHubTimes;

struct ExoHub
{
  guint ref_count; /* the owner, and each call and fetch */
  gboolean stopped;
  ExoFetcher *fetcher;
  char *endpoint;
  GError *unusable; /* (nullable): every call fails with it: offline, or no usable endpoint */
  char *env_token;  /* (nullable) */
  char *token_path; /* (nullable) */
  char *token;      /* (nullable): as read last */
  ExoHubTimes times;
  ExoHubState state;
  void (*changed) (ExoHub *hub, gpointer user_data);
  gpointer changed_data;
  ExoFetch *probe;     /* (nullable): under way, with a reference to the hub */
  guint64 alarm_bytes; /* of state.bytes */
  void (*rang) (ExoHub *hub, gpointer user_data); /* (nullable) */
  gpointer rang_data;
  gboolean probe_again;  /* when that is over */
  GHashTable *addresses; /* (element-type utf8 Address), hub-fetch.c */
  GList *calls;          /* (element-type ExoHubCall) */
  GList *fetches;        /* (element-type ExoHubFetch) */
};

ExoHub *exo_hub_ref (ExoHub *hub);
void exo_hub_unref (ExoHub *hub);
/* @error: DENIED for a token that cannot be one */
gboolean exo_hub_read_token (ExoHub *hub, GError **error);
/* (nullable): "Authorization: ...", if there is a token and @url is at the endpoint's own origin */
char *exo_hub_authorization (ExoHub *hub, const char *url);
/* After each exchange but a cancelled one: what it says about the Hub. */
void exo_hub_note_exchange (ExoHub *hub, const ExoFetchResult *result);
/* A 429: nobody asks before that. Returns the wait from now. */
gint64 exo_hub_note_rate_limit (ExoHub *hub, const ExoFetchResult *result, guint attempt);
/* 0 if the Hub may be asked now */
gint64 exo_hub_blocked_for (ExoHub *hub);
GError *exo_hub_rate_limit_error (gint64 wait_us);
void exo_hub_set_times (ExoHub *hub, const ExoHubTimes *times);

/* One small request ------------------------------------------------------------------------------- */

typedef struct ExoHubCall ExoHubCall;

/* @result: (nullable): of a final answer with whatever status, if @error is NULL */
typedef void (*ExoHubAnswered) (ExoHub *hub,
                                const ExoFetchResult *result,
                                const GError *error,
                                gpointer user_data);

/* GET, the body in memory. Redirects on the endpoint's own origin are followed; others are not answers. */
ExoHubCall *exo_hub_call_start (ExoHub *hub,
                                const char *url,
                                gboolean with_token,
                                gsize max_body,
                                ExoHubAnswered answered,
                                gpointer user_data);
void exo_hub_call_cancel (ExoHubCall *call); /* answered follows, from the main loop: CANCELLED */
/* The Hub goes: ends now what nobody else will end. */
void exo_hub_call_abandon (ExoHubCall *call);

/* Files ------------------------------------------------------------------------------------------- */

void exo_hub_address_free (gpointer address);
void exo_hub_fetch_abandon (ExoHubFetch *fetch);

G_END_DECLS
