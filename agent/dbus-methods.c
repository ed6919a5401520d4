/* dbus-methods.c - the methods of org.exo.Agent1
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Arguments are checked here, so that a caller's mistake is Invalid at once and never a call of the
 * engine. Handlers that wait own their invocation until the answer.
 */

#include <glib/gi18n.h>

#include "agent/dbus-private.h"
#include "transfer/store/store.h"

typedef struct
{
  ExoRepoType type;
  GStrv includes, excludes; /* owned; (nullable) */
} Options;

static void
options_clear (Options *options)
{
  g_clear_pointer (&options->includes, g_strfreev);
  g_clear_pointer (&options->excludes, g_strfreev);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static gboolean
read_globs (const char *key, GVariant *value, GStrv *out_globs, GError **error)
{
  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_STRING_ARRAY))
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                   _ ("Option \"%s\" has to be a list of strings"), key);
      return FALSE;
    }
  if (g_variant_n_children (value) > EXO_DBUS_GLOBS_MAX)
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                   _ ("Option \"%s\" has more than %u globs"), key, EXO_DBUS_GLOBS_MAX);
      return FALSE;
    }
  g_strfreev (*out_globs);
  *out_globs = g_variant_dup_strv (value, NULL);
  return TRUE;
}

static gboolean
read_type (GVariant *value, ExoRepoType *out_type, GError **error)
{
  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_STRING) ||
      !exo_repo_type_parse (g_variant_get_string (value, NULL), out_type))
    {
      g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                   _ ("Option \"type\" has to be \"model\", \"dataset\" or \"space\""));
      return FALSE;
    }
  return TRUE;
}

/* @allowed: names of the options that this method has, NULL at the end */
static gboolean
read_options (GVariant *dictionary,
              const char *const *allowed,
              Options *out_options,
              GError **error)
{
  GVariantIter iter;
  const char *key;
  GVariant *next;

  g_variant_iter_init (&iter, dictionary);
  while (g_variant_iter_next (&iter, "{&sv}", &key, &next))
    {
      g_autoptr (GVariant) value = next;
      gboolean good;

      if (!g_strv_contains (allowed, key))
        {
          g_set_error (error, EXO_TRANSFER_ERROR, EXO_TRANSFER_ERROR_INVALID,
                       _ ("There is no option \"%s\""), key);
          return FALSE;
        }
      if (g_str_equal (key, "include"))
        good = read_globs (key, value, &out_options->includes, error);
      else if (g_str_equal (key, "exclude"))
        good = read_globs (key, value, &out_options->excludes, error);
      else
        good = read_type (value, &out_options->type, error);
      if (!good)
        return FALSE;
    }
  return TRUE;
}

/* @revision: NULL on success if it was empty */
static gboolean
check_model (const char *model, const char **revision, GError **error)
{
  if (!exo_repo_id_check (model, error))
    return FALSE;
  if (**revision == '\0')
    *revision = NULL;
  return *revision == NULL || exo_revision_check (*revision, error);
}

static const char *const pull_options[] = { "include", "exclude", "type", NULL };
static const char *const type_options[] = { "type", NULL };
static const char *const no_options[] = { NULL };

static gboolean
on_handle_pull (ExoAgent1 *iface,
                GDBusMethodInvocation *invocation,
                const char *model,
                const char *revision,
                GVariant *dictionary,
                ExoEngine *engine)
{
  g_auto (Options) options = { EXO_REPO_MODEL, NULL, NULL };
  ExoTransfer *transfer = NULL;
  GError *error = NULL;

  if (check_model (model, &revision, &error) &&
      read_options (dictionary, pull_options, &options, &error))
    transfer = exo_engine_pull (engine, options.type, model, revision,
                                (const char *const *) options.includes,
                                (const char *const *) options.excludes, &error);
  if (transfer == NULL)
    {
      exo_dbus_return_error (invocation, error);
      return TRUE;
    }

  g_autofree char *path = exo_dbus_transfer_path (transfer);
  exo_agent1_complete_pull (iface, invocation, path);
  return TRUE;
}

