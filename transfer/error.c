/* error.c - see error.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/error.h"

G_DEFINE_QUARK (exo_transfer_error, exo_transfer_error)

static const char *const names[] = {
  [EXO_TRANSFER_ERROR_FAILED] = "Failed",
  [EXO_TRANSFER_ERROR_INVALID] = "Invalid",
  [EXO_TRANSFER_ERROR_TOO_LARGE] = "Invalid",
  [EXO_TRANSFER_ERROR_NOT_FOUND] = "NotFound",
  [EXO_TRANSFER_ERROR_DENIED] = "Denied",
  [EXO_TRANSFER_ERROR_RATE_LIMITED] = "RateLimited",
  [EXO_TRANSFER_ERROR_UNREACHABLE] = "Unreachable",
  [EXO_TRANSFER_ERROR_NO_SPACE] = "NoSpace",
  [EXO_TRANSFER_ERROR_DISK] = "Disk",
  [EXO_TRANSFER_ERROR_CHANGED] = "Mismatch",
  [EXO_TRANSFER_ERROR_MISMATCH] = "Mismatch",
  [EXO_TRANSFER_ERROR_BUSY] = "Busy",
  [EXO_TRANSFER_ERROR_CANCELLED] = "Failed",
  [EXO_TRANSFER_ERROR_NO_REVISION] = "NotFound",
};

const char *
exo_transfer_error_name (int code)
{
  return code >= 0 && code < (int) G_N_ELEMENTS (names) ? names[code] : "Failed";
}
