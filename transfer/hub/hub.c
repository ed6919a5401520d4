/* hub.c - the Hub's state: reachable, blocked, how fast
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>

#include "transfer/error.h"
#include "transfer/hub/backoff.h"
#include "transfer/hub/hub-private.h"
#include "transfer/hub/hub-url.h"
#include "transfer/hub/token.h"

#define DEFAULT_ENDPOINT "https://huggingface.co"
#define PROBE_TIMEOUT_MS 2000 /* to connect: the nearest CDN is not further */

static const ExoHubTimes default_times = {
  .connect_timeout_ms = 10000,
  .stall_timeout_ms = 15000,
  .first_backoff_us = EXO_BACKOFF_FIRST_US,
  .patience_us = 30 * (gint64) G_USEC_PER_SEC,
};

ExoHub *
exo_hub_ref (ExoHub *hub)
{
  hub->ref_count++;
  return hub;
}

void
exo_hub_unref (ExoHub *hub)
{
  if (--hub->ref_count > 0)
    return;
  g_hash_table_unref (hub->addresses);
  g_clear_error (&hub->unusable);
  g_free (hub->endpoint);
  g_free (hub->env_token);
  g_free (hub->token_path);
  g_free (hub->token);
  g_free (hub);
}

ExoHub *
exo_hub_new (ExoFetcher *fetcher, const ExoHubConfig *config)
{
  ExoHub *hub = g_new0 (ExoHub, 1);
  const char *endpoint = config->endpoint != NULL ? config->endpoint : DEFAULT_ENDPOINT;

  hub->ref_count = 1;
  hub->fetcher = fetcher;
  hub->endpoint = exo_hub_url_endpoint (endpoint, &hub->unusable);
  if (hub->endpoint == NULL)
    {
      hub->endpoint = g_strdup (endpoint);
      g_prefix_error (&hub->unusable, "HF_ENDPOINT: ");
    }
  if (config->offline)
    {
      g_clear_error (&hub->unusable);
      hub->unusable = g_error_new_literal (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                                           _ ("HF_HUB_OFFLINE is set"));
    }
  hub->env_token = g_strdup (config->token);
  hub->token_path = g_strdup (config->token_path);
  hub->times = default_times;
  hub->state.reachable = hub->unusable == NULL;
  hub->addresses = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, exo_hub_address_free);
  exo_hub_read_token (hub, NULL);
  return hub;
}

void
exo_hub_free (ExoHub *hub)
{
  if (hub == NULL)
    return;
  hub->stopped = TRUE;
  hub->changed = NULL;
  if (hub->probe != NULL)
    exo_fetch_cancel (hub->probe);
  hub->rang = NULL;
  while (hub->fetches != NULL)
    exo_hub_fetch_abandon (hub->fetches->data);
  while (hub->calls != NULL)
    exo_hub_call_abandon (hub->calls->data);
  exo_hub_unref (hub);
}

void
exo_hub_get_state (ExoHub *hub, ExoHubState *out_state)
{
  *out_state = hub->state;
  out_state->has_token = hub->token != NULL;
  out_state->n_fetches = g_list_length (hub->fetches);
  if (out_state->blocked_until_us <= g_get_monotonic_time ())
    out_state->blocked_until_us = 0;
}

const char *
exo_hub_endpoint (ExoHub *hub)
{
  return hub->endpoint;
}

void
exo_hub_set_watch (ExoHub *hub,
                   void (*changed) (ExoHub *hub, gpointer user_data),
                   gpointer user_data)
{
  hub->changed = changed;
  hub->changed_data = user_data;
}

void
exo_hub_set_alarm (ExoHub *hub,
                   guint64 bytes,
                   void (*rang) (ExoHub *hub, gpointer user_data),
                   gpointer user_data)
{
  hub->alarm_bytes = bytes;
  hub->rang = rang;
  hub->rang_data = user_data;
}

void
exo_hub_set_times (ExoHub *hub, const ExoHubTimes *times)
{
  hub->times = *times;
}

gboolean
exo_hub_read_token (ExoHub *hub, GError **error)
{
  char *token;

  if (!exo_token_read (hub->env_token, hub->token_path, &token, error))
    {
      g_clear_pointer (&hub->token, g_free);
      return FALSE;
    }
  g_free (hub->token);
  hub->token = token;
  return TRUE;
}

char *
exo_hub_authorization (ExoHub *hub, const char *url)
{
  if (hub->token == NULL || !exo_url_same_origin (url, hub->endpoint))
    return NULL;
  return g_strdup_printf ("Authorization: Bearer %s", hub->token);
}

static void
tell_changed (ExoHub *hub)
{
  if (hub->changed != NULL)
    hub->changed (hub, hub->changed_data);
}

void
exo_hub_note_exchange (ExoHub *hub, const ExoFetchResult *result)
{
  gboolean reachable = result->status != 0 && result->status < 500;
  gboolean news = reachable != hub->state.reachable;

  hub->state.reachable = reachable;
  if (result->first_byte_us > 0)
    hub->state.first_byte_us = hub->state.first_byte_us == 0
                                   ? result->first_byte_us
                                   : (hub->state.first_byte_us * 4 + result->first_byte_us) / 5;
  if (news)
    tell_changed (hub);
}

static void
on_probed (ExoFetch *fetch, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  ExoHub *hub = user_data;

  gboolean again = hub->probe_again;

  hub->probe = NULL;
  hub->probe_again = FALSE;
  if (!hub->stopped && !g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED))
    exo_hub_note_exchange (hub, result);
  if (!hub->stopped && again)
    exo_hub_probe (hub);
  exo_hub_unref (hub);
}

void
exo_hub_probe (ExoHub *hub)
{
  static const ExoFetchCallbacks callbacks = { .done = on_probed };
  g_autofree char *url = g_strconcat (hub->endpoint, "/", NULL);

  if (hub->unusable != NULL)
    return;
  if (hub->probe != NULL)
    {
      hub->probe_again = TRUE; /* what is under way may still find what was */
      return;
    }
  hub->probe = exo_fetcher_start (exo_hub_ref (hub)->fetcher,
                                  &(ExoFetchRequest){
                                      .mode = EXO_FETCH_TO_MEMORY,
                                      .method = "HEAD",
                                      .url = url,
                                      .fresh = TRUE,
                                      .connect_timeout_ms = PROBE_TIMEOUT_MS,
                                      .stall_timeout_ms = hub->times.stall_timeout_ms,
                                  },
                                  &callbacks, hub);
}

gint64
exo_hub_note_rate_limit (ExoHub *hub, const ExoFetchResult *result, guint attempt)
{
  gint64 now = g_get_monotonic_time ();
  gint64 wait = exo_backoff_hint_us (g_hash_table_lookup (result->headers, "ratelimit"),
                                     g_hash_table_lookup (result->headers, "retry-after"));

  if (wait < 0)
    wait = exo_backoff_us (attempt + 2, hub->times.first_backoff_us, g_random_int ());
  if (now + wait > hub->state.blocked_until_us)
    {
      hub->state.blocked_until_us = now + wait;
      tell_changed (hub);
    }
  return wait;
}

gint64
exo_hub_blocked_for (ExoHub *hub)
{
  return MAX (hub->state.blocked_until_us - g_get_monotonic_time (), 0);
}

GError *
exo_hub_rate_limit_error (gint64 wait_us)
{
  return g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_RATE_LIMITED,
                      _ ("the Hub's rate limit is used up; it may be asked again in %d s "
                         "(a token has a higher limit)"),
                      (int) MIN (wait_us / G_USEC_PER_SEC + 1, G_MAXINT));
}
