/* listing.c - where a transfer's list of files comes from
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * From the Hub: it alone says what is true of a revision (design 5). When it cannot be reached, a neighbour that has the
 * revision is asked instead, and the caller is told so: at once where it did not answer the last time, or when it takes too
 * long now. It gets a second chance if no neighbour knows.
 */

#include <string.h>

#include "transfer/engine-private.h"
#include "transfer/oid.h"

#define HUB_PATIENCE_S       2
#define NEIGHBOUR_TIMEOUT_MS 5000
#define LISTING_BYTES_MAX    (64u << 20)

struct ExoListing
{
  ExoEngine *engine;
  ExoRepoType type;
  char *id, *revision;
  gboolean ask_neighbours;
  ExoListingDone done;
  gpointer user_data;
  GCancellable *cancellable; /* of the request to the Hub */
  gboolean hub_asked_twice;
  guint patience_source;
  GPtrArray *fetches; /* ExoFetch to neighbours, borrowed */
  ExoManifest *found; /* from a neighbour */
  GError *hub_error;
  guint n_pending; /* callbacks still to come */
  gboolean over;
};

static void ask_hub (ExoListing *listing, gboolean patient);

static void
listing_unref (ExoListing *listing)
{
  if (--listing->n_pending > 0)
    return;
  g_clear_pointer (&listing->found, exo_manifest_unref);
  g_clear_error (&listing->hub_error);
  g_ptr_array_unref (listing->fetches);
  g_object_unref (listing->cancellable);
  g_free (listing->id);
  g_free (listing->revision);
  g_free (listing);
}

static void
stop (ExoListing *listing)
{
  listing->over = TRUE;
  g_clear_handle_id (&listing->patience_source, g_source_remove);
  g_cancellable_cancel (listing->cancellable);
  for (guint i = 0; i < listing->fetches->len; i++)
    exo_fetch_cancel (g_ptr_array_index (listing->fetches, i));
}

static void
finish (ExoListing *listing, ExoManifest *manifest, gboolean from_neighbour, const GError *error)
{
  stop (listing);
  listing->done (manifest, from_neighbour, error, listing->user_data);
  listing_unref (listing); /* the caller's share */
}

/* --- neighbours --------------------------------------------------------------------------------- */

static gboolean
is_what_was_asked_for (ExoListing *listing, ExoManifest *manifest)
{
  return exo_manifest_type (manifest) == listing->type &&
         strcmp (exo_manifest_id (manifest), listing->id) == 0 && exo_manifest_is_open (manifest) &&
         (!exo_is_commit (listing->revision) ||
          strcmp (exo_manifest_commit (manifest), listing->revision) == 0);
}

static void
no_neighbour_knows (ExoListing *listing)
{
  if (listing->hub_error != NULL)
    finish (listing, NULL, FALSE, listing->hub_error);
  else
    {
      listing->hub_asked_twice = TRUE;
      ask_hub (listing, TRUE);
    }
}

/* What the Hub said of a commit before stands: then all that the neighbour tells is which commit it is. */
static void
finish_with_neighbours (ExoListing *listing, ExoManifest *manifest)
{
  ExoManifest *known = exo_store_peek_manifest (listing->engine->store, listing->type, listing->id,
                                                exo_manifest_commit (manifest));
  gboolean said = known != NULL && exo_manifest_is_open (known); /* see closed_copy() */

  finish (listing, said ? known : manifest, !said, NULL);
}

static void
on_neighbour (ExoFetch *fetch,
              const ExoFetchResult *result,
              const GError *error,
              gpointer user_data)
{
  ExoListing *listing = user_data;

  g_ptr_array_remove_fast (listing->fetches, fetch);
  if (!listing->over && error == NULL && result->status == 200 && result->body != NULL)
    {
      g_autoptr (ExoManifest) manifest = exo_manifest_from_json (
          g_bytes_get_data (result->body, NULL), (gssize) g_bytes_get_size (result->body), NULL);
      if (manifest != NULL && is_what_was_asked_for (listing, manifest))
        finish_with_neighbours (listing, manifest);
    }
  if (!listing->over && listing->fetches->len == 0)
    no_neighbour_knows (listing);
  listing_unref (listing);
}

static void
ask_neighbour (ExoListing *listing, ExoNeighbour *neighbour)
{
  static const ExoFetchCallbacks callbacks = { .done = on_neighbour };
  const char *base = exo_neighbour_base_url (neighbour);
  g_autofree char *revision = g_uri_escape_string (listing->revision, NULL, FALSE);
  g_autofree char *url = NULL;

  if (base == NULL)
    return;
  url = g_strdup_printf ("%s/v1/manifests/%s/%s/%s", base, exo_repo_type_name (listing->type),
                         listing->id, revision);
  listing->n_pending++;
  g_ptr_array_add (listing->fetches,
                   exo_fetcher_start (listing->engine->fetcher,
                                      &(ExoFetchRequest){
                                          .mode = EXO_FETCH_TO_MEMORY,
                                          .method = "GET",
                                          .url = url,
                                          .lan = TRUE,
                                          .connect_timeout_ms = NEIGHBOUR_TIMEOUT_MS,
                                          .stall_timeout_ms = NEIGHBOUR_TIMEOUT_MS,
                                          .max_body = LISTING_BYTES_MAX,
                                      },
                                      &callbacks, listing));
}

