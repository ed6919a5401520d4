/* client.c - reaching the agent, and what its errors mean to a script
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>
#include <string.h>

#include "agent/ctl/ctl.h"

#define AGENT_NAME "org.exo.Agent1"
#define AGENT_PATH "/org/exo/Agent1"

G_DEFINE_QUARK (exo_ctl_error, exo_ctl_error)

const ExoExitInfo exo_exits[] = {
  { EXO_EXIT_OK, "ok", N_ ("done") },
  { EXO_EXIT_FAILED, "failed", N_ ("failed for another reason than those below") },
  { EXO_EXIT_USAGE, "usage", N_ ("wrong command, option, model name, revision or glob") },
  { EXO_EXIT_NO_AGENT, "no-agent", N_ ("the agent is not running, or it stopped meanwhile") },
  { EXO_EXIT_NOT_FOUND, "not-found", N_ ("no such model, revision, file or transfer") },
  { EXO_EXIT_DENIED, "denied", N_ ("gated or private: a token is missing or does not suffice") },
  { EXO_EXIT_NETWORK, "network", N_ ("the Hub cannot be reached or asks to wait") },
  { EXO_EXIT_DISK, "disk", N_ ("no space left, or trouble with local files") },
  { EXO_EXIT_MISMATCH, "mismatch", N_ ("bytes differ from the Hub's hash") },
  { EXO_EXIT_BUSY, "busy", N_ ("the state of the model or transfer does not allow it") },
  { EXO_EXIT_INTERRUPTED, "interrupted", N_ ("Ctrl-C; a transfer goes on in the agent") },
};
const gsize exo_n_exits = G_N_ELEMENTS (exo_exits);

static const struct
{
  const char *name; /* of org.exo.Agent1.Error */
  ExoExit code;
} error_names[] = {
  { "Failed", EXO_EXIT_FAILED },       { "Invalid", EXO_EXIT_USAGE },
  { "NotFound", EXO_EXIT_NOT_FOUND },  { "Denied", EXO_EXIT_DENIED },
  { "RateLimited", EXO_EXIT_NETWORK }, { "Unreachable", EXO_EXIT_NETWORK },
  { "NoSpace", EXO_EXIT_DISK },        { "Disk", EXO_EXIT_DISK },
  { "Mismatch", EXO_EXIT_MISMATCH },   { "Busy", EXO_EXIT_BUSY },
  { "BadState", EXO_EXIT_BUSY },
};

const char *
exo_exit_name (int code)
{
  for (gsize i = 0; i < exo_n_exits; i++)
    if ((int) exo_exits[i].code == code)
      return exo_exits[i].name;
  return "failed";
}

int
exo_client_exit_for (const char *error_name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (error_names); i++)
    if (g_str_equal (error_names[i].name, error_name))
      return (int) error_names[i].code;
  return EXO_EXIT_FAILED;
}

/* What the bus itself says when nobody, or nothing of that name, is there. */
static int
exit_for_bus_error (const GError *error)
{
  if (g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_OBJECT) ||
      g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD) ||
      g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_INTERFACE))
    return EXO_EXIT_NOT_FOUND;
  if (g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY) ||
      g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
      g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER) ||
      g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_DISCONNECTED) ||
      g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    return EXO_EXIT_NO_AGENT;
  return EXO_EXIT_FAILED;
}

gboolean
exo_client_translate (GError **error)
{
  g_autofree char *name = NULL;
  const char *prefix = AGENT_NAME ".Error.";
  int code;

  if (error == NULL || *error == NULL || (*error)->domain == EXO_CTL_ERROR)
    return FALSE;
  name = g_dbus_error_get_remote_error (*error);
  code = name != NULL && g_str_has_prefix (name, prefix)
             ? exo_client_exit_for (name + strlen (prefix))
             : exit_for_bus_error (*error);
  g_dbus_error_strip_remote_error (*error);
  (*error)->domain = EXO_CTL_ERROR;
  (*error)->code = code;
  return FALSE;
}

