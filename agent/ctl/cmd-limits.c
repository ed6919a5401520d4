/* cmd-limits.c - exoctl limits: what this machine may take from the Hub and give to neighbours
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>
#include <string.h>

#include "agent/amount.h"
#include "agent/ctl/ctl.h"
#include "agent/ctl/format.h"

typedef enum
{
  RATE,
  SIZE,
  COUNT,
  HOURS,
} Kind;

static const struct
{
  const char *name; /* on D-Bus and for people */
  const char *json;
  Kind kind;
} limits[] = {
  { "hub-rate", "hub_rate", RATE },
  { "lan-upload-rate", "lan_upload_rate", RATE },
  { "hub-connections", "hub_connections", COUNT },
  { "monthly-cap", "monthly_cap", SIZE },
  { "hub-hours", "hub_hours", HOURS },
};

/* In force; 0 or "": none */
static guint64
get_amount (ExoAgent1 *agent, const char *name)
{
  guint64 amount = 0;

  g_variant_lookup (exo_agent1_get_limits (agent), name, "t", &amount);
  return amount;
}

static const char *
get_hours (ExoAgent1 *agent)
{
  const char *hours = "";

  g_variant_lookup (exo_agent1_get_limits (agent), "hub-hours", "&s", &hours);
  return hours;
}

/* Showing ------------------------------------------------------------------------------------- */

static void
print_json (ExoAgent1 *agent)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    if (limits[i].kind == HOURS)
      exo_json_string (builder, limits[i].json, get_hours (agent));
    else
      exo_json_int (builder, limits[i].json, get_amount (agent, limits[i].name));
  exo_json_strings (builder, "set", exo_agent1_get_limits_set (agent));
  exo_json_int (builder, "hub_bytes_this_month", exo_agent1_get_hub_bytes_this_month (agent));
  exo_json_string (builder, "hub_wait", exo_agent1_get_hub_wait (agent));
  exo_json_int (builder, "hub_wait_until", (guint64) exo_agent1_get_hub_wait_until (agent));
  json_builder_end_object (builder);
  exo_print_json (builder);
}

static char *
value_text (ExoAgent1 *agent, gsize i)
{
  guint64 amount = get_amount (agent, limits[i].name);

  if (limits[i].kind == HOURS ? *get_hours (agent) == '\0' : amount == 0)
    return g_strdup ("off");
  switch (limits[i].kind)
    {
    case RATE:
      return exo_format_rate (amount);
    case SIZE:
      return exo_format_bytes (amount);
    case HOURS:
      return g_strdup (get_hours (agent));
    case COUNT:
    default:
      return g_strdup_printf ("%" G_GUINT64_FORMAT, amount);
    }
}

static void
print_table (ExoAgent1 *agent)
{
  static const gboolean right[] = { FALSE, FALSE, FALSE };
  g_autoptr (ExoTable) table = exo_table_new (G_N_ELEMENTS (right), right);
  const char *const *set = exo_agent1_get_limits_set (agent);
  g_autofree char *text = NULL;
  char *head[] = { g_strdup (_ ("LIMIT")), g_strdup (_ ("VALUE")), g_strdup (_ ("SET BY")) };

  exo_table_add (table, head);
  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      char *value = value_text (agent, i);
      gboolean here = g_strv_contains (set, limits[i].name);
      const char *by = g_str_equal (value, "off") ? "" : _ ("key file");
      char *cells[] = { g_strdup (limits[i].name), value, g_strdup (here ? "exoctl" : by) };

      exo_table_add (table, cells);
    }
  text = exo_table_to_string (table);
  exo_print ("%s", text);
}

static void
print_month (ExoAgent1 *agent)
{
  guint64 bytes = exo_agent1_get_hub_bytes_this_month (agent);
  guint64 cap = get_amount (agent, "monthly-cap");
  g_autofree char *text = exo_format_bytes (bytes);

  if (cap > 0)
    exo_print (/* TRANSLATORS: an amount of bytes; per cent */
               _ ("From the Hub this month: %s (%u %%)\n"), text, exo_format_percent (bytes, cap));
  else
    exo_print (_ ("From the Hub this month: %s\n"), text);
}

static void
print_wait (ExoAgent1 *agent)
{
  const char *wait = exo_agent1_get_hub_wait (agent);
  g_autofree char *until = exo_format_date (exo_agent1_get_hub_wait_until (agent));

  if (g_str_equal (wait, "hours"))
    exo_print (_ ("The Hub is not asked for files before %s: hub-hours\n"), until);
  else if (g_str_equal (wait, "cap"))
    exo_print (_ ("The Hub is not asked for files before %s: monthly-cap\n"), until);
}

static int
show (const ExoCtl *ctl, ExoAgent1 *agent)
{
  if (exo_agent1_get_limits (agent) == NULL) /* an agent of before */
    return EXO_EXIT_FAILED;
  if (ctl->json)
    {
      print_json (agent);
      return EXO_EXIT_OK;
    }
  print_table (agent);
  print_month (agent);
  print_wait (agent);
  return EXO_EXIT_OK;
}

/* Setting ------------------------------------------------------------------------------------- */

