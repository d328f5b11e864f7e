// Examples: a click draws the very picture; on the first visit one of them forms by itself.
const VISITED = "var-studio-visited";
const buttons = [...element.querySelectorAll("[data-example]")];

element.addEventListener("click", (event) => {
  const query = event.target.closest("[data-example]")?.dataset.example;
  if (query) window.varStudio.stage.open(new URLSearchParams(query));
});

/** Draw an example where nobody has drawn anything yet, once. */
const welcome = async () => {
  try {
    if (localStorage.getItem(VISITED) || (await window.varStudio.hasDrawn())) return;
    localStorage.setItem(VISITED, "yes");
  } catch {
    return; // the browser keeps nothing, so that every visit would be the first one
  }
  window.varStudio.stage.demo(Math.floor(Math.random() * buttons.length));
};
window.varStudio = { ...window.varStudio, welcome };
