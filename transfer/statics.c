/* statics.c - neighbours named in the configuration, for networks without multicast
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A name and a port say nothing of the node behind them: GET /v1/node does. Asked at the start, when the network changes and
 * when a transfer starts, and as long as one does not answer, again after a while. Several may be addresses of one node.
 */

#include <string.h>

#include "transfer/engine-private.h"
#include "transfer/json-text.h"
#include "transfer/swarm/wire.h"

#define PROBE_TIMEOUT_MS    3000
#define PROBE_AGAIN_FIRST_S 1u
#define PROBE_AGAIN_MAX_S   60u
#define CARD_BYTES_MAX      65536

typedef struct
{
  ExoStatics *statics; /* NULL once it is gone */
  char *peer;          /* as configured */
  gboolean busy, probed;
  GSocketAddress *address; /* being asked, or asked last */
  char id[33];             /* of the node that last answered there; "": none yet */
  guint n_refs;
} Static;

struct ExoStatics
{
  ExoEngine *engine;
  GPtrArray *peers; /* Static */
  GCancellable *cancellable;
  guint again_source, again_s; /* and the delay before it, doubled each time */
};

static void
static_unref (Static *peer)
{
  if (--peer->n_refs > 0)
    return;
  g_clear_object (&peer->address);
  g_free (peer->peer);
  g_free (peer);
}

static void
static_drop (Static *peer)
{
  peer->statics = NULL;
  static_unref (peer);
}

static void probe_all (ExoStatics *statics);

static gboolean
probe_again (gpointer user_data)
{
  ExoStatics *statics = user_data;

  statics->again_source = 0;
  statics->again_s = MIN (statics->again_s * 2, PROBE_AGAIN_MAX_S);
  probe_all (statics);
  return G_SOURCE_REMOVE;
}

static void
probed (Static *peer, gboolean answered)
{
  peer->busy = FALSE;
  peer->probed = TRUE;
  if (peer->statics == NULL)
    return;
  exo_engine_statics_probed (peer->statics->engine);
  if (!answered && peer->statics->again_source == 0)
    peer->statics->again_source =
        g_timeout_add_seconds (peer->statics->again_s, probe_again, peer->statics);
}

/* All that are the same node are told as one, named as the first of them is. */
static void
tell_node (ExoStatics *statics, const char *id)
{
  g_autoptr (GPtrArray) addresses = g_ptr_array_new ();
  const char *name = NULL;

  for (guint i = 0; i < statics->peers->len; i++)
    {
      const Static *peer = g_ptr_array_index (statics->peers, i);

      if (strcmp (peer->id, id) != 0)
        continue;
      if (name == NULL)
        name = peer->peer;
      g_ptr_array_add (addresses, peer->address);
    }
  exo_engine_peer_seen (statics->engine, id, name, addresses);
}

static gboolean
read_card (Static *peer, GBytes *body)
{
  gsize length;
  const char *text = g_bytes_get_data (body, &length), *id;
  g_autoptr (JsonNode) root = exo_json_parse (text, (gssize) length, CARD_BYTES_MAX, NULL);

  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    return FALSE;
  id = exo_json_string (json_node_get_object (root), "id");
  if (!exo_node_id_check (id))
    return FALSE;
  g_strlcpy (peer->id, id, sizeof peer->id);
  tell_node (peer->statics, id);
  return TRUE;
}

static void
on_card (ExoFetch *fetch, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  Static *peer = user_data;
  gboolean answered = peer->statics != NULL && error == NULL && result->status == 200 &&
                      result->body != NULL && read_card (peer, result->body);

  if (!answered)
    g_debug ("%s: %s", peer->peer, error != NULL ? error->message : "no node card");
  probed (peer, answered);
  static_unref (peer);
}

static void
on_address (GObject *source, GAsyncResult *result, gpointer user_data)
{
  static const ExoFetchCallbacks callbacks = { .done = on_card };
  Static *peer = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GSocketAddress) address = g_socket_address_enumerator_next_finish (
      G_SOCKET_ADDRESS_ENUMERATOR (source), result, &error);
  g_autofree char *url = NULL;

  if (peer->statics == NULL || address == NULL || !G_IS_INET_SOCKET_ADDRESS (address))
    {
      probed (peer, FALSE);
      static_unref (peer);
      return;
    }
  g_set_object (&peer->address, address);
  url = g_strdup_printf ("http://%s/v1/node", peer->peer);
  exo_fetcher_start (peer->statics->engine->fetcher,
                     &(ExoFetchRequest){
                         .mode = EXO_FETCH_TO_MEMORY,
                         .method = "GET",
                         .url = url,
                         .lan = TRUE,
                         .connect_timeout_ms = PROBE_TIMEOUT_MS,
                         .stall_timeout_ms = PROBE_TIMEOUT_MS,
                         .max_body = CARD_BYTES_MAX,
                     },
                     &callbacks, peer);
}

static void
probe (Static *peer)
{
  g_autoptr (GSocketConnectable) connectable =
      g_network_address_parse (peer->peer, EXO_LAN_PORT, NULL);
  g_autoptr (GSocketAddressEnumerator) addresses = NULL;

  if (connectable == NULL)
    peer->probed = TRUE; /* the configuration was checked before: not reached */
  if (connectable == NULL || peer->busy)
    return;
  peer->busy = TRUE;
  peer->n_refs++;
  addresses = g_socket_connectable_enumerate (connectable);
  g_socket_address_enumerator_next_async (addresses, peer->statics->cancellable, on_address, peer);
}

static void
probe_all (ExoStatics *statics)
{
  for (guint i = 0; i < statics->peers->len; i++)
    probe (g_ptr_array_index (statics->peers, i));
}

void
exo_statics_probe (ExoStatics *statics)
{
  g_clear_handle_id (&statics->again_source, g_source_remove);
  statics->again_s = PROBE_AGAIN_FIRST_S;
  probe_all (statics);
}

gboolean
exo_statics_are_probed (ExoStatics *statics)
{
  for (guint i = 0; i < statics->peers->len; i++)
    if (!((Static *) g_ptr_array_index (statics->peers, i))->probed)
      return FALSE;
  return TRUE;
}

ExoStatics *
exo_statics_new (ExoEngine *engine, const char *const *peers)
{
  ExoStatics *statics = g_new0 (ExoStatics, 1);

  statics->engine = engine;
  statics->cancellable = g_cancellable_new ();
  statics->peers = g_ptr_array_new_with_free_func ((GDestroyNotify) static_drop);
  for (guint i = 0; peers != NULL && peers[i] != NULL; i++)
    {
      Static *peer = g_new0 (Static, 1);
      peer->statics = statics;
      peer->peer = g_strdup (peers[i]);
      peer->n_refs = 1;
      g_ptr_array_add (statics->peers, peer);
    }
  return statics;
}

void
exo_statics_free (ExoStatics *statics)
{
  if (statics == NULL)
    return;
  g_clear_handle_id (&statics->again_source, g_source_remove);
  g_cancellable_cancel (statics->cancellable);
  g_object_unref (statics->cancellable);
  g_ptr_array_unref (statics->peers);
  g_free (statics);
}
