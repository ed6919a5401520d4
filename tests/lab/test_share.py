# SPDX-License-Identifier: Apache-2.0
"""Every byte crosses the internet link once, and the caches are what other tools expect."""

import json
import os
import shutil
import subprocess
import time

from cases import MIB, Skip, case, sample
from lab import BUILD, CONGESTION, PORT, TREE, Lab, need, run


def pull_all(lab, hosts, model, timeout=60):
    """All at once, to the end; seconds."""
    start = time.monotonic()
    pulls = [host.pull(model) for host in hosts]
    for pull in pulls:
        pull.wait('complete', timeout)
    return time.monotonic() - start


def hub_ratio(lab, most=None):
    """File bytes the Hub sent by model bytes; fails above most: 1.02, or 1 MiB twice where that is more than 2 %."""
    stats = lab.hub.stats()
    most = most or max(1.02, 1 + MIB / lab.sample.bytes)
    ratio = stats['bytes'] / lab.sample.bytes
    worst = sorted(stats['paths'].items(), key=lambda entry: entry[1]['first_bytes'] - entry[1]['bytes'])[:3]
    need(ratio <= most, f'the Hub sent {ratio:.4f} times the model; most waste: {worst}\n{lab.logs()}')
    return ratio


def verify_all(lab, hosts):
    for host in hosts:
        host.verify_cache(lab.sample)


@case('share')
def four_cold_nodes_cost_one_download():
    """exoctl pull on four machines at the same moment: one copy over the internet link, few requests."""
    with Lab(nodes=4, wan='200mbit', lan='400mbit', name='cold', sample=sample('big')) as lab:
        lab.meet()
        lab.hub.reset()
        before = lab.hub.wire()[0]
        start = time.monotonic()
        pulls = [host.exoctl_start('pull', lab.sample.name) for host in lab.hosts]
        lab.wait_for(lambda: all(pull.poll() is not None for pull in pulls), 90, 'exoctl pull on all nodes')
        seconds = time.monotonic() - start
        need(not any(pull.returncode for pull in pulls), f'exoctl: {[pull.returncode for pull in pulls]}\n{lab.logs()}')
        wire = (lab.hub.wire()[0] - before) / lab.sample.bytes
        ratio, requests = hub_ratio(lab, 1.01), lab.hub.stats()['requests']
        n_files = len(lab.sample.files)
        need(requests['api'] <= 3 * len(lab.hosts), f'{requests["api"]} API calls')
        need(requests['resolve'] < n_files * len(lab.hosts), f'{requests["resolve"]} resolve calls')
        verify_all(lab, lab.hosts)
        limit = lab.sample.bytes * 8 / 200e6
        return (f'hub={ratio:.4f} wire={wire:.4f} time={seconds:.1f}s link-limit={limit:.1f}s requests={json.dumps(requests)}'
                f' files={n_files} congestion={lab.congestion()}')


@case('share')
def a_cache_is_one_that_hub_clients_understand():
    """The stock client's scan finds the right sizes and no warning; the tree is the documented one."""
    with Lab(nodes=2, wan='400mbit', lan='400mbit', name='cache', sample=sample('small')) as lab:
        lab.meet()
        pull_all(lab, lab.hosts, lab.sample.name)
        verify_all(lab, lab.hosts)
        script = TREE / 'tests' / 'hub' / 'scan-cache.mjs'
        if not script.exists() or not shutil.which('node'):
            raise Skip('the tree was compared; node or scan-cache.mjs is missing')
        modules = BUILD / 'tests' / 'hub' / 'node'  # where the suite "hub" installed the stock client
        if not (modules / 'node_modules').exists():
            raise Skip('the tree was compared; @huggingface/hub is not installed')
        scanned = run('node', script, lab[2].cache, check=False, cwd=modules)
        need(scanned.returncode == 0, f'scan-cache.mjs: {scanned.stdout}{scanned.stderr}')
        found = json.loads(scanned.stdout)
        need(not found['warnings'], f'warnings: {found["warnings"]}')
        sizes = {file['path']: file['size'] for file in found['repos'][0]['revisions'][0]['files']}
        top = {path: size for path, size in lab.sample.files.items() if '/' not in path}  # its scan enters no folders
        need(len(found['repos']) == 1 and sizes == top, f'other files: {found}')
        return 'tree and scanCacheDir agree'


