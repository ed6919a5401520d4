#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manuals and completions say what the programs do: test-manuals.py SOURCE_ROOT DBUS_PAGE FAKE_AGENT PROGRAM...

Under dbus-run-session. PROGRAM: exo-agent, exoctl, and exo-tray where it is built."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as etree
from pathlib import Path

ROOT, DBUS_PAGE, FAKE_AGENT = (Path(word) for word in sys.argv[1:4])
PROGRAMS = {Path(word).name: word for word in sys.argv[4:]}
PAGES = [*sorted((ROOT / "packaging/man").glob("*.[15]")), DBUS_PAGE]
COMPLETIONS = ROOT / "packaging/completions"
ENV = dict(os.environ, LC_ALL="C.UTF-8", PATH=f"{Path(PROGRAMS['exoctl']).parent}:{os.environ['PATH']}")
ENV.pop("LANGUAGE", None)


def run(*words, **env):
    return subprocess.run([str(word) for word in words], env={**ENV, **env}, stdin=subprocess.DEVNULL, timeout=60,
                          capture_output=True, text=True, check=False)


def page(name):
    return next(path for path in PAGES if path.name == name).read_text()


def part(text, macro, title):
    """The lines of a section (Sh) or subsection (Ss)."""
    end = r"^\.Sh |\Z" if macro == "Sh" else r"^\.S[hs] |\Z"
    found = re.search(rf"^\.{macro} {title}$\n(.*?)(?={end})", text, re.M | re.S)
    return found[1] if found else ""


def options_of_page(text):
    """-c and --config of ".It Fl c Ar FILE , Fl -config Ns = Ns Ar FILE"."""
    return {"-" + name for line in re.findall(r"^\.It (Fl .*)$", text, re.M) for name in re.findall(r"Fl (\S+)", line)}


def options_of_help(text):
    return {name for line in re.findall(r"^  (-\S.*?)(?:  .*)?$", text, re.M) for name in re.findall(r"(?<!\S)--?[a-z][a-z-]*", line)}


class Manuals(unittest.TestCase):
    def test_mandoc_has_nothing_to_say(self):
        if not shutil.which("mandoc"):
            self.skipTest("there is no mandoc")
        ours = {path.stem for path in PAGES}
        for path in PAGES:
            said = [line for line in run("mandoc", "-T", "lint", "-W", "style", path).stdout.splitlines()
                    if not ((other := re.search(r"referenced manual not found: Xr (\S+) \d", line)) and other[1] in ours)]
            self.assertEqual(said, [], path.name)

    def test_every_program_has_a_page_with_its_options(self):
        for name in PROGRAMS:
            if name != "exoctl":
                shown = options_of_help(run(PROGRAMS[name], "--help").stdout)
                self.assertGreater(len(shown), 1)
                self.assertEqual(options_of_page(page(f"{name}.1")), shown, name)

    def test_exoctl_has_the_commands_and_topics_of_its_page(self):
        text, overview = page("exoctl.1"), run(PROGRAMS["exoctl"], "help").stdout
        commands, topics = (re.findall(r"^  ([a-z]+) +[A-Z]", half, re.M) for half in overview.split("Topics:"))
        self.assertGreater(len(commands), 10)
        self.assertEqual(re.findall(r"^\.Ss (\w+)$", part(text, "Sh", "COMMANDS"), re.M), commands)
        self.assertEqual(re.findall(r"^\.Cm (\w+) [,.]$", part(text, "Ss", "help"), re.M), topics)
        for command in commands[:-1]:
            with self.subTest(command):
                shown = options_of_help(run(PROGRAMS["exoctl"], "help", command).stdout) - {"-h", "--help"}
                self.assertEqual(options_of_page(part(text, "Ss", command)), shown)

    def test_the_exit_codes_are_those_of_help(self):
        rows = re.findall(r"^ +(\d+)  ([a-z-]+) +(.*)$", run(PROGRAMS["exoctl"], "help").stdout, re.M)
        self.assertGreater(len(rows), 9)
        shown = re.findall(r"^\.It (\d+)$\n(.*)$", part(page("exoctl.1"), "Sh", "EXIT STATUS"), re.M)
        self.assertEqual(shown, [(code, f"{meaning[0].upper()}{meaning[1:]}.") for code, _, meaning in rows])
        readme = (ROOT / "README.md").read_text()
        self.assertEqual(re.findall(r"^\| (\d+) \| ([a-z-]+) \| (.*) \|$", readme, re.M), rows)
        code = (ROOT / "agent/ctl/ctl.h").read_text()
        self.assertEqual(re.findall(r"^  EXO_EXIT_\w+ = (\d+),", code, re.M), [code for code, _, _ in rows])

    def test_the_key_file_has_the_keys_of_the_code(self):
        text, code = page("exo-agent.conf.5"), (ROOT / "agent/config.c").read_text()
        groups = {group: set(re.findall(r'"([a-z-]+)"', keys))
                  for group, keys in re.findall(r'\{ "([a-z]+)",\s+\{ ("[^}]*") \} \}', code)}
        self.assertGreater(len(groups), 5)
        documented = {group: set(re.findall(r"^\.It Cm (\S+)$", part(text, "Ss", f"Group {group}"), re.M)) for group in groups}
        self.assertEqual(documented, groups)
        self.assertEqual(len(re.findall(r"^\.Ss Group ", text, re.M)), len(groups))
        table, group = {}, ""
        for named, key in re.findall(r"^\| (?:`\[([a-z]+)\]` )?\| `([a-z-]+)` \|", (ROOT / "README.md").read_text(), re.M):
            group = named or group
            table.setdefault(group, set()).add(key)
        self.assertEqual(table, groups, "README.md")

    def test_the_defaults_are_those_of_the_code(self):
        header = (ROOT / "agent/config.h").read_text()
        for group, key, name in ("lan", "port", "PORT"), ("endpoint", "port", "ENDPOINT_PORT"), ("exo", "api", "EXO_PORT"):
            value = re.search(rf"EXO_CONFIG_{name}_DEFAULT +(\d+)u", header)[1]
            entry = re.search(rf"^\.It Cm {key}$(.*?)(?=^\.It|^\.El)", part(page("exo-agent.conf.5"), "Ss", f"Group {group}"), re.M | re.S)[1]
            self.assertIn(f"Default: {value}.", entry)

    def test_the_interface_is_documented_member_by_member(self):
        text = DBUS_PAGE.read_text()
        for interface in etree.parse(ROOT / "agent/org.exo.Agent1.xml").getroot():
            name = interface.get("name")
            members = [(member.get("name"), member.tag) for member in interface]
            shown = re.findall(r"^\.It Sy (\w+) No (\w+)", part(text, "Ss", re.escape(name)), re.M)
            self.assertEqual(shown, members, name)


