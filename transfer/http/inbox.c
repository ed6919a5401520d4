/* inbox.c - see inbox.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/http/inbox.h"

typedef struct
{
  GSourceFunc function;
  gpointer data;
} Message;

/* Counted with g_atomic_rc_box: a message may free the inbox that runs it. */
struct ExoInbox
{
  GMainContext *context; /* counted */
  GMutex lock;           /* of the two below; taken last */
  GQueue messages;       /* Message */
  GSource *source;       /* (nullable): while there is something in messages */
};

static void
inbox_clear (gpointer data)
{
  ExoInbox *inbox = data;

  g_main_context_unref (inbox->context);
  g_mutex_clear (&inbox->lock);
}

ExoInbox *
exo_inbox_new (GMainContext *context)
{
  ExoInbox *inbox = g_atomic_rc_box_new0 (ExoInbox);

  inbox->context = g_main_context_ref (context);
  g_mutex_init (&inbox->lock);
  g_queue_init (&inbox->messages);
  return inbox;
}

static Message *
take_one (ExoInbox *inbox)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&inbox->lock);

  return g_queue_pop_head (&inbox->messages);
}

static void
run_at_most (ExoInbox *inbox, guint n)
{
  Message *message;

  for (; n > 0 && (message = take_one (inbox)) != NULL; n--)
    {
      message->function (message->data);
      g_free (message);
    }
}

/* Those that come while it runs are for the next turn of the loop: other sources want theirs, too. */
static gboolean
on_messages (gpointer data)
{
  ExoInbox *inbox = g_atomic_rc_box_acquire (data);
  gboolean more;
  guint n;

  g_mutex_lock (&inbox->lock);
  n = g_queue_get_length (&inbox->messages);
  g_mutex_unlock (&inbox->lock);
  run_at_most (inbox, n);

  g_mutex_lock (&inbox->lock);
  more = !g_queue_is_empty (&inbox->messages);
  if (!more)
    g_clear_pointer (&inbox->source, g_source_unref);
  g_mutex_unlock (&inbox->lock);
  g_atomic_rc_box_release_full (inbox, inbox_clear);
  return more ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

void
exo_inbox_post (ExoInbox *inbox, GSourceFunc function, gpointer data)
{
  Message *message = g_new (Message, 1);
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&inbox->lock);

  *message = (Message){ function, data };
  g_queue_push_tail (&inbox->messages, message);
  if (inbox->source != NULL)
    return;
  inbox->source = g_idle_source_new ();
  g_source_set_priority (inbox->source, G_PRIORITY_DEFAULT);
  g_source_set_callback (inbox->source, on_messages, inbox, NULL);
  g_source_attach (inbox->source, inbox->context);
}

void
exo_inbox_flush (ExoInbox *inbox)
{
  run_at_most (inbox, G_MAXUINT);
}

void
exo_inbox_free (ExoInbox *inbox)
{
  if (inbox == NULL)
    return;
  exo_inbox_flush (inbox);
  if (inbox->source != NULL)
    g_source_destroy (inbox->source);
  g_clear_pointer (&inbox->source, g_source_unref);
  g_atomic_rc_box_release_full (inbox, inbox_clear);
}
