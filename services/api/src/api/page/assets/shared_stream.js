/** The SharedWorker: one event stream per key for all tabs of this browser. */

import { Stream } from "./stream.js";

const streams = new Map(); // by key

self.onconnect = ({ ports: [port] }) => {
	let joined = null;

	const leave = () => {
		joined?.ports.delete(port);
		if (joined && !joined.ports.size) {
			joined.stream.close();
			if (streams.get(joined.key) === joined) streams.delete(joined.key);
		}
		joined = null;
	};

	port.onmessage = ({ data: { what, url, key } }) => {
		if (what === "leave") leave();
		else if (what === "hurry") joined?.stream.hurry();
		else if (what === "join") {
			leave();
			joined = streams.get(key) ?? opened(url, key);
			joined.ports.add(port);
			port.postMessage({ state: joined.state });
			if (joined.counts && joined.state.name === "live") port.postMessage({ event: "counts", data: { counts: joined.counts } });
		}
	};
};

function opened(url, key) {
	const shared = { key, ports: new Set(), state: { name: "connecting" }, counts: null };
	const tell = (message) => shared.ports.forEach((port) => port.postMessage(message));
	streams.set(key, shared);
	shared.stream = new Stream(url, key, {
		onEvent(event, data) {
			shared.counts = data.counts;
			tell({ event, data });
		},
		onState(state) {
			shared.state = state;
			if (state.name === "refused") streams.delete(key);
			tell({ state });
		},
	});
	return shared;
}
