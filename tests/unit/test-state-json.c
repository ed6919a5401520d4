/* test-state-json.c - what the dashboard and Prometheus are told
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/suite.h"
#include "transfer/endpoint/state-json.h"
#include "transfer/json-text.h"

/* Mark-up, both kinds of quotes, line ends, a bidirectional override, half a character */
#define HOSTILE "</script><b>\"\\'\r\n\x01\xe2\x80\xae\xff"

static const ExoEngineTotals totals = {
  .bytes_from_hub = G_GUINT64_CONSTANT (6000000000),
  .bytes_from_lan = 7,
  .bytes_served = 8,
  .cache_bytes = 9,
  .free_bytes = 10,
  .hub_reachable = TRUE,
  .hub_blocked_s = 12,
  .peers = 3,
  .endpoint = "https://huggingface.co",
  .local_endpoint = "http://127.0.0.1:52419",
  .hub_cache = "/home/a b/hub",
};

static const ExoTransferInfo transfers[] = {
  { .id = 1,
    .type = EXO_REPO_DATASET,
    .model = "o/n",
    .revision = "main",
    .commit = "c0",
    .state = EXO_TRANSFER_COMPLETE,
    .bytes_total = 100,
    .bytes_done = 100,
    .eta_s = -1,
    .error_code = "",
    .error_message = "" },
  { .id = 4,
    .model = "o/m",
    .revision = HOSTILE,
    .commit = "",
    .state = EXO_TRANSFER_FAILED,
    .bytes_total = G_GUINT64_CONSTANT (5000000000),
    .bytes_done = 50,
    .bytes_from_hub = 20,
    .bytes_from_lan = 30,
    .files_total = 3,
    .files_done = 1,
    .rate = 1234,
    .eta_s = 60,
    .unverified_upstream = TRUE,
    .error_code = "NoSpace",
    .error_message = HOSTILE,
    .peers = 2 },
};

static const char *const addresses[] = { "192.168.1.5:52418", "[fe80::1]:52418", NULL };
static const char *const models[] = { HOSTILE, NULL };
static const ExoNodeInfo nodes[] = {
  { .id = "aa",
    .name = "me",
    .self = TRUE,
    .addresses = addresses,
    .state = "present",
    .exo_state = "ready",
    .exo_models = models },
  { .id = "bb",
    .name = HOSTILE,
    .addresses = addresses,
    .state = "connected",
    .rate_in = 5,
    .rate_out = 6,
    .hub_reachable = TRUE,
    .models = models,
    .exo_state = "loading" },
};

static const ExoState full = { .totals = &totals,
                               .version = "1.2.3",
                               .port = 52418,
                               .transfers = transfers,
                               .n_transfers = G_N_ELEMENTS (transfers),
                               .nodes = nodes,
                               .n_nodes = G_N_ELEMENTS (nodes) };
static const ExoState empty = { .totals = &totals, .version = "1.2.3", .port = 52418 };

/* (transfer full) */
static char *
to_text (GBytes *bytes)
{
  gsize n;
  g_autofree char *data = g_bytes_unref_to_data (bytes, &n);

  return g_strndup (data, n);
}

static JsonNode *
to_json (GBytes *bytes)
{
  g_autofree char *text = to_text (bytes);
  JsonNode *root = exo_json_parse (text, -1, G_MAXINT, NULL);

  CU_ASSERT_PTR_NOT_NULL_FATAL (root);
  return root;
}

static guint64
size_of (JsonObject *object, const char *name)
{
  guint64 value = G_MAXUINT64;

  CU_ASSERT_TRUE (exo_json_size (object, name, &value));
  return value;
}

static gboolean
truth_of (JsonObject *object, const char *name)
{
  gboolean value = FALSE;

  CU_ASSERT_TRUE (exo_json_boolean (object, name, &value));
  return value;
}

static void
the_state_tells_of_this_node (void)
{
  g_autoptr (JsonNode) root = to_json (exo_state_json (&full));
  JsonObject *node = exo_json_object (json_node_get_object (root), "node");
  JsonObject *sums = exo_json_object (json_node_get_object (root), "totals");

  CU_ASSERT_STRING_EQUAL (exo_json_string (node, "name"), "me");
  CU_ASSERT_STRING_EQUAL (exo_json_string (node, "id"), "aa");
  CU_ASSERT_STRING_EQUAL (exo_json_string (node, "version"), "1.2.3");
  CU_ASSERT_STRING_EQUAL (exo_json_string (node, "cache"), "/home/a b/hub");
  CU_ASSERT_STRING_EQUAL (exo_json_string (node, "hub"), "https://huggingface.co");
  CU_ASSERT_STRING_EQUAL (exo_json_string (node, "local_endpoint"), "http://127.0.0.1:52419");
  CU_ASSERT_EQUAL (json_array_get_length (exo_json_array (node, "addresses")), 2);
  CU_ASSERT_EQUAL (size_of (node, "port"), 52418);
  CU_ASSERT_EQUAL (size_of (node, "cache_bytes"), 9);
  CU_ASSERT_EQUAL (size_of (node, "free_bytes"), 10);
  CU_ASSERT_EQUAL (size_of (node, "hub_blocked_s"), 12);
  CU_ASSERT_TRUE (truth_of (node, "hub_reachable"));
  CU_ASSERT_FALSE (truth_of (node, "has_token"));
  CU_ASSERT_EQUAL (size_of (sums, "from_hub"), G_GUINT64_CONSTANT (6000000000));
  CU_ASSERT_EQUAL (size_of (sums, "from_lan"), 7);
  CU_ASSERT_EQUAL (size_of (sums, "served"), 8);
}

