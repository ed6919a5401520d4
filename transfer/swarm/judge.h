/* judge.h - who was wrong: the pieces of a blob compared between neighbours
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * When the hash of a whole file does not match, nothing tells which piece is to blame: the Hub gives no hash of pieces. But
 * every node knows the SHA-256 of each piece it holds and where that piece came from, and answers for it
 * (GET /v1/blobs/{oid}/pieces). What is held to be true of a piece, in this order:
 *   1. what nodes say that hold the verified whole (the most frequent answer, if it is more frequent than any other);
 *   2. what this node itself had from the Hub;
 *   3. what nodes say that had the piece from the Hub themselves, if they agree.
 * A piece that differs from that is bad. So is one whose giver now says that it holds other bytes than it gave, and, where
 * nothing is known to be true, one that came from a shunned node, at first or second hand.
 *
 * A giver is a liar only on proof: it gave bytes other than those it holds, as it says itself, and it held the verified whole, or
 * had the piece from the Hub, when it gave it. Whoever handed on in good faith what a liar, a bad disk or the Hub gave it, and
 * has mended its own copy meanwhile, is none.
 *
 * Pure.
 */

#pragma once

#include "transfer/swarm/wire.h"

G_BEGIN_DECLS

typedef struct
{
  gboolean held;
  guint8 sha256[32];
  const char *source; /* "hub", a node id, NULL unknown; borrowed */
} ExoJudgePiece;

typedef struct
{
  const char *id;    /* of the node that reports; borrowed */
  gboolean verified; /* it holds the verified whole */
  gboolean shunned;  /* known for a liar: its digests count for nothing */
  gboolean fetched;  /* it was still fetching this blob itself when it gave pieces of it */
  gboolean
      mended; /* it has dropped pieces of this blob: what it holds may be newer than what it gave */
  GArray *digests; /* ExoWireDigest; borrowed */
} ExoJudgeReport;

typedef struct
{
  guint32 piece;
  const char *source; /* who gave it; borrowed from the piece */
  gboolean has_truth;
  guint8 truth[32]; /* what to expect of the next fetch, if has_truth */
} ExoVerdict;

/* Returns (element-type ExoVerdict): the bad pieces, by index. @out_liars: (element-type utf8): their ids, each once, borrowed
 * from the reports; the caller owns the array. */
GArray *exo_judge (const ExoJudgePiece *mine,
                   guint32 n_pieces,
                   const ExoJudgeReport *reports,
                   gsize n_reports,
                   GPtrArray **out_liars);

G_END_DECLS
