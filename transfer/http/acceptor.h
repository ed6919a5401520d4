/* acceptor.h - a listening socket watched by the main loop
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * libmicrohttpd is handed accepted connections (MHD_add_connection()) and does not listen itself: so connections are
 * counted before they cost anything, and a process that has no file left to open does not spin. Main thread only.
 */

#pragma once

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

typedef struct ExoAcceptor ExoAcceptor;

/* @fd: (transfer full): of a connection; close on exec, not blocking. Must not free the acceptor. */
typedef void (*ExoAccepted) (int fd,
                             const struct sockaddr_storage *peer,
                             socklen_t peer_size,
                             gpointer user_data);

/* @fd: (transfer full): listening, not blocking */
ExoAcceptor *
exo_acceptor_new (int fd, GMainContext *context, ExoAccepted accepted, gpointer user_data);
void exo_acceptor_free (ExoAcceptor *acceptor); /* NULL is fine */

/* Returns: a listening socket, -1 with errno set. IPv6 is IPv6 alone. */
int exo_listen_on (const struct sockaddr_storage *address, socklen_t size);
/* The port that @fd is bound to; 0 if none. */
guint16 exo_bound_port (int fd);

G_END_DECLS
