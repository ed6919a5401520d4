/* config.c - what the user wants: key file, environment, defaults
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/config.h"

#include <glib/gi18n.h>
#include <pwd.h>
#include <string.h>

#include "agent/amount.h"

typedef struct
{
  const char *path; /* for messages */
  GKeyFile *file;
  char **environment;
} Sources;

static const struct
{
  const char *group;
  const char *keys[6];
} known_groups[] = {
  { "agent", { "name", "state-dir" } },
  { "lan", { "port", "loopback", "peers", "mdns", "upload-slots" } },
  { "hub", { "endpoint", "token-path", "offline", "metered" } },
  { "cache", { "path", "roots" } },
  { "endpoint", { "enabled", "port" } },
  { "exo", { "api", "link" } },
  { "limits", { "hub-rate", "lan-upload-rate", "hub-connections", "monthly-cap", "hub-hours" } },
};

/* Paths ---------------------------------------------------------------------------------------- */

static const char *
variable (const Sources *sources, const char *name)
{
  const char *value = g_environ_getenv (sources->environment, name);

  return value != NULL && *value != '\0' ? value : NULL;
}

static const char *
home (const Sources *sources)
{
  const char *value = variable (sources, "HOME");

  return value != NULL ? value : g_get_home_dir ();
}

/* Python's os.path.expanduser() */
static char *
expand_user (const Sources *sources, const char *text)
{
  const char *rest = text + strcspn (text, "/");
  g_autofree char *user = NULL;
  const struct passwd *entry;

  if (*text != '~')
    return g_strdup (text);
  if (rest == text + 1)
    return g_strconcat (home (sources), rest, NULL);
  user = g_strndup (text + 1, (gsize) (rest - text - 1));
  entry = getpwnam (user);
  return entry != NULL ? g_strconcat (entry->pw_dir, rest, NULL) : g_strdup (text);
}

/* Appends the value of the variable at @at, which is a '$'. Returns where it ends; @at + 1 if it is none. */
static const char *
expand_one (const Sources *sources, const char *at, GString *out)
{
  gboolean braced = at[1] == '{';
  const char *name = at + (braced ? 2 : 1);
  const char *end = name;
  g_autofree char *key = NULL;
  const char *value;

  while (braced ? *end != '}' && *end != '\0' : g_ascii_isalnum (*end) || *end == '_')
    end++;
  key = g_strndup (name, (gsize) (end - name));
  value = (!braced || *end == '}') ? g_environ_getenv (sources->environment, key) : NULL;
  if (value == NULL)
    {
      g_string_append_c (out, '$');
      return at + 1;
    }
  g_string_append (out, value);
  return braced ? end + 1 : end;
}

static char *
expand (const Sources *sources, const char *text)
{
  g_autofree char *with_user = expand_user (sources, text);
  GString *out = g_string_new (NULL);

  for (const char *at = with_user; *at != '\0';)
    if (*at == '$')
      at = expand_one (sources, at, out);
    else
      g_string_append_c (out, *at++);
  return g_string_free (out, FALSE);
}

static char *
variable_path (const Sources *sources, const char *name)
{
  const char *value = variable (sources, name);
  g_autofree char *path = value != NULL ? expand (sources, value) : NULL;

  return path != NULL ? g_canonicalize_filename (path, NULL) : NULL;
}

/* $@name/@last, or ~/@otherwise/@last */
static char *
xdg_path (const Sources *sources, const char *name, const char *otherwise, const char *last)
{
  g_autofree char *base = variable_path (sources, name);

  return base != NULL ? g_build_filename (base, last, NULL)
                      : g_build_filename (home (sources), otherwise, last, NULL);
}

static char *
hf_path (const Sources *sources, const char *last)
{
  g_autofree char *base = variable_path (sources, "HF_HOME");

  if (base == NULL)
    base = xdg_path (sources, "XDG_CACHE_HOME", ".cache", "huggingface");
  return g_build_filename (base, last, NULL);
}

/* The key file --------------------------------------------------------------------------------- */

G_GNUC_PRINTF (5, 6)
static gboolean
fail (const Sources *sources,
      const char *group,
      const char *key,
      GError **error,
      const char *format,
      ...)
{
  g_autofree char *what = NULL;
  va_list arguments;

  va_start (arguments, format);
  what = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, "%s: [%s] %s: %s",
               sources->path, group, key, what);
  return FALSE;
}

