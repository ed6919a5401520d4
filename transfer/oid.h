/* oid.h - the name of a blob
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * An oid is lower-case hex: 64 digits are the SHA-256 of the bytes (LFS and Xet files), 40 are
 * the git blob SHA-1, SHA1 ("blob " + decimal size + NUL + bytes) (hub-protocol.md 4). Anything
 * else, the Hub's masked "****" included, is not an oid and never becomes a file name.
 *
 * Pure.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  EXO_OID_NONE = 0, /* not an oid */
  EXO_OID_SHA1,     /* git blob SHA-1, 40 digits */
  EXO_OID_SHA256,   /* SHA-256, 64 digits */
} ExoOidKind;

#define EXO_OID_MAX_CHARS 64

/* @text: (nullable): any string */
ExoOidKind exo_oid_kind (const char *text);

/* TRUE for exactly 40 lower-case hex digits: a commit id */
gboolean exo_is_commit (const char *text);

G_END_DECLS
