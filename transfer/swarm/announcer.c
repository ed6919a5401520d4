/* announcer.c - see announcer.h
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "transfer/swarm/announcer.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "transfer/swarm/pace.h"

/* What happens within the time of two pieces is told together: fewer messages for next to no makespan, figures in
 * NOTES.md. Not so long that people notice. */
#define FLUSH_DELAY_MS     5
#define FLUSH_DELAY_MAX_MS 100
#define FLUSH_PIECES       2

typedef struct
{
  ExoLanStream *stream; /* borrowed; gone after stream_closed */
  ExoWireHello *hello;  /* owned */
  ExoWireBuilder *builder;
  gboolean spoke; /* since the last heartbeat */
} Subscriber;

/* One oid one subscriber asked for. */
typedef struct
{
  Subscriber *subscriber;
  guint32 b;
} Interest;

struct ExoAnnouncer
{
  char *self_id, *self_name;
  ExoAnnouncerCallbacks callbacks;
  gpointer user_data;
  ExoLanServer *server;   /* borrowed */
  GPtrArray *subscribers; /* owned */
  GHashTable *by_oid;     /* char * -> GArray of Interest, both owned */
  gboolean hub;
  guint64 hub_rate, told_hub_rate; /* of the next hello; of the last event */
  ExoWireLink link;
  GArray *addresses;               /* ExoWireAddress; NULL: nothing is said of them */
  guint told_uploads, told_queued; /* in the last load sent to all */
  gboolean hurry;
  guint flush_source, flush_delay_ms, heartbeat_source;
};

static void
subscriber_free (Subscriber *subscriber)
{
  exo_wire_hello_free (subscriber->hello);
  exo_wire_builder_free (subscriber->builder);
  g_free (subscriber);
}

static void
subscriber_send (Subscriber *subscriber)
{
  g_autofree char *line = exo_wire_builder_take (subscriber->builder);

  exo_lan_stream_send (subscriber->stream, line, strlen (line));
  subscriber->spoke = TRUE;
}

ExoAnnouncer *
exo_announcer_new (const char *self_id,
                   const char *self_name,
                   const ExoAnnouncerCallbacks *callbacks,
                   gpointer user_data)
{
  ExoAnnouncer *announcer = g_new0 (ExoAnnouncer, 1);

  announcer->self_id = g_strdup (self_id);
  announcer->self_name = g_strdup (self_name);
  announcer->callbacks = *callbacks;
  announcer->user_data = user_data;
  announcer->subscribers = g_ptr_array_new_with_free_func ((GDestroyNotify) subscriber_free);
  announcer->by_oid =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_array_unref);
  announcer->hub = TRUE;
  return announcer;
}

void
exo_announcer_free (ExoAnnouncer *announcer)
{
  if (announcer == NULL)
    return;
  g_clear_handle_id (&announcer->flush_source, g_source_remove);
  g_clear_handle_id (&announcer->heartbeat_source, g_source_remove);
  g_hash_table_unref (announcer->by_oid);
  g_ptr_array_unref (announcer->subscribers);
  g_clear_pointer (&announcer->addresses, g_array_unref);
  g_free (announcer->self_id);
  g_free (announcer->self_name);
  g_free (announcer);
}

void
exo_announcer_set_server (ExoAnnouncer *announcer, ExoLanServer *server)
{
  announcer->server = server;
}

/* How busy this node's uploads are matters to those who choose a source: told with the next line, not on its own. */
static void
add_load (ExoAnnouncer *announcer)
{
  ExoLanLoad load;

  exo_lan_server_get_load (announcer->server, &load);
  if (load.uploads == announcer->told_uploads && load.queued == announcer->told_queued)
    return;
  announcer->told_uploads = load.uploads;
  announcer->told_queued = load.queued;
  for (guint i = 0; i < announcer->subscribers->len; i++)
    {
      Subscriber *subscriber = g_ptr_array_index (announcer->subscribers, i);
      exo_wire_builder_load (subscriber->builder, load.uploads, load.queued);
    }
}

static gboolean
flush (gpointer user_data)
{
  ExoAnnouncer *announcer = user_data;

  announcer->flush_source = 0;
  add_load (announcer);
  for (guint i = 0; i < announcer->subscribers->len; i++)
    {
      Subscriber *subscriber = g_ptr_array_index (announcer->subscribers, i);
      if (!exo_wire_builder_is_empty (subscriber->builder))
        subscriber_send (subscriber);
    }
  return G_SOURCE_REMOVE;
}

static void
flush_within (ExoAnnouncer *announcer, guint delay_ms)
{
  if (announcer->flush_source != 0 && announcer->flush_delay_ms <= delay_ms)
    return;
  g_clear_handle_id (&announcer->flush_source, g_source_remove);
  announcer->flush_delay_ms = delay_ms;
  announcer->flush_source = g_timeout_add_full (G_PRIORITY_HIGH, delay_ms, flush, announcer, NULL);
}

