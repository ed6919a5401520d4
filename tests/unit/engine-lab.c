/* engine-lab.c - see engine-lab.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tests/unit/engine-lab.h"

#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "transfer/engine-private.h"
#include "transfer/hub/hub-private.h"

#define WATCHDOG_S 150 /* for all tests of a program, also on a slow machine under a sanitizer */
#define LOOK_MS    5

typedef struct
{
  const char *path;
  gsize size;
  guint seed; /* equal ones are equal files */
} Content;

/* Who is out of reach is known within a moment. */
static const ExoHubTimes hub_times = { 2000, 60000, 2000, 5 * (gint64) G_USEC_PER_SEC };

static const Content contents[] = {
  { "config.json", 1234, 1 },
  { "empty", 0, 2 },
  { "sub dir/notes.txt", 70000, 3 },
  { "weights-1.safetensors", 20u << 20, 4 },
  { "weights-2.safetensors", (1u << 20) + 17, 5 },
  { "weights-3.safetensors", 256u << 10, 6 },
  { "sub dir/weights-2-again.safetensors", (1u << 20) + 17, 5 },
};

EngineLab engine_lab;

/* --- the model ------------------------------------------------------------------------------ */

static GBytes *
bytes_of (const Content *content)
{
  guint64 *words = g_malloc (content->size + sizeof *words);
  guint64 x = content->seed;

  for (gsize i = 0; i <= content->size / sizeof *words; i++)
    words[i] = x = x * G_GUINT64_CONSTANT (6364136223846793005) + 1442695040888963407u;
  return g_bytes_new_take (words, content->size);
}

static void
write_model (const char *root)
{
  g_autofree char *folder = g_build_filename (root, "models", LAB_MODEL, "main", NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (contents); i++)
    {
      g_autofree char *path = g_build_filename (folder, contents[i].path, NULL);
      g_autofree char *parent = g_path_get_dirname (path);
      g_autoptr (GBytes) bytes = bytes_of (&contents[i]);
      g_autoptr (GError) error = NULL;
      gboolean is_new = TRUE;

      g_mkdir_with_parents (parent, 0700);
      g_file_set_contents_full (path, g_bytes_get_data (bytes, NULL),
                                (gssize) g_bytes_get_size (bytes), G_FILE_SET_CONTENTS_NONE, 0600,
                                &error);
      g_assert_no_error (error);
      for (gsize j = 0; j < i; j++)
        is_new = is_new && contents[j].seed != contents[i].seed;
      engine_lab.bytes += contents[i].size;
      engine_lab.unique += is_new ? contents[i].size : 0;
    }
  engine_lab.n_files = G_N_ELEMENTS (contents);
}

void
engine_lab_put (const char *model, const char *path, const char *text)
{
  g_autofree char *folder = g_build_filename (engine_lab.folder, "hub-root", "models", model,
                                              "main", NULL),
                  *file = g_build_filename (folder, path, NULL);
  g_autoptr (GError) error = NULL;

  g_mkdir_with_parents (folder, 0700);
  g_file_set_contents (file, text, -1, &error);
  g_assert_no_error (error);
  stand_in_reload (engine_lab.hub);
}

static void
remove_all (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *below = g_build_filename (path, name, NULL);

      if (g_file_test (below, G_FILE_TEST_IS_DIR) && !g_file_test (below, G_FILE_TEST_IS_SYMLINK))
        remove_all (below);
      else
        g_unlink (below);
    }
  g_rmdir (path);
}

/* The tests run in a child, and this process clears up after them, however they end. */
static void
run_in_child (void)
{
  pid_t child = fork ();
  int status = 0;

  g_assert (child >= 0);
  if (child == 0)
    {
      prctl (PR_SET_PDEATHSIG, SIGKILL);
      return;
    }
  /* Meant for the child, which gets it too. */
  signal (SIGINT, SIG_IGN);
  signal (SIGTERM, SIG_IGN);
  while (waitpid (child, &status, 0) < 0)
    ;
  remove_all (engine_lab.folder);
  if (WIFSIGNALED (status))
    fprintf (stderr, "ended by signal %d\n", WTERMSIG (status));
  _exit (WIFEXITED (status) ? WEXITSTATUS (status) : EXIT_FAILURE);
}