@case('share')
def a_filter_fetches_only_what_it_names():
    """--include and --exclude: only those files are fetched and shown."""
    with Lab(nodes=2, wan='400mbit', lan='400mbit', name='filter', sample=sample('small')) as lab:
        lab.meet()
        lab[1].exoctl('pull', lab.sample.name, '--include', '*.json', '--exclude', 'tokenizer*')
        wanted = [path for path in lab.sample.files if path.endswith('.json') and not path.startswith('tokenizer')]
        lab[1].verify_cache(lab.sample, only=wanted)


@case('share')
def a_late_joiner_takes_nothing_from_the_hub():
    """A third machine that comes when two are complete fetches no file byte over the internet."""
    with Lab(nodes=3, wan='200mbit', lan='400mbit', name='late', sample=sample('medium')) as lab:
        lab.meet()
        pull_all(lab, lab.hosts[:2], lab.sample.name)
        first = hub_ratio(lab)
        lab.hub.reset()
        seconds = pull_all(lab, lab.hosts[2:], lab.sample.name)
        sent = lab.hub.stats()['bytes']
        need(sent == 0, f'the Hub sent {sent} bytes to the late joiner')
        verify_all(lab, lab.hosts)
        return f'first={first:.4f} late-bytes={sent} late-time={seconds:.1f}s'


def _give_own_line(lab, host, rate):
    """A way of its own to the Hub, past the switch and the link that all share."""
    pid, hub = str(host.holder.pid), str(lab.hub.holder.pid)
    run('ip', 'link', 'add', 'own', 'netns', pid, 'type', 'veth', 'peer', 'name', 'own', 'netns', hub)
    for machine, address in ((host, '10.79.0.1'), (lab.hub, '10.79.0.2')):
        machine.sh(f'ip addr add {address}/24 dev own\nip link set own up\n'
                   f'tc qdisc add dev own root tbf rate {rate} burst 128kb latency 30ms\n'
                   f'ip route replace 10.79.0.0/24 dev own src {address} congctl {CONGESTION}')
    host.sh('\n'.join(f'ip route add {target}/32 via 10.79.0.2 dev own src 10.79.0.1 congctl {CONGESTION}'
                      for target in ('10.77.0.250', '10.77.0.251')))


def _pull_over_a_slow_lan(lab):
    """The third machine knows its line to the Hub, is late, and its LAN is ten times slower. What it fetched from the Hub
    by what it lacked, and the seconds it took by those the LAN alone would have taken."""
    lab.meet()
    slow, first = lab[3], lab.sample.largest
    left = lab.sample.bytes - lab.sample.files[first]
    _give_own_line(lab, slow, '160mbit')
    time.sleep(1)  # the agent measures anew where its network changed
    slow.exoctl('pull', lab.sample.name, '--include', first)
    pull_all(lab, lab.hosts[:2], lab.sample.name)
    hub_ratio(lab)
    slow.set_rate('16mbit')
    lab.hub.reset()
    alone = left * 8 / 16e6
    seconds = pull_all(lab, [slow], lab.sample.name, 2 * alone + 20)
    verify_all(lab, lab.hosts)
    return lab.hub.stats()['bytes'] / left, seconds / alone


@case('share')
def a_far_faster_line_to_the_hub_is_used_past_a_slow_lan():
    """LAN 16 Mbit/s, own line 160 Mbit/s: what neighbours have comes from the Hub, too, in a third of the LAN's time."""
    with Lab(nodes=3, wan='200mbit', lan='400mbit', name='detour', sample=sample('big')) as lab:
        part, seconds = _pull_over_a_slow_lan(lab)
        need(0.4 < part <= 1 and seconds < 0.35, f'{part:.2f} from the Hub, {seconds:.2f} of the time\n{lab.logs()}')
        return f'hub-part={part:.2f} of-lan-time={seconds:.2f}'


