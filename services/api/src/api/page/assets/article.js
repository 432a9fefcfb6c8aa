/** One article: its state, what was written to the catalogue, its history. */

import { post, remove } from "./api.js";
import { card } from "./card.js";
import { confirm } from "./dialog.js";
import { element } from "./element.js";
import { orSay, say } from "./news.js";
import { button } from "./parts.js";
import { oneSubmission } from "./one_submission.js";
import { go } from "./router.js";

export function articleView(main, { id: urn, signal }) {
	const path = `/articles/${encodeURIComponent(urn)}`;

	const forget = async () => {
		const text = `Its enrichment is taken out of the catalogue, and no list shows ${urn} any more.`;
		if (!(await confirm({ title: "Forget this article?", text, yes: "Forget", isDangerous: true }))) return;
		await orSay(async () => {
			await remove(`${path}/enrichment`);
			say(`${urn} is forgotten.`);
			go("#/articles");
		});
	};
	oneSubmission(main, {
		kind: "article",
		path,
		nameOf: (article) => article.urn,
		actions: (article, refresh) => [
			button(article.status === "failed" ? "Retry" : "Annotate again", async () => { if (await enrich(article)) refresh(); }, article.status === "failed" ? { class: "primary" } : {}),
			button("Forget", forget, { class: "danger" }),
		],
		result: (article) => (article.result
			? element("section", {}, element("h2", {}, "Written to the catalogue"), card(article.result))
			: element("p.empty", {}, "Nothing is written to the catalogue yet.")),
	}, signal);
	return { title: "Article" };
}

/** Returns whether it was queued. */
export async function enrich({ urn, status }) {
	const force = status !== "failed";
	if (force && !(await confirm({ title: "Annotate it again?", text: `${urn} gets a new attempt, which is paid for again.`, yes: "Annotate again" }))) return false;
	return Boolean(await orSay(async () => {
		const { accepted } = await post(`/articles/${encodeURIComponent(urn)}/enrich`, { force });
		say(`${urn} is queued ${accepted ? "again" : "already"}.`);
		return true;
	}));
}
