// The gallery: cards, previews, selection, scroll position, keys. The lightbox is a module of its own.

import { all, announce, byId, get, isPlain, isTyping, later, on, onClick, press } from "./dom.js";

const topOf = (element) => element.getBoundingClientRect().top;
const cards = () => all("#cards .card");

/** The first card that is not behind the masthead. */
function firstInView() {
  const top = document.querySelector(".masthead").getBoundingClientRect().bottom + 1; // 1: fractions of a pixel
  return cards().find((card) => card.getBoundingClientRect().bottom > top);
}

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
  if (!byId("grid")) return;
  const { url } = byId("grid").dataset;
  const isFree = Boolean(url) && scrollY < NEAR_TOP_PIXELS && !hasTicks();
  if (isFree) refreshed = get(url, "#grid", { swap: "outerHTML" });
  else htmx.trigger("#totals", "again");
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
  const { version, image } = detail.fragment.firstElementChild?.dataset ?? {}; // null: to remove a part
  if (version && version === detail.target.dataset.version) detail.shouldSwap = false;
  else if (image) keepPressed(detail, detail.target, () => fetchCards([image]));
  if (detail.shouldSwap) all("img", detail.target).forEach(unload);
});

/** Chromium loads a larger source of a picture that is removed, because it has no size any more. */
function unload(image) {
  image.removeAttribute("srcset");
  image.removeAttribute("src");
}

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

// The status line tells what has changed, and a panel in its sheet that a button there was pressed

on("htmx:beforeSwap", ({ detail }) => {
  const { target, requestConfig } = detail;
  if (requestConfig.elt === target && target.id === "grid") keepPressed(detail, target, () => refreshGrid(true));
});

on("htmx:afterSettle", () => later(prepareCards, 0)); // once, although htmx sends this event for each new card

on("panel-changed", ({ detail: { panel, was, isCommand, wasActive, isActive } }) => {
  if (wasActive !== isActive || isCommand) refreshCards();
  if (panel.id !== "status") return;
  const haveArrived = panel.dataset.count !== was.count && panel.dataset.count !== "0";
  if (wasActive === isActive && !isCommand) refreshCards(DOWNLOADING, NEXT_CARDS);
  const isEmpty = wasActive !== isActive && document.querySelector("#grid > .empty"); // it says what the sync does
  if ((wasActive && !isActive) || haveArrived || isEmpty) refreshGrid(haveArrived);
  if (haveArrived && byId("download-panel")) htmx.trigger("#download-panel", "again"); // it counts what can be downloaded
});

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
  document.querySelector(".toolbar").classList.toggle("is-shown", count > 0);
  byId("selection").classList.toggle("selects", count > 0);
  byId("compare").classList.toggle("is-possible", count === 2);
  const isLoading = "active" in byId("status").dataset; // the size changes when downloads end
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
on("change", ({ target }) => target.closest?.("#filter-fields") && htmx.trigger("#filter", "again"));

on("formdata", ({ target, formData }) => {
  if (!target.matches("#selection")) return; // not target.id, which is a field of the form called id
  formData.set("here", location.pathname + location.search); // the filter may have changed since
  if (!isEverything()) return;
  formData.delete("image_id");
  exceptions.forEach((id) => formData.append("except", id));
});

// The browser itself submits these buttons, because the response is a page or a file.
on("submit", (event) => event.submitter?.matches("[data-page]") && event.stopPropagation(), true);

onClick("#clear-selection", unselect);
onClick(".menu .choice", (_, choice) => choice.closest(".menu").hidePopover());

// Clears the selection after its download was requested, so that the gallery can refresh again.
on("htmx:afterRequest", ({ detail }) => {
  const { submitter } = detail.requestConfig.triggeringEvent ?? {};
  if (submitter?.id !== "download-selected" || detail.xhr.status !== 200) return;
  const hadFocus = document.activeElement === submitter;
  unselect();
  if (hadFocus) byId("status").focus({ preventScroll: true });
});

