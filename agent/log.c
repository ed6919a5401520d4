/* log.c - where messages go, and what never goes there
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HIDDEN "***"

static gboolean
is_url_end (char c)
{
  return c == '\0' || g_ascii_isspace (c) || strchr ("\"'<>`", c) != NULL;
}

static gsize
url_length (const char *at)
{
  gsize length = 0;

  while (!is_url_end (at[length]))
    length++;
  return length;
}

static const char *
skip_blanks (const char *at)
{
  while (*at == ' ' || *at == '\t')
    at++;
  return at;
}

/* Each of these copies what may be seen of the secret that begins at @at and returns where it ends; NULL: there is none. */

static const char *
hide_token (const char *at, GString *out)
{
  const char *end = at + strlen ("hf_");

  if (!g_str_has_prefix (at, "hf_") || !g_ascii_isalnum (*end))
    return NULL;
  while (g_ascii_isalnum (*end))
    end++;
  g_string_append (out, "hf_" HIDDEN);
  return end;
}

static const char *
hide_header (const char *at, GString *out)
{
  const gsize length = strlen ("authorization");
  const char *end = at + length;

  if (g_ascii_strncasecmp (at, "authorization", length) != 0)
    return NULL;
  end += strspn (end, "\"' \t");
  if (*end != ':' && *end != '=')
    return NULL;
  g_string_append_len (out, at, end + 1 - at);
  g_string_append (out, " " HIDDEN);
  return end + strcspn (end, "\r\n");
}

static const char *
hide_credential (const char *at, GString *out)
{
  gsize scheme = g_ascii_strncasecmp (at, "bearer ", 7) == 0  ? 7
                 : g_ascii_strncasecmp (at, "basic ", 6) == 0 ? 6
                                                              : 0;
  const char *word = skip_blanks (at + scheme);

  if (scheme == 0 || is_url_end (*word))
    return NULL;
  g_string_append_len (out, at, (gssize) scheme);
  g_string_append (out, HIDDEN);
  return word + url_length (word);
}

static const char *
hide_user (const char *at, GString *out)
{
  const char *rest = at + strlen ("://");
  gsize length;

  if (!g_str_has_prefix (at, "://"))
    return NULL;
  for (length = 0; !is_url_end (rest[length]) && strchr ("/?#", rest[length]) == NULL;)
    length++;
  while (length > 0 && rest[length] != '@') /* the last one: passwords may contain it */
    length--;
  if (length == 0)
    return NULL;
  g_string_append (out, "://" HIDDEN);
  return rest + length;
}

static const char *
hide_query (const char *text, const char *at, GString *out)
{
  if (*at != '?' || at == text || is_url_end (at[-1]) || is_url_end (at[1]))
    return NULL;
  g_string_append (out, "?" HIDDEN);
  return at + url_length (at);
}

char *
exo_log_redact (const char *text)
{
  GString *out = g_string_sized_new (strlen (text) + 1);
  const char *at = text;

  while (*at != '\0')
    {
      const char *end = hide_token (at, out);

      if (end == NULL)
        end = hide_header (at, out);
      if (end == NULL)
        end = hide_credential (at, out);
      if (end == NULL)
        end = hide_user (at, out);
      if (end == NULL)
        end = hide_query (text, at, out);
      if (end == NULL)
        {
          g_string_append_c (out, *at);
          end = at + 1;
        }
      at = end;
    }
  return g_string_free (out, FALSE);
}

static const char *
level_name (GLogLevelFlags level)
{
  if (level & G_LOG_LEVEL_ERROR)
    return "fatal";
  if (level & G_LOG_LEVEL_CRITICAL)
    return "critical";
  if (level & G_LOG_LEVEL_WARNING)
    return "warning";
  if (level & G_LOG_LEVEL_MESSAGE)
    return "notice";
  return level & G_LOG_LEVEL_INFO ? "info" : "debug";
}

char *
exo_log_format (GDateTime *time, GLogLevelFlags level, const char *domain, const char *message)
{
  g_autofree char *valid = g_utf8_make_valid (message, -1);
  g_autofree char *stamp = g_date_time_format (time, "%F %T");
  GString *line = g_string_new (NULL);

  g_string_printf (line, "%s.%03d %s %s: ", stamp, g_date_time_get_microsecond (time) / 1000,
                   level_name (level), domain != NULL ? domain : "-");
  for (const char *at = valid; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar c = g_utf8_get_char (at);

      g_string_append_unichar (line, g_unichar_iscntrl (c) ? ' ' : c);
    }
  return g_string_free (line, FALSE);
}

/* ---------------------------------------------------------------------------------------------- */

static gboolean log_verbose;
static gboolean log_to_journal;

static const char *
find_field (const GLogField *fields, gsize n_fields, const char *key)
{
  for (gsize i = 0; i < n_fields; i++)
    if (strcmp (fields[i].key, key) == 0 && fields[i].length < 0)
      return fields[i].value;
  return NULL;
}

static GLogWriterOutput
write_journal (GLogLevelFlags level, const GLogField *fields, gsize n_fields)
{
  g_autofree GLogField *clean = g_memdup2 (fields, n_fields * sizeof *fields);
  g_autoptr (GPtrArray) values = g_ptr_array_new_with_free_func (g_free);

  for (gsize i = 0; i < n_fields; i++)
    if (fields[i].length < 0)
      {
        clean[i].value = exo_log_redact (fields[i].value);
        g_ptr_array_add (values, (gpointer) clean[i].value);
      }
  return g_log_writer_journald (level, clean, n_fields, NULL);
}

static GLogWriterOutput
write_log (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
  const char *domain = find_field (fields, n_fields, "GLIB_DOMAIN");
  const char *message = find_field (fields, n_fields, "MESSAGE");
  g_autoptr (GDateTime) now = NULL;
  g_autofree char *clean = NULL;
  g_autofree char *line = NULL;

  if ((level & G_LOG_LEVEL_DEBUG) != 0 && !log_verbose &&
      g_log_writer_default_would_drop (level, domain))
    return G_LOG_WRITER_HANDLED;
  if (log_to_journal && write_journal (level, fields, n_fields) == G_LOG_WRITER_HANDLED)
    return G_LOG_WRITER_HANDLED;

  now = g_date_time_new_now_local ();
  clean = exo_log_redact (message != NULL ? message : "");
  line = exo_log_format (now, level, domain, clean);
  fprintf (stderr, "%s\n", line);
  return G_LOG_WRITER_HANDLED;
}

void
exo_log_init (gboolean verbose)
{
  log_verbose = verbose;
  log_to_journal = g_log_writer_is_journald (STDERR_FILENO);
  g_log_set_writer_func (write_log, NULL, NULL);
}
