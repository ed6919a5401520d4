/* test-lan-address.c - which addresses are local
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/suite.h"
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

EXO_SUITE ("lan-address", TEST (private_and_link_local_addresses_are_local))
