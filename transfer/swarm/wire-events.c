/* wire-events.c - the lines that come by the thousand, read without a tree; see wire-private.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * With 23 nodes each hears some ten thousand lines for a model of 1024 pieces, all but a few of them lists of ranges in the form
 * that wire-build.c gives them. A general JSON parser makes objects and emits signals for each number of these. Whatever is not
 * exactly of that form is left to it, errors included.
 */

#include <string.h>

#include "transfer/swarm/wire-private.h"

typedef struct
{
  const char *at, *end;
} Cursor;

static gboolean
take_char (Cursor *cursor, char c)
{
  if (cursor->at == cursor->end || *cursor->at != c)
    return FALSE;
  cursor->at++;
  return TRUE;
}

static gboolean
take_number (Cursor *cursor, guint64 max, guint64 *out_value)
{
  const char *start = cursor->at;
  guint64 value = 0;

  while (cursor->at < cursor->end && g_ascii_isdigit (*cursor->at))
    {
      if (cursor->at - start == EXO_WIRE_DIGITS_MAX)
        return FALSE;
      value = value * 10 + (guint64) g_ascii_digit_value (*cursor->at++);
    }
  if (cursor->at == start || (*start == '0' && cursor->at - start > 1) || value > max)
    return FALSE;
  *out_value = value;
  return TRUE;
}

/* "name": of at most @size - 1 plain letters. */
static gboolean
take_name (Cursor *cursor, char *name, gsize size)
{
  gsize n = 0;

  if (!take_char (cursor, '"'))
    return FALSE;
  while (cursor->at < cursor->end && g_ascii_isalpha (*cursor->at) && n < size - 1)
    name[n++] = *cursor->at++;
  name[n] = '\0';
  return take_char (cursor, '"') && take_char (cursor, ':');
}

/* [b,first,n] */
static gboolean
take_range (Cursor *cursor, const guint64 *sizes, gsize n_sizes, ExoWireRange *out_range)
{
  guint64 b, first, n;

  if (!take_char (cursor, '[') || !take_number (cursor, G_MAXUINT32, &b) ||
      !take_char (cursor, ',') || !take_number (cursor, EXO_PIECES_MAX, &first) ||
      !take_char (cursor, ',') || !take_number (cursor, EXO_PIECES_MAX, &n) ||
      !take_char (cursor, ']'))
    return FALSE;
  if (b >= n_sizes || n == 0 || first + n > exo_pieces_in (sizes[b]))
    return FALSE;
  *out_range = (ExoWireRange){ (guint32) b, (guint32) first, (guint32) n };
  return TRUE;
}

/* [[b,first,n],..]; an empty list is not in the form either */
static gboolean
take_ranges (Cursor *cursor, const guint64 *sizes, gsize n_sizes, GArray *ranges)
{
  ExoWireRange range;

  if (!take_char (cursor, '['))
    return FALSE;
  do
    {
      if (ranges->len == EXO_WIRE_RANGES_MAX || !take_range (cursor, sizes, n_sizes, &range))
        return FALSE;
      g_array_append_val (ranges, range);
    }
  while (take_char (cursor, ','));
  return take_char (cursor, ']');
}

/* [one,other] */
static gboolean
take_pair (Cursor *cursor, guint64 max, guint64 *out_one, guint64 *out_other)
{
  return take_char (cursor, '[') && take_number (cursor, max, out_one) && take_char (cursor, ',') &&
         take_number (cursor, max, out_other) && take_char (cursor, ']');
}

static gboolean
take_load (Cursor *cursor, ExoWireLine *line)
{
  guint64 uploads, queued;

  if (line->has_load || !take_pair (cursor, G_MAXINT32, &uploads, &queued))
    return FALSE;
  line->has_load = TRUE;
  line->uploads = (guint) uploads;
  line->queued = (guint) queued;
  return TRUE;
}

static gboolean
take_link (Cursor *cursor, ExoWireLine *line)
{
  if (line->has_link || !take_pair (cursor, G_MAXINT64, &line->link.speed, &line->link.rate))
    return FALSE;
  return line->has_link = TRUE;
}

static GArray *
ranges_named (const ExoWireLine *line, const char *name)
{
  const struct
  {
    const char *name;
    GArray *ranges;
  } lists[] = { { "have", line->have },
                { "fetch", line->fetch },
                { "claim", line->claim },
                { "release", line->release },
                { "drop", line->drop } };

  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++)
    if (strcmp (name, lists[i].name) == 0)
      return lists[i].ranges;
  return NULL;
}

static gboolean
take_member (Cursor *cursor, const guint64 *sizes, gsize n_sizes, ExoWireLine *line)
{
  char name[sizeof "release"];
  GArray *ranges;

  if (!take_name (cursor, name, sizeof name))
    return FALSE;
  ranges = ranges_named (line, name);
  if (ranges != NULL) /* of a name that comes twice the last one counts: not for here */
    return ranges->len == 0 && take_ranges (cursor, sizes, n_sizes, ranges);
  if (strcmp (name, "load") == 0)
    return take_load (cursor, line);
  return strcmp (name, "link") == 0 && take_link (cursor, line);
}

gboolean
exo_wire_events_read (const char *text,
                      gsize length,
                      const guint64 *sizes,
                      gsize n_sizes,
                      ExoWireLine *line)
{
  Cursor cursor = { text, text + length };

  if (!take_char (&cursor, '{'))
    return FALSE;
  if (length > 2)
    do
      if (!take_member (&cursor, sizes, n_sizes, line))
        return FALSE;
    while (take_char (&cursor, ','));
  return take_char (&cursor, '}') && cursor.at == cursor.end;
}
