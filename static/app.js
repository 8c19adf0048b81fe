// The pages work without this file. It keeps the cards in step with the panels, counts what is
// selected, hides pictures that do not load, and says when Flowshelf does not answer.

const MOST_CARDS = 60;
const ON_THE_WAY = ["wanted", "running"];
const NEAR_TOP_PIXELS = 600;
const ASK_AGAIN_MILLISECONDS = 3000;

const byId = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const boxes = () => all('#grid input[name="image_id"]');
const selected = () => boxes().filter((box) => box.checked);

/** GET a fragment; when nothing answers, htmx:sendError below says so. */
const ask = (url, place, swap) => htmx.ajax("GET", url, { source: place, target: place, swap }).catch(() => {});

// Cards and grid

/** Ask for the cards on this page that are in one of `states`, or for all; they are swapped by their ids. */
function refreshCards(states) {
  const parts = all("#grid [data-state]").filter((part) => !states || states.includes(part.dataset.state));
  const ids = parts.slice(0, MOST_CARDS).map((part) => ["id", part.dataset.image]);
  if (ids.length) ask(`${byId("grid").dataset.cardsUrl}?${new URLSearchParams(ids)}`, "#grid", "none");
}

/** Ask for the first page anew where that disturbs nobody; elsewhere offer a link when images arrived. */
function refreshGrid(haveArrived) {
  const { url } = byId("grid").dataset;
  const isFree = url && scrollY < NEAR_TOP_PIXELS && !selected().length;
  if (isFree) ask(url, "#grid", "outerHTML");
  if (isFree || haveArrived) byId("show-newest").hidden = Boolean(isFree);
}

document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  const { version } = detail.fragment.firstElementChild.dataset;
  if (version === detail.target.dataset.version) detail.shouldSwap = false;
});

// Panels

const before = new Map();

const refreshPanel = (panel) => "active" in panel.dataset || ask(panel.dataset.url, panel, "outerHTML");

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const panel = detail.target;
  const isPoll = detail.requestConfig.verb === "get";
  if (panel.id === "problem" && isPoll) panel.dataset.passing = "";
  if (!panel.matches(".panel")) return;
  // A button that is being pressed must not be swapped away under the finger.
  if (isPoll && panel.querySelector("button:active, summary:active")) detail.shouldSwap = false;
  // A button that was disabled while it was sent has lost the focus already.
  const hadFocus = panel.contains(isPoll ? document.activeElement : detail.requestConfig.elt);
  const opened = all("details[open]", panel).map((details) => details.id);
  before.set(panel.id, { ...panel.dataset, hadFocus, opened });
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
    const haveArrived = panel.dataset.count !== was.count && panel.dataset.count !== "0";
    // An answered question marks images without a run.
    if (hasEnded || isCommand) refreshCards();
    if (hasEnded || haveArrived) refreshGrid(haveArrived);
    if (hasEnded || isCommand) refreshPanel(byId("download-panel"));
  } else {
    refreshCards(isCommand ? ["pending", "failed", "gone", ...ON_THE_WAY] : ON_THE_WAY);
    if (hasEnded) refreshGrid(false);
    if (byId("download-pending")) byId("download-pending").disabled = panel.dataset.pending === "0";
  }
}

// The second click of a double click is not meant for the button that came into the place of the first.
const isSecond = ({ detail, target }) => detail > 1 && target.closest(".panel button");
document.addEventListener("click", (event) => isSecond(event) && event.preventDefault());

// Selection

let lastTicked = null;

function showSelection() {
  const everything = byId("select-all");
  if (!everything) return;
  const count = selected().length;
  byId("download-selected").disabled = !count;
  byId("selected-count").value = count ? `${count} selected` : "";
  everything.checked = count > 0 && count === boxes().length;
  everything.indeterminate = count > 0 && !everything.checked;
}

document.addEventListener("click", ({ target, shiftKey }) => {
  if (target.closest(".dismiss")) byId("problem").replaceChildren();
  if (target.name !== "image_id") return;
  const [from, to] = [lastTicked, target].map((box) => boxes().indexOf(box)).sort((a, b) => a - b);
  if (shiftKey && from >= 0) boxes().slice(from, to + 1).forEach((box) => (box.checked = target.checked));
  lastTicked = target;
});

document.addEventListener("change", ({ target }) => {
  if (target.id === "select-all") boxes().forEach((box) => (box.checked = target.checked));
  showSelection();
});

// What was selected is on its way: the next selection begins anew, and the gallery is free to grow.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  const { submitter } = detail.requestConfig.triggeringEvent ?? {};
  if (submitter?.id !== "download-selected" || detail.xhr.status !== 200) return;
  const hadFocus = document.activeElement === submitter;
  boxes().forEach((box) => (box.checked = false));
  showSelection();
  if (hadFocus) byId("download-panel").focus({ preventScroll: true });
});

// Pictures that do not load

function showMotif(image) {
  image.closest(".picture").classList.add("is-broken");
  image.closest(".look")?.setAttribute("data-version", "broken");
}

document.addEventListener("error", ({ target }) => target.matches?.(".picture img") && showMotif(target), true);
all(".picture img").filter((image) => image.complete && !image.naturalWidth).forEach(showMotif);

// Trouble

let asking = 0;

document.addEventListener("htmx:sendError", () => {
  byId("problem").replaceChildren(byId("lost").content.cloneNode(true));
  byId("problem").dataset.passing = "";
  clearTimeout(asking); // panels that ask by themselves go on doing so; the others are asked for
  asking = setTimeout(() => all(".panel").forEach(refreshPanel), ASK_AGAIN_MILLISECONDS);
});

document.addEventListener("htmx:afterRequest", ({ detail }) => {
  const isOver = "passing" in byId("problem").dataset || detail.requestConfig.verb === "post";
  const { status } = detail.xhr; // for htmx an error that is shown is a success
  if (!isOver || status < 200 || status >= 400) return;
  byId("problem").replaceChildren();
  delete byId("problem").dataset.passing;
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  if (event.target.hasAttribute("hx-post")) return;
  if (event.target.ariaBusy === "true") event.preventDefault();
  event.target.ariaBusy = "true";
});
addEventListener("pageshow", () => all("form[aria-busy]").forEach((form) => form.removeAttribute("aria-busy")));

showSelection();
