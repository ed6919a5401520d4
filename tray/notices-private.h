/* notices-private.h - the words of each notice
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure; what is returned has no id yet, and is the caller's.
 */

#pragma once

#include "tray/notices.h"

G_BEGIN_DECLS

ExoNotice *exo_notice_progress (const ExoViewTransfer *transfer); /* under way, or paused */
ExoNotice *exo_notice_complete (const ExoViewTransfer *transfer, guint64 saved);
ExoNotice *exo_notice_failed (const ExoViewTransfer *transfer);
ExoNotice *exo_notice_warning (const ExoViewWarning *warning);
ExoNotice *exo_notice_agent_gone (guint n_waiting); /* transfers */

/* Several at once. @names: (element-type utf8): what they are about, oldest first */
ExoNotice *exo_notice_completes (const GPtrArray *names, guint64 saved);
ExoNotice *exo_notice_failures (const GPtrArray *names, const ExoViewTransfer *newest);
ExoNotice *exo_notice_warnings (const GPtrArray *messages);

G_END_DECLS
