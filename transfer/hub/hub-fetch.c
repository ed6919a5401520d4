/* hub-fetch.c - a range of one file from the Hub
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Asked for a file, the Hub answers with bytes, with a path on its own host, or with a signed address at
 * a CDN. Whatever it was is remembered as the file's address until it expires, so that each further
 * range costs one request, to the CDN. Fetches of a file that is being resolved join the one that asks:
 *
 *   step ---- address known ----------------------> request ---> done, or back to step
 *     |------ nobody asks yet: this one resolves -> request -.
 *     '------ somebody asks: join the waiters <---- settle <-'   (or: share its failure)
 *
 * A failed request goes on at the next byte. The count of tries starts anew with every byte received.
 */

#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <unistd.h>

#include "transfer/error.h"
#include "transfer/http/etag.h"
#include "transfer/hub/backoff.h"
#include "transfer/hub/hub-private.h"
#include "transfer/hub/hub-url.h"

#define ADDRESSES_MAX   4096u
#define RENEWALS_MAX    4u /* of a signed address, without a byte between them */
#define ODD_ANSWERS_MAX 3u /* for other bytes than those asked for */
#define EXPIRY_MARGIN_S 30

typedef struct
{
  char *url;             /* (nullable): not known, or not any more */
  gint64 until_us;       /* monotonic: url is good until then */
  guint serial;          /* of url; one may only be given up by who tried it */
  ExoHubFetch *resolver; /* (nullable) */
  GQueue waiters;        /* ExoHubFetch */
} Address;

struct ExoHubFetch
{
  ExoHub *hub; /* a reference */
  ExoHubFetchCallbacks callbacks;
  gpointer user_data;
  ExoRepoType type;
  char *id, *commit, *path, *oid;
  guint64 size;
  int fd; /* ours */
  guint64 first, length;
  guint64 written; /* contiguous, by all requests so far but the one under way */
  guint64 told;    /* to progress */

  char *key;            /* of the address */
  ExoFetch *fetch;      /* (nullable): under way */
  char *url;            /* of the request under way or before */
  guint url_serial;     /* of the address it used; 0 if it resolves */
  guint64 counted;      /* bytes of the request under way that the Hub's total has */
  guint source;         /* waiting; 0 if not */
  Address *joined;      /* (nullable): one of its waiters */
  GError *shared_error; /* (nullable): why the one it waited for failed */
  gboolean cancelled;
  guint attempt, renewals, odd_answers, redirects;
};

void
exo_hub_address_free (gpointer user_data)
{
  Address *address = user_data;

  g_free (address->url);
  g_free (address);
}

static gboolean
is_idle (gpointer key, gpointer value, gpointer user_data)
{
  Address *address = value;

  return address->resolver == NULL && g_queue_is_empty (&address->waiters) &&
         (address->until_us <= g_get_monotonic_time () || user_data != NULL);
}

static Address *
address_of (ExoHubFetch *fetch)
{
  GHashTable *addresses = fetch->hub->addresses;
  Address *address = g_hash_table_lookup (addresses, fetch->key);

  if (address != NULL)
    return address;
  if (g_hash_table_size (addresses) >= ADDRESSES_MAX &&
      g_hash_table_foreach_remove (addresses, is_idle, NULL) == 0)
    g_hash_table_foreach_remove (addresses, is_idle, addresses);
  address = g_new0 (Address, 1);
  g_queue_init (&address->waiters);
  g_hash_table_insert (addresses, g_strdup (fetch->key), address);
  return address;
}

/* The end ------------------------------------------------------------------------------------------ */

static void step (ExoHubFetch *fetch);

static gboolean
on_waited (gpointer user_data)
{
  ExoHubFetch *fetch = user_data;

  fetch->source = 0;
  step (fetch);
  return G_SOURCE_REMOVE;
}

static void
wait (ExoHubFetch *fetch, gint64 us)
{
  fetch->source = g_timeout_add ((guint) ((us + 999) / 1000), on_waited, fetch);
}

/* Is this error about the file, or only about the fetch that met it? */
static gboolean
concerns_all (const GError *error)
{
  return error != NULL && error->domain == EXO_TRANSFER_ERROR &&
         error->code != EXO_TRANSFER_ERROR_CANCELLED && error->code != EXO_TRANSFER_ERROR_DISK &&
         error->code != EXO_TRANSFER_ERROR_NO_SPACE;
}

/* @fetch resolved @address, or will not any more. Who waited goes on in a turn of its own: callbacks
 * may cancel others, or free the Hub. */
static void
release (ExoHubFetch *fetch, Address *address, const GError *error)
{
  ExoHubFetch *waiter;

  if (address->resolver != fetch)
    return;
  address->resolver = NULL;
  while ((waiter = g_queue_pop_head (&address->waiters)) != NULL)
    {
      waiter->joined = NULL;
      if (concerns_all (error))
        waiter->shared_error = g_error_copy (error);
      wait (waiter, 0);
    }
}

