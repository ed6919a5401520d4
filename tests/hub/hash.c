/* hash.c - the names that a Hub gives to bytes
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/hub/hash.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <gnutls/crypto.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (256 * 1024)

static char *
to_hex (const guint8 *bytes, gsize n_bytes)
{
  GString *hex = g_string_sized_new (2 * n_bytes);

  for (gsize i = 0; i < n_bytes; i++)
    g_string_append_printf (hex, "%02x", bytes[i]);
  return g_string_free (hex, FALSE);
}

static gboolean
hash_contents (gnutls_hash_hd_t hash, int fd, guint64 size, GError **error)
{
  g_autofree char *buffer = g_malloc (READ_BYTES);
  guint64 done = 0;

  while (done < size)
    {
      gssize n = read (fd, buffer, (gsize) MIN (READ_BYTES, size - done));

      if (n <= 0)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "short read at %" G_GUINT64_FORMAT,
                       done);
          return FALSE;
        }
      gnutls_hash (hash, buffer, (gsize) n);
      done += (guint64) n;
    }
  return TRUE;
}

char *
hub_hash_file (const char *path, guint64 size, gboolean lfs, GError **error)
{
  gnutls_digest_algorithm_t algorithm = lfs ? GNUTLS_DIG_SHA256 : GNUTLS_DIG_SHA1;
  guint8 digest[32];
  gnutls_hash_hd_t hash;
  gboolean ok;
  int fd = g_open (path, O_RDONLY | O_CLOEXEC);

  if (fd < 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: cannot be opened", path);
      return NULL;
    }
  gnutls_hash_init (&hash, algorithm);
  if (!lfs)
    {
      g_autofree char *header = g_strdup_printf ("blob %" G_GUINT64_FORMAT, size);
      gnutls_hash (hash, header, strlen (header) + 1); /* git hashes the NUL too */
    }
  ok = hash_contents (hash, fd, size, error);
  gnutls_hash_deinit (hash, digest);
  close (fd);
  if (!ok)
    {
      g_prefix_error (error, "%s: ", path);
      return NULL;
    }
  return to_hex (digest, gnutls_hash_get_len (algorithm));
}

char *
hub_pointer_text (const char *sha256, guint64 size)
{
  return g_strdup_printf (
      "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %" G_GUINT64_FORMAT "\n",
      sha256, size);
}

char *
hub_git_blob_sha1 (const char *text)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA1);
  g_autofree char *header = g_strdup_printf ("blob %zu", strlen (text));

  g_checksum_update (sum, (const guchar *) header, (gssize) strlen (header) + 1);
  g_checksum_update (sum, (const guchar *) text, (gssize) strlen (text));
  return g_strdup (g_checksum_get_string (sum));
}

char *
hub_xet_hash (const char *sha256)
{
  g_autofree char *text = g_strconcat ("xet ", sha256, NULL);

  return g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
}
