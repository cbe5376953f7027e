// The review page by keyboard: a key marked on the page does what it marks. Nothing here is needed to review.
const form = document.getElementById("review");
const isOn = document.getElementById("keys-on");
const KEPT = "review-keys";

isOn.checked = localStorage.getItem(KEPT) !== "off";
isOn.addEventListener("change", () => localStorage.setItem(KEPT, isOn.checked ? "on" : "off"));
document.getElementById("keys").hidden = false;

// Where letters are typed, and where Enter has a meaning of its own.
const typesIn = (element) => element.matches("input:not([type=radio]):not([type=checkbox]), select, textarea");
const ownsEnter = (element) => element.matches("a, button, summary");

document.addEventListener("keydown", (event) => {
  const at = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key === "Enter" && at.id === "diagnosis") {
    event.preventDefault();
    form.querySelector("[name=search]").click();
    return;
  }
  if (!isOn.checked || typesIn(at) || (event.key === "Enter" && ownsEnter(at))) return;
  const meant = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key);
  if (!meant) return;
  event.preventDefault();
  meant.focus();
  meant.click();
});