static gboolean
check_keys (const Sources *sources, const char *group, const char *const *known, GError **error)
{
  g_auto (GStrv) keys = g_key_file_get_keys (sources->file, group, NULL, error);
  g_autofree char *allowed = g_strjoinv (", ", (char **) known);

  if (keys == NULL)
    return FALSE;
  for (char **key = keys; *key != NULL; key++)
    if (!g_strv_contains (known, *key))
      return fail (sources, group, *key, error, _ ("unknown key; known here: %s"), allowed);
  return TRUE;
}

static gboolean
check_groups (const Sources *sources, GError **error)
{
  g_auto (GStrv) groups = g_key_file_get_groups (sources->file, NULL);

  for (char **group = groups; *group != NULL; group++)
    {
      gsize i = 0;

      while (i < G_N_ELEMENTS (known_groups) && strcmp (known_groups[i].group, *group) != 0)
        i++;
      if (i == G_N_ELEMENTS (known_groups))
        {
          g_set_error (
              error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_GROUP_NOT_FOUND,
              _ ("%s: [%s]: unknown group; known: agent, lan, hub, cache, endpoint, exo, limits"),
              sources->path, *group);
          return FALSE;
        }
      if (!check_keys (sources, *group, known_groups[i].keys, error))
        return FALSE;
    }
  return TRUE;
}

/* *@out_value stays as it is if the key is not there. */
static gboolean
get_string (const Sources *sources,
            const char *group,
            const char *key,
            char **out_value,
            GError **error)
{
  g_autofree char *value = NULL;
  g_autoptr (GError) local = NULL;

  if (!g_key_file_has_key (sources->file, group, key, NULL))
    return TRUE;
  value = g_key_file_get_string (sources->file, group, key, &local);
  if (local != NULL) /* there may be a value even so */
    return fail (sources, group, key, error, _ ("not text in UTF-8 with valid escapes"));
  g_strstrip (value);
  if (*value == '\0')
    return fail (sources, group, key, error, _ ("is empty; leave the line out for the default"));
  g_free (*out_value);
  *out_value = g_steal_pointer (&value);
  return TRUE;
}

static gboolean
get_path (const Sources *sources,
          const char *group,
          const char *key,
          char **out_path,
          GError **error)
{
  g_autofree char *value = NULL;
  g_autofree char *path = NULL;

  if (!get_string (sources, group, key, &value, error))
    return FALSE;
  if (value == NULL)
    return TRUE;
  path = expand (sources, value);
  if (!g_path_is_absolute (path))
    return fail (sources, group, key, error, _ ("\"%s\" is not an absolute path"), path);
  g_free (*out_path);
  *out_path = g_canonicalize_filename (path, NULL);
  return TRUE;
}

static gboolean
get_flag (const Sources *sources,
          const char *group,
          const char *key,
          gboolean *out_flag,
          GError **error)
{
  g_autofree char *value = NULL;

  if (!get_string (sources, group, key, &value, error))
    return FALSE;
  if (value == NULL)
    return TRUE;
  if (strcmp (value, "true") != 0 && strcmp (value, "false") != 0)
    return fail (sources, group, key, error, _ ("\"%s\" is neither true nor false"), value);
  *out_flag = strcmp (value, "true") == 0;
  return TRUE;
}

static gboolean
get_number (const Sources *sources,
            const char *group,
            const char *key,
            guint min,
            guint max,
            guint *out_number,
            GError **error)
{
  g_autofree char *value = NULL;
  guint64 number;

  if (!get_string (sources, group, key, &value, error))
    return FALSE;
  if (value == NULL)
    return TRUE;
  if (!g_ascii_string_to_unsigned (value, 10, min, max, &number, NULL))
    return fail (sources, group, key, error, _ ("\"%s\" is not a number from %u to %u"), value, min,
                 max);
  *out_number = (guint) number;
  return TRUE;
}

/* Values --------------------------------------------------------------------------------------- */

static gboolean
name_is_valid (const char *name)
{
  if (*name == '\0' || strlen (name) > EXO_CONFIG_NAME_MAX || !g_utf8_validate (name, -1, NULL))
    return FALSE;
  for (const char *at = name; *at != '\0'; at = g_utf8_next_char (at))
    if (g_unichar_iscntrl (g_utf8_get_char (at)))
      return FALSE;
  return TRUE;
}

