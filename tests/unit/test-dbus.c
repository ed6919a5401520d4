/* test-dbus.c - the D-Bus service over a fake engine, on a private bus
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/dbus.h"
#include "tests/unit/bus-lab.h"
#include "tests/unit/fake-engine.h"
#include "tests/unit/suite.h"
#include "transfer/store/store.h"

#define TIMEOUT_S 20
#define NODE_ID   "00112233445566778899aabbccddeeff"
#define PEER_ID   "ffeeddccbbaa99887766554433221100"
#define MAIN      EXO_DBUS_NAME
#define TRANSFER  EXO_DBUS_NAME ".Transfer"
#define NODE      EXO_DBUS_NAME ".Node"
#define MANAGER   "org.freedesktop.DBus.ObjectManager"
#define PROPS     "org.freedesktop.DBus.Properties"

typedef struct
{
  GTestDBus *bus;
  GDBusConnection *server, *client;
  ExoEngine *engine;
  ExoDbus *dbus;
  gboolean acquired, timed_out;
  char *lost;
  GPtrArray *signals; /* utf8: "path interface.member (parameters)", as the client got them */
  guint timeout_id, subscription_id;
} Fixture;

static gboolean
on_timeout (gpointer user_data)
{
  Fixture *f = user_data;

  f->timed_out = TRUE;
  f->timeout_id = 0;
  return G_SOURCE_REMOVE;
}

#define WAIT_UNTIL(f, condition)                                                                   \
  while (!(condition) && !(f)->timed_out)                                                          \
    g_main_context_iteration (NULL, TRUE);                                                         \
  CU_ASSERT_TRUE (condition)

static void
on_signal (GDBusConnection *connection,
           const char *sender,
           const char *path,
           const char *interface,
           const char *member,
           GVariant *parameters,
           gpointer user_data)
{
  Fixture *f = user_data;
  g_autofree char *text = g_variant_print (parameters, FALSE);

  g_ptr_array_add (f->signals, g_strdup_printf ("%s %s.%s %s", path, interface, member, text));
}

static void
on_acquired (ExoDbus *dbus, gpointer user_data)
{
  ((Fixture *) user_data)->acquired = TRUE;
}

static void
on_lost (ExoDbus *dbus, const char *why, gpointer user_data)
{
  Fixture *f = user_data;

  g_free (f->lost);
  f->lost = g_strdup (why);
}

static ExoFinding *
new_finding (const char *id, const char *status, const char *summary, const char *advice)
{
  ExoFinding *finding = g_new0 (ExoFinding, 1);

  finding->id = g_strdup (id);
  finding->status = g_strdup (status);
  finding->summary = g_strdup (summary);
  finding->advice = g_strdup (advice);
  return finding;
}

static ExoFinding *
on_mdns_finding (ExoDbus *dbus, gpointer user_data)
{
  return new_finding ("mdns", "ok", "Published", "");
}

static ExoDbus *
start_service (Fixture *f, GDBusConnection *connection)
{
  ExoDbusConfig config = { "1.2.3", NODE_ID, "anna", G_BUS_NAME_OWNER_FLAGS_NONE };
  ExoDbusCallbacks callbacks = { on_acquired, on_lost, on_mdns_finding };

  return exo_dbus_new (connection, f->engine, &config, &callbacks, f, NULL);
}

static Fixture *
set_up (void)
{
  Fixture *f = g_new0 (Fixture, 1);

  f->bus = g_test_dbus_new (G_TEST_DBUS_NONE);
  g_test_dbus_up (f->bus);
  f->server = bus_lab_connect (g_test_dbus_get_bus_address (f->bus));
  f->client = bus_lab_connect (g_test_dbus_get_bus_address (f->bus));
  f->signals = g_ptr_array_new_with_free_func (g_free);
  f->subscription_id =
      g_dbus_connection_signal_subscribe (f->client, EXO_DBUS_NAME, NULL, NULL, NULL, NULL,
                                          G_DBUS_SIGNAL_FLAGS_NONE, on_signal, f, NULL);
  f->timeout_id = g_timeout_add_seconds (TIMEOUT_S, on_timeout, f);
  f->engine = fake_engine_new ();
  fake_engine_add_node (f->engine, NODE_ID, "anna", TRUE);
  f->dbus = start_service (f, f->server);
  WAIT_UNTIL (f, f->acquired);
  return f;
}

