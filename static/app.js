// Makes the pages quicker to use; they work without it. In this order: cards, previews, panels, selection,
// copying, place, lightbox, zoom, keys, messages, trouble.

const byId = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const on = (name, act, options) => document.addEventListener(name, act, options);
const press = (id) => byId(id)?.click();
const topOf = (element) => element.getBoundingClientRect().top;
const cards = () => all("#cards .card");
const firstInView = () => cards().find((card) => card.getBoundingClientRect().bottom > 1); // rows touch, at parts of a pixel

/** What a click does on what `selector` names, or on something in it. */
const onClick = (selector, act) => on("click", (event) => {
  const element = event.target.closest(selector);
  if (element) act(event, element);
});

/** Do something after a pause, once, however often it is asked for meanwhile. */
function later(act, milliseconds) {
  clearTimeout(act.timer);
  act.timer = setTimeout(act, milliseconds);
}

/** GET a fragment; when nothing answers, htmx:sendError below says so. */
const get = (url, target, more) => htmx.ajax("GET", url, { source: target, target, ...more }).catch(() => {});

/** Have the page ask what is new of messages and runs. */
const lookForNews = () => byId("messenger") && htmx.trigger("#messenger", "look"); // guests are told none

// Cards: asked for when something became of them, and swapped by their ids

const MOST_CARDS = 300;
const NEAR_TOP_PIXELS = 600;
const ON_THE_WAY = '.state:is([data-state="queued"], [data-state="running"])';
const NEXT_CARDS = 60; // of those on the way, the first of which come first

const mayAsk = () => "previewsUrl" in byId("grid").dataset; // a guest's cards stay as they came
const askForCards = (id) => id.length && mayAsk() && get(byId("grid").dataset.cardsUrl, "#cards-news", { swap: "none", values: { id } });

function refreshCards(selector = ".state", most = Infinity) {
  const ids = all(`#cards ${selector}`).slice(0, most).map((state) => state.dataset.image);
  while (ids.length) askForCards(ids.splice(0, MOST_CARDS));
}

let refreshed = null;

/** Ask for the first page anew where that disturbs nobody; elsewhere offer a link when images arrived. */
async function refreshGrid(haveArrived) {
  await refreshed; // HTMX would forget who waits for a grid that is exchanged meanwhile
  if (!byId("grid")) return; // panels stand on other pages too
  const { url } = byId("grid").dataset;
  const isFree = Boolean(url) && scrollY < NEAR_TOP_PIXELS && !hasTicks();
  if (isFree) refreshed = get(url, "#grid", { swap: "outerHTML" });
  if (isFree || haveArrived) byId("show-newest").hidden = isFree;
}

/** Cards may have left the grid since they were asked for: HTMX would complain of each. */
on("htmx:beforeSwap", ({ detail }) => {
  if (detail.target.id !== "cards-news") return;
  const answer = document.createElement("template");
  answer.innerHTML = detail.serverResponse;
  for (const part of answer.content.querySelectorAll("[hx-swap-oob]")) if (!byId(part.id)) part.remove();
  detail.serverResponse = answer.innerHTML;
});

on("htmx:oobBeforeSwap", ({ detail }) => {
  const { version, image } = detail.fragment.firstElementChild.dataset;
  if (version && version === detail.target.dataset.version) detail.shouldSwap = false;
  else if (image) keepPressed(detail, detail.target, () => askForCards([image]));
});

/** What is being pressed must not be swapped away under the finger: the click would be lost. */
function keepPressed(detail, part, askAgain) {
  if (!part.matches(":active")) return;
  detail.shouldSwap = false;
  addEventListener("pointerup", askAgain, { once: true });
}

// Previews: cards in view that have no picture ask for theirs, all of them in one request

const LOOK_AGAIN_MILLISECONDS = 700;
const renewed = new Set();

const inView = new IntersectionObserver((entries) => {
  const looks = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
  looks.forEach((look) => inView.unobserve(look));
  requestPreviews(looks.map((look) => look.dataset.image));
}, { rootMargin: "300px" });

