// The pages work without this file. It keeps the cards in step with the panels, counts what is
// selected, hides pictures that do not load, and says when Flowshelf does not answer.

const MOST_CARDS = 60;
const ON_THE_WAY = ["wanted", "running"];
const NEAR_TOP_PIXELS = 600;
const ASK_AGAIN_MILLISECONDS = 3000;

const byId = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const ticks = () => all('#grid input[name="image_id"]');
const isPanel = (element) => element?.classList.contains("panel");

/** GET a fragment; when nothing answers, htmx:sendError below says so. */
const ask = (url, place, swap) => htmx.ajax("GET", url, { source: place, target: place, swap }).catch(() => {});

// Cards

/** Ask for the cards on this page that are in one of `states`, or for all; they are swapped by their ids. */
function refreshCards(states) {
  const parts = all("#grid [data-state]").filter((part) => !states || states.includes(part.dataset.state));
  if (!parts.length) return;
  const ids = parts.slice(0, MOST_CARDS).map((part) => ["id", part.dataset.image]);
  const url = `${byId("grid").dataset.cardsUrl}?${new URLSearchParams(ids)}`;
  ask(url, "#grid", "none");
}

/** Ask for the first page anew where nobody is disturbed by it; elsewhere offer a link to it. */
function refreshGrid() {
  const { url } = byId("grid")?.dataset ?? {};
  if (url && scrollY < NEAR_TOP_PIXELS && !ticks().some((tick) => tick.checked)) {
    ask(url, "#grid", "outerHTML");
    byId("show-newest").hidden = true;
  } else if (byId("show-newest")) {
    byId("show-newest").hidden = false;
  }
}

document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  const now = detail.target.dataset.version;
  const next = detail.fragment.firstElementChild?.dataset.version;
  if (now === next) detail.shouldSwap = false;
});

// Panels

const refreshPanel = (panel) => panel && !("active" in panel.dataset) && ask(panel.dataset.url, panel, "outerHTML");

const before = new Map();

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const panel = detail.target;
  const isPoll = detail.requestConfig.verb === "get";
  if (panel.id === "problem" && isPoll) panel.dataset.passing = "";
  if (!isPanel(panel)) return;
  // A button that is being pressed must not be swapped away under the finger.
  if (isPoll && panel.querySelector("button:active, summary:active")) detail.shouldSwap = false;
  before.set(panel.id, {
    ...panel.dataset,
    opened: all("details[open]", panel).map((details) => details.id),
    // A button that is disabled while it is sent has lost the focus already.
    hadFocus: panel.contains(isPoll ? document.activeElement : detail.requestConfig.elt),
  });
});

document.addEventListener("htmx:afterSettle", ({ detail }) => {
  const was = before.get(detail.target.id);
  before.delete(detail.target.id);
  if (was) afterPanel(byId(detail.target.id), was, detail.requestConfig.verb === "post");
  showSelection();
});

function afterPanel(panel, was, isCommand) {
  was.opened.map(byId).forEach((details) => details && (details.open = true));
  if (was.hadFocus && !panel.contains(document.activeElement)) panel.focus({ preventScroll: true });
  const hasEnded = "active" in was && !("active" in panel.dataset);
  if (hasEnded) byId("announcement").textContent = all("[data-outcome]", panel).map((one) => one.innerText).join(" ");
  if (panel.id === "sync-panel") {
    if (hasEnded) refreshCards();
    if (hasEnded || was.count !== panel.dataset.count) refreshGrid();
    if (hasEnded) refreshPanel(byId("download-panel"));
  } else {
    refreshCards(isCommand ? ["pending", "failed", "gone", ...ON_THE_WAY] : ON_THE_WAY);
    if (hasEnded) refreshGrid();
    if (byId("download-pending")) byId("download-pending").disabled = panel.dataset.pending === "0";
  }
}

// Selection

let lastTicked = null;

function showSelection() {
  if (!byId("download-selected")) return;
  const count = ticks().filter((tick) => tick.checked).length;
  byId("download-selected").disabled = !count;
  byId("selected-count").value = count ? `${count} selected` : "";
  if (!byId("select-all")) return;
  byId("select-all").checked = count > 0 && count === ticks().length;
  byId("select-all").indeterminate = count > 0 && count < ticks().length;
}

document.addEventListener("click", ({ target, shiftKey }) => {
  if (target.closest(".dismiss")) byId("problem").replaceChildren();
  if (target.name !== "image_id") return;
  const boxes = ticks();
  const [from, to] = [boxes.indexOf(lastTicked), boxes.indexOf(target)].sort((a, b) => a - b);
  if (shiftKey && from >= 0) boxes.slice(from, to + 1).forEach((box) => (box.checked = target.checked));
  lastTicked = target;
});

document.addEventListener("change", ({ target }) => {
  if (target.id === "select-all") ticks().forEach((tick) => (tick.checked = target.checked));
  showSelection();
});

// Pictures that do not load

const isLook = (element) => element instanceof HTMLImageElement && element.closest(".picture");

function showMotif(image) {
  image.closest(".picture").classList.add("is-broken");
  image.closest(".look")?.setAttribute("data-version", "broken");
}

document.addEventListener("error", ({ target }) => isLook(target) && showMotif(target), true);
all(".picture img").filter((image) => image.complete && !image.naturalWidth).forEach(showMotif);

// Trouble

let asking = 0;

function sayLost() {
  byId("problem").replaceChildren(byId("lost").content.cloneNode(true));
  byId("problem").dataset.passing = "";
  clearTimeout(asking); // panels that ask by themselves go on doing so; the others are asked for
  asking = setTimeout(() => all(".panel").forEach(refreshPanel), ASK_AGAIN_MILLISECONDS);
}

document.addEventListener("htmx:sendError", sayLost);
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  const isOver = "passing" in byId("problem").dataset || detail.requestConfig.verb === "post";
  const { status } = detail.xhr; // for htmx an error that is shown is a success
  if (!isOver || status < 200 || status >= 400) return;
  byId("problem").replaceChildren();
  delete byId("problem").dataset.passing;
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.hasAttribute("hx-post")) return;
  if (form.ariaBusy === "true") event.preventDefault();
  form.ariaBusy = "true";
});
addEventListener("pageshow", () => all("form[aria-busy]").forEach((form) => form.removeAttribute("aria-busy")));

showSelection();
