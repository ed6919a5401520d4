/* words.h - the words of org.exo.Agent1 for people
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A kind of repository, a state of a transfer, file, node or finding, or of exo, in the reader's language; a word that is not known as it
 * is, and so not clean. @code: (nullable): "" then */
const char *exo_word (const char *code);

G_END_DECLS
