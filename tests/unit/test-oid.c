/* test-oid.c - names of blobs
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/suite.h"
#include "transfer/oid.h"

static void
forty_and_sixty_four_lower_case_digits_are_oids (void)
{
  CU_ASSERT_EQUAL (exo_oid_kind ("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"), EXO_OID_SHA1);
  CU_ASSERT_EQUAL (
      exo_oid_kind ("b3d0a1f7938cd4d8413a4dcffd4313e2e8ac0cb61cb1090eb140ea8e9154befb"),
      EXO_OID_SHA256);
  CU_ASSERT_TRUE (exo_is_commit ("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"));
}

static void
anything_else_is_not (void)
{
  const char *wrong[] = {
    "",
    "e69d",
    "E69DE29BB2D1D6434B8B29AE775AD8C2E48C5391",
    "../../../../../../../../../../../etc/passwd",
    "****************************************************************",
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c539",
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c53911",
    "b3d0a1f7938cd4d8413a4dcffd4313e2e8ac0cb61cb1090eb140ea8e9154befb0",
    "b3d0a1f7938cd4d8413a4dcffd4313e2e8ac0cb61cb1090eb140ea8e9154bef/",
  };

  CU_ASSERT_EQUAL (exo_oid_kind (NULL), EXO_OID_NONE);
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    CU_ASSERT_EQUAL (exo_oid_kind (wrong[i]), EXO_OID_NONE);
  CU_ASSERT_FALSE (
      exo_is_commit ("b3d0a1f7938cd4d8413a4dcffd4313e2e8ac0cb61cb1090eb140ea8e9154befb"));
}

EXO_SUITE ("oid",
           TEST (forty_and_sixty_four_lower_case_digits_are_oids),
           TEST (anything_else_is_not))
