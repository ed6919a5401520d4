/* bars.c - see bars.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/ctl/bars.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/ctl/format.h"

struct ExoBars
{
  int fd;
  GArray *widths; /* guint; columns of each line that is on the screen */
};

ExoBars *
exo_bars_new (int fd)
{
  ExoBars *bars = g_new0 (ExoBars, 1);

  bars->fd = fd;
  bars->widths = g_array_new (FALSE, FALSE, sizeof (guint));
  return bars;
}

void
exo_bars_free (ExoBars *bars)
{
  if (bars == NULL)
    return;
  g_array_unref (bars->widths);
  g_free (bars);
}

void
exo_bars_get_size (ExoBars *bars, guint *out_columns, guint *out_rows)
{
  struct winsize size = { 0 };

  if (ioctl (bars->fd, TIOCGWINSZ, &size) < 0)
    size.ws_col = size.ws_row = 0;
  *out_columns = size.ws_col > 0 ? size.ws_col : 80;
  *out_rows = size.ws_row > 0 ? size.ws_row : 24;
}

/* A terminal that was made narrower has wrapped our lines. */
static guint
rows_on_screen (ExoBars *bars)
{
  guint columns, rows, n = 0;

  exo_bars_get_size (bars, &columns, &rows);
  for (guint i = 0; i < bars->widths->len; i++)
    n += MAX (1u, (g_array_index (bars->widths, guint, i) + columns - 1) / columns);
  return MIN (n, rows);
}

static void
write_all (int fd, const char *data, gsize length)
{
  while (length > 0)
    {
      gssize n = write (fd, data, length);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return; /* the terminal is gone: SIGHUP is on its way */
      data += n;
      length -= (gsize) n;
    }
}

void
exo_bars_show (ExoBars *bars, GPtrArray *above, GPtrArray *lines)
{
  g_autoptr (GString) frame = g_string_new ("\x1b[?25l\r");
  guint up = rows_on_screen (bars);

  if (up > 1)
    g_string_append_printf (frame, "\x1b[%uA", up - 1);
  for (guint i = 0; above != NULL && i < above->len; i++)
    g_string_append_printf (frame, "%s\x1b[K\n", (const char *) above->pdata[i]);
  g_array_set_size (bars->widths, 0);
  for (guint i = 0; i < lines->len; i++)
    {
      guint columns = exo_format_columns (lines->pdata[i]);

      g_string_append_printf (frame, "%s%s\x1b[K", i > 0 ? "\n" : "",
                              (const char *) lines->pdata[i]);
      g_array_append_val (bars->widths, columns);
    }
  g_string_append (frame, "\x1b[J\x1b[?25h");
  write_all (bars->fd, frame->str, frame->len);
}

void
exo_bars_clear (ExoBars *bars)
{
  g_autoptr (GPtrArray) nothing = g_ptr_array_new ();

  exo_bars_show (bars, NULL, nothing);
}
