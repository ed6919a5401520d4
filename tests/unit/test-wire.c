/* test-wire.c - the words neighbours exchange
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/suite.h"
#include "transfer/error.h"
#include "transfer/swarm/wire-private.h"

#define ID    "00112233445566778899aabbccddeeff"
#define OID_A "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
#define OID_B "b3d0a1f7938cd4d8413a4dcffd4313e2e8ac0cb61cb1090eb140ea8e9154befb"
#define MIB   (1024u * 1024u)

/* 40 pieces of 256 KiB; none; 1,280 pieces of 4 MiB, past 4 GiB */
static const guint64 sizes[] = { 10 * MIB, 0, G_GUINT64_CONSTANT (5) << 30 };

static ExoWireLine *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  ExoWireLine *line =
      exo_wire_line_parse (text, strlen (text), sizes, G_N_ELEMENTS (sizes), &error);

  CU_ASSERT_TRUE ((line == NULL) == (error != NULL));
  if (error != NULL)
    printf ("\n    %s: %s\n", text, error->message);
  return line;
}

static gboolean
refused (const char *text, gsize length, int code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoWireLine) line =
      exo_wire_line_parse (text, length, sizes, G_N_ELEMENTS (sizes), &error);

  return line == NULL && g_error_matches (error, EXO_TRANSFER_ERROR, code);
}

static gboolean
range_is (GArray *ranges, guint i, guint32 b, guint32 first, guint32 n)
{
  const ExoWireRange *r = &g_array_index (ranges, ExoWireRange, i);

  return i < ranges->len && r->b == b && r->first == first && r->n == n;
}

static void
node_ids_are_32_lower_case_digits (void)
{
  CU_ASSERT_TRUE (exo_node_id_check (ID));
  CU_ASSERT_FALSE (exo_node_id_check (NULL));
  CU_ASSERT_FALSE (exo_node_id_check (""));
  CU_ASSERT_FALSE (exo_node_id_check (ID "0"));
  CU_ASSERT_FALSE (exo_node_id_check ("00112233445566778899AABBCCDDEEFF"));
  CU_ASSERT_FALSE (exo_node_id_check ("00112233445566778899aabbccddeef"));
}

static void
an_event_line_gives_its_lists (void)
{
  g_autoptr (ExoWireLine) line = parse (
      "{\"have\":[[0,17,1],[2,1279,1]],\"drop\":[[0,1,2]],\"fetch\":[[0,39,1]],"
      "\"claim\":[[0,0,40]],\"release\":[[2,0,1280]],\"wants\":[[1,true],[2,false]],"
      "\"hub\":true,\"hub_rate\":125000000,\"load\":[2,3],\"link\":[125000000,98765432101],\"later\":{\"x\":[null,-1.5e3]}}");

  CU_ASSERT_PTR_NOT_NULL_FATAL (line);
  CU_ASSERT_PTR_NULL (line->hello);
  CU_ASSERT_TRUE (range_is (line->have, 0, 0, 17, 1) && range_is (line->have, 1, 2, 1279, 1));
  CU_ASSERT_TRUE (range_is (line->drop, 0, 0, 1, 2) && range_is (line->fetch, 0, 0, 39, 1));
  CU_ASSERT_TRUE (range_is (line->claim, 0, 0, 0, 40) && range_is (line->release, 0, 2, 0, 1280));
  CU_ASSERT_EQUAL (g_array_index (line->wants_on, guint32, 0), 1);
  CU_ASSERT_EQUAL (g_array_index (line->wants_off, guint32, 0), 2);
  CU_ASSERT_TRUE (line->has_hub && line->hub && line->hub_rate == 125000000);
  CU_ASSERT_TRUE (line->has_load && line->uploads == 2 && line->queued == 3);
  CU_ASSERT_TRUE (line->has_link && line->link.speed == 125000000);
  CU_ASSERT_EQUAL (line->link.rate, 98765432101);
}