static void
tear_down (Fixture *f)
{
  exo_dbus_free (f->dbus);
  g_dbus_connection_signal_unsubscribe (f->client, f->subscription_id);
  g_clear_handle_id (&f->timeout_id, g_source_remove);
  g_dbus_connection_close_sync (f->client, NULL, NULL);
  g_dbus_connection_close_sync (f->server, NULL, NULL);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_object_unref (f->client);
  g_object_unref (f->server);
  g_object_unref (f->engine);
  g_test_dbus_down (f->bus);
  g_object_unref (f->bus);
  g_ptr_array_unref (f->signals);
  g_free (f->lost);
  g_free (f);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, tear_down)

static char *
call (Fixture *f, const char *path, const char *interface, const char *method, GVariant *parameters)
{
  return bus_lab_call_text (f->client, EXO_DBUS_NAME, path, interface, method, parameters);
}

#define ASSERT_CALL(f, path, interface, method, parameters, expected)                              \
  do                                                                                               \
    {                                                                                              \
      g_autofree char *answer_ = call (f, path, interface, method, parameters);                    \
      CU_ASSERT_STRING_EQUAL (answer_, expected);                                                  \
      if (!g_str_equal (answer_, expected))                                                        \
        fprintf (stderr, "\n  got      %s\n  expected %s\n", answer_, expected);                   \
    }                                                                                              \
  while (0)

static void
assert_property (Fixture *f,
                 const char *path,
                 const char *interface,
                 const char *property,
                 const char *expected)
{
  g_autofree char *wanted = g_strdup_printf ("(<%s>,)", expected);

  ASSERT_CALL (f, path, PROPS, "Get", g_variant_new ("(ss)", interface, property), wanted);
}

static gboolean
got_signal (Fixture *f, const char *text)
{
  for (guint i = 0; i < f->signals->len; i++)
    if (strstr (f->signals->pdata[i], text) != NULL)
      return TRUE;
  return FALSE;
}

static ExoTransfer *
pull (Fixture *f, const char *model)
{
  return exo_engine_pull (f->engine, EXO_REPO_MODEL, model, NULL, NULL, NULL, NULL);
}

/* Introspection -------------------------------------------------------------------------------- */

static char *
describe_args (GDBusArgInfo **args)
{
  GString *text = g_string_new ("");

  for (guint i = 0; args != NULL && args[i] != NULL; i++)
    g_string_append_printf (text, "%s:%s ", args[i]->name, args[i]->signature);
  return g_string_free (text, FALSE);
}

/* One line a member, in the order of the file. */
static char *
describe_interface (GDBusNodeInfo *node, const char *name)
{
  GDBusInterfaceInfo *info = g_dbus_node_info_lookup_interface (node, name);
  GString *text = g_string_new (name);

  if (info == NULL)
    return g_string_free (g_string_assign (text, "(missing)"), FALSE);
  for (guint i = 0; info->methods != NULL && info->methods[i] != NULL; i++)
    {
      g_autofree char *in = describe_args (info->methods[i]->in_args);
      g_autofree char *out = describe_args (info->methods[i]->out_args);

      g_string_append_printf (text, "\nmethod %s %s-> %s", info->methods[i]->name, in, out);
    }
  for (guint i = 0; info->signals != NULL && info->signals[i] != NULL; i++)
    {
      g_autofree char *args = describe_args (info->signals[i]->args);

      g_string_append_printf (text, "\nsignal %s %s", info->signals[i]->name, args);
    }
  for (guint i = 0; info->properties != NULL && info->properties[i] != NULL; i++)
    g_string_append_printf (text, "\nproperty %s %s %u", info->properties[i]->name,
                            info->properties[i]->signature, info->properties[i]->flags);
  return g_string_free (text, FALSE);
}

static GDBusNodeInfo *
introspect (Fixture *f, const char *path)
{
  g_autoptr (GVariant) reply =
      bus_lab_call (f->client, EXO_DBUS_NAME, path, "org.freedesktop.DBus.Introspectable",
                    "Introspect", NULL, NULL);
  const char *xml = "<node/>";

  if (reply != NULL)
    g_variant_get (reply, "(&s)", &xml);
  return g_dbus_node_info_new_for_xml (xml, NULL);
}

static void
introspection_is_the_xml (void)
{
  g_autoptr (Fixture) f = set_up ();
  g_autofree char *file =
      g_build_filename (g_getenv ("EXO_SOURCE_ROOT"), "agent", "org.exo.Agent1.xml", NULL);
  g_autofree char *xml = NULL;
  g_autoptr (GDBusNodeInfo) wanted = NULL;
  const char *const paths[][2] = {
    { EXO_DBUS_PATH, MAIN },
    { EXO_DBUS_PATH "/transfer/1", TRANSFER },
    { EXO_DBUS_PATH "/node/" NODE_ID, NODE },
  };

  pull (f, "org/model");
  CU_ASSERT_TRUE_FATAL (g_file_get_contents (file, &xml, NULL, NULL));
  wanted = g_dbus_node_info_new_for_xml (xml, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_autoptr (GDBusNodeInfo) node = introspect (f, paths[i][0]);
      g_autofree char *is = describe_interface (node, paths[i][1]);
      g_autofree char *should = describe_interface (wanted, paths[i][1]);

      CU_ASSERT_STRING_EQUAL (is, should);
      CU_ASSERT_PTR_NOT_NULL (strchr (is, '\n'));
    }
}

