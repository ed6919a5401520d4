/* fuzz-wire.c - what neighbours say: lines, subscriptions, digests
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "transfer/swarm/wire-private.h"

static const guint64 sizes[] = { 10u << 20, 0, G_GUINT64_CONSTANT (5) << 30 };

static void
check_ranges (GArray *ranges)
{
  for (guint i = 0; i < ranges->len; i++)
    {
      const ExoWireRange *range = &g_array_index (ranges, ExoWireRange, i);

      g_assert (range->b < G_N_ELEMENTS (sizes) && range->n > 0);
      g_assert ((guint64) range->first + range->n <= exo_pieces_in (sizes[range->b]));
    }
}

static void
check_same (const GArray *ranges, const GArray *others)
{
  g_assert (ranges->len == others->len);
  g_assert (ranges->len == 0 ||
            memcmp (ranges->data, others->data, ranges->len * sizeof (ExoWireRange)) == 0);
}

/* Read for the many lines of events, and by the general parser: there is one meaning. */
static void
check_both_ways (const char *text, gsize size, const ExoWireLine *line)
{
  g_autoptr (ExoWireLine) other =
      exo_wire_line_parse_any (text, size, sizes, G_N_ELEMENTS (sizes), NULL);

  g_assert ((line == NULL) == (other == NULL));
  if (line == NULL)
    return;
  check_same (line->have, other->have);
  check_same (line->drop, other->drop);
  check_same (line->fetch, other->fetch);
  check_same (line->claim, other->claim);
  check_same (line->release, other->release);
  g_assert (line->has_load == other->has_load && line->uploads == other->uploads &&
            line->queued == other->queued);
  g_assert (line->has_link == other->has_link && line->link.speed == other->link.speed &&
            line->link.rate == other->link.rate);
  g_assert (line->has_hub == other->has_hub && line->states->len == other->states->len);
}

static void
try_line (const char *text, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoWireLine) line =
      exo_wire_line_parse (text, size, sizes, G_N_ELEMENTS (sizes), &error);

  g_assert ((line == NULL) == (error != NULL));
  check_both_ways (text, size, line);
  if (line == NULL)
    return;
  check_ranges (line->have);
  check_ranges (line->drop);
  check_ranges (line->fetch);
  check_ranges (line->claim);
  check_ranges (line->release);
  for (guint i = 0; i < line->states->len; i++)
    exo_piece_map_check (g_array_index (line->states, ExoWireState, i).have);
}

/* What was understood must be understood again when it is said by us. */
static void
try_subscribe (const char *text, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoWireHello) hello = exo_wire_subscribe_parse (text, size, &error), again = NULL;
  g_autofree char *said = NULL;

  g_assert ((hello == NULL) == (error != NULL));
  if (hello == NULL)
    return;
  said = exo_wire_subscribe_to_json (hello);
  again = exo_wire_subscribe_parse (said, strlen (said), &error);
  g_assert_no_error (error);
  g_assert_cmpstr (again->name, ==, hello->name);
  g_assert_cmpuint (again->blobs->len, ==, hello->blobs->len);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) digests = NULL;
  gboolean verified;

  try_line ((const char *) data, size);
  try_subscribe ((const char *) data, size);
  digests = exo_wire_digests_parse ((const char *) data, size, sizes[0], &verified, &error);
  g_assert ((digests == NULL) == (error != NULL));
  return 0;
}
