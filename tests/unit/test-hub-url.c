/* test-hub-url.c - addresses at the Hub, and those it sends us to
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/suite.h"
#include "transfer/hub/hub-url.h"

#define HUB "https://huggingface.co"

static void
names_are_escaped_segment_by_segment (void)
{
  g_autofree char *info = exo_hub_url_info (HUB, EXO_REPO_MODEL, "o/n", "refs/pr/1");
  g_autofree char *latest = exo_hub_url_info (HUB, EXO_REPO_DATASET, "n", NULL);
  g_autofree char *tree = exo_hub_url_tree (HUB, EXO_REPO_SPACE, "o/n", "c0");
  g_autofree char *file =
      exo_hub_url_resolve (HUB, EXO_REPO_MODEL, "o/n", "c0", "a b/#?%+&\xc3\xa9");
  g_autofree char *data = exo_hub_url_resolve (HUB, EXO_REPO_DATASET, "o/n", "c0", "x");

  CU_ASSERT_STRING_EQUAL (info, HUB "/api/models/o/n/revision/refs%2Fpr%2F1");
  CU_ASSERT_STRING_EQUAL (latest, HUB "/api/datasets/n");
  CU_ASSERT_STRING_EQUAL (tree, HUB "/api/spaces/o/n/tree/c0?recursive=true&expand=false");
  CU_ASSERT_STRING_EQUAL (file, HUB "/o/n/resolve/c0/a%20b/%23%3F%25%2B%26%C3%A9");
  CU_ASSERT_STRING_EQUAL (data, HUB "/datasets/o/n/resolve/c0/x");
}

static void
an_endpoint_is_an_address_of_a_host (void)
{
  g_autofree char *plain = exo_hub_url_endpoint ("http://127.0.0.1:8080//", NULL);
  const char *bad[] = { "",           "/",         "huggingface.co",
                        "ftp://x",    "http://",   "http://u:p@x",
                        "http://x?y", "http://x y" };

  CU_ASSERT_STRING_EQUAL (plain, "http://127.0.0.1:8080");
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    CU_ASSERT_PTR_NULL (exo_hub_url_endpoint (bad[i], NULL));
}

static void
origins_are_scheme_host_and_port (void)
{
  CU_ASSERT_TRUE (exo_url_same_origin (HUB "/a", "HTTPS://HuggingFace.co:443"));
  CU_ASSERT_TRUE (exo_url_same_origin ("http://x:80/a?b", "http://x"));
  CU_ASSERT_FALSE (exo_url_same_origin (HUB, "http://huggingface.co"));
  CU_ASSERT_FALSE (exo_url_same_origin (HUB, HUB ":444"));
  CU_ASSERT_FALSE (exo_url_same_origin (HUB, HUB ".evil.org/"));
  CU_ASSERT_FALSE (exo_url_same_origin (HUB, HUB "@evil.org/"));
  CU_ASSERT_FALSE (exo_url_same_origin (HUB, "https://evil.org/" HUB));
  CU_ASSERT_FALSE (exo_url_same_origin ("", ""));
}

static void
locations_are_followed_or_refused (void)
{
  g_autofree char *too_long = g_strnfill (EXO_URL_MAX + 1, 'a');
  const struct
  {
    const char *base, *location, *target;
  } rows[] = {
    { HUB "/a/b?c", "/d?e=%22f%22", HUB "/d?e=%22f%22" },
    { HUB "/a", "https://cdn.hf.co/x?Signature=~_", "https://cdn.hf.co/x?Signature=~_" },
    { "http://lan:1/a", "https://cdn/x", "https://cdn/x" },
    { "http://127.0.0.1:1/a", "http://127.0.0.1:2/x", "http://127.0.0.1:2/x" },
    { HUB "/a", "http://huggingface.co/x", NULL },
    { HUB "/a", "//evil.org/x", NULL },
    { HUB "/a", "/\\evil.org/x", NULL },
    { HUB "/a", "x", NULL },
    { HUB "/a", "", NULL },
    { HUB "/a", NULL, NULL },
    { HUB "/a", "file:///etc/passwd", NULL },
    { HUB "/a", "https://u@cdn/x", NULL },
    { HUB "/a", "https://cdn/x y", NULL },
    { HUB "/a", "https://cdn/x\r\ny", NULL },
    { HUB "/a", "https://127.0.0.1/x", NULL },
    { HUB "/a", "https://[::1]/x", NULL },
    { HUB "/a", "https://localhost/x", NULL },
    { HUB "/a", too_long, NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *target = exo_url_follow (rows[i].base, rows[i].location, NULL);

      if (g_strcmp0 (target, rows[i].target) != 0)
        {
          fprintf (stderr, "row %zu: %s\n", i, target);
          CU_FAIL ("location");
        }
    }
}

static void
the_next_page_is_found_in_a_link (void)
{
  g_autofree char *next = exo_url_link_next ("<https://a/x>; rel=\"xet-auth\", <https://a/y?c=1>; "
                                             "rel=\"next\"");

  CU_ASSERT_STRING_EQUAL (next, "https://a/y?c=1");
  CU_ASSERT_PTR_NULL (exo_url_link_next (NULL));
  CU_ASSERT_PTR_NULL (exo_url_link_next ("<https://a/x>; rel=\"prev\""));
  CU_ASSERT_PTR_NULL (exo_url_link_next ("<https://a/x"));
}

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT" /* 784111777 */

static void
an_address_lives_by_the_servers_clock (void)
{
  CU_ASSERT_EQUAL (exo_url_life_s ("https://c/x?a=1&Expires=784112777&b", DATE), 1000);
  CU_ASSERT_EQUAL (exo_url_life_s ("https://c/x?Expires=784111777", DATE), 0);
  CU_ASSERT_EQUAL (exo_url_life_s ("https://c/x?Expires=1", DATE), 0);
  CU_ASSERT_EQUAL (exo_url_life_s ("https://c/x?Expires=9223372036854775807", DATE),
                   EXO_SIGNED_URL_MAX_S);
  CU_ASSERT_EQUAL (
      exo_url_life_s ("https://c/x?X-Amz-Date=19941106T084900Z&X-Amz-Expires=900", DATE), 863);
  CU_ASSERT_EQUAL (exo_url_life_s ("https://c/x?Expires=784112777", NULL),
                   EXO_SIGNED_URL_DEFAULT_S);
  CU_ASSERT_EQUAL (exo_url_life_s ("https://c/x?Expires=784112777", "yesterday"),
                   EXO_SIGNED_URL_DEFAULT_S);
  CU_ASSERT_EQUAL (exo_url_life_s ("https://c/x", DATE), EXO_SIGNED_URL_DEFAULT_S);
  CU_ASSERT_EQUAL (exo_url_life_s ("https://c/x?Expires=abc", DATE), EXO_SIGNED_URL_DEFAULT_S);
}

EXO_SUITE ("hub-url",
           TEST (names_are_escaped_segment_by_segment),
           TEST (an_endpoint_is_an_address_of_a_host),
           TEST (origins_are_scheme_host_and_port),
           TEST (locations_are_followed_or_refused),
           TEST (the_next_page_is_found_in_a_link),
           TEST (an_address_lives_by_the_servers_clock))
