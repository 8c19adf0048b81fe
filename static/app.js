// Makes the pages more convenient; they work without it. Parts: cards, previews, panels, selection, copying, scroll
// position, keys, messages, errors.

const byId = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const on = (name, act, options) => document.addEventListener(name, act, options);
const press = (id) => byId(id)?.click();
const topOf = (element) => element.getBoundingClientRect().top;
const cards = () => all("#cards .card");
const firstInView = () => cards().find((card) => card.getBoundingClientRect().bottom > 1); // 1: fractions of a pixel

/** Calls `act` for clicks on elements that match `selector`, or on something inside them. */
const onClick = (selector, act) => on("click", (event) => {
  const element = event.target.closest(selector);
  if (element) act(event, element);
});

/** Calls `act` once after a pause; calling this again starts the pause again (debounce). */
function later(act, milliseconds) {
  clearTimeout(act.timer);
  act.timer = setTimeout(act, milliseconds);
}

/** Gets a fragment. htmx:sendError below reports it if the server does not respond. */
const get = (url, target, more) => htmx.ajax("GET", url, { source: target, target, ...more }).catch(() => {});

/** Asks now for new messages and changed runs, instead of at the next poll. */
const pollNow = () => byId("messenger") && htmx.trigger("#messenger", "look"); // guests have no messenger

// The URL of the page that asks to confirm a sign-in link contains the code. It must not stay in the address bar.
const confirming = document.querySelector("form[data-hides-query]");
if (confirming) history.replaceState(null, "", confirming.action);

// Cards: refreshed when something has changed, each swapped in by its id

const MAX_CARDS = 300; // of one request; the server ignores more
const NEAR_TOP_PIXELS = 600;
const DOWNLOADING = '.state:is([data-state="queued"], [data-state="running"])';
const NEXT_CARDS = 60; // of the queued cards only the first are refreshed: they are downloaded first

const canRefresh = () => "previewsUrl" in byId("grid").dataset; // cards of guests are never refreshed
const fetchCards = (id) => id.length && canRefresh() && get(byId("grid").dataset.cardsUrl, "#cards-news", { swap: "none", values: { id } });

function refreshCards(selector = ".state", limit = Infinity) {
  const ids = all(`#cards ${selector}`).slice(0, limit).map((state) => state.dataset.image);
  while (ids.length) fetchCards(ids.splice(0, MAX_CARDS));
}

let refreshed = null;

/** Replaces the grid where that disturbs nobody: at the top, without ticks. Otherwise shows a link if images arrived. */
async function refreshGrid(haveArrived) {
  await refreshed; // replacing the grid drops the requests that are queued behind it
  if (!byId("grid")) return; // panels are on other pages too
  const { url } = byId("grid").dataset;
  const isFree = Boolean(url) && scrollY < NEAR_TOP_PIXELS && !hasTicks();
  if (isFree) refreshed = get(url, "#grid", { swap: "outerHTML" });
  if (isFree || haveArrived) byId("show-newest").hidden = isFree;
}

/** Removes cards from the response that have left the grid since the request: HTMX would log an error for each. */
on("htmx:beforeSwap", ({ detail }) => {
  if (detail.target.id !== "cards-news") return;
  const response = document.createElement("template");
  response.innerHTML = detail.serverResponse;
  for (const part of response.content.querySelectorAll("[hx-swap-oob]")) if (!byId(part.id)) part.remove();
  detail.serverResponse = response.innerHTML;
});

on("htmx:oobBeforeSwap", ({ detail }) => {
  const { version, image } = detail.fragment.firstElementChild.dataset;
  if (version && version === detail.target.dataset.version) detail.shouldSwap = false;
  else if (image) keepPressed(detail, detail.target, () => fetchCards([image]));
});

/** Does not replace a part while a button in it is held down, because the click would be lost; retries afterwards. */
function keepPressed(detail, part, retry) {
  if (!part.matches(":active")) return;
  detail.shouldSwap = false;
  addEventListener("pointerup", retry, { once: true });
}

// Previews: requested for the cards in view that have no picture, all in one request

const PREVIEW_POLL_MILLISECONDS = 700;
const renewed = new Set();

const inView = new IntersectionObserver((entries) => {
  const looks = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
  looks.forEach((look) => inView.unobserve(look));
  requestPreviews(looks.map((look) => look.dataset.image));
}, { rootMargin: "300px" });

