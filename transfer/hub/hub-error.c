/* hub-error.c - see hub-error.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/hub/hub-error.h"

#include <glib/gi18n.h>
#include <string.h>

#include "transfer/error.h"

#define SAID_MAX 200u /* bytes of the Hub's own words in ours */

static char *
page (const ExoHubSubject *subject)
{
  const char *folder = subject->type == EXO_REPO_DATASET ? "datasets/"
                       : subject->type == EXO_REPO_SPACE ? "spaces/"
                                                         : "";

  return g_strdup_printf ("%s/%s%s", subject->endpoint, folder, subject->id);
}

GError *
exo_hub_error_gated (const ExoHubSubject *subject)
{
  g_autofree char *address = page (subject);

  if (subject->has_token)
    return g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DENIED,
                        _ ("access to %s is gated and not granted to your token: ask for it on %s"),
                        subject->id, address);
  return g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DENIED,
                      _ ("access to %s is gated: ask for it on %s, then set HF_TOKEN or run "
                         "\"hf auth login\""),
                      subject->id, address);
}

/* The Hub's own words, printable and bounded; "" if it has none */
static char *
said (const ExoFetchResult *result)
{
  const char *message = g_hash_table_lookup (result->headers, "x-error-message");
  g_autoptr (GString) out = g_string_new (NULL);

  for (const char *p = message; p != NULL && *p != '\0' && out->len < SAID_MAX;
       p = g_utf8_next_char (p))
    if (g_unichar_isprint (g_utf8_get_char (p)))
      g_string_append_unichar (out, g_utf8_get_char (p));
  if (out->len > 0)
    g_string_prepend (out, ": ");
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static GError *
unauthorized (const ExoFetchResult *result, const ExoHubSubject *subject)
{
  g_autofree char *words = said (result);

  if (subject->has_token)
    return g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DENIED,
                        _ ("the Hub does not accept your token for %s%s: make a new one, then set "
                           "HF_TOKEN or run \"hf auth login\""),
                        subject->id, words);
  /* To the anonymous it does not tell a private repository from one that does not exist. */
  return g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NOT_FOUND,
                      /* TRANSLATORS: "model", "dataset" or "space", its name */
                      _ ("there is no public %s %s: check its name; if it is private, set HF_TOKEN "
                         "or run \"hf auth login\""),
                      _ (exo_repo_type_name (subject->type)), subject->id);
}

static GError *
not_found (const char *code, const ExoHubSubject *subject)
{
  if (g_strcmp0 (code, "RevisionNotFound") == 0)
    return g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NO_REVISION,
                        _ ("%s has no revision %s"), subject->id,
                        subject->revision != NULL ? subject->revision : "main");
  if (subject->path != NULL && g_strcmp0 (code, "RepoNotFound") != 0)
    return g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NOT_FOUND, _ ("%s has no file %s"),
                        subject->id, subject->path);
  return g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_NOT_FOUND,
                      /* TRANSLATORS: "model", "dataset" or "space", its name */
                      _ ("there is no %s %s: check its name"),
                      _ (exo_repo_type_name (subject->type)), subject->id);
}

GError *
exo_hub_error (const ExoFetchResult *result, const ExoHubSubject *subject)
{
  const char *code = g_hash_table_lookup (result->headers, "x-error-code");
  g_autofree char *words = said (result);
  guint status = result->status;

  if ((status == 401 || status == 403) && g_strcmp0 (code, "GatedRepo") == 0)
    return exo_hub_error_gated (subject);
  if (status == 401)
    return unauthorized (result, subject);
  if (status == 403)
    return g_error_new (EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DENIED,
                        _ ("the Hub refuses access to %s%s"), subject->id, words);
  if (status == 404 || status == 410)
    return not_found (code, subject);
  return g_error_new (EXO_TRANSFER_ERROR,
                      status >= 500 || status == 408 ? EXO_TRANSFER_ERROR_UNREACHABLE
                                                     : EXO_TRANSFER_ERROR_FAILED,
                      _ ("the Hub answers for %s with status %u%s"), subject->id, status, words);
}