/* The main object ------------------------------------------------------------------------------ */

static void
main_object_says_who_we_are_and_what_was_moved (void)
{
  g_autoptr (Fixture) f = set_up ();
  ExoEngineTotals *totals = fake_engine_totals (f->engine);

  totals->bytes_from_hub = G_GUINT64_CONSTANT (5000000000);
  totals->bytes_from_lan = 7;
  totals->bytes_served = 8;
  totals->cache_bytes = 9;
  totals->free_bytes = 10;
  totals->hub_reachable = TRUE;
  totals->hub_cache = "/ca\xff"
                      "che";
  fake_engine_changed (f->engine);
  exo_dbus_set_discovery_state (f->dbus, "running");

  assert_property (f, EXO_DBUS_PATH, MAIN, "Version", "'1.2.3'");
  assert_property (f, EXO_DBUS_PATH, MAIN, "NodeId", "'" NODE_ID "'");
  assert_property (f, EXO_DBUS_PATH, MAIN, "NodeName", "'anna'");
  assert_property (f, EXO_DBUS_PATH, MAIN, "Port", "uint16 52418");
  assert_property (f, EXO_DBUS_PATH, MAIN, "Endpoint", "'https://huggingface.co'");
  assert_property (f, EXO_DBUS_PATH, MAIN, "HubReachable", "true");
  assert_property (f, EXO_DBUS_PATH, MAIN, "DiscoveryState", "'running'");
  assert_property (f, EXO_DBUS_PATH, MAIN, "CachePath", "'/ca\357\277\275che'");
  assert_property (f, EXO_DBUS_PATH, MAIN, "CacheBytes", "uint64 9");
  assert_property (f, EXO_DBUS_PATH, MAIN, "FreeBytes", "uint64 10");
  assert_property (f, EXO_DBUS_PATH, MAIN, "BytesFromHub", "uint64 5000000000");
  assert_property (f, EXO_DBUS_PATH, MAIN, "BytesFromLan", "uint64 7");
  assert_property (f, EXO_DBUS_PATH, MAIN, "BytesServed", "uint64 8");
}

static void
only_what_changed_is_announced (void)
{
  g_autoptr (Fixture) f = set_up ();

  g_ptr_array_set_size (f->signals, 0);
  fake_engine_totals (f->engine)->bytes_served = 8;
  fake_engine_changed (f->engine);
  fake_engine_changed (f->engine);
  WAIT_UNTIL (f, f->signals->len > 0);
  CU_ASSERT_STRING_EQUAL (f->signals->pdata[0],
                          EXO_DBUS_PATH " " PROPS ".PropertiesChanged ('" MAIN
                                        "', {'BytesServed': <uint64 8>}, [])");

  /* Nothing new: the next thing on the wire is something else. */
  fake_engine_changed (f->engine);
  fake_engine_warn (f->engine, "disk", "bad\xffly");
  WAIT_UNTIL (f, f->signals->len > 1);
  CU_ASSERT_STRING_EQUAL (f->signals->pdata[1],
                          EXO_DBUS_PATH " " MAIN ".Warning ('disk', 'bad\357\277\275ly', {})");
}

static void
pull_passes_its_options_on (void)
{
  g_autoptr (Fixture) f = set_up ();

  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "Pull",
               g_variant_new_parsed ("('org/model', '', @a{sv} {})"),
               "('/org/exo/Agent1/transfer/1',)");
  CU_ASSERT_STRING_EQUAL (fake_engine_last_call (f->engine), "model org/model (default) + -");
  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "Pull",
               g_variant_new_parsed ("('org/data', 'v1', {'type': <'dataset'>, "
                                     "'include': <['*.json', 'x']>, 'exclude': <['y']>})"),
               "('/org/exo/Agent1/transfer/2',)");
  CU_ASSERT_STRING_EQUAL (fake_engine_last_call (f->engine), "dataset org/data v1 +*.json,x -y");
  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "Pull",
               g_variant_new_parsed ("('org/model', '', @a{sv} {})"),
               "('/org/exo/Agent1/transfer/1',)");
}

