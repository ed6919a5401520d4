/* catalog-private.h - what the two halves of the catalog share
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#pragma once

#include "tests/hub/catalog.h"

G_BEGIN_DECLS

typedef struct HubScan HubScan; /* hashes known from earlier runs and found in this one */

HubScan *hub_scan_new (const char *root);
void hub_scan_save (HubScan *self); /* a root that cannot be written to is fine */
void hub_scan_free (HubScan *self);

/**
 * hub_scan_repo:
 * @folder: ROOT/models/ORG/NAME
 *
 * Returns: (transfer full) (nullable): %NULL with @error set
 */
HubRepo *
hub_scan_repo (HubScan *self, const char *folder, const char *type, const char *id, GError **error);

void hub_repo_free (HubRepo *repo);
HubManifest *hub_manifest_ref (HubManifest *manifest);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HubScan, hub_scan_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HubRepo, hub_repo_free)

G_END_DECLS