static void
finish (ExoHubFetch *fetch, const GError *error)
{
  g_autoptr (GError) copy = error != NULL ? g_error_copy (error) : NULL;
  ExoHub *hub = fetch->hub;
  Address *address = g_hash_table_lookup (hub->addresses, fetch->key);

  if (fetch->source != 0)
    g_source_remove (fetch->source);
  if (fetch->joined != NULL)
    g_queue_remove (&fetch->joined->waiters, fetch);
  hub->fetches = g_list_remove (hub->fetches, fetch);
  if (address != NULL)
    release (fetch, address, copy);
  if (fetch->fd >= 0)
    close (fetch->fd);
  fetch->callbacks.done (fetch, copy, fetch->user_data);
  g_free (fetch->id);
  g_free (fetch->commit);
  g_free (fetch->path);
  g_free (fetch->oid);
  g_free (fetch->key);
  g_free (fetch->url);
  g_clear_error (&fetch->shared_error);
  g_free (fetch);
  exo_hub_unref (hub);
}

static void
finish_cancelled (ExoHubFetch *fetch)
{
  g_autoptr (GError) error =
      g_error_new_literal (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED, "cancelled");

  finish (fetch, error);
}

static void
wait_or_give_up (ExoHubFetch *fetch, gint64 blocked_us)
{
  g_autoptr (GError) error = NULL;

  if (blocked_us <= EXO_HUB_SHORT_WAIT_US)
    {
      wait (fetch, blocked_us);
      return;
    }
  error = exo_hub_rate_limit_error (blocked_us);
  finish (fetch, error);
}

/* Answers ------------------------------------------------------------------------------------------ */

/* The address that this fetch used does not work; another one may have renewed it already. */
static void
give_up_address (ExoHubFetch *fetch)
{
  Address *address = address_of (fetch);

  if (fetch->url_serial != 0 && address->serial == fetch->url_serial)
    g_clear_pointer (&address->url, g_free);
}

static void
retry (ExoHubFetch *fetch, const GError *error)
{
  if (++fetch->attempt >= EXO_BACKOFF_TRIES)
    {
      g_autoptr (GError) later =
          g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                       /* TRANSLATORS: a file, its repository, what is wrong */ _ ("%s of %s: %s"),
                       fetch->path, fetch->id, error->message);
      finish (fetch, later);
      return;
    }
  if (fetch->attempt > 1)
    give_up_address (fetch);
  wait (fetch,
        exo_backoff_us (fetch->attempt, fetch->hub->times.first_backoff_us, g_random_int ()));
}

static void
settle (ExoHubFetch *fetch, const char *url, gint64 life_s)
{
  Address *address = address_of (fetch);

  if (address->url != url)
    {
      g_free (address->url);
      address->url = g_strdup (url);
    }
  address->serial++;
  life_s = life_s > 2 * EXPIRY_MARGIN_S ? life_s - EXPIRY_MARGIN_S : MAX (life_s / 2, 1);
  address->until_us = g_get_monotonic_time () + life_s * G_USEC_PER_SEC;
  release (fetch, address, NULL);
}

/* What a redirect of the Hub says about the file it leads to. NULL if that is the one we want. */
static GError *
identity_fault (ExoHubFetch *fetch, const ExoFetchResult *result)
{
  const char *etag = g_hash_table_lookup (result->headers, "x-linked-etag");
  const char *size = g_hash_table_lookup (result->headers, "x-linked-size");
  g_autofree char *oid = exo_etag_to_oid (etag);
  g_autofree char *expected = g_strdup_printf ("%" G_GUINT64_FORMAT, fetch->size);

  if ((etag == NULL || g_strcmp0 (oid, fetch->oid) == 0) &&
      (size == NULL || strcmp (size, expected) == 0))
    return NULL;
  return g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CHANGED,
                      _ ("%s of %s is another file at the Hub than its listing says"), fetch->path,
                      fetch->id);
}

static void request (ExoHubFetch *fetch, const char *url, guint serial);

static void
on_redirect (ExoHubFetch *fetch, const ExoFetchResult *result)
{
  g_autoptr (GError) error = identity_fault (fetch, result);
  g_autofree char *target = NULL;
  const char *location = g_hash_table_lookup (result->headers, "location");

  if (error == NULL)
    target = exo_url_follow (fetch->url, location, &error);
  if (target != NULL && ++fetch->redirects > EXO_HUB_REDIRECTS_MAX)
    error = g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                         _ ("%s of %s: redirects in a circle"), fetch->path, fetch->id);
  if (error != NULL)
    {
      finish (fetch, error);
      return;
    }
  if (fetch->url_serial == 0 && exo_url_same_origin (target, fetch->hub->endpoint))
    {
      request (fetch, target, 0); /* still asking the Hub */
      return;
    }
  settle (fetch, target, exo_url_life_s (target, g_hash_table_lookup (result->headers, "date")));
  step (fetch);
}