function requestPreviews(ids, again = "") {
  if (!ids.length || !mayAsk()) return;
  const body = new URLSearchParams([...ids.map((id) => ["id", id]), ["again", again]]);
  fetch(byId("grid").dataset.previewsUrl, { method: "POST", body, headers: { "HX-Request": "true" } })
    .then(() => lookAgain(ids), () => {}); // whatever asks next says that nothing answers
}

const lookAgain = (ids) => setTimeout(() => askForCards(ids.filter((id) => byId(`look-${id}`))), LOOK_AGAIN_MILLISECONDS);

on("previews-under-way", ({ detail }) => lookAgain(detail.ids));

/** A picture that does not load becomes the motif; its address is renewed once. */
function showMotif(image) {
  image.closest(".picture").classList.add("is-broken");
  const look = image.closest(".look");
  if (!look || renewed.has(look.dataset.image)) return;
  look.dataset.version = "broken";
  renewed.add(look.dataset.image);
  requestPreviews([look.dataset.image], "yes");
}

on("error", ({ target }) => target.matches?.(".picture img") && showMotif(target), true);
all(".picture img").filter((image) => image.complete && !image.naturalWidth).forEach(showMotif);

// Panels: what a swap must not take away, and what follows from what they say

on("htmx:beforeSwap", ({ detail }) => {
  const { target, requestConfig } = detail;
  const isAsked = requestConfig.verb === "get";
  if (!target.isConnected) detail.shouldSwap = false; // its surroundings have been exchanged meanwhile
  if (target.id === "problem" && isAsked) target.dataset.passing = "";
  if (requestConfig.elt === target && target.id === "grid") keepPressed(detail, target, () => refreshGrid(true));
  if (!target.matches(".panel")) return;
  // What is being pressed must not be swapped away under the finger, nor what waits for its answer.
  const isWaitedFor = document.querySelector(`form.htmx-request[hx-target="#${target.id}"]`);
  if (isAsked && (isWaitedFor || target.querySelector(":is(a, button, summary):active"))) detail.shouldSwap = false;
  requestConfig.was = { ...target.dataset, hadFocus: target.contains(document.activeElement) };
});

on("htmx:afterSettle", ({ detail: { elt, target, requestConfig } }) => {
  const { was, verb } = requestConfig;
  delete requestConfig.was;
  if (was) afterPanel(byId(target.id), was, verb === "post");
  if (elt.matches?.(".export")) announce(elt);
  later(freshen, 0); // htmx says this of each card that came
});

function afterPanel(panel, was, isCommand) {
  if (was.hadFocus && !panel.contains(document.activeElement)) panel.focus({ preventScroll: true });
  const [wasActive, isActive] = [was, panel.dataset].map((data) => "active" in data);
  const haveArrived = panel.dataset.count !== was.count && panel.dataset.count !== "0";
  const hasEnded = wasActive && !isActive;
  if (wasActive !== isActive) lookForNews();
  if (wasActive !== isActive || isCommand) refreshCards();
  else if (panel.id === "download-panel") refreshCards(ON_THE_WAY, NEXT_CARDS);
  if (hasEnded || haveArrived) refreshGrid(haveArrived);
  if (haveArrived) htmx.trigger("#download-panel", "again"); // more to download
  if (hasEnded) announce(panel);
  const pending = byId("download-pending");
  if (pending && panel.dataset.pending) pending.disabled = panel.dataset.pending === "0";
}

/** What a person did, in words; how a run ended by itself is a message. */
function announce(part) {
  const words = all("[data-outcome]", part).map((one) => one.innerText).join(" ");
  if (words) byId("announcement").textContent = words;
}

// The second click of a double click is not meant for the button that came into the place of the first.
onClick(".panel button", (event) => event.detail > 1 && event.preventDefault());

// Selection: the ticked cards, or all that match but the exceptions; then the server knows which those are

