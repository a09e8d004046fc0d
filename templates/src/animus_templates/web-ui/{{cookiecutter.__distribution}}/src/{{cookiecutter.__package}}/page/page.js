// Shows what the daemon says of itself, and asks again every five seconds.

async function show() {
  const list = document.querySelector("dl");
  const answer = await fetch("status.json");
  const status = await answer.json();
  list.replaceChildren();
  for (const [name, value] of Object.entries(status)) {
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = name;
    text.textContent = typeof value === "object" ? JSON.stringify(value) : String(value);
    list.append(term, text);
  }
}

show();
setInterval(show, 5000);
