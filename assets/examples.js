// Examples: a click draws the very picture; on the first visit one of them forms by itself.
const VISITED = "var-studio-visited";
const { dataset } = document.documentElement;
const buttons = [...element.querySelectorAll("[data-example]")];

element.addEventListener("click", (event) => {
  const query = event.target.closest("[data-example]")?.dataset.example;
  if (query) window.varStudio.stage.open(new URLSearchParams(query));
});

try {
  if (!localStorage.getItem(VISITED)) dataset.firstVisit = ""; // the stage keeps its place free
} catch {
  // nothing is kept, and nothing forms by itself
}

/** Draw an example where nobody has drawn anything yet, once. */
const welcome = async () => {
  let isFirst = false;
  try {
    isFirst = !localStorage.getItem(VISITED) && !(await window.varStudio.hasDrawn());
    if (isFirst) localStorage.setItem(VISITED, "yes");
  } catch {
    isFirst = false; // the browser keeps nothing, so that every visit would be the first one
  }
  if (isFirst) window.varStudio.stage.demo(Math.floor(Math.random() * buttons.length));
  else delete dataset.firstVisit;
};
window.varStudio = { ...window.varStudio, welcome };
