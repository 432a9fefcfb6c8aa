/** Builds and changes the DOM. Data becomes text or an attribute, never markup. A tag may bring classes: `p.hint`. */

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled"]);

export function element(tag, props = {}, ...children) {
	const [name, ...classes] = tag.split(".");
	return filled(document.createElement(name), classes.length ? { class: classes.join(" "), ...props } : props, children);
}

export const svg = (tag, props = {}, ...children) => filled(document.createElementNS(SVG, tag), props, children);

function filled(node, props, children) {
	for (const [name, value] of Object.entries(props)) {
		if (value === null || value === undefined || value === false) continue;
		if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
		else if (PROPERTIES.has(name)) node[name] = value;
		else node.setAttribute(name, value === true ? "" : value);
	}
	node.append(...present(children));
	return node;
}

const present = (children) => children.flat(4).filter((child) => child !== null && child !== undefined && child !== false && child !== "");

/** Puts `children` into `node` instead of what is there. */
export function fill(node, ...children) {
	node.replaceChildren(...present(children));
	return node;
}

/** As `fill`, but what is the same stays: focus, selected text and a click that has begun are not disturbed. */
export function refill(node, ...children) {
	const fresh = node.cloneNode(false);
	fresh.append(...present(children));
	become(node, fresh);
}

function become(old, fresh) {
	if (old.isEqualNode(fresh)) return;
	if (old.nodeName !== fresh.nodeName || old.nodeName === "BUTTON") return replace(old, fresh);
	if (old.nodeType === Node.TEXT_NODE) return void (old.data = fresh.data);
	for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
	for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
	const [olds, freshes] = [[...old.childNodes], [...fresh.childNodes]];
	olds.slice(freshes.length).forEach((node) => node.remove());
	return freshes.forEach((node, n) => (n < olds.length ? become(olds[n], node) : old.append(node)));
}

/** A button, for its listener, or another kind of node. */
function replace(old, fresh) {
	const hadFocus = old.contains(document.activeElement);
	old.replaceWith(fresh);
	if (hadFocus) fresh.focus?.();
}
