/* faults.c - what goes wrong, on which request
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/hub/faults.h"

#include <gio/gio.h>
#include <json-glib/json-glib.h>

static const char *const KIND_NAMES[] = {
  [HUB_FAULT_STATUS] = "status",   [HUB_FAULT_RESET] = "reset",
  [HUB_FAULT_CLOSE] = "close",     [HUB_FAULT_STALL] = "stall",
  [HUB_FAULT_SLOW] = "slow",       [HUB_FAULT_FLIP] = "flip",
  [HUB_FAULT_FULL200] = "full200", [HUB_FAULT_WRONG_RANGE] = "wrong-range",
  [HUB_FAULT_HTML] = "html",       [HUB_FAULT_TRUNCATE_JSON] = "truncate-json",
  [HUB_FAULT_EXPIRE] = "expire",   [HUB_FAULT_REDIRECT] = "redirect",
  [HUB_FAULT_ETAG] = "etag",
};

static const char *const CLASS_NAMES[] = { "api", "resolve", "cdn", "any" };

typedef struct
{
  JsonObject *json; /* as posted, for GET /faults */
  GPatternSpec *match;
  gint klass;   /* HubClass, or HUB_N_CLASSES for any */
  char *method; /* (nullable): any */
  GArray *nth;  /* (nullable) (element-type gint64) */
  gint64 every; /* 0: unused */
  gint64 times; /* 0: no limit */
  gint64 n_seen, n_hits;
  HubFault *fault;
} Rule;

struct HubFaults
{
  GMutex lock;
  GPtrArray *rules; /* (element-type Rule), owned */
};

HubFault *
hub_fault_ref (HubFault *fault)
{
  return g_atomic_rc_box_acquire (fault);
}

static void
fault_clear (gpointer data)
{
  HubFault *fault = data;

  g_free (fault->text);
  g_strfreev (fault->headers);
}

void
hub_fault_unref (HubFault *fault)
{
  if (fault != NULL)
    g_atomic_rc_box_release_full (fault, fault_clear);
}

static void
rule_free (gpointer data)
{
  Rule *rule = data;

  g_clear_pointer (&rule->json, json_object_unref);
  g_clear_pointer (&rule->match, g_pattern_spec_free);
  g_free (rule->method);
  g_clear_pointer (&rule->nth, g_array_unref);
  hub_fault_unref (rule->fault);
  g_free (rule);
}

HubFaults *
hub_faults_new (void)
{
  HubFaults *self = g_new0 (HubFaults, 1);

  g_mutex_init (&self->lock);
  self->rules = g_ptr_array_new_with_free_func (rule_free);
  return self;
}

void
hub_faults_free (HubFaults *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->rules);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static gboolean
find_name (const char *const *names,
           gsize n_names,
           const char *name,
           gint *out_index,
           GError **error)
{
  for (gsize i = 0; i < n_names; i++)
    if (g_strcmp0 (names[i], name) == 0)
      {
        *out_index = (gint) i;
        return TRUE;
      }
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "\"%s\" is not known", name);
  return FALSE;
}

static JsonObject *
object_member (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static char **
read_headers (JsonObject *json)
{
  JsonObject *headers = object_member (json, "headers");
  g_autoptr (GPtrArray) list = g_ptr_array_new ();
  g_autoptr (GList) names = headers != NULL ? json_object_get_members (headers) : NULL;

  for (GList *at = names; at != NULL; at = at->next)
    {
      g_ptr_array_add (list, g_strdup (at->data));
      g_ptr_array_add (
          list, g_strdup (json_object_get_string_member_with_default (headers, at->data, "")));
    }
  g_ptr_array_add (list, NULL);
  return (char **) g_ptr_array_steal (list, NULL);
}

static HubFault *
read_fault (JsonObject *json, GError **error)
{
  HubFault *fault;
  gint kind;

  if (json == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "a rule without \"fault\"");
      return NULL;
    }
  if (!find_name (KIND_NAMES, G_N_ELEMENTS (KIND_NAMES),
                  json_object_get_string_member_with_default (json, "kind", NULL), &kind, error))
    return NULL;
  fault = g_atomic_rc_box_new0 (HubFault);
  fault->kind = (HubFaultKind) kind;
  fault->status =
      (guint) CLAMP (json_object_get_int_member_with_default (json, "status", 500), 200, 599);
  fault->after = json_object_get_int_member_with_default (json, "after", -1);
  fault->offset = json_object_get_int_member_with_default (json, "offset", 0);
  fault->seconds = json_object_get_double_member_with_default (json, "seconds", 1.0);
  fault->text = g_strdup (json_object_get_string_member_with_default (
      json, kind == HUB_FAULT_REDIRECT ? "to" : "value", NULL));
  fault->headers = read_headers (json);
  return fault;
}

