/** Any JSON as something to read: long texts, then facts, then lists and parts, each in its own order. */

import { element } from "./element.js";
import { faint, none } from "./parts.js";
import { time } from "./times.js";
import { label } from "./words.js";

const DEEPEST = 6;
const LONG = 120, SHORT = 32; // characters
const IS_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;
const IS_NAME = /^[a-z]+(_[a-z]+)+$/; // big_tech_companies

/** `leftOut`: a field that is shown elsewhere. */
export function card(content, leftOut = "") {
	const all = Object.entries(content).filter(([name]) => name !== leftOut);
	const isPart = ([, value]) => value !== null && typeof value === "object";
	const isLong = ([, value]) => typeof value === "string" && value.length > LONG;
	return element("div.card", {},
		all.filter(isLong).map(([name, text]) => section(name, element("p.lead", {}, text))),
		facts(all.filter((one) => !isPart(one) && !isLong(one)), 0),
		all.filter(isPart).map(([name, value]) => section(name, shown(value))));
}

const section = (name, content) => element("section", {}, element("h3", {}, label(name)), content);

export const fact = (name, value) => element("div", {}, element("dt", {}, label(name)), element("dd", {}, value));

const facts = (entries, depth) => element("dl.facts", {}, entries.map(([name, value]) => fact(name, shown(value, depth))));

function shown(value, depth = 0) {
	if (value === null || value === "") return none();
	if (typeof value === "string") return IS_TIME.test(value) ? time(value) : IS_NAME.test(value) ? label(value) : value;
	if (typeof value !== "object") return String(value);
	if (depth >= DEEPEST) return JSON.stringify(value);
	if (!Array.isArray(value)) return facts(Object.entries(value), depth + 1);
	if (!value.length) return faint("none");
	const isShort = value.every((one) => typeof one !== "object" && String(one).length <= SHORT);
	return element("ul", { class: isShort ? "labels" : "plain" }, value.map((one) => element("li", {}, shown(one, depth + 1))));
}
