/* test-plan.c - who fetches which bytes
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * States are drawn, one character per piece. Of this node: '#' held, 'h' in flight from the Hub, a
 * digit: in flight from that peer, '.' neither. Of a peer: '#' held, 'c' claimed, 'f' fetching.
 */

#include <string.h>

#include "tests/unit/suite.h"
#include "transfer/swarm/plan-private.h"

#define KIB       ((guint64) 1024)
#define MIB       (1024 * KIB)
#define PIECE     (256 * KIB)
#define RIG_PEERS 10
#define RIG_DRAW  256

static const char *const ids[] = {
  "00000000000000000000000000000001", "00000000000000000000000000000002",
  "00000000000000000000000000000003", "00000000000000000000000000000004",
  "00000000000000000000000000000005", "00000000000000000000000000000006",
  "00000000000000000000000000000007", "00000000000000000000000000000008",
  "00000000000000000000000000000009", "0000000000000000000000000000000a",
  "0000000000000000000000000000000b",
};

/* One plan, one blob, some peers; what the plan decided is drawn. */
typedef struct
{
  ExoPlan *plan;
  ExoPlanBlob blob;
  ExoPlanPeer peers[RIG_PEERS + 1]; /* from 1 */
  ExoPlanPeer rival;
  gint64 now_us;
  char draw[RIG_DRAW];
  ExoPlanFetch fetches[RIG_DRAW]; /* by piece */
  guint n_cancels;
} Rig;

/* One more that wants the blob, has nothing, and cannot reach the Hub: alone this node would take runs from its peers. */
static void
rig_rival (Rig *rig)
{
  ExoPlanPeer rival = exo_plan_add_peer (rig->plan, "99999999999999999999999999999999", 0);

  exo_plan_peer_hub (rig->plan, rival, FALSE, 0);
  exo_plan_peer_wants (rig->plan, rival, rig->blob, TRUE);
  rig->rival = rival;
}

static void
rig_init (Rig *rig, const char *own, guint n_peers, const ExoPlanConfig *config)
{
  g_autoptr (ExoPieceMap) have = exo_piece_map_new (strlen (own) * PIECE);

  memset (rig, 0, sizeof *rig);
  g_strlcpy (rig->draw, own, sizeof rig->draw);
  for (guint32 i = 0; own[i] != '\0'; i++)
    if (own[i] == '#')
      exo_piece_map_add (have, i);
  rig->plan = exo_plan_new (ids[0], 1, config);
  rig->blob = exo_plan_add_blob (rig->plan, "oid", strlen (own) * PIECE, have, TRUE, TRUE);
  for (guint p = 1; p <= n_peers; p++)
    rig->peers[p] = exo_plan_add_peer (rig->plan, ids[p], 0);
  rig_rival (rig);
  exo_plan_check (rig->plan);
}

static void
rig_clear (Rig *rig)
{
  exo_plan_free (rig->plan);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Rig, rig_clear)

static void
rig_hub (Rig *rig)
{
  exo_plan_set_hub (rig->plan, TRUE, 0, 0, 0);
}

static void
rig_says (Rig *rig, guint peer, const char *drawn)
{
  for (guint32 i = 0; drawn[i] != '\0'; i++)
    {
      if (drawn[i] == '#')
        exo_plan_peer_has (rig->plan, rig->peers[peer], rig->blob, i, 1);
      else if (drawn[i] == 'c')
        exo_plan_peer_claims (rig->plan, rig->peers[peer], rig->blob, i, 1, rig->now_us);
      else if (drawn[i] == 'f')
        exo_plan_peer_fetching (rig->plan, rig->peers[peer], rig->blob, i, 1);
      exo_plan_check (rig->plan);
    }
}

static char
rig_source (const Rig *rig, ExoPlanPeer peer)
{
  for (guint p = 1; p <= RIG_PEERS; p++)
    if (peer != 0 && rig->peers[p] == peer)
      return (char) ('0' + p);
  return 'h';
}

/* Carries out what the plan decides; cancelled fetches end at once. Returns the drawing. */
static const char *
rig_run (Rig *rig)
{
  ExoPlanAction action;

  while (exo_plan_next (rig->plan, rig->now_us, &action))
    {
      exo_plan_check (rig->plan);
      for (guint32 i = action.first; i < action.first + action.n; i++)
        {
          if (action.kind != EXO_PLAN_CANCEL)
            {
              rig->draw[i] = rig_source (rig, action.peer);
              rig->fetches[i] = action.fetch;
            }
          else if (rig->fetches[i] == action.fetch && rig->draw[i] != '#')
            rig->draw[i] = '.';
        }
      if (action.kind == EXO_PLAN_CANCEL)
        {
          rig->n_cancels++;
          exo_plan_fetch_ended (rig->plan, action.fetch, EXO_PLAN_ENDED_CANCELLED, rig->now_us);
        }
    }
  exo_plan_check (rig->plan);
  return rig->draw;
}

static void
rig_done (Rig *rig, guint32 piece)
{
  exo_plan_piece_done (rig->plan, rig->blob, piece, rig->now_us);
  exo_plan_fetch_ended (rig->plan, rig->fetches[piece], EXO_PLAN_ENDED_DONE, rig->now_us);
  rig->draw[piece] = '#';
  exo_plan_check (rig->plan);
}

static void
rig_hub_runs_done (Rig *rig)
{
  for (guint32 i = 0; rig->draw[i] != '\0'; i++)
    if (rig->draw[i] == 'h')
      rig_done (rig, i);
}

static void
rig_fails (Rig *rig, guint32 piece, ExoPlanEnding ending)
{
  exo_plan_fetch_ended (rig->plan, rig->fetches[piece], ending, rig->now_us);
  rig->draw[piece] = '.';
  exo_plan_check (rig->plan);
}

static void
rig_wants (Rig *rig, guint peer)
{
  exo_plan_peer_hub (rig->plan, rig->peers[peer], TRUE, 0);
  exo_plan_peer_wants (rig->plan, rig->peers[peer], rig->blob, TRUE);
}

static guint
count (const char *drawn, char what)
{
  guint n = 0;

  for (; *drawn != '\0'; drawn++)
    n += *drawn == what;
  return n;
}

/* The Hub. -------------------------------------------------------------------------------- */

static void
alone_it_takes_four_runs_from_the_front (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "#.......", 0, NULL);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "#......."); /* no Hub yet */
  CU_ASSERT_EQUAL (exo_plan_wake_at (rig.plan), G_MAXINT64);
  rig_hub (&rig);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "#hhhh...");
  rig_done (&rig, 2);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "#h#hhh..");
}

static void
with_one_other_two_runs_are_in_flight (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "................", 1, NULL);
  rig_hub (&rig);
  rig_wants (&rig, 1);
  CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 2);
}

static void
first_runs_are_staggered_and_stay_in_their_unit (void)
{
  static const struct
  {
    guint32 first, n;
  } rows[] = { { 0, 4 }, { 4, 8 }, { 12, 4 }, { 16, 16 } }; /* a unit is 16 pieces, 4 MiB */
  g_autoptr (ExoPlan) plan = exo_plan_new (ids[0], 1, NULL);
  ExoPlanAction action;

  exo_plan_add_blob (plan, "oid", 400 * MIB, NULL, TRUE, TRUE);
  exo_plan_set_hub (plan, TRUE, 0, 0, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      CU_ASSERT_TRUE_FATAL (exo_plan_next (plan, 0, &action));
      CU_ASSERT_EQUAL (action.kind, EXO_PLAN_FETCH_HUB);
      CU_ASSERT_EQUAL (action.first, rows[i].first);
      CU_ASSERT_EQUAL (action.n, rows[i].n);
    }
  CU_ASSERT_FALSE (exo_plan_next (plan, 0, &action));
}

static void
a_run_is_at_most_the_configured_bytes_or_two_pieces (void)
{
  static const struct
  {
    guint64 size;
    guint32 n;
  } rows[] = { { 2048 * MIB, 2 }, { 16384 * MIB, 2 }, { 2047 * MIB, 4 } };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      ExoPlanConfig config = EXO_PLAN_CONFIG_DEFAULT;
      g_autoptr (ExoPlan) plan = NULL;
      ExoPlanAction action = { 0 };
      ExoPlanBlob blob;
      ExoPlanPeer peer;

      config.hub_runs = 1;
      plan = exo_plan_new (ids[0], 1, &config);
      blob = exo_plan_add_blob (plan, "oid", rows[i].size, NULL, TRUE, TRUE);
      peer = exo_plan_add_peer (plan, ids[1], 0);
      exo_plan_peer_hub (plan, peer, TRUE, 0);
      exo_plan_peer_wants (plan, peer, blob, TRUE);
      exo_plan_set_hub (plan, TRUE, 0, 0, 0);
      CU_ASSERT_TRUE (exo_plan_next (plan, 0, &action));
      CU_ASSERT_EQUAL (action.n, rows[i].n);
    }
}

static guint
count_hub_fetches (Rig *rig)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);

  for (guint32 i = 0; rig->draw[i] != '\0'; i++)
    if (rig->draw[i] == 'h')
      g_hash_table_add (seen, GUINT_TO_POINTER (rig->fetches[i]));
  return g_hash_table_size (seen);
}

static void
no_more_hub_fetches_than_the_user_allows (void)
{
  g_auto (Rig) rig;

  rig_init (&rig, "................................", 0, NULL);
  rig_hub (&rig);
  exo_plan_set_hub_fetches (rig.plan, 2);
  rig_run (&rig);
  CU_ASSERT_EQUAL (count_hub_fetches (&rig), 2);
  exo_plan_set_hub_fetches (rig.plan, 3);
  rig_run (&rig);
  CU_ASSERT_EQUAL (count_hub_fetches (&rig), 3);
  exo_plan_set_hub_fetches (rig.plan, 1); /* those in flight go on */
  rig_run (&rig);
  CU_ASSERT_EQUAL (count_hub_fetches (&rig), 3);
  rig_hub_runs_done (&rig);
  rig_run (&rig);
  CU_ASSERT_EQUAL (count_hub_fetches (&rig), 1);
}

/* Four of which cost as much as one run otherwise. */
static void
tiny_files_count_as_hub_fetches_of_the_user (void)
{
  g_autoptr (ExoPlan) plan = exo_plan_new (ids[0], 1, NULL);
  ExoPlanAction action;
  guint n = 0;

  for (guint i = 0; i < 20; i++)
    {
      g_autofree char *oid = g_strdup_printf ("oid%u", i);

      exo_plan_add_blob (plan, oid, 1000, NULL, TRUE, TRUE);
    }
  exo_plan_set_hub (plan, TRUE, 0, 0, 0);
  exo_plan_set_hub_fetches (plan, 3);
  while (exo_plan_next (plan, 0, &action))
    n++;
  CU_ASSERT_EQUAL (n, 3);
  exo_plan_set_hub_fetches (plan, 0);
  while (exo_plan_next (plan, 0, &action))
    n++;
  CU_ASSERT_EQUAL (n, 16);
}

