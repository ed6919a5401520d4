/* wire.h - the words neighbours exchange, as text
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Pure: text in, checked values out, and back. transfer/PROTOCOL.md is the normative description.
 *
 * A node subscribes with POST /v1/swarm, body (a Subscribe): who it is and the oids it wants. The answer
 * is endless NDJSON: first a Hello (who answers), then one State per oid it knows anything of, then
 * events; each line is one JSON object with any of the keys below, so that everything which happened
 * within 5 to 100 ms is one line. "b" below is the index of an oid in the subscriber's list.
 *
 *   subscribe  {"v":1,"id":"<32 hex>","name":"host","port":52418,"hub":true,"hub_rate":0,"link":[0,0],"oids":[["<oid>",size],...]}
 *   hello      {"v":1,"id":..,"name":..,"hub":true,"hub_rate":0,"link":[0,0],"addresses":[["10.0.0.1:52418",125000000],..]}
 *   state      {"state":[{"b":0,"wants":true,"have":"<base64 bits>"|"all"|"","claim":[[first,n],..],"fetch":[[first,n],..]},..]}
 *   event      {"have":[[b,first,n],..],"drop":[..],"fetch":[..],"claim":[..],"release":[..],"wants":[[b,true],..],
 *               "hub":true,"hub_rate":0,"load":[uploads,queued],"link":[speed,rate]}
 *              applied in this order: state, release, drop, have, fetch, claim, wants; a "have" also
 *              ends the fetch or claim of its pieces, whoever sends it need not release them
 *   heartbeat  {}   once a second while a stream is open and nothing else was said; silence for
 *              EXO_WIRE_SILENCE_S is death
 */

#pragma once

#include "transfer/swarm/piece-map.h"

G_BEGIN_DECLS

#define EXO_WIRE_VERSION       1
#define EXO_WIRE_LINE_MAX      (1u << 20)
#define EXO_WIRE_SUBSCRIBE_MAX (4u << 20)  /* bytes; 50,000 oids take some 4 MB */
#define EXO_WIRE_DIGESTS_MAX   (16u << 20) /* bytes; some 110 a piece: blobs up to 600 GB */
#define EXO_WIRE_RATE_MAX                                                                          \
  G_GUINT64_CONSTANT (999999999999999999) /* bytes/s: 18 digits, json-scan.h */
#define EXO_WIRE_OIDS_MAX      50000u
#define EXO_WIRE_ADDRESSES_MAX 64u
#define EXO_WIRE_NAME_MAX      63u
#define EXO_WIRE_RANGES_MAX    4096u /* in one list of one line */
#define EXO_WIRE_HEARTBEAT_S   1
#define EXO_WIRE_SILENCE_S     4

gboolean exo_node_id_check (const char *id); /* 32 lower-case hex digits */

typedef struct
{
  char *oid;
  guint64 size;
} ExoWireBlob;

/* Of a node's own LAN link, bytes/s, 0 unknown */
typedef struct
{
  guint64 speed; /* of its network cards */
  guint64 rate;  /* that it lately reached */
} ExoWireLink;

/* Where a node is reached, and how fast the network card there is: bytes/s, 0 unknown */
typedef struct
{
  char *text; /* "10.0.0.1:52418", "[fe80::1]:52418", without a scope */
  guint64 speed;
} ExoWireAddress;

typedef struct
{
  char id[33];
  char *name;       /* host name, cleaned of control characters, at most EXO_WIRE_NAME_MAX bytes */
  guint16 port;     /* 0 if not said */
  gboolean hub;     /* reaches the Hub */
  guint64 hub_rate; /* bytes/s, 0 unknown */
  ExoWireLink link;
  GArray *blobs;     /* of a Subscribe: ExoWireBlob; empty for a Hello */
  GArray *addresses; /* of a Hello: ExoWireAddress; NULL: not said */
} ExoWireHello;