/* Lines of just the form that a builder gives need no general parser; all others do, and mean there what they say. */
static void
lines_of_events_are_read_without_a_tree (void)
{
  static const struct
  {
    const char *text;
    gboolean simple, right;
  } rows[] = {
    { "{}", TRUE, TRUE },
    { "{\"have\":[[0,17,1]]}", TRUE, TRUE },
    { "{\"load\":[12,3],\"have\":[[0,17,1],[2,1279,1]],\"fetch\":[[0,39,1]]}", TRUE, TRUE },
    { "{\"claim\":[[2,0,1280]],\"release\":[[0,0,40]],\"drop\":[[0,0,1]],\"link\":[1,2]}", TRUE,
      TRUE },
    { "{\"have\":[[0,0,41]]}", FALSE, FALSE },
    { "{\"have\":[[0,40,1]]}", FALSE, FALSE },
    { "{\"have\":[[1,0,1]]}", FALSE, FALSE },
    { "{\"have\":[[3,0,1]]}", FALSE, FALSE },
    { "{\"have\":[[0,0,0]]}", FALSE, FALSE },
    { "{\"have\":[[0,01,1]]}", FALSE, FALSE },
    { "{\"have\":[[0,-1,1]]}", FALSE, FALSE },
    { "{\"have\":[[0,1.0,1]]}", FALSE, FALSE },
    { "{\"have\":[[0,1]]}", FALSE, FALSE },
    { "{\"have\":[[0,1,1,1]]}", FALSE, FALSE },
    { "{\"have\":[[0,1,1]],}", FALSE, FALSE },
    { "{\"have\":[[0,1,1]]", FALSE, FALSE },
    { "{\"have\":[[0,1,1]]}}", FALSE, FALSE },
    { "{\"have\":[[0,1,9999999999999999999]]}", FALSE, FALSE },
    { "{\"load\":[2147483648,0]}", FALSE, FALSE },
    { "{\"have\": [[0,17,1]]}", FALSE, TRUE },
    { "{\"have\":[]}", FALSE, TRUE },
    { "{\"have\":[[0,1,1]],\"have\":[[0,2,1]]}", FALSE, TRUE },
    { "{\"hub\":true}", FALSE, TRUE },
    { "{\"wants\":[[0,true]]}", FALSE, TRUE },
    { "{\"later\":[[0,1,1]]}", FALSE, TRUE },
    { "{\"releases\":[[0,1,1]]}", FALSE, TRUE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      gsize length = strlen (rows[i].text);
      g_autoptr (ExoWireLine) known = parse ("{}");
      g_autoptr (ExoWireLine) line =
          exo_wire_line_parse (rows[i].text, length, sizes, G_N_ELEMENTS (sizes), NULL);
      g_autoptr (ExoWireLine) general =
          exo_wire_line_parse_any (rows[i].text, length, sizes, G_N_ELEMENTS (sizes), NULL);

      CU_ASSERT_EQUAL (
          exo_wire_events_read (rows[i].text, length, sizes, G_N_ELEMENTS (sizes), known),
          rows[i].simple);
      CU_ASSERT_EQUAL (line != NULL, rows[i].right);
      CU_ASSERT_EQUAL (general != NULL, rows[i].right);
      if (line != NULL && general != NULL)
        {
          CU_ASSERT_EQUAL (line->have->len, general->have->len);
          CU_ASSERT_EQUAL (line->has_load, general->has_load);
          CU_ASSERT_EQUAL (line->queued, general->queued);
          CU_ASSERT_EQUAL (line->link.rate, general->link.rate);
        }
    }
}

static void
a_heartbeat_says_nothing (void)
{
  g_autoptr (ExoWireLine) line = parse ("{}");

  CU_ASSERT_PTR_NOT_NULL_FATAL (line);
  CU_ASSERT_TRUE (line->hello == NULL && line->states->len == 0 && line->have->len == 0);
  CU_ASSERT_FALSE (line->has_hub || line->has_load || line->has_link);
}

static void
a_state_gives_map_claims_and_fetches (void)
{
  g_autoptr (ExoWireLine) line = parse (
      "{\"state\":[{\"b\":0,\"wants\":true,\"have\":\"wAAAAAE=\",\"claim\":[[5,4]],"
      "\"fetch\":[[2,1]]},{\"b\":1,\"have\":\"\"},{\"b\":2,\"wants\":false,\"have\":\"all\"}]}");
  const ExoWireState *state;

  CU_ASSERT_PTR_NOT_NULL_FATAL (line);
  CU_ASSERT_EQUAL_FATAL (line->states->len, 3);
  state = &g_array_index (line->states, ExoWireState, 0);
  CU_ASSERT_TRUE (state->wants && exo_piece_map_n_held (state->have) == 3);
  CU_ASSERT_TRUE (exo_piece_map_has (state->have, 1) && exo_piece_map_has (state->have, 39));
  CU_ASSERT_TRUE (range_is (line->claim, 0, 0, 5, 4) && range_is (line->fetch, 0, 0, 2, 1));
  CU_ASSERT_FALSE (g_array_index (line->states, ExoWireState, 1).wants);
  state = &g_array_index (line->states, ExoWireState, 2);
  CU_ASSERT_TRUE (exo_piece_map_is_full (state->have) && !state->wants);
}

static void
malformed_lines_are_refused (void)
{
  static const char *const wrong[] = {
    /* not JSON, or JSON only json-glib takes */
    "",
    " ",
    "1",
    "[]",
    "null",
    "{",
    "}",
    "{]",
    "{\"a\":1",
    "{}{}",
    "{\"a\":1,}",
    "{'a':1}",
    "/**/{}",
    "var x = {};",
    "{\"a\":017}",
    "{\"a\":0x1}",
    "{\"a\":\"\\u12\"}",
    "{\"a\":\"\\uzzzz\"}",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\u0000\"}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\n\"}",
    "{\"a\":\"",
    "{\"a\":\"\\",
    "\"",
    "{\"a\":\"\xff\"}",
    "{\"a\":1234567890123456789}",
    "{\"a\":[[[[[[[[1]]]]]]]]}",
    /* wrong types */
    "{\"have\":1}",
    "{\"have\":null}",
    "{\"have\":{}}",
    "{\"have\":[1]}",
    "{\"have\":[[0,1]]}",
    "{\"have\":[[0,1,1,1]]}",
    "{\"have\":[[\"0\",1,1]]}",
    "{\"have\":[[0,1.0,1]]}",
    "{\"have\":[[0,true,1]]}",
    "{\"have\":[[0,1e0,1]]}",
    "{\"have\":[[0,1,null]]}",
    "{\"hub\":1}",
    "{\"hub\":\"true\"}",
    "{\"hub_rate\":-1}",
    "{\"hub_rate\":1.5}",
    "{\"load\":[1]}",
    "{\"load\":[1,2,3]}",
    "{\"load\":[-1,0]}",
    "{\"load\":[0,4294967296]}",
    "{\"link\":1}",
    "{\"link\":[1]}",
    "{\"link\":[1,2,3]}",
    "{\"link\":[0,-1]}",
    "{\"link\":[0.5,0]}",
    "{\"link\":[1,null]}",
    "{\"wants\":[[0,1]]}",
    "{\"wants\":[[3,true]]}",
    "{\"wants\":[0]}",
    /* outside the blobs: 40, 0 and 1280 pieces */
    "{\"have\":[[3,0,1]]}",
    "{\"have\":[[-1,0,1]]}",
    "{\"have\":[[4294967296,0,1]]}",
    "{\"have\":[[0,40,1]]}",
    "{\"have\":[[0,0,41]]}",
    "{\"have\":[[0,39,2]]}",
    "{\"have\":[[0,0,0]]}",
    "{\"have\":[[0,-1,2]]}",
    "{\"have\":[[1,0,1]]}",
    "{\"have\":[[2,1280,1]]}",
    "{\"have\":[[0,1,4294967295]]}",
    "{\"have\":[[0,4294967295,2]]}",
    "{\"have\":[[0,999999999999999999,999999999999999999]]}",
    "{\"drop\":[[0,40,1]]}",
    "{\"fetch\":[[0,40,1]]}",
    "{\"claim\":[[0,40,1]]}",
    "{\"release\":[[0,40,1]]}",
    /* states */
    "{\"state\":{}}",
    "{\"state\":[0]}",
    "{\"state\":[{}]}",
    "{\"state\":[{\"b\":3}]}",
    "{\"state\":[{\"b\":0,\"have\":1}]}",
    "{\"state\":[{\"b\":0,\"have\":\"wAAAAA==\"}]}",
    "{\"state\":[{\"b\":0,\"have\":\"wAAAAAAA\"}]}",
    "{\"state\":[{\"b\":0,\"have\":\"****AAA=\"}]}",
    "{\"state\":[{\"b\":0,\"have\":\"All\"}]}",
    "{\"state\":[{\"b\":0},{\"b\":0}]}",
    "{\"state\":[{\"b\":0,\"claim\":[[40,1]]}]}",
    "{\"state\":[{\"b\":0,\"fetch\":[[0,0,1]]}]}",
    "{\"state\":[{\"b\":0,\"wants\":0}]}",
    "{\"state\":[{\"b\":1,\"have\":\"AA==\"}]}",
    /* hellos */
    "{\"id\":\"" ID "\"}",
    "{\"v\":1,\"id\":\"x\"}",
    "{\"v\":1,\"id\":1}",
    "{\"v\":\"1\",\"id\":\"" ID "\"}",
    "{\"v\":1,\"id\":\"" ID "\",\"name\":1}",
    "{\"v\":1,\"id\":\"" ID "\",\"port\":65536}",
    "{\"v\":1,\"id\":\"" ID "\",\"hub\":0}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      gboolean ok = refused (wrong[i], strlen (wrong[i]), EXO_TRANSFER_ERROR_INVALID);

      if (!ok)
        printf ("\n    taken: %s\n", wrong[i]);
      CU_ASSERT_TRUE (ok);
    }
  CU_ASSERT_TRUE (refused ("{\"a\":\"\0\"}", 9, EXO_TRANSFER_ERROR_INVALID));
  CU_ASSERT_TRUE (refused ("{}\0", 3, EXO_TRANSFER_ERROR_INVALID));
}

static void
depth_and_digits_up_to_the_limit_are_taken (void)
{
  g_autoptr (ExoWireLine) deep = parse ("{\"a\":[[[[[[[1]]]]]]]}");
  g_autoptr (ExoWireLine) numbers = parse (
      "{\"hub\":false,\"hub_rate\":999999999999999999,\"a\":[0,0.05,10,\"\\ud83d\\ude00\"]}");

  CU_ASSERT_PTR_NOT_NULL (deep);
  CU_ASSERT_PTR_NOT_NULL_FATAL (numbers);
  CU_ASSERT_EQUAL (numbers->hub_rate, EXO_WIRE_RATE_MAX);
}

static void
lines_and_lists_past_their_limits_are_too_large (void)
{
  g_autofree char *line = g_strnfill (EXO_WIRE_LINE_MAX + 1, ' ');
  GString *list = g_string_new ("{\"have\":[[0,0,1]");

  memcpy (line, "{}", 2);
  CU_ASSERT_TRUE (refused (line, EXO_WIRE_LINE_MAX + 1, EXO_TRANSFER_ERROR_TOO_LARGE));
  CU_ASSERT_FALSE (refused (line, EXO_WIRE_LINE_MAX, EXO_TRANSFER_ERROR_TOO_LARGE));
  for (guint i = 1; i < EXO_WIRE_RANGES_MAX; i++)
    g_string_append (list, ",[0,0,1]");
  g_string_append (list, "]}");
  CU_ASSERT_FALSE (refused (list->str, list->len, EXO_TRANSFER_ERROR_TOO_LARGE));
  g_string_truncate (list, list->len - 2);
  g_string_append (list, ",[0,0,1]]}");
  CU_ASSERT_TRUE (refused (list->str, list->len, EXO_TRANSFER_ERROR_TOO_LARGE));
  g_string_free (list, TRUE);
}

static ExoWireHello *
example_hello (void)
{
  ExoWireHello *hello = g_new0 (ExoWireHello, 1);

  memcpy (hello->id, ID, sizeof hello->id);
  hello->name = g_strdup ("k\"i\\t\n\342\200\256chen");
  hello->port = 52418;
  hello->hub = TRUE;
  hello->hub_rate = 12345678901;
  hello->link = (ExoWireLink){ 1250000000, G_MAXUINT64 };
  return hello;
}

static void
a_subscription_comes_back_as_it_was_sent (void)
{
  g_autoptr (ExoWireHello) hello = example_hello ();
  ExoWireBlob blobs[] = { { (char *) OID_A, 0 }, { (char *) OID_B, EXO_BLOB_SIZE_MAX } };
  g_autoptr (ExoWireHello) back = NULL;
  g_autofree char *text = NULL;

  hello->blobs = g_array_new (FALSE, FALSE, sizeof (ExoWireBlob));
  g_array_append_vals (hello->blobs, blobs, 2);
  text = exo_wire_subscribe_to_json (hello);
  back = exo_wire_subscribe_parse (text, strlen (text), NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (back);
  CU_ASSERT_STRING_EQUAL (back->id, ID);
  CU_ASSERT_STRING_EQUAL (back->name, "k\"i\\tchen");
  CU_ASSERT_TRUE (back->port == 52418 && back->hub && back->hub_rate == 12345678901);
  CU_ASSERT_EQUAL (back->link.speed, 1250000000);
  CU_ASSERT_EQUAL (back->link.rate, EXO_WIRE_RATE_MAX);
  CU_ASSERT_EQUAL_FATAL (back->blobs->len, 2);
  CU_ASSERT_STRING_EQUAL (g_array_index (back->blobs, ExoWireBlob, 1).oid, OID_B);
  CU_ASSERT_EQUAL (g_array_index (back->blobs, ExoWireBlob, 1).size, EXO_BLOB_SIZE_MAX);
}

static void
a_hello_comes_back_as_it_was_sent (void)
{
  g_autoptr (ExoWireHello) hello = example_hello ();
  g_autofree char *text = exo_wire_hello_to_json (hello);
  g_autoptr (ExoWireLine) line = parse (text);

  CU_ASSERT_PTR_NOT_NULL_FATAL (line);
  CU_ASSERT_PTR_NOT_NULL_FATAL (line->hello);
  CU_ASSERT_STRING_EQUAL (line->hello->id, ID);
  CU_ASSERT_TRUE (line->hello->hub && line->hello->hub_rate == 12345678901);
  CU_ASSERT_EQUAL (line->hello->link.speed, 1250000000);
}

static void
the_addresses_of_a_hello_come_back_as_they_were_sent (void)
{
  g_autoptr (ExoWireHello) hello = example_hello ();
  ExoWireAddress addresses[] = { { g_strdup ("10.0.0.1:52418"), 125000000 },
                                 { g_strdup ("[fe80::1]:52418"), G_MAXUINT64 } };
  g_autofree char *unsaid_text = exo_wire_hello_to_json (hello), *none_text = NULL, *text = NULL;
  g_autoptr (ExoWireLine) unsaid = parse (unsaid_text), none = NULL, line = NULL;
  const ExoWireAddress *back;

  hello->addresses = exo_wire_addresses_new ();
  none_text = exo_wire_hello_to_json (hello);
  g_array_append_vals (hello->addresses, addresses, 2);
  text = exo_wire_hello_to_json (hello);
  none = parse (none_text);
  line = parse (text);
  CU_ASSERT_PTR_NULL (unsaid->hello->addresses);
  CU_ASSERT_EQUAL (none->hello->addresses->len, 0);
  CU_ASSERT_EQUAL_FATAL (line->hello->addresses->len, 2);
  back = &g_array_index (line->hello->addresses, ExoWireAddress, 0);
  CU_ASSERT_STRING_EQUAL (back[0].text, "10.0.0.1:52418");
  CU_ASSERT_EQUAL (back[0].speed, 125000000);
  CU_ASSERT_STRING_EQUAL (back[1].text, "[fe80::1]:52418");
  CU_ASSERT_EQUAL (back[1].speed, EXO_WIRE_RATE_MAX);
}

/* A hello with this member, and whether it is one */
static gboolean
hello_with (const char *addresses)
{
  g_autofree char *text =
      g_strdup_printf ("{\"v\":1,\"id\":\"" ID "\",\"addresses\":%s}", addresses);
  g_autoptr (ExoWireLine) line = parse (text);

  return line != NULL;
}

static void
malformed_addresses_are_refused (void)
{
  static const char *const wrong[] = { "{}",           "\"10.0.0.1:1\"", "[\"10.0.0.1:1\"]",
                                       "[[1,2]]",      "[[\"a\"]]",      "[[\"a\",1,2]]",
                                       "[[\"a\",-1]]", "[[\"a\",\"b\"]]" };
  g_autoptr (GString) list = g_string_new ("[");

  CU_ASSERT_TRUE (hello_with ("[[\"a\",1]]"));
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    CU_ASSERT_FALSE (hello_with (wrong[i]));
  for (guint i = 0; i < EXO_WIRE_ADDRESSES_MAX; i++)
    g_string_append (list, "[\"a\",1],");
  g_string_append (list, "[\"a\",1]]");
  CU_ASSERT_FALSE (hello_with (list->str));
  g_string_truncate (list, list->len - strlen (",[\"a\",1]]"));
  g_string_append_c (list, ']');
  CU_ASSERT_TRUE (hello_with (list->str));
}

static void
malformed_subscriptions_are_refused (void)
{
  static const char *const wrong[] = {
    "{}",
    "{\"v\":1,\"id\":\"" ID "\"}",
    "{\"v\":1,\"id\":\"" ID "\",\"oids\":{}}",
    "{\"v\":1,\"id\":\"" ID "\",\"oids\":[\"" OID_A "\"]}",
    "{\"v\":1,\"id\":\"" ID "\",\"oids\":[[\"" OID_A "\"]]}",
    "{\"v\":1,\"id\":\"" ID "\",\"oids\":[[\"../../etc/passwd\",1]]}",
    "{\"v\":1,\"id\":\"" ID "\",\"oids\":[[\"" OID_A "\",-1]]}",
    "{\"v\":1,\"id\":\"" ID "\",\"oids\":[[\"" OID_A "\",4398046511105]]}",
    "{\"v\":1,\"id\":\"" ID "\",\"oids\":[[\"" OID_A "\",1],[\"" OID_A "\",1]]}",
    "{\"v\":1,\"oids\":[]}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (ExoWireHello) hello =
          exo_wire_subscribe_parse (wrong[i], strlen (wrong[i]), &error);

      CU_ASSERT_PTR_NULL (hello);
      CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID));
    }
}