static void
flush_soon (ExoAnnouncer *announcer)
{
  flush_within (announcer, FLUSH_DELAY_MS);
}

/* For what happened to a piece of a blob of @size. */
static guint
gathering_ms (const ExoAnnouncer *announcer, guint64 size)
{
  guint64 ms;

  if (announcer->link.rate == 0 || announcer->hurry)
    return FLUSH_DELAY_MS;
  ms = (guint64) exo_piece_size_for (size) * 1000 * FLUSH_PIECES / announcer->link.rate;
  return (guint) CLAMP (ms, FLUSH_DELAY_MS, FLUSH_DELAY_MAX_MS);
}

static gboolean
heartbeat (gpointer user_data)
{
  ExoAnnouncer *announcer = user_data;

  for (guint i = 0; i < announcer->subscribers->len; i++)
    {
      Subscriber *subscriber = g_ptr_array_index (announcer->subscribers, i);
      if (!subscriber->spoke)
        subscriber_send (subscriber);
      subscriber->spoke = FALSE;
    }
  return G_SOURCE_CONTINUE;
}

static void
refuse_stream (ExoLanStream *stream, const GError *error)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *line = NULL;

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "error");
  json_builder_add_string_value (builder, error->message);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  line = json_to_string (root, FALSE);
  exo_lan_stream_send (stream, line, strlen (line));
  exo_lan_stream_close (stream);
}

static void
add_interests (ExoAnnouncer *announcer, Subscriber *subscriber)
{
  for (guint32 b = 0; b < subscriber->hello->blobs->len; b++)
    {
      const ExoWireBlob *blob = &g_array_index (subscriber->hello->blobs, ExoWireBlob, b);
      GArray *interests = g_hash_table_lookup (announcer->by_oid, blob->oid);
      Interest interest = { subscriber, b };

      if (interests == NULL)
        {
          interests = g_array_new (FALSE, FALSE, sizeof (Interest));
          g_hash_table_insert (announcer->by_oid, g_strdup (blob->oid), interests);
        }
      g_array_append_val (interests, interest);
    }
}

static void
drop_interests (ExoAnnouncer *announcer, Subscriber *subscriber)
{
  for (guint32 b = 0; b < subscriber->hello->blobs->len; b++)
    {
      const char *oid = g_array_index (subscriber->hello->blobs, ExoWireBlob, b).oid;
      GArray *interests = g_hash_table_lookup (announcer->by_oid, oid);

      for (guint i = 0; interests != NULL && i < interests->len;)
        if (g_array_index (interests, Interest, i).subscriber == subscriber)
          g_array_remove_index_fast (interests, i);
        else
          i++;
      if (interests != NULL && interests->len == 0)
        g_hash_table_remove (announcer->by_oid, oid);
    }
}

static void
describe (ExoAnnouncer *announcer, Subscriber *subscriber, guint32 b)
{
  const ExoWireBlob *blob = &g_array_index (subscriber->hello->blobs, ExoWireBlob, b);

  if (exo_wire_builder_size (subscriber->builder) > EXO_WIRE_LINE_MAX / 4)
    subscriber_send (subscriber);
  announcer->callbacks.describe (blob->oid, blob->size, b, subscriber->builder,
                                 announcer->user_data);
}

static void
send_snapshot (ExoAnnouncer *announcer, Subscriber *subscriber)
{
  ExoWireHello self = { .name = announcer->self_name,
                        .hub = announcer->hub,
                        .hub_rate = announcer->hub_rate,
                        .link = announcer->link,
                        .addresses = announcer->addresses };
  g_autofree char *line = NULL;

  g_strlcpy (self.id, announcer->self_id, sizeof self.id);
  line = exo_wire_hello_to_json (&self);
  exo_lan_stream_send (subscriber->stream, line, strlen (line));
  for (guint32 b = 0; b < subscriber->hello->blobs->len; b++)
    describe (announcer, subscriber, b);
  /* Also when it knows nothing of any: the first line after the hello ends the snapshot for a reader that waits for it. */
  subscriber_send (subscriber);
}

void
exo_announcer_stream_opened (ExoAnnouncer *announcer,
                             ExoLanStream *stream,
                             const char *body,
                             gsize length)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ExoWireHello) hello = exo_wire_subscribe_parse (body, length, &error);
  Subscriber *subscriber;

  if (hello != NULL && strcmp (hello->id, announcer->self_id) == 0)
    g_set_error_literal (&error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "This is your own node.");
  if (error != NULL)
    {
      g_debug ("subscription from %s refused: %s", exo_lan_stream_address (stream), error->message);
      refuse_stream (stream, error);
      return;
    }
  subscriber = g_new0 (Subscriber, 1);
  subscriber->stream = stream;
  subscriber->hello = g_steal_pointer (&hello);
  subscriber->builder = exo_wire_builder_new ();
  exo_lan_stream_set_data (stream, subscriber);
  g_ptr_array_add (announcer->subscribers, subscriber);
  add_interests (announcer, subscriber);
  send_snapshot (announcer, subscriber);
  if (announcer->heartbeat_source == 0)
    announcer->heartbeat_source =
        g_timeout_add_seconds (EXO_WIRE_HEARTBEAT_S, heartbeat, announcer);
  announcer->callbacks.subscriber_seen (subscriber->hello, exo_lan_stream_address (stream),
                                        announcer->user_data);
}

