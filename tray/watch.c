/* watch.c - see watch.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tray/watch.h"

#define TRANSFER_INTERFACE EXO_AGENT_NAME ".Transfer"
#define NODE_INTERFACE     EXO_AGENT_NAME ".Node"
#define MANAGER_INTERFACE  "org.freedesktop.DBus.ObjectManager"
#define PROPS_INTERFACE    "org.freedesktop.DBus.Properties"

struct ExoWatch
{
  GDBusConnection *bus;
  ExoWatchChanged changed;
  gpointer user_data;
  ExoView *view;
  GHashTable
      *node_paths; /* (element-type ExoViewNode utf8), the first borrowed, the second owned */
  GCancellable *cancellable; /* of the questions to the agent there is */
  guint name_id, signals_id, tell_id;
  gint64 told_us; /* monotonic; when changed was called last */
};

/* Telling ---------------------------------------------------------------------------------------- */

static gboolean
on_tell (gpointer user_data)
{
  ExoWatch *watch = user_data;

  watch->tell_id = 0;
  watch->told_us = g_get_monotonic_time ();
  watch->changed (watch->view, watch->user_data);
  return G_SOURCE_REMOVE;
}

/* At once if the last time is long enough ago, so that a new state is seen without delay. */
static void
tell_later (ExoWatch *watch)
{
  gint64 passed_ms = (g_get_monotonic_time () - watch->told_us) / 1000;

  if (watch->tell_id != 0)
    return;
  if (watch->told_us == 0 || passed_ms >= EXO_WATCH_PERIOD_MS)
    watch->tell_id = g_idle_add (on_tell, watch);
  else
    watch->tell_id = g_timeout_add (EXO_WATCH_PERIOD_MS - (guint) passed_ms, on_tell, watch);
}

/* Properties ------------------------------------------------------------------------------------- */

static void
take_string (GVariant *values, const char *name, char **field)
{
  const char *value;

  if (!g_variant_lookup (values, name, "&s", &value))
    return;
  g_free (*field);
  *field = g_strdup (value);
}

static void
take_strings (GVariant *values, const char *name, char ***field)
{
  char **value;

  if (!g_variant_lookup (values, name, "^as", &value))
    return;
  g_strfreev (*field);
  *field = value;
}

static void
take_state (GVariant *values, ExoViewState *field)
{
  static const char *const names[] = {
    "queued", "resolving", "transferring", "verifying", "paused", "complete", "failed",
  };
  const char *name;

  if (!g_variant_lookup (values, "State", "&s", &name))
    return;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_equal (name, names[i]))
      *field = (ExoViewState) i;
}

static void
take_transfer (GVariant *values, ExoViewTransfer *transfer)
{
  take_string (values, "Model", &transfer->model);
  take_string (values, "Type", &transfer->type);
  take_string (values, "Revision", &transfer->revision);
  take_strings (values, "Include", &transfer->include);
  take_strings (values, "Exclude", &transfer->exclude);
  take_string (values, "Error", &transfer->error);
  take_string (values, "ErrorMessage", &transfer->error_message);
  take_state (values, &transfer->state);
  g_variant_lookup (values, "Id", "u", &transfer->id);
  g_variant_lookup (values, "OnDemand", "b", &transfer->on_demand);
  g_variant_lookup (values, "BytesTotal", "t", &transfer->total);
  g_variant_lookup (values, "BytesDone", "t", &transfer->done);
  g_variant_lookup (values, "BytesFromHub", "t", &transfer->from_hub);
  g_variant_lookup (values, "BytesFromLan", "t", &transfer->from_lan);
  g_variant_lookup (values, "Rate", "t", &transfer->rate);
  g_variant_lookup (values, "Eta", "x", &transfer->eta);
  g_variant_lookup (values, "Started", "x", &transfer->started);
  g_variant_lookup (values, "Finished", "x", &transfer->finished);
  transfer->done = MIN (transfer->done, transfer->total);
}

