#!/usr/bin/env bash
# The pieces as separate processes, as the README runs them: an SMP server, a subscriber with a stand-in for Apple, a
# device, and a message sent by a fourth process; then the same with a push server of its own. At the end each server is
# asked to stop.
#
#   tests/pieces.sh target/release/ntf [target/release/ntf-smol]
set -eu
ntf=$(realpath "$1")
smol=${2:+$(realpath "$2")}
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
    cat "$file" "$file.err" >&2 || true
    return 1
  }
}

cd "$work"
"$ntf" smp --listen 127.0.0.1:0 --dir smp --round-ms 50 >smp.out 2>smp.out.err &
pids+=($!)
"$ntf" server --listen 127.0.0.1:0 --allow-private-addresses --dir server --stand-in 127.0.0.1:0 --stand-in-ca ca.pem >server.out 2>server.out.err &
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
expect 1 'LimitMEMLOCK=infinity' bash -c 'ulimit -l 64 && exec "$0" server --lock-memory require' "$ntf"
expect 1 'PKCS#8 key' "$ntf" server --apns-key smp/ca.crt --apns-key-id A --apns-team-id B

# A server goes on when nobody can read its address, and reads the certificates of another in one file.
cat smp/server.crt smp/ca.crt >chain.pem
"$ntf" smp --listen 127.0.0.1:0 --chain chain.pem --key smp/server.key >/dev/full 2>full.err &
full=$!
pids+=("$full")
line_of full.err '^Listening' >/dev/null
kill -TERM "$full"
wait "$full"

# An operator hears of a provider whose certificate is not the expected one before anybody's push is due, and of
# one that does not know the signing key.
for trust in wrong right; do
  "$ntf" stand-in --listen 127.0.0.1:0 --dir "apple-$trust" >"$trust.out" 2>/dev/null &
  pids+=($!)
  apple=$(line_of "$trust.out" '^https://')
  [ $trust = wrong ] && ca=ca.pem words='refused the certificate of' || ca=apple-right/ca.crt words='403 InvalidProviderToken'
  "$ntf" server --listen 127.0.0.1:0 --allow-private-addresses --apns "$apple" --apns-ca "$ca" --apns-key apple-wrong/apns-key.p8 \
    --apns-key-id STANDINKEY --apns-team-id STANDINORG >"server-$trust.out" 2>"server-$trust.out.err" &
  pids+=($!)
  if [ $trust = right ]; then
    "$ntf" device watch --server "$(line_of server-right.out '^ntf://')" --smp "$smp" --stand-in "$apple" \
      --stand-in-ca "$ca" >/dev/null 2>&1 &
    pids+=($!)
  fi
  line_of "server-$trust.out.err" "$words" >/dev/null
done

