/* lan-address.c - which addresses are local; see lan-server.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "transfer/http/lan-server.h"

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

GInetAddress *
exo_lan_address_from_native (const struct sockaddr *sa)
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

char *
exo_lan_address_text (GInetAddress *address, guint port)
{
  g_autofree char *host = g_inet_address_to_string (address);
  gboolean v6 = g_inet_address_get_family (address) == G_SOCKET_FAMILY_IPV6;

  return g_strdup_printf (v6 ? "[%s]:%u" : "%s:%u", host, port);
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
      address = exo_lan_address_from_native (i->ifa_addr);
      if (address != NULL && exo_lan_address_is_local (address))
        g_ptr_array_add (addresses, g_steal_pointer (&address));
    }
  freeifaddrs (all);
  return addresses;
}