static GVariant *
pull_with_globs (guint n)
{
  GVariantBuilder globs, options;

  g_variant_builder_init (&globs, G_VARIANT_TYPE_STRING_ARRAY);
  for (guint i = 0; i < n; i++)
    g_variant_builder_add (&globs, "s", "*");
  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&options, "{sv}", "include", g_variant_builder_end (&globs));
  return g_variant_new ("(ssa{sv})", "org/model", "", &options);
}

static void
wrong_arguments_are_invalid (void)
{
  g_autoptr (Fixture) f = set_up ();
  const struct
  {
    const char *method, *parameters;
  } rows[] = {
    { "Pull", "('org/model', '', {'nodes': <'all'>})" },
    { "Pull", "('org/model', '', {'type': <'film'>})" },
    { "Pull", "('org/model', '', {'type': <1>})" },
    { "Pull", "('org/model', '', {'include': <'*'>})" },
    { "Pull", "('org/model', '', {'exclude': <[1]>})" },
    { "Pull", "('', '', @a{sv} {})" },
    { "Pull", "('org/../model', '', @a{sv} {})" },
    { "Pull", "('org/model', '../x', @a{sv} {})" },
    { "ListModels", "({'type': <'model'>},)" },
    { "Remove", "('org/model', '', {'include': <['*']>})" },
    { "Remove", "('../../etc', '', @a{sv} {})" },
    { "Remove", "('org/model', '..', @a{sv} {})" },
    { "Verify", "('org/model', '', {'force': <true>})" },
    { "Verify", "('', '', @a{sv} {})" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *answer = call (f, EXO_DBUS_PATH, MAIN, rows[i].method,
                                      g_variant_parse (NULL, rows[i].parameters, NULL, NULL, NULL));

      CU_ASSERT_TRUE (g_str_has_prefix (answer, "org.exo.Agent1.Error.Invalid: "));
    }
  CU_ASSERT_PTR_NULL (fake_engine_last_call (f->engine));

  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "Pull", pull_with_globs (EXO_DBUS_GLOBS_MAX + 1),
               "org.exo.Agent1.Error.Invalid: Option \"include\" has more than 1024 globs");
  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "Pull", pull_with_globs (EXO_DBUS_GLOBS_MAX),
               "('/org/exo/Agent1/transfer/1',)");
}

static void
errors_have_their_wire_names (void)
{
  g_autoptr (Fixture) f = set_up ();
  const struct
  {
    int code;
    const char *name;
  } rows[] = {
    { EXO_TRANSFER_ERROR_FAILED, "Failed" },
    { EXO_TRANSFER_ERROR_INVALID, "Invalid" },
    { EXO_TRANSFER_ERROR_TOO_LARGE, "Invalid" },
    { EXO_TRANSFER_ERROR_NOT_FOUND, "NotFound" },
    { EXO_TRANSFER_ERROR_NO_REVISION, "NotFound" },
    { EXO_TRANSFER_ERROR_DENIED, "Denied" },
    { EXO_TRANSFER_ERROR_RATE_LIMITED, "RateLimited" },
    { EXO_TRANSFER_ERROR_UNREACHABLE, "Unreachable" },
    { EXO_TRANSFER_ERROR_NO_SPACE, "NoSpace" },
    { EXO_TRANSFER_ERROR_DISK, "Disk" },
    { EXO_TRANSFER_ERROR_CHANGED, "Mismatch" },
    { EXO_TRANSFER_ERROR_MISMATCH, "Mismatch" },
    { EXO_TRANSFER_ERROR_BUSY, "Busy" },
    { EXO_TRANSFER_ERROR_CANCELLED, "Failed" },
    { EXO_TRANSFER_ERROR_NO_REVISION + 1, "Failed" },
    { -1, "Failed" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *expected =
          g_strdup_printf ("org.exo.Agent1.Error.%s: What to do", rows[i].name);

      fake_engine_fail_next (f->engine, rows[i].code, "What to do");
      ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "Remove",
                   g_variant_new_parsed ("('org/model', '', @a{sv} {})"), expected);
    }
}

