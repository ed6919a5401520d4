// test-hub-client.mjs - the official JavaScript client against a running exo-test-hub
//
// SPDX-License-Identifier: Apache-2.0
//
// usage: node test-hub-client.mjs HUB-URL ROOT
//
// ROOT is what the Hub serves: org/sample (from make-sample), org/gated (open to hf_in), and the
// dataset org/many of more than 1000 files. Prints a line a check; exits 1 if any failed.
// @huggingface/hub is looked for from the current folder: run it where node_modules lies.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(process.cwd(), "here.js"));
const hub = await import(pathToFileURL(require.resolve("@huggingface/hub")));

const [hubUrl, root] = process.argv.slice(2);
const repo = "org/sample";
const folder = path.join(root, "models", repo, "main");
const shard = "model-00001-of-00003.safetensors";

function filesBelow(dir) {
	return readdirSync(dir, { recursive: true })
		.filter((name) => statSync(path.join(dir, name)).isFile())
		.sort();
}

async function list(params) {
	const entries = [];
	for await (const entry of hub.listFiles({ hubUrl, recursive: true, ...params })) entries.push(entry);
	return entries;
}

async function download(params) {
	const blob = await hub.downloadFile({ hubUrl, repo, ...params });
	return blob && Buffer.from(await blob.arrayBuffer());
}

const checks = {
	"listFiles lists what is on disk": async () => {
		const files = (await list({ repo })).filter((entry) => entry.type === "file");
		assert.deepEqual(files.map((entry) => entry.path).sort(), filesBelow(folder));
		for (const file of files) assert.equal(file.size, statSync(path.join(folder, file.path)).size);
	},
	"listFiles follows the pages of more than 1000 files": async () => {
		const files = (await list({ repo: { type: "dataset", name: "org/many" } })).filter((e) => e.type === "file");
		assert.equal(files.length, filesBelow(path.join(root, "datasets/org/many/main")).length);
		assert.ok(files.length > 1000);
	},
	"modelInfo knows the commit": async () => {
		const info = await hub.modelInfo({ hubUrl, name: repo, additionalFields: ["sha"] });
		assert.equal(info.name, repo);
		assert.match(info.sha, /^[0-9a-f]{40}$/);
	},
	"fileDownloadInfo knows the size": async () => {
		for (const name of [shard, "config.json", "empty.txt"]) {
			const info = await hub.fileDownloadInfo({ hubUrl, repo, path: name });
			assert.equal(info.size, statSync(path.join(folder, name)).size, name);
		}
	},
	"downloadFile gets the same bytes": async () => {
		for (const name of [shard, "config.json", "one-piece-and-a-byte.dat", "onnx/quantised/model.onnx"])
			assert.ok((await download({ path: name })).equals(readFileSync(path.join(folder, name))), name);
	},
	"downloadFile gives null for a file that is not there": async () => {
		assert.equal(await download({ path: "none.json" }), null);
	},
	"a gated repo is denied without a token": async () => {
		await assert.rejects(download({ repo: "org/gated", path: "big.bin" }), /restricted|401/);
	},
	"a gated repo is open with one": async () => {
		const bytes = await download({ repo: "org/gated", path: "big.bin", accessToken: "hf_in" });
		assert.ok(bytes.equals(readFileSync(path.join(root, "models/org/gated/main/big.bin"))));
	},
	"snapshotDownload makes a cache that scanCacheDir accepts": async () => {
		const cacheDir = mkdtempSync(path.join(tmpdir(), "exo-hub-cache-"));
		try {
			const plain = { type: "model", name: "org/plain" };
			const snapshot = await hub.snapshotDownload({ hubUrl, repo: plain, cacheDir });
			const source = path.join(root, "models/org/plain/main");
			assert.deepEqual(filesBelow(snapshot), filesBelow(source));
			for (const name of filesBelow(source))
				assert.ok(readFileSync(path.join(snapshot, name)).equals(readFileSync(path.join(source, name))), name);
			const cache = await hub.scanCacheDir(cacheDir);
			assert.deepEqual(cache.warnings, []);
			// The client's scan looks no deeper than the top of a snapshot
			assert.equal(cache.repos[0].filesCount, filesBelow(source).filter((name) => !name.includes("/")).length);
		} finally {
			rmSync(cacheDir, { recursive: true });
		}
	},
};

let failed = 0;
for (const [claim, check] of Object.entries(checks)) {
	try {
		await check();
		console.log(`ok      ${claim}`);
	} catch (error) {
		failed++;
		console.log(`FAILED  ${claim}: ${error.message}`);
	}
}
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