/* Floating; NULL: @text is none of the kind */
static GVariant *
parse_value (Kind kind, const char *text)
{
  guint64 amount = 0;

  switch (kind)
    {
    case HOURS: /* what else is wrong with it the agent says */
      if (*text == '\0')
        return NULL;
      return g_variant_new_string (g_str_equal (text, "off") ? "" : text);
    case COUNT:
      if (!g_str_equal (text, "off") &&
          !g_ascii_string_to_unsigned (text, 10, 1, G_MAXUINT32, &amount, NULL))
        return NULL;
      return g_variant_new_uint64 (amount);
    case RATE:
    case SIZE:
    default:
      return exo_amount_parse (text, kind == RATE, &amount) ? g_variant_new_uint64 (amount) : NULL;
    }
}

static const char *
example_of (Kind kind)
{
  static const char *const examples[] = { "20MB/s", "500GB", "4", "22:00-07:00" };

  return examples[kind];
}

static gboolean
find_limit (const char *name, gsize *out_index, GError **error)
{
  g_autofree char *clean = exo_format_clean (name);
  GString *known = g_string_new (NULL);

  for (*out_index = 0; *out_index < G_N_ELEMENTS (limits); ++*out_index)
    {
      if (g_str_equal (limits[*out_index].name, name))
        return g_string_free (known, TRUE), TRUE;
      g_string_append_printf (known, " %s", limits[*out_index].name);
    }
  g_set_error (error, EXO_CTL_ERROR, EXO_EXIT_USAGE, _ ("There is no limit \"%s\". There are:%s"),
               clean, known->str);
  g_string_free (known, TRUE);
  return FALSE;
}

/* "NAME=VALUE" */
static gboolean
add_setting (GVariantBuilder *settings, const char *text, GError **error)
{
  const char *equal = strchr (text, '=');
  g_autofree char *name = g_strndup (text, equal != NULL ? (gsize) (equal - text) : strlen (text));
  g_autofree char *clean = exo_format_clean (equal != NULL ? equal + 1 : "");
  GVariant *value;
  gsize i;

  if (!find_limit (name, &i, error))
    return FALSE;
  value = equal != NULL && g_utf8_validate (equal, -1, NULL)
              ? parse_value (limits[i].kind, equal + 1)
              : NULL;
  if (value == NULL)
    {
      g_set_error (error, EXO_CTL_ERROR, EXO_EXIT_USAGE,
                   /* TRANSLATORS: a name, what was given, an example */
                   _ ("%s=%s: say it like %s=%s, or off"), name, clean, name,
                   example_of (limits[i].kind));
      return FALSE;
    }
  g_variant_builder_add (settings, "{sv}", name, value);
  return TRUE;
}

static gboolean
set (ExoAgent1 *agent, char **arguments, GError **error)
{
  g_auto (GVariantBuilder) settings = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  if (*arguments == NULL)
    {
      g_set_error_literal (error, EXO_CTL_ERROR, EXO_EXIT_USAGE,
                           _ ("Say what to set: exoctl limits set hub-rate=20MB/s"));
      return FALSE;
    }
  for (; *arguments != NULL; arguments++)
    if (!add_setting (&settings, *arguments, error))
      return FALSE;
  return exo_agent1_call_set_limits_sync (agent, g_variant_builder_end (&settings), NULL, error) ||
         exo_client_translate (error);
}

static gboolean
reset (ExoAgent1 *agent, char **arguments, GError **error)
{
  gsize unused;

  for (char **name = arguments; *name != NULL; name++)
    if (!find_limit (*name, &unused, error))
      return FALSE;
  return exo_agent1_call_reset_limits_sync (agent, (const char *const *) arguments, NULL, error) ||
         exo_client_translate (error);
}

static int
run (const ExoCtl *ctl, char **arguments, GError **error)
{
  const char *verb = arguments[0];
  gboolean is_set = g_strcmp0 (verb, "set") == 0, is_reset = g_strcmp0 (verb, "reset") == 0;
  g_autoptr (ExoAgent1) agent = NULL, after = NULL;

  if (verb != NULL && !is_set && !is_reset)
    {
      g_set_error_literal (error, EXO_CTL_ERROR, EXO_EXIT_USAGE,
                           _ ("It is exoctl limits, exoctl limits set or exoctl limits reset"));
      return EXO_EXIT_USAGE;
    }
  agent = exo_client_connect (error);
  if (agent == NULL || (is_set && !set (agent, arguments + 1, error)) ||
      (is_reset && !reset (agent, arguments + 1, error)))
    return EXO_EXIT_FAILED;
  if (verb == NULL)
    return show (ctl, agent);
  after = exo_client_connect (error); /* its properties are those of now */
  return after != NULL ? show (ctl, after) : EXO_EXIT_NO_AGENT;
}

const ExoCommand exo_command_limits = {
  .name = "limits",
  .arguments = "[set NAME=VALUE... | reset [NAME...]]",
  .summary = N_ ("Show or set what the agent may take from the Hub, and give to neighbours"),
  .description = N_ (
      "hub-rate=20MB/s           all files from the Hub together; also Mbit/s, MiB/s\n"
      "lan-upload-rate=50MB/s    all neighbours together\n"
      "hub-connections=4         files and parts of files from the Hub at once\n"
      "monthly-cap=500GB         files from the Hub in a calendar month; a warning comes at 80 %\n"
      "hub-hours=22:00-07:00     when the Hub may be asked for files; several with commas between\n\n"
      "NAME=off: no limit. What is set holds at once and after a restart, and goes before the key\n"
      "file until reset. Neighbours are asked at any time, and lists of files are small and come\n"
      "from the Hub all the same."),
  .has_json = TRUE,
  .max_arguments = 1 + 2 * G_N_ELEMENTS (limits),
  .run = run,
};
