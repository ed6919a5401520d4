/* lookup.c - which commit and which files a revision has, for programs that ask again and again
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A program asks for each file of a model by the name of a branch. The Hub is asked once in a while, and by one at a time.
 * Clients wait ten seconds for headers (hub-protocol.md, rule 5): when the Hub takes longer, what the cache knows is the answer.
 */

#include <glib/gi18n.h>
#include <string.h>

#include "transfer/endpoint/endpoint-private.h"
#include "transfer/oid.h"

#define FRESH_S     30
#define PATIENCE_MS 8000
#define LOOKUPS_MAX 256u

typedef struct
{
  ExoLookupDone done;
  gpointer user_data;
} Caller;

typedef struct
{
  ExoEndpoint *endpoint;
  ExoRepoType type;
  char *id, *revision;
  ExoListing *listing;   /* NULL: known, or it failed */
  ExoManifest *manifest; /* (nullable) */
  gboolean unverified;
  gint64 until_us; /* monotonic: what is known is fresh */
  GArray *callers; /* Caller, waiting */
  guint patience_source;
} Lookup;

static void
answer (Lookup *lookup, ExoManifest *manifest, gboolean unverified, const GError *error)
{
  g_autoptr (GArray) callers = g_steal_pointer (&lookup->callers);
  g_autoptr (ExoManifest) kept = manifest != NULL ? exo_manifest_ref (manifest) : NULL;
  ExoEndpoint *endpoint = lookup->endpoint;

  lookup->callers = g_array_new (FALSE, FALSE, sizeof (Caller));
  g_clear_handle_id (&lookup->patience_source, g_source_remove);
  for (guint i = 0; i < callers->len; i++)
    {
      const Caller *caller = &g_array_index (callers, Caller, i);
      caller->done (endpoint, kept, unverified, error, caller->user_data);
    }
}

void
exo_lookup_free (gpointer data)
{
  Lookup *lookup = data;
  g_autoptr (GError) error =
      g_error_new_literal (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED, "the agent stops");

  answer (lookup, NULL, FALSE, error);
  g_clear_pointer (&lookup->listing, exo_listing_cancel);
  g_clear_pointer (&lookup->manifest, exo_manifest_unref);
  g_array_unref (lookup->callers);
  g_free (lookup->id);
  g_free (lookup->revision);
  g_free (lookup);
}

/* What an offline client would take from the cache. Borrowed from the store. */
static ExoManifest *
from_cache (Lookup *lookup)
{
  ExoStore *store = lookup->endpoint->engine->store;
  g_autofree char *commit =
      exo_is_commit (lookup->revision)
          ? g_strdup (lookup->revision)
          : exo_store_read_ref (store, lookup->type, lookup->id, lookup->revision);

  return commit != NULL ? exo_store_peek_manifest (store, lookup->type, lookup->id, commit) : NULL;
}

static gboolean
is_trouble (const GError *error)
{
  return g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE) ||
         g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_RATE_LIMITED);
}

static void
on_listed (ExoManifest *manifest, gboolean from_neighbour, const GError *error, gpointer user_data)
{
  Lookup *lookup = user_data;
  ExoManifest *known;

  lookup->listing = NULL;
  if (manifest != NULL)
    {
      exo_listing_note (lookup->endpoint->engine, manifest, from_neighbour);
      g_clear_pointer (&lookup->manifest, exo_manifest_unref);
      lookup->manifest = exo_manifest_ref (manifest);
      lookup->unverified = from_neighbour;
      lookup->until_us = g_get_monotonic_time () + FRESH_S * G_USEC_PER_SEC;
      answer (lookup, manifest, from_neighbour, NULL);
      return;
    }
  known = is_trouble (error) ? from_cache (lookup) : NULL;
  answer (lookup, known, FALSE, known == NULL ? error : NULL);
}

static gboolean
on_impatient (gpointer data)
{
  Lookup *lookup = data;
  ExoManifest *known = lookup->manifest != NULL ? lookup->manifest : from_cache (lookup);
  g_autoptr (GError) error = NULL;

  lookup->patience_source = 0;
  if (known == NULL)
    error =
        g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                     _ ("the Hub takes long to tell what %s consists of: try again"), lookup->id);
  answer (lookup, known, lookup->unverified, error);
  return G_SOURCE_REMOVE;
}

static gboolean
is_stale (gpointer key, gpointer value, gpointer now_us)
{
  const Lookup *lookup = value;

  return lookup->listing == NULL && lookup->callers->len == 0 &&
         lookup->until_us <= *(const gint64 *) now_us;
}

static Lookup *
find (ExoEndpoint *endpoint, ExoRepoType type, const char *id, const char *revision)
{
  g_autofree char *key = g_strdup_printf ("%d %s %s", type, id, revision);
  Lookup *lookup = g_hash_table_lookup (endpoint->lookups, key);
  gint64 now_us = g_get_monotonic_time ();

  if (lookup != NULL)
    return lookup;
  if (g_hash_table_size (endpoint->lookups) >= LOOKUPS_MAX)
    g_hash_table_foreach_remove (endpoint->lookups, is_stale, &now_us);
  lookup = g_new0 (Lookup, 1);
  lookup->endpoint = endpoint;
  lookup->type = type;
  lookup->id = g_strdup (id);
  lookup->revision = g_strdup (revision);
  lookup->callers = g_array_new (FALSE, FALSE, sizeof (Caller));
  g_hash_table_insert (endpoint->lookups, g_steal_pointer (&key), lookup);
  return lookup;
}

void
exo_lookup (ExoEndpoint *endpoint,
            ExoRepoType type,
            const char *id,
            const char *revision,
            ExoLookupDone done,
            gpointer user_data)
{
  Lookup *lookup = find (endpoint, type, id, revision != NULL ? revision : "main");
  Caller caller = { done, user_data };
  ExoManifest *known = lookup->manifest;

  if (exo_is_commit (lookup->revision) && known == NULL)
    known = from_cache (lookup); /* a commit does not change */
  if (known != NULL &&
      (exo_is_commit (lookup->revision) || lookup->until_us > g_get_monotonic_time ()))
    {
      g_autoptr (ExoManifest) kept = exo_manifest_ref (known);
      done (endpoint, kept, lookup->unverified, NULL, user_data);
      return;
    }
  g_array_append_val (lookup->callers, caller);
  if (lookup->patience_source == 0)
    lookup->patience_source = g_timeout_add (PATIENCE_MS, on_impatient, lookup);
  if (lookup->listing == NULL)
    lookup->listing =
        exo_listing_new (endpoint->engine, type, id, lookup->revision, TRUE, on_listed, lookup);
}