static void
ask_all_neighbours (ExoListing *listing)
{
  g_autoptr (GPtrArray) neighbours = exo_swarm_neighbours (listing->engine->swarm);

  for (guint i = 0; i < neighbours->len; i++)
    ask_neighbour (listing, g_ptr_array_index (neighbours, i));
  if (listing->fetches->len == 0)
    no_neighbour_knows (listing);
}

/* --- the Hub -------------------------------------------------------------------------------------- */

static gboolean
on_impatient (gpointer user_data)
{
  ExoListing *listing = user_data;

  listing->patience_source = 0;
  g_cancellable_cancel (listing->cancellable);
  return G_SOURCE_REMOVE;
}

static gboolean
neighbours_may_help (ExoListing *listing, const GError *error)
{
  return listing->ask_neighbours && !listing->hub_asked_twice &&
         (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE) ||
          g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_RATE_LIMITED) ||
          g_cancellable_is_cancelled (listing->cancellable));
}

static void
on_hub (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ExoListing *listing = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoManifest) manifest = NULL;

  if (listing->over) /* maybe with the engine */
    {
      listing_unref (listing);
      return;
    }
  manifest = exo_hub_manifest_finish (listing->engine->hub, result, &error);
  g_clear_handle_id (&listing->patience_source, g_source_remove);
  if (manifest != NULL)
    finish (listing, manifest, FALSE, NULL);
  else if (neighbours_may_help (listing, error))
    {
      if (!g_cancellable_is_cancelled (listing->cancellable))
        listing->hub_error = g_steal_pointer (&error);
      ask_all_neighbours (listing);
    }
  else
    finish (listing, NULL, FALSE, error);
  listing_unref (listing);
}

static void
ask_hub (ExoListing *listing, gboolean patient)
{
  listing->n_pending++;
  g_object_unref (listing->cancellable);
  listing->cancellable = g_cancellable_new ();
  if (!patient)
    listing->patience_source = g_timeout_add_seconds (HUB_PATIENCE_S, on_impatient, listing);
  exo_hub_manifest_async (listing->engine->hub, listing->type, listing->id, listing->revision,
                          listing->cancellable, on_hub, listing);
}

ExoListing *
exo_listing_new (ExoEngine *engine,
                 ExoRepoType type,
                 const char *id,
                 const char *revision,
                 gboolean ask_neighbours,
                 ExoListingDone done,
                 gpointer user_data)
{
  ExoListing *listing = g_new0 (ExoListing, 1);
  g_autoptr (GPtrArray) neighbours = exo_swarm_neighbours (engine->swarm);
  ExoHubState hub;

  listing->engine = engine;
  listing->type = type;
  listing->id = g_strdup (id);
  listing->revision = g_strdup (revision);
  listing->ask_neighbours = ask_neighbours;
  listing->done = done;
  listing->user_data = user_data;
  listing->cancellable = g_cancellable_new ();
  listing->fetches = g_ptr_array_new ();
  listing->n_pending = 1;
  exo_hub_get_state (engine->hub, &hub);
  /* With nobody else to ask the Hub has all the time; who comes meanwhile is asked when it fails. */
  if (!ask_neighbours || neighbours->len == 0)
    ask_hub (listing, TRUE);
  else if (hub.reachable)
    ask_hub (listing, FALSE);
  else
    ask_all_neighbours (listing);
  return listing;
}

void
exo_listing_cancel (ExoListing *listing)
{
  stop (listing);
  listing_unref (listing);
}

/* What a neighbour says about a repo must not make content of ours public: noted as closed until the Hub confirms it. */
static ExoManifest *
closed_copy (ExoManifest *manifest)
{
  GPtrArray *files = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_manifest_file_free);

  for (guint i = 0; i < exo_manifest_n_files (manifest); i++)
    {
      const ExoManifestFile *file = exo_manifest_file (manifest, i);
      g_ptr_array_add (files, exo_manifest_file_new (file->path, file->size, file->oid));
    }
  return exo_manifest_new (exo_manifest_type (manifest), exo_manifest_id (manifest),
                           exo_manifest_commit (manifest), FALSE, files, NULL);
}

void
exo_listing_note (ExoEngine *engine, ExoManifest *manifest, gboolean from_neighbour)
{
  g_autoptr (ExoManifest) noted =
      from_neighbour ? closed_copy (manifest) : exo_manifest_ref (manifest);

  exo_store_note_manifest (engine->store, noted);
}
