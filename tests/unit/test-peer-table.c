/* test-peer-table.c - sightings become peers
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "discovery/peer-table.h"
#include "tests/unit/suite.h"

#define ME    "00000000000000000000000000000000"
#define ALICE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BOB   "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define S     G_USEC_PER_SEC

enum
{
  PORT = 52418
};

typedef struct
{
  int interface;
  const char *name, *id, *address;
  guint16 port;
  gboolean local, fresh;
} Row;

static gboolean
set_row (ExoPeerTable *table, Row row)
{
  g_autoptr (GInetAddress) ip = g_inet_address_new_from_string (row.address);
  g_autoptr (GInetSocketAddress) socket = NULL;
  ExoSightingKey key = { row.interface, (int) g_inet_address_get_family (ip), row.name };

  socket = g_object_new (G_TYPE_INET_SOCKET_ADDRESS,
                         "address",
                         ip,
                         "port",
                         (guint) row.port,
                         "scope-id",
                         g_inet_address_get_is_link_local (ip) &&
                                 g_inet_address_get_family (ip) == G_SOCKET_FAMILY_IPV6
                             ? (guint) row.interface
                             : 0u,
                         NULL);
  return exo_peer_table_set (table, &key, &(ExoSighting){ row.id, socket, row.local, row.fresh },
                             NULL);
}

static void
unset (ExoPeerTable *table, int interface, GSocketFamily family, const char *name)
{
  exo_peer_table_unset (table, &(ExoSightingKey){ interface, (int) family, name });
}

/* All changes since, as "-id" or "id name address%scope ...", ids cut to one letter, separated by "; ". */
static char *
changes (ExoPeerTable *table)
{
  GString *text = g_string_new (NULL);
  const ExoPeer *peer;
  const char *id;

  while (exo_peer_table_next_change (table, &id, &peer))
    {
      g_string_append_printf (text, "%s%s%c", text->len > 0 ? "; " : "", peer ? "" : "-", *id);
      if (peer == NULL)
        continue;
      g_string_append_printf (text, " %s", peer->name);
      for (guint i = 0; i < peer->addresses->len; i++)
        {
          GInetSocketAddress *socket = g_ptr_array_index (peer->addresses, i);
          g_autofree char *ip =
              g_inet_address_to_string (g_inet_socket_address_get_address (socket));

          g_string_append_printf (text, " %s", ip);
          if (g_socket_address_get_family (G_SOCKET_ADDRESS (socket)) == G_SOCKET_FAMILY_IPV6 &&
              g_inet_socket_address_get_scope_id (socket) != 0)
            g_string_append_printf (text, "%%%u", g_inet_socket_address_get_scope_id (socket));
          if (g_inet_socket_address_get_port (socket) != PORT)
            g_string_append_printf (text, ":%u", g_inet_socket_address_get_port (socket));
        }
    }
  return g_string_free (text, FALSE);
}

static void
expect (ExoPeerTable *table, const char *expected)
{
  g_autofree char *text = changes (table);

  if (strcmp (text, expected) != 0)
    fprintf (stderr, "\n  got      \"%s\"\n  expected \"%s\"\n", text, expected);
  CU_ASSERT_STRING_EQUAL (text, expected);
}

static void
sightings_of_one_id_are_one_peer_with_addresses_in_order (void)
{
  const char *addresses[] = { "127.0.0.1", "2001:db8::1", "8.8.8.8",  "fe80::1",
                              "fd00::1",   "169.254.1.1", "10.0.0.2", "10.0.0.1" };
  g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);

  for (guint i = 0; i < G_N_ELEMENTS (addresses); i++)
    CU_ASSERT_TRUE (
        set_row (table, (Row){ (int) i, "alice", ALICE, addresses[i], PORT, TRUE, TRUE }));
  expect (table,
          "a alice 10.0.0.1 10.0.0.2 169.254.1.1 fd00::1 fe80::1%3 8.8.8.8 2001:db8::1 127.0.0.1");
  CU_ASSERT_EQUAL (exo_peer_table_n_peers (table), 1);
}

static void
one_address_seen_twice_counts_once (void)
{
  g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);

  set_row (table, (Row){ 2, "alice", ALICE, "10.0.0.1", PORT, FALSE, TRUE });
  expect (table, "a alice 10.0.0.1");
  set_row (table, (Row){ 3, "alice", ALICE, "10.0.0.1", PORT, FALSE, TRUE });
  expect (table, "");
  unset (table, 2, G_SOCKET_FAMILY_IPV4, "alice");
  expect (table, "");
  unset (table, 3, G_SOCKET_FAMILY_IPV4, "alice");
  expect (table, "-a");
  CU_ASSERT_EQUAL (exo_peer_table_n_peers (table), 0);
}

static void
one_link_local_address_on_two_links_is_two (void)
{
  g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);

  set_row (table, (Row){ 3, "alice", ALICE, "fe80::1", PORT, FALSE, TRUE });
  set_row (table, (Row){ 2, "alice", ALICE, "fe80::1", PORT, FALSE, TRUE });
  expect (table, "a alice fe80::1%2 fe80::1%3");
}

