/** The bar under the header: while something is under way, or something failed that nobody has seen. */

import { post, read } from "./api.js";
import { element, refill } from "./element.js";
import { listen, live } from "./live.js";
import { orSay, say } from "./news.js";
import { Pace } from "./pace.js";
import { button, link } from "./parts.js";
import { atMostEvery, duration, every } from "./times.js";
import { capital, many, number, shape, waitingText } from "./words.js";

const STATES = ["pending", "processing", "completed", "failed"];
const KINDS = ["topics", "articles"];

export function statusBar(place) {
	const { signal } = new AbortController();
	const paces = { topics: new Pace(), articles: new Pace() };
	let status = null;

	const show = () => {
		const blocks = KINDS.map((kind) => live.counts?.[kind] && block(kind, live.counts[kind], paces[kind], kind === "topics" ? status : null)).filter(Boolean);
		place.hidden = !blocks.length;
		refill(place, blocks);
	};
	const ask = async () => {
		status = await read("/processing-status").catch(() => status); // the header says what is wrong
		if (status) live.counts ??= { topics: status };
		show();
	};
	const askSoon = atMostEvery(2, signal, ask);
	const seen = () => orSay(async () => {
		await post("/processing-status/seen");
		await ask();
		say("All failures so far are marked as seen.");
	});
	place.addEventListener("click", (event) => { if (event.target.matches("button")) seen(); });
	listen("counts", signal, () => {
		for (const kind of KINDS) if (live.counts[kind]?.total_count !== undefined) paces[kind].add(live.counts[kind]);
		show();
		askSoon();
	});
	every(30, signal, ask);
	setInterval(show, 2000);
}

/** Of one kind; null if there is nothing to say about it. `status`: of GET /processing-status. */
function block(kind, counts, pace, status) {
	const open = counts.pending_count + counts.processing_count;
	const hasUnseen = Boolean(status?.show_status) && counts.failed_count > 0;
	if (!open && !hasUnseen && !pace.wasBusy()) return null;
	const ended = counts.completed_count + counts.failed_count;
	const waits = open ? counts.waiting_for : null;
	return element("section", { "aria-label": `${capital(kind)}: progress` },
		element("h2", {}, capital(kind)),
		element("ul", {}, STATES.map((name) => element("li", { class: `status ${name}` }, link(`#/${kind}?status=${name}`, [shape(name), element("b", {}, number(counts[`${name}_count`])), ` ${name}`])))),
		open ? element("progress", { max: ended + open, value: ended, "aria-label": `${kind} that have ended` }) : null,
		element("p", { class: waits ? "status waiting" : "" }, waits ? [shape("waiting"), `Everything waits: ${waitingText(waits)}.`] : sentence(open, hasUnseen, counts, pace)),
		hasUnseen ? button("Mark failures as seen", null, { class: "quiet" }) : null);
}

function sentence(open, hasUnseen, counts, pace) {
	if (!open) return hasUnseen ? `Nothing is under way. ${many(counts.failed_count, "failure")} in all, some not seen yet.` : "Done.";
	if (counts.live_workers === 0) return "No worker is running; the work waits for one.";
	const perSecond = pace.perSecond();
	if (!perSecond) return "Under way.";
	const speed = perSecond >= 1 ? `${perSecond.toFixed(1)} a second` : `${(perSecond * 60).toFixed(1)} a minute`;
	return `${speed}, about ${duration(open / perSecond)} left`;
}
