/* test-endpoint.c - the Hub as programs of this machine see it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Whole engines, the stand-in Hub behind them, and a client in the same main loop. With real clients: tests/lab.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "tests/unit/engine-lab.h"
#include "tests/unit/suite.h"
#include "transfer/engine-private.h"
#include "transfer/json-text.h"
#include "transfer/oid.h"
#include "transfer/swarm/swarm-private.h"

#define LARGE         "weights-1.safetensors"
#define FILE_OF(path) "/" LAB_MODEL "/resolve/main/" path

typedef struct
{
  ExoFetch *fetch;
  gboolean done;
  guint status;
  GBytes *body; /* NULL if the connection broke before the end */
  GHashTable *headers;
} Answer;

static ExoFetcher *fetcher;

static void
on_done (ExoFetch *fetch, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  Answer *answer = user_data;

  answer->done = TRUE;
  answer->status = result->status;
  answer->body = error == NULL && result->body != NULL ? g_bytes_ref (result->body) : NULL;
  answer->headers = g_hash_table_ref (result->headers);
}

static void
answer_clear (Answer *answer)
{
  g_clear_pointer (&answer->body, g_bytes_unref);
  g_clear_pointer (&answer->headers, g_hash_table_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Answer, answer_clear)

static const char *
url_of (LabNode *node)
{
  ExoEngineTotals totals;

  exo_engine_get_totals (node->engine, &totals);
  return totals.local_endpoint;
}

/* @header: (nullable): one more */
static void
begin (LabNode *node,
       const char *method,
       const char *path,
       const char *header,
       const char *body,
       Answer *answer)
{
  static const ExoFetchCallbacks callbacks = { .done = on_done };
  const char *const headers[] = { header, NULL };
  g_autofree char *url = g_strconcat (url_of (node), path, NULL);
  g_autoptr (GBytes) bytes = body != NULL ? g_bytes_new (body, strlen (body)) : NULL;

  *answer = (Answer){ 0 };
  answer->fetch = exo_fetcher_start (fetcher,
                                     &(ExoFetchRequest){
                                         .mode = EXO_FETCH_TO_MEMORY,
                                         .method = method,
                                         .url = url,
                                         .headers = headers,
                                         .body = bytes,
                                         .lan = TRUE,
                                         .max_body = 64u << 20,
                                     },
                                     &callbacks, answer);
}

static gboolean
is_done (gconstpointer data)
{
  return ((const Answer *) data)->done;
}

static void
ask (LabNode *node, const char *method, const char *path, const char *header, Answer *answer)
{
  begin (node, method, path, header, NULL, answer);
  lab_wait (is_done, answer);
}

static const char *
header (const Answer *answer, const char *name)
{
  const char *value = g_hash_table_lookup (answer->headers, name);

  return value != NULL ? value : "";
}

/* What the Hub has. */
static GBytes *
original (const char *path)
{
  g_autofree char *file =
      g_build_filename (engine_lab.folder, "hub-root", "models", LAB_MODEL, "main", path, NULL);
  char *text = NULL;
  gsize n = 0;

  CU_ASSERT_TRUE_FATAL (g_file_get_contents (file, &text, &n, NULL));
  return g_bytes_new_take (text, n);
}

static gboolean
is_original (const Answer *answer, const char *path)
{
  g_autoptr (GBytes) bytes = original (path);

  return answer->body != NULL && g_bytes_equal (bytes, answer->body);
}

static ExoTransfer *
transfer_of (LabNode *node)
{
  g_autoptr (GPtrArray) transfers = exo_engine_transfers (node->engine);

  return transfers->len > 0 ? g_ptr_array_index (transfers, 0) : NULL;
}

/* --- files ----------------------------------------------------------------------------------------- */

static void
a_file_comes_from_the_hub_once (void)
{
  LabNode node;
  ExoTransferInfo info;

  lab_node_open (&node, "one", NULL);
  for (guint i = 0; i < 3; i++)
    {
      g_auto (Answer) answer = { 0 };

      ask (&node, "GET", FILE_OF (LARGE), NULL, &answer);
      CU_ASSERT_EQUAL (answer.status, 200);
      CU_ASSERT_TRUE (is_original (&answer, LARGE));
      CU_ASSERT_EQUAL (strlen (header (&answer, "x-repo-commit")), 40);
      CU_ASSERT_EQUAL (strlen (header (&answer, "etag")), 66);
      CU_ASSERT_STRING_EQUAL (header (&answer, "content-type"), "application/octet-stream");
      CU_ASSERT_STRING_EQUAL (header (&answer, "x-xet-hash"), "");
    }
  CU_ASSERT_EQUAL (stand_in_bytes (engine_lab.hub), 20u << 20);
  lab_wait_state (transfer_of (&node), EXO_TRANSFER_COMPLETE);
  exo_transfer_get_info (transfer_of (&node), &info);
  CU_ASSERT_TRUE (info.on_demand);
  CU_ASSERT_STRING_EQUAL (info.model, LAB_MODEL);
  CU_ASSERT_EQUAL (info.bytes_total, 20u << 20);
  CU_ASSERT_EQUAL (info.bytes_done, 20u << 20);
  CU_ASSERT_EQUAL (info.files_total, 1);
  lab_node_close (&node);
}

/* As huggingface_hub does: many at once. Then all is in the cache, and the transfer says so. */
static void
all_files_at_once_make_one_transfer (void)
{
  static const char *const paths[] = { "config.json",
                                       "sub dir/notes.txt",
                                       LARGE,
                                       "weights-2.safetensors",
                                       "weights-3.safetensors",
                                       "sub dir/weights-2-again.safetensors",
                                       "empty" };
  Answer answers[G_N_ELEMENTS (paths)];
  g_autoptr (GPtrArray) transfers = NULL;
  LabNode node;

  lab_node_open (&node, "one", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_autofree char *escaped = g_uri_escape_string (paths[i], "/", FALSE);
      g_autofree char *path = g_strconcat (FILE_OF (""), escaped, NULL);

      begin (&node, "GET", path, NULL, NULL, &answers[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      lab_wait (is_done, &answers[i]);
      CU_ASSERT_EQUAL (answers[i].status, 200);
      CU_ASSERT_TRUE (is_original (&answers[i], paths[i]));
      answer_clear (&answers[i]);
    }
  transfers = exo_engine_transfers (node.engine);
  CU_ASSERT_EQUAL (transfers->len, 1);
  lab_wait_state (transfer_of (&node), EXO_TRANSFER_COMPLETE);
  CU_ASSERT_EQUAL (stand_in_bytes (engine_lab.hub), engine_lab.unique);
  CU_ASSERT_TRUE (lab_node_is_whole (&node)); /* the empty file, too */
  lab_node_close (&node);
}

static void
a_neighbour_saves_the_hub_everything (void)
{
  LabNode one, two;
  g_auto (Answer) answer = { 0 };

  lab_node_open (&one, "one", NULL);
  lab_wait_state (lab_node_pull (&one, LAB_MODEL), EXO_TRANSFER_COMPLETE);
  lab_node_open (&two, "two", &one);
  ask (&two, "GET", FILE_OF (LARGE), NULL, &answer);
  CU_ASSERT_TRUE (is_original (&answer, LARGE));
  CU_ASSERT_EQUAL (stand_in_bytes (engine_lab.hub), 0);
  lab_node_close (&two);
  lab_node_close (&one);
}

static void
ranges_are_what_clients_need (void)
{
  static const struct
  {
    const char *path, *range;
    guint status;
    const char *said;
    gsize n;
  } rows[] = {
    { LARGE, "Range: bytes=0-0", 206, "bytes 0-0/20971520", 1 },
    { LARGE, "Range: bytes=8-100000", 206, "bytes 8-100000/20971520", 99993 },
    { LARGE, "Range: bytes=20971520-", 416, "bytes */20971520", 0 },
    { "empty", "Range: bytes=0-0", 200, "bytes */0", 0 },
    { "config.json", "Range: bytes=1000-", 206, "bytes 1000-1233/1234", 234 },
    { "config.json", "Range: bytes=-4", 206, "bytes 1230-1233/1234", 4 },
  };
  LabNode node;

  lab_node_open (&node, "one", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *path = g_strconcat (FILE_OF (""), rows[i].path, NULL);
      g_autoptr (GBytes) whole = original (rows[i].path);
      g_auto (Answer) answer = { 0 };
      guint64 first = 0;

      ask (&node, "GET", path, rows[i].range, &answer);
      CU_ASSERT_EQUAL (answer.status, rows[i].status);
      CU_ASSERT_STRING_EQUAL (header (&answer, "content-range"), rows[i].said);
      CU_ASSERT_PTR_NOT_NULL_FATAL (answer.body);
      CU_ASSERT_EQUAL (g_bytes_get_size (answer.body), rows[i].n);
      if (rows[i].status != 206 || g_bytes_get_size (answer.body) != rows[i].n)
        continue;
      first = g_ascii_strtoull (rows[i].said + strlen ("bytes "), NULL, 10);
      CU_ASSERT_EQUAL (memcmp ((const char *) g_bytes_get_data (whole, NULL) + first,
                               g_bytes_get_data (answer.body, NULL), rows[i].n),
                       0);
    }
  /* Looking at a header is no download. */
  CU_ASSERT_TRUE (stand_in_bytes (engine_lab.hub) < 200000);
  lab_node_close (&node);
}

static void
heads_and_misses_are_answered_from_the_list (void)
{
  LabNode node;
  g_autofree char *etag = NULL;

  lab_node_open (&node, "one", NULL);
  {
    g_auto (Answer) answer = { 0 };
    ask (&node, "HEAD", FILE_OF (LARGE), NULL, &answer);
    CU_ASSERT_EQUAL (answer.status, 200);
    CU_ASSERT_STRING_EQUAL (header (&answer, "content-length"), "20971520");
    CU_ASSERT_STRING_EQUAL (header (&answer, "x-linked-size"), "20971520");
    etag = g_strdup_printf ("If-None-Match: %s", header (&answer, "etag"));
  }
  {
    g_auto (Answer) answer = { 0 };
    ask (&node, "GET", FILE_OF (LARGE), etag, &answer);
    CU_ASSERT_EQUAL (answer.status, 304);
  }
  {
    g_auto (Answer) answer = { 0 };
    ask (&node, "GET", FILE_OF ("missing.json"), NULL, &answer);
    CU_ASSERT_EQUAL (answer.status, 404);
    CU_ASSERT_STRING_EQUAL (header (&answer, "x-error-code"), "EntryNotFound");
    CU_ASSERT_EQUAL (strlen (header (&answer, "x-repo-commit")), 40);
    CU_ASSERT_STRING_NOT_EQUAL (header (&answer, "etag"), "");
    CU_ASSERT_STRING_NOT_EQUAL (header (&answer, "content-length"), "0");
  }
  {
    g_auto (Answer) answer = { 0 };
    ask (&node, "GET", "/" LAB_MODEL "/resolve/no-such-branch/config.json", NULL, &answer);
    CU_ASSERT_EQUAL (answer.status, 404);
    CU_ASSERT_STRING_EQUAL (header (&answer, "x-error-code"), "RevisionNotFound");
  }
  {
    g_auto (Answer) answer = { 0 };
    ask (&node, "GET", "/org/nothing/resolve/main/config.json", NULL, &answer);
    CU_ASSERT_EQUAL (answer.status, 404);
    CU_ASSERT_STRING_EQUAL (header (&answer, "x-error-code"), "RepoNotFound");
  }
  CU_ASSERT_EQUAL (stand_in_bytes (engine_lab.hub), 0);
  lab_node_close (&node);
}

/* --- the API ----------------------------------------------------------------------------------------- */

static void
the_api_answers_with_json (void)
{
  static const struct
  {
    const char *method, *path, *body;
    guint status;
    const char *has;
  } rows[] = {
    { "GET", "/api/models/" LAB_MODEL, NULL, 200, "\"siblings\"" },
    { "GET", "/api/models/" LAB_MODEL "/revision/main?blobs=true", NULL, 200, "\"sha\"" },
    { "GET", "//api/models/" LAB_MODEL "/tree/main?recursive=true", NULL, 200, LARGE },
    { "GET", "/api/models/" LAB_MODEL "/tree/main?cursor=abc", NULL, 200, "[]" },
    { "GET", "/api/models/" LAB_MODEL "/tree/main/nothing", NULL, 404, "Entry" },
    { "POST", "/api/models/" LAB_MODEL "/paths-info/main", "{\"paths\":[\"config.json\"]}", 200,
      "config.json" },
    { "GET", "/api/models/" LAB_MODEL "/refs", NULL, 200, "\"branches\"" },
    { "GET", "/" LAB_MODEL "/raw/main/" LARGE, NULL, 200, "version https://git-lfs" },
    { "POST", "/api/models/" LAB_MODEL "/preupload/main", "{}", 501, "only downloads" },
    { "GET", "/", NULL, 200, "<!DOCTYPE html>" },
    { "GET", "/metrics", NULL, 200, "exo_agent_received_bytes_total{source=\"hub\"}" },
    { "GET", "/state.json", NULL, 200, "\"transfers\":[" },
    { "GET", "/nothing", NULL, 404, "error" },
    { "GET", "/" LAB_MODEL "/resolve/main/..%2Fx", NULL, 400, "error" },
  };
  LabNode node;

  lab_node_open (&node, "one", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (Answer) answer = { 0 };
      g_autofree char *text = NULL;

      begin (&node, rows[i].method, rows[i].path,
             rows[i].body != NULL ? "Content-Type: application/json" : NULL, rows[i].body, &answer);
      lab_wait (is_done, &answer);
      CU_ASSERT_PTR_NOT_NULL_FATAL (answer.body);
      text = g_strndup (g_bytes_get_data (answer.body, NULL), g_bytes_get_size (answer.body));
      CU_ASSERT_EQUAL (answer.status, rows[i].status);
      CU_ASSERT_PTR_NOT_NULL (strstr (text, rows[i].has));
      CU_ASSERT_PTR_NULL (strstr (text, "xetHash"));
      if (answer.status != rows[i].status || strstr (text, rows[i].has) == NULL)
        g_printerr ("%s: %u %.200s\n", rows[i].path, answer.status, text);
    }
  lab_node_close (&node);
}

static void
only_the_page_may_run_scripts (void)
{
  static const struct
  {
    const char *path, *policy;
  } rows[] = { { "/", "script-src 'sha256-" },
               { FILE_OF ("config.json"), "sandbox" },
               { "/" LAB_MODEL "/raw/main/" LARGE, "sandbox" },
               { FILE_OF ("missing.html"), "sandbox" } };
  LabNode node;

  lab_node_open (&node, "one", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (Answer) answer = { 0 };

      ask (&node, "GET", rows[i].path, NULL, &answer);
      CU_ASSERT_PTR_NOT_NULL (strstr (header (&answer, "content-security-policy"), rows[i].policy));
      CU_ASSERT_STRING_EQUAL (header (&answer, "x-content-type-options"), "nosniff");
    }
  lab_node_close (&node);
}

static void
pages_of_other_sites_and_loops_are_refused (void)
{
  static const struct
  {
    const char *header;
    guint status;
  } rows[] = {
    { "Host: evil.example:52419", 403 },    { "Origin: http://evil.example", 403 },
    { "Sec-Fetch-Site: cross-site", 403 },  { "Sec-Fetch-Site: same-origin", 200 },
    { "User-Agent: exo-agent/1.0.0", 508 },
  };
  LabNode node;

  lab_node_open (&node, "one", NULL);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (Answer) answer = { 0 };

      ask (&node, "GET", "/api/models/" LAB_MODEL "/tree/main", rows[i].header, &answer);
      CU_ASSERT_EQUAL (answer.status, rows[i].status);
    }
  lab_node_close (&node);
}

/* --- in the way -------------------------------------------------------------------------------------- */

/* huggingface_hub takes the lock of the blob in the cache that it shares with us, then waits for our bytes. */
static void
a_client_that_holds_the_lock_is_served (void)
{
  LabNode node;
  g_auto (Answer) first = { 0 }, answer = { 0 };
  g_autofree char *oid = NULL, *folder = NULL, *lock = NULL;
  int fd;

  lab_node_open (&node, "one", NULL);
  ask (&node, "HEAD", FILE_OF (LARGE), NULL, &first);
  oid = g_strndup (header (&first, "etag") + 1, 64);
  folder = g_build_filename (node.cache, ".locks", "models--org--name", NULL);
  g_mkdir_with_parents (folder, 0755);
  lock = g_strdup_printf ("%s/%s.lock", folder, oid);
  fd = open (lock, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  CU_ASSERT_EQUAL (flock (fd, LOCK_EX | LOCK_NB), 0);
  ask (&node, "GET", FILE_OF (LARGE), NULL, &answer);
  CU_ASSERT_TRUE (is_original (&answer, LARGE));
  close (fd);
  lab_node_close (&node);
}

static void
who_reads_a_paused_transfer_is_told (void)
{
  LabNode node;
  g_auto (Answer) answer = { 0 }, again = { 0 }, resumed = { 0 };
  ExoTransfer *transfer;

  lab_node_open (&node, "one", NULL);
  stand_in_faults (engine_lab.hub, "[{\"match\":\"*\",\"class\":\"cdn\",\"fault\":{\"kind\":"
                                   "\"stall\",\"after\":100000,\"seconds\":3600}}]");
  begin (&node, "GET", FILE_OF (LARGE), NULL, NULL, &answer);
  while (transfer_of (&node) == NULL ||
         lab_state (transfer_of (&node)) != EXO_TRANSFER_TRANSFERRING)
    g_main_context_iteration (NULL, TRUE);
  transfer = transfer_of (&node);
  CU_ASSERT_TRUE (exo_transfer_pause (transfer, NULL));
  lab_wait (is_done, &answer);
  CU_ASSERT_PTR_NULL (answer.body);
  ask (&node, "GET", FILE_OF (LARGE), NULL, &again);
  CU_ASSERT_TRUE (again.status == 503 || again.body == NULL);
  CU_ASSERT_EQUAL (lab_state (transfer), EXO_TRANSFER_PAUSED);
  stand_in_faults (engine_lab.hub, "[]");
  CU_ASSERT_TRUE (exo_transfer_resume (transfer, NULL));
  ask (&node, "GET", FILE_OF (LARGE), NULL, &resumed);
  CU_ASSERT_TRUE (is_original (&resumed, LARGE));
  lab_node_close (&node);
}

static void
stopping_ends_what_is_being_read (void)
{
  LabNode node;
  g_auto (Answer) answer = { 0 };

  lab_node_open (&node, "one", NULL);
  stand_in_faults (engine_lab.hub, "[{\"match\":\"*\",\"class\":\"cdn\",\"fault\":{\"kind\":"
                                   "\"stall\",\"after\":100000,\"seconds\":3600}}]");
  begin (&node, "GET", FILE_OF (LARGE), NULL, NULL, &answer);
  while (transfer_of (&node) == NULL ||
         lab_state (transfer_of (&node)) != EXO_TRANSFER_TRANSFERRING)
    g_main_context_iteration (NULL, TRUE);
  lab_node_stop (&node);
  lab_wait (is_done, &answer);
  CU_ASSERT_PTR_NULL (answer.body);
  lab_node_close (&node);
}

static gboolean
all_were_asked (gconstpointer n)
{
  return stand_in_hits (engine_lab.hub) >= GPOINTER_TO_UINT (n);
}

/* Those who wait for a list of files, for what is passed on, for a part of a file. */
static void
stopping_ends_what_the_hub_was_asked (void)
{
  static const struct
  {
    const char *path, *header;
  } rows[] = { { "/api/models/" LAB_MODEL "/tree/other", NULL },
               { "/api/whoami-v2", NULL },
               { FILE_OF (LARGE), "Range: bytes=0-99" } };
  Answer answers[G_N_ELEMENTS (rows)];
  LabNode node;
  g_auto (Answer) known = { 0 };

  lab_node_open (&node, "one", NULL);
  ask (&node, "HEAD", FILE_OF (LARGE), NULL, &known);
  stand_in_faults (engine_lab.hub, "[{\"match\":\"*\",\"class\":\"any\",\"fault\":{\"kind\":"
                                   "\"slow\",\"seconds\":3600}}]");
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    begin (&node, "GET", rows[i].path, rows[i].header, NULL, &answers[i]);
  lab_wait (all_were_asked, GUINT_TO_POINTER (G_N_ELEMENTS (rows)));
  lab_node_stop (&node);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      lab_wait (is_done, &answers[i]);
      CU_ASSERT_TRUE (answers[i].body == NULL || answers[i].status == 502);
      answer_clear (&answers[i]);
    }
  lab_node_close (&node);
}

/* A client resumes with a range what was cut; what it has already may be wrong. */
static void
who_has_got_wrong_bytes_begins_anew (void)
{
  LabNode node;
  g_auto (Answer) cut = { 0 }, resumed = { 0 }, anew = { 0 }, late = { 0 }, part = { 0 };
  guint n_cut = 0;

  lab_node_open (&node, "one", NULL);
  stand_in_faults (engine_lab.hub, "[{\"match\":\"*\",\"class\":\"cdn\",\"fault\":{\"kind\":"
                                   "\"flip\",\"offset\":5000}}]");
  ask (&node, "GET", FILE_OF (LARGE), NULL, &cut);
  CU_ASSERT_PTR_NULL (cut.body);
  stand_in_faults (engine_lab.hub, "[]");
  ask (&node, "GET", FILE_OF (LARGE), "Range: bytes=10485760-", &resumed);
  CU_ASSERT_EQUAL (resumed.status, 503);
  for (; anew.body == NULL && n_cut < 5; n_cut++)
    {
      answer_clear (&anew); /* what was on its way with the fault is found wrong, too */
      ask (&node, "GET", FILE_OF (LARGE), NULL, &anew);
    }
  CU_ASSERT_TRUE (is_original (&anew, LARGE));
  ask (&node, "GET", FILE_OF (LARGE), "Range: bytes=10485760-", &late);
  CU_ASSERT_EQUAL (late.status, 503); /* though the file is right by now */
  ask (&node, "GET", FILE_OF (LARGE), "Range: bytes=100-199", &part);
  CU_ASSERT_EQUAL (part.status, 206);
  lab_node_close (&node);
}

/* The want of the program that reads, once it was told of bytes; NULL */
static ExoWant *
reader_of (LabNode *node)
{
  GHashTableIter iter;
  ExoJob *job;

  g_hash_table_iter_init (&iter, node->engine->swarm->jobs);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &job))
    for (guint i = 0; i < job->wants->len; i++)
      {
        ExoWant *want = g_ptr_array_index (job->wants, i);

        if (want->reads && want->told_to > 0)
          return want;
      }
  return NULL;
}

