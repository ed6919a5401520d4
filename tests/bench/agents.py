# SPDX-License-Identifier: Apache-2.0
"""What is measured of agents alone: how soon one finds the others, and what a huge model takes of memory."""

import re
import signal
import time
from pathlib import Path

import bus
import contestants
import measure
import runner
import sandbox
import sparse
from lab import need
from sample import Sample

_MEETINGS, _PATIENCE_S = 4, 30
_GIGABYTES, _HUGE_S, _HUGE_BYTES, _HELD = 100, 60, 4 * 10**9, 0.9


def _states(host):
    return [node['State'] for node in (interfaces.get(bus.AGENT + '.Node') for interfaces in host.bus.objects.values())
            if node and not node['Self']]


def _meeting(lab, host, fresh):
    """Stops the agent, and with fresh avahi-daemon, whose memory would help, and starts it: seconds until it knows all others."""
    host.kill_agent(signal.SIGTERM)
    if fresh:
        host.stop_avahi()
    time.sleep(2)
    if fresh:
        host.start_avahi()
        host.wait_avahi()
    host.bus = bus.Bus(host.dir / 'session')
    begun = time.monotonic()
    host.start_agent(wait=False)
    while not host.bus.sync():
        need(time.monotonic() < begun + _PATIENCE_S, f'{host.name}: no agent on the bus')
        time.sleep(0.01)
    there = time.monotonic() - begun
    while len(_states(host)) < len(lab.hosts) - 1:
        need(time.monotonic() < begun + _PATIENCE_S, f'{host.name}: knows only {host.nodes()}')
        host.bus.pump(0.05)
    met = time.monotonic() - begun
    contestants.Agent.hang_up(host)
    return {'node': host.name, 'with_avahi': fresh, 'on_bus_s': round(there, 3), 'met_s': round(met, 3)}


def meet(scenario, sample):
    """All run, one is started: [figures of each time]."""
    with runner.make_lab(scenario, sample, f'meet{scenario.nodes}') as lab:
        runner.shape(lab, scenario)
        agents = contestants.Agent(lab, scenario)
        agents.prepare()
        for host in lab.hosts:
            agents.hang_up(host)
        found = []
        for fresh in (False, True):
            for turn in range(_MEETINGS // 2):
                found.append(_meeting(lab, lab.hosts[(2 * turn + fresh) % len(lab.hosts)], fresh))
        agents.clean()
    return found


def _resident(host):
    text = Path(f'/proc/{host.agent.pid}/status').read_text()
    return {key: int(re.search(rf'^{name}:\s+(\d+)', text, re.M)[1]) / 1000 * 1.024
            for key, name in (('peak_mb', 'VmHWM'), ('resident_mb', 'VmRSS'), ('anonymous_mb', 'RssAnon'))}


def _received(lab):
    return sum(counts[1] for port, counts in measure.parse_net_dev(Path('/proc/self/net/dev').read_text()).items()
               if port in {host.port for host in lab.hosts})


def _held(host):
    """Bytes of its transfer that it has."""
    host.bus = bus.Bus(host.dir / 'session')
    host.bus.sync()
    found = [transfer.info['BytesDone'] for transfer in host.transfers()]
    contestants.Agent.hang_up(host)
    return sum(found)


def _largest(hosts):
    seen = [_resident(host) for host in hosts]
    return {key: max(one[key] for one in seen) for key in seen[0]}


def _watch(lab):
    """Until enough has passed the links: seconds, bytes received, figures of the largest agent."""
    before, begun = _received(lab), time.monotonic()
    largest, moved, now = _largest(lab.hosts), 0, 0.0
    while now < _HUGE_S and moved < _HUGE_BYTES:
        time.sleep(1)
        need(all(host.agent.poll() is None for host in lab.hosts), f'exo-agent ended\n{lab.logs()}')
        largest = {key: max(value, largest[key]) for key, value in _largest(lab.hosts).items()}
        moved, now = _received(lab) - before, time.monotonic() - begun
    failed = [host.name for host in lab.hosts if re.search(r'@main: failed', host.log.read_text())]
    need(not failed and moved > _HUGE_BYTES / 10, f'{moved / 1e9:.2f} GB moved, failed on {failed}\n{lab.logs()}')
    return now, moved, largest


def huge(scenario, _sample):
    """Each node has nine tenths of the pieces of 100 GB, others than its neighbours, and pulls. [figures of the largest agent]"""
    root, name = sandbox.root() / 'samples' / 'huge', 'lab/huge'
    known = sparse.make(root, name, _GIGABYTES)
    with runner.make_lab(scenario, Sample(root, name), f'huge{scenario.nodes}') as lab:
        runner.shape(lab, scenario)
        for number, host in enumerate(lab.hosts):
            host.disk_limit(2 * _GIGABYTES * 10**9)
            sparse.prepare(host.cache, name, known, number, _HELD)
        agents = contestants.Agent(lab, scenario)
        agents.prepare()
        idle = _largest(lab.hosts)['resident_mb']
        for host in lab.hosts:
            agents.start(host)
        seconds, moved, largest = _watch(lab)
        held = _held(lab.hosts[0])
        need(held > _HELD / 2 * sum(known.values()), f'{held / 1e9:.1f} GB: the journals were not believed')
        for host in lab.hosts:
            host.kill_agent(signal.SIGKILL)
    return [{'seconds': round(seconds, 1), 'held_gb': round(held / 1e9, 1), 'moved_gb': round(moved / 1e9, 2),
             'pieces': sum(sparse.count(size) for size in known.values()), 'idle_mb': round(idle, 1),
             **{key: round(value, 1) for key, value in largest.items()}}]
