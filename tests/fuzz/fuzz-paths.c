/* fuzz-paths.c - bodies that ask for paths, and the Hub's JSON that is passed on
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "transfer/endpoint/repo-json.h"

static void
try_paths (const char *content_type, GBytes *body)
{
  g_auto (GStrv) paths = exo_repo_json_parse_paths (content_type, body);

  for (guint i = 0; paths != NULL && paths[i] != NULL; i++)
    g_assert (g_utf8_validate (paths[i], -1, NULL));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GBytes) body = g_bytes_new (data, size);
  g_autoptr (GBytes) passed = exo_repo_json_without_xet (body), again = NULL;

  try_paths ("application/json", body);
  try_paths ("application/x-www-form-urlencoded", body);
  if (passed == NULL)
    return 0;
  /* What we say is JSON, and there is nothing left to take out of it. */
  again = exo_repo_json_without_xet (passed);
  g_assert (again != NULL && g_bytes_equal (passed, again));
  return 0;
}
