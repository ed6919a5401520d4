# SPDX-License-Identifier: Apache-2.0
"""A lab: several machines on one switch, a Hub behind a slower link, real daemons and real agents.

    with Lab(nodes=4, wan='200mbit', lan='400mbit', sample=sample) as lab:
        pulls = [host.pull(sample.name) for host in lab.hosts]
        for pull in pulls:
            pull.wait('complete', 60)
        assert lab.hub.stats()['bytes'] <= 1.01 * sample.bytes

Runs inside sandbox.enter(). Every host is a process with its own network, mount and host name, holding a private
system bus with avahi-daemon, a session bus and an exo-agent. The README draws it.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import bus
import sample as samples
import sandbox

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
BUILD = Path(os.environ.get('EXO_LAB_BUILD', TREE / 'build')).resolve()
SCALE = float(os.environ.get('EXO_LAB_PATIENCE', '1'))  # of every time limit: sanitizers are slow
CONGESTION = 'cubic'
PORT = 52418
_NET = '10.77.0.'
_SECOND = '10.79.0.'  # the second network, where there is one
_HUB, _CDN = _NET + '250', _NET + '251'
_ADMIN_NEAR, _ADMIN_FAR = '10.78.0.1', '10.78.0.2'
_HUB_PORT, _CDN_PORT, _ADMIN_PORT = 8080, 8081, 8082
_TAIL = 14
_REPORT = re.compile(r'^\S+ \S+ critical .*|ERROR: \w*Sanitizer|WARNING: ThreadSanitizer|runtime error:|-CRITICAL \*\*|Bail out!|\*\*\* stack', re.M)


class Failure(AssertionError):
    """A test found what it looked for."""


def need(true, message):
    if not true:
        raise Failure(message)


def program(name):
    """Of the build under test."""
    found = [path for path in BUILD.rglob(name) if path.is_file() and os.access(path, os.X_OK)]
    need(found, f'{name} is not in {BUILD}; build it first')
    return found[0]


def run(*words, check=True, timeout=60, **more):
    """A command to its end, its output as text."""
    more.setdefault('stdin', subprocess.DEVNULL)
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors='replace', timeout=timeout * SCALE, check=False, **more)
    if check and done.returncode:
        raise Failure(f'{" ".join(str(word) for word in words)}: exit {done.returncode}: '
                      f'{(done.stderr or done.stdout).strip()[-800:]}')
    return done


def tail(path, lines=_TAIL):
    try:
        return ''.join(Path(path).read_text(errors='replace').splitlines(True)[-lines:]).rstrip()
    except OSError:
        return '(no log)'


class Machine:
    """A network namespace at the switch."""

    def __init__(self, lab, name, address, rate):
        self.lab, self.name, self.address = lab, name, address
        self.dir = lab.dir / name
        self.dir.mkdir()
        self.port = 'p-' + name
        self.ports = {'eth0': self.port}  # of the switches, by the interface at the other end
        self.rate = rate
        self.children = []
        self.holder = None

    def boot(self):
        self.holder = subprocess.Popen(
            ['unshare', '--net', '--mount', '--uts', 'sh', '-c',
             'hostname "$0" && mount -t tmpfs none /run && ip link set lo up && echo ready && exec sleep infinity',
             self.name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        need(self.holder.stdout.readline() == b'ready\n', f'no namespaces for {self.name}')
        self._plug_in('eth0', self.address, self.rate)

    def _plug_in(self, eth, address, rate):
        pid, shape = str(self.holder.pid), ['root', 'tbf', 'rate', rate, 'burst', '128kb', 'latency', '30ms']
        port, net = self.ports[eth], address.rsplit('.', 1)[0] + '.0/24'
        run('ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', eth, 'netns', pid)
        run('ip', 'link', 'set', port, 'master', self.lab.switches[eth], 'up')
        run('tc', 'qdisc', 'add', 'dev', port, *shape)
        # Without duplicate address detection IPv6 is there at once; the default congestion control of the kernel
        # may be any, so the routes name one.
        self.sh(f'echo 0 > /proc/sys/net/ipv6/conf/{eth}/accept_dad || true\n'
                f'ip addr add {address}/24 dev {eth}\nip link set {eth} up\n'
                f'ip route replace {net} dev {eth} src {address} congctl {CONGESTION}\n'
                f'ip -6 route replace fe80::/64 dev {eth} proto kernel metric 256 congctl {CONGESTION} || true\n'
                f'tc qdisc add dev {eth} {" ".join(shape)}')

    def inside(self, words):
        ns = f'/proc/{self.holder.pid}/ns/'
        return ['nsenter', f'--net={ns}net', f'--mount={ns}mnt', f'--uts={ns}uts', '--'] + [str(word) for word in words]

    def env(self):
        return {'PATH': os.environ['PATH'], 'LANG': 'C.UTF-8', 'HOME': str(self.dir)}

    def spawn(self, words, log, env=None, **more):
        more.setdefault('stdin', subprocess.DEVNULL)
        with open(self.dir / log, 'ab') as file:
            child = subprocess.Popen(self.inside(words), env=env or self.env(), stdout=more.pop('stdout', file),
                                     stderr=file, start_new_session=True, **more)
        self.children.append(child)
        return child

    def sh(self, command, check=True, timeout=60):
        """A shell command on this machine; its output."""
        return run(*self.inside(['sh', '-ec', command]), env=self.env(), check=check, timeout=timeout).stdout

    def processes(self):
        """Ids of all that runs on this machine, but for what holds its namespaces."""
        mine = os.readlink(f'/proc/{self.holder.pid}/ns/net')
        for entry in os.listdir('/proc'):
            try:
                if entry.isdigit() and int(entry) != self.holder.pid and os.readlink(f'/proc/{entry}/ns/net') == mine:
                    yield int(entry)
            except OSError:
                pass

    def cut_link(self, eth='eth0', check=True):
        run('ip', 'link', 'set', self.ports[eth], 'down', check=check)

    def restore_link(self, eth='eth0'):
        run('ip', 'link', 'set', self.ports[eth], 'up')

    def block_link(self, eth):
        """Nothing passes any more, and at both ends the cable seems to be in."""
        run('ip', 'link', 'set', self.ports[eth], 'nomaster')

    def unblock_link(self, eth):
        run('ip', 'link', 'set', self.ports[eth], 'master', self.lab.switches[eth])

    def set_rate(self, rate):
        shape = ['root', 'tbf', 'rate', rate, 'burst', '128kb', 'latency', '30ms']
        run('tc', 'qdisc', 'change', 'dev', self.port, *shape)
        self.sh('tc qdisc change dev eth0 ' + ' '.join(shape))

    def unshape(self):
        """As fast as it goes."""
        run('tc', 'qdisc', 'del', 'dev', self.port, 'root')
        self.sh('tc qdisc del dev eth0 root')

    def wire(self, eth='eth0'):
        """Bytes that left this machine and bytes that reached it, headers included."""
        stats = json.loads(run('ip', '-s', '-j', 'link', 'show', self.ports[eth]).stdout)[0]['stats64']
        return stats['rx']['bytes'], stats['tx']['bytes']

    def kill_machine(self):
        """The power goes: nobody says goodbye."""
        self.cut_link(check=False)
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for child in self.children:
            child.wait()
        self.children.clear()

    def remove(self):
        if not self.holder:
            return
        self.kill_machine()
        for port in self.ports.values():
            run('ip', 'link', 'del', port, check=False)
        self.holder.kill()
        self.holder.wait()


class Hub(Machine):
    """The stand-in Hub. Its link is the internet link all hosts share."""

    def __init__(self, lab, rate):
        super().__init__(lab, 'hub', _HUB, rate)
        self.url = f'http://{_HUB}:{_HUB_PORT}'
        self.server = None

    def boot(self):
        super().boot()
        self.sh(f'ip addr add {_CDN}/24 dev eth0')
        run('ip', 'link', 'add', 'p-admin', 'type', 'veth', 'peer', 'name', 'admin', 'netns', self.holder.pid)
        run('ip', 'addr', 'add', _ADMIN_NEAR + '/24', 'dev', 'p-admin')
        run('ip', 'link', 'set', 'p-admin', 'up')
        self.sh(f'ip addr add {_ADMIN_FAR}/24 dev admin\nip link set admin up')
        if self.lab.sample:
            self.serve(self.lab.sample.root)

    def remove(self):
        super().remove()
        run('ip', 'link', 'del', 'p-admin', check=False)  # the namespace takes it only some time later

    def serve(self, root):
        self.server = self.spawn(
            [program('exo-test-hub'), '--root', root, '--listen', '0.0.0.0', '--port', _HUB_PORT, '--cdn-port', _CDN_PORT,
             '--admin-port', _ADMIN_PORT, '--admin-listen', _ADMIN_FAR, '--public-base', self.url,
             '--cdn-base', f'http://{_CDN}:{_CDN_PORT}'], 'hub.log', stdout=subprocess.PIPE)
        ready = select.select([self.server.stdout], [], [], 60 * SCALE)[0]
        line = self.server.stdout.readline() if ready else b''
        need(line.startswith(b'ready'), f'the stand-in Hub did not start: {tail(self.dir / "hub.log")}')

    def _ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f'http://{_ADMIN_FAR}:{_ADMIN_PORT}{path}', data, method=method,
                                         headers={'Content-Type': 'application/json'})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20 * SCALE) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise Failure(f'{method} {path} on the stand-in Hub: {error.code} {error.read()[:300]!r}') from None
        return json.loads(text) if text.strip().startswith((b'{', b'[')) else None

    def stats(self):
        return self._ask('GET', '/stats')

    def reset(self):
        self._ask('POST', '/reset')

    def faults(self, *rules):
        self._ask('POST', '/faults', list(rules))

    def no_faults(self):
        self._ask('DELETE', '/faults')

    def down(self):
        self._ask('POST', '/down')

    def up(self):
        self._ask('POST', '/up')

    def reload(self):
        self._ask('POST', '/reload')


class Transfer:
    """One transfer as its agent shows it."""

    def __init__(self, host, path):
        self.host, self.path = host, path

    @property
    def info(self):
        if not self.host.bus:
            return {}
        return self.host.bus.objects.get(self.path, {}).get(bus.AGENT + '.Transfer', {})

    @property
    def state(self):
        return self.info.get('State', '')

    def call(self, member):
        self.host.bus.call(self.path, bus.AGENT + '.Transfer', member)

    def resume(self):
        """And until that is to be seen."""
        self.call('Resume')
        self.host.lab.wait_for(lambda: self.state not in ('failed', 'paused'), 10, f'{self.host.name}: resumed')

    def wait(self, state='complete', timeout=60):
        """Until it is in that state; an unexpected end is reported at once."""
        def look():
            if self.state == 'failed' and state != 'failed':
                raise Failure(f'{self.host.name}: {self.info.get("Error")}: {self.info.get("ErrorMessage")}\n'
                              + self.host.lab.logs())
            return self.state == state
        self.host.lab.wait_for(look, timeout, f'{self.host.name}: transfer {state}')
        return self.info

    def wait_bytes(self, least, timeout=60):
        """Until that many bytes are on disk, if it has not ended before."""
        def look():
            need(self.state not in ('complete', 'failed'), f'{self.host.name}: already {self.state}: {self.info}')
            return self.info.get('BytesDone', 0) >= least
        self.host.lab.wait_for(look, timeout, f'{self.host.name}: {least} bytes')
        return self.info


class Host(Machine):
    """A machine with an agent."""

    def __init__(self, lab, number, rate, name=None):
        super().__init__(lab, name or f'node{number}', f'{_NET}{number}', rate)
        self.agent = self.bus = None
        self.config = {'agent': {'name': self.name, 'state-dir': self.dir / 'state'},
                       'lan': {'port': PORT}, 'hub': {'endpoint': lab.hub.url}, 'cache': {'path': self.dir / 'cache'}}
        self.wrapper = []  # words before the agent's own
        self.options = ['--verbose']
        self.extra_env = {}
        self.limited = False
        self.log = self.dir / 'agent.log'

    def boot(self):
        super().boot()
        if self.lab.second:
            self._plug_in_twice()
        self._make_folders()
        for name in ('system', 'session'):
            self._start_bus(name)
        if self.lab.mdns:
            self.start_avahi()

    def _plug_in_twice(self):
        """A second network card. A veth claims 10 Gbit/s and has no device: here both tell what they were shaped to."""
        self.ports['eth1'] = 'q-' + self.name
        self._plug_in('eth1', _SECOND + self.address.rsplit('.', 1)[1], self.lab.second)
        self.sh('mount -t tmpfs none /sys/class/net\n' + '\n'.join(
            f'mkdir -p /sys/class/net/{eth}/device\necho {int(rate.removesuffix("mbit"))} > /sys/class/net/{eth}/speed'
            for eth, rate in (('eth0', self.rate), ('eth1', self.lab.second))))

    @property
    def cache(self):
        """The cache as the host sees it, also when it is a file system of its own."""
        path = self.dir / 'cache'
        return Path(f'/proc/{self.holder.pid}/root{path}') if self.limited else path

    def env(self):
        return {**super().env(), 'XDG_RUNTIME_DIR': str(self.dir / 'run'), 'XDG_CACHE_HOME': str(self.dir / '.cache'),
                'XDG_CONFIG_HOME': str(self.dir / '.config'), 'XDG_DATA_HOME': str(self.dir / '.local'),
                'HF_HOME': str(self.dir / 'hf'), 'GSETTINGS_BACKEND': 'memory', 'GIO_USE_VFS': 'local',
                'DBUS_SYSTEM_BUS_ADDRESS': f'unix:path={self.dir}/system',
                'DBUS_SESSION_BUS_ADDRESS': f'unix:path={self.dir}/session',
                'ASAN_OPTIONS': f'log_path={self.dir}/sanitizer:detect_leaks=1:exitcode=99',
                'UBSAN_OPTIONS': f'log_path={self.dir}/sanitizer:print_stacktrace=1',
                'TSAN_OPTIONS': f'log_path={self.dir}/sanitizer', **self.extra_env}

    def _make_folders(self):
        (self.dir / 'run').mkdir(mode=0o700)
        (self.dir / 'cache').mkdir()

    def _start_bus(self, name):
        allow = ''.join(f'<allow {what}/>' for what in ('own="*"', 'send_type="method_call"', 'send_type="signal"',
                        'send_type="method_return"', 'send_type="error"', 'receive_type="method_call"',
                        'receive_type="signal"', 'receive_type="method_return"', 'receive_type="error"',
                        'send_destination="*"', 'receive_sender="*"', 'eavesdrop="true"', 'user="*"'))
        (self.dir / (name + '.conf')).write_text(
            f'<busconfig><listen>unix:path={self.dir}/{name}</listen><auth>EXTERNAL</auth>'
            f'<policy context="default">{allow}</policy></busconfig>')
        self.spawn(['dbus-daemon', '--nofork', '--nopidfile', f'--config-file={self.dir}/{name}.conf'], 'bus.log')
        self.lab.wait_for((self.dir / name).exists, 10, f'{self.name}: {name} bus')

    def start_avahi(self, publish=''):
        """publish: more for that section of its configuration."""
        (self.dir / 'avahi.conf').write_text(
            f'[server]\nhost-name={self.name}\nuse-ipv4=yes\nuse-ipv6={"yes" if self.lab.ipv6 else "no"}\n'
            f'allow-interfaces={",".join(self.ports)}\ndisallow-other-stacks=no\nratelimit-interval-usec=0\nenable-dbus=yes\n'
            f'[wide-area]\nenable-wide-area=no\n[publish]\npublish-hinfo=no\npublish-workstation=no\n{publish}\n')
        self.avahi = self.spawn(['avahi-daemon', '--no-drop-root', '--no-chroot', '--no-rlimits', '-f',
                                 self.dir / 'avahi.conf'], 'avahi.log')

    def wait_avahi(self):
        watch = bus.Avahi(self.dir / 'system')
        try:
            self.lab.wait_for(watch.running, 15, f'{self.name}: avahi-daemon')
        finally:
            watch.close()

    def stop_avahi(self):
        self.avahi.terminate()
        self.avahi.wait()

    # The agent

    def write_config(self):
        lines = []
        for group, values in self.config.items():
            lines += [f'[{group}]'] + [f'{key}={value}' for key, value in values.items()] + ['']
        path = self.dir / 'agent.conf'
        path.write_text('\n'.join(lines))
        return path

    def start_agent(self, wait=True):
        self.agent = self.spawn([*self.wrapper, program('exo-agent'), '--config', self.write_config(), *self.options],
                                'agent.log')
        if wait:
            self.wait_agent()

    def wait_agent(self):
        def there():
            code = self.agent.poll()
            need(code is None, f'{self.name}: exo-agent ended with {code} at its start\n{tail(self.log)}')
            return self.bus.sync()
        if not self.bus:
            self.bus = bus.Bus(self.dir / 'session')
        self.lab.wait_for(there, 20, f'{self.name}: org.exo.Agent1 on the bus')

    def kill_agent(self, number=signal.SIGKILL):
        self.agent.send_signal(number)
        try:
            code = self.agent.wait(20 * SCALE)
        except subprocess.TimeoutExpired:
            raise Failure(f'{self.name}: exo-agent did not end on signal {number}\n{tail(self.log)}') from None
        self.children.remove(self.agent)
        self.agent = None
        return code

    def restart(self, number=signal.SIGKILL):
        self.kill_agent(number)
        self.start_agent()

    def pull(self, model, revision='', **options):
        """Transfer; options: include, exclude (lists of globs), type."""
        words = {key: ('as' if isinstance(value, list) else 's', value) for key, value in options.items()}
        return Transfer(self, self.bus.call(bus.ROOT, bus.AGENT, 'Pull', 'ssa{sv}', model, revision, words)[0])

    pull_async = pull

    def transfers(self):
        return [Transfer(self, path) for path, interfaces in sorted(self.bus.objects.items())
                if bus.AGENT + '.Transfer' in interfaces]

    def nodes(self):
        """Names of the neighbours it knows, to their state."""
        found = (interfaces.get(bus.AGENT + '.Node') for interfaces in self.bus.objects.values())
        return {node['Name']: node['State'] for node in found if node and not node['Self']}

    def properties(self):
        return self.bus.properties()

    def kill_machine(self):
        if self.bus:
            self.bus.close()
        self.agent = self.bus = None
        super().kill_machine()

    def exoctl(self, *words, check=True, timeout=60):
        """Its CompletedProcess, with .data: the JSON objects it printed where --json was among the words."""
        done = run(*self.inside([program('exoctl'), *words]), env=self.env(), check=check, timeout=timeout)
        done.data = [json.loads(line) for line in done.stdout.splitlines() if line] if '--json' in words else None
        return done

    def exoctl_start(self, *words, log='exoctl.log'):
        return self.spawn([program('exoctl'), *words], log)

    def status(self, field):
        """A number of /proc/PID/status of the agent, such as VmRSS, in bytes if it is in kB."""
        found = re.search(rf'^{field}:\s+(\d+)( kB)?', Path(f'/proc/{self.agent.pid}/status').read_text(), re.M)
        return int(found[1]) * (1024 if found[2] else 1)

    def disk_limit(self, size):
        """The cache becomes a file system of its own, of that many bytes; again: it grows."""
        how = ('-o', f'remount,size={size}', 'none') if self.limited else ('-t', 'tmpfs', '-o', f'size={size}', 'none')
        run(*self.inside(['mount', *how, self.dir / 'cache']))
        self.limited = True

    def verify_cache(self, sample, **more):
        try:
            return samples.verify(self.cache, sample, **more)
        except (samples.Wrong, OSError) as wrong:
            raise Failure(f'{self.name}: {wrong}') from None

    def finish(self):
        """Ends the agent as a session does; problems it left behind."""
        problems = []
        if self.bus:
            try:
                self.bus.pump()
            except ConnectionError:
                pass
            problems += [f'{self.name}: {text}' for text in self.bus.violations]
        if self.agent:
            code = self.agent.poll()
            if code is not None:
                problems.append(f'{self.name}: exo-agent had ended with {code}\n{tail(self.log)}')
            else:
                try:
                    code = self.kill_agent(signal.SIGTERM)
                    if code:
                        problems.append(f'{self.name}: exo-agent ended with {code} on SIGTERM\n{tail(self.log)}')
                except Failure as failure:
                    problems.append(str(failure))
        for path in [self.log, *self.dir.glob('sanitizer.*')]:
            text = path.read_text(errors='replace') if path.exists() else ''
            found = _REPORT.search(text)
            if found:
                problems.append(f'{self.name}: {path.name}: {text[found.start():found.end() + 2000 * (path != self.log)]}')
        return problems


class User(Host):
    """Another user on a host that is there: own folders, own session bus, own agent."""

    def __init__(self, host, name):
        self.host = host
        super().__init__(host.lab, int(host.name[len('node'):]), host.rate, name)
        self.holder = host.holder
        self.config['lan']['port'] = 0

    def boot(self):
        self._make_folders()
        self._start_bus('session')

    def env(self):
        return {**super().env(), 'DBUS_SYSTEM_BUS_ADDRESS': self.host.env()['DBUS_SYSTEM_BUS_ADDRESS']}

    def remove(self):
        self.children.clear()  # its processes end with those of the host


class Lab:
    """nodes hosts, the first agents of them with an agent running (all unless said). second: the rate of a second network that
    they are all in, by a second card; the Hub is not."""

    def __init__(self, nodes=4, wan='200mbit', lan='400mbit', name='lab', sample=None, agents=None, mdns=True,
                 ipv6=True, config=None, second=None):
        self.name, self.sample, self.mdns, self.ipv6 = name, sample, mdns, ipv6
        self.rates, self.config = (wan, lan), config or {}
        self.n_nodes = nodes
        self.n_agents = nodes if agents is None else agents
        self.dir = sandbox.root() / name
        self.second = second
        self.switches = {'eth0': 'switch', **({'eth1': 'switch2'} if second else {})}  # by the interface there
        self.hosts, self.hub = [], None

    def add_user(self, host, name):
        self.hosts.append(User(host, name))
        self.hosts[-1].boot()
        return self.hosts[-1]

    def __enter__(self):
        self.dir.mkdir()
        try:
            for switch in self.switches.values():
                run('ip', 'link', 'add', switch, 'type', 'bridge', 'mcast_snooping', '0', 'forward_delay', '0')
                run('ip', 'link', 'set', switch, 'up')
            self.hub = Hub(self, self.rates[0])
            self.hub.boot()
            for number in range(1, self.n_nodes + 1):
                self.hosts.append(Host(self, number, self.rates[1]))
                self.hosts[-1].boot()
                for group, values in self.config.items():
                    self.hosts[-1].config.setdefault(group, {}).update(values)
            for host in self.hosts if self.mdns else ():
                host.wait_avahi()
            for host in self.hosts[:self.n_agents]:
                host.start_agent(wait=False)
            for host in self.hosts[:self.n_agents]:
                host.wait_agent()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, kind, error, trace):
        problems = []
        try:
            if kind is None:
                problems = [text for host in self.hosts for text in host.finish()]
        finally:
            self._remove()
        if problems:
            raise Failure('\n'.join(problems))

    def _remove(self):
        for machine in [*self.hosts, *([self.hub] if self.hub else [])]:
            machine.remove()
        self.hosts, self.hub = [], None
        for switch in self.switches.values():
            run('ip', 'link', 'del', switch, check=False)
        keep = os.environ.get('EXO_LAB_KEEP')
        if keep:
            shutil.copytree(self.dir, Path(keep) / self.name, symlinks=True, dirs_exist_ok=True,
                            ignore=lambda folder, names: [name for name in names if name in ('cache', 'run', 'system', 'session')])
        shutil.rmtree(self.dir, ignore_errors=True)

    def __getitem__(self, number):
        """Host number 1 is lab[1]."""
        return self.hosts[number - 1]

    def pump(self, timeout):
        """Takes what the agents signal, after waiting up to timeout for something."""
        heard = [host.bus for host in self.hosts if host.bus]
        if any(client.buffer for client in heard):  # it came along with an answer, and perhaps nothing follows
            timeout = 0
        ready = select.select([client.socket for client in heard], [], [], timeout)[0]
        for client in heard:
            if client.buffer or client.socket in ready:
                client.pump()

    def wait_for(self, look, timeout, what):
        """Until look() is true, asked at every signal of an agent and ten times a second; what it returned."""
        start = time.monotonic()
        while True:
            found = look()
            if found:
                return found
            left = start + timeout * SCALE - time.monotonic()
            if left <= 0:
                raise Failure(f'{what}: not within {timeout * SCALE:.0f} s\n{self.logs()}')
            self.pump(min(left, 0.1))

    def meet(self, timeout=20):
        """Until every running agent knows every other."""
        alive = [host for host in self.hosts if host.agent]
        names = {host.name for host in alive}
        self.wait_for(lambda: all(names - {host.name} <= set(host.nodes()) for host in alive), timeout, 'neighbours found')

    def logs(self):
        parts = []
        for host in self.hosts:
            states = [f'{t.info.get("Model")} {t.state} {t.info.get("BytesDone")}/{t.info.get("BytesTotal")} '
                      f'hub={t.info.get("BytesFromHub")} lan={t.info.get("BytesFromLan")} {t.info.get("ErrorMessage")}'
                      for t in (host.transfers() if host.bus else [])]
            parts.append(f'--- {host.name}: {"; ".join(states) or "no transfer"}; neighbours '
                         f'{host.nodes() if host.bus else {}}\n{tail(host.log)}')
        return '\n'.join(parts)

    def congestion(self):
        """The congestion control that really runs between two hosts, asked of the kernel."""
        server = self[1].spawn(['python3', '-c', 'import socket; s = socket.create_server(("", 7)); c = s.accept()[0]; '
                                'c.recv(1)'], 'echo.log')
        code = ('import socket, sys, time\nfor _ in range(100):\n  try:\n    s = socket.create_connection((sys.argv[1], 7))\n'
                '    break\n  except OSError:\n    time.sleep(0.05)\n'
                'print(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).split(b"\\0")[0].decode())')
        name = run(*self[2].inside(['python3', '-c', code, self[1].address])).stdout.strip()
        server.kill()
        server.wait()
        return name
