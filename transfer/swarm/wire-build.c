/* wire-build.c - values to text; see wire.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A line says what is so after everything added to it, not what happened in between: of several
 * events for one piece the last one wins (a claim that is released before the line goes out is not
 * worth a word), so that the fixed order in which a line is applied is right. Per kind there is a
 * set of ranges, sorted by blob and piece, disjoint and not touching; adding to one set takes the
 * pieces out of those it overrides:
 *
 *   added     taken out of                 because applied in the order release, drop, have, fetch, claim
 *   release   fetch, claim                 they would be applied after it
 *   drop      have, fetch, claim           "
 *   have      drop, fetch, claim           a piece that is there is not being fetched
 *   fetch     claim                        the Hub run was given up
 *   claim     fetch                        the fetch from a peer was given up
 */

#include "transfer/swarm/wire-private.h"

#define N_EVENTS (EXO_WIRE_RELEASE + 1)

typedef struct
{
  guint32 b;
  gboolean wants;
} Wants;

struct ExoWireBuilder
{
  GArray *ranges[N_EVENTS]; /* ExoWireRange, sorted, disjoint */
  GArray *wants;            /* Wants, one per blob */
  GHashTable *wants_at;     /* b -> its index in wants */
  GString *states;          /* entries of "state", each followed by a comma */
  gboolean has_hub, hub;
  guint64 hub_rate;
  gboolean has_load;
  guint uploads, queued;
  gboolean has_link;
  ExoWireLink link;
};

static const char *const event_names[N_EVENTS] = {
  [EXO_WIRE_HAVE] = "have",   [EXO_WIRE_DROP] = "drop",       [EXO_WIRE_FETCH] = "fetch",
  [EXO_WIRE_CLAIM] = "claim", [EXO_WIRE_RELEASE] = "release",
};

#define BIT(event) (1u << (event))
#define ACTIVE     (BIT (EXO_WIRE_FETCH) | BIT (EXO_WIRE_CLAIM))

static const guint overrides[N_EVENTS] = {
  [EXO_WIRE_RELEASE] = ACTIVE,
  [EXO_WIRE_DROP] = ACTIVE | BIT (EXO_WIRE_HAVE),
  [EXO_WIRE_HAVE] = ACTIVE | BIT (EXO_WIRE_DROP),
  [EXO_WIRE_FETCH] = BIT (EXO_WIRE_CLAIM),
  [EXO_WIRE_CLAIM] = BIT (EXO_WIRE_FETCH),
};

/* Sets of ranges --------------------------------------------------------------------------- */

static guint64
end_of (const ExoWireRange *range)
{
  return (guint64) range->first + range->n;
}

static void
set_add (GArray *set, ExoWireRange range)
{
  guint at = 0, last;

  while (at < set->len)
    {
      const ExoWireRange *r = &g_array_index (set, ExoWireRange, at);

      if (r->b > range.b || (r->b == range.b && end_of (r) >= range.first))
        break;
      at++;
    }
  for (last = at; last < set->len; last++)
    {
      const ExoWireRange *r = &g_array_index (set, ExoWireRange, last);
      guint64 end = MAX (end_of (r), end_of (&range));

      if (r->b != range.b || r->first > end_of (&range))
        break;
      range.first = MIN (range.first, r->first);
      range.n = (guint32) (end - range.first);
    }
  if (last == at)
    g_array_insert_val (set, at, range);
  else
    {
      g_array_index (set, ExoWireRange, at) = range;
      if (last - at > 1)
        g_array_remove_range (set, at + 1, last - at - 1);
    }
}

static void
set_remove (GArray *set, ExoWireRange cut)
{
  guint i = 0;

  while (i < set->len)
    {
      ExoWireRange *r = &g_array_index (set, ExoWireRange, i);
      guint64 end = end_of (r);
      ExoWireRange right = { r->b, (guint32) end_of (&cut), 0 };

      if (r->b != cut.b || end <= cut.first || r->first >= end_of (&cut))
        {
          i++;
          continue;
        }
      if (end > end_of (&cut))
        right.n = (guint32) (end - end_of (&cut));
      if (r->first < cut.first)
        {
          r->n = cut.first - r->first;
          i++;
        }
      else
        g_array_remove_index (set, i);
      if (right.n > 0)
        {
          g_array_insert_val (set, i, right);
          return;
        }
    }
}

