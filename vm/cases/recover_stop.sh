# shellcheck shell=bash
# A stop in the midst of a recovery, at any moment, ends; so does --delete (40 s)
# timeout: 200
disk_keep disk
demo_start --size 32M --recovery reissue "${KEPT[@]}"
demo_kill
for ms in 0 20 40 60 80 100 130 160 200 300; do
	# It may be gone: then a new one.
	[ -e "/dev/ublkc$ID" ] || {
		demo_start --size 32M --recovery reissue "${KEPT[@]}"
		demo_kill
	}
	"$UBLK_EVDEMO" --recover "$ID" "${KEPT[@]}" --control none -v \
		>race.out 2>race.log &
	pid=$!
	sleep "$(awk "BEGIN { print 0.1 + $ms / 1000 }")"
	kill -TERM $pid 2>/dev/null
	wait_for 20 dead $pid || {
		cat race.log
		fail "SIGTERM after $ms ms: hangs"
	}
	wait $pid
	wait_for 10 no_broker || fail "the broker is still there"
done
[ -e "/dev/ublkc$ID" ] || {
	demo_start --size 32M --recovery reissue "${KEPT[@]}"
	demo_kill
}
# Both want it: one of them has its way, and nobody hangs.
"$UBLK_EVDEMO" --recover "$ID" "${KEPT[@]}" --control none \
	>race.out 2>race.log &
pid=$!
timeout -k 1 30 "$UBLK_EVDEMO" --delete "$ID" >del.out 2>&1 ||
	[ $? = 1 ] || fail "--delete hangs"
sleep 1
kill -TERM $pid 2>/dev/null
wait_for 20 dead $pid || fail "hangs after --delete"
wait $pid
[ ! -e "/dev/ublkc$ID" ] ||
	timeout -k 1 30 "$UBLK_EVDEMO" --delete "$ID" || fail "--delete"
wait_for 5 no_device "$ID" || fail "device $ID is left"
disk_unkeep
new_device
