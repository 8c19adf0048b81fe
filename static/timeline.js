// The rail of months: drag or click to a month, arrow keys, and a mark at the month in view. gallery.js loads it when
// somebody scrolls or comes near the rail; until then, and without it, the rail consists of plain links.

import { all, byId, get, isPlain, on, onClick } from "./dom.js";

const MARK_MILLISECONDS = 100;
const MAX_COLUMNS = 40;
const TOP_PIXELS = 10; // a jump puts cards to the height where the rail begins
const rail = () => byId("timeline");
const links = () => all("#timeline a");
const isInRail = ({ target }) => Boolean(target.closest?.("#timeline"));
const atOf = (link) => new URLSearchParams(link.search).get("at");
const topOf = (element) => element.getBoundingClientRect().top;

// Dragging: the month next to the pointer shows its name; letting go jumps to it

let held = null; // the link next to a pointer that is down
let hasJumped = false; // the click that follows is the end of a drag

function hold(link) {
  held?.classList.remove("held");
  held = link;
  held?.classList.add("held");
  rail()?.classList.toggle("dragged", Boolean(held));
}

const holdAt = (y) => hold(links().findLast((link) => topOf(link) <= y) ?? links()[0]);

on("pointerdown", (event) => {
  hasJumped = false;
  if (!isInRail(event) || event.button || !isPlain(event)) return;
  rail().setPointerCapture(event.pointerId);
  holdAt(event.clientY);
});
// A touch may have begun before this script was there.
on("pointermove", (event) => (held || (event.buttons === 1 && isInRail(event))) && holdAt(event.clientY));
on("pointerup", () => {
  hasJumped = Boolean(held);
  if (held) jump(held);
  hold(null);
});
on("pointercancel", () => hold(null));
on("dragstart", (event) => isInRail(event) && event.preventDefault());

onClick("#timeline", (event) => {
  if (!isPlain(event)) return; // such as a new tab
  event.preventDefault();
  const link = event.target.closest("a");
  if (link && !hasJumped) jump(link);
  hasJumped = false;
});

/** Shows the images of a month, and the URL of them. */
async function jump(link) {
  mark(link);
  await get(rail().dataset.grid + link.search, "#grid", { swap: "outerHTML", source: "#timeline" }); // not the grid: it is replaced
  (byId("cards") ?? byId("grid")).scrollIntoView();
  byId("announcement").textContent = link.textContent;
}

// Keys: the rail is one stop for Tab

function setTabStop(stop) {
  links().forEach((link) => (link.tabIndex = link === stop ? 0 : -1));
}

const STEPS = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -12, PageDown: 12, Home: -Infinity, End: Infinity };

on("keydown", (event) => {
  hasJumped = false;
  if (event.key === "Escape") hold(null);
  if (!isInRail(event) || !isPlain(event) || !STEPS[event.key]) return;
  event.preventDefault();
  const to = links().indexOf(event.target) + STEPS[event.key];
  links().at(Math.min(Math.max(to, 0), links().length - 1)).focus();
});
on("focusin", (event) => isInRail(event) && setTabStop(event.target));

// The month in view

function mark(link) {
  links().forEach((each) => each.removeAttribute("aria-current"));
  link?.setAttribute("aria-current", "true");
  if (link && !rail().contains(document.activeElement)) setTabStop(link);
}

/** The cards of the first row in view. Cards are in order, so half of the rest is left out each time. */
function firstRow() {
  const cards = all("#cards .card");
  const top = topOf(rail()) + TOP_PIXELS;
  let [from, to] = [0, cards.length - 1];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (cards[middle].getBoundingClientRect().bottom > top) to = middle;
    else from = middle + 1;
  }
  return cards.slice(from, from + MAX_COLUMNS).filter((card) => Math.abs(topOf(card) - topOf(cards[from])) < 2);
}

/** `2026-03`, from the exact time that a card tells when it is hovered. */
const monthOf = (card) => card.querySelector('[title*=" UTC"]')?.title.slice(0, "2026-03".length) ?? "";

/** Marks the month of the first row, which may have two: then the one that was marked or jumped to stays. */
function markInView() {
  if (!links().length) return;
  const months = firstRow().map(monthOf);
  const candidates = links().filter((link) => months.some((month) => month.startsWith(atOf(link))));
  const current = rail().querySelector("[aria-current]");
  if (candidates.length && !candidates.includes(current)) mark(candidates[0]);
}

let marking = 0;
function markSoon() {
  marking ||= setTimeout(() => {
    marking = 0;
    markInView();
  }, MARK_MILLISECONDS);
}

on("scroll", markSoon, { passive: true });
on("htmx:afterSettle", markSoon);
if (rail()?.contains(document.activeElement)) setTabStop(document.activeElement);
markInView();