void
exo_announcer_stream_closed (ExoAnnouncer *announcer, ExoLanStream *stream)
{
  Subscriber *subscriber = exo_lan_stream_get_data (stream);
  g_autofree char *id = NULL;

  if (subscriber == NULL) /* it was refused */
    return;
  id = g_strdup (subscriber->hello->id);
  drop_interests (announcer, subscriber);
  g_ptr_array_remove_fast (announcer->subscribers, subscriber);
  if (announcer->subscribers->len == 0)
    g_clear_handle_id (&announcer->heartbeat_source, g_source_remove);
  announcer->callbacks.subscriber_gone (id, announcer->user_data);
}

void
exo_announcer_event (ExoAnnouncer *announcer,
                     const char *oid,
                     ExoWireEvent event,
                     guint32 first,
                     guint32 n)
{
  GArray *interests = g_hash_table_lookup (announcer->by_oid, oid);
  guint64 size = 0;

  for (guint i = 0; interests != NULL && i < interests->len; i++)
    {
      Interest *interest = &g_array_index (interests, Interest, i);
      Subscriber *subscriber = interest->subscriber;

      size = g_array_index (subscriber->hello->blobs, ExoWireBlob, interest->b).size;
      if (exo_wire_builder_add (subscriber->builder, event, interest->b, first, n))
        continue;
      /* The kinds in one line are applied in a fixed order: this event has to wait for the next line. */
      subscriber_send (subscriber);
      (void) exo_wire_builder_add (subscriber->builder, event, interest->b, first, n);
    }
  /* A claim that comes late is a second download: it does not wait for company. */
  if (interests != NULL)
    flush_within (announcer, event == EXO_WIRE_CLAIM ? 0 : gathering_ms (announcer, size));
}

void
exo_announcer_hurry (ExoAnnouncer *announcer, gboolean hurry)
{
  announcer->hurry = hurry;
}

void
exo_announcer_wants (ExoAnnouncer *announcer, const char *oid, gboolean wants)
{
  GArray *interests = g_hash_table_lookup (announcer->by_oid, oid);

  for (guint i = 0; interests != NULL && i < interests->len; i++)
    {
      Interest *interest = &g_array_index (interests, Interest, i);
      exo_wire_builder_wants (interest->subscriber->builder, interest->b, wants);
    }
  if (interests != NULL)
    flush_soon (announcer);
}

void
exo_announcer_state (ExoAnnouncer *announcer, const char *oid)
{
  GArray *interests = g_hash_table_lookup (announcer->by_oid, oid);

  for (guint i = 0; interests != NULL && i < interests->len; i++)
    {
      Interest *interest = &g_array_index (interests, Interest, i);

      /* What was gathered before it is older than the state, which comes first within a line. */
      if (!exo_wire_builder_is_empty (interest->subscriber->builder))
        subscriber_send (interest->subscriber);
      describe (announcer, interest->subscriber, interest->b);
    }
  if (interests != NULL)
    flush_soon (announcer);
}

void
exo_announcer_hub (ExoAnnouncer *announcer, gboolean reachable, guint64 rate)
{
  announcer->hub_rate = rate;
  if (announcer->hub == reachable && !exo_pace_is_hub_news (announcer->told_hub_rate, rate))
    return;
  announcer->hub = reachable;
  announcer->told_hub_rate = rate;
  for (guint i = 0; i < announcer->subscribers->len; i++)
    {
      Subscriber *subscriber = g_ptr_array_index (announcer->subscribers, i);
      exo_wire_builder_hub (subscriber->builder, reachable, rate);
    }
  if (announcer->subscribers->len > 0)
    flush_soon (announcer);
}

void
exo_announcer_link (ExoAnnouncer *announcer, const ExoWireLink *link)
{
  announcer->link = *link;
  for (guint i = 0; i < announcer->subscribers->len; i++)
    {
      Subscriber *subscriber = g_ptr_array_index (announcer->subscribers, i);
      exo_wire_builder_link (subscriber->builder, link);
    }
  if (announcer->subscribers->len > 0)
    flush_soon (announcer);
}

void
exo_announcer_addresses (ExoAnnouncer *announcer, GArray *addresses)
{
  g_array_ref (addresses);
  g_clear_pointer (&announcer->addresses, g_array_unref);
  announcer->addresses = addresses;
}
