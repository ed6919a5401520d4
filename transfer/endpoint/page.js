/* page.js - what the dashboard says
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * embed.py puts this into page.html, with "texts": the translations of po/, by language.
 */
/* The first language of the reader's that there is: "zh" and "zh-SG" read zh-CN, "zh-TW" does not. */
function choose(wanted, there) {
  const script = tag => { const l = new Intl.Locale(tag).maximize(); return l.language + "-" + l.script; };
  for (const tag of wanted) {
    const found = there.find(t => script(t) === script(tag));
    if (found) return found;
  }
  return "en";
}

const language = choose(navigator.languages, ["en", ...Object.keys(texts)]), own = texts[language];

/* Of gettext; {1}, {2} are places in a text. */
function fill(text, values) {
  return text.replace(/\{(\d)\}/g, (all, i) => values[i - 1] ?? all);
}

function _(text, ...values) {
  return fill(own ? own.texts[text][0] : text, values);
}

function ngettext(one, many, n, ...values) {
  return fill(own ? own.texts[one][own.plural(n)] : n === 1 ? one : many, values);
}

/* What the agent says in codes. */
const words = {
  queued: _("queued"), resolving: _("resolving"), transferring: _("transferring"), verifying: _("verifying"), paused: _("paused"),
  complete: _("complete"), failed: _("failed"),
  dataset: _("dataset"), space: _("space"),
  connected: _("connected"), present: _("present"), unreachable: _("unreachable"), shunned: _("shunned"),
  idle: _("idle"), loading: _("loading"), ready: _("ready"), running: _("running"),
};

/* What does not change, by the id of its element. */
const still = {
  "title-transfers": _("Transfers"),
  "no-transfers": _("None yet. Start one with \"exoctl pull ORG/MODEL\", or with a program below."),
  "title-nodes": _("Neighbours"),
  "no-nodes": _("None found yet. Other machines that run exo-agent on this network appear here by themselves."),
  "title-clients": _("Use it with other programs"),
  "why-clients": _("Programs that download from the Hugging Face Hub do so through this agent with this in their environment:"),
  "which-clients": _("In a shell of this machine; exo, transformers, vLLM, diffusers, llama.cpp and hf need nothing else."),
};

/* Names, addresses and errors come from strangers: all text goes through textContent. */
const at = id => document.getElementById(id);

function make(tag, kind, ...children) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.append(...children);
  return made;
}

/* What could hide or reorder other text on the line shows as U+FFFD, as in exoctl. */
const odd = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/* Untouched if nothing is new, so that what the user has selected stays selected. */
function write(element, text) {
  text = text.replace(odd, "\ufffd");
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}

function size(n) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
  let i = 0;
  for (; n >= 999.5 && i < units.length - 1; i++) n /= 1000;
  const digits = i && n < 99.95 ? 1 : 0;
  return n.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }) + "\u00a0" + units[i];
}

function span(s) {
  const units = [[86400, _("{1} d")], [3600, _("{1} h")], [60, _("{1} min")], [1, _("{1} s")]];
  const i = Math.max(units.findIndex(u => s >= u[0]), 0), [big, name] = s < 1 ? units[3] : units[i];
  const rest = s < 1 || i === 3 ? 0 : Math.floor(s % big / units[i + 1][0]);
  return fill(name, [Math.floor(s / big)]) + (rest ? " " + fill(units[i + 1][1], [rest]) : "");
}

function percent(part, all) {
  return all ? Math.floor(100 * part / all) + "\u00a0%" : "0\u00a0%";
}

function line(...parts) {
  return parts.filter(Boolean).join(" \u00b7 ");
}

/* Keeps one element for each of @items in @parent, in their order. */
function sync(parent, items, key, create) {
  const old = parent.shown || new Map(), now = new Map();
  items.forEach((item, i) => {
    const card = old.get(key(item)) || create(item);
    now.set(key(item), card);
    card.update(item);
    if (parent.children[i] !== card.element) parent.insertBefore(card.element, parent.children[i] || null);
  });
  while (parent.children.length > now.size) parent.lastChild.remove();
  parent.shown = now;
}

function bar() {
  const parts = ["lan", "hub", "old"].map(kind => make("div", kind)), element = make("div", "bar", ...parts);
  element.setAttribute("role", "progressbar");
  element.setAttribute("aria-valuemin", 0);
  element.setAttribute("aria-valuemax", 100);
  return { element, update(t) {
    const fetched = t.from_lan + t.from_hub, scale = fetched > t.done ? t.done / fetched : 1;
    const widths = [t.from_lan * scale, t.from_hub * scale, t.done - fetched * scale];
    parts.forEach((part, i) => { part.style.width = (t.total ? 100 * widths[i] / t.total : 0) + "%"; });
    element.setAttribute("aria-valuenow", t.total ? Math.floor(100 * t.done / t.total) : 0);
    element.setAttribute("aria-label", t.model);
    element.hidden = t.state === "complete";
  } };
}

