/* test-storm.c - who listens to a transfer may do anything to it, at any moment
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pause, resume, cancel and pull of one model at random points, from outside and from within signals. What comes when
 * depends on threads, so that a run is not repeated by its seed; what is asserted always holds. Most of what may go wrong is
 * for the address sanitizer to see.
 */

#include <string.h>

#include "tests/unit/engine-lab.h"
#include "tests/unit/suite.h"
#include "transfer/engine-private.h"

#define N_ACTIONS 500u
#define TURNS_MAX 12
#define NO_MODEL  "org/other" /* the Hub does not have it */
#define DEPTH_MAX 3u          /* of actions from within signals of actions */

typedef struct
{
  LabNode node;
  GRand *rand;
  gboolean from_signals; /* some, not all */
  guint depth;
  guint n_signals, n_removed;
  guint beat; /* a source: turns come to an end also when nothing happens */
} Storm;

static void act (Storm *storm);

static void
maybe_act (Storm *storm)
{
  storm->n_signals++;
  if (storm->from_signals && storm->depth < DEPTH_MAX && g_rand_int_range (storm->rand, 0, 3) == 0)
    act (storm);
}

static void
on_changed (gpointer source, gpointer user_data)
{
  maybe_act (user_data);
}

static void
on_added (ExoEngine *engine, ExoTransfer *transfer, gpointer user_data)
{
  g_signal_connect (transfer, "changed", G_CALLBACK (on_changed), user_data);
  maybe_act (user_data);
}

static void
on_removed (ExoEngine *engine, ExoTransfer *transfer, gpointer user_data)
{
  Storm *storm = user_data;

  g_signal_handlers_disconnect_by_data (transfer, storm);
  storm->n_removed++;
  CU_ASSERT_FALSE (exo_transfer_resume (transfer, NULL)); /* nor anything else */
  CU_ASSERT_FALSE (exo_transfer_pause (transfer, NULL));
  CU_ASSERT_FALSE (exo_transfer_cancel (transfer, NULL));
  maybe_act (storm);
}

static void
on_warning (ExoEngine *engine, const char *kind, const char *message, gpointer user_data)
{
  maybe_act (user_data);
}

/* Nobody else is here: it would be its own, not given up yet. */
static gboolean
waits_for_a_lock (ExoTransfer *transfer)
{
  for (guint i = 0; transfer->files != NULL && i < transfer->files->len; i++)
    {
      const ExoTransferFile *file = exo_transfer_file (transfer, i);

      if (file->want != NULL && exo_want_state (file->want) == EXO_WANT_LOCKED)
        return TRUE;
    }
  return FALSE;
}

/* What rests holds nothing and waits for nothing; nothing fails that should not. */
static void
check (Storm *storm)
{
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (storm->node.engine);

  CU_ASSERT_TRUE (transfers->len <= 2); /* a second pull is the same one */
  for (guint i = 0; i < transfers->len; i++)
    {
      ExoTransfer *transfer = g_ptr_array_index (transfers, i);

      CU_ASSERT_FALSE (transfer->forgotten);
      CU_ASSERT_FALSE (waits_for_a_lock (transfer));
      CU_ASSERT_TRUE (transfer->state != EXO_TRANSFER_FAILED ||
                      strcmp (transfer->model, NO_MODEL) == 0);
      if (exo_transfer_is_active (transfer))
        continue;
      CU_ASSERT_PTR_NULL (transfer->listing);
      CU_ASSERT_EQUAL (transfer->n_wanted, 0);
      CU_ASSERT_EQUAL (transfer->n_looking, 0);
      CU_ASSERT_EQUAL (transfer->retry_source, 0);
    }
}

static void
act (Storm *storm)
{
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (storm->node.engine);
  guint n = transfers->len;
  ExoTransfer *transfer =
      n > 0 ? g_ptr_array_index (transfers, g_rand_int_range (storm->rand, 0, (gint32) n)) : NULL;
  int choice = transfer != NULL ? g_rand_int_range (storm->rand, 0, 9) : 0;

  storm->depth++;
  switch (choice)
    {
    case 0:
    case 1:
      /* Whatever a handler did meanwhile: what is returned may be asked about. */
      (void) lab_state (lab_node_pull (&storm->node, LAB_MODEL));
      break;
    case 2:
      (void) lab_state (lab_node_pull (&storm->node, NO_MODEL));
      break;
    case 3:
      exo_transfer_cancel (transfer, NULL);
      break;
    case 4:
    case 5:
      exo_transfer_pause (transfer, NULL); /* refused where it is complete */
      break;
    default:
      exo_transfer_resume (transfer, NULL);
      break;
    }
  storm->depth--;
}

static gboolean
on_beat (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

static void
storm_begin (Storm *storm, gboolean from_signals)
{
  *storm = (Storm){ .rand = g_rand_new_with_seed (1), .from_signals = from_signals };
  storm->beat = g_timeout_add (1, on_beat, NULL);
  lab_node_open (&storm->node, "one", NULL);
  g_signal_connect (storm->node.engine, "transfer-added", G_CALLBACK (on_added), storm);
  g_signal_connect (storm->node.engine, "transfer-removed", G_CALLBACK (on_removed), storm);
  g_signal_connect (storm->node.engine, "warning", G_CALLBACK (on_warning), storm);
  g_signal_connect (storm->node.engine, "changed", G_CALLBACK (on_changed), storm);
}

/* After all of it the model still comes. */
static void
storm_end (Storm *storm)
{
  storm->from_signals = FALSE;
  g_source_remove (storm->beat);
  lab_wait_state (lab_node_pull (&storm->node, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  CU_ASSERT_TRUE (lab_node_is_whole (&storm->node));
  CU_ASSERT_TRUE (storm->n_signals > 0 && storm->n_removed > 0);
  lab_node_close (&storm->node);
  g_rand_free (storm->rand);
}

static void
run_storm (gboolean from_signals)
{
  Storm storm;

  storm_begin (&storm, from_signals);
  for (guint i = 0; i < N_ACTIONS; i++)
    {
      act (&storm);
      check (&storm);
      for (gint32 n = g_rand_int_range (storm.rand, 0, TURNS_MAX); n > 0; n--)
        g_main_context_iteration (NULL, TRUE);
      check (&storm);
    }
  storm_end (&storm);
}

static void
a_storm_from_outside_leaves_all_whole (void)
{
  run_storm (FALSE);
}

static void
a_storm_from_within_signals_leaves_all_whole (void)
{
  run_storm (TRUE);
}

int
main (void)
{
  CU_TestInfo tests[] = { TEST (a_storm_from_outside_leaves_all_whole),
                          TEST (a_storm_from_within_signals_leaves_all_whole), CU_TEST_INFO_NULL };
  int result;

  engine_lab_open ();
  result = exo_suite_run ("storm", tests);
  engine_lab_close ();
  return result;
}
