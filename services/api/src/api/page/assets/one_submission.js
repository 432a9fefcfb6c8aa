/** What the views of one topic and of one article share: reading, following, state in words. */

import { read } from "./api.js";
import { fact } from "./card.js";
import { element, fill, refill } from "./element.js";
import { follow, live } from "./live.js";
import { heading, link, problemBox, titled } from "./parts.js";
import { title } from "./router.js";
import { time } from "./times.js";
import { timeline } from "./timeline.js";
import { many, simulatedMark, status, waitingText } from "./words.js";

/** `of`: {kind, path, nameOf, actions(submission, refresh), result(submission)}. */
export function oneSubmission(main, of, signal) {
	const back = () => element("p", {}, link(`#/${of.kind}s`, `All ${of.kind}s`));
	let id = null;

	async function refresh() {
		try {
			const [submission, history] = await Promise.all([read(of.path, {}, signal), read(`${of.path}/history`, {}, signal)]);
			id = submission.id;
			title(of.nameOf(submission));
			refill(main, shown(submission, history));
		} catch (problem) {
			const isGone = problem.status === 404;
			if (problem.name === "AbortError" || (id !== null && !isGone)) return;
			if (isGone) problem.message = "It does not exist, or it was deleted.";
			fill(main, heading(isGone ? `No such ${of.kind}` : `This ${of.kind} cannot be read`), problemBox(problem, isGone ? null : refresh), back());
		}
	}

	const shown = (submission, history) => [
		back(),
		titled(heading(of.nameOf(submission)), element("div.actions", {}, of.actions(submission, refresh))),
		element("div.state", {}, status(submission), element("p", {}, sentence(submission, of.kind)), submission.simulated ? simulatedMark() : null),
		element("div.columns", {},
			element("div", {}, of.result(submission)),
			element("section.aside", { "aria-label": "Facts and history" }, facts(submission), element("h2", {}, "History"), timeline(history))),
	];

	fill(main, back(), titled(heading("Loading …")));
	follow(signal, 0.5, (one) => one.id === id, refresh);
}

function sentence({ status: now, attempt, tries, worker, error_message: error, waiting_for: waits }, kind) {
	switch (now) {
		case "pending":
			if (waits) return `Attempt ${attempt} waits: ${waitingText(waits)}. It goes on by itself.`;
			return live.counts?.[`${kind}s`]?.live_workers === 0
				? `Attempt ${attempt} is queued. No worker is running; it begins when one does.`
				: `Attempt ${attempt} is queued and begins when a worker is free.`;
		case "processing": return `${worker ?? "A worker"} works on attempt ${attempt}. The result appears here as soon as it is there.`;
		case "completed": return `Attempt ${attempt} is completed. Nothing more happens unless it is asked for again.`;
		case "failed": return `Attempt ${attempt} failed${tries > 1 ? ` after ${many(tries, "try", "tries")}` : ""}: ${error ?? "without a reason"}. Nothing more happens until it is retried.`;
		default: return "";
	}
}

function facts(one) {
	const at = (name) => one[name] && time(one[name]);
	const rows = {
		attempt: String(one.attempt), tries_spent: one.tries && String(one.tries), worker: one.worker, submitted_by: one.submitted_by, submitted: at("created_at"), started: at("started_at"),
		completed: at("completed_at"), enriched: at("enriched_at"), changed: at("updated_at"), old_number: one.legacy_id && String(one.legacy_id), id: one.id,
	};
	return element("dl.facts", {}, Object.entries(rows).filter(([, value]) => value).map(([name, value]) => fact(name, value)));
}