static GVariant *
model_to_variant (const ExoStoredModel *model)
{
  GVariantBuilder fields;

  g_variant_builder_init (&fields, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&fields, "{sv}", "Type",
                         g_variant_new_string (exo_repo_type_name (model->type)));
  g_variant_builder_add (&fields, "{sv}", "Model",
                         g_variant_new_take_string (exo_dbus_text (model->id)));
  g_variant_builder_add (&fields, "{sv}", "Commit",
                         g_variant_new_take_string (exo_dbus_text (model->commit)));
  g_variant_builder_add (&fields, "{sv}", "Refs",
                         g_variant_new_take_string (exo_dbus_text (model->refs)));
  g_variant_builder_add (&fields, "{sv}", "Bytes", g_variant_new_uint64 (model->bytes));
  g_variant_builder_add (&fields, "{sv}", "Files", g_variant_new_uint32 (model->n_files));
  g_variant_builder_add (&fields, "{sv}", "Modified", g_variant_new_int64 (model->modified_s));
  g_variant_builder_add (&fields, "{sv}", "Partial", g_variant_new_boolean (model->partial));
  return g_variant_builder_end (&fields);
}

static void
on_models (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GDBusMethodInvocation *invocation = user_data;
  g_autoptr (GPtrArray) models = NULL;
  GVariantBuilder list;
  GError *error = NULL;

  models = exo_engine_models_finish (EXO_ENGINE (source), result, &error);
  if (models == NULL)
    {
      exo_dbus_return_error (invocation, error);
      return;
    }
  g_variant_builder_init (&list, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < models->len; i++)
    g_variant_builder_add_value (&list, model_to_variant (models->pdata[i]));
  g_dbus_method_invocation_return_value (invocation, g_variant_new ("(aa{sv})", &list));
}

static gboolean
on_handle_list_models (ExoAgent1 *iface,
                       GDBusMethodInvocation *invocation,
                       GVariant *dictionary,
                       ExoEngine *engine)
{
  g_auto (Options) options = { EXO_REPO_MODEL, NULL, NULL };
  GError *error = NULL;

  if (read_options (dictionary, no_options, &options, &error))
    exo_engine_models_async (engine, on_models, invocation);
  else
    exo_dbus_return_error (invocation, error);
  return TRUE;
}

static void
on_removed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GDBusMethodInvocation *invocation = user_data;
  guint64 freed = 0;
  GError *error = NULL;

  if (exo_engine_remove_finish (EXO_ENGINE (source), result, &freed, &error))
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(t)", freed));
  else
    exo_dbus_return_error (invocation, error);
}

static gboolean
on_handle_remove (ExoAgent1 *iface,
                  GDBusMethodInvocation *invocation,
                  const char *model,
                  const char *revision,
                  GVariant *dictionary,
                  ExoEngine *engine)
{
  g_auto (Options) options = { EXO_REPO_MODEL, NULL, NULL };
  GError *error = NULL;

  if (check_model (model, &revision, &error) &&
      read_options (dictionary, type_options, &options, &error))
    exo_engine_remove_async (engine, options.type, model, revision, on_removed, invocation);
  else
    exo_dbus_return_error (invocation, error);
  return TRUE;
}

static void
on_verified (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GDBusMethodInvocation *invocation = user_data;
  g_autoptr (GPtrArray) wrong = NULL;
  GVariantBuilder paths;
  guint n_checked = 0;
  GError *error = NULL;

  wrong = exo_engine_verify_finish (EXO_ENGINE (source), result, &n_checked, &error);
  if (wrong == NULL)
    {
      exo_dbus_return_error (invocation, error);
      return;
    }
  g_variant_builder_init (&paths, G_VARIANT_TYPE_STRING_ARRAY);
  for (guint i = 0; i < wrong->len; i++)
    g_variant_builder_add_value (&paths,
                                 g_variant_new_take_string (exo_dbus_text (wrong->pdata[i])));
  g_dbus_method_invocation_return_value (invocation, g_variant_new ("(uas)", n_checked, &paths));
}

