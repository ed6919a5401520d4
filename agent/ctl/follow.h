/* follow.h - the course of a transfer, as lines of text or JSON
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#pragma once

#include "agent/ctl/ctl.h"

G_BEGIN_DECLS

/* What was last said about one transfer. Zeroed: nothing yet. */
typedef struct
{
  char *state, *message; /* owned */
  guint tenths;          /* of the bytes */
} ExoFollow;

void exo_follow_clear (ExoFollow *follow);
/* Prints what is worth a line: with --json every change, otherwise changes of state, each 10 % and trouble. */
void exo_follow_update (const ExoCtl *ctl, ExoFollow *follow, ExoAgent1Transfer *transfer);

/* "1.20 GB of 4.00 GB", "98.0 MB/s, 28 s left", "from Hub 1.20 GB, from neighbours 1.00 GB (45 %)" */
char *exo_follow_amount (ExoAgent1Transfer *transfer);
char *exo_follow_speed (ExoAgent1Transfer *transfer);
char *exo_follow_sources (ExoAgent1Transfer *transfer);
gboolean exo_follow_is_moving (ExoAgent1Transfer *transfer); /* transferring or verifying */
gboolean exo_follow_is_over (ExoAgent1Transfer *transfer);   /* complete or failed */

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ExoFollow, exo_follow_clear)

G_END_DECLS
