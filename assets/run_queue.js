// One drawing of a tab after the other: what is asked meanwhile waits, and nothing is dropped.
const DRAWS = {
  status: "#generate, #styles, #sweep, #redraw, #history [data-restore], #history [data-delete]",
  "edit-status": "#redraw-mask, #outpaint, #vary",
};
const STARTING = 3000; // milliseconds until a click that starts nothing is forgotten

/** How to find a button again after the page has been drawn anew. */
const nameOf = (button) => {
  const { restore, delete: gone } = button.dataset;
  if (restore) return `#history [data-restore="${restore}"]`;
  return gone ? `#history [data-delete="${gone}"]` : `#${button.id}`;
};

/** Draw and Stop are one button: the focus goes from one to the other. */
const showStop = (isDrawing) => {
  const isHeld = document.activeElement?.closest("#generate, #stop");
  document.body.classList.toggle("drawing", isDrawing);
  if (isHeld) document.querySelector(isDrawing ? "#stop" : "#generate")?.focus();
};

const watchRuns = (status, buttons) => {
  const waiting = [];
  let running = "";
  let wasBusy = false;
  let timer = 0;
  const isBusy = () => {
    const tracker = document.querySelector(`#${status} [data-testid=status-tracker]`);
    return Boolean(tracker) && !tracker.matches(".hide") && !tracker.querySelector(".error");
  };
  const tell = () => {
    if (status === "status") showStop(Boolean(running) || isBusy());
  };
  const next = () => {
    clearTimeout(timer);
    running = "";
    wasBusy = false;
    const button = document.querySelector(waiting.shift() ?? "#none");
    if (button) setTimeout(() => button.click());
    else if (waiting.length) next();
    tell();
  };
  const follow = () => {
    if (isBusy()) {
      wasBusy = true;
      clearTimeout(timer);
    } else if (running && wasBusy) {
      next();
    }
    tell();
  };
  const asked = (event) => {
    const button = event.target.closest(buttons);
    if (!button) return;
    const name = nameOf(button);
    if (!running && !isBusy()) {
      if (button.dataset.delete) return;
      running = name;
      timer = setTimeout(next, STARTING);
      tell();
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    if (name === running || waiting.includes(name)) return; // a double click is one drawing
    waiting.push(name);
    button.closest("figure")?.setAttribute("aria-busy", "true");
    window.varStudio.notify("It waits until this drawing is done; Stop forgets it");
  };
  document.addEventListener("click", asked, true);
  document.addEventListener(
    "click",
    (event) => {
      if (!event.target.closest("#stop, #edit-stop")) return;
      if (event.detail > 1) event.stopImmediatePropagation(); // a double click on Draw
      else waiting.length = 0;
    },
    true,
  );
  const all = { attributes: true, attributeFilter: ["class"], childList: true, subtree: true };
  new MutationObserver(follow).observe(document.querySelector(`#${status}`), all);
};

for (const [status, buttons] of Object.entries(DRAWS)) {
  if (document.querySelector(`#${status}`)) watchRuns(status, buttons);
}
