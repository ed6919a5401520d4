/* hub-call.c - one small request to the Hub, with redirects and retries
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>

#include "transfer/error.h"
#include "transfer/hub/backoff.h"
#include "transfer/hub/hub-private.h"
#include "transfer/hub/hub-url.h"

struct ExoHubCall
{
  ExoHub *hub; /* a reference */
  char *url;
  gboolean with_token;
  gsize max_body;
  ExoHubAnswered answered;
  gpointer user_data;
  ExoFetch *fetch; /* (nullable): under way */
  guint source;    /* waiting; 0 if not */
  gboolean cancelled;
  guint attempt; /* requests that failed */
  guint redirects;
  gint64 until_us; /* monotonic: no more tries after this */
};

static void
finish (ExoHubCall *call, const ExoFetchResult *result, const GError *error)
{
  g_autoptr (GError) cancelled = NULL;

  if (call->cancelled)
    {
      cancelled =
          g_error_new_literal (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED, "cancelled");
      error = cancelled;
    }
  if (call->source != 0)
    g_source_remove (call->source);
  call->hub->calls = g_list_remove (call->hub->calls, call);
  call->answered (call->hub, error == NULL ? result : NULL, error, call->user_data);
  exo_hub_unref (call->hub);
  g_free (call->url);
  g_free (call);
}

static void request (ExoHubCall *call);

static gboolean
on_waited (gpointer user_data)
{
  ExoHubCall *call = user_data;

  call->source = 0;
  if (call->cancelled)
    finish (call, NULL, NULL);
  else if (call->hub->unusable != NULL)
    finish (call, NULL, call->hub->unusable);
  else
    request (call);
  return G_SOURCE_REMOVE;
}

static void
wait (ExoHubCall *call, gint64 us)
{
  call->source = g_timeout_add ((guint) ((us + 999) / 1000), on_waited, call);
}

/* Another try, if there is time; otherwise the end with @error. */
static void
try_again (ExoHubCall *call, gint64 wait_us, const GError *error)
{
  if (++call->attempt >= EXO_BACKOFF_TRIES || g_get_monotonic_time () + wait_us > call->until_us)
    finish (call, NULL, error);
  else
    wait (call, wait_us);
}

static void
on_redirect (ExoHubCall *call, const ExoFetchResult *result)
{
  g_autoptr (GError) error = NULL;
  const char *location = g_hash_table_lookup (result->headers, "location");
  g_autofree char *target = exo_url_follow (call->url, location, &error);

  if (target != NULL && ++call->redirects > EXO_HUB_REDIRECTS_MAX)
    error = g_error_new_literal (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                                 _ ("the Hub redirects in a circle"));
  else if (target != NULL && !exo_url_same_origin (target, call->hub->endpoint))
    {
      g_autofree char *host = exo_url_host (target);
      error = g_error_new (
          EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
          _ ("the Hub's answer leads to %s: does this network want a login first?"), host);
    }
  if (error != NULL)
    {
      finish (call, NULL, error);
      return;
    }
  g_free (call->url);
  call->url = g_steal_pointer (&target);
  request (call);
}

static void
on_status (ExoHubCall *call, const ExoFetchResult *result)
{
  g_autoptr (GError) error = NULL;
  gint64 wait_us;

  if (result->status == 429)
    {
      wait_us = exo_hub_note_rate_limit (call->hub, result, call->attempt);
      error = exo_hub_rate_limit_error (wait_us);
      try_again (call, wait_us <= EXO_HUB_SHORT_WAIT_US ? wait_us : G_MAXINT64 / 2, error);
    }
  else if (result->status >= 300 && result->status < 400)
    on_redirect (call, result);
  else if (exo_backoff_is_transient (result->status))
    {
      error = g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                           _ ("the Hub answers with status %u"), result->status);
      wait_us =
          exo_backoff_us (call->attempt + 1, call->hub->times.first_backoff_us, g_random_int ());
      try_again (call, wait_us, error);
    }
  else
    finish (call, result, NULL);
}

static void
on_done (ExoFetch *fetch, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  ExoHubCall *call = user_data;

  call->fetch = NULL;
  if (call->cancelled || g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED))
    {
      finish (call, NULL, error);
      return;
    }
  exo_hub_note_exchange (call->hub, result);
  if (error == NULL)
    on_status (call, result);
  else if (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE))
    try_again (
        call,
        exo_backoff_us (call->attempt + 1, call->hub->times.first_backoff_us, g_random_int ()),
        error);
  else
    finish (call, NULL, error);
}

static void
request (ExoHubCall *call)
{
  static const ExoFetchCallbacks callbacks = { NULL, NULL, on_done };
  ExoHub *hub = call->hub;
  gint64 blocked = exo_hub_blocked_for (hub);
  g_autofree char *authorization = call->with_token ? exo_hub_authorization (hub, call->url) : NULL;
  const char *const headers[] = { authorization, NULL };
  ExoFetchRequest fetch_request = { .mode = EXO_FETCH_TO_MEMORY,
                                    .method = "GET",
                                    .url = call->url,
                                    .headers = headers,
                                    .connect_timeout_ms = hub->times.connect_timeout_ms,
                                    .stall_timeout_ms = hub->times.stall_timeout_ms,
                                    .max_body = call->max_body };

  if (blocked > 0)
    {
      g_autoptr (GError) error = exo_hub_rate_limit_error (blocked);
      try_again (call, blocked <= EXO_HUB_SHORT_WAIT_US ? blocked : G_MAXINT64 / 2, error);
      return;
    }
  hub->state.requests++;
  call->fetch = exo_fetcher_start (hub->fetcher, &fetch_request, &callbacks, call);
}

ExoHubCall *
exo_hub_call_start (ExoHub *hub,
                    const char *url,
                    gboolean with_token,
                    gsize max_body,
                    ExoHubAnswered answered,
                    gpointer user_data)
{
  ExoHubCall *call = g_new0 (ExoHubCall, 1);

  call->hub = exo_hub_ref (hub);
  call->url = g_strdup (url);
  call->with_token = with_token;
  call->max_body = max_body;
  call->answered = answered;
  call->user_data = user_data;
  call->until_us = g_get_monotonic_time () + hub->times.patience_us;
  hub->calls = g_list_prepend (hub->calls, call);
  /* Not from here if it ends at once: the caller does not know it yet. */
  if (hub->unusable != NULL || exo_hub_blocked_for (hub) > 0)
    wait (call, 0);
  else
    request (call);
  return call;
}

void
exo_hub_call_cancel (ExoHubCall *call)
{
  if (call->cancelled)
    return;
  call->cancelled = TRUE;
  if (call->fetch != NULL)
    exo_fetch_cancel (call->fetch);
  else
    {
      if (call->source != 0)
        g_source_remove (call->source);
      wait (call, 0);
    }
}

void
exo_hub_call_abandon (ExoHubCall *call)
{
  call->cancelled = TRUE;
  if (call->fetch == NULL)
    {
      finish (call, NULL, NULL);
      return;
    }
  /* The fetcher ends it; until then it holds the Hub, but is none of its calls. */
  call->hub->calls = g_list_remove (call->hub->calls, call);
  exo_fetch_cancel (call->fetch);
}
