/* stand-in.h - exo-test-hub as a child of a test program
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * On loopback, on ports of its own; it counts what it sends and errs as told (tests/hub/admin.h). Its path comes from
 * EXO_TEST_HUB. It ends with the program, however that ends.
 */

#pragma once

#include <gio/gio.h>

typedef struct StandIn StandIn;

/* Never NULL: a stand-in that does not start ends the program. @root: as tests/hub/catalog.h wants it */
StandIn *stand_in_new (const char *root);
void stand_in_free (StandIn *hub);

const char *stand_in_url (StandIn *hub);
/* The body of its answer, which must be a 200. (transfer full) */
char *stand_in_ask (StandIn *hub, const char *method, const char *path, const char *body);
void stand_in_faults (StandIn *hub, const char *rules); /* (nullable): none */
guint stand_in_hits (StandIn *hub);                     /* of the first rule */
void stand_in_reset (StandIn *hub);                     /* counts from 0, no faults, up */
void stand_in_down (StandIn *hub);                      /* nobody reaches it */
void stand_in_reload (StandIn *hub);                    /* its root changed */
guint64 stand_in_bytes (StandIn *hub);                  /* of file bodies, sent since then */
