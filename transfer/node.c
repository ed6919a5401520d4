/* node.c - a machine of the lab, as shown to users
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "transfer/engine-private.h"

struct _ExoNode
{
  GObject parent;
  ExoEngine *engine;       /* borrowed */
  ExoNeighbour *neighbour; /* borrowed; NULL: this machine */
  ExoRateMeter in, out;
  GStrv addresses, models; /* as last handed out */
  char *address;
  char *exo_state;
  GStrv exo_models; /* never NULL */
  guint64 shown_in, shown_out;
  gboolean changed; /* which is not signalled yet */
};

enum
{
  CHANGED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (ExoNode, exo_node, G_TYPE_OBJECT)

static void
exo_node_finalize (GObject *object)
{
  ExoNode *node = EXO_NODE (object);

  g_strfreev (node->addresses);
  g_strfreev (node->models);
  g_free (node->address);
  g_strfreev (node->exo_models);
  g_free (node->exo_state);
  G_OBJECT_CLASS (exo_node_parent_class)->finalize (object);
}

static void
exo_node_class_init (ExoNodeClass *class)
{
  G_OBJECT_CLASS (class)->finalize = exo_node_finalize;
  signals[CHANGED] = g_signal_new ("changed", EXO_TYPE_NODE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 0);
}

static void
exo_node_init (ExoNode *node)
{
  node->exo_state = g_strdup ("");
  node->exo_models = g_new0 (char *, 1);
}

ExoNode *
exo_node_new (ExoEngine *engine, ExoNeighbour *neighbour)
{
  ExoNode *node = g_object_new (EXO_TYPE_NODE, NULL);

  node->engine = engine;
  node->neighbour = neighbour;
  return node;
}

void
exo_node_lost (ExoNode *node)
{
  node->engine = NULL;
  node->neighbour = NULL;
  node->changed = FALSE;
}

void
exo_node_changed (ExoNode *node)
{
  node->changed = TRUE;
  exo_engine_tell_soon (node->engine);
}

void
exo_node_set_exo (ExoNode *node, const char *state, const char *const *models)
{
  static const char *const none[] = { NULL };

  if (models == NULL)
    models = none;
  if (node->engine == NULL || (strcmp (state, node->exo_state) == 0 &&
                               g_strv_equal (models, (const char *const *) node->exo_models)))
    return;
  g_free (node->exo_state);
  g_strfreev (node->exo_models);
  node->exo_state = g_strdup (state);
  node->exo_models = g_strdupv ((char **) models);
  exo_node_changed (node);
}

const char *
exo_node_base_url (ExoNode *node)
{
  return node->neighbour != NULL ? exo_neighbour_base_url (node->neighbour) : NULL;
}

void
exo_node_tell (ExoNode *node)
{
  if (!node->changed)
    return;
  node->changed = FALSE;
  g_signal_emit (node, signals[CHANGED], 0);
}

/* Nothing moves any more. */
void
exo_node_rest (ExoNode *node)
{
  exo_rate_meter_reset (&node->in);
  exo_rate_meter_reset (&node->out);
  if (node->shown_in == 0 && node->shown_out == 0)
    return;
  node->shown_in = node->shown_out = 0;
  exo_node_changed (node);
}

void
exo_node_tick (ExoNode *node, gint64 now_us)
{
  guint64 in, out = 0;

  if (node->neighbour != NULL)
    exo_rate_meter_add (&node->in, now_us, exo_neighbour_bytes (node->neighbour));
  else
    {
      ExoLanLoad load;

      exo_lan_server_get_load (exo_swarm_server (node->engine->swarm), &load);
      exo_rate_meter_add (&node->out, now_us, load.bytes);
      exo_rate_meter_add (&node->in, now_us,
                          exo_swarm_bytes_from_hub (node->engine->swarm) +
                              exo_swarm_bytes_from_lan (node->engine->swarm));
      out = exo_rate_meter_rate (&node->out);
    }
  in = exo_rate_meter_rate (&node->in);
  if (in == node->shown_in && out == node->shown_out)
    return;
  node->shown_in = in;
  node->shown_out = out;
  exo_node_changed (node);
}

static GStrv
own_addresses (ExoNode *node)
{
  g_autoptr (GStrvBuilder) texts = g_strv_builder_new ();
  g_autoptr (GPtrArray) addresses = exo_lan_addresses ();
  guint port = exo_engine_port (node->engine);

  for (guint i = 0; port != 0 && i < addresses->len; i++)
    {
      g_autofree char *text = exo_lan_address_text (g_ptr_array_index (addresses, i), port);
      g_strv_builder_add (texts, text);
    }
  return g_strv_builder_end (texts);
}

/* In a URL the scope of a link-local address is quoted (RFC 6874), for people it is not. */
static char *
plain_address (const char *base_url)
{
  const char *address = base_url + strlen ("http://");
  char *plain = g_uri_unescape_string (address, NULL);

  return plain != NULL ? plain : g_strdup (address);
}

static void
get_link (ExoNode *node, ExoNodeInfo *info)
{
  info->link = exo_neighbour_link (node->neighbour, &info->link_speed);
  if (!exo_neighbour_is_connected (node->neighbour))
    return;
  g_free (node->address);
  node->address = plain_address (exo_neighbour_base_url (node->neighbour));
  info->address = node->address;
}

static GStrv
neighbour_addresses (ExoNode *node)
{
  const char *const *urls = exo_neighbour_base_urls (node->neighbour);
  g_autoptr (GStrvBuilder) texts = g_strv_builder_new ();

  for (guint i = 0; urls != NULL && urls[i] != NULL; i++)
    {
      g_autofree char *text = plain_address (urls[i]);
      g_strv_builder_add (texts, text);
    }
  return g_strv_builder_end (texts);
}

/* What it is transferring of what this machine is transferring. */
static GStrv
common_models (ExoNode *node)
{
  g_autoptr (GStrvBuilder) models = g_strv_builder_new ();

  for (guint i = 0; i < node->engine->transfers->len; i++)
    {
      ExoTransfer *transfer = g_ptr_array_index (node->engine->transfers, i);

      if (exo_transfer_is_active (transfer) &&
          (node->neighbour == NULL || exo_transfer_wanted_by (transfer, node->neighbour)))
        g_strv_builder_add (models, transfer->model);
    }
  return g_strv_builder_end (models);
}

void
exo_node_get_info (ExoNode *node, ExoNodeInfo *out_info)
{
  static const char *const none[] = { NULL };

  *out_info = (ExoNodeInfo){
    .id = "",
    .name = "",
    .addresses = none,
    .address = "",
    .link = "",
    .state = "unreachable",
    .models = none,
    .exo_state = "",
    .exo_models = none,
  };
  if (node->engine == NULL)
    return;
  g_strfreev (node->addresses);
  g_strfreev (node->models);
  node->addresses = node->neighbour != NULL ? neighbour_addresses (node) : own_addresses (node);
  node->models = common_models (node);
  out_info->addresses = (const char *const *) node->addresses;
  out_info->models = (const char *const *) node->models;
  out_info->exo_state = node->exo_state;
  out_info->exo_models = (const char *const *) node->exo_models;
  out_info->rate_in = node->shown_in;
  out_info->rate_out = node->shown_out;
  if (node->neighbour != NULL)
    {
      out_info->id = exo_neighbour_id (node->neighbour);
      out_info->name = exo_neighbour_name (node->neighbour);
      out_info->state = exo_neighbour_state (node->neighbour);
      get_link (node, out_info);
      out_info->hub_reachable = exo_neighbour_reaches_hub (node->neighbour);
    }
  else
    {
      ExoHubState hub;

      exo_hub_get_state (node->engine->hub, &hub);
      out_info->id = node->engine->node_id;
      out_info->name = node->engine->node_name;
      out_info->self = TRUE;
      out_info->state = "connected";
      out_info->hub_reachable = hub.reachable && exo_limiter_allows_hub (node->engine->limiter);
    }
}
