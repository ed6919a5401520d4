/* txt.h - the TXT record of _exo-agent._tcp
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * As in RFC 6763, 6: strings of at most 255 bytes, "key=value"; keys are compared without case, the first of a
 * kind counts, unknown keys are skipped. Ours are v=1 and id=<32 lower-case hex digits>, both required; a record
 * with another v is not for us.
 *
 * Pure: no I/O, no log.
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define EXO_NODE_ID_LENGTH  32u
#define EXO_TXT_BYTES_MAX   1300u /* RFC 6763, 6.2: beyond this it does not fit one packet */
#define EXO_TXT_STRINGS_MAX 32u

typedef struct
{
  char id[EXO_NODE_ID_LENGTH + 1];
} ExoTxt;

/* @id (nullable) is 32 lower-case hex digits. */
gboolean exo_node_id_is_valid (const char *id);

/* The strings of this node's record, for the resolver to encode. */
char **exo_txt_make (const char *id);

/* @data: the record as on the wire, each string behind a byte with its length; @size 0 is the empty record.
 * @error: G_IO_ERROR_INVALID_DATA, G_IO_ERROR_NOT_SUPPORTED for another version */
gboolean exo_txt_parse (const guint8 *data, gsize size, ExoTxt *out_txt, GError **error);

G_END_DECLS
