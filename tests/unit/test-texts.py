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
# The same in the agent: errors, findings and warnings, which clients show as they are.
TOLD = re.compile(r"\b(g_set_error|g_set_error_literal|g_error_new|g_error_new_literal|g_prefix_error|g_task_return_new_error|fail|"
                  r"fail_errno|finding_new|add|refuse|invalid|not_a_manifest|exo_store_errno|exo_engine_warn|exo_swarm_warn) \(")
# What machines say to each other, and programs to the endpoint, is for the log, which is English.
LOGGED = re.compile(r"discovery/|transfer/(exo-work|record|listing|endpoint/route|swarm/(wire-\w+|session|announcer|piece-map)|http/(piece-client|(lan|local)-\w+))\.c$")
CODE = re.compile(r'^"[a-z-]+"$')  # a kind of finding, a key of the key file
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
            for entry in (ROOT / f"po/{language}.po").read_text().split("\n\n"):  # msgfmt does not know those of page.js
                text, translation = entry.split("\nmsgstr", 1)
                self.assertEqual(set(re.findall(r"{\d}", text)), set(re.findall(r"{\d}", translation)), entry)

    def test_what_is_translated_at_build_time_is_in_every_language(self):
        named = re.search(r"po_files = files\((.*)\)", (ROOT / "meson.build").read_text())[1]
        self.assertEqual(re.findall(r"po/(\w+)\.po", named), languages())

    def test_every_marked_source_is_listed(self):
        marked = [str(path.relative_to(ROOT)) for path in sources("agent", "discovery", "transfer", "tray")
                  if re.search(r"\b(?:_|N_|ngettext) \(\s*\"", path.read_text())]
        others = [name for name in listed() if not name.endswith(".c")]
        self.assertEqual(sorted(others), ["transfer/endpoint/page.js", "tray/exo-tray.desktop.in", "tray/org.exo.tray.metainfo.xml.in"])
        self.assertEqual(sorted(set(listed()) - set(others)), marked, "po/POTFILES has to list these, and no others")


class Marks(unittest.TestCase):
    def test_what_people_read_is_marked(self):
        found = []
        for path in sources("agent/ctl", "tray"):
            text = re.sub(r"/\*.*?\*/", " ", path.read_text(), flags=re.S)
            for call in CALLS.finditer(text):
                found += [f"{path.relative_to(ROOT)}: {literal}" for literal in unmarked(arguments(text, call.end()))]
        self.assertEqual(found, [], "mark with _() or ngettext(), then " + UPDATE)


    def test_what_the_agent_tells_is_marked(self):
        found = []
        for path in sources("agent", "discovery", "transfer"):
            name = str(path.relative_to(ROOT))
            if name.startswith("agent/ctl/") or LOGGED.match(name):
                continue
            text = re.sub(r"/\*.*?\*/", " ", path.read_text(), flags=re.S)
            for call in TOLD.finditer(text):
                said = arguments(text, call.end())
                # Nobody reads why a thing stopped that he has stopped himself.
                if "ERROR_CANCELLED" not in said:
                    found += [f"{name}: {literal}" for literal in unmarked(said) if not CODE.match(literal)]
        self.assertEqual(found, [], "mark with _() or ngettext(), then " + UPDATE)

    def test_what_the_dashboard_says_is_marked(self):
        html = re.sub(r"<style>.*</style>|<title>.*?</title>|<[^>]*>", " ", (ROOT / "transfer/endpoint/page.html").read_text(), flags=re.S)
        self.assertEqual(html.replace("exo-agent", "").strip(), "", "page.js says it, so that it can be translated")
        script = re.sub(r"/\*.*?\*/", " ", (ROOT / "transfer/endpoint/page.js").read_text(), flags=re.S)
        said = re.sub(rf"\b(?:_|ngettext)\({STRING}(?:, {STRING})?", "", script)
        # A capital letter, or two words: the rest are names of elements, classes and fields.
        found = [text for text in re.findall(STRING, said) if re.search(r'^"\W*[A-Z][a-z]|[A-Za-z]{2,} [A-Za-z]{2,}', text)
                 and text not in ('"dim clamp"', '"export HF_ENDPOINT="')]
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
