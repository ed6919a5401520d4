/* trouble.c - see trouble.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/trouble.h"

gboolean
exo_trouble_note (ExoTrouble *trouble, gboolean is_so, gint64 now_us)
{
  if (trouble->last_us != 0 && now_us - trouble->last_us >= EXO_TROUBLE_WELL_US)
    *trouble = (ExoTrouble){ 0 };
  if (!is_so)
    return FALSE;
  if (trouble->since_us == 0)
    trouble->since_us = now_us;
  trouble->last_us = now_us;
  if (trouble->told || now_us - trouble->since_us < EXO_TROUBLE_LONG_US)
    return FALSE;
  trouble->told = TRUE;
  return TRUE;
}
