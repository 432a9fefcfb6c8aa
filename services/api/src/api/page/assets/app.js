/** Starts the page. */

import { whenKeyIsNeeded } from "./api.js";
import { articleView } from "./article.js";
import { askForKey } from "./dialog.js";
import { failuresView } from "./failures.js";
import { header } from "./frame.js";
import * as live from "./live.js";
import * as router from "./router.js";
import { statusBar } from "./status_bar.js";
import { submissionList } from "./submission_list.js";
import { submitView } from "./submit.js";
import { topicView } from "./topic.js";
import { usageView } from "./usage.js";
import { workersView } from "./workers.js";

whenKeyIsNeeded(askForKey);
header(document.querySelector(".top"));
statusBar(document.querySelector(".bar"));
router.route("topics", (main, at) => submissionList("topics", main, at));
router.route("topics/", topicView);
router.route("articles", (main, at) => submissionList("articles", main, at));
router.route("articles/", articleView);
router.route("submit", submitView);
router.route("submit/", submitView);
router.route("failures", failuresView);
router.route("workers", workersView);
router.route("usage", usageView);
router.begin(document.getElementById("main"));
live.begin();
