/** The newest failures, with their messages, and a retry for each or for all. */

import { read } from "./api.js";
import { enrich } from "./article.js";
import { element, fill, refill } from "./element.js";
import { follow, listen, live } from "./live.js";
import { button, faint, heading, hint, link, second, shownIn, titled } from "./parts.js";
import { address } from "./router.js";
import { time } from "./times.js";
import { retryAllFailed, retryOne } from "./topic_actions.js";
import { capital, many, total } from "./words.js";

const SHOWN = 50;
const KINDS = {
	topics: { query: { sort_by: "updated_at" }, nameOf: (topic) => topic.title, idOf: (topic) => topic.id, retry: retryOne },
	articles: { query: {}, nameOf: (article) => article.urn, idOf: (article) => article.urn, retry: enrich },
};

export function failuresView(main, { signal }) {
	const failed = () => live.counts?.topics.failed_count ?? 0;
	const all = button("", () => retryAllFailed(failed()), { class: "primary" });
	const show = () => {
		all.hidden = !failed();
		all.textContent = `Retry all ${many(failed(), "failed topic")}`;
	};
	fill(main, titled(heading("Failures"), all), Object.keys(KINDS).map((kind) => section(kind, signal)));
	listen("counts", signal, show);
	show();
	return { title: "Failures" };
}

function section(kind, signal) {
	const { query, nameOf, idOf, retry } = KINDS[kind];
	const count = faint(), body = element("div", {}, hint("Loading …"));
	const row = (one) => {
		const again = button("Retry", async () => {
			again.disabled = true;
			again.disabled = await retry(one);
		}, { "aria-label": `Retry ${nameOf(one)}` });
		return element("li", {},
			element("div", {}, link(address(`/${kind}/${encodeURIComponent(idOf(one))}`), nameOf(one)), second(one.error_message ?? "without a reason")),
			faint(`attempt ${one.attempt}, `, time(one.updated_at)), again);
	};
	const show = () => shownIn(body, async () => {
		const failed = await read(`/${kind}`, { status: "failed", limit: SHOWN, ...query }, signal);
		count.textContent = ` ${total(failed)}`;
		if (!failed[kind].length) return hint("None has failed.");
		return [element("ul.failures", {}, failed[kind].map(row)), failed.next_cursor ? link(`#/${kind}?status=failed`, "All of them, with filters") : null];
	}, refill);
	follow(signal, 1, (one) => `${one.kind}s` === kind, show);
	return element("section", {}, element("h2", {}, capital(kind), count), body);
}
