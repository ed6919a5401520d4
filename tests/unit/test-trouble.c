/* test-trouble.c - what goes wrong for long is told once
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/suite.h"
#include "transfer/trouble.h"

#define S(seconds) (1 + (seconds) * (gint64) G_USEC_PER_SEC)

/* Noted each second from @from to before @to. Returns: the second at which it was to be told; -1: never, -2: twice */
static int
told_at (ExoTrouble *trouble, gboolean is_so, int from, int to)
{
  int at = -1;

  for (int i = from; i < to; i++)
    if (exo_trouble_note (trouble, is_so, S (i)))
      at = at == -1 ? i : -2;
  return at;
}

static void
only_what_lasts_is_told_and_once (void)
{
  ExoTrouble trouble = { 0 };

  CU_ASSERT_EQUAL (told_at (&trouble, FALSE, 0, 100), -1);
  CU_ASSERT_EQUAL (told_at (&trouble, TRUE, 100, 160), -1);
  CU_ASSERT_EQUAL (told_at (&trouble, TRUE, 160, 1000), 160);
}

static void
a_moment_without_is_not_the_end_of_it (void)
{
  ExoTrouble trouble = { 0 };

  CU_ASSERT_EQUAL (told_at (&trouble, TRUE, 0, 40), -1);
  CU_ASSERT_EQUAL (told_at (&trouble, FALSE, 40, 68), -1);
  CU_ASSERT_EQUAL (told_at (&trouble, TRUE, 68, 100), 68);
}

static void
after_a_while_without_it_is_another_one (void)
{
  ExoTrouble trouble = { 0 };

  CU_ASSERT_EQUAL (told_at (&trouble, TRUE, 0, 61), 60);
  CU_ASSERT_EQUAL (told_at (&trouble, FALSE, 61, 91), -1);
  CU_ASSERT_EQUAL (told_at (&trouble, TRUE, 91, 200), 151);
}

/* Nothing is noted while nothing is transferred. */
static void
a_pause_is_no_trouble (void)
{
  ExoTrouble trouble = { 0 };

  CU_ASSERT_EQUAL (told_at (&trouble, TRUE, 0, 10), -1);
  CU_ASSERT_EQUAL (told_at (&trouble, TRUE, 1000, 1059), -1);
}

EXO_SUITE ("trouble",
           TEST (only_what_lasts_is_told_and_once),
           TEST (a_moment_without_is_not_the_end_of_it),
           TEST (after_a_while_without_it_is_another_one),
           TEST (a_pause_is_no_trouble))