static void
runs_shrink_towards_the_end_but_not_below_rate_times_round_trip (void)
{
  static const struct
  {
    guint64 rate;
    gint64 rtt_us;
    guint32 n;
  } rows[] = { { 0, 0, 4 }, { 20 * MIB, 100000, 8 }, { 1000 * MIB, 100000, 8 } };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (ExoPieceMap) have = exo_piece_map_new (400 * MIB);
      ExoPlanConfig config = EXO_PLAN_CONFIG_DEFAULT;
      g_autoptr (ExoPlan) plan = NULL;
      ExoPlanAction action = { 0 };

      config.hub_runs = 1;
      plan = exo_plan_new (ids[0], 1, &config);
      exo_piece_map_fill (have);
      for (guint32 piece = 32; piece < 40; piece++)
        exo_piece_map_drop (have, piece);
      exo_plan_add_blob (plan, "oid", 400 * MIB, have, TRUE, TRUE);
      exo_plan_set_hub (plan, TRUE, 0, rows[i].rate, rows[i].rtt_us);
      CU_ASSERT_TRUE (exo_plan_next (plan, 0, &action));
      CU_ASSERT_EQUAL (action.first, 32);
      CU_ASSERT_EQUAL (action.n, rows[i].n);
    }
}

static void
tiny_blobs_count_as_a_quarter_of_a_run (void)
{
  g_autoptr (ExoPlan) plan = exo_plan_new (ids[0], 1, NULL);
  ExoPlanAction action;
  guint n = 0;

  for (guint i = 0; i < 40; i++)
    exo_plan_add_blob (plan, ids[i % 8], 1000, NULL, TRUE, TRUE);
  exo_plan_set_hub (plan, TRUE, 0, 0, 0);
  while (exo_plan_next (plan, 0, &action))
    n++;
  CU_ASSERT_EQUAL (n, 16);
  exo_plan_check (plan);
}

static void
what_a_peer_has_claims_or_fetches_is_not_taken_from_the_hub (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "........", 3, NULL);
  rig_says (&rig, 1, "#.#.....");
  rig_says (&rig, 2, ".c...c..");
  rig_says (&rig, 3, "......f.");
  rig_hub (&rig);
  rig_run (&rig);
  CU_ASSERT_EQUAL (count (rig.draw, '1'), 1);
  CU_ASSERT_EQUAL (count (rig.draw, 'h'), 3);
  CU_ASSERT_EQUAL (rig.draw[1], '.');
  CU_ASSERT_EQUAL (rig.draw[5], '.');
  CU_ASSERT_EQUAL (rig.draw[6], '.');
}

static void
a_claim_that_stalls_is_void (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "....", 1, NULL);
  rig_hub (&rig);
  rig_says (&rig, 1, "cccc");
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "....");
  rig.now_us = 14 * G_USEC_PER_SEC;
  exo_plan_peer_claims (rig.plan, rig.peers[1], rig.blob, 0, 1, rig.now_us);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "....");
  CU_ASSERT_EQUAL (exo_plan_wake_at (rig.plan), 15 * G_USEC_PER_SEC);
  rig.now_us = 15 * G_USEC_PER_SEC;
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "hhhh");
}

static void
a_claim_of_large_pieces_on_a_slow_line_is_waited_for (void)
{
  static const struct
  {
    guint64 rate;
    gint64 stall_s;
  } rows[] = { { 0, 64 }, { 256 * KIB, 128 }, { 100 * MIB, 15 } }; /* 4 MiB a piece */

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (ExoPlan) plan = exo_plan_new (ids[0], 1, NULL);
      ExoPlanBlob blob = exo_plan_add_blob (plan, "oid", 4096 * MIB, NULL, TRUE, TRUE);
      ExoPlanPeer peer = exo_plan_add_peer (plan, ids[1], 0);
      ExoPlanAction action;

      exo_plan_peer_hub (plan, peer, TRUE, rows[i].rate);
      exo_plan_peer_claims (plan, peer, blob, 0, 1024, 0);
      exo_plan_set_hub (plan, TRUE, 0, 0, 0);
      CU_ASSERT_FALSE (exo_plan_next (plan, rows[i].stall_s * G_USEC_PER_SEC - 1, &action));
      CU_ASSERT_EQUAL (exo_plan_wake_at (plan), rows[i].stall_s * G_USEC_PER_SEC);
      CU_ASSERT_TRUE (exo_plan_next (plan, rows[i].stall_s * G_USEC_PER_SEC, &action));
    }
}

static void
a_claim_that_brings_pieces_does_not_stall (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "###...", 1, NULL);
  rig_hub (&rig);
  exo_plan_peer_claims (rig.plan, rig.peers[1], rig.blob, 3, 3, 0);
  rig.now_us = 10 * G_USEC_PER_SEC;
  rig_run (&rig);
  rig_says (&rig, 1, "...#..");
  rig_run (&rig);
  rig_done (&rig, 3);
  rig.now_us = 20 * G_USEC_PER_SEC;
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "####..");
  rig.now_us = 25 * G_USEC_PER_SEC;
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "####hh");
}

static void
released_pieces_are_free_and_a_new_claim_takes_them_again (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "#..", 2, NULL);
  rig_says (&rig, 1, ".cc");
  rig_hub (&rig);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "#..");
  exo_plan_peer_released (rig.plan, rig.peers[1], rig.blob, 1, 2);
  rig_says (&rig, 2, "..c");
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "#h.");
  exo_plan_peer_released (rig.plan, rig.peers[1], rig.blob, 0, 3); /* nothing of it is left */
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "#h.");
}

static void
the_claims_of_a_peer_that_vanished_are_free (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "...", 2, NULL);
  rig_says (&rig, 1, "cf#");
  rig_hub (&rig);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "..1");
  exo_plan_remove_peer (rig.plan, rig.peers[1]);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "hhh");
  CU_ASSERT_EQUAL (rig.n_cancels, 1);
}

static void
a_collision_makes_exactly_one_yield (void)
{
  guint wins = 0;

  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *oid = g_strdup_printf ("oid %u", i);
      ExoPlanAction action;
      guint cancels = 0;

      for (guint self = 0; self < 2; self++)
        {
          g_autoptr (ExoPlan) plan = exo_plan_new (ids[self], i, NULL);
          ExoPlanBlob blob = exo_plan_add_blob (plan, oid, PIECE, NULL, TRUE, TRUE);
          ExoPlanPeer peer = exo_plan_add_peer (plan, ids[1 - self], 0);

          exo_plan_peer_hub (plan, peer, TRUE, 0);
          exo_plan_peer_wants (plan, peer, blob, TRUE);
          exo_plan_set_hub (plan, TRUE, 0, 0, 0);
          CU_ASSERT_TRUE (exo_plan_next (plan, 0, &action));
          CU_ASSERT_EQUAL (action.kind, EXO_PLAN_FETCH_HUB);
          exo_plan_peer_claims (plan, peer, blob, 0, 1, 1000);
          if (!exo_plan_next (plan, 1000, &action))
            {
              wins += self;
              continue;
            }
          CU_ASSERT_EQUAL (action.kind, EXO_PLAN_CANCEL);
          exo_plan_fetch_ended (plan, action.fetch, EXO_PLAN_ENDED_CANCELLED, 1000);
          CU_ASSERT_FALSE (exo_plan_next (plan, 1000, &action)); /* the other has it */
          exo_plan_check (plan);
          cancels++;
        }
      CU_ASSERT_EQUAL (cancels, 1);
    }
  CU_ASSERT_TRUE (wins > 30 && wins < 70);
}

static void
nodes_with_equal_membership_rank_themselves_apart (void)
{
  guint collisions = 0, claims = 0;

  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *oid = g_strdup_printf ("oid %u", i);
      gint owner[400];

      memset (owner, -1, sizeof owner);
      for (gint self = 0; self < 4; self++)
        {
          g_autoptr (ExoPlan) plan = exo_plan_new (ids[self], i, NULL);
          ExoPlanBlob blob = exo_plan_add_blob (plan, oid, 400 * PIECE, NULL, TRUE, TRUE);
          ExoPlanAction action;

          for (gint other = 3; other >= 0; other--)
            if (other != self)
              {
                ExoPlanPeer peer = exo_plan_add_peer (plan, ids[other], 0);

                exo_plan_peer_hub (plan, peer, TRUE, 0);
                exo_plan_peer_wants (plan, peer, blob, TRUE);
              }
          exo_plan_set_hub (plan, TRUE, 0, 0, 0);
          while (exo_plan_next (plan, 0, &action))
            {
              claims++;
              collisions += owner[action.first] >= 0;
              owner[action.first] = self;
            }
        }
    }
  CU_ASSERT_EQUAL (claims, 800);
  CU_ASSERT_TRUE (collisions < 800 / 5);
}

static void
the_hub_window_is_bounded_by_position (void)
{
  g_auto (Rig) rig = { 0 };
  char own[RIG_DRAW] = { 0 };
  const char *end;

  memset (own, '.', 200);
  rig_init (&rig, own, 1, NULL);
  rig_wants (&rig, 1);
  rig_hub (&rig);
  for (guint round = 0; round < 190; round++)
    {
      const char *drawn = rig_run (&rig);
      guint32 front = (guint32) strcspn (drawn, ".");

      /* the other node claims nothing of what it ranks first for: 8 runs of 16 pieces */
      end = strrchr (drawn, 'h');
      CU_ASSERT_PTR_NOT_NULL_FATAL (end);
      CU_ASSERT_TRUE ((guint32) (end - drawn) < front + 8 * 16);
      rig_done (&rig, (guint32) strcspn (drawn, "h"));
    }
}

static void
slow_peers_are_left_out_of_the_ranking (void)
{
  static const struct
  {
    guint64 link, hub;
    guint runs;
  } rows[] = {
    { 100 * MIB, 0, 1 }, { 26 * MIB, 0, 1 }, { 20 * MIB, 0, 2 },
    { 0, 90 * MIB, 1 },  { 0, 8 * MIB, 1 },  { 0, 6 * MIB, 2 }, /* the others have 54 on average */
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (ExoPlan) plan = exo_plan_new (ids[0], 1, NULL);
      ExoPlanBlob blob = exo_plan_add_blob (plan, "oid", 400 * PIECE, NULL, TRUE, TRUE);
      ExoPlanAction action;
      guint runs = 0;

      for (guint p = 1; p <= 12; p++)
        {
          g_autofree char *id = g_strdup_printf ("%032x", p);
          ExoPlanPeer peer = exo_plan_add_peer (plan, id, p == 1 ? 100 * MIB : rows[i].link);

          exo_plan_peer_hub (plan, peer, TRUE, p % 2 == 1 ? 100 * MIB : rows[i].hub);
          exo_plan_peer_wants (plan, peer, blob, TRUE);
        }
      exo_plan_set_hub (plan, TRUE, 0, 0, 0);
      while (exo_plan_next (plan, 0, &action))
        runs++;
      CU_ASSERT_EQUAL (runs, rows[i].runs); /* 1 among more than 8 nodes, 2 among 2 */
    }
}

