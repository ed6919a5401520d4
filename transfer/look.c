/* look.c - what exo is at, here and on the neighbours
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Asked when somebody wants to know, never by the clock: exo of this machine when a neighbour asks for the node card, and
 * that and all neighbours for the user of this one. What was asked just now is not asked again. An answer that does not come
 * in time is none; nobody waits longer for it.
 */

#include "transfer/engine-private.h"
#include "transfer/exo-work.h"
#include "transfer/json-text.h"

#define FRESH_US (3 * G_USEC_PER_SEC)
#define OWN_DEADLINE_MS                                                                            \
  1000 /* exo on this machine: well before a neighbour that asks us gives up */
#define LOOK_DEADLINE_MS 2500
#define CARD_BYTES_MAX   65536

struct ExoLook
{
  ExoEngine *engine; /* borrowed */
  guint16 port;      /* of exo's API on 127.0.0.1; 0: not to be asked */
  gint64 fresh_us;
  gboolean stopped;

  gboolean asking; /* exo of this machine */
  ExoFetch *fetch; /* (nullable): while asking */
  guint own_deadline;
  char *own_id;     /* (nullable) */
  gint64 own_us;    /* when it was last known; 0: never */
  GPtrArray *cards; /* ExoLanRequest: to be answered then */

  GPtrArray *tasks; /* GTask, owned: to be returned when all is known */
  GPtrArray *asks;  /* Ask: neighbours being asked; owned by their fetches */
  guint deadline, return_source;
  gboolean own_wanted; /* by the tasks */
  gint64 all_us;
};

/* --- who waits --------------------------------------------------------------------------------- */

static gboolean
return_tasks (gpointer user_data)
{
  ExoLook *look = user_data;
  g_autoptr (GPtrArray) tasks = g_steal_pointer (&look->tasks);

  look->tasks = g_ptr_array_new_with_free_func (g_object_unref);
  look->return_source = 0;
  for (guint i = 0; i < tasks->len; i++)
    g_task_return_boolean (g_ptr_array_index (tasks, i), TRUE);
  return G_SOURCE_REMOVE;
}

/* In a turn of its own, after that in which nodes that changed are told. */
static void
return_soon (ExoLook *look)
{
  if (look->return_source == 0)
    look->return_source = g_idle_add_full (G_PRIORITY_DEFAULT, return_tasks, look, NULL);
}

static void
part_known (ExoLook *look)
{
  if (look->own_wanted || look->asks->len > 0)
    return;
  g_clear_handle_id (&look->deadline, g_source_remove);
  look->all_us = g_get_monotonic_time ();
  return_soon (look);
}

static void
answer_cards (ExoLook *look)
{
  g_autoptr (GBytes) card = NULL;

  if (look->cards->len == 0)
    return;
  card = exo_engine_card (look->engine);
  for (guint i = 0; i < look->cards->len; i++)
    exo_lan_request_respond (g_ptr_array_index (look->cards, i), 200, card);
  g_ptr_array_set_size (look->cards, 0);
}

/* --- exo of this machine ----------------------------------------------------------------------- */

/* @models: (nullable): none */
static void
own_known (ExoLook *look, const char *state, const char *const *models)
{
  g_clear_handle_id (&look->own_deadline, g_source_remove);
  g_clear_pointer (&look->own_id, g_free);
  look->asking = FALSE;
  if (look->stopped)
    return;
  look->own_us = g_get_monotonic_time ();
  exo_node_set_exo (look->engine->self, state, models);
  answer_cards (look);
  if (look->own_wanted)
    {
      look->own_wanted = FALSE;
      part_known (look);
    }
}

typedef struct
{
  GBytes *body;
  char *own_id; /* (nullable) */
} Text;

static void
text_free (gpointer data)
{
  Text *text = data;

  g_bytes_unref (text->body);
  g_free (text->own_id);
  g_free (text);
}

static void
parse (GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
  const Text *text = task_data;
  gsize length;
  const char *body = g_bytes_get_data (text->body, &length);
  GError *error = NULL;
  ExoWork *work = exo_work_parse (body, length, text->own_id, &error);

  if (work == NULL)
    g_task_return_error (task, error);
  else
    g_task_return_pointer (task, work, (GDestroyNotify) exo_work_free);
}

