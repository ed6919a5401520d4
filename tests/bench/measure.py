# SPDX-License-Identifier: Apache-2.0
"""What a run costs and how it went: CPU, memory, how busy the machine was, what passed each node's link.

The machine's other work is measured along, for it is what makes figures rough: the CPU of all processes in the sandbox
is summed from /proc (which shows only those in here), the machine's from /proc/stat.
"""

import os
import threading
import time
from pathlib import Path

TICK = os.sysconf('SC_CLK_TCK')
FIRST = 64 << 10  # bytes that reached a node when its first byte certainly did: less is talk
_FAST_S, _SLOW_S = 0.02, 0.25


def parse_net_dev(text):
    """{device: (bytes received, bytes sent)} of /proc/net/dev."""
    found = {}
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(':')
        words = rest.split()
        found[name.strip()] = (int(words[0]), int(words[8]))
    return found


def parse_stat_cpu(text):
    """(busy, all) seconds of the machine by /proc/stat, all cores together. Waiting for a disk is not busy."""
    ticks = [int(word) for word in text.split('\n', 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / TICK, sum(ticks) / TICK


def parse_pid_cpu(text, children=True):
    """CPU seconds of a process by its stat file, with those of its children that have ended."""
    words = text.rpartition(')')[2].split()
    return sum(int(word) for word in words[11:15 if children else 13]) / TICK


def cpu_of_all():
    """CPU seconds of all processes in here, those that have ended included; without this one itself, which only looks on."""
    total = 0.0
    for entry in os.listdir('/proc'):
        if entry.isdigit():
            try:
                total += parse_pid_cpu(Path(f'/proc/{entry}/stat').read_text())
            except (OSError, IndexError):
                pass
    return total - parse_pid_cpu(Path('/proc/self/stat').read_text(), children=False)


def wait_until_quiet(patience=60):
    """What greeting each other costs is over: with 23 avahi-daemons that takes half a minute, in which they ask as much as they can."""
    over = time.monotonic() + patience
    while time.monotonic() < over:
        before = cpu_of_all()
        time.sleep(2)
        if cpu_of_all() - before < 0.3:
            return


def memory(pid):
    """(peak, anonymous) bytes resident; zeros if it is gone. Pages of files that a process maps count in the first only."""
    try:
        fields = dict(line.split(':', 1) for line in Path(f'/proc/{pid}/status').read_text().splitlines() if ':' in line)
        return tuple(int(fields[name].split()[0]) << 10 for name in ('VmHWM', 'RssAnon'))
    except (OSError, KeyError):
        return 0, 0


def bins(samples, width):
    """Rates by bin from [(seconds, bytes so far)]: [bit/s]."""
    if not samples:
        return []
    rates, place, last = [], 0, samples[0][1]
    end = samples[-1][0]
    while (len(rates) + 1) * width <= end + 1e-9:
        edge = (len(rates) + 1) * width
        while place + 1 < len(samples) and samples[place + 1][0] <= edge + 1e-9:
            place += 1
        rates.append((samples[place][1] - last) * 8 / width)
        last = samples[place][1]
    return rates


class Meter:
    """From start() to stop(): a thread that looks at the links 50 times a second, at memory 4 times.

    pids(host): processes of the contestant on it, whose memory counts."""

    def __init__(self, hosts, hub, pids):
        self.ports = {host.port: host.name for host in [*hosts, hub]}
        self.hosts, self.pids = hosts, pids
        self.links = []  # (seconds, {port: (from the node, to the node)})
        self.peak = self.anonymous = 0
        self._over = threading.Event()

    def start(self):
        self.began = time.monotonic()
        self._cpu, self._machine = cpu_of_all(), self._stat()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self):
        self._over.set()
        self._thread.join()
        self.seconds = time.monotonic() - self.began
        self.cpu = cpu_of_all() - self._cpu
        busy, total = (after - before for before, after in zip(self._machine, self._stat()))
        self.busy = busy / total if total else 0.0
        self.others = max(0.0, busy - self.cpu) / total if total else 0.0

    @staticmethod
    def _stat():
        return parse_stat_cpu(Path('/proc/stat').read_text())

    def _watch(self):
        slow = 0.0
        while True:
            now = time.monotonic() - self.began
            found = parse_net_dev(Path('/proc/self/net/dev').read_text())
            self.links.append((now, {port: found[port] for port in self.ports if port in found}))
            if now >= slow:
                slow = now + _SLOW_S
                self._look_at_memory()
            if self._over.wait(_FAST_S):
                return

    def _look_at_memory(self):
        for host in self.hosts:
            seen = [memory(pid) for pid in self.pids(host)]
            self.peak = max([self.peak, *(peak for peak, _ in seen)])
            self.anonymous = max([self.anonymous, *(anonymous for _, anonymous in seen)])

    def first_byte(self, host, since):
        """Seconds from since (of time.monotonic) until FIRST bytes had reached it; None if never."""
        since -= self.began
        base = None
        for now, counts in self.links:
            if host.port not in counts:
                continue
            got = counts[host.port][1]
            if now <= since or base is None:
                base = got
            elif got - base >= FIRST:
                return now - since
        return None

    def received(self, host):
        """Bytes that reached it, headers included."""
        counts = [counts[host.port][1] for _, counts in self.links if host.port in counts]
        return counts[-1] - counts[0] if counts else 0

    def timeline(self, width):
        """{name: {'in': [Mbit/s], 'out': [...]}} in bins of that many seconds."""
        lines = {}
        for port, name in self.ports.items():
            lines[name] = {}
            for side, place in (('out', 0), ('in', 1)):
                samples = [(now, counts[port][place]) for now, counts in self.links if port in counts]
                lines[name][side] = [round(rate / 1e6, 1) for rate in bins(samples, width)]
        return lines
