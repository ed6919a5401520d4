/* brake.h - fetches that have to wait because all together they are at the rate they may have (I/O thread)
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A fetch that has a brake asks it before it takes bytes. Held, it tells libcurl to pause: nothing is read from its connection
 * any more, and the other end slows down by itself. They go on in the order in which they were held, so that none starves.
 */

#pragma once

#include "transfer/http/bucket.h"
#include "transfer/http/fetcher-private.h"

G_BEGIN_DECLS

struct ExoBrake
{
  ExoBucket bucket;
  GQueue held; /* ExoFetch, borrowed */
};

/* TRUE: @fetch is to pause, and what it got is handed over again when it goes on */
gboolean exo_brake_holds (ExoFetch *fetch, gsize length);
/* The next one that may go on now; NULL: none */
ExoFetch *exo_brake_release_next (ExoBrake *brake);
void exo_brake_forget (ExoFetch *fetch); /* it ends */
/* When some may go on; G_MAXINT64: none waits */
gint64 exo_brake_open_at_us (ExoBrake *brake);

G_END_DECLS
