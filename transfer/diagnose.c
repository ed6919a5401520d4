/* diagnose.c - what is wrong, and how to mend it
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>
#include <unistd.h>

#include "transfer/engine-private.h"

#define PROBE_TIMEOUT_MS 3000
#define CARD_BYTES_MAX   65536
#define LOW_SPACE        (10 * (guint64) 1000000000)
/* Any public repo does: what counts is that the Hub answers. */
#define PROBE_REPO "openai-community/gpt2"

typedef struct
{
  ExoEngine *engine; /* reference held by the task */
  GPtrArray *findings;
  GString *unreachable; /* names of neighbours that do not answer */
  guint n_neighbours, n_unreachable;
  char *hub_error;
  guint n_pending;
} Diagnosis;

void
exo_finding_free (ExoFinding *finding)
{
  g_free (finding->id);
  g_free (finding->status);
  g_free (finding->summary);
  g_free (finding->advice);
  g_free (finding);
}

static void
diagnosis_free (Diagnosis *diagnosis)
{
  g_ptr_array_unref (diagnosis->findings);
  g_string_free (diagnosis->unreachable, TRUE);
  g_free (diagnosis->hub_error);
  g_free (diagnosis);
}

/* @summary: (transfer full) */
static void
add (Diagnosis *diagnosis, const char *id, const char *status, char *summary, const char *advice)
{
  ExoFinding *finding = g_new0 (ExoFinding, 1);

  finding->id = g_strdup (id);
  finding->status = g_strdup (status);
  finding->summary = summary;
  finding->advice = g_strdup (advice);
  g_ptr_array_add (diagnosis->findings, finding);
}

static void
judge_server (Diagnosis *diagnosis)
{
  guint port = exo_engine_port (diagnosis->engine);
  g_autoptr (GPtrArray) addresses = exo_lan_addresses ();

  if (port == 0 && addresses->len == 0)
    add (diagnosis, "server", "fail", g_strdup (_ ("This machine has no LAN address.")),
         _ ("Connect it to the network of the other machines."));
  else if (port == 0)
    add (diagnosis, "server", "fail", g_strdup (_ ("The LAN server listens nowhere.")),
         _ ("See the log of exo-agent for the address and port it could not use."));
  else
    add (diagnosis, "server", "ok",
         g_strdup_printf (/* TRANSLATORS: port, number of addresses */ ngettext (
                              "Serving neighbours on port %u of %u address.",
                              "Serving neighbours on port %u of %u addresses.", addresses->len),
                          port, addresses->len),
         "");
}

static void
judge_peers (Diagnosis *diagnosis)
{
  if (diagnosis->n_neighbours == 0)
    add (
        diagnosis, "peers", "warn", g_strdup (_ ("No other exo-agent is on this network.")),
        _ ("Install it on the other machines. If it is: let UDP port 5353 (mDNS) through their firewalls, or name them under "
           "[lan] peers in the key file."));
  else if (diagnosis->n_unreachable > 0)
    add (diagnosis, "peers", "warn",
         g_strdup_printf (/* TRANSLATORS: silent ones, all, names of the silent ones */
                          ngettext ("%u of %u neighbour does not answer: %s.",
                                    "%u of %u neighbours do not answer: %s.",
                                    diagnosis->n_neighbours),
                          diagnosis->n_unreachable, diagnosis->n_neighbours,
                          diagnosis->unreachable->str),
         _ ("Let TCP port 52418 through the firewall of those machines (and of this one)."));
  else
    add (diagnosis, "peers", "ok",
         g_strdup_printf (ngettext ("%u neighbour answers.", "All %u neighbours answer.",
                                    diagnosis->n_neighbours),
                          diagnosis->n_neighbours),
         "");
}

static void
judge_hub (Diagnosis *diagnosis)
{
  const char *endpoint = exo_hub_endpoint (diagnosis->engine->hub);
  ExoHubState state;

  exo_hub_get_state (diagnosis->engine->hub, &state);
  if (diagnosis->hub_error != NULL)
    add (
        diagnosis, "hub", "fail",
        g_strdup_printf (_ ("The Hub at %s cannot be reached: %s"), endpoint, diagnosis->hub_error),
        _ ("Check the internet connection, HF_ENDPOINT and the proxy variables. What neighbours hold can be pulled all the same."));
  else if (!exo_limiter_allows_hub (diagnosis->engine->limiter))
    add (diagnosis, "hub", "warn", g_strdup (exo_limiter_why (diagnosis->engine->limiter)),
         _ ("It goes on by itself. See exoctl limits."));
  else if (state.blocked_until_us > g_get_monotonic_time ())
    add (diagnosis, "hub", "warn",
         g_strdup_printf (_ ("The Hub at %s asked to wait (rate limit)."), endpoint),
         _ ("It goes on by itself. A token raises the limit."));
  else
    add (diagnosis, "hub", "ok", g_strdup_printf (_ ("The Hub at %s answers."), endpoint), "");
  if (state.has_token)
    add (diagnosis, "token", "ok", g_strdup (_ ("A Hub token is set.")), "");
  else
    add (diagnosis, "token", "ok", g_strdup (_ ("No Hub token is set: public models only.")), "");
}

