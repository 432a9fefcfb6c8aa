/** Says what happened, on the screen and to screen readers. */

import { element, fill } from "./element.js";
import { button } from "./parts.js";

let timer = null;

/** `kind`: news, problem, which stays until it is closed, or unseen: for screen readers only. */
export function say(text, kind = "news") {
	const place = document.querySelector(".news");
	clearTimeout(timer);
	const close = button("Close", () => fill(place), { class: "quiet" });
	fill(place, element("p", { class: kind }, element("span", {}, text), close));
	if (kind !== "problem") timer = setTimeout(() => fill(place), 10_000);
}

/** For an action: its problem is said. */
export async function orSay(work) {
	try {
		return await work();
	} catch (problem) {
		if (problem.name !== "AbortError") say(problem.message, "problem");
		return null;
	}
}
