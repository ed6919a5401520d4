/* test-txt.c - the TXT record of _exo-agent._tcp
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "discovery/txt.h"
#include "tests/unit/suite.h"

#define ID "0123456789abcdef0123456789abcdef"

/* The wire form of NULL-terminated strings. */
static GByteArray *
encode (const char *const *strings)
{
  GByteArray *record = g_byte_array_new ();

  for (; *strings != NULL; strings++)
    {
      guint8 length = (guint8) strlen (*strings);

      g_byte_array_append (record, &length, 1);
      g_byte_array_append (record, (const guint8 *) *strings, length);
    }
  return record;
}

/* The error code, or -1 if it was accepted. */
static int
parse (const char *const *strings, ExoTxt *out_txt)
{
  g_autoptr (GByteArray) record = encode (strings);
  g_autoptr (GError) error = NULL;

  return exo_txt_parse (record->data, record->len, out_txt, &error) ? -1 : error->code;
}

static void
what_is_made_is_understood (void)
{
  g_auto (GStrv) strings = exo_txt_make (ID);
  ExoTxt txt = { "" };

  CU_ASSERT_EQUAL (parse ((const char *const *) strings, &txt), -1);
  CU_ASSERT_STRING_EQUAL (txt.id, ID);
}

static void
keys_are_without_case_and_the_first_counts (void)
{
  const char *strings[] = { "x",      "=y",        "ID=" ID, "id=ffffffffffffffffffffffffffffffff",
                            "idx=no", "\xff\xfe=", "V=1",    "v=2",
                            NULL };
  ExoTxt txt = { "" };

  CU_ASSERT_EQUAL (parse (strings, &txt), -1);
  CU_ASSERT_STRING_EQUAL (txt.id, ID);
}

static void
anything_else_is_refused (void)
{
  const char *const rows[][4] = {
    { NULL },
    { "", NULL },
    { "v=1", NULL },
    { "id=" ID, NULL },
    { "v=1", "id", NULL },
    { "v=1", "id=", NULL },
    { "v=1", "id=" ID "0", NULL },
    { "v=1", "id=0123456789abcdef0123456789abcde", NULL },
    { "v=1", "id=0123456789ABCDEF0123456789ABCDEF", NULL },
    { "v=1", "id=0123456789abcdef0123456789abcd\xc3\xa9", NULL },
    { "v=1", "id=../../../../../../../../../../..", NULL },
    { "v=2", "id=" ID, NULL },
    { "v=10", "id=" ID, NULL },
    { "v=", "id=" ID, NULL },
    { "v", "id=" ID, NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      ExoTxt txt = { "untouched" };

      CU_ASSERT_NOT_EQUAL (parse (rows[i], &txt), -1);
      CU_ASSERT_STRING_EQUAL (txt.id, "untouched");
    }
  CU_ASSERT_EQUAL (parse (rows[11], &(ExoTxt){ "" }), G_IO_ERROR_NOT_SUPPORTED);
}

static void
a_zero_byte_does_not_end_the_id (void)
{
  guint8 record[] = "\x03v=1\x23id=0123456789abcdef\0"
                    "123456789abcdef";
  ExoTxt txt;

  CU_ASSERT_FALSE (exo_txt_parse (record, sizeof record - 1, &txt, NULL));
}

static void
a_string_cut_short_is_refused (void)
{
  g_auto (GStrv) strings = exo_txt_make (ID);
  g_autoptr (GByteArray) record = encode ((const char *const *) strings);
  ExoTxt txt;

  for (guint size = 0; size < record->len; size++)
    {
      g_autofree guint8 *exact = g_memdup2 (record->data, size); /* so that reading past it shows */

      CU_ASSERT_FALSE (exo_txt_parse (exact, size, &txt, NULL));
    }
}

static void
too_many_strings_are_refused (void)
{
  const char *strings[EXO_TXT_STRINGS_MAX + 2] = { "v=1", "id=" ID };
  ExoTxt txt;

  for (guint i = 2; i < EXO_TXT_STRINGS_MAX; i++)
    strings[i] = "x";
  CU_ASSERT_EQUAL (parse (strings, &txt), -1);
  strings[EXO_TXT_STRINGS_MAX] = "x";
  CU_ASSERT_EQUAL (parse (strings, &txt), G_IO_ERROR_INVALID_DATA);
}

static void
too_many_bytes_are_refused (void)
{
  g_auto (GStrv) strings = exo_txt_make (ID);
  g_autoptr (GByteArray) record = encode ((const char *const *) strings);
  guint8 filler[256] = { 255 };
  ExoTxt txt;

  while (record->len + sizeof filler <= EXO_TXT_BYTES_MAX)
    g_byte_array_append (record, filler, sizeof filler);
  filler[0] = (guint8) (EXO_TXT_BYTES_MAX - record->len - 1);
  g_byte_array_append (record, filler, EXO_TXT_BYTES_MAX - record->len);
  CU_ASSERT_TRUE (exo_txt_parse (record->data, record->len, &txt, NULL));
  filler[0] = 0;
  g_byte_array_append (record, filler, 1);
  CU_ASSERT_FALSE (exo_txt_parse (record->data, record->len, &txt, NULL));
}

EXO_SUITE ("txt",
           TEST (what_is_made_is_understood),
           TEST (keys_are_without_case_and_the_first_counts),
           TEST (anything_else_is_refused),
           TEST (a_zero_byte_does_not_end_the_id),
           TEST (a_string_cut_short_is_refused),
           TEST (too_many_strings_are_refused),
           TEST (too_many_bytes_are_refused))
