# SPDX-License-Identifier: Apache-2.0
"""Machines in two networks: the faster link that works is used, and a cut one costs a moment."""

import time

from cases import MIB, case, sample
from lab import PORT, Lab, need

GAP = 4  # seconds without a byte, at most


def _seeded(lab):
    """The first machine has the model, and the Hub has counted that."""
    lab.meet()
    lab[1].pull(lab.sample.name).wait('complete', 60)
    lab.hub.reset()


def _bytes_in(host):
    return {eth: host.wire(eth)[1] for eth in host.ports}


def _part(before, after, eth):
    """Of what has reached a machine: the part that came over eth."""
    came = {name: after[name] - before[name] for name in before}
    return came[eth] / sum(came.values())


def _link_of(host, name):
    """As exoctl shows it."""
    return next(node['link'] for node in host.exoctl('nodes', '--json').data if node['name'] == name)


def _longest_gap(lab, pull, least, timeout=60):
    """Until that many bytes are on disk or all of them: the longest time without a new one."""
    seen, since, gap = pull.info['BytesDone'], time.monotonic(), 0

    def look():
        nonlocal seen, since, gap
        now, done = time.monotonic(), pull.info.get('BytesDone', 0)
        gap = max(gap, now - since)
        if done > seen:
            seen, since = done, now
        return done >= least or pull.state == 'complete'
    lab.wait_for(look, timeout, f'{least} bytes')
    return gap


def _nothing_from_the_hub(lab):
    need(lab.hub.stats()['bytes'] == 0, f'the Hub sent {lab.hub.stats()["bytes"]} bytes\n{lab.logs()}')


@case('links')
def the_faster_of_two_links_is_used():
    """Two networks of 60 and 400 Mbit/s, in both orders: at least 95 % of the bytes cross the fast one."""
    facts = []
    for number, (lan, second, fast) in enumerate((('60mbit', '400mbit', 'eth1'), ('400mbit', '60mbit', 'eth0'))):
        with Lab(nodes=2, lan=lan, second=second, name=f'fast{number}', sample=sample('medium')) as lab:
            _seeded(lab)
            before = _bytes_in(lab[2])
            pull = lab[2].pull(lab.sample.name)
            pull.wait_bytes(20 * MIB)
            link = _link_of(lab[2], 'node1')
            pull.wait('complete', 60)
            part = _part(before, _bytes_in(lab[2]), fast)
            need(link == fast, f'exoctl nodes says {link}')
            need(part >= 0.95, f'{part:.3f} came over {fast}\n{lab.logs()}')
            _nothing_from_the_hub(lab)
            lab[2].verify_cache(lab.sample)
            facts.append(f'{fast}={part:.4f}')
    return ' '.join(facts)


def _lose_and_finish(lab, cut):
    """The fast link goes after a third; the longest gap."""
    _seeded(lab)
    pull = lab[2].pull(lab.sample.name)
    pull.wait_bytes(lab.sample.bytes // 3)
    cut()
    gap = _longest_gap(lab, pull, lab.sample.bytes)
    pull.wait('complete', 60)
    need(gap <= GAP, f'{gap:.1f} s without a byte\n{lab.logs()}')
    need(pull.info['BytesFromLan'] == lab.sample.bytes, f'counted: {pull.info}')
    _nothing_from_the_hub(lab)
    lab[2].verify_cache(lab.sample)
    return gap


@case('links')
def a_link_that_goes_dead_gives_way_to_the_other():
    """The fast link passes nothing any more, unseen by both ends, or loses its carrier at the sender's: the other one takes over within seconds."""
    gaps = []
    for name, how in (('dead', lambda host: host.block_link('eth1')), ('cut', lambda host: host.cut_link('eth1'))):
        with Lab(nodes=2, lan='100mbit', second='400mbit', name=name, sample=sample('medium')) as lab:
            gaps.append(f'{name}-gap={_lose_and_finish(lab, lambda: how(lab[1])):.1f}s')  # pylint: disable=cell-var-from-loop
    return ' '.join(gaps)


@case('links')
def a_link_that_is_back_is_used_again():
    """The fast link is dead for a while: what is left when it is back crosses it again."""
    with Lab(nodes=2, lan='60mbit', second='400mbit', name='back', sample=sample('big')) as lab:
        _seeded(lab)
        pull = lab[2].pull(lab.sample.name)
        pull.wait_bytes(40 * MIB)
        lab[1].block_link('eth1')
        pull.wait_bytes(70 * MIB)
        need(_link_of(lab[2], 'node1') == 'eth0', 'exoctl nodes does not say eth0')
        lab[1].unblock_link('eth1')
        start = time.monotonic()
        lab.wait_for(lambda: _link_of(lab[2], 'node1') == 'eth1', 20, 'the fast link is back')
        back, before = time.monotonic() - start, _bytes_in(lab[2])
        left = lab.sample.bytes - pull.info['BytesDone']
        pull.wait('complete', 60)
        part = _part(before, _bytes_in(lab[2]), 'eth1')
        need(left > 60 * MIB and part >= 0.9, f'{part:.3f} of the last {left / MIB:.0f} MiB came over it\n{lab.logs()}')
        _nothing_from_the_hub(lab)
        lab[2].verify_cache(lab.sample)
        return f'back-after={back:.1f}s of-the-rest={part:.3f} rest={left / MIB:.0f}MiB'


@case('links')
def a_static_peer_may_be_named_at_both_its_addresses():
    """Without mDNS: two entries under [lan] peers that are one machine give one neighbour, fetched from over the fast link."""
    peers = ';'.join(f'{net}{number}:{PORT}' for number in (1, 2) for net in ('10.77.0.', '10.79.0.'))
    with Lab(nodes=2, lan='60mbit', second='400mbit', name='named', sample=sample('small'), mdns=False,
             config={'lan': {'mdns': 'false', 'peers': peers}}) as lab:
        lab.wait_for(lambda: all(len(host.nodes()) == 1 for host in lab.hosts), 20, 'one neighbour each')
        lab[1].pull(lab.sample.name).wait('complete', 60)
        before = _bytes_in(lab[2])
        lab[2].pull(lab.sample.name).wait('complete', 60)
        part = _part(before, _bytes_in(lab[2]), 'eth1')
        need(part >= 0.95, f'{part:.3f} came over eth1\n{lab.logs()}')
        return f'eth1={part:.4f}'
