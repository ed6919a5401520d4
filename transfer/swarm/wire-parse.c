/* wire-parse.c - text to checked values; see wire.h
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is known must have the right type and a legal value, or the whole text is refused; what is
 * not known is ignored. Absent and null differ: null is a wrong type.
 */

#include <string.h>

#include "transfer/error.h"
#include "transfer/oid.h"
#include "transfer/swarm/wire-private.h"

gboolean
exo_node_id_check (const char *id)
{
  gsize n = 0;

  if (id == NULL)
    return FALSE;
  while (n <= 32 && (g_ascii_isdigit (id[n]) || (id[n] >= 'a' && id[n] <= 'f')))
    n++;
  return n == 32 && id[n] == '\0';
}

/* Hello and Subscribe ---------------------------------------------------------------------- */

static gboolean
parse_link (JsonObject *object, ExoWireLink *link, GError **error)
{
  return exo_wire_member_pair (object, "link", G_MAXINT64, &link->speed, &link->rate, error);
}

char *
exo_wire_clean_name (const char *name, const char *id)
{
  g_autoptr (GString) clean = g_string_new (NULL);

  for (const char *p = name; p != NULL && *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char_validated (p, -1);
      gsize n = (gsize) (g_utf8_next_char (p) - p);

      if (c == (gunichar) -1 || c == (gunichar) -2)
        break;
      if (clean->len + n > EXO_WIRE_NAME_MAX)
        break;
      if (g_unichar_isprint (c)) /* no control, no formatting such as a change of direction */
        g_string_append_len (clean, p, (gssize) n);
    }
  g_strstrip (clean->str);
  return clean->str[0] != '\0' ? g_strdup (clean->str) : g_strndup (id, 8);
}

static void
blob_clear (gpointer data)
{
  g_free (((ExoWireBlob *) data)->oid);
}

void
exo_wire_hello_free (ExoWireHello *hello)
{
  if (hello == NULL)
    return;
  g_free (hello->name);
  g_clear_pointer (&hello->blobs, g_array_unref);
  g_clear_pointer (&hello->addresses, g_array_unref);
  g_free (hello);
}

GArray *
exo_wire_blobs_new (void)
{
  GArray *blobs = g_array_new (FALSE, FALSE, sizeof (ExoWireBlob));

  g_array_set_clear_func (blobs, blob_clear);
  return blobs;
}

static void
address_clear (gpointer data)
{
  g_free (((ExoWireAddress *) data)->text);
}

GArray *
exo_wire_addresses_new (void)
{
  GArray *addresses = g_array_new (FALSE, FALSE, sizeof (ExoWireAddress));

  g_array_set_clear_func (addresses, address_clear);
  return addresses;
}

/* The texts are compared with those of known addresses and used for nothing else. */
static gboolean
parse_addresses (JsonObject *object, ExoWireHello *hello, GError **error)
{
  JsonArray *list;

  if (!exo_wire_member_array (object, "addresses", EXO_WIRE_ADDRESSES_MAX, &list, error))
    return FALSE;
  if (list == NULL)
    return TRUE;
  hello->addresses = exo_wire_addresses_new ();
  for (guint i = 0; i < json_array_get_length (list); i++)
    {
      JsonArray *pair = exo_wire_entry (list, i, 2, "addresses", error);
      ExoWireAddress address = { 0 };
      const char *text;

      if (pair == NULL)
        return FALSE;
      text = exo_wire_node_string (json_array_get_element (pair, 0), "addresses", error);
      if (text == NULL || !exo_wire_node_u64 (json_array_get_element (pair, 1), "addresses",
                                              G_MAXINT64, &address.speed, error))
        return FALSE;
      address.text = g_strdup (text);
      g_array_append_val (hello->addresses, address);
    }
  return TRUE;
}

