# Node: its JIT, promises, a worker thread, a child, crypto, zlib, a server with a client.
cat >t.js <<'JS'
const fs = require("fs").promises, crypto = require("crypto"), http = require("http");
const { Worker } = require("worker_threads"), { execFileSync } = require("child_process"), zlib = require("zlib");
const fib = n => (n < 2 ? n : fib(n - 1) + fib(n - 2));
(async () => {
    await fs.writeFile("x", "hello");
    console.log(await fs.readFile("x", "utf8"));
    console.log(crypto.createHash("sha256").update("abc").digest("hex"));
    console.log(fib(24), String(2n ** 70n));
    console.log(execFileSync("echo", ["child"]).toString().trim());
    await new Promise(done => {
        const w = new Worker('require("worker_threads").parentPort.postMessage(42)', { eval: true });
        w.on("message", m => console.log("worker", m));
        w.on("exit", done);
    });
    const server = http.createServer((_, answer) => answer.end("hi"));
    await new Promise(done => server.listen("sock", done));
    await new Promise(done => http.get({ socketPath: "sock" }, r => {
        r.on("data", d => console.log(String(d)));
        r.on("end", done);
    }));
    server.close();
    console.log(zlib.gunzipSync(zlib.gzipSync("a".repeat(9999))).length);
})();
JS
node t.js