static void
this_node_is_no_peer (void)
{
  g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);

  CU_ASSERT_TRUE (set_row (table, (Row){ 2, "me", ME, "10.0.0.1", PORT, FALSE, TRUE }));
  expect (table, "");
}

static void
two_nodes_of_one_host_are_two_peers (void)
{
  g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);

  set_row (table, (Row){ 2, "host", ALICE, "10.0.0.1", PORT, FALSE, TRUE });
  set_row (table, (Row){ 2, "host #2", BOB, "10.0.0.1", 40000, FALSE, TRUE });
  expect (table, "a host 10.0.0.1; b host #2 10.0.0.1:40000");
}

static void
a_sighting_that_changes_its_id_is_another_peer (void)
{
  g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);

  set_row (table, (Row){ 2, "host", ALICE, "10.0.0.1", PORT, FALSE, TRUE });
  expect (table, "a host 10.0.0.1");
  set_row (table, (Row){ 2, "host", BOB, "10.0.0.1", PORT, FALSE, TRUE });
  expect (table, "-a; b host 10.0.0.1");
}

static void
a_new_name_port_or_address_is_a_change (void)
{
  g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);

  set_row (table, (Row){ 2, "host", ALICE, "10.0.0.1", PORT, FALSE, TRUE });
  expect (table, "a host 10.0.0.1");
  set_row (table, (Row){ 2, "host", ALICE, "10.0.0.1", 40000, FALSE, TRUE });
  expect (table, "a host 10.0.0.1:40000");
  set_row (table, (Row){ 2, "host", ALICE, "10.0.0.9", 40000, FALSE, TRUE });
  expect (table, "a host 10.0.0.9:40000");
  set_row (table, (Row){ 2, "host #2", ALICE, "10.0.0.9", 40000, FALSE, TRUE });
  expect (table, "a host #2 10.0.0.9:40000");
}

static void
what_cannot_be_used_is_refused_and_replaces_what_was_there (void)
{
  g_autofree char *long_name = g_strnfill (EXO_SERVICE_NAME_MAX + 1, 'x');
  const Row rows[] = {
    { 2, "alice", ALICE, "10.0.0.1", 0, FALSE, TRUE },
    { 2, "alice", ALICE, "0.0.0.0", PORT, FALSE, TRUE },
    { 2, "alice", ALICE, "224.0.0.251", PORT, FALSE, TRUE },
    { 2, "alice", ALICE, "127.0.0.1", PORT, FALSE, TRUE },
    { 2, "alice", "not an id", "10.0.0.1", PORT, FALSE, TRUE },
    { 2, "", ALICE, "10.0.0.1", PORT, FALSE, TRUE },
    { 2, "a\nb", ALICE, "10.0.0.1", PORT, FALSE, TRUE },
    { 2, "a\xc2\x85", ALICE, "10.0.0.1", PORT, FALSE, TRUE },
    { 2, "a\xff", ALICE, "10.0.0.1", PORT, FALSE, TRUE },
    { 2, long_name, ALICE, "10.0.0.1", PORT, FALSE, TRUE },
    { 2, "alice", ALICE, "ff02::fb", PORT, FALSE, TRUE },
    { 2, "alice", ALICE, "::1", PORT, FALSE, TRUE },
    { 2, "alice", ALICE, "::", PORT, FALSE, TRUE },
  };
  g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    CU_ASSERT_FALSE (set_row (table, rows[i]));
  expect (table, "");
  set_row (table, (Row){ 2, "alice", ALICE, "10.0.0.1", PORT, FALSE, TRUE });
  expect (table, "a alice 10.0.0.1");
  set_row (table, rows[0]);
  expect (table, "-a");
  CU_ASSERT_TRUE (set_row (table, (Row){ 2, long_name + 1, ALICE, "10.0.0.1", PORT, FALSE, TRUE }));
}

static void
peers_addresses_and_sightings_are_bounded (void)
{
  g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);
  const ExoPeer *peer = NULL;
  const char *id;

  for (guint i = 0; i <= EXO_SIGHTINGS_OF_PEER_MAX; i++)
    {
      g_autofree char *ip = g_strdup_printf ("10.0.0.%u", i + 1);

      CU_ASSERT_EQUAL (set_row (table, (Row){ (int) i, "a", ALICE, ip, PORT, FALSE, TRUE }),
                       i < EXO_SIGHTINGS_OF_PEER_MAX);
    }
  CU_ASSERT_TRUE (exo_peer_table_next_change (table, &id, &peer));
  CU_ASSERT_EQUAL (peer->addresses->len, EXO_DISCOVERY_ADDRESSES_MAX);

  for (guint i = 1; i <= EXO_DISCOVERY_PEERS_MAX; i++)
    {
      g_autofree char *other = g_strdup_printf ("%032x", i);

      CU_ASSERT_EQUAL (set_row (table, (Row){ 2, other, other, "10.0.0.1", PORT, FALSE, TRUE }),
                       i < EXO_DISCOVERY_PEERS_MAX);
    }
}