/* Its LAN may be slow, and then they would wait for it. Of two nodes the slower one leaves the Hub to the other. */
static void
one_line_of_its_own_does_not_keep_the_others_from_the_hub (void)
{
  static const struct
  {
    guint n_others;
    guint64 own, others, fastest;
    gboolean claims;
  } rows[] = {
    { 0, 9 * MIB, 0, 100 * MIB, FALSE },         { 6, 9 * MIB, 9 * MIB, 100 * MIB, TRUE },
    { 6, 9 * MIB, 9 * MIB, G_MAXUINT64, FALSE }, /* whoever says so, nothing overflows */
    { 6, 1 * MIB, 9 * MIB, 9 * MIB, FALSE },     { 6, 0, 9 * MIB, 100 * MIB, TRUE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (ExoPlan) plan = exo_plan_new (ids[0], 1, NULL);
      ExoPlanBlob blob = exo_plan_add_blob (plan, "oid", 400 * PIECE, NULL, TRUE, TRUE);
      ExoPlanAction action;

      for (guint p = 0; p <= rows[i].n_others; p++)
        {
          g_autofree char *id = g_strdup_printf ("%032x", p + 1);
          ExoPlanPeer peer = exo_plan_add_peer (plan, id, 0);

          exo_plan_peer_hub (plan, peer, TRUE, p == 0 ? rows[i].fastest : rows[i].others);
          exo_plan_peer_wants (plan, peer, blob, TRUE);
        }
      exo_plan_set_hub (plan, TRUE, 0, rows[i].own, 0);
      CU_ASSERT_EQUAL (exo_plan_next (plan, 0, &action), rows[i].claims);
    }
}

/* What each of two nodes says of its link, and whether the first one leaves the Hub to the second. */
static void
links_are_compared_with_their_like (void)
{
  static const struct
  {
    guint64 speed, rate, other_speed, other_rate;
    gboolean slow;
  } rows[] = {
    { 0, 0, 125 * MIB, 100 * MIB, FALSE },       { 12 * MIB, 0, 125 * MIB, 0, TRUE },
    { 12 * MIB, 0, 0, 100 * MIB, FALSE },        { 125 * MIB, 5 * MIB, 125 * MIB, 0, FALSE },
    { 125 * MIB, 5 * MIB, 0, 21 * MIB, TRUE },   { 125 * MIB, 5 * MIB, 0, 20 * MIB, FALSE },
    { 12 * MIB, 11 * MIB, 125 * MIB, 0, FALSE }, { 125 * MIB, 0, 1250 * MIB, 0, FALSE },
    { 0, 100 * MIB, 0, 1000 * MIB, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (Rig) rig = { 0 };

      rig_init (&rig, "....", 1, NULL);
      rig_hub (&rig);
      rig_wants (&rig, 1);
      exo_plan_set_link (rig.plan, rows[i].speed, rows[i].rate);
      exo_plan_peer_link (rig.plan, rig.peers[1], rows[i].other_speed, rows[i].other_rate);
      CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), rows[i].slow ? 0 : 2);
    }
}

static void
a_slow_node_claims_only_when_nobody_else_does (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "........", 1, NULL);
  rig_wants (&rig, 1);
  rig_hub (&rig);
  exo_plan_set_link (rig.plan, 0, 1 * MIB);
  exo_plan_peer_link (rig.plan, rig.peers[1], 0, 10 * MIB);
  rig.now_us = G_USEC_PER_SEC;
  rig_says (&rig, 1, "cc......");
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "........");
  exo_plan_peer_released (rig.plan, rig.peers[1], rig.blob, 0, 2);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "........");
  CU_ASSERT_EQUAL (exo_plan_wake_at (rig.plan), 6 * G_USEC_PER_SEC);
  rig.now_us = 6 * G_USEC_PER_SEC;
  CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 2);
}

static void
a_slow_node_claims_when_it_is_alone (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "....", 0, NULL);
  rig_hub (&rig);
  exo_plan_set_link (rig.plan, 1 * MIB, 1 * MIB);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "hhhh");
}

static void
a_slow_node_claims_when_the_fast_one_wants_nothing (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "....", 1, NULL);
  rig_hub (&rig);
  exo_plan_set_link (rig.plan, 0, 1 * MIB);
  exo_plan_peer_hub (rig.plan, rig.peers[1], TRUE, 0);
  exo_plan_peer_link (rig.plan, rig.peers[1], 0, 10 * MIB);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "hhhh");
}

static void
who_is_aside_leaves_the_hub_to_who_is_not (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "........", 2, NULL);
  rig_wants (&rig, 1);
  rig_wants (&rig, 2);
  rig_hub (&rig);
  exo_plan_set_aside (rig.plan, TRUE);
  exo_plan_peer_aside (rig.plan, rig.peers[1], TRUE);
  rig.now_us = 60 * G_USEC_PER_SEC; /* that it saw no claim says nothing: it sees some only */
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "........");
  CU_ASSERT_EQUAL (exo_plan_wake_at (rig.plan), G_MAXINT64);
  exo_plan_peer_hub (rig.plan, rig.peers[2], FALSE, 0);
  CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 2);
}

static void
who_is_aside_waits_for_somebody_who_is_not (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "........", 1, NULL);
  rig_hub (&rig);
  exo_plan_set_aside (rig.plan, TRUE);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "........");
  CU_ASSERT_EQUAL (exo_plan_wake_at (rig.plan), 5 * G_USEC_PER_SEC);
  rig.now_us = 5 * G_USEC_PER_SEC;
  CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 4);
}

/* Two runs in flight would be less than what a node alone has. */
static void
who_is_aside_is_not_ranked (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "........", 1, NULL);
  rig_wants (&rig, 1);
  rig_hub (&rig);
  exo_plan_peer_aside (rig.plan, rig.peers[1], TRUE);
  CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 4);
}

/* Where the LAN is far slower than the Hub. ------------------------------------------------ */

static void
rig_rates (Rig *rig, guint64 hub, guint64 lan)
{
  exo_plan_set_hub (rig->plan, TRUE, 0, hub, 0);
  exo_plan_set_lan_rate (rig->plan, lan);
}

/* One peer holds it all; the Hub is far faster, and that has lasted. */
static void
rig_detour_of (Rig *rig, guint32 n_pieces)
{
  g_autofree char *own = g_strnfill (n_pieces, '.'), *held = g_strnfill (n_pieces, '#');

  rig_init (rig, own, 3, NULL);
  rig_says (rig, 1, held);
  rig_rates (rig, 40 * MIB, 9 * MIB);
  rig_run (rig);
  rig->now_us += 2 * G_USEC_PER_SEC;
}

static void
rig_detour (Rig *rig)
{
  rig_detour_of (rig, 16);
}

static void
what_peers_have_comes_from_a_hub_that_stays_far_faster (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "........", 1, NULL);
  rig_says (&rig, 1, "########");
  rig_rates (&rig, 40 * MIB, 9 * MIB);
  CU_ASSERT_EQUAL (count (rig_run (&rig), '.'), 7);
  CU_ASSERT_EQUAL (count (rig.draw, '1'), 1);
  CU_ASSERT_EQUAL (exo_plan_wake_at (rig.plan), 2 * G_USEC_PER_SEC);
  rig.now_us = 2 * G_USEC_PER_SEC - 1;
  CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 0);
  rig.now_us = 2 * G_USEC_PER_SEC;
  CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 4);
  CU_ASSERT_EQUAL (count (rig.draw, '1'), 1); /* the LAN brings what it can */
}

static void
what_peers_have_stays_off_the_hub_unless_all_is_so (void)
{
  static const struct
  {
    guint64 hub, lan;
    gboolean reachable, metered, use_hub;
    guint n;
  } rows[] = {
    { 40 * MIB, 9 * MIB, TRUE, FALSE, TRUE, 4 },  { 40 * MIB, 10 * MIB, TRUE, FALSE, TRUE, 0 },
    { 40 * MIB, 0, TRUE, FALSE, TRUE, 0 },        { 0, 9 * MIB, TRUE, FALSE, TRUE, 0 },
    { 40 * MIB, 9 * MIB, FALSE, FALSE, TRUE, 0 }, { 40 * MIB, 9 * MIB, TRUE, TRUE, TRUE, 0 },
    { 40 * MIB, 9 * MIB, TRUE, FALSE, FALSE, 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (Rig) rig = { 0 };

      rig_init (&rig, "........", 1, NULL);
      rig_says (&rig, 1, "########");
      exo_plan_set_hub (rig.plan, rows[i].reachable, 0, rows[i].hub, 0);
      exo_plan_set_lan_rate (rig.plan, rows[i].lan);
      exo_plan_set_metered (rig.plan, rows[i].metered);
      exo_plan_set_use_hub (rig.plan, rig.blob, rows[i].use_hub);
      for (guint second = 0; second < 10; second++, rig.now_us += G_USEC_PER_SEC)
        rig_run (&rig);
      CU_ASSERT_EQUAL (count (rig.draw, 'h'), rows[i].n);
    }
}

static void
a_hub_that_is_faster_now_and_then_is_not_enough (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "........", 1, NULL);
  rig_says (&rig, 1, "########");
  for (guint half = 0; half < 20; half++, rig.now_us += G_USEC_PER_SEC / 2)
    {
      rig_rates (&rig, 40 * MIB, half % 4 == 3 ? 11 * MIB : 1 * MIB);
      CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 0);
    }
}

static void
what_others_are_bringing_is_waited_for_all_the_same (void)
{
  g_auto (Rig) rig = { 0 };

  rig_detour (&rig);
  rig_says (&rig, 2, "ccccccc.........");
  rig_says (&rig, 3, ".......fffffff..");
  rig_run (&rig);
  CU_ASSERT_EQUAL (strspn (rig.draw, ".1"), 14);
  CU_ASSERT_EQUAL (count (rig.draw, 'h') + count (rig.draw + 14, '1'), 2);
}

static void
what_nobody_has_goes_first (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "........", 1, NULL);
  rig_says (&rig, 1, "####....");
  exo_plan_set_use_hub (rig.plan, rig.blob, FALSE);
  rig_rates (&rig, 40 * MIB, 9 * MIB);
  rig_run (&rig);
  exo_plan_set_use_hub (rig.plan, rig.blob, TRUE);
  rig.now_us = 2 * G_USEC_PER_SEC;
  CU_ASSERT_STRING_EQUAL (rig_run (&rig) + 4, "hhhh");
  CU_ASSERT_EQUAL (count (rig.draw, 'h'), 4);
  rig_done (&rig, 5);
  CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 4);
}

static void
nodes_that_all_do_so_share_it_out (void)
{
  gint owner[160];
  guint collisions = 0, claims = 0;

  memset (owner, -1, sizeof owner);
  for (gint self = 0; self < 2; self++)
    {
      g_autoptr (ExoPlan) plan = exo_plan_new (ids[self], 1, NULL);
      ExoPlanBlob blob = exo_plan_add_blob (plan, "oid", 160 * PIECE, NULL, TRUE, TRUE);
      ExoPlanPeer other = exo_plan_add_peer (plan, ids[1 - self], 0);
      ExoPlanPeer holder = exo_plan_add_peer (plan, ids[2], 0);
      ExoPlanAction action;

      exo_plan_peer_hub (plan, other, TRUE, 0);
      exo_plan_peer_wants (plan, other, blob, TRUE);
      exo_plan_peer_has (plan, holder, blob, 0, 160);
      exo_plan_set_hub (plan, TRUE, 0, 40 * MIB, 0);
      exo_plan_set_lan_rate (plan, MIB);
      while (exo_plan_next (plan, 0, &action))
        ;
      while (exo_plan_next (plan, 2 * G_USEC_PER_SEC, &action))
        {
          claims++;
          collisions += owner[action.first] >= 0;
          owner[action.first] = self;
        }
    }
  CU_ASSERT_EQUAL (claims, 8);
  CU_ASSERT_TRUE (collisions <= 1); /* 4 without a word */
}