static ExoWireHello *
parse_hello (JsonObject *object, GError **error)
{
  g_autoptr (ExoWireHello) hello = g_new0 (ExoWireHello, 1);
  JsonNode *name_node = json_object_get_member (object, "name");
  const char *id, *name = NULL;
  guint64 port = 0;

  hello->blobs = exo_wire_blobs_new ();
  if (!exo_wire_check_version (object, error))
    return NULL;
  id = exo_wire_node_string (json_object_get_member (object, "id"), "id", error);
  if (id == NULL)
    return NULL;
  if (!exo_node_id_check (id))
    {
      exo_wire_invalid (error, "id", "is not 32 lower-case hex digits");
      return NULL;
    }
  memcpy (hello->id, id, sizeof hello->id);
  if (name_node != NULL && (name = exo_wire_node_string (name_node, "name", error)) == NULL)
    return NULL;
  hello->name = exo_wire_clean_name (name, id);
  if (!exo_wire_member_u64 (object, "port", G_MAXUINT16, &port, error) ||
      !exo_wire_member_bool (object, "hub", &hello->hub, error) ||
      !exo_wire_member_u64 (object, "hub_rate", G_MAXINT64, &hello->hub_rate, error) ||
      !parse_link (object, &hello->link, error) || !parse_addresses (object, hello, error))
    return NULL;
  hello->port = (guint16) port;
  return g_steal_pointer (&hello);
}

static gboolean
parse_blobs (JsonArray *list, GArray *blobs, GError **error)
{
  guint n = json_array_get_length (list);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal); /* borrowed oids */

  for (guint i = 0; i < n; i++)
    {
      JsonArray *pair = exo_wire_entry (list, i, 2, "oids", error);
      ExoWireBlob blob = { 0 };
      const char *oid;

      if (pair == NULL)
        return FALSE;
      oid = exo_wire_node_string (json_array_get_element (pair, 0), "oids", error);
      if (oid == NULL)
        return FALSE;
      if (exo_oid_kind (oid) == EXO_OID_NONE)
        return exo_wire_invalid (error, "oids", "has something that is no oid");
      if (!exo_wire_node_u64 (json_array_get_element (pair, 1), "oids", EXO_BLOB_SIZE_MAX,
                              &blob.size, error))
        return FALSE;
      if (!g_hash_table_add (seen, (gpointer) oid))
        return exo_wire_invalid (error, "oids", "has one twice");
      blob.oid = g_strdup (oid);
      g_array_append_val (blobs, blob);
    }
  return TRUE;
}

ExoWireHello *
exo_wire_subscribe_parse (const char *text, gsize length, GError **error)
{
  g_autoptr (JsonNode) root = exo_wire_json (text, length, EXO_WIRE_SUBSCRIBE_MAX, error);
  g_autoptr (ExoWireHello) hello = NULL;
  JsonObject *object;
  JsonArray *oids;

  if (root == NULL)
    return NULL;
  object = json_node_get_object (root);
  hello = parse_hello (object, error);
  if (hello == NULL || !exo_wire_member_array (object, "oids", EXO_WIRE_OIDS_MAX, &oids, error))
    return NULL;
  if (oids == NULL)
    {
      exo_wire_invalid (error, "oids", "is missing");
      return NULL;
    }
  if (!parse_blobs (oids, hello->blobs, error))
    return NULL;
  return g_steal_pointer (&hello);
}

/* Lines ----------------------------------------------------------------------------------- */

typedef struct
{
  const guint64 *sizes;
  gsize n_sizes;
} Blobs;

static gboolean
parse_index (JsonNode *node, const char *name, const Blobs *blobs, guint32 *out_b, GError **error)
{
  guint64 b = 0;

  if (!exo_wire_node_u64 (node, name, G_MAXUINT32, &b, error))
    return FALSE;
  if (b >= blobs->n_sizes)
    return exo_wire_invalid (error, name, "names a blob that was not subscribed to");
  *out_b = (guint32) b;
  return TRUE;
}

static gboolean
append_range (GArray *ranges,
              const char *name,
              const Blobs *blobs,
              guint32 b,
              JsonArray *list,
              guint at,
              GError **error)
{
  guint64 first = 0, n = 0, n_pieces = exo_pieces_in (blobs->sizes[b]);
  ExoWireRange range;

  if (!exo_wire_node_u64 (json_array_get_element (list, at), name, EXO_PIECES_MAX, &first, error) ||
      !exo_wire_node_u64 (json_array_get_element (list, at + 1), name, EXO_PIECES_MAX, &n, error))
    return FALSE;
  if (n == 0 || first + n > n_pieces) /* both at most 2^20: no overflow */
    return exo_wire_invalid (error, name, "has a range outside the blob");
  range = (ExoWireRange){ b, (guint32) first, (guint32) n };
  g_array_append_val (ranges, range);
  return TRUE;
}

