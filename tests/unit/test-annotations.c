/* test-annotations.c - what tests/tsan/glib-annotations.c tells the thread sanitizer
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The sanitizer is the judge: it ends the program with an exit code of its own if it calls one of these a race.
 */

#include <fcntl.h>
#include <glib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/unit/suite.h"

#define ROUNDS 200000u

typedef struct
{
  gatomicrefcount ref_count;
  guint written[2]; /* one by each thread */
} Shared;

static Shared *shared;
static gint n_arrived; /* atomic */
static gint n_seen;    /* atomic */

/* Until both have come as often. They leave at the same time, as nothing that sleeps would let them. */
static void
meet (void)
{
  gint both = (g_atomic_int_add (&n_arrived, 1) / 2 + 1) * 2;

  while (g_atomic_int_get (&n_arrived) < both)
    g_thread_yield ();
}

static void
write_and_drop (guint who)
{
  shared->written[who] = 1;
  if (!g_atomic_ref_count_dec (&shared->ref_count))
    return;
  g_atomic_int_add (&n_seen, (gint) (shared->written[0] + shared->written[1]));
  g_free (shared);
}

static gpointer
run_other (gpointer user_data)
{
  for (guint i = 0; i < ROUNDS; i++)
    {
      meet ();
      write_and_drop (1);
      meet ();
    }
  return NULL;
}

static void
the_last_of_two_drops_sees_what_both_wrote (void)
{
  GThread *other = g_thread_new ("other", run_other, NULL);

  for (guint i = 0; i < ROUNDS; i++)
    {
      shared = g_new0 (Shared, 1);
      g_atomic_ref_count_init (&shared->ref_count);
      g_atomic_ref_count_inc (&shared->ref_count);
      meet ();
      write_and_drop (0);
      meet ();
    }
  g_thread_join (other);
  CU_ASSERT_EQUAL (n_seen, 2 * ROUNDS);
}

static gpointer
open_a_file (gpointer user_data)
{
  return GINT_TO_POINTER (open ("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void
who_says_late_that_a_socket_is_closed_means_no_other_file (void)
{
  int epoll_fd = epoll_create1 (EPOLL_CLOEXEC), fd = dup (epoll_fd);
  GThread *other;

  close (fd);
  other = g_thread_new ("other", open_a_file, NULL);
  g_usleep (G_USEC_PER_SEC / 10); /* it was opened by then, but nothing tells this thread so */
  CU_ASSERT_EQUAL (epoll_ctl (epoll_fd, EPOLL_CTL_DEL, fd, NULL), -1);
  CU_ASSERT_EQUAL (GPOINTER_TO_INT (g_thread_join (other)), fd);
  close (fd);
  close (epoll_fd);
}

EXO_SUITE ("annotations",
           TEST (the_last_of_two_drops_sees_what_both_wrote),
           TEST (who_says_late_that_a_socket_is_closed_means_no_other_file))