static void
a_detour_ends_when_it_is_no_gain (void)
{
  static const struct
  {
    guint64 hub, lan;
    gboolean over;
  } rows[] = {
    { 40 * MIB, 19 * MIB, FALSE }, { 40 * MIB, 20 * MIB, TRUE },
    { 19 * MIB, 1 * MIB, FALSE }, /* the LAN brought 9 before */
    { 18 * MIB, 1 * MIB, TRUE },   { 40 * MIB, 0, TRUE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (Rig) rig = { 0 };

      rig_detour (&rig);
      CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 4);
      rig_rates (&rig, rows[i].hub, rows[i].lan);
      rig_run (&rig);
      rig_done (&rig, (guint32) strcspn (rig.draw, "h"));
      CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), rows[i].over ? 3 : 4);
    }
}

static void
a_detour_that_starved_the_lan_does_not_begin_again (void)
{
  g_auto (Rig) rig = { 0 };

  rig_detour (&rig);
  rig_run (&rig);
  rig_rates (&rig, 18 * MIB, 1 * MIB);
  rig_run (&rig);
  rig_done (&rig, (guint32) strcspn (rig.draw, "h"));
  rig.now_us += 10 * G_USEC_PER_SEC;
  CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 3);
  rig.now_us += 10 * G_USEC_PER_SEC;
  CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 3);
  rig_rates (&rig, 18 * MIB, 0); /* measured anew */
  rig_run (&rig);
  rig_rates (&rig, 18 * MIB, 1 * MIB);
  rig_run (&rig);
  rig.now_us += 2 * G_USEC_PER_SEC;
  CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 4);
}

static void
a_detour_is_not_cancelled_by_what_peers_have (void)
{
  g_auto (Rig) rig = { 0 };

  rig_detour (&rig);
  rig_run (&rig);
  rig_says (&rig, 2, "################");
  CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 4);
  CU_ASSERT_EQUAL (rig.n_cancels, 0);
}

static void
a_detour_ends_at_once_where_it_begins_to_cost (void)
{
  g_auto (Rig) rig = { 0 };

  rig_detour (&rig);
  rig_run (&rig);
  exo_plan_set_metered (rig.plan, TRUE);
  CU_ASSERT_EQUAL (count (rig_run (&rig), 'h'), 0);
  CU_ASSERT_EQUAL (rig.n_cancels, 4);
}

static void
a_free_run_goes_on_where_the_hub_begins_to_cost (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "....", 0, NULL);
  rig_hub (&rig);
  rig_run (&rig);
  exo_plan_set_metered (rig.plan, TRUE);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "hhhh");
  CU_ASSERT_EQUAL (rig.n_cancels, 0);
}

static void
nothing_is_claimed_while_the_hub_is_blocked (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "....", 0, NULL);
  exo_plan_set_hub (rig.plan, TRUE, 1000, 0, 0);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "....");
  CU_ASSERT_EQUAL (exo_plan_wake_at (rig.plan), 1000);
  rig.now_us = 1000;
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "hhhh");
}

static void
a_failed_run_is_tried_again_after_a_pause (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, ".", 0, NULL);
  rig_hub (&rig);
  for (gint64 pause = G_USEC_PER_SEC / 2; pause <= 8 * G_USEC_PER_SEC; pause *= 2)
    {
      CU_ASSERT_STRING_EQUAL (rig_run (&rig), "h");
      rig_fails (&rig, 0, EXO_PLAN_ENDED_FAILED);
      CU_ASSERT_STRING_EQUAL (rig_run (&rig), ".");
      CU_ASSERT_EQUAL (exo_plan_wake_at (rig.plan), rig.now_us + pause);
      rig.now_us += pause;
    }
}

static void
without_hub_a_blob_waits_for_peers (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "...", 1, NULL);
  rig_hub (&rig);
  exo_plan_set_use_hub (rig.plan, rig.blob, FALSE);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "...");
  CU_ASSERT_EQUAL (exo_plan_wake_at (rig.plan), G_MAXINT64);
  rig_says (&rig, 1, ".#.");
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), ".1.");
  exo_plan_set_use_hub (rig.plan, rig.blob, TRUE);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "h1h");
  exo_plan_set_use_hub (rig.plan, rig.blob, FALSE);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), ".1.");
}

static void
a_hub_run_of_which_a_peer_has_the_rest_is_cancelled (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "##.", 1, NULL);
  rig_hub (&rig);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "##h");
  rig_says (&rig, 1, "###");
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "##1");
  CU_ASSERT_EQUAL (rig.n_cancels, 1);
}

/* How many of the first @n go before this node, ids[0] that is. */
static guint
n_before (Rig *rig, guint32 piece, guint n)
{
  const Blob *blob = exo_plan_find_blob (rig->plan, rig->blob);
  guint64 own = exo_plan_score (blob, piece, exo_plan_hash_text (ids[0]));
  guint before = 0;

  for (guint i = 1; i < n; i++)
    before += exo_plan_score (blob, piece, exo_plan_hash_text (ids[i])) > own;
  return before;
}

/* Who goes before may be claiming it at this moment: who takes it nevertheless waits for each of them, and hears that before it asks. */
static void
who_borrows_waits_for_those_who_go_before (void)
{
  g_auto (Rig) rig = { 0 };
  ExoPlanAction action;
  guint n_at_once = 0, n_capped = 0;

  rig_init (&rig, "................", G_N_ELEMENTS (ids) - 1, NULL);
  rig_hub (&rig);
  for (guint p = 1; p < G_N_ELEMENTS (ids); p++)
    rig_wants (&rig, p);
  while (exo_plan_next (rig.plan, rig.now_us, &action))
    {
      /* Blobs of this size have units of one piece. */
      guint before = n_before (&rig, action.first, G_N_ELEMENTS (ids));

      CU_ASSERT_EQUAL (action.kind, EXO_PLAN_FETCH_HUB);
      CU_ASSERT_EQUAL (action.wait_ms, 25 * MIN (before, 8));
      n_at_once += before == 0;
      n_capped += before > 8;
      exo_plan_piece_done (rig.plan, rig.blob, action.first, rig.now_us);
      exo_plan_fetch_ended (rig.plan, action.fetch, EXO_PLAN_ENDED_DONE, rig.now_us);
    }
  CU_ASSERT_TRUE (n_at_once > 0 && n_capped > 0);
}

/* Peers. ---------------------------------------------------------------------------------- */

static void
one_request_is_in_flight_per_peer (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "........", 3, NULL);
  for (guint p = 1; p <= 3; p++)
    rig_says (&rig, p, "########");
  rig_run (&rig);
  CU_ASSERT_EQUAL (count (rig.draw, '1'), 1);
  CU_ASSERT_EQUAL (count (rig.draw, '2'), 1);
  CU_ASSERT_EQUAL (count (rig.draw, '3'), 1);
}

static void
a_peer_is_asked_again_when_its_fetch_is_ending (void)
{
  g_auto (Rig) rig = { 0 };
  ExoPlanFetch first = 0;

  rig_init (&rig, "........", 1, NULL);
  rig_says (&rig, 1, "########");
  CU_ASSERT_EQUAL (count (rig_run (&rig), '1'), 1);
  for (guint i = 0; i < 8; i++)
    if (rig.draw[i] == '1')
      first = rig.fetches[i];
  exo_plan_fetch_ending (rig.plan, first);
  exo_plan_fetch_ending (rig.plan, first); /* once is enough */
  CU_ASSERT_EQUAL (count (rig_run (&rig), '1'), 2);
  for (guint32 i = 0; i < 8; i++)
    if (rig.fetches[i] == first)
      rig_done (&rig, i);
  CU_ASSERT_EQUAL (count (rig_run (&rig), '1'), 1); /* the second is under way still */
  exo_plan_fetch_ending (rig.plan, first);          /* gone: nothing to say of it */
  CU_ASSERT_EQUAL (count (rig_run (&rig), '1'), 1);
}

static void
with_nobody_to_trade_with_it_goes_by_position_in_runs (void)
{
  static const struct
  {
    const char *own, *peer1, *peer2, *asked; /* 1: of either peer */
  } rows[] = {
    { "................", "################", "", "1111............" }, /* run_bytes_max */
    { "................", "################", "################", "11111111........" },
    { "..#.............", "################", "", "11#............." }, /* held already */
    { "................", "..##.###########", "", "..11............" }, /* not there */
    { "####........####", "################", "################",
      "####1111....####" }, /* near the end */
    { "##############..", "################", "", "##############1." },
  };
  ExoPlanConfig config = EXO_PLAN_CONFIG_DEFAULT;

  config.run_bytes_max = 4 * PIECE;
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (Rig) rig = { 0 };

      rig_init (&rig, rows[i].own, 2, &config);
      exo_plan_remove_peer (rig.plan, rig.rival);
      rig_says (&rig, 1, rows[i].peer1);
      rig_says (&rig, 2, rows[i].peer2);
      rig_run (&rig);
      CU_ASSERT_STRING_EQUAL (g_strdelimit (rig.draw, "2", '1'), rows[i].asked);
    }
}

static void
fetches_in_flight_are_bounded (void)
{
  g_auto (Rig) rig = { 0 };
  ExoPlanConfig config = EXO_PLAN_CONFIG_DEFAULT;

  config.fetches_max = 2;
  rig_init (&rig, "........", 3, &config);
  for (guint p = 1; p <= 3; p++)
    rig_says (&rig, p, "########");
  CU_ASSERT_EQUAL (count (rig_run (&rig), '.'), 6);
}

