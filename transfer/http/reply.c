/* reply.c - see reply.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/http/reply.h"

#include <string.h>

enum MHD_Result
exo_reply (struct MHD_Connection *connection,
           guint status,
           struct MHD_Response *response,
           const char *type,
           const char *header,
           const char *value)
{
  enum MHD_Result result;

  if (response == NULL)
    return MHD_NO;
  MHD_add_response_header (response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  if (header != NULL)
    MHD_add_response_header (response, header, value);
  result = MHD_queue_response (connection, status, response);
  MHD_destroy_response (response);
  return result;
}

static enum MHD_Result
reply_text (struct MHD_Connection *connection,
            guint status,
            const void *text,
            gsize n,
            const char *header,
            const char *value)
{
  return exo_reply (connection, status,
                    MHD_create_response_from_buffer (n, (void *) text, MHD_RESPMEM_MUST_COPY),
                    "application/json", header, value);
}

enum MHD_Result
exo_reply_json (struct MHD_Connection *connection, guint status, GBytes *json)
{
  gsize n;
  const void *text = g_bytes_get_data (json, &n);

  return reply_text (connection, status, text, n, NULL, NULL);
}

enum MHD_Result
exo_reply_error (struct MHD_Connection *connection,
                 guint status,
                 const char *message,
                 const char *header,
                 const char *value)
{
  g_autofree char *text = g_strdup_printf ("{\"error\":\"%s\"}", message);

  return reply_text (connection, status, text, strlen (text), header, value);
}

size_t
exo_leave_escaped (void *cls, struct MHD_Connection *connection, char *text)
{
  return strlen (text);
}