@case('share')
def a_metered_line_is_spared_however_slow_the_lan():
    """The same with metered=yes: what neighbours have is left to them, but for small files of which they could not tell in time."""
    with Lab(nodes=3, wan='200mbit', lan='400mbit', name='metered', sample=sample('medium'),
             config={'hub': {'metered': 'yes'}}) as lab:
        part, seconds = _pull_over_a_slow_lan(lab)
        need(part < 0.02, f'{part:.2f} from the Hub\n{lab.logs()}')
        return f'hub-part={part:.2f} of-lan-time={seconds:.2f}'


@case('share')
def the_node_card_names_addresses_and_link_speeds():
    """GET /v1/node of a neighbour: its address, with a speed of 0, because a veth has no card to ask."""
    with Lab(nodes=2, name='card') as lab:
        lab.meet()
        card = json.loads(lab[2].sh(f'curl -sf -m 5 http://{lab[1].address}:{PORT}/v1/node'))
        need([f'{lab[1].address}:{PORT}', 0] in card['addresses'], f'the card: {card}')


@case('share')
def a_slow_machine_leaves_the_hub_to_the_others():
    """One of three behind 16 Mbit/s, Hub included: it measures that, says so, and claims no more; the others are not held back."""
    with Lab(nodes=3, wan='100mbit', lan='400mbit', name='slow', sample=sample('big')) as lab:
        lab.meet()
        lab[3].set_rate('16mbit')
        start = time.monotonic()
        pulls = [host.pull(lab.sample.name) for host in lab.hosts]
        for pull in pulls[:2]:
            pull.wait('complete', 60)
        seconds = time.monotonic() - start
        part = pulls[2].info['BytesFromHub'] / lab.sample.bytes
        need(part < 0.027, f'it fetched {part:.3f} of the model from the Hub\n{lab.logs()}')
        ratio = hub_ratio(lab)
        return f'hub={ratio:.4f} of-the-slow={part:.3f} time-of-others={seconds:.1f}s'


@case('share')
def without_the_hub_neighbours_suffice():
    """With the Hub gone a late joiner completes from neighbours, marked unverified until the Hub is back."""
    with Lab(nodes=3, wan='200mbit', lan='400mbit', name='gone', sample=sample('small')) as lab:
        lab.meet()
        pull_all(lab, lab.hosts[:2], lab.sample.name)
        lab.hub.down()
        pull = lab[3].pull(lab.sample.name)
        info = pull.wait('complete', 90)
        need(info['Unverified'], 'not marked unverified')
        verify_all(lab, lab.hosts)
        lab.hub.up()
        lab.wait_for(lambda: not pull.info['Unverified'], 120, 'Unverified cleared after the Hub came back')


@case('share')
def static_peers_need_no_multicast():
    """Without avahi-daemon, peers named in the configuration share as well."""
    peers = ';'.join(f'10.77.0.{number}:52418' for number in (1, 2, 3))
    with Lab(nodes=3, wan='200mbit', lan='400mbit', name='static', sample=sample('medium'), mdns=False,
             config={'lan': {'mdns': 'false', 'peers': peers}}) as lab:
        # A static neighbour has no name before it was talked to.
        lab.wait_for(lambda: all(len(host.nodes()) == 2 for host in lab.hosts), 20, 'two neighbours each')
        seconds = pull_all(lab, lab.hosts, lab.sample.name)
        ratio = hub_ratio(lab)
        verify_all(lab, lab.hosts)
        return f'hub={ratio:.4f} time={seconds:.1f}s'


