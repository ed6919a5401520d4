/* test-config.c - key file, environment, defaults
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/config.h"
#include "tests/unit/suite.h"

#define MAX_VARIABLES 8

/* Loads @text as a key file (NULL: none) under HOME=/h and @environment. */
static ExoConfig *
load (const char *text, const char *const *environment, GError **error)
{
  g_autofree char *path = NULL;
  g_auto (GStrv) variables = g_strdupv ((char *[]){ "HOME=/h", NULL });
  ExoConfig *config;
  int fd;

  for (; environment != NULL && *environment != NULL; environment++)
    {
      g_auto (GStrv) parts = g_strsplit (*environment, "=", 2);

      variables = g_environ_setenv (variables, parts[0], parts[1], TRUE);
    }
  if (text == NULL)
    return exo_config_load (NULL, variables, error);
  fd = g_file_open_tmp ("exo-config-XXXXXX", &path, NULL);
  close (fd);
  g_file_set_contents (path, text, -1, NULL);
  config = exo_config_load (path, variables, error);
  g_unlink (path);
  return config;
}

static void
without_anything_there_are_defaults (void)
{
  g_autoptr (ExoConfig) config = load (NULL, NULL, NULL);

  CU_ASSERT_PTR_NOT_NULL_FATAL (config);
  CU_ASSERT_NOT_EQUAL (*config->name, '\0');
  CU_ASSERT_PTR_NULL (strchr (config->name, '.'));
  CU_ASSERT_STRING_EQUAL (config->state_dir, "/h/.local/state/exo-agent");
  CU_ASSERT_EQUAL (config->port, 52418);
  CU_ASSERT_FALSE (config->loopback);
  CU_ASSERT_TRUE (config->mdns);
  CU_ASSERT_FALSE (config->offline);
  CU_ASSERT_EQUAL (config->metered, EXO_METERED_AUTO);
  CU_ASSERT_EQUAL (g_strv_length (config->peers), 0);
  CU_ASSERT_EQUAL (config->upload_slots, 0);
  CU_ASSERT_STRING_EQUAL (config->endpoint, "https://huggingface.co");
  CU_ASSERT_STRING_EQUAL (config->cache, "/h/.cache/huggingface/hub");
  CU_ASSERT_STRING_EQUAL (config->token_path, "/h/.cache/huggingface/token");
  CU_ASSERT_PTR_NULL (config->token);
  CU_ASSERT_STRING_EQUAL (config->exo_models, "/h/.local/share/exo/models");
  CU_ASSERT_EQUAL (config->exo_port, 52415);
}

static void
exo_is_asked_where_its_api_is (void)
{
  g_autoptr (ExoConfig) other = load ("[exo]\napi=52416\n", NULL, NULL);
  g_autoptr (ExoConfig) off = load ("[exo]\napi=off\n", NULL, NULL);

  CU_ASSERT_EQUAL (other->exo_port, 52416);
  CU_ASSERT_EQUAL (off->exo_port, 0);
  CU_ASSERT_PTR_NULL (load ("[exo]\napi=0\n", NULL, NULL));
  CU_ASSERT_PTR_NULL (load ("[exo]\napi=65536\n", NULL, NULL));
  CU_ASSERT_PTR_NULL (load ("[exo]\napi=on\n", NULL, NULL));
}

