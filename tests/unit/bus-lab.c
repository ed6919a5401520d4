/* bus-lab.c - see bus-lab.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/bus-lab.h"

GDBusConnection *
bus_lab_connect (const char *address)
{
  return g_dbus_connection_new_for_address_sync (address,
                                                 G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                     G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                                 NULL, NULL, NULL);
}

static void
on_called (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

GVariant *
bus_lab_call (GDBusConnection *client,
              const char *name,
              const char *path,
              const char *interface,
              const char *method,
              GVariant *parameters,
              GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  g_dbus_connection_call (client, name, path, interface, method, parameters, NULL,
                          G_DBUS_CALL_FLAGS_NONE, -1, NULL, on_called, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return g_dbus_connection_call_finish (client, result, error);
}

char *
bus_lab_call_text (GDBusConnection *client,
                   const char *name,
                   const char *path,
                   const char *interface,
                   const char *method,
                   GVariant *parameters)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      bus_lab_call (client, name, path, interface, method, parameters, &error);
  g_autofree char *error_name = NULL;

  if (reply != NULL)
    return g_variant_print (reply, FALSE);
  error_name = g_dbus_error_get_remote_error (error);
  g_dbus_error_strip_remote_error (error);
  return g_strdup_printf ("%s: %s", error_name, error->message);
}