function transferCard() {
  const name = make("span", "clamp"), state = make("span", "state"), progress = bar();
  const amount = make("div", "dim"), speed = make("div", "dim"), error = make("p", "note");
  const element = make("li", "card", make("div", "head", name, state), progress.element, amount, speed, error);
  return { element, update(t) {
    const moving = t.state === "transferring", fetched = t.from_hub + t.from_lan;
    write(name, t.model);
    write(state, words[t.state] || t.state);
    state.className = "state" + (t.state === "complete" ? " good" : t.state === "failed" ? " bad" : "");
    progress.update(t);
    write(amount, line((t.type === "model" ? "" : (words[t.type] || t.type) + ", ") + t.revision,
                       !t.total ? "" : t.state === "complete" ? size(t.total)
                         : _("{1}, {2} of {3}", percent(t.done, t.total), size(t.done), size(t.total)),
                       t.files ? ngettext("{1} of {2} file", "{1} of {2} files", t.files, t.files_done, t.files) : ""));
    write(speed, line(moving ? size(t.rate) + "/s" : "", moving && t.eta_s >= 0 ? _("{1} left", span(t.eta_s)) : "",
                      moving && t.peers ? ngettext("from {1} neighbour now", "from {1} neighbours now", t.peers, t.peers) : "",
                      t.from_lan ? _("{1} came from neighbours", percent(t.from_lan, fetched)) : fetched ? _("all from the Hub") : "",
                      t.unverified ? _("the list of files is a neighbour's, the Hub has not confirmed it yet") : ""));
    write(error, t.error);
    error.className = "note" + (t.state === "failed" ? " bad" : "");
  } };
}

/* Of a machine without exo there is nothing to say. */
function exo(state, models) {
  return !state || state === "absent" || state === "unknown" ? ""
    : "exo: " + (words[state] || state) + (models && models.length ? " (" + models.join(", ") + ")" : "");
}

function nodeCard() {
  const name = make("span", "clamp"), state = make("span", "state"), rates = make("div", "dim");
  const models = make("div", "dim clamp"), addresses = make("div", "dim clamp");
  const element = make("li", "card", make("div", "head", name, state), rates, models, addresses);
  return { element, update(n) {
    write(name, n.name || n.id);
    write(state, words[n.state] || n.state);
    state.className = "state" + (n.state === "connected" ? " good" : n.state === "present" ? "" : " bad");
    write(rates, line(n.rate_in ? _("{1}/s from it", size(n.rate_in)) : "", n.rate_out ? _("{1}/s to it", size(n.rate_out)) : "",
                      n.state === "connected" && !n.hub_reachable ? _("cannot reach the Hub") : "", exo(n.exo)));
    write(models, n.models.length ? _("Also transferring {1}", n.models.join(", ")) : "");
    write(addresses, n.addresses.join(", "));
  } };
}

function totalCard(total) {
  const term = make("dt"), value = make("dd"), note = make("dd", "dim");
  if (total.kind) term.append(make("span", "dot " + total.kind));
  term.append(total.name);
  return { element: make("div", "card", term, value, note), update(t) {
    write(value, size(t.bytes));
    write(note, t.note || "");
  } };
}

function show(s) {
  const n = s.node, t = s.totals, fetched = t.from_hub + t.from_lan;
  const done = s.transfers.filter(t => t.state === "complete"), open = s.transfers.filter(t => t.state !== "complete");
  document.title = n.name ? n.name + " \u2013 exo-agent" : "exo-agent";
  write(at("name"), n.name || "exo-agent");
  write(at("about"), line("exo-agent " + n.version, n.port ? _("port {1}", n.port) : "", n.cache,
                          n.hub_reachable ? _("the Hub answers") : "", exo(n.exo, n.exo_models)));
  write(at("hub"), !n.hub_reachable ? _("The Hub cannot be reached: only what neighbours or the cache have can be had now.")
                   : n.hub_blocked_s > 0 ? _("The Hub asked us to wait: {1} more.", span(n.hub_blocked_s)) : "");
  sync(at("totals"), [
    { name: _("From the Hub"), kind: "hub", bytes: t.from_hub },
    { name: _("From neighbours"), kind: "lan", bytes: t.from_lan,
      note: fetched ? _("{1} of downloads saved", percent(t.from_lan, fetched)) : "" },
    { name: _("Given to neighbours"), bytes: t.served },
    { name: _("In the cache"), bytes: n.cache_bytes },
    { name: _("Free on its disk"), bytes: n.free_bytes },
  ], total => total.name, totalCard);
  sync(at("transfers"), [...open, ...done], t => t.id, transferCard);
  sync(at("nodes"), s.nodes, n => n.id, nodeCard);
  at("no-transfers").hidden = s.transfers.length > 0;
  at("no-nodes").hidden = s.nodes.length > 0;
  at("clients").hidden = !n.local_endpoint;
  write(at("export"), "export HF_ENDPOINT=" + n.local_endpoint);
}

let timer = 0, seen = "";

async function look() {
  clearTimeout(timer);
  try {
    const answer = await fetch("state.json", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
    seen = new Date().toLocaleTimeString(language);
    document.body.className = "";
    write(at("trouble"), "");
  } catch (e) {
    document.body.className = seen ? "stale" : "";
    write(at("trouble"), _("The agent does not answer. Is it running? (systemctl --user status exo-agent)")
                         + (seen ? " " + _("What you see is of {1}.", seen) : ""));
  }
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(look, 1000);
}

document.documentElement.lang = language;
for (const id in still) write(at(id), still[id]);
at("totals").setAttribute("aria-label", _("Totals"));
document.addEventListener("visibilitychange", () => { if (document.hidden) clearTimeout(timer); else look(); });
look();
