# SPDX-License-Identifier: Apache-2.0
"""Sets of measurements, and what they must show."""

import statistics
from dataclasses import dataclass
from typing import Optional

from scenarios import MBIT

YARDSTICK = 'one curl'
PEERS = ('curl', 'aria2', 'rsync', 'aria2-bt', 'libtorrent')
_AGENT = ('agent',)
_PAIR = ('agent', 'curl', 'curl+sha256sum', 'aria2', 'rsync', 'aria2-bt', 'libtorrent')
_DISK = ('agent', 'curl', 'curl+sync', 'aria2', 'rsync')

_LEAST = 512 * 10**6  # bytes of a model of which the table speaks
_LARGE = (YARDSTICK, *PEERS)
# Of 23 nodes, where all links are full at once: at 80 Mbit/s shaping alone takes more than one of the two cores, at 60 they are full,
# at 40 they are 95 % busy.
_SATURATED = 32 * MBIT


@dataclass(frozen=True)
class Part:
    """One scenario, and who takes part how often."""

    scenario: str
    nodes: int
    contestants: tuple
    runs: int = 3
    wan_part: float = 0.5
    once: tuple = PEERS  # of them, who runs once only
    give_up: Optional[float] = 2.0  # times one curl after which all but the agent are stopped
    lan: Optional[int] = None  # bit/s of a node; by the number of nodes unless said

    def seconds(self, ideal):
        """Some estimate of what it takes, labs and comparing included; ideal: of one copy."""
        fixed = {'meet': 60, 'huge': 120, 'pair': 90, 'pair-on-disk': 120}.get(self.scenario)
        slow = {'mixed': 4}.get(self.scenario, 1.1)
        peers = sum(name in self.once for name in self.contestants)
        curls = 1 if YARDSTICK in self.once else self.runs
        return fixed or 15 + self.nodes + (curls + self.runs * slow + peers * (self.give_up or 4)) * (ideal + 3)


# The first rows of the table need three runs of the agent beside one of each peer; 23 copies over one link take longer than
# anybody waits, so peers are stopped at twice the time of one curl, or less: they have lost by then.
ISSUE = (
    Part('meet', 23, _AGENT), Part('huge', 23, _AGENT), Part('pair', 2, _PAIR, once=(), give_up=None),
    Part('cold', 8, _AGENT + PEERS), Part('cold', 8, _AGENT, wan_part=1.0), Part('seed', 8, _AGENT + PEERS),
    Part('mixed', 8, _AGENT, once=_LARGE), Part('churn', 8, _AGENT, once=_LARGE),
    Part('seed', 23, _AGENT + PEERS, once=_LARGE, give_up=1.2, lan=_SATURATED),
    Part('cold', 23, _AGENT, wan_part=1.0, once=_LARGE, lan=_SATURATED),
    Part('cold', 23, _AGENT + PEERS, once=_LARGE, give_up=1.1))
# Apart, for its files lie elsewhere. The agent syncs what it has before it says so; curl does not wait for the disk.
DISK = (Part('pair-on-disk', 2, _DISK, once=(), give_up=None),)
# What the plots want besides, one run each: small labs, and the scenarios that no row of the table names.
PLOTS = (
    *(Part(name, nodes, _AGENT + PEERS, runs=1, give_up=4.0) for name in ('cold', 'seed') for nodes in (2, 4)),
    *(Part(name, 8, _AGENT + PEERS, runs=1, give_up=4.0) for name in ('late', 'shared', 'mixed', 'churn')))
ALL = {'issue': ISSUE, 'disk': DISK, 'plots': PLOTS}


def pick(parts, names=None, nodes=None):
    """Those of the scenarios and numbers of nodes that are named."""
    return [part for part in parts if (not names or part.scenario in names) and (not nodes or part.nodes in nodes)]


# What must hold ------------------------------------------------------------------------------------------------------------

def _find(cases, name, nodes, wan_part=0.5):
    """The last such case, or None."""
    found = None
    for case in cases:
        about = case['scenario']
        part = about['wan'] / about['lan'] if about['lan'] else 0
        has_no_wan = name in ('pair', 'pair-on-disk', 'seed')
        if about['name'] == name and about['nodes'] == nodes and (has_no_wan or abs(part - wan_part) < 0.01):
            found = case
    return found


def _middle(case, key, name='agent'):
    runs = case['contestants'].get(name) if case else None
    return statistics.median(run[key] for run in runs) if runs else None


def _at_most(value, limit, digits=3):
    """(measured, holds) of a figure; not measured: ('', None)."""
    return ('', None) if value is None else (f'{value:.{digits}f}', value <= limit)


def _figure(key, name, nodes, limit, wan_part=0.5, digits=3):
    return lambda cases: _at_most(_middle(_find(cases, name, nodes, wan_part), key), limit, digits)


def _ahead(name, nodes):
    def look(cases):
        case = _find(cases, name, nodes)
        mine = _middle(case, 'last') if case else None
        others = {peer: _middle(case, 'last', peer) for peer in PEERS if _middle(case, 'last', peer)} if case else {}
        if mine is None or not others:
            return '', None
        best = min(others, key=others.get)
        least = '>' if case['contestants'][best][0].get('stopped') else ''
        absent = [peer for peer in PEERS if peer not in others]
        return (f'{mine:.1f} s, best of {len(others)}: {best} {least}{others[best]:.1f} s'
                + (f'; not measured: {", ".join(absent)}' if absent else ''), mine < others[best])
    return look


