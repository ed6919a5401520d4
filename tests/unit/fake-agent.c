/* fake-agent.c - the D-Bus service over a fake engine, for tests of its clients
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Prints "ready" once it owns the name. What a transfer does depends on its model: org/ok goes through
 * all states to complete; org/slow stays at 40 %; org/die ends this program; org/CODE fails with
 * that error.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/dbus.h"
#include "tests/unit/fake-engine.h"
#include "transfer/store/store.h"

#define STEP_MS  100
#define N_STEPS  10
#define SIZE     G_GUINT64_CONSTANT (5000000000)
#define NODE_ID  "00112233445566778899aabbccddeeff"
#define PEER_ID  "ffeeddccbbaa99887766554433221100"
#define COMMIT   "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
#define BAD_FILE "bad\x1b[2Jname.bin"

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
  return new_finding ("mdns", "ok", "Published as anna", "");
}

static void
on_acquired (ExoDbus *dbus, gpointer user_data)
{
  puts ("ready");
  fflush (stdout);
}

static void
on_lost (ExoDbus *dbus, const char *why, gpointer user_data)
{
  g_main_loop_quit (user_data);
}

static void
advance (ExoTransfer *transfer, guint step)
{
  ExoTransferInfo *info = fake_transfer_info (transfer);

  info->state = EXO_TRANSFER_TRANSFERRING;
  info->commit = COMMIT;
  info->started_s = 1700000000;
  info->bytes_total = SIZE;
  info->bytes_done = SIZE / N_STEPS * MIN (step, N_STEPS);
  info->bytes_from_hub = info->bytes_done / 4;
  info->bytes_from_lan = info->bytes_done - info->bytes_from_hub;
  info->files_total = 3;
  info->rate = 100000000;
  info->eta_s = 10;
  info->peers = 1;
  fake_transfer_set_file (transfer, "config.json", 1000, 1000, "complete");
  fake_transfer_set_file (transfer, "模型-00001-of-00002.safetensors", SIZE - 2000,
                          info->bytes_done > 2000 ? info->bytes_done - 2000 : 0, "transferring");
  fake_transfer_set_file (transfer, BAD_FILE, 1000, 500,
                          step < N_STEPS - 1 ? "transferring" : "complete");
}

static void
complete (ExoTransfer *transfer)
{
  ExoTransferInfo *info = fake_transfer_info (transfer);

  info->state = EXO_TRANSFER_COMPLETE;
  info->files_done = info->files_total;
  info->finished_s = 1700000060;
  info->rate = 0;
  info->eta_s = -1;
}

static void
fail (ExoTransfer *transfer, const char *code)
{
  ExoTransferInfo *info = fake_transfer_info (transfer);

  info->state = EXO_TRANSFER_FAILED;
  info->error_code = code;
  info->error_message = "It failed \x1b[31mas told";
}

static void
step_one (ExoTransfer *transfer)
{
  ExoTransferInfo *info = fake_transfer_info (transfer);
  const char *name = info->model + strlen ("org/");
  guint step = GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (transfer), "step")) + 1;

  if (info->state == EXO_TRANSFER_PAUSED || info->state >= EXO_TRANSFER_COMPLETE)
    return;
  g_object_set_data (G_OBJECT (transfer), "step", GUINT_TO_POINTER (step));
  if (step == 1)
    info->state = EXO_TRANSFER_RESOLVING;
  else if (g_str_equal (name, "die"))
    exit (EXIT_SUCCESS);
  else if (g_str_equal (name, "slow"))
    advance (transfer, 4);
  else if (!g_str_equal (name, "ok"))
    fail (transfer, name);
  else if (step <= N_STEPS + 1)
    advance (transfer, step - 1);
  else if (step == N_STEPS + 2)
    info->state = EXO_TRANSFER_VERIFYING;
  else
    complete (transfer);
  fake_transfer_changed (transfer);
}

static gboolean
on_step (gpointer user_data)
{
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (user_data);

  for (guint i = 0; i < transfers->len; i++)
    step_one (transfers->pdata[i]);
  return G_SOURCE_CONTINUE;
}

static void
fill (ExoEngine *engine)
{
  static const char *const addresses[] = { "192.168.1.5:52418", NULL };
  static const char *const models[] = { "org/ok", NULL };
  ExoEngineTotals *totals = fake_engine_totals (engine);
  ExoStoredModel *model = g_new0 (ExoStoredModel, 1);
  ExoNodeInfo *info;

  totals->hub_cache = "/data/it's here/hub";
  totals->cache_bytes = SIZE;
  totals->free_bytes = 7 * SIZE;
  totals->bytes_from_lan = 3 * SIZE;
  model->id = g_strdup ("org/ok");
  model->commit = g_strdup (COMMIT);
  model->refs = g_strdup ("main");
  model->bytes = SIZE;
  model->n_files = 3;
  model->modified_s = 1700000000;
  g_ptr_array_add (fake_engine_models (engine), model);
  g_ptr_array_add (fake_engine_findings (engine),
                   new_finding ("hub", "warn", "The Hub is slow", "Wait"));
  fake_node_info (fake_engine_add_node (engine, NODE_ID, "anna", TRUE))->exo_models = models;
  info = fake_node_info (fake_engine_add_node (engine, PEER_ID, "berta\x1b[0m", FALSE));
  info->addresses = addresses;
  info->address = addresses[0];
  info->link = "eth1";
  info->link_speed = 1250000000;
  info->models = models;
  info->state = "connected";
  info->rate_in = 50000000;
}

/* Any argument is a path that Verify finds wrong, and makes a finding fail. */
int
main (int argc, char **argv)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GDBusConnection) bus = g_bus_get_sync (G_BUS_TYPE_SESSION, NULL, NULL);
  g_autoptr (ExoEngine) engine = fake_engine_new ();
  g_autoptr (ExoDbus) dbus = NULL;
  ExoDbusConfig config = { "1.2.3", NODE_ID, "anna", G_BUS_NAME_OWNER_FLAGS_NONE };
  ExoDbusCallbacks callbacks = { on_acquired, on_lost, on_mdns_finding };

  if (bus == NULL)
    return EXIT_FAILURE;
  fill (engine);
  for (int i = 1; i < argc; i++)
    {
      g_ptr_array_add (fake_engine_wrong (engine), g_strdup (argv[i]));
      g_ptr_array_add (fake_engine_findings (engine),
                       new_finding ("disk", "fail", "Bytes are wrong", "Pull again"));
    }
  dbus = exo_dbus_new (bus, engine, &config, &callbacks, loop, NULL);
  if (dbus == NULL)
    return EXIT_FAILURE;
  g_timeout_add (STEP_MS, on_step, engine);
  g_main_loop_run (loop);
  return EXIT_SUCCESS;
}
