// One image over the gallery, or two side by side; also on their own pages. Parts: lightbox, loading ahead, ticks,
// changes, slideshow, zoom, touch, full screen, keys. The gallery (gallery.js) hears of it by events, and loads this module
// when somebody is about to open an image.

import { all, byId, get, isPlain, isTyping, later, on, onClick, press } from "./dom.js";

const lightbox = byId("lightbox"); // null on the pages of images
const content = lightbox?.querySelector(".content");
const subject = () => byId("image") ?? byId("comparison");
const pictureOf = (place) => place?.querySelector(".picture img");

// Lightbox: shows a page's main part over the gallery. The URL and the history follow.

let wanted = null; // the URL that was requested last
let announced = null;

/** Shows an image or a comparison in the lightbox, at once if it was loaded ahead. */
async function show(url) {
  wanted = url;
  if (!lightbox.open) {
    lightbox.showModal();
    lightbox.focus(); // instead of its first button
  }
  const ready = await ahead.get(url);
  if (wanted !== url || !lightbox.open) return;
  ahead.delete(url);
  if (ready) {
    content.replaceChildren(ready);
    htmx.process(ready);
  } else {
    // Until it has settled, htmx does not handle its forms: a key would leave the lightbox.
    const options = { source: content, target: content, select: "#image, #comparison", swap: "innerHTML settle:0ms" };
    await htmx.ajax("GET", url, options).catch(() => {}); // app.js reports a lost server
  }
  afterShow();
}

/** Opens the lightbox on a URL; until the response arrives it shows the small picture of the card `look`. */
function open(url, look) {
  document.dispatchEvent(new Event("lightbox-opens"));
  history.pushState({ lightbox: true }, "", url);
  if (look) {
    const [one, stage] = ["one", "stage"].map((name) => Object.assign(document.createElement("div"), { className: name }));
    stage.append(look.querySelector(".picture").cloneNode(true));
    one.append(stage);
    content.replaceChildren(one);
  }
  return show(url);
}

function afterShow() {
  const shown = subject();
  if (!shown) return;
  history.replaceState(lightbox?.open ? { lightbox: true } : history.state, "", shown.dataset.url);
  all("[data-full-screen]").forEach((button) => (button.hidden = !document.fullscreenEnabled));
  if (!lightbox?.open) return;
  announce(shown);
  underlay(shown);
  showTick();
  lightbox.ariaLabel = shown.id === "comparison" ? "Compare two images" : "Image";
  lightbox.classList.toggle("compares", shown.id === "comparison");
  if (!lightbox.contains(document.activeElement)) lightbox.focus();
  loadCards(shown.dataset.image);
  (pictureOf(shown)?.decode() ?? Promise.resolve()).catch(() => {}).then(() => {
    if (shown !== subject()) return;
    loadAhead();
    schedule();
  });
}

const say = (words) => (lightbox.querySelector("[role=status]").textContent = words);

function announce(shown) {
  if (announced === shown.dataset.url) return; // it was only refreshed
  announced = shown.dataset.url;
  const title = shown.id === "image" ? pictureOf(shown)?.alt : "";
  say(`${title || shown.querySelector("h1").textContent} ${shown.querySelector(".position")?.textContent ?? ""}`);
}

/** Shows the small picture of the card behind the large one, until that has loaded. */
function underlay(shown) {
  const [small, large] = [pictureOf(byId(`look-${shown.dataset.image}`)), pictureOf(shown)];
  if (!small?.naturalWidth || !large || large.complete) return;
  large.style.background = `url("${small.currentSrc}") center / contain no-repeat`;
  large.addEventListener("load", () => (large.style.background = ""), { once: true });
}

/** Lets the gallery load more cards when the one at its edge is shown. */
function loadCards(image) {
  const card = byId(`card-${image}`);
  const ahead = document.querySelector(".pager .ahead");
  if (ahead && card?.matches(".card:last-of-type")) htmx.trigger(ahead, "intersect");
  if (card?.matches(".card:first-of-type") && byId("newer")) htmx.trigger("#newer", "click");
}