def _spread(cases):
    found = {case['title']: [run['ratio'] for run in case['contestants'].get('agent', [])] for case in cases}
    found = {title: max(ratios) / statistics.median(ratios) - 1 for title, ratios in found.items() if len(ratios) > 2}
    if not found:
        return '', None
    worst = max(found, key=found.get)
    return f'{100 * found[worst]:.1f} % ({worst})', found[worst] <= 0.05


def _meeting(cases):
    case = _find(cases, 'meet', 23)
    return _at_most(max(figure['met_s'] for figure in case['figures']) if case else None, 2)


def _memory(cases):
    case = _find(cases, 'huge', 23)
    return _at_most(max(figure['peak_mb'] for figure in case['figures']) if case else None, 40, 1)


def _pair(name, peer, key, factor):
    def look(cases):
        case = _find(cases, name, 2)
        mine, theirs = _middle(case, key), _middle(case, key, peer)
        if not mine or not theirs:
            return '', None
        return f'{mine:.2f}, {peer} {theirs:.2f}: {mine / theirs:.2f}', mine <= factor * theirs
    return look


def _busiest(cases):
    busy = {case['title']: _middle(case, 'busy') for case in cases
            if case['contestants'].get('agent') and case['scenario']['lan']}
    if not busy:
        return '', None
    worst = max(busy, key=busy.get)
    return f'{100 * busy[worst]:.0f} % ({worst})', busy[worst] <= 0.8


# (row, must, what looks at the cases and returns (measured, whether it holds or None))
ROWS = (
    *((f'cold, W = L/2, N = {nodes}: T / T_curl', '<= 1.05', _figure('ratio', 'cold', nodes, 1.05)) for nodes in (8, 23)),
    *((f'cold, W = L/2, N = {nodes}: hub bytes / F', '<= 1.002', _figure('hub_copies', 'cold', nodes, 1.002, digits=4))
      for nodes in (8, 23)),
    *((f'cold, W = L/2, N = {nodes}: T', 'ahead of all', _ahead('cold', nodes)) for nodes in (8, 23)),
    ('cold, W = L, N = 8: T / T_curl', '<= 1.08', _figure('ratio', 'cold', 8, 1.08, 1.0)),
    ('cold, W = L, N = 23: T / T_curl', '<= 1.12', _figure('ratio', 'cold', 23, 1.12, 1.0)),
    ('seed, N = 8: T / T_curl', '<= 1.08', _figure('ratio', 'seed', 8, 1.08)),
    ('seed, N = 23: T / T_curl', '<= 1.15', _figure('ratio', 'seed', 23, 1.15)),
    *((f'seed, N = {nodes}: T', 'ahead of all', _ahead('seed', nodes)) for nodes in (8, 23)),
    ('same case, 3 runs: worst above median', '<= 5 %', _spread),
    ('cold, N = 8: first 64 KiB, slowest node, s', '<= 0.3', _figure('first_byte_s', 'cold', 8, 0.3)),
    # At the rates of that lab the link to the Hub alone takes as long for 64 KiB to each of all 23.
    ('cold, N = 23: first 64 KiB, median node, s', '<= 0.3', _figure('first_byte_median_s', 'cold', 23, 0.3)),
    ('meet, N = 23: slowest meeting, s', '<= 2', _meeting),
    ('mixed, N = 8: T / time of its own link, worst', '<= 1.25', _figure('behind', 'mixed', 8, 1.25)),
    *((f'{name}, N = 8: hub bytes / F', '<= 1.01', _figure('hub_copies', name, 8, 1.01, digits=4))
      for name in ('mixed', 'churn')),
    ('pair, in memory: T, s', '<= curl', _pair('pair', 'curl', 'last', 1.0)),
    ('pair, in memory: CPU s/GB', '<= 1.5 curl', _pair('pair', 'curl', 'cpu_s_per_gb', 1.5)),
    *(('pair, on a disk: T, s', f'<= {peer}', _pair('pair-on-disk', peer, 'last', 1.0)) for peer in ('curl', 'curl+sync')),
    ('pair, on a disk: CPU s/GB', '<= 1.5 curl', _pair('pair-on-disk', 'curl', 'cpu_s_per_gb', 1.5)),
    ('huge, N = 23, 100 GB: resident, peak, MB', '<= 40', _memory),
    ('busiest shaped case', '<= 80 %', _busiest),
)


def check(cases):
    """(text, whether all that was measured holds). The rows of the simulator are tests/sim's."""
    lines, good = [('row', 'must', 'measured', '')], True
    for row, must, look in ROWS:
        measured, holds = look(cases)
        good = good and holds is not False
        lines.append((row, must, measured or '-', {None: 'not measured', True: 'ok', False: 'MISSED'}[holds]))
    widths = [max(len(line[place]) for line in lines) for place in range(4)]
    text = '\n'.join(' | '.join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)
    small = [case['title'] for case in cases
             if case['contestants'] and case.get('settings', {}).get('size_mib', 512) << 20 < _LEAST]
    return text + ''.join(f'\nonly a look, less than 512 MB: {title}' for title in small), good