function requestPreviews(ids, again = "") {
  if (!ids.length || !canRefresh()) return;
  const body = new URLSearchParams([...ids.map((id) => ["id", id]), ["again", again]]);
  fetch(byId("grid").dataset.previewsUrl, { method: "POST", body, headers: { "HX-Request": "true" } })
    .then(() => pollPreviews(ids), () => {}); // the next request of htmx reports that the server does not respond
}

const pollPreviews = (ids) => setTimeout(() => fetchCards(ids.filter((id) => byId(`look-${id}`))), PREVIEW_POLL_MILLISECONDS);

on("previews-under-way", ({ detail }) => pollPreviews(detail.ids));

/** Shows the placeholder for a picture that fails to load, and requests a new URL for it, once. */
function showPlaceholder(image) {
  image.closest(".picture").classList.add("is-broken");
  const look = image.closest(".look");
  if (!look || renewed.has(look.dataset.image)) return;
  look.dataset.version = "broken";
  renewed.add(look.dataset.image);
  requestPreviews([look.dataset.image], "yes");
}

on("error", ({ target }) => target.matches?.(".picture img") && showPlaceholder(target), true);
all(".picture img").filter((image) => image.complete && !image.naturalWidth).forEach(showPlaceholder);

// Panels: what a swap must not destroy, and what to refresh after it

on("htmx:beforeSwap", ({ detail }) => {
  const { target, requestConfig } = detail;
  const isRefresh = requestConfig.verb === "get";
  if (!target.isConnected) detail.shouldSwap = false; // its surroundings have been replaced meanwhile
  if (target.id === "problem" && isRefresh) target.dataset.temporary = "";
  if (requestConfig.elt === target && target.id === "grid") keepPressed(detail, target, () => refreshGrid(true));
  if (!target.matches(".panel")) return;
  // No refresh while a button is held down, or while the response to a button is on its way, which is newer.
  const hasCommand = document.querySelector(`form.htmx-request[hx-target="#${target.id}"]`);
  if (isRefresh && (hasCommand || target.querySelector(":is(a, button, summary):active"))) detail.shouldSwap = false;
  requestConfig.was = { ...target.dataset, hadFocus: target.contains(document.activeElement) };
});

on("htmx:afterSettle", ({ detail: { elt, target, requestConfig } }) => {
  const { was, verb } = requestConfig;
  delete requestConfig.was;
  if (was) afterPanel(byId(target.id), was, verb === "post");
  if (elt.matches?.(".export")) announce(elt);
  later(prepareCards, 0); // once, although htmx sends this event for each new card
});

function afterPanel(panel, was, isCommand) {
  if (was.hadFocus && !panel.contains(document.activeElement)) panel.focus({ preventScroll: true });
  const [wasActive, isActive] = [was, panel.dataset].map((data) => "active" in data);
  const haveArrived = panel.dataset.count !== was.count && panel.dataset.count !== "0";
  const hasEnded = wasActive && !isActive;
  if (wasActive !== isActive) pollNow();
  if (wasActive !== isActive || isCommand) refreshCards();
  else if (panel.id === "download-panel") refreshCards(DOWNLOADING, NEXT_CARDS);
  if (hasEnded || haveArrived) refreshGrid(haveArrived);
  if (haveArrived) htmx.trigger("#download-panel", "again"); // it counts what can be downloaded
  if (hasEnded) announce(panel);
  const pending = byId("download-pending");
  if (pending && panel.dataset.pending) pending.disabled = panel.dataset.pending === "0";
}

/** Announces the outcome of a command to screen readers. The end of a run is announced by its message. */
function announce(part) {
  const words = all("[data-outcome]", part).map((one) => one.innerText).join(" ");
  if (words) byId("announcement").textContent = words;
}

// Ignores the second click of a double click: it would hit the button that has replaced the first one.
onClick(".panel button", (event) => event.detail > 1 && event.preventDefault());

// Selection: the ticked cards, or all images that match the filter except some. Then the form sends the filter.

const exceptions = new Set();
let wasEverything = false;
let lastTicked = null;

const boxes = () => all('#grid [name="image_id"]');
const selected = () => boxes().filter((box) => box.checked);
const isEverything = () => Boolean(byId("everything")?.checked);
const hasTicks = () => isEverything() || selected().length > 0;