const excepted = new Set();
let wasEverything = false;
let lastTicked = null;

const boxes = () => all('#grid [name="image_id"]');
const selected = () => boxes().filter((box) => box.checked);
const isEverything = () => Boolean(byId("everything")?.checked);
const hasTicks = () => isEverything() || selected().length > 0;

function tick(some, isTicked) {
  some.forEach((box) => (box.checked = isTicked));
  if (isEverything()) some.forEach((box) => excepted[isTicked ? "delete" : "add"](box.value));
}

/** Bring ticks, count and buttons in step, whoever changed one of them; cards that were scrolled in too. */
function showSelection() {
  if (!byId("selection")) return;
  const hasTurned = wasEverything !== isEverything();
  wasEverything = isEverything();
  if (hasTurned) excepted.clear();
  if (hasTurned || wasEverything) boxes().forEach((box) => (box.checked = wasEverything && !excepted.has(box.value)));
  if (wasEverything) byId("everything").indeterminate = excepted.size > 0;
  const count = wasEverything ? byId("totals").dataset.count - excepted.size : selected().length;
  all(".needs-selection").forEach((button) => (button.disabled = !count));
  const isLoading = "active" in byId("download-panel").dataset; // then the bytes will have changed
  showCount(count, [isLoading, count, ...excepted, ...selected().map((box) => box.value)].join());
}

function showCount(count, key) {
  if (key === showCount.key) return;
  showCount.key = key;
  byId("selected-count").value = count ? `${count.toLocaleString("en")} selected` : "";
  byId("selected-sum").textContent = "";
  if (count) htmx.trigger("#selected-sum", "selected");
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
  if (!target.matches("#selection")) return; // a field that is called id would stand in for target.id
  formData.set("here", location.pathname + location.search); // the filter may have changed since
  if (!isEverything()) return;
  formData.delete("image_id");
  excepted.forEach((id) => formData.append("except", id));
});

// A page or a file answers these buttons, not HTMX.
on("submit", (event) => event.submitter?.matches("[data-page]") && event.stopPropagation(), true);

onClick("#more-actions .choice", () => byId("more-actions").hidePopover());

// What was selected is on its way: the next selection begins anew, and the gallery is free to grow.
on("htmx:afterRequest", ({ detail }) => {
  const { submitter } = detail.requestConfig.triggeringEvent ?? {};
  if (submitter?.id !== "download-selected" || detail.xhr.status !== 200) return;
  const hadFocus = document.activeElement === submitter;
  unselect();
  if (hadFocus) byId("download-panel").focus({ preventScroll: true });
});

// Copying; the names of a selection are a page where the browser offers no clipboard, over plain http on a LAN

onClick("#copy-names", (event, button) => {
  if (!navigator.clipboard?.write) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(byId("selection")));
  const names = fetch(button.formAction, { method: "POST", body }).then((answer) => answer.blob());
  const copied = navigator.clipboard.write([new ClipboardItem({ "text/plain": names })]);
  copied.then(() => (byId("selected-sum").textContent = "names copied"), () => byId("selection").requestSubmit(button));
});

onClick("[data-copies]", (_, button) => {
  getSelection().selectAllChildren(byId(button.dataset.copies));
  const word = button.querySelector("span");
  word.textContent = document.execCommand("copy") ? "Copied" : "Not allowed";
  setTimeout(() => (word.textContent = "Copy"), 2000);
});

// Place: the address follows the page in view; reload and Back find the same card at the same height

const REST_MILLISECONDS = 250;

/** Holds the first card in view; what it returns brings that card back to where it stood. */
function holdPlace() {
  const card = firstInView();
  const was = card && topOf(card);
  return () => card?.isConnected && scrollBy(0, topOf(card) - was);
}