/* The builder ------------------------------------------------------------------------------ */

ExoWireBuilder *
exo_wire_builder_new (void)
{
  ExoWireBuilder *builder = g_new0 (ExoWireBuilder, 1);

  for (guint i = 0; i < N_EVENTS; i++)
    builder->ranges[i] = g_array_new (FALSE, FALSE, sizeof (ExoWireRange));
  builder->wants = g_array_new (FALSE, FALSE, sizeof (Wants));
  builder->wants_at = g_hash_table_new (NULL, NULL);
  builder->states = g_string_new (NULL);
  return builder;
}

void
exo_wire_builder_free (ExoWireBuilder *builder)
{
  if (builder == NULL)
    return;
  for (guint i = 0; i < N_EVENTS; i++)
    g_array_unref (builder->ranges[i]);
  g_array_unref (builder->wants);
  g_hash_table_unref (builder->wants_at);
  g_string_free (builder->states, TRUE);
  g_free (builder);
}

gboolean
exo_wire_builder_add (ExoWireBuilder *builder,
                      ExoWireEvent event,
                      guint32 b,
                      guint32 first,
                      guint32 n)
{
  ExoWireRange range = { b, first, n };

  g_return_val_if_fail ((guint) event < N_EVENTS, FALSE);
  g_return_val_if_fail (n > 0 && (guint64) first + n <= EXO_PIECES_MAX, FALSE);

  /* Taking a piece out of a set may split a range: one more at most. */
  for (guint i = 0; i < N_EVENTS; i++)
    if (builder->ranges[i]->len >= EXO_WIRE_RANGES_MAX)
      return FALSE;
  for (guint i = 0; i < N_EVENTS; i++)
    if ((overrides[event] & BIT (i)) != 0)
      set_remove (builder->ranges[i], range);
  set_add (builder->ranges[event], range);
  return TRUE;
}

void
exo_wire_builder_wants (ExoWireBuilder *builder, guint32 b, gboolean wants)
{
  Wants entry = { b, wants };
  gpointer at;

  if (g_hash_table_lookup_extended (builder->wants_at, GUINT_TO_POINTER (b), NULL, &at))
    {
      g_array_index (builder->wants, Wants, GPOINTER_TO_UINT (at)).wants = wants;
      return;
    }
  g_hash_table_insert (builder->wants_at, GUINT_TO_POINTER (b),
                       GUINT_TO_POINTER (builder->wants->len));
  g_array_append_val (builder->wants, entry);
}

void
exo_wire_builder_state (ExoWireBuilder *builder, guint32 b, gboolean wants, const ExoPieceMap *have)
{
  guint32 n_pieces = exo_piece_map_n_pieces (have);
  g_autoptr (GBytes) bits = NULL;
  g_autofree char *text = NULL;

  /* @have already says what these said, and a state is applied before them. */
  if (n_pieces > 0)
    {
      set_remove (builder->ranges[EXO_WIRE_HAVE], (ExoWireRange){ b, 0, n_pieces });
      set_remove (builder->ranges[EXO_WIRE_DROP], (ExoWireRange){ b, 0, n_pieces });
    }
  g_string_append_printf (builder->states, "{\"b\":%u,\"wants\":%s,\"have\":\"", b,
                          wants ? "true" : "false");
  if (exo_piece_map_is_full (have))
    g_string_append (builder->states, "all");
  else if (exo_piece_map_n_held (have) > 0)
    {
      bits = exo_piece_map_to_bytes (have);
      text = g_base64_encode (g_bytes_get_data (bits, NULL), g_bytes_get_size (bits));
      g_string_append (builder->states, text);
    }
  g_string_append (builder->states, "\"},");
}

