/* tell.c - what happened, told from the main loop
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who listens may do anything: pause or cancel the transfer it hears of, pull another one. So nothing is signalled from the
 * midst of what changes. It is noted there, and told in the next turn of the main loop, when everything is as it is going to
 * be; several changes in one turn are told once.
 *
 * That a transfer or a node came or went is told at once, as the last thing that is done about it: it is in the list or not.
 */

#include "transfer/engine-private.h"

typedef struct
{
  const char *signal; /* static: "warning", "node-failed" */
  char *about, *message;
} Notice;

void
exo_notice_free (gpointer data)
{
  Notice *notice = data;

  g_free (notice->about);
  g_free (notice->message);
  g_free (notice);
}

static void
tell_notices (ExoEngine *engine, GPtrArray *notices)
{
  for (guint i = 0; i < notices->len; i++)
    {
      const Notice *notice = g_ptr_array_index (notices, i);
      g_signal_emit_by_name (engine, notice->signal, notice->about, notice->message);
    }
}

/* Each kept, as a handler may be the end of it or of others. */
static GPtrArray *
keep_all (GPtrArray *objects)
{
  g_ptr_array_set_free_func (objects, g_object_unref);
  g_ptr_array_foreach (objects, (GFunc) (void *) g_object_ref, NULL);
  return objects;
}

static gboolean
tell (gpointer user_data)
{
  g_autoptr (ExoEngine) engine = g_object_ref (user_data);
  g_autoptr (GPtrArray) transfers = keep_all (exo_engine_transfers (engine));
  g_autoptr (GPtrArray) nodes = keep_all (exo_engine_nodes (engine));
  g_autoptr (GPtrArray) forgotten G_GNUC_UNUSED = g_steal_pointer (&engine->forgotten);
  g_autoptr (GPtrArray) notices = g_steal_pointer (&engine->notices);

  engine->tell_source = 0;
  engine->forgotten = g_ptr_array_new_with_free_func (g_object_unref);
  engine->notices = g_ptr_array_new_with_free_func (exo_notice_free);
  for (guint i = 0; i < transfers->len; i++)
    exo_transfer_tell (g_ptr_array_index (transfers, i));
  for (guint i = 0; i < nodes->len; i++)
    exo_node_tell (g_ptr_array_index (nodes, i));
  tell_notices (engine, notices);
  return G_SOURCE_REMOVE;
}

void
exo_engine_tell_soon (ExoEngine *engine)
{
  if (engine->tell_source == 0 && !engine->stopping)
    engine->tell_source = g_idle_add_full (G_PRIORITY_DEFAULT, tell, engine, NULL);
}

void
exo_engine_notice (ExoEngine *engine, const char *signal, const char *about, const char *message)
{
  Notice *notice = g_new (Notice, 1);

  *notice = (Notice){ signal, g_strdup (about), g_strdup (message) };
  g_ptr_array_add (engine->notices, notice);
  exo_engine_tell_soon (engine);
}