function notePlace() {
  const card = firstInView();
  if (!card || history.state?.lightbox) return;
  const isAhead = (mark) => mark.compareDocumentPosition(card) & Node.DOCUMENT_POSITION_FOLLOWING;
  const mark = all("#cards [data-place]").filter(isAhead).at(-1);
  // Not the state that HTMX leaves: at Back it would ask for the whole page again.
  history.replaceState({ card: card.id, top: topOf(card) }, "", mark?.dataset.place ?? location.href);
}

function rest() {
  notePlace();
  setTabStop();
}

on("scroll", () => later(rest, REST_MILLISECONDS), { passive: true });

on("htmx:beforeSwap", ({ detail: { target, requestConfig } }) => {
  if (target.id === "cards") requestConfig.release = holdPlace();
});

on("htmx:afterSwap", ({ detail: { target, requestConfig } }) => {
  requestConfig.release?.();
  delete requestConfig.release; // htmx says this of each card that came
  if (target.id !== "grid") return;
  // A kept card came with another filter: its neighbours are those of the filter that is looked at now.
  const { search } = new URL(byId("grid").dataset.cardsUrl, location);
  all("#grid .look").forEach((look) => (look.search = search));
  notePlace();
});

on("htmx:beforeRequest", (event) => {
  const { restsAt } = event.target.dataset;
  if (restsAt && cards().length >= restsAt && !hasTicks()) event.preventDefault();
});

// Another page would forget what is ticked here.
onClick("#older", (event) => {
  if (!isPlain(event) || !hasTicks()) return;
  event.preventDefault();
  htmx.trigger("#pager-older .ahead", "more");
});

on("submit", ({ target, submitter }) => {
  if (target.id !== "density") return;
  const release = holdPlace();
  byId("grid").dataset.density = submitter.value;
  all('[form="density"]').forEach((button) => (button.ariaPressed = String(button === submitter)));
  release();
});

// Lightbox: the page of one image over the gallery

const lightbox = byId("lightbox");
const content = lightbox?.querySelector(".content");
const inImage = (selector) => document.querySelector(`#image ${selector}`);
const isPlain = (event) => !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);

function showImage(url) {
  if (!lightbox.open) {
    lightbox.showModal();
    lightbox.focus(); // rather than the first of its buttons
  }
  get(url, content, { select: "#image" }).then(afterImage);
}

function afterImage() {
  const image = byId("image");
  if (!image) return;
  history.replaceState({ lightbox: true }, "", image.dataset.url);
  lightbox.querySelector("[role=status]").textContent = image.querySelector("h1").textContent;
  if (!lightbox.contains(document.activeElement)) lightbox.focus();
  const ahead = document.querySelector(".pager .ahead");
  if (ahead && byId(`card-${image.dataset.image}`) === cards().at(-1)) htmx.trigger(ahead, "intersect");
}

onClick("#grid .look, #lightbox .neighbours a", (event, link) => {
  if (!isPlain(event)) return;
  event.preventDefault();
  if (!lightbox.open) {
    notePlace();
    history.pushState({ lightbox: true }, "", link.href);
  }
  showImage(link.href);
});

on("htmx:beforeSwap", ({ detail }) => {
  if (detail.elt !== content) return;
  if (!lightbox.open) detail.shouldSwap = false;
  else if (detail.isError) lightbox.close(); // what is wrong is said on the page below
});

lightbox?.addEventListener("close", () => {
  const { image } = byId("image")?.dataset ?? {};
  const look = byId(`look-${image}`);
  content.replaceChildren();
  if (look) askForCards([image]); // it may have been downloaded from here
  if (history.state?.lightbox) history.back();
  look?.focus(); // of the image that was shown last, which need not be the first
});

addEventListener("popstate", ({ state }) => {
  if (!lightbox) return state?.card && location.reload(); // an image that was laid over the gallery, and then reloaded
  if (state?.lightbox) showImage(location.href);
  else lightbox.close();
});

// Zoom, and swiping while the picture is whole

const ZOOMS = [1, 1.5, 2, 3, 4];
const SWIPE_PIXELS = 60;
const zoom = () => Number(inImage(".stage")?.dataset.zoom ?? 1);
let down = null; // where a finger or the mouse went down on the picture

