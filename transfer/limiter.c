/* limiter.c - what the user allows, kept and carried out
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Limits come from the key file; what was set while the agent ran goes before them, limit by limit, until it is reset, and
 * lies in limits.json of the state folder. Bytes from the Hub are counted by calendar month in the index, written while
 * something moves with all other totals and each SAVE_BYTES: kill -9 loses no more than that.
 *
 * What may be done is judged (limit.h) when a limit is set, when the verdict says so, by the clock on the wall or by
 * the bytes, and when somebody sets that clock: nothing wakes the machine in between.
 */

#include <errno.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "transfer/engine-private.h"
#include "transfer/json-text.h"

#define FILE_BYTES_MAX 4096
#define SAVE_BYTES     (16u << 20)

struct ExoLimiter
{
  ExoEngine *engine; /* borrowed */
  char *path;
  ExoLimits configured, live, now; /* now: in force */
  guint set;                       /* of live: which */
  char month[EXO_MONTH_BYTES];
  guint64 month_base, hub_base; /* bytes of the month when the Hub's count was hub_base */
  ExoCapLevel told;             /* the user was warned */
  ExoHubVerdict verdict;
  char *why; /* "", or why the Hub waits */
  int timer; /* -1: none could be made */
  guint timer_source;
};

/* The month -------------------------------------------------------------------------------------- */

static guint64
hub_bytes (ExoLimiter *limiter)
{
  ExoHubState hub;

  exo_hub_get_state (limiter->engine->hub, &hub);
  return hub.bytes;
}

static guint64
month_bytes (ExoLimiter *limiter)
{
  return limiter->month_base + hub_bytes (limiter) - limiter->hub_base;
}

/* "from-hub 2026-11", "warned 2026-11": of other months they stay, and are few. */
static char *
counter_name (ExoLimiter *limiter, const char *what)
{
  return g_strconcat (what, " ", limiter->month, NULL);
}

void
exo_limiter_save (ExoLimiter *limiter)
{
  g_autofree char *bytes = counter_name (limiter, "from-hub");

  exo_store_set_counter (limiter->engine->store, bytes, month_bytes (limiter));
}

static void
set_told (ExoLimiter *limiter, ExoCapLevel level)
{
  g_autofree char *warned = counter_name (limiter, "warned");

  limiter->told = level;
  exo_store_set_counter (limiter->engine->store, warned, level);
}

static void
enter_month (ExoLimiter *limiter, gint64 now_s)
{
  char month[EXO_MONTH_BYTES];
  g_autofree char *bytes = NULL, *warned = NULL;

  exo_month_of (now_s, month);
  if (strcmp (month, limiter->month) == 0)
    return;
  if (*limiter->month != '\0')
    exo_limiter_save (limiter);
  g_strlcpy (limiter->month, month, sizeof limiter->month);
  bytes = counter_name (limiter, "from-hub");
  warned = counter_name (limiter, "warned");
  limiter->month_base = exo_store_get_counter (limiter->engine->store, bytes);
  limiter->hub_base = hub_bytes (limiter);
  limiter->told =
      (ExoCapLevel) MIN (exo_store_get_counter (limiter->engine->store, warned), EXO_CAP_REACHED);
}

/* What follows ----------------------------------------------------------------------------------- */

/* (transfer full): the day, or the hour if it is within one */
static char *
time_text (gint64 at_s, gint64 now_s)
{
  g_autoptr (GDateTime) at = g_date_time_new_from_unix_local (at_s);

  return g_date_time_format (at, at_s - now_s <= 24 * 3600 ? "%H:%M" : "%Y-%m-%d");
}

/* (transfer full) */
static char *
say_why (ExoLimiter *limiter, gint64 now_s)
{
  const ExoHubVerdict *verdict = &limiter->verdict;
  g_autofree char *cap = g_format_size (limiter->now.amounts[EXO_LIMIT_MONTHLY_CAP]);
  g_autofree char *until = NULL;

  if (verdict->wait == EXO_HUB_WAIT_NONE)
    return g_strdup ("");
  until = time_text (verdict->until_s, now_s);
  if (verdict->wait == EXO_HUB_WAIT_CAP)
    return g_strdup_printf (
        /* TRANSLATORS: an amount of bytes, a day or hour */
        _ ("This month's limit of %s from the Hub is reached: waiting for neighbours, or until %s. "
           "Raise it with: exoctl limits set monthly-cap=..."),
        cap, until);
  return g_strdup_printf (
      /* TRANSLATORS: an hour or day */
      _ ("The Hub is not to be used at this hour: waiting for neighbours, or until %s. "
         "Change it with: exoctl limits set hub-hours=..."),
      until);
}

