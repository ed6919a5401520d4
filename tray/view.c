/* view.c - see view.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tray/view.h"

void
exo_view_transfer_free (ExoViewTransfer *transfer)
{
  if (transfer == NULL)
    return;
  g_free (transfer->path);
  g_free (transfer->model);
  g_free (transfer->type);
  g_free (transfer->revision);
  g_strfreev (transfer->include);
  g_strfreev (transfer->exclude);
  g_free (transfer->error);
  g_free (transfer->error_message);
  g_free (transfer);
}

void
exo_view_node_free (ExoViewNode *node)
{
  if (node == NULL)
    return;
  g_free (node->id);
  g_free (node->name);
  g_free (node->state);
  g_strfreev (node->models);
  g_free (node);
}

void
exo_view_warning_free (ExoViewWarning *warning)
{
  if (warning == NULL)
    return;
  g_free (warning->kind);
  g_free (warning->message);
  g_free (warning);
}

ExoView *
exo_view_new (void)
{
  ExoView *view = g_new0 (ExoView, 1);

  view->transfers = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_view_transfer_free);
  view->nodes = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_view_node_free);
  view->warnings = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_view_warning_free);
  view->cache_path = g_strdup ("");
  return view;
}

void
exo_view_free (ExoView *view)
{
  if (view == NULL)
    return;
  g_ptr_array_unref (view->transfers);
  g_ptr_array_unref (view->nodes);
  g_ptr_array_unref (view->warnings);
  g_free (view->cache_path);
  g_free (view);
}

ExoViewTransfer *
exo_view_find_transfer (const ExoView *view, const char *path)
{
  for (guint i = 0; i < view->transfers->len; i++)
    {
      ExoViewTransfer *transfer = view->transfers->pdata[i];

      if (g_str_equal (transfer->path, path))
        return transfer;
    }
  return NULL;
}

gboolean
exo_view_is_running (const ExoViewTransfer *transfer)
{
  return transfer->state == EXO_VIEW_QUEUED || transfer->state == EXO_VIEW_RESOLVING ||
         transfer->state == EXO_VIEW_TRANSFERRING || transfer->state == EXO_VIEW_VERIFYING;
}
