/* token.h - the user's Hub token
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * It is never part of a message, whatever is wrong with it.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define EXO_TOKEN_MAX 4096u /* bytes */

/**
 * exo_token_read:
 * @token: (nullable): HF_TOKEN; wins
 * @path: (nullable): the token file; a missing one means no token
 * @out_token: (transfer full) (nullable): without blanks around it; %NULL if there is none
 * @error: %EXO_TRANSFER_ERROR_DENIED for a token that cannot be one
 */
gboolean exo_token_read (const char *token, const char *path, char **out_token, GError **error);

G_END_DECLS
