/* raw-client.h - what tests of our HTTP servers share: a client made of plain sockets, and a main thread for the server
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The client blocks, for 20 s at most. The server's main context runs in a thread of its own beside it.
 */

#pragma once

#include <glib.h>

typedef struct
{
  guint status; /* 0: closed without an answer */
  char *head;
  GByteArray *body;
} Answer;

void answer_clear (Answer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Answer, answer_clear)

/* @from: the address to come from; @receive_buffer: bytes, 0: the system's choice. Returns: -1 if it was refused */
int client_from (guint16 port, const char *from, int receive_buffer);
gboolean say (int fd, const char *text, gsize n);
gboolean read_exactly (int fd, guint8 *bytes, gsize n);
/* Returns: FALSE if the connection was closed without a status. @answer must be clear. */
gboolean read_head (int fd, Answer *answer);
/* With its body, of the length its head says. @head_only: the answer to HEAD */
gboolean hear (int fd, gboolean head_only, Answer *answer);
gboolean body_is (const Answer *answer, const char *text);

typedef struct MainThread MainThread;
typedef void (*MainFunction) (gpointer fixture, gpointer data);

MainThread *main_thread_new (void);
/* Runs @function in it, and returns after it. */
void main_thread_call (MainThread *thread, MainFunction function, gpointer fixture, gpointer data);
void main_thread_free (MainThread *thread);
