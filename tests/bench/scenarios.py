# SPDX-License-Identifier: Apache-2.0
"""What is measured: who has the model, who wants it, from when, over which links. Plain data and arithmetic."""

from dataclasses import dataclass, replace

MBIT = 10**6
NAMES = ('cold', 'seed', 'late', 'shared', 'mixed', 'churn', 'pair', 'pair-on-disk')
OF_AGENTS = ('meet', 'huge')  # nobody else has such a thing
# LAN rate by number of nodes: all links together must not be more than two cores can move.
LAN = {2: 800 * MBIT, 4: 400 * MBIT, 8: 250 * MBIT, 23: 80 * MBIT}


@dataclass(frozen=True)
class Scenario:
    name: str
    nodes: int
    lan: int  # bit/s of a node's link, each way; 0: not shaped
    wan: int  # bit/s of the link to the Hub, shared by all; 0: not shaped
    seeded: bool = False  # node 1 has it all, and there is no Hub

    @property
    def receivers(self):
        """Indices of the nodes that want something."""
        return list(range(1 if self.seeded else 0, self.nodes))

    @property
    def stragglers(self):
        return [self.nodes - 1] if self.name == 'mixed' and self.nodes > 1 else []

    def rate(self, index):
        """bit/s of that node's link."""
        if self.name != 'mixed':
            return self.lan
        return self.lan // 10 if index in self.stragglers else self.lan // (1, 2, 4)[index % 3]

    def ideal(self, size):
        """Seconds for one copy over the narrowest link that every byte has to pass; 0: not shaped."""
        rates = [rate for rate in (self.lan, 0 if self.seeded else self.wan) if rate]
        return size * 8 / min(rates) if rates else 0.0

    def delay(self, index, size):
        """Seconds after which the node starts."""
        late = self.name == 'late' and index >= (self.nodes + 1) // 2
        return self.ideal(size) / 2 if late else 0.0

    def deaths(self, size):
        """(index, seconds of its death, seconds of its return)."""
        if self.name != 'churn':
            return []
        dying = self.receivers[-max(1, self.nodes // 8):]
        return [(index, 0.3 * self.ideal(size), 0.5 * self.ideal(size)) for index in dying]

    def wanted(self, index, files):
        """Of files, the paths that node wants: all, or, where they want different ones, all but every third big file."""
        if self.name != 'shared':
            return sorted(files)
        big = sorted(path for path in files if path.endswith('.safetensors'))
        left_out = {path for place, path in enumerate(big) if place % 3 == index % 3} if len(big) > 2 else set()
        return sorted(set(files) - left_out)

    @property
    def title(self):
        if not self.lan:
            return f'{self.name}, not shaped'
        wan = '' if self.seeded else f', W = {self.wan / MBIT:.0f}'
        return f'{self.name}, N = {self.nodes}, L = {self.lan / MBIT:.0f}{wan} Mbit/s'


def make(name, nodes, lan=None, wan_part=0.5):
    """A scenario by name; wan_part is W / L."""
    if name not in NAMES + OF_AGENTS:
        raise ValueError(f'no scenario named {name}')
    if name in ('pair', 'pair-on-disk'):
        return Scenario(name, 2, 0, 0, seeded=True)
    if nodes < 2:
        raise ValueError('at least two nodes')
    lan = lan or LAN[min(LAN, key=lambda known: abs(known - nodes))]
    return Scenario(name, nodes, lan, int(lan * wan_part), seeded=name == 'seed')


def alone(scenario):
    """The yardstick beside it: the first that wants something, all by itself."""
    return replace(scenario, name='alone')
