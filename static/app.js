// Makes every page more convenient; they work without it. Parts: panels, copying, keys, messages, errors.

import { all, announce, byId, isPlain, isTyping, later, on, onClick, pollNow } from "./dom.js";

// The URL of the page that asks to confirm a sign-in link contains the code. It must not stay in the address bar.
const confirming = document.querySelector("form[data-hides-query]");
if (confirming) history.replaceState(null, "", confirming.action);

// The server shows dates in the zone of this cookie. A page that shows others is loaded once more if the cookie was kept,
// but not the response to a form.
const zone = `zone=${Intl.DateTimeFormat().resolvedOptions().timeZone}`;
const { prefix, fresh } = document.documentElement.dataset;
const hasZone = () => document.cookie.split("; ").includes(zone);
const isElsewhere = ({ title }) => {
  const [, day, time, sign, hours, minutes] = title.match(/(\S+) (\S+) UTC([+-]?)(\d*):?(\d*)/); // 2026-11-03 14:05 UTC+5:30
  return -new Date(`${day}T${time}`).getTimezoneOffset() !== `${sign}1` * (hours * 60 + +minutes);
};
if (!hasZone()) {
  document.cookie = `${zone};path=${prefix}/;max-age=31536000;samesite=lax`;
  if (hasZone() && fresh === "" && all('[title*=" UTC"]').some(isElsewhere)) location.reload();
}

// Panels: what a swap must not destroy. The gallery hears of each change by the event `panel-changed`.

on("htmx:beforeSwap", ({ detail }) => {
  const { target, requestConfig } = detail;
  const isRefresh = requestConfig.verb === "get";
  if (!target.isConnected) detail.shouldSwap = false; // its surroundings have been replaced meanwhile
  if (target.id === "problem" && isRefresh) target.dataset.temporary = "";
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
});

function afterPanel(panel, was, isCommand) {
  if (was.hadFocus && !panel.contains(document.activeElement)) panel.focus({ preventScroll: true });
  const [wasActive, isActive] = [was, panel.dataset].map((data) => "active" in data);
  if (wasActive !== isActive) pollNow();
  if (wasActive && !isActive) announce(panel);
  document.dispatchEvent(new CustomEvent("panel-changed", { detail: { panel, was, isCommand, wasActive, isActive } }));
}

// Ignores the second click of a double click: it would hit the button that has replaced the first one.
onClick(".panel button", (event) => event.detail > 1 && event.preventDefault());

// Dialogs: links and buttons with `data-dialog` open their page in one; `page` there means that they must not.

const openDialog = (opener) => import("./dialogs.js").then((dialogs) => dialogs.open(opener));
const opensDialog = (element) => (element?.dataset.dialog ?? "page") !== "page";

onClick("a[data-dialog]", (event, link) => {
  if (!isPlain(event) || !opensDialog(link)) return;
  event.preventDefault();
  openDialog(link);
});

// Before htmx or anything else sees it. Without a part for a dialog the browser itself submits the form.
on("submit", (event) => {
  const { submitter } = event;
  if (!submitter?.matches("[data-dialog]")) return;
  event.stopPropagation();
  if (!opensDialog(submitter)) return;
  event.preventDefault();
  openDialog(submitter);
}, true);

// Copying

onClick("[data-copies]", (_, button) => {
  getSelection().selectAllChildren(byId(button.dataset.copies));
  const label = button.querySelector("span");
  label.textContent = document.execCommand("copy") ? "Copied" : "Not allowed";
  setTimeout(() => (label.textContent = "Copy"), 2000);
});

// Keys of every page, except while somebody types

/** Lists the keys, also in the lightbox or a dialog: what is outside of it does not react while it is open. */
function showKeys() {
  (document.querySelector("#lightbox[open] .view, #dialog[open]") ?? document.body).append(byId("keys"));
  byId("keys").showPopover();
}

onClick("[data-keys]", (event) => {
  event.preventDefault(); // a link to the same list
  showKeys();
});
on("lightbox-closed", () => byId("lightbox").contains(byId("keys")) && document.body.append(byId("keys")));

const KEYS = { "/": () => byId("q")?.focus(), "?": showKeys };

on("keydown", (event) => {
  const { key, target, ctrlKey, metaKey, altKey } = event;
  const isElsewhere = event.defaultPrevented || event.isComposing || isTyping(target) || document.querySelector(":popover-open");
  if (isElsewhere || ctrlKey || metaKey || altKey || (document.querySelector("dialog[open]") && key !== "?")) return;
  if (!KEYS[key]) return;
  event.preventDefault();
  KEYS[key]();
});

// Messages: each is shown once in this browser, in one of its pages. The pages share the id of the last one shown. Another
// Flowshelf may be served under the same host name with another prefix.

const LAST_SHOWN = `flowshelf-last-message${document.documentElement.dataset.prefix}`;
on("messages-shown", ({ detail }) => (localStorage[LAST_SHOWN] = detail.newest));
on("htmx:configRequest", ({ detail }) => {
  if (detail.elt.id === "messenger" && localStorage[LAST_SHOWN]) detail.formData.set("since", localStorage[LAST_SHOWN]);
});
onClick(".problem .dismiss", (_, button) => button.closest(".problem").remove());
on("htmx:oobAfterSwap", ({ detail: { target } }) => {
  if (target.id === "toasts") import("./toasts.js").then(({ arrange }) => arrange());
});

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
  if (isCommand && status >= 400) pollNow(); // it may have done a part
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
