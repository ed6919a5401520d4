/* identity.c - who this node is, and that nobody else is it
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

struct ExoIdentity
{
  char id[EXO_IDENTITY_ID_LENGTH + 1];
  int lock_fd;
};

/* @format: what cannot be done, translated */
G_GNUC_PRINTF (3, 4)
static gboolean
fail_errno (GError **error, int code, const char *format, ...)
{
  g_autofree char *what = NULL;
  va_list arguments;

  va_start (arguments, format);
  what = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code), "%s: %s", what, g_strerror (code));
  return FALSE;
}

/* The lock is held already: says by whom. */
static gboolean
fail_busy (int fd, const char *state_dir, GError **error)
{
  char text[16] = "";
  ssize_t size = pread (fd, text, sizeof text - 1, 0);
  guint64 pid = size > 0 ? g_ascii_strtoull (text, NULL, 10) : 0;
  g_autofree char *who = pid != 0 ? g_strdup_printf (" (pid %" G_GUINT64_FORMAT ")", pid)
                                  : g_strdup (""); /* it has only just locked it */

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_BUSY, _ ("another exo-agent%s uses this folder: %s"),
               who, state_dir);
  return FALSE;
}

static gboolean
lock (ExoIdentity *self, const char *state_dir, GError **error)
{
  g_autofree char *path = g_build_filename (state_dir, "lock", NULL);
  g_autofree char *pid = g_strdup_printf ("%d\n", (int) getpid ());

  self->lock_fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (self->lock_fd < 0)
    return fail_errno (error, errno, _ ("cannot open %s"), path);
  if (flock (self->lock_fd, LOCK_EX | LOCK_NB) != 0)
    return errno == EWOULDBLOCK ? fail_busy (self->lock_fd, state_dir, error)
                                : fail_errno (error, errno, _ ("cannot lock %s"), path);
  if (ftruncate (self->lock_fd, 0) != 0 ||
      pwrite (self->lock_fd, pid, strlen (pid), 0) != (ssize_t) strlen (pid))
    return fail_errno (error, errno, _ ("cannot write %s"), path);
  return TRUE;
}

/* FALSE without @error: there is none to use. */
static gboolean
load (ExoIdentity *self, const char *path, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) local = NULL;

  if (!g_file_get_contents (path, &text, NULL, &local))
    {
      if (!g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  g_strchomp (text);
  if (strlen (text) != EXO_IDENTITY_ID_LENGTH ||
      strspn (text, "0123456789abcdef") != EXO_IDENTITY_ID_LENGTH)
    {
      g_warning ("%s is damaged: this node gets a new id", path);
      return FALSE;
    }
  memcpy (self->id, text, sizeof self->id);
  return TRUE;
}

static gboolean
make (ExoIdentity *self, const char *path, GError **error)
{
  guint8 bytes[EXO_IDENTITY_ID_LENGTH / 2];
  g_autofree char *line = NULL;

  if (getrandom (bytes, sizeof bytes, 0) != (ssize_t) sizeof bytes)
    return fail_errno (error, errno, _ ("no random bytes for %s"), path);
  for (gsize i = 0; i < sizeof bytes; i++)
    g_snprintf (self->id + 2 * i, 3, "%02x", bytes[i]);
  line = g_strconcat (self->id, "\n", NULL);
  return g_file_set_contents_full (
      path, line, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, error);
}

ExoIdentity *
exo_identity_open (const char *state_dir, GError **error)
{
  g_autoptr (ExoIdentity) self = g_new0 (ExoIdentity, 1);
  g_autofree char *path = g_build_filename (state_dir, "node-id", NULL);
  g_autoptr (GError) local = NULL;

  self->lock_fd = -1;
  if (g_mkdir_with_parents (state_dir, 0700) != 0)
    {
      fail_errno (error, errno, _ ("cannot make %s"), state_dir);
      return NULL;
    }
  if (!lock (self, state_dir, error))
    return NULL;
  if (load (self, path, &local))
    return g_steal_pointer (&self);
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  return make (self, path, error) ? g_steal_pointer (&self) : NULL;
}

void
exo_identity_free (ExoIdentity *self)
{
  if (self == NULL)
    return;
  if (self->lock_fd >= 0)
    close (self->lock_fd);
  g_free (self);
}

const char *
exo_identity_id (ExoIdentity *self)
{
  return self->id;
}