onClick("#grid .look", (event, look) => {
  if (!isPlain(event)) return;
  event.preventDefault();
  open(look.href, look);
});

onClick("#lightbox :is(.neighbours, .versions) a", (event, link) => {
  if (!isPlain(event)) return;
  event.preventDefault();
  show(link.href);
});

/** Plays the selected images, or all from the first one that is loaded. */
function startSlideshow() {
  const ticked = all('#grid [name="image_id"]:checked').map((box) => box.closest(".card").querySelector(".look"));
  const [first] = ticked.length ? ticked : all("#grid .look");
  if (!first) return;
  chosen = ticked.length && !byId("everything")?.checked ? ticked.map((look) => look.href) : [];
  open(first.href, first).then(() => play(true));
}

onClick("#start-slideshow", startSlideshow);

onClick("#compare", (event, button) => {
  const ticked = all('#grid [name="image_id"]:checked');
  if (ticked.length !== 2) return; // of a selection with images that are not loaded
  event.preventDefault();
  const ids = ticked.map((box) => ["id", box.value]);
  open(`${button.formAction}?${new URLSearchParams([...ids, ["back", location.pathname + location.search]])}`);
});

on("htmx:beforeSwap", ({ detail }) => {
  if (detail.elt !== content) return;
  if (!lightbox.open) detail.shouldSwap = false;
  else if (detail.isError) lightbox.close(); // it would cover the error message
});
on("htmx:sendError", ({ detail }) => detail.elt === content && lightbox?.close());
on("htmx:afterSettle", ({ detail }) => {
  if (detail.target.id === "image") afterShow();
  else if (lightbox?.open) showTick(); // cards may have been loaded
});

lightbox?.addEventListener("close", () => {
  const { image } = byId("image")?.dataset ?? {};
  wanted = announced = null;
  play(false);
  ahead.clear();
  content.replaceChildren();
  if (document.fullscreenElement) document.exitFullscreen();
  if (history.state?.lightbox) history.back();
  document.dispatchEvent(new CustomEvent("lightbox-closed", { detail: { image } }));
});

addEventListener("popstate", ({ state }) => {
  if (!lightbox) return state?.card && location.reload(); // Back from the page of an image that began as a lightbox
  if (state?.lightbox) show(location.href);
  else lightbox.close();
});

// Loading ahead: the next and the previous image with their pictures. A change of any download makes them old.

const ahead = new Map(); // promises of elements, by URL

function loadAhead() {
  const urls = all("#lightbox .neighbours a").map((link) => link.href);
  for (const url of ahead.keys()) if (!urls.includes(url)) ahead.delete(url);
  for (const url of urls) if (!ahead.has(url)) ahead.set(url, fetchImage(url));
}

/** The main part of an image's page, with its picture loading. Null if that fails: then htmx asks again and reports it. */
async function fetchImage(url) {
  try {
    const response = await fetch(url, { headers: { "HX-Request": "true" } });
    if (!response.ok) return null;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    return document.adoptNode(page.getElementById("image"));
  } catch {
    return null;
  }
}

on("runs-changed", () => ahead.clear());
on("pointerdown", ({ target, isPrimary }) => {
  const look = isPrimary && target.closest("#grid .look");
  if (look) ahead.clear();
  if (look) ahead.set(look.href, fetchImage(look.href)); // a tenth of a second before the click
});

// Ticks: of the card in the gallery below

const boxOf = (image) => byId(`card-${image}`)?.querySelector('[name="image_id"]');
const shownBox = () => boxOf(byId("image")?.dataset.image);

function showTick() {
  const tick = byId("lightbox-tick");
  if (!tick) return;
  tick.disabled = !shownBox(); // the gallery has not loaded its card
  tick.checked = Boolean(shownBox()?.checked);
}

function toggleTick({ target }) {
  if (!lightbox?.open || target.closest("a, button, input, summary")) return false; // they use the space bar themselves
  press("lightbox-tick");
}