static void
another_version_is_refused_naming_both (void)
{
  static const char text[] = "{\"v\":7,\"id\":\"" ID "\",\"oids\":[]}";
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoWireHello) hello = exo_wire_subscribe_parse (text, strlen (text), &error);

  CU_ASSERT_PTR_NULL (hello);
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID));
  CU_ASSERT_PTR_NOT_NULL (strstr (error->message, "version 7"));
  CU_ASSERT_PTR_NOT_NULL (strstr (error->message, "version 1"));
}

static void
oids_up_to_the_limit_are_taken (void)
{
  GString *text = g_string_new ("{\"v\":1,\"id\":\"" ID "\",\"oids\":[");
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoWireHello) full = NULL, over = NULL;

  for (guint i = 0; i < EXO_WIRE_OIDS_MAX; i++)
    g_string_append_printf (text, "%s[\"%040x\",1]", i > 0 ? "," : "", i);
  g_string_append (text, "]}");
  full = exo_wire_subscribe_parse (text->str, text->len, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (full);
  CU_ASSERT_EQUAL (full->blobs->len, EXO_WIRE_OIDS_MAX);
  g_string_truncate (text, text->len - 2);
  g_string_append_printf (text, ",[\"%040x\",1]]}", EXO_WIRE_OIDS_MAX);
  over = exo_wire_subscribe_parse (text->str, text->len, &error);
  CU_ASSERT_PTR_NULL (over);
  CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_TOO_LARGE));
  g_string_free (text, TRUE);
}