// Hiding, taking out and Undo (hiding.js): the cards leave at once and come back.

on("htmx:configRequest", ({ detail }) => {
  // htmx forgets the button when the menu around it closes, and takes the last one for a request that was queued.
  const { submitter } = detail.triggeringEvent ?? {};
  if (submitter) {
    detail.path = submitter.getAttribute("formaction") ?? detail.path;
    detail.formData.delete("only");
    if (submitter.name) detail.formData.set(submitter.name, submitter.value);
  }
  if (/\/selection\/(hide|uncollect|(collect\/)?undo)$/.test(detail.path)) detail.hiding = import("./hiding.js").then((hiding) => [hiding.end, hiding.begin(detail)]);
});
on("htmx:afterRequest", ({ detail }) => {
  const { hiding } = detail.requestConfig;
  delete detail.requestConfig.hiding; // htmx sends this event again if the form has been removed
  hiding?.then(([end, cards]) => end(cards, detail));
});

// Favourites (hearts.js): a heart changes at once, and follows what was done to a selection and in the lightbox.

let hearts = null; // one promise, because `toggle` has to come before `follow`
const withHearts = (act) => (hearts ??= import("./hearts.js")).then(act, () => (hearts = null));
onClick("#cards button.heart", (_, heart) => withHearts(({ toggle }) => toggle(heart)));
on("htmx:afterRequest", ({ detail }) => /favourite$/.test(detail.requestConfig.path) && withHearts(({ follow }) => follow(detail)));
on("choices-changed", () => refreshCards());

on("images-changed", () => {
  showCount.key = null; // the size of what is selected may have changed
  if (byId("status")) htmx.trigger("#status", "again");
  showSelection();
});
on("files-changed", () => refreshCards());

// Copying. Without a clipboard (over http on a LAN) the names of a selection open as a page instead.

