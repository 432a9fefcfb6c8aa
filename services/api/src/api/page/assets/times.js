/** Local times, with the UTC time in the title. */

import { element } from "./element.js";

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** `14:05:07` today, `28 Feb, 14:05` this year, `28/02/2025` before. */
export function clock(iso) {
	const at = new Date(iso), now = new Date();
	if (Number.isNaN(at.getTime())) return iso;
	if (at.toDateString() === now.toDateString()) return TIME.format(at);
	return at.getFullYear() === now.getFullYear() ? DAY.format(at) : at.toLocaleDateString("en-GB");
}

export function time(iso) {
	if (Number.isNaN(Date.parse(iso))) return iso || "–";
	return element("time", { datetime: iso, title: utc(iso) }, clock(iso));
}

const utc = (iso) => `${new Date(iso).toISOString().slice(0, 19).replace("T", " ")} UTC`;

export function duration(seconds) {
	if (seconds < 120) return `${Math.max(1, Math.round(seconds))} s`;
	if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
	if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
	return `${Math.round(seconds / 86400)} days`;
}

export const secondsSince = (at) => Math.max(0, (Date.now() - new Date(at).getTime()) / 1000);

/** `work` now and then again every `seconds` while the tab is seen, until the signal aborts. */
export function every(seconds, signal, work) {
	const tick = () => { if (!document.hidden) work(); };
	const timer = setInterval(tick, seconds * 1000);
	document.addEventListener("visibilitychange", tick, { signal });
	signal.addEventListener("abort", () => clearInterval(timer));
	work();
}

/** A function that runs `work` at most once in `seconds`, and once more after the last call. */
export function atMostEvery(seconds, signal, work) {
	let timer = null, last = -Infinity;
	signal.addEventListener("abort", () => clearTimeout(timer));
	return () => {
		if (timer !== null || signal.aborted) return;
		const run = () => { timer = null; last = performance.now(); work(); };
		timer = setTimeout(run, Math.max(0, last + seconds * 1000 - performance.now()));
	};
}
