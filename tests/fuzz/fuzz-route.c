/* fuzz-route.c - what programs of this machine ask for: path, newline, query
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "transfer/endpoint/route.h"

static void
try_route (gboolean post, const char *path, const char *query)
{
  g_auto (ExoRoute) route;

  exo_route_parse (&route, post, path, query);
  g_assert ((route.kind == EXO_ROUTE_BAD_REQUEST) == (route.error != NULL));
  g_assert (route.id == NULL || exo_repo_id_check (route.id, NULL));
  g_assert (route.revision == NULL || exo_revision_check (route.revision, NULL));
  g_assert (route.path == NULL || route.kind == EXO_ROUTE_PASS ||
            exo_path_check (route.path, NULL));
  g_assert (route.path == NULL || route.kind != EXO_ROUTE_PASS ||
            g_str_has_prefix (route.path, "/api/"));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup (size > 0 ? (const char *) data : "", size);
  g_auto (GStrv) parts = g_strsplit (text, "\n", 2);
  const char *path = parts[0] != NULL ? parts[0] : "";
  const char *query = parts[0] != NULL && parts[1] != NULL ? parts[1] : "";

  try_route (FALSE, path, query);
  try_route (TRUE, path, query);
  return 0;
}
