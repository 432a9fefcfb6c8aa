/** The filters of a list: what there is, the chips of those in use, and the form that adds one. */

import { read } from "./api.js";
import { element, fill } from "./element.js";
import { button, option } from "./parts.js";
import { clock } from "./times.js";
import { label } from "./words.js";

const COMMON = {
	submitted_by: { label: "Submitted by" },
	worker: { label: "Worker" },
	error_contains: { label: "Error contains" },
	created_from: { label: "Submitted from", type: "datetime-local" },
	created_to: { label: "Submitted before", type: "datetime-local" },
	updated_from: { label: "Changed from", type: "datetime-local" },
	updated_to: { label: "Changed before", type: "datetime-local" },
};

/** `options`: the field of GET /topics/filter-options that has its values. */
export const FILTERS = {
	topics: {
		category: { label: "Category", options: "categories" },
		tag: { label: "Tag", options: "tags" },
		technology: { label: "Technology", options: "technologies" },
		company: { label: "Company", options: "companies" },
		complexity: { label: "Complexity", options: "complexity_levels" },
		...COMMON,
	},
	articles: COMMON,
};

/** `change(query)`: gets the query with a filter more or less. */
export function filterBar(kind, change) {
	const filters = FILTERS[kind];
	const chips = element("ul.chips", { "aria-label": "Filters in use" });
	const which = element("select", { "aria-label": "Filter by" }, Object.entries(filters).map(([name, { label: text }]) => option(name, text)));
	const values = element("datalist", { id: "filter-values" });
	const value = element("input", { "aria-label": "Value of the filter", list: "filter-values", maxlength: 500, required: true });
	const form = element("form.add-filter", {}, which, value, values, element("button", {}, "Add filter"));
	let query = {}, options = null;

	const offer = async () => {
		const filter = filters[which.value];
		value.type = filter.type ?? "text";
		value.value = "";
		fill(values);
		if (filter.options) options ??= await read("/topics/filter-options").catch(() => null);
		if (filters[which.value] !== filter) return;
		fill(values, (options?.[filter.options] ?? []).map((one) => option(one)));
	};
	which.addEventListener("change", offer);
	value.addEventListener("focus", () => { if (!options) offer(); }, { once: true });
	form.addEventListener("submit", (event) => {
		event.preventDefault();
		const isTime = filters[which.value].type === "datetime-local";
		const given = isTime ? new Date(value.value).toISOString() : value.value.trim();
		if (given) change({ ...query, [which.value]: given });
		value.value = "";
	});

	const show = (of) => {
		query = of;
		const used = Object.keys(filters).filter((name) => of[name]);
		fill(chips, used.map((name) => chip(filters[name], of[name], () => change({ ...query, [name]: "" }))));
		chips.hidden = !used.length;
	};
	return { form, chips, show };
}

function chip(filter, value, remove) {
	const text = `${filter.label}: ${filter.type ? clock(value) : filter.options ? label(value) : value}`;
	return element("li", {}, element("span", {}, text), button("×", remove, { "aria-label": `Remove the filter ${text}` }));
}
