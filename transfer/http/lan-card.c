/* lan-card.c - see lan-card.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/http/lan-card.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transfer/http/lan-server.h"

#define INTERFACES "/sys/class/net"

/* --- what sysfs says of an interface --------------------------------------------------------------- */

/* A number at the start of a file; 0 if there is none. */
static guint64
number_in (const char *folder, const char *name, const char *file)
{
  g_autofree char *path = g_build_filename (folder, name, file, NULL);
  g_autofree char *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL) || !g_ascii_isdigit (text[0]))
    return 0;
  return g_ascii_strtoull (text, NULL, 10);
}

/* Networking over Thunderbolt tells the speed of its cable like a card from Linux 6.19 on. Before, the connection below it
 * does: "20.0 Gb/s" for each of its lanes (Documentation/ABI/testing/sysfs-bus-thunderbolt); Mbit/s */
static guint64
thunderbolt_speed (const char *folder, const char *name)
{
  guint64 gigabits = MIN (number_in (folder, name, "device/../rx_speed"), 1000);
  guint64 lanes = MIN (number_in (folder, name, "device/../rx_lanes"), 8);

  return 1000 * gigabits * lanes;
}

/* Virtual interfaces have a made-up speed (veth: 10 Gbit/s) and no device; where the cable is out, and for Wi-Fi, reading
 * fails or gives -1. Megabits/s (Documentation/ABI/testing/sysfs-class-net). */
guint64
exo_lan_interface_speed (const char *folder, const char *name)
{
  g_autofree char *device = g_build_filename (folder, name, "device", NULL);
  guint64 megabits;

  if (!g_file_test (device, G_FILE_TEST_EXISTS))
    return 0;
  megabits = number_in (folder, name, "speed");
  if (megabits == 0 || megabits > G_MAXINT32)
    megabits = thunderbolt_speed (folder, name);
  return megabits * 1000000 / 8;
}

gboolean
exo_lan_interface_is_wireless (const char *folder, const char *name)
{
  g_autofree char *phy = g_build_filename (folder, name, "phy80211", NULL);
  g_autofree char *old = g_build_filename (folder, name, "wireless", NULL);

  return g_file_test (phy, G_FILE_TEST_EXISTS) || g_file_test (old, G_FILE_TEST_EXISTS);
}

/* --- the list ---------------------------------------------------------------------------------------- */

static void
card_clear (gpointer data)
{
  g_object_unref (((ExoLanCard *) data)->address);
}

static void
add_card (GArray *cards, const struct ifaddrs *entry, GInetAddress *address)
{
  ExoLanCard card = {
    .address = g_object_ref (address),
    .interface = if_nametoindex (entry->ifa_name),
    .speed = exo_lan_interface_speed (INTERFACES, entry->ifa_name),
    .wireless = exo_lan_interface_is_wireless (INTERFACES, entry->ifa_name),
    .running = (entry->ifa_flags & IFF_RUNNING) != 0,
  };

  g_strlcpy (card.name, entry->ifa_name, sizeof card.name);
  g_array_append_val (cards, card);
}

GArray *
exo_lan_cards (void)
{
  GArray *cards = g_array_new (FALSE, FALSE, sizeof (ExoLanCard));
  struct ifaddrs *all = NULL;

  g_array_set_clear_func (cards, card_clear);
  if (getifaddrs (&all) != 0)
    return cards;
  for (const struct ifaddrs *i = all; i != NULL; i = i->ifa_next)
    {
      g_autoptr (GInetAddress) address =
          i->ifa_addr != NULL ? exo_lan_address_from_native (i->ifa_addr) : NULL;

      if (address != NULL && (i->ifa_flags & IFF_UP) != 0)
        add_card (cards, i, address);
    }
  freeifaddrs (all);
  return cards;
}

/* @scope: 0: any interface. Two interfaces may have one link-local address. */
static const ExoLanCard *
find (GArray *cards, GInetAddress *address, guint scope)
{
  for (guint i = 0; i < cards->len; i++)
    {
      const ExoLanCard *card = &g_array_index (cards, ExoLanCard, i);

      if (g_inet_address_equal (card->address, address) && (scope == 0 || card->interface == scope))
        return card;
    }
  return NULL;
}

const ExoLanCard *
exo_lan_card_of (GArray *cards, GInetAddress *address)
{
  return find (cards, address, 0);
}

/* Its own address on the way there, as the routes are now. */
static GInetAddress *
source_towards (GInetSocketAddress *there)
{
  struct sockaddr_storage native;
  socklen_t n = sizeof native;
  gssize size = g_socket_address_get_native_size (G_SOCKET_ADDRESS (there));
  GInetAddress *source = NULL;
  int fd;

  if (size < 0 ||
      !g_socket_address_to_native (G_SOCKET_ADDRESS (there), &native, sizeof native, NULL))
    return NULL;
  fd = socket (native.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return NULL;
  if (connect (fd, (struct sockaddr *) &native, (socklen_t) size) == 0 &&
      getsockname (fd, (struct sockaddr *) &native, &n) == 0)
    source = exo_lan_address_from_native ((const struct sockaddr *) &native);
  close (fd);
  return source;
}

const ExoLanCard *
exo_lan_card_towards (GArray *cards, GInetSocketAddress *there)
{
  g_autoptr (GInetAddress) source = source_towards (there);
  gboolean v6 = g_socket_address_get_family (G_SOCKET_ADDRESS (there)) == G_SOCKET_FAMILY_IPV6;

  return source != NULL ? find (cards, source, v6 ? g_inet_socket_address_get_scope_id (there) : 0)
                        : NULL;
}
