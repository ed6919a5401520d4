/* state-json.h - what the dashboard and Prometheus are told
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Names of models, nodes and errors come from strangers: they are escaped as either format wants it, and made
 * UTF-8. Pure.
 *
 * The state, for page.html:
 *   {"node": {"name", "id", "version", "port", "addresses", "cache", "cache_bytes", "free_bytes", "local_endpoint",
 *             "hub", "hub_reachable", "hub_blocked_s", "has_token", "exo", "exo_models"},
 *    "totals": {"from_hub", "from_lan", "served"},
 *    "transfers": [{"id", "type", "model", "revision", "commit", "state", "total", "done", "from_hub", "from_lan",
 *                   "files", "files_done", "rate", "eta_s", "peers", "unverified", "error_code", "error"}, ..],
 *    "nodes": [{"name", "id", "state", "addresses", "rate_in", "rate_out", "hub_reachable", "models", "exo"}, ..]}
 * in bytes, bytes a second and seconds; eta_s is -1 if nobody knows. "transfers" has the latest first; "nodes" are
 * the others.
 */

#pragma once

#include "transfer/engine.h"

G_BEGIN_DECLS

typedef struct
{
  const ExoEngineTotals *totals;
  const char *version;
  guint16 port; /* where neighbours find this node */
  const ExoTransferInfo *transfers;
  guint n_transfers; /* by id */
  const ExoNodeInfo *nodes;
  guint n_nodes; /* this one among them, or not */
} ExoState;

GBytes *exo_state_json (const ExoState *state); /* (transfer full) */
/* Prometheus' text format 0.0.4; every metric begins with exo_agent_. (transfer full) */
GBytes *exo_state_metrics (const ExoState *state);

G_END_DECLS
