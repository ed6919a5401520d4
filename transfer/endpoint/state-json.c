/* state-json.c - see state-json.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/endpoint/state-json.h"

#include "transfer/endpoint/json-append.h"

/* (nullable) */
static const ExoNodeInfo *
own_node (const ExoState *state)
{
  for (guint i = 0; i < state->n_nodes; i++)
    if (state->nodes[i].self)
      return &state->nodes[i];
  return NULL;
}

/* JSON -------------------------------------------------------------------------------------------- */

static void
append_signed (GString *json, const char *name, gint64 value)
{
  g_string_append_printf (json, "\"%s\":%" G_GINT64_FORMAT ",", name, value);
}

/* @texts: (nullable) */
static void
append_list (GString *json, const char *name, const char *const *texts)
{
  g_string_append_printf (json, "\"%s\":[", name);
  for (; texts != NULL && *texts != NULL; texts++)
    {
      exo_json_append_string (json, *texts);
      g_string_append_c (json, ',');
    }
  exo_json_append_end (json, ']');
  g_string_append_c (json, ',');
}

static void
append_own_node (GString *json, const ExoState *state)
{
  const ExoEngineTotals *totals = state->totals;
  const ExoNodeInfo *self = own_node (state);

  g_string_append (json, "\"node\":{");
  exo_json_append_text (json, "name", self != NULL ? self->name : NULL);
  exo_json_append_text (json, "id", self != NULL ? self->id : NULL);
  append_list (json, "addresses", self != NULL ? self->addresses : NULL);
  exo_json_append_text (json, "version", state->version);
  exo_json_append_text (json, "exo", self != NULL ? self->exo_state : NULL);
  append_list (json, "exo_models", self != NULL ? self->exo_models : NULL);
  exo_json_append_size (json, "port", state->port);
  exo_json_append_text (json, "cache", totals->hub_cache);
  exo_json_append_size (json, "cache_bytes", totals->cache_bytes);
  exo_json_append_size (json, "free_bytes", totals->free_bytes);
  exo_json_append_text (json, "local_endpoint", totals->local_endpoint);
  exo_json_append_text (json, "hub", totals->endpoint);
  exo_json_append_boolean (json, "hub_reachable", totals->hub_reachable);
  append_signed (json, "hub_blocked_s", totals->hub_blocked_s);
  exo_json_append_boolean (json, "has_token", totals->has_token);
  exo_json_append_end (json, '}');
}

static void
append_transfer (GString *json, const ExoTransferInfo *info)
{
  g_string_append_c (json, '{');
  exo_json_append_size (json, "id", info->id);
  exo_json_append_text (json, "type", exo_repo_type_name (info->type));
  exo_json_append_text (json, "model", info->model);
  exo_json_append_text (json, "revision", info->revision);
  exo_json_append_text (json, "commit", info->commit);
  exo_json_append_text (json, "state", exo_transfer_state_name (info->state));
  exo_json_append_size (json, "total", info->bytes_total);
  exo_json_append_size (json, "done", info->bytes_done);
  exo_json_append_size (json, "from_hub", info->bytes_from_hub);
  exo_json_append_size (json, "from_lan", info->bytes_from_lan);
  exo_json_append_size (json, "files", info->files_total);
  exo_json_append_size (json, "files_done", info->files_done);
  exo_json_append_size (json, "rate", info->rate);
  append_signed (json, "eta_s", info->eta_s);
  exo_json_append_size (json, "peers", info->peers);
  exo_json_append_boolean (json, "unverified", info->unverified_upstream);
  exo_json_append_text (json, "error_code", info->error_code);
  exo_json_append_text (json, "error", info->error_message);
  exo_json_append_end (json, '}');
  g_string_append_c (json, ',');
}

static void
append_node (GString *json, const ExoNodeInfo *info)
{
  g_string_append_c (json, '{');
  exo_json_append_text (json, "name", info->name);
  exo_json_append_text (json, "id", info->id);
  exo_json_append_text (json, "state", info->state);
  append_list (json, "addresses", info->addresses);
  exo_json_append_size (json, "rate_in", info->rate_in);
  exo_json_append_size (json, "rate_out", info->rate_out);
  exo_json_append_boolean (json, "hub_reachable", info->hub_reachable);
  exo_json_append_text (json, "exo", info->exo_state);
  append_list (json, "models", info->models);
  exo_json_append_end (json, '}');
  g_string_append_c (json, ',');
}

GBytes *
exo_state_json (const ExoState *state)
{
  GString *json = g_string_new ("{");

  append_own_node (json, state);
  g_string_append (json, ",\"totals\":{");
  exo_json_append_size (json, "from_hub", state->totals->bytes_from_hub);
  exo_json_append_size (json, "from_lan", state->totals->bytes_from_lan);
  exo_json_append_size (json, "served", state->totals->bytes_served);
  exo_json_append_end (json, '}');
  g_string_append (json, ",\"transfers\":[");
  for (guint i = state->n_transfers; i > 0; i--)
    append_transfer (json, &state->transfers[i - 1]);
  exo_json_append_end (json, ']');
  g_string_append (json, ",\"nodes\":[");
  for (guint i = 0; i < state->n_nodes; i++)
    if (!state->nodes[i].self)
      append_node (json, &state->nodes[i]);
  exo_json_append_end (json, ']');
  g_string_append_c (json, '}');
  return g_string_free_to_bytes (json);
}

