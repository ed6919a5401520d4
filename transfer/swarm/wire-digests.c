/* wire-digests.c - the answer to GET /v1/blobs/{oid}/pieces, parsed; see wire.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "transfer/swarm/wire-private.h"

static gboolean
parse_hex (const char *text, guint8 *out_bytes, gsize n)
{
  if (strlen (text) != 2 * n)
    return FALSE;
  for (gsize i = 0; i < n; i++)
    {
      int high = g_ascii_xdigit_value (text[2 * i]), low = g_ascii_xdigit_value (text[2 * i + 1]);

      if (high < 0 || low < 0)
        return FALSE;
      out_bytes[i] = (guint8) (high << 4 | low);
    }
  return TRUE;
}

static gboolean
parse_digest (JsonArray *row,
              guint64 first_legal,
              guint64 n_pieces,
              GArray *digests,
              GError **error)
{
  ExoWireDigest digest = { 0 };
  const char *hex, *source;
  guint64 piece = 0;

  if (!exo_wire_node_u64 (json_array_get_element (row, 0), "pieces", EXO_PIECES_MAX, &piece, error))
    return FALSE;
  if (piece < first_legal || piece >= n_pieces)
    return exo_wire_invalid (error, "pieces", "is not in rising order within the blob");
  hex = exo_wire_node_string (json_array_get_element (row, 1), "pieces", error);
  if (hex == NULL)
    return FALSE;
  if (!parse_hex (hex, digest.sha256, sizeof digest.sha256))
    return exo_wire_invalid (error, "pieces", "has a malformed digest");
  source = exo_wire_node_string (json_array_get_element (row, 2), "pieces", error);
  if (source == NULL)
    return FALSE;
  if (*source != '\0' && strcmp (source, "hub") != 0 && !exo_node_id_check (source))
    return exo_wire_invalid (error, "pieces", "has a source that is no node");
  digest.piece = (guint32) piece;
  g_strlcpy (digest.source, source, sizeof digest.source);
  g_array_append_val (digests, digest);
  return TRUE;
}

GArray *
exo_wire_digests_parse (const char *text,
                        gsize length,
                        guint64 size,
                        gboolean *out_verified,
                        GError **error)
{
  g_autoptr (JsonNode) root = exo_wire_json (text, length, EXO_WIRE_DIGESTS_MAX, error);
  g_autoptr (GArray) digests = g_array_new (FALSE, FALSE, sizeof (ExoWireDigest));
  guint64 their_size = 0, next = 0;
  gboolean verified = FALSE;
  JsonObject *object;
  JsonArray *list;

  if (root == NULL)
    return NULL;
  object = json_node_get_object (root);
  if (!exo_wire_check_version (object, error) ||
      !exo_wire_node_u64 (json_object_get_member (object, "size"), "size", EXO_BLOB_SIZE_MAX,
                          &their_size, error) ||
      !exo_wire_member_bool (object, "verified", &verified, error) ||
      !exo_wire_member_array (object, "pieces", exo_pieces_in (size), &list, error))
    return NULL;
  if (their_size != size)
    {
      exo_wire_invalid (error, "size", "is not that of the blob");
      return NULL;
    }
  for (guint i = 0; list != NULL && i < json_array_get_length (list); i++)
    {
      JsonArray *row = exo_wire_entry (list, i, 3, "pieces", error);

      if (row == NULL || !parse_digest (row, next, exo_pieces_in (size), digests, error))
        return NULL;
      next = (guint64) g_array_index (digests, ExoWireDigest, i).piece + 1;
    }
  *out_verified = verified;
  return g_steal_pointer (&digests);
}
