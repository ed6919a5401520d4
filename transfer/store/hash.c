/* hash.c - see hash.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/store/hash.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "transfer/error.h"

struct ExoHash
{
  gnutls_hash_hd_t handle; /* NULL once finished */
  guint n;                 /* bytes in the digest */
};

ExoHash *
exo_hash_new (ExoOidKind kind, guint64 size)
{
  ExoHash *hash = g_new0 (ExoHash, 1);
  gnutls_digest_algorithm_t algorithm = kind == EXO_OID_SHA1 ? GNUTLS_DIG_SHA1 : GNUTLS_DIG_SHA256;

  g_assert (kind != EXO_OID_NONE);
  hash->n = gnutls_hash_get_len (algorithm);
  if (gnutls_hash_init (&hash->handle, algorithm) < 0)
    g_error ("GnuTLS has no %s", gnutls_digest_get_name (algorithm));
  if (kind == EXO_OID_SHA1)
    {
      char prefix[32]; /* "blob " + 20 digits + NUL */
      int n = g_snprintf (prefix, sizeof prefix, "blob %" G_GUINT64_FORMAT, size);

      exo_hash_update (hash, prefix, (gsize) n + 1);
    }
  return hash;
}

void
exo_hash_free (ExoHash *hash)
{
  if (hash == NULL)
    return;
  if (hash->handle != NULL)
    gnutls_hash_deinit (hash->handle, NULL);
  g_free (hash);
}

void
exo_hash_update (ExoHash *hash, const void *data, gsize n)
{
  if (n > 0)
    gnutls_hash (hash->handle, data, n);
}

static void
finish_raw (ExoHash *hash, guint8 *out_digest)
{
  gnutls_hash_deinit (g_steal_pointer (&hash->handle), out_digest);
}

char *
exo_hash_finish (ExoHash *hash)
{
  static const char digits[] = "0123456789abcdef";
  guint8 digest[EXO_HASH_SHA256_BYTES];
  char *hex = g_malloc (2 * hash->n + 1);

  finish_raw (hash, digest);
  for (guint i = 0; i < hash->n; i++)
    {
      hex[2 * i] = digits[digest[i] >> 4];
      hex[2 * i + 1] = digits[digest[i] & 15];
    }
  hex[2 * hash->n] = '\0';
  return hex;
}

char *
exo_hash_bytes (ExoOidKind kind, const void *data, gsize n)
{
  g_autoptr (ExoHash) hash = exo_hash_new (kind, n);

  exo_hash_update (hash, data, n);
  return exo_hash_finish (hash);
}

gboolean
exo_hash_range (ExoHash *hash,
                int fd,
                guint64 first,
                guint64 n,
                const gint *stop,
                GCancellable *cancellable,
                GError **error)
{
  g_autofree guint8 *block = g_malloc ((gsize) MIN (n, EXO_HASH_BLOCK) + 1);

  while (n > 0)
    {
      gssize got = pread (fd, block, (gsize) MIN (n, EXO_HASH_BLOCK), (off_t) first);

      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0)
        {
          int saved = errno;

          g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DISK,
                       _ ("cannot read at byte %" PRIu64 ": %s"), first,
                       got < 0 ? g_strerror (saved) : _ ("the file ends there"));
          return FALSE;
        }
      exo_hash_update (hash, block, (gsize) got);
      first += (guint64) got;
      n -= (guint64) got;
      if ((stop != NULL && g_atomic_int_get (stop) != 0) ||
          g_cancellable_is_cancelled (cancellable))
        {
          g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED,
                       "hashing was stopped");
          return FALSE;
        }
    }
  return TRUE;
}

char *
exo_hash_fd (ExoOidKind kind,
             int fd,
             guint64 size,
             const gint *stop,
             GCancellable *cancellable,
             GError **error)
{
  g_autoptr (ExoHash) hash = exo_hash_new (kind, size);

  if (!exo_hash_range (hash, fd, 0, size, stop, cancellable, error))
    return NULL;
  return exo_hash_finish (hash);
}

gboolean
exo_hash_digest (int fd,
                 guint64 first,
                 guint64 n,
                 const gint *stop,
                 guint8 *out_digest,
                 GError **error)
{
  g_autoptr (ExoHash) hash = exo_hash_new (EXO_OID_SHA256, n);

  if (!exo_hash_range (hash, fd, first, n, stop, NULL, error))
    return FALSE;
  finish_raw (hash, out_digest);
  return TRUE;
}
