/* error.h - what can go wrong when a model moves
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One domain for the whole of transfer/. A code exists only where a caller acts on the
 * difference; the message says what happened, to which model, file or node, and what to do.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define EXO_TRANSFER_ERROR (exo_transfer_error_quark ())
GQuark exo_transfer_error_quark (void);

typedef enum
{
  EXO_TRANSFER_ERROR_FAILED,       /* none of the others */
  EXO_TRANSFER_ERROR_INVALID,      /* input refused: a name, a path, a message, a range */
  EXO_TRANSFER_ERROR_TOO_LARGE,    /* past a named limit */
  EXO_TRANSFER_ERROR_NOT_FOUND,    /* no such repo, revision, file or blob */
  EXO_TRANSFER_ERROR_DENIED,       /* gated or private: a token is missing or does not suffice */
  EXO_TRANSFER_ERROR_RATE_LIMITED, /* 429: wait until the time given beside the error */
  EXO_TRANSFER_ERROR_UNREACHABLE, /* no answer, reset, stall, 5xx, TLS or proxy trouble: try later */
  EXO_TRANSFER_ERROR_NO_SPACE,    /* ENOSPC, EDQUOT, or not enough room to begin with */
  EXO_TRANSFER_ERROR_DISK,        /* any other trouble with local files */
  EXO_TRANSFER_ERROR_CHANGED,     /* the source answers for other bytes than those asked for */
  EXO_TRANSFER_ERROR_MISMATCH,    /* whole-file hash differs from the oid */
  EXO_TRANSFER_ERROR_BUSY,        /* another process holds the lock */
  EXO_TRANSFER_ERROR_CANCELLED,   /* the caller cancelled */
  EXO_TRANSFER_ERROR_NO_REVISION, /* the repo is there, the revision is not */
} ExoTransferError;

/* The NAME of org.exo.Agent1.Error.NAME (agent/org.exo.Agent1.xml) that says @code to a user: what is
 * acted on in the same way shares one. "Failed" for a code that is not listed. */
const char *exo_transfer_error_name (int code);

G_END_DECLS
