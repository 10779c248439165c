#!/usr/bin/env bash
# Drives the built page in headless Chromium as a visitor would. Needs dist/ (./build.sh), node 20 or newer, and Chromium at
# /usr/bin/chromium or where CHROMIUM says. Pictures land in shots/.
#
#   ./test.sh                all
#   ./test.sh scenarios      one file of test/
set -eu
cd "$(dirname "$0")"
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund
npx tsc --noEmit
rm -rf build/test
npx esbuild test/*.ts --outdir=build/test --format=esm --platform=node --target=node20 --log-level=warning
sed -i 's#"\.\./serve\.mjs"#"../../serve.mjs"#' build/test/browser.js
# One file after another: the files measure and two browsers at once would disturb each other.
node --test --test-reporter=spec --test-concurrency=1 --test-timeout=240000 build/test/${1:-*}.test.js
