#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Texts for people: marked, listed, translated: test-texts.py SOURCE_ROOT LOCALE_DIR EXOCTL

LOCALE_DIR is the po folder of the build. What fails says what to do; mostly: mark the text with _(), then
meson compile -C build exo-agent-update-po, then translate what is new in po/*.po."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import unittest
from pathlib import Path

ROOT, LOCALE_DIR, EXOCTL = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
UPDATE = "run: meson compile -C build exo-agent-update-po, then translate what is new in po/*.po"
STRING = r'"(?:[^"\\]|\\.)*"'
# Calls whose text reaches a person, or may.
CALLS = re.compile(r"\b(g_print|g_printerr|exo_print|exo_print_field|print_field|print_size|print_finding|g_set_error|"
                   r"g_set_error_literal|g_error_new|g_error_new_literal|g_prefix_error|g_strdup_printf|"
                   r"g_string_append_printf|fprintf|g_option_context_new|notice_new|add_button) \(")
# As it is in every language: names of programs and variables, codes of --json.
SAME = re.compile(r"^(exoctl|exo-tray|export|bus|program|service|mdns|agent|ok|warn|fail|help|pause|resume|cancel|transfer"
                  r"|transfer\.\w+|device\.error|HF_\w+|[\s\W])*$")


def sources(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.c"))


def listed():
    return [line for line in (ROOT / "po/POTFILES").read_text().splitlines() if line and line[0] != "#"]


def languages():
    return [line for line in (ROOT / "po/LINGUAS").read_text().splitlines() if line and line[0] != "#"]


def tool(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def arguments(text, start):
    """The text between the parenthesis that opens before start and its end."""
    depth, at = 1, start
    while depth and at < len(text):
        string = re.compile(STRING).match(text, at)
        if string:
            at = string.end()
            continue
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return text[start:at - 1]


def unmarked(text):
    """Literals of more than names and placeholders that no _(), N_() or ngettext() is around."""
    rest = re.sub(r"\b(?:_|N_|ngettext) \((?:[^()\"]|" + STRING + r"|\([^()]*\))*\)", "", text)
    rest = re.sub(r"\b(?:g_str_equal|g_strcmp0) \([^\"]*" + STRING + r"\)", "", rest)
    for literal in re.findall(STRING, rest):
        plain = re.sub(r"%[-+ #0-9.*]*(?:l|ll|z)?[a-zA-Z%]|\\x1b\[[^ ]*|\\.", " ", literal[1:-1])
        if re.search("[A-Za-z]{2}", plain) and not SAME.match(plain):
            yield literal


def columns(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


class Catalogue(unittest.TestCase):
    def test_every_text_is_in_every_language(self):
        with tempfile.TemporaryDirectory() as folder:
            pot = os.path.join(folder, "texts.pot")
            tool("xgettext", "--from-code=UTF-8", "--files-from=po/POTFILES", f"--output={pot}", "--keyword=_", "--keyword=N_",
                 "--keyword=ngettext:1,2")
            for language in languages():
                merged = os.path.join(folder, "merged.po")
                tool("msgmerge", "--quiet", f"--output-file={merged}", f"po/{language}.po", pot)
                for kind in "--untranslated", "--only-fuzzy":
                    left = tool("msgattrib", kind, "--no-obsolete", merged)
                    self.assertEqual(left, "", f"{language}: texts are new or have changed; {UPDATE}")

    def test_translations_keep_the_placeholders(self):
        for language in languages():
            tool("msgfmt", "--check", "--output-file=/dev/null", f"po/{language}.po")

    def test_every_marked_source_is_listed(self):
        marked = [str(path.relative_to(ROOT)) for path in sources("agent", "discovery", "transfer", "tray")
                  if re.search(r"\b(?:_|N_|ngettext) \(\s*\"", path.read_text())]
        self.assertEqual(sorted(listed()), marked, "po/POTFILES has to list these, and no others")


class Marks(unittest.TestCase):
    def test_what_people_read_is_marked(self):
        found = []
        for path in sources("agent/ctl", "tray"):
            text = re.sub(r"/\*.*?\*/", " ", path.read_text(), flags=re.S)
            for call in CALLS.finditer(text):
                found += [f"{path.relative_to(ROOT)}: {literal}" for literal in unmarked(arguments(text, call.end()))]
        self.assertEqual(found, [], "mark with _() or ngettext(), then " + UPDATE)


class Programs(unittest.TestCase):
    def exoctl(self, *words, **env):
        base = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
        return subprocess.run([EXOCTL, *words], capture_output=True, text=True, check=False, encoding="utf-8",
                              env={**base, "LC_ALL": "C.UTF-8", "EXO_LOCALE_DIR": str(LOCALE_DIR), **env}).stdout

    def test_help_is_in_chinese(self):
        for words in ("help",), ("pull", "--help"):
            self.assertRegex(self.exoctl(*words, LANGUAGE="zh_CN"), "[\u4e00-\u9fff]{4}")
            self.assertNotRegex(self.exoctl(*words), "[\u4e00-\u9fff]")

    def test_the_list_of_commands_stays_aligned(self):
        lines = [line for line in self.exoctl("help", LANGUAGE="zh_CN").splitlines() if re.match("  [a-z]+ ", line)]
        starts = {columns(re.match(r"  [a-z]+ +", line).group()) for line in lines}
        self.assertEqual((len(lines) > 10, len(starts)), (True, 1), lines)

    def test_the_codes_of_exit_are_the_same_everywhere(self):
        names = [re.findall(r"^ +(\d+)  ([a-z-]+)", self.exoctl("help", **env), re.M) for env in ({}, {"LANGUAGE": "zh_CN"})]
        self.assertEqual(len(names[0]), 11)
        self.assertEqual(*names)


if __name__ == "__main__":
    for name in "xgettext", "msgmerge", "msgattrib", "msgfmt":
        if not shutil.which(name):
            print(f"skipped: there is no {name}")
            sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
