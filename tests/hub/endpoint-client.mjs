// endpoint-client.mjs - the official JavaScript client downloads from an agent's endpoint
//
// SPDX-License-Identifier: Apache-2.0
//
// usage: node endpoint-client.mjs ENDPOINT REPO FOLDER CACHE
//
// FOLDER holds what REPO must have. Lists, looks at one file, downloads all whose names the client can put into a URL, and
// fills CACHE with snapshotDownload if it can name all. Prints what it did; exits 1 where anything differs.
// @huggingface/hub is looked for from the current folder: run it where node_modules lies.

import assert from "node:assert/strict";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(process.cwd(), "here.js"));
const hub = await import(pathToFileURL(require.resolve("@huggingface/hub")));
const [hubUrl, repo, folder, cacheDir] = process.argv.slice(2);
const names = readdirSync(folder, { recursive: true }).filter((name) => statSync(path.join(folder, name)).isFile());
const plain = names.filter((name) => !/[#?%]/.test(name));

const listed = [];
for await (const entry of hub.listFiles({ hubUrl, repo, recursive: true })) if (entry.type === "file") listed.push(entry);
assert.deepEqual(listed.map((entry) => entry.path).sort(), names.sort());

const info = await hub.modelInfo({ hubUrl, name: repo, additionalFields: ["sha"] });
assert.match(info.sha, /^[0-9a-f]{40}$/);

for (const name of plain) {
	const seen = await hub.fileDownloadInfo({ hubUrl, repo, path: name });
	assert.equal(seen.size, statSync(path.join(folder, name)).size, name);
	const blob = await hub.downloadFile({ hubUrl, repo, path: name });
	assert.ok(Buffer.from(await blob.arrayBuffer()).equals(readFileSync(path.join(folder, name))), name);
}
assert.equal(await hub.downloadFile({ hubUrl, repo, path: "no/such/file" }), null);

if (plain.length === names.length) {
	const snapshot = await hub.snapshotDownload({ hubUrl, repo, cacheDir });
	for (const name of names)
		assert.ok(readFileSync(path.join(snapshot, name)).equals(readFileSync(path.join(folder, name))), name);
}
console.log(`${plain.length} of ${names.length} files`);
