/** The table of a list: a row for each submission, changed in place. */

import { element, fill, refill } from "./element.js";
import { link, none, second, table } from "./parts.js";
import { address } from "./router.js";
import { time } from "./times.js";
import { label, simulatedMark, status, waitsFor } from "./words.js";

const worker = ["Worker", "widest", (one) => one.worker ?? none()];
const attempt = ["Attempt", "num widest", (one) => String(one.attempt)];
const changed = (sort) => ["Changed", "medium", (one) => time(one.updated_at), sort];

/** Text, class (where it is left out when there is little room), cell, and what it can be sorted by. */
const COLUMNS = {
	topics: [
		["Topic", "", (topic) => named("topics", topic.id, topic.title, topic), "title"],
		["Status", "narrow", status, "status"],
		["Category", "wide", ({ content }) => (content?.category ? label(content.category) : none())],
		["Level", "wider", ({ content }) => (content?.complexity_level ? `${label(content.complexity_level)}, ${content.difficulty}` : none()), "difficulty"],
		worker, attempt, changed("updated_at"),
	],
	articles: [
		["Article", "", (article) => named("articles", article.urn, article.urn, article)],
		["Status", "narrow", status],
		["Study type", "wide", ({ result }) => result?.study_type ?? none()],
		worker, attempt, changed(),
	],
};

function named(kind, id, name, one) {
	const more = one.status === "failed" ? one.error_message : one.waiting_for ? waitsFor(one.waiting_for) : "";
	return [link(address(`/${kind}/${encodeURIComponent(id)}`), name), one.simulated ? [" ", simulatedMark()] : null, more ? second(more) : null];
}

export class SubmissionTable {
	/** `selection`: null if rows cannot be selected. `sortBy(column)`: a head was pressed. */
	constructor(kind, caption, selection, sortBy) {
		this.columns = COLUMNS[kind];
		this.selection = selection;
		this.rows = new Map(); // id → {row, submission}
		const heads = this.columns.map(([text, name, , sort]) => [sort ? element("button", { type: "button", onclick: () => sortBy(sort) }, text) : text, name]);
		this.node = table(caption, selection ? [[selection.all, "box"], ...heads] : heads, []);
		this.heads = [...this.node.querySelectorAll("th")].slice(selection ? 1 : 0);
		this.body = this.node.querySelector("tbody");
	}

	sorted(by, order) {
		this.columns.forEach(([, , , sort], n) => {
			if (sort === by) this.heads[n].setAttribute("aria-sort", order === "asc" ? "ascending" : "descending");
			else this.heads[n].removeAttribute("aria-sort");
		});
	}

	/** Other rows instead of those that are there. */
	replace(submissions) {
		this.selection?.clear();
		this.rows.clear();
		fill(this.body, submissions.map((submission) => this.add(submission)));
	}

	add(submission) {
		const box = this.selection ? element("td.box", {}, this.selection.box(submission.id, submission.title)) : null;
		const row = fill(element("tr"), box, this.columns.map(([, name, cell]) => element("td", { class: name }, cell(submission))));
		this.rows.set(submission.id, { row, submission });
		return row;
	}

	/** New values of some fields of a row, if it is there. */
	patch(id, values) {
		const known = this.rows.get(id);
		if (!known) return;
		known.submission = { ...known.submission, ...values };
		const cells = [...known.row.children].slice(this.selection ? 1 : 0);
		this.columns.forEach(([, , cell], n) => refill(cells[n], cell(known.submission)));
		const isRemoved = known.submission.status === "removed";
		known.row.classList.toggle("is-removed", isRemoved);
		if (isRemoved) this.selection?.drop(id);
	}
}
