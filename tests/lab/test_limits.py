# SPDX-License-Identifier: Apache-2.0
"""What a user allows holds, and neighbours make up for it."""

import json
import time

from cases import MIB, case, sample
from lab import Lab, need, run
from test_share import hub_ratio, verify_all

MB = 1000000


def _limit(host, *settings):
    """exoctl limits set; what is in force then."""
    return host.exoctl('limits', 'set', *settings, '--json').data[0]


def _state(host):
    return host.exoctl('limits', '--json').data[0]


def _bytes_in(seconds, count):
    """How much count() grows by in that time; bytes/s."""
    start, before = time.monotonic(), count()
    time.sleep(seconds)
    return (count() - before) / (time.monotonic() - start)


def _sent(host):
    """Bytes that left its network card, headers included."""
    return json.loads(run(*host.inside(['ip', '-s', '-j', 'link', 'show', 'eth0'])).stdout)[0]['stats64']['tx']['bytes']


def _zone(hour, minute, second):
    """A TZ in which it is that time now."""
    west = int(time.time()) % 86400 - ((hour * 60 + minute) * 60 + second)
    sign, west = '-' if west < 0 else '', abs(west)
    return f'LAB{sign}{west // 3600:02}:{west // 60 % 60:02}:{west % 60:02}'


@case('limits')
def the_hub_rate_holds_and_changes_at_once():
    """8 MB/s over several connections for 6 s, then 4 MB/s, then none; a neighbour that fetches it all the while is not held back."""
    with Lab(nodes=2, wan='400mbit', lan='400mbit', name='rate', sample=sample('big'), agents=1) as lab:
        _limit(lab[1], 'hub-rate=8MB/s')
        pull = lab[1].pull(lab.sample.name)
        pull.wait_bytes(4 * MIB)
        rates = [_bytes_in(6, lambda: lab.hub.stats()['bytes']) / MB]
        _limit(lab[1], 'hub-rate=4MB/s')
        time.sleep(0.5)
        rates.append(_bytes_in(6, lambda: lab.hub.stats()['bytes']) / MB)
        need(7.2 < rates[0] < 8.6 and 3.6 < rates[1] < 4.4, f'{rates} MB/s')
        start = time.monotonic()
        _limit(lab[1], 'hub-rate=off')
        pull.wait('complete', 60)
        rest = time.monotonic() - start
        need(rest < 15, f'{rest:.1f} s for the rest')
        _limit(lab[1], 'hub-rate=100kB/s')
        _limit(lab[1], 'lan-upload-rate=off')
        lab[2].start_agent()
        lab.meet()
        _limit(lab[2], 'hub-rate=100kB/s')
        start = time.monotonic()
        lab[2].pull(lab.sample.name).wait('complete', 60)
        lan = time.monotonic() - start
        need(lan < 15, f'{lan:.1f} s from the neighbour')
        verify_all(lab, lab.hosts)
        return f'MB/s={rates[0]:.2f} {rates[1]:.2f} lan-time={lan:.1f}s hub={hub_ratio(lab):.4f}'


@case('limits')
def the_upload_rate_holds_for_several_neighbours():
    """8 MB/s to three neighbours together, of pieces of 1 MiB and less; they trade the rest."""
    with Lab(nodes=4, wan='400mbit', lan='400mbit', name='upload', sample=sample('big'), agents=1) as lab:
        lab[1].pull(lab.sample.name).wait('complete', 60)
        _limit(lab[1], 'lan-upload-rate=8MB/s')
        lab.hub.down()
        for host in lab.hosts[1:]:
            host.start_agent()
        lab.meet()
        pulls = [host.pull(lab.sample.name) for host in lab.hosts[1:]]
        lab.wait_for(lambda: sum(pull.info.get('BytesDone', 0) for pull in pulls) > 4 * MIB, 30, 'a start')
        rate = _bytes_in(8, lambda: _sent(lab[1])) / MB
        need(7.0 < rate < 8.8, f'{rate:.2f} MB/s with headers')
        _limit(lab[1], 'lan-upload-rate=off')
        start = time.monotonic()
        for pull in pulls:
            pull.wait('complete', 60)
        rest = time.monotonic() - start
        need(rest < 20, f'{rest:.1f} s for the rest')
        verify_all(lab, lab.hosts)
        return f'MB/s={rate:.2f} rest={rest:.1f}s'


