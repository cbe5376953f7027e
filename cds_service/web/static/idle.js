// Says that the session is about to end, and goes to the login when it has: nobody types into a page that is over.
const ending = document.getElementById("ending");
const LONGEST = Number(ending.dataset.idle) * 1000;
const WARNED = 120_000;
const SEEN = "cds-seen"; // what another window of this browser asked for keeps the session too

const seen = () => localStorage.setItem(SEEN, String(Date.now()));

function look() {
  const left = Number(localStorage.getItem(SEEN)) + LONGEST - Date.now();
  ending.hidden = left > WARNED;
  if (left <= 0) location.assign(`${ending.dataset.login}?next=${encodeURIComponent(location.pathname + location.search)}`);
}

ending.querySelector("button").addEventListener("click", async () => {
  const answer = await fetch(ending.dataset.stay);
  if (answer.ok && new URL(answer.url).pathname !== ending.dataset.login) seen();
  look();
});
document.addEventListener("htmx:afterRequest", (event) => event.detail.successful && seen());
seen();
setInterval(look, 5000);