void
engine_lab_open (void)
{
  g_autofree char *root = NULL;

  engine_lab.folder = g_dir_make_tmp ("exo-engine-XXXXXX", NULL);
  g_assert_nonnull (engine_lab.folder);
  run_in_child ();
  alarm (WATCHDOG_S);
  /* Before there is any thread, which would stay outside. */
  engine_lab.may_mount =
      unshare (CLONE_NEWNS) == 0 && mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
  /* Not those of whoever runs the tests. */
  g_unsetenv ("http_proxy");
  g_unsetenv ("HTTP_PROXY");
  root = g_build_filename (engine_lab.folder, "hub-root", NULL);
  write_model (root);
  engine_lab.hub = stand_in_new (root);
}

void
engine_lab_close (void)
{
  stand_in_free (engine_lab.hub);
  g_free (engine_lab.folder);
}

/* --- engines ---------------------------------------------------------------------------------- */

static void
on_warning (ExoEngine *engine, const char *kind, const char *message, gpointer user_data)
{
  g_string_append_printf (((LabNode *) user_data)->warnings, "%s: %s\n", kind, message);
}

static void
count (ExoEngine *engine, gpointer user_data)
{
  ++*(guint *) user_data;
}

void
lab_node_start (LabNode *node, LabNode *peer)
{
  g_autofree char *name = g_path_get_basename (node->folder),
                  *id = g_strdup_printf ("%032x", g_str_hash (name)),
                  *address = peer != NULL
                                 ? g_strdup_printf ("127.0.0.1:%u", exo_engine_port (peer->engine))
                                 : NULL;
  const char *const peers[] = { address, NULL };
  g_autoptr (GError) error = NULL;
  ExoEngineConfig config = {
    .node_id = id,
    .node_name = name,
    .hub_cache = node->cache,
    .state_dir = node->state,
    .endpoint = stand_in_url (engine_lab.hub),
    .listen_loopback = TRUE,
    .peers = peers,
    .serve_programs = TRUE,
    .exo_port = engine_lab.exo_port,
    .roots = engine_lab.roots,
  };

  node->engine = exo_engine_new (&config, &error);
  g_assert_no_error (error);
  exo_hub_set_times (node->engine->hub, &hub_times);
  node->n_idle = node->n_restored = 0;
  g_signal_connect (node->engine, "warning", G_CALLBACK (on_warning), node);
  g_signal_connect (node->engine, "idle", G_CALLBACK (count), &node->n_idle);
  g_signal_connect (node->engine, "restored", G_CALLBACK (count), &node->n_restored);
  exo_engine_peers_settled (node->engine);
}

void
lab_node_open (LabNode *node, const char *name, LabNode *peer)
{
  stand_in_reset (engine_lab.hub);
  *node = (LabNode){ .warnings = g_string_new (NULL) };
  node->folder = g_build_filename (engine_lab.folder, name, NULL);
  node->cache = g_build_filename (node->folder, "hub", NULL);
  node->state = g_build_filename (node->folder, "state", NULL);
  lab_node_start (node, peer);
}

void
lab_node_stop (LabNode *node)
{
  exo_engine_stop (node->engine);
  g_clear_object (&node->engine);
}

void
lab_node_close (LabNode *node)
{
  if (node->engine != NULL)
    lab_node_stop (node);
  lab_turn (100);
  remove_all (node->folder);
  g_string_free (node->warnings, TRUE);
  g_free (node->folder);
  g_free (node->cache);
  g_free (node->state);
}

ExoTransfer *
lab_node_pull (LabNode *node, const char *model)
{
  g_autoptr (GError) error = NULL;
  ExoTransfer *transfer =
      exo_engine_pull (node->engine, EXO_REPO_MODEL, model, NULL, NULL, NULL, &error);

  g_assert_no_error (error);
  return transfer;
}

ExoTransfer *
lab_node_demand (LabNode *node, const char *path)
{
  const char *const includes[] = { "weights-3*", NULL };
  ExoTransfer *first =
      exo_engine_pull (node->engine, EXO_REPO_MODEL, LAB_MODEL, NULL, includes, NULL, NULL);
  g_autoptr (GError) error = NULL;
  ExoTransfer *transfer;

  lab_wait_state (first, EXO_TRANSFER_COMPLETE);
  transfer = exo_engine_demand (node->engine, first->whole, FALSE, "main", path, &error);
  g_assert_no_error (error);
  g_assert_true (transfer != first);
  exo_transfer_cancel (first, NULL);
  return transfer;
}

