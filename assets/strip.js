element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-scale]");
  if (button) trigger("pick", { scale: Number(button.dataset.scale) });
});
