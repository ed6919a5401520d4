/* roots.c - folders of other tools, read only: what lies in them is found by its hash
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A name in there says neither what a file's oid is nor what repo it is of. So each file is hashed
 * once, in both ways the Hub names files where it is small enough for git, and known again by
 * device, inode, size and time of change. Symlinks are not followed: neither can they lead round
 * in circles, nor does a link into our own cache make us hash it twice.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "transfer/store/hash.h"
#include "transfer/store/store-private.h"

typedef struct
{
  ExoStore *store;
  ExoRootsFound found;
  gpointer user_data;
  struct stat hub;  /* our own cache: not to be walked */
  GHashTable *seen; /* (element-type utf8): names of files that are there and known */
  guint n_files;
  gboolean whole; /* no root was left out, so that what was not seen is gone */
  guint n_unread; /* of this root: folders and files that cannot be read */
  char *first_unread;
} Walk;

static gboolean walk_folder (Walk *walk, int fd, const char *folder, guint depth);

/* Names under which tools keep what they have not finished. */
static gboolean
is_unfinished (const char *name)
{
  static const char *const suffixes[] = {
    ".partial", ".incomplete", ".part", ".tmp", ".downloadInProgress", ".crdownload", ".aria2",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (suffixes); i++)
    if (g_str_has_suffix (name, suffixes[i]))
      return TRUE;
  return strstr (name, ".exo-") != NULL;
}

