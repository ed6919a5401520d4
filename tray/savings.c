/* savings.c - see savings.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "tray/savings.h"

#define GROUP "saved"

struct ExoSavings
{
  char *path;
  char *month; /* (nullable): nothing kept yet */
  guint64 base;
};

char *
exo_savings_default_path (void)
{
  return g_build_filename (g_get_user_state_dir (), "exo-agent", "tray-savings", NULL);
}

static void
load (ExoSavings *savings)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *month = NULL;

  if (!g_key_file_load_from_file (file, savings->path, G_KEY_FILE_NONE, NULL))
    return;
  month = g_key_file_get_string (file, GROUP, "month", NULL);
  savings->base = g_key_file_get_uint64 (file, GROUP, "base", &error);
  if (error == NULL && month != NULL)
    savings->month = g_steal_pointer (&month);
}

static void
save (ExoSavings *savings)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_path_get_dirname (savings->path);

  g_key_file_set_string (file, GROUP, "month", savings->month);
  g_key_file_set_uint64 (file, GROUP, "base", savings->base);
  g_mkdir_with_parents (folder, 0700);
  if (!g_key_file_save_to_file (file, savings->path, &error))
    g_debug ("what was saved this month is not kept: %s", error->message);
}

ExoSavings *
exo_savings_new (const char *path)
{
  ExoSavings *savings = g_new0 (ExoSavings, 1);

  savings->path = g_strdup (path);
  load (savings);
  return savings;
}

void
exo_savings_free (ExoSavings *savings)
{
  if (savings == NULL)
    return;
  g_free (savings->path);
  g_free (savings->month);
  g_free (savings);
}

guint64
exo_savings_update (ExoSavings *savings, guint64 from_lan, const char *month)
{
  if (g_strcmp0 (savings->month, month) != 0 || from_lan < savings->base)
    {
      savings->base = from_lan < savings->base ? 0 : from_lan;
      g_free (savings->month);
      savings->month = g_strdup (month);
      save (savings);
    }
  return from_lan - savings->base;
}