static void
on_refused_by_cdn (ExoHubFetch *fetch, const ExoFetchResult *result)
{
  g_autoptr (GError) error = NULL;

  give_up_address (fetch);
  if (++fetch->renewals <= RENEWALS_MAX)
    {
      step (fetch);
      return;
    }
  error = g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                       _ ("%s of %s: the address the Hub gives is refused with status %u"),
                       fetch->path, fetch->id, result->status);
  finish (fetch, error);
}

static void
on_status (ExoHubFetch *fetch, const ExoFetchResult *result)
{
  ExoHub *hub = fetch->hub;
  ExoHubSubject subject = { hub->endpoint, fetch->type, fetch->id,
                            fetch->commit, fetch->path, hub->token != NULL };
  gboolean at_hub = exo_url_same_origin (fetch->url, hub->endpoint);
  g_autoptr (GError) error = exo_hub_error (result, &subject);

  if (result->status >= 300 && result->status < 400)
    on_redirect (fetch, result);
  else if (result->status == 429 && ++fetch->attempt < EXO_BACKOFF_TRIES)
    wait_or_give_up (fetch, exo_hub_note_rate_limit (hub, result, fetch->attempt));
  else if (result->status == 429)
    {
      g_clear_error (&error);
      error = exo_hub_rate_limit_error (exo_hub_note_rate_limit (hub, result, fetch->attempt));
      finish (fetch, error);
    }
  else if (exo_backoff_is_transient (result->status))
    retry (fetch, error);
  else if (result->status == 416)
    {
      g_clear_error (&error);
      error = g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CHANGED,
                           _ ("%s of %s is shorter at the Hub than its listing says"), fetch->path,
                           fetch->id);
      finish (fetch, error);
    }
  else if (!at_hub || fetch->url_serial != 0)
    on_refused_by_cdn (fetch, result);
  else
    finish (fetch, error);
}

static void
on_odd_answer (ExoHubFetch *fetch, const GError *error)
{
  give_up_address (fetch);
  if (++fetch->odd_answers >= ODD_ANSWERS_MAX)
    finish (fetch, error);
  else
    wait (fetch,
          exo_backoff_us (fetch->odd_answers, fetch->hub->times.first_backoff_us, g_random_int ()));
}

static void
count_bytes (ExoHubFetch *fetch, guint64 n)
{
  ExoHub *hub = fetch->hub;
  void (*rang) (ExoHub * hub, gpointer user_data);

  if (n <= fetch->counted)
    return;
  hub->state.bytes += n - fetch->counted;
  fetch->counted = n;
  if (hub->rang == NULL || hub->state.bytes < hub->alarm_bytes)
    return;
  rang = hub->rang;
  hub->rang = NULL;
  rang (hub, hub->rang_data);
}

static void
tell_progress (ExoHubFetch *fetch, guint64 written)
{
  if (written <= fetch->told)
    return;
  fetch->told = written;
  if (fetch->callbacks.progress != NULL)
    fetch->callbacks.progress (fetch, written, fetch->user_data);
}

static void
on_progress (ExoFetch *under_way, guint64 n_written, gpointer user_data)
{
  ExoHubFetch *fetch = user_data;

  /* Bytes at once instead of a redirect: this is the address, and nobody needs to wait for the rest. */
  if (fetch->url_serial == 0)
    {
      settle (fetch, fetch->url, EXO_SIGNED_URL_DEFAULT_S);
      fetch->url_serial = address_of (fetch)->serial;
    }
  count_bytes (fetch, n_written);
  tell_progress (fetch, fetch->written + n_written);
}

static void
on_done (ExoFetch *under_way, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  ExoHubFetch *fetch = user_data;

  if (result->status == 200 || result->status == 206)
    count_bytes (fetch, result->n_received);
  fetch->written += result->n_written;
  tell_progress (fetch, fetch->written);
  fetch->fetch = NULL;
  if (fetch->cancelled || g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED))
    {
      finish_cancelled (fetch);
      return;
    }
  exo_hub_note_exchange (fetch->hub, result);
  if (result->n_written > 0)
    fetch->attempt = fetch->renewals = fetch->odd_answers = fetch->redirects = 0;
  if (error == NULL)
    finish (fetch, NULL);
  else if (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_FAILED) &&
           result->status != 0)
    on_status (fetch, result);
  else if (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CHANGED))
    on_odd_answer (fetch, error);
  else if (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE))
    retry (fetch, error);
  else
    finish (fetch, error);
}

/* Requests ----------------------------------------------------------------------------------------- */

