/* script-server.h - an HTTP server on loopback that answers as badly as a test wants
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Plain sockets: what the tests are about (a reset in the middle of a body, a body longer than
 * announced, half a header) is what an HTTP library will not send. A thread per connection.
 */

#pragma once

#include <gio/gio.h>

typedef struct ScriptServer ScriptServer;

typedef enum
{
  SCRIPT_KEEP,  /* the connection stays open for the next request */
  SCRIPT_CLOSE, /* closed in order */
  SCRIPT_RESET, /* closed with RST */
  SCRIPT_STALL, /* nothing more until the client goes */
} ScriptEnd;

typedef struct
{
  guint n;             /* requests before this one */
  char *method, *path; /* with the query, as sent */
  char *head;          /* all of it, for strstr() */
  char *body;
  gboolean has_range;
  guint64 first, last; /* of the Range header */
} ScriptRequest;

typedef struct
{
  GByteArray *bytes; /* what goes over the wire, status line and all */
  ScriptEnd end;
  gsize
      pause_at; /* bytes; 0: none. There it waits for a moment, so that the client is in the middle of them */
} ScriptReply;

/* Called in a thread of the server, one at a time. */
typedef void (*ScriptAnswer) (const ScriptRequest *request, ScriptReply *reply, gpointer user_data);

ScriptServer *script_server_new (ScriptAnswer answer, gpointer user_data);
void script_server_free (ScriptServer *server);
guint script_server_port (ScriptServer *server);
guint script_server_n_requests (ScriptServer *server);
guint script_server_n_connections (ScriptServer *server);
char *script_server_url (ScriptServer *server, const char *path);

void script_reply_printf (ScriptReply *reply, const char *format, ...) G_GNUC_PRINTF (2, 3);
void script_reply_bytes (ScriptReply *reply, gconstpointer bytes, gsize length);
/* A correct 206 (or 200 if no range was asked for) out of @entity; @more_headers: (nullable), each with its CRLF */
void script_reply_entity (ScriptReply *reply,
                          const ScriptRequest *request,
                          const guchar *entity,
                          gsize size,
                          const char *more_headers);

/* Value of a request header, or NULL */
char *script_request_header (const ScriptRequest *request, const char *name);
