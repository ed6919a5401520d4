#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""exoctl against a fake agent, on a private bus: test-exoctl.py EXOCTL FAKE_AGENT LOCALE_DIR

Run under dbus-run-session. Every command: text, --json, exit codes; no agent, no bus; a terminal."""

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unicodedata
import unittest
from fcntl import ioctl

EXOCTL, FAKE_AGENT, LOCALE_DIR = sys.argv[1:4]
TIMEOUT_S = 30
BASE_ENV = dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8", HF_HUB_CACHE="/elsewhere/hub")
BASE_ENV.pop("NO_COLOR", None)
BASE_ENV.pop("LANGUAGE", None)


def exoctl(*arguments, **env):
    return subprocess.run([EXOCTL, *arguments], env=dict(BASE_ENV, **env), timeout=TIMEOUT_S,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


def objects(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


class WithAgent(unittest.TestCase):
    wrong = []

    def setUp(self):
        self.agent = subprocess.Popen([FAKE_AGENT, *self.wrong], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        self.assertEqual(self.agent.stdout.readline(), "ready\n")

    def stop(self):
        self.agent.terminate()
        self.agent.wait(TIMEOUT_S)
        self.agent.stdout.close()

    def wait_for(self, process, text):
        for line in process.stdout:
            if text in line:
                return
        self.fail(f"no {text!r} before the end: {process.stderr.read()}")

    def check(self, result, code, stdout=None, stderr=None):
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        if stdout is not None:
            self.assertIn(stdout, result.stdout)
        if stderr is not None:
            self.assertIn(stderr, result.stderr)
        self.assertNotIn("\x1b", result.stdout + result.stderr)
        self.assertNotIn("CRITICAL", result.stderr)


class Pull(WithAgent):
    def test_plain_lines_tell_states_and_tenths(self):
        result = exoctl("pull", "org/ok")
        self.check(result, 0, "org/ok: transferring\n")
        self.assertRegex(result.stdout, r"org/ok: 50 % \(2\.50 GB of 5\.00 GB, 100 MB/s, 10 s left; "
                                        r"from Hub 625 MB, from neighbours 1\.87 GB \(75 %\)\)")
        self.assertRegex(result.stdout.splitlines()[-1], r"^org/ok: complete, 5\.00 GB in \d+ s, "
                         r"from Hub 1\.25 GB, from neighbours 3\.75 GB \(75 %\)$")

    def test_json_is_a_line_a_change_and_a_result(self):
        result = exoctl("pull", "org/ok", "--json")
        self.check(result, 0)
        lines = objects(result)
        self.assertGreater(len(lines), 5)
        self.assertTrue(all(line["event"] == "transfer" for line in lines[:-1]))
        done = [line["bytes_done"] for line in lines[:-1]]
        self.assertEqual(done, sorted(done))
        self.assertEqual((lines[-1]["event"], lines[-1]["exit"], lines[-1]["result"]), ("result", 0, "ok"))
        self.assertEqual(lines[-1]["transfer"]["bytes_total"], 5000000000)
        self.assertEqual(lines[-1]["transfer"]["state"], "complete")

    def test_failures_have_their_exit_codes(self):
        for name, code, word in (("NotFound", 4, "not-found"), ("Denied", 5, "denied"),
                                 ("Unreachable", 6, "network"), ("RateLimited", 6, "network"),
                                 ("NoSpace", 7, "disk"), ("Disk", 7, "disk"),
                                 ("Mismatch", 8, "mismatch"), ("Failed", 1, "failed")):
            with self.subTest(name):
                result = exoctl("pull", "org/" + name, "--json")
                self.check(result, code, stderr=f"org/{name}: It failed \\x1b[31mas told")
                self.assertEqual(objects(result)[-1]["result"], word)
                self.assertEqual(objects(result)[-1]["exit"], code)

    def test_refused_arguments_are_usage(self):
        self.check(exoctl("pull", "org/../x"), 2)
        self.check(exoctl("pull", "org/ok@"), 2, stderr="is not a model")
        self.check(exoctl("pull", "org/ok", "--type", "film"), 2, stderr="dataset")
        self.check(exoctl("pull", "org/ok", "--include", b"\xff"), 2, stderr="not UTF-8")
        self.check(exoctl("pull"), 2, stderr="Too few arguments")
        self.check(exoctl("pull", "a/b", "c/d"), 2, stderr="Too many arguments")
        self.check(exoctl("pull", "--nodes", "all", "a/b"), 2, stderr="--nodes")

    def test_detach_returns_at_once(self):
        self.check(exoctl("pull", "org/slow", "--detach", "--type", "dataset"), 0, "exoctl status 1")
        self.assertEqual(objects(exoctl("pull", "org/slow@v1", "--detach", "--json")),
                         [{"event": "started", "id": 2, "model": "org/slow"}])
        self.assertEqual([(t["type"], t["revision"]) for t in objects(exoctl("status", "--json"))],
                         [("dataset", "main"), ("model", "v1")])

    def test_interrupt_leaves_the_transfer(self):
        process = subprocess.Popen([EXOCTL, "pull", "org/slow"], env=BASE_ENV, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.wait_for(process, "transferring")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 130)
        self.assertIn("exoctl cancel 1", stderr)
        self.assertEqual(objects(exoctl("status", "1", "--json"))[0]["state"], "transferring")

    def test_cancel_by_someone_else_ends_it(self):
        process = subprocess.Popen([EXOCTL, "pull", "org/slow"], env=BASE_ENV, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.wait_for(process, "transferring")
        self.check(exoctl("cancel", "1"), 0, "org/slow: transfer 1 cancelled")
        _, stderr = process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 1)
        self.assertIn("was cancelled", stderr)

    def test_agent_that_stops_is_told(self):
        self.check(exoctl("pull", "org/die"), 3, stderr="The agent stopped")


class Others(WithAgent):
    def test_status(self):
        self.check(exoctl("status"), 0, "No transfers")
        exoctl("pull", "org/ok")
        self.check(exoctl("status"), 0, " 1  org/ok  main      complete  100 %  5.00 GB")
        one = exoctl("status", "1")
        self.check(one, 0, "模型-00001-of-00002.safetensors")
        self.check(one, 0, "bad\\x1b[2Jname.bin")
        self.assertEqual(objects(exoctl("status", "1", "--json"))[0]["files"][0],
                         {"path": "config.json", "bytes_total": 1000, "bytes_done": 1000, "state": "complete"})
        self.check(exoctl("status", "7"), 4, stderr="no transfer 7")
        self.check(exoctl("status", "x"), 2)

    def test_pause_resume_cancel(self):
        exoctl("pull", "org/slow", "--detach")
        self.check(exoctl("pause", "1"), 0, "org/slow: transfer 1 paused")
        self.check(exoctl("resume", "all"), 0, "org/slow: transfer 1 resumed")
        self.assertEqual(objects(exoctl("pause", "all", "--json")),
                         [{"event": "paused", "id": 1, "model": "org/slow"}])
        self.check(exoctl("cancel", "all"), 0, "cancelled")
        self.check(exoctl("cancel", "1"), 4)
        exoctl("pull", "org/ok")
        self.check(exoctl("pause", "2"), 9, stderr="org/ok is complete")
        self.check(exoctl("pause", "all"), 0)

    def test_nodes(self):
        result = exoctl("nodes")
        self.check(result, 0, "berta\\x1b[0m  connected     192.168.1.5:52418  eth1  no   idle")
        self.assertIn("exo on this machine: org/ok (idle)", result.stdout)
        self.assertLess(result.stdout.index("anna"), result.stdout.index("berta"))
        nodes = objects(exoctl("nodes", "--json"))
        self.assertEqual([node["self"] for node in nodes], [True, False])
        self.assertEqual(nodes[1]["rate_in"], 50000000)
        self.assertEqual(nodes[1]["models"], ["org/ok"])
        self.assertEqual([node["exo_state"] for node in nodes], ["idle", "idle"])
        self.assertEqual(nodes[0]["exo_models"], ["org/ok"])

    def test_models(self):
        self.check(exoctl("models"), 0, "org/ok  model  e69de29b  main  5.00 GB      3  2023-11-1")
        self.assertEqual(objects(exoctl("models", "list", "--json"))[0]["refs"], ["main"])
        self.check(exoctl("models", "rm", "org/ok"), 0, "org/ok: removed, 5.00 GB freed")
        self.assertEqual(objects(exoctl("models", "rm", "org/ok@v1", "--json"))[0]["bytes_freed"], 5000000000)
        self.check(exoctl("models", "verify", "org/ok"), 0, "12 files verified")
        self.check(exoctl("models", "rm"), 2)
        self.check(exoctl("models", "list", "org/ok"), 2)
        self.check(exoctl("models", "burn", "org/ok"), 2)

    def test_cache_and_env(self):
        self.check(exoctl("cache"), 0, "From neighbours  15.0 GB")
        cache = objects(exoctl("cache", "--json"))[0]
        self.assertEqual((cache["path"], cache["bytes"], cache["free"]),
                         ("/data/it's here/hub", 5000000000, 35000000000))
        line = exoctl("env")
        self.check(line, 0, "export HF_HUB_CACHE=")
        shown = subprocess.run(["sh", "-c", line.stdout + 'printf %s "$HF_HUB_CACHE"'],
                               capture_output=True, text=True, check=True)
        self.assertEqual(shown.stdout, "/data/it's here/hub")
        self.check(exoctl("env", HF_HUB_CACHE="/data/it's here/hub"), 0, "# Tools started")

    def test_limits(self):
        self.check(exoctl("limits"), 0, "hub-rate         off\n")
        result = exoctl("limits", "set", "hub-rate=20MB/s", "lan-upload-rate=400Mbit/s", "hub-connections=4",
                        "monthly-cap=500GB", "hub-hours=22:00-7:00")
        self.check(result, 0, "hub-rate         20.0 MB/s    exoctl\n")
        self.check(result, 0, "lan-upload-rate  50.0 MB/s    exoctl\n")
        self.check(result, 0, "monthly-cap      500 GB       exoctl\n")
        self.check(result, 0, "hub-hours        22:00-07:00  exoctl\nFrom the Hub this month: 0 B (0 %)\n")
        self.assertEqual(objects(exoctl("limits", "--json")),
                         [{"hub_rate": 20000000, "lan_upload_rate": 50000000, "hub_connections": 4,
                           "monthly_cap": 500000000000, "hub_hours": "22:00-07:00",
                           "set": ["hub-rate", "lan-upload-rate", "hub-connections", "monthly-cap", "hub-hours"],
                           "hub_bytes_this_month": 0, "hub_wait": "", "hub_wait_until": 0}])
        self.check(exoctl("limits", "set", "hub-hours=off", "hub-connections=off"), 0, "hub-hours        off        exoctl\n")
        reset = objects(exoctl("limits", "reset", "hub-rate", "monthly-cap", "--json"))[0]
        self.assertEqual((reset["hub_rate"], reset["set"]), (0, ["lan-upload-rate", "hub-connections", "hub-hours"]))
        self.assertEqual(objects(exoctl("limits", "reset", "--json"))[0]["set"], [])

    def test_limits_that_make_no_sense(self):
        for words, reason in ((["set"], "Say what to set"), (["show"], "exoctl limits set"),
                              (["set", "hub-rate"], "say it like hub-rate=20MB/s, or off"),
                              (["set", "hub-rate=20"], "hub-rate=20: say it like hub-rate=20MB/s"),
                              (["set", "hub-rate=20MB"], "20MB/s"), (["set", "hub-rate=1kB/s"], "hub-rate: from 100 kB/s"),
                              (["set", "monthly-cap=500"], "500GB"), (["set", "hub-connections=0"], "hub-connections=4"),
                              (["set", "hub-connections=65"], "from 1 to 64"),
                              (["set", "hub-hours=22-07"], "must be like 22:00-07:00"),
                              (["set", "hub-hours="], "hub-hours=22:00-07:00"),
                              (["set", "rate=20MB/s"], "There is no limit \"rate\". There are: hub-rate"),
                              (["set", "\x1b[2J=1"], "\\x1b[2J"), (["set", b"hub-hours=\xff"], "22:00-07:00"),
                              (["reset", "rate"], "There is no limit"), (["set"] + ["hub-rate=off"] * 11, "Too many")):
            with self.subTest(words):
                self.check(exoctl("limits", *words), 2, stderr=reason)
        self.assertEqual(objects(exoctl("limits", "--json"))[0]["set"], [])

    def test_doctor(self):
        self.check(exoctl("doctor"), 0, "[warn] hub      The Hub is slow\n                 Wait\n")
        self.assertEqual([finding["id"] for finding in objects(exoctl("doctor", "--json"))],
                         ["agent", "mdns", "hub"])

    def test_watch(self):
        process = subprocess.Popen([EXOCTL, "watch", "--json"], env=BASE_ENV, text=True, stdout=subprocess.PIPE)
        seen = []
        exoctl("pull", "org/ok", "--detach")
        while not seen or seen[-1].get("state") != "complete":
            seen.append(json.loads(process.stdout.readline()))
        exoctl("cancel", "1")
        while seen[-1]["event"] != "transfer-gone":
            seen.append(json.loads(process.stdout.readline()))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT_S)
        self.assertEqual(process.returncode, 130)
        self.assertEqual([line["event"] for line in seen[:2]], ["node", "node"])
        self.assertIn("verifying", [line.get("state") for line in seen])


class Wrong(WithAgent):
    wrong = ["a\x1bb.bin"]

    def test_wrong_files_are_a_mismatch(self):
        self.check(exoctl("models", "verify", "org/ok"), 8, "org/ok: a\\x1bb.bin: wrong", "exoctl pull org/ok")
        lines = objects(exoctl("models", "verify", "org/ok", "--json"))
        self.assertEqual(lines[0]["wrong"], ["a\x1bb.bin"])
        self.assertEqual(lines[-1]["exit"], 8)

    def test_doctor_fails_with_a_finding(self):
        self.check(exoctl("doctor"), 1, "[fail] disk")


class WithoutSession(unittest.TestCase):
    """exo-agent@.service has a bus of its own, and no session starts a second agent beside it."""

    # $1 and $2 are exoctl and the agent. The bus lies where the unit has it, for the root of a namespace of our own.
    SCRIPT = """
