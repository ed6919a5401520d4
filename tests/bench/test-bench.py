#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pure parts of the benchmark: scenarios, what /proc says, medians."""

import hashlib
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lab")]

import contestants  # noqa: E402
import measure  # noqa: E402
import metainfo  # noqa: E402
import plot  # noqa: E402
import presets  # noqa: E402
import report  # noqa: E402
import runner  # noqa: E402
import scenarios  # noqa: E402
import sparse  # noqa: E402

FILES = ["a.safetensors", "b.safetensors", "c.safetensors", "config.json"]


class Cleaning(unittest.TestCase):
    def test_what_a_contestant_started_ends_with_it_children_included(self):
        lab = type("Lab", (), {"sample": None, "hosts": []})()
        contestant = contestants.Contestant(lab, None)
        for jobs in (lambda child: contestant.jobs.update(one=child), contestant.servers.append):
            child = subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, start_new_session=True)
            grandchild = int(child.stdout.readline())
            child.stdout.close()
            jobs(child)
            self.assertTrue(lives(grandchild))
            contestant.clean()
            contestant.jobs.clear()
            deadline = time.monotonic() + 10
            while lives(grandchild) and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertFalse(lives(grandchild))


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


class Scenarios(unittest.TestCase):
    def test_the_narrowest_link_sets_the_ideal(self):
        self.assertEqual(scenarios.make("cold", 8, 400, 0.5).ideal(100), 4.0)
        self.assertEqual(scenarios.make("seed", 8, 400).ideal(100), 2.0)
        self.assertEqual(scenarios.make("pair", 8).ideal(100), 0.0)

    def test_a_seeder_receives_nothing(self):
        self.assertEqual(scenarios.make("seed", 3).receivers, [1, 2])
        self.assertEqual(scenarios.make("cold", 3).receivers, [0, 1, 2])

    def test_half_the_nodes_join_at_half_time(self):
        late = scenarios.make("late", 4, 400, 0.5)
        self.assertEqual(runner.events(late, 100), [(0, "start", 0), (0, "start", 1), (2, "start", 2), (2, "start", 3)])

    def test_who_dies_returns(self):
        churn = scenarios.make("churn", 23, 400, 0.5)
        found = runner.events(churn, 1000)
        self.assertEqual([event for event in found if event[1] == "kill"], [(12, "kill", 21), (12, "kill", 22)])
        self.assertEqual([event for event in found if event[0] > 12], [(20, "start", 21), (20, "start", 22)])

    def test_shared_wishes_overlap_and_cover_all(self):
        shared = scenarios.make("shared", 4)
        wishes = [shared.wanted(index, FILES) for index in range(4)]
        self.assertEqual(wishes[0], ["b.safetensors", "c.safetensors", "config.json"])
        self.assertEqual(wishes[3], wishes[0])
        self.assertEqual(set().union(*wishes), set(FILES))
        self.assertEqual(scenarios.make("cold", 4).wanted(0, FILES), FILES)

    def test_mixed_has_three_speeds_and_a_straggler(self):
        mixed = scenarios.make("mixed", 4, 400)
        self.assertEqual([mixed.rate(index) for index in range(4)], [400, 200, 100, 40])
        self.assertEqual(mixed.stragglers, [3])
        self.assertEqual(scenarios.make("cold", 4, 400).stragglers, [])

    def test_what_makes_no_sense_is_refused(self):
        with self.assertRaises(ValueError):
            scenarios.make("warm", 4)
        with self.assertRaises(ValueError):
            scenarios.make("cold", 1)


class Measure(unittest.TestCase):
    def test_net_dev(self):
        text = "Inter-| x\n face |y\n    lo: 5 1 0 0 0 0 0 0 6 1 0 0 0 0 0 0\np-node1:70 1 0 0 0 0 0 0 80 1 0 0 0 0 0 0\n"
        self.assertEqual(measure.parse_net_dev(text), {"lo": (5, 6), "p-node1": (70, 80)})

    def test_waiting_for_a_disk_is_not_busy(self):
        busy, total = measure.parse_stat_cpu("cpu  100 0 200 600 50 0 30 20 0 0\ncpu0 1 1\n")
        self.assertAlmostEqual(busy * measure.TICK, 350)
        self.assertAlmostEqual(total * measure.TICK, 1000)

    def test_cpu_of_a_process_whose_name_has_blanks_and_brackets(self):
        stat = "7 (a) b)) S " + " ".join(["0"] * 10) + " 100 200 30 4 20 0"
        self.assertAlmostEqual(measure.parse_pid_cpu(stat) * measure.TICK, 334)
        self.assertAlmostEqual(measure.parse_pid_cpu(stat, children=False) * measure.TICK, 300)

    def test_bins_are_rates(self):
        self.assertEqual(measure.bins([(0.0, 10), (0.5, 15), (1.0, 20), (2.0, 20)], 1.0), [80.0, 0.0])
        self.assertEqual(measure.bins([], 1.0), [])

    def test_the_first_byte_counts_from_the_start_of_its_node(self):
        meter = measure.Meter.__new__(measure.Meter)
        meter.began = 100.0
        meter.links = [(0.0, {"p": (0, 500)}), (1.0, {"p": (0, 600)}), (2.0, {"p": (0, 600 + measure.FIRST - 1)}),
                       (3.0, {"p": (0, 600 + measure.FIRST)})]
        host = type("Host", (), {"port": "p"})
        self.assertEqual(meter.first_byte(host, 101.5), 1.5)
        self.assertIsNone(meter.first_byte(host, 102.5))


