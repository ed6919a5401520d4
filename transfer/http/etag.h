/* etag.h - the oid in an ETag
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The Hub's ETags of files are their oids in quotes (hub-protocol.md 2.3). Pure.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @etag: (nullable). Returns: (transfer full) (nullable): the oid, NULL for anything that is not one */
char *exo_etag_to_oid (const char *etag);

G_END_DECLS