mount -t tmpfs none /run && mkdir -p /run/exo-agent/root || exit
dbus-daemon --session --nofork --nopidfile --address=unix:path=/run/exo-agent/root/bus &
until [ -S /run/exo-agent/root/bus ]; do sleep 0.05; done
if [ "$3" = agent ]; then
  DBUS_SESSION_BUS_ADDRESS=unix:path=/run/exo-agent/root/bus "$2" >/run/said &
  until grep -q ready /run/said; do sleep 0.05; done
fi
"$1" cache && DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent "$1" status
"""
    WORDS = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]

    def setUp(self):
        try:
            done = subprocess.run([*self.WORDS, "mount -t tmpfs none /run"], stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=TIMEOUT_S)
        except FileNotFoundError:
            self.skipTest("unshare is not installed")
        if done.returncode:
            self.skipTest("no namespaces here")

    def run_inside(self, *arguments):
        return subprocess.run([*self.WORDS, self.SCRIPT, "sh", EXOCTL, FAKE_AGENT, *arguments], env=BASE_ENV,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S)

    def test_the_agent_is_found_there_with_a_session_and_without(self):
        result = self.run_inside("agent")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("From neighbours  15.0 GB", result.stdout)
        self.assertIn("No transfers", result.stdout)

    def test_an_agent_that_is_not_ready_there_is_not_replaced(self):
        result = self.run_inside("none")
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn("systemctl status exo-agent@root", result.stderr)


class WithoutAgent(unittest.TestCase):
    def test_every_command_says_how_to_start_it(self):
        for command in (["pull", "a/b"], ["status"], ["nodes"], ["models"], ["watch"], ["pause", "1"],
                        ["resume", "1"], ["cancel", "1"], ["cache"], ["env"]):
            with self.subTest(command):
                result = exoctl(*command)
                self.assertEqual(result.returncode, 3)
                self.assertIn("systemctl --user start exo-agent", result.stderr)

    def test_json_has_the_reason_too(self):
        result = objects(exoctl("status", "--json"))[0]
        self.assertEqual((result["exit"], result["result"]), (3, "no-agent"))

    def test_no_bus(self):
        result = exoctl("status", DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent")
        self.assertEqual(result.returncode, 3)
        self.assertIn("There is no session bus", result.stderr)

    def test_doctor_looks_for_the_cause(self):
        result = exoctl("doctor", "--json", PATH="/nonexistent",
                        DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nonexistent")
        self.assertEqual(result.returncode, 3)
        self.assertEqual([(f["id"], f["status"]) for f in objects(result)[:-1]],
                         [("bus", "ok"), ("program", "fail"), ("service", "warn"), ("mdns", "warn")])

    def test_help(self):
        result = exoctl("help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("130  interrupted", result.stdout)
        self.assertEqual(exoctl("--help").stdout, result.stdout)
        self.assertEqual(exoctl("help", "help").stdout, result.stdout)
        self.assertEqual(exoctl().returncode, 2)
        commands, topics = (re.findall(r"^  ([a-z]+) +[A-Z]", part, re.M) for part in result.stdout.split("Topics:"))
        for topic in topics:
            with self.subTest(topic):
                self.assertRegex(exoctl("help", topic).stdout, r"\A(?s:.){80,}\n\Z")
        self.assertGreater(len(topics), 3)
        for command in commands:
            if command != "help":
                with self.subTest(command):
                    text = exoctl("help", command)
                    self.assertEqual(text.returncode, 0)
                    self.assertIn(f"exoctl {command}", text.stdout)
                    self.assertEqual(exoctl(command, "--help").stdout, text.stdout)
        self.assertEqual(exoctl("help", "nothing").returncode, 2)
        self.assertEqual(exoctl("nothing").returncode, 2)
        self.assertRegex(exoctl("--version").stdout, r"^exoctl \d+\.\d+\.\d+\n$")


def columns(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


class Locales(WithAgent):
    def setUp(self):
        super().setUp()
        exoctl("pull", "org/ok")

    def test_a_decimal_comma_is_for_people_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            try:
                subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", f"{folder}/de_DE.UTF-8"], check=True,
                               stderr=subprocess.DEVNULL)
            except (OSError, subprocess.CalledProcessError):
                self.skipTest("no localedef, or no source of de_DE")
            german = {"LC_ALL": "de_DE.UTF-8", "LOCPATH": folder}
            self.check(exoctl("status", **german), 0, "5,00 GB")
            for command in ("status", "--json"), ("status", "1", "--json"), ("cache", "--json"), ("nodes", "--json"):
                self.assertEqual(objects(exoctl(*command, **german)), objects(exoctl(*command)))

    def test_chinese_tables_are_aligned(self):
        result = exoctl("status", LANGUAGE="zh_CN", EXO_LOCALE_DIR=LOCALE_DIR)
        self.check(result, 0, "已完成")
        head, row = result.stdout.splitlines()
        self.assertEqual(columns(head[:head.index("状态")]), columns(row[:row.index("已完成")]))
        self.assertEqual(columns(head[:head.index("大小")]) + 4, columns(row[:row.index("GB")]) + 2)

    def test_json_is_the_same_in_chinese(self):
        for command in ("status", "--json"), ("status", "1", "--json"), ("models", "--json"), ("pause", "1", "--json"):
            chinese = exoctl(*command, LANGUAGE="zh_CN", EXO_LOCALE_DIR=LOCALE_DIR)
            same = [{k: v for k, v in line.items() if k != "message"} for line in objects(chinese)]
            plain = [{k: v for k, v in line.items() if k != "message"} for line in objects(exoctl(*command))]
            self.assertEqual(same, plain)


class Screen:
    """As much of a terminal as exoctl uses; fails on anything else."""

    def __init__(self, columns):
        self.columns, self.lines, self.row, self.column, self.frames = columns, [""], 0, 0, 0

    def put(self, char):
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[:self.column] + char + line[self.column + 1:]
        self.column += 1

    def feed(self, text):
        for match in re.finditer(r"\x1b\[(\??)(\d*)([A-Za-z])|(.)", text, re.S):
            number, letter, char = match.group(2), match.group(3), match.group(4)
            if char == "\n":
                self.row += 1
                if self.row == len(self.lines):
                    self.lines.append("")
            elif char == "\r":
                self.column = 0
            elif char:
                assert char.isprintable(), repr(char)
                self.put(char)
            elif letter == "A":
                self.row -= int(number)
                assert self.row >= 0
            elif letter == "K":
                self.lines[self.row] = self.lines[self.row][:self.column]
            elif letter == "J":
                self.lines[self.row] = self.lines[self.row][:self.column]
                del self.lines[self.row + 1:]
            elif letter in "hl":
                self.frames += letter == "h"
            else:
                assert letter == "m", match.group(0)


class Terminal(WithAgent):
    def spawn(self, *arguments, columns=80, rows=24, **env):
        pid, fd = pty.fork()
        if pid == 0:
            ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(EXOCTL, [EXOCTL, *arguments], dict(BASE_ENV, **env))
        return pid, fd

    def read(self, fd, until=None):
        data, end = b"", time.monotonic() + TIMEOUT_S
        while until is None or until not in data:
            self.assertTrue(select.select([fd], [], [], max(0, end - time.monotonic()))[0], data)
            try:
                chunk = os.read(fd, 65536)
            except OSError:
                break
            if not chunk:
                break
            data += chunk
        return data

    def finish(self, pid, fd):
        data = self.read(fd)
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), data

    def test_bars_come_and_go(self):
        for columns in (20, 40, 80, 200):
            with self.subTest(columns=columns):
                pid, fd = self.spawn("pull", "org/ok", "--include", str(columns), columns=columns)
                began = time.monotonic()
                code, data = self.finish(pid, fd)
                seconds = time.monotonic() - began
                self.assertEqual(code, 0)
                text = data.decode()
                screen = Screen(columns)
                screen.feed(text)
                self.assertLessEqual(screen.frames, 4 * seconds + 3)
                self.assertRegex(screen.lines[-2], "^org/ok: complete, 5.00 GB")
                self.assertIn("  bad\\x1b[2Jname.bin"[:columns - 1], screen.lines[0])
                if columns >= 80:
                    self.assertIn("█", text)
                    self.assertIn("型-00001-of-00002.safetensors", text)

    def test_no_colour_and_dumb_terminals_are_respected(self):
        pid, fd = self.spawn("pull", "org/ok", NO_COLOR="1")
        code, data = self.finish(pid, fd)
        self.assertEqual(code, 0)
        self.assertNotIn(b"\x1b[32m", data)
        pid, fd = self.spawn("pull", "org/ok", "--include", "x", TERM="dumb")
        code, data = self.finish(pid, fd)
        self.assertNotIn(b"\x1b", data)
        pid, fd = self.spawn("pull", "org/ok", "--include", "y", LC_ALL="C")
        code, data = self.finish(pid, fd)
        self.assertIn(b"####", data)

    def test_ctrl_c_leaves_a_clean_line(self):
        pid, fd = self.spawn("pull", "org/slow")
        self.read(fd, "40 %".encode())
        os.write(fd, b"\x03")
        code, data = self.finish(pid, fd)
        self.assertEqual(code, 130)
        self.assertRegex(data.decode(), r"\x1b\[J\x1b\[\?25hexoctl: The agent goes on with org/slow\.")

    def test_watch_shows_bars(self):
        exoctl("pull", "org/slow", "--detach")
        pid, fd = self.spawn("watch")
        self.read(fd, "1 under way, 1 neighbour\x1b".encode())
        os.write(fd, b"\x03")
        self.assertEqual(self.finish(pid, fd)[0], 130)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=2)
