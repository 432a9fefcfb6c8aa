/** Scanning the catalogue for articles that are not enriched yet, with the progress of the latest scan. */

import { post, read } from "./api.js";
import { element, fill, refill } from "./element.js";
import { follow } from "./live.js";
import { orSay, say } from "./news.js";
import { button, hint } from "./parts.js";
import { time } from "./times.js";
import { many, status, waitingText } from "./words.js";

export function catalogScan(signal) {
	const place = element("div", { "aria-live": "polite" }), start = button("Scan the catalogue", run);
	const node = element("section.panel", { "aria-labelledby": "scan" },
		element("h2", { id: "scan" }, "The whole catalogue"),
		hint("A scan reads the catalogue page by page and submits each article that is not enriched yet."), start, place);

	const show = async () => {
		try {
			const scan = await read("/articles/scan", {}, signal);
			refill(place, progress(scan));
		} catch (problem) {
			if (problem.name !== "AbortError") fill(place, hint(problem.status === 404 ? "No scan was started yet." : problem.message));
		}
	};
	async function run() {
		await orSay(async () => {
			fill(place, progress(await post("/articles/scan")));
			say("The scan is under way.");
		});
	}
	follow(signal, 1, ({ kind }) => kind === "scan", show);
	return node;
}

function progress(scan) {
	return element("div", {},
		element("p", {}, status(scan), ` ${scan.scan}, started `, time(scan.started_at), scan.ended_at ? [", ended ", time(scan.ended_at)] : null),
		element("p", {}, `${many(scan.pages, "page")} read, ${many(scan.seen, "article")} seen, ${scan.submitted} submitted.`),
		scan.waiting_for ? element("p", {}, `Waits: ${waitingText(scan.waiting_for)}.`) : null,
		scan.error_message ? element("p.problem", {}, scan.error_message) : null);
}
