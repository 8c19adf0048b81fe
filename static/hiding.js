// Hiding images in the gallery: their cards leave at once, and Undo brings them back to their places. gallery.js loads this
// module with the first request that hides, and calls `begin` before and `end` after it.

import { all, byId, get, on } from "./dom.js";

const batches = new Map(); // what was hidden, by the time that identifies the action on the server

const isHide = (path) => path.endsWith("/selection/hide");

/** Takes the cards out that a request is about to hide. */
export function begin({ path, formData }) {
  if (!isHide(path) || formData.has("everything")) return [];
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

/** Keeps what was hidden, for Undo; brings it back if the request failed, or after Undo. */
export function end(batch, { requestConfig: { path, formData }, target, xhr }) {
  const isDone = xhr.status >= 200 && xhr.status < 300;
  if (!isHide(path)) return isDone && restore(formData.getAll("hid"));
  if (!isDone) return put(batch);
  const hid = new URL(xhr.responseURL).searchParams.get("hid");
  if (hid) batches.set(hid, batch);
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
  const parts = moments.flatMap((hid) => batches.get(hid) ?? []);
  const isKnown = parts.length && moments.every((hid) => batches.has(hid)) && parts.every(({ place }) => place.isConnected);
  moments.forEach((hid) => batches.delete(hid));
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
