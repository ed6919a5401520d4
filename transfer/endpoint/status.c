/* status.c - the dashboard, its figures, metrics
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "transfer/endpoint/endpoint-private.h"
#include "transfer/endpoint/json-append.h"

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

static void
append_number (GString *json, const char *name, gint64 value)
{
  g_string_append_printf (json, "\"%s\":%" G_GINT64_FORMAT ",", name, value);
}

static void
append_list (GString *json, const char *name, const char *const *texts)
{
  g_string_append_printf (json, "\"%s\":[", name);
  for (guint i = 0; texts != NULL && texts[i] != NULL; i++)
    {
      exo_json_append_string (json, texts[i]);
      g_string_append_c (json, ',');
    }
  exo_json_append_end (json, ']');
  g_string_append_c (json, ',');
}

static void
append_transfer (GString *json, ExoTransfer *transfer)
{
  ExoTransferInfo info;

  exo_transfer_get_info (transfer, &info);
  g_string_append_c (json, '{');
  exo_json_append_size (json, "id", info.id);
  exo_json_append_text (json, "model", info.model);
  exo_json_append_text (json, "revision", info.revision);
  exo_json_append_text (json, "state", exo_transfer_state_name (info.state));
  exo_json_append_text (json, "error", info.error_message);
  exo_json_append_size (json, "total", info.bytes_total);
  exo_json_append_size (json, "done", info.bytes_done);
  exo_json_append_size (json, "from_hub", info.bytes_from_hub);
  exo_json_append_size (json, "from_lan", info.bytes_from_lan);
  exo_json_append_size (json, "files", info.files_total);
  exo_json_append_size (json, "files_done", info.files_done);
  exo_json_append_size (json, "rate", info.rate);
  append_number (json, "eta", info.eta_s);
  exo_json_append_end (json, '}');
  g_string_append_c (json, ',');
}

static void
append_node (GString *json, ExoNode *node)
{
  ExoNodeInfo info;

  exo_node_get_info (node, &info);
  g_string_append_c (json, '{');
  exo_json_append_text (json, "name", info.name);
  exo_json_append_boolean (json, "self", info.self);
  exo_json_append_text (json, "state", info.state);
  append_list (json, "addresses", info.addresses);
  append_list (json, "models", info.models);
  exo_json_append_size (json, "rate_in", info.rate_in);
  exo_json_append_size (json, "rate_out", info.rate_out);
  exo_json_append_end (json, '}');
  g_string_append_c (json, ',');
}

GBytes *
exo_status_json (ExoEngine *engine)
{
  GString *json = g_string_new ("{");
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (engine);
  g_autoptr (GPtrArray) nodes = exo_engine_nodes (engine);
  ExoEngineTotals totals;

  exo_engine_get_totals (engine, &totals);
  exo_json_append_text (json, "version", EXO_VERSION);
  exo_json_append_text (json, "name", engine->node_name);
  exo_json_append_text (json, "cache", totals.hub_cache);
  exo_json_append_text (json, "local_endpoint", totals.local_endpoint);
  exo_json_append_size (json, "from_hub", totals.bytes_from_hub);
  exo_json_append_size (json, "from_lan", totals.bytes_from_lan);
  exo_json_append_size (json, "served", totals.bytes_served);
  exo_json_append_size (json, "cache_bytes", totals.cache_bytes);
  exo_json_append_size (json, "free_bytes", totals.free_bytes);
  exo_json_append_boolean (json, "hub_reachable", totals.hub_reachable);
  append_number (json, "hub_blocked_s", totals.hub_blocked_s);
  g_string_append (json, "\"transfers\":[");
  for (guint i = 0; i < transfers->len; i++)
    append_transfer (json,
                     g_ptr_array_index (transfers, transfers->len - 1 - i)); /* latest first */
  exo_json_append_end (json, ']');
  g_string_append (json, ",\"nodes\":[");
  for (guint i = 0; i < nodes->len; i++)
    append_node (json, g_ptr_array_index (nodes, i));
  exo_json_append_end (json, ']');
  g_string_append_c (json, '}');
  return g_string_free_to_bytes (json);
}

/* --- metrics -------------------------------------------------------------------------------------------- */

static void
append_metric (GString *text, const char *name, const char *type, const char *help, guint64 value)
{
  g_string_append_printf (text, "# HELP %s %s\n# TYPE %s %s\n%s %" G_GUINT64_FORMAT "\n", name,
                          help, name, type, name, value);
}

/* Prometheus' text format: a backslash, a quote and a line end are escaped in labels. */
static char *
label (const char *value)
{
  g_auto (GStrv) back = g_strsplit (value, "\\", -1);
  g_autofree char *a = g_strjoinv ("\\\\", back);
  g_auto (GStrv) quotes = g_strsplit (a, "\"", -1);
  g_autofree char *b = g_strjoinv ("\\\"", quotes);

  return g_strdelimit (g_steal_pointer (&b), "\r\n", ' ');
}

static void
append_transfers (GString *text, GPtrArray *transfers, gboolean done)
{
  const char *name = done ? "exo_agent_transfer_done_bytes" : "exo_agent_transfer_bytes";

  g_string_append_printf (text, "# HELP %s %s\n# TYPE %s gauge\n", name,
                          done ? "Bytes of the transfer on disk." : "Bytes of the whole transfer.",
                          name);
  for (guint i = 0; i < transfers->len; i++)
    {
      ExoTransferInfo info;
      g_autofree char *model = NULL, *revision = NULL;

      exo_transfer_get_info (g_ptr_array_index (transfers, i), &info);
      model = label (info.model);
      revision = label (info.revision);
      g_string_append_printf (
          text, "%s{id=\"%u\",model=\"%s\",revision=\"%s\",state=\"%s\"} %" G_GUINT64_FORMAT "\n",
          name, info.id, model, revision, exo_transfer_state_name (info.state),
          done ? info.bytes_done : info.bytes_total);
    }
}

GBytes *
exo_status_metrics (ExoEngine *engine)
{
  GString *text = g_string_new (NULL);
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (engine);
  ExoEngineTotals totals;

  exo_engine_get_totals (engine, &totals);
  append_metric (text, "exo_agent_hub_bytes_total", "counter", "File bytes from the Hub.",
                 totals.bytes_from_hub);
  append_metric (text, "exo_agent_lan_bytes_total", "counter", "File bytes from neighbours.",
                 totals.bytes_from_lan);
  append_metric (text, "exo_agent_served_bytes_total", "counter", "File bytes given to neighbours.",
                 totals.bytes_served);
  append_metric (text, "exo_agent_cache_bytes", "gauge", "Bytes of verified blobs in the cache.",
                 totals.cache_bytes);
  append_metric (text, "exo_agent_free_bytes", "gauge", "Free bytes where the cache is.",
                 totals.free_bytes);
  append_metric (text, "exo_agent_hub_reachable", "gauge", "1 if the Hub answers.",
                 totals.hub_reachable);
  append_metric (text, "exo_agent_neighbours", "gauge", "Neighbours present.", totals.peers);
  append_transfers (text, transfers, FALSE);
  append_transfers (text, transfers, TRUE);
  return g_string_free_to_bytes (text);
}
