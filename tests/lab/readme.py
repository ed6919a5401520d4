# SPDX-License-Identifier: Apache-2.0
"""The commands of the README, so that tests run what people read."""

import functools
import re
from pathlib import Path

_README = Path(__file__).resolve().parent.parent.parent / 'README.md'
# What is typed, where code in running text may be anything.
_TYPED = re.compile(r'(sudo|systemctl|avahi-browse|ss|journalctl|meson|packaging/\w+|tests/\w+/run) ')


def _blocks(text):
    """Commands of blocks: "$ ..." among output, with the lines they go on in, and indented lines."""
    fenced, open_line = False, ''
    for line in text.splitlines():
        if line.startswith('```'):
            fenced = not fenced
        elif fenced and (open_line or line.startswith('$ ')):
            open_line += line.removeprefix('$ ') if not open_line else '\n' + line
            if not open_line.endswith('\\') and open_line.count("'") % 2 == 0:
                yield open_line.replace('\\\n', '').strip()
                open_line = ''
        elif not fenced and re.match(r'    (  )?[^\s\[]', line) and not re.fullmatch(r'\s+\w+=\S+', line):
            yield line.strip()


@functools.cache
def commands():
    """All, once, in their order; without what is said of them."""
    text = _README.read_text(encoding='utf-8')
    prose = re.sub(r'^```(.|\n)*?^```|^    .*$', '', text, flags=re.M)
    inline = (' '.join(code.split()) for code in re.findall(r'`([^`]+)`', prose))
    found = [*_blocks(text), *(code for code in inline if _TYPED.match(code))]
    return list(dict.fromkeys(re.sub(r'  +#.*', '', command) for command in found))


def command(start):
    """The one that is this, or else starts so."""
    found = [one for one in commands() if one == start] or [one for one in commands() if one.startswith(start)]
    if len(found) != 1:
        raise AssertionError(f'README: {start}: {found}')
    return found[0]


def as_root(start):
    """The same for a shell that is root's."""
    return re.sub(r'\bsudo ', '', command(start))
