/** What Gemini cost: by day, as bars and as a table, with the part that was wasted. */

import { read } from "./api.js";
import { barChart } from "./bar_chart.js";
import { element, fill } from "./element.js";
import { choice, faint, heading, second, shownIn, table, titled } from "./parts.js";
import { address } from "./router.js";
import { dollars, label, many, number, simulatedMark } from "./words.js";

const RANGES = [7, 30, 90, 366];

export function usageView(main, { query: first, signal }) {
	const place = element("div.place"), ranges = element("div");
	fill(main, titled(heading("Usage")), ranges, place);

	const update = (query) => {
		const days = RANGES.includes(Number(query.days)) ? Number(query.days) : 30;
		fill(ranges, choice("How many days", RANGES.map((n) => [address("/usage", { days: n }), n === 366 ? "1 year" : `${n} days`, n === days])));
		return shownIn(place, async () => report(await read("/usage", { days }, signal), days));
	};
	update(first);
	return { title: "Usage", update };
}

function report({ total, wasted, days: rows, since }, days) {
	const fact = (name, value, more) => element("div", {}, element("dt", {}, name), element("dd", {}, value, more ? faint(` ${more}`) : null));
	return [
		element("dl.figures", {},
			fact("Cost", dollars(total.cost), total.unpriced_calls && `and ${many(total.unpriced_calls, "call")} of unknown price`),
			fact("Calls", number(total.calls)), fact("Tokens in", number(total.tokens_in)), fact("Tokens out", number(total.tokens_out + total.tokens_thought)),
			fact("Wasted", `${(total.cost ? (100 * wasted.cost) / total.cost : 0).toFixed(1)}%`, dollars(wasted.cost))),
		rows.length
			? [barChart(byDay(rows, days, since), "Cost of each day, Pacific time"), usageTable(rows)]
			: element("p.empty", {}, `Nothing was used in the last ${days} days.`),
	];
}

/** Every day of the range, also those without any use: `[{day, used, wasted}]`. */
function byDay(rows, days, since) {
	const start = Date.parse(`${since}T00:00:00Z`);
	const all = Array.from({ length: days }, (_, n) => ({ day: new Date(start + n * 86_400_000).toISOString().slice(0, 10), used: 0, wasted: 0 }));
	const byName = new Map(all.map((one) => [one.day, one]));
	for (const row of rows.filter(({ day }) => byName.has(day))) {
		const wasted = Object.values(row.wasted).reduce((sum, part) => sum + part.cost, 0);
		byName.get(row.day).used += row.cost - wasted;
		byName.get(row.day).wasted += wasted;
	}
	return all;
}

function usageTable(rows) {
	const heads = [["Day"], ["Kind"], ["Model"], ["Calls", "num medium"], ["Tokens in", "num wide"], ["Tokens out", "num wide"], ["Cost", "num"], ["Wasted", "wide"]];
	const wastedOf = ({ wasted }) => Object.entries(wasted).map(([reason, { cost }]) => `${label(reason)} ${dollars(cost)}`).join(", ") || "–";
	return table("Usage by day, kind and model", heads, rows.map((row) => [
		row.day, label(row.kind), [row.model, row.simulated ? [" ", simulatedMark()] : null, row.priced_as ? second(`priced as ${row.priced_as}`) : null],
		number(row.calls), number(row.tokens_in), number(row.tokens_out + row.tokens_thought), row.unpriced_calls ? "unknown" : dollars(row.cost), wastedOf(row),
	]));
}
