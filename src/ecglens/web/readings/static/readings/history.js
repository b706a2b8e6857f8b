"use strict";
for (const form of document.querySelectorAll("form.chosen")) {
  const all = form.querySelector("[data-all]");
  const each = [...form.querySelectorAll("input[name=chosen]")];
  all.hidden = false;
  all.addEventListener("change", () => { for (const one of each) one.checked = all.checked; });
  form.addEventListener("change", () => {
    const count = each.filter((one) => one.checked).length;
    all.checked = count === each.length;
    all.indeterminate = count > 0 && count < each.length;
  });
  form.addEventListener("submit", (event) => {
    const ask = event.submitter?.dataset.ask;
    if (ask && !window.confirm(ask)) event.preventDefault();
  });
}
