// One drawing of a tab after the other: what is asked meanwhile waits, and nothing is dropped.
const RUNS = [
  {
    status: "status",
    buttons:
      "#generate, #stage [data-draws], #draw-on, #history [data-restore], #examples [data-example]",
    swapped: ["#generate", "#stop", "drawing"],
  },
  {
    status: "compare-status",
    buttons: "#compare-draw",
    swapped: ["#compare-draw", "#compare-stop", "comparing"],
  },
  {
    status: "edit-status",
    buttons: "#redraw-mask, #try-again, #outpaint, #vary",
    swapped: ["#redraw-mask", "#edit-stop", "redrawing"],
  },
  {
    status: "clip-status",
    buttons: "#clip-draw",
    swapped: ["#clip-draw", "#clip-stop", "animating"],
  },
];
const STARTING = 3000; // milliseconds until a click that starts nothing is forgotten

/** How to find a button again after the page has been drawn anew. */
const nameOf = (button) => {
  const { restore, draws } = button.dataset;
  if (restore) return `#history [data-restore="${restore}"]`;
  return draws ? `#stage [data-draws="${draws}"]` : `#${button.id}`;
};

/** Draw and Stop are one button: the focus goes from one to the other. */
const showStop = ([draw, stop, mark], isDrawing) => {
  const isHeld = document.activeElement?.closest(`${draw}, ${stop}`);
  document.body.classList.toggle(mark, isDrawing);
  if (isHeld) document.querySelector(isDrawing ? stop : draw)?.focus();
};

/** Whether a call is the last one that gradio makes for a stop. */
const isReset = ({ name }) => name.endsWith("/gradio_api/reset");

const watchRuns = ({ status, buttons, swapped }) => {
  const waiting = []; // names of buttons
  let link = null; // opens what the address names
  let running = "";
  let wasBusy = false;
  let isStopping = false; // until gradio has told the server, it drops every click
  let timer = 0;
  const isBusy = () => {
    const tracker = document.querySelector(`#${status} [data-testid=status-tracker]`);
    return Boolean(tracker) && !tracker.matches(".hide") && !tracker.querySelector(".error");
  };
  const tell = () => {
    if (swapped) showStop(swapped, !isStopping && (Boolean(running) || isBusy()));
  };
  const next = () => {
    clearTimeout(timer);
    running = "";
    wasBusy = false;
    isStopping = false;
    document.dispatchEvent(new CustomEvent("var-idle", { detail: status }));
    const open = link;
    link = null;
    const name = open ? "" : waiting.shift();
    if (name) setTimeout(() => press(name));
    open?.();
    tell();
  };
  /** Press a button that waited; it is looked for now, as what it stands in may just have been built anew. */
  const press = (name) => {
    const button = document.querySelector(name);
    if (button) button.click();
    else next();
  };
  const follow = () => {
    if (isStopping) return;
    if (isBusy()) {
      wasBusy = true;
      clearTimeout(timer);
    } else if (wasBusy) {
      next(); // also after what no button has begun, as a link
    }
    tell();
  };
  const asked = (event) => {
    const button = event.target.closest(buttons);
    if (!button) return;
    const name = nameOf(button);
    if (!running && !isStopping && !isBusy()) {
      running = name;
      timer = setTimeout(next, STARTING);
      tell();
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    const isDouble = isStopping ? event.detail > 1 : name === running;
    if (isDouble || waiting.includes(name)) return; // a double click is one drawing
    waiting.push(name);
    button.closest("figure")?.setAttribute("aria-busy", "true");
    window.varStudio.notify("It waits until this drawing is done; Stop forgets it");
  };
  document.addEventListener("click", asked, true);
  document.addEventListener(
    "click",
    (event) => {
      if (!event.target.closest("#stop, #compare-stop, #edit-stop, #clip-stop")) return;
      if (event.detail > 1) return event.stopImmediatePropagation(); // a double click on Draw
      waiting.length = 0;
      isStopping ||= isBusy();
      tell();
    },
    true,
  );
  new PerformanceObserver((calls) => {
    if (isStopping && calls.getEntries().some(isReset)) next();
  }).observe({ type: "resource" });
  const all = { attributes: true, attributeFilter: ["class"], childList: true, subtree: true };
  new MutationObserver(follow).observe(document.body, all); // a tab is built when it is opened
  return {
    /** Open a link once nothing is drawn: what is asked for by steps back and forth is the last of them. */
    openLink(open) {
      if (wasBusy || isStopping || isBusy()) link = open;
      else open();
    },
    forgetLink() {
      link = null;
    },
    get hasLink() {
      return Boolean(link);
    },
  };
};

const runs = Object.fromEntries(RUNS.map((one) => [one.status, watchRuns(one)]));
window.varStudio = { ...window.varStudio, runs };
