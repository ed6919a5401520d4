/* fuzz-range.c - the Range header
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib.h>

#include "tests/fuzz/fuzz.h"
#include "transfer/http/range.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const guint64 sizes[] = { 0, 1, 100, G_GUINT64_CONSTANT (5) << 30, G_MAXUINT64 };
  g_autofree char *header = g_strndup ((const char *) data, size);

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      guint64 first = 0, length = 0;
      ExoRangeKind kind = exo_range_parse (header, sizes[i], &first, &length);

      if (kind == EXO_RANGE_WHOLE)
        g_assert (first == 0 && length == sizes[i]);
      if (kind == EXO_RANGE_PART)
        g_assert (length > 0 && first < sizes[i] && length <= sizes[i] - first);
    }
  return 0;
}