static gboolean
has_read (gconstpointer node)
{
  return reader_of ((LabNode *) node) != NULL;
}

/* As when the neighbour that gave it is caught lying: it comes again, and right, before the whole is verified. */
static void
who_has_read_what_is_dropped_begins_anew (void)
{
  LabNode node;
  ExoWant *reader;
  g_auto (Answer) cut = { 0 }, resumed = { 0 };

  lab_node_open (&node, "one", NULL);
  stand_in_faults (engine_lab.hub,
                   "[{\"match\":\"*\",\"class\":\"cdn\",\"nth\":[1],\"fault\":{\"kind\":"
                   "\"stall\",\"after\":1000000,\"seconds\":1}}]");
  begin (&node, "GET", FILE_OF (LARGE), NULL, NULL, &cut);
  lab_wait (has_read, &node);
  reader = reader_of (&node);
  g_assert (reader != NULL);
  exo_job_drop_piece (reader->job, 0, 0);
  lab_wait (is_done, &cut);
  CU_ASSERT_PTR_NULL (cut.body);
  ask (&node, "GET", FILE_OF (LARGE), "Range: bytes=5242880-", &resumed);
  CU_ASSERT_EQUAL (resumed.status, 503);
  lab_node_close (&node);
}

int
main (void)
{
  CU_TestInfo tests[] = { TEST (a_file_comes_from_the_hub_once),
                          TEST (all_files_at_once_make_one_transfer),
                          TEST (a_neighbour_saves_the_hub_everything),
                          TEST (ranges_are_what_clients_need),
                          TEST (heads_and_misses_are_answered_from_the_list),
                          TEST (the_api_answers_with_json),
                          TEST (only_the_page_may_run_scripts),
                          TEST (pages_of_other_sites_and_loops_are_refused),
                          TEST (a_client_that_holds_the_lock_is_served),
                          TEST (who_reads_a_paused_transfer_is_told),
                          TEST (stopping_ends_what_is_being_read),
                          TEST (stopping_ends_what_the_hub_was_asked),
                          TEST (who_has_got_wrong_bytes_begins_anew),
                          TEST (who_has_read_what_is_dropped_begins_anew),
                          CU_TEST_INFO_NULL };
  int result;

  engine_lab_open ();
  fetcher = exo_fetcher_new (NULL, "test-endpoint/1");
  result = exo_suite_run ("endpoint", tests);
  exo_fetcher_free (fetcher);
  engine_lab_close ();
  return result;
}