function tick(ticked, isTicked) {
  ticked.forEach((box) => (box.checked = isTicked));
  if (isEverything()) ticked.forEach((box) => exceptions[isTicked ? "delete" : "add"](box.value));
}

/** Updates ticks, count and buttons, also for cards that were loaded later. */
function showSelection() {
  if (!byId("selection")) return;
  const hasSwitched = wasEverything !== isEverything();
  wasEverything = isEverything();
  if (hasSwitched) exceptions.clear();
  if (hasSwitched || wasEverything) boxes().forEach((box) => (box.checked = wasEverything && !exceptions.has(box.value)));
  if (wasEverything) byId("everything").indeterminate = exceptions.size > 0;
  const count = wasEverything ? byId("totals").dataset.count - exceptions.size : selected().length;
  all(".needs-selection").forEach((button) => (button.disabled = !count));
  byId("compare").classList.toggle("is-possible", count === 2);
  const isLoading = "active" in byId("download-panel").dataset; // the size changes when downloads end
  showCount(count, [isLoading, count, ...exceptions, ...selected().map((box) => box.value)].join());
}

function showCount(count, key) {
  if (key === showCount.key) return;
  showCount.key = key;
  byId("selected-count").value = count ? `${count.toLocaleString("en")} selected` : "";
  byId("selected-summary").textContent = "";
  if (count) htmx.trigger("#selected-summary", "selected");
}

function selectLoaded() {
  tick(boxes(), true);
  showSelection();
}

function unselect() {
  if (isEverything()) byId("everything").checked = false;
  tick(boxes(), false);
  showSelection();
}

onClick('[name="image_id"]', ({ shiftKey }, box) => {
  const [from, to] = [lastTicked, box].map((each) => boxes().indexOf(each)).sort((a, b) => a - b);
  tick(shiftKey && from >= 0 ? boxes().slice(from, to + 1) : [box], box.checked);
  lastTicked = box;
});

on("change", showSelection);

on("formdata", ({ target, formData }) => {
  if (!target.matches("#selection")) return; // not target.id, which is a field of the form called id
  formData.set("here", location.pathname + location.search); // the filter may have changed since
  if (!isEverything()) return;
  formData.delete("image_id");
  exceptions.forEach((id) => formData.append("except", id));
});

// The browser itself submits these buttons, because the response is a page or a file.
on("submit", (event) => event.submitter?.matches("[data-page]") && event.stopPropagation(), true);

onClick("#more-actions .choice", () => byId("more-actions").hidePopover());

// Clears the selection after its download was requested, so that the gallery can refresh again.
on("htmx:afterRequest", ({ detail }) => {
  const { submitter } = detail.requestConfig.triggeringEvent ?? {};
  if (submitter?.id !== "download-selected" || detail.xhr.status !== 200) return;
  const hadFocus = document.activeElement === submitter;
  unselect();
  if (hadFocus) byId("download-panel").focus({ preventScroll: true });
});

// Copying. Without a clipboard (over http on a LAN) the names of a selection open as a page instead.

onClick("#copy-names", (event, button) => {
  if (!navigator.clipboard?.write) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(byId("selection")));
  const names = fetch(button.formAction, { method: "POST", body }).then((response) => response.blob());
  const copied = navigator.clipboard.write([new ClipboardItem({ "text/plain": names })]);
  copied.then(() => (byId("selected-summary").textContent = "names copied"), () => byId("selection").requestSubmit(button));
});

onClick("[data-copies]", (_, button) => {
  getSelection().selectAllChildren(byId(button.dataset.copies));
  const label = button.querySelector("span");
  label.textContent = document.execCommand("copy") ? "Copied" : "Not allowed";
  setTimeout(() => (label.textContent = "Copy"), 2000);
});

// Scroll position: the URL follows the page in view, so that reload and Back show the same card at the same height

const SCROLL_END_MILLISECONDS = 250;

/** Returns a function that scrolls the first card in view back to where it is now. */
function holdPosition() {
  const card = firstInView();
  const was = card && topOf(card);
  return () => card?.isConnected && scrollBy(0, topOf(card) - was);
}

function savePosition() {
  const card = firstInView();
  if (!card || history.state?.lightbox) return;
  const isAhead = (mark) => mark.compareDocumentPosition(card) & Node.DOCUMENT_POSITION_FOLLOWING;
  const mark = all("#cards [data-place]").filter(isAhead).at(-1);
  // Without the state of HTMX, which would make it request the whole page again on Back.
  history.replaceState({ card: card.id, top: topOf(card) }, "", mark?.dataset.place ?? location.href);
}