static void
models_of_exo_are_where_exo_keeps_them (void)
{
  const struct
  {
    const char *text, *environment[MAX_VARIABLES];
    const char *roots, *exo_models;
  } rows[] = {
    { NULL, { NULL }, "/h/.local/share/exo/models", "/h/.local/share/exo/models" },
    { NULL, { "XDG_DATA_HOME=/d" }, "/d/exo/models", "/d/exo/models" },
    { NULL, { "XDG_DATA_HOME=/d", "EXO_HOME=/e" }, "/e/models", "/e/models" },
    { NULL, { "EXO_HOME=.exo" }, "/h/.exo/models", "/h/.exo/models" },
    { NULL, { "EXO_HOME=/e", "EXO_DEFAULT_MODELS_DIR=~/m" }, "/h/m", NULL },
    { NULL,
      { "EXO_DEFAULT_MODELS_DIR=/m", "EXO_MODELS_DIRS=/a::~/b:/a", "EXO_MODELS_READ_ONLY_DIRS=/r" },
      "/r /a /h/b /m",
      NULL },
    { "[cache]\nroots=~/x; /y/../z ;;${SUB}/w\n",
      { "SUB=/s", "EXO_MODELS_DIRS=/z", "EXO_DEFAULT_MODELS_DIR=/m" },
      "/h/x /z /s/w /m",
      NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (ExoConfig) config = load (rows[i].text, rows[i].environment, NULL);
      g_autofree char *roots = NULL;

      CU_ASSERT_PTR_NOT_NULL_FATAL (config);
      roots = g_strjoinv (" ", config->roots);
      CU_ASSERT_STRING_EQUAL (roots, rows[i].roots);
      CU_ASSERT_EQUAL (g_strcmp0 (config->exo_models, rows[i].exo_models), 0);
    }
}

static void
limits_are_amounts_counts_and_hours (void)
{
  g_autoptr (ExoConfig) config =
      load ("[limits]\nhub-rate=20MB/s\nlan-upload-rate=400 Mbit/s\nhub-connections=4\n"
            "monthly-cap=500GB\nhub-hours=22:00-07:00, 12:00-13:00\n",
            NULL, NULL);
  g_autoptr (ExoConfig) off = load ("[limits]\nhub-rate=off\nlan-upload-rate=off\n"
                                    "hub-connections=off\nmonthly-cap=off\nhub-hours=off\n",
                                    NULL, NULL);
  static const ExoLimits none = { 0 };

  CU_ASSERT_PTR_NOT_NULL_FATAL (config);
  CU_ASSERT_EQUAL (config->limits.amounts[EXO_LIMIT_HUB_RATE], 20000000);
  CU_ASSERT_EQUAL (config->limits.amounts[EXO_LIMIT_LAN_UPLOAD_RATE], 50000000);
  CU_ASSERT_EQUAL (config->limits.amounts[EXO_LIMIT_HUB_CONNECTIONS], 4);
  CU_ASSERT_EQUAL (config->limits.amounts[EXO_LIMIT_MONTHLY_CAP],
                   G_GUINT64_CONSTANT (500000000000));
  CU_ASSERT_EQUAL (config->limits.hours.n, 2);
  CU_ASSERT_PTR_NOT_NULL_FATAL (off);
  CU_ASSERT_EQUAL (memcmp (&off->limits, &none, sizeof none), 0);
}

static void
limits_that_make_no_sense_are_told (void)
{
  static const struct
  {
    const char *line, *message;
  } rows[] = {
    { "hub-rate=20MB", "[limits] hub-rate: \"20MB\" is nothing like 20MB/s or off" },
    { "lan-upload-rate=10kB/s", "[limits] lan-upload-rate: \"10kB/s\": from 100 kB/s" },
    { "hub-connections=0", "[limits] hub-connections: \"0\" is nothing like 4 or off" },
    { "hub-connections=65", "a number from 1 to 64" },
    { "monthly-cap=500GB/s", "is nothing like 500GB or off" },
    { "monthly-cap=", "is empty" },
    { "hub-hours=22-07", "[limits] hub-hours: \"22-07\": must be like 22:00-07:00" },
    { "rate=20MB/s", "unknown key" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *text = g_strdup_printf ("[limits]\n%s\n", rows[i].line);
      g_autoptr (GError) error = NULL;

      CU_ASSERT_PTR_NULL (load (text, NULL, &error));
      CU_ASSERT_PTR_NOT_NULL_FATAL (error);
      if (strstr (error->message, rows[i].message) == NULL)
        CU_FAIL (rows[i].message);
    }
}

static void
the_cache_is_where_python_would_look (void)
{
  const struct
  {
    const char *environment[MAX_VARIABLES];
    const char *cache, *token_path;
  } rows[] = {
    { { "XDG_CACHE_HOME=/x" }, "/x/huggingface/hub", "/x/huggingface/token" },
    { { "XDG_CACHE_HOME=/x", "HF_HOME=/hf" }, "/hf/hub", "/hf/token" },
    { { "HF_HOME=/hf", "HUGGINGFACE_HUB_CACHE=/old" }, "/old", "/hf/token" },
    { { "HF_HUB_CACHE=/new", "HUGGINGFACE_HUB_CACHE=/old" },
      "/new",
      "/h/.cache/huggingface/token" },
    { { "HF_HUB_CACHE=", "HUGGINGFACE_HUB_CACHE=/old", "HF_HOME=" },
      "/old",
      "/h/.cache/huggingface/token" },
    { { "HF_HOME=~/hf" }, "/h/hf/hub", "/h/hf/token" },
    { { "HF_HOME=$DATA/${SUB}x/$NOPE", "DATA=/d", "SUB=s" },
      "/d/sx/$NOPE/hub",
      "/d/sx/$NOPE/token" },
    { { "HF_HOME=/a/${SUB", "SUB=s" }, "/a/${SUB/hub", "/a/${SUB/token" },
    { { "HF_HOME=~no-such-user-here/x", "HF_HUB_CACHE=/c" }, "/c", NULL },
    { { "HF_TOKEN_PATH=~/t", "HF_HOME=/hf/" }, "/hf/hub", "/h/t" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (ExoConfig) config = load (NULL, rows[i].environment, NULL);

      CU_ASSERT_PTR_NOT_NULL_FATAL (config);
      CU_ASSERT_STRING_EQUAL (config->cache, rows[i].cache);
      if (rows[i].token_path != NULL)
        CU_ASSERT_STRING_EQUAL (config->token_path, rows[i].token_path);
    }
}

static void
tokens_come_in_their_order (void)
{
  const struct
  {
    const char *environment[MAX_VARIABLES];
    const char *token;
  } rows[] = {
    { { "HF_TOKEN=one", "HUGGING_FACE_HUB_TOKEN=two" }, "one" },
    { { "HUGGING_FACE_HUB_TOKEN=two" }, "two" },
    { { "HF_TOKEN= \r\n", "HUGGING_FACE_HUB_TOKEN= t\r\nwo " }, "two" },
    { { "HF_TOKEN=" }, NULL },
    { { "HF_TOKEN=one", "HF_HUB_DISABLE_IMPLICIT_TOKEN=Yes" }, NULL },
    { { "HF_TOKEN=one", "HF_HUB_DISABLE_IMPLICIT_TOKEN=0" }, "one" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (ExoConfig) config = load (NULL, rows[i].environment, NULL);

      CU_ASSERT_PTR_NOT_NULL_FATAL (config);
      CU_ASSERT_EQUAL (g_strcmp0 (config->token, rows[i].token), 0);
    }
}

static void
an_explicit_token_file_is_used_in_any_case (void)
{
  const char *environment[] = { "HF_TOKEN=one", "HF_HUB_DISABLE_IMPLICIT_TOKEN=1", NULL };
  g_autoptr (ExoConfig) implicit = load (NULL, environment, NULL);
  g_autoptr (ExoConfig) explicit = load ("[hub]\ntoken-path=~/mine\n", environment, NULL);

  CU_ASSERT_PTR_NULL (implicit->token_path);
  CU_ASSERT_STRING_EQUAL (explicit->token_path, "/h/mine");
  CU_ASSERT_PTR_NULL (explicit->token);
}

static void
the_key_file_wins_over_the_environment (void)
{
  const char *environment[] = {
    "HF_ENDPOINT=https://mirror/x//",
    "HF_HUB_OFFLINE=TRUE",
    "HF_HUB_CACHE=/e",
    "XDG_STATE_HOME=/s",
    NULL,
  };
  g_autoptr (ExoConfig) from_environment = load ("", environment, NULL);
  g_autoptr (ExoConfig) from_file = load ("[agent]\nname=K\xc3\xbc"
                                          "che\nstate-dir=/st/../state\n"
                                          "[lan]\nport=0\nloopback=true\nmdns=false\n"
                                          "peers= a ; b:1;[fe80::1]:2;10.0.0.1;\nupload-slots=64\n"
                                          "[hub]\nendpoint=http://127.0.0.1:8000/\noffline=false\n"
                                          "[cache]\npath=$HOME/c\n",
                                          environment, NULL);
  g_autofree char *peers = NULL;

  CU_ASSERT_PTR_NOT_NULL_FATAL (from_environment);
  CU_ASSERT_STRING_EQUAL (from_environment->endpoint, "https://mirror/x");
  CU_ASSERT_TRUE (from_environment->offline);
  CU_ASSERT_STRING_EQUAL (from_environment->cache, "/e");
  CU_ASSERT_STRING_EQUAL (from_environment->state_dir, "/s/exo-agent");

  CU_ASSERT_PTR_NOT_NULL_FATAL (from_file);
  peers = g_strjoinv (" ", from_file->peers);
  CU_ASSERT_STRING_EQUAL (from_file->name, "K\xc3\xbc"
                                           "che");
  CU_ASSERT_STRING_EQUAL (from_file->state_dir, "/state");
  CU_ASSERT_EQUAL (from_file->port, 0);
  CU_ASSERT_TRUE (from_file->loopback);
  CU_ASSERT_FALSE (from_file->mdns);
  CU_ASSERT_STRING_EQUAL (peers, "a:52418 b:1 [fe80::1]:2 10.0.0.1:52418");
  CU_ASSERT_EQUAL (from_file->upload_slots, 64);
  CU_ASSERT_STRING_EQUAL (from_file->endpoint, "http://127.0.0.1:8000");
  CU_ASSERT_FALSE (from_file->offline);
  CU_ASSERT_STRING_EQUAL (from_file->cache, "/h/c");
}

static void
a_line_is_metered_as_said_or_as_the_system_finds (void)
{
  static const struct
  {
    const char *text;
    ExoMetered metered;
  } rows[] = {
    { "[hub]\nmetered=yes\n", EXO_METERED_YES },
    { "[hub]\nmetered=no\n", EXO_METERED_NO },
    { "[hub]\nmetered = auto\n", EXO_METERED_AUTO },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (ExoConfig) config = load (rows[i].text, NULL, NULL);

      CU_ASSERT_PTR_NOT_NULL_FATAL (config);
      CU_ASSERT_EQUAL (config->metered, rows[i].metered);
    }
}

static void
the_agent_is_not_its_own_hub (void)
{
  const struct
  {
    const char *text, *variable, *endpoint;
  } rows[] = {
    { NULL, "HF_ENDPOINT=http://127.0.0.1:52419", "https://huggingface.co" },
    { NULL, "HF_ENDPOINT=http://localhost:52419/", "https://huggingface.co" },
    { NULL, "HF_ENDPOINT=http://127.0.0.1:52418", "http://127.0.0.1:52418" },
    { "[endpoint]\nport=1000\n", "HF_ENDPOINT=http://127.0.0.1:1000", "https://huggingface.co" },
    { "[endpoint]\nport=1000\n", "HF_ENDPOINT=http://127.0.0.1:52419", "http://127.0.0.1:52419" },
    { "[endpoint]\nenabled=false\n", "HF_ENDPOINT=http://127.0.0.1:52419",
      "http://127.0.0.1:52419" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (ExoConfig) config =
          load (rows[i].text, (const char *[]){ rows[i].variable, NULL }, NULL);

      CU_ASSERT_PTR_NOT_NULL_FATAL (config);
      CU_ASSERT_STRING_EQUAL (config->endpoint, rows[i].endpoint);
    }
}

static void
mistakes_are_named (void)
{
  const struct
  {
    const char *text, *message;
  } rows[] = {
    { "[lna]\nport=1\n", "[lna]: unknown group; known: agent, lan, hub, cache, endpoint, exo" },
    { "[endpoint]\nport=65536\n", "[endpoint] port: \"65536\" is not a number from 0 to 65535" },
    { "[hub]\nendpoint=http://localhost:52419\n", "[hub] endpoint: is this agent's own endpoint" },
    { "[lan]\nprot=1\n",
      "[lan] prot: unknown key; known here: port, loopback, peers, mdns, upload-slots" },
    { "[lan]\nport=65536\n", "[lan] port: \"65536\" is not a number from 0 to 65535" },
    { "[lan]\nport=-1\n", "[lan] port: \"-1\" is not a number from 0 to 65535" },
    { "[lan]\nport=\n", "[lan] port: is empty" },
    { "[lan]\nloopback=yes\n", "[lan] loopback: \"yes\" is neither true nor false" },
    { "[lan]\nupload-slots=65\n", "[lan] upload-slots: \"65\" is not a number from 1 to 64" },
    { "[lan]\npeers=a;b:x\n", "[lan] peers: \"b:x\" is not HOST or HOST:PORT" },
    { "[lan]\npeers=a:0\n", "[lan] peers: \"a:0\" is not" },
    { "[lan]\npeers=http://a\n", "[lan] peers: \"http://a\" is not" },
    { "[hub]\nendpoint=ftp://x\n", "[hub] endpoint: must be a http:// or https:// URL" },
    { "[hub]\nendpoint=https://u:p@x\n", "[hub] endpoint: must be a http:// or https:// URL" },
    { "[hub]\nmetered=true\n", "[hub] metered: \"true\" is neither yes, no nor auto" },
    { "[hub]\ntoken-path=token\n", "[hub] token-path: \"token\" is not an absolute path" },
    { "[cache]\nroots=/a;b\n", "[cache] roots: \"b\" is not an absolute path" },
    { "[exo]\nlink=models\n", "[exo] link: \"models\" is not an absolute path" },
    { "[cache]\npath=a\\x\n", "[cache] path: not text" },
    { "[agent]\nname=a\\nb\n", "[agent] name: must be 1 to 63 bytes" },
    { "[agent]\nname="
      "0123456789012345678901234567890123456789012345678901234567890123\n",
      "[agent] name: must be 1 to 63 bytes" },
    { "port=1\n", "exo-config-" },
    { "[lan\n", "exo-config-" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      CU_ASSERT_PTR_NULL (load (rows[i].text, NULL, &error));
      CU_ASSERT_PTR_NOT_NULL_FATAL (error);
      if (strstr (error->message, rows[i].message) == NULL)
        fprintf (stderr, "\n  \"%s\"\n", error->message);
      CU_ASSERT_PTR_NOT_NULL (strstr (error->message, rows[i].message));
      CU_ASSERT_PTR_NOT_NULL (strstr (error->message, "exo-config-"));
    }
}

static void
a_bad_endpoint_in_the_environment_is_named (void)
{
  g_autoptr (GError) error = NULL;

  CU_ASSERT_PTR_NULL (load (NULL, (const char *[]){ "HF_ENDPOINT=huggingface.co", NULL }, &error));
  CU_ASSERT_PTR_NOT_NULL_FATAL (error);
  CU_ASSERT_PTR_NOT_NULL (strstr (error->message, "HF_ENDPOINT"));
}

static void
too_many_peers_and_too_large_a_file_are_refused (void)
{
  GString *text = g_string_new ("[lan]\npeers=");
  g_autofree char *large = g_strnfill (EXO_CONFIG_FILE_BYTES_MAX + 1, '#');
  ExoConfig *config;

  for (guint i = 0; i < EXO_CONFIG_PEERS_MAX; i++)
    g_string_append (text, "a;");
  config = load (text->str, NULL, NULL);
  CU_ASSERT_PTR_NOT_NULL (config);
  exo_config_free (config);
  g_string_append (text, "a;");
  CU_ASSERT_PTR_NULL (load (text->str, NULL, NULL));
  g_string_free (text, TRUE);

  CU_ASSERT_PTR_NULL (load (large, NULL, NULL));
  config = load (large + 1, NULL, NULL);
  CU_ASSERT_PTR_NOT_NULL (config);
  exo_config_free (config);
}

static void
a_file_asked_for_must_be_there (void)
{
  g_autoptr (GError) error = NULL;

  CU_ASSERT_PTR_NULL (exo_config_load ("/dev/null/agent.conf", NULL, &error));
  CU_ASSERT_PTR_NOT_NULL_FATAL (error);
  CU_ASSERT_PTR_NOT_NULL (strstr (error->message, "/dev/null/agent.conf"));
}

EXO_SUITE ("config",
           TEST (without_anything_there_are_defaults),
           TEST (limits_are_amounts_counts_and_hours),
           TEST (limits_that_make_no_sense_are_told),
           TEST (exo_is_asked_where_its_api_is),
           TEST (models_of_exo_are_where_exo_keeps_them),
           TEST (the_cache_is_where_python_would_look),
           TEST (tokens_come_in_their_order),
           TEST (an_explicit_token_file_is_used_in_any_case),
           TEST (the_key_file_wins_over_the_environment),
           TEST (a_line_is_metered_as_said_or_as_the_system_finds),
           TEST (the_agent_is_not_its_own_hub),
           TEST (mistakes_are_named),
           TEST (a_bad_endpoint_in_the_environment_is_named),
           TEST (too_many_peers_and_too_large_a_file_are_refused),
           TEST (a_file_asked_for_must_be_there))
