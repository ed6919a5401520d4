# SPDX-License-Identifier: Apache-2.0
"""What the README shows with its output, typed on three machines."""

import os
import subprocess

from cases import case, have, sample
from lab import SCALE, Lab, need, program
from readme import command


def _words(lab, start):
    """The command of the README, about the sample of this lab."""
    oid = lab.sample.oid(lab.sample.largest, 64)
    words = command(start).replace('lab/llama', lab.sample.name)
    for theirs in (word for word in words.replace('/', '"').replace(' ', '"').split('"') if len(word) == 64):
        words = words.replace(theirs, oid)
    return words.replace('55924054', str(lab.sample.files[lab.sample.largest]))


def _typed(host, words):
    folders = os.pathsep.join(dict.fromkeys(os.path.dirname(program(name)) for name in ('exo-agent', 'exoctl')))
    return ['sh', '-c', f'cd {host.dir}; PATH={folders}:$PATH; {words}']


def _type(lab, host, start, expected, then='', timeout=30):
    """Types it, and what may follow; what must be said."""
    words = _words(lab, start) + then
    done = subprocess.run(host.inside(_typed(host, words)), env=host.env(), stdin=subprocess.DEVNULL, text=True, errors='replace',
                          capture_output=True, timeout=timeout * SCALE, check=False)
    need(expected in done.stdout + done.stderr, f'{words}: exit {done.returncode}: {done.stdout}{done.stderr}')


def _while_it_transfers(lab):
    anna, ben = lab[1], lab[2]
    pulls = [host.spawn(_typed(host, _words(lab, start)), 'exoctl.log')
             for host, start in ((anna, 'exoctl pull lab/llama'), (ben, 'exoctl pull lab/llama | cat'))]
    lab.wait_for(lambda: anna.transfers() and anna.transfers()[0].info['BytesDone'] > lab.sample.bytes // 10, 30, 'a tenth of the model')
    _type(lab, anna, 'exoctl status', 'transferring')
    _type(lab, anna, 'exoctl nodes', 'this machine')
    _type(lab, anna, 'exoctl pause 1', 'transfer 1 paused')
    _type(lab, anna, 'exoctl resume 1', 'transfer 1 resumed')
    for host, pull in zip(lab.hosts, pulls):
        need(pull.wait(60 * SCALE) == 0, f'{host.name}: {(host.dir / "exoctl.log").read_text()}')
        need('complete, ' in (host.dir / 'exoctl.log').read_text(), (host.dir / 'exoctl.log').read_text())


def _later(lab):
    carol = lab[3]
    carol.write_config()
    carol.agent = carol.spawn(_typed(carol, 'exec ' + command('exo-agent --verbose')), 'agent.log')
    carol.wait_agent()
    lab.meet()
    _type(lab, carol, 'exoctl pull lab/llama | tail', 'from Hub 0 B, from neighbours')
    _type(lab, carol, 'exoctl pull lab/llama --include', 'transfer 2')
    lab.wait_for(lambda: len(carol.transfers()) == 2, 10, 'the second transfer')
    carol.transfers()[1].wait('complete')
    _type(lab, carol, 'exoctl models', lab.sample.name)
    _type(lab, carol, 'exoctl models verify', f'{len(lab.sample.files)} files verified')
    _type(lab, carol, 'exoctl cache', 'From neighbours')
    return carol


@case('readme')
def the_commands_of_the_readme_do_what_it_says():
    """Those of everyday use, of D-Bus and of debugging, as they stand but for the name of the model."""
    for name in ('busctl', 'gdbus', 'avahi-browse', 'curl', 'ss'):
        have(name)
    with Lab(nodes=3, wan='30mbit', lan='400mbit', name='readme', sample=sample('small'), agents=2) as lab:
        lab.meet()
        _while_it_transfers(lab)
        carol = _later(lab)
        for start, expected in (
                ('busctl', 't '), ('gdbus call --session --dest org.exo.Agent1 --object-path /org/exo/Agent1     --method', 'transfer/'),
                ('gdbus call --session --dest org.exo.Agent1 --object-path /org/exo/Agent1/transfer/2', "<'complete'>"),
                ('gdbus call --session --dest org.exo.Agent1 --object-path /org/exo/Agent1 --method', 'Error.Invalid: repository "a b"'),
                ('exoctl doctor', '[ok  ] mdns'), ('avahi-browse', lab[1].name), ('ss ', ':52418'),
                ('curl -s http://10.77.0.1:52418/v1/node', '{"v":1,'), ('curl -s -r 0-15', 'Content-Length: 16'),
                ('curl -s --max-time 3', '"have":"all"'),
                ('exoctl limits set', 'monthly-cap      500 GB')):
            _type(lab, carol, start, expected)
        _type(lab, carol, 'eval', lab.sample.oid(lab.sample.largest, 64),
              f'; curl -sfIL "$HF_ENDPOINT/{lab.sample.name}/resolve/main/{lab.sample.largest}"')
        watching = carol.spawn(_typed(carol, 'exec ' + command('gdbus monitor')), 'monitor.log')
        lab.wait_for(lambda: 'is owned by' in (carol.dir / 'monitor.log').read_text(), 10, 'gdbus monitor')
        _type(lab, carol, 'exoctl models rm lab/llama', 'removed')
        watching.terminate()
        watching.wait()
        need(not list(carol.cache.glob('models--*')), 'the model is still there')