static GVariant *
call_bus (GDBusConnection *bus, const char *method, GVariant *arguments, GError **error)
{
  return g_dbus_connection_call_sync (bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                      "org.freedesktop.DBus", method, arguments, NULL,
                                      G_DBUS_CALL_FLAGS_NONE, -1, NULL, error);
}

static gboolean
agent_is_there (GDBusConnection *bus)
{
  g_autoptr (GVariant) reply =
      call_bus (bus, "NameHasOwner", g_variant_new ("(s)", AGENT_NAME), NULL);
  gboolean is_there = FALSE;

  if (reply != NULL)
    g_variant_get (reply, "(b)", &is_there);
  return is_there;
}

/* Activation is asked for by itself, so that "not installed" and "does not start" read differently;
 * only if the agent is not there: the bus refuses it for a name without a service file, owned or not. */
static gboolean
start_agent (GDBusConnection *bus, GError **error)
{
  g_autoptr (GError) why = NULL;
  g_autoptr (GVariant) reply = NULL;

  reply = call_bus (bus, "StartServiceByName", g_variant_new ("(su)", AGENT_NAME, 0), &why);
  if (reply != NULL)
    return TRUE;
  if (g_error_matches (why, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN))
    {
      g_set_error_literal (error, EXO_CTL_ERROR, EXO_EXIT_NO_AGENT,
                           _ ("The agent is not running. Start it with: systemctl --user start "
                              "exo-agent (or run exo-agent in another terminal)"));
      return FALSE;
    }
  g_dbus_error_strip_remote_error (why);
  g_set_error (error, EXO_CTL_ERROR, EXO_EXIT_NO_AGENT,
               _ ("The agent is not running and did not start: %s. See why with: systemctl --user "
                  "status exo-agent (or run exo-agent in a terminal)"),
               why->message);
  return FALSE;
}

/* The bus of exo-agent@.service, which serves this user without a session; NULL if that does not run. */
static GDBusConnection *
connect_without_session (void)
{
  g_autofree char *path = g_build_filename ("/run/exo-agent", g_get_user_name (), "bus", NULL);
  g_autofree char *escaped = g_dbus_address_escape_value (path);
  g_autofree char *address = g_strconcat ("unix:path=", escaped, NULL);

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return NULL;
  return g_dbus_connection_new_for_address_sync (address,
                                                 G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                     G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                                 NULL, NULL, NULL);
}

/* The bus on which the agent is. A second one is not started where exo-agent@.service has the first. */
static GDBusConnection *
connect_to_agent (GError **error)
{
  g_autoptr (GError) why = NULL;
  g_autoptr (GDBusConnection) session = g_bus_get_sync (G_BUS_TYPE_SESSION, NULL, &why);
  g_autoptr (GDBusConnection) other = NULL;

  if (session != NULL)
    g_dbus_connection_set_exit_on_close (session, FALSE);
  if (session != NULL && agent_is_there (session))
    return g_steal_pointer (&session);
  other = connect_without_session ();
  if (other != NULL && agent_is_there (other))
    return g_steal_pointer (&other);
  if (other != NULL)
    g_set_error (
        error, EXO_CTL_ERROR, EXO_EXIT_NO_AGENT,
        _ ("exo-agent@%s.service has not started the agent yet. Try again in a moment, or see "
           "why with: systemctl status exo-agent@%s"),
        g_get_user_name (), g_get_user_name ());
  else if (session == NULL)
    g_set_error (
        error, EXO_CTL_ERROR, EXO_EXIT_NO_AGENT,
        _ ("There is no session bus (%s). Log in with a desktop or a systemd user session, "
           "start both with: dbus-run-session -- sh, or serve this user without a session: "
           "sudo systemctl enable --now exo-agent@%s"),
        why->message, g_get_user_name ());
  else if (start_agent (session, error))
    return g_steal_pointer (&session);
  return NULL;
}

