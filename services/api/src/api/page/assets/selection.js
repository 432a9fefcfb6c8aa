/** Rows that are selected, by checkbox; with shift, all between two. */

import { element, fill } from "./element.js";
import { button } from "./parts.js";
import { many } from "./words.js";

export class Selection {
	/** `actions`: `[{text, run(ids), isDangerous}]`. */
	constructor(noun, actions) {
		this.noun = noun;
		this.actions = actions;
		this.boxes = new Map(); // id → checkbox, in the order of the rows
		this.last = null;
		this.all = element("input", { type: "checkbox", "aria-label": `Select all ${noun}s on this page`, onchange: () => this.setAll(this.all.checked) });
		this.bar = element("div.selected", { role: "region", "aria-label": "Selected rows", hidden: true });
	}

	clear() {
		this.boxes.clear();
		this.last = null;
		this.show();
	}

	box(id, name) {
		const box = element("input", { type: "checkbox", "aria-label": `Select ${name}` });
		box.addEventListener("click", (event) => this.click(id, box, event.shiftKey));
		this.boxes.set(id, box);
		return box;
	}

	drop(id) {
		const box = this.boxes.get(id);
		if (box) Object.assign(box, { checked: false, disabled: true });
		box?.closest("tr").classList.remove("is-selected");
		this.boxes.delete(id);
		this.show();
	}

	click(id, box, isRange) {
		const ids = [...this.boxes.keys()];
		const [from, to] = [ids.indexOf(this.last), ids.indexOf(id)].sort((a, b) => a - b);
		if (isRange && from >= 0) ids.slice(from, to + 1).forEach((one) => { this.boxes.get(one).checked = box.checked; });
		this.last = id;
		this.show();
	}

	setAll(checked) {
		this.boxes.forEach((box) => { box.checked = checked; });
		this.show();
	}

	get ids() {
		return [...this.boxes].filter(([, box]) => box.checked).map(([id]) => id);
	}

	show() {
		const { ids } = this;
		this.all.checked = ids.length > 0 && ids.length === this.boxes.size;
		this.all.indeterminate = ids.length > 0 && !this.all.checked;
		this.bar.hidden = !ids.length;
		this.boxes.forEach((box) => box.closest("tr")?.classList.toggle("is-selected", box.checked));
		if (!ids.length) return;
		const buttons = this.actions.map(({ text, run, isDangerous }) => button(text, () => run(this.ids), { class: isDangerous ? "danger" : "" }));
		fill(this.bar, element("span", {}, `${many(ids.length, this.noun)} selected`), buttons, button("Clear", () => this.setAll(false), { class: "quiet" }));
	}
}
