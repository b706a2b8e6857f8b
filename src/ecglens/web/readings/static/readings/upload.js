"use strict";
for (const form of document.querySelectorAll("form.upload")) {
  const drop = form.querySelector(".drop");
  const input = form.querySelector("input[type=file]");
  const problem = form.querySelector(".problem");
  const button = form.querySelector("button");
  const label = button.textContent;
  const limit = Number(form.dataset.limitMb);

  const tooLarge = () => {
    const file = input.files[0];
    const large = Boolean(file) && file.size > limit * 1024 ** 2;
    problem.hidden = !large;
    problem.textContent = large ? `The file is larger than ${limit} MB; choose a smaller one.` : "";
    return large;
  };

  input.addEventListener("change", tooLarge);
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    drop.addEventListener(name, () => drop.classList.remove("over"));
  }
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
      tooLarge();
    }
  });
  form.addEventListener("submit", (event) => {
    if (tooLarge()) {
      event.preventDefault();
      return;
    }
    button.disabled = true;
    button.textContent = "Reading …";
  });
  window.addEventListener("pageshow", () => { button.disabled = false; button.textContent = label; });
}
