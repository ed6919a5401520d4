/* partial-private.h - a partial blob from inside: shared by partial.c and partial-disk.c
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#pragma once

#include "transfer/store/hash.h"
#include "transfer/store/journal.h"
#include "transfer/store/store-private.h"

G_BEGIN_DECLS

struct ExoPartial
{
  gint refs; /* atomic: the owner's, and one per job */
  ExoStore *store;
  ExoRepoType type;
  char *id;
  char *oid;
  guint64 size;
  char *part_path, *journal_path, *blob_path;
  int fd;
  int journal_fd;
  int lock_fd;  /* syncer; -1 once given up, or if a client has it that we feed */
  int guard_fd; /* syncer: the partial file, locked against other agents; likewise */
  gboolean for_client;
  gint stop; /* atomic: hashing ends early */

  /* main */
  ExoJournalState state; /* what is on disk, and from whom */
  gboolean closed;
  gboolean done;       /* the hash was right: committing or committed */
  GSource *timer;      /* until the next checkpoint, NULL: nothing new */
  guint64 hashed;      /* bytes in @hash; not changed while @hashing */
  guint64 hashing_to;  /* where the job under way will end */
  gboolean hashing;    /* a job is under way and owns @hash and @hash_error */
  gboolean hash_stale; /* what the job under way read was dropped */
  gboolean hash_hold;  /* no hashing before a drop or a finish */
  ExoHash *hash;
  GError *hash_error;   /* the last bite could not be read */
  GTask *finishing;     /* exo_partial_finish_async() */
  GError *commit_error; /* the syncer's, until on_committed() */

  /* under the mutex */
  GMutex mutex;
  ExoJournalEnd end;
  guint64 n_adds; /* add records appended since the file was opened */
  gboolean warned;

  /* syncer */
  guint64 n_adds_synced; /* covered by a checkpoint */
  gboolean sync_failed;  /* no checkpoint any more */
};

ExoPartial *exo_partial_ref (ExoPartial *partial);
void exo_partial_unref (ExoPartial *partial);

/* On the syncer: data synced, then a checkpoint, if there is anything new. */
void exo_partial_checkpoint (ExoPartial *partial);
void exo_partial_unlock (ExoPartial *partial);
/* On the syncer: synced, renamed to blobs/<oid>, into the index. */
gboolean exo_partial_commit (ExoPartial *partial, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoPartial, exo_partial_unref)

G_END_DECLS
