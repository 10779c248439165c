#!/usr/bin/env bash
# The pieces as separate processes, as the README runs them: an SMP server, a subscriber with a stand-in for Apple, a
# device, and a message sent by a fourth process. Then each server is asked to stop.
#
#   tests/pieces.sh target/release/ntf
set -eu
ntf=$(realpath "$1")
work=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT

# Waits for the first line of a file that matches, at most 30 s.
line_of() {
  local file=$1 pattern=$2
  timeout 30 bash -c 'until grep -m1 -E "$1" "$0" 2>/dev/null; do read -rt 0.05 <> <(:) || :; done' "$file" "$pattern" || {
    echo "no line like $pattern in $file; it holds:" >&2
    cat "$file" "$file.err" >&2
    return 1
  }
}

cd "$work"
"$ntf" smp --listen 127.0.0.1:0 --dir smp --round-ms 50 >smp.out 2>smp.out.err &
pids+=($!)
"$ntf" server --listen 127.0.0.1:0 --dir server --stand-in 127.0.0.1:0 --stand-in-ca ca.pem >server.out 2>server.out.err &
pids+=($!)
smp=$(line_of smp.out '^smp://')
server=$(line_of server.out '^ntf://')
stand_in=$(line_of server.out.err 'https://' | grep -oE 'https://[^;]+')

"$ntf" device watch --server "$server" --smp "$smp" --stand-in "$stand_in" --stand-in-ca ca.pem --messages 2 >device.out 2>device.out.err &
device=$!
pids+=("$device")
queue=$(line_of device.out '^smp://')

"$ntf" device send "$queue" 'Hello from a fourth terminal'
line_of device.out '^Hello from a fourth terminal$'

# One sentence and exit code 2 for a wrong command line, 1 for what cannot be done.
expect() {
  local code=$1 words=$2
  shift 2
  local got=0
  "$@" >expect.out 2>&1 || got=$?
  if [ "$got" != "$code" ] || ! grep -q "$words" expect.out; then
    echo "expected exit $code and \"$words\" from: $*" >&2
    echo "got exit $got and:" >&2
    cat expect.out >&2
    return 1
  fi
}
expect 2 'unexpected argument' "$ntf" demo --no-such-option
expect 2 'not an SMP server' "$ntf" device watch --server "$server" --smp nonsense --stand-in "$stand_in" --stand-in-ca ca.pem
expect 1 'Cannot read' "$ntf" server --chain missing.crt --key missing.key
expect 1 'Cannot listen' "$ntf" smp --listen "127.0.0.1:${smp##*:}"
expect 1 'Cannot reach' "$ntf" device send "smp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@127.0.0.1:9/AAAA" hello
expect 1 'PKCS#8 key' "$ntf" server --apns-key smp/ca.crt --apns-key-id A --apns-team-id B

"$ntf" device send "$queue" 'again'
line_of device.out '^again$'
wait "$device"
"$ntf" device watch --server "$server" --smp "$smp" --stand-in "$stand_in" --stand-in-ca ca.pem >device.out 2>device.out.err &
device=$!
pids+=("$device")
line_of device.out '^smp://' >/dev/null

# The device first: it says so and fails when its stand-in goes away.
kill -INT "$device"
wait "$device"
for pid in "${pids[@]:0:2}"; do
  kill -TERM "$pid"
  wait "$pid"
done
pids=()
# Nothing that names a device or a queue is in what the servers printed.
if grep -qE '[0-9a-f]{48}' smp.out.err server.out.err; then
  echo "a server printed a device token" >&2
  exit 1
fi
echo "pieces: message delivered between processes, bad input explained, servers stopped on SIGTERM"
