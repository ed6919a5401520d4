/* fake-engine.h - transfer/engine.h without a network, a disk or a policy
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a test sets is what the engine says. Nothing happens by itself.
 */

#pragma once

#include "transfer/engine.h"

G_BEGIN_DECLS

ExoEngine *fake_engine_new (void);
/* The next call that can fail does, with this. */
void fake_engine_fail_next (ExoEngine *engine, int code, const char *message);
/* Writable; fake_engine_changed() tells. Strings put in have to outlive the engine. */
ExoEngineTotals *fake_engine_totals (ExoEngine *engine);
ExoLimitsState *fake_engine_limits (ExoEngine *engine); /* no key file: what is reset is off */
void fake_engine_changed (ExoEngine *engine);
void fake_engine_warn (ExoEngine *engine, const char *kind, const char *message);
/* ExoStoredModel and ExoFinding to list, utf8 paths that Verify finds wrong. */
GPtrArray *fake_engine_models (ExoEngine *engine);
GPtrArray *fake_engine_findings (ExoEngine *engine);
GPtrArray *fake_engine_wrong (ExoEngine *engine);
/* What the last pull, remove or verify was called with: "model org/name main +a,b -c" */
const char *fake_engine_last_call (ExoEngine *engine);

/* Writable, as above. The strings of a new transfer that come from the pull are the transfer's. */
ExoTransferInfo *fake_transfer_info (ExoTransfer *transfer);
void fake_transfer_changed (ExoTransfer *transfer);
/* Adds or replaces the file's row. */
void fake_transfer_set_file (ExoTransfer *transfer,
                             const char *path,
                             guint64 size,
                             guint64 done,
                             const char *state);

ExoNode *fake_engine_add_node (ExoEngine *engine, const char *id, const char *name, gboolean self);
void fake_engine_remove_node (ExoEngine *engine, ExoNode *node);
ExoNodeInfo *fake_node_info (ExoNode *node);
void fake_node_changed (ExoNode *node);

G_END_DECLS
