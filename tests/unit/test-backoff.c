/* test-backoff.c - how long to wait before the Hub is asked again; with which token
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <unistd.h>

#include "tests/unit/suite.h"
#include "transfer/error.h"
#include "transfer/hub/backoff.h"
#include "transfer/hub/token.h"

#define S G_USEC_PER_SEC

static void
waits_double_within_bounds (void)
{
  for (guint32 seed = 0; seed < 1000; seed++)
    for (guint attempt = 1; attempt < 100; attempt += attempt < 10 ? 1 : 30)
      {
        gint64 full =
            MIN ((gint64) EXO_BACKOFF_FIRST_US << MIN (attempt - 1, 20), EXO_BACKOFF_MAX_US);
        gint64 wait = exo_backoff_us (attempt, EXO_BACKOFF_FIRST_US, seed * 4294967u);

        if (wait < full / 2 || wait > full)
          CU_FAIL ("out of bounds");
      }
  CU_ASSERT_NOT_EQUAL (exo_backoff_us (3, S, 1), exo_backoff_us (3, S, 2));
  CU_ASSERT_EQUAL (exo_backoff_us (3, S, 7), exo_backoff_us (3, S, 7));
}

static void
hints_are_believed_in_order (void)
{
  const struct
  {
    const char *rate_limit, *retry_after;
    gint64 wait;
  } rows[] = {
    { NULL, NULL, -1 },
    { "\"resolvers\";r=0;t=172", NULL, 173 * S },
    { "\"resolvers\";r=0;t=172", "5", 173 * S },
    { "\"resolvers\";r=17;t=172", NULL, -1 }, /* it comes on every answer */
    { "\"resolvers\";r=17;t=172", "5", 5 * S },
    { "\"api\"; r=0 ; t=1", NULL, 2 * S },
    { "garbage", "30", 30 * S },
    { "r=0;t=", NULL, -1 },
    { NULL, "Wed, 21 Oct 2026 07:28:00 GMT", -1 },
    { NULL, "-5", -1 },
    { NULL, "1.5", -1 },
    { NULL, "999999999999999999", EXO_BACKOFF_LIMIT_US },
    { "\"a\";r=0;t=9223372036854775807", NULL, EXO_BACKOFF_LIMIT_US },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    CU_ASSERT_EQUAL (exo_backoff_hint_us (rows[i].rate_limit, rows[i].retry_after), rows[i].wait);
}

static void
only_what_may_pass_is_tried_again (void)
{
  const guint transient[] = { 0, 408, 429, 500, 502, 503, 504 };
  const guint final[] = { 200, 302, 400, 401, 403, 404, 416, 501 };

  for (gsize i = 0; i < G_N_ELEMENTS (transient); i++)
    CU_ASSERT_TRUE (exo_backoff_is_transient (transient[i]));
  for (gsize i = 0; i < G_N_ELEMENTS (final); i++)
    CU_ASSERT_FALSE (exo_backoff_is_transient (final[i]));
}

static gboolean
reads (const char *token, const char *path, const char *expected)
{
  g_autofree char *read = NULL;

  return exo_token_read (token, path, &read, NULL) && g_strcmp0 (read, expected) == 0;
}

static void
tokens_are_stripped_and_checked (void)
{
  g_autofree char *longest = g_strnfill (EXO_TOKEN_MAX, 'x');
  g_autofree char *too_long = g_strnfill (EXO_TOKEN_MAX + 1, 'x');
  const char *bad[] = {
    "a b", "a\nb", "a\r\nX-Evil: 1", "a\033[0m", "a\x7f", "\xc3\xa9", too_long
  };
  char path[] = "/tmp/exo-test-XXXXXX";
  int fd = mkstemp (path);

  CU_ASSERT_TRUE (reads (NULL, NULL, NULL));
  CU_ASSERT_TRUE (reads (" hf_x\r\n", NULL, "hf_x"));
  CU_ASSERT_TRUE (reads (" \r\n", NULL, NULL));
  CU_ASSERT_TRUE (reads (longest, NULL, longest));
  CU_ASSERT_TRUE (reads (NULL, "/nonexistent/token", NULL));
  CU_ASSERT_TRUE (reads (NULL, path, NULL));
  CU_ASSERT_EQUAL (write (fd, "hf_file\n", 8), 8);
  CU_ASSERT_TRUE (reads (NULL, path, "hf_file"));
  CU_ASSERT_TRUE (reads ("hf_env", path, "hf_env"));
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      char *read = NULL;

      CU_ASSERT_FALSE (exo_token_read (bad[i], NULL, &read, &error));
      CU_ASSERT_TRUE (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DENIED));
      CU_ASSERT_PTR_NULL (strstr (error->message, "X-Evil"));
    }
  close (fd);
  unlink (path);
}

EXO_SUITE ("backoff",
           TEST (waits_double_within_bounds),
           TEST (hints_are_believed_in_order),
           TEST (only_what_may_pass_is_tried_again),
           TEST (tokens_are_stripped_and_checked))
