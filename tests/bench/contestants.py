# SPDX-License-Identifier: Apache-2.0
"""Who is measured: the agent, and what people use instead. One class each; torrents.py has those that speak BitTorrent."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
import urllib.parse
from datetime import datetime

import measure
from lab import need, run, tail

WEB_PORT, _FAST = 8090, '8gbit'
_NGINX = '''daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/nginx.log; events {{ worker_connections 512; }}
http {{ sendfile on; tcp_nopush on; log_format sent $body_bytes_sent; access_log {dir}/nginx.sent sent;
default_type application/octet-stream; client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2;
fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
server {{ listen {port}; root {root}; }} }}
'''


def _end(child):
    """With all that it started: rsync and its daemon are a process for each connection, and would go on."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


class Contestant:
    """One way to bring the sample of a lab to its hosts.

    prepare() before the clock starts, start(host) at that host's time (again after kill(host)), tick() now and then,
    done(host) tells when it had everything, clean() leaves the hosts as they were."""

    name = ''
    tools = ()  # programs without which it cannot take part

    def __init__(self, lab, scenario):
        self.lab, self.scenario, self.sample = lab, scenario, lab.sample
        self.jobs = {}  # host: Popen
        self.servers = []
        self.ended = {}  # host: time.monotonic()

    @classmethod
    def missing(cls):
        """What it lacks here, or nothing."""
        return ', '.join(tool for tool in cls.tools if not shutil.which(tool))

    @classmethod
    def unfit(cls, scenario):
        """Why it does not take part in that, or nothing."""
        return ''

    @property
    def seeder(self):
        return self.lab.hosts[0]

    def wanted(self, host):
        return self.scenario.wanted(self.lab.hosts.index(host), self.sample.files)

    def lacking(self, host):
        """What it wants and has not in full: all, unless it was killed."""
        out = self.out(host)
        return [path for path in self.wanted(host)
                if not (out / path).exists() or (out / path).stat().st_size < self.sample.files[path]]

    def out(self, host):
        return host.dir / 'out'

    def url(self, path):
        path = urllib.parse.quote(path)
        if self.scenario.seeded:
            return f'http://{self.seeder.address}:{WEB_PORT}/{path}'
        return f'{self.lab.hub.url}/{self.sample.name}/resolve/main/{path}'

    def pids(self, host):
        return [self.jobs[host].pid] if host in self.jobs else []

    def prepare(self):
        if self.scenario.seeded:
            self.serve(self.seeder, self.sample.tree, 'config.json')

    def serve(self, machine, root, probe):
        """nginx there; probe: a file below root."""
        folder = machine.dir
        (folder / 'nginx.sent').unlink(missing_ok=True)
        (folder / 'nginx.conf').write_text(_NGINX.format(dir=folder, port=WEB_PORT, root=root))
        self.servers.append(machine.spawn(['nginx', '-p', folder, '-e', folder / 'nginx.log', '-c', folder / 'nginx.conf'],
                                          'nginx.out'))
        run(*machine.inside(['curl', '-sfo', '/dev/null', '--retry', '20', '--retry-connrefused', '--retry-delay', '1',
                             f'http://127.0.0.1:{WEB_PORT}/{probe}']))

    def sent(self):
        """File bytes that came over the internet link so far, but for those of the stand-in Hub, which counts them itself."""
        return 0

    def command(self, host):
        raise NotImplementedError

    def start(self, host):
        self.out(host).mkdir(exist_ok=True)
        self.jobs[host] = host.spawn(self.command(host), f'{self.name}.log')

    def tick(self):
        pass

    def done(self, host):
        """time.monotonic() of the moment, or None."""
        job = self.jobs.get(host)
        if host not in self.ended and job and job.poll() is not None:
            need(job.returncode == 0, f'{self.name} on {host.name}: exit {job.returncode}\n'
                 + tail(host.dir / f'{self.name}.log'))
            self.ended[host] = time.monotonic()
        return self.ended.get(host)

    def kill(self, host):
        _end(self.jobs.pop(host))

    def verify(self, host):
        """Byte by byte."""
        for path in self.wanted(host):
            same = subprocess.run(['cmp', '-s', self.out(host) / path, self.sample.tree / path], check=False)
            need(same.returncode == 0, f'{self.name}: {path} on {host.name} is not what it should be')

    def clean(self):
        for child in [*self.jobs.values(), *self.servers]:
            _end(child)
        for host in self.lab.hosts:
            host.children = [child for child in host.children if child.poll() is None]
            shutil.rmtree(self.out(host), ignore_errors=True)


class Curl(Contestant):
    """curl on every node, which is what exo and "hf download" come to."""

    name = 'curl'
    tools = ('curl', 'nginx')

    def command(self, host):
        words = ['curl', '-sSfL', '--create-dirs']
        for path in self.lacking(host):
            if (self.out(host) / path).exists():
                words += ['-C', '-']
            words += ['-o', self.out(host) / path, self.url(path), '--next', '-sSfL', '--create-dirs']
        return words[:-3]


class CurlAndMore(Curl):
    """curl, and something behind it that the agent does, too."""

    more = ''  # with the files as its arguments
    only = ''  # the scenario that it is for
    why = ''

    @classmethod
    def unfit(cls, scenario):
        return '' if scenario.name == cls.only else cls.why

    def command(self, host):
        paths = [self.out(host) / path for path in self.wanted(host)]
        return ['sh', '-ec', f'"$@"; {self.more} -- ' + ' '.join(shlex.quote(str(path)) for path in paths),
                'sh', *super().command(host)]


class CurlAndHash(CurlAndMore):
    """And sha256sum behind it."""

    name = 'curl+sha256sum'
    tools = ('curl', 'nginx', 'sha256sum')
    more, only = 'sha256sum', 'pair'
    why = 'only where nothing is shaped: elsewhere the link takes longer'


