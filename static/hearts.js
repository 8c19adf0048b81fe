// The hearts of cards. gallery.js loads this module with the first heart, or the first selection that is marked, and calls
// `toggle` when a heart is pressed and `follow` when the request has ended.

import { all } from "./dom.js";

export const toggle = (heart) => (heart.ariaPressed = String(heart.ariaPressed !== "true"));

/** Shows what a request has marked or unmarked. A heart whose request failed goes back. */
export function follow({ requestConfig: { path, formData }, xhr: { status, responseURL } }) {
  const isDone = status >= 200 && status < 300;
  const isOne = formData.has("only");
  if (!isDone && !isOne) return; // nothing has changed
  // A selection in which all were favourites already is unmarked: the outcome says so.
  const isUnmarked = path.endsWith("/unfavourite") || responseURL.includes("unfavoured=");
  const isMarked = isDone !== isUnmarked;
  const isAll = formData.has("everything") && !isOne;
  const ids = formData.getAll(isAll ? "except" : isOne ? "only" : "image_id");
  for (const heart of all("#cards button.heart").filter(({ value }) => ids.includes(value) !== isAll)) {
    heart.ariaPressed = heart.dataset.version = String(isMarked);
    heart.setAttribute("formaction", heart.getAttribute("formaction").replace(/\w+$/, isMarked ? "unfavourite" : "favourite"));
  }
}
