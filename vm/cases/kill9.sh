# shellcheck shell=bash
# --no-broker, kill -9 under load: the device stays until --delete (15 s)
demo_start --size 64M --no-broker
no_broker || fail "there is a broker"
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
wait_for 45 dead $fio || fail "fio hangs"
note "fio ended after $(since "$t") s"
wait $fio
sleep 1
[ -e "/dev/ublkc$ID" ] || fail "who has deleted device $ID?"
timeout -k 1 30 "$UBLK_EVDEMO" --no-broker --delete "$ID" >del.out 2>&1 || {
	cat del.out
	fail "--delete $ID"
}
wait_for 5 no_device "$ID" || fail "device $ID is still there"
new_device
