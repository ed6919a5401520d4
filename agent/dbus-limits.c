/* dbus-limits.c - what the user allows: SetLimits, ResetLimits and the properties beside them
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>

#include "agent/dbus-private.h"

/* The one of that name; @error: INVALID */
static gboolean
read_name (const char *name, ExoLimit *out_limit, GError **error)
{
  if (exo_limit_parse_name (name, out_limit))
    return TRUE;
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
               _ ("There is no limit \"%s\""), name);
  return FALSE;
}

static gboolean
read_value (ExoLimit limit, GVariant *value, ExoLimits *limits, GError **error)
{
  gboolean is_hours = limit == EXO_LIMIT_HUB_HOURS;
  const char *text;

  if (!g_variant_is_of_type (value, is_hours ? G_VARIANT_TYPE_STRING : G_VARIANT_TYPE_UINT64))
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                   _ ("has to be of type %s"), is_hours ? "s" : "t");
      return FALSE;
    }
  if (!is_hours)
    {
      limits->amounts[limit] = g_variant_get_uint64 (value);
      return exo_limit_check (limit, limits->amounts[limit], error);
    }
  text = g_variant_get_string (value, NULL);
  limits->hours = (ExoHours){ 0 };
  return *text == '\0' || exo_hours_parse (text, &limits->hours, error);
}

static gboolean
read_limits (GVariant *dictionary, ExoLimits *limits, guint *out_which, GError **error)
{
  GVariantIter iter;
  const char *name;
  GVariant *next;

  *out_which = 0;
  g_variant_iter_init (&iter, dictionary);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &next))
    {
      g_autoptr (GVariant) value = next;
      ExoLimit limit;

      if (!read_name (name, &limit, error))
        return FALSE;
      if (!read_value (limit, value, limits, error))
        {
          g_prefix_error (error, "%s: ", name);
          return FALSE;
        }
      *out_which |= 1u << limit;
    }
  return TRUE;
}

static gboolean
on_handle_set_limits (ExoAgent1 *iface,
                      GDBusMethodInvocation *invocation,
                      GVariant *dictionary,
                      ExoDbus *dbus)
{
  ExoEngine *engine = exo_dbus_engine (dbus);
  ExoLimits limits = { 0 };
  GError *error = NULL;
  guint which;

  if (!read_limits (dictionary, &limits, &which, &error) ||
      !exo_engine_set_limits (engine, &limits, which, &error))
    {
      exo_dbus_return_error (invocation, error);
      return TRUE;
    }
  exo_dbus_show_limits (engine, iface); /* who called must not see the old ones after the answer */
  exo_agent1_complete_set_limits (iface, invocation);
  return TRUE;
}

static gboolean
on_handle_reset_limits (ExoAgent1 *iface,
                        GDBusMethodInvocation *invocation,
                        const char *const *names,
                        ExoDbus *dbus)
{
  ExoEngine *engine = exo_dbus_engine (dbus);
  guint which = *names == NULL ? EXO_LIMIT_ALL : 0;
  GError *error = NULL;
  ExoLimit limit;

  for (; error == NULL && *names != NULL; names++)
    if (read_name (*names, &limit, &error))
      which |= 1u << limit;
  if (error != NULL || !exo_engine_reset_limits (engine, which, &error))
    {
      exo_dbus_return_error (invocation, error);
      return TRUE;
    }
  exo_dbus_show_limits (engine, iface);
  exo_agent1_complete_reset_limits (iface, invocation);
  return TRUE;
}

void
exo_dbus_show_limits (ExoEngine *engine, ExoAgent1 *iface)
{
  const char *set[EXO_LIMIT_N + 1] = { NULL };
  char hours[EXO_LIMIT_TEXT_BYTES];
  GVariantBuilder limits;
  ExoLimitsState state;
  guint n = 0;

  exo_engine_get_limits (engine, &state);
  exo_hours_format (&state.limits.hours, hours);
  g_variant_builder_init (&limits, G_VARIANT_TYPE_VARDICT);
  for (guint i = 0; i < EXO_LIMIT_N; i++)
    {
      const char *name = exo_limit_name ((ExoLimit) i);

      g_variant_builder_add (&limits, "{sv}", name,
                             i == EXO_LIMIT_HUB_HOURS
                                 ? g_variant_new_string (hours)
                                 : g_variant_new_uint64 (state.limits.amounts[i]));
      if ((state.set & 1u << i) != 0)
        set[n++] = name;
    }
  exo_agent1_set_limits (iface, g_variant_builder_end (&limits));
  exo_agent1_set_limits_set (iface, set);
  exo_agent1_set_hub_bytes_this_month (iface, state.month_bytes);
  exo_agent1_set_hub_wait (iface, exo_hub_wait_name (state.wait));
  exo_agent1_set_hub_wait_until (iface, state.until_s);
}

void
exo_dbus_connect_limits (ExoDbus *dbus, ExoAgent1 *iface)
{
  g_signal_connect (iface, "handle-set-limits", G_CALLBACK (on_handle_set_limits), dbus);
  g_signal_connect (iface, "handle-reset-limits", G_CALLBACK (on_handle_reset_limits), dbus);
}
