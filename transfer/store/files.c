/* files.c - the store's ways with files and folders
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "transfer/store/store-private.h"

gboolean
exo_store_errno (GError **error, int code, const char *format, ...)
{
  gboolean full = code == ENOSPC || code == EDQUOT;
  g_autofree char *what = NULL;
  va_list arguments;

  va_start (arguments, format);
  what = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, EXO_TRANSFER_ERROR,
               full ? EXO_TRANSFER_ERROR_NO_SPACE : EXO_TRANSFER_ERROR_DISK, "%s: %s", what,
               g_strerror (code));
  return FALSE;
}

gboolean
exo_store_make_parents (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);

  if (g_mkdir_with_parents (folder, 0777) != 0)
    return exo_store_errno (error, errno, _ ("cannot make %s"), folder);
  return TRUE;
}

gboolean
exo_store_write_all (int fd, const void *data, gsize n, goffset offset, GError **error)
{
  const guint8 *bytes = data;

  while (n > 0)
    {
      gssize written = pwrite (fd, bytes, n, (off_t) offset);

      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0)
        return exo_store_errno (error, errno, _ ("cannot write to the file"));
      bytes += written;
      n -= (gsize) written;
      offset += written;
    }
  return TRUE;
}

gboolean
exo_store_sync_parent (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int code;

  if (fd < 0)
    return exo_store_errno (error, errno, _ ("cannot open %s"), folder);
  code = fsync (fd) == 0 ? 0 : errno;
  close (fd);
  /* Some file systems cannot sync folders, and say so */
  return code == 0 || code == EINVAL ? TRUE
                                     : exo_store_errno (error, code, _ ("cannot sync %s"), folder);
}

static gboolean
write_and_sync (int fd, const char *path, const void *data, gsize n, GError **error)
{
  if (!exo_store_write_all (fd, data, n, 0, error))
    {
      g_prefix_error (error, "%s: ", path);
      return FALSE;
    }
  if (fsync (fd) != 0)
    return exo_store_errno (error, errno, _ ("cannot sync %s"), path);
  return TRUE;
}

gboolean
exo_store_replace_file (ExoStore *store,
                        const char *temp,
                        const char *path,
                        const void *data,
                        gsize n,
                        GError **error)
{
  gboolean written;
  int fd;

  if (!exo_store_make_parents (temp, error) || !exo_store_make_parents (path, error))
    return FALSE;
  unlink (temp);
  fd = open (temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, store->file_mode);
  if (fd < 0)
    return exo_store_errno (error, errno, _ ("cannot make %s"), temp);
  written = write_and_sync (fd, temp, data, n, error);
  close (fd);
  if (written && rename (temp, path) != 0)
    written = exo_store_errno (error, errno, _ ("cannot make %s"), path);
  if (!written)
    unlink (temp);
  return written;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

GPtrArray *
exo_store_list (const char *folder)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  return names;
}

void
exo_repo_folder_free (ExoRepoFolder *folder)
{
  g_free (folder->id);
  g_free (folder->path);
  g_free (folder);
}

GPtrArray *
exo_store_repo_folders (ExoStore *store)
{
  GPtrArray *folders = g_ptr_array_new_with_free_func ((GDestroyNotify) exo_repo_folder_free);
  g_autoptr (GPtrArray) names = exo_store_list (store->hub);

  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *path = exo_store_path (store, names->pdata[i]);
      ExoRepoFolder folder = { 0 };

      if (!exo_layout_parse_repo (names->pdata[i], &folder.type, &folder.id))
        continue;
      folder.path = g_steal_pointer (&path);
      if (g_file_test (folder.path, G_FILE_TEST_IS_DIR))
        g_ptr_array_add (folders, g_memdup2 (&folder, sizeof folder));
      else
        {
          g_free (folder.id);
          g_free (folder.path);
        }
    }
  return folders;
}

static gboolean
walk (const char *folder, const char *prefix, guint depth, ExoStoreEach each, gpointer user_data)
{
  g_autoptr (GPtrArray) names = exo_store_list (folder);

  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *absolute = g_build_filename (folder, names->pdata[i], NULL);
      g_autofree char *path = g_strconcat (prefix, names->pdata[i], NULL);
      struct stat st;

      if (lstat (absolute, &st) != 0)
        continue;
      if (S_ISDIR (st.st_mode))
        {
          g_autofree char *below = g_strconcat (path, "/", NULL);

          if (depth > 0 && !walk (absolute, below, depth - 1, each, user_data))
            return FALSE;
        }
      else if (!each (path, absolute, &st, user_data))
        return FALSE;
    }
  return TRUE;
}

gboolean
exo_store_walk (const char *folder, ExoStoreEach each, gpointer user_data)
{
  return walk (folder, "", EXO_STORE_WALK_DEPTH_MAX, each, user_data);
}

char *
exo_store_linked_oid (const char *absolute, const struct stat *st)
{
  g_autofree char *target = S_ISLNK (st->st_mode) ? g_file_read_link (absolute, NULL) : NULL;
  char *slash = target == NULL ? NULL : strrchr (target, '/');

  if (slash == NULL || exo_oid_kind (slash + 1) == EXO_OID_NONE)
    return NULL;
  *slash = '\0';
  return g_str_has_suffix (target, "../blobs") ? g_strdup (slash + 1) : NULL;
}
