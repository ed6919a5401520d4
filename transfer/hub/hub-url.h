/* hub-url.h - addresses at the Hub, and those it sends us to
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure. What goes into an address was checked by manifest.h; what comes back was not.
 */

#pragma once

#include "transfer/hub/manifest.h"

G_BEGIN_DECLS

#define EXO_URL_MAX              16384u /* bytes; signed ones have some 1000 */
#define EXO_SIGNED_URL_DEFAULT_S 600    /* life of an address that does not say */
#define EXO_SIGNED_URL_MAX_S     3600

/* An http or https address of a host, without "/" at its end. @error: INVALID */
char *exo_hub_url_endpoint (const char *endpoint, GError **error);

char *exo_hub_url_info (const char *endpoint,
                        ExoRepoType type,
                        const char *id,
                        const char *revision /* (nullable) */);
char *exo_hub_url_tree (const char *endpoint, ExoRepoType type, const char *id, const char *commit);
char *exo_hub_url_resolve (const char *endpoint,
                           ExoRepoType type,
                           const char *id,
                           const char *commit,
                           const char *path);

/* Scheme, host and port are the same: where the token may go. FALSE if either is no address. */
gboolean exo_url_same_origin (const char *a, const char *b);
/* Host and port of an address, for messages: never its path or query, which may hold a signature. */
char *exo_url_host (const char *url);

/* Where a Location header leads: a path on the same host, or an absolute address as it stands. Refused
 * are other forms, other schemes, https to http, user names, and a loopback host unless @base is one.
 * @error: INVALID */
char *exo_url_follow (const char *base, const char *location, GError **error);

/* The rel="next" of a Link header. Returns: (nullable) */
char *exo_url_link_next (const char *link);

/* Seconds that a signed address lives, by its query and the Date header of the answer it came in, so that
 * our own clock does not matter: Expires=<unix>, or X-Amz-Date + X-Amz-Expires. 0 if it is over.
 * @date: (nullable) */
gint64 exo_url_life_s (const char *url, const char *date);

G_END_DECLS
