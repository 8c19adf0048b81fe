// Toasts: short messages, one at a time. The server renders them (partials/toast.html) and htmx appends them to `#toasts`;
// app.js loads this module for the first one. They stand in the masthead, which stays at the top of the window; or in the
// dialog that is open, because nothing else reacts meanwhile.

import { all, byId, isTyping, on, onClick } from "./dom.js";

const SHOWN_MILLISECONDS = 8000;
const WITH_UNDO_MILLISECONDS = 12000;

const place = byId("toasts");
const home = place.parentElement;
const shown = () => place.querySelector(".toast");
let life = null; // the animation of the toast that is shown: at its end the toast leaves
let lastFocused = document.activeElement; // outside of the toasts

/** Brings new toasts in: merged into an older one, in front, or behind one that still offers Undo. */
export function arrange() {
  for (const toast of all(".toast:not([data-arranged])", place)) {
    toast.dataset.arranged = "";
    const { many } = toast.dataset;
    const older = many && all(".toast", place).find((each) => each !== toast && each.dataset.many === many);
    if (older) merge(older, toast);
    else bringIn(toast);
  }
  showFirst();
}

function endLife() {
  life?.cancel();
  life = null;
}

function merge(older, toast) {
  const count = Number(older.dataset.count) + Number(toast.dataset.count);
  older.dataset.count = count;
  older.querySelector(".said").textContent = older.dataset.many.replace("{}", count.toLocaleString("en"));
  older.querySelector("form")?.append(...all("input", toast));
  const link = older.querySelector("a");
  if (link && older.dataset.manyUrl) link.href = older.dataset.manyUrl;
  toast.remove();
  if (older === shown()) endLife(); // it says something new
}

/** What a person has just done comes first; what happened meanwhile waits behind an offer of Undo. */
function bringIn(toast) {
  const before = all(".toast", place).find((each) => each !== toast);
  const offersUndo = before?.querySelector("form");
  if (!before || (offersUndo && "background" in toast.dataset)) return;
  place.prepend(toast);
  if (!offersUndo && !("stays" in before.dataset)) before.remove(); // it has been seen
}

/** Shows the first one for its time, and announces it. */
function showFirst() {
  const toast = shown();
  if (!toast) return move();
  if (life?.effect.target === toast) return;
  const undo = toast.querySelector("[data-undo]");
  life = toast.animate([], undo ? WITH_UNDO_MILLISECONDS : SHOWN_MILLISECONDS);
  life.onfinish = () => toast.isConnected && life?.effect.target === toast && remove(toast);
  hold(); // a pointer may rest there already
  move();
  announce(toast.querySelector(".said").textContent + (undo ? " The key u undoes it." : ""));
}

/** Stops its time while the pointer or the focus is on it. */
function hold() {
  const stays = "stays" in (shown()?.dataset ?? {}) || place.matches(":hover, :focus-within");
  if (stays) life?.pause();
  else if (life?.playState === "paused") life.play();
}

for (const name of ["pointerenter", "pointerleave", "focusin"]) place.addEventListener(name, hold);
place.addEventListener("focusout", () => setTimeout(hold));

function remove(toast) {
  const hadFocus = toast.contains(document.activeElement);
  toast.remove();
  life = null;
  if (hadFocus && lastFocused?.isConnected) lastFocused.focus({ preventScroll: true });
  showFirst();
}

const topDialog = () => all("dialog[open]").at(-1);

/** To screen readers, in the dialog that is open: they hear nothing from outside of it. */
function announce(words) {
  const part = topDialog()?.querySelector("[role=status]") ?? byId("announcement");
  part.textContent = "";
  requestAnimationFrame(() => (part.textContent = words));
}

/** Moves the toasts into the dialog that is open, or back into the masthead. */
function move() {
  const parent = topDialog() ?? home;
  if (parent !== place.parentElement) {
    if (parent === home) home.insertBefore(place, home.children[1]);
    else parent.append(place);
  }
}

new MutationObserver(move).observe(document.body, { attributeFilter: ["open"], subtree: true });

// Dismissing and Undo, by pointer and by key

on("focusin", ({ target }) => place.contains(target) || (lastFocused = target));
onClick("#toasts .dismiss", (_, button) => remove(button.closest(".toast")));

place.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  event.preventDefault(); // the dialog around it stays open
  event.stopPropagation();
  remove(shown());
});

on("keydown", (event) => {
  const { key, target, defaultPrevented, isComposing, ctrlKey, metaKey, altKey } = event;
  const undo = shown()?.querySelector("[data-undo]");
  if (key !== "u" || !undo || defaultPrevented || isComposing || ctrlKey || metaKey || altKey || isTyping(target)) return;
  event.preventDefault();
  undo.click();
});

on("htmx:afterRequest", ({ target, detail }) => {
  const toast = target.closest?.("#toasts .toast");
  if (toast && detail.requestConfig.verb === "post" && detail.xhr.status < 400 && detail.xhr.status >= 200) remove(toast);
});
