/* reply.h - short JSON answers of the HTTP servers
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * On libmicrohttpd's threads.
 */

#pragma once

#include <glib.h>
#include <microhttpd.h>

G_BEGIN_DECLS

/* @header, @value: (nullable): one header more. Consumes @response, which may be NULL. */
enum MHD_Result exo_reply (struct MHD_Connection *connection,
                           guint status,
                           struct MHD_Response *response,
                           const char *type,
                           const char *header,
                           const char *value);
enum MHD_Result exo_reply_json (struct MHD_Connection *connection, guint status, GBytes *json);
/* {"error": @message}; plain words of ours, without quotes. @header, @value: (nullable) */
enum MHD_Result exo_reply_error (struct MHD_Connection *connection,
                                 guint status,
                                 const char *message,
                                 const char *header,
                                 const char *value);

/* For MHD_OPTION_UNESCAPE_CALLBACK: paths are split before they are decoded, so that an encoded slash stays within its
 * segment. */
size_t exo_leave_escaped (void *cls, struct MHD_Connection *connection, char *text);

G_END_DECLS