onClick("#copy-names", (event, button) => {
  if (!navigator.clipboard?.write) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(byId("selection")));
  const names = fetch(button.formAction, { method: "POST", body }).then((response) => response.blob());
  const copied = navigator.clipboard.write([new ClipboardItem({ "text/plain": names })]);
  copied.then(() => (byId("selected-summary").textContent = "names copied"), () => byId("selection").requestSubmit(button));
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

// The timeline's script (timeline.js) is loaded when somebody scrolls or comes near the rail
for (const name of ["scroll", "pointerover", "focusin"])
  on(name, ({ target }) => {
    const isNear = target === document || target.closest?.("#timeline");
    if (isNear && !byId("timeline").hidden) import("./timeline.js").catch(() => {}); // until then the rail consists of links
  }, { passive: true });

// Lightbox (lightbox.js): loaded when somebody is about to open an image. What the gallery does around it

const OPENS_LIGHTBOX = "#grid .look, #compare, #start-slideshow";
const lightbox = { isLoaded: false, loading: null };

function loadLightbox() {
  lightbox.loading ??= import(byId("lightbox").dataset.script).then(
    () => (lightbox.isLoaded = true),
    () => (lightbox.loading = null), // another attempt may succeed
  );
  return lightbox.loading;
}

for (const name of ["pointerover", "pointerdown", "focusin"]) {
  on(name, ({ target }) => lightbox.isLoaded || (target.closest(`#grid, ${OPENS_LIGHTBOX}`) && loadLightbox()), { passive: true });
}

/** Keeps a click that comes before the module, and repeats it afterwards. */
on("click", async (event) => {
  const opener = event.target.closest(OPENS_LIGHTBOX);
  if (!opener || lightbox.isLoaded || !isPlain(event)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (await loadLightbox()) (opener.isConnected ? opener : byId(opener.id))?.click(); // it may have been replaced
  else openAsPage(opener);
}, { capture: true });

/** Without the module an image opens on its own page, unless the server is lost: app.js reports that. */
function openAsPage(opener) {
  const isThere = opener.href ? fetch(opener.href) : Promise.reject();
  isThere.then(() => location.assign(opener.href), () => htmx.trigger(opener, "htmx:sendError", { elt: opener }));
}

addEventListener("popstate", ({ state }) => state?.lightbox && loadLightbox()); // it shows what the URL says

on("lightbox-opens", savePosition);

on("lightbox-closed", ({ detail: { image } }) => {
  const look = byId(`look-${image}`);
  if (look) fetchCards([image]); // it may have been downloaded in the lightbox
  look?.focus(); // of the image that was shown last
});
// Keyboard shortcuts, except while somebody types. Tab enters the grid at one card and goes through its controls, then
// leaves the grid. Arrow keys move between cards.

let lastFocused = null; // the card that had the focus last
const cardInFocus = () => document.activeElement.closest("#cards .card");

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

const middleOf = (card) => card.offsetLeft + card.offsetWidth / 2;

/** The card in the next row, below or above, that is closest to the middle of `card`. On the wall rows differ. */
function cardInRow(card, isBelow) {
  const beyond = cards().filter((each) => (isBelow ? each.offsetTop > card.offsetTop : each.offsetTop < card.offsetTop));
  const row = (isBelow ? beyond[0] : beyond.at(-1))?.offsetTop;
  const distance = (each) => Math.abs(middleOf(each) - middleOf(card));
  return beyond.filter((each) => each.offsetTop === row).sort((one, other) => distance(one) - distance(other))[0];
}

function moveFocus({ key }) {
  const card = cardInFocus();
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  const beside = () => (step ? cards()[cards().indexOf(card) + step] : cardInRow(card, key === "ArrowDown"));
  (card ? beside() : tabStop())?.querySelector(".look").focus();
}

function tickFocused() {
  const look = document.activeElement.closest(".look");
  look?.closest(".card").querySelector('[name="image_id"]')?.click();
  return Boolean(look);
}

function download() {
  if (selected().length) press("download-selected");
  else pressInCard('.quick [name="only"]');
}

// Keys for the selection; without one for the card in focus.

const pressInCard = (selector) => cardInFocus()?.querySelector(selector)?.click();

function hide() {
  if (!hasTicks()) pressInCard('[name="image_id"]');
  press("hide-selected");
}

function favour() {
  if (hasTicks()) press("favour-selected");
  else pressInCard("button.heart");
}

function collect() {
  const box = !hasTicks() && cardInFocus()?.querySelector('[name="image_id"]');
  if (box) byId("collect-focused").value = box.value;
  press(box ? "collect-focused" : "collect-selected");
}

/** Moves the focus from the search field to the first card. The search stays. */
function leaveSearch(event) {
  byId("q").blur();
  if (byId("cards")) moveFocus(event);
}

const IN_GRID = { " ": tickFocused, d: download, f: favour, c: collect, h: hide, a: selectLoaded, Escape: unselect };
for (const side of ["Left", "Right", "Up", "Down"]) IN_GRID[`Arrow${side}`] = moveFocus;
/** The action of a key, depending on the focus. Null for keys that the focused control uses itself. */
function actionOf({ key, target, ctrlKey, metaKey, altKey }) {
  if (key === "Escape" && target.id === "q") return leaveSearch;
  if (altKey || isTyping(target) || document.querySelector(":popover-open")) return null;
  if (document.querySelector("dialog[open]")) return null;
  const isFree = target === document.body || target.closest("main:focus, #grid");
  if (ctrlKey || metaKey) return key === "a" && target.closest("#grid") ? selectLoaded : null;
  return byId("cards") && (isFree || !key.startsWith("Arrow")) && IN_GRID[key];
}

on("keydown", (event) => {
  const action = event.defaultPrevented || event.isComposing ? null : actionOf(event);
  if (action && action(event) !== false) event.preventDefault();
});
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
