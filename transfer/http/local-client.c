/* local-client.c - whose program the client is; see local-server.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The kernel says in /proc/net/tcp to whom each socket belongs; the client's is the one whose ends are ours the other way
 * round. A program may reach 127.0.0.1 through an IPv6 socket, too, which is then listed as one of ::ffff:127.0.0.1.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "transfer/http/local-private.h"

#define ROWS_MAX (1u << 19) /* each takes the kernel about a microsecond */
#define UNKNOWN  ((guint) -1)

/* Sockets as the kernel prints them: words of 32 bits of the machine, in hex. */
static char *
row_key (const char *prefix, const struct sockaddr_in *client, guint16 port)
{
  const guint32 loopback = htonl (INADDR_LOOPBACK);

  return g_strdup_printf (": %s%08X:%04X %s%08X:%04X ", prefix, client->sin_addr.s_addr,
                          ntohs (client->sin_port), prefix, loopback, port);
}

/* Returns: the user, UNKNOWN if the table cannot be read or does not have it */
static guint
owner_in (const char *table, const char *key)
{
  FILE *file = fopen (table, "re");
  guint uid = UNKNOWN, found;
  char row[512];

  if (file == NULL)
    return UNKNOWN;
  for (guint i = 0; i < ROWS_MAX && uid == UNKNOWN && fgets (row, sizeof row, file) != NULL; i++)
    {
      const char *rest = strstr (row, key);

      /* state, queues, timer, retransmits, user */
      if (rest != NULL && sscanf (rest + strlen (key), "%*x %*x:%*x %*x:%*x %*x %u", &found) == 1)
        uid = found;
    }
  fclose (file);
  return uid;
}

gboolean
exo_local_client_is_foreign (const struct sockaddr_in *client, guint16 port)
{
  g_autofree char *key = row_key ("", client, port);
  g_autofree char *key6 = row_key ("0000000000000000FFFF0000", client, port);
  guint uid = owner_in ("/proc/net/tcp", key);

  if (uid == UNKNOWN)
    uid = owner_in ("/proc/net/tcp6", key6);
  /* Without /proc, or in a sandbox that hides it, nothing can be said of anybody: refusing would end the endpoint there for its
   * own user. And a client that closed its socket already has no row; it will not see the answer either. */
  return uid != UNKNOWN && uid != 0 && uid != getuid ();
}
