/* faults.h - what goes wrong, on which request
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Rules, as posted to /faults:
 *   {"match":"glob on the counted path", "class":"api|resolve|cdn|any", "method":"GET",
 *    "nth":[1,3] | "every":k, "times":n, "fault":{"kind":..., ...}}
 * Each rule counts the requests that it matches, from 1, and fires on those that nth or every
 * selects, on all if neither is there, at most times times. The first rule that fires is the
 * request's fault; later rules do not count that request.
 *
 * Thread-safe.
 */

#pragma once

#include "tests/hub/route.h"

G_BEGIN_DECLS

typedef enum
{
  HUB_FAULT_STATUS = 0,    /* status, headers: instead of the answer */
  HUB_FAULT_RESET,         /* after: RST; without after, instead of the answer */
  HUB_FAULT_CLOSE,         /* after: early end; without after, instead of the answer */
  HUB_FAULT_STALL,         /* after, seconds: silence in the body, which then goes on */
  HUB_FAULT_SLOW,          /* seconds: silence before the headers */
  HUB_FAULT_FLIP,          /* offset: one bit of that byte of the file is wrong */
  HUB_FAULT_FULL200,       /* 200 and all of it to a Range request */
  HUB_FAULT_WRONG_RANGE,   /* Content-Range is one byte off, the body is not */
  HUB_FAULT_HTML,          /* 200 and a captive portal's page */
  HUB_FAULT_TRUNCATE_JSON, /* half of the JSON, well framed */
  HUB_FAULT_EXPIRE,        /* the CDN finds the signature too old */
  HUB_FAULT_REDIRECT,      /* to: 302 */
  HUB_FAULT_ETAG,          /* value: in place of the right ETag and X-Linked-Etag, quotes added */
} HubFaultKind;

typedef struct
{
  HubFaultKind kind;
  guint status;
  gint64 after;   /* bytes of the body; -1: before the headers */
  gint64 offset;  /* in the file */
  double seconds; /* silence */
  char *text;     /* (nullable): "to" or "value" */
  char **headers; /* (nullable): name, value, name, value, ..., NULL */
} HubFault;

HubFault *hub_fault_ref (HubFault *fault);
void hub_fault_unref (HubFault *fault); /* %NULL is fine */

typedef struct HubFaults HubFaults;

HubFaults *hub_faults_new (void);
void hub_faults_free (HubFaults *self); /* %NULL is fine */

/* Replaces all rules, or, with @error set, none. @json: (nullable): NULL removes them */
gboolean hub_faults_set (HubFaults *self, const char *json, GError **error);

/* Returns: (transfer full): the JSON of GET /faults: each rule with "seen" and "hits" added */
char *hub_faults_to_json (HubFaults *self);

/* Counts the request; Returns: (transfer full) (nullable): what is to go wrong with it */
HubFault *hub_faults_pick (HubFaults *self, HubClass klass, const char *method, const char *path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HubFaults, hub_faults_free)

G_END_DECLS
