#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""exo-test-hub against the table of what a faithful Hub must do, and each of its faults.

usage: test-exo-test-hub.py PROGRAM MAKE-SAMPLE"""

import gzip
import hashlib
import http.client
import json
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

from hubtest import Hub, ask

PROGRAM, MAKE_SAMPLE = sys.argv[1:3]
SHARD = "model-00001-of-00003.safetensors"
SHARD_URL = f"/org/sample/resolve/main/{SHARD}"
SHARD_PATH = f"models/org/sample/resolve/{SHARD}"
CONFIG_URL = "/org/sample/resolve/main/config.json"
TOKEN, OTHER_TOKEN = {"Authorization": "Bearer hf_in"}, {"Authorization": "Bearer hf_out"}


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def make_root(root):
    subprocess.run([MAKE_SAMPLE, str(root), "--size", "6000000"], check=True)
    sample = root / "models/org/sample"
    write(sample / "refs%2Fpr%2F1/pr.txt", b"from the pull request")
    write(sample / "repo.json", json.dumps(
        {"tags": {"v1": "main"}, "aliases": ["old-name"], "extra_paths": []}).encode())
    gated = root / "models/org/gated"
    write(gated / "main/big.bin", b"secret" * 10)
    write(gated / "repo.json", b'{"gated":"auto","tokens":["hf_in"]}')
    private = root / "models/org/private"
    write(private / "main/a.txt", b"private")
    write(private / "repo.json", b'{"private":true,"tokens":["hf_out"]}')
    for i in range(1100):
        write(root / f"datasets/org/many/main/d{i % 7}/f{i:04}.txt", b"%d" % i)


class TestCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="exo-test-hub-"))
        cls.root = cls.folder / "root"
        make_root(cls.root)
        cls.main = cls.root / "models/org/sample/main"
        cls.hub = Hub(PROGRAM, cls.root)
        cls.commit = cls.hub.get("/api/models/org/sample").json()["sha"]
        cls.shard = (cls.main / SHARD).read_bytes()

    @classmethod
    def tearDownClass(cls):
        status = cls.hub.stop()
        shutil.rmtree(cls.folder)
        assert status == 0, f"exit status {status}"

    def setUp(self):
        self.hub.steer("/faults", "DELETE")
        self.hub.steer("/reset")

    def cdn_url(self, path=SHARD_URL, **headers):
        return self.hub.get(path, **headers)["Location"]


class FilesAreServedAsTheHubDoes(TestCase):
    def test_small_file_is_a_path_only_307_then_200(self):
        data = (self.main / "config.json").read_bytes()
        first = self.hub.head(CONFIG_URL)
        self.assertEqual(first.status, 307)
        self.assertTrue(first["Location"].startswith("/api/resolve-cache/models/org/sample/"))
        self.assertIn("?", first["Location"])
        self.assertEqual(first["X-Linked-Etag"], f'"{git_sha1(data)}"')
        self.assertIsNone(first["X-Linked-Size"])
        self.assertEqual(first["X-Repo-Commit"], self.commit)
        self.assertTrue(100 < int(first["Content-Length"]) < 400)
        then = self.hub.get(first["Location"])
        self.assertEqual((then.status, then.body), (200, data))
        self.assertEqual(then["ETag"], f'"{git_sha1(data)}"')
        self.assertEqual(then["X-Repo-Commit"], self.commit)

    def test_lfs_file_is_a_302_to_a_signed_address_elsewhere(self):
        first = self.hub.head(SHARD_URL)
        sha256 = hashlib.sha256(self.shard).hexdigest()
        self.assertEqual(first.status, 302)
        self.assertTrue(first["Location"].startswith(self.hub.cdn + "/"))
        self.assertEqual(first["X-Linked-Etag"], f'"{sha256}"')
        self.assertEqual(first["X-Linked-Size"], str(len(self.shard)))
        self.assertEqual(len(first["X-Xet-Hash"]), 64)
        self.assertIn('rel="xet-auth"', first["Link"])
        self.assertIn('rel="xet-reconstruction-info"', first["Link"])
        then = ask(first["Location"])
        self.assertEqual((then.status, then.body), (200, self.shard))
        self.assertEqual(then["ETag"], f'"{first["X-Xet-Hash"]}"')
        self.assertNotIn(sha256, then["ETag"])
        self.assertIsNone(then["X-Repo-Commit"])

    def test_cdn_refuses_tokens_and_forged_addresses(self):
        url = self.cdn_url()
        self.assertEqual(ask(url, headers=TOKEN).status, 403)
        for old, new in (("Signature=", "Signature=0"), ("Expires=", "Expires=9")):
            self.assertEqual(ask(url.replace(old, new)).status, 403)
        self.assertEqual(ask(url.split("?")[0]).status, 403)

    def test_cdn_address_expires(self):
        hub = Hub(PROGRAM, self.root, "--sign-ttl", "0")
        try:
            answer = ask(hub.get(SHARD_URL)["Location"])
            self.assertEqual((answer.status, answer["Content-Type"]), (403, "application/xml"))
        finally:
            self.assertEqual(hub.stop(), 0)

    def test_ranges(self):
        url, size = self.cdn_url(), len(self.shard)
        for text, first, last in (("bytes=0-0", 0, 0), ("bytes=5-", 5, size - 1), ("bytes=-7", size - 7, size - 1),
                                  (f"bytes=9-{size * 9}", 9, size - 1), (f"bytes=-{size * 9}", 0, size - 1)):
            answer = ask(url, headers={"Range": text})
            self.assertEqual(answer.status, 206, text)
            self.assertEqual(answer["Content-Range"], f"bytes {first}-{last}/{size}")
            self.assertEqual(answer.body, self.shard[first : last + 1])
        for text in (f"bytes={size}-", "bytes=-0"):
            answer = ask(url, headers={"Range": text})
            self.assertEqual((answer.status, answer["Content-Range"]), (416, f"bytes */{size}"))
        for text in ("bytes=0-1,4-5", "bytes=5-2", "bytes=x-", "lines=1-2", "bytes=-"):
            self.assertEqual(ask(url, headers={"Range": text}).status, 200, text)

    def test_empty_file(self):
        first = self.hub.get("/org/sample/resolve/main/empty.txt")
        for headers in ({}, {"Range": "bytes=0-0"}):
            answer = self.hub.get(first["Location"], **headers)
            self.assertEqual((answer.status, answer["Content-Length"], answer.body), (200, "0", b""))

    def test_unusual_names(self):
        name = next(p.name for p in self.main.iterdir() if "blanks" in p.name)
        first = self.hub.get("/org/sample/resolve/main/" + urllib.parse.quote(name))
        self.assertEqual(self.hub.get(first["Location"]).body, b"found\n")
        for path in ("../x", "%2e%2e/x", "a%2F..%2Fb", "a//b", "%5Cx", "%00"):
            self.assertEqual(self.hub.get("/org/sample/resolve/main/" + path).status, 400, path)

    def test_known_etag_is_304_on_resolve_only(self):
        etag = self.hub.head(CONFIG_URL)["X-Linked-Etag"]
        self.assertEqual(self.hub.get(CONFIG_URL, If_None_Match=etag).status, 304)
        self.assertEqual(self.hub.get(CONFIG_URL.replace("resolve", "raw"), If_None_Match=etag).status, 200)

    def test_raw_is_the_pointer_of_an_lfs_file(self):
        text = self.hub.get(f"/org/sample/raw/main/{SHARD}").body.decode()
        sha256 = hashlib.sha256(self.shard).hexdigest()
        self.assertEqual(text, "version https://git-lfs.github.com/spec/v1\n"
                               f"oid sha256:{sha256}\nsize {len(self.shard)}\n")

    def test_text_is_compressed_when_allowed(self):
        url = self.hub.get(CONFIG_URL)["Location"]
        answer = self.hub.get(url, Accept_Encoding="gzip, deflate")
        self.assertEqual(gzip.decompress(answer.body), (self.main / "config.json").read_bytes())
        self.assertIsNone(answer["Content-Length"])
        self.assertTrue(answer["ETag"].startswith('W/"'))

    def test_head_has_the_headers_of_get(self):
        for path in (CONFIG_URL, SHARD_URL, "/api/models/org/sample", "/org/sample/resolve/main/none"):
            get, head = self.hub.get(path), self.hub.head(path)
            self.assertEqual(head.body, b"")
            self.assertEqual(set(get.headers), set(head.headers), path)
            self.assertEqual(get["Content-Length"], head["Content-Length"])


class TheApiAnswersAsTheHubDoes(TestCase):
    def test_info(self):
        info = self.hub.get("/api/models/org/sample?blobs=true").json()
        shard = next(s for s in info["siblings"] if s["rfilename"] == SHARD)
        self.assertEqual(shard["lfs"]["sha256"], hashlib.sha256(self.shard).hexdigest())
        self.assertIs(info["gated"], False)
        few = self.hub.get("/api/models/org/sample?expand=sha&expand=gated").json()
        self.assertEqual(set(few), {"_id", "id", "sha", "gated"})
        self.assertEqual(self.hub.get("//api/models/org/sample").status, 200)

    def test_tree_oids_are_git_oids_of_the_pointers(self):
        tree = self.hub.get("/api/models/org/sample/tree/main?recursive=true").json()
        entries = {e["path"]: e for e in tree}
        entry = entries[SHARD]
        pointer = self.hub.get(f"/org/sample/raw/main/{SHARD}").body
        self.assertEqual(entry["oid"], git_sha1(pointer))
        self.assertEqual(entry["lfs"]["pointerSize"], len(pointer))
        self.assertEqual(entry["size"], len(self.shard))
        self.assertEqual(entries["onnx/quantised"]["type"], "directory")
        self.assertEqual(entries["empty.txt"]["oid"], "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
        top = self.hub.get("/api/models/org/sample/tree/main").json()
        self.assertNotIn("onnx/quantised", [e["path"] for e in top])
        below = self.hub.get("/api/models/org/sample/tree/main/onnx%2Fquantised").json()
        self.assertEqual([e["path"] for e in below], ["onnx/quantised/model.onnx"])
        for path in ("config.json", "additional_chat_templates"):
            answer = self.hub.get("/api/models/org/sample/tree/main/" + path)
            self.assertEqual((answer.status, answer["X-Error-Code"]), (404, "EntryNotFound"))

    def test_long_listings_come_in_pages(self):
        for expand, most in (("false", 1000), ("true", 50)):
            url = f"{self.hub.base}/api/datasets/org/many/tree/main?recursive=true&expand={expand}"
            seen, sizes = [], []
            while url:
                page = ask(url)
                sizes.append(len(page.json()))
                seen += [e["path"] for e in page.json()]
                link = page["Link"]
                url = link[1 : link.index(">")] if link else None
            self.assertEqual(max(sizes), most)
            self.assertEqual(len(seen), 1107)
            self.assertEqual(len(set(seen)), 1107)
        invented = self.hub.get("/api/datasets/org/many/tree/main?cursor=ZXlKbWFXeGw6NTA=")
        self.assertEqual(invented.json(), [])

    def test_revisions(self):
        for revision in ("main", "v1", "HEAD", self.commit, self.commit[:8]):
            answer = self.hub.get(f"/api/models/org/sample/revision/{revision}")
            self.assertEqual(answer.json()["sha"], self.commit)
        answer = self.hub.get("/org/sample/resolve/refs%2Fpr%2F1/pr.txt")
        self.assertEqual(answer.status, 307)
        self.assertEqual(self.hub.get("/api/models/org/sample/tree/refs/pr/1").status, 404)
        answer = self.hub.get("/api/models/org/sample/revision/nope")
        self.assertEqual((answer.status, answer["X-Error-Code"], answer["X-Error-Message"]),
                         (404, "RevisionNotFound", "Invalid rev id: nope"))

    def test_refs(self):
        refs = self.hub.get("/api/models/org/sample/refs?include_prs=1").json()
        self.assertEqual(refs["branches"], [{"name": "main", "ref": "refs/heads/main", "targetCommit": self.commit}])
        self.assertEqual(refs["tags"][0]["name"], "v1")
        self.assertEqual(refs["pullRequests"][0]["ref"], "refs/pr/1")
        self.assertEqual(refs["converts"], [])
        self.assertNotIn("pullRequests", self.hub.get("/api/models/org/sample/refs").json())

    def test_paths_info_takes_forms_and_json(self):
        url = self.hub.base + "/api/models/org/sample/paths-info/main"
        for body, kind in ((f"paths={SHARD}&paths=none&paths=onnx&expand=false", "application/x-www-form-urlencoded"),
                           (json.dumps({"paths": [SHARD, "none", "onnx"], "expand": True}), "application/json")):
            answer = ask(url, "POST", {"Content-Type": kind}, body).json()
            self.assertEqual([(e["path"], e["type"]) for e in answer], [(SHARD, "file"), ("onnx", "directory")])
        self.assertEqual(ask(url, "POST", {"Content-Type": "application/json"}, "{").status, 400)
        self.assertEqual(ask(url, "POST", body=b"x" * (1024 * 1024 + 1)).status, 413)

    def test_aliases_are_path_only_307(self):
        for path in ("/api/models/old-name/tree/main?recursive=true", "/api/models/ORG/Sample/tree/main?recursive=true"):
            answer = self.hub.get(path)
            self.assertEqual((answer.status, answer["Location"]),
                             (307, "/api/models/org/sample/tree/main?recursive=true"))

    def test_error_table(self):
        rows = (
            ("/api/models/org/none", {}, 401, None, "Invalid username or password."),
            ("/api/models/org/none", TOKEN, 404, "RepoNotFound", None),
            ("/api/models/org/private", {}, 401, None, "Invalid username or password."),
            ("/api/models/org/private", TOKEN, 404, "RepoNotFound", None),
            ("/api/models/org/private", OTHER_TOKEN, 200, None, None),
            ("/api/models/org/sample", {"Authorization": "Bearer hf_bad"}, 401, None,
             "Invalid credentials in Authorization header"),
            ("/org/gated/resolve/main/big.bin", {}, 401, "GatedRepo", None),
            ("/org/gated/resolve/main/big.bin", {"Authorization": "Bearer hf_bad"}, 401, "GatedRepo", None),
            ("/org/gated/resolve/main/big.bin", OTHER_TOKEN, 403, "GatedRepo", None),
            ("/org/gated/resolve/main/big.bin", TOKEN, 302, None, None),
            ("/api/whoami-v2", {}, 401, None, None),
            ("/api/agent-harnesses", {}, 404, None, None),
            ("/api/models/org/sample/xet-read-token/main", {}, 404, None, None),
        )
        for path, headers, status, code, message in rows:
            answer = ask(self.hub.base + path, headers=headers)
            self.assertEqual((answer.status, answer["X-Error-Code"]), (status, code), (path, headers))
            if message:
                self.assertEqual(answer["X-Error-Message"], message)
        self.assertIn("Bearer", self.hub.get("/api/models/org/none")["WWW-Authenticate"])

    def test_missing_file(self):
        answer = self.hub.get("/org/sample/resolve/main/none.json")
        self.assertEqual((answer.status, answer["X-Error-Code"], answer["Content-Length"]), (404, "EntryNotFound", "15"))
        self.assertEqual(answer["X-Repo-Commit"], self.commit)
        self.assertTrue(answer["ETag"].startswith('W/"f-'))

    def test_oids_of_a_gated_repo_are_masked(self):
        for headers, masked in (({}, True), (OTHER_TOKEN, True), (TOKEN, False)):
            entry = ask(self.hub.base + "/api/models/org/gated/tree/main", headers=headers).json()[0]
            self.assertEqual(entry["lfs"]["oid"] == "*" * 64, masked)
            self.assertEqual(entry["xetHash"] == "*" * 64, masked)

    def test_rate_limit(self):
        self.assertRegex(self.hub.get(CONFIG_URL)["RateLimit"], r'^"resolvers";r=\d+;t=\d+$')
        hub = Hub(PROGRAM, self.root, "--quota", "2", "--window", "60")
        try:
            answers = [hub.get("/api/models/org/sample") for _ in range(3)]
            self.assertEqual([a.status for a in answers], [200, 200, 429])
            self.assertRegex(answers[2]["RateLimit"], r'^"api";r=0;t=\d+$')
            self.assertEqual(answers[2]["RateLimit-Policy"], '"fixed window";"api";q=2;w=60')
        finally:
            self.assertEqual(hub.stop(), 0)


class FaultsAreAsOrdered(TestCase):
    def order(self, fault, **rule):
        self.hub.faults({"match": rule.pop("match", SHARD_PATH), "fault": fault, **rule})

    def download(self):
        url = self.cdn_url()
        with self.assertRaises(http.client.IncompleteRead) as caught:
            ask(url)
        return caught.exception.partial

    def test_status_with_headers_on_chosen_requests(self):
        self.order({"kind": "status", "status": 429, "headers": {"Retry-After": "2"}}, nth=[1, 3])
        answers = [self.hub.get(SHARD_URL) for _ in range(4)]
        self.assertEqual([a.status for a in answers], [429, 302, 429, 302])
        self.assertEqual(answers[0]["Retry-After"], "2")
        rule = self.hub.steer("/faults", "GET")[0]
        self.assertEqual((rule["seen"], rule["hits"]), (4, 2))

    def test_every_and_times(self):
        self.order({"kind": "status", "status": 503}, every=2, times=1)
        self.assertEqual([self.hub.get(SHARD_URL).status for _ in range(4)], [302, 503, 302, 302])

    def test_class_and_method_choose(self):
        self.order({"kind": "status", "status": 503}, **{"class": "resolve", "method": "HEAD"})
        self.assertEqual((self.hub.get(SHARD_URL).status, self.hub.head(SHARD_URL).status), (302, 503))
        self.assertEqual(ask(self.cdn_url(), "HEAD").status, 200)

    def test_close_and_reset(self):
        self.order({"kind": "close", "after": 100000}, **{"class": "cdn"})
        self.assertEqual(self.download(), self.shard[:100000])
        self.order({"kind": "close"}, **{"class": "cdn"})
        with self.assertRaises(http.client.RemoteDisconnected):
            ask(self.cdn_url())
        for after in (100000, None):
            self.order({"kind": "reset", **({"after": after} if after else {})}, **{"class": "cdn"})
            with self.assertRaises(ConnectionResetError):
                ask(self.cdn_url())
        self.assertGreaterEqual(self.hub.steer("/stats", "GET")["bytes"], 200000)

    def test_stall_and_slow(self):
        for fault in ({"kind": "stall", "after": 1000, "seconds": 0.4}, {"kind": "slow", "seconds": 0.4}):
            self.order(fault, **{"class": "cdn"})
            start = time.monotonic()
            self.assertEqual(ask(self.cdn_url()).body, self.shard)
            self.assertGreater(time.monotonic() - start, 0.35)

    def test_flip(self):
        self.order({"kind": "flip", "offset": 70000}, **{"class": "cdn"})
        body = ask(self.cdn_url()).body
        self.assertEqual([i for i in range(len(body)) if body[i] != self.shard[i]], [70000])
        part = ask(self.cdn_url(), headers={"Range": "bytes=69999-70001"}).body
        self.assertNotEqual(part[1], self.shard[70000])

    def test_wrong_answers_to_ranges(self):
        headers = {"Range": "bytes=10-19"}
        self.order({"kind": "full200"}, **{"class": "cdn"})
        answer = ask(self.cdn_url(), headers=headers)
        self.assertEqual((answer.status, len(answer.body)), (200, len(self.shard)))
        self.order({"kind": "wrong-range"}, **{"class": "cdn"})
        answer = ask(self.cdn_url(), headers=headers)
        self.assertEqual(answer["Content-Range"], f"bytes 11-20/{len(self.shard)}")
        self.assertEqual(answer.body, self.shard[10:20])

    def test_wrong_documents(self):
        info = {"match": "models/org/sample/info"}
        self.order({"kind": "html"}, **info)
        answer = self.hub.get("/api/models/org/sample")
        self.assertEqual((answer.status, answer["Content-Type"]), (200, "text/html"))
        self.order({"kind": "truncate-json"}, **info)
        self.assertRaises(ValueError, self.hub.get("/api/models/org/sample").json)
        self.order({"kind": "redirect", "to": "http://127.0.0.1:1/"}, **info)
        self.assertEqual(self.hub.get("/api/models/org/sample")["Location"], "http://127.0.0.1:1/")

    def test_etag_and_expire(self):
        self.order({"kind": "etag", "value": "0" * 64}, **{"class": "resolve"})
        self.assertEqual(self.hub.head(SHARD_URL)["X-Linked-Etag"], f'"{"0" * 64}"')
        self.order({"kind": "expire"}, nth=[1], **{"class": "cdn"})
        url = self.cdn_url()
        self.assertEqual([ask(url).status, ask(url).status], [403, 200])

    def test_wrong_rules_are_refused(self):
        for body in ("", "{", "{}", "[1]", "[{}]", '[{"fault":{"kind":"x"}}]', '[{"class":"x","fault":{"kind":"html"}}]'):
            self.assertEqual(ask(self.hub.admin + "/faults", "POST", body=body).status, 400, body)


class CountsAndChanges(TestCase):
    def test_bytes_are_counted_once_and_again(self):
        url = self.cdn_url()
        ask(url, headers={"Range": "bytes=0-99"})
        ask(url, headers={"Range": "bytes=50-149"})
        stats = self.hub.steer("/stats", "GET")
        self.assertEqual(stats["requests"], {"api": 0, "resolve": 1, "cdn": 2})
        self.assertEqual(stats["paths"][SHARD_PATH], {"requests": 3, "bytes": 200, "first_bytes": 150})
        self.hub.steer("/reset")
        self.assertEqual(self.hub.steer("/stats", "GET"),
                         {"bytes": 0, "requests": {"api": 0, "resolve": 0, "cdn": 0}, "paths": {}})

    def test_an_aborted_transfer_counts_for_what_it_took(self):
        url = urllib.parse.urlsplit(self.cdn_url())
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            client.connect((url.hostname, url.port))
            client.sendall(f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            got = 0
            while got < 300000:
                got += len(client.recv(4096))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        counted = self.hub.steer("/stats", "GET")["bytes"]
        self.assertLess(counted - got, 64 * 1024)
        self.assertGreater(counted, got - 2048)

    def test_down_closes_and_up_serves(self):
        self.hub.steer("/down")
        self.assertRaises((http.client.RemoteDisconnected, ConnectionError), self.hub.get, CONFIG_URL)
        self.assertRaises((http.client.RemoteDisconnected, ConnectionError), ask, self.hub.cdn + "/")
        self.hub.steer("/up")
        self.assertEqual(self.hub.get(CONFIG_URL).status, 307)

    def test_reload_moves_main_and_keeps_the_old_commit(self):
        changed = self.main / "twenty.txt"
        changed.write_bytes(b"other")
        self.hub.steer("/reload")
        try:
            self.assertNotEqual(self.hub.get("/api/models/org/sample").json()["sha"], self.commit)
            first = self.hub.get(f"/org/sample/resolve/{self.commit}/twenty.txt")
            self.assertEqual(first["X-Linked-Etag"], f'"{git_sha1(b"12345678901234567890")}"')
            self.assertEqual(self.hub.get(first["Location"]).body, b"other")
        finally:
            changed.write_bytes(b"12345678901234567890")
            self.hub.steer("/reload")
        self.assertEqual(self.hub.get("/api/models/org/sample").json()["sha"], self.commit)

    def test_stops_in_the_middle_of_a_stall(self):
        hub = Hub(PROGRAM, self.root)
        hub.faults({"match": "*", "class": "cdn", "fault": {"kind": "stall", "after": 1000, "seconds": 3600}})
        url = urllib.parse.urlsplit(hub.get(SHARD_URL)["Location"])
        with socket.create_connection((url.hostname, url.port)) as client:
            client.sendall(f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            client.recv(100)
            self.assertEqual(hub.stop(), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