class CurlAndSync(CurlAndMore):
    """And a wait until the disk has it."""

    name = 'curl+sync'
    more, only = 'sync -d', 'pair-on-disk'
    why = 'only where files lie on a disk'


class Aria2(Contestant):
    """aria2 on every node, four connections."""

    name = 'aria2'
    tools = ('aria2c', 'nginx')

    def command(self, host):
        listing = host.dir / 'aria2.list'
        listing.write_text(''.join(f'{self.url(path)}\n out={path}\n' for path in self.lacking(host)))
        return ['aria2c', '-q', '-x4', '-s4', '-j4', '-k1M', '--file-allocation=none', '--auto-file-renaming=false', '-c',
                '-d', self.out(host), '-i', listing]


class Rsync(Curl):
    """One node downloads with curl; when it is done, all others copy from it with rsync."""

    name = 'rsync'
    tools = ('curl', 'rsync')

    def prepare(self):
        self.waiting = []
        self.ready = self.scenario.seeded
        if self.ready:
            self.share(self.sample.tree)

    def share(self, folder):
        path = self.seeder.dir / 'rsyncd.conf'
        path.write_text(f'use chroot = no\nuid = root\ngid = root\npid file = {path}.pid\n[model]\npath = {folder}\n')
        path.with_name('rsyncd.conf.pid').unlink(missing_ok=True)
        self.servers.append(self.seeder.spawn(['rsync', '--daemon', '--no-detach', f'--config={path}'], 'rsyncd.log'))
        self.lab.wait_for(path.with_name('rsyncd.conf.pid').exists, 10, 'rsync --daemon')

    def wanted(self, host):
        # Who downloads for all needs what any of them wants.
        return sorted(self.sample.files) if host is self.seeder else super().wanted(host)

    def start(self, host):
        if self.ready or host is self.seeder:
            super().start(host)
        else:
            self.waiting.append(host)

    def command(self, host):
        if host is self.seeder:
            return super().command(host)
        listing = host.dir / 'rsync.list'
        listing.write_text(''.join(path + '\n' for path in self.wanted(host)))
        return ['rsync', '-r', '--whole-file', '--inplace', f'--files-from={listing}',
                f'rsync://{self.seeder.address}/model/', self.out(host)]

    def tick(self):
        if not self.ready and self.done(self.seeder):
            self.ready = True
            self.share(self.out(self.seeder))
            for host in self.waiting:
                super().start(host)
            self.waiting.clear()

    def kill(self, host):
        if host in self.waiting:
            self.waiting.remove(host)
        else:
            super().kill(host)


class Agent(Contestant):
    """exo-agent, as installed: found by mDNS, asked over D-Bus, and nobody listening to it meanwhile."""

    name = 'agent'
    _LINE = re.compile(r'^(\S+ \S+) \S+ \S+: (\S+)@main: (complete|failed)', re.M)

    def prepare(self):
        hosts = self.lab.hosts
        for host in hosts:
            host.options = []
            host.log.unlink(missing_ok=True)
        if self.scenario.seeded:
            self._seed()
            self.lab.hub.down()
        begun = time.monotonic()
        for host in hosts:
            if not host.agent:
                host.start_agent(wait=False)
        for host in hosts:
            host.wait_agent()
        self.lab.meet(60)
        self.met_s = time.monotonic() - begun
        time.sleep(3)  # whether there is a Hub is known
        measure.wait_until_quiet()

    def _seed(self):
        """The first node fetches it, over links as fast as they go, and that Hub is gone afterwards."""
        host = self.seeder
        shaped = (self.lab.hub, host) if self.scenario.lan else ()
        for machine in shaped:
            machine.set_rate(_FAST)
        host.start_agent()
        host.pull(self.sample.name).wait('complete', 120)
        for machine in shaped:
            machine.set_rate(machine.rate)

    def pids(self, host):
        return [host.agent.pid] if host.agent else []

    def start(self, host):
        if not host.agent:  # it was killed: it goes on by itself
            host.start_agent(wait=False)
            return
        globs = [re.sub(r'([\[*?])', r'[\1]', path) for path in self.wanted(host)]
        more = {} if len(globs) == len(self.sample.files) else {'include': globs}
        host.pull(self.sample.name, **more)
        self.hang_up(host)

    @staticmethod
    def hang_up(host):
        # Every agent tells who listens of every neighbour four times a second: taking it all would cost more than the rest.
        host.bus.close()
        host.bus = None

    def done(self, host):
        if host in self.ended:
            return self.ended[host]
        for stamp, model, how in self._LINE.findall(host.log.read_text()) if host.log.exists() else ():
            need(how == 'complete', f'{host.name}: {model} {how}\n{tail(host.log)}')
            ago = time.time() - datetime.strptime(stamp, '%Y-%m-%d %H:%M:%S.%f').timestamp()
            self.ended[host] = time.monotonic() - ago
        need(host in self.ended or not host.agent or host.agent.poll() is None, f'{host.name}: exo-agent ended\n{tail(host.log)}')
        return self.ended.get(host)

    def kill(self, host):
        host.kill_agent(signal.SIGKILL)

    def verify(self, host):
        wanted = self.wanted(host)
        host.verify_cache(self.sample, only=None if len(wanted) == len(self.sample.files) else wanted)

    def clean(self):
        self.lab.hub.up()
        for host in self.lab.hosts:
            if host.bus:
                self.hang_up(host)
            if host.agent:
                host.kill_agent(signal.SIGTERM)
            for name in ('cache', 'state'):
                shutil.rmtree(host.dir / name, ignore_errors=True)
            (host.dir / 'cache').mkdir()
