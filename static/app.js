// The pages work without this file. It keeps the cards in step with the panels, counts what is
// selected, hides pictures that do not load, and says when Flowshelf does not answer.

const MOST_CARDS = 60;
const ON_THE_WAY = ["wanted", "running"];
const NEAR_TOP_PIXELS = 600;
const ASK_AGAIN_MILLISECONDS = 3000;
const LOOK_AGAIN_MILLISECONDS = 700;

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
  askForCards(ids);
}

const mayAsk = () => Boolean(byId("grid")?.dataset.previewsUrl); // a guest's cards stay as they came

function askForCards(ids) {
  if (!ids.length || !mayAsk()) return;
  const { cardsUrl } = byId("grid").dataset;
  const glue = cardsUrl.includes("?") ? "&" : "?";
  ask(`${cardsUrl}${glue}${new URLSearchParams(ids)}`, "#grid", "none");
}

/** Ask for the first page anew where that disturbs nobody; elsewhere offer a link when images arrived. */
function refreshGrid(haveArrived) {
  if (!byId("grid")) return; // panels stand on other pages too
  const { url } = byId("grid").dataset;
  const isFree = url && scrollY < NEAR_TOP_PIXELS && !selected().length && !isEverything();
  if (isFree) ask(url, "#grid", "outerHTML");
  if (isFree || haveArrived) byId("show-newest").hidden = Boolean(isFree);
}

document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  const { version } = detail.fragment.firstElementChild.dataset;
  if (version && version === detail.target.dataset.version) detail.shouldSwap = false;
});

/** The address of a filter names only what was chosen. */
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.elt.id !== "filter") return;
  [...detail.formData.entries()].filter(([, value]) => !value).forEach(([name]) => detail.formData.delete(name));
});

// Previews: cards in view that have no picture ask for theirs, all of them in one request

const inView = new IntersectionObserver(
  (entries) => {
    const looks = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
    looks.forEach((look) => inView.unobserve(look));
    requestPreviews(looks.map((look) => look.dataset.image));
  },
  { rootMargin: "300px" },
);

const watchPreviews = () => all('#grid .look[data-version="none"]').forEach((look) => inView.observe(look));

function requestPreviews(ids, again = "") {
  if (!ids.length || !mayAsk()) return;
  const body = new URLSearchParams([...ids.slice(0, MOST_CARDS).map((id) => ["id", id]), ["again", again]]);
  const headers = { "HX-Request": "true" };
  fetch(byId("grid").dataset.previewsUrl, { method: "POST", body, headers })
    .then(() => lookAgain(ids))
    .catch(() => {}); // the panels say so when nothing answers
}

const waiting = new Set();

function lookAgain(ids) {
  ids.forEach((id) => waiting.add(id));
  clearTimeout(lookAgain.timer);
  lookAgain.timer = setTimeout(() => {
    const some = [...waiting].filter((id) => byId(`look-${id}`)).slice(0, MOST_CARDS);
    waiting.clear();
    askForCards(some.map((id) => ["id", id]));
  }, LOOK_AGAIN_MILLISECONDS);
}

document.addEventListener("previews-under-way", ({ detail }) => lookAgain(detail.ids));

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
  watchPreviews();
});

function afterPanel(panel, was, isCommand) {
  was.opened.map(byId).forEach((details) => details && (details.open = true));
  if (was.hadFocus && !panel.contains(document.activeElement)) panel.focus({ preventScroll: true });
  const hasEnded = "active" in was && !("active" in panel.dataset);
  if (("active" in was) !== ("active" in panel.dataset)) htmx.trigger(document.body, "runs-changed");
  // What a person did; how a run ended by itself is a message.
  if (hasEnded) byId("announcement").textContent = all("[data-outcome]", panel).map((one) => one.innerText).join(" ");
  if (panel.id === "sync-panel") {
    const haveArrived = panel.dataset.count !== was.count && panel.dataset.count !== "0";
    // An answered question marks images without a run.
    if (hasEnded || isCommand) refreshCards();
    if (hasEnded || haveArrived) refreshGrid(haveArrived);
    if (hasEnded && byId("download-panel")) refreshPanel(byId("download-panel"));
  } else {
    refreshCards(isCommand ? ["pending", "failed", "gone", ...ON_THE_WAY] : ON_THE_WAY);
    if (hasEnded) refreshGrid(false);
    if (byId("download-pending")) byId("download-pending").disabled = panel.dataset.pending === "0";
  }
}

