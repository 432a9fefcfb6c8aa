/** Requests to the API, with the key of this tab. */

const KEY = "topicflow-key";
const HERE = document.baseURI.split("#")[0];
const V1 = new URL("api/v1/", HERE).href;

export class Problem extends Error {
	/** `status`: 0 if the API did not answer. `errors`: invalid fields. */
	constructor(status, detail, errors = []) {
		super(detail);
		this.status = status;
		this.errors = errors;
	}
}

export const key = {
	get: () => sessionStorage.getItem(KEY) ?? "",
	set: (value) => sessionStorage.setItem(KEY, value),
	forget: () => sessionStorage.removeItem(KEY),
};

let keyAsked = null, isDeclined = false;
addEventListener("click", () => { isDeclined = false; }, true);
let askForKey = async () => false;

/** `ask(detail)` is called when the API wants a key, and returns whether there is a new one. */
export function whenKeyIsNeeded(ask) {
	askForKey = ask;
}

/** Asks once, however many requests were refused; after a no, only when the person does something again. `used`: the key
 * that was refused. */
export async function anotherKey(used, detail) {
	if (key.get() !== used) return true;
	if (isDeclined) return false;
	keyAsked ??= askForKey(detail).then((isGiven) => {
		keyAsked = null;
		isDeclined = !isGiven;
		return isGiven;
	});
	return keyAsked;
}

export function url(path, query = {}) {
	const at = new URL(path.replace(/^\//, ""), path === "/health" ? HERE : V1);
	for (const [name, value] of Object.entries(query)) {
		if (value !== null && value !== undefined && value !== "") at.searchParams.set(name, value);
	}
	return at;
}

export const read = (path, query, signal) => ask("GET", url(path, query), { signal });

/** `idempotencyKey`: repeat a request with the same one and its effect is not repeated. */
export const post = (path, body, idempotencyKey = randomId()) => ask("POST", url(path), { body, idempotencyKey });

export const remove = (path) => ask("DELETE", url(path), {});

export function randomId() {
	return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function ask(method, at, { body, idempotencyKey, signal }) {
	for (;;) {
		const used = key.get();
		const answer = await send(method, at, { body, idempotencyKey, signal, used });
		if (answer.ok) return answer.json();
		const problem = await problemOf(answer);
		if (problem.status !== 401 || !(await anotherKey(used, problem.message))) throw problem;
	}
}

async function send(method, at, { body, idempotencyKey, signal, used }) {
	const headers = new Headers();
	if (used) headers.set("Authorization", `Bearer ${used}`);
	if (idempotencyKey) headers.set("Idempotency-Key", idempotencyKey);
	if (body !== undefined) headers.set("Content-Type", "application/json");
	const request = { method, headers, signal, credentials: "omit", body: body === undefined ? undefined : JSON.stringify(body) };
	try {
		return await fetch(at, request);
	} catch (error) {
		if (error.name === "AbortError") throw error;
		throw new Problem(0, "The API does not answer. Nothing is known about this request; trying again is safe.");
	}
}

async function problemOf(answer) {
	try {
		const { detail, errors } = await answer.json();
		return new Problem(answer.status, String(detail), errors ?? []);
	} catch {
		return new Problem(answer.status, `The API answered ${answer.status} without a reason.`);
	}
}