# The split: a push server and a subscriber as processes of their own, set up as the manual says. With a second
# program (ntf-smol), each plays either part.
split() {
  local name=$1 subscriber=$2 push=$3 tokens=$4 sealed=() first=${#pids[@]} apple relay device
  "$subscriber" init subscriber --dir "$name" --listen 127.0.0.1:0 >"$name-subscriber.init" 2>/dev/null
  "$push" init push --dir "$name-push" --listen 127.0.0.1:0 >"$name-push.init" 2>/dev/null
  [ "$(stat -c %a "$name-push/sealing.key" "$name-push/server.key" "$name/server.key" "$name-push/push.toml" | sort -u)" = 600 ]
  grep -q '^sealing key ' "$name-push.init"
  expect 1 'push_server.address is missing' "$subscriber" subscriber --config "$name/subscriber.toml"
  expect 1 'File exists' "$push" init push --dir "$name-push"

  "$ntf" stand-in --listen 127.0.0.1:0 --dir "$name-apple" >"$name-apple.out" 2>/dev/null &
  pids+=($!)
  apple=$(line_of "$name-apple.out" '^https://')
  sed -i -e '/^\[apns\]/,/^\[/ {' -e "s|^#key = .*|key = \"$work/$name-apple/apns-key.p8\"|" \
    -e 's|^#key_id = .*|key_id = "STANDINKEY"|' -e 's|^#team_id = .*|team_id = "STANDINORG"|' \
    -e "s|^#test_url = .*|test_url = \"$apple\"|" -e "s|^#test_ca = .*|test_ca = \"$work/$name-apple/ca.crt\"|" -e '}' \
    "$name-push/push.toml"
  printf '[[subscribers]]\nname = "%s"\nfingerprint = "%s"\ndevice_tokens = "%s"\n' "$name" \
    "$(sed -n 's/^fingerprint //p' "$name-subscriber.init")" "$tokens" >>"$name-push/push.toml"
  "$push" push --config "$name-push/push.toml" >"$name-push.out" 2>"$name-push.out.err" &
  pids+=($!)
  relay=$(line_of "$name-push.out" '^relay://')
  sed -i -e '/^\[push_server\]/,/^\[/ s|^#address = .*|address = "'"$relay"'"|' \
    -e 's/^#allow_private_addresses = .*/allow_private_addresses = true/' \
    -e 's/^#allow_test_provider = .*/allow_test_provider = true/' "$name/subscriber.toml"
  if [ "$tokens" = sealed ]; then
    sed -i 's/^#sealed = .*/sealed = "demanded"/' "$name/subscriber.toml"
    sealed=(--sealed "$(sed -n 's/^sealing key //p' "$name-push.init")")
  fi
  "$subscriber" subscriber --config "$name/subscriber.toml" >"$name.out" 2>"$name.out.err" &
  pids+=($!)
  "$ntf" device watch --server "$(line_of "$name.out" '^ntf://')" --smp "$smp" --stand-in "$apple" \
    --stand-in-ca "$name-apple/ca.crt" --messages 1 "${sealed[@]}" >"$name-device.out" 2>"$name-device.out.err" &
  device=$!
  "$ntf" device send "$(line_of "$name-device.out" '^smp://')" 'Hello over a relay link'
  line_of "$name-device.out" '^Hello over a relay link$'
  wait "$device"
  # The same with a device in a file, by a command for each step.
  local phone=(--state "$name-phone" --key-file "$name-phone.key")
  echo 'any bytes' >"$name-phone.key"
  "$ntf" device register "${phone[@]}" --server "$(line_of "$name.out" '^ntf://')" --stand-in "$apple" \
    --stand-in-ca "$name-apple/ca.crt" "${sealed[@]}" 2>/dev/null
  "$ntf" device add-queue "${phone[@]}" --smp "$smp" >"$name-phone.queue" 2>/dev/null
  "$ntf" device send "$(cat "$name-phone.queue")" 'Hello to a file'
  [ "$("$ntf" device watch "${phone[@]}" --messages 1 2>/dev/null)" = 'Hello to a file' ]
  # Both finish what is under way, the subscriber first, and say so.
  "$ntf" device send "$(line_of "$name-device.out" '^smp://')" 'Hello to nobody'
  for pid in "${pids[@]:first+2:1}" "${pids[@]:first+1:1}"; do
    kill -TERM "$pid"
    wait "$pid"
  done
  grep -qE '^[0-9]+ notices received, [0-9]+ ordered, 0 of these unfinished, ' "$name.out.err"
  grep -qE '^([0-9]+) pushes ordered, \1 answered, 0 put off, 0 unfinished\.$' "$name.out.err"
  grep -q ' orders received, ' "$name-push.out.err"
  grep -qE '^([0-9]+) pushes ordered, \1 accepted, 0 put off, 0 unfinished\.$' "$name-push.out.err"
  kill "${pids[first]}"
  pids=("${pids[@]:0:first}")
}
split plain "$ntf" "$ntf" any
split sealed "$ntf" "$ntf" sealed
if [ -n "$smol" ]; then
  split smol-subscriber "$smol" "$ntf" sealed
  split smol-push "$ntf" "$smol" sealed
fi

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
grep -qE '^([0-9]+) pushes ordered, \1 accepted, 0 put off, 0 unfinished\.$' server.out.err
# Nothing that names a device or a queue is in what the servers printed.
if grep -qE '[0-9a-f]{48}' smp.out.err server.out.err; then
  echo "a server printed a device token" >&2
  exit 1
fi
echo "pieces: message delivered between processes, bad input explained, servers stopped on SIGTERM"
