# SPDX-License-Identifier: Apache-2.0
"""Bars of T / T_curl as SVG, by hand: three shapes need no library."""

import statistics
from xml.sax.saxutils import escape

_WIDTH, _LABEL, _BAR, _GAP = 720, 150, 16, 6
_COLOURS = {'agent': '#1f77b4', 'one curl': '#bbbbbb'}


def bars(cases, note=''):
    """An SVG: for each case a block, for each contestant a bar as long as its median T / T_curl."""
    found = [(case['title'], {name: statistics.median(run['ratio'] for run in runs)
                              for name, runs in case['contestants'].items() if runs}) for case in cases]
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
                         f'<text x="{_LABEL + ratio * scale + 6:.1f}" y="{y + _BAR - 4}">{ratio:.2f}</text>')
            y += _BAR + _GAP
        y += 2 * _BAR
    parts.append(f'<text x="8" y="{y}">T / T_curl, medians. {escape(note)}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y + 12}" font-family="sans-serif" '
            f'font-size="12"><rect width="100%" height="100%" fill="white"/>\n' + '\n'.join(parts) + '\n</svg>\n')
