// scan-cache.mjs - what the official client finds in a Hugging Face cache folder
//
// SPDX-License-Identifier: Apache-2.0
//
// usage: node scan-cache.mjs DIR [EXPECT.json]
//
// Prints one JSON object: {"size":n,"repos":[{"type","id","size","nFiles","revisions":[{"commit",
// "size","refs":[..],"files":[{"path","blob","size"}]}]}],"warnings":[..]}, all lists sorted.
// With EXPECT.json, exits 1 unless every member that it has is equal to what was found.
//
// @huggingface/hub is looked for from the current folder: run it where node_modules lies.

import { isDeepStrictEqual } from "node:util";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(process.cwd(), "here.js"));
const { scanCacheDir } = await import(pathToFileURL(require.resolve("@huggingface/hub")));

const by = (key) => (a, b) => (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0);

function revision(found) {
	const files = found.files
		.map((file) => ({
			path: path.relative(found.path, file.path),
			blob: path.basename(file.blob.path),
			size: file.blob.size,
		}))
		.sort(by("path"));
	return { commit: found.commitOid, size: found.size, refs: [...found.refs].sort(), files };
}

function repo(found) {
	return {
		type: found.id.type,
		id: found.id.name,
		size: found.size,
		nFiles: found.filesCount,
		revisions: found.revisions.map(revision).sort(by("commit")),
	};
}

const [dir, expectation] = process.argv.slice(2);
const cache = await scanCacheDir(dir);
const result = {
	size: cache.size,
	repos: cache.repos.map(repo).sort(by("id")),
	warnings: cache.warnings.map((warning) => warning.message).sort(),
};
console.log(JSON.stringify(result));

if (expectation) {
	const expected = JSON.parse(readFileSync(expectation, "utf8"));
	for (const [name, value] of Object.entries(expected)) {
		if (!isDeepStrictEqual(result[name], value)) {
			console.error(`${name}: not as expected`);
			process.exitCode = 1;
		}
	}
}
