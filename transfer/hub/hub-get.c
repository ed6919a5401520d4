/* hub-get.c - answers of the Hub's API passed on as they are, for programs that ask it through this agent
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "transfer/hub/hub-private.h"

#define ANSWER_BYTES_MAX (8u << 20)

void
exo_hub_answer_free (ExoHubAnswer *answer)
{
  if (answer == NULL)
    return;
  g_bytes_unref (answer->body);
  g_free (answer->type);
  g_free (answer->error_code);
  g_free (answer->error_message);
  g_free (answer);
}

static void
on_answered (ExoHub *hub, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  g_autoptr (GTask) task = G_TASK (user_data);
  ExoHubAnswer *answer;

  if (result == NULL)
    {
      g_task_return_error (task, g_error_copy (error));
      return;
    }
  answer = g_new0 (ExoHubAnswer, 1);
  answer->status = result->status;
  answer->body = result->body != NULL ? g_bytes_ref (result->body) : g_bytes_new (NULL, 0);
  answer->type = g_strdup (g_hash_table_lookup (result->headers, "content-type"));
  answer->error_code = g_strdup (g_hash_table_lookup (result->headers, "x-error-code"));
  answer->error_message = g_strdup (g_hash_table_lookup (result->headers, "x-error-message"));
  g_task_return_pointer (task, answer, (GDestroyNotify) exo_hub_answer_free);
}

void
exo_hub_get_async (ExoHub *hub,
                   const char *path,
                   gboolean with_token,
                   GAsyncReadyCallback callback,
                   gpointer user_data)
{
  GTask *task = g_task_new (NULL, NULL, callback, user_data);
  g_autofree char *url = g_strconcat (hub->endpoint, path, NULL);

  g_task_set_source_tag (task, exo_hub_get_async);
  exo_hub_call_start (hub, url, with_token, ANSWER_BYTES_MAX, on_answered, task);
}

ExoHubAnswer *
exo_hub_get_finish (ExoHub *hub, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

gboolean
exo_hub_is_own_token (ExoHub *hub, const char *authorization)
{
  gsize n;
  guint differs = 0;

  if (hub->token == NULL || authorization == NULL ||
      g_ascii_strncasecmp (authorization, "Bearer ", 7) != 0)
    return FALSE;
  authorization += 7;
  n = strlen (hub->token);
  if (strlen (authorization) != n)
    return FALSE;
  for (gsize i = 0; i < n; i++)
    differs |= (guint) ((guchar) authorization[i] ^ (guchar) hub->token[i]);
  return differs == 0;
}