static void
every_method_passes_an_error_on (void)
{
  g_autoptr (Fixture) f = set_up ();
  const struct
  {
    const char *path, *interface, *method, *parameters;
  } rows[] = {
    { EXO_DBUS_PATH, MAIN, "Pull", "('org/model', '', @a{sv} {})" },
    { EXO_DBUS_PATH, MAIN, "ListModels", "(@a{sv} {},)" },
    { EXO_DBUS_PATH, MAIN, "Remove", "('org/model', '', @a{sv} {})" },
    { EXO_DBUS_PATH, MAIN, "Verify", "('org/model', '', @a{sv} {})" },
    { EXO_DBUS_PATH, MAIN, "Diagnose", "()" },
    { EXO_DBUS_PATH "/transfer/1", TRANSFER, "Pause", "()" },
    { EXO_DBUS_PATH "/transfer/1", TRANSFER, "Resume", "()" },
    { EXO_DBUS_PATH "/transfer/1", TRANSFER, "Cancel", "()" },
  };

  pull (f, "org/other");
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      fake_engine_fail_next (f->engine, EXO_TRANSFER_ERROR_DISK, "Disk trouble");
      ASSERT_CALL (f, rows[i].path, rows[i].interface, rows[i].method,
                   g_variant_parse (NULL, rows[i].parameters, NULL, NULL, NULL),
                   "org.exo.Agent1.Error.Disk: Disk trouble");
    }
}

static void
models_are_listed_removed_and_verified (void)
{
  g_autoptr (Fixture) f = set_up ();
  ExoStoredModel *model = g_new0 (ExoStoredModel, 1);

  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "ListModels", g_variant_new_parsed ("(@a{sv} {},)"),
               "([],)");
  model->type = EXO_REPO_DATASET;
  model->id = g_strdup ("org/data");
  model->commit = g_strdup ("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  model->refs = g_strdup ("main,v1");
  model->bytes = 12;
  model->n_files = 3;
  model->modified_s = 1700000000;
  model->partial = TRUE;
  g_ptr_array_add (fake_engine_models (f->engine), model);
  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "ListModels", g_variant_new_parsed ("(@a{sv} {},)"),
               "([{'Type': <'dataset'>, 'Model': <'org/data'>, 'Commit': "
               "<'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'>, 'Refs': <'main,v1'>, 'Bytes': "
               "<uint64 12>, 'Files': <uint32 3>, 'Modified': <int64 1700000000>, 'Partial': "
               "<true>}],)");

  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "Remove",
               g_variant_new_parsed ("('org/data', 'v1', {'type': <'dataset'>})"), "(5000000000,)");
  CU_ASSERT_STRING_EQUAL (fake_engine_last_call (f->engine), "dataset org/data v1");

  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "Verify",
               g_variant_new_parsed ("('org/data', '', {'type': <'space'>})"), "(12, [])");
  CU_ASSERT_STRING_EQUAL (fake_engine_last_call (f->engine), "space org/data (default)");
  g_ptr_array_add (fake_engine_wrong (f->engine), g_strdup ("a/b.bin"));
  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "Verify",
               g_variant_new_parsed ("('org/data', '', @a{sv} {})"), "(12, ['a/b.bin'])");
}

static void
mdns_is_the_first_finding (void)
{
  g_autoptr (Fixture) f = set_up ();

  g_ptr_array_add (fake_engine_findings (f->engine),
                   new_finding ("hub", "fail", "No answer", "Check the cable"));
  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "Diagnose", NULL,
               "([{'Id': <'mdns'>, 'Status': <'ok'>, 'Summary': <'Published'>, 'Advice': <''>}, "
               "{'Id': <'hub'>, 'Status': <'fail'>, 'Summary': <'No answer'>, 'Advice': <'Check "
               "the cable'>}],)");
}

/* Transfers and nodes -------------------------------------------------------------------------- */

static void
transfers_and_nodes_come_and_go_as_objects (void)
{
  g_autoptr (Fixture) f = set_up ();
  ExoNode *node;

  pull (f, "org/model");
  WAIT_UNTIL (f, got_signal (f, MANAGER ".InterfacesAdded "
                                        "('/org/exo/Agent1/transfer/1', {'" TRANSFER));
  node = fake_engine_add_node (f->engine, PEER_ID, "berta", FALSE);
  WAIT_UNTIL (f, got_signal (f, MANAGER ".InterfacesAdded "
                                        "('/org/exo/Agent1/node/" PEER_ID "', {'" NODE));

  ASSERT_CALL (f, EXO_DBUS_PATH "/transfer/1", TRANSFER, "Cancel", NULL, "()");
  WAIT_UNTIL (f, got_signal (f, MANAGER ".InterfacesRemoved "
                                        "('/org/exo/Agent1/transfer/1', ['" TRANSFER));
  fake_engine_remove_node (f->engine, node);
  WAIT_UNTIL (
      f, got_signal (f, MANAGER ".InterfacesRemoved ('/org/exo/Agent1/node/" PEER_ID "', ['" NODE));
}

