/** Retry and delete topics, after a question where it costs or destroys something. Each returns whether it was done. */

import { post, remove } from "./api.js";
import { confirm } from "./dialog.js";
import { orSay, say } from "./news.js";
import { many } from "./words.js";

const path = (id) => `/topics/${encodeURIComponent(id)}`;
const FOREVER = "from all lists and counts. This cannot be undone.";

/** `work(options)` returns what to say. `question`: null if none is needed. */
async function done(question, work) {
	const options = question ? await confirm(question) : {};
	if (!options) return false;
	return Boolean(await orSay(async () => {
		say(await work(options));
		return true;
	}));
}

export function retryMany(ids) {
	const title = `Retry ${many(ids.length, "topic")}`;
	const options = [{ name: "force", text: "Also those that are completed or under way; they are paid for again" }];
	return done({ title: `${title}?`, text: "Failed ones are queued again, each as a new attempt. Others are skipped.", options, yes: title }, async ({ force }) => {
		const { count, topics } = await post("/topics/retry", { ids, force });
		const with_ = (verdict, text) => {
			const n = topics.filter((one) => one.verdict === verdict).length;
			return n ? `, ${n} ${text}` : "";
		};
		return `${many(count, "topic")} queued again${with_("skipped", "skipped")}${with_("not_found", "no longer there")}.`;
	});
}

export function deleteMany(ids) {
	const title = `Delete ${many(ids.length, "topic")}`;
	const text = `${ids.length === 1 ? "Its card and state go" : "Their cards and states go"} ${FOREVER}`;
	return done({ title: `${title}?`, text, yes: title, isDangerous: true }, async () => `${many((await post("/topics/delete", { ids })).count, "topic")} deleted.`);
}

export function retryOne({ id, title }, { force = false } = {}) {
	const text = `“${title}” gets a new attempt, which is paid for again.`;
	return done(force ? { title: "Generate it again?", text, yes: "Generate again" } : null,
		async () => `“${title}” is queued again: attempt ${(await post(`${path(id)}/retry`, { force })).attempt}.`);
}

export function deleteOne({ id, title }) {
	return done({ title: "Delete this topic?", text: `“${title}”, its card and its state go ${FOREVER}`, yes: "Delete", isDangerous: true }, async () => {
		await remove(path(id));
		return `“${title}” is deleted.`;
	});
}

export function retryAllFailed(count) {
	const title = `Retry all ${many(count, "failed topic")}`;
	return done({ title: `${title}?`, text: "Each gets a new attempt. Topics that fail meanwhile are left out.", yes: `Retry ${many(count, "topic")}` },
		async () => `${many((await post("/topics/retry-failed", {})).count, "topic")} queued again.`);
}