/** The point of the picture under `x`, `y` stays there. */
function zoomTo(level, x = innerWidth / 2, y = innerHeight / 2) {
  const [stage, picture] = [inImage(".stage"), inImage(".picture")];
  if (!stage) return;
  const was = picture.getBoundingClientRect();
  stage.dataset.zoom = level;
  stage.style.setProperty("--zoom", level);
  const is = picture.getBoundingClientRect();
  const [right, below] = [(x - was.left) / was.width, (y - was.top) / was.height];
  stage.scrollBy(is.left + right * is.width - x, is.top + below * is.height - y);
  stage.focus({ preventScroll: true });
}

const zoomBy = (steps) => zoomTo(ZOOMS.at(Math.min(ZOOMS.length - 1, Math.max(0, ZOOMS.indexOf(zoom()) + steps))));

on("pointerdown", (event) => (down = event.isPrimary && event.target.closest("#image .stage") ? event : null));

on("pointermove", ({ buttons, pointerType, movementX, movementY }) => {
  if (down && buttons && pointerType === "mouse" && zoom() > 1) inImage(".stage").scrollBy(-movementX, -movementY);
});

on("pointerup", ({ clientX, clientY, pointerType }) => {
  if (!down || pointerType === "mouse" || zoom() > 1 || visualViewport.scale > 1) return;
  const [right, below] = [clientX - down.clientX, Math.abs(clientY - down.clientY)];
  if (Math.abs(right) > Math.max(SWIPE_PIXELS, 2 * below)) press(right > 0 ? "to-previous" : "to-next");
});

on("dragstart", (event) => event.target.closest("#image .stage") && event.preventDefault());

onClick("[data-zooms]", (_, button) => zoomBy(Number(button.dataset.zooms)));

onClick("#image .stage .picture", (event) => {
  if (!event.detail || !isPlain(event)) return; // one by keyboard has no place: it follows the link to the original
  event.preventDefault();
  const wasDragged = down && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) > 5;
  if (!wasDragged) zoomTo(zoom() > 1 ? 1 : 2, event.clientX, event.clientY);
});

// Keys, never while somebody types. The grid is one stop of Tab: arrows go from card to card, Tab goes through
// the controls of the card in focus and then leaves the grid.

let entered = null; // the card that had the focus last
const cardInFocus = () => document.activeElement.closest("#cards .card");
const isTyping = (target) => target.closest('input:not([type="checkbox"]), textarea, select, [contenteditable]');

function tabStop() {
  const isInView = entered?.isConnected && Math.abs(topOf(entered) - innerHeight / 2) < innerHeight / 2;
  return cardInFocus() ?? (isInView ? entered : firstInView() ?? cards().at(-1));
}

function setTabStop() {
  const stop = tabStop();
  all("#cards :is(a, input, button)").forEach((control) => (control.tabIndex = stop.contains(control) ? 0 : -1));
}

