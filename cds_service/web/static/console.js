// Says so when a part of the page could not be fetched: the page stays as it is, and silence could pass for an answer.
const failed = document.getElementById("failed");

for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout", "htmx:swapError"]) {
  document.addEventListener(name, () => {
    failed.hidden = false;
    failed.focus();
  });
}
// Another language is another page, not a part of this one: the form is sent past htmx, and comes back as it was.
document.addEventListener("click", (event) => {
  const redraw = event.target.closest("[data-redraw]")?.dataset.redraw;
  if (!redraw) return;
  event.preventDefault();
  const form = document.getElementById("triage-form");
  form.action = redraw;
  form.submit();
});
document.addEventListener("htmx:afterSwap", () => {
  failed.hidden = true;
});
