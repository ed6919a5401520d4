/* fuzz-txt.c - TXT records of neighbours
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "discovery/txt.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  ExoTxt txt = { "" };
  gboolean accepted = exo_txt_parse (data, size, &txt, &error);

  g_assert (accepted == (error == NULL));
  g_assert (accepted == exo_node_id_is_valid (txt.id));
  return 0;
}