/* --- waiting ------------------------------------------------------------------------------------ */

static gboolean
look_again (gpointer user_data)
{
  return G_SOURCE_CONTINUE;
}

void
lab_wait (gboolean (*is_so) (gconstpointer data), gconstpointer data)
{
  guint source = g_timeout_add (LOOK_MS, look_again, NULL);

  while (!is_so (data))
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (source);
}

typedef struct
{
  ExoTransfer *transfer;
  ExoTransferState state;
} Awaited;

static gboolean
is_in_state (gconstpointer data)
{
  const Awaited *awaited = data;
  ExoTransferState state = lab_state (awaited->transfer);

  if (state == EXO_TRANSFER_FAILED && awaited->state != EXO_TRANSFER_FAILED)
    {
      ExoTransferInfo info;

      exo_transfer_get_info (awaited->transfer, &info);
      g_error ("the transfer failed: %s", info.error_message);
    }
  return state == awaited->state;
}

void
lab_wait_state (ExoTransfer *transfer, ExoTransferState state)
{
  Awaited awaited = { transfer, state };

  lab_wait (is_in_state, &awaited);
}

static gboolean
has_stalled (gconstpointer transfer)
{
  return stand_in_hits (engine_lab.hub) == LAB_RUNS &&
         lab_bytes_done ((ExoTransfer *) transfer) ==
             stand_in_bytes (engine_lab.hub) + engine_lab.bytes - engine_lab.unique;
}

ExoTransfer *
lab_pull_half (LabNode *node)
{
  g_autofree char *rule =
      g_strdup_printf ("[{\"match\":\"*weights-1*\",\"class\":\"cdn\",\"every\":%u,"
                       "\"fault\":{\"kind\":\"stall\",\"after\":0,\"seconds\":3600}}]",
                       LAB_EVERY);
  ExoTransfer *transfer;

  stand_in_faults (engine_lab.hub, rule);
  transfer = lab_node_pull (node, LAB_MODEL);
  lab_wait (has_stalled, transfer);
  return transfer;
}

void
lab_turn (guint times)
{
  for (guint i = 0; i < times; i++)
    g_main_context_iteration (NULL, FALSE);
}

/* --- looking -------------------------------------------------------------------------------------- */

gboolean
lab_has_neighbour (gconstpointer node)
{
  g_autoptr (GPtrArray) nodes = exo_engine_nodes (((const LabNode *) node)->engine);

  return nodes->len == 2;
}

ExoTransferState
lab_state (ExoTransfer *transfer)
{
  ExoTransferInfo info;

  exo_transfer_get_info (transfer, &info);
  return info.state;
}

guint64
lab_bytes_done (ExoTransfer *transfer)
{
  ExoTransferInfo info;

  exo_transfer_get_info (transfer, &info);
  return info.bytes_done;
}

static gboolean
holds (const char *path, const Content *content)
{
  g_autofree char *text = NULL;
  g_autoptr (GBytes) right = bytes_of (content), found = NULL;
  gsize length;

  if (!g_file_get_contents (path, &text, &length, NULL))
    return FALSE;
  found = g_bytes_new_take (g_steal_pointer (&text), length);
  return g_bytes_equal (found, right);
}

static gboolean
has_leftovers (const char *repo)
{
  g_autofree char *blobs = g_build_filename (repo, "blobs", NULL);
  g_autoptr (GDir) dir = g_dir_open (blobs, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (strchr (name, '.') != NULL)
      {
        g_printerr ("left: %s\n", name);
        return TRUE;
      }
  return dir == NULL;
}

gboolean
lab_node_is_whole (LabNode *node)
{
  g_autofree char *repo = g_build_filename (node->cache, "models--org--name", NULL),
                  *ref = g_build_filename (repo, "refs", "main", NULL), *commit = NULL;

  if (!g_file_get_contents (ref, &commit, NULL, NULL) || has_leftovers (repo))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (contents); i++)
    {
      g_autofree char *path = g_build_filename (repo, "snapshots", commit, contents[i].path, NULL);

      if (!g_file_test (path, G_FILE_TEST_IS_SYMLINK) || !holds (path, &contents[i]))
        {
          g_printerr ("wrong: %s\n", path);
          return FALSE;
        }
    }
  return TRUE;
}
