/* limit.h - what a user allows: how fast, how much, at which hours
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The values, and what follows from them at a moment: may the Hub be asked for bytes of files, until when not, and is
 * something to be told. Who asks again when a verdict says so needs no other timer.
 *
 * Pure but for the time zone, which is that of the process (TZ, /etc/localtime): hours and months are local. An hour that a
 * change to or from summer time leaves out or repeats is what the clock on the wall shows.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  EXO_LIMIT_HUB_RATE, /* bytes/s of all files from the Hub together; 0: no limit, here as below */
  EXO_LIMIT_LAN_UPLOAD_RATE, /* bytes/s to all neighbours together */
  EXO_LIMIT_HUB_CONNECTIONS, /* files and parts of files from the Hub at once */
  EXO_LIMIT_MONTHLY_CAP,     /* bytes of files from the Hub in a calendar month */
  EXO_LIMIT_HUB_HOURS,       /* when the Hub may be used: not an amount */
} ExoLimit;

#define EXO_LIMIT_N_AMOUNTS EXO_LIMIT_HUB_HOURS
#define EXO_LIMIT_N         (EXO_LIMIT_HUB_HOURS + 1)
#define EXO_LIMIT_ALL       ((1u << EXO_LIMIT_N) - 1) /* sets of limits are bits 1 << ExoLimit */

#define EXO_HOURS_MAX        8u
#define EXO_HOURS_DAY        (24u * 60u)
#define EXO_LIMIT_TEXT_BYTES (EXO_HOURS_MAX * sizeof "00:00-00:00")

/* None: always. Each from a minute of the day up to before another one, past midnight if that is the smaller one. */
typedef struct
{
  guint n;
  struct
  {
    guint from, to; /* minutes; @to: up to EXO_HOURS_DAY */
  } ranges[EXO_HOURS_MAX];
} ExoHours;

/* All 0: no limits. */
typedef struct
{
  guint64 amounts[EXO_LIMIT_N_AMOUNTS];
  ExoHours hours;
} ExoLimits;

const char *exo_limit_name (ExoLimit limit); /* "hub-rate": in the key file, on D-Bus, in files */
gboolean exo_limit_parse_name (const char *name, ExoLimit *out_limit);
/* Is @amount one that makes sense? @error: INVALID, names what is allowed */
gboolean exo_limit_check (ExoLimit limit, guint64 amount, GError **error);

/* "22:00-07:00" or "9:00-12:00, 13:00-24:00". @error: INVALID */
gboolean exo_hours_parse (const char *text, ExoHours *out_hours, GError **error);
/* @text: EXO_LIMIT_TEXT_BYTES. Parsed it is @hours again; "": always. Returns: @text */
const char *exo_hours_format (const ExoHours *hours, char *text);

/* @from over @onto, where the bit in @which is set */
void exo_limits_copy (ExoLimits *onto, const ExoLimits *from, guint which);

typedef enum
{
  EXO_HUB_WAIT_NONE, /* it may be used */
  EXO_HUB_WAIT_HOURS,
  EXO_HUB_WAIT_CAP,
} ExoHubWait;

const char *exo_hub_wait_name (ExoHubWait wait); /* "", "hours", "cap" */

typedef enum
{
  EXO_CAP_FAR,
  EXO_CAP_NEAR, /* 80 % */
  EXO_CAP_REACHED,
} ExoCapLevel;

typedef struct
{
  ExoHubWait wait;
  gint64 until_s;    /* Unix time: it may be used again; 0: now */
  ExoCapLevel level; /* FAR without a cap */
  /* To be judged again then, or when that many bytes came this month, whatever is first; at the latest. */
  gint64 look_at_s;
  guint64 look_at_bytes; /* G_MAXUINT64: never */
} ExoHubVerdict;

/* @now_s: Unix time. @month_bytes: file bytes from the Hub in the month of @now_s */
void exo_limits_judge (const ExoLimits *limits,
                       gint64 now_s,
                       guint64 month_bytes,
                       ExoHubVerdict *out_verdict);

/* "2026-11" */
#define EXO_MONTH_BYTES 16
void exo_month_of (gint64 now_s, char *out_month);

G_END_DECLS
