/** The history of a submission, grouped by attempt, newest first. */

import { element } from "./element.js";
import { faint, hint, second } from "./parts.js";
import { time } from "./times.js";
import { capital, dollars, many, number } from "./words.js";

const WORDS = {
	TopicSubmitted: "submitted", ArticleSubmitted: "submitted", SubmissionStarted: "a worker began", SubmissionParked: "put back to wait",
	SubmissionCompleted: "completed", SubmissionFailed: "failed", TopicRemoved: "deleted", ArticleRemoved: "forgotten",
	ArticleAnnotated: "annotated, to be written to the catalogue", ForgetArticle: "to be forgotten by the catalogue",
};
const KINDS = { SubmissionCompleted: "completed", SubmissionFailed: "failed", SubmissionStarted: "processing", SubmissionParked: "waiting" };

const inWords = (event) => WORDS[event] ?? event.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();

export function timeline({ events, is_complete: isComplete }) {
	const attempts = Map.groupBy(events, ({ attempt }) => attempt);
	return element("div.timeline", {},
		[...attempts].reverse().map(([number_, of]) => attempt(number_, of)),
		isComplete ? null : hint("Older events are not shown."));
}

function attempt(n, events) {
	const sum = (name) => events.reduce((all, event) => all + (event[name] ?? 0), 0);
	const tries = events.filter(({ event }) => event === "SubmissionStarted").length;
	const tokens = sum("tokens_in") + sum("tokens_out");
	const cost = events.some((event) => event.cost !== null) ? dollars(sum("cost")) : "";
	const facts = [tries ? many(tries, "try", "tries") : "", tokens ? `${number(tokens)} tokens` : "", cost].filter(Boolean).join(", ");
	return element("section", {},
		element("h3", {}, `Attempt ${n}`, facts ? faint(` – ${facts}`) : null),
		element("ol", {}, events.map(entry)));
}

function entry(event) {
	const tokens = event.tokens_in || event.tokens_out ? `${number(event.tokens_in ?? 0)} tokens in, ${number(event.tokens_out ?? 0)} out` : "";
	const facts = [event.worker && `by ${event.worker}`, event.model, tokens, event.cost === null ? "" : dollars(event.cost)].filter(Boolean).join(" · ");
	return element("li", { class: KINDS[event.event] ?? "" },
		time(event.time), element("span", {}, element("b", {}, capital(inWords(event.event))), facts ? faint(` ${facts}`) : null,
			event.error ? second(event.error) : null));
}