on("focusin", () => {
  const isAnother = cardInFocus() && cardInFocus() !== entered;
  entered = cardInFocus() ?? entered;
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

/** Out of the search, which keeps its words, and on to the pictures that it found. */
function leaveSearch(event) {
  byId("q").blur();
  if (byId("cards")) moveFocus(event);
}

const EVERYWHERE = { "/": () => byId("q")?.focus(), "?": () => byId("keys").showPopover() };
const IN_GRID = { " ": tickFocused, d: download, a: selectLoaded, Escape: unselect };
for (const side of ["Left", "Right", "Up", "Down"]) IN_GRID[`Arrow${side}`] = moveFocus;
const AT_IMAGE = {
  ArrowLeft: () => zoom() === 1 && press("to-previous"), // a zoomed picture is scrolled by the browser
  ArrowRight: () => zoom() === 1 && press("to-next"),
  "+": () => zoomBy(1),
  "=": () => zoomBy(1),
  "-": () => zoomBy(-1),
  d: () => press("get-file"),
  Escape: () => !lightbox && press("to-gallery"),
};

/** What a key does where the focus is; keys of controls that use them themselves stay theirs. */
function actionOf({ key, target, ctrlKey, metaKey, altKey }) {
  const above = document.querySelector("dialog[open], :popover-open");
  if (key === "Escape" && target.id === "q") return leaveSearch;
  if (altKey || isTyping(target) || (above && above !== lightbox)) return null;
  const isFree = target === document.body || target.closest("main:focus, #grid");
  if (ctrlKey || metaKey) return key === "a" && target.closest("#grid") ? selectLoaded : null;
  const own = byId("image") || above ? AT_IMAGE[key] : byId("cards") && (isFree || !key.startsWith("Arrow")) && IN_GRID[key];
  return own || (!above && EVERYWHERE[key]);
}

on("keydown", (event) => {
  const action = event.defaultPrevented || event.isComposing ? null : actionOf(event);
  if (action && action(event) !== false) event.preventDefault();
});

// Messages: each is shown once in this browser, in whichever of its pages it comes first

const TOLD = "flowshelf-told";
on("told", ({ detail }) => (localStorage[TOLD] = detail.newest));
on("htmx:configRequest", ({ detail }) => {
  if (detail.elt.id === "messenger" && localStorage[TOLD]) detail.formData.set("since", localStorage[TOLD]);
});
on("animationend", ({ target }) => target.matches(".toast") && target.remove());
onClick(".dismiss", (_, button) => button.closest(".toast, .problem").remove());

// A page that nobody sees asks nothing, and catches up when it is looked at; and no selection has no bytes.
on("htmx:beforeRequest", (event) => {
  const { elt, requestConfig } = event.detail;
  const isVain = elt.id === "selected-sum" && !byId("selected-count").value;
  if (isVain || (document.hidden && !requestConfig.triggeringEvent)) event.preventDefault();
});
on("visibilitychange", () => document.hidden || lookForNews());

// Who types how many hours wants a sync that often.
on("input", ({ target }) => target.name === "hours" && (byId("kind-hourly").checked = true));

// Trouble

const ASK_AGAIN_MILLISECONDS = 3000;

on("htmx:sendError", ({ detail }) => {
  byId("problem").replaceChildren(byId("lost").content.cloneNode(true));
  if (detail.elt === content) lightbox.close(); // it would hide what is said
  detail.elt.dataset.unanswered = "";
  byId("problem").dataset.passing = "";
  later(lookForNews, ASK_AGAIN_MILLISECONDS);
});

on("htmx:afterRequest", ({ detail }) => {
  const isCommand = detail.requestConfig.verb === "post";
  const isOver = "passing" in byId("problem").dataset || isCommand;
  const { status } = detail.xhr; // for htmx an error that is shown is a success
  if (!isOver || status < 200 || status >= 400) return;
  if (isCommand && detail.elt.id !== "selected-sum") lookForNews();
  byId("problem").replaceChildren();
  delete byId("problem").dataset.passing;
  for (const part of all("[data-unanswered]")) {
    delete part.dataset.unanswered;
    htmx.trigger(part, "again");
  }
});

// A form is sent once, however often its button is pressed.
on("submit", (event) => {
  if (event.target.matches("[hx-get], [hx-post]")) return;
  if (event.target.ariaBusy === "true") event.preventDefault();
  event.target.ariaBusy = "true";
});
addEventListener("pageshow", () => all("form[aria-busy]").forEach((form) => form.removeAttribute("aria-busy")));

/** What cards need that have just come. */
function freshen() {
  showSelection();
  all('#grid .look[data-version="none"]').forEach((look) => inView.observe(look));
  setTabStop();
}

freshen();
if (byId("cards")) {
  history.scrollRestoration = "manual";
  const card = byId(history.state?.card);
  if (card) scrollBy(0, topOf(card) - history.state.top);
}