static void
on_parsed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  ExoLook *look = EXO_ENGINE (source)->look;
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoWork) work = g_task_propagate_pointer (G_TASK (result), &error);

  if (work == NULL)
    g_debug ("exo: %s", error->message);
  own_known (look, work != NULL ? work->state : "unknown",
             work != NULL ? (const char *const *) work->models : NULL);
}

/* On a thread: the state of a large cluster is some megabytes. */
static void
on_state (ExoFetch *fetch, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  ExoLook *look = user_data;
  g_autoptr (GTask) task = NULL;
  Text *text;

  look->fetch = NULL;
  if (look->stopped || error != NULL || result->status != 200 || result->body == NULL)
    {
      own_known (look, "unknown", NULL);
      return;
    }
  text = g_new (Text, 1);
  *text = (Text){ g_bytes_ref (result->body), g_steal_pointer (&look->own_id) };
  task = g_task_new (look->engine, NULL, on_parsed, NULL);
  g_task_set_source_tag (task, on_state);
  g_task_set_task_data (task, text, text_free);
  g_task_run_in_thread (task, parse);
}

static void
ask_exo (ExoLook *look, const char *path, const ExoFetchCallbacks *callbacks)
{
  g_autofree char *url = g_strdup_printf ("http://127.0.0.1:%u%s", look->port, path);

  look->fetch = exo_fetcher_start (look->engine->fetcher,
                                   &(ExoFetchRequest){
                                       .mode = EXO_FETCH_TO_MEMORY,
                                       .method = "GET",
                                       .url = url,
                                       .lan = TRUE,
                                       .max_body = EXO_WORK_BYTES_MAX,
                                   },
                                   callbacks, look);
}

/* Early versions did not tell; then all of its cluster counts. */
static void
on_id (ExoFetch *fetch, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  static const ExoFetchCallbacks callbacks = { .done = on_state };
  ExoLook *look = user_data;

  look->fetch = NULL;
  if (look->stopped || look->own_deadline == 0 || (error != NULL && result->status == 0))
    {
      own_known (look, look->own_deadline == 0 ? "unknown" : "absent", NULL);
      return;
    }
  if (error == NULL && result->status == 200 && result->body != NULL)
    {
      gsize length;
      const char *body = g_bytes_get_data (result->body, &length);

      look->own_id = exo_work_parse_id (body, length);
    }
  ask_exo (look, "/state", &callbacks);
}

static gboolean
on_own_deadline (gpointer user_data)
{
  ExoLook *look = user_data;

  look->own_deadline = 0;
  if (look->fetch != NULL)
    exo_fetch_cancel (look->fetch);
  return G_SOURCE_REMOVE;
}

/* FALSE: it is known, or not to be asked */
static gboolean
ask_own (ExoLook *look)
{
  static const ExoFetchCallbacks callbacks = { .done = on_id };

  if (look->asking)
    return TRUE;
  if (look->port == 0 || look->stopped ||
      (look->own_us != 0 && g_get_monotonic_time () - look->own_us < look->fresh_us))
    return FALSE;
  look->asking = TRUE;
  look->own_deadline = g_timeout_add (OWN_DEADLINE_MS, on_own_deadline, look);
  ask_exo (look, "/node_id", &callbacks);
  return TRUE;
}

void
exo_look_card_wanted (ExoLanRequest *request, gpointer user_data)
{
  ExoLook *look = user_data;

  g_ptr_array_add (look->cards, request);
  if (!ask_own (look))
    answer_cards (look);
}

/* --- exo of the neighbours ---------------------------------------------------------------------- */

typedef struct
{
  ExoLook *look;
  ExoNode *node; /* reference */
  ExoFetch *fetch;
} Ask;

static void
read_card (ExoNode *node, GBytes *body)
{
  gsize length;
  const char *text = g_bytes_get_data (body, &length), *word = NULL;
  g_autoptr (JsonNode) root = exo_json_parse (text, (gssize) length, CARD_BYTES_MAX, NULL);

  if (root != NULL && JSON_NODE_HOLDS_OBJECT (root))
    word = exo_json_string (json_node_get_object (root), "exo");
  exo_node_set_exo (node, word != NULL && exo_work_is_state (word) ? word : "", NULL);
}

