// Pages in a dialog over the current page. app.js loads this module when a link or button with `data-dialog` is pressed
// for the first time. The attribute is the class of the dialog: `dialog` (in the middle) or `sheet` (at the side, from
// below on a phone). The page marks what is shown with `data-dialog-part`. Anything in it with `data-dialog-close`
// closes the dialog, and so does the event `dialog-close`, which a response can send with HX-Trigger. `data-script` of the
// part is the URL of a module whose `begin` is called with the dialog and the part.

import { byId, on, onClick } from "./dom.js";

const MARKUP = `<div class="part"></div>
  <button type="button" class="button close" data-dialog-close aria-label="Close" title="Close (Esc)">
    <svg class="icon" aria-hidden="true" focusable="false"><use href="#icon-cancel"/></svg></button>`;
// What has to be seen and heard while the dialog is open. The rest of the page does not react meanwhile.
const LIVE = ["problem", "announcement"];

const dialog = document.body.appendChild(Object.assign(document.createElement("dialog"), { id: "dialog", innerHTML: MARKUP }));
const content = dialog.querySelector(".part");
let opener = null; // has the focus again afterwards
let loading = new AbortController();
let pressedOn = null;

/** Opens the page of a link, or the response to the form of a submit button. */
export async function open(element) {
  loading.abort();
  loading = new AbortController();
  element.ariaBusy = "true";
  try {
    const response = await fetch(...requestOf(element, loading.signal));
    show(element, response, await response.text());
  } catch ({ name }) {
    if (name !== "AbortError") htmx.trigger(document.body, "htmx:sendError", { elt: element }); // app.js reports it
  } finally {
    element.ariaBusy = null;
  }
}

function requestOf(element, signal) {
  const options = { headers: { "HX-Request": "true" }, signal };
  const { form } = element;
  if (!form) return [element.href, options];
  const action = element.getAttribute("formaction") ?? form.getAttribute("action");
  const fields = new URLSearchParams(new FormData(form, element));
  const isPost = (element.getAttribute("formmethod") ?? form.method) === "post";
  return isPost ? [action, { ...options, method: "POST", body: fields }] : [`${action}?${fields}`, options];
}

function show(element, response, text) {
  const { headers, ok, redirected, url } = response;
  if (headers.has("HX-Refresh")) return location.reload();
  const part = new DOMParser().parseFromString(text, "text/html").querySelector("[data-dialog-part]");
  if (part) showPart(element, document.adoptNode(part));
  else if (!ok) byId("problem").innerHTML = text;
  else if (redirected || !element.form) location.assign(url);
  else pressAgain(element);
}

function showPart(element, part) {
  if (!dialog.contains(element)) opener = element;
  content.replaceChildren(part);
  dialog.className = element.dataset.dialog;
  if (!dialog.open) {
    dialog.append(...LIVE.map(byId));
    dialog.showModal();
  }
  htmx.process(part);
  takeFocus();
  if (part.dataset.script) import(part.dataset.script).then(({ begin }) => begin(dialog, part));
}

/** Without a part for the dialog: does what the button does on a page without this module. */
function pressAgain(element) {
  const kind = element.dataset.dialog;
  element.dataset.dialog = "page";
  element.click();
  element.dataset.dialog = kind;
}

/** Moves the focus to the field that asks for it, otherwise to the heading, which also names the dialog. */
function takeFocus() {
  const heading = content.querySelector("h1, h2");
  if (heading) {
    heading.id ||= "dialog-title";
    heading.tabIndex = -1;
    dialog.setAttribute("aria-labelledby", heading.id);
  }
  (content.querySelector("[autofocus]") ?? heading ?? dialog).focus();
}

dialog.addEventListener("close", () => {
  content.replaceChildren(); // its panels would go on refreshing
  document.body.prepend(...LIVE.map(byId));
  if (dialog.contains(byId("keys"))) document.body.append(byId("keys"));
  const place = opener?.isConnected ? opener : byId(opener?.id); // it may have been replaced meanwhile
  (place ?? byId("main")).focus({ preventScroll: true });
});

// The backdrop is part of the dialog. A drag that ends there does not close it: text may have been selected.
dialog.addEventListener("pointerdown", ({ target }) => (pressedOn = target));
dialog.addEventListener("click", ({ target }) => target === dialog && pressedOn === dialog && dialog.close());

onClick("#dialog [data-dialog-close]", (event) => {
  event.preventDefault();
  dialog.close();
});
on("dialog-close", () => dialog.close());

// A part that was replaced may have had the focus.
on("htmx:afterSettle", () => dialog.open && !dialog.contains(document.activeElement) && takeFocus());