static void
the_latest_transfer_comes_first (void)
{
  g_autoptr (JsonNode) root = to_json (exo_state_json (&full));
  JsonArray *array = exo_json_array (json_node_get_object (root), "transfers");
  JsonObject *latest = json_array_get_object_element (array, 0);
  JsonObject *first = json_array_get_object_element (array, 1);

  CU_ASSERT_EQUAL (json_array_get_length (array), 2);
  CU_ASSERT_EQUAL (size_of (latest, "id"), 4);
  CU_ASSERT_STRING_EQUAL (exo_json_string (latest, "type"), "model");
  CU_ASSERT_STRING_EQUAL (exo_json_string (latest, "state"), "failed");
  CU_ASSERT_STRING_EQUAL (exo_json_string (latest, "error_code"), "NoSpace");
  CU_ASSERT_EQUAL (size_of (latest, "total"), G_GUINT64_CONSTANT (5000000000));
  CU_ASSERT_EQUAL (size_of (latest, "done"), 50);
  CU_ASSERT_EQUAL (size_of (latest, "from_hub"), 20);
  CU_ASSERT_EQUAL (size_of (latest, "from_lan"), 30);
  CU_ASSERT_EQUAL (size_of (latest, "files"), 3);
  CU_ASSERT_EQUAL (size_of (latest, "files_done"), 1);
  CU_ASSERT_EQUAL (size_of (latest, "rate"), 1234);
  CU_ASSERT_EQUAL (size_of (latest, "eta_s"), 60);
  CU_ASSERT_EQUAL (size_of (latest, "peers"), 2);
  CU_ASSERT_TRUE (truth_of (latest, "unverified"));
  CU_ASSERT_STRING_EQUAL (exo_json_string (first, "type"), "dataset");
  CU_ASSERT_STRING_EQUAL (exo_json_string (first, "model"), "o/n");
  CU_ASSERT_EQUAL (json_node_get_int (json_object_get_member (first, "eta_s")), -1);
}

static void
nodes_are_the_others (void)
{
  g_autoptr (JsonNode) root = to_json (exo_state_json (&full));
  JsonArray *array = exo_json_array (json_node_get_object (root), "nodes");
  JsonObject *node = json_array_get_object_element (array, 0);

  CU_ASSERT_EQUAL (json_array_get_length (array), 1);
  CU_ASSERT_STRING_EQUAL (exo_json_string (node, "id"), "bb");
  CU_ASSERT_STRING_EQUAL (exo_json_string (node, "state"), "connected");
  CU_ASSERT_EQUAL (json_array_get_length (exo_json_array (node, "addresses")), 2);
  CU_ASSERT_EQUAL (size_of (node, "rate_in"), 5);
  CU_ASSERT_EQUAL (size_of (node, "rate_out"), 6);
  CU_ASSERT_TRUE (truth_of (node, "hub_reachable"));
  CU_ASSERT_STRING_EQUAL (exo_json_string (node, "exo"), "loading");
  node = exo_json_object (json_node_get_object (root), "node");
  CU_ASSERT_STRING_EQUAL (exo_json_string (node, "exo"), "ready");
  CU_ASSERT_EQUAL (json_array_get_length (exo_json_array (node, "exo_models")), 1);
}

static void
names_of_strangers_arrive_as_they_are (void)
{
  g_autofree char *expected = g_utf8_make_valid (HOSTILE, -1);
  g_autoptr (JsonNode) root = to_json (exo_state_json (&full));
  JsonObject *object = json_node_get_object (root);
  JsonObject *node = json_array_get_object_element (exo_json_array (object, "nodes"), 0);
  JsonObject *transfer = json_array_get_object_element (exo_json_array (object, "transfers"), 0);
  JsonArray *doing = exo_json_array (node, "models");

  CU_ASSERT_STRING_EQUAL (exo_json_string (node, "name"), expected);
  CU_ASSERT_STRING_EQUAL (exo_json_string (transfer, "error"), expected);
  CU_ASSERT_STRING_EQUAL (exo_json_node_string (json_array_get_element (doing, 0)), expected);
}

static void
nothing_is_lists_without_elements (void)
{
  g_autoptr (JsonNode) root = to_json (exo_state_json (&empty));
  JsonObject *object = json_node_get_object (root);

  CU_ASSERT_EQUAL (json_array_get_length (exo_json_array (object, "transfers")), 0);
  CU_ASSERT_EQUAL (json_array_get_length (exo_json_array (object, "nodes")), 0);
  CU_ASSERT_STRING_EQUAL (exo_json_string (exo_json_object (object, "node"), "name"), "");
}

