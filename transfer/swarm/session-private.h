/* session-private.h - how long a session waits, for its tests
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#pragma once

#include "transfer/swarm/session.h"

G_BEGIN_DECLS

typedef struct
{
  guint retry_first_ms,
      retry_max_ms; /* after one failure, doubled with each further one; at most */
  guint silence_ms; /* without a byte the stream is over */
  gint64 lasted_us; /* a stream that was up for so long was a good one */
  guint quiet_ms;   /* without a line another address is tried, if there is one */
  guint aside_ms;   /* an address that failed is left alone for so long, at first */
} ExoSessionTimes;

/* Before the first exo_session_subscribe(); otherwise it has those of transfer/PROTOCOL.md. */
void exo_session_set_times (ExoSession *session, const ExoSessionTimes *times);
/* The wait after @n_failures in a row, at least one. */
guint exo_session_retry_ms (const ExoSessionTimes *times, guint n_failures);
extern const ExoSessionTimes exo_session_usual_times;

G_END_DECLS
