# shellcheck shell=bash
# kill -9 under load: clients get errors, --delete clears, the number serves again (15 s)
demo_start --size 64M
fio --name=load --filename="$DEV" --direct=1 --ioengine=io_uring --rw=randrw \
	--bs=4k --iodepth=64 --time_based --runtime=60 --eta=never \
	>fio.load 2>&1 &
fio=$!
# shellcheck disable=SC2317
busy() {
	[ "$(stat_of .ops.WRITE.reqs)" -gt 1000 ]
}
wait_for 30 busy || fail "fio does not get going"
kill -KILL "$DEMO_PID"
t=$(seconds)
wait_for 40 dead "$DEMO_PID" || fail "the daemon cannot be killed"
wait "$DEMO_PID"
note "dead after $(since "$t") s"
# A server that had every request fails them at the block layer's time-out.
wait_for 45 dead $fio || fail "fio hangs"
note "fio ended after $(since "$t") s"
wait $fio
timeout -k 1 30 "$UBLK_EVDEMO" --delete "$ID" >del.out 2>&1
status=$?
cat del.out
# It may have vanished by itself: a broker that survives deletes it.
[ $status = 0 ] || grep -q "no such device" del.out ||
	fail "--delete $ID: status $status"
wait_for 5 no_device "$ID" || fail "device $ID is still there"
demo_start --size 64M --id "$ID"
random_file ref $((1 << 20))
dd if=ref of="$DEV" bs=64k oflag=direct status=none || fail "write"
same ref || fail "the new device of the same number"
demo_stop
