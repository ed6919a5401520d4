/* words.c - see words.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "agent/ctl/words.h"

#include <glib/gi18n.h>

static const char *const words[] = {
  /* TRANSLATORS: states of a transfer, and of a file */
  N_ ("queued"),
  N_ ("resolving"),
  N_ ("waiting"),
  N_ ("transferring"),
  N_ ("verifying"),
  N_ ("paused"),
  N_ ("complete"),
  N_ ("failed"),
  /* TRANSLATORS: kinds of repositories of the Hub */
  N_ ("model"),
  N_ ("dataset"),
  N_ ("space"),
  /* TRANSLATORS: states of a neighbour; shunned: it served wrong bytes */
  N_ ("connected"),
  N_ ("present"),
  N_ ("unreachable"),
  N_ ("shunned"),
  /* TRANSLATORS: what exo on a machine is at */
  N_ ("absent"),
  N_ ("idle"),
  N_ ("loading"),
  N_ ("ready"),
  N_ ("running"),
  /* TRANSLATORS: what exoctl doctor finds, four columns wide */
  N_ ("ok"),
  N_ ("warn"),
  N_ ("fail"),
};

const char *
exo_word (const char *code)
{
  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    if (g_strcmp0 (words[i], code) == 0)
      return _ (words[i]);
  return code != NULL ? code : "";
}
