/* cmd-nodes.c - exoctl nodes: the machines of the lab
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>

#include "agent/ctl/ctl.h"
#include "agent/ctl/format.h"
#include "agent/ctl/words.h"

#define REFRESH_TIMEOUT_MS 5000 /* the agent answers within some 2.5 s */

static void
print_json (GPtrArray *nodes)
{
  for (guint i = 0; i < nodes->len; i++)
    {
      g_autoptr (JsonBuilder) builder = json_builder_new ();

      json_builder_begin_object (builder);
      exo_json_node (builder, nodes->pdata[i]);
      json_builder_end_object (builder);
      exo_print_json (builder);
    }
}

/* The one in use, or else that which would be tried first. (nullable) */
static const char *
address_of (ExoAgent1Node *node)
{
  const char *used = exo_agent1_node_get_address (node);
  const char *const *addresses = exo_agent1_node_get_addresses (node);

  if (used != NULL && *used != '\0')
    return used;
  return addresses != NULL ? addresses[0] : NULL;
}

static void
add_row (ExoTable *table, ExoAgent1Node *node)
{
  gboolean self = exo_agent1_node_get_self (node);
  const char *address = address_of (node), *link = exo_agent1_node_get_link (node);
  const char *const *models = exo_agent1_node_get_models (node);
  char *cells[] = {
    g_strdup (exo_agent1_node_get_name (node)),
    g_strdup (self ? _ ("this machine") : exo_word (exo_agent1_node_get_state (node))),
    g_strdup (address != NULL ? address : ""),
    g_strdup (link != NULL ? link : ""),
    g_strdup (exo_agent1_node_get_hub_reachable (node) ? _ ("yes") : _ ("no")),
    g_strdup (exo_word (exo_agent1_node_get_exo_state (node))),
    self ? g_strdup ("") : exo_format_rate (exo_agent1_node_get_rate_in (node)),
    self ? exo_format_rate (exo_agent1_node_get_rate_out (node)) : g_strdup (""),
    models != NULL ? g_strjoinv (", ", (GStrv) models) : g_strdup (""),
  };

  exo_table_add (table, cells);
}

/* exo's own names; only those of this machine are known. */
static void
print_exo_models (GPtrArray *nodes)
{
  for (guint i = 0; i < nodes->len; i++)
    {
      ExoAgent1Node *node = nodes->pdata[i];
      const char *const *models = exo_agent1_node_get_exo_models (node);

      for (; models != NULL && *models != NULL; models++)
        {
          g_autofree char *name = exo_format_clean (*models);

          exo_print (/* TRANSLATORS: a model, its state */ _ ("exo on this machine: %s (%s)\n"),
                     name, exo_word (exo_agent1_node_get_exo_state (node)));
        }
    }
}

static void
print_table (GPtrArray *nodes)
{
  static const gboolean right[] = { FALSE, FALSE, FALSE, FALSE, FALSE, FALSE, TRUE, TRUE, FALSE };
  g_autoptr (ExoTable) table = exo_table_new (G_N_ELEMENTS (right), right);
  g_autofree char *text = NULL;
  char *head[] = {
    g_strdup (_ ("NAME")), g_strdup (_ ("STATE")), g_strdup (_ ("ADDRESS")),
    g_strdup (_ ("LINK")), g_strdup (_ ("HUB")),   g_strdup (_ ("EXO")),
    g_strdup (_ ("IN")),   g_strdup (_ ("OUT")),   g_strdup (_ ("MODELS")),
  };

  exo_table_add (table, head);
  for (guint i = 0; i < nodes->len; i++)
    add_row (table, nodes->pdata[i]);
  text = exo_table_to_string (table);
  exo_print ("%s", text);
  print_exo_models (nodes);
  if (nodes->len <= 1)
    exo_print (_ ("No neighbours. If there should be some: exoctl doctor\n"));
}

/* An agent that does not answer in time, or knows no such method, says all the rest. */
static void
refresh (void)
{
  g_autoptr (ExoAgent1) agent = exo_client_connect (NULL);

  if (agent == NULL)
    return;
  g_dbus_proxy_set_default_timeout (G_DBUS_PROXY (agent), REFRESH_TIMEOUT_MS);
  exo_agent1_call_refresh_nodes_sync (agent, NULL, NULL);
}

static int
run (const ExoCtl *ctl, char **arguments, GError **error)
{
  g_autoptr (GDBusObjectManager) objects = NULL;
  g_autoptr (GPtrArray) nodes = NULL;

  refresh ();
  objects = exo_client_objects (error);
  if (objects == NULL)
    return EXO_EXIT_NO_AGENT;
  nodes = exo_client_nodes (objects);
  if (ctl->json)
    print_json (nodes);
  else
    print_table (nodes);
  return EXO_EXIT_OK;
}

const ExoCommand exo_command_nodes = {
  .name = "nodes",
  .arguments = "",
  .summary = N_ ("List the machines of the lab"),
  .description = N_ (
      "LINK is the network interface over which a neighbour is heard and fetched from while something is being transferred. HUB says "
      "whether the\nmachine reaches the Hub, EXO what exo on it is at. IN is what this machine gets from a neighbour now, OUT what "
      "this machine\nsends to all of them."),
  .has_json = TRUE,
  .run = run,
};
