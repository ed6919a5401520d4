/* oid.c - see oid.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/oid.h"

ExoOidKind
exo_oid_kind (const char *text)
{
  gsize n = 0;

  if (text == NULL)
    return EXO_OID_NONE;
  while (n <= EXO_OID_MAX_CHARS &&
         (g_ascii_isdigit (text[n]) || (text[n] >= 'a' && text[n] <= 'f')))
    n++;
  if (text[n] != '\0')
    return EXO_OID_NONE;
  return n == 40 ? EXO_OID_SHA1 : n == 64 ? EXO_OID_SHA256 : EXO_OID_NONE;
}

gboolean
exo_is_commit (const char *text)
{
  return exo_oid_kind (text) == EXO_OID_SHA1;
}
