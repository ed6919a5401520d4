/* lan-address.c - which addresses are local; see lan-server.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "transfer/http/lan-server.h"

#define INTERFACES "/sys/class/net"

gboolean
exo_lan_address_is_local (GInetAddress *address)
{
  const guint8 *bytes = g_inet_address_to_bytes (address);

  if (g_inet_address_get_is_link_local (address))
    return TRUE;
  if (g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV6)
    return (bytes[0] & 0xfe) == 0xfc; /* RFC 4193; GLib's "site local" is the withdrawn fec0::/10 */
  return g_inet_address_get_is_site_local (address); /* RFC 1918 */
}

static GInetAddress *
address_of (const struct sockaddr *sa)
{
  if (sa->sa_family == AF_INET)
    return g_inet_address_new_from_bytes (
        (const guint8 *) &((const struct sockaddr_in *) (const void *) sa)->sin_addr,
        G_SOCKET_FAMILY_IPV4);
  if (sa->sa_family == AF_INET6)
    return g_inet_address_new_from_bytes (
        (const guint8 *) &((const struct sockaddr_in6 *) (const void *) sa)->sin6_addr,
        G_SOCKET_FAMILY_IPV6);
  return NULL;
}

GPtrArray *
exo_lan_addresses (void)
{
  GPtrArray *addresses = g_ptr_array_new_with_free_func (g_object_unref);
  struct ifaddrs *all = NULL;

  if (getifaddrs (&all) != 0)
    return addresses;
  for (struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
    {
      g_autoptr (GInetAddress) address = NULL;

      if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0)
        continue;
      address = address_of (i->ifa_addr);
      if (address != NULL && exo_lan_address_is_local (address))
        g_ptr_array_add (addresses, g_steal_pointer (&address));
    }
  freeifaddrs (all);
  return addresses;
}

/* Virtual interfaces have a made-up speed (veth: 10 Gbit/s) and no device; where the cable is out, and for Wi-Fi, reading
 * fails or gives -1. Megabits/s (Documentation/ABI/testing/sysfs-class-net). */
guint64
exo_lan_interface_speed (const char *folder, const char *name)
{
  g_autofree char *device = g_build_filename (folder, name, "device", NULL);
  g_autofree char *path = g_build_filename (folder, name, "speed", NULL);
  g_autofree char *text = NULL;
  guint64 megabits;

  if (!g_file_test (device, G_FILE_TEST_EXISTS) || !g_file_get_contents (path, &text, NULL, NULL) ||
      !g_ascii_string_to_unsigned (g_strstrip (text), 10, 1, G_MAXINT32, &megabits, NULL))
    return 0;
  return megabits * 1000000 / 8;
}

guint64
exo_lan_address_speed (GInetAddress *address)
{
  struct ifaddrs *all = NULL;
  guint64 speed = 0;

  if (getifaddrs (&all) != 0)
    return 0;
  for (struct ifaddrs *i = all; i != NULL && speed == 0; i = i->ifa_next)
    {
      g_autoptr (GInetAddress) other = i->ifa_addr != NULL ? address_of (i->ifa_addr) : NULL;

      if (other != NULL && g_inet_address_equal (other, address))
        speed = exo_lan_interface_speed (INTERFACES, i->ifa_name);
    }
  freeifaddrs (all);
  return speed;
}
