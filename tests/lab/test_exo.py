# SPDX-License-Identifier: Apache-2.0
"""Machines that also run exo: its model folders are sources."""

import json
import shutil

from cases import case, sample
from lab import Lab, need


def fill_exo_folder(host, model, folder):
    """As exo leaves it: ORG--NAME/PATH, and beside it a download that was cut off."""
    place = folder / model.name.replace('/', '--')
    shutil.copytree(model.tree, place)
    (place / 'other.safetensors.partial').write_bytes(b'cut off')


@case('exo')
def what_exo_downloaded_is_not_fetched_again():
    """One machine has the model in exo's folder only: its neighbour and then itself pull it without the Hub's bytes."""
    with Lab(nodes=2, wan='200mbit', lan='400mbit', name='exo', sample=sample('small'), agents=0) as lab:
        folder = lab[1].dir / 'exo-models'
        fill_exo_folder(lab[1], lab.sample, folder)
        lab[1].extra_env['EXO_DEFAULT_MODELS_DIR'] = str(folder)
        for host in lab.hosts:
            host.start_agent()
        lab.meet()
        # Hashed some time after the start, when the Hub is also asked what is public.
        lab.wait_for(lambda: lab.sample.oid(lab.sample.largest, 64) in lab[1].log.read_text(), 60, 'exo folder hashed')
        lab.wait_for(lambda: lab.hub.stats()['requests']['api'] >= 2, 20, 'list of files asked for')
        lab.hub.reset()
        lab[2].pull(lab.sample.name).wait('complete', 60)
        lan = lab.hub.stats()['bytes']
        lab[1].pull(lab.sample.name).wait('complete', 60)
        own = lab.hub.stats()['bytes'] - lan
        need((lan, own) == (0, 0), f'the Hub sent {lan} bytes to the neighbour, {own} to the owner\n{lab.logs()}')
        for host in lab.hosts:
            host.verify_cache(lab.sample)
        return f'hub-bytes={lan + own}'


@case('exo')
def a_pull_need_not_wait_until_exo_folders_are_hashed():
    """A pull right after the start takes what exo has, in its default folder."""
    with Lab(nodes=1, wan='200mbit', lan='400mbit', name='exo-now', sample=sample('small'), agents=0) as lab:
        fill_exo_folder(lab[1], lab.sample, lab[1].dir / '.local' / 'exo' / 'models')
        lab[1].start_agent()
        lab[1].pull(lab.sample.name).wait('complete', 15)
        sent = lab.hub.stats()['bytes']
        need(sent == 0, f'the Hub sent {sent} bytes\n{lab.logs()}')
        lab[1].verify_cache(lab.sample)


class StandIn:
    """exo's API as far as an agent asks it: two documents."""

    def __init__(self, host):
        self.host, self.dir = host, host.dir / 'exo-api'
        self.dir.mkdir()
        (self.dir / 'node_id').write_text('"me"')
        self.child = None

    def tell(self, status):
        shards = {'modelId': 'secret/model', 'nodeToRunner': {'me': 'runner'}}
        state = {'instances': {'one': {'MlxRingInstance': {'shardAssignments': shards}}},
                 'runners': {'runner': {status: {}}}}
        (self.dir / 'state.new').write_text(json.dumps(state))
        (self.dir / 'state.new').rename(self.dir / 'state')

    def start(self):
        self.child = self.host.spawn(['python3', '-m', 'http.server', '52415', '--bind', '127.0.0.1', '--directory',
                                      self.dir], 'exo-api.log')

    def stop(self):
        self.child.terminate()
        self.child.wait()


def exo_of(host, name):
    """What exoctl nodes on host says of the machine of that name."""
    nodes = host.exoctl('nodes', '--json').data
    return next((node['exo_state'], node['exo_models']) for node in nodes if node['name'] == name)


@case('exo')
def neighbours_see_what_exo_is_at():
    """One machine runs exo: its neighbour sees it load a model, be ready and go, but not what model it is."""
    with Lab(nodes=2, wan='200mbit', lan='400mbit', name='exo-state', sample=sample('small')) as lab:
        lab.meet()
        exo = StandIn(lab[2])

        def becomes(state):
            lab.wait_for(lambda: exo_of(lab[1], lab[2].name) == (state, []), 20, f'exo {state} as the neighbour sees it')

        becomes('absent')
        exo.tell('RunnerLoading')
        exo.start()
        becomes('loading')
        need(exo_of(lab[2], lab[2].name) == ('loading', ['secret/model']), 'what the machine itself sees')
        exo.tell('RunnerReady')
        becomes('ready')
        card = lab[1].sh(f'curl -s http://{lab[2].address}:52418/v1/node')
        need('"exo":"ready"' in card and 'secret' not in card, card)
        exo.stop()
        becomes('absent')
