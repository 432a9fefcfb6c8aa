/** Lines of a text field: those that count, and what is wrong with them. */

/** `lines`: `[{value, line}]` without blank ones. */
export function checked(text, { noun, longest }) {
	const lines = text.split(/\r\n|\n|\r/).map((value, n) => ({ value: value.trim(), line: n + 1 })).filter(({ value }) => value);
	const problems = lines.flatMap(({ value, line }) => {
		const length = [...value].length;
		return length > longest ? [`Line ${line} has ${length} characters; a ${noun} has at most ${longest}.`] : [];
	});
	return { lines, problems };
}

export function chunks(items, size) {
	return Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size));
}