static gboolean
is_same_file (const struct stat *a, const struct stat *b)
{
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static gboolean
is_unchanged (const struct stat *a, const struct stat *b)
{
  return is_same_file (a, b) && a->st_size == b->st_size &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Hashing ------------------------------------------------------------------------------------- */

/* Into the index, unless it changes meanwhile. */
static gboolean
hash_file (ExoStore *store,
           int fd,
           const char *path,
           const struct stat *st,
           GCancellable *cancellable,
           ExoRootsFound found,
           gpointer user_data,
           GError **error)
{
  guint64 size = (guint64) st->st_size;
  g_autofree char *sha256 = NULL, *sha1 = NULL;
  struct stat after;

  posix_fadvise (fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  sha256 = exo_hash_fd (EXO_OID_SHA256, fd, size, &store->stopping, cancellable, error);
  /* The second reading of so small a file is from memory */
  if (sha256 != NULL && size <= EXO_STORE_GIT_BYTES_MAX)
    sha1 = exo_hash_fd (EXO_OID_SHA1, fd, size, &store->stopping, cancellable, error);
  if (sha256 == NULL || (sha1 == NULL && size <= EXO_STORE_GIT_BYTES_MAX))
    return FALSE;
  if (fstat (fd, &after) != 0 || !is_unchanged (st, &after))
    return TRUE;
  exo_index_add_root_file (store->index, path, st, sha256, sha1);
  g_debug ("%s is %s", path, sha256);
  if (found != NULL)
    found (sha256, user_data);
  if (found != NULL && sha1 != NULL)
    found (sha1, user_data);
  return TRUE;
}

/* A regular file that is no symlink. -1 with errno */
static int
open_file (int folder_fd, const char *name, struct stat *st)
{
  int fd = openat (folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

  if (fd < 0 || (fstat (fd, st) == 0 && S_ISREG (st->st_mode)))
    return fd;
  close (fd);
  errno = EINVAL;
  return -1;
}

void
exo_store_hash_in_roots (ExoStore *store,
                         const char *id,
                         const char *path,
                         guint64 size,
                         GCancellable *cancellable)
{
  g_auto (GStrv) parts = g_strsplit (id, "/", -1);
  g_autofree char *folder = g_strjoinv ("--", parts);

  for (guint i = 0; store->roots != NULL && store->roots[i] != NULL; i++)
    {
      g_autofree char *file = g_build_filename (store->roots[i], folder, path, NULL);
      g_autofree char *known = NULL;
      struct stat st;
      int fd = open_file (AT_FDCWD, file, &st);

      if (fd < 0)
        continue;
      if ((guint64) st.st_size == size && (known = exo_index_root_path (store->index, &st)) == NULL)
        hash_file (store, fd, file, &st, cancellable, NULL, NULL, NULL);
      close (fd);
    }
}

/* Walking ------------------------------------------------------------------------------------- */

static void
cannot_read (Walk *walk, const char *path, const char *why)
{
  if (walk->n_unread++ == 0)
    walk->first_unread = g_strdup_printf ("%s: %s", path, why);
}

/* A file with several names is known by one of them as long as it has that. */
static void
see_known (Walk *walk, const char *known, const char *path, const struct stat *st)
{
  struct stat other;

  if (strcmp (known, path) != 0 && (lstat (known, &other) != 0 || !is_same_file (&other, st)))
    {
      exo_index_move_root_file (walk->store->index, path, st);
      known = path;
    }
  g_hash_table_add (walk->seen, g_strdup (known));
}

static void
see_file (Walk *walk, int folder_fd, const char *name, const char *path, const struct stat *found)
{
  g_autofree char *known = exo_index_root_path (walk->store->index, found);
  g_autoptr (GError) error = NULL;
  struct stat st;
  int fd;

  if (known != NULL)
    {
      see_known (walk, known, path, found);
      return;
    }
  fd = open_file (folder_fd, name, &st);
  if (fd < 0)
    {
      cannot_read (walk, path, g_strerror (errno));
      return;
    }
  g_hash_table_add (walk->seen, g_strdup (path));
  if (!hash_file (walk->store, fd, path, &st, NULL, walk->found, walk->user_data, &error))
    cannot_read (walk, path, error->message);
  close (fd);
}

static void
enter_folder (Walk *walk, int parent_fd, const char *name, const char *path, guint depth)
{
  int fd = openat (parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

  if (fd < 0 || !walk_folder (walk, fd, path, depth))
    cannot_read (walk, path, g_strerror (errno));
}

static void
visit (Walk *walk, int folder_fd, const char *name, const char *path, guint depth)
{
  struct stat st;

  if (fstatat (folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return;
  if (S_ISDIR (st.st_mode))
    {
      /* In hidden ones tools keep their own: .git, .cache */
      if (depth > 0 && *name != '.' && !is_same_file (&st, &walk->hub))
        enter_folder (walk, folder_fd, name, path, depth - 1);
    }
  else if (S_ISREG (st.st_mode) && st.st_size > 0 && !is_unfinished (name))
    {
      if (walk->n_files++ < EXO_STORE_ROOT_FILES_MAX)
        see_file (walk, folder_fd, name, path, &st);
      else
        walk->whole = FALSE;
    }
}

/* Takes @fd. FALSE with errno: it cannot be read */
static gboolean
walk_folder (Walk *walk, int fd, const char *folder, guint depth)
{
  DIR *dir = fdopendir (fd);
  const struct dirent *entry;

  if (dir == NULL)
    {
      int code = errno;

      close (fd);
      errno = code;
      return FALSE;
    }
  while (!g_atomic_int_get (&walk->store->stopping) && (entry = readdir (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, entry->d_name, NULL);

      if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
        visit (walk, fd, entry->d_name, path, depth);
    }
  closedir (dir);
  return TRUE;
}

/* Said once, not at every scan. */
static void
say_unread (Walk *walk, const char *root)
{
  if (walk->n_unread > 0 && g_hash_table_add (walk->store->roots_said, g_strdup (root)))
    g_warning ("%u of the files and folders in %s cannot be read and are left out (%s)",
               walk->n_unread, root, walk->first_unread);
  g_clear_pointer (&walk->first_unread, g_free);
  walk->n_unread = 0;
}

static void
walk_root (Walk *walk, const char *root)
{
  int fd = open (root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat st;

  if (fd >= 0 && fstat (fd, &st) == 0 && is_same_file (&st, &walk->hub))
    close (fd);
  else if (fd < 0 || !walk_folder (walk, fd, root, EXO_STORE_ROOT_DEPTH_MAX))
    {
      /* A disk that is not plugged in just now keeps its hashes; one that never was costs nothing */
      walk->whole = FALSE;
      if (errno != ENOENT)
        cannot_read (walk, root, g_strerror (errno));
    }
  say_unread (walk, root);
}

static void
forget_unseen (Walk *walk)
{
  g_autoptr (GPtrArray) paths = exo_index_all_root_paths (walk->store->index);

  for (guint i = 0; i < paths->len; i++)
    if (!g_hash_table_contains (walk->seen, paths->pdata[i]))
      exo_index_forget_root_path (walk->store->index, paths->pdata[i]);
}

void
exo_store_scan_roots (ExoStore *store, ExoRootsFound found, gpointer user_data)
{
  Walk walk = { .store = store, .found = found, .user_data = user_data, .whole = TRUE };

  if (stat (store->hub, &walk.hub) != 0)
    return;
  walk.seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; store->roots != NULL && store->roots[i] != NULL; i++)
    walk_root (&walk, store->roots[i]);
  if (walk.whole && !g_atomic_int_get (&store->stopping))
    forget_unseen (&walk);
  g_hash_table_unref (walk.seen);
}

/* Questions ----------------------------------------------------------------------------------- */

void
exo_store_set_roots (ExoStore *store, const char *const *roots)
{
  g_strfreev (store->roots);
  store->roots = g_strdupv ((char **) roots);
}

gboolean
exo_store_find_in_roots (ExoStore *store, const char *oid, ExoStoredBlob *out_blob)
{
  g_autoptr (GPtrArray) paths = exo_index_root_paths (store->index, oid);

  for (guint i = 0; i < paths->len; i++)
    {
      struct stat st;

      if (lstat (paths->pdata[i], &st) != 0 || !S_ISREG (st.st_mode) ||
          !exo_index_root_knows (store->index, oid, &st))
        continue;
      out_blob->path = g_strdup (paths->pdata[i]);
      out_blob->size = (guint64) st.st_size;
      out_blob->open = exo_index_blob_is_open (store->index, oid);
      return TRUE;
    }
  return FALSE;
}

/* "org--name" to "org/name". (transfer full) (nullable) */
static char *
parse_folder (const char *name)
{
  g_auto (GStrv) parts = g_strsplit (name, "--", -1);
  g_autofree char *id = g_strv_length (parts) == 2 ? g_strjoinv ("/", parts) : NULL;

  return id != NULL && exo_repo_id_check (id, NULL) ? g_steal_pointer (&id) : NULL;
}

GPtrArray *
exo_store_unlisted_repos (ExoStore *store)
{
  GPtrArray *repos = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; store->roots != NULL && store->roots[i] != NULL; i++)
    {
      g_autoptr (GPtrArray) names = exo_store_list (store->roots[i]);

      for (guint n = 0; n < names->len && repos->len < EXO_STORE_ROOT_REPOS_MAX; n++)
        {
          g_autofree char *id = parse_folder (names->pdata[n]);

          if (id != NULL && exo_index_repo_open (store->index, EXO_REPO_MODEL, id) != 0 &&
              !exo_index_has_manifest (store->index, EXO_REPO_MODEL, id))
            g_ptr_array_add (repos, g_steal_pointer (&id));
        }
    }
  return repos;
}
