/* fuzz-manifest.c - manifests of neighbours
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/fuzz/fuzz.h"
#include "transfer/hub/manifest.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoManifest) manifest =
      exo_manifest_from_json ((const char *) data, (gssize) size, &error);

  g_assert ((manifest == NULL) == (error != NULL));
  for (guint i = 0; manifest != NULL && i < exo_manifest_n_files (manifest); i++)
    g_assert (exo_path_check (exo_manifest_file (manifest, i)->path, NULL));
  return 0;
}
