# SPDX-License-Identifier: Apache-2.0
"""The lab itself: that its links are as slow, as cut and as chatty as the other tests believe."""

import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import unittest.mock
from pathlib import Path

import sandbox
from bus import AGENT, Avahi, Bus
from cases import MIB, case
from lab import CONGESTION, Failure, Lab, need

_SERVER = '''
import http.server, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 30))
        self.end_headers()
        block = bytes(1 << 18)
        try:
            for _ in range(1 << 12):
                self.wfile.write(block)
        except OSError:
            pass
    def log_message(self, *words):
        pass
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(("", 80), Handler).serve_forever()
'''


def _serve(machine):
    machine.spawn(['python3', '-c', _SERVER], 'server.log')
    machine.sh('for i in $(seq 100); do python3 -c \'import socket; socket.create_connection(("127.0.0.1", 80))\''
               ' 2>/dev/null && exit; sleep 0.1; done; exit 1')


def _fetch(host, server, seconds):
    return host.spawn(['curl', '-s', '-o', '/dev/null', '-m', seconds, '-w', '%{size_download} %{time_total}\n',
                       f'http://{server.address}/'], 'curl.log', stdout=subprocess.PIPE)


def _rate(child):
    size, seconds = child.communicate(timeout=60)[0].split()
    return int(size) * 8 / 1e6 / float(seconds)


@case('harness')
def links_run_at_their_rates():
    """Two hosts share the Hub's link; hosts among themselves run at their own rate."""
    with Lab(nodes=3, wan='100mbit', lan='400mbit', name='rates', agents=0, mdns=False) as lab:
        _serve(lab.hub)
        _serve(lab[3])
        lan = _rate(_fetch(lab[1], lab[3], 2))
        wan = [_rate(child) for child in [_fetch(lab[1], lab.hub, 3), _fetch(lab[2], lab.hub, 3)]]
        ran = lab.congestion()
        need(320 < lan <= 410, f'LAN at {lan:.0f} Mbit/s instead of 400')
        need(80 < sum(wan) <= 106, f'WAN at {sum(wan):.0f} Mbit/s instead of 100')
        need(ran == CONGESTION, f'congestion control is {ran}')
        return f'lan={lan:.0f}Mbit/s wan={sum(wan):.0f}Mbit/s congestion={ran}'


@case('harness')
def a_cut_link_is_silent_until_restored():
    """Nothing passes a cut link; the same connection goes on after it is restored."""
    with Lab(nodes=2, lan='400mbit', name='cut', agents=0, mdns=False) as lab:
        _serve(lab[2])
        child = _fetch(lab[1], lab[2], 4)
        lab.wait_for(lambda: lab[2].wire()[0] > 2 * MIB, 5, 'traffic')
        lab[2].cut_link()
        time.sleep(0.1)  # what was queued drains
        before = lab[2].wire()[0]
        need(lab[1].sh(f'curl -s -m 0.5 http://{lab[2].address}/ || echo $?').strip() == '28', 'the cut link is not cut')
        need(lab[2].wire()[0] - before < 4096, 'bytes passed a cut link')
        lab[2].restore_link()
        lab.wait_for(lambda: lab[2].wire()[0] > before + 2 * MIB, 8, 'traffic after the cut')
        child.wait()


@case('harness')
def every_avahi_sees_every_other():
    """A service published on each host is resolved on all."""
    with Lab(nodes=3, name='avahi', agents=0) as lab:
        start = time.monotonic()
        clients = [Avahi(host.dir / 'system') for host in lab.hosts]
        for host, client in zip(lab.hosts, clients):
            client.browse('_exo-lab._tcp')
            client.publish(host.name, '_exo-lab._tcp', 4711)
        names = {host.name for host in lab.hosts}
        lab.wait_for(lambda: all(client.names() == names for client in clients), 20, 'all services')
        took = time.monotonic() - start
        for client in clients:
            client.close()
        return f'found={took:.1f}s'


class _Late:
    """A socket that is read only after something was done, so that what that brings comes in the same piece as the rest."""

    def __init__(self, socket, do):
        self.socket, self.do = socket, do

    def __getattr__(self, name):
        return getattr(self.socket, name)

    def recv(self, size):
        self.do()
        self.do = lambda: None
        time.sleep(0.2)
        return self.socket.recv(size)


def _ask_bus(client, member, signature='', *values):
    return client.call('/org/freedesktop/DBus', 'org.freedesktop.DBus', member, signature, *values, to='org.freedesktop.DBus')


