/* stats.c - what was asked for and how much of it left the machine
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/hub/stats.h"

#include <json-glib/json-glib.h>

typedef struct
{
  guint64 from, to; /* half open */
} Interval;

struct HubPathStats
{
  guint64 n_requests;
  guint64 bytes;
  guint64 first_bytes;
  GArray *sent; /* (element-type Interval), sorted, apart from each other */
};

struct HubStats
{
  GMutex lock;
  guint64 bytes;
  guint64 n_requests[HUB_N_CLASSES];
  GHashTable *paths; /* (element-type utf8 HubPathStats), both owned; none ever leaves */
};

static const char *const CLASS_NAMES[HUB_N_CLASSES] = { "api", "resolve", "cdn" };

static void
path_stats_free (gpointer data)
{
  HubPathStats *path = data;

  g_array_unref (path->sent);
  g_free (path);
}

HubStats *
hub_stats_new (void)
{
  HubStats *self = g_new0 (HubStats, 1);

  g_mutex_init (&self->lock);
  self->paths = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, path_stats_free);
  return self;
}

void
hub_stats_free (HubStats *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->paths);
  g_mutex_clear (&self->lock);
  g_free (self);
}

HubPathStats *
hub_stats_count_request (HubStats *self, HubClass klass, const char *name)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  HubPathStats *path = g_hash_table_lookup (self->paths, name);

  if (path == NULL)
    {
      path = g_new0 (HubPathStats, 1);
      path->sent = g_array_new (FALSE, FALSE, sizeof (Interval));
      g_hash_table_insert (self->paths, g_strdup (name), path);
    }
  path->n_requests++;
  self->n_requests[klass]++;
  return path;
}

/* The first interval that ends at or behind @from */
static guint
first_reaching (const GArray *sent, guint64 from)
{
  guint low = 0, high = sent->len;

  while (low < high)
    {
      guint middle = low + (high - low) / 2;

      if (g_array_index (sent, Interval, middle).to < from)
        low = middle + 1;
      else
        high = middle;
    }
  return low;
}

/* Adds [from, to) to the set; Returns: how much of it was not in there */
static guint64
cover (GArray *sent, guint64 from, guint64 to)
{
  Interval merged = { from, to };
  guint64 known = 0;
  guint at = first_reaching (sent, from);
  guint end = at;

  while (end < sent->len && g_array_index (sent, Interval, end).from <= to)
    {
      Interval other = g_array_index (sent, Interval, end++);

      if (MIN (to, other.to) > MAX (from, other.from))
        known += MIN (to, other.to) - MAX (from, other.from);
      merged.from = MIN (merged.from, other.from);
      merged.to = MAX (merged.to, other.to);
    }
  if (end > at)
    {
      g_array_index (sent, Interval, at) = merged;
      g_array_remove_range (sent, at + 1, end - at - 1);
    }
  else
    g_array_insert_val (sent, at, merged);
  return to - from - known;
}

void
hub_stats_count_bytes (HubStats *self, HubPathStats *path, guint64 from, guint64 n_bytes)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->bytes += n_bytes;
  path->bytes += n_bytes;
  path->first_bytes += cover (path->sent, from, from + n_bytes);
}

void
hub_stats_reset (HubStats *self)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  GHashTableIter iter;
  gpointer value;

  self->bytes = 0;
  for (gsize i = 0; i < HUB_N_CLASSES; i++)
    self->n_requests[i] = 0;
  g_hash_table_iter_init (&iter, self->paths);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      HubPathStats *path = value;

      path->n_requests = path->bytes = path->first_bytes = 0;
      g_array_set_size (path->sent, 0);
    }
}

static void
add_member (JsonBuilder *builder, const char *name, guint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, (gint64) value);
}

static void
add_paths (HubStats *self, JsonBuilder *builder)
{
  GHashTableIter iter;
  gpointer name, value;

  json_builder_set_member_name (builder, "paths");
  json_builder_begin_object (builder);
  g_hash_table_iter_init (&iter, self->paths);
  while (g_hash_table_iter_next (&iter, &name, &value))
    {
      HubPathStats *path = value;

      if (path->n_requests == 0 && path->bytes == 0)
        continue;
      json_builder_set_member_name (builder, name);
      json_builder_begin_object (builder);
      add_member (builder, "requests", path->n_requests);
      add_member (builder, "bytes", path->bytes);
      add_member (builder, "first_bytes", path->first_bytes);
      json_builder_end_object (builder);
    }
  json_builder_end_object (builder);
}

char *
hub_stats_to_json (HubStats *self)
{
  G_GNUC_UNUSED g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;

  json_builder_begin_object (builder);
  add_member (builder, "bytes", self->bytes);
  json_builder_set_member_name (builder, "requests");
  json_builder_begin_object (builder);
  for (gsize i = 0; i < HUB_N_CLASSES; i++)
    add_member (builder, CLASS_NAMES[i], self->n_requests[i]);
  json_builder_end_object (builder);
  add_paths (self, builder);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  return json_to_string (root, FALSE);
}
