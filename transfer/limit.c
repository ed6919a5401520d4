/* limit.c - see limit.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/limit.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "transfer/error.h"

#define RATE_MIN      G_GUINT64_CONSTANT (100000) /* less is no download, and neighbours give up */
#define CONNECTIONS   64u
#define CAP_MIN       G_GUINT64_CONSTANT (1000000)
#define AMOUNT_MAX    G_GUINT64_CONSTANT (1000000000000000) /* 1 PB, a day of it at 12 GB/s */
#define NEAR_PER_CENT 80u
#define MINUTE_S      60
/* Hours come again every day; a day of 25 hours, and one that summer time leaves without them, are in this. */
#define LOOK_AHEAD_MINUTES (3u * EXO_HOURS_DAY)

static const char *const names[EXO_LIMIT_N] = {
  [EXO_LIMIT_HUB_RATE] = "hub-rate",
  [EXO_LIMIT_LAN_UPLOAD_RATE] = "lan-upload-rate",
  [EXO_LIMIT_HUB_CONNECTIONS] = "hub-connections",
  [EXO_LIMIT_MONTHLY_CAP] = "monthly-cap",
  [EXO_LIMIT_HUB_HOURS] = "hub-hours",
};

const char *
exo_limit_name (ExoLimit limit)
{
  return names[limit];
}

gboolean
exo_limit_parse_name (const char *name, ExoLimit *out_limit)
{
  for (guint i = 0; i < EXO_LIMIT_N; i++)
    if (strcmp (names[i], name) == 0)
      {
        *out_limit = (ExoLimit) i;
        return TRUE;
      }
  return FALSE;
}

static gboolean
fail (GError **error, const char *what)
{
  g_set_error_literal (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID, what);
  return FALSE;
}

gboolean
exo_limit_check (ExoLimit limit, guint64 amount, GError **error)
{
  if (amount == 0)
    return TRUE;
  if (limit == EXO_LIMIT_HUB_CONNECTIONS)
    return amount <= CONNECTIONS || fail (error, _ ("a number from 1 to 64, or off"));
  if (limit == EXO_LIMIT_MONTHLY_CAP)
    return (amount >= CAP_MIN && amount <= AMOUNT_MAX) ||
           fail (error, _ ("from 1 MB to 1000 TB, or off"));
  return (amount >= RATE_MIN && amount <= AMOUNT_MAX) ||
         fail (error, _ ("from 100 kB/s to 1000 TB/s, or off"));
}

/* Hours ------------------------------------------------------------------------------------- */

/* "7:00", "07:00", "24:00" */
static gboolean
parse_minute (const char *text, guint *out_minute)
{
  guint hour, minute;
  int end = 0;

  if (!g_ascii_isdigit (*text) || strlen (text) > 5 ||
      sscanf (text, "%2u:%2u%n", &hour, &minute, &end) != 2 || text[end] != '\0' ||
      text[end - 3] != ':' || !g_ascii_isdigit (text[end - 2]))
    return FALSE;
  *out_minute = hour * 60 + minute;
  return minute < 60 && *out_minute <= EXO_HOURS_DAY;
}

static gboolean
parse_range (char *text, guint *out_from, guint *out_to)
{
  char *dash = strchr (text, '-');

  if (dash == NULL)
    return FALSE;
  *dash = '\0';
  return parse_minute (g_strstrip (text), out_from) &&
         parse_minute (g_strstrip (dash + 1), out_to) && *out_from != *out_to &&
         *out_from < EXO_HOURS_DAY;
}

gboolean
exo_hours_parse (const char *text, ExoHours *out_hours, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, ",", EXO_HOURS_MAX + 2);
  const char *no_hours =
      _ ("must be like 22:00-07:00, or several such ranges with commas between, or off");
  ExoHours hours = { 0 };

  for (char **part = parts; *part != NULL; part++)
    {
      if (hours.n == EXO_HOURS_MAX)
        return fail (error, _ ("at most 8 ranges"));
      if (!parse_range (*part, &hours.ranges[hours.n].from, &hours.ranges[hours.n].to))
        return fail (error, no_hours);
      hours.n++;
    }
  if (hours.n == 0)
    return fail (error, no_hours);
  *out_hours = hours;
  return TRUE;
}

const char *
exo_hours_format (const ExoHours *hours, char *text)
{
  char *end = text;

  *end = '\0';
  for (guint i = 0; i < hours->n; i++)
    end += g_snprintf (end, sizeof "00:00-00:00,", "%s%02u:%02u-%02u:%02u", i > 0 ? "," : "",
                       hours->ranges[i].from / 60, hours->ranges[i].from % 60,
                       hours->ranges[i].to / 60, hours->ranges[i].to % 60);
  return text;
}