static void
names_are_cleaned_and_cut_between_characters (void)
{
  char name[80];
  g_autofree char *text = NULL;
  g_autoptr (ExoWireLine) cut = NULL, empty = NULL;

  memset (name, 'a', sizeof name);
  memcpy (name + EXO_WIRE_NAME_MAX - 1, "\303\244",
          3); /* its second byte would be one past the limit */
  text = g_strdup_printf ("{\"v\":1,\"id\":\"" ID "\",\"name\":\"%s\"}", name);
  cut = parse (text);
  CU_ASSERT_PTR_NOT_NULL_FATAL (cut);
  CU_ASSERT_EQUAL (strlen (cut->hello->name), EXO_WIRE_NAME_MAX - 1);
  empty = parse ("{\"v\":1,\"id\":\"" ID "\",\"name\":\" \\u001b\\u202e \"}");
  CU_ASSERT_PTR_NOT_NULL_FATAL (empty);
  CU_ASSERT_STRING_EQUAL (empty->hello->name, "00112233");
}

static gboolean
takes (ExoWireBuilder *builder, const char *expected)
{
  g_autofree char *text = exo_wire_builder_take (builder);
  g_autoptr (ExoWireLine) line = parse (text);

  if (strcmp (text, expected) != 0)
    printf ("\n    %s\n    %s\n", text, expected);
  return strcmp (text, expected) == 0 && line != NULL && exo_wire_builder_is_empty (builder);
}