static void
judge_disk (Diagnosis *diagnosis)
{
  guint64 free_bytes = exo_store_free_bytes (diagnosis->engine->store);
  const char *path = exo_store_hub_cache (diagnosis->engine->store);
  g_autofree char *size = g_format_size (free_bytes);

  if (access (path, W_OK) != 0)
    add (diagnosis, "cache", "fail", g_strdup_printf (_ ("%s cannot be written to."), path),
         _ ("Make it belong to this user, or name another folder (HF_HUB_CACHE)."));
  else
    add (diagnosis, "cache", "ok", g_strdup_printf (_ ("Models are kept in %s."), path), "");
  add (diagnosis, "disk", free_bytes < LOW_SPACE ? "warn" : "ok",
       g_strdup_printf (_ ("%s are free there."), size),
       free_bytes < LOW_SPACE
           ? _ ("Remove models that are not needed: exoctl models, exoctl models rm ORG/NAME.")
           : "");
}

static void
part_done (GTask *task)
{
  Diagnosis *diagnosis = g_task_get_task_data (task);

  if (--diagnosis->n_pending > 0)
    return;
  if (diagnosis->engine->limiter == NULL)
    {
      g_task_return_new_error (task, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_CANCELLED,
                               _ ("exo-agent is stopping"));
      return;
    }
  judge_server (diagnosis);
  judge_peers (diagnosis);
  judge_hub (diagnosis);
  judge_disk (diagnosis);
  g_task_return_pointer (task, g_ptr_array_ref (diagnosis->findings),
                         (GDestroyNotify) g_ptr_array_unref);
}

static void
on_hub_answer (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  Diagnosis *diagnosis = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  gboolean is_open;

  if (!exo_hub_is_open_finish (diagnosis->engine->hub, result, &is_open, &error) &&
      g_error_matches (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_UNREACHABLE))
    diagnosis->hub_error = g_strdup (error->message);
  part_done (task);
}

typedef struct
{
  GTask *task; /* reference */
  char *name;
} Probe;

static void
on_card (ExoFetch *fetch, const ExoFetchResult *result, const GError *error, gpointer user_data)
{
  g_autofree Probe *probe = user_data;
  g_autoptr (GTask) task = probe->task;
  g_autofree char *name = probe->name;
  Diagnosis *diagnosis = g_task_get_task_data (task);

  if (error != NULL || result->status != 200)
    {
      diagnosis->n_unreachable++;
      g_string_append_printf (diagnosis->unreachable, "%s%s",
                              diagnosis->unreachable->len > 0 ? ", " : "", name);
    }
  part_done (task);
}

static void
probe_neighbour (GTask *task, ExoNeighbour *neighbour)
{
  static const ExoFetchCallbacks callbacks = { .done = on_card };
  Diagnosis *diagnosis = g_task_get_task_data (task);
  const char *base = exo_neighbour_base_url (neighbour);
  Probe *probe;
  g_autofree char *url = NULL;

  if (base == NULL)
    return;
  probe = g_new0 (Probe, 1);
  probe->task = g_object_ref (task);
  probe->name = g_strdup (exo_neighbour_name (neighbour));
  url = g_strconcat (base, "/v1/node", NULL);
  diagnosis->n_neighbours++;
  diagnosis->n_pending++;
  exo_fetcher_start (diagnosis->engine->fetcher,
                     &(ExoFetchRequest){
                         .mode = EXO_FETCH_TO_MEMORY,
                         .method = "GET",
                         .url = url,
                         .lan = TRUE,
                         .connect_timeout_ms = PROBE_TIMEOUT_MS,
                         .stall_timeout_ms = PROBE_TIMEOUT_MS,
                         .max_body = CARD_BYTES_MAX,
                     },
                     &callbacks, probe);
}

void
exo_engine_diagnose_async (ExoEngine *engine, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (engine, NULL, callback, user_data);
  g_autoptr (GPtrArray) neighbours = exo_swarm_neighbours (engine->swarm);
  Diagnosis *diagnosis = g_new0 (Diagnosis, 1);

  g_task_set_source_tag (task, exo_engine_diagnose_async);
  g_task_set_task_data (task, diagnosis, (GDestroyNotify) diagnosis_free);
  diagnosis->engine = engine;
  diagnosis->findings = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_finding_free);
  diagnosis->unreachable = g_string_new (NULL);
  diagnosis->n_pending = 1;
  for (guint i = 0; i < neighbours->len; i++)
    probe_neighbour (task, g_ptr_array_index (neighbours, i));
  exo_hub_is_open_async (engine->hub, EXO_REPO_MODEL, PROBE_REPO, NULL, on_hub_answer,
                         g_object_ref (task));
}

GPtrArray *
exo_engine_diagnose_finish (ExoEngine *engine, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
