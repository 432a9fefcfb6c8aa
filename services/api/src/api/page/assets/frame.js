/** The header: navigation, the connection, theme, signing out. */

import { key } from "./api.js";
import { element, fill } from "./element.js";
import { live } from "./live.js";
import { say } from "./news.js";
import { button, link } from "./parts.js";
import { duration, secondsSince } from "./times.js";
import { capital, simulatedMark } from "./words.js";

const PLACES = ["topics", "articles", "failures", "workers", "usage"];
const WORDS = { connecting: "Connecting", live: "Live", polling: "Every 5 s", lost: "No connection", refused: "No access" };

export function header(place) {
	const connection = element("span"), connected = element("span.connection", {}, element("i"), connection), simulated = element("span");
	const signOut = button("Sign out", () => { key.forget(); location.reload(); }, { class: "quiet" });
	const lost = element("p.lost");
	fill(place,
		link("#/topics", "topicflow", { class: "name" }), simulated,
		element("nav", { "aria-label": "Main" }, PLACES.map((path) => link(`#/${path}`, capital(path)))),
		element("div.side", {}, connected, themeButton(), signOut));
	place.after(lost);
	const show = () => {
		const text = sentence();
		signOut.hidden = !key.get();
		connected.dataset.state = live.state.name;
		connection.textContent = WORDS[live.state.name];
		if (Boolean(live.counts?.topics.simulated) !== Boolean(simulated.firstChild)) fill(simulated, live.counts?.topics.simulated ? simulatedMark() : null);
		lost.textContent = text;
		lost.hidden = !text;
	};
	for (const name of ["state", "counts"]) live.addEventListener(name, show);
	addEventListener("key", show);
	live.addEventListener("state", () => { if (live.state.name === "lost") say("Connection lost.", "unseen"); });
	live.addEventListener("back", () => say("Connected again. What you see is up to date."));
	setInterval(show, 1000);
	show();
}

function sentence() {
	const age = `What you see is ${duration(secondsSince(live.heardAt))} old.`;
	switch (live.state.name) {
		case "lost": return `Connection lost: ${live.state.detail}. ${age} This page tries again by itself.`;
		case "polling": return `No event stream comes through, so this page asks every 5 seconds. ${age}`;
		case "refused": return `No access: ${live.state.detail}.`;
		default: return "";
	}
}

function themeButton() {
	const root = document.documentElement, names = ["auto", "light", "dark"];
	const text = () => `Theme: ${root.dataset.theme ?? "auto"}`;
	const toggle = button(text(), () => {
		const next = names[(names.indexOf(root.dataset.theme ?? "auto") + 1) % 3];
		if (next === "auto") delete root.dataset.theme; else root.dataset.theme = next;
		toggle.textContent = text();
		try {
			localStorage.setItem("topicflow-theme", next);
		} catch { /* it lasts until the page is left */ }
	}, { class: "quiet" });
	return toggle;
}
