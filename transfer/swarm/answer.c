/* answer.c - what neighbours are told when they ask
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>

#include "transfer/oid.h"
#include "transfer/swarm/swarm-private.h"

void
exo_answer_error (ExoLanRequest *request, guint status, const char *message)
{
  g_autofree char *text = g_strdup_printf ("{\"error\":\"%s\"}", message);
  g_autoptr (GBytes) body = g_bytes_new (text, strlen (text));

  exo_lan_request_respond (request, status, body);
}

void
exo_answer_describe (const char *oid,
                     guint64 size,
                     guint32 b,
                     ExoWireBuilder *builder,
                     gpointer user_data)
{
  ExoSwarm *swarm = user_data;
  ExoJob *job = g_hash_table_lookup (swarm->jobs, oid);
  ExoPieceMap *parked = g_hash_table_lookup (swarm->parked, oid);
  g_auto (ExoStoredBlob) stored = { 0 };

  if (job != NULL && job->open && job->size == size && job->partial != NULL)
    exo_job_describe (job, b, builder);
  else if (parked != NULL && exo_piece_map_blob_size (parked) == size)
    exo_wire_builder_state (builder, b, FALSE, parked);
  else if (exo_store_find (swarm->store, oid, &stored) && stored.open && stored.size == size)
    {
      g_autoptr (ExoPieceMap) all = exo_piece_map_new (size);
      exo_piece_map_fill (all);
      exo_wire_builder_state (builder, b, FALSE, all);
    }
}

void
exo_answer_manifest (ExoLanServer *server,
                     ExoLanRequest *request,
                     const char *type_name,
                     const char *id,
                     const char *revision,
                     gpointer user_data)
{
  ExoSwarm *swarm = user_data;
  ExoManifest *manifest = NULL;
  g_autoptr (GBytes) body = NULL;
  g_autofree char *commit = NULL;
  ExoRepoType type;

  if (exo_repo_type_parse (type_name, &type) && exo_repo_id_check (id, NULL) &&
      exo_revision_check (revision, NULL))
    {
      commit = exo_is_commit (revision) ? g_strdup (revision)
                                        : exo_store_read_ref (swarm->store, type, id, revision);
      if (commit != NULL)
        manifest = exo_store_peek_manifest (swarm->store, type, id, commit);
    }
  /* What is gated or private is not even hinted at: the same answer as for what is not here. */
  if (manifest != NULL && exo_manifest_is_open (manifest))
    {
      char *text = exo_manifest_to_json (manifest);
      body = g_bytes_new_take (text, strlen (text));
      exo_lan_request_respond (request, 200, body);
      return;
    }
  exo_answer_error (request, 404, "this node knows no such revision");
}

/* A complete blob is opened when the first neighbour asks for bytes of it. */
int
exo_answer_lookup (const char *oid, guint64 *out_size, gpointer user_data)
{
  ExoSwarm *swarm = user_data;
  g_auto (ExoStoredBlob) stored = { 0 };

  if (!exo_store_find (swarm->store, oid, &stored) || !stored.open)
    return -1;
  *out_size = stored.size;
  return g_open (stored.path, O_RDONLY | O_CLOEXEC, 0);
}