function onScrollEnd() {
  savePosition();
  setTabStop();
}

on("scroll", () => later(onScrollEnd, SCROLL_END_MILLISECONDS), { passive: true });

on("htmx:beforeSwap", ({ detail: { target, requestConfig } }) => {
  if (target.id === "cards") requestConfig.release = holdPosition();
});

on("htmx:afterSwap", ({ detail: { target, requestConfig } }) => {
  requestConfig.release?.();
  delete requestConfig.release; // htmx sends this event for each new card
  if (target.id !== "grid") return;
  // Preserved cards still link to the old filter. Previous and Next have to follow the new one.
  const { search } = new URL(byId("grid").dataset.cardsUrl, location);
  all("#grid .look").forEach((look) => (look.search = search));
  savePosition();
});

on("htmx:beforeRequest", (event) => {
  const { maxCards } = event.target.dataset;
  if (maxCards && cards().length >= maxCards && !hasTicks()) event.preventDefault();
});

// With ticked cards the link loads more cards, because the ticks would be lost on another page.
onClick("#older", (event) => {
  if (!isPlain(event) || !hasTicks()) return;
  event.preventDefault();
  htmx.trigger("#pager-older .ahead", "more");
});

on("submit", ({ target, submitter }) => {
  if (target.id !== "density") return;
  const release = holdPosition();
  byId("grid").dataset.density = submitter.value;
  all('[form="density"]').forEach((button) => (button.ariaPressed = String(button === submitter)));
  release();
});

// Lightbox (lightbox.js): what the gallery does around it

const isPlain = (event) => !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);

on("lightbox-opens", savePosition);

on("lightbox-closed", ({ detail: { image } }) => {
  document.body.append(byId("keys"));
  const look = byId(`look-${image}`);
  if (look) fetchCards([image]); // it may have been downloaded in the lightbox
  look?.focus(); // of the image that was shown last
});

// Keyboard shortcuts, except while somebody types. Tab enters the grid at one card and goes through its controls, then
// leaves the grid. Arrow keys move between cards.

let lastFocused = null; // the card that had the focus last
const cardInFocus = () => document.activeElement.closest("#cards .card");
const isTyping = (target) => target.closest('input:not([type="checkbox"]), textarea, select, [contenteditable]');

function tabStop() {
  const isInView = lastFocused?.isConnected && Math.abs(topOf(lastFocused) - innerHeight / 2) < innerHeight / 2;
  return cardInFocus() ?? (isInView ? lastFocused : firstInView() ?? cards().at(-1));
}

function setTabStop() {
  const stop = tabStop();
  all("#cards :is(a, input, button)").forEach((control) => (control.tabIndex = stop.contains(control) ? 0 : -1));
}

on("focusin", () => {
  const isAnother = cardInFocus() && cardInFocus() !== lastFocused;
  lastFocused = cardInFocus() ?? lastFocused;
  if (isAnother) setTabStop();
});

function moveFocus({ key }) {
  const columns = getComputedStyle(byId("cards")).gridTemplateColumns.split(" ").length;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key] ?? 0;
  const to = cardInFocus() ? cards()[cards().indexOf(cardInFocus()) + steps] : tabStop();
  to?.querySelector(".look").focus();
}

function tickFocused() {
  const look = document.activeElement.closest(".look");
  look?.closest(".card").querySelector('[name="image_id"]')?.click();
  return Boolean(look);
}

function download() {
  const button = selected().length ? byId("download-selected") : cardInFocus()?.querySelector('[name="only"]');
  button?.click();
}

/** Moves the focus from the search field to the first card. The search stays. */
function leaveSearch(event) {
  byId("q").blur();
  if (byId("cards")) moveFocus(event);
}

/** Lists the keys, also in the lightbox: what is outside of it does not react while it is open. */
function showKeys() {
  (document.querySelector("#lightbox[open] .view") ?? document.body).append(byId("keys"));
  byId("keys").showPopover();
}

onClick("[data-keys]", showKeys);

