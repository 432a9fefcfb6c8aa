/** One event stream that is kept open: it goes on after the last event, with growing pauses while nothing answers. */

import { EventParser } from "./sse.js";

const FIRST_EVENT_WITHIN = 10_000; // else something between us and the API holds the stream back
const SILENCE = 40_000; // the API writes every 15 s
const LONGEST_PAUSE = 15_000;

export class Stream {
	/** `onState({name, status, detail})`: connecting, live, lost or refused. */
	constructor(url, key, { onEvent, onState }) {
		Object.assign(this, { url, key, onEvent, onState, lastId: "", retry: 1000, failures: 0, isClosed: false });
		this.run();
	}

	close() {
		this.isClosed = true;
		this.abort?.abort();
		this.wake?.();
	}

	/** Connects now instead of at the end of the pause. */
	hurry() {
		this.wake?.();
	}

	async run() {
		this.state("connecting");
		while (!this.isClosed) {
			const isRefused = await this.connect();
			if (isRefused || this.isClosed) return;
			const pause = Math.min(LONGEST_PAUSE, this.retry * 2 ** Math.min(this.failures, 6)) * (0.75 + Math.random() / 2);
			this.failures += 1;
			await new Promise((resolve) => { this.wake = resolve; setTimeout(resolve, pause); });
		}
	}

	/** Until the connection ends. Returns whether it is of no use to try again. */
	async connect() {
		const abort = this.abort = new AbortController();
		const headers = { Accept: "text/event-stream" };
		if (this.key) headers.Authorization = `Bearer ${this.key}`;
		if (this.lastId) headers["Last-Event-ID"] = this.lastId;
		this.expect(FIRST_EVENT_WITHIN);
		try {
			const answer = await fetch(this.url, { headers, signal: abort.signal, cache: "no-store", credentials: "omit" });
			if (!answer.ok) return await this.refused(answer);
			await this.read(answer.body);
			this.lost("the API ended the stream");
		} catch {
			this.lost(abort.signal.aborted ? "nothing arrives" : "the API does not answer");
		} finally {
			clearTimeout(this.timer);
		}
		return false;
	}

	async read(body) {
		const reader = body.pipeThrough(new TextDecoderStream()).getReader();
		const parser = new EventParser((event) => this.heard(event), (retry) => { this.retry = retry; });
		for (;;) {
			const { done, value } = await reader.read();
			if (done) return;
			this.expect(this.current === "live" ? SILENCE : FIRST_EVENT_WITHIN);
			parser.push(value);
		}
	}

	heard({ event, data, id }) {
		if (id) this.lastId = id;
		this.failures = 0;
		this.expect(SILENCE);
		if (this.current !== "live") this.state("live");
		this.onEvent(event, JSON.parse(data));
	}

	async refused(answer) {
		const { detail = "" } = await answer.json().catch(() => ({}));
		if (answer.status === 401 || answer.status === 403) {
			this.state("refused", { status: answer.status, detail });
			return true;
		}
		if (answer.status === 422 || answer.status === 400) this.lastId = ""; // it has become meaningless
		this.lost(detail);
		return false;
	}

	lost(detail) {
		if (!this.isClosed && this.current !== "lost") this.state("lost", { detail });
	}

	expect(milliseconds) {
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.abort.abort(), milliseconds);
	}

	state(name, more = {}) {
		this.current = name;
		this.onState({ name, ...more });
	}
}