static void
warn_of_cap (ExoLimiter *limiter)
{
  ExoCapLevel level = limiter->verdict.level;
  guint64 cap_bytes = limiter->now.amounts[EXO_LIMIT_MONTHLY_CAP];
  g_autofree char *cap = g_format_size (cap_bytes), *used = g_format_size (month_bytes (limiter));

  if (level == limiter->told || !limiter->engine->restored)
    return;
  if (level == EXO_CAP_REACHED && level > limiter->told)
    exo_engine_warn (
        limiter->engine, "limit",
        N_ ("This month's limit of %s from the Hub is reached: until it is raised (exoctl limits) "
            "or the month is over, only neighbours are asked."),
        cap);
  else if (level > limiter->told)
    exo_engine_warn (limiter->engine, "limit",
                     N_ ("%s of this month's limit of %s from the Hub are used, more than 80 %%. "
                         "See exoctl limits."),
                     used, cap);
  set_told (limiter, level); /* lower again once it was raised */
}

static void
carry_out (ExoLimiter *limiter)
{
  ExoEngine *engine = limiter->engine;
  const guint64 *amounts = limiter->now.amounts;
  guint64 rate = amounts[EXO_LIMIT_HUB_RATE];

  exo_fetcher_set_rate (engine->fetcher, rate);
  exo_lan_server_set_rate (exo_swarm_server (engine->swarm), amounts[EXO_LIMIT_LAN_UPLOAD_RATE]);
  exo_swarm_limit_hub (engine->swarm, limiter->verdict.wait == EXO_HUB_WAIT_NONE, rate,
                       (guint) amounts[EXO_LIMIT_HUB_CONNECTIONS]);
}

static void
set_timer (ExoLimiter *limiter)
{
  struct itimerspec at = { .it_value = { .tv_sec = (time_t) limiter->verdict.look_at_s } };

  /* Of the clock on the wall: it counts while the machine sleeps, and says so when somebody sets it. */
  if (limiter->timer >= 0 &&
      timerfd_settime (limiter->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, NULL) !=
          0 &&
      errno != ECANCELED) /* the clock was set just now; it is armed */
    g_warning ("limits are not looked at in time: %s", g_strerror (errno));
}

static void
on_alarm (ExoHub *hub, gpointer user_data)
{
  exo_limiter_save (user_data);
  exo_limiter_look (user_data);
}

static void
set_alarm (ExoLimiter *limiter)
{
  guint64 now = hub_bytes (limiter), left = SAVE_BYTES;

  if (limiter->verdict.look_at_bytes != G_MAXUINT64)
    left = MIN (left, limiter->verdict.look_at_bytes - month_bytes (limiter));
  exo_hub_set_alarm (limiter->engine->hub, now + left, on_alarm, limiter);
}

void
exo_limiter_look (ExoLimiter *limiter)
{
  gint64 now_s = g_get_real_time () / G_USEC_PER_SEC;
  ExoHubWait before = limiter->verdict.wait;

  if (limiter->engine->stopping)
    return;
  enter_month (limiter, now_s);
  exo_limits_judge (&limiter->now, now_s, month_bytes (limiter), &limiter->verdict);
  g_free (limiter->why);
  limiter->why = say_why (limiter, now_s);
  set_timer (limiter);
  set_alarm (limiter);
  warn_of_cap (limiter);
  exo_engine_changed_soon (limiter->engine);
  if (limiter->verdict.wait == before)
    return;
  g_message ("the Hub may %s", limiter->verdict.wait == EXO_HUB_WAIT_NONE
                                   ? "be used"
                                   : "not be used now, because of a limit");
  carry_out (limiter);
  exo_node_changed (limiter->engine->self);
}

static gboolean
on_timer (int fd, GIOCondition condition, gpointer user_data)
{
  guint64 n;

  /* Nothing to read: the clock was set. */
  if (read (fd, &n, sizeof n) < 0 && errno != ECANCELED)
    return G_SOURCE_CONTINUE;
  exo_limiter_look (user_data);
  return G_SOURCE_CONTINUE;
}

/* What was set ----------------------------------------------------------------------------------- */

static gboolean
read_member (ExoLimiter *limiter, JsonObject *object, ExoLimit limit, GError **error)
{
  const char *name = exo_limit_name (limit), *text = exo_json_string (object, name);
  guint64 amount;

  if (!json_object_has_member (object, name))
    return TRUE;
  if (limit == EXO_LIMIT_HUB_HOURS && text != NULL)
    {
      if (*text != '\0' && !exo_hours_parse (text, &limiter->live.hours, error))
        return FALSE;
    }
  else if (limit != EXO_LIMIT_HUB_HOURS && exo_json_size (object, name, &amount))
    {
      if (!exo_limit_check (limit, amount, error))
        return FALSE;
      limiter->live.amounts[limit] = amount;
    }
  else
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID, _ ("%s is not a value"),
                   name);
      return FALSE;
    }
  limiter->set |= 1u << limit;
  return TRUE;
}

