/* backoff.h - how long to wait before the Hub is asked again
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: the answer, the number of tries and a seed in, a time out.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define EXO_BACKOFF_TRIES    6u                   /* without any progress between them */
#define EXO_BACKOFF_FIRST_US (G_USEC_PER_SEC / 5) /* doubled with each try */
#define EXO_BACKOFF_MAX_US   (8 * G_USEC_PER_SEC)
#define EXO_BACKOFF_LIMIT_US (3600 * (gint64) G_USEC_PER_SEC) /* however long a hint says */

/* May the same request succeed later? 408, 429 and 5xx but 501; 0 (no answer at all) too. */
gboolean exo_backoff_is_transient (guint status);

/* @attempt: tries that failed, from 1; between half of the exponential wait and all of it */
gint64 exo_backoff_us (guint attempt, gint64 first_us, guint32 seed);

/* What a 429 says itself (hub-protocol.md 2.6): the t of RateLimit if its r is 0, plus 1 s; else
 * Retry-After in seconds. Both nullable. Returns: -1 if neither says anything */
gint64 exo_backoff_hint_us (const char *rate_limit, const char *retry_after);

G_END_DECLS
