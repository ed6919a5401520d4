/* local-client.c - may this client ask at all?
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A port on loopback is open to every program of the machine, and by way of browsers to every page of the web. What must
 * not get in are pages (Origin, Sec-Fetch-Site; Host against names that were rebound to 127.0.0.1) and other users.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transfer/http/local-private.h"

#define TABLE_LINE_MAX 256

static const char *
header (struct MHD_Connection *connection, const char *name)
{
  return MHD_lookup_connection_value (connection, MHD_HEADER_KIND, name);
}

static gboolean
is_own_authority (const char *authority, guint16 port)
{
  static const char *const hosts[] = { "127.0.0.1", "localhost", "[::1]" };

  for (gsize i = 0; i < G_N_ELEMENTS (hosts); i++)
    {
      g_autofree char *own = g_strdup_printf ("%s:%u", hosts[i], port);
      if (g_ascii_strcasecmp (authority, own) == 0)
        return TRUE;
    }
  return FALSE;
}

/* The owner, in the eighth column of the row of /proc/net/tcp or tcp6 that begins with @ends after its number. */
static gboolean
find_row (const char *path, const char *ends, uid_t *out_uid)
{
  FILE *table = fopen (path, "re");
  char line[TABLE_LINE_MAX];
  gboolean found = FALSE;

  while (table != NULL && !found && fgets (line, sizeof line, table) != NULL)
    {
      const char *colon = strchr (line, ':');
      unsigned uid;

      found = colon != NULL && g_str_has_prefix (colon + 1, " ") &&
              g_str_has_prefix (colon + 2, ends) &&
              sscanf (colon + 2 + strlen (ends), " %*x %*x:%*x %*x:%*x %*x %u", &uid) == 1;
      if (found)
        *out_uid = uid;
    }
  if (table != NULL)
    fclose (table);
  return found;
}

/* Who owns the other end of the connection, by the kernel's tables of sockets: addresses are hexadecimal words in the
 * machine's own byte order. A client may use an IPv6 socket, with the address mapped. FALSE where there are no tables. */
static gboolean
find_owner (const struct sockaddr_in *client, guint16 port, uid_t *out_uid)
{
  const char *mapped = "0000000000000000FFFF0000";
  guint32 address = client->sin_addr.s_addr, own = htonl (INADDR_LOOPBACK);
  guint16 from = ntohs (client->sin_port);
  g_autofree char *ends = g_strdup_printf ("%08X:%04X %08X:%04X", address, from, own, port);
  g_autofree char *ends6 =
      g_strdup_printf ("%s%08X:%04X %s%08X:%04X", mapped, address, from, mapped, own, port);

  return find_row ("/proc/net/tcp", ends, out_uid) || find_row ("/proc/net/tcp6", ends6, out_uid);
}

const char *
exo_local_refuse_client (struct MHD_Connection *connection, guint16 port)
{
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  const char *host = header (connection, MHD_HTTP_HEADER_HOST),
             *origin = header (connection, "Origin"), *site = header (connection, "Sec-Fetch-Site");
  uid_t uid;

  if (host == NULL || !is_own_authority (host, port))
    return "Host must be 127.0.0.1 or localhost, with the port";
  if (origin != NULL &&
      !(g_str_has_prefix (origin, "http://") && is_own_authority (origin + 7, port)))
    return "not for pages of other sites";
  if (site != NULL && strcmp (site, "same-origin") != 0 && strcmp (site, "none") != 0)
    return "not for pages of other sites";
  /* Without the table (a container that hides it) nothing is known against the client. */
  if (info != NULL && info->client_addr != NULL && info->client_addr->sa_family == AF_INET &&
      find_owner ((const struct sockaddr_in *) info->client_addr, port, &uid) && uid != 0 &&
      uid != getuid ())
    return "this agent belongs to another user of this machine: run your own";
  return NULL;
}
