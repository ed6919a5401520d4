/* follow.c - see follow.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/ctl/follow.h"

#include <glib/gi18n.h>

#include "agent/ctl/format.h"
#include "agent/ctl/words.h"

void
exo_follow_clear (ExoFollow *follow)
{
  g_clear_pointer (&follow->state, g_free);
  g_clear_pointer (&follow->message, g_free);
}

gboolean
exo_follow_is_moving (ExoAgent1Transfer *transfer)
{
  const char *state = exo_agent1_transfer_get_state (transfer);

  return g_strcmp0 (state, "transferring") == 0 || g_strcmp0 (state, "verifying") == 0;
}

gboolean
exo_follow_is_over (ExoAgent1Transfer *transfer)
{
  const char *state = exo_agent1_transfer_get_state (transfer);

  return g_strcmp0 (state, "complete") == 0 || g_strcmp0 (state, "failed") == 0;
}

char *
exo_follow_amount (ExoAgent1Transfer *transfer)
{
  g_autofree char *done = exo_format_bytes (exo_agent1_transfer_get_bytes_done (transfer));
  g_autofree char *total = exo_format_bytes (exo_agent1_transfer_get_bytes_total (transfer));

  return g_strdup_printf (/* TRANSLATORS: two sizes, done and total */ _ ("%s of %s"), done, total);
}

char *
exo_follow_speed (ExoAgent1Transfer *transfer)
{
  gint64 eta = exo_agent1_transfer_get_eta (transfer);
  g_autofree char *rate = exo_format_rate (exo_agent1_transfer_get_rate (transfer));
  g_autofree char *left = exo_format_duration (eta);

  return eta >= 0 ? g_strdup_printf (_ ("%s, %s left"), rate, left) : g_steal_pointer (&rate);
}

char *
exo_follow_sources (ExoAgent1Transfer *transfer)
{
  guint64 hub = exo_agent1_transfer_get_bytes_from_hub (transfer);
  guint64 lan = exo_agent1_transfer_get_bytes_from_lan (transfer);
  g_autofree char *hub_text = exo_format_bytes (hub);
  g_autofree char *lan_text = exo_format_bytes (lan);

  return g_strdup_printf (_ ("from Hub %s, from neighbours %s (%u %%)"), hub_text, lan_text,
                          exo_format_percent (lan, hub + lan));
}

static void
print_json (ExoAgent1Transfer *transfer)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  exo_json_string (builder, "event", "transfer");
  exo_json_transfer (builder, transfer);
  json_builder_end_object (builder);
  exo_print_json (builder);
}

static void
print_progress (const char *model, ExoAgent1Transfer *transfer)
{
  g_autofree char *amount = exo_follow_amount (transfer);
  g_autofree char *speed = exo_follow_speed (transfer);
  g_autofree char *sources = exo_follow_sources (transfer);

  exo_print (
      /* TRANSLATORS: model, per cent, amount, speed, sources */ _ ("%s: %u %% (%s, %s; %s)\n"),
      model,
      exo_format_percent (exo_agent1_transfer_get_bytes_done (transfer),
                          exo_agent1_transfer_get_bytes_total (transfer)),
      amount, speed, sources);
}

/* TRUE if @value differs from *@last, which becomes it */
static gboolean
is_news (char **last, const char *value)
{
  if (g_strcmp0 (*last, value) == 0)
    return FALSE;
  g_free (*last);
  *last = g_strdup (value);
  return TRUE;
}

static void
print_changes (ExoFollow *follow, ExoAgent1Transfer *transfer)
{
  g_autofree char *model = exo_format_clean (exo_agent1_transfer_get_model (transfer));
  g_autofree char *state = exo_format_clean (exo_word (exo_agent1_transfer_get_state (transfer)));
  g_autofree char *message = exo_format_clean (exo_agent1_transfer_get_error_message (transfer));
  guint tenths = exo_format_percent (exo_agent1_transfer_get_bytes_done (transfer),
                                     exo_agent1_transfer_get_bytes_total (transfer)) /
                 10;

  if (is_news (&follow->state, state))
    exo_print ("%s: %s\n", model, state);
  if (is_news (&follow->message, message) && *message != '\0')
    exo_print ("%s: %s\n", model, message);
  if (exo_follow_is_moving (transfer) && tenths > follow->tenths)
    print_progress (model, transfer);
  follow->tenths = tenths;
}

void
exo_follow_update (const ExoCtl *ctl, ExoFollow *follow, ExoAgent1Transfer *transfer)
{
  if (ctl->json)
    print_json (transfer);
  else
    print_changes (follow, transfer);
}
