/* status.c - the dashboard, its figures, metrics
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "transfer/endpoint/endpoint-private.h"
#include "transfer/endpoint/state-json.h"

static const char page[] =
#include "page.inc"
    ;

/* --- the page ----------------------------------------------------------------------------------------- */

/* What a policy calls the text between @from and @to: "'sha256-...'" */
static char *
hash_between (const char *from, const char *to)
{
  const char *start = strstr (page, from) + strlen (from);
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize n = sizeof digest;
  g_autofree char *text = NULL;

  g_checksum_update (sum, (const guchar *) start, strstr (start, to) - start);
  g_checksum_get_digest (sum, digest, &n);
  text = g_base64_encode (digest, n);
  return g_strdup_printf ("'sha256-%s'", text);
}

GBytes *
exo_status_page (char **out_policy)
{
  g_autofree char *style = hash_between ("<style>", "</style>");
  g_autofree char *script = hash_between ("<script>", "</script>");

  *out_policy = g_strdup_printf ("default-src 'none'; connect-src 'self'; style-src %s; "
                                 "script-src %s; base-uri 'none'; form-action 'none'; "
                                 "frame-ancestors 'none'",
                                 style, script);
  return g_bytes_new_static (page, strlen (page));
}

/* --- figures ------------------------------------------------------------------------------------------- */

/* What the engine says now, in the arrays of its caller, whose strings are the engine's */
typedef struct
{
  ExoEngineTotals totals;
  GArray *transfers; /* ExoTransferInfo, owned */
  GArray *nodes;     /* ExoNodeInfo, owned */
  ExoState state;
} Snapshot;

static void
snapshot_take (Snapshot *snapshot, ExoEngine *engine)
{
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (engine);
  g_autoptr (GPtrArray) nodes = exo_engine_nodes (engine);

  exo_engine_get_totals (engine, &snapshot->totals);
  snapshot->transfers = g_array_sized_new (FALSE, TRUE, sizeof (ExoTransferInfo), transfers->len);
  snapshot->nodes = g_array_sized_new (FALSE, TRUE, sizeof (ExoNodeInfo), nodes->len);
  g_array_set_size (snapshot->transfers, transfers->len);
  g_array_set_size (snapshot->nodes, nodes->len);
  for (guint i = 0; i < transfers->len; i++)
    exo_transfer_get_info (g_ptr_array_index (transfers, i),
                           &g_array_index (snapshot->transfers, ExoTransferInfo, i));
  for (guint i = 0; i < nodes->len; i++)
    exo_node_get_info (g_ptr_array_index (nodes, i),
                       &g_array_index (snapshot->nodes, ExoNodeInfo, i));
  snapshot->state = (ExoState){
    .totals = &snapshot->totals,
    .version = EXO_VERSION,
    .port = exo_engine_port (engine),
    .transfers = (const ExoTransferInfo *) (gconstpointer) snapshot->transfers->data,
    .n_transfers = snapshot->transfers->len,
    .nodes = (const ExoNodeInfo *) (gconstpointer) snapshot->nodes->data,
    .n_nodes = snapshot->nodes->len,
  };
}

static GBytes *
say (ExoEngine *engine, GBytes *(*how) (const ExoState *state))
{
  Snapshot snapshot;
  GBytes *said;

  snapshot_take (&snapshot, engine);
  said = how (&snapshot.state);
  g_array_unref (snapshot.transfers);
  g_array_unref (snapshot.nodes);
  return said;
}

GBytes *
exo_status_json (ExoEngine *engine)
{
  /* Somebody looks at the dashboard: the next time it asks it is told. */
  exo_engine_look_async (engine, NULL, NULL);
  return say (engine, exo_state_json);
}

GBytes *
exo_status_metrics (ExoEngine *engine)
{
  return say (engine, exo_state_metrics);
}
