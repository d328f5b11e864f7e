element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.restore) {
    trigger("restore", { number: Number(button.dataset.restore) });
  } else if (button?.dataset.delete) {
    trigger("forget", { number: Number(button.dataset.delete) });
  }
});
