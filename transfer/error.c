/* error.c - see error.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/error.h"

G_DEFINE_QUARK (exo_transfer_error, exo_transfer_error)