static void
what_was_there_before_the_service_is_exported_too (void)
{
  g_autoptr (Fixture) f = set_up ();

  exo_dbus_free (g_steal_pointer (&f->dbus));
  f->acquired = FALSE;
  pull (f, "org/model");
  f->dbus = start_service (f, f->server);
  WAIT_UNTIL (f, f->acquired);
  assert_property (f, EXO_DBUS_PATH "/transfer/1", TRANSFER, "Model", "'org/model'");
  assert_property (f, EXO_DBUS_PATH "/node/" NODE_ID, NODE, "Self", "true");
}

static void
fill (ExoTransferInfo *info)
{
  static const char *const includes[] = { "*.json", "*Q4*", NULL };
  static const char *const excludes[] = { "*.bin", NULL };

  info->includes = includes;
  info->excludes = excludes;
  info->on_demand = TRUE;
  info->commit = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
  info->state = EXO_TRANSFER_TRANSFERRING;
  info->bytes_total = 100;
  info->bytes_done = 60;
  info->bytes_from_hub = 20;
  info->bytes_from_lan = 40;
  info->files_total = 5;
  info->files_done = 2;
  info->rate = 30;
  info->eta_s = 2;
  info->started_s = 1700000000;
  info->finished_s = 1700000100;
  info->unverified_upstream = TRUE;
  info->error_code = "Unreachable";
  info->error_message = "Waiting";
  info->peers = 3;
}

static void
transfer_properties_follow_its_facts (void)
{
  const struct
  {
    const char *name, *value;
  } rows[] = {
    { "Id", "uint32 1" },
    { "Model", "'org/model'" },
    { "Type", "'model'" },
    { "Revision", "'main'" },
    { "Include", "['*.json', '*Q4*']" },
    { "Exclude", "['*.bin']" },
    { "OnDemand", "true" },
    { "Commit", "'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'" },
    { "State", "'transferring'" },
    { "BytesTotal", "uint64 100" },
    { "BytesDone", "uint64 60" },
    { "BytesFromHub", "uint64 20" },
    { "BytesFromLan", "uint64 40" },
    { "FilesTotal", "uint32 5" },
    { "FilesDone", "uint32 2" },
    { "Rate", "uint64 30" },
    { "Eta", "int64 2" },
    { "Started", "int64 1700000000" },
    { "Finished", "int64 1700000100" },
    { "Unverified", "true" },
    { "Error", "'Unreachable'" },
    { "ErrorMessage", "'Waiting'" },
    { "Peers", "uint32 3" },
  };
  g_autoptr (Fixture) f = set_up ();
  ExoTransfer *transfer = pull (f, "org/model");

  fill (fake_transfer_info (transfer));
  fake_transfer_changed (transfer);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    assert_property (f, EXO_DBUS_PATH "/transfer/1", TRANSFER, rows[i].name, rows[i].value);

  g_ptr_array_set_size (f->signals, 0);
  fake_transfer_info (transfer)->bytes_done = 200;
  fake_transfer_changed (transfer);
  WAIT_UNTIL (f, got_signal (f, EXO_DBUS_PATH "/transfer/1 " PROPS ".PropertiesChanged ('" TRANSFER
                                              "', {'BytesDone': <uint64 100>}, [])"));
}

static void
node_properties_follow_its_facts (void)
{
  static const char *const addresses[] = { "192.168.1.5:52418", "[fe80::1]:52418", NULL };
  static const char *const models[] = { "org/model", NULL };
  const char *path = EXO_DBUS_PATH "/node/" PEER_ID;
  g_autoptr (Fixture) f = set_up ();
  ExoNode *node = fake_engine_add_node (f->engine, PEER_ID, "berta", FALSE);
  ExoNodeInfo *info = fake_node_info (node);

  assert_property (f, path, NODE, "Addresses", "@as []");
  info->addresses = addresses;
  info->address = addresses[1];
  info->link = "eth1";
  info->link_speed = 125;
  info->models = models;
  info->state = "connected";
  info->rate_in = 5;
  info->rate_out = 6;
  info->hub_reachable = TRUE;
  info->exo_state = "loading";
  info->exo_models = models;
  fake_node_changed (node);
  assert_property (f, path, NODE, "Id", "'" PEER_ID "'");
  assert_property (f, path, NODE, "Name", "'berta'");
  assert_property (f, path, NODE, "Self", "false");
  assert_property (f, path, NODE, "Addresses", "['192.168.1.5:52418', '[fe80::1]:52418']");
  assert_property (f, path, NODE, "Address", "'[fe80::1]:52418'");
  assert_property (f, path, NODE, "Link", "'eth1'");
  assert_property (f, path, NODE, "LinkSpeed", "uint64 125");
  assert_property (f, path, NODE, "State", "'connected'");
  assert_property (f, path, NODE, "HubReachable", "true");
  assert_property (f, path, NODE, "Models", "['org/model']");
  assert_property (f, path, NODE, "RateIn", "uint64 5");
  assert_property (f, path, NODE, "ExoState", "'loading'");
  assert_property (f, path, NODE, "ExoModels", "['org/model']");
  assert_property (f, path, NODE, "RateOut", "uint64 6");
}

