// SPDX-License-Identifier: Apache-2.0
// test-page.mjs PAGE.INC: what the dashboard says of every state there is, in the reader's language.
// Its script runs as it is, on as much of a document as it uses.

import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import vm from 'node:vm';

const page = readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean).map(line => JSON.parse(line)).join('');
const script = page.slice(page.indexOf('<script>') + '<script>'.length, page.indexOf('</script>'));

class Element {
  constructor() { this.children = []; this.text = ''; this.style = {}; this.labels = []; }
  get textContent() { return this.text + this.children.map(child => child.textContent ?? child).join(''); }
  set textContent(text) { this.text = text; }
  get lastChild() { return { remove: () => this.children.pop() }; }
  append(...children) { this.children.push(...children); }
  insertBefore(child, before) { this.children.splice(before ? this.children.indexOf(before) : this.children.length, 0, child); }
  setAttribute(name, value) { if (name === 'aria-label') this.labels.push(value); }
  said() { return [this.text, ...this.labels, ...this.children.flatMap(child => child.said?.() ?? child)]; }
}

async function show(languages, state) {
  const elements = new Map();
  const at = id => elements.get(id) ?? elements.set(id, new Element()).get(id);
  const document = { getElementById: at, createElement: () => new Element(), body: new Element(), documentElement: new Element(),
                     addEventListener() {}, hidden: true };
  const answer = state ? { ok: true, json: async () => state } : { ok: false, status: 500 };
  vm.runInNewContext(script, { document, navigator: { languages }, fetch: async () => answer, AbortSignal, Intl, clearTimeout() {},
                               setTimeout() {} });
  await pause(0);
  return { texts: [...elements.values()].flatMap(element => element.said()).filter(Boolean), language: document.documentElement.lang };
}

const base = { id: 1, model: 'a/b', revision: '0', type: 'model', total: 3e9, done: 1234567890, files: 3, files_done: 1, rate: 2e7, eta_s: 4000,
               peers: 1, from_lan: 1e9, from_hub: 2e8, error: '', unverified: false };
const states = ['queued', 'resolving', 'transferring', 'verifying', 'paused', 'complete', 'failed'];
const node = { id: 'f', name: '1', state: 'connected', hub_reachable: false, rate_in: 1e6, rate_out: 2e6, models: ['a/b'], addresses: ['::'], exo: 'ready' };
const everything = {
  node: { name: '1', version: '0', port: 1, cache: '/', hub_reachable: true, hub_blocked_s: 30, exo: 'running', exo_models: ['a/b'], cache_bytes: 1, free_bytes: 2,
          local_endpoint: 'http://127.0.0.1' },
  totals: { from_hub: 2e8, from_lan: 1e9, served: 3 },
  transfers: [...states.map((state, i) => ({ ...base, id: i, state })), { ...base, id: 8, state: 'transferring', type: 'dataset', peers: 2, unverified: true },
              { ...base, id: 9, state: 'transferring', type: 'space', from_lan: 0, eta_s: 100000 }, { ...base, id: 10, state: 'transferring', eta_s: 65 }],
  nodes: ['connected', 'present', 'unreachable', 'shunned'].map((state, i) => ({ ...node, id: i, state, exo: ['idle', 'loading', 'ready', 'running'][i] })),
};
const cut_off = { ...everything, node: { ...everything.node, hub_reachable: false }, transfers: [], nodes: [] };

// Names of programs, units and what a shell is told are the same in every language.
const same = /exo-agent|exoctl pull ORG\/MODEL|Hugging Face|\bHub\b|\bSpace\b|systemctl --user status exo-agent|export HF_ENDPOINT=\S*|transformers|vLLM|diffusers|llama\.cpp|\bexo\b|\bhf\b|[kMGT]?B\b|a\/b/g;
const english = texts => texts.filter(text => /[A-Za-z]{2}/.test(text.replace(same, '')));

for (const state of [everything, cut_off, null]) {
  const zh = await show(['zh-CN'], state);
  assert.deepStrictEqual(english(zh.texts), [], 'mark it with _(), then translate it in po/');
  assert(zh.texts.length > 8);
  assert.deepStrictEqual((await show(['en-GB'], state)).texts.filter(text => /[\u4e00-\u9fff]|\{\d\}|undefined|NaN/.test(text)), []);
}
const one = await show(['en'], { ...everything, transfers: [{ ...base, state: 'transferring' }] });
assert(one.texts.some(text => text.includes('from 1 neighbour now') && text.includes('1 h 6 min left')), one.texts.join('\n'));
const two = await show(['en'], { ...everything, transfers: [{ ...base, state: 'transferring', peers: 2 }] });
assert(two.texts.some(text => text.includes('from 2 neighbours now')), two.texts.join('\n'));
for (const [wanted, got] of [[['zh'], 'zh-CN'], [['zh-SG'], 'zh-CN'], [['zh-TW'], 'en'], [['zh-TW', 'zh-CN'], 'zh-CN'], [['de', 'en', 'zh-CN'], 'en'], [[], 'en']])
  assert.strictEqual((await show(wanted, everything)).language, got, wanted.join());
