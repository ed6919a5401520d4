/* test-limit.c - what a user allows, and what follows from it
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <time.h>

#include "tests/unit/suite.h"
#include "transfer/error.h"
#include "transfer/limit.h"

#define GB G_GUINT64_CONSTANT (1000000000)

/* As Europe/Berlin, without its file. */
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static void
set_zone (const char *zone)
{
  g_setenv ("TZ", zone, TRUE);
  tzset ();
}

/* "2026-11-28 22:00" and, of an hour that comes twice, which: the Unix time */
static gint64
at_dst (const char *text, int is_dst)
{
  struct tm local = { .tm_isdst = is_dst };

  if (strptime (text, strlen (text) > 16 ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M", &local) == NULL)
    CU_FAIL_FATAL ("no time");
  local.tm_isdst = is_dst;
  return mktime (&local);
}

static gint64
at (const char *text)
{
  return at_dst (text, -1);
}

static ExoLimits
with (const char *hours, guint64 cap)
{
  ExoLimits limits = { 0 };

  if (hours != NULL)
    CU_ASSERT_TRUE (exo_hours_parse (hours, &limits.hours, NULL));
  limits.amounts[EXO_LIMIT_MONTHLY_CAP] = cap;
  return limits;
}

static void
names_are_found_again (void)
{
  ExoLimit limit;

  for (guint i = 0; i < EXO_LIMIT_N; i++)
    CU_ASSERT_TRUE (exo_limit_parse_name (exo_limit_name ((ExoLimit) i), &limit) && limit == i);
  CU_ASSERT_FALSE (exo_limit_parse_name ("hub_rate", &limit));
}

static void
amounts_that_make_no_sense_are_refused (void)
{
  static const struct
  {
    ExoLimit limit;
    guint64 amount;
    gboolean good;
  } rows[] = {
    { EXO_LIMIT_HUB_RATE, 0, TRUE },
    { EXO_LIMIT_HUB_RATE, 99999, FALSE },
    { EXO_LIMIT_HUB_RATE, 100000, TRUE },
    { EXO_LIMIT_LAN_UPLOAD_RATE, 1, FALSE },
    { EXO_LIMIT_LAN_UPLOAD_RATE, G_MAXUINT64, FALSE },
    { EXO_LIMIT_HUB_CONNECTIONS, 64, TRUE },
    { EXO_LIMIT_HUB_CONNECTIONS, 65, FALSE },
    { EXO_LIMIT_MONTHLY_CAP, 999999, FALSE },
    { EXO_LIMIT_MONTHLY_CAP, 500 * GB, TRUE },
    { EXO_LIMIT_MONTHLY_CAP, G_MAXUINT64, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      CU_ASSERT_EQUAL (exo_limit_check (rows[i].limit, rows[i].amount, &error), rows[i].good);
      CU_ASSERT_EQUAL (g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID),
                       !rows[i].good);
    }
}

static void
hours_are_ranges_of_the_day (void)
{
  static const struct
  {
    const char *text, *normal; /* NULL: refused */
  } rows[] = {
    { "22:00-07:00", "22:00-07:00" },
    { "9:00-12:00, 13:30-24:00", "09:00-12:00,13:30-24:00" },
    { " 00:00 - 00:01 ", "00:00-00:01" },
    { "0:00-24:00", "00:00-24:00" },
    { "1:00-2:00,3:00-4:00,5:00-6:00,7:00-8:00,9:00-10:00,11:00-12:00,13:00-14:00,15:00-16:00",
      "01:00-02:00,03:00-04:00,05:00-06:00,07:00-08:00,09:00-10:00,11:00-12:00,13:00-14:00,"
      "15:00-16:00" },
    { "1:00-2:00,3:00-4:00,5:00-6:00,7:00-8:00,9:00-10:00,11:00-12:00,13:00-14:00,15:00-16:00,"
      "17:00-18:00",
      NULL },
    { "", NULL },
    { "22:00", NULL },
    { "22-07", NULL },
    { "22:00-07:00,", NULL },
    { "22:0-07:00", NULL },
    { "22:000-07:00", NULL },
    { "22:00-7:60", NULL },
    { "22:00-24:01", NULL },
    { "24:00-07:00", NULL },
    { "07:00-07:00", NULL },
    { "-1:00-07:00", NULL },
    { "+1:00-07:00", NULL },
    { "1:+5-07:00", NULL },
    { "22:00-07:00x", NULL },
    { "22:00-07:00-08:00", NULL },
    { "off", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      ExoHours hours = { .n = 99 };
      char text[EXO_LIMIT_TEXT_BYTES];
      gboolean good = exo_hours_parse (rows[i].text, &hours, NULL);

      if (good != (rows[i].normal != NULL))
        CU_FAIL (rows[i].text);
      if (!good)
        CU_ASSERT_EQUAL (hours.n, 99);
      if (good)
        CU_ASSERT_STRING_EQUAL (exo_hours_format (&hours, text), rows[i].normal);
    }
}

static void
check_hours (const char *hours, gint64 now_s, gboolean open, gint64 until_s)
{
  ExoLimits limits = with (hours, 0);
  ExoHubVerdict verdict;

  exo_limits_judge (&limits, now_s, 0, &verdict);
  CU_ASSERT_EQUAL (verdict.wait, open ? EXO_HUB_WAIT_NONE : EXO_HUB_WAIT_HOURS);
  CU_ASSERT_EQUAL (verdict.until_s, open ? 0 : until_s);
  CU_ASSERT_EQUAL (verdict.look_at_s, until_s);
}

static void
the_hub_is_open_within_its_hours (void)
{
  static const struct
  {
    const char *hours, *now;
    gboolean open;
    const char *until;
  } rows[] = {
    { "22:00-07:00", "2026-11-28 21:59:59", FALSE, "2026-11-28 22:00" },
    { "22:00-07:00", "2026-11-28 22:00:00", TRUE, "2026-11-29 07:00" },
    { "22:00-07:00", "2026-11-28 23:59:59", TRUE, "2026-11-29 07:00" },
    { "22:00-07:00", "2026-11-29 00:00:00", TRUE, "2026-11-29 07:00" },
    { "22:00-07:00", "2026-11-29 06:59:59", TRUE, "2026-11-29 07:00" },
    { "22:00-07:00", "2026-11-29 07:00:00", FALSE, "2026-11-29 22:00" },
    { "09:00-12:00,13:00-17:00", "2026-11-28 11:59", TRUE, "2026-11-28 12:00" },
    { "09:00-12:00,13:00-17:00", "2026-11-28 12:30", FALSE, "2026-11-28 13:00" },
    { "09:00-12:00,13:00-17:00", "2026-11-28 20:00", FALSE, "2026-11-29 09:00" },
    { "09:00-12:00,12:00-17:00", "2026-11-28 10:00", TRUE, "2026-11-28 17:00" },
    { "20:00-24:00", "2026-11-28 23:59:59", TRUE, "2026-11-29 00:00" },
    { "20:00-24:00,00:00-02:00", "2026-11-28 23:59:59", TRUE, "2026-11-29 02:00" },
    /* Always open: it is the month that ends. */
    { "00:00-24:00", "2026-11-28 10:00", TRUE, "2026-12-01 00:00" },
    { NULL, "2026-12-28 10:00", TRUE, "2027-01-01 00:00" },
  };

  set_zone (BERLIN);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    check_hours (rows[i].hours, at (rows[i].now), rows[i].open, at (rows[i].until));
}

/* 2026-03-29: 2:00 is 3:00. */
static void
an_hour_that_summer_time_leaves_out (void)
{
  set_zone (BERLIN);
  check_hours ("02:30-05:00", at ("2026-03-29 01:59:30"), FALSE, at ("2026-03-29 03:00"));
  check_hours ("02:30-05:00", at ("2026-03-29 03:00"), TRUE, at ("2026-03-29 05:00"));
  check_hours ("22:00-02:30", at ("2026-03-29 01:30"), TRUE, at ("2026-03-29 03:00"));
  check_hours ("02:10-02:50", at ("2026-03-29 01:30"), FALSE, at ("2026-03-30 02:10"));
  CU_ASSERT_EQUAL (at ("2026-03-29 03:00") - at ("2026-03-29 01:59"), 60);
}

/* 2026-10-25: 3:00 is 2:00 again. */
static void
an_hour_that_winter_time_repeats (void)
{
  set_zone (BERLIN);
  check_hours ("22:00-02:30", at_dst ("2026-10-25 02:15", 1), TRUE, at_dst ("2026-10-25 02:30", 1));
  check_hours ("22:00-02:30", at_dst ("2026-10-25 02:45", 1), FALSE,
               at_dst ("2026-10-25 02:00", 0));
  check_hours ("22:00-02:30", at_dst ("2026-10-25 02:00", 0), TRUE, at_dst ("2026-10-25 02:30", 0));
  check_hours ("22:00-07:00", at ("2026-10-25 00:00"), TRUE, at ("2026-10-25 07:00"));
  CU_ASSERT_EQUAL (at ("2026-10-25 07:00") - at ("2026-10-25 00:00"), 8 * 3600);
}

static void
zones_of_odd_minutes_and_seconds_count (void)
{
  set_zone ("ODD-05:45:20");
  check_hours ("22:00-07:00", at ("2026-11-28 21:59:50"), FALSE, at ("2026-11-28 22:00"));
  set_zone ("UTC0");
  check_hours ("22:00-07:00", 0, TRUE, 7 * 3600);
}

static void
the_cap_is_of_a_calendar_month (void)
{
  static const struct
  {
    guint64 cap, bytes;
    ExoCapLevel level;
    guint64 look_at;
  } rows[] = {
    { 0, 1000 * GB, EXO_CAP_FAR, G_MAXUINT64 },
    { 500 * GB, 0, EXO_CAP_FAR, 400 * GB },
    { 500 * GB, 400 * GB - 1, EXO_CAP_FAR, 400 * GB },
    { 500 * GB, 400 * GB, EXO_CAP_NEAR, 500 * GB },
    { 500 * GB, 500 * GB - 1, EXO_CAP_NEAR, 500 * GB },
    { 500 * GB, 500 * GB, EXO_CAP_REACHED, G_MAXUINT64 },
    { 500 * GB, G_MAXINT64, EXO_CAP_REACHED, G_MAXUINT64 },
  };

  set_zone (BERLIN);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      ExoLimits limits = with (NULL, rows[i].cap);
      gboolean reached = rows[i].level == EXO_CAP_REACHED;
      ExoHubVerdict verdict;

      exo_limits_judge (&limits, at ("2026-12-31 23:59:59"), rows[i].bytes, &verdict);
      CU_ASSERT_EQUAL (verdict.level, rows[i].level);
      CU_ASSERT_EQUAL (verdict.wait, reached ? EXO_HUB_WAIT_CAP : EXO_HUB_WAIT_NONE);
      CU_ASSERT_EQUAL (verdict.until_s, reached ? at ("2027-01-01 00:00") : 0);
      CU_ASSERT_EQUAL (verdict.look_at_s, at ("2027-01-01 00:00"));
      CU_ASSERT_EQUAL (verdict.look_at_bytes, rows[i].look_at);
    }
}

/* When the month begins the hours still have to. */
static void
a_cap_and_hours_are_both_waited_for (void)
{
  ExoLimits limits = with ("22:00-24:00", GB);
  ExoHubVerdict verdict;

  set_zone (BERLIN);
  exo_limits_judge (&limits, at ("2026-11-30 21:00"), GB, &verdict);
  CU_ASSERT_EQUAL (verdict.wait, EXO_HUB_WAIT_CAP);
  CU_ASSERT_EQUAL (verdict.until_s, at ("2026-12-01 22:00"));
  CU_ASSERT_EQUAL (verdict.look_at_s, at ("2026-11-30 22:00"));
  limits = with ("22:00-02:00", GB);
  exo_limits_judge (&limits, at ("2026-11-30 21:00"), GB, &verdict);
  CU_ASSERT_EQUAL (verdict.until_s, at ("2026-12-01 00:00"));
}

static void
months_are_local (void)
{
  char month[EXO_MONTH_BYTES];

  set_zone (BERLIN);
  exo_month_of (at ("2026-12-31 23:59:59"), month);
  CU_ASSERT_STRING_EQUAL (month, "2026-12");
  exo_month_of (at ("2027-01-01 00:00"), month);
  CU_ASSERT_STRING_EQUAL (month, "2027-01");
  set_zone ("UTC0");
  exo_month_of (1798758000, month); /* an hour before, there */
  CU_ASSERT_STRING_EQUAL (month, "2026-12");
}

static void
only_what_is_set_is_copied (void)
{
  ExoLimits onto = with ("22:00-07:00", 5 * GB), from = with ("01:00-02:00", 7 * GB);

  exo_limits_copy (&onto, &from, 1u << EXO_LIMIT_MONTHLY_CAP);
  CU_ASSERT_EQUAL (onto.amounts[EXO_LIMIT_MONTHLY_CAP], 7 * GB);
  CU_ASSERT_EQUAL (onto.hours.ranges[0].from, 22 * 60);
  exo_limits_copy (&onto, &from, 1u << EXO_LIMIT_HUB_HOURS);
  CU_ASSERT_EQUAL (onto.hours.ranges[0].from, 60);
}

EXO_SUITE ("limit",
           TEST (names_are_found_again),
           TEST (amounts_that_make_no_sense_are_refused),
           TEST (hours_are_ranges_of_the_day),
           TEST (the_hub_is_open_within_its_hours),
           TEST (an_hour_that_summer_time_leaves_out),
           TEST (an_hour_that_winter_time_repeats),
           TEST (zones_of_odd_minutes_and_seconds_count),
           TEST (the_cap_is_of_a_calendar_month),
           TEST (a_cap_and_hours_are_both_waited_for),
           TEST (months_are_local),
           TEST (only_what_is_set_is_copied))
