# SPDX-License-Identifier: Apache-2.0
"""Runs to medians, medians to a table."""

import statistics

_COLUMNS = ('contestant', 'runs', 'first s', 'median s', 'last s', 'T/T_curl', 'worst', 'spread', 'hub/F', 'CPU s/GB', 'peak MB',
            '1st byte s', 'busy', 'others')


def middle(values):
    return statistics.median(values)


def row(contestant, runs):
    """One line of the table from the runs of one contestant in one scenario."""
    def of(key):
        return [run[key] for run in runs]
    ratios = of('ratio')
    more = '>' if any(of('stopped')) else ''
    return (contestant, str(len(runs)), *(f'{middle(of(key)):.2f}' for key in ('first', 'median')),
            f'{more}{middle(of("last")):.2f}', f'{more}{middle(ratios):.3f}', f'{max(ratios):.3f}',
            f'{100 * spread(ratios):.1f} %',
            f'{middle(of("hub_copies")):.4f}', f'{middle(of("cpu_s_per_gb")):.2f}',
            f'{max(of("peak_mb")):.1f}', f'{middle(of("first_byte_s")):.2f}', f'{100 * middle(of("busy")):.0f} %',
            f'{100 * middle(of("others")):.0f} %')


def spread(values):
    """How far the worst is from the median, as a part of it."""
    centre = middle(values)
    return max(abs(value - centre) for value in values) / centre if centre else 0.0


def figures(found):
    """Lines of [{name: value}] that are not compared with anything."""
    return ['  ' + ', '.join(f'{key} {value}' for key, value in one.items()) for one in found]


def table(cases):
    """Text of all cases: [{'title', 'contestants': {name: [run]}}]. A > stands before what was stopped: it takes longer."""
    parts = []
    for case in cases:
        parts.append(case['title'])
        parts += figures(case.get('figures', []))
        rows = [_COLUMNS] + [row(name, runs) for name, runs in case['contestants'].items() if runs]
        widths = [max(len(line[column]) for line in rows) for column in range(len(_COLUMNS))]
        parts += ['  ' + '  '.join(cell.ljust(width) if place == 0 else cell.rjust(width)
                                   for place, (cell, width) in enumerate(zip(line, widths)))
                  for line in rows if len(rows) > 1]
        parts += [f'  {name}: failed, {why.splitlines()[0]}' for name, why in case.get('failed', {}).items()]
        parts += [f'  {name}: skipped, {why}' for name, why in case.get('skipped', {}).items()]
        parts.append('')
    return '\n'.join(parts)
