// Bundles the page into dist/, and says what a visitor downloads. Run by build.sh, which makes pkg/ first.

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

// Source: the limits that this page was given, in bytes after brotli, which every browser takes. With gzip -9 the module is
// larger than its limit, by what was 136 kB when this was written: both are printed.
const TOTAL_MAX = 900_000;
const WASM_MAX = 500_000;

const fonts = {
  "sans.woff2": "atkinson-hyperlegible-next/files/atkinson-hyperlegible-next-latin-wght-normal.woff2",
  "mono.woff2": "atkinson-hyperlegible-mono/files/atkinson-hyperlegible-mono-latin-wght-normal.woff2",
  "LICENSE-sans": "atkinson-hyperlegible-next/LICENSE",
  "LICENSE-mono": "atkinson-hyperlegible-mono/LICENSE",
};

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist/fonts", { recursive: true });
await build({
  entryPoints: { page: "src/main.ts" },
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  logLevel: "warning",
});
await build({
  entryPoints: { page: "src/style/page.css" },
  outdir: "dist",
  bundle: true,
  minify: true,
  external: ["fonts/*"],
  logLevel: "warning",
});
cpSync("index.html", "dist/index.html");
cpSync("static", "dist", { recursive: true });
for (const [name, source] of Object.entries(fonts)) cpSync(join("node_modules/@fontsource-variable", source), join("dist/fonts", name));
cpSync("pkg/ntf_runtime_wasm_bg.wasm", "dist/ntf.wasm");

let total = 0;
let wasm = 0;
for (const name of readdirSync("dist", { recursive: true }).sort()) {
  const path = join("dist", name);
  if (!statSync(path).isFile() || name.includes("LICENSE")) continue;
  const bytes = readFileSync(path);
  const packed = name.endsWith(".woff2") ? bytes.length : gzipSync(bytes, { level: 9 }).length;
  const brotli = name.endsWith(".woff2") ? bytes.length : brotliCompressSync(bytes).length;
  total += brotli;
  if (name.endsWith(".wasm")) wasm += brotli;
  console.log(`${name.padEnd(20)} ${String(bytes.length).padStart(9)} bytes, ${String(packed).padStart(8)} gzip, ${String(brotli).padStart(8)} brotli`);
}
console.log(`${"in all".padEnd(20)} ${String(total).padStart(9)} bytes brotli of ${TOTAL_MAX}; wasm ${wasm} of ${WASM_MAX}`);
if (total > TOTAL_MAX || wasm > WASM_MAX) {
  console.error("The page is larger than it may be.");
  process.exit(1);
}
