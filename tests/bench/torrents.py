# SPDX-License-Identifier: Apache-2.0
"""Who speaks BitTorrent: one torrent of the sample, a web seed and a tracker behind the link to the Hub, no choking that can
be helped. The web seed is nginx, for libtorrent loses its way in the redirects of the Hub. Torrents are made before the clock
starts, though on a cold start nobody has one: making it takes every byte."""

import importlib.util
import shutil
import time
from pathlib import Path

import metainfo
from contestants import WEB_PORT, Contestant
from lab import need, tail

_HERE = Path(__file__).resolve().parent
_TRACKER_PORT, _PEER_PORT = 6969, 6881
_torrents = {}  # (root of the sample, web seed): bytes


class Torrent(Contestant):
    """A peer goes on sending when it has everything: its process does not end, it leaves a mark."""

    def out(self, host):
        return host.dir / 'torrent' / 'main'

    def folder(self, host):
        return self.out(host).parent

    def mark(self, host):
        return host.dir / 'torrent.done'

    def prepare(self):
        for host in self.lab.hosts:
            self.folder(host).mkdir(exist_ok=True)
        self.log = self.lab.hub.dir / 'tracker.log'
        self.log.unlink(missing_ok=True)
        self.servers.append(self.lab.hub.spawn([_HERE / 'tracker', _TRACKER_PORT], self.log.name))
        self.lab.wait_for(lambda: 'ready' in self.announced(), 10, 'tracker')
        self.torrent = self.lab.dir / 'main.torrent'
        self.torrent.write_bytes(self.make())
        if self.scenario.seeded:
            self.out(self.seeder).symlink_to(self.sample.tree)
            self.servers.append(self.seeder.spawn(self.command(self.seeder, seed=True), f'{self.name}.log'))
            self.lab.wait_for(lambda: self.seeder.address in self.announced(), 20, f'{self.name}: seeding')
        else:
            self.serve(self.lab.hub, self.sample.tree.parent, 'main/config.json')

    def sent(self):
        log = self.lab.hub.dir / 'nginx.sent'
        return 0 if self.scenario.seeded else sum(map(int, log.read_text().split()))

    def announced(self):
        return self.log.read_text().split()

    def make(self):
        web_seed = None if self.scenario.seeded else f'http://{self.lab.hub.address}:{WEB_PORT}/'
        key = (self.sample.root, web_seed)
        if key not in _torrents:
            tracker = f'http://{self.lab.hub.address}:{_TRACKER_PORT}/announce'
            _torrents[key] = metainfo.torrent(self.sample.tree, self.sample.files, tracker, web_seed)
        return _torrents[key]

    def indices(self, host):
        """Places in the torrent of what it wants; none: everything."""
        wanted = set(self.wanted(host))
        found = [place for place, path in enumerate(sorted(self.sample.files)) if path in wanted]
        return [] if len(found) == len(self.sample.files) else found

    def command(self, host, seed=False):
        raise NotImplementedError

    def start(self, host):
        self.mark(host).unlink(missing_ok=True)
        self.jobs[host] = host.spawn(self.command(host), f'{self.name}.log')

    def done(self, host):
        if host not in self.ended and host in self.jobs:
            if self.mark(host).exists():
                self.ended[host] = time.monotonic() - (time.time() - self.mark(host).stat().st_mtime)
            else:
                need(self.jobs[host].poll() is None, f'{self.name} on {host.name} ended\n{tail(host.dir / (self.name + ".log"))}')
        return self.ended.get(host)

    def clean(self):
        super().clean()
        for host in self.lab.hosts:
            shutil.rmtree(self.folder(host), ignore_errors=True)
            self.mark(host).unlink(missing_ok=True)


class Libtorrent(Torrent):
    """libtorrent, as torrent-node sets it up."""

    name = 'libtorrent'
    tools = ('nginx',)

    @classmethod
    def missing(cls):
        return super().missing() or ('' if importlib.util.find_spec('libtorrent') else 'python3-libtorrent')

    def command(self, host, seed=False):
        words = [_HERE / 'torrent-node', self.torrent, self.folder(host), '--done', self.mark(host),
                 '--listen', f'{host.address}:{_PEER_PORT}']
        if seed:
            return [*words, '--seed']
        return [*words, *(['--want', *self.indices(host)] if self.indices(host) else [])]


class Aria2Torrent(Torrent):
    """aria2 as a peer. It sends to five others at a time at most, which no option changes."""

    name = 'aria2-bt'
    tools = ('aria2c', 'nginx')

    def command(self, host, seed=False):
        hook = host.dir / 'torrent.hook'
        hook.write_text(f'#!/bin/sh\n: >{self.mark(host)}\n')
        hook.chmod(0o755)
        words = ['aria2c', '-q', '--enable-dht=false', '--enable-dht6=false', '--bt-enable-lpd=false', '--bt-max-peers=0',
                 '--bt-require-crypto=false', '--bt-min-crypto-level=plain', f'--listen-port={_PEER_PORT}', '--seed-ratio=0.0',
                 '--bt-request-peer-speed-limit=1000M', '--bt-tracker-interval=5', '--file-allocation=none', '-x4', '-s4', '-k1M',
                 '--allow-overwrite=true', '--auto-save-interval=1', f'--on-bt-download-complete={hook}', '-d', self.folder(host)]
        if seed:
            words.append('--bt-seed-unverified=true')
        elif self.out(host).exists():
            words.append('--check-integrity=true')
        if self.indices(host) and not seed:
            words.append('--select-file=' + ','.join(str(place + 1) for place in self.indices(host)))
        return [*words, self.torrent]
