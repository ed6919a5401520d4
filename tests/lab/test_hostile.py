# SPDX-License-Identifier: Apache-2.0
"""Neighbours and users that err or mean no good."""

import os
import shutil
import subprocess

import sandbox
from bus import Avahi
from cases import Skip, case, sample
from lab import HERE, PORT, Lab, need, run
from test_share import hub_ratio, pull_all, verify_all


def _liar():
    library = sandbox.root() / 'liar.so'
    compiler = shutil.which('cc') or shutil.which('gcc') or shutil.which('clang')
    if not compiler:
        raise Skip('no C compiler')
    if not library.exists():
        run(compiler, '-D_GNU_SOURCE', '-O1', '-shared', '-fPIC', '-o', library, HERE / 'liar.c')
    return library


@case('hostile')
def a_neighbour_with_wrong_bytes_is_shunned():
    """One agent flips bits in all it serves: the others finish right, shun it, and a Warning names it."""
    with Lab(nodes=4, wan='200mbit', lan='400mbit', name='liar', sample=sample('medium'), agents=0) as lab:
        liar, honest = lab[1], lab.hosts[1:]
        liar.extra_env = {'LD_PRELOAD': str(_liar())}
        if 'asan' in os.environ.get('EXO_LAB_KIND', ''):
            raise Skip('the shim and the sanitizer do not mix')
        for host in lab.hosts:
            host.start_agent()
        lab.meet()
        pull_all(lab, [liar], lab.sample.name)
        lab.hub.reset()
        seconds = pull_all(lab, honest, lab.sample.name, 90)
        verify_all(lab, honest)
        ratio = lab.hub.stats()['bytes'] / lab.sample.bytes
        shunned = [host.name for host in honest if host.nodes().get(liar.name) == 'shunned']
        warned = [host.name for host in honest if any(liar.name in text for _, text in host.bus.warnings)]
        need(warned, f'no Warning names {liar.name}: {[host.bus.warnings for host in honest]}\n{lab.logs()}')
        need(shunned, f'nobody shuns {liar.name}: {[host.nodes() for host in honest]}')
        innocent = [(host.name, name) for host in honest for name, state in host.nodes().items()
                    if state == 'shunned' and name != liar.name]
        need(not innocent, f'shunned without guilt: {innocent}')
        return f'hub={ratio:.4f} time={seconds:.1f}s shunned-by={len(shunned)} warned={len(warned)}'


_REFUSED = [  # words after "exoctl pull"
    ['../x'], ['a/b/c'], ['a//b'], ['/a/b'], ['a/..'], ['./b'], ['a/b\x01'], ['a/b\n'], ['a/' + 'b' * 97], ['a/b.git'],
    ['a/b--c'], ['-a/b'], ['a/-b'], [''], ['/'], ['a/'], ['/b'], ['a b/c'], ['a/b?x'], ['a/b%2e'], ['ä/b'],
    ['a/b@'], ['a/b@../main'], ['a/b@ma\x02in'], ['a/b@' + 'x' * 300], ['a/b@/main'], ['a/b@a//b'],
    ['a/b', '--include', '../*'], ['a/b', '--include', '/etc/*'], ['a/b', '--include', 'x\x1b'], ['a/b', '--exclude', 'y' * 5000],
    ['a/b', '--include', ''], ['a/b', '--type', 'kitchen'], ['a/b', '--nonsense'], ['a/b', 'c/d'], [],
]


@case('hostile')
def bad_names_are_refused_with_a_reason():
    """Names, revisions and globs that cannot be: exit code 2 and a message; an unknown model: 4."""
    with Lab(nodes=1, name='names', sample=sample('small'), wan='400mbit') as lab:
        for words in _REFUSED:
            done = lab[1].exoctl('pull', *words, check=False)
            need(done.returncode == 2, f'exoctl pull {words!r}: exit {done.returncode}: {done.stderr}{done.stdout}')
            need(len(done.stderr.strip()) > 10, f'exoctl pull {words!r} says nothing')
            need(not any(ord(letter) < 32 and letter != '\n' for letter in done.stderr), f'{words!r}: raw control characters')
        need(not lab[1].transfers(), 'a refused pull left a transfer')
        for words, codes in ((['lab/unknown'], (4, 5)), ([lab.sample.name + '@unknown'], (4,)),
                             ([lab.sample.name, '--include', 'no-such-file-*'], (4, 2))):
            done = lab[1].exoctl('pull', *words, check=False)
            need(done.returncode in codes, f'exoctl pull {words!r}: exit {done.returncode}: {done.stderr}')
            need(done.stderr.strip(), f'{words!r}: no message')
        lab.hub.down()
        done = lab[1].exoctl('pull', lab.sample.name, '--detach', check=False)
        need(done.returncode == 0, 'a pull without a Hub has to wait, not to fail at once')
        return f'refused={len(_REFUSED)}'