class Report(unittest.TestCase):
    def test_medians_and_spread(self):
        self.assertAlmostEqual(report.spread([1.0, 1.1, 1.0]), 0.1)
        self.assertEqual(report.spread([2.0]), 0.0)

    def test_stragglers_are_not_judged(self):
        self.assertEqual(runner.summary({"a": 1, "b": 3, "c": 99}, {"a", "b"}), {"first": 1, "median": 2, "last": 3})

    def test_a_table_names_what_was_skipped_and_what_failed(self):
        run = {"first": 1, "median": 2, "last": 3, "ratio": 1.5, "hub_copies": 1, "cpu_s_per_gb": 2, "peak_mb": 10,
               "first_byte_s": 0.1, "busy": 0.5, "others": 0.1, "stopped": False}
        text = report.table([{"title": "cold", "contestants": {"agent": [run]}, "skipped": {"aria2": "not installed"},
                              "failed": {"rsync": "exit 1\nmore"}}])
        self.assertIn("  agent          1     1.00      2.00    3.00     1.500", text)
        self.assertIn("  aria2: skipped, not installed", text)
        self.assertIn("  rsync: failed, exit 1\n", text)

    def test_what_was_stopped_is_marked(self):
        run = {"first": 1, "median": 2, "last": 3, "ratio": 2, "hub_copies": 1, "cpu_s_per_gb": 2, "peak_mb": 10,
               "first_byte_s": 0.1, "busy": 0.5, "others": 0.1, "stopped": True}
        self.assertIn("   2.00   >3.00    >2.000", report.table([{"title": "cold", "contestants": {"curl": [run]}}]))

    def test_figures_stand_alone(self):
        case = {"title": "meet", "contestants": {}, "figures": [{"met_s": 0.5}]}
        self.assertEqual(report.table([case]), "meet\n  met_s 0.5\n")

    def test_a_timeline_has_two_lines_and_a_mark_for_each_node(self):
        run = {"timeline": {"a": {"in": [10, 30], "out": [0, 0]}, "b": {"in": [20, 30], "out": [9, 9]},
                            "hub": {"in": [0, 0], "out": [15, 5]}}, "bin_s": 0.5, "nodes": {"a": 0.9, "b": 1.0}}
        root = ElementTree.fromstring(plot.timelines([{"title": "t", "contestants": {"agent": [run]}},
                                                      {"title": "none", "contestants": {}}], "x & y"))
        lines = [shape for shape in root if shape.tag.endswith("polyline")]
        self.assertEqual(len(lines), 2)
        highest = [min(float(point.split(",")[1]) for point in line.get("points").split()) for line in lines]
        self.assertEqual(highest[1] - highest[0], 67.5)  # 60 Mbit/s into all is the top of 90, 15 out of the Hub a quarter
        self.assertEqual(sum(shape.get("stroke") == "#2ca02c" for shape in root), 2)

    def test_bars_are_as_long_as_medians(self):
        cases = [{"title": "a < b", "contestants": {"agent": [{"ratio": 1}, {"ratio": 2}, {"ratio": 9}], "curl": [{"ratio": 4}],
                                                    "none": []}}]
        root = ElementTree.fromstring(plot.bars(cases, "x & y"))
        widths = [float(shape.get("width")) for shape in root if shape.tag.endswith("rect") and shape.get("x")]
        self.assertEqual(len(widths), 2)
        self.assertAlmostEqual(widths[1] / widths[0], 2.0)


