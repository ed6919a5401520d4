/* txt.c - the TXT record of _exo-agent._tcp
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "discovery/txt.h"

#include <string.h>

#define TXT_VERSION "1"

typedef struct
{
  const guint8 *data;
  gsize size;
} Bytes;

gboolean
exo_node_id_is_valid (const char *id)
{
  return id != NULL && strlen (id) == EXO_NODE_ID_LENGTH &&
         strspn (id, "0123456789abcdef") == EXO_NODE_ID_LENGTH;
}

char **
exo_txt_make (const char *id)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_autofree char *id_string = g_strconcat ("id=", id, NULL);

  g_return_val_if_fail (exo_node_id_is_valid (id), NULL);

  g_strv_builder_add (builder, "v=" TXT_VERSION);
  g_strv_builder_add (builder, id_string);
  return g_strv_builder_end (builder);
}

/* Sets @out_value, unless an earlier string has, if @string is @key, "=" and something. */
static void
take_value (Bytes string, const char *key, Bytes *out_value)
{
  gsize length = strlen (key);

  if (out_value->data != NULL || string.size <= length || string.data[length] != '=' ||
      g_ascii_strncasecmp ((const char *) string.data, key, length) != 0)
    return;
  out_value->data = string.data + length + 1;
  out_value->size = string.size - length - 1;
}

static gboolean
split (Bytes record, Bytes *out_version, Bytes *out_id, GError **error)
{
  guint n_strings = 0;

  for (gsize at = 0; at < record.size;)
    {
      Bytes string = { record.data + at + 1, record.data[at] };

      if (string.size > record.size - at - 1)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "TXT record is cut short");
          return FALSE;
        }
      if (++n_strings > EXO_TXT_STRINGS_MAX)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                       "TXT record has more than %u strings", EXO_TXT_STRINGS_MAX);
          return FALSE;
        }
      take_value (string, "v", out_version);
      take_value (string, "id", out_id);
      at += 1 + string.size;
    }
  return TRUE;
}

gboolean
exo_txt_parse (const guint8 *data, gsize size, ExoTxt *out_txt, GError **error)
{
  Bytes version = { NULL, 0 }, id = { NULL, 0 };
  char text[EXO_NODE_ID_LENGTH + 1] = "";

  if (size > EXO_TXT_BYTES_MAX)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "TXT record has %" G_GSIZE_FORMAT " bytes, more than %u", size,
                   EXO_TXT_BYTES_MAX);
      return FALSE;
    }
  if (!split ((Bytes){ data, size }, &version, &id, error))
    return FALSE;

  if (version.size != strlen (TXT_VERSION) || memcmp (version.data, TXT_VERSION, version.size) != 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                   "TXT record is not of version " TXT_VERSION);
      return FALSE;
    }
  if (id.size == EXO_NODE_ID_LENGTH)
    memcpy (text, id.data, id.size);
  if (!exo_node_id_is_valid (text))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "TXT record has no id of %u lower-case hex digits", EXO_NODE_ID_LENGTH);
      return FALSE;
    }
  memcpy (out_txt->id, text, sizeof text);
  return TRUE;
}
