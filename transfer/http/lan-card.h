/* lan-card.h - this machine's network cards, and which of them leads to a neighbour
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Any thread. Nothing is kept: who looks often keeps the list until the network changes.
 */

#pragma once

#include <gio/gio.h>
#include <net/if.h>

G_BEGIN_DECLS

/* An address of this machine and the interface that has it. */
typedef struct
{
  GInetAddress *address;
  guint interface; /* index */
  char name[IF_NAMESIZE];
  guint64 speed;     /* bytes/s; 0: not known, as for Wi-Fi and all that is no hardware */
  gboolean wireless; /* Wi-Fi */
  gboolean running;  /* the cable is in, or what stands for it */
} ExoLanCard;

/* Of all interfaces that are up, loopback too. (element-type ExoLanCard) */
GArray *exo_lan_cards (void);
const ExoLanCard *exo_lan_card_of (GArray *cards, GInetAddress *address); /* (nullable); borrowed */
/* By which the kernel would send to @there now; NULL: by none. Nothing is sent. Borrowed. */
const ExoLanCard *exo_lan_card_towards (GArray *cards, GInetSocketAddress *there);

/* Of the interface of this name, below a folder like /sys/class/net. */
guint64 exo_lan_interface_speed (const char *folder, const char *name);
gboolean exo_lan_interface_is_wireless (const char *folder, const char *name);

G_END_DECLS