class Torrents(unittest.TestCase):
    def test_bencode_sorts_keys(self):
        self.assertEqual(metainfo.bencode({"b": [1, "é"], "a": b"x"}), b"d1:a1:x1:bli1e2:\xc3\xa9ee")

    def test_pieces_are_as_long_as_the_agents(self):
        mib = 1 << 20
        self.assertEqual([metainfo.piece_size(size) for size in (1, 512 * mib - 1, 512 * mib, 5 * 10**9, 10**12)],
                         [mib // 4, mib // 4, mib // 2, 4 * mib, 4 * mib])

    def test_pieces_go_across_files(self):
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder)
            for name, content in (("a", b"12345"), ("b", b""), ("c", b"67890123")):
                (tree / name).write_bytes(content)
            self.assertEqual(metainfo.hashes(tree, ["a", "b", "c"], 4),
                             b"".join(hashlib.sha1(part).digest() for part in (b"1234", b"5678", b"9012", b"3")))
            made = metainfo.torrent(tree, {"c": 8, "a": 5}, "http://t/", "http://w/")
        files = b"ld6:lengthi5e4:pathl1:aeed6:lengthi8e4:pathl1:ceee"
        self.assertTrue(made.startswith(b"d8:announce9:http://t/4:infod5:files" + files))
        self.assertTrue(made.endswith(b"8:url-listl9:http://w/ee"))

    def test_a_tracker_answers_compactly(self):
        self.assertTrue(metainfo.announced({("10.77.0.1", 6881)}).endswith(b"5:peers6:\x0a\x4d\x00\x01\x1a\xe1e"))


class Sparse(unittest.TestCase):
    def test_zeros_of_several_sizes_are_hashed_once(self):
        self.assertEqual(sparse.oids([3, 2 << 20]), {size: hashlib.sha256(bytes(size)).hexdigest() for size in (3, 2 << 20)})

    def test_a_journal_chains_its_records(self):
        made = sparse.journal("ab" * 32, 7, [5], "boot")
        self.assertEqual((made[:2], made[6:14], made[14:22], made[38:42]),
                         (b"H\x24", b"exo-jrn1", b"\x07" + bytes(7), b"boot"))
        self.assertEqual((made[42:44], made[48:]), (b"A\x06", b"\x05\0\0\0\0\0"))
        self.assertNotEqual(made[44:48], sparse.journal("ab" * 32, 7, [4, 5], "boot")[56:60])

    def test_nodes_hold_different_pieces_and_none_of_the_first(self):
        one, other = (sparse.held(5 * 10**9, seed, 0.9, 64) for seed in (1, 2))
        self.assertEqual((len(one), min(one) >= 64, len(set(one))), (1016, True, 1016))
        self.assertNotEqual(one, other)


def case_of(name, nodes, wan, runs, title=None):
    return {"title": title or name, "scenario": {"name": name, "nodes": nodes, "lan": 100, "wan": wan}, "contestants": runs}


class Presets(unittest.TestCase):
    def measured(self, cases, row):
        return next(look(cases) for name, _, look in presets.ROWS if name == row)

    def test_what_was_not_measured_is_neither_good_nor_bad(self):
        text, good = presets.check([])
        self.assertEqual((good, text.count("not measured")), (True, len(presets.ROWS)))

    def test_the_median_is_judged_and_the_wan_told_apart(self):
        runs = [{"ratio": ratio, "last": 1, "hub_copies": 1, "busy": 0.5, "first_byte_s": 0.1} for ratio in (1.0, 1.04, 1.5)]
        half = case_of("cold", 8, 50, {"agent": runs})
        self.assertEqual(self.measured([half], "cold, W = L/2, N = 8: T / T_curl"), ("1.040", True))
        self.assertEqual(self.measured([half], "cold, W = L, N = 8: T / T_curl"), ("", None))
        late = case_of("cold", 8, 50, {"agent": [{"ratio": 1.051, "last": 1}]})
        self.assertEqual(self.measured([late], "cold, W = L/2, N = 8: T / T_curl"), ("1.051", False))
        self.assertEqual(self.measured([half], "same case, 3 runs: worst above median"), ("44.2 % (cold)", False))

    def test_the_best_peer_must_be_behind(self):
        def run(last, stopped=False):
            return [{"last": last, "stopped": stopped}]
        runs = {"agent": run(10), "curl": run(20, True), "aria2": run(11)}
        row = "cold, W = L/2, N = 8: T"
        self.assertEqual(self.measured([case_of("cold", 8, 50, runs)], row),
                         ("10.0 s, best of 2: aria2 11.0 s; not measured: rsync, aria2-bt, libtorrent", True))
        runs["rsync"] = run(9)
        self.assertFalse(self.measured([case_of("cold", 8, 50, runs)], row)[1])

    def test_a_small_model_is_only_a_look(self):
        small, large = (dict(case_of("seed", 8, 50, {"agent": []}, title), settings={"size_mib": size})
                        for title, size in (("small", 488), ("large", 489)))
        self.assertEqual(presets.check([small, large])[0].splitlines()[-1], "only a look, less than 512 MB: small")

    def test_parts_are_picked(self):
        self.assertEqual([(part.scenario, part.nodes, part.wan_part) for part in presets.pick(presets.ISSUE, ["cold"], [8])],
                         [("cold", 8, 0.5), ("cold", 8, 1.0)])

    def test_every_row_finds_a_part_that_measures_it(self):
        run = {"last": 1, "ratio": 1, "hub_copies": 1, "first_byte_s": 0, "first_byte_median_s": 0, "behind": 1, "busy": 0.1,
               "cpu_s_per_gb": 1}
        cases = [dict(case_of(part.scenario, part.nodes, 100 * part.wan_part, {name: [run] * 3 for name in part.contestants}),
                      figures=[{"met_s": 1, "peak_mb": 1}]) for part in presets.ISSUE + presets.DISK]
        text, _ = presets.check(cases)
        self.assertNotIn("not measured", text)

    def test_shares_of_a_slow_link_count(self):
        mixed = scenarios.make("mixed", 4, 400, 0.5)
        self.assertEqual([runner.behind(mixed, 100, index, 8.0) for index in range(4)], [2.0, 2.0, 1.0, 0.4])


if __name__ == "__main__":
    unittest.main()
