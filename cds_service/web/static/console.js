// Says so when a part of the page could not be fetched: the page stays as it is, and silence could pass for an answer.
const failed = document.getElementById("failed");

for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout", "htmx:swapError"]) {
  document.addEventListener(name, () => {
    failed.hidden = false;
    failed.focus();
  });
}
document.addEventListener("htmx:afterSwap", () => {
  failed.hidden = true;
});
