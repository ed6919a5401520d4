/* engine-lab.h - a stand-in Hub with one model, and whole engines beside it
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * org/name has four LFS files (two of them the same bytes), two small ones and an empty one. Engines live in the
 * default main context, as in the agent, and listen on loopback; what they know of each other is told to them.
 */

#pragma once

#include "tests/unit/stand-in.h"
#include "transfer/engine.h"

#define LAB_MODEL "org/name"

/* A node alone has so many requests under way: when each fifth is never answered it soon stands still. */
#define LAB_RUNS  4u
#define LAB_EVERY 5u

/* The Hub does not say what is in a repo. */
#define LAB_SILENT_API                                                                             \
  "[{\"match\":\"*\",\"class\":\"api\",\"fault\":{\"kind\":\"slow\",\"seconds\":3600}}]"

/* It does, and sends nothing. */
#define LAB_SILENT_CDN                                                                             \
  "[{\"match\":\"*\",\"class\":\"cdn\",\"fault\":{\"kind\":\"slow\",\"seconds\":3600}}]"

typedef struct
{
  StandIn *hub;
  char *folder;
  guint64 bytes;  /* of all files */
  guint64 unique; /* of all different ones: what one download costs */
  guint n_files;
  gboolean may_mount;       /* root: what is mounted goes with the program */
  guint16 exo_port;         /* for engines to come; 0, as at first: they ask no exo */
  const char *const *roots; /* likewise; NULL, as at first: none */
} EngineLab;

extern EngineLab engine_lab;

/* First in main(), before there is any thread: goes on in a child of this process, which removes the folder at the end. */
void engine_lab_open (void);
void engine_lab_close (void);

typedef struct
{
  char *folder, *cache, *state;
  ExoEngine *engine; /* NULL while it is stopped */
  GString *warnings; /* "kind: message" lines */
  guint n_idle, n_restored;
} LabNode;

/* One more model at the Hub, or the next commit of it: a single file with this text, not LFS. */
void engine_lab_put (const char *model, const char *path, const char *text);

/* Folders of its own below the lab's. @peer: (nullable): a static neighbour */
void lab_node_open (LabNode *node, const char *name, LabNode *peer);
void lab_node_start (LabNode *node, LabNode *peer);
void lab_node_stop (LabNode *node); /* as the agent does when told to end */
void lab_node_close (LabNode *node);

ExoTransfer *lab_node_pull (LabNode *node, const char *model);
/* The transfer that programs make of LAB_MODEL, as the endpoint does; first of all it has this file. */
ExoTransfer *lab_node_demand (LabNode *node, const char *path);
/* Turns the main loop until @is_so; the watchdog of the program ends what never comes. */
void lab_wait (gboolean (*is_so) (gconstpointer data), gconstpointer data);
/* Stalls the Hub, then pulls until all is on disk that it sends: nothing is on its way. */
ExoTransfer *lab_pull_half (LabNode *node);
void lab_wait_state (ExoTransfer *transfer, ExoTransferState state);
void lab_turn (guint times); /* without waiting */

gboolean lab_has_neighbour (gconstpointer node); /* for lab_wait() */
ExoTransferState lab_state (ExoTransfer *transfer);
guint64 lab_bytes_done (ExoTransfer *transfer);
/* Every file is in the snapshot of @node with the bytes of the Hub, and nothing unfinished lies around. */
gboolean lab_node_is_whole (LabNode *node);
