/** Reads server-sent events from text in pieces. Lines end with \n, \r\n or \r and with nothing else. */

export class EventParser {
	/** `onEvent({event, data, id})`; `onRetry(milliseconds)`. `id` is the last one seen. */
	constructor(onEvent, onRetry) {
		this.onEvent = onEvent;
		this.onRetry = onRetry;
		this.id = "";
		this.rest = "";
		this.isAfterReturn = false;
		this.isBegun = false;
		this.clear();
	}

	push(text) {
		if (!text) return;
		if (!this.isBegun) text = text.replace(/^\uFEFF/, "");
		this.isBegun = true;
		if (this.isAfterReturn && text[0] === "\n") text = text.slice(1);
		this.isAfterReturn = text === "" ? false : text.endsWith("\r");
		const lines = (this.rest + text).split(/\r\n|\n|\r/);
		this.rest = lines.pop();
		lines.forEach((line) => this.line(line));
	}

	line(line) {
		if (line === "") return this.dispatch();
		const colon = line.indexOf(":");
		if (colon === 0) return undefined;
		const field = colon < 0 ? line : line.slice(0, colon);
		const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
		if (field === "event") this.event = value;
		else if (field === "data") this.data.push(value);
		else if (field === "id" && !value.includes("\0")) this.id = value;
		else if (field === "retry" && /^\d+$/.test(value)) this.onRetry(Number(value));
		return undefined;
	}

	dispatch() {
		if (this.data.length) this.onEvent({ event: this.event || "message", data: this.data.join("\n"), id: this.id });
		this.clear();
	}

	clear() {
		this.event = "";
		this.data = [];
	}
}
