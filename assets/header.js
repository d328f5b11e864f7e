// The theme that was chosen here is remembered; a theme in the address comes first.
const THEME = "var-studio-theme";
const theme = element.querySelector("[data-part=theme]");

const remembered = () => {
  try {
    return localStorage.getItem(THEME);
  } catch {
    return null; // the browser keeps nothing
  }
};
const remember = (name) => {
  try {
    localStorage.setItem(THEME, name);
  } catch {
    // the browser keeps nothing
  }
};
const isDark = () => document.body.classList.contains("dark");
const showTheme = () => theme.setAttribute("aria-pressed", String(isDark()));

theme.addEventListener("click", () => {
  document.body.classList.toggle("dark");
  remember(isDark() ? "dark" : "light");
  showTheme();
});
if (remembered() && !new URLSearchParams(location.search).has("__theme")) {
  document.body.classList.toggle("dark", remembered() === "dark");
}
new MutationObserver(showTheme).observe(document.body, { attributeFilter: ["class"] });
showTheme();
