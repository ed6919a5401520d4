/* glob.h - which files a pattern names
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The rules of Python's fnmatch.fnmatchcase, which the Hub's own client uses: "*" matches any run of
 * characters, "/" too; "?" one character; "[abc]", "[a-z]", "[!a-z]" one of a set or not; a "[" that
 * is never closed is itself. (The trailing "/" of manifest.h is that client's addition, not fnmatch's.)
 *
 * Pure.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define EXO_GLOB_MAX 255u /* bytes */

/* Both are valid UTF-8, at most EXO_GLOB_MAX and EXO_PATH_MAX bytes long (checked by the callers), which
 * bounds the work: each character of the path is compared with each of the pattern, at most. */
gboolean exo_glob_match (const char *glob, const char *path);

G_END_DECLS
