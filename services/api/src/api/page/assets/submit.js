/** Submitting titles or URNs: the form, and what became of each. */

import { post, randomId } from "./api.js";
import { element, fill } from "./element.js";
import { checked, chunks } from "./lines.js";
import { outcomes } from "./submit_outcomes.js";
import { choice, faint, heading, titled } from "./parts.js";
import { catalogScan } from "./catalog_scan.js";
import { capital, many, number } from "./words.js";

const KINDS = {
	topics: { field: "topics", noun: "title", most: 500, longest: 500, placeholder: "Consistent Hashing\nCAP theorem", verb: "Generate again even if there is a card; it is paid for again" },
	articles: { field: "urns", noun: "URN", most: 200, longest: 300, placeholder: "urn:…", verb: "Annotate again even if it is enriched; it is paid for again" },
};

export function submitView(main, { id: kind, signal }) {
	const of = KINDS[kind] ?? KINDS.topics;
	const name = KINDS[kind] ? kind : "topics";
	const text = element("textarea", { id: "lines", rows: 10, spellcheck: "false", placeholder: of.placeholder, "aria-describedby": "limits lines-problem" });
	const file = element("input", { type: "file", id: "file" });
	const force = element("input", { type: "checkbox" });
	const limits = element("p", { id: "limits", class: "hint", "aria-live": "polite" });
	const problemPlace = element("div", { id: "lines-problem", class: "field-problem", role: "alert" });
	const send = element("button.primary", {}, "Submit");
	const results = element("div");
	const form = element("form", {},
		element("label", { for: "lines" }, `${capital(of.noun)}s, one a line`), text, limits, problemPlace,
		element("p.file", {}, element("label", { for: "file" }, "Or take a text file"), file, faint("It can be dropped on the field, too.")),
		element("label.check", {}, force, of.verb),
		element("div.actions", {}, send));
	let attempt = randomId(), sent = 0; // names each request and its repetitions, so that a repetition has no other effect
	const isOther = () => { attempt = randomId(); sent = 0; };

	const show = () => {
		const { lines, problems } = checked(text.value, of);
		const requests = Math.ceil(lines.length / of.most);
		limits.textContent = `${many(lines.length, of.noun)}. At most ${number(of.most)} a request${requests > 1 ? `: these are ${number(requests)} requests` : ""}; at most ${of.longest} characters each.`;
		say(problems);
		return { lines, problems };
	};
	const say = (problems) => {
		fill(problemPlace, problems.slice(0, 5).map((problem) => element("p", {}, problem)), problems.length > 5 ? element("p", {}, `and ${problems.length - 5} more`) : null);
		problems.length ? text.setAttribute("aria-invalid", "true") : text.removeAttribute("aria-invalid");
	};
	const edited = () => { isOther(); show(); };
	const takeFile = async (taken) => {
		if (!taken) return;
		text.value = [text.value.trim(), (await taken.text()).trim()].filter(Boolean).join("\n");
		edited();
	};
	text.addEventListener("input", edited);
	force.addEventListener("change", isOther);
	file.addEventListener("change", () => takeFile(file.files[0]).then(() => { file.value = ""; }));
	text.addEventListener("dragover", (event) => { if (event.dataTransfer.types.includes("Files")) event.preventDefault(); });
	text.addEventListener("drop", (event) => {
		if (!event.dataTransfer.files.length) return;
		event.preventDefault();
		takeFile(event.dataTransfer.files[0]);
	});

	const list = outcomes(name, signal);
	const submit = async () => {
		const { lines, problems } = show();
		if (!lines.length) say([`Write at least one ${of.noun}.`]);
		if (!lines.length || problems.length) return text.focus();
		send.disabled = true;
		fill(results, list.node);
		try {
			let done = 0;
			for (const part of chunks(lines, of.most)) {
				const body = { [of.field]: part.map(({ value }) => value), force: force.checked };
				list.add(part, await post(`/${name}`, body, `${attempt}-${sent}`));
				sent += 1;
				done += part.length;
				send.textContent = `${number(done)} of ${number(lines.length)}`;
				text.value = lines.slice(done).map(({ value }) => value).join("\n"); // what a problem leaves can be sent again
			}
			edited();
		} catch (problem) {
			if (problem.status >= 400 && problem.status < 500) isOther();
			say(problem.errors?.length ? problem.errors.map((error) => atLine(error, of)) : [problem.message]);
			text.focus();
		} finally {
			send.disabled = false;
			send.textContent = "Submit";
		}
		return undefined;
	};
	form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
	text.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(); });

	fill(main,
		titled(heading("Submit"), choice("Kind", Object.keys(KINDS).map((one) => [`#/submit/${one}`, capital(one), one === name]))),
		element("div.columns", {}, form, element("div", {}, name === "articles" ? catalogScan(signal) : null, results)));
	show();
	return { title: `Submit ${name}` };
}

function atLine({ field, message }, of) {
	const index = new RegExp(`^${of.field}\\[(\\d+)\\]`).exec(field);
	return index ? `${of.noun} ${Number(index[1]) + 1}: ${message}` : message;
}
