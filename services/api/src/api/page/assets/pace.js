/** How fast work ends, measured from the counts of the last minute. */

const WINDOW = 60_000, LINGER = 8_000; // milliseconds

export class Pace {
	samples = []; // [time, ended]
	busyAt = 0;

	add(counts) {
		const ended = counts.completed_count + counts.failed_count;
		const isIdle = counts.pending_count + counts.processing_count === 0;
		if (!isIdle) this.busyAt = Date.now();
		if (isIdle || ended < this.samples.at(-1)?.[1]) this.samples = []; // done, or some were deleted
		if (!isIdle && this.samples.at(-1)?.[1] !== ended) this.samples.push([Date.now(), ended]);
	}

	/** A moment ago: the bar must not come and go with each submission. */
	wasBusy = () => Date.now() - this.busyAt < LINGER;

	/** 0 while unknown: nothing ended in the last minute. */
	perSecond(now = Date.now()) {
		while (this.samples[1]?.[0] < now - WINDOW) this.samples.shift();
		const first = this.samples[0], last = this.samples.at(-1);
		if (!first || last[1] === first[1] || last[0] < now - WINDOW) return 0;
		return (last[1] - first[1]) / Math.max(1, (now - first[0]) / 1000);
	}
}