static void
on_card (ExoFetch *fetch, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  g_autofree Ask *ask = user_data;
  g_autoptr (ExoNode) node = ask->node;
  ExoLook *look = ask->look;

  g_ptr_array_remove_fast (look->asks, ask);
  if (look->stopped)
    return;
  if (error == NULL && result->status == 200 && result->body != NULL)
    read_card (node, result->body);
  else
    exo_node_set_exo (node, "", NULL);
  part_known (look);
}

static void
ask_neighbour (ExoLook *look, ExoNode *node)
{
  static const ExoFetchCallbacks callbacks = { .done = on_card };
  const char *base = exo_node_base_url (node);
  g_autofree char *url = NULL;
  Ask *ask;

  if (base == NULL)
    return;
  url = g_strconcat (base, "/v1/node", NULL);
  ask = g_new (Ask, 1);
  *ask = (Ask){ look, g_object_ref (node), NULL };
  g_ptr_array_add (look->asks, ask);
  ask->fetch = exo_fetcher_start (look->engine->fetcher,
                                  &(ExoFetchRequest){
                                      .mode = EXO_FETCH_TO_MEMORY,
                                      .method = "GET",
                                      .url = url,
                                      .lan = TRUE,
                                      .connect_timeout_ms = LOOK_DEADLINE_MS,
                                      .max_body = CARD_BYTES_MAX,
                                  },
                                  &callbacks, ask);
}

static gboolean
on_deadline (gpointer user_data)
{
  ExoLook *look = user_data;

  look->deadline = 0;
  for (guint i = 0; i < look->asks->len; i++)
    exo_fetch_cancel (((Ask *) g_ptr_array_index (look->asks, i))->fetch);
  return G_SOURCE_REMOVE;
}

static void
look_around (ExoLook *look)
{
  g_autoptr (GPtrArray) nodes = exo_engine_nodes (look->engine);

  look->own_wanted = ask_own (look);
  for (guint i = 0; i < nodes->len; i++)
    ask_neighbour (look, g_ptr_array_index (nodes, i));
  look->deadline = g_timeout_add (LOOK_DEADLINE_MS, on_deadline, look);
  part_known (look);
}

void
exo_engine_look_async (ExoEngine *engine, GAsyncReadyCallback callback, gpointer user_data)
{
  ExoLook *look = engine->look;
  GTask *task = g_task_new (engine, NULL, callback, user_data);

  g_task_set_source_tag (task, exo_engine_look_async);
  g_ptr_array_add (look->tasks, task);
  if (look->stopped || (look->all_us != 0 && look->deadline == 0 &&
                        g_get_monotonic_time () - look->all_us < look->fresh_us))
    return_soon (look);
  else if (look->deadline == 0)
    look_around (look);
}

void
exo_engine_look_finish (ExoEngine *engine, GAsyncResult *result)
{
  g_task_propagate_boolean (G_TASK (result), NULL);
}

/* --- life --------------------------------------------------------------------------------------- */

ExoLook *
exo_look_new (ExoEngine *engine, guint16 port)
{
  ExoLook *look = g_new0 (ExoLook, 1);

  look->engine = engine;
  look->port = port;
  look->fresh_us = FRESH_US;
  look->cards = g_ptr_array_new ();
  look->tasks = g_ptr_array_new_with_free_func (g_object_unref);
  look->asks = g_ptr_array_new ();
  return look;
}

void
exo_look_set_fresh (ExoLook *look, gint64 fresh_us)
{
  look->fresh_us = fresh_us;
}

void
exo_look_stop (ExoLook *look)
{
  if (look == NULL || look->stopped)
    return;
  answer_cards (look);
  exo_lan_server_set_card (exo_swarm_server (look->engine->swarm), NULL, NULL);
  look->stopped = TRUE;
  g_clear_handle_id (&look->own_deadline, g_source_remove);
  g_clear_handle_id (&look->deadline, g_source_remove);
  if (look->tasks->len > 0)
    return_soon (look);
}

void
exo_look_free (ExoLook *look)
{
  if (look == NULL)
    return;
  g_clear_handle_id (&look->return_source, g_source_remove);
  g_ptr_array_unref (look->cards);
  g_ptr_array_unref (look->tasks);
  g_ptr_array_unref (look->asks);
  g_free (look->own_id);
  g_free (look);
}
