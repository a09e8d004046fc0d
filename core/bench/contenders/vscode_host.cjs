// vscode-jsonrpc: a host and a child in Node, untyped, over stdio. Arguments: the payload, and how many calls are in
// flight in the concurrent cell. This is the side of the line protocol that `cells.py` is, in another language.
"use strict";
const { spawn } = require("node:child_process");
const { createInterface } = require("node:readline");
const { isDeepStrictEqual } = require("node:util");
const rpc = require("vscode-jsonrpc/node");

const BATCH = 10;
const payload = JSON.parse(process.argv[2]);
const width = Number(process.argv[3]);
const child = spawn(process.execPath, [`${__dirname}/vscode_child.cjs`], { stdio: ["pipe", "pipe", "inherit"] });
child.on("exit", (code) => process.exit(code === 0 ? 0 : 1));
const connection = rpc.createMessageConnection(
  new rpc.StreamMessageReader(child.stdout),
  new rpc.StreamMessageWriter(child.stdin),
);
connection.listen();

const seconds = () => performance.now() / 1000;
const echo = () => connection.sendRequest("bench/echo", payload);
const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");

async function sequential(end) {
  let count = 0;
  while (seconds() < end) {
    for (let i = 0; i < BATCH; i += 1) await echo();
    count += BATCH;
  }
  return count;
}

async function concurrent(end) {
  let count = 0;
  const caller = async () => {
    while (seconds() < end) {
      await echo();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: width }, caller));
  return count;
}

const CELLS = { sequential, concurrent };

async function main() {
  if (!isDeepStrictEqual(await echo(), payload)) throw new Error("the echo is not what was sent");
  say({ cells: Object.keys(CELLS) });
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    const began = seconds();
    const count = await CELLS[order.cell](began + order.seconds);
    say({ done: count, seconds: seconds() - began });
  }
  child.stdin.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
