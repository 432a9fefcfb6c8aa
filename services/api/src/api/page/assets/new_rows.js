/** Says how many rows are new; they are shown when asked for, so that nothing moves under the cursor. */

import { element, fill } from "./element.js";
import { button } from "./parts.js";

export class NewRows {
	constructor(noun, show) {
		this.noun = noun;
		this.showThem = show;
		this.number = 0;
		this.node = element("div.new-rows", { role: "status" });
	}

	/** `most`: of a page; there may be more than that. */
	show(count, most = 1) {
		if (count === this.number) return;
		this.number = count;
		const text = `${count}${count >= most ? "+" : ""} new: show`;
		fill(this.node, count ? button(text, this.showThem, { "aria-label": `${count} new ${this.noun}${count === 1 ? "" : "s"}: show` }) : null);
	}
}