/* [[b,first,n],..] */
static gboolean
parse_ranges (JsonObject *object,
              const char *name,
              const Blobs *blobs,
              GArray *ranges,
              GError **error)
{
  JsonArray *list;

  if (!exo_wire_member_array (object, name, EXO_WIRE_RANGES_MAX, &list, error))
    return FALSE;
  for (guint i = 0; list != NULL && i < json_array_get_length (list); i++)
    {
      JsonArray *triple = exo_wire_entry (list, i, 3, name, error);
      guint32 b = 0;

      if (triple == NULL ||
          !parse_index (json_array_get_element (triple, 0), name, blobs, &b, error) ||
          !append_range (ranges, name, blobs, b, triple, 1, error))
        return FALSE;
    }
  return TRUE;
}

/* [[first,n],..], inside the state of @b */
static gboolean
parse_state_ranges (JsonObject *object,
                    const char *name,
                    const Blobs *blobs,
                    guint32 b,
                    GArray *ranges,
                    GError **error)
{
  JsonArray *list;

  if (!exo_wire_member_array (object, name, EXO_WIRE_RANGES_MAX, &list, error))
    return FALSE;
  for (guint i = 0; list != NULL && i < json_array_get_length (list); i++)
    {
      JsonArray *pair = exo_wire_entry (list, i, 2, name, error);

      if (pair == NULL || !append_range (ranges, name, blobs, b, pair, 0, error))
        return FALSE;
    }
  return TRUE;
}

static ExoPieceMap *
map_from_text (const char *text, guint64 size, GError **error)
{
  g_autofree guchar *bits = NULL;
  gsize n_due = ((gsize) exo_pieces_in (size) + 7) / 8, n = 0;

  if (text == NULL || *text == '\0' || strcmp (text, "all") == 0)
    {
      ExoPieceMap *map = exo_piece_map_new (size);

      if (text != NULL && *text != '\0')
        exo_piece_map_fill (map);
      return map;
    }
  /* g_base64_decode() skips what it does not know: only text of the right length that also decodes
   * to the right length has nothing of that. */
  if (strlen (text) != (n_due + 2) / 3 * 4 || (bits = g_base64_decode (text, &n), n != n_due))
    {
      exo_wire_invalid (error, "have", "does not have a bit for each piece");
      return NULL;
    }
  return exo_piece_map_from_bytes (size, bits, n, error);
}

static void
state_clear (gpointer data)
{
  exo_piece_map_free (((ExoWireState *) data)->have);
}

static gboolean
parse_state (JsonNode *node, const Blobs *blobs, guint8 *seen, ExoWireLine *line, GError **error)
{
  ExoWireState state = { 0 };
  JsonObject *object;
  JsonNode *have;
  const char *text = NULL;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return exo_wire_invalid (error, "state", "has a malformed entry");
  object = json_node_get_object (node);
  have = json_object_get_member (object, "have");
  if (!parse_index (json_object_get_member (object, "b"), "b", blobs, &state.b, error) ||
      !exo_wire_member_bool (object, "wants", &state.wants, error) ||
      (have != NULL && (text = exo_wire_node_string (have, "have", error)) == NULL) ||
      !parse_state_ranges (object, "claim", blobs, state.b, line->claim, error) ||
      !parse_state_ranges (object, "fetch", blobs, state.b, line->fetch, error))
    return FALSE;
  /* Each state costs a map: twice the same blob would let a short line take any amount of memory. */
  if ((seen[state.b / 8] & (1u << state.b % 8)) != 0)
    return exo_wire_invalid (error, "state", "has one blob twice");
  seen[state.b / 8] |= (guint8) (1u << state.b % 8);
  state.have = map_from_text (text, blobs->sizes[state.b], error);
  if (state.have == NULL)
    return FALSE;
  g_array_append_val (line->states, state);
  return TRUE;
}

static gboolean
parse_states (JsonObject *object, const Blobs *blobs, ExoWireLine *line, GError **error)
{
  g_autofree guint8 *seen = NULL; /* a bit for each blob */
  JsonArray *list;

  if (!exo_wire_member_array (object, "state", EXO_WIRE_OIDS_MAX, &list, error))
    return FALSE;
  if (list == NULL)
    return TRUE;
  seen = g_malloc0 (blobs->n_sizes / 8 + 1);
  for (guint i = 0; i < json_array_get_length (list); i++)
    if (!parse_state (json_array_get_element (list, i), blobs, seen, line, error))
      return FALSE;
  return TRUE;
}