static gboolean
on_handle_verify (ExoAgent1 *iface,
                  GDBusMethodInvocation *invocation,
                  const char *model,
                  const char *revision,
                  GVariant *dictionary,
                  ExoEngine *engine)
{
  g_auto (Options) options = { EXO_REPO_MODEL, NULL, NULL };
  GError *error = NULL;

  if (check_model (model, &revision, &error) &&
      read_options (dictionary, type_options, &options, &error))
    exo_engine_verify_async (engine, options.type, model, revision, on_verified, invocation);
  else
    exo_dbus_return_error (invocation, error);
  return TRUE;
}

typedef struct
{
  GDBusMethodInvocation *invocation;
  ExoFinding
      *mdns; /* owned; (nullable); as it was when asked: the ExoDbus may be gone at the end */
} Diagnosis;

static void
add_finding (GVariantBuilder *list, const ExoFinding *finding)
{
  GVariantBuilder fields;

  g_variant_builder_init (&fields, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&fields, "{sv}", "Id", g_variant_new_string (finding->id));
  g_variant_builder_add (&fields, "{sv}", "Status", g_variant_new_string (finding->status));
  g_variant_builder_add (&fields, "{sv}", "Summary",
                         g_variant_new_take_string (exo_dbus_text (finding->summary)));
  g_variant_builder_add (&fields, "{sv}", "Advice",
                         g_variant_new_take_string (exo_dbus_text (finding->advice)));
  g_variant_builder_add_value (list, g_variant_builder_end (&fields));
}

static void
on_diagnosed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Diagnosis *diagnosis = user_data;
  g_autoptr (GPtrArray) findings = NULL;
  GVariantBuilder list;
  GError *error = NULL;

  findings = exo_engine_diagnose_finish (EXO_ENGINE (source), result, &error);
  if (findings == NULL)
    exo_dbus_return_error (diagnosis->invocation, error);
  else
    {
      g_variant_builder_init (&list, G_VARIANT_TYPE ("aa{sv}"));
      if (diagnosis->mdns != NULL)
        add_finding (&list, diagnosis->mdns);
      for (guint i = 0; i < findings->len; i++)
        add_finding (&list, findings->pdata[i]);
      g_dbus_method_invocation_return_value (diagnosis->invocation,
                                             g_variant_new ("(aa{sv})", &list));
    }
  g_clear_pointer (&diagnosis->mdns, exo_finding_free);
}

static gboolean
on_handle_diagnose (ExoAgent1 *iface, GDBusMethodInvocation *invocation, ExoDbus *dbus)
{
  ExoEngine *engine = g_object_get_data (G_OBJECT (iface), "exo-engine");
  Diagnosis *diagnosis = g_new0 (Diagnosis, 1);

  diagnosis->invocation = invocation;
  diagnosis->mdns = exo_dbus_mdns_finding (dbus);
  exo_engine_diagnose_async (engine, on_diagnosed, diagnosis);
  return TRUE;
}

static void
on_looked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GDBusMethodInvocation *invocation = user_data;

  exo_engine_look_finish (EXO_ENGINE (source), result);
  g_dbus_method_invocation_return_value (invocation, NULL);
}

static gboolean
on_handle_refresh_nodes (ExoAgent1 *iface, GDBusMethodInvocation *invocation, ExoEngine *engine)
{
  exo_engine_look_async (engine, on_looked, invocation);
  return TRUE;
}

void
exo_dbus_connect_methods (ExoDbus *dbus, ExoEngine *engine, ExoAgent1 *iface)
{
  g_object_set_data_full (G_OBJECT (iface), "exo-engine", g_object_ref (engine), g_object_unref);
  g_signal_connect_object (iface, "handle-pull", G_CALLBACK (on_handle_pull), engine, 0);
  g_signal_connect_object (iface, "handle-list-models", G_CALLBACK (on_handle_list_models), engine,
                           0);
  g_signal_connect_object (iface, "handle-remove", G_CALLBACK (on_handle_remove), engine, 0);
  g_signal_connect_object (iface, "handle-verify", G_CALLBACK (on_handle_verify), engine, 0);
  g_signal_connect_object (iface, "handle-refresh-nodes", G_CALLBACK (on_handle_refresh_nodes),
                           engine, 0);
  g_signal_connect (iface, "handle-diagnose", G_CALLBACK (on_handle_diagnose), dbus);
}