on("change", ({ target }) => target.id === "lightbox-tick" && shownBox()?.click());

// Changes: after hiding the next image is shown, after Undo the hidden one again, after other changes the same one

const hiddenUrls = new Map(); // URLs of images, by the time that identifies their hiding on the server
const isHide = (path) => path.endsWith("/selection/hide");

let nextUrl = null;

/** Shows another image, or this one again, in the lightbox or on the page of the image. The last call counts. */
function replace(url) {
  if (!byId("image") || (lightbox && !lightbox.open)) return;
  nextUrl = url;
  later(replaceNow, 0);
}

function replaceNow() {
  ahead.clear();
  if (lightbox) return show(nextUrl);
  return get(nextUrl, "#image", { select: "#image", swap: "outerHTML" });
}

// Hiding the only image that the filter shows closes the lightbox.
on("submit", (event) => {
  if (!lightbox?.open || !event.target.matches("[data-hides]:not([hx-post])")) return;
  event.preventDefault();
  event.stopPropagation();
  htmx.ajax("POST", event.target.action, { source: event.target, swap: "none" }).then(() => lightbox.close(), () => {});
}, true);

on("htmx:configRequest", ({ detail }) => {
  if (isHide(detail.path) && subject()?.contains(detail.elt)) detail.hiddenUrl = subject().dataset.url;
});

on("htmx:beforeSwap", ({ detail: { target, requestConfig } }) => {
  if (requestConfig.verb === "post" && target.id === "image") ahead.clear();
});

on("htmx:afterRequest", ({ detail: { requestConfig, xhr } }) => {
  const { path, hiddenUrl, formData } = requestConfig;
  if (xhr.status < 200 || xhr.status >= 300) return;
  if (isHide(path)) hiddenUrls.set(new URL(xhr.responseURL).searchParams.get("hid"), hiddenUrl);
  if (!path.endsWith("/selection/undo")) return;
  const undone = formData.getAll("hid").map((hid) => hiddenUrls.get(hid)).findLast(Boolean);
  replace(undone ?? byId("image")?.dataset.url);
});

on("files-changed", () => replace(byId("image")?.dataset.url));

// Slideshow. It pauses while the pointer moves over the picture, until it leaves, and where people ask for less motion.

const SLIDE_MILLISECONDS = 5000;
const lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
const MOTION_SENTENCE = "Paused: your system asks for less motion. Press s to play.";
let timer = null;
let pause = ""; // why the slideshow is paused
let chosen = []; // the URLs of what it plays; empty for all images

const isPlaying = () => byId("slideshow")?.ariaPressed === "true";

function play(plays) {
  if (plays === isPlaying()) return;
  byId("slideshow").ariaPressed = String(plays);
  lightbox.classList.toggle("bare", plays);
  say(plays ? "Slideshow" : "Slideshow ended");
  if (!plays) chosen = [];
  setPause(plays && lessMotion.matches ? MOTION_SENTENCE : "");
}

function setPause(reason) {
  pause = reason;
  byId("slideshow-pause").textContent = reason;
  schedule();
}

function schedule() {
  clearTimeout(timer);
  if (isPlaying() && !pause) timer = setTimeout(advance, SLIDE_MILLISECONDS);
}

function advance() {
  const at = chosen.findIndex((url) => new URL(url).pathname === location.pathname);
  const next = chosen.length ? chosen[at + 1] : byId("to-next")?.href;
  if (document.hidden || zoom() > 1 || document.querySelector(":popover-open, #dialog[open]")) schedule();
  else if (next) show(next);
  else play(false);
}

function toggleSlideshow() {
  if (!byId("image") || !lightbox?.open) return false;
  if (pause === MOTION_SENTENCE) setPause("");
  else play(!isPlaying());
}

onClick("#slideshow", toggleSlideshow);
lessMotion.addEventListener("change", () => isPlaying() && lessMotion.matches && setPause(MOTION_SENTENCE));