static void
a_builder_joins_ranges_and_is_empty_after_take (void)
{
  g_autoptr (ExoWireBuilder) builder = exo_wire_builder_new ();

  CU_ASSERT_TRUE (exo_wire_builder_is_empty (builder) && takes (builder, "{}"));
  exo_wire_builder_add (builder, EXO_WIRE_HAVE, 0, 17, 1);
  exo_wire_builder_add (builder, EXO_WIRE_HAVE, 0, 19, 1);
  exo_wire_builder_add (builder, EXO_WIRE_HAVE, 2, 0, 1);
  exo_wire_builder_add (builder, EXO_WIRE_HAVE, 0, 18, 1);
  exo_wire_builder_add (builder, EXO_WIRE_HAVE, 0, 5, 2);
  exo_wire_builder_add (builder, EXO_WIRE_FETCH, 0, 39, 1);
  exo_wire_builder_load (builder, 2, 0);
  exo_wire_builder_link (builder, &(ExoWireLink){ 5, 6 });
  exo_wire_builder_hub (builder, TRUE, 7);
  exo_wire_builder_wants (builder, 2, TRUE);
  exo_wire_builder_wants (builder, 2, FALSE);
  CU_ASSERT_FALSE (exo_wire_builder_is_empty (builder));
  CU_ASSERT_TRUE (takes (builder, "{\"hub\":true,\"hub_rate\":7,\"load\":[2,0],\"link\":[5,6],"
                                  "\"have\":[[0,5,2],[0,17,3],[2,0,1]],\"fetch\":[[0,39,1]],"
                                  "\"wants\":[[2,false]]}"));
}

