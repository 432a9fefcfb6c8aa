/** What became of each submitted title or URN; its state then follows the stream. */

import { element, fill } from "./element.js";
import { listen } from "./live.js";
import { link, table } from "./parts.js";
import { address } from "./router.js";
import { many, status } from "./words.js";

export function outcomes(kind, signal) {
	const nameOf = (one) => one.title ?? one.urn;
	const rows = new Map(); // id → the place of its status
	const heard = new Map(); // id → its last change, which may come before the answer
	const sums = { queued: 0, skipped: 0 };
	const summary = element("p", { role: "status", class: "summary" });
	const list = table("What became of each", [["Submitted"], ["What became of it"], ["Now"]], []);
	const body = list.querySelector("tbody");
	const node = element("section", { "aria-label": "What became of them" }, summary, list);

	listen("changes", signal, (changed) => changed.forEach((one) => {
		heard.set(one.id, one);
		const place = rows.get(one.id);
		if (place) fill(place, status(one));
	}));

	/** `answer`: of POST /topics or /articles to these lines. */
	function add(lines, answer) {
		const queued = answer.saved_topics ?? answer.accepted;
		const skipped = answer.skipped_topics ?? answer.skipped;
		sums.queued += queued;
		sums.skipped += skipped;
		summary.textContent = `${many(sums.queued, kind.slice(0, -1))} queued, ${sums.skipped} skipped.`;
		const verdict = verdicts(answer[kind], queued, new Set(answer.skipped_titles ?? []));
		const twice = lines.length - answer[kind].length;
		body.append(...answer[kind].map((one) => {
			const newer = heard.get(one.id);
			const now = element("td", {}, status(newer?.attempt >= one.attempt ? newer : one));
			rows.set(one.id, now);
			const href = address(`/${kind}/${encodeURIComponent(kind === "topics" ? one.id : one.urn)}`);
			return element("tr", {}, element("td", {}, link(href, nameOf(one))), element("td", {}, verdict(one)), now);
		}));
		if (twice > 0) body.append(element("tr", {}, element("td", { colspan: 3 }, `${many(twice, "line")} named something of this list once more: skipped.`)));
	}
	return { node, add };
}

/** In words, from the answer, which does not say it of each one. */
function verdicts(all, queued, skippedNames) {
	const isCertain = all.filter(({ status: now }) => now === "pending").length === queued;
	return (one) => {
		if (one.status === "completed") return "skipped: it is done already";
		if (one.status === "processing") return "skipped: it is under way";
		if (isCertain) return `queued, attempt ${one.attempt}`;
		return skippedNames.has(one.title) ? "skipped: it is queued already" : `queued, now or before, attempt ${one.attempt}`;
	};
}
