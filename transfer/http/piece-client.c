/* piece-client.c - see piece-client.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *   CONNECTING -> ASKING -> HEAD -> BODY -> IDLE -> ASKING ...
 *
 * A second request may be behind the one under way (RFC 9112 9.3.2): the neighbour begins with its answer when the first has left.
 *
 * A connection that ends leaves its memory for exo_piece_client_sweep(): later events of the same batch may still name it.
 */

#include "transfer/http/piece-client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transfer/error.h"
#include "transfer/http/content-range.h"

#define SCHEME      "http://"
#define HEAD_BYTES  (8u << 10)            /* of one answer; more than ours is no neighbour's */
#define LOWAT_BYTES (128 << 10)           /* a wake-up for less than this is not worth its while */
#define IDLE_US     (25 * G_USEC_PER_SEC) /* neighbours close after 30 s without a request */
#define IDLE_MAX    128u                  /* connections kept: some 50 neighbours, two each */

typedef enum
{
  PIECE_CONNECTING,
  PIECE_ASKING,
  PIECE_HEAD,
  PIECE_BODY,
  PIECE_IDLE,
  PIECE_CLOSED,
} PieceState;

struct ExoPieceConn
{
  ExoPieceClient *client;
  char *authority; /* "10.0.0.1:52418" */
  int fd;
  PieceState state;
  guint32 watched; /* epoll events */
  int lowat;
  gboolean used; /* has brought an answer before: may have been closed at the other end meanwhile */
  gboolean closes; /* the server says that this answer is the last */
  gint64 idle_us;  /* since */
  ExoFetch *fetch; /* (nullable): borrowed; of the request under way */
  ExoFetch *next;  /* (nullable): borrowed; asked for already, its answer comes behind that */
  GString *request;
  gsize n_sent;
  char head[HEAD_BYTES];
  gsize n_head;
};

struct ExoPieceClient
{
  int epoll_fd; /* borrowed */
  const char *user_agent;
  void (*finished) (ExoFetch *fetch, gpointer user_data);
  gpointer user_data;
  GHashTable
      *idle; /* authority -> GPtrArray of ExoPieceConn, the latest last; the array is owned */
  GPtrArray *conns; /* all that are not closed */
  GPtrArray *closed;
  guint n_idle;
};

static void ask (ExoPieceClient *client, ExoFetch *fetch);

/* Connections --------------------------------------------------------------------------------------- */

static void
watch (ExoPieceConn *conn, guint32 events)
{
  struct epoll_event event = { .events = events, .data.ptr = conn };

  if (conn->watched == events)
    return;
  epoll_ctl (conn->client->epoll_fd, conn->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, conn->fd,
             &event);
  conn->watched = events;
}

static void
leave_idle (ExoPieceConn *conn)
{
  GPtrArray *others = g_hash_table_lookup (conn->client->idle, conn->authority);

  if (conn->state != PIECE_IDLE)
    return;
  g_ptr_array_remove (others, conn);
  conn->client->n_idle--;
  if (others->len == 0)
    g_hash_table_remove (conn->client->idle, conn->authority);
}

/* What was to come behind is asked for anew. */
static void
close_conn (ExoPieceConn *conn)
{
  ExoPieceClient *client = conn->client;
  ExoFetch *next = g_steal_pointer (&conn->next);

  if (conn->state == PIECE_CLOSED)
    return;
  leave_idle (conn);
  close (conn->fd); /* epoll forgets it */
  if (conn->fetch != NULL)
    conn->fetch->piece_conn = NULL;
  conn->fetch = NULL;
  conn->state = PIECE_CLOSED;
  g_ptr_array_remove_fast (client->conns, conn);
  g_ptr_array_add (client->closed, conn);
  if (next != NULL)
    {
      next->piece_conn = NULL;
      ask (client, next);
    }
}

static void
conn_free (gpointer data)
{
  ExoPieceConn *conn = data;

  g_string_free (conn->request, TRUE);
  g_free (conn->authority);
  g_free (conn);
}

static void
set_lowat (ExoPieceConn *conn, gsize bytes)
{
  int lowat = (int) MIN (bytes, LOWAT_BYTES);

  if (lowat == conn->lowat)
    return;
  conn->lowat = lowat;
  setsockopt (conn->fd, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof lowat);
}

