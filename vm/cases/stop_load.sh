# shellcheck shell=bash
# SIGTERM while fio writes: the device goes, fio gets errors, nothing hangs (12 s)
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
t=$(seconds)
kill -TERM "$DEMO_PID"
wait_for 30 dead "$DEMO_PID" || fail "still there after 30 s"
took=$(since "$t")
note "gone $took s after SIGTERM"
# An open device is waited for two seconds; see ublk-evdemo(1).
less "$took" 8 || fail "took $took s"
wait_for 10 dead $fio || fail "fio hangs"
! wait $fio || note "fio saw no error"
demo_ended 5