@case('share')
def an_avahi_restart_is_survived():
    """After avahi-daemon was restarted the agent is announced again and finds who came meanwhile."""
    with Lab(nodes=3, wan='200mbit', lan='400mbit', name='restart', sample=sample('small'), agents=2) as lab:
        lab.meet()
        lab[2].stop_avahi()
        lab[3].start_agent()
        lab[2].start_avahi()
        lab[2].wait_avahi()
        lab.meet(40)
        pull_all(lab, lab.hosts, lab.sample.name)
        ratio = hub_ratio(lab)
        verify_all(lab, lab.hosts)
        return f'hub={ratio:.4f}'


@case('share')
def the_doctor_says_what_avahi_lacks():
    """No avahi-daemon, and one that may not publish: each is told, and all is well once it is mended."""
    with Lab(nodes=1, wan='200mbit', lan='400mbit', name='doctor', sample=sample('small')) as lab:
        def says(line):
            lab.wait_for(lambda: line in lab[1].exoctl('doctor', check=False).stdout, 15, f'the doctor says: {line}')

        says('[ok  ] mdns     Announced as')
        lab[1].stop_avahi()
        says('[fail] mdns     avahi-daemon does not answer: avahi-daemon ')
        lab[1].start_avahi('disable-publishing=yes')
        says('[warn] mdns     Not announced yet: avahi-daemon is configured not to publish')
        lab[1].stop_avahi()
        lab[1].start_avahi()
        says('[ok  ] mdns     Announced as')


@case('share')
def two_users_of_one_machine_do_not_disturb_each_other():
    """Own bus, folders and ports: both complete, one download; the death of one agent is nothing to the other."""
    with Lab(nodes=1, wan='200mbit', lan='400mbit', name='users', sample=sample('medium'), agents=0,
             config={'lan': {'loopback': 'true'}}) as lab:
        lab.add_user(lab[1], 'other').config['lan']['loopback'] = 'true'
        for host in lab.hosts:
            host.start_agent()
        lab.meet()
        pulls = [host.pull(lab.sample.name) for host in lab.hosts]
        pulls[0].wait_bytes(8 * MIB)
        lab[1].kill_agent()
        pulls[1].wait('complete')
        lab[1].start_agent()
        lab[1].transfers()[0].wait('complete')
        ratio = hub_ratio(lab, 1.05)
        verify_all(lab, lab.hosts)
        need(lab[1].cache != lab[2].cache and os.stat(lab[1].cache).st_ino != os.stat(lab[2].cache).st_ino, 'one cache')
        return f'hub={ratio:.4f}'


def _sleeps(pid):
    """How often the threads of a process went to sleep: each wake-up ends in one."""
    total = 0
    for task in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{task}/status', encoding='ascii') as status:
            total += sum(int(line.split()[1]) for line in status if line.startswith('voluntary_ctxt'))
    return total


@case('share')
def an_idle_agent_sleeps():
    """With neighbours present and a model complete: no wake-up in 10 s, less than 15 MB resident."""
    with Lab(nodes=3, wan='400mbit', lan='400mbit', name='idle', sample=sample('small')) as lab:
        lab.meet()
        pull_all(lab, lab.hosts, lab.sample.name)
        agent = lab[1].agent.pid
        last = [_sleeps(agent), time.monotonic()]

        def settled():
            now = _sleeps(agent)
            if now != last[0]:
                last[:] = now, time.monotonic()
            return time.monotonic() - last[1] >= 10

        start = time.monotonic()
        try:
            lab.wait_for(settled, 45, 'ten seconds without a wake-up')
        except AssertionError:
            if shutil.which('strace'):
                trace = subprocess.run(['timeout', '5', 'strace', '-f', '-tt', '-p', str(agent)], capture_output=True,
                                       text=True, check=False)
                print(trace.stderr[-2500:])
            raise
        rss = lab[1].status('VmRSS')
        need(rss < 15e6 or 'ASAN' in os.environ.get('EXO_LAB_KIND', ''), f'{rss / 1e6:.1f} MB resident')
        return f'settled={time.monotonic() - start - 10:.1f}s rss={rss / 1e6:.1f}MB threads={lab[1].status("Threads")}'
