/* test-log.c - what never reaches a log
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>

#include "agent/log.h"
#include "tests/unit/suite.h"

typedef struct
{
  const char *text, *expected;
} Row;

static void
check (const Row *rows, gsize n_rows)
{
  for (gsize i = 0; i < n_rows; i++)
    {
      g_autofree char *clean = exo_log_redact (rows[i].text);

      if (strcmp (clean, rows[i].expected) != 0)
        fprintf (stderr, "\n  \"%s\" gives \"%s\"\n", rows[i].text, clean);
      CU_ASSERT_STRING_EQUAL (clean, rows[i].expected);
    }
}

static void
tokens_are_hidden (void)
{
  const Row rows[] = {
    { "hf_abcDEF123", "hf_***" },
    { "token=hf_abc, next", "token=hf_***, next" },
    { "hf_ahf_b", "hf_***_b" },
    { "xhf_a hf_b", "xhf_*** hf_***" },
    { "Bearer abc.def rest", "Bearer *** rest" },
    { "basic dXNlcjpwdw==", "basic ***" },
  };

  check (rows, G_N_ELEMENTS (rows));
}

static void
authorization_is_hidden_to_the_end_of_its_line (void)
{
  const Row rows[] = {
    { "Authorization: Bearer x y\nHost: h", "Authorization: ***\nHost: h" },
    { "> authorization:secret\r\nA: b", "> authorization: ***\r\nA: b" },
    { "{\"AUTHORIZATION\": \"secret\"}", "{\"AUTHORIZATION\": ***" },
    { "authorization = secret", "authorization = ***" },
  };

  check (rows, G_N_ELEMENTS (rows));
}

static void
queries_and_users_of_urls_are_hidden (void)
{
  const Row rows[] = {
    { "GET https://cdn/x?Expires=1&Signature=s: 403", "GET https://cdn/x?*** 403" },
    { "\"https://cdn/x?a=b\" next", "\"https://cdn/x?***\" next" },
    { "Location: /api/resolve?token=t", "Location: /api/resolve?***" },
    { "http://user:pa@ss@proxy:3128/", "http://***@proxy:3128/" },
    { "https://user@host?x", "https://***@host?***" },
  };

  check (rows, G_N_ELEMENTS (rows));
}

static void
what_is_no_secret_stays (void)
{
  const Row rows[] = {
    { "", "" },
    { "hf_", "hf_" },
    { "really? yes", "really? yes" },
    { "? x", "? x" },
    { "https://huggingface.co/org/m/resolve/main/a@b",
      "https://huggingface.co/org/m/resolve/main/a@b" },
    { "authorization failed", "authorization failed" },
    { "bearer", "bearer" },
    { "a\xff\xfe b", "a\xff\xfe b" },
  };

  check (rows, G_N_ELEMENTS (rows));
}

static void
a_line_is_one_line (void)
{
  g_autoptr (GDateTime) time = g_date_time_new_utc (2026, 11, 23, 21, 22, 5.25);
  g_autofree char *line = exo_log_format (time, G_LOG_LEVEL_WARNING, "exo-agent",
                                          "a\nb\x1b[2J\xff\xc2\x9b"
                                          "c");

  CU_ASSERT_STRING_EQUAL (line, "2026-11-23 21:22:05.250 warning exo-agent: a b [2J\xef\xbf\xbd c");
}

EXO_SUITE ("log",
           TEST (tokens_are_hidden),
           TEST (authorization_is_hidden_to_the_end_of_its_line),
           TEST (queries_and_users_of_urls_are_hidden),
           TEST (what_is_no_secret_stays),
           TEST (a_line_is_one_line))