@case('harness')
def a_signal_that_came_along_with_an_answer_is_heard():
    """Though nothing comes after it: what is waited for was read together with the answer to the call before."""
    with Lab(nodes=1, name='heard', agents=0, mdns=False) as lab:
        other = Bus(lab[1].dir / 'session')
        client = lab[1].bus = Bus(lab[1].dir / 'session')
        client.socket = _Late(client.socket, lambda: _ask_bus(other, 'RequestName', 'su', AGENT, 0))
        _ask_bus(client, 'GetId')
        lab.wait_for(lambda: client.owner, 1, 'the signal behind the answer')
        other.close()


@case('harness')
def a_dead_machine_is_dead():
    """After kill_machine no process of it is left and its address does not answer."""
    with Lab(nodes=2, name='dead', agents=0) as lab:
        _serve(lab[2])
        lab[2].kill_machine()
        need(not list(lab[2].processes()), 'processes survived')
        need('28' in lab[1].sh(f'curl -s -m 1 http://{lab[2].address}/ || echo $?'), 'it answers')


@case('harness')
def a_limited_disk_is_full_and_grows():
    """The cache of one host is a small file system that can be made larger."""
    with Lab(nodes=1, name='disk', agents=0, mdns=False) as lab:
        lab[1].disk_limit(MIB)
        fill = f'dd if=/dev/zero of={lab[1].dir}/cache/x bs=1M count=2 2>/dev/null && echo fits || echo full'
        need(lab[1].sh(fill).strip() == 'full', 'two MiB fit into one')
        lab[1].disk_limit(4 * MIB)
        need(lab[1].sh(fill).strip() == 'fits', 'two MiB do not fit into four')
        need((lab[1].cache / 'x').stat().st_size == 2 * MIB, 'the cache is not to be seen from outside')


_VICTIM = '''
import sys, time
sys.path.insert(0, {here!r})
import sandbox
from lab import Lab
def main():
    with Lab(nodes=2, name="victim", agents=0) as lab:
        print("up", sandbox.root(), flush=True)
        time.sleep(60)
sandbox.enter(main, print)
'''


def _left_of(folder):
    for entry in os.listdir('/proc'):
        try:
            if entry.isdigit() and folder in Path(f'/proc/{entry}/cmdline').read_text():
                yield entry
        except OSError:
            pass


def _end_a_lab(number):
    script = sandbox.root() / 'victim.py'
    script.write_text(_VICTIM.format(here=str(Path(__file__).resolve().parent)))
    env = {key: value for key, value in os.environ.items() if not key.startswith('EXO_LAB_')}
    child = subprocess.Popen([sys.executable, '-B', str(script)], stdout=subprocess.PIPE, env=env)
    need(select.select([child.stdout], [], [], 30)[0], 'the lab in the lab did not start')
    word, folder = child.stdout.readline().decode().split()
    need(word == 'up', word)
    need(list(_left_of(folder + '/victim')), 'nothing of it is to be seen')
    child.send_signal(number)
    child.wait(30)
    end = time.monotonic() + 5
    while time.monotonic() < end and list(_left_of(folder + '/victim')):
        time.sleep(0.05)
    left = list(_left_of(folder + '/victim'))
    if left:
        raise Failure(f'signal {number} left processes {left}')
    return Path(folder)


@case('harness')
def no_signal_leaves_anything_behind():
    """SIGTERM and SIGINT leave nothing, kill -9 only files, and the next run removes those."""
    for number in (signal.SIGTERM, signal.SIGINT):
        need(not _end_a_lab(number).exists(), f'signal {number} left files')
    folder = _end_a_lab(signal.SIGKILL)
    _end_a_lab(signal.SIGTERM)
    need(not folder.exists(), 'kill -9 left files that the next run did not remove')


@case('harness')
def a_folder_swept_while_it_was_made_is_made_anew():
    """Between the making of its lock file and the lock another run may take it for one of the dead."""
    base, lock, swept = sandbox.root() / 'swept', fcntl.flock, []
    base.mkdir()

    def late(file, how):
        if not swept:
            swept.extend(base.iterdir())
            shutil.rmtree(swept[0])
        lock(file, how)

    with unittest.mock.patch('fcntl.flock', late):
        folder, held = sandbox.make_folder(base)
    os.close(held)
    need(folder.is_dir() and folder not in swept and len(swept) == 1, f'{folder}, swept: {swept}')
