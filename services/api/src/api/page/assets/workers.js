/** Who works: live workers, the pause of the enrichers, how much waits in each group. */

import { post, read } from "./api.js";
import { element, fill, refill } from "./element.js";
import { listen } from "./live.js";
import { orSay, say } from "./news.js";
import { button, faint, heading, hint, shownIn, table, titled } from "./parts.js";
import { atMostEvery, duration, every, time } from "./times.js";
import { capital, many, marked, number, waitingText } from "./words.js";

export function workersView(main, { signal }) {
	const place = element("div.place", {}, hint("Loading …"));
	fill(main, titled(heading("Workers")), place);
	const show = () => shownIn(place, async () => {
		const [topics, articles, health] = await Promise.all(["/worker-status", "/worker/status", "/health"].map((path) => read(path, {}, signal)));
		return [system(health), service("Topic workers", topics.workers, capital(topics.message)), enrichers(articles, show), lag(health.lag)];
	}, refill);
	const soon = atMostEvery(1, signal, show);
	listen("counts", signal, soon);
	every(5, signal, soon);
	return { title: "Workers" };
}

function system(health) {
	const away = ["broker", "database"].filter((name) => health[name]?.status !== "ok").map((name) => `The ${name} is unavailable: ${health[name]?.detail}`);
	const wrong = [...away, health.no_room, ...health.problems.map(({ service: name, text }) => `${name}: ${text}`), health.dead_letters ? many(health.dead_letters, "dead letter") : null].filter(Boolean);
	const behind = health.projection_lag_seconds > 2 ? `, reads are ${duration(health.projection_lag_seconds)} behind` : "";
	return element("section", { "aria-label": "System" },
		element("p", {}, marked(health.status === "ok" ? "completed" : "failed", `System ${health.status}`), faint(` version ${health.version}${behind}`)),
		wrong.length ? element("ul.plain", {}, wrong.map((text) => element("li", {}, text))) : null);
}

function enrichers(articles, refresh) {
	if (!articles.enabled) return service("Enrichers", [], `${capital(articles.message)}.`);
	const { paused } = articles;
	const toggle = button(paused ? "Resume" : "Pause", () => orSay(async () => {
		await post("/worker/pause", { paused: !paused });
		say(paused ? "The enrichers go on." : "The enrichers are paused.");
		refresh();
	}), paused ? { class: "primary" } : {});
	const now = paused ? `Paused${articles.paused_by ? ` by ${articles.paused_by}` : ""}. ` : articles.waiting_for ? `Waiting: ${waitingText(articles.waiting_for)}. ` : "";
	return service("Enrichers", articles.workers, `${now}Of all time: ${number(articles.processed)} processed, ${number(articles.failed)} failed, ${number(articles.skipped)} skipped.`, toggle);
}

const HEADS = [["Instance"], ["Version", "medium"], ["In flight"], ["Processed", "num"], ["Failed", "num"], ["Since", "medium"]];

function service(name, workers, message, action = null) {
	const row = ({ instance, version, slots, in_flight: n, processed, failed, started_at: since }) => [
		instance, version, [element("progress", { max: slots, value: n, "aria-hidden": "true" }), ` ${n} of ${slots}`], number(processed), number(failed), time(since),
	];
	return element("section", { "aria-label": name }, titled(element("h2", {}, name, faint(` ${workers.length} live`)), action), element("p", {}, message), workers.length ? table(name, HEADS, workers.map(row)) : null);
}

function lag(groups = {}) {
	const row = ([group, of]) => [group, number(of.waiting), number(of.in_flight), of.oldest_seconds ? duration(of.oldest_seconds) : "–"];
	return element("section", { "aria-label": "What waits" }, element("h2", {}, "What waits, by group"),
		table("Lag by group", [["Group"], ["Waiting", "num"], ["In flight", "num"], ["Oldest", "num"]], Object.entries(groups).map(row)));
}