static void
the_last_event_of_a_piece_wins (void)
{
  g_autoptr (ExoWireBuilder) builder = exo_wire_builder_new ();

  exo_wire_builder_add (builder, EXO_WIRE_CLAIM, 0, 0, 10);
  exo_wire_builder_add (builder, EXO_WIRE_HAVE, 0, 4, 1);
  exo_wire_builder_add (builder, EXO_WIRE_RELEASE, 0, 8, 2);
  CU_ASSERT_TRUE (
      takes (builder, "{\"release\":[[0,8,2]],\"have\":[[0,4,1]],\"claim\":[[0,0,4],[0,5,3]]}"));
  exo_wire_builder_add (builder, EXO_WIRE_RELEASE, 0, 0, 4);
  exo_wire_builder_add (builder, EXO_WIRE_CLAIM, 0, 0, 2);
  CU_ASSERT_TRUE (takes (builder, "{\"release\":[[0,0,4]],\"claim\":[[0,0,2]]}"));
  exo_wire_builder_add (builder, EXO_WIRE_HAVE, 0, 0, 4);
  exo_wire_builder_add (builder, EXO_WIRE_DROP, 0, 0, 4);
  CU_ASSERT_TRUE (takes (builder, "{\"drop\":[[0,0,4]]}"));
  exo_wire_builder_add (builder, EXO_WIRE_FETCH, 0, 0, 1);
  exo_wire_builder_add (builder, EXO_WIRE_CLAIM, 0, 0, 1);
  CU_ASSERT_TRUE (takes (builder, "{\"claim\":[[0,0,1]]}"));
  exo_wire_builder_add (builder, EXO_WIRE_FETCH, 0, 0, 1);
  exo_wire_builder_add (builder, EXO_WIRE_FETCH, 2, 0, 1);
  exo_wire_builder_add (builder, EXO_WIRE_HAVE, 0, 0, 1);
  CU_ASSERT_TRUE (takes (builder, "{\"have\":[[0,0,1]],\"fetch\":[[2,0,1]]}"));
}