// The second click of a double click is not meant for the button that came into the place of the first.
const isSecond = ({ detail, target }) => detail > 1 && target.closest(".panel button");
document.addEventListener("click", (event) => isSecond(event) && event.preventDefault());

// Selection: the ticked cards, or all that match but the exceptions; then the server knows which those are

const SUM_AFTER_MILLISECONDS = 250;
let lastTicked = null;
let wasEverything = false;
let sumAsked = 0;
const excepted = new Set();
const met = new WeakSet();
const isEverything = () => Boolean(byId("everything")?.checked);

/** Bring exceptions, counts and buttons in step with the ticks, whoever made them. */
function showSelection() {
  if (!byId("selection")) return;
  if (wasEverything && !isEverything()) boxes().forEach((box) => (box.checked = false));
  wasEverything = isEverything();
  boxes().forEach((box) => excepted[wasEverything && !box.checked ? "add" : "delete"](box.value));
  if (!wasEverything) excepted.clear();
  const ticked = selected().length;
  const count = wasEverything ? byId("everything").dataset.count - excepted.size : ticked;
  if (wasEverything) byId("everything").indeterminate = excepted.size > 0;
  const page = byId("select-all");
  if (page) page.checked = ticked > 0 && ticked === boxes().length;
  if (page) page.indeterminate = ticked > 0 && !page.checked;
  showCount(count);
}

/** Say how many are selected, and ask anew for their bytes when they changed or a download ended. */
function showCount(count) {
  all(".needs-selection").forEach((button) => (button.disabled = !count));
  const isLoading = "active" in byId("download-panel").dataset;
  const key = [isLoading, wasEverything, ...excepted, ...selected().map((box) => box.value)].join();
  if (key === showCount.key) return;
  showCount.key = key;
  byId("selected-count").value = count ? `${count.toLocaleString("en")} selected` : "";
  byId("selected-sum").textContent = "";
  clearTimeout(showCount.timer);
  if (count) showCount.timer = setTimeout(askSum, SUM_AFTER_MILLISECONDS);
}

const posted = (url) => fetch(url, { method: "POST", body: new URLSearchParams(new FormData(byId("selection"))) });

/** What the selection comes to in bytes, which only the server knows. */
async function askSum() {
  const number = ++sumAsked;
  const answer = await posted(byId("selected-sum").dataset.url).catch(() => null);
  const words = answer?.ok ? await answer.text() : "";
  if (number === sumAsked && byId("selected-count").value) byId("selected-sum").textContent = words.trim();
}

/** Cards that are scrolled in belong to everything, unless they were unticked before. */
const arriving = new MutationObserver(() => {
  if (!wasEverything || !isEverything()) return;
  const fresh = boxes().filter((box) => !met.has(box));
  fresh.forEach((box) => met.add(box) && (box.checked = !excepted.has(box.value)));
  if (fresh.length) showSelection();
});
if (byId("selection")) arriving.observe(byId("selection"), { childList: true, subtree: true });

document.addEventListener("formdata", ({ target, formData }) => {
  if (!target.matches("#selection")) return; // a field that is called id would stand in for target.id
  formData.set("here", location.pathname + location.search); // the filter may have changed since
  if (!isEverything()) return;
  formData.delete("image_id");
  excepted.forEach((id) => formData.append("except", id));
});

// Buttons that a page or a file answers: the browser sends the form itself.
document.addEventListener("submit", (event) => event.submitter?.matches("[data-page]") && event.stopPropagation(), true);

