// Hiding images in the gallery, and taking them out of the collection that is shown: their cards leave at once, and Undo
// brings them back to their places. gallery.js loads this module with the first such request, and calls `begin` before and
// `end` after it.

import { all, byId, get, on } from "./dom.js";

const batches = new Map(); // what has left, by the time that identifies the action on the server

const isLeave = (path) => /\/(hide|uncollect)$/.test(path);
const MOMENTS = ["hid", "uncollected"];

/** Takes the cards out that a request is about to hide. */
export function begin({ path, formData }) {
  if (!isLeave(path) || formData.has("everything")) return [];
  const { activeElement, body } = document;
  const hadFocus = activeElement === body || activeElement?.closest("#selection"); // not the lightbox
  const cards = formData.getAll("image_id").map((id) => byId(`card-${id}`)).filter(Boolean);
  const next = hadFocus && nextTo(cards);
  const batch = cards.map((card) => {
    const place = new Comment();
    const box = card.querySelector('[name="image_id"]');
    if (box) box.checked = false;
    card.replaceWith(place);
    return { card, place };
  });
  selectionChanged();
  next?.focus({ preventScroll: true });
  return batch;
}

/** The first image after some cards that are about to leave, otherwise the last before them. */
function nextTo(cards) {
  const leaving = new Set(cards);
  const [from] = cards;
  const rest = all("#cards .card").filter((card) => !leaving.has(card));
  const after = rest.find((card) => from?.compareDocumentPosition(card) & Node.DOCUMENT_POSITION_FOLLOWING);
  return (after ?? rest.at(-1))?.querySelector(".look");
}

/** Keeps what has left, for Undo; brings it back if the request failed, or after Undo. */
export function end(batch, { requestConfig: { path, formData }, target, xhr }) {
  const isDone = xhr.status >= 200 && xhr.status < 300;
  if (!isLeave(path)) return isDone && restore(MOMENTS.flatMap((name) => formData.getAll(name)));
  if (!isDone) return put(batch);
  const outcome = new URL(xhr.responseURL).searchParams;
  const moment = MOMENTS.map((name) => outcome.get(name)).find(Boolean);
  if (moment) batches.set(moment, batch);
  if (target.id === "image") htmx.trigger(document.body, "images-changed"); // the response was the next image
  if (formData.has("everything")) unselectEverything();
  if (formData.has("everything") || !document.querySelector("#cards .card")) reloadGrid();
}

function put(batch) {
  batch.forEach(({ card, place }) => place.replaceWith(card));
  selectionChanged();
}

/** Brings cards back to their places. If the grid has been replaced meanwhile, it is loaded again. */
function restore(moments) {
  if (!moments.length) return; // what was added is taken out again
  const parts = moments.flatMap((moment) => batches.get(moment) ?? []);
  const isKnown = parts.length && moments.every((moment) => batches.has(moment)) && parts.every(({ place }) => place.isConnected);
  moments.forEach((moment) => batches.delete(moment));
  if (isKnown) put(parts);
  else reloadGrid();
}

function unselectEverything() {
  byId("everything").checked = false;
  selectionChanged();
}

/** gallery.js counts what is selected after each change of a box. */
const selectionChanged = () => document.dispatchEvent(new Event("change"));

/** From its first image on, because the one that it began with may have been hidden. */
function reloadGrid() {
  if (!byId("grid")) return;
  const parameters = new URLSearchParams(new URL(byId("grid").dataset.cardsUrl, location).search);
  const url = `${document.documentElement.dataset.prefix}/grid?${parameters}`;
  get(url, "#grid", { swap: "outerHTML" });
}

on("lightbox-closed", () => document.querySelector("#cards .card") || reloadGrid());