#define SUMS                                                                                       \
  "# HELP exo_agent_build_info Always 1; its label is the version.\n"                              \
  "# TYPE exo_agent_build_info gauge\n"                                                            \
  "exo_agent_build_info{version=\"1.2.3\"} 1\n"                                                    \
  "# HELP exo_agent_received_bytes_total File bytes fetched since installation.\n"                 \
  "# TYPE exo_agent_received_bytes_total counter\n"                                                \
  "exo_agent_received_bytes_total{source=\"hub\"} 6000000000\n"                                    \
  "exo_agent_received_bytes_total{source=\"lan\"} 7\n"                                             \
  "# HELP exo_agent_served_bytes_total File bytes given to neighbours since installation.\n"       \
  "# TYPE exo_agent_served_bytes_total counter\n"                                                  \
  "exo_agent_served_bytes_total 8\n"                                                               \
  "# HELP exo_agent_cache_bytes Verified bytes in the cache.\n"                                    \
  "# TYPE exo_agent_cache_bytes gauge\n"                                                           \
  "exo_agent_cache_bytes 9\n"                                                                      \
  "# HELP exo_agent_free_bytes Free bytes on the disk of the cache.\n"                             \
  "# TYPE exo_agent_free_bytes gauge\n"                                                            \
  "exo_agent_free_bytes 10\n"                                                                      \
  "# HELP exo_agent_peers Neighbours present.\n"                                                   \
  "# TYPE exo_agent_peers gauge\n"                                                                 \
  "exo_agent_peers 3\n"                                                                            \
  "# HELP exo_agent_hub_reachable 1 if the Hub answers.\n"                                         \
  "# TYPE exo_agent_hub_reachable gauge\n"                                                         \
  "exo_agent_hub_reachable 1\n"                                                                    \
  "# HELP exo_agent_hub_blocked_seconds Time until the Hub may be asked again.\n"                  \
  "# TYPE exo_agent_hub_blocked_seconds gauge\n"                                                   \
  "exo_agent_hub_blocked_seconds 12\n"                                                             \
  "# HELP exo_agent_transfers Transfers by state.\n"                                               \
  "# TYPE exo_agent_transfers gauge\n"

static void
metrics_begin_with_the_sums (void)
{
  g_autofree char *text = to_text (exo_state_metrics (&empty));

  CU_ASSERT_TRUE (g_str_has_prefix (text, SUMS));
  CU_ASSERT_TRUE (g_str_has_suffix (text, "\n"));
}

static void
every_state_is_counted (void)
{
  g_autofree char *text = to_text (exo_state_metrics (&full));
  const char *lines = "exo_agent_transfers{state=\"queued\"} 0\n"
                      "exo_agent_transfers{state=\"resolving\"} 0\n"
                      "exo_agent_transfers{state=\"transferring\"} 0\n"
                      "exo_agent_transfers{state=\"verifying\"} 0\n"
                      "exo_agent_transfers{state=\"paused\"} 0\n"
                      "exo_agent_transfers{state=\"complete\"} 1\n"
                      "exo_agent_transfers{state=\"failed\"} 1\n";

  CU_ASSERT_PTR_NOT_NULL (strstr (text, lines));
}

static void
labels_are_escaped (void)
{
  g_autofree char *text = to_text (exo_state_metrics (&full));
  const char *quiet = "{id=\"1\",model=\"o/n\",revision=\"main\"}";
  const char *hostile = "{id=\"4\",model=\"o/m\",revision=\"</script><b>\\\"\\\\'\r\\n\x01"
                        "\xe2\x80\xae\xef\xbf\xbd\"}";
  g_autofree char *expected = g_strdup_printf (
      "# HELP exo_agent_transfer_size_bytes Size of a transfer; 0 if not known yet.\n"
      "# TYPE exo_agent_transfer_size_bytes gauge\n"
      "exo_agent_transfer_size_bytes%s 100\n"
      "exo_agent_transfer_size_bytes%s 5000000000\n"
      "# HELP exo_agent_transfer_done_bytes Bytes of a transfer that are on disk.\n"
      "# TYPE exo_agent_transfer_done_bytes gauge\n"
      "exo_agent_transfer_done_bytes%s 100\n"
      "exo_agent_transfer_done_bytes%s 50\n"
      "# HELP exo_agent_transfer_rate_bytes Bytes a second of a transfer.\n"
      "# TYPE exo_agent_transfer_rate_bytes gauge\n"
      "exo_agent_transfer_rate_bytes%s 0\n"
      "exo_agent_transfer_rate_bytes%s 1234\n",
      quiet, hostile, quiet, hostile, quiet, hostile);

  CU_ASSERT_TRUE (g_str_has_suffix (text, expected));
}

EXO_SUITE ("state-json",
           TEST (the_state_tells_of_this_node),
           TEST (the_latest_transfer_comes_first),
           TEST (nodes_are_the_others),
           TEST (names_of_strangers_arrive_as_they_are),
           TEST (nothing_is_lists_without_elements),
           TEST (metrics_begin_with_the_sums),
           TEST (every_state_is_counted),
           TEST (labels_are_escaped))
