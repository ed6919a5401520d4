/* test-hash.c - the hashes that name blobs
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Known answers from hub-protocol.md 4 and FIPS 180-4.
 */

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/suite.h"
#include "transfer/error.h"
#include "transfer/store/hash.h"
#include "transfer/store/layout.h"

static void
known_answers_are_found (void)
{
  const struct
  {
    ExoOidKind kind;
    const char *bytes, *oid;
  } rows[] = {
    { EXO_OID_SHA1, "", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" },
    { EXO_OID_SHA1, "hello\n", "ce013625030ba8dba906f756967f9e9ca394464a" },
    { EXO_OID_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { EXO_OID_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *oid = exo_hash_bytes (rows[i].kind, rows[i].bytes, strlen (rows[i].bytes));

      CU_ASSERT_STRING_EQUAL (oid, rows[i].oid);
    }
}

static void
lfs_pointer_has_its_known_name (void)
{
  g_autofree char *pointer = exo_layout_lfs_pointer (
      "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707", 548105171);
  g_autofree char *oid = exo_hash_bytes (EXO_OID_SHA1, pointer, strlen (pointer));

  CU_ASSERT_EQUAL (strlen (pointer), 134);
  CU_ASSERT_STRING_EQUAL (oid, "44b36d6e32d13c8fb28b0feab0ac8bfefa7efeda");
}

static void
parts_of_a_file_hash_as_the_whole (void)
{
  g_autofree char *path = NULL;
  g_autofree guint8 *bytes = g_malloc (3 * EXO_HASH_BLOCK + 7);
  gsize n = 3 * EXO_HASH_BLOCK + 7;
  int fd = g_file_open_tmp ("exo-hash-XXXXXX", &path, NULL);
  g_autoptr (ExoHash) hash = exo_hash_new (EXO_OID_SHA1, n);
  g_autofree char *whole = NULL, *parts = NULL, *of_fd = NULL;
  g_autoptr (GError) error = NULL;
  guint8 digest[EXO_HASH_SHA256_BYTES];
  gint stop = 1;

  for (gsize i = 0; i < n; i++)
    bytes[i] = (guint8) (i * 31 + (i >> 11));
  CU_ASSERT_EQUAL_FATAL (write (fd, bytes, n), (gssize) n);
  whole = exo_hash_bytes (EXO_OID_SHA1, bytes, n);
  CU_ASSERT_TRUE (exo_hash_range (hash, fd, 0, 5, NULL, NULL, NULL));
  CU_ASSERT_TRUE (exo_hash_range (hash, fd, 5, EXO_HASH_BLOCK, NULL, NULL, NULL));
  CU_ASSERT_TRUE (
      exo_hash_range (hash, fd, 5 + EXO_HASH_BLOCK, n - 5 - EXO_HASH_BLOCK, NULL, NULL, NULL));
  parts = exo_hash_finish (hash);
  of_fd = exo_hash_fd (EXO_OID_SHA1, fd, n, NULL, NULL, NULL);
  CU_ASSERT_STRING_EQUAL (parts, whole);
  CU_ASSERT_STRING_EQUAL (of_fd, whole);

  CU_ASSERT_FALSE (exo_hash_digest (fd, 0, n + 1, NULL, digest, &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DISK));
  g_clear_error (&error);
  CU_ASSERT_PTR_NULL (exo_hash_fd (EXO_OID_SHA1, fd, n, &stop, NULL, &error));
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED));
  close (fd);
  g_unlink (path);
}

EXO_SUITE ("hash",
           TEST (known_answers_are_found),
           TEST (lfs_pointer_has_its_known_name),
           TEST (parts_of_a_file_hash_as_the_whole))