class Completions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.agent = subprocess.Popen([FAKE_AGENT], stdout=subprocess.PIPE, text=True)
        assert cls.agent.stdout.readline() == "ready\n"
        run(PROGRAMS["exoctl"], "pull", "org/ok", "--detach")

    @classmethod
    def tearDownClass(cls):
        cls.agent.terminate()
        cls.agent.wait(30)
        cls.agent.stdout.close()

    def need(self, shell):
        if not shutil.which(shell):
            self.skipTest(f"there is no {shell}")

    def bash(self, *words):
        quoted = " ".join(f"'{word}'" for word in words)
        script = (f". {COMPLETIONS}/exoctl.bash; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _exoctl; "
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = run("bash", "--norc", "-c", script)
        self.assertEqual(done.stderr, "")
        return set(done.stdout.split())

    def zsh(self, *words):
        quoted = " ".join(f"'{word}'" for word in words)
        script = (f"_describe() {{ print -rl -- ${{(P)2}} }}; words=({quoted}); CURRENT={len(words)}; . {COMPLETIONS}/_exoctl")
        done = run("zsh", "-f", "-c", script)
        self.assertEqual(done.stderr, "")
        # _describe has all, and chooses by what is typed.
        return {line.split(":")[0] for line in done.stdout.splitlines() if line.startswith(words[-1])}

    def fish(self, *words):
        with tempfile.TemporaryDirectory() as home:
            done = run("fish", "-N", "-c", f"source {COMPLETIONS}/exoctl.fish; complete -C '{' '.join(words)}'", HOME=home,
                       XDG_CONFIG_HOME=home, XDG_DATA_HOME=home)
        self.assertEqual(done.stderr, "")
        return {line.split("\t")[0] for line in done.stdout.splitlines()}

    def check(self, complete):
        commands = set(re.findall(r"^  ([a-z]+) +[A-Z]", run(PROGRAMS["exoctl"], "help").stdout.split("Topics:")[0], re.M))
        options = {name for name in options_of_help(run(PROGRAMS["exoctl"], "help", "pull").stdout) if name.startswith("--")}
        self.assertEqual(complete("exoctl", ""), commands | {"--help", "--version"})
        self.assertEqual(complete("exoctl", "pa"), {"pause"})
        self.assertEqual(complete("exoctl", "pull", "--"), options)
        self.assertEqual(complete("exoctl", "pull", "o"), {"org/ok"})
        self.assertEqual(complete("exoctl", "pull", "--type", ""), {"model", "dataset", "space"})
        self.assertEqual(complete("exoctl", "pause", ""), {"1", "all"})
        self.assertEqual(complete("exoctl", "status", ""), {"1"})
        self.assertEqual(complete("exoctl", "models", ""), {"list", "rm", "verify"})
        self.assertEqual(complete("exoctl", "models", "rm", ""), {"org/ok"})
        self.assertEqual(complete("exoctl", "limits", ""), {"set", "reset"})
        self.assertEqual(complete("exoctl", "limits", "reset", "hub-"), {"hub-rate", "hub-connections", "hub-hours"})
        self.assertIn("monthly-cap", {name.rstrip("=") for name in complete("exoctl", "limits", "set", "m")})
        self.assertEqual(complete("exoctl", "help", "he"), {"headless", "help"})

    def test_bash(self):
        self.check(self.bash)
        # As readline has it.
        self.assertEqual(self.bash("exoctl", "pull", "--type", "=", "da"), {"dataset"})
        self.assertEqual(self.bash("exoctl", "pull", "--type", "="), {"model", "dataset", "space"})
        self.assertEqual(self.bash("exoctl", "limits", "set", "hub-rate", "="), set())
        self.assertEqual(self.bash("exoctl", "limits", "set", "hub-rate", "=", "h"), set())

    def test_zsh(self):
        self.need("zsh")
        self.check(self.zsh)

    def test_fish(self):
        self.need("fish")
        self.check(self.fish)

    def test_without_an_agent_nothing_is_said(self):
        for bus in "unix:path=/nonexistent", "":
            done = run("bash", "--norc", "-c", f". {COMPLETIONS}/exoctl.bash; COMP_WORDS=(exoctl pull ''); COMP_CWORD=2; _exoctl; "
                       'echo "${#COMPREPLY[@]}"', DBUS_SESSION_BUS_ADDRESS=bus, XDG_RUNTIME_DIR="/nonexistent")
            self.assertEqual((done.stdout, done.stderr), ("0\n", ""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