static void
a_full_builder_takes_no_more (void)
{
  g_autoptr (ExoWireBuilder) builder = exo_wire_builder_new ();
  g_autoptr (ExoWireLine) line = NULL;
  g_autofree char *text = NULL;
  guint64 size = EXO_BLOB_SIZE_MAX;
  gsize rough;

  for (guint i = 0; i < EXO_WIRE_RANGES_MAX; i++)
    CU_ASSERT_TRUE (exo_wire_builder_add (builder, EXO_WIRE_HAVE, 0, 2 * i, 1));
  CU_ASSERT_FALSE (exo_wire_builder_add (builder, EXO_WIRE_HAVE, 0, EXO_PIECES_MAX - 1, 1));
  rough = exo_wire_builder_size (builder);
  text = exo_wire_builder_take (builder);
  CU_ASSERT_TRUE (strlen (text) <= rough && rough < EXO_WIRE_LINE_MAX / 2);
  line = exo_wire_line_parse (text, strlen (text), &size, 1, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (line);
  CU_ASSERT_EQUAL (line->have->len, EXO_WIRE_RANGES_MAX);
  CU_ASSERT_TRUE (exo_wire_builder_add (builder, EXO_WIRE_HAVE, 0, EXO_PIECES_MAX - 1, 1));
}

static void
states_come_back_as_they_were_sent (void)
{
  g_autoptr (ExoWireBuilder) builder = exo_wire_builder_new ();
  g_autoptr (ExoPieceMap) some = exo_piece_map_new (sizes[0]);
  g_autoptr (ExoPieceMap) empty = exo_piece_map_new (sizes[1]);
  g_autoptr (ExoPieceMap) none = exo_piece_map_new (sizes[2]);

  exo_piece_map_add (some, 0);
  exo_piece_map_add (some, 39);
  exo_wire_builder_add (builder, EXO_WIRE_DROP, 0, 39, 1);
  exo_wire_builder_state (builder, 0, TRUE, some);
  exo_wire_builder_state (builder, 1, FALSE, empty);
  exo_wire_builder_state (builder, 2, TRUE, none);
  exo_wire_builder_add (builder, EXO_WIRE_CLAIM, 0, 3, 4);
  CU_ASSERT_TRUE (takes (builder, "{\"state\":[{\"b\":0,\"wants\":true,\"have\":\"gAAAAAE=\"},"
                                  "{\"b\":1,\"wants\":false,\"have\":\"all\"},"
                                  "{\"b\":2,\"wants\":true,\"have\":\"\"}],\"claim\":[[0,3,4]]}"));
}

static void
digests_come_back_as_they_were_sent (void)
{
  ExoWireDigest digests[2] = { { 0, { 1, 0xab }, "hub" }, { 39, { 255 }, ID } };
  g_autofree char *text = exo_wire_digests_to_json (sizes[0], TRUE, digests, 2);
  g_autoptr (GArray) back = NULL;
  gboolean verified = FALSE;

  back = exo_wire_digests_parse (text, strlen (text), sizes[0], &verified, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL (back);
  CU_ASSERT_TRUE (verified && back->len == 2);
  for (guint i = 0; i < 2; i++)
    {
      const ExoWireDigest *digest = &g_array_index (back, ExoWireDigest, i);

      CU_ASSERT_EQUAL (digest->piece, digests[i].piece);
      CU_ASSERT_EQUAL (memcmp (digest->sha256, digests[i].sha256, sizeof digest->sha256), 0);
      CU_ASSERT_STRING_EQUAL (digest->source, digests[i].source);
    }
}

static void
malformed_digests_are_refused (void)
{
#define HEX        "0000000000000000000000000000000000000000000000000000000000000000"
#define ROWS(rows) "{\"v\":1,\"size\":10485760,\"verified\":true,\"pieces\":[" rows "]}"
  static const char *const wrong[] = {
    "{\"v\":2,\"size\":10485760,\"pieces\":[]}",
    "{\"v\":1,\"size\":10485761,\"pieces\":[]}",
    "{\"v\":1,\"pieces\":[]}",
    ROWS ("[0]"),
    ROWS ("[40,\"" HEX "\",\"hub\"]"),
    ROWS ("[0,\"" HEX "0\",\"hub\"]"),
    ROWS ("[0,\"g" HEX "\",\"hub\"]"),
    ROWS ("[0,\"" HEX "\",\"me\"]"),
    ROWS ("[0,\"" HEX "\",1]"),
    ROWS ("[1,\"" HEX "\",\"\"],[1,\"" HEX "\",\"\"]"),
    ROWS ("[1,\"" HEX "\",\"\"],[0,\"" HEX "\",\"\"]"),
  };

  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;
      gboolean verified;
      GArray *digests =
          exo_wire_digests_parse (wrong[i], strlen (wrong[i]), sizes[0], &verified, &error);

      CU_ASSERT_PTR_NULL (digests);
      CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID));
    }
}