/* Metrics ----------------------------------------------------------------------------------------- */

static void
append_head (GString *text, const char *name, const char *type, const char *help)
{
  g_string_append_printf (text, "# HELP exo_agent_%s %s\n# TYPE exo_agent_%s %s\n", name, help,
                          name, type);
}

/* "name="value"": only these three characters are escaped, the others stand for themselves. */
static void
append_label (GString *text, const char *name, const char *value)
{
  g_autofree char *valid = g_utf8_make_valid (value != NULL ? value : "", -1);

  g_string_append_printf (text, "%s=\"", name);
  for (const char *p = valid; *p != '\0'; p++)
    if (*p == '\\' || *p == '"')
      g_string_append_printf (text, "\\%c", *p);
    else if (*p == '\n')
      g_string_append (text, "\\n");
    else
      g_string_append_c (text, *p);
  g_string_append_c (text, '"');
}

static void
append_value (GString *text, guint64 value)
{
  g_string_append_printf (text, " %" G_GUINT64_FORMAT "\n", value);
}

/* With one label, or none: @label NULL */
static void
append_sample (GString *text,
               const char *name,
               const char *label,
               const char *text_of_label,
               guint64 value)
{
  g_string_append_printf (text, "exo_agent_%s", name);
  if (label != NULL)
    {
      g_string_append_c (text, '{');
      append_label (text, label, text_of_label);
      g_string_append_c (text, '}');
    }
  append_value (text, value);
}

static void
append_gauge (GString *text, const char *name, const char *help, guint64 value)
{
  append_head (text, name, "gauge", help);
  append_sample (text, name, NULL, NULL, value);
}

/* Every state is told, also those of no transfer: a line that comes and goes is hard to graph. */
static void
append_states (GString *text, const ExoState *state)
{
  guint n[EXO_TRANSFER_FAILED + 1] = { 0 };

  for (guint i = 0; i < state->n_transfers; i++)
    n[state->transfers[i].state]++;
  append_head (text, "transfers", "gauge", "Transfers by state.");
  for (guint i = 0; i < G_N_ELEMENTS (n); i++)
    append_sample (text, "transfers", "state", exo_transfer_state_name ((ExoTransferState) i),
                   n[i]);
}

static guint64
size_of (const ExoTransferInfo *info)
{
  return info->bytes_total;
}

static guint64
done_of (const ExoTransferInfo *info)
{
  return info->bytes_done;
}

static guint64
rate_of (const ExoTransferInfo *info)
{
  return info->rate;
}

static void
append_per_transfer (GString *text,
                     const ExoState *state,
                     const char *name,
                     const char *help,
                     guint64 (*value_of) (const ExoTransferInfo *info))
{
  append_head (text, name, "gauge", help);
  for (guint i = 0; i < state->n_transfers; i++)
    {
      const ExoTransferInfo *info = &state->transfers[i];

      g_string_append_printf (text, "exo_agent_%s{id=\"%u\",", name, info->id);
      append_label (text, "model", info->model);
      g_string_append_c (text, ',');
      append_label (text, "revision", info->revision);
      g_string_append_c (text, '}');
      append_value (text, value_of (info));
    }
}

GBytes *
exo_state_metrics (const ExoState *state)
{
  const ExoEngineTotals *totals = state->totals;
  GString *text = g_string_new (NULL);

  append_head (text, "build_info", "gauge", "Always 1; its label is the version.");
  append_sample (text, "build_info", "version", state->version, 1);
  append_head (text, "received_bytes_total", "counter", "File bytes fetched since installation.");
  append_sample (text, "received_bytes_total", "source", "hub", totals->bytes_from_hub);
  append_sample (text, "received_bytes_total", "source", "lan", totals->bytes_from_lan);
  append_head (text, "served_bytes_total", "counter",
               "File bytes given to neighbours since installation.");
  append_sample (text, "served_bytes_total", NULL, NULL, totals->bytes_served);
  append_gauge (text, "cache_bytes", "Verified bytes in the cache.", totals->cache_bytes);
  append_gauge (text, "free_bytes", "Free bytes on the disk of the cache.", totals->free_bytes);
  append_gauge (text, "peers", "Neighbours present.", totals->peers);
  append_gauge (text, "hub_reachable", "1 if the Hub answers.", totals->hub_reachable ? 1 : 0);
  append_gauge (text, "hub_blocked_seconds", "Time until the Hub may be asked again.",
                (guint64) MAX (totals->hub_blocked_s, 0));
  append_states (text, state);
  append_per_transfer (text, state, "transfer_size_bytes",
                       "Size of a transfer; 0 if not known yet.", size_of);
  append_per_transfer (text, state, "transfer_done_bytes", "Bytes of a transfer that are on disk.",
                       done_of);
  append_per_transfer (text, state, "transfer_rate_bytes", "Bytes a second of a transfer.",
                       rate_of);
  return g_string_free_to_bytes (text);
}
