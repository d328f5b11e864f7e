// Examples: a click draws the very picture; on the first visit one of them forms by itself.
const VISITED = "var-studio-visited";
const { dataset } = document.documentElement;
const buttons = [...element.querySelectorAll("[data-example]")];

element.addEventListener("click", (event) => {
  const query = event.target.closest("[data-example]")?.dataset.example;
  if (query) window.varStudio.stage.open(new URLSearchParams(query));
});

if (!window.varStudio.recall(VISITED)) dataset.firstVisit = ""; // the stage keeps its place free

/** Draw an example where nobody has drawn anything yet, once. */
const welcome = async () => {
  const isNew = !window.varStudio.recall(VISITED) && !(await window.varStudio.hasDrawn());
  // where the browser keeps nothing, every visit would be the first one
  if (isNew && window.varStudio.keep(VISITED, "yes")) window.varStudio.stage.demo(Math.floor(Math.random() * buttons.length));
  else delete dataset.firstVisit;
};
window.varStudio = { ...window.varStudio, welcome };
