// What the scripts of all pages share: finding elements, listening, fetching a fragment.

export const byId = (id) => document.getElementById(id);
export const all = (selector, root = document) => [...root.querySelectorAll(selector)];
export const on = (name, act, options) => document.addEventListener(name, act, options);
export const press = (id) => byId(id)?.click();

/** Calls `act` for clicks on elements that match `selector`, or on something inside them. */
export const onClick = (selector, act) => on("click", (event) => {
  const element = event.target.closest(selector);
  if (element) act(event, element);
});

/** Whether a click or a key is to do what it does without a modifier key. */
export const isPlain = ({ ctrlKey, metaKey, shiftKey, altKey }) => !(ctrlKey || metaKey || shiftKey || altKey);

/** Whether keys are text for the element that has the focus. */
export const isTyping = (target) => target.closest('input:not([type="checkbox"]), textarea, select, [contenteditable]');

/** Calls `act` once after a pause; calling this again starts the pause again (debounce). */
export function later(act, milliseconds) {
  clearTimeout(act.timer);
  act.timer = setTimeout(act, milliseconds);
}

/** Gets a fragment. app.js reports it if the server does not respond. */
export const get = (url, target, more) => htmx.ajax("GET", url, { source: target, target, ...more }).catch(() => {});

/** Asks now for new messages and changed runs, instead of at the next poll. */
export const pollNow = () => byId("messenger") && htmx.trigger("#messenger", "look"); // guests have no messenger

/** Announces the outcome of a command to screen readers. The end of a run is announced by its message. */
export function announce(part) {
  const words = all("[data-outcome]", part).map((one) => one.innerText).join(" ");
  if (words) byId("announcement").textContent = words;
}
