/* identity.h - who this node is, and that nobody else is it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The node id is 128 random bits, kept in STATE/node-id (0600, written atomically) over restarts. While it is open,
 * STATE/lock is locked with flock(2) and holds our pid, so that two agents never share a state folder. The lock
 * goes with the process, however it ends; the file stays.
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define EXO_IDENTITY_ID_LENGTH 32u

typedef struct ExoIdentity ExoIdentity;

/* Makes @state_dir (0700) if it is missing. A damaged node-id is replaced, with a warning in the log.
 * @error: G_IO_ERROR_BUSY if another agent uses the folder, otherwise what the system said */
ExoIdentity *exo_identity_open (const char *state_dir, GError **error);
void exo_identity_free (ExoIdentity *identity); /* unlocks; NULL is fine */

const char *exo_identity_id (ExoIdentity *identity); /* 32 lower-case hex digits */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoIdentity, exo_identity_free)

G_END_DECLS
