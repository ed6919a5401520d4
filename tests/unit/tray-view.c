/* tray-view.c - see tray-view.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/tray-view.h"

ExoViewTransfer *
tray_view_add (ExoView *view, const char *model, ExoViewState state, guint64 done, guint64 total)
{
  ExoViewTransfer *transfer = g_new0 (ExoViewTransfer, 1);

  transfer->id = view->transfers->len + 1;
  transfer->path = g_strdup_printf ("/org/exo/Agent1/transfer/%u", transfer->id);
  transfer->model = g_strdup (model);
  transfer->type = g_strdup ("model");
  transfer->revision = g_strdup ("main");
  transfer->include = g_new0 (char *, 1);
  transfer->exclude = g_new0 (char *, 1);
  transfer->state = state;
  transfer->done = done;
  transfer->total = total;
  transfer->eta = -1;
  transfer->error = g_strdup ("");
  transfer->error_message = g_strdup ("");
  g_ptr_array_add (view->transfers, transfer);
  return transfer;
}

ExoViewNode *
tray_view_add_node (ExoView *view, const char *name, const char *state)
{
  ExoViewNode *node = g_new0 (ExoViewNode, 1);

  node->id = g_strdup_printf ("%032u", view->nodes->len);
  node->name = g_strdup (name);
  node->state = g_strdup (state);
  node->models = g_new0 (char *, 1);
  g_ptr_array_add (view->nodes, node);
  return node;
}

void
tray_view_warn (ExoView *view, const char *kind, const char *message)
{
  ExoViewWarning *warning = g_new0 (ExoViewWarning, 1);

  warning->kind = g_strdup (kind);
  warning->message = g_strdup (message);
  g_ptr_array_add (view->warnings, warning);
}

void
tray_view_set (char **field, const char *value)
{
  g_free (*field);
  *field = g_strdup (value);
}