/* [[b,true],..] */
static gboolean
parse_wants (JsonObject *object, const Blobs *blobs, ExoWireLine *line, GError **error)
{
  JsonArray *list;

  if (!exo_wire_member_array (object, "wants", EXO_WIRE_OIDS_MAX, &list, error))
    return FALSE;
  for (guint i = 0; list != NULL && i < json_array_get_length (list); i++)
    {
      JsonArray *pair = exo_wire_entry (list, i, 2, "wants", error);
      gboolean wants = FALSE;
      guint32 b = 0;

      if (pair == NULL ||
          !parse_index (json_array_get_element (pair, 0), "wants", blobs, &b, error) ||
          !exo_wire_node_bool (json_array_get_element (pair, 1), "wants", &wants, error))
        return FALSE;
      g_array_append_val (wants ? line->wants_on : line->wants_off, b);
    }
  return TRUE;
}

/* [uploads,queued] */
static gboolean
parse_load (JsonObject *object, ExoWireLine *line, GError **error)
{
  guint64 uploads = 0, queued = 0;

  line->has_load = json_object_has_member (object, "load");
  if (!exo_wire_member_pair (object, "load", G_MAXINT32, &uploads, &queued, error))
    return FALSE;
  line->uploads = (guint) uploads;
  line->queued = (guint) queued;
  return TRUE;
}

static ExoWireLine *
line_new (void)
{
  ExoWireLine *line = g_new0 (ExoWireLine, 1);
  GArray **ranges[] = { &line->have, &line->drop, &line->fetch, &line->claim, &line->release };

  for (gsize i = 0; i < G_N_ELEMENTS (ranges); i++)
    *ranges[i] = g_array_new (FALSE, FALSE, sizeof (ExoWireRange));
  line->wants_on = g_array_new (FALSE, FALSE, sizeof (guint32));
  line->wants_off = g_array_new (FALSE, FALSE, sizeof (guint32));
  line->states = g_array_new (FALSE, FALSE, sizeof (ExoWireState));
  g_array_set_clear_func (line->states, state_clear);
  return line;
}

void
exo_wire_line_free (ExoWireLine *line)
{
  if (line == NULL)
    return;
  exo_wire_hello_free (line->hello);
  g_array_unref (line->states);
  g_array_unref (line->have);
  g_array_unref (line->drop);
  g_array_unref (line->fetch);
  g_array_unref (line->claim);
  g_array_unref (line->release);
  g_array_unref (line->wants_on);
  g_array_unref (line->wants_off);
  g_free (line);
}

static gboolean
parse_line (JsonObject *object, const Blobs *blobs, ExoWireLine *line, GError **error)
{
  if (json_object_has_member (object, "id") && (line->hello = parse_hello (object, error)) == NULL)
    return FALSE;
  line->has_hub = json_object_has_member (object, "hub");
  line->has_link = json_object_has_member (object, "link");
  return exo_wire_member_bool (object, "hub", &line->hub, error) &&
         exo_wire_member_u64 (object, "hub_rate", G_MAXINT64, &line->hub_rate, error) &&
         parse_states (object, blobs, line, error) &&
         parse_ranges (object, "have", blobs, line->have, error) &&
         parse_ranges (object, "drop", blobs, line->drop, error) &&
         parse_ranges (object, "fetch", blobs, line->fetch, error) &&
         parse_ranges (object, "claim", blobs, line->claim, error) &&
         parse_ranges (object, "release", blobs, line->release, error) &&
         parse_wants (object, blobs, line, error) && parse_load (object, line, error) &&
         parse_link (object, &line->link, error);
}

ExoWireLine *
exo_wire_line_parse_any (const char *text,
                         gsize length,
                         const guint64 *sizes,
                         gsize n_sizes,
                         GError **error)
{
  g_autoptr (JsonNode) root = exo_wire_json (text, length, EXO_WIRE_LINE_MAX, error);
  g_autoptr (ExoWireLine) line = NULL;
  Blobs blobs = { sizes, n_sizes };

  if (root == NULL)
    return NULL;
  line = line_new ();
  if (!parse_line (json_node_get_object (root), &blobs, line, error))
    return NULL;
  return g_steal_pointer (&line);
}

ExoWireLine *
exo_wire_line_parse (const char *text,
                     gsize length,
                     const guint64 *sizes,
                     gsize n_sizes,
                     GError **error)
{
  g_autoptr (ExoWireLine) line = line_new ();

  if (length <= EXO_WIRE_LINE_MAX && exo_wire_events_read (text, length, sizes, n_sizes, line))
    return g_steal_pointer (&line);
  return exo_wire_line_parse_any (text, length, sizes, n_sizes, error);
}
