/** A list of topics or articles: filters in the address, pages by cursor, rows that change in place. */

import { read } from "./api.js";
import { element, fill } from "./element.js";
import { FILTERS, filterBar } from "./filters.js";
import { listen, live } from "./live.js";
import { NewRows } from "./new_rows.js";
import { pages } from "./pages.js";
import { choice, heading, hint, link, option, problemBox, titled } from "./parts.js";
import { address, go } from "./router.js";
import { Selection } from "./selection.js";
import { SubmissionTable } from "./submission_table.js";
import { atMostEvery } from "./times.js";
import { deleteMany, retryMany } from "./topic_actions.js";
import { capital, number, total } from "./words.js";

const PAGE = 25;
const REREAD_SECONDS = 3; // at most, while what is shown changes
const STATUSES = ["", "pending", "processing", "completed", "failed"];
const SORTS = { created_at: "Newest first", updated_at: "Last changed", title: "By title", status: "By status", difficulty: "By difficulty" };

export function submissionList(kind, main, { query: first, signal }) {
	const noun = kind.slice(0, -1), path = `/${kind}`, isTopics = kind === "topics";
	const names = ["status", "search", ...Object.keys(FILTERS[kind])];
	let query = first, shown = null, reading = null;

	const change = (next, options) => go(address(path, next), options);
	const filtered = (next, options) => change({ ...next, cursor: "" }, options);
	const sortBy = (column) => filtered(sorted(query, column));
	const selection = isTopics ? new Selection(noun, [{ text: "Retry", run: retryMany }, { text: "Delete", run: deleteMany, isDangerous: true }]) : null;
	const table = new SubmissionTable(kind, capital(kind), selection, sortBy);
	const filters = filterBar(kind, filtered);
	const search = element("input", { type: "search", "aria-label": `Search ${kind} by ${isTopics ? "title" : "URN"}`, placeholder: `Search ${kind}`, maxlength: 500 });
	const searchForm = element("form", { role: "search" }, search);
	const statuses = choice("Filter by status", STATUSES.map((name) => ["#", [capital(name || "all"), element("span.faint")]]));
	const sort = element("select", { "aria-label": "Sort", onchange: () => sortBy(sort.value) }, Object.entries(SORTS).map(([name, text]) => option(name, text)));
	const newRows = new NewRows(noun, () => readAnew());
	const count = element("p.count", { role: "status" }), pager = element("nav.pages", { "aria-label": "Pages" }), result = element("div");

	fill(main,
		titled(heading(capital(kind)), count, link(`#/submit${path}`, `Submit ${kind}`, { class: "button primary" })),
		element("div.tools", {}, statuses, searchForm, isTopics ? sort : null),
		element("details", {}, element("summary", {}, "More filters"), filters.form),
		filters.chips, newRows.node, result, pager, selection?.bar);

	let typing = null;
	const searched = () => {
		clearTimeout(typing);
		const text = search.value.trim();
		if (text !== (query.search ?? "")) filtered({ ...query, search: text }, { replace: Boolean(query.search) });
	};
	searchForm.addEventListener("submit", (event) => { event.preventDefault(); searched(); });
	search.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(searched, 350); });
	signal.addEventListener("abort", () => { clearTimeout(typing); reading?.abort(); });

	const page = (abort) => read(path, { limit: PAGE, ...Object.fromEntries([...names, "sort_by", "sort_order", "cursor"].map((name) => [name, query[name]])) }, abort);
	const showCount = () => { count.textContent = `${total(shown)} ${shown.total_count === 1 ? noun : kind}`; };

	async function readAnew() {
		reading?.abort();
		const { signal: mine } = reading = new AbortController();
		result.setAttribute("aria-busy", "true");
		if (!shown) fill(result, hint("Loading …"));
		newRows.show(0);
		try {
			shown = await page(mine);
			table.replace(shown[kind]);
			table.sorted(query.sort_by || "created_at", query.sort_order || "desc");
			fill(result, shown[kind].length ? table.node : empty());
			fill(pager, pages(query, shown, change));
			showCount();
		} catch (problem) {
			if (problem.name === "AbortError") return;
			shown = null;
			fill(result, problemBox(problem, readAnew));
			fill(pager);
		}
		reading = null;
		result.removeAttribute("aria-busy");
		if (document.activeElement === document.body) main.querySelector("h1")?.focus({ preventScroll: true });
	}

	const reread = atMostEvery(REREAD_SECONDS, signal, async () => {
		if (reading || document.hidden) return;
		if (!shown?.[kind].length) return void readAnew();
		const asked = query;
		const now = await page(signal).catch(() => null); // the next change reads again
		if (!now || reading || asked !== query) return;
		shown = now;
		showCount();
		now[kind].forEach((one) => table.patch(one.id, one));
		if (!query.cursor) newRows.show(now[kind].filter(({ id }) => !table.rows.has(id)).length, PAGE);
	});

	const empty = () => element("div.empty", {}, names.some((name) => query[name])
		? [element("p", {}, `No ${noun} matches these filters.`), link(`#${path}`, "Show all")]
		: [element("p", {}, `There are no ${kind} yet.`), link(`#/submit${path}`, `Submit the first ${kind}`)]);

	const showStatuses = () => [...statuses.children].forEach((a, n) => {
		const counted = live.counts?.[kind]?.[`${STATUSES[n] || "total"}_count`];
		a.href = address(path, { ...query, status: STATUSES[n], cursor: "" });
		a.ariaCurrent = (query.status ?? "") === STATUSES[n] ? "true" : null;
		a.lastChild.textContent = counted === undefined ? "" : ` ${number(counted)}`;
	});

	const update = (next) => {
		query = next;
		if (document.activeElement !== search) search.value = query.search ?? "";
		sort.value = query.sort_by || "created_at";
		filters.show(query);
		showStatuses();
		readAnew();
	};
	listen("changes", signal, (all) => {
		const mine = all.filter((one) => `${one.kind}s` === kind);
		mine.forEach(({ id, status, attempt, at, error_message, waiting_for }) => table.patch(id, { status, attempt, error_message, waiting_for, updated_at: at }));
		if (mine.length) reread();
	});
	listen("resync", signal, reread);
	listen("counts", signal, showStatuses);
	update(first);
	return { title: capital(kind), update };
}

/** By this column; by the same once more: the other way round. */
function sorted(query, column) {
	const [by, order] = [query.sort_by || "created_at", query.sort_order || "desc"];
	const usual = column === "title" || column === "status" ? "asc" : "desc";
	return { ...query, sort_by: column, sort_order: by !== column ? usual : order === "asc" ? "desc" : "asc" };
}
