element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.restore) {
    trigger("restore", { place: Number(button.dataset.restore) });
  } else if (button?.dataset.delete) {
    trigger("forget", { place: Number(button.dataset.delete) });
  }
});