def _answers(lab, host):
    code = lab[2].sh(f'curl -s -o /dev/null -m 5 -w "%{{http_code}}" http://{host.address}:{PORT}/v1/node || true').strip()
    need(code == '200', f'{host.name} answers {code!r} to /v1/node\n{lab.logs()}')
    need(host.agent.poll() is None, f'{host.name}: the agent has ended')


@case('hostile')
def garbage_on_the_lan_port_changes_nothing():
    """Broken requests, impossible ranges, hostile bodies: the agent answers on, and serves a neighbour."""
    with Lab(nodes=3, wan='400mbit', lan='400mbit', name='garbage', sample=sample('small'), agents=2) as lab:
        lab.meet()
        pull_all(lab, [lab[1]], lab.sample.name)
        sent = run(*lab[3].inside(['python3', HERE / 'hostile.py', 'garbage', lab[1].address, PORT])).stdout.strip()
        _answers(lab, lab[1])
        pull_all(lab, [lab[2]], lab.sample.name)
        verify_all(lab, lab.hosts[:2])
        return f'requests={sent} hub={hub_ratio(lab):.4f}'


@case('hostile')
def a_neighbour_that_talks_nonsense_costs_nothing():
    """A fake peer, announced and static, answers garbage to everything: the others finish."""
    fake = '0123456789abcdef' * 2
    peers = f'10.77.0.3:{PORT}'
    with Lab(nodes=3, wan='200mbit', lan='400mbit', name='fake', sample=sample('small'), agents=0,
             config={'lan': {'peers': peers}}) as lab:
        lab[3].spawn(['python3', HERE / 'hostile.py', 'peer', PORT, fake], 'fake.log')
        avahi = Avahi(lab[3].dir / 'system')
        avahi.publish('fake', '_exo-agent._tcp', PORT, [b'v=1', b'id=' + fake.encode()])
        for host in lab.hosts[:2]:
            host.start_agent()
        lab.wait_for(lambda: all({'node1', 'node2'} - {host.name} <= set(host.nodes()) for host in lab.hosts[:2]), 20, 'two nodes')
        seconds = pull_all(lab, lab.hosts[:2], lab.sample.name, 60)
        verify_all(lab, lab.hosts[:2])
        ratio = hub_ratio(lab, 1.3)
        avahi.close()
        return f'hub={ratio:.4f} time={seconds:.1f}s'


@case('hostile')
def bad_records_are_no_neighbours():
    """Announcements without id, with odd ids, texts and ports: ignored; the real neighbours are found."""
    with Lab(nodes=3, wan='400mbit', lan='400mbit', name='records', sample=sample('small'), agents=0) as lab:
        avahi = Avahi(lab[3].dir / 'system')
        good = b'id=' + b'ab' * 16
        records = [[], [b'v=1'], [good], [b'v=2', good], [b'v=x', good], [b'v=1', b'id='], [b'v=1', b'id=' + b'a' * 31],
                   [b'v=1', b'id=' + b'A' * 32], [b'v=1', b'id=' + b'a' * 200], [b'v=1', b'id=../../etc/passwd'],
                   [b'v=1', b'id=\xff\xfe' + b'\0' * 30], [b'=', b'\0', b'x' * 255, b'v', b'id'], [b'v=1'] * 20 + [good]]
        for index, record in enumerate(records):
            avahi.publish(f'odd {index} \x1b[2J' if index % 2 else f'odd {index} ä', '_exo-agent._tcp', 1 + index * 5000, record)
        for host in lab.hosts[:2]:
            host.start_agent()
        lab.wait_for(lambda: all({'node1', 'node2'} - {host.name} <= set(host.nodes()) for host in lab.hosts[:2]), 20, 'two nodes')
        pull_all(lab, lab.hosts[:2], lab.sample.name)
        verify_all(lab, lab.hosts[:2])
        ratio = hub_ratio(lab)
        odd = len(lab[1].nodes()) - 1
        need(odd <= 2, f'neighbours from bad records: {lab[1].nodes()}')
        avahi.close()
        return f'records={len(records)} hub={ratio:.4f}'


@case('hostile')
def ten_thousand_connections_are_borne():
    """While they are held the agent works for its user; after they are gone it serves as before."""
    with Lab(nodes=3, wan='200mbit', lan='400mbit', name='crowd', sample=sample('small'), agents=2) as lab:
        lab.meet()
        crowd = lab[3].spawn(['python3', HERE / 'hostile.py', 'crowd', lab[1].address, PORT, 10000, 8], 'crowd.log',
                             stdout=subprocess.PIPE)
        lab[1].pull(lab.sample.name).wait('complete', 60)
        tried, up = crowd.communicate(timeout=120)[0].split()
        need(int(tried) >= 1000, f'only {tried} connections could be tried')
        _answers(lab, lab[1])
        pull_all(lab, [lab[2]], lab.sample.name)
        verify_all(lab, lab.hosts[:2])
        return f'connections={tried.decode()} accepted={up.decode()} hub={hub_ratio(lab, 1.3):.4f}'
