/* Before the first paint: the theme that was chosen, if any. */
try {
	const chosen = localStorage.getItem("topicflow-theme");
	if (chosen && chosen !== "auto") document.documentElement.dataset.theme = chosen;
} catch { /* storage is switched off */ }
