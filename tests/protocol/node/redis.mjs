// @upstash/redis, unchanged, against the URL and token of the environment. Exits 0 when all holds.
import assert from "node:assert/strict";
import { Redis } from "@upstash/redis";

const redis = new Redis({
  url: process.env.UPSTASH_REDIS_REST_URL,
  token: process.env.UPSTASH_REDIS_REST_TOKEN,
});

assert.equal(await redis.set("text", "grüße 🌊"), "OK");
assert.equal(await redis.get("text"), "grüße 🌊");
await redis.set("document", { id: 7, tags: ["a", "b"] }, { ex: 100 });
assert.deepEqual(await redis.get("document"), { id: 7, tags: ["a", "b"] });
assert.equal(await redis.ttl("document"), 100);
assert.equal(await redis.get("missing"), null);
assert.equal(await redis.incrby("counter", 5), 5);
await redis.hset("hash", { a: 1, b: "two" });
assert.deepEqual(await redis.hgetall("hash"), { a: 1, b: "two" });
await redis.zadd("scores", { score: 1.5, member: "x" }, { score: 2, member: "y" });
assert.deepEqual(await redis.zrange("scores", 0, -1, { withScores: true }), ["x", 1.5, "y", 2]);
await redis.rpush("list", "a", "b", "c");
assert.deepEqual(await redis.lpop("list", 2), ["a", "b"]);

// Commands of one tick travel as one pipeline of their own accord.
assert.deepEqual(await Promise.all([redis.incr("n"), redis.incr("n"), redis.get("n")]), [1, 2, 2]);

const pipeline = redis.pipeline().set("p", 1).incr("p").get("p");
assert.deepEqual(await pipeline.exec(), ["OK", 2, 2]);
assert.deepEqual(await redis.multi().set("m", 1).incr("m").exec(), ["OK", 2]);
await assert.rejects(redis.multi().set("m", 9).lpush("m").exec(), /wrong number of arguments/);
assert.equal(await redis.get("m"), 2);

const script = redis.createScript("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}");
assert.deepEqual(await script.exec(["k"], ["v"]), ["k", "v", 1]);
assert.deepEqual(await script.exec(["k"], ["v"]), ["k", "v", 2]);
assert.deepEqual(await script.eval(["k"], ["v"]), ["k", "v", 3]);
await assert.rejects(redis.evalsha("0".repeat(40), [], []), /NOSCRIPT/);
await assert.rejects(redis.eval("return redis.call('LPUSH', KEYS[1], 'x')", ["text"], []), /WRONGTYPE/);
await assert.rejects(redis.lpush("text", "x"), /WRONGTYPE/);

const stranger = new Redis({ url: process.env.UPSTASH_REDIS_REST_URL, token: "wrong", retry: false });
await assert.rejects(stranger.get("text"), /WRONGPASS/);