static void
exo_is_asked_when_somebody_wants_to_know (void)
{
  const char *path = EXO_DBUS_PATH "/node/" PEER_ID;
  g_autoptr (Fixture) f = set_up ();

  fake_engine_add_node (f->engine, PEER_ID, "berta", FALSE);
  assert_property (f, path, NODE, "ExoState", "''");
  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "RefreshNodes", NULL, "()");
  assert_property (f, path, NODE, "ExoState", "'idle'");
}

static void
transfers_pause_resume_and_refuse_by_state (void)
{
  const char *path = EXO_DBUS_PATH "/transfer/1";
  g_autoptr (Fixture) f = set_up ();
  ExoTransfer *transfer = pull (f, "org/model");

  ASSERT_CALL (f, path, TRANSFER, "Pause", NULL, "()");
  assert_property (f, path, TRANSFER, "State", "'paused'");
  ASSERT_CALL (f, path, TRANSFER, "Resume", NULL, "()");
  assert_property (f, path, TRANSFER, "State", "'queued'");
  fake_transfer_info (transfer)->state = EXO_TRANSFER_COMPLETE;
  ASSERT_CALL (f, path, TRANSFER, "Pause", NULL,
               "org.exo.Agent1.Error.BadState: org/model is complete");
  ASSERT_CALL (f, path, TRANSFER, "Resume", NULL,
               "org.exo.Agent1.Error.BadState: org/model is complete");
}

/* Limits --------------------------------------------------------------------------------------- */

#define NO_LIMITS                                                                                  \
  "{'hub-rate': <uint64 0>, 'lan-upload-rate': <uint64 0>, 'hub-connections': <uint64 0>, "        \
  "'monthly-cap': <uint64 0>, 'hub-hours': <''>}"

static void
set_limits (Fixture *f, const char *limits, const char *expected)
{
  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "SetLimits", g_variant_new_parsed (limits), expected);
}

static void
limits_are_set_shown_and_reset (void)
{
  g_autoptr (Fixture) f = set_up ();

  assert_property (f, EXO_DBUS_PATH, MAIN, "Limits", NO_LIMITS);
  set_limits (f,
              "({'hub-rate': <uint64 20000000>, 'hub-connections': <uint64 4>, "
              "'hub-hours': <'22:00-7:00'>},)",
              "()");
  assert_property (f, EXO_DBUS_PATH, MAIN, "Limits",
                   "{'hub-rate': <uint64 20000000>, 'lan-upload-rate': <uint64 0>, "
                   "'hub-connections': <uint64 4>, 'monthly-cap': <uint64 0>, "
                   "'hub-hours': <'22:00-07:00'>}");
  assert_property (f, EXO_DBUS_PATH, MAIN, "LimitsSet",
                   "['hub-rate', 'hub-connections', 'hub-hours']");
  WAIT_UNTIL (f, got_signal (f, "'LimitsSet': <['hub-rate'"));
  set_limits (f, "({'hub-hours': <''>},)", "()");
  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "ResetLimits",
               g_variant_new_parsed ("(['hub-connections'],)"), "()");
  assert_property (f, EXO_DBUS_PATH, MAIN, "LimitsSet", "['hub-rate', 'hub-hours']");
  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "ResetLimits", g_variant_new_parsed ("(@as [],)"), "()");
  assert_property (f, EXO_DBUS_PATH, MAIN, "Limits", NO_LIMITS);
  assert_property (f, EXO_DBUS_PATH, MAIN, "LimitsSet", "@as []");
}

static void
what_follows_from_limits_is_shown (void)
{
  g_autoptr (Fixture) f = set_up ();
  ExoLimitsState *state = fake_engine_limits (f->engine);

  assert_property (f, EXO_DBUS_PATH, MAIN, "HubWait", "''");
  state->month_bytes = 500;
  state->wait = EXO_HUB_WAIT_CAP;
  state->until_s = 1798758000;
  fake_engine_changed (f->engine);
  WAIT_UNTIL (f, got_signal (f, "'HubBytesThisMonth': <uint64 500>"));
  assert_property (f, EXO_DBUS_PATH, MAIN, "HubWait", "'cap'");
  assert_property (f, EXO_DBUS_PATH, MAIN, "HubWaitUntil", "int64 1798758000");
}

