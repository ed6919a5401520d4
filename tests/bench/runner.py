# SPDX-License-Identifier: Apache-2.0
"""One contestant in one scenario: from the first start to the last byte checked, and the figures of that."""

import os
import statistics
import time

from lab import Failure, Lab
from measure import Meter

_PATIENCE = 3  # times what one curl after the other would take, and a minute: longer is a failure
_BINS = 40


def events(scenario, size):
    """[(seconds, 'start' or 'kill', index of the node)], in order."""
    found = [(scenario.delay(index, size), 'start', index) for index in scenario.receivers]
    for index, death, back in scenario.deaths(size):
        found += [(death, 'kill', index), (back, 'start', index)]
    return sorted(found)


def make_lab(scenario, sample, name):
    return Lab(nodes=scenario.nodes, wan=f'{scenario.wan or 10**10}bit', lan=f'{scenario.lan or 10**10}bit', name=name,
               sample=sample, agents=0)


def shape(lab, scenario):
    for index, host in enumerate(lab.hosts):
        rate = scenario.rate(index)
        if not rate:
            host.unshape()
        elif rate != scenario.lan:
            host.rate = f'{rate}bit'
            host.set_rate(host.rate)
    if not scenario.wan:
        lab.hub.unshape()


def _play(lab, contestant, plan, limit, give_up=None):
    """Carries the plan out until all are done, or for give_up seconds.

    When it began, {host: its start}, {host: its end or None}."""
    begun, starts = time.monotonic(), {}
    left, running = list(plan), set()
    hosts = {lab.hosts[index] for _, _, index in plan}
    while left or any(contestant.done(host) is None for host in running) or running != hosts:
        now = time.monotonic() - begun
        if give_up and now > give_up:
            break
        if now > limit:
            raise Failure(f'{contestant.name}: not done within {limit:.0f} s\n{lab.logs()}')
        while left and left[0][0] <= now:
            _, what, index = left.pop(0)
            host = lab.hosts[index]
            if what == 'kill':
                if contestant.done(host) is None:
                    contestant.kill(host)
            elif contestant.done(host) is None:
                starts.setdefault(host, time.monotonic())
                contestant.start(host)
                running.add(host)
        contestant.tick()
        lab.pump(0.01)
    return begun, starts, {host: contestant.done(host) for host in hosts}


def summary(times, judged):
    """First, median and last of {name: seconds}, those that are judged."""
    values = sorted(seconds for name, seconds in times.items() if name in judged)
    return {'first': values[0], 'median': statistics.median(values), 'last': values[-1]}


def run_case(lab, scenario, kind, only=None, give_up=None):
    """Figures of one run; only: how many of the receivers take part; give_up: seconds after which it is stopped, which is
    then the time of all that are not done."""
    size, contestant = lab.sample.bytes, kind(lab, scenario)
    plan = events(scenario, size)
    plan = [event for event in plan if event[2] in scenario.receivers[:only]]
    meter = Meter(lab.hosts, lab.hub, contestant.pids)
    try:
        contestant.prepare()
        lab.hub.up()
        stats_before = lab.hub.stats()['bytes']
        if scenario.seeded:
            lab.hub.down()
        if scenario.name == 'pair-on-disk':
            os.sync()  # what the one before left to be written is not this one's
        meter.start()
        try:
            limit = 60 + _PATIENCE * scenario.nodes * scenario.ideal(size)
            begun, starts, ends = _play(lab, contestant, plan, limit, give_up)
        finally:
            meter.stop()
        lab.hub.up()
        sent = lab.hub.stats()['bytes'] - stats_before + contestant.sent()
        for host in ends:
            if ends[host]:
                contestant.verify(host)
    finally:
        contestant.clean()
    return _figures(lab, scenario, contestant, meter, begun, starts, ends, sent)


def _moved(lab, scenario, meter, ends):
    """Bytes that nodes received: of those that are done what they wanted, of others what their link says."""
    return sum(sum(lab.sample.files[path] for path in scenario.wanted(lab.hosts.index(host), lab.sample.files))
               if end else meter.received(host) for host, end in ends.items())


def behind(scenario, size, index, seconds):
    """By how much a node took longer than its own link, or the one to the Hub, would take for the model."""
    rates = [rate for rate in (scenario.rate(index), 0 if scenario.seeded else scenario.wan) if rate]
    return seconds / (size * 8 / min(rates)) if rates else 0.0


def _figures(lab, scenario, contestant, meter, begun, starts, ends, sent):
    indices = {host: lab.hosts.index(host) for host in ends}
    times = {host.name: (end or begun + meter.seconds) - begun for host, end in ends.items()}
    judged = {host.name for host, index in indices.items() if index not in scenario.stragglers}
    firsts = [first for first in (meter.first_byte(host, starts[host]) for host in ends if host in starts) if first is not None]
    slowest = max(behind(scenario, lab.sample.bytes, index, times[host.name])
                 for host, index in indices.items() if host.name in judged)
    moved = max(1, _moved(lab, scenario, meter, ends))
    width = max(0.1, meter.seconds / _BINS)
    return {**{key: round(value, 3) for key, value in summary(times, judged).items()},
            'stopped': any(end is None for host, end in ends.items() if host.name in judged), 'behind': round(slowest, 3),
            'hub_copies': round(sent / lab.sample.bytes, 4), 'cpu_s_per_gb': round(meter.cpu / (moved / 1e9), 3),
            'peak_mb': round(meter.peak / 1e6, 1), 'anonymous_mb': round(meter.anonymous / 1e6, 1),
            'first_byte_s': round(max(firsts, default=0), 3), 'first_byte_median_s': round(statistics.median(firsts or [0]), 3),
            'busy': round(meter.busy, 3), 'others': round(meter.others, 3),
            'met_s': round(getattr(contestant, 'met_s', 0), 2),
            'nodes': {name: round(seconds, 3) for name, seconds in times.items()},
            'bin_s': round(width, 3), 'timeline': meter.timeline(width)}
