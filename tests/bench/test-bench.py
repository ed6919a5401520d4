#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pure parts of the benchmark: scenarios, what /proc says, medians."""

import sys
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lab")]

import measure  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402
import runner  # noqa: E402
import scenarios  # noqa: E402

FILES = ["a.safetensors", "b.safetensors", "c.safetensors", "config.json"]


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
               "first_byte_s": 0.1, "busy": 0.5, "others": 0.1}
        text = report.table([{"title": "cold", "contestants": {"agent": [run]}, "skipped": {"aria2": "not installed"},
                              "failed": {"rsync": "exit 1\nmore"}}])
        self.assertIn("  agent          1     1.00      2.00    3.00     1.500", text)
        self.assertIn("  aria2: skipped, not installed", text)
        self.assertIn("  rsync: failed, exit 1\n", text)

    def test_bars_are_as_long_as_medians(self):
        cases = [{"title": "a < b", "contestants": {"agent": [{"ratio": 1}, {"ratio": 2}, {"ratio": 9}], "curl": [{"ratio": 4}],
                                                    "none": []}}]
        root = ElementTree.fromstring(plot.bars(cases, "x & y"))
        widths = [float(shape.get("width")) for shape in root if shape.tag.endswith("rect") and shape.get("x")]
        self.assertEqual(len(widths), 2)
        self.assertAlmostEqual(widths[1] / widths[0], 2.0)


if __name__ == "__main__":
    unittest.main()