static void
limits_that_make_no_sense_are_invalid (void)
{
  static const struct
  {
    const char *limits, *error;
  } rows[] = {
    { "({'hub_rate': <uint64 1000000>},)", "There is no limit \"hub_rate\"" },
    { "({'hub-rate': <1000000>},)", "hub-rate: has to be of type t" },
    { "({'hub-hours': <uint64 7>},)", "hub-hours: has to be of type s" },
    { "({'hub-connections': <uint64 4>, 'hub-rate': <uint64 1>},)",
      "hub-rate: from 100 kB/s to 1000 TB/s, or off" },
    { "({'hub-hours': <'22-07'>},)",
      "hub-hours: must be like 22:00-07:00, or several such ranges with commas between, or off" },
  };
  g_autoptr (Fixture) f = set_up ();

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *error = g_strconcat ("org.exo.Agent1.Error.Invalid: ", rows[i].error, NULL);

      set_limits (f, rows[i].limits, error);
    }
  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "ResetLimits", g_variant_new_parsed ("(['rate'],)"),
               "org.exo.Agent1.Error.Invalid: There is no limit \"rate\"");
  assert_property (f, EXO_DBUS_PATH, MAIN, "LimitsSet", "@as []");
  fake_engine_fail_next (f->engine, EXO_TRANSFER_ERROR_DISK, "no room");
  set_limits (f, "({'hub-rate': <uint64 1000000>},)", "org.exo.Agent1.Error.Disk: no room");
  fake_engine_fail_next (f->engine, EXO_TRANSFER_ERROR_DISK, "no room");
  ASSERT_CALL (f, EXO_DBUS_PATH, MAIN, "ResetLimits", g_variant_new_parsed ("(@as [],)"),
               "org.exo.Agent1.Error.Disk: no room");
}

static void
files_are_listed (void)
{
  g_autoptr (Fixture) f = set_up ();
  ExoTransfer *transfer = pull (f, "org/model");

  ASSERT_CALL (f, EXO_DBUS_PATH "/transfer/1", TRANSFER, "ListFiles", NULL, "([],)");
  fake_transfer_set_file (transfer, "a.json", 10, 10, "complete");
  fake_transfer_set_file (transfer, "b/c.bin", G_GUINT64_CONSTANT (5000000000), 7, "transferring");
  ASSERT_CALL (f, EXO_DBUS_PATH "/transfer/1", TRANSFER, "ListFiles", NULL,
               "([('a.json', 10, 10, 'complete'), ('b/c.bin', 5000000000, 7, "
               "'transferring')],)");
}

/* The name ------------------------------------------------------------------------------------- */

static void
second_agent_learns_that_the_name_is_taken (void)
{
  g_autoptr (Fixture) f = set_up ();
  g_autoptr (GDBusConnection) other = bus_lab_connect (g_test_dbus_get_bus_address (f->bus));
  ExoDbus *second = start_service (f, other);

  WAIT_UNTIL (f, f->lost != NULL);
  CU_ASSERT_STRING_EQUAL (f->lost, "Another agent owns the bus name org.exo.Agent1");
  exo_dbus_free (second);
}

static void
losing_the_bus_is_told_and_does_not_exit (void)
{
  g_autoptr (Fixture) f = set_up ();

  g_dbus_connection_close_sync (f->server, NULL, NULL);
  WAIT_UNTIL (f, f->lost != NULL);
  CU_ASSERT_STRING_EQUAL (f->lost, "The session bus closed the connection");
}

EXO_SUITE ("dbus",
           TEST (introspection_is_the_xml),
           TEST (main_object_says_who_we_are_and_what_was_moved),
           TEST (only_what_changed_is_announced),
           TEST (pull_passes_its_options_on),
           TEST (wrong_arguments_are_invalid),
           TEST (errors_have_their_wire_names),
           TEST (every_method_passes_an_error_on),
           TEST (models_are_listed_removed_and_verified),
           TEST (mdns_is_the_first_finding),
           TEST (transfers_and_nodes_come_and_go_as_objects),
           TEST (what_was_there_before_the_service_is_exported_too),
           TEST (transfer_properties_follow_its_facts),
           TEST (node_properties_follow_its_facts),
           TEST (exo_is_asked_when_somebody_wants_to_know),
           TEST (transfers_pause_resume_and_refuse_by_state),
           TEST (limits_are_set_shown_and_reset),
           TEST (what_follows_from_limits_is_shown),
           TEST (limits_that_make_no_sense_are_invalid),
           TEST (files_are_listed),
           TEST (second_agent_learns_that_the_name_is_taken),
           TEST (losing_the_bus_is_told_and_does_not_exit))