void
exo_wire_builder_hub (ExoWireBuilder *builder, gboolean hub, guint64 hub_rate)
{
  builder->has_hub = TRUE;
  builder->hub = hub;
  builder->hub_rate = hub_rate;
}

void
exo_wire_builder_load (ExoWireBuilder *builder, guint uploads, guint queued)
{
  builder->has_load = TRUE;
  builder->uploads = uploads;
  builder->queued = queued;
}

void
exo_wire_builder_link (ExoWireBuilder *builder, const ExoWireLink *link)
{
  builder->has_link = TRUE;
  builder->link = *link;
}

gboolean
exo_wire_builder_is_empty (ExoWireBuilder *builder)
{
  for (guint i = 0; i < N_EVENTS; i++)
    if (builder->ranges[i]->len > 0)
      return FALSE;
  return builder->wants->len == 0 && builder->states->len == 0 && !builder->has_hub &&
         !builder->has_load && !builder->has_link;
}

gsize
exo_wire_builder_size (ExoWireBuilder *builder)
{
  gsize n = 256 + builder->states->len + (gsize) builder->wants->len * 14;

  for (guint i = 0; i < N_EVENTS; i++)
    n += (gsize) builder->ranges[i]->len * 25; /* "[49999,1048575,1048575]," */
  return n;
}

/* Text ------------------------------------------------------------------------------------- */

static void
append_hub (GString *text, gboolean hub, guint64 hub_rate)
{
  g_string_append_printf (text, "\"hub\":%s,\"hub_rate\":%" G_GUINT64_FORMAT ",",
                          hub ? "true" : "false", MIN (hub_rate, EXO_WIRE_RATE_MAX));
}

static void
append_link (GString *text, const ExoWireLink *link)
{
  g_string_append_printf (text, "\"link\":[%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT "],",
                          MIN (link->speed, EXO_WIRE_RATE_MAX),
                          MIN (link->rate, EXO_WIRE_RATE_MAX));
}

static void
append_ranges (GString *text, const char *name, GArray *ranges)
{
  if (ranges->len == 0)
    return;
  g_string_append_printf (text, "\"%s\":[", name);
  for (guint i = 0; i < ranges->len; i++)
    {
      const ExoWireRange *range = &g_array_index (ranges, ExoWireRange, i);

      g_string_append_printf (text, "[%u,%u,%u],", range->b, range->first, range->n);
    }
  text->str[text->len - 1] = ']';
  g_string_append_c (text, ',');
}

/* Every member ends with a comma, which the last one gives up for the brace. */
static void
close_object (GString *text)
{
  if (text->str[text->len - 1] == ',')
    text->str[text->len - 1] = '}';
  else
    g_string_append_c (text, '}');
}

static void
builder_clear (ExoWireBuilder *builder)
{
  for (guint i = 0; i < N_EVENTS; i++)
    g_array_set_size (builder->ranges[i], 0);
  g_array_set_size (builder->wants, 0);
  g_hash_table_remove_all (builder->wants_at);
  g_string_truncate (builder->states, 0);
  builder->has_hub = FALSE;
  builder->has_load = FALSE;
  builder->has_link = FALSE;
}

char *
exo_wire_builder_take (ExoWireBuilder *builder)
{
  static const ExoWireEvent order[N_EVENTS] = { EXO_WIRE_RELEASE, EXO_WIRE_DROP, EXO_WIRE_HAVE,
                                                EXO_WIRE_FETCH, EXO_WIRE_CLAIM };
  GString *text = g_string_sized_new (exo_wire_builder_size (builder));

  g_string_append_c (text, '{');
  if (builder->has_hub)
    append_hub (text, builder->hub, builder->hub_rate);
  if (builder->has_load)
    g_string_append_printf (text, "\"load\":[%u,%u],", builder->uploads, builder->queued);
  if (builder->has_link)
    append_link (text, &builder->link);
  if (builder->states->len > 0)
    {
      g_string_append (text, "\"state\":[");
      g_string_append_len (text, builder->states->str, (gssize) builder->states->len - 1);
      g_string_append (text, "],");
    }
  for (guint i = 0; i < N_EVENTS; i++)
    append_ranges (text, event_names[order[i]], builder->ranges[order[i]]);
  if (builder->wants->len > 0)
    {
      g_string_append (text, "\"wants\":[");
      for (guint i = 0; i < builder->wants->len; i++)
        g_string_append_printf (text, "[%u,%s],", g_array_index (builder->wants, Wants, i).b,
                                g_array_index (builder->wants, Wants, i).wants ? "true" : "false");
      text->str[text->len - 1] = ']';
      g_string_append_c (text, ',');
    }
  close_object (text);
  builder_clear (builder);
  return g_string_free (text, FALSE);
}