async function copyNames(button) {
  const names = posted(button.formAction).then((answer) => (answer.ok ? answer.blob() : Promise.reject(answer)));
  await navigator.clipboard.write([new ClipboardItem({ "text/plain": names })]);
  byId("selected-sum").textContent = "names copied";
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("#copy-names");
  if (!button || !navigator.clipboard?.write) return; // not offered over plain http: the page of names is
  event.preventDefault();
  copyNames(button).catch(() => byId("selection").requestSubmit(button));
});

const openMenu = () => document.querySelector(".menu[open]");

document.addEventListener("click", ({ target }) => {
  const menu = openMenu();
  if (menu && (!menu.contains(target) || target.closest(".choice"))) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && openMenu();
  if (!menu) return;
  event.stopImmediatePropagation(); // Esc closes one thing at a time
  menu.open = false;
  menu.querySelector("summary").focus();
});

/** A ZIP that stopped asking for itself is ready, or will not be. */
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  if (detail.elt.matches?.(".export:not([hx-get])")) byId("announcement").textContent = detail.elt.querySelector("h2").innerText;
});

document.addEventListener("click", ({ target, shiftKey }) => {
  const toast = target.closest(".toast");
  if (target.closest(".dismiss")) toast ? toast.remove() : byId("problem").replaceChildren();
  if (target.name !== "image_id") return;
  const [from, to] = [lastTicked, target].map((box) => boxes().indexOf(box)).sort((a, b) => a - b);
  if (shiftKey && from >= 0) boxes().slice(from, to + 1).forEach((box) => (box.checked = target.checked));
  lastTicked = target;
});

document.addEventListener("change", ({ target }) => {
  if (target.id === "select-all") boxes().forEach((box) => (box.checked = target.checked));
  if (target.id === "everything" && target.checked) boxes().forEach((box) => met.add(box) && (box.checked = true));
  showSelection();
});

// What was selected is on its way: the next selection begins anew, and the gallery is free to grow.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  const { submitter } = detail.requestConfig.triggeringEvent ?? {};
  if (submitter?.id !== "download-selected" || detail.xhr.status !== 200) return;
  const hadFocus = document.activeElement === submitter;
  if (byId("everything")) byId("everything").checked = false;
  boxes().forEach((box) => (box.checked = false));
  showSelection();
  if (hadFocus) byId("download-panel").focus({ preventScroll: true });
});

// Pictures that do not load

const renewed = new Set();

function showMotif(image) {
  image.closest(".picture").classList.add("is-broken");
  const look = image.closest(".look");
  if (!look || renewed.has(look.dataset.image)) return;
  look.dataset.version = "broken";
  renewed.add(look.dataset.image); // once: an address that stays bad is no reason to ask for ever
  requestPreviews([look.dataset.image], "yes");
}

document.addEventListener("error", ({ target }) => target.matches?.(".picture img") && showMotif(target), true);
all(".picture img").filter((image) => image.complete && !image.naturalWidth).forEach(showMotif);

// Place: the address follows the page in view; reload and Back find the same card at the same height

const REST_MILLISECONDS = 250;
const cards = () => all("#cards .card");
const topOf = (element) => element.getBoundingClientRect().top;
const firstInView = () => cards().find((card) => card.getBoundingClientRect().bottom > 0);

function notePlace() {
  const card = firstInView();
  if (!card || history.state?.lightbox) return;
  const starts = all("#cards [data-place]").filter((start) => start.compareDocumentPosition(card) & Node.DOCUMENT_POSITION_FOLLOWING);
  // Not the state that HTMX leaves: at Back it would ask for the whole page again.
  history.replaceState({ card: card.id, top: topOf(card) }, "", starts.at(-1)?.dataset.place ?? location.href);
}

/** Change what stands above without moving what is looked at. */
function keepPlace(change) {
  const card = firstInView();
  const was = card && topOf(card);
  change();
  if (card?.isConnected) scrollBy(0, topOf(card) - was);
}

document.addEventListener("scroll", () => {
  clearTimeout(notePlace.timer);
  notePlace.timer = setTimeout(notePlace, REST_MILLISECONDS);
}, { passive: true });

