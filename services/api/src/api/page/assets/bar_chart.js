/** Bars of days: what was of use below, what was wasted on top. */

import { element, svg } from "./element.js";
import { dollars } from "./words.js";

const WIDTH = 720, HEIGHT = 160; // is stretched to the room that there is

/** `days`: `[{day, used, wasted}]`, in dollars. */
export function barChart(days, title) {
	const most = Math.max(...days.map(({ used, wasted }) => used + wasted)) || 1;
	const step = WIDTH / days.length, width = Math.min(28, step * 0.7);
	const bar = (n, from, to, name) => svg("rect", { x: step * n + (step - width) / 2, width, y: HEIGHT * (1 - to / most), height: (HEIGHT * (to - from)) / most, class: name });
	const day = ({ day: name, used, wasted }, n) => svg("g", {},
		svg("title", {}, `${name}: ${dollars(used + wasted)}${wasted ? `, of it wasted ${dollars(wasted)}` : ""}`),
		svg("rect", { x: step * n, width: step, height: HEIGHT, class: "hit" }), bar(n, 0, used, "used"), bar(n, used, used + wasted, "wasted"));
	return element("figure.chart", {},
		element("figcaption", {}, title, element("span.key.used", {}, "of use"), element("span.key.wasted", {}, "wasted")),
		svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${title}; at most ${dollars(most)}. The table below has the figures.` }, days.map(day)),
		element("p", {}, [days[0].day, `at most ${dollars(most)}`, days.at(-1).day].map((text) => element("span", {}, text))));
}
