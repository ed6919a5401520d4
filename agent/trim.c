/* trim.c - see trim.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/trim.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define LINE_BYTES 4352 /* the fields and a path of PATH_MAX */

/* Code is never written to (that would need PROT_WRITE), so its pages in memory are those of the file, and dropping
 * them loses nothing. Data that was relocated and then made read-only looks like code in all but the x. */
static gboolean
is_code_of_a_file (const char *permissions, unsigned long inode)
{
  return strcmp (permissions, "r-xp") == 0 && inode != 0;
}

static void
drop_code (void)
{
  FILE *maps = fopen ("/proc/self/maps", "re");
  char line[LINE_BYTES];

  while (maps != NULL && fgets (line, sizeof line, maps) != NULL)
    {
      unsigned long from, to, inode;
      char permissions[5];

      if (sscanf (line, "%lx-%lx %4s %*s %*s %lu", &from, &to, permissions, &inode) == 4 &&
          is_code_of_a_file (permissions, inode))
        (void) madvise ((void *) from, to - from, MADV_DONTNEED); /* advice: refusing it is fine */
    }
  if (maps != NULL)
    fclose (maps);
}

void
exo_trim_memory (void)
{
  malloc_trim (0);
  drop_code ();
}