@case('limits')
def a_monthly_cap_stops_the_hub_but_no_neighbour():
    """Stops at the cap, also after kill -9; a warning each at 80 % and 100 %; raised it goes on; the rest comes from a neighbour."""
    with Lab(nodes=2, wan='80mbit', lan='400mbit', name='cap', sample=sample('small'), agents=1) as lab:
        warned = lab[1].exoctl_start('watch', '--json', log='watch.log')
        _limit(lab[1], 'monthly-cap=5MB')
        pull = lab[1].pull(lab.sample.name)
        lab.wait_for(lambda: lab[1].properties()['HubWait'] == 'cap', 30, 'the cap')
        lab.wait_for(lambda: 'limit of 5.0' in pull.info.get('ErrorMessage', ''), 20, 'a reason')
        first = lab.hub.stats()['bytes']
        need(5 * MB <= first < 5 * MB + 2 * MIB, f'{first} bytes')
        need(pull.state == 'transferring', pull.state)
        watched = (lab[1].dir / 'watch.log').read_text()
        need(watched.count('"kind":"limit"') in (1, 2) and 'is reached' in watched, watched)
        warned.terminate()

        lab[1].restart()
        state = _state(lab[1])
        need(state['hub_wait'] == 'cap' and state['hub_bytes_this_month'] >= 5 * MB, f'{state}')
        time.sleep(1)
        need(lab.hub.stats()['bytes'] == first, 'the Hub was asked after a restart')

        _limit(lab[1], 'monthly-cap=8MB')
        lab.wait_for(lambda: lab.hub.stats()['bytes'] > first, 20, 'more')
        lab.wait_for(lambda: lab[1].properties()['HubWait'] == 'cap', 30, 'the cap again')
        lab[2].start_agent()
        lab.meet()
        _limit(lab[2], 'hub-rate=2MB/s')  # so that there is time to look
        other = lab[2].pull(lab.sample.name)
        lab.wait_for(lambda: not _seen_hub(lab[2], 'node1'), 10, 'a neighbour that knows')
        need(other.state != 'complete', 'too late to tell')
        _limit(lab[2], 'hub-rate=off')
        mine = lab[1].transfers()[0]
        other.wait('complete')
        mine.wait('complete')
        own = _state(lab[1])['hub_bytes_this_month']
        need(own < 8 * MB + 2 * MIB, f'{own} bytes')
        verify_all(lab, lab.hosts)
        return f'first={first / MB:.2f}MB own={own / MB:.2f}MB hub={hub_ratio(lab, 1.3):.4f}'


def _seen_hub(host, name):
    """What the neighbour of that name says of the Hub, as this host shows it."""
    return next(node['hub_reachable'] for node in host.exoctl('nodes', '--json').data if node['name'] == name)


@case('limits')
def outside_its_hours_the_hub_is_left_alone():
    """Before 22:00 it waits and says so; when the clock on the wall says 22:00 it goes on."""
    with Lab(nodes=1, wan='200mbit', lan='400mbit', name='hours', sample=sample('small'), agents=0) as lab:
        lab[1].extra_env['TZ'] = _zone(21, 59, 45)
        lab[1].config['limits'] = {'hub-hours': '22:00-07:00'}
        begin = time.time() + 15
        lab[1].start_agent()
        pull = lab[1].pull(lab.sample.name)
        lab.wait_for(lambda: 'until 22:00' in pull.info.get('ErrorMessage', ''), 14, 'a reason')
        need(lab.hub.stats()['bytes'] == 0, 'the Hub was asked for files')
        pull.wait('complete', 60)
        need(time.time() >= begin - 1.5, 'too early')
        verify_all(lab, lab.hosts)
        return f'done={time.time() - begin:.1f}s after the hour'


@case('limits')
def who_may_have_little_leaves_the_hub_to_others():
    """200 kB/s of 100 Mbit/s: hardly anything is fetched by that one, and the others are not held back."""
    with Lab(nodes=3, wan='100mbit', lan='400mbit', name='little', sample=sample('big')) as lab:
        lab.meet()
        _limit(lab[3], 'hub-rate=200kB/s')
        start = time.monotonic()
        pulls = [host.pull(lab.sample.name) for host in lab.hosts]
        for pull in pulls:
            pull.wait('complete', 90)
        seconds = time.monotonic() - start
        part = pulls[2].info['BytesFromHub'] / lab.sample.bytes
        ratio = hub_ratio(lab)
        need(part < 0.02 and seconds < 30, f'{part:.4f} of the model, {seconds:.1f} s\n{lab.logs()}')
        return f'hub={ratio:.4f} of-the-little={part:.4f} time={seconds:.1f}s'


def _connections(host, address):
    return len(run(*host.inside(['ss', '-Htn', 'state', 'established', 'dst', address])).stdout.splitlines())


@case('limits')
def no_more_connections_than_allowed():
    """One at a time to the CDN while a machine alone has several otherwise."""
    most = []
    for limit in ('1', 'off'):
        with Lab(nodes=1, wan='80mbit', lan='400mbit', name='connections', sample=sample('small')) as lab:
            _limit(lab[1], f'hub-connections={limit}')
            pull = lab[1].pull(lab.sample.name)
            most.append(0)
            while pull.state != 'complete':
                most[-1] = max(most[-1], _connections(lab[1], '10.77.0.251'))
                lab.pump(0.05)
            verify_all(lab, lab.hosts)
    need(most[0] == 1 and most[1] > 1, f'{most} at once')
    return f'at-once={most[0]} {most[1]}'
