# SPDX-License-Identifier: Apache-2.0
"""Bars of T / T_curl and what passed the links, as SVG, by hand: four shapes need no library."""

import statistics
from xml.sax.saxutils import escape

_WIDTH, _LABEL, _BAR, _GAP = 720, 150, 16, 6
_PLOT, _HIGH = 560, 90
_LINES = (('in', '#1f77b4', 'into all nodes'), ('hub', '#d62728', 'out of the Hub'))
_COLOURS = {'agent': '#1f77b4', 'one curl': '#bbbbbb'}


def _frame(parts, y, caption):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y + 12}" font-family="sans-serif" '
            f'font-size="12"><rect width="100%" height="100%" fill="white"/>\n' + '\n'.join(parts)
            + f'<text x="8" y="{y}">{caption}</text>\n</svg>\n')


def bars(cases, note=''):
    """An SVG: for each case a block, for each contestant a bar as long as its median T / T_curl."""
    found = [(case['title'], {name: statistics.median(run['ratio'] for run in runs)
                              for name, runs in case['contestants'].items() if runs}) for case in cases if case['contestants']]
    stopped = {(case['title'], name) for case in cases for name, runs in case['contestants'].items()
               if any(run.get('stopped') for run in runs)}
    longest = max((ratio for _, ratios in found for ratio in ratios.values()), default=1)
    scale = (_WIDTH - _LABEL - 60) / longest
    parts, y = [], 20
    for title, ratios in found:
        parts.append(f'<text x="8" y="{y}" font-weight="bold">{escape(title)}</text>')
        y += _GAP
        for name, ratio in ratios.items():
            parts.append(f'<text x="{_LABEL - 8}" y="{y + _BAR - 4}" text-anchor="end">{escape(name)}</text>'
                         f'<rect x="{_LABEL}" y="{y}" width="{ratio * scale:.1f}" height="{_BAR}" '
                         f'fill="{_COLOURS.get(name, "#ff9f40")}"/>'
                         f'<text x="{_LABEL + ratio * scale + 6:.1f}" y="{y + _BAR - 4}">'
                         f'{"&gt;" * ((title, name) in stopped)}{ratio:.2f}</text>')
            y += _BAR + _GAP
        y += 2 * _BAR
    return _frame(parts, y, f'T / T_curl, medians; &gt;: was stopped. {escape(note)}')


def _rates(timeline):
    """{'in': Mbit/s into all nodes by bin, 'hub': out of the Hub} of the timeline of a run."""
    nodes = [line['in'] for name, line in timeline.items() if name != 'hub']
    return {'in': [sum(rates) for rates in zip(*nodes)], 'hub': timeline.get('hub', {}).get('out', [])}


def timelines(cases, note=''):
    """An SVG: for each case in which it took part, what passed the links while the agents ran, and when each node was done."""
    parts, y = [], 20
    for case in cases:
        run = next((run for run in case['contestants'].get('agent', []) if 'timeline' in run), None)
        if not run:
            continue
        rates = _rates(run['timeline'])
        top = max([1, *rates['in'], *rates['hub']])
        step = _PLOT / max(1, len(rates['in']))
        base = y + 8 + _HIGH
        parts.append(f'<text x="8" y="{y}" font-weight="bold">{escape(case["title"])}</text>'
                     f'<text x="{_LABEL - 8}" y="{y + 18}" text-anchor="end">{top:.0f} Mbit/s</text>'
                     f'<path d="M{_LABEL} {base}H{_LABEL + _PLOT}" stroke="#888"/>'
                     f'<text x="{_LABEL + _PLOT}" y="{base + 13}" text-anchor="end">'
                     f'{len(rates["in"]) * run["bin_s"]:.1f} s</text>')
        for key, colour, _ in _LINES:
            points = ' '.join(f'{_LABEL + (place + 0.5) * step:.1f},{base - _HIGH * rate / top:.1f}'
                              for place, rate in enumerate(rates[key]))
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        for seconds in run['nodes'].values():
            x = _LABEL + seconds / run['bin_s'] * step
            parts.append(f'<path d="M{x:.1f} {base}v-6" stroke="#2ca02c"/>')
        y = base + 36
    legend = ''.join(f'<tspan fill="{colour}">{text}</tspan>, ' for _, colour, text in _LINES)
    return _frame(parts, y, f'{legend}<tspan fill="#2ca02c">a node is done</tspan>. {escape(note)}')