GArray *exo_wire_addresses_new (void); /* empty; owns the texts put into it */
GArray *exo_wire_blobs_new (void);     /* empty; owns the oids put into it */
void exo_wire_hello_free (ExoWireHello *hello);
char *exo_wire_subscribe_to_json (const ExoWireHello *hello);
/* @error: INVALID, TOO_LARGE; a "v" that is not ours: INVALID with a message that names both */
ExoWireHello *exo_wire_subscribe_parse (const char *text, gsize length, GError **error);
char *exo_wire_hello_to_json (const ExoWireHello *hello);

typedef struct
{
  guint32 b;        /* < the number of oids subscribed to */
  guint32 first, n; /* n >= 1; first + n <= pieces of that blob */
} ExoWireRange;

typedef struct
{
  guint32 b;
  gboolean wants;
  ExoPieceMap *have; /* owned, never NULL */
} ExoWireState;

/* One line, parsed and checked against the sizes subscribed to. Absent lists are empty. */
typedef struct
{
  ExoWireHello *hello; /* NULL unless the line is a Hello */
  GArray *states;      /* ExoWireState; their "claim" and "fetch" are in the lists below */
  GArray *have, *drop, *fetch, *claim, *release; /* ExoWireRange */
  GArray *wants_on, *wants_off;                  /* guint32 b */
  gboolean has_hub, hub;
  guint64 hub_rate;
  gboolean has_load;
  guint uploads, queued;
  gboolean has_link;
  ExoWireLink link;
} ExoWireLine;

/* @sizes: of the blobs subscribed to, by b. Unknown keys are ignored. @error: INVALID, TOO_LARGE */
ExoWireLine *exo_wire_line_parse (const char *text,
                                  gsize length,
                                  const guint64 *sizes,
                                  gsize n_sizes,
                                  GError **error);
void exo_wire_line_free (ExoWireLine *line);

/* Building a line: one builder per stream, filled for 5 to 100 ms, then taken. */
typedef struct ExoWireBuilder ExoWireBuilder;
typedef enum
{
  EXO_WIRE_HAVE,
  EXO_WIRE_DROP,
  EXO_WIRE_FETCH,
  EXO_WIRE_CLAIM,
  EXO_WIRE_RELEASE,
} ExoWireEvent;

ExoWireBuilder *exo_wire_builder_new (void);
void exo_wire_builder_free (ExoWireBuilder *builder);
/* Of several events for one piece the last one wins. Adjacent ranges are joined. Returns FALSE, having added nothing, when
 * the line is full (EXO_WIRE_RANGES_MAX): take the line first, then add again. */
gboolean exo_wire_builder_add (ExoWireBuilder *builder,
                               ExoWireEvent event,
                               guint32 b,
                               guint32 first,
                               guint32 n);
void exo_wire_builder_wants (ExoWireBuilder *builder, guint32 b, gboolean wants);
void exo_wire_builder_state (ExoWireBuilder *builder,
                             guint32 b,
                             gboolean wants,
                             const ExoPieceMap *have);
void exo_wire_builder_hub (ExoWireBuilder *builder, gboolean hub, guint64 hub_rate);
void exo_wire_builder_load (ExoWireBuilder *builder, guint uploads, guint queued);
void exo_wire_builder_link (ExoWireBuilder *builder, const ExoWireLink *link);
gboolean exo_wire_builder_is_empty (ExoWireBuilder *builder);
gsize exo_wire_builder_size (
    ExoWireBuilder *builder); /* rough bytes so far: take it before EXO_WIRE_LINE_MAX / 2 */
char *exo_wire_builder_take (ExoWireBuilder *builder); /* the line without newline; "{}" if empty */

/* GET /v1/blobs/{oid}/pieces: {"v":1,"size":n,"verified":true,"pieces":[[index,"<sha256 hex>","hub"|"<node id>"|""],..]} */
typedef struct
{
  guint32 piece;
  guint8 sha256[32];
  char source[33]; /* "hub", a node id, or "" */
} ExoWireDigest;

char *
exo_wire_digests_to_json (guint64 size, gboolean verified, const ExoWireDigest *digests, gsize n);
GArray *exo_wire_digests_parse (const char *text,
                                gsize length,
                                guint64 size,
                                gboolean *out_verified,
                                GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoWireHello, exo_wire_hello_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoWireLine, exo_wire_line_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoWireBuilder, exo_wire_builder_free)

G_END_DECLS
