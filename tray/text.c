/* text.c - see text.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tray/text.h"

#include <glib/gi18n.h>

#include "agent/ctl/format.h"

#define TIP_LINES_MAX 5u

char *
exo_text_short (const char *text, guint columns)
{
  g_autofree char *clean = exo_format_clean (text);
  g_autofree char *cut = NULL;

  if (exo_format_columns (clean) <= columns)
    return g_steal_pointer (&clean);
  cut = exo_format_cut (clean, columns - 1);
  return g_strconcat (cut, "…", NULL);
}

/* Transfers --------------------------------------------------------------------------------------- */

char *
exo_text_model (const ExoViewTransfer *transfer)
{
  return exo_text_short (transfer->model, EXO_TEXT_NAME_COLUMNS);
}

static char *
text_of_moving (const ExoViewTransfer *transfer)
{
  guint percent = exo_format_percent (transfer->done, transfer->total);
  g_autofree char *rate = exo_format_rate (transfer->rate);
  g_autofree char *left = exo_format_duration (transfer->eta);

  if (transfer->rate == 0)
    return g_strdup_printf (_ ("%u %%"), percent);
  if (transfer->eta < 0)
    return g_strdup_printf (_ ("%u %%, %s"), percent, rate);
  return g_strdup_printf (_ ("%u %%, %s, %s left"), percent, rate, left);
}

char *
exo_text_progress (const ExoViewTransfer *transfer)
{
  switch (transfer->state)
    {
    case EXO_VIEW_QUEUED:
      return g_strdup (_ ("waiting"));
    case EXO_VIEW_RESOLVING:
      return g_strdup (_ ("asking for the list of files"));
    case EXO_VIEW_TRANSFERRING:
      return text_of_moving (transfer);
    case EXO_VIEW_VERIFYING:
      return g_strdup (_ ("checking"));
    case EXO_VIEW_PAUSED:
      return g_strdup_printf (_ ("paused at %u %%"),
                              exo_format_percent (transfer->done, transfer->total));
    case EXO_VIEW_COMPLETE:
      return g_strdup (_ ("complete"));
    case EXO_VIEW_FAILED:
    default:
      return g_strdup (_ ("failed"));
    }
}

/* Nodes ------------------------------------------------------------------------------------------- */

static const char *
node_state (const char *state)
{
  if (g_str_equal (state, "connected"))
    return _ ("connected");
  if (g_str_equal (state, "present"))
    return _ ("seen");
  if (g_str_equal (state, "unreachable"))
    return _ ("does not answer");
  if (g_str_equal (state, "shunned"))
    return _ ("set aside, it served wrong bytes");
  return _ ("unknown");
}

char *
exo_text_node (const ExoViewNode *node)
{
  g_autofree char *name = exo_text_short (node->name, EXO_TEXT_NAME_COLUMNS);
  g_autofree char *rate = exo_format_rate (node->rate_in);

  if (node->rate_in == 0)
    /* TRANSLATORS: name of a machine, its state */
    return g_strdup_printf (_ ("%s: %s"), name, node_state (node->state));
  /* TRANSLATORS: name of a machine, its state, what this machine gets from it a second */
  return g_strdup_printf (_ ("%s: %s, %s"), name, node_state (node->state), rate);
}

/* The tooltip ------------------------------------------------------------------------------------- */

static GPtrArray *
transfers_to_show (const ExoView *view)
{
  GPtrArray *shown = g_ptr_array_new ();

  for (guint i = 0; i < view->transfers->len; i++)
    {
      ExoViewTransfer *transfer = view->transfers->pdata[i];

      if (transfer->state != EXO_VIEW_COMPLETE)
        g_ptr_array_add (shown, transfer);
    }
  return shown;
}

char *
exo_text_tip_title (const ExoView *view)
{
  g_autoptr (GPtrArray) shown = transfers_to_show (view);

  if (!view->connected)
    return g_strdup (_ ("The agent is not running"));
  if (shown->len == 0)
    return g_strdup (_ ("No transfers"));
  if (shown->len == 1)
    return exo_text_model (shown->pdata[0]);
  return g_strdup_printf (ngettext ("%u transfer", "%u transfers", shown->len), shown->len);
}

static void
add_line (GString *body, const char *line)
{
  if (body->len > 0)
    g_string_append_c (body, '\n');
  g_string_append (body, line);
}

static void
add_transfer (GString *body, const ExoViewTransfer *transfer, gboolean with_model)
{
  g_autofree char *model = exo_text_model (transfer);
  g_autofree char *progress = exo_text_progress (transfer);
  g_autofree char *why = exo_text_short (transfer->error_message, EXO_TEXT_MESSAGE_COLUMNS);
  /* TRANSLATORS: model, what its transfer does */
  g_autofree char *line =
      with_model ? g_strdup_printf (_ ("%s: %s"), model, progress) : g_strdup (progress);

  add_line (body, line);
  if (*why != '\0')
    add_line (body, why);
}

static void
add_share (GString *body, const GPtrArray *transfers)
{
  guint64 from_lan = 0, from_hub = 0;
  g_autofree char *line = NULL;

  for (guint i = 0; i < transfers->len; i++)
    {
      const ExoViewTransfer *transfer = transfers->pdata[i];

      from_lan += transfer->from_lan;
      from_hub += transfer->from_hub;
    }
  if (from_lan + from_hub == 0)
    return;
  line = g_strdup_printf (_ ("%u %% from your neighbours"),
                          exo_format_percent (from_lan, from_lan + from_hub));
  add_line (body, line);
}

/* Only what would be markup: a host that shows the text as it is shows an apostrophe, too. */
static char *
escape (GString *body)
{
  g_string_replace (body, "&", "&amp;", 0);
  g_string_replace (body, "<", "&lt;", 0);
  return g_string_free (body, FALSE);
}

char *
exo_text_tip_body (const ExoView *view)
{
  g_autoptr (GPtrArray) shown = transfers_to_show (view);
  GString *body = g_string_new (NULL);

  for (guint i = 0; i < MIN (shown->len, TIP_LINES_MAX); i++)
    add_transfer (body, shown->pdata[i], shown->len > 1);
  if (shown->len > TIP_LINES_MAX)
    {
      guint more = shown->len - TIP_LINES_MAX;
      g_autofree char *line = g_strdup_printf (ngettext ("and %u more", "and %u more", more), more);

      add_line (body, line);
    }
  add_share (body, shown);
  if (view->warnings->len > 0)
    {
      const ExoViewWarning *newest = view->warnings->pdata[view->warnings->len - 1];
      g_autofree char *line = exo_text_short (newest->message, EXO_TEXT_MESSAGE_COLUMNS);

      add_line (body, line);
    }
  return escape (body);
}
