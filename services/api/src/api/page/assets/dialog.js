/** Dialogs: a question before something that cannot be undone, and the key. */

import { key } from "./api.js";
import { element } from "./element.js";
import { button } from "./parts.js";

/** Shows a modal dialog; resolves when it is closed. Focus returns to where it was. */
function opened(titleText, content, actions) {
	const id = "dialog-title";
	const dialog = element("dialog", { "aria-labelledby": id }, element("h2", { id }, titleText), content, element("div.actions", {}, actions));
	document.body.append(dialog);
	dialog.showModal();
	return new Promise((resolve) => {
		dialog.addEventListener("close", () => {
			dialog.remove();
			resolve(dialog.returnValue);
		});
	});
}

const close = (value) => (event) => event.target.closest("dialog").close(value);

/** Returns null if the answer is no, else the values of the `options`: `[{name, text}]`, each a checkbox. */
export async function confirm({ title, text, yes, options = [], isDangerous = false }) {
	const boxes = options.map((option) => element("input", { type: "checkbox", name: option.name }));
	const content = element("div", {}, element("p", {}, text), boxes.map((box, n) => element("label.check", {}, box, options[n].text)));
	const actions = [
		button("Cancel", close("")),
		button(yes, close("yes"), { class: isDangerous ? "danger" : "primary" }),
	];
	if ((await opened(title, content, actions)) !== "yes") return null;
	return Object.fromEntries(boxes.map((box) => [box.name, box.checked]));
}

/** Asks for an API key. Returns whether one was given. */
export async function askForKey(detail) {
	const had = key.get();
	const input = element("input", { type: "password", id: "key", autocomplete: "off", spellcheck: "false", "aria-describedby": "key-help" });
	const take = (event) => (/^[!-~]+$/.test(input.value.trim()) ? close("given")(event) : input.focus());
	const content = element("div", {},
		had ? element("p.problem", { role: "alert" }, "This key is not accepted: ", detail, ".") : null,
		element("label", { for: "key" }, "API key"), input,
		element("p", { id: "key-help", class: "hint" }, "It begins with tf_, and is kept in this tab only, until you sign out."));
	input.addEventListener("keydown", (event) => { if (event.key === "Enter") take(event); });
	const answer = await opened(had ? "Another key, please" : "A key, please", content, [button("Not now", close("")), button("Use this key", take, { class: "primary" })]);
	if (answer !== "given") return false;
	key.set(input.value.trim());
	dispatchEvent(new Event("key"));
	return true;
}