on("pointermove", ({ target, pointerType, movementX, movementY }) => {
  const isHovering = pointerType === "mouse" && target.closest(".lightbox .picture");
  if (!isPlaying() || pause === MOTION_SENTENCE || Boolean(isHovering) === Boolean(pause)) return;
  if (movementX || movementY) setPause(isHovering ? "Paused while the pointer is on the image." : "");
});

// Zoom: of one picture, or of two together

const ZOOMS = [1, 1.5, 2, 3, 4];
const stages = () => all(":is(#image, #comparison) .stage");
const zoom = () => Number(stages()[0]?.dataset.zoom ?? 1);
let leader = null; // the stage that is being scrolled; another one follows it

const isAt = (x, y) => (stage) => {
  const { left, right, top, bottom } = stage.getBoundingClientRect();
  return left <= x && x <= right && top <= y && y <= bottom;
};
const middleOf = ({ left, top, width, height }) => [left + width / 2, top + height / 2];

/** Keeps the point of the picture at `x`, `y` in place; without them, the middle of what is in view. */
function zoomTo(level, x, y) {
  leader = stages().find(isAt(x, y)) ?? leader ?? stages()[0];
  if (!leader?.isConnected) leader = stages()[0];
  if (!leader) return;
  const [atX, atY] = x === undefined ? middleOf(leader.getBoundingClientRect()) : [x, y];
  const picture = leader.querySelector(".picture");
  const was = picture.getBoundingClientRect();
  for (const stage of stages()) {
    stage.dataset.zoom = level;
    stage.style.setProperty("--zoom", level);
  }
  const is = picture.getBoundingClientRect();
  const [right, below] = [(atX - was.left) / was.width, (atY - was.top) / was.height];
  leader.scrollBy(is.left + right * is.width - atX, is.top + below * is.height - atY);
  leader.focus({ preventScroll: true });
  follow();
}

/** Shows the same part of the other picture. */
function follow() {
  const room = (stage) => [stage.scrollWidth - stage.clientWidth, stage.scrollHeight - stage.clientHeight];
  const [wide, tall] = room(leader);
  for (const stage of stages().filter((each) => each !== leader)) {
    const [otherWide, otherTall] = room(stage);
    stage.scrollTo((leader.scrollLeft / (wide || 1)) * otherWide, (leader.scrollTop / (tall || 1)) * otherTall);
  }
}

function zoomBy(steps) {
  const next = steps > 0 ? ZOOMS.find((level) => level > zoom()) : ZOOMS.findLast((level) => level < zoom());
  if (next) zoomTo(next);
}

const within = (level) => Math.min(ZOOMS.at(-1), Math.max(1, level));
const lead = ({ target }) => (leader = target.closest?.(".stage") ?? leader);

on("pointerover", lead);
on("focusin", lead);
on("scroll", ({ target }) => target === leader && follow(), { capture: true, passive: true });
onClick("[data-zooms]", (_, button) => {
  zoomBy(Number(button.dataset.zooms));
  button.focus({ preventScroll: true });
});

// Pointer and touch: drag, double tap, swipe while it is not zoomed, pinch

const SWIPE_PIXELS = 60;
const DOUBLE_TAP_MILLISECONDS = 350;
let down = null; // the event of a finger or mouse button that is held on the picture
let lastTap = -Infinity;
let pinch = null;

on("pointerdown", (event) => {
  if (event.isPrimary) down = event.target.closest(":is(#image, #comparison) .stage") ? event : null;
});

on("pointermove", ({ buttons, pointerType, movementX, movementY }) => {
  if (down && buttons && pointerType === "mouse" && zoom() > 1) leader.scrollBy(-movementX, -movementY);
});

on("pointerup", ({ clientX, clientY, pointerType, isPrimary }) => {
  if (!down || !isPrimary || pointerType === "mouse" || zoom() > 1 || visualViewport.scale > 1) return;
  const [right, below] = [clientX - down.clientX, Math.abs(clientY - down.clientY)];
  if (Math.abs(right) > Math.max(SWIPE_PIXELS, 2 * below)) press(right > 0 ? "to-previous" : "to-next");
});

