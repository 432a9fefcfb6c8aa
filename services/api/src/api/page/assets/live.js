/** What happens at the API, for all views of this tab: by event stream, or by polling where no stream comes through.
 *
 * Tabs share one stream through a SharedWorker: it needs no secure origin, as Web Locks do, and is never slowed down in
 * the background. Where there is none, each tab has a stream of its own.
 */

import { anotherKey, key, read, url } from "./api.js";
import { Stream } from "./stream.js";
import { atMostEvery } from "./times.js";

const POLL = 5000;
const PATIENCE = 4000; // without a stream, before polling begins

/** `state.name`: connecting, live, polling, lost or refused. `heardAt`: when what is shown was last confirmed. */
export const live = Object.assign(new EventTarget(), { state: { name: "connecting" }, counts: null, heardAt: Date.now() });

let connection = null, usedKey = "", poll = null;

/** `changes` has the changed submissions; `resync` means: read again what is shown; `counts`: `live.counts` is new. */
export function listen(name, signal, handle) {
	live.addEventListener(name, (event) => handle(event.detail), { signal });
}

/** `work` now, and again when something changes that `concerns` it, at most once in `seconds`. */
export function follow(signal, seconds, concerns, work) {
	const soon = atMostEvery(seconds, signal, work);
	listen("changes", signal, (changed) => { if (changed.some(concerns)) soon(); });
	listen("resync", signal, soon);
	work();
}

export function begin() {
	connection = window.SharedWorker ? ofAllTabs() : ofThisTab();
	join();
	addEventListener("key", join);
	addEventListener("pagehide", () => connection.leave());
	addEventListener("pageshow", (event) => { if (event.persisted) join(); });
	setTimeout(startPolling, PATIENCE);
}

function join() {
	usedKey = key.get();
	connection.join(usedKey);
}

function ofAllTabs() {
	const worker = new SharedWorker(new URL("shared_stream.js", import.meta.url), { type: "module", name: "topicflow" });
	worker.onerror = () => { connection = ofThisTab(); join(); };
	worker.port.onmessage = ({ data }) => (data.state ? onState(data.state) : onEvent(data.event, data.data));
	const tell = (what, of) => worker.port.postMessage({ what, url: url("/events").href, key: of });
	return { join: (of) => tell("join", of), leave: () => tell("leave"), hurry: () => tell("hurry") };
}

function ofThisTab() {
	let own = null;
	const leave = () => own?.close();
	return { leave, join(of) { leave(); own = new Stream(url("/events").href, of, { onEvent, onState }); }, hurry: () => own?.hurry() };
}

function onEvent(event, data) {
	live.heardAt = Date.now();
	live.counts = data.counts;
	say("counts");
	if (event === "changes") say("changes", data.submissions);
	if (event === "resync" || event === "snapshot") say("resync");
}

function onState(state) {
	if (state.name === "live") {
		const before = live.state.name;
		stopPolling();
		live.heardAt = Date.now();
		set(state);
		if (before === "lost" || before === "polling") say("back");
	} else if (state.name === "refused") {
		set(state);
		if (state.status === 401) key.get() === usedKey ? anotherKey(usedKey, state.detail) : join();
	} else if (state.name === "lost") {
		if (live.state.name !== "polling") set(state);
		setTimeout(startPolling, PATIENCE);
	}
}

function set(state) {
	live.state = state;
	say("state");
}

const say = (name, detail) => live.dispatchEvent(new CustomEvent(name, { detail }));

function startPolling() {
	if (poll || live.state.name === "live" || live.state.name === "refused") return;
	poll = setInterval(ask, POLL);
	ask();
}

function stopPolling() {
	clearInterval(poll);
	poll = null;
}

async function ask() {
	if (document.hidden) return;
	const asked = poll;
	try {
		const status = await read("/processing-status", {}, AbortSignal.timeout(POLL));
		if (poll !== asked) return;
		live.heardAt = Date.now();
		live.counts = { ...live.counts, topics: { ...live.counts?.topics, ...status } };
		if (live.state.name === "lost") connection.hurry();
		if (live.state.name !== "polling") set({ name: "polling" });
		say("counts");
		say("resync");
	} catch {
		if (poll === asked && live.state.name !== "lost") set({ name: "lost", detail: "the API does not answer" });
	}
}
