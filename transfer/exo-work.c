/* exo-work.c - see exo-work.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/exo-work.h"

#include <string.h>

#include "transfer/error.h"
#include "transfer/json-text.h"

#define ID_BYTES_MAX   256u
#define WORD_BYTES_MAX 16u

/* In rising order: the last that is true of any model is told. */
typedef enum
{
  STAGE_IDLE,
  STAGE_FAILED,
  STAGE_DOWNLOADING,
  STAGE_READY,
  STAGE_RUNNING,
  STAGE_LOADING,
} Stage;

/* What exo calls it: the tagged names of today, the words of its early versions. What ends is idle, as is what we do not know. */
static const struct
{
  const char *name;
  Stage stage;
} runner_stages[] = {
  { "RunnerIdle", STAGE_LOADING }, /* made for an instance, and about to load it */
  { "RunnerWaitingForModel", STAGE_LOADING },
  { "RunnerConnecting", STAGE_LOADING },
  { "RunnerConnected", STAGE_LOADING },
  { "RunnerLoading", STAGE_LOADING },
  { "RunnerLoaded", STAGE_LOADING },
  { "RunnerWarmingUp", STAGE_LOADING },
  { "RunnerReady", STAGE_READY },
  { "RunnerRunning", STAGE_RUNNING },
  { "RunnerFailed", STAGE_FAILED },
  { "Downloading", STAGE_DOWNLOADING },
  { "Starting", STAGE_LOADING },
  { "Loaded", STAGE_READY },
  { "Running", STAGE_RUNNING },
  { "Failed", STAGE_FAILED },
};

typedef struct
{
  const char *own_id;  /* (nullable) */
  GHashTable *runners; /* ids of those that count, borrowed; with own_id only */
  GPtrArray *models;
  Stage stage;
} Reading;

static void
reach (Reading *reading, Stage stage)
{
  reading->stage = MAX (reading->stage, stage);
}

/* Names were written one way, then the other. */
static JsonObject *
either_object (JsonObject *object, const char *name, const char *old_name)
{
  JsonObject *found = exo_json_object (object, name);

  return found != NULL ? found : exo_json_object (object, old_name);
}

static const char *
either_string (JsonObject *object, const char *name, const char *old_name)
{
  const char *found = exo_json_string (object, name);

  return found != NULL ? found : exo_json_string (object, old_name);
}

/* {"Tag": {...}}: the tag, and what is in it. NULL if it is no such object. */
static const char *
tag_of (JsonObject *object, JsonObject **out_inner)
{
  JsonObjectIter iter;
  const char *tag = NULL;
  JsonNode *node = NULL;

  if (json_object_get_size (object) != 1)
    return NULL;
  json_object_iter_init (&iter, object);
  json_object_iter_next (&iter, &tag, &node);
  *out_inner = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  return tag;
}

static void
add_model (Reading *reading, const char *name)
{
  if (name != NULL && *name != '\0' && strlen (name) <= EXO_WORK_NAME_MAX &&
      reading->models->len < EXO_WORK_MODELS_MAX &&
      !g_ptr_array_find_with_equal_func (reading->models, name, g_str_equal, NULL))
    g_ptr_array_add (reading->models, g_strdup (name));
}

static void
read_instance (Reading *reading, JsonObject *instance)
{
  JsonObject *shards = either_object (instance, "shardAssignments", "shard_assignments"), *nodes;
  JsonObject *inner = NULL;
  const char *runner;

  if (shards == NULL && tag_of (instance, &inner) != NULL && inner != NULL)
    shards = either_object (inner, "shardAssignments", "shard_assignments");
  if (shards == NULL)
    return;
  nodes = either_object (shards, "nodeToRunner", "node_to_runner");
  if (reading->own_id != NULL && nodes != NULL)
    {
      runner = exo_json_string (nodes, reading->own_id);
      if (runner == NULL) /* it runs on other machines of the cluster */
        return;
      g_hash_table_add (reading->runners, (char *) runner);
    }
  add_model (reading, either_string (shards, "modelId", "model_id"));
}

static void
read_instances (Reading *reading, JsonObject *instances)
{
  JsonObjectIter iter;
  const char *id; /* json-glib 1.6 writes to it without asking */
  JsonNode *node;

  json_object_iter_init_ordered (&iter, instances);
  while (json_object_iter_next_ordered (&iter, &id, &node))
    if (JSON_NODE_HOLDS_OBJECT (node))
      read_instance (reading, json_node_get_object (node));
}