static void
a_failed_peer_is_gone_until_its_doubt_is_over (void)
{
  const gint64 doubts[] = { 2, 4, 8, 16, 32, 64, 64 };
  g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);
  gint64 now = 1000 * S;

  set_row (table, (Row){ 2, "alice", ALICE, "10.0.0.1", PORT, FALSE, TRUE });
  expect (table, "a alice 10.0.0.1");
  CU_ASSERT_EQUAL (exo_peer_table_deadline (table), -1);
  for (guint i = 0; i < G_N_ELEMENTS (doubts); i++)
    {
      exo_peer_table_fail (table, ALICE, now);
      expect (table, "-a");
      set_row (table, (Row){ 2, "alice", ALICE, "10.0.0.1", PORT, FALSE, FALSE });
      expect (table, "");
      CU_ASSERT_EQUAL (exo_peer_table_deadline (table), now + doubts[i] * S);
      exo_peer_table_tick (table, now + doubts[i] * S - 1);
      expect (table, "");
      now += doubts[i] * S;
      exo_peer_table_tick (table, now);
      expect (table, "a alice 10.0.0.1");
    }
  now += EXO_DOUBT_FORGET_US + 1;
  exo_peer_table_fail (table, ALICE, now);
  CU_ASSERT_EQUAL (exo_peer_table_deadline (table), now + 2 * S);
}

static void
failing_twice_at_once_is_failing_once (void)
{
  g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);

  set_row (table, (Row){ 2, "alice", ALICE, "10.0.0.1", PORT, FALSE, TRUE });
  exo_peer_table_fail (table, ALICE, 10 * S);
  exo_peer_table_fail (table, ALICE, 10 * S);
  exo_peer_table_fail (table, BOB, 10 * S);
  CU_ASSERT_EQUAL (exo_peer_table_deadline (table), 12 * S);
}

static void
news_ends_doubt (void)
{
  const Row news[] = {
    { 2, "alice", ALICE, "10.0.0.1", PORT, FALSE, TRUE },
    { 2, "alice", ALICE, "10.0.0.1", 40000, FALSE, FALSE },
    { 2, "alice", ALICE, "10.0.0.2", PORT, FALSE, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (news); i++)
    {
      g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);

      set_row (table, news[0]);
      exo_peer_table_fail (table, ALICE, 10 * S);
      expect (table, "");
      set_row (table, news[i]);
      CU_ASSERT_EQUAL (exo_peer_table_deadline (table), -1);
      CU_ASSERT_TRUE (
          exo_peer_table_next_change (table, &(const char *){ 0 }, &(const ExoPeer *){ 0 }));
    }
}

static void
coming_back_ends_doubt (void)
{
  g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);

  set_row (table, (Row){ 2, "alice", ALICE, "10.0.0.1", PORT, FALSE, TRUE });
  exo_peer_table_fail (table, ALICE, 10 * S);
  unset (table, 2, G_SOCKET_FAMILY_IPV4, "alice");
  set_row (table, (Row){ 2, "alice", ALICE, "10.0.0.1", PORT, FALSE, FALSE });
  expect (table, "a alice 10.0.0.1");
}

static void
what_is_not_seen_again_is_purged (void)
{
  g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);

  set_row (table, (Row){ 2, "alice", ALICE, "10.0.0.1", PORT, FALSE, TRUE });
  set_row (table, (Row){ 2, "bob", BOB, "10.0.0.2", PORT, FALSE, TRUE });
  expect (table, "a alice 10.0.0.1; b bob 10.0.0.2");
  exo_peer_table_mark_stale (table);
  expect (table, "");
  set_row (table, (Row){ 2, "alice", ALICE, "10.0.0.1", PORT, FALSE, TRUE });
  exo_peer_table_purge_stale (table);
  expect (table, "-b");
}

static void
a_stale_peer_that_fails_does_not_come_back (void)
{
  g_autoptr (ExoPeerTable) table = exo_peer_table_new (ME);

  set_row (table, (Row){ 2, "alice", ALICE, "10.0.0.1", PORT, FALSE, TRUE });
  expect (table, "a alice 10.0.0.1");
  exo_peer_table_mark_stale (table);
  exo_peer_table_fail (table, ALICE, 10 * S);
  expect (table, "-a");
  CU_ASSERT_EQUAL (exo_peer_table_deadline (table), -1);
}

EXO_SUITE ("peer-table",
           TEST (sightings_of_one_id_are_one_peer_with_addresses_in_order),
           TEST (one_address_seen_twice_counts_once),
           TEST (one_link_local_address_on_two_links_is_two),
           TEST (this_node_is_no_peer),
           TEST (two_nodes_of_one_host_are_two_peers),
           TEST (a_sighting_that_changes_its_id_is_another_peer),
           TEST (a_new_name_port_or_address_is_a_change),
           TEST (what_cannot_be_used_is_refused_and_replaces_what_was_there),
           TEST (peers_addresses_and_sightings_are_bounded),
           TEST (a_failed_peer_is_gone_until_its_doubt_is_over),
           TEST (failing_twice_at_once_is_failing_once),
           TEST (news_ends_doubt),
           TEST (coming_back_ends_doubt),
           TEST (what_is_not_seen_again_is_purged),
           TEST (a_stale_peer_that_fails_does_not_come_back))
