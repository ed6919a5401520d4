/* suite.h - the main() of a unit test program
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * CU_basic_run_tests() returns success with failed assertions and with no tests at all, so the exit
 * code comes from the failure records and the number of tests run.
 *
 *   static void empty_file_has_no_pieces (void) { CU_ASSERT_EQUAL (...); }
 *   EXO_SUITE ("piece-map", TEST (empty_file_has_no_pieces), TEST (...))
 */

#pragma once

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>

#define TEST(function)                                                                             \
  {                                                                                                \
#function, function                                                                            \
  }

static inline int
exo_suite_run (const char *name, CU_TestInfo *tests)
{
  CU_SuiteInfo suites[] = { { name, NULL, NULL, NULL, NULL, tests }, CU_SUITE_INFO_NULL };
  unsigned int failures, run;

  if (CU_initialize_registry () != CUE_SUCCESS || CU_register_suites (suites) != CUE_SUCCESS)
    {
      fprintf (stderr, "%s: %s\n", name, CU_get_error_msg ());
      return EXIT_FAILURE;
    }
  CU_basic_set_mode (CU_BRM_VERBOSE);
  CU_basic_run_tests ();
  failures = CU_get_number_of_failure_records ();
  run = CU_get_number_of_tests_run ();
  CU_cleanup_registry ();
  return failures == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define EXO_SUITE(name, ...)                                                                       \
  int main (void)                                                                                  \
  {                                                                                                \
    CU_TestInfo tests[] = { __VA_ARGS__, CU_TEST_INFO_NULL };                                      \
    return exo_suite_run (name, tests);                                                            \
  }
