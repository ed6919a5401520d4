/* test-layout.c - names in the Hub cache
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "tests/unit/suite.h"
#include "transfer/store/layout.h"

#define OID    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static void
is (char *made, const char *expected)
{
  CU_ASSERT_EQUAL (g_strcmp0 (made, expected), 0);
  if (g_strcmp0 (made, expected) != 0)
    fprintf (stderr, "%s instead of %s\n", made ? made : "nothing",
             expected ? expected : "nothing");
  g_free (made);
}

static void
names_are_those_of_the_python_client (void)
{
  is (exo_layout_repo (EXO_REPO_MODEL, "org/name"), "models--org--name");
  is (exo_layout_repo (EXO_REPO_DATASET, "org/name"), "datasets--org--name");
  is (exo_layout_repo (EXO_REPO_SPACE, "gpt2"), "spaces--gpt2");
  is (exo_layout_blob (EXO_REPO_MODEL, "a/b", OID, EXO_LAYOUT_PART),
      "models--a--b/blobs/" OID ".exo-part");
  is (exo_layout_lock (EXO_REPO_MODEL, "a/b", OID), ".locks/models--a--b/" OID ".lock");
  is (exo_layout_ref (EXO_REPO_MODEL, "a/b", "refs/pr/1"), "models--a--b/refs/refs/pr/1");
  is (exo_layout_snapshot (EXO_REPO_MODEL, "a/b", COMMIT), "models--a--b/snapshots/" COMMIT);
  is (exo_layout_tree (EXO_REPO_MODEL, "a/b", COMMIT), "models--a--b/trees/" COMMIT ".json");
  CU_ASSERT_TRUE (
      g_str_has_prefix (EXO_LAYOUT_CACHEDIR_TAG, "Signature: 8a477f597d28d172789f06886806bc55\n"));
}

static void
links_climb_out_of_every_folder (void)
{
  is (exo_layout_link_target ("a", OID), "../../blobs/" OID);
  is (exo_layout_link_target ("x/a", OID), "../../../blobs/" OID);
  is (exo_layout_link_target ("x/y/z/a", OID), "../../../../../blobs/" OID);
}

static void
bad_names_make_no_path (void)
{
  const char *ids[] = { "", "..", "../a", "a/../b", "a/b/c", "/a", "a--b", "a\nb" };
  const char *oids[] = { "", "..", "../../x", "E69DE29BB2D1D6434B8B29AE775AD8C2E48C5391", "****" };
  const char *paths[] = { "", "/a", "../a", "a/../b", "a//b", "a/", "./a", "a\\b" };

  for (gsize i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      is (exo_layout_repo (EXO_REPO_MODEL, ids[i]), NULL);
      is (exo_layout_snapshot (EXO_REPO_MODEL, ids[i], COMMIT), NULL);
      is (exo_layout_blob (EXO_REPO_MODEL, ids[i], OID, ""), NULL);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (oids); i++)
    {
      is (exo_layout_blob (EXO_REPO_MODEL, "a/b", oids[i], ""), NULL);
      is (exo_layout_lock (EXO_REPO_MODEL, "a/b", oids[i]), NULL);
      is (exo_layout_tree (EXO_REPO_MODEL, "a/b", oids[i]), NULL);
      is (exo_layout_link_target ("a", oids[i]), NULL);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      is (exo_layout_link_target (paths[i], OID), NULL);
      is (exo_layout_ref (EXO_REPO_MODEL, "a/b", paths[i]), NULL);
    }
}

static void
folders_give_their_repo_back (void)
{
  const char *others[] = { ".locks",         "CACHEDIR.TAG",   "models--",   "models--a--b--c",
                           "models--a---b-", "models--..--..", "version.txt" };
  g_autofree char *id = NULL;
  ExoRepoType type;

  CU_ASSERT_TRUE (exo_layout_parse_repo ("datasets--org--na-me", &type, &id));
  CU_ASSERT_EQUAL (type, EXO_REPO_DATASET);
  CU_ASSERT_STRING_EQUAL (id, "org/na-me");
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    {
      char *none = NULL;

      CU_ASSERT_FALSE (exo_layout_parse_repo (others[i], &type, &none));
    }
}

EXO_SUITE ("layout",
           TEST (names_are_those_of_the_python_client),
           TEST (links_climb_out_of_every_folder),
           TEST (bad_names_make_no_path),
           TEST (folders_give_their_repo_back))