static void
request (ExoHubFetch *fetch, const char *url, guint serial)
{
  static const ExoFetchCallbacks callbacks = { on_progress, NULL, on_done };
  ExoHub *hub = fetch->hub;
  g_autofree char *authorization = exo_hub_authorization (hub, url);
  const char *const headers[] = { authorization, NULL };
  ExoFetchRequest fetch_request = { .mode = EXO_FETCH_TO_FILE,
                                    .method = "GET",
                                    .url = url,
                                    .headers = headers,
                                    .limited = TRUE,
                                    .connect_timeout_ms = hub->times.connect_timeout_ms,
                                    .stall_timeout_ms = hub->times.stall_timeout_ms,
                                    .first = fetch->first + fetch->written,
                                    .length = fetch->length - fetch->written,
                                    .total = fetch->size,
                                    .fd = fetch->fd };

  /* A CDN's ETag is the Xet hash: 64 digits as well, and not the oid. */
  if (exo_url_same_origin (url, hub->endpoint))
    fetch_request.oid = fetch->oid;
  if (url != fetch->url)
    {
      g_free (fetch->url);
      fetch->url = g_strdup (url);
    }
  fetch->url_serial = serial;
  fetch->counted = 0;
  hub->state.requests++;
  fetch->fetch = exo_fetcher_start (hub->fetcher, &fetch_request, &callbacks, fetch);
}

static void
request_somewhere (ExoHubFetch *fetch)
{
  Address *address = address_of (fetch);
  g_autofree char *url = NULL;

  if (address->url != NULL && g_get_monotonic_time () < address->until_us)
    request (fetch, address->url, address->serial);
  else if (address->resolver != NULL && address->resolver != fetch)
    {
      fetch->joined = address;
      g_queue_push_tail (&address->waiters, fetch);
    }
  else
    {
      address->resolver = fetch;
      url = exo_hub_url_resolve (fetch->hub->endpoint, fetch->type, fetch->id, fetch->commit,
                                 fetch->path);
      request (fetch, url, 0);
    }
}

static void
step (ExoHubFetch *fetch)
{
  gint64 blocked = exo_hub_blocked_for (fetch->hub);

  if (fetch->cancelled || fetch->hub->stopped)
    finish_cancelled (fetch);
  else if (fetch->hub->unusable != NULL)
    finish (fetch, fetch->hub->unusable);
  else if (fetch->shared_error != NULL)
    finish (fetch, fetch->shared_error);
  else if (fetch->written == fetch->length)
    finish (fetch, NULL);
  else if (blocked > 0)
    wait_or_give_up (fetch, blocked);
  else
    request_somewhere (fetch);
}

ExoHubFetch *
exo_hub_fetch (ExoHub *hub,
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
               gpointer user_data)
{
  ExoHubFetch *fetch;

  g_return_val_if_fail (callbacks->done != NULL, NULL);
  g_return_val_if_fail (first <= size && length <= size - first, NULL);
  fetch = g_new0 (ExoHubFetch, 1);
  fetch->hub = exo_hub_ref (hub);
  fetch->callbacks = *callbacks;
  fetch->user_data = user_data;
  fetch->type = type;
  fetch->id = g_strdup (id);
  fetch->commit = g_strdup (commit);
  fetch->path = g_strdup (path);
  fetch->oid = g_strdup (oid);
  fetch->size = size;
  fetch->fd = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  fetch->first = first;
  fetch->length = length;
  fetch->key = g_strdup_printf ("%s/%s@%s/%s", exo_repo_type_name (type), id, commit, path);
  hub->fetches = g_list_prepend (hub->fetches, fetch);
  /* Not from here if it ends at once: the caller does not know it yet. */
  if (hub->unusable != NULL || length == 0 || exo_hub_blocked_for (hub) > 0)
    wait (fetch, 0);
  else
    request_somewhere (fetch);
  return fetch;
}

void
exo_hub_fetch_cancel (ExoHubFetch *fetch)
{
  if (fetch->cancelled)
    return;
  fetch->cancelled = TRUE;
  if (fetch->fetch != NULL)
    {
      exo_fetch_cancel (fetch->fetch);
      return;
    }
  if (fetch->joined != NULL)
    g_queue_remove (&fetch->joined->waiters, fetch);
  fetch->joined = NULL;
  if (fetch->source != 0)
    g_source_remove (fetch->source);
  wait (fetch, 0);
}

void
exo_hub_fetch_abandon (ExoHubFetch *fetch)
{
  fetch->cancelled = TRUE;
  if (fetch->fetch == NULL)
    {
      finish_cancelled (fetch);
      return;
    }
  /* The fetcher ends it; until then it holds the Hub, but is none of its fetches. */
  fetch->hub->fetches = g_list_remove (fetch->hub->fetches, fetch);
  exo_fetch_cancel (fetch->fetch);
}