void
exo_limits_copy (ExoLimits *onto, const ExoLimits *from, guint which)
{
  for (guint i = 0; i < EXO_LIMIT_N_AMOUNTS; i++)
    if ((which & 1u << i) != 0)
      onto->amounts[i] = from->amounts[i];
  if ((which & 1u << EXO_LIMIT_HUB_HOURS) != 0)
    onto->hours = from->hours;
}

/* The clock --------------------------------------------------------------------------------- */

/* localtime() and not localtime_r(): only the former looks whether /etc/localtime is another one by now. */
static struct tm
local_time (gint64 at_s)
{
  time_t at = (time_t) at_s;
  const struct tm *local = localtime (&at);

  return local != NULL ? *local : (struct tm){ .tm_mday = 1, .tm_year = 70 };
}

static gboolean
is_open_at (const ExoHours *hours, const struct tm *local)
{
  guint minute = (guint) (local->tm_hour * 60 + local->tm_min);

  for (guint i = 0; i < hours->n; i++)
    {
      guint from = hours->ranges[i].from, to = hours->ranges[i].to;

      if (from < to ? from <= minute && minute < to : from <= minute || minute < to)
        return TRUE;
    }
  return hours->n == 0;
}

/* Minute by minute, so that no change of the clock is a special case; at most some milliseconds, when a limit is set or a
 * range begins or ends. Returns: G_MAXINT64: never */
static gint64
next_change (const ExoHours *hours, gint64 now_s)
{
  struct tm local = local_time (now_s);
  gboolean is_open = is_open_at (hours, &local);
  gint64 at_s = now_s - local.tm_sec;

  for (guint i = 0; hours->n > 0 && i < LOOK_AHEAD_MINUTES; i++)
    {
      at_s += MINUTE_S;
      local = local_time (at_s);
      if (is_open_at (hours, &local) != is_open)
        return at_s;
    }
  return G_MAXINT64;
}

static gint64
next_month (gint64 now_s)
{
  struct tm local = local_time (now_s);

  local = (struct tm){
    .tm_year = local.tm_year, .tm_mon = local.tm_mon + 1, .tm_mday = 1, .tm_isdst = -1
  };
  return (gint64) mktime (&local);
}

void
exo_month_of (gint64 now_s, char *out_month)
{
  struct tm local = local_time (now_s);

  g_snprintf (out_month, EXO_MONTH_BYTES, "%04d-%02d", local.tm_year + 1900, local.tm_mon + 1);
}

/* The verdict ------------------------------------------------------------------------------- */

const char *
exo_hub_wait_name (ExoHubWait wait)
{
  static const char *const wait_names[] = { "", "hours", "cap" };

  return wait_names[wait];
}

static void
judge_cap (guint64 cap, guint64 month_bytes, ExoHubVerdict *verdict)
{
  guint64 near_bytes = cap / 100 * NEAR_PER_CENT;

  verdict->level = EXO_CAP_FAR;
  verdict->look_at_bytes = G_MAXUINT64;
  if (cap == 0)
    return;
  if (month_bytes >= cap)
    verdict->level = EXO_CAP_REACHED;
  else if (month_bytes >= near_bytes)
    verdict->level = EXO_CAP_NEAR;
  if (verdict->level != EXO_CAP_REACHED)
    verdict->look_at_bytes = verdict->level == EXO_CAP_FAR ? near_bytes : cap;
}

void
exo_limits_judge (const ExoLimits *limits,
                  gint64 now_s,
                  guint64 month_bytes,
                  ExoHubVerdict *out_verdict)
{
  struct tm local = local_time (now_s);
  gint64 change_s = next_change (&limits->hours, now_s), month_s = next_month (now_s);
  ExoHubVerdict verdict = { .wait = EXO_HUB_WAIT_NONE };

  judge_cap (limits->amounts[EXO_LIMIT_MONTHLY_CAP], month_bytes, &verdict);
  verdict.look_at_s = MIN (change_s, month_s);
  if (verdict.level == EXO_CAP_REACHED)
    {
      struct tm then = local_time (month_s);

      verdict.wait = EXO_HUB_WAIT_CAP;
      verdict.until_s =
          is_open_at (&limits->hours, &then) ? month_s : next_change (&limits->hours, month_s);
    }
  else if (!is_open_at (&limits->hours, &local))
    {
      verdict.wait = EXO_HUB_WAIT_HOURS;
      verdict.until_s = change_s;
    }
  *out_verdict = verdict;
}