const EVERYWHERE = { "/": () => byId("q")?.focus(), "?": showKeys };
const IN_GRID = { " ": tickFocused, d: download, a: selectLoaded, Escape: unselect };
for (const side of ["Left", "Right", "Up", "Down"]) IN_GRID[`Arrow${side}`] = moveFocus;
/** The action of a key, depending on the focus. Null for keys that the focused control uses itself. */
function actionOf({ key, target, ctrlKey, metaKey, altKey }) {
  if (key === "Escape" && target.id === "q") return leaveSearch;
  if (altKey || isTyping(target) || document.querySelector(":popover-open")) return null;
  if (document.querySelector("dialog[open]")) return key === "?" && showKeys;
  const isFree = target === document.body || target.closest("main:focus, #grid");
  if (ctrlKey || metaKey) return key === "a" && target.closest("#grid") ? selectLoaded : null;
  const own = byId("cards") && (isFree || !key.startsWith("Arrow")) && IN_GRID[key];
  return own || EVERYWHERE[key];
}

on("keydown", (event) => {
  const action = event.defaultPrevented || event.isComposing ? null : actionOf(event);
  if (action && action(event) !== false) event.preventDefault();
});

// Messages: each is shown once in this browser, in one of its pages. The pages share the id of the last one shown. Another
// Flowshelf may be served under the same host name with another prefix.

const LAST_SHOWN = `flowshelf-last-message${document.documentElement.dataset.prefix}`;
on("messages-shown", ({ detail }) => (localStorage[LAST_SHOWN] = detail.newest));
on("htmx:configRequest", ({ detail }) => {
  if (detail.elt.id === "messenger" && localStorage[LAST_SHOWN]) detail.formData.set("since", localStorage[LAST_SHOWN]);
});
on("animationend", ({ target }) => target.matches(".toast") && target.remove());
onClick(".dismiss", (_, button) => button.closest(".toast, .problem").remove());

// A hidden page does not poll; it catches up when it is shown. An empty selection needs no summary.
on("htmx:beforeRequest", (event) => {
  const { elt, requestConfig } = event.detail;
  const isNeedless = elt.id === "selected-summary" && !byId("selected-count").value;
  if (isNeedless || (document.hidden && !requestConfig.triggeringEvent)) event.preventDefault();
});
on("visibilitychange", () => document.hidden || pollNow());

// A file dropped anywhere on a form is chosen in the form's field for files.
const fileField = ({ target, dataTransfer }) => dataTransfer?.types.includes("Files") && target.closest("form")?.querySelector('input[type="file"]');
on("dragover", (event) => fileField(event) && event.preventDefault());
on("drop", (event) => {
  const field = fileField(event);
  if (!field) return;
  event.preventDefault();
  field.files = event.dataTransfer.files;
});

// Typing a number of hours also selects the option "Every ... hours".
on("input", ({ target }) => target.name === "hours" && (byId("kind-hourly").checked = true));

// Errors

const RETRY_MILLISECONDS = 3000;

on("htmx:sendError", ({ detail }) => {
  byId("problem").replaceChildren(byId("lost").content.cloneNode(true));
  detail.elt.dataset.failed = "";
  byId("problem").dataset.temporary = "";
  later(pollNow, RETRY_MILLISECONDS);
});

on("htmx:afterRequest", ({ detail }) => {
  const isCommand = detail.requestConfig.verb === "post";
  const isOver = "temporary" in byId("problem").dataset || isCommand;
  const { status } = detail.xhr; // htmx counts an error that it shows as a success
  if (!isOver || status < 200 || status >= 400) return;
  if (isCommand && detail.elt.id !== "selected-summary") pollNow();
  byId("problem").replaceChildren();
  delete byId("problem").dataset.temporary;
  for (const part of all("[data-failed]")) {
    delete part.dataset.failed;
    htmx.trigger(part, "again");
  }
});

// Submits a form only once, even if its button is pressed again.
on("submit", (event) => {
  if (event.target.matches("[hx-get], [hx-post]")) return;
  if (event.target.ariaBusy === "true") event.preventDefault();
  event.target.ariaBusy = "true";
});
addEventListener("pageshow", () => all("form[aria-busy]").forEach((form) => form.removeAttribute("aria-busy")));

/** Prepares new cards: ticks, previews, tab stops. */
function prepareCards() {
  showSelection();
  all('#grid .look[data-version="none"]').forEach((look) => inView.observe(look));
  setTabStop();
}

prepareCards();
if (byId("cards")) {
  history.scrollRestoration = "manual";
  const card = byId(history.state?.card);
  if (card) scrollBy(0, topOf(card) - history.state.top);
}