static Stage
stage_of (JsonObject *status)
{
  JsonObject *inner = NULL;
  const char *name = either_string (status, "runnerStatus", "runner_status");

  if (name == NULL)
    name = tag_of (status, &inner);
  for (gsize i = 0; name != NULL && i < G_N_ELEMENTS (runner_stages); i++)
    if (strcmp (runner_stages[i].name, name) == 0)
      return runner_stages[i].stage;
  return STAGE_IDLE;
}

static void
read_runners (Reading *reading, JsonObject *runners)
{
  JsonObjectIter iter;
  const char *id;
  JsonNode *node;

  json_object_iter_init (&iter, runners);
  while (json_object_iter_next (&iter, &id, &node))
    if (JSON_NODE_HOLDS_OBJECT (node) &&
        (reading->own_id == NULL || g_hash_table_contains (reading->runners, id)))
      reach (reading, stage_of (json_node_get_object (node)));
}

static void
read_downloads (Reading *reading, JsonObject *downloads)
{
  JsonObjectIter iter;
  const char *id;
  JsonNode *node;

  json_object_iter_init (&iter, downloads);
  while (json_object_iter_next (&iter, &id, &node))
    {
      JsonArray *list = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

      if (list == NULL || (reading->own_id != NULL && strcmp (reading->own_id, id) != 0))
        continue;
      for (guint i = 0; i < json_array_get_length (list); i++)
        {
          JsonNode *element = json_array_get_element (list, i);

          if (JSON_NODE_HOLDS_OBJECT (element) &&
              json_object_has_member (json_node_get_object (element), "DownloadOngoing"))
            reach (reading, STAGE_DOWNLOADING);
        }
    }
}

static ExoWork *
read_state (JsonObject *instances, JsonObject *runners, JsonObject *downloads, const char *own_id)
{
  static const char *const names[] = {
    [STAGE_IDLE] = "idle",   [STAGE_FAILED] = "failed",   [STAGE_DOWNLOADING] = "downloading",
    [STAGE_READY] = "ready", [STAGE_RUNNING] = "running", [STAGE_LOADING] = "loading",
  };
  g_autoptr (GHashTable) own_runners = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GPtrArray) models = g_ptr_array_new_with_free_func (g_free);
  Reading reading = { own_id, own_runners, models, STAGE_IDLE };
  ExoWork *work = g_new (ExoWork, 1);

  if (instances != NULL)
    read_instances (&reading, instances);
  if (runners != NULL)
    read_runners (&reading, runners);
  if (downloads != NULL)
    read_downloads (&reading, downloads);
  g_ptr_array_add (models, NULL);
  work->state = names[reading.stage];
  work->models = (GStrv) g_ptr_array_steal (models, NULL);
  return work;
}

ExoWork *
exo_work_parse (const char *state, gsize length, const char *own_id, GError **error)
{
  g_autoptr (JsonNode) root = exo_json_parse (state, (gssize) length, EXO_WORK_BYTES_MAX, error);
  JsonObject *object, *instances, *runners;

  if (root == NULL)
    return NULL;
  object = JSON_NODE_HOLDS_OBJECT (root) ? json_node_get_object (root) : NULL;
  instances = object != NULL ? exo_json_object (object, "instances") : NULL;
  runners = object != NULL ? exo_json_object (object, "runners") : NULL;
  if (instances != NULL || runners != NULL)
    return read_state (instances, runners, exo_json_object (object, "downloads"), own_id);
  g_set_error_literal (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                       "that is no state of exo");
  return NULL;
}

/* exo_json_parse() wants an object or array. */
char *
exo_work_parse_id (const char *body, gsize length)
{
  g_autofree char *text = NULL;
  g_autoptr (JsonNode) root = NULL;
  const char *id;

  if (length > ID_BYTES_MAX || memchr (body, '\0', length) != NULL)
    return NULL;
  text = g_strdup_printf ("[%.*s]", (int) length, body);
  root = exo_json_parse (text, -1, ID_BYTES_MAX + 2, NULL);
  if (root == NULL || json_array_get_length (json_node_get_array (root)) != 1)
    return NULL;
  id = exo_json_node_string (json_array_get_element (json_node_get_array (root), 0));
  return id != NULL && *id != '\0' ? g_strdup (id) : NULL;
}

gboolean
exo_work_is_state (const char *word)
{
  gsize n = strlen (word);

  return n > 0 && n <= WORD_BYTES_MAX && strspn (word, "abcdefghijklmnopqrstuvwxyz-") == n;
}

void
exo_work_free (ExoWork *work)
{
  if (work == NULL)
    return;
  g_strfreev (work->models);
  g_free (work);
}
