// What gradio says in boxes over the page stands in the status line of the tab that is in view.
const STATUSES = ["status", "edit-status", "compare-status", "report", "clip-status"];
let pressed = null; // the last button: a clip has a status of its own beside that of the stage
const statusInView = () =>
  pressed?.closest("#clip-column")?.querySelector("#clip-status") ??
  STATUSES.map((id) => document.querySelector(`#${id}`)).find((line) => line?.offsetParent) ??
  document.querySelector("#ask"); // a tab may have no status

const withdraw = () => {
  document.querySelectorAll(".notice").forEach((notice) => notice.remove());
};

/** Say something instead of the status, until the next status or the next click. */
const notify = (words) => {
  const line = statusInView();
  if (!line || !words) return;
  const notice = line.querySelector(".notice") ?? document.createElement("p");
  const said = notice.dataset.said ?? ""; // in English
  if (said.includes(words)) return;
  notice.className = "notice";
  notice.setAttribute("role", "alert");
  notice.dataset.said = said ? `${said}. ${words}` : words;
  notice.textContent = notice.dataset.said;
  line.append(notice);
  line.scrollIntoView({ block: "nearest" }); // an open drawer may have pushed it out of view
};

const takeToasts = () => {
  document.querySelectorAll("[data-testid=toast-body]").forEach((toast) => {
    const messages = [...toast.querySelectorAll("[data-testid=toast-text]:not([data-taken])")];
    messages.forEach((message) => {
      message.dataset.taken = "true";
      notify(message.textContent.trim());
    });
    if (messages.length) toast.querySelector("[data-testid=toast-close]")?.click();
  });
};

document.body.classList.add("says-in-status"); // hides the boxes
new MutationObserver(takeToasts).observe(document.body, { childList: true, subtree: true });
// a tab is built when it is opened, so the whole page is watched for its new statuses
const isStatus = ({ target }) => {
  const place = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
  const words = place?.closest(".html-container");
  return Boolean(words) && STATUSES.includes(words.closest("[id]")?.id);
};
new MutationObserver((changes) => changes.some(isStatus) && withdraw()).observe(document.body, {
  childList: true,
  characterData: true,
  subtree: true,
});
document.addEventListener(
  "click",
  (event) => {
    const button = event.target.closest("button");
    pressed = button ?? pressed;
    if (button && !button.closest(".toast-wrap")) withdraw();
  },
  true,
);
window.varStudio = { ...window.varStudio, notify };
