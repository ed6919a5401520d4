/* hub-error.h - what a status of the Hub means to the user
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * hub-protocol.md 2.5. Pure.
 */

#pragma once

#include "transfer/http/fetcher.h"
#include "transfer/hub/manifest.h"

G_BEGIN_DECLS

typedef struct
{
  const char *endpoint;
  ExoRepoType type;
  const char *id;
  const char *revision; /* (nullable) */
  const char *path;     /* (nullable) */
  gboolean has_token;
} ExoHubSubject;

/* @result: of an exchange that got a status, not a success */
GError *exo_hub_error (const ExoFetchResult *result, const ExoHubSubject *subject);
GError *exo_hub_error_gated (const ExoHubSubject *subject);

G_END_DECLS
