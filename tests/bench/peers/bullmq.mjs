// BullMQ on Node, in the same form as the Python peers: node bullmq.mjs enqueue|work|version JSON.
import { writeSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.BENCH_NODE}/`);
const { Queue, Worker } = require("bullmq");

const [verb, given] = process.argv.slice(2);
const ask = { n: 1, concurrency: 1, handler: "noop", bulk: false, seconds: 60, gap: 0, ...JSON.parse(given) };
const QUEUE = "bench";
const FILL = "x".repeat(164);
const { hostname: host, port } = new URL(ask.url);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };

const say = (answer) => {
  writeSync(1, JSON.stringify(answer) + "\n");
  process.exit(0);
};
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const now = () => performance.now() / 1000;
const epoch = () => (performance.timeOrigin + performance.now()) / 1000;
const payload = () => ({ at: Number(epoch().toFixed(6)), text: FILL });

async function enqueue() {
  const queue = new Queue(QUEUE, { connection });
  await queue.waitUntilReady();
  const began = now();
  if (ask.bulk) {
    for (let at = 0; at < ask.n; at += 500) {
      const size = Math.min(500, ask.n - at);
      await queue.addBulk(Array.from({ length: size }, () => ({ name: ask.handler, data: payload() })));
    }
  } else {
    for (let i = 0; i < ask.n; i += 1) {
      await queue.add(ask.handler, payload());
      if (ask.gap) await sleep(ask.gap);
    }
  }
  say({ n: ask.n, seconds: now() - began });
}

let count = 0;
let first = 0;
let firstEpoch = 0;
const waits = [];
const report = () => say({ n: count, seconds: now() - first, first: firstEpoch, waits });

async function handle(job) {
  if (!first) {
    first = now();
    firstEpoch = epoch();
    setTimeout(report, ask.seconds * 1000);
  }
  if (waits.length < 1000) waits.push(epoch() - job.data.at);
  if (job.name === "io") await sleep(0.005);
  count += 1;
  if (count === ask.n) report();
}

if (verb === "version") say({ bullmq: require("bullmq/package.json").version, node: process.version });
else if (verb === "enqueue") await enqueue();
else new Worker(QUEUE, handle, { connection, concurrency: ask.concurrency });