/* The request is over; the connection may serve the next. */
static void
keep_or_close (ExoPieceConn *conn)
{
  ExoPieceClient *client = conn->client;
  GPtrArray *others;

  conn->fetch->piece_conn = NULL;
  conn->fetch = NULL;
  if (conn->closes || (conn->next == NULL && client->n_idle >= IDLE_MAX))
    {
      close_conn (conn);
      return;
    }
  set_lowat (conn, 1);
  conn->used = TRUE;
  if (conn->next != NULL)
    {
      conn->fetch = g_steal_pointer (&conn->next);
      conn->fetch->activity_us = g_get_monotonic_time ();
      conn->state = PIECE_HEAD;
      conn->n_head = 0;
      return;
    }
  conn->state = PIECE_IDLE;
  conn->idle_us = g_get_monotonic_time ();
  others = g_hash_table_lookup (client->idle, conn->authority);
  if (others == NULL)
    {
      others = g_ptr_array_new ();
      g_hash_table_insert (client->idle, g_strdup (conn->authority), others);
    }
  g_ptr_array_add (others, conn);
  client->n_idle++;
}

/* The end of a request ------------------------------------------------------------------------------- */

static void
end (ExoPieceConn *conn)
{
  ExoFetch *fetch = conn->fetch;

  keep_or_close (conn);
  conn->client->finished (fetch, conn->client->user_data);
}

/* Broken off by the other end, or by us because of what it sent. */
static void
break_off (ExoPieceConn *conn, const char *why)
{
  ExoFetch *fetch = conn->fetch;
  ExoPieceClient *client = conn->client;
  gboolean was_closed =
      conn->used && conn->n_head == 0 && (conn->state == PIECE_ASKING || conn->state == PIECE_HEAD);

  close_conn (conn);
  if (fetch == NULL) /* it was idle */
    return;
  if (was_closed && fetch->error == NULL)
    {
      ask (client, fetch); /* the request crossed with the close: RFC 9112 9.3.1 */
      return;
    }
  if (fetch->error == NULL)
    fetch->error = g_error_new_literal (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE, why);
  client->finished (fetch, client->user_data);
}

/* Answers ------------------------------------------------------------------------------------------- */

/* Body bytes still to come, of a body that was asked for or of one that explains why not. */
static guint64
body_left (const ExoPieceConn *conn)
{
  return conn->fetch->body_length - conn->fetch->result.n_received;
}

/* FALSE: that was all of it. */
static gboolean
body_came (ExoPieceConn *conn)
{
  ExoFetch *fetch = conn->fetch;

  if (fetch->error != NULL)
    conn->closes = TRUE;
  else if (body_left (conn) > 0)
    {
      gsize room = G_MAXSIZE;

      if (fetch->usable)
        exo_fetch_body_room (fetch, &room);
      set_lowat (conn, (gsize) MIN (body_left (conn), room));
      return TRUE;
    }
  end (conn);
  return FALSE;
}

/* TRUE: there is more. Otherwise the kernel tells when it is worth a call. */
static gboolean
receive_body (ExoPieceConn *conn)
{
  ExoFetch *fetch = conn->fetch;
  guchar explanation[EXO_FETCH_ERROR_BODY_MAX];
  gsize room = sizeof explanation;
  guchar *at = fetch->usable ? exo_fetch_body_room (fetch, &room) : explanation;
  gsize wanted = (gsize) MIN (room, body_left (conn));
  gssize n = recv (conn->fd, at, wanted, 0);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return FALSE;
  if (n <= 0)
    {
      break_off (conn, n == 0 ? "it closed the connection" : g_strerror (errno));
      return FALSE;
    }
  if (fetch->usable)
    exo_fetch_body_came (fetch, (gsize) n);
  else
    (void) exo_fetch_on_body ((char *) at, 1, (size_t) n, fetch);
  return body_came (conn) && (gsize) n == wanted;
}