static void
append_hello (GString *text, const ExoWireHello *hello)
{
  g_autofree char *name = exo_wire_clean_name (hello->name, hello->id);

  g_string_append_printf (text, "{\"v\":%d,\"id\":\"%s\",\"name\":\"", EXO_WIRE_VERSION, hello->id);
  for (const char *p = name; *p != '\0'; p++)
    {
      if (*p == '"' || *p == '\\') /* a clean name has no control characters */
        g_string_append_c (text, '\\');
      g_string_append_c (text, *p);
    }
  g_string_append (text, "\",");
  if (hello->port != 0)
    g_string_append_printf (text, "\"port\":%u,", hello->port);
  append_hub (text, hello->hub, hello->hub_rate);
  append_link (text, &hello->link);
}

/* Texts of addresses have nothing that must be escaped. */
static void
append_addresses (GString *text, GArray *addresses)
{
  g_string_append (text, "\"addresses\":[");
  for (guint i = 0; i < MIN (addresses->len, EXO_WIRE_ADDRESSES_MAX); i++)
    {
      const ExoWireAddress *address = &g_array_index (addresses, ExoWireAddress, i);

      g_string_append_printf (text, "%s[\"%s\",%" G_GUINT64_FORMAT "]", i > 0 ? "," : "",
                              address->text, MIN (address->speed, EXO_WIRE_RATE_MAX));
    }
  g_string_append (text, "],");
}

char *
exo_wire_hello_to_json (const ExoWireHello *hello)
{
  GString *text = g_string_new (NULL);

  append_hello (text, hello);
  if (hello->addresses != NULL)
    append_addresses (text, hello->addresses);
  close_object (text);
  return g_string_free (text, FALSE);
}

char *
exo_wire_subscribe_to_json (const ExoWireHello *hello)
{
  GString *text = g_string_new (NULL);

  append_hello (text, hello);
  g_string_append (text, "\"oids\":[");
  for (guint i = 0; hello->blobs != NULL && i < hello->blobs->len; i++)
    {
      const ExoWireBlob *blob = &g_array_index (hello->blobs, ExoWireBlob, i);

      g_string_append_printf (text, "%s[\"%s\",%" G_GUINT64_FORMAT "]", i > 0 ? "," : "", blob->oid,
                              blob->size);
    }
  g_string_append (text, "]}");
  return g_string_free (text, FALSE);
}

char *
exo_wire_digests_to_json (guint64 size, gboolean verified, const ExoWireDigest *digests, gsize n)
{
  GString *text = g_string_new (NULL);

  g_string_append_printf (text,
                          "{\"v\":%d,\"size\":%" G_GUINT64_FORMAT ",\"verified\":%s,\"pieces\":[",
                          EXO_WIRE_VERSION, size, verified ? "true" : "false");
  for (gsize i = 0; i < n; i++)
    {
      g_string_append_printf (text, "%s[%u,\"", i > 0 ? "," : "", digests[i].piece);
      for (gsize k = 0; k < sizeof digests[i].sha256; k++)
        g_string_append_printf (text, "%02x", digests[i].sha256[k]);
      g_string_append_printf (text, "\",\"%s\"]", digests[i].source);
    }
  g_string_append (text, "]}");
  return g_string_free (text, FALSE);
}