let anchor = null;

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (!detail.target.isConnected) detail.shouldSwap = false; // the grid has been exchanged meanwhile
  if (detail.target.id === "cards") anchor = { card: firstInView(), top: topOf(firstInView()) };
});

document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id === "cards" && anchor) scrollBy(0, topOf(anchor.card) - anchor.top);
  if (detail.target.id !== "grid") return;
  // A kept card came with another filter: its neighbours are those of the filter that is looked at now.
  const { search } = new URL(byId("grid").dataset.cardsUrl, location);
  all("#grid .look").forEach((look) => (look.search = search));
  notePlace();
});

document.addEventListener("submit", ({ target, submitter }) => {
  if (target.id !== "density") return;
  keepPlace(() => (byId("grid").dataset.density = submitter.value));
  all('[form="density"]').forEach((button) => (button.ariaPressed = String(button === submitter)));
});

// Lightbox: the page of one image over the gallery

const lightbox = byId("lightbox");
const inImage = (selector) => document.querySelector(`#image ${selector}`);
const content = () => lightbox.querySelector(".content");
const isPlain = (event) => !(event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);

function showImage(url) {
  if (!lightbox.open) {
    lightbox.showModal();
    lightbox.focus(); // rather than the first of its buttons
  }
  htmx.ajax("GET", url, { source: content(), target: content(), select: "#image" }).then(afterImage, () => {});
}

function openImage(url) {
  if (!lightbox.open) notePlace();
  if (!lightbox.open) history.pushState({ lightbox: true }, "", url);
  showImage(url);
}

function afterImage() {
  const image = byId("image");
  if (!image) return;
  history.replaceState({ lightbox: true }, "", image.dataset.url);
  lightbox.querySelector("[role=status]").textContent = image.querySelector("h1").textContent;
  if (!lightbox.contains(document.activeElement)) lightbox.focus();
  const ahead = document.querySelector(".pager .ahead");
  if (ahead && byId(`card-${image.dataset.image}`) === cards().at(-1)) htmx.trigger(ahead, "revealed");
}

document.addEventListener("htmx:afterRequest", ({ detail }) => {
  const isCommand = detail.requestConfig.verb === "post" && detail.target?.id === "image";
  if (isCommand && byId("download-panel")) refreshPanel(byId("download-panel"));
});

const isOfLightbox = (element) => lightbox && element === content();

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (!isOfLightbox(detail.elt)) return;
  if (!lightbox.open) detail.shouldSwap = false;
  else if (detail.isError) lightbox.close(); // what is wrong is said on the page below
});

lightbox?.addEventListener("close", () => {
  const { image } = byId("image")?.dataset ?? {};
  const look = byId(`look-${image}`);
  content().replaceChildren();
  if (look) askForCards([["id", image]]); // it may have been downloaded from here
  if (history.state?.lightbox) history.back();
  look?.focus(); // of the image that was shown last, which need not be the first
});

addEventListener("popstate", ({ state }) => {
  if (state?.lightbox && lightbox) showImage(location.href);
  else if (lightbox?.open) lightbox.close();
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("#grid .look, #lightbox .neighbours a");
  if (!link || !lightbox || !isPlain(event) || event.defaultPrevented) return;
  event.preventDefault();
  openImage(link.href);
});

// Zoom, and swiping while the picture is whole

const ZOOMS = [1, 1.5, 2, 3, 4];
const SWIPE_PIXELS = 60;
const zoom = () => Number(inImage(".stage")?.dataset.zoom ?? 1);

/** The point of the picture under `x`, `y` stays there. */
function zoomTo(level, x = innerWidth / 2, y = innerHeight / 2) {
  const [stage, picture] = [inImage(".stage"), inImage(".picture")];
  if (!stage) return;
  const was = picture.getBoundingClientRect();
  if (zoom() === 1) {
    stage.style.setProperty("--whole", `${was.width}px`);
    stage.style.setProperty("--frame", `${stage.offsetHeight}px`);
  }
  stage.dataset.zoom = level;
  stage.style.setProperty("--zoom", level);
  const is = picture.getBoundingClientRect();
  stage.scrollBy(is.left + ((x - was.left) / was.width) * is.width - x, is.top + ((y - was.top) / was.height) * is.height - y);
}

