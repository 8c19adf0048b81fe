// A ZIP in a dialog: saved once it is ready. If the dialog is closed before, a toast says when it is. dialogs.js loads this.

import { all, on } from "./dom.js";

const saved = new Set(); // URLs
let toastUrl = ""; // of the ZIP that is being prepared in the open dialog

export function begin(dialog, part) {
  if (!begin.isReady) dialog.addEventListener("close", follow);
  begin.isReady = true;
  toastUrl = part.querySelector(".export").dataset.toast;
  if (part.isConnected) look();
  else follow(); // it was closed before this module arrived
}

/** Saves the ZIP of the dialog if it is ready. */
function look() {
  const [section] = all("#dialog .export[data-toast]");
  if (!section) return;
  toastUrl = section.dataset.toast;
  const link = section.querySelector("[data-saves]");
  if (!link || saved.has(link.href)) return;
  saved.add(link.href);
  link.click();
}

on("htmx:afterSettle", look);
on("dialog-close", () => (toastUrl = "")); // it was cancelled

/** Asks for the toast, until the response replaces the element that asks. */
function follow() {
  if (!toastUrl) return;
  const follower = Object.assign(document.createElement("div"), { hidden: true });
  const attributes = { get: toastUrl, trigger: "every 1s", swap: "outerHTML" };
  for (const [name, value] of Object.entries(attributes)) follower.setAttribute(`hx-${name}`, value);
  toastUrl = "";
  document.body.append(follower);
  htmx.process(follower);
}
