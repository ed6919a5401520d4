/* test-lan-address.c - which addresses are local, and how fast their links are
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gstdio.h>

#include "tests/unit/suite.h"
#include "transfer/http/lan-card.h"
#include "transfer/http/lan-server.h"

static void
private_and_link_local_addresses_are_local (void)
{
  static const struct
  {
    const char *address;
    gboolean local;
  } rows[] = {
    { "10.1.2.3", TRUE },    { "172.16.0.1", TRUE },  { "172.32.0.1", FALSE },
    { "192.168.1.5", TRUE }, { "169.254.1.1", TRUE }, { "8.8.8.8", FALSE },
    { "100.64.0.1", FALSE }, { "127.0.0.1", FALSE },  { "fe80::1", TRUE },
    { "fd00::1", TRUE },     { "fec0::1", FALSE },    { "2001:db8::1", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GInetAddress) address = g_inet_address_new_from_string (rows[i].address);

      CU_ASSERT_EQUAL (exo_lan_address_is_local (address), rows[i].local);
    }
}

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

EXO_SUITE ("lan-address",
           TEST (private_and_link_local_addresses_are_local),
           TEST (the_speed_of_a_card_is_told_in_bytes),
           TEST (a_speed_that_says_nothing_is_unknown))