static void
the_rarest_piece_goes_first (void)
{
  static const struct
  {
    const char *peer2, *peer3;
    guint32 rarest;
  } rows[] = {
    { "#.##", "....", 1 }, { "####", "##.#", 2 }, { "####", "ff.c", 2 }, { "##.#", "....", 2 },
    { ".fff", "....", 0 }, { "....", "ccc.", 3 }, { "f.#c", "....", 1 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (Rig) rig = { 0 };
      ExoPlanAction action;

      rig_init (&rig, "....", 3, NULL);
      rig_says (&rig, 1, "####");
      rig_says (&rig, 2, rows[i].peer2);
      rig_says (&rig, 3, rows[i].peer3);
      CU_ASSERT_TRUE (exo_plan_next (rig.plan, 0, &action));
      CU_ASSERT_EQUAL (action.kind, EXO_PLAN_FETCH_PEER);
      CU_ASSERT_EQUAL (action.first, rows[i].rarest);
      CU_ASSERT_EQUAL (action.n, 1);
    }
}

static void
receivers_of_one_seeder_ask_for_different_pieces (void)
{
  guint64 asked = 0;

  for (guint self = 1; self < 8; self++)
    {
      g_autoptr (ExoPlan) plan = exo_plan_new (ids[self], self, NULL);
      ExoPlanBlob blob = exo_plan_add_blob (plan, "oid", 64 * PIECE, NULL, TRUE, TRUE);
      ExoPlanPeer seeder = exo_plan_add_peer (plan, ids[0], 0);
      ExoPlanAction action;

      for (guint other = 1; other < 8; other++)
        if (other != self)
          exo_plan_peer_wants (plan, exo_plan_add_peer (plan, ids[other], 0), blob, TRUE);
      exo_plan_peer_has (plan, seeder, blob, 0, 64);
      CU_ASSERT_TRUE (exo_plan_next (plan, 0, &action));
      asked |= G_GUINT64_CONSTANT (1) << action.first;
    }
  CU_ASSERT_TRUE (__builtin_popcountll (asked) >= 6);
}

/* How many pieces it asks for in order, of 64 of which a neighbour has those drawn */
static guint
count_in_order (const char *held)
{
  g_auto (Rig) rig = { 0 };
  ExoPlanAction action;
  guint n = 0;

  rig_init (&rig, "................................................................", 1, NULL);
  rig_says (&rig, 1, held);
  for (guint32 last = 0; exo_plan_next (rig.plan, 0, &action) && action.first >= last; n++)
    {
      last = action.first;
      exo_plan_piece_done (rig.plan, rig.blob, action.first, 0);
      exo_plan_fetch_ended (rig.plan, action.fetch, EXO_PLAN_ENDED_DONE, 0);
    }
  return n;
}

/* Those it ranks first for: a half of all, as one other wants them, too. While the Hub has work, what comes from there is shared
 * out by chance. */
static void
a_receiver_asks_for_its_own_pieces_in_order (void)
{
  guint in_order =
      count_in_order ("################################################################");

  CU_ASSERT_TRUE (in_order >= 24 && in_order <= 40);
  CU_ASSERT_TRUE (
      count_in_order ("###############################################################.") <= 8);
}

static void
the_least_loaded_holder_is_asked_then_the_fastest (void)
{
  g_autoptr (ExoPlan) plan = exo_plan_new (ids[0], 1, NULL);
  ExoPlanBlob blob = exo_plan_add_blob (plan, "oid", 4 * PIECE, NULL, TRUE, TRUE);
  ExoPlanPeer busy = exo_plan_add_peer (plan, ids[1], 100 * MIB);
  ExoPlanPeer slow = exo_plan_add_peer (plan, ids[2], 10 * MIB);
  ExoPlanPeer fast = exo_plan_add_peer (plan, ids[3], 100 * MIB);
  ExoPlanAction action;

  exo_plan_peer_has (plan, busy, blob, 0, 4);
  exo_plan_peer_has (plan, slow, blob, 0, 4);
  exo_plan_peer_has (plan, fast, blob, 0, 4);
  exo_plan_peer_load (plan, busy, 1, 1);
  CU_ASSERT_TRUE (exo_plan_next (plan, 0, &action));
  CU_ASSERT_EQUAL (action.peer, fast);
  CU_ASSERT_TRUE (exo_plan_next (plan, 0, &action));
  CU_ASSERT_EQUAL (action.peer, slow);
  CU_ASSERT_TRUE (exo_plan_next (plan, 0, &action));
  CU_ASSERT_EQUAL (action.peer, busy);
  exo_plan_check (plan);
}

/* All say that they are fast; one of them is not. */
static void
what_a_holder_did_counts_more_than_what_it_says (void)
{
  for (guint slow = 1; slow <= 3; slow++)
    {
      g_auto (Rig) rig = { 0 };
      ExoPlanAction action;

      rig_init (&rig, "....", 3, NULL);
      for (guint p = 1; p <= 3; p++)
        {
          rig_says (&rig, p, "####");
          exo_plan_peer_link (rig.plan, rig.peers[p], 100 * MIB, 100 * MIB);
          exo_plan_peer_rate (rig.plan, rig.peers[p], p == slow ? 10 * MIB : 90 * MIB);
        }
      for (guint i = 0; i < 2; i++)
        {
          CU_ASSERT_TRUE (exo_plan_next (rig.plan, 0, &action));
          CU_ASSERT_NOT_EQUAL (action.peer, rig.peers[slow]);
        }
      CU_ASSERT_TRUE (exo_plan_next (rig.plan, 0, &action));
      CU_ASSERT_EQUAL (action.peer, rig.peers[slow]);
    }
}

static void
the_receive_window_is_soft (void)
{
  g_auto (Rig) rig = { 0 };
  ExoPlanConfig config = EXO_PLAN_CONFIG_DEFAULT;
  ExoPlanAction action;

  config.window_pieces = 4;
  rig_init (&rig, "#...........", 3, &config);
  rig_says (&rig, 1, "..##.....#..");
  rig_says (&rig, 2, "..##.....#..");
  rig_says (&rig, 3, "..##........");
  for (guint i = 0; i < 2; i++) /* piece 9 is rarer, but past the window */
    {
      CU_ASSERT_TRUE (exo_plan_next (rig.plan, 0, &action));
      CU_ASSERT_TRUE (action.first == 2 || action.first == 3);
      exo_plan_peer_load (rig.plan, rig.peers[1], 9, 0);
    }
  CU_ASSERT_TRUE (exo_plan_next (rig.plan, 0, &action));
  CU_ASSERT_EQUAL (action.first, 9); /* nothing nearer */
  exo_plan_check (rig.plan);
}

static void
who_holds_what_nobody_else_has_is_asked_for_nothing_else (void)
{
  g_auto (Rig) rig = { 0 };
  ExoPlanConfig config = EXO_PLAN_CONFIG_DEFAULT;

  config.window_pieces = 1;
  rig_init (&rig, "........", 3, &config);
  rig_says (&rig, 1, "########");
  rig_says (&rig, 2, "#####.f.");
  CU_ASSERT_EQUAL (rig_run (&rig)[5], '1');
  CU_ASSERT_EQUAL (count (rig.draw, '1'), 1);
  CU_ASSERT_EQUAL (count (rig.draw, '2'), 1);
}

static void
blobs_are_received_in_order (void)
{
  g_autoptr (ExoPlan) plan = exo_plan_new (ids[0], 1, NULL);
  ExoPlanPeer peer = exo_plan_add_peer (plan, ids[1], 0);
  ExoPlanConfig defaults = EXO_PLAN_CONFIG_DEFAULT;
  ExoPlanBlob blobs[300];
  ExoPlanAction action;

  for (guint i = 0; i < G_N_ELEMENTS (blobs); i++)
    blobs[i] = exo_plan_add_blob (plan, ids[i % 8], 100, NULL, TRUE, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (blobs); i++)
    exo_plan_peer_has (plan, peer, blobs[i], 0, 1);
  for (guint i = 0; i < G_N_ELEMENTS (blobs); i++)
    {
      CU_ASSERT_TRUE_FATAL (exo_plan_next (plan, 0, &action));
      CU_ASSERT_TRUE (action.blob <= blobs[0] + i + defaults.window_pieces);
      exo_plan_piece_done (plan, action.blob, 0, 0);
      exo_plan_fetch_ended (plan, action.fetch, EXO_PLAN_ENDED_DONE, 0);
    }
  CU_ASSERT_FALSE (exo_plan_next (plan, 0, &action));
  exo_plan_check (plan);
}

static void
a_peer_that_failed_is_left_alone_for_a_while (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, ".", 1, NULL);
  rig_says (&rig, 1, "#");
  for (gint64 pause = G_USEC_PER_SEC / 2; pause <= 8 * G_USEC_PER_SEC; pause *= 2)
    {
      CU_ASSERT_STRING_EQUAL (rig_run (&rig), "1");
      rig_fails (&rig, 0, EXO_PLAN_ENDED_FAILED);
      CU_ASSERT_STRING_EQUAL (rig_run (&rig), ".");
      CU_ASSERT_EQUAL (exo_plan_wake_at (rig.plan), rig.now_us + pause);
      rig.now_us += pause;
    }
}

static void
what_only_a_failing_peer_has_comes_from_the_hub_in_the_end (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, ".", 1, NULL);
  rig_says (&rig, 1, "#");
  rig_hub (&rig);
  for (guint i = 0; i < 3; i++)
    {
      CU_ASSERT_STRING_EQUAL (rig_run (&rig), "1");
      rig_fails (&rig, 0, EXO_PLAN_ENDED_FAILED);
      rig.now_us += i < 2 ? 2 * G_USEC_PER_SEC : 0;
    }
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "h");
}

static void
a_piece_the_peer_does_not_have_is_not_asked_of_it_again (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "..", 1, NULL);
  rig_says (&rig, 1, "#.");
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "1.");
  rig_fails (&rig, 0, EXO_PLAN_ENDED_MISSING);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "..");
  rig_says (&rig, 1, ".#");
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), ".1");
}

static void
dropped_pieces_are_not_asked_for (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "...", 1, NULL);
  rig_says (&rig, 1, "##.");
  exo_plan_peer_dropped (rig.plan, rig.peers[1], rig.blob, 0, 3);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "...");
}

static void
a_shunned_peer_counts_for_nothing_ever_again (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "...", 2, NULL);
  rig_says (&rig, 1, "##c");
  rig_hub (&rig);
  rig_run (&rig);
  exo_plan_shun_peer (rig.plan, rig.peers[1]);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "hhh");
  rig_says (&rig, 1, "##c");
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "hhh");
  exo_plan_remove_peer (rig.plan, rig.peers[1]);
  exo_plan_check (rig.plan);
}

static void
facts_past_the_last_piece_are_ignored (void)
{
  static const struct
  {
    guint32 first, n;
  } rows[] = { { 3, 1 }, { 2, 2 }, { 0, 4 }, { G_MAXUINT32, 2 }, { 1, G_MAXUINT32 }, { 4, 0 } };
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "...", 1, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      exo_plan_peer_has (rig.plan, rig.peers[1], rig.blob, rows[i].first, rows[i].n);
      exo_plan_peer_dropped (rig.plan, rig.peers[1], rig.blob, rows[i].first, rows[i].n);
      exo_plan_peer_fetching (rig.plan, rig.peers[1], rig.blob, rows[i].first, rows[i].n);
      exo_plan_peer_claims (rig.plan, rig.peers[1], rig.blob, rows[i].first, rows[i].n, 0);
      exo_plan_peer_released (rig.plan, rig.peers[1], rig.blob, rows[i].first, rows[i].n);
      exo_plan_check (rig.plan);
    }
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "...");
  rig_hub (&rig);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "hhh");
}

static void
a_peer_with_too_many_ranges_is_followed_no_further (void)
{
  g_autoptr (ExoPlan) plan = exo_plan_new (ids[0], 1, NULL);
  ExoPlanBlob blob = exo_plan_add_blob (plan, "oid", 1000 * PIECE, NULL, TRUE, TRUE);
  ExoPlanPeer peer = exo_plan_add_peer (plan, ids[1], 0);

  for (guint32 i = 0; i < 1000; i += 2)
    exo_plan_peer_claims (plan, peer, blob, i, 1, 0);
  exo_plan_check (plan); /* at most EXO_PLAN_TAKES_MAX */
  exo_plan_peer_released (plan, peer, blob, 0, 1000);
  exo_plan_check (plan);
}

