/* watch.c - warns of trouble with the Hub and the network while something is to be transferred
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>

#include "transfer/engine-private.h"

static void
watch_hub (ExoEngine *engine, gint64 now_us)
{
  const char *endpoint = exo_hub_endpoint (engine->hub);
  ExoHubState hub;

  exo_hub_get_state (engine->hub, &hub);
  if (!exo_trouble_note (&engine->hub_trouble, !hub.reachable || hub.blocked_until_us > now_us,
                         now_us))
    return;
  if (hub.reachable)
    exo_engine_warn (
        engine, "hub",
        N_ ("The Hub at %s keeps asking to wait (rate limit). Transfers go on by themselves; "
            "a token raises the limit."),
        endpoint);
  else
    exo_engine_warn (
        engine, "hub",
        N_ ("The Hub at %s cannot be reached. Check the internet connection and the proxy "
            "variables; what neighbours hold is transferred all the same."),
        endpoint);
}

/* Found by mDNS, or named in the key file, and silent: most often a firewall. (transfer full): "", or who it is */
static char *
silent_neighbours (ExoEngine *engine)
{
  g_autoptr (GPtrArray) neighbours = exo_swarm_neighbours (engine->swarm);
  GString *names = g_string_new (NULL);

  for (guint i = 0; i < neighbours->len; i++)
    {
      ExoNeighbour *neighbour = g_ptr_array_index (neighbours, i);

      if (g_str_equal (exo_neighbour_state (neighbour), "unreachable"))
        g_string_append_printf (names, "%s%s", names->len > 0 ? ", " : "",
                                exo_neighbour_name (neighbour));
    }
  return g_string_free (names, FALSE);
}

static void
watch_network (ExoEngine *engine, gint64 now_us)
{
  g_autofree char *names = silent_neighbours (engine);
  gboolean is_cut_off = exo_engine_port (engine) == 0;

  if (!exo_trouble_note (&engine->network_trouble, is_cut_off || *names != '\0', now_us))
    return;
  if (is_cut_off)
    exo_engine_warn (
        engine, "network",
        N_ ("Neighbours cannot reach this machine: it has no LAN address, or no port could "
            "be used. See exoctl doctor."));
  else
    exo_engine_warn (
        engine, "network",
        N_ ("These neighbours are there and do not answer: %s. Let TCP port %u through the "
            "firewall of those machines (and of this one)."),
        names, EXO_LAN_PORT);
}

void
exo_engine_watch (ExoEngine *engine, gint64 now_us)
{
  watch_hub (engine, now_us);
  watch_network (engine, now_us);
}