static GArray *
read_nth (JsonObject *json)
{
  JsonNode *node = json_object_get_member (json, "nth");
  JsonArray *list;
  GArray *nth;

  if (node == NULL || !JSON_NODE_HOLDS_ARRAY (node))
    return NULL;
  list = json_node_get_array (node);
  nth = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (guint i = 0; i < json_array_get_length (list); i++)
    {
      gint64 value = json_array_get_int_element (list, i);
      g_array_append_val (nth, value);
    }
  return nth;
}

static Rule *
read_rule (JsonNode *node, GError **error)
{
  Rule *rule;
  JsonObject *json;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "a rule is an object");
      return NULL;
    }
  json = json_node_get_object (node);
  rule = g_new0 (Rule, 1);
  rule->json = json_object_ref (json);
  rule->match =
      g_pattern_spec_new (json_object_get_string_member_with_default (json, "match", "*"));
  rule->method = g_strdup (json_object_get_string_member_with_default (json, "method", NULL));
  rule->nth = read_nth (json);
  rule->every = json_object_get_int_member_with_default (json, "every", 0);
  rule->times = json_object_get_int_member_with_default (json, "times", 0);
  rule->fault = read_fault (object_member (json, "fault"), error);
  if (rule->fault == NULL ||
      !find_name (CLASS_NAMES, G_N_ELEMENTS (CLASS_NAMES),
                  json_object_get_string_member_with_default (json, "class", "any"), &rule->klass,
                  error))
    {
      rule_free (rule);
      return NULL;
    }
  return rule;
}

static GPtrArray *
read_rules (const char *text, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GPtrArray) rules = g_ptr_array_new_with_free_func (rule_free);
  JsonNode *root;
  JsonArray *list;

  if (!json_parser_load_from_data (parser, text, -1, error))
    return NULL;
  root = json_parser_get_root (parser);
  if (root == NULL || !JSON_NODE_HOLDS_ARRAY (root))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "the rules are an array");
      return NULL;
    }
  list = json_node_get_array (root);
  for (guint i = 0; i < json_array_get_length (list); i++)
    {
      Rule *rule = read_rule (json_array_get_element (list, i), error);

      if (rule == NULL)
        return NULL;
      g_ptr_array_add (rules, rule);
    }
  return g_steal_pointer (&rules);
}

gboolean
hub_faults_set (HubFaults *self, const char *json, GError **error)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = NULL;
  GPtrArray *rules =
      json != NULL ? read_rules (json, error) : g_ptr_array_new_with_free_func (rule_free);

  if (rules == NULL)
    return FALSE;
  locker = g_mutex_locker_new (&self->lock);
  g_ptr_array_unref (self->rules);
  self->rules = rules;
  return TRUE;
}

char *
hub_faults_to_json (HubFaults *self)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  g_autoptr (JsonNode) root = json_node_alloc ();
  JsonArray *list = json_array_new ();

  for (guint i = 0; i < self->rules->len; i++)
    {
      Rule *rule = g_ptr_array_index (self->rules, i);

      json_object_set_int_member (rule->json, "seen", rule->n_seen);
      json_object_set_int_member (rule->json, "hits", rule->n_hits);
      json_array_add_object_element (list, json_object_ref (rule->json));
    }
  json_node_init_array (root, list);
  json_array_unref (list);
  return json_to_string (root, FALSE);
}

static gboolean
rule_matches (const Rule *rule, HubClass klass, const char *method, const char *path)
{
  return (rule->klass == HUB_N_CLASSES || rule->klass == (gint) klass) &&
         (rule->method == NULL || g_str_equal (rule->method, method)) &&
         g_pattern_spec_match_string (rule->match, path);
}

static gboolean
rule_fires (const Rule *rule)
{
  if (rule->times > 0 && rule->n_hits >= rule->times)
    return FALSE;
  if (rule->every > 0)
    return rule->n_seen % rule->every == 0;
  if (rule->nth == NULL)
    return TRUE;
  for (guint i = 0; i < rule->nth->len; i++)
    if (g_array_index (rule->nth, gint64, i) == rule->n_seen)
      return TRUE;
  return FALSE;
}

HubFault *
hub_faults_pick (HubFaults *self, HubClass klass, const char *method, const char *path)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  for (guint i = 0; i < self->rules->len; i++)
    {
      Rule *rule = g_ptr_array_index (self->rules, i);

      if (!rule_matches (rule, klass, method, path))
        continue;
      rule->n_seen++;
      if (!rule_fires (rule))
        continue;
      rule->n_hits++;
      return hub_fault_ref (rule->fault);
    }
  return NULL;
}