const zoomBy = (steps) => zoomTo(ZOOMS[Math.min(ZOOMS.length - 1, Math.max(0, ZOOMS.indexOf(zoom()) + steps))]);

let held = null;

document.addEventListener("pointerdown", ({ target, clientX, clientY, pointerType, isPrimary }) => {
  const stage = target.closest("#image .stage");
  held = stage && isPrimary ? { stage, x: clientX, y: clientY, byMouse: pointerType === "mouse", moved: false } : null;
});

document.addEventListener("pointermove", ({ clientX, clientY, movementX, movementY }) => {
  if (!held) return;
  held.moved ||= Math.hypot(clientX - held.x, clientY - held.y) > 5;
  if (held.byMouse && zoom() > 1) held.stage.scrollBy(-movementX, -movementY);
});

document.addEventListener("pointerup", ({ clientX, clientY }) => {
  if (!held || held.byMouse || zoom() > 1 || visualViewport.scale > 1) return;
  const [right, down] = [clientX - held.x, Math.abs(clientY - held.y)];
  if (Math.abs(right) > Math.max(SWIPE_PIXELS, 2 * down)) byId(right > 0 ? "to-previous" : "to-next")?.click();
});

document.addEventListener("dragstart", (event) => event.target.closest("#image .stage") && event.preventDefault());

document.addEventListener("click", (event) => {
  // A click by keyboard has no place (detail 0): it follows the link to the original.
  if (!event.target.closest("#image .stage .picture") || !event.detail || !isPlain(event)) return;
  event.preventDefault();
  if (!held?.moved) zoomTo(zoom() > 1 ? 1 : 2, event.clientX, event.clientY);
});

// Copying, and dialogs

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea"); // over plain http on a LAN there is no clipboard
  field.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (!isCopied) throw new Error("refused");
}

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-copies]");
  if (!button) return;
  const word = button.querySelector("span");
  await copy(byId(button.dataset.copies).textContent).then(() => (word.textContent = "Copied"), () => (word.textContent = "Not allowed"));
  setTimeout(() => (word.textContent = "Copy"), 2000);
});

document.addEventListener("click", ({ target }) => {
  const { opens, zooms } = target.closest("[data-opens], [data-zooms]")?.dataset ?? {};
  if (opens) byId(opens).showModal();
  if (zooms) zoomBy(Number(zooms));
  if (target.closest("[data-close]") || target.matches("dialog")) target.closest("dialog").close();
});

// Keys, never while somebody types

const isTyping = (target) => target.closest('input:not([type="checkbox"]), textarea, select, [contenteditable]');
const cardInFocus = () => document.activeElement.closest(".card");
const middleOf = (element) => element.getBoundingClientRect().left + element.offsetWidth / 2;
let lastCard = null;

document.addEventListener("focusin", ({ target }) => (lastCard = target.closest(".card") ?? lastCard));

/** The card beside, above or below another one, as they stand on the shelves. */
function cardAt(card, key) {
  const list = cards();
  const at = list.indexOf(card);
  if (key === "ArrowLeft" || key === "ArrowRight") return list[at + (key === "ArrowRight" ? 1 : -1)];
  const isBeyond = (one) => (key === "ArrowDown" ? topOf(one) > topOf(card) + 1 : topOf(one) < topOf(card) - 1);
  const beyond = (key === "ArrowDown" ? list.slice(at) : list.slice(0, at).reverse()).filter(isBeyond);
  const row = beyond.filter((one) => Math.abs(topOf(one) - topOf(beyond[0])) < 1);
  return row.sort((a, b) => Math.abs(middleOf(a) - middleOf(card)) - Math.abs(middleOf(b) - middleOf(card)))[0];
}

