/** One topic: its state, its card, its history. */

import { card } from "./card.js";
import { element } from "./element.js";
import { button } from "./parts.js";
import { oneSubmission } from "./one_submission.js";
import { go } from "./router.js";
import { deleteOne, retryOne } from "./topic_actions.js";

export function topicView(main, { id, signal }) {
	const path = `/topics/${encodeURIComponent(id)}`;
	const again = (topic, refresh, how) => async () => { if (await retryOne(topic, how)) refresh(); };
	oneSubmission(main, {
		kind: "topic",
		path,
		nameOf: (topic) => topic.title,
		actions: (topic, refresh) => [
			topic.status === "failed"
				? button("Retry", again(topic, refresh), { class: "primary" })
				: button(topic.status === "completed" ? "Generate again" : "Begin again", again(topic, refresh, { force: true })),
			button("Delete", async () => { if (await deleteOne(topic)) go("#/topics"); }, { class: "danger" }),
		],
		result: (topic) => (topic.content ? element("section", {}, element("h2", {}, "Card"), card(topic.content, topic.content.title === topic.title ? "title" : "")) : noCard()),
	}, signal);
	return { title: "Topic" };
}

const noCard = () => element("p.empty", {}, "There is no card yet.");