static void
content_not_for_the_lan_is_never_asked_for_there (void)
{
  g_autoptr (ExoPlan) plan = exo_plan_new (ids[0], 1, NULL);
  ExoPlanBlob blob = exo_plan_add_blob (plan, "oid", 3 * PIECE, NULL, TRUE, FALSE);
  ExoPlanPeer peer = exo_plan_add_peer (plan, ids[1], 0);
  ExoPlanAction action;
  guint n = 0;

  exo_plan_peer_wants (plan, peer, blob, TRUE);
  exo_plan_peer_has (plan, peer, blob, 0, 2);
  exo_plan_peer_claims (plan, peer, blob, 2, 1, 0);
  exo_plan_check (plan);
  exo_plan_set_hub (plan, TRUE, 0, 0, 0);
  for (; exo_plan_next (plan, 0, &action); n++)
    CU_ASSERT_EQUAL (action.kind, EXO_PLAN_FETCH_HUB);
  CU_ASSERT_EQUAL (n, 3);
}

static void
a_lost_piece_is_fetched_again_from_others (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "###", 2, NULL);
  rig_says (&rig, 1, "###");
  exo_plan_piece_lost (rig.plan, rig.blob, 1, rig.peers[1]);
  rig.draw[1] = '.';
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "#.#");
  rig_says (&rig, 1, ".#."); /* it says so again */
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "#.#");
  rig_says (&rig, 2, ".#.");
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "#2#");
  rig_done (&rig, 1);
  exo_plan_piece_lost (rig.plan, rig.blob, 1, 0);
  rig.draw[1] = '.';
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "#2#");
}

/* Where no neighbour is believed, all that are in doubt still fetch one copy together. */
static void
only_what_a_peer_had_from_the_hub_counts_where_that_is_asked (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "........", 2, NULL);
  exo_plan_set_first_hand (rig.plan, rig.blob);
  rig_says (&rig, 1, "########");
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "........");
  rig_says (&rig, 2, "..cc....");
  exo_plan_peer_has (rig.plan, rig.peers[2], rig.blob, 0, 4);
  exo_plan_check (rig.plan);
  CU_ASSERT_EQUAL (count (rig_run (&rig) + 2, '2'), 1);
  CU_ASSERT_EQUAL (count (rig.draw, '.'), 7);
  exo_plan_peer_has (rig.plan, rig.peers[1], rig.blob, 2,
                     2); /* it may have it from the one or the other */
  rig_says (&rig, 1, "......c.");
  rig_hub (&rig);
  rig_run (&rig);
  rig_hub_runs_done (&rig);
  rig_run (&rig);
  CU_ASSERT_NOT_EQUAL (rig.draw[0], '.');
  CU_ASSERT_NOT_EQUAL (rig.draw[7], '.');
  CU_ASSERT_EQUAL (rig.draw[6], '.');
  CU_ASSERT_EQUAL (count (rig.draw + 2, '2') + count (rig.draw + 2, '.'), 3);
}

static void
a_piece_lost_while_its_run_goes_on_is_fetched_by_another_run (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "....", 0, &(ExoPlanConfig){ 1, 16, 96, 4 * PIECE, 15 * G_USEC_PER_SEC });
  rig_hub (&rig);
  rig_run (&rig);
  exo_plan_piece_done (rig.plan, rig.blob, 0, 0);
  exo_plan_piece_lost (rig.plan, rig.blob, 0, 0);
  exo_plan_check (rig.plan);
  CU_ASSERT_EQUAL (rig_run (&rig)[0], 'h');
  exo_plan_piece_done (rig.plan, rig.blob, 0, 0);
  exo_plan_check (rig.plan);
}

static void
removing_a_blob_cancels_its_fetches (void)
{
  g_auto (Rig) rig = { 0 };
  ExoPlanAction action;
  guint n = 0;

  rig_init (&rig, "....", 1, NULL);
  rig_says (&rig, 1, "#c..");
  rig_hub (&rig);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "1.hh");
  exo_plan_remove_blob (rig.plan, rig.blob);
  exo_plan_check (rig.plan);
  for (; exo_plan_next (rig.plan, 0, &action); n++)
    {
      CU_ASSERT_EQUAL (action.kind, EXO_PLAN_CANCEL);
      CU_ASSERT_EQUAL (action.blob, rig.blob);
      exo_plan_piece_done (rig.plan, action.blob, action.first, 0); /* it came all the same */
      exo_plan_fetch_ended (rig.plan, action.fetch, EXO_PLAN_ENDED_CANCELLED, 0);
    }
  CU_ASSERT_EQUAL (n, 3);
  CU_ASSERT_EQUAL (exo_plan_wake_at (rig.plan), G_MAXINT64);
}

static void
a_fetch_whose_pieces_came_otherwise_is_cancelled (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, ".", 1, NULL);
  rig_says (&rig, 1, "#");
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "1");
  exo_plan_piece_done (rig.plan, rig.blob, 0, rig.now_us);
  rig_run (&rig);
  CU_ASSERT_EQUAL (rig.n_cancels, 0);
  rig.now_us = exo_plan_wake_at (rig.plan);
  CU_ASSERT_TRUE (rig.now_us < G_USEC_PER_SEC);
  rig_run (&rig);
  CU_ASSERT_EQUAL (rig.n_cancels, 1);
}

/* Many. ----------------------------------------------------------------------------------- */

#define EVENTS_BLOBS 3
#define EVENTS_PEERS 5

typedef struct
{
  ExoPlan *plan;
  GRand *chance;
  ExoPlanBlob blobs[EVENTS_BLOBS];
  guint32 n_pieces[EVENTS_BLOBS];
  ExoPlanPeer peers[EVENTS_PEERS];
  GArray *actions; /* ExoPlanAction in flight */
  gint64 now_us;
} Events;

static guint32
below (Events *events, guint32 n)
{
  return (guint32) g_rand_int_range (events->chance, 0, (gint32) n);
}

static void
add_random_blob (Events *events, guint b)
{
  guint64 size = below (events, 4) == 0 ? below (events, 3) * 100 : below (events, 40) * 200 * KIB;

  events->blobs[b] = exo_plan_add_blob (events->plan, ids[below (events, 8)], size, NULL,
                                        below (events, 4) != 0, below (events, 8) != 0);
  events->n_pieces[b] = exo_pieces_in (size);
}

static void
random_fact (Events *events)
{
  ExoPlan *plan = events->plan;
  ExoPlanPeer peer = events->peers[below (events, EVENTS_PEERS)];
  ExoPlanBlob blob = events->blobs[below (events, EVENTS_BLOBS)];
  guint32 first = below (events, 44), n = below (events, 6);

  switch (below (events, 9))
    {
    case 0:
    case 1:
      exo_plan_peer_has (plan, peer, blob, first, n);
      break;
    case 2:
      exo_plan_peer_dropped (plan, peer, blob, first, n);
      break;
    case 3:
      exo_plan_peer_fetching (plan, peer, blob, first, n);
      break;
    case 4:
      exo_plan_peer_claims (plan, peer, blob, first, n, events->now_us);
      break;
    case 5:
      exo_plan_peer_released (plan, peer, blob, first, n);
      break;
    case 6:
      exo_plan_peer_wants (plan, peer, blob, below (events, 2) == 0);
      break;
    case 7:
      exo_plan_peer_hub (plan, peer, below (events, 2) == 0, below (events, 3) * MIB);
      break;
    default:
      exo_plan_peer_load (plan, peer, below (events, 3), below (events, 3));
    }
}

static void
random_ending (Events *events)
{
  guint i = events->actions->len > 0 ? below (events, events->actions->len) : 0;
  guint ending = below (events, 8);
  ExoPlanAction action;

  if (events->actions->len == 0)
    return;
  action = g_array_index (events->actions, ExoPlanAction, i);
  for (guint32 piece = action.first; piece < action.first + action.n; piece++)
    if (ending < 4 || below (events, 2) == 0)
      exo_plan_piece_done (events->plan, action.blob, piece, events->now_us);
  exo_plan_check (events->plan);
  if (ending == 7)
    return; /* not yet */
  exo_plan_fetch_ended (events->plan, action.fetch,
                        ending < 4 ? EXO_PLAN_ENDED_DONE : (ExoPlanEnding) (ending - 4),
                        events->now_us);
  g_array_remove_index_fast (events->actions, i);
}

static void
random_change (Events *events)
{
  ExoPlan *plan = events->plan;
  guint b = below (events, EVENTS_BLOBS), p = below (events, EVENTS_PEERS);

  switch (below (events, 6))
    {
    case 0:
      exo_plan_remove_blob (plan, events->blobs[b]);
      exo_plan_check (plan);
      add_random_blob (events, b);
      break;
    case 1:
      exo_plan_remove_peer (plan, events->peers[p]);
      exo_plan_check (plan);
      events->peers[p] = exo_plan_add_peer (plan, ids[below (events, 8)], below (events, 3) * MIB);
      break;
    case 2:
      if (below (events, 4) == 0)
        exo_plan_shun_peer (plan, events->peers[p]);
      break;
    case 3:
      exo_plan_set_use_hub (plan, events->blobs[b], below (events, 2) == 0);
      if (events->n_pieces[b] > 0)
        exo_plan_set_urgent (plan, events->blobs[b],
                             below (events, 3) == 0 ? EXO_PLAN_NOBODY_WAITS
                                                    : below (events, events->n_pieces[b]));
      break;
    case 4:
      exo_plan_set_hub (plan, below (events, 4) != 0, events->now_us + below (events, 1000),
                        below (events, 5) * MIB, below (events, 40000));
      exo_plan_set_lan_rate (plan, below (events, 3) * MIB / 4);
      exo_plan_set_metered (plan, below (events, 8) == 0);
      exo_plan_set_link (plan, below (events, 8) * MIB, below (events, 8) * MIB);
      exo_plan_peer_link (plan, events->peers[p], below (events, 8) * MIB, below (events, 8) * MIB);
      break;
    default:
      if (events->n_pieces[b] > 0)
        exo_plan_piece_lost (plan, events->blobs[b], below (events, events->n_pieces[b]),
                             below (events, 2) == 0 ? 0 : events->peers[p]);
    }
}

static void
take_actions (Events *events)
{
  ExoPlanAction action;

  while (exo_plan_next (events->plan, events->now_us, &action))
    {
      exo_plan_check (events->plan);
      if (action.kind == EXO_PLAN_CANCEL)
        continue;
      CU_ASSERT_TRUE (action.n >= 1);
      for (guint i = 0; i < events->actions->len; i++)
        if (action.peer != 0)
          CU_ASSERT_NOT_EQUAL (g_array_index (events->actions, ExoPlanAction, i).peer, action.peer);
      g_array_append_val (events->actions, action);
    }
  CU_ASSERT_TRUE (exo_plan_wake_at (events->plan) > events->now_us);
}

