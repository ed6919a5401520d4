#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""embed.py OUTPUT PAGE SCRIPT PO...: the page with its script and the script's translations, as lines of a C string, to be
included where a string may stand."""

import ast
import json
import re
import sys
from pathlib import Path

STRING = r'"(?:[^"\\]|\\.)*"'


def entries(po):
    """msgid: [msgstr, ...] of what is translated."""
    for block in po.split("\n\n"):
        if re.search("^#(?:~|, .*fuzzy)", block, re.M):
            continue
        found = {}
        for name, strings in re.findall(rf"^(msg\w+(?:\[\d\])?) ((?:{STRING}\s*)+)", block, re.M):
            found[name] = "".join(ast.literal_eval(string) for string in re.findall(STRING, strings))
        forms = [text for name, text in found.items() if name.startswith("msgstr")]
        if "msgid" in found and all(forms):
            yield found["msgid"], forms


def texts(script, paths):
    """JavaScript: language: {texts: {msgid: [forms]}, plural: which form is that of n}, of what the script says."""
    used = {ast.literal_eval(string) for string in re.findall(rf"\b(?:_|ngettext)\(({STRING})", script)}
    languages = []
    for path in paths:
        known = dict(entries(Path(path).read_text(encoding="utf-8")))
        plural = re.search(r"Plural-Forms:.*?plural=([^;]*);", known[""][0])[1]
        said = json.dumps({text: known.get(text, [text]) for text in sorted(used)})
        languages.append(f'{json.dumps(Path(path).stem.replace("_", "-"))}: {{ texts: {said}, plural: n => Number({plural}) }}')
    return '"use strict";\nconst texts = { ' + ", ".join(languages) + ' };\n'


page, script = (Path(path).read_text(encoding="utf-8") for path in sys.argv[2:4])
whole = page.replace("<script></script>", "<script>\n" + texts(script, sys.argv[4:]) + script + "</script>")
with open(sys.argv[1], "w", encoding="ascii") as out:
    for line in whole.splitlines(keepends=True):
        assert line.isascii(), line
        out.write(json.dumps(line) + "\n")
