/* exo-link.h - complete models where exo looks for them
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * FOLDER/org--name -> <hub>/models--org--name/snapshots/<commit>, which exo takes for a model it has when FOLDER is among its
 * EXO_MODELS_READ_ONLY_DIRS (hub-protocol.md 5.2). exo does not notice missing files, so only whole models are linked. What
 * is no link into the cache is left alone; links whose snapshot is gone are removed. Main thread only.
 */

#pragma once

#include "transfer/engine.h"

G_BEGIN_DECLS

typedef struct ExoLink ExoLink;

/* @engine: borrowed, must outlive it. @folder: absolute; made when the first model is complete */
ExoLink *exo_link_new (ExoEngine *engine, const char *folder);
void exo_link_free (ExoLink *link); /* NULL is fine */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoLink, exo_link_free)

G_END_DECLS
