// What the Vercel AI SDK does with the endpoint; run by test_clients where it is installed.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, url] = process.argv.slice(2);
const require = createRequire(pathToFileURL(folder + "/x.js"));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { generateText, streamText } = await load("ai");
const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");

const model = createOpenAICompatible({ name: "tutee", baseURL: url })("base");
const whole = await generateText({ model, prompt: "hello world" });
let streamed = "";
for await (const piece of streamText({ model, prompt: "hello world" }).textStream) streamed += piece;
console.log(JSON.stringify({ reply: whole.text, streamed, finish: whole.finishReason }));
