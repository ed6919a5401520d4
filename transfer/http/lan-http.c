/* lan-http.c - libmicrohttpd's callbacks: routes and bodies; see lan-private.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything here runs on libmicrohttpd's threads.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "transfer/http/lan-private.h"
#include "transfer/http/range.h"
#include "transfer/http/reply.h"
#include "transfer/oid.h"

/* Requests -------------------------------------------------------------------------------- */

static LanConn *
conn_of (struct MHD_Connection *connection)
{
  return MHD_get_connection_info (connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static ExoLanRequest *
request_new (ExoLanServer *server, struct MHD_Connection *connection)
{
  ExoLanRequest *request = g_atomic_rc_box_new0 (ExoLanRequest);

  request->server = exo_lan_server_ref (server);
  request->connection = connection;
  request->conn = conn_of (connection);
  return request;
}

static void
request_clear (gpointer data)
{
  ExoLanRequest *request = data;

  g_clear_pointer (&request->body, g_byte_array_unref);
  g_clear_pointer (&request->stream, exo_lan_stream_unref);
  g_clear_pointer (&request->json, g_bytes_unref);
  for (gsize i = 0; i < G_N_ELEMENTS (request->args); i++)
    g_free (request->args[i]);
  exo_lan_server_unref (request->server);
}

ExoLanRequest *
exo_lan_request_ref (ExoLanRequest *request)
{
  return g_atomic_rc_box_acquire (request);
}

void
exo_lan_request_unref (ExoLanRequest *request)
{
  g_atomic_rc_box_release_full (request, request_clear);
}

void
exo_lan_suspend_locked (ExoLanRequest *request, LanRequestState state)
{
  request->state = state;
  request->suspended = TRUE;
  MHD_suspend_connection (request->connection);
}

void
exo_lan_resume_locked (ExoLanRequest *request, LanRequestState state)
{
  if (!request->suspended)
    return; /* the server closed meanwhile */
  request->state = state;
  request->suspended = FALSE;
  MHD_resume_connection (request->connection);
}

/* Blobs ----------------------------------------------------------------------------------- */

typedef struct
{
  int fd; /* owned; -1 */
  guint64 size, first, length;
  ExoRangeKind kind;
} BlobPart;

static gboolean
holds (const LanShare *share, guint64 first, guint64 length)
{
  guint64 piece_size = exo_piece_size_for (share->size);

  if (share->map == NULL || length == 0)
    return TRUE;
  for (guint64 i = first / piece_size; i <= (first + length - 1) / piece_size; i++)
    if (!exo_piece_map_has (share->map, (guint32) i))
      return FALSE;
  return TRUE;
}

typedef enum
{
  PART_UNKNOWN, /* no such share */
  PART_MISSING,
  PART_UNSATISFIABLE,
  PART_FOUND,
  PART_TROUBLE,
} PartResult;

/* The range that the request asks for, of the share as it is now. */
static PartResult
find_part_locked (ExoLanRequest *request, const char *oid, const char *range, BlobPart *out_part)
{
  LanShare *share = g_hash_table_lookup (request->server->shares, oid);

  if (share == NULL)
    return PART_UNKNOWN;
  share->used_us = g_get_monotonic_time ();
  out_part->size = share->size;
  out_part->kind = exo_range_parse (range, share->size, &out_part->first, &out_part->length);
  if (out_part->kind == EXO_RANGE_UNSATISFIABLE)
    return PART_UNSATISFIABLE;
  if (!holds (share, out_part->first, out_part->length))
    return PART_MISSING;
  out_part->fd = fcntl (share->fd, F_DUPFD_CLOEXEC, 0);
  return out_part->fd >= 0 ? PART_FOUND : PART_TROUBLE;
}

/* Consumes part->fd. */
static enum MHD_Result
send_part (ExoLanRequest *request, const char *oid, const BlobPart *part)
{
  g_autofree char *etag = g_strdup_printf ("\"%s\"", oid);
  struct MHD_Response *response;

  if (part->length == 0)
    {
      close (part->fd);
      response = MHD_create_response_from_buffer (0, NULL, MHD_RESPMEM_PERSISTENT);
    }
  else
    response = MHD_create_response_from_fd_at_offset64 (part->length, part->fd, part->first);
  if (response == NULL)
    {
      close (part->fd);
      return MHD_NO;
    }
  MHD_add_response_header (response, MHD_HTTP_HEADER_ETAG, etag);
  MHD_add_response_header (response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
  if (part->kind == EXO_RANGE_PART)
    {
      g_autofree char *range =
          g_strdup_printf ("bytes %" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT,
                           part->first, part->first + part->length - 1, part->size);

      return exo_reply (request->connection, MHD_HTTP_PARTIAL_CONTENT, response,
                        "application/octet-stream", MHD_HTTP_HEADER_CONTENT_RANGE, range);
    }
  return exo_reply (request->connection, MHD_HTTP_OK, response, "application/octet-stream", NULL,
                    NULL);
}

static enum MHD_Result
reply_not_found (ExoLanRequest *request, PartResult result, guint64 size)
{
  g_autofree char *range = NULL;

  switch (result)
    {
    case PART_UNKNOWN:
      return exo_reply_error (request->connection, MHD_HTTP_NOT_FOUND, "no such blob here", NULL,
                              NULL);
    case PART_MISSING:
      return exo_reply_error (request->connection, MHD_HTTP_NOT_FOUND,
                              "not all of these bytes are here yet", NULL, NULL);
    case PART_UNSATISFIABLE:
      range = g_strdup_printf ("bytes */%" G_GUINT64_FORMAT, size);
      return exo_reply_error (request->connection, MHD_HTTP_RANGE_NOT_SATISFIABLE,
                              "one range of bytes inside the blob is served",
                              MHD_HTTP_HEADER_CONTENT_RANGE, range);
    case PART_TROUBLE:
    case PART_FOUND:
    default:
      return exo_reply_error (request->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                              "too many files are open here, try again",
                              MHD_HTTP_HEADER_RETRY_AFTER, "1");
    }
}

static enum MHD_Result
answer_blob (ExoLanRequest *request, const char *oid, gboolean head)
{
  ExoLanServer *server = request->server;
  const char *range =
      MHD_lookup_connection_value (request->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_RANGE);
  BlobPart part = { .fd = -1 };
  LanSlot slot = LAN_SLOT_GIVEN;
  PartResult result;

  g_mutex_lock (&server->lock);
  result = find_part_locked (request, oid, range, &part);
  if (result == PART_FOUND && !head && part.length >= EXO_LAN_FREE_BYTES && !request->has_slot)
    slot = exo_lan_slot_take_locked (request);
  g_mutex_unlock (&server->lock);

  if (result == PART_UNKNOWN && !request->looked_up)
    {
      request->looked_up = TRUE;
      return exo_lan_ask (request, LAN_ASK_LOOKUP, oid, NULL, NULL) ? MHD_YES : MHD_NO;
    }
  request->length = head ? 0 : part.length;
  if (result == PART_FOUND && slot == LAN_SLOT_GIVEN)
    return send_part (request, oid, &part);
  if (part.fd >= 0)
    close (part.fd);
  if (slot == LAN_SLOT_QUEUED)
    return MHD_YES;
  if (slot == LAN_SLOT_REFUSED)
    return exo_reply_error (request->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                            "too many wait for an upload, try again", MHD_HTTP_HEADER_RETRY_AFTER,
                            "1");
  return reply_not_found (request, result, part.size);
}

/* Routes ---------------------------------------------------------------------------------- */

static enum MHD_Result
ask_or_answer (ExoLanRequest *request, LanAsk ask, const char *a, const char *b, const char *c)
{
  if (request->state == LAN_REQUEST_READY)
    return exo_reply_json (request->connection, request->status, request->json);
  return exo_lan_ask (request, ask, a, b, c) ? MHD_YES : MHD_NO;
}

static enum MHD_Result
answer_blobs (ExoLanRequest *request, const char *rest, gboolean head)
{
  const char *slash = strchr (rest, '/');
  g_autofree char *oid = slash != NULL ? g_strndup (rest, (gsize) (slash - rest)) : g_strdup (rest);

  if (exo_oid_kind (oid) == EXO_OID_NONE)
    return exo_reply_error (request->connection, MHD_HTTP_NOT_FOUND, "that is no oid", NULL, NULL);
  if (slash == NULL)
    return answer_blob (request, oid, head);
  if (strcmp (slash, "/pieces") == 0)
    return ask_or_answer (request, LAN_ASK_DIGESTS, oid, NULL, NULL);
  return exo_reply_error (request->connection, MHD_HTTP_NOT_FOUND, "no such path", NULL, NULL);
}

/* Percent-decoded; NULL if it is malformed, empty, or has control characters. @slashes: an encoded slash may be in it */
static char *
decode (const char *segment, gboolean slashes)
{
  g_autofree char *text = g_uri_unescape_string (segment, slashes ? NULL : "/");

  if (text == NULL || *text == '\0' || !g_utf8_validate (text, -1, NULL))
    return NULL;
  for (const char *p = text; *p != '\0'; p++)
    if ((guchar) *p < 0x20 || *p == 0x7f)
      return NULL;
  return g_steal_pointer (&text);
}

/* {type}/{org}/{name}/{revision}, or {type}/{name}/{revision} */
static enum MHD_Result
answer_manifest (ExoLanRequest *request, const char *rest)
{
  g_auto (GStrv) parts = g_strsplit (rest, "/", 5);
  guint n = g_strv_length (parts);
  g_autofree char *type = NULL, *org = NULL, *name = NULL, *revision = NULL, *id = NULL;

  if (n == 3 || n == 4)
    {
      type = decode (parts[0], FALSE);
      org = n == 4 ? decode (parts[1], FALSE) : g_strdup ("");
      name = decode (parts[n - 2], FALSE);
      revision = decode (parts[n - 1], TRUE);
    }
  if (type == NULL || org == NULL || name == NULL || revision == NULL)
    return exo_reply_error (request->connection, MHD_HTTP_NOT_FOUND, "no such path", NULL, NULL);
  id = n == 4 ? g_strconcat (org, "/", name, NULL) : g_strdup (name);
  return ask_or_answer (request, LAN_ASK_MANIFEST, type, id, revision);
}

static enum MHD_Result
answer_get (ExoLanRequest *request, const char *path, gboolean head)
{
  if (strcmp (path, "node") == 0)
    return ask_or_answer (request, LAN_ASK_CARD, NULL, NULL, NULL);
  if (g_str_has_prefix (path, "blobs/"))
    return answer_blobs (request, path + strlen ("blobs/"), head);
  if (g_str_has_prefix (path, "manifests/"))
    return answer_manifest (request, path + strlen ("manifests/"));
  return exo_reply_error (request->connection, MHD_HTTP_NOT_FOUND, "no such path", NULL, NULL);
}

static enum MHD_Result
answer_swarm (ExoLanRequest *request)
{
  if (request->body == NULL ||
      !g_utf8_validate_len ((const char *) request->body->data, request->body->len, NULL))
    return exo_reply_error (request->connection, MHD_HTTP_BAD_REQUEST, "the body is not JSON", NULL,
                            NULL);
  g_byte_array_append (request->body, (const guint8 *) "", 1);
  return exo_lan_stream_open (request);
}

static gboolean
is_other_version (const char *url)
{
  const char *p = url + 2;

  if (url[0] != '/' || url[1] != 'v' || !g_ascii_isdigit (*p))
    return FALSE;
  while (g_ascii_isdigit (*p))
    p++;
  return *p == '/' || *p == '\0';
}

static enum MHD_Result
answer (ExoLanRequest *request, const char *url, const char *method)
{
  gboolean head = strcmp (method, MHD_HTTP_METHOD_HEAD) == 0;
  gboolean swarm = strcmp (url, "/v1/swarm") == 0;
  const char *allowed = swarm ? "POST" : "GET, HEAD";

  /* A browser says where its page came from; no page has business here. */
  if (MHD_lookup_connection_value (request->connection, MHD_HEADER_KIND, "Origin") != NULL)
    return exo_reply_error (request->connection, MHD_HTTP_FORBIDDEN, "not for web pages", NULL,
                            NULL);
  if (!g_str_has_prefix (url, "/v1/"))
    return exo_reply_error (request->connection, MHD_HTTP_NOT_FOUND,
                            is_other_version (url)
                                ? "this node speaks version 1 of the protocol: /v1/"
                                : "no such path",
                            NULL, NULL);
  if (swarm && strcmp (method, MHD_HTTP_METHOD_POST) == 0)
    return answer_swarm (request);
  if (swarm || (!head && strcmp (method, MHD_HTTP_METHOD_GET) != 0))
    return exo_reply_error (request->connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                            "another method is wanted", MHD_HTTP_HEADER_ALLOW, allowed);
  return answer_get (request, url + strlen ("/v1/"), head);
}

/* Bodies ---------------------------------------------------------------------------------- */

/* Not MHD_NO at once for a length past the limit: the client would see a reset instead of the reason. */
static enum MHD_Result
begin (ExoLanRequest *request, const char *url, const char *method)
{
  const char *length = MHD_lookup_connection_value (request->connection, MHD_HEADER_KIND,
                                                    MHD_HTTP_HEADER_CONTENT_LENGTH);
  guint64 n = 0;

  if (length != NULL &&
      (!g_ascii_string_to_unsigned (length, 10, 0, G_MAXUINT64, &n, NULL) || n > EXO_LAN_BODY_MAX))
    return exo_reply_error (request->connection, MHD_HTTP_CONTENT_TOO_LARGE,
                            "the body is too large", NULL, NULL);
  if (strcmp (method, MHD_HTTP_METHOD_POST) == 0 && strcmp (url, "/v1/swarm") == 0)
    request->body = g_byte_array_new ();
  return MHD_YES;
}

static enum MHD_Result
take_body (ExoLanRequest *request, const char *data, gsize n)
{
  ExoLanServer *server = request->server;
  gboolean fits;

  if (request->body == NULL)
    return MHD_YES; /* of a request that has none: not kept, and over within the time for a request */
  g_mutex_lock (&server->lock);
  fits = n <= EXO_LAN_BODY_MAX - request->body->len && n <= EXO_LAN_BODIES_MAX - server->bodies;
  if (fits)
    {
      server->bodies += n;
      request->body_counted += n;
    }
  g_mutex_unlock (&server->lock);
  if (!fits)
    return MHD_NO; /* libmicrohttpd takes no answer in the middle of a body */
  g_byte_array_append (request->body, (const guint8 *) data, (guint) n);
  return MHD_YES;
}

/* libmicrohttpd's callbacks ------------------------------------------------------------------ */

enum MHD_Result
exo_lan_on_request (void *cls,
                    struct MHD_Connection *connection,
                    const char *url,
                    const char *method,
                    const char *version,
                    const char *upload_data,
                    size_t *upload_data_size,
                    void **req_cls)
{
  ExoLanServer *server = cls;
  ExoLanRequest *request = *req_cls;
  gboolean close_it;

  if (request == NULL)
    {
      request = *req_cls = request_new (server, connection);
      return begin (request, url, method);
    }
  if (*upload_data_size > 0)
    {
      gsize n = *upload_data_size;

      *upload_data_size = 0;
      return take_body (request, upload_data, n);
    }
  g_mutex_lock (&server->lock);
  request->conn->reading = FALSE;
  request->conn->request = request;
  server->bodies -= request->body_counted;
  request->body_counted = 0;
  close_it = server->closing || request->state == LAN_REQUEST_GONE;
  g_mutex_unlock (&server->lock);
  return close_it ? MHD_NO : answer (request, url, method);
}

void
exo_lan_on_completed (void *cls,
                      struct MHD_Connection *connection,
                      void **req_cls,
                      enum MHD_RequestTerminationCode code)
{
  ExoLanServer *server = cls;
  ExoLanRequest *request = *req_cls;

  if (request == NULL)
    return;
  *req_cls = NULL;
  g_mutex_lock (&server->lock);
  if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
    server->bytes_served += request->length;
  server->bodies -= request->body_counted;
  request->body_counted = 0;
  exo_lan_slot_release_locked (request);
  if (request->stream != NULL)
    exo_lan_stream_detach_locked (request->stream);
  request->conn->request = NULL;
  request->conn->reading = TRUE;
  request->conn->since_us = g_get_monotonic_time ();
  exo_lan_tick_locked (server);
  g_mutex_unlock (&server->lock);
  exo_lan_request_unref (request);
}

void
exo_lan_on_connection (void *cls,
                       struct MHD_Connection *connection,
                       void **socket_context,
                       enum MHD_ConnectionNotificationCode code)
{
  ExoLanServer *server = cls;
  LanConn *conn = *socket_context;

  g_mutex_lock (&server->lock);
  if (code == MHD_CONNECTION_NOTIFY_STARTED)
    *socket_context = exo_lan_conn_started_locked (server, connection);
  else
    exo_lan_conn_closed_locked (server, conn);
  g_mutex_unlock (&server->lock);
}
