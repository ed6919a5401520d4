/* config.h - what the user wants: key file, environment, defaults
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The key file wins over the environment, and that over the default: the HF_* variables speak to every tool of the
 * user, the key file to this agent alone. An empty variable counts as unset.
 *
 *   [agent] name=        what neighbours show; default: the host name up to its first dot
 *           state-dir=   default: $XDG_STATE_HOME/exo-agent, ~/.local/state/exo-agent
 *   [lan]   port=        0 (any) to 65535; default 52418
 *           loopback=    true, false (default): listen on 127.0.0.1, too
 *           peers=       HOST[:PORT];HOST[:PORT]... ([...] around IPv6): neighbours where there is no multicast
 *           mdns=        true (default), false
 *           upload-slots= 1 to 64; default: what the engine thinks best
 *   [hub]   endpoint=    http(s) URL; default: HF_ENDPOINT, https://huggingface.co
 *           token-path=  file with the token; default: HF_TOKEN_PATH, $HF_HOME/token
 *           offline=     true, false; default: HF_HUB_OFFLINE
 *           metered=     yes, no, auto (default: what the system says of its network): bytes from there cost money
 *   [endpoint] enabled=  true (default), false: the Hub for programs of this machine, for their HF_ENDPOINT
 *           port=        0 (any) to 65535; default 52419. An HF_ENDPOINT that names it is none of the agent's own.
 *   [exo]   api=         1 to 65535, off: the port of exo's API on this machine, which is asked what exo is at; default: 52415
 *           link=        a folder; default: none. Complete models are linked there for exo (exo-link.h)
 *   [cache] path=        default: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, $HF_HOME/hub
 *           roots=       FOLDER;FOLDER...: files in them are sources, too; beside those of exo
 *   [limits] hub-rate=, lan-upload-rate=  such as 20MB/s (amount.h), or off (default), as all of these
 *           hub-connections= 1 to 64
 *           monthly-cap= such as 500GB
 *           hub-hours=   HH:MM-HH:MM,HH:MM-HH:MM...: local time
 *
 * HF_HOME defaults to $XDG_CACHE_HOME/huggingface, ~/.cache/huggingface. In folders and files a leading ~ or
 * ~USER, then $NAME and ${NAME} are replaced; unknown ones stay as they are, as in Python. A relative path in
 * the environment is relative to the working directory, in the key file it is an error.
 *
 * The folders of exo are found as exo finds them: EXO_DEFAULT_MODELS_DIR or else $EXO_HOME/models,
 * $XDG_DATA_HOME/exo/models, ~/.local/share/exo/models; EXO_MODELS_DIRS and EXO_MODELS_READ_ONLY_DIRS, lists with colons.
 *
 * HF_TOKEN, then HUGGING_FACE_HUB_TOKEN, then the token file. A token-path in the key file is explicit: it puts the
 * variables aside, and HF_HUB_DISABLE_IMPLICIT_TOKEN, which silences all the others, does not silence it.
 */

#pragma once

#include <gio/gio.h>

#include "transfer/limit.h"

G_BEGIN_DECLS

#define EXO_CONFIG_PORT_DEFAULT          52418u
#define EXO_CONFIG_ENDPOINT_DEFAULT      "https://huggingface.co"
#define EXO_CONFIG_ENDPOINT_PORT_DEFAULT 52419u
#define EXO_CONFIG_EXO_PORT_DEFAULT      52415u
#define EXO_CONFIG_PEERS_MAX             256u
#define EXO_CONFIG_NAME_MAX              63u /* bytes; one DNS label */
#define EXO_CONFIG_ROOTS_MAX             64u
#define EXO_CONFIG_UPLOAD_SLOTS_MAX      64u
#define EXO_CONFIG_FILE_BYTES_MAX        (64u * 1024u)

typedef enum
{
  EXO_METERED_AUTO,
  EXO_METERED_NO,
  EXO_METERED_YES,
} ExoMetered;

typedef struct
{
  char *name;      /* UTF-8, no control characters */
  char *state_dir; /* paths are absolute */
  guint16 port;
  gboolean loopback;
  char **peers; /* "host:port" or "[v6]:port"; never NULL */
  gboolean mdns;
  guint upload_slots; /* 0: default */
  guint16 exo_port;   /* 0: exo is not asked */
  char *exo_link;     /* (nullable) */
  gboolean serve_programs;
  guint16 endpoint_port;
  char *endpoint; /* without a slash at the end */
  char *token;    /* (nullable): from the environment. Never to be logged */
  char *
      token_path; /* (nullable): to be read when a token is needed, if @token is NULL; may not exist */
  gboolean offline;
  ExoMetered metered;
  ExoLimits limits;
  char *cache;  /* the Hub cache: models--ORG--NAME lie in it */
  char **roots; /* never NULL; each once, those of the key file first */
  char *
      exo_models; /* (nullable): one of @roots that nobody named: where exo would be. May well not exist */
} ExoConfig;

/* @path: (nullable): $XDG_CONFIG_HOME/exo-agent/agent.conf, which may be absent
 * @environment: as from g_get_environ()
 * @error: G_KEY_FILE_ERROR or G_FILE_ERROR; names file, group, key and what is allowed, or the variable */
ExoConfig *exo_config_load (const char *path, char **environment, GError **error);
void exo_config_free (ExoConfig *config); /* NULL is fine */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ExoConfig, exo_config_free)

G_END_DECLS