static void
run_events (guint32 seed, guint steps)
{
  Events events = { 0 };

  events.plan = exo_plan_new (ids[0], seed, NULL);
  events.chance = g_rand_new_with_seed (seed);
  events.actions = g_array_new (FALSE, FALSE, sizeof (ExoPlanAction));
  for (guint b = 0; b < EVENTS_BLOBS; b++)
    add_random_blob (&events, b);
  for (guint p = 0; p < EVENTS_PEERS; p++)
    events.peers[p] = exo_plan_add_peer (events.plan, ids[p + 1], 0);
  for (guint step = 0; step < steps; step++)
    {
      guint what = below (&events, 20);

      if (what < 10)
        random_fact (&events);
      else if (what < 16)
        random_ending (&events);
      else if (what < 18)
        random_change (&events);
      else
        events.now_us += below (&events, 2 * G_USEC_PER_SEC);
      exo_plan_check (events.plan);
      take_actions (&events);
      exo_plan_check (events.plan);
    }
  exo_plan_free (events.plan);
  g_rand_free (events.chance);
  g_array_unref (events.actions);
}

/* Readers. -------------------------------------------------------------------------------- */

static void
what_a_reader_waits_for_comes_first_from_the_hub (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "#.......", 0, NULL);
  rig_hub (&rig);
  exo_plan_set_urgent (rig.plan, rig.blob, 5);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "#hh..hh.");
  exo_plan_set_urgent (rig.plan, rig.blob,
                       4); /* all runs are in flight, and yet it need not wait for one to end */
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "#hh.hhh.");
  exo_plan_set_urgent (rig.plan, rig.blob, 3);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "#hh.hhh."); /* but for one */
}

static void
when_nobody_waits_the_order_is_the_usual_one (void)
{
  g_auto (Rig) rig = { 0 };

  rig_init (&rig, "........", 0, NULL);
  rig_hub (&rig);
  exo_plan_set_urgent (rig.plan, rig.blob, 6);
  exo_plan_set_urgent (rig.plan, rig.blob, EXO_PLAN_NOBODY_WAITS);
  CU_ASSERT_STRING_EQUAL (rig_run (&rig), "hhhh....");
}

static void
a_blob_that_is_read_goes_before_others (void)
{
  g_autoptr (ExoPlan) plan = exo_plan_new (ids[0], 1, NULL);
  ExoPlanBlob read;
  ExoPlanAction action;

  exo_plan_add_blob (plan, "elder", 400 * MIB, NULL, TRUE, TRUE);
  read = exo_plan_add_blob (plan, "read", 400 * MIB, NULL, TRUE, TRUE);
  exo_plan_set_hub (plan, TRUE, 0, 0, 0);
  exo_plan_set_urgent (plan, read, 1000);
  CU_ASSERT_TRUE (exo_plan_next (plan, 0, &action));
  CU_ASSERT_EQUAL (action.blob, read);
  CU_ASSERT_EQUAL (action.first, 1000);
  exo_plan_remove_blob (plan, read);
  while (exo_plan_next (plan, 0, &action))
    CU_ASSERT_TRUE (action.kind == EXO_PLAN_CANCEL || action.blob != read);
}

static void
the_piece_a_reader_waits_for_is_asked_of_its_holder (void)
{
  for (guint32 piece = 0; piece < 8; piece++)
    {
      g_auto (Rig) rig = { 0 };

      rig_init (&rig, "........", 1, NULL);
      rig_says (&rig, 1, "########");
      exo_plan_set_urgent (rig.plan, rig.blob, piece);
      rig_run (&rig);
      CU_ASSERT_EQUAL (rig.draw[piece], '1');
      CU_ASSERT_EQUAL (count (rig.draw, '1'), 1);
    }
}

/* Two nodes whose readers wait for the same bytes do not fetch them twice, though neither has heard of the other's claims. */
static void
readers_of_two_nodes_share_out_the_runs (void)
{
  char drawn[2][RIG_DRAW];

  for (guint node = 0; node < 2; node++)
    {
      g_autoptr (ExoPlan) plan = exo_plan_new (ids[node], 1, NULL);
      ExoPlanBlob blob = exo_plan_add_blob (plan, "oid", 64 * PIECE, NULL, TRUE, TRUE);
      ExoPlanPeer peer = exo_plan_add_peer (plan, ids[1 - node], 0);
      ExoPlanAction action;

      exo_plan_peer_hub (plan, peer, TRUE, 0);
      exo_plan_peer_wants (plan, peer, blob, TRUE);
      exo_plan_set_hub (plan, TRUE, 0, 0, 0);
      exo_plan_set_urgent (plan, blob, 0);
      memset (drawn[node], '.', 64);
      while (exo_plan_next (plan, 0, &action))
        memset (drawn[node] + action.first, 'h', action.n);
    }
  for (guint i = 0; i < 64; i++)
    CU_ASSERT_FALSE (drawn[0][i] == 'h' && drawn[1][i] == 'h');
}

static void
a_unit_its_owner_does_not_take_is_taken_by_the_reader (void)
{
  gboolean waited = FALSE;

  for (guint32 piece = 0; piece < 60; piece += 4)
    {
      g_autoptr (ExoPlan) plan = exo_plan_new (ids[0], 1, NULL);
      ExoPlanBlob blob = exo_plan_add_blob (plan, "oid", 64 * PIECE, NULL, TRUE, TRUE);
      ExoPlanPeer peer = exo_plan_add_peer (plan, ids[1], 0);
      ExoPlanAction action = { 0 };
      gint64 wake_us = 0;
      guint n = 0;

      exo_plan_peer_hub (plan, peer, TRUE, 0);
      exo_plan_peer_wants (plan, peer, blob, TRUE);
      exo_plan_set_hub (plan, TRUE, 0, 0, 0);
      exo_plan_set_urgent (plan, blob, piece);
      while (exo_plan_next (plan, wake_us, &action) ||
             (++n == 1 && (wake_us = exo_plan_wake_at (plan)) < G_USEC_PER_SEC))
        if (action.first <= piece && piece < action.first + action.n)
          break;
      CU_ASSERT_TRUE (action.first <= piece && piece < action.first + action.n);
      waited = waited || n > 0;
    }
  CU_ASSERT_TRUE (waited); /* or the owner was never asked first */
}

static void
a_detour_begins_where_a_reader_waits (void)
{
  for (guint32 piece = 2; piece < 14; piece++)
    {
      g_auto (Rig) rig = { 0 };
      guint32 first = piece;

      rig_detour (&rig);
      exo_plan_set_urgent (rig.plan, rig.blob, piece);
      rig_run (&rig);
      while (rig.draw[first] == '1') /* on its way from the neighbour */
        first++;
      CU_ASSERT_EQUAL (rig.draw[first], 'h');
      CU_ASSERT_EQUAL (count (rig.draw, 'h'), 4);
    }
}

/* Whoever ranks first for it may have no need of a detour. */
static void
a_detour_takes_what_a_reader_waits_for_from_its_owner (void)
{
  gboolean waited = FALSE;

  for (guint32 piece = 0; piece < 60; piece++)
    {
      g_auto (Rig) rig = { 0 };
      ExoPlanAction action;

      rig_detour_of (&rig, 60);
      for (guint peer = 2; peer <= 3; peer++)
        {
          exo_plan_peer_hub (rig.plan, rig.peers[peer], TRUE, 0);
          exo_plan_peer_wants (rig.plan, rig.peers[peer], rig.blob, TRUE);
        }
      rig_run (&rig);
      rig_hub_runs_done (&rig);
      if (rig.draw[piece] != '.')
        continue;
      exo_plan_set_urgent (rig.plan, rig.blob, piece);
      if (rig_run (&rig)[piece] != '.')
        continue;
      waited = TRUE;
      rig_hub_runs_done (&rig);
      CU_ASSERT_EQUAL (exo_plan_wake_at (rig.plan), rig.now_us + G_USEC_PER_SEC / 5);
      CU_ASSERT_TRUE (exo_plan_next (rig.plan, rig.now_us + G_USEC_PER_SEC / 5, &action));
      CU_ASSERT_EQUAL (action.kind, EXO_PLAN_FETCH_HUB);
      CU_ASSERT_EQUAL (action.first, piece); /* before all else */
    }
  CU_ASSERT_TRUE (waited); /* or the owner was never asked first */
}

/* Each place a reader comes to is its owner's for a while. */
static void
where_a_reader_comes_next_the_owner_goes_first_again (void)
{
  g_autoptr (ExoPlan) plan = exo_plan_new (ids[0], 1, NULL);
  ExoPlanBlob blob = exo_plan_add_blob (plan, "oid", 64 * PIECE, NULL, TRUE, TRUE);
  ExoPlanPeer peer = exo_plan_add_peer (plan, ids[1], 0);
  ExoPlanAction action;

  exo_plan_peer_hub (plan, peer, TRUE, 0);
  exo_plan_peer_wants (plan, peer, blob, TRUE);
  exo_plan_set_hub (plan, TRUE, 0, 0, 0);
  for (gint64 now_us = G_USEC_PER_SEC; now_us < 6 * G_USEC_PER_SEC; now_us += G_USEC_PER_SEC)
    {
      while (exo_plan_next (plan, now_us, &action))
        continue;
      exo_plan_set_urgent (plan, blob, (guint32) (now_us / G_USEC_PER_SEC) * 10);
      CU_ASSERT_EQUAL (exo_plan_wake_at (plan), now_us + G_USEC_PER_SEC / 5);
    }
}

static void
a_run_of_a_detour_is_a_whole_unit (void)
{
  g_autoptr (ExoPlan) plan = exo_plan_new (ids[0], 1, NULL);
  ExoPlanBlob blob = exo_plan_add_blob (plan, "oid", 2048 * MIB, NULL, TRUE, TRUE);
  ExoPlanPeer peer = exo_plan_add_peer (plan, ids[1], 0);
  ExoPlanAction action;

  exo_plan_peer_has (plan, peer, blob, 0, 1024);
  exo_plan_set_hub (plan, TRUE, 0, 40 * MIB, 0);
  exo_plan_set_lan_rate (plan, 9 * MIB);
  while (exo_plan_next (plan, 0, &action))
    continue;
  CU_ASSERT_TRUE (exo_plan_next (plan, 2 * G_USEC_PER_SEC, &action));
  CU_ASSERT_EQUAL (action.kind, EXO_PLAN_FETCH_HUB);
  CU_ASSERT_TRUE (action.n >
                  2); /* of 2 MiB: more than run_bytes_max, up to what the peer is sending */
}

static void
where_the_waited_for_piece_is_not_to_be_had_the_order_is_the_usual_one (void)
{
  for (guint32 piece = 0; piece < 8; piece++)
    {
      g_auto (Rig) rig = { 0 }, usual = { 0 };
      char held[] = "################";

      held[piece] = '.';
      rig_init (&rig, "................", 1, NULL);
      rig_init (&usual, "................", 1, NULL);
      rig_says (&rig, 1, held);
      rig_says (&usual, 1, held);
      exo_plan_set_urgent (rig.plan, rig.blob, piece);
      CU_ASSERT_STRING_EQUAL (rig_run (&rig), rig_run (&usual));
    }
}

