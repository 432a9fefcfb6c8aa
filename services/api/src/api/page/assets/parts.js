/** Small parts that many views are made of. */

import { element, fill } from "./element.js";

export const button = (text, onclick, props = {}) => element("button", { type: "button", onclick, ...props }, text);
export const link = (href, content, props = {}) => element("a", { href, ...props }, content);
export const faint = (...content) => element("span.faint", {}, content);
export const second = (...content) => element("span.second", {}, content);
export const hint = (...content) => element("p.hint", {}, content);
export const none = () => faint("–");
export const option = (value, text = value) => element("option", { value }, text);
export const titled = (head, ...more) => element("div.title", {}, head, more);

/** The heading of a view; it gets the focus when the view is opened. */
export const heading = (text) => element("h1", { tabindex: "-1" }, text);

/** A choice by links: `[[href, content, isHere]]`. */
export const choice = (name, links) => element("nav.choice", { "aria-label": name },
	links.map(([href, content, isHere]) => link(href, content, isHere ? { "aria-current": "true" } : {})));

/** `heads`: a text and a class for each column; `rows`: a list of cells for each. */
export function table(caption, heads, rows) {
	const cells = (tag, contents, props = {}) => element("tr", {}, contents.map((content, n) => element(tag, { ...props, class: heads[n][1] }, content)));
	return element("table.list", {}, element("caption.hidden", {}, caption),
		element("thead", {}, cells("th", heads.map(([text]) => text), { scope: "col" })), element("tbody", {}, rows.map((row) => cells("td", row))));
}

export const problemBox = (problem, again) => element("div.problem", { role: "alert" }, element("p", {}, problem.message), again ? button("Try again", again) : null);

/** Shows in `place` what `work` returns, or its problem with a button to try again. */
export async function shownIn(place, work, put = fill) {
	try {
		put(place, await work());
	} catch (problem) {
		if (problem.name !== "AbortError") fill(place, problemBox(problem, () => shownIn(place, work, put)));
	}
}
