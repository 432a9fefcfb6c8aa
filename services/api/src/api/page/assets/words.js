/** States, reasons and numbers in words. */

import { element, svg } from "./element.js";
import { clock } from "./times.js";

const ring = () => svg("circle", { cx: 6, cy: 6, r: 4.2, class: "outline" });
const path = (d, name = "outline") => svg("path", { d, class: name });
const SHAPES = {
	pending: () => ring(),
	processing: () => [ring(), path("M6 1.8a4.2 4.2 0 0 1 0 8.4z", "")],
	completed: () => [svg("circle", { cx: 6, cy: 6, r: 5.2 }), path("M3.6 6.2 5.3 8l3.2-3.8", "inner")],
	failed: () => [path("M3.6.8h4.8l2.8 2.8v4.8l-2.8 2.8H3.6L.8 8.4V3.6z", ""), path("m4 4 4 4m0-4L4 8", "inner")],
	removed: () => path("M2 6h8"),
	waiting: () => path("M4 2.5v7M8 2.5v7"),
};

export const shape = (name) => svg("svg", { viewBox: "0 0 12 12", class: "shape", "aria-hidden": "true" }, SHAPES[name]());

export const marked = (name, text) => element("span", { class: `status ${name}` }, shape(name), text);

export function status(of) {
	const name = of.status === "pending" && of.waiting_for ? "waiting" : of.status;
	return marked(name, capital(name));
}

export const simulatedMark = () => element("span.simulated", { title: "A simulator answered instead of Gemini" }, "simulated");

const REASONS = {
	paused: "an operator paused the workers",
	rate_limited: "Gemini limits our requests per minute",
	daily_quota: "Gemini's quota of the day is used up",
	budget: "the budget of the day is spent",
	unavailable: "Gemini is not available",
	api_unavailable: "our API does not answer the workers",
	key_refused: "Gemini refuses our API key",
	catalog_unavailable: "the catalogue is not available",
	catalog_refuses_us: "the catalogue refuses our credentials",
};

export const waitsFor = ({ reason }) => REASONS[reason] ?? reason.replaceAll("_", " ");

/** `{reason, since, until, message}` as a sentence without its full stop. */
export function waitingText({ reason, since, until, message }) {
	const end = Date.parse(until) > Date.now() ? `, until ${clock(until)}` : "";
	return `${waitsFor({ reason })}${message ? ` (${message})` : ""}, since ${clock(since)}${end}`;
}

const NUMBER = new Intl.NumberFormat("en");
export const number = (value) => NUMBER.format(value);
export const many = (count, one, more = `${one}s`) => `${number(count)} ${count === 1 ? one : more}`;
export const total = (of) => `${number(of.total_count)}${of.total_count_capped ? "+" : ""}`;

export function dollars(amount) {
	const digits = amount !== 0 && Math.abs(amount) < 0.01 ? 6 : amount < 1 ? 4 : 2;
	return `$${amount.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
export const label = (name) => (/^..(_..)*$/.test(name) ? name.toUpperCase() : capital(String(name))).replaceAll("_", " ");
