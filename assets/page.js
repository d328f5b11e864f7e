// runs when the page has been built
const find = (id) => document.querySelector(`#${id}`);
const OPENED = "[role=listbox]:not([hidden]), :popover-open"; // which Escape closes
const press = (id) => find(id)?.click();

// the tabs that draw by buttons of their own: one that draws, one that stops, and what shows them
const KEYS = [["redraw-mask", "edit-stop", "painter"], ["compare-draw", "compare-stop", "sheet"]];
const buttons = () => KEYS.find(([, , shown]) => find(shown)?.offsetParent) ?? ["generate", "stop"];

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    document.activeElement?.blur(); // so that a text box takes over what was typed
    setTimeout(window.varStudio.draw);
  } else if (event.key === "Escape" && !document.querySelector(OPENED)) {
    press(buttons()[1]);
  }
});

// a word that is not known draws nothing: the box says so, and what is nearest. The window hears of
// the click before the document, where drawings are counted
window.addEventListener(
  "click",
  (event) => {
    const box = event.target.closest("#generate") && document.querySelector("#wish input");
    if (!box?.value.trim()) return;
    event.stopImmediatePropagation();
    box.focus();
    window.varStudio.leaveWish();
  },
  true,
);

// Draw shows what forms
document.addEventListener("click", (event) => {
  if (event.target.closest("#generate") && !find("stage")?.offsetParent) window.varStudio.openTab();
});

// a click into a list's box is the start of a search: typing replaces what is there
document.addEventListener("focusin", (event) => {
  const box = event.target;
  if (!box.matches("input[role=combobox]")) return;
  box.select();
  const again = (up) => {
    up.preventDefault(); // which would set the cursor and end the selection
    box.select();
  };
  box.addEventListener("mouseup", again, { once: true });
  box.addEventListener("blur", () => box.removeEventListener("mouseup", again), { once: true });
});

// a PNG that is dropped beside the upload areas restores its settings
const isOurs = (event) =>
  event.dataTransfer?.types.includes("Files") &&
  !document.querySelector("#inside-row")?.offsetParent && // there it is looked into
  !event.target.closest("#painter");
document.addEventListener("dragover", (event) => {
  if (isOurs(event)) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!isOurs(event) || !event.dataTransfer.files.length) return;
  event.preventDefault();
  const input = document.querySelector("#exchange input[type=file]");
  input.files = event.dataTransfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
});

// gradio labels its empty pictures without a role that may have a label
const nameEmpty = () =>
  document
    .querySelectorAll("[aria-label='Empty value']:not([role])")
    .forEach((empty) => empty.setAttribute("role", "img"));
nameEmpty();
new MutationObserver(nameEmpty).observe(document.body, { childList: true, subtree: true });

// screen readers read the sentence only, not the seconds that gradio counts beside it
const status = document.querySelector("#status .html-container");
status?.setAttribute("role", "status");
status?.setAttribute("aria-live", "polite");

Object.assign(window.varStudio, {
  /** The files that are pasted; none where words go into a field, as a table brings its picture too. */
  pasted({ target, clipboardData }) {
    const isTyped = target.closest?.("input, textarea") && clipboardData.getData("text/plain");
    return isTyped ? [] : clipboardData.files;
  },
  /** Press the button that draws in the tab that is in view. */
  draw() {
    press(buttons()[0]);
  },
  /** Begin with what the page's own address asks for; where that cannot be read, a sentence says so. */
  opened(link) {
    if (!link) window.varStudio.welcome?.();
    else if (link === "draw") window.varStudio.followAddress();
    else delete document.documentElement.dataset.firstVisit; // nothing will form by itself
    if (link === "show") window.varStudio.openTab(new URLSearchParams(location.search).get("tab"));
  },
  save() {
    press("download");
  },
});
