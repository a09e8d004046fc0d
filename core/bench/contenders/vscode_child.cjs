// vscode-jsonrpc, the server: one request handler on stdio.
"use strict";
const rpc = require("vscode-jsonrpc/node");

const connection = rpc.createMessageConnection(
  new rpc.StreamMessageReader(process.stdin),
  new rpc.StreamMessageWriter(process.stdout),
);
connection.onRequest("bench/echo", async (params) => params);
connection.onClose(() => process.exit(0));
connection.listen();
