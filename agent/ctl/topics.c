/* topics.c - what exoctl help says beside the commands
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <glib/gi18n.h>

#include "agent/ctl/ctl.h"

const ExoTopic exo_topics[] = {
  { "files", N_ ("Where models, settings and logs are"),
    N_ ("Models     ~/.cache/huggingface/hub, as for other clients of the Hub; HF_HOME and\n"
        "           HF_HUB_CACHE move it. See: exoctl cache\n"
        "Settings   ~/.config/exo-agent/agent.conf; none are needed. See: man exo-agent.conf\n"
        "State      ~/.local/state/exo-agent: node id, index of files, history of transfers\n"
        "Log        journalctl --user -u exo-agent\n") },
  { "headless", N_ ("Machines that nobody logs in to"),
    N_ ("sudo systemctl enable --now exo-agent@USER\n\n"
        "runs the agent of that user from boot on, without a login. exoctl finds it over ssh and\n"
        "in cron jobs. Its log: journalctl -u exo-agent@USER\n") },
  { "network", N_ ("Ports, firewalls and what is shared"),
    N_ ("TCP port 52418 for the transfers and UDP port 5353 (mDNS) have to be open on every machine:\n\n"
        "  sudo ufw allow exo-agent && sudo ufw allow 5353/udp\n"
        "  sudo firewall-cmd --permanent --add-service=exo-agent --add-service=mdns\n"
        "  sudo firewall-cmd --reload\n\n"
        "Public content is shared with every machine of the LAN, gated and private content with none.\n"
        "Without multicast, name the machines in the key file: peers= in the group [lan].\n") },
  { "tools", N_ ("Let exo, vLLM, transformers and others download through the agent"),
    N_ ("eval \"$(exoctl env)\"\n\n"
        "tells the programs that this shell starts where the cache is, and that the agent is the Hub\n"
        "(http://127.0.0.1:52419, which is also a page to look at). What is missing is then pulled\n"
        "through the lab and streamed meanwhile.\n") },
};
const gsize exo_n_topics = G_N_ELEMENTS (exo_topics);