/* FALSE: none can be told from what follows it. */
static gboolean
takes_body (ExoPieceConn *conn)
{
  ExoFetch *fetch = conn->fetch;
  const char *coding = g_hash_table_lookup (fetch->result.headers, "transfer-encoding");
  const char *length = g_hash_table_lookup (fetch->result.headers, "content-length");
  const char *connection = g_hash_table_lookup (fetch->result.headers, "connection");
  const char *end_of_number;

  conn->closes = memcmp (conn->head, "HTTP/1.1", 8) != 0 ||
                 (connection != NULL && g_ascii_strcasecmp (connection, "close") == 0);
  if (coding == NULL && length != NULL &&
      exo_decimal_parse (length, &end_of_number, &fetch->body_length) && *end_of_number == '\0')
    {
      if (!fetch->usable && fetch->body_length > EXO_FETCH_ERROR_BODY_MAX)
        {
          fetch->body_length = EXO_FETCH_ERROR_BODY_MAX;
          conn->closes = TRUE;
        }
      return TRUE;
    }
  if (fetch->usable)
    fetch->error = g_error_new_literal (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CHANGED,
                                        "the answer does not say how long it is");
  conn->closes = TRUE; /* what explains the status is not worth the trouble */
  return FALSE;
}

/* Header lines up to the empty one, each with its CRLF. Returns: their bytes; 0: not all are there */
static gsize
head_length (const ExoPieceConn *conn)
{
  const char *end_of_head = memmem (conn->head, conn->n_head, "\r\n\r\n", 4);

  return end_of_head != NULL ? (gsize) (end_of_head - conn->head) + 4 : 0;
}

static gboolean
parse_head (ExoPieceConn *conn, gsize length)
{
  for (gsize at = 0; at < length;)
    {
      const char *newline = memchr (conn->head + at, '\n', length - at);
      gsize n = (gsize) (newline - (conn->head + at)) + 1;

      if (exo_fetch_on_header (conn->head + at, 1, n, conn->fetch) != n)
        return FALSE;
      at += n;
    }
  return TRUE;
}

/* What came behind the head in the same go. */
static void
take_rest (ExoPieceConn *conn, const char *rest, gsize n)
{
  ExoFetch *fetch = conn->fetch;

  conn->state = PIECE_BODY;
  if (n > fetch->body_length)
    {
      n = (gsize) fetch->body_length;
      conn->closes = TRUE;
    }
  if (n > 0)
    (void) exo_fetch_on_body ((char *) rest, 1, n, fetch);
  (void) body_came (conn);
}

static void
take_head (ExoPieceConn *conn, gsize length)
{
  ExoFetch *fetch = conn->fetch;

  if (memcmp (conn->head, "HTTP/1.", 7) != 0 || !parse_head (conn, length))
    break_off (conn, "what it answers is not HTTP");
  else if (fetch->result.status < 200) /* 100 Continue and the like: the answer is still to come */
    {
      conn->n_head -= length;
      memmove (conn->head, conn->head + length, conn->n_head);
    }
  else if (takes_body (conn))
    take_rest (conn, conn->head + length, conn->n_head - length);
  else
    end (conn);
}

static void
receive_head (ExoPieceConn *conn)
{
  gssize n = recv (conn->fd, conn->head + conn->n_head, sizeof conn->head - conn->n_head, 0);
  gsize length;

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0)
    {
      break_off (conn, n == 0 ? "it closed the connection" : g_strerror (errno));
      return;
    }
  conn->fetch->activity_us = g_get_monotonic_time ();
  conn->n_head += (gsize) n;
  while (conn->state == PIECE_HEAD && (length = head_length (conn)) > 0)
    take_head (conn, length);
  if (conn->state == PIECE_HEAD && conn->n_head == sizeof conn->head)
    break_off (conn, "too many headers in the answer");
}

static void
receive (ExoPieceConn *conn)
{
  if (conn->state == PIECE_HEAD)
    receive_head (conn);
  else
    while (conn->state == PIECE_BODY && receive_body (conn))
      ;
}

/* Requests ------------------------------------------------------------------------------------------ */

