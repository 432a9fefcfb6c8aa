/** Next and previous page. A cursor only leads on, so the way here is kept in the browser's history. */

import { button, faint } from "./parts.js";

/** `change(query, {state})` goes to another page. */
export function pages(query, shown, change) {
	const way = history.state?.way ?? [];
	const to = (cursor, next) => () => change({ ...query, cursor }, { state: { way: next } });
	if (!query.cursor && !shown.next_cursor) return null;
	const back = !query.cursor ? null : way.length ? to(way.at(-1), way.slice(0, -1)) : to("", []);
	return [
		button(query.cursor && !way.length ? "First page" : "Previous", back, { disabled: !back }),
		faint(query.cursor && !way.length ? "A later page" : `Page ${way.length + 1}`),
		button("Next", to(shown.next_cursor, [...way, query.cursor ?? ""]), { disabled: !shown.next_cursor }),
	];
}
