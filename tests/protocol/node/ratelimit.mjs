// @upstash/ratelimit, unchanged, against the URL and token of the environment. Exits 0 when all holds.
import assert from "node:assert/strict";
import { Ratelimit } from "@upstash/ratelimit";
import { Redis } from "@upstash/redis";

const redis = new Redis({
  url: process.env.UPSTASH_REDIS_REST_URL,
  token: process.env.UPSTASH_REDIS_REST_TOKEN,
});
const limiters = {
  fixed: Ratelimit.fixedWindow(3, "1 h"),
  sliding: Ratelimit.slidingWindow(3, "1 h"),
  bucket: Ratelimit.tokenBucket(3, "1 h", 3),
};

for (const [prefix, limiter] of Object.entries(limiters)) {
  const ratelimit = new Ratelimit({ redis, limiter, prefix, ephemeralCache: false });
  const answers = [];
  for (let call = 0; call < 5; call++) answers.push((await ratelimit.limit("user")).success);
  assert.deepEqual(answers, [true, true, true, false, false], prefix);
  assert.equal((await ratelimit.limit("somebody else")).remaining, 2, prefix);
}