static void
take_node (GVariant *values, ExoViewNode *node)
{
  take_string (values, "Id", &node->id);
  take_string (values, "Name", &node->name);
  take_string (values, "State", &node->state);
  take_strings (values, "Models", &node->models);
  g_variant_lookup (values, "Self", "b", &node->self);
  g_variant_lookup (values, "RateIn", "t", &node->rate_in);
}

static void
take_totals (GVariant *values, ExoView *view)
{
  take_string (values, "CachePath", &view->cache_path);
  g_variant_lookup (values, "BytesFromHub", "t", &view->from_hub);
  g_variant_lookup (values, "BytesFromLan", "t", &view->from_lan);
}

/* Objects ---------------------------------------------------------------------------------------- */

static int
compare_transfers (gconstpointer a, gconstpointer b)
{
  const ExoViewTransfer *left = *(ExoViewTransfer *const *) a;
  const ExoViewTransfer *right = *(ExoViewTransfer *const *) b;

  return (left->id > right->id) - (left->id < right->id);
}

static int
compare_nodes (gconstpointer a, gconstpointer b)
{
  const ExoViewNode *left = *(ExoViewNode *const *) a, *right = *(ExoViewNode *const *) b;
  int order;

  if (left->self != right->self)
    return left->self ? -1 : 1;
  order = g_utf8_collate (left->name, right->name);
  return order != 0 ? order : g_strcmp0 (left->id, right->id);
}

static ExoViewTransfer *
add_transfer (ExoView *view, const char *path)
{
  ExoViewTransfer *transfer = g_new0 (ExoViewTransfer, 1);

  transfer->path = g_strdup (path);
  transfer->model = g_strdup ("");
  transfer->type = g_strdup ("");
  transfer->revision = g_strdup ("");
  transfer->include = g_new0 (char *, 1);
  transfer->exclude = g_new0 (char *, 1);
  transfer->error = g_strdup ("");
  transfer->error_message = g_strdup ("");
  transfer->eta = -1;
  g_ptr_array_add (view->transfers, transfer);
  return transfer;
}

static ExoViewNode *
find_node (ExoWatch *watch, const char *path)
{
  for (guint i = 0; i < watch->view->nodes->len; i++)
    if (g_strcmp0 (g_hash_table_lookup (watch->node_paths, watch->view->nodes->pdata[i]), path) ==
        0)
      return watch->view->nodes->pdata[i];
  return NULL;
}

static ExoViewNode *
add_node (ExoWatch *watch, const char *path)
{
  ExoViewNode *node = g_new0 (ExoViewNode, 1);

  node->id = g_strdup ("");
  node->name = g_strdup ("");
  node->state = g_strdup ("");
  node->models = g_new0 (char *, 1);
  g_ptr_array_add (watch->view->nodes, node);
  g_hash_table_insert (watch->node_paths, node, g_strdup (path));
  return node;
}

/* @values: of an object that may be new */
static void
take_interface (ExoWatch *watch, const char *path, const char *interface, GVariant *values)
{
  ExoView *view = watch->view;
  gboolean is_full = view->transfers->len + view->nodes->len >= EXO_WATCH_OBJECTS_MAX;

  if (g_str_equal (interface, TRANSFER_INTERFACE))
    {
      ExoViewTransfer *transfer = exo_view_find_transfer (view, path);

      if (transfer == NULL && is_full)
        return;
      take_transfer (values, transfer != NULL ? transfer : add_transfer (view, path));
      g_ptr_array_sort (view->transfers, compare_transfers);
    }
  else if (g_str_equal (interface, NODE_INTERFACE))
    {
      ExoViewNode *node = find_node (watch, path);

      if (node == NULL && is_full)
        return;
      take_node (values, node != NULL ? node : add_node (watch, path));
      g_ptr_array_sort (view->nodes, compare_nodes);
    }
}

