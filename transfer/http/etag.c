/* etag.c - see etag.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/http/etag.h"

#include <string.h>

#include "transfer/oid.h"

char *
exo_etag_to_oid (const char *etag)
{
  g_autofree char *oid = NULL;
  gsize n;

  if (etag == NULL)
    return NULL;
  if (g_str_has_prefix (etag, "W/"))
    etag += 2;
  n = strlen (etag);
  if (n >= 2 && etag[0] == '"' && etag[n - 1] == '"')
    oid = g_strndup (etag + 1, n - 2);
  else
    oid = g_strdup (etag);
  return exo_oid_kind (oid) != EXO_OID_NONE ? g_steal_pointer (&oid) : NULL;
}
