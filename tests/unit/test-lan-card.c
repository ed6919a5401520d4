/* test-lan-card.c - network cards, and which of them leads where
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/suite.h"
#include "transfer/http/lan-card.h"

static void
put (const char *folder, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  CU_ASSERT_TRUE_FATAL (g_file_set_contents (path, text, -1, NULL));
}

/* As the kernel would show an interface; NULL: no such file. */
static guint64
speed_of (const char *speed, gboolean device)
{
  g_autofree char *folder = g_dir_make_tmp ("exo-net-XXXXXX", NULL);
  g_autofree char *one = g_build_filename (folder, "eth0", NULL);
  g_autofree char *speed_path = g_build_filename (one, "speed", NULL);
  g_autofree char *device_path = g_build_filename (one, "device", NULL);
  guint64 found;

  CU_ASSERT_EQUAL_FATAL (g_mkdir (one, 0700), 0);
  if (speed != NULL)
    put (one, "speed", speed);
  if (device)
    CU_ASSERT_EQUAL_FATAL (g_mkdir (device_path, 0700), 0);
  found = exo_lan_interface_speed (folder, "eth0");
  CU_ASSERT_EQUAL (exo_lan_interface_speed (folder, "eth1"), 0);
  g_remove (speed_path);
  g_rmdir (device_path);
  g_rmdir (one);
  g_rmdir (folder);
  return found;
}

static void
the_speed_of_a_card_is_told_in_bytes (void)
{
  CU_ASSERT_EQUAL (speed_of ("10\n", TRUE), 1250000);
  CU_ASSERT_EQUAL (speed_of ("1000\n", TRUE), 125000000);
  CU_ASSERT_EQUAL (speed_of ("100000\n", TRUE), G_GUINT64_CONSTANT (12500000000));
}

static void
a_speed_that_says_nothing_is_unknown (void)
{
  CU_ASSERT_EQUAL (speed_of ("-1\n", TRUE), 0);
  CU_ASSERT_EQUAL (speed_of ("4294967295\n", TRUE), 0);
  CU_ASSERT_EQUAL (speed_of ("0\n", TRUE), 0);
  CU_ASSERT_EQUAL (speed_of ("", TRUE), 0);
  CU_ASSERT_EQUAL (speed_of (NULL, TRUE), 0);
  CU_ASSERT_EQUAL (speed_of ("10000\n", FALSE), 0); /* a veth */
}

/* As networking over Thunderbolt is shown below its connection. */
static guint64
speed_over_thunderbolt (const char *speed, const char *lanes)
{
  g_autofree char *folder = g_dir_make_tmp ("exo-net-XXXXXX", NULL);
  g_autofree char *one = g_build_filename (folder, "thunderbolt0", NULL);
  g_autofree char *domain = g_build_filename (folder, "0-1", NULL);
  g_autofree char *service = g_build_filename (domain, "0-1.0", NULL);
  g_autofree char *device = g_build_filename (one, "device", NULL);
  g_autofree char *speed_path = g_build_filename (domain, "rx_speed", NULL);
  g_autofree char *lanes_path = g_build_filename (domain, "rx_lanes", NULL);
  guint64 found;

  CU_ASSERT_EQUAL_FATAL (g_mkdir (one, 0700), 0);
  CU_ASSERT_EQUAL_FATAL (g_mkdir_with_parents (service, 0700), 0);
  CU_ASSERT_EQUAL_FATAL (symlink ("../0-1/0-1.0", device), 0);
  put (domain, "rx_speed", speed);
  put (domain, "rx_lanes", lanes);
  found = exo_lan_interface_speed (folder, "thunderbolt0");
  put (one, "speed", "40000\n"); /* a kernel that tells comes first */
  CU_ASSERT_EQUAL (exo_lan_interface_speed (folder, "thunderbolt0"),
                   G_GUINT64_CONSTANT (5000000000));
  put (one, "speed", "-1\n");
  CU_ASSERT_EQUAL (exo_lan_interface_speed (folder, "thunderbolt0"), found);
  g_unlink (device);
  {
    g_autofree char *told = g_build_filename (one, "speed", NULL);
    g_remove (told);
  }
  g_remove (speed_path);
  g_remove (lanes_path);
  g_rmdir (service);
  g_rmdir (domain);
  g_rmdir (one);
  g_rmdir (folder);
  return found;
}

static void
thunderbolt_is_as_fast_as_its_lanes (void)
{
  CU_ASSERT_EQUAL (speed_over_thunderbolt ("20.0 Gb/s\n", "2\n"), G_GUINT64_CONSTANT (5000000000));
  CU_ASSERT_EQUAL (speed_over_thunderbolt ("10.0 Gb/s\n", "1\n"), G_GUINT64_CONSTANT (1250000000));
  CU_ASSERT_EQUAL (speed_over_thunderbolt ("fast\n", "2\n"), 0);
}

static gboolean
is_wireless_with (const char *entry)
{
  g_autofree char *folder = g_dir_make_tmp ("exo-net-XXXXXX", NULL);
  g_autofree char *one = g_build_filename (folder, "wlan0", NULL);
  g_autofree char *path = g_build_filename (one, entry, NULL);
  gboolean found;

  CU_ASSERT_EQUAL_FATAL (g_mkdir_with_parents (path, 0700), 0);
  found = exo_lan_interface_is_wireless (folder, "wlan0");
  g_rmdir (path);
  g_rmdir (one);
  g_rmdir (folder);
  return found;
}

static void
wifi_is_told_by_its_entries (void)
{
  CU_ASSERT_TRUE (is_wireless_with ("phy80211"));
  CU_ASSERT_TRUE (is_wireless_with ("wireless"));
  CU_ASSERT_FALSE (is_wireless_with ("device"));
}

static const ExoLanCard *
towards (GArray *cards, const char *address)
{
  g_autoptr (GSocketAddress) there = g_inet_socket_address_new_from_string (address, 9);

  return exo_lan_card_towards (cards, G_INET_SOCKET_ADDRESS (there));
}

static void
the_loopback_interface_leads_to_this_machine (void)
{
  g_autoptr (GArray) cards = exo_lan_cards ();
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string ("127.0.0.1");
  const ExoLanCard *card = towards (cards, "127.0.0.1");

  CU_ASSERT_PTR_NOT_NULL_FATAL (card);
  CU_ASSERT_STRING_EQUAL (card->name, "lo");
  CU_ASSERT_EQUAL (card->interface, if_nametoindex ("lo"));
  CU_ASSERT_TRUE (card->running);
  CU_ASSERT_EQUAL (card->speed, 0);
  CU_ASSERT_PTR_EQUAL (exo_lan_card_of (cards, address), card);
  CU_ASSERT_PTR_NULL (towards (cards, "255.255.255.255")); /* the kernel refuses */
  g_array_set_size (cards, 0);
  CU_ASSERT_PTR_NULL (towards (cards, "127.0.0.1"));
}

EXO_SUITE ("lan-card",
           TEST (the_speed_of_a_card_is_told_in_bytes),
           TEST (a_speed_that_says_nothing_is_unknown),
           TEST (thunderbolt_is_as_fast_as_its_lanes),
           TEST (wifi_is_told_by_its_entries),
           TEST (the_loopback_interface_leads_to_this_machine))