/* @interfaces: a{sa{sv}} */
static void
take_object (ExoWatch *watch, const char *path, GVariant *interfaces)
{
  GVariantIter each;
  const char *interface;
  GVariant *values;

  g_variant_iter_init (&each, interfaces);
  while (g_variant_iter_loop (&each, "{&s@a{sv}}", &interface, &values))
    take_interface (watch, path, interface, values);
}

static void
remove_object (ExoWatch *watch, const char *path)
{
  ExoViewTransfer *transfer = exo_view_find_transfer (watch->view, path);
  ExoViewNode *node = find_node (watch, path);

  if (transfer != NULL)
    g_ptr_array_remove (watch->view->transfers, transfer);
  if (node != NULL)
    {
      g_hash_table_remove (watch->node_paths, node);
      g_ptr_array_remove (watch->view->nodes, node);
    }
}

/* A change of an object that is not known is older than the answer that will tell of it, or too much. */
static void
take_changes (ExoWatch *watch, const char *path, const char *interface, GVariant *values)
{
  if (g_str_equal (interface, EXO_AGENT_NAME))
    take_totals (values, watch->view);
  else if (exo_view_find_transfer (watch->view, path) != NULL || find_node (watch, path) != NULL)
    take_interface (watch, path, interface, values);
}

/* Warnings --------------------------------------------------------------------------------------- */

static gboolean
forget_warning (ExoView *view, const char *kind, const char *message)
{
  gboolean found = FALSE;

  for (guint i = view->warnings->len; i > 0; i--)
    {
      const ExoViewWarning *warning = view->warnings->pdata[i - 1];

      if ((kind != NULL && !g_str_equal (warning->kind, kind)) ||
          (message != NULL && !g_str_equal (warning->message, message)))
        continue;
      g_ptr_array_remove_index (view->warnings, i - 1);
      found = TRUE;
    }
  return found;
}

void
exo_watch_warn (ExoWatch *watch, const char *kind, const char *message)
{
  GPtrArray *warnings = watch->view->warnings;
  ExoViewWarning *warning = g_new0 (ExoViewWarning, 1);

  warning->kind = g_strdup (kind);
  warning->message = g_strdup (message);
  warning->at = g_get_real_time () / G_USEC_PER_SEC;
  forget_warning (watch->view, kind, message);
  if (warnings->len >= EXO_WATCH_WARNINGS_MAX)
    g_ptr_array_remove_index (warnings, 0);
  g_ptr_array_add (warnings, warning);
  tell_later (watch);
}

void
exo_watch_dismiss (ExoWatch *watch, const char *message)
{
  if (forget_warning (watch->view, NULL, message))
    tell_later (watch);
}

/* The agent comes and goes ----------------------------------------------------------------------- */

static void
on_objects (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  g_autoptr (GVariantIter) objects = NULL;
  ExoWatch *watch = user_data;
  const char *path;
  GVariant *interfaces;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* the watch may be gone */
  if (reply == NULL)
    {
      g_debug ("the agent does not tell its objects: %s", error->message);
      return;
    }
  watch->view->connected = TRUE;
  g_variant_get (reply, "(a{oa{sa{sv}}})", &objects);
  while (g_variant_iter_loop (objects, "{&o@a{sa{sv}}}", &path, &interfaces))
    take_object (watch, path, interfaces);
  tell_later (watch);
}

static void
on_totals (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  g_autoptr (GVariant) values = NULL;
  ExoWatch *watch = user_data;

  if (reply == NULL)
    return;
  g_variant_get (reply, "(@a{sv})", &values);
  take_totals (values, watch->view);
  tell_later (watch);
}

