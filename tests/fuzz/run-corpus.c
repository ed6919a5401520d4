/* run-corpus.c - a fuzz entry over the files of a folder
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

int
main (int argc, char **argv)
{
  g_autoptr (GDir) folder = argc == 2 ? g_dir_open (argv[1], 0, NULL) : NULL;
  const char *name;
  unsigned int n_files = 0;

  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename (argv[1], name, NULL);
      g_autofree char *text = NULL;
      g_autofree uint8_t *exact = NULL;
      gsize size;

      if (!g_file_get_contents (path, &text, &size, NULL))
        return EXIT_FAILURE;
      exact = g_memdup2 (text,
                         size); /* without the zero byte behind it, so that reading past it shows */
      LLVMFuzzerTestOneInput (exact, size);
      n_files++;
    }
  printf ("%u inputs\n", n_files);
  return n_files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
