# shellcheck shell=bash
# evctl: recover after kill -9 and after quiesce; refused where it makes no sense (40 s)
# timeout: 240
# shellcheck source=vm/evctl_lib.sh
. "$1/evctl_lib.sh"
# what became of the last recover, as a daemon
recovered() {
	local pid
	pid=$(pgrep -n -x ublk-evdemo) || fail "no server"
	DEMO_PID=$pid
	ctl_json 0 ".device.server.pid == $pid and .device.state == \"LIVE\"" \
		info "$ID"
}
disk_keep evctl_recover
trap disk_unkeep EXIT
demo_start --size 32M --recovery reissue "${KEPT[@]}"
random_file ref $((4 << 20))
dd if=ref of="$DEV" bs=64k oflag=direct status=none || fail "write"
ctl 4 recover "$ID" --program "$UBLK_EVDEMO"
complains "pid $DEMO_PID: upgrade $ID"
kill -KILL "$DEMO_PID"
wait "$DEMO_PID"
t=$(seconds)
ctl_json 0 ".id == $ID" recover "$ID" --program "$UBLK_EVDEMO"
note "served again after $(since "$t") s, by what the dead server was told"
recovered
same ref || fail "other data"
[ "$(stat_of .pid)" = "$DEMO_PID" ] || fail "another control socket"
[ "$(stat -c %a "/run/ublk-ev/$ID.json")" = 600 ] || fail "its state file"

note "quiesce"
if has_feature QUIESCE; then
	ctl 0 quiesce "$ID"
	wait_for 20 dead "$DEMO_PID" || fail "the server stays"
	ctl_json 0 '.devices[0].state == "QUIESCED"' orphans
	# who reads now waits
	dd if="$DEV" of=got bs=64k count=64 iflag=direct status=none &
	reader=$!
	sleep 1
	! dead $reader || fail "the reader did not wait"
	ctl 0 recover "$ID" --program "$UBLK_EVDEMO" -- --size 32M \
		"${KEPT[@]}" --control none
	wait_for 20 dead $reader || fail "the reader still waits"
	wait $reader || fail "the reader saw an error"
	cmp ref got || fail "other data"
	recovered
else
	ctl 5 quiesce "$ID"
	complains '6\.16'
fi
ctl 0 del "$ID"
wait_for 20 dead "$DEMO_PID" || fail "the server stays"
[ ! -e "/run/ublk-ev/$ID.json" ] || fail "the state of what is gone stays"

note "none to recover"
demo_start --size 16M
ctl 5 recover "$ID" --program "$UBLK_EVDEMO"
ctl 3 recover 4711 --program "$UBLK_EVDEMO"
demo_stop
