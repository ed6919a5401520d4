/* exo-work.h - what exo on a machine is at
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * exo's API (loopback, port 52415) shows the state of its whole cluster under /state, and its own id under /node_id. Of that we
 * make one word and the names of the models. The shape changed between versions and will again, so what is not understood is
 * skipped, and only what has neither instances nor runners is refused:
 *
 *   "instances": {id: {"MlxRingInstance": {"shardAssignments": {"modelId": .., "nodeToRunner": {node: runner}}}}}
 *                the inner object alone, and names like "shard_assignments", in 2025
 *   "runners":   {runner: {"RunnerLoading": {..}}}, or {runner: {"runner_status": "Starting"}} in 2025
 *   "downloads": {node: [{"DownloadOngoing": {..}}, ..]}
 *
 * Pure; any thread.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define EXO_WORK_BYTES_MAX                                                                         \
  (16u << 20) /* of a state: some KB for each model known on each of its nodes */
#define EXO_WORK_MODELS_MAX 64u
#define EXO_WORK_NAME_MAX   256u /* bytes */

typedef struct
{
  /* Static. What is furthest down of this list and true of any of its models: "idle", "failed", "downloading" (by exo itself),
   * "ready", "running" (it answers somebody), "loading". */
  const char *state;
  GStrv models; /* their names, each once, in the order of the state; never NULL */
} ExoWork;

/**
 * exo_work_parse:
 * @state: the body of GET /state; @length bytes
 * @own_id: (nullable): the id of exo on this machine; %NULL: not known, so all machines of its cluster count
 * @error: %EXO_TRANSFER_ERROR_TOO_LARGE, or _INVALID: that is no state of exo
 *
 * Returns: (transfer full) (nullable)
 */
ExoWork *exo_work_parse (const char *state, gsize length, const char *own_id, GError **error);
/* @body of GET /node_id, a JSON string. (transfer full) (nullable): it is none */
char *exo_work_parse_id (const char *body, gsize length);
/* A word that a neighbour's card has, ours or that of a version to come; %FALSE: not to be shown */
gboolean exo_work_is_state (const char *word);
void exo_work_free (ExoWork *work); /* %NULL is fine */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoWork, exo_work_free)

G_END_DECLS