static gboolean
load_agent (const Sources *sources, ExoConfig *config, GError **error)
{
  const char *host = g_get_host_name ();

  config->name = g_strndup (host, strcspn (host, "."));
  if (!name_is_valid (config->name))
    {
      g_free (config->name);
      config->name = g_strdup ("exo-agent");
    }
  if (!get_string (sources, "agent", "name", &config->name, error))
    return FALSE;
  if (!name_is_valid (config->name))
    return fail (sources, "agent", "name", error,
                 _ ("must be 1 to %u bytes without control characters"), EXO_CONFIG_NAME_MAX);
  config->state_dir = xdg_path (sources, "XDG_STATE_HOME", ".local/state", "exo-agent");
  return get_path (sources, "agent", "state-dir", &config->state_dir, error);
}

/* "host:port" of @text, or NULL. */
static char *
normal_peer (const char *text)
{
  g_autoptr (GSocketConnectable) peer =
      g_network_address_parse (text, EXO_CONFIG_PORT_DEFAULT, NULL);
  const char *host;
  guint16 port;

  if (peer == NULL || strchr (text, '/') != NULL)
    return NULL;
  host = g_network_address_get_hostname (G_NETWORK_ADDRESS (peer));
  port = g_network_address_get_port (G_NETWORK_ADDRESS (peer));
  if (port == 0 || *host == '\0' || strpbrk (host, " \t@?#") != NULL)
    return NULL;
  return g_strdup_printf (strchr (host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
}

static gboolean
load_peers (const Sources *sources, ExoConfig *config, GError **error)
{
  g_autoptr (GPtrArray) peers = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *value = NULL;
  g_auto (GStrv) parts = NULL;

  if (!get_string (sources, "lan", "peers", &value, error))
    return FALSE;
  parts = g_strsplit (value != NULL ? value : "", ";", -1);
  for (char **part = parts; *part != NULL; part++)
    {
      char *peer;

      if (*g_strstrip (*part) == '\0')
        continue;
      peer = normal_peer (*part);
      if (peer == NULL)
        return fail (sources, "lan", "peers", error, _ ("\"%s\" is not HOST or HOST:PORT"), *part);
      g_ptr_array_add (peers, peer);
      if (peers->len > EXO_CONFIG_PEERS_MAX)
        return fail (sources, "lan", "peers", error, _ ("more than %u"), EXO_CONFIG_PEERS_MAX);
    }
  g_ptr_array_add (peers, NULL);
  config->peers = g_strdupv ((char **) peers->pdata);
  return TRUE;
}

static gboolean
load_lan (const Sources *sources, ExoConfig *config, GError **error)
{
  guint port = EXO_CONFIG_PORT_DEFAULT;

  config->mdns = TRUE;
  if (!get_number (sources, "lan", "port", 0, G_MAXUINT16, &port, error) ||
      !get_flag (sources, "lan", "loopback", &config->loopback, error) ||
      !get_flag (sources, "lan", "mdns", &config->mdns, error) ||
      !get_number (sources, "lan", "upload-slots", 1, EXO_CONFIG_UPLOAD_SLOTS_MAX,
                   &config->upload_slots, error))
    return FALSE;
  config->port = (guint16) port;
  return load_peers (sources, config, error);
}

static gboolean
load_programs (const Sources *sources, ExoConfig *config, GError **error)
{
  guint port = EXO_CONFIG_ENDPOINT_PORT_DEFAULT;

  config->serve_programs = TRUE;
  if (!get_flag (sources, "endpoint", "enabled", &config->serve_programs, error) ||
      !get_number (sources, "endpoint", "port", 0, G_MAXUINT16, &port, error))
    return FALSE;
  config->endpoint_port = (guint16) port;
  return TRUE;
}

/* Whoever exports HF_ENDPOINT for all programs exports it for the agent, too, which would then ask itself. */
static gboolean
is_own_endpoint (const ExoConfig *config, const char *url)
{
  g_autoptr (GUri) uri = g_uri_parse (url, G_URI_FLAGS_NONE, NULL);
  static const char *const hosts[] = { "127.0.0.1", "localhost", "::1", NULL };

  return uri != NULL && config->serve_programs && config->endpoint_port != 0 &&
         g_uri_get_port (uri) == config->endpoint_port &&
         g_strv_contains (hosts, g_uri_get_host (uri));
}

static gboolean
endpoint_is_valid (const char *text)
{
  g_autoptr (GUri) uri = g_uri_parse (text, G_URI_FLAGS_NONE, NULL);

  return uri != NULL && g_uri_get_host (uri) != NULL && *g_uri_get_host (uri) != '\0' &&
         g_uri_get_userinfo (uri) == NULL && g_uri_get_query (uri) == NULL &&
         g_uri_get_fragment (uri) == NULL &&
         (strcmp (g_uri_get_scheme (uri), "https") == 0 ||
          strcmp (g_uri_get_scheme (uri), "http") == 0);
}

static gboolean
load_endpoint (const Sources *sources, ExoConfig *config, GError **error)
{
  g_autofree char *value = NULL;
  const char *from_environment = variable (sources, "HF_ENDPOINT");

  if (!get_string (sources, "hub", "endpoint", &value, error))
    return FALSE;
  if (value != NULL && !endpoint_is_valid (value))
    return fail (sources, "hub", "endpoint", error,
                 _ ("must be a http:// or https:// URL without user, query and fragment"));
  if (value != NULL && is_own_endpoint (config, value))
    return fail (sources, "hub", "endpoint", error,
                 _ ("is this agent's own endpoint for programs: name the Hub itself"));
  if (value == NULL && from_environment != NULL && !endpoint_is_valid (from_environment))
    {
      g_set_error (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                   _ ("HF_ENDPOINT in the environment must be a http:// or https:// URL without "
                      "user, query and fragment"));
      return FALSE;
    }
  if (from_environment != NULL && is_own_endpoint (config, from_environment))
    from_environment = NULL;
  if (value == NULL)
    value = g_strdup (from_environment != NULL ? from_environment : EXO_CONFIG_ENDPOINT_DEFAULT);
  while (g_str_has_suffix (value, "/"))
    value[strlen (value) - 1] = '\0';
  config->endpoint = g_steal_pointer (&value);
  return TRUE;
}

static gboolean
is_true (const char *value)
{
  return value != NULL &&
         (g_ascii_strcasecmp (value, "1") == 0 || g_ascii_strcasecmp (value, "on") == 0 ||
          g_ascii_strcasecmp (value, "yes") == 0 || g_ascii_strcasecmp (value, "true") == 0);
}

/* Without CR, LF and outer blanks; NULL if nothing is left. */
static char *
clean_token (const char *value)
{
  g_autofree char *token = g_strdup (value);
  gsize n = 0;

  if (token == NULL)
    return NULL;
  for (const char *at = token; *at != '\0'; at++)
    if (*at != '\r' && *at != '\n')
      token[n++] = *at;
  token[n] = '\0';
  g_strstrip (token);
  return *token != '\0' ? g_steal_pointer (&token) : NULL;
}

static gboolean
load_token (const Sources *sources, ExoConfig *config, GError **error)
{
  if (!get_path (sources, "hub", "token-path", &config->token_path, error))
    return FALSE;
  if (config->token_path != NULL || is_true (variable (sources, "HF_HUB_DISABLE_IMPLICIT_TOKEN")))
    return TRUE;
  config->token = clean_token (variable (sources, "HF_TOKEN"));
  if (config->token == NULL)
    config->token = clean_token (variable (sources, "HUGGING_FACE_HUB_TOKEN"));
  config->token_path = variable_path (sources, "HF_TOKEN_PATH");
  if (config->token_path == NULL)
    config->token_path = hf_path (sources, "token");
  return TRUE;
}

static gboolean
load_metered (const Sources *sources, ExoConfig *config, GError **error)
{
  static const char *const names[] = {
    [EXO_METERED_AUTO] = "auto", [EXO_METERED_NO] = "no", [EXO_METERED_YES] = "yes"
  };
  g_autofree char *value = NULL;
  guint i = 0;

  if (!get_string (sources, "hub", "metered", &value, error))
    return FALSE;
  while (value != NULL && i < G_N_ELEMENTS (names) && strcmp (names[i], value) != 0)
    i++;
  if (i == G_N_ELEMENTS (names))
    return fail (sources, "hub", "metered", error, _ ("\"%s\" is neither yes, no nor auto"), value);
  config->metered = (ExoMetered) i;
  return TRUE;
}

static gboolean
load_hub (const Sources *sources, ExoConfig *config, GError **error)
{
  config->offline = is_true (variable (sources, "HF_HUB_OFFLINE"));
  return load_endpoint (sources, config, error) && load_token (sources, config, error) &&
         get_flag (sources, "hub", "offline", &config->offline, error) &&
         load_metered (sources, config, error);
}

static gboolean
load_cache (const Sources *sources, ExoConfig *config, GError **error)
{
  config->cache = variable_path (sources, "HF_HUB_CACHE");
  if (config->cache == NULL)
    config->cache = variable_path (sources, "HUGGINGFACE_HUB_CACHE");
  if (config->cache == NULL)
    config->cache = hf_path (sources, "hub");
  return get_path (sources, "cache", "path", &config->cache, error);
}

static gboolean
load_exo (const Sources *sources, ExoConfig *config, GError **error)
{
  guint port = EXO_CONFIG_EXO_PORT_DEFAULT;
  g_autofree char *value = NULL;

  if (!get_string (sources, "exo", "api", &value, error))
    return FALSE;
  if (g_strcmp0 (value, "off") == 0)
    port = 0;
  else if (!get_number (sources, "exo", "api", 1, G_MAXUINT16, &port, error))
    return FALSE;
  config->exo_port = (guint16) port;
  return get_path (sources, "exo", "link", &config->exo_link, error);
}

static gboolean
parse_amount (ExoLimit limit, const char *text, guint64 *out_amount)
{
  if (limit == EXO_LIMIT_HUB_CONNECTIONS)
    return strcmp (text, "off") == 0 ||
           g_ascii_string_to_unsigned (text, 10, 1, G_MAXUINT32, out_amount, NULL);
  return exo_amount_parse (text, limit != EXO_LIMIT_MONTHLY_CAP, out_amount);
}

static gboolean
load_amount (const Sources *sources, ExoLimit limit, guint64 *out_amount, GError **error)
{
  static const char *const examples[EXO_LIMIT_N_AMOUNTS] = { "20MB/s", "20MB/s", "4", "500GB" };
  const char *key = exo_limit_name (limit);
  g_autofree char *value = NULL;
  g_autoptr (GError) local = NULL;

  if (!get_string (sources, "limits", key, &value, error))
    return FALSE;
  if (value == NULL)
    return TRUE;
  if (!parse_amount (limit, value, out_amount))
    return fail (sources, "limits", key, error, _ ("\"%s\" is nothing like %s or off"), value,
                 examples[limit]);
  if (!exo_limit_check (limit, *out_amount, &local))
    return fail (sources, "limits", key, error, "\"%s\": %s", value, local->message);
  return TRUE;
}

static gboolean
load_limits (const Sources *sources, ExoConfig *config, GError **error)
{
  g_autofree char *hours = NULL;
  g_autoptr (GError) local = NULL;

  for (guint i = 0; i < EXO_LIMIT_N_AMOUNTS; i++)
    if (!load_amount (sources, (ExoLimit) i, &config->limits.amounts[i], error))
      return FALSE;
  if (!get_string (sources, "limits", "hub-hours", &hours, error))
    return FALSE;
  if (hours != NULL && strcmp (hours, "off") != 0 &&
      !exo_hours_parse (hours, &config->limits.hours, &local))
    return fail (sources, "limits", "hub-hours", error, "\"%s\": %s", hours, local->message);
  return TRUE;
}

/* Takes @path. */
static void
add_root (GPtrArray *roots, char *path)
{
  if (roots->len < EXO_CONFIG_ROOTS_MAX &&
      !g_ptr_array_find_with_equal_func (roots, path, g_str_equal, NULL))
    g_ptr_array_add (roots, path);
  else
    g_free (path);
}

static gboolean
add_key_roots (const Sources *sources, GPtrArray *roots, GError **error)
{
  g_autofree char *value = NULL;
  g_auto (GStrv) parts = NULL;

  if (!get_string (sources, "cache", "roots", &value, error))
    return FALSE;
  parts = g_strsplit (value != NULL ? value : "", ";", -1);
  if (g_strv_length (parts) > EXO_CONFIG_ROOTS_MAX)
    return fail (sources, "cache", "roots", error, _ ("more than %u"), EXO_CONFIG_ROOTS_MAX);
  for (char **part = parts; *part != NULL; part++)
    {
      g_autofree char *path = expand (sources, g_strstrip (*part));

      if (*path == '\0')
        continue;
      if (!g_path_is_absolute (path))
        return fail (sources, "cache", "roots", error, _ ("\"%s\" is not an absolute path"), path);
      add_root (roots, g_canonicalize_filename (path, NULL));
    }
  return TRUE;
}

/* exo expands ~ in these, but no variables; nor does an empty part mean anything to it. */
static void
add_exo_list (const Sources *sources, GPtrArray *roots, const char *name)
{
  const char *value = variable (sources, name);
  g_auto (GStrv) parts = g_strsplit (value != NULL ? value : "", ":", -1);

  for (char **part = parts; *part != NULL; part++)
    {
      g_autofree char *path = expand_user (sources, *part);

      if (*path != '\0')
        add_root (roots, g_canonicalize_filename (path, NULL));
    }
}

/* $EXO_HOME is relative to the home folder, unlike any other. */
static char *
exo_models_path (const Sources *sources)
{
  const char *exo_home = variable (sources, "EXO_HOME");
  g_autofree char *base = exo_home != NULL
                              ? g_canonicalize_filename (exo_home, home (sources))
                              : xdg_path (sources, "XDG_DATA_HOME", ".local/share", "exo");

  return g_build_filename (base, "models", NULL);
}

static gboolean
load_roots (const Sources *sources, ExoConfig *config, GError **error)
{
  g_autoptr (GPtrArray) roots = g_ptr_array_new_with_free_func (g_free);

  if (!add_key_roots (sources, roots, error))
    return FALSE;
  add_exo_list (sources, roots, "EXO_MODELS_READ_ONLY_DIRS");
  add_exo_list (sources, roots, "EXO_MODELS_DIRS");
  if (variable (sources, "EXO_DEFAULT_MODELS_DIR") != NULL)
    add_root (roots, variable_path (sources, "EXO_DEFAULT_MODELS_DIR"));
  else
    {
      config->exo_models = exo_models_path (sources);
      add_root (roots, g_strdup (config->exo_models));
    }
  g_ptr_array_add (roots, NULL);
  config->roots = (char **) g_ptr_array_steal (roots, NULL);
  return TRUE;
}

/* ---------------------------------------------------------------------------------------------- */

static gboolean
read_file (const Sources *sources, gboolean may_be_absent, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) local = NULL;
  gsize size = 0;

  if (!g_file_get_contents (sources->path, &text, &size, &local))
    {
      if (may_be_absent && g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (size > EXO_CONFIG_FILE_BYTES_MAX)
    {
      g_set_error (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_PARSE, _ ("%s: more than %u bytes"),
                   sources->path, EXO_CONFIG_FILE_BYTES_MAX);
      return FALSE;
    }
  /* GKeyFile takes an empty text for an error. */
  if (size > 0 && !g_key_file_load_from_data (sources->file, text, size, G_KEY_FILE_NONE, error))
    {
      g_prefix_error (error, "%s: ", sources->path);
      return FALSE;
    }
  return check_groups (sources, error);
}

ExoConfig *
exo_config_load (const char *path, char **environment, GError **error)
{
  g_autoptr (ExoConfig) config = g_new0 (ExoConfig, 1);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  Sources sources = { path, file, environment };
  g_autofree char *default_path =
      xdg_path (&sources, "XDG_CONFIG_HOME", ".config", "exo-agent/agent.conf");

  if (path == NULL)
    sources.path = default_path;
  if (!read_file (&sources, path == NULL, error) || !load_agent (&sources, config, error) ||
      !load_lan (&sources, config, error) || !load_programs (&sources, config, error) ||
      !load_hub (&sources, config, error) || !load_cache (&sources, config, error) ||
      !load_exo (&sources, config, error) || !load_limits (&sources, config, error) ||
      !load_roots (&sources, config, error))
    return NULL;
  return g_steal_pointer (&config);
}

void
exo_config_free (ExoConfig *config)
{
  if (config == NULL)
    return;
  g_free (config->name);
  g_free (config->state_dir);
  g_strfreev (config->peers);
  g_free (config->endpoint);
  g_free (config->exo_link);
  g_free (config->token);
  g_free (config->token_path);
  g_free (config->cache);
  g_strfreev (config->roots);
  g_free (config->exo_models);
  g_free (config);
}
