# shellcheck shell=bash
# The socket's JSON, --stats lines and SIGUSR1 tell what was done (6 s)
demo_start --size 16M --stats 1
dd if=/dev/zero of="$DEV" bs=64k count=64 oflag=direct status=none
dd if="$DEV" of=/dev/null bs=64k count=64 iflag=direct status=none
demo_json stats >stats.json
jq -e . stats.json >/dev/null || fail "no JSON: $(cat stats.json)"
[ "$(wc -l <stats.json)" = 1 ] || fail "not one line"
[ "$(jq .ops.WRITE.bytes stats.json)" = $((4 << 20)) ] || fail "bytes written"
[ "$(jq '.ops.READ.bytes >= 4194304' stats.json)" = true ] || fail "bytes read"
[ "$(jq .inflight stats.json)" = 0 ] || fail "requests in flight"
[ "$(jq .pid stats.json)" = "$DEMO_PID" ] || fail "pid"
[ "$(demo_json nonsense | jq -r .error)" != null ] || fail "takes nonsense"
[ "$(stat -c %a "$DEMO_SOCK")" = 600 ] || fail "socket's mode"
kill -USR1 "$DEMO_PID"
# shellcheck disable=SC2317
logged() {
	[ "$(grep -c "$1" "$DEMO_LOG")" -ge "$2" ]
}
wait_for 5 logged 'stats: ' 2 || fail "--stats 1 logs nothing"
wait_for 5 logged 'LIVE' 1 || fail "SIGUSR1 logs nothing: $(cat "$DEMO_LOG")"
tail -n 3 "$DEMO_LOG"
demo_stop
[ ! -e "$DEMO_SOCK" ] || fail "the socket is left"