static void
on_signal (GDBusConnection *bus,
           const char *sender,
           const char *path,
           const char *interface,
           const char *member,
           GVariant *parameters,
           gpointer user_data)
{
  ExoWatch *watch = user_data;
  g_autoptr (GVariant) values = NULL;
  const char *first, *second;

  if (g_str_equal (interface, PROPS_INTERFACE) &&
      g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(sa{sv}as)")))
    {
      g_variant_get (parameters, "(&s@a{sv}as)", &first, &values, NULL);
      take_changes (watch, path, first, values);
    }
  else if (g_str_equal (interface, MANAGER_INTERFACE) &&
           g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(oa{sa{sv}})")))
    {
      g_variant_get (parameters, "(&o@a{sa{sv}})", &first, &values);
      take_object (watch, first, values);
    }
  else if (g_str_equal (interface, MANAGER_INTERFACE) &&
           g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(oas)")))
    {
      g_variant_get (parameters, "(&oas)", &first, NULL);
      remove_object (watch, first);
    }
  else if (g_str_equal (interface, EXO_AGENT_NAME) && g_str_equal (member, "Warning") &&
           g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(ssa{sv})")))
    {
      g_variant_get (parameters, "(&s&sa{sv})", &first, &second, NULL);
      exo_watch_warn (watch, first, second);
    }
  tell_later (watch);
}

static void
forget_agent (ExoWatch *watch)
{
  if (watch->signals_id != 0)
    g_dbus_connection_signal_unsubscribe (watch->bus, watch->signals_id);
  watch->signals_id = 0;
  g_cancellable_cancel (watch->cancellable);
  g_clear_object (&watch->cancellable);
  g_hash_table_remove_all (watch->node_paths);
  g_ptr_array_set_size (watch->view->nodes, 0);
  g_ptr_array_set_size (watch->view->transfers, 0);
  watch->view->connected = FALSE;
  watch->view->from_hub = watch->view->from_lan = 0;
}

static void
ask (ExoWatch *watch,
     const char *owner,
     const char *interface,
     const char *method,
     GVariant *arguments,
     const char *reply_type,
     GAsyncReadyCallback done)
{
  g_dbus_connection_call (watch->bus, owner, EXO_AGENT_PATH, interface, method, arguments,
                          G_VARIANT_TYPE (reply_type), G_DBUS_CALL_FLAGS_NO_AUTO_START, -1,
                          watch->cancellable, done, watch);
}

static void
on_appeared (GDBusConnection *bus, const char *name, const char *owner, gpointer user_data)
{
  ExoWatch *watch = user_data;

  forget_agent (watch); /* another one may have taken the name over */
  watch->cancellable = g_cancellable_new ();
  /* By its unique name: GDBus takes a well-known one for "any sender". */
  watch->signals_id = g_dbus_connection_signal_subscribe (
      bus, owner, NULL, NULL, NULL, NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_signal, watch, NULL);
  ask (watch, owner, MANAGER_INTERFACE, "GetManagedObjects", NULL, "(a{oa{sa{sv}}})", on_objects);
  ask (watch, owner, PROPS_INTERFACE, "GetAll", g_variant_new ("(s)", EXO_AGENT_NAME), "(a{sv})",
       on_totals);
}

static void
on_vanished (GDBusConnection *bus, const char *name, gpointer user_data)
{
  ExoWatch *watch = user_data;

  forget_agent (watch);
  tell_later (watch);
}

ExoWatch *
exo_watch_new (GDBusConnection *bus, ExoWatchChanged changed, gpointer user_data)
{
  ExoWatch *watch = g_new0 (ExoWatch, 1);

  watch->bus = g_object_ref (bus);
  watch->changed = changed;
  watch->user_data = user_data;
  watch->view = exo_view_new ();
  watch->node_paths = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  watch->name_id = g_bus_watch_name_on_connection (
      bus, EXO_AGENT_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE, on_appeared, on_vanished, watch, NULL);
  return watch;
}

void
exo_watch_free (ExoWatch *watch)
{
  if (watch == NULL)
    return;
  g_bus_unwatch_name (watch->name_id);
  g_clear_handle_id (&watch->tell_id, g_source_remove);
  forget_agent (watch);
  g_hash_table_unref (watch->node_paths);
  exo_view_free (watch->view);
  g_object_unref (watch->bus);
  g_free (watch);
}

const ExoView *
exo_watch_peek_view (const ExoWatch *watch)
{
  return watch->view;
}