function moveFocus({ key }) {
  const from = cardInFocus() ?? (lastCard?.isConnected && lastCard);
  const to = cardInFocus() ? cardAt(from, key) : from || firstInView();
  to?.querySelector(".look").focus();
}

function tick() {
  const look = document.activeElement.closest(".look");
  look?.closest(".card").querySelector('[name="image_id"]')?.click();
  return Boolean(look);
}

function download() {
  const button = selected().length ? byId("download-selected") : cardInFocus()?.querySelector('[name="only"]');
  button?.click();
}

const tickAll = () => byId("select-all")?.checked || byId("select-all")?.click();

function clear() {
  const ticked = selected();
  ticked.forEach((box) => (box.checked = false));
  ticked[0]?.dispatchEvent(new Event("change", { bubbles: true }));
}

const pan = (right, down) => inImage(".stage").scrollBy({ left: right, top: down });
const EVERYWHERE = { "/": () => byId("q")?.focus(), "?": () => byId("keys").showModal() };
const IN_GRID = { ArrowLeft: moveFocus, ArrowRight: moveFocus, ArrowUp: moveFocus, ArrowDown: moveFocus, " ": tick, d: download, a: tickAll, Escape: clear };
const AT_IMAGE = {
  ArrowLeft: () => (zoom() > 1 ? pan(-80, 0) : byId("to-previous")?.click()),
  ArrowRight: () => (zoom() > 1 ? pan(80, 0) : byId("to-next")?.click()),
  ArrowUp: () => zoom() > 1 && pan(0, -80),
  ArrowDown: () => zoom() > 1 && pan(0, 80),
  "+": () => zoomBy(1),
  "=": () => zoomBy(1),
  "-": () => zoomBy(-1),
  d: () => byId("get-file")?.click(),
  Escape: () => !lightbox && byId("to-gallery").click(),
};

/** What a key does where the focus is; keys of controls that use them themselves stay theirs. */
function actionOf({ key, target, ctrlKey, metaKey, altKey }) {
  const dialog = document.querySelector("dialog[open]");
  if (altKey || isTyping(target) || (dialog && dialog !== lightbox)) return null;
  const isFree = target === document.body || target.closest("main:focus, #grid");
  if (ctrlKey || metaKey) return key === "a" && target.closest("#grid") ? tickAll : null;
  const own = byId("image") ? AT_IMAGE[key] : byId("cards") && (isFree || !key.startsWith("Arrow")) && IN_GRID[key];
  return own || (!dialog && EVERYWHERE[key]);
}

document.addEventListener("keydown", (event) => {
  const action = event.defaultPrevented || event.isComposing ? null : actionOf(event);
  if (action && action(event) !== false) event.preventDefault();
});

// Messages: each is shown once in this browser, in whichever of its pages it comes first

const TOLD = "flowshelf-told";
const lookForMessages = () => byId("messenger") && htmx.trigger("#messenger", "look"); // guests are told none

document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.elt.id === "messenger" && localStorage[TOLD]) detail.formData.set("since", localStorage[TOLD]);
});
document.addEventListener("told", ({ detail }) => (localStorage[TOLD] = detail.newest));
document.addEventListener("visibilitychange", () => document.hidden || lookForMessages());
document.addEventListener("animationend", ({ target }) => target.matches(".toast") && target.remove());

// Trouble

let asking = 0;

document.addEventListener("htmx:sendError", () => {
  byId("problem").replaceChildren(byId("lost").content.cloneNode(true));
  byId("problem").dataset.passing = "";
  clearTimeout(asking); // panels that ask by themselves go on doing so; the others are asked for
  asking = setTimeout(() => {
    all(".panel[data-url]").forEach(refreshPanel);
    lookForMessages();
  }, ASK_AGAIN_MILLISECONDS);
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
watchPreviews();
if (byId("cards")) {
  history.scrollRestoration = "manual";
  const card = byId(history.state?.card);
  if (card) scrollBy(0, topOf(card) - history.state.top);
}