on("dragstart", (event) => event.target.closest(".stage") && event.preventDefault());

onClick(":is(#image, #comparison) .stage .picture", (event) => {
  if (!event.detail || !isPlain(event)) return; // a key press has no position: it follows the link to the original
  event.preventDefault();
  const wasDragged = down && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) > 5;
  const isFirstTap = down?.pointerType === "touch" && event.timeStamp - lastTap > DOUBLE_TAP_MILLISECONDS;
  lastTap = isFirstTap ? event.timeStamp : -Infinity;
  if (!wasDragged && !isFirstTap) zoomTo(zoom() > 1 ? 1 : 2, event.clientX, event.clientY);
});

const spread = ([one, other]) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
const between = ([one, other]) => [(one.clientX + other.clientX) / 2, (one.clientY + other.clientY) / 2];

// Not on the document, where listeners that can prevent scrolling make all of it slower.
const touchable = lightbox ?? byId("main");
touchable.addEventListener("touchstart", (event) => {
  if (event.touches.length !== 2 || !event.target.closest(".stage")) return;
  event.preventDefault();
  down = null;
  pinch = { level: zoom(), spread: spread(event.touches) };
}, { passive: false });
touchable.addEventListener("touchmove", (event) => {
  if (!pinch || event.touches.length !== 2) return;
  event.preventDefault();
  zoomTo(within((pinch.level * spread(event.touches)) / pinch.spread), ...between(event.touches));
}, { passive: false });
for (const end of ["touchend", "touchcancel"]) touchable.addEventListener(end, () => (pinch = null));

// Two fingers on a touchpad arrive as a wheel with Ctrl.
touchable.addEventListener("wheel", (event) => {
  if (!event.ctrlKey || !event.target.closest(".stage")) return;
  event.preventDefault();
  zoomTo(within(zoom() * Math.exp(-event.deltaY / 100)), event.clientX, event.clientY);
}, { passive: false });

// Full screen

function toggleFullScreen() {
  if (document.fullscreenElement) return document.exitFullscreen();
  const view = lightbox?.open ? lightbox.querySelector(".view") : subject().querySelector(".viewport");
  view.requestFullscreen?.().catch(() => {});
}

onClick("[data-full-screen]", toggleFullScreen);

// Keys, while an image or a comparison is shown and nothing else is open above it

const KEYS = {
  ArrowLeft: () => zoom() === 1 && press("to-previous"), // the browser scrolls a zoomed picture
  ArrowRight: () => zoom() === 1 && press("to-next"),
  "+": () => zoomBy(1),
  "=": () => zoomBy(1),
  "-": () => zoomBy(-1),
  0: () => zoomTo(1),
  " ": toggleTick,
  d: () => press("get-file"),
  h: () => press(byId("hide") ? "hide" : "show-again"),
  Delete: () => press("delete"),
  f: () => press("favourite"),
  c: () => press("collect"),
  p: () => document.querySelector('[data-copies="prompt"]')?.click(),
  s: toggleSlideshow,
  F: toggleFullScreen,
  Escape: () => !lightbox && press("to-gallery"),
};

on("keydown", (event) => {
  const { key, target, defaultPrevented, isComposing, ctrlKey, metaKey, altKey } = event;
  const isElsewhere = !subject() || document.querySelector(":popover-open, #dialog[open]");
  if (defaultPrevented || isComposing || ctrlKey || metaKey || altKey || isTyping(target) || isElsewhere) return;
  if (KEYS[key] && KEYS[key](event) !== false) event.preventDefault();
});

lightbox?.addEventListener("cancel", (event) => {
  if (event.target !== lightbox || !isPlaying()) return;
  event.preventDefault(); // Escape ends the slideshow first
  play(false);
});

if (subject()) afterShow();
else if (lightbox && history.state?.lightbox) show(location.href); // Forward has led here, and this module has just arrived