ExoAgent1 *
exo_client_connect (GError **error)
{
  g_autoptr (GDBusConnection) bus = connect_to_agent (error);
  ExoAgent1 *agent;

  if (bus == NULL)
    return NULL;
  agent = exo_agent1_proxy_new_sync (bus, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START, AGENT_NAME,
                                     AGENT_PATH, NULL, error);
  if (agent == NULL)
    exo_client_translate (error);
  return agent;
}

GDBusObjectManager *
exo_client_objects (GError **error)
{
  g_autoptr (GDBusConnection) bus = connect_to_agent (error);
  GDBusObjectManager *objects;

  if (bus == NULL)
    return NULL;
  objects =
      exo_object_manager_client_new_sync (bus, G_DBUS_OBJECT_MANAGER_CLIENT_FLAGS_DO_NOT_AUTO_START,
                                          AGENT_NAME, AGENT_PATH, NULL, error);
  if (objects == NULL)
    exo_client_translate (error);
  return objects;
}

static int
compare_transfers (gconstpointer a, gconstpointer b)
{
  guint left = exo_agent1_transfer_get_id (*(ExoAgent1Transfer *const *) a);
  guint right = exo_agent1_transfer_get_id (*(ExoAgent1Transfer *const *) b);

  return (left > right) - (left < right);
}

static int
compare_nodes (gconstpointer a, gconstpointer b)
{
  ExoAgent1Node *left = *(ExoAgent1Node *const *) a, *right = *(ExoAgent1Node *const *) b;

  if (exo_agent1_node_get_self (left) != exo_agent1_node_get_self (right))
    return exo_agent1_node_get_self (left) ? -1 : 1;
  return g_strcmp0 (exo_agent1_node_get_name (left), exo_agent1_node_get_name (right));
}

GPtrArray *
exo_client_transfers (GDBusObjectManager *objects)
{
  GList *all = g_dbus_object_manager_get_objects (objects);
  GPtrArray *transfers = g_ptr_array_new_with_free_func (g_object_unref);

  for (GList *l = all; l != NULL; l = l->next)
    {
      ExoAgent1Transfer *transfer = exo_object_get_agent1_transfer (EXO_OBJECT (l->data));

      if (transfer != NULL)
        g_ptr_array_add (transfers, transfer);
    }
  g_list_free_full (all, g_object_unref);
  g_ptr_array_sort (transfers, compare_transfers);
  return transfers;
}

GPtrArray *
exo_client_nodes (GDBusObjectManager *objects)
{
  GList *all = g_dbus_object_manager_get_objects (objects);
  GPtrArray *nodes = g_ptr_array_new_with_free_func (g_object_unref);

  for (GList *l = all; l != NULL; l = l->next)
    {
      ExoAgent1Node *node = exo_object_get_agent1_node (EXO_OBJECT (l->data));

      if (node != NULL)
        g_ptr_array_add (nodes, node);
    }
  g_list_free_full (all, g_object_unref);
  g_ptr_array_sort (nodes, compare_nodes);
  return nodes;
}

gboolean
exo_client_parse_model (const char *text, char **out_model, char **out_revision, GError **error)
{
  const char *at = strchr (text, '@');

  if (!g_utf8_validate (text, -1, NULL) || *text == '\0' || at == text ||
      (at != NULL && at[1] == '\0'))
    {
      g_set_error (error, EXO_CTL_ERROR, EXO_EXIT_USAGE,
                   _ ("\"%s\" is not a model. Write ORG/NAME or ORG/NAME@REVISION"), text);
      return FALSE;
    }
  *out_model = at != NULL ? g_strndup (text, (gsize) (at - text)) : g_strdup (text);
  *out_revision = g_strdup (at != NULL ? at + 1 : "");
  return TRUE;
}

GVariant *
exo_client_options (const char *type)
{
  GVariantDict options;

  g_variant_dict_init (&options, NULL);
  if (type != NULL)
    {
      g_autofree char *valid = g_utf8_make_valid (type, -1);

      g_variant_dict_insert (&options, "type", "s", valid);
    }
  return g_variant_dict_end (&options);
}
