// The theme that was chosen here is remembered; a theme in the address comes first.
const THEME = "var-studio-theme";
const theme = element.querySelector("[data-part=theme]");

const isDark = () => document.body.classList.contains("dark");
const showTheme = () => theme.setAttribute("aria-pressed", String(isDark()));

theme.addEventListener("click", () => {
  document.body.classList.toggle("dark");
  window.varStudio.keep(THEME, isDark() ? "dark" : "light");
  showTheme();
});
if (window.varStudio.recall(THEME) && !new URLSearchParams(location.search).has("__theme")) {
  document.body.classList.toggle("dark", window.varStudio.recall(THEME) === "dark");
}
new MutationObserver(showTheme).observe(document.body, { attributeFilter: ["class"] });
showTheme();