static gboolean
read_text (ExoLimiter *limiter, const char *text, GError **error)
{
  g_autoptr (JsonNode) root = exo_json_parse (text, -1, FILE_BYTES_MAX, error);

  if (root == NULL)
    return FALSE;
  if (!JSON_NODE_HOLDS_OBJECT (root))
    {
      g_set_error_literal (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                           _ ("not an object"));
      return FALSE;
    }
  for (guint i = 0; i < EXO_LIMIT_N; i++)
    if (!read_member (limiter, json_node_get_object (root), (ExoLimit) i, error))
      return FALSE;
  return TRUE;
}

static void
read_file (ExoLimiter *limiter)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  if (g_file_get_contents (limiter->path, &text, NULL, &error))
    (void) read_text (limiter, text, &error);
  if (error != NULL && !g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    g_warning ("limits set before are lost in part: %s: %s", limiter->path, error->message);
}

static gboolean
write_file (ExoLimiter *limiter, const ExoLimits *live, guint set, GError **error)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *text = NULL;
  char hours[EXO_LIMIT_TEXT_BYTES];

  json_builder_begin_object (builder);
  for (guint i = 0; i < EXO_LIMIT_N; i++)
    {
      if ((set & 1u << i) == 0)
        continue;
      json_builder_set_member_name (builder, exo_limit_name ((ExoLimit) i));
      if (i == EXO_LIMIT_HUB_HOURS)
        json_builder_add_string_value (builder, exo_hours_format (&live->hours, hours));
      else
        json_builder_add_int_value (builder, (gint64) live->amounts[i]);
    }
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  text = json_to_string (root, FALSE);
  if (g_file_set_contents (limiter->path, text, -1, &local))
    return TRUE;
  g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_DISK, "%s", local->message);
  return FALSE;
}

static void
put_together (ExoLimiter *limiter)
{
  limiter->now = limiter->configured;
  exo_limits_copy (&limiter->now, &limiter->live, limiter->set);
}

static gboolean
change (ExoLimiter *limiter, const ExoLimits *live, guint set, GError **error)
{
  if (!write_file (limiter, live, set, error))
    return FALSE;
  limiter->live = *live;
  limiter->set = set;
  put_together (limiter);
  exo_limiter_look (limiter);
  carry_out (limiter);
  return TRUE;
}

gboolean
exo_engine_set_limits (ExoEngine *engine, const ExoLimits *limits, guint which, GError **error)
{
  ExoLimiter *limiter = engine->limiter;
  ExoLimits live = limiter->live;

  exo_limits_copy (&live, limits, which);
  return change (limiter, &live, limiter->set | which, error);
}

gboolean
exo_engine_reset_limits (ExoEngine *engine, guint which, GError **error)
{
  return change (engine->limiter, &engine->limiter->live, engine->limiter->set & ~which, error);
}

void
exo_engine_get_limits (ExoEngine *engine, ExoLimitsState *out_state)
{
  const ExoLimiter *limiter = engine->limiter;

  *out_state = (ExoLimitsState){
    .limits = limiter->now,
    .set = limiter->set,
    .month_bytes = month_bytes (engine->limiter),
    .wait = limiter->verdict.wait,
    .until_s = limiter->verdict.until_s,
  };
}

const char *
exo_limiter_why (ExoLimiter *limiter)
{
  return limiter->why;
}

gboolean
exo_limiter_allows_hub (ExoLimiter *limiter)
{
  return limiter->verdict.wait == EXO_HUB_WAIT_NONE;
}

gboolean
exo_limiter_has_room (ExoLimiter *limiter)
{
  guint64 most = limiter->now.amounts[EXO_LIMIT_HUB_CONNECTIONS];
  ExoHubState hub;

  exo_hub_get_state (limiter->engine->hub, &hub);
  return exo_limiter_allows_hub (limiter) && (most == 0 || hub.n_fetches < most);
}

/* Life ------------------------------------------------------------------------------------------- */

ExoLimiter *
exo_limiter_new (ExoEngine *engine, const char *state_dir, const ExoLimits *configured)
{
  ExoLimiter *limiter = g_new0 (ExoLimiter, 1);

  limiter->engine = engine;
  limiter->path = g_build_filename (state_dir, "limits.json", NULL);
  limiter->configured = *configured;
  limiter->timer = timerfd_create (CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (limiter->timer >= 0)
    limiter->timer_source = g_unix_fd_add (limiter->timer, G_IO_IN, on_timer, limiter);
  read_file (limiter);
  put_together (limiter);
  exo_limiter_look (limiter);
  carry_out (limiter);
  return limiter;
}

void
exo_limiter_free (ExoLimiter *limiter)
{
  if (limiter == NULL)
    return;
  exo_hub_set_alarm (limiter->engine->hub, 0, NULL, NULL);
  g_clear_handle_id (&limiter->timer_source, g_source_remove);
  if (limiter->timer >= 0)
    close (limiter->timer);
  g_free (limiter->path);
  g_free (limiter->why);
  g_free (limiter);
}