static void
a_reader_goes_on_to_the_next_piece_by_itself (void)
{
  for (guint32 held = 1; held < 8; held++)
    {
      g_auto (Rig) rig = { 0 };
      char own[] = "........";

      memset (own, '#', held);
      rig_init (&rig, own, 1, NULL);
      rig_says (&rig, 1, "########");
      exo_plan_set_urgent (rig.plan, rig.blob, 0);
      CU_ASSERT_EQUAL (rig_run (&rig)[held], '1');
    }
}

static void
invariants_hold_whatever_happens (void)
{
  for (guint32 seed = 0; seed < 30; seed++)
    run_events (seed, 300);
}

/* A swarm in one process: announcements arrive at once, any fetch in flight may be next to end. */
#define SWARM_NODES  5
#define SWARM_PIECES 90

typedef struct
{
  ExoPlan *plan;
  ExoPlanBlob blob;
  ExoPlanPeer peers[SWARM_NODES];
  GArray *actions;
  guint held;
} SwarmNode;

typedef struct
{
  SwarmNode nodes[SWARM_NODES];
  guint from_hub[SWARM_PIECES];
  GRand *chance;
} Swarm;

static void
swarm_pump (Swarm *swarm, guint self)
{
  SwarmNode *node = &swarm->nodes[self];
  ExoPlanAction action;

  while (exo_plan_next (node->plan, 0, &action))
    {
      CU_ASSERT_NOT_EQUAL (action.kind, EXO_PLAN_CANCEL);
      g_array_append_val (node->actions, action);
      for (guint other = 0; other < SWARM_NODES; other++)
        {
          SwarmNode *to = &swarm->nodes[other];

          if (other != self && action.kind == EXO_PLAN_FETCH_HUB)
            exo_plan_peer_claims (to->plan, to->peers[self], to->blob, action.first, action.n, 0);
          else if (other != self)
            exo_plan_peer_fetching (to->plan, to->peers[self], to->blob, action.first, action.n);
        }
    }
  exo_plan_check (node->plan);
}

static void
swarm_end (Swarm *swarm, guint self, guint index)
{
  SwarmNode *node = &swarm->nodes[self];
  ExoPlanAction action = g_array_index (node->actions, ExoPlanAction, index);

  g_array_remove_index_fast (node->actions, index);
  for (guint32 i = action.first; i < action.first + action.n; i++)
    {
      swarm->from_hub[i] += action.kind == EXO_PLAN_FETCH_HUB;
      exo_plan_piece_done (node->plan, node->blob, i, 0);
      node->held++;
    }
  exo_plan_fetch_ended (node->plan, action.fetch, EXO_PLAN_ENDED_DONE, 0);
  for (guint other = 0; other < SWARM_NODES; other++)
    {
      SwarmNode *to = &swarm->nodes[other];

      if (other != self)
        exo_plan_peer_has (to->plan, to->peers[self], to->blob, action.first, action.n);
    }
}

static void
swarm_init (Swarm *swarm, guint32 seed)
{
  g_autofree char *oid = g_strdup_printf ("oid %u", seed);

  swarm->chance = g_rand_new_with_seed (seed);
  for (guint i = 0; i < SWARM_NODES; i++)
    {
      SwarmNode *node = &swarm->nodes[i];

      node->plan = exo_plan_new (ids[i], seed + i, NULL);
      node->blob = exo_plan_add_blob (node->plan, oid, SWARM_PIECES * PIECE, NULL, TRUE, TRUE);
      node->actions = g_array_new (FALSE, FALSE, sizeof (ExoPlanAction));
      exo_plan_set_hub (node->plan, TRUE, 0, 0, 0);
      for (guint other = 0; other < SWARM_NODES; other++)
        if (other != i)
          {
            node->peers[other] = exo_plan_add_peer (node->plan, ids[other], 0);
            exo_plan_peer_hub (node->plan, node->peers[other], TRUE, 0);
            exo_plan_peer_wants (node->plan, node->peers[other], node->blob, TRUE);
          }
    }
}

static void
every_piece_comes_from_the_hub_exactly_once (void)
{
  for (guint32 seed = 0; seed < 10; seed++)
    {
      Swarm swarm = { 0 };
      gboolean busy = TRUE;

      swarm_init (&swarm, seed);
      while (busy)
        {
          guint self = (guint) g_rand_int_range (swarm.chance, 0, SWARM_NODES);

          for (guint i = 0; i < SWARM_NODES; i++)
            swarm_pump (&swarm, (self + i) % SWARM_NODES);
          busy = FALSE;
          for (guint i = 0; i < SWARM_NODES && !busy; i++)
            {
              guint node = (self + i) % SWARM_NODES;
              guint n = swarm.nodes[node].actions->len;

              busy = n > 0;
              if (busy)
                swarm_end (&swarm, node, (guint) g_rand_int_range (swarm.chance, 0, (gint32) n));
            }
        }
      for (guint i = 0; i < SWARM_PIECES; i++)
        CU_ASSERT_EQUAL (swarm.from_hub[i], 1);
      for (guint i = 0; i < SWARM_NODES; i++)
        {
          CU_ASSERT_EQUAL (swarm.nodes[i].held, SWARM_PIECES);
          CU_ASSERT_EQUAL (exo_plan_wake_at (swarm.nodes[i].plan), G_MAXINT64);
          exo_plan_free (swarm.nodes[i].plan);
          g_array_unref (swarm.nodes[i].actions);
        }
      g_rand_free (swarm.chance);
    }
}

EXO_SUITE ("plan",
           TEST (alone_it_takes_four_runs_from_the_front),
           TEST (with_one_other_two_runs_are_in_flight),
           TEST (first_runs_are_staggered_and_stay_in_their_unit),
           TEST (a_run_is_at_most_the_configured_bytes_or_two_pieces),
           TEST (runs_shrink_towards_the_end_but_not_below_rate_times_round_trip),
           TEST (tiny_blobs_count_as_a_quarter_of_a_run),
           TEST (what_a_peer_has_claims_or_fetches_is_not_taken_from_the_hub),
           TEST (a_claim_that_stalls_is_void),
           TEST (a_claim_of_large_pieces_on_a_slow_line_is_waited_for),
           TEST (a_claim_that_brings_pieces_does_not_stall),
           TEST (released_pieces_are_free_and_a_new_claim_takes_them_again),
           TEST (the_claims_of_a_peer_that_vanished_are_free),
           TEST (a_collision_makes_exactly_one_yield),
           TEST (nodes_with_equal_membership_rank_themselves_apart),
           TEST (the_hub_window_is_bounded_by_position),
           TEST (slow_peers_are_left_out_of_the_ranking),
           TEST (one_line_of_its_own_does_not_keep_the_others_from_the_hub),
           TEST (links_are_compared_with_their_like),
           TEST (a_slow_node_claims_only_when_nobody_else_does),
           TEST (a_slow_node_claims_when_it_is_alone),
           TEST (a_slow_node_claims_when_the_fast_one_wants_nothing),
           TEST (who_is_aside_leaves_the_hub_to_who_is_not),
           TEST (who_is_aside_waits_for_somebody_who_is_not),
           TEST (who_is_aside_is_not_ranked),
           TEST (what_peers_have_comes_from_a_hub_that_stays_far_faster),
           TEST (what_peers_have_stays_off_the_hub_unless_all_is_so),
           TEST (a_hub_that_is_faster_now_and_then_is_not_enough),
           TEST (what_others_are_bringing_is_waited_for_all_the_same),
           TEST (what_nobody_has_goes_first),
           TEST (nodes_that_all_do_so_share_it_out),
           TEST (a_detour_ends_when_it_is_no_gain),
           TEST (a_detour_that_starved_the_lan_does_not_begin_again),
           TEST (a_detour_is_not_cancelled_by_what_peers_have),
           TEST (a_detour_ends_at_once_where_it_begins_to_cost),
           TEST (a_free_run_goes_on_where_the_hub_begins_to_cost),
           TEST (nothing_is_claimed_while_the_hub_is_blocked),
           TEST (a_failed_run_is_tried_again_after_a_pause),
           TEST (without_hub_a_blob_waits_for_peers),
           TEST (a_hub_run_of_which_a_peer_has_the_rest_is_cancelled),
           TEST (who_borrows_waits_for_those_who_go_before),
           TEST (one_request_is_in_flight_per_peer),
           TEST (a_peer_is_asked_again_when_its_fetch_is_ending),
           TEST (with_nobody_to_trade_with_it_goes_by_position_in_runs),
           TEST (fetches_in_flight_are_bounded),
           TEST (the_rarest_piece_goes_first),
           TEST (receivers_of_one_seeder_ask_for_different_pieces),
           TEST (a_receiver_asks_for_its_own_pieces_in_order),
           TEST (the_least_loaded_holder_is_asked_then_the_fastest),
           TEST (what_a_holder_did_counts_more_than_what_it_says),
           TEST (no_more_hub_fetches_than_the_user_allows),
           TEST (tiny_files_count_as_hub_fetches_of_the_user),
           TEST (the_receive_window_is_soft),
           TEST (who_holds_what_nobody_else_has_is_asked_for_nothing_else),
           TEST (blobs_are_received_in_order),
           TEST (a_peer_that_failed_is_left_alone_for_a_while),
           TEST (what_only_a_failing_peer_has_comes_from_the_hub_in_the_end),
           TEST (a_piece_the_peer_does_not_have_is_not_asked_of_it_again),
           TEST (dropped_pieces_are_not_asked_for),
           TEST (a_shunned_peer_counts_for_nothing_ever_again),
           TEST (facts_past_the_last_piece_are_ignored),
           TEST (a_peer_with_too_many_ranges_is_followed_no_further),
           TEST (content_not_for_the_lan_is_never_asked_for_there),
           TEST (a_lost_piece_is_fetched_again_from_others),
           TEST (only_what_a_peer_had_from_the_hub_counts_where_that_is_asked),
           TEST (a_piece_lost_while_its_run_goes_on_is_fetched_by_another_run),
           TEST (removing_a_blob_cancels_its_fetches),
           TEST (a_fetch_whose_pieces_came_otherwise_is_cancelled),
           TEST (what_a_reader_waits_for_comes_first_from_the_hub),
           TEST (when_nobody_waits_the_order_is_the_usual_one),
           TEST (a_blob_that_is_read_goes_before_others),
           TEST (the_piece_a_reader_waits_for_is_asked_of_its_holder),
           TEST (readers_of_two_nodes_share_out_the_runs),
           TEST (a_unit_its_owner_does_not_take_is_taken_by_the_reader),
           TEST (a_detour_begins_where_a_reader_waits),
           TEST (a_detour_takes_what_a_reader_waits_for_from_its_owner),
           TEST (where_a_reader_comes_next_the_owner_goes_first_again),
           TEST (a_run_of_a_detour_is_a_whole_unit),
           TEST (where_the_waited_for_piece_is_not_to_be_had_the_order_is_the_usual_one),
           TEST (a_reader_goes_on_to_the_next_piece_by_itself),
           TEST (invariants_hold_whatever_happens),
           TEST (every_piece_comes_from_the_hub_exactly_once))