static void
send_request (ExoPieceConn *conn)
{
  gssize n = send (conn->fd, conn->request->str + conn->n_sent, conn->request->len - conn->n_sent,
                   MSG_NOSIGNAL);

  if (n < 0 && errno != EAGAIN && errno != EINTR)
    {
      break_off (conn, g_strerror (errno));
      return;
    }
  conn->n_sent += (gsize) MAX (n, 0);
  if (conn->n_sent < conn->request->len)
    {
      watch (conn, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
      return;
    }
  conn->state = PIECE_HEAD;
  watch (conn, EPOLLIN | EPOLLRDHUP);
}

static void
write_request (ExoPieceConn *conn, const ExoFetch *fetch)
{
  const char *path = fetch->url + strlen (SCHEME) + strlen (conn->authority);

  g_string_printf (conn->request,
                   "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept-Encoding: identity\r\n"
                   "Range: bytes=%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT "\r\n\r\n",
                   path, conn->authority, conn->client->user_agent, fetch->first,
                   fetch->first + fetch->length - 1);
}

static void
begin_request (ExoPieceConn *conn, ExoFetch *fetch)
{
  write_request (conn, fetch);
  conn->fetch = fetch;
  fetch->piece_conn = conn;
  conn->n_sent = conn->n_head = 0;
}

static void
on_connected (ExoPieceConn *conn)
{
  int error = 0;
  socklen_t n = sizeof error;

  if (getsockopt (conn->fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0 || error != 0)
    {
      break_off (conn, g_strerror (error != 0 ? error : errno));
      return;
    }
  conn->fetch->connected = TRUE;
  conn->fetch->activity_us = g_get_monotonic_time ();
  conn->state = PIECE_ASKING;
  send_request (conn);
}

/* The socket of a neighbour's address, on its way to be connected; -1 with errno set. Addresses are numbers: nothing is looked up. */
static int
open_socket (const char *authority)
{
  g_autofree char *url = g_strconcat (SCHEME, authority, NULL);
  g_autofree char *host = NULL;
  g_autofree char *service = NULL;
  struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                            .ai_socktype = SOCK_STREAM };
  struct addrinfo *found = NULL;
  const int on = 1;
  int fd = -1, port, saved;

  errno = EINVAL;
  if (!g_uri_split_network (url, G_URI_FLAGS_NONE, NULL, &host, &port, NULL))
    return -1;
  service = g_strdup_printf ("%d", port > 0 ? port : 80);
  if (getaddrinfo (host, service, &hints, &found) != 0)
    {
      errno = EINVAL;
      return -1;
    }
  fd = socket (found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0)
    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (fd >= 0 && connect (fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS)
    {
      saved = errno;
      close (fd);
      errno = saved;
      fd = -1;
    }
  freeaddrinfo (found);
  return fd;
}

static char *
authority_of (const ExoFetch *fetch)
{
  const char *start = fetch->url + strlen (SCHEME);

  return g_strndup (start, strcspn (start, "/"));
}

/* The one used last: it has the widest congestion window. */
static ExoPieceConn *
take_idle (ExoPieceClient *client, const char *authority)
{
  GPtrArray *conns;

  while ((conns = g_hash_table_lookup (client->idle, authority)) != NULL)
    {
      ExoPieceConn *conn = g_ptr_array_index (conns, conns->len - 1);

      if (g_get_monotonic_time () - conn->idle_us < IDLE_US)
        {
          leave_idle (conn);
          return conn;
        }
      close_conn (conn);
    }
  return NULL;
}

static void
connect_anew (ExoPieceClient *client, ExoFetch *fetch, const char *authority)
{
  int fd = open_socket (authority);
  ExoPieceConn *conn;

  if (fd < 0)
    {
      fetch->error = g_error_new_literal (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE,
                                          g_strerror (errno));
      client->finished (fetch, client->user_data);
      return;
    }
  conn = g_new0 (ExoPieceConn, 1);
  conn->client = client;
  conn->authority = g_strdup (authority);
  conn->fd = fd;
  conn->lowat = 1;
  conn->request = g_string_new (NULL);
  g_ptr_array_add (client->conns, conn);
  begin_request (conn, fetch);
  watch (conn, EPOLLOUT);
}

/* Behind the answer that is coming from there, if one is and none waits behind it yet. */
static gboolean
ask_behind (ExoPieceClient *client, ExoFetch *fetch, const char *authority)
{
  for (guint i = 0; i < client->conns->len; i++)
    {
      ExoPieceConn *conn = g_ptr_array_index (client->conns, i);

      if (conn->state != PIECE_BODY || conn->next != NULL || conn->closes ||
          strcmp (conn->authority, authority) != 0)
        continue;
      write_request (conn, fetch);
      if (send (conn->fd, conn->request->str, conn->request->len, MSG_NOSIGNAL) !=
          (gssize) conn->request->len)
        {
          conn->closes = TRUE; /* half of a request may be on its way */
          continue;
        }
      conn->next = fetch;
      fetch->piece_conn = conn;
      fetch->connected = TRUE;
      return TRUE;
    }
  return FALSE;
}

static void
ask (ExoPieceClient *client, ExoFetch *fetch)
{
  g_autofree char *authority = authority_of (fetch);
  ExoPieceConn *conn = take_idle (client, authority);

  fetch->activity_us = g_get_monotonic_time (); /* it may be asked for a second time */
  fetch->connected = FALSE;
  if (conn == NULL && ask_behind (client, fetch, authority))
    return;
  if (conn == NULL)
    {
      connect_anew (client, fetch, authority);
      return;
    }
  begin_request (conn, fetch);
  fetch->connected = TRUE;
  conn->state = PIECE_ASKING;
  send_request (conn);
}

/* From outside -------------------------------------------------------------------------------------- */

ExoPieceClient *
exo_piece_client_new (int epoll_fd,
                      const char *user_agent,
                      void (*finished) (ExoFetch *fetch, gpointer user_data),
                      gpointer user_data)
{
  ExoPieceClient *client = g_new0 (ExoPieceClient, 1);

  client->epoll_fd = epoll_fd;
  client->user_agent = user_agent;
  client->finished = finished;
  client->user_data = user_data;
  client->idle =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_ptr_array_unref);
  client->conns = g_ptr_array_new ();
  client->closed = g_ptr_array_new_with_free_func (conn_free);
  return client;
}

void
exo_piece_client_free (ExoPieceClient *client)
{
  while (client->conns->len > 0)
    close_conn (g_ptr_array_index (client->conns, 0));
  g_ptr_array_unref (client->conns);
  g_ptr_array_unref (client->closed);
  g_hash_table_unref (client->idle);
  g_free (client);
}

gboolean
exo_piece_client_takes (const ExoFetch *fetch)
{
  return fetch->mode == EXO_FETCH_TO_FILE && fetch->lan && g_str_has_prefix (fetch->url, SCHEME);
}

void
exo_piece_client_start (ExoPieceClient *client, ExoFetch *fetch)
{
  ask (client, fetch);
}

void
exo_piece_client_drop (ExoPieceClient *client, ExoFetch *fetch)
{
  ExoPieceConn *conn = fetch->piece_conn;

  if (conn != NULL && conn->next == fetch)
    {
      conn->next = NULL;
      conn->closes =
          TRUE; /* its answer will come all the same: nobody is to take it for another's */
      fetch->piece_conn = NULL;
    }
  else if (conn != NULL)
    close_conn (conn);
}

void
exo_piece_client_event (ExoPieceClient *client, ExoPieceConn *conn, guint32 events)
{
  switch (conn->state)
    {
    case PIECE_CONNECTING:
      on_connected (conn);
      break;
    case PIECE_ASKING:
      if ((events & (EPOLLERR | EPOLLHUP)) != 0)
        break_off (conn, "it closed the connection");
      else
        send_request (conn);
      break;
    case PIECE_HEAD:
    case PIECE_BODY:
      receive (conn);
      break;
    case PIECE_IDLE: /* closed at the other end, or it speaks without being asked */
      close_conn (conn);
      break;
    case PIECE_CLOSED:
      break;
    }
}

gboolean
exo_piece_client_poke (ExoPieceClient *client, ExoFetch *fetch)
{
  gint64 before = fetch->activity_us;
  ExoPieceConn *conn = fetch->piece_conn;

  if (conn != NULL && conn->next == fetch)
    {
      fetch->activity_us = conn->fetch->activity_us; /* stalled is who is before it */
      return TRUE;
    }
  if (conn == NULL || (conn->state != PIECE_HEAD && conn->state != PIECE_BODY))
    return FALSE;
  receive (conn);
  return fetch->activity_us != before || fetch->io == NULL;
}

void
exo_piece_client_sweep (ExoPieceClient *client)
{
  if (client->closed->len > 0)
    g_ptr_array_set_size (client->closed, 0);
}
