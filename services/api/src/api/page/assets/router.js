/** Which view is shown, from the part of the address after #: `#/topics?status=failed`. */

import { fill } from "./element.js";
import { heading, link } from "./parts.js";

const routes = [];
let shown = null; // {route, id, abort, update}

/** `show(main, {id, query, signal})` returns `{title, update?(query)}`; without `update` it is shown anew. */
export function route(path, show) {
	routes.push({ path, show });
}

export function address(path, query = {}) {
	const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value != null)).toString();
	return `#${path}${search ? `?${search}` : ""}`;
}

export function go(to, { replace = false, state = null } = {}) {
	if (to === location.hash && !replace) return;
	history[replace ? "replaceState" : "pushState"](state, "", to);
	navigate();
}

export function begin(main) {
	addEventListener("popstate", () => navigate());
	navigate();
	document.querySelector(".skip").addEventListener("click", (event) => {
		event.preventDefault();
		main.focus();
	});
}

function parsed() {
	const [path, search = ""] = location.hash.replace(/^#/, "").split(/\?(.*)/s);
	const parts = (path || "/topics").split("/").slice(1);
	return { name: parts[0], id: parts.slice(1).map(decoded).join("/"), query: Object.fromEntries(new URLSearchParams(search)) };
}

function decoded(part) {
	try { return decodeURIComponent(part); } catch { return part; }
}

function navigate() {
	const { name, id, query } = parsed();
	const found = routes.find(({ path }) => path === (id ? `${name}/` : name));
	const main = document.getElementById("main");
	document.querySelectorAll("header nav a").forEach((a) => {
		const isHere = a.getAttribute("href") === `#/${name}`;
		isHere ? a.setAttribute("aria-current", "page") : a.removeAttribute("aria-current");
	});
	if (shown && shown.route === found && shown.id === id && shown.update) return shown.update(query);
	const isFirst = shown === null;
	shown?.abort.abort();
	const abort = new AbortController();
	fill(main);
	const view = found ? found.show(main, { id, query, signal: abort.signal }) : nothing(main);
	shown = { route: found, id, abort, update: view.update };
	title(view.title);
	if (!isFirst) {
		scrollTo(0, 0);
		(main.querySelector("h1") ?? main).focus({ preventScroll: true });
	}
	return undefined;
}

export function title(text) {
	document.title = `${text} – topicflow`;
}

function nothing(main) {
	fill(main, heading("There is no such page"), link("#/topics", "To the topics"));
	return { title: "No such page" };
}