EXO_SUITE ("wire",
           TEST (node_ids_are_32_lower_case_digits),
           TEST (an_event_line_gives_its_lists),
           TEST (lines_of_events_are_read_without_a_tree),
           TEST (a_heartbeat_says_nothing),
           TEST (a_state_gives_map_claims_and_fetches),
           TEST (malformed_lines_are_refused),
           TEST (depth_and_digits_up_to_the_limit_are_taken),
           TEST (lines_and_lists_past_their_limits_are_too_large),
           TEST (a_subscription_comes_back_as_it_was_sent),
           TEST (a_hello_comes_back_as_it_was_sent),
           TEST (the_addresses_of_a_hello_come_back_as_they_were_sent),
           TEST (malformed_addresses_are_refused),
           TEST (malformed_subscriptions_are_refused),
           TEST (another_version_is_refused_naming_both),
           TEST (oids_up_to_the_limit_are_taken),
           TEST (names_are_cleaned_and_cut_between_characters),
           TEST (a_builder_joins_ranges_and_is_empty_after_take),
           TEST (the_last_event_of_a_piece_wins),
           TEST (a_full_builder_takes_no_more),
           TEST (states_come_back_as_they_were_sent),
           TEST (digests_come_back_as_they_were_sent),
           TEST (malformed_digests_are_refused))
