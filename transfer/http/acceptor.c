/* acceptor.c - see acceptor.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/http/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <unistd.h>

#define ACCEPT_BATCH 64
#define BACKLOG      128

struct ExoAcceptor
{
  int fd;         /* owned */
  int reserve_fd; /* owned; -1 */
  GSource *source;
  ExoAccepted accepted;
  gpointer user_data;
};

/* With no file left to open, accept() fails and the socket stays readable: without this the main loop would spin. */
static void
turn_one_away (ExoAcceptor *acceptor)
{
  int fd;

  if (acceptor->reserve_fd < 0)
    return;
  close (acceptor->reserve_fd);
  fd = accept4 (acceptor->fd, NULL, NULL, SOCK_CLOEXEC);
  if (fd >= 0)
    close (fd);
  acceptor->reserve_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
}

static gboolean
on_acceptable (int listener, GIOCondition condition, gpointer data)
{
  ExoAcceptor *acceptor = data;

  for (guint i = 0; i < ACCEPT_BATCH; i++)
    {
      struct sockaddr_storage peer;
      socklen_t n = sizeof peer;
      int fd = accept4 (listener, (struct sockaddr *) &peer, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);

      if (fd >= 0)
        acceptor->accepted (fd, &peer, n, acceptor->user_data);
      else if (errno == EMFILE || errno == ENFILE)
        {
          turn_one_away (acceptor);
          return G_SOURCE_CONTINUE;
        }
      else if (errno == EAGAIN)
        return G_SOURCE_CONTINUE;
    }
  return G_SOURCE_CONTINUE;
}

ExoAcceptor *
exo_acceptor_new (int fd, GMainContext *context, ExoAccepted accepted, gpointer user_data)
{
  ExoAcceptor *acceptor = g_new0 (ExoAcceptor, 1);

  acceptor->fd = fd;
  acceptor->reserve_fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  acceptor->accepted = accepted;
  acceptor->user_data = user_data;
  acceptor->source = g_unix_fd_source_new (fd, G_IO_IN);
  g_source_set_callback (acceptor->source, G_SOURCE_FUNC (on_acceptable), acceptor, NULL);
  g_source_attach (acceptor->source, context);
  return acceptor;
}

void
exo_acceptor_free (ExoAcceptor *acceptor)
{
  if (acceptor == NULL)
    return;
  g_source_destroy (acceptor->source);
  g_source_unref (acceptor->source);
  close (acceptor->fd);
  if (acceptor->reserve_fd >= 0)
    close (acceptor->reserve_fd);
  g_free (acceptor);
}

int
exo_listen_on (const struct sockaddr_storage *address, socklen_t size)
{
  const int on = 1;
  int fd = socket (address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), saved;

  if (fd < 0)
    return -1;
  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address->ss_family == AF_INET6)
    setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind (fd, (const struct sockaddr *) address, size) == 0 && listen (fd, BACKLOG) == 0)
    return fd;
  saved = errno;
  close (fd);
  errno = saved;
  return -1;
}

guint16
exo_bound_port (int fd)
{
  struct sockaddr_storage native;
  socklen_t n = sizeof native;

  if (getsockname (fd, (struct sockaddr *) &native, &n) != 0)
    return 0;
  return ntohs (native.ss_family == AF_INET
                    ? ((struct sockaddr_in *) (void *) &native)->sin_port
                    : ((struct sockaddr_in6 *) (void *) &native)->sin6_port);
}
